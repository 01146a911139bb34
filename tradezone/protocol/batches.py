"""Batch headers, claims, receipts and the block signature.

A header commits to inputs only and is final once committed; roots stand only in claims, so a lost
dispute never re-orders a trade. Hashes are keccak over Solidity ``abi.encode`` words.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Final

from .hashing import keccak

GENESIS_PARENT: Final = b"\0" * 32
NO_EPOCH: Final = (1 << 64) - 1  # epoch of the closing batch, which no sequencer commits
NO_INPUTS_ROOT: Final = bytes.fromhex(  # inputs root of a batch without leaves: the closing batch
    "cdc72595f74c7b1043d0e1ffbab734648c838dfb0527d971b602bc216c9619ef"
)
HEADER_FIELDS: Final = (
    ("epoch", "uint64"),
    ("number", "uint64"),
    ("parent", "bytes32"),
    ("inputsRoot", "bytes32"),
    ("firstSeq", "uint64"),
    ("count", "uint64"),
    ("inboxIndex", "uint64"),
    ("inboxHash", "bytes32"),
    ("firstBlock", "uint64"),
    ("blocks", "uint64"),
    ("startTime", "uint64"),
    ("endTime", "uint64"),
)


def _words(values: tuple[int | bytes, ...]) -> bytes:
    return b"".join(v.to_bytes(32, "big") if isinstance(v, int) else v for v in values)


@dataclass(frozen=True, slots=True)
class Header:
    """Batch header. Times are ms; ``inbox_index`` is one past the last consumed message."""

    epoch: int
    number: int  # from 1
    parent: bytes  # header hash of number - 1
    inputs_root: bytes
    first_seq: int
    count: int
    inbox_index: int
    inbox_hash: bytes
    first_block: int
    blocks: int
    start_time: int
    end_time: int

    def hash(self) -> bytes:
        """keccak(abi.encode(header))."""
        return keccak(_words(astuple(self)))

    @property
    def is_closing(self) -> bool:
        """Whether it is the last one, that L1 wrote when the zone was frozen."""
        return self.epoch == NO_EPOCH


def claim_id(parent: bytes, number: int, header_hash: bytes, state_root: bytes) -> bytes:
    """Id of a claim: keccak(abi.encode(parent claim, batch number, header hash, state root)).

    The header hash of that batch chains to every earlier input, so a claim is about one history.
    """
    return keccak(_words((parent, number, header_hash, state_root)))


# --- receipts --------------------------------------------------------------------------------------

HEAD_TYPE: Final = (
    "BlockHead(uint64 epoch,uint64 block,uint64 firstSeq,uint64 count,uint64 time,"
    "uint64 inboxIndex,bytes32 inboxHash,bytes32 head,bytes32 parent)"
)


def receipt_link(
    previous: bytes, epoch: int, seq: int, leaf_hash: bytes, received: int, result: int
) -> bytes:
    """Next link of the receipt chain of a block.

    ``keccak(previous 32 | epoch u64 | seq u64 | keccak(leaf) 32 | received u64 ms | result u32)``;
    ``result`` is ``failed items << 16 | first error``.
    """
    return keccak(
        previous
        + epoch.to_bytes(8, "big")
        + seq.to_bytes(8, "big")
        + leaf_hash
        + received.to_bytes(8, "big")
        + result.to_bytes(4, "big")
    )


def block_head_digest(
    separator: bytes,
    epoch: int,
    block: int,
    first_seq: int,
    count: int,
    time: int,
    inbox_index: int,
    inbox_hash: bytes,
    head: bytes,
    parent: bytes,
) -> bytes:
    """EIP-712 digest that the sequencer signs once a block.

    ``time`` is in ms; ``inbox_index`` is one past the last inbox message that the block or one before
    it consumed, ``inbox_hash`` the inbox's prefix hash there. ``head`` is the last receipt link of the
    block, the chain starting at ``parent``, the head of block - 1 (zero for the first block of the zone).
    """
    values = (epoch, block, first_seq, count, time, inbox_index, inbox_hash, head, parent)
    struct = keccak(keccak(HEAD_TYPE.encode()) + _words(values))
    return keccak(b"\x19\x01" + separator + struct)
