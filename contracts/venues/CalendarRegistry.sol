// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ICalendarRegistry} from "../interfaces/ICalendarRegistry.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {IMarketRegistry} from "../interfaces/IMarketRegistry.sol";
import {IProtocolLimits} from "../interfaces/IProtocolLimits.sol";
import {IVenueRegistry} from "../interfaces/IVenueRegistry.sol";
import {CalendarId, NO_CALENDAR, NO_VENUE, VenueId} from "../interfaces/Types.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";
import {ListingBounds} from "../libraries/ListingBounds.sol";

/// @title CalendarRegistry
/// @notice Implements {ICalendarRegistry}, which says what it does, what it assumes and how it fails.
contract CalendarRegistry is ICalendarRegistry {
    /* CONSTANTS */

    uint64 private constant _MS = 1000;
    /// @dev An update names a calendar with 16 bits.
    uint32 private constant _MAX_ID = type(uint16).max;

    /* IMMUTABLES */

    /// @notice Queue that tells the zone of calendars.
    IInbox public immutable inbox;
    /// @notice Knows whose a venue is.
    IVenueRegistry public immutable venues;
    /// @inheritdoc ICalendarRegistry
    address public immutable markets;
    /// @inheritdoc ICalendarRegistry
    address public immutable limits;
    /// @inheritdoc ICalendarRegistry
    uint32 public immutable maxCalendars;

    /* STORAGE */

    struct Calendar {
        VenueId venue;
        bytes32 week; // hash of the hours
        Closure[4] closures;
    }

    /// @inheritdoc ICalendarRegistry
    uint32 public calendarCount;
    mapping(CalendarId calendar => Calendar entry) private _calendars;

    /* CONSTRUCTOR */

    /// @param inbox_ queue of the zone.
    /// @param venues_ venue registry of the zone.
    /// @param markets_ market registry of the zone.
    /// @param limits_ governed bounds; zero = the hard ones alone.
    /// @param maxCalendars_ highest calendar id; below the capacity of the zone's calendar table.
    constructor(
        IInbox inbox_,
        IVenueRegistry venues_,
        IMarketRegistry markets_,
        IProtocolLimits limits_,
        uint32 maxCalendars_
    ) {
        if (maxCalendars_ > _MAX_ID) revert CalendarsFull(_MAX_ID);
        inbox = inbox_;
        venues = venues_;
        markets = address(markets_);
        limits = address(limits_);
        maxCalendars = maxCalendars_;
    }

    /* WRITES */

    /// @inheritdoc ICalendarRegistry
    function setCalendar(
        CalendarId calendar,
        VenueId venue,
        Session[7] calldata week,
        Closure[4] calldata closures
    ) external returns (CalendarId set) {
        venues.requireDeployer(venue, msg.sender);
        uint256 pause = ListingBounds.maxSessionPause(IProtocolLimits(limits));
        _requireWeek(week, pause);
        _requireClosures(closures, pause);
        bytes32 weekHash = keccak256(abi.encode(week));
        set = calendar;
        if (calendar == NO_CALENDAR) {
            if (calendarCount >= maxCalendars) revert CalendarsFull(maxCalendars);
            calendarCount++;
            set = CalendarId.wrap(calendarCount);
            _calendars[set].venue = venue;
            _calendars[set].week = weekHash;
        } else {
            Calendar storage entry = _calendars[calendar];
            if (entry.venue == NO_VENUE || entry.venue != venue) {
                revert UnknownCalendar(calendar, venue);
            }
            if (entry.week != weekHash) revert HoursAreFixed(calendar);
            if (keccak256(abi.encode(entry.closures)) == keccak256(abi.encode(closures))) {
                revert UnchangedCalendar(calendar);
            }
            uint64 time = uint64(block.timestamp) * _MS;
            uint64 notice = IMarketRegistry(markets).config().changeNotice * _MS;
            _requireNoticed(entry.closures, closures, time, time + notice);
        }
        for (uint256 i = 0; i < 4; ++i) {
            _calendars[set].closures[i] = closures[i];
        }
        uint64 index = inbox.enqueue(
            InboxMessages.SET_CALENDAR, InboxMessages.setCalendar(set, venue, week, closures)
        );
        emit CalendarSet(set, venue, week, closures, index);
    }

    /* VIEWS */

    /// @inheritdoc ICalendarRegistry
    function calendarOf(CalendarId calendar)
        external
        view
        returns (VenueId venue, Closure[4] memory closures)
    {
        return (_calendars[calendar].venue, _calendars[calendar].closures);
    }

    /// @inheritdoc ICalendarRegistry
    function venueOfCalendar(CalendarId calendar) external view returns (VenueId) {
        return _calendars[calendar].venue;
    }

    /* INTERNAL */

    /// @dev Revert unless the week has sessions that follow each other, none of them further from the
    /// last than `maxPause`.
    function _requireWeek(Session[7] calldata week, uint256 maxPause) private pure {
        uint256 last = 0; // minute at which the last session closed
        uint256 sessions = 0;
        uint256 longest = 0;
        for (uint256 n = 0; n < 14; ++n) {
            Session calldata session = week[n % 7];
            if (session.open == 0 && session.close == 0) continue;
            if (session.open >= session.close || session.close > 1440) {
                revert BadCalendar("week", n % 7);
            }
            uint256 opens = n * 1440 + session.open;
            if (sessions != 0 && opens - last > longest) longest = opens - last;
            last = n * 1440 + session.close;
            ++sessions;
        }
        ListingBounds.within("sessions", sessions, 1, 14);
        ListingBounds.within("pause", longest * 60, 0, maxPause);
    }

    /// @dev Revert unless closures are in order, at least a day apart, none longer than `maxPause`,
    /// with those that are none at the end.
    function _requireClosures(Closure[4] calldata closures, uint256 maxPause) private pure {
        uint256 earliest = 0;
        for (uint256 i = 0; i < 4; ++i) {
            Closure calldata closure = closures[i];
            if (closure.from == 0 && closure.to == 0) {
                earliest = type(uint256).max; // nothing may follow
                continue;
            }
            if (closure.from < earliest || closure.from >= closure.to) {
                revert BadCalendar("closures", i);
            }
            ListingBounds.within("closure", closure.to, closure.from, ListingBounds.MAX_TIME);
            ListingBounds.within("pause", (closure.to - closure.from + 999) / 1000, 0, maxPause);
            earliest = uint256(closure.to) + 1 days * 1000;
        }
    }

    /// @dev Revert with `ClosureTooSoon` unless every closure that is new, changed or gone begins at
    /// `earliest` or later. Those that are over (`time`) may go.
    /// @param time now, ms.
    /// @param earliest ms.
    function _requireNoticed(
        Closure[4] memory before,
        Closure[4] calldata next,
        uint64 time,
        uint64 earliest
    ) private pure {
        for (uint256 i = 0; i < 4; ++i) {
            if (before[i].to > time && before[i].from < earliest && !_has(next, before[i])) revert ClosureTooSoon(
                before[i].from, earliest
            );
            if (next[i].to != 0 && next[i].from < earliest && !_has(before, next[i])) {
                revert ClosureTooSoon(next[i].from, earliest);
            }
        }
    }

    function _has(Closure[4] memory closures, Closure memory one) private pure returns (bool) {
        for (uint256 i = 0; i < 4; ++i) {
            if (closures[i].from == one.from && closures[i].to == one.to) return true;
        }
        return false;
    }
}
