"""What posting by hand and operating a zone share: the poster of a folder, and one round of it."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._common import ScriptError, Session
from tradezone.chain import BatchFolder, DivergedError, Poster

data_option = click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="The sequencer's directory, or its folder of published batches.",
)
with_data_option = click.option(
    "--with-data",
    is_flag=True,
    help="Send batch files along, so that L1 alone is enough to replay.",
)


def build_poster(session: Session, data: Path, *, with_data: bool = False) -> Poster:
    """Return the poster of a sequencer's folder, signing as the session's account."""
    folder = BatchFolder(data)
    return Poster(
        session.rpc,
        session.deployment.address("chain"),
        session.sender,
        folder,
        with_data=with_data,
    )


def check_sequencer(session: Session) -> None:
    """Make sure that the session's account is the sequencer of the running epoch. ScriptError if not."""
    sequencers = session.at("sequencers")
    epoch = sequencers.call("currentEpoch")
    expected = sequencers.call("sequencerOf", epoch)
    if expected != session.address:
        raise ScriptError(
            f"the sequencer of epoch {epoch} is {expected}, this is {session.address}",
            "sign with its key: --account",
        )


def post_once(session: Session, poster: Poster, *, claims: bool) -> None:
    """Commit, claim and finalize what is due, and show it. What the node cannot do now is shown, not raised."""
    from tradezone.chain import ChainError

    try:
        for posted in poster.post():
            session.echo(f"committed batches {posted.first} to {posted.last}")
        if claims:
            for made in poster.claim():
                session.echo(f"claimed 0x{made.state_root.hex()} after batch {made.batch}")
            for final in poster.finalize():
                session.echo(f"final: batch {final.batch}")
    except DivergedError:
        raise
    except ChainError as error:
        session.echo(f"will try again: {error}")
