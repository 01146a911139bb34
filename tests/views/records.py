"""What an engine's records say, read the plain way, to hold views against; and all views side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tradezone.client import OrderTracker
from tradezone.protocol.enums import (
    BUY,
    FREE,
    GROUP_OPEN,
    PLAN_ARMED,
    RESTING,
    SELL,
    TASK_ACCOUNT,
    TIMER_ACCOUNT,
)
from tradezone.protocol.events import EVENT_DTYPE
from tradezone.protocol.records import TABLE_BY_NAME
from tradezone.views import CandleFeed, DepthBook, DepthFeed, L3Feed, Ledger, MarketTerms

Tables = Mapping[str, np.ndarray]


def build_events(events: Sequence[Mapping[str, int]]) -> np.ndarray:
    """An event array from dicts that name every column."""
    rows = [tuple(event[name] for name in EVENT_DTYPE.names) for event in events]
    return np.array(rows, dtype=EVENT_DTYPE)


def get_used(tables: Tables, name: str) -> np.ndarray:
    """Records of a table below its high-water mark."""
    return tables[name][: int(tables["head"]["high_water"][TABLE_BY_NAME[name].number])]


def read_queues(tables: Tables, market: int, side: int) -> list[tuple[int, list[tuple[int, int]]]]:
    """Levels of a side as the records link them, best first: (price, [(order id, open lots)])."""
    queues = []
    level_slot = int(tables["book"][market]["best_bid" if side == BUY else "best_ask"])
    while level_slot:
        level = tables["level"][level_slot]
        queue, order_slot = [], int(level["first"])
        while order_slot:
            order = tables["order"][order_slot]
            queue.append((int(order["generation"]) << 32 | order_slot, int(order["lots"])))
            order_slot = int(order["next"])
        assert (int(level["lots"]), int(level["count"])) == (sum(q[1] for q in queue), len(queue))
        queues.append((int(level["price"]), queue))
        level_slot = int(level["next"])
    return queues


def read_orders(tables: Tables) -> dict[int, tuple[Any, ...]]:
    """Open orders by id: account, market, side, price, lots, filled, locked, cover, interface fee, whether it
    rests, client id.
    """
    orders = get_used(tables, "order")
    found = {}
    for slot in np.flatnonzero(orders["state"] != FREE).tolist():
        order = orders[slot]
        names = ("account", "market", "side", "price", "lots", "filled", "locked", "cover")
        client_id = int(order["client_id1"]) << 64 | int(order["client_id0"])
        found[int(order["generation"]) << 32 | slot] = (
            *(int(order[name]) for name in (*names, "interface_fee")),
            int(order["state"]) == RESTING,
            client_id,
        )
    return found


def read_balances(tables: Tables) -> dict[tuple[int, int], tuple[int, int]]:
    """(free, locked) by (account, asset), of balances that are not empty."""
    balances = get_used(tables, "balance")
    columns = (balances[name].tolist() for name in ("account", "asset", "free", "locked"))
    return {
        (a, b): (free, locked) for a, b, free, locked in zip(*columns, strict=True) if free + locked
    }


def read_holdings(tables: Tables) -> dict[tuple[int, int], tuple[int, ...]]:
    """(yes, no, yes_locked, no_locked) by (account, market), of holdings that are not empty."""
    names = ("yes", "no", "yes_locked", "no_locked")
    found = {}
    for holding in get_used(tables, "holding"):
        lots = tuple(int(holding[name]) for name in names)
        if int(holding["state"]) != FREE and any(lots):
            found[int(holding["account"]), int(holding["market"])] = lots
    return found


def read_plans(tables: Tables) -> dict[int, tuple[Any, ...]]:
    """Plans by id: parent's id, account, market, side, kind, source, grouping, trigger, price, lots, whether armed."""
    plans = get_used(tables, "plan")
    names = ("account", "market", "side", "kind", "source", "grouping", "trigger", "price", "lots")
    found = {}
    for slot in np.flatnonzero(plans["state"] != FREE).tolist():
        plan = plans[slot]
        parent = int(plan["parent"])
        if parent:
            parent |= int(tables["order"][parent]["generation"]) << 32
        values = (int(plan[name]) for name in names)
        is_armed = int(plan["state"]) == PLAN_ARMED
        found[int(plan["generation"]) << 32 | slot] = (parent, *values, is_armed)
    return found


def read_outcome_events(tables: Tables) -> dict[int, tuple[int, ...]]:
    """Events by slot: venue, asset, unit, outcomes, cash, sets, state (0 = open)."""
    names = ("venue", "asset", "unit", "outcomes", "cash", "sets", "state")
    found = {}
    for slot, group in enumerate(get_used(tables, "event_group")):
        if slot:
            *values, state = (int(group[name]) for name in names)
            found[slot] = (*values, 0 if state == GROUP_OPEN else state)
    return found


def read_dead_man(tables: Tables) -> dict[int, int]:
    """Time of the dead-man switch by account, ms."""
    used = int(tables["head"]["in_use"][TABLE_BY_NAME["timer"].number])
    timers = tables["timer"][1 : used + 1]  # a heap
    is_mine = timers["kind"] == TIMER_ACCOUNT
    return dict(
        zip(timers["subject"][is_mine].tolist(), timers["time"][is_mine].tolist(), strict=True)
    )


def read_tasks(tables: Tables) -> dict[tuple[int, int], tuple[int, int]]:
    """Running cancel-alls, (side, reason) by (account, 0) or (0, market)."""
    tasks, found = get_used(tables, "task"), {}
    for task in tasks[tasks["state"] != FREE]:
        subject = int(task["subject"])
        key = (subject, 0) if int(task["kind"]) == TASK_ACCOUNT else (0, subject)
        found[key] = (int(task["side"]), int(task["reason"]))
    return found


def read_terms(tables: Tables) -> dict[int, MarketTerms]:
    """Terms of all markets."""
    markets = get_used(tables, "market")
    names = [name for name in MarketTerms._fields if name not in ("home", "base")]
    found = {}
    for slot in range(1, len(markets)):
        market = markets[slot]
        values = {name: int(market[name]) for name in names}
        base = int(market["group"]) or int(market["base"])
        home = int(market["guest_of"]) or slot
        found[slot] = MarketTerms(**values, base=base, home=home)
    return found


class Watcher:
    """All views of one zone, held against the records of its engine."""

    def __init__(self) -> None:
        self.depth = DepthFeed()
        self.followers: dict[int, DepthBook] = {}
        self.ledger = Ledger()
        self.candles = CandleFeed()
        self.tracker = OrderTracker()  # what a trader's program keeps of the same events
        self.blocks = 0

    @property
    def books(self) -> L3Feed:
        return self.depth.books

    def hear(self, events: np.ndarray, time: int, tables: Tables) -> None:
        """Take in the events of a block, then compare everything."""
        for update in self.depth.apply(events):
            follower = self.followers.setdefault(update.market, DepthBook(update.market))
            assert follower.apply(update), follower.trouble
        self.ledger.apply(events)
        self.candles.apply(events, time)
        self.tracker.apply(events)
        self.blocks += 1
        self.compare(tables)

    def compare(self, tables: Tables) -> None:
        known = {
            order.order: (
                *order[1:4],
                *order[5:11],
                order.is_resting,
                order.client_id,
            )
            for order in self.ledger.orders.values()
        }
        assert known == read_orders(tables)
        assert self.ledger.terms == read_terms(tables)
        self.ledger.check()
        balances = {key: tuple(b) for key, b in self.ledger.balances.items() if any(b)}
        assert balances == read_balances(tables)
        assert {k: tuple(h) for k, h in self.ledger.holdings.items()} == read_holdings(tables)
        plans = {plan.plan: tuple(plan)[1:] for plan in self.ledger.plans.values()}
        assert plans == read_plans(tables)
        groups = self.ledger.outcome_events.items()
        found = {
            slot: (g.venue, g.asset, g.unit, g.outcomes, g.cash, g.sets, g.state)
            for slot, g in groups
        }
        assert found == read_outcome_events(tables)
        assert self.ledger.dead_man == read_dead_man(tables)
        assert self.ledger.tasks == read_tasks(tables)
        totals = get_used(tables, "asset")["total"].tolist()
        supply = {slot: total for slot, total in enumerate(totals) if total}
        assert +self.ledger.supply == supply
        self.compare_tracker()
        self.compare_books(tables)

    def compare_tracker(self) -> None:
        """The states of a client's orders agree with the ledger, which agrees with the records."""
        names = ("account", "market", "side", "price", "filled")
        active = {
            order.id: (*(getattr(order, n) for n in names), order.open)
            for order in self.tracker.get_active_orders()
        }
        known = {
            number: (*(getattr(order, n) for n in names), order.lots)
            for number, order in self.ledger.orders.items()
        }
        assert active == known
        plans = {p.id: (p.account, p.market, p.side) for p in self.tracker.get_active_plans()}
        assert plans == {n: (p.account, p.market, p.side) for n, p in self.ledger.plans.items()}

    def compare_books(self, tables: Tables) -> None:
        orders = read_orders(tables)
        waiting = {m: {} for m in self.books.markets}
        for order, values in orders.items():
            if not values[9]:
                waiting.setdefault(values[1], {})[order] = values[4]
        for market in range(1, len(get_used(tables, "market"))):
            book = self.books.get_market(market)
            follower = self.followers.get(market, DepthBook(market))
            for side in (BUY, SELL):
                queues = read_queues(tables, market, side)
                found = [
                    (price, [(o.order, o.lots) for o in q]) for price, q in book.get_queues(side)
                ]
                assert found == queues
                levels = [(price, sum(lots for _, lots in q), len(q)) for price, q in queues]
                assert list(follower.get_levels(side)) == levels
            assert follower.get_snapshot() == self.depth.get_snapshot(market)
            assert {o.order: o.lots for o in book.waiting.values()} == waiting.get(market, {})
            for order in (*book.orders.values(), *book.waiting.values()):
                account, of_market, side, price, lots, *_, is_resting, client_id = orders[
                    order.order
                ]
                assert (order.account, market, order.side, order.price) == (
                    account,
                    of_market,
                    side,
                    price,
                )
                assert (order.lots, order.client_id) == (lots, client_id)
                assert is_resting == (order.order in book.orders)
