"""What the scripts for slots and oracles share: their contracts, and the units that people type for them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from scripts._common import ScriptError, Session
from scripts._units import UnitError, format_decimal, format_seconds
from tradezone.chain.abi import ORACLE_REGISTRY, OUTCOME_RESOLVER, SLOT_AUCTION
from tradezone.client import ClientError, to_decimal, to_fraction
from tradezone.protocol.limits import PAYOUT_UNIT
from tradezone.protocol.oracles import from_vector

if TYPE_CHECKING:
    from tradezone.chain.rpc import Deployed

CONTRACTS: Final = {
    "slots": SLOT_AUCTION,
    "oracles": ORACLE_REGISTRY,
    "resolver": OUTCOME_RESOLVER,
}
_PERCENT: Final = PAYOUT_UNIT // 100
_UNITS: Final = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def market_contract(session: Session, name: str) -> Deployed:
    """Return the contract ``name`` (slots, oracles, resolver) of the zone."""
    if name not in session.deployment.contracts:
        raise ScriptError(
            f"the deployment {session.path.name} names no contract {name!r}",
            f"its address belongs under contracts.{name}; see docs/spec/{_CHAPTERS[name]}.md",
        )
    return session.rpc.at(CONTRACTS[name], session.deployment.address(name))


_CHAPTERS: Final = {"slots": "slots", "oracles": "oracles", "resolver": "oracles"}


def find_venue(session: Session, text: str) -> tuple[int, dict[str, Any]]:
    """Return a venue by its id or name, and what the registry knows of it."""
    registry = session.at("venue_registry")
    number = int(text) if text.isdigit() else registry.call("venueNamed", text)
    if not 1 <= number <= registry.call("venueCount"):
        raise ScriptError(f"no venue {text!r} is open", "see them with: ape run venue show")
    return number, registry.call("venueOf", number)


def to_milliseconds(text: str) -> int:
    """Return a duration in ms: ``500ms``, ``2s``, ``10min``, ``1h``, ``2d``."""
    for unit in ("ms", "min", "s", "h", "d"):
        if text.endswith(unit):
            value = _number(text.removesuffix(unit)) * _UNITS[unit]
            if value.denominator == 1 and value > 0:
                return value.numerator
            break
    raise UnitError(
        f"duration {text!r} is no whole number of ms; expected 500ms, 2s, 10min, 1h, 2d"
    )


def format_milliseconds(duration: int) -> str:
    """Return a duration in ms as people read it."""
    for unit in ("d", "h", "min", "s"):
        if duration >= _UNITS[unit] and duration % _UNITS[unit] == 0:
            return f"{duration // _UNITS[unit]} {unit}"
    return f"{duration} ms"


def format_period(period: dict[str, int]) -> str:
    """Return a period of L1 as people read it."""
    return f"{format_seconds(period['time'])} and {period['blocks']:,} blocks"


def to_fractions(text: str) -> list[int]:
    """Return payout fractions of 10,000 from percents: ``100,0`` or ``33.33,33.33,33.34``."""
    parts = [_number(part.strip().removesuffix("%")) * _PERCENT for part in text.split(",")]
    if any(part.denominator != 1 or part < 0 for part in parts):
        raise UnitError(f"payout {text!r}: each part is a percentage with at most two decimals")
    if sum(parts) != PAYOUT_UNIT:
        total = to_decimal(sum(parts, Fraction(0)) / _PERCENT)
        raise UnitError(f"payout {text!r} sums to {format_decimal(total)}%, expected 100%")
    return [part.numerator for part in parts]


def format_fractions(fractions: list[int]) -> str:
    """Return payout fractions as percentages."""
    return ", ".join(f"{format_decimal(to_decimal(Fraction(f, _PERCENT)))}%" for f in fractions)


def format_vector(vector: int, outcomes: int) -> str:
    """Return a payout vector as percentages."""
    return format_fractions(from_vector(vector, outcomes))


def to_ids(text: str) -> list[int]:
    """Return ids from ``1,2,3``, rising."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise UnitError(f"ids {text!r}: expected whole numbers, like 1,2,3")
    return sorted(int(part) for part in parts)


def latest_time(session: Session) -> int:
    """Return the time of the newest L1 block, seconds."""
    return session.rpc.head().time


def one_event(session: Session, contract: Deployed, event: str, *topics: Any) -> dict[str, Any]:
    """Return the newest event of a kind with these indexed values; empty if there is none."""
    head = session.rpc.head().number
    found = list(contract.events(event, session.deployment.block, head, list(topics)))
    return found[-1] if found else {}


def _number(text: str) -> Fraction:
    try:
        return to_fraction(text.strip().replace("_", ""), "number")
    except ClientError as error:
        raise UnitError(str(error)) from None
