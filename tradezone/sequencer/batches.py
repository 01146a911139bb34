"""Batches: blocks grouped, committed to by one header, and published as a file.

Invariants:

* Batches lie end to end: number n + 1 begins with the block and the seq at which n ended.
* A header is a function of the journal and of the block at which the batch ends, so a batch that was
  published and lost is rebuilt with the same hash.
* The state root is taken while the engine stands exactly at the batch's last block.
* ``<number>.batch`` is written before ``<number>.json``; a crash between the two leaves a batch whose
  root is computed again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tradezone.protocol.batches import GENESIS_PARENT, Header
from tradezone.protocol.limits import MAX_BATCH_LEAVES, MAX_BLOCK_LEAVES
from tradezone.sequencer.errors import BatchError
from tradezone.sequencer.files import make_directory, write_file
from tradezone.sequencer.log import EventLog
from tradezone.state.inputs_tree import InputsTree
from tradezone.verifier.batch_file import BatchFile, BatchFileError, decode_header, encode_header

if TYPE_CHECKING:
    from numpy.typing import NDArray

_log = EventLog("sequencer.batches")

BATCH_SUFFIX: Final = ".batch"
META_SUFFIX: Final = ".json"


class BlockInputs(NamedTuple):
    """What a batch needs of a block."""

    number: int
    time: int  # ms
    first_seq: int
    joined: bytes  # leaves, one behind the other
    sizes: NDArray[np.int64]
    digests: bytes  # keccak of each leaf
    inbox_index: int  # one past the last message consumed by the end of the block
    inbox_hash: bytes  # prefix hash of the inbox at that index


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """A batch ends with the block that reaches one of these."""

    blocks: int = 60_000
    bytes: int = 8 << 20
    milliseconds: int = 60_000

    def is_reached(self, blocks: int, leaves: int, size: int, milliseconds: int) -> bool:
        """Whether a batch of so many blocks, leaves, bytes and ms of block time is due."""
        return (
            blocks >= self.blocks
            or size >= self.bytes
            or milliseconds >= self.milliseconds
            or leaves
            >= MAX_BATCH_LEAVES - 2 * MAX_BLOCK_LEAVES  # the next block has to fit as well
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """A published batch and the state root behind it."""

    header: Header
    state_root: bytes
    path: Path

    @property
    def number(self) -> int:
        """Number, from 1."""
        return self.header.number

    def to_json(self) -> dict[str, Any]:
        """Return what stands in the batch's ``.json`` file."""
        header = self.header
        return {
            "number": header.number,
            "header": "0x" + encode_header(header).hex(),
            "header_hash": "0x" + header.hash().hex(),
            "state_root": "0x" + self.state_root.hex(),
            "first_block": header.first_block,
            "blocks": header.blocks,
            "first_seq": header.first_seq,
            "count": header.count,
            "inbox_index": header.inbox_index,
        }


def read_batch_meta(path: Path) -> Batch:
    """Read a batch's ``.json`` file. BatchError if it is not one."""
    try:
        data = json.loads(path.read_text())
        header = decode_header(bytes.fromhex(data["header"][2:]))
        root = bytes.fromhex(data["state_root"][2:])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BatchError(f"{path.name} is not the description of a batch: {error}") from error
    return Batch(header, root, path.with_suffix(BATCH_SUFFIX))


class BatchBuilder:
    """Collects closed blocks and publishes them.

    Parameters
    ----------
    directory : Path
        where batch files go; made if absent
    epoch : int
        of the sequencer that will commit the batches
    limits : BatchLimits, optional
        when a batch is due
    """

    def __init__(self, directory: Path, epoch: int = 1, limits: BatchLimits | None = None) -> None:
        self._directory = Path(directory)
        self._epoch = epoch
        self.limits = limits or BatchLimits()
        make_directory(self._directory)
        self._number = 1
        self._parent = GENESIS_PARENT
        self._blocks: list[BlockInputs] = []
        self._bytes = self._leaves = 0

    # --- state -------------------------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Whether no block is open."""
        return not self._blocks

    @property
    def open_blocks(self) -> int:
        """Blocks that no batch holds yet."""
        return len(self._blocks)

    @property
    def next_number(self) -> int:
        """Number of the next batch."""
        return self._number

    @property
    def parent(self) -> bytes:
        """Header hash of the last batch."""
        return self._parent

    def resume(self, number: int, parent: bytes) -> None:
        """Stand behind batch ``number - 1``, with nothing open."""
        if self._blocks:
            raise BatchError("blocks are open")
        self._number, self._parent = number, parent

    def is_due(self, now: int) -> bool:
        """Whether the open blocks reached a limit at time ``now`` (ms)."""
        return bool(self._blocks) and self.limits.is_reached(
            len(self._blocks), self._leaves, self._bytes, now - self._blocks[0].time
        )

    # --- building ----------------------------------------------------------------------------------

    def add(self, block: BlockInputs) -> None:
        """Add a block that is on disk. BatchError if it does not follow the one before."""
        if self._blocks:
            last = self._blocks[-1]
            follows = (last.number + 1, last.first_seq + len(last.sizes))
            if (block.number, block.first_seq) != follows:
                text = f"block {block.number} at seq {block.first_seq} was added"
                raise BatchError(text, f"expected block {follows[0]} at seq {follows[1]}")
        self._blocks.append(block)
        self._bytes += len(block.joined)
        self._leaves += len(block.sizes)

    def build_header(self) -> Header:
        """Return the header over the open blocks. BatchError if there are none."""
        if not self._blocks:
            raise BatchError("no block is open")
        first, last = self._blocks[0], self._blocks[-1]
        digests = np.frombuffer(b"".join(block.digests for block in self._blocks), np.uint8)
        sizes = np.concatenate([block.sizes for block in self._blocks])
        return Header(
            epoch=self._epoch,
            number=self._number,
            parent=self._parent,
            inputs_root=InputsTree(first.first_seq, digests.reshape(-1, 32), sizes).root,
            first_seq=first.first_seq,
            count=self._leaves,
            inbox_index=last.inbox_index,
            inbox_hash=last.inbox_hash,
            first_block=first.number,
            blocks=len(self._blocks),
            start_time=first.time,
            end_time=last.time,
        )

    def match(self, header: Header) -> None:
        """Check that a header that was published is that of the open blocks, but for its epoch.

        Raises
        ------
        BatchError
            Naming the fields in which it differs.
        """
        if header.epoch > self._epoch:
            text = f"batch {header.number} is of epoch {header.epoch}, this is {self._epoch}"
            raise BatchError(text, "a newer sequencer ran here: this one may not go on")
        built = self.build_header()
        names = [n for n in header.__slots__ if getattr(header, n) != getattr(built, n)]
        if differ := [name for name in names if name != "epoch"]:
            text = f"batch {header.number} on disk differs from the journal in {', '.join(differ)}"
            raise BatchError(text, "one of the two was tampered with; do not commit anything")

    def publish(
        self, state_root: bytes, header: Header | None = None, *, is_on_disk: bool = False
    ) -> Batch:
        """Write the open blocks as the next batch; they are open no more.

        Parameters
        ----------
        state_root : bytes
            root of the state after the last of them
        header : Header, optional
            the one that was published before for the same blocks, see `match`; a new one if absent
        is_on_disk : bool
            both files are there and whole, so nothing is written

        Raises
        ------
        BatchError
            If a file cannot be written. Blocks stay open.
        """
        built = header or self.build_header()
        path = self._directory / f"{built.number}{BATCH_SUFFIX}"
        batch = Batch(built, state_root, path)
        if not is_on_disk:
            self._write(batch)
        self._number += 1
        self._parent = built.hash()
        self._blocks = []
        self._bytes = self._leaves = 0
        return batch

    def _write(self, batch: Batch) -> None:
        header = batch.header
        data = BatchFile(
            header,
            b"".join(block.joined for block in self._blocks),
            np.concatenate([block.sizes for block in self._blocks]),
        ).to_bytes()
        meta = (json.dumps(batch.to_json(), indent=1) + "\n").encode()
        try:
            if _read_header(batch.path) != header:
                write_file(batch.path, data)
            write_file(batch.path.with_suffix(META_SUFFIX), meta)
        except OSError as error:
            text = f"batch {batch.number} cannot be written: {error.strerror or error}"
            raise BatchError(text, "its blocks stay open; make room and publish again") from error
        _log.info(
            "batch_published",
            number=batch.number,
            blocks=header.blocks,
            leaves=header.count,
            bytes=len(data),
            header=header.hash(),
            root=batch.state_root,
        )


def _read_header(path: Path) -> Header | None:
    """Header of a whole batch file, None if there is no such file or it is damaged."""
    try:
        return BatchFile.from_bytes(path.read_bytes()).header
    except (OSError, BatchFileError):
        return None


@dataclass(frozen=True, slots=True)
class PublishedBatch:
    """What is on disk of a batch. ``state_root`` is empty if its ``.json`` was not written."""

    header: Header
    state_root: bytes
    is_file_whole: bool


def read_published(directory: Path) -> list[PublishedBatch]:
    """Return all batches on disk, in order.

    Raises
    ------
    BatchError
        If a number is missing, a file and its ``.json`` disagree, or both of a batch are damaged.
    """
    directory = Path(directory)
    names = [p for p in directory.glob("*") if p.suffix in (BATCH_SUFFIX, META_SUFFIX)]
    numbers = sorted({int(p.stem) for p in names if p.stem.isdigit()})
    batches: list[PublishedBatch] = []
    for expected, number in enumerate(numbers, numbers[0] if numbers else 1):
        if number != expected:
            raise BatchError(f"batch {expected} is missing in {directory.name}", "restore its file")
        path = directory / f"{number}{BATCH_SUFFIX}"
        header = _read_header(path)
        meta_path = path.with_suffix(META_SUFFIX)
        try:
            meta = read_batch_meta(meta_path)
        except BatchError as error:
            if header is None:
                text = f"{path.name} is damaged, and so is {meta_path.name}"
                raise BatchError(text, "if it was committed restore it, else delete it") from error
            meta = None
        known = meta.header if meta else header
        assert known is not None
        if header is not None and header != known:
            raise BatchError(f"{path.name} and {meta_path.name} are of different batches")
        if known.number != number:
            raise BatchError(f"{path.name} holds batch {known.number}")
        batches.append(PublishedBatch(known, meta.state_root if meta else b"", header is not None))
    return batches
