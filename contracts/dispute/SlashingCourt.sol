// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IEvidence} from "../interfaces/IEvidence.sol";
import {IOwnerRegistry} from "../interfaces/IOwnerRegistry.sol";
import {IRestitution} from "../interfaces/IRestitution.sol";
import {ISlashingCourt} from "../interfaces/ISlashingCourt.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {IStateChain} from "../interfaces/IStateChain.sol";
import {AssetId, ClaimId, OwnerId, VenueId} from "../interfaces/Types.sol";
import {DualClock, Span, Stamp} from "../libraries/DualClock.sol";
import {RecordTree} from "../libraries/RecordTree.sol";
import {Records} from "../libraries/Records.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

/// @title SlashingCourt
/// @notice Implements {ISlashingCourt}, which says what it does, what it assumes and how it fails.
contract SlashingCourt is ISlashingCourt, ReentrancyGuardTransient {
    using BitMaps for BitMaps.BitMap;
    using DualClock for Span;
    using SafeCast for uint256;

    /* CONSTANTS */

    uint256 private constant _PERCENT = 100;
    uint256 private constant _BPS = 10_000;
    /// @dev Of the amount asked.
    uint256 private constant _BOND_PERCENT = 2;
    /// @dev Of what is taken: somebody has to look, and accusing oneself must not pay.
    uint256 private constant _REWARD_PERCENT = 5;
    /// @dev Of what is taken: a venue that harms its own other accounts must not get its stake back.
    uint256 private constant _POOL_PERCENT = 50;
    uint256 private constant _QUORUM_PERCENT = 10;
    uint256 private constant _APPEAL_QUORUM_PERCENT = 20;
    uint256 private constant _APPEAL_FACTOR = 2;
    /// @dev Kind of an asset that the zone credits to the harmed and nobody can transfer.
    uint8 private constant _ASSET_CLAIM = 4;
    /// @dev State of a balance record that is in use (`tradezone/protocol/enums.py`).
    uint8 private constant _ACTIVE = 1;

    /* IMMUTABLES */

    IStakingVault private immutable _staking;
    /// @inheritdoc ISlashingCourt
    IStateChain public immutable chain;
    /// @inheritdoc ISlashingCourt
    IOwnerRegistry public immutable owners;
    /// @inheritdoc ISlashingCourt
    address public immutable treasury;
    /// @inheritdoc ISlashingCourt
    address public immutable restitution;
    /// @inheritdoc ISlashingCourt
    uint64 public immutable voteAge;
    /// @inheritdoc ISlashingCourt
    uint256 public immutable minBond;
    /// @inheritdoc ISlashingCourt
    uint256 public immutable quorumFloor;

    Span private immutable _responseEnd;
    Span private immutable _commitEnd;
    Span private immutable _revealEnd;
    Span private immutable _appealEnd;
    Span private immutable _appealCommitEnd;
    Span private immutable _appealRevealEnd;
    Span private immutable _caseEnd;
    Span private immutable _proofEnd;
    Span private immutable _claimTime;
    /// @dev The vault's own limit: after it nothing can be slashed.
    Span private immutable _vaultTime;

    /* STORAGE */

    /// @dev The delegate of a party, and what others had given it at the accusation.
    struct Party {
        address delegatee;
        uint128 others;
    }

    struct Round {
        uint256 revealed;
        mapping(uint8 share => uint256 weight) weights;
        mapping(address juror => bytes32 commitment) commitments;
    }

    struct Queue {
        uint64 next;
        bytes32[] cases;
    }

    /// @inheritdoc ISlashingCourt
    uint64 public caseCount;
    /// @inheritdoc ISlashingCourt
    uint256 public totalBonds;
    /// @inheritdoc ISlashingCourt
    uint256 public totalPools;
    /// @inheritdoc ISlashingCourt
    uint256 public totalOwed;
    /// @inheritdoc ISlashingCourt
    mapping(address account => uint256 amount) public owedTo;
    /// @inheritdoc ISlashingCourt
    mapping(address evidence => mapping(bytes32 nullifier => bool used)) public isUsed;

    address[] private _evidence;
    mapping(bytes32 caseId => Case entry) private _cases;
    mapping(bytes32 caseId => Party[2] parties) private _parties;
    mapping(bytes32 caseId => mapping(uint8 round => Round entry)) private _rounds;
    mapping(bytes32 caseId => Pool pool) private _pools;
    mapping(bytes32 caseId => BitMaps.BitMap slots) private _paid;
    mapping(address accused => Queue queue) private _queues;
    /// @dev Taken for one piece of evidence against (accused, venue), wei.
    mapping(bytes32 key => uint256 amount) private _takenFor;

    /* CONSTRUCTOR */

    /// @param config parameters.
    constructor(Config memory config) {
        if (config.staking == address(0) || config.owners == address(0)) revert ZeroAddress();
        if (config.treasury == address(0)) revert ZeroAddress();
        if (config.minBond == 0) revert BadConfig("minBond");
        if (config.quorumFloor == 0) revert BadConfig("quorumFloor");
        if (config.voteAge == 0) revert BadConfig("voteAge");
        if (config.claimSeconds == 0) revert BadConfig("claimSeconds");
        _staking = IStakingVault(config.staking);
        if (_staking.court() != address(this)) revert BadConfig("staking");
        // A delegate must not gain weight by stake that left and came back within the age.
        if (config.voteAge > _staking.unbondingSeconds()) revert BadConfig("voteAge");
        _requireCalendar(config);
        chain = _staking.chain();
        owners = IOwnerRegistry(config.owners);
        treasury = config.treasury;
        restitution = config.restitution;
        voteAge = config.voteAge;
        minBond = config.minBond;
        quorumFloor = config.quorumFloor;
        _responseEnd = DualClock.toSpan(config.limitSeconds[0], config.limitBlocks[0]);
        _commitEnd = DualClock.toSpan(config.limitSeconds[1], config.limitBlocks[1]);
        _revealEnd = DualClock.toSpan(config.limitSeconds[2], config.limitBlocks[2]);
        _appealEnd = DualClock.toSpan(config.limitSeconds[3], config.limitBlocks[3]);
        _appealCommitEnd = DualClock.toSpan(config.limitSeconds[4], config.limitBlocks[4]);
        _appealRevealEnd = DualClock.toSpan(config.limitSeconds[5], config.limitBlocks[5]);
        _caseEnd = DualClock.toSpan(config.limitSeconds[6], config.limitBlocks[6]);
        _proofEnd = DualClock.toSpan(config.proofSeconds, config.proofBlocks);
        _claimTime = DualClock.toSpan(config.claimSeconds, config.claimBlocks);
        _vaultTime = DualClock.toSpan(_staking.caseSeconds(), _staking.caseBlocks());
        for (uint256 i = 0; i < config.evidence.length; ++i) {
            if (config.evidence[i] == address(0)) revert ZeroAddress();
            _evidence.push(config.evidence[i]);
        }
    }

    /// @dev What the vault owed; nothing else comes without a call.
    receive() external payable {
        if (msg.sender != address(_staking)) revert NotVault(msg.sender);
    }

    /* WRITES: CASES */

    /// @inheritdoc ISlashingCourt
    function prove(address evidence, bytes calldata data)
        external
        nonReentrant
        returns (bytes32 caseId)
    {
        _requireListed(evidence);
        IEvidence.Finding memory finding = IEvidence(evidence).check(data);
        if (finding.accused == address(0) || finding.bps == 0 || finding.bps > _BPS) {
            revert BadFinding(evidence);
        }
        if (isUsed[evidence][finding.nullifier]) revert EvidenceUsed(evidence, finding.nullifier);
        isUsed[evidence][finding.nullifier] = true;
        Case storage entry;
        (caseId, entry) = _open(finding.accused, finding.venue);
        entry.asked = finding.bps;
        entry.isProof = true;
        emit Proved(
            caseId,
            finding.accused,
            msg.sender,
            evidence,
            finding.nullifier,
            entry.base,
            finding.bps
        );
        _staking.openCase(caseId, finding.accused);
    }

    /// @inheritdoc ISlashingCourt
    function accuse(Accusation calldata accusation, string calldata location)
        external
        payable
        nonReentrant
        returns (bytes32 caseId)
    {
        address accused = accusation.accused;
        uint8 share = accusation.share;
        uint8 most = limitOf(accusation.class);
        if (share == 0 || share > most) revert ShareOutOfRange(share, 1, most);
        Case storage entry;
        (caseId, entry) = _open(accused, accusation.venue);
        uint256 least = bondFor(entry.base, share);
        if (msg.value < least) revert BondTooSmall(msg.value, least);
        entry.asked = uint16(share * _BPS / _PERCENT);
        entry.harm = accusation.harm;
        entry.evidence = accusation.evidence;
        entry.leastBond = least.toUint128();
        entry.bond = msg.value.toUint128();
        totalBonds += msg.value;
        _noteParties(caseId, accused);
        emit Accused(caseId, accused, msg.sender, accusation, entry.base, msg.value, location);
        _staking.openCase(caseId, accused);
    }

    /// @inheritdoc ISlashingCourt
    function respond(bytes32 caseId, bytes32 evidence, string calldata location) external {
        Phase phase = phaseOf(caseId);
        if (phase != Phase.RESPONSE && phase != Phase.COMMIT) revert WrongPhase(caseId, phase);
        address accused = _cases[caseId].accused;
        if (msg.sender != accused) revert NotAccused(msg.sender, accused);
        emit Responded(caseId, evidence, location);
    }

    /// @inheritdoc ISlashingCourt
    function commitVote(bytes32 caseId, bytes32 commitment) external {
        uint8 round = _roundIn(caseId, Phase.COMMIT, Phase.APPEAL_COMMIT);
        if (commitment == 0) revert ZeroCommitment();
        if (weightOf(caseId, msg.sender) == 0) revert NoWeight(caseId, msg.sender);
        _rounds[caseId][round].commitments[msg.sender] = commitment;
        emit Committed(caseId, round, msg.sender);
    }

    /// @inheritdoc ISlashingCourt
    function revealVote(bytes32 caseId, uint8 share, bytes32 salt) external {
        uint8 round = _roundIn(caseId, Phase.REVEAL, Phase.APPEAL_REVEAL);
        uint8 most = _askedPercent(caseId);
        if (share > most) revert ShareOutOfRange(share, 0, most);
        Round storage entry = _rounds[caseId][round];
        bytes32 committed = entry.commitments[msg.sender];
        bytes32 computed = commitmentFor(caseId, round, msg.sender, share, salt);
        if (computed != committed) revert WrongReveal(computed, committed);
        delete entry.commitments[msg.sender];
        uint256 weight = weightOf(caseId, msg.sender);
        entry.revealed += weight;
        entry.weights[share] += weight;
        emit Revealed(caseId, round, msg.sender, share, weight);
    }

    /// @inheritdoc ISlashingCourt
    function appeal(bytes32 caseId) external payable {
        Case storage entry = _cases[caseId];
        if (entry.isAppealed) revert AlreadyAppealed(caseId);
        Phase phase = phaseOf(caseId);
        if (phase != Phase.APPEAL) revert WrongPhase(caseId, phase);
        bool isAccuser = msg.sender == entry.accuser;
        if (!isAccuser && msg.sender != entry.accused) revert NotParty(msg.sender);
        uint256 least = appealBondFor(caseId);
        if (msg.value < least) revert BondTooSmall(msg.value, least);
        entry.isAppealed = true;
        entry.isAppealOfAccuser = isAccuser;
        entry.appealBond = msg.value.toUint128();
        totalBonds += msg.value;
        emit Appealed(caseId, msg.sender, msg.value);
    }

    /// @inheritdoc ISlashingCourt
    function rule(bytes32 caseId) external nonReentrant returns (uint256 taken) {
        Phase phase = phaseOf(caseId);
        if (phase != Phase.RULING) revert WrongPhase(caseId, phase);
        Case storage entry = _cases[caseId];
        Queue storage queue = _queues[entry.accused];
        if (entry.place != queue.next) revert NotNext(caseId, queue.cases[queue.next]);
        ++queue.next;
        entry.isClosed = true;
        Verdict memory verdict = Verdict(true, 0);
        uint256 bps = entry.asked;
        if (!entry.isProof) {
            verdict = _settleBonds(caseId, entry);
            bps = verdict.share * _BPS / _PERCENT;
        }
        uint256 asked = entry.base * bps / _BPS;
        (uint256 reward, uint256 pool) = (0, 0);
        if (asked != 0) (taken, reward, pool) = _take(caseId, entry, asked);
        emit Ruled(caseId, entry.accused, verdict.isReached, asked, taken, reward, pool);
        if (!_staking.caseOf(caseId).isClosed) _staking.closeCase(caseId);
    }

    /* WRITES: MONEY */

    /// @inheritdoc ISlashingCourt
    function openPool(bytes32 caseId, RecordProof calldata asset) external {
        Pool storage pool = _poolAt(caseId);
        if (pool.total != 0) revert PoolIsOpen(caseId);
        if (_claimTime.hasPassed(_stampOf(pool))) revert PoolOver(caseId);
        Case storage entry = _cases[caseId];
        uint256 slot = AssetId.unwrap(entry.harm);
        bytes32[] memory words = asset.words;
        pool.claim = chain.latestFinal();
        RecordTree.verifyRecord(
            chain.finalRootOf(pool.claim), Records.TYPE_ASSET, slot, words, asset.siblings
        );
        Records.Asset memory record = Records.decodeAsset(words);
        if (
            record.kind != _ASSET_CLAIM || record.venue != VenueId.unwrap(entry.venue)
                || record.total == 0
        ) revert NotHarm(entry.harm, record.kind, record.venue, record.total);
        pool.total = record.total;
        pool.time = uint64(block.timestamp);
        pool.blockNumber = uint64(block.number);
        emit PoolOpened(caseId, pool.claim, pool.amount, pool.total);
    }

    /// @inheritdoc ISlashingCourt
    function claimHarm(bytes32 caseId, RecordProof[] calldata proofs) external {
        Pool storage pool = _poolAt(caseId);
        if (pool.total == 0) revert PoolNotOpen(caseId);
        bytes32 stateRoot = chain.finalRootOf(pool.claim);
        for (uint256 i = 0; i < proofs.length; ++i) {
            _payHarm(caseId, pool, stateRoot, proofs[i]);
        }
    }

    /// @inheritdoc ISlashingCourt
    function compensate(bytes32 caseId, RecordProof calldata ledger) external nonReentrant {
        Pool storage pool = _poolAt(caseId);
        if (pool.total != 0) revert PoolIsOpen(caseId);
        if (restitution == address(0) || _claimTime.hasPassed(_stampOf(pool))) {
            revert PoolOver(caseId);
        }
        Case storage entry = _cases[caseId];
        (VenueId venue, AssetId asset) = (entry.venue, entry.harm);
        ClaimId claim = chain.latestFinal();
        bytes32[] memory words = ledger.words;
        RecordTree.verifyRecord(
            chain.finalRootOf(claim), Records.TYPE_LEDGER, ledger.slot, words, ledger.siblings
        );
        Records.Ledger memory record = Records.decodeLedger(words);
        if (
            record.state != _ACTIVE || record.venue != VenueId.unwrap(venue)
                || record.asset != AssetId.unwrap(asset) || record.deficit == 0
        ) revert NoDeficit(ledger.slot, record.venue, record.asset, record.deficit);
        // No more than was lost: what a venue's fund keeps is its deployer's in the end.
        uint256 whole = pool.amount;
        uint256 amount = Math.min(whole, IRestitution(restitution).worthOf(asset, record.deficit));
        pool.isSwept = true;
        pool.paid = amount.toUint128();
        totalPools -= whole;
        _owe(treasury, whole - amount);
        emit LedgerCompensated(caseId, venue, asset, claim, record.deficit, amount, whole - amount);
        IRestitution(restitution).give{value: amount}(venue, asset);
    }

    /// @inheritdoc ISlashingCourt
    function sweep(bytes32 caseId) external {
        Pool storage pool = _poolAt(caseId);
        Stamp since = _stampOf(pool);
        if (!_claimTime.hasPassed(since)) {
            (uint64 untilTime, uint64 untilBlock) = _claimTime.end(since);
            revert PoolRunning(untilTime, untilBlock);
        }
        uint256 left = pool.amount - pool.paid;
        pool.isSwept = true;
        totalPools -= left;
        _owe(treasury, left);
        emit PoolSwept(caseId, left);
    }

    /// @inheritdoc ISlashingCourt
    function collect(address account) external nonReentrant {
        uint256 amount = owedTo[account];
        if (amount == 0) revert NothingToCollect(account);
        delete owedTo[account];
        totalOwed -= amount;
        emit Collected(account, amount);
        if (!LowLevelCall.callNoReturn(account, amount, "")) {
            revert TransferFailed(account, amount);
        }
    }

    /* VIEWS */

    /// @inheritdoc ISlashingCourt
    function staking() external view returns (address) {
        return address(_staking);
    }

    /// @inheritdoc ISlashingCourt
    function longestCase() external view returns (uint64) {
        return _caseEnd.secondsIn();
    }

    /// @inheritdoc ISlashingCourt
    function evidenceOf() external view returns (address[] memory) {
        return _evidence;
    }

    /// @inheritdoc ISlashingCourt
    function caseOf(bytes32 caseId) external view returns (Case memory) {
        return _cases[caseId];
    }

    /// @inheritdoc ISlashingCourt
    function phaseOf(bytes32 caseId) public view returns (Phase) {
        Case storage entry = _cases[caseId];
        if (entry.accused == address(0)) return Phase.NONE;
        if (entry.isClosed) return Phase.CLOSED;
        Stamp since = DualClock.toStamp(entry.time, entry.blockNumber);
        if (entry.isProof) return _proofEnd.hasPassed(since) ? Phase.RULING : Phase.WAITING;
        if (!_responseEnd.hasPassed(since)) return Phase.RESPONSE;
        if (!_commitEnd.hasPassed(since)) return Phase.COMMIT;
        if (!_revealEnd.hasPassed(since)) return Phase.REVEAL;
        if (!_appealEnd.hasPassed(since)) return Phase.APPEAL;
        if (!entry.isAppealed) return Phase.RULING;
        if (!_appealCommitEnd.hasPassed(since)) return Phase.APPEAL_COMMIT;
        return _appealRevealEnd.hasPassed(since) ? Phase.RULING : Phase.APPEAL_REVEAL;
    }

    /// @inheritdoc ISlashingCourt
    function endOf(bytes32 caseId, Phase phase)
        external
        view
        returns (uint64 untilTime, uint64 untilBlock)
    {
        Case storage entry = _cases[caseId];
        if (entry.accused == address(0)) revert WrongPhase(caseId, Phase.NONE);
        return _endOf(phase).end(DualClock.toStamp(entry.time, entry.blockNumber));
    }

    /// @inheritdoc ISlashingCourt
    function nextCaseOf(address accused) external view returns (bytes32) {
        Queue storage queue = _queues[accused];
        return queue.next < queue.cases.length ? queue.cases[queue.next] : bytes32(0);
    }

    /// @inheritdoc ISlashingCourt
    function baseOf(address accused, VenueId venue) public view returns (uint256) {
        return _staking.lockedBehind(accused, venue) + _staking.unbondingOf(accused)
            + _staking.freeOf(accused);
    }

    /// @inheritdoc ISlashingCourt
    function bondFor(uint256 base, uint8 share) public view returns (uint256) {
        // Against the accuser.
        return Math.max(minBond, Math.ceilDiv(base * share * _BOND_PERCENT, _PERCENT * _PERCENT));
    }

    /// @inheritdoc ISlashingCourt
    function appealBondFor(bytes32 caseId) public view returns (uint256) {
        return _cases[caseId].leastBond * _APPEAL_FACTOR;
    }

    /// @inheritdoc ISlashingCourt
    function limitOf(Class class) public pure returns (uint8) {
        if (class == Class.OUTAGE) return 5;
        if (class == Class.NEGLIGENCE) return 20;
        if (class == Class.MANIPULATION) return 50;
        return 100;
    }

    /// @inheritdoc ISlashingCourt
    function weightOf(bytes32 caseId, address juror) public view returns (uint256 weight) {
        uint64 time = _cases[caseId].time;
        if (time == 0) revert WrongPhase(caseId, Phase.NONE);
        weight = _staking.agedVotes(juror, time, voteAge);
        // A party's stake does not vote, and silences nobody else who trusts the same delegate.
        for (uint256 i = 0; i < 2; ++i) {
            Party storage party = _parties[caseId][i];
            if (party.delegatee == juror) {
                weight = Math.min(party.others, _staking.getPastVotes(juror, time - voteAge));
            }
        }
    }

    /// @inheritdoc ISlashingCourt
    function quorumOf(bytes32 caseId, uint8 round) public view returns (uint256) {
        uint256 percent = round == 1 ? _QUORUM_PERCENT : _APPEAL_QUORUM_PERCENT;
        uint256 total = _staking.agedTotal(_cases[caseId].time, voteAge);
        return Math.max(quorumFloor, Math.ceilDiv(total * percent, _PERCENT));
    }

    /// @inheritdoc ISlashingCourt
    function revealedOf(bytes32 caseId, uint8 round) external view returns (uint256) {
        return _rounds[caseId][round].revealed;
    }

    /// @inheritdoc ISlashingCourt
    function commitmentOf(bytes32 caseId, uint8 round, address juror)
        external
        view
        returns (bytes32)
    {
        return _rounds[caseId][round].commitments[juror];
    }

    /// @inheritdoc ISlashingCourt
    function commitmentFor(bytes32 caseId, uint8 round, address juror, uint8 share, bytes32 salt)
        public
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(address(this), caseId, round, juror, share, salt));
    }

    /// @inheritdoc ISlashingCourt
    function verdictOf(bytes32 caseId, uint8 round) public view returns (Verdict memory verdict) {
        Round storage entry = _rounds[caseId][round];
        uint256 revealed = entry.revealed;
        if (revealed < quorumOf(caseId, round)) return verdict;
        verdict.isReached = true;
        // The least share such that half of the weight wants it or less: a tie goes to the accused.
        uint8 most = _askedPercent(caseId);
        uint256 below = entry.weights[0];
        while (below * 2 < revealed && verdict.share < most) {
            ++verdict.share;
            below += entry.weights[verdict.share];
        }
    }

    /// @inheritdoc ISlashingCourt
    function poolOf(bytes32 caseId) external view returns (Pool memory) {
        return _pools[caseId];
    }

    /// @inheritdoc ISlashingCourt
    function isPaid(bytes32 caseId, uint32 slot) external view returns (bool) {
        return _paid[caseId].get(slot);
    }

    /* INTERNAL: CASES */

    function _requireCalendar(Config memory config) private view {
        for (uint256 i = 1; i < 7; ++i) {
            if (
                config.limitSeconds[i] <= config.limitSeconds[i - 1]
                    || config.limitBlocks[i] <= config.limitBlocks[i - 1]
            ) revert BadConfig("limits");
        }
        // Weight is that of the second of the accusation, which is past when the first juror votes.
        if (config.limitSeconds[0] == 0) revert BadConfig("limits");
        if (
            config.limitSeconds[6] > _staking.caseSeconds()
                || config.limitBlocks[6] > _staking.caseBlocks()
        ) revert BadConfig("limits");
        // So a case waits for no proof longer than for an appeal.
        if (
            config.proofSeconds > config.limitSeconds[5]
                || config.proofBlocks > config.limitBlocks[5]
        ) revert BadConfig("proof");
    }

    function _requireListed(address evidence) private view {
        for (uint256 i = 0; i < _evidence.length; ++i) {
            if (_evidence[i] == evidence) return;
        }
        revert NotEvidence(evidence);
    }

    /// @dev What both tracks have in common; the caller opens the case at the vault.
    function _open(address accused, VenueId venue)
        private
        returns (bytes32 caseId, Case storage entry)
    {
        if (accused == address(0)) revert ZeroAddress();
        uint256 base = baseOf(accused, venue);
        if (base == 0) revert NothingAtStake(accused, venue);
        caseId = keccak256(abi.encode(address(this), ++caseCount));
        entry = _cases[caseId];
        entry.accuser = msg.sender;
        entry.accused = accused;
        entry.venue = venue;
        entry.time = uint64(block.timestamp);
        entry.blockNumber = uint64(block.number);
        entry.base = base.toUint128();
        bytes32[] storage cases = _queues[accused].cases;
        entry.place = uint64(cases.length);
        cases.push(caseId);
    }

    /// @dev Read now and not looked up later: within the second of the accusation both may still move.
    function _noteParties(bytes32 caseId, address accused) private {
        address ofAccused = _staking.delegates(accused);
        address ofAccuser = _staking.delegates(msg.sender);
        uint256 accusedVotes = _votesOf(accused);
        uint256 accuserVotes = msg.sender == accused ? 0 : _votesOf(msg.sender);
        if (ofAccused == ofAccuser) {
            _note(caseId, 0, ofAccused, accusedVotes + accuserVotes);
        } else {
            _note(caseId, 0, ofAccused, accusedVotes);
            _note(caseId, 1, ofAccuser, accuserVotes);
        }
    }

    /// @dev Who never staked has no delegate and no votes.
    function _note(bytes32 caseId, uint256 at, address delegatee, uint256 votes) private {
        if (delegatee == address(0)) return;
        uint256 others = _staking.getVotes(delegatee) - votes;
        _parties[caseId][at] = Party(delegatee, others.toUint128());
    }

    function _votesOf(address account) private view returns (uint256) {
        return _staking.freeOf(account) + _staking.lockedOf(account);
    }

    function _roundIn(bytes32 caseId, Phase first, Phase second) private view returns (uint8) {
        Phase phase = phaseOf(caseId);
        if (phase == first) return 1;
        if (phase == second) return 2;
        revert WrongPhase(caseId, phase);
    }

    function _askedPercent(bytes32 caseId) private view returns (uint8) {
        return uint8(_cases[caseId].asked * _PERCENT / _BPS);
    }

    function _endOf(Phase phase) private view returns (Span) {
        if (phase == Phase.WAITING) return _proofEnd;
        if (phase == Phase.RESPONSE) return _responseEnd;
        if (phase == Phase.COMMIT) return _commitEnd;
        if (phase == Phase.REVEAL) return _revealEnd;
        if (phase == Phase.APPEAL) return _appealEnd;
        if (phase == Phase.APPEAL_COMMIT) return _appealCommitEnd;
        if (phase == Phase.APPEAL_REVEAL) return _appealRevealEnd;
        return _caseEnd;
    }

    /* INTERNAL: RULING */

    /// @dev The verdict of the case; every bond in it is owed to somebody afterwards.
    function _settleBonds(bytes32 caseId, Case storage entry)
        private
        returns (Verdict memory verdict)
    {
        (address accuser, address accused) = (entry.accuser, entry.accused);
        (uint256 bond, uint256 appealBond) = (entry.bond, entry.appealBond);
        Verdict memory first = verdictOf(caseId, 1);
        Verdict memory second;
        if (entry.isAppealed) second = verdictOf(caseId, 2);
        verdict = second.isReached ? second : first;
        totalBonds -= bond + appealBond;
        if (!verdict.isReached) {
            uint256 half = bond / 2 + appealBond / 2;
            _owe(accuser, half);
            _owe(accused, bond + appealBond - half);
            return verdict;
        }
        _owe(verdict.share == 0 ? accused : accuser, bond);
        bool isForAccuser = entry.isAppealOfAccuser;
        if (!_hasMoved(first, second, isForAccuser)) isForAccuser = !isForAccuser;
        _owe(isForAccuser ? accuser : accused, appealBond);
    }

    /// @dev Whether the second round moved the share towards the party that appealed.
    function _hasMoved(Verdict memory first, Verdict memory second, bool isUp)
        private
        pure
        returns (bool)
    {
        if (!second.isReached) return false;
        if (!first.isReached) return isUp == (second.share != 0);
        return isUp ? second.share > first.share : second.share < first.share;
    }

    /// @dev Slash and distribute. What was taken for the same evidence before is taken off.
    function _take(bytes32 caseId, Case storage entry, uint256 asked)
        private
        returns (uint256 taken, uint256 reward, uint256 pool)
    {
        Stamp since = DualClock.toStamp(entry.time, entry.blockNumber);
        if (_vaultTime.hasPassed(since)) return (0, 0, 0);
        bytes32 key = keccak256(abi.encode(entry.accused, entry.venue, entry.evidence));
        uint256 before = entry.isProof ? 0 : _takenFor[key];
        if (asked <= before) return (0, 0, 0);
        taken = _staking.slash(caseId, entry.venue, asked - before, address(this));
        if (taken == 0) return (0, 0, 0);
        if (!entry.isProof) _takenFor[key] = before + taken;
        reward = taken * _REWARD_PERCENT / _PERCENT;
        if (AssetId.unwrap(entry.harm) != 0) {
            pool = taken * _POOL_PERCENT / _PERCENT;
            totalPools += pool;
            Pool storage harmed = _pools[caseId];
            harmed.amount = pool.toUint128();
            harmed.time = uint64(block.timestamp);
            harmed.blockNumber = uint64(block.number);
        }
        _owe(entry.accuser, reward);
        _owe(treasury, taken - reward - pool);
        _staking.collect(address(this));
    }

    /* INTERNAL: MONEY */

    function _poolAt(bytes32 caseId) private view returns (Pool storage pool) {
        pool = _pools[caseId];
        if (pool.amount == 0) revert NoPool(caseId);
        if (pool.isSwept) revert PoolOver(caseId);
    }

    function _stampOf(Pool storage pool) private view returns (Stamp) {
        return DualClock.toStamp(pool.time, pool.blockNumber);
    }

    function _payHarm(
        bytes32 caseId,
        Pool storage pool,
        bytes32 stateRoot,
        RecordProof calldata proof
    ) private {
        uint32 slot = proof.slot;
        if (_paid[caseId].get(slot)) revert AlreadyPaid(caseId, slot);
        bytes32[] memory words = proof.words;
        RecordTree.verifyRecord(stateRoot, Records.TYPE_BALANCE, slot, words, proof.siblings);
        Records.Balance memory record = Records.decodeBalance(words);
        if (record.state != _ACTIVE) revert NotActive(slot);
        Case storage entry = _cases[caseId];
        if (record.asset != AssetId.unwrap(entry.harm)) revert WrongAsset(slot, record.asset);
        address owner = owners.ownerOf(OwnerId.wrap(record.owner));
        if (owner == entry.accused) revert OwnerIsAccused(slot, owner);
        _paid[caseId].set(slot);
        uint256 atoms = uint256(record.free) + record.locked;
        // Balances of a right state never sum to more than the total; of a wrong one they get no more.
        uint256 amount =
            Math.min(pool.amount * atoms / pool.total, uint256(pool.amount) - pool.paid);
        pool.paid += uint128(amount);
        totalPools -= amount;
        _owe(owner, amount);
        emit HarmPaid(caseId, slot, owner, amount);
    }

    function _owe(address account, uint256 amount) private {
        if (amount == 0) return;
        owedTo[account] += amount;
        totalOwed += amount;
    }
}
