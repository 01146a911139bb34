"""What a stranger needs to check a zone: batch files, receipts, replay. No server, no EVM tooling."""

from __future__ import annotations

from tradezone.verifier.batch_file import BatchFile, BatchFileError, decode_header, encode_header
from tradezone.verifier.receipts import BlockHead, Receipt, ReceiptError, verify_receipt
from tradezone.verifier.replay import (
    Claim,
    ClaimLike,
    ClaimsSource,
    Fault,
    HeadersSource,
    MemoryChain,
    MessagesSource,
    Report,
    WrongClaim,
    verify,
)

__all__ = [
    "BatchFile",
    "BatchFileError",
    "BlockHead",
    "Claim",
    "ClaimLike",
    "ClaimsSource",
    "Fault",
    "HeadersSource",
    "MemoryChain",
    "MessagesSource",
    "Receipt",
    "ReceiptError",
    "Report",
    "WrongClaim",
    "decode_header",
    "encode_header",
    "verify",
    "verify_receipt",
]
