// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IMarketRegistry} from "./IMarketRegistry.sol";
import {IPerpRegistry} from "./IPerpRegistry.sol";

/// @title IPerpRules
/// @notice The bounds of perpetuals: those of docs/spec/perps.md and docs/spec/margin.md, narrowed by the
/// governed ones. A deployer chooses inside them. It keeps nothing: the registry of perpetuals asks it.
interface IPerpRules {
    /// @notice A tier is out of its bounds: "lower", "imr", "mmr", or "order" if it is not above the one before.
    error BadTier(uint256 tier, string part);

    /// @notice Governed bounds (`IProtocolLimits`); zero = the hard ones alone.
    function limits() external view returns (address);

    /// @notice Perpetuals that may be open in the zone: three quarters of what the zone takes. The rest is for
    /// those that are closed on L1 and that the zone still settles.
    function MOST_PERPS() external view returns (uint256);

    /// @notice The same, of those of one venue that settle in one asset.
    function MOST_LEDGER_PERPS() external view returns (uint256);

    /// @notice Revert unless a perpetual may be listed so.
    /// @param first the terms that it begins with.
    function requireListing(
        IPerpRegistry.PerpTerms calldata terms,
        IMarketRegistry.Market calldata entry,
        IMarketRegistry.Terms calldata first
    ) external view;

    /// @notice Revert unless terms are what a perpetual may have, besides sizes and fees, which have the
    /// bounds of every market.
    /// @param widest band of its parameters, in force or announced, ppm.
    function requireTerms(
        IMarketRegistry.Market calldata entry,
        IMarketRegistry.Terms calldata terms,
        uint256 widest
    ) external view;

    /// @notice Revert unless parameters are in their bounds.
    /// @param band outer band of the market, ppm.
    function requireParameters(IPerpRegistry.Parameters calldata parameters, uint256 band)
        external
        view;

    /// @notice Whether maintenance rises anywhere, and the first notional at which it rises by more than a
    /// quarter; that is 0 if there is none.
    function riseOf(IPerpRegistry.Tier[4] calldata before, IPerpRegistry.Tier[4] calldata next)
        external
        pure
        returns (bool rises, uint64 tooMuchAt);
}
