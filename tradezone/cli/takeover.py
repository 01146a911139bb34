"""``tradezone takeover``: what a standby needs before it takes over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._output import (
    Progress,
    catch_errors,
    chain_option,
    data_option,
    json_option,
    print_fields,
    print_json,
    rpc_option,
)

if TYPE_CHECKING:
    from tradezone.verifier import Report


@click.command()
@rpc_option
@chain_option
@data_option
@click.option(
    "--into",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Data folder of the new sequencer; absent or empty.",
)
@json_option
@catch_errors
def takeover(url: str, chain: str, data: Path | None, directory: Path, as_json: bool) -> None:
    """Write a data folder in which another sequencer goes on behind the last committed batch.

    Everything is replayed from L1 and the batch files; the sequencer before is not asked. Then take over on L1
    (ape run sequencer take-over) and serve the folder under the new epoch.
    """
    from tradezone.chain import ChainReader, Rpc, prepare_takeover

    reader = ChainReader(Rpc(url), chain)
    progress = Progress(is_quiet=as_json)
    progress.show(f"{reader.batches():,} batches, preparing the engine")

    def show(report: Report) -> None:
        progress.show(f"batch {report.last_batch:,}, {report.leaves:,} leaves")

    found = prepare_takeover(reader, data, directory, progress=show)
    progress.clear()
    if as_json:
        print_json(found.to_json())
        return
    print_fields(
        {
            "folder": str(directory),
            "goes on behind": f"batch {found.batch}, block {found.block}, seq {found.seq - 1}",
            "root": "0x" + found.root.hex(),
        }
    )
    if found.wrong_claims:
        click.echo(f"warning: {found.wrong_claims} claims have another root: ape run post claim")
