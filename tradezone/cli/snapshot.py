"""``tradezone snapshot``: save a zone's state while it trades."""

from __future__ import annotations

from pathlib import Path

import click

from ._output import Progress, catch_errors
from .serve import config_option


@click.command()
@config_option
@catch_errors
def snapshot(config_path: Path) -> None:
    """Save the state behind the last published batch, in a process beside the running zone.

    Trading does not wait for it. A zone that is served this way has `batches.snapshot_batches: 0`: two that save
    would delete each other's older snapshots.
    """
    from tradezone.service import load_config, take_snapshot

    config = load_config(config_path)
    progress = Progress()
    block = take_snapshot(
        config.directory,
        config.domain.separator,
        keep=config.batches.keep_snapshots,
        threads=config.sequencer.verifier_threads,
        progress=lambda number: progress.show(f"block {number:,}"),
    )
    progress.clear()
    click.echo(f"newest snapshot: block {block:,}")
