// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IInbox} from "../interfaces/IInbox.sol";
import {DualClock, Stamp} from "../libraries/DualClock.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";

/// @title Inbox
/// @notice Implements {IInbox}, which says what it does, what it assumes and how it fails.
contract Inbox is IInbox {
    using DualClock for Stamp;

    /* IMMUTABLES */

    /// @inheritdoc IInbox
    address public immutable chain;

    /* STORAGE */

    /// @inheritdoc IInbox
    mapping(address source => uint256 kinds) public kindsOf;

    /// @inheritdoc IInbox
    uint64 public count;
    /// @inheritdoc IInbox
    bool public isClosed;

    address[] private _sources;
    /// @dev Prefix hash by index; index 0 is never written and so is zero, as it must be.
    mapping(uint64 index => bytes32 prefix) private _prefixes;
    /// @dev When message i came: element i % 2 of pair i / 2, so that two share a word.
    mapping(uint64 pair => Stamp[2] stamps) private _stamps;

    /* CONSTRUCTOR */

    /// @param chain_ state chain whose freeze closes the queue.
    /// @param sources_ contracts that may enqueue.
    /// @param kinds for each source, the bitmap of the kinds it may enqueue.
    constructor(address chain_, address[] memory sources_, uint256[] memory kinds) {
        if (sources_.length != kinds.length) revert LengthMismatch(sources_.length, kinds.length);
        if (chain_ == address(0)) revert BadSource(chain_, 0);
        chain = chain_;
        for (uint256 i = 0; i < sources_.length; i++) {
            address source = sources_[i];
            if (source == address(0) || kinds[i] == 0 || kindsOf[source] != 0) {
                revert BadSource(source, kinds[i]);
            }
            kindsOf[source] = kinds[i];
            _sources.push(source);
            emit SourceAdmitted(source, kinds[i]);
        }
    }

    /* WRITES */

    /// @inheritdoc IInbox
    function enqueue(uint8 kind, bytes calldata payload) external returns (uint64 index) {
        if ((kindsOf[msg.sender] >> kind) & 1 == 0) revert KindNotAllowed(msg.sender, kind);
        if (payload.length > InboxMessages.MAX_PAYLOAD) {
            revert PayloadTooLong(payload.length, InboxMessages.MAX_PAYLOAD);
        }
        if (isClosed) revert InboxClosed();

        index = count;
        uint64 time = uint64(block.timestamp);
        uint64 blockNumber = uint64(block.number);
        bytes32 messageHash =
            InboxMessages.hashMessage(kind, index, msg.sender, time, blockNumber, payload);

        count = index + 1;
        _prefixes[index + 1] = InboxMessages.nextPrefix(_prefixes[index], messageHash);
        _stamps[index / 2][index % 2] = DualClock.toStamp(time, blockNumber);
        emit Message(index, kind, msg.sender, time, blockNumber, payload);
    }

    /// @inheritdoc IInbox
    function close() external {
        if (msg.sender != chain) revert NotChain(msg.sender, chain);
        isClosed = true;
        emit Closed(count);
    }

    /* VIEWS */

    /// @inheritdoc IInbox
    function sources() external view returns (address[] memory) {
        return _sources;
    }

    /// @inheritdoc IInbox
    function prefixHash(uint64 index) external view returns (bytes32) {
        if (index > count) revert IndexOutOfRange(index, count);
        return _prefixes[index];
    }

    /// @inheritdoc IInbox
    function timeOf(uint64 index) external view returns (uint64) {
        return _stampOf(index).timeOf();
    }

    /// @inheritdoc IInbox
    function blockOf(uint64 index) external view returns (uint64) {
        return _stampOf(index).blockOf();
    }

    /// @inheritdoc IInbox
    function ageOf(uint64 index) external view returns (uint64) {
        if (index == count) return 0;
        return uint64(block.timestamp) - _stampOf(index).timeOf();
    }

    function _stampOf(uint64 index) private view returns (Stamp) {
        if (index >= count) revert IndexOutOfRange(index, count);
        return _stamps[index / 2][index % 2];
    }
}
