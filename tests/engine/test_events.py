"""Events alone are enough to rebuild every book, order, plan, holding and balance, at every block.

A `Listener` hears nothing but events, in order. After each run what it knows is compared with the records of the
compiled engine: the queue of every level (L3), its size (L2), locks and covers, positions, money to the last atom.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from tests.engine.stepped import PairZone, WideStream
from tradezone.engine import Engine
from tradezone.protocol import enums, events
from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.limits import PPM
from tradezone.protocol.records import TABLE_BY_NAME

SEEDS = (
    0,
    15,
    24,
    31,
    47,
    67,
    73,
    98,
    240,
    304,
)  # between them every kind of event that moves something
LENGTH = 40
Event = dict[str, int]


def ceil_div(amount: int, divisor: int) -> int:
    return -(-amount // divisor)


@dataclass
class Market:
    """Terms of a market, from MARKET_LISTED, MARKET_TERMS and MARKET_FEES."""

    venue: int = 0
    is_outcome: bool = False
    base: int = 0  # asset, or the event of an outcome
    quote: int = 0
    lot_size: int = 0  # base atoms a lot, or what one lot of a sure outcome pays
    tick_value: int = 0
    home: int = 0  # of a door
    worst_fee: int = 0  # ppm

    def notional(self, price: int, lots: int) -> int:
        return price * self.tick_value * lots

    def cost(self, side: int, price: int, lots: int) -> int:
        if side == BUY:
            return self.notional(price, lots)
        if self.is_outcome:
            return self.lot_size * lots - self.notional(price, lots)
        return self.lot_size * lots

    def lock(self, side: int, price: int, lots: int, interface_fee: int) -> int:
        cost = self.cost(side, price, lots)
        if side == SELL and not self.is_outcome:
            return cost
        base = self.notional(price, lots)
        if self.is_outcome:
            base = min(base, self.lot_size * lots - base)
        return cost + ceil_div(base * (self.worst_fee + interface_fee), PPM)


@dataclass
class Order:
    """An open order."""

    id: int
    account: int
    market: int
    side: int
    price: int = 0
    lots: int = 0
    locked: int = 0
    cover: int = 0
    interface_fee: int = 0
    client_id: int = 0


@dataclass
class Holding:
    """A position in one outcome."""

    yes: int = 0
    no: int = 0
    yes_locked: int = 0
    no_locked: int = 0


@dataclass
class Listener:
    """What a reader of events knows."""

    markets: defaultdict[int, Market] = field(default_factory=lambda: defaultdict(Market))
    venues: dict[int, tuple[int, int]] = field(default_factory=dict)  # fee and fund account
    protocol: int = 0  # main account
    free: Counter[tuple[int, int]] = field(default_factory=Counter)  # by (account, asset)
    locked: Counter[tuple[int, int]] = field(default_factory=Counter)
    holdings: defaultdict[tuple[int, int], Holding] = field(
        default_factory=lambda: defaultdict(Holding)
    )
    orders: dict[int, Order] = field(default_factory=dict)
    queues: defaultdict[tuple[int, int, int], list[int]] = field(
        default_factory=lambda: defaultdict(list)
    )  # ids by (market, side, price), oldest first
    plans: set[int] = field(default_factory=set)
    last_seq: int = 0

    def hear(self, event: Event) -> None:
        assert event["seq"] == self.last_seq + 1, "an event is missing"
        self.last_seq = event["seq"]
        hears = HEARS.get(event["kind"])
        if hears is not None:
            hears(self, event)

    # --- terms -------------------------------------------------------------------------------------

    def hear_owner(self, event: Event) -> None:
        if event["order"] == enums.PROTOCOL_OWNER:
            self.protocol = event["account"]

    def hear_venue(self, event: Event) -> None:
        self.venues[event["market"]] = event["account"], event["other_account"]

    def hear_listing(self, event: Event) -> None:
        self.markets[event["market"]].venue = event["account"]

    def hear_terms(self, event: Event) -> None:
        market = self.markets[event["market"]]
        market.is_outcome = event["flag"] == enums.MARKET_OUTCOME
        market.base, market.quote = event["account"], event["other_account"]
        market.lot_size, market.tick_value = event["order"], event["other_order"]
        market.home = event["amount2"]

    def hear_fees_of_market(self, event: Event) -> None:
        worst = max(event["order"], event["other_order"], 0)
        self.markets[event["market"]].worst_fee = worst

    # --- money -------------------------------------------------------------------------------------

    def hear_credit(self, event: Event) -> None:
        self.free[event["account"], event["market"]] += event["amount"]

    def hear_withdrawal(self, event: Event) -> None:
        self.free[event["account"], event["market"]] -= event["amount"]

    def hear_transfer(self, event: Event) -> None:
        self.free[event["account"], event["market"]] -= event["amount"]
        self.free[event["other_account"], event["market"]] += event["amount"]

    def hear_fee_share(self, event: Event) -> None:
        self.free[event["account"], self.markets[event["market"]].quote] += event["amount"]

    def hear_fees(self, event: Event) -> None:
        market = self.markets[event["market"]]
        fee_account, fund_account = self.venues[market.venue]
        self.free[fee_account, market.quote] += event["amount"]
        self.free[fund_account, market.quote] += event["amount2"]
        self.free[self.protocol, market.quote] += event["left"]

    # --- orders ------------------------------------------------------------------------------------

    def pays_from(self, order: Order) -> tuple[int, int]:
        market = self.markets[order.market]
        is_base = order.side == SELL and not market.is_outcome
        return order.account, market.base if is_base else market.quote

    def set_lock(self, order: Order, locked: int, cover: int) -> None:
        place = self.pays_from(order)
        self.free[place] += order.locked - locked
        self.locked[place] -= order.locked - locked
        order.locked = locked
        if cover != order.cover:
            holding = self.holdings[order.account, order.market]
            if order.side == BUY:
                holding.no_locked += cover - order.cover
            else:
                holding.yes_locked += cover - order.cover
            order.cover = cover

    def place_of(self, order: Order) -> tuple[int, int, int]:
        return order.market, order.side, order.price

    def leave_book(self, order: Order) -> None:
        queue = self.queues[self.place_of(order)]
        if order.id in queue:
            queue.remove(order.id)
        if not queue:
            del self.queues[self.place_of(order)]

    def hear_order(self, event: Event) -> None:
        names = ("account", "market", "side")
        order = self.orders.get(event["order"])
        if order is None:
            order = Order(event["order"], *(event[name] for name in names))
            order.client_id = event["client_id1"] << 64 | event["client_id0"]
            self.orders[order.id] = order
        assert all(getattr(order, name) == event[name] for name in names)
        if event["kind"] == events.ORDER_AMENDED and event["flag"]:
            self.leave_book(order)
        order.price, order.lots = event["price"], event["lots"]
        order.interface_fee = event["amount2"]
        self.set_lock(order, event["amount"], event["left"])
        if event["kind"] == events.ORDER_RESTED:
            self.queues[self.place_of(order)].append(order.id)

    def hear_cancel(self, event: Event) -> None:
        order = self.orders.pop(event["order"])
        assert (event["amount"], event["left"]) == (order.locked, order.cover)
        self.leave_book(order)
        self.set_lock(order, 0, 0)

    def hear_fill(self, event: Event) -> None:
        lots, price = event["lots"], event["price"]
        taker, maker = self.orders[event["order"]], self.orders[event["other_order"]]
        assert (taker.account, maker.account) == (event["account"], event["other_account"])
        assert self.queues[self.place_of(maker)][0] == maker.id, "the oldest order is met first"
        self.fill(taker, lots, price, event["amount"])
        self.fill(maker, lots, price, event["amount2"])
        assert maker.lots == event["left"]
        for order in (taker, maker):
            if order.lots == 0:
                self.leave_book(order)
                del self.orders[order.id]

    def fill(self, order: Order, lots: int, price: int, fees: int) -> None:
        """Move the money and the lots of one side."""
        market = self.markets[order.market]
        closed = min(lots, order.cover)
        opened = lots - closed
        pays = market.cost(order.side, price, opened)
        gets = 0
        order.lots -= lots
        if market.is_outcome:
            other = SELL if order.side == BUY else BUY
            gets = market.cost(other, price, closed)  # what the other side would pay for them
            holding = self.holdings[order.account, order.market]
            if order.side == BUY:
                holding.no -= closed
                holding.yes += opened
            else:
                holding.yes -= closed
                holding.no += opened
        elif order.side == SELL:
            self.free[order.account, market.quote] += market.notional(price, lots) - fees
            fees = 0
        else:
            self.free[order.account, market.base] += market.lot_size * lots
        cover = order.cover - closed
        rest = market.lock(order.side, order.price, order.lots - cover, order.interface_fee)
        locked = min(order.locked - pays - max(fees - gets, 0), rest)
        place = self.pays_from(order)
        self.set_lock(order, locked, cover)
        self.free[place] += gets - pays - fees

    # --- outcomes ----------------------------------------------------------------------------------

    def hear_annihilation(self, event: Event) -> None:
        holding = self.holdings[event["account"], event["market"]]
        holding.yes -= event["lots"]
        holding.no -= event["lots"]
        quote = self.markets[event["market"]].quote
        self.free[event["account"], quote] += event["amount"]

    def hear_sets(self, event: Event) -> None:
        """SPLIT and MERGED, of every market of the event."""
        sign = 1 if event["kind"] == events.SPLIT else -1
        for number, market in self.markets.items():
            if market.is_outcome and market.base == event["market"] and not market.home:
                self.holdings[event["account"], number].yes += sign * event["lots"]
                quote = market.quote
        self.free[event["account"], quote] -= sign * event["amount"]

    def hear_redemption(self, event: Event) -> None:
        # one that an order opened and nothing has filled is empty
        holding = self.holdings.pop((event["account"], event["market"]), Holding())
        assert (holding.yes, holding.no) == (event["lots"], event["left"])
        quote = self.markets[event["market"]].quote
        self.free[event["account"], quote] += event["amount"]

    # --- plans -------------------------------------------------------------------------------------

    def hear_plan(self, event: Event) -> None:
        assert event["order"] not in self.plans
        self.plans.add(event["order"])

    def hear_plan_gone(self, event: Event) -> None:
        self.plans.remove(event["order"])


HEARS = {
    events.OWNER_REGISTERED: Listener.hear_owner,
    events.VENUE_CREATED: Listener.hear_venue,
    events.MARKET_LISTED: Listener.hear_listing,
    events.MARKET_TERMS: Listener.hear_terms,
    events.MARKET_FEES: Listener.hear_fees_of_market,
    events.DEPOSITED: Listener.hear_credit,
    events.ISSUED: Listener.hear_credit,
    events.WITHDRAWN: Listener.hear_withdrawal,
    events.TRANSFERRED: Listener.hear_transfer,
    events.FEE_SHARE: Listener.hear_fee_share,
    events.FEES: Listener.hear_fees,
    events.ORDER_WAITING: Listener.hear_order,
    events.ORDER_RESTED: Listener.hear_order,
    events.ORDER_AMENDED: Listener.hear_order,
    events.ORDER_CANCELLED: Listener.hear_cancel,
    events.FILL: Listener.hear_fill,
    events.ANNIHILATED: Listener.hear_annihilation,
    events.SPLIT: Listener.hear_sets,
    events.MERGED: Listener.hear_sets,
    events.REDEEMED: Listener.hear_redemption,
    events.PLAN_PLACED: Listener.hear_plan,
    events.PLAN_CANCELLED: Listener.hear_plan_gone,
    events.PLAN_TRIGGERED: Listener.hear_plan_gone,
    events.PLAN_FAILED: Listener.hear_plan_gone,
}


# --- what the engine's records say -------------------------------------------------------------------


class Fast:
    """The compiled engine by itself, for a `PairZone`."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.tables = self.engine.tables
        self.execute, self.execute_run = self.engine.execute, self.engine.execute_run

    def follow(self, table: str, slot: int) -> None:
        """Nothing: roots are not looked at."""


def get_rows(tables: Any, name: str) -> dict[int, dict[str, int]]:
    """Records in use by slot."""
    rows = tables[name]
    used = int(tables["head"][TABLE_BY_NAME[name].number]["high_water"])
    names = rows.dtype.names
    return {
        slot: dict(zip(names, row, strict=True))
        for slot, row in enumerate(rows[:used].tolist())
        if slot and row[names.index("state")] != enums.FREE
    }


def check(listener: Listener, tables: Any) -> None:
    """AssertionError unless the listener knows what the records say."""
    balances = get_rows(tables, "balance").values()
    held = {(b["account"], b["asset"]): (b["free"], b["locked"]) for b in balances}
    places = listener.free.keys() | listener.locked.keys() | held.keys()
    heard = {place: (listener.free[place], listener.locked[place]) for place in places}
    assert heard == {place: held.get(place, (0, 0)) for place in places}
    orders = get_rows(tables, "order")
    columns = ("account", "market", "side", "price", "lots", "locked", "cover", "interface_fee")
    records = {
        row["generation"] << 32 | slot: (
            *(row[name] for name in columns), row["client_id1"] << 64 | row["client_id0"],
        )
        for slot, row in orders.items()
    }  # fmt: skip
    assert records == {
        order.id: (*(getattr(order, name) for name in columns), order.client_id)
        for order in listener.orders.values()
    }
    check_books(listener, tables, orders)
    positions = {
        (row["account"], row["market"]): Holding(
            row["yes"], row["no"], row["yes_locked"], row["no_locked"]
        )
        for row in get_rows(tables, "holding").values()
    }
    empty = Holding()
    for place in positions.keys() | listener.holdings.keys():
        assert listener.holdings.get(place, empty) == positions.get(place, empty), place
    plans = get_rows(tables, "plan")
    assert listener.plans == {row["generation"] << 32 | slot for slot, row in plans.items()}


def check_books(listener: Listener, tables: Any, orders: dict[int, dict[str, int]]) -> None:
    """L3 and L2 of every market, level by level from the best."""
    levels = get_rows(tables, "level")
    found = {}
    for market in listener.markets:
        for side, best in ((BUY, "best_bid"), (SELL, "best_ask")):
            slot, prices = int(tables["book"][market][best]), []
            while slot:
                level, order, queue = levels[slot], levels[slot]["first"], []
                while order:
                    queue.append(orders[order]["generation"] << 32 | order)
                    order = orders[order]["next"]
                heard = [listener.orders[n].lots for n in queue]
                assert (sum(heard), len(heard)) == (level["lots"], level["count"])
                found[market, side, level["price"]] = queue
                prices.append(level["price"])
                slot = level["next"]
            assert prices == sorted(set(prices), reverse=side == BUY)
    assert found == listener.queues


class Overheard(PairZone):
    """A zone that keeps the events of all runs: one step of a stream may be several."""

    def __init__(self, pair: Any) -> None:
        super().__init__(pair)
        self.heard: list[Event] = []

    def run(self, *arguments: Any, **named: Any) -> Any:
        outcome = super().run(*arguments, **named)
        self.heard += outcome.events
        return outcome


def listen(seed: int, length: int) -> tuple[Listener, set[int]]:
    """Drive a stream and compare after every run; return the listener and the kinds of events that it met."""
    zone = Overheard(Fast())
    stream = WideStream(zone, Random(seed))
    listener, kinds = Listener(), set()
    for n in range(length + 1):
        stream.step() if n else stream.set_up()
        for event in zone.heard:
            listener.hear(event)
            kinds.add(event["kind"])
        zone.heard.clear()
        check(listener, zone.pair.tables)
    return listener, kinds


@pytest.fixture(scope="module")
def met():
    return set()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_listener_knows_every_book_order_position_and_balance_at_every_block(seed, met):
    listener, kinds = listen(seed, LENGTH)
    met |= kinds
    assert listener.last_seq > 100


def test_the_listener_has_heard_every_kind_that_moves_something(met):
    assert HEARS.keys() - met == set()


def test_a_listener_that_misses_an_event_notices():
    listener = Listener()
    with pytest.raises(AssertionError, match="missing"):
        listener.hear({"seq": 2, "kind": events.HEARTBEAT})
