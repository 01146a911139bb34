// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ICalendarRegistry} from "../interfaces/ICalendarRegistry.sol";
import {IListings} from "../interfaces/IListings.sol";
import {IMarketRegistry} from "../interfaces/IMarketRegistry.sol";
import {IVenueRegistry} from "../interfaces/IVenueRegistry.sol";
import {AssetId, CalendarId, EventId, MarketId, OwnerId, VenueId} from "../interfaces/Types.sol";

/// @title InboxMessages
/// @notice Kinds, bodies and hashes of inbox messages, byte for byte those of
/// `tradezone/protocol/messages.py`: packed, big-endian, every field at a fixed place.
library InboxMessages {
    /* KINDS */

    uint8 internal constant DEPOSIT = 1;
    uint8 internal constant REGISTER_OWNER = 2;
    uint8 internal constant HEARTBEAT = 3;
    uint8 internal constant REGISTER_ASSET = 4;
    uint8 internal constant CREATE_VENUE = 5;
    uint8 internal constant LIST_MARKET = 6;
    uint8 internal constant UPDATE_VENUE = 7;
    uint8 internal constant UPDATE_MARKET = 8;
    uint8 internal constant LIST_EVENT = 9;
    uint8 internal constant LIST_OUTCOME = 10;
    uint8 internal constant LIST_GUEST = 11;
    uint8 internal constant SET_CALENDAR = 12;
    uint8 internal constant FORCED_WITHDRAW = 16;
    uint8 internal constant FORCED_CLOSE = 17;
    uint8 internal constant FORCED_CANCEL_ALL = 18;
    uint8 internal constant FORCED_APPROVE_KEY = 19;
    uint8 internal constant FORCED_REVOKE_KEY = 20;
    uint8 internal constant FORCED_REDIRECT = 21;
    uint8 internal constant RESOLUTION = 34;
    uint8 internal constant SET_ASSET = 48;

    /* BOUNDS AND SMALL NUMBERS */

    /// @dev Bytes of a payload.
    uint256 internal constant MAX_PAYLOAD = 512;
    /// @dev Atoms of one asset in the zone: the sum of two holdings fits 63 bits.
    uint64 internal constant MAX_TOTAL_ATOMS = (1 << 62) - 1;

    uint8 internal constant ASSET_NATIVE = 1;
    uint8 internal constant ASSET_ERC20 = 2;
    uint8 internal constant ASSET_SIMULATED = 3;
    uint8 internal constant OWNER_USER = 1;
    uint8 internal constant OWNER_CONTRACT = 2;
    uint8 internal constant MARKET_SPOT = 1;
    uint8 internal constant MARKET_PERP = 2;
    uint8 internal constant MARKET_OUTCOME = 3;
    uint8 internal constant ACCESS_OPEN = 0;
    uint8 internal constant ACCESS_LIST = 1;
    uint8 internal constant ACCESS_CREDENTIAL = 2;
    uint8 internal constant VENUE_ACTIVE = 1;
    uint8 internal constant VENUE_REDUCE_ONLY = 2;
    uint8 internal constant VENUE_WOUND_DOWN = 3;
    uint8 internal constant PHASE_CONTINUOUS = 1;
    uint8 internal constant PHASE_HALTED = 5;
    uint8 internal constant PHASE_SETTLED = 6;
    uint8 internal constant EVENT_RESOLVED = 2;
    uint8 internal constant EVENT_VOID = 3;

    /* BODIES */

    function deposit(OwnerId owner, address account, AssetId asset, uint64 atoms)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(OwnerId.unwrap(owner), account, AssetId.unwrap(asset), atoms);
    }

    /// @notice The fields of a deposit's body; the owner id is that of `account`.
    function readDeposit(bytes calldata body)
        internal
        pure
        returns (address account, AssetId asset, uint64 atoms)
    {
        account = address(bytes20(body[4:24]));
        asset = AssetId.wrap(uint32(bytes4(body[24:28])));
        atoms = uint64(bytes8(body[28:36]));
    }

    function registerOwner(OwnerId owner, address account, OwnerId referrer, uint8 kind)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(OwnerId.unwrap(owner), account, OwnerId.unwrap(referrer), kind);
    }

    function heartbeat(uint64 batch) internal pure returns (bytes memory) {
        return abi.encodePacked(batch);
    }

    function registerAsset(
        AssetId asset,
        address token,
        uint8 kind,
        uint8 decimals,
        uint64 quantum,
        uint64 cap,
        VenueId venue
    ) internal pure returns (bytes memory) {
        return abi.encodePacked(
            AssetId.unwrap(asset), token, kind, decimals, quantum, cap, VenueId.unwrap(venue)
        );
    }

    /// @param stakeGwei stake behind the venue, gwei of the native coin.
    function createVenue(VenueId venue, OwnerId owner, uint8 access, uint64 stakeGwei)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(VenueId.unwrap(venue), OwnerId.unwrap(owner), access, stakeGwei);
    }

    /// @param stakeGwei stake behind the venue, gwei of the native coin.
    function updateVenue(
        VenueId venue,
        uint8 state,
        IVenueRegistry.AccessRule memory rule,
        uint64 stakeGwei
    ) internal pure returns (bytes memory) {
        return abi.encodePacked(
            VenueId.unwrap(venue),
            state,
            rule.access,
            rule.provider,
            rule.minClass,
            rule.regions,
            stakeGwei
        );
    }

    // Bodies with many fields are put together of parts: one call has no room on the stack for all.

    function listSpot(
        MarketId market,
        IMarketRegistry.Market memory entry,
        IMarketRegistry.Terms memory terms
    ) internal pure returns (bytes memory) {
        return bytes.concat(
            abi.encodePacked(
                MarketId.unwrap(market),
                entry.id,
                VenueId.unwrap(entry.venue),
                entry.kind,
                AssetId.unwrap(entry.base),
                AssetId.unwrap(entry.quote),
                entry.lotSize,
                entry.tickValue
            ),
            abi.encodePacked(
                terms.minNotional, terms.maxNotional, terms.maxLots, entry.maxPrice, terms.takerFee
            ),
            abi.encodePacked(
                terms.makerFee,
                terms.protocolShare,
                terms.insuranceShare,
                terms.takerDelay,
                entry.startsAt
            )
        );
    }

    function listEvent(EventId id, IListings.Event memory entry)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            EventId.unwrap(id),
            VenueId.unwrap(entry.venue),
            AssetId.unwrap(entry.asset),
            entry.outcomes,
            entry.unit,
            entry.voidPayouts
        );
    }

    function listOutcome(
        MarketId market,
        IMarketRegistry.Market memory entry,
        IMarketRegistry.Terms memory terms
    ) internal pure returns (bytes memory) {
        return bytes.concat(
            abi.encodePacked(
                MarketId.unwrap(market),
                entry.id,
                EventId.unwrap(entry.eventId),
                entry.tickValue,
                terms.minNotional,
                terms.maxNotional,
                terms.maxLots
            ),
            abi.encodePacked(
                terms.takerFee,
                terms.makerFee,
                terms.protocolShare,
                terms.insuranceShare,
                terms.takerDelay,
                entry.startsAt,
                terms.closes
            )
        );
    }

    function listGuest(
        MarketId market,
        IMarketRegistry.Market memory entry,
        IMarketRegistry.Terms memory terms
    ) internal pure returns (bytes memory) {
        return abi.encodePacked(
            MarketId.unwrap(market),
            entry.id,
            VenueId.unwrap(entry.venue),
            MarketId.unwrap(entry.home),
            terms.guestFee,
            entry.startsAt
        );
    }

    function updateMarket(MarketId market, IMarketRegistry.Terms memory terms)
        internal
        pure
        returns (bytes memory)
    {
        return bytes.concat(
            abi.encodePacked(
                MarketId.unwrap(market),
                terms.phase,
                terms.access,
                terms.takerDelay,
                uint16(CalendarId.unwrap(terms.calendar)),
                terms.takerFee,
                terms.makerFee
            ),
            abi.encodePacked(
                terms.protocolShare,
                terms.insuranceShare,
                terms.referrerShare,
                terms.guestFee,
                terms.band,
                terms.minNotional
            ),
            abi.encodePacked(
                terms.maxNotional,
                terms.maxLots,
                terms.openInterestCap,
                terms.accountCap,
                terms.closes,
                terms.effectiveAt
            )
        );
    }

    function setCalendar(
        CalendarId calendar,
        VenueId venue,
        ICalendarRegistry.Session[7] memory week,
        ICalendarRegistry.Closure[4] memory closures
    ) internal pure returns (bytes memory body) {
        body = abi.encodePacked(CalendarId.unwrap(calendar), VenueId.unwrap(venue));
        for (uint256 day = 0; day < 7; ++day) {
            body = bytes.concat(body, abi.encodePacked(week[day].open, week[day].close));
        }
        for (uint256 i = 0; i < 4; ++i) {
            body = bytes.concat(body, abi.encodePacked(closures[i].from, closures[i].to));
        }
    }

    /// @param payouts 16 bits an outcome, outcome 0 in the highest; zero for VOID.
    function resolution(EventId id, uint8 state, bytes32 payouts)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(EventId.unwrap(id), state, payouts);
    }

    function setAsset(
        AssetId asset,
        uint64 quotaRate,
        uint64 quotaDeposit,
        uint64 faucetAmount,
        uint64 faucetInterval
    ) internal pure returns (bytes memory) {
        return abi.encodePacked(
            AssetId.unwrap(asset), quotaRate, quotaDeposit, faucetAmount, faucetInterval
        );
    }

    /* HASHES */

    /// @notice keccak of a whole message.
    function hashMessage(
        uint8 kind,
        uint64 index,
        address sender,
        uint64 time,
        uint64 blockNumber,
        bytes memory payload
    ) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(kind, index, sender, time, blockNumber, payload));
    }

    /// @notice Prefix hash after a message.
    function nextPrefix(bytes32 prefix, bytes32 messageHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(prefix, messageHash));
    }
}
