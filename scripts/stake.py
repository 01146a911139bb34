"""Stake OKB, which a venue needs behind it."""

from __future__ import annotations

import click

from scripts._common import Address, ScriptError, Session, with_options, zone_command
from scripts._units import format_seconds, format_time, format_wei, to_wei
from tradezone.chain.abi import STAKING_VAULT


@click.group()
def cli() -> None:
    """Stake OKB: add, unbond, cancel, withdraw, show."""


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
        facts={"takes": f"{wait} and {blocks:,} blocks"},
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


@zone_command(cli, "show")
@click.argument("account", type=Address())
def show(session: Session, account: str) -> None:
    """Show the stake of ACCOUNT and its open requests."""
    vault = session.at("staking")
    seconds, blocks = vault.call("unbondingSeconds"), vault.call("unbondingBlocks")
    requests = []
    # Requests are numbered from 1 without gaps; those that are done have no amount.
    head = session.rpc.head().number
    asked = vault.events("UnbondRequested", session.deployment.block, head, [_word(account)])
    for event in asked:
        found = vault.call("requestOf", account, event["requestId"])
        if found["amount"]:
            requests.append(
                {
                    "request": event["requestId"],
                    "amount": format_wei(found["amount"]),
                    "until": format_time(found["time"] + seconds),
                    "and block": found["blockNumber"] + blocks,
                }
            )
    fields = {
        "account": account,
        "free": format_wei(vault.call("freeOf", account)),
        "locked": format_wei(vault.call("lockedOf", account)),
        "unbonding": format_wei(vault.call("unbondingOf", account)),
    }
    if session.as_json:
        session.result(fields | {"requests": requests})
        return
    session.result(fields)
    if requests:
        click.echo()
        session.table(requests, "")


def _word(address: str) -> bytes:
    return bytes.fromhex(address[2:]).rjust(32, b"\0")
