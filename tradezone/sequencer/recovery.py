"""Recovery: from what is on disk to a sequencer that goes on where the last synced block ended.

    <directory>/journal/     segments (`journal`)
    <directory>/batches/     <number>.batch, <number>.json (`batches`)
    <directory>/snapshots/   <block>.snapshot, <block>.json, taken where a batch ends
    <directory>/origin.json  where the journal begins, if not at block 1: see `write_origin`

The newest snapshot that loads is taken (or genesis), and the journal behind it is executed again.
Checked on the way: CRC and hash chain of the frames, signers of the leaves, the receipt head of every
block, header and state root of every batch. So a recovered engine that does not stand where the old one
stood is an error that names the block, never a silent difference. Recovery twice is recovery once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tradezone.engine import Engine, EngineError
from tradezone.engine.signatures import SignerPool
from tradezone.protocol.messages import NO_PREFIX, next_prefix
from tradezone.sequencer.batches import (
    BatchBuilder,
    BatchLimits,
    BlockInputs,
    PublishedBatch,
    read_published,
)
from tradezone.sequencer.errors import RecoveryError, SequencerError
from tradezone.sequencer.files import make_directory, publish_file, write_file
from tradezone.sequencer.journal import SEGMENT_BYTES, FileJournal, Frame
from tradezone.sequencer.log import EventLog
from tradezone.sequencer.receipts import (
    FIRST_PARENT,
    BlockHead,
    HeadSigner,
    chain_links,
    hash_leaves,
)
from tradezone.sequencer.sequencer import Sequencer, SequencerConfig

if TYPE_CHECKING:
    from concurrent.futures import Future

    from numpy.typing import NDArray

    from tradezone.sequencer.clock import Clock

_log = EventLog("sequencer.recovery")

JOURNAL: Final = "journal"
BATCHES: Final = "batches"
SNAPSHOTS: Final = "snapshots"
ORIGIN: Final = "origin.json"

# A run of frames that the engine takes in one call: below its limits by more than a block.
_RUN_LEAVES: Final = 8_192
_RUN_BYTES: Final = 3 << 20
_RUN_MESSAGES: Final = 2_048

Observer = Callable[[list[Frame], "NDArray[np.int32]", "NDArray[Any]"], None]
"""Is handed every run that was executed again: its frames, results of all leaves, events."""


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What was found on disk."""

    snapshot_block: int  # 0 = genesis
    last_block: int
    next_seq: int
    replayed_blocks: int
    replayed_leaves: int
    torn_bytes: int
    batches: int
    open_blocks: int
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """A sequencer ready to go on, and how it came about."""

    sequencer: Sequencer
    report: RecoveryReport


@dataclass(frozen=True, slots=True)
class SnapshotPoint:
    """State at which replay begins: genesis, or where a batch ends."""

    engine: Engine
    block: int = 0
    head: bytes = FIRST_PARENT
    frame: bytes = b""  # hash of the frame of `block`
    inbox: int = 0
    prefix: bytes = NO_PREFIX
    next_batch: int = 1
    batch_parent: bytes = bytes(32)


def recover(
    directory: Path,
    config: SequencerConfig,
    key: HeadSigner,
    *,
    clock: Clock | None = None,
    threads: int = 2,
    limits: BatchLimits | None = None,
    segment_bytes: int = SEGMENT_BYTES,
    engine_type: type[Engine] = Engine,
    observe: Observer | None = None,
    single_after: int | None = None,
    is_tail_expendable: bool = False,
) -> Recovered:
    """Open a sequencer's directory, whether it is new, was closed well, or was left by a crash.

    Parameters
    ----------
    directory : Path
        made if absent
    config : SequencerConfig
        zone and epoch
    key : PrivateKey
        signs block heads; within one epoch always the same
    clock, limits, segment_bytes : optional
        of the sequencer, its batches and its journal
    threads : int
        for signatures, now and later
    engine_type : type, optional
        what executes blocks; tests put another one here
    observe : callable, optional
        see `Observer`
    single_after : int, optional
        blocks behind this one are executed in a run each: events do not say which block of a run they
        belong to, and an observer may have to know
    is_tail_expendable : bool
        see `JournalReader`

    Raises
    ------
    JournalError, BatchError, RecoveryError
        What on disk does not fit together, and where. Nothing was changed then.
    """
    began = time.monotonic_ns()
    directory = Path(directory)
    journal = FileJournal(directory / JOURNAL, config.separator, segment_bytes=segment_bytes)
    pool = SignerPool(threads)
    try:
        builder = BatchBuilder(directory / BATCHES, config.epoch, limits)
        published = read_published(directory / BATCHES)
        start = load_newest_snapshot(directory / SNAPSHOTS, engine_type)
        builder.resume(start.next_batch, start.batch_parent)
        origin = read_origin(directory)
        replay = _Replay(config, start, builder, published, observe, origin)
        frames = journal.read_frames(start.block + 1, is_tail_expendable=is_tail_expendable)
        runs = _cut_runs(frames, replay.ends, builder.limits, single_after)
        for run, signers in _recover_ahead(runs, pool, config.separator):
            replay.execute(run, signers)
        replay.check_end(journal, key)
        tail = journal.start()
        sequencer = Sequencer(
            config,
            start.engine,
            journal,
            key,
            clock=clock,
            pool=pool,
            batches=builder,
            head=replay.head,
            inbox_prefix=replay.inbox_prefix,
        )
    except BaseException:
        journal.close()
        pool.close()
        raise
    report = RecoveryReport(
        snapshot_block=start.block,
        last_block=tail.next_block - 1,
        next_seq=int(start.engine.machine["seq"]),
        replayed_blocks=replay.blocks,
        replayed_leaves=replay.leaves,
        torn_bytes=tail.torn_bytes,
        batches=builder.next_number - 1,
        open_blocks=builder.open_blocks,
        milliseconds=(time.monotonic_ns() - began) // 1_000_000,
    )
    _log.info("recovered", **{name: getattr(report, name) for name in report.__slots__})
    return Recovered(sequencer, report)


# --- replay ----------------------------------------------------------------------------------------


class _Replay:
    """Executes frames again and compares everything that was written about them."""

    def __init__(
        self,
        config: SequencerConfig,
        start: SnapshotPoint,
        builder: BatchBuilder,
        published: list[PublishedBatch],
        observe: Observer | None,
        origin: Origin | None,
    ) -> None:
        self._config = config
        self._engine = start.engine
        self._start = start
        self._builder = builder
        self._observe = observe
        self._published = {
            batch.header.number: batch
            for batch in published
            if batch.header.number >= start.next_batch
        }
        if published and published[-1].header.number + 1 < start.next_batch:
            text = f"the snapshot follows batch {start.next_batch - 1}"
            raise RecoveryError(text, f"the last batch on disk is {published[-1].header.number}")
        if published and published[0].header.number > start.next_batch:
            text = f"batches {start.next_batch} .. {published[0].header.number - 1} are missing"
            raise RecoveryError(text, "restore their files, or a snapshot taken behind them")
        found = {batch.header.number: batch.header for batch in published}
        before = found.get(start.next_batch - 1)
        is_first = (
            origin is not None and origin.block == start.block
        )  # of another sequencer's header
        if (
            before
            and not is_first
            and (before.inbox_index, before.inbox_hash) != (start.inbox, start.prefix)
        ):
            text = f"the snapshot stands at inbox message {start.inbox}, 0x{start.prefix.hex()}"
            there = f"{before.inbox_index}, 0x{before.inbox_hash.hex()}"
            raise RecoveryError(text, f"batch {before.number} before it ends at {there}")
        self.ends = {
            batch.header.first_block + batch.header.blocks - 1 for batch in self._published.values()
        }
        self.head = start.head
        self.inbox, self.inbox_prefix = start.inbox, start.prefix
        self.blocks = self.leaves = 0
        self._last: Frame | None = None
        self._last_head: BlockHead | None = None

    def execute(self, run: list[Frame], signers: NDArray[np.uint8]) -> None:
        first = run[0]
        if self._last is None and self._start.frame and first.previous != self._start.frame:
            text = f"the journal behind block {self._start.block} does not follow the snapshot"
            raise RecoveryError(text, "they are of different histories")
        engine = self._engine
        if int(engine.machine["seq"]) != first.first_seq:
            text = f"block {first.block} begins at seq {first.first_seq}"
            raise RecoveryError(text, f"the engine stands at {int(engine.machine['seq'])}")
        buffer, offsets = _join(run)
        messages = [message for frame in run for message in frame.messages]
        try:
            result = engine.execute_run(buffer, offsets, signers, messages)
        except (EngineError, ValueError) as error:
            text = f"blocks {first.block} .. {run[-1].block} cannot be executed again: {error}"
            raise RecoveryError(text, "run the version that wrote the journal") from error
        at = 0
        for frame in run:
            self._check_block(frame, result.results[at : at + frame.count])
            at += frame.count
        if int(engine.machine["block"]) != run[-1].block:
            text = f"block {run[-1].block} was executed, the engine stands at another"
            raise RecoveryError(text, f"{int(engine.machine['block'])}")
        self.blocks += len(run)
        self.leaves += at
        self._last = run[-1]
        if self._observe:
            self._observe(run, result.results, result.events)
        self._publish_again(run[-1].block)

    def _check_block(self, frame: Frame, results: NDArray[np.int32]) -> None:
        if frame.epoch > self._config.epoch:
            text = f"block {frame.block} is of epoch {frame.epoch}, this is {self._config.epoch}"
            raise RecoveryError(text, "a newer sequencer wrote here: this one may not go on")
        digests = hash_leaves(frame.run)
        links = chain_links(
            self.head, frame.epoch, frame.first_seq, digests, frame.received, results
        )
        if links[-32:] != frame.head:
            raise RecoveryError(
                f"block {frame.block}: executed again its receipts end in 0x{links[-32:].hex()}, "
                f"signed was 0x{frame.head.hex()}",
                "the engine does not do what it did: run the version that wrote the journal",
            )
        if frame.inbox != self.inbox:
            text = f"block {frame.block} goes on at inbox message {frame.inbox}"
            raise RecoveryError(text, f"the blocks before it end at {self.inbox}")
        self.inbox += len(frame.messages)
        for message in frame.messages:
            self.inbox_prefix = next_prefix(self.inbox_prefix, message)
        self._last_head = BlockHead(
            frame.epoch,
            frame.block,
            frame.first_seq,
            frame.count,
            frame.time,
            self.inbox,
            self.inbox_prefix,
            frame.head,
            self.head,
            frame.signature,
        )
        self.head = frame.head
        self._builder.add(
            BlockInputs(
                frame.block,
                frame.time,
                frame.first_seq,
                frame.joined,
                frame.sizes,
                digests,
                self.inbox,
                self.inbox_prefix,
            )
        )

    def _publish_again(self, block: int) -> None:
        batch = self._published.get(self._builder.next_number)
        if batch is None:
            if self._builder.is_due(int(self._engine.machine["time"])):
                self._builder.publish(self._engine.commit_root())
            return
        if block != batch.header.first_block + batch.header.blocks - 1:
            return
        self._builder.match(batch.header)
        root = self._engine.commit_root()
        if batch.state_root and batch.state_root != root:
            raise RecoveryError(
                f"batch {batch.header.number}: executed again the state root is 0x{root.hex()}, "
                f"published was 0x{batch.state_root.hex()}",
                "the engine does not do what it did: run the version that wrote the journal",
            )
        is_on_disk = batch.is_file_whole and bool(batch.state_root)
        if not is_on_disk:
            _log.warning("batch_completed", number=batch.header.number)
        self._builder.publish(root, batch.header, is_on_disk=is_on_disk)

    def check_end(self, journal: FileJournal, key: HeadSigner) -> None:
        """Raise if the journal ends before something that was published, or under another key."""
        if self._published and self._builder.next_number <= max(self._published):
            raise RecoveryError(
                f"batch {self._builder.next_number} was published, the journal ends inside or before it",
                "restore the journal from a replica: without it receipts would be contradicted",
            )
        tail = journal.tail
        assert tail is not None
        if self._last is None and self._start.frame and tail.previous != self._start.frame:
            text = f"the snapshot is of block {self._start.block}"
            raise RecoveryError(text, f"the journal ends at block {tail.next_block - 1}")
        if self._last_head and self._last_head.epoch == self._config.epoch:
            signer = self._last_head.recover_signer(self._config.separator)
            if signer != key.address:
                by = f"0x{signer.hex()}" if signer else "nobody"
                raise RecoveryError(
                    f"block {self._last_head.block} of this epoch was signed by {by}",
                    f"this key is 0x{key.address.hex()}: one epoch has one key",
                )


def _join(run: list[Frame]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    sizes = np.concatenate([frame.sizes for frame in run])
    offsets = np.zeros(len(sizes) + 1, np.int64)
    sizes.cumsum(out=offsets[1:])
    return np.frombuffer(b"".join(frame.joined for frame in run), np.uint8), offsets


def _cut_runs(
    frames: Iterable[Frame],
    ends: set[int],
    limits: BatchLimits,
    single_after: int | None = None,
) -> Iterator[list[Frame]]:
    """Group frames into runs: no longer than the engine takes, and ended where a batch ends.

    Behind the last published batch they end where the limits say, so what was lost before it was
    published is cut as it would have been.
    """
    run: list[Frame] = []
    leaves = size = messages = 0
    last_end = max(ends, default=0)
    blocks = batch_leaves = batch_size = start = 0
    for frame in frames:
        run.append(frame)
        if frame.block > last_end:
            start = start if blocks else frame.time
            blocks += 1
            batch_leaves += frame.count
            batch_size += len(frame.joined)
            if limits.is_reached(blocks, batch_leaves, batch_size, frame.time - start):
                ends.add(frame.block)
                blocks = batch_leaves = batch_size = 0
        leaves += frame.count
        size += len(frame.joined)
        messages += len(frame.messages)
        is_full = leaves >= _RUN_LEAVES or size >= _RUN_BYTES or messages >= _RUN_MESSAGES
        is_alone = single_after is not None and frame.block >= single_after
        if is_full or is_alone or frame.block in ends:
            yield run
            run = []
            leaves = size = messages = 0
    if run:
        yield run


def _recover_ahead(
    runs: Iterable[list[Frame]], pool: SignerPool, separator: bytes
) -> Iterator[tuple[list[Frame], NDArray[np.uint8]]]:
    """Recover signers of the next runs on other threads while one is executed."""
    ahead: list[tuple[list[Frame], Future[NDArray[np.uint8]]]] = []
    for run in runs:
        ahead.append((run, pool.submit(*_join(run), separator)))
        if len(ahead) > pool.threads:
            frames, future = ahead.pop(0)
            yield frames, future.result()
    for frames, future in ahead:
        yield frames, future.result()


# --- snapshots -------------------------------------------------------------------------------------


def save_snapshot(sequencer: Sequencer, directory: Path, keep: int = 2) -> Path:
    """Write the engine's state so that recovery can begin there; return the file.

    Parameters
    ----------
    sequencer : Sequencer
        with all its blocks published: call it right after `Sequencer.publish_batch`
    directory : Path
        the sequencer's directory
    keep : int
        older snapshots than the newest ``keep`` are deleted

    Raises
    ------
    SequencerError
        If blocks are open.
    """
    builder = sequencer.batches
    if builder is None or not builder.is_empty:
        raise SequencerError("blocks are open", "publish a batch, then take the snapshot")
    inbox, prefix = sequencer.inbox
    start = SnapshotPoint(
        sequencer.engine,
        sequencer.block,
        sequencer.head,
        sequencer.journal_hash,
        inbox,
        prefix,
        builder.next_number,
        builder.parent,
    )
    return write_snapshot(start, directory, keep)


def write_snapshot(start: SnapshotPoint, directory: Path, keep: int = 2) -> Path:
    """Write a state at which recovery can begin; return the file.

    Parameters
    ----------
    start : SnapshotPoint
        where a batch ends
    directory, keep : Path, int
        as of `save_snapshot`
    """
    folder = Path(directory) / SNAPSHOTS
    make_directory(folder)
    path = folder / f"{start.block}.snapshot"
    temporary = path.with_name(path.name + ".partial")
    start.engine.save_snapshot(temporary)
    publish_file(path, temporary)
    meta = {
        "block": start.block,
        "head": start.head.hex(),
        "frame": start.frame.hex(),
        "inbox": start.inbox,
        "inbox_prefix": start.prefix.hex(),
        "next_batch": start.next_batch,
        "batch_parent": start.batch_parent.hex(),
        "state_root": start.engine.commit_root().hex(),
    }
    write_file(path.with_suffix(".json"), (json.dumps(meta, indent=1) + "\n").encode())
    kept = {str(block) for block in sorted(list_snapshots(folder))[-keep:]}
    if origin := read_origin(Path(directory)):
        kept.add(str(origin.block))  # nothing before it can be executed again here
    for old in folder.iterdir():
        if old.name.split(".")[0] not in kept:
            old.unlink()
    _log.info("snapshot_saved", block=start.block, bytes=path.stat().st_size)
    return path


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a folder's history begins that a sequencer got by taking over."""

    block: int  # last one that is not in the journal
    event: int  # number of the last event up to it
    head: bytes  # header hash of the batch that ends with it: parent of the next block head


def write_origin(start: SnapshotPoint, directory: Path, separator: bytes) -> None:
    """Make a new folder in which a sequencer goes on behind a committed batch that others made.

    What it does not have of the blocks before is what only their sequencer knew: when leaves came, and so the links
    of receipts. The header's hash takes the place of the last link and of the last frame.

    Parameters
    ----------
    start : SnapshotPoint
        the state behind that batch; ``head`` and ``frame`` are its header hash
    directory : Path
        without a journal
    separator : bytes
        EIP-712 domain separator of the zone

    Raises
    ------
    JournalError, JournalLockedError
        If there is a journal already, or a process that writes it.
    """
    journal = FileJournal(directory / JOURNAL, separator)
    try:
        write_snapshot(start, directory)
        origin = {
            "block": start.block,
            "event": start.engine.last_event,
            "head": start.head.hex(),
        }
        write_file(directory / ORIGIN, (json.dumps(origin, indent=1) + "\n").encode())
        journal.begin(start.block + 1, start.frame)  # last: with it the folder is one
    finally:
        journal.close()


def read_origin(directory: Path) -> Origin | None:
    """Return where a folder's history begins; None if that is the first block.

    Raises
    ------
    RecoveryError
        If the file that says so is damaged.
    """
    path = directory / ORIGIN
    try:
        body = json.loads(path.read_text())
        return Origin(int(body["block"]), int(body["event"]), bytes.fromhex(body["head"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = f"{path.name} does not say where the journal begins: {error}"
        raise RecoveryError(
            text, "take it from a backup, or begin again: tradezone takeover"
        ) from None


def list_snapshots(folder: Path) -> list[int]:
    """Blocks of the snapshots in a folder, in no order."""
    return [int(p.stem) for p in folder.glob("*.json") if p.stem.isdigit()]


def load_newest_snapshot(
    folder: Path, engine_type: type[Engine] = Engine, *, last: int | None = None
) -> SnapshotPoint:
    """Return the newest snapshot that loads and has the root it was saved with; genesis if there is none.

    ``last``: a snapshot behind this block is passed over.
    """
    for block in sorted(list_snapshots(folder), reverse=True):
        if last is not None and block > last:
            continue
        path = folder / f"{block}.snapshot"
        try:
            meta = json.loads(path.with_suffix(".json").read_text())
            engine = engine_type.from_snapshot(path)
            start = SnapshotPoint(
                engine,
                int(meta["block"]),
                bytes.fromhex(meta["head"]),
                bytes.fromhex(meta["frame"]),
                int(meta["inbox"]),
                bytes.fromhex(meta["inbox_prefix"]),
                int(meta["next_batch"]),
                bytes.fromhex(meta["batch_parent"]),
            )
            root = bytes.fromhex(meta["state_root"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("snapshot_unusable", block=block, error=error)
            continue
        place = (int(engine.machine["block"]), int(engine.machine["inbox"]))
        if engine.commit_root() == root and place == (start.block, start.inbox):
            return start
        _log.warning(
            "snapshot_unusable", block=block, error="its state is not the one it was saved with"
        )
    return SnapshotPoint(engine_type())
