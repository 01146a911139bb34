"""Depth of all markets from the event stream, without an object an order.

It gives exactly the updates that `tradezone.views.DepthFeed` gives, which follows every order by itself and checks
everything an event says; a test holds both together. Here an order is a row of arrays, by its slot.

Invariants: a row is in use iff its order rests; a level's lots and orders are the sums over the rows that rest at it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tradezone.protocol.enums import BUY, MARKET_PERP, RESTING, SELL
from tradezone.protocol.events import (
    EVENT_DTYPE,
    FILL,
    FUNDING_SET,
    MARK_SET,
    ORDER_AMENDED,
    ORDER_CANCELLED,
    ORDER_RESTED,
    PRICE_STATE,
)
from tradezone.protocol.records import TABLE_BY_NAME
from tradezone.sequencer.jit import compiled
from tradezone.views import Change, DepthSnapshot, DepthUpdate, Level, ViewError
from tradezone.views.l3 import LEFT_ITS_PLACE
from tradezone.views.stream import EventCursor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradezone.engine import Engine

    I8 = NDArray[np.int64]

_SLOT: Final = (1 << 32) - 1
_MASK: Final = 0xFFFFFFFF
_FEWEST: Final = 1 << 12  # rows of the table of levels at first
_POLYNOMIAL: Final = 0xEDB88320  # of CRC-32, reflected
_HASH: Final = -0x61C8864680B583EB  # 2^64 / golden ratio


def _build_crc() -> NDArray[np.uint32]:
    table = np.zeros(256, np.uint32)
    for n in range(256):
        value = n
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table[n] = value
    return table


_CRC: Final = _build_crc()


class _Orders(NamedTuple):
    """Resting orders by slot."""

    order: I8  # id, 0 = none rests here
    lots: I8
    level: I8  # key of its level


class _Levels(NamedTuple):
    """Levels by hash of (market, side, price); rows whose key is 0 are free, and a level that is gone keeps its row."""

    key: I8  # market << 33 | side << 32 | price
    lots: I8
    orders: I8
    told_lots: I8  # as the last update has it
    told_orders: I8
    stamp: I8  # call that touched it last


_USED, _CALLS, _WRONG = range(3)


@compiled
def _find(levels: _Levels, key: int) -> Any:
    """Row of a level, or the free row where it belongs."""
    mask = levels.key.size - 1
    row = (np.int64(key) * _HASH) >> 20 & mask
    while levels.key[row] != 0 and levels.key[row] != key:
        row = (row + 1) & mask
    return row


@compiled
def _add(
    levels: _Levels, control: I8, touched: I8, count: int, key: int, lots: int, orders: Any
) -> Any:
    """Change a level, list it as touched, and return how many are."""
    row = _find(levels, key)
    if levels.key[row] == 0:
        levels.key[row] = key
        control[_USED] += 1
    levels.lots[row] += lots
    levels.orders[row] += orders
    if levels.stamp[row] != control[_CALLS]:
        levels.stamp[row] = control[_CALLS]
        touched[count] = row
        count += 1
    return count


@compiled
def _apply(
    events: Any, start: int, orders: _Orders, levels: _Levels, control: I8, touched: I8, count: int
) -> Any:
    """Apply events from ``start`` on: (next event, levels touched); it stops where the table is full, or one does not fit."""
    kinds, ids, others, all_lots, lefts, flags, keys = events
    for e in range(start, kinds.size):
        kind = kinds[e]
        if 2 * control[_USED] >= levels.key.size:
            return e, count
        if kind == ORDER_RESTED:
            slot = ids[e] & _SLOT
            if orders.order[slot] != 0 or all_lots[e] <= 0:
                control[_WRONG] = e
                return e, count
            orders.order[slot], orders.lots[slot] = ids[e], all_lots[e]
            orders.level[slot] = keys[e]
            count = _add(levels, control, touched, count, keys[e], all_lots[e], 1)
        elif kind == FILL:
            slot = others[e] & _SLOT
            left = orders.lots[slot] - all_lots[e]
            if orders.order[slot] != others[e] or left != lefts[e] or left < 0:
                control[_WRONG] = e
                return e, count
            gone = np.int64(0)
            if left == 0:
                orders.order[slot] = 0
                gone = np.int64(1)
            orders.lots[slot] = left
            count = _add(levels, control, touched, count, orders.level[slot], -all_lots[e], -gone)
        elif kind in (ORDER_AMENDED, ORDER_CANCELLED):
            slot = ids[e] & _SLOT
            if orders.order[slot] != ids[e]:
                continue  # it waits: no level has it
            if kind == ORDER_AMENDED and flags[e] != LEFT_ITS_PLACE:
                less = orders.lots[slot] - all_lots[e]
                if less < 0 or all_lots[e] <= 0:
                    control[_WRONG] = e
                    return e, count
                orders.lots[slot] = all_lots[e]
                count = _add(levels, control, touched, count, orders.level[slot], -less, 0)
            else:
                orders.order[slot] = 0
                count = _add(
                    levels, control, touched, count, orders.level[slot], -orders.lots[slot], -1
                )
    return kinds.size, count


@compiled
def _move(old: _Levels, new: _Levels) -> Any:
    """Copy levels that are there, or were when they were told last, into a larger table; how many."""
    used = 0
    for row in range(old.key.size):
        if old.key[row] == 0 or (old.orders[row] == 0 and old.told_orders[row] == 0):
            continue
        to = _find(new, old.key[row])
        new.key[to], new.lots[to], new.orders[to] = old.key[row], old.lots[row], old.orders[row]
        new.told_lots[to], new.told_orders[to] = old.told_lots[row], old.told_orders[row]
        used += 1
    return used


@compiled
def _digest(crc: NDArray[np.uint32], key: int, lots: int, orders: int) -> Any:
    """`get_level_digest`."""
    value = np.uint32(_MASK)
    for n in range(17):
        if n == 0:
            byte = np.int64(key) >> 32 & 1
        elif n < 5:
            byte = np.int64(key) >> (8 * (4 - n)) & 0xFF
        elif n < 13:
            byte = np.int64(lots) >> (8 * (12 - n)) & 0xFF
        else:
            byte = np.int64(orders) >> (8 * (16 - n)) & 0xFF
        value = value >> np.uint32(8) ^ crc[(np.int64(value) ^ byte) & 0xFF]
    digest = np.int64(value ^ np.uint32(_MASK))
    digest = ((digest ^ digest >> 16) * 0x85EBCA6B) & _MASK
    digest = ((digest ^ digest >> 13) * 0xC2B2AE35) & _MASK
    return digest ^ digest >> 16


@compiled
def _tell(levels: _Levels, touched: I8, count: int, crc: NDArray[np.uint32], out: I8) -> Any:
    """Fill ``out`` with (key, lots, orders, change of the checksum) of levels that are not as they were told."""
    told = 0
    for n in range(count):
        row = touched[n]
        lots, orders = levels.lots[row], levels.orders[row]
        before_lots, before = levels.told_lots[row], levels.told_orders[row]
        if lots == before_lots and orders == before:
            continue
        delta = np.int64(0)
        if before != 0:
            delta -= _digest(crc, levels.key[row], before_lots, before)
        if orders != 0:
            delta += _digest(crc, levels.key[row], lots, orders)
        levels.told_lots[row], levels.told_orders[row] = lots, orders
        out[told, 0], out[told, 1], out[told, 2], out[told, 3] = (
            levels.key[row],
            lots,
            orders,
            delta,
        )
        told += 1
    return told


class Ladder:
    """Depth of one market as it was told last."""

    def __init__(self) -> None:
        self.levels: tuple[dict[int, tuple[int, int]], dict[int, tuple[int, int]]] = ({}, {})
        self._ranks: tuple[list[int], list[int]] = ([], [])  # rising; the best price is last
        self.checksum = 0
        self.seq = 0

    def set(self, side: int, price: int, lots: int, orders: int) -> None:
        """Set a level; without orders it is gone."""
        levels, ranks = self.levels[side], self._ranks[side]
        rank = price if side == BUY else -price
        if orders:
            if price not in levels:
                insort(ranks, rank)
            levels[price] = lots, orders
        elif levels.pop(price, None):
            del ranks[bisect_left(ranks, rank)]

    def get_best(self, side: int) -> tuple[int | None, int]:
        """Best price of a side and the lots there."""
        ranks = self._ranks[side]
        if not ranks:
            return None, 0
        price = ranks[-1] if side == BUY else -ranks[-1]
        return price, self.levels[side][price][0]

    def get_side(self, side: int) -> tuple[Level, ...]:
        """Levels of a side, best first."""
        sign = 1 if side == BUY else -1
        levels = self.levels[side]
        return tuple(Level(sign * r, *levels[sign * r]) for r in reversed(self._ranks[side]))


def _make_levels(size: int) -> _Levels:
    return _Levels(*np.zeros((6, size), np.int64))


def read_books(engine: Engine) -> NDArray[Any]:
    """Return the resting orders of a state as the events that would put them there."""
    orders = engine.tables["order"]
    used = int(engine.tables["head"][TABLE_BY_NAME["order"].number]["high_water"])
    slots = np.flatnonzero(orders["state"][:used] == RESTING)
    rested = orders[slots]
    events = np.zeros(len(slots), EVENT_DTYPE)
    events["kind"] = ORDER_RESTED
    events["order"] = rested["generation"].astype(np.int64) << 32 | slots
    for name in ("side", "market", "price", "lots"):
        events[name] = rested[name]
    return events


def read_prices(engine: Engine) -> NDArray[Any]:
    """Return the prices of perpetuals of a state as the events that would say them."""
    used = int(engine.tables["head"][TABLE_BY_NAME["market"].number]["high_water"])
    markets = engine.tables["market"][:used]
    slots = np.flatnonzero((markets["kind"] == MARKET_PERP) & (markets["guest_of"] == 0))
    prices = engine.tables["price"][slots]
    told = []
    for kind, columns in (
        (PRICE_STATE, {"flag": "state"}),
        (MARK_SET, {"price": "mark", "other_account": "index"}),
        (FUNDING_SET, {"amount": "funding_rate", "amount2": "funding_index"}),
    ):
        events = np.zeros(len(slots), EVENT_DTYPE)
        events["kind"], events["market"] = kind, slots
        for column, name in columns.items():
            events[column] = prices[name]
        told.append(events)
    return np.concatenate(told)


def read_start(engine: Engine) -> NDArray[Any]:
    """Return what stands in a state for market data to go on from: resting orders, prices of perpetuals."""
    return np.concatenate([read_books(engine), read_prices(engine)])


class Depths:
    """Makes the updates and snapshots of all markets from the whole event stream.

    Parameters
    ----------
    next_seq : int
        number of the first event that will come
    books : (n,) EVENT_DTYPE, optional
        what rests before it (`read_books`); nothing if absent
    """

    def __init__(self, next_seq: int = 1, books: NDArray[Any] | None = None) -> None:
        self.cursor = EventCursor(next_seq)
        self._orders = _Orders(
            *(np.zeros(TABLE_BY_NAME["order"].capacity, np.int64) for _ in range(3))
        )
        self._levels = _make_levels(_FEWEST)
        self._control = np.zeros(3, np.int64)
        self._ladders: dict[int, Ladder] = {}
        if books is not None and len(books):
            self._publish(*self._take(books), next_seq - 1)

    def apply(self, events: NDArray[Any]) -> list[DepthUpdate]:
        """Apply events and return an update of every market whose depth they changed, by rising market.

        Raises
        ------
        GapError
            Events are missing or doubled. Nothing was applied.
        ViewError
            One contradicts the books. They are of no use any more: begin again.
        """
        self.cursor.advance(events)
        if not len(events):
            return []
        return self._publish(*self._take(events), self.cursor.next_seq - 1)

    def _take(self, events: NDArray[Any]) -> tuple[I8, int]:
        """Apply events; return the levels that are not as they were told, and how many."""
        control = self._control
        control[_CALLS] += 1
        control[_WRONG] = -1
        keys = events["market"].astype(np.int64) << 33 | events["price"]
        keys |= events["side"].astype(np.int64) << 32
        columns = (
            np.ascontiguousarray(events["kind"]),
            *(np.ascontiguousarray(events[n]) for n in ("order", "other_order", "lots", "left")),
            np.ascontiguousarray(events["flag"]),
            keys,
        )
        touched = np.empty(len(events), np.int64)
        out = np.empty((2 * len(events), 4), np.int64)
        at = told = 0
        while True:
            at, count = _apply(columns, at, self._orders, self._levels, control, touched, 0)
            if control[_WRONG] >= 0:
                seq = int(events["seq"][int(control[_WRONG])])
                raise ViewError(f"event {seq} contradicts the book of its market", seq)
            if at == len(events):
                told += int(_tell(self._levels, touched, count, _CRC, out[told:]))
                return out, told
            # what was touched so far is told first: rows are about to move
            told += int(_tell(self._levels, touched, count, _CRC, out[told:]))
            larger = _make_levels(2 * len(self._levels.key))
            control[_USED] = int(_move(self._levels, larger))
            self._levels = larger

    def _publish(self, out: I8, told: int, seq: int) -> list[DepthUpdate]:
        by_market: dict[int, tuple[dict[tuple[int, int], Change], list[int]]] = {}
        for key, lots, orders, delta in out[:told].tolist():
            market, side, price = key >> 33, key >> 32 & 1, key & _MASK
            changes, deltas = by_market.setdefault(market, ({}, []))
            changes[side, price] = Change(side, price, lots, orders)
            deltas.append(delta)
        updates = []
        for market in sorted(by_market):
            changes, deltas = by_market[market]
            ladder = self._ladders.get(market)
            if ladder is None:
                ladder = self._ladders[market] = Ladder()
            for change in changes.values():
                ladder.set(*change)
            ladder.checksum = (ladder.checksum + sum(deltas)) & _MASK
            previous, ladder.seq = ladder.seq, seq
            updates.append(
                DepthUpdate(market, previous, seq, tuple(changes.values()), ladder.checksum)
            )
        return updates

    def get_ladder(self, market: int) -> Ladder:
        """Depth of a market; empty if nothing ever stood there."""
        return self._ladders.get(market) or Ladder()

    def get_snapshot(self, market: int) -> DepthSnapshot:
        """Depth as the last update left it."""
        ladder = self.get_ladder(market)
        bids, asks = ladder.get_side(BUY), ladder.get_side(SELL)
        return DepthSnapshot(market, ladder.seq, bids, asks, ladder.checksum)
