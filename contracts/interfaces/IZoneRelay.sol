// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LimitId} from "./GovernanceTypes.sol";
import {IEmergencyCouncil} from "./IEmergencyCouncil.sol";
import {MarketId} from "./Types.sol";

/// @title IZoneRelay
/// @notice Tells the zone what governance decided, as messages of the inbox. It is a seam: ProtocolLimits
/// and EmergencyCouncil call an immutable relay if they were given one.
///
/// Assumptions for safety: none for users' money. A relay that lies or is silent leaves the zone with
/// other limits than L1 says; L1 shows both.
///
/// Assumptions for liveness: it does not revert. One that does keeps limits and measures from changing.
interface IZoneRelay {
    /// @notice A limit changed. Only ProtocolLimits calls it.
    function limitChanged(LimitId id, uint64 before, uint64 value) external;

    /// @notice A measure on a market was declared or ended. Only EmergencyCouncil calls it.
    /// @param measure NONE when it ended early.
    function marketMeasure(
        MarketId market,
        IEmergencyCouncil.Measure measure,
        uint64 value,
        uint64 startsAt,
        uint64 endsAt
    ) external;
}
