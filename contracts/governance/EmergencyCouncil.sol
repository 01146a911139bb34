// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IEmergencyCouncil} from "../interfaces/IEmergencyCouncil.sol";
import {IProtocolLimits} from "../interfaces/IProtocolLimits.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {IVenueRegistry} from "../interfaces/IVenueRegistry.sol";
import {IZoneRelay} from "../interfaces/IZoneRelay.sol";
import {MarketId} from "../interfaces/Types.sol";
import {LimitRanges} from "../libraries/LimitRanges.sol";
import {Board} from "./Board.sol";
import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";

/// @title EmergencyCouncil
/// @notice Implements {IEmergencyCouncil}, which says what it does, what it assumes and how it fails.
contract EmergencyCouncil is IEmergencyCouncil, Board {
    /* CONSTANTS */

    /// @inheritdoc IEmergencyCouncil
    uint64 public constant NOTICE_SECONDS = 1 hours;
    /// @inheritdoc IEmergencyCouncil
    uint64 public constant MEASURE_SECONDS = 7 days;
    /// @inheritdoc IEmergencyCouncil
    uint64 public constant REST_SECONDS = 7 days;
    /// @inheritdoc IEmergencyCouncil
    uint256 public constant OBJECTION_PPM = 50_000;
    uint256 private constant _PPM = 1_000_000;

    /* IMMUTABLES */

    /// @notice Where votes come from.
    IStakingVault public immutable staking;
    /// @notice Says how old votes must be.
    IProtocolLimits public immutable limits;
    /// @notice Knows the markets.
    IVenueRegistry public immutable venues;
    /// @notice Who tells the zone; zero = nobody.
    address public immutable relay;

    /* STORAGE */

    mapping(MarketId market => Emergency entry) private _emergencies;
    /// @dev Time of declaration that an account last objected to.
    mapping(MarketId market => mapping(address account => uint64 declaredAt)) private _objectedTo;

    /* CONSTRUCTOR */

    /// @param authority_ access manager.
    /// @param members the council.
    /// @param threshold_ how many of them declare a measure.
    /// @param staking_ where votes come from.
    /// @param limits_ says how old votes must be.
    /// @param venues_ knows the markets.
    /// @param relay_ who tells the zone; zero = nobody.
    constructor(
        address authority_,
        address[] memory members,
        uint8 threshold_,
        IStakingVault staking_,
        IProtocolLimits limits_,
        IVenueRegistry venues_,
        IZoneRelay relay_
    ) Board(authority_, members, threshold_) {
        staking = staking_;
        limits = limits_;
        venues = venues_;
        relay = address(relay_);
    }

    /* WRITES */

    /// @inheritdoc IEmergencyCouncil
    function declare(MarketId market, Measure measure, uint64 value, bytes32 reason) external {
        uint32 number = MarketId.unwrap(market);
        uint32 markets = venues.marketCount();
        if (number == 0 || number > markets) revert UnknownMarket(market, markets);
        if (measure == Measure.NONE || (measure == Measure.CAP_OPEN_INTEREST) != (value != 0)) {
            revert BadMeasure(measure, value);
        }
        _requireFree(market, measure);
        bytes32 action =
            keccak256(abi.encode(this.declare.selector, market, measure, value, reason));
        if (!_support(action, threshold)) return;

        uint64 startsAt = uint64(block.timestamp) + NOTICE_SECONDS;
        uint64 endsAt = measure == Measure.SETTLE ? type(uint64).max : startsAt + MEASURE_SECONDS;
        _emergencies[market] = Emergency({
            measure: measure,
            value: value,
            declaredAt: uint64(block.timestamp),
            startsAt: startsAt,
            endsAt: endsAt,
            objections: 0,
            reason: reason
        });
        emit Declared(market, measure, value, startsAt, endsAt, reason);
        _tell(market, measure, value, startsAt, endsAt);
    }

    /// @inheritdoc IEmergencyCouncil
    function lift(MarketId market, bytes32 reason) external {
        Emergency storage entry = _running(market);
        bytes32 action = keccak256(abi.encode(this.lift.selector, market, entry.declaredAt, reason));
        if (_support(action, threshold)) _end(market, reason);
    }

    /// @inheritdoc IEmergencyCouncil
    function object(MarketId market) external {
        Emergency storage entry = _running(market);
        uint64 declaredAt = entry.declaredAt;
        if (_objectedTo[market][msg.sender] == declaredAt) {
            revert AlreadyObjected(market, msg.sender);
        }
        _objectedTo[market][msg.sender] = declaredAt;
        uint256 snapshot = declaredAt - 1;
        uint256 age = limits.valueAt(LimitRanges.VOTE_AGE, snapshot);
        uint256 weight = staking.agedVotes(msg.sender, snapshot, age);
        if (weight == 0) revert NoWeight(msg.sender);
        entry.objections += weight;
        emit Objected(market, msg.sender, weight, entry.objections);
        if (entry.objections * _PPM >= staking.agedTotal(snapshot, age) * OBJECTION_PPM) {
            _end(market, bytes32(0));
        }
    }

    /// @inheritdoc IEmergencyCouncil
    function cancelProposal(
        IGovernor governor,
        address[] calldata targets,
        uint256[] calldata values,
        bytes[] calldata calldatas,
        bytes32 descriptionHash,
        string calldata reason
    ) external {
        uint256 proposalId = governor.hashProposal(targets, values, calldatas, descriptionHash);
        bytes32 action =
            keccak256(abi.encode(this.cancelProposal.selector, governor, proposalId, reason));
        if (!_support(action, cancelThreshold())) return;
        emit ProposalCancelled(governor, proposalId, reason);
        governor.cancel(targets, values, calldatas, descriptionHash);
    }

    /* VIEWS */

    /// @inheritdoc IEmergencyCouncil
    function cancelThreshold() public view returns (uint256) {
        return (3 * _memberCount() + 3) / 4;
    }

    /// @inheritdoc IEmergencyCouncil
    function emergencyOf(MarketId market) external view returns (Emergency memory) {
        return _emergencies[market];
    }

    /// @inheritdoc IEmergencyCouncil
    function inForce(MarketId market) external view returns (Measure measure, uint64 value) {
        Emergency storage entry = _emergencies[market];
        if (block.timestamp < entry.startsAt || block.timestamp >= entry.endsAt) {
            return (Measure.NONE, 0);
        }
        return (entry.measure, entry.value);
    }

    /* INTERNAL */

    /// @dev A market has one measure at a time and rests after it; only SETTLE may follow at once.
    function _requireFree(MarketId market, Measure measure) private view {
        Emergency storage entry = _emergencies[market];
        if (entry.declaredAt == 0) return;
        bool isRunning = entry.measure != Measure.NONE && block.timestamp < entry.endsAt;
        if (isRunning && measure == Measure.SETTLE && entry.measure != Measure.SETTLE) return;
        // A settlement never ends, so nothing follows it.
        uint64 until = entry.endsAt == type(uint64).max ? entry.endsAt : entry.endsAt + REST_SECONDS;
        if (block.timestamp < until) revert MarketBusy(market, until);
    }

    /// @dev A settlement can be called off until it starts: then the market is settled.
    function _running(MarketId market) private view returns (Emergency storage entry) {
        entry = _emergencies[market];
        bool isOver = entry.measure == Measure.SETTLE
            ? block.timestamp >= entry.startsAt
            : block.timestamp >= entry.endsAt;
        if (entry.measure == Measure.NONE || isOver) revert NoMeasure(market);
    }

    function _end(MarketId market, bytes32 reason) private {
        Emergency storage entry = _emergencies[market];
        emit Lifted(market, entry.measure, reason);
        entry.measure = Measure.NONE;
        entry.value = 0;
        entry.endsAt = uint64(block.timestamp);
        _tell(market, Measure.NONE, 0, entry.startsAt, entry.endsAt);
    }

    function _tell(MarketId market, Measure measure, uint64 value, uint64 startsAt, uint64 endsAt)
        private
    {
        if (relay == address(0)) return;
        IZoneRelay(relay).marketMeasure(market, measure, value, startsAt, endsAt);
    }

    /// @dev More than half: two halves could otherwise declare and lift in turn.
    function _leastThreshold(uint256 members) internal pure override returns (uint256) {
        return members / 2 + 1;
    }
}
