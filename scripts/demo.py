"""Run a whole exchange on a local chain and check every step: ``make demo`` or ``ape run demo``."""

from typing import Any

import click
from ape.cli import ConnectedProviderCommand


@click.command(cls=ConnectedProviderCommand, name="demo")
@click.option(
    "--messages",
    type=click.IntRange(min=0),
    default=0,
    help="Use only the first N messages of the hour of order flow; 0 = all.",
)
def cli(provider: Any, messages: int) -> None:
    """Stake, venue, a zone as a service, deposits, an hour of orders, batches and claims, withdrawal, verification.

    Exit status 0 only if every check held. The figures are left in .demo/summary.json.
    """
    from scripts._demo import run_demo

    if not provider.network.is_dev:
        name = f"{provider.network.ecosystem.name}:{provider.network.name}"
        raise click.UsageError(
            f"received network {name}, expected a local one: the demo moves time"
        )
    run_demo(provider, messages)
