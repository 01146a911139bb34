"""Books order by order (level 3), rebuilt from events alone.

Invariants of a book: an order is in ``orders`` iff its last event left it resting, and it stands in the queue of its
price behind all that rested there before it; it is in ``waiting`` iff it was admitted to take and has neither rested
nor gone. Waiting orders are in no queue, no level and no depth. The book is never crossed.

What is checked at each event: that the order is known (or, where it is new, not known), that price, side, account,
client id and open lots agree, that a fill meets the *first* order of the *best* level within the taker's limit, and that
what rests does not cross. So a book that takes a stream without an error has also seen price-time priority kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tradezone.protocol.actions import POST_TIFS
from tradezone.protocol.enums import BUY, CANCEL_STP, SELL
from tradezone.protocol.events import (
    FILL,
    ORDER_AMENDED,
    ORDER_CANCELLED,
    ORDER_RESTED,
    ORDER_WAITING,
)

from ._ladder import Ladder
from .stream import Event, EventCursor, Events, MisfitError, read_events, select_events

if TYPE_CHECKING:
    from collections.abc import Callable

BOOK_KINDS: Final = (ORDER_WAITING, ORDER_RESTED, ORDER_AMENDED, ORDER_CANCELLED, FILL)
LEFT_ITS_PLACE: Final = 1  # ORDER_AMENDED.flag: the next event of the order says where it went
OPPOSITE: Final = {BUY: SELL, SELL: BUY}


class Order(NamedTuple):
    """An open order, resting or waiting.

    Parameters
    ----------
    order : int
        id: generation << 32 | slot
    price : int
        ticks, limit
    lots : int
        open lots
    tif : int
        as the last event that carried it said
    client_id : int
        128 bits, 0 = none
    """

    order: int
    account: int
    side: int
    price: int
    lots: int
    tif: int
    client_id: int


class Place(NamedTuple):
    """Where an order stands in its queue: orders and open lots in front of it at its price."""

    orders: int
    lots: int


class L3Book:
    """The open orders of one market.

    Parameters
    ----------
    market : int
        market slot; `apply` expects events of this market only
    """

    def __init__(self, market: int) -> None:
        self.market = market
        self.orders: dict[int, Order] = {}
        self.waiting: dict[int, Order] = {}  # in order of admission
        self._sides = {side: Ladder(side) for side in (BUY, SELL)}
        self._moving: Order | None = None  # amended, its new place comes with the next event
        self._touched: dict[tuple[int, int], None] = {}  # (side, price), first touched first
        self._handlers: dict[int, Callable[[Event], None]] = {
            ORDER_WAITING: self._wait,
            ORDER_RESTED: self._rest,
            ORDER_AMENDED: self._amend,
            ORDER_CANCELLED: self._cancel,
            FILL: self._fill,
        }

    def apply(self, event: Event) -> None:
        """Apply one event of a kind in `BOOK_KINDS`. MisfitError if it contradicts the book."""
        if self._moving is not None and (
            event.kind not in (ORDER_RESTED, ORDER_WAITING) or event.order != self._moving.order
        ):
            raise MisfitError(
                event, f"Expected the new place of the amended order {self._moving.order}"
            )
        self._handlers[event.kind](event)

    def get_best(self, side: int) -> int | None:
        """Best price of a side, ticks, or None."""
        return self._sides[side].best

    def get_level(self, side: int, price: int) -> tuple[int, int]:
        """Lots and number of orders resting at a price."""
        return self._sides[side].level(price)

    def get_prices(self, side: int) -> list[int]:
        """Return all prices of a side, best first."""
        return self._sides[side].prices()

    def get_queue(self, side: int, price: int) -> list[Order]:
        """Orders resting at a price, oldest first."""
        return [self.orders[order] for order in self._sides[side].queue(price)]

    def get_queues(self, side: int) -> list[tuple[int, list[Order]]]:
        """All levels of a side, best first, as (price, queue)."""
        return [(price, self.get_queue(side, price)) for price in self._sides[side].prices()]

    def get_place(self, order: int) -> Place:
        """Place of a resting order in its queue. KeyError if it does not rest."""
        mine = self.orders[order]
        ahead = lots = 0
        for other in self._sides[mine.side].queue(mine.price):
            if other == order:
                break
            ahead, lots = ahead + 1, lots + self.orders[other].lots
        return Place(ahead, lots)

    def take_touched(self) -> list[tuple[int, int]]:
        """Levels, as (side, price), that changed since this was last asked, and forget them."""
        touched = list(self._touched)
        self._touched.clear()
        return touched

    # --- events --------------------------------------------------------------------------------------

    def _wait(self, event: Event) -> None:
        self.waiting[event.order] = self._admit(event)

    def _rest(self, event: Event) -> None:
        order = self.waiting.pop(event.order, None)
        if order is None:
            order = self._admit(event)
        else:
            self._expect_same(event, order)
            self._expect_lots(event, order.lots)
        best = self._sides[OPPOSITE[order.side]].best
        if best is not None and _crosses(order.side, order.price, best):
            raise MisfitError(event, f"it rests at {order.price}, across the best price {best}")
        self.orders[order.order] = order
        self._sides[order.side].append(order.price, order.order, order.lots)
        self._touched[order.side, order.price] = None

    def _admit(self, event: Event) -> Order:
        """Build an order that was not open, or that an amend has just taken out of its place."""
        order = Order(
            event.order,
            event.account,
            event.side,
            event.price,
            event.lots,
            event.tif,
            event.client_id,
        )
        moving, self._moving = self._moving, None
        if moving is not None:
            self._expect_same(event, moving)
            self._expect_lots(event, moving.lots)
        elif event.order in self.orders or event.order in self.waiting:
            raise MisfitError(event, f"order {event.order} is open already")
        if event.kind == ORDER_RESTED and event.tif not in POST_TIFS:
            raise MisfitError(event, f"order {event.order} can take, so it rests after it waited")
        if event.lots <= 0 or event.price <= 0 or event.side not in (BUY, SELL):
            raise MisfitError(event, f"Expected an order with lots and a price, was {order}")
        return order

    def _amend(self, event: Event) -> None:
        order = self._get(event)
        if event.flag == LEFT_ITS_PLACE:
            if event.order not in self.orders:
                raise MisfitError(event, f"order {event.order} waits, so it has no place to leave")
            self._expect_same(event, order._replace(price=event.price))
            self._set_lots(order, 0)
            self._moving = order._replace(price=event.price, lots=event.lots, tif=event.tif)
            return
        if not 0 < event.lots <= order.lots:
            raise MisfitError(event, f"Expected 1 to {order.lots} open lots, was {event.lots}")
        self._expect_same(event, order)
        self._set_lots(order, event.lots)
        if event.order in self.waiting:
            self.waiting[event.order] = self.waiting[event.order]._replace(tif=event.tif)

    def _cancel(self, event: Event) -> None:
        order = self._get(event)
        self._expect_same(event, order)
        if event.lots or event.tif != CANCEL_STP:  # which may have taken the last ones
            self._expect_lots(event, order.lots)
        self._set_lots(order, 0)

    def _fill(self, event: Event) -> None:
        taker = self.waiting.get(event.order)
        if taker is None:
            raise MisfitError(event, f"taker {event.order} does not wait")
        opposite = self._sides[OPPOSITE[taker.side]]
        maker = self.orders.get(event.other_order)
        if maker is None:
            raise MisfitError(event, f"maker {event.other_order} does not rest")
        if maker.side == taker.side or opposite.best is None or opposite.first() != maker.order:
            raise MisfitError(event, f"maker {maker.order} is not first at the best price")
        if (event.side, event.price) != (taker.side, maker.price):
            raise MisfitError(
                event,
                f"Expected side and price {(taker.side, maker.price)}, was {(event.side, event.price)}",
            )
        if not _crosses(taker.side, taker.price, maker.price):
            raise MisfitError(event, f"the taker's limit is {taker.price}, was {maker.price}")
        if (event.account, event.other_account) != (taker.account, maker.account):
            raise MisfitError(event, f"Expected accounts {(taker.account, maker.account)}")
        if not 0 < event.lots <= min(taker.lots, maker.lots):
            raise MisfitError(
                event, f"Expected 1 to {min(taker.lots, maker.lots)} lots, was {event.lots}"
            )
        if event.left != maker.lots - event.lots:
            raise MisfitError(
                event,
                f"Expected {maker.lots - event.lots} lots left of the maker, was {event.left}",
            )
        self._set_lots(maker, event.left)
        self._set_lots(taker, taker.lots - event.lots)

    # --- what they have in common --------------------------------------------------------------------

    def _get(self, event: Event) -> Order:
        order = self.orders.get(event.order) or self.waiting.get(event.order)
        if order is None:
            raise MisfitError(event, f"order {event.order} is not open in market {self.market}")
        return order

    def _expect_same(self, event: Event, order: Order) -> None:
        """Check the columns that no event of an order may change."""
        found = (event.account, event.side, event.price, event.client_id)
        wanted = (order.account, order.side, order.price, order.client_id)
        if found != wanted:
            raise MisfitError(
                event, f"Expected (account, side, price, client id) {wanted}, was {found}"
            )

    def _expect_lots(self, event: Event, lots: int) -> None:
        if event.lots != lots:
            raise MisfitError(event, f"Expected {lots} open lots, was {event.lots}")

    def _set_lots(self, order: Order, lots: int) -> None:
        """Set the open lots of an order wherever it stands; with none left it is gone."""
        if order.order in self.waiting:
            if lots:
                self.waiting[order.order] = order._replace(lots=lots)
            else:
                del self.waiting[order.order]
            return
        side = self._sides[order.side]
        self._touched[order.side, order.price] = None
        if lots:
            side.reduce(order.price, order.lots - lots)
            self.orders[order.order] = order._replace(lots=lots)
        else:
            del self.orders[order.order]
            side.remove(order.price, order.order, order.lots)


class L3Feed:
    """The books of all markets, kept up to date from the whole event stream.

    Parameters
    ----------
    next_seq : int
        number of the first event that will come; the books are empty before it
    """

    def __init__(self, next_seq: int = 1) -> None:
        self.markets: dict[int, L3Book] = {}
        self.cursor = EventCursor(next_seq)

    def apply(self, events: Events) -> list[int]:
        """Apply events in order and return the markets that they were about, rising.

        GapError, and nothing is applied, if events are missing or doubled; MisfitError if one contradicts a book.
        """
        self.cursor.advance(events)
        selected = select_events(events, BOOK_KINDS)
        for event in read_events(selected):
            self.get_market(event.market).apply(event)
        return sorted(set(selected["market"].tolist()))

    def get_market(self, market: int) -> L3Book:
        """Book of a market slot; empty if nothing ever stood there."""
        book = self.markets.get(market)
        if book is None:
            book = self.markets[market] = L3Book(market)
        return book


def _crosses(side: int, price: int, opposite: int) -> bool:
    return price >= opposite if side == BUY else price <= opposite
