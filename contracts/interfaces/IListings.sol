// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AssetId, EventId, MarketId, VenueId} from "./Types.sol";

/// @title IListings
/// @notice Lists markets of venues, and events. docs/spec/venues.md has the rules and their reasons. Terms
/// obey the bounds of `tradezone/protocol/limits.py`, which nobody can move, and the governed ones of
/// `IProtocolLimits`, read at that moment. What is listed becomes inbox messages in the same call.
///
/// Perpetuals are listed by `IPerpRegistry`. Kinds of markets are 1 = spot, 2 = perpetual, 3 = outcome.
/// Rates are parts per million (ppm), amounts atoms, times milliseconds.
///
/// Assumptions for safety: none for the money of users of other venues. The resolver tells the truth
/// about events.
interface IListings {
    /// @notice Terms of a spot market.
    struct SpotTerms {
        VenueId venue;
        AssetId base;
        AssetId quote;
        uint64 lotSize; // base atoms of one lot
        uint64 tickValue; // quote atoms of one tick of one lot
        uint64 minNotional; // quote atoms an order must reach at entry
        uint64 maxNotional; // quote atoms an order may reach
        uint64 maxLots; // largest order
        uint32 maxPrice; // ticks
        int32 takerFee; // ppm of notional
        int32 makerFee; // ppm of notional; negative = rebate
        uint32 protocolShare; // ppm of every fee
        uint32 insuranceShare; // ppm of every fee
        uint8 takerDelay; // ms
        uint64 effectiveAt; // ms; trading starts then, or at once if it has passed
    }

    /// @notice Terms of an event and of its markets: one market if it has two outcomes, else one each.
    // Calldata only: nothing is packed. The linter cannot know.
    // solhint-disable-next-line gas-struct-packing
    struct EventTerms {
        VenueId venue;
        AssetId asset; // pays for everything
        uint8 outcomes; // 2 .. 16
        uint64 unit; // atoms that one lot of the outcome that comes true pays; a multiple of 10,000
        bytes32 voidPayouts; // 16 bits an outcome, outcome 0 in the highest; sum 10,000
        bytes32 question; // keccak256 of the text that says what is asked and how it is decided
        uint64 tickValue; // atoms; divides the unit
        uint64 minNotional;
        uint64 maxNotional;
        uint64 maxLots;
        int32 takerFee;
        int32 makerFee;
        uint32 protocolShare;
        uint32 insuranceShare;
        uint8 takerDelay;
        uint64 effectiveAt; // ms
        uint64 closes; // ms; no new orders from then on; 0 = never
    }

    /// @notice Terms of a door.
    struct GuestTerms {
        VenueId venue; // that opens it
        MarketId home; // whose book it leads to
        uint32 guestFee; // ppm of notional, on top of the home's fees
        uint64 effectiveAt; // ms
    }

    /// @notice An event.
    struct Event {
        VenueId venue;
        AssetId asset;
        uint8 outcomes;
        uint8 state; // 0 = none, 1 = open, 2 = resolved, 3 = void
        uint64 unit;
        MarketId firstMarket; // its markets have this id and those behind it
        bytes32 voidPayouts;
        bytes32 question;
    }

    /* EVENTS */

    /// @notice A spot market was listed.
    /// @param market slot in the zone.
    /// @param id what users see: `venue << 16 | number in the venue`.
    /// @param terms as listed; `effectiveAt` is the time that counts.
    event SpotListed(
        MarketId indexed market,
        uint32 indexed id,
        VenueId indexed venue,
        SpotTerms terms,
        uint64 inboxIndex
    );
    event GuestListed(
        MarketId indexed market,
        uint32 indexed id,
        VenueId indexed venue,
        GuestTerms terms,
        uint64 inboxIndex
    );
    event EventListed(
        EventId indexed eventId,
        VenueId indexed venue,
        bytes32 indexed question,
        EventTerms terms,
        uint64 inboxIndex
    );
    event OutcomeListed(
        MarketId indexed market,
        uint32 indexed id,
        EventId indexed eventId,
        uint8 outcome,
        uint64 inboxIndex
    );
    event EventResolved(EventId indexed eventId, uint8 state, bytes32 payouts, uint64 inboxIndex);

    /* ERRORS */

    error EventsFull(uint32 maxEvents);
    error UnknownEvent(EventId eventId);
    /// @notice The asset does not exist or is closed.
    error AssetNotOpen(AssetId asset);
    error SameAsset(AssetId asset);
    /// @notice A market is of real assets, or of simulated ones of its own venue.
    error NotSameKind(AssetId base, AssetId quote);
    /// @notice A simulated asset is traded on its own venue only.
    error ForeignSimulatedAsset(AssetId asset, VenueId venue);
    /// @notice A unit is a multiple of 10,000 and of the tick.
    error BadUnit(uint64 unit, uint64 tickValue);
    /// @notice Payouts of the outcomes that there are sum to 10,000, the others are zero.
    error BadPayouts(bytes32 payouts, uint8 outcomes);
    /// @notice The zone has nobody who resolves events.
    error NoResolver();
    error NotResolver(address caller, address resolver);
    error EventIsSettled(EventId eventId, uint8 state);
    error BadState(uint8 state);
    /// @notice The zone may have settled a perpetual already, and would refuse the door.
    error NoDoorToPerpetual(MarketId home);
    /// @notice The home market shares its book with nobody, or not with this venue.
    error NotShared(MarketId home, VenueId guest);

    /* WRITES: THE VENUE'S DEPLOYER */

    /// @notice List a spot market in a free slot of the venue.
    /// @return market the new market's slot.
    function listSpot(SpotTerms calldata terms) external returns (MarketId market);

    /// @notice List an event with all its markets, each in a free slot of the venue. The value goes to the
    /// resolver.
    /// @param data what the resolver wants to know besides.
    function listEvent(EventTerms calldata terms, bytes calldata data)
        external
        payable
        returns (EventId eventId);

    /// @notice Open a door to a market that another venue shares, in a free slot of the venue.
    function listGuest(GuestTerms calldata terms) external returns (MarketId market);

    /* WRITES: THE RESOLVER */

    /// @notice End an event: its markets are settled.
    /// @param state 2 = resolved, 3 = void.
    /// @param payouts as `EventTerms.voidPayouts`; zero for void.
    function resolveEvent(EventId eventId, uint8 state, bytes32 payouts) external;

    /* VIEWS */

    /// @notice Market registry of the zone.
    function markets() external view returns (address);

    /// @notice Governed bounds; zero = the hard ones alone.
    function limits() external view returns (address);

    /// @notice Who resolves events; zero = none can be listed.
    function resolver() external view returns (address);

    /// @notice Highest event id that can be given out.
    function maxEvents() external view returns (uint32);

    /// @notice Event ids given out so far.
    function eventCount() external view returns (uint32);

    /// @notice An event. Reverts with `UnknownEvent` if there is none.
    function eventOf(EventId eventId) external view returns (Event memory);
}
