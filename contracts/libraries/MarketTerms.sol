// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IListings} from "../interfaces/IListings.sol";
import {IMarketRegistry} from "../interfaces/IMarketRegistry.sol";
import {CalendarId} from "../interfaces/Types.sol";
import {InboxMessages} from "./InboxMessages.sol";

/// @title MarketTerms
/// @notice Terms that a listing begins with, and which changes of them could harm somebody who does not
/// know of it.
library MarketTerms {
    /* FIRST TERMS */

    function ofSpot(IListings.SpotTerms calldata terms)
        internal
        pure
        returns (IMarketRegistry.Terms memory first)
    {
        first.phase = InboxMessages.PHASE_CONTINUOUS;
        first.minNotional = terms.minNotional;
        first.maxNotional = terms.maxNotional;
        first.maxLots = terms.maxLots;
        first.takerFee = terms.takerFee;
        first.makerFee = terms.makerFee;
        first.protocolShare = terms.protocolShare;
        first.insuranceShare = terms.insuranceShare;
        first.takerDelay = terms.takerDelay;
    }

    function ofEvent(IListings.EventTerms calldata terms)
        internal
        pure
        returns (IMarketRegistry.Terms memory first)
    {
        first.phase = InboxMessages.PHASE_CONTINUOUS;
        first.minNotional = terms.minNotional;
        first.maxNotional = terms.maxNotional;
        first.maxLots = terms.maxLots;
        first.takerFee = terms.takerFee;
        first.makerFee = terms.makerFee;
        first.protocolShare = terms.protocolShare;
        first.insuranceShare = terms.insuranceShare;
        first.takerDelay = terms.takerDelay;
        first.closes = terms.closes;
    }

    function ofGuest(uint32 guestFee) internal pure returns (IMarketRegistry.Terms memory first) {
        first.phase = InboxMessages.PHASE_CONTINUOUS;
        first.guestFee = guestFee;
    }

    /* COMPARING */

    function copy(IMarketRegistry.Terms memory terms)
        internal
        pure
        returns (IMarketRegistry.Terms memory)
    {
        return abi.decode(abi.encode(terms), (IMarketRegistry.Terms));
    }

    /// @notice Whether two sets say the same, whenever they come into force.
    function isSame(IMarketRegistry.Terms memory a, IMarketRegistry.Terms memory b)
        internal
        pure
        returns (bool)
    {
        uint64 effectiveAt = a.effectiveAt;
        a.effectiveAt = b.effectiveAt;
        bool same = keccak256(abi.encode(a)) == keccak256(abi.encode(b));
        a.effectiveAt = effectiveAt;
        return same;
    }

    /// @notice How much a phase forbids. A market gets stricter at once, laxer with notice.
    function strictness(uint8 phase) internal pure returns (uint8) {
        if (phase == InboxMessages.PHASE_CONTINUOUS) return 0;
        if (phase == InboxMessages.PHASE_SETTLED) return 3;
        // Post-only and reduce-only let somebody trade, cancel-only and halted nobody.
        return phase == 2 || phase == 4 ? 1 : 2;
    }

    /// @notice Whether a change could harm somebody who does not know of it: it costs more, admits fewer
    /// people, sizes or hours, protects makers or takers in another way, or ends sooner.
    function canHarm(IMarketRegistry.Terms memory before, IMarketRegistry.Terms memory next)
        internal
        pure
        returns (bool)
    {
        if (next.takerFee > before.takerFee || next.makerFee > before.makerFee) return true;
        if (next.guestFee > before.guestFee) return true;
        if (next.insuranceShare < before.insuranceShare) return true;
        if (next.takerDelay != before.takerDelay || next.band != before.band) return true;
        if (next.access != before.access && next.access != InboxMessages.ACCESS_OPEN) return true;
        if (CalendarId.unwrap(next.calendar) != CalendarId.unwrap(before.calendar)) return true;
        if (next.minNotional > before.minNotional || next.maxNotional < before.maxNotional) {
            return true;
        }
        if (next.maxLots < before.maxLots) return true;
        return _isBelow(next.openInterestCap, before.openInterestCap)
            || _isBelow(next.accountCap, before.accountCap) || _isBelow(next.closes, before.closes);
    }

    /// @dev Whether a bound is tighter; 0 = no bound.
    function _isBelow(uint64 next, uint64 before) private pure returns (bool) {
        if (next == before || next == 0) return false;
        return before == 0 || next < before;
    }
}
