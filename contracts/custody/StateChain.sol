// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IInbox} from "../interfaces/IInbox.sol";
import {IJudge} from "../interfaces/IJudge.sol";
import {ISequencers} from "../interfaces/ISequencers.sol";
import {IStateChain} from "../interfaces/IStateChain.sol";
import {ClaimId, NO_CLAIM} from "../interfaces/Types.sol";
import {DualClock, Span, Stamp} from "../libraries/DualClock.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";

/// @title StateChain
/// @notice Implements {IStateChain}, which says what it does, what it assumes and how it fails.
contract StateChain is IStateChain {
    using DualClock for Span;

    /* CONSTANTS */

    /// @dev Leaves of a batch: the inputs tree has depth 24.
    uint64 private constant _MAX_BATCH_LEAVES = 1 << 24;
    /// @dev Longest parameter of time or blocks: no sum of it with a clock overflows.
    uint64 private constant _MAX_PERIOD = 1 << 32;
    /// @dev Epoch of the closing batch, which no sequencer commits.
    uint64 private constant _NO_EPOCH = type(uint64).max;
    /// @dev Root of an inputs tree without leaves (docs/spec/tree.md, Z(24)).
    bytes32 private constant _NO_INPUTS =
        0xcdc72595f74c7b1043d0e1ffbab734648c838dfb0527d971b602bc216c9619ef;
    bytes32 private constant _DOMAIN_TYPE_HASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );

    /* IMMUTABLES */

    /// @inheritdoc IStateChain
    address public immutable inbox;
    /// @inheritdoc IStateChain
    address public immutable sequencers;
    /// @inheritdoc IStateChain
    address public immutable judge;
    /// @inheritdoc IStateChain
    address public immutable sink;
    /// @inheritdoc IStateChain
    uint64 public immutable inboxLag;
    /// @inheritdoc IStateChain
    uint64 public immutable claimStride;
    /// @inheritdoc IStateChain
    uint256 public immutable bond;
    /// @inheritdoc IStateChain
    ClaimId public immutable genesisClaim;

    Span private immutable _window;
    Span private immutable _judgeTime;
    Span private immutable _silence;
    Span private immutable _stall;
    Span private immutable _closing;

    /* STORAGE */

    struct ClaimEntry {
        ClaimId parent;
        bytes32 stateRoot;
        address asserter;
        uint64 batch;
        ClaimStatus status;
        Stamp madeAt;
    }

    struct ForkEntry {
        ClaimId firstChild;
        ClaimId winner;
        uint32 children;
        Stamp rivalAt; // zero = no rivals
    }

    /// @inheritdoc IStateChain
    Mode public mode;
    /// @inheritdoc IStateChain
    bool public isAbandoned;
    /// @inheritdoc IStateChain
    uint64 public closingBatch;
    /// @inheritdoc IStateChain
    ClaimId public latestFinal;

    /// @dev When the mode became FROZEN.
    Stamp private _frozenAt;
    /// @dev When `latestFinal` became final.
    Stamp private _finalAt;
    Tip private _tip;
    mapping(uint64 number => bytes32 headerHash) private _headerHashes;
    mapping(ClaimId claim => ClaimEntry entry) private _claims;
    mapping(ClaimId parent => ForkEntry fork) private _forks;
    mapping(address account => Asserter asserter) private _asserters;
    /// @inheritdoc IStateChain
    mapping(address account => uint256 amount) public collectable;

    /* CONSTRUCTOR */

    constructor(Config memory config) {
        _requireAddress(config.inbox, "inbox");
        _requireAddress(config.sequencers, "sequencers");
        _requireAddress(config.judge, "judge");
        _requireAddress(config.sink, "sink");
        _requirePeriod(config.inboxLag, "inboxLag");
        _requirePeriod(config.claimStride, "claimStride");
        _requirePeriod(config.windowSeconds, "windowSeconds");
        _requirePeriod(config.windowBlocks, "windowBlocks");
        _requirePeriod(config.judgeSeconds, "judgeSeconds");
        _requirePeriod(config.judgeBlocks, "judgeBlocks");
        _requireDeadlines(config);
        if (config.bond == 0) revert BadConfig("bond");
        if (config.genesisRoot == bytes32(0)) revert BadConfig("genesisRoot");

        inbox = config.inbox;
        sequencers = config.sequencers;
        judge = config.judge;
        sink = config.sink;
        inboxLag = config.inboxLag;
        claimStride = config.claimStride;
        bond = config.bond;
        _window = DualClock.toSpan(config.windowSeconds, config.windowBlocks);
        _judgeTime = DualClock.toSpan(config.judgeSeconds, config.judgeBlocks);
        _silence = DualClock.toSpan(config.silenceSeconds, config.silenceBlocks);
        _stall = DualClock.toSpan(config.stallSeconds, config.stallBlocks);
        _closing = DualClock.toSpan(config.closingSeconds, config.closingBlocks);

        _tip.nextSeq = 1;
        _tip.nextBlock = 1;

        ClaimId genesis = _hashClaim(NO_CLAIM, 0, bytes32(0), config.genesisRoot);
        genesisClaim = genesis;
        latestFinal = genesis;
        _finalAt = DualClock.current();
        _claims[genesis] = ClaimEntry({
            parent: NO_CLAIM,
            stateRoot: config.genesisRoot,
            asserter: address(0),
            batch: 0,
            status: ClaimStatus.FINAL,
            madeAt: DualClock.current()
        });
        emit Finalized(genesis, 0, config.genesisRoot);
    }

    /* WRITES: HEADERS */

    /// @inheritdoc IStateChain
    function commit(Header calldata header) external {
        _commit(header);
        _requireNoLag(header.inboxIndex);
    }

    /// @inheritdoc IStateChain
    function commitWithData(Header calldata header, bytes calldata) external {
        _commit(header);
        _requireNoLag(header.inboxIndex);
    }

    /// @inheritdoc IStateChain
    function commitMany(Header[] calldata headers) external {
        if (headers.length == 0) revert NoHeaders();
        for (uint256 i = 0; i < headers.length; i++) {
            _commit(headers[i]);
        }
        _requireNoLag(headers[headers.length - 1].inboxIndex);
    }

    /* WRITES: CLAIMS */

    /// @inheritdoc IStateChain
    function claim(ClaimId parent, uint64 batch, bytes32 headerHash, bytes32 stateRoot)
        external
        returns (ClaimId claim_)
    {
        _requireOpen();
        if (stateRoot == bytes32(0)) revert ZeroStateRoot();
        _requireHeader(parent, batch, headerHash);
        claim_ = _hashClaim(parent, batch, headerHash, stateRoot);
        if (_claims[claim_].status != ClaimStatus.NONE) revert ClaimExists(claim_);
        _requireOnOnePath(msg.sender, parent);

        uint32 children = _addChild(parent, claim_);
        _claims[claim_] = ClaimEntry({
            parent: parent,
            stateRoot: stateRoot,
            asserter: msg.sender,
            batch: batch,
            status: ClaimStatus.OPEN,
            madeAt: DualClock.current()
        });
        Asserter storage asserter = _asserters[msg.sender];
        asserter.lastClaim = claim_;
        asserter.openClaims++;
        emit Claimed(claim_, parent, msg.sender, batch, stateRoot, children);
    }

    /// @inheritdoc IStateChain
    function finalize(ClaimId claim_) external {
        _requireOpen();
        ClaimEntry storage entry = _openClaim(claim_);
        if (entry.parent != latestFinal) revert ParentNotFinal(entry.parent);
        ForkEntry storage fork = _forks[entry.parent];
        if (fork.children > 1 && fork.winner != claim_) {
            revert Contested(entry.parent, fork.children);
        }
        if (!_window.hasPassed(entry.madeAt)) {
            (uint64 untilTime, uint64 untilBlock) = _window.end(entry.madeAt);
            revert WindowRunning(untilTime, untilBlock);
        }

        entry.status = ClaimStatus.FINAL;
        latestFinal = claim_;
        _finalAt = DualClock.current();
        _asserters[entry.asserter].openClaims--;
        emit Finalized(claim_, entry.batch, entry.stateRoot);
        if (closingBatch != 0 && entry.batch == closingBatch) _openEscape();
    }

    /// @inheritdoc IStateChain
    function resolve(ClaimId parent) external {
        _requireOpen();
        ForkEntry storage fork = _contestedFork(parent);
        if (_judgeTime.hasPassed(_judgeStart(fork))) revert RulingTooLate(parent);
        ClaimId winner = IJudge(judge).rulingOf(parent);
        if (winner == NO_CLAIM) revert NoRuling(parent);
        if (_claims[winner].parent != parent) revert NotAChild(winner, parent);

        fork.winner = winner;
        emit Resolved(parent, winner);
    }

    /// @inheritdoc IStateChain
    function dismiss(ClaimId claim_) external {
        ClaimEntry storage entry = _openClaim(claim_);
        ClaimId winner = _forks[entry.parent].winner;
        bool hasLost = winner != NO_CLAIM && winner != claim_;
        if (!hasLost && _claims[entry.parent].status != ClaimStatus.DEAD) revert NotLost(claim_);

        entry.status = ClaimStatus.DEAD;
        Asserter storage asserter = _asserters[entry.asserter];
        asserter.openClaims--;
        emit Dismissed(claim_, entry.asserter);
        if (hasLost && asserter.isBonded) {
            asserter.isBonded = false;
            address victor = _claims[winner].asserter;
            uint256 reward = bond / 2;
            collectable[victor] += reward;
            collectable[sink] += bond - reward;
            emit BondForfeited(entry.asserter, victor, reward, bond - reward);
        }
    }

    /* WRITES: FREEZE */

    /// @inheritdoc IStateChain
    function freezeSilent() external {
        _requireLive();
        uint64 index = _tip.inboxIndex;
        uint64 queued = IInbox(inbox).count();
        if (index == queued) revert NothingWaits(index);
        Stamp since = DualClock.toStamp(IInbox(inbox).timeOf(index), IInbox(inbox).blockOf(index));
        _requirePassed(_silence, since);
        _freeze(FreezeReason.SILENT);
    }

    /// @inheritdoc IStateChain
    function freezeStalled(uint64 heartbeat) external {
        _requireLive();
        uint64 batch = _claims[latestFinal].batch + 1;
        if (batch > _tip.number) revert UnknownBatch(batch, _tip.number);
        Stamp committedAt = _requireHeartbeat(heartbeat, batch);
        _requirePassed(_stall, DualClock.later(committedAt, _finalAt));
        _freeze(FreezeReason.STALLED);
    }

    /// @inheritdoc IStateChain
    function freeze(ClaimId parent) external {
        _requireOpen();
        ForkEntry storage fork = _contestedFork(parent);
        Stamp start = _judgeStart(fork);
        if (!_judgeTime.hasPassed(start)) {
            (uint64 untilTime, uint64 untilBlock) = _judgeTime.end(start);
            revert JudgeHasTime(untilTime, untilBlock);
        }

        if (mode == Mode.LIVE) {
            emit Frozen(FreezeReason.UNRULED, latestFinal);
            IInbox(inbox).close();
        }
        isAbandoned = true;
        _openEscape();
    }

    /// @inheritdoc IStateChain
    function abandon() external {
        if (mode != Mode.FROZEN) revert NotFrozen(mode);
        _requirePassed(_closing, _frozenAt);
        isAbandoned = true;
        _openEscape();
    }

    /* WRITES: BONDS */

    /// @inheritdoc IStateChain
    function postBond() external payable {
        _requireOpen();
        if (msg.value != bond) revert WrongBond(msg.value, bond);
        Asserter storage asserter = _asserters[msg.sender];
        if (asserter.isBonded) revert AlreadyBonded(msg.sender);
        asserter.isBonded = true;
        emit BondPosted(msg.sender, bond);
    }

    /// @inheritdoc IStateChain
    function withdrawBond() external {
        Asserter storage asserter = _asserters[msg.sender];
        if (!asserter.isBonded) revert NotBonded(msg.sender);
        if (asserter.openClaims != 0 && !isAbandoned) {
            revert BondInUse(msg.sender, asserter.openClaims);
        }
        asserter.isBonded = false;
        emit BondWithdrawn(msg.sender, bond);
        _send(msg.sender, bond);
    }

    /// @inheritdoc IStateChain
    function collect(address account) external {
        uint256 amount = collectable[account];
        if (amount == 0) revert NothingToCollect(account);
        collectable[account] = 0;
        emit Collected(account, amount);
        _send(account, amount);
    }

    /* VIEWS: PARAMETERS */

    /// @inheritdoc IStateChain
    function windowSeconds() external view returns (uint64) {
        return _window.secondsIn();
    }

    /// @inheritdoc IStateChain
    function windowBlocks() external view returns (uint64) {
        return _window.blocksIn();
    }

    /// @inheritdoc IStateChain
    function judgeSeconds() external view returns (uint64) {
        return _judgeTime.secondsIn();
    }

    /// @inheritdoc IStateChain
    function judgeBlocks() external view returns (uint64) {
        return _judgeTime.blocksIn();
    }

    /// @inheritdoc IStateChain
    function silence() external view returns (uint64 time, uint64 blocks) {
        return (_silence.secondsIn(), _silence.blocksIn());
    }

    /// @inheritdoc IStateChain
    function stall() external view returns (uint64 time, uint64 blocks) {
        return (_stall.secondsIn(), _stall.blocksIn());
    }

    /// @inheritdoc IStateChain
    function closing() external view returns (uint64 time, uint64 blocks) {
        return (_closing.secondsIn(), _closing.blocksIn());
    }

    /// @inheritdoc IStateChain
    function domainSeparator() external view returns (bytes32) {
        return keccak256(
            abi.encode(
                _DOMAIN_TYPE_HASH,
                keccak256("TradeZone"),
                keccak256("1"),
                block.chainid,
                address(this)
            )
        );
    }

    /* VIEWS: STATE */

    /// @inheritdoc IStateChain
    function isFrozen() public view returns (bool) {
        return mode != Mode.LIVE;
    }

    /// @inheritdoc IStateChain
    function frozenAt() external view returns (uint64 time, uint64 blockNumber) {
        return (DualClock.timeOf(_frozenAt), DualClock.blockOf(_frozenAt));
    }

    /// @inheritdoc IStateChain
    function finalAt() external view returns (uint64 time, uint64 blockNumber) {
        return (DualClock.timeOf(_finalAt), DualClock.blockOf(_finalAt));
    }

    /// @inheritdoc IStateChain
    function escapeRoot() external view returns (bytes32) {
        if (mode != Mode.ESCAPE) revert NotEscaping(mode);
        return _claims[latestFinal].stateRoot;
    }

    /// @inheritdoc IStateChain
    function tip() external view returns (Tip memory) {
        return _tip;
    }

    /// @inheritdoc IStateChain
    function headerHashOf(uint64 number) external view returns (bytes32) {
        if (number == 0 || number > _tip.number) revert UnknownBatch(number, _tip.number);
        return _headerHashes[number];
    }

    /// @inheritdoc IStateChain
    function hashHeader(Header calldata header) external pure returns (bytes32) {
        return keccak256(abi.encode(header));
    }

    /// @inheritdoc IStateChain
    function claimOf(ClaimId claim_) external view returns (Claim memory) {
        ClaimEntry storage entry = _claims[claim_];
        return Claim({
            parent: entry.parent,
            stateRoot: entry.stateRoot,
            asserter: entry.asserter,
            batch: entry.batch,
            status: entry.status,
            time: DualClock.timeOf(entry.madeAt),
            blockNumber: DualClock.blockOf(entry.madeAt)
        });
    }

    /// @inheritdoc IStateChain
    function forkOf(ClaimId parent) external view returns (Fork memory) {
        ForkEntry storage fork = _forks[parent];
        return Fork({
            firstChild: fork.firstChild,
            winner: fork.winner,
            children: fork.children,
            rivalTime: DualClock.timeOf(fork.rivalAt),
            rivalBlock: DualClock.blockOf(fork.rivalAt)
        });
    }

    /// @inheritdoc IStateChain
    function isAwaitingRuling(ClaimId parent) external view returns (bool) {
        ForkEntry storage fork = _forks[parent];
        return mode != Mode.ESCAPE && fork.children > 1 && fork.winner == NO_CLAIM
            && !_isRulingOverdue(parent, fork);
    }

    /// @inheritdoc IStateChain
    function isFinal(ClaimId claim_) external view returns (bool) {
        return _claims[claim_].status == ClaimStatus.FINAL;
    }

    /// @inheritdoc IStateChain
    function rootOf(ClaimId claim_) external view returns (bytes32) {
        ClaimEntry storage entry = _claims[claim_];
        if (entry.status == ClaimStatus.NONE) revert UnknownClaim(claim_);
        return entry.stateRoot;
    }

    /// @inheritdoc IStateChain
    function finalRootOf(ClaimId claim_) external view returns (bytes32) {
        ClaimEntry storage entry = _claims[claim_];
        if (entry.status != ClaimStatus.FINAL) revert ClaimNotFinal(claim_);
        return entry.stateRoot;
    }

    /// @inheritdoc IStateChain
    function asserterOf(address account) external view returns (Asserter memory) {
        return _asserters[account];
    }

    /* INTERNAL: HEADERS */

    /// @dev Check the header against the tip, make it the tip, and put a heartbeat into the inbox.
    function _commit(Header calldata header) private {
        _requireLive();
        _requireSequencer(header.epoch);
        Tip memory last = _tip;
        _requireNext(header, last);
        _requireInbox(header, last.inboxIndex);
        _requireTime(header, last.endTime);

        bytes32 headerHash = keccak256(abi.encode(header));
        _headerHashes[header.number] = headerHash;
        _tip = Tip({
            hash: headerHash,
            number: header.number,
            nextSeq: header.firstSeq + header.count,
            inboxIndex: header.inboxIndex,
            nextBlock: header.firstBlock + header.blocks,
            endTime: header.endTime
        });
        emit BatchCommitted(header.number, headerHash, header);
        IInbox(inbox).enqueue(InboxMessages.HEARTBEAT, InboxMessages.heartbeat(header.number));
    }

    function _requireSequencer(uint64 epoch) private view {
        uint64 current = ISequencers(sequencers).currentEpoch();
        if (epoch != current) revert WrongEpoch(epoch, current);
        address sequencer = ISequencers(sequencers).sequencerOf(current);
        if (msg.sender != sequencer) revert NotSequencer(msg.sender, sequencer);
    }

    function _requireNext(Header calldata header, Tip memory last) private pure {
        if (header.number != last.number + 1) revert WrongNumber(header.number, last.number + 1);
        if (header.parent != last.hash) revert WrongParent(header.parent, last.hash);
        if (header.inputsRoot == bytes32(0)) revert ZeroInputsRoot();
        if (header.firstSeq != last.nextSeq) revert WrongFirstSeq(header.firstSeq, last.nextSeq);
        if (header.count == 0 || header.count > _MAX_BATCH_LEAVES) {
            revert CountOutOfRange(header.count, _MAX_BATCH_LEAVES);
        }
        if (header.firstBlock != last.nextBlock) {
            revert WrongFirstBlock(header.firstBlock, last.nextBlock);
        }
        if (header.blocks == 0 || header.blocks > header.count) {
            revert BlocksOutOfRange(header.blocks, header.count);
        }
    }

    function _requireInbox(Header calldata header, uint64 lastIndex) private view {
        uint64 queued = IInbox(inbox).count();
        if (header.inboxIndex < lastIndex || header.inboxIndex > queued) {
            revert InboxIndexOutOfRange(header.inboxIndex, lastIndex, queued);
        }
        bytes32 prefix = IInbox(inbox).prefixHash(header.inboxIndex);
        if (header.inboxHash != prefix) revert WrongInboxHash(header.inboxHash, prefix);
    }

    function _requireTime(Header calldata header, uint64 lastEndTime) private view {
        if (header.startTime < lastEndTime) revert StartsTooEarly(header.startTime, lastEndTime);
        if (header.endTime < header.startTime) {
            revert EndsBeforeStart(header.endTime, header.startTime);
        }
        uint64 latest = uint64(block.timestamp) * 1000 + 999;
        if (header.endTime > latest) revert EndsInFuture(header.endTime, latest);
    }

    /// @dev The first message that stays unconsumed must be younger than the lag allows.
    function _requireNoLag(uint64 inboxIndex) private view {
        uint64 age = IInbox(inbox).ageOf(inboxIndex);
        if (age > inboxLag) revert InboxLagging(inboxIndex, age, inboxLag);
    }

    /* INTERNAL: CLAIMS */

    /// @dev The parent takes children for this batch, and the batch is the one that is meant.
    function _requireHeader(ClaimId parent, uint64 batch, bytes32 headerHash) private view {
        ClaimEntry storage entry = _claims[parent];
        if (entry.status == ClaimStatus.NONE) revert UnknownClaim(parent);
        if (entry.status == ClaimStatus.DEAD) revert ParentLost(parent);
        ClaimId winner = _forks[entry.parent].winner;
        if (winner != NO_CLAIM && winner != parent) revert ParentLost(parent);
        uint64 next = entry.batch + claimStride;
        // The closing batch may end a stride early; nothing comes after it.
        if (entry.batch < closingBatch && next > closingBatch) next = closingBatch;
        if (batch != next) revert WrongBatch(batch, next);
        if (batch > _tip.number) revert UnknownBatch(batch, _tip.number);
        bytes32 committed = _headerHashes[batch];
        if (headerHash != committed) revert WrongHeader(headerHash, committed);
    }

    /// @dev A bond stands behind one path only: the new claim must descend from the asserter's last
    /// one. The walk is as long as the claims that others made since then.
    function _requireOnOnePath(address account, ClaimId parent) private view {
        Asserter storage asserter = _asserters[account];
        if (!asserter.isBonded) revert NotBonded(account);
        if (asserter.openClaims == 0) return;
        ClaimId last = asserter.lastClaim;
        uint64 lastBatch = _claims[last].batch;
        ClaimId ancestor = parent;
        while (ancestor != last) {
            ClaimEntry storage entry = _claims[ancestor];
            if (entry.batch <= lastBatch) revert NotOnOnePath(last, parent);
            ancestor = entry.parent;
        }
    }

    /// @dev A second child is taken within the window of the first, more of them until the ruling.
    function _addChild(ClaimId parent, ClaimId child) private returns (uint32 children) {
        ForkEntry storage fork = _forks[parent];
        children = fork.children + 1;
        fork.children = children;
        if (children == 1) {
            fork.firstChild = child;
        } else if (children == 2) {
            if (_window.hasPassed(_claims[fork.firstChild].madeAt)) revert ChildrenClosed(parent);
            fork.rivalAt = DualClock.current();
        } else if (fork.winner != NO_CLAIM || _isRulingOverdue(parent, fork)) {
            revert ChildrenClosed(parent);
        }
    }

    function _openClaim(ClaimId claim_) private view returns (ClaimEntry storage) {
        ClaimEntry storage entry = _claims[claim_];
        if (entry.status == ClaimStatus.NONE) revert UnknownClaim(claim_);
        if (entry.status != ClaimStatus.OPEN) revert ClaimNotOpen(claim_, entry.status);
        return entry;
    }

    /// @dev A rivalry is settled in order: when its parent is the last final claim.
    function _contestedFork(ClaimId parent) private view returns (ForkEntry storage) {
        ForkEntry storage fork = _forks[parent];
        if (fork.children < 2) revert NotContested(parent);
        if (fork.winner != NO_CLAIM) revert AlreadyResolved(parent, fork.winner);
        if (parent != latestFinal) revert ParentNotFinal(parent);
        return fork;
    }

    /// @dev When the judge's time for a rivalry under the last final claim began.
    function _judgeStart(ForkEntry storage fork) private view returns (Stamp) {
        return DualClock.later(fork.rivalAt, _finalAt);
    }

    /// @dev Under any other parent than the last final claim the judge's time has not begun.
    function _isRulingOverdue(ClaimId parent, ForkEntry storage fork) private view returns (bool) {
        return parent == latestFinal && _judgeTime.hasPassed(_judgeStart(fork));
    }

    function _hashClaim(ClaimId parent, uint64 batch, bytes32 headerHash, bytes32 stateRoot)
        private
        pure
        returns (ClaimId)
    {
        return ClaimId.wrap(keccak256(abi.encode(parent, batch, headerHash, stateRoot)));
    }

    /* INTERNAL: FREEZE */

    /// @dev Shut the queue and put the closing batch behind the last one: no leaves, every message.
    function _freeze(FreezeReason reason) private {
        mode = Mode.FROZEN;
        _frozenAt = DualClock.current();
        emit Frozen(reason, latestFinal);
        IInbox(inbox).close();

        Tip memory last = _tip;
        uint64 queued = IInbox(inbox).count();
        Header memory header = Header({
            epoch: _NO_EPOCH,
            number: last.number + 1,
            parent: last.hash,
            inputsRoot: _NO_INPUTS,
            firstSeq: last.nextSeq,
            count: 0,
            inboxIndex: queued,
            inboxHash: IInbox(inbox).prefixHash(queued),
            firstBlock: last.nextBlock,
            blocks: 0,
            startTime: last.endTime,
            endTime: last.endTime
        });
        bytes32 headerHash = keccak256(abi.encode(header));
        closingBatch = header.number;
        _headerHashes[header.number] = headerHash;
        _tip.hash = headerHash;
        _tip.number = header.number;
        _tip.inboxIndex = queued;
        emit BatchCommitted(header.number, headerHash, header);
    }

    /// @dev `latestFinal` stays what it is from here on: nothing becomes final any more.
    function _openEscape() private {
        mode = Mode.ESCAPE;
        emit EscapeOpened(latestFinal, _claims[latestFinal].stateRoot, isAbandoned);
    }

    /// @dev Message `index` is the heartbeat of `batch`: so the inbox knows when it was committed.
    function _requireHeartbeat(uint64 index, uint64 batch) private view returns (Stamp) {
        uint64 time = IInbox(inbox).timeOf(index);
        uint64 blockNumber = IInbox(inbox).blockOf(index);
        bytes32 prefix = InboxMessages.nextPrefix(
            IInbox(inbox).prefixHash(index),
            InboxMessages.hashMessage(
                InboxMessages.HEARTBEAT,
                index,
                address(this),
                time,
                blockNumber,
                InboxMessages.heartbeat(batch)
            )
        );
        if (prefix != IInbox(inbox).prefixHash(index + 1)) revert WrongHeartbeat(index, batch);
        return DualClock.toStamp(time, blockNumber);
    }

    function _requirePassed(Span span, Stamp start) private view {
        if (span.hasPassed(start)) return;
        (uint64 untilTime, uint64 untilBlock) = span.end(start);
        revert TooEarly(untilTime, untilBlock);
    }

    /* INTERNAL: OTHER */

    /// @dev Inputs are taken.
    function _requireLive() private view {
        if (mode != Mode.LIVE) revert ChainFrozen();
    }

    /// @dev Claims are taken and decided.
    function _requireOpen() private view {
        if (mode == Mode.ESCAPE) revert ChainFrozen();
    }

    /// @dev A deadline of the freeze never runs out on a zone that keeps its own: a sequencer within the
    /// inbox lag, one dispute, or the claims of a closing zone with a dispute.
    function _requireDeadlines(Config memory config) private pure {
        _requirePeriod(config.silenceSeconds, "silenceSeconds");
        _requirePeriod(config.silenceBlocks, "silenceBlocks");
        _requirePeriod(config.stallSeconds, "stallSeconds");
        _requirePeriod(config.stallBlocks, "stallBlocks");
        _requirePeriod(config.closingSeconds, "closingSeconds");
        _requirePeriod(config.closingBlocks, "closingBlocks");
        if (config.silenceSeconds <= config.inboxLag) revert BadConfig("silenceSeconds");
        uint64 disputeSeconds = config.windowSeconds + config.judgeSeconds;
        uint64 disputeBlocks = config.windowBlocks + config.judgeBlocks;
        if (config.stallSeconds < disputeSeconds) revert BadConfig("stallSeconds");
        if (config.stallBlocks < disputeBlocks) revert BadConfig("stallBlocks");
        if (config.closingSeconds < config.windowSeconds + disputeSeconds) {
            revert BadConfig("closingSeconds");
        }
        if (config.closingBlocks < config.windowBlocks + disputeBlocks) {
            revert BadConfig("closingBlocks");
        }
    }

    function _requireAddress(address value, string memory parameter) private pure {
        if (value == address(0)) revert BadConfig(parameter);
    }

    function _requirePeriod(uint64 value, string memory parameter) private pure {
        if (value == 0 || value > _MAX_PERIOD) revert BadConfig(parameter);
    }

    function _send(address to, uint256 amount) private {
        if (!LowLevelCall.callNoReturn(to, amount, "")) revert TransferFailed(to, amount);
    }
}
