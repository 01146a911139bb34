"""What holds after every block (docs/spec/orders.md, outcome.md, plans.md), checked on the model and on record arrays."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.model.access import get_access_bucket
from tests.model.compare import Rows, Tables
from tests.model.orders import get_bucket
from tests.model.state import TABLES
from tradezone.protocol import enums, limits
from tradezone.protocol.records import TABLE_BY_NAME

if TYPE_CHECKING:
    from tests.model.engine import Model

# Fields that only markets with margin will write. They are hashed like all others, so they must stay zero.
NEVER_WRITTEN = {
    "account": ("pool_count", "first_pool"),
    "approval": ("used",),
    "venue": ("first_ledger", "notional_cap", "open_interest", "incidents"),
    "market": (
        *("flags", "feed", "max_leverage", "funding_cap", "interest", "impact_notional"),
        *("band_listing", "band_basis", "profit_weight", "first_tier"),
    ),
    "book": ("up_mark", "down_mark", "up_index", "down_index", "passed_next"),
    "plan": ("interval", "slice_lots", "next_time"),
    "agenda": (
        *("liquidation_first", "liquidation_last", "pool_cursor", "forced_first", "job_first"),
        *("restart_phase", "closing", "next_mark", "sweep_epoch", "next_funding"),
    ),
    "machine": ("passed_first", "epoch"),
}
UNUSED_TABLES = ("ledger", "fund", "feed", "provider_price", "tier", "pool", "position")
SLOT_OF_MARKET = ("book", "pending")  # as many rows as markets
TRIGGER_FIELDS = {"up_last": enums.TRIGGER_UP_LAST, "down_last": enums.TRIGGER_DOWN_LAST}


def check_model(model: Model) -> None:
    """AssertionError if the model breaks an invariant."""
    _check_model_money(model)
    _check_model_books(model)
    _check_model_outcomes(model)
    _check_model_plans(model)
    for heap in (model.timers, model.queue):
        keys = [heap.key(node) for node in heap.nodes]
        assert all(keys[i // 2 - 1] < keys[i - 1] for i in range(2, len(keys) + 1)), "heap"
    assert sorted(model.queue.nodes) == [m for m, book in sorted(model.books.items()) if book.queue]
    named: list[Any] = [t for o in model.orders.values() if (t := o.timer)]
    named += [t for p in model.plans.values() if (t := p.timer)]
    named += [t for a in model.accounts.values() if (t := a.timer)]
    named += [p.timer for p in model.pending.values()]
    assert sorted(map(id, named)) == sorted(map(id, model.timers.nodes)), "each timer has a subject"
    tasks = [task for task in model.tasks if task.kind == enums.TASK_ACCOUNT]
    assert all(model.accounts[task.subject].task is task for task in tasks)
    assert len(tasks) == sum(account.task is not None for account in model.accounts.values())


def _check_model_money(model: Model) -> None:
    held: Counter[int] = Counter()
    locked: Counter[tuple[int, int]] = Counter()
    market_orders: Counter[int] = Counter()
    for order in model.orders.values():
        market = model.markets[order.market]
        locked[order.account, order.pay_asset] += order.locked
        market_orders[market.venue] += 1
        assert order.lots > 0, f"order {order.id}: open without open lots"
        assert order.state in (enums.WAITING, enums.RESTING), f"order {order.id}: {order.state}"
        assert 0 <= order.cover <= order.lots, f"order {order.id}: cover"
        cost = market.cost(order.side, order.price, order.lots - order.cover)
        assert order.locked >= cost, f"order {order.id}: lock below its cost"
        if order.side == enums.SELL and not market.is_outcome:
            assert order.locked == cost, f"order {order.id}: lock"
    for account_id, account in model.accounts.items():
        is_user = account.kind == enums.ACCOUNT_USER
        assert not is_user or len(account.balances) <= limits.MAX_BALANCES
        assert len(account.orders) <= limits.MAX_OPEN_ORDERS
        assert len(account.plans) <= limits.MAX_PLANS
        assert len(account.holdings) <= limits.MAX_HOLDINGS
        for asset, balance in account.balances.items():
            assert balance.free >= 0, f"balance {balance.slot}: free {balance.free}"
            assert balance.locked == locked[account_id, asset], f"balance {balance.slot}: locked"
            held[asset] += balance.free + balance.locked
            record = model.assets[asset]
            is_quote = any(
                asset in (m.base, m.quote) and m.venue == record.venue
                for m in model.markets.values()
            )
            assert not record.is_simulated or is_quote or not balance.locked, "simulated, walled"
    for event in model.groups.values():
        assert event.cash >= 0, "cash of an event"
        held[event.asset] += event.cash
    for asset_id, asset in model.assets.items():
        assert 0 <= asset.total <= limits.MAX_TOTAL_ATOMS
        assert asset.total == held[asset_id] + asset.dust, f"asset {asset_id}: total"
    for market in model.markets.values():
        kinds = {
            (model.assets[a].is_simulated, model.assets[a].venue)
            for a in (market.base, market.quote)
            if a
        }
        assert len(kinds) == 1, f"market {market.slot}: simulated and real assets never meet"
    for venue_id, venue in model.venues.items():
        assert venue.market_orders == market_orders[venue_id], f"venue {venue_id}: market_orders"


def _check_model_books(model: Model) -> None:
    placed: list[int] = []
    for market_id, book in model.books.items():
        bids, asks = book.prices(enums.BUY), book.prices(enums.SELL)
        assert not bids or not asks or bids[0] < asks[0], f"market {market_id} is crossed"
        for side, levels in enumerate(book.levels):
            for price, level in levels.items():
                assert level.orders, f"market {market_id}: empty level at {price}"
                for order in level.orders:
                    assert (order.side, order.price) == (side, price)
                    assert order.state == enums.RESTING
                    placed.append(order.slot)
        keys = [(order.release, order.seq) for order in book.queue]
        assert keys == sorted(set(keys)), f"market {market_id}: queue"
        placed += [order.slot for order in book.queue]
    assert sorted(placed) == sorted(model.orders), "an order stands once, on a level or in a queue"
    for bucket, chain in model.buckets.items():
        assert len(chain) <= limits.MAX_BUCKET_LENGTH
        for order in chain:
            assert get_bucket(order.account, order.client_id) == bucket
            assert model.orders[order.slot] is order
    names = [(o.account, o.client_id) for o in model.orders.values() if o.client_id]
    assert len(names) == len(set(names)), "a client id names one open order of its account"


def _check_model_outcomes(model: Model) -> None:
    covered: Counter[tuple[int, int, int]] = Counter()
    for order in model.orders.values():
        covered[order.account, order.market, order.side] += order.cover
    yes: Counter[int] = Counter()
    no: Counter[int] = Counter()
    owed: Counter[int] = Counter()
    for holding in model.holdings.values():
        market = model.markets[holding.market]
        event = model.groups[market.group]
        what = f"holding {holding.slot}"
        name = (holding.account, holding.market)
        assert holding.no_locked == covered[*name, enums.BUY], f"{what}: no_locked"
        assert holding.yes_locked == covered[*name, enums.SELL], f"{what}: yes_locked"
        free_yes, free_no = holding.yes - holding.yes_locked, holding.no - holding.no_locked
        assert min(free_yes, free_no) == 0, f"{what}: unlocked lots on both sides or below 0"
        yes[holding.market] += holding.yes
        no[holding.market] += holding.no
        if event.state != enums.GROUP_OPEN:
            value = event.value_of_yes(market.outcome)
            owed[market.group] += holding.yes * value + holding.no * (event.unit - value)
    for group, event in model.groups.items():
        for slot in event.markets:
            assert model.books[slot].open_lots == yes[slot], f"market {slot}: open_lots"
            if event.state == enums.GROUP_OPEN:
                assert yes[slot] - no[slot] == event.sets, f"market {slot}: Yes - No = sets"
        if event.state == enums.GROUP_OPEN:
            lots = event.sets + sum(no[slot] for slot in event.markets)
            assert event.cash == event.unit * lots, f"event {group}: cash"
        else:
            assert event.cash == owed[group], f"event {group}: cash is what is owed"


def _check_model_plans(model: Model) -> None:
    armed = {}
    for market, book in model.books.items():
        for side, levels in book.triggers.items():
            for trigger, level in levels.items():
                assert level.orders, f"market {market}: empty trigger level {trigger}"
                for plan in level.orders:
                    assert (plan.market, plan.list_side, plan.trigger) == (market, side, trigger)
                    armed[plan.slot] = plan
        is_triggering = market in model.triggering
        assert is_triggering or book.trigger_low == book.trigger_high == 0, f"market {market}"
    assert len(model.triggering) == len(set(model.triggering))
    for slot, plan in model.plans.items():
        assert (slot in armed) == (plan.state == enums.PLAN_ARMED), f"plan {slot}: state"
        is_held = plan.parent is not None and plan.parent.filled == 0
        assert is_held == (plan.state == enums.PLAN_HELD), f"plan {slot}: held"
        assert sum(p is plan for p in plan.ring) == 1, f"plan {slot}: ring"
        assert {(p.account, p.market) for p in plan.ring} == {(plan.account, plan.market)}
        assert all(p.ring == plan.ring and model.plans[p.slot] is p for p in plan.ring)
        if plan.parent is not None:
            assert model.orders[plan.parent.slot] is plan.parent, f"plan {slot}: parent"
            assert plan.ring == plan.parent.children, f"plan {slot}: ring of its parent"
    for order in model.orders.values():
        assert all(plan.parent is order for plan in order.children), f"order {order.id}: children"


def _check_back_links(rows: Rows, slots: list[int], previous: str, what: str) -> None:
    links = [rows[previous][slot] for slot in slots]
    assert links == [0, *slots][: len(slots)], f"{what}: back links {links} of {slots}"


def _rows(tables: Tables, *names: str) -> list[Rows]:
    markets = Rows(tables, "market").rows
    counts = {"agenda": 1, "machine": 1, **dict.fromkeys(SLOT_OF_MARKET, markets)}
    return [Rows(tables, name, counts.get(name)) for name in names]


def _live(tables: Tables, name: str) -> list[int]:
    """Slots of a table that are in use."""
    (rows,) = _rows(tables, name)
    names = rows.array.dtype.names
    has_state = "state" in names and "next" in names
    return [slot for slot in rows.slots() if not has_state or rows["state"][slot] != enums.FREE]


def _check_tables(tables: Tables) -> None:
    """Free lists, slots never used, freed records, fields that nothing writes."""
    for name in TABLES:
        rows, table = Rows(tables, name), TABLE_BY_NAME[name]
        head = tables["head"][table.number]
        array = tables[name]
        assert 1 <= head["high_water"] <= table.capacity, f"{name}: high-water mark"
        free: list[int] = []
        if head["first_free"]:
            free = rows.walk(int(head["first_free"]), "next", f"free list of {name}")
        assert len(free) == len(set(free)), f"{name}: a slot is on the free list twice"
        dead = sorted(set(rows.slots()) - set(_live(tables, name)))
        assert sorted(free) == dead, f"{name}: free list {sorted(free)}, free slots {dead}"
        in_use = rows.rows - 1 - len(free)
        assert head["in_use"] == in_use, f"{name}: in_use {head['in_use']}, expected {in_use}"
        raw = array[: rows.rows].view(np.uint8).reshape(rows.rows, -1)
        assert not raw[0].any(), f"{name}: slot 0 is used"
        if rows.rows < table.capacity:
            beyond = array[rows.rows : rows.rows + 1].view(np.uint8)
            assert not beyond.any(), f"{name}: slot {rows.rows} at the high-water mark is used"
        if free:
            kept = raw[free]  # a copy; bytes, because a copy of records need not keep their gaps
            for field in ("generation", "next"):
                at = array.dtype.fields[field][1]
                kept[:, at : at + 4] = 0
            assert not kept.any(), f"{name}: a freed slot keeps more than it may"
            assert all(rows["generation"][slot] > 0 for slot in free), f"{name}: generation"
    for name, fields in NEVER_WRITTEN.items():
        (rows,) = _rows(tables, name)
        for field in fields:
            assert not any(rows[field]), f"{name}.{field} is written"
    for name in UNUSED_TABLES:
        head = tables["head"][TABLE_BY_NAME[name].number]
        assert head["high_water"] <= 1, f"{name} is used"
        assert head["in_use"] == 0, f"{name} is used"


def _check_heaps(tables: Tables) -> None:
    """Every node stands not before its parent, its subject knows its place, nothing stands beyond."""
    places: dict[str, dict[int, int]] = {
        name: {} for name in ("order", "plan", "account", "market", "book")
    }
    subjects = {
        enums.TIMER_ORDER: "order",
        enums.TIMER_PLAN: "plan",
        enums.TIMER_ACCOUNT: "account",
        enums.TIMER_MARKET: "market",
    }
    for name, key in (("timer", "time"), ("queue", "release")):
        size = int(tables["head"]["in_use"][TABLE_BY_NAME[name].number])
        rows = Rows(tables, name, size + 1)
        keys = list(zip(rows[key], rows["seq"], strict=True))
        assert all(keys[i // 2] < keys[i] for i in range(2, size + 1)), f"{name}: heap"
        beyond = tables[name][size + 1 : size + 2].view(np.uint8)
        assert not beyond.any(), f"{name}: a node beyond the size is used"
        for node in range(1, size + 1):
            is_timer = name == "timer"
            subject = subjects[rows["kind"][node]] if is_timer else "book"
            places[subject][rows["subject" if is_timer else "book"][node]] = node
    for name, found in places.items():
        (rows,) = _rows(tables, name)
        field = "queue" if name == "book" else "timer"
        named = {slot: rows[field][slot] for slot in _live(tables, name) if rows[field][slot]}
        assert named == found, f"{name}.{field}: {named}, nodes {found}"


def _check_people(tables: Tables) -> None:
    """Lists of owners, keys, accounts, balances, orders, plans, holdings and approvals."""
    owner, account, key = _rows(tables, "owner", "account", "key")
    seen: dict[str, list[int]] = {"account": [], "key": []}
    for slot in owner.slots():
        accounts = account.walk(owner["first_account"][slot], "next", f"accounts of {slot}")
        keys = key.walk(owner["first_key"][slot], "next", f"keys of {slot}")
        assert owner["account_count"][slot] == len(accounts), f"owner {slot}: account_count"
        assert owner["key_count"][slot] == len(keys) <= limits.MAX_KEYS, f"owner {slot}: key_count"
        assert all(account["owner"][a] == slot for a in accounts), f"owner {slot}: accounts"
        assert all(key["owner"][k] == slot for k in keys), f"owner {slot}: keys"
        assert account["index"][accounts[0]] == 0, f"owner {slot}: main account comes first"
        indices = sorted(account["index"][a] for a in accounts)
        assert indices == list(range(len(accounts))), f"owner {slot}: account indices {indices}"
        seen["account"] += accounts
        seen["key"] += keys
    lists = (  # table, link, link back, what the list is sorted by, most of them (of kind USER)
        ("balance", "next", "previous", ("asset",), limits.MAX_BALANCES),
        ("holding", "next", "previous", ("market",), limits.MAX_HOLDINGS),
        ("approval", "next", "previous", ("kind", "subject"), limits.MAX_APPROVALS),
        ("order", "account_next", "account_previous", (), limits.MAX_OPEN_ORDERS),
        ("plan", "account_next", "account_previous", (), limits.MAX_PLANS),
    )
    for name, link, back, order, most in lists:
        (rows,) = _rows(tables, name)
        seen[name] = []
        for slot in account.slots():
            what = f"{name}s of account {slot}"
            things = rows.walk(account[f"first_{name}"][slot], link, what)
            names = [tuple(rows[field][thing] for field in order) for thing in things]
            assert not order or names == sorted(set(names)), f"{what}: sorted, none twice: {names}"
            assert account[f"{name}_count"][slot] == len(things), f"{what}: count"
            is_bound = name != "balance" or account["kind"][slot] == enums.ACCOUNT_USER
            assert not is_bound or len(things) <= most, f"{what}: {len(things)}"
            assert all(rows["account"][thing] == slot for thing in things), what
            _check_back_links(rows, things, back, what)
            seen[name] += things
    for name, slots in seen.items():
        live = _live(tables, name)
        if name == "approval":  # access records hang in buckets, in no account's list
            kinds = Rows(tables, "approval")["kind"]
            live = [slot for slot in live if kinds[slot] != enums.APPROVAL_ACCESS]
        assert sorted(slots) == live, f"{name}: records in use that no list holds, or twice"


def _check_money(tables: Tables) -> None:
    """Conservation, and locks equal to open orders."""
    asset, balance, order, market, event, holding = _rows(
        tables, "asset", "balance", "order", "market", "event_group", "holding"
    )
    held: Counter[int] = Counter()
    locked: Counter[int] = Counter()
    uses: Counter[int] = Counter()
    named: Counter[int] = Counter()
    for slot in _live(tables, "order"):
        where = order["market"][slot]
        pay, receive = order["pay_balance"][slot], order["receive_balance"][slot]
        locked[pay] += order["locked"][slot]
        uses[pay] += 1
        uses[receive] += 1
        lots, price, side = order["lots"][slot], order["price"][slot], order["side"][slot]
        cover = order["cover"][slot]
        assert lots > 0, f"order {slot}: lots"
        assert 1 <= price <= market["max_price"][where], f"order {slot}: price"
        assert 0 <= cover <= lots, f"order {slot}: cover {cover}"
        quote, value = market["quote"][where], price * market["tick_value"][where]
        base = quote
        if market["kind"][where] == enums.MARKET_OUTCOME:
            named[order["holding"][slot]] += 1
            each = value if side == enums.BUY else market["lot_size"][where] - value
        else:
            base = market["base"][where]
            each = value if side == enums.BUY else market["lot_size"][where]
            assert order["holding"][slot] == cover == 0, f"order {slot}: spot"
            is_exact = side == enums.BUY or order["locked"][slot] == each * lots
            assert is_exact, f"order {slot}: lock is not its base"
        assert order["locked"][slot] >= each * (lots - cover), f"order {slot}: lock below its cost"
        expected = (quote, base) if side == enums.BUY else (base, quote)
        for b, of in zip((pay, receive), expected, strict=True):
            found = (balance["account"][b], balance["asset"][b])
            assert found == (order["account"][slot], of), f"order {slot}: balance {b}"
    for slot in _live(tables, "balance"):
        free = balance["free"][slot]
        assert free >= 0, f"balance {slot}: free {free}"
        assert balance["locked"][slot] == locked[slot], f"balance {slot}: locked"
        assert balance["uses"][slot] == uses[slot], f"balance {slot}: uses"
        held[balance["asset"][slot]] += free + balance["locked"][slot]
    for slot in _live(tables, "holding"):
        assert holding["uses"][slot] == named[slot], f"holding {slot}: uses"
    for slot in event.slots():
        assert event["cash"][slot] >= 0, f"event {slot}: cash"
        held[event["asset"][slot]] += event["cash"][slot]
    for slot in asset.slots():
        total = asset["total"][slot]
        assert 0 <= total <= limits.MAX_TOTAL_ATOMS, f"asset {slot}: total {total}"
        assert total == held[slot] + asset["dust"][slot], (
            f"asset {slot}: {total} owed, {held[slot]}"
        )


def _check_books(tables: Tables) -> None:
    """Levels of orders and of plans, release queues, the list of books to look at."""
    order, level, plan, book, agenda = _rows(tables, "order", "level", "plan", "book", "agenda")
    placed: dict[str, list[int]] = {"order": [], "plan": []}
    used_levels: list[int] = []
    sides = {"best_bid": enums.BUY, "best_ask": enums.SELL, **TRIGGER_FIELDS}
    falling = (enums.BUY, enums.TRIGGER_DOWN_LAST)
    waiting_books = []
    for slot in range(1, book.rows):
        best: list[int] = []
        resting = 0
        for field, side in sides.items():
            what = f"market {slot} {field}"
            is_plan = field in TRIGGER_FIELDS
            name = "plan" if is_plan else "order"
            things = plan if is_plan else order
            levels = level.walk(book[field][slot], "next", what)
            prices = [level["price"][x] for x in levels]
            expected = sorted(set(prices), reverse=side in falling)
            assert prices == expected, f"{what}: levels {prices}"
            if not is_plan:
                assert book[("bid_levels", "ask_levels")[side]][slot] == len(levels), what
                best += prices[:1]
            _check_back_links(level, levels, "previous", what)
            used_levels += levels
            for x in levels:
                members = things.walk(level["first"][x], "next", f"{what}: level {x}")
                assert members, f"{what}: level {x} is empty"
                assert level["last"][x] == members[-1], f"{what}: last of level {x}"
                lots = 0 if is_plan else sum(order["lots"][o] for o in members)
                assert level["lots"][x] == lots, f"{what}: lots"
                assert level["count"][x] == len(members), f"{what}: count"
                assert (level["market"][x], level["side"][x]) == (slot, side), what
                _check_back_links(things, members, "previous", f"{what}: level {x}")
                names = ("state", "market", "trigger" if is_plan else "price", "level")
                state = enums.PLAN_ARMED if is_plan else enums.RESTING
                for o in members:
                    found = tuple(things.get(o, names).values())
                    assert found == (state, slot, level["price"][x], x), f"{what}: {o} is {found}"
                    assert is_plan or order["side"][o] == side, f"{what}: side of {o}"
                placed[name] += members
                resting += 0 if is_plan else len(members)
        assert len(best) < 2 or best[0] < best[1], f"market {slot} is crossed: {best}"
        assert book["order_count"][slot] == resting, f"market {slot}: order_count"
        waiting = order.walk(book["waiting_first"][slot], "next", f"queue of {slot}")
        assert book["waiting_count"][slot] == len(waiting), f"market {slot}: waiting_count"
        assert book["waiting_last"][slot] == (waiting[-1] if waiting else 0), f"market {slot}"
        _check_back_links(order, waiting, "previous", f"queue of {slot}")
        times = [(order["release"][o], order["seq"][o]) for o in waiting]
        assert times == sorted(set(times)), f"queue of {slot}: {times}"
        for o in waiting:
            found = tuple(order.get(o, ("state", "market", "level")).values())
            assert found == (enums.WAITING, slot, 0), f"queue of {slot}: {found}"
        placed["order"] += waiting
        key = tuple(book[f][slot] for f in ("release", "release_seq", "release_block"))
        if waiting:
            assert key == (*times[0], order["release_block"][waiting[0]]), f"key of {slot}: {key}"
            assert book["last_release"][slot] == times[-1][0], f"last_release of {slot}"
            waiting_books.append(slot)
        else:
            assert key == (0, 0, 0), f"key of {slot}: {key} of an empty queue"
        is_in_heap = book["queue"][slot] != 0
        assert is_in_heap == bool(waiting), f"market {slot}: queue"
        is_woken = book["is_triggering"][slot] != 0
        bounds = (book["trigger_low"][slot], book["trigger_high"][slot])
        assert is_woken == (bounds != (0, 0)), f"market {slot}: trigger_low, trigger_high"
    woken = book.walk(agenda["trigger_first"][0], "trigger_next", "books to look at")
    assert agenda["trigger_last"][0] == (woken[-1] if woken else 0), "books to look at: last"
    expected = [slot for slot in range(1, book.rows) if book["is_triggering"][slot]]
    assert sorted(woken) == expected, f"books to look at: {woken}, {expected}"
    held = [p for p in _live(tables, "plan") if plan["state"][p] == enums.PLAN_HELD]
    assert sorted(placed["order"]) == _live(tables, "order"), "orders"
    assert sorted(placed["plan"] + held) == _live(tables, "plan"), "plans"
    assert sorted(used_levels) == _live(tables, "level"), "levels"


def _check_families(tables: Tables) -> None:
    """Rings of plans and their parents; tasks and their accounts."""
    order, plan, task, account, agenda = _rows(tables, "order", "plan", "task", "account", "agenda")
    parents = {}
    for slot in _live(tables, "order"):
        child = first = order["first_child"][slot]
        while child:
            assert plan["state"][child] != enums.FREE, f"order {slot}: child {child} is free"
            assert child not in parents, f"plan {child}: two parents, or a ring that does not close"
            parents[child] = slot
            child = plan["sibling"][child]
            child = 0 if child == first else child
    for slot in _live(tables, "plan"):
        assert plan["parent"][slot] == parents.get(slot, 0), f"plan {slot}: parent"
    followed = [p for slot in _live(tables, "plan") if (p := plan["sibling"][slot])]
    assert len(followed) == len(set(followed)), "a plan follows two others in a ring"
    running = task.walk(agenda["task_first"][0], "next", "tasks")
    assert agenda["task_last"][0] == (running[-1] if running else 0), "tasks: last"
    assert sorted(running) == _live(tables, "task"), "tasks"
    of = {
        task["subject"][t]: t for t in running if task["kind"][t] == enums.TASK_ACCOUNT
    }
    named = {slot: t for slot in account.slots() if (t := account["task"][slot])}
    assert named == of, f"account.task: {named}, tasks {of}"


def _chain(tables: Tables, rows: Rows, bucket: int, slots: list[int]) -> None:
    record = tables["bucket"][bucket]
    chain = rows.walk(int(record["first"]), "bucket_next", f"bucket {bucket}")
    assert sorted(chain) == sorted(slots), f"bucket {bucket}: {chain}, expected {slots}"
    assert record["length"] == len(chain) <= limits.MAX_BUCKET_LENGTH, f"bucket {bucket}: length"


def _bucketed(tables: Tables) -> dict[int, tuple[str, list[int]]]:
    """Table and slots of what must hang in each bucket."""
    order, approval = _rows(tables, "order", "approval")
    found: dict[int, tuple[str, list[int]]] = {}
    names = set()
    for slot in _live(tables, "order"):
        client_id = order["client_id1"][slot] << 64 | order["client_id0"][slot]
        if not client_id:
            continue
        name = (order["account"][slot], client_id)
        assert name not in names, f"client id {client_id} of account {name[0]} names two orders"
        names.add(name)
        bucket = get_bucket(*name)
        assert order["bucket"][slot] == bucket, f"order {slot}: bucket"
        found.setdefault(bucket, ("order", []))[1].append(slot)
    for slot in _live(tables, "approval"):
        if approval["kind"][slot] == enums.APPROVAL_ACCESS:
            of = tuple(approval.get(slot, ("subject", "account", "value")).values())
            found.setdefault(get_access_bucket(*of), ("approval", []))[1].append(slot)
    return found


def _check_buckets(tables: Tables) -> None:
    for bucket, (name, slots) in _bucketed(tables).items():
        _chain(tables, Rows(tables, name), bucket, slots)


def check_records(tables: Tables, *, is_thorough: bool = False) -> None:
    """AssertionError if record arrays break an invariant.

    The engine's own audit reads every rule; the walks here are written anew, in plain Python with unbounded
    integers, so that a mistake of the audit would have to be made twice.

    Parameters
    ----------
    tables : mapping of str to ndarray
        record arrays by table name, fields as in `tradezone.protocol.records`
    is_thorough : bool
        have the audit read unused memory as well
    """
    from tradezone.engine import audit_state  # only where there is an engine: it compiles

    found = audit_state(tables, is_thorough=is_thorough)
    assert not found, "\n".join(map(str, found))
    _check_tables(tables)
    _check_heaps(tables)
    _check_people(tables)
    _check_money(tables)
    _check_books(tables)
    _check_families(tables)
    _check_buckets(tables)


def check_no_stray_bucket(tables: Tables) -> None:
    """AssertionError if a bucket is in use in which nothing must hang. Reads the whole table."""
    used = _bucketed(tables).keys()
    for field in ("first", "length"):
        found = set(np.flatnonzero(tables["bucket"][field]).tolist())
        assert found == used, f"bucket.{field}: {sorted(found ^ used)}"
