// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IEventResolver} from "../interfaces/IEventResolver.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {IListings} from "../interfaces/IListings.sol";
import {IOracleRegistry} from "../interfaces/IOracleRegistry.sol";
import {IOutcomeResolver} from "../interfaces/IOutcomeResolver.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {EventId, VenueId} from "../interfaces/Types.sol";
import {DualClock, Span, Stamp} from "../libraries/DualClock.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title OutcomeResolver
/// @notice Implements {IOutcomeResolver}, which says what it does, what it assumes and how it fails.
contract OutcomeResolver is IOutcomeResolver {
    using DualClock for Span;

    /* CONSTANTS */

    /// @dev Fractions of a vector sum to this.
    uint256 private constant _WHOLE = 10_000;
    uint256 private constant _FRACTION_BITS = 16;
    uint256 private constant _MIN_OUTCOMES = 2;
    uint256 private constant _MAX_OUTCOMES = 16;
    uint256 private constant _PPM = 1_000_000;
    /// @dev Three words: what `Details` takes.
    uint256 private constant _DETAILS_BYTES = 96;
    /// @dev How far ahead an event may lie, seconds: a typing error must not bind exposure for ever.
    uint64 private constant _MAX_AHEAD = 10 * 365 days;

    /* IMMUTABLES */

    IInbox private immutable _inbox;
    IListings private immutable _listings;
    IStakingVault private immutable _staking;
    IOracleRegistry private immutable _oracles;
    address private immutable _arbiter;
    address private immutable _treasury;
    uint256 private immutable _openFee;
    uint256 private immutable _minBond;
    uint256 private immutable _fullExposure;
    uint32 private immutable _bondRate;
    uint32 private immutable _exposureMultiple;
    uint32 private immutable _maxOpen;
    Span private immutable _windowMin;
    Span private immutable _windowMax;
    Span private immutable _providerTime;
    Span private immutable _arbiterTime;
    Span private immutable _silence;

    /* STORAGE */

    /// @inheritdoc IOutcomeResolver
    uint256 public bonds;
    /// @inheritdoc IOutcomeResolver
    uint256 public owed;
    /// @inheritdoc IOutcomeResolver
    mapping(address account => uint256 amount) public collectable;
    /// @inheritdoc IOutcomeResolver
    mapping(VenueId venue => uint256 exposure) public exposureOf;
    /// @inheritdoc IOutcomeResolver
    mapping(VenueId venue => uint32 groups) public openGroupsOf;

    mapping(EventId group => Group entry) private _groups;
    mapping(EventId group => Answer answer) private _proposals;
    mapping(EventId group => Answer answer) private _challenges;

    /* CONSTRUCTOR */

    /// @param config_ parameters.
    constructor(Config memory config_) {
        _requirePartners(config_);
        _requirePeriods(config_);
        _inbox = IInbox(config_.inbox);
        _listings = IListings(config_.listings);
        _staking = IStakingVault(config_.staking);
        _oracles = IOracleRegistry(config_.oracles);
        _arbiter = config_.arbiter;
        _treasury = config_.treasury;
        _openFee = config_.openFee;
        _minBond = config_.minBond;
        _fullExposure = config_.fullExposure;
        _bondRate = config_.bondRate;
        _exposureMultiple = config_.exposureMultiple;
        _maxOpen = config_.maxOpen;
        _windowMin = _toSpan(config_.windowMin);
        _windowMax = _toSpan(config_.windowMax);
        _providerTime = _toSpan(config_.providerTime);
        _arbiterTime = _toSpan(config_.arbiterTime);
        _silence = _toSpan(config_.silence);
    }

    /* WRITES */

    /// @inheritdoc IEventResolver
    function takeEvent(EventId id, IListings.Event calldata terms, bytes calldata data)
        external
        payable
    {
        if (msg.sender != address(_listings)) {
            revert NotListings(msg.sender, address(_listings));
        }
        if (msg.value != _openFee) revert WrongFee(msg.value, _openFee);
        if (data.length != _DETAILS_BYTES) revert BadDetails(data.length, _DETAILS_BYTES);
        Details memory details = abi.decode(data, (Details));
        if (openGroupsOf[terms.venue] >= _maxOpen) revert TooManyOpen(terms.venue, _maxOpen);
        uint64 time = uint64(block.timestamp);
        if (details.resolvesAt < time) revert ResolvesInPast(details.resolvesAt, time);
        if (details.resolvesAt > time + _MAX_AHEAD) {
            revert ResolvesTooLate(details.resolvesAt, time + _MAX_AHEAD);
        }
        if (!_oracles.isSelectable(details.provider)) {
            revert ProviderNotSelectable(details.provider);
        }
        _takeExposure(terms.venue, details.exposure);

        openGroupsOf[terms.venue]++;
        uint256 bond = _bondFor(details.exposure);
        _groups[id] = Group({
            venue: terms.venue,
            provider: details.provider,
            resolvesAt: details.resolvesAt,
            outcomes: terms.outcomes,
            phase: Phase.OPEN,
            exposure: details.exposure,
            bond: uint128(bond),
            calledTime: 0,
            calledBlock: 0,
            voidVector: uint256(terms.voidPayouts),
            result: 0
        });
        _credit(_treasury, msg.value);
        emit GroupOpened(id, terms.venue, details.provider, details, bond);
    }

    /// @inheritdoc IOutcomeResolver
    function callForResult(EventId group) external {
        Group storage entry = _groupIn(group, Phase.OPEN);
        _requireDue(entry);
        entry.phase = Phase.CALLED;
        entry.calledTime = uint64(block.timestamp);
        entry.calledBlock = uint64(block.number);
        emit ResultCalled(group, msg.sender);
    }

    /// @inheritdoc IOutcomeResolver
    function propose(EventId group, uint16[] calldata fractions) external payable {
        Group storage entry = _groupAt(group);
        if (entry.phase != Phase.OPEN && entry.phase != Phase.CALLED) {
            revert WrongPhase(group, entry.phase);
        }
        _requireDue(entry);
        Stamp called = DualClock.toStamp(entry.calledTime, entry.calledBlock);
        address provider = _oracles.providerOf(entry.provider).account;
        bool isCalled = entry.phase == Phase.CALLED;
        if (msg.sender != provider && !(isCalled && _providerTime.hasPassed(called))) {
            revert ProviderFirst(group, provider);
        }
        if (isCalled && _silence.hasPassed(called)) revert TooLate(group);
        entry.phase = Phase.PROPOSED;
        uint256 vector = _answer(_proposals[group], entry, fractions);
        (uint64 untilTime, uint64 untilBlock) = _windowFor(entry.exposure).end(DualClock.current());
        emit Proposed(group, msg.sender, vector, untilTime, untilBlock);
    }

    /// @inheritdoc IOutcomeResolver
    function challenge(EventId group, uint16[] calldata fractions) external payable {
        Group storage entry = _groupIn(group, Phase.PROPOSED);
        Answer storage proposal = _proposals[group];
        if (_windowFor(entry.exposure).hasPassed(_madeAt(proposal))) revert TooLate(group);
        entry.phase = Phase.CHALLENGED;
        uint256 vector = _answer(_challenges[group], entry, fractions);
        if (vector == proposal.vector) revert SameVector(vector);
        (uint64 untilTime, uint64 untilBlock) = _arbiterTime.end(DualClock.current());
        emit Challenged(group, msg.sender, vector, untilTime, untilBlock);
    }

    /// @inheritdoc IOutcomeResolver
    function confirm(EventId group) external {
        Group storage entry = _groupIn(group, Phase.PROPOSED);
        Answer storage proposal = _proposals[group];
        _requirePassed(_windowFor(entry.exposure), _madeAt(proposal));
        _return(group, proposal.account, entry.bond);
        _resolve(group, entry, Phase.RESOLVED, proposal.vector);
    }

    /// @inheritdoc IOutcomeResolver
    function decide(EventId group, uint16[] calldata fractions) external {
        if (msg.sender != _arbiter) revert NotArbiter(msg.sender, _arbiter);
        Group storage entry = _groupIn(group, Phase.CHALLENGED);
        Answer storage proposal = _proposals[group];
        Answer storage rival = _challenges[group];
        if (_arbiterTime.hasPassed(_madeAt(rival))) revert TooLate(group);
        uint256 vector = _toVectorOf(entry, fractions);
        if (vector == proposal.vector) {
            _return(group, proposal.account, entry.bond);
            _lose(group, rival.account, proposal.account, entry.bond);
        } else {
            // Right to say that the proposal is wrong; the reward is for who also knew the result.
            address winner = vector == rival.vector ? rival.account : address(0);
            _return(group, rival.account, entry.bond);
            _lose(group, proposal.account, winner, entry.bond);
        }
        _resolve(group, entry, Phase.RESOLVED, vector);
    }

    /// @inheritdoc IOutcomeResolver
    function lapse(EventId group) external {
        Group storage entry = _groupAt(group);
        if (entry.phase == Phase.CALLED) {
            _requirePassed(_silence, DualClock.toStamp(entry.calledTime, entry.calledBlock));
        } else if (entry.phase == Phase.CHALLENGED) {
            Answer storage rival = _challenges[group];
            _requirePassed(_arbiterTime, _madeAt(rival));
            // Nobody was proved wrong.
            _return(group, _proposals[group].account, entry.bond);
            _return(group, rival.account, entry.bond);
        } else {
            revert WrongPhase(group, entry.phase);
        }
        _resolve(group, entry, Phase.VOID, entry.voidVector);
    }

    /// @inheritdoc IOutcomeResolver
    function collect(address account) external {
        uint256 amount = collectable[account];
        if (amount == 0) revert NothingToCollect(account);
        collectable[account] = 0;
        owed -= amount;
        emit Collected(account, amount);
        if (!LowLevelCall.callNoReturn(account, amount, "")) {
            revert TransferFailed(account, amount);
        }
    }

    /* VIEWS */

    /// @inheritdoc IOutcomeResolver
    function config() external view returns (Config memory) {
        return Config({
            inbox: address(_inbox),
            listings: address(_listings),
            staking: address(_staking),
            oracles: address(_oracles),
            arbiter: _arbiter,
            treasury: _treasury,
            openFee: _openFee,
            minBond: _minBond,
            fullExposure: _fullExposure,
            bondRate: _bondRate,
            exposureMultiple: _exposureMultiple,
            maxOpen: _maxOpen,
            windowMin: _toPeriod(_windowMin),
            windowMax: _toPeriod(_windowMax),
            providerTime: _toPeriod(_providerTime),
            arbiterTime: _toPeriod(_arbiterTime),
            silence: _toPeriod(_silence)
        });
    }

    /// @inheritdoc IOutcomeResolver
    function groupOf(EventId group) external view returns (Group memory) {
        return _groupAt(group);
    }

    /// @inheritdoc IOutcomeResolver
    function proposalOf(EventId group) external view returns (Answer memory) {
        return _proposals[group];
    }

    /// @inheritdoc IOutcomeResolver
    function challengeOf(EventId group) external view returns (Answer memory) {
        return _challenges[group];
    }

    /// @inheritdoc IOutcomeResolver
    function resultOf(EventId group) external view returns (Phase phase, uint256 vector) {
        return (_groups[group].phase, _groups[group].result);
    }

    /// @inheritdoc IOutcomeResolver
    function termsFor(uint128 exposure) external view returns (uint256 bond, Period memory window) {
        return (_bondFor(exposure), _toPeriod(_windowFor(exposure)));
    }

    /// @inheritdoc IOutcomeResolver
    function toVector(uint16[] calldata fractions) public pure returns (uint256 vector) {
        uint256 count = fractions.length;
        if (count < _MIN_OUTCOMES || count > _MAX_OUTCOMES) {
            revert OutcomesOutOfRange(count, _MIN_OUTCOMES, _MAX_OUTCOMES);
        }
        uint256 sum = 0;
        for (uint256 i = 0; i < count; i++) {
            sum += fractions[i];
            vector |= uint256(fractions[i]) << (256 - _FRACTION_BITS * (i + 1));
        }
        if (sum != _WHOLE) revert BadSum(sum, _WHOLE);
    }

    /* INTERNAL: GROUPS */

    function _groupAt(EventId group) private view returns (Group storage) {
        Group storage entry = _groups[group];
        if (entry.phase == Phase.NONE) revert UnknownGroup(group);
        return entry;
    }

    function _groupIn(EventId group, Phase phase) private view returns (Group storage entry) {
        entry = _groupAt(group);
        if (entry.phase != phase) revert WrongPhase(group, entry.phase);
    }

    function _requireDue(Group storage entry) private view {
        if (block.timestamp < entry.resolvesAt) {
            revert TooEarly(uint64(block.timestamp), entry.resolvesAt);
        }
    }

    function _takeExposure(VenueId venue, uint256 exposure) private {
        if (exposure == 0) revert ZeroExposure();
        uint256 limit = _staking.stakeOf(venue) * _exposureMultiple;
        uint256 used = exposureOf[venue];
        uint256 left = limit > used ? limit - used : 0;
        if (exposure > left) revert ExposureTooLarge(venue, exposure, left);
        exposureOf[venue] = used + exposure;
    }

    /// @dev Fractions as the vector of a group: as many as it has outcomes.
    function _toVectorOf(Group storage entry, uint16[] calldata fractions)
        private
        view
        returns (uint256)
    {
        if (fractions.length != entry.outcomes) {
            revert OutcomesOutOfRange(fractions.length, entry.outcomes, entry.outcomes);
        }
        return toVector(fractions);
    }

    /// @dev Take the caller's answer and its bond.
    function _answer(Answer storage answer, Group storage entry, uint16[] calldata fractions)
        private
        returns (uint256 vector)
    {
        if (msg.value != entry.bond) revert WrongBond(msg.value, entry.bond);
        vector = _toVectorOf(entry, fractions);
        answer.account = msg.sender;
        answer.time = uint64(block.timestamp);
        answer.blockNumber = uint64(block.number);
        answer.vector = vector;
        bonds += msg.value;
    }

    function _resolve(EventId group, Group storage entry, Phase phase, uint256 vector) private {
        entry.phase = phase;
        entry.result = vector;
        exposureOf[entry.venue] -= entry.exposure;
        openGroupsOf[entry.venue]--;
        // A frozen zone hears nothing any more; its outcome tokens pay by `resultOf`.
        bool isTold = !_inbox.isClosed();
        emit Resolved(group, phase, vector, isTold);
        if (!isTold) return;
        // The zone keeps the void vector since the listing, and takes no other one.
        if (phase == Phase.VOID) _listings.resolveEvent(group, InboxMessages.EVENT_VOID, 0);
        else _listings.resolveEvent(group, InboxMessages.EVENT_RESOLVED, bytes32(vector));
    }

    /* INTERNAL: MONEY */

    function _credit(address account, uint256 amount) private {
        collectable[account] += amount;
        owed += amount;
    }

    function _return(EventId group, address account, uint256 bond) private {
        bonds -= bond;
        _credit(account, bond);
        emit BondReturned(group, account, bond);
    }

    /// @dev Half of a lost bond, rounded down, goes to the winner if there is one; the rest to the treasury.
    function _lose(EventId group, address account, address winner, uint256 bond) private {
        bonds -= bond;
        uint256 reward = winner == address(0) ? 0 : bond / 2;
        if (reward != 0) _credit(winner, reward);
        _credit(_treasury, bond - reward);
        emit BondLost(group, account, winner, reward, bond - reward);
    }

    function _bondFor(uint256 exposure) private view returns (uint256) {
        uint256 scaled = Math.ceilDiv(exposure * _bondRate, _PPM);
        return scaled > _minBond ? scaled : _minBond;
    }

    /* INTERNAL: TIME */

    function _windowFor(uint256 exposure) private view returns (Span) {
        uint256 counted = exposure < _fullExposure ? exposure : _fullExposure;
        return DualClock.toSpan(
            _between(_windowMin.secondsIn(), _windowMax.secondsIn(), counted),
            _between(_windowMin.blocksIn(), _windowMax.blocksIn(), counted)
        );
    }

    function _between(uint64 lowest, uint64 highest, uint256 counted)
        private
        view
        returns (uint64)
    {
        return lowest + uint64((uint256(highest - lowest) * counted) / _fullExposure);
    }

    function _madeAt(Answer storage answer) private view returns (Stamp) {
        return DualClock.toStamp(answer.time, answer.blockNumber);
    }

    function _requirePassed(Span span, Stamp start) private view {
        if (span.hasPassed(start)) return;
        (uint64 untilTime, uint64 untilBlock) = span.end(start);
        revert StillRunning(untilTime, untilBlock);
    }

    function _toSpan(Period memory period) private pure returns (Span) {
        return DualClock.toSpan(period.time, period.blocks);
    }

    function _toPeriod(Span span) private pure returns (Period memory) {
        return Period(span.secondsIn(), span.blocksIn());
    }

    /* INTERNAL: CONFIGURATION */

    function _requirePartners(Config memory config_) private pure {
        if (config_.inbox == address(0)) revert BadConfig("inbox");
        if (config_.listings == address(0)) revert BadConfig("listings");
        if (config_.staking == address(0)) revert BadConfig("staking");
        if (config_.oracles == address(0)) revert BadConfig("oracles");
        if (config_.arbiter == address(0)) revert BadConfig("arbiter");
        if (config_.treasury == address(0)) revert BadConfig("treasury");
    }

    function _requirePeriods(Config memory config_) private pure {
        if (config_.minBond == 0 || config_.minBond > type(uint120).max) {
            revert BadConfig("minBond");
        }
        if (config_.fullExposure == 0) revert BadConfig("fullExposure");
        if (config_.bondRate > _PPM) revert BadConfig("bondRate");
        if (config_.windowMin.time == 0) revert BadConfig("windowMin");
        if (
            config_.windowMax.time < config_.windowMin.time
                || config_.windowMax.blocks < config_.windowMin.blocks
        ) revert BadConfig("windowMax");
        if (config_.arbiterTime.time == 0) revert BadConfig("arbiterTime");
        // Others must have time to propose before silence makes the group void.
        if (
            config_.silence.time <= config_.providerTime.time
                || config_.silence.blocks < config_.providerTime.blocks
        ) revert BadConfig("silence");
    }
}
