// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBondedRegister} from "../interfaces/IBondedRegister.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {ISequencers} from "../interfaces/ISequencers.sol";
import {IStateChain} from "../interfaces/IStateChain.sol";
import {DualClock, Span, Stamp} from "../libraries/DualClock.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";

/// @title Sequencers
/// @notice Implements {ISequencers}, which says what it does, what it assumes and how it fails.
contract Sequencers is ISequencers {
    using DualClock for Span;

    /* CONSTANTS */

    /// @dev Longest period: no multiple of it by a place on the list overflows a clock.
    uint64 private constant _MAX_PERIOD = 1 << 32;

    /* IMMUTABLES */

    /// @notice State chain of the zone.
    IStateChain public immutable chain;
    /// @notice Register of operators; zero if nobody ever takes over.
    IBondedRegister public immutable register;
    Span private immutable _takeover;
    Span private immutable _open;

    /* STORAGE */

    struct Entry {
        address key;
        uint64 firstBatch;
        address account;
        Stamp since; // in office, through every rotation
    }

    /// @inheritdoc ISequencers
    uint64 public currentEpoch;
    mapping(uint64 epoch => Entry entry) private _epochs;
    /// @dev Epoch that an account began last by taking over; 0 = none.
    mapping(address account => uint64 epoch) private _turns;

    /* CONSTRUCTOR */

    /// @param config_ parameters.
    constructor(Config memory config_) {
        if (config_.chain == address(0)) revert BadConfig("chain");
        if (config_.operator == address(0)) revert BadConfig("operator");
        _requirePeriod(config_.takeoverSeconds, 1, "takeoverSeconds");
        _requirePeriod(config_.takeoverBlocks, 1, "takeoverBlocks");
        _requirePeriod(config_.openSeconds, config_.takeoverSeconds, "openSeconds");
        _requirePeriod(config_.openBlocks, config_.takeoverBlocks, "openBlocks");
        chain = IStateChain(config_.chain);
        register = IBondedRegister(config_.register);
        _takeover = DualClock.toSpan(config_.takeoverSeconds, config_.takeoverBlocks);
        _open = DualClock.toSpan(config_.openSeconds, config_.openBlocks);
        currentEpoch = 1;
        _epochs[1] = Entry(config_.operator, 1, address(0), DualClock.current());
        emit EpochBegan(1, config_.operator, config_.operator, address(0), 1, Reason.GENESIS);
    }

    /* WRITES */

    /// @inheritdoc ISequencers
    function takeOver(uint64 heartbeat) external returns (uint64) {
        address account = _accountOf(msg.sender);
        IStateChain.Tip memory tip = chain.tip();
        (uint64 untilTime, uint64 untilBlock) = _opensAt(account, heartbeat, tip.number);
        if (block.timestamp < untilTime || block.number < untilBlock) {
            revert TooEarly(untilTime, untilBlock);
        }
        _turns[account] = currentEpoch + 1;
        address key = register.memberOf(account).key;
        return _begin(key, account, DualClock.current(), tip.number + 1, Reason.TAKEN_OVER);
    }

    /// @inheritdoc ISequencers
    function rotate(address key, bytes32 tip) external returns (uint64) {
        _requireLive();
        address account = operator();
        if (msg.sender != account) revert NotOperator(msg.sender, account);
        Entry memory entry = _epochs[currentEpoch];
        if (key == address(0)) revert ZeroKey();
        if (key == entry.key) revert SameKey(key);
        _requireOwnKey(account, key);
        IStateChain.Tip memory last = chain.tip();
        if (tip != last.hash) revert TipMoved(tip, last.hash);
        return _begin(key, entry.account, entry.since, last.number + 1, Reason.ROTATED);
    }

    /* VIEWS */

    /// @inheritdoc ISequencers
    function config() external view returns (Config memory) {
        return Config({
            chain: address(chain),
            register: address(register),
            operator: _epochs[1].key,
            takeoverSeconds: _takeover.secondsIn(),
            takeoverBlocks: _takeover.blocksIn(),
            openSeconds: _open.secondsIn(),
            openBlocks: _open.blocksIn()
        });
    }

    /// @inheritdoc ISequencers
    function sequencerOf(uint64 epoch) external view returns (address) {
        return _epochs[epoch].key;
    }

    /// @inheritdoc ISequencers
    function epochOf(uint64 epoch) external view returns (Epoch memory) {
        Entry memory entry = _epochs[epoch];
        return Epoch({
            key: entry.key,
            account: entry.account,
            time: DualClock.timeOf(entry.since),
            blockNumber: DualClock.blockOf(entry.since),
            firstBatch: entry.firstBatch
        });
    }

    /// @inheritdoc ISequencers
    function operator() public view returns (address) {
        address key = _epochs[currentEpoch].key;
        if (address(register) == address(0)) return key;
        address account = register.accountOf(key);
        return account == address(0) ? key : account;
    }

    /// @inheritdoc ISequencers
    function isBonded() external view returns (bool) {
        return address(register) != address(0) && register.memberOf(operator()).isActive;
    }

    /// @inheritdoc ISequencers
    function standbys() external view returns (address[] memory found) {
        if (address(register) == address(0)) return found;
        (address[] memory listed, uint256 first, bool isListed) = _order();
        uint256 length = listed.length;
        found = new address[](isListed ? length - 1 : length);
        for (uint256 i = 0; i < found.length; ++i) {
            found[i] = listed[(first + i) % length];
        }
    }

    /// @inheritdoc ISequencers
    function opensAt(address account, uint64 heartbeat) external view returns (uint64, uint64) {
        return _opensAt(account, heartbeat, chain.tip().number);
    }

    /* INTERNAL */

    function _begin(address key, address account, Stamp since, uint64 firstBatch, Reason reason)
        private
        returns (uint64 epoch)
    {
        address before = _epochs[currentEpoch].key;
        epoch = ++currentEpoch;
        _epochs[epoch] = Entry(key, firstBatch, account, since);
        emit EpochBegan(epoch, operator(), key, before, firstBatch, reason);
    }

    /// @dev When `account` may take over, the last batch being `batch`.
    function _opensAt(address account, uint64 heartbeat, uint64 batch)
        private
        view
        returns (uint64 untilTime, uint64 untilBlock)
    {
        _requireLive();
        if (address(register) == address(0)) revert NoStandbys();
        (uint64 rank, bool isListed) = _rankOf(account);
        Stamp committed = _committedAt(heartbeat, batch);
        _requireTurn(account, batch);
        Stamp since = _epochs[currentEpoch].since;
        (untilTime, untilBlock) = _takeover.end(since);
        if (!isListed) return (untilTime, untilBlock); // nobody answers for what it orders

        Stamp last = DualClock.later(committed, since);
        Span wait = DualClock.toSpan(_takeover.secondsIn() * rank, _takeover.blocksIn() * rank);
        (uint64 ownTime, uint64 ownBlock) = wait.end(last);
        (uint64 openTime, uint64 openBlock) = _open.end(committed);
        if (ownTime > openTime) (ownTime, ownBlock) = (openTime, openBlock);
        // `since` before the last commit: the first period of its office is over by then.
        if (ownTime > untilTime) untilTime = ownTime;
        if (ownBlock > untilBlock) untilBlock = ownBlock;
    }

    /// @dev Place of a standby behind the operator, from 1, and whether the operator is listed.
    function _rankOf(address account) private view returns (uint64 rank, bool isListed) {
        address[] memory listed;
        uint256 first;
        (listed, first, isListed) = _order();
        if (account == operator()) revert InOffice(account, currentEpoch);
        uint256 length = listed.length;
        for (uint256 i = 0; i < length; ++i) {
            if (listed[(first + i) % length] == account) return (uint64(i + 1), isListed);
        }
        revert NotAStandby(account);
    }

    /// @dev The list, and where on it the standbys begin.
    function _order() private view returns (address[] memory listed, uint256 first, bool isListed) {
        listed = register.members();
        address account = operator();
        for (uint256 i = 0; i < listed.length; ++i) {
            if (listed[i] == account) return (listed, (i + 1) % listed.length, true);
        }
    }

    /// @dev Whoever took over and committed nothing lets the others try.
    function _requireTurn(address account, uint64 batch) private view {
        uint64 turn = _turns[account];
        if (turn == 0) return;
        Entry storage entry = _epochs[turn];
        if (entry.firstBatch == batch + 1 && !_open.hasPassed(entry.since)) {
            revert TurnTaken(account, turn);
        }
    }

    /// @dev When the last batch was committed, or the zone deployed: the inbox knows by its heartbeat.
    function _committedAt(uint64 index, uint64 batch) private view returns (Stamp) {
        if (batch == 0) return _epochs[1].since;
        IInbox inbox = IInbox(chain.inbox());
        if (index >= inbox.count()) revert WrongHeartbeat(index, batch);
        uint64 time = inbox.timeOf(index);
        uint64 blockNumber = inbox.blockOf(index);
        bytes32 prefix = InboxMessages.nextPrefix(
            inbox.prefixHash(index),
            InboxMessages.hashMessage(
                InboxMessages.HEARTBEAT,
                index,
                address(chain),
                time,
                blockNumber,
                InboxMessages.heartbeat(batch)
            )
        );
        if (prefix != inbox.prefixHash(index + 1)) revert WrongHeartbeat(index, batch);
        return DualClock.toStamp(time, blockNumber);
    }

    /// @dev The account for which `caller` acts: itself, or the one whose key it is now.
    function _accountOf(address caller) private view returns (address) {
        if (address(register) == address(0)) revert NoStandbys();
        if (register.memberOf(caller).since != 0) return caller;
        address account = register.accountOf(caller);
        bool isKey = account != address(0) && register.memberOf(account).key == caller;
        if (!isKey) revert NotAStandby(caller);
        return account;
    }

    /// @dev No office is handed to another operator: a key is the account's own, or nobody's.
    function _requireOwnKey(address account, address key) private view {
        if (address(register) == address(0)) return;
        address own = register.memberOf(account).key;
        if (own != address(0)) {
            if (key != own) revert WrongKey(key, own);
            return;
        }
        address holder = register.accountOf(key);
        if (holder != address(0)) revert WrongKey(key, holder);
    }

    function _requireLive() private view {
        if (chain.isFrozen()) revert ChainFrozen();
    }

    function _requirePeriod(uint64 value, uint64 least, string memory parameter) private pure {
        if (value < least || value > _MAX_PERIOD) revert BadConfig(parameter);
    }
}
