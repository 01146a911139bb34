// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Records} from "./Records.sol";

/// @title RecordTree
/// @notice Proofs against the two trees of a zone: the record tree behind a state root and the inputs
/// tree behind a batch. The rules are in docs/spec/tree.md.
/// @dev Every function reverts unless what it names is proved; none returns a verdict, so a caller
/// cannot forget to look at one. A proof is bound to its place: the path is taken from type and slot
/// (or from the sequence number), whose ranges are checked, and from nothing else.
///
/// Assumptions a caller must meet:
/// - The root is one that the caller trusts. Zero is refused, any other 32 bytes are not judged.
/// - A proof is no nullifier: what may happen once is keyed by the record's place.
library RecordTree {
    /// @dev Levels of the record tree: 8 bits of type over 32 bits of slot.
    uint256 internal constant DEPTH = 40;
    uint256 internal constant SLOT_BITS = 32;
    /// @dev Levels of an inputs tree: at most 2^24 leaves a batch.
    uint256 internal constant INPUTS_DEPTH = 24;

    /// @dev A root of zero stands for "no root" and proves nothing.
    error ZeroRoot();
    /// @dev No table has this type.
    error UnknownType(uint256 recordType);
    /// @dev A slot has 32 bits.
    error SlotOutOfRange(uint256 slot);
    /// @dev The sequence number is none of the 2^24 from `firstSeq` on, or has more than 64 bits.
    error SeqOutOfRange(uint256 seq, uint256 firstSeq);
    /// @dev The size of an input leaf has 32 bits.
    error SizeOutOfRange(uint256 size);
    /// @dev A proof holds exactly one sibling a level.
    error WrongProofLength(uint256 received, uint256 expected);
    /// @dev The leaf and its siblings hash to another root.
    error WrongRoot(bytes32 computed, bytes32 expected);

    // ------------------------------------------------------------------------------ record tree

    /// @notice Prove that a record has exactly these words under a state root.
    /// @dev Words that are all zero prove that the slot is empty.
    /// @param root State root.
    /// @param recordType Type number of the table.
    /// @param slot Slot of the record in its table.
    /// @param words The record, as many words as the table has.
    /// @param proof 40 siblings, bottom up.
    function verifyRecord(
        bytes32 root,
        uint256 recordType,
        uint256 slot,
        bytes32[] memory words,
        bytes32[] calldata proof
    ) internal pure {
        _requireRoot(root, computeRoot(recordType, slot, leafHash(recordType, slot, words), proof));
    }

    /// @notice Leaf of a record: zero if all its words are zero, else
    /// keccak256(0x00 | type (1 byte) | slot (4 bytes) | words).
    function leafHash(uint256 recordType, uint256 slot, bytes32[] memory words)
        internal
        pure
        returns (bytes32)
    {
        uint256 expected = Records.wordsOf(recordType);
        if (expected == 0) revert UnknownType(recordType);
        if (slot >> SLOT_BITS != 0) revert SlotOutOfRange(slot);
        if (words.length != expected) {
            revert Records.WrongWordCount(recordType, words.length, expected);
        }
        bytes32 all;
        for (uint256 i = 0; i < expected; ++i) {
            all |= words[i];
        }
        if (all == 0) return 0;
        // Both casts keep their value: the ranges are checked above.
        return keccak256(abi.encodePacked(bytes1(0x00), uint8(recordType), uint32(slot), words));
    }

    /// @notice Root that `leaf` at (type, slot) has under the siblings of `proof`.
    /// @dev With the leaf of a changed record and the same proof this is the root after the change.
    ///
    /// Warning: the caller vouches that `leaf` came from `leafHash`. The root is not compared.
    function computeRoot(uint256 recordType, uint256 slot, bytes32 leaf, bytes32[] calldata proof)
        internal
        pure
        returns (bytes32)
    {
        if (Records.wordsOf(recordType) == 0) revert UnknownType(recordType);
        if (slot >> SLOT_BITS != 0) revert SlotOutOfRange(slot);
        return _fold(leaf, (recordType << SLOT_BITS) | slot, proof, DEPTH);
    }

    // ------------------------------------------------------------------------------ inputs tree

    /// @notice Prove that a batch has exactly this input leaf at a sequence number.
    /// @param root Inputs root of the batch.
    /// @param firstSeq Sequence number of the batch's first leaf, from its header.
    /// @param seq Sequence number of the leaf.
    /// @param input The leaf's bytes.
    /// @param proof 24 siblings, bottom up.
    function verifyInput(
        bytes32 root,
        uint256 firstSeq,
        uint256 seq,
        bytes memory input,
        bytes32[] calldata proof
    ) internal pure {
        verifyInputHash(root, firstSeq, seq, input.length, keccak256(input), proof);
    }

    /// @notice As `verifyInput`, by the number and the keccak-256 of the leaf's bytes.
    /// @dev The leaf commits to both, so what follows from the size alone needs no bytes: a leaf above
    /// the limit is malformed whatever it holds.
    ///
    /// Warning: nothing says that the two belong together. Whoever made the batch may have committed to
    /// a size that no bytes of this hash have; bytes are what `verifyInput` proves.
    function verifyInputHash(
        bytes32 root,
        uint256 firstSeq,
        uint256 seq,
        uint256 size,
        bytes32 inputHash,
        bytes32[] calldata proof
    ) internal pure {
        if (seq > type(uint64).max || seq < firstSeq) {
            revert SeqOutOfRange(seq, firstSeq);
        }
        uint256 index = seq - firstSeq;
        if (index >> INPUTS_DEPTH != 0) revert SeqOutOfRange(seq, firstSeq);
        // A size cut to 32 bits would pass for a larger one.
        if (size > type(uint32).max) revert SizeOutOfRange(size);
        bytes32 leaf =
            keccak256(abi.encodePacked(bytes1(0x01), uint64(seq), uint32(size), inputHash));
        _requireRoot(root, _fold(leaf, index, proof, INPUTS_DEPTH));
    }

    // ------------------------------------------------------------------------------ shared

    /// @dev Bit i of `index` says whether the running node at level i is a right or a left child.
    function _fold(bytes32 node, uint256 index, bytes32[] calldata proof, uint256 depth)
        private
        pure
        returns (bytes32)
    {
        if (proof.length != depth) revert WrongProofLength(proof.length, depth);
        for (uint256 level = 0; level < depth; ++level) {
            bytes32 sibling = proof[level];
            node = (index >> level) & 1 == 0 ? _hashPair(node, sibling) : _hashPair(sibling, node);
        }
        return node;
    }

    function _hashPair(bytes32 left, bytes32 right) private pure returns (bytes32 node) {
        // Scratch space: the same as keccak256(abi.encode(left, right)) without its memory.
        assembly ("memory-safe") {
            mstore(0x00, left)
            mstore(0x20, right)
            node := keccak256(0x00, 0x40)
        }
    }

    function _requireRoot(bytes32 root, bytes32 computed) private pure {
        if (root == 0) revert ZeroRoot();
        if (computed != root) revert WrongRoot(computed, root);
    }
}
