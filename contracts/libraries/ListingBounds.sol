// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IVenueRegistry} from "../interfaces/IVenueRegistry.sol";

/// @title ListingBounds
/// @notice The bounds of a market's terms: those of `tradezone/protocol/limits.py` and
/// docs/spec/spot.md. A deployer chooses inside them; nobody moves them.
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
    int256 internal constant MAX_TAKER_FEE = 50_000;
    /// @dev Most a maker pays, ppm.
    int256 internal constant MAX_MAKER_FEE = 50_000;
    /// @dev Most a maker gets, ppm; the engine bounds it again by each fill's taker fee.
    int256 internal constant MAX_REBATE = 10_000;
    /// @dev Least the protocol gets of every fee, ppm.
    uint256 internal constant MIN_PROTOCOL_SHARE = 100_000;
    /// @dev Ms.
    uint256 internal constant MAX_TAKER_DELAY = 50;
    /// @dev Ms: far enough for every purpose, near enough for every sum.
    uint256 internal constant MAX_TIME = 1 << 48;

    /// @notice Revert with `OutOfBounds`, naming the first term that is out of its bounds.
    function requireSpot(IVenueRegistry.SpotTerms calldata terms) internal pure {
        _within("tickValue", terms.tickValue, 1, MAX_TICK_VALUE);
        _within("maxPrice", terms.maxPrice, 1, MAX_PRICE);
        uint256 largestPrice = uint256(terms.maxPrice) * terms.tickValue;
        _within("maxLots", terms.maxLots, 1, MAX_NOTIONAL / largestPrice);
        _within("lotSize", terms.lotSize, 1, MAX_NOTIONAL / terms.maxLots);
        _within("maxNotional", terms.maxNotional, 1, MAX_NOTIONAL);
        _within("minNotional", terms.minNotional, 0, terms.maxNotional);
        _withinSigned("takerFee", terms.takerFee, 0, MAX_TAKER_FEE);
        _withinSigned("makerFee", terms.makerFee, -MAX_REBATE, MAX_MAKER_FEE);
        _within("protocolShare", terms.protocolShare, MIN_PROTOCOL_SHARE, PPM);
        _within("insuranceShare", terms.insuranceShare, 0, PPM - terms.protocolShare);
        _within("takerDelay", terms.takerDelay, 0, MAX_TAKER_DELAY);
        _within("effectiveAt", terms.effectiveAt, 0, MAX_TIME);
    }

    function _within(string memory term, uint256 given, uint256 lowest, uint256 highest)
        private
        pure
    {
        _withinSigned(term, int256(given), int256(lowest), int256(highest));
    }

    /// @dev All values here have at most 64 bits, so the casts above keep them.
    function _withinSigned(string memory term, int256 given, int256 lowest, int256 highest)
        private
        pure
    {
        if (given < lowest || given > highest) {
            revert IVenueRegistry.OutOfBounds(term, given, lowest, highest);
        }
    }
}
