"""``tradezone order``: place, cancel, amend, list."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ._client import connect, print_rows, trading_options
from ._output import catch_errors, json_option, print_fields, print_json


@click.group()
def order() -> None:
    """Place, change and cancel orders, and see how they fare."""


@order.command()
@click.argument("side", type=click.Choice(("buy", "sell")))
@click.argument("market")
@click.argument("size")
@click.option("--price", help="Limit; without it a market order.")
@click.option(
    "--tif",
    type=click.Choice(("gtc", "post_only", "post_slide", "ioc", "fok")),
    default="gtc",
    show_default=True,
    help="Time in force.",
)
@click.option("--slippage", default="1%", show_default=True, help="How far a market order may go.")
@click.option("--client-id", help="Your own name for it, up to 16 characters.")
@click.option("--reduce-only", is_flag=True, help="Only closes: outcomes and perpetuals.")
@click.option("--wait", is_flag=True, help="Wait until nothing more comes of it, up to 30 s.")
@trading_options
@json_option
@catch_errors
def place(
    side: str,
    market: str,
    size: str,
    price: str | None,
    tif: str,
    slippage: str,
    client_id: str | None,
    reduce_only: bool,
    wait: bool,
    url: str,
    symbols: dict[int, str],
    key_file: Path,
    account: int | None,
    key_id: int | None,
    as_json: bool,
) -> None:
    """Buy or sell SIZE in MARKET, for instance: place buy OKB/USD 1.5 --price 60."""
    with connect(url, symbols, key_file, account, key_id) as zone:
        made = zone.place(
            market,
            side,
            size,
            price,
            tif=tif,
            slippage=slippage,
            client_id=client_id,
            reduce_only=reduce_only,
        )
        body: dict[str, Any] = {
            "order": str(made.id),
            "seq": str(made.seq),
            "block": str(made.block),
        }
        if wait:
            try:
                done = zone.wait_done(made)
            except TimeoutError:
                done = zone.follow(made)
            found = made.market
            average = done.cost / done.filled if done.filled else 0
            body["state"] = done.state.value
            body["filled"] = f"{found.from_lots(done.filled):f}"
            body["average_ticks"] = f"{average:.4f}"
    if as_json:
        print_json(body)
    else:
        print_fields(body)


@order.command()
@click.argument("number", type=click.IntRange(1), required=False)
@click.option("--client-id", help="Name it by your own id instead.")
@trading_options
@catch_errors
def cancel(
    number: int | None,
    client_id: str | None,
    url: str,
    symbols: dict[int, str],
    key_file: Path,
    account: int | None,
    key_id: int | None,
) -> None:
    """Cancel the order with id NUMBER."""
    if (number is None) == (client_id is None):
        raise click.UsageError("name the order by its id or by --client-id")
    with connect(url, symbols, key_file, account, key_id) as zone:
        zone.cancel(number, client_id=client_id)
    click.echo("cancelled")


@order.command()
@click.argument("number", type=click.IntRange(1))
@click.argument("market")
@click.argument("size")
@click.option("--price", help="New limit; the old one if absent.")
@click.option(
    "--mode",
    type=click.Choice(("shrink", "post_only", "post_slide", "take")),
    default="shrink",
    show_default=True,
    help="shrink keeps the place in the queue; the others place the order anew.",
)
@trading_options
@catch_errors
def amend(
    number: int,
    market: str,
    size: str,
    price: str | None,
    mode: str,
    url: str,
    symbols: dict[int, str],
    key_file: Path,
    account: int | None,
    key_id: int | None,
) -> None:
    """Give the order with id NUMBER a new total SIZE, what is filled included, and a new price."""
    with connect(url, symbols, key_file, account, key_id) as zone:
        zone.amend_by_id(number, market, size, price, mode)
    click.echo("amended")


@order.command("cancel-all")
@click.option("--market", help="Only those of this market.")
@trading_options
@catch_errors
def cancel_all(
    market: str | None,
    url: str,
    symbols: dict[int, str],
    key_file: Path,
    account: int | None,
    key_id: int | None,
) -> None:
    """Cancel all orders and plans of the account."""
    with connect(url, symbols, key_file, account, key_id) as zone:
        zone.cancel_all(market)
    click.echo("cancelled")


@order.command("list")
@click.option("--all", "show_all", is_flag=True, help="Those that are done too, newest first.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
@trading_options
@json_option
@catch_errors
def list_orders(
    show_all: bool,
    limit: int,
    url: str,
    symbols: dict[int, str],
    key_file: Path,
    account: int | None,
    key_id: int | None,
    as_json: bool,
) -> None:
    """List open orders."""
    with connect(url, symbols, key_file, account, key_id) as zone:
        if not show_all:
            columns = ("id", "market", "side", "price", "open", "filled", "tif")
            print_rows(_to_text(zone.fetch_open_orders()[:limit]), columns, as_json=as_json)
            return
        page = zone.fetch(f"/v1/accounts/{zone.account}/orders", limit=limit)
        rows = []
        for row in page["data"]:
            found = zone.get_market(row["market"])
            shown = {
                "market": found.name,
                "price": f"{found.from_ticks(row['price']):f}",
                "open": f"{found.from_lots(int(row['lots'])):f}",
                "filled": f"{found.from_lots(int(row['filled'])):f}",
            }
            rows.append({**row, **shown})
        print_rows(
            rows,
            ("id", "market", "side", "price", "open", "filled", "state", "created"),
            as_json=as_json,
        )


def _to_text(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**row, **{name: f"{row[name]:f}" for name in ("price", "open", "filled")}} for row in rows
    ]


@order.command()
@click.argument("number", type=click.IntRange(1))
@trading_options
@json_option
@catch_errors
def show(
    number: int,
    url: str,
    symbols: dict[int, str],
    key_file: Path,
    account: int | None,
    key_id: int | None,
    as_json: bool,
) -> None:
    """Show the order with id NUMBER, open or done."""
    with connect(url, symbols, key_file, account, key_id) as zone:
        row = zone.fetch(f"/v1/accounts/{zone.account}/orders/{number}")
    if as_json:
        print_json(row)
    else:
        print_fields(row)
    sys.exit(0)
