// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ClassId} from "../interfaces/GovernanceTypes.sol";
import {ICharter} from "../interfaces/ICharter.sol";
import {IClassGovernor} from "../interfaces/IClassGovernor.sol";
import {IDepositorChamber} from "../interfaces/IDepositorChamber.sol";
import {IProtocolLimits} from "../interfaces/IProtocolLimits.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {LimitRanges} from "../libraries/LimitRanges.sol";
import {Governor, IGovernor} from "@openzeppelin/contracts/governance/Governor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {
    GovernorCountingSimple
} from "@openzeppelin/contracts/governance/extensions/GovernorCountingSimple.sol";
import {
    GovernorTimelockControl
} from "@openzeppelin/contracts/governance/extensions/GovernorTimelockControl.sol";
import {GovernorVotes} from "@openzeppelin/contracts/governance/extensions/GovernorVotes.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title ClassGovernor
/// @notice Implements {IClassGovernor}, which says what it does, what it assumes and how it fails.
contract ClassGovernor is
    IClassGovernor,
    Governor,
    GovernorCountingSimple,
    GovernorVotes,
    GovernorTimelockControl
{
    /* CONSTANTS */

    uint256 private constant _PPM = 1_000_000;
    uint256 private constant _DAY = 1 days;

    /* IMMUTABLES */

    ClassId private immutable _class;
    IStakingVault private immutable _staking;
    ICharter private immutable _charter;
    IProtocolLimits private immutable _limits;
    IDepositorChamber private immutable _chamber;
    address private immutable _canceller;
    uint32 private immutable _votingDelay;
    uint32 private immutable _votingPeriod;
    uint32 private immutable _lateExtension;
    uint32 private immutable _objectedPeriod;
    uint32 private immutable _grace;
    uint32 private immutable _thresholdPpm;
    uint32 private immutable _objectionPpm;
    uint32 private immutable _quorumPpm;
    uint32 private immutable _majorityPpm;
    uint256 private immutable _quorumFloor;
    uint32 private immutable _blocksPerDay;

    /* STORAGE */

    // Two words. The linter cannot know that the pin comes first.
    struct Course {
        bytes32 pin;
        uint64 proposedBlock;
        uint64 queuedBlock;
        uint48 queuedAt; // seconds
        uint48 extendedTo; // deadline after an objection or a late quorum, seconds
        bool isObjected;
        bool isQuorate; // the quorum was reached, so a late extension was given
    }

    mapping(uint256 proposalId => Course course) private _courses;
    mapping(address proposer => uint256 proposalId) private _lastOf;

    /* CONSTRUCTOR */

    /// @param config_ numbers and partners; immutable from now on.
    constructor(Config memory config_)
        Governor(config_.name)
        GovernorVotes(IVotes(address(config_.staking)))
        GovernorTimelockControl(TimelockController(config_.timelock))
    {
        if (config_.votingPeriod == 0) revert BadConfig("votingPeriod");
        if (config_.grace == 0) revert BadConfig("grace");
        if (config_.quorumPpm == 0 || config_.quorumPpm > _PPM) revert BadConfig("quorumPpm");
        if (config_.majorityPpm < _PPM / 2 || config_.majorityPpm >= _PPM) {
            revert BadConfig("majorityPpm");
        }
        if (config_.thresholdPpm > _PPM) revert BadConfig("thresholdPpm");
        if (config_.objectionPpm > config_.quorumPpm) revert BadConfig("objectionPpm");
        if ((config_.objectionPpm != 0) != (config_.objectedPeriod != 0)) {
            revert BadConfig("objectedPeriod");
        }
        _class = config_.classId;
        _staking = config_.staking;
        _charter = config_.charter;
        _limits = config_.limits;
        _chamber = config_.chamber;
        _canceller = config_.canceller;
        _votingDelay = config_.votingDelay;
        _votingPeriod = config_.votingPeriod;
        _lateExtension = config_.lateExtension;
        _objectedPeriod = config_.objectedPeriod;
        _grace = config_.grace;
        _thresholdPpm = config_.thresholdPpm;
        _objectionPpm = config_.objectionPpm;
        _quorumPpm = config_.quorumPpm;
        _majorityPpm = config_.majorityPpm;
        _quorumFloor = config_.quorumFloor;
        _blocksPerDay = config_.blocksPerDay;
    }

    /* VIEWS: CLASS */

    /// @inheritdoc IClassGovernor
    function config() external view returns (Config memory) {
        return Config({
            name: name(),
            classId: _class,
            staking: _staking,
            timelock: payable(timelock()),
            charter: _charter,
            limits: _limits,
            chamber: _chamber,
            canceller: _canceller,
            votingDelay: _votingDelay,
            votingPeriod: _votingPeriod,
            lateExtension: _lateExtension,
            objectedPeriod: _objectedPeriod,
            grace: _grace,
            thresholdPpm: _thresholdPpm,
            objectionPpm: _objectionPpm,
            quorumPpm: _quorumPpm,
            majorityPpm: _majorityPpm,
            quorumFloor: _quorumFloor,
            blocksPerDay: _blocksPerDay
        });
    }

    /// @inheritdoc IClassGovernor
    function pinOf(uint256 proposalId) external view returns (bytes32) {
        return _courses[proposalId].pin;
    }

    /// @inheritdoc IClassGovernor
    function isObjected(uint256 proposalId) external view returns (bool) {
        return _courses[proposalId].isObjected;
    }

    /// @inheritdoc IClassGovernor
    function objectionNeeded(uint256 proposalId) public view returns (uint256) {
        if (_objectionPpm == 0) return 0;
        return Math.max(_share(_objectionPpm, proposalSnapshot(proposalId)), 1);
    }

    /// @inheritdoc IClassGovernor
    function readyOf(uint256 proposalId) public view returns (uint64 readyAt, uint64 readyBlock) {
        uint256 eta = proposalEta(proposalId);
        if (eta == 0) return (0, 0);
        Course storage course = _courses[proposalId];
        uint64 more = 0;
        if (address(_chamber) != address(0)) {
            (, more) = _chamber.verdictOn(address(this), proposalId);
        }
        readyAt = uint64(eta) + more;
        readyBlock = course.queuedBlock + _blocksIn(readyAt - course.queuedAt);
    }

    /// @inheritdoc IClassGovernor
    function expiryOf(uint256 proposalId) external view returns (uint64) {
        return _expiryIn(state(proposalId), proposalId);
    }

    /* VIEWS: OPENZEPPELIN */

    /// @inheritdoc IGovernor
    function votingDelay() public view override returns (uint256) {
        return _votingDelay;
    }

    /// @inheritdoc IGovernor
    function votingPeriod() public view override returns (uint256) {
        return _votingPeriod;
    }

    /// @inheritdoc IGovernor
    function proposalThreshold() public view override returns (uint256) {
        return Math.max(_share(_thresholdPpm, clock() - 1), 1);
    }

    /// @inheritdoc IGovernor
    function quorum(uint256 timepoint) public view override returns (uint256) {
        return Math.max(_share(_quorumPpm, timepoint), Math.max(_quorumFloor, 1));
    }

    /// @inheritdoc IGovernor
    /// @dev While L1 has made too few blocks since the proposal, the deadline is now.
    function proposalDeadline(uint256 proposalId) public view override returns (uint256 deadline) {
        Course storage course = _courses[proposalId];
        deadline = Math.max(super.proposalDeadline(proposalId), course.extendedTo);
        uint256 start = proposalSnapshot(proposalId);
        if (start == 0) return deadline;
        uint256 needed = course.proposedBlock + _blocksIn(deadline - start + _votingDelay);
        if (block.number < needed) deadline = Math.max(deadline, clock());
    }

    /// @inheritdoc IGovernor
    function state(uint256 proposalId)
        public
        view
        override(Governor, GovernorTimelockControl)
        returns (ProposalState current)
    {
        current = super.state(proposalId);
        if (uint8(current) > uint8(ProposalState.Active)) {
            bool isAlive = current == ProposalState.Succeeded || current == ProposalState.Queued;
            if (!isAlive) return current;
        }
        if (address(_chamber) != address(0)) {
            (bool isDefeated,) = _chamber.verdictOn(address(this), proposalId);
            if (isDefeated) return ProposalState.Defeated;
        }
        uint64 expiry = _expiryIn(current, proposalId);
        if (expiry != 0 && block.timestamp > expiry) return ProposalState.Expired;
    }

    /// @inheritdoc IGovernor
    function proposalNeedsQueuing(uint256 proposalId)
        public
        view
        override(Governor, GovernorTimelockControl)
        returns (bool)
    {
        return super.proposalNeedsQueuing(proposalId);
    }

    /* INTERNAL: PROPOSALS */

    /// @dev Only what the Charter admits, one at a time; the payload is pinned.
    function _propose(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        string memory description,
        address proposer
    ) internal override returns (uint256 proposalId) {
        proposalId = super._propose(targets, values, calldatas, description, proposer);
        uint256 last = _lastOf[proposer];
        if (last != 0 && uint8(state(last)) <= uint8(ProposalState.Active)) {
            revert ProposalOpen(proposer, last);
        }
        _lastOf[proposer] = proposalId;
        bytes32 pin = _charter.admit(_class, targets, values, calldatas);
        _courses[proposalId].pin = pin;
        _courses[proposalId].proposedBlock = uint64(block.number);
        emit PayloadPinned(proposalId, pin);
        if (address(_chamber) != address(0)) _chamber.open(proposalId);
    }

    function _queueOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint48) {
        _courses[proposalId].queuedAt = clock();
        _courses[proposalId].queuedBlock = uint64(block.number);
        return super._queueOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    /// @dev Still admitted, still the same code, long enough waited; then the timelock.
    function _executeOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) {
        (uint64 readyAt, uint64 readyBlock) = readyOf(proposalId);
        if (block.timestamp < readyAt || block.number < readyBlock) {
            revert NotReady(proposalId, readyAt, readyBlock);
        }
        bytes32 pinned = _courses[proposalId].pin;
        bytes32 found = _charter.admit(_class, targets, values, calldatas);
        if (found != pinned) revert CodeChanged(proposalId, pinned, found);
        super._executeOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _cancel(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint256) {
        return super._cancel(targets, values, calldatas, descriptionHash);
    }

    /// @dev The proposer while pending; the canceller, if the class has one, until it is executed.
    function _validateCancel(uint256 proposalId, address caller)
        internal
        view
        override
        returns (bool)
    {
        return (caller == _canceller && caller != address(0))
            || super._validateCancel(proposalId, caller);
    }

    /// @dev Last moment of what passed to be queued, and of what is ready to be executed.
    function _expiryIn(ProposalState current, uint256 proposalId) private view returns (uint64) {
        if (current == ProposalState.Succeeded) {
            return uint64(proposalDeadline(proposalId)) + _grace;
        }
        if (current == ProposalState.Queued) {
            (uint64 readyAt,) = readyOf(proposalId);
            return readyAt + _grace;
        }
        return 0;
    }

    /* INTERNAL: VOTES */

    /// @dev Votes that are as old as was asked for at `timepoint`.
    function _getVotes(address account, uint256 timepoint, bytes memory)
        internal
        view
        override(Governor, GovernorVotes)
        returns (uint256)
    {
        return _staking.agedVotes(account, timepoint, _ageAt(timepoint));
    }

    /// @dev After each vote: objections may make a vote of it, a late quorum extends it.
    function _tallyUpdated(uint256 proposalId) internal override {
        Course storage course = _courses[proposalId];
        if (_passesUnvoted(proposalId)) {
            (uint256 against,,) = proposalVotes(proposalId);
            if (against < objectionNeeded(proposalId)) return;
            course.isObjected = true;
            course.extendedTo = clock() + _objectedPeriod;
            emit ObjectionReached(proposalId, course.extendedTo);
        }
        if (course.isQuorate || !_quorumReached(proposalId)) return;
        course.isQuorate = true;
        uint48 deadline = clock() + _lateExtension;
        if (deadline <= proposalDeadline(proposalId)) return;
        course.extendedTo = deadline;
        emit VoteExtended(proposalId, deadline);
    }

    function _quorumReached(uint256 proposalId)
        internal
        view
        override(Governor, GovernorCountingSimple)
        returns (bool)
    {
        return _passesUnvoted(proposalId) || super._quorumReached(proposalId);
    }

    function _voteSucceeded(uint256 proposalId)
        internal
        view
        override(Governor, GovernorCountingSimple)
        returns (bool)
    {
        if (_passesUnvoted(proposalId)) return true;
        (uint256 against, uint256 inFavour,) = proposalVotes(proposalId);
        return inFavour * _PPM > (inFavour + against) * _majorityPpm;
    }

    /// @dev Silence is consent only if enough stake is there that could object.
    function _passesUnvoted(uint256 proposalId) private view returns (bool) {
        if (_objectionPpm == 0 || _courses[proposalId].isObjected) return false;
        uint256 snapshot = proposalSnapshot(proposalId);
        return _staking.agedTotal(snapshot, _ageAt(snapshot)) >= _quorumFloor;
    }

    function _ageAt(uint256 timepoint) private view returns (uint256) {
        return _limits.valueAt(LimitRanges.VOTE_AGE, timepoint);
    }

    function _share(uint32 ppm, uint256 timepoint) private view returns (uint256) {
        return (_staking.agedTotal(timepoint, _ageAt(timepoint)) * ppm) / _PPM;
    }

    function _blocksIn(uint256 period) private view returns (uint64) {
        return uint64((period * _blocksPerDay) / _DAY);
    }

    function _executor()
        internal
        view
        override(Governor, GovernorTimelockControl)
        returns (address)
    {
        return super._executor();
    }
}
