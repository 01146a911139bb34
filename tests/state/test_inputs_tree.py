import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vectors import make_tree as slow
from tradezone.state.inputs_tree import DEPTH, MAX_LEAVES, InputsTree, input_leaf_hash, verify_input
from tradezone.state.tree import TreeError, fold_proof

VECTORS = json.loads(slow.PATH.read_text("utf-8"))["inputs"]
LEAVES = [b"", b"one", bytes(135), bytes(136), b"x" * 700]


def bytes_of(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=40), st.integers(0, 2**64 - 41))
def test_root_and_proofs_equal_the_slow_tree(leaves, first_seq):
    hashes = {i: slow.input_leaf_of(first_seq + i, leaf) for i, leaf in enumerate(leaves)}
    tree = InputsTree.from_leaves(first_seq, leaves)
    assert tree.root == slow.root_of(hashes, slow.INPUTS_DEPTH)
    for i in {0, len(leaves) // 2, len(leaves) - 1}:
        proof = tree.prove(first_seq + i)
        assert proof == slow.proof_of(hashes, i, slow.INPUTS_DEPTH)
        assert verify_input(tree.root, first_seq, first_seq + i, leaves[i], proof)
        assert not verify_input(tree.root, first_seq, first_seq + i, leaves[i] + b"\x00", proof)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_a_buffer_with_bounds_is_the_same_as_its_leaves(leaves):
    buffer = np.frombuffer(b"?" + b"".join(leaves) + b"!", np.uint8)
    bounds = 1 + np.cumsum([0, *map(len, leaves)]).astype(np.int64)
    assert InputsTree.from_buffer(9, buffer, bounds).root == InputsTree.from_leaves(9, leaves).root


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["first_seq"])
def test_vectors_are_met(vector):
    first_seq = int(vector["first_seq"])
    leaves = [bytes_of(leaf) for leaf in vector["inputs"]]
    tree = InputsTree.from_leaves(first_seq, leaves)
    assert tree.root == bytes_of(vector["root"])
    for proved in vector["proofs"]:
        proof = [bytes_of(node) for node in proved["proof"]]
        seq = int(proved["seq"])
        assert tree.prove(seq) == proof
        assert verify_input(tree.root, first_seq, seq, leaves[seq - first_seq], proof)


def test_the_same_leaves_under_other_numbers_have_another_root():
    roots = {InputsTree.from_leaves(first, LEAVES).root for first in range(4)}
    assert len(roots) == 4


def test_a_leaf_at_another_number_is_refused():
    tree = InputsTree.from_leaves(100, LEAVES)
    proof = tree.prove(102)
    assert verify_input(tree.root, 100, 102, LEAVES[2], proof)
    for bit in range(70):
        assert not verify_input(tree.root, 100, 102 ^ 1 << bit, LEAVES[2], proof)
        assert not verify_input(tree.root, 100 ^ 1 << bit, 102, LEAVES[2], proof)
    assert not verify_input(tree.root, 100 + MAX_LEAVES, 102 + MAX_LEAVES, LEAVES[2], proof)
    assert not verify_input(tree.root, 100, 102 + MAX_LEAVES, LEAVES[2], proof)
    assert not verify_input(tree.root, 102, 100, LEAVES[2], proof)


def test_nodes_lengths_and_zero_roots_are_refused():
    tree = InputsTree.from_leaves(0, LEAVES)
    proof = tree.prove(2)
    assert not verify_input(bytes(32), 0, 2, LEAVES[2], proof)
    for wrong in ([], proof[:-1], [*proof, bytes(32)], [*proof[:-1], proof[-1][1:]]):
        assert not verify_input(tree.root, 0, 2, LEAVES[2], wrong)
    # The pair of hashes below a node, given as a leaf.
    leaf = input_leaf_hash(2, LEAVES[2])
    assert fold_proof(leaf, 2, proof) == tree.root
    assert not verify_input(tree.root, 0, 1, leaf + proof[0], [*proof[1:], bytes(32)])


def test_a_batch_without_leaves_or_outside_of_64_bits_is_refused():
    for first_seq, leaves in ((0, []), (-1, [b""]), (2**64, [b""]), (2**64 - 1, [b"", b""])):
        with pytest.raises(TreeError):
            InputsTree.from_leaves(first_seq, leaves)
    with pytest.raises(TreeError, match="uint8"):
        InputsTree(0, np.zeros((3, 31), np.uint8), np.zeros(3, np.int64))


@pytest.mark.parametrize("sizes", [[1, 2], [1, 2, 3, 4], [1, -1, 3], [1, 2**32, 3]])
def test_sizes_that_are_not_one_a_leaf_or_leave_32_bits_are_refused(sizes):
    with pytest.raises(TreeError, match="expected sizes"):
        InputsTree(0, np.zeros((3, 32), np.uint8), np.array(sizes, np.int64))


def test_the_size_of_a_leaf_is_part_of_the_root():
    digests = np.zeros((3, 32), np.uint8)
    roots = {
        InputsTree(0, digests, np.array(sizes, np.int64)).root
        for sizes in ([0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 2**32 - 1])
    }
    assert len(roots) == 4
    # Bytes prove a leaf only under their own number.
    tree = InputsTree(0, np.frombuffer(slow.keccak(b"leaf"), np.uint8)[None], np.array([5]))
    assert not verify_input(tree.root, 0, 0, b"leaf", tree.prove(0))


@pytest.mark.parametrize("bounds", [[], [0, 5, 4], [-1, 4], [0, 11], [0]])
def test_bounds_that_leave_the_buffer_are_refused(bounds):
    with pytest.raises(TreeError):
        InputsTree.from_buffer(0, np.zeros(10, np.uint8), np.array(bounds, np.int64))


@pytest.mark.parametrize("seq", [9, 15, -1])
def test_a_number_without_a_leaf_has_no_proof(seq):
    with pytest.raises(TreeError):
        InputsTree.from_leaves(10, LEAVES).prove(seq)


def test_depth_is_that_of_the_vectors():
    assert DEPTH == slow.INPUTS_DEPTH
