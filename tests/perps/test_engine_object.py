"""What an `Engine` around the state of perpetuals says and keeps; nothing runs."""

from __future__ import annotations

import numpy as np

from tests.model import transplant
from tests.model.perp_world import build_perp_world
from tradezone.engine import Engine
from tradezone.protocol.enums import BUY, SELL

TABLES = (
    "venue",
    "ledger",
    "fund",
    "feed",
    "provider",
    "market",
    "book",
    "price",
    "tier",
    "level",
    "order",
)
MORE = ("pool", "position", "agenda", "watch")
ROWS = 4_096  # of each table; what is written here stands below


def load(model):
    engine = Engine()
    transplant.write(model, engine.tables)
    return engine


def test_a_snapshot_keeps_what_perpetuals_are_made_of(tmp_path):
    market = build_perp_world(more=({"feed": 2},), lossCap=10**6)
    market.post(market.alice, SELL, 1_010, 5)
    market.take(market.bob, BUY, 1_010, 5)
    market.post(market.carol, BUY, 990, 5)
    engine = load(market.model)
    engine.save_snapshot(tmp_path / "zone")
    other = Engine.from_snapshot(tmp_path / "zone")
    for name in (*TABLES, *MORE):
        rows, kept = (e.tables[name][:ROWS].view("u1") for e in (engine, other))
        assert rows.any(), f"{name} is empty: nothing is tested"
        assert np.array_equal(rows, kept), name


def test_a_mark_tick_that_is_due_asks_for_a_block():
    market = build_perp_world()
    engine = load(market.model)
    due = int(engine.tables["agenda"]["next_mark"][0])
    block = market.model.block + 1
    assert not engine.has_due_work(due - 1, block)
    assert engine.has_due_work(due, block)
    engine.tables["agenda"]["perps"][0] = 0  # no perpetual is live: there are no ticks
    assert not engine.has_due_work(due, block)
