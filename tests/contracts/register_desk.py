"""Drive a bonded register in tests: keys that agree, attestations that contradict."""

from __future__ import annotations

from eth_abi import encode

from tests.contracts.courtroom import HEAD_ABI, Head, key_of
from tradezone.protocol.attestations import attestation_digest, register_key_digest
from tradezone.protocol.batches import block_head_digest
from tradezone.protocol.hashing import keccak

ATTESTATION_ABI = "(uint64,bytes32,bytes32)"
NO_CLAIM = bytes(32)
HEADER = keccak(b"a header")
ROOTS = (keccak(b"a root"), keccak(b"another root"))


def separator(register) -> bytes:
    return bytes(register.provider.web3.eth.call(separator_call(register)))


def separator_call(register) -> dict:
    return {"to": register.chain(), "data": "0x" + keccak(b"domainSeparator()")[:4].hex()}


def consent(register, account, key=None) -> bytes:
    """Signature by which a key agrees to sign for an account; its own key if none is named."""
    register_address = bytes.fromhex(register.address[2:])
    account_address = bytes.fromhex(account.address[2:])
    digest = register_key_digest(separator(register), register_address, account_address)
    return key_of(key or account).sign_digest(digest)


def join(register, account, key=None):
    key = key or account
    bond = register.config().bond
    return register.register(key, consent(register, account, key), sender=account, value=bond)


def attest(register, signer, batch=1, header_hash=HEADER, root=ROOTS[0]) -> tuple:
    """An attestation and its signature."""
    digest = attestation_digest(separator(register), batch, header_hash, root)
    return (batch, header_hash, root), key_of(signer).sign_digest(digest)


def contradiction(first: tuple, second: tuple, claim=NO_CLAIM) -> bytes:
    """Evidence of two signed attestations, or of one and a claim."""
    kinds = [ATTESTATION_ABI, "bytes", ATTESTATION_ABI, "bytes", "bytes32"]
    return encode(kinds, [*first, *second, claim])


def two_roots(register, signer, batch=1) -> bytes:
    return contradiction(*(attest(register, signer, batch, root=root) for root in ROOTS))


def two_heads(register, signer, **changes) -> bytes:
    signed = []
    for head in (Head(**changes), Head(**changes, head=keccak(b"other"))):
        digest = block_head_digest(separator(register), *head.fields)
        signed += [head.fields, key_of(signer).sign_digest(digest)]
    return encode([HEAD_ABI, "bytes", HEAD_ABI, "bytes"], signed)
