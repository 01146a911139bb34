// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title IInbox
/// @notice The one queue through which L1 speaks to the zone. Append-only: a message is never
/// changed, dropped or re-ordered, by anyone.
///
/// A message is the bytes
/// `kind u8 | index u64 | sender 20 | time u64 (L1 seconds) | block u64 | payload`, big-endian, and
/// the queue is committed to by a chain of prefix hashes:
/// `prefixHash(0) = 0`, `prefixHash(i + 1) = keccak(prefixHash(i) | keccak(message i))`.
/// A batch header quotes the prefix hash at its inbox index, so a sequencer can neither skip a
/// message nor consume another one in its place.
///
/// Assumptions for safety:
/// - The sources that the constructor admits build payloads as `libraries/InboxMessages.sol` does.
/// - `block.timestamp` and `block.number` of the L1 never decrease.
///
/// Assumptions for liveness:
/// - None here: whoever may enqueue always can, until the chain closes the queue at its freeze.
interface IInbox {
    /* EVENTS */

    /// @notice A source was admitted (by the constructor only).
    /// @param source contract that may enqueue.
    /// @param kinds bitmap: bit k set = may enqueue messages of kind k.
    event SourceAdmitted(address indexed source, uint256 kinds);

    /// @notice A message was appended.
    /// @param index place in the queue, from 0.
    /// @param kind message kind (`InboxMessages`).
    /// @param sender source contract that enqueued it.
    /// @param time L1 time, seconds.
    /// @param blockNumber L1 block.
    /// @param payload body of the message, as its kind lays it out.
    event Message(
        uint64 indexed index,
        uint8 indexed kind,
        address indexed sender,
        uint64 time,
        uint64 blockNumber,
        bytes payload
    );

    /// @notice The queue was closed for good because the chain froze.
    /// @param count messages it holds.
    event Closed(uint64 count);

    /* ERRORS */

    /// @notice `sources` and `kinds` differ in length.
    error LengthMismatch(uint256 sources, uint256 kinds);
    /// @notice A source is zero, has no kind, or is named twice.
    error BadSource(address source, uint256 kinds);
    /// @notice The caller may not enqueue this kind.
    error KindNotAllowed(address sender, uint8 kind);
    /// @notice The payload is longer than a message may be.
    error PayloadTooLong(uint256 length, uint256 limit);
    /// @notice There is no such message (or prefix).
    error IndexOutOfRange(uint64 index, uint64 count);
    /// @notice The queue is closed.
    error InboxClosed();
    /// @notice Only the state chain closes the queue.
    error NotChain(address caller, address chain);

    /* WRITES */

    /// @notice Append a message.
    /// @param kind message kind; the caller must be admitted for it.
    /// @param payload body, at most 512 bytes.
    /// @return index place of the message in the queue.
    function enqueue(uint8 kind, bytes calldata payload) external returns (uint64 index);

    /// @notice Close the queue for good. Only the state chain calls it, when it freezes: a deposit
    /// after that would belong to nobody.
    function close() external;

    /* VIEWS */

    /// @notice State chain whose freeze closes the queue.
    function chain() external view returns (address);

    /// @notice All contracts that may enqueue. The constructor fixed them.
    function sources() external view returns (address[] memory);

    /// @notice Bitmap of the kinds that `source` may enqueue; 0 = not a source.
    function kindsOf(address source) external view returns (uint256);

    /// @notice Messages in the queue.
    function count() external view returns (uint64);

    /// @notice Whether the queue takes no more messages.
    function isClosed() external view returns (bool);

    /// @notice Commitment to the messages below `index`; `index` may be `count()`.
    function prefixHash(uint64 index) external view returns (bytes32);

    /// @notice L1 time (seconds) at which message `index` was appended.
    function timeOf(uint64 index) external view returns (uint64);

    /// @notice L1 block in which message `index` was appended.
    function blockOf(uint64 index) external view returns (uint64);

    /// @notice How long the message at `index` has been waiting, seconds; 0 if `index == count()`,
    /// that is, if nothing waits. With the first unconsumed index this is the lag of the zone.
    function ageOf(uint64 index) external view returns (uint64);
}
