"""The inputs tree: one root over the input leaves of a batch, in their order (`docs/spec/tree.md`).

Invariant: position i of the tree holds the leaf with sequence number ``first_seq + i``, so a proof
binds bytes, and how many they are, to a number; positions behind the last leaf are empty. Depth is 24 whatever the count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tradezone.state.keccak import hash_ancestors, hash_inputs, hash_ranges, keccak
from tradezone.state.tree import EMPTY_NODES, HASH_BYTES, ZERO_HASHES, TreeError, fold_proof

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    U64 = NDArray[np.uint64]

DEPTH: Final = 24
MAX_LEAVES: Final = 1 << DEPTH
LEAF_PREFIX: Final = b"\x01"
_SEQ_END: Final = 1 << 64
_SIZE_END: Final = 1 << 32


def input_leaf_hash(seq: int, leaf: bytes) -> bytes:
    """Return ``keccak(0x01 | seq | size | keccak(leaf))``: 8 bytes of seq, 4 of size, big-endian.

    Parameters
    ----------
    seq : int
        Sequence number of the leaf, 0 .. 2^64 - 1.
    leaf : bytes
        The leaf as published.
    """
    size = len(leaf).to_bytes(4, "big")
    return keccak(LEAF_PREFIX + seq.to_bytes(8, "big") + size + keccak(leaf))


def verify_input(
    root: bytes, first_seq: int, seq: int, leaf: bytes, proof: Sequence[bytes]
) -> bool:
    """Tell whether a batch has exactly this leaf at sequence number ``seq``.

    Parameters
    ----------
    root : bytes
        Inputs root of the batch, 32 bytes.
    first_seq : int
        Sequence number of the batch's first leaf.
    seq : int
        Sequence number of the leaf.
    leaf : bytes
        The leaf as published.
    proof : sequence of bytes
        24 siblings of 32 bytes, bottom up.

    Returns
    -------
    bool
        False for everything else: a zero root, a number that is not among the 2^24 from
        ``first_seq`` on or is above 2^64 - 1, a leaf of 2^32 bytes or more, a proof of another length.
    """
    if len(root) != HASH_BYTES or not any(root):
        return False
    if len(proof) != DEPTH or any(len(sibling) != HASH_BYTES for sibling in proof):
        return False
    if not (0 <= first_seq <= seq < _SEQ_END and seq - first_seq < MAX_LEAVES):
        return False
    if len(leaf) >= _SIZE_END:
        return False
    return fold_proof(input_leaf_hash(seq, leaf), seq - first_seq, proof) == root


class InputsTree:
    """The inputs tree of one batch; it does not change.

    Parameters
    ----------
    first_seq : int
        Sequence number of the first leaf.
    digests : uint8[:, ::1], shape (n, 32)
        keccak-256 of each leaf's bytes, in order. See `from_leaves` and `from_buffer`.
    sizes : int64[::1], shape (n,)
        Number of each leaf's bytes.

    Raises
    ------
    TreeError
        If there is no leaf, or more than 2^24, if a sequence number leaves 64 bits or a size 32, or if
        there is not one size a digest.
    """

    def __init__(
        self, first_seq: int, digests: NDArray[np.uint8], sizes: NDArray[np.int64]
    ) -> None:
        count = digests.shape[0]
        if digests.dtype != np.uint8 or digests.shape != (count, HASH_BYTES):
            text = f"expected digests as uint8[n, 32], was {digests.dtype}{digests.shape}"
            raise TreeError(text)
        if sizes.dtype != np.int64 or sizes.shape != (count,):
            text = f"expected sizes as int64[{count}], was {sizes.dtype}{sizes.shape}"
            raise TreeError(text)
        if np.any((sizes < 0) | (sizes >= _SIZE_END)):
            text = f"expected sizes of 0 .. 2^32 - 1, was {sizes.min()} .. {sizes.max()}"
            raise TreeError(text)
        if not 1 <= count <= MAX_LEAVES:
            text = f"a batch has 1 .. 2^{DEPTH} leaves, was {count}"
            raise TreeError(text)
        if not 0 <= first_seq <= _SEQ_END - count:
            text = f"{count} sequence numbers from {first_seq} on leave 64 bits"
            raise TreeError(text)
        self.first_seq = first_seq
        self.count = count
        self._height = (count - 1).bit_length()
        self._nodes: U64 = np.zeros(((2 << self._height) - 1, 4), np.uint64)
        limbs = np.ascontiguousarray(digests).view(np.uint64)
        leaves = self._nodes[: 1 << self._height]
        hash_inputs(np.uint64(first_seq), limbs, np.ascontiguousarray(sizes), leaves)
        hash_ancestors(self._nodes, self._height, EMPTY_NODES, np.arange(count, dtype=np.uint64))
        node = (self._nodes[-1] ^ EMPTY_NODES[self._height]).tobytes()
        for level in range(self._height, DEPTH):
            node = keccak(node + ZERO_HASHES[level])
        self.root = node

    @classmethod
    def from_leaves(cls, first_seq: int, leaves: Sequence[bytes]) -> InputsTree:
        """Build the tree of leaves given one by one; parameters and errors as of the class."""
        digests = np.frombuffer(b"".join(map(keccak, leaves)), np.uint8)
        sizes = np.fromiter(map(len, leaves), np.int64, len(leaves))
        return cls(first_seq, digests.reshape(len(leaves), HASH_BYTES), sizes)

    @classmethod
    def from_buffer(
        cls, first_seq: int, buffer: NDArray[np.uint8], bounds: NDArray[np.int64]
    ) -> InputsTree:
        """Build the tree of leaves that lie one behind the other.

        Parameters
        ----------
        first_seq : int
            Sequence number of the first leaf.
        buffer : uint8[::1]
            The leaves' bytes.
        bounds : int64[::1], shape (n + 1,)
            Leaf i is ``buffer[bounds[i] : bounds[i + 1]]``.

        Raises
        ------
        TreeError
            As of the class, or if ``bounds`` do not rise inside of the buffer.
        """
        if (
            bounds.size < 1
            or bounds[0] < 0
            or bounds[-1] > buffer.size
            or np.any(np.diff(bounds) < 0)
        ):
            text = f"expected bounds that rise within 0 .. {buffer.size}"
            raise TreeError(text)
        digests = np.empty((bounds.size - 1, HASH_BYTES), np.uint8)
        hash_ranges(buffer, bounds, digests.reshape(-1))
        return cls(first_seq, digests, np.diff(bounds))

    def prove(self, seq: int) -> list[bytes]:
        """Return the 24 siblings of the leaf with sequence number ``seq``, bottom up.

        Raises
        ------
        TreeError
            If the batch has no such leaf.
        """
        position = seq - self.first_seq
        if not 0 <= position < self.count:
            last = self.first_seq + self.count - 1
            text = f"expected a sequence number within {self.first_seq} .. {last}, was {seq}"
            raise TreeError(text)
        proof = []
        start = 0
        for level in range(self._height):
            sibling = self._nodes[start + (position >> level ^ 1)]
            proof.append((sibling ^ EMPTY_NODES[level]).tobytes())
            start += 1 << (self._height - level)
        return [*proof, *ZERO_HASHES[self._height : DEPTH]]
