"""Replaying a journal beside a running zone: to rebuild history, and to take snapshots while it trades.

The journal is only read, so no lock is needed: frames that are written meanwhile are seen or not. What was
signed is compared with what comes out, block by block, as recovery does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tradezone.engine import Engine
from tradezone.engine.signatures import SignerPool
from tradezone.protocol.messages import NO_PREFIX, next_prefix
from tradezone.sequencer import BlockHead, BlockReceipts, JournalReader, RecoveryError
from tradezone.sequencer.receipts import FIRST_PARENT, chain_links, hash_leaves
from tradezone.sequencer.recovery import JOURNAL
from tradezone.views import read_trades

from .errors import HistoryError
from .feeds import CandleBoard
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
    digests = hash_leaves(frame.leaves)
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


def replay_blocks(directory: Path, separator: bytes, threads: int = 2) -> Iterator[ReplayedBlock]:
    """Execute a zone's journal from its first block on, and yield its blocks.

    Parameters
    ----------
    directory : Path
        data folder of the zone
    separator : bytes
        EIP-712 domain separator of the zone
    threads : int
        for signatures

    Raises
    ------
    RecoveryError
        If a block does not do again what it did.
    JournalError
        As of `JournalReader`.
    """
    engine, parent, inbox, prefix = Engine(), FIRST_PARENT, 0, NO_PREFIX
    pool = SignerPool(threads)
    try:
        for frame in JournalReader(directory / JOURNAL, separator).read_frames():
            offsets = np.zeros(frame.count + 1, np.int64)
            frame.sizes.cumsum(out=offsets[1:])
            buffer = np.frombuffer(frame.joined, np.uint8)
            signers = pool.recover(buffer, offsets, separator)
            run = engine.execute_run(buffer, offsets, signers, frame.messages)
            inbox += len(frame.messages)
            for message in frame.messages:
                prefix = next_prefix(prefix, message)
            receipts = build_receipts(frame, parent, run.results, inbox, prefix)
            if receipts.links[-32:] != frame.head:
                raise RecoveryError(
                    f"block {frame.block}: executed again its receipts end elsewhere than was signed",
                    "run the version that wrote the journal",
                )
            parent = frame.head
            yield ReplayedBlock(receipts, run.events)
    finally:
        pool.close()


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
    writer = HistoryWriter(temporary, flush_ms=1_000)
    board = CandleBoard()
    try:
        for block in replay_blocks(directory, separator, threads):
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
    candles = board.apply(read_trades(events, receipts.block_head.time))
    writer.add(receipts, events, candles)


class CatchUp:
    """Feeds the store with what recovery executes again (`tradezone.sequencer.recover`, ``observe``).

    Recovery has to run blocks singly behind the store's last one: ``single_after=writer.block``.
    """

    def __init__(self, writer: HistoryWriter, board: CandleBoard) -> None:
        self._writer = writer
        self._board = board
        self.added = 0
        self.progress: Callable[[int], None] | None = None

    def observe(
        self, frames: list[Frame], results: NDArray[np.int32], events: NDArray[Any]
    ) -> None:
        """Take a run in."""
        if self.progress:
            self.progress(frames[-1].block)
        if frames[-1].block <= self._writer.block:
            return
        if len(frames) != 1 or frames[0].block != self._writer.block + 1:
            raise HistoryError(
                f"history ends at block {self._writer.block}, recovery begins at {frames[0].block}",
                "tradezone history rebuild",
            )
        frame = frames[0]
        inbox, prefix = self._writer.get_inbox()
        for message in frame.messages:
            prefix = next_prefix(prefix, message)
        receipts = build_receipts(
            frame, self._writer.head, results, inbox + len(frame.messages), prefix
        )
        if receipts.links[-32:] != frame.head:
            text = f"history ends with another block {self._writer.block} than the journal has"
            raise HistoryError(text, "it is of another journal: delete it, it is rebuilt")
        add_block(self._writer, self._board, receipts, events)
        self.added += 1
