// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ClaimId} from "./Types.sol";

/// @title IJudge
/// @notice Decides between rival claims. The state chain knows nothing of how: it asks for a ruling
/// and, if none came in time, freezes.
///
/// Assumptions for safety:
/// - A ruling names the one child of `parent` whose state follows from it, and never changes.
/// - The judge does not rule on a parent whose children are not rivals.
///
/// Assumptions for liveness:
/// - It rules within the state chain's `judgeSeconds` and `judgeBlocks`.
interface IJudge {
    /// @notice The child of `parent` that stands; zero while there is no ruling.
    function rulingOf(ClaimId parent) external view returns (ClaimId winner);
}
