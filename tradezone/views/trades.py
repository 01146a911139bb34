"""Trades and candles from fills, in integers: prices in ticks, sizes in lots, turnover in ticks * lots.

Events carry no time, so the time of the block that they belong to is given with them.

A candle covers [start, start + interval), start a multiple of the interval (UTC). One in which nothing traded has the
close before it as all four prices and zero lots, turnover and trades; there is none before a market's first trade.

Invariant: a candle of any interval is the merge of the seconds in it, so all intervals agree to the last lot.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tradezone.protocol.events import FILL

from .stream import EventCursor, Events, ViewError, select_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SECOND: Final = 1_000  # ms
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
INTERVALS: Final = (
    SECOND,
    5 * SECOND,
    15 * SECOND,
    MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    HOUR,
    4 * HOUR,
    DAY,
)


class Trade(NamedTuple):
    """A fill. ``side`` is that of the taker; fees are what each side pays, negative: what it receives.

    Parameters
    ----------
    seq : int
        number of the event
    time : int
        ms, of the block
    taker, maker : int
        order ids
    """

    seq: int
    time: int
    market: int
    side: int
    price: int
    lots: int
    taker: int
    maker: int
    taker_account: int
    maker_account: int
    taker_fee: int
    maker_fee: int


class Candle(NamedTuple):
    """What traded in an interval. ``turnover`` is the sum of price * lots."""

    start: int  # ms
    open: int
    high: int
    low: int
    close: int
    lots: int
    turnover: int
    trades: int


def read_trades(events: Events, times: int | npt.NDArray[np.int64]) -> list[Trade]:
    """Read the trades among events.

    Parameters
    ----------
    times : int or ndarray
        ms, of the block of all events, or of each
    """
    fills = select_events(events, (FILL,))
    columns = (
        fills["seq"],
        _get_times(events, times),
        fills["market"],
        fills["side"],
        fills["price"],
        fills["lots"],
        fills["order"],
        fills["other_order"],
        fills["account"],
        fills["other_account"],
        fills["amount"],
        fills["amount2"],
    )
    return list(map(Trade._make, zip(*(column.tolist() for column in columns), strict=True)))


class CandleFeed:
    """Candles of all markets, kept up to date from the event stream.

    Parameters
    ----------
    intervals : iterable of int
        ms, each a multiple of a second
    next_seq : int
        number of the first event that will come
    """

    def __init__(self, intervals: Iterable[int] = INTERVALS, next_seq: int = 1) -> None:
        self.intervals = tuple(intervals)
        for interval in self.intervals:
            if interval < SECOND or interval % SECOND:
                raise ValueError(f"Expected an interval of whole seconds in ms, was {interval}")
        self.cursor = EventCursor(next_seq)
        self.time = 0  # ms, of the newest events
        self._series: dict[
            tuple[int, int], list[Candle]
        ] = {}  # by (market, interval), no empty ones

    def apply(self, events: Events, times: int | npt.NDArray[np.int64]) -> list[int]:
        """Take events in and return the markets that traded, rising.

        ``times`` is as for `read_trades`. GapError if events are missing or doubled, ViewError if times fall; nothing
        is applied then.
        """
        newest = self._check_times(events, times)
        self.cursor.advance(events)
        self.time = newest
        fills = select_events(events, (FILL,))
        if not len(fills):
            return []
        stamps = _get_times(events, times)
        markets = sorted(set(fills["market"].tolist()))
        for market in markets:
            mine = fills["market"] == market
            seconds = _build_seconds(fills[mine], stamps[mine])
            for interval in self.intervals:
                series = self._series.setdefault((market, interval), [])
                for second in seconds:
                    _merge_into(series, second, interval)
        return markets

    def get_last(self, market: int, interval: int) -> Candle | None:
        """Newest candle in which something traded, or None."""
        series = self._get_series(market, interval)
        return series[-1] if series else None

    def get_candles(self, market: int, interval: int, start: int, stop: int) -> list[Candle]:
        """Candles, empty ones included, that begin in ``start .. stop - 1``, up to the newest time heard of.

        Parameters
        ----------
        start, stop : int
            ms
        """
        return list(self._iterate(market, interval, start, stop))

    def _iterate(self, market: int, interval: int, start: int, stop: int) -> Iterator[Candle]:
        series = self._get_series(market, interval)
        if not series:
            return
        at = -(-max(start, series[0].start) // interval) * interval
        stop = min(stop, self.time + 1)
        place = bisect_left(series, at, key=attrgetter("start"))
        while at < stop:
            if place < len(series) and series[place].start == at:
                yield series[place]
                place += 1
            else:
                close = series[place - 1].close
                yield Candle(at, close, close, close, close, 0, 0, 0)
            at += interval

    def _get_series(self, market: int, interval: int) -> list[Candle]:
        if interval not in self.intervals:
            raise ValueError(f"Expected one of the intervals {self.intervals}, was {interval}")
        return self._series.get((market, interval), [])

    def _check_times(self, events: Events, times: int | npt.NDArray[np.int64]) -> int:
        stamps = np.asarray(times, dtype=np.int64).reshape(-1)
        if not len(stamps):
            return self.time
        if stamps[0] < self.time or (np.diff(stamps) < 0).any():
            seq = int(events["seq"][0]) if len(events) else self.cursor.next_seq
            raise ViewError(
                f"from event {seq}: Expected times that do not fall, from {self.time}", seq
            )
        return int(stamps[-1])


def _get_times(events: Events, times: int | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Time of each fill among events, ms."""
    is_fill = events["kind"] == FILL
    stamps = np.broadcast_to(np.asarray(times, dtype=np.int64), is_fill.shape)
    picked: npt.NDArray[np.int64] = stamps[is_fill]
    return picked


def _build_seconds(fills: Events, stamps: npt.NDArray[np.int64]) -> list[Candle]:
    """Candles of one second of one market's fills, in order of time."""
    starts = stamps // SECOND * SECOND
    first = np.flatnonzero(np.diff(starts, prepend=starts[0] - 1))
    last = np.append(first[1:], len(fills)) - 1
    prices = fills["price"]
    lots = fills["lots"].astype(object)  # sums may pass 2^63: Python's integers
    turnovers = lots * prices.astype(object)
    columns = (
        starts[first].tolist(),
        prices[first].tolist(),
        np.maximum.reduceat(prices, first).tolist(),
        np.minimum.reduceat(prices, first).tolist(),
        prices[last].tolist(),
        np.add.reduceat(lots, first).tolist(),
        np.add.reduceat(turnovers, first).tolist(),
        (last - first + 1).tolist(),
    )
    return list(map(Candle._make, zip(*columns, strict=True)))


def _merge_into(series: list[Candle], second: Candle, interval: int) -> None:
    """Add a second to the series, whose last candle may be the one that it belongs to."""
    start = second.start // interval * interval
    if not series or series[-1].start < start:
        series.append(second._replace(start=start))
        return
    whole = series[-1]
    series[-1] = Candle(
        start,
        whole.open,
        max(whole.high, second.high),
        min(whole.low, second.low),
        second.close,
        whole.lots + second.lots,
        whole.turnover + second.turnover,
        whole.trades + second.trades,
    )
