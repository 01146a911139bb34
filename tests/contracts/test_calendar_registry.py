"""Calendars: hours that stay, closures that come and go with notice, pauses that end."""

import pytest

from scripts._deployment import DAY, NOBODY
from tests.contracts.driver import reverts
from tests.contracts.governed import impersonate
from tests.contracts.markets import NO_CLOSURES, WEEK, stake_for_venues
from tradezone.protocol import limits, messages

NOTICE = 3 * DAY
MAX_SESSION_PAUSE = 15
NONE = (0, 0)


@pytest.fixture
def calendars(zone):
    return zone.calendars


@pytest.fixture
def calendar(calendars, venue, alice):
    return calendars.setCalendar(0, 1, WEEK, NO_CLOSURES, sender=alice).return_value


def closed(start: int, days: int = 1) -> tuple[int, int]:
    """A closure that begins at an L1 time."""
    return (start * 1000, (start + days * DAY) * 1000)


def four(*closures) -> list[tuple[int, int]]:
    return [*closures, *NO_CLOSURES][:4]


def test_a_calendar_is_told_field_by_field(zone, calendars, venue, alice, clock):
    week = [(60 * day, 60 * day + 600) for day in range(1, 8)]
    closures = [closed(clock.time + 10 * DAY * n) for n in range(1, 5)]
    before = zone.inbox.count()
    receipt = calendars.setCalendar(0, 1, week, closures, sender=alice)
    assert receipt.return_value == calendars.calendarCount() == 1
    message = zone.messages()[-1]
    assert message.kind == messages.SET_CALENDAR
    expected = {"calendar": 1, "venue": 1}
    for day, (opens, closes) in enumerate(week):
        expected |= {f"open{day}": opens, f"close{day}": closes}
    for n, (begin, end) in enumerate(closures):
        expected |= {f"from{n}": begin, f"to{n}": end}
    assert zone.body(before) == expected
    assert calendars.venueOfCalendar(1) == 1
    assert [tuple(c) for c in calendars.calendarOf(1)[1]] == closures


def test_hours_stay_and_closures_need_notice(zone, calendars, calendar, alice, clock):
    with reverts(calendars.HoursAreFixed, calendar=1):
        calendars.setCalendar(1, 1, [(0, 1440)] * 7, NO_CLOSURES, sender=alice)
    with reverts(calendars.UnchangedCalendar, calendar=1):
        calendars.setCalendar(1, 1, WEEK, NO_CLOSURES, sender=alice)
    start = clock.time + 100
    earliest = start + NOTICE
    clock.set_next(start)
    values = {"from": (earliest - 1) * 1000, "earliest": earliest * 1000}
    with reverts(calendars.ClosureTooSoon, **values):
        calendars.setCalendar(1, 1, WEEK, four(closed(earliest - 1)), sender=alice)
    clock.set_next(start + 1)
    calendars.setCalendar(1, 1, WEEK, four(closed(earliest + 1)), sender=alice)
    # It cannot be taken back or moved once it is near, and can be dropped when it is over.
    clock.set_next(start + 100)
    with reverts(calendars.ClosureTooSoon):
        calendars.setCalendar(1, 1, WEEK, NO_CLOSURES, sender=alice)
    with reverts(calendars.ClosureTooSoon):
        calendars.setCalendar(1, 1, WEEK, four(closed(earliest + 1, 2)), sender=alice)
    with reverts(calendars.ClosureTooSoon):
        calendars.setCalendar(1, 1, WEEK, four(closed(earliest + 1 + 9 * DAY)), sender=alice)
    later = four(closed(earliest + 1), closed(earliest + 1 + 9 * DAY))
    calendars.setCalendar(1, 1, WEEK, later, sender=alice)
    clock.set_next(earliest + 1 + DAY)
    calendars.setCalendar(1, 1, WEEK, four(later[1]), sender=alice)


def test_only_the_venues_deployer_sets_its_calendars(zone, calendars, calendar, alice, bob):
    values = {"caller": bob.address, "deployer": alice.address}
    for number in (0, 1):
        with reverts(zone.venue_registry.NotDeployer, **values):
            calendars.setCalendar(number, 1, WEEK, NO_CLOSURES, sender=bob)
    stake_for_venues(zone, bob)
    zone.venue_registry.createVenue("second", 0, sender=bob)
    for number in (1, 2):
        with reverts(calendars.UnknownCalendar, calendar=number, venue=2):
            calendars.setCalendar(number, 2, WEEK, NO_CLOSURES, sender=bob)


@pytest.mark.parametrize(
    ("week", "day"),
    [
        ([(600, 600), *[(1, 2)] * 6], 0),
        ([(1, 2)] * 6 + [(600, 599)], 6),
        ([(1, 2), (0, 1441), *[(1, 2)] * 5], 1),
        ([(1, 2), (5, 0), *[(1, 2)] * 5], 1),
    ],
)
def test_sessions_begin_before_they_end(calendars, venue, alice, week, day):
    with reverts(calendars.BadCalendar, part="week", index=day):
        calendars.setCalendar(0, 1, week, NO_CLOSURES, sender=alice)


def test_a_week_has_a_session(calendars, venue, alice):
    with reverts(calendars.OutOfBounds, term="sessions", given=0, lowest=1, highest=14):
        calendars.setCalendar(0, 1, [NONE] * 7, NO_CLOSURES, sender=alice)
    calendars.setCalendar(0, 1, [*[NONE] * 6, (0, 1440)], NO_CLOSURES, sender=alice)


def test_closures_are_in_order_and_apart(calendars, venue, alice, clock):
    start = clock.time + 10 * DAY
    first = closed(start)
    for bad, index in (
        ([first, closed(start + 2 * DAY - 1), NONE, NONE], 1),
        ([closed(start + 9 * DAY), first, NONE, NONE], 1),
        ([NONE, first, NONE, NONE], 1),
        ([(first[0], first[0]), NONE, NONE, NONE], 0),
        ([(first[1], first[0]), NONE, NONE, NONE], 0),
    ):
        with reverts(calendars.BadCalendar, part="closures", index=index):
            calendars.setCalendar(0, 1, WEEK, bad, sender=alice)
    end = limits.MAX_TIME + 1
    values = {"term": "closure", "given": end, "lowest": end - 1000, "highest": limits.MAX_TIME}
    with reverts(calendars.OutOfBounds, **values):
        calendars.setCalendar(0, 1, WEEK, four((end - 1000, end)), sender=alice)
    calendars.setCalendar(0, 1, WEEK, four(first, closed(start + 2 * DAY)), sender=alice)


def test_governance_bounds_the_time_without_session(governed, alice, chain, clock):
    calendars = governed.calendars
    stake_for_venues(governed, alice)
    governed.venue_registry.createVenue("alpha", 0, sender=alice)
    weekend = (2 * 24 * 60 + 16 * 60) * 60  # Friday 17:00 to Monday 09:00
    timelock = impersonate(chain, governed.governance.timelock("parameter"))
    governed.governance.limits.set(MAX_SESSION_PAUSE, weekend, sender=timelock)
    calendars.setCalendar(0, 1, WEEK, NO_CLOSURES, sender=alice)
    longer = [*WEEK[:4], (540, 1019), NONE, NONE]
    values = {"term": "pause", "given": weekend + 60, "lowest": 0, "highest": weekend}
    with reverts(calendars.OutOfBounds, **values):
        calendars.setCalendar(0, 1, longer, NO_CLOSURES, sender=alice)
    begin = (clock.time + 10 * DAY) * 1000
    values |= {"given": weekend + 1}
    with reverts(calendars.OutOfBounds, **values):
        closures = four((begin, begin + weekend * 1000 + 1))
        calendars.setCalendar(0, 1, WEEK, closures, sender=alice)
    calendars.setCalendar(0, 1, WEEK, four((begin, begin + weekend * 1000)), sender=alice)


def test_calendar_ids_have_an_end(zone, calendars, project, deployer, venue, alice):
    arguments = (zone.inbox, zone.venue_registry, zone.market_registry, NOBODY)
    full = deployer.deploy(project.CalendarRegistry, *arguments, 0)
    with reverts(full.CalendarsFull, maxCalendars=0):
        full.setCalendar(0, 1, WEEK, NO_CLOSURES, sender=alice)
    with reverts(full.CalendarsFull, maxCalendars=2**16 - 1):
        deployer.deploy(project.CalendarRegistry, *arguments, 2**16)
