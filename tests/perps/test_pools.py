"""Pools, walls, margin at entry and at fills: docs/spec/pools.md, margin.md, perps.md."""

from __future__ import annotations

import pytest

from tests.model.perp_world import PERP, build_perp_world
from tradezone.protocol.enums import BUY, SELL


@pytest.fixture
def market():
    return build_perp_world()


def test_a_trade_opens_both_sides(market):
    market.trade(market.bob, market.alice, 1_000, 10)
    assert (market.lots(market.bob), market.lots(market.alice)) == (10, -10)
    print(market.equity(market.bob), market.ledger)
