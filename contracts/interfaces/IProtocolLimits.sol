// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LimitId} from "./GovernanceTypes.sol";

/// @title IProtocolLimits
/// @notice Every bound that a vote may move, each inside a range that nobody can move. The table with
/// units and reasons is in docs/spec/governance.md; the ranges are code (`LimitRanges`).
///
/// Assumptions for safety: none. Whoever may call `set` can reach any value inside the ranges, one
/// step in `COOLDOWN` at a time, and no other.
interface IProtocolLimits {
    /// @notice The range of a limit; both ends are inclusive.
    struct Range {
        uint64 min;
        uint64 first; // value at deployment
        uint64 max;
        uint32 step; // largest change at once, ppm of the value before, at least 1 unit
    }

    /* EVENTS */

    event LimitChanged(LimitId indexed id, uint64 before, uint64 value);

    /* ERRORS */

    error UnknownLimit(LimitId id);
    error OutOfRange(LimitId id, uint64 value, uint64 min, uint64 max);
    /// @notice The value is further from the one before than a step.
    error StepTooLarge(LimitId id, uint64 value, uint64 lowest, uint64 highest);
    /// @notice The limit changed a short while ago.
    error Cooling(LimitId id, uint64 until);
    error Unchanged(LimitId id, uint64 value);

    /* WRITES */

    /// @notice Set a limit. Only the parameter class.
    function set(LimitId id, uint64 value) external;

    /* VIEWS */

    /// @notice Time between two changes of one limit, seconds.
    function COOLDOWN() external view returns (uint64);

    /// @notice Number of limits; ids are 1 to this.
    function count() external view returns (uint8);

    /// @notice Who tells the zone; zero = nobody.
    function relay() external view returns (address);

    /// @notice A limit's value. Reverts with `UnknownLimit` if there is none.
    function valueOf(LimitId id) external view returns (uint64);

    /// @notice A limit's value at a time, seconds; before deployment, the first one.
    function valueAt(LimitId id, uint256 timepoint) external view returns (uint64);

    /// @notice All values, by id from 1.
    function values() external view returns (uint64[] memory);

    /// @notice When a limit last changed, seconds; 0 = never.
    function changedAt(LimitId id) external view returns (uint64);

    /// @notice A limit's range.
    function rangeOf(LimitId id) external view returns (Range memory);

    /// @notice What `set` would take now: both ends inclusive, whether or not it is cooling.
    function reachOf(LimitId id) external view returns (uint64 lowest, uint64 highest);
}
