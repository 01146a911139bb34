"""Bring a sequencer's batches and state roots to L1."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import click

from scripts._common import ScriptError, Session, with_options, zone_command
from scripts._posting import (
    build_poster,
    check_sequencer,
    data_option,
    post_once,
    with_data_option,
)
from scripts._units import format_cost, format_wei
from tradezone.chain import BatchFolder, ChainReader, Poster


@click.group()
def cli() -> None:
    """Post batches and claims: batches, bond, claim, finalize, status, run."""


@zone_command(cli, "batches", signs=True)
@with_options(data_option, with_data_option)
def batches(session: Session, data: Path, with_data: bool) -> None:
    """Commit the batches that L1 does not hold yet. Signed by the sequencer."""
    check_sequencer(session)
    poster = build_poster(session, data, with_data=with_data)
    committed, published = poster.check(), BatchFolder(data).last()
    waiting = max(published - committed, 0)
    if not waiting:
        session.echo(f"nothing to post: L1 holds {committed} batches, {published} are published")
    else:
        session.confirm(f"commit batches {committed + 1} to {published}", {"from": session.address})
    done = [] if session.is_dry else poster.post()
    session.result(
        {
            "committed": sum(p.last - p.first + 1 for p in done),
            "batches on L1": poster.check(),
            "cost": format_cost(sum(p.receipt.cost for p in done)),
        }
    )


@zone_command(cli, "bond", signs=True)
def bond(session: Session) -> None:
    """Post the bond that lets the account claim state roots."""
    chain = session.at("chain")
    if chain.call("asserterOf", session.address)["isBonded"]:
        raise ScriptError(f"{session.address} has posted its bond already")
    amount = chain.call("bond")
    receipt = session.transact(
        f"post the bond of {format_wei(amount)}", chain, "postBond", value=amount
    )
    session.result({"bond": format_wei(amount), "asserter": session.address}, receipt)


@zone_command(cli, "claim", signs=True)
@with_options(data_option)
def claim(session: Session, data: Path) -> None:
    """Claim the state root of every batch at which a claim is due."""
    poster = build_poster(session, data)
    if not poster.is_bonded():
        raise ScriptError(
            f"{session.address} has posted no bond", "post it first: ape run post bond"
        )
    status = poster.status()
    session.confirm(
        f"claim behind batch {status.claimed}, up to batch {status.committed}",
        {"from": session.address},
    )
    done = [] if session.is_dry else poster.claim()
    for made in done:
        if made.children > 1:
            session.echo(f"warning: batch {made.batch} has {made.children} rival claims: a dispute")
    session.result(
        {
            "claims made": len(done),
            "claimed up to": done[-1].batch if done else status.claimed,
            "rivals": sum(made.children > 1 for made in done),
            "cost": format_cost(sum(made.receipt.cost for made in done)),
        }
    )


@zone_command(cli, "finalize", signs=True)
@with_options(data_option)
def finalize(session: Session, data: Path) -> None:
    """Make claims final whose window has passed. Anyone may; the roots are compared with ours first."""
    poster = build_poster(session, data)
    done = [] if session.is_dry else poster.finalize()
    status = poster.status()
    session.result(
        {"made final": len(done), "final up to": status.final, "claimed": status.claimed}
    )


@zone_command(cli, "status")
@with_options(data_option)
def status(session: Session, data: Path) -> None:
    """Show how far L1 is behind what is published."""
    poster = Poster(
        session.rpc, session.deployment.address("chain"), _NoSender(), BatchFolder(data)
    )
    found = asdict(poster.status())
    reader = ChainReader(session.rpc, session.deployment.address("chain"))
    session.result(found | {"inbox_messages": reader.message_count()})


class _NoSender:
    """Stands where an account would: a status signs nothing."""

    address = "0x" + "00" * 20

    def send(self, to: str, data: bytes, value: int = 0) -> None:  # noqa: ARG002 - a Sender
        """Refuse."""
        raise ScriptError("a status sends nothing")


@zone_command(cli, "run", signs=True)
@with_options(
    data_option,
    with_data_option,
    click.option(
        "--every", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="Seconds."
    ),
    click.option(
        "--rounds", type=click.IntRange(min=0), default=0, help="Stop after so many; 0 = never."
    ),
    click.option("--claims/--no-claims", default=True, help="Claim and finalize too."),
)
def run(
    session: Session,
    data: Path,
    with_data: bool,
    every: float,
    rounds: int,
    claims: bool,
) -> None:
    """Post, claim and finalize again and again, beside a running sequencer, until it is stopped.

    Errors of the node are shown and tried again; a contradiction between L1 and the data stops it.
    """
    check_sequencer(session)
    poster = build_poster(session, data, with_data=with_data)
    session.confirm("post as the sequencer until stopped", {"from": session.address})
    if session.is_dry:
        return
    if claims and not poster.is_bonded():
        raise ScriptError(
            f"{session.address} has posted no bond", "ape run post bond, or --no-claims"
        )
    done = 0
    while True:
        done += 1
        post_once(session, poster, claims=claims)
        if done == rounds:
            break
        time.sleep(every)
    session.result(asdict(poster.status()))
