"""Order the inputs of a zone in turns: who is in office, who is next, taking over, rotating a key.

To stand by at all, join the register of sequencers: ape run register join sequencer.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts._common import ScriptError, Session, with_options, zone_command
from scripts._consent import consent_options, consented
from scripts._units import format_seconds, format_time, format_wei
from tradezone.chain import BatchFolder, ChainReader, RevertedError, ZoneEnd
from tradezone.chain.abi import SEQUENCERS

if TYPE_CHECKING:
    from tradezone.chain.rpc import Deployed


@click.group()
def cli() -> None:
    """Take turns in ordering a zone's inputs: list, show, take-over, rotate."""


def _register(session: Session) -> Deployed | None:
    if "sequencer_register" not in session.deployment.contracts:
        return None
    return session.at("sequencer_register")


def _heartbeat(session: Session) -> int:
    """Index of the inbox message with which the last batch was committed; 0 if none was."""
    reader = ChainReader(session.rpc, session.deployment.address("chain"))
    return ZoneEnd(reader).find_heartbeat(reader.batches())[0] if reader.batches() else 0


# --- reading -----------------------------------------------------------------------------------------


@zone_command(cli, "list")
def list_(session: Session) -> None:
    """List the operator and its standbys in their order, and when each of them may take over."""
    sequencers, register = session.at("sequencers"), _register(session)
    heartbeat, operator = _heartbeat(session), sequencers.call("operator")
    rows = [_row(register, "in office", operator)]
    for place, account in enumerate(sequencers.call("standbys"), 1):
        try:
            time, block = sequencers.call("opensAt", account, heartbeat)
        except RevertedError as error:
            opens = (
                error.name,
                "",
            )  # why it may not at all: its turn is taken, or the zone is frozen
        else:
            opens = (format_time(time), block)
        rows.append(_row(register, str(place), account, *opens))
    session.table(rows, "nobody is in office")


def _row(
    register: Deployed | None, place: str, account: str, time: str = "", block: int | str = ""
) -> dict[str, object]:
    entry: dict[str, Any] = register.call("memberOf", account) if register else {}
    return {
        "turn": place,
        "account": account,
        "key": entry["key"] if entry.get("since") else account,
        "bond": format_wei(entry.get("bond", 0)),
        "may take over": time,
        "and block": block,
    }


@zone_command(cli, "show")
@click.argument("epoch", type=click.IntRange(min=1), required=False)
def show(session: Session, epoch: int | None) -> None:
    """Show EPOCH, the running one if absent."""
    session.result(_describe(session, epoch))


def _describe(session: Session, epoch: int | None = None) -> dict[str, Any]:
    sequencers = session.at("sequencers")
    current = sequencers.call("currentEpoch")
    found = sequencers.call("epochOf", epoch or current)
    if not int(found["key"], 16):
        raise ScriptError(f"epoch {epoch} has not begun, L1 is in epoch {current}")
    body: dict[str, Any] = {
        "epoch": epoch or current,
        "key": found["key"],
        "first batch": found["firstBatch"],
        "in office since": format_time(found["time"]),
    }
    if epoch in (None, current):
        body |= {
            "operator": sequencers.call("operator"),
            "bonded": sequencers.call("isBonded"),
            "standbys": len(sequencers.call("standbys")),
        }
    return body


# --- taking turns --------------------------------------------------------------------------------------


@zone_command(cli, "take-over", signs=True)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that `tradezone takeover` wrote: it has to go on where L1 stands now.",
)
def take_over(session: Session, data: Path | None) -> None:
    """Begin the next epoch as a standby: nothing was committed for too long, or the operator has no bond."""
    sequencers = session.at("sequencers")
    _check_folder(session, data)
    before = sequencers.call("operator")
    receipt = session.transact(
        f"take over from {before}",
        sequencers,
        "takeOver",
        _heartbeat(session),
        facts={
            "epoch": sequencers.call("currentEpoch") + 1,
            "to commit within": format_seconds(sequencers.call("config")["takeoverSeconds"]),
        },
    )
    _report(session, receipt)


def _check_folder(session: Session, data: Path | None) -> None:
    if data is None:
        return
    number = session.at("chain").call("tip")["number"]
    here = BatchFolder(data).last() if (data / "batches").is_dir() else 0
    stored = session.at("chain").call("headerHashOf", number) if number else b""
    meta = BatchFolder(data).meta(number) if here else None
    if here != number or (meta and meta.header.hash() != stored):
        raise ScriptError(
            f"{data} ends with batch {here}, L1 with batch {number}, or with another of it",
            "a batch was committed since: tradezone takeover, into an empty folder",
        )


def _report(session: Session, receipt: Any) -> None:
    if receipt is None:
        session.result({"epoch": session.at("sequencers").call("currentEpoch")})
        return
    began = receipt.events(SEQUENCERS, "EpochBegan")[0]
    session.result(_describe(session, began["epoch"]), receipt)


@zone_command(cli, "rotate", signs=True)
@with_options(
    consent_options,
    click.option(
        "--data",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="The sequencer's folder: everything published in it has to be committed.",
    ),
)
def rotate(session: Session, key: str | None, consent: str | None, data: Path | None) -> None:
    """Go on in office with another key, in a new epoch. Stop the zone and post its batches first."""
    sequencers, register = session.at("sequencers"), _register(session)
    tip = session.at("chain").call("tip")
    if data and (last := BatchFolder(data).last()) != tip["number"]:
        raise ScriptError(
            f"{data} has published {last} batches, L1 holds {tip['number']}",
            "post them in their epoch first: ape run post batches",
        )
    operator = sequencers.call("operator")
    if operator != session.address:
        raise ScriptError(
            f"the operator is {operator}, this is {session.address}", "sign with it: --account"
        )
    if register and register.call("memberOf", operator)["since"]:
        signer, signature = consented(session, register, key, consent)
        if register.call("memberOf", operator)["key"] != signer:
            sent = session.transact(
                "rotate the key in the register", register, "rotate", signer, signature
            )
            if sent is None:  # what follows depends on it and cannot be tried
                session.result({"key": signer})
                return
    elif key is None:
        raise ScriptError("no key was given", "name the new one: --key")
    else:
        signer = key
    receipt = session.transact(
        "begin an epoch with another key",
        sequencers,
        "rotate",
        signer,
        tip["hash"],
        facts={
            "from": sequencers.call("sequencerOf", sequencers.call("currentEpoch")),
            "to": signer,
        },
    )
    _report(session, receipt)
