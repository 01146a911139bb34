"""Worked examples of the chapters once more, with the step executor beside model and compiled engine.

Those that are chosen are about what a single step must get right: self-trade prevention, fill or kill, caps, sessions,
restarts, bands, updates. With TRADEZONE_FUZZ=1 all of them are run, but for those of many thousand steps.
"""

from __future__ import annotations

import inspect
import os

import pytest

from tests.engine import test_model_chapters, test_model_orders
from tests.engine.stepped import SteppedZone
from tests.model.world import (
    World,
    act,
    add_funds,
    add_owner,
    build_world,
    list_event,
    list_outcome,
    place_item,
    tell,
    update_market,
)
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.enums import BUY, SELL, TIF_FOK, TIF_IOC, TIF_POST_ONLY
from tradezone.protocol.errors import Code

IS_FUZZING = os.environ.get("TRADEZONE_FUZZ") == "1"
CHOSEN = ("stp", "fok", "cap", "restart", "gap", "band", "update", "delisted", "resolution", "door")
TOO_LONG = ("8192", "256", "1000", "overflow", "quota", "balances_cannot")
FIXTURES = {"zone", "world", "event", "race"}


def find_examples():
    """Worked examples that need no parameters but a zone or a world."""
    found = {}
    for module in (test_model_orders, test_model_chapters):
        for name, function in vars(module).items():
            if not name.startswith("test_") or not inspect.isfunction(function):
                continue
            if any(word in name for word in TOO_LONG):
                continue
            if IS_FUZZING or any(word in name for word in CHOSEN):
                needs = set(inspect.signature(function).parameters)
                if needs <= FIXTURES and len(needs) == 1:
                    found[name] = (function, needs.pop())
    return found


EXAMPLES = find_examples()


def build(fixture: str):
    zone = SteppedZone()
    if fixture == "zone":
        return zone
    world = build_world(zone)
    if fixture == "event":
        zone.block(list_event(1, 2), list_outcome(2, 1))
    elif fixture == "race":
        zone.block(list_event(1, 3), *(list_outcome(market, 1) for market in (2, 3, 4)))
    return world


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_goes_step_by_step_too(name):
    function, fixture = EXAMPLES[name]
    function(build(fixture))


# --- what the chapters leave to say ------------------------------------------------------------------


@pytest.fixture
def world() -> World:
    return build("world")


def post(who, side, price, lots, **fields):
    market = fields.pop("market", 1)
    return who.place(place_item(market, side, price, lots, tif=TIF_POST_ONLY, **fields))


OWNER = enums.STP_OWNER


def with_sub_account(world):
    zone, alice = world.zone, world.alice
    zone.block(alice.create_account())
    sub = alice.on(zone.model.owners[alice.owner].accounts[1])
    zone.block(alice.transfer(sub.account, 1, 10**6), alice.transfer(sub.account, 2, 10**6))
    return sub


@pytest.mark.parametrize(
    ("mode", "reasons", "fills"),
    [
        (enums.STP_NEWEST, ["taker"], 0),
        (enums.STP_OLDEST, ["maker"], 0),
        (enums.STP_BOTH, ["maker", "taker"], 0),
        (enums.STP_DECREMENT, ["maker"], 0),
    ],
)
def test_sub_accounts_of_one_owner_meet_or_do_not(world, mode, reasons, fills):
    zone, alice = world.zone, world.alice
    sub = with_sub_account(world)
    (maker,) = zone.block(post(sub, SELL, 10, 3)).of(events.ORDER_RESTED)
    outcome = zone.block(alice.buy(10, 5, tif=TIF_IOC, stp=mode | OWNER))
    (taker,) = outcome.of(events.ORDER_WAITING)
    names = {maker["order"]: "maker", taker["order"]: "taker"}
    by_rule = [e for e in outcome.of(events.ORDER_CANCELLED) if e["tif"] == enums.CANCEL_STP]
    assert [names[e["order"]] for e in by_rule] == reasons
    assert len(outcome.of(events.FILL)) == fills
    # without the owner's bit they are strangers; another owner's order is never own
    zone.block(alice.cancel_order(taker["order"]), post(sub, SELL, 10, 3))
    outcome = zone.block(alice.buy(10, 1, tif=TIF_IOC, stp=mode))
    assert len(outcome.of(events.FILL)) == 1
    zone.block(post(world.bob, SELL, 9, 1))
    outcome = zone.block(alice.buy(9, 1, tif=TIF_IOC, stp=mode | OWNER))
    assert [e["other_account"] for e in outcome.of(events.FILL)] == [world.bob.account]


def test_a_fill_or_kill_order_stops_looking_at_an_account_of_its_owner(world):
    zone, alice, bob = world.zone, world.alice, world.bob
    sub = with_sub_account(world)
    zone.block(post(sub, SELL, 10, 3), post(bob, SELL, 11, 5))
    outcome = zone.block(alice.buy(11, 5, tif=TIF_FOK, stp=enums.STP_NEWEST | OWNER))
    assert [e["tif"] for e in outcome.of(events.ORDER_CANCELLED)] == [enums.CANCEL_FOK]
    outcome = zone.block(alice.buy(11, 5, tif=TIF_FOK, stp=enums.STP_OLDEST | OWNER))
    assert [e["other_account"] for e in outcome.of(events.FILL)] == [bob.account]
    outcome = zone.block(post(sub, SELL, 10, 3), post(bob, SELL, 11, 5))
    outcome = zone.block(alice.buy(11, 8, tif=TIF_FOK, stp=enums.STP_NEWEST))
    assert [e["lots"] for e in outcome.of(events.FILL)] == [3, 5]


def test_a_fill_or_kill_order_that_waits_is_killed_when_its_market_gets_a_cap(world):
    zone, alice = world.zone, world.alice
    zone.block(list_event(1, 2), list_outcome(2, 1, takerDelay=5))
    zone.block(post(world.bob, SELL, 40, 5, market=2))
    waiting = alice.buy(40, 5, market=2, tif=TIF_FOK)
    assert zone.block(waiting).code == Code.OK
    zone.block(update_market(zone, 2, accountCap=10**6))
    outcome = zone.block(after=10)
    assert [e["tif"] for e in outcome.of(events.ORDER_CANCELLED)] == [enums.CANCEL_MARKET]
    assert zone.block(alice.buy(40, 5, market=2, tif=TIF_FOK)).code == Code.BAD_ORDER_FIELD


WEEK = {f"open{day}": 540 for day in range(7)} | {f"close{day}": 1020 for day in range(7)}
MINUTE = 60_000
DAY = 24 * 60 * MINUTE


def test_a_session_opens_and_closes_to_the_millisecond(world):
    zone = world.zone
    noon = (zone.time // DAY + 1) * DAY + 12 * 60 * MINUTE
    closed = {"from0": noon, "to0": noon + 1000}
    zone.block(tell(messages.SET_CALENDAR, calendar=1, venue=1, **WEEK, **closed))
    zone.block(update_market(zone, 1, calendar=1))
    midnight = noon - 12 * 60 * MINUTE
    good, shut = Code.OK, Code.MARKET_CLOSED
    edges = [
        (midnight + 540 * MINUTE - 1, shut),
        (midnight + 540 * MINUTE, good),
        (noon - 1, good),
        (noon, shut),
        (noon + 999, shut),
        (noon + 1000, good),
        (midnight + 1020 * MINUTE - 1, good),
        (midnight + 1020 * MINUTE, shut),
        (midnight + DAY + 540 * MINUTE, good),
    ]
    for time, expected in edges:
        if (
            time - zone.time > limits.RESTART_GAP
        ):  # the restart is over by then, news from L1 is fresh
            zone.block(tell(messages.HEARTBEAT), at=time - limits.RESTART_POST - 1)
        outcome = zone.block(post(world.alice, BUY, 1, 1), at=time)
        assert outcome.code == expected, (time - midnight) / MINUTE


def test_a_resting_order_outside_its_session_can_leave_but_not_grow(world):
    zone, alice = world.zone, world.alice
    (rested,) = zone.block(post(alice, BUY, 1, 5)).of(events.ORDER_RESTED)
    never = {f"open{day}": 0 for day in range(7)} | {f"close{day}": 0 for day in range(7)}
    zone.block(tell(messages.SET_CALENDAR, calendar=1, venue=1, **never))
    zone.block(update_market(zone, 1, calendar=1))
    order = rested["order"]
    outcome = zone.block(
        alice.amend_order(order, 3),
        alice.amend_order(order, 9, mode=actions.AMEND_POST_ONLY),
        post(alice, BUY, 1, 1),
    )
    assert outcome.codes == [Code.OK, Code.MARKET_CLOSED, Code.MARKET_CLOSED]
    assert zone.block(alice.cancel_order(order)).code == Code.OK


def test_waiting_orders_fall_through_a_gap_and_the_phases_end_to_the_millisecond(world):
    zone, alice, bob = world.zone, world.alice, world.bob
    zone.block(update_market(zone, 1, takerDelay=50))
    zone.block(post(bob, SELL, 10, 1))
    zone.block(alice.buy(10, 1))
    outcome = zone.block(after=limits.RESTART_GAP + 1)
    assert outcome.of(events.RESTARTED)[0]["amount"] == limits.RESTART_GAP + 1
    cancelled = outcome.of(events.ORDER_CANCELLED)
    if not cancelled:  # its two closed blocks are counted first
        cancelled = zone.block().of(events.ORDER_CANCELLED)
    assert [e["tif"] for e in cancelled] == [enums.CANCEL_MARKET]
    restart = zone.model.restart_time
    for at, codes in (
        (limits.RESTART_CANCEL - 1, [Code.MARKET_CLOSED] * 2),
        (limits.RESTART_CANCEL, [Code.OK, Code.MARKET_CLOSED]),
        (limits.RESTART_POST - 1, [Code.OK, Code.MARKET_CLOSED]),
        (limits.RESTART_POST, [Code.OK, Code.OK]),
    ):
        outcome = zone.block(post(bob, SELL, 11, 1), alice.buy(9, 1), at=restart + at)
        assert outcome.codes == codes
    exactly = zone.block(after=limits.RESTART_GAP)
    assert exactly.of(events.RESTARTED) == []


def test_open_interest_rises_to_its_cap_and_not_beyond(world):
    zone, alice, bob, carol = world.zone, world.alice, world.bob, world.carol
    zone.block(list_event(1, 2), list_outcome(2, 1))
    zone.block(update_market(zone, 2, openInterestCap=50_000))
    zone.block(post(alice, SELL, 40, 9, market=2))
    outcome = zone.block(bob.buy(40, 6, market=2), bob.buy(40, 5, market=2))
    # six at once would pass the cap; five reach it
    assert [e["tif"] for e in outcome.of(events.ORDER_CANCELLED)] == [enums.CANCEL_CAP]
    assert [e["lots"] for e in outcome.of(events.FILL)] == [5]
    assert zone.block(post(carol, BUY, 39, 1, market=2)).code == Code.OPEN_INTEREST_CAP
    # what closes is free of it: one Yes changes hands, open interest stays
    zone.block(post(bob, SELL, 50, 2, market=2))
    assert zone.model.books[2].open_lots == 5
    assert zone.block(post(bob, SELL, 51, 9, market=2)).code == Code.OPEN_INTEREST_CAP
    zone.block(update_market(zone, 2, openInterestCap=50_001))
    assert zone.block(post(carol, BUY, 39, 1, market=2)).code == Code.OK


def test_an_account_cap_stops_a_maker_that_has_grown_since(world):
    zone, alice, bob, carol = world.zone, world.alice, world.bob, world.carol
    zone.block(list_event(1, 2), list_outcome(2, 1))
    zone.block(update_market(zone, 2, accountCap=30_000))
    zone.block(post(alice, SELL, 40, 3, market=2), post(alice, SELL, 41, 2, market=2))
    zone.block(bob.buy(40, 3, market=2))
    outcome = zone.block(carol.buy(41, 1, market=2))  # alice holds 3 No already
    assert [(e["account"], e["tif"]) for e in outcome.of(events.ORDER_CANCELLED)] == [
        (alice.account, enums.CANCEL_CAP)
    ]
    assert zone.model.books[2].levels[SELL] == {}


def test_caps_hold_for_sets_of_every_market(world):
    zone, alice = world.zone, world.alice
    zone.block(list_event(1, 3), *(list_outcome(market, 1) for market in (2, 3, 4)))
    split = {"group": 1}
    zone.block(
        update_market(zone, 3, accountCap=20_000), update_market(zone, 2, openInterestCap=40_000)
    )
    outcome = zone.block(
        act(alice, actions.SPLIT, lots=3, **split),
        act(alice, actions.SPLIT, lots=2, **split),
        act(world.bob, actions.SPLIT, lots=2, **split),
        act(world.carol, actions.SPLIT, lots=1, **split),
    )
    assert outcome.codes == [Code.ACCOUNT_CAP, Code.OK, Code.OK, Code.OPEN_INTEREST_CAP]


def test_an_order_of_a_new_owner_without_the_money_opens_no_holding(world):
    zone = world.zone
    zone.block(list_event(1, 2), list_outcome(2, 1))
    dave = add_owner(zone, 90)
    add_funds(zone, dave, 1, 10)
    assert zone.block(post(dave, BUY, 40, 5, market=2)).code == Code.INSUFFICIENT_BALANCE
    assert zone.model.accounts[dave.account].holdings == {}
