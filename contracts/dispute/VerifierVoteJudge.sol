// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IJudge} from "../interfaces/IJudge.sol";
import {IStateChain} from "../interfaces/IStateChain.sol";
import {IVerifierVoteJudge} from "../interfaces/IVerifierVoteJudge.sol";
import {ClaimId, NO_CLAIM} from "../interfaces/Types.sol";
import {DualClock, Span, Stamp} from "../libraries/DualClock.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

/// @title VerifierVoteJudge
/// @notice Implements {IVerifierVoteJudge}, which says what it does, what it assumes and how it fails.
contract VerifierVoteJudge is IVerifierVoteJudge {
    using Checkpoints for Checkpoints.Trace208;
    using DualClock for Span;

    /* IMMUTABLES */

    /// @inheritdoc IVerifierVoteJudge
    address public immutable chain;
    /// @inheritdoc IVerifierVoteJudge
    uint256 public immutable bond;
    /// @inheritdoc IVerifierVoteJudge
    uint32 public immutable quorum;

    Span private immutable _unbonding;

    /* STORAGE */

    /// @inheritdoc IJudge
    mapping(ClaimId parent => ClaimId winner) public rulingOf;
    /// @inheritdoc IVerifierVoteJudge
    mapping(ClaimId parent => mapping(ClaimId child => uint256 votes)) public votesFor;
    /// @inheritdoc IVerifierVoteJudge
    mapping(ClaimId parent => mapping(address account => bool voted)) public hasVoted;

    mapping(address account => Verifier verifier) private _verifiers;
    /// @dev Active verifiers by L1 time.
    Checkpoints.Trace208 private _active;

    /* CONSTRUCTOR */

    /// @param chain_ state chain, deployed before this.
    /// @param bond_ bond of a verifier, wei.
    /// @param quorum_ least votes a ruling needs.
    /// @param unbondingSeconds_ at least the state chain's `judgeSeconds`.
    /// @param unbondingBlocks_ at least the state chain's `judgeBlocks`.
    constructor(
        IStateChain chain_,
        uint256 bond_,
        uint32 quorum_,
        uint64 unbondingSeconds_,
        uint64 unbondingBlocks_
    ) {
        if (bond_ == 0) revert ZeroBond();
        if (quorum_ == 0) revert ZeroQuorum();
        if (unbondingSeconds_ < chain_.judgeSeconds()) {
            revert UnbondingTooShort(unbondingSeconds_, chain_.judgeSeconds());
        }
        if (unbondingBlocks_ < chain_.judgeBlocks()) {
            revert UnbondingTooShort(unbondingBlocks_, chain_.judgeBlocks());
        }
        chain = address(chain_);
        bond = bond_;
        quorum = quorum_;
        _unbonding = DualClock.toSpan(unbondingSeconds_, unbondingBlocks_);
    }

    /* WRITES */

    /// @inheritdoc IVerifierVoteJudge
    function register() external payable {
        if (msg.value != bond) revert WrongBond(msg.value, bond);
        Verifier storage verifier = _verifiers[msg.sender];
        if (verifier.since != 0) revert AlreadyRegistered(msg.sender);
        verifier.since = uint64(block.timestamp);
        emit VerifierRegistered(msg.sender, _setActive(_active.latest() + 1));
    }

    /// @inheritdoc IVerifierVoteJudge
    function leave() external {
        Verifier storage verifier = _verifiers[msg.sender];
        if (verifier.since == 0 || verifier.leftTime != 0) revert NotActive(msg.sender);
        verifier.leftTime = uint64(block.timestamp);
        verifier.leftBlock = uint64(block.number);
        emit VerifierLeft(msg.sender, _setActive(_active.latest() - 1));
    }

    /// @inheritdoc IVerifierVoteJudge
    function withdrawBond() external {
        Verifier memory verifier = _verifiers[msg.sender];
        if (verifier.leftTime == 0) revert NotLeaving(msg.sender);
        Stamp left = DualClock.toStamp(verifier.leftTime, verifier.leftBlock);
        if (!_unbonding.hasPassed(left)) {
            (uint64 untilTime, uint64 untilBlock) = _unbonding.end(left);
            revert UnbondingRunning(untilTime, untilBlock);
        }
        delete _verifiers[msg.sender];
        emit BondWithdrawn(msg.sender, bond);
        if (!LowLevelCall.callNoReturn(msg.sender, bond, "")) {
            revert TransferFailed(msg.sender, bond);
        }
    }

    /// @inheritdoc IVerifierVoteJudge
    function vote(ClaimId parent, ClaimId child) external {
        if (!IStateChain(chain).isAwaitingRuling(parent)) revert NotAwaitingRuling(parent);
        if (rulingOf[parent] != NO_CLAIM) revert AlreadyRuled(parent, rulingOf[parent]);
        if (IStateChain(chain).claimOf(child).parent != parent) revert NotAChild(child, parent);
        uint64 rivalTime = IStateChain(chain).forkOf(parent).rivalTime;
        if (!_isEligible(_verifiers[msg.sender], rivalTime)) {
            revert NotEligible(msg.sender, rivalTime);
        }
        if (hasVoted[parent][msg.sender]) revert AlreadyVoted(msg.sender, parent);

        hasVoted[parent][msg.sender] = true;
        uint256 votes = ++votesFor[parent][child];
        emit Voted(parent, child, msg.sender, votes);

        uint256 eligible = eligibleAt(rivalTime);
        if (votes * 2 > eligible && votes >= quorum) {
            rulingOf[parent] = child;
            emit Ruled(parent, child, votes, eligible);
        }
    }

    /* VIEWS */

    /// @inheritdoc IVerifierVoteJudge
    function unbondingSeconds() external view returns (uint64) {
        return _unbonding.secondsIn();
    }

    /// @inheritdoc IVerifierVoteJudge
    function unbondingBlocks() external view returns (uint64) {
        return _unbonding.blocksIn();
    }

    /// @inheritdoc IVerifierVoteJudge
    function verifierOf(address account) external view returns (Verifier memory) {
        return _verifiers[account];
    }

    /// @inheritdoc IVerifierVoteJudge
    function activeVerifiers() external view returns (uint256) {
        return _active.latest();
    }

    /// @inheritdoc IVerifierVoteJudge
    function eligibleAt(uint64 time) public view returns (uint256) {
        return time == 0 ? 0 : _active.upperLookupRecent(uint48(time - 1));
    }

    /* INTERNAL */

    /// @dev Registered before the second in which the rivalry began, and not leaving by then; so the
    /// eligible verifiers are exactly those that `eligibleAt` counts.
    function _isEligible(Verifier memory verifier, uint64 rivalTime) private pure returns (bool) {
        return verifier.since != 0 && verifier.since < rivalTime
            && (verifier.leftTime == 0 || verifier.leftTime >= rivalTime);
    }

    function _setActive(uint208 value) private returns (uint256) {
        _active.push(uint48(block.timestamp), value);
        return value;
    }
}
