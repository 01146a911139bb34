// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAssetRegistry} from "../interfaces/IAssetRegistry.sol";
import {IEventResolver} from "../interfaces/IEventResolver.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {IListings} from "../interfaces/IListings.sol";
import {IMarketRegistry} from "../interfaces/IMarketRegistry.sol";
import {IProtocolLimits} from "../interfaces/IProtocolLimits.sol";
import {IVenueRegistry} from "../interfaces/IVenueRegistry.sol";
import {AssetId, EventId, MarketId, NO_EVENT, NO_MARKET, VenueId} from "../interfaces/Types.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";
import {ListingBounds} from "../libraries/ListingBounds.sol";
import {MarketTerms} from "../libraries/MarketTerms.sol";

/// @title Listings
/// @notice Implements {IListings}, which says what it does, what it assumes and how it fails.
contract Listings is IListings {
    /* CONSTANTS */

    uint8 private constant _OPEN = 1;
    uint8 private constant _SLOT_OUTCOME = 3;
    uint8 private constant _SLOT_SIMULATED = 4;
    uint64 private constant _MS = 1000;

    /* IMMUTABLES */

    /// @notice Queue that tells the zone of markets and events.
    IInbox public immutable inbox;
    /// @notice Knows who may list.
    IVenueRegistry public immutable venues;
    /// @notice Terms of the assets.
    IAssetRegistry public immutable assets;
    /// @inheritdoc IListings
    address public immutable markets;
    /// @inheritdoc IListings
    address public immutable limits;
    /// @inheritdoc IListings
    address public immutable resolver;
    /// @inheritdoc IListings
    uint32 public immutable maxEvents;

    /* STORAGE */

    /// @inheritdoc IListings
    uint32 public eventCount;
    mapping(EventId eventId => Event entry) private _events;

    /* CONSTRUCTOR */

    /// @param inbox_ queue of the zone.
    /// @param venues_ venue registry of the zone.
    /// @param assets_ asset registry of the zone.
    /// @param markets_ market registry of the zone.
    /// @param limits_ governed bounds; zero = the hard ones alone.
    /// @param resolver_ who resolves events; zero = none can be listed.
    /// @param maxEvents_ highest event id; below the capacity of the zone's table.
    constructor(
        IInbox inbox_,
        IVenueRegistry venues_,
        IAssetRegistry assets_,
        IMarketRegistry markets_,
        IProtocolLimits limits_,
        IEventResolver resolver_,
        uint32 maxEvents_
    ) {
        inbox = inbox_;
        venues = venues_;
        assets = assets_;
        markets = address(markets_);
        limits = address(limits_);
        resolver = address(resolver_);
        maxEvents = maxEvents_;
    }

    /* WRITES: THE VENUE'S DEPLOYER */

    /// @inheritdoc IListings
    function listSpot(SpotTerms calldata terms) external returns (MarketId market) {
        venues.requireLister(terms.venue, msg.sender);
        if (AssetId.unwrap(terms.base) == AssetId.unwrap(terms.quote)) {
            revert SameAsset(terms.base);
        }
        bool isSimulated = _requireAsset(terms.venue, terms.base);
        if (isSimulated != _requireAsset(terms.venue, terms.quote)) {
            revert NotSameKind(terms.base, terms.quote);
        }
        IMarketRegistry.Terms memory first = MarketTerms.ofSpot(terms);
        ListingBounds.requireSizes(
            InboxMessages.MARKET_SPOT, terms.lotSize, terms.tickValue, terms.maxPrice, first
        );
        ListingBounds.requireFees(first, ListingBounds.inForce(IProtocolLimits(limits)));
        IMarketRegistry.Market memory entry = IMarketRegistry.Market({
            venue: terms.venue,
            base: terms.base,
            quote: terms.quote,
            id: 0,
            home: NO_MARKET,
            eventId: NO_EVENT,
            kind: InboxMessages.MARKET_SPOT,
            stage: _OPEN,
            maxPrice: terms.maxPrice,
            lotSize: terms.lotSize,
            tickValue: terms.tickValue,
            startsAt: _start(terms.effectiveAt),
            slotKind: isSimulated ? _SLOT_SIMULATED : InboxMessages.MARKET_SPOT
        });
        (market, entry.id) = IMarketRegistry(markets).openMarket(entry, first);
        uint64 index =
            inbox.enqueue(InboxMessages.LIST_MARKET, InboxMessages.listSpot(market, entry, first));
        SpotTerms memory listed = terms;
        listed.effectiveAt = entry.startsAt;
        emit SpotListed(market, entry.id, terms.venue, listed, index);
    }

    /// @inheritdoc IListings
    function listEvent(EventTerms calldata terms, bytes calldata data)
        external
        payable
        returns (EventId eventId)
    {
        if (resolver == address(0)) revert NoResolver();
        venues.requireLister(terms.venue, msg.sender);
        if (eventCount >= maxEvents) revert EventsFull(maxEvents);
        bool isSimulated = _requireAsset(terms.venue, terms.asset);
        IMarketRegistry.Terms memory first = _requireEvent(terms);

        eventCount++;
        eventId = EventId.wrap(eventCount);
        Event memory entry = Event({
            venue: terms.venue,
            asset: terms.asset,
            outcomes: terms.outcomes,
            state: _OPEN,
            unit: terms.unit,
            firstMarket: MarketId.wrap(IMarketRegistry(markets).marketCount() + 1),
            voidPayouts: terms.voidPayouts,
            question: terms.question
        });
        _events[eventId] = entry;
        EventTerms memory listed = terms;
        listed.effectiveAt = _start(terms.effectiveAt);
        emit EventListed(
            eventId,
            terms.venue,
            terms.question,
            listed,
            inbox.enqueue(InboxMessages.LIST_EVENT, InboxMessages.listEvent(eventId, entry))
        );
        IMarketRegistry.Market memory market = IMarketRegistry.Market({
            venue: terms.venue,
            base: AssetId.wrap(0),
            quote: terms.asset,
            id: 0,
            home: NO_MARKET,
            eventId: eventId,
            kind: InboxMessages.MARKET_OUTCOME,
            stage: _OPEN,
            maxPrice: uint32(terms.unit / terms.tickValue - 1),
            lotSize: terms.unit,
            tickValue: terms.tickValue,
            startsAt: listed.effectiveAt,
            slotKind: isSimulated ? _SLOT_SIMULATED : _SLOT_OUTCOME
        });
        for (uint8 i = 0; i < _marketsOf(terms.outcomes); ++i) {
            _listOutcome(market, first, i);
        }
        IEventResolver(resolver).takeEvent{value: msg.value}(eventId, entry, data);
    }

    /// @inheritdoc IListings
    function listGuest(GuestTerms calldata terms) external returns (MarketId market) {
        venues.requireLister(terms.venue, msg.sender);
        IMarketRegistry.Market memory home = IMarketRegistry(markets).marketOf(terms.home);
        if (home.home != NO_MARKET || home.venue == terms.venue) {
            revert IMarketRegistry.NotAHome(terms.home);
        }
        // The zone would refuse a door to a market that is settled when it reads of it, and every listing
        // behind it. It settles perpetuals by itself, which nobody here can know.
        if (home.kind == InboxMessages.MARKET_PERP) revert NoDoorToPerpetual(terms.home);
        if (home.stage != _OPEN) revert IMarketRegistry.MarketIsClosing(terms.home, home.stage);
        if (!IMarketRegistry(markets).isShared(terms.home, terms.venue)) {
            revert NotShared(terms.home, terms.venue);
        }
        _requireAsset(terms.venue, home.quote);
        IMarketRegistry.Terms memory first = MarketTerms.ofGuest(terms.guestFee);
        ListingBounds.within("guestFee", terms.guestFee, 0, ListingBounds.MAX_GUEST_FEE);
        IMarketRegistry.Market memory entry = home;
        entry.venue = terms.venue;
        entry.home = terms.home;
        entry.startsAt = _start(terms.effectiveAt);
        (market, entry.id) = IMarketRegistry(markets).openMarket(entry, first);
        uint64 index =
            inbox.enqueue(InboxMessages.LIST_GUEST, InboxMessages.listGuest(market, entry, first));
        GuestTerms memory listed = terms;
        listed.effectiveAt = entry.startsAt;
        emit GuestListed(market, entry.id, terms.venue, listed, index);
    }

    /* WRITES: THE RESOLVER */

    /// @inheritdoc IListings
    function resolveEvent(EventId eventId, uint8 state, bytes32 payouts) external {
        if (msg.sender != resolver) revert NotResolver(msg.sender, resolver);
        Event storage entry = _events[eventId];
        if (entry.state == 0) revert UnknownEvent(eventId);
        if (entry.state != _OPEN) revert EventIsSettled(eventId, entry.state);
        if (state == InboxMessages.EVENT_RESOLVED) {
            ListingBounds.requirePayouts(payouts, entry.outcomes);
        } else if (state != InboxMessages.EVENT_VOID) {
            revert BadState(state);
        } else if (payouts != 0) {
            revert BadPayouts(payouts, entry.outcomes);
        }
        entry.state = state;
        uint64 index = inbox.enqueue(
            InboxMessages.RESOLUTION, InboxMessages.resolution(eventId, state, payouts)
        );
        emit EventResolved(eventId, state, payouts, index);
        IMarketRegistry(markets).closeMarkets(entry.firstMarket, _marketsOf(entry.outcomes));
    }

    /* VIEWS */

    /// @inheritdoc IListings
    function eventOf(EventId eventId) external view returns (Event memory) {
        if (_events[eventId].state == 0) revert UnknownEvent(eventId);
        return _events[eventId];
    }

    /* INTERNAL */

    /// @dev Check an asset and return whether it is simulated.
    function _requireAsset(VenueId venue, AssetId asset) private view returns (bool isSimulated) {
        if (!assets.isOpen(asset)) revert AssetNotOpen(asset);
        IAssetRegistry.Asset memory terms = assets.assetOf(asset);
        isSimulated = terms.kind == InboxMessages.ASSET_SIMULATED;
        if (isSimulated && terms.venue != venue) revert ForeignSimulatedAsset(asset, venue);
    }

    function _requireEvent(EventTerms calldata terms)
        private
        view
        returns (IMarketRegistry.Terms memory first)
    {
        ListingBounds.within("outcomes", terms.outcomes, 2, ListingBounds.MAX_OUTCOMES);
        ListingBounds.within("unit", terms.unit, 1, ListingBounds.MAX_NOTIONAL);
        ListingBounds.within("tickValue", terms.tickValue, 1, ListingBounds.MAX_TICK_VALUE);
        if (terms.unit % ListingBounds.PAYOUT_UNIT != 0 || terms.unit % terms.tickValue != 0) {
            revert BadUnit(terms.unit, terms.tickValue);
        }
        ListingBounds.requirePayouts(terms.voidPayouts, terms.outcomes);
        first = MarketTerms.ofEvent(terms);
        ListingBounds.requireSizes(
            InboxMessages.MARKET_OUTCOME,
            terms.unit,
            terms.tickValue,
            terms.unit / terms.tickValue - 1,
            first
        );
        ListingBounds.requireFees(first, ListingBounds.inForce(IProtocolLimits(limits)));
        ListingBounds.within("closes", terms.closes, 0, ListingBounds.MAX_TIME);
    }

    function _listOutcome(
        IMarketRegistry.Market memory entry,
        IMarketRegistry.Terms memory first,
        uint8 outcome
    ) private {
        MarketId market;
        (market, entry.id) = IMarketRegistry(markets).openMarket(entry, first);
        uint64 index = inbox.enqueue(
            InboxMessages.LIST_OUTCOME, InboxMessages.listOutcome(market, entry, first)
        );
        emit OutcomeListed(market, entry.id, entry.eventId, outcome, index);
    }

    /// @dev Markets of an event with so many outcomes.
    function _marketsOf(uint8 outcomes) private pure returns (uint8) {
        return outcomes == 2 ? 1 : outcomes;
    }

    /// @dev When trading starts: at once if the time has passed.
    function _start(uint64 effectiveAt) private view returns (uint64) {
        ListingBounds.within("effectiveAt", effectiveAt, 0, ListingBounds.MAX_TIME);
        return effectiveAt < _now() ? _now() : effectiveAt;
    }

    /// @dev L1's time, ms.
    function _now() private view returns (uint64) {
        return uint64(block.timestamp) * _MS;
    }
}
