// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ISlotAuction} from "../interfaces/ISlotAuction.sol";
import {IVenueRegistry} from "../interfaces/IVenueRegistry.sol";
import {OwnerId, VenueId} from "../interfaces/Types.sol";

/// @title PuppetVenues
/// @notice Venues, their deployers and their stake as a test says: stands for a venue registry and for a
/// staking vault.
contract PuppetVenues {
    mapping(VenueId venue => address deployer) private _deployers;

    /// @notice Stake behind a venue, wei.
    mapping(VenueId venue => uint256 stake) public stakeOf;

    /// @notice Give a venue to `deployer`; also how it is handed over.
    function setDeployer(VenueId venue, address deployer) external {
        _deployers[venue] = deployer;
    }

    /// @notice Put stake behind a venue.
    function setStake(VenueId venue, uint256 stake) external {
        stakeOf[venue] = stake;
    }

    /// @notice List a market, as far as slots know of it.
    function occupy(ISlotAuction slots, uint32 venue, uint8 kind, uint32 market)
        external
        returns (uint32)
    {
        return slots.occupy(venue, kind, market);
    }

    /// @notice Close a market.
    function release(ISlotAuction slots, uint32 market) external {
        slots.release(market);
    }

    /// @notice A venue, as the venue registry describes it.
    function venueOf(VenueId venue) external view returns (IVenueRegistry.Venue memory) {
        if (_deployers[venue] == address(0)) revert IVenueRegistry.UnknownVenue(venue);
        return IVenueRegistry.Venue(_deployers[venue], OwnerId.wrap(1), 0, 0, "puppet");
    }
}
