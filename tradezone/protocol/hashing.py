"""Keccak-256 over bytes, the only hash of the protocol."""

from __future__ import annotations

import sha3


def keccak(data: bytes) -> bytes:
    """Return keccak-256 (the EVM's, not SHA3-256) of ``data``."""
    return bytes(sha3.keccak_256(data).digest())
