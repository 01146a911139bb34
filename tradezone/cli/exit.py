"""``tradezone exit``: leave a zone without asking anybody."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ._output import (
    AddressType,
    Progress,
    catch_errors,
    chain_option,
    data_option,
    fail,
    json_option,
    print_fields,
    print_json,
    rpc_option,
)

if TYPE_CHECKING:
    from tradezone.chain import Owed, Sender, Standing, ZoneEnd
    from tradezone.chain.exit import LastState, Step
    from tradezone.verifier import Report

_KEY: Final = "TRADEZONE_EXIT_KEY"
_DAY: Final = 86_400

owner_option = click.option(
    "--owner", type=AddressType(), help="L1 address of the owner; without it, of everybody."
)
key_option = click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"File with the private key (hex) that pays for transactions; or in {_KEY}."
    " It may be anybody's: each owner is paid, whoever sends.",
)


@click.group()
def exit() -> None:  # noqa: A001 - the name of the command
    """Leave a zone that ended, or bring it to its end, with a node and the published files alone."""


def _open(url: str, chain: str, data: Path | None) -> ZoneEnd:
    from tradezone.chain import ChainReader, Rpc, ZoneEnd

    return ZoneEnd(ChainReader(Rpc(url), chain), data)


def _sender(end: ZoneEnd, key_file: Path | None) -> Sender | None:
    from tradezone.chain import KeySender

    text = key_file.read_text() if key_file else os.environ.get(_KEY, "")
    if not text.strip():
        return None
    try:
        key = bytes.fromhex(text.strip().removeprefix("0x"))
        return KeySender(end.rpc, key)
    except ValueError:
        fail("the private key is not 32 bytes in hex")


@exit.command()
@rpc_option
@chain_option
@json_option
@catch_errors
def status(url: str, chain: str, as_json: bool) -> None:
    """Show where the zone stands, what anybody can do about it, and from when on."""
    standing = _open(url, chain, None).standing()
    if as_json:
        print_json(standing.to_json())
    else:
        _print_standing(standing)


def _print_standing(standing: Standing) -> None:
    closing = f", closing batch {standing.closing_batch}" if standing.closing_batch else ""
    abandoned = " (what came later was abandoned)" if standing.is_abandoned else ""
    print_fields(
        {
            "mode": standing.mode,
            "batches": f"{standing.batches:,} committed{closing}",
            "final": f"up to batch {standing.final_batch:,}{abandoned}",
        }
    )
    for step in standing.steps:
        when = "now" if step.is_due else _wait(step, standing)
        click.echo(f"{step.function}: {when}: {step.reason}")


def _wait(step: Step, standing: Standing) -> str:
    seconds = max(step.since.time - standing.time, 0)
    days, rest = divmod(seconds, _DAY)
    hours, rest = divmod(rest, 3_600)
    blocks = max(step.since.block - standing.block, 0)
    return f"in {days} d {hours} h {rest // 60} min and {blocks:,} blocks, whichever is later"


@exit.command()
@rpc_option
@chain_option
@data_option
@key_option
@json_option
@catch_errors
def advance(url: str, chain: str, data: Path | None, key_file: Path | None, as_json: bool) -> None:
    """Do all that brings the zone nearer to its end and can be done now.

    Freezes it when its operator is overdue, claims the states up to the closing batch (which needs the
    bond of an asserter), makes claims final whose windows have passed. Run it again after each deadline.
    """
    end = _open(url, chain, data)
    sender = _sender(end, key_file)
    if sender is None:
        fail("advancing sends transactions", f"name a key: --key-file, or {_KEY}", as_json=as_json)
    progress = Progress(is_quiet=as_json)
    done = end.advance(sender, progress=_replaying(progress))
    progress.clear()
    standing = end.standing()
    if as_json:
        rows = [{"function": name, "gas": receipt.gas_used} for name, receipt in done]
        print_json({"done": rows, "standing": standing.to_json()})
        return
    for name, receipt in done:
        click.echo(f"{name}: {receipt.gas_used:,} gas")
    if not done:
        click.echo("nothing can be done now")
    _print_standing(standing)


@exit.command("list")
@rpc_option
@chain_option
@data_option
@owner_option
@json_option
@catch_errors
def list_(url: str, chain: str, data: Path | None, owner: str | None, as_json: bool) -> None:
    """List what the last state owes: balances, outcome tokens, withdrawals, deposits it does not know."""
    state = _last_state(_open(url, chain, data), as_json)
    items = state.owed(owner)
    if as_json:
        print_json([item.to_json() for item in items])
    else:
        _print_items(items)


@exit.command()
@rpc_option
@chain_option
@data_option
@owner_option
@key_option
@json_option
@catch_errors
def leave(
    url: str,
    chain: str,
    data: Path | None,
    owner: str | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Have everything paid that the last state owes. Without a key, print the transactions as JSON.

    What cannot be paid now (a token that refuses, an event without a result) stays owed: run it again.
    Exit status 0 only if nothing is left open.
    """
    end = _open(url, chain, data)
    sender = _sender(end, key_file)
    state = _last_state(end, as_json)
    items = state.owed(owner)
    if sender is None:
        print_json([call.to_json() for call in state.calls(items)])
        return
    rows = []
    for call, receipt in state.pay(sender, items):
        rows.append({"function": call.function, "items": len(call.pays), "gas": receipt.gas_used})
        if not as_json:
            click.echo(f"{call.function}: {len(call.pays)} payments, {receipt.gas_used:,} gas")
    left = [item for item in state.owed(owner) if item.state != "paid"]
    if as_json:
        plain: dict[str, Any] = {"done": rows, "left": [item.to_json() for item in left]}
        print_json(plain)
    elif left:
        _print_items(left)
    else:
        click.echo(click.style("ok: ", fg="green", bold=True) + "everything is paid")
    sys.exit(1 if left else 0)


def _last_state(end: ZoneEnd, is_quiet: bool) -> LastState:
    progress = Progress(is_quiet=is_quiet)
    state = end.last_state(progress=_replaying(progress))
    progress.clear()
    return state


def _replaying(progress: Progress) -> Any:
    def show(report: Report) -> None:
        progress.show(f"batch {report.last_batch:,}, {report.leaves:,} leaves")

    return show


def _print_items(items: list[Owed]) -> None:
    for item in items:
        click.echo(
            f"{item.owner}  {item.kind} {item.id}: {item.amount} atoms of asset {item.asset},"
            f" {item.state}"
        )
    if not items:
        click.echo("nothing is owed")
