"""Standby sequencers: who is in office, and a folder in which the next one goes on.

Invariant: nothing here asks the sequencer before. The state is computed from what L1 committed and from batch
files, whoever serves them, up to the last committed header; what was not committed is as if it had never been
(docs/spec/sequencers.md).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ._codec import to_checksum
from ._files import write_file
from .abi import INBOX, SEQUENCERS, STATE_CHAIN
from .errors import ChainError, DeposedError
from .poster import BatchFolder
from .withdrawals import BatchFiles, NoClaims

if TYPE_CHECKING:
    from tradezone.protocol.batches import Header
    from tradezone.verifier import Report

    from .reader import ChainReader
    from .rpc import Rpc

_BATCHES: Final = "batches"  # as the sequencer's directory has it


class Office:
    """Whether a key is that of the running epoch, and its folder of the history that L1 committed.

    Parameters
    ----------
    rpc : Rpc
        the node
    inbox : str
        address of the zone's Inbox; its chain names the sequencers
    epoch : int
        in which the key signs
    key : bytes
        its address
    directory : Path, optional
        the sequencer's, once it was recovered: its batches are compared with L1 at the first check
    """

    def __init__(
        self,
        rpc: Rpc,
        inbox: str | bytes,
        epoch: int,
        key: bytes,
        directory: Path | None = None,
    ) -> None:
        self._rpc = rpc
        self._inbox = inbox
        self._epoch = epoch
        self._key = to_checksum(key)
        self._directory = directory
        self._chain: Any = None
        self._sequencers: Any = None
        self._is_known = (
            False  # that the epoch has this key, which never changes, and the folder is its own
        )

    def check(self) -> None:
        """Return if the epoch runs and the key is its own.

        Raises
        ------
        DeposedError
            if not: whatever the key signs from now on is void
        ChainError
            the node fails; nothing is known
        """
        if self._sequencers is None:
            self._chain = self._rpc.at(STATE_CHAIN, self._rpc.at(INBOX, self._inbox).call("chain"))
            self._sequencers = self._rpc.at(SEQUENCERS, self._chain.call("sequencers"))
        current = int(self._sequencers.call("currentEpoch"))
        if current != self._epoch:
            state = "is over" if current > self._epoch else "has not begun"
            raise DeposedError(
                f"epoch {self._epoch} {state}: L1 is in epoch {current}",
                "stand by from an empty folder: tradezone takeover; after a rotation set sequencer.epoch",
            )
        if self._is_known:
            return
        key = self._sequencers.call("sequencerOf", current)
        if key != self._key:
            raise DeposedError(
                f"the sequencer of epoch {current} is {key}, this key is {self._key}",
                "check sequencer.key_file and sequencer.epoch",
            )
        if self._directory:
            self._check_batches(BatchFolder(self._directory))
        self._is_known = True

    def _check_batches(self, folder: BatchFolder) -> None:
        """Whoever comes into office a second time may still have a folder of the history that it lost."""
        hint = "go on from what was committed: tradezone takeover, into an empty folder"
        tip = self._chain.call("tip")[
            "number"
        ]  # before the folder: batches are published, then committed
        last = folder.last()
        if last < tip:
            raise DeposedError(f"L1 holds batch {tip}, this folder ends with batch {last}", hint)
        here = folder.meta(tip) if tip else None
        if here and here.header.hash() != self._chain.call("headerHashOf", tip):
            raise DeposedError(f"batch {tip} on L1 is another than in this folder", hint)
        waiting = folder.meta(tip + 1)
        if waiting and waiting.header.epoch != self._epoch:
            raise DeposedError(
                f"batch {tip + 1} was published in epoch {waiting.header.epoch} and not committed:"
                f" L1 takes it in none after it",
                hint,
            )


@dataclass(frozen=True, slots=True)
class TakeoverReport:
    """A folder that was written. ``tip`` is the hash of the last committed header, zero if there is none."""

    batch: int
    block: int
    seq: int
    tip: bytes
    root: bytes
    wrong_claims: int  # that are alive: somebody should claim beside them

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "batch": self.batch,
            "block": self.block,
            "seq": self.seq,
            "tip": "0x" + self.tip.hex(),
            "root": "0x" + self.root.hex(),
            "wrong_claims": self.wrong_claims,
        }


def prepare_takeover(
    reader: ChainReader,
    data: Path | None,
    directory: Path,
    *,
    progress: Callable[[Report], None] | None = None,
) -> TakeoverReport:
    """Write a sequencer's folder that goes on behind the last committed header.

    Parameters
    ----------
    reader : ChainReader
        the zone
    data : Path, optional
        published batch files; where absent, what was committed along with the batches on L1
    directory : Path
        absent or empty
    progress : callable, optional
        is handed the report of the replay after every batch

    Raises
    ------
    ChainError
        the zone is frozen, the folder is not empty, an input is missing or wrong, or the last header says more than its
        leaves carry out, behind which no block can follow
    """
    from tradezone.engine import Engine  # noqa: PLC0415 - brings Numba
    from tradezone.verifier import verify  # noqa: PLC0415

    if directory.exists() and any(directory.iterdir()):
        raise ChainError(f"{directory} is not empty", "a takeover begins in a folder of its own")
    if reader.chain.call("isFrozen"):
        raise ChainError("the zone is frozen: nobody orders inputs any more", "tradezone exit")
    committed = reader.batches()
    engine = Engine()
    roots: dict[int, bytes] = {}

    def note(report: Report) -> None:
        roots[report.last_batch] = bytes.fromhex(report.root[2:])
        if progress:
            progress(report)

    headers = list(reader.headers(1, committed))
    with BatchFiles(reader, data, committed) as folder:
        report = verify(
            folder,
            reader.up_to(committed),
            reader,
            NoClaims(),
            reader.separator(),
            engine=engine,
            progress=note,
        )
        if report.last_batch != committed:
            fault = report.first_fault
            text = fault.text if fault else f"replay ended behind batch {report.last_batch}"
            raise ChainError(f"batch {report.last_batch + 1} cannot be replayed: {text}")
        block, seq = int(engine.machine["block"]), int(engine.machine["seq"])
        if headers and block + 1 != headers[-1].first_block + headers[-1].blocks:
            last = headers[-1]
            raise ChainError(
                f"header {committed} ends with block {last.first_block + last.blocks - 1},"
                f" its leaves with block {block}: no block can follow",
                "the zone has to be frozen: ape run drill shows how",
            )
        _copy(folder, directory, headers, roots)
    if headers:
        _begin(reader, directory, engine, headers[-1])
    wrong = sum(
        claim.status != "dead" and claim.state_root != roots[claim.batch]
        for claim in reader.claims()
        if claim.batch in roots
    )
    tip = headers[-1].hash() if headers else bytes(32)
    return TakeoverReport(committed, block, seq, tip, engine.commit_root(), wrong)


def _copy(folder: Path, directory: Path, headers: list[Header], roots: dict[int, bytes]) -> None:
    """Put the batches into the new folder, described with the roots that they lead to."""
    from tradezone.sequencer import Batch  # noqa: PLC0415 - brings Numba

    target = directory / _BATCHES
    target.mkdir(parents=True, exist_ok=True)
    for header in headers:
        name = f"{header.number}.batch"
        batch = Batch(header, roots[header.number], target / name)
        shutil.copyfile(folder / name, batch.path)
        body = json.dumps(batch.to_json(), indent=1) + "\n"
        write_file(batch.path.with_suffix(".json"), body.encode())


def _begin(reader: ChainReader, directory: Path, engine: Any, last: Header) -> None:
    from tradezone.sequencer.recovery import SnapshotPoint, write_origin  # noqa: PLC0415

    # A header may promise more messages than its leaves took: what the state has taken counts.
    inbox = int(engine.machine["inbox"])
    start = SnapshotPoint(
        engine,
        int(engine.machine["block"]),
        last.hash(),
        last.hash(),
        inbox,
        reader.inbox.call("prefixHash", inbox),
        last.number + 1,
        last.hash(),
    )
    write_origin(start, directory, reader.separator())
