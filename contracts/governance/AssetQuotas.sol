// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAssetQuotas} from "../interfaces/IAssetQuotas.sol";
import {IAssetRegistry} from "../interfaces/IAssetRegistry.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {AssetId} from "../interfaces/Types.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";
import {ProtocolBounds} from "../libraries/ProtocolBounds.sol";

/// @title AssetQuotas
/// @notice Implements {IAssetQuotas}, which says what it does, what it assumes and how it fails.
contract AssetQuotas is IAssetQuotas {
    /// @notice Queue that tells the zone.
    IInbox public immutable inbox;
    /// @notice Terms of the assets.
    IAssetRegistry public immutable assets;
    /// @inheritdoc IAssetQuotas
    address public immutable governance;

    mapping(AssetId asset => Quota quota) private _quotas;

    /// @param inbox_ queue of the zone.
    /// @param assets_ asset registry of the zone.
    /// @param governance_ who may set quotas.
    constructor(IInbox inbox_, IAssetRegistry assets_, address governance_) {
        inbox = inbox_;
        assets = assets_;
        governance = governance_;
    }

    /// @inheritdoc IAssetQuotas
    function setQuota(AssetId asset, Quota calldata quota) external {
        if (msg.sender != governance) revert NotGovernance(msg.sender, governance);
        if (assets.assetOf(asset).kind == InboxMessages.ASSET_SIMULATED) revert NotReal(asset);
        if (quota.rate > ProtocolBounds.MAX_QUOTA_RATE) {
            revert RateTooHigh(quota.rate, ProtocolBounds.MAX_QUOTA_RATE);
        }
        if (quota.deposit > ProtocolBounds.MAX_TOTAL_ATOMS) {
            revert DepositTooHigh(quota.deposit, ProtocolBounds.MAX_TOTAL_ATOMS);
        }
        Quota memory before = _quotas[asset];
        if (before.rate == quota.rate && before.deposit == quota.deposit) revert Unchanged(asset);
        _quotas[asset] = quota;
        uint64 index = inbox.enqueue(
            InboxMessages.SET_ASSET, InboxMessages.setAsset(asset, quota.rate, quota.deposit, 0, 0)
        );
        emit QuotaSet(asset, before, quota, index);
    }

    /// @inheritdoc IAssetQuotas
    function quotaOf(AssetId asset) external view returns (Quota memory) {
        return _quotas[asset];
    }
}
