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
@click.option(
    "--governance",
    is_flag=True,
    help="Walk through the root of trust instead: stake, slot, perpetual, incident, jury, slash, votes.",
)
@click.option(
    "--perps",
    is_flag=True,
    help="Tell a perpetual's life instead, down the whole liquidation ladder; needs no contracts.",
)
def cli(provider: Any, messages: int, governance: bool, perps: bool) -> None:
    """Stake, venue, a zone as a service, deposits, an hour of orders, batches and claims, withdrawal, verification.

    Exit status 0 only if every check held. The figures are left in .demo/summary.json, the stories of
    --governance and --perps in .demo/governance.txt and .demo/perps.txt.
    """
    from scripts._demo import run_demo
    from scripts._governance_walk import run_walk
    from scripts._perps_story import run_story

    if perps:
        if messages or governance:
            raise click.UsageError("--perps is a story of its own: give it alone")
        run_story()
        return

    if not provider.network.is_dev:
        name = f"{provider.network.ecosystem.name}:{provider.network.name}"
        raise click.UsageError(
            f"received network {name}, expected a local one: the demo moves time"
        )
    if governance:
        if messages:
            raise click.UsageError("--messages is about orders; --governance has none")
        run_walk(provider)
        return
    run_demo(provider, messages)
