"""Digests and signers: golden vectors, a plain-Python reference, and properties of the jitted loop."""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import coincurve
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradezone.engine import signatures
from tradezone.engine.signatures import SignerPool, join_leaves, recover_address, recover_signers
from tradezone.protocol import actions
from tradezone.protocol.actions import (
    Credential,
    Envelope,
    SignedPrice,
    leaf_class,
    pack,
    typed_signature,
)
from tradezone.protocol.hashing import keccak

VECTORS = Path(__file__).parents[1] / "vectors"
GOLDEN = json.loads((VECTORS / "envelopes.json").read_text())
SEPARATOR = bytes.fromhex(GOLDEN["domain"]["separator"][2:])
SIGNED = GOLDEN["envelopes"] + GOLDEN["credentials"]
NOBODY = bytes(20)

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def from_hex(text):
    return bytes.fromhex(text[2:])


def to_value(value):
    return from_hex(value) if str(value).startswith("0x") else int(value)


def decode(leaf):
    return Envelope.from_leaf(leaf) or Credential.from_leaf(leaf) or SignedPrice.from_leaf(leaf)


# --- the reference: textbook recovery over Python integers ------------------------------------------


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    if a == b:
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(k, point):
    result = None
    while k:
        if k & 1:
            result = add(result, point)
        point = add(point, point)
        k >>= 1
    return result


def reference_signer(leaf, separator):
    signed = decode(leaf)
    if signed is None:
        return NOBODY
    r, s = (int.from_bytes(signed.signature[i : i + 32], "big") for i in (0, 32))
    v = signed.signature[64]
    if v not in (27, 28) or not 1 <= r < N or not 1 <= s <= N // 2:
        return NOBODY
    y = pow(r**3 + 7, (P + 1) // 4, P)
    if (y * y - r**3 - 7) % P:
        return NOBODY
    point = (r, y if y % 2 == v - 27 else P - y)
    z = int.from_bytes(signed.digest(separator), "big")
    inverse = pow(r, -1, N)
    key = add(multiply(s * inverse % N, point), multiply(-z * inverse % N, G))
    if key is None:
        return NOBODY
    return keccak(key[0].to_bytes(32, "big") + key[1].to_bytes(32, "big"))[12:]


def recover_one(leaf, separator=SEPARATOR):
    return recover_signers(*join_leaves([leaf]), separator)[0].tobytes()


# --- golden vectors ---------------------------------------------------------------------------------


def test_domain_and_types_are_the_golden_ones():
    domain = GOLDEN["domain"]
    contract = from_hex(domain["verifyingContract"])
    assert actions.domain_separator(domain["chainId"], contract) == SEPARATOR
    assert GOLDEN["types"]["Trade"] == actions.TRADE_TYPE
    for action, (name, _) in actions.TYPED_ACTIONS.items():
        assert GOLDEN["types"][name] == typed_signature(action)
    assert GOLDEN["types"]["Credential"] == actions.CREDENTIAL_TYPE


def test_every_action_has_a_golden_vector():
    assert {v["action"] for v in GOLDEN["envelopes"]} == set(actions.ACTIONS)


@pytest.mark.parametrize("vector", GOLDEN["envelopes"], ids=lambda v: v["name"])
def test_golden_envelope(vector):
    leaf = from_hex(vector["leaf"])
    envelope = Envelope.from_leaf(leaf)
    assert envelope is not None
    assert envelope.to_leaf() == leaf
    assert (envelope.account, envelope.key) == (vector["account"], int(vector["key"]))
    assert envelope.nonce == int(vector["nonce"])
    assert envelope.expires_after == int(vector["expiresAfter"])
    assert (envelope.action, envelope.items) == (vector["action"], vector["items"])
    assert envelope.body == from_hex(vector["body"])
    assert envelope.digest(SEPARATOR) == from_hex(vector["digest"])
    assert keccak(leaf) == from_hex(vector["leaf_hash"])
    assert leaf_class(leaf) == vector["class"]
    signer = from_hex(vector["signer"])
    assert recover_one(leaf) == signer
    assert recover_address(envelope, SEPARATOR) == signer
    assert reference_signer(leaf, SEPARATOR) == signer


@pytest.mark.parametrize("vector", GOLDEN["envelopes"], ids=lambda v: v["name"])
def test_golden_fields_pack_to_the_golden_body(vector):
    fields = vector["fields"]
    layout = (
        actions.ITEM_LAYOUTS.get(vector["action"]) or actions.TYPED_ACTIONS[vector["action"]][1]
    )
    items = fields if isinstance(fields, list) else [fields]
    body = b"".join(pack(layout, {n: to_value(v) for n, v in item.items()}) for item in items)
    assert body == from_hex(vector["body"])


@pytest.mark.parametrize("vector", GOLDEN["credentials"], ids=lambda v: v["name"])
def test_golden_credential(vector):
    leaf = from_hex(vector["leaf"])
    credential = Credential.from_leaf(leaf)
    assert credential is not None
    assert credential.to_leaf() == leaf
    fields = {name: to_value(value) for name, value in vector["fields"].items()}
    fields["class_"] = fields.pop("class")
    assert credential == Credential(**fields, signature=from_hex(vector["signature"]))
    assert credential.struct_hash() == from_hex(vector["struct_hash"])
    assert credential.digest(SEPARATOR) == from_hex(vector["digest"])
    assert keccak(leaf) == from_hex(vector["leaf_hash"])
    assert leaf_class(leaf) == vector["class"]
    signer = from_hex(vector["signer"])
    assert recover_one(leaf) == signer
    assert recover_address(credential, SEPARATOR) == signer
    assert reference_signer(leaf, SEPARATOR) == signer


def test_a_credential_is_signed_for_no_venue():
    one, other = GOLDEN["credentials"][:2]
    assert one["fields"]["venue"] != other["fields"]["venue"]
    assert (one["digest"], one["signature"]) == (other["digest"], other["signature"])


@pytest.mark.parametrize("vector", GOLDEN["without_signer"], ids=lambda v: v["name"])
def test_leaf_without_a_valid_signature_has_no_signer(vector):
    leaf = from_hex(vector["leaf"])
    signed = decode(leaf)
    assert (signed is not None) is vector["well_formed"]
    assert recover_one(leaf) == NOBODY
    assert reference_signer(leaf, SEPARATOR) == NOBODY
    if signed:
        assert recover_address(signed, SEPARATOR) is None


def test_golden_vectors_are_what_their_generator_writes(monkeypatch):
    pytest.importorskip("eth_account")
    monkeypatch.setattr(sys, "argv", ["make_envelopes.py", "--check"])
    runpy.run_path(str(VECTORS / "make_envelopes.py"), run_name="__main__")


def test_plain_python_form_gives_the_same_signers(monkeypatch):
    leaves = [from_hex(v["leaf"]) for v in SIGNED + GOLDEN["without_signer"]]
    jitted = recover_signers(*join_leaves(leaves), SEPARATOR)
    monkeypatch.setattr(signatures, "_CONTEXT", 0)
    assert (recover_signers(*join_leaves(leaves), SEPARATOR) == jitted).all()


# --- properties -------------------------------------------------------------------------------------

u32, u64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
KEY = coincurve.PrivateKey(b"\x33" * 32)
ADDRESS = keccak(KEY.public_key.format(compressed=False)[1:])[12:]


@st.composite
def envelopes(draw):
    action = draw(st.sampled_from(actions.ACTIONS))
    if action in actions.ITEM_LAYOUTS:
        most = 1 if action in actions.SINGLE_ITEM else 30
        size = actions.layout_bytes(actions.ITEM_LAYOUTS[action]) * draw(st.integers(1, most))
    else:
        size = actions.layout_bytes(actions.TYPED_ACTIONS[action][1])
    body = draw(st.binary(min_size=size, max_size=size))
    return Envelope(draw(u32), draw(u64), draw(u64), draw(u64), action, body)


u16 = st.integers(0, 2**16 - 1)
addresses = st.binary(min_size=20, max_size=20)
credentials = st.builds(Credential, u32, u32, addresses, u32, u16, u64, u64)
prices = st.builds(SignedPrice, u32, u32, u64, u64)
anything_signed = st.one_of(envelopes(), credentials, prices)


def sign(unsigned):
    raw = KEY.sign_recoverable(unsigned.digest(SEPARATOR), hasher=None)
    return replace(unsigned, signature=raw[:64] + bytes([27 + raw[64]])).to_leaf()


@given(st.lists(anything_signed, max_size=8))
def test_signer_of_any_signed_leaf_is_its_key(unsigned):
    signers = recover_signers(*join_leaves([sign(e) for e in unsigned]), SEPARATOR)
    assert signers.shape == (len(unsigned), 20)
    assert all(row.tobytes() == ADDRESS for row in signers)


@given(anything_signed, st.data())
def test_changing_any_byte_changes_the_signer_as_the_reference_says(unsigned, data):
    leaf = bytearray(sign(unsigned))
    at = data.draw(st.integers(0, len(leaf) - 1))
    leaf[at] ^= data.draw(st.integers(1, 255))
    signer = recover_one(bytes(leaf))
    assert signer == reference_signer(bytes(leaf), SEPARATOR)
    is_venue = isinstance(unsigned, Credential) and 1 <= at <= 4  # the one thing nobody signs
    assert (signer == ADDRESS) is is_venue


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_read_as_the_protocol_reads_them(raw):
    assert recover_one(raw) == reference_signer(raw, SEPARATOR)


def test_rows_outside_the_range_are_left_alone():
    leaves = [from_hex(v["leaf"]) for v in GOLDEN["envelopes"][:4]]
    out = np.full((4, 20), 9, np.uint8)
    recover_signers(*join_leaves(leaves), SEPARATOR, out, 1, 3)
    assert (out[[0, 3]] == 9).all()
    assert [row.tobytes() for row in out[1:3]] == [
        from_hex(v["signer"]) for v in GOLDEN["envelopes"][1:3]
    ]


def test_no_leaves_have_no_signers():
    assert recover_signers(*join_leaves([]), SEPARATOR).shape == (0, 20)


@pytest.mark.parametrize(
    ("offsets", "separator", "text"),
    [
        ([0, 5, 3], SEPARATOR, "offsets must rise"),
        ([0, 999_999], SEPARATOR, "offsets must rise"),
        ([-1, 3], SEPARATOR, "offsets must rise"),
        ([0, 3], b"short", "expected 32"),
    ],
)
def test_wrong_arguments_are_refused_before_any_byte_is_read(offsets, separator, text):
    with pytest.raises(ValueError, match=text):
        recover_signers(np.zeros(8, np.uint8), np.array(offsets, np.int64), separator)


def test_pool_gives_the_same_rows_as_one_thread():
    leaves = [from_hex(v["leaf"]) for v in SIGNED + GOLDEN["without_signer"]] * 5
    buffer, offsets = join_leaves(leaves)
    alone = recover_signers(buffer, offsets, SEPARATOR)
    with SignerPool(2) as pool:
        assert (pool.recover(buffer, offsets, SEPARATOR) == alone).all()
        assert (pool.submit(buffer, offsets, SEPARATOR).result() == alone).all()
        few = pool.recover(*join_leaves(leaves[:3]), SEPARATOR)
    assert (few == alone[:3]).all()
