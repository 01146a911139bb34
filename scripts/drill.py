"""Kill a sequencer and let everybody leave: ``make drill`` or ``ape run drill``."""

from typing import Any

import click
from ape.cli import ConnectedProviderCommand


@click.command(cls=ConnectedProviderCommand, name="drill")
@click.option(
    "--accounts",
    type=click.IntRange(min=20),
    default=1_000,
    show_default=True,
    help="How many owners the zone has.",
)
@click.option(
    "--lost",
    is_flag=True,
    help="Nobody has the leaves of the last two batches: they are abandoned, deposits go back.",
)
def cli(provider: Any, accounts: int, lost: bool) -> None:
    """Trade, kill the sequencer, freeze, claim, and pay everybody from chain and published files alone.

    Exit status 0 only if every owner got what the zone owed him and the vault holds nothing else but what
    nobody was owed. Time and gas of each step are left in .drill/summary.json.
    """
    from scripts._drill import run_drill

    if not provider.network.is_dev:
        name = f"{provider.network.ecosystem.name}:{provider.network.name}"
        raise click.UsageError(
            f"received network {name}, expected a local one: the drill moves time"
        )
    run_drill(provider, accounts, is_lost=lost)
