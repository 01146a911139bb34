"""One side of a book: price levels from worst to best, each a queue, oldest first.

Invariant: ``_ranks`` is sorted and holds exactly the prices that have a queue; no queue is empty; ``_lots`` is
the sum of each queue. A rank is the price for bids and minus the price for asks, so the best one is last.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from tradezone.protocol.enums import BUY


class Ladder:
    """Price levels of one side with the queue of order keys at each.

    Parameters
    ----------
    side : int
        BUY or SELL
    """

    __slots__ = ("_lots", "_queues", "_ranks", "_sign")

    def __init__(self, side: int) -> None:
        self._sign = 1 if side == BUY else -1
        self._ranks: list[int] = []
        self._queues: dict[int, dict[int, None]] = {}
        self._lots: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._ranks)

    @property
    def best(self) -> int | None:
        """Best price, ticks, or None."""
        return self._ranks[-1] * self._sign if self._ranks else None

    def append(self, price: int, key: int, lots: int) -> None:
        """Put an order at the end of its level."""
        queue = self._queues.get(price)
        if queue is None:
            insort(self._ranks, price * self._sign)
            self._queues[price] = {key: None}
            self._lots[price] = lots
        else:
            queue[key] = None
            self._lots[price] += lots

    def remove(self, price: int, key: int, lots: int) -> None:
        """Take an order with ``lots`` open lots out of its level."""
        queue = self._queues[price]
        del queue[key]
        if queue:
            self._lots[price] -= lots
        else:
            del self._queues[price], self._lots[price]
            del self._ranks[bisect_left(self._ranks, price * self._sign)]

    def reduce(self, price: int, lots: int) -> None:
        """Lower the sum of a level whose order became smaller by ``lots``."""
        self._lots[price] -= lots

    def first(self) -> int:
        """Key of the oldest order at the best price."""
        return next(iter(self._queues[self._ranks[-1] * self._sign]))

    def queue(self, price: int) -> list[int]:
        """Keys at a price, oldest first."""
        return list(self._queues.get(price, ()))

    def prices(self) -> list[int]:
        """Return all prices, best first."""
        return [rank * self._sign for rank in reversed(self._ranks)]

    def level(self, price: int) -> tuple[int, int]:
        """Lots and number of orders at a price, zeros if there are none."""
        return self._lots.get(price, 0), len(self._queues.get(price, ()))

    def levels(self, count: int) -> list[tuple[int, int]]:
        """Best ``count`` levels as (price, lots)."""
        prices = [rank * self._sign for rank in self._ranks[: -count - 1 : -1]]
        return [(price, self._lots[price]) for price in prices]
