// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IListings} from "./IListings.sol";
import {EventId} from "./Types.sol";

/// @title IEventResolver
/// @notice Who finds out how events end. Listings ask it before it lists an event, so that no
/// event is traded that nobody will resolve; it answers with `IListings.resolveEvent`.
///
/// Assumptions for safety: it tells the truth. What it says is what an event pays.
///
/// Assumptions for liveness: it resolves every event that it took, within a bounded time.
interface IEventResolver {
    /// @notice Take an event that is being listed, or revert. Only listings.
    /// @param id the event.
    /// @param terms as listed.
    /// @param data what the resolver wants to know beyond the terms, as it says.
    function takeEvent(EventId id, IListings.Event calldata terms, bytes calldata data)
        external
        payable;
}
