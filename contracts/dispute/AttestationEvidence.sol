// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IEvidence} from "../interfaces/IEvidence.sol";
import {IStateChain} from "../interfaces/IStateChain.sol";
import {ClaimId, NO_CLAIM, NO_VENUE} from "../interfaces/Types.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @title AttestationEvidence
/// @notice Convicts a verifier that vouched for a state which is not the state: it signed two roots for the
/// same inputs, or one that differs from the root that became final. docs/spec/registers.md has the rule.
contract AttestationEvidence is IEvidence {
    /// @notice What a verifier signs to vouch for a state; field for field `attestation_digest` of
    /// `tradezone/protocol/attestations.py`.
    struct Attestation {
        uint64 batch;
        bytes32 headerHash; // of the batch: names its inputs and all before them
        bytes32 stateRoot; // after it
    }

    /// @dev All of it: with enough others it is the worst that a verifier can do.
    uint16 private constant _BPS = 10_000;
    bytes32 private constant _TYPE_HASH =
        keccak256("Attestation(uint64 batch,bytes32 headerHash,bytes32 stateRoot)");

    /// @notice Zone whose states are vouched for.
    IStateChain public immutable chain;

    error ZeroAddress();
    /// @notice They are about different inputs.
    error UnrelatedAttestations(uint64 first, uint64 second);
    error NoContradiction();
    error DifferentSigners(address first, address second);
    error NotYetFinal(ClaimId claim);
    /// @notice The claim is on another batch.
    error WrongClaim(ClaimId claim, uint64 batch);
    /// @notice The inputs vouched for are not those of the batch.
    error WrongInputs(bytes32 headerHash, bytes32 expected);

    /// @param chain_ state chain of the zone.
    constructor(IStateChain chain_) {
        if (address(chain_) == address(0)) revert ZeroAddress();
        chain = chain_;
    }

    /// @inheritdoc IEvidence
    /// @param evidence `abi.encode(Attestation, bytes signature, Attestation, bytes signature, ClaimId)`.
    /// With a claim, only the first attestation is read and compared with it.
    function check(bytes calldata evidence) external view returns (Finding memory) {
        (
            Attestation memory first,
            bytes memory firstSignature,
            Attestation memory second,
            bytes memory secondSignature,
            ClaimId claim
        ) = abi.decode(evidence, (Attestation, bytes, Attestation, bytes, ClaimId));
        address signer = ECDSA.recover(digestOf(first), firstSignature);
        if (claim != NO_CLAIM) {
            _requireRefuted(first, claim);
        } else {
            if (first.batch != second.batch || first.headerHash != second.headerHash) {
                revert UnrelatedAttestations(first.batch, second.batch);
            }
            if (first.stateRoot == second.stateRoot) revert NoContradiction();
            address other = ECDSA.recover(digestOf(second), secondSignature);
            if (other != signer) revert DifferentSigners(signer, other);
        }
        // The act is to have vouched wrongly for these inputs, however it is shown.
        bytes32 nullifier = keccak256(abi.encode(signer, first.batch, first.headerHash));
        return Finding(signer, NO_VENUE, nullifier, _BPS);
    }

    /// @notice EIP-712 digest that is signed for an attestation.
    function digestOf(Attestation memory attestation) public view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(
            chain.domainSeparator(), keccak256(abi.encode(_TYPE_HASH, attestation))
        );
    }

    function _requireRefuted(Attestation memory attestation, ClaimId claim) private view {
        IStateChain.Claim memory entry = chain.claimOf(claim);
        if (entry.status != IStateChain.ClaimStatus.FINAL) revert NotYetFinal(claim);
        if (entry.batch != attestation.batch) revert WrongClaim(claim, entry.batch);
        bytes32 expected = chain.headerHashOf(entry.batch);
        if (attestation.headerHash != expected) {
            revert WrongInputs(attestation.headerHash, expected);
        }
        if (entry.stateRoot == attestation.stateRoot) revert NoContradiction();
    }
}
