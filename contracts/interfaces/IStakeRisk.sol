// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AssetId, VenueId} from "./Types.sol";

/// @title IStakeRisk
/// @notice How much open interest a venue's stake carries: what stands behind the venue, times
/// STAKE_MULTIPLE, at most VENUE_OPEN_INTEREST, shared out by its deployer over the assets that its
/// perpetuals settle in, at a governed price of the stake. The zone admits no order that opens more.
/// docs/spec/venues.md has the rules and their reasons.
///
/// A simulated asset carries as much as the zone can count: nobody can be harmed in it.
///
/// Assumptions for safety:
/// - Governance keeps prices near those of the market: an open interest is as well covered as its price is right.
/// - Somebody calls `tell` when stake or price has fallen.
interface IStakeRisk {
    /// @notice Parameters, fixed by the constructor.
    struct Config {
        address inbox;
        address venues;
        address staking;
        address assets;
        address perps; // opens ledgers
        address limits; // `IProtocolLimits`; zero = the values that it begins with
        address governance; // sets prices
    }

    /// @notice A ledger of the zone.
    struct Ledger {
        bool isOpen;
        uint32 share; // ppm of what the venue's stake carries
        uint64 told; // atoms of open interest, as the zone was told last
    }

    /* EVENTS */

    event PriceSet(AssetId indexed asset, uint64 before, uint64 price);
    event LedgerOpened(VenueId indexed venue, AssetId indexed asset, uint32 share);
    event ShareSet(VenueId indexed venue, AssetId indexed asset, uint32 before, uint32 share);
    /// @notice The zone was told what open interest the stake carries.
    event RiskTold(
        VenueId indexed venue, AssetId indexed asset, uint64 before, uint64 cap, uint64 inboxIndex
    );

    /* ERRORS */

    error NotPerps(address caller, address perps);
    error NotGovernance(address caller, address governance);
    error NoLedger(VenueId venue, AssetId asset);
    error LedgerIsOpen(VenueId venue, AssetId asset);
    error Unchanged(VenueId venue, AssetId asset);
    /// @notice Shares of a venue sum to at most a million.
    error SharesTooLarge(VenueId venue, uint256 sum);
    /// @notice The stake of simulated assets has no price.
    error NoStakeNeeded(AssetId asset);
    /// @notice A price is above zero, and at most half as much away from the one before.
    error BadPrice(AssetId asset, uint64 price, uint64 lowest, uint64 highest);
    /// @notice The price changed a short while ago.
    error Cooling(AssetId asset, uint64 until);

    /* WRITES: PERPETUALS */

    /// @notice The zone has a new ledger. The first of a venue gets its whole stake. Only the registry of perpetuals.
    function openLedger(VenueId venue, AssetId asset) external;

    /* WRITES: THE VENUE'S DEPLOYER */

    /// @notice Give a ledger another part of what the stake carries; the zone is told at once.
    /// @param share ppm; those of all ledgers of the venue sum to at most a million.
    function setShare(VenueId venue, AssetId asset, uint32 share) external;

    /* WRITES: GOVERNANCE */

    /// @notice Set what a whole coin of stake (10^18 wei) counts for.
    /// @param price atoms of the asset.
    function setPrice(AssetId asset, uint64 price) external;

    /* WRITES: ANYONE */

    /// @notice Tell the zone what the stake carries now, if it is not what it was told last.
    function tell(VenueId venue, AssetId asset) external;

    /* VIEWS */

    /// @notice Parameters.
    function config() external view returns (Config memory);

    /// @notice Time between two changes of one price, seconds.
    function COOLDOWN() external view returns (uint64);

    /// @notice Atoms of an asset that a whole coin of stake counts for; 0 = none was set.
    function priceOf(AssetId asset) external view returns (uint64);

    /// @notice When a price was set last, seconds; 0 = never.
    function pricedAt(AssetId asset) external view returns (uint64);

    /// @notice A ledger; all zero if the zone has none.
    function ledgerOf(VenueId venue, AssetId asset) external view returns (Ledger memory);

    /// @notice Sum of the shares of a venue's ledgers, ppm.
    function sharesOf(VenueId venue) external view returns (uint32);

    /// @notice Open interest in an asset that the stake behind a venue carries now, atoms.
    function capOf(VenueId venue, AssetId asset) external view returns (uint64);

    /// @notice Open interest that the stake behind a venue carries in all, wei of the native coin.
    function carriedBy(VenueId venue) external view returns (uint256);
}
