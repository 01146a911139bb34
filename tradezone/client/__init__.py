"""What a trader's program needs: keys and envelopes. No server, no engine.

Receipts are checked with `tradezone.verifier`.
"""

from __future__ import annotations

from tradezone.client.orders import (
    Asset,
    Market,
    NotAMultipleError,
    Signer,
    build_amend,
    build_cancel,
    build_place,
)
from tradezone.client.signing import ClientError, NonceSource, PrivateKey, to_checksum_address

__all__ = [
    "Asset",
    "ClientError",
    "Market",
    "NonceSource",
    "NotAMultipleError",
    "PrivateKey",
    "Signer",
    "build_amend",
    "build_cancel",
    "build_place",
    "to_checksum_address",
]
