"""The journal: every block, on disk and synced, before anybody hears of it (`docs/spec/journal.md`).

Segment files hold one frame a block. Invariants:

* A frame carries the hash of the frame before it, so the journal is one chain from its first block.
* `FileJournal.append` returns only after one ``fdatasync`` that covers the frame. After a failed write
  or sync nothing is ever written again: what the kernel did with the pages is unknown.
* Frame n + 1 is written after frame n was synced, so a crash can tear only the last frame. A torn frame
  was never acknowledged and is cut off; a frame that is whole but wrong is never cut off by itself.
* Frames are written over zeros that were synced before. A sync then has no new size and no new blocks to
  record: it is a third faster, and does not wait for whatever else the file system is busy with. A frame
  ends with a byte that is not zero, so the last such byte of a file says how much of it was written.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from array import array
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, Self

import numpy as np

from tradezone.protocol.hashing import keccak
from tradezone.protocol.limits import (
    MAX_BLOCK_LEAVES,
    MAX_INBOX_MARK,
    MAX_INBOX_PAYLOAD,
    MAX_LEAF_BYTES,
)
from tradezone.protocol.messages import MESSAGE_HEADER
from tradezone.sequencer.errors import (
    JournalCorruptError,
    JournalError,
    JournalFailedError,
    JournalLockedError,
)
from tradezone.sequencer.files import make_directory, sync_directory
from tradezone.sequencer.leaves import LeafRun
from tradezone.sequencer.log import EventLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

_log = EventLog("sequencer.journal")

SEGMENT_MAGIC: Final = b"TZJS"
FRAME_MAGIC: Final = b"TZJF"
FRAME_END: Final = b"TZJE"
VERSION: Final = 1
GENESIS: Final = bytes(32)  # "previous" of the first frame
SEGMENT_BYTES: Final = 64 << 20  # rotation: a segment fits comfortably into memory when read
PREPARED_BYTES: Final = 4 << 20  # zeros written ahead at a time
SUFFIX: Final = ".journal"

_SEGMENT: Final = struct.Struct(">4sHHI32sQ32s")  # then crc32 u32
_FRAME: Final = struct.Struct(">4sHHIQQQIIQ32s")  # then crc32 u32
_CRC: Final = struct.Struct(">I")
SEGMENT_HEADER: Final = _SEGMENT.size + 4
FRAME_HEADER: Final = _FRAME.size + 4
_MOST_U16: Final = (1 << 16) - 1
_HEAD_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 65
_FINAL: Final = _CRC.size + len(FRAME_END)
_TRAILER: Final = _HEAD_BYTES + _SIGNATURE_BYTES + _FINAL
MAX_FRAME: Final = (
    FRAME_HEADER
    + (MAX_BLOCK_LEAVES + 1) * (MAX_LEAF_BYTES + 2 + 8)
    + MAX_INBOX_MARK
    * (MESSAGE_HEADER + MAX_INBOX_PAYLOAD + 2)  # the sequencer puts one mark a block
    + _TRAILER
)


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """What the journal keeps of a block. Leaf 0 is the block mark; times are ms."""

    epoch: int
    block: int
    first_seq: int
    leaves: Sequence[bytes]  # a `LeafRun` on the hot path
    received: Sequence[int] | NDArray[np.int64]
    inbox: int  # index of the first message consumed
    messages: Sequence[bytes]
    head: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as read: a block record with its leaves joined, and its place in the chain."""

    epoch: int
    block: int
    first_seq: int
    sizes: NDArray[np.int64]  # bytes of each leaf
    received: NDArray[np.int64]
    joined: bytes  # all leaves, one behind the other
    inbox: int
    messages: tuple[bytes, ...]
    head: bytes
    signature: bytes
    previous: bytes
    hash: bytes

    @property
    def count(self) -> int:
        """Leaves, the mark included."""
        return len(self.sizes)

    @property
    def time(self) -> int:
        """Block time as its mark says, ms."""
        return int.from_bytes(self.joined[9:17], "big")

    @property
    def run(self) -> LeafRun:
        """The leaves together."""
        offsets = np.zeros(self.count + 1, np.int64)
        self.sizes.cumsum(out=offsets[1:])
        return LeafRun(np.frombuffer(self.joined, np.uint8), offsets)

    @property
    def leaves(self) -> list[bytes]:
        """The leaves one by one."""
        at = [0, *np.cumsum(self.sizes).tolist()]
        return [self.joined[a:b] for a, b in pairwise(at)]

    def to_record(self) -> BlockRecord:
        """Return the record that was written."""
        return BlockRecord(
            self.epoch,
            self.block,
            self.first_seq,
            self.leaves,
            self.received.tolist(),
            self.inbox,
            self.messages,
            self.head,
            self.signature,
        )


class JournalWriter(Protocol):
    """Where the sequencer keeps blocks: a disk here, a disk and replicas elsewhere."""

    @property
    def previous(self) -> bytes:
        """Hash of the last frame, `GENESIS` if there is none."""
        ...

    def append(self, record: BlockRecord) -> bytes:
        """Keep a block and return the hash of its frame. Durable on return.

        Raises
        ------
        JournalFailedError
            If it may not be durable. Every later call raises it too.
        """
        ...

    def close(self) -> None:
        """Let go of files and locks."""
        ...


# --- bytes -----------------------------------------------------------------------------------------


def _to_big_endian(code: str, values: Sequence[int]) -> bytes:
    packed = array(code, values)
    packed.byteswap()  # state.keccak refuses big-endian machines
    return packed.tobytes()


def _pack_sizes(leaves: LeafRun) -> bytes:
    sizes = leaves.sizes
    if len(sizes) and int(sizes.max()) > _MOST_U16:
        raise OverflowError(f"a leaf of {int(sizes.max())} bytes")
    return sizes.astype(">u2").tobytes()


def _pack_times(times: Sequence[int] | NDArray[np.int64]) -> bytes:
    if isinstance(times, np.ndarray):
        if len(times) and int(times.min()) < 0:
            raise OverflowError(f"a receive time of {int(times.min())} ms")
        return times.astype(">u8").tobytes()
    return _to_big_endian("Q", times)


def encode_frame(record: BlockRecord, previous: bytes) -> bytes:
    """Return the bytes of a frame. JournalError if a part does not fit its field."""
    leaves, messages = LeafRun.of(record.leaves), record.messages
    try:
        body = b"".join(
            (
                _pack_sizes(leaves),
                _pack_times(record.received),
                leaves.to_bytes(),
                _to_big_endian("H", [len(message) for message in messages]),
                *messages,
                record.head,
                record.signature,
            )
        )
        length = FRAME_HEADER + len(body) + _FINAL
        header = _FRAME.pack(
            FRAME_MAGIC,
            VERSION,
            0,
            length,
            record.epoch,
            record.block,
            record.first_seq,
            len(leaves),
            len(messages),
            record.inbox,
            previous,
        )
    except (OverflowError, struct.error) as error:
        raise JournalError(f"block {record.block} does not fit a frame: {error}") from error
    if len(record.received) != len(leaves) or not leaves:
        text = f"block {record.block}: {len(leaves)} leaves, {len(record.received)} receive times"
        raise JournalError(text, "one receive time a leaf, and at least the block mark")
    if len(record.head) != _HEAD_BYTES or len(record.signature) != _SIGNATURE_BYTES:
        raise JournalError(f"block {record.block}: head and signature are 32 and 65 bytes")
    if length > MAX_FRAME:
        raise JournalError(f"block {record.block} is {length} bytes, at most {MAX_FRAME} fit")
    framed = header + _CRC.pack(zlib.crc32(header)) + body
    return framed + _CRC.pack(zlib.crc32(framed)) + FRAME_END


class _BrokenError(Exception):
    """Why a frame does not read."""


def _read_sizes(data: bytes, at: int, count: int) -> NDArray[np.int64]:
    return np.frombuffer(data, ">u2", count, at).astype(np.int64)


def decode_frame(data: bytes, at: int, length: int) -> Frame:
    """Decode the frame at ``data[at : at + length]``, its header having been read already."""
    end = at + length
    checked = end - _FINAL
    if zlib.crc32(data[at:checked]) != _CRC.unpack_from(data, checked)[0]:
        raise _BrokenError("crc of the frame is wrong")
    if data[checked + _CRC.size : end] != FRAME_END:
        raise _BrokenError("the frame has no end mark")
    (_, _, _, _, epoch, block, first_seq, count, messages, inbox, previous) = _FRAME.unpack_from(
        data, at
    )
    place = at + FRAME_HEADER
    if place + 10 * count + 2 * messages + _TRAILER > end:
        raise _BrokenError(f"{count} leaves and {messages} messages do not fit {length} bytes")
    sizes = _read_sizes(data, place, count)
    place += 2 * count
    received = np.frombuffer(data, ">u8", count, place).astype(np.int64)
    place += 8 * count
    stop = place + int(sizes.sum())
    joined = data[place:stop]
    place = stop
    if place + 2 * messages + _TRAILER > end:
        raise _BrokenError(f"leaves of {len(joined)} bytes do not fit {length} bytes")
    message_sizes = _read_sizes(data, place, messages)
    place += 2 * messages
    kept = []
    for size in message_sizes.tolist():
        kept.append(data[place : place + size])
        place += size
    if place + _TRAILER != end:
        raise _BrokenError(f"length is {length}, its parts are {place + _TRAILER - at}")
    return Frame(
        epoch,
        block,
        first_seq,
        sizes,
        received,
        joined,
        inbox,
        tuple(kept),
        data[place : place + _HEAD_BYTES],
        data[place + _HEAD_BYTES : checked],
        previous,
        keccak(data[at:end]),
    )


@dataclass(frozen=True, slots=True)
class _SegmentStart:
    number: int
    separator: bytes
    first_block: int
    previous: bytes

    def to_bytes(self) -> bytes:
        header = _SEGMENT.pack(
            SEGMENT_MAGIC, VERSION, 0, self.number, self.separator, self.first_block, self.previous
        )
        return header + _CRC.pack(zlib.crc32(header))

    @classmethod
    def from_bytes(cls, data: bytes) -> _SegmentStart:
        data = data[:SEGMENT_HEADER].ljust(SEGMENT_HEADER, b"\0")
        if zlib.crc32(data[: _SEGMENT.size]) != _CRC.unpack_from(data, _SEGMENT.size)[0]:
            raise _BrokenError("crc of the segment header is wrong")
        magic, version, reserved, number, separator, block, previous = _SEGMENT.unpack_from(data)
        if magic != SEGMENT_MAGIC or version != VERSION or reserved:
            raise _BrokenError(f"not a segment of version {VERSION}")
        return cls(number, separator, block, previous)


# --- reading ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a journal ends, and what was found behind its last whole frame."""

    segment: int  # number of the last segment, 0 = there is none
    size: int  # bytes of it that are good
    next_block: int
    next_seq: int
    previous: bytes  # hash of the last frame
    epoch: int
    torn_bytes: int  # cut off by `FileJournal.start`
    torn_segment: bool  # the last file has no whole header and no frame: removed by `start`


class JournalReader:
    """Read a journal from a block on, checking everything that can be checked.

    Parameters
    ----------
    directory : Path
        where the segments are
    separator : bytes
        EIP-712 domain separator of the zone
    from_block : int
        reading begins with the segment that holds this block; earlier frames of it are passed over
    is_tail_expendable : bool
        treat a whole but wrong last frame as torn. Warning: if it had been acknowledged, receipts
        for it exist and the sequencer can be slashed for the block that takes its place
    """

    def __init__(
        self,
        directory: Path,
        separator: bytes,
        from_block: int = 1,
        *,
        is_tail_expendable: bool = False,
    ) -> None:
        self._directory = directory
        self._separator = separator
        self._from_block = from_block
        self._is_tail_expendable = is_tail_expendable
        self.tail: Tail | None = None
        """Set when `read_frames` came to its end."""

    def read_frames(self) -> Iterator[Frame]:
        """Yield the frames from ``from_block`` on.

        Raises
        ------
        JournalCorruptError
            At the first frame that is not what was written.
        JournalError
            If segments are missing, or of another zone.
        """
        segments = _list_segments(self._directory)
        skip = self._find_first(segments)
        block, seq, previous, epoch = 1, 1, GENESIS, 0
        tail = Tail(0, 0, 1, 1, GENESIS, 0, 0, torn_segment=False)
        for i in range(skip, len(segments)):
            path = segments[i]
            data = path.read_bytes().rstrip(b"\0")  # what was written of what was prepared
            is_last = i == len(segments) - 1
            try:
                start = self._read_start(path, data)
            except _BrokenError as reason:
                if is_last and len(data) <= SEGMENT_HEADER:
                    tail = Tail(
                        tail.segment,
                        tail.size,
                        tail.next_block,
                        tail.next_seq,
                        tail.previous,
                        tail.epoch,
                        len(data),
                        torn_segment=True,
                    )
                    break
                raise JournalCorruptError(path, 0, block, str(reason)) from None
            if i == skip:
                block, previous = start.first_block, start.previous
                seq = 1 if block == 1 else 0  # unknown behind blocks that are not here
            elif (start.first_block, start.previous) != (block, previous):
                text = f"segment begins at block {start.first_block}, another chain"
                raise JournalCorruptError(path, 0, block, text)
            at = SEGMENT_HEADER
            while at < len(data):
                frame = self._read_frame(path, data, at, block, is_last)
                if frame is None:
                    break
                found = (frame.block, frame.previous)
                if found != (block, previous):
                    text = f"frame is of block {frame.block} or does not follow the one before"
                    raise JournalCorruptError(path, at, block, text)
                if (seq and frame.first_seq != seq) or frame.epoch < epoch:
                    text = f"seq {frame.first_seq} or epoch {frame.epoch} does not follow"
                    raise JournalCorruptError(path, at, block, text)
                at += _FRAME.unpack_from(data, at)[3]
                block, previous, epoch = block + 1, frame.hash, frame.epoch
                seq = frame.first_seq + frame.count
                if frame.block >= self._from_block:
                    yield frame
            tail = Tail(
                start.number,
                at,
                block,
                seq or 1,
                previous,
                epoch,
                max(len(data) - at, 0),
                torn_segment=False,
            )
        self.tail = tail

    def _find_first(self, segments: list[Path]) -> int:
        """Index of the last segment that begins at or before ``from_block``."""
        first = 0
        for i, path in enumerate(segments):
            try:
                with path.open("rb") as file:
                    start = _SegmentStart.from_bytes(file.read(SEGMENT_HEADER))
            except _BrokenError:
                break  # read_frames says what is wrong, if it gets there
            if i == 0 and start.first_block > self._from_block:
                text = f"the journal begins at block {start.first_block}"
                hint = f"blocks from {self._from_block} on are needed"
                raise JournalError(text, hint)
            if start.first_block > self._from_block:
                break
            first = i
        return first

    def _read_start(self, path: Path, data: bytes) -> _SegmentStart:
        start = _SegmentStart.from_bytes(data)
        if start.separator != self._separator:
            raise JournalError(
                f"{path.name} belongs to the zone 0x{start.separator.hex()}",
                f"this one is 0x{self._separator.hex()}: check chain id and contract",
            )
        if f"{start.number:08d}" != path.stem:
            raise _BrokenError(f"header says segment {start.number}")
        return start

    def _read_frame(
        self, path: Path, data: bytes, at: int, block: int, is_last: bool
    ) -> Frame | None:
        """Return the frame at ``at``, None if the file was torn there."""
        try:
            frame = _parse_frame(data, at)
        except _BrokenError as reason:
            if self._is_tail_expendable and is_last and not _has_frame(data, at + 1):
                return None
            raise JournalCorruptError(path, at, block, str(reason)) from None
        if frame is None and not is_last:
            raise JournalCorruptError(path, at, block, "the segment ends inside a frame")
        return frame


def _parse_frame(data: bytes, at: int) -> Frame | None:
    """Return the frame at ``at``, None if it is not all there; _BrokenError if it is wrong."""
    rest = len(data) - at
    header = data[at : at + FRAME_HEADER].ljust(FRAME_HEADER, b"\0")
    if zlib.crc32(header[: _FRAME.size]) != _CRC.unpack_from(header, _FRAME.size)[0]:
        if rest < FRAME_HEADER:
            return None
        raise _BrokenError("crc of the frame header is wrong")
    magic, version, reserved, length = _FRAME.unpack_from(header)[:4]
    if magic != FRAME_MAGIC or version != VERSION or reserved:
        raise _BrokenError(f"not a frame of version {VERSION}")
    if not FRAME_HEADER + _TRAILER <= length <= MAX_FRAME:
        raise _BrokenError(f"length {length} is impossible")
    return None if length > rest else decode_frame(data, at, length)


def _has_frame(data: bytes, at: int) -> bool:
    """Whether an intact frame header stands anywhere behind ``at``."""
    while (at := data.find(FRAME_MAGIC, at)) >= 0 and at + FRAME_HEADER <= len(data):
        if zlib.crc32(data[at : at + _FRAME.size]) == _CRC.unpack_from(data, at + _FRAME.size)[0]:
            return True
        at += 1
    return False


def _list_segments(directory: Path) -> list[Path]:
    segments = sorted(p for p in directory.glob(f"*{SUFFIX}") if p.stem.isdigit())
    for a, b in pairwise(segments):
        if int(b.stem) != int(a.stem) + 1:
            raise JournalError(
                f"segment {int(a.stem) + 1:08d}{SUFFIX} is missing between {a.name} and {b.name}",
                "restore it from a replica or backup",
            )
    return segments


# --- writing ---------------------------------------------------------------------------------------


class FileJournal:
    """The journal of one process in one directory.

    Read it with `read_frames`, then `start`, then `append`. `open` does the first two.

    Parameters
    ----------
    directory : Path
        made if absent; locked against other processes as long as this object lives
    separator : bytes
        EIP-712 domain separator of the zone
    segment_bytes : int
        a segment that would pass this size is followed by a new one
    prepared_bytes : int
        how much room is zeroed ahead at a time
    write, sync : callable, optional
        what writes to a descriptor at an offset, and syncs it; tests put failing ones here
    """

    def __init__(
        self,
        directory: Path,
        separator: bytes,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        prepared_bytes: int = PREPARED_BYTES,
        write: Callable[[int, memoryview, int], int] = os.pwrite,
        sync: Callable[[int], None] = os.fdatasync,
    ) -> None:
        self._directory = Path(directory)
        self._separator = separator
        self._segment_bytes = segment_bytes
        self._prepared_bytes = prepared_bytes
        self._write = write
        self._sync = sync
        self._descriptor = -1
        self._segment = self._size = self._prepared = 0
        self._previous = GENESIS
        self._block = 0  # next block, 0 = not started
        self._failure: JournalFailedError | None = None
        self._reader: JournalReader | None = None
        make_directory(self._directory)
        self._lock = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise JournalLockedError(
                f"{self._directory.name}/lock is held by another process",
                "only one sequencer may write a journal: stop the other one first",
            ) from None

    @classmethod
    def open(
        cls,
        directory: Path,
        separator: bytes,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        prepared_bytes: int = PREPARED_BYTES,
        write: Callable[[int, memoryview, int], int] = os.pwrite,
        sync: Callable[[int], None] = os.fdatasync,
    ) -> Self:
        """Open a journal for writing, its frames having been checked and thrown away."""
        journal = cls(
            directory,
            separator,
            segment_bytes=segment_bytes,
            prepared_bytes=prepared_bytes,
            write=write,
            sync=sync,
        )
        for _ in journal.read_frames():
            pass
        journal.start()
        return journal

    @property
    def previous(self) -> bytes:
        """Hash of the last frame."""
        return self._previous

    @property
    def tail(self) -> Tail | None:
        """What stands at the end, once `read_frames` came there."""
        return self._reader.tail if self._reader else None

    def read_frames(
        self, from_block: int = 1, *, is_tail_expendable: bool = False
    ) -> Iterator[Frame]:
        """Yield and check the frames; parameters and errors as of `JournalReader`."""
        self._reader = JournalReader(
            self._directory, self._separator, from_block, is_tail_expendable=is_tail_expendable
        )
        return self._reader.read_frames()

    def start(self) -> Tail:
        """Cut off a torn end and make ready for `append`. Return what was found at the end."""
        tail = self.tail
        if tail is None:
            raise JournalError("the journal was not read to its end", "exhaust read_frames() first")
        if tail.torn_segment:
            _list_segments(self._directory)[-1].unlink()
            sync_directory(self._directory)
        if tail.torn_bytes:
            _log.warning(
                "torn_end_cut",
                block=tail.next_block,
                segment=tail.segment,
                offset=tail.size,
                bytes=tail.torn_bytes,
            )
        self._previous, self._block = tail.previous, tail.next_block
        if tail.segment:
            self._segment = tail.segment
            self._size = self._prepared = tail.size
            path = self._directory / f"{tail.segment:08d}{SUFFIX}"
            self._descriptor = os.open(path, os.O_WRONLY)
            self._trim()
            self._sync(self._descriptor)
        return tail

    def begin(self, block: int, previous: bytes) -> None:
        """Begin a journal whose blocks before ``block`` are nowhere: a sequencer that takes over has none.

        Parameters
        ----------
        block : int
            number of the first block that will be written
        previous : bytes
            stands for the frame before it: header hash of the batch that it follows

        Raises
        ------
        JournalError
            If there are segments already.
        """
        if segments := _list_segments(self._directory):
            raise JournalError(f"{segments[0].name} is there already", "begin in an empty folder")
        self._previous, self._block = previous, block
        self._rotate()

    def append(self, record: BlockRecord) -> bytes:
        """Write a block and sync it; as `JournalWriter.append`."""
        if self._failure:
            raise self._failure
        if record.block != self._block:
            raise JournalError(
                f"block {record.block} was offered, {self._block or 'start()'} is next"
            )
        frame = encode_frame(record, self._previous)
        try:
            if self._descriptor < 0 or (
                self._size > SEGMENT_HEADER and self._size + len(frame) > self._segment_bytes
            ):
                self._rotate()
            if self._size + len(frame) > self._prepared:
                self._prepare(len(frame))
            self._write_all(frame, self._size)
            self._sync(self._descriptor)
        except OSError as error:
            self._failure = JournalFailedError(
                f"block {record.block} could not be made durable: {error.strerror or error}",
                "the block is not acknowledged; repair the disk and start again, recovery goes on"
                " from the last synced block",
            )
            _log.error("write_failed", block=record.block, segment=self._segment, error=error)
            raise self._failure from error
        self._size += len(frame)
        self._previous = keccak(frame)
        self._block += 1
        return self._previous

    def _rotate(self) -> None:
        self._close_segment()
        start = _SegmentStart(self._segment + 1, self._separator, self._block, self._previous)
        path = self._directory / f"{start.number:08d}{SUFFIX}"
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        self._segment, self._size = start.number, SEGMENT_HEADER
        self._prepared = SEGMENT_HEADER
        self._write_all(start.to_bytes(), 0)
        self._sync(self._descriptor)
        sync_directory(self._directory)
        _log.info("segment_opened", number=start.number, first_block=start.first_block)

    def _prepare(self, frame_bytes: int) -> None:
        """Zero some room ahead, so that a sync of a frame has nothing but its bytes to record."""
        room = min(self._prepared_bytes, self._segment_bytes - self._prepared)
        zeros = max(room, self._size + frame_bytes - self._prepared)
        self._write_all(bytes(zeros), self._prepared)
        self._sync(self._descriptor)
        self._prepared += zeros

    def _write_all(self, data: bytes, offset: int) -> None:
        rest = memoryview(data)
        while rest:
            written = self._write(self._descriptor, rest, offset)
            rest = rest[written:]
            offset += written

    def _trim(self) -> None:
        """Cut off what is prepared, or torn, behind the last frame."""
        if os.fstat(self._descriptor).st_size > self._size:
            os.ftruncate(self._descriptor, self._size)

    def _close_segment(self) -> None:
        if self._descriptor < 0:
            return
        try:
            if not self._failure:
                self._trim()
        finally:
            os.close(self._descriptor)
            self._descriptor = -1

    def close(self) -> None:
        """Close the segment and let go of the lock."""
        self._close_segment()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        self._block = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MemoryJournal:
    """A journal without a disk, for replays and measurements that need none.

    Warning: what it acknowledges is lost with the process.
    """

    def __init__(self) -> None:
        self._previous = GENESIS
        self.frames: list[bytes] = []

    @property
    def previous(self) -> bytes:
        """Hash of the last frame."""
        return self._previous

    def append(self, record: BlockRecord) -> bytes:
        """Keep a block; as `JournalWriter.append`."""
        frame = encode_frame(record, self._previous)
        self._previous = keccak(frame)
        self.frames.append(frame)
        return self._previous

    def close(self) -> None:
        """Do nothing."""
