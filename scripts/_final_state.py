"""The newest final state of a zone, for commands that prove something in it."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._common import ScriptError, Session
from tradezone.chain import ChainReader, Claim, FinalState

data_option = click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the published batch files; without it they are taken from L1.",
)


def replay_final(session: Session, data: Path | None) -> FinalState:
    """Return the newest final state, computed from the batches. ScriptError if none is final."""
    reader = ChainReader(session.rpc, session.deployment.address("chain"))
    claim: Claim = reader.latest_final()
    if not claim.batch:
        raise ScriptError(
            "no claim on a batch is final yet", "its window has to pass: ape run post finalize"
        )
    session.echo(f"replaying {claim.batch} batches")
    return FinalState.replay(reader, data, claim)
