"""The audit finds what is wrong with perpetuals: for each of its rules a record is spoilt on purpose.

The state is the model's, written into record arrays (`tests.model.transplant`), so nothing here is compiled but the
audit's own hashes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from tests.model import transplant
from tests.model.compare import assert_same_state
from tests.model.invariants import check_records
from tests.model.perp_world import PERP, build_perp_world
from tests.model.world import act, item, update_market
from tradezone.engine import audit_state
from tradezone.engine.audit_perps import PERP_RULES
from tradezone.engine.memory import allocate_state, get_tables
from tradezone.protocol import actions, enums, limits
from tradezone.protocol.batches import NO_EPOCH
from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.records import TABLE_BY_NAME

CROSS, THIRD, OVER = PERP + 1, PERP + 2, PERP + 3


@pytest.fixture(scope="module")
def tables():
    """Something of everything: cross and isolated pools, a queue, registered positions, the fund's pool, plans."""
    free = {"breaker": limits.PPM}
    market = build_perp_world(
        oracle=free, lossCap=10**6, more=({"feed": 2}, {"feed": 3, "lossCap": 0}, {"feed": 4})
    )
    market.approve(CROSS, weight=limits.MAX_WEIGHT // 2)
    alice, bob, carol = market.alice, market.bob, market.carol
    thin, torn = market.add_trader(30, 10**7), market.add_trader(31, 10**7)
    market.block(
        act(carol, actions.FUND, venue=1, asset=1, amount=10**6),
        act(bob, actions.ALLOWANCE, venue=1, asset=1, amount=100),
        act(carol, actions.ALLOWANCE, venue=1, asset=1, amount=100),
        act(alice, actions.LEVERAGE, item(actions.LEVERAGE, market=PERP, mode=2, leverage=500)),
    )
    for slot in (PERP, CROSS, THIRD, OVER):
        market.trade(bob, alice, 1_000, 10, market=slot)
    market.trade(thin, alice, 1_000, 1, market=PERP)
    market.trade(torn, alice, 1_000, 4, market=THIRD)
    market.trade(thin, carol, 1_000, 2, market=THIRD)
    plan = item(
        actions.PLACE_PLAN,
        market=PERP,
        side=SELL,
        kind=enums.PLAN_STOP,
        source=enums.SOURCE_MARK,
        trigger=800,
        lots=1,
        tif=enums.TIF_MARKET,
    )
    market.block(act(bob, actions.PLACE_PLAN, plan))
    market.post(carol, BUY, 860, 3)
    market.post(carol, BUY, 860, 2)
    market.post(alice, BUY, 855, 2, flags=enums.ORDER_REDUCE_ONLY)
    market.block(update_market(market.zone, OVER, phase=enums.PHASE_SETTLED))
    market.price |= {1: 930, 2: 945, 3: 880}
    model = market.model
    for _ in range(5):  # the sweep comes by, and what is registered is not due yet
        if len(model.liquidating) < 2 or not model.perps[PERP].fund_pool:
            market.run(250)
    assert len(model.liquidating) >= 2
    assert model.perps[PERP].fund_pool
    assert any(perp.registered[1] for perp in model.perps.values())
    made = get_tables(allocate_state())
    transplant.write(model, made)
    assert_same_state(model, made, every_bucket=True)
    check_records(made, is_thorough=False)
    return made


@pytest.fixture(scope="module")
def closed():
    """A zone that has ended; an order keeps pool and position in their slots."""
    market = build_perp_world()
    market.trade(market.alice, market.bob, 1_000, 10)
    for who in (market.alice, market.bob):
        market.post(who, BUY, 900, 1)
    market.zone.batch([], bounds={"epoch": NO_EPOCH, "count": 0})
    assert market.model.closing == enums.CLOSED
    found = get_tables(allocate_state())
    transplant.write(market.model, found)
    assert found["position"]["state"][1]
    assert found["pool"]["state"][1]
    return found


def first(name, **wanted):
    """A slot in use with these values, found when the state is there."""

    def find(tables):
        number = TABLE_BY_NAME[name].number
        records = tables[name][: int(tables["head"]["high_water"][number]) or 8]
        mask = np.ones(len(records), bool)
        mask[0] = False
        if "state" in records.dtype.names and "state" not in wanted:
            mask &= records["state"] != enums.FREE
        for field, value in wanted.items():
            mask &= value(records[field]) if callable(value) else records[field] == value
        return int(np.flatnonzero(mask)[0])

    return find


def link(*steps):
    """A value that stands in another record: (table, slot or finder, field)."""

    def read(tables):
        name, slot, field = steps
        return int(tables[name][field][slot(tables) if callable(slot) else slot])

    return read


class To(NamedTuple):
    """A value that replaces the old one."""

    value: int


def spoil(before, change, tables):
    if isinstance(change, To):
        return change.value
    return change(tables) if callable(change) else int(before) + change


ONE = 1
QUEUED = first("pool", state=enums.POOL_LIQUIDATING)
BANKRUPT = first("pool", state=enums.POOL_BANKRUPT)
SHARED = first("pool", market=0, position_count=lambda n: n > 0)
ISOLATED = first("pool", market=PERP, state=enums.ACTIVE)
TOUCHED = first("pool", equity=lambda e: e != 0)
LONG = first("position", market=PERP, lots=lambda n: n > 0)
SHORT = first("position", market=PERP, lots=lambda n: n < 0)
REGISTERED = first("position", flags=enums.POSITION_ADL)
NAMED = first("position", uses=lambda n: n > 0)
OPENING = first("order", market=PERP, flags=0)
REDUCING = first("order", market=PERP, flags=enums.ORDER_REDUCE_ONLY)
FIRM = first("level", firm=lambda n: n > 0)

# (rule, table, slot or finder, field, what it becomes: a number is added)
SPOILT = [
    ("ledger.list", "venue", 1, "first_ledger", To(0)),
    ("ledger.list", "ledger", 1, "next", To(1)),
    ("ledger.range", "ledger", 1, "cap", To(limits.MAX_VENUE_CAP + 1)),
    ("ledger.range", "ledger", 1, "deficit", To(-1)),
    ("ledger.wall", "ledger", 1, "cash", ONE),
    ("ledger.wall", "ledger", 1, "fund", ONE),
    ("ledger.wall", "pool", ISOLATED, "collateral", ONE),
    ("ledger.wall", "position", LONG, "quote", -ONE),
    ("ledger.wall", "price", PERP, "pot", ONE),
    ("ledger.wall", "job", PERP, "money", ONE),
    ("ledger.open_value", "ledger", 1, "open_value", ONE),
    ("ledger.open_value", "price", PERP, "mark", ONE),
    ("perp.list", "agenda", 0, "perp_first", link("agenda", 0, "perp_last")),
    ("perp.list", "agenda", 0, "perps", ONE),
    ("perp.list", "venue", 1, "perps", ONE),
    ("perp.list", "ledger", 1, "perps", -ONE),
    ("perp.list", "market", OVER, "perp_next", To(PERP)),
    ("perp.list", "market", PERP, "perp_next", To(0)),
    ("perp.terms", "market", PERP, "band_basis", To(1)),
    ("perp.terms", "market", PERP, "open_interest_cap", To(0)),
    ("perp.terms", "market", PERP, "profit_weight", ONE),
    ("perp.terms", "market", PERP, "ledger", To(0)),
    ("perp.terms", "tier", PERP, "lower1", To(0)),
    ("perp.terms", "tier", PERP, "mmr0", To(limits.PPM)),
    ("perp.terms", "tier", PERP, "imr2", ONE),
    ("perp.terms", "tier", PERP, "funding_scale", ONE),
    ("perp.price", "price", PERP, "mark", To(0)),
    ("perp.price", "price", PERP, "state", To(enums.PRICE_NONE)),
    ("perp.price", "price", PERP, "settlement", ONE),
    ("perp.price", "price", PERP, "funding_rate", To(1 << 30)),
    ("perp.lots", "position", LONG, "lots", ONE),
    ("perp.lots", "job", PERP, "lots_moved", ONE),
    ("perp.sides", "price", PERP, "long_first", link("price", PERP, "short_first")),
    ("perp.sides", "price", PERP, "short_last", To(0)),
    ("perp.sides", "position", LONG, "side_next", LONG),
    ("perp.sides", "position", SHORT, "side_previous", ONE),
    ("perp.sides", "book", PERP, "open_lots", ONE),
    ("perp.fund", "fund", PERP, "pool", To(0)),
    ("perp.fund", "fund", CROSS, "pool", ISOLATED),
    ("perp.fund", "fund", PERP, "day", To(limits.MAX_TIME)),
    ("feed.terms", "feed", 1, "quorum", To(1)),
    ("feed.terms", "feed", 1, "time0", To(limits.MAX_TIME)),
    ("feed.terms", "feed", 1, "price5", ONE),
    ("feed.terms", "feed", 1, "providers", -ONE),
    ("feed.terms", "provider", 12, "signer0", ONE),
    ("level.firm", "level", FIRM, "firm", -ONE),
    ("account.pools", "account", link("pool", ISOLATED, "account"), "first_pool", To(0)),
    ("account.pools", "account", link("pool", ISOLATED, "account"), "pool_count", ONE),
    ("account.pools", "pool", ISOLATED, "previous", ISOLATED),
    ("pool.terms", "pool", ISOLATED, "balance", ONE),
    ("pool.terms", "pool", ISOLATED, "allowance", ONE),
    ("pool.terms", "pool", SHARED, "pulled", To(1 << 50)),
    ("pool.terms", "pool", SHARED, "epoch", To(1 << 40)),
    ("pool.positions", "pool", ISOLATED, "first_position", To(0)),
    ("pool.positions", "pool", ISOLATED, "position_count", ONE),
    ("pool.positions", "position", LONG, "previous", LONG),
    ("pool.orders", "pool", link("order", OPENING, "pool"), "order_margin", ONE),
    ("pool.orders", "pool", link("order", OPENING, "pool"), "order_count", -ONE),
    ("pool.orders", "pool", ISOLATED, "forced", OPENING),
    ("pool.sums", "pool", TOUCHED, "equity", ONE),
    ("pool.sums", "pool", TOUCHED, "maintenance", -ONE),
    ("pool.sums", "pool", TOUCHED, "losses", -ONE),
    ("pool.sums", "position", link("pool", TOUCHED, "first_position"), "leverage", To(100)),
    ("pool.state", "pool", BANKRUPT, "registered", ONE),
    ("pool.state", "pool", BANKRUPT, "state", To(enums.ACTIVE)),
    ("pool.state", "pool", ISOLATED, "state", To(enums.POOL_BANKRUPT)),
    ("pool.queue", "agenda", 0, "liquidations", ONE),
    ("pool.queue", "agenda", 0, "liquidation_first", To(0)),
    ("pool.queue", "pool", QUEUED, "state", To(enums.ACTIVE)),
    ("pool.queue", "pool", ISOLATED, "queue_next", QUEUED),
    ("pool.solvent", "pool", first("pool", position_count=0), "collateral", To(-1)),
    ("position.orders", "position", NAMED, "buy_lots", ONE),
    ("position.orders", "position", NAMED, "sell_lots", ONE),
    ("position.orders", "position", NAMED, "uses", -ONE),
    ("position.orders", "order", REDUCING, "flags", To(0)),
    ("position.terms", "position", LONG, "market", ONE),
    ("position.terms", "position", LONG, "leverage", To(99)),
    ("position.terms", "position", LONG, "lots", To(1 << 40)),
    ("order.pool", "order", OPENING, "pool", To(0)),
    ("order.pool", "order", OPENING, "holding", LONG),
    ("order.pool", "order", OPENING, "pay_balance", ONE),
    ("job.list", "agenda", 0, "job_first", To(PERP)),
    ("job.list", "job", CROSS, "kind", To(enums.JOB_ADL)),
    ("job.list", "job", CROSS, "charge", ONE),
    ("job.list", "job", CROSS, "next_kind", To(enums.JOB_SETTLE)),
    ("job.registered", "job", THIRD, "ripe", To(0)),
    ("job.registered", "job", THIRD, "ripe", To(1 << 40)),
    ("job.registered", "job", THIRD, "stage", To(2)),
    ("job.registered", "job", CROSS, "stage", ONE),
    ("job.registered", "job", THIRD, "long_first", To(0)),
    ("job.registered", "position", REGISTERED, "flags", To(0)),
    ("job.registered", "position", LONG, "job_next", REGISTERED),
    ("ledger.closed", "agenda", 0, "closing", ONE),
    ("ledger.closed", "agenda", 0, "closing", To(enums.CLOSED)),
    ("ledger.fund_account", "venue", 1, "fund_account", To(0)),
    ("table.unused", "job", 1, "ripe", ONE),
]


@pytest.mark.parametrize(
    ("rule", "table", "slot", "field", "change"),
    SPOILT,
    ids=[f"{rule}-{table}.{field}-{n}" for n, (rule, table, _, field, _) in enumerate(SPOILT)],
)
def test_a_spoilt_record_breaks_its_rule(tables, rule, table, slot, field, change):
    slot = slot(tables) if callable(slot) else slot
    column = tables[table][field]
    before = column[slot]
    column[slot] = spoil(before, change, tables)
    assert column[slot] != before, "nothing was spoilt"
    try:
        assert rule in {violation.rule for violation in audit_state(tables)}
    finally:
        column[slot] = before


def test_the_state_is_whole_again(tables):
    assert audit_state(tables, is_thorough=True) == []


@pytest.mark.parametrize(
    ("table", "field", "value"),
    [
        *(("ledger", "cash", 1), ("ledger", "deficit", 1), ("ledger", "fund", 1)),
        *(("pool", "collateral", 1), ("pool", "kept", 1), ("pool", "state", 6)),
        *(("position", "lots", 1), ("position", "quote", -1), ("job", "kind", enums.JOB_SETTLE)),
    ],
)
def test_a_zone_that_is_closed_keeps_nothing_behind_its_walls(closed, table, field, value):
    slot = PERP if table == "job" else 1
    column = closed[table][field]
    before = column[slot]
    column[slot] = value
    try:
        assert "ledger.closed" in {violation.rule for violation in audit_state(closed, most=999)}
    finally:
        column[slot] = before
    assert audit_state(closed) == []


def test_every_rule_has_a_state_that_breaks_it():
    assert {rule for rule, *_ in SPOILT} - {"table.unused"} == set(PERP_RULES)


@pytest.mark.parametrize(
    ("table", "slot", "field"),
    [
        ("ledger", 1, "cash"),
        ("ledger", 1, "fund"),
        ("pool", ISOLATED, "collateral"),
        ("position", LONG, "lots"),
        ("position", LONG, "quote"),
        ("price", PERP, "pot"),
        ("balance", 4, "free"),
    ],
)
def test_the_slow_checks_find_it_without_the_audit(tables, monkeypatch, table, slot, field):
    column = tables[table][field]
    slot = slot(tables) if callable(slot) else slot
    monkeypatch.setattr("tradezone.engine.audit_state", lambda *_, **__: [])
    column[slot] += 1
    try:
        with pytest.raises(AssertionError):
            check_records(tables)
    finally:
        column[slot] -= 1
    check_records(tables)


@pytest.mark.parametrize(
    ("table", "slot", "field"),
    [
        *(("ledger", 1, "haircuts"), ("feed", 1, "round"), ("watch", 1, "low0")),
        *(("price", PERP, "basis"), ("price", PERP, "premium_sum"), ("tier", PERP, "imr0")),
        *(("fund", PERP, "spent"), ("pool", SHARED, "pulled"), ("pool", ISOLATED, "kept")),
        *(("position", LONG, "funding_index"), ("position", REGISTERED, "claim")),
        *(("order", OPENING, "reserve"), ("level", FIRM, "firm"), ("agenda", 0, "pool_cursor")),
        *(("agenda", 0, "swept"), ("agenda", 0, "visited"), ("job", THIRD, "stage")),
        *(("job", THIRD, "ripe"), ("provider", 8, "incident"), ("market", PERP, "funding_cap")),
    ],
)
def test_two_states_that_differ_are_not_the_same(tables, table, slot, field):
    """The comparison of model and engine reads these fields: a copy in which one differs is another state."""
    from tests.model.compare import build_snapshot

    slot = slot(tables) if callable(slot) else slot
    whole = build_snapshot(tables)
    column = tables[table][field]
    column[slot] += 1
    try:
        assert build_snapshot(tables) != whole
    finally:
        column[slot] -= 1
