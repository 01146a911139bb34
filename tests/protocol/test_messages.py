"""Inbox messages against the golden vectors, whose bytes were packed without this package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tradezone.protocol import messages
from tradezone.protocol.actions import pack, unpack
from tradezone.protocol.limits import MAX_INBOX_PAYLOAD
from tradezone.protocol.messages import Message, is_well_formed, next_prefix

VECTORS = Path(__file__).parents[1] / "vectors"
GOLDEN = json.loads((VECTORS / "envelopes.json").read_text())["messages"]


def from_hex(text):
    return bytes.fromhex(text[2:])


def to_value(value):
    return from_hex(value) if str(value).startswith("0x") else int(value)


def test_every_kind_has_a_golden_vector():
    assert sorted(vector["kind"] for vector in GOLDEN) == sorted(messages.BODIES)


@pytest.mark.parametrize("vector", GOLDEN, ids=lambda v: v["kind"])
def test_golden_message(vector):
    payload, raw = from_hex(vector["payload"]), from_hex(vector["message"])
    layout = messages.BODIES[vector["kind"]]
    fields = {name: to_value(value) for name, value in vector["fields"].items()}
    assert pack(layout, fields) == payload
    assert unpack(layout, payload) == fields
    message = Message.from_bytes(raw)
    assert message.payload == payload
    assert (message.kind, message.sender) == (vector["kind"], from_hex(vector["sender"]))
    place = (message.index, message.time, message.block)
    assert place == tuple(int(vector[name]) for name in ("index", "time", "block"))
    assert message.to_bytes() == raw


def test_golden_prefixes_are_one_chain():
    prefix = messages.NO_PREFIX
    for vector in GOLDEN:
        prefix = next_prefix(prefix, from_hex(vector["message"]))
        assert prefix == from_hex(vector["prefix"])


@pytest.mark.parametrize("vector", GOLDEN, ids=lambda v: v["kind"])
def test_a_payload_of_another_size_is_not_well_formed(vector):
    payload = from_hex(vector["payload"])
    assert is_well_formed(vector["kind"], payload)
    assert not is_well_formed(vector["kind"], payload[:-1])
    assert not is_well_formed(vector["kind"], payload + b"\0")
    assert len(payload) <= MAX_INBOX_PAYLOAD


def test_kinds_without_a_body_are_not_well_formed():
    for kind in set(range(256)) - set(messages.BODIES):
        assert not is_well_formed(kind, b"")
