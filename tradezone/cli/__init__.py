"""The ``tradezone`` command: what a trader, a verifier and an operator type.

Commands are imported when they are called, so that ``tradezone --help`` answers at once. Errors are one
line that says what was received and what was expected, and a hint. Exit status: 0 done, 1 failed or found
something wrong, 2 the command line itself is wrong.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, Final

import click

from ._output import explain, fail

COMMANDS: Final = {
    "market": ("tradezone.cli.market", "See what is traded, and at which prices."),
    "order": ("tradezone.cli.order", "Place, change and cancel orders."),
    "account": ("tradezone.cli.account", "See balances, fills, movements and quota."),
    "position": ("tradezone.cli.position", "See positions and change their margin and leverage."),
    "agent": ("tradezone.cli.account", "Let other keys trade for you."),
    "withdraw": ("tradezone.cli.account", "Take money out, to L1."),
    "status": ("tradezone.cli.status", "Show how a zone is."),
    "serve": ("tradezone.cli.serve", "Run a zone."),
    "history": ("tradezone.cli.history", "Look after the store of trades and receipts."),
    "snapshot": ("tradezone.cli.snapshot", "Save a zone's state while it trades."),
    "backup": ("tradezone.cli.backup", "Copy a zone's data, while it runs or not."),
    "restore": ("tradezone.cli.backup", "Put a backup into a zone's data folder."),
    "takeover": ("tradezone.cli.takeover", "Write a folder in which a standby goes on."),
    "verify": ("tradezone.cli.verify", "Replay a zone and compare every claimed state root."),
    "prove": ("tradezone.cli.prove", "Prove a record of the final state, for L1."),
    "exit": ("tradezone.cli.exit", "Leave a zone without asking anybody."),
    "audit": ("tradezone.cli.audit", "Check every invariant of a state, from a snapshot."),
    "demo": ("tradezone.cli.demo", "Tell a story in this process, with every number checked."),
    "doctor": ("tradezone.cli.doctor", "Check what this machine has and a node answers."),
    "version": ("tradezone.cli.version", "Show the versions of the package and the protocol."),
}
"""Name of each command, the module that has it under the same name, and its line in the help."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Import a command."""
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[name][0]), name)
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; an unknown name lists those there are."""
        name = arguments[0]
        if name not in COMMANDS and not context.resilient_parsing:
            known = ", ".join(COMMANDS)
            context.fail(f"no command {name!r}; there are {known}")
        return super().resolve_command(context, arguments)


def _show_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from tradezone import __version__

        click.echo(f"tradezone {__version__}")
        context.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.pass_context
def cli(context: click.Context) -> None:
    """Trade on a zone, run one, verify one, and prove what it owes you.

    Ape scripts deploy a zone's contracts and post its batches: `ape run --help`.
    """
    if os.environ.get("NO_COLOR"):
        context.color = False


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line and exit. Entry point of the ``tradezone`` script."""
    try:
        cli.main(args=arguments, prog_name="tradezone", standalone_mode=True)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - lives until the process ends
        sys.exit(1)
    except Exception as error:
        text, hint = explain(error)
        if text is None:
            raise
        fail(text, hint)
