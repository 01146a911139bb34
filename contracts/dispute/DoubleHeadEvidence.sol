// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IEvidence} from "../interfaces/IEvidence.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {ISequencers} from "../interfaces/ISequencers.sol";
import {IStateChain} from "../interfaces/IStateChain.sol";
import {NO_VENUE} from "../interfaces/Types.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title DoubleHeadEvidence
/// @notice Convicts a sequencer that signed two block heads which contradict each other: two of one
/// block, or one that does not continue the one before. The rule is in docs/spec/receipts.md.
contract DoubleHeadEvidence is IEvidence {
    /// @notice What a sequencer signs once a block; field for field `block_head_digest` of
    /// `tradezone/protocol/batches.py`.
    struct BlockHead {
        uint64 epoch;
        uint64 number; // of the block; `block` in the signed type
        uint64 firstSeq;
        uint64 count;
        uint64 time; // ms
        uint64 inboxIndex;
        bytes32 inboxHash;
        bytes32 head;
        bytes32 parent;
    }

    /// @dev All of it: the worst that a sequencer can do alone.
    uint16 private constant _BPS = 10_000;
    bytes32 private constant _TYPE_HASH = keccak256(
        "BlockHead(uint64 epoch,uint64 block,uint64 firstSeq,uint64 count,uint64 time,"
        "uint64 inboxIndex,bytes32 inboxHash,bytes32 head,bytes32 parent)"
    );

    /// @notice Zone whose sequencers sign.
    IStateChain public immutable chain;

    error ZeroAddress();
    /// @notice The epoch has no key.
    error UnknownEpoch(uint64 epoch);
    error DifferentEpochs(uint64 first, uint64 second);
    /// @notice Heads of one block, or of two that follow each other, in order.
    error UnrelatedBlocks(uint64 first, uint64 second);
    error NoContradiction();
    error WrongSigner(address recovered, address sequencer);
    /// @notice The messages that the head stands on are not those of the inbox.
    error VoidHead(uint64 number, bytes32 inboxHash, bytes32 expected);

    /// @param chain_ state chain of the zone.
    constructor(IStateChain chain_) {
        if (address(chain_) == address(0)) revert ZeroAddress();
        chain = chain_;
    }

    /// @inheritdoc IEvidence
    /// @param evidence `abi.encode(BlockHead first, bytes signature, BlockHead second, bytes signature)`.
    function check(bytes calldata evidence) external view returns (Finding memory) {
        (
            BlockHead memory first,
            bytes memory firstSignature,
            BlockHead memory second,
            bytes memory secondSignature
        ) = abi.decode(evidence, (BlockHead, bytes, BlockHead, bytes));
        if (first.epoch != second.epoch) revert DifferentEpochs(first.epoch, second.epoch);
        _requireContradiction(first, second);
        address key = ISequencers(chain.sequencers()).sequencerOf(first.epoch);
        if (key == address(0)) revert UnknownEpoch(first.epoch);
        _requireSigned(first, firstSignature, key);
        _requireSigned(second, secondSignature, key);
        _requireValid(first);
        _requireValid(second);
        bytes32 nullifier = keccak256(abi.encode(second.epoch, second.number));
        return Finding(key, NO_VENUE, nullifier, _BPS);
    }

    /// @notice EIP-712 digest that is signed for a head.
    function digestOf(BlockHead memory head) public view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(
            chain.domainSeparator(), keccak256(abi.encode(_TYPE_HASH, head))
        );
    }

    function _requireContradiction(BlockHead memory first, BlockHead memory second) private pure {
        if (first.number == second.number) {
            if (keccak256(abi.encode(first)) == keccak256(abi.encode(second))) {
                revert NoContradiction();
            }
            return;
        }
        // In 256 bits: sums of signed fields must not overflow into an acquittal.
        if (uint256(first.number) + 1 != second.number) {
            revert UnrelatedBlocks(first.number, second.number);
        }
        if (
            second.parent == first.head && second.firstSeq == uint256(first.firstSeq) + first.count
                && second.time >= first.time && second.inboxIndex >= first.inboxIndex
        ) revert NoContradiction();
    }

    function _requireSigned(BlockHead memory head, bytes memory signature, address key)
        private
        view
    {
        address recovered = ECDSA.recover(digestOf(head), signature);
        if (recovered != key) revert WrongSigner(recovered, key);
    }

    /// @dev Reverts too if the inbox has not that many messages.
    function _requireValid(BlockHead memory head) private view {
        bytes32 expected = IInbox(chain.inbox()).prefixHash(head.inboxIndex);
        if (head.inboxHash != expected) revert VoidHead(head.number, head.inboxHash, expected);
    }
}
