"""Real order flow: five hours of Bitstamp BTC/USD (2015-05-01, as the `ob-analytics` package carries them) as intentions.

The data is not part of this package: it is read from where `tradezone.testing.lobster` reads its own. Of the two files
only the log is used, ``2015-05-01.log.xz``. Each of its 56,000 lines is ``time (ms) kind json``:

==================================================  ==============================================================
``order_created``, ``_changed``, ``_deleted``       an order with its price, open amount *after* the message, id, side
                                                    (``order_type`` 0 = buy) and time of entry (s): 50,414
``trade``                                           price, amount and number, after the messages of its two orders: 575
``order_book``                                      the best 20 levels of each side: 5,011
==================================================  ==============================================================

The other file, ``orders.csv.xz``, holds the same order messages with amounts in units of 1e-8 that were cut off instead of
rounded on their way through floating point (8.65238172 became 865238171), so fills computed from it do not agree with the
trades. Ticks are cents and lots 1e-8 BTC, the smallest step that occurs.

What a replay has to know:

* Matching takes this venue about 120 ms an order, and the feed shows it: an order that takes is published whole, crossing
  the book, then shrinks fill by fill. It is turned into what it did: one immediate-or-cancel order for each run of its
  trades with nothing else in between, over the sum of their sizes at the worst of their prices. What is left of it rests when
  it has taken for the last time.
* Trades name no orders: `match_trades`. 569 of them are the one buy and the one sell message of that amount within 400 ms.
  Of 4 the taker bought for a sum of money, and was withdrawn with about a cent's worth more than the trade; 2 the taker
  published as one. The order with the larger id took, but for 3 trades of orders that moved their price.
* 12 orders sweep the book level by level, with a new price in each step; each step is a run of trades of its own.
* 21 orders are deleted twice, 5 before they are created, 1 changes after it is deleted: the first deletion counts.
* 182 orders are older than the log. They stand in the book from the start, ranked by id, with all lots they are known for.

What comes of it, in a book that knows nothing but price and arrival and in the engine with fees alike: all 383 aggressive
orders meet exactly the published makers, so all 575 trades have the published maker, price and size; nothing is refused. The
best level is the published one in 4,998 of 5,011 books, the best ten levels are in 4,504: the others differ while an order
that takes is published whole, and by deep orders that no message names. Time, size and limit of an aggressive order are those
of its trades, so this says whom it meets and not where it stops. With the price and the open size that were published instead,
360 do the same; the other 23 are parts of one order whose trades the feed shows with something in between, or bought for a sum.
"""

from __future__ import annotations

import json
import lzma
import os
from bisect import bisect_left, bisect_right
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.events import FILL, ORDER_RESTED, ORDER_WAITING
from tradezone.views import read_events, select_events

from .flow import CLIENT_TAG, DEFAULT_MARKET
from .intentions import (
    Cancel,
    Checkpoint,
    FlowDataError,
    Intention,
    OrderFlow,
    PlacePostOnly,
    Row,
    Shrink,
    Take,
)
from .lobster import AGGRESSOR, DEPTH, ENVIRONMENT, get_folder
from .reference import FifoBook
from .zone import Terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradezone.views import Events

LOG_FILE: Final = "2015-05-01.log.xz"
TICKS: Final = 100  # a dollar
LOTS: Final = 100_000_000  # a bitcoin
# One lot of one tick is 1e-10 dollars, the quote atom; the largest order is 200 BTC, the highest price 350 dollars.
TERMS: Final = Terms(max_price=1_000_000, max_lots=1_000 * LOTS, tick_value=1)
WINDOW: Final = 400  # ms between a trade and the messages of its orders, at most

CREATED: Final = "order_created"
CHANGED: Final = "order_changed"
DELETED: Final = "order_deleted"
TRADE: Final = "trade"
ORDER_BOOK: Final = "order_book"


class Message(NamedTuple):
    """An order message. ``lots`` are open after it, but for one deleted unfilled: those it had."""

    line: int
    time: int  # ms
    kind: str
    order: int
    side: int
    price: int  # ticks
    lots: int


class PublishedTrade(NamedTuple):
    """A trade as published; it names no orders."""

    line: int
    time: int
    number: int
    price: int
    lots: int


class PublishedBook(NamedTuple):
    """The top of the book as published, best level first, as (price, lots)."""

    line: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]


class Trade(NamedTuple):
    """A trade with its orders; ``key`` is that of the `Take` that it is part of."""

    number: int
    time: int
    price: int
    lots: int
    taker: int
    maker: int
    key: int


class Day(NamedTuple):
    """The flow, and the published trades in order."""

    flow: OrderFlow
    trades: tuple[Trade, ...]


class _Match(NamedTuple):
    trade: PublishedTrade
    maker: Message
    taker: Message

    @property
    def line(self) -> int:
        """Line at which both orders have said it."""
        return max(self.maker.line, self.taker.line)


def get_missing_reason(folder: Path | None = None) -> str | None:
    """Why the data cannot be used, or None if it is there."""
    folder = get_folder() if folder is None else folder
    if (folder / "bitstamp" / LOG_FILE).is_file():
        return None
    where = (
        f"{ENVIRONMENT}={folder}" if os.environ.get(ENVIRONMENT) else f"{ENVIRONMENT} is not set"
    )
    return (
        f"real order flow is absent ({where}; no bitstamp/{LOG_FILE}). The file may not be "
        f"redistributed; set {ENVIRONMENT} to the folder that holds bitstamp/"
    )


def fetch_flow(folder: Path | None = None) -> OrderFlow:
    """Return the intentions of `fetch_day` alone."""
    return fetch_day(folder).flow


def fetch_day(folder: Path | None = None) -> Day:
    """Read the log and turn it into intentions. FlowDataError if it is absent or malformed."""
    folder = get_folder() if folder is None else folder
    reason = get_missing_reason(folder)
    if reason is not None:
        raise FlowDataError(reason)
    return build_day(*_fetch_log(folder / "bitstamp" / LOG_FILE))


def build_day(
    messages: list[Message],
    trades: list[PublishedTrade],
    books: list[PublishedBook],
    name: str = "Bitstamp BTC/USD 2015-05-01 00:00-05:05",
) -> Day:
    """Turn what was published into intentions, with a checkpoint for every line.

    Parameters
    ----------
    messages, trades, books : list of Message, of PublishedTrade, of PublishedBook
        by rising line
    """
    if not messages:
        raise FlowDataError("Expected order messages, was none")
    conversion = _Conversion(messages, match_trades(messages, trades))
    conversion.seed()
    conversion.run(books)
    flow = OrderFlow(
        name=name,
        intentions=tuple(conversion.intentions),
        times=tuple(conversion.times),
        checkpoints=tuple(conversion.checkpoints),
    )
    return Day(flow, tuple(conversion.trades))


class TradeCheck(NamedTuple):
    """How many trades a run reproduced; ``misses`` are (expected, found instead or None)."""

    equal: int
    total: int
    misses: tuple[tuple[Trade, tuple[int, int, int] | None], ...]


def check_trades(
    events: Events, trades: Sequence[Trade], market: int = DEFAULT_MARKET, tag: int = CLIENT_TAG
) -> TradeCheck:
    """Compare fills with published trades: the n-th of each aggressive order by maker, price and size.

    Parameters
    ----------
    events : ndarray of EVENT_DTYPE
        all events of the run, in order
    market, tag : int
        as given to `tradezone.testing.flow.build_groups`
    """
    keys: dict[int, int] = {}  # by order id; ids are never used again
    found: dict[int, list[tuple[int, int, int]]] = {}
    for event in read_events(select_events(events, (ORDER_WAITING, ORDER_RESTED, FILL))):
        if event.market != market:
            continue
        if event.kind != FILL:
            if event.client_id1 == tag:
                keys[event.order] = event.client_id0
            continue
        maker = keys.get(event.other_order, 0)
        found.setdefault(keys.get(event.order, 0), []).append((maker, event.price, event.lots))
    misses = []
    for trade in trades:
        fills = found.get(trade.key, [])
        fill = fills.pop(0) if fills else None
        if fill != (trade.maker, trade.price, trade.lots):
            misses.append((trade, fill))
    return TradeCheck(len(trades) - len(misses), len(trades), tuple(misses))


# --- which orders traded -----------------------------------------------------------------------------


class _Fill(NamedTuple):
    """A message after which an order has fewer lots; ``lots`` are what it lost, None if that is not known."""

    message: Message
    lots: int | None
    is_swept: bool  # the order has moved to another price before: it takes
    is_withdrawn: bool  # it was deleted with open lots


def match_trades(messages: list[Message], trades: list[PublishedTrade]) -> list[_Match]:
    """Find the messages of each trade: one buy and one sell that lost its lots, the maker at its price, nearest in time.

    The order that has moved its price, else the one with the larger id, is the taker. Where only one message lost just that
    many lots it is the maker's. The taker is then the order on the other side that was deleted with about a cent's worth
    more than the trade, else the one that lost lots for which no trade was found.
    """
    fills = _get_fills(messages)
    times = [fill.message.time for fill in fills]
    free = {fill.message.line for fill in fills}
    found: list[tuple[PublishedTrade, _Fill, _Fill | None]] = []
    for trade in trades:
        near = [fill for fill in _get_near(fills, times, trade) if fill.message.line in free]
        able = [fill for fill in near if fill.lots in (trade.lots, None) and not fill.is_withdrawn]
        buys = [fill for fill in able if fill.message.side == BUY]
        sells = [fill for fill in able if fill.message.side == SELL]
        pairs = [_sort_pair(buy, sell) for buy in buys for sell in sells]
        pairs = [pair for pair in pairs if pair[0].message.price == trade.price]
        makers = [fill for fill in able if fill.message.price == trade.price]
        if pairs:
            maker, other = min(
                pairs, key=lambda pair: [_get_distance(fill, trade) for fill in reversed(pair)]
            )
            free -= {maker.message.line, other.message.line}
            found.append((trade, maker, other))
        elif makers:
            maker = min(makers, key=lambda fill: _get_distance(fill, trade))
            free.remove(maker.message.line)
            found.append((trade, maker, None))
        else:
            raise FlowDataError(f"no order lost the lots of {trade}")
    matches = []
    for trade, maker, known in found:
        near = [fill for fill in _get_near(fills, times, trade) if fill.message.line in free]
        taker = known or _find_taker(near, trade, maker)
        if taker is None:
            raise FlowDataError(f"nobody took {trade} from {maker.message}")
        matches.append(_Match(trade, maker.message, taker.message))
    return matches


def _find_taker(near: list[_Fill], trade: PublishedTrade, maker: _Fill) -> _Fill | None:
    """Find the taker of a trade whose lots no message of its own says."""
    others = [fill for fill in near if fill.message.side != maker.message.side]
    rounded = [fill for fill in others if fill.is_withdrawn and _is_rounded(fill.message, trade)]
    fills = rounded or [fill for fill in others if not fill.is_withdrawn]
    return min(fills, key=lambda fill: _get_distance(fill, trade), default=None)


def _is_rounded(message: Message, trade: PublishedTrade) -> bool:
    """Whether an order wanted about a cent's worth more than the trade."""
    return 0 < (message.lots - trade.lots) * trade.price < 2 * LOTS


def _sort_pair(one: _Fill, other: _Fill) -> tuple[_Fill, _Fill]:
    """Maker and taker of two orders."""
    maker, taker = sorted((one, other), key=lambda fill: (fill.is_swept, fill.message.order))
    return maker, taker


def _get_fills(messages: list[Message]) -> list[_Fill]:
    known: dict[int, int | None] = {}
    prices: dict[int, int] = {}
    swept: set[int] = set()
    fills = []
    for message in messages:
        order = message.order
        if prices.setdefault(order, message.price) != message.price:
            swept.add(order)
        before, known[order] = known.get(order), message.lots
        is_withdrawn = message.kind == DELETED and message.lots > 0
        if is_withdrawn or (message.kind != CREATED and before != message.lots):
            lost = None if before is None else before - message.lots
            fills.append(_Fill(message, lost, order in swept, is_withdrawn))
    return fills


def _get_near(fills: list[_Fill], times: list[int], trade: PublishedTrade) -> list[_Fill]:
    start = bisect_left(times, trade.time - WINDOW)
    return fills[start : bisect_right(times, trade.time + WINDOW)]


def _get_distance(fill: _Fill, trade: PublishedTrade) -> tuple[bool, int, int]:
    """How far a message is from its trade, which as a rule comes after it."""
    message = fill.message
    return (
        message.line > trade.line,
        abs(message.time - trade.time),
        abs(message.line - trade.line),
    )


# --- intentions --------------------------------------------------------------------------------------


class _Live(NamedTuple):
    """An order as its messages tell it."""

    side: int
    price: int
    lots: int


class _Conversion:
    """Goes through the lines with a book beside it, and writes down who meant what."""

    def __init__(self, messages: list[Message], matches: list[_Match]) -> None:
        self.messages = messages
        self.matches: dict[int, list[_Match]] = {}
        for match in matches:
            self.matches.setdefault(match.line, []).append(match)
        self.lost = {match.maker.line: match.trade.lots for match in matches}
        self.lost |= {match.taker.line: match.trade.lots for match in matches}
        self.to_take = Counter(match.taker.order for match in matches)
        self.book = FifoBook()
        self.gone: set[int] = set()
        self.taking: dict[int, _Live] = {}  # published, and not done with taking
        self.burst: list[_Match] = []  # trades of one taker, with nothing in between
        self.bursts = 0
        self.now = 0
        self.intentions: list[Intention] = []
        self.times: list[int] = []
        self.checkpoints: list[Checkpoint] = []
        self.trades: list[Trade] = []

    def seed(self) -> None:
        """Rest the orders that are older than the log."""
        created = {message.order for message in self.messages if message.kind == CREATED}
        older: dict[int, _Live] = {}
        for message in self.messages:
            order = message.order
            if message.kind == CREATED or order in older:
                continue
            if order not in created:
                lots = message.lots + self.lost.get(message.line, 0)
                older[order] = _Live(message.side, message.price, lots)
        seen: set[int] = set()
        for message in self.messages:
            if message.kind == DELETED and message.order not in seen | older.keys():
                self.gone.add(message.order)  # deleted before it was created
            seen.add(message.order)
        for order, live in sorted(older.items()):
            self.emit(PlacePostOnly(order, *live))

    def run(self, books: list[PublishedBook]) -> None:
        """Go through messages and published books by line."""
        lines: list[Message | PublishedBook] = [*self.messages, *books]
        lines.sort(key=lambda line: line.line)
        first = self.messages[0].time
        for line in lines:
            if isinstance(line, PublishedBook):
                self.close_burst()
                self.close_line(line)
                continue
            self.now = line.time - first
            self.hear(line)
            self.close_line(None)
        self.close_burst()

    def hear(self, message: Message) -> None:
        """Take in one message, and the trade that is complete with it."""
        order = message.order
        if order not in self.gone:
            if order in self.taking:
                self.taking[order] = _Live(message.side, message.price, message.lots)
            elif message.line not in self.lost:
                self.change(message)
            if message.kind == DELETED:
                self.gone.add(order)
        for match in self.matches.get(message.line, ()):
            self.trade(match)

    def change(self, message: Message) -> None:
        """Follow an order that does not take."""
        order, live = message.order, _Live(message.side, message.price, message.lots)
        if message.kind == CREATED:
            if self.to_take[order]:
                self.taking[order] = live
            else:
                self.close_burst()
                self.emit(PlacePostOnly(order, *live))
        elif order in self.book.orders:
            self.close_burst()
            known = self.book.orders[order]
            gone = message.kind == DELETED
            self.emit(Cancel(order) if gone else Shrink(order, known.filled + message.lots))
        else:
            raise FlowDataError(f"line {message.line}: no order {order} is known: {message}")

    def trade(self, match: _Match) -> None:
        """Add a trade to the burst of its taker, and rest the taker when it was its last one."""
        taker = match.taker.order
        if self.burst and self.burst[-1].taker.order != taker:
            self.close_burst()
        self.burst.append(match)
        self.to_take[taker] -= 1
        if self.to_take[taker] == 0:
            live = self.taking.pop(taker)
            if taker not in self.gone and live.lots:
                self.close_burst()
                self.emit(PlacePostOnly(taker, *live))

    def close_burst(self) -> None:
        """Write down what a taker did as one order."""
        if not self.burst:
            return
        burst, self.burst = self.burst, []
        side = SELL if burst[0].maker.side == BUY else BUY
        prices = [match.trade.price for match in burst]
        key = AGGRESSOR + self.bursts
        self.bursts += 1
        makers = tuple((match.maker.order, match.trade.lots) for match in burst)
        worst = max(prices) if side == BUY else min(prices)
        self.emit(Take(key, side, worst, sum(lots for _, lots in makers), makers))
        for match in burst:
            trade = match.trade
            orders = (match.taker.order, match.maker.order)
            self.trades.append(
                Trade(trade.number, trade.time, trade.price, trade.lots, *orders, key)
            )

    def emit(self, intention: Intention) -> None:
        self.book.apply(intention)
        if self.book.rejected:
            raise FlowDataError(f"{intention} does not fit the book")
        self.intentions.append(intention)
        self.times.append(self.now)

    def close_line(self, book: PublishedBook | None) -> None:
        row_1 = row_10 = None
        if book is not None:
            row_1, row_10 = _build_row(book, 1), _build_row(book, DEPTH)
        at = len(self.checkpoints)
        self.checkpoints.append(Checkpoint(at, len(self.intentions), 0, row_1, row_10))


def _build_row(book: PublishedBook, levels: int) -> Row:
    row: list[int] = []
    for n in range(levels):
        row += book.asks[n] if n < len(book.asks) else (0, 0)
        row += book.bids[n] if n < len(book.bids) else (0, 0)
    return tuple(row)


# --- the log -----------------------------------------------------------------------------------------


def _fetch_log(path: Path) -> tuple[list[Message], list[PublishedTrade], list[PublishedBook]]:
    messages: list[Message] = []
    trades: list[PublishedTrade] = []
    books: list[PublishedBook] = []
    with lzma.open(path, "rt", encoding="ascii") as file:
        for number, text in enumerate(file, 1):
            try:
                time, kind, body = text.split(" ", 2)
                line = _read_line(number, int(time), kind, json.loads(body, parse_float=Decimal))
            except (ValueError, KeyError, ArithmeticError) as error:
                raise FlowDataError(f"{path.name}:{number}: {error}: {text[:80]!r}") from error
            if isinstance(line, Message):
                messages.append(line)
            elif isinstance(line, PublishedTrade):
                trades.append(line)
            else:
                books.append(line)
    return messages, trades, books


def _read_line(
    line: int, time: int, kind: str, values: dict[str, Any]
) -> Message | PublishedTrade | PublishedBook:
    if kind == ORDER_BOOK:
        sides = [
            tuple(
                (_read_units(price, TICKS), _read_units(lots, LOTS)) for price, lots in values[name]
            )
            for name in ("bids", "asks")
        ]
        return PublishedBook(line, *sides)
    price, lots = _read_units(values["price"], TICKS), _read_units(values["amount"], LOTS)
    if kind == TRADE:
        return PublishedTrade(line, time, values["id"], price, lots)
    if kind not in (CREATED, CHANGED, DELETED):
        raise FlowDataError(f"Expected a kind of line that is documented, was {kind}")
    side = SELL if values["order_type"] else BUY
    return Message(line, time, kind, values["id"], side, price, lots)


def _read_units(value: object, units: int) -> int:
    """Whole units of a decimal number, which may be off by floating-point noise far below one."""
    exact = Decimal(str(value)) * units
    whole = exact.to_integral_value()
    if abs(exact - whole) * 1000 > 1:
        raise FlowDataError(f"Expected a multiple of 1/{units}, was {value}")
    return int(whole)
