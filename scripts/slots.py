"""Buy, renew and reclaim the slots in which venues list markets."""

from __future__ import annotations

from typing import Any, Final

import click

from scripts._common import Address, ScriptError, Session, with_options, zone_command
from scripts._markets import find_venue, latest_time, market_contract
from scripts._units import format_seconds, format_time, format_wei, to_wei
from tradezone.chain import RevertedError
from tradezone.chain.abi import SLOT_AUCTION

KINDS: Final = ("spot", "perp", "outcome", "simulated")
STEPS: Final = 8  # prices that are shown of a round
DAY: Final = 86_400

kind_argument = click.argument("kind", type=click.Choice(KINDS))


@click.group()
def cli() -> None:
    """Slots for markets: show, buy, renew, reclaim, refund, collect."""


@zone_command(cli, "show")
@with_options(
    click.option("--kind", type=click.Choice(KINDS), help="The auction of a kind, step by step."),
    click.option("--venue", help="The slots of a venue (its id or name)."),
)
def show(session: Session, kind: str | None, venue: str | None) -> None:
    """Show what slots cost now; or one auction over time; or the slots of a venue."""
    slots = market_contract(session, "slots")
    if kind:
        _show_auction(session, slots, kind)
        return
    if venue:
        _show_venue(session, slots, venue)
        return
    rows = []
    for number, name in enumerate(KINDS, 1):
        terms = slots.call("kindTerms", number)
        price, state = _price(session, slots, number)
        rows.append(
            {
                "kind": name,
                "price now": price,
                "state": state,
                "licences": f"{slots.call('outstanding', number)} of {terms['supply']}",
                "base slots": terms["baseSlots"],
                "mean of last sales": format_wei(slots.call("meanPrice", number)),
            }
        )
    session.table(rows, "")


def _price(session: Session, slots: Any, kind: int) -> tuple[str, str]:
    """Price of a kind and what its auction does."""
    time = latest_time(session)
    found = slots.call("roundAt", kind, time)
    if not found["begin"]:
        return "-", "sold out"
    if found["begin"] > time:
        return "-", f"sold; next at {format_time(found['begin'])}"
    end = found["begin"] + found["length"]
    return format_wei(slots.call("priceAt", kind, time)), f"round until {format_time(end)}"


def _show_auction(session: Session, slots: Any, kind: str) -> None:
    number = KINDS.index(kind) + 1
    time = latest_time(session)
    found = slots.call("roundAt", number, time)
    if not found["begin"]:
        supply = slots.call("kindTerms", number)["supply"]
        raise ScriptError(
            f"all {supply} licences of {kind} markets are out",
            "a new round begins when one is reclaimed: ape run slots reclaim",
        )
    first = max(time, found["begin"])
    last = found["begin"] + found["length"] - 1
    times = sorted({first + (last - first) * i // (STEPS - 1) for i in range(STEPS)})
    rows = [
        {"time": format_time(at), "price": format_wei(slots.call("priceAt", number, at))}
        for at in times
    ]
    if session.as_json:
        session.result(
            {
                "kind": kind,
                "round": found["number"],
                "begin": found["begin"],
                "seconds": found["length"],
                "start": format_wei(found["start"]),
                "floor": format_wei(found["floor"]),
                "prices": rows,
            }
        )
        return
    session.echo(f"round {found['number']} of {kind} slots, if nobody buys before:")
    session.table(rows, "")


def _show_venue(session: Session, slots: Any, venue: str) -> None:
    number, entry = find_venue(session, venue)
    base = {
        name: f"{slots.call('baseSlotsUsed', number, kind)} of {slots.call('kindTerms', kind)['baseSlots']}"
        for kind, name in enumerate(KINDS, 1)
    }
    licences = []
    for kind, name in enumerate(KINDS, 1):
        for licence in slots.call("licencesOf", number, kind):
            found = slots.call("licenceOf", licence)
            licences.append(
                {
                    "licence": licence,
                    "kind": name,
                    "market": found["market"] or "idle",
                    "expires": format_time(found["expires"]),
                    "next term": format_wei(found["renewalPrice"]),
                    "lost from": format_time(slots.call("reclaimableFrom", licence)),
                }
            )
    fields = {"venue": number, "name": entry["name"]} | {f"base {k}": v for k, v in base.items()}
    if session.as_json:
        session.result(fields | {"licences": licences})
        return
    session.result(fields)
    if licences:
        session.echo("")
        session.table(licences, "")


@zone_command(cli, "buy", signs=True)
@with_options(
    click.argument("venue"),
    kind_argument,
    click.option(
        "--max",
        "limit",
        help="Most that you pay, OKB; the price of now if absent. The price only falls inside a round.",
    ),
)
def buy(session: Session, venue: str, kind: str, limit: str | None) -> None:
    """Buy the slot of the running round for VENUE (its id or name).

    What is sent beyond the price of the block is yours: ape run slots refund
    """
    number, entry = find_venue(session, venue)
    if entry["deployer"] != session.address:
        text = f"venue {number} belongs to {entry['deployer']}, this is {session.address}"
        raise ScriptError(text, "sign with its account: --account")
    slots, kind_number = market_contract(session, "slots"), KINDS.index(kind) + 1
    try:
        now = slots.call("priceAt", kind_number, latest_time(session))
    except RevertedError as error:
        raise _explain(error, kind) from None
    most = to_wei(limit) if limit else now
    terms = slots.call("licenceTerms")
    receipt = session.transact(
        f"buy a {kind} slot for venue {number} ({entry['name']})",
        slots,
        "buy",
        number,
        kind_number,
        most,
        value=most,
        facts={
            "price now": format_wei(now),
            "at most": format_wei(most),
            "term": f"{terms['termDays']} d",
            "lost if unused for": f"{terms['idleDays']} d",
        },
    )
    if receipt:
        made = receipt.events(SLOT_AUCTION, "LicenceBought")[0]
        session.result(
            {
                "licence": made["licence"],
                "kind": kind,
                "venue": number,
                "paid": format_wei(made["price"]),
                "refund": format_wei(slots.call("refundOf", session.address)),
                "expires": format_time(made["expires"]),
                "next term": format_wei(made["renewalPrice"]),
            },
            receipt,
        )


def _explain(error: RevertedError, kind: str) -> ScriptError:
    if error.name == "RoundSold":
        when = format_time(error.values["nextBegin"])
        return ScriptError(
            f"this round's {kind} slot is sold; the next round begins at {when}",
            f"see its prices: ape run slots show --kind {kind}",
        )
    if error.name == "SoldOut":
        return ScriptError(f"all {error.values['supply']} licences of {kind} markets are out")
    return ScriptError(error.text, error.hint)


@zone_command(cli, "renew", signs=True)
@click.argument("licence", type=click.IntRange(min=1))
def renew(session: Session, licence: int) -> None:
    """Pay for the next term of LICENCE, at the price that was fixed when its term began."""
    slots = market_contract(session, "slots")
    found = _find_licence(slots, licence)
    days = slots.call("licenceTerms")["renewalDays"]
    since, until = found["expires"] - days * DAY, found["expires"] + found["graceDays"] * DAY
    if not since <= latest_time(session) < until:
        raise ScriptError(
            f"licence {licence} is renewed between {format_time(since)} and {format_time(until)}"
        )
    price = found["renewalPrice"]
    receipt = session.transact(
        f"renew licence {licence} of venue {found['venue']}",
        slots,
        "renew",
        licence,
        price,
        value=price,
        facts={"kind": KINDS[found["kind"] - 1], "expires now": format_time(found["expires"])},
    )
    if receipt:
        done = receipt.events(SLOT_AUCTION, "LicenceRenewed")[0]
        session.result(
            {
                "licence": licence,
                "paid": format_wei(done["price"]),
                "expires": format_time(done["expires"]),
                "next term": format_wei(done["renewalPrice"]),
            },
            receipt,
        )


@zone_command(cli, "reclaim", signs=True)
@click.argument("licence", type=click.IntRange(min=1))
def reclaim(session: Session, licence: int) -> None:
    """End LICENCE, which was unused too long or was not renewed. Anyone may; the slot is sold again."""
    slots = market_contract(session, "slots")
    found = _find_licence(slots, licence)
    since = slots.call("reclaimableFrom", licence)
    if latest_time(session) < since:
        left = format_seconds(since - latest_time(session))
        raise ScriptError(
            f"licence {licence} can be reclaimed from {format_time(since)} on, in {left}"
        )
    receipt = session.transact(
        f"reclaim licence {licence} of venue {found['venue']}",
        slots,
        "reclaim",
        licence,
        facts={"kind": KINDS[found["kind"] - 1], "market": found["market"] or "none"},
    )
    body = {"licence": licence, "venue": found["venue"], "market": found["market"]}
    session.result(body, receipt)


@zone_command(cli, "refund", signs=True)
@click.option("--to", type=Address(), help="Who gets it; you if absent.")
def refund(session: Session, to: str | None) -> None:
    """Take back what you sent beyond prices."""
    slots, whom = market_contract(session, "slots"), to or session.address
    owed = slots.call("refundOf", session.address)
    if not owed:
        raise ScriptError(f"{session.address} has no refund")
    receipt = session.transact(
        f"take back {format_wei(owed)}", slots, "collectRefund", whom, facts={"to": whom}
    )
    session.result({"refund": format_wei(owed), "to": whom}, receipt)


@zone_command(cli, "collect", signs=True)
def collect(session: Session) -> None:
    """Pay the proceeds to the treasury. Anyone may."""
    slots = market_contract(session, "slots")
    owed, treasury = slots.call("proceeds"), slots.call("treasury")
    if not owed:
        raise ScriptError("there are no proceeds")
    receipt = session.transact(
        f"pay {format_wei(owed)} to the treasury", slots, "collectProceeds", facts={"to": treasury}
    )
    session.result({"paid": format_wei(owed), "treasury": treasury}, receipt)


def _find_licence(slots: Any, licence: int) -> dict[str, Any]:
    found: dict[str, Any] = slots.call("licenceOf", licence)
    if not found["kind"]:
        count = slots.call("licenceCount")
        raise ScriptError(
            f"there is no licence {licence}; {count} were sold, some reclaimed",
            "see those of a venue: ape run slots show --venue NAME",
        )
    return found
