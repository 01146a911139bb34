// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IInbox} from "../interfaces/IInbox.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {IStateChain} from "../interfaces/IStateChain.sol";
import {IVenueRegistry} from "../interfaces/IVenueRegistry.sol";
import {VenueId} from "../interfaces/Types.sol";
import {DualClock, Span, Stamp} from "../libraries/DualClock.sol";
import {RecordTree} from "../libraries/RecordTree.sol";
import {Records} from "../libraries/Records.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {Votes} from "@openzeppelin/contracts/governance/utils/Votes.sol";
import {IERC6372} from "@openzeppelin/contracts/interfaces/IERC6372.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

/// @title StakingVault
/// @notice Implements {IStakingVault}, which says what it does, what it assumes and how it fails.
contract StakingVault is IStakingVault, Votes, ReentrancyGuardTransient {
    using Checkpoints for Checkpoints.Trace160;
    using DualClock for Span;
    using SafeCast for uint256;

    /* CONSTANTS */

    /// @inheritdoc IStakingVault
    uint256 public constant MAX_REQUESTS = 8;
    /// @dev Unbonding periods after which a request is over though no root came.
    uint64 private constant _STALLED_PERIODS = 4;
    /// @dev Batch that is noted for a frozen chain: no root comes after it.
    uint64 private constant _FROZEN = type(uint64).max;

    /* IMMUTABLES */

    /// @inheritdoc IStakingVault
    address public immutable venueRegistry;
    /// @inheritdoc IStakingVault
    IStateChain public immutable chain;
    /// @inheritdoc IStakingVault
    address public immutable court;
    Span private immutable _unbonding;
    Span private immutable _caseTime;

    /* STORAGE */

    // Packed: three words and a half. The linter cannot size a stamp.
    // solhint-disable-next-line gas-struct-packing
    struct Account {
        uint128 free;
        uint128 locked;
        uint128 unbonding;
        uint64 requests; // made so far
        uint64 openCases;
        Stamp stoppedAt; // when the first open case was opened
        Span stopped; // what cases took that are over
    }

    struct Leaving {
        bool isLeaving;
        uint64 inboxIndex;
    }

    /// @inheritdoc IStakingVault
    uint256 public totalStaked;
    /// @inheritdoc IStakingVault
    uint256 public totalOwed;
    /// @inheritdoc IStakingVault
    mapping(address account => uint256 amount) public owedTo;
    /// @inheritdoc IStakingVault
    mapping(VenueId venue => uint256 amount) public stakeOf;
    /// @inheritdoc IStakingVault
    mapping(VenueId venue => Leaving entry) public leavingOf;
    /// @dev The same for the stake of one account that handed the venue over.
    mapping(address account => mapping(VenueId venue => Leaving entry)) private _askedOf;

    mapping(address account => Account entry) private _accounts;
    mapping(address account => UnbondRequest[] open) private _requests;
    mapping(address account => mapping(VenueId venue => uint128 amount)) private _lockedBehind;
    mapping(bytes32 caseId => Case entry) private _cases;
    /// @dev Final batch and the stamp of its note.
    Checkpoints.Trace160 private _finality;

    /* CONSTRUCTOR */

    /// @param venueRegistry_ contract that may lock stake.
    /// @param chain_ state chain whose final roots count.
    /// @param court_ contract that may slash; zero = nobody.
    /// @param unbondingSeconds_ time that stake stays after the root that a request waits for, seconds.
    /// @param unbondingBlocks_ blocks that it stays.
    /// @param caseSeconds_ longest time of a case, seconds; at most the unbonding.
    /// @param caseBlocks_ longest time of a case, blocks; at most the unbonding.
    constructor(
        address venueRegistry_,
        IStateChain chain_,
        address court_,
        uint64 unbondingSeconds_,
        uint64 unbondingBlocks_,
        uint64 caseSeconds_,
        uint64 caseBlocks_
    ) EIP712("StakingVault", "1") {
        if (venueRegistry_ == address(0) || address(chain_) == address(0)) {
            revert ZeroAddress();
        }
        if (unbondingSeconds_ == 0 || caseSeconds_ > unbondingSeconds_) {
            revert UnbondingTooShort(unbondingSeconds_, caseSeconds_);
        }
        if (caseBlocks_ > unbondingBlocks_) {
            revert UnbondingTooShort(unbondingBlocks_, caseBlocks_);
        }
        venueRegistry = venueRegistry_;
        chain = chain_;
        court = court_;
        _unbonding = DualClock.toSpan(unbondingSeconds_, unbondingBlocks_);
        _caseTime = DualClock.toSpan(caseSeconds_, caseBlocks_);
    }

    /* WRITES: STAKERS */

    /// @inheritdoc IStakingVault
    function stake() external payable {
        _stake(msg.sender);
    }

    /// @inheritdoc IStakingVault
    function stakeFor(address account) external payable {
        _stake(account);
    }

    /// @inheritdoc IStakingVault
    function requestUnbond(uint256 amount) external returns (uint64 requestId) {
        _noteFinality();
        uint128 amount128 = amount.toUint128();
        (uint256 before, uint256 free) = _takeFree(msg.sender, amount128);
        requestId = _addRequest(amount128, false);
        emit UnbondRequested(msg.sender, requestId, amount, before, free);
        _transferVotingUnits(msg.sender, address(0), amount);
    }

    /// @inheritdoc IStakingVault
    function cancelUnbond(uint64 requestId) external {
        UnbondRequest memory request = _takeRequest(msg.sender, requestId);
        if (request.isReleased) revert NotCancellable(requestId);
        uint128 amount = request.amount;
        Account storage account = _accounts[msg.sender];
        uint256 before = account.free;
        account.free += amount;
        emit UnbondCancelled(msg.sender, requestId, amount, before, account.free);
        _transferVotingUnits(address(0), msg.sender, amount);
    }

    /// @inheritdoc IStakingVault
    function withdraw(uint64 requestId) external nonReentrant {
        _noteFinality();
        _requireNoCase(msg.sender);
        UnbondRequest memory request = _takeRequest(msg.sender, requestId);
        Unbonding memory state = _unbondingOf(_accounts[msg.sender], request);
        if (block.timestamp < state.untilTime || block.number < state.untilBlock) {
            revert UnbondingRunning(state.isRunning, state.untilTime, state.untilBlock);
        }
        totalStaked -= request.amount;
        emit Withdrawn(msg.sender, requestId, request.amount);
        _send(msg.sender, request.amount);
    }

    /// @inheritdoc IStakingVault
    function requestRelease(VenueId venue) external {
        _requireLocked(msg.sender, venue);
        Leaving storage mark = _markOf(venue);
        if (mark.isLeaving) revert VenueLeaving(venue);
        uint64 inboxIndex = IInbox(chain.inbox()).count();
        mark.isLeaving = true;
        mark.inboxIndex = inboxIndex;
        emit ReleaseRequested(msg.sender, venue, inboxIndex);
    }

    /// @inheritdoc IStakingVault
    function cancelRelease(VenueId venue) external {
        _requireLocked(msg.sender, venue);
        Leaving storage mark = _markOf(venue);
        if (!mark.isLeaving) revert VenueNotLeaving(venue);
        mark.isLeaving = false;
        mark.inboxIndex = 0;
        emit ReleaseCancelled(msg.sender, venue);
    }

    /// @inheritdoc IStakingVault
    function release(VenueId venue, ReleaseProof calldata proof)
        external
        returns (uint64 requestId)
    {
        uint128 amount = _requireLocked(msg.sender, venue);
        _requireEmpty(venue, proof);
        delete _lockedBehind[msg.sender][venue];
        delete _askedOf[msg.sender][venue];
        stakeOf[venue] -= amount;
        _accounts[msg.sender].locked -= amount;
        requestId = _addRequest(amount, true);
        emit Released(msg.sender, venue, requestId, proof.claim, amount);
        _transferVotingUnits(msg.sender, address(0), amount);
    }

    /* WRITES: ANYONE */

    /// @inheritdoc IStakingVault
    function noteFinality() external {
        _noteFinality();
    }

    /// @inheritdoc IStakingVault
    function lapseCase(bytes32 caseId) external {
        Stamp openedAt = _openedAt(caseId);
        if (!_caseTime.hasPassed(openedAt)) {
            (uint64 untilTime, uint64 untilBlock) = _caseTime.end(openedAt);
            revert CaseRunning(untilTime, untilBlock);
        }
        _endCase(caseId, true);
    }

    /// @inheritdoc IStakingVault
    function collect(address account) external nonReentrant {
        uint256 amount = owedTo[account];
        if (amount == 0) revert NothingOwed(account);
        delete owedTo[account];
        totalOwed -= amount;
        emit Collected(account, amount);
        _send(account, amount);
    }

    /* WRITES: PARTNERS */

    /// @inheritdoc IStakingVault
    function lock(address account, VenueId venue, uint256 amount) external {
        if (msg.sender != venueRegistry) revert NotVenueRegistry(msg.sender, venueRegistry);
        if (leavingOf[venue].isLeaving) revert VenueLeaving(venue);
        // Behind a venue, no other venue's case reaches it.
        _requireNoCase(account);
        uint128 amount128 = amount.toUint128();
        (uint256 before, uint256 free) = _takeFree(account, amount128);
        _accounts[account].locked += amount128;
        _lockedBehind[account][venue] += amount128;
        stakeOf[venue] += amount;
        emit Locked(account, venue, amount, before, free);
    }

    /// @inheritdoc IStakingVault
    function openCase(bytes32 caseId, address account) external {
        _requireCourt();
        if (account == address(0)) revert ZeroAddress();
        if (_cases[caseId].account != address(0)) revert CaseExists(caseId);
        _cases[caseId] = Case(account, uint64(block.timestamp), uint64(block.number), false);
        Account storage entry = _accounts[account];
        if (entry.openCases == 0) entry.stoppedAt = DualClock.current();
        entry.openCases++;
        emit CaseOpened(caseId, account);
    }

    /// @inheritdoc IStakingVault
    function closeCase(bytes32 caseId) external {
        _requireCourt();
        _openedAt(caseId);
        _endCase(caseId, false);
    }

    /// @inheritdoc IStakingVault
    function slash(bytes32 caseId, VenueId venue, uint256 amount, address to)
        external
        returns (uint256 taken)
    {
        _requireCourt();
        if (to == address(0)) revert ZeroAddress();
        if (_caseTime.hasPassed(_openedAt(caseId))) revert CaseOver(caseId);
        address account = _cases[caseId].account;
        uint256 fromLocked = _slashLocked(account, venue, amount);
        uint256 fromUnbonding = _slashUnbonding(account, amount - fromLocked);
        uint256 fromFree = _slashFree(account, amount - fromLocked - fromUnbonding);
        taken = fromLocked + fromUnbonding + fromFree;
        totalStaked -= taken;
        totalOwed += taken;
        owedTo[to] += taken;
        emit Slashed(caseId, account, venue, fromLocked, fromUnbonding, fromFree, to);
        _transferVotingUnits(account, address(0), fromLocked + fromFree);
    }

    /* VIEWS: PARAMETERS */

    /// @inheritdoc IStakingVault
    function unbondingSeconds() external view returns (uint64) {
        return _unbonding.secondsIn();
    }

    /// @inheritdoc IStakingVault
    function unbondingBlocks() external view returns (uint64) {
        return _unbonding.blocksIn();
    }

    /// @inheritdoc IStakingVault
    function caseSeconds() external view returns (uint64) {
        return _caseTime.secondsIn();
    }

    /// @inheritdoc IStakingVault
    function caseBlocks() external view returns (uint64) {
        return _caseTime.blocksIn();
    }

    /* VIEWS: STATE */

    /// @inheritdoc IStakingVault
    function bucketsOf(address account) external view returns (Buckets memory) {
        Account storage entry = _accounts[account];
        return Buckets(entry.free, entry.locked, entry.unbonding);
    }

    /// @inheritdoc IStakingVault
    function freeOf(address account) external view returns (uint256) {
        return _accounts[account].free;
    }

    /// @inheritdoc IStakingVault
    function lockedOf(address account) external view returns (uint256) {
        return _accounts[account].locked;
    }

    /// @inheritdoc IStakingVault
    function unbondingOf(address account) external view returns (uint256) {
        return _accounts[account].unbonding;
    }

    /// @inheritdoc IStakingVault
    function lockedBehind(address account, VenueId venue) external view returns (uint256) {
        return _lockedBehind[account][venue];
    }

    /// @inheritdoc IStakingVault
    function backingOf(VenueId venue) external view returns (uint256) {
        return leavingOf[venue].isLeaving ? 0 : stakeOf[venue];
    }

    /// @inheritdoc IStakingVault
    function requestOf(address account, uint64 requestId)
        external
        view
        returns (UnbondRequest memory request)
    {
        UnbondRequest[] storage open = _requests[account];
        uint256 at = _find(open, requestId);
        if (at < open.length) request = open[at];
    }

    /// @inheritdoc IStakingVault
    function requestsOf(address account) external view returns (UnbondRequest[] memory) {
        return _requests[account];
    }

    /// @inheritdoc IStakingVault
    function unbondingStateOf(address account, uint64 requestId)
        external
        view
        returns (Unbonding memory)
    {
        UnbondRequest[] storage open = _requests[account];
        uint256 at = _find(open, requestId);
        if (at == open.length) revert UnknownRequest(account, requestId);
        return _unbondingOf(_accounts[account], open[at]);
    }

    /// @inheritdoc IStakingVault
    function caseOf(bytes32 caseId) external view returns (Case memory) {
        return _cases[caseId];
    }

    /// @inheritdoc IStakingVault
    function openCasesOf(address account) external view returns (uint64) {
        return _accounts[account].openCases;
    }

    /* VIEWS: VOTES */

    /// @inheritdoc IStakingVault
    function agedVotes(address account, uint256 timepoint, uint256 age)
        external
        view
        returns (uint256)
    {
        if (timepoint < age) return 0;
        return Math.min(getPastVotes(account, timepoint), getPastVotes(account, timepoint - age));
    }

    /// @inheritdoc IStakingVault
    function agedTotal(uint256 timepoint, uint256 age) external view returns (uint256) {
        if (timepoint < age) return 0;
        return Math.min(getPastTotalSupply(timepoint), getPastTotalSupply(timepoint - age));
    }

    /// @inheritdoc IERC6372
    function clock() public view override(IERC6372, Votes) returns (uint48) {
        return uint48(block.timestamp);
    }

    /// @inheritdoc IERC6372
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override(IERC6372, Votes) returns (string memory) {
        return "mode=timestamp";
    }

    /// @inheritdoc IVotes
    /// @dev The account itself if it never named another.
    function delegates(address account) public view override(IVotes, Votes) returns (address) {
        address named = super.delegates(account);
        return named == address(0) ? account : named;
    }

    /* INTERNAL: STAKE */

    function _stake(address account) private {
        if (account == address(0)) revert ZeroAddress();
        if (msg.value == 0) revert ZeroAmount();
        Account storage entry = _accounts[account];
        uint256 before = entry.free;
        entry.free += msg.value.toUint128();
        totalStaked += msg.value;
        emit Staked(account, msg.sender, msg.value, before, entry.free);
        _transferVotingUnits(address(0), account, msg.value);
    }

    /// @dev Take `amount` out of the free bucket; the caller puts it into another one.
    function _takeFree(address account, uint128 amount)
        private
        returns (uint256 before, uint256 free)
    {
        if (amount == 0) revert ZeroAmount();
        Account storage entry = _accounts[account];
        before = entry.free;
        if (amount > before) revert InsufficientFree(account, amount, before);
        free = before - amount;
        entry.free -= amount;
    }

    function _requireLocked(address account, VenueId venue) private view returns (uint128 amount) {
        amount = _lockedBehind[account][venue];
        if (amount == 0) revert NothingLocked(account, venue);
    }

    /// @dev The venue's own mark for its deployer. Who handed it over has no say in what it does any more.
    function _markOf(VenueId venue) private view returns (Leaving storage) {
        if (IVenueRegistry(venueRegistry).deployerOf(venue) == msg.sender) return leavingOf[venue];
        return _askedOf[msg.sender][venue];
    }

    /// @dev A final state that has consumed all that L1 told the zone about the venue shows it empty.
    function _requireEmpty(VenueId venue, ReleaseProof calldata proof) private view {
        Leaving memory leaving = leavingOf[venue];
        if (!leaving.isLeaving) leaving = _askedOf[msg.sender][venue];
        if (!leaving.isLeaving) revert VenueNotLeaving(venue);
        bytes32 stateRoot = chain.finalRootOf(proof.claim);
        bytes32 committed = chain.headerHashOf(chain.claimOf(proof.claim).batch);
        bytes32 given = keccak256(abi.encode(proof.header));
        if (given != committed) revert WrongHeader(given, committed);
        if (proof.header.inboxIndex < leaving.inboxIndex) {
            revert StateTooOld(proof.header.inboxIndex, leaving.inboxIndex);
        }
        bytes32[] memory words = proof.words;
        RecordTree.verifyRecord(
            stateRoot, Records.TYPE_VENUE, VenueId.unwrap(venue), words, proof.siblings
        );
        Records.Venue memory record = Records.decodeVenue(words);
        if (record.owner == 0) revert VenueUnknownToState(venue);
        // A perpetual counts in `perps` until its last position is settled.
        if (record.marketCount != 0 || record.perps != 0 || record.marketOrders != 0) {
            revert VenueNotEmpty(venue, record.marketCount, record.perps, record.marketOrders);
        }
    }

    /* INTERNAL: UNBONDING */

    /// @dev Place of a request among those that are open; their number if it is not.
    function _find(UnbondRequest[] storage open, uint64 requestId) private view returns (uint256) {
        uint256 length = open.length;
        for (uint256 i = 0; i < length; ++i) {
            if (open[i].id == requestId) return i;
        }
        return length;
    }

    /// @dev Put what the caller has just given up into the unbonding bucket.
    function _addRequest(uint128 amount, bool isReleased) private returns (uint64 requestId) {
        Account storage account = _accounts[msg.sender];
        UnbondRequest[] storage open = _requests[msg.sender];
        if (open.length == MAX_REQUESTS) revert TooManyRequests(msg.sender, MAX_REQUESTS);
        account.unbonding += amount;
        requestId = ++account.requests;
        Span stopped = _stoppedSoFar(account);
        open.push(
            UnbondRequest({
                id: requestId,
                amount: amount,
                time: uint48(block.timestamp),
                isReleased: isReleased,
                blockNumber: uint64(block.number),
                batch: _nextClaimableBatch(),
                stoppedSeconds: stopped.secondsIn(),
                stoppedBlocks: stopped.blocksIn()
            })
        );
    }

    /// @dev Take a request out of the unbonding bucket and end it. The order of the others stays: the
    /// newest is slashed first.
    function _takeRequest(address owner, uint64 requestId)
        private
        returns (UnbondRequest memory request)
    {
        UnbondRequest[] storage open = _requests[owner];
        uint256 at = _find(open, requestId);
        uint256 last = open.length;
        if (at == last) revert UnknownRequest(owner, requestId);
        request = open[at];
        for (--last; at < last; ++at) {
            open[at] = open[at + 1];
        }
        open.pop();
        _accounts[owner].unbonding -= request.amount;
    }

    /// @dev The first claim that covers all that is committed now, and all that was sequenced before.
    function _nextClaimableBatch() private view returns (uint64) {
        uint64 stride = chain.claimStride();
        return (chain.tip().number / stride + 1) * stride;
    }

    function _noteFinality() private {
        uint64 batch = chain.isFrozen() ? _FROZEN : chain.claimOf(chain.latestFinal()).batch;
        (bool exists, uint96 noted,) = _finality.latestCheckpoint();
        if (exists && noted >= batch) return;
        _finality.push(batch, Stamp.unwrap(DualClock.current()));
        emit FinalityNoted(batch, uint64(block.timestamp), uint64(block.number));
    }

    /// @dev The moment from which a request waits, and for how many periods.
    function _unbondingOf(Account storage account, UnbondRequest memory request)
        private
        view
        returns (Unbonding memory state)
    {
        Stamp asked = DualClock.toStamp(request.time, request.blockNumber);
        uint160 noted = _finality.lowerLookup(request.batch);
        state.isRunning = noted != 0;
        if (state.isRunning) {
            // A frozen chain may have been noted before the request.
            Stamp start = DualClock.later(asked, Stamp.wrap(uint128(noted)));
            (state.untilTime, state.untilBlock) = _unbonding.end(start);
        } else {
            state.untilTime = request.time + _STALLED_PERIODS * _unbonding.secondsIn();
            state.untilBlock = request.blockNumber + _STALLED_PERIODS * _unbonding.blocksIn();
        }
        Span stopped = _stoppedSoFar(account);
        state.untilTime += stopped.secondsIn() - request.stoppedSeconds;
        state.untilBlock += stopped.blocksIn() - request.stoppedBlocks;
    }

    /* INTERNAL: CASES */

    function _requireNoCase(address account) private view {
        uint64 open = _accounts[account].openCases;
        if (open != 0) revert CaseOpen(account, open);
    }

    function _requireCourt() private view {
        if (msg.sender != court) revert NotCourt(msg.sender, court);
    }

    /// @dev When a case was opened that is open.
    function _openedAt(bytes32 caseId) private view returns (Stamp) {
        Case memory entry = _cases[caseId];
        if (entry.account == address(0)) revert UnknownCase(caseId);
        if (entry.isClosed) revert CaseOver(caseId);
        return DualClock.toStamp(entry.time, entry.blockNumber);
    }

    function _endCase(bytes32 caseId, bool isLapsed) private {
        Case storage entry = _cases[caseId];
        entry.isClosed = true;
        Account storage account = _accounts[entry.account];
        if (account.openCases == 1) {
            account.stopped = _stoppedSoFar(account);
            account.stoppedAt = Stamp.wrap(0);
        }
        account.openCases--;
        emit CaseClosed(caseId, entry.account, isLapsed);
    }

    /// @dev What cases have taken of the account's time up to now.
    function _stoppedSoFar(Account storage account) private view returns (Span) {
        Span stopped = account.stopped;
        if (account.openCases == 0) return stopped;
        Stamp since = account.stoppedAt;
        return DualClock.toSpan(
            stopped.secondsIn() + uint64(block.timestamp) - DualClock.timeOf(since),
            stopped.blocksIn() + uint64(block.number) - DualClock.blockOf(since)
        );
    }

    function _slashLocked(address account, VenueId venue, uint256 amount)
        private
        returns (uint256 taken)
    {
        uint128 there = _lockedBehind[account][venue];
        taken = Math.min(amount, there);
        // All three casts keep their value: what is taken is at most what is there.
        _lockedBehind[account][venue] = there - uint128(taken);
        _accounts[account].locked -= uint128(taken);
        stakeOf[venue] -= taken;
    }

    function _slashUnbonding(address account, uint256 amount) private returns (uint256 taken) {
        UnbondRequest[] storage open = _requests[account];
        for (uint256 i = open.length; i > 0 && taken < amount; --i) {
            UnbondRequest storage request = open[i - 1];
            uint256 part = Math.min(amount - taken, request.amount);
            taken += part;
            if (part == request.amount) open.pop();
            else request.amount -= uint128(part);
        }
        _accounts[account].unbonding -= uint128(taken);
    }

    function _slashFree(address account, uint256 amount) private returns (uint256 taken) {
        uint128 there = _accounts[account].free;
        taken = Math.min(amount, there);
        _accounts[account].free = there - uint128(taken);
    }

    /* INTERNAL: OTHER */

    function _send(address to, uint256 amount) private {
        if (!LowLevelCall.callNoReturn(to, amount, "")) revert TransferFailed(to, amount);
    }

    /// @dev Naming nobody means oneself.
    function _delegate(address account, address delegatee) internal override {
        super._delegate(account, delegatee == address(0) ? account : delegatee);
    }

    function _getVotingUnits(address account) internal view override returns (uint256) {
        Account storage entry = _accounts[account];
        return uint256(entry.free) + entry.locked;
    }
}
