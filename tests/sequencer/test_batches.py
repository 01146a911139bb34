"""Batches lie end to end, come out the same however often they are made, and are checked when read."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sequencer_zone import (
    CONFIG,
    SEQUENCER_KEY,
    START,
    build_inbox,
    build_stream,
)

from tradezone.engine import Engine
from tradezone.protocol.batches import GENESIS_PARENT, Header
from tradezone.protocol.hashing import keccak
from tradezone.protocol.messages import NO_PREFIX, next_prefix
from tradezone.sequencer import (
    BatchBuilder,
    BatchError,
    BatchLimits,
    ManualClock,
    MemoryJournal,
    Sequencer,
    read_published,
)
from tradezone.sequencer.batches import BlockInputs
from tradezone.sequencer.receipts import hash_leaves
from tradezone.state.inputs_tree import InputsTree
from tradezone.verifier import BatchFile, BatchFileError, decode_header, encode_header

u64, word = st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32)
headers = st.builds(Header, u64, u64, word, word, u64, u64, u64, word, u64, u64, u64, u64)
ROOT = keccak(b"root")


def make(directory, limits=None):
    builder = BatchBuilder(directory, limits=limits)
    sequencer = Sequencer(
        CONFIG, Engine(), MemoryJournal(), SEQUENCER_KEY, clock=ManualClock(START), batches=builder
    )
    sequencer.offer_messages(build_inbox())
    return sequencer


def run_stream(sequencer, leaves):
    sequencer.close_block()
    blocks = []
    for leaf in leaves:
        sequencer.clock.advance(1)
        sequencer.admit_and_submit([leaf])
        blocks.append(sequencer.close_block())
    return blocks


def build_inputs(number, first_seq, leaves=(b"a", b"b"), time=START, inbox=(0, NO_PREFIX)):
    return BlockInputs(
        number,
        time,
        first_seq,
        b"".join(leaves),
        np.array([len(leaf) for leaf in leaves], np.int64),
        hash_leaves(leaves),
        *inbox,
    )


# --- file -------------------------------------------------------------------------------------------


@given(headers, st.lists(st.binary(max_size=100), max_size=20))
def test_a_batch_file_reads_as_it_was_written(header, leaves):
    file = BatchFile(header, b"".join(leaves), np.array([len(x) for x in leaves], np.int64))
    again = BatchFile.from_bytes(file.to_bytes())
    assert (again.header, again.leaves) == (header, leaves)
    assert keccak(encode_header(header)) == header.hash()
    assert decode_header(encode_header(header)) == header


@given(st.data())
def test_a_damaged_or_cut_batch_file_is_noticed(data):
    header = data.draw(headers)
    raw = BatchFile(header, b"abc", np.array([1, 2], np.int64)).to_bytes()
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(BatchFileError):
        BatchFile.from_bytes(raw[:cut])
    flipped = bytearray(raw)
    flipped[cut] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BatchFileError):
        BatchFile.from_bytes(bytes(flipped))


@pytest.mark.parametrize(("at", "value"), [(4, 1), (7, 1), (8, 1), (395, 200), (397, 9)])
def test_a_file_that_contradicts_itself_is_refused_even_with_a_right_checksum(at, value):
    header = Header(1, 1, *[bytes(32)] * 2, 1, 2, 0, bytes(32), 1, 1, 1, 1)
    raw = bytearray(BatchFile(header, b"abc", np.array([1, 2], np.int64)).to_bytes()[:-4])
    raw[at] = value
    with pytest.raises(BatchFileError):
        BatchFile.from_bytes(bytes(raw) + zlib.crc32(raw).to_bytes(4, "big"))


# --- builder ----------------------------------------------------------------------------------------


def test_the_header_is_what_the_blocks_say(tmp_path):
    sequencer = make(tmp_path)
    blocks = run_stream(sequencer, build_stream(5))
    batch = sequencer.publish_batch()
    header = batch.header
    file = BatchFile.from_bytes((tmp_path / "1.batch").read_bytes())
    leaves = file.leaves
    assert file.header == header
    assert [leaf for block in blocks for leaf in block.leaves] == leaves[2:]
    assert header.inputs_root == InputsTree.from_leaves(1, leaves).root
    assert (header.epoch, header.number, header.parent) == (1, 1, GENESIS_PARENT)
    assert (header.first_seq, header.count) == (1, len(leaves))
    assert (header.first_block, header.blocks) == (1, 6)
    assert (header.start_time, header.end_time) == (START, START + 5)
    prefix = bytes(32)
    for message in build_inbox():
        prefix = next_prefix(prefix, message)
    assert (header.inbox_index, header.inbox_hash) == (len(build_inbox()), prefix)
    assert sequencer.inbox == (len(build_inbox()), prefix)
    assert batch.state_root == sequencer.engine.rebuild_root()
    meta = json.loads((tmp_path / "1.json").read_text())
    assert meta == batch.to_json()
    assert meta["header_hash"] == "0x" + header.hash().hex()


def test_batches_lie_end_to_end(tmp_path):
    sequencer = make(tmp_path, BatchLimits(blocks=3))
    run_stream(sequencer, build_stream(20))
    sequencer.publish_batch()
    assert sequencer.publish_batch() is None
    batches = [published.header for published in read_published(tmp_path)]
    assert [header.blocks for header in batches] == [3] * 7
    for before, header in pairwise(batches):
        assert header.parent == before.hash()
        assert header.first_seq == before.first_seq + before.count
        assert header.first_block == before.first_block + before.blocks


@pytest.mark.parametrize(
    "limits", [BatchLimits(blocks=4), BatchLimits(bytes=8), BatchLimits(milliseconds=3)]
)
def test_a_batch_is_due_when_it_reaches_a_limit(tmp_path, limits):
    builder = BatchBuilder(tmp_path, limits=limits)
    assert not builder.is_due(10**15)
    for n in range(1, 5):
        assert not builder.is_due(START + n - 2)
        builder.add(build_inputs(n, 2 * n - 1, time=START + n - 1))
    assert builder.is_due(START + 3)
    builder.publish(ROOT)
    assert not builder.is_due(START + 3)
    assert builder.is_empty


def test_a_block_that_does_not_follow_is_refused(tmp_path):
    builder = BatchBuilder(tmp_path)
    builder.add(build_inputs(1, 1))
    for inputs in (build_inputs(3, 3), build_inputs(2, 4)):
        with pytest.raises(BatchError, match="expected block 2 at seq 3"):
            builder.add(inputs)
    with pytest.raises(BatchError, match="blocks are open"):
        builder.resume(1, ROOT)


def test_an_empty_batch_does_not_exist(tmp_path):
    with pytest.raises(BatchError, match="no block is open"):
        BatchBuilder(tmp_path).publish(ROOT)


def test_publishing_again_gives_the_same_files(tmp_path):
    headers = []
    for name in ("a", "b"):
        builder = BatchBuilder(tmp_path / name)
        builder.add(build_inputs(1, 1))
        headers.append(builder.publish(ROOT).header)
    builder = BatchBuilder(tmp_path / "b", epoch=2)  # another sequencer goes on: the batch stays
    builder.add(build_inputs(1, 1))
    builder.match(headers[1])
    assert builder.publish(ROOT, headers[1]).header == headers[0]
    for name in ("1.batch", "1.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_header_that_contradicts_the_blocks_is_refused(tmp_path):
    builder = BatchBuilder(tmp_path)
    builder.add(build_inputs(1, 1))
    header = replace(builder.build_header(), inputs_root=ROOT, count=7)
    with pytest.raises(BatchError, match="differs from the journal in inputs_root, count"):
        builder.match(header)
    with pytest.raises(BatchError, match="a newer sequencer ran here"):
        builder.match(replace(header, epoch=2))
    assert not builder.is_empty


# --- what is on disk --------------------------------------------------------------------------------


@pytest.fixture
def published(tmp_path):
    builder = BatchBuilder(tmp_path)
    for n in range(1, 4):
        builder.add(build_inputs(n, 2 * n - 1))
        builder.publish(ROOT)
    return tmp_path


def test_published_batches_are_read_in_order(published):
    found = read_published(published)
    assert [(b.header.number, b.state_root, b.is_file_whole) for b in found] == [
        (n, ROOT, True) for n in (1, 2, 3)
    ]
    assert read_published(published / "nothing") == []


def test_a_batch_without_description_has_no_root_yet(published):
    (published / "3.json").unlink()
    (published / "2.json").write_text("{")
    found = read_published(published)
    assert [b.state_root for b in found] == [ROOT, b"", b""]


def test_a_damaged_file_with_a_description_can_be_made_again(published):
    (published / "2.batch").write_bytes(b"damaged")
    assert [b.is_file_whole for b in read_published(published)] == [True, False, True]


def test_what_cannot_be_made_sense_of_is_named(published):
    (published / "2.batch").write_bytes(b"damaged")
    (published / "2.json").unlink()
    with pytest.raises(BatchError, match=r"2\.batch is damaged, and so is 2\.json"):
        read_published(published)
    (published / "2.batch").unlink()
    with pytest.raises(BatchError, match="batch 2 is missing"):
        read_published(published)


def test_files_of_different_batches_are_noticed(published):
    (published / "2.json").write_bytes((published / "1.json").read_bytes())
    with pytest.raises(BatchError, match="of different batches"):
        read_published(published)
    (published / "2.batch").write_bytes((published / "1.batch").read_bytes())
    with pytest.raises(BatchError, match=r"2\.batch holds batch 1"):
        read_published(published)
