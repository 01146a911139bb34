"""Receipts: what the sequencer signed about one leaf, and how anybody checks it (`docs/spec/receipts.md`).

A block's receipts form one hash chain with a link a leaf; the sequencer signs its last link, the head.
A receipt holds what is needed to walk from its own link to that head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import coincurve

from tradezone.protocol.batches import block_head_digest, receipt_link
from tradezone.protocol.hashing import keccak
from tradezone.protocol.limits import SECP256K1_HALF_ORDER

_WORD: Final = 32
_SIGNATURE: Final = 65
_RESULT_END: Final = 1 << 32


class ReceiptError(ValueError):
    """A receipt does not prove what it says."""


@dataclass(frozen=True, slots=True)
class Later:
    """A link behind the receipt's own, towards the head. Time in ms."""

    leaf_hash: bytes
    received: int
    result: int


@dataclass(frozen=True, slots=True)
class BlockHead:
    """What the sequencer signs once a block. ``count`` leaves from ``first_seq`` on, mark included.

    It is void if ``inbox_hash`` is not the L1 inbox's prefix hash at ``inbox_index``.
    """

    epoch: int
    block: int
    first_seq: int
    count: int
    time: int  # of the block, ms
    inbox_index: int  # one past the last message consumed by the end of the block
    inbox_hash: bytes  # prefix hash of the inbox at that index
    head: bytes
    parent: bytes
    signature: bytes = b""  # r | s | v; empty while it is not signed

    def get_digest(self, separator: bytes) -> bytes:
        """EIP-712 digest under the zone's domain separator."""
        return block_head_digest(
            separator,
            self.epoch,
            self.block,
            self.first_seq,
            self.count,
            self.time,
            self.inbox_index,
            self.inbox_hash,
            self.head,
            self.parent,
        )

    def recover_signer(self, separator: bytes) -> bytes | None:
        """Return the 20-byte address that signed, or None if the signature breaks a rule."""
        if len(self.signature) != _SIGNATURE or self.signature[64] not in (27, 28):
            return None
        if int.from_bytes(self.signature[32:64], "big") > SECP256K1_HALF_ORDER:
            return None
        compact = self.signature[:64] + bytes([self.signature[64] - 27])
        try:
            key = coincurve.PublicKey.from_signature_and_message(
                compact, self.get_digest(separator), hasher=None
            )
        except Exception:  # noqa: BLE001 -- the library has no narrower class
            return None
        return keccak(key.format(compressed=False)[1:])[12:]

    def to_json(self) -> dict[str, Any]:
        """Return plain values; 64-bit numbers as decimal text."""
        return {
            "epoch": str(self.epoch),
            "block": str(self.block),
            "first_seq": str(self.first_seq),
            "count": self.count,
            "time": str(self.time),
            "inbox_index": str(self.inbox_index),
            "inbox_hash": "0x" + self.inbox_hash.hex(),
            "head": "0x" + self.head.hex(),
            "parent": "0x" + self.parent.hex(),
            "signature": "0x" + self.signature.hex(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> BlockHead:
        """Read what `to_json` returned. ReceiptError if a part is missing or malformed."""
        try:
            return cls(
                int(data["epoch"]),
                int(data["block"]),
                int(data["first_seq"]),
                int(data["count"]),
                int(data["time"]),
                int(data["inbox_index"]),
                _from_hex(data["inbox_hash"], _WORD),
                _from_hex(data["head"], _WORD),
                _from_hex(data["parent"], _WORD),
                _from_hex(data["signature"], _SIGNATURE),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ReceiptError(f"not a block head: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that leaf ``seq`` was taken at ``received`` (ms) and had ``result``.

    ``before`` is the link of the leaf before it (the block's ``parent`` for the first leaf);
    ``after`` are the leaves behind it in the block, in order.
    """

    seq: int
    leaf_hash: bytes
    received: int
    result: int
    before: bytes
    after: tuple[Later, ...]
    block_head: BlockHead

    def get_head(self) -> bytes:
        """Walk the chain and return the head that it leads to."""
        epoch = self.block_head.epoch
        link = receipt_link(
            self.before, epoch, self.seq, self.leaf_hash, self.received, self.result
        )
        for seq, later in enumerate(self.after, self.seq + 1):
            link = receipt_link(link, epoch, seq, later.leaf_hash, later.received, later.result)
        return link

    def to_json(self) -> dict[str, Any]:
        """Return plain values; 64-bit numbers as decimal text."""
        return {
            "seq": str(self.seq),
            "leaf_hash": "0x" + self.leaf_hash.hex(),
            "received": str(self.received),
            "result": self.result,
            "before": "0x" + self.before.hex(),
            "after": [
                ["0x" + later.leaf_hash.hex(), str(later.received), later.result]
                for later in self.after
            ],
            "block_head": self.block_head.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Receipt:
        """Read what `to_json` returned. ReceiptError if a part is missing or malformed."""
        try:
            return cls(
                int(data["seq"]),
                _from_hex(data["leaf_hash"], _WORD),
                int(data["received"]),
                int(data["result"]),
                _from_hex(data["before"], _WORD),
                tuple(
                    Later(_from_hex(leaf, _WORD), int(received), int(result))
                    for leaf, received, result in data["after"]
                ),
                BlockHead.from_json(data["block_head"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ReceiptError(f"not a receipt: {error!r}") from error


def _from_hex(text: str, size: int) -> bytes:
    if not text.startswith("0x"):
        raise ValueError(f"expected hex with 0x in front, was {text[:10]!r}")
    raw = bytes.fromhex(text[2:])
    if len(raw) != size:
        raise ValueError(f"expected {size} bytes, was {len(raw)}")
    return raw


def verify_receipt(
    receipt: Receipt, separator: bytes, sequencer: bytes, leaf: bytes | None = None
) -> None:
    """Check that the sequencer signed this receipt; return nothing, or raise.

    Parameters
    ----------
    receipt : Receipt
        as handed out
    separator : bytes
        EIP-712 domain separator of the zone, 32 bytes
    sequencer : bytes
        address of the epoch's sequencer, 20 bytes, as registered on L1
    leaf : bytes, optional
        the leaf that was sent: it has to be the one that the receipt is about

    Raises
    ------
    ReceiptError
        With what was expected and what was found.
    """
    head = receipt.block_head
    if leaf is not None and keccak(leaf) != receipt.leaf_hash:
        text = f"the receipt is about leaf 0x{receipt.leaf_hash.hex()}, sent was 0x{keccak(leaf).hex()}"
        raise ReceiptError(text)
    last = head.first_seq + head.count - 1
    if not head.first_seq <= receipt.seq <= last:
        raise ReceiptError(
            f"seq {receipt.seq} is not among {head.first_seq} .. {last} of the block"
        )
    if len(receipt.after) != last - receipt.seq:
        expected = last - receipt.seq
        raise ReceiptError(f"expected {expected} later links, was {len(receipt.after)}")
    if receipt.seq == head.first_seq and receipt.before != head.parent:
        raise ReceiptError("the first link of a block must start at its parent")
    try:
        found = receipt.get_head()
        signer = head.recover_signer(separator)
    except OverflowError as error:
        raise ReceiptError(f"a number does not fit its field: {error}") from error
    if found != head.head:
        raise ReceiptError(f"the links lead to 0x{found.hex()}, signed is 0x{head.head.hex()}")
    if signer != sequencer:
        by = "nobody" if signer is None else f"0x{signer.hex()}"
        raise ReceiptError(f"the head was signed by {by}, the sequencer is 0x{sequencer.hex()}")
