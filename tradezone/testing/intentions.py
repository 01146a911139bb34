"""What market participants meant to do, message by message, apart from any account or signature.

An `OrderFlow` is a list of *intentions* in the order in which they reached the venue, and *checkpoints* that
say after which intention (or after which fill of it) each published message is done. So whoever replays the
intentions can compare its book with the published one after every message.

Units: prices are ticks, sizes lots, times ms since the first message. A *row* is the top of a book as a flat
tuple ``(ask price, ask lots, bid price, bid lots)`` a level, best level first, zeros where a level is absent.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

Row = tuple[int, ...]
Maker = tuple[int, int]  # (key of the maker's order, lots)


class FlowDataError(ValueError):
    """Order flow that does not read as its format says."""


@dataclass(frozen=True, slots=True)
class PlacePostOnly:
    """Rest an order; it never crosses the book.

    ``side`` is BUY or SELL of `tradezone.protocol.enums`; ``key`` names the order among the open ones.
    """

    key: int
    side: int
    price: int
    lots: int


@dataclass(frozen=True, slots=True)
class Shrink:
    """Cut an order in place; ``total`` lots include what is filled already, as in an amend."""

    key: int
    total: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Withdraw an order."""

    key: int


@dataclass(frozen=True, slots=True)
class Take:
    """Take liquidity, and nothing else: immediate or cancel.

    ``price`` is the worst price that was paid, ``makers`` what was published: who filled it, in order.
    """

    key: int
    side: int
    price: int
    lots: int
    makers: tuple[Maker, ...]


Intention = PlacePostOnly | Shrink | Cancel | Take


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state after a published message: ``after`` whole intentions and ``fills`` fills of the next one.

    ``row_1`` and ``row_10`` are the published rows of that moment, where there are any.
    """

    message: int
    after: int
    fills: int
    row_1: Row | None = None
    row_10: Row | None = None

    @property
    def position(self) -> tuple[int, int]:
        """Sort key of the moment."""
        return self.after, self.fills


@dataclass(frozen=True)
class OrderFlow:
    """Intentions in order of arrival, their times, and a checkpoint for every message.

    ``lost_rows_1`` and ``lost_rows_10`` are published rows that belong to no message: each is the number of
    the message after which it stood. They count as rows that were not reproduced.
    """

    name: str
    intentions: tuple[Intention, ...] = field(repr=False)
    times: tuple[int, ...] = field(repr=False)
    checkpoints: tuple[Checkpoint, ...] = field(repr=False)
    lost_rows_1: tuple[int, ...] = field(default=(), repr=False)
    lost_rows_10: tuple[int, ...] = field(default=(), repr=False)

    @property
    def messages(self) -> int:
        """Number of published messages."""
        return len(self.checkpoints)

    @property
    def takes(self) -> int:
        """Number of aggressive orders."""
        return sum(isinstance(intention, Take) for intention in self.intentions)

    def head(self, messages: int) -> OrderFlow:
        """Return the flow of the first ``messages`` messages; an aggressor cut in two is left out."""
        checkpoints = self.checkpoints[:messages]
        stop = checkpoints[-1].after if checkpoints else 0
        checkpoints = checkpoints[: bisect_right(checkpoints, (stop, 0), key=lambda c: c.position)]
        return OrderFlow(
            name=self.name,
            intentions=self.intentions[:stop],
            times=self.times[:stop],
            checkpoints=checkpoints,
            lost_rows_1=self.lost_rows_1[: bisect_left(self.lost_rows_1, len(checkpoints))],
            lost_rows_10=self.lost_rows_10[: bisect_left(self.lost_rows_10, len(checkpoints))],
        )
