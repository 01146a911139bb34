// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CalendarId, VenueId} from "./Types.sol";

/// @title ICalendarRegistry
/// @notice Trading hours of venues. docs/spec/venues.md has the rules and their reasons. A calendar's hours
/// stay; closures come and go with notice. A market takes another calendar by an update, with notice.
///
/// Assumptions: those of the market registry, whose notice and message lag count here.
interface ICalendarRegistry {
    /// @notice Trading hours of a day, UTC: `open <= minute < close`; both 0 = closed.
    struct Session {
        uint16 open; // minute of the day
        uint16 close; // at most 1440
    }

    /// @notice A time without session; both 0 = none.
    struct Closure {
        uint64 from; // ms
        uint64 to; // ms
    }

    /* EVENTS */

    event CalendarSet(
        CalendarId indexed calendar,
        VenueId indexed venue,
        Session[7] week,
        Closure[4] closures,
        uint64 inboxIndex
    );

    /* ERRORS */

    error CalendarsFull(uint32 maxCalendars);
    /// @notice The venue has no such calendar.
    error UnknownCalendar(CalendarId calendar, VenueId venue);
    /// @notice Nothing would change.
    error UnchangedCalendar(CalendarId calendar);
    /// @notice A closure that is new or gone begins at `earliest` or later (ms).
    error ClosureTooSoon(uint64 from, uint64 earliest);
    /// @notice Hours of a calendar stay; list another one and move markets to it with notice.
    error HoursAreFixed(CalendarId calendar);
    /// @notice Sessions of a day, or closures one after the other, are out of order.
    error BadCalendar(string part, uint256 index);

    /* WRITES */

    /// @notice Set a calendar of a venue.
    /// @param calendar 0 = a new one; else only closures change, with notice for each that is new or gone.
    function setCalendar(
        CalendarId calendar,
        VenueId venue,
        Session[7] calldata week,
        Closure[4] calldata closures
    ) external returns (CalendarId set);

    /* VIEWS */

    /// @notice Market registry of the zone.
    function markets() external view returns (address);

    /// @notice Governed bounds; zero = the hard ones alone.
    function limits() external view returns (address);

    /// @notice Highest calendar id that can be given out; at most 2^16 - 1.
    function maxCalendars() external view returns (uint32);

    /// @notice Calendar ids given out so far.
    function calendarCount() external view returns (uint32);

    /// @notice Venue and closures of a calendar; venue 0 = there is none.
    function calendarOf(CalendarId calendar)
        external
        view
        returns (VenueId venue, Closure[4] memory closures);

    /// @notice Venue of a calendar; 0 = there is none.
    function venueOfCalendar(CalendarId calendar) external view returns (VenueId);
}
