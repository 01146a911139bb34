# pragma version 0.4.3
"""
@title Record tree harness
@license Apache-2.0
@notice Gives tests access to the record_tree module.
"""
from ..libraries import record_tree


@external
@pure
def verify_record(
    root: bytes32,
    record_type: uint256,
    slot: uint256,
    words: DynArray[bytes32, 6],
    proof: DynArray[bytes32, 40],
):
    record_tree.verify_record(root, record_type, slot, words, proof)


@external
@pure
def leaf_hash(record_type: uint256, slot: uint256, words: DynArray[bytes32, 6]) -> bytes32:
    return record_tree.leaf_hash(record_type, slot, words)


@external
@pure
def compute_root(
    record_type: uint256, slot: uint256, leaf: bytes32, proof: DynArray[bytes32, 40]
) -> bytes32:
    return record_tree.compute_root(record_type, slot, leaf, proof)


@external
@pure
def verify_input(
    root: bytes32,
    first_seq: uint256,
    seq: uint256,
    input: Bytes[4096],
    proof: DynArray[bytes32, 24],
):
    record_tree.verify_input(root, first_seq, seq, input, proof)


@external
@pure
def verify_input_hash(
    root: bytes32,
    first_seq: uint256,
    seq: uint256,
    size: uint256,
    input_hash: bytes32,
    proof: DynArray[bytes32, 24],
):
    record_tree.verify_input_hash(root, first_seq, seq, size, input_hash, proof)
