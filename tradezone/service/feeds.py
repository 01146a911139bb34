"""Market data: what everybody hears of every block that is on disk.

`Feeds` lives in the process of the views (`tradezone.service.viewer`): books by price with checksums, trades, candles, tickers.

Invariant: what is heard of a block follows from its events and those before it, so a consumer that begins with a
snapshot at ``seq`` and goes on with every update behind it has the published book, and notices if it has not.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from operator import mul
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.events import (
    FILL,
    FUNDING_SET,
    MARK_SET,
    ORDER_RESTED,
    PRICE_STATE,
    SETTLEMENT_BEGUN,
)
from tradezone.views import (
    INTERVALS,
    Candle,
    DepthSnapshot,
    DepthUpdate,
    Trade,
    read_events,
    read_trades,
    select_events,
)

from .depth import Depths

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from .history import HistoryReader

RECENT_TRADES: Final = 1_000  # kept per market for who asks; history has the rest
DAY: Final = 86_400_000
_PRICE_KINDS: Final = (MARK_SET, FUNDING_SET, PRICE_STATE, SETTLEMENT_BEGUN)


class Ticker(NamedTuple):
    """A market at a glance; the last day is that before ``time``. Prices are ticks, sizes lots."""

    market: int
    time: int
    seq: int
    last: int
    best_bid: int | None
    bid_lots: int
    best_ask: int | None
    ask_lots: int
    open: int
    high: int
    low: int
    lots: int
    turnover: int
    trades: int
    mark: int | None = None  # of perpetuals, ticks
    index_price: int | None = None
    funding_rate: int | None = None  # ppb of the last hour
    price_state: int | None = None


class Price(NamedTuple):
    """What events say of a perpetual's price."""

    mark: int = 0
    index_price: int = 0
    funding_rate: int = 0
    price_state: int = 0


class Published(NamedTuple):
    """What a block changed in the market data."""

    number: int
    time: int  # ms
    updates: list[DepthUpdate]
    fills: NDArray[Any]  # of `EVENT_DTYPE`
    candles: list[tuple[int, int, Candle]]  # market, interval, candle as it stands
    markets: list[int]  # whose ticker changed

    def read_trades(self, market: int) -> list[Trade]:
        """Read the trades of one market."""
        return read_trades(self.fills[self.fills["market"] == market], self.time)


class CandleBoard:
    """The newest candle of each market and interval, and of the last day what a ticker says.

    Invariant: a candle holds every trade of its interval that was applied, and nothing else.
    """

    def __init__(self, intervals: Iterable[int] = INTERVALS) -> None:
        self.intervals = tuple(intervals)
        self._last: dict[tuple[int, int], Candle] = {}
        self._minutes: dict[int, deque[Candle]] = {}

    def restore(self, market: int, interval: int, candle: Candle) -> None:
        """Set the newest candle of a market, as a store has it."""
        self._last[market, interval] = candle

    def restore_minutes(self, market: int, minutes: Iterable[Candle]) -> None:
        """Set the last day of a market, oldest minute first."""
        self._minutes[market] = deque(minutes)

    def apply(self, trades: Iterable[Trade]) -> list[tuple[int, int, Candle]]:
        """Take trades in, and return the candles that changed, as they stand."""
        return self.apply_moments(_merge_moments(trades))

    def apply_moments(self, moments: Iterable[tuple[int, Candle]]) -> list[tuple[int, int, Candle]]:
        """Take what each market traded at a moment, as a candle that starts there; as `apply`."""
        changed: dict[tuple[int, int, int], Candle] = {}
        for market, moment in moments:
            for interval in self.intervals:
                candle = _merge(self._last.get((market, interval)), moment, interval)
                self._last[market, interval] = candle
                changed[market, interval, candle.start] = candle
            self._add_minute(market, moment)
        return [(market, interval, candle) for (market, interval, _), candle in changed.items()]

    def get_last(self, market: int, interval: int) -> Candle | None:
        """Newest candle in which something traded, or None."""
        return self._last.get((market, interval))

    def get_day(self, market: int, now: int) -> Candle | None:
        """Merge the minutes of the last day before ``now`` (ms); None if nothing traded."""
        minutes = self._minutes.get(market)
        while minutes and minutes[0].start <= now - DAY:
            minutes.popleft()
        if not minutes:
            return None
        return Candle(
            minutes[0].start,
            minutes[0].open,
            max(m.high for m in minutes),
            min(m.low for m in minutes),
            minutes[-1].close,
            sum(m.lots for m in minutes),
            sum(m.turnover for m in minutes),
            sum(m.trades for m in minutes),
        )

    def _add_minute(self, market: int, moment: Candle) -> None:
        minutes = self._minutes.setdefault(market, deque())
        last = minutes[-1] if minutes else None
        candle = _merge(last, moment, 60_000)
        if last is not None and candle.start == last.start:
            minutes[-1] = candle
        else:
            minutes.append(candle)


def _merge_moments(trades: Iterable[Trade]) -> list[tuple[int, Candle]]:
    """Trades of one market at one time as one candle that starts there: a block's have one time."""
    moments: dict[tuple[int, int], list[Trade]] = {}
    for trade in trades:
        moments.setdefault((trade.market, trade.time), []).append(trade)
    found = []
    for (market, when), group in moments.items():
        prices = [trade.price for trade in group]
        lots = sum(trade.lots for trade in group)
        turnover = sum(trade.price * trade.lots for trade in group)
        low, high = min(prices), max(prices)
        moment = Candle(when, prices[0], high, low, prices[-1], lots, turnover, len(group))
        found.append((market, moment))
    return found


def _merge(last: Candle | None, moment: Candle, interval: int) -> Candle:
    """Newest candle of an interval with what traded at a moment."""
    start = moment.start // interval * interval
    if last is None or last.start < start:
        return moment._replace(start=start)
    return Candle(
        last.start,
        last.open,
        max(last.high, moment.high),
        min(last.low, moment.low),
        moment.close,
        last.lots + moment.lots,
        last.turnover + moment.turnover,
        last.trades + moment.trades,
    )


def read_moments(fills: NDArray[Any], time: int) -> list[tuple[int, Candle]]:
    """Return what each market traded in a block, by rising market."""
    if not len(fills):
        return []
    order = np.argsort(fills["market"], kind="stable")
    markets = fills["market"][order]
    firsts = np.flatnonzero(np.diff(markets, prepend=markets[0] - 1)).tolist()
    prices, lots = fills["price"][order].tolist(), fills["lots"][order].tolist()
    found = []
    for first, end in pairwise([*firsts, len(prices)]):
        mine, sizes = prices[first:end], lots[first:end]
        turnover = sum(map(mul, mine, sizes))
        moment = Candle(
            time, mine[0], max(mine), min(mine), mine[-1], sum(sizes), turnover, len(mine)
        )
        found.append((int(markets[first]), moment))
    return found


class _Recent:
    """The newest trades of a market: by the block, made objects only when somebody asks."""

    def __init__(self) -> None:
        self._chunks: deque[list[Trade] | tuple[NDArray[Any], int]] = deque()
        self._sizes: deque[int] = deque()
        self._count = 0
        self.last = 0  # price, ticks

    def add(self, chunk: list[Trade] | tuple[NDArray[Any], int], size: int, last: int) -> None:
        self._chunks.append(chunk)
        self._sizes.append(size)
        self._count += size
        self.last = last
        while self._count - self._sizes[0] >= RECENT_TRADES:
            self._count -= self._sizes.popleft()
            self._chunks.popleft()

    def get_newest(self, limit: int) -> list[Trade]:
        found: list[Trade] = []
        for chunk in reversed(self._chunks):
            trades = read_trades(*chunk) if isinstance(chunk, tuple) else chunk
            found += trades[::-1]
            if len(found) >= limit:
                break
        return found[: min(limit, RECENT_TRADES)]


class Feeds:
    """Market data of a running zone. One thread.

    Parameters
    ----------
    next_event : int
        number of the event that comes next
    books : (n,) EVENT_DTYPE, optional
        what stands before it (`tradezone.service.depth.read_start`)
    time : int
        of the last block, ms
    """

    def __init__(
        self, next_event: int = 1, books: NDArray[Any] | None = None, time: int = 0
    ) -> None:
        rested = None if books is None else books[books["kind"] == ORDER_RESTED]
        self._depths = Depths(next_event, rested)
        self._prices: dict[int, Price] = {}
        if books is not None:
            self._apply_prices(books)
        self.candles = CandleBoard()
        self._recent: dict[int, _Recent] = {}
        self.time = time

    @staticmethod
    def make_board(history: HistoryReader) -> CandleBoard:
        """Return a board that goes on where a store ends."""
        board = CandleBoard()
        for market, interval, candle in history.fetch_newest_candles():
            board.restore(market, interval, candle)
        return board

    def restore(self, history: HistoryReader) -> None:
        """Take over what a store of the same block has: newest trades, candles, the last day."""
        self.candles = self.make_board(history)
        for market in history.fetch_markets():
            trades = history.fetch_trades(market, None, RECENT_TRADES)[::-1]
            if trades:
                self._get_recent(market).add(trades, len(trades), trades[-1].price)
            day = history.fetch_candles(
                market, 60_000, self.time - DAY, self.time + 1, DAY // 60_000
            )
            self.candles.restore_minutes(market, day)

    def apply(self, number: int, time: int, events: NDArray[Any]) -> Published:
        """Take a block in. ViewError if it does not follow those before.

        Parameters
        ----------
        number : int
            of the block
        time : int
            of the block, ms
        events : (n,) EVENT_DTYPE
            all of them
        """
        updates = self._depths.apply(events)
        fills = events[events["kind"] == FILL]
        moments = read_moments(fills, time)
        candles = self.candles.apply_moments(moments)
        for market, moment in moments:
            mine = fills if len(moments) == 1 else fills[fills["market"] == market]
            self._get_recent(market).add((mine, time), moment.trades, moment.close)
        self.time = time
        markets = {update.market for update in updates} | {market for market, _ in moments}
        markets |= self._apply_prices(events)
        return Published(number, time, updates, fills, candles, sorted(markets))

    def _apply_prices(self, events: NDArray[Any]) -> set[int]:
        """Take in what events say of prices; the markets that they name."""
        named = set()
        for event in read_events(select_events(events, _PRICE_KINDS)):
            price = self._prices.get(event.market, Price())
            if event.kind == MARK_SET:
                price = price._replace(mark=event.price, index_price=event.other_account)
            elif event.kind == FUNDING_SET:
                price = price._replace(funding_rate=event.amount)
            elif event.kind == PRICE_STATE:
                price = price._replace(price_state=event.flag)
            else:
                price = price._replace(mark=event.price)
            self._prices[event.market] = price
            named.add(event.market)
        return named

    def _get_recent(self, market: int) -> _Recent:
        found = self._recent.get(market)
        if found is None:
            found = self._recent[market] = _Recent()
        return found

    # --- reading -------------------------------------------------------------------------------------

    def get_depth(self, market: int) -> DepthSnapshot:
        """Depth of a market as the last update left it."""
        return self._depths.get_snapshot(market)

    def get_trades(self, market: int, limit: int = 100) -> list[Trade]:
        """Newest trades of a market, newest first."""
        recent = self._recent.get(market)
        return recent.get_newest(limit) if recent else []

    def get_candle(self, market: int, interval: int) -> Candle | None:
        """Newest candle in which something traded, or None."""
        return self.candles.get_last(market, interval)

    def get_tickers(self, markets: list[int]) -> list[Ticker]:
        """Return markets at a glance."""
        return [self.get_ticker(market) for market in markets]

    def get_ticker(self, market: int) -> Ticker:
        """Return a market at a glance."""
        ladder = self._depths.get_ladder(market)
        recent = self._recent.get(market)
        last = recent.last if recent else 0
        (bid, bid_lots), (ask, ask_lots) = (ladder.get_best(side) for side in (BUY, SELL))
        day = self.candles.get_day(market, self.time) or Candle(0, last, last, last, last, 0, 0, 0)
        return Ticker(
            market,
            self.time,
            self._depths.cursor.next_seq - 1,
            last,
            bid,
            bid_lots,
            ask,
            ask_lots,
            day.open,
            day.high,
            day.low,
            day.lots,
            day.turnover,
            day.trades,
            *self._prices.get(market, ()),
        )
