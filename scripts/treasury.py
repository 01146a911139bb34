"""See what the treasury holds, propose payments from it, and collect them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from scripts._common import NATIVE, Address, ScriptError, Session, with_options, zone_command
from scripts._markets import to_milliseconds
from scripts._proposing import submit
from scripts._units import (
    UnitError,
    format_atoms,
    format_seconds,
    format_time,
    format_wei,
    to_atoms,
    to_ms,
    to_wei,
)
from tradezone.chain.abi import ERC20
from tradezone.client import Asset
from tradezone.protocol.enums import ASSET_ERC20, ASSET_SIMULATED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradezone.chain.rpc import Deployed

NOBODY: Final = "0x" + "0" * 40  # the native coin, where a token is asked for

because_option = click.option(
    "--because", "description", required=True, help="What voters will read."
)


@click.group()
def cli() -> None:
    """Show the treasury; propose, close and collect payments, which are streams that a vote decides."""


def _treasury(session: Session) -> Deployed:
    if not session.deployment.is_governed:
        raise ScriptError(
            f"the zone in {session.path.name} has no treasury",
            "deploy one that has: ape run deploy zone --governed",
        )
    return session.at("treasury")


def _find_token(session: Session, text: str) -> tuple[str, Asset | None]:
    """Return address and asset of what is paid; no asset for the native coin."""
    if text.upper() == NATIVE:
        return NOBODY, None
    if not text.startswith("0x"):
        asset, terms = session.find_asset(text)
        if terms["kind"] == ASSET_SIMULATED:
            raise ScriptError(f"{asset.symbol} is a simulated asset: it exists in the zone alone")
        return str(terms["token"]), _in_units(session, str(terms["token"]), asset.symbol)
    address = Address().convert(text, None, None)
    return address, _in_units(session, address, "")


def _in_units(session: Session, token: str, symbol: str) -> Asset:
    """Return a token as an asset whose atoms are its own units."""
    contract = session.rpc.at(ERC20, token)
    return Asset(0, symbol or str(contract.call("symbol")), contract.call("decimals"))


def _amount(amount: int, asset: Asset | None) -> str:
    return format_atoms(amount, asset) if asset else format_wei(amount)


# --- reading -----------------------------------------------------------------------------------------


@zone_command(cli, "show")
@with_options(
    click.option(
        "--token",
        "tokens",
        multiple=True,
        help="Another token to look at, by its address; may be repeated.",
    ),
    click.option("--stream", type=click.IntRange(min=1), help="One stream."),
)
def show(session: Session, tokens: tuple[str, ...], stream: int | None) -> None:
    """Show what the treasury holds, what of it is promised, and its streams."""
    treasury = _treasury(session)
    if stream:
        session.result(_describe(session, treasury, stream))
        return
    held = []
    for token, asset in _known(session, tokens).items():
        free, promised = treasury.call("unreserved", token), treasury.call("reserved", token)
        if free or promised or not asset:
            held.append(
                {
                    "holds": _amount(free + promised, asset),
                    "promised": _amount(promised, asset),
                    "free": _amount(free, asset),
                }
            )
    streams = [
        _describe(session, treasury, number)
        for number in range(1, treasury.call("streamCount") + 1)
    ]
    if session.as_json:
        session.result({"held": held, "streams": streams})
        return
    session.table(held, "")
    session.echo("")
    session.table(streams, "no streams")


def _known(session: Session, more: tuple[str, ...]) -> dict[str, Asset | None]:
    """Return the native coin and every token of the zone by address."""
    found: dict[str, Asset | None] = {NOBODY: None}
    for asset, terms in session.assets().values():
        if terms["kind"] == ASSET_ERC20:
            token = str(terms["token"])
            found[token] = _in_units(session, token, asset.symbol)
    return found | dict(_find_token(session, text) for text in more)


def _describe(session: Session, treasury: Deployed, number: int) -> dict[str, Any]:
    entry = _stream(treasury, number)
    asset = None if entry["token"] == NOBODY else _in_units(session, entry["token"], "")
    return {
        "stream": number,
        "to": entry["recipient"],
        "amount": _amount(entry["amount"], asset),
        "paid": _amount(entry["paid"], asset),
        "ready": _amount(treasury.call("collectable", number), asset),
        "from": format_time(entry["start"]),
        "until": format_time(entry["end"]),
    }


def _stream(treasury: Deployed, number: int) -> dict[str, Any]:
    count = treasury.call("streamCount")
    if number > count:
        raise ScriptError(
            f"there is no stream {number}; {count} are known", "ape run treasury show"
        )
    found: dict[str, Any] = treasury.call("streamOf", number)
    return found


# --- deciding ----------------------------------------------------------------------------------------


@zone_command(cli, "propose", signs=True)
@with_options(
    click.argument("recipient", type=Address()),
    click.argument("amount"),
    click.option("--token", default=NATIVE, show_default=True, help="Symbol, id or address."),
    click.option("--over", default="30d", show_default=True, help="It vests evenly so long."),
    click.option("--start", default="now", show_default=True, help="now, or 2027-01-31T12:00:00Z."),
    because_option,
)
def propose(
    session: Session,
    recipient: str,
    amount: str,
    token: str,
    over: str,
    start: str,
    description: str,
) -> None:
    """Propose to pay AMOUNT to RECIPIENT as a stream, by a vote of class ordinary."""
    treasury = _treasury(session)
    address, asset = _find_token(session, token)
    units = to_atoms(amount, asset) if asset else to_wei(amount)
    duration, rest = divmod(to_milliseconds(over), 1_000)
    if rest:
        raise UnitError(f"duration {over!r} is no whole number of seconds")
    least = treasury.call("MIN_DURATION")
    if duration < least:
        text = f"{over} is too short: payments vest over at least {format_seconds(least)}"
        raise ScriptError(text, "nothing is paid at once, so that a vote can close a stream")
    free = treasury.call("unreserved", address)
    if units > free:
        raise ScriptError(
            f"{_amount(units, asset)} are more than the {_amount(free, asset)} that are free",
            "ape run treasury show",
        )
    begin = to_ms(start) // 1_000
    function = treasury.contract.functions["openStream"]
    data = function.encode(address, recipient, units, begin, duration)
    more = {
        "pays": f"{_amount(units, asset)} to {recipient}",
        "over": format_seconds(duration),
        "free after it": _amount(free - units, asset),
    }
    submit(session, "ordinary", [(treasury.address, data)], description, more)


@zone_command(cli, "close", signs=True)
@with_options(click.argument("stream", type=click.IntRange(min=1)), because_option)
def close(session: Session, stream: int, description: str) -> None:
    """Propose to end STREAM, by a vote of class ordinary. What has vested stays its recipient's."""
    treasury = _treasury(session)
    more: Mapping[str, object] = _describe(session, treasury, stream)
    data = treasury.contract.functions["closeStream"].encode(stream)
    submit(session, "ordinary", [(treasury.address, data)], description, more)


@zone_command(cli, "collect", signs=True)
@click.argument("stream", type=click.IntRange(min=1))
def collect(session: Session, stream: int) -> None:
    """Pay out what has vested of STREAM to its recipient. Anyone may."""
    treasury = _treasury(session)
    shown = _describe(session, treasury, stream)
    if not treasury.call("collectable", stream):
        raise ScriptError(
            f"nothing of stream {stream} is ready", f"it vests until {shown['until']}"
        )
    receipt = session.transact(
        f"collect stream {stream}",
        treasury,
        "collect",
        stream,
        facts={"pays": shown["ready"], "to": shown["to"]},
    )
    paid = shown["ready"]
    session.result({"stream": stream, "paid": paid, "to": shown["to"]}, receipt)
