"""Cases and the evidence in them, for every contract that convicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from scripts._common import ScriptError
from tradezone.chain._codec import encode, parse_parameters, to_bytes
from tradezone.protocol.hashing import keccak

_WORD: Final = 32
_HEAD: Final = "(uint64,uint64,uint64,uint64,uint64,uint64,bytes32,bytes32,bytes32)"


def case_id(court: str, number: int) -> bytes:
    """Return the id of the case with this number."""
    return keccak(to_bytes(court).rjust(_WORD, b"\0") + number.to_bytes(_WORD, "big"))


def encode_heads(first: Path, second: Path) -> bytes:
    """Return what `DoubleHeadEvidence` checks, from the block heads in two files."""
    heads = [_read_head(first), _read_head(second)]
    if heads[0][0][1] > heads[1][0][1]:
        heads.reverse()  # the contract takes the earlier block first
    kinds, _ = parse_parameters(f"({_HEAD},bytes,{_HEAD},bytes)")
    return encode(kinds, [heads[0][0], heads[0][1], heads[1][0], heads[1][1]])


def _read_head(path: Path) -> tuple[list[Any], bytes]:
    """Return fields and signature of the block head in a file."""
    from tradezone.verifier.receipts import BlockHead, ReceiptError

    try:
        body = json.loads(path.read_text())
        head = BlockHead.from_json(body.get("block_head", body))
    except (ValueError, AttributeError, ReceiptError) as error:
        raise ScriptError(
            f"{path.name} holds no signed block head: {error}", "see docs/spec/receipts.md"
        ) from None
    fields = [
        head.epoch,
        head.block,
        head.first_seq,
        head.count,
        head.time,
        head.inbox_index,
        head.inbox_hash,
        head.head,
        head.parent,
    ]
    return fields, head.signature
