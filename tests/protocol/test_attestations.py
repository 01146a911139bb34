"""Digests of attestations and keys are those of EIP-712 as wallets compute them."""

from __future__ import annotations

import pytest

from tradezone.protocol.actions import domain_separator
from tradezone.protocol.attestations import attestation_digest, register_key_digest

CHAIN_ID, CONTRACT = 196, bytes([0xC0]) * 20
HEADER, ROOT = bytes([1]) * 32, bytes([2]) * 32


@pytest.fixture
def digest_of():
    messages = pytest.importorskip("eth_account.messages")
    keccak = pytest.importorskip("eth_utils").keccak

    def compute(types, values):
        domain = {
            "name": "TradeZone",
            "version": "1",
            "chainId": CHAIN_ID,
            "verifyingContract": CONTRACT,
        }
        signable = messages.encode_typed_data(domain, types, values)
        return keccak(b"\x19" + signable.version + signable.header + signable.body)

    return compute


def test_an_attestation_has_the_digest_that_a_wallet_signs(digest_of):
    fields = [("batch", "uint64"), ("headerHash", "bytes32"), ("stateRoot", "bytes32")]
    types = {"Attestation": [{"name": name, "type": kind} for name, kind in fields]}
    expected = digest_of(types, {"batch": 7, "headerHash": HEADER, "stateRoot": ROOT})
    separator = domain_separator(CHAIN_ID, CONTRACT)
    assert attestation_digest(separator, 7, HEADER, ROOT) == expected
    assert attestation_digest(separator, 8, HEADER, ROOT) != expected
    assert attestation_digest(separator, 7, ROOT, HEADER) != expected


def test_a_key_agrees_by_the_digest_that_a_wallet_signs(digest_of):
    fields = [("register", "address"), ("account", "address")]
    types = {"RegisterKey": [{"name": name, "type": kind} for name, kind in fields]}
    register, account = bytes([3]) * 20, bytes([4]) * 20
    expected = digest_of(types, {"register": register, "account": account})
    separator = domain_separator(CHAIN_ID, CONTRACT)
    assert register_key_digest(separator, register, account) == expected
    assert register_key_digest(separator, account, register) != expected
