"""``tradezone verify``: a stranger's check of a whole zone."""

from __future__ import annotations

import sys
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
@json_option
@catch_errors
def verify(url: str, chain: str, data: Path | None, as_json: bool) -> None:
    """Replay a zone from L1 and its batch files, and compare every claimed state root.

    Nothing is believed but the L1 chain that the node serves: batch files must lead to the committed
    inputs, every signature is recovered, every step executed again. Exit status 0 only if nothing is
    wrong.
    """
    from tradezone.chain import BatchFiles, ChainReader, Rpc
    from tradezone.verifier import verify as replay

    rpc = Rpc(url)
    reader = ChainReader(rpc, chain)
    committed = reader.batches()
    progress = Progress(is_quiet=as_json)

    def show(report: Report) -> None:
        progress.show(
            f"batch {report.last_batch:,} of {committed:,}, {report.leaves:,} leaves,"
            f" {report.claims:,} claims compared"
        )

    progress.show(f"{committed:,} batches, preparing the engine")
    with BatchFiles(reader, data, committed) as folder:
        report = replay(folder, reader, reader, reader, reader.separator(), progress=show)
    progress.clear()
    is_whole = report.last_batch >= committed and report.claims > 0
    is_ok = report.is_ok and is_whole
    if as_json:
        zone = {"chain_id": rpc.chain_id(), "chain": reader.chain.address, "batches": committed}
        print_json({"ok": is_ok, "zone": zone, "report": report.to_json()})
    else:
        _print(report, rpc.chain_id(), reader.chain.address, is_ok=is_ok)
    sys.exit(0 if is_ok else 1)


def _print(report: Report, chain_id: int, chain: str, *, is_ok: bool) -> None:
    wrong = len(report.wrong_claims)
    print_fields(
        {
            "zone": f"{chain} on chain {chain_id}",
            "replayed": f"{report.batches:,} batches, {report.last_block:,} blocks,"
            f" {report.leaves:,} leaves, {report.signatures:,} signatures",
            "claims": f"{report.claims - wrong:,} equal, {wrong:,} wrong (the genesis is one)",
            "root": f"{report.root} after batch {report.last_batch}",
        }
    )
    for claim in report.wrong_claims:
        click.echo(
            f"wrong: {claim.status} claim {claim.claim} on batch {claim.batch} has root"
            f" {claim.claimed}, expected {claim.root}; claimed by {claim.asserter}"
        )
    for fault in report.faults:
        where = f"batch {fault.batch}" + (f", leaf {fault.seq}" if fault.seq else "")
        click.echo(f"fault: {where}: {fault.text}")
    if report.fault_count > len(report.faults):
        click.echo(f"fault: {report.fault_count - len(report.faults)} more")
    if is_ok:
        click.echo(click.style("ok: ", fg="green", bold=True) + "every claimed root is the root")
    else:
        click.echo(click.style("not ok", fg="red", bold=True), err=True)
