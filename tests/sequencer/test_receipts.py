"""Receipts: what a client holds proves what the sequencer signed, and nothing else passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sequencer_zone import SEPARATOR, SEQUENCER_KEY

from tradezone.protocol.batches import HEAD_TYPE, block_head_digest, receipt_link
from tradezone.protocol.hashing import keccak
from tradezone.sequencer.receipts import (
    BlockReceipts,
    chain_links,
    hash_leaves,
    sign_head,
)
from tradezone.verifier import BlockHead, Receipt, ReceiptError, verify_receipt
from tradezone.verifier.receipts import Later

PARENT = keccak(b"the block before")
PREFIX = keccak(b"the inbox")
LEAVES = [b"mark", b"first", b"second", b"third"]


def build_block(leaves=LEAVES, results=None, parent=PARENT, epoch=2, block=9, first_seq=100):
    count = len(leaves)
    received = np.arange(count, dtype=np.int64) + 10**12
    results = np.array(results or range(count), np.int32)
    digests = hash_leaves(leaves)
    links = chain_links(parent, epoch, first_seq, digests, received, results)
    head = links[-32:]
    block_head = sign_head(
        SEQUENCER_KEY,
        SEPARATOR,
        BlockHead(epoch, block, first_seq, count, 10**12, 17, PREFIX, head, parent),
    )
    return BlockReceipts(block_head, digests, received, results, links)


def check(receipt, leaf=None):
    verify_receipt(receipt, SEPARATOR, SEQUENCER_KEY.address, leaf)


@given(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**63 - 1),
    st.integers(1, 2**62),
    st.lists(
        st.tuples(st.binary(max_size=50), st.integers(0, 2**48), st.integers(0, 2**31 - 1)),
        min_size=1,
        max_size=6,
    ),
)
def test_links_are_those_of_the_protocol(parent, epoch, first_seq, rows):
    leaves, received, results = zip(*rows, strict=True)
    links = chain_links(
        parent,
        epoch,
        first_seq,
        hash_leaves(leaves),
        np.array(received, np.int64),
        np.array(results, np.int32),
    )
    link = parent
    for i, (leaf, when, result) in enumerate(rows):
        link = receipt_link(link, epoch, first_seq + i, keccak(leaf), when, result)
        assert links[32 * i : 32 * (i + 1)] == link


def test_the_signed_digest_is_that_of_the_typed_data():
    head = build_block().block_head
    names = [field.split(" ")[1] for field in HEAD_TYPE[len("BlockHead(") : -1].split(",")]
    assert names == [
        *("epoch", "block", "firstSeq", "count", "time"),
        *("inboxIndex", "inboxHash", "head", "parent"),
    ]
    words = [2, 9, 100, 4, 10**12, 17, PREFIX, head.head, PARENT]
    struct = keccak(HEAD_TYPE.encode()) + b"".join(
        word.to_bytes(32, "big") if isinstance(word, int) else word for word in words
    )
    digest = keccak(b"\x19\x01" + SEPARATOR + keccak(struct))
    assert head.get_digest(SEPARATOR) == digest == block_head_digest(SEPARATOR, *words)
    assert head.recover_signer(SEPARATOR) == SEQUENCER_KEY.address


@pytest.mark.parametrize("position", range(4))
def test_the_receipt_of_any_leaf_proves_it(position):
    receipt = build_block().get(100 + position)
    assert receipt.result == position
    assert receipt.received == 10**12 + position
    check(receipt, LEAVES[position])
    assert Receipt.from_json(receipt.to_json()) == receipt


def test_a_block_of_its_mark_alone_has_a_receipt():
    check(build_block([b"mark"]).get(100), b"mark")


@pytest.mark.parametrize("seq", [99, 104])
def test_a_number_of_another_block_has_no_receipt_here(seq):
    with pytest.raises(IndexError, match=r"100 \.\. 103 of block 9"):
        build_block().get(seq)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"seq": 101}, "later links"),
        ({"seq": 99}, "not among"),
        ({"result": 7}, "links lead to"),
        ({"received": 5}, "links lead to"),
        ({"leaf_hash": keccak(b"x")}, "links lead to"),
        ({"before": keccak(b"x")}, "links lead to"),
        ({"after": ()}, "expected 1 later links, was 0"),
        ({"after": (Later(keccak(b"third"), 1, 3),)}, "links lead to"),
        ({"received": 1 << 64}, "does not fit"),
        ({"result": -1}, "does not fit"),
    ],
)
def test_a_changed_receipt_proves_nothing(change, text):
    receipt = replace(build_block().get(102), **change)
    with pytest.raises(ReceiptError, match=text):
        check(receipt)


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": 3},
        {"block": 10},
        {"time": 10**12 + 1},
        {"inbox_index": 18},
        {"inbox_hash": keccak(b"another inbox")},
        {"parent": keccak(b"x")},
        {"signature": bytes(65)},
        {"signature": b""},
        {"signature": bytes(64) + b"\x1b"},
    ],
)
def test_a_changed_head_was_signed_by_somebody_else(change):
    receipt = build_block().get(102)
    with pytest.raises(ReceiptError, match=r"links lead to|the head was signed by"):
        check(replace(receipt, block_head=replace(receipt.block_head, **change)))


def test_the_first_link_starts_at_the_parent():
    receipt = build_block().get(100)
    other = build_block(parent=keccak(b"other")).get(100)
    with pytest.raises(ReceiptError, match="must start at its parent"):
        check(replace(receipt, before=other.before))


def test_a_receipt_is_about_its_leaf_only():
    with pytest.raises(ReceiptError, match="the receipt is about leaf"):
        check(build_block().get(102), b"another")


def test_another_zone_or_another_sequencer_is_noticed():
    receipt = build_block().get(102)
    with pytest.raises(ReceiptError, match="the head was signed by"):
        verify_receipt(receipt, keccak(b"zone"), SEQUENCER_KEY.address)
    with pytest.raises(ReceiptError, match="the sequencer is 0x01"):
        verify_receipt(receipt, SEPARATOR, b"\1" * 20)


def test_two_heads_for_one_block_are_both_proven():
    """The evidence of an equivocation: two receipts of one (epoch, block), both signed."""
    one, two = build_block().get(102), build_block([*LEAVES[:2], b"other", b"third"]).get(102)
    check(one)
    check(two)
    assert (one.block_head.epoch, one.block_head.block) == (
        two.block_head.epoch,
        two.block_head.block,
    )
    assert one.block_head.head != two.block_head.head


@pytest.mark.parametrize("drop", ["seq", "leaf_hash", "after", "block_head"])
def test_what_is_no_receipt_is_refused(drop):
    data = build_block().get(102).to_json()
    data.pop(drop)
    with pytest.raises(ReceiptError, match="not a receipt"):
        Receipt.from_json(data)
    with pytest.raises(ReceiptError, match="not a block head"):
        BlockHead.from_json({"epoch": "x"})
