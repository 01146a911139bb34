"""What a verifier signs: that it vouches for a state, and that a key is its own (docs/spec/registers.md)."""

from __future__ import annotations

from typing import Final

from .hashing import keccak

ATTESTATION_TYPE: Final = "Attestation(uint64 batch,bytes32 headerHash,bytes32 stateRoot)"
REGISTER_KEY_TYPE: Final = "RegisterKey(address register,address account)"

_WORD: Final = 32


def attestation_digest(
    separator: bytes, batch: int, header_hash: bytes, state_root: bytes
) -> bytes:
    """EIP-712 digest of an attestation.

    Parameters
    ----------
    separator : bytes
        domain separator of the zone
    batch : int
        number of the batch
    header_hash : bytes
        hash of its header, which names its inputs and all before them
    state_root : bytes
        root of the state after it
    """
    values = batch.to_bytes(_WORD, "big") + header_hash + state_root
    return _digest(separator, keccak(keccak(ATTESTATION_TYPE.encode()) + values))


def register_key_digest(separator: bytes, register: bytes, account: bytes) -> bytes:
    """EIP-712 digest by which a key agrees to sign for an account.

    ``register`` and ``account`` are addresses, 20 bytes.
    """
    values = register.rjust(_WORD, b"\0") + account.rjust(_WORD, b"\0")
    return _digest(separator, keccak(keccak(REGISTER_KEY_TYPE.encode()) + values))


def _digest(separator: bytes, struct: bytes) -> bytes:
    return keccak(b"\x19\x01" + separator + struct)
