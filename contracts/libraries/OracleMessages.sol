// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IOracleRegistry} from "../interfaces/IOracleRegistry.sol";
import {FeedId} from "../interfaces/OracleTypes.sol";
import {VenueId} from "../interfaces/Types.sol";

/// @title OracleMessages
/// @notice Kinds and bodies of the inbox messages of docs/spec/oracles.md: packed, big-endian, every
/// field at a fixed place.
library OracleMessages {
    /* KINDS */

    uint8 internal constant ORACLE_SET = 32;

    /* BOUNDS AND SMALL NUMBERS */

    /// @dev Providers of a feed.
    uint256 internal constant MAX_PROVIDERS = 15;
    /// @dev Bytes of a provider and its signer.
    uint256 internal constant PROVIDER_BYTES = 24;

    /* BODIES */

    /// @param entry the feed; its `effectiveAt` is not read.
    /// @param effectiveAt ms.
    /// @param signers MAX_PROVIDERS times provider and signer, packed; zero from the last provider on.
    function oracleSet(
        FeedId feed,
        IOracleRegistry.Feed memory entry,
        uint64 effectiveAt,
        bytes memory signers
    ) internal pure returns (bytes memory) {
        return bytes.concat(
            abi.encodePacked(
                FeedId.unwrap(feed), VenueId.unwrap(entry.venue), entry.decimals, entry.quorum
            ),
            abi.encodePacked(entry.count, entry.heartbeat, entry.deviation, effectiveAt, signers)
        );
    }
}
