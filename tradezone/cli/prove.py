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
    from tradezone.chain import FinalState
    from tradezone.verifier import Report


@click.group()
def prove() -> None:
    """Prove a record of the final state, for L1."""


def _replay(url: str, chain: str, data: Path | None) -> FinalState:
    """Compute the newest final state from the batches; neither the sequencer nor its database is asked."""
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

    state = FinalState.replay(reader, data, claim, progress=show)
    progress.clear()
    return state


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

    Anyone may hand the proof in; only the recipient in the record is paid: `ape run withdraw submit`.
    """
    print_json(_replay(url, chain, data).prove(number).to_json())


@prove.command()
@rpc_option
@chain_option
@data_option
@click.option(
    "--index", type=click.IntRange(min=1), required=True, help="Message of the inbox that asked."
)
@catch_errors
def forced(url: str, chain: str, data: Path | None, index: int) -> None:
    """Print the proof of the zone's answer to a forced operation, as JSON.

    Anyone may hand it in, which settles the operation's bond: `ape run force prove`.
    """
    print_json(_replay(url, chain, data).prove_forced(index).to_json())


account_option = click.option(
    "--account", type=click.IntRange(min=1), required=True, help="Account in the zone."
)


@prove.command()
@rpc_option
@chain_option
@data_option
@account_option
@click.option("--asset", type=click.IntRange(min=1), required=True, help="Id of the asset.")
@catch_errors
def balance(url: str, chain: str, data: Path | None, account: int, asset: int) -> None:
    """Print the proof of what an account holds of an asset, as JSON."""
    state = _replay(url, chain, data)
    print_json(state.prove_one("balance", account=account, asset=asset).to_json())


@prove.command()
@rpc_option
@chain_option
@data_option
@account_option
@click.option("--market", type=click.IntRange(min=1), required=True, help="Slot of the market.")
@catch_errors
def position(url: str, chain: str, data: Path | None, account: int, market: int) -> None:
    """Print the proof of what an account holds of an outcome, as JSON."""
    state = _replay(url, chain, data)
    print_json(state.prove_one("holding", account=account, market=market).to_json())


@prove.command()
@rpc_option
@chain_option
@data_option
@click.option(
    "--id",
    "number",
    type=click.IntRange(min=1),
    required=True,
    help="Id of the order: generation << 32 | slot.",
)
@catch_errors
def order(url: str, chain: str, data: Path | None, number: int) -> None:
    """Print the proof of an open or waiting order, as JSON."""
    state = _replay(url, chain, data)
    print_json(state.prove_order(number).to_json())
