// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AssetId, MarketId, OwnerId, VenueId} from "./Types.sol";

/// @title IVenueRegistry
/// @notice Venues and their markets. Anyone with enough free stake opens a venue; its deployer sets
/// everything about a market inside bounds that nobody can move. The bounds are those of
/// `tradezone/protocol/limits.py`, and they make every amount of the engine fit 64 bits.
///
/// A venue's stake stays locked behind it until the venue is empty; one that is leaving, or whose stake
/// was slashed below `venueStake`, lists nothing. Venue ids, market ids and their messages come in order.
///
/// Assumptions for safety: none for users' money. A deployer can list nonsense; it can harm those who
/// trade it, inside the bounds, and nobody else.
interface IVenueRegistry {
    /// @notice A venue.
    // It is packed: one word and the name. The linter cannot size an id type.
    // solhint-disable-next-line gas-struct-packing
    struct Venue {
        address deployer; // sets everything about its markets
        OwnerId owner; // the deployer's owner id: gets the venue's share of fees
        uint8 access; // 0 = open, 1 = allow-list, 2 = credential
        uint16 markets; // markets listed
        string name;
    }

    /// @notice Terms of a spot market. Rates are parts per million (ppm), amounts atoms.
    struct SpotTerms {
        VenueId venue;
        AssetId base;
        AssetId quote;
        uint64 lotSize; // base atoms of one lot
        uint64 tickValue; // quote atoms of one tick of one lot
        uint64 minNotional; // quote atoms an order must reach at entry
        uint64 maxNotional; // quote atoms an order may reach
        uint64 maxLots; // largest order
        uint32 maxPrice; // ticks
        int32 takerFee; // ppm of notional
        int32 makerFee; // ppm of notional; negative = rebate
        uint32 protocolShare; // ppm of every fee
        uint32 insuranceShare; // ppm of every fee
        uint8 takerDelay; // ms
        uint64 effectiveAt; // ms; trading starts then, or at once if it has passed
    }

    /* EVENTS */

    event VenueCreated(
        VenueId indexed venue,
        OwnerId indexed owner,
        address indexed deployer,
        string name,
        uint8 access,
        uint256 stake,
        uint64 inboxIndex
    );

    /// @notice A spot market was listed.
    /// @param market slot in the zone.
    /// @param id what users see: `venue << 16 | number in the venue`.
    /// @param terms as listed; `effectiveAt` is the time that counts.
    event SpotListed(
        MarketId indexed market,
        uint32 indexed id,
        VenueId indexed venue,
        SpotTerms terms,
        uint64 inboxIndex
    );

    event StakeAdded(
        VenueId indexed venue, address indexed deployer, uint256 amount, uint256 stake
    );

    /* ERRORS */

    /// @notice The guardians closed the door to new venues and listings.
    error ListingsClosed(uint64 until);
    /// @notice The venue is leaving, or too little stake is behind it.
    error VenueNotBacked(VenueId venue, uint256 backing, uint256 needed);

    /// @notice The stake is zero, no multiple of a gwei, or too large for the zone.
    error BadStake(uint256 stake);
    error UnknownAccess(uint8 access);
    /// @notice A name has 3 to 32 characters out of a-z, 0-9 and '-'.
    error BadName(string name);
    error NameTaken(string name, VenueId venue);
    /// @notice Every id of the zone is given out.
    error VenuesFull(uint32 maxVenues);
    error MarketsFull(uint32 maxMarkets);
    error UnknownVenue(VenueId venue);
    error NotDeployer(address caller, address deployer);
    /// @notice The venue has used its base slots.
    error NoSlotLeft(VenueId venue, uint16 slots);
    /// @notice The asset does not exist or is closed.
    error AssetNotOpen(AssetId asset);
    error SameAsset(AssetId asset);
    /// @notice A term is outside its bounds (both inclusive).
    error OutOfBounds(string term, int256 given, int256 lowest, int256 highest);

    /* WRITES */

    /// @notice Open a venue against `venueStake` of the caller's free stake. Send the registration
    /// fee of the owner registry if the caller has no owner id yet, else no value.
    /// @param name unique; 3 to 32 characters out of a-z, 0-9 and '-'.
    /// @param access 0 = open, 1 = allow-list, 2 = credential.
    /// @return venue the new id.
    function createVenue(string calldata name, uint8 access)
        external
        payable
        returns (VenueId venue);

    /// @notice List a spot market on a venue of the caller, in one of its free base slots.
    /// @return market the new market's slot.
    function listSpot(SpotTerms calldata terms) external returns (MarketId market);

    /// @notice Lock more of the caller's free stake behind a venue of the caller.
    function addStake(VenueId venue, uint256 amount) external;

    /* VIEWS */

    /// @notice Contract that may refuse new venues and listings for a while; zero = there is none.
    function brake() external view returns (address);

    /// @notice Stake that a venue needs behind it, wei.
    function venueStake() external view returns (uint256);

    /// @notice Free spot markets of a venue.
    function baseSpotSlots() external view returns (uint16);

    /// @notice Highest venue id that can be given out.
    function maxVenues() external view returns (uint32);

    /// @notice Highest market id that can be given out.
    function maxMarkets() external view returns (uint32);

    /// @notice Venue ids given out so far.
    function venueCount() external view returns (uint32);

    /// @notice Market ids given out so far.
    function marketCount() external view returns (uint32);

    /// @notice A venue. Reverts with `UnknownVenue` if there is none.
    function venueOf(VenueId venue) external view returns (Venue memory);

    /// @notice Venue that has a name; 0 if it is free.
    function venueNamed(string calldata name) external view returns (VenueId);

    /// @notice Id that users see of a market: `venue << 16 | number in the venue`; 0 if there is none.
    function marketIdOf(MarketId market) external view returns (uint32);
}
