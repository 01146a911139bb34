"""What the trading commands share: how a zone is reached, and how rows are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ._output import fail, print_json

if TYPE_CHECKING:
    from tradezone.client import BlockingZone

DEFAULT_URL: Final = "http://127.0.0.1:8420"


def _read_symbols(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> dict[int, str]:
    """Read "1=USD,2=OKB"."""
    symbols: dict[int, str] = {}
    for part in filter(None, (text or "").split(",")):
        number, _, name = part.partition("=")
        if not number.strip().isdigit() or not name.strip():
            raise click.BadParameter(f"expected something like 1=USD,2=OKB, was {text!r}")
        symbols[int(number)] = name.strip()
    return symbols


url_option = click.option(
    "--url",
    default=DEFAULT_URL,
    show_default=True,
    envvar="TRADEZONE_URL",
    show_envvar=True,
    help="Address of the zone's gateway.",
)
symbols_option = click.option(
    "--symbols",
    callback=_read_symbols,
    envvar="TRADEZONE_SYMBOLS",
    show_envvar=True,
    help="Names of assets by their ids, as 1=USD,2=OKB; without one asset 1 is A1.",
)
key_option = click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    envvar="TRADEZONE_KEY_FILE",
    show_envvar=True,
    help="File with the private key, 64 hex digits, readable by you alone.",
)
account_option = click.option(
    "--account",
    type=click.IntRange(1),
    help="Account that acts; the owner's main account if absent.",
)
key_id_option = click.option(
    "--key-id", type=click.IntRange(1), help="Id of the key, if it is an agent's."
)


def trading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name a zone and a key."""
    for option in (key_id_option, account_option, key_option, symbols_option, url_option):
        command = option(command)
    return command


def looking_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name a zone."""
    return symbols_option(url_option(command))


def connect(
    url: str,
    symbols: Mapping[int, str],
    key_file: Path | None = None,
    account: int | None = None,
    key_id: int | None = None,
) -> BlockingZone:
    """Connect to a zone; errors end the program with a line."""
    from tradezone.client import BlockingZone

    key = None
    if key_file is not None:
        if key_file.stat().st_mode & 0o077:
            fail(f"{key_file} may be read by others", f"chmod 600 {key_file}")
        key = key_file.read_text().strip()
    return BlockingZone(url, key, account=account, key_id=key_id, symbols=symbols)


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print rows as a table, or all they hold as JSON."""
    if as_json:
        print_json([dict(row) for row in rows])
        return
    if not rows:
        click.echo("none")
        return
    cells = [[str(row.get(name, "")) for name in columns] for row in rows]
    widths = [max(len(name), *(len(line[i]) for line in cells)) for i, name in enumerate(columns)]
    click.echo(
        click.style("  ".join(f"{n:<{w}}" for n, w in zip(columns, widths, strict=True)), bold=True)
    )
    for line in cells:
        click.echo("  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)).rstrip())
