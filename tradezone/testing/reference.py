"""The smallest book that is right: price, then time, nothing else. Intentions go in, fills come out.

Invariant: a key is in ``orders`` iff it stands in the queue of its price; the book is never crossed. An
intention that the venue would refuse changes nothing and is kept in ``rejected``.
"""

from __future__ import annotations

from typing import NamedTuple

from tradezone.protocol.enums import BUY, SELL
from tradezone.views import Ladder

from ._rows import build_row
from .intentions import Cancel, Intention, Maker, PlacePostOnly, Row, Shrink, Take


class OpenOrder(NamedTuple):
    """A resting order; ``lots`` are open, ``filled`` are gone."""

    side: int
    price: int
    lots: int
    filled: int


class FifoBook:
    """A book whose queues are strictly in order of arrival."""

    def __init__(self) -> None:
        self.orders: dict[int, OpenOrder] = {}
        self.rejected: list[Intention] = []
        self._sides = {side: Ladder(side) for side in (BUY, SELL)}

    def apply(self, intention: Intention) -> list[Maker]:
        """Apply one intention and return its fills as (maker key, lots), oldest first."""
        if isinstance(intention, Take):
            return self._take(intention)
        order = self.orders.get(intention.key)
        if isinstance(intention, PlacePostOnly):
            if order is not None or self._is_crossing(intention.side, intention.price):
                self.rejected.append(intention)
            else:
                self._append(intention)
        elif order is None:
            self.rejected.append(intention)
        elif isinstance(intention, Cancel):
            self._remove(intention.key, order)
        else:
            self._shrink(intention, order)
        return []

    def get_makers(self, side: int, price: int, lots: int) -> list[Maker]:
        """Whom an order to take would meet, without taking."""
        ladder, makers = self._sides[SELL if side == BUY else BUY], []
        for level in ladder.prices():
            if lots == 0 or not _crosses(side, price, level):
                break
            for key in ladder.queue(level):
                quantity = min(lots, self.orders[key].lots)
                makers.append((key, quantity))
                lots -= quantity
                if lots == 0:
                    break
        return makers

    def get_best(self, side: int) -> int | None:
        """Best price of a side, ticks, or None."""
        return self._sides[side].best

    def get_queue(self, side: int, price: int) -> list[int]:
        """Keys resting at a price, oldest first."""
        return self._sides[side].queue(price)

    def get_depth(self, side: int) -> int:
        """Return the number of price levels of a side."""
        return len(self._sides[side])

    def get_row(self, levels: int) -> Row:
        """Top of the book (see `tradezone.testing.intentions`)."""
        return build_row(self._sides[SELL], self._sides[BUY], levels)

    def _is_crossing(self, side: int, price: int) -> bool:
        best = self._sides[SELL if side == BUY else BUY].best
        return best is not None and _crosses(side, price, best)

    def _append(self, place: PlacePostOnly) -> None:
        self.orders[place.key] = OpenOrder(place.side, place.price, place.lots, 0)
        self._sides[place.side].append(place.price, place.key, place.lots)

    def _remove(self, key: int, order: OpenOrder) -> None:
        del self.orders[key]
        self._sides[order.side].remove(order.price, key, order.lots)

    def _shrink(self, shrink: Shrink, order: OpenOrder) -> None:
        lots = shrink.total - order.filled
        if lots > order.lots:
            self.rejected.append(shrink)
        elif lots <= 0:
            self._remove(shrink.key, order)
        else:
            self._sides[order.side].reduce(order.price, order.lots - lots)
            self.orders[shrink.key] = order._replace(lots=lots)

    def _take(self, take: Take) -> list[Maker]:
        ladder, lots, makers = self._sides[SELL if take.side == BUY else BUY], take.lots, []
        while lots and (best := ladder.best) is not None and _crosses(take.side, take.price, best):
            key = ladder.first()
            order = self.orders[key]
            quantity = min(lots, order.lots)
            if quantity == order.lots:
                self._remove(key, order)
            else:
                ladder.reduce(best, quantity)
                self.orders[key] = order._replace(
                    lots=order.lots - quantity, filled=order.filled + quantity
                )
            makers.append((key, quantity))
            lots -= quantity
        return makers


def _crosses(side: int, price: int, opposite: int) -> bool:
    return price >= opposite if side == BUY else price <= opposite
