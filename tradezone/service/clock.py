"""The zone's clock: the machine's, without its jumps.

Block time decides who was first and what has expired, so it may not jump because somebody set the machine's clock.
`SteadyClock` starts at the machine's time and runs on by the monotonic clock; it follows the machine's time by at most
`SLEW_PPM` of the time that passes. A difference above `STEP_MS` is reported until it is gone.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from tradezone.sequencer import EventLog

if TYPE_CHECKING:
    from collections.abc import Callable

_log = EventLog("service.clock")

SLEW_PPM: Final = 10_000  # 1 %: a second of difference is gone after 100 s
STEP_MS: Final = 1_000
_NS_PER_MS: Final = 1_000_000
_PPM: Final = 1_000_000


class SteadyClock:
    """Milliseconds since 1970 that never fall and never jump.

    Parameters
    ----------
    wall, monotonic : callable, optional
        nanoseconds of the machine's clock and of the monotonic one
    """

    def __init__(
        self,
        wall: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._at = monotonic()
        self._time = wall()
        self._is_off = False

    def now(self) -> int:
        """Return the time, ms."""
        with self._lock:
            at = self._monotonic()
            passed, self._at = max(at - self._at, 0), at
            steady = self._time + passed
            room = passed * SLEW_PPM // _PPM
            ahead = steady - self._wall()
            self._time = steady - max(min(ahead, room), -room)
            self._report(ahead // _NS_PER_MS)
            return self._time // _NS_PER_MS

    @property
    def ahead_ms(self) -> int:
        """How far the zone is ahead of the machine's clock, ms."""
        return (self._time - self._wall()) // _NS_PER_MS

    def _report(self, ahead: int) -> None:
        is_off = abs(ahead) > STEP_MS
        if is_off and not self._is_off:
            _log.warning("machine_clock_stepped", zone_ahead_ms=ahead)
        self._is_off = is_off
