"""How much one address may ask: a bucket of weight a minute, visible in the headers of every answer."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_BURST_PARTS: Final = 6  # a sixth of a minute's weight may be asked at once
_MAX_ADDRESSES: Final = (
    1 << 17
)  # beyond it the one seen longest ago is forgotten: it is full again anyway
_MINUTE: Final = 60.0


class Allowance(NamedTuple):
    """What a request left."""

    is_allowed: bool
    limit: int  # weight a minute
    remaining: int
    reset_ms: int  # until the bucket is full; if not allowed, until the request would be

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return it as headers."""
        reset = -(-self.reset_ms // 1_000)
        return [
            (b"ratelimit-limit", str(self.limit).encode()),
            (b"ratelimit-remaining", str(self.remaining).encode()),
            (b"ratelimit-reset", str(reset).encode()),
        ]


class RateLimiter:
    """Buckets by address. One thread.

    Parameters
    ----------
    per_minute : int
        weight that flows into each bucket
    now : callable
        seconds
    """

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self.capacity = max(per_minute // _BURST_PARTS, 1)
        self._rate = per_minute / _MINUTE
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # level, at

    def take(self, address: str, weight: int = 1) -> Allowance:
        """Take weight out of an address's bucket, or say when there will be enough."""
        now = self._now()
        level, at = self._buckets.pop(address, (float(self.capacity), now))
        level = min(level + (now - at) * self._rate, float(self.capacity))
        weight = min(weight, self.capacity)
        is_allowed = level >= weight
        if is_allowed:
            level -= weight
            missing = self.capacity - level
        else:
            missing = weight - level
        self._buckets[address] = (level, now)
        if len(self._buckets) > _MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        reset_ms = int(missing / self._rate * 1_000) + 1
        return Allowance(is_allowed, self.per_minute, int(level), reset_ms)
