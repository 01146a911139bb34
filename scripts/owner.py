"""Register owners: addresses that hold balances in the zone."""

from __future__ import annotations

import click

from scripts._common import Address, ScriptError, Session, with_options, zone_command
from scripts._units import format_wei
from tradezone.chain.abi import OWNER_REGISTRY

KINDS = {1: "signs envelopes", 2: "contract, acts through the inbox"}


@click.group()
def cli() -> None:
    """Register owners: register, show."""


@zone_command(cli, "register", signs=True)
@click.argument("accounts", type=Address(), nargs=-1)
def register(session: Session, accounts: tuple[str, ...]) -> None:
    """Register ACCOUNTS, or the signing account if none is named. A deposit does it by itself."""
    registry = session.at("owner_registry")
    wanted = list(dict.fromkeys(accounts or (session.address,)))
    new = [account for account in wanted if not registry.call("idOf", account)]
    if not new:
        known = ", ".join(f"{a} is owner {registry.call('idOf', a)}" for a in wanted)
        raise ScriptError(f"nobody to register: {known}")
    value = registry.call("registrationFee") * len(new)
    receipt = session.transact(
        f"register {len(new)} owner{'s' if len(new) > 1 else ''}",
        registry,
        "registerMany",
        new,
        value=value,
        facts={"accounts": ", ".join(new), "fee": format_wei(value)},
    )
    if receipt:
        made = receipt.events(OWNER_REGISTRY, "OwnerRegistered")
        session.result({event["account"]: f"owner {event['owner']}" for event in made}, receipt)


@zone_command(cli, "show")
@with_options(click.argument("accounts", type=Address(), nargs=-1, required=True))
def show(session: Session, accounts: tuple[str, ...]) -> None:
    """Show the owner ids of ACCOUNTS."""
    registry = session.at("owner_registry")
    rows = []
    for account in accounts:
        owner = registry.call("idOf", account)
        kind = KINDS.get(registry.call("kindOf", owner), "?") if owner else "not registered"
        rows.append({"account": account, "owner": owner, "kind": kind})
    session.table(rows, "")
