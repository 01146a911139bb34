"""Arrays in the shape of an engine's records, kept up to date from views, so that long flows compare whole tables at
every block: what an event names is written anew from the view, what no event names must stay as it was."""

from __future__ import annotations

import numpy as np

from tests.views.records import Tables, get_used, read_queues
from tradezone.protocol.enums import FREE, RESTING, WAITING
from tradezone.protocol.events import FEES, FILL, ORDER_AMENDED, ORDER_CANCELLED, ORDER_RESTED
from tradezone.views import DepthBook, DepthFeed, L3Feed, Ledger, select_events
from tradezone.views.l3 import BOOK_KINDS

SLOT = (1 << 32) - 1


class Mirror:
    """The views of one zone with a market, and what its records ought to be."""

    def __init__(self, market: int = 1) -> None:
        self.market = market
        self.books = L3Feed()
        self.depth = DepthFeed(self.books)
        self.follower = DepthBook(market)
        self.ledger = Ledger()
        self.state = np.zeros(1 << 16, dtype=np.int64)
        self.columns = {
            name: np.zeros(1 << 16, dtype=np.int64)
            for name in ("lots", "locked", "filled", "price")
        }
        self.balances = {name: np.zeros(1 << 12, dtype=np.int64) for name in ("free", "locked")}
        self.slots: dict[tuple[int, int], int] = {}
        self.levels = 0  # compared

    def hear(self, events: np.ndarray, tables: Tables) -> None:
        """Take in the events of a block and compare all orders, balances, and the levels that changed."""
        for update in self.depth.apply(events):
            assert self.follower.apply(update)
        self.ledger.apply(events)
        self.write_orders(events)
        self.write_balances(events, tables)
        self.compare(events, tables)

    def write_orders(self, events: np.ndarray) -> None:
        mine = select_events(events[events["market"] == self.market], BOOK_KINDS)
        book = self.books.get_market(self.market)
        named = {*mine["order"].tolist(), *mine["other_order"].tolist()} - {0}
        is_open = {order_id for order_id in named if order_id in self.ledger.orders}
        for order_id in named - is_open:
            self.state[order_id & SLOT] = FREE
        for order_id in is_open:  # after the others: a slot may have been used again at once
            slot, order = order_id & SLOT, self.ledger.orders[order_id]
            self.state[slot] = RESTING if order_id in book.orders else WAITING
            for name, column in self.columns.items():
                column[slot] = getattr(order, name)

    def write_balances(self, events: np.ndarray, tables: Tables) -> None:
        balances = get_used(tables, "balance")
        for slot in range(len(self.slots) + 1, len(balances)):
            self.slots[int(balances[slot]["account"]), int(balances[slot]["asset"])] = slot
        accounts = {*events["account"].tolist(), *events["other_account"].tolist()}
        if (events["kind"] == FEES).any():
            venue = self.ledger.venues[1]
            accounts |= {venue.fee_account, venue.fund_account, 1}
        for account in accounts:
            for asset in (1, 2):
                slot = self.slots.get((account, asset))
                if slot:
                    balance = self.ledger.get_balance(account, asset)
                    self.balances["free"][slot] = balance.free
                    self.balances["locked"][slot] = balance.locked

    def compare(self, events: np.ndarray, tables: Tables) -> None:
        orders, balances = get_used(tables, "order"), get_used(tables, "balance")
        used = len(orders)
        is_open = orders["state"] != FREE
        assert np.array_equal(self.state[:used], orders["state"])
        for name, column in self.columns.items():
            assert np.array_equal(column[:used][is_open], orders[name][is_open]), name
        for name, column in self.balances.items():
            assert np.array_equal(column[: len(balances)], balances[name]), name
        self.compare_levels(events, tables)

    def compare_levels(self, events: np.ndarray, tables: Tables) -> None:
        """Queues of the levels that events name, and the best levels of both sides."""
        book = self.books.get_market(self.market)
        levels = tables["level"]
        best = tables["book"][self.market]
        for side, name in enumerate(("best_bid", "best_ask")):
            slot = int(best[name])
            assert book.get_best(side) == (int(levels[slot]["price"]) if slot else None)
        kinds = (ORDER_RESTED, ORDER_AMENDED, ORDER_CANCELLED, FILL)
        prices = set(
            select_events(events[events["market"] == self.market], kinds)["price"].tolist()
        )
        for price in prices:
            for side in (0, 1):
                queue = book.get_queue(side, price)
                if not queue:
                    continue
                level = levels[int(tables["order"][queue[0].order & SLOT]["level"])]
                assert (int(level["price"]), int(level["side"])) == (price, side)
                assert (int(level["lots"]), int(level["count"])) == book.get_level(side, price)
                slot, found = int(level["first"]), []
                while slot:
                    found.append(slot)
                    slot = int(tables["order"][slot]["next"])
                assert found == [order.order & SLOT for order in queue]
                self.levels += 1

    def compare_whole(self, tables: Tables) -> None:
        """Every queue and the whole ledger; slower."""
        book = self.books.get_market(self.market)
        for side in (0, 1):
            queues = read_queues(tables, self.market, side)
            found = [(price, [(o.order, o.lots) for o in q]) for price, q in book.get_queues(side)]
            assert found == queues
            levels = [(price, sum(lots for _, lots in q), len(q)) for price, q in queues]
            assert list(self.follower.get_levels(side)) == levels
        self.ledger.check()
