// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AssetId, ClaimId, MessageId} from "./Types.sol";

/// @title IWithdrawals
/// @notice Turns withdrawal records of the zone's outbox into payments. Anyone may submit a proof;
/// only the recipient that the record names is paid, once, where it wants to be (`IRedirects`).
///
/// The nullifier is the message id: the slot of the record, which the proof binds and the zone never
/// uses twice. Neither another claim that holds the same record, nor another encoding of the call,
/// pays it again.
///
/// Assumptions for safety:
/// - A final root is right (`IStateChain`).
/// - The zone writes each outbox slot once.
///
/// Assumptions for liveness:
/// - The recipient and the token take the payment (`ICustodyVault`). One that fails stays claimable.
interface IWithdrawals {
    /// @notice An outbox record and its place in the tree.
    struct Proof {
        MessageId id; // slot of the record
        bytes32[] words; // the record: 2 words
        bytes32[] siblings; // 40, bottom up
    }

    /* EVENTS */

    /// @notice A withdrawal was paid.
    event WithdrawalPaid(
        MessageId indexed id,
        AssetId indexed asset,
        address indexed recipient,
        uint64 atoms,
        ClaimId claim
    );

    /// @notice A payment inside `withdrawMany` failed; it stays claimable.
    event WithdrawalBlocked(MessageId indexed id);

    /* ERRORS */

    /// @notice The withdrawal was paid before.
    error AlreadyPaid(MessageId id);
    /// @notice The outbox record is not a withdrawal.
    error NotAWithdrawal(MessageId id, uint8 kind);
    /// @notice Too little gas is left to give the next payment its full share.
    error InsufficientGas(uint256 left, uint256 needed);
    /// @notice Only this contract calls it, from `withdrawMany`.
    error OnlySelf(address caller);

    /* WRITES */

    /// @notice Pay one withdrawal. Reverts if it cannot be paid; a proof that does not hold reverts
    /// with an error of `libraries/RecordTree.sol`.
    /// @param claim a final claim whose state holds the record.
    /// @param proof the record and its proof.
    function withdraw(ClaimId claim, Proof calldata proof) external;

    /// @notice Pay many withdrawals. One that fails, for whatever reason of its own (bad proof, paid
    /// already, recipient or token refuses), is skipped with `WithdrawalBlocked` and stays claimable.
    /// Each gets at most `PAYMENT_GAS`, and the call reverts rather than give one less: so a blocked
    /// payment failed on its own account, and none can use up the gas of the others.
    /// @return paid how many were paid.
    function withdrawMany(ClaimId claim, Proof[] calldata proofs) external returns (uint256 paid);

    /// @notice One payment of `withdrawMany`, in a frame of its own.
    function withdrawFromSelf(ClaimId claim, bytes32 stateRoot, Proof calldata proof) external;

    /* VIEWS */

    /// @notice Gas that one payment of `withdrawMany` may use.
    // solhint-disable-next-line func-name-mixedcase
    function PAYMENT_GAS() external view returns (uint256);

    /// @notice State chain whose final roots count.
    function chain() external view returns (address);

    /// @notice Vault that pays.
    function vault() external view returns (address);

    /// @notice Says where a recipient wants to be paid.
    function redirects() external view returns (address);

    /// @notice Whether a withdrawal was paid.
    function isPaid(MessageId id) external view returns (bool);
}
