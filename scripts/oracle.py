"""Price providers, feeds and the results of events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from scripts._common import Address, ScriptError, Session, with_options, zone_command
from scripts._markets import (
    find_venue,
    format_fractions,
    format_milliseconds,
    format_period,
    format_vector,
    latest_time,
    market_contract,
    one_event,
    to_fractions,
    to_ids,
    to_milliseconds,
)
from scripts._units import (
    format_ppm,
    format_seconds,
    format_time,
    format_wei,
    to_ppm,
)
from tradezone.chain._codec import to_bytes
from tradezone.chain.abi import ORACLE_REGISTRY
from tradezone.protocol.errors import Code
from tradezone.protocol.hashing import keccak

CODES: Final = {int(Code.TWO_PRICES): "two prices", int(Code.DEVIATION): "deviation"}
PHASES: Final = ("none", "open", "called", "proposed", "challenged", "resolved", "void")
OPEN, CALLED, PROPOSED, CHALLENGED, RESOLVED, VOID = range(1, 7)
NOBODY: Final = "0x" + "0" * 40

# Not "provider": that is the name of the node that Ape hands to a command.
provider_argument = click.argument("who", metavar="PROVIDER", type=click.IntRange(min=1))
feed_argument = click.argument("feed", type=click.IntRange(min=1))
group_argument = click.argument("group", type=click.IntRange(min=1))
document_option = click.option(
    "--document",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="File that says who this is; its hash is recorded.",
)


@click.group()
def cli() -> None:
    """Provide prices, choose who provides them, resolve events."""


# --- providers ---------------------------------------------------------------------------------------


@zone_command(cli, "register", signs=True)
@with_options(
    click.argument("signer", type=Address()),
    document_option,
    click.option("--uri", default="", help="Where the document can be read."),
)
def register(session: Session, signer: str, document: Path, uri: str) -> None:
    """Become a price provider for the bond; SIGNER is the key that signs prices."""
    oracles = market_contract(session, "oracles")
    terms = oracles.call("config")
    metadata = keccak(document.read_bytes())
    receipt = session.transact(
        "register as a price provider",
        oracles,
        "register",
        signer,
        metadata,
        uri,
        value=terms["bond"],
        facts={
            "signer": signer,
            "document": f"{document.name}, hash 0x{metadata.hex()}",
            "bond returns after": format_seconds(terms["unbondingSeconds"]),
        },
    )
    if receipt:
        made = receipt.events(ORACLE_REGISTRY, "ProviderRegistered")[0]
        body = {"provider": made["provider"], "signer": signer, "bond": format_wei(made["bond"])}
        session.result(body, receipt)


@zone_command(cli, "rotate", signs=True)
@with_options(provider_argument, click.argument("signer", type=Address()))
def rotate(session: Session, who: int, signer: str) -> None:
    """Replace the key of PROVIDER by SIGNER; both stay known, each for its time."""
    oracles = market_contract(session, "oracles")
    _own_provider(session, oracles, who)
    wait = oracles.call("config")["keySeconds"]
    receipt = session.transact(
        f"rotate the key of provider {who}",
        oracles,
        "rotate",
        who,
        signer,
        facts={"to": signer, "valid in": format_seconds(wait)},
    )
    if receipt:
        since = receipt.events(ORACLE_REGISTRY, "KeyChanged")[0]["from"]
        body = {"provider": who, "signer": signer, "valid from": format_time(since)}
        session.result(body | {"next": "ape run oracle announce FEED, for each feed"}, receipt)


@zone_command(cli, "offer", signs=True)
@with_options(
    provider_argument,
    feed_argument,
    click.option(
        "--end", is_flag=True, help="Retract the offer; it binds until the notice is over."
    ),
)
def offer(session: Session, who: int, feed: int, end: bool) -> None:
    """Offer to serve FEED as PROVIDER, so that its venue may select you; or retract that."""
    oracles = market_contract(session, "oracles")
    _own_provider(session, oracles, who)
    name, action = ("retract", "retract the offer for") if end else ("offer", "offer")
    receipt = session.transact(f"{action} feed {feed}", oracles, name, who, feed)
    found = oracles.call("offerOf", who, feed)
    until = format_time(found["until"]) if found["until"] else "without end"
    session.result({"provider": who, "feed": feed, "bound until": until}, receipt)


@zone_command(cli, "exit", signs=True)
@provider_argument
def exit_(session: Session, who: int) -> None:
    """Leave as PROVIDER; run again after the unbonding to have the bond paid."""
    oracles = market_contract(session, "oracles")
    entry = _own_provider(session, oracles, who)
    name = "withdrawBond" if entry["exitTime"] else "exit"
    action = "withdraw the bond of" if entry["exitTime"] else "end the keys of"
    receipt = session.transact(
        f"{action} provider {who}",
        oracles,
        name,
        who,
        facts={"bond": format_wei(entry["bond"])},
    )
    session.result({"provider": who, "done": name}, receipt)


def _own_provider(session: Session, oracles: Any, provider: int) -> dict[str, Any]:
    entry = _find_provider(oracles, provider)
    if entry["account"] != session.address:
        text = f"provider {provider} is {entry['account']}, this is {session.address}"
        raise ScriptError(text, "sign with its account: --account")
    return entry


def _find_provider(oracles: Any, provider: int) -> dict[str, Any]:
    count = oracles.call("providerCount")
    if provider > count:
        raise ScriptError(
            f"there is no provider {provider}; {count} are registered", "ape run oracle show"
        )
    found: dict[str, Any] = oracles.call("providerOf", provider)
    return found


# --- feeds -------------------------------------------------------------------------------------------


@zone_command(cli, "feed", signs=True)
@with_options(
    click.argument("venue"),
    click.argument("description"),
    click.option("--decimals", type=click.IntRange(0, 255), default=8, show_default=True),
)
def feed(session: Session, venue: str, description: str, decimals: int) -> None:
    """Open a feed for VENUE. DESCRIPTION says what is measured; its hash is recorded."""
    number = _own_venue(session, venue)
    oracles = market_contract(session, "oracles")
    receipt = session.transact(
        f"open a feed for venue {number}",
        oracles,
        "openFeed",
        number,
        decimals,
        keccak(description.encode()),
        facts={"measures": description},
    )
    if receipt:
        made = receipt.events(ORACLE_REGISTRY, "FeedOpened")[0]
        session.result({"feed": made["feed"], "venue": number, "measures": description}, receipt)


@zone_command(cli, "select", signs=True)
@with_options(
    feed_argument,
    click.option("--providers", required=True, help="Ids: 1,2,3."),
    click.option(
        "--quorum", type=click.IntRange(min=1), help="Least fresh providers; a majority if absent."
    ),
    click.option("--heartbeat", default="2s", show_default=True, help="A price is stale after it."),
    click.option(
        "--deviation", default="0.5%", show_default=True, help="A price further off is an incident."
    ),
    click.option(
        "--breaker", default="5%", show_default=True, help="Move in 60 s that breaks trading."
    ),
)
def select(
    session: Session,
    feed: int,
    providers: str,
    quorum: int | None,
    heartbeat: str,
    deviation: str,
    breaker: str,
) -> None:
    """Choose the providers of FEED. The zone is told; a later choice counts after the notice."""
    oracles = market_contract(session, "oracles")
    entry = _find_feed(oracles, feed)
    _own_venue(session, str(entry["venue"]))
    ids = to_ids(providers)
    for number in ids:
        _find_provider(oracles, number)
        offered = oracles.call("offerOf", number, feed)
        if not offered["since"] or offered["until"]:
            raise ScriptError(
                f"provider {number} does not offer feed {feed}",
                f"it has to run: ape run oracle offer {number} {feed}",
            )
    selection = {
        "providers": ids,
        "quorum": quorum or len(ids) // 2 + 1,
        "heartbeat": to_milliseconds(heartbeat),
        "deviation": to_ppm(deviation, "deviation"),
        "breaker": to_ppm(breaker, "breaker"),
    }
    notice = oracles.call("config")["noticeSeconds"] if entry["count"] else 0
    receipt = session.transact(
        f"select {len(ids)} providers for feed {feed}",
        oracles,
        "select",
        feed,
        selection,
        facts={
            "providers": ", ".join(map(str, ids)),
            "quorum": f"{selection['quorum']} of {len(ids)}",
            "heartbeat": format_milliseconds(selection["heartbeat"]),
            "deviation": format_ppm(selection["deviation"]),
            "breaker": f"{format_ppm(selection['breaker'])} in 60 s",
            "counts": f"in {format_seconds(notice)}" if notice else "at once",
        },
    )
    if receipt:
        made = receipt.events(ORACLE_REGISTRY, "Selected")[0]
        body = {"feed": feed, "providers": ids, "quorum": selection["quorum"]}
        body |= {"counts from": format_time(made["effectiveAt"])}
        told = receipt.events(ORACLE_REGISTRY, "Announced")
        if told:
            body |= {"message": told[0]["inboxIndex"]}
        else:
            body |= {"next": f"after that: ape run oracle announce {feed}"}
        session.result(body, receipt)


@zone_command(cli, "announce", signs=True)
@feed_argument
def announce(session: Session, feed: int) -> None:
    """Tell the zone of a selection or of keys of FEED that count now. Anyone may."""
    oracles = market_contract(session, "oracles")
    _find_feed(oracles, feed)
    receipt = session.transact(f"announce the keys of feed {feed}", oracles, "announce", feed)
    if receipt:
        told = receipt.events(ORACLE_REGISTRY, "Announced")[0]
        session.result({"feed": feed, "message": told["inboxIndex"]}, receipt)


@zone_command(cli, "price", signs=True)
@click.argument(
    "path", metavar="PRICE", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
def price(session: Session, path: Path) -> None:
    """Force a signed PRICE into the zone. Anyone may.

    PRICE is JSON: feed, provider, price (10^-8), time (ms), signature.
    """
    oracles = market_contract(session, "oracles")
    try:
        body = json.loads(path.read_text())
        given = {name: int(body[name]) for name in ("feed", "provider", "price", "time")}
        signature = to_bytes(body["signature"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = f"{path.name} is no signed price: {type(error).__name__} {error}"
        raise ScriptError(text, "expected feed, provider, price, time and signature") from None
    receipt = session.transact(
        f"force a price of feed {given['feed']} into the zone",
        oracles,
        "submitPrice",
        given,
        signature,
        facts={"provider": given["provider"], "price": given["price"]},
    )
    if receipt:
        told = receipt.events(ORACLE_REGISTRY, "PriceTold")[0]
        session.result(given | {"message": told["inboxIndex"]}, receipt)


def _find_feed(oracles: Any, feed: int) -> dict[str, Any]:
    count = oracles.call("feedCount")
    if feed > count:
        raise ScriptError(f"there is no feed {feed}; {count} are open", "ape run oracle show")
    found: dict[str, Any] = oracles.call("feedOf", feed)
    return found


def _own_venue(session: Session, venue: str) -> int:
    number, entry = find_venue(session, venue)
    if entry["deployer"] != session.address:
        text = f"venue {number} belongs to {entry['deployer']}, this is {session.address}"
        raise ScriptError(text, "sign with its account: --account")
    return number


# --- evidence ----------------------------------------------------------------------------------------


@zone_command(cli, "incident", signs=True)
@click.argument("proof", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def incident(session: Session, proof: Path) -> None:
    """Record an incident against a provider. PROOF is JSON: claim, id, words, siblings. Anyone may."""
    oracles = market_contract(session, "oracles")
    claim, argument = _read_proof(proof)
    if oracles.call("isIncidentRecorded", argument["id"]):
        raise ScriptError(f"incident {argument['id']} was recorded before")
    receipt = session.transact(
        f"record incident {argument['id']}",
        oracles,
        "recordIncident",
        claim,
        argument,
        facts={"proof": proof.name},
    )
    if receipt:
        made = receipt.events(ORACLE_REGISTRY, "IncidentRecorded")[0]
        session.result(
            {
                "incident": made["id"],
                "provider": made["provider"],
                "feed": made["feed"],
                "what": CODES[made["code"]],
                "of this kind": made["count"],
            },
            receipt,
        )


def _read_proof(path: Path) -> tuple[bytes, dict[str, Any]]:
    try:
        body = json.loads(path.read_text())
        return to_bytes(body["claim"]), {
            "id": int(body["id"]),
            "words": [to_bytes(word) for word in body["words"]],
            "siblings": [to_bytes(sibling) for sibling in body["siblings"]],
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = f"{path.name} is no proof of a record: {type(error).__name__} {error}"
        raise ScriptError(text, "expected claim, id, words and siblings") from None


@zone_command(cli, "accuse", signs=True)
@click.argument("evidence", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def accuse(session: Session, evidence: Path) -> None:
    """Record that a provider signed two prices for one moment. Anyone may.

    EVIDENCE is JSON: feed, provider, time (ms), and prices: two of {price, signature}.
    """
    oracles = market_contract(session, "oracles")
    try:
        body = json.loads(evidence.read_text())
        moment = {name: int(body[name]) for name in ("feed", "provider", "time")}
        pair = [
            (moment | {"price": int(item["price"])}, to_bytes(item["signature"]))
            for item in body["prices"]
        ]
        (a, signature_a), (b, signature_b) = pair
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = f"{evidence.name} is no evidence: {type(error).__name__} {error}"
        raise ScriptError(text, "expected feed, provider, time and two prices") from None
    receipt = session.transact(
        f"record that provider {moment['provider']} signed two prices",
        oracles,
        "proveEquivocation",
        a,
        signature_a,
        b,
        signature_b,
        facts={"feed": moment["feed"], "prices": f"{a['price']} and {b['price']}"},
    )
    if receipt:
        made = receipt.events(ORACLE_REGISTRY, "EquivocationRecorded")[0]
        shown = {"provider": made["provider"], "nullifier": "0x" + made["nullifier"].hex()}
        session.result(shown, receipt)


# --- results -----------------------------------------------------------------------------------------


@zone_command(cli, "resolve", signs=True)
@with_options(
    group_argument,
    click.argument("payout", required=False),
    click.option(
        "--decide", is_flag=True, help="As the arbiter: decide what was challenged by PAYOUT."
    ),
)
def resolve(session: Session, group: int, payout: str | None, decide: bool) -> None:
    """Bring GROUP towards its result.

    With PAYOUT (percents, one an outcome: 100,0) propose it against the bond. Without, do what anyone
    may: call for the result, confirm what nobody challenged, or void what ran out of time.
    """
    resolver = market_contract(session, "resolver")
    entry = _find_group(session, resolver, group)
    if payout is None:
        name, action = _next_step(session, group, entry)
        receipt = session.transact(f"{action} group {group}", resolver, name, group)
    else:
        fractions = _to_payout(entry, payout)
        name = "decide" if decide else "propose"
        receipt = session.transact(
            f"{name} {format_fractions(fractions)} for group {group}",
            resolver,
            name,
            group,
            fractions,
            value=0 if decide else entry["bond"],
            facts=_result_facts(resolver, entry),
        )
    _show_result(session, resolver, group, receipt)


@zone_command(cli, "challenge", signs=True)
@with_options(group_argument, click.argument("payout"))
def challenge(session: Session, group: int, payout: str) -> None:
    """Say that PAYOUT (percents: 0,100) is the right result of GROUP, against the bond.

    If the arbiter agrees you get half of the other bond; if it confirms the proposal you lose yours.
    """
    resolver = market_contract(session, "resolver")
    entry = _find_group(session, resolver, group)
    if entry["phase"] != PROPOSED:
        raise ScriptError(
            f"group {group} is {PHASES[entry['phase']]}: there is nothing to challenge"
        )
    fractions = _to_payout(entry, payout)
    proposal = resolver.call("proposalOf", group)
    receipt = session.transact(
        f"challenge the result of group {group}",
        resolver,
        "challenge",
        group,
        fractions,
        value=entry["bond"],
        facts={
            "proposed": format_vector(proposal["vector"], entry["outcomes"]),
            "you say": format_fractions(fractions),
        },
    )
    _show_result(session, resolver, group, receipt)


@zone_command(cli, "collect", signs=True)
@click.option("--for", "beneficiary", type=Address(), help="Pay another account what is its own.")
def collect(session: Session, beneficiary: str | None) -> None:
    """Take out bonds that came free and what you won."""
    resolver, whose = market_contract(session, "resolver"), beneficiary or session.address
    owed = resolver.call("collectable", whose)
    if not owed:
        raise ScriptError(f"{whose} has nothing to collect")
    receipt = session.transact(f"collect {format_wei(owed)}", resolver, "collect", whose)
    session.result({"account": whose, "collected": format_wei(owed)}, receipt)


def _next_step(session: Session, group: int, entry: dict[str, Any]) -> tuple[str, str]:
    """Return the function that anyone may call now, and what it does."""
    phase, now = entry["phase"], latest_time(session)
    if phase == OPEN:
        if now < entry["resolvesAt"]:
            raise ScriptError(f"group {group} is not due before {format_time(entry['resolvesAt'])}")
        return "callForResult", "call for the result of"
    if phase == PROPOSED:
        return "confirm", "confirm the result of"
    if phase in (CALLED, CHALLENGED):
        return "lapse", "void"
    raise ScriptError(
        f"group {group} is {PHASES[phase]}: nothing is left to do",
        f"ape run oracle show --group {group}",
    )


def _to_payout(entry: dict[str, Any], payout: str) -> list[int]:
    fractions = to_fractions(payout)
    if len(fractions) != entry["outcomes"]:
        raise ScriptError(
            f"{payout!r} has {len(fractions)} outcomes, the group has {entry['outcomes']}"
        )
    return fractions


def _result_facts(resolver: Any, entry: dict[str, Any]) -> dict[str, object]:
    _, window = resolver.call("termsFor", entry["exposure"])
    return {"window": format_period(window), "exposure": format_wei(entry["exposure"])}


def _show_result(session: Session, resolver: Any, group: int, receipt: Any) -> None:
    entry = _find_group(session, resolver, group)
    session.result(_describe_group(resolver, group, entry), receipt)


def _find_group(session: Session, resolver: Any, group: int) -> dict[str, Any]:
    count = session.at("listings").call("eventCount")
    if group > count:
        raise ScriptError(
            f"there is no group {group}; {count} events were listed",
            "an event is listed with its markets: ape run venue list-market",
        )
    found: dict[str, Any] = resolver.call("groupOf", group)
    return found


# --- show --------------------------------------------------------------------------------------------


@zone_command(cli, "show")
@with_options(
    click.option(
        "--provider", "who", type=click.IntRange(min=1), help="One provider, with its keys."
    ),
    click.option("--feed", type=click.IntRange(min=1), help="One feed."),
    click.option("--group", type=click.IntRange(min=1), help="One event group."),
)
def show(session: Session, who: int | None, feed: int | None, group: int | None) -> None:
    """Show all providers; or one provider, feed or event group."""
    oracles = market_contract(session, "oracles")
    if group:
        resolver = market_contract(session, "resolver")
        session.result(_describe_group(resolver, group, _find_group(session, resolver, group)))
    elif feed:
        session.result(_describe_feed(session, oracles, feed))
    elif who:
        _show_provider(session, oracles, who)
    else:
        rows = [
            _provider_row(session, oracles, number)
            for number in range(1, oracles.call("providerCount") + 1)
        ]
        session.table(rows, "no provider is registered")


def _provider_row(session: Session, oracles: Any, number: int) -> dict[str, object]:
    entry = _find_provider(oracles, number)
    is_ready = oracles.call("isSelectable", number)
    state = "leaving" if entry["exitTime"] else "ready" if is_ready else "bond incomplete"
    return {
        "provider": number,
        "state": state,
        "bond": format_wei(entry["bond"]),
        "incidents": sum(oracles.call("incidentsOf", number, code) for code in CODES),
        "equivocations": entry["equivocations"],
        "signer": oracles.call("keyAt", number, latest_time(session)),
        "account": entry["account"],
    }


def _show_provider(session: Session, oracles: Any, provider: int) -> None:
    row = _provider_row(session, oracles, provider)
    row |= {name: oracles.call("incidentsOf", provider, code) for code, name in CODES.items()}
    registered = one_event(
        session, oracles, "ProviderRegistered", provider.to_bytes(32, "big"), None, None
    )
    keys = []
    for i in range(oracles.call("keyCount", provider)):
        signer, since = oracles.call("keyOf", provider, i)
        shown = "none: it leaves" if signer == NOBODY else signer
        keys.append({"valid from": format_time(since), "signer": shown})
    fields = row | {"document": registered.get("uri", "") or "no address given"}
    if session.as_json:
        session.result(fields | {"keys": keys})
        return
    session.result(fields)
    session.echo("")
    session.table(keys, "")


def _describe_feed(session: Session, oracles: Any, feed: int) -> dict[str, object]:
    entry = _find_feed(oracles, feed)
    shown: dict[str, object] = {"feed": feed, "venue": entry["venue"]}
    if not entry["count"]:
        return shown | {"providers": "none selected yet"}
    time = latest_time(session)
    effective = entry["effectiveAt"]
    return shown | {
        "providers": ", ".join(map(str, oracles.call("providersOf", feed))),
        "quorum": f"{entry['quorum']} of {entry['count']}",
        "heartbeat": format_milliseconds(entry["heartbeat"]),
        "deviation": format_ppm(entry["deviation"]),
        "breaker": f"{format_ppm(entry['breaker'])} in 60 s",
        "counts": f"from {format_time(effective)}" if effective > time else "now",
    }


def _describe_group(resolver: Any, group: int, entry: dict[str, Any]) -> dict[str, object]:
    outcomes, phase = entry["outcomes"], entry["phase"]
    shown: dict[str, object] = {
        "group": group,
        "state": PHASES[phase],
        "venue": entry["venue"],
        "provider": entry["provider"],
        "due": format_time(entry["resolvesAt"]),
        "bond": format_wei(entry["bond"]),
        "if void": format_vector(entry["voidVector"], outcomes),
    }
    answers = {"proposed": resolver.call("proposalOf", group)}
    answers["challenged with"] = resolver.call("challengeOf", group)
    for name, answer in answers.items():
        if answer["account"] != NOBODY:
            vector = format_vector(answer["vector"], outcomes)
            shown[name] = f"{vector} by {answer['account']} at {format_time(answer['time'])}"
    if phase in (RESOLVED, VOID):
        shown["result"] = format_vector(entry["result"], outcomes)
    return shown
