"""Orders of perpetuals by every way they change and leave: each frees what it held, at once and to the last atom."""

from __future__ import annotations

import pytest

from tests.model import margin
from tests.model.perp_world import PERP, build_perp_world
from tests.model.pure import PureEngine
from tests.model.world import Zone, act, amend_item, item, place_item
from tradezone.protocol import actions, enums, events
from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.errors import Code

LOT = 10**6  # atoms of a lot at 1,000
SHRINK, POST, TAKE = actions.AMEND_SHRINK, actions.AMEND_POST_ONLY, actions.AMEND_TAKE


@pytest.fixture
def market():
    return build_perp_world()


def orders_of(market, who):
    return market.model.accounts[who.account].orders


def get_held(market, who):
    """What the account's pools hold."""
    return sum(pool.collateral for pool in market.model.accounts[who.account].pools.values())


def get_worst_fee(price, lots):
    return -(-price * 1_000 * lots * 500 // 10**6)


def quote(market, who, *rungs):
    items = [
        item(
            actions.MASS_QUOTE,
            market=PERP,
            side=side,
            price=price,
            lots=lots,
            tif=enums.TIF_POST_ONLY,
            client_id=number,
        )
        for number, (side, price, lots) in enumerate(rungs, 1)
    ]
    return market.block(act(who, actions.MASS_QUOTE, *items))


# --- shrinking, leaving, coming back -----------------------------------------------------------------


def test_a_ladder_that_shrinks_moves_and_goes(market):
    alice, before = market.alice, market.free(market.alice)
    quote(market, alice, (BUY, 990, 10), (BUY, 980, 10), (SELL, 1_010, 4))
    assert get_held(market, alice) == 2 * LOT + sum(
        get_worst_fee(*rung) for rung in ((990, 10), (980, 10), (1_010, 4))
    )
    # a rung shrinks where it stands, one moves, one goes
    outcome = quote(market, alice, (BUY, 990, 3), (BUY, 970, 10), (SELL, 1_010, 0))
    assert [event["lots"] for event in outcome.of(events.ORDER_AMENDED)] == [3]
    assert len(outcome.of(events.ORDER_CANCELLED)) == 2
    held = 13 * LOT // 10 + get_worst_fee(990, 3) + get_worst_fee(970, 10)
    assert get_held(market, alice) == held == before - market.free(alice)
    quote(market, alice, (BUY, 990, 0), (BUY, 970, 0))
    assert market.free(alice) == before
    assert not market.model.pools


def test_a_rung_that_may_not_be_placed_is_gone_all_the_same(market):
    market.poke(market.ledger, cap=0)
    assert quote(market, market.alice, (BUY, 990, 10)).codes[-1] == Code.VENUE_CAP
    market.poke(market.ledger, cap=1 << 60)
    quote(market, market.alice, (BUY, 990, 10))
    market.poke(market.ledger, cap=0)
    assert quote(market, market.alice, (BUY, 990, 11)).codes[-1] == Code.VENUE_CAP
    assert not market.model.pools


def test_an_amend_is_checked_with_the_old_order_out(market):
    alice = market.alice
    market.post(alice, BUY, 990, 900)
    (order,) = orders_of(market, alice)
    rest = market.free(alice)
    # what the old order held pays for the new one, and no more than is missing is pulled
    market.block(alice.amend(amend_item(order.id, 1_000, 995, mode=POST)))
    assert (order.price, order.lots) == (995, 1_000)
    assert get_held(market, alice) == 100 * LOT + get_worst_fee(995, 1_000)
    assert rest - market.free(alice) == get_held(market, alice) - 90 * LOT - get_worst_fee(990, 900)
    refused = market.block(alice.amend(amend_item(order.id, 9_990, 995, mode=POST)))
    assert refused.codes[-1] == Code.INSUFFICIENT_MARGIN
    assert (order.price, order.lots) == (995, 1_000)
    market.block(alice.amend(amend_item(order.id, 10, 995, mode=SHRINK)))
    assert get_held(market, alice) == LOT + get_worst_fee(995, 10)
    market.block(alice.amend(amend_item(order.id, 0 + order.filled, 995, mode=SHRINK)))
    market.cancel_all(alice)
    assert not market.model.pools


def test_a_reducing_order_is_amended_within_its_position(market):
    market.trade(market.bob, market.alice, 1_000, 10)
    market.post(market.bob, SELL, 1_100, 4, flags=enums.ORDER_REDUCE_ONLY)
    (order,) = orders_of(market, market.bob)
    assert order.locked == 0
    for lots, code in ((11, Code.NOTHING_TO_REDUCE), (10, Code.OK)):
        outcome = market.block(market.bob.amend(amend_item(order.id, lots, 1_090, mode=POST)))
        assert outcome.codes[-1] == code
    assert (order.price, order.lots, order.locked) == (1_090, 10, 0)
    market.block(market.bob.amend(amend_item(order.id, 10, 1_000, mode=TAKE)))
    market.run(250)
    assert order.state == enums.RESTING
    market.take(market.alice, BUY, 1_000, 10)
    assert not market.model.positions


def test_expiry_and_the_dead_man_free_margin(market):
    alice, before = market.alice, market.free(market.alice)
    market.post(alice, BUY, 990, 10, expires=market.zone.time + 2_000)
    market.run(2_500)
    assert market.free(alice) == before
    market.post(alice, BUY, 990, 10)
    market.block(act(alice, actions.DEAD_MAN, timeout=5_000))
    market.run(6_000, step=500)
    assert market.free(alice) == before
    assert not market.model.pools


@pytest.mark.parametrize(("mine", "theirs"), [(10, 4), (4, 10), (7, 7)])
def test_orders_of_one_owner_that_meet_shrink_in_both_pools(market, mine, theirs):
    alice = market.alice
    stp = enums.STP_DECREMENT | enums.STP_OWNER
    outcome = market.block(alice.create_account())
    other = alice.on(outcome.of(events.ACCOUNT_CREATED)[0]["account"])
    market.block(alice.transfer(other.account, 1, 10**8))
    market.post(other, SELL, 1_000, theirs)
    market.take(alice, BUY, 1_000, mine, stp=stp, tif=enums.TIF_GTC)
    market.run(250)
    left = {who.account: [o.lots for o in orders_of(market, who)] for who in (alice, other)}
    both = min(mine, theirs)
    assert left == {
        alice.account: [mine - both] if mine > both else [],
        other.account: [theirs - both] if theirs > both else [],
    }
    assert not any(position.lots for position in market.model.positions.values())
    for who in (alice, other):
        open_lots = sum(left[who.account])
        assert get_held(market, who) == open_lots * LOT // 10 + get_worst_fee(1_000, open_lots)


def test_a_client_id_finds_an_order_and_a_forged_one_does_not(market):
    market.block(
        market.alice.place(market.order(BUY, 990, 1, client_id=7, tif=enums.TIF_POST_ONLY))
    )
    assert market.block(market.bob.cancel_order(client_id=7)).codes[-1] == Code.ORDER_NOT_FOUND
    taken = market.order(BUY, 980, 1, client_id=7, tif=enums.TIF_POST_ONLY)
    assert market.block(market.alice.place(taken)).codes[-1] == Code.CLIENT_ID_IN_USE
    assert market.block(market.alice.cancel_order(client_id=7)).codes[-1] == Code.OK
    assert not market.model.pools


# --- many positions ----------------------------------------------------------------------------------


def test_a_cross_pool_of_many_markets_is_touched_released_and_freed():
    market = build_perp_world(more=({},) * 8)
    slots = range(PERP, PERP + 9)
    market.approve(*slots)
    before = market.wealth(market.bob)
    for slot in slots:
        market.trade(market.bob, market.alice, 1_000, 2, market=slot)
    pool = market.pool(market.bob, 0)
    assert len(pool.positions) == 9
    market.move(1_005)
    market.post(market.bob, BUY, 990, 1, market=slots[4])
    market.cancel_all(market.bob)
    kept = market.wealth(market.bob)
    assert kept > before
    for slot in reversed(slots):
        market.trade(market.alice, market.bob, 1_005, 2, market=slot)
    assert not market.model.positions
    assert not market.model.pools
    assert market.ledger.cash == market.ledger.fund


def test_an_isolated_position_stays_isolated_when_the_market_is_approved(market):
    market.trade(market.bob, market.alice, 1_000, 10)
    market.approve(PERP)
    cross = item(actions.LEVERAGE, market=PERP, mode=enums.MODE_CROSS, leverage=0)
    assert market.block(act(market.bob, actions.LEVERAGE, cross)).codes[-1] == Code.POSITION_OPEN
    market.post(market.bob, BUY, 990, 1)
    assert [pool.market for pool in market.model.accounts[market.bob.account].pools.values()] == [2]
    market.trade(market.carol, market.alice, 1_000, 1)  # carol is new: cross by default
    assert market.pool(market.carol, 0).collateral > 0
    assert market.find(market.alice).pool.market == PERP  # alice was isolated before


def test_leverage_costs_what_it_takes_away(market):
    market.trade(market.bob, market.alice, 1_000, 100)
    pool = market.pool(market.bob)
    before = margin.get_pool_values(market.model, pool).initial
    half = item(actions.LEVERAGE, market=PERP, mode=enums.MODE_ISOLATED, leverage=500)
    outcome = market.block(act(market.bob, actions.LEVERAGE, half))
    assert [event["kind"] for event in outcome.events][-2:] == [
        events.POOL_MOVED,
        events.LEVERAGE_SET,
    ]
    assert margin.get_pool_values(market.model, pool).initial == 2 * before
    low = item(actions.LEVERAGE, market=PERP, mode=enums.MODE_ISOLATED, leverage=100)
    poor = market.add_trader(40, 15 * LOT)
    market.trade(poor, market.alice, 1_000, 100)
    refused = market.block(act(poor, actions.LEVERAGE, low)).codes[-1]
    assert refused == Code.INSUFFICIENT_MARGIN
    assert market.find(poor).leverage == 0


def test_items_of_one_envelope_share_margin(market):
    poor = market.add_trader(41, 3 * LOT)
    items = [
        place_item(PERP, BUY, 1_000 - n, 10, tif=enums.TIF_POST_ONLY, client_id=n)
        for n in range(1, 5)
    ]
    outcome = market.block(poor.place(*items))
    rejected = outcome.of(events.ITEM_REJECTED)
    assert [event["error"] for event in rejected] == [Code.INSUFFICIENT_MARGIN] * 2
    assert len(orders_of(market, poor)) == 2


# --- no room -----------------------------------------------------------------------------------------


@pytest.fixture
def small():
    """A market whose zone goes on comparing results and events when slots are taken away."""
    return build_perp_world(Zone(PureEngine()))


@pytest.mark.parametrize("table", ["pool", "position", "order"])
def test_a_full_table_refuses_and_moves_nothing(small, table):
    market = small
    market.trade(market.bob, market.alice, 1_000, 5)
    if table == "order":
        for number in range(len(market.model.slots["order"].free)):
            market.post(market.alice, SELL, 1_050 + number, 1)
    market.zone.exhaust(table)
    before = market.free(market.carol), market.ledger.cash
    assert market.post(market.carol, BUY, 990, 1).codes[-1] == Code.TABLE_FULL
    assert (market.free(market.carol), market.ledger.cash) == before
    # who has pool and position needs room for the order alone
    code = market.post(market.bob, BUY, 990, 1).codes[-1]
    assert code == (Code.TABLE_FULL if table == "order" else Code.OK)


def test_an_allowance_needs_room_for_its_pool(small):
    market = small
    body = {"venue": 1, "asset": 1, "amount": 5}
    assert market.block(act(market.carol, actions.ALLOWANCE, **body)).codes[-1] == Code.OK
    market.zone.exhaust("pool")
    refused = market.block(act(market.bob, actions.ALLOWANCE, **body)).codes[-1]
    assert refused == Code.TABLE_FULL
    assert (
        market.block(act(market.carol, actions.ALLOWANCE, **(body | {"amount": 0}))).codes[-1] == 0
    )
    assert not market.model.pools  # forgotten with its allowance
    assert market.block(act(market.bob, actions.ALLOWANCE, **body)).codes[-1] == Code.OK
    named = {"venue": 9, "asset": 1, "amount": 5}
    assert (
        market.block(act(market.bob, actions.ALLOWANCE, **named)).codes[-1] == Code.POOL_NOT_FOUND
    )


def test_pools_that_nobody_has_are_not_found(market):
    for name, beyond in (
        ("account", 1 << 31),
        ("venue", 1 << 31),
        ("asset", 5_000),
        ("market", 1 << 20),
    ):
        values = {"account": market.bob.account, "venue": 1, "asset": 1, "market": PERP}
        check = item(actions.CHECK, **(values | {name: beyond}))
        assert (
            market.block(act(market.carol, actions.CHECK, check)).codes[-1] == Code.POOL_NOT_FOUND
        )
    market.trade(market.bob, market.alice, 1_000, 5)
    good = item(actions.CHECK, account=market.bob.account, venue=1, asset=1, market=PERP)
    assert market.block(act(market.carol, actions.CHECK, good)).codes[-1] == Code.OK


def test_a_setting_needs_room_for_its_record(small):
    market = small
    market.zone.exhaust("approval")
    half = item(actions.LEVERAGE, market=PERP, mode=enums.MODE_ISOLATED, leverage=500)
    assert market.block(act(market.bob, actions.LEVERAGE, half)).codes[-1] == Code.TABLE_FULL
