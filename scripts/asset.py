"""Register tokens and simulated assets as assets of the zone."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from scripts._common import Address, ScriptError, Session, with_options, zone_command
from scripts._units import format_atoms, format_seconds, format_wei, to_atoms, to_seconds
from tradezone.chain import ChainError
from tradezone.chain.abi import ASSET_REGISTRY, ERC20
from tradezone.client import Asset, to_fraction
from tradezone.protocol.enums import ASSET_NATIVE, ASSET_SIMULATED
from tradezone.protocol.limits import MAX_TOTAL_ATOMS

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_QUANTUM_DIGITS = 18
ATOM_DECIMALS = 9  # of an atom where the deployer names no quantum and the token has more


@click.group()
def cli() -> None:
    """Register ERC-20 tokens and simulated assets: register, simulate, faucet, list, close."""


@zone_command(cli, "register", signs=True)
@with_options(
    click.argument("token", type=Address()),
    click.option(
        "--atom",
        help="Smallest amount that the zone counts, a power of ten in units of the token: 0.000001."
        " By default the token's own, or 9 decimals if it has more.",
    ),
    click.option(
        "--cap", help="Most that the vault takes in all, units; by default the most there is."
    ),
)
def register(session: Session, token: str, atom: str | None, cap: str | None) -> None:
    """Register TOKEN as an asset against the bond, which returns less the fee if it is closed unused.

    Terms are fixed for ever. A token may be registered more than once, with other terms.
    """
    registry = session.at("asset_registry")
    contract = session.rpc.at(ERC20, token)
    try:
        token_decimals, symbol = contract.call("decimals"), contract.call("symbol")
    except ChainError as error:
        raise ScriptError(f"{token} does not answer as an ERC-20 does: {error.text}") from None
    decimals = _to_decimals(atom, token_decimals)
    quantum = 10 ** (token_decimals - decimals)
    asset = Asset(registry.call("count") + 1, symbol, decimals)
    atoms = asset.to_atoms(cap) if cap else MAX_TOTAL_ATOMS
    if atoms > MAX_TOTAL_ATOMS:
        most = format_atoms(MAX_TOTAL_ATOMS, asset)
        raise ScriptError(f"cap {cap} is too large for atoms of 10^-{decimals}; at most {most}")
    receipt = session.transact(
        f"register {symbol} as an asset",
        registry,
        "registerAsset",
        token,
        quantum,
        atoms,
        value=registry.call("bond"),
        facts={
            "token": f"{token}, {token_decimals} decimals",
            "atom": f"10^-{decimals} {symbol} (quantum {quantum})",
            "cap": format_atoms(atoms, asset),
            "fee that never returns": format_wei(registry.call("fee")),
        },
    )
    if receipt:
        number = receipt.events(ASSET_REGISTRY, "AssetRegistered")[0]["asset"]
        session.result({"asset": number, "symbol": symbol, "quantum": quantum}, receipt)


def _to_decimals(atom: str | None, token_decimals: int) -> int:
    """Decimals of an amount in atoms, from the size of an atom that was typed."""
    lowest = max(token_decimals - MAX_QUANTUM_DIGITS, 0)
    if atom is None:
        return max(min(token_decimals, ATOM_DECIMALS), lowest)
    for decimals in range(lowest, token_decimals + 1):
        if to_fraction(atom, "atom") == Fraction(1, 10**decimals):
            return decimals
    finest = f"{Decimal(1).scaleb(-token_decimals):f}"
    raise ScriptError(
        f"an atom of {atom} is no power of ten that the token has",
        f"expected 1, 0.1, 0.01 and so on down to {finest}",
    )


@zone_command(cli, "simulate", signs=True)
@with_options(
    click.argument("venue", type=int),
    click.argument("symbol"),
    click.option("--decimals", type=click.IntRange(0, 18), default=6, show_default=True),
    click.option("--cap", required=True, help="Most that there may be, units."),
)
def simulate(session: Session, venue: int, symbol: str, decimals: int, cap: str) -> None:
    """Register SYMBOL as an asset that exists in the zone alone, for markets of VENUE (its id)."""
    registry = session.at("asset_registry")
    asset = Asset(registry.call("count") + 1, symbol, decimals)
    atoms = to_atoms(cap, asset)
    if atoms > MAX_TOTAL_ATOMS:
        most = format_atoms(MAX_TOTAL_ATOMS, asset)
        raise ScriptError(f"cap {cap} is too large; at most {most}")
    receipt = session.transact(
        f"register the simulated asset {symbol}",
        registry,
        "registerSimulated",
        venue,
        symbol,
        decimals,
        atoms,
        value=registry.call("bond"),
        facts={
            "cap": format_atoms(atoms, asset),
            "fee that never returns": format_wei(registry.call("fee")),
        },
    )
    if receipt:
        number = receipt.events(ASSET_REGISTRY, "AssetRegistered")[0]["asset"]
        session.result({"asset": number, "symbol": symbol, "venue": venue}, receipt)


@zone_command(cli, "faucet", signs=True)
@with_options(
    click.argument("asset"),
    click.argument("amount"),
    click.option("--every", default="24 h", show_default=True, help="Between two claims."),
)
def faucet(session: Session, asset: str, amount: str, every: str) -> None:
    """Let everybody claim AMOUNT of the simulated ASSET once in a while; 0 closes the faucet."""
    found, terms = session.find_asset(asset)
    if terms["kind"] != ASSET_SIMULATED:
        raise ScriptError(
            f"asset {found.id} ({found.symbol}) is real; only simulated ones have a faucet"
        )
    atoms = 0 if amount == "0" else to_atoms(amount, found)
    seconds = to_seconds(every) if atoms else 0
    receipt = session.transact(
        f"set the faucet of {found.symbol}",
        session.at("asset_registry"),
        "setFaucet",
        found.id,
        {"amount": atoms, "interval": seconds * 1000},
        facts={"gives": format_atoms(atoms, found), "every": format_seconds(seconds)},
    )
    session.result({"asset": found.id, "gives": format_atoms(atoms, found)}, receipt)


@zone_command(cli, "list")
def list_(session: Session) -> None:
    """List the assets of the zone, with what the vault holds of each."""
    vault = session.at("vault")
    rows = [
        {
            "id": asset.id,
            "symbol": asset.symbol,
            "decimals": asset.decimals,
            "quantum": terms["quantum"],
            "deposited": format_atoms(vault.call("outstanding", asset.id), asset),
            "state": "closed" if terms["isClosed"] else "open",
            "token": _to_token(terms),
        }
        for asset, terms in session.assets().values()
    ]
    session.table(rows, "no assets")


def _to_token(terms: Mapping[str, Any]) -> str:
    if terms["kind"] == ASSET_SIMULATED:
        return f"simulated, venue {terms['venue']}"
    return "native coin" if terms["kind"] == ASSET_NATIVE else str(terms["token"])


@zone_command(cli, "close", signs=True)
@click.argument("asset")
def close(session: Session, asset: str) -> None:
    """Close ASSET for ever while nothing of it is deposited, and get the bond back less the fee."""
    found, terms = session.find_asset(asset)
    registry = session.at("asset_registry")
    if terms["registrant"] != session.address:
        text = (
            f"asset {found.id} was registered by {terms['registrant']}, this is {session.address}"
        )
        raise ScriptError(text, "only the registrant closes it")
    refund = registry.call("bond") - registry.call("fee")
    receipt = session.transact(
        f"close {found.symbol} for ever",
        registry,
        "closeAsset",
        found.id,
        facts={"returns": format_wei(refund)},
    )
    session.result({"asset": found.id, "returned": format_wei(refund)}, receipt)
