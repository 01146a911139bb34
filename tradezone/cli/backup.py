"""``tradezone backup`` and ``tradezone restore``: a zone's data folder as one checked copy."""

from __future__ import annotations

from pathlib import Path

import click

from ._output import catch_errors
from .serve import config_option


@click.command()
@config_option
@click.argument("target", type=click.Path(path_type=Path))
@catch_errors
def backup(config_path: Path, target: Path) -> None:
    """Copy a zone's journal, batches and snapshots into the new folder TARGET, while it runs or not.

    The copy ends at a block that was on disk when it began to copy the journal; what comes later is not in it.
    """
    from tradezone.service import load_config
    from tradezone.service.backup import make_backup

    report = make_backup(load_config(config_path), target)
    click.echo(
        f"backup of {report.files:,} files, {report.bytes:,} bytes, up to block {report.block:,}"
    )


@click.command()
@config_option
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@catch_errors
def restore(config_path: Path, source: Path) -> None:
    """Put a backup into the zone's data folder, which must not exist yet.

    Warning: a journal that ends before the one that was lost contradicts receipts that are out there. Never
    start a restored zone under the epoch of a sequencer that acknowledged more: take a new epoch.
    """
    from tradezone.service import load_config
    from tradezone.service.backup import restore_backup

    report = restore_backup(load_config(config_path), source)
    click.echo(f"restored {report.files:,} files up to block {report.block:,}")
