"""Replaying a journal beside a running zone: to rebuild history, and to take snapshots while it trades.

The journal is only read, so no lock is needed: frames that are written meanwhile are seen or not. What was
signed is compared with what comes out, block by block, as recovery does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tradezone.engine import Engine
from tradezone.engine.signatures import SignerPool
from tradezone.protocol.events import FILL
from tradezone.protocol.messages import next_prefix
from tradezone.sequencer import (
    BlockHead,
    BlockReceipts,
    JournalReader,
    RecoveryError,
    read_published,
)
from tradezone.sequencer.receipts import chain_links, hash_leaves
from tradezone.sequencer.recovery import (
    BATCHES,
    JOURNAL,
    SNAPSHOTS,
    SnapshotPoint,
    load_newest_snapshot,
    read_origin,
    write_snapshot,
)

from .feeds import CandleBoard, read_moments
from .history import FILE, HistoryWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tradezone.sequencer import Frame

_EVERY: Final = 1_000  # blocks between two calls of `progress`


@dataclass(frozen=True, slots=True)
class ReplayedBlock:
    """A block that was executed again: what it is, and what it did."""

    receipts: BlockReceipts
    events: NDArray[Any]


def build_receipts(
    frame: Frame, parent: bytes, results: NDArray[np.int32], inbox: int, prefix: bytes
) -> BlockReceipts:
    """Return the receipts of a frame that was executed.

    Parameters
    ----------
    parent : bytes
        head of the block before
    inbox, prefix : int, bytes
        of the inbox behind the block
    """
    digests = hash_leaves(frame.run)
    links = chain_links(parent, frame.epoch, frame.first_seq, digests, frame.received, results)
    head = BlockHead(
        frame.epoch,
        frame.block,
        frame.first_seq,
        frame.count,
        frame.time,
        inbox,
        prefix,
        frame.head,
        parent,
        frame.signature,
    )
    return BlockReceipts(head, digests, frame.received.tolist(), results.tolist(), links)


class Replay:
    """Executes a zone's journal again, from a point on, without touching anything.

    Parameters
    ----------
    directory : Path
        data folder of the zone
    separator : bytes
        EIP-712 domain separator of the zone
    start : SnapshotPoint
        where to begin; its engine is moved on
    threads : int
        for signatures
    """

    def __init__(
        self, directory: Path, separator: bytes, start: SnapshotPoint, threads: int = 2
    ) -> None:
        self._directory = directory
        self._separator = separator
        self._threads = threads
        self.point = start

    def run(self, last: int | None = None) -> Iterator[ReplayedBlock]:
        """Yield the blocks behind the point, up to ``last``; the point moves along.

        Raises
        ------
        RecoveryError
            If a block does not do again what it did.
        JournalError
            As of `JournalReader`.
        """
        pool = SignerPool(self._threads)
        reader = JournalReader(self._directory / JOURNAL, self._separator, self.point.block + 1)
        try:
            for frame in reader.read_frames():
                if last is not None and frame.block > last:
                    return
                yield self._execute(frame, pool)
        finally:
            pool.close()

    def _execute(self, frame: Frame, pool: SignerPool) -> ReplayedBlock:
        point = self.point
        if point.frame and frame.previous != point.frame:
            text = f"block {frame.block} does not follow the snapshot at {point.block}"
            raise RecoveryError(text, "they are of different histories")
        offsets = np.zeros(frame.count + 1, np.int64)
        frame.sizes.cumsum(out=offsets[1:])
        buffer = np.frombuffer(frame.joined, np.uint8)
        signers = pool.recover(buffer, offsets, self._separator)
        run = point.engine.execute_run(buffer, offsets, signers, frame.messages)
        inbox, prefix = point.inbox + len(frame.messages), point.prefix
        for message in frame.messages:
            prefix = next_prefix(prefix, message)
        receipts = build_receipts(frame, point.head, run.results, inbox, prefix)
        if receipts.links[-32:] != frame.head:
            raise RecoveryError(
                f"block {frame.block}: executed again its receipts end elsewhere than was signed",
                "run the version that wrote the journal",
            )
        self.point = replace(
            point, block=frame.block, head=frame.head, frame=frame.hash, inbox=inbox, prefix=prefix
        )
        return ReplayedBlock(receipts, run.events)


def take_snapshot(
    directory: Path,
    separator: bytes,
    *,
    keep: int = 2,
    threads: int = 2,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Save the state behind the last published batch, beside a zone that runs or not; return its block.

    Nothing is written if the newest snapshot is that one already.

    Raises
    ------
    RecoveryError
        If the root is not the one that was published; nothing is written.
    """
    published = read_published(directory / BATCHES)
    start = load_newest_snapshot(directory / SNAPSHOTS)
    if not published:
        return start.block
    batch = published[-1]
    end = batch.header.first_block + batch.header.blocks - 1
    if end <= start.block:
        return start.block
    replay = Replay(directory, separator, start, threads)
    for block in replay.run(end):
        number = block.receipts.block_head.block
        if progress and number % _EVERY == 0:
            progress(number)
    point = replay.point
    root = point.engine.commit_root()
    if (point.block, root) != (end, batch.state_root):
        raise RecoveryError(
            f"block {point.block} has the root 0x{root.hex()}, batch {batch.header.number} ends at"
            f" {end} with 0x{batch.state_root.hex()}",
            "run the version that wrote the journal",
        )
    done = replace(point, next_batch=batch.header.number + 1, batch_parent=batch.header.hash())
    write_snapshot(done, directory, keep)
    return end


def rebuild_history(
    directory: Path,
    separator: bytes,
    *,
    threads: int = 2,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Make the history store anew from the journal; the old one is replaced when the new one is whole.

    Returns
    -------
    int
        blocks
    """
    path = directory / FILE
    temporary = directory / f"{FILE}.partial"
    for old in directory.glob(f"{temporary.name}*"):
        old.unlink()
    origin = read_origin(directory)
    writer = HistoryWriter(temporary, flush_ms=1_000, origin=origin)
    board = CandleBoard()
    try:
        start = SnapshotPoint(Engine())
        if origin:
            start = load_newest_snapshot(directory / SNAPSHOTS, last=origin.block)
        for block in Replay(directory, separator, start, threads).run():
            add_block(writer, board, block.receipts, block.events)
            if progress and writer.block % _EVERY == 0:
                progress(writer.block)
        writer.sync()
    finally:
        writer.close()
    for suffix in ("-wal", "-shm"):
        (directory / f"{FILE}{suffix}").unlink(missing_ok=True)
    temporary.replace(path)
    return writer.block


def add_block(
    writer: HistoryWriter, board: CandleBoard, receipts: BlockReceipts, events: NDArray[Any]
) -> None:
    """Add a block to the store, its candles built on the way. Blocks that are there already are passed over."""
    if receipts.block_head.block <= writer.block:
        return
    fills = events[events["kind"] == FILL]
    candles = board.apply_moments(read_moments(fills, receipts.block_head.time))
    writer.add(receipts, events, candles)
