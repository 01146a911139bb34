"""Real order flow: one hour of NASDAQ AAPL (2012-06-21, LOBSTER sample) as intentions.

The data may not be redistributed, so it is not part of this package: it is read from the folder that the
environment variable ``TRADEZONE_DATA`` names, else from ``../shared/data`` beside the checkout.

What a replay has to know about these files:

* Times are seconds with up to nine decimals, but for one with three digits of floating-point noise.
* The book before the first message is not in them. It is seeded from the first ten-level row less the first
  message, and with every order that is referenced later, is older than the first message and was never added;
  what is left of a row's size is anonymous and stands first.
* Orders that are referenced, newer and never added were entered outside the published levels. They are placed
  just before the first order that is newer.
* The venue ranks by order number, not by arrival: orders from before the open that show up later keep their
  rank. Our queues are in order of arrival, so the newer orders at that price are withdrawn and placed again
  behind the older one, within the same message.
* All executions of one side at one moment are one aggressor, hidden ones in between notwithstanding: an
  immediate-or-cancel order over the sum of the sizes at the worst price. Its rest, if any, is a message of
  its own. Hidden executions change nothing that can be seen.
* A few aggressors pass over the head of the queue and leave it resting. They are left as they are: here the
  head is filled, which counts as a difference; right after it the queue is put back into the published state.

The level-1 rows carry no times. A row belongs to each message that changes the best level and to each hidden
execution; where rows and messages go out of step they are aligned again by their longest common part.
"""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tradezone.protocol.enums import BUY, SELL

from .intentions import (
    Cancel,
    Checkpoint,
    FlowDataError,
    Intention,
    Maker,
    OrderFlow,
    PlacePostOnly,
    Row,
    Shrink,
    Take,
)
from .reference import FifoBook, OpenOrder

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENT: Final = "TRADEZONE_DATA"
MESSAGES_FILE: Final = "AAPL_2012-06-21_34200000_37800000_message_50.csv"
ROWS_1_FILE: Final = "AAPL_2012-06-21_34200000_57600000_orderbook_1.csv"
MESSAGES_10_FILE: Final = "AAPL_2012-06-21_first998_message_10.csv"
ROWS_10_FILE: Final = "AAPL_2012-06-21_first998_orderbook_10.csv"

PRICE_UNIT: Final = 100  # published prices are dollars * 10000, ticks are cents
ABSENT: Final = 9_999_999_999  # published price of a level that does not exist, negative for bids
DEPTH: Final = 10  # levels of the deep rows

# message types
ADD: Final = 1
REDUCE: Final = 2
DELETE: Final = 3
EXECUTE: Final = 4
EXECUTE_HIDDEN: Final = 5

ANONYMOUS: Final = (
    1 << 40
)  # keys of seeded sizes that no message names; they rank before all orders
AGGRESSOR: Final = 1 << 41  # keys of aggressors, which have no published number

_NANOSECONDS: Final = 1_000_000_000
_STEPS_TOGETHER: Final = 8  # equal rows in a row that count as being in step again
_SEARCH: Final = 400  # rows looked ahead for that


class Message(NamedTuple):
    """A published message. ``side`` is that of the resting order; a hidden price may be between ticks."""

    time: int  # ns after midnight
    kind: int
    order: int
    lots: int
    price: int  # ticks
    side: int


def get_folder() -> Path:
    """Folder in which the data is expected; it need not exist."""
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Path(named).expanduser()
    return Path(__file__).resolve().parents[2].parent / "shared" / "data"


def get_missing_reason(folder: Path | None = None) -> str | None:
    """Why the data cannot be used, or None if all files are there."""
    folder = get_folder() if folder is None else folder
    names = (MESSAGES_FILE, ROWS_1_FILE, MESSAGES_10_FILE, ROWS_10_FILE)
    absent = [name for name in names if not (folder / "lobster" / name).is_file()]
    if not absent:
        return None
    where = (
        f"{ENVIRONMENT}={folder}" if os.environ.get(ENVIRONMENT) else f"{ENVIRONMENT} is not set"
    )
    return (
        f"real order flow is absent ({where}; {len(absent)} of {len(names)} LOBSTER files missing, "
        f"first {absent[0]}). The files may not be redistributed; set {ENVIRONMENT} to the folder "
        "that holds lobster/"
    )


def fetch_flow(folder: Path | None = None) -> OrderFlow:
    """Read the AAPL hour and turn it into intentions. FlowDataError if it is absent or malformed."""
    folder = get_folder() if folder is None else folder
    reason = get_missing_reason(folder)
    if reason is not None:
        raise FlowDataError(reason)
    folder = folder / "lobster"
    return build_flow(
        messages=_fetch_messages(folder / MESSAGES_FILE),
        rows_1=_fetch_rows(folder / ROWS_1_FILE, levels=1),
        messages_10=_fetch_messages(folder / MESSAGES_10_FILE),
        rows_10=_fetch_rows(folder / ROWS_10_FILE, levels=DEPTH),
    )


def build_flow(
    messages: list[Message],
    rows_1: list[Row],
    messages_10: list[Message],
    rows_10: list[Row],
    name: str = "NASDAQ AAPL 2012-06-21 09:30-10:30",
) -> OrderFlow:
    """Turn messages into intentions and give every message its published rows.

    Parameters
    ----------
    messages : list of Message
        all messages, deep enough that the rows follow from them
    rows_1 : list of Row
        level-1 rows from the first message on; those past the last message are left out
    messages_10, rows_10 : list of Message, list of Row
        ten-level messages (a part of ``messages``) and the row after each of them
    """
    if not messages or len(messages_10) != len(rows_10) or not rows_10:
        raise FlowDataError(
            f"Expected messages, and as many ten-level rows as ten-level messages, were "
            f"{len(messages)}, {len(rows_10)} and {len(messages_10)}"
        )
    conversion = _Conversion(messages)
    conversion.seed(rows_10[0])
    conversion.run()
    checkpoints = conversion.checkpoints

    changes = [n for n, message in enumerate(messages) if _has_row_1(conversion.tops, n, message)]
    pairs = align_rows([conversion.tops[n] for n in changes], rows_1)
    lost_1, expected, last = [], 0, 0
    for candidate, row in pairs:
        lost_1 += [last] * (row - expected)
        last, expected = changes[candidate], row + 1
        checkpoints[last] = replace(checkpoints[last], row_1=rows_1[row])

    lost_10, at = [], 0
    for message, ten in zip(messages_10, rows_10, strict=True):
        try:
            found = messages.index(message, at)
        except ValueError:
            lost_10.append(max(at - 1, 0))
            continue
        checkpoints[found] = replace(checkpoints[found], row_10=ten)
        at = found + 1
    return OrderFlow(
        name=name,
        intentions=tuple(conversion.intentions),
        times=tuple(conversion.times),
        checkpoints=tuple(checkpoints),
        lost_rows_1=tuple(lost_1),
        lost_rows_10=tuple(lost_10),
    )


def align_rows(ours: list[Row], published: list[Row]) -> list[tuple[int, int]]:
    """Pair equal rows of two sequences in order: in step where possible, else by longest common part.

    Returns (index in ``ours``, index in ``published``); rows of either without a partner are left out.
    """
    pairs: list[tuple[int, int]] = []
    a = b = 0
    while a < len(ours) and b < len(published):
        if ours[a] == published[b]:
            pairs.append((a, b))
            a, b = a + 1, b + 1
            continue
        next_a, next_b = _find_step(ours, published, a, b)
        common = _get_longest_common(ours[a:next_a], published[b:next_b])
        pairs += [(a + x, b + y) for x, y in common]
        a, b = next_a, next_b
    return pairs


class _Conversion:
    """State of turning messages into intentions; ``book`` is the published one at all times."""

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages
        self.book = FifoBook()
        self.intentions: list[Intention] = []
        self.times: list[int] = []
        self.checkpoints: list[Checkpoint] = []
        self.tops: list[Row] = []  # our level-1 row after each message
        self.now = 0
        self.aggressors = 0
        self.first = messages[0]
        unnamed = _get_never_added(messages)
        self.older = [place for place in unnamed if place.key < self.first.order]
        self.newer = [place for place in reversed(unnamed) if place.key > self.first.order]

    def seed(self, row: Row) -> None:
        """Rest what stood in the book before the first message."""
        sizes: dict[tuple[int, int], int] = {}
        for n in range(0, len(row), 4):
            sizes[SELL, row[n]] = row[n + 1]
            sizes[BUY, row[n + 2]] = row[n + 3]
        if self.first.kind == ADD and (self.first.side, self.first.price) in sizes:
            sizes[self.first.side, self.first.price] -= self.first.lots
        for place in self.older:
            if (place.side, place.price) in sizes:
                sizes[place.side, place.price] -= place.lots
        for n, ((side, price), lots) in enumerate(sizes.items()):
            if lots > 0 and price > 0:
                self.emit(PlacePostOnly(ANONYMOUS + n, side, price, lots))
        for place in self.older:
            self.emit(place)

    def run(self) -> None:
        """Go through all messages."""
        n = 0
        while n < len(self.messages):
            message = self.messages[n]
            self.now = (message.time - self.first.time) // (_NANOSECONDS // 1000)
            if message.kind == EXECUTE:
                n = self.execute(n)
                continue
            self.rest_or_leave(message)
            self.close_message(len(self.intentions), 0)
            n += 1

    def emit(self, intention: Intention) -> None:
        self.book.apply(intention)
        if self.book.rejected:
            raise FlowDataError(
                f"message {len(self.checkpoints)} does not fit the book: {intention}"
            )
        self.record(intention)

    def record(self, intention: Intention) -> None:
        self.intentions.append(intention)
        self.times.append(self.now)

    def close_message(self, after: int, fills: int) -> None:
        self.checkpoints.append(Checkpoint(len(self.checkpoints), after, fills))
        self.tops.append(self.book.get_row(1))

    def rest_or_leave(self, message: Message) -> None:
        if message.kind == ADD:
            while self.newer and self.newer[-1].key < message.order:
                self.place(self.newer.pop())
            self.place(PlacePostOnly(message.order, message.side, message.price, message.lots))
        elif message.kind in (REDUCE, DELETE):
            order = self.get_order(message)
            if message.lots < order.lots:
                self.emit(Shrink(message.order, order.filled + order.lots - message.lots))
            else:
                self.emit(Cancel(message.order))
        elif message.kind != EXECUTE_HIDDEN:
            raise FlowDataError(f"Expected message types 1 to 5, was {message}")

    def place(self, place: PlacePostOnly) -> None:
        """Rest an order at the place in its queue that its number gives it."""
        queue = self.book.get_queue(place.side, place.price)
        newer = [key for key in queue if place.key < key < ANONYMOUS]
        again = [PlacePostOnly(key, place.side, place.price, self.get_lots(key)) for key in newer]
        for key in newer:
            self.emit(Cancel(key))
        self.emit(place)
        for later in again:
            self.emit(later)

    def execute(self, start: int) -> int:
        """Turn the run of executions that begins at ``start`` into one aggressor; return its end."""
        first = self.messages[start]
        stop = last = start
        while stop < len(self.messages) and _is_same_run(first, self.messages[stop]):
            stop += 1
            if self.messages[stop - 1].kind == EXECUTE:
                last = stop - 1
        run = self.messages[start : last + 1]
        makers = [(message.order, message.lots) for message in run if message.kind == EXECUTE]
        lots = sum(quantity for _, quantity in makers)
        worst = [message.price for message in run if message.kind == EXECUTE]
        side = SELL if first.side == BUY else BUY
        take = Take(
            key=AGGRESSOR + self.aggressors,
            side=side,
            price=max(worst) if side == BUY else min(worst),
            lots=lots,
            makers=tuple(makers),
        )
        self.aggressors += 1
        ours = self.book.get_makers(side, take.price, lots)
        published = [] if ours == makers else self.get_queues_after(first.side, ours, makers)
        at, fills = len(self.intentions), 0
        self.record(take)
        for message in run:
            if message.kind == EXECUTE:
                self.book.apply(replace(take, lots=message.lots))
                fills += 1
            if fills == len(makers):
                self.close_message(at + 1, 0)
            else:
                self.close_message(at, fills)
        for price, queue in published:
            self.restore(first.side, price, queue)
        return last + 1

    def get_queues_after(
        self, side: int, ours: list[Maker], makers: list[Maker]
    ) -> list[tuple[int, list[Maker]]]:
        """Queues, as (price, [(key, lots)]), as the published fills leave them."""
        lots: dict[int, int] = {}
        prices = []
        for key, _ in (*ours, *makers):
            price = self.book.orders[key].price
            if price not in prices:
                prices.append(price)
                lots |= {other: self.get_lots(other) for other in self.book.get_queue(side, price)}
        for key, quantity in makers:
            lots[key] -= quantity
        return [
            (price, [(k, lots[k]) for k in self.book.get_queue(side, price) if lots[k] > 0])
            for price in prices
        ]

    def restore(self, side: int, price: int, queue: list[Maker]) -> None:
        """Bring one queue into the published state: all from the first difference on is placed again."""
        ours = [(key, self.get_lots(key)) for key in self.book.get_queue(side, price)]
        same = 0
        while same < min(len(ours), len(queue)) and ours[same] == queue[same]:
            same += 1
        for key, _ in ours[same:]:
            self.emit(Cancel(key))
        for key, lots in queue[same:]:
            self.emit(PlacePostOnly(key, side, price, lots))

    def get_lots(self, key: int) -> int:
        return self.book.orders[key].lots

    def get_order(self, message: Message) -> OpenOrder:
        order = self.book.orders.get(message.order)
        if order is None or (order.side, order.price) != (message.side, message.price):
            raise FlowDataError(f"message {len(self.checkpoints)} {message} does not fit {order}")
        return order


def _get_never_added(messages: list[Message]) -> list[PlacePostOnly]:
    """Orders that are referenced but never added, by rising number, with all lots they are known for."""
    added = {message.order for message in messages if message.kind == ADD}
    found: dict[int, PlacePostOnly] = {}
    for message in messages:
        if message.kind in (REDUCE, DELETE, EXECUTE) and message.order not in added:
            known = found[message.order].lots if message.order in found else 0
            found[message.order] = PlacePostOnly(
                message.order, message.side, message.price, known + message.lots
            )
    return [found[key] for key in sorted(found)]


def _is_same_run(first: Message, message: Message) -> bool:
    if message.time != first.time:
        return False
    return message.kind == EXECUTE_HIDDEN or (
        message.kind == EXECUTE and message.side == first.side
    )


def _has_row_1(tops: list[Row], n: int, message: Message) -> bool:
    return n == 0 or tops[n] != tops[n - 1] or message.kind == EXECUTE_HIDDEN


def _find_step(ours: list[Row], published: list[Row], a: int, b: int) -> tuple[int, int]:
    """Nearest indices from which both sequences are in step again, or both ends."""
    for distance in range(1, _SEARCH):
        for skip in range(distance + 1):
            x, y = a + skip, b + distance - skip
            part = ours[x : x + _STEPS_TOGETHER]
            if part and part == published[y : y + len(part)]:
                return x, y
    return len(ours), min(len(published), b + len(ours) - a)


def _get_longest_common(left: list[Row], right: list[Row]) -> list[tuple[int, int]]:
    """Longest common subsequence of two short lists, as index pairs."""
    best = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for x in range(len(left) - 1, -1, -1):
        for y in range(len(right) - 1, -1, -1):
            if left[x] == right[y]:
                best[x][y] = best[x + 1][y + 1] + 1
            else:
                best[x][y] = max(best[x + 1][y], best[x][y + 1])
    pairs, x, y = [], 0, 0
    while x < len(left) and y < len(right):
        if left[x] == right[y]:
            pairs.append((x, y))
            x, y = x + 1, y + 1
        elif best[x + 1][y] >= best[x][y + 1]:
            x += 1
        else:
            y += 1
    return pairs


def _fetch_messages(path: Path) -> list[Message]:
    messages = []
    for number, fields in enumerate(_fetch_fields(path), 1):
        try:
            seconds, _, fraction = fields[0].partition(".")
            kind, order, lots, price, side = map(int, fields[1:])
        except ValueError as error:
            raise FlowDataError(
                f"{path.name}:{number}: Expected six numbers, was {fields}"
            ) from error
        if price % PRICE_UNIT and kind != EXECUTE_HIDDEN:
            raise FlowDataError(f"{path.name}:{number}: Expected a price in cents, was {price}")
        time = int(seconds) * _NANOSECONDS + int(fraction[:9].ljust(9, "0"))
        messages.append(
            Message(time, kind, order, lots, price // PRICE_UNIT, BUY if side == 1 else SELL)
        )
    return messages


def _fetch_rows(path: Path, levels: int) -> list[Row]:
    rows = []
    for number, fields in enumerate(_fetch_fields(path), 1):
        if len(fields) != 4 * levels:
            raise FlowDataError(
                f"{path.name}:{number}: Expected {4 * levels} numbers, was {len(fields)}"
            )
        values = list(map(int, fields))
        for n in range(0, len(values), 2):
            values[n] = 0 if abs(values[n]) == ABSENT else values[n] // PRICE_UNIT
        rows.append(tuple(values))
    return rows


def _fetch_fields(path: Path) -> Iterator[list[str]]:
    with path.open(newline="", encoding="ascii") as file:
        yield from (fields for fields in csv.reader(file) if fields)
