// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IListings} from "../interfaces/IListings.sol";
import {IMarketRegistry} from "../interfaces/IMarketRegistry.sol";
import {IProtocolLimits} from "../interfaces/IProtocolLimits.sol";
import {InboxMessages} from "./InboxMessages.sol";
import {LimitRanges} from "./LimitRanges.sol";

/// @title ListingBounds
/// @notice The bounds of a market's terms: those of `tradezone/protocol/limits.py`, docs/spec/orders.md
/// and docs/spec/outcome.md, narrowed by the governed ones. A deployer chooses inside them.
library ListingBounds {
    /* CONSTANTS */

    /// @dev Parts per million.
    uint256 internal constant PPM = 1_000_000;
    /// @dev Notional of one order, quote atoms: with its worst fee below 2^62.
    uint256 internal constant MAX_NOTIONAL = 1 << 61;
    /// @dev Ticks.
    uint256 internal constant MAX_PRICE = (1 << 31) - 1;
    /// @dev Quote atoms. MAX_PRICE * MAX_TICK_VALUE < MAX_NOTIONAL, so no product needs a bound.
    uint256 internal constant MAX_TICK_VALUE = (1 << 30) - 1;
    /// @dev Most a taker pays, ppm.
    uint256 internal constant MAX_TAKER_FEE = 50_000;
    /// @dev Most a maker pays, ppm.
    uint256 internal constant MAX_MAKER_FEE = 50_000;
    /// @dev Most a maker gets, ppm; the engine bounds it again by each fill's taker fee.
    uint256 internal constant MAX_REBATE = 10_000;
    /// @dev Least the protocol gets of every fee, ppm.
    uint256 internal constant MIN_PROTOCOL_SHARE = 100_000;
    /// @dev Most a guest venue asks, ppm.
    uint256 internal constant MAX_GUEST_FEE = 10_000;
    /// @dev Ms.
    uint256 internal constant MAX_TAKER_DELAY = 50;
    /// @dev Seconds without session where no governance says otherwise: 7 d.
    uint256 internal constant MAX_SESSION_PAUSE = 604_800;
    /// @dev Ppm around the anchor.
    uint256 internal constant MIN_BAND = 1000;
    uint256 internal constant MAX_BAND = 900_000;
    /// @dev Ms: far enough for every purpose, near enough for every sum.
    uint256 internal constant MAX_TIME = 1 << 48;
    /// @dev A payout vector sums to it, and every unit is a multiple of it.
    uint256 internal constant PAYOUT_UNIT = 10_000;
    uint256 internal constant MAX_OUTCOMES = 16;

    /// @notice What governance can narrow.
    struct Bounds {
        uint256 maxTakerFee;
        uint256 maxMakerFee;
        uint256 maxRebate;
        uint256 minProtocolShare;
        uint256 maxTakerDelay;
        uint256 accountShare; // ppm of the open-interest cap
    }

    /// @notice The bounds in force: the hard ones, narrowed by `limits` if there is such a contract.
    function inForce(IProtocolLimits limits) internal view returns (Bounds memory bounds) {
        bounds = Bounds({
            maxTakerFee: MAX_TAKER_FEE,
            maxMakerFee: MAX_MAKER_FEE,
            maxRebate: MAX_REBATE,
            minProtocolShare: MIN_PROTOCOL_SHARE,
            maxTakerDelay: MAX_TAKER_DELAY,
            accountShare: PPM
        });
        if (address(limits) == address(0)) return bounds;
        bounds.maxTakerFee = _min(limits.valueOf(LimitRanges.MAX_TAKER_FEE), MAX_TAKER_FEE);
        bounds.maxMakerFee = _min(limits.valueOf(LimitRanges.MAX_MAKER_FEE), MAX_MAKER_FEE);
        bounds.maxRebate = _min(limits.valueOf(LimitRanges.MAX_MAKER_REBATE), MAX_REBATE);
        uint256 share = limits.valueOf(LimitRanges.MIN_PROTOCOL_SHARE);
        if (share > MIN_PROTOCOL_SHARE) bounds.minProtocolShare = share;
        bounds.maxTakerDelay = _min(limits.valueOf(LimitRanges.MAX_TAKER_DELAY), MAX_TAKER_DELAY);
        bounds.accountShare = _min(limits.valueOf(LimitRanges.ACCOUNT_SHARE), PPM);
    }

    /// @notice Longest time without session, seconds.
    function maxSessionPause(IProtocolLimits limits) internal view returns (uint256) {
        if (address(limits) == address(0)) return MAX_SESSION_PAUSE;
        return limits.valueOf(LimitRanges.MAX_SESSION_PAUSE);
    }

    /* MARKETS WITH A BOOK */

    /// @notice Revert with `OutOfBounds`, naming the first of a market's steps and sizes that is out of its
    /// bounds.
    /// @param maxPrice ticks; may be more than a market can keep.
    function requireSizes(
        uint8 kind,
        uint256 lotSize,
        uint256 tickValue,
        uint256 maxPrice,
        IMarketRegistry.Terms memory terms
    ) internal pure {
        within("tickValue", tickValue, 1, MAX_TICK_VALUE);
        within("maxPrice", maxPrice, 1, MAX_PRICE);
        // A seller of an outcome may lose a whole unit, whatever the price.
        uint256 worst = kind == InboxMessages.MARKET_OUTCOME ? lotSize : maxPrice * tickValue;
        within("maxLots", terms.maxLots, 1, MAX_NOTIONAL / worst);
        within("lotSize", lotSize, 1, MAX_NOTIONAL / terms.maxLots);
        within("maxNotional", terms.maxNotional, 1, MAX_NOTIONAL);
        within("minNotional", terms.minNotional, 0, terms.maxNotional);
    }

    /// @notice The same of fees, shares and the taker delay.
    function requireFees(IMarketRegistry.Terms memory terms, Bounds memory bounds) internal pure {
        _withinSigned("takerFee", terms.takerFee, 0, int256(bounds.maxTakerFee));
        _withinSigned(
            "makerFee", terms.makerFee, -int256(bounds.maxRebate), int256(bounds.maxMakerFee)
        );
        within("protocolShare", terms.protocolShare, bounds.minProtocolShare, PPM);
        within("insuranceShare", terms.insuranceShare, 0, PPM - terms.protocolShare);
        within(
            "referrerShare",
            terms.referrerShare,
            0,
            PPM - terms.protocolShare - terms.insuranceShare
        );
        within("takerDelay", terms.takerDelay, 0, bounds.maxTakerDelay);
    }

    /// @notice The same of what only an update sets: phase, access, band, caps, times.
    function requireRest(
        uint8 kind,
        bool isDoor,
        IMarketRegistry.Terms memory terms,
        Bounds memory bounds
    ) internal pure {
        within("phase", terms.phase, InboxMessages.PHASE_CONTINUOUS, InboxMessages.PHASE_HALTED);
        within("access", terms.access, 0, InboxMessages.ACCESS_CREDENTIAL);
        within("guestFee", terms.guestFee, 0, isDoor ? MAX_GUEST_FEE : 0);
        if (terms.band != 0) {
            within("band", terms.band, isDoor ? 0 : MIN_BAND, isDoor ? 0 : MAX_BAND);
        }
        bool hasCaps = kind == InboxMessages.MARKET_OUTCOME && !isDoor;
        within("openInterestCap", terms.openInterestCap, 0, hasCaps ? MAX_NOTIONAL : 0);
        if (hasCaps && terms.openInterestCap != 0 && bounds.accountShare < PPM) {
            // One account's part of an event is bounded where the whole is.
            uint256 part = terms.openInterestCap * bounds.accountShare / PPM;
            within("accountCap", terms.accountCap, 1, part == 0 ? 1 : part);
        } else {
            within("accountCap", terms.accountCap, 0, hasCaps ? MAX_NOTIONAL : 0);
        }
        within("closes", terms.closes, 0, MAX_TIME);
    }

    /// @notice Revert unless what a door does not have is zero.
    function requireDoor(IMarketRegistry.Terms memory terms) internal pure {
        within("minNotional", terms.minNotional, 0, 0);
        within("maxNotional", terms.maxNotional, 0, 0);
        within("maxLots", terms.maxLots, 0, 0);
        _withinSigned("takerFee", terms.takerFee, 0, 0);
        _withinSigned("makerFee", terms.makerFee, 0, 0);
        within("protocolShare", terms.protocolShare, 0, 0);
        within("insuranceShare", terms.insuranceShare, 0, 0);
        within("referrerShare", terms.referrerShare, 0, 0);
        within("takerDelay", terms.takerDelay, 0, 0);
    }

    /* EVENTS */

    /// @notice Revert with `BadPayouts` unless the vector is one of so many outcomes.
    function requirePayouts(bytes32 payouts, uint8 outcomes) internal pure {
        uint256 rest = uint256(payouts);
        uint256 sum = 0;
        for (uint256 i = 0; i < outcomes; ++i) {
            sum += rest >> 240;
            rest <<= 16;
        }
        if (sum != PAYOUT_UNIT || rest != 0) revert IListings.BadPayouts(payouts, outcomes);
    }

    /* INTERNAL */

    /// @notice Revert with `OutOfBounds` unless `given` is within its bounds, all below 2^255.
    function within(string memory term, uint256 given, uint256 lowest, uint256 highest)
        internal
        pure
    {
        _withinSigned(term, int256(given), int256(lowest), int256(highest));
    }

    function _withinSigned(string memory term, int256 given, int256 lowest, int256 highest)
        private
        pure
    {
        if (given < lowest || given > highest) {
            revert IMarketRegistry.OutOfBounds(term, given, lowest, highest);
        }
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
