// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDepositorChamber} from "../interfaces/IDepositorChamber.sol";
import {IOwnerRegistry} from "../interfaces/IOwnerRegistry.sol";
import {IStateChain} from "../interfaces/IStateChain.sol";
import {AssetId, NO_CLAIM, OwnerId} from "../interfaces/Types.sol";
import {RecordTree} from "../libraries/RecordTree.sol";
import {Records} from "../libraries/Records.sol";
import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

/// @title DepositorChamber
/// @notice Implements {IDepositorChamber}, which says what it does, what it assumes and how it fails.
contract DepositorChamber is IDepositorChamber, AccessManaged {
    using BitMaps for BitMaps.BitMap;
    using Checkpoints for Checkpoints.Trace208;
    using SafeCast for uint256;

    /* CONSTANTS */

    /// @inheritdoc IDepositorChamber
    uint256 public constant DELAY_PPM = 10_000;
    /// @inheritdoc IDepositorChamber
    uint256 public constant BLOCK_PPM = 100_000;
    /// @inheritdoc IDepositorChamber
    uint64 public constant LEAST_DELAY = 5 days;
    /// @inheritdoc IDepositorChamber
    uint64 public constant MOST_DELAY = 45 days;
    /// @inheritdoc IDepositorChamber
    uint256 public constant MAX_ASSETS = 64;
    uint256 private constant _PPM = 1_000_000;
    /// @dev State of a balance record that is in use (`tradezone/protocol/enums.py`).
    uint8 private constant _ACTIVE = 1;

    /* IMMUTABLES */

    /// @notice Whose final roots count.
    IStateChain public immutable chain;
    /// @notice Knows the addresses of owners.
    IOwnerRegistry public immutable owners;

    /* STORAGE */

    AssetId[] private _assets;
    /// @dev How many assets had a weight, by time.
    Checkpoints.Trace208 private _weighted;
    mapping(AssetId asset => Checkpoints.Trace208 weights) private _weights;
    mapping(bytes32 key => Ballot ballot) private _ballots;
    /// @dev Nullifiers of a ballot: bit = slot of the balance record.
    mapping(bytes32 key => BitMaps.BitMap slots) private _spent;
    /// @dev Bit = asset that is part of the total.
    mapping(bytes32 key => BitMaps.BitMap assets) private _proved;

    /* CONSTRUCTOR */

    /// @param authority_ access manager.
    /// @param chain_ whose final roots count.
    /// @param owners_ knows the addresses of owners.
    /// @param weights weights to begin with.
    constructor(
        address authority_,
        IStateChain chain_,
        IOwnerRegistry owners_,
        Weight[] memory weights
    ) AccessManaged(authority_) {
        chain = chain_;
        owners = owners_;
        for (uint256 i = 0; i < weights.length; ++i) {
            _setWeight(weights[i].asset, weights[i].weight);
        }
    }

    /* WRITES */

    /// @inheritdoc IDepositorChamber
    function open(uint256 proposalId) external {
        Ballot storage ballot = _ballots[_key(msg.sender, proposalId)];
        if (ballot.claim != NO_CLAIM) revert BallotExists(msg.sender, proposalId);
        ballot.claim = chain.latestFinal();
        ballot.stateRoot = chain.finalRootOf(ballot.claim);
        // One second before: in this one weights may still change.
        ballot.weighedAt = uint64(block.timestamp) - 1;
        ballot.assets = uint16(_weighted.upperLookupRecent(uint48(ballot.weighedAt)));
        emit BallotOpened(msg.sender, proposalId, ballot.claim, ballot.assets);
    }

    /// @inheritdoc IDepositorChamber
    function proveAssets(address governor, uint256 proposalId, AssetProof[] calldata proofs)
        external
    {
        bytes32 key = _key(governor, proposalId);
        Ballot storage ballot = _ballotAt(governor, proposalId);
        bytes32 stateRoot = ballot.stateRoot;
        for (uint256 i = 0; i < proofs.length; ++i) {
            AssetId asset = proofs[i].asset;
            uint256 slot = AssetId.unwrap(asset);
            if (_proved[key].get(slot)) revert AlreadyProved(asset);
            uint256 weight = _weightIn(ballot, asset);
            bytes32[] memory words = proofs[i].words;
            RecordTree.verifyRecord(stateRoot, Records.TYPE_ASSET, slot, words, proofs[i].siblings);
            _proved[key].set(slot);
            ballot.provedAssets++;
            ballot.total += weight * Records.decodeAsset(words).total;
            emit AssetProved(governor, proposalId, asset, ballot.total);
        }
    }

    /// @inheritdoc IDepositorChamber
    function veto(address governor, uint256 proposalId, BalanceProof[] calldata proofs) external {
        bytes32 key = _key(governor, proposalId);
        Ballot storage ballot = _ballotAt(governor, proposalId);
        uint256 weight = 0;
        for (uint256 i = 0; i < proofs.length; ++i) {
            uint32 slot = proofs[i].slot;
            if (_spent[key].get(slot)) revert AlreadyVetoed(slot);
            _spent[key].set(slot);
            weight += _weigh(ballot, proofs[i]);
        }
        ballot.vetoed += weight;
        emit Vetoed(governor, proposalId, msg.sender, weight, ballot.vetoed);
    }

    /// @inheritdoc IDepositorChamber
    function setWeight(AssetId asset, uint128 weight) external restricted {
        _setWeight(asset, weight);
    }

    /* VIEWS */

    /// @inheritdoc IDepositorChamber
    function ballotOf(address governor, uint256 proposalId) external view returns (Ballot memory) {
        return _ballots[_key(governor, proposalId)];
    }

    /// @inheritdoc IDepositorChamber
    function sharePpm(address governor, uint256 proposalId) public view returns (uint256) {
        Ballot storage ballot = _ballots[_key(governor, proposalId)];
        if (ballot.total == 0 || ballot.provedAssets < ballot.assets) return 0;
        return (ballot.vetoed * _PPM) / ballot.total;
    }

    /// @inheritdoc IDepositorChamber
    function verdictOn(address governor, uint256 proposalId)
        external
        view
        returns (bool isDefeated, uint64 delay)
    {
        uint256 share = sharePpm(governor, proposalId);
        if (share >= BLOCK_PPM) return (true, MOST_DELAY);
        if (share < DELAY_PPM) return (false, 0);
        uint256 more = (MOST_DELAY - LEAST_DELAY) * (share - DELAY_PPM) / (BLOCK_PPM - DELAY_PPM);
        return (false, LEAST_DELAY + uint64(more));
    }

    /// @inheritdoc IDepositorChamber
    function hasVetoed(address governor, uint256 proposalId, uint32 slot)
        external
        view
        returns (bool)
    {
        return _spent[_key(governor, proposalId)].get(slot);
    }

    /// @inheritdoc IDepositorChamber
    function isProved(address governor, uint256 proposalId, AssetId asset)
        external
        view
        returns (bool)
    {
        return _proved[_key(governor, proposalId)].get(AssetId.unwrap(asset));
    }

    /// @inheritdoc IDepositorChamber
    function weightOf(AssetId asset) public view returns (uint128) {
        return uint128(_weights[asset].latest());
    }

    /// @inheritdoc IDepositorChamber
    function weightAt(AssetId asset, uint256 timepoint) public view returns (uint128) {
        return uint128(_weights[asset].upperLookupRecent(timepoint.toUint48()));
    }

    /// @inheritdoc IDepositorChamber
    function assetsOf() external view returns (AssetId[] memory) {
        return _assets;
    }

    /* INTERNAL */

    function _key(address governor, uint256 proposalId) private pure returns (bytes32) {
        return keccak256(abi.encode(governor, proposalId));
    }

    function _ballotAt(address governor, uint256 proposalId)
        private
        view
        returns (Ballot storage ballot)
    {
        ballot = _ballots[_key(governor, proposalId)];
        if (ballot.claim == NO_CLAIM) revert NoBallot(governor, proposalId);
    }

    /// @dev Weight of an asset as of the ballot; an asset without one has no part in it.
    function _weightIn(Ballot storage ballot, AssetId asset) private view returns (uint256 weight) {
        weight = weightAt(asset, ballot.weighedAt);
        if (weight == 0) revert NoWeight(asset);
    }

    /// @dev Weight of one balance record, which must be the caller's.
    function _weigh(Ballot storage ballot, BalanceProof calldata proof)
        private
        view
        returns (uint256)
    {
        bytes32[] memory words = proof.words;
        RecordTree.verifyRecord(
            ballot.stateRoot, Records.TYPE_BALANCE, proof.slot, words, proof.siblings
        );
        Records.Balance memory record = Records.decodeBalance(words);
        if (record.state != _ACTIVE) revert NotActive(proof.slot);
        address owner = owners.ownerOf(OwnerId.wrap(record.owner));
        if (owner != msg.sender) revert NotOwner(msg.sender, owner);
        return
            _weightIn(ballot, AssetId.wrap(record.asset)) * (uint256(record.free) + record.locked);
    }

    function _setWeight(AssetId asset, uint128 weight) private {
        Checkpoints.Trace208 storage history = _weights[asset];
        uint128 before = weightOf(asset);
        if (weight == before) revert Unchanged(asset, weight);
        if (history.length() == 0) {
            if (_assets.length == MAX_ASSETS) revert TooManyAssets(MAX_ASSETS);
            _assets.push(asset);
        }
        uint208 count = _weighted.latest();
        if (before == 0) ++count;
        if (weight == 0) --count;
        _weighted.push(uint48(block.timestamp), count);
        history.push(uint48(block.timestamp), weight);
        emit WeightSet(asset, before, weight);
    }
}
