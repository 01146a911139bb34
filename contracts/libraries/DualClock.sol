// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// A moment of L1: time in the high 64 bits, block in the low 64 bits.
type Stamp is uint128;

/// A period of L1: seconds in the high 64 bits, blocks in the low 64 bits.
type Span is uint128;

/// @title DualClock
/// @notice Every deadline of the root of trust counts time *and* blocks: it has passed when both have.
/// Time alone would let a period run out while L1 stands still and nobody can act; blocks alone would
/// shorten it when L1 gets faster.
library DualClock {
    function current() internal view returns (Stamp) {
        return toStamp(uint64(block.timestamp), uint64(block.number));
    }

    function toStamp(uint64 time, uint64 blockNumber) internal pure returns (Stamp) {
        return Stamp.wrap((uint128(time) << 64) | blockNumber);
    }

    function timeOf(Stamp stamp) internal pure returns (uint64) {
        return uint64(Stamp.unwrap(stamp) >> 64);
    }

    function blockOf(Stamp stamp) internal pure returns (uint64) {
        return uint64(Stamp.unwrap(stamp));
    }

    /// @notice The later of two moments. Both clocks only move forward, so time decides.
    function later(Stamp a, Stamp b) internal pure returns (Stamp) {
        return timeOf(a) > timeOf(b) || blockOf(a) > blockOf(b) ? a : b;
    }

    function toSpan(uint64 time, uint64 blocks) internal pure returns (Span) {
        return Span.wrap((uint128(time) << 64) | blocks);
    }

    function secondsIn(Span span) internal pure returns (uint64) {
        return uint64(Span.unwrap(span) >> 64);
    }

    function blocksIn(Span span) internal pure returns (uint64) {
        return uint64(Span.unwrap(span));
    }

    /// @notice Whether `span` has passed since `start`, on both clocks.
    function hasPassed(Span span, Stamp start) internal view returns (bool) {
        (uint64 untilTime, uint64 untilBlock) = end(span, start);
        return block.timestamp >= untilTime && block.number >= untilBlock;
    }

    /// @notice Time and block that must both be reached for `span` to have passed since `start`.
    function end(Span span, Stamp start)
        internal
        pure
        returns (uint64 untilTime, uint64 untilBlock)
    {
        untilTime = timeOf(start) + secondsIn(span);
        untilBlock = blockOf(start) + blocksIn(span);
    }
}
