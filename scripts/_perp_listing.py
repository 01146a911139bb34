"""What a person says of a perpetual, in the terms of its registry."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from scripts._common import ScriptError
from scripts._listing import build_fees, find_open_asset, to_fee
from scripts._units import (
    UnitError,
    format_atoms,
    format_ms,
    format_ppm,
    to_atoms,
    to_ms,
    to_number,
    to_whole,
)
from tradezone.client import Asset
from tradezone.protocol.limits import (
    MAX_BAND,
    MAX_FEED_SCALE,
    MAX_FUNDING_CAP,
    MAX_IMPACT,
    MAX_INTEREST,
    MAX_LOT_VALUE,
    MAX_NOTIONAL,
    MAX_OPEN_VALUE,
    MAX_POSITION_VALUE,
    MAX_PRICE,
    MAX_TICK_VALUE,
    MAX_TIERS,
    MIN_BAND,
    MIN_IMPACT,
    MIN_MMR,
    PPM,
)

if TYPE_CHECKING:
    from scripts._common import Session
    from scripts._venue_file import Section, Text

FEED_UNITS: Final = 10**8  # of a feed, in one unit of the quote
PPB: Final = 1_000  # in a ppm
NO_TIER: Final = (0, 0, 0)


def build_perp(session: Session, venue: int, section: Section, feeds: dict[str, int]) -> Any:
    """Return terms of a perpetual, and what to show of them.

    Parameters
    ----------
    feeds : dict
        ids of the feeds that the same file opens, by name
    """
    quote = _quote(session, section.text("quote"))
    steps = _build_steps(section, quote)
    terms = {
        "venue": venue,
        "quote": quote.id,
        "feed": _feed(session, venue, section.text("feed"), feeds),
        **steps,
        **build_fees(section),
        "calendar": section.text("calendar", "0").to(_to_id),
        "band": section.text("band", "10%").to(to_fee, "band", MIN_BAND, MAX_BAND),
        "openInterestCap": _amount(section, "open_interest", quote, MAX_OPEN_VALUE),
        "accountCap": _amount(section, "account_cap", quote, MAX_OPEN_VALUE),
        "closes": section.text("closes", "now").to(to_ms),
        "effectiveAt": section.text("start", "now").to(to_ms),
    }
    terms["parameters"] = build_parameters(section, quote, terms)
    return terms, _facts(quote, terms)


def build_parameters(section: Section, quote: Asset, terms: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that only perpetuals have."""
    band = terms["band"]
    lower = _amount(section, "margin_rises_from", quote, MAX_OPEN_VALUE, terms["openInterestCap"])
    upper = _amount(section, "margin_rises_to", quote, MAX_OPEN_VALUE, MAX_OPEN_VALUE)
    if lower >= upper:
        raise section.text("margin_rises_to").refuse("expected more than margin_rises_from")
    return {
        "fundingCap": section.text("funding_cap", "0.4%").to(
            _to_ppb, "funding cap", 1, MAX_FUNDING_CAP
        ),
        "interest": section.text("interest", "0.01%").to(_to_ppb, "interest", 0, MAX_INTEREST),
        "impactNotional": _within(
            section.text("impact"),
            section.text("impact").to(to_atoms, quote),
            MIN_IMPACT,
            MAX_IMPACT,
        ),
        "bandListing": section.text("band_listing", "5%").to(
            to_fee, "listing band", MIN_BAND, band
        ),
        "bandBasis": section.text("band_basis", "3%").to(to_fee, "basis band", MIN_BAND, band),
        "oiLower": lower,
        "oiUpper": upper,
        "lossCap": _amount(section, "loss_cap", quote, MAX_OPEN_VALUE, 0),
        "tiers": _build_tiers(section, quote),
    }


def _build_steps(section: Section, quote: Asset) -> dict[str, int]:
    tick, lot, top = (section.text(key) for key in ("tick", "lot", "highest_price"))
    tick_size, lot_size = tick.to(to_number, "tick"), lot.to(to_number, "lot")
    if tick_size <= 0 or lot_size <= 0:
        raise UnitError(f"{section.place}: tick and lot are above zero")
    atoms = tick_size * lot_size * 10**quote.decimals
    if atoms.denominator != 1 or not 1 <= atoms <= MAX_TICK_VALUE:
        step = Fraction(1, 10**quote.decimals) / lot_size
        raise tick.refuse(
            f"one tick of one lot has to be whole {quote.symbol} atoms: a multiple of {float(step):g}"
        )
    units = tick_size * FEED_UNITS
    if units.denominator != 1 or units > MAX_FEED_SCALE:
        raise tick.refuse("a tick has at most eight decimals, as prices of feeds have")
    price = top.to(to_whole, tick_size, "highest price")
    _within(top, price, 1, min(MAX_PRICE, MAX_LOT_VALUE // int(atoms)))
    most = MAX_POSITION_VALUE // (price * int(atoms))
    largest = section.text("largest_order")
    lots = largest.to(to_whole, lot_size, "largest order") if largest else most
    least = section.text("least_value", "0")
    return {
        "feedScale": int(units),
        "tickValue": int(atoms),
        "minNotional": 0 if least == "0" else least.to(to_atoms, quote),
        "maxNotional": MAX_NOTIONAL,
        "maxLots": _within(largest, lots, 1, most),
        "maxPrice": price,
    }


def _build_tiers(section: Section, quote: Asset) -> list[tuple[int, int, int]]:
    entries = section.sections.get("tiers", [])
    if not 1 <= len(entries) <= MAX_TIERS:
        raise UnitError(f"{section.place}: tiers: expected 1 to {MAX_TIERS}, were {len(entries)}")
    tiers: list[tuple[int, int, int]] = []
    for entry in entries:
        up_from = entry.text("from", "0")
        lower = 0 if up_from == "0" else up_from.to(to_atoms, quote)
        imr = entry.text("initial").to(to_fee, "initial margin", MIN_MMR, PPM)
        mmr = entry.text("maintenance").to(to_fee, "maintenance margin", MIN_MMR, imr * 2 // 3)
        if not tiers and lower:
            raise up_from.refuse("the first tier is from 0")
        if tiers and (lower <= tiers[-1][0] or imr < tiers[-1][1] or mmr < tiers[-1][2]):
            raise UnitError(f"{entry.place}: each tier is from more on, and asks no less margin")
        tiers.append((lower, imr, mmr))
    return tiers + [NO_TIER] * (MAX_TIERS - len(tiers))


def _quote(session: Session, text: Text) -> Asset:
    try:
        return find_open_asset(session, str(text))
    except ScriptError as error:
        raise ScriptError(f"{text.place}: {error.text}", error.hint) from None


def _feed(session: Session, venue: int, text: Text, feeds: dict[str, int]) -> int:
    if str(text) in feeds:
        return feeds[str(text)]
    number = text.to(_to_id)
    if "oracles" not in session.deployment.contracts:
        raise text.refuse("this zone has no oracles, hence no perpetuals")
    oracles = session.at("oracles")
    if not 1 <= number <= oracles.call("feedCount"):
        raise text.refuse(f"there is no feed {number}; open one: ape run oracle feed")
    owner = oracles.call("feedOf", number)["venue"]
    if venue and owner != venue:
        raise text.refuse(f"feed {number} is venue {owner}'s")
    return number


def _amount(section: Section, key: str, quote: Asset, most: int, default: int | None = None) -> int:
    text = section.text(key)
    if not text and default is not None:
        return default
    return _within(text, text.to(to_atoms, quote), 1, most)


def _within(text: Text, value: int, lowest: int, highest: int) -> int:
    if not lowest <= value <= highest:
        raise text.refuse(f"{value} is not within {lowest} .. {highest}")
    return value


def _to_ppb(text: str, name: str, lowest: int, highest: int) -> int:
    plain = text.strip().removesuffix("%")
    value = to_number(plain, name) * 10**7
    if value.denominator != 1 or not lowest <= value <= highest:
        raise UnitError(f"{name} {text} is not within {lowest / 10**7:g}% .. {highest / 10**7:g}%")
    return int(value)


def _to_id(text: str) -> int:
    if not text.isdigit() or int(text) >= 1 << 31:
        raise UnitError(f"expected a number, was {text!r}")
    return int(text)


def _facts(quote: Asset, terms: dict[str, Any]) -> dict[str, str]:
    parameters = terms["parameters"]
    first = parameters["tiers"][0]
    return {
        "quote": quote.symbol,
        "feed": f"feed {terms['feed']}, {terms['feedScale']} of its units in a tick",
        "tick of a lot": str(format_atoms(terms["tickValue"], quote)),
        "highest price": f"{terms['maxPrice']:,} ticks",
        "largest order": f"{terms['maxLots']:,} lots",
        "leverage": f"{PPM / first[1]:g}x",
        "maintenance": format_ppm(first[2]),
        "open interest": f"at most {format_atoms(terms['openInterestCap'], quote)}",
        "taker fee": format_ppm(terms["takerFee"]),
        "maker fee": format_ppm(terms["makerFee"]),
        "band": format_ppm(terms["band"]),
        "funding": f"at most {parameters['fundingCap'] / 10**7:g}% an hour",
        "closes": format_ms(terms["closes"]) if terms["closes"] else "never",
    }
