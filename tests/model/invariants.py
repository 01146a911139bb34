"""What holds after every block (docs/spec/orders.md, outcome.md, plans.md), checked on the model and on record arrays."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.model.compare import Rows, Tables, get_word
from tests.model.orders import get_bucket
from tests.model.state import TABLES
from tradezone.protocol import enums, limits
from tradezone.protocol.records import TABLE_BY_NAME

if TYPE_CHECKING:
    from tests.model.engine import Model


def check_model(model: Model) -> None:
    """AssertionError if the model breaks an invariant."""
    _check_model_money(model)
    _check_model_books(model)
    _check_model_outcomes(model)
    _check_model_plans(model)
    _check_model_perps(model)
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


def _check_model_perps(model: Model) -> None:
    """docs/spec/perps.md, Invariants."""
    owed: Counter[tuple[int, int]] = Counter()
    standing: Counter[int] = Counter()
    for pool in model.pools.values():
        wall = (pool.venue, pool.asset)
        owed[wall] += pool.collateral + sum(p.quote for p in pool.positions.values())
        assert model.accounts[pool.account].pools[pool.key] is pool
        assert pool.ledger is model.ledgers[wall]
        assert len(pool.positions) <= limits.MAX_POSITIONS
        assert (pool in model.liquidating) == (pool.state == enums.POOL_LIQUIDATING), pool.slot
        is_registered = any(p.is_registered for p in pool.positions.values())
        assert is_registered == (pool.state == enums.POOL_BANKRUPT), pool.slot
        assert 0 <= pool.pulled <= pool.allowance or pool.pulled == 0
        has_lots = any(p.lots for p in pool.positions.values())
        assert has_lots or is_registered or pool.collateral >= 0, f"pool {pool.slot}: owes"
        for market, position in pool.positions.items():
            assert (position.market, position.pool) == (market, pool)
            assert pool.market in (0, market)
            assert model.positions[position.slot] is position
            perp = model.perps[market]
            size = abs(position.lots) * perp.market.max_price * perp.tv
            assert size <= limits.MAX_POSITION_VALUE
            for side in (1, -1):
                standing[position.slot, side] = perp.sides[side].count(position)
                assert standing[position.slot, side] == (position.side == side)
    for market, perp in model.perps.items():
        listed = perp.sides[1] + perp.sides[-1]
        moved, money = (perp.job.lots, perp.job.money) if perp.job else (0, 0)
        assert sum(p.lots for p in listed) == moved, f"market {market}: lots"
        # Lots that a job has moved on one side only are worth the mark, which stands still.
        owed[perp.market.venue, perp.market.quote] += money + moved * perp.mark * perp.tv
        assert len(listed) == sum(
            p.market == market and p.lots != 0 for p in model.positions.values()
        )
        owed[perp.market.venue, perp.market.quote] += perp.pot
        assert abs(perp.funding_index) < 1 << 62
        assert (perp.job is not None) == (market in model.jobs)
    for wall, ledger in model.ledgers.items():
        assert min(ledger.cash, ledger.deficit, ledger.fund) >= 0, f"ledger {wall}"
        total = owed[wall] + ledger.fund
        assert ledger.cash + ledger.deficit == total, (
            f"ledger {wall}: {ledger.cash} + {ledger.deficit} against {total}"
        )


def _check_model_money(model: Model) -> None:
    held: Counter[int] = Counter()
    locked: Counter[tuple[int, int]] = Counter()
    market_orders: Counter[int] = Counter()
    for order in model.orders.values():
        market = model.markets[order.market]
        market_orders[market.venue] += 1
        if not market.is_perp:
            locked[order.account, order.pay_asset] += order.locked
        assert order.lots > 0, f"order {order.id}: open without open lots"
        assert order.state in (enums.WAITING, enums.RESTING), f"order {order.id}: {order.state}"
        assert 0 <= order.cover <= order.lots, f"order {order.id}: cover"
        if market.is_perp:
            continue
        cost = market.cost(order.side, order.price, order.lots - order.cover)
        assert order.locked >= cost, f"order {order.id}: lock below its cost"
        if order.side == enums.SELL and not market.is_outcome:
            assert order.locked == cost, f"order {order.id}: lock"
    for account_id, account in model.accounts.items():
        is_user = account.kind == enums.ACCOUNT_USER
        assert not is_user or len(account.balances) <= limits.MAX_BALANCES
        own = [order for order in account.orders if not order.is_forced]
        assert len(own) <= limits.MAX_OPEN_ORDERS
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
    for ledger in model.ledgers.values():
        held[ledger.asset] += ledger.cash
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


def _is_live(name: str, rows: Rows, slot: int) -> bool:
    has_state = name in ("account", "key", "balance", "level", "order", "plan", "holding", "task")
    return not has_state or rows["state"][slot] != enums.FREE


def _check_free_lists(tables: Tables) -> None:
    """Walk every free list: it holds each free slot once, and ends."""
    for name in TABLES:
        rows, head = Rows(tables, name), tables["head"][TABLE_BY_NAME[name].number]
        free: list[int] = []
        if head["first_free"]:
            free = rows.walk(int(head["first_free"]), "next", f"free list of {name}")
        assert len(free) == len(set(free)), f"{name}: a slot is on the free list twice"
        in_use = rows.rows - 1 - len(free)
        assert head["in_use"] == in_use, f"{name}: in_use {head['in_use']}, expected {in_use}"


def _check_people(tables: Tables) -> None:
    """Lists of owners, keys, accounts and balances."""
    names = ("owner", "account", "key", "balance", "order", "plan", "holding")
    owner, account, key, balance, order, plan, holding = (Rows(tables, name) for name in names)
    seen: dict[str, list[int]] = {name: [] for name in names[1:]}
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
    for slot in account.slots():
        what = f"account {slot}"
        balances = balance.walk(account["first_balance"][slot], "next", f"balances of {what}")
        orders = order.walk(account["first_order"][slot], "account_next", f"orders of {what}")
        assets = [balance["asset"][b] for b in balances]
        assert assets == sorted(set(assets)), f"{what}: balances sorted by asset: {assets}"
        assert account["balance_count"][slot] == len(balances), what
        is_user = account["kind"][slot] == enums.ACCOUNT_USER
        assert not is_user or len(balances) <= limits.MAX_BALANCES, what
        assert account["order_count"][slot] == len(orders), what
        own = [o for o in orders if not order["flags"][o] & enums.ORDER_FORCED]
        assert len(own) <= limits.MAX_OPEN_ORDERS, what
        assert all(balance["account"][b] == slot for b in balances), what
        assert all(order["account"][o] == slot for o in orders), what
        _check_back_links(balance, balances, "previous", f"balances of {what}")
        _check_back_links(order, orders, "account_previous", f"orders of {what}")
        plans = plan.walk(account["first_plan"][slot], "account_next", f"plans of {what}")
        holdings = holding.walk(account["first_holding"][slot], "next", f"holdings of {what}")
        assert account["plan_count"][slot] == len(plans) <= limits.MAX_PLANS, what
        assert account["holding_count"][slot] == len(holdings) <= limits.MAX_HOLDINGS, what
        _check_back_links(plan, plans, "account_previous", f"plans of {what}")
        _check_back_links(holding, holdings, "previous", f"holdings of {what}")
        seen["balance"] += balances
        seen["order"] += orders
        seen["plan"] += plans
        seen["holding"] += holdings
    for name, slots in seen.items():
        rows = Rows(tables, name)
        live = [slot for slot in rows.slots() if _is_live(name, rows, slot)]
        assert sorted(slots) == live, f"{name}: records in use that no list holds, or twice"


def _check_money(tables: Tables) -> None:
    """Conservation with unbounded integers, order by order, holding by holding."""
    names = ("asset", "balance", "order", "market", "event_group", "holding")
    asset, balance, order, market, group, holding = (Rows(tables, name) for name in names)
    held: Counter[int] = Counter()
    locked: Counter[int] = Counter()
    covered: Counter[tuple[int, int]] = Counter()
    for slot in order.slots():
        if order["state"][slot] == enums.FREE:
            continue
        where, side, lots = (order[name][slot] for name in ("market", "side", "lots"))
        if market["kind"][where] == enums.MARKET_PERP:
            continue  # its money is in a pool
        locked[order["pay_balance"][slot]] += order["locked"][slot]
        covered[order["holding"][slot], side] += order["cover"][slot]
        opens = lots - order["cover"][slot]
        value = order["price"][slot] * market["tick_value"][where]
        unit = market["lot_size"][where]
        if side == enums.SELL:
            value = unit - value if market["kind"][where] == enums.MARKET_OUTCOME else unit
        assert lots >= 1, f"order {slot}: lots"
        assert order["locked"][slot] >= opens * value, f"order {slot}: lock below its cost"
    for slot in balance.slots():
        if balance["state"][slot] == enums.FREE:
            continue
        free = balance["free"][slot]
        assert free >= 0, f"balance {slot}: free {free}"
        assert balance["locked"][slot] == locked[slot], f"balance {slot}: locked"
        held[balance["asset"][slot]] += free + balance["locked"][slot]
    owed: Counter[int] = Counter()
    for slot in holding.slots():
        if holding["state"][slot] == enums.FREE:
            continue
        what, event = f"holding {slot}", holding["group"][slot]
        assert holding["no_locked"][slot] == covered[slot, enums.BUY], what
        assert holding["yes_locked"][slot] == covered[slot, enums.SELL], what
        if group["state"][event] == enums.GROUP_OPEN:
            owed[event] += holding["no"][slot] * group["unit"][event]
            continue
        word = int(get_word(group, event, "payouts"), 16)
        part = word >> 16 * (limits.MAX_OUTCOMES - 1 - holding["outcome"][slot]) & 0xFFFF
        value = group["unit"][event] * part // limits.PAYOUT_UNIT
        owed[event] += holding["yes"][slot] * value
        owed[event] += holding["no"][slot] * (group["unit"][event] - value)
    for slot in group.slots():
        if group["state"][slot] == enums.GROUP_OPEN:
            owed[slot] += group["sets"][slot] * group["unit"][slot]
        assert group["cash"][slot] == owed[slot], f"event {slot}: cash"
        held[group["asset"][slot]] += group["cash"][slot]
    for slot in Rows(tables, "ledger").slots():
        held[int(tables["ledger"]["asset"][slot])] += int(tables["ledger"]["cash"][slot])
    for slot in asset.slots():
        total = asset["total"][slot]
        assert 0 <= total <= limits.MAX_TOTAL_ATOMS, f"asset {slot}: total {total}"
        assert total == held[slot] + asset["dust"][slot], f"asset {slot}: {total}, {held[slot]}"


def _check_walls(tables: Tables) -> None:
    """What every venue holds of an asset is what it owes, pool by pool, and lots have another side."""
    names = ("ledger", "pool", "position", "market")
    ledger, pool, position, market = (Rows(tables, name) for name in names)
    price, job = (Rows(tables, name, market.rows) for name in ("price", "job"))
    owed: Counter[int] = Counter({slot: ledger["fund"][slot] for slot in ledger.slots()})
    lots: Counter[int] = Counter()
    for slot in pool.slots():
        if pool["state"][slot] == enums.FREE:
            continue
        where = pool["ledger"][slot]
        owed[where] += pool["collateral"][slot]
        held = position.walk(pool["first_position"][slot], "next", f"positions of pool {slot}")
        for one in held:
            owed[where] += position["quote"][one]
            lots[position["market"][one]] += position["lots"][one]
    for slot in market.slots():
        if market["kind"][slot] == enums.MARKET_PERP and not market["guest_of"][slot]:
            value = price["mark"][slot] * market["tick_value"][slot]
            moved = job["lots_moved"][slot]
            owed[market["ledger"][slot]] += price["pot"][slot] + job["money"][slot] + moved * value
            assert lots[slot] == moved, f"market {slot}: lots sum to {lots[slot]}"
    for slot in ledger.slots():
        has = ledger["cash"][slot] + ledger["deficit"][slot]
        assert has == owed[slot], f"ledger {slot}: has {has}, owes {owed[slot]}"


def _check_books(tables: Tables) -> None:
    """Walk levels and queues of every book."""
    order, level, market = (Rows(tables, name) for name in ("order", "level", "market"))
    book = Rows(tables, "book", market.rows)
    placed: list[int] = []
    for slot in range(1, market.rows):
        best: list[int] = []
        for side, field in ((enums.BUY, "best_bid"), (enums.SELL, "best_ask")):
            what = f"market {slot} {field}"
            levels = level.walk(book[field][slot], "next", what)
            prices = [level["price"][x] for x in levels]
            assert prices == sorted(set(prices), reverse=side == enums.BUY), f"{what}: {prices}"
            best += prices[:1]
            for x in levels:
                orders = order.walk(level["first"][x], "next", f"{what}: level {x}")
                assert orders, f"{what}: level {x} is empty"
                assert level["lots"][x] == sum(order["lots"][o] for o in orders), f"{what}: lots"
                placed += orders
        assert len(best) < 2 or best[0] < best[1], f"market {slot} is crossed: {best}"
        waiting = order.walk(book["waiting_first"][slot], "next", f"queue of {slot}")
        times = [(order["release"][o], order["seq"][o]) for o in waiting]
        assert times == sorted(set(times)), f"queue of {slot}: {times}"
        placed += waiting
    assert sorted(placed) == [s for s in order.slots() if order["state"][s] != enums.FREE], "orders"


def _check_client_ids(tables: Tables) -> None:
    order = Rows(tables, "order")
    named: dict[int, list[int]] = {}
    names = set()
    for slot in order.slots():
        client_id = order["client_id1"][slot] << 64 | order["client_id0"][slot]
        if order["state"][slot] == enums.FREE or not client_id:
            continue
        name = (order["account"][slot], client_id)
        assert name not in names, f"client id {client_id} of account {name[0]} names two orders"
        names.add(name)
        named.setdefault(get_bucket(*name), []).append(slot)
    for bucket, slots in named.items():
        record = tables["bucket"][bucket]
        chain = order.walk(int(record["first"]), "bucket_next", f"bucket {bucket}")
        assert sorted(chain) == sorted(slots), f"bucket {bucket}: {chain}, expected {slots}"
        assert record["length"] == len(chain) <= limits.MAX_BUCKET_LENGTH, (
            f"bucket {bucket}: length"
        )


def check_records(tables: Tables, *, is_thorough: bool = False) -> None:
    """AssertionError if record arrays break an invariant.

    The engine's own audit reads every rule; the walks here are written anew, in plain Python with unbounded
    integers, so that a mistake of the audit would have to be made twice.

    Parameters
    ----------
    tables : mapping of str to ndarray
        record arrays by table name, fields as in `tradezone.protocol.records`
    is_thorough : bool
        read unused memory as well
    """
    from tradezone.engine import audit_state  # only where there is an engine: it compiles

    found = audit_state(tables, is_thorough=is_thorough)
    assert not found, "\n".join(map(str, found))
    _check_free_lists(tables)
    _check_people(tables)
    _check_money(tables)
    _check_walls(tables)
    _check_books(tables)
    _check_client_ids(tables)


def check_no_stray_bucket(tables: Tables) -> None:
    """AssertionError if a bucket is in use that no open order hangs in. Reads the whole table."""
    order = Rows(tables, "order")
    used = {
        get_bucket(order["account"][s], order["client_id1"][s] << 64 | order["client_id0"][s])
        for s in order.slots()
        if order["state"][s] != enums.FREE and (order["client_id0"][s] or order["client_id1"][s])
    }
    for field in ("first", "length"):
        found = set(np.flatnonzero(tables["bucket"][field][: limits.ORDER_BUCKETS]).tolist())
        assert found == used, f"bucket.{field}: {sorted(found ^ used)}"
