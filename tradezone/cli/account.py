"""``tradezone account``, ``agent``, ``withdraw``: what is yours, and who may act for you."""

from __future__ import annotations

import time
from typing import Any

import click

from ._client import connect, looking_options, print_rows, trading_options
from ._output import AddressType, catch_errors, json_option, print_fields, print_json

_DAY_MS = 86_400_000


@click.group()
def account() -> None:
    """See balances, fills, movements and quota."""


def _show(path: str, columns: tuple[str, ...], as_json: bool, **where: Any) -> None:
    with connect(**where) as zone:
        body = zone.fetch(path.replace("{account}", str(zone.account)))
    rows = body["data"] if isinstance(body, dict) else body
    print_rows(rows, columns, as_json=as_json)


@account.command()
@trading_options
@json_option
@catch_errors
def balances(as_json: bool, **where: Any) -> None:
    """List balances, free and locked."""
    with connect(**where) as zone:
        rows = [
            {"asset": name, "free": f"{balance.free:f}", "locked": f"{balance.locked:f}"}
            for name, balance in zone.fetch_balances().items()
        ]
    print_rows(rows, ("asset", "free", "locked"), as_json=as_json)


@account.command()
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
@trading_options
@json_option
@catch_errors
def fills(limit: int, as_json: bool, **where: Any) -> None:
    """List the newest fills."""
    with connect(**where) as zone:
        rows = [
            {**row, **{name: f"{row[name]:f}" for name in ("price", "size", "fee")}}
            for row in zone.fetch_fills(limit)
        ]
    columns = ("time", "market", "role", "side", "price", "size", "fee", "order")
    print_rows(rows, columns, as_json=as_json)


@account.command()
@trading_options
@json_option
@catch_errors
def ledger(as_json: bool, **where: Any) -> None:
    """List deposits, withdrawals and transfers, newest first; amounts in atoms."""
    columns = ("time", "kind", "asset", "amount", "reference")
    _show("/v1/accounts/{account}/ledger", columns, as_json, **where)


@account.command()
@trading_options
@json_option
@catch_errors
def quota(as_json: bool, **where: Any) -> None:
    """Show how many actions the owner has left."""
    with connect(**where) as zone:
        body = zone.fetch("/v1/quota")
    print_json(body) if as_json else print_fields(body)


@account.command()
@trading_options
@json_option
@catch_errors
def show(as_json: bool, **where: Any) -> None:
    """Show the owner: its id, accounts and keys."""
    with connect(**where) as zone:
        body = zone.fetch("/v1/accounts")
    if as_json:
        print_json(body)
        return
    keys = body.pop("keys")
    print_fields(body)
    print_rows(keys, ("id", "address", "scope", "account", "expires", "name"), as_json=False)


@click.group()
def agent() -> None:
    """Let other keys trade for you; they can never withdraw."""


@agent.command("list")
@trading_options
@json_option
@catch_errors
def list_agents(as_json: bool, **where: Any) -> None:
    """List the keys of the owner."""
    columns = ("id", "address", "scope", "account", "venue", "expires", "max_notional", "name")
    _show("/v1/keys", columns, as_json, **where)


@agent.command()
@click.argument("address", type=AddressType())
@click.option("--days", type=click.FloatRange(0.01, 3_650), default=30.0, show_default=True)
@click.option("--name", default="", help="Up to 8 characters, for display.")
@click.option("--only-account", type=click.IntRange(1), help="The only account it may act for.")
@click.option("--only-venue", type=click.IntRange(1), help="The only venue it may trade on.")
@trading_options
@catch_errors
def approve(
    address: str,
    days: float,
    name: str,
    only_account: int | None,
    only_venue: int | None,
    **where: Any,
) -> None:
    """Approve the key with ADDRESS; the owner's key has to sign."""
    with connect(**where) as zone:
        expires = time.time_ns() // 1_000_000 + int(days * _DAY_MS)
        leaf = zone.signer.approve_key(
            bytes.fromhex(address[2:]),
            expires,
            name=name,
            only_account=only_account or 0,
            only_venue=only_venue or 0,
        )
        _send(zone, leaf)
        keys = [key for key in zone.fetch("/v1/keys") if key["address"] == address.lower()]
    click.echo(f"key id {max(int(key['id']) for key in keys)}")


@agent.command()
@click.argument("number", type=click.IntRange(1))
@trading_options
@catch_errors
def revoke(number: int, **where: Any) -> None:
    """Revoke the key with id NUMBER. Orders that it placed stay."""
    with connect(**where) as zone:
        _send(zone, zone.signer.revoke_key(number))
    click.echo("revoked")


def _send(zone: Any, leaf: bytes) -> None:
    """Send an envelope of one action and raise if it failed."""
    from tradezone.client.zone import check_item

    check_item(zone.send(leaf), 0)


@click.group()
def withdraw() -> None:
    """Take money out, to the owner's address on L1."""


@withdraw.command("request")
@click.argument("amount")
@click.argument("symbol")
@trading_options
@json_option
@catch_errors
def request_withdrawal(amount: str, symbol: str, as_json: bool, **where: Any) -> None:
    """Withdraw AMOUNT of SYMBOL. L1 pays once the batch is final: `tradezone prove withdrawal`."""
    with connect(**where) as zone:
        row = zone.withdraw(symbol, amount)
    body = {"seq": row["seq"], "block": row["block"]}
    print_json(body) if as_json else print_fields(body)


@withdraw.command("list")
@trading_options
@json_option
@catch_errors
def list_withdrawals(as_json: bool, **where: Any) -> None:
    """List the account's withdrawals; REFERENCE is the id on L1."""
    with connect(**where) as zone:
        body = zone.fetch(f"/v1/accounts/{zone.account}/ledger", limit=1_000)
    rows = [row for row in body["data"] if row["kind"] == "withdrawal"]
    print_rows(rows, ("reference", "time", "asset", "amount"), as_json=as_json)


@withdraw.command("show")
@click.argument("number", type=click.IntRange(1))
@looking_options
@click.option("--proof", is_flag=True, help="With its proof under the root of the last batch.")
@json_option
@catch_errors
def show_withdrawal(
    number: int, url: str, symbols: dict[int, str], proof: bool, as_json: bool
) -> None:
    """Show the withdrawal with id NUMBER."""
    with connect(url, symbols) as zone:
        body = zone.fetch(f"/v1/withdrawals/{number}")
        if proof:
            body["proof"] = zone.fetch(f"/v1/withdrawals/{number}/proof")
    print_json(body) if as_json else print_fields(body)
