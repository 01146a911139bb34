import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vectors import make_tree as slow
from tradezone.protocol.records import TABLE_BY_NAME, TABLES
from tradezone.state.tree import (
    DEPTH,
    ZERO_HASHES,
    RecordTree,
    TreeError,
    fold_proof,
    leaf_hash,
    leaf_hash_of_words,
    to_words,
    verify_leaf,
    verify_proof,
)

VECTORS = json.loads(slow.PATH.read_text("utf-8"))

# Every word count, and capacities that are one, no power of two, and more than a group of hashes.
SMALL = {
    "machine": 4,
    "head": 1,
    "balance": 40,
    "price": 5,
    "nonces": 9,
    "order": 33,
    "outbox": 100,
}
SMALL_TABLES = tuple(
    dataclasses.replace(TABLE_BY_NAME[name], capacity=capacity) for name, capacity in SMALL.items()
)


def bytes_of(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def words_bytes(words: list[str]) -> bytes:
    return b"".join(map(bytes_of, words))


def new_state(tables=SMALL_TABLES):
    return {table.number: np.zeros(table.capacity, table.dtype) for table in tables}


def write(state, number, slot, data: bytes):
    """Set a record from its memory form and return its index."""
    raw = state[number].view(np.uint8).reshape(len(state[number]), -1)
    raw[slot] = np.frombuffer(data, np.uint8)
    return number << 32 | slot


def indices(values):
    return np.array(list(values), np.uint64)


def slow_leaves(state):
    leaves = {}
    for number, table in state.items():
        for slot, record in enumerate(table):
            words = [
                int.from_bytes(record.tobytes()[at : at + 32], "little")
                for at in range(0, table.dtype.itemsize, 32)
            ]
            leaves[slow.index_of(number, slot)] = slow.leaf_of(number, slot, words)
    return leaves


@st.composite
def batches(draw):
    """Some batches of writes: (type, slot, memory form), zeros among them."""
    places = [(table.number, slot) for table in SMALL_TABLES for slot in range(table.capacity)]
    sizes = {table.number: 32 * table.words for table in SMALL_TABLES}
    result = []
    for _ in range(draw(st.integers(1, 4))):
        chosen = draw(st.lists(st.sampled_from(places), max_size=60))
        seed = draw(st.integers(0, 2**32))
        random = np.random.default_rng(seed)
        batch = []
        for number, slot in chosen:
            data = random.bytes(sizes[number])
            if random.integers(4) == 0:
                data = bytes(sizes[number])
            batch.append((number, slot, data))
        result.append(batch)
    return result


# --- the root ---------------------------------------------------------------------------------------


@given(batches())
def test_incremental_root_equals_rebuilt_root_equals_slow_root(all_batches):
    state, tree = new_state(), RecordTree(SMALL_TABLES)
    for batch in all_batches:
        dirty = indices(write(state, *change) for change in batch)  # duplicates and any order
        root = tree.commit(state, dirty)
        assert root == tree.root
        assert root == slow.root_of(slow_leaves(state), slow.DEPTH)
    assert RecordTree(SMALL_TABLES).rebuild(state) == tree.root
    assert tree.rebuild(state) == tree.root


@given(batches(), st.data())
def test_every_place_has_a_proof_that_is_right_and_the_slow_one(all_batches, data):
    state, tree = new_state(), RecordTree(SMALL_TABLES)
    for batch in all_batches:
        tree.commit(state, indices(write(state, *change) for change in batch))
    table = data.draw(st.sampled_from(SMALL_TABLES))
    beyond = st.sampled_from([table.capacity, 1 << table.capacity.bit_length(), 2**31, 2**32 - 1])
    slot = data.draw(st.integers(0, table.capacity - 1) | beyond)
    proof = tree.prove(table.number, slot)
    leaves = slow_leaves(state)
    assert proof == slow.proof_of(leaves, slow.index_of(table.number, slot), slow.DEPTH)
    words = bytes(32 * table.words)
    if slot < table.capacity:
        words = to_words(state[table.number][slot].tobytes())
    assert verify_proof(tree.root, table.number, slot, words, proof)
    assert not verify_proof(tree.root, table.number, slot, bytes([words[0] ^ 1]) + words[1:], proof)


def test_root_of_the_empty_state_is_not_zero():
    assert RecordTree().root == ZERO_HASHES[DEPTH]
    assert RecordTree().commit({}, indices([])) == ZERO_HASHES[DEPTH]
    assert RecordTree(SMALL_TABLES).rebuild(new_state()) == ZERO_HASHES[DEPTH]


def test_a_record_set_back_to_zero_leaves_no_trace():
    state, tree = new_state(), RecordTree(SMALL_TABLES)
    before = tree.commit(state, indices([write(state, 7, 3, b"\x01" * 64)]))
    assert tree.commit(state, indices([write(state, 26, 9, b"\x02" * 64)])) != before
    assert tree.commit(state, indices([write(state, 26, 9, bytes(64))])) == before


def test_capacity_does_not_change_the_root():
    roots = set()
    for capacity in (1 << 3, 1 << 10, 777):
        tables = (dataclasses.replace(TABLE_BY_NAME["order"], capacity=capacity),)
        state = new_state(tables)
        index = write(state, 20, 5, bytes(range(tables[0].dtype.itemsize)))
        roots.add(RecordTree(tables).commit(state, indices([index])))
    assert len(roots) == 1


def test_tables_of_the_protocol_at_full_capacity_cost_only_what_is_used():
    last = TABLE_BY_NAME["nonces"].capacity - 1
    tree = RecordTree()
    state = new_state((TABLE_BY_NAME["nonces"],))
    dirty = indices([write(state, 6, slot, b"\x05" * 128) for slot in (0, 1, last)])
    leaves = {
        int(index): leaf_hash(6, int(index) & (1 << 32) - 1, b"\x05" * 128) for index in dirty
    }
    assert tree.commit(state, dirty) == slow.root_of(leaves, slow.DEPTH)
    words = to_words(b"\x05" * 128)
    assert verify_proof(tree.root, 6, last, words, tree.prove(6, last))


def test_a_view_into_a_larger_record_is_a_table_too():
    whole = np.zeros(1, np.dtype([("pad", "u1", 32), ("balance", SMALL_TABLES[2].dtype, (40,))]))
    state = {7: whole["balance"][0]}
    index = write(state, 7, 39, b"\x09" * 64)
    plain = new_state()
    write(plain, 7, 39, b"\x09" * 64)
    expected = RecordTree(SMALL_TABLES).rebuild(plain)
    assert RecordTree(SMALL_TABLES).commit(state, indices([index])) == expected


# --- errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dirty",
    [
        [7 << 32 | 40],  # one past the table
        [7 << 32 | 0xFFFFFFFF],
        [2 << 32],  # a table that this tree does not have
        [255 << 32],
        [(1 << 40) + (7 << 32)],  # type 256 + 7
        [2**64 - 1],
    ],
)
def test_an_index_without_a_record_raises_and_changes_nothing(dirty):
    state, tree = new_state(), RecordTree(SMALL_TABLES)
    before = tree.commit(state, indices([write(state, 7, 1, b"\x01" * 64)]))
    changed = write(state, 0, 1, b"\x01" * 192)
    with pytest.raises(TreeError):
        tree.commit(state, indices([changed, *dirty]))
    assert tree.root == before
    assert tree.commit(state, indices([changed])) == RecordTree(SMALL_TABLES).rebuild(state)


@pytest.mark.parametrize(
    "table",
    [
        np.zeros(40, TABLE_BY_NAME["order"].dtype),
        np.zeros(80, TABLE_BY_NAME["balance"].dtype)[::2],
        np.zeros((5, 8), TABLE_BY_NAME["balance"].dtype),
        np.zeros(65, TABLE_BY_NAME["balance"].dtype),
    ],
)
def test_a_table_that_is_not_what_its_type_says_raises(table):
    with pytest.raises(TreeError, match="balance"):
        RecordTree(SMALL_TABLES).commit({7: table}, indices([7 << 32]))


@pytest.mark.parametrize("dirty", [np.zeros(1, np.int64), np.zeros((1, 1), np.uint64)])
def test_dirty_of_another_kind_raises(dirty):
    with pytest.raises(TreeError, match="uint64"):
        RecordTree(SMALL_TABLES).commit(new_state(), dirty)


@pytest.mark.parametrize(("number", "slot"), [(256, 0), (-1, 0), (0, 1 << 32), (0, -1)])
def test_a_place_outside_of_the_tree_has_no_proof(number, slot):
    with pytest.raises(TreeError):
        RecordTree(SMALL_TABLES).prove(number, slot)


def test_leaves_of_unknown_types_slots_and_sizes_raise():
    for arguments in (
        (len(TABLES), 0, bytes(32)),
        (-1, 0, bytes(32)),
        (7, 1 << 32, bytes(64)),
        (7, -1, bytes(64)),
    ):
        with pytest.raises(TreeError):
            leaf_hash(*arguments)
    for size in (0, 32, 63, 65, 96):
        with pytest.raises(TreeError):
            leaf_hash(7, 1, bytes(size))


# --- vectors and attacks ----------------------------------------------------------------------------


def test_golden_vectors_are_what_their_generator_writes():
    message = "run: python tests/vectors/make_tree.py"
    assert Path(slow.PATH).read_text("utf-8") == slow.text(), message


def test_zero_hashes_are_the_vectors():
    assert [bytes_of(node) for node in VECTORS["zero_hashes"]] == list(ZERO_HASHES)
    node = VECTORS["node"]
    assert fold_proof(bytes_of(node["left"]), 0, [bytes_of(node["right"])]) == bytes_of(
        node["node"]
    )
    assert fold_proof(bytes_of(node["right"]), 1, [bytes_of(node["left"])]) == bytes_of(
        node["node"]
    )


@pytest.mark.parametrize("vector", VECTORS["records"], ids=lambda vector: vector["table"])
def test_leaves_are_the_vectors(vector):
    table = TABLE_BY_NAME[vector["table"]]
    record = np.zeros(1, table.dtype)
    for field in table.fields:
        number = int(vector["fields"][field.name])
        for position, (name, _, _) in enumerate(field.limbs()):
            column = record[name]
            if len(field.limbs()) > 1:
                bits = 8 * column.dtype.itemsize
                column[0] = number >> 64 * position & (1 << bits) - 1
            else:
                column[0] = number
    words = words_bytes(vector["words"])
    assert to_words(record.tobytes()) == words
    assert to_words(words) == record.tobytes()
    assert leaf_hash(table.number, vector["slot"], record.tobytes()) == bytes_of(vector["leaf"])
    assert leaf_hash_of_words(table.number, vector["slot"], words) == bytes_of(vector["leaf"])


@pytest.mark.parametrize("vector", VECTORS["trees"], ids=lambda vector: vector["name"])
def test_roots_and_proofs_are_the_vectors(vector):
    tree = RecordTree()
    state = {}
    dirty = []
    for record in vector["records"]:
        number, slot = record["type"], record["slot"]
        table = TABLES[number]
        state.setdefault(number, np.zeros(min(16, table.capacity), table.dtype))
        dirty.append(write(state, number, slot, to_words(words_bytes(record["words"]))))
    root = tree.commit(state, indices(dirty))
    assert root == bytes_of(vector["root"])
    for proved in vector["proofs"]:
        proof = [bytes_of(node) for node in proved["proof"]]
        assert tree.prove(proved["type"], proved["slot"]) == proof
        assert verify_proof(
            root, proved["type"], proved["slot"], words_bytes(proved["words"]), proof
        )


@pytest.fixture(scope="module")
def proved():
    """Root, type, slot, words and proof of the record that the attacks work on."""
    vector = VECTORS["trees"][-1]
    record = vector["proofs"][0]
    proof = [bytes_of(node) for node in record["proof"]]
    words = words_bytes(record["words"])
    arguments = (bytes_of(vector["root"]), record["type"], record["slot"], words, proof)
    assert verify_proof(*arguments)
    return arguments


def test_right_leaf_at_a_wrong_place_is_refused(proved):
    root, number, slot, words, proof = proved
    for bit in range(64):
        assert not verify_proof(root, number, slot ^ 1 << bit, words, proof)
        assert not verify_proof(root, number ^ 1 << bit, slot, words, proof)
    leaf = leaf_hash_of_words(number, slot, words)
    assert verify_leaf(root, number, slot, leaf, proof)
    for other_number, other_slot in (
        (number + 256, slot),
        (number, slot + 2**32),
        (number - 1, slot + 2**32),
        (-number, slot),
        (number, -1),
    ):
        assert not verify_leaf(root, other_number, other_slot, leaf, proof)


def test_an_inner_node_is_no_leaf(proved):
    root, number, slot, words, proof = proved
    leaf = leaf_hash_of_words(number, slot, words)
    parent = fold_proof(leaf, slot, proof[:1])
    # The node above, with a proof that is one level short, and one that is filled up again.
    assert not verify_leaf(root, number, slot >> 1, parent, proof[1:])
    assert fold_proof(parent, (number << 32 | slot) >> 1, proof[1:]) == root
    for filling in (bytes(32), proof[0], leaf):
        assert not verify_leaf(root, number, slot >> 1, parent, [*proof[1:], filling])
        assert not verify_leaf(root, number, slot, parent, [filling, *proof[1:]])
    # A record of 64 bytes that is the pair of leaves below a node, with the node's own proof.
    pair = leaf + proof[0] if slot & 1 == 0 else proof[0] + leaf
    assert not verify_proof(root, number, slot >> 1, pair, [*proof[1:], bytes(32)])


def test_a_proof_of_another_length_is_refused(proved):
    root, number, slot, words, proof = proved
    for wrong in ([], proof[:-1], [*proof, bytes(32)], [*proof, root], proof * 2):
        assert not verify_proof(root, number, slot, words, wrong)
    assert not verify_proof(root, number, slot, words, [*proof[:-1], proof[-1][:-1]])
    assert not verify_proof(root, number, slot, words, [*proof[:-1], proof[-1] + b"\x00"])


def test_every_sibling_counts(proved):
    root, number, slot, words, proof = proved
    for level in range(DEPTH):
        changed = list(proof)
        changed[level] = bytes([changed[level][0] ^ 1]) + changed[level][1:]
        assert not verify_proof(root, number, slot, words, changed)


def test_a_zero_root_proves_nothing(proved):
    _, number, slot, words, proof = proved
    assert not verify_proof(bytes(32), number, slot, words, proof)
    assert not verify_proof(b"", number, slot, words, proof)
    assert not verify_leaf(bytes(32), number, slot, bytes(32), [bytes(32)] * DEPTH)


def test_words_that_are_not_the_tables_are_refused(proved):
    root, number, slot, words, proof = proved
    for wrong in (b"", words[:-32], words + bytes(32), words[:-1], to_words(words)):
        assert not verify_proof(root, number, slot, wrong, proof)
    # An empty slot: any number of zero words has the zero leaf, but only the table's is taken.
    vector = VECTORS["trees"][-1]["proofs"][1]
    absent = [bytes_of(node) for node in vector["proof"]]
    for count in range(7):
        is_right = count == TABLES[vector["type"]].words
        arguments = (vector["type"], vector["slot"], bytes(32 * count), absent)
        assert verify_proof(root, *arguments) == is_right


def test_leaves_of_all_types_and_word_counts_have_lengths_of_their_own():
    lengths = [6 + 32 * words for words in range(1, 7)]
    assert all(length != 64 for length in lengths), "a leaf must never have the length of a node"
    pairs = itertools.combinations([*lengths, 41, 64], 2)
    assert all(one != other for one, other in pairs)
