"""Feeds: what everybody, and what each owner, hears of every block that is on disk.

`Feeds.apply` runs on the publisher's thread, block by block; listeners are handed ready messages and must not block.
Public market data come from `tradezone.views`: books order by order, depth with checksums, trades, candles, tickers.

Invariant: what is heard of a block follows from its events and those before it, so a consumer that begins with a
snapshot at ``seq`` and goes on with every update behind it has the published book, and notices if it has not.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tradezone.protocol.enums import BUY, RESTING, SELL, TIF_POST_ONLY, TIF_POST_SLIDE, WAITING
from tradezone.protocol.events import (
    EVENT_DTYPE,
    FILL,
    ORDER_RESTED,
    ORDER_WAITING,
)
from tradezone.protocol.records import TABLES
from tradezone.views import (
    INTERVALS,
    Candle,
    DepthFeed,
    DepthSnapshot,
    DepthUpdate,
    Event,
    L3Book,
    L3Feed,
    Trade,
    read_events,
    read_trades,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from tradezone.engine import Engine

    from .history import HistoryReader
    from .pipeline import BlockEvents

_NUMBERS: Final = {table.name: table.number for table in TABLES}
RECENT_TRADES: Final = 1_000  # kept per market for who asks; history has the rest
DAY: Final = 86_400_000
_COUNTERPARTY: Final = frozenset((FILL,))
_POST: Final = (TIF_POST_ONLY, TIF_POST_SLIDE)


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


class Published(NamedTuple):
    """What a block leaves for listeners."""

    number: int
    time: int  # ms
    first_seq: int  # of its leaves
    leaves: int  # marks included
    head: bytes
    updates: list[DepthUpdate]
    trades: list[Trade]
    candles: list[tuple[int, int, Candle]]  # market, interval, candle as it stands
    private: dict[int, list[Event]]  # by account that is listened to
    markets: list[int]  # whose ticker changed


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
        changed: dict[tuple[int, int, int], Candle] = {}
        for market, moment in _merge_moments(trades):
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


class Feeds:
    """Views of a running zone. One thread applies; any thread reads.

    Parameters
    ----------
    engine : Engine
        recovered: the books begin as its state has them
    next_event : int
        number of the event that comes next
    """

    def __init__(self, engine: Engine, next_event: int) -> None:
        self._lock = threading.Lock()
        self._books = load_books(engine, next_event)
        self._depth = DepthFeed(self._books)
        self.candles = CandleBoard()
        self._trades: dict[int, deque[Trade]] = {}
        self._listened: dict[int, int] = {}  # account -> listeners
        self._listeners: list[Callable[[Published], None]] = []
        self.time = int(engine.machine["time"])

    @staticmethod
    def make_board(history: HistoryReader) -> CandleBoard:
        """Return a board that goes on where a store ends."""
        board = CandleBoard()
        for market, interval, candle in history.fetch_newest_candles():
            board.restore(market, interval, candle)
        return board

    def restore_trades(self, market: int, trades: Iterable[Trade]) -> None:
        """Set the newest trades of a market, oldest first, as a store has them."""
        self._trades[market] = deque(trades, maxlen=RECENT_TRADES)

    # --- listeners -----------------------------------------------------------------------------------

    def add_listener(self, listener: Callable[[Published], None]) -> None:
        """Hand every block to a listener, from the next one on."""
        self._listeners.append(listener)

    def listen_to(self, account: int) -> None:
        """Pick out what happens to an account, as often as it is asked for."""
        with self._lock:
            self._listened[account] = self._listened.get(account, 0) + 1

    def stop_listening_to(self, account: int) -> None:
        """Take one `listen_to` back."""
        with self._lock:
            left = self._listened.get(account, 0) - 1
            if left > 0:
                self._listened[account] = left
            else:
                self._listened.pop(account, None)

    # --- blocks --------------------------------------------------------------------------------------

    def apply(self, block: BlockEvents) -> Published:
        """Take a block in and tell the listeners. ViewError if it does not follow those before."""
        closed = block.closed
        events = closed.events
        with self._lock:
            updates = self._depth.apply(events)
            trades = read_trades(events, closed.time)
            candles = self.candles.apply(trades)
            for trade in trades:
                self._trades.setdefault(trade.market, deque(maxlen=RECENT_TRADES)).append(trade)
            private = self._pick(events)
            self.time = closed.time
        head = closed.receipts.block_head
        published = Published(
            closed.number,
            closed.time,
            closed.first_seq,
            head.count,
            head.head,
            updates,
            trades,
            candles,
            private,
            sorted({update.market for update in updates} | {trade.market for trade in trades}),
        )
        for listener in self._listeners:
            listener(published)
        return published

    def _pick(self, events: NDArray[Any]) -> dict[int, list[Event]]:
        if not self._listened:
            return {}
        accounts = np.fromiter(self._listened, np.int32, len(self._listened))
        is_wanted = np.isin(events["account"], accounts)
        is_wanted |= np.isin(events["other_account"], accounts) & (events["kind"] == FILL)
        picked: dict[int, list[Event]] = {}
        for event in read_events(events[is_wanted]):
            parties = {event.account}
            if event.kind in _COUNTERPARTY:
                parties.add(event.other_account)
            for account in parties & self._listened.keys():
                picked.setdefault(account, []).append(event)
        return picked

    # --- reading -------------------------------------------------------------------------------------

    def get_depth(self, market: int) -> DepthSnapshot:
        """Depth of a market as the last update left it."""
        with self._lock:
            return self._depth.get_snapshot(market)

    def get_trades(self, market: int, limit: int = 100) -> list[Trade]:
        """Newest trades of a market, newest first."""
        with self._lock:
            return list(self._trades.get(market, ()))[: -limit - 1 : -1]

    def get_ticker(self, market: int) -> Ticker:
        """Return a market at a glance."""
        with self._lock:
            book = self._books.get_market(market)
            day = self.candles.get_day(market, self.time)
            trades = self._trades.get(market)
            last = trades[-1].price if trades else 0
            (bid, bid_lots), (ask, ask_lots) = (_get_best(book, side) for side in (BUY, SELL))
            day = day or Candle(0, last, last, last, last, 0, 0, 0)
            return Ticker(
                market,
                self.time,
                self._books.cursor.next_seq - 1,
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
            )


def _get_best(book: L3Book, side: int) -> tuple[int | None, int]:
    """Best price of a side and the lots there."""
    price = book.get_best(side)
    return price, book.get_level(side, price)[0] if price is not None else 0


def load_books(engine: Engine, next_event: int) -> L3Feed:
    """Build the books as the engine's state has them; the feed goes on with event ``next_event``."""
    feed = L3Feed(next_event)
    markets, levels, orders = (engine.tables[name] for name in ("market", "level", "order"))
    used = int(engine.tables["head"][_NUMBERS["order"]]["high_water"])
    states = orders["state"][:used]
    for slot in np.argsort(orders["seq"][:used], kind="stable").tolist():
        if slot and states[slot] == WAITING:
            feed.get_market(int(orders["market"][slot])).apply(_tell(orders, slot, ORDER_WAITING))
    end = int(engine.tables["head"][_NUMBERS["market"]]["high_water"])
    for market in range(1, end):
        book = feed.get_market(market)
        for best in ("best_bid", "best_ask"):
            level = int(engine.tables["book"][market][best])
            while level:
                order = int(levels[level]["first"])
                while order:
                    assert int(states[order]) == RESTING, f"order slot {order} does not rest"
                    if int(orders["tif"][order]) not in _POST:
                        book.apply(_tell(orders, order, ORDER_WAITING))
                    book.apply(_tell(orders, order, ORDER_RESTED))
                    order = int(orders["next"][order])
                level = int(levels[level]["next"])
    assert len(markets) >= end
    return feed


def _tell(orders: NDArray[Any], slot: int, kind: int) -> Event:
    """Build the event that would put an order where the state has it."""
    record = orders[slot]
    values = dict.fromkeys(EVENT_DTYPE.names or (), 0)
    values |= {name: int(record[name]) for name in ("side", "tif", "market", "account", "price")}
    values |= {name: int(record[name]) for name in ("lots", "client_id0", "client_id1")}
    values |= {"kind": kind, "order": int(record["generation"]) << 32 | slot}
    return Event(**values)
