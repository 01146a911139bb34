// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBoard} from "./IBoard.sol";

/// @title IGuardianBrake
/// @notice Closes the door to new money and new listings for a short while, once. The custody vault asks
/// it before a deposit, the venue registry before a new venue or listing, and nothing else does:
/// withdrawals, claims, disputes and exits do not know it.
///
/// Assumptions for safety: none. Hostile guardians close the door once, for `closeSeconds`.
interface IGuardianBrake is IBoard {
    /* EVENTS */

    event Pulled(uint64 closedUntil, bytes32 reason);
    event Opened(uint64 closedUntilBefore, bytes32 reason);
    event Armed();

    /* ERRORS */

    /// @notice `closeSeconds` is 0 or above `MAX_CLOSE_SECONDS`.
    error BadCloseSeconds(uint64 given, uint64 most);
    /// @notice The brake was used and no vote has armed it again.
    error NotArmed();
    error AlreadyArmed();
    error DoorOpen();
    error DoorClosed(uint64 until);

    /* WRITES */

    /// @notice Support closing the door. One use.
    /// @param reason hash of the published reason; supporters must give the same.
    function pull(bytes32 reason) external;

    /// @notice Support opening the door before time.
    function release(bytes32 reason) external;

    /// @notice Allow one more use. Only the ordinary class, while the door is open.
    function arm() external;

    /* VIEWS */

    /// @notice Longest that any brake closes, seconds.
    function MAX_CLOSE_SECONDS() external view returns (uint64);

    /// @notice How long this one closes, seconds.
    function closeSeconds() external view returns (uint64);

    /// @notice Whether the brake can be pulled.
    function isArmed() external view returns (bool);

    /// @notice When the door opens by itself, seconds; in the past if it is open.
    function closedUntil() external view returns (uint64);

    /// @notice Whether deposits, new venues and listings are refused now.
    function isClosed() external view returns (bool);
}
