"""Order flow for machines without the real one: made up, deterministic, of the same shape.

A value that wanders and is pulled back to its start moves the makers: they place around it, withdraw what it
left behind, and takers trade against what is better than it. Shares of adds, cancels, shrinks, takes and their
sizes are close to those of the real hour. All integers, one seed: equal arguments give equal flow anywhere.

Rows and makers are those of `tradezone.testing.reference.FifoBook`.
"""

from __future__ import annotations

from typing import Final

from tradezone.protocol.enums import BUY, SELL

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
from .lobster import AGGRESSOR, DEPTH
from .reference import FifoBook

DEFAULT_MESSAGES: Final = 20_000
DEFAULT_PRICE: Final = 58_500  # ticks: about where the real hour trades
DEFAULT_DURATION: Final = 3_600_000  # ms
ROWS_10: Final = 1_000  # first messages that have a ten-level row

_TARGET: Final = 400  # open orders the book tends to
_LEAST_LEVELS: Final = 12  # a side never falls below this
_HALF_SPREAD: Final = 6  # ticks
_SIZES: Final = (100, 100, 100, 100, 100, 100, 18, 50, 200, 300)  # lots; one in ten is odd
_MASK: Final = (1 << 64) - 1


class SplitMix:
    """SplitMix64: a small generator of 64-bit integers that is the same on every machine."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def next(self) -> int:
        """Return the next 64-bit integer."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        """Integer in 0 .. bound - 1."""
        return (self.next() * bound) >> 64


def build_flow(
    messages: int = DEFAULT_MESSAGES,
    seed: int = 1,
    price: int = DEFAULT_PRICE,
    duration: int = DEFAULT_DURATION,
) -> OrderFlow:
    """Make up an order flow.

    Parameters
    ----------
    messages : int
        number of messages at least; an aggressor is as many as it has makers, and is not cut
    seed : int
        equal seeds give equal flows
    price : int
        ticks around which the value wanders, at least 1000
    duration : int
        ms over which the messages are spread
    """
    if messages < 1 or price < 1_000 or duration < messages:
        raise FlowDataError(
            f"Expected messages >= 1, price >= 1000 and duration >= messages, was {messages}, {price} "
            f"and {duration}"
        )
    street = _Street(messages, seed, price, duration)
    street.seed_book()
    while len(street.checkpoints) < messages:
        street.send_message()
    return OrderFlow(
        name=f"synthetic {messages} messages, seed {seed}",
        intentions=tuple(street.intentions),
        times=tuple(street.times),
        checkpoints=tuple(street.checkpoints),
    )


class _Street:
    """The state of the made-up market."""

    def __init__(self, messages: int, seed: int, price: int, duration: int) -> None:
        self.chance = SplitMix(seed)
        self.book = FifoBook()
        self.messages, self.duration = messages, duration
        self.anchor = self.value = price
        self.now = 0
        self.next_key = 1
        self.aggressors = 0
        self.open_keys: list[int] = []
        self.intentions: list[Intention] = []
        self.times: list[int] = []
        self.checkpoints: list[Checkpoint] = []
        self.top: Row = ()

    def seed_book(self) -> None:
        for n in range(_TARGET // 4):
            for side, sign in ((BUY, -1), (SELL, 1)):
                place = self.build_place(side, self.anchor + sign * (_HALF_SPREAD + n))
                self.record(place)
                self.book.apply(place)

    def send_message(self) -> None:
        """Send one message, or an aggressor with all of its fills."""
        self.move()
        self.drop_gone()
        dice = self.chance.below(1_000)
        adds = 480 + max(-200, min(200, _TARGET - len(self.open_keys)))
        if dice < 40 and self.take():
            return
        if dice < 45 and self.shrink():
            return
        if dice < adds or not self.cancel():
            self.place()

    def move(self) -> None:
        """Let time and value go on."""
        self.now = self.duration * len(self.checkpoints) // self.messages
        if self.chance.below(3) == 0:
            pull = 1 if self.value < self.anchor else -1
            is_pulled = self.chance.below(3_000) < abs(self.value - self.anchor)
            self.value += pull if is_pulled else 1 - 2 * self.chance.below(2)

    def place(self) -> None:
        side = BUY if self.chance.below(2) else SELL
        away = _HALF_SPREAD
        while self.chance.below(100) < 90 and away < 200:
            away += 1 + self.chance.below(3)
        away -= self.chance.below(_HALF_SPREAD)
        sign = -1 if side == BUY else 1
        price = self.value + sign * away
        best = self.book.get_best(SELL if side == BUY else BUY)
        if best is not None:
            price = min(price, best - 1) if side == BUY else max(price, best + 1)
        self.send(self.build_place(side, price))

    def cancel(self) -> bool:
        """Withdraw one of a few random orders, by choice one that the value left behind."""
        chosen = None
        for _ in range(6):
            key = self.open_keys[self.chance.below(len(self.open_keys))]
            order = self.book.orders.get(key)
            if order is None or self.book.get_depth(order.side) <= _LEAST_LEVELS:
                continue
            chosen = key
            away = (self.value - order.price) * (1 if order.side == BUY else -1)
            if away < 2 or away > 120:
                break
        if chosen is None:
            return False
        self.send(Cancel(chosen))
        return True

    def shrink(self) -> bool:
        key = self.open_keys[self.chance.below(len(self.open_keys))]
        order = self.book.orders.get(key)
        if order is None or order.lots < 2:
            return False
        open_lots = 1 + self.chance.below(order.lots - 1)
        self.send(Shrink(key, order.filled + open_lots))
        return True

    def take(self) -> bool:
        side = self.choose_taker_side()
        opposite = SELL if side == BUY else BUY
        if self.book.get_depth(opposite) <= _LEAST_LEVELS:
            return False
        limit = self.book.get_best(opposite)
        assert limit is not None, "a side with levels has a best price"
        limit += self.chance.below(4) * (1 if side == BUY else -1)
        makers = self.book.get_makers(side, limit, self.get_size() * (1 + self.chance.below(3)))
        price = self.book.orders[makers[-1][0]].price
        lots = sum(quantity for _, quantity in makers)
        key = AGGRESSOR + self.aggressors
        self.aggressors += 1
        at = len(self.intentions)
        self.record(Take(key, side, price, lots, tuple(makers)))
        for fills, (_, quantity) in enumerate(makers, 1):
            self.book.apply(Take(key, side, price, quantity, ()))
            is_last = fills == len(makers)
            self.close_message(at + is_last, 0 if is_last else fills)
        return True

    def choose_taker_side(self) -> int:
        ask, bid = self.book.get_best(SELL), self.book.get_best(BUY)
        if ask is not None and self.value >= ask:
            return BUY
        if bid is not None and self.value <= bid:
            return SELL
        return BUY if self.chance.below(2) else SELL

    def build_place(self, side: int, price: int) -> PlacePostOnly:
        key = self.next_key
        self.next_key += 1
        self.open_keys.append(key)
        return PlacePostOnly(key, side, price, self.get_size())

    def get_size(self) -> int:
        if self.chance.below(10) == 0:
            return 1 + self.chance.below(100)
        return _SIZES[self.chance.below(len(_SIZES))]

    def drop_gone(self) -> None:
        """Forget keys that are not open any more, now and then."""
        if len(self.open_keys) > 2 * len(self.book.orders):
            self.open_keys = [key for key in self.open_keys if key in self.book.orders]

    def send(self, intention: Intention) -> None:
        self.record(intention)
        self.book.apply(intention)
        self.close_message(len(self.intentions), 0)

    def record(self, intention: Intention) -> None:
        self.intentions.append(intention)
        self.times.append(self.now)

    def close_message(self, after: int, fills: int) -> None:
        message = len(self.checkpoints)
        top = self.book.get_row(1)
        row_1 = top if top != self.top else None
        row_10 = self.book.get_row(DEPTH) if message < ROWS_10 else None
        self.top = top
        self.checkpoints.append(Checkpoint(message, after, fills, row_1, row_10))
