"""The jitted readers of leaves against the protocol's own, on leaves of every kind and hostile bytes."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradezone.engine import codec
from tradezone.protocol import actions
from tradezone.protocol.actions import Credential, Envelope, layout_bytes, leaf_class
from tradezone.protocol.enums import TIF_POST_ONLY, TIF_POST_SLIDE
from tradezone.protocol.limits import MAX_LEAF_BYTES

FIRST_SEQ = 1000
SIGNATURE = bytes(65)


class Inputs(NamedTuple):
    """The columns of ``io`` that the readers use."""

    leaf: np.ndarray
    leaf_at: np.ndarray
    first_seq: int


@numba.njit
def read_all(io, out):
    for n in range(len(io.leaf_at) - 1):
        seq = io.first_seq + n
        out[n, 0] = codec.is_envelope(io, seq)
        out[n, 1] = codec.get_class(io, seq)
        out[n, 2] = codec.is_credential(io, seq)


def read(leaves):
    offsets = np.zeros(len(leaves) + 1, np.int64)
    np.cumsum([len(leaf) for leaf in leaves], out=offsets[1:])
    out = np.zeros((len(leaves), 3), np.int64)
    read_all(Inputs(np.frombuffer(b"".join(leaves), np.uint8), offsets, FIRST_SEQ), out)
    return out.tolist()


def expected(leaf):
    return [
        int(Envelope.from_leaf(leaf) is not None),
        leaf_class(leaf),
        int(Credential.from_leaf(leaf) is not None),
    ]


def check(leaves):
    assert read(leaves) == [expected(leaf) for leaf in leaves]


def envelope(action, body, items=None, signature=SIGNATURE):
    """Leaf of an envelope whose parts need not agree."""
    leaf = Envelope(7, 3, 1, 2, action, body, SIGNATURE)
    count = leaf.items if items is None else items
    head = bytes([actions.LEAF_ENVELOPE, actions.ENVELOPE_VERSION]) + bytes(28)
    return head + bytes([action, count]) + len(body).to_bytes(2, "big") + body + signature


def unit_of(action):
    if action in actions.ITEM_LAYOUTS:
        return layout_bytes(actions.ITEM_LAYOUTS[action])
    return layout_bytes(actions.TYPED_ACTIONS[action][1])


kinds = st.sampled_from(actions.ACTIONS)
counts = st.integers(0, 33)


@st.composite
def items_with_kinds(draw):
    """PLACE and AMEND envelopes whose times in force and modes are near the known ones."""
    action, field = draw(st.sampled_from([(actions.PLACE, "tif"), (actions.AMEND, "mode")]))
    layout = actions.ITEM_LAYOUTS[action]
    at = layout_bytes(layout[: [name for name, _, _ in layout].index(field)])
    items = bytearray()
    for value in draw(st.lists(st.integers(0, 7), min_size=1, max_size=30)):
        item = bytearray(draw(st.binary(min_size=unit_of(action), max_size=unit_of(action))))
        item[at] = value
        items += item
    return envelope(action, bytes(items))


@st.composite
def well_formed(draw):
    action = draw(kinds)
    most = 30 if action in actions.ITEM_LAYOUTS and action not in actions.SINGLE_ITEM else 1
    size = unit_of(action) * draw(st.integers(1, most))
    return envelope(action, draw(st.binary(min_size=size, max_size=size)))


@st.composite
def near_misses(draw):
    """Envelopes with one thing changed: count, size, length, version, action, kind."""
    leaf = bytearray(draw(st.one_of(well_formed(), items_with_kinds())))
    at = draw(st.sampled_from([0, 1, *range(actions.AT_ACTION, actions.AT_BODY)]))
    leaf[at] = draw(st.integers(0, 255))
    cut = draw(st.sampled_from([0, 0, 1, -1, 65]))
    return bytes(leaf) + bytes(cut) if cut >= 0 else bytes(leaf[:cut])


credentials = st.binary(min_size=115, max_size=115).map(
    lambda b: bytes([actions.LEAF_CREDENTIAL]) + b
)
hostile = st.one_of(
    st.binary(max_size=200), near_misses(), credentials, credentials.map(lambda b: b[:-1])
)


@given(st.lists(st.one_of(well_formed(), items_with_kinds(), hostile), max_size=12))
def test_leaves_are_read_as_the_protocol_reads_them(leaves):
    check(leaves)


def test_every_action_number_and_count_is_read_as_the_protocol_reads_it():
    leaves = []
    for action in range(256):
        unit = unit_of(action) if action in actions.ACTIONS else 8
        for count in (0, 1, 2, 30, 31, 255):
            body = bytes(unit * count)[: MAX_LEAF_BYTES - 99]
            leaves += [envelope(action, body, count), envelope(action, body + b"\0", count)]
            leaves += [envelope(action, body[:-1], count)]
    check(leaves)
    found = {
        leaf[actions.AT_ACTION] for leaf, row in zip(leaves, read(leaves), strict=True) if row[0]
    }
    assert found == set(actions.ACTIONS)


def test_a_dead_man_switch_is_one_item():
    unit = unit_of(actions.DEAD_MAN)
    one, two = (envelope(actions.DEAD_MAN, bytes(unit * count)) for count in (1, 2))
    assert [row[0] for row in read([one, two])] == [1, 0]


@pytest.mark.parametrize("tif", range(8))
def test_an_order_is_post_by_its_time_in_force_alone(tif):
    body = actions.pack(
        actions.PLACE_ITEM,
        {
            name: b"\xff" * width if kind == "bytes16" else 1
            for name, kind, width in actions.PLACE_ITEM
        }
        | {"tif": tif},
    )
    is_post = tif in (TIF_POST_ONLY, TIF_POST_SLIDE)
    assert read([envelope(actions.PLACE, body)])[0][1] == (
        actions.CLASS_POST if is_post else actions.CLASS_TAKE
    )


def test_the_longest_leaf_is_read():
    action = actions.PLACE_PLAN
    body = bytes(unit_of(action) * 30)
    check([envelope(action, body), envelope(action, body) + bytes(MAX_LEAF_BYTES)])
    assert len(envelope(action, body)) <= MAX_LEAF_BYTES
