// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title ISequencers
/// @notice Says whose turn it is to order inputs. The state chain asks at every commit and nowhere
/// else: a sequencer orders and can claim like anyone, it decides nothing about states or money.
///
/// Assumptions for safety:
/// - `currentEpoch` never decreases and a past epoch's key never changes.
///
/// Assumptions for liveness:
/// - The current key commits, or the implementation moves on to the next epoch.
interface ISequencers {
    /// @notice Epoch whose key may commit now; from 1.
    function currentEpoch() external view returns (uint64);

    /// @notice Key that may commit in `epoch`; zero if the epoch has none.
    function sequencerOf(uint64 epoch) external view returns (address);
}
