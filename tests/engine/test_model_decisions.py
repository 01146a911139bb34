"""What the specification once left open, each choice with the shortest inputs that show it; and sums from public rules.

Most of these were found as differences between model and engine on random streams and cut down by `reduce_runs`.
"""

from __future__ import annotations

import pytest

from tests.engine.test_model_chapters import event, opened, plan, post, race  # noqa: F401 - fixtures
from tests.model.world import act, add_funds, create_venue, item, place_item, tell, update_market
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.enums import BUY, SELL, TIF_IOC, TIF_POST_ONLY
from tradezone.protocol.errors import Code

# --- what is said first ------------------------------------------------------------------------------


def test_a_parent_says_that_it_leaves_before_its_children_do(world):
    zone, carol = world.zone, world.carol
    (parent,) = opened(zone.block(post(carol, BUY, 10, 4)))
    zone.block(plan(carol, grouping=enums.GROUP_ORDER, trigger=5, parent=parent))
    outcome = zone.block(carol.cancel_order(parent))
    assert outcome.kinds() == [events.ORDER_CANCELLED, events.PLAN_CANCELLED]


def hold_both(world, lots):
    """Carol holds locked Yes under a resting sell, and as many unlocked No."""
    zone, carol = world.zone, world.carol
    add_funds(zone, carol, 1, 10**9)
    zone.block(post(world.alice, SELL, 50, lots, market=2))
    zone.block(carol.buy(50, lots, market=2))
    (sell,) = opened(zone.block(post(carol, SELL, 90, lots, market=2)))
    zone.block(post(world.bob, BUY, 40, lots, market=2))
    zone.block(carol.sell(40, lots, market=2))
    return sell


def test_what_a_cancelled_order_lets_go_of_meets_the_other_side_behind_its_own_event(event):  # noqa: F811
    sell = hold_both(event, 3)
    outcome = event.zone.block(event.carol.cancel_order(sell))
    assert outcome.kinds() == [events.ORDER_CANCELLED, events.ANNIHILATED]
    assert [e["lots"] for e in outcome.of(events.ANNIHILATED)] == [3]


def test_what_a_shrunk_order_lets_go_of_meets_the_other_side_behind_its_own_event(event):  # noqa: F811
    sell = hold_both(event, 3)
    outcome = event.zone.block(event.carol.amend_order(sell, 1))
    assert outcome.kinds() == [events.ORDER_AMENDED, events.ANNIHILATED]
    assert [e["lots"] for e in outcome.events] == [1, 2]


def test_a_rung_that_stays_as_it_is_records_nothing(world):
    rung = {"market": 1, "price": 10, "lots": 5, "side": SELL, "tif": TIF_POST_ONLY, "client_id": 1}

    def quote():
        return world.zone.block(
            act(world.alice, actions.MASS_QUOTE, item(actions.MASS_QUOTE, **rung))
        )

    assert quote().kinds() == [events.ORDER_RESTED]
    assert quote().events == []


# --- doors and plans ---------------------------------------------------------------------------------


def test_a_closed_door_keeps_its_orders_where_they_are(world):
    zone, bob = world.zone, world.bob
    zone.block(create_venue(2, world.deployer.owner))
    zone.block(tell(messages.LIST_GUEST, market=2, id=2 << 16 | 1, venue=2, home=1))
    (order,) = opened(zone.block(post(bob, BUY, 10, 4, market=2)))
    zone.block(update_market(zone, 2, phase=enums.PHASE_HALTED))
    refused = zone.block(bob.amend_order(order, 5, mode=actions.AMEND_POST_ONLY))
    assert refused.code == Code.MARKET_CLOSED
    refused = zone.block(bob.amend_order(order, 5, 11, mode=actions.AMEND_TAKE))
    assert refused.code == Code.MARKET_CLOSED
    assert zone.block(bob.amend_order(order, 3)).code == Code.OK
    assert zone.block(bob.cancel_order(order)).code == Code.OK


def test_an_orders_events_show_what_its_door_takes(world):
    zone, bob = world.zone, world.bob
    created = zone.block(create_venue(2, world.deployer.owner)).events[0]
    fee = limits.PPM // 100
    zone.block(tell(messages.LIST_GUEST, market=2, id=2 << 16 | 1, venue=2, home=1, guestFee=fee))
    values = {"interface": created["account"], "maxFee": fee}
    zone.block(act(bob, actions.APPROVE_INTERFACE, **values))
    outcome = zone.block(post(bob, BUY, 10, 4, market=2))
    (rested,) = outcome.events
    assert rested["amount2"] == fee
    (gone,) = zone.block(bob.cancel_order(rested["order"])).events
    assert gone["amount2"] == fee


def test_a_plan_that_fires_says_how_much_it_sent(event):  # noqa: F811
    zone, carol = event.zone, event.carol
    add_funds(zone, carol, 1, 10**9)
    zone.block(post(event.alice, SELL, 50, 3, market=2))
    zone.block(carol.buy(50, 3, market=2))
    values = {"market": 2, "side": SELL, "kind": enums.PLAN_TAKE_PROFIT, "price": 1, "flags": 1}
    values |= {"grouping": enums.GROUP_POSITION, "trigger": 60, "lots": 5, "tif": TIF_IOC}
    zone.block(act(carol, actions.PLACE_PLAN, **values))
    zone.block(post(event.alice, SELL, 60, 1, market=2))
    outcome = zone.block(event.bob.buy(60, 1, market=2))
    (fired,) = outcome.of(events.PLAN_TRIGGERED)
    assert (fired["account"], fired["market"], fired["lots"]) == (carol.account, 2, 3)


# --- sums from public rules --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "taker", "maker"), [(30, 15, 6), (70, 15, 6), (50, 25, 10), (1, 1, 1), (99, 1, 1)]
)
def test_an_outcome_fee_is_a_part_of_the_lesser_side(event, price, taker, maker):  # noqa: F811
    """The published rule of the CTF exchange: rate * min(price, 1 - price) * shares, so Yes and No cost alike.

    Ten lots of 10000: at 30 and at 70 the lesser side is 3000 each, 30000 in all: 500 ppm are 15, 200 ppm are 6.
    """
    event.zone.block(post(event.alice, SELL, price, 10, market=2))
    outcome = event.zone.block(event.bob.buy(price, 10, market=2))
    (fill,) = outcome.of(events.FILL)
    assert (fill["amount"], fill["amount2"]) == (taker, maker)


def test_sets_put_together_by_trading_are_merged_below_zero(race):  # noqa: F811
    """A complete set redeems at one unit whoever made it: the public rule of conditional tokens."""
    zone, alice = race.zone, race.alice
    for market, price in ((2, 20), (3, 30), (4, 40)):
        zone.block(post(race.bob, SELL, price, 5, market=market))
        zone.block(alice.buy(price, 5, market=market))
    free = race.free(alice, 1)
    outcome = zone.block(act(alice, actions.MERGE, group=1, lots=5))
    assert outcome.kinds() == [events.MERGED]
    assert race.free(alice, 1) == free + 5 * 10_000
    assert zone.model.groups[1].sets == -5


def test_one_leg_of_a_pair_that_protects_a_holding_cancels_the_other(event):  # noqa: F811
    """One cancels the other, as exchanges publish it: what fires takes its sibling out, whatever its own order fills."""
    zone, carol = event.zone, event.carol
    add_funds(zone, carol, 1, 10**9)
    zone.block(post(event.alice, SELL, 50, 3, market=2))
    zone.block(carol.buy(50, 3, market=2))
    common = {"market": 2, "side": SELL, "flags": 1, "grouping": enums.GROUP_POSITION, "lots": 0}
    common |= {"tif": TIF_IOC}
    legs = [
        item(actions.PLACE_PLAN, kind=enums.PLAN_TAKE_PROFIT, trigger=60, price=55, **common),
        item(actions.PLACE_PLAN, kind=enums.PLAN_STOP, trigger=40, price=1, **common),
    ]
    zone.block(act(carol, actions.PLACE_PLAN, *legs))
    zone.block(event.alice.place(place_item(2, SELL, 60, 1, tif=TIF_POST_ONLY)))
    outcome = zone.block(event.bob.buy(60, 1, market=2))
    assert len(outcome.of(events.PLAN_CANCELLED)) == len(outcome.of(events.PLAN_TRIGGERED)) == 1
    assert zone.model.plans == {}
