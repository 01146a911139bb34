"""Stake OKB, which a venue needs behind it and which votes."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import click

from scripts._common import Address, ScriptError, Session, with_options, zone_command
from scripts._units import format_seconds, format_time, format_wei, to_wei
from tradezone.chain import ChainReader, FinalState
from tradezone.chain.abi import STAKING_VAULT


@click.group()
def cli() -> None:
    """Stake OKB: add, unbond, cancel, withdraw, note, delegate, leave, release, show."""


@zone_command(cli, "add", signs=True)
@with_options(
    click.argument("amount"),
    click.option("--for", "beneficiary", type=Address(), help="Stake for another account."),
)
def add(session: Session, amount: str, beneficiary: str | None) -> None:
    """Stake AMOUNT of OKB. It is free until a venue locks it."""
    vault, wei = session.at("staking"), to_wei(amount)
    whose = beneficiary or session.address
    call = ("stakeFor", whose) if beneficiary else ("stake",)
    receipt = session.transact(
        f"stake {format_wei(wei)} for {whose}", vault, *call, value=wei, facts={}
    )
    session.result(
        {
            "account": whose,
            "staked": format_wei(wei),
            "free": format_wei(vault.call("freeOf", whose)),
        },
        receipt,
    )


@zone_command(cli, "unbond", signs=True)
@click.argument("amount")
def unbond(session: Session, amount: str) -> None:
    """Ask to have AMOUNT of free stake back. It can be withdrawn when the unbonding is over."""
    vault, wei = session.at("staking"), to_wei(amount)
    free = vault.call("freeOf", session.address)
    if wei > free:
        locked = vault.call("lockedOf", session.address)
        raise ScriptError(
            f"{session.address} has {format_wei(free)} of free stake, {format_wei(wei)} are asked",
            f"{format_wei(locked)} are locked behind venues",
        )
    wait = format_seconds(vault.call("unbondingSeconds"))
    blocks = vault.call("unbondingBlocks")
    receipt = session.transact(
        f"unbond {format_wei(wei)}",
        vault,
        "requestUnbond",
        wei,
        facts={"takes": f"{wait} and {blocks:,} blocks after the next final root"},
    )
    if receipt:
        request = receipt.events(STAKING_VAULT, "UnbondRequested")[0]["requestId"]
        session.result({"request": request, "amount": format_wei(wei), "takes": wait}, receipt)


@zone_command(cli, "cancel", signs=True)
@click.argument("request", type=click.IntRange(min=1))
def cancel(session: Session, request: int) -> None:
    """Call the unbonding REQUEST back: its stake is free again at once."""
    vault = session.at("staking")
    amount = _amount_of(session, request)
    receipt = session.transact(
        f"cancel request {request} over {format_wei(amount)}", vault, "cancelUnbond", request
    )
    session.result({"request": request, "free again": format_wei(amount)}, receipt)


@zone_command(cli, "withdraw", signs=True)
@click.argument("request", type=click.IntRange(min=1))
def withdraw(session: Session, request: int) -> None:
    """Take out the stake of the unbonding REQUEST, once its time is over."""
    vault = session.at("staking")
    amount = _amount_of(session, request)
    receipt = session.transact(
        f"withdraw {format_wei(amount)} of request {request}", vault, "withdraw", request
    )
    session.result({"request": request, "withdrawn": format_wei(amount)}, receipt)


def _amount_of(session: Session, request: int) -> int:
    amount: int = session.at("staking").call("requestOf", session.address, request)["amount"]
    if not amount:
        raise ScriptError(
            f"{session.address} has no open request {request}",
            "it was withdrawn or cancelled; see: ape run stake show",
        )
    return amount


@zone_command(cli, "note", signs=True)
def note(session: Session) -> None:
    """Write down which batch is final now, so that the clocks of unbonding begin. Anyone may."""
    vault = session.at("staking")
    receipt = session.transact("note the newest final batch", vault, "noteFinality")
    noted = receipt.events(STAKING_VAULT, "FinalityNoted") if receipt else []
    session.result({"noted": noted[0]["batch"] if noted else "nothing new"}, receipt)


@zone_command(cli, "delegate", signs=True)
@click.argument("delegate", type=Address())
def delegate(session: Session, delegate: str) -> None:
    """Let DELEGATE vote with the account's stake; one's own address takes the votes back."""
    vault = session.at("staking")
    receipt = session.transact(f"delegate votes to {delegate}", vault, "delegate", delegate)
    session.result(
        {
            "delegate": delegate,
            "votes of the delegate": format_wei(vault.call("getVotes", delegate)),
        },
        receipt,
    )


@zone_command(cli, "leave", signs=True)
@with_options(
    click.argument("venue", type=click.IntRange(min=1)),
    click.option("--undo", is_flag=True, help="Stay after all."),
)
def leave(session: Session, venue: int, undo: bool) -> None:
    """Begin to take the stake from behind VENUE (its number): nothing more is listed on it.

    Who handed the venue over asks for its own stake alone; the venue goes on.
    """
    vault = session.at("staking")
    name = "cancelRelease" if undo else "requestRelease"
    action = "stay behind" if undo else "leave"
    receipt = session.transact(f"{action} venue {venue}", vault, name, venue)
    is_leaving, index = vault.call("leavingOf", venue)
    shown = {"venue": venue, "leaving": is_leaving}
    session.result(shown | ({"state must know inbox up to": index} if is_leaving else {}), receipt)


@zone_command(cli, "release", signs=True)
@with_options(
    click.argument("venue", type=click.IntRange(min=1)),
    click.option(
        "--data",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder with the published batch files; without it they are taken from L1.",
    ),
)
def release(session: Session, venue: int, data: Path | None) -> None:
    """Unbond the stake behind VENUE, with a proof from the newest final state that it is empty."""
    vault = session.at("staking")
    locked = vault.call("lockedBehind", session.address, venue)
    if not locked:
        raise ScriptError(f"{session.address} has no stake behind venue {venue}")
    # What a former deployer has asked for, the vault alone knows.
    deployer = session.at("venue_registry").call("deployerOf", venue)
    if deployer == session.address and not vault.call("leavingOf", venue)[0]:
        raise ScriptError(f"venue {venue} is not leaving", f"ape run stake leave {venue}")
    reader = ChainReader(session.rpc, session.deployment.address("chain"))
    claim = reader.latest_final()
    if not claim.batch:
        raise ScriptError("no claim on a batch is final yet", "ape run post finalize")
    session.echo("computing the state from the batches (the first use compiles the engine)")
    state = FinalState.replay(reader, data, claim)
    words, siblings = state.prove_record("venue", venue)
    (header,) = reader.headers(claim.batch, claim.batch)
    proof = {
        "claim": claim.id,
        "header": astuple(header),
        "words": words,
        "siblings": siblings,
    }
    receipt = session.transact(f"release the stake behind {venue}", vault, "release", venue, proof)
    shown: dict[str, object] = {"venue": venue, "unbonding": format_wei(locked)}
    if receipt:
        shown["request"] = receipt.events(STAKING_VAULT, "Released")[0]["requestId"]
    session.result(shown, receipt)


@zone_command(cli, "show")
@click.argument("account", type=Address())
def show(session: Session, account: str) -> None:
    """Show the stake and votes of ACCOUNT and its open requests."""
    vault = session.at("staking")
    requests = []
    for found in vault.call("requestsOf", account):
        state = vault.call("unbondingStateOf", account, found["id"])
        waits = "" if state["isRunning"] else f" or batch {found['batch']} final and noted"
        requests.append(
            {
                "request": found["id"],
                "amount": format_wei(found["amount"]),
                "until": format_time(state["untilTime"]) + waits,
                "and block": state["untilBlock"],
            }
        )
    fields = {
        "account": account,
        "free": format_wei(vault.call("freeOf", account)),
        "locked": format_wei(vault.call("lockedOf", account)),
        "unbonding": format_wei(vault.call("unbondingOf", account)),
        "votes": format_wei(vault.call("getVotes", account)),
        "delegate": vault.call("delegates", account),
    }
    cases = vault.call("openCasesOf", account)
    if cases:
        fields["open cases"] = cases
    if session.as_json:
        session.result(fields | {"requests": requests})
        return
    session.result(fields)
    if requests:
        click.echo()
        session.table(requests, "")
