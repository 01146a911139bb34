"""Keys that sign envelopes and credentials, and nonces that never repeat."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

import coincurve

from tradezone.protocol.actions import Credential, Envelope, SignedPrice
from tradezone.protocol.hashing import keccak

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET_BYTES: Final = 32
_Signed = TypeVar("_Signed", Envelope, Credential, SignedPrice)


class ClientError(ValueError):
    """Base of what this package refuses to build."""


def to_checksum_address(address: bytes) -> str:
    """Return a 20-byte address as text with the mixed-case checksum of ERC-55."""
    if len(address) != 20:
        raise ClientError(f"an address is 20 bytes, was {len(address)}")
    plain = address.hex()
    marks = keccak(plain.encode()).hex()
    return "0x" + "".join(
        c.upper() if int(mark, 16) >= 8 else c for c, mark in zip(plain, marks, strict=False)
    )


class PrivateKey:
    """A secp256k1 key. It never shows its secret in text.

    Parameters
    ----------
    secret : bytes
        32 bytes
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise ClientError(f"a private key is {SECRET_BYTES} bytes, was {len(secret)}")
        try:
            self._key = coincurve.PrivateKey(secret)
        except ValueError as error:
            raise ClientError("a private key lies between 1 and the order of the curve") from error
        self.address: Final = keccak(self._key.public_key.format(compressed=False)[1:])[12:]
        """20 bytes."""

    @classmethod
    def from_hex(cls, text: str) -> PrivateKey:
        """Read a key from 64 hex digits, with or without 0x in front."""
        try:
            secret = bytes.fromhex(text.strip().removeprefix("0x"))
        except ValueError:
            # `from None`: the original error would carry a part of the secret into a log
            raise ClientError("a private key is 64 hex digits") from None
        return cls(secret)

    @classmethod
    def generate(cls) -> PrivateKey:
        """Make a key from the system's randomness."""
        return cls(secrets.token_bytes(SECRET_BYTES))

    def sign_digest(self, digest: bytes) -> bytes:
        """Return the signature of a 32-byte digest: r | s | v with low s and v of 27 or 28."""
        raw: bytes = self._key.sign_recoverable(digest, hasher=None)
        return raw[:64] + bytes([27 + raw[64]])

    def sign(self, unsigned: _Signed, separator: bytes) -> _Signed:
        """Return an envelope, credential or price with this key's signature under the zone's domain separator."""
        return replace(unsigned, signature=self.sign_digest(unsigned.digest(separator)))

    def __repr__(self) -> str:
        return f"PrivateKey({to_checksum_address(self.address)})"


class NonceSource:
    """Nonces of one key: the time in ms, and always more than the one before.

    Two sources for one key collide. Give each program its own key.

    Parameters
    ----------
    now : callable, optional
        returns ms; the machine's clock if absent
    """

    def __init__(self, now: Callable[[], int] | None = None) -> None:
        self._now = now or (lambda: time.time_ns() // 1_000_000)
        self._last = 0
        self._lock = threading.Lock()

    def take(self) -> int:
        """Return the next nonce."""
        with self._lock:
            self._last = max(self._now(), self._last + 1)
            return self._last
