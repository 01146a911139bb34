"""What all commands print with: errors, results, progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Final, NoReturn, ParamSpec, TypeVar

import click

P = ParamSpec("P")
T = TypeVar("T")


def fail(text: str, hint: str = "", *, as_json: bool = False) -> NoReturn:
    """Print an error and exit with status 1."""
    if as_json:
        click.echo(json.dumps({"ok": False, "error": text, "hint": hint}))
    else:
        click.echo(click.style("error: ", fg="red", bold=True) + text, err=True)
        if hint:
            click.echo(f"hint:  {hint}", err=True)
    sys.exit(1)


def explain(error: Exception) -> tuple[str | None, str]:
    """Text and hint of an error of the package; (None, "") for one that is a bug.

    Nothing is imported for it: an error of a package can only come when that package was.
    """
    kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    if kinds & _OURS:
        return str(getattr(error, "text", error)), str(getattr(error, "hint", ""))
    return None, ""


_OURS: Final = frozenset(
    (
        "tradezone.chain.errors.ChainError",
        "tradezone.client.signing.ClientError",
        "tradezone.sequencer.errors.SequencerError",
    )
)
"""Base classes of what the packages raise."""


def catch_errors(command: Callable[P, T]) -> Callable[P, T]:
    """Turn errors of the package into a line and exit status 1; in JSON if ``--json`` was given."""

    @wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return command(*arguments, **options)
        except KeyboardInterrupt:
            click.echo(err=True)
            sys.exit(130)
        except Exception as error:
            text, hint = explain(error)
            if text is None:
                raise
            fail(text, hint, as_json=bool(options.get("as_json")))

    return run


def print_json(body: Any) -> None:
    """Print plain values as JSON."""
    click.echo(json.dumps(body, indent=2))


def print_fields(rows: Mapping[str, object] | Sequence[tuple[str, object]]) -> None:
    """Print names and values in two columns."""
    pairs = list(rows.items()) if isinstance(rows, Mapping) else list(rows)
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        click.echo(f"{name:<{width}}  {value}")


class Progress:
    """One line on a terminal that is written over; nothing where the output is no terminal."""

    def __init__(self, *, is_quiet: bool = False) -> None:
        self._is_shown = sys.stderr.isatty() and not is_quiet
        self._width = 0

    def show(self, text: str) -> None:
        """Write over the line."""
        if self._is_shown:
            click.echo("\r" + text.ljust(self._width), err=True, nl=False)
            self._width = len(text)

    def clear(self) -> None:
        """Remove the line."""
        if self._is_shown and self._width:
            click.echo("\r" + " " * self._width + "\r", err=True, nl=False)
            self._width = 0


class AddressType(click.ParamType):
    """An address on the command line."""

    name = "address"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> str:
        """Check an address and return it in EIP-55 form."""
        from tradezone.chain._codec import to_address_bytes, to_checksum
        from tradezone.chain.errors import AbiError

        try:
            return to_checksum(to_address_bytes(value))
        except AbiError as error:
            self.fail(str(error), parameter, context)


class UrlType(click.ParamType):
    """The address of a node on the command line."""

    name = "url"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> str:
        """Check that it is an http(s) address."""
        if not str(value).startswith(("http://", "https://")):
            text = f"expected an address like http://127.0.0.1:8545, was {value!r}"
            self.fail(text, parameter, context)
        return str(value)


rpc_option = click.option(
    "--rpc",
    "url",
    type=UrlType(),
    required=True,
    envvar="TRADEZONE_RPC",
    show_envvar=True,
    help="JSON-RPC address of an L1 node.",
)
chain_option = click.option(
    "--chain",
    "chain",
    type=AddressType(),
    required=True,
    envvar="TRADEZONE_CHAIN",
    show_envvar=True,
    help="Address of the zone's StateChain contract.",
)
data_option = click.option(
    "--data",
    "data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the published batch files; without it they are taken from L1.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
