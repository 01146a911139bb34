// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IVenueRegistry} from "./IVenueRegistry.sol";
import {AssetId, CalendarId, EventId, MarketId, VenueId} from "./Types.sol";

/// @title IMarketRegistry
/// @notice Markets of venues: their ids, their terms, their end. What lists them is `IListings`.
/// docs/spec/venues.md has the rules and their
/// reasons. A deployer sets everything about a market inside bounds: those of
/// `tradezone/protocol/limits.py`, which nobody can move, and the governed ones of `IProtocolLimits`,
/// read when terms are set.
///
/// Everything the zone has to know becomes an inbox message at once; a message carries the time from
/// which it counts. What could harm a user by surprise counts `changeNotice` after it was sent, what ends
/// a market `closeNotice` after.
///
/// Kinds of markets are 1 = spot, 2 = perpetual, 3 = outcome.
/// A market of another venue's book is a *door*. Rates are parts per million (ppm), amounts atoms, times
/// of terms milliseconds, periods seconds.
///
/// Assumptions for safety: none for the money of users of other venues. The resolver tells the truth
/// about events.
///
/// Assumptions for liveness: the zone reads a message within `messageLag`. If it reads one later, two sets
/// of terms that were both announced may hold for different times than L1 says; L1 and zone agree again
/// with the next message.
interface IMarketRegistry {
    /// @notice Parameters, fixed by the constructor.
    struct Config {
        address inbox;
        address venues;
        address listings; // opens and closes markets here (`IListings`)
        address perps; // opens perpetuals here and bounds their terms (`IPerpRegistry`); zero = none are
        address calendars;
        address slots; // counts room for markets (`ISlots`)
        address limits; // governed bounds (`IProtocolLimits`); zero = the hard ones alone
        uint32 maxMarkets; // highest id; below the capacity of the zone's table
        uint64 changeNotice; // seconds; more than `messageLag`
        uint64 closeNotice; // seconds; at least `changeNotice`
        uint64 messageLag; // seconds within which the zone reads a message
    }

    /// @notice What never changes about a market, and where it stands.
    // It is packed: two words. The linter cannot size an id type.
    // solhint-disable-next-line gas-struct-packing
    struct Market {
        VenueId venue;
        AssetId base; // 0 for perpetuals and outcomes
        AssetId quote;
        uint32 id; // what users see: `venue << 16 | number in the venue`
        MarketId home; // of a door; 0 = a market with its own book
        EventId eventId; // of an outcome
        uint8 kind;
        uint8 stage; // 0 = none, 1 = open, 2 = closing for good, 3 = closed
        uint32 maxPrice; // ticks
        uint64 lotSize; // base atoms, or the unit of an event; 1 for perpetuals
        uint64 tickValue;
        uint64 startsAt; // ms
        uint8 slotKind;
    }

    /// @notice What may change about a market; a change sets all of it. Of a door only phase, access,
    /// calendar, guestFee and closes count; the rest is zero.
    // It is packed: three words. The linter cannot size an id type.
    // solhint-disable-next-line gas-struct-packing
    struct Terms {
        uint64 minNotional;
        uint64 maxNotional;
        uint64 maxLots;
        uint64 openInterestCap; // perpetuals and outcomes: quote atoms; 0 = none, of outcomes only
        uint64 accountCap; // perpetuals and outcomes: quote atoms; 0 = none
        uint64 closes; // ms; 0 = never
        int32 takerFee;
        int32 makerFee;
        uint32 protocolShare;
        uint32 insuranceShare;
        uint32 referrerShare; // ppm of the taker's fee
        uint32 guestFee;
        uint32 band; // ppm around the anchor or, of perpetuals, the index; 0 = none
        CalendarId calendar; // 0 = always open
        uint8 phase; // 1 continuous, 2 post-only, 3 cancel-only, 4 reduce-only, 5 halted, 6 settled
        uint8 access; // 0 = open, 1 = allow-list, 2 = credential; on top of the venue's rule
        uint8 takerDelay; // ms
        uint64 effectiveAt; // ms; 0 = as soon as it may
    }

    /* EVENTS */

    /// @notice A market gets other terms at `terms.effectiveAt`; 0 = when the zone reads it. What was
    /// announced before and is not in force yet is dropped.
    event MarketUpdated(
        MarketId indexed market, VenueId indexed venue, Terms before, Terms terms, uint64 inboxIndex
    );
    /// @notice A market is gone and its slot is free.
    event MarketClosed(MarketId indexed market, VenueId indexed venue);
    /// @notice A home market lets a venue open a door, or no longer; venue 0 = every venue.
    event SharingSet(MarketId indexed market, VenueId indexed guest, bool isAllowed);

    /* ERRORS */

    /// @notice A parameter of the constructor is missing or contradicts another one.
    error BadConfig(string parameter);
    error MarketsFull(uint32 maxMarkets);
    /// @notice A venue numbers its markets with 16 bits and never anew.
    error NumbersFull(VenueId venue);
    error UnknownMarket(MarketId market);
    error NotListings(address caller, address listings);
    /// @notice A term is outside its bounds (both inclusive).
    error OutOfBounds(string term, int256 given, int256 lowest, int256 highest);
    /// @notice A door leads to a market of another venue that has a book of its own.
    error NotAHome(MarketId market);
    /// @notice Markets of events end with their event.
    error EndsWithItsEvent(MarketId market, EventId eventId);
    error MarketIsClosing(MarketId market, uint8 stage);
    /// @notice Its end is announced for `from`, or not at all (0).
    error MarketNotOver(MarketId market, uint64 from);
    /// @notice The market stands on its slot.
    error SlotNotLost(MarketId market);
    error Unchanged(MarketId market);
    /// @notice The change could harm somebody who does not know of it: it counts from `earliest` on (ms).
    error NoticeTooShort(uint64 given, uint64 earliest);
    /// @notice What is announced comes into force too soon for the zone to read anything before it.
    error ChangeImminent(MarketId market, uint64 effectiveAt);
    /// @notice At once a market only becomes stricter; opening it takes notice: `updateMarket`.
    error NotStricter(uint8 phase, uint8 given);

    /* WRITES: CHANGES, BY THE VENUE'S DEPLOYER */

    /// @notice Set the terms of a market. What could harm a user by surprise needs `effectiveAt` so far
    /// ahead that `noticeFor` has passed; everything else counts at once.
    function updateMarket(MarketId market, Terms calldata terms) external;

    /// @notice Make a market stricter at once: post-only or reduce-only, then cancel-only or halted. What is
    /// announced stays announced, and is told to the zone once more, because a message drops it.
    function setPhase(MarketId market, uint8 phase) external;

    /// @notice Close a spot market, a perpetual or a door to any for good, `closeNotice` ahead at least. It cannot
    /// be called back.
    /// @param effectiveAt ms; 0 = as soon as it may.
    function delist(MarketId market, uint64 effectiveAt) external;

    /// @notice Let a venue open doors to a market, or no longer; doors that are open stay. Venue 0 means
    /// every venue.
    function setSharing(MarketId market, VenueId guest, bool isAllowed) external;

    /* WRITES: LISTINGS */

    /// @notice Give a market its ids and a free slot of its venue. Only listings and the registry of
    /// perpetuals, which tell the zone.
    /// @param entry all but `id`.
    /// @return market its slot in the zone.
    /// @return id what users see.
    function openMarket(Market calldata entry, Terms calldata first)
        external
        returns (MarketId market, uint32 id);

    /// @notice Markets of an event that ended are gone. Only listings.
    function closeMarkets(MarketId first, uint8 count) external;

    /* WRITES: ANYONE */

    /// @notice Free the slot of a market whose end has come, or of a door whose home is closed: the zone is told
    /// to close that one too.
    function forget(MarketId market) external;

    /// @notice Begin to close a spot market, a perpetual or a door that lost its slot.
    function delistLost(MarketId market) external;

    /* VIEWS */

    /// @notice Parameters.
    function config() external view returns (Config memory);

    /// @notice Market ids given out so far.
    function marketCount() external view returns (uint32);

    /// @notice Markets of a venue that are not closed.
    function openMarketsOf(VenueId venue) external view returns (uint16);

    /// @notice A market. Reverts with `UnknownMarket` if there is none.
    function marketOf(MarketId market) external view returns (Market memory);

    /// @notice Terms of a market in force now, as far as L1 knows, and those announced (`effectiveAt` is 0
    /// if there are none).
    function termsOf(MarketId market)
        external
        view
        returns (Terms memory inForce, Terms memory announced);

    /// @notice Notice that a change to these terms needs now, seconds.
    function noticeFor(MarketId market, Terms calldata terms) external view returns (uint64);

    /// @notice Id that users see of a market; 0 if there is none.
    function marketIdOf(MarketId market) external view returns (uint32);

    /// @notice Whether a venue may open a door to a market.
    function isShared(MarketId market, VenueId guest) external view returns (bool);

    /// @notice A venue, as the venue registry says: for contracts that ask one address for both.
    function venueOf(VenueId venue) external view returns (IVenueRegistry.Venue memory);
}
