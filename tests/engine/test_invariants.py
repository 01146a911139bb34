"""The audit finds what is wrong: for each of its rules a record is spoilt on purpose, so no rule is empty."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner

from tests.model.compare import assert_same_state
from tests.model.invariants import check_no_stray_bucket, check_records
from tests.model.world import (
    Zone,
    act,
    build_world,
    create_venue,
    get_address,
    item,
    list_event,
    list_market,
    list_outcome,
    place_item,
    register_asset,
    tell,
    update_market,
)
from tradezone.cli import cli
from tradezone.engine import RULES, Engine
from tradezone.engine.audit_perps import PERP_RULES
from tradezone.protocol import actions, enums, limits, messages
from tradezone.protocol.enums import BUY, SELL, TIF_POST_ONLY
from tradezone.protocol.records import TABLE_BY_NAME
from tradezone.protocol.steps import MATCH

SPOT, YES, RACE, SECOND, DOOR, TOYS, OVER = 1, 2, (3, 4, 5), 6, 7, 8, 9
DAYS = {
    f"{name}{day}": minute for day in range(7) for name, minute in (("open", 0), ("close", 1440))
}


def post(market, side, price, lots, **fields):
    return place_item(market, side, price, lots, tif=TIF_POST_ONLY, **fields)


def leg(**values):
    """A packed stop or take-profit."""
    return item(actions.PLACE_PLAN, **({"tif": enums.TIF_MARKET, "lots": 2} | values))


@pytest.fixture(scope="module")
def busy_zone():
    """Something of everything: every list has members, every table a record in use, many one that was freed."""
    zone = Zone(Engine())
    world = build_world(zone, takerDelay=50)
    alice, bob, carol = world.alice, world.bob, world.carol
    zone.block(
        *(list_event(1, 2), list_outcome(YES, 1), list_event(2, 3)),
        *(list_outcome(market, 2) for market in RACE),
        list_market(SECOND),
        create_venue(2, world.deployer.owner),
        tell(messages.LIST_GUEST, market=DOOR, id=2 << 16 | 1, venue=2, home=SPOT, guestFee=9),
        *(register_asset(n, kind=enums.ASSET_SIMULATED, venue=1) for n in (3, 4)),
        tell(messages.SET_ASSET, asset=3, faucetAmount=500, faucetInterval=1000),
        list_market(TOYS, base=4, quote=3),
        *(list_event(3, 2), list_outcome(OVER, 3)),
        tell(messages.SET_CALENDAR, calendar=1, venue=1, **DAYS),
        tell(messages.SET_CALENDAR, calendar=2, venue=2, **DAYS),
    )
    zone.block(alice.approve_key(get_address(100)), alice.approve_key(get_address(101)))
    zone.block(
        *(alice.revoke_key(6), alice.create_account(), alice.withdraw(1, 5), bob.withdraw(2, 5)),
        act(alice, actions.APPROVE_INTERFACE, interface=world.fee_account, maxFee=50),
        act(alice, actions.APPROVE_INTERFACE, interface=bob.account, maxFee=50),
        act(bob, actions.APPROVE_INTERFACE, interface=alice.account, maxFee=50),
        act(bob, actions.APPROVE_INTERFACE, interface=alice.account, maxFee=0),
        *(
            act(world.deployer, actions.GRANT_ACCESS, venue=1, grantee=who.owner)
            for who in (alice, bob)
        ),
        *(act(alice, actions.DEAD_MAN, timeout=86_400_000), act(bob, actions.FAUCET, asset=3)),
        act(alice, actions.SPLIT, group=2, lots=9),
    )
    soon = zone.time + 10**7
    asks = [post(SPOT, SELL, p, 3, client_id=p, expires=soon + p) for p in (10, 11, 12)]
    bids = [post(SPOT, BUY, p, 3) for p in (9, 8, 8, 7)]
    zone.block(alice.place(*asks), bob.place(*bids), carol.place(*bids[:2]))
    zone.block(alice.cancel_order(client_id=12))
    zone.block(
        *(alice.place(post(m, SELL, 40, 5)) for m in (YES, OVER)),
        *(bob.buy(40, 5, market=market) for market in (YES, OVER)),
    )
    zone.block(
        bob.place(post(YES, SELL, 60, 3, flags=1), post(YES, SELL, 70, 9)),
        alice.place(post(RACE[0], SELL, 60, 4), post(SECOND, BUY, 10, 4)),
        act(
            bob,
            actions.PLACE_PLAN,
            *(
                leg(market=YES, side=SELL, kind=kind, trigger=trigger, grouping=2, flags=1)
                for kind, trigger in ((1, 20), (2, 90))
            ),
            leg(market=YES, side=BUY, kind=1, trigger=95, expires=soon),
        ),
        bob.sell(50, 1, market=SECOND),
        tell(messages.RESOLUTION, group=3, state=enums.GROUP_VOID),
    )
    parent = place_item(SECOND, BUY, 9, 4, tif=TIF_POST_ONLY, client_id=77)
    zone.block(
        carol.place(parent),
        act(
            carol,
            actions.PLACE_PLAN,
            *(
                leg(market=SECOND, side=SELL, kind=1, trigger=n, grouping=1, parent_client_id=77)
                for n in (3, 4)
            ),
            leg(market=SECOND, side=SELL, kind=1, trigger=2),
        ),
        alice.place(post(SECOND, SELL, 11, 4)),
        carol.buy(11, 2, market=SECOND),
    )
    zone.block(
        update_market(zone, SECOND, takerFee=7, effectiveAt=soon),
        *(bob.buy(10, 1), carol.sell(9, 1, client_id=5)),
        *(carol.buy(11, 1, market=SECOND), bob.sell(50, 1, market=YES)),
    )
    zone.check_thoroughly()
    return zone


def head(name):
    return TABLE_BY_NAME[name].number


def first(name, **wanted):
    """A slot in use with these values, found when the zone is there."""

    def find(tables):
        records = tables[name][: int(tables["head"]["high_water"][head(name)])]
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


def book_of(market, field):
    return link("book", market, field)


class To(NamedTuple):
    """A value that replaces the old one."""

    value: int


def spoil(before, change, tables):
    if isinstance(change, To):
        return change.value
    return change(tables) if callable(change) else int(before) + change


RESTING = first("order", state=enums.RESTING, market=SPOT)
NAMED = first("order", client_id0=10)
OTHER_NAMED = first("order", client_id0=11)
REDUCING = first("order", flags=1)
COVERED = first("order", market=YES, cover=lambda c: c > 0)
WAITS = first("order", state=enums.WAITING)
PARENT = first("order", client_id0=77)
CHILD = first("plan", parent=lambda p: p > 0)
RINGED = first("plan", grouping=enums.GROUP_POSITION)
ARMED = first("plan", state=enums.PLAN_ARMED)
EXPIRING_PLAN = first("plan", expires=lambda e: e > 0)
AGENT = first("key", scope=enums.SCOPE_TRADE)
FREE_KEY = first("key", state=enums.FREE)
FREE_ORDER = first("order", state=enums.FREE)
ACCESS = first("approval", kind=enums.APPROVAL_ACCESS)
INTERFACE = first("approval", kind=enums.APPROVAL_INTERFACE)
HOLDING = first("holding", market=YES, yes=lambda y: y > 0)
ASK_LEVEL = book_of(SPOT, "best_ask")
ONE = 1

# (rule, table, slot or finder, field, what it becomes: a number is added)
SPOILT = [
    ("table.high_water", "head", head("order"), "high_water", To(1 << 30)),
    ("table.high_water", "head", head("queue"), "high_water", ONE),
    ("table.high_water", "order", 0, "seq", ONE),
    ("table.in_use", "head", head("order"), "in_use", ONE),
    ("table.free_list", "head", head("order"), "first_free", To(0)),
    ("table.free_list", "head", head("outbox"), "first_free", ONE),
    ("table.free_list", "order", FREE_ORDER, "next", To(1)),
    ("table.freed", "key", FREE_KEY, "approved", ONE),
    ("table.freed", "key", FREE_KEY, "generation", To(0)),
    ("table.unused", "market", SPOT, "profit_weight", ONE),
    ("table.unused", "agenda", 0, "restart_phase", ONE),
    ("table.unused", "price", 1, "mark", ONE),
    ("record.sign", "balance", 4, "uses", To(-1)),
    ("record.reference", "order", RESTING, "pay_balance", To(10**6)),
    ("record.reference", "order", RESTING, "market", To(-3)),
    ("record.reference", "order", RESTING, "key", To(0)),
    ("record.reference", "approval", ACCESS, "subject", To(99)),
    ("machine.idle", "machine", 0, "pc", To(MATCH)),
    ("machine.idle", "machine", 0, "passed_first", ONE),
    ("machine.idle", "book", 1, "passed_next", ONE),
    ("machine.clock", "machine", 0, "l1_time", To(limits.MAX_TIME + 1)),
    ("machine.clock", "book", 2, "last_time", 10**9),
    ("fees.shared", "draft", 0, "pot", ONE),
    ("owner.accounts", "owner", 3, "account_count", ONE),
    ("owner.accounts", "owner", 3, "first_account", To(0)),
    ("owner.accounts", "account", first("account", index=1), "index", ONE),
    ("owner.keys", "owner", 3, "key_count", ONE),
    ("owner.keys", "key", AGENT, "next", To(0)),
    ("owner.owner_key", "key", 3, "address0", ONE),
    ("owner.owner_key", "owner", 3, "kind", ONE),
    ("owner.quota", "owner", 3, "quota", To(limits.MAX_QUOTA + 1)),
    ("owner.quota", "owner", 3, "quota_day", 10**6),
    ("key.scope", "key", AGENT, "scope", To(enums.SCOPE_TRADE | enums.SCOPE_OWNER)),
    ("key.scope", "key", AGENT, "expires", To(0)),
    ("key.scope", "key", AGENT, "account", To(1)),
    ("key.nonces", "nonces", 12, "cell3", To(0)),
    ("key.nonces", "nonces", 12, "cell3", 10**9),
    ("account.kind", "account", 3, "kind", ONE),
    ("account.kind", "venue", 1, "fund_account", To(3)),
    ("account.balances", "account", 3, "balance_count", ONE),
    ("account.balances", "balance", 4, "previous", ONE),
    ("account.balances", "balance", 4, "asset", ONE),
    ("account.orders", "account", 3, "order_count", ONE),
    ("account.orders", "account", 3, "first_order", To(0)),
    ("account.orders", "order", RESTING, "account_previous", 10),
    ("account.plans", "account", 5, "plan_count", ONE),
    ("account.plans", "plan", CHILD, "account_next", CHILD),
    ("account.holdings", "account", 3, "holding_count", ONE),
    ("account.holdings", "holding", first("holding", market=RACE[1]), "previous", To(0)),
    ("account.approvals", "account", 3, "approval_count", ONE),
    ("account.approvals", "approval", first("approval", next=lambda n: n > 0), "next", To(0)),
    ("account.task", "account", 3, "task", ONE),
    ("record.owner", "balance", 4, "owner", ONE),
    ("record.owner", "order", RESTING, "owner", ONE),
    ("record.owner", "holding", HOLDING, "owner", ONE),
    ("approval.terms", "approval", INTERFACE, "value", 10**6),
    ("approval.terms", "approval", ACCESS, "region", ONE),
    ("balance.range", "balance", 4, "free", To(-1)),
    ("balance.locked", "balance", 4, "locked", ONE),
    ("balance.locked", "order", RESTING, "locked", ONE),
    ("balance.uses", "balance", 4, "uses", ONE),
    ("asset.total", "asset", 1, "total", ONE),
    ("asset.total", "balance", 4, "free", ONE),
    ("asset.total", "event_group", 1, "cash", ONE),
    ("asset.bound", "asset", 3, "cap", To(1)),
    ("asset.wall", "asset", 3, "venue", To(2)),
    ("asset.wall", "market", SPOT, "base", To(3)),
    ("asset.wall", "market", TOYS, "quote", To(1)),
    ("asset.wall", "asset", 1, "kind", To(enums.ASSET_SIMULATED)),
    ("asset.wall", "outbox", 1, "asset", To(3)),
    ("asset.wall", "asset", 1, "faucet_amount", ONE),
    ("outbox.terms", "outbox", 1, "amount", To(0)),
    ("outbox.terms", "outbox", 1, "time", 10),
    ("order.terms", "order", RESTING, "lots", To(0)),
    ("order.terms", "order", RESTING, "tif", 10),
    ("order.terms", "order", RESTING, "flags", ONE),
    ("order.pay", "order", RESTING, "pay_balance", ONE),
    ("order.pay", "order", RESTING, "receive_balance", 2),
    ("order.lock", "order", first("order", state=3, market=SPOT, side=SELL), "locked", ONE),
    ("order.lock", "order", first("order", state=3, market=SPOT, side=BUY), "locked", -10),
    ("order.lock", "order", first("order", state=3, market=SPOT, side=BUY), "locked", 10**6),
    ("order.seq", "order", RESTING, "seq", ONE),
    ("order.seq", "machine", 0, "order_seq", -1),
    ("order.rests", "order", RESTING, "tif", To(enums.TIF_IOC)),
    ("order.rests", "order", RESTING, "flags", 2),
    ("order.rests", "order", WAITS, "tif", ONE),
    ("order.timer", "order", NAMED, "timer", To(0)),
    ("order.door", "order", RESTING, "door", To(SECOND)),
    ("client.bucket", "order", NAMED, "client_id0", 10**9),
    ("client.bucket", "order", NAMED, "bucket", ONE),
    ("client.unique", "order", NAMED, "client_id0", ONE),
    ("bucket.length", "bucket", 7, "length", ONE),
    ("bucket.length", "bucket", limits.ORDER_BUCKETS + 7, "length", ONE),
    ("client.bucket", "approval", ACCESS, "bucket_next", ACCESS),
    ("book.levels", "book", SPOT, "bid_levels", ONE),
    ("book.levels", "level", ASK_LEVEL, "price", 5),
    ("book.levels", "level", ASK_LEVEL, "next", To(0)),
    ("book.crossed", "level", ASK_LEVEL, "price", -2),
    ("book.last", "book", SPOT, "last_price", ONE),
    ("level.orders", "level", ASK_LEVEL, "lots", ONE),
    ("level.orders", "level", ASK_LEVEL, "count", ONE),
    ("level.orders", "level", ASK_LEVEL, "last", ONE),
    ("level.orders", "order", RESTING, "price", ONE),
    ("level.orders", "order", RESTING, "level", ONE),
    ("level.plans", "plan", ARMED, "trigger", ONE),
    ("level.plans", "plan", ARMED, "next", 1000),
    ("book.order_count", "book", SPOT, "order_count", ONE),
    ("book.order_count", "book", SPOT, "waiting_count", ONE),
    ("book.waiting", "book", SPOT, "waiting_last", ONE),
    ("book.waiting", "book", SPOT, "release", ONE),
    ("book.waiting", "book", SPOT, "release_block", ONE),
    ("book.waiting", "book", SPOT, "last_release", ONE),
    ("book.waiting", "order", WAITS, "release", 10),
    ("queue.heap", "queue", 1, "release", ONE),
    ("queue.heap", "queue", 1, "book", ONE),
    ("queue.heap", "book", SPOT, "queue", To(0)),
    ("timer.heap", "timer", 1, "time", 10**12),
    ("timer.heap", "timer", 1, "seq", To(0)),
    ("timer.subject", "timer", 1, "subject", ONE),
    ("timer.subject", "account", 3, "timer", ONE),
    ("timer.subject", "order", NAMED, "expires", ONE),
    ("venue.terms", "venue", 1, "state", 5),
    ("venue.market_orders", "venue", 1, "market_orders", ONE),
    ("venue.market_count", "venue", 1, "market_count", ONE),
    ("market.terms", "market", SPOT, "taker_fee", 10**6),
    ("market.terms", "market", SPOT, "id", To(1 << 16 | YES)),
    ("market.terms", "market", SPOT, "max_lots", To(1 << 61)),
    ("market.terms", "market", SPOT, "calendar", To(2)),
    ("market.fee_balances", "venue", 2, "fee_account", To(2)),
    ("market.guest", "market", DOOR, "lot_size", ONE),
    ("market.guest", "book", DOOR, "volume_lots", ONE),
    ("market.settled", "market", SPOT, "phase", To(enums.PHASE_SETTLED)),
    ("market.pending", "pending", SECOND, "effective", ONE),
    ("market.pending", "pending", SPOT, "band", ONE),
    ("calendar.terms", "calendar", 1, "open3", To(1441)),
    ("calendar.terms", "calendar", 1, "to2", ONE - 2),
    ("event.markets", "event_group", 2, "markets", ONE),
    ("event.markets", "market", RACE[1], "group_next", To(0)),
    ("event.markets", "market", OVER, "phase", To(enums.PHASE_CONTINUOUS)),
    ("event.payouts", "event_group", 3, "payouts3", ONE),
    ("event.payouts", "event_group", 1, "payouts3", ONE),
    ("event.payouts", "event_group", 1, "void_payouts3", ONE),
    ("event.sets", "event_group", 2, "sets", ONE),
    ("event.cash", "event_group", 1, "cash", ONE),
    ("event.cash", "event_group", 3, "cash", ONE),
    ("book.open_lots", "book", YES, "open_lots", ONE),
    ("holding.terms", "holding", HOLDING, "outcome", ONE),
    ("holding.locked", "holding", HOLDING, "yes_locked", ONE),
    ("holding.locked", "order", COVERED, "cover", -1),
    ("holding.one_side", "holding", first("holding", market=RACE[1]), "no", ONE),
    ("holding.uses", "holding", HOLDING, "uses", ONE),
    ("order.holding", "order", COVERED, "holding", ONE),
    ("order.holding", "order", RESTING, "cover", ONE),
    ("order.reduce_only", "order", REDUCING, "lots", ONE),
    ("payout.sweep", "agenda", 0, "holding_cursor", 1000),
    ("payout.sweep", "agenda", 0, "sweep_left", 1000),
    ("plan.terms", "plan", ARMED, "kind", 2),
    ("plan.terms", "plan", ARMED, "price", ONE),
    ("plan.state", "plan", CHILD, "state", To(enums.PLAN_ARMED)),
    ("plan.state", "plan", ARMED, "state", To(enums.PLAN_HELD)),
    ("plan.ring", "plan", RINGED, "sibling", To(0)),
    ("plan.ring", "plan", CHILD, "sibling", RINGED),
    ("plan.children", "order", PARENT, "first_child", To(0)),
    ("plan.children", "order", PARENT, "flags", enums.ORDER_ARMED),
    ("plan.timer", "plan", EXPIRING_PLAN, "timer", To(0)),
    ("trigger.list", "book", SPOT, "is_triggering", ONE),
    ("trigger.list", "book", SPOT, "trigger_high", ONE),
    ("trigger.list", "agenda", 0, "trigger_first", ONE),
    ("task.list", "agenda", 0, "task_first", ONE),
    ("task.list", "agenda", 0, "task_last", ONE),
]


@pytest.mark.parametrize(
    ("rule", "table", "slot", "field", "change"),
    SPOILT,
    ids=[f"{rule}-{table}.{field}-{n}" for n, (rule, table, _, field, _) in enumerate(SPOILT)],
)
def test_a_spoilt_record_breaks_its_rule(busy_zone, rule, table, slot, field, change):
    engine = busy_zone.engine
    tables = engine.tables
    column = tables[table][field]
    slot = slot(tables) if callable(slot) else slot
    before = column[slot]
    column[slot] = spoil(before, change, tables)
    assert column[slot] != before, "nothing was spoilt"
    try:
        found = {violation.rule for violation in engine.audit()}
    finally:
        column[slot] = before
    assert rule in found


def test_the_zone_itself_is_whole(busy_zone):
    """Nothing but what was spoilt, and is whole again, broke a rule."""
    assert busy_zone.engine.audit(is_thorough=True) == []


def test_a_gap_that_holds_bits_breaks_its_rule(busy_zone):
    engine = busy_zone.engine
    raw = engine.tables["level"].view(np.uint8).reshape(-1, 64)
    fields = engine.tables["level"].dtype.fields
    used = {offset + n for dtype, offset in fields.values() for n in range(dtype.itemsize)}
    gap = min(set(range(64)) - used)
    raw[1, gap] = 1
    try:
        assert {violation.rule for violation in engine.audit(is_thorough=True)} == {"record.gap"}
    finally:
        raw[1, gap] = 0


def test_memory_that_was_never_given_out_is_read_by_a_thorough_audit(busy_zone):
    engine = busy_zone.engine
    engine.tables["order"]["seq"][123_456] = 1
    try:
        assert engine.audit() == []
        (found,) = engine.audit(is_thorough=True)
        assert (found.rule, found.table, found.slot) == ("table.high_water", "order", 123_456)
    finally:
        engine.tables["order"]["seq"][123_456] = 0


def test_every_rule_has_a_state_that_breaks_it():
    covered = {rule for rule, *_ in SPOILT} | {"record.gap"}
    # those of perpetuals: tests/engine/test_invariants_perps.py
    assert covered == set(RULES) - set(PERP_RULES)


def test_a_circle_apart_from_its_list_is_found(busy_zone):
    """Two plans that point at each other, away from their account's list: counts and links all look right."""
    engine = busy_zone.engine
    plan, account = engine.tables["plan"], engine.tables["account"]
    owner = int(plan["account"][CHILD(engine.tables)])
    members = np.flatnonzero((plan["account"][:100] == owner) & (plan["state"][:100] != 0))
    a, b, c = (int(slot) for slot in members)
    before = plan[:100].copy(), int(account["first_plan"][owner])
    account["first_plan"][owner] = a
    for slot, following, previous in ((a, 0, 0), (b, c, c), (c, b, b)):
        plan["account_next"][slot], plan["account_previous"][slot] = following, previous
    try:
        found = [violation for violation in engine.audit() if violation.rule == "account.plans"]
        assert {violation.slot for violation in found} == {b, c}
    finally:
        plan[:100], account["first_plan"][owner] = before
    assert engine.audit() == []


def test_sums_that_wrap_round_are_found(busy_zone):
    """Four balances, each 2^62 too high, are right modulo 2^64."""
    engine = busy_zone.engine
    balance = engine.tables["balance"]
    slots = np.flatnonzero((balance["asset"][:100] == 1) & (balance["state"][:100] != 0))[:4]
    before = balance["free"][slots].copy()
    balance["free"][slots] = before + (1 << 62)
    try:
        assert "asset.total" in {violation.rule for violation in engine.audit()}
    finally:
        balance["free"][slots] = before


def test_a_snapshot_passes_the_audit_of_its_engine(busy_zone, tmp_path):
    path = tmp_path / "state.snapshot"
    busy_zone.engine.save_snapshot(path)
    engine = Engine.from_snapshot(path)
    assert engine.audit(is_thorough=True) == []
    engine.tables["balance"]["free"][4] += 1
    (found,) = engine.audit()
    assert found.rule == "asset.total"
    assert "asset 1" in str(found)


def test_the_command_audits_a_snapshot(busy_zone, tmp_path):
    engine, path = busy_zone.engine, tmp_path / "state.snapshot"
    engine.save_snapshot(path)
    done = CliRunner().invoke(cli, ["audit", str(path)])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "ok: every invariant holds")
    engine.tables["balance"]["free"][4] += 1
    try:
        engine.save_snapshot(path)
    finally:
        engine.tables["balance"]["free"][4] -= 1
    done = CliRunner().invoke(cli, ["audit", "--json", str(path)])
    found = json.loads(done.output)
    assert (done.exit_code, found["ok"]) == (1, False)
    assert [(v["rule"], v["table"], v["slot"]) for v in found["violations"]] == [
        ("asset.total", "asset", 1)
    ]
    path.write_bytes(b"TZSNAP01" + bytes(40))
    done = CliRunner().invoke(cli, ["audit", str(path)])
    assert done.exit_code == 1
    assert "damaged" in done.output


@pytest.mark.parametrize(
    ("table", "slot", "field"),
    [
        ("market", 1, "taker_fee"),
        ("owner", 3, "referrer"),
        ("key", 3, "approved"),
        ("nonces", 12, "cell0"),
        ("venue", 1, "stake"),
        ("order", 1, "expires"),
        ("book", 1, "last_price"),
        ("machine", 0, "order_seq"),
        ("bucket", 0, "first"),
    ],
)
def test_the_comparison_with_the_model_sees_every_record(busy_zone, table, slot, field):
    column = busy_zone.engine.tables[table][field]
    before = column[slot]
    column[slot] = before + 1
    try:
        with pytest.raises(AssertionError, match="model and engine differ"):
            assert_same_state(busy_zone.model, busy_zone.engine.tables, every_bucket=True)
    finally:
        column[slot] = before
    busy_zone.check_thoroughly()


@pytest.mark.parametrize(
    ("table", "slot", "field"),
    [
        *(("asset", 1, "total"), ("balance", 4, "free"), ("balance", 4, "locked")),
        *(
            ("event_group", 1, "cash"),
            ("holding", HOLDING, "yes_locked"),
            ("order", RESTING, "lots"),
        ),
        *(("level", ASK_LEVEL, "lots"), ("account", 3, "order_count"), ("owner", 3, "key_count")),
        *(("head", head("plan"), "in_use"), ("order", NAMED, "client_id0")),
    ],
)
def test_the_slow_checks_find_it_without_the_audit(busy_zone, monkeypatch, table, slot, field):
    tables = busy_zone.engine.tables
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


def test_a_stray_bucket_is_found(busy_zone):
    column = busy_zone.engine.tables["bucket"]["length"]
    column[7] += 1
    try:
        with pytest.raises(AssertionError):
            check_no_stray_bucket(busy_zone.engine.tables)
    finally:
        column[7] -= 1
