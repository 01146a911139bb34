"""Deposit money into the zone's vault."""

from __future__ import annotations

from typing import Any

import click

from scripts._common import NATIVE, Address, ScriptError, Session, with_options, zone_command
from scripts._units import format_atoms, format_wei, to_atoms
from tradezone.chain import Receipt
from tradezone.chain.abi import CUSTODY_VAULT, ERC20
from tradezone.client import Asset

to_option = click.option(
    "--to", "owner", type=Address(), help="Owner to credit, if not the sender."
)


@click.group()
def cli() -> None:
    """Deposit: native coin, or a token."""


@zone_command(cli, "native", signs=True)
@with_options(click.argument("amount"), to_option)
def native(session: Session, amount: str, owner: str | None) -> None:
    """Deposit AMOUNT of the native coin. A new owner is registered, for the fee on top."""
    asset, terms = session.find_asset(NATIVE)
    owner = owner or session.address
    atoms = to_atoms(amount, asset)
    fee = session.at("owner_registry").call("feeFor", owner)
    receipt = session.transact(
        f"deposit {format_atoms(atoms, asset)} for {owner}",
        session.at("vault"),
        "depositNative",
        owner,
        value=atoms * terms["quantum"] + fee,
        facts=_fee_fact(fee),
    )
    _show(session, receipt, asset)


@zone_command(cli, "token", signs=True)
@with_options(click.argument("asset"), click.argument("amount"), to_option)
def token(session: Session, asset: str, amount: str, owner: str | None) -> None:
    """Deposit AMOUNT of ASSET (its id, symbol or token). Approves the vault for it if need be."""
    found, terms = session.find_asset(asset)
    if terms["kind"] == 1:
        raise ScriptError(f"{found.symbol} is the native coin", f"ape run deposit native {amount}")
    owner = owner or session.address
    atoms = to_atoms(amount, found)
    units = atoms * terms["quantum"]
    _check(session, found, terms, atoms, units)
    vault = session.at("vault")
    contract = session.rpc.at(ERC20, terms["token"])
    fee = session.at("owner_registry").call("feeFor", owner)
    if contract.call("allowance", session.address, vault.address) < units:
        approved = session.transact(
            f"let the vault take {format_atoms(atoms, found)}",
            contract,
            "approve",
            vault.address,
            units,
        )
        if approved is None:
            session.echo("the deposit can be simulated once the vault is approved")
            return
    receipt = session.transact(
        f"deposit {format_atoms(atoms, found)} for {owner}",
        vault,
        "deposit",
        found.id,
        units,
        owner,
        value=fee,
        facts=_fee_fact(fee),
    )
    _show(session, receipt, found)


def _check(session: Session, asset: Asset, terms: dict[str, Any], atoms: int, units: int) -> None:
    have = session.rpc.at(ERC20, terms["token"]).call("balanceOf", session.address)
    if have < units:
        shown = format_atoms(have // terms["quantum"], asset)
        raise ScriptError(
            f"{session.address} has {shown}, {format_atoms(atoms, asset)} are needed",
            "sign with another account: --account",
        )
    if terms["isClosed"]:
        raise ScriptError(f"asset {asset.id} ({asset.symbol}) takes no deposits any more")
    room = terms["cap"] - session.at("vault").call("outstanding", asset.id)
    if atoms > room:
        text = f"the vault takes {format_atoms(room, asset)} more of {asset.symbol}, this is"
        raise ScriptError(
            f"{text} {format_atoms(atoms, asset)}", "its cap was fixed at registration"
        )


def _fee_fact(fee: int) -> dict[str, str]:
    return {"registration fee": format_wei(fee)} if fee else {}


def _show(session: Session, receipt: Receipt | None, asset: Asset) -> None:
    if receipt:
        made = receipt.events(CUSTODY_VAULT, "Deposited")[0]
        session.result(
            {
                "deposited": format_atoms(made["atoms"], asset),
                "for": made["to"],
                "owner": session.at("owner_registry").call("idOf", made["to"]),
                "inbox message": made["inboxIndex"],
            },
            receipt,
        )
