// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LimitId} from "../interfaces/GovernanceTypes.sol";
import {IProtocolLimits} from "../interfaces/IProtocolLimits.sol";
import {IZoneRelay} from "../interfaces/IZoneRelay.sol";
import {LimitRanges} from "../libraries/LimitRanges.sol";
import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

/// @title ProtocolLimits
/// @notice Implements {IProtocolLimits}, which says what it does, what it assumes and how it fails.
contract ProtocolLimits is IProtocolLimits, AccessManaged {
    using Checkpoints for Checkpoints.Trace208;
    using SafeCast for uint256;

    /* CONSTANTS */

    /// @inheritdoc IProtocolLimits
    uint64 public constant COOLDOWN = 3 days;
    uint256 private constant _PPM = 1_000_000;

    /* IMMUTABLES */

    /// @inheritdoc IProtocolLimits
    address public immutable relay;

    /* STORAGE */

    /// @dev Values by the time they were set; none before the first change.
    mapping(LimitId id => Checkpoints.Trace208 values) private _history;

    /* CONSTRUCTOR */

    /// @param authority_ access manager.
    /// @param relay_ who tells the zone; zero = nobody.
    constructor(address authority_, IZoneRelay relay_) AccessManaged(authority_) {
        relay = address(relay_);
    }

    /* WRITES */

    /// @inheritdoc IProtocolLimits
    function set(LimitId id, uint64 value) external restricted {
        uint64 before = valueOf(id);
        if (value == before) revert Unchanged(id, value);
        Range memory range = LimitRanges.rangeOf(id);
        if (value < range.min || value > range.max) {
            revert OutOfRange(id, value, range.min, range.max);
        }
        (uint64 lowest, uint64 highest) = _reach(range, before);
        if (value < lowest || value > highest) revert StepTooLarge(id, value, lowest, highest);
        uint64 last = changedAt(id);
        if (last != 0 && block.timestamp < last + COOLDOWN) revert Cooling(id, last + COOLDOWN);

        _history[id].push(uint48(block.timestamp), value);
        emit LimitChanged(id, before, value);
        if (relay != address(0)) IZoneRelay(relay).limitChanged(id, before, value);
    }

    /* VIEWS */

    /// @inheritdoc IProtocolLimits
    function count() external pure returns (uint8) {
        return LimitRanges.COUNT;
    }

    /// @inheritdoc IProtocolLimits
    function valueOf(LimitId id) public view returns (uint64) {
        (bool exists,, uint208 value) = _history[id].latestCheckpoint();
        return exists ? uint64(value) : _range(id).first;
    }

    /// @inheritdoc IProtocolLimits
    function valueAt(LimitId id, uint256 timepoint) external view returns (uint64) {
        Checkpoints.Trace208 storage history = _history[id];
        if (history.length() == 0 || timepoint < history.at(0)._key) return _range(id).first;
        return uint64(history.upperLookupRecent(timepoint.toUint48()));
    }

    /// @inheritdoc IProtocolLimits
    function values() external view returns (uint64[] memory all) {
        all = new uint64[](LimitRanges.COUNT);
        for (uint8 i = 0; i < LimitRanges.COUNT; ++i) {
            all[i] = valueOf(LimitId.wrap(i + 1));
        }
    }

    /// @inheritdoc IProtocolLimits
    function changedAt(LimitId id) public view returns (uint64) {
        (, uint48 time,) = _history[id].latestCheckpoint();
        return time;
    }

    /// @inheritdoc IProtocolLimits
    function rangeOf(LimitId id) external pure returns (Range memory) {
        return _range(id);
    }

    /// @inheritdoc IProtocolLimits
    function reachOf(LimitId id) external view returns (uint64 lowest, uint64 highest) {
        return _reach(_range(id), valueOf(id));
    }

    /* INTERNAL */

    function _range(LimitId id) private pure returns (Range memory range) {
        range = LimitRanges.rangeOf(id);
        if (range.max == 0) revert UnknownLimit(id);
    }

    /// @dev The part of the range within one step of `value`.
    function _reach(Range memory range, uint64 value)
        private
        pure
        returns (uint64 lowest, uint64 highest)
    {
        uint256 step = Math.max((uint256(value) * range.step) / _PPM, 1);
        // Both casts keep their value: the results lie inside the range.
        lowest = uint64(Math.max(value > step ? value - step : 0, range.min));
        highest = uint64(Math.min(value + step, range.max));
    }
}
