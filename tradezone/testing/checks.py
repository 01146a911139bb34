"""Whether a run reproduced the published books and makers.

The engine's events are matched with the intentions by what they say (client id, kind), not by where the
leaves stood, so the events may come from the engine, a sequencer or a feed, with anything in between. They must
be complete, in order, and made with a taker delay of 0, so that execution follows arrival.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final, NamedTuple

from tradezone.protocol.events import (
    FILL,
    ORDER_AMENDED,
    ORDER_CANCELLED,
    ORDER_RESTED,
    ORDER_WAITING,
)
from tradezone.views import Event, Events, read_events, select_events

from .book import BOOK_KINDS, MarketBook
from .flow import CLIENT_TAG, DEFAULT_MARKET
from .intentions import Cancel, Intention, Maker, OrderFlow, PlacePostOnly, Row, Shrink, Take

_KINDS: Final = (*BOOK_KINDS, ORDER_WAITING)


class Count(NamedTuple):
    """How many of ``total`` were equal."""

    equal: int
    total: int

    def is_at_least(self, share_bps: int) -> bool:
        """Whether at least ``share_bps`` basis points of the total were equal."""
        return self.equal * 10_000 >= self.total * share_bps


class Report(NamedTuple):
    """Published rows and makers against those of a run.

    ``refused`` are intentions without any effect: refused by the engine, or not in the events.
    """

    rows_10: Count
    rows_1: Count
    aggressors: Count
    refused: int


class Difference(NamedTuple):
    """A row or a list of makers that was not reproduced, for a look by hand."""

    message: int
    expected: tuple[object, ...]
    found: tuple[object, ...]


def check_run(
    events: Events, flow: OrderFlow, market: int = DEFAULT_MARKET, tag: int = CLIENT_TAG
) -> Report:
    """Compare a run with what was published.

    Parameters
    ----------
    events : ndarray of EVENT_DTYPE
        all events of the run, in order
    flow : OrderFlow
        what was sent
    market, tag : int
        as given to `tradezone.testing.flow.build_groups`
    """
    check = RunCheck(flow, market, tag)
    check.apply(events)
    return check.close()


class RunCheck:
    """`check_run` in pieces: ``apply`` events as they come, then ``close``.

    ``differences`` holds what was not equal; ``book`` is the book as the events leave it.
    """

    def __init__(
        self, flow: OrderFlow, market: int = DEFAULT_MARKET, tag: int = CLIENT_TAG
    ) -> None:
        self.book = MarketBook()
        self.differences: list[Difference] = []
        self._flow, self._market, self._tag = flow, market, tag
        self._index = _build_index(flow.intentions)
        self._rows = [
            point
            for point in flow.checkpoints
            if not (point.row_1 is None and point.row_10 is None)
        ]
        self._next_row = 0
        self._keys: dict[int, int] = {}  # order id -> key
        self._makers: dict[int, list[Maker]] = {}  # intention -> fills
        self._seen: set[int] = set()
        self._at = -1  # intention whose events are coming
        self._equal_1 = self._equal_10 = 0

    def apply(self, events: Events) -> None:
        """Go on with more events."""
        for event in read_events(select_events(events, _KINDS)):
            if event.market == self._market:
                self._apply(event)

    def close(self) -> Report:
        """Compare what is left and return the result."""
        self._compare_rows(len(self._flow.intentions), 0)
        equal = total = 0
        for n, intention in enumerate(self._flow.intentions):
            if isinstance(intention, Take):
                found = tuple(self._makers.get(n, ()))
                total += 1
                equal += found == intention.makers
                if found != intention.makers:
                    self.differences.append(
                        Difference(self._get_message(n), intention.makers, found)
                    )
        points, flow = self._flow.checkpoints, self._flow
        rows_1 = sum(point.row_1 is not None for point in points) + len(flow.lost_rows_1)
        rows_10 = sum(point.row_10 is not None for point in points) + len(flow.lost_rows_10)
        return Report(
            rows_10=Count(self._equal_10, rows_10),
            rows_1=Count(self._equal_1, rows_1),
            aggressors=Count(equal, total),
            refused=len(flow.intentions) - len(self._seen),
        )

    def _apply(self, event: Event) -> None:
        if event.kind in (ORDER_RESTED, ORDER_WAITING) and event.client_id1 == self._tag:
            self._keys[event.order] = event.client_id0
        if event.kind == ORDER_WAITING:
            return
        intention = self._find(event)
        if intention is not None:
            fills = self._makers.get(intention, ())
            self._compare_rows(intention, len(fills))
            self._at = intention
            self._seen.add(intention)
        self.book.apply(event)
        if intention is not None and event.kind == FILL:
            maker = self._keys.get(event.other_order, 0)
            self._makers.setdefault(intention, []).append((maker, event.lots))

    def _find(self, event: Event) -> int | None:
        """Intention that an event belongs to, None for one of someone else."""
        key = self._keys.get(event.order)
        found = self._index.get((event.kind, key), ()) if key is not None else ()
        # only an aggressor has more than one event
        place = bisect_left(found, self._at + (event.kind != FILL))
        return found[place] if place < len(found) else None

    def _compare_rows(self, after: int, fills: int) -> None:
        """Compare all checkpoints up to the state before an event of intention ``after``."""
        while self._next_row < len(self._rows):
            point = self._rows[self._next_row]
            if point.position > (after, fills):
                return
            self._next_row += 1
            self._equal_1 += self._is_equal(point.message, point.row_1)
            self._equal_10 += self._is_equal(point.message, point.row_10)

    def _is_equal(self, message: int, expected: Row | None) -> bool:
        if expected is None:
            return False
        found = self.book.get_row(len(expected) // 4)
        if found != expected:
            self.differences.append(Difference(message, expected, found))
        return found == expected

    def _get_message(self, intention: int) -> int:
        """First message that is done only after this intention."""
        return bisect_left(self._flow.checkpoints, (intention, 1), key=lambda c: c.position)


def _build_index(intentions: tuple[Intention, ...]) -> dict[tuple[int, int | None], list[int]]:
    """Intentions by the event that shows them, rising: (event kind, key) -> indices."""
    index: dict[tuple[int, int | None], list[int]] = {}
    for n, intention in enumerate(intentions):
        for kind in _get_kinds(intention):
            index.setdefault((kind, intention.key), []).append(n)
    return index


def _get_kinds(intention: Intention) -> tuple[int, ...]:
    if isinstance(intention, PlacePostOnly):
        return (ORDER_RESTED,)
    if isinstance(intention, Shrink):
        return (ORDER_AMENDED, ORDER_CANCELLED)
    if isinstance(intention, Cancel):
        return (ORDER_CANCELLED,)
    return (FILL,)
