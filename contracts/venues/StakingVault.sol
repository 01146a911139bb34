// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {VenueId} from "../interfaces/Types.sol";
import {DualClock, Span, Stamp} from "../libraries/DualClock.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title StakingVault
/// @notice Implements {IStakingVault}, which says what it does, what it assumes and how it fails.
contract StakingVault is IStakingVault {
    using DualClock for Span;
    using SafeCast for uint256;

    /* IMMUTABLES */

    /// @inheritdoc IStakingVault
    address public immutable venueRegistry;
    Span private immutable _unbonding;

    /* STORAGE */

    struct Account {
        uint128 free;
        uint128 locked;
        uint128 unbonding;
        uint64 requests; // made so far
    }

    /// @inheritdoc IStakingVault
    uint256 public totalStaked;
    /// @inheritdoc IStakingVault
    mapping(VenueId venue => uint256 amount) public stakeOf;

    mapping(address account => Account entry) private _accounts;
    mapping(address account => mapping(uint64 requestId => UnbondRequest request)) private
        _requests;

    /* CONSTRUCTOR */

    /// @param venueRegistry_ contract that may lock stake.
    /// @param unbondingSeconds_ time that stake stays after a request, seconds.
    /// @param unbondingBlocks_ blocks that stake stays after a request.
    constructor(address venueRegistry_, uint64 unbondingSeconds_, uint64 unbondingBlocks_) {
        if (venueRegistry_ == address(0)) revert ZeroAddress();
        venueRegistry = venueRegistry_;
        _unbonding = DualClock.toSpan(unbondingSeconds_, unbondingBlocks_);
    }

    /* WRITES */

    /// @inheritdoc IStakingVault
    function stake() external payable {
        _stake(msg.sender);
    }

    /// @inheritdoc IStakingVault
    function stakeFor(address account) external payable {
        _stake(account);
    }

    /// @inheritdoc IStakingVault
    function lock(address account, VenueId venue, uint256 amount) external {
        if (msg.sender != venueRegistry) revert NotVenueRegistry(msg.sender, venueRegistry);
        uint128 amount128 = amount.toUint128();
        (uint256 before, uint256 free) = _takeFree(account, amount128);
        _accounts[account].locked += amount128;
        stakeOf[venue] += amount;
        emit Locked(account, venue, amount, before, free);
    }

    /// @inheritdoc IStakingVault
    function requestUnbond(uint256 amount) external returns (uint64 requestId) {
        uint128 amount128 = amount.toUint128();
        (uint256 before, uint256 free) = _takeFree(msg.sender, amount128);
        Account storage account = _accounts[msg.sender];
        account.unbonding += amount128;
        requestId = ++account.requests;
        _requests[msg.sender][requestId] =
            UnbondRequest(amount128, uint64(block.timestamp), uint64(block.number));
        emit UnbondRequested(msg.sender, requestId, amount, before, free);
    }

    /// @inheritdoc IStakingVault
    function cancelUnbond(uint64 requestId) external {
        uint128 amount = _takeRequest(requestId).amount;
        Account storage account = _accounts[msg.sender];
        uint256 before = account.free;
        account.free += amount;
        emit UnbondCancelled(msg.sender, requestId, amount, before, account.free);
    }

    /// @inheritdoc IStakingVault
    function withdraw(uint64 requestId) external {
        UnbondRequest memory request = _takeRequest(requestId);
        Stamp asked = DualClock.toStamp(request.time, request.blockNumber);
        if (!_unbonding.hasPassed(asked)) {
            (uint64 untilTime, uint64 untilBlock) = _unbonding.end(asked);
            revert UnbondingRunning(untilTime, untilBlock);
        }
        totalStaked -= request.amount;
        emit Withdrawn(msg.sender, requestId, request.amount);
        if (!LowLevelCall.callNoReturn(msg.sender, request.amount, "")) {
            revert TransferFailed(msg.sender, request.amount);
        }
    }

    /* VIEWS */

    /// @inheritdoc IStakingVault
    function unbondingSeconds() external view returns (uint64) {
        return _unbonding.secondsIn();
    }

    /// @inheritdoc IStakingVault
    function unbondingBlocks() external view returns (uint64) {
        return _unbonding.blocksIn();
    }

    /// @inheritdoc IStakingVault
    function freeOf(address account) external view returns (uint256) {
        return _accounts[account].free;
    }

    /// @inheritdoc IStakingVault
    function lockedOf(address account) external view returns (uint256) {
        return _accounts[account].locked;
    }

    /// @inheritdoc IStakingVault
    function unbondingOf(address account) external view returns (uint256) {
        return _accounts[account].unbonding;
    }

    /// @inheritdoc IStakingVault
    function requestOf(address account, uint64 requestId)
        external
        view
        returns (UnbondRequest memory)
    {
        return _requests[account][requestId];
    }

    /* INTERNAL */

    function _stake(address account) private {
        if (account == address(0)) revert ZeroAddress();
        if (msg.value == 0) revert ZeroAmount();
        Account storage entry = _accounts[account];
        uint256 before = entry.free;
        entry.free += msg.value.toUint128();
        totalStaked += msg.value;
        emit Staked(account, msg.sender, msg.value, before, entry.free);
    }

    /// @dev Take `amount` out of the free bucket; the caller puts it into another one.
    function _takeFree(address account, uint128 amount)
        private
        returns (uint256 before, uint256 free)
    {
        if (amount == 0) revert ZeroAmount();
        Account storage entry = _accounts[account];
        before = entry.free;
        if (amount > before) revert InsufficientFree(account, amount, before);
        free = before - amount;
        entry.free -= amount;
    }

    /// @dev Take a request of the caller out of the unbonding bucket and end it.
    function _takeRequest(uint64 requestId) private returns (UnbondRequest memory request) {
        request = _requests[msg.sender][requestId];
        if (request.amount == 0) revert UnknownRequest(msg.sender, requestId);
        delete _requests[msg.sender][requestId];
        _accounts[msg.sender].unbonding -= request.amount;
    }
}
