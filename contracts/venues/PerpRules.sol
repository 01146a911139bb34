// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IMarketRegistry} from "../interfaces/IMarketRegistry.sol";
import {IPerpRegistry} from "../interfaces/IPerpRegistry.sol";
import {IPerpRules} from "../interfaces/IPerpRules.sol";
import {IProtocolLimits} from "../interfaces/IProtocolLimits.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";
import {LimitRanges} from "../libraries/LimitRanges.sol";
import {ListingBounds} from "../libraries/ListingBounds.sol";
import {ProtocolBounds} from "../libraries/ProtocolBounds.sol";

/// @title PerpRules
/// @notice Implements {IPerpRules}, which says what it does and how it fails.
contract PerpRules is IPerpRules {
    /* CONSTANTS */

    /// @dev Ppb in a ppm.
    uint256 private constant _PPB = 1000;
    /// @dev The zone moves a funding rate by a quarter of its cap at once.
    uint256 private constant _CHANGES = 4;
    /// @inheritdoc IPerpRules
    uint256 public constant MOST_PERPS = ProtocolBounds.MAX_PERPS * 3 / 4;
    /// @inheritdoc IPerpRules
    uint256 public constant MOST_LEDGER_PERPS = ProtocolBounds.MAX_LEDGER_PERPS * 3 / 4;

    /* IMMUTABLES */

    /// @inheritdoc IPerpRules
    address public immutable limits;

    /// @dev What governance can narrow.
    struct Bounds {
        uint256 maxLeverage; // x
        uint256 maxFundingCap; // ppb an hour
        uint256 accountShare; // ppm
    }

    /* CONSTRUCTOR */

    /// @param limits_ governed bounds; zero = the hard ones alone.
    constructor(IProtocolLimits limits_) {
        limits = address(limits_);
    }

    /* VIEWS */

    /// @inheritdoc IPerpRules
    function requireListing(
        IPerpRegistry.PerpTerms calldata terms,
        IMarketRegistry.Market calldata entry,
        IMarketRegistry.Terms calldata first
    ) external view {
        ListingBounds.requireSizes(
            InboxMessages.MARKET_PERP, 1, terms.tickValue, terms.maxPrice, first
        );
        ListingBounds.within("feedScale", terms.feedScale, 1, ProtocolBounds.MAX_FEED_SCALE);
        ListingBounds.within(
            "tickValue", terms.tickValue, 1, ProtocolBounds.MAX_LOT_VALUE / terms.maxPrice
        );
        ListingBounds.requireFees(first, ListingBounds.inForce(IProtocolLimits(limits)));
        Bounds memory bounds = _inForce();
        _requireTerms(entry, first, bounds, 0);
        _requireParameters(terms.parameters, bounds, terms.band);
    }

    /// @inheritdoc IPerpRules
    function requireTerms(
        IMarketRegistry.Market calldata entry,
        IMarketRegistry.Terms calldata terms,
        uint256 widest
    ) external view {
        _requireTerms(entry, terms, _inForce(), widest);
    }

    /// @inheritdoc IPerpRules
    function requireParameters(IPerpRegistry.Parameters calldata parameters, uint256 band)
        external
        view
    {
        _requireParameters(parameters, _inForce(), band);
    }

    /// @inheritdoc IPerpRules
    function riseOf(IPerpRegistry.Tier[4] calldata before, IPerpRegistry.Tier[4] calldata next)
        external
        pure
        returns (bool rises, uint64 tooMuchAt)
    {
        // Both functions are linear between their tiers: it suffices to compare them at each tier's lower end
        // and at the largest position.
        for (uint256 i = 1; i <= 2 * before.length; ++i) {
            uint64 at = _breakAt(before, next, i);
            if (at == 0) continue;
            uint256 old = _maintenance(before, at);
            uint256 given = _maintenance(next, at);
            if (given <= old) continue;
            rises = true;
            uint256 most = old * (ProtocolBounds.PPM + ProtocolBounds.MARGIN_RISE);
            if (given * ProtocolBounds.PPM > most && tooMuchAt == 0) tooMuchAt = at;
        }
    }

    /* INTERNAL: BOUNDS */

    /// @dev The bounds in force: the hard ones, narrowed by the governed ones.
    function _inForce() private view returns (Bounds memory bounds) {
        bounds = Bounds({
            maxLeverage: LimitRanges.rangeOf(LimitRanges.MAX_LEVERAGE).max,
            maxFundingCap: ProtocolBounds.MAX_FUNDING_CAP,
            accountShare: ProtocolBounds.PPM
        });
        if (limits == address(0)) return bounds;
        IProtocolLimits governed = IProtocolLimits(limits);
        bounds.maxLeverage = governed.valueOf(LimitRanges.MAX_LEVERAGE);
        bounds.maxFundingCap = _min(
            bounds.maxFundingCap,
            _min(
                governed.valueOf(LimitRanges.MAX_FUNDING_RATE) * _PPB,
                governed.valueOf(LimitRanges.MAX_FUNDING_CHANGE) * _PPB * _CHANGES
            )
        );
        bounds.accountShare = governed.valueOf(LimitRanges.ACCOUNT_SHARE);
    }

    function _requireTerms(
        IMarketRegistry.Market calldata entry,
        IMarketRegistry.Terms calldata terms,
        Bounds memory bounds,
        uint256 widest
    ) private pure {
        uint256 worst =
            uint256(entry.maxPrice) * entry.tickValue;
        ListingBounds.within("maxLots", terms.maxLots, 1, ProtocolBounds.MAX_POSITION_VALUE / worst);
        ListingBounds.within(
            "phase", terms.phase, InboxMessages.PHASE_CONTINUOUS, InboxMessages.PHASE_HALTED
        );
        ListingBounds.within("access", terms.access, 0, InboxMessages.ACCESS_CREDENTIAL);
        ListingBounds.within("guestFee", terms.guestFee, 0, 0);
        uint256 narrowest = widest > ProtocolBounds.MIN_BAND ? widest : ProtocolBounds.MIN_BAND;
        ListingBounds.within("band", terms.band, narrowest, ProtocolBounds.MAX_BAND);
        uint256 cap = terms.openInterestCap;
        ListingBounds.within("openInterestCap", cap, 1, ProtocolBounds.MAX_OPEN_VALUE);
        if (bounds.accountShare < ProtocolBounds.PPM) {
            // One account's part of a market is bounded.
            uint256 part = cap * bounds.accountShare / ProtocolBounds.PPM;
            ListingBounds.within("accountCap", terms.accountCap, 1, part == 0 ? 1 : part);
        } else {
            ListingBounds.within("accountCap", terms.accountCap, 0, ProtocolBounds.MAX_OPEN_VALUE);
        }
        ListingBounds.within("closes", terms.closes, 0, ProtocolBounds.MAX_TIME);
    }

    function _requireParameters(
        IPerpRegistry.Parameters calldata given,
        Bounds memory bounds,
        uint256 band
    ) private pure {
        ListingBounds.within("fundingCap", given.fundingCap, 1, bounds.maxFundingCap);
        ListingBounds.within("interest", given.interest, 0, ProtocolBounds.MAX_INTEREST);
        ListingBounds.within(
            "impactNotional",
            given.impactNotional,
            ProtocolBounds.MIN_IMPACT,
            ProtocolBounds.MAX_IMPACT
        );
        ListingBounds.within("bandListing", given.bandListing, ProtocolBounds.MIN_BAND, band);
        ListingBounds.within("bandBasis", given.bandBasis, ProtocolBounds.MIN_BAND, band);
        ListingBounds.within("oiUpper", given.oiUpper, 1, ProtocolBounds.MAX_OPEN_VALUE);
        ListingBounds.within("oiLower", given.oiLower, 0, given.oiUpper - 1);
        ListingBounds.within("lossCap", given.lossCap, 0, ProtocolBounds.MAX_OPEN_VALUE);
        _requireTiers(given.tiers, bounds);
    }

    function _requireTiers(IPerpRegistry.Tier[4] calldata tiers, Bounds memory bounds)
        private
        pure
    {
        uint256 count = _tierCount(tiers);
        if (count == 0) revert BadTier(0, "imr");
        for (uint256 i = 0; i < count; ++i) {
            IPerpRegistry.Tier calldata tier = tiers[i];
            if (tier.imr > ProtocolBounds.PPM) revert BadTier(i, "imr");
            if (tier.mmr < ProtocolBounds.MIN_MMR || uint256(tier.mmr) * 3 > uint256(tier.imr) * 2) revert BadTier(
                i, "mmr"
            );
            if (i == 0) {
                if (tier.lower != 0) revert BadTier(i, "lower");
                // Leverage is one over the lowest rate.
                if (uint256(tier.imr) * bounds.maxLeverage < ProtocolBounds.PPM) {
                    revert BadTier(i, "imr");
                }
                continue;
            }
            IPerpRegistry.Tier calldata last = tiers[i - 1];
            if (tier.lower <= last.lower || tier.imr < last.imr || tier.mmr < last.mmr) {
                revert BadTier(i, "order");
            }
            if (tier.lower > ProtocolBounds.MAX_POSITION_VALUE) revert BadTier(i, "lower");
        }
    }

    /// @dev Tiers that are used: all but those that are zero, behind the others.
    function _tierCount(IPerpRegistry.Tier[4] calldata tiers) private pure returns (uint256 count) {
        count = tiers.length;
        while (count != 0) {
            IPerpRegistry.Tier calldata tier = tiers[count - 1];
            if (tier.lower != 0 || tier.imr != 0 || tier.mmr != 0) return count;
            --count;
        }
    }

    /* MAINTENANCE */

    /// @dev Lower ends of both, and at last the largest position; 0 = a tier that is not used, or the first.
    function _breakAt(
        IPerpRegistry.Tier[4] calldata before,
        IPerpRegistry.Tier[4] calldata next,
        uint256 i
    ) private pure returns (uint64) {
        uint256 tiers = before.length;
        if (i < tiers) return before[i].lower;
        if (i < 2 * tiers) return next[i - tiers].lower;
        return uint64(ProtocolBounds.MAX_POSITION_VALUE);
    }

    /// @dev Maintenance of a notional, in millionths of atoms.
    function _maintenance(IPerpRegistry.Tier[4] calldata tiers, uint64 notional)
        private
        pure
        returns (uint256 sum)
    {
        uint256 count = _tierCount(tiers);
        for (uint256 i = 0; i < count && tiers[i].lower < notional; ++i) {
            uint256 end = notional;
            if (i + 1 < count && tiers[i + 1].lower < end) end = tiers[i + 1].lower;
            sum += (end - tiers[i].lower) * tiers[i].mmr;
        }
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
