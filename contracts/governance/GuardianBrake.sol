// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IGuardianBrake} from "../interfaces/IGuardianBrake.sol";
import {Board} from "./Board.sol";

/// @title GuardianBrake
/// @notice Implements {IGuardianBrake}, which says what it does, what it assumes and how it fails.
contract GuardianBrake is IGuardianBrake, Board {
    /* CONSTANTS */

    /// @inheritdoc IGuardianBrake
    uint64 public constant MAX_CLOSE_SECONDS = 72 hours;

    /* IMMUTABLES */

    /// @inheritdoc IGuardianBrake
    uint64 public immutable closeSeconds;

    /* STORAGE */

    /// @inheritdoc IGuardianBrake
    uint64 public closedUntil;
    /// @inheritdoc IGuardianBrake
    bool public isArmed = true;

    /* CONSTRUCTOR */

    /// @param authority_ access manager.
    /// @param guardians the members.
    /// @param threshold_ how many of them close the door.
    /// @param closeSeconds_ for how long, seconds.
    constructor(
        address authority_,
        address[] memory guardians,
        uint8 threshold_,
        uint64 closeSeconds_
    ) Board(authority_, guardians, threshold_) {
        if (closeSeconds_ == 0 || closeSeconds_ > MAX_CLOSE_SECONDS) {
            revert BadCloseSeconds(closeSeconds_, MAX_CLOSE_SECONDS);
        }
        closeSeconds = closeSeconds_;
    }

    /* WRITES */

    /// @inheritdoc IGuardianBrake
    function pull(bytes32 reason) external {
        if (!isArmed) revert NotArmed();
        if (!_support(keccak256(abi.encode(this.pull.selector, reason)), threshold)) return;
        isArmed = false;
        closedUntil = uint64(block.timestamp) + closeSeconds;
        emit Pulled(closedUntil, reason);
    }

    /// @inheritdoc IGuardianBrake
    function release(bytes32 reason) external {
        if (!isClosed()) revert DoorOpen();
        if (!_support(keccak256(abi.encode(this.release.selector, reason)), threshold)) return;
        emit Opened(closedUntil, reason);
        closedUntil = uint64(block.timestamp);
    }

    /// @inheritdoc IGuardianBrake
    function arm() external restricted {
        if (isClosed()) revert DoorClosed(closedUntil);
        if (isArmed) revert AlreadyArmed();
        isArmed = true;
        emit Armed();
    }

    /* VIEWS */

    /// @inheritdoc IGuardianBrake
    function isClosed() public view returns (bool) {
        return block.timestamp < closedUntil;
    }

    /* INTERNAL */

    /// @dev A third: what they can do is small and passes by itself, and must be done at once.
    function _leastThreshold(uint256 members) internal pure override returns (uint256) {
        return members / 3 + 1;
    }
}
