"""Batch files: the published inputs of one batch (`docs/spec/batches.md`).

The file is transport: what counts is the header that L1 holds, and the inputs root in it. Reading checks
framing and CRC only.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import astuple, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from tradezone.protocol.batches import HEADER_FIELDS, Header
from tradezone.protocol.limits import MAX_BATCH_LEAVES

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC: Final = b"TZBF"
VERSION: Final = 1
_START: Final = struct.Struct(">4sHH")
_WORD: Final = 32
_HEADER_BYTES: Final = _WORD * len(HEADER_FIELDS)
_FIXED: Final = _START.size + _HEADER_BYTES + 4
_CRC_BYTES: Final = 4


class BatchFileError(ValueError):
    """The bytes are not a batch file, or not a whole one."""


def encode_header(header: Header) -> bytes:
    """Return the 12 words that `Header.hash` hashes."""
    words = (v.to_bytes(_WORD, "big") if isinstance(v, int) else v for v in astuple(header))
    return b"".join(words)


def decode_header(words: bytes) -> Header:
    """Read what `encode_header` wrote. BatchFileError if a number does not fit 64 bits."""
    values: list[int | bytes] = []
    for i, (name, kind) in enumerate(HEADER_FIELDS):
        word = words[_WORD * i : _WORD * (i + 1)]
        if kind != "bytes32" and any(word[:24]):
            raise BatchFileError(f"{name} does not fit 64 bits: 0x{word.hex()}")
        values.append(word if kind == "bytes32" else int.from_bytes(word, "big"))
    return Header(*values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A batch: its header and its leaves, joined."""

    header: Header
    joined: bytes
    sizes: NDArray[np.int64]  # bytes of each leaf

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Leaf i is ``joined[offsets[i] : offsets[i + 1]]``."""
        offsets = np.zeros(len(self.sizes) + 1, np.int64)
        self.sizes.cumsum(out=offsets[1:])
        return offsets

    @property
    def leaves(self) -> list[bytes]:
        """The leaves one by one."""
        at = self.offsets.tolist()
        return [self.joined[a:b] for a, b in pairwise(at)]

    def to_bytes(self) -> bytes:
        """Return the bytes of the file."""
        body = b"".join(
            (
                _START.pack(MAGIC, VERSION, 0),
                encode_header(self.header),
                len(self.sizes).to_bytes(4, "big"),
                self.sizes.astype(">u2").tobytes(),
                self.joined,
            )
        )
        return body + zlib.crc32(body).to_bytes(_CRC_BYTES, "big")

    @classmethod
    def from_bytes(cls, data: bytes) -> BatchFile:
        """Read a file. BatchFileError says what is wrong with it."""
        if len(data) < _FIXED + _CRC_BYTES:
            raise BatchFileError(
                f"a batch file has at least {_FIXED + _CRC_BYTES} bytes, was {len(data)}"
            )
        magic, version, reserved = _START.unpack_from(data)
        if magic != MAGIC or version != VERSION or reserved:
            raise BatchFileError(
                f"expected a batch file of version {VERSION}, was 0x{data[:8].hex()}"
            )
        if zlib.crc32(data[:-_CRC_BYTES]) != int.from_bytes(data[-_CRC_BYTES:], "big"):
            raise BatchFileError("the checksum is wrong: the file is damaged or not whole")
        header = decode_header(data[_START.size : _START.size + _HEADER_BYTES])
        count = int.from_bytes(data[_FIXED - 4 : _FIXED], "big")
        start = _FIXED + 2 * count
        if count > MAX_BATCH_LEAVES or start > len(data) - _CRC_BYTES:
            raise BatchFileError(f"{count} leaves do not fit the file")
        sizes = np.frombuffer(data, ">u2", count, _FIXED).astype(np.int64)
        joined = data[start:-_CRC_BYTES]
        if int(sizes.sum()) != len(joined):
            raise BatchFileError(
                f"leaves are {int(sizes.sum())} bytes, the file holds {len(joined)}"
            )
        return cls(header, joined, sizes)
