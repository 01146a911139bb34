"""What a block's budgets leave over goes on in the next one: tasks, timers, meetings, fills, payouts.

The budgets are made small, for model and step executor (`small_bounds`): each block is compared, and each step held
against docs/spec/steps.md. That the compiled engine does the same with its own budgets, which take thousands of orders
to use up, is for tests/engine/test_model_orders.py; with TRADEZONE_FUZZ=1 it is also compiled with the small ones
(tests/engine/small_zone.py) and run beside both.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.engine.small_zone import BUDGETS, run_streams
from tests.engine.stepped import Executor, SteppedZone, small_bounds
from tests.model.world import (
    act,
    build_world,
    list_event,
    list_outcome,
    payouts,
    place_item,
    tell,
    update_market,
)
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.enums import BUY, SELL, TIF_IOC, TIF_POST_ONLY
from tradezone.protocol.errors import Code

ROOT = Path(__file__).parents[2]
SEEDS = (7, 30)  # streams whose blocks leave work over
IS_FUZZING = os.environ.get("TRADEZONE_FUZZ") == "1"


@pytest.fixture
def world():
    """Model and step executor with small budgets, compared after every block."""
    with small_bounds(BUDGETS):
        yield build_world(SteppedZone(Executor()))


def post(who, side, price, lots, **fields):
    market = fields.pop("market", 1)
    return who.place(place_item(market, side, price, lots, tif=TIF_POST_ONLY, **fields))


def stop(who, trigger, **values):
    terms = {"market": 1, "side": SELL, "kind": enums.PLAN_STOP, "price": 1, "lots": 1}
    return act(who, actions.PLACE_PLAN, **(terms | {"trigger": trigger} | values))


def gone(outcome):
    return [event["order"] for event in outcome.of(events.ORDER_CANCELLED)]


def placed(outcome):
    return [event["order"] for event in outcome.of(events.ORDER_RESTED)]


# --- tasks -------------------------------------------------------------------------------------------


def test_a_cancel_all_takes_as_many_blocks_as_it_has_looks(world):
    zone, alice = world.zone, world.alice
    orders = placed(zone.block(*(post(alice, BUY, n, 1) for n in range(1, 8))))
    looks = limits.BLOCK_REMOVALS
    assert looks == 3
    found = [gone(zone.block(act(alice, actions.CANCEL_ALL, side=enums.BOTH_SIDES)))]
    outcome = zone.block(act(alice, actions.CANCEL_ALL, side=enums.BOTH_SIDES))
    assert outcome.code == Code.BUSY
    found.append(gone(outcome))
    outcome = zone.block()
    found.append(gone(outcome))
    assert found == [orders[:-4:-1], orders[-4:-7:-1], orders[:1]]
    assert outcome.of(events.CANCEL_ALL_DONE) != []
    outcome = zone.block(act(alice, actions.CANCEL_ALL, side=enums.BOTH_SIDES))
    assert outcome.of(events.CANCEL_ALL_DONE) != []


def test_orders_admitted_after_the_task_stay_and_a_cancel_between_blocks_does_not_lose_its_place(
    world,
):
    zone, alice = world.zone, world.alice
    orders = placed(zone.block(*(post(alice, BUY, n, 1) for n in range(1, 8))))
    zone.block(act(alice, actions.CANCEL_ALL, side=enums.BOTH_SIDES))
    # the order that stands next in the list leaves by itself; a new one comes to its front
    outcome = zone.block(alice.cancel_order(orders[3]), post(alice, BUY, 9, 1))
    (young,) = placed(outcome)
    assert gone(outcome) == [orders[3], orders[2], orders[1], orders[0]]
    outcome = zone.block()
    outcome = zone.block() if not outcome.of(events.CANCEL_ALL_DONE) else outcome
    assert outcome.of(events.CANCEL_ALL_DONE) != []
    assert [order.id for order in zone.model.accounts[alice.account].orders] == [young]


def test_what_a_task_passes_over_counts_again_in_every_block_and_the_next_task_waits(world):
    zone, alice, bob = world.zone, world.alice, world.bob
    zone.block(*(post(alice, BUY, n, 1) for n in (1, 2)), post(alice, SELL, 9, 1))
    zone.block(post(bob, BUY, 1, 1))
    outcome = zone.block(
        act(alice, actions.CANCEL_ALL, side=SELL), act(bob, actions.CANCEL_ALL, side=BUY)
    )
    # the sell (one look), two buys passed over: nothing is left of the block's three
    assert len(gone(outcome)) == 1
    assert outcome.of(events.CANCEL_ALL_DONE) == []
    outcome = zone.block()  # passed over again, then the end of the list, which is a look too
    assert [event["account"] for event in outcome.of(events.CANCEL_ALL_DONE)] == [alice.account]
    outcome = zone.block()
    assert [event["account"] for event in outcome.of(events.CANCEL_ALL_DONE)] == [bob.account]


def test_waiting_orders_are_marked_once_and_plans_follow_the_orders(world):
    zone, alice = world.zone, world.alice
    zone.block(update_market(zone, 1, takerDelay=50))
    zone.block(*(alice.buy(5, 1) for _ in range(2)), stop(alice, 3), stop(alice, 4))
    outcome = zone.block(act(alice, actions.CANCEL_ALL, side=enums.BOTH_SIDES))
    # two waiting orders and the younger plan; the plans come behind the orders
    assert len(outcome.of(events.ORDER_AMENDED)) == 2
    assert len(outcome.of(events.PLAN_CANCELLED)) == 1
    outcome = zone.block()
    assert outcome.of(events.ORDER_AMENDED) == []
    assert len(outcome.of(events.PLAN_CANCELLED)) == 1
    outcome = zone.block()
    assert outcome.of(events.CANCEL_ALL_DONE) != []


def test_a_dead_man_widens_the_task_that_is_at_work(world):
    zone, alice = world.zone, world.alice
    zone.block(
        *(post(alice, BUY, n, 1) for n in range(1, 6)),
        *(post(alice, SELL, n, 1) for n in range(9, 14)),
        act(alice, actions.DEAD_MAN, timeout=limits.MIN_DEAD_MAN),
    )
    zone.block(act(alice, actions.CANCEL_ALL, side=BUY), after=limits.MIN_DEAD_MAN - 1)
    outcome = zone.block()
    begun = outcome.of(events.CANCEL_ALL_BEGUN)
    assert [(e["side"], e["tif"]) for e in begun] == [(enums.BOTH_SIDES, enums.CANCEL_DEAD_MAN)]
    reasons = set()
    for _ in range(4):
        reasons |= {event["tif"] for event in zone.block().of(events.ORDER_CANCELLED)}
    assert reasons == {enums.CANCEL_DEAD_MAN}
    assert zone.model.accounts[alice.account].orders == []
    assert zone.model.tasks == []


def test_a_delisted_market_is_emptied_over_blocks_and_waiting_orders_fall_at_their_release(world):
    zone, alice, bob = world.zone, world.alice, world.bob
    zone.block(update_market(zone, 1, takerDelay=50))
    zone.block(
        *(post(alice, BUY, n, 1) for n in range(1, 4)),
        *(post(bob, SELL, n, 1) for n in range(9, 12)),
        stop(alice, 2), alice.buy(5, 1),
    )  # fmt: skip
    counts = [len(gone(zone.block(update_market(zone, 1, phase=enums.PHASE_SETTLED))))]
    counts += [len(gone(zone.block())) for _ in range(3)]
    assert counts == [3, 3, 0, 0]
    assert zone.model.plans == {}
    assert zone.model.tasks == []
    outcome = zone.block(after=60)
    assert [event["tif"] for event in outcome.of(events.ORDER_CANCELLED)] == [enums.CANCEL_MARKET]


# --- timers ------------------------------------------------------------------------------------------


def test_timers_that_are_due_together_are_served_over_blocks(world):
    zone, alice = world.zone, world.alice
    due = zone.time + 100
    orders = placed(zone.block(*(post(alice, BUY, 3, 1, expires=due - n % 2) for n in range(5))))
    assert limits.BLOCK_TIMERS == 2
    early, late = orders[1::2], orders[0::2]
    assert gone(zone.block(at=due)) == early
    # in the meantime an expired order is no maker: who meets it cancels it
    outcome = zone.block(alice.cancel_order(late[0]), world.bob.sell(3, 1, tif=TIF_IOC), at=due)
    assert outcome.of(events.FILL) == []
    assert gone(outcome)[:2] == late[:2] or set(late) <= set(gone(outcome))
    assert zone.block(at=due + 50).of(events.ORDER_CANCELLED) == []


def test_an_update_waits_behind_the_timers_before_it(world):
    zone, alice = world.zone, world.alice
    due = zone.time + 100
    zone.block(*(post(alice, BUY, 3, 1, expires=due - 1) for _ in range(2)))
    zone.block(update_market(zone, 1, takerFee=7, effectiveAt=due))
    assert zone.block(at=due).of(events.MARKET_FEES) == []
    assert zone.block(at=due).of(events.MARKET_FEES) != []


# --- release, matching, triggers ---------------------------------------------------------------------


def test_a_taker_meets_its_makers_over_blocks_and_others_wait_behind_it(world):
    zone, alice, bob, carol = world.zone, world.alice, world.bob, world.carol
    makers = placed(zone.block(*(post(alice, SELL, 5, 1) for _ in range(9))))
    assert limits.MAX_FILLS == 2
    outcome = zone.block(bob.buy(5, 5, tif=TIF_IOC), carol.buy(5, 1, tif=TIF_IOC))
    outcomes = [outcome, *(zone.block() for _ in range(3))]
    met = [[event["other_order"] for event in outcome.of(events.FILL)] for outcome in outcomes]
    assert met == [makers[0:2], makers[2:4], makers[4:6], []]


def test_meetings_of_a_block_are_shared_by_all_books(world):
    zone, alice, bob = world.zone, world.alice, world.bob
    zone.block(list_event(1, 2), list_outcome(2, 1))
    zone.block(post(alice, SELL, 5, 1), post(alice, SELL, 5, 1))
    zone.block(post(alice, SELL, 40, 1, market=2), post(alice, SELL, 40, 1, market=2))
    assert limits.BLOCK_MEETINGS == 4
    takers = [bob.buy(5, 2), bob.buy(40, 2, market=2), bob.buy(1, 1), bob.buy(2, 1, market=2)]
    fills, rested = [], []
    for block in range(4):
        outcome = zone.block(*(takers if block == 0 else []))
        fills.append(len(outcome.of(events.FILL)))
        rested.append(len(outcome.of(events.ORDER_RESTED)))
    # two released and two makers use it up; what has been released is matched to the end
    assert fills == [4, 0, 0, 0]
    assert rested == [0, 2, 0, 0]


def test_plans_fire_over_blocks(world):
    zone, alice, bob, carol = world.zone, world.alice, world.bob, world.carol
    plans = [
        event["order"]
        for event in zone.block(*(stop(carol, 9 - n % 3) for n in range(7))).of(events.PLAN_PLACED)
    ]
    zone.block(post(alice, SELL, 5, 1))
    outcomes = [zone.block(bob.buy(5, 1)), *(zone.block() for _ in range(4))]
    fired = [[e["order"] for e in outcome.of(events.PLAN_TRIGGERED)] for outcome in outcomes]
    flat = [plan for block in fired for plan in block]
    # nearest to firing first: the highest trigger of a falling price, the oldest of each
    assert flat == [*plans[0::3], *plans[1::3], *plans[2::3]]
    assert len(fired[0]) < len(flat)
    assert all(len(block) <= limits.BLOCK_MEETINGS for block in fired)


# --- payouts -----------------------------------------------------------------------------------------


def test_an_event_is_paid_out_over_blocks_and_an_order_on_its_way_is_waited_for(world):
    zone, alice, bob, carol = world.zone, world.alice, world.bob, world.carol
    zone.block(list_event(1, 3), *(list_outcome(n, 1, takerDelay=50) for n in (2, 3, 4)))
    zone.block(*(act(who, actions.SPLIT, group=1, lots=2) for who in (alice, bob, carol)))
    zone.block(bob.sell(90, 1, market=2))  # waits, and names bob's holding
    assert limits.PAYOUT_SWEEP == 2
    vector = payouts(2000, 3000, 5000)
    resolution = tell(messages.RESOLUTION, group=1, state=enums.GROUP_RESOLVED, payouts=vector)
    paid = [len(zone.block(resolution).of(events.REDEEMED))]
    for _ in range(30):
        outcome = zone.block(after=5)
        paid.append(len(outcome.of(events.REDEEMED)))
    assert max(paid) <= 2
    assert sum(paid) == 9
    assert zone.model.holdings == {}
    assert zone.model.groups[1].cash == 0
    assert zone.model.sweep_left == 0


# --- streams -----------------------------------------------------------------------------------------


def test_model_and_executor_agree_on_streams_with_small_budgets():
    with small_bounds(BUDGETS):
        zones = (SteppedZone(Executor()) for _ in SEEDS)
        left_over = run_streams(lambda: next(zones), SEEDS, 30)
    assert left_over >= 20  # blocks that ended with work to do


@pytest.mark.skipif(not IS_FUZZING, reason="compiles the engine anew; set TRADEZONE_FUZZ=1")
@pytest.mark.timeout(0)
def test_the_engine_compiled_with_small_budgets_agrees_on_many_streams():
    seed = int(os.environ.get("TRADEZONE_FUZZ_SEED") or 1)
    streams = -(-int(os.environ.get("TRADEZONE_FUZZ_STREAMS", "300")) // 10)
    first = Random(seed).randrange(1 << 31)
    subprocess.run(
        [sys.executable, "-m", "tests.engine.small_zone", str(first), str(streams)],
        cwd=ROOT,
        check=True,
    )
