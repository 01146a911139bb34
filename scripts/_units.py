"""What people type, in the integers that contracts take: OKB, token amounts, percents, prices, durations.

Nothing is rounded. Text that falls between two values is refused, with both of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Self

from tradezone.client import ClientError, to_decimal, to_fraction
from tradezone.protocol.limits import (
    MAX_LOTS,
    MAX_NOTIONAL,
    MAX_PRICE,
    MAX_TICK_VALUE,
    PPM,
)

if TYPE_CHECKING:
    from tradezone.client import Asset

OKB_DECIMALS: Final = 18
_PERCENT: Final = PPM // 100
_BASIS_POINT: Final = PPM // 10_000


class UnitError(ValueError):
    """What was typed has no exact value. The text says what was expected, and the nearest ones."""


def _number(text: str, name: str) -> Fraction:
    try:
        return to_fraction(text.replace("_", "").replace(",", ""), name)
    except ClientError as error:
        raise UnitError(str(error)) from None


def _whole(value: Fraction, step: Fraction, text: str, what: str, unit: str) -> int:
    """Whole steps in a value; refused with its neighbours if it lies between two."""
    steps = value / step
    if steps.denominator == 1:
        return steps.numerator
    low = steps.numerator // steps.denominator
    near = " or ".join(f"{to_decimal(n * step):f}" for n in (low, low + 1) if n > 0)
    raise UnitError(
        f"{what} {text} is not a multiple of {to_decimal(step):f} {unit}; nearest: {near}"
    )


def to_number(text: str, name: str) -> Fraction:
    """Return a decimal number exactly."""
    return _number(text, name)


def to_whole(text: str, step: Fraction, name: str) -> int:
    """Return how many steps a decimal number is; UnitError if it is no whole number of them."""
    return _whole(_number(text, name), step, text, name, "")


def to_wei(text: str, symbol: str = "OKB") -> int:
    """Return an amount of native coin in wei: ``"1.5"`` is 1.5 * 10^18."""
    value = _number(text.upper().removesuffix(symbol).strip(), "amount")
    if value <= 0:
        raise UnitError(f"amount {text} is not above zero")
    return _whole(value, Fraction(1, 10**OKB_DECIMALS), text, "amount", symbol)


class Quantity(str):
    """An amount as people read it, which keeps the whole number that it stands for."""

    __slots__ = ("raw", "unit")

    raw: int
    unit: str

    def __new__(cls, text: str, raw: int, unit: str) -> Self:
        """Make the text of an amount."""
        made = super().__new__(cls, text)
        made.raw, made.unit = raw, unit
        return made

    def to_json(self) -> dict[str, str]:
        """Return both; the number as text, because not every reader of JSON takes it whole."""
        return {"text": str(self), self.unit: str(self.raw)}


def format_wei(wei: int, symbol: str = "OKB") -> Quantity:
    """Return wei as people read it."""
    return Quantity(f"{format_decimal(_scale(wei, OKB_DECIMALS))} {symbol}", wei, "wei")


def format_cost(wei: int, symbol: str = "OKB") -> Quantity:
    """Return what gas costs, rounded up to what matters."""
    step = 10 ** (OKB_DECIMALS - 8)
    return format_wei(-(-wei // step) * step, symbol)


def format_decimal(value: Decimal) -> str:
    """Return a number without an exponent and without trailing zeros, thousands apart."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def to_atoms(text: str, asset: Asset) -> int:
    """Return an amount of an asset in atoms; an amount off the quantum names the nearest valid ones."""
    value = _number(text, "amount")
    if value <= 0:
        raise UnitError(f"amount {text} is not above zero")
    return _whole(value, Fraction(1, 10**asset.decimals), text, "amount", asset.symbol)


def format_atoms(atoms: int, asset: Asset) -> Quantity:
    """Return atoms as people read them."""
    text = f"{format_decimal(_scale(atoms, asset.decimals))} {asset.symbol}"
    return Quantity(text, atoms, "atoms")


def _scale(number: int, decimals: int) -> Decimal:
    """Return a number of smallest units in whole ones; all digits are kept, however many there are."""
    return Decimal(f"{number}E-{decimals}")


def to_ppm(text: str, name: str) -> int:
    """Return a rate in parts per million: ``"0.05%"``, ``"5bp"`` and ``"0.05"`` (percent) are 500."""
    plain = text.strip().lower()
    unit = _PERCENT
    if plain.endswith("bp"):
        plain, unit = plain.removesuffix("bp"), _BASIS_POINT
    value = _number(plain.removesuffix("%"), name) * unit
    if value.denominator != 1:
        low = value.numerator // value.denominator
        raise UnitError(
            f"{name} {text} is not a whole number of ppm;"
            f" nearest: {format_ppm(low)} or {format_ppm(low + 1)}"
        )
    return value.numerator


def format_ppm(ppm: int) -> str:
    """Return parts per million as a percentage."""
    return f"{format_decimal(Decimal(ppm) / _PERCENT)}%"


def to_ms(text: str) -> int:
    """Return a time in ms since 1970: ``now`` is 0 (at once), or ISO 8601 with an offset or Z."""
    if text.lower() == "now":
        return 0
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        hint = "expected now, or a time like 2027-01-31T12:00:00Z"
        raise UnitError(f"start {text!r} is no time; {hint}") from None
    if time.tzinfo is None:
        raise UnitError(f"start {text} names no time zone; did you mean {text}Z?")
    return int(time.timestamp()) * 1000


def to_seconds(text: str) -> int:
    """Return a duration in seconds: ``"90 min"``, ``"24h"``, ``"3 days"``."""
    plain = text.strip().lower().replace(" ", "")
    number = plain.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = plain.removeprefix(number)
    sizes = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}
    names = {"hour": "h", "hours": "h", "day": "d", "days": "d", "minutes": "min", "seconds": "s"}
    size = sizes.get(names.get(unit, unit))
    if not number or size is None or _number(number, "duration") <= 0:
        raise UnitError(f"duration {text!r} is none; expected for instance 90 min, 24 h or 3 d")
    return _whole(_number(number, "duration") * size, Fraction(1), text, "duration", "s")


def format_ms(time: int) -> str:
    """Return a time in ms as people read it; 0 = at once."""
    return format_time(time // 1000) if time else "at once"


def format_seconds(seconds: int) -> str:
    """Return a duration as people read it."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def format_time(seconds: int) -> str:
    """Return an L1 time as people read it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


# --- markets -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpotSteps:
    """Steps and bounds of a spot market, in the units of the contract."""

    lot_size: int  # base atoms of one lot
    tick_value: int  # quote atoms of one tick of one lot
    max_price: int  # ticks
    max_lots: int
    min_notional: int  # quote atoms
    max_notional: int  # quote atoms


def to_spot_steps(
    base: Asset,
    quote: Asset,
    tick: str,
    lot: str,
    max_price: str,
    min_notional: str = "0",
    max_size: str | None = None,
) -> SpotSteps:
    """Return the steps of a market from what a deployer types.

    Parameters
    ----------
    base, quote : Asset
        what is traded, and what it is paid with
    tick : str
        step of prices, quote units for one base unit
    lot : str
        step of sizes, base units
    max_price : str
        highest price
    min_notional : str
        least value of an order, quote units
    max_size : str, optional
        largest order, base units; the largest that the protocol can take if absent
    """
    lot_size = to_atoms(lot, base)
    size_of_lot = Fraction(lot_size, 10**base.decimals)
    tick_step = _number(tick, "tick")
    if tick_step <= 0:
        raise UnitError(f"tick {tick} is not above zero")
    # One tick of one lot has to be a whole number of quote atoms.
    atom_step = Fraction(1, 10**quote.decimals) / size_of_lot
    tick_value = _whole(tick_step, atom_step, tick, "tick", f"{quote.symbol} at lots of {lot}")
    if tick_value > MAX_TICK_VALUE:
        most = to_decimal(MAX_TICK_VALUE * atom_step)
        raise UnitError(f"tick {tick} is too large for lots of {lot}; at most {most:f}")
    price_ticks = _whole(
        _number(max_price, "highest price"), tick_step, max_price, "highest price", ""
    )
    bound = min(MAX_PRICE, MAX_NOTIONAL // tick_value)
    if not 1 <= price_ticks <= bound:
        most = to_decimal(bound * tick_step)
        raise UnitError(
            f"highest price {max_price} is not within {tick} .. {most:f} at ticks of {tick}"
        )
    largest = min(MAX_LOTS, MAX_NOTIONAL // (price_ticks * tick_value), MAX_NOTIONAL // lot_size)
    max_lots = largest
    if max_size is not None:
        max_lots = _whole(
            _number(max_size, "largest order"), size_of_lot, max_size, "largest order", ""
        )
        if not 1 <= max_lots <= largest:
            most = to_decimal(largest * size_of_lot)
            raise UnitError(
                f"largest order {max_size} is not within {lot} .. {most:f} {base.symbol}"
            )
    least = 0 if _number(min_notional, "least value") == 0 else to_atoms(min_notional, quote)
    return SpotSteps(lot_size, tick_value, price_ticks, max_lots, least, MAX_NOTIONAL)


def format_market(base: Asset, quote: Asset, terms: Any) -> dict[str, str]:
    """Return the terms of a listed market as people read them."""
    lot = Fraction(terms["lotSize"], 10**base.decimals)
    tick = Fraction(terms["tickValue"] * 10**base.decimals, terms["lotSize"] * 10**quote.decimals)
    return {
        "market": f"{base.symbol}/{quote.symbol}",
        "tick": f"{to_decimal(tick):f} {quote.symbol}",
        "lot": f"{to_decimal(lot):f} {base.symbol}",
        "highest price": format_decimal(to_decimal(terms["maxPrice"] * tick)),
        "largest order": f"{format_decimal(to_decimal(terms['maxLots'] * lot))} {base.symbol}",
        "least value": format_atoms(terms["minNotional"], quote),
        "taker fee": format_ppm(terms["takerFee"]),
        "maker fee": format_ppm(terms["makerFee"]),
        "protocol share": format_ppm(terms["protocolShare"]),
        "insurance share": format_ppm(terms["insuranceShare"]),
        "taker delay": f"{terms['takerDelay']} ms",
    }
