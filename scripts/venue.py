"""Open venues, say who trades on them, list markets, change and end them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts._common import Address, ScriptError, Session, with_options, zone_command
from scripts._listing import FEES, Listing, build_listing, find_open_asset, to_delay, to_fee
from scripts._units import (
    UnitError,
    format_atoms,
    format_market,
    format_ms,
    format_ppm,
    format_seconds,
    format_time,
    format_wei,
    to_atoms,
    to_ms,
    to_ppm,
    to_seconds,
    to_spot_steps,
    to_wei,
)
from scripts._venue_file import Section, read_venue_file
from tradezone.chain import Receipt
from tradezone.chain.abi import (
    ASSET_REGISTRY,
    CALENDARS,
    LISTINGS,
    ORACLE_REGISTRY,
    VENUE_REGISTRY,
)
from tradezone.chain.perps_abi import PERP_REGISTRY
from tradezone.client import Asset
from tradezone.protocol.enums import ACCESS_CREDENTIAL, MARKET_OUTCOME, MARKET_PERP, PHASE_SETTLED
from tradezone.protocol.hashing import keccak
from tradezone.protocol.limits import (
    DEFAULT_TAKER_DELAY,
    MAX_BAND,
    MAX_INTERFACE_FEE,
    MAX_TAKER_DELAY,
    MAX_TOTAL_ATOMS,
    MIN_BAND,
    PPM,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ACCESS = ("open", "list", "credential")
PHASES = ("", "continuous", "post-only", "cancel-only", "reduce-only", "halted", "settled")
STATES = ("", "active", "reduce-only", "wound down")
STAGES = ("", "open", "closing", "closed")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NOBODY = "0x" + "00" * 20
_REGIONS = 63  # that a rule can name, from 0
_MAX_CLASS = (1 << 15) - 1
_MINUTES = 1440


@click.group()
def cli() -> None:
    """Open a venue, list markets on it, change them, end them."""


# --- opening -----------------------------------------------------------------------------------------


@zone_command(cli, "create", signs=True)
@with_options(
    click.argument("name", required=False),
    click.option("--file", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    click.option("--access", type=click.Choice(ACCESS), help="Who may trade; open if absent."),
)
def create(session: Session, name: str | None, path: Path | None, access: str | None) -> None:
    """Open a venue called NAME, or all that a venue FILE says. The venue stake is locked behind it.

    A file is checked as a whole before anything is sent. On a dry run its first step is simulated and the
    others are shown.
    """
    if (name is None) == (path is None):
        raise ScriptError(
            "expected a name or --file", "for instance: ape run venue create my-venue"
        )
    if path is None:
        session.result(*_create(session, str(name), ACCESS.index(access or "open")))
        return
    if access is not None:
        raise ScriptError("the access of a venue file stands in the file", "leave --access away")
    session.result(_create_from(session, read_venue_file(path)))


def _create(session: Session, name: str, access: int) -> tuple[dict[str, object], Receipt | None]:
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
        access,
        value=fee,
        facts={"access": ACCESS[access], "locks": format_wei(need)},
    )
    if receipt is None:
        return {"name": name}, None
    made = receipt.events(VENUE_REGISTRY, "VenueCreated")[0]
    return {"venue": made["venue"], "name": name, "owner": made["owner"]}, receipt


def _create_from(session: Session, file: Section) -> dict[str, object]:
    """Open what a file says: the venue, its rule, its simulated assets, its markets."""
    head = file.below("venue")
    if head is None:
        raise UnitError(f"{file.place}: venue missing")
    name = str(head.text("name"))
    access = ACCESS.index(head.choice("access", ACCESS, "open"))
    credentials = head.below("credentials")
    if (credentials is not None) != (access == ACCESS_CREDENTIAL):
        raise UnitError(
            f"{head.place}: credentials stand beside 'access: credential', and only there"
        )
    rule = _read_rule(access, credentials)
    assets = [_read_simulated(entry) for entry in file.sections.get("assets", [])]
    markets = file.sections.get("markets", [])
    feeds = file.sections.get("feeds", [])
    to_come = {str(feed.text("name")): 0 for feed in feeds}
    # What trades simulated assets of this file is checked when they exist, all else before anything is sent.
    made_here = {asset["symbol"] for asset in assets}
    for market in markets:
        if not made_here & set(map(str, market.values.values())):
            build_listing(session, 0, market, to_come)
    made, receipt = _create(session, name, access)
    if receipt is None:
        steps = [f"register {asset['symbol']}" for asset in assets]
        steps += [f"open feed {name}" for name in to_come]
        steps += [f"list {market.text('kind')}" for market in markets]
        for step in steps:
            session.echo(f"then: {step}")
        return made | {"would follow": steps}
    venue = receipt.events(VENUE_REGISTRY, "VenueCreated")[0]["venue"]
    if credentials is not None:
        _configure(session, venue, 1, rule)
    listed_assets = [_register(session, venue, asset) for asset in assets]
    opened = _open_feeds(session, venue, feeds)
    listed = [_list_market(session, venue, market, opened)[0] for market in markets]
    return made | {"assets": listed_assets, "feeds": opened, "markets": listed}


def _open_feeds(session: Session, venue: int, feeds: list[Section]) -> dict[str, int]:
    """Open the feeds of a file; returns their ids by name."""
    opened: dict[str, int] = {}
    for feed in feeds:
        name, measures = str(feed.text("name")), str(feed.text("measures"))
        receipt = session.transact(
            f"open the feed {name}",
            session.at("oracles"),
            "openFeed",
            venue,
            8,
            keccak(measures.encode()),
            facts={"measures": measures},
        )
        if receipt:
            opened[name] = receipt.events(ORACLE_REGISTRY, "FeedOpened")[0]["feed"]
    return opened


def _read_rule(access: int, credentials: Section | None) -> dict[str, Any]:
    if credentials is None:
        return _to_rule(access, None, 0, ())
    provider = credentials.text("provider").to(_to_address)
    least = credentials.text("least_class", "0").to(int)
    regions = credentials.lists.get("regions", [])
    if not regions:
        raise UnitError(f"{credentials.place}: regions: expected a list, for instance [0, 4]")
    return _to_rule(access, provider, least, [region.to(_to_region) for region in regions])


def _to_address(text: str) -> str:
    return str(Address().convert(text, None, None))


def _to_region(text: str) -> int:
    if not text.isdigit() or int(text) >= _REGIONS:
        raise UnitError(f"region {text} is not within 0 .. {_REGIONS - 1}")
    return int(text)


def _to_rule(
    access: int, provider: str | None, least_class: int, regions: Sequence[int]
) -> dict[str, Any]:
    if not 0 <= least_class <= _MAX_CLASS:
        raise UnitError(f"least class {least_class} is not within 0 .. {_MAX_CLASS}")
    return {
        "access": access,
        "provider": provider or NOBODY,
        "minClass": least_class,
        "regions": sum(1 << region for region in set(regions)),
    }


def _read_simulated(entry: Section) -> dict[str, Any]:
    symbol, decimals = str(entry.text("symbol")), entry.text("decimals").to(int)
    asset = Asset(0, symbol, decimals)
    cap = entry.text("cap").to(to_atoms, asset)
    if cap > MAX_TOTAL_ATOMS:
        most = format_atoms(MAX_TOTAL_ATOMS, asset)
        raise entry.text("cap").refuse(f"there are at most {most}")
    found = {"symbol": symbol, "decimals": decimals, "cap": cap, "faucet": None}
    faucet = entry.below("faucet")
    if faucet is not None:
        every = faucet.text("every").to(to_seconds)
        amount = faucet.text("amount").to(to_atoms, asset)
        found["faucet"] = {"amount": amount, "interval": every * 1000}
    return found


def _register(session: Session, venue: int, asset: dict[str, Any]) -> dict[str, object]:
    registry = session.at("asset_registry")
    known = Asset(0, asset["symbol"], asset["decimals"])
    receipt = session.transact(
        f"register the simulated asset {asset['symbol']}",
        registry,
        "registerSimulated",
        venue,
        asset["symbol"],
        asset["decimals"],
        asset["cap"],
        value=registry.call("bond"),
        facts={"cap": format_atoms(asset["cap"], known)},
    )
    made: dict[str, object] = {"symbol": asset["symbol"]}
    if receipt:
        number = receipt.events(ASSET_REGISTRY, "AssetRegistered")[0]["asset"]
        made = {"asset": number, "symbol": asset["symbol"]}
        if asset["faucet"]:
            set_faucet(session, number, known, asset["faucet"])
    return made


def set_faucet(
    session: Session, number: int, asset: Asset, faucet: dict[str, int]
) -> Receipt | None:
    """Set what a claim of a simulated asset gives, and how often."""
    every = format_seconds(faucet["interval"] // 1000)
    return session.transact(
        f"set the faucet of {asset.symbol}",
        session.at("asset_registry"),
        "setFaucet",
        number,
        faucet,
        facts={"gives": format_atoms(faucet["amount"], asset), "every": every},
    )


# --- listing -----------------------------------------------------------------------------------------


@zone_command(cli, "list-market", signs=True)
@with_options(
    click.argument("venue"),
    click.option(
        "--file",
        "path",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        required=True,
        help="YAML whose markets are listed; kinds spot, perpetual, event and door.",
    ),
)
def list_market(session: Session, venue: str, path: Path) -> None:
    """List the markets of a FILE on VENUE (its id or name). All are checked before the first is sent."""
    number, _ = _find_own_venue(session, venue)
    file = read_venue_file(path)
    markets, feeds = file.sections.get("markets", []), file.sections.get("feeds", [])
    if not markets:
        raise ScriptError(f"{path.name} has no markets", "write them below 'markets:'")
    to_come = {str(feed.text("name")): 0 for feed in feeds}
    for market in markets:
        build_listing(session, number, market, to_come)
    opened = _open_feeds(session, number, feeds)
    if len(opened) < len(feeds):  # on a dry run the feeds do not exist
        for market in markets:
            session.echo(f"then: list {market.text('kind')}")
        session.result({"venue": number, "feeds": list(to_come), "markets": len(markets)})
        return
    listed = [_list_market(session, number, market, opened)[0] for market in markets]
    session.result({"venue": number, "feeds": opened, "markets": listed})


def _list_market(
    session: Session, venue: int, market: Section, feeds: dict[str, int]
) -> tuple[dict[str, object], Receipt | None]:
    listing = build_listing(session, venue, market, feeds)
    return _send_listing(session, f"list a {market.text('kind')} on venue {venue}", listing)


def _send_listing(
    session: Session, action: str, listing: Listing
) -> tuple[dict[str, object], Receipt | None]:
    receipt = session.transact(
        action,
        session.at(listing.contract),
        listing.function,
        *listing.arguments,
        value=listing.value,
        facts=listing.facts,
    )
    if receipt is None:
        return listing.facts, None
    if listing.function == "listEvent":
        event = receipt.events(LISTINGS, "EventListed")[0]["eventId"]
        slots = [made["market"] for made in receipt.events(LISTINGS, "OutcomeListed")]
        return {"event": event, "slots": slots} | listing.facts, receipt
    if listing.function == "listPerp":
        made = receipt.events(PERP_REGISTRY, "PerpListed")[0]
    else:
        name = "SpotListed" if listing.function == "listSpot" else "GuestListed"
        made = receipt.events(LISTINGS, name)[0]
    found = {"slot": made["market"], "id": made["id"], "venue": made["venue"]}
    return found | listing.facts, receipt


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
    number, entry = _find_own_venue(session, venue)
    base_asset, quote_asset = find_open_asset(session, base), find_open_asset(session, quote)
    if base_asset.id == quote_asset.id:
        raise ScriptError(f"{base} and {quote} are the same asset", "name two")
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
    action = f"list {facts['market']} on venue {number} ({entry['name']})"
    found, receipt = _send_listing(session, action, Listing("listSpot", (listing,), dict(facts)))
    session.result(found, receipt)


def _to_fees(taker: str, maker: str, protocol: str, insurance: str) -> dict[str, int]:
    """Fees and shares in ppm, each inside its bounds."""
    found = {}
    texts = (taker, maker, protocol, insurance)
    for (key, (field, _, lowest, highest)), text in zip(FEES.items(), texts, strict=True):
        found[field] = to_fee(text, key.replace("_", " "), lowest, highest)
    if found["protocolShare"] + found["insuranceShare"] > PPM:
        raise UnitError(f"protocol share {protocol} and insurance share {insurance} exceed the fee")
    return found


@zone_command(cli, "share", signs=True)
@with_options(
    click.argument("market", type=int),
    click.argument("guest"),
    click.option("--stop", is_flag=True, help="No more doors; those that are open stay."),
)
def share(session: Session, market: int, guest: str, stop: bool) -> None:
    """Let the venue GUEST (or `all`) open doors to MARKET (its slot)."""
    _own_market(session, market)
    venue = 0 if guest == "all" else _find_venue(session, guest)[0]
    receipt = session.transact(
        f"{'stop sharing' if stop else 'share'} market {market}",
        session.at("market_registry"),
        "setSharing",
        market,
        venue,
        not stop,
        facts={"with": "every venue" if venue == 0 else f"venue {venue}"},
    )
    session.result({"market": market, "guest": venue, "shared": not stop}, receipt)


# --- venues ------------------------------------------------------------------------------------------


@zone_command(cli, "configure", signs=True)
@with_options(
    click.argument("venue"),
    click.option("--state", type=click.Choice(STATES[1:3]), help="As it is if absent."),
    click.option("--access", type=click.Choice(ACCESS), help="As it is if absent."),
    click.option(
        "--provider",
        "signer",
        type=Address(),
        help="Who signs credentials; an Ape alias or address.",
    ),
    click.option("--least-class", type=click.IntRange(0, _MAX_CLASS), help="Of a credential."),
    click.option(
        "--region",
        "regions",
        type=click.IntRange(0, _REGIONS - 1),
        multiple=True,
        help="That credentials may be of; repeat for each.",
    ),
)
def configure(
    session: Session,
    venue: str,
    state: str | None,
    access: str | None,
    signer: str | None,
    least_class: int | None,
    regions: tuple[int, ...],
) -> None:
    """Change who may trade on VENUE, or reopen it.

    Without markets it counts at once; else it is announced, and anyone may apply it after the notice:
    venue apply. Lists of accounts are kept in the zone: tradezone's actions grant and revoke access.
    """
    number, _ = _find_own_venue(session, venue)
    status = session.at("venue_registry").call("statusOf", number)
    old = status["rule"]
    rule = _to_rule(
        old["access"] if access is None else ACCESS.index(access),
        old["provider"] if signer is None else signer,
        old["minClass"] if least_class is None else least_class,
        regions or [r for r in range(_REGIONS) if old["regions"] >> r & 1],
    )
    next_state = STATES.index(state) if state else status["state"]
    session.result(*_configure(session, number, next_state, rule))


def _configure(
    session: Session, number: int, state: int, rule: dict[str, Any]
) -> tuple[dict[str, object], Receipt | None]:
    has_markets = session.at("market_registry").call("openMarketsOf", number) > 0
    shown = {"venue": number, "state": STATES[state]} | _show_rule(rule)
    receipt = session.transact(
        f"{'announce a change of' if has_markets else 'configure'} venue {number}",
        session.at("venue_registry"),
        "configure",
        number,
        state,
        rule,
        facts=shown,
    )
    if receipt and has_markets:
        event = receipt.events(VENUE_REGISTRY, "ChangeAnnounced")[0]
        shown["ready"] = format_time(event["readyAt"])
    return shown, receipt


def _show_rule(rule: Mapping[str, Any]) -> dict[str, object]:
    shown: dict[str, object] = {"access": ACCESS[rule["access"]]}
    if int(rule["provider"], 16):
        regions = [str(r) for r in range(_REGIONS) if rule["regions"] >> r & 1]
        shown |= {
            "credentials of": rule["provider"],
            "least class": rule["minClass"],
            "regions": ", ".join(regions),
        }
    return shown


@zone_command(cli, "apply", signs=True)
@click.argument("venue")
def apply(session: Session, venue: str) -> None:
    """Apply what was announced for VENUE, when its notice has passed. Anyone may."""
    _venue_call(session, venue, "applyChange", "apply the announced change of", is_own=False)


@zone_command(cli, "cancel", signs=True)
@click.argument("venue")
def cancel(session: Session, venue: str) -> None:
    """Take back what was announced for VENUE."""
    _venue_call(session, venue, "cancelChange", "take back the announced change of")


@zone_command(cli, "reduce-only", signs=True)
@click.argument("venue")
def reduce_only(session: Session, venue: str) -> None:
    """Let only reducing orders into every market of VENUE, at once."""
    _venue_call(session, venue, "reduceOnly", "make reduce-only")


@zone_command(cli, "tell-stake", signs=True)
@click.argument("venue")
def tell_stake(session: Session, venue: str) -> None:
    """Tell the zone what stands behind VENUE. Anyone may."""
    _venue_call(session, venue, "tellStake", "tell the zone the stake of", is_own=False)


@zone_command(cli, "add-stake", signs=True)
@with_options(click.argument("venue"), click.argument("amount"))
def add_stake(session: Session, venue: str, amount: str) -> None:
    """Lock AMOUNT of free stake (OKB) behind VENUE, beyond what it has."""
    number, _ = _find_own_venue(session, venue)
    wei = to_wei(amount)
    receipt = session.transact(
        f"add stake to venue {number}",
        session.at("venue_registry"),
        "addStake",
        number,
        wei,
        facts={"locks": format_wei(wei)},
    )
    stake = session.at("staking").call("stakeOf", number)
    session.result({"venue": number, "stake": format_wei(stake)}, receipt)


@zone_command(cli, "hand-over", signs=True)
@with_options(
    click.argument("venue"),
    click.argument("to", type=Address(), required=False),
    click.option("--cancel", "is_cancelled", is_flag=True, help="Take the offer back."),
)
def hand_over(session: Session, venue: str, to: str | None, is_cancelled: bool) -> None:
    """Offer VENUE to TO, who takes it with: venue take-over.

    Your stake stays behind it until it is empty. In the zone its fee account, its lists of accounts and its
    simulated assets stay with the owner who opened it.
    """
    if (to is None) != is_cancelled:
        raise ScriptError("expected an address, or --cancel")
    number, entry = _find_own_venue(session, venue)
    receipt = session.transact(
        f"take back the offer of venue {number}" if is_cancelled else f"offer venue {number}",
        session.at("venue_registry"),
        "offerVenue",
        number,
        to or NOBODY,
        facts={"to": to or "nobody", "fees stay with owner": entry["owner"]},
    )
    session.result({"venue": number, "offered to": to}, receipt)


@zone_command(cli, "take-over", signs=True)
@click.argument("venue")
def take_over(session: Session, venue: str) -> None:
    """Take over VENUE, which was offered to you. It locks the venue stake."""
    number, entry = _find_venue(session, venue)
    need = session.at("venue_registry").call("venueStake")
    receipt = session.transact(
        f"take over venue {number} ({entry['name']})",
        session.at("venue_registry"),
        "acceptVenue",
        number,
        facts={
            "from": entry["deployer"],
            "locks": format_wei(need),
            "fees stay with owner": entry["owner"],
        },
    )
    session.result({"venue": number, "deployer": session.address}, receipt)


@zone_command(cli, "wind-down", signs=True)
@with_options(
    click.argument("venue"),
    click.option("--delist", is_flag=True, help="Begin to close its spot markets instead."),
)
def wind_down(session: Session, venue: str, delist: bool) -> None:
    """End VENUE for ever. Its markets have to be closed first: --delist begins that for spot markets."""
    number, _ = _find_own_venue(session, venue)
    registry = session.at("market_registry")
    open_markets = [
        (slot, entry) for slot, entry in _markets_of(session, number) if entry["stage"] != 3
    ]
    if delist:
        closing = [
            slot
            for slot, entry in open_markets
            if entry["stage"] == 1 and entry["kind"] != MARKET_OUTCOME and entry["home"] == 0
        ]
        if not closing:
            raise ScriptError(f"venue {number} has no spot market that can begin to close")
        for slot in closing:
            session.transact(f"delist market {slot}", registry, "delist", slot, 0)
        notice = registry.call("config")["closeNotice"]
        session.result({"closing": closing, "notice": format_seconds(notice)})
        return
    if open_markets:
        slots = ", ".join(str(slot) for slot, _ in open_markets)
        raise ScriptError(
            f"venue {number} has open markets: {slots}",
            "close them: venue wind-down --delist, events by their results, then venue forget",
        )
    _venue_call(session, venue, "windDown", "end for ever")


def _venue_call(
    session: Session, venue: str, function: str, action: str, *, is_own: bool = True
) -> None:
    find = _find_own_venue if is_own else _find_venue
    number, entry = find(session, venue)
    registry = session.at("venue_registry")
    action = f"{action} venue {number} ({entry['name']})"
    receipt = session.transact(action, registry, function, number)
    status = registry.call("statusOf", number)
    session.result({"venue": number, "state": STATES[status["state"]]}, receipt)


# --- changing markets --------------------------------------------------------------------------------

_RATES = {  # option: field, bounds; fees as people type them
    "taker_fee": ("takerFee", *FEES["taker_fee"][2:]),
    "maker_fee": ("makerFee", *FEES["maker_fee"][2:]),
    "protocol_share": ("protocolShare", *FEES["protocol_share"][2:]),
    "insurance_share": ("insuranceShare", *FEES["insurance_share"][2:]),
    "referrer_share": ("referrerShare", 0, PPM),
    "guest_fee": ("guestFee", 0, MAX_INTERFACE_FEE),
}
_AMOUNTS = {
    "least_value": "minNotional",
    "largest_value": "maxNotional",
    "open_interest_cap": "openInterestCap",
    "account_cap": "accountCap",
}


@zone_command(cli, "update", signs=True)
@with_options(
    click.argument("market", type=int),
    click.option("--taker-fee", help="0.05% or 5bp."),
    click.option("--maker-fee", help="Negative for a rebate."),
    click.option("--protocol-share", help="Of every fee."),
    click.option("--insurance-share", help="Of every fee."),
    click.option("--referrer-share", help="Of every taker's fee."),
    click.option("--guest-fee", help="Of a door, on top of its home's fees."),
    click.option("--band", help="Around the anchor, 0.1% .. 90%; none."),
    click.option("--taker-delay", help="Ms."),
    click.option("--least-value", help="Least value of an order, quote asset."),
    click.option("--largest-value", help="Largest value of an order, quote asset."),
    click.option("--largest-order", type=click.IntRange(min=1), help="Lots."),
    click.option("--open-interest-cap", help="Of an outcome, quote asset; 0 = none."),
    click.option("--account-cap", help="Of one account, quote asset; 0 = none."),
    click.option("--closes", help="2027-01-31T12:00:00Z or never."),
    click.option("--calendar", type=click.IntRange(min=0), help="Its number; 0 = always open."),
    click.option("--access", type=click.Choice(ACCESS), help="On top of the venue's rule."),
    click.option("--phase", type=click.Choice(PHASES[1:6])),
    click.option("--at", "at", default="now", show_default=True, help="When; as soon as it may."),
)
def update(session: Session, market: int, at: str, **changes: Any) -> None:
    """Change the terms of MARKET (its slot). What could harm somebody by surprise counts after the notice."""
    entry = _own_market(session, market)
    registry = session.at("market_registry")
    in_force = dict(registry.call("termsOf", market)[0])
    quote = session.assets()[entry["quote"]][0]
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        raise ScriptError("nothing to change was given", "see: ape run venue update --help")
    terms = in_force | _to_changes(given, quote)
    terms["effectiveAt"] = to_ms(at)
    notice = registry.call("noticeFor", market, terms)
    facts: dict[str, object] = {
        name: f"{in_force[name]} -> {terms[name]}"
        for name in terms
        if name != "effectiveAt" and terms[name] != in_force[name]
    }
    facts["notice"] = format_seconds(notice) if notice else "none"
    receipt = session.transact(
        f"change market {market}", registry, "updateMarket", market, terms, facts=facts
    )
    announced = registry.call("termsOf", market)[1]["effectiveAt"]
    counts = format_ms(announced if receipt else 0)
    session.result({"market": market, "counts": counts} | facts, receipt)


def _to_changes(given: dict[str, Any], quote: Asset) -> dict[str, int]:
    found = {}
    for name, value in given.items():
        words = name.replace("_", " ")
        if name in _RATES:
            field, lowest, highest = _RATES[name]
            found[field] = to_fee(value, words, lowest, highest)
        elif name in _AMOUNTS:
            found[_AMOUNTS[name]] = 0 if value == "0" else to_atoms(value, quote)
    plain = {"largest_order": "maxLots", "calendar": "calendar"}
    found |= {field: given[name] for name, field in plain.items() if name in given}
    if "band" in given:
        band = 0 if given["band"] == "none" else to_ppm(given["band"], "band")
        if band and not MIN_BAND <= band <= MAX_BAND:
            bounds = f"{format_ppm(MIN_BAND)} .. {format_ppm(MAX_BAND)}"
            raise UnitError(f"band {given['band']} is not within {bounds}")
        found["band"] = band
    if "taker_delay" in given:
        found["takerDelay"] = to_delay(given["taker_delay"])
    if "closes" in given:
        found["closes"] = 0 if given["closes"] == "never" else to_ms(given["closes"])
    if "access" in given:
        found["access"] = ACCESS.index(given["access"])
    if "phase" in given:
        found["phase"] = PHASES.index(given["phase"])
    return found


@zone_command(cli, "phase", signs=True)
@with_options(
    click.argument("market", type=int), click.argument("to", type=click.Choice(PHASES[2:6]))
)
def phase(session: Session, market: int, to: str) -> None:
    """Make MARKET (its slot) stricter at once. To open it again: venue update --phase."""
    _own_market(session, market)
    registry = session.at("market_registry")
    number = PHASES.index(to)
    receipt = session.transact(f"make market {market} {to}", registry, "setPhase", market, number)
    session.result({"market": market, "phase": to}, receipt)


@zone_command(cli, "delist", signs=True)
@with_options(
    click.argument("market", type=int),
    click.option("--at", "at", default="now", show_default=True, help="When; as soon as it may."),
    click.option("--lost", is_flag=True, help="It lost its slot: anyone may."),
)
def delist(session: Session, market: int, at: str, lost: bool) -> None:
    """Close the spot MARKET (its slot) for good, after the notice. It cannot be called back."""
    registry = session.at("market_registry")
    notice = registry.call("config")["closeNotice"]
    facts = {"notice": format_seconds(notice)}
    action = f"close market {market} for good"
    if lost:
        receipt = session.transact(action, registry, "delistLost", market, facts=facts)
    else:
        _own_market(session, market)
        time = to_ms(at)
        receipt = session.transact(action, registry, "delist", market, time, facts=facts)
    terms = registry.call("termsOf", market)[1]
    counts = format_ms(terms["effectiveAt"] if receipt else 0)
    session.result({"market": market, "closes": counts}, receipt)


@zone_command(cli, "forget", signs=True)
@click.argument("market", type=int)
def forget(session: Session, market: int) -> None:
    """Free the slot of MARKET, whose end has come. Anyone may."""
    registry = session.at("market_registry")
    receipt = session.transact(f"free the slot of market {market}", registry, "forget", market)
    session.result({"market": market, "state": "closed"}, receipt)


@zone_command(cli, "calendar", signs=True)
@with_options(
    click.argument("venue"),
    click.option("--calendar", "number", type=click.IntRange(min=1), help="One in use; else new."),
    click.option(
        "--hours",
        multiple=True,
        required=True,
        metavar="DAYS=FROM-TO",
        help="UTC, for instance mon-fri=13:30-20:00; repeat for other days.",
    ),
    click.option(
        "--closure",
        "closures",
        multiple=True,
        metavar="FROM/TO",
        help="No session between two times; at most four.",
    ),
)
def calendar(
    session: Session,
    venue: str,
    number: int | None,
    hours: tuple[str, ...],
    closures: tuple[str, ...],
) -> None:
    """Set trading hours of VENUE. Markets take them with: venue update --calendar.

    The hours of a calendar in use stay; closures come and go with notice.
    """
    owner, _ = _find_own_venue(session, venue)
    week = _to_week(hours)
    times = [_to_closure(text) for text in closures]
    if len(times) > 4:
        raise UnitError(f"a calendar has at most 4 closures, were {len(times)}")
    receipt = session.transact(
        f"set hours of venue {owner}",
        session.at("calendars"),
        "setCalendar",
        number or 0,
        owner,
        week,
        times + [{"from": 0, "to": 0}] * (4 - len(times)),
        facts={"hours": ", ".join(hours), "closures": ", ".join(closures) or "none"},
    )
    found = receipt.events(CALENDARS, "CalendarSet")[0]["calendar"] if receipt else number
    session.result({"calendar": found, "venue": owner, "hours": ", ".join(hours)}, receipt)


def _to_week(hours: Sequence[str]) -> list[dict[str, int]]:
    week = [{"open": 0, "close": 0} for _ in DAYS]
    for text in hours:
        days, sign, times = text.partition("=")
        first, _, last = days.partition("-")
        opens, dash, closes = times.partition("-")
        last = last or first
        if not sign or not dash or first not in DAYS or last not in DAYS:
            raise UnitError(f"hours {text!r} are none; expected for instance mon-fri=13:30-20:00")
        if DAYS.index(first) > DAYS.index(last):
            raise UnitError(f"hours {text!r}: {first} is behind {last}; write two")
        session = {"open": _to_minute(opens), "close": _to_minute(closes)}
        if session["open"] >= session["close"]:
            raise UnitError(f"hours {text!r} end before they begin")
        for day in range(DAYS.index(first), DAYS.index(last) + 1):
            week[day] = session
    return week


def _to_minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    if not hour.isdigit() or not minute.isdigit() or int(minute) > 59:
        raise UnitError(f"{text!r} is no time of a day; expected 00:00 .. 24:00")
    found = int(hour) * 60 + int(minute)
    if found > _MINUTES:
        raise UnitError(f"{text!r} is no time of a day; expected 00:00 .. 24:00")
    return found


def _to_closure(text: str) -> dict[str, int]:
    begin, sign, end = text.partition("/")
    if not sign:
        raise UnitError(f"closure {text!r} is none; expected FROM/TO")
    return {"from": to_ms(begin), "to": to_ms(end)}


# --- looking -----------------------------------------------------------------------------------------


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


def _find_own_venue(session: Session, text: str) -> tuple[int, dict[str, Any]]:
    """Return a venue of the account that signs."""
    number, entry = _find_venue(session, text)
    if entry["deployer"] != session.address:
        why = f"venue {number} belongs to {entry['deployer']}, this is {session.address}"
        raise ScriptError(why, "sign with its account: --account")
    return number, entry


def _own_market(session: Session, market: int) -> dict[str, Any]:
    """Return a market of a venue of the account that signs."""
    registry = session.at("market_registry")
    count = registry.call("marketCount")
    if not 1 <= market <= count:
        raise ScriptError(
            f"no market {market}; {count} were listed", "see: ape run venue show VENUE"
        )
    entry: dict[str, Any] = registry.call("marketOf", market)
    _find_own_venue(session, str(entry["venue"]))
    return entry


def _markets_of(session: Session, venue: int) -> list[tuple[int, dict[str, Any]]]:
    """Return the markets of a venue with their slots, as they were listed."""
    registry, listings = session.at("market_registry"), session.at("listings")
    first, head = session.deployment.block, session.rpc.head().number
    topic = venue.to_bytes(32, "big")
    slots = []
    for name in ("SpotListed", "GuestListed"):
        slots += [e["market"] for e in listings.events(name, first, head, [None, None, topic])]
    for event in listings.events("EventListed", first, head, [None, topic]):
        entry = listings.call("eventOf", event["eventId"])
        count = 1 if entry["outcomes"] == 2 else entry["outcomes"]
        slots += range(entry["firstMarket"], entry["firstMarket"] + count)
    if "perps" in session.deployment.contracts:
        listed = session.at("perps").events("PerpListed", first, head, [None, None, topic])
        slots += [event["market"] for event in listed]
    return [(slot, registry.call("marketOf", slot)) for slot in sorted(slots)]


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
    markets = [
        _to_market_row(session, assets, slot, market)
        for slot, market in _markets_of(session, number)
    ]
    fields = _to_row(session, number, entry) | _to_status(registry.call("statusOf", number))
    if session.as_json:
        session.result(fields | {"markets": markets})
        return
    session.result(fields)
    for market in markets:
        click.echo()
        session.result(market)


def _to_market_row(
    session: Session, assets: Mapping[int, tuple[Asset, Any]], slot: int, market: dict[str, Any]
) -> dict[str, object]:
    in_force, announced = session.at("market_registry").call("termsOf", slot)
    row: dict[str, object] = {"slot": slot, "id": market["id"], "state": STAGES[market["stage"]]}
    if market["stage"] != 3:
        row["phase"] = PHASES[in_force["phase"]]
    quote = assets[market["quote"]][0]
    if market["home"]:
        row |= {"door to": market["home"], "fee": format_ppm(in_force["guestFee"])}
    elif market["kind"] == MARKET_PERP:
        row |= {
            "perpetual": f"settles in {quote.symbol}",
            "tick of a lot": format_atoms(market["tickValue"], quote),
            "open interest": f"at most {format_atoms(in_force['openInterestCap'], quote)}",
            "taker fee": format_ppm(in_force["takerFee"]),
            "maker fee": format_ppm(in_force["makerFee"]),
            "parameters": f"ape run perp show {slot}",
        }
    elif market["kind"] == MARKET_OUTCOME:
        tick = format_atoms(market["tickValue"], quote)
        row |= {
            "event": market["eventId"],
            "unit": format_atoms(market["lotSize"], quote),
            "tick": tick,
            "taker fee": format_ppm(in_force["takerFee"]),
            "maker fee": format_ppm(in_force["makerFee"]),
        }
    else:
        row |= format_market(assets[market["base"]][0], quote, market | in_force)
    if announced["effectiveAt"]:
        what = "closes" if announced["phase"] == PHASE_SETTLED else "changes"
        row[what] = format_ms(announced["effectiveAt"])
    return row


def _to_status(status: Mapping[str, Any]) -> dict[str, object]:
    shown: dict[str, object] = {"state": STATES[status["state"]]} | _show_rule(status["rule"])
    if int(status["offeredTo"], 16):
        shown["offered to"] = status["offeredTo"]
    if status["isAnnounced"]:
        coming = ", ".join(f"{k} {v}" for k, v in _show_rule(status["nextRule"]).items())
        shown["announced"] = f"{STATES[status['nextState']]}, {coming}"
        shown["ready"] = format_time(status["readyAt"])
    return shown


def _to_row(session: Session, number: int, entry: dict[str, Any]) -> dict[str, object]:
    return {
        "venue": number,
        "name": entry["name"],
        "access": ACCESS[entry["access"]],
        "markets": entry["markets"],
        "stake": format_wei(session.at("staking").call("stakeOf", number)),
        "deployer": entry["deployer"],
    }
