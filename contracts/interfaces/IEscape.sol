// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IStateChain} from "./IStateChain.sol";
import {AssetId, EventId} from "./Types.sol";

/// @title IEscape
/// @notice Pays everybody out of a zone that has ended: each against the records of the last final
/// state (`IStateChain.escapeRoot`), one proof a record. Anyone submits; the owner that the record names
/// is paid, where it wants to be (`IRedirects`). There is no deadline and no order: what one takes never
/// lessens what another gets.
///
/// What is paid:
/// - a **balance**: all of it, what open orders had locked included;
/// - a **holding** of outcome tokens: by the vector that the zone's resolver found, once there is one;
/// - a **deposit** that the last final state does not know, to the account it was made for.
///
/// Withdrawals that the zone wrote down are paid by `IWithdrawals` as ever. Simulated assets are paid
/// never: no vault holds them.
///
/// Nullifiers are the record's place in its table, and the message's index in the inbox: the escape root
/// never changes, and under one root a place holds one record.
///
/// Assumptions for safety:
/// - The escape root is right (`IStateChain`): what its records owe is what the vault holds less the
///   withdrawals still to be paid.
/// - The resolver tells the truth about events, and the same that it told the zone.
///
/// Assumptions for liveness:
/// - Somebody knows the state: inputs of batches up to the escape root are available.
/// - The resolver ends every event in bounded time.
/// - The payee and the token take the payment (`ICustodyVault`). One that fails stays owed.
interface IEscape {
    /// @notice A record of the last state and its place in the tree.
    struct Exit {
        uint8 table; // type of the record: balance or holding
        uint32 slot;
        bytes32[] words; // the record: 2 words
        bytes32[] siblings; // 40, bottom up
    }

    /// @notice A deposit message of the inbox.
    struct Deposit {
        uint64 index; // place in the queue
        uint64 time; // L1 seconds
        uint64 blockNumber;
        bytes payload;
    }

    /* EVENTS */

    /// @notice A record was paid.
    /// @param owner account that the record belongs to.
    /// @param to where it was paid.
    event Exited(
        uint8 indexed table,
        uint32 indexed slot,
        address indexed owner,
        AssetId asset,
        address to,
        uint64 atoms
    );

    /// @notice A deposit went back.
    event Refunded(
        uint64 indexed index, address indexed owner, AssetId indexed asset, address to, uint64 atoms
    );

    /// @notice A payment inside `exitMany` failed; it stays owed.
    event ExitBlocked(uint8 indexed table, uint32 indexed slot);

    /// @notice A payment inside `refundMany` failed; it stays owed.
    event RefundBlocked(uint64 indexed index);

    /* ERRORS */

    /// @notice Records of this table are not paid.
    error NotPayable(uint8 table);
    /// @notice The record was paid before.
    error AlreadyPaid(uint8 table, uint32 slot);
    /// @notice The slot holds no record, or one that owes nothing.
    error NothingOwed(uint8 table, uint32 slot);
    error SimulatedAsset(AssetId asset);
    /// @notice The event has no result yet.
    error NotResolved(EventId eventId);
    /// @notice The deposit went back before.
    error AlreadyRefunded(uint64 index);
    /// @notice The last state consumed the message: it is in a balance, or in the outbox.
    error AlreadyConsumed(uint64 index, uint64 consumed);
    /// @notice The inbox has no such message at this index.
    error WrongMessage(uint64 index);
    /// @notice The header is not that of the batch of the last state.
    error WrongHeader(bytes32 given, bytes32 expected);
    /// @notice Too little gas is left to give the next payment its full share.
    error InsufficientGas(uint256 left, uint256 needed);
    /// @notice Only this contract calls it, from `exitMany` or `refundMany`.
    error OnlySelf(address caller);

    /* WRITES */

    /// @notice Pay one record. Reverts if it cannot be paid; a proof that does not hold reverts with an
    /// error of `libraries/RecordTree.sol`.
    function exit(Exit calldata proof) external;

    /// @notice Pay many records. One that fails, for whatever reason of its own, is skipped with
    /// `ExitBlocked` and stays owed. Each gets at most `PAYMENT_GAS`, and the call reverts rather than
    /// give one less.
    /// @return paid how many were paid.
    function exitMany(Exit[] calldata proofs) external returns (uint256 paid);

    /// @notice One payment of `exitMany`, in a frame of its own.
    function exitFromSelf(bytes32 stateRoot, Exit calldata proof) external;

    /// @notice Give a deposit back that the last state does not know.
    /// @param header header of the batch of the last final claim; anything if that is the genesis.
    /// @param message the deposit.
    function refund(IStateChain.Header calldata header, Deposit calldata message) external;

    /// @notice Give many deposits back, as `exitMany` pays records.
    /// @return paid how many went back.
    function refundMany(IStateChain.Header calldata header, Deposit[] calldata messages)
        external
        returns (uint256 paid);

    /// @notice One payment of `refundMany`, in a frame of its own.
    function refundFromSelf(uint64 consumed, Deposit calldata message) external;

    /* VIEWS */

    /// @notice Gas that one payment of `exitMany` or `refundMany` may use.
    // solhint-disable-next-line func-name-mixedcase
    function PAYMENT_GAS() external view returns (uint256);

    /// @notice State chain whose escape root counts.
    function chain() external view returns (address);

    /// @notice Vault that pays.
    function vault() external view returns (address);

    /// @notice Says who an owner is.
    function owners() external view returns (address);

    /// @notice Says what an asset is.
    function assets() external view returns (address);

    /// @notice Says what an event pays, and who resolves it.
    function listings() external view returns (address);

    /// @notice Says where an account wants to be paid.
    function redirects() external view returns (address);

    /// @notice Whether a record was paid.
    function isPaid(uint8 table, uint32 slot) external view returns (bool);

    /// @notice Whether a deposit went back.
    function isRefunded(uint64 index) external view returns (bool);
}
