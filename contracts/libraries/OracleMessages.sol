// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IOracleRegistry} from "../interfaces/IOracleRegistry.sol";
import {FeedId} from "../interfaces/OracleTypes.sol";
import {VenueId} from "../interfaces/Types.sol";
import {ProtocolBounds} from "./ProtocolBounds.sol";

/// @title OracleMessages
/// @notice Bodies of the inbox messages about feeds and prices, byte for byte those of
/// `tradezone/protocol/messages.py`: packed, big-endian, every field at a fixed place.
library OracleMessages {
    /// @dev Bytes of a provider and its signer.
    uint256 internal constant PROVIDER_BYTES = 24;

    /// @param signers MAX_PROVIDERS times provider and signer, packed; zero from the last provider on.
    function oracleSet(FeedId feed, IOracleRegistry.Feed memory entry, bytes memory signers)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            FeedId.unwrap(feed),
            VenueId.unwrap(entry.venue),
            entry.quorum,
            entry.heartbeat,
            entry.deviation,
            entry.breaker,
            signers
        );
    }

    /// @param signer whose signature L1 has checked.
    function price(IOracleRegistry.Price calldata given, address signer)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(given.feed, given.provider, signer, given.price, given.time);
    }

    /// @notice Provider and signer as a set names them.
    function place(uint32 provider, address signer) internal pure returns (bytes memory) {
        return abi.encodePacked(provider, signer);
    }

    /// @notice Fill up a set to its fixed size.
    function pad(bytes memory signers) internal pure returns (bytes memory) {
        uint256 size = ProtocolBounds.MAX_PROVIDERS * PROVIDER_BYTES;
        return bytes.concat(signers, new bytes(size - signers.length));
    }
}
