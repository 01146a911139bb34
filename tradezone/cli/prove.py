"""``tradezone prove``: proofs that L1 takes, computed from committed inputs alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._output import (
    Progress,
    catch_errors,
    chain_option,
    data_option,
    print_json,
    rpc_option,
)

if TYPE_CHECKING:
    from tradezone.verifier import Report


@click.group()
def prove() -> None:
    """Prove a record of the final state, for L1."""


@prove.command()
@rpc_option
@chain_option
@data_option
@click.option(
    "--id", "number", type=click.IntRange(min=1), required=True, help="Id of the withdrawal."
)
@catch_errors
def withdrawal(url: str, chain: str, data: Path | None, number: int) -> None:
    """Print the proof of a withdrawal against the newest final claim, as JSON.

    The state is computed from the batches; neither the sequencer nor its database is asked. Anyone may
    hand the proof in; only the recipient in the record is paid: `ape run withdraw submit`.
    """
    from tradezone.chain import ChainError, ChainReader, FinalState, Rpc

    reader = ChainReader(Rpc(url), chain)
    claim = reader.latest_final()
    if not claim.batch:
        raise ChainError(
            "no claim on a batch is final yet",
            "a claim becomes final after its window: ape run post finalize",
        )
    progress = Progress()

    def show(report: Report) -> None:
        progress.show(f"batch {report.last_batch:,} of {claim.batch:,}")

    proof = FinalState.replay(reader, data, claim, progress=show).prove(number)
    progress.clear()
    print_json(proof.to_json())
