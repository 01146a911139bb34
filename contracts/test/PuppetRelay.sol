// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LimitId} from "../interfaces/GovernanceTypes.sol";
import {IEmergencyCouncil} from "../interfaces/IEmergencyCouncil.sol";
import {IZoneRelay} from "../interfaces/IZoneRelay.sol";
import {MarketId} from "../interfaces/Types.sol";

/// @title PuppetRelay
/// @notice Remembers what it was told last, for tests.
contract PuppetRelay is IZoneRelay {
    struct LimitChange {
        LimitId id;
        uint64 before;
        uint64 value;
    }

    struct MarketMeasure {
        MarketId market;
        IEmergencyCouncil.Measure measure;
        uint64 value;
        uint64 startsAt;
        uint64 endsAt;
    }

    LimitChange public lastLimit;
    MarketMeasure public lastMeasure;

    /// @inheritdoc IZoneRelay
    function limitChanged(LimitId id, uint64 before, uint64 value) external {
        lastLimit = LimitChange(id, before, value);
    }

    /// @inheritdoc IZoneRelay
    function marketMeasure(
        MarketId market,
        IEmergencyCouncil.Measure measure,
        uint64 value,
        uint64 startsAt,
        uint64 endsAt
    ) external {
        lastMeasure = MarketMeasure(market, measure, value, startsAt, endsAt);
    }
}
