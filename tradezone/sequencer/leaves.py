"""Many leaves as one run of bytes: what the hot path hands on instead of a Python object a leaf.

Invariant: leaf i is ``buffer[offsets[i] : offsets[i + 1]]``; offsets begin at 0, rise, and end at the buffer's size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Self, overload

import numpy as np

from tradezone.sequencer.jit import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    U8 = NDArray[np.uint8]
    I8 = NDArray[np.int64]

FRAME_SIZE: Final = 2  # bytes of the size in front of each leaf of a binary request


class LeafRun(Sequence[bytes]):
    """A sequence of leaves; one by one they are `bytes`, together they are two arrays.

    Parameters
    ----------
    buffer : uint8[::1]
        the leaves, one behind the other
    offsets : int64[::1]
        where each begins, and the end
    """

    __slots__ = ("buffer", "offsets")

    def __init__(self, buffer: U8, offsets: I8) -> None:
        self.buffer = buffer
        self.offsets = offsets

    @classmethod
    def of(cls, leaves: Iterable[bytes]) -> Self:
        """Return leaves as a run; a run is returned as it is."""
        if isinstance(leaves, cls):
            return leaves
        parts = list(leaves)
        offsets = np.zeros(len(parts) + 1, np.int64)
        if parts:
            np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)), out=offsets[1:])
        return cls(np.frombuffer(b"".join(parts), np.uint8), offsets)

    @classmethod
    def join(cls, runs: Sequence[LeafRun]) -> Self:
        """Lay runs one behind the other."""
        if len(runs) == 1:
            return cls(runs[0].buffer, runs[0].offsets)
        offsets = np.zeros(sum(map(len, runs)) + 1, np.int64)
        at = size = 0
        for run in runs:
            count = len(run)
            offsets[at : at + count + 1] = run.offsets
            offsets[at : at + count + 1] += size
            at += count
            size += len(run.buffer)
        return cls(np.concatenate([run.buffer for run in runs]) if runs else _NOTHING, offsets)

    @property
    def sizes(self) -> I8:
        """Bytes of each leaf."""
        return np.diff(self.offsets)

    def to_bytes(self) -> bytes:
        """Return all leaves, one behind the other."""
        return self.buffer.tobytes()

    def cut(self, first: int, end: int) -> LeafRun:
        """Return leaves ``first .. end - 1``; no byte is copied."""
        if first == 0 and end == len(self):
            return self
        offsets = self.offsets[first : end + 1]
        return LeafRun(self.buffer[offsets[0] : offsets[-1]], offsets - offsets[0])

    def take(self, rows: NDArray[np.intp]) -> LeafRun:
        """Return the leaves of some rows, in that order."""
        return LeafRun.of([self[int(i)] for i in rows])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"leaf {index} of {count}")
        index %= count
        return self.buffer[self.offsets[index] : self.offsets[index + 1]].tobytes()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __repr__(self) -> str:
        return f"LeafRun({list(self)!r})"


_NOTHING: Final = np.zeros(0, np.uint8)


@compiled
def _split(data: U8, offsets: I8, buffer: U8) -> Any:
    """Fill offsets and buffer from sized leaves; how many there are, or minus one, minus where it breaks."""
    at: Any = 0
    to: Any = 0
    count = 0
    while at < data.size:
        if at + FRAME_SIZE > data.size or count + 1 >= offsets.size:
            return -1 - at
        size = np.int64(data[at]) << 8 | np.int64(data[at + 1])
        start = at + FRAME_SIZE
        if size == 0 or start + size > data.size:
            return -1 - at
        for k in range(size):
            buffer[to + k] = data[start + k]
        at = start + size
        to += size
        count += 1
        offsets[count] = to
    return count


def split_frames(data: bytes | memoryview, most: int) -> LeafRun | int:
    """Return the leaves of a binary request, ``(size u16 | leaf[size]) ...``.

    Parameters
    ----------
    data : bytes-like
        of any origin
    most : int
        how many leaves there may be

    Returns
    -------
    LeafRun or int
        the leaves; or the offset of the first that does not fit, or is one too many
    """
    source = np.frombuffer(data, np.uint8)
    offsets = np.zeros(most + 1, np.int64)
    buffer = np.empty(len(source), np.uint8)
    count = int(_split(source, offsets, buffer))
    if count < 0:
        return -1 - count
    offsets = offsets[: count + 1]
    return LeafRun(buffer[: offsets[-1]], offsets)
