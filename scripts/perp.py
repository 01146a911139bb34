"""Parameters of perpetuals, the stake that carries them, and slashed stake that is for sale."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from scripts._common import ScriptError, Session, with_options, zone_command
from scripts._markets import find_venue, latest_time
from scripts._perp_listing import build_parameters
from scripts._units import (
    format_atoms,
    format_ppm,
    format_time,
    format_wei,
    to_atoms,
    to_ppm,
    to_wei,
)
from scripts._venue_file import read_venue_file
from tradezone.chain.perps_abi import PERP_REGISTRY, RESTITUTION
from tradezone.client import Asset

PPB_PERCENT: Final = 10**7
market_argument = click.argument("market", type=click.IntRange(min=1))


@click.group()
def cli() -> None:
    """Show and change perpetuals, share stake out over assets, buy slashed stake."""


def _contract(session: Session, name: str) -> Any:
    if name not in session.deployment.contracts:
        raise ScriptError(
            f"the deployment {session.path.name} names no contract {name!r}",
            "perpetuals need a zone that is deployed with: ape run deploy zone --governed",
        )
    return session.at(name)


def _find(session: Session, market: int) -> tuple[dict[str, Any], dict[str, Any], Asset]:
    """Return a perpetual's registry entry, its market and its quote."""
    registry = session.at("market_registry")
    count = registry.call("marketCount")
    if market > count:
        raise ScriptError(f"no market {market}; {count} were listed", "ape run venue show VENUE")
    entry = registry.call("marketOf", market)
    if entry["kind"] != 2:
        raise ScriptError(f"market {market} is no perpetual")
    perp = _contract(session, "perps").call("perpOf", market)
    return perp, entry, session.assets()[entry["quote"]][0]


# --- parameters --------------------------------------------------------------------------------------


@zone_command(cli, "show")
@market_argument
def show(session: Session, market: int) -> None:
    """Show the parameters of MARKET, and what is announced."""
    perp, entry, quote = _find(session, market)
    in_force, announced = _contract(session, "perps").call("parametersOf", market)
    shown: dict[str, Any] = {
        "market": market,
        "venue": entry["venue"],
        "feed": perp["feed"],
        "cross pools": f"profit counts at {format_ppm(perp['weight'])}"
        if perp["isCross"]
        else "no",
    }
    shown |= _describe(in_force, quote)
    if perp["readyAt"]:
        shown |= {f"announced: {k}": v for k, v in _describe(announced, quote).items()}
        shown["ready"] = format_time(perp["readyAt"])
    session.result(shown)


def _describe(given: dict[str, Any], quote: Asset) -> dict[str, Any]:
    tiers = [t for t in given["tiers"] if t["imr"]]
    return {
        "margins": "; ".join(
            f"from {format_atoms(t['lower'], quote) if t['lower'] else 0}: "
            f"{format_ppm(t['imr'])} initial, {format_ppm(t['mmr'])} maintenance"
            for t in tiers
        ),
        "funding cap": f"{given['fundingCap'] / PPB_PERCENT:g}% an hour",
        "interest": f"{given['interest'] / PPB_PERCENT:g}% of 8 h",
        "impact": format_atoms(given["impactNotional"], quote),
        "bands": f"{format_ppm(given['bandListing'])} new, {format_ppm(given['bandBasis'])} later",
        "margins rise": f"{format_atoms(given['oiLower'], quote)} .. "
        f"{format_atoms(given['oiUpper'], quote)} of open interest",
        "fund risks a day": format_atoms(given["lossCap"], quote),
    }


@zone_command(cli, "set", signs=True)
@with_options(
    market_argument,
    click.option(
        "--file",
        "path",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        required=True,
        help="A venue file whose first perpetual says the parameters.",
    ),
)
def set_(session: Session, market: int, path: Path) -> None:
    """Announce parameters of MARKET; after the notice anyone applies them."""
    _, entry, quote = _find(session, market)
    sections = read_venue_file(path).sections.get("markets", [])
    found = [section for section in sections if str(section.text("kind")) == "perpetual"]
    if not found:
        raise ScriptError(f"{path.name} has no perpetual", "write it below 'markets:'")
    terms, _announced = session.at("market_registry").call("termsOf", market)
    given = build_parameters(found[0], quote, terms)
    receipt = session.transact(
        f"announce parameters of market {market}",
        _contract(session, "perps"),
        "setParameters",
        market,
        given,
        facts={"venue": entry["venue"]},
    )
    if receipt:
        made = receipt.events(PERP_REGISTRY, "ParametersAnnounced")
        body: dict[str, Any] = {"market": market}
        body |= {"ready": format_time(made[0]["readyAt"])} if made else {"counts": "now"}
        session.result(body | {"next": f"ape run perp apply {market}"}, receipt)


@zone_command(cli, "apply", signs=True)
@market_argument
def apply(session: Session, market: int) -> None:
    """Apply what is announced for MARKET when its time has come. Anyone may."""
    perp, _, _ = _find(session, market)
    if not perp["readyAt"]:
        raise ScriptError(f"nothing is announced for market {market}")
    if latest_time(session) < perp["readyAt"]:
        raise ScriptError(f"the notice ends at {format_time(perp['readyAt'])}")
    receipt = session.transact(
        f"apply parameters of market {market}",
        _contract(session, "perps"),
        "applyParameters",
        market,
    )
    session.result({"market": market, "done": "applied"}, receipt)


@zone_command(cli, "cancel", signs=True)
@market_argument
def cancel(session: Session, market: int) -> None:
    """Take back what is announced for MARKET."""
    _find(session, market)
    receipt = session.transact(
        f"take back what is announced for market {market}",
        _contract(session, "perps"),
        "cancelParameters",
        market,
    )
    session.result({"market": market, "done": "taken back"}, receipt)


# --- stake -------------------------------------------------------------------------------------------


@zone_command(cli, "risk", signs=True)
@with_options(
    click.argument("venue"),
    click.argument("asset"),
    click.option(
        "--share", help="Part of the stake that carries this asset: 40%. Your venue only."
    ),
)
def risk(session: Session, venue: str, asset: str, share: str | None) -> None:
    """Tell the zone what open interest VENUE's stake carries in ASSET; or give it another share."""
    number, _ = find_venue(session, venue)
    known, _terms = session.find_asset(asset)
    desk = _contract(session, "risk")
    ledger = desk.call("ledgerOf", number, known.id)
    if not ledger["isOpen"]:
        raise ScriptError(
            f"venue {number} has no perpetual in {known.symbol}",
            "list one: ape run venue list-market",
        )
    if share is None:
        cap = desk.call("capOf", number, known.id)
        if cap == ledger["told"]:
            session.result(_risk_of(desk, number, known) | {"done": "the zone knows"})
            return
        receipt = session.transact(
            f"tell the zone what venue {number} carries",
            desk,
            "tell",
            number,
            known.id,
            facts={"before": format_atoms(ledger["told"], known), "now": format_atoms(cap, known)},
        )
    else:
        receipt = session.transact(
            f"give {known.symbol} another share of the stake",
            desk,
            "setShare",
            number,
            known.id,
            to_ppm(share, "share"),
            facts={"before": format_ppm(ledger["share"]), "now": share},
        )
    session.result(_risk_of(desk, number, known), receipt)


def _risk_of(desk: Any, venue: int, asset: Asset) -> dict[str, Any]:
    ledger, price = desk.call("ledgerOf", venue, asset.id), desk.call("priceOf", asset.id)
    return {
        "venue": venue,
        "asset": asset.symbol,
        "stake carries": format_wei(desk.call("carriedBy", venue)),
        "share": format_ppm(ledger["share"]),
        "1 OKB counts for": format_atoms(price, asset) if price else "nothing: no price is set",
        "open interest": format_atoms(ledger["told"], asset),
    }


# --- slashed stake -----------------------------------------------------------------------------------


@zone_command(cli, "lots")
def lots(session: Session) -> None:
    """Show slashed stake that is for sale, and what it costs now."""
    desk, assets = _contract(session, "restitution"), session.assets()
    rows = []
    for number in range(1, desk.call("lotCount") + 1):
        lot = desk.call("lotOf", number)
        if lot["left"]:
            asset = assets[lot["asset"]][0]
            cost = desk.call("costOf", number, lot["left"])
            rows.append(
                {
                    "lot": number,
                    "for venue": lot["venue"],
                    "left": format_wei(lot["left"]),
                    "costs": format_atoms(cost, asset),
                }
            )
    session.table(rows, "nothing is for sale")


@zone_command(cli, "buy", signs=True)
@with_options(
    click.argument("lot", type=click.IntRange(min=1)),
    click.argument("amount"),
    click.option(
        "--at-most", required=True, help="What you pay at most, in the lot's asset: 120.5."
    ),
)
def buy(session: Session, lot: int, amount: str, at_most: str) -> None:
    """Buy AMOUNT of OKB of LOT; the price falls until somebody does. Approve the asset first."""
    desk = _contract(session, "restitution")
    if lot > desk.call("lotCount"):
        raise ScriptError(f"there is no lot {lot}", "ape run perp lots")
    asset = session.assets()[desk.call("lotOf", lot)["asset"]][0]
    wei, most = to_wei(amount), to_atoms(at_most, asset)
    cost = desk.call("costOf", lot, wei)
    if cost > most:
        raise ScriptError(
            f"{format_wei(wei)} cost {format_atoms(cost, asset)} now",
            "the price falls: wait, or pay more",
        )
    receipt = session.transact(
        f"buy {format_wei(wei)} of lot {lot}",
        desk,
        "buy",
        lot,
        wei,
        most,
        facts={"costs now": format_atoms(cost, asset)},
    )
    if receipt:
        made = receipt.events(RESTITUTION, "Bought")[0]
        shown = {"lot": lot, "bought": format_wei(made["amount"])}
        session.result(shown | {"paid": format_atoms(made["atoms"], asset)}, receipt)
