// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {StreamId} from "./GovernanceTypes.sol";

/// @title ITreasury
/// @notice Holds what anyone pays in, and pays it out in streams: nothing at once, evenly over at least
/// `MIN_DURATION`, collected by the recipient. What is promised is reserved, so streams never promise
/// more than is there. There is no other way out.
///
/// Assumptions for safety: none beyond this token's holders. A token that takes a fee or shrinks harms
/// its own streams.
interface ITreasury {
    /// @notice A payment that vests evenly.
    struct Stream {
        address token; // zero = the native coin
        address recipient;
        uint256 amount; // in all; what has vested when it was closed
        uint256 paid;
        uint64 start; // seconds
        uint64 end;
    }

    /* EVENTS */

    event Received(address indexed from, uint256 amount);
    event StreamOpened(
        StreamId indexed stream,
        address indexed token,
        address indexed recipient,
        uint256 amount,
        uint64 start,
        uint64 end,
        uint256 reserved
    );
    event StreamClosed(StreamId indexed stream, uint256 amountBefore, uint256 amount);
    event Paid(StreamId indexed stream, address indexed recipient, uint256 amount, uint256 paid);

    /* ERRORS */

    error ZeroAddress();
    error ZeroAmount();
    error DurationTooShort(uint64 duration, uint64 least);
    /// @notice A stream begins now or later, within `MAX_LEAD`.
    error BadStart(uint64 start, uint64 earliest, uint64 latest);
    /// @notice Less than this is there and not promised.
    error InsufficientFunds(address token, uint256 asked, uint256 unreserved);
    error UnknownStream(StreamId stream);
    error StreamOver(StreamId stream);
    error NothingToCollect(StreamId stream);
    error TransferFailed(address to, uint256 amount);

    /* WRITES */

    /// @notice Promise a payment. Only the ordinary class.
    /// @param token zero = the native coin.
    /// @param start seconds; 0 = now.
    /// @return stream its number.
    function openStream(
        address token,
        address recipient,
        uint256 amount,
        uint64 start,
        uint64 duration
    ) external returns (StreamId stream);

    /// @notice End a stream: what has vested stays the recipient's, the rest is free. Only the ordinary
    /// class.
    function closeStream(StreamId stream) external;

    /// @notice Pay the recipient of a stream what has vested. Anyone may call.
    function collect(StreamId stream) external returns (uint256 amount);

    /* VIEWS */

    /// @notice Shortest stream, seconds.
    function MIN_DURATION() external view returns (uint64);

    /// @notice How far ahead a stream may begin, seconds.
    function MAX_LEAD() external view returns (uint64);

    /// @notice Streams opened so far.
    function streamCount() external view returns (uint64);

    /// @notice Promised and not paid, of a token.
    function reserved(address token) external view returns (uint256);

    /// @notice There and not promised, of a token.
    function unreserved(address token) external view returns (uint256);

    /// @notice A stream.
    function streamOf(StreamId stream) external view returns (Stream memory);

    /// @notice What `collect` would pay.
    function collectable(StreamId stream) external view returns (uint256);
}
