"""What a person says of a market, in the terms of the contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scripts._common import ScriptError, Session
from scripts._markets import format_period, latest_time, market_contract
from scripts._units import (
    UnitError,
    format_atoms,
    format_market,
    format_ms,
    format_ppm,
    format_time,
    format_wei,
    to_atoms,
    to_ms,
    to_ppm,
    to_spot_steps,
    to_wei,
)
from tradezone.client import Asset
from tradezone.protocol.hashing import keccak
from tradezone.protocol.limits import (
    DEFAULT_TAKER_DELAY,
    MAX_INTERFACE_FEE,
    MAX_MAKER_FEE,
    MAX_NOTIONAL,
    MAX_OUTCOMES,
    MAX_REBATE,
    MAX_TAKER_DELAY,
    MAX_TAKER_FEE,
    MIN_PROTOCOL_SHARE,
    PAYOUT_UNIT,
    PPM,
)

if TYPE_CHECKING:
    from scripts._venue_file import Section, Text

FEES: Final = {
    "taker_fee": ("takerFee", "0.05%", 0, MAX_TAKER_FEE),
    "maker_fee": ("makerFee", "0.02%", -MAX_REBATE, MAX_MAKER_FEE),
    "protocol_share": ("protocolShare", "10%", MIN_PROTOCOL_SHARE, PPM),
    "insurance_share": ("insuranceShare", "10%", 0, PPM),
}
"""Fees and shares: field of the contract, default, bounds in ppm."""


class Listing:
    """A call that lists something: what to send, and what to show of it."""

    def __init__(
        self,
        function: str,
        arguments: tuple[Any, ...],
        facts: dict[str, Any],
        value: int = 0,
        contract: str = "listings",
    ) -> None:
        self.function = function
        self.arguments = arguments
        self.facts = facts
        self.value = value
        self.contract = contract


RESOLUTION_KEYS: Final = ("provider", "resolves", "exposure")
"""Keys of an event that the resolver of a governed zone wants to know."""


def find_open_asset(session: Session, text: str) -> Asset:
    """Return an asset that takes deposits or is simulated, by id, symbol or token."""
    asset, terms = session.find_asset(text)
    if terms["isClosed"]:
        raise ScriptError(f"asset {asset.id} ({asset.symbol}) is closed")
    return asset


def to_fee(text: str, name: str, lowest: int, highest: int) -> int:
    """Return a rate in ppm that is inside its bounds."""
    ppm = to_ppm(text, name)
    if not lowest <= ppm <= highest:
        raise UnitError(
            f"{name} {text} is not within {format_ppm(lowest)} .. {format_ppm(highest)}"
        )
    return ppm


def to_delay(text: str) -> int:
    """Return a taker delay in ms."""
    plain = text.strip().removesuffix("ms").strip()
    if not plain.isdigit() or int(plain) > MAX_TAKER_DELAY:
        raise UnitError(f"taker delay {text} is not within 0 .. {MAX_TAKER_DELAY} ms")
    return int(plain)


def build_fees(section: Section) -> dict[str, int]:
    """Return fees, shares and delay of a market."""
    found = {}
    for key, (field, default, lowest, highest) in FEES.items():
        text = section.text(key, default)
        found[field] = text.to(to_fee, key.replace("_", " "), lowest, highest)
    if found["protocolShare"] + found["insuranceShare"] > PPM:
        protocol, insurance = section.text("protocol_share"), section.text("insurance_share")
        raise UnitError(f"protocol share {protocol} and insurance share {insurance} exceed the fee")
    found["takerDelay"] = section.text("taker_delay", str(DEFAULT_TAKER_DELAY)).to(to_delay)
    return found


def build_listing(
    session: Session, venue: int, section: Section, feeds: dict[str, int] | None = None
) -> Listing:
    """Return the call that lists a market of a file, which opens ``feeds`` (ids by name)."""
    if section.text("kind") == "perpetual":
        # Imported here: it needs this module's fees.
        from scripts._perp_listing import build_perp

        terms, facts = build_perp(session, venue, section, feeds or {})
        return Listing("listPerp", (terms,), facts, contract="perps")
    build = {"spot": _build_spot, "event": _build_event, "door": _build_door}
    return build[section.text("kind")](session, venue, section)


def _asset(session: Session, text: Text) -> Asset:
    try:
        return find_open_asset(session, str(text))
    except ScriptError as error:
        raise ScriptError(f"{text.place}: {error.text}", error.hint) from None


def _build_spot(session: Session, venue: int, section: Section) -> Listing:
    base, quote = (_asset(session, section.text(key)) for key in ("base", "quote"))
    if base.id == quote.id:
        raise section.text("quote").refuse(f"{base.symbol} is the base already; name two assets")
    try:
        steps = to_spot_steps(
            base,
            quote,
            section.text("tick"),
            section.text("lot"),
            section.text("highest_price"),
            section.text("least_value", "0"),
            section.text("largest_order") if "largest_order" in section else None,
        )
    except UnitError as error:
        raise UnitError(f"{section.place}: {error}") from None
    terms = {
        "venue": venue,
        "base": base.id,
        "quote": quote.id,
        "lotSize": steps.lot_size,
        "tickValue": steps.tick_value,
        "minNotional": steps.min_notional,
        "maxNotional": steps.max_notional,
        "maxLots": steps.max_lots,
        "maxPrice": steps.max_price,
        **build_fees(section),
        "effectiveAt": section.text("start", "now").to(to_ms),
    }
    return Listing("listSpot", (terms,), format_market(base, quote, terms))


def to_payouts(parts: list[Text], outcomes: int) -> bytes:
    """Return a payout vector of percentages, outcome 0 first."""
    if len(parts) != outcomes:
        raise parts[0].refuse(f"expected {outcomes} parts, one an outcome, were {len(parts)}")
    vector = []
    for part in parts:
        ppm = part.to(to_ppm, "part")
        if ppm < 0 or ppm % (PPM // PAYOUT_UNIT):
            raise part.refuse("a part is 0% or more, in steps of 0.01%")
        vector.append(ppm // (PPM // PAYOUT_UNIT))
    if sum(vector) != PAYOUT_UNIT:
        share = format_ppm(sum(vector) * (PPM // PAYOUT_UNIT))
        raise parts[-1].refuse(f"parts sum to {share}, expected 100%")
    return b"".join(part.to_bytes(2, "big") for part in vector).ljust(32, b"\0")


def _to_lots(text: str, most: int) -> int:
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise UnitError(f"largest order {text} is not within 1 .. {most} lots")
    return int(text)


def _to_bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise UnitError(f"{text!r} is no hexadecimal text") from None


def _build_event(session: Session, venue: int, section: Section) -> Listing:
    asset = _asset(session, section.text("asset"))
    question = section.text("question")
    names = section.lists.get("outcomes", [])
    if not 2 <= len(names) <= MAX_OUTCOMES or len(set(names)) != len(names):
        raise UnitError(f"{section.place}: expected 2 to {MAX_OUTCOMES} different outcomes")
    void = section.lists.get("void", [])
    if not void:
        raise UnitError(f"{section.place}: void: expected what each outcome pays, as a list")
    unit = section.text("unit").to(to_atoms, asset)
    tick = section.text("tick").to(to_atoms, asset)
    if unit % PAYOUT_UNIT or unit > MAX_NOTIONAL:
        step = format_atoms(PAYOUT_UNIT, asset)
        raise section.text("unit").refuse(f"a unit is a multiple of {step}")
    if unit % tick or unit < 2 * tick:
        raise section.text("tick").refuse(f"a tick divides the unit, {section.text('unit')}")
    most = MAX_NOTIONAL // unit
    least = section.text("least_value", "0")
    terms = {
        "venue": venue,
        "asset": asset.id,
        "outcomes": len(names),
        "unit": unit,
        "voidPayouts": to_payouts(void, len(names)),
        "question": keccak(question.encode()),
        "tickValue": tick,
        "minNotional": 0 if least == "0" else least.to(to_atoms, asset),
        "maxNotional": MAX_NOTIONAL,
        "maxLots": section.text("largest_order", str(most)).to(_to_lots, most),
        **build_fees(section),
        "effectiveAt": section.text("start", "now").to(to_ms),
        "closes": section.text("closes", "now").to(to_ms),
    }
    facts = {
        "question": str(question),
        "outcomes": ", ".join(names),
        "void pays": ", ".join(void),
        "unit": format_atoms(unit, asset),
        "tick": format_atoms(tick, asset),
        "taker fee": format_ppm(terms["takerFee"]),
        "maker fee": format_ppm(terms["makerFee"]),
        "closes": format_ms(terms["closes"]) if terms["closes"] else "never",
    }
    data, fee, known = _build_resolution(session, section)
    return Listing("listEvent", (terms, data), facts | known, fee)


def _build_resolution(session: Session, section: Section) -> tuple[bytes, int, dict[str, Any]]:
    """Return data and fee for who resolves an event, and what to show of them."""
    named = [key for key in RESOLUTION_KEYS if key in section]
    keys = ", ".join(RESOLUTION_KEYS)
    if not named:
        if "resolver" in session.deployment.contracts and "resolver_data" not in section:
            raise UnitError(f"{section.place}: expected {keys}: the zone's resolver asks for them")
        fee = section.text("resolver_fee")
        data = section.text("resolver_data", "0x").to(_to_bytes)
        return data, fee.to(to_wei) if fee else 0, {}
    for key in ("resolver_data", "resolver_fee"):
        if key in section:
            raise section.text(key).refuse(f"it follows from {keys}")
    if len(named) < len(RESOLUTION_KEYS):
        raise UnitError(f"{section.place}: expected all of {keys}, found {', '.join(named)}")
    resolver = market_contract(session, "resolver")
    provider = section.text("provider").to(_to_provider)
    # A block may pass before it is listed.
    due = section.text("resolves").to(to_ms) // 1000 or latest_time(session) + 60
    exposure = section.text("exposure").to(to_wei)
    bond, window = resolver.call("termsFor", exposure)
    data = b"".join(part.to_bytes(32, "big") for part in (provider, due, exposure))
    return (
        data,
        resolver.call("config")["openFee"],
        {
            "proposed first by": f"provider {provider}",
            "no result before": format_time(due),
            "exposure": format_wei(exposure),
            "bond of a result": format_wei(bond),
            "window": format_period(window),
        },
    )


def _to_provider(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) < 1 << 32:
        raise UnitError(f"expected the number of a provider, was {text!r}")
    return int(text)


def _to_slot(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) < 1 << 32:
        raise UnitError(f"expected the number of a market, was {text!r}")
    return int(text)


def _build_door(session: Session, venue: int, section: Section) -> Listing:
    home = section.text("home").to(_to_slot)
    fee = section.text("fee").to(to_fee, "fee", 0, MAX_INTERFACE_FEE)
    terms = {
        "venue": venue,
        "home": home,
        "guestFee": fee,
        "effectiveAt": section.text("start", "now").to(to_ms),
    }
    del session
    return Listing("listGuest", (terms,), {"home": f"market {home}", "fee": format_ppm(fee)})
