// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IMarketRegistry} from "./IMarketRegistry.sol";
import {FeedId} from "./OracleTypes.sol";
import {AssetId, CalendarId, MarketId, VenueId} from "./Types.sol";

/// @title IPerpRegistry
/// @notice Perpetuals of venues: their listing, the parameters that only they have, their approval for cross
/// pools. Their ids, slots, terms and end are the market registry's, as those of every market.
/// docs/spec/venues.md has the rules and their reasons, docs/spec/perps.md what the zone does with them.
///
/// Bounds are those of `tradezone/protocol/limits.py`, which nobody can move, and the governed ones of
/// `IProtocolLimits`, read when something is set. What the zone would refuse is refused here, so both
/// keep counting alike.
///
/// Rates are parts per million (ppm) or per thousand million (ppb), amounts atoms of the quote asset, times
/// of terms milliseconds, periods seconds.
///
/// Assumptions for safety: none for the money of users of other venues.
interface IPerpRegistry {
    /// @notice Parameters, fixed by the constructor.
    struct Config {
        address inbox;
        address venues;
        address assets;
        address markets;
        address calendars;
        address oracles;
        address risk; // sizes open interest by stake (`IStakeRisk`)
        address rules; // bounds of everything that is set (`IPerpRules`)
        address approver; // approves markets for cross pools
    }

    /// @notice A slice of notional and its rates.
    struct Tier {
        uint64 lower; // atoms of notional; the first is 0
        uint32 imr; // initial margin, ppm
        uint32 mmr; // maintenance margin, ppm
    }

    /// @notice What `SET_PERP` changes; a change sets all of it.
    // Calldata and storage in the order of the message. The linter cannot size a tier.
    // solhint-disable-next-line gas-struct-packing
    struct Parameters {
        uint32 fundingCap; // ppb an hour
        uint32 interest; // ppb of 8 h
        uint64 impactNotional; // atoms
        uint32 bandListing; // ppm around the index, while the market is new
        uint32 bandBasis; // ppm around the index and its average basis, later
        uint64 oiLower; // atoms of open interest from which margins rise
        uint64 oiUpper; // atoms at which nothing can be opened with borrowed money
        uint64 lossCap; // atoms a day that the insurance fund may spend on this market
        Tier[4] tiers; // unused ones, behind the others, are zero
    }

    /// @notice Terms of a perpetual at its listing.
    // Calldata only: nothing is packed.
    // solhint-disable-next-line gas-struct-packing
    struct PerpTerms {
        VenueId venue;
        AssetId quote; // settles everything
        FeedId feed; // of the same venue
        uint64 feedScale; // units of the feed (10^-8) in one tick
        uint64 tickValue; // atoms of one tick of one lot
        uint64 minNotional;
        uint64 maxNotional;
        uint64 maxLots;
        uint32 maxPrice; // ticks
        int32 takerFee; // ppm
        int32 makerFee; // ppm; negative = rebate
        uint32 protocolShare; // ppm of every fee
        uint32 insuranceShare; // ppm of every fee, to the fund behind the venue's wall
        uint8 takerDelay; // ms
        CalendarId calendar; // 0 = always open
        uint32 band; // ppm around the index: no order beyond it, ever
        uint64 openInterestCap; // atoms
        uint64 accountCap; // atoms; 0 = none
        uint64 closes; // ms; 0 = never
        uint64 effectiveAt; // ms; trading starts then, or at once if it has passed
        Parameters parameters;
    }

    /// @notice What never changes about a perpetual besides what the market registry keeps, and its state.
    // It is packed: one word. The linter cannot size an id type.
    // solhint-disable-next-line gas-struct-packing
    struct Perp {
        FeedId feed;
        uint64 feedScale;
        bool isCounted; // among those that count against the zone's bounds
        uint32 weight; // ppm of profit that counts in cross pools; 0 until approved
        bool isCross;
        uint64 raisedAt; // when parameters last raised maintenance, seconds
        uint64 readyAt; // when announced parameters may be applied, seconds; 0 = none are
    }

    /* EVENTS */

    /// @notice A perpetual was listed.
    /// @param terms as listed; `effectiveAt` is the time that counts.
    event PerpListed(
        MarketId indexed market,
        uint32 indexed id,
        VenueId indexed venue,
        PerpTerms terms,
        uint64 inboxIndex
    );
    /// @notice Parameters are announced: from `readyAt` on (seconds) anyone may apply them.
    event ParametersAnnounced(MarketId indexed market, Parameters parameters, uint64 readyAt);
    event ParametersCancelled(MarketId indexed market);
    /// @notice The zone was told of parameters.
    event ParametersSet(
        MarketId indexed market, Parameters before, Parameters parameters, uint64 inboxIndex
    );
    /// @notice The zone was asked to let a market into cross pools. It looks at its own state and may refuse.
    event CrossApproved(MarketId indexed market, uint32 before, uint32 weight, uint64 inboxIndex);
    /// @notice A closed perpetual no longer counts.
    event PerpUncounted(MarketId indexed market);

    /* ERRORS */

    error NotAPerp(MarketId market);
    /// @notice The asset does not exist, or is closed.
    error AssetNotOpen(AssetId asset);
    /// @notice A simulated asset is traded on its own venue only.
    error ForeignSimulatedAsset(AssetId asset, VenueId venue);
    /// @notice The feed is another venue's.
    error ForeignFeed(FeedId feed, VenueId venue);
    /// @notice So many perpetuals are open in the zone.
    error PerpsFull(uint256 most);
    /// @notice So many perpetuals of the venue settle in the asset.
    error LedgerFull(VenueId venue, AssetId asset, uint256 most);
    /// @notice Maintenance would rise by more than a quarter at this notional.
    error RisesTooMuch(MarketId market, uint64 notional);
    /// @notice Maintenance has just risen; it may rise again from `from` on (seconds).
    error RiseTooSoon(MarketId market, uint64 from);
    /// @notice The bands do not fit into the market's outer band, now or as announced.
    error BandTooNarrow(MarketId market, uint32 band, uint32 widest);
    error NothingAnnounced(MarketId market);
    error NotReady(MarketId market, uint64 readyAt);
    error NotApprover(address caller, address approver);
    /// @notice Approval needs a market 30 d old and a feed of three providers at least.
    error NotEligible(MarketId market, string reason);
    error StillOpen(MarketId market);

    /* WRITES: THE VENUE'S DEPLOYER */

    /// @notice List a perpetual in a free slot of the venue. The first of a venue in an asset opens its ledger,
    /// whose open interest the stake then bounds (`IStakeRisk`).
    /// @return market the new market's slot.
    function listPerp(PerpTerms calldata terms) external returns (MarketId market);

    /// @notice Announce parameters of a perpetual; they may be applied after `changeNotice`. They replace what
    /// was announced before. Before the market starts they are told at once.
    function setParameters(MarketId market, Parameters calldata parameters) external;

    /// @notice Take back what is announced.
    function cancelParameters(MarketId market) external;

    /* WRITES: THE APPROVER */

    /// @notice Let a market into cross pools, where `weight` of its profit counts for others; or change the weight.
    /// @param weight ppm, at most 800,000.
    function approveCross(MarketId market, uint32 weight) external;

    /* WRITES: ANYONE */

    /// @notice Apply announced parameters whose time has come.
    function applyParameters(MarketId market) external;

    /// @notice Count a perpetual no longer whose market is closed.
    function uncount(MarketId market) external;

    /* VIEWS */

    /// @notice Parameters of this contract.
    function config() external view returns (Config memory);

    /// @notice A perpetual. Reverts with `NotAPerp` if the market is none.
    function perpOf(MarketId market) external view returns (Perp memory);

    /// @notice Parameters in force, and those announced (`readyAt` of the perpetual is 0 if there are none).
    function parametersOf(MarketId market)
        external
        view
        returns (Parameters memory inForce, Parameters memory announced);

    /// @notice Perpetuals that count, of the zone.
    function perpCount() external view returns (uint32);

    /// @notice Perpetuals that count, of a venue in an asset.
    function perpsOf(VenueId venue, AssetId asset) external view returns (uint32);

    /// @notice Whether the zone has a ledger of a venue in an asset: one of its perpetuals settled in it.
    function hasLedger(VenueId venue, AssetId asset) external view returns (bool);

    /// @notice Revert unless the market registry may give a perpetual these terms.
    function requireTerms(
        MarketId market,
        IMarketRegistry.Market calldata entry,
        IMarketRegistry.Terms calldata terms
    ) external view;
}
