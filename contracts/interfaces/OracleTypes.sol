// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// Ids of price providers and feeds, given out on L1 from 1 in order; 0 means "none".

/// @dev Id of a price provider.
type ProviderId is uint32;

/// @dev Slot of the feed table.
type FeedId is uint32;
