"""Stop and take-profit orders on mark and index: docs/spec/perps.md, plans.md."""

from __future__ import annotations

import pytest

from tests.model.perp_world import PERP, build_perp_world
from tests.model.world import act, item
from tradezone.protocol import actions, enums, events
from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.errors import Code


@pytest.fixture
def market():
    built = build_perp_world()
    built.trade(built.bob, built.alice, 1_000, 10)
    return built


def place_plan(market, who, **terms):
    values = {
        "market": PERP,
        "side": SELL,
        "kind": enums.PLAN_STOP,
        "source": enums.SOURCE_MARK,
        "grouping": enums.GROUP_POSITION,
        "trigger": 980,
        "tif": enums.TIF_MARKET,
        "flags": enums.ORDER_REDUCE_ONLY,
        "slippage": 50_000,
    }
    body = item(actions.PLACE_PLAN, **(values | terms))
    return market.block(act(who, actions.PLACE_PLAN, body)).codes[-1]


@pytest.mark.parametrize("source", [enums.SOURCE_MARK, enums.SOURCE_INDEX])
def test_a_stop_on_the_mark_closes_the_whole_position(market, source):
    assert place_plan(market, market.bob, source=source) == Code.OK
    market.post(market.carol, BUY, 970, 20)
    market.price[1] = 981
    market.run(500)
    assert market.lots(market.bob) == 10
    market.price[1] = 979
    outcomes = market.run(500)
    assert [e["price"] for o in outcomes for e in o.of(events.PLAN_TRIGGERED)] == [980]
    assert (market.lots(market.bob), market.lots(market.carol)) == (0, 10)


def test_a_trade_does_not_fire_a_plan_on_the_mark(market):
    assert place_plan(market, market.bob) == Code.OK
    market.post(market.carol, BUY, 960, 1)
    market.take(market.alice, SELL, 960, 1)
    market.run(250)
    assert market.lots(market.bob) == 10
    assert market.model.plans


def test_a_take_profit_and_a_stop_are_siblings(market):
    legs = [
        {"kind": enums.PLAN_STOP, "trigger": 980},
        {"kind": enums.PLAN_TAKE_PROFIT, "trigger": 1_020},
    ]
    common = {
        "market": PERP,
        "side": SELL,
        "source": enums.SOURCE_MARK,
        "grouping": enums.GROUP_POSITION,
        "tif": enums.TIF_MARKET,
        "flags": enums.ORDER_REDUCE_ONLY,
        "slippage": 50_000,
    }
    bodies = [item(actions.PLACE_PLAN, **common, **leg) for leg in legs]
    market.block(act(market.bob, actions.PLACE_PLAN, *bodies))
    market.post(market.carol, BUY, 1_010, 20)
    market.price[1] = 1_025
    market.run(500)
    assert market.lots(market.bob) == 0
    assert not market.model.plans


def test_a_plan_that_is_reached_already_fires_at_once(market):
    market.post(market.carol, BUY, 990, 20)
    assert place_plan(market, market.bob, trigger=1_000) == Code.OK
    market.run(250)
    assert market.lots(market.bob) == 0
