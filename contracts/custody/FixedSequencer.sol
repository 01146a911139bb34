// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ISequencers} from "../interfaces/ISequencers.sol";

/// @title FixedSequencer
/// @notice One sequencer for ever, in epoch 1. If its key is lost or stops, the zone stops taking
/// inputs: nobody can commit in its place. Rotation is another `ISequencers`.
contract FixedSequencer is ISequencers {
    /// @notice The zone's sequencer.
    address public immutable sequencer;

    /// @notice The sequencer is the zero address.
    error ZeroAddress();

    /// @param sequencer_ key that commits batches.
    constructor(address sequencer_) {
        if (sequencer_ == address(0)) revert ZeroAddress();
        sequencer = sequencer_;
    }

    /// @inheritdoc ISequencers
    function currentEpoch() external pure returns (uint64) {
        return 1;
    }

    /// @inheritdoc ISequencers
    function sequencerOf(uint64 epoch) external view returns (address) {
        return epoch == 1 ? sequencer : address(0);
    }
}
