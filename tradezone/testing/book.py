"""Books of a run that may be wrong, order by order, for comparing it with what was published.

`tradezone.views` has the books that consumers use: they raise on the first event that does not fit. A check of a run
wants to go on and count, so here an event about an order that does not rest changes nothing. Ladders and the reading
of events are those of `tradezone.views`.

Invariant: an order is in ``orders`` iff its last event left it resting, and it stands in the queue of its
price behind all that rested there before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.events import FILL, ORDER_AMENDED, ORDER_CANCELLED, ORDER_RESTED
from tradezone.views import Event, Events, Ladder, read_events, select_events

from ._rows import build_row

if TYPE_CHECKING:
    from .intentions import Row

BOOK_KINDS: Final = (ORDER_RESTED, ORDER_AMENDED, ORDER_CANCELLED, FILL)
REPLACED: Final = (
    1  # ORDER_AMENDED.flag: the order left its place, a later event says where it went
)


class RestingOrder(NamedTuple):
    """An order of the book; ``lots`` are open lots."""

    side: int
    price: int
    lots: int
    account: int


class MarketBook:
    """The resting orders of one market."""

    def __init__(self) -> None:
        self.orders: dict[int, RestingOrder] = {}
        self._sides = {side: Ladder(side) for side in (BUY, SELL)}

    def apply(self, event: Event) -> None:
        """Apply one event of this market."""
        if event.kind == ORDER_RESTED:
            price, lots = event.price, event.lots
            self.orders[event.order] = RestingOrder(event.side, price, lots, event.account)
            self._sides[event.side].append(price, event.order, lots)
        elif event.kind == FILL:
            self._set_lots(event.other_order, event.left)
        elif event.kind == ORDER_CANCELLED:
            self._set_lots(event.order, 0)
        elif event.kind == ORDER_AMENDED:
            self._set_lots(event.order, 0 if event.flag == REPLACED else event.lots)

    def get_best(self, side: int) -> int | None:
        """Best price of a side, ticks, or None."""
        return self._sides[side].best

    def get_levels(self, side: int, count: int) -> list[tuple[int, int]]:
        """Best ``count`` levels of a side as (price, lots)."""
        return self._sides[side].levels(count)

    def get_row(self, levels: int) -> Row:
        """Top of the book (see `tradezone.testing.intentions`)."""
        return build_row(self._sides[SELL], self._sides[BUY], levels)

    def get_queue(self, side: int, price: int) -> list[tuple[int, int]]:
        """Orders at a price, oldest first, as (order id, open lots)."""
        return [(order, self.orders[order].lots) for order in self._sides[side].queue(price)]

    def get_queues(self, side: int) -> list[tuple[int, list[tuple[int, int]]]]:
        """All levels of a side, best first, as (price, queue)."""
        return [(price, self.get_queue(side, price)) for price in self._sides[side].prices()]

    def _set_lots(self, order_id: int, lots: int) -> None:
        order = self.orders.get(order_id)
        if order is None:
            return
        side = self._sides[order.side]
        if lots == 0:
            del self.orders[order_id]
            side.remove(order.price, order_id, order.lots)
        else:
            side.reduce(order.price, order.lots - lots)
            self.orders[order_id] = order._replace(lots=lots)


class BookFeed:
    """The books of all markets, kept up to date from events."""

    def __init__(self) -> None:
        self.markets: dict[int, MarketBook] = {}

    def apply(self, events: Events) -> int:
        """Apply events in order and return how many of them touched a book."""
        selected = select_events(events, BOOK_KINDS)
        for event in read_events(selected):
            self.get_market(event.market).apply(event)
        return len(selected)

    def get_market(self, market: int) -> MarketBook:
        """Book of a market slot; empty if nothing ever rested there."""
        book = self.markets.get(market)
        if book is None:
            book = self.markets[market] = MarketBook()
        return book
