// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {VenueId} from "./Types.sol";

/// @title IStakingVault
/// @notice Holds staked native coin (OKB on X Layer). Every wei of it is in exactly one bucket of one
/// account:
///
/// - **free**: the account may lock it behind a venue or ask to have it back;
/// - **locked**: it stands behind a venue;
/// - **unbonding**: asked back, waiting; it may be called back to free meanwhile.
///
/// The sum of all buckets equals `totalStaked` at all times; coin that arrives otherwise changes
/// nothing.
///
/// Assumptions for safety:
/// - The venue registry locks only what the account's own call asked it to lock.
///
/// Assumptions for liveness: none.
interface IStakingVault {
    /// @notice A request to have stake back.
    struct UnbondRequest {
        uint128 amount; // wei; 0 = none, cancelled or paid
        uint64 time; // L1 seconds
        uint64 blockNumber; // L1 block
    }

    /* EVENTS */

    event Staked(
        address indexed account,
        address indexed from,
        uint256 amount,
        uint256 freeBefore,
        uint256 free
    );
    event Locked(
        address indexed account,
        VenueId indexed venue,
        uint256 amount,
        uint256 freeBefore,
        uint256 free
    );
    event UnbondRequested(
        address indexed account,
        uint64 indexed requestId,
        uint256 amount,
        uint256 freeBefore,
        uint256 free
    );
    event UnbondCancelled(
        address indexed account,
        uint64 indexed requestId,
        uint256 amount,
        uint256 freeBefore,
        uint256 free
    );
    event Withdrawn(address indexed account, uint64 indexed requestId, uint256 amount);

    /* ERRORS */

    error ZeroAddress();
    error ZeroAmount();
    /// @notice The account has less free stake than this takes.
    error InsufficientFree(address account, uint256 asked, uint256 free);
    error NotVenueRegistry(address caller, address venueRegistry);
    error UnknownRequest(address account, uint64 requestId);
    /// @notice The stake is bound until both of these are reached.
    error UnbondingRunning(uint64 untilTime, uint64 untilBlock);
    error TransferFailed(address to, uint256 amount);

    /* WRITES */

    /// @notice Stake the value sent for the caller.
    function stake() external payable;

    /// @notice Stake the value sent for `account`, which alone disposes of it.
    function stakeFor(address account) external payable;

    /// @notice Move free stake behind a venue. Only the venue registry calls it.
    /// @dev There is no way back yet: a venue cannot be wound down (see docs/spec/root_of_trust.md).
    function lock(address account, VenueId venue, uint256 amount) external;

    /// @notice Ask to have free stake back.
    /// @return requestId number of the request, from 1 for each account.
    function requestUnbond(uint256 amount) external returns (uint64 requestId);

    /// @notice Call a request back: its stake is free again at once.
    function cancelUnbond(uint64 requestId) external;

    /// @notice Take out the stake of a request of the caller whose unbonding is over.
    function withdraw(uint64 requestId) external;

    /* VIEWS */

    /// @notice Contract that may lock stake.
    function venueRegistry() external view returns (address);

    /// @notice Time that stake stays after a request, seconds.
    function unbondingSeconds() external view returns (uint64);

    /// @notice Blocks that stake stays after a request.
    function unbondingBlocks() external view returns (uint64);

    /// @notice Sum of all buckets of all accounts, wei.
    function totalStaked() external view returns (uint256);

    /// @notice Stake the account disposes of, wei.
    function freeOf(address account) external view returns (uint256);

    /// @notice Stake of the account behind venues, wei.
    function lockedOf(address account) external view returns (uint256);

    /// @notice Stake of the account that waits to be withdrawn, wei.
    function unbondingOf(address account) external view returns (uint256);

    /// @notice Stake behind a venue, wei.
    function stakeOf(VenueId venue) external view returns (uint256);

    /// @notice A request of an account.
    function requestOf(address account, uint64 requestId)
        external
        view
        returns (UnbondRequest memory);
}
