// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IJudge} from "../interfaces/IJudge.sol";
import {ClaimId} from "../interfaces/Types.sol";

/// @title PuppetJudge
/// @notice Rules whatever a test tells it to.
contract PuppetJudge is IJudge {
    /// @inheritdoc IJudge
    mapping(ClaimId parent => ClaimId winner) public rulingOf;

    /// @notice Rule for `winner` under `parent`.
    function rule(ClaimId parent, ClaimId winner) external {
        rulingOf[parent] = winner;
    }
}
