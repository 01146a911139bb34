"""Where block times and receive times come from."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of time; it may stand still or step back, blocks never do."""

    def now(self) -> int:
        """Return the time in ms since 1970."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Return the time in ms since 1970."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that is set by hand: replays, tests, demonstrations.

    Parameters
    ----------
    time_ms : int
        first reading
    """

    def __init__(self, time_ms: int) -> None:
        self.time_ms = time_ms

    def now(self) -> int:
        """Return the time it was set to, ms."""
        return self.time_ms

    def advance(self, milliseconds: int) -> int:
        """Move on by ``milliseconds`` and return the new time, ms."""
        self.time_ms += milliseconds
        return self.time_ms
