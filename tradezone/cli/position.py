"""``tradezone position``: positions of perpetuals, their margin, and what is held of outcomes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import click

from ._client import connect, print_rows, trading_options
from ._output import catch_errors, json_option, print_fields, print_json


@click.group()
def position() -> None:
    """See positions and change their margin and leverage."""


def _text(value: Decimal | None) -> str:
    return "-" if value is None else f"{value:f}"


@position.command("list")
@trading_options
@json_option
@catch_errors
def list_positions(as_json: bool, **where: Any) -> None:
    """List positions of perpetuals. RANK is the part of its group that is deleveraged before it."""
    with connect(**where) as zone:
        rows = [
            {
                "market": found.market.name,
                "size": _text(found.size),
                "entry_price": f"{found.entry_price:f}",
                "mark": _text(found.mark),
                "liquidation_price": _text(found.liquidation_price),
                "unrealised": _text(found.unrealised),
                "funding_due": _text(found.funding_due),
                "initial": _text(found.initial),
                "maintenance": _text(found.maintenance),
                "leverage": _text(found.leverage),
                "mode": "cross" if found.is_cross else "isolated",
                "state": found.state,
                "rank": "-" if found.rank is None else f"{found.rank:.3f}",
            }
            for found in zone.fetch_positions()
        ]
    columns = (
        *("market", "size", "entry_price", "mark", "liquidation_price", "unrealised"),
        *("maintenance", "mode", "state", "rank"),
    )
    print_rows(rows, columns, as_json=as_json)


@position.command()
@trading_options
@json_option
@catch_errors
def outcomes(as_json: bool, **where: Any) -> None:
    """List what the account holds of outcomes, in lots."""
    with connect(**where) as zone:
        rows = zone.fetch(f"/v1/accounts/{zone.account}/positions")
    print_rows(rows, ("market", "yes", "no", "yes_locked", "no_locked"), as_json=as_json)


@position.command()
@trading_options
@json_option
@catch_errors
def pools(as_json: bool, **where: Any) -> None:
    """List margin pools; MARKET 0 is the one that markets share. Amounts in atoms."""
    with connect(**where) as zone:
        rows = zone.fetch_pools()
    columns = (
        *("venue", "asset", "market", "state", "equity", "initial", "maintenance"),
        *("order_margin", "releasable", "allowance"),
    )
    print_rows(rows, columns, as_json=as_json)


@position.command()
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
@trading_options
@json_option
@catch_errors
def events(limit: int, as_json: bool, **where: Any) -> None:
    """List funding, realised profit, liquidation and deleveraging, newest first; amounts in atoms."""
    with connect(**where) as zone:
        page = zone.fetch(f"/v1/accounts/{zone.account}/margin-events", limit=limit)
    columns = ("time", "market", "kind", "lots", "amount", "reference")
    print_rows(page["data"], columns, as_json=as_json)


@position.command()
@click.argument("side", type=click.Choice(("buy", "sell")))
@click.argument("market")
@click.argument("size")
@click.argument("price")
@click.option("--reduce-only", is_flag=True, help="Only closes.")
@trading_options
@json_option
@catch_errors
def preview(
    side: str,
    market: str,
    size: str,
    price: str,
    reduce_only: bool,
    as_json: bool,
    **where: Any,
) -> None:
    """Show what an order would ask for, and margin and liquidation price behind its fill."""
    with connect(**where) as zone:
        found = zone.preview(market, side, size, price, reduce_only=reduce_only)
    body = {
        name: _text(value) if isinstance(value, Decimal) or value is None else value
        for name, value in found.items()
    }
    print_json(body) if as_json else print_fields(body)


@position.command()
@click.argument("market")
@click.option("--slippage", default="1%", show_default=True, help="How far the order may go.")
@trading_options
@catch_errors
def close(market: str, slippage: str, **where: Any) -> None:
    """Close the position of MARKET by a reduce-only market order."""
    with connect(**where) as zone:
        order = zone.close_position(market, slippage=slippage)
    click.echo(f"order {order.id}")


@position.command()
@click.argument("market")
@click.argument("leverage")
@click.option("--cross", is_flag=True, help="Share margin with the venue's other markets.")
@trading_options
@catch_errors
def leverage(market: str, leverage: str, cross: bool, **where: Any) -> None:
    """Set LEVERAGE (0 = the highest) and margin mode in MARKET."""
    with connect(**where) as zone:
        zone.set_leverage(market, leverage, is_cross=cross)
    click.echo("set")


@position.command()
@click.argument("direction", type=click.Choice(("add", "take")))
@click.argument("market")
@click.argument("amount")
@trading_options
@catch_errors
def margin(direction: str, market: str, amount: str, **where: Any) -> None:
    """Add AMOUNT to the margin of the position of MARKET, or take it out if it is not needed."""
    with connect(**where) as zone:
        work = zone.add_margin if direction == "add" else zone.take_margin
        work(market, amount)
    click.echo("added" if direction == "add" else "taken")
