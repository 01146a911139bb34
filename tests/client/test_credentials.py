"""Credentials that a provider signs, against the golden ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tradezone.client import ClientError, PrivateKey, readdress_credential, sign_credential
from tradezone.protocol.actions import Credential

GOLDEN = json.loads((Path(__file__).parents[1] / "vectors" / "envelopes.json").read_text())
SEPARATOR = bytes.fromhex(GOLDEN["domain"]["separator"][2:])
PROVIDER = PrivateKey.from_hex(GOLDEN["keys"]["provider"]["private_key"])
FIELDS = {
    "venue": 2,
    "owner": 5,
    "subject": b"\x11" * 20,
    "region": 12,
    "class_": 3,
    "issued": 1_000,
    "expires": 2_000,
}


def test_the_golden_credential_is_what_its_provider_signs():
    vector = GOLDEN["credentials"][0]
    fields = vector["fields"]
    leaf = sign_credential(
        PROVIDER,
        SEPARATOR,
        venue=fields["venue"],
        owner=fields["owner"],
        subject=bytes.fromhex(fields["subject"][2:]),
        region=fields["region"],
        class_=fields["class"],
        issued=int(fields["issued"]),
        expires=int(fields["expires"]),
    )
    assert leaf.hex() == vector["leaf"][2:]


def test_a_credential_can_be_handed_to_another_venue():
    leaf = sign_credential(PROVIDER, SEPARATOR, **FIELDS)
    moved = readdress_credential(leaf, 9)
    assert Credential.from_leaf(moved).venue == 9
    assert moved == sign_credential(PROVIDER, SEPARATOR, **{**FIELDS, "venue": 9})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"subject": b""}, "an address is 20 bytes, was 0"),
        ({"region": 63}, r"region is 63, expected 0 \.\. 62"),
        ({"class_": 1 << 15}, "class is 32768, expected 0"),
        ({"expires": 1_000}, "it would never be valid"),
        ({"owner": 1 << 32}, "out of range"),
        ({"venue": -1}, "out of range"),
        ({"expires": 1 << 64}, "out of range"),
    ],
)
def test_what_no_venue_would_take_is_refused(changes, text):
    with pytest.raises(ClientError, match=text):
        sign_credential(PROVIDER, SEPARATOR, **{**FIELDS, **changes})


def test_what_is_no_credential_is_not_moved():
    with pytest.raises(ClientError, match="this leaf of 3 bytes is no credential"):
        readdress_credential(b"\5\0\0", 1)
    with pytest.raises(ClientError, match="venue is -1"):
        readdress_credential(sign_credential(PROVIDER, SEPARATOR, **FIELDS), -1)
    with pytest.raises(ClientError, match="32 bytes"):
        sign_credential(PROVIDER, b"", **FIELDS)
