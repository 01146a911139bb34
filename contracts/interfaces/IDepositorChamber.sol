// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AssetId, ClaimId} from "./Types.sol";

/// @title IDepositorChamber
/// @notice Where those whose money is in the vault veto a proposal, with the balances that a final state
/// shows. A governor opens a ballot for a proposal; the ballot pins the newest final claim of that
/// moment, and everything is proved against its root.
///
/// - weight of a balance = (free + locked) atoms * weight of its asset;
/// - total = sum over all weighted assets of the atoms that the zone owes * weight of the asset.
///
/// From `DELAY_PPM` of the total on a veto delays execution, at `BLOCK_PPM` it defeats the proposal.
///
/// Assumptions for safety:
/// - Final roots are right, and the zone keeps one balance record per slot.
/// - Weights follow values; they are set by the core class.
interface IDepositorChamber {
    /// @notice A ballot on one proposal of one governor.
    struct Ballot {
        ClaimId claim; // zero = there is no ballot
        bytes32 stateRoot;
        uint64 weighedAt; // seconds; weights are those of this moment, the second before it was opened
        uint16 assets; // that had a weight then
        uint16 provedAssets;
        uint256 total; // of the assets proved so far
        uint256 vetoed;
    }

    /// @notice One balance record of the caller.
    struct BalanceProof {
        uint32 slot;
        bytes32[] words;
        bytes32[] siblings; // 40, bottom up
    }

    /// @notice One asset record.
    struct AssetProof {
        AssetId asset;
        bytes32[] words;
        bytes32[] siblings; // 40, bottom up
    }

    /// @notice A weight to begin with.
    struct Weight {
        AssetId asset;
        uint128 weight; // value of an atom after its haircut, in 10^-18 of a reference unit
    }

    /* EVENTS */

    event WeightSet(AssetId indexed asset, uint128 before, uint128 weight);
    event BallotOpened(
        address indexed governor, uint256 indexed proposalId, ClaimId claim, uint16 assets
    );
    event AssetProved(
        address indexed governor, uint256 indexed proposalId, AssetId indexed asset, uint256 total
    );
    event Vetoed(
        address indexed governor,
        uint256 indexed proposalId,
        address indexed owner,
        uint256 weight,
        uint256 vetoed
    );

    /* ERRORS */

    error BallotExists(address governor, uint256 proposalId);
    error NoBallot(address governor, uint256 proposalId);
    /// @notice The asset had no weight when the ballot was opened.
    error NoWeight(AssetId asset);
    error AlreadyProved(AssetId asset);
    error AlreadyVetoed(uint32 slot);
    error NotActive(uint32 slot);
    /// @notice The record is another owner's.
    error NotOwner(address caller, address owner);
    error TooManyAssets(uint256 most);
    error Unchanged(AssetId asset, uint128 weight);

    /* WRITES */

    /// @notice Open a ballot for a proposal of the caller, which is a governor.
    function open(uint256 proposalId) external;

    /// @notice Add assets to the total of a ballot. Anyone may call.
    function proveAssets(address governor, uint256 proposalId, AssetProof[] calldata proofs)
        external;

    /// @notice Veto with balances of the caller.
    function veto(address governor, uint256 proposalId, BalanceProof[] calldata proofs) external;

    /// @notice Set the weight of an asset; 0 = it counts nothing. Only the core class.
    function setWeight(AssetId asset, uint128 weight) external;

    /* VIEWS */

    /// @notice Share of the total at which a veto delays, ppm.
    function DELAY_PPM() external view returns (uint256);

    /// @notice Share of the total at which a veto defeats, ppm.
    function BLOCK_PPM() external view returns (uint256);

    /// @notice Delay at `DELAY_PPM`, seconds.
    function LEAST_DELAY() external view returns (uint64);

    /// @notice Delay just below `BLOCK_PPM`, seconds.
    function MOST_DELAY() external view returns (uint64);

    /// @notice Assets with a weight that there may be.
    function MAX_ASSETS() external view returns (uint256);

    /// @notice A ballot.
    function ballotOf(address governor, uint256 proposalId) external view returns (Ballot memory);

    /// @notice Share of the total that vetoed, ppm, rounded down; 0 until every asset is proved.
    function sharePpm(address governor, uint256 proposalId) external view returns (uint256);

    /// @notice What the veto does now: whether the proposal is defeated, else how much longer it waits.
    function verdictOn(address governor, uint256 proposalId)
        external
        view
        returns (bool isDefeated, uint64 delay);

    /// @notice Whether a balance record has vetoed.
    function hasVetoed(address governor, uint256 proposalId, uint32 slot)
        external
        view
        returns (bool);

    /// @notice Whether an asset is part of a ballot's total.
    function isProved(address governor, uint256 proposalId, AssetId asset)
        external
        view
        returns (bool);

    /// @notice Weight of an asset.
    function weightOf(AssetId asset) external view returns (uint128);

    /// @notice Weight of an asset at a time, seconds.
    function weightAt(AssetId asset, uint256 timepoint) external view returns (uint128);

    /// @notice Assets that have or had a weight.
    function assetsOf() external view returns (AssetId[] memory);
}
