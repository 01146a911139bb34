"""Open venues and list markets on them."""

from __future__ import annotations

from typing import Any

import click

from scripts._common import ScriptError, Session, with_options, zone_command
from scripts._units import (
    UnitError,
    format_market,
    format_ppm,
    format_wei,
    to_ms,
    to_ppm,
    to_spot_steps,
)
from tradezone.chain.abi import VENUE_REGISTRY
from tradezone.protocol.limits import (
    DEFAULT_TAKER_DELAY,
    MAX_MAKER_FEE,
    MAX_REBATE,
    MAX_TAKER_DELAY,
    MAX_TAKER_FEE,
    MIN_PROTOCOL_SHARE,
    PPM,
)

ACCESS = ("open", "list", "credential")


@click.group()
def cli() -> None:
    """Open a venue and list markets: create, list, show."""


@zone_command(cli, "create", signs=True)
@with_options(
    click.argument("name"),
    click.option(
        "--access",
        type=click.Choice(ACCESS),
        default="open",
        show_default=True,
        help="Who may trade.",
    ),
)
def create(session: Session, name: str, access: str) -> None:
    """Open a venue called NAME. The venue stake is locked behind it."""
    registry, staking = session.at("venue_registry"), session.at("staking")
    need, have = registry.call("venueStake"), staking.call("freeOf", session.address)
    if have < need:
        raise ScriptError(
            f"a venue needs {format_wei(need)} of free stake, {session.address} has {format_wei(have)}",
            f"ape run stake add {format_wei(need - have).split()[0].replace(',', '')}",
        )
    taken = registry.call("venueNamed", name)
    if taken:
        raise ScriptError(f"venue {taken} is called {name!r} already", "choose another name")
    fee = session.at("owner_registry").call("feeFor", session.address)
    receipt = session.transact(
        f"open the venue {name!r}",
        registry,
        "createVenue",
        name,
        ACCESS.index(access),
        value=fee,
        facts={"access": access, "locks": format_wei(need)},
    )
    if receipt:
        made = receipt.events(VENUE_REGISTRY, "VenueCreated")[0]
        session.result({"venue": made["venue"], "name": name, "owner": made["owner"]}, receipt)


@zone_command(cli, "list", signs=True)
@with_options(
    click.argument("venue"),
    click.argument("base"),
    click.argument("quote"),
    click.option("--tick", required=True, help="Step of prices, in the quote asset: 0.01."),
    click.option("--lot", required=True, help="Step of sizes, in the base asset: 0.1."),
    click.option("--max-price", required=True, help="Highest price: 10000."),
    click.option(
        "--max-size", help="Largest order, in the base asset; by default the most there is."
    ),
    click.option("--min-value", default="0", show_default=True, help="Least value of an order."),
    click.option("--taker-fee", default="0.05%", show_default=True),
    click.option("--maker-fee", default="0.02%", show_default=True, help="Negative for a rebate."),
    click.option("--protocol-share", default="10%", show_default=True, help="Of every fee."),
    click.option("--insurance-share", default="10%", show_default=True, help="Of every fee."),
    click.option(
        "--taker-delay",
        type=click.IntRange(0, MAX_TAKER_DELAY),
        default=DEFAULT_TAKER_DELAY,
        show_default=True,
        help="Ms that an order which can take waits.",
    ),
    click.option("--start", default="now", show_default=True, help="2027-01-31T12:00:00Z."),
)
def list_(
    session: Session,
    venue: str,
    base: str,
    quote: str,
    tick: str,
    lot: str,
    max_price: str,
    max_size: str | None,
    min_value: str,
    taker_fee: str,
    maker_fee: str,
    protocol_share: str,
    insurance_share: str,
    taker_delay: int,
    start: str,
) -> None:
    """List the spot market BASE/QUOTE on VENUE (its id or name). Assets by id, symbol or token.

    For instance: venue list my-venue OKB USDT --tick 0.01 --lot 0.1 --max-price 10000
    """
    number, entry = _find_venue(session, venue)
    if entry["deployer"] != session.address:
        text = f"venue {number} belongs to {entry['deployer']}, this is {session.address}"
        raise ScriptError(text, "sign with its account: --account")
    registry = session.at("venue_registry")
    slots = registry.call("baseSpotSlots")
    if entry["markets"] >= slots:
        raise ScriptError(f"venue {number} has used all of its {slots} free markets")
    base_asset, base_terms = session.find_asset(base)
    quote_asset, quote_terms = session.find_asset(quote)
    if base_asset.id == quote_asset.id:
        raise ScriptError(f"{base} and {quote} are the same asset", "name two")
    for asset, terms in ((base_asset, base_terms), (quote_asset, quote_terms)):
        if terms["isClosed"]:
            raise ScriptError(f"asset {asset.id} ({asset.symbol}) is closed")
    steps = to_spot_steps(base_asset, quote_asset, tick, lot, max_price, min_value, max_size)
    listing: dict[str, Any] = {
        "venue": number,
        "base": base_asset.id,
        "quote": quote_asset.id,
        "lotSize": steps.lot_size,
        "tickValue": steps.tick_value,
        "minNotional": steps.min_notional,
        "maxNotional": steps.max_notional,
        "maxLots": steps.max_lots,
        "maxPrice": steps.max_price,
        **_to_fees(taker_fee, maker_fee, protocol_share, insurance_share),
        "takerDelay": taker_delay,
        "effectiveAt": to_ms(start),
    }
    facts = format_market(base_asset, quote_asset, listing)
    receipt = session.transact(
        f"list {facts['market']} on venue {number} ({entry['name']})",
        registry,
        "listSpot",
        listing,
        facts=facts,
    )
    if receipt:
        made = receipt.events(VENUE_REGISTRY, "SpotListed")[0]
        session.result({"slot": made["market"], "id": made["id"], "venue": number} | facts, receipt)


def _to_fees(taker: str, maker: str, protocol: str, insurance: str) -> dict[str, int]:
    """Fees and shares in ppm, each inside its bounds."""
    bounds = {
        "takerFee": ("taker fee", taker, 0, MAX_TAKER_FEE),
        "makerFee": ("maker fee", maker, -MAX_REBATE, MAX_MAKER_FEE),
        "protocolShare": ("protocol share", protocol, MIN_PROTOCOL_SHARE, PPM),
        "insuranceShare": ("insurance share", insurance, 0, PPM),
    }
    found = {}
    for field, (name, text, lowest, highest) in bounds.items():
        ppm = to_ppm(text, name)
        if not lowest <= ppm <= highest:
            bounds_shown = f"{format_ppm(lowest)} .. {format_ppm(highest)}"
            raise UnitError(f"{name} {text} is not within {bounds_shown}")
        found[field] = ppm
    if found["protocolShare"] + found["insuranceShare"] > PPM:
        raise UnitError(f"protocol share {protocol} and insurance share {insurance} exceed the fee")
    return found


def _find_venue(session: Session, text: str) -> tuple[int, dict[str, Any]]:
    """Return a venue by its id or name."""
    registry = session.at("venue_registry")
    count = registry.call("venueCount")
    number = int(text) if text.isdigit() else registry.call("venueNamed", text)
    if not 1 <= number <= count:
        raise ScriptError(
            f"no venue {text!r}; {count} are open",
            "see them with: ape run venue show",
        )
    return number, registry.call("venueOf", number)


@zone_command(cli, "show")
@click.argument("venue", required=False)
def show(session: Session, venue: str | None) -> None:
    """Show all venues, or VENUE with its markets."""
    registry = session.at("venue_registry")
    if venue is None:
        rows = [
            _to_row(session, n, registry.call("venueOf", n))
            for n in range(1, registry.call("venueCount") + 1)
        ]
        session.table(rows, "no venue is open")
        return
    number, entry = _find_venue(session, venue)
    assets = session.assets()
    head = session.rpc.head().number
    topics = [None, None, number.to_bytes(32, "big")]
    markets = []
    for event in registry.events("SpotListed", session.deployment.block, head, topics):
        terms = event["terms"]
        base, quote = assets[terms["base"]][0], assets[terms["quote"]][0]
        row = {"slot": event["market"], "id": event["id"]} | format_market(base, quote, terms)
        markets.append(row)
    fields = _to_row(session, number, entry)
    if session.as_json:
        session.result(fields | {"markets": markets})
        return
    session.result(fields)
    for market in markets:
        click.echo()
        session.result(market)


def _to_row(session: Session, number: int, entry: dict[str, Any]) -> dict[str, object]:
    return {
        "venue": number,
        "name": entry["name"],
        "access": ACCESS[entry["access"]],
        "markets": entry["markets"],
        "stake": format_wei(session.at("staking").call("stakeOf", number)),
        "deployer": entry["deployer"],
    }
