"""Depth per price (level 2): snapshots, updates, and a book that follows them and notices what it missed.

Whoever reads the events makes the updates (`DepthFeed`); whoever follows them (`DepthBook`) needs nothing else. An
update holds the levels that changed, as they stand now; one that is gone has 0 lots. Each update names the one before it:

    update.previous = seq of the market's update before;   a snapshot has the seq of the last update it contains

so a follower that missed one knows it at the next, keeps what comes, and goes on from any snapshot that is as new as
the gap. ``seq`` is the number of an event: depth at ``seq`` is what all events up to it leave.

Invariant: ``checksum`` is the sum, modulo 2^32, of `get_level_digest` over all levels of both sides, so it covers the whole
book, costs as much as the levels that changed, and does not depend on their order.
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from tradezone.protocol.enums import BUY, SELL

from .l3 import L3Feed
from .stream import GapError, ViewError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .stream import Events

MAX_PENDING: Final = 4096  # updates a follower keeps while it waits for a snapshot

_LEVEL: Final = struct.Struct(">BIQI")
_MASK: Final = 0xFFFFFFFF


class Level(NamedTuple):
    """All that rests at a price: ticks, open lots, number of orders."""

    price: int
    lots: int
    orders: int


class Change(NamedTuple):
    """A level as it stands now; 0 lots and orders: it is gone."""

    side: int
    price: int
    lots: int
    orders: int


class DepthUpdate(NamedTuple):
    """What changed in a market since the update ``previous``; ``checksum`` is that of the whole book after it."""

    market: int
    previous: int
    seq: int
    changes: tuple[Change, ...]
    checksum: int


class DepthSnapshot(NamedTuple):
    """The whole depth of a market, best levels first."""

    market: int
    seq: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    checksum: int


class ChecksumError(ViewError):
    """A follower's book is not the one that was published."""


class StaleError(ViewError):
    """A follower's book has a gap and waits for a snapshot."""


def get_level_digest(side: int, price: int, lots: int, orders: int) -> int:
    """Digest of a level, 32 bits: CRC-32 of (side u8, price u32, lots u64, orders u32), big-endian, then mixed.

    The mixing (the finaliser of MurmurHash3) is there because CRC-32 alone is linear: two levels whose lots were
    swapped would cancel out in a sum.
    """
    digest = zlib.crc32(_LEVEL.pack(side, price, lots, orders))
    digest = ((digest ^ digest >> 16) * 0x85EBCA6B) & _MASK
    digest = ((digest ^ digest >> 13) * 0xC2B2AE35) & _MASK
    return digest ^ digest >> 16


def get_checksum(bids: Iterable[Level], asks: Iterable[Level]) -> int:
    """Checksum of a whole book."""
    digests = [get_level_digest(BUY, *level) for level in bids]
    digests += [get_level_digest(SELL, *level) for level in asks]
    return sum(digests) & _MASK


class _Depth:
    """Levels of one market by (side, price), and their checksum."""

    def __init__(self) -> None:
        self.levels: dict[tuple[int, int], tuple[int, int]] = {}
        self.checksum = 0
        self.seq = 0  # of the last update

    def set(self, change: Change) -> bool:
        """Set a level; False if it stood like that already."""
        side, price, lots, orders = change
        before = self.levels.get((side, price))
        after = (lots, orders) if lots else None
        if before == after:
            return False
        if before is not None:
            self.checksum -= get_level_digest(side, price, *before)
        if after is None:
            del self.levels[side, price]
        else:
            self.checksum += get_level_digest(side, price, *after)
            self.levels[side, price] = after
        self.checksum &= _MASK
        return True

    def get_side(self, side: int) -> tuple[Level, ...]:
        """Levels of a side, best first."""
        prices = sorted((price for s, price in self.levels if s == side), reverse=side == BUY)
        return tuple(Level(price, *self.levels[side, price]) for price in prices)


class DepthFeed:
    """Makes the updates and snapshots of all markets from the whole event stream.

    Parameters
    ----------
    books : L3Feed, optional
        the books to read the levels from; nobody else may apply events to them. New ones without it
    """

    def __init__(self, books: L3Feed | None = None) -> None:
        self.books = L3Feed() if books is None else books
        self._depths: dict[int, _Depth] = {}
        for market in self.books.markets:
            self._publish(market, self.books.cursor.next_seq - 1)

    def apply(self, events: Events) -> list[DepthUpdate]:
        """Apply events and return an update of every market whose depth they changed, by rising market.

        The update is as of the last of the events: apply a block, or many at once to conflate them.
        Raises what `L3Feed.apply` raises.
        """
        markets = self.books.apply(events)
        seq = self.books.cursor.next_seq - 1
        updates = (self._publish(market, seq) for market in markets)
        return [update for update in updates if update is not None]

    def get_snapshot(self, market: int) -> DepthSnapshot:
        """Depth as the last update left it."""
        depth = self._depths.get(market) or _Depth()
        bids, asks = depth.get_side(BUY), depth.get_side(SELL)
        return DepthSnapshot(market, depth.seq, bids, asks, depth.checksum)

    def _publish(self, market: int, seq: int) -> DepthUpdate | None:
        book = self.books.markets[market]
        touched = book.take_touched()
        depth = self._depths.get(market)
        if depth is None:
            depth = self._depths[market] = _Depth()
        now = (Change(side, price, *book.get_level(side, price)) for side, price in touched)
        changes = tuple(change for change in now if depth.set(change))
        if not changes:
            return None
        previous, depth.seq = depth.seq, seq
        return DepthUpdate(market, previous, seq, changes, depth.checksum)


class DepthBook:
    """Follows the updates of one market. While it has a gap it keeps what comes and answers nothing.

    A book begins empty at seq 0: it may follow from the first update of the market, or be given a snapshot.

    Parameters
    ----------
    market : int
        market slot
    """

    def __init__(self, market: int) -> None:
        self.market = market
        self.trouble: ViewError | None = None  # why it waits for a snapshot
        self._depth = _Depth()
        self._pending: deque[DepthUpdate] = deque(maxlen=MAX_PENDING)

    @property
    def seq(self) -> int:
        """Number of the last update that is in the book."""
        return self._depth.seq

    @property
    def is_synced(self) -> bool:
        """Whether the book is the published one."""
        return self.trouble is None

    def apply(self, update: DepthUpdate) -> bool:
        """Take an update and say whether the book is in step with it. One that it contains already changes nothing.

        After a gap or a wrong checksum (``trouble`` says which) updates are kept, and `restore` repairs the book.
        """
        if update.market != self.market:
            raise ViewError(
                f"Expected an update of market {self.market}, was {update.market}", update.seq
            )
        if self.trouble is not None:
            self._pending.append(update)
            return False
        if update.seq <= self.seq:
            return True
        if update.previous != self.seq:
            self.trouble = GapError(
                f"update {update.seq} of market {self.market} follows {update.previous}, the book has "
                f"{self.seq}: ask for a snapshot",
                update.seq,
                self.seq,
            )
            self._pending.append(update)
            return False
        for change in update.changes:
            self._depth.set(change)
        self._depth.seq = update.seq
        if self._depth.checksum != update.checksum:
            self.trouble = ChecksumError(
                f"after update {update.seq} of market {self.market} the checksum is "
                f"{self._depth.checksum:#010x}, Expected {update.checksum:#010x}: ask for a snapshot",
                update.seq,
            )
            self._pending.append(update)  # right, perhaps, on top of the snapshot
        return self.is_synced

    def restore(self, snapshot: DepthSnapshot) -> bool:
        """Begin again from a snapshot, then from what was kept, and say whether the book is in step.

        False: the snapshot is older than the gap; what was kept is kept on, so a newer one will do.
        ChecksumError, and nothing changes, if the snapshot does not agree with itself.
        """
        if snapshot.market != self.market:
            raise ViewError(
                f"Expected a snapshot of market {self.market}, was {snapshot.market}", snapshot.seq
            )
        found = get_checksum(snapshot.bids, snapshot.asks)
        if found != snapshot.checksum:
            raise ChecksumError(
                f"the levels of snapshot {snapshot.seq} have the checksum {found:#010x}, "
                f"Expected {snapshot.checksum:#010x}",
                snapshot.seq,
            )
        self._depth = _Depth()
        for side, levels in ((BUY, snapshot.bids), (SELL, snapshot.asks)):
            for level in levels:
                self._depth.set(Change(side, *level))
        self._depth.seq = snapshot.seq
        self.trouble = None
        pending = list(self._pending)
        self._pending.clear()
        for update in pending:
            self.apply(update)
        return self.is_synced

    def get_levels(self, side: int, count: int | None = None) -> tuple[Level, ...]:
        """Best ``count`` levels of a side, or all. StaleError while the book has a gap."""
        if self.trouble is not None:
            raise StaleError(f"the book waits for a snapshot: {self.trouble}", self.seq)
        return self._depth.get_side(side)[:count]

    def get_snapshot(self) -> DepthSnapshot:
        """Return the book as it stands. StaleError while it has a gap."""
        bids, asks = self.get_levels(BUY), self.get_levels(SELL)
        return DepthSnapshot(self.market, self.seq, bids, asks, self._depth.checksum)
