// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ICustodyVault} from "../interfaces/ICustodyVault.sol";
import {IRedirects} from "../interfaces/IRedirects.sol";
import {IStateChain} from "../interfaces/IStateChain.sol";
import {IWithdrawals} from "../interfaces/IWithdrawals.sol";
import {AssetId, ClaimId, MessageId} from "../interfaces/Types.sol";
import {RecordTree} from "../libraries/RecordTree.sol";
import {Records} from "../libraries/Records.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

/// @title Withdrawals
/// @notice Implements {IWithdrawals}, which says what it does, what it assumes and how it fails.
contract Withdrawals is IWithdrawals, ReentrancyGuardTransient {
    using BitMaps for BitMaps.BitMap;

    /* CONSTANTS */

    /// @inheritdoc IWithdrawals
    uint256 public constant PAYMENT_GAS = 500_000;
    /// @dev Gas for what stands around a payment in `withdrawMany`.
    uint256 private constant _RESERVE_GAS = 50_000;
    /// @dev The outbox kind of withdrawals (`tradezone/protocol/enums.py`).
    uint8 private constant _OUTBOX_WITHDRAWAL = 1;

    /* IMMUTABLES */

    /// @inheritdoc IWithdrawals
    address public immutable chain;
    /// @inheritdoc IWithdrawals
    address public immutable vault;
    /// @inheritdoc IWithdrawals
    address public immutable redirects;

    /* STORAGE */

    /// @dev Nullifiers: bit = message id.
    BitMaps.BitMap private _paid;

    /* CONSTRUCTOR */

    /// @param chain_ state chain whose final roots count.
    /// @param vault_ vault that pays, and that names this contract as its `withdrawals`.
    /// @param redirects_ where recipients say that they want to be paid elsewhere.
    constructor(IStateChain chain_, ICustodyVault vault_, IRedirects redirects_) {
        chain = address(chain_);
        vault = address(vault_);
        redirects = address(redirects_);
    }

    /* WRITES */

    /// @inheritdoc IWithdrawals
    function withdraw(ClaimId claim, Proof calldata proof) external nonReentrant {
        _pay(claim, IStateChain(chain).finalRootOf(claim), proof);
    }

    /// @inheritdoc IWithdrawals
    function withdrawMany(ClaimId claim, Proof[] calldata proofs)
        external
        nonReentrant
        returns (uint256 paid)
    {
        bytes32 stateRoot = IStateChain(chain).finalRootOf(claim);
        // A call may hand on 63/64 of the gas that is left, so this much leaves a payment its share.
        uint256 needed = (PAYMENT_GAS * 64) / 63 + _RESERVE_GAS;
        for (uint256 i = 0; i < proofs.length; i++) {
            if (gasleft() < needed) revert InsufficientGas(gasleft(), needed);
            try this.withdrawFromSelf{gas: PAYMENT_GAS}(claim, stateRoot, proofs[i]) {
                paid++;
            } catch {
                // The reason is not read: its length would be the failing party's to choose.
                emit WithdrawalBlocked(proofs[i].id);
            }
        }
    }

    /// @inheritdoc IWithdrawals
    function withdrawFromSelf(ClaimId claim, bytes32 stateRoot, Proof calldata proof) external {
        if (msg.sender != address(this)) revert OnlySelf(msg.sender);
        _pay(claim, stateRoot, proof);
    }

    /* VIEWS */

    /// @inheritdoc IWithdrawals
    function isPaid(MessageId id) external view returns (bool) {
        return _paid.get(MessageId.unwrap(id));
    }

    /* INTERNAL */

    function _pay(ClaimId claim, bytes32 stateRoot, Proof calldata proof) private {
        uint256 slot = MessageId.unwrap(proof.id);
        if (_paid.get(slot)) revert AlreadyPaid(proof.id);
        bytes32[] memory words = proof.words;
        RecordTree.verifyRecord(stateRoot, Records.TYPE_OUTBOX, slot, words, proof.siblings);
        Records.Outbox memory record = Records.decodeOutbox(words);
        if (record.kind != _OUTBOX_WITHDRAWAL) revert NotAWithdrawal(proof.id, record.kind);

        _paid.set(slot);
        AssetId asset = AssetId.wrap(record.asset);
        emit WithdrawalPaid(proof.id, asset, record.recipient, record.amount, claim);
        address to = IRedirects(redirects).payeeOf(record.recipient);
        ICustodyVault(vault).pay(asset, to, record.amount);
    }
}
