// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAssetRegistry} from "../interfaces/IAssetRegistry.sol";
import {IGuardianBrake} from "../interfaces/IGuardianBrake.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {IOwnerRegistry} from "../interfaces/IOwnerRegistry.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {IVenueRegistry} from "../interfaces/IVenueRegistry.sol";
import {MarketId, NO_VENUE, OwnerId, VenueId} from "../interfaces/Types.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";
import {ListingBounds} from "../libraries/ListingBounds.sol";

/// @title VenueRegistry
/// @notice Implements {IVenueRegistry}, which says what it does, what it assumes and how it fails.
contract VenueRegistry is IVenueRegistry {
    /* CONSTANTS */

    /// @dev Access rules: open, allow-list, credential.
    uint8 private constant _MAX_ACCESS = 2;
    uint256 private constant _MIN_NAME = 3;
    uint256 private constant _MAX_NAME = 32;
    /// @dev A market id is `venue << 16 | number` and stays below 2^31.
    uint32 private constant _MAX_VENUE_ID = (1 << 15) - 1;
    /// @dev Stake is told to the zone in gwei, below 2^62.
    uint256 private constant _MAX_STAKE_GWEI = (1 << 62) - 1;

    /* IMMUTABLES */

    /// @notice Queue that tells the zone of venues and markets.
    IInbox public immutable inbox;
    /// @notice Gives deployers their owner ids.
    IOwnerRegistry public immutable owners;
    /// @notice Terms of the assets.
    IAssetRegistry public immutable assets;
    /// @notice Holds the stake.
    IStakingVault public immutable staking;
    /// @inheritdoc IVenueRegistry
    address public immutable brake;
    /// @inheritdoc IVenueRegistry
    uint256 public immutable venueStake;
    /// @inheritdoc IVenueRegistry
    uint16 public immutable baseSpotSlots;
    /// @inheritdoc IVenueRegistry
    uint32 public immutable maxVenues;
    /// @inheritdoc IVenueRegistry
    uint32 public immutable maxMarkets;

    /* STORAGE */

    /// @inheritdoc IVenueRegistry
    uint32 public venueCount;
    /// @inheritdoc IVenueRegistry
    uint32 public marketCount;
    /// @inheritdoc IVenueRegistry
    mapping(MarketId market => uint32 id) public marketIdOf;

    mapping(VenueId venue => Venue entry) private _venues;
    mapping(bytes32 nameHash => VenueId venue) private _venueNamed;

    /* CONSTRUCTOR */

    /// @param inbox_ queue of the zone.
    /// @param owners_ owner registry of the zone.
    /// @param assets_ asset registry of the zone.
    /// @param staking_ staking vault that lets this contract lock.
    /// @param brake_ may refuse new venues and listings for a while; zero = nothing can.
    /// @param venueStake_ stake behind each venue, wei; whole gwei.
    /// @param baseSpotSlots_ free spot markets of a venue.
    /// @param maxVenues_ highest venue id; at most 2^15 - 1.
    /// @param maxMarkets_ highest market id; below the capacity of the zone's market table.
    constructor(
        IInbox inbox_,
        IOwnerRegistry owners_,
        IAssetRegistry assets_,
        IStakingVault staking_,
        IGuardianBrake brake_,
        uint256 venueStake_,
        uint16 baseSpotSlots_,
        uint32 maxVenues_,
        uint32 maxMarkets_
    ) {
        if (venueStake_ == 0 || venueStake_ % 1 gwei != 0 || venueStake_ / 1 gwei > _MAX_STAKE_GWEI)
        revert BadStake(venueStake_);
        if (maxVenues_ > _MAX_VENUE_ID) revert VenuesFull(_MAX_VENUE_ID);
        inbox = inbox_;
        owners = owners_;
        assets = assets_;
        staking = staking_;
        brake = address(brake_);
        venueStake = venueStake_;
        baseSpotSlots = baseSpotSlots_;
        maxVenues = maxVenues_;
        maxMarkets = maxMarkets_;
    }

    /* WRITES */

    /// @inheritdoc IVenueRegistry
    function createVenue(string calldata name, uint8 access)
        external
        payable
        returns (VenueId venue)
    {
        _requireDoorOpen();
        if (access > _MAX_ACCESS) revert UnknownAccess(access);
        _requireName(name);
        if (venueCount >= maxVenues) revert VenuesFull(maxVenues);

        venueCount++;
        venue = VenueId.wrap(venueCount);
        _venueNamed[keccak256(bytes(name))] = venue;
        OwnerId owner = owners.registerIfNew{value: msg.value}(msg.sender);
        _venues[venue] =
            Venue({deployer: msg.sender, owner: owner, access: access, markets: 0, name: name});
        staking.lock(msg.sender, venue, venueStake);
        uint64 index = inbox.enqueue(
            InboxMessages.CREATE_VENUE,
            InboxMessages.createVenue(venue, owner, access, uint64(venueStake / 1 gwei))
        );
        emit VenueCreated(venue, owner, msg.sender, name, access, venueStake, index);
    }

    /// @inheritdoc IVenueRegistry
    function listSpot(SpotTerms calldata terms) external returns (MarketId market) {
        _requireDoorOpen();
        Venue storage venue = _venueAt(terms.venue);
        if (msg.sender != venue.deployer) revert NotDeployer(msg.sender, venue.deployer);
        uint256 backing = staking.backingOf(terms.venue);
        if (backing < venueStake) revert VenueNotBacked(terms.venue, backing, venueStake);
        if (venue.markets >= baseSpotSlots) revert NoSlotLeft(terms.venue, baseSpotSlots);
        if (marketCount >= maxMarkets) revert MarketsFull(maxMarkets);
        if (terms.base == terms.quote) revert SameAsset(terms.base);
        if (!assets.isOpen(terms.base)) revert AssetNotOpen(terms.base);
        if (!assets.isOpen(terms.quote)) revert AssetNotOpen(terms.quote);
        ListingBounds.requireSpot(terms);

        SpotTerms memory listed = terms;
        uint64 nowMs = uint64(block.timestamp) * 1000;
        if (listed.effectiveAt < nowMs) listed.effectiveAt = nowMs;

        venue.markets++;
        marketCount++;
        market = MarketId.wrap(marketCount);
        uint32 id = (VenueId.unwrap(terms.venue) << 16) | venue.markets;
        marketIdOf[market] = id;
        uint64 index =
            inbox.enqueue(InboxMessages.LIST_MARKET, InboxMessages.listSpot(market, id, listed));
        emit SpotListed(market, id, terms.venue, listed, index);
    }

    /// @inheritdoc IVenueRegistry
    function addStake(VenueId venue, uint256 amount) external {
        Venue storage entry = _venueAt(venue);
        if (msg.sender != entry.deployer) revert NotDeployer(msg.sender, entry.deployer);
        staking.lock(msg.sender, venue, amount);
        emit StakeAdded(venue, msg.sender, amount, staking.stakeOf(venue));
    }

    /* VIEWS */

    /// @inheritdoc IVenueRegistry
    function venueOf(VenueId venue) external view returns (Venue memory) {
        return _venueAt(venue);
    }

    /// @inheritdoc IVenueRegistry
    function venueNamed(string calldata name) external view returns (VenueId) {
        return _venueNamed[keccak256(bytes(name))];
    }

    /* INTERNAL */

    function _venueAt(VenueId venue) private view returns (Venue storage) {
        Venue storage entry = _venues[venue];
        if (entry.deployer == address(0)) revert UnknownVenue(venue);
        return entry;
    }

    function _requireDoorOpen() private view {
        if (brake == address(0) || !IGuardianBrake(brake).isClosed()) return;
        revert ListingsClosed(IGuardianBrake(brake).closedUntil());
    }

    function _requireName(string calldata name) private view {
        bytes calldata raw = bytes(name);
        if (raw.length < _MIN_NAME || raw.length > _MAX_NAME) revert BadName(name);
        for (uint256 i = 0; i < raw.length; i++) {
            bytes1 c = raw[i];
            bool isLetter = c >= "a" && c <= "z";
            bool isDigit = c >= "0" && c <= "9";
            if (!isLetter && !isDigit && c != "-") revert BadName(name);
        }
        VenueId taken = _venueNamed[keccak256(raw)];
        if (taken != NO_VENUE) revert NameTaken(name, taken);
    }
}
