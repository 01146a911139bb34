// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBondedRegister} from "../interfaces/IBondedRegister.sol";
import {IEvidence} from "../interfaces/IEvidence.sol";
import {IStateChain} from "../interfaces/IStateChain.sol";
import {DualClock, Span, Stamp} from "../libraries/DualClock.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title BondedRegister
/// @notice Implements {IBondedRegister}, which says what it does, what it assumes and how it fails.
contract BondedRegister is IBondedRegister {
    using DualClock for Span;

    /* CONSTANTS */

    uint256 private constant _BPS = 10_000;
    uint256 private constant _PERCENT = 100;
    /// @dev Of what a proof takes: somebody has to look, and convicting oneself must not pay.
    uint256 private constant _REWARD_PERCENT = 5;
    /// @dev Whoever leaves the list moves all behind it up, one write each.
    uint32 private constant _MOST_MEMBERS = 64;
    bytes32 private constant _KEY_TYPE_HASH =
        keccak256("RegisterKey(address register,address account)");

    /* IMMUTABLES */

    /// @inheritdoc IBondedRegister
    IStateChain public immutable chain;
    address private immutable _court;
    address private immutable _treasury;
    uint128 private immutable _bond;
    uint32 private immutable _maxMembers;
    Span private immutable _unbonding;
    Span private immutable _proof;

    /* STORAGE */

    /// @inheritdoc IBondedRegister
    uint64 public caseCount;
    /// @inheritdoc IBondedRegister
    uint256 public totalBonds;
    /// @inheritdoc IBondedRegister
    uint256 public totalOwed;
    /// @inheritdoc IBondedRegister
    mapping(address account => uint256 amount) public owedTo;
    /// @inheritdoc IBondedRegister
    mapping(address key => address account) public accountOf;
    /// @inheritdoc IBondedRegister
    mapping(address evidence => mapping(bytes32 nullifier => bool used)) public isUsed;

    address[] private _evidence;
    address[] private _listed;
    mapping(address account => Member entry) private _members;
    mapping(bytes32 caseId => Case entry) private _cases;

    /* CONSTRUCTOR */

    /// @param config_ parameters.
    constructor(Config memory config_) {
        if (config_.chain == address(0) || config_.court == address(0)) revert ZeroAddress();
        if (config_.treasury == address(0)) revert ZeroAddress();
        // So small a share of it as one basis point is something.
        if (config_.bond < _BPS || config_.bond > type(uint128).max) revert BadConfig("bond");
        if (config_.maxMembers == 0 || config_.maxMembers > _MOST_MEMBERS) {
            revert BadConfig("maxMembers");
        }
        if (config_.proofSeconds == 0) revert BadConfig("proof");
        // What is proved on the last day of an unbonding is still ruled on.
        if (
            config_.unbondingSeconds <= config_.proofSeconds
                || config_.unbondingBlocks < config_.proofBlocks
        ) revert BadConfig("unbonding");
        chain = IStateChain(config_.chain);
        _court = config_.court;
        _treasury = config_.treasury;
        _bond = uint128(config_.bond);
        _maxMembers = config_.maxMembers;
        _unbonding = DualClock.toSpan(config_.unbondingSeconds, config_.unbondingBlocks);
        _proof = DualClock.toSpan(config_.proofSeconds, config_.proofBlocks);
        for (uint256 i = 0; i < config_.evidence.length; ++i) {
            if (config_.evidence[i] == address(0)) revert ZeroAddress();
            _evidence.push(config_.evidence[i]);
        }
    }

    /* WRITES: MEMBERS */

    /// @inheritdoc IBondedRegister
    function register(address key, bytes calldata signature) external payable {
        if (msg.value != _bond) revert WrongBond(msg.value, _bond);
        Member storage entry = _members[msg.sender];
        if (entry.since != 0) revert AlreadyRegistered(msg.sender);
        _takeKey(key, signature);
        entry.key = key;
        entry.since = uint64(block.timestamp);
        entry.bond = _bond;
        totalBonds += msg.value;
        emit Registered(msg.sender, key, msg.value);
        _list(msg.sender, entry);
    }

    /// @inheritdoc IBondedRegister
    function rotate(address key, bytes calldata signature) external {
        Member storage entry = _staying(msg.sender);
        address before = entry.key;
        if (key == before) revert SameKey(key);
        _takeKey(key, signature);
        entry.key = key;
        emit KeyChanged(msg.sender, before, key);
    }

    /// @inheritdoc IBondedRegister
    function topUp(address account) external payable {
        Member storage entry = _staying(account);
        uint256 missing = _bond - entry.bond;
        if (missing == 0 || msg.value != missing) revert WrongBond(msg.value, missing);
        // It could be convicted on the list.
        if (entry.openCases != 0) revert CasesOpen(account, entry.openCases);
        entry.bond = _bond;
        totalBonds += msg.value;
        emit BondAdded(account, msg.sender, msg.value, _bond);
        _list(account, entry);
    }

    /// @inheritdoc IBondedRegister
    function leave() external {
        Member storage entry = _staying(msg.sender);
        entry.leftTime = uint64(block.timestamp);
        entry.leftBlock = uint64(block.number);
        emit Leaving(msg.sender);
        _unlist(msg.sender, entry);
    }

    /// @inheritdoc IBondedRegister
    function withdraw() external {
        Member storage entry = _members[msg.sender];
        if (entry.leftTime == 0) revert NotLeaving(msg.sender);
        _requirePassed(_unbonding, DualClock.toStamp(entry.leftTime, entry.leftBlock));
        if (entry.openCases != 0) revert CasesOpen(msg.sender, entry.openCases);
        uint256 amount = entry.bond;
        delete _members[msg.sender];
        totalBonds -= amount;
        emit Withdrawn(msg.sender, amount);
        _pay(msg.sender, amount);
    }

    /* WRITES: SLASHES */

    /// @inheritdoc IBondedRegister
    function prove(address evidence, bytes calldata data) external returns (bytes32 caseId) {
        _requireListed(evidence);
        IEvidence.Finding memory finding = IEvidence(evidence).check(data);
        if (finding.bps == 0 || finding.bps > _BPS) revert BadFinding(evidence);
        address account = accountOf[finding.accused];
        if (account == address(0)) revert NotRegistered(finding.accused);
        Member storage entry = _members[account];
        if (entry.bond == 0) revert NothingAtStake(account);
        if (isUsed[evidence][finding.nullifier]) revert EvidenceUsed(evidence, finding.nullifier);
        isUsed[evidence][finding.nullifier] = true;
        uint256 amount = Math.ceilDiv(entry.bond * uint256(finding.bps), _BPS);
        caseId = keccak256(abi.encode(address(this), ++caseCount));
        _cases[caseId] = Case({
            account: account,
            accuser: msg.sender,
            amount: uint128(amount),
            time: uint64(block.timestamp),
            blockNumber: uint64(block.number),
            isClosed: false
        });
        ++entry.openCases;
        emit Proved(caseId, account, msg.sender, evidence, finding.nullifier, amount);
        _unlist(account, entry);
    }

    /// @inheritdoc IBondedRegister
    function rule(bytes32 caseId) external returns (uint256 taken) {
        Case storage entry = _cases[caseId];
        if (entry.account == address(0)) revert UnknownCase(caseId);
        if (entry.isClosed) revert CaseClosed(caseId);
        _requirePassed(_proof, DualClock.toStamp(entry.time, entry.blockNumber));
        entry.isClosed = true;
        Member storage member = _members[entry.account];
        --member.openCases;
        // Another case, or the court, may have taken it before.
        taken = Math.min(entry.amount, member.bond);
        uint256 reward = taken * _REWARD_PERCENT / _PERCENT;
        _take(member, taken);
        _owe(entry.accuser, reward);
        _owe(_treasury, taken - reward);
        emit Ruled(caseId, entry.account, taken, reward);
    }

    /// @inheritdoc IBondedRegister
    function slash(address account, uint256 amount) external {
        if (msg.sender != _court) revert NotCourt(msg.sender, _court);
        Member storage entry = _members[account];
        if (amount == 0 || amount > entry.bond) revert AmountOutOfRange(amount, entry.bond);
        _take(entry, amount);
        _owe(_treasury, amount);
        emit Slashed(account, amount, entry.bond);
        _unlist(account, entry);
    }

    /// @inheritdoc IBondedRegister
    function collect(address account) external {
        uint256 amount = owedTo[account];
        if (amount == 0) revert NothingToCollect(account);
        owedTo[account] = 0;
        totalOwed -= amount;
        emit Collected(account, amount);
        _pay(account, amount);
    }

    /* VIEWS */

    /// @inheritdoc IBondedRegister
    function config() external view returns (Config memory) {
        return Config({
            chain: address(chain),
            court: _court,
            treasury: _treasury,
            evidence: _evidence,
            bond: _bond,
            maxMembers: _maxMembers,
            unbondingSeconds: _unbonding.secondsIn(),
            unbondingBlocks: _unbonding.blocksIn(),
            proofSeconds: _proof.secondsIn(),
            proofBlocks: _proof.blocksIn()
        });
    }

    /// @inheritdoc IBondedRegister
    function memberOf(address account) external view returns (Member memory) {
        return _members[account];
    }

    /// @inheritdoc IBondedRegister
    function members() external view returns (address[] memory) {
        return _listed;
    }

    /// @inheritdoc IBondedRegister
    function caseOf(bytes32 caseId) external view returns (Case memory) {
        return _cases[caseId];
    }

    /// @inheritdoc IBondedRegister
    function keyDigest(address account) public view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(
            chain.domainSeparator(), keccak256(abi.encode(_KEY_TYPE_HASH, address(this), account))
        );
    }

    /* INTERNAL */

    function _staying(address account) private view returns (Member storage entry) {
        entry = _members[account];
        if (entry.since == 0) revert NotRegistered(account);
        if (entry.leftTime != 0) revert IsLeaving(account);
    }

    function _requireListed(address evidence) private view {
        for (uint256 i = 0; i < _evidence.length; ++i) {
            if (_evidence[i] == evidence) return;
        }
        revert NotEvidence(evidence);
    }

    function _requirePassed(Span span, Stamp since) private view {
        if (span.hasPassed(since)) return;
        (uint64 untilTime, uint64 untilBlock) = span.end(since);
        revert StillRunning(untilTime, untilBlock);
    }

    /// @dev For the caller. A key that an account had before it may take up again.
    function _takeKey(address key, bytes calldata signature) private {
        if (key == address(0)) revert ZeroAddress();
        address holder = accountOf[key];
        if (holder != address(0) && holder != msg.sender) revert KeyTaken(key, holder);
        address recovered = ECDSA.recoverCalldata(keyDigest(msg.sender), signature);
        if (recovered != key) revert WrongSigner(recovered, key);
        accountOf[key] = msg.sender;
    }

    function _list(address account, Member storage entry) private {
        if (_listed.length >= _maxMembers) revert RegisterFull(_listed.length);
        entry.isActive = true;
        _listed.push(account);
        emit Listed(account, _listed.length);
    }

    function _unlist(address account, Member storage entry) private {
        if (!entry.isActive) return;
        entry.isActive = false;
        uint256 last = _listed.length - 1;
        uint256 i = 0;
        while (_listed[i] != account) ++i;
        for (; i < last; ++i) {
            _listed[i] = _listed[i + 1];
        }
        _listed.pop();
        emit Unlisted(account, last);
    }

    function _take(Member storage entry, uint256 amount) private {
        entry.bond -= uint128(amount);
        totalBonds -= amount;
    }

    function _owe(address account, uint256 amount) private {
        if (amount == 0) return;
        owedTo[account] += amount;
        totalOwed += amount;
    }

    function _pay(address to, uint256 amount) private {
        if (!LowLevelCall.callNoReturn(to, amount, "")) revert TransferFailed(to, amount);
    }
}
