// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ICalendarRegistry} from "../interfaces/ICalendarRegistry.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {IMarketRegistry} from "../interfaces/IMarketRegistry.sol";
import {IPerpRegistry} from "../interfaces/IPerpRegistry.sol";
import {IProtocolLimits} from "../interfaces/IProtocolLimits.sol";
import {ISlots} from "../interfaces/ISlots.sol";
import {IVenueRegistry} from "../interfaces/IVenueRegistry.sol";
import {MarketId, NO_CALENDAR, NO_MARKET, NO_VENUE, VenueId} from "../interfaces/Types.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";
import {ListingBounds} from "../libraries/ListingBounds.sol";
import {MarketTerms} from "../libraries/MarketTerms.sol";

/// @title MarketRegistry
/// @notice Implements {IMarketRegistry}, which says what it does, what it assumes and how it fails.
contract MarketRegistry is IMarketRegistry {
    using MarketTerms for Terms;

    /* CONSTANTS */

    uint8 private constant _OPEN = 1;
    uint8 private constant _CLOSING = 2;
    uint8 private constant _CLOSED = 3;
    uint8 private constant _SLOT_LOST = 3;
    uint64 private constant _MS = 1000;
    /// @dev Nothing is announced further ahead than this, ms.
    uint64 private constant _MAX_AHEAD = 365 days * _MS;

    /* IMMUTABLES */

    IInbox private immutable _inbox;
    IVenueRegistry private immutable _venues;
    address private immutable _listings;
    IPerpRegistry private immutable _perps;
    ICalendarRegistry private immutable _calendars;
    ISlots private immutable _slots;
    IProtocolLimits private immutable _limits;
    uint32 private immutable _maxMarkets;
    uint64 private immutable _changeNotice;
    uint64 private immutable _closeNotice;
    uint64 private immutable _messageLag;

    /* STORAGE */

    /// @inheritdoc IMarketRegistry
    uint32 public marketCount;
    /// @inheritdoc IMarketRegistry
    mapping(VenueId venue => uint16 markets) public openMarketsOf;

    /// @dev Numbers that a venue has given to its markets.
    mapping(VenueId venue => uint16 numbers) private _numbers;
    mapping(MarketId market => Market entry) private _markets;
    mapping(MarketId market => Terms terms) private _terms;
    /// @dev Announced; `effectiveAt` is 0 if nothing is.
    mapping(MarketId market => Terms terms) private _announced;
    mapping(MarketId market => mapping(VenueId guest => bool isAllowed)) private _sharing;

    /* CONSTRUCTOR */

    /// @param config_ parameters.
    constructor(Config memory config_) {
        if (config_.changeNotice <= config_.messageLag) revert BadConfig("changeNotice");
        if (config_.closeNotice < config_.changeNotice) revert BadConfig("closeNotice");
        if (uint256(config_.closeNotice) * _MS > _MAX_AHEAD) revert BadConfig("closeNotice");
        _inbox = IInbox(config_.inbox);
        _venues = IVenueRegistry(config_.venues);
        _listings = config_.listings;
        _perps = IPerpRegistry(config_.perps);
        _calendars = ICalendarRegistry(config_.calendars);
        _slots = ISlots(config_.slots);
        _limits = IProtocolLimits(config_.limits);
        _maxMarkets = config_.maxMarkets;
        _changeNotice = config_.changeNotice;
        _closeNotice = config_.closeNotice;
        _messageLag = config_.messageLag;
    }

    /* WRITES: LISTINGS */

    /// @inheritdoc IMarketRegistry
    function openMarket(Market calldata entry, Terms calldata first)
        external
        returns (MarketId market, uint32 id)
    {
        if (msg.sender != address(_perps)) _requireListings();
        if (marketCount >= _maxMarkets) revert MarketsFull(_maxMarkets);
        uint16 number = _numbers[entry.venue];
        if (number == type(uint16).max) revert NumbersFull(entry.venue);
        _numbers[entry.venue] = ++number;
        marketCount++;
        openMarketsOf[entry.venue]++;
        market = MarketId.wrap(marketCount);
        id = (VenueId.unwrap(entry.venue) << 16) | number;
        _markets[market] = entry;
        _markets[market].id = id;
        _terms[market] = first;
        _slots.occupy(VenueId.unwrap(entry.venue), entry.slotKind, marketCount);
    }

    /// @inheritdoc IMarketRegistry
    function closeMarkets(MarketId first, uint8 count) external {
        _requireListings();
        for (uint32 i = 0; i < count; ++i) {
            MarketId market = MarketId.wrap(MarketId.unwrap(first) + i);
            _close(market, _markets[market].venue);
        }
    }

    /* WRITES: CHANGES */

    /// @inheritdoc IMarketRegistry
    function updateMarket(MarketId market, Terms calldata terms) external {
        Market memory entry = _marketOfDeployer(market);
        if (entry.stage != _OPEN) revert MarketIsClosing(market, entry.stage);
        Terms memory before = _roll(market);
        _requireNotImminent(market);
        _requireTerms(market, entry, terms);
        Terms memory changed = terms;
        changed.effectiveAt = _effectiveAt(terms.effectiveAt, _notice(entry, before, terms));
        if (changed.isSame(before) && _announced[market].effectiveAt == 0) {
            revert Unchanged(market);
        }
        _tell(market, entry.venue, before, changed);
    }

    /// @inheritdoc IMarketRegistry
    function setPhase(MarketId market, uint8 phase) external {
        Market memory entry = _marketOfDeployer(market);
        if (entry.stage == _CLOSED) revert MarketIsClosing(market, entry.stage);
        Terms memory before = _roll(market);
        if (before.phase == InboxMessages.PHASE_SETTLED) revert MarketIsClosing(market, _CLOSING);
        ListingBounds.within(
            "phase", phase, InboxMessages.PHASE_CONTINUOUS, InboxMessages.PHASE_HALTED
        );
        if (phase == before.phase) revert Unchanged(market);
        if (MarketTerms.strictness(phase) < MarketTerms.strictness(before.phase)) {
            revert NotStricter(before.phase, phase);
        }
        Terms memory announced = _announced[market];
        Terms memory changed = MarketTerms.copy(before);
        changed.phase = phase;
        changed.effectiveAt = 0;
        _tell(market, entry.venue, before, changed);
        if (announced.effectiveAt == 0) return;
        // What was announced comes all the same, but no laxer than the market is made now.
        if (MarketTerms.strictness(announced.phase) < MarketTerms.strictness(phase)) {
            announced.phase = phase;
        }
        _tell(market, entry.venue, changed, announced);
    }

    /// @inheritdoc IMarketRegistry
    function delist(MarketId market, uint64 effectiveAt) external {
        Market memory entry = _marketOfDeployer(market);
        _delist(market, entry, effectiveAt);
    }

    /// @inheritdoc IMarketRegistry
    function delistLost(MarketId market) external {
        Market memory entry = _marketAt(market);
        if (_slots.slotOf(MarketId.unwrap(market)).state != _SLOT_LOST) revert SlotNotLost(market);
        _delist(market, entry, 0);
    }

    /// @inheritdoc IMarketRegistry
    function setSharing(MarketId market, VenueId guest, bool isAllowed) external {
        Market memory entry = _marketOfDeployer(market);
        if (entry.home != NO_MARKET || guest == entry.venue) revert NotAHome(market);
        if (entry.stage != _OPEN) revert MarketIsClosing(market, entry.stage);
        if (_sharing[market][guest] == isAllowed) revert Unchanged(market);
        _sharing[market][guest] = isAllowed;
        emit SharingSet(market, guest, isAllowed);
    }

    /* WRITES: ANYONE */

    /// @inheritdoc IMarketRegistry
    function forget(MarketId market) external {
        Market memory entry = _marketAt(market);
        Terms memory inForce = _roll(market);
        uint64 from = _announced[market].effectiveAt;
        if (inForce.phase == InboxMessages.PHASE_SETTLED) {
            if (entry.stage != _CLOSING) revert MarketNotOver(market, from);
        } else {
            // A door goes with its home; the zone counts it until it is told.
            bool isOrphan = entry.home != NO_MARKET && _marketAt(entry.home).stage == _CLOSED;
            if (entry.stage == _CLOSED || !isOrphan) revert MarketNotOver(market, from);
            Terms memory settled = MarketTerms.copy(inForce);
            settled.phase = InboxMessages.PHASE_SETTLED;
            _tell(market, entry.venue, inForce, settled);
        }
        _close(market, entry.venue);
    }

    /* VIEWS */

    /// @inheritdoc IMarketRegistry
    function config() external view returns (Config memory) {
        return Config({
            inbox: address(_inbox),
            venues: address(_venues),
            listings: _listings,
            perps: address(_perps),
            calendars: address(_calendars),
            slots: address(_slots),
            limits: address(_limits),
            maxMarkets: _maxMarkets,
            changeNotice: _changeNotice,
            closeNotice: _closeNotice,
            messageLag: _messageLag
        });
    }

    /// @inheritdoc IMarketRegistry
    function marketOf(MarketId market) external view returns (Market memory) {
        return _marketAt(market);
    }

    /// @inheritdoc IMarketRegistry
    function termsOf(MarketId market)
        external
        view
        returns (Terms memory inForce, Terms memory announced)
    {
        _marketAt(market);
        inForce = _inForce(market);
        if (_announced[market].effectiveAt > _now()) announced = _announced[market];
    }

    /// @inheritdoc IMarketRegistry
    function noticeFor(MarketId market, Terms calldata terms) external view returns (uint64) {
        return _notice(_marketAt(market), _inForce(market), terms);
    }

    /// @inheritdoc IMarketRegistry
    function marketIdOf(MarketId market) external view returns (uint32) {
        return _markets[market].id;
    }

    /// @inheritdoc IMarketRegistry
    function isShared(MarketId market, VenueId guest) public view returns (bool) {
        return _sharing[market][NO_VENUE] || _sharing[market][guest];
    }

    /// @inheritdoc IMarketRegistry
    function venueOf(VenueId venue) external view returns (IVenueRegistry.Venue memory) {
        return _venues.venueOf(venue);
    }

    /* INTERNAL: CHANGES */

    function _delist(MarketId market, Market memory entry, uint64 effectiveAt) private {
        if (entry.home == NO_MARKET && entry.kind == InboxMessages.MARKET_OUTCOME) {
            revert EndsWithItsEvent(market, entry.eventId);
        }
        if (entry.stage != _OPEN) revert MarketIsClosing(market, entry.stage);
        Terms memory before = _roll(market);
        _requireNotImminent(market);
        Terms memory changed = MarketTerms.copy(before);
        changed.phase = InboxMessages.PHASE_SETTLED;
        changed.effectiveAt = _effectiveAt(effectiveAt, _hasNotStarted(entry) ? 0 : _closeNotice);
        _markets[market].stage = _CLOSING;
        _tell(market, entry.venue, before, changed);
    }

    function _requireTerms(MarketId market, Market memory entry, Terms calldata terms)
        private
        view
    {
        ListingBounds.Bounds memory bounds = ListingBounds.inForce(_limits);
        bool isDoor = entry.home != NO_MARKET;
        if (isDoor) {
            ListingBounds.requireDoor(terms);
        } else {
            ListingBounds.requireSizes(
                entry.kind, entry.lotSize, entry.tickValue, entry.maxPrice, terms
            );
            ListingBounds.requireFees(terms, bounds);
        }
        if (entry.kind == InboxMessages.MARKET_PERP && !isDoor) {
            _perps.requireTerms(market, entry, terms);
        } else {
            ListingBounds.requireRest(entry.kind, isDoor, terms, bounds);
        }
        if (
            terms.calendar != NO_CALENDAR
                && _calendars.venueOfCalendar(terms.calendar) != entry.venue
        ) revert ICalendarRegistry.UnknownCalendar(terms.calendar, entry.venue);
    }

    /// @dev Notice that a change from `before` to `terms` needs, seconds.
    function _notice(Market memory entry, Terms memory before, Terms memory terms)
        private
        view
        returns (uint64)
    {
        if (_hasNotStarted(entry)) return 0;
        if (MarketTerms.canHarm(before, terms)) return _changeNotice;
        bool isLaxer = MarketTerms.strictness(terms.phase) < MarketTerms.strictness(before.phase);
        return isLaxer ? _messageLag : 0;
    }

    /// @dev Whether the zone reads what is sent now before anybody trades.
    function _hasNotStarted(Market memory entry) private view returns (bool) {
        return entry.startsAt > _now() + _messageLag * _MS;
    }

    /// @dev The time that a change asks for, if it leaves so much notice (seconds); 0 = at once.
    function _effectiveAt(uint64 asked, uint64 notice) private view returns (uint64) {
        uint64 earliest = _now() + notice * _MS;
        if (asked == 0) return notice == 0 ? 0 : earliest;
        ListingBounds.within("effectiveAt", asked, 0, _now() + _MAX_AHEAD);
        if (notice != 0 && asked < earliest) revert NoticeTooShort(asked, earliest);
        return asked <= _now() ? 0 : asked;
    }

    /// @dev A message that replaces an announced change must be read before that comes into force.
    function _requireNotImminent(MarketId market) private view {
        uint64 at = _announced[market].effectiveAt;
        if (at != 0 && at <= _now() + _messageLag * _MS) revert ChangeImminent(market, at);
    }

    /// @dev Write a change down and tell the zone of it.
    function _tell(MarketId market, VenueId venue, Terms memory before, Terms memory changed)
        private
    {
        if (changed.effectiveAt == 0) {
            _terms[market] = changed;
            delete _announced[market];
        } else {
            _announced[market] = changed;
        }
        uint64 index = _inbox.enqueue(
            InboxMessages.UPDATE_MARKET, InboxMessages.updateMarket(market, changed)
        );
        emit MarketUpdated(market, venue, before, changed, index);
    }

    /// @dev Let an announced change whose time has come take its place; returns what is in force.
    function _roll(MarketId market) private returns (Terms memory inForce) {
        inForce = _inForce(market);
        uint64 at = _announced[market].effectiveAt;
        if (at == 0 || at > _now()) return inForce;
        _terms[market] = inForce;
        delete _announced[market];
    }

    function _inForce(MarketId market) private view returns (Terms memory inForce) {
        uint64 at = _announced[market].effectiveAt;
        inForce = at != 0 && at <= _now() ? _announced[market] : _terms[market];
        inForce.effectiveAt = 0;
    }

    /// @dev A market is gone: in the zone too, by the message that settled it.
    function _close(MarketId market, VenueId venue) private {
        _markets[market].stage = _CLOSED;
        delete _announced[market];
        openMarketsOf[venue]--;
        _slots.release(MarketId.unwrap(market));
        emit MarketClosed(market, venue);
    }

    function _requireListings() private view {
        if (msg.sender != _listings) revert NotListings(msg.sender, _listings);
    }

    function _marketAt(MarketId market) private view returns (Market memory entry) {
        entry = _markets[market];
        if (entry.stage == 0) revert UnknownMarket(market);
    }

    function _marketOfDeployer(MarketId market) private view returns (Market memory entry) {
        entry = _marketAt(market);
        _venues.requireDeployer(entry.venue, msg.sender);
    }

    /// @dev L1's time, ms.
    function _now() private view returns (uint64) {
        return uint64(block.timestamp) * _MS;
    }
}
