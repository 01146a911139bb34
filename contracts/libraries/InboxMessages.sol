// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IVenueRegistry} from "../interfaces/IVenueRegistry.sol";
import {AssetId, MarketId, OwnerId, VenueId} from "../interfaces/Types.sol";

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

    /* BOUNDS AND SMALL NUMBERS */

    /// @dev Bytes of a payload.
    uint256 internal constant MAX_PAYLOAD = 512;
    /// @dev Atoms of one asset in the zone: the sum of two holdings fits 63 bits.
    uint64 internal constant MAX_TOTAL_ATOMS = (1 << 62) - 1;

    uint8 internal constant ASSET_NATIVE = 1;
    uint8 internal constant ASSET_ERC20 = 2;
    uint8 internal constant OWNER_USER = 1;
    uint8 internal constant OWNER_CONTRACT = 2;
    uint8 internal constant MARKET_SPOT = 1;

    /* BODIES */

    function deposit(OwnerId owner, address account, AssetId asset, uint64 atoms)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(OwnerId.unwrap(owner), account, AssetId.unwrap(asset), atoms);
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

    /// @param id what users see: `venue << 16 | number in the venue`.
    function listSpot(MarketId market, uint32 id, IVenueRegistry.SpotTerms memory terms)
        internal
        pure
        returns (bytes memory)
    {
        // Two halves, because one call has no room on the stack for all fields.
        return bytes.concat(
            abi.encodePacked(
                MarketId.unwrap(market),
                id,
                VenueId.unwrap(terms.venue),
                MARKET_SPOT,
                AssetId.unwrap(terms.base),
                AssetId.unwrap(terms.quote),
                terms.lotSize,
                terms.tickValue
            ),
            abi.encodePacked(
                terms.minNotional, terms.maxNotional, terms.maxLots, terms.maxPrice, terms.takerFee
            ),
            abi.encodePacked(
                terms.makerFee,
                terms.protocolShare,
                terms.insuranceShare,
                terms.takerDelay,
                terms.effectiveAt
            )
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
