"""Sessions: how a key proves to a gateway who is asking, without the key ever leaving its owner.

A key signs, under the zone's EIP-712 domain,

    Session(uint32 account,uint64 key,uint64 issued,uint64 expires)

and the gateway answers with a token that stands for the key until ``expires``. A session reads; it cannot trade, because
every action is signed by itself. Its type differs from every action's, so neither can be taken for the other.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from tradezone.client.signing import ClientError, PrivateKey
from tradezone.protocol.hashing import keccak

SESSION_TYPE: Final = "Session(uint32 account,uint64 key,uint64 issued,uint64 expires)"
MAX_SESSION_MS: Final = 86_400_000
_TYPE_HASH: Final = keccak(SESSION_TYPE.encode())
_WORD: Final = 32


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What is signed. ``key`` is generation << 32 | slot, times are ms since 1970."""

    account: int
    key: int
    issued: int
    expires: int
    signature: bytes = b""

    def get_digest(self, separator: bytes) -> bytes:
        """EIP-712 digest under the zone's domain separator."""
        values = (self.account, self.key, self.issued, self.expires)
        words = b"".join(value.to_bytes(_WORD, "big") for value in values)
        return keccak(b"\x19\x01" + separator + keccak(_TYPE_HASH + words))

    def to_json(self) -> dict[str, Any]:
        """Return plain values; 64-bit numbers as decimal text."""
        return {
            "account": self.account,
            "key": str(self.key),
            "issued": str(self.issued),
            "expires": str(self.expires),
            "signature": "0x" + self.signature.hex(),
        }


def sign_session(
    key: PrivateKey,
    separator: bytes,
    account: int,
    key_id: int,
    *,
    now: int | None = None,
    lifetime_ms: int = MAX_SESSION_MS,
) -> SessionRequest:
    """Sign a session.

    Parameters
    ----------
    key : PrivateKey
        the owner's key, or an agent's
    separator : bytes
        EIP-712 domain separator of the zone, 32 bytes
    account : int
        an account that the key acts for
    key_id : int
        the key in the zone: generation << 32 | slot
    now : int, optional
        ms; the machine's clock if absent
    lifetime_ms : int
        at most a day
    """
    if not 0 < lifetime_ms <= MAX_SESSION_MS:
        raise ClientError(f"lifetime is {lifetime_ms} ms, expected 1 .. {MAX_SESSION_MS}")
    issued = time.time_ns() // 1_000_000 if now is None else now
    unsigned = SessionRequest(account, key_id, issued, issued + lifetime_ms)
    signature = key.sign_digest(unsigned.get_digest(separator))
    return SessionRequest(account, key_id, issued, issued + lifetime_ms, signature)
