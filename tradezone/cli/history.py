"""``tradezone history``: the store of trades, orders and receipts."""

from __future__ import annotations

from pathlib import Path

import click

from ._output import Progress, catch_errors
from .serve import config_option


@click.group()
def history() -> None:
    """Look after the store of trades, orders, candles and receipts."""


@history.command()
@config_option
@catch_errors
def rebuild(config_path: Path) -> None:
    """Make the store anew from the journal. The zone must not run: the store is replaced under it."""
    from tradezone.service import ZoneLock, load_config, rebuild_history

    config = load_config(config_path)
    progress = Progress()
    with ZoneLock(config.directory, config.name):
        blocks = rebuild_history(
            config.directory,
            config.domain.separator,
            threads=config.sequencer.verifier_threads,
            progress=lambda block: progress.show(f"block {block:,}"),
        )
    progress.clear()
    click.echo(f"history rebuilt: {blocks:,} blocks")
