"""Withdrawals: the records of a final state that L1 pays, and their proofs.

Everything is computed here from committed inputs; neither the sequencer nor anybody's database is asked.
So an owner can leave with a node, the batch files and this module alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradezone.protocol.enums import ACTIVE, FREE, OUTBOX_FORCED_RESULT, OUTBOX_WITHDRAWAL

from ._codec import to_checksum
from .errors import ChainError, DivergedError
from .poster import BatchFolder

if TYPE_CHECKING:
    from tradezone.engine import Engine
    from tradezone.verifier import Report

    from .reader import ChainReader, Claim

_OUTBOX: Final = "outbox"
_WORD: Final = 32


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A withdrawal that the zone wrote into its outbox. ``amount`` is atoms, ``time`` zone time in ms."""

    id: int
    recipient: str
    asset: int
    amount: int
    owner: int
    time: int

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class WithdrawalProof:
    """What `Withdrawals.withdraw` takes: a claim, and a record with its siblings, bottom up."""

    claim: Claim
    withdrawal: Withdrawal
    words: list[bytes]
    siblings: list[bytes]

    @property
    def argument(self) -> dict[str, Any]:
        """The ``Proof`` struct."""
        return {"id": self.withdrawal.id, "words": self.words, "siblings": self.siblings}

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "claim": "0x" + self.claim.id.hex(),
            "batch": self.claim.batch,
            "state_root": "0x" + self.claim.state_root.hex(),
            "id": self.withdrawal.id,
            "words": ["0x" + word.hex() for word in self.words],
            "siblings": ["0x" + sibling.hex() for sibling in self.siblings],
            "withdrawal": self.withdrawal.to_json(),
        }


@dataclass(frozen=True, slots=True)
class RecordProof:
    """A record of a state, its fields, and its siblings, bottom up."""

    claim: Claim
    table: str
    number: int
    slot: int
    fields: dict[str, int | str]
    words: list[bytes]
    siblings: list[bytes]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values; numbers of more than 53 bits are exact in Python and as text."""
        return {
            "claim": "0x" + self.claim.id.hex(),
            "batch": self.claim.batch,
            "state_root": "0x" + self.claim.state_root.hex(),
            "table": self.table,
            "type": self.number,
            "slot": self.slot,
            "record": {name: str(value) for name, value in self.fields.items()},
            "words": ["0x" + word.hex() for word in self.words],
            "siblings": ["0x" + sibling.hex() for sibling in self.siblings],
        }


class FinalState:
    """The zone's state at a claim, computed from its inputs; see `replay`.

    Attributes
    ----------
    claim : Claim
        whose root the state has
    engine : Engine
        standing there
    """

    def __init__(self, claim: Claim, engine: Engine) -> None:
        from tradezone.protocol.records import TABLE_BY_NAME  # noqa: PLC0415 - brings NumPy

        self.claim = claim
        self.engine = engine
        self._table = TABLE_BY_NAME[_OUTBOX]

    @classmethod
    def replay(
        cls,
        reader: ChainReader,
        data: Path | None,
        claim: Claim | None = None,
        *,
        progress: Callable[[Report], None] | None = None,
    ) -> FinalState:
        """Replay the zone up to a claim, the newest final one if absent.

        Parameters
        ----------
        reader : ChainReader
            the zone
        data : Path, optional
            batch files; where absent, what was committed along with the batches on L1

        Raises
        ------
        ChainError
            inputs are missing or wrong
        DivergedError
            the claim's root is not the root
        """
        claim = claim or reader.latest_final()
        engine = replay_to(reader, data, claim.batch, progress)
        root = engine.commit_root()
        if root != claim.state_root:
            raise DivergedError(
                f"the claim on batch {claim.batch} has root 0x{claim.state_root.hex()},"
                f" its inputs lead to 0x{root.hex()}",
                "a proof against it would prove nothing: dispute the claim",
            )
        return cls(claim, engine)

    def withdrawals(self) -> list[Withdrawal]:
        """Return every withdrawal that was ever written, paid ones too, by rising id."""
        kinds = self.engine.tables[_OUTBOX]["kind"]
        return [self._read(i) for i in range(1, self._end()) if int(kinds[i]) == OUTBOX_WITHDRAWAL]

    def _end(self) -> int:
        """One past the last outbox id."""
        return int(self.engine.tables["head"][self._table.number]["high_water"])

    def _read(self, number: int) -> Withdrawal:
        record = self.engine.tables[_OUTBOX][number]
        field = self._table.field("recipient")
        start = field.word * _WORD + field.offset
        raw = record.tobytes()[start : start + field.width][::-1]
        return Withdrawal(
            number,
            to_checksum(raw),
            int(record["asset"]),
            int(record["amount"]),
            int(record["owner"]),
            int(record["time"]),
        )

    def prove(self, number: int) -> WithdrawalProof:
        """Return the proof of a withdrawal.

        Raises
        ------
        ChainError
            no withdrawal has this id in this state; says which there are
        """
        end = self._end()
        kind = int(self.engine.tables[_OUTBOX][number]["kind"]) if 1 <= number < end else 0
        if kind != OUTBOX_WITHDRAWAL:
            raise ChainError(
                f"withdrawal {number} is not in the state after batch {self.claim.batch}, which"
                f" holds outbox ids {f'1 to {end - 1}' if end > 1 else 'none'}",
                "a newer one can be proven once the claim on its batch is final",
            )
        words, siblings = self.prove_record(_OUTBOX, number)
        return WithdrawalProof(self.claim, self._read(number), words, siblings)

    def prove_forced(self, index: int) -> RecordProof:
        """Return the proof of the answer to a forced operation, by the index of its message.

        Raises
        ------
        ChainError
            this state does not answer it (yet)
        """
        rows = self.engine.tables[_OUTBOX][: self._end()]
        is_answer = (rows["kind"] == OUTBOX_WITHDRAWAL) | (rows["kind"] == OUTBOX_FORCED_RESULT)
        slots = (is_answer & (rows["inbox"] == index) & (rows["inbox"] != 0)).nonzero()[0]
        if not len(slots):
            raise ChainError(
                f"message {index} is not answered in the state after batch {self.claim.batch}",
                "a newer one can be proven once the claim on its batch is final",
            )
        return self._prove(_OUTBOX, int(slots[0]))

    def prove_one(self, table: str, **values: int) -> RecordProof:
        """Return the proof of the record in use that has these values.

        Raises
        ------
        ChainError
            there is none in this state
        """
        from tradezone.protocol.records import TABLE_BY_NAME  # noqa: PLC0415 - brings NumPy

        number = TABLE_BY_NAME[table].number
        end = int(self.engine.tables["head"][number]["high_water"])
        rows = self.engine.tables[table][:end]
        is_wanted = rows["state"] == ACTIVE
        for name, value in values.items():
            is_wanted &= rows[name] == value
        slots = is_wanted.nonzero()[0]
        if not len(slots):
            wanted = ", ".join(f"{name} {value}" for name, value in values.items())
            raise ChainError(
                f"no {table} of {wanted} is in the state after batch {self.claim.batch}"
            )
        return self._prove(table, int(slots[0]))

    def prove_order(self, number: int) -> RecordProof:
        """Return the proof of an order that is in a book or on its way there, by its id.

        Raises
        ------
        ChainError
            it is not in this state: it was never there, or left
        """
        generation, slot = number >> 32, number & 0xFFFFFFFF
        rows = self.engine.tables["order"]
        if (
            not 0 < slot < len(rows)
            or rows[slot]["state"] == FREE
            or int(rows[slot]["generation"]) != generation
        ):
            raise ChainError(f"no order {number} is in the state after batch {self.claim.batch}")
        return self._prove("order", slot)

    def _prove(self, table: str, slot: int) -> RecordProof:
        from tradezone.protocol.records import TABLE_BY_NAME  # noqa: PLC0415 - brings NumPy

        layout = TABLE_BY_NAME[table]
        words, siblings = self.prove_record(table, slot)
        fields: dict[str, int | str] = {}
        for item in layout.fields:
            raw = int.from_bytes(words[item.word], "big") >> item.offset * 8
            value = raw & (1 << item.width * 8) - 1
            if item.kind.startswith("i") and value >> item.width * 8 - 1:
                value -= 1 << item.width * 8
            is_bytes = item.width > 8  # addresses and hashes
            fields[item.name] = f"0x{value:0{2 * item.width}x}" if is_bytes else value
        return RecordProof(self.claim, table, layout.number, slot, fields, words, siblings)

    def prove_record(self, table: str, slot: int) -> tuple[list[bytes], list[bytes]]:
        """Return a record's words and its siblings, bottom up; an empty slot has words of zeros."""
        from tradezone.protocol.records import TABLE_BY_NAME  # noqa: PLC0415 - brings NumPy

        record = self.engine.tables[table][slot].tobytes()
        words = [record[at : at + _WORD][::-1] for at in range(0, len(record), _WORD)]
        return words, self.engine.prove(TABLE_BY_NAME[table].number, slot)


def replay_to(
    reader: ChainReader,
    data: Path | None,
    batch: int,
    progress: Callable[[Report], None] | None = None,
) -> Engine:
    """Replay the zone up to a batch, whatever is claimed about it, and return the engine standing there.

    Raises
    ------
    ChainError
        inputs are missing or wrong; says which
    """
    from tradezone.engine import Engine as EngineType  # noqa: PLC0415 - brings Numba
    from tradezone.verifier import verify  # noqa: PLC0415

    engine = EngineType()
    with BatchFiles(reader, data, batch) as folder:
        report = verify(
            folder,
            reader.up_to(batch),
            reader,
            NoClaims(),
            reader.separator(),
            engine=engine,
            progress=progress,
        )
    if report.last_batch != batch:
        fault = report.first_fault
        text = fault.text if fault else f"replay ended behind batch {report.last_batch}"
        raise ChainError(f"batch {report.last_batch + 1} cannot be replayed: {text}")
    return engine


class NoClaims:
    """Claims for `tradezone.verifier.verify` where they are compared elsewhere."""

    def claims(self) -> tuple[()]:
        """Return none."""
        return ()


class BatchFiles:
    """The batch files of a zone in a folder: the one given, or a temporary one filled from L1.

    Parameters
    ----------
    reader : ChainReader
        the zone
    data : Path, optional
        folder with batch files, or the sequencer's directory around it
    last : int
        newest batch that is needed
    first : int
        oldest batch that is needed
    """

    def __init__(self, reader: ChainReader, data: Path | None, last: int, first: int = 1) -> None:
        self._reader = reader
        self._first, self._last = first, last
        self._folder = BatchFolder(data).path if data else None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Path:
        if self._folder:
            return self._folder
        self._temporary = tempfile.TemporaryDirectory(prefix="tradezone-")
        path = Path(self._temporary.name)
        closing = self._reader.closing_batch()
        for number in range(self._first, self._last + 1):
            if number == closing:  # it has no leaves
                continue
            leaves = self._reader.leaves(number)
            if leaves is None:
                self.__exit__()
                raise ChainError(
                    f"batch {number} was committed without its data",
                    "name the folder with the published batch files: --data",
                )
            (path / f"{number}.batch").write_bytes(leaves)
        return path

    def __exit__(self, *_: object) -> None:
        if self._temporary:
            self._temporary.cleanup()
