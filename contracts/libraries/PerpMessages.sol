// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IMarketRegistry} from "../interfaces/IMarketRegistry.sol";
import {IPerpRegistry} from "../interfaces/IPerpRegistry.sol";
import {AssetId, CalendarId, MarketId, VenueId} from "../interfaces/Types.sol";

/// @title PerpMessages
/// @notice Bodies of the inbox messages about perpetuals and what stands behind them, byte for byte those of
/// `tradezone/protocol/messages.py`: packed, big-endian, every field at a fixed place.
library PerpMessages {
    // Bodies with many fields are put together of parts: one call has no room on the stack for all.

    function listPerp(
        MarketId market,
        IMarketRegistry.Market memory entry,
        IMarketRegistry.Terms memory first,
        IPerpRegistry.PerpTerms calldata terms
    ) internal pure returns (bytes memory) {
        return bytes.concat(
            abi.encodePacked(
                MarketId.unwrap(market),
                entry.id,
                VenueId.unwrap(entry.venue),
                AssetId.unwrap(entry.quote),
                terms.feed,
                terms.feedScale,
                entry.tickValue
            ),
            abi.encodePacked(
                first.minNotional, first.maxNotional, first.maxLots, entry.maxPrice, first.takerFee
            ),
            abi.encodePacked(
                first.makerFee,
                first.protocolShare,
                first.insuranceShare,
                first.takerDelay,
                uint16(CalendarId.unwrap(first.calendar)),
                first.band
            ),
            abi.encodePacked(first.openInterestCap, first.accountCap, first.closes, entry.startsAt),
            _parameters(terms.parameters)
        );
    }

    function setPerp(MarketId market, IPerpRegistry.Parameters memory parameters)
        internal
        pure
        returns (bytes memory)
    {
        return bytes.concat(abi.encodePacked(MarketId.unwrap(market)), _parameters(parameters));
    }

    function approveCross(MarketId market, uint32 weight) internal pure returns (bytes memory) {
        return abi.encodePacked(MarketId.unwrap(market), weight);
    }

    /// @notice Body of SLASH (`atoms` of slashed stake) and of SET_RISK (`atoms` of open interest).
    function ledger(VenueId venue, AssetId asset, uint64 atoms)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(VenueId.unwrap(venue), AssetId.unwrap(asset), atoms);
    }

    function _parameters(IPerpRegistry.Parameters memory given)
        private
        pure
        returns (bytes memory body)
    {
        body = abi.encodePacked(
            given.fundingCap,
            given.interest,
            given.impactNotional,
            given.bandListing,
            given.bandBasis,
            given.oiLower,
            given.oiUpper,
            given.lossCap
        );
        for (uint256 i = 0; i < given.tiers.length; ++i) {
            IPerpRegistry.Tier memory tier = given.tiers[i];
            body = bytes.concat(body, abi.encodePacked(tier.lower, tier.imr, tier.mmr));
        }
    }
}
