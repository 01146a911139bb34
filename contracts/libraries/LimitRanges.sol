// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LimitId} from "../interfaces/GovernanceTypes.sol";
import {IProtocolLimits} from "../interfaces/IProtocolLimits.sol";

/// @title LimitRanges
/// @notice Ids and ranges of ProtocolLimits. Reasons and units are in docs/spec/governance.md, which a
/// test compares with this table.
library LimitRanges {
    LimitId internal constant MAX_LEVERAGE = LimitId.wrap(1);
    LimitId internal constant MAX_TAKER_FEE = LimitId.wrap(2);
    LimitId internal constant MAX_MAKER_FEE = LimitId.wrap(3);
    LimitId internal constant MAX_MAKER_REBATE = LimitId.wrap(4);
    LimitId internal constant MIN_PROTOCOL_SHARE = LimitId.wrap(5);
    LimitId internal constant MAX_FUNDING_RATE = LimitId.wrap(6);
    LimitId internal constant MAX_FUNDING_CHANGE = LimitId.wrap(7);
    LimitId internal constant MAX_PRICE_DEVIATION = LimitId.wrap(8);
    LimitId internal constant MAX_PRICE_STALENESS = LimitId.wrap(9);
    LimitId internal constant MAX_PRICE_INTERVAL = LimitId.wrap(10);
    LimitId internal constant VENUE_OPEN_INTEREST = LimitId.wrap(11);
    LimitId internal constant ACCOUNT_SHARE = LimitId.wrap(12);
    LimitId internal constant STAKE_MULTIPLE = LimitId.wrap(13);
    LimitId internal constant MAX_TAKER_DELAY = LimitId.wrap(14);
    LimitId internal constant MAX_SESSION_PAUSE = LimitId.wrap(15);
    LimitId internal constant BOND_UNBONDING = LimitId.wrap(16);
    LimitId internal constant AUCTION_LENGTH = LimitId.wrap(17);
    LimitId internal constant AUCTION_START = LimitId.wrap(18);
    LimitId internal constant AUCTION_DECAY = LimitId.wrap(19);
    LimitId internal constant AUCTION_FLOOR = LimitId.wrap(20);
    LimitId internal constant HARM_CLAIM_WINDOW = LimitId.wrap(21);
    LimitId internal constant VOTE_AGE = LimitId.wrap(22);

    uint8 internal constant COUNT = 22;

    uint32 private constant _QUARTER = 250_000;
    uint32 private constant _HALF = 500_000;
    uint32 private constant _WHOLE = 1_000_000;

    /// @notice Range of a limit; all zero if there is none.
    // A table: one line a limit, whatever the length of the function.
    // solhint-disable-next-line code-complexity
    function rangeOf(LimitId id) internal pure returns (IProtocolLimits.Range memory) {
        if (id == MAX_LEVERAGE) return _range(1, 20, 100, _HALF);
        if (id == MAX_TAKER_FEE) return _range(100, 50_000, 50_000, _HALF);
        if (id == MAX_MAKER_FEE) return _range(100, 50_000, 50_000, _HALF);
        if (id == MAX_MAKER_REBATE) return _range(0, 10_000, 10_000, _HALF);
        if (id == MIN_PROTOCOL_SHARE) return _range(100_000, 100_000, 500_000, _QUARTER);
        if (id == MAX_FUNDING_RATE) return _range(100, 10_000, 40_000, _HALF);
        if (id == MAX_FUNDING_CHANGE) return _range(10, 1000, 10_000, _HALF);
        if (id == MAX_PRICE_DEVIATION) return _range(1000, 50_000, 200_000, _HALF);
        if (id == MAX_PRICE_STALENESS) return _range(1000, 60_000, 600_000, _WHOLE);
        if (id == MAX_PRICE_INTERVAL) return _range(250, 3000, 60_000, _WHOLE);
        if (id == VENUE_OPEN_INTEREST) return _range(10 ** 6, 10 ** 15, (1 << 62) - 1, _WHOLE);
        if (id == ACCOUNT_SHARE) return _range(10_000, 250_000, 1_000_000, _HALF);
        if (id == STAKE_MULTIPLE) return _range(1, 20, 100, _HALF);
        if (id == MAX_TAKER_DELAY) return _range(3, 50, 50, _WHOLE);
        if (id == MAX_SESSION_PAUSE) return _range(1 hours, 3 days, 7 days, _WHOLE);
        if (id == BOND_UNBONDING) return _range(21 days, 21 days, 42 days, _WHOLE);
        if (id == AUCTION_LENGTH) return _range(6 hours, 31 hours, 7 days, _WHOLE);
        if (id == AUCTION_START) return _range(1_000_000, 2_000_000, 4_000_000, _HALF);
        if (id == AUCTION_DECAY) return _range(0, 100_000, 500_000, _WHOLE);
        if (id == AUCTION_FLOOR) return _range(10 ** 9, 10 ** 11, 10 ** 14, _WHOLE);
        if (id == HARM_CLAIM_WINDOW) return _range(14 days, 30 days, 90 days, _WHOLE);
        if (id == VOTE_AGE) return _range(1 days, 7 days, 14 days, _HALF);
        return _range(0, 0, 0, 0);
    }

    function _range(uint64 min, uint64 first, uint64 max, uint32 step)
        private
        pure
        returns (IProtocolLimits.Range memory)
    {
        return IProtocolLimits.Range(min, first, max, step);
    }
}
