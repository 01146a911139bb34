"""Attacks on outcome markets, plans and phases: sets, caps, resolutions, brackets, storms, gaps, sessions.

Each test names the rule that stops it; see `test_attacks_books` for how they run.
"""

from __future__ import annotations

import pytest

from tests.engine.attacks import (
    build_event,
    build_race,
    filled,
    opened,
    plan,
    plan_item,
    post,
    reasons,
    trade,
    wealth,
)
from tests.model.world import (
    act,
    add_owner,
    build_world,
    deposit,
    list_event,
    list_outcome,
    payouts,
    place_item,
    tell,
    update_market,
)
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.enums import BUY, SELL, TIF_FOK, TIF_IOC, TIF_POST_ONLY
from tradezone.protocol.errors import Code

UNIT = 10_000
RACE = (2, 3, 4)


@pytest.fixture
def race(world):
    return build_race(world)


@pytest.fixture
def event(world):
    return build_event(world)


def resolve(*parts, group=1, state=enums.GROUP_RESOLVED):
    return tell(messages.RESOLUTION, group=group, state=state, payouts=payouts(*parts))


# --- sets and caps -----------------------------------------------------------------------------------


def test_a_round_trip_of_sets_gives_back_what_it_took(race):
    """Rules: a set costs its unit and pays its unit; merging needs unlocked Yes of every market."""
    zone, alice = race.zone, race.alice
    before = wealth(race, 1)
    zone.block(act(alice, actions.SPLIT, group=1, lots=9))
    zone.block(post(alice, SELL, 50, 4, market=3))
    outcome = zone.block(
        act(alice, actions.MERGE, group=1, lots=6),
        act(alice, actions.MERGE, group=1, lots=5),
        act(alice, actions.MERGE, group=1, lots=1),
        act(race.bob, actions.MERGE, group=1, lots=1),
    )
    assert outcome.codes == [
        *(Code.NOT_ENOUGH_SETS, Code.OK, Code.NOT_ENOUGH_SETS, Code.NOT_ENOUGH_SETS),
    ]
    zone.block(act(alice, actions.CANCEL_ALL, side=2))
    zone.block(act(alice, actions.MERGE, group=1, lots=4))
    assert wealth(race, 1) == before
    assert zone.model.groups[1].cash == 0


def test_the_same_lots_are_not_sold_twice(race):
    """Two asks on one Yes, and a merge besides. Rule: cover is locked; what is not covered is paid for."""
    zone, alice = race.zone, race.alice
    zone.block(act(alice, actions.SPLIT, group=1, lots=5))
    outcome = zone.block(post(alice, SELL, 90, 5, market=2), post(alice, SELL, 91, 5, market=2))
    first, second = outcome.of(events.ORDER_RESTED)
    assert (first["left"], first["amount"]) == (5, 0)
    assert second["left"] == 0
    assert second["amount"] >= 5 * (UNIT - 9100)
    assert zone.block(act(alice, actions.MERGE, group=1, lots=1)).code == Code.NOT_ENOUGH_SETS


def test_caps_are_not_passed_by_splitting_trading_or_waiting(race):
    """Every way to hold more. Rules: caps at entry, at the fill, and at a split."""
    zone, alice, bob, carol = race.zone, race.alice, race.bob, race.carol
    caps = {"accountCap": 5 * UNIT, "openInterestCap": 8 * UNIT}
    zone.block(*(update_market(zone, market, **caps) for market in RACE))
    outcome = zone.block(
        act(alice, actions.SPLIT, group=1, lots=6),
        act(alice, actions.SPLIT, group=1, lots=5),
        act(alice, actions.SPLIT, group=1, lots=1),
        act(bob, actions.SPLIT, group=1, lots=4),
        act(bob, actions.SPLIT, group=1, lots=3),
    )
    assert outcome.codes == [
        *(Code.ACCOUNT_CAP, Code.OK, Code.ACCOUNT_CAP, Code.OPEN_INTEREST_CAP, Code.OK),
    ]
    outcome = zone.block(carol.buy(50, 1, market=2), post(alice, BUY, 9, 1, market=2))
    assert outcome.codes == [Code.OPEN_INTEREST_CAP, Code.OPEN_INTEREST_CAP]
    zone.block(act(bob, actions.MERGE, group=1, lots=3))
    zone.block(*(post(carol, SELL, 50, 1, market=2) for _ in range(5)))
    outcome = zone.block(*(bob.buy(50, 2, market=2) for _ in range(4)))
    assert sum(lots for _, lots in filled(outcome)) == 3
    assert enums.CANCEL_CAP in reasons(outcome)
    for market in RACE:
        assert zone.model.books[market].open_lots * UNIT <= 8 * UNIT
    for holding in zone.model.holdings.values():
        assert holding.yes * UNIT <= 5 * UNIT


def test_selling_every_outcome_to_oneself_makes_no_money(race):
    """Yes of all outcomes bought one by one and merged. Rule: cash is what every vector pays, to the atom."""
    zone, alice, bob = race.zone, race.alice, race.bob
    before = sum(wealth(race, 1).values())
    for market, price in zip(RACE, (20, 30, 49), strict=True):
        zone.block(post(alice, SELL, price, 5, market=market))
        zone.block(bob.buy(price, 5, market=market))
    event = zone.model.groups[1]
    assert event.cash == 15 * UNIT
    zone.block(act(bob, actions.MERGE, group=1, lots=5))
    assert event.sets == -5
    assert event.cash == 10 * UNIT
    zone.block(act(alice, actions.SPLIT, group=1, lots=5))
    assert event.cash == 0
    assert sum(wealth(race, 1).values()) == before


# --- resolution --------------------------------------------------------------------------------------


def test_an_event_is_resolved_once_and_by_a_whole_vector(race):
    """Rules: EVENT_SETTLED; payouts sum to PAYOUT_UNIT over the outcomes; VOID carries none."""
    zone = race.zone
    told = [
        *(resolve(10_000, 1), resolve(5000, 5000, 0, 1), resolve(0, 0, 0, 10_000), resolve(9999)),
        *(resolve(10_000, state=enums.GROUP_VOID), resolve(10_000, state=enums.GROUP_OPEN)),
        *(resolve(10_000, state=9), resolve(10_000, group=7), resolve(0, 10_000), resolve(10_000)),
    ]
    outcome = zone.block(*told, resolve(state=enums.GROUP_VOID))
    errors = [e["error"] for e in outcome.of(events.MESSAGE_IGNORED)]
    assert errors == [
        *([Code.BAD_PARAMETERS] * 7),
        *(Code.EVENT_NOT_FOUND, Code.EVENT_SETTLED, Code.EVENT_SETTLED),
    ]
    assert len(outcome.of(events.EVENT_RESOLVED)) == 1


def test_nothing_trades_behind_a_resolution(zone):
    """Taking the known winner's offers. Rules: class 0 first; waiting orders fall at release; orders leave."""
    world = build_world(zone)
    alice, bob = world.alice, world.bob
    zone.block(list_event(1, 2), list_outcome(2, 1, takerDelay=50))
    zone.block(post(alice, SELL, 40, 5, market=2))
    zone.block(bob.buy(40, 2, market=2))
    outcome = zone.block(bob.buy(40, 1, market=2), resolve(10_000), post(bob, BUY, 39, 1, market=2))
    assert outcome.codes == [Code.MARKET_CLOSED, Code.MARKET_CLOSED]
    assert reasons(outcome) == [enums.CANCEL_SETTLED]
    zone.block()
    outcome = zone.block(after=60)
    assert reasons(outcome) == [enums.CANCEL_MARKET]
    assert filled(outcome) == []
    outcome = zone.block(
        act(alice, actions.PLACE_PLAN, plan_item(market=2, trigger=5)),
        alice.sell(1, 1, market=2, flags=enums.ORDER_REDUCE_ONLY),
    )
    assert outcome.codes == [Code.MARKET_CLOSED, Code.MARKET_CLOSED]


def test_no_holding_is_paid_twice_or_to_another(event):
    """Redeem, redeem again, redeem for somebody, and the sweep. Rule: a holding that is paid is freed."""
    zone, alice, bob = event.zone, event.alice, event.bob
    trade(event, 40, 5, market=2)
    before = wealth(event, 1)
    outcome = zone.block(
        resolve(2500, 7500),
        act(bob, actions.REDEEM, market=2),
        act(bob, actions.REDEEM, market=2),
        act(event.carol, actions.REDEEM, market=2),
        act(bob, actions.REDEEM, market=1),
    )
    assert outcome.codes == [Code.OK, *[Code.NOT_ENOUGH_SETS] * 2, Code.MARKET_NOT_FOUND]
    zone.block()
    after = wealth(event, 1)
    assert after[bob.owner] - before[bob.owner] == 5 * 2500
    assert after[alice.owner] - before[alice.owner] == 5 * 7500
    assert zone.model.groups[1].cash == 0
    assert zone.model.holdings == {}


def test_void_pays_the_vector_of_the_listing_and_not_the_cost(event):
    """Buying high what will be void. Rule: VOID is a vector fixed at listing, never a refund."""
    zone, alice, bob = event.zone, event.alice, event.bob
    trade(event, 99, 5, market=2)
    before = wealth(event, 1)
    zone.block(resolve(state=enums.GROUP_VOID))
    after = wealth(event, 1)
    assert after[bob.owner] - before[bob.owner] == 5 * UNIT  # the listing's vector pays outcome 0
    assert after[alice.owner] == before[alice.owner]


def test_payouts_of_many_holders_go_on_over_blocks_and_pay_everybody(event):
    """More holders than a block pays. Rule: PAYOUT_SWEEP holdings a block, round-robin, until all are paid."""
    zone, alice = event.zone, event.alice
    count = limits.PAYOUT_SWEEP + 5
    zone.is_checking = False
    owners = [add_owner(zone, 300 + n) for n in range(count)]
    zone.block(*(deposit(who.owner, who.address, 1, 10**6) for who in owners))
    zone.block(post(alice, SELL, 40, count, market=2))
    zone.block(*(who.buy(40, 1, market=2) for who in owners))
    before = wealth(event, 1)
    zone.is_checking = True
    outcome = zone.block(resolve(10_000))
    assert len(outcome.of(events.REDEEMED)) == limits.PAYOUT_SWEEP
    outcome = zone.block(act(owners[-1], actions.REDEEM, market=2))
    assert len(outcome.of(events.REDEEMED)) == count + 1 - limits.PAYOUT_SWEEP
    after = wealth(event, 1)
    assert {after[who.owner] - before[who.owner] for who in owners} == {UNIT}
    assert zone.model.groups[1].cash == 0
    assert zone.block().events == []


# --- plans -------------------------------------------------------------------------------------------


def bracket(who, parent, lots, *legs):
    """Children of an order that sell when the price falls or rises to their triggers."""
    items = [
        plan_item(
            kind=kind, trigger=trigger, lots=lots, parent=parent, grouping=enums.GROUP_ORDER,
            slippage=500_000,
        )
        for kind, trigger in legs
    ]  # fmt: skip
    return act(who, actions.PLACE_PLAN, *items)


def test_one_block_that_reaches_both_legs_fires_one(world):
    """OCO double fill: prices sweep over stop and take-profit at once. Rule: a leg that fires cancels the ring."""
    zone, carol = world.zone, world.carol
    (parent,) = opened(zone.block(post(carol, BUY, 50, 4)))
    zone.block(bracket(carol, parent, 4, (enums.PLAN_STOP, 45), (enums.PLAN_TAKE_PROFIT, 55)))
    zone.block(world.bob.sell(50, 4))
    zone.block(post(world.alice, SELL, 55, 1), post(world.alice, BUY, 45, 1))
    outcome = zone.block(world.bob.buy(55, 1), world.bob.sell(45, 1))
    assert filled(outcome) == [(55, 1), (45, 1)]
    assert len(outcome.of(events.PLAN_TRIGGERED)) == 1
    assert [e["tif"] for e in outcome.of(events.PLAN_CANCELLED)] == [enums.CANCEL_SIBLING]
    assert len(outcome.of(events.ORDER_WAITING)) == 3


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_leg_never_closes_more_than_its_parent_opened(world, is_gone):
    """Legs of 10 lots on a parent that filled 3. Rule: when parent and leg part, lots = min(lots, filled)."""
    zone, carol = world.zone, world.carol
    (parent,) = opened(zone.block(post(carol, BUY, 50, 10)))
    zone.block(bracket(carol, parent, 10, (enums.PLAN_TAKE_PROFIT, 55)))
    zone.block(world.bob.sell(50, 3))
    if is_gone:
        zone.block(carol.cancel_order(parent))
    outcome = trade(world, 55)
    (sent,) = [e for e in outcome.of(events.ORDER_WAITING) if e["account"] == carol.account]
    assert sent["lots"] == 3


def test_a_leg_of_a_parent_that_filled_nothing_never_fires(world):
    """A stop without a position. Rule: HELD until the parent's first fill."""
    zone, carol = world.zone, world.carol
    trade(world, 50)
    (parent,) = opened(zone.block(post(carol, BUY, 10, 10)))
    zone.block(bracket(carol, parent, 10, (enums.PLAN_STOP, 48)))
    outcome = trade(world, 45)
    assert outcome.of(events.PLAN_TRIGGERED) == []
    zone.block(carol.cancel_order(parent))
    assert zone.model.plans == {}


def test_a_position_stop_closes_what_is_held_and_no_more(event):
    """A stop of "all" after the position has shrunk. Rule: reduce-only is cut when it fires."""
    zone, alice, bob, carol = event.zone, event.alice, event.bob, event.carol
    trade(event, 40, 5, market=2)
    stop = plan_item(
        market=2, trigger=30, lots=0, grouping=enums.GROUP_POSITION, flags=1, slippage=500_000
    )
    zone.block(act(bob, actions.PLACE_PLAN, stop))
    zone.block(post(alice, BUY, 35, 3, market=2))
    zone.block(bob.sell(35, 3, market=2))
    zone.block(post(carol, BUY, 30, 50, market=2))
    outcome = zone.block(alice.sell(30, 1, market=2))
    (sent,) = [e for e in outcome.of(events.ORDER_WAITING) if e["account"] == bob.account]
    assert (sent["lots"], sent["left"]) == (2, 2)
    zone.block()
    holding = zone.model.accounts[bob.account].holdings[2]
    assert (holding.yes, holding.no) == (0, 0)


def test_a_storm_of_stops_is_bounded_in_every_block(world):
    """One price fires 60 plans behind a full release. Rule: firings count as meetings; the rest go on later."""
    zone, alice, bob, carol = world.zone, world.alice, world.bob, world.carol
    zone.is_checking = False
    trade(world, 50)
    stops = [plan_item(trigger=45, slippage=500_000)] * 30
    zone.block(*(act(carol, actions.PLACE_PLAN, *stops) for _ in range(2)))
    dust = [place_item(1, SELL, 60, 1, tif=TIF_POST_ONLY)] * 30
    zone.block(*(alice.place(*dust) for _ in range(10)), post(alice, BUY, 45, 1))
    each = 1 + limits.MAX_FILLS
    looks = [place_item(1, BUY, 60, 10**6, tif=TIF_FOK)] * (limits.BLOCK_MEETINGS // each)
    passes = (limits.BLOCK_MEETINGS - 2 - each * len(looks)) // 30 * 30
    flood = [*looks, *[place_item(1, BUY, 5, 1, tif=TIF_IOC)] * passes]
    left = limits.BLOCK_MEETINGS - 2 - each * len(looks) - passes  # 2: the fill's taker and maker
    envelopes = [bob.place(*flood[n : n + 30]) for n in range(0, len(flood), 30)]
    outcome = zone.block(bob.sell(45, 1), *envelopes)
    assert len(outcome.of(events.PLAN_TRIGGERED)) == left
    assert 0 < left < 60
    outcome = zone.block()
    assert len(outcome.of(events.PLAN_TRIGGERED)) == 60 - left
    zone.check_thoroughly()


def test_a_plan_that_has_expired_sends_nothing_however_late_its_timer_is(world, monkeypatch):
    """Rule: check 12 is made again when it fires."""
    zone, carol = world.zone, world.carol
    trade(world, 50)
    zone.block(plan(carol, trigger=45, slippage=500_000, expires=zone.time + 5))
    zone.block(post(world.alice, SELL, 45, 1))
    if zone.engine is None:
        monkeypatch.setattr(limits, "BLOCK_TIMERS", 0)
    outcome = zone.block(world.bob.buy(45, 1), after=5)
    assert outcome.of(events.PLAN_TRIGGERED) == []
    gone = outcome.of(events.PLAN_CANCELLED) + outcome.of(events.PLAN_FAILED)
    assert len(gone) == 1


def test_plans_lock_nothing_and_are_bounded_by_account(world):
    """Rules: MAX_PLANS; an order that a plan sends is paid for like any other, or fails."""
    zone, carol = world.zone, world.carol
    trade(world, 50)
    stops = [plan_item(trigger=45, lots=10**6, slippage=0)] * 30
    outcome = zone.block(*(act(carol, actions.PLACE_PLAN, *stops) for _ in range(4)))
    assert outcome.codes == [Code.OK] * 3 + [Code.TOO_MANY_PLANS]
    assert outcome.failed[-1] == 4 * 30 - limits.MAX_PLANS
    assert len(zone.model.plans) == limits.MAX_PLANS
    zone.block(carol.withdraw(2, world.free(carol, 2)))
    outcome = trade(world, 45)
    assert len(outcome.of(events.PLAN_FAILED)) == limits.MAX_PLANS
    assert {e["error"] for e in outcome.of(events.PLAN_FAILED)} == {Code.INSUFFICIENT_BALANCE}


# --- phases ------------------------------------------------------------------------------------------


def test_nobody_is_sniped_after_an_outage(zone):
    """Stale quotes hit by a taker that waited through the gap, or comes first behind it. Rule: restart phases."""
    world = build_world(zone, takerDelay=50)
    alice, bob = world.alice, world.bob
    (quote,) = opened(zone.block(post(alice, SELL, 10, 5)))
    zone.block(bob.buy(10, 5)), zone.block(), zone.block()
    outcome = zone.block(bob.buy(10, 5), post(bob, BUY, 9, 1), after=limits.RESTART_GAP + 1)
    assert outcome.codes == [Code.MARKET_CLOSED, Code.MARKET_CLOSED]
    assert reasons(outcome) == [enums.CANCEL_MARKET]
    assert filled(outcome) == []
    outcome = zone.block(bob.buy(10, 5), alice.cancel_order(quote), after=limits.RESTART_CANCEL - 1)
    assert outcome.codes == [Code.MARKET_CLOSED, Code.OK]
    outcome = zone.block(bob.buy(10, 5), post(alice, SELL, 12, 5), after=1)
    assert outcome.codes == [Code.MARKET_CLOSED, Code.OK]
    rest = limits.RESTART_POST - limits.RESTART_CANCEL
    assert zone.block(bob.buy(12, 5), after=rest - 1).code == Code.MARKET_CLOSED
    assert zone.block(bob.buy(12, 5), after=1).code == Code.OK


def test_a_gap_cannot_be_made_by_many_short_ones(world):
    """Rule: the gap is between neighbouring blocks; a second one begins the phases anew."""
    zone, bob = world.zone, world.bob
    zone.block(after=limits.RESTART_GAP)
    assert zone.block(bob.buy(10, 1), after=limits.RESTART_GAP).code == Code.OK
    zone.block(after=limits.RESTART_GAP + 1)
    zone.block(after=limits.RESTART_GAP + 1)
    assert zone.block(bob.buy(10, 1), after=limits.RESTART_POST - 1).code == Code.MARKET_CLOSED


def test_nothing_fills_behind_the_end_of_a_session(zone):
    """An order of the last moment, a plan, a resting quote. Rules: phases count at release and when a plan fires."""
    world = build_world(zone, takerDelay=50)
    alice, bob, carol = world.alice, world.bob, world.carol
    minute = 60_000
    now = zone.time // minute % 1440
    days = {f"open{day}": 0 for day in range(7)} | {f"close{day}": now + 2 for day in range(7)}
    zone.block(tell(messages.SET_CALENDAR, calendar=1, venue=1, **days))
    zone.block(update_market(zone, 1, calendar=1))
    trade(world, 50)
    zone.block(), zone.block(), zone.block(after=60)
    end = zone.time // (1440 * minute) * 1440 * minute + (now + 2) * minute
    zone.block(plan(carol, trigger=45, slippage=500_000), at=end - 25_000)
    zone.block(post(alice, SELL, 60, 5), post(alice, BUY, 45, 5), at=end - 61)
    zone.block(bob.sell(45, 1), at=end - 58)
    zone.block(at=end - 57), zone.block(at=end - 56)
    outcome = zone.block(bob.buy(60, 5), at=end - 1)
    assert filled(outcome) == [(45, 1)]
    assert outcome.codes == [Code.OK]
    zone.block(at=end), zone.block(at=end + 1)
    outcome = zone.block(at=end + 60)
    assert set(reasons(outcome)) == {enums.CANCEL_MARKET}
    assert filled(outcome) == []
    outcome = zone.block(bob.buy(60, 1), post(bob, BUY, 44, 1), at=end + 70)
    assert outcome.codes == [Code.MARKET_CLOSED] * 2


def test_a_market_that_closes_takes_nothing_from_that_moment(event):
    """Rule: `closes` counts at entry and at release; cancels and merges go on."""
    zone, alice, bob = event.zone, event.alice, event.bob
    (quote,) = opened(zone.block(post(alice, SELL, 40, 5, market=2)))
    end = zone.time + 100
    zone.block(update_market(zone, 2, closes=end, takerDelay=50))
    zone.block(bob.buy(40, 1, market=2), at=end - 10)
    zone.block(at=end - 5), zone.block(at=end - 4)
    outcome = zone.block(
        bob.buy(40, 1, market=2),
        bob.sell(1, 1, market=2, flags=1),
        alice.cancel_order(quote),
        at=end + 60,
    )
    assert outcome.codes == [Code.MARKET_CLOSED, Code.MARKET_CLOSED, Code.OK]
    assert enums.CANCEL_MARKET in reasons(outcome)
    assert filled(outcome) == []


def test_a_wound_down_venue_lets_everybody_out_and_nobody_in(event):
    """Rules: REDUCE_ONLY admits what reduces, WOUND_DOWN nothing; cancels always."""
    zone, alice, bob = event.zone, event.alice, event.bob
    trade(event, 40, 5, market=2)
    (quote,) = opened(zone.block(post(alice, BUY, 30, 5, market=2, flags=1)))
    venue = {"venue": 1, "access": 0, "regions": 0}
    outcome = zone.block(
        tell(messages.UPDATE_VENUE, state=enums.VENUE_REDUCE_ONLY, **venue),
        bob.buy(30, 1, market=2),
        post(bob, BUY, 9, 1),
        bob.sell(30, 2, market=2, flags=1),
    )
    assert outcome.codes == [Code.MARKET_CLOSED, Code.MARKET_CLOSED, Code.OK]
    assert filled(outcome) == [(30, 2)]
    outcome = zone.block(
        tell(messages.UPDATE_VENUE, state=enums.VENUE_WOUND_DOWN, **venue),
        bob.sell(30, 2, market=2, flags=1),
        alice.cancel_order(quote),
        tell(messages.UPDATE_VENUE, state=enums.VENUE_ACTIVE, **venue),
    )
    assert outcome.codes == [Code.MARKET_CLOSED, Code.OK]
    assert outcome.of(events.MESSAGE_IGNORED)[0]["error"] == Code.BAD_PARAMETERS
    assert TIF_POST_ONLY not in {e["tif"] for e in outcome.of(events.ORDER_RESTED)}
