// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ClassId} from "./GovernanceTypes.sol";
import {ICharter} from "./ICharter.sol";
import {IDepositorChamber} from "./IDepositorChamber.sol";
import {IProtocolLimits} from "./IProtocolLimits.sol";
import {IStakingVault} from "./IStakingVault.sol";

/// @title IClassGovernor
/// @notice One class of decision: an OpenZeppelin Governor over a timelock of its own, with the rules of
/// docs/spec/governance.md on top. All numbers are immutable; a class gets others by getting another
/// governor and timelock.
///
/// Beyond OpenZeppelin:
/// - every call must be on the class's list in the Charter, when proposed and when executed, and the
///   targets' code must still be the one that was proposed;
/// - votes are aged: the smaller of those at the snapshot and one vote age before;
/// - a class with an objection threshold passes proposals unless so many object; then it votes. So it
///   does while less is staked than the quorum's floor: nobody would be there to object;
/// - a vote whose quorum is reached late goes on for a while;
/// - periods count blocks too: while L1 stands still nothing passes;
/// - the depositors' chamber, if the class has one, delays or defeats;
/// - what is not queued or executed in time expires.
///
/// Assumptions for safety:
/// - This governor is the only proposer, canceller and executor of its timelock.
interface IClassGovernor {
    /// @notice Numbers and partners of a class.
    // It is a constructor's argument and never stored.
    // solhint-disable-next-line gas-struct-packing
    struct Config {
        string name; // EIP-712 name, and for people
        ClassId classId;
        IStakingVault staking; // whose votes count
        address payable timelock;
        ICharter charter;
        IProtocolLimits limits; // says the vote age
        IDepositorChamber chamber; // zero = depositors have no say
        address canceller; // may cancel until execution; zero = nobody
        uint32 votingDelay; // seconds from proposal to snapshot
        uint32 votingPeriod; // seconds of the vote
        uint32 lateExtension; // seconds that a vote goes on after a late quorum
        uint32 objectedPeriod; // seconds of the vote after an objection
        uint32 grace; // seconds in which what passed must be queued, and what is ready executed
        uint32 thresholdPpm; // share of aged stake that a proposer needs
        uint32 objectionPpm; // share of aged stake whose objection calls a vote; 0 = always a vote
        uint32 quorumPpm; // share of aged stake that must be for or abstain
        uint32 majorityPpm; // more than this share of for and against must be for
        uint256 quorumFloor; // wei; the quorum is never less
        uint32 blocksPerDay; // that periods count at least
    }

    /* EVENTS */

    /// @notice What the targets' code was when it was proposed.
    event PayloadPinned(uint256 indexed proposalId, bytes32 pin);
    /// @notice Objections made a vote of it.
    event ObjectionReached(uint256 indexed proposalId, uint64 deadline);
    /// @notice A late quorum extended the vote.
    event VoteExtended(uint256 indexed proposalId, uint64 deadline);

    /* ERRORS */

    error BadConfig(string parameter);
    /// @notice The proposer's last proposal in this class is still before the end of its vote.
    error ProposalOpen(address proposer, uint256 proposalId);
    /// @notice The code of a target is not the one that was proposed.
    error CodeChanged(uint256 proposalId, bytes32 pinned, bytes32 found);
    /// @notice The depositors' veto or a standing chain holds the execution until both are reached.
    error NotReady(uint256 proposalId, uint64 readyAt, uint64 readyBlock);

    /* VIEWS */

    /// @notice Numbers and partners.
    function config() external view returns (Config memory);

    /// @notice Hash over the code of a proposal's targets.
    function pinOf(uint256 proposalId) external view returns (bytes32);

    /// @notice Whether objections made a vote of a proposal.
    function isObjected(uint256 proposalId) external view returns (bool);

    /// @notice Objections that make a vote of a proposal, wei; 0 if the class always votes.
    function objectionNeeded(uint256 proposalId) external view returns (uint256);

    /// @notice When a queued proposal can be executed: time and block, both must be reached. 0 if it is
    /// not queued.
    function readyOf(uint256 proposalId) external view returns (uint64 readyAt, uint64 readyBlock);

    /// @notice When a proposal expires in its present state, seconds; 0 if it does not.
    function expiryOf(uint256 proposalId) external view returns (uint64);
}
