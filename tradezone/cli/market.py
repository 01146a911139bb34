"""``tradezone market``: what is traded, and at which prices."""

from __future__ import annotations

import time
from typing import Any

import click

from ._client import connect, looking_options, print_rows
from ._output import catch_errors, json_option, print_fields, print_json

_INTERVALS = ("1s", "5s", "15s", "1m", "5m", "15m", "1h", "4h", "1d")


@click.group()
def market() -> None:
    """See what is traded, and at which prices."""


@market.command("list")
@looking_options
@json_option
@catch_errors
def list_markets(url: str, symbols: dict[int, str], as_json: bool) -> None:
    """List all markets."""
    with connect(url, symbols) as zone:
        names = {found.slot: found.name for found in zone.markets.values()}
        rows: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = zone.fetch("/v1/markets", after=after)
            rows += [{**row, "name": names.get(row["id"], "")} for row in page["data"]]
            after = page["next"]
    print_rows(rows, ("id", "name", "kind", "phase", "taker_fee", "maker_fee"), as_json=as_json)


@market.command()
@click.argument("name")
@looking_options
@json_option
@catch_errors
def ticker(name: str, url: str, symbols: dict[int, str], as_json: bool) -> None:
    """Show a market at a glance: NAME is as in `tradezone market list`."""
    with connect(url, symbols) as zone:
        found = zone.get_market(name)
        row: dict[str, Any] = zone.fetch(f"/v1/markets/{found.slot}/ticker")
        if as_json:
            print_json(row)
            return
        for key in ("last", "best_bid", "best_ask", "open", "high", "low"):
            row[key] = f"{found.from_ticks(row[key]):f}" if row[key] else "-"
        for key in ("mark", "index"):
            row[key] = f"{found.from_ticks(row[key]):f}" if row[key] else "-"
        for key in ("bid_lots", "ask_lots", "lots"):
            row[key] = f"{found.from_lots(int(row[key])):f}"
        print_fields({"market": found.name, **{k: v for k, v in row.items() if k != "market"}})


@market.command()
@click.argument("name")
@looking_options
@click.option(
    "--depth", type=click.IntRange(1, 200), default=10, show_default=True, help="Levels a side."
)
@click.option("--watch", is_flag=True, help="Go on showing it until Ctrl-C.")
@json_option
@catch_errors
def book(
    name: str, url: str, symbols: dict[int, str], depth: int, watch: bool, as_json: bool
) -> None:
    """Show the depth of a market."""
    with connect(url, symbols) as zone:
        found = zone.get_market(name)
        while True:
            row = zone.fetch(f"/v1/markets/{found.slot}/book", depth=depth)
            if watch:
                click.clear()
            if as_json:
                print_json(row)
            else:
                _show_book(found, row)
            if not watch:
                return
            time.sleep(0.5)


def _show_book(found: Any, row: dict[str, Any]) -> None:
    for side, color in (("asks", "red"), ("bids", "green")):
        levels = row[side][::-1] if side == "asks" else row[side]
        for level in levels:
            price, size = found.from_ticks(level["price"]), found.from_lots(int(level["lots"]))
            click.echo(click.style(f"{price:>14f}", fg=color) + f"  {size:>16f}  {level['orders']}")
        if side == "asks":
            click.echo(f"{'----':>14}")


@market.command()
@click.argument("name")
@looking_options
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True)
@json_option
@catch_errors
def trades(name: str, url: str, symbols: dict[int, str], limit: int, as_json: bool) -> None:
    """List the newest trades of a market."""
    with connect(url, symbols) as zone:
        found = zone.get_market(name)
        page = zone.fetch(f"/v1/markets/{found.slot}/trades", limit=limit)
        rows = [
            {
                **row,
                "price": f"{found.from_ticks(row['price']):f}",
                "size": f"{found.from_lots(int(row['lots'])):f}",
            }
            for row in page["data"]
        ]
    print_rows(rows, ("time", "side", "price", "size", "seq"), as_json=as_json)


@market.command()
@click.argument("name")
@looking_options
@click.option("--limit", type=click.IntRange(1, 1_000), default=24, show_default=True)
@json_option
@catch_errors
def funding(name: str, url: str, symbols: dict[int, str], limit: int, as_json: bool) -> None:
    """List the newest funding hours of a perpetual; a positive RATE is what longs paid shorts."""
    with connect(url, symbols) as zone:
        rows = [
            {**row, "rate": f"{row['rate'] * 100:f}%"} for row in zone.fetch_funding(name, limit)
        ]
    print_rows(rows, ("time", "rate", "seq"), as_json=as_json)


@market.command()
@click.argument("name")
@looking_options
@json_option
@catch_errors
def perpetual(name: str, url: str, symbols: dict[int, str], as_json: bool) -> None:
    """Show price, funding, open interest and risk parameters of a perpetual."""
    with connect(url, symbols) as zone:
        found = zone.get_perpetual(name)
        row: dict[str, Any] = zone.fetch(f"/v1/markets/{found.home}/perpetual")
    if as_json:
        print_json(row)
        return
    for key in ("mark", "index"):
        row[key] = f"{found.from_ticks(row[key]):f}" if row[key] else "-"
    row["open_lots"] = f"{found.from_lots(int(row['open_lots'])):f}"
    row["tiers"] = ", ".join(
        f"from {found.quote.from_atoms(int(tier['lower'])):f}: {tier['initial'] / 10_000:g}% "
        f"initial, {tier['maintenance'] / 10_000:g}% maintenance"
        for tier in row["tiers"]
    )
    print_fields({"market": found.name, **{k: v for k, v in row.items() if k != "market"}})


@market.command()
@click.argument("name")
@looking_options
@click.option("--interval", type=click.Choice(_INTERVALS), default="1m", show_default=True)
@click.option("--limit", type=click.IntRange(1, 1_000), default=60, show_default=True)
@json_option
@catch_errors
def candles(
    name: str, url: str, symbols: dict[int, str], interval: str, limit: int, as_json: bool
) -> None:
    """List candles of a market, oldest first."""
    with connect(url, symbols) as zone:
        found = zone.get_market(name)
        path = f"/v1/markets/{found.slot}/candles"
        rows = [
            {
                **row,
                **{
                    key: f"{found.from_ticks(row[key]):f}"
                    for key in ("open", "high", "low", "close")
                },
                "size": f"{found.from_lots(int(row['lots'])):f}",
            }
            for row in zone.fetch(path, interval=interval, limit=limit)
        ]
    columns = ("start", "open", "high", "low", "close", "size", "trades")
    print_rows(rows, columns, as_json=as_json)
