"""Building receipts: one link a leaf, one signature a block (`docs/spec/receipts.md`).

Invariant: the chain of a block starts at the head of the block before, so all heads of a zone form one
chain, and two heads for one (epoch, block) are a contradiction that the sequencer signed itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from tradezone.sequencer.jit import compiled
from tradezone.sequencer.leaves import LeafRun
from tradezone.state.keccak import hash_ranges, keccak256
from tradezone.verifier.receipts import BlockHead, Later, Receipt, ReceiptError, verify_receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    U8 = NDArray[np.uint8]

__all__ = [
    "FIRST_PARENT",
    "BlockHead",
    "BlockReceipts",
    "HeadSigner",
    "Later",
    "Receipt",
    "ReceiptError",
    "chain_links",
    "sign_head",
    "verify_receipt",
]

FIRST_PARENT: Final = bytes(32)  # parent of block 1
_LINK_BYTES: Final = 32 + 8 + 8 + 32 + 8 + 4


@compiled
def _put(target: U8, at: int, width: int, value: int | np.int64) -> None:
    for i in range(width):
        target[at + i] = (value >> (8 * (width - 1 - i))) & 0xFF


@compiled
def _chain(
    parent: U8,
    epoch: int,
    first_seq: int,
    digests: U8,
    received: NDArray[np.int64],
    results: NDArray[np.int32],
    links: U8,
) -> None:
    """Fill ``links`` (32 bytes a leaf) from the leaf hashes in ``digests``."""
    message = np.empty(_LINK_BYTES, np.uint8)
    for k in range(32):
        message[k] = parent[k]
    for i in range(received.size):
        _put(message, 32, 8, epoch)
        _put(message, 40, 8, first_seq + i)
        for k in range(32):
            message[48 + k] = digests[32 * i + k]
        _put(message, 80, 8, received[i])
        _put(message, 88, 4, np.int64(results[i]))
        keccak256(message, 0, _LINK_BYTES, links, 32 * i)
        for k in range(32):
            message[k] = links[32 * i + k]


def chain_links(
    parent: bytes,
    epoch: int,
    first_seq: int,
    digests: bytes,
    received: NDArray[np.int64],
    results: NDArray[np.int32],
) -> bytes:
    """Return all links of a block, 32 bytes each; the last one is the head.

    Parameters
    ----------
    parent : bytes
        head of the block before
    epoch, first_seq : int
        of the block
    digests : bytes
        keccak of each leaf, 32 bytes each
    received : int64[n]
        ms
    results : int32[n]
        ``failed items << 16 | first error``
    """
    links = np.empty(32 * len(received), np.uint8)
    _chain(
        np.frombuffer(parent, np.uint8),
        epoch,
        first_seq,
        np.frombuffer(digests, np.uint8),
        received,
        results,
        links,
    )
    return links.tobytes()


@dataclass(frozen=True, slots=True)
class BlockReceipts:
    """All receipts of a block; single ones are cut out when asked for."""

    block_head: BlockHead
    digests: bytes
    received: Sequence[int] | NDArray[np.int64]
    results: Sequence[int] | NDArray[np.int32]
    links: bytes

    def get(self, seq: int) -> Receipt:
        """Return the receipt of leaf ``seq``. IndexError if it is not in this block."""
        head = self.block_head
        i = seq - head.first_seq
        if not 0 <= i < head.count:
            last = head.first_seq + head.count - 1
            raise IndexError(
                f"seq {seq} is not among {head.first_seq} .. {last} of block {head.block}"
            )
        hashes = [self.digests[at : at + 32] for at in range(32 * i, len(self.digests), 32)]
        times = [int(t) for t in self.received[i:]]
        results = [int(r) for r in self.results[i:]]
        return Receipt(
            seq,
            hashes[0],
            times[0],
            results[0],
            self.links[32 * (i - 1) : 32 * i] if i else head.parent,
            tuple(Later(*parts) for parts in zip(hashes[1:], times[1:], results[1:], strict=True)),
            head,
        )


class HeadSigner(Protocol):
    """What signs block heads: `tradezone.client.PrivateKey`, or a device that keeps the key."""

    @property
    def address(self) -> bytes:
        """20 bytes, as registered on L1."""
        ...

    def sign_digest(self, digest: bytes) -> bytes:
        """Return r | s | v over a 32-byte digest, s low, v 27 or 28."""
        ...


def sign_head(key: HeadSigner, separator: bytes, block_head: BlockHead) -> BlockHead:
    """Return a block head with its signature."""
    return replace(block_head, signature=key.sign_digest(block_head.get_digest(separator)))


def hash_leaves(leaves: Sequence[bytes]) -> bytes:
    """Return keccak of each leaf, 32 bytes each."""
    run = LeafRun.of(leaves)
    digests = np.empty(32 * len(run), np.uint8)
    hash_ranges(run.buffer, run.offsets, digests)
    return digests.tobytes()
