// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IEventResolver} from "../interfaces/IEventResolver.sol";
import {IListings} from "../interfaces/IListings.sol";
import {IOutcomeResolver} from "../interfaces/IOutcomeResolver.sol";
import {EventId} from "../interfaces/Types.sol";

/// @title PuppetResolver
/// @notice Takes events and resolves them as a test says.
contract PuppetResolver is IEventResolver {
    /// @notice Whether events are refused.
    bool public isRefusing;

    struct Result {
        IOutcomeResolver.Phase phase;
        uint256 vector;
    }

    /// @notice Result of an event, as `IOutcomeResolver.resultOf`.
    mapping(EventId id => Result result) public resultOf;

    event Taken(EventId indexed id, IListings.Event terms, bytes data, uint256 value);

    error Refused(EventId id);

    function setRefusing(bool isRefusing_) external {
        isRefusing = isRefusing_;
    }

    /// @inheritdoc IEventResolver
    function takeEvent(EventId id, IListings.Event calldata terms, bytes calldata data)
        external
        payable
    {
        if (isRefusing) revert Refused(id);
        emit Taken(id, terms, data, msg.value);
    }

    /// @notice Say how an event ended, without telling the zone.
    function setResult(EventId id, IOutcomeResolver.Phase phase, uint256 vector) external {
        resultOf[id] = Result(phase, vector);
    }

    /// @notice Say how an event ended.
    function resolve(IListings listings, EventId id, uint8 state, bytes32 payouts) external {
        listings.resolveEvent(id, state, payouts);
    }
}
