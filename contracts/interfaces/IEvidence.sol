// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {VenueId} from "./Types.sol";

/// @title IEvidence
/// @notice Decides from what an account signed, and from nothing that needs judgement, whether it broke
/// a rule. A court that lists it slashes on its word, for ever.
///
/// Assumptions that a court makes of it:
/// - It convicts only who signed, and honest signing never makes evidence.
/// - One act has one nullifier, however the evidence is encoded.
interface IEvidence {
    /// @notice What evidence proves.
    // Read by name, never stored.
    // solhint-disable-next-line gas-struct-packing
    struct Finding {
        address accused;
        VenueId venue; // whose stake answers first; 0 = none
        bytes32 nullifier; // of the act
        uint16 bps; // of the accused's stake, 1 .. 10,000
    }

    /// @notice What `evidence` proves. Reverts if it proves nothing.
    function check(bytes calldata evidence) external view returns (Finding memory);
}
