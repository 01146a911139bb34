import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sha3
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from tradezone.state.keccak import (
    WIDTH,
    hash_ancestors,
    hash_ids,
    hash_inputs,
    hash_ranges,
    hash_records,
    keccak,
    keccak256,
    keccak_id,
    keccak_pair,
)

ROOT = Path(__file__).parents[2]


def slow(data: bytes) -> bytes:
    return sha3.keccak_256(data).digest()


def digest_of(data: bytes) -> bytes:
    out = np.zeros(32, np.uint8)
    keccak256(np.frombuffer(data, np.uint8), 0, len(data), out, 0)
    return out.tobytes()


def random_bytes(seed: int, length: int) -> bytes:
    return np.random.default_rng(seed).bytes(length)


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ],
)
def test_published_digests_are_met(message, digest):
    assert digest_of(message).hex() == digest
    assert keccak(message).hex() == digest


def test_every_length_around_four_blocks_is_right():
    data = random_bytes(1, 4 * 136 + 2)
    for length in range(len(data) + 1):
        assert digest_of(data[:length]) == slow(data[:length]), length


@given(st.binary(max_size=700), st.integers(0, 50), st.integers(0, 50), st.integers(0, 9))
def test_any_range_of_a_buffer_is_hashed_and_only_the_digest_is_written(data, before, behind, at):
    source = np.frombuffer(random_bytes(2, before) + data + random_bytes(3, behind), np.uint8)
    out = np.full(41, 0xAA, np.uint8)
    keccak256(source, before, len(data), out, at)
    assert out[at : at + 32].tobytes() == slow(data)
    assert np.all(out[:at] == 0xAA)
    assert np.all(out[at + 32 :] == 0xAA)


def test_a_digest_may_overwrite_its_own_source():
    data = random_bytes(4, 200)
    buffer = np.frombuffer(data, np.uint8).copy()
    keccak256(buffer, 0, 200, buffer, 0)
    assert buffer[:32].tobytes() == slow(data)


@pytest.mark.parametrize(
    ("start", "length", "at"),
    [
        (0, 101, 0),
        (1, 100, 0),
        (101, 0, 0),
        (-1, 5, 0),
        (0, -1, 0),
        (2**63 - 1, 2**63 - 1, 0),
        (0, 5, 9),
        (0, 5, -1),
    ],
)
def test_a_range_outside_of_its_array_raises_and_writes_nothing(start, length, at):
    out = np.zeros(40, np.uint8)
    with pytest.raises(IndexError, match="keccak256"):
        keccak256(np.zeros(100, np.uint8), start, length, out, at)
    assert not out.any()


def test_jitted_code_can_call_it():
    @njit
    def chain(data, times):
        out = np.zeros(32, np.uint8)
        keccak256(data, 0, data.size, out, 0)
        for _ in range(times):
            keccak256(out, 0, 32, out, 0)
        return out

    expected = slow(b"chain")
    for _ in range(5):
        expected = slow(expected)
    assert chain(np.frombuffer(b"chain", np.uint8).copy(), 5).tobytes() == expected


@given(st.binary(min_size=64, max_size=64))
def test_a_pair_is_the_hash_of_64_bytes(data):
    limbs = np.frombuffer(data, np.uint64)
    assert np.array(keccak_pair(*limbs), np.uint64).tobytes() == slow(data)


@pytest.mark.parametrize("words", range(1, 7))
@pytest.mark.parametrize("count", [1, WIDTH - 1, WIDTH, 3 * WIDTH + 1])
def test_record_leaves_follow_the_rule_for_every_size(words, count):
    capacity = 40
    memory = random_bytes(words, capacity * 32 * words)
    records = np.frombuffer(memory, np.uint64).reshape(capacity, 4 * words).copy()
    slots = np.random.default_rng(count).permutation(capacity)[:count].astype(np.uint64)
    records[int(slots[0])] = 0
    records[int(slots[-1]), :-1] = 0  # one limb alone makes a record not empty
    out = np.full((capacity, 4), 7, np.uint64)
    hash_records(records, 200, slots, out)
    for slot in range(capacity):
        memory = records[slot].tobytes()
        chain = b"".join(memory[at : at + 32][::-1] for at in range(0, len(memory), 32))
        leaf = slow(bytes([0, 200]) + slot.to_bytes(4, "big") + chain) if any(chain) else bytes(32)
        expected = leaf if slot in slots else np.full(4, 7, np.uint64).tobytes()
        assert out[slot].tobytes() == expected


def test_the_slot_is_hashed_in_four_big_endian_bytes():
    slot = 0x01020304 & 0x3FFFFF  # as far as a small array reaches
    records = np.zeros((slot + 1, 4), np.uint64)
    records[slot, 0] = 1
    out = np.zeros((slot + 1, 4), np.uint64)
    hash_records(records, 5, np.array([slot], np.uint64), out)
    expected = slow(bytes([0, 5]) + slot.to_bytes(4, "big") + (1).to_bytes(32, "big"))
    assert out[slot].tobytes() == expected


def test_a_record_that_is_not_there_raises():
    records = np.ones((4, 8), np.uint64)
    with pytest.raises(IndexError):
        hash_records(records, 1, np.array([4], np.uint64), np.zeros((8, 4), np.uint64))
    with pytest.raises(IndexError):
        hash_records(records, 1, np.array([3], np.uint64), np.zeros((3, 4), np.uint64))


@pytest.mark.parametrize("limbs", [0, 3, 28])
def test_a_record_of_another_size_raises(limbs):
    with pytest.raises(ValueError, match="1 to 6 words"):
        hash_records(
            np.ones((4, limbs), np.uint64), 1, np.array([0], np.uint64), np.zeros((4, 4), np.uint64)
        )


@pytest.mark.parametrize("height", [0, 1, 5])
def test_all_ancestors_are_recomputed_and_masked(height):
    size = 1 << height
    empty = np.frombuffer(random_bytes(9, 32 * (height + 1)), np.uint64).reshape(-1, 4)
    nodes = np.zeros((2 * size - 1, 4), np.uint64)
    leaves = [random_bytes(position, 32) for position in range(size)]
    nodes[:size] = np.frombuffer(b"".join(leaves), np.uint64).reshape(size, 4) ^ empty[0]
    hash_ancestors(nodes, height, empty, np.arange(size, dtype=np.uint64))
    level, start = leaves, 0
    for k in range(height + 1):
        stored = nodes[start : start + len(level)] ^ empty[k]
        assert stored.tobytes() == b"".join(level)
        start += len(level)
        level = [slow(left + right) for left, right in zip(level[::2], level[1::2], strict=False)]


def test_a_leaf_outside_of_the_tree_raises():
    empty = np.zeros((3, 4), np.uint64)
    with pytest.raises(IndexError, match="outside of the tree"):
        hash_ancestors(np.zeros((7, 4), np.uint64), 2, empty, np.array([4], np.uint64))


@pytest.mark.parametrize("count", [1, WIDTH, 2 * WIDTH + 3])
@pytest.mark.parametrize("first_seq", [0, 0x0102030405060708, 2**64 - 40])
def test_input_leaves_bind_their_sequence_number_and_size(count, first_seq):
    data = random_bytes(count, 32 * count)
    sizes = np.resize(np.array([0, 1, 0x01020304, 2**32 - 1, 4096], np.int64), count)
    out = np.zeros((count, 4), np.uint64)
    digests = np.frombuffer(data, np.uint64).reshape(count, 4)
    hash_inputs(np.uint64(first_seq), digests, sizes, out)
    for i in range(count):
        head = b"\x01" + (first_seq + i).to_bytes(8, "big") + int(sizes[i]).to_bytes(4, "big")
        assert out[i].tobytes() == slow(head + data[32 * i : 32 * i + 32])
    with pytest.raises(IndexError):
        hash_inputs(np.uint64(first_seq), digests, sizes[1:], out)


def test_consecutive_ranges_are_hashed_one_by_one():
    data = random_bytes(6, 1000)
    bounds = np.array([10, 10, 146, 500, 1000], np.int64)
    out = np.zeros(32 * 4, np.uint8)
    hash_ranges(np.frombuffer(data, np.uint8), bounds, out)
    pairs = itertools.pairwise(bounds)
    assert out.tobytes() == b"".join(slow(data[a:b]) for a, b in pairs)
    with pytest.raises(IndexError):
        hash_ranges(np.frombuffer(data, np.uint8), np.array([0, 5, 3]), out)


PROGRAM = """
import numpy as np
from tradezone.state import keccak as K
from tradezone.state.inputs_tree import InputsTree
data = (np.arange(1000) * 7 % 256).astype(np.uint8)
out = np.zeros(96, np.uint8)
K.keccak256(data, 3, 500, out, 0)
out[32:64] = np.array(K.keccak_pair(*range(8)), np.uint64).view(np.uint8)
leaves = np.zeros((6, 4), np.uint64)
for words in (1, 4, 5):
    records = np.arange(6 * 4 * words, dtype=np.uint64).reshape(6, 4 * words)
    K.hash_records(records, 3, np.array([0, 1, 5], np.uint64), leaves)
    out[64:] ^= leaves.view(np.uint8).reshape(6, 32)[1]
found = np.zeros(3, np.int64)
K.hash_ids(3, np.array([0, 7, 1 << 31]), np.array([[1, -2], [-(1 << 63), 3], [5, 0]]), found)
print(found.tolist(), int(K.keccak_id(7, -(1 << 63), 3)))
print(out.tobytes().hex(), InputsTree.from_leaves(7, [b"a", b"bc", b""]).root.hex())
"""


def test_code_that_is_not_compiled_computes_the_same():
    outputs = set()
    for is_disabled in ("0", "1"):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": is_disabled, "PYTHONPATH": str(ROOT)}
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.add(run.stdout)
    assert len(outputs) == 1


@pytest.mark.parametrize("count", [0, 1, WIDTH - 1, WIDTH, WIDTH + 1, 5 * WIDTH + 3])
def test_ids_are_hashed_with_their_number(count):
    random = np.random.default_rng(count)
    numbers = random.integers(0, 1 << 32, count)
    ids = random.integers(-(1 << 63), (1 << 63) - 1, (count, 2))
    out = np.zeros(count, np.int64)
    hash_ids(count, numbers, ids, out)
    for number, (high, low), found in zip(
        numbers.tolist(), ids.tolist(), out.tolist(), strict=True
    ):
        name = high.to_bytes(8, "big", signed=True) + low.to_bytes(8, "big", signed=True)
        expected = int.from_bytes(slow(number.to_bytes(4, "big") + name)[24:], "big", signed=True)
        assert found == expected
        assert keccak_id(number, high, low) == expected
