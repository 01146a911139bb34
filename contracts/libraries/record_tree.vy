# pragma version 0.4.3
"""
@title Record tree
@license Apache-2.0
@notice Proofs against the two trees of a zone: the record tree behind a state root and the inputs tree
        behind a batch. The rules are in docs/spec/tree.md; RecordTree.sol is the same in Solidity.
@dev Every function reverts unless what it names is proved; none returns a verdict. A proof is bound to
     its place: the path is taken from type and slot (or from the sequence number), whose ranges are
     checked, and from nothing else.

     Assumptions a caller must meet:
     - The root is one that the caller trusts. Zero is refused, any other 32 bytes are not judged.
     - A proof is no nullifier: what may happen once is keyed by the record's place.
"""
from . import records

# Levels of the record tree: 8 bits of type over 32 bits of slot.
DEPTH: constant(uint256) = 40
SLOT_BITS: constant(uint256) = 32
# Levels of an inputs tree: at most 2^24 leaves a batch.
INPUTS_DEPTH: constant(uint256) = 24
# Bytes of an input leaf, at most.
MAX_INPUT_BYTES: constant(uint256) = 4096


@internal
@pure
def verify_record(
    root: bytes32,
    record_type: uint256,
    slot: uint256,
    words: DynArray[bytes32, records.MAX_WORDS],
    proof: DynArray[bytes32, DEPTH],
):
    """
    @notice Prove that a record has exactly these words under a state root.
    @dev Words that are all zero prove that the slot is empty.
    @param root State root.
    @param record_type Type number of the table.
    @param slot Slot of the record in its table.
    @param words The record, as many words as the table has.
    @param proof 40 siblings, bottom up.
    """
    leaf: bytes32 = self.leaf_hash(record_type, slot, words)
    self._require_root(root, self.compute_root(record_type, slot, leaf, proof))


@internal
@pure
def leaf_hash(
    record_type: uint256, slot: uint256, words: DynArray[bytes32, records.MAX_WORDS]
) -> bytes32:
    """
    @notice Leaf of a record: zero if all its words are zero, else
            keccak256(0x00 | type (1 byte) | slot (4 bytes) | words).
    """
    count: uint256 = records.words_of(record_type)
    assert count != 0, "tree: unknown type"
    assert slot >> SLOT_BITS == 0, "tree: slot out of range"
    assert len(words) == count, "tree: word count"
    every: uint256 = 0
    for word: bytes32 in words:
        every |= convert(word, uint256)
    if every == 0:
        return empty(bytes32)
    # The encoding of an array is its offset, its length, its words.
    packed: Bytes[32 * records.MAX_WORDS + 64] = slice(abi_encode(words), 64, 32 * count)
    return keccak256(
        concat(
            b"\x00",
            convert(convert(record_type, uint8), bytes1),
            convert(convert(slot, uint32), bytes4),
            packed,
        )
    )


@internal
@pure
def compute_root(
    record_type: uint256, slot: uint256, leaf: bytes32, proof: DynArray[bytes32, DEPTH]
) -> bytes32:
    """
    @notice Root that `leaf` at (type, slot) has under the siblings of `proof`.
    @dev With the leaf of a changed record and the same proof this is the root after the change.

         Warning: the caller vouches that `leaf` came from `leaf_hash`. The root is not compared.
    """
    assert records.words_of(record_type) != 0, "tree: unknown type"
    assert slot >> SLOT_BITS == 0, "tree: slot out of range"
    assert len(proof) == DEPTH, "tree: proof length"
    return self._fold(leaf, (record_type << SLOT_BITS) | slot, proof)


@internal
@pure
def verify_input(
    root: bytes32,
    first_seq: uint256,
    seq: uint256,
    input: Bytes[MAX_INPUT_BYTES],
    proof: DynArray[bytes32, INPUTS_DEPTH],
):
    """
    @notice Prove that a batch has exactly this input leaf at a sequence number.
    @param root Inputs root of the batch.
    @param first_seq Sequence number of the batch's first leaf, from its header.
    @param seq Sequence number of the leaf.
    @param input The leaf's bytes.
    @param proof 24 siblings, bottom up.
    """
    self.verify_input_hash(root, first_seq, seq, len(input), keccak256(input), proof)


@internal
@pure
def verify_input_hash(
    root: bytes32,
    first_seq: uint256,
    seq: uint256,
    size: uint256,
    input_hash: bytes32,
    proof: DynArray[bytes32, INPUTS_DEPTH],
):
    """
    @notice As `verify_input`, by the number and the keccak-256 of the leaf's bytes.
    @dev The leaf commits to both, so what follows from the size alone needs no bytes: a leaf above the
         limit is malformed whatever it holds.

         Warning: nothing says that the two belong together. Whoever made the batch may have committed
         to a size that no bytes of this hash have; bytes are what `verify_input` proves.
    """
    assert seq <= convert(max_value(uint64), uint256), "tree: seq out of range"
    assert seq >= first_seq, "tree: seq out of range"
    index: uint256 = seq - first_seq
    assert index >> INPUTS_DEPTH == 0, "tree: seq out of range"
    assert len(proof) == INPUTS_DEPTH, "tree: proof length"
    # A size cut to 32 bits would pass for a larger one.
    assert size <= convert(max_value(uint32), uint256), "tree: size out of range"
    leaf: bytes32 = keccak256(
        concat(
            b"\x01",
            convert(convert(seq, uint64), bytes8),
            convert(convert(size, uint32), bytes4),
            input_hash,
        )
    )
    self._require_root(root, self._fold(leaf, index, proof))


@internal
@pure
def _fold(leaf: bytes32, index: uint256, proof: DynArray[bytes32, DEPTH]) -> bytes32:
    # Bit i of `index` says whether the running node at level i is a right or a left child.
    node: bytes32 = leaf
    rest: uint256 = index
    for sibling: bytes32 in proof:
        if rest & 1 == 0:
            node = keccak256(concat(node, sibling))
        else:
            node = keccak256(concat(sibling, node))
        rest = rest >> 1
    return node


@internal
@pure
def _require_root(root: bytes32, computed: bytes32):
    assert root != empty(bytes32), "tree: zero root"
    assert computed == root, "tree: wrong root"
