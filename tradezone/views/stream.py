"""The event stream as a consumer reads it: rows as Python integers, kinds picked by mask, no gap unnoticed.

Events are numbered without gaps over the life of the zone (``seq``), so a consumer of the whole stream knows at
once whether something is missing, doubled or out of place: `EventCursor`. What the numbers cannot show, a view finds
by what an event says: it names an order that is not open, fills one that is not first in its queue, and so on. Either
way the error names the event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tradezone.protocol import events as _events
from tradezone.protocol.events import EVENT_DTYPE

if TYPE_CHECKING:
    from collections.abc import Iterable

Events = npt.NDArray[np.void]


class Event(NamedTuple):
    """One event; the columns of ``EVENT_DTYPE`` in their order, as Python integers."""

    seq: int
    leaf: int
    kind: int
    side: int
    tif: int
    flag: int
    error: int
    market: int
    account: int
    other_account: int
    price: int
    order: int
    other_order: int
    lots: int
    left: int
    amount: int
    amount2: int
    client_id0: int
    client_id1: int

    @property
    def client_id(self) -> int:
        """Client id as a big-endian integer, 0 = none."""
        return self.client_id1 << 64 | self.client_id0


assert Event._fields == EVENT_DTYPE.names, "a view reads every column by its name"

KIND_NAMES: Final[dict[int, str]] = {
    value: name
    for name, value in vars(_events).items()
    if name.isupper() and isinstance(value, int)
}


class ViewError(ValueError):
    """What a view was given does not fit what it knows. ``seq`` is the number of the event or update."""

    def __init__(self, message: str, seq: int) -> None:
        super().__init__(message)
        self.seq = seq


class GapError(ViewError):
    """Something is missing before ``seq``, or it was given twice. Nothing was applied."""

    def __init__(self, message: str, seq: int, expected: int) -> None:
        super().__init__(message, seq)
        self.expected = expected


class MisfitError(ViewError):
    """An event contradicts what the view knows.

    Warning: events before it were applied, so the view is of no use any more; begin again from the first event.
    """

    def __init__(self, event: Event, reason: str) -> None:
        name = KIND_NAMES.get(event.kind, f"kind {event.kind}")
        super().__init__(f"event {event.seq} ({name}): {reason}", event.seq)
        self.event = event


class EventCursor:
    """Number of the event that comes next. ``next_seq`` rises by one an event and never jumps."""

    def __init__(self, next_seq: int = 1) -> None:
        self.next_seq = next_seq

    def advance(self, events: Events) -> None:
        """Step over events; GapError, and no step, unless their numbers go on without a gap."""
        count = len(events)
        found = events["seq"]
        wanted = np.arange(self.next_seq, self.next_seq + count, dtype=np.int64)
        if not np.array_equal(found, wanted):
            at = int(np.flatnonzero(found != wanted)[0])
            seq, expected = int(found[at]), self.next_seq + at
            what = "given twice or out of order" if seq < expected else "something is missing"
            raise GapError(f"Expected event {expected}, was {seq}: {what}", seq, expected)
        self.next_seq += count


def select_events(events: Events, kinds: Iterable[int]) -> Events:
    """Events of the given kinds, in order."""
    wanted = np.zeros(256, dtype=np.bool_)
    wanted[list(kinds)] = True
    selected: Events = events[wanted[events["kind"].view(np.uint8)]]
    return selected


def read_events(events: Events) -> list[Event]:
    """Rows of an event array as Python integers."""
    return [Event._make(row) for row in events.tolist()]
