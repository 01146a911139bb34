// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {RecordTree} from "../libraries/RecordTree.sol";

/// @title RecordTreeHarness
/// @notice Gives tests access to RecordTree.
contract RecordTreeHarness {
    function verifyRecord(
        bytes32 root,
        uint256 recordType,
        uint256 slot,
        bytes32[] calldata words,
        bytes32[] calldata proof
    ) external pure {
        RecordTree.verifyRecord(root, recordType, slot, words, proof);
    }

    function leafHash(uint256 recordType, uint256 slot, bytes32[] calldata words)
        external
        pure
        returns (bytes32)
    {
        return RecordTree.leafHash(recordType, slot, words);
    }

    function computeRoot(uint256 recordType, uint256 slot, bytes32 leaf, bytes32[] calldata proof)
        external
        pure
        returns (bytes32)
    {
        return RecordTree.computeRoot(recordType, slot, leaf, proof);
    }

    function verifyInput(
        bytes32 root,
        uint256 firstSeq,
        uint256 seq,
        bytes calldata input,
        bytes32[] calldata proof
    ) external pure {
        RecordTree.verifyInput(root, firstSeq, seq, input, proof);
    }

    function verifyInputHash(
        bytes32 root,
        uint256 firstSeq,
        uint256 seq,
        uint256 size,
        bytes32 inputHash,
        bytes32[] calldata proof
    ) external pure {
        RecordTree.verifyInputHash(root, firstSeq, seq, size, inputHash, proof);
    }
}
