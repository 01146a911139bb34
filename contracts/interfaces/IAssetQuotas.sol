// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AssetId} from "./Types.sol";

/// @title IAssetQuotas
/// @notice Which assets buy actions in the zone, and how many (docs/spec/quota.md): a governed table of two
/// numbers an asset, told to the zone when they are set.
///
/// Assumptions for safety: none for anybody's money. A wrong number lets somebody send too many
/// actions or too few; orders can be cancelled without any.
interface IAssetQuotas {
    /// @notice What an asset buys.
    struct Quota {
        uint64 rate; // millionths of an action for each atom of protocol fee; 0 = none
        uint64 deposit; // least first deposit, atoms, that begins an owner's quota; 0 = none does
    }

    event QuotaSet(AssetId indexed asset, Quota before, Quota quota, uint64 inboxIndex);

    error NotGovernance(address caller, address governance);
    /// @notice A simulated asset buys nothing.
    error NotReal(AssetId asset);
    error RateTooHigh(uint64 rate, uint256 most);
    error DepositTooHigh(uint64 deposit, uint256 most);
    error Unchanged(AssetId asset);

    /// @notice Set what an asset buys. Only governance.
    function setQuota(AssetId asset, Quota calldata quota) external;

    /// @notice What an asset buys.
    function quotaOf(AssetId asset) external view returns (Quota memory);

    /// @notice Who may set quotas.
    function governance() external view returns (address);
}
