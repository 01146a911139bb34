// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ClaimId, MessageId} from "./Types.sol";

/// @title IForcedOperations
/// @notice What an owner can do in the zone whatever its sequencer wants: withdraw, close a position,
/// cancel all orders, approve and revoke keys, redirect its withdrawals. An operation is a message of
/// the inbox, so the sequencer must consume it within the inbox lag or commit nothing more; each is
/// consumed once, and the zone answers it with one record of its outbox, which anybody may prove here.
///
/// An operation is `kind` (16 to 21, `InboxMessages`) and `fields`: the ABI encoding of the values
///
/// | kind | type that is signed, with `address owner` before and `uint256 nonce,uint256 deadline` behind |
/// |---|---|
/// | 16 | `ForceWithdraw(uint32 account,uint32 asset,uint64 amount)` |
/// | 17 | `ForceClose(uint32 account,uint32 market,uint32 position)` |
/// | 18 | `ForceCancelAll(uint32 account)` |
/// | 19 | `ForceApproveKey(address agent,uint32 onlyAccount,uint32 onlyVenue,uint8 scope,uint64 expires,uint64 maxNotional,bytes8 name)` |
/// | 20 | `ForceRevokeKey(uint64 revokedKey)` |
/// | 21 | `ForceRedirect(address to)` |
///
/// The owner calls `submit`, or signs and anybody calls `submitBySig`; EIP-712, domain
/// {name "TradeZone", version "1", chainId, verifyingContract: this}, ERC-1271 for accounts with code.
///
/// What it costs. Each operation takes `bond` from whoever sends it. The bond comes back when an answer
/// with status 0 is proved, and is burned (it stays here, where no function moves it) by a refusal. On
/// top stands a surcharge, burned at once, that doubles with every `LEVEL` operations that have not
/// drained yet; one drains every `DRAIN` seconds. An owner has `PER_OWNER` operations every `PERIOD`.
/// So no amount of operations keeps an owner from its own, but for what the surcharge asks, and holding
/// that up costs the attacker more than the one who waits an hour.
///
/// Assumptions for safety:
/// - Final roots are right (`IStateChain`), and the zone answers each message at most once.
/// - `IOwnerRegistry` gives each address one id.
///
/// Assumptions for liveness:
/// - The inbox is open: after a freeze what waits is answered by the closing batch, and nothing new
///   is taken because the escape pays.
interface IForcedOperations {
    /* STRUCTS */

    /// @notice An operation and what became of it.
    /// @param payer who gets the bond back; zero = there is no such operation.
    /// @param amount of the answer: atoms withdrawn, lots of the order sent, id of the key.
    /// @param status of the answer: 0 = done, else the protocol's error code.
    /// @param isAnswered whether an answer was proved, or the bond reclaimed.
    struct Operation {
        address payer;
        uint64 amount;
        uint8 status;
        bool isAnswered;
    }

    /// @notice An outbox record and its place in the tree.
    struct Proof {
        MessageId id;
        bytes32[] words;
        bytes32[] siblings;
    }

    /* EVENTS */

    /// @notice An operation was sent.
    /// @param index its message in the inbox.
    /// @param surcharge burned with it, wei.
    event Submitted(
        uint64 indexed index,
        address indexed owner,
        uint8 indexed kind,
        address payer,
        uint256 surcharge
    );

    /// @notice The zone's answer was proved.
    /// @param id its record in the outbox.
    event Answered(uint64 indexed index, MessageId indexed id, uint8 status, uint64 amount);

    /// @notice The zone ended and the bond of an operation went back without an answer.
    event Reclaimed(uint64 indexed index, address indexed payer);

    /// @notice Bonds were paid out.
    event Collected(address indexed account, uint256 amount);

    /* ERRORS */

    /// @notice A parameter of the constructor is zero.
    error BadParameter();
    /// @notice There is no forced operation of this kind.
    error UnknownKind(uint8 kind);
    /// @notice The fields of this kind have another size.
    error BadFields(uint256 length, uint256 expected);
    /// @notice A withdrawal of nothing.
    error ZeroAmount();
    /// @notice The address has no owner id.
    error NotAnOwner(address account);
    error SignatureExpired(uint256 deadline);
    /// @notice The owner did not sign this, with its present nonce, here.
    error BadSignature(address owner);
    /// @notice The owner has used up its operations until `time` (L1 seconds).
    error RateLimited(address owner, uint256 time);
    /// @notice The value sent is below bond and surcharge.
    error BondTooSmall(uint256 sent, uint256 needed);
    /// @notice The message is no operation sent through here, or the record answers none.
    error NotAnOperation(uint64 index);
    /// @notice The operation has been answered.
    error AlreadyAnswered(uint64 index);
    /// @notice Bonds go back without an answer only when the zone has ended.
    error NotEnded();
    /// @notice Nothing is owed to the account.
    error NothingOwed(address account);
    /// @notice The account did not take its payment.
    error PaymentFailed(address to, uint256 amount);

    /* WRITES */

    /// @notice Send an operation for the caller. Send at least `bond() + surcharge()`; the rest is
    /// returned.
    /// @return index message of the inbox that carries it.
    function submit(uint8 kind, bytes calldata fields) external payable returns (uint64 index);

    /// @notice Send an operation that its owner signed. Anyone may call, pays, and gets the bond back.
    /// @param deadline L1 seconds until which the signature holds.
    function submitBySig(
        address owner,
        uint8 kind,
        bytes calldata fields,
        uint256 deadline,
        bytes calldata signature
    ) external payable returns (uint64 index);

    /// @notice Prove the zone's answer against a final root, and settle the bond. Anyone may call.
    function prove(ClaimId claim, Proof calldata proof) external;

    /// @notice Free the bond of an operation without an answer, once the zone has ended.
    function reclaim(uint64 index) external;

    /// @notice Pay the account what it is owed. Anyone may call.
    function collect(address account) external;

    /* VIEWS */

    /// @notice Queue of the zone.
    function inbox() external view returns (address);

    /// @notice State chain whose final roots count.
    function chain() external view returns (address);

    /// @notice Owner registry of the zone.
    function owners() external view returns (address);

    /// @notice Bond of an operation, wei.
    function bond() external view returns (uint256);

    /// @notice What an operation costs now beside its bond, wei.
    function surcharge() external view returns (uint256);

    /// @notice Operations of an owner in one `PERIOD`.
    function PER_OWNER() external view returns (uint32);

    /// @notice Seconds of a period, which begins with the first operation in it.
    function PERIOD() external view returns (uint64);

    /// @notice Operations that double the surcharge.
    function LEVEL() external view returns (uint64);

    /// @notice Seconds in which one operation drains.
    function DRAIN() external view returns (uint64);

    /// @notice An operation, by its message in the inbox.
    function operationOf(uint64 index) external view returns (Operation memory);

    /// @notice Bonds that wait to be collected, wei.
    function owed(address account) external view returns (uint256);

    /// @notice Digest to be signed with the owner's present nonce.
    function digestOf(address owner, uint8 kind, bytes calldata fields, uint256 deadline)
        external
        view
        returns (bytes32);
}
