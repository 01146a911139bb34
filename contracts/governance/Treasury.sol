// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {StreamId} from "../interfaces/GovernanceTypes.sol";
import {ITreasury} from "../interfaces/ITreasury.sol";
import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Treasury
/// @notice Implements {ITreasury}, which says what it does, what it assumes and how it fails.
contract Treasury is ITreasury, AccessManaged, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /* CONSTANTS */

    /// @inheritdoc ITreasury
    uint64 public constant MIN_DURATION = 30 days;
    /// @inheritdoc ITreasury
    uint64 public constant MAX_LEAD = 365 days;

    /* STORAGE */

    /// @inheritdoc ITreasury
    uint64 public streamCount;
    /// @inheritdoc ITreasury
    mapping(address token => uint256 amount) public reserved;

    mapping(StreamId stream => Stream entry) private _streams;

    /* CONSTRUCTOR */

    /// @param authority_ access manager.
    constructor(address authority_) AccessManaged(authority_) {}

    /* WRITES */

    receive() external payable {
        emit Received(msg.sender, msg.value);
    }

    /// @inheritdoc ITreasury
    function openStream(
        address token,
        address recipient,
        uint256 amount,
        uint64 start,
        uint64 duration
    ) external restricted nonReentrant returns (StreamId stream) {
        if (recipient == address(0)) revert ZeroAddress();
        if (amount == 0) revert ZeroAmount();
        if (duration < MIN_DURATION) revert DurationTooShort(duration, MIN_DURATION);
        uint64 earliest = uint64(block.timestamp);
        if (start == 0) start = earliest;
        if (start < earliest || start > earliest + MAX_LEAD) {
            revert BadStart(start, earliest, earliest + MAX_LEAD);
        }
        stream = _open(Stream(token, recipient, amount, 0, start, start + duration));
    }

    /// @inheritdoc ITreasury
    function closeStream(StreamId stream) external restricted nonReentrant {
        Stream storage entry = _streamAt(stream);
        if (block.timestamp >= entry.end) revert StreamOver(stream);
        uint256 vested = _vested(entry);
        emit StreamClosed(stream, entry.amount, vested);
        reserved[entry.token] -= entry.amount - vested;
        entry.amount = vested;
        entry.end = uint64(block.timestamp);
        if (entry.start > entry.end) entry.start = entry.end;
    }

    /// @inheritdoc ITreasury
    function collect(StreamId stream) external nonReentrant returns (uint256 amount) {
        Stream storage entry = _streamAt(stream);
        amount = _vested(entry) - entry.paid;
        if (amount == 0) revert NothingToCollect(stream);
        entry.paid += amount;
        reserved[entry.token] -= amount;
        emit Paid(stream, entry.recipient, amount, entry.paid);
        if (entry.token != address(0)) {
            IERC20(entry.token).safeTransfer(entry.recipient, amount);
        } else if (!LowLevelCall.callNoReturn(entry.recipient, amount, "")) {
            revert TransferFailed(entry.recipient, amount);
        }
    }

    /* VIEWS */

    /// @inheritdoc ITreasury
    function unreserved(address token) public view returns (uint256) {
        uint256 balance =
            token == address(0) ? address(this).balance : IERC20(token).balanceOf(address(this));
        return Math.saturatingSub(balance, reserved[token]);
    }

    /// @inheritdoc ITreasury
    function streamOf(StreamId stream) external view returns (Stream memory) {
        return _streamAt(stream);
    }

    /// @inheritdoc ITreasury
    function collectable(StreamId stream) external view returns (uint256) {
        Stream storage entry = _streamAt(stream);
        return _vested(entry) - entry.paid;
    }

    /* INTERNAL */

    function _open(Stream memory entry) private returns (StreamId stream) {
        uint256 there = unreserved(entry.token);
        if (entry.amount > there) revert InsufficientFunds(entry.token, entry.amount, there);
        stream = StreamId.wrap(++streamCount);
        _streams[stream] = entry;
        uint256 promised = reserved[entry.token] + entry.amount;
        reserved[entry.token] = promised;
        emit StreamOpened(
            stream, entry.token, entry.recipient, entry.amount, entry.start, entry.end, promised
        );
    }

    function _streamAt(StreamId stream) private view returns (Stream storage entry) {
        entry = _streams[stream];
        if (entry.recipient == address(0)) revert UnknownStream(stream);
    }

    /// @dev Rounded down, all of it at the end.
    function _vested(Stream storage entry) private view returns (uint256) {
        if (block.timestamp >= entry.end) return entry.amount;
        if (block.timestamp <= entry.start) return 0;
        return
            Math.mulDiv(
                entry.amount, block.timestamp - entry.start, uint256(entry.end) - entry.start
            );
    }
}
