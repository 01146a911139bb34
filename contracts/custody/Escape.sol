// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAssetRegistry} from "../interfaces/IAssetRegistry.sol";
import {ICustodyVault} from "../interfaces/ICustodyVault.sol";
import {IEscape} from "../interfaces/IEscape.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {IListings} from "../interfaces/IListings.sol";
import {IOutcomeResolver} from "../interfaces/IOutcomeResolver.sol";
import {IOwnerRegistry} from "../interfaces/IOwnerRegistry.sol";
import {IRedirects} from "../interfaces/IRedirects.sol";
import {IStateChain} from "../interfaces/IStateChain.sol";
import {AssetId, EventId, OwnerId} from "../interfaces/Types.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";
import {ListingBounds} from "../libraries/ListingBounds.sol";
import {RecordTree} from "../libraries/RecordTree.sol";
import {Records} from "../libraries/Records.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

/// @title Escape
/// @notice Implements {IEscape}, which says what it does, what it assumes and how it fails.
contract Escape is IEscape, ReentrancyGuardTransient {
    using BitMaps for BitMaps.BitMap;
    using SafeCast for uint256;

    /* CONSTANTS */

    /// @inheritdoc IEscape
    uint256 public constant PAYMENT_GAS = 500_000;
    /// @dev Gas for what stands around a payment of many.
    uint256 private constant _RESERVE_GAS = 50_000;
    /// @dev State of a record in use (`tradezone/protocol/enums.py`).
    uint8 private constant _ACTIVE = 1;
    /// @dev Bits of an outcome's fraction in a vector; outcome 0 has the highest.
    uint256 private constant _FRACTION_BITS = 16;

    /* IMMUTABLES */

    /// @inheritdoc IEscape
    address public immutable chain;
    /// @inheritdoc IEscape
    address public immutable vault;
    /// @inheritdoc IEscape
    address public immutable owners;
    /// @inheritdoc IEscape
    address public immutable assets;
    /// @inheritdoc IEscape
    address public immutable listings;
    /// @inheritdoc IEscape
    address public immutable redirects;

    /* STORAGE */

    /// @dev Nullifiers: bit = slot.
    mapping(uint8 table => BitMaps.BitMap paid) private _paid;
    /// @dev Nullifiers: bit = index of the message.
    BitMaps.BitMap private _refunded;

    /* CONSTRUCTOR */

    /// @param chain_ state chain whose escape root counts.
    /// @param vault_ vault that pays, and that names this contract as its `escape`.
    /// @param owners_ owner registry of the zone.
    /// @param assets_ asset registry of the zone.
    /// @param listings_ listings of the zone; their resolver, if any, is an `IOutcomeResolver`.
    /// @param redirects_ where accounts say that they want to be paid elsewhere.
    constructor(
        IStateChain chain_,
        ICustodyVault vault_,
        IOwnerRegistry owners_,
        IAssetRegistry assets_,
        IListings listings_,
        IRedirects redirects_
    ) {
        chain = address(chain_);
        vault = address(vault_);
        owners = address(owners_);
        assets = address(assets_);
        listings = address(listings_);
        redirects = address(redirects_);
    }

    /* WRITES */

    /// @inheritdoc IEscape
    function exit(Exit calldata proof) external nonReentrant {
        _exit(IStateChain(chain).escapeRoot(), proof);
    }

    /// @inheritdoc IEscape
    function exitMany(Exit[] calldata proofs) external nonReentrant returns (uint256 paid) {
        bytes32 stateRoot = IStateChain(chain).escapeRoot();
        for (uint256 i = 0; i < proofs.length; i++) {
            _requireGas();
            try this.exitFromSelf{gas: PAYMENT_GAS}(stateRoot, proofs[i]) {
                paid++;
            } catch {
                // The reason is not read: its length would be the failing party's to choose.
                emit ExitBlocked(proofs[i].table, proofs[i].slot);
            }
        }
    }

    /// @inheritdoc IEscape
    function exitFromSelf(bytes32 stateRoot, Exit calldata proof) external {
        if (msg.sender != address(this)) revert OnlySelf(msg.sender);
        _exit(stateRoot, proof);
    }

    /// @inheritdoc IEscape
    function refund(IStateChain.Header calldata header, Deposit calldata message)
        external
        nonReentrant
    {
        _refund(_consumed(header), message);
    }

    /// @inheritdoc IEscape
    function refundMany(IStateChain.Header calldata header, Deposit[] calldata messages)
        external
        nonReentrant
        returns (uint256 paid)
    {
        uint64 consumed = _consumed(header);
        for (uint256 i = 0; i < messages.length; i++) {
            _requireGas();
            try this.refundFromSelf{gas: PAYMENT_GAS}(consumed, messages[i]) {
                paid++;
            } catch {
                emit RefundBlocked(messages[i].index);
            }
        }
    }

    /// @inheritdoc IEscape
    function refundFromSelf(uint64 consumed, Deposit calldata message) external {
        if (msg.sender != address(this)) revert OnlySelf(msg.sender);
        _refund(consumed, message);
    }

    /* VIEWS */

    /// @inheritdoc IEscape
    function isPaid(uint8 table, uint32 slot) external view returns (bool) {
        return _paid[table].get(slot);
    }

    /// @inheritdoc IEscape
    function isRefunded(uint64 index) external view returns (bool) {
        return _refunded.get(index);
    }

    /* INTERNAL: RECORDS */

    function _exit(bytes32 stateRoot, Exit calldata proof) private {
        (uint8 table, uint32 slot) = (proof.table, proof.slot);
        if (table != Records.TYPE_BALANCE && table != Records.TYPE_HOLDING) {
            revert NotPayable(table);
        }
        if (_paid[table].get(slot)) revert AlreadyPaid(table, slot);
        bytes32[] memory words = proof.words;
        RecordTree.verifyRecord(stateRoot, table, slot, words, proof.siblings);
        (uint32 owner, AssetId asset, uint64 atoms) =
            table == Records.TYPE_BALANCE ? _readBalance(words) : _readHolding(words);
        if (atoms == 0) revert NothingOwed(table, slot);

        _paid[table].set(slot);
        address account = IOwnerRegistry(owners).ownerOf(OwnerId.wrap(owner));
        address to = IRedirects(redirects).payeeOf(account);
        emit Exited(table, slot, account, asset, to, atoms);
        _pay(asset, to, atoms);
    }

    function _readBalance(bytes32[] memory words)
        private
        pure
        returns (uint32 owner, AssetId asset, uint64 atoms)
    {
        Records.Balance memory record = Records.decodeBalance(words);
        if (record.state != _ACTIVE) return (0, AssetId.wrap(0), 0);
        return (record.owner, AssetId.wrap(record.asset), record.free + record.locked);
    }

    /// @dev One lot of Yes pays its outcome's fraction of the unit, one lot of No the rest of the unit.
    /// Units are multiples of PAYOUT_UNIT, so nothing rounds.
    function _readHolding(bytes32[] memory words)
        private
        view
        returns (uint32 owner, AssetId asset, uint64 atoms)
    {
        Records.Holding memory record = Records.decodeHolding(words);
        if (record.state != _ACTIVE) return (0, AssetId.wrap(0), 0);
        EventId eventId = EventId.wrap(record.group);
        IListings.Event memory terms = IListings(listings).eventOf(eventId);
        uint256 vector = _resultOf(eventId);
        uint256 fraction =
            (vector >> (256 - _FRACTION_BITS * (uint256(record.outcome) + 1))) & type(uint16).max;
        uint256 yes = terms.unit / ListingBounds.PAYOUT_UNIT * fraction;
        uint256 owed = record.yes * yes + record.no * (terms.unit - yes);
        return (record.owner, terms.asset, owed.toUint64());
    }

    function _resultOf(EventId eventId) private view returns (uint256 vector) {
        IOutcomeResolver.Phase phase;
        (phase, vector) = IOutcomeResolver(IListings(listings).resolver()).resultOf(eventId);
        if (phase != IOutcomeResolver.Phase.RESOLVED && phase != IOutcomeResolver.Phase.VOID) {
            revert NotResolved(eventId);
        }
    }

    /* INTERNAL: DEPOSITS */

    /// @dev Messages below this index are in the last state.
    function _consumed(IStateChain.Header calldata header) private view returns (uint64) {
        IStateChain(chain).escapeRoot(); // reverts unless escape is open
        uint64 batch = IStateChain(chain).claimOf(IStateChain(chain).latestFinal()).batch;
        if (batch == 0) return 0;
        bytes32 given = IStateChain(chain).hashHeader(header);
        bytes32 expected = IStateChain(chain).headerHashOf(batch);
        if (given != expected) revert WrongHeader(given, expected);
        return header.inboxIndex;
    }

    function _refund(uint64 consumed, Deposit calldata message) private {
        uint64 index = message.index;
        if (index < consumed) revert AlreadyConsumed(index, consumed);
        if (_refunded.get(index)) revert AlreadyRefunded(index);
        _requireMessage(message);
        (address account, AssetId asset, uint64 atoms) = InboxMessages.readDeposit(message.payload);

        _refunded.set(index);
        address to = IRedirects(redirects).payeeOf(account);
        emit Refunded(index, account, asset, to, atoms);
        _pay(asset, to, atoms);
    }

    /// @dev The inbox holds a deposit of these bytes at this index. Its sender is the vault: no other
    /// source may enqueue deposits.
    function _requireMessage(Deposit calldata message) private view {
        IInbox inbox = IInbox(IStateChain(chain).inbox());
        bytes32 messageHash = InboxMessages.hashMessage(
            InboxMessages.DEPOSIT,
            message.index,
            vault,
            message.time,
            message.blockNumber,
            message.payload
        );
        bytes32 prefix = InboxMessages.nextPrefix(inbox.prefixHash(message.index), messageHash);
        if (prefix != inbox.prefixHash(message.index + 1)) revert WrongMessage(message.index);
    }

    /* INTERNAL: OTHER */

    function _pay(AssetId asset, address to, uint64 atoms) private {
        if (IAssetRegistry(assets).assetOf(asset).kind == InboxMessages.ASSET_SIMULATED) {
            revert SimulatedAsset(asset);
        }
        ICustodyVault(vault).pay(asset, to, atoms);
    }

    /// @dev A call may hand on 63/64 of the gas that is left: so this much leaves a payment its share,
    /// and one that fails failed on its own account.
    function _requireGas() private view {
        uint256 needed = (PAYMENT_GAS * 64) / 63 + _RESERVE_GAS;
        if (gasleft() < needed) revert InsufficientGas(gasleft(), needed);
    }
}
