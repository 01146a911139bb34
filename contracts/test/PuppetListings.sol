// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IEventResolver} from "../interfaces/IEventResolver.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {IListings} from "../interfaces/IListings.sol";
import {EventId} from "../interfaces/Types.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";

/// @title PuppetListings
/// @notice Lists whatever a test lists and tells an inbox of results: stands for listings.
contract PuppetListings {
    /// @notice Hears of results.
    IInbox public immutable inbox;
    /// @notice Hands them in.
    IEventResolver public immutable resolver;

    /// @notice Event ids given out so far.
    uint32 public eventCount;

    /// @param inbox_ admits this contract for resolutions.
    /// @param resolver_ who resolves.
    constructor(IInbox inbox_, IEventResolver resolver_) {
        inbox = inbox_;
        resolver = resolver_;
    }

    /// @notice List an event, as far as a resolver knows of it.
    function list(IListings.Event calldata terms, bytes calldata data)
        external
        payable
        returns (EventId id)
    {
        id = EventId.wrap(++eventCount);
        resolver.takeEvent{value: msg.value}(id, terms, data);
    }

    /// @notice Take a result, as listings do.
    function resolveEvent(EventId id, uint8 state, bytes32 payouts) external {
        if (msg.sender != address(resolver)) {
            revert IListings.NotResolver(msg.sender, address(resolver));
        }
        inbox.enqueue(InboxMessages.RESOLUTION, InboxMessages.resolution(id, state, payouts));
    }
}
