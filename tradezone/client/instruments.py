"""Numbers as people write them, and what a client must know of assets and markets to send whole ones.

No float is accepted anywhere: ``0.1`` is not a tenth. Use text (``"0.1"``), `decimal.Decimal` or int.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypeVar

from tradezone.client.signing import ClientError
from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.limits import PPM

Number = str | int | Decimal
"""A price, size or amount as given by a person. Never a float."""
Ratio = str | int | Decimal
"""A part of one: ``"0.01"``, or as per cent in text, ``"1%"``."""

SIDES: Final[Mapping[str, int]] = {"buy": BUY, "sell": SELL}
_Value = TypeVar("_Value")

FEED_UNIT: Final = 10**8  # a feed's price counts 1e-8 quote units


class NotAMultipleError(ClientError):
    """A number between two that can be sent. ``below`` and ``above`` are its neighbours."""

    def __init__(self, text: str, below: Decimal | None, above: Decimal) -> None:
        super().__init__(text)
        self.below = below
        self.above = above


def choose(value: str, among: Mapping[str, _Value], name: str) -> _Value:
    """Return what a name stands for. ClientError lists the names if it is none of them."""
    try:
        return among[value]
    except (KeyError, TypeError):
        raise ClientError(f"{name} is {value!r}, expected one of {', '.join(among)}") from None


def to_fraction(value: Number, name: str) -> Fraction:
    """Return a number exactly. ClientError for a float, NaN, infinity or other text."""
    if isinstance(value, float):
        raise ClientError(
            f'{name} {value!r} is a float, which holds no exact price or size; write "{value!r}"'
        )
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ClientError(f"{name} is a {type(value).__name__}, expected text, Decimal or int")
    try:
        number = Decimal(value.strip()) if isinstance(value, str) else Decimal(value)
    except InvalidOperation:
        raise ClientError(f"{name} {value!r} is not a number") from None
    if not number.is_finite() or abs(number.adjusted()) > 60:
        raise ClientError(f"{name} {value!r} is not a number that can be used")
    return Fraction(number)


def to_decimal(value: Fraction) -> Decimal:
    """Return a fraction as a plain decimal, rounded to 18 places if it does not end before."""
    for places in range(19):
        if (value.denominator and 10**places % value.denominator) == 0:
            return Decimal(value.numerator * 10**places // value.denominator).scaleb(-places)
    return Decimal(round(value * 10**18)).scaleb(-18)


def to_ppm(value: Ratio, name: str, most: int = PPM) -> int:
    """Return a part of one as parts per million: ``"0.01"`` and ``"1%"`` are 10,000.

    ClientError if it is not a whole number of them, below zero or above ``most``.
    """
    is_per_cent = isinstance(value, str) and value.strip().endswith("%")
    number = value.strip()[:-1] if is_per_cent and isinstance(value, str) else value
    parts = to_fraction(number, name) * (PPM // 100 if is_per_cent else PPM)
    if parts.denominator != 1:
        raise ClientError(f"{name} {value} is finer than a millionth (0.0001%)")
    if not 0 <= parts <= most:
        highest = to_decimal(Fraction(most * 100, PPM))
        raise ClientError(f"{name} {value} is not between 0 and {highest:f}%")
    return parts.numerator


def _to_units(value: Number, unit: Fraction, name: str, unit_name: str) -> int:
    """Whole units in ``value``; NotAMultipleError if it lies between two."""
    number = to_fraction(value, name)
    if number <= 0:
        raise ClientError(f"{name} {value} is not above zero")
    units = number / unit
    if units.denominator == 1:
        return units.numerator
    low = units.numerator // units.denominator
    below = to_decimal(low * unit) if low else None
    above = to_decimal((low + 1) * unit)
    nearest = f"{below:f}, {above:f}" if below is not None else f"{above:f}"
    raise NotAMultipleError(
        f"{name} {value} is not a multiple of the {unit_name} {to_decimal(unit):f}; nearest: {nearest}",
        below,
        above,
    )


@dataclass(frozen=True, slots=True)
class Asset:
    """What a client must know of an asset. ``decimals``: one unit is 10^decimals atoms."""

    id: int
    symbol: str
    decimals: int

    def to_atoms(self, amount: Number) -> int:
        """Return an amount of units in atoms. ClientError if it has more decimals than the asset."""
        return _to_units(amount, Fraction(1, 10**self.decimals), "amount", f"{self.symbol} atom")

    def from_atoms(self, atoms: int) -> Decimal:
        """Return atoms in units, exactly."""
        return Decimal(atoms).scaleb(-self.decimals)


class Instrument(ABC):
    """Anything with a book: what turns prices, sizes and sides into what is sent, and back.

    Ticks and lots here are always those of the book. `OutcomeMarket.no` shows the same book from its
    other side, so there the price of a tick falls as ticks rise.
    """

    __slots__ = ()

    if TYPE_CHECKING:  # fields of the dataclasses below

        @property
        @abstractmethod
        def slot(self) -> int:
            """Slot of the market."""

        @property
        @abstractmethod
        def quote(self) -> Asset:
            """What prices are in."""

        @property
        @abstractmethod
        def tick_value(self) -> int:
            """Quote atoms of one tick of one lot."""

        @property
        @abstractmethod
        def max_price(self) -> int:
            """Highest price, ticks."""

        @property
        @abstractmethod
        def max_lots(self) -> int:
            """Largest order, lots."""

        @property
        @abstractmethod
        def min_notional(self) -> int:
            """Quote atoms that an order must be worth."""

    @property
    @abstractmethod
    def name(self) -> str:
        """How errors call it."""

    @property
    @abstractmethod
    def tick(self) -> Fraction:
        """Smallest step of a price."""

    @property
    @abstractmethod
    def lot(self) -> Fraction:
        """Smallest step of a size."""

    def _from_steps(self, steps: int) -> int:
        """Ticks of a price of so many steps; its own inverse."""
        return steps

    def to_side(self, side: str) -> int:
        """Return BUY or SELL in the book."""
        return choose(side, SIDES, "side")

    def from_side(self, side: int) -> str:
        """Return "buy" or "sell" of a side in the book."""
        return next(name for name in SIDES if self.to_side(name) == side)

    def to_ticks(self, price: Number, name: str = "price") -> int:
        """Return a price in ticks. ClientError if it is not a multiple, or out of range."""
        steps = _to_units(price, self.tick, name, "tick")
        if steps > self.max_price:
            highest = to_decimal(self.max_price * self.tick)
            raise ClientError(f"{name} {price} is above the highest of {self.name}, {highest:f}")
        return self._from_steps(steps)

    def to_worst_ticks(self, side: str, reference: Number, slippage: Ratio) -> int:
        """Return the worst price that is not further than ``slippage`` from ``reference``, in ticks."""
        away = Fraction(to_ppm(slippage, "slippage"), PPM)
        price = to_fraction(reference, "reference")
        if price <= 0:
            raise ClientError(f"reference {reference} is not above zero")
        if choose(side, SIDES, "side") == BUY:
            bound = price * (1 + away) / self.tick
            steps = min(bound.numerator // bound.denominator, self.max_price)
        else:
            bound = price * (1 - away) / self.tick
            steps = max(-(-bound.numerator // bound.denominator), 1)
        if not 1 <= steps <= self.max_price:
            raise ClientError(
                f"there is no price of {self.name} within {slippage} of {reference}: its tick is "
                f"{to_decimal(self.tick):f}, its highest price {to_decimal(self.max_price * self.tick):f}"
            )
        return self._from_steps(steps)

    def to_slippage(self, trigger_ticks: int, slippage: Ratio, most: int) -> int:
        """Return how far from its trigger a market plan may go, ppm of the trigger in the book."""
        parts = to_ppm(slippage, "slippage", most)
        steps = self._from_steps(trigger_ticks)
        if steps == trigger_ticks:
            return parts
        # Seen from the other side: as many ticks, but of another price. Never more than was allowed.
        away = steps * parts // PPM
        parts = -(-away * PPM // trigger_ticks)
        if trigger_ticks * parts // PPM > away:
            parts = away * PPM // trigger_ticks
        return min(parts, most)

    def to_lots(self, size: Number) -> int:
        """Return a size in lots. ClientError if it is not a multiple, or out of range."""
        lots = _to_units(size, self.lot, "size", "lot")
        if lots > self.max_lots:
            largest = to_decimal(self.max_lots * self.lot)
            raise ClientError(f"size {size} is above the largest of {self.name}, {largest:f}")
        return lots

    def from_ticks(self, ticks: int) -> Decimal:
        """Return ticks as a price."""
        return to_decimal(self._from_steps(ticks) * self.tick)

    def from_lots(self, lots: int) -> Decimal:
        """Return lots as a size."""
        return to_decimal(lots * self.lot)


@dataclass(frozen=True, slots=True)
class Market(Instrument):
    """What a client must know of a spot market: its slot, assets and steps.

    ``lot_size`` is base atoms of one lot, ``tick_value`` quote atoms of one tick of one lot.
    """

    slot: int
    base: Asset
    quote: Asset
    lot_size: int
    tick_value: int
    max_price: int  # ticks
    max_lots: int
    min_notional: int = 0  # quote atoms

    @property
    def name(self) -> str:
        """BASE/QUOTE."""
        return f"{self.base.symbol}/{self.quote.symbol}"

    @property
    def tick(self) -> Fraction:
        """Smallest step of a price, quote units per base unit."""
        return Fraction(
            self.tick_value * 10**self.base.decimals, self.lot_size * 10**self.quote.decimals
        )

    @property
    def lot(self) -> Fraction:
        """Smallest step of a size, base units."""
        return Fraction(self.lot_size, 10**self.base.decimals)


@dataclass(frozen=True, slots=True)
class PerpMarket(Instrument):
    """What a client must know of a perpetual: its slot, quote and steps.

    Prices are quote units of one unit of what its feed prices, sizes are such units.

    Parameters
    ----------
    home : int
        slot of the book: ``slot``, but for a door
    venue : int
        of the book, whose pools hold the margin
    tick_value : int
        quote atoms of one tick of one lot
    feed_scale : int
        1e-8 quote units of one tick
    """

    slot: int
    label: str
    quote: Asset
    tick_value: int
    feed_scale: int
    max_price: int  # ticks
    max_lots: int
    min_notional: int = 0  # quote atoms
    venue: int = 0
    home: int = 0

    @property
    def name(self) -> str:
        """Label of the perpetual."""
        return self.label

    @property
    def tick(self) -> Fraction:
        """Smallest step of a price, quote units."""
        return Fraction(self.feed_scale, FEED_UNIT)

    @property
    def lot(self) -> Fraction:
        """Smallest step of a size, units of what the feed prices."""
        return Fraction(self.tick_value * FEED_UNIT, self.feed_scale * 10**self.quote.decimals)


@dataclass(frozen=True, slots=True)
class OutcomeMarket(Instrument):
    """What a client must know of the market of one outcome of an event.

    A lot is one contract: it pays ``unit`` quote atoms if the outcome comes true. Prices are parts of that
    unit, between 0 and 1, so they read as probabilities. `no` is the same book seen from its other side:
    buying No at 0.4 is selling Yes at 0.6.
    """

    slot: int
    label: str
    event: int  # slot of the event group
    quote: Asset
    unit: int  # quote atoms
    tick_value: int  # quote atoms
    max_lots: int
    min_notional: int = 0  # quote atoms
    is_no: bool = False

    def __post_init__(self) -> None:
        if self.tick_value < 1 or self.unit % self.tick_value or self.unit < 2 * self.tick_value:
            raise ClientError(
                f"unit is {self.unit} and tick_value {self.tick_value}: expected at least two whole ticks"
            )

    @property
    def name(self) -> str:
        """Label of the outcome and the side it is seen from."""
        return f"{self.label} {'No' if self.is_no else 'Yes'}"

    @property
    def max_price(self) -> int:
        """Highest price, ticks: one below the unit."""
        return self.unit // self.tick_value - 1

    @property
    def tick(self) -> Fraction:
        """Smallest step of a price, parts of the unit."""
        return Fraction(self.tick_value, self.unit)

    @property
    def lot(self) -> Fraction:
        """Sizes are whole contracts."""
        return Fraction(1)

    @property
    def no(self) -> OutcomeMarket:
        """The same book for who trades No; of the No side, the Yes side."""
        return replace(self, is_no=not self.is_no)

    def _from_steps(self, steps: int) -> int:
        return self.max_price + 1 - steps if self.is_no else steps

    def to_side(self, side: str) -> int:
        """Return BUY or SELL in the book, which is that of Yes."""
        meant = choose(side, SIDES, "side")
        return BUY + SELL - meant if self.is_no else meant
