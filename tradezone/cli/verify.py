"""``tradezone verify``: a stranger's check of a whole zone."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

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
    from tradezone.chain import ChainReader
    from tradezone.verifier import Report


@click.command()
@rpc_option
@chain_option
@data_option
@json_option
@click.option(
    "--follow",
    "seconds",
    type=click.FloatRange(min=0.1),
    help="Stay at the head and look again every so many seconds, until something is wrong.",
)
@catch_errors
def verify(url: str, chain: str, data: Path | None, as_json: bool, seconds: float | None) -> None:
    """Replay a zone from L1 and its batch files, and compare every claimed state root.

    Nothing is believed but the L1 chain that the node serves: batch files must lead to the committed
    inputs, every signature is recovered, every step executed again. Exit status 0 only if nothing is
    wrong.
    """
    from tradezone.chain import BatchFiles, ChainReader, Rpc
    from tradezone.verifier import verify as replay

    rpc = Rpc(url)
    reader = ChainReader(rpc, chain)
    if seconds is not None:
        _follow(reader, data, seconds, as_json=as_json)
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


def _follow(reader: ChainReader, data: Path | None, seconds: float, *, as_json: bool) -> NoReturn:
    """Report each claim as it is made; exit status 1 at the first that is wrong and alive, or a fatal fault."""
    from tradezone.chain import Follower

    follower = Follower(reader, data)
    told: object = None
    while True:
        for found in follower.poll():
            claim = found.claim
            verdict = "equal" if found.is_equal else "wrong"
            row = {
                "verdict": verdict,
                "batch": claim.batch,
                "claim": "0x" + claim.id.hex(),
                "status": claim.status,
                "claimed": "0x" + claim.state_root.hex(),
                "root": "0x" + found.root.hex(),
                "asserter": claim.asserter,
            }
            _tell(row, f"{verdict}: {claim.status} claim on batch {claim.batch}", as_json=as_json)
            if not found.is_equal and claim.status != "dead":
                sys.exit(1)
        fault = follower.fault
        if fault and fault != told:
            text = f"fault: batch {fault.batch}: {fault.text}"
            _tell(
                {"verdict": "fault", "batch": fault.batch, "text": fault.text},
                text,
                as_json=as_json,
            )
            told = fault
        if fault and fault.check != "data":  # a file may come yet
            sys.exit(1)
        time.sleep(seconds)


def _tell(row: dict[str, Any], text: str, *, as_json: bool) -> None:
    click.echo(json.dumps(row) if as_json else text)
    sys.stdout.flush()


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
