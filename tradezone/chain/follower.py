"""Follow a zone's head: replay each batch as it is committed, and compare each claim as it is made.

Invariant: a root is computed once, from inputs that lead to what L1 committed, and every claim that is ever made
about its batch is compared with it, however late the claim comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .withdrawals import BatchFiles, NoClaims

if TYPE_CHECKING:
    from tradezone.verifier import Fault, Report

    from .reader import ChainReader, Claim


@dataclass(frozen=True, slots=True)
class Compared:
    """A claim and the root that its inputs lead to."""

    claim: Claim
    root: bytes

    @property
    def is_equal(self) -> bool:
        """Whether it claims the right root."""
        return self.claim.state_root == self.root


class Follower:
    """One verifier that stays at the head.

    Parameters
    ----------
    reader : ChainReader
        the zone
    data : Path, optional
        batch files, which may come later than their headers; where absent, what was committed on L1

    Attributes
    ----------
    last : int
        newest batch that was replayed
    fault : Fault or None
        why replay cannot go on; None while it can. A batch file that is not there yet is tried again.
    faults : list of Fault
        what no honest sequencer does and the rules make harmless
    """

    def __init__(self, reader: ChainReader, data: Path | None) -> None:
        from tradezone.engine import Engine  # noqa: PLC0415 - brings Numba

        self.reader = reader
        self.last = 0
        self.fault: Fault | None = None
        self.faults: list[Fault] = []
        self._data = data
        self._engine = Engine()
        self._separator = reader.separator()
        self._roots = {0: self._engine.commit_root()}
        self._seen: set[bytes] = set()

    def poll(self) -> Iterator[Compared]:
        """Replay what was committed since the last time, and yield every claim not seen before.

        Raises
        ------
        ChainError
            the node fails, or its logs are incomplete; call again
        """
        self._replay()
        for claim in self.reader.claims():
            root = self._roots.get(claim.batch)
            if claim.id not in self._seen and root is not None:
                self._seen.add(claim.id)
                yield Compared(claim, root)

    def _replay(self) -> None:
        from tradezone.verifier import verify  # noqa: PLC0415 - brings Numba

        committed = self.reader.batches()
        if committed == self.last or (self.fault and self.fault.check != "data"):
            return

        def note(report: Report) -> None:
            self._roots[report.last_batch] = bytes.fromhex(report.root[2:])
            self.last = report.last_batch

        self.fault = None
        with BatchFiles(self.reader, self._data, committed, self.last + 1) as folder:
            report = verify(
                folder,
                self.reader.up_to(committed),
                self.reader,
                NoClaims(),
                self._separator,
                engine=self._engine,
                first_batch=self.last + 1,
                progress=note,
            )
        for fault in report.faults:
            if fault.is_fatal:
                self.fault = fault
            else:
                self.faults.append(fault)
