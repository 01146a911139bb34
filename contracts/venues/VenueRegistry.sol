// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IGuardianBrake} from "../interfaces/IGuardianBrake.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {IMarketRegistry} from "../interfaces/IMarketRegistry.sol";
import {IOwnerRegistry} from "../interfaces/IOwnerRegistry.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {IVenueRegistry} from "../interfaces/IVenueRegistry.sol";
import {NO_VENUE, OwnerId, VenueId} from "../interfaces/Types.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";

/// @title VenueRegistry
/// @notice Implements {IVenueRegistry}, which says what it does, what it assumes and how it fails.
contract VenueRegistry is IVenueRegistry {
    /* CONSTANTS */

    uint256 private constant _MIN_NAME = 3;
    uint256 private constant _MAX_NAME = 32;
    /// @dev A market id is `venue << 16 | number` and stays below 2^31.
    uint32 private constant _MAX_VENUE_ID = (1 << 15) - 1;
    /// @dev Stake is told to the zone in gwei, below 2^62.
    uint256 private constant _MAX_STAKE_GWEI = (1 << 62) - 1;
    /// @dev Fields of the zone are one bit narrower than their words.
    uint16 private constant _MAX_CLASS = (1 << 15) - 1;
    uint64 private constant _MAX_REGIONS = (1 << 63) - 1;

    /* IMMUTABLES */

    /// @notice Queue that tells the zone of venues.
    IInbox public immutable inbox;
    /// @notice Gives deployers their owner ids.
    IOwnerRegistry public immutable owners;
    /// @notice Holds the stake.
    IStakingVault public immutable staking;
    /// @inheritdoc IVenueRegistry
    address public immutable markets;
    /// @inheritdoc IVenueRegistry
    address public immutable brake;
    /// @inheritdoc IVenueRegistry
    uint256 public immutable venueStake;
    /// @inheritdoc IVenueRegistry
    uint32 public immutable maxVenues;

    /* STORAGE */

    struct Entry {
        address deployer;
        OwnerId owner;
        string name;
        Status status;
    }

    /// @inheritdoc IVenueRegistry
    uint32 public venueCount;

    mapping(VenueId venue => Entry entry) private _venues;
    mapping(bytes32 nameHash => VenueId venue) private _venueNamed;

    /* CONSTRUCTOR */

    /// @param inbox_ queue of the zone.
    /// @param owners_ owner registry of the zone.
    /// @param staking_ staking vault that lets this contract lock.
    /// @param markets_ market registry of the zone.
    /// @param brake_ may refuse new venues and listings for a while; zero = nothing can.
    /// @param venueStake_ stake behind each venue, wei; whole gwei.
    /// @param maxVenues_ highest venue id; at most 2^15 - 1.
    constructor(
        IInbox inbox_,
        IOwnerRegistry owners_,
        IStakingVault staking_,
        IMarketRegistry markets_,
        IGuardianBrake brake_,
        uint256 venueStake_,
        uint32 maxVenues_
    ) {
        if (venueStake_ == 0 || venueStake_ % 1 gwei != 0 || venueStake_ / 1 gwei > _MAX_STAKE_GWEI)
        revert BadStake(venueStake_);
        if (maxVenues_ > _MAX_VENUE_ID) revert VenuesFull(_MAX_VENUE_ID);
        inbox = inbox_;
        owners = owners_;
        staking = staking_;
        markets = address(markets_);
        brake = address(brake_);
        venueStake = venueStake_;
        maxVenues = maxVenues_;
    }

    /* WRITES: DEPLOYERS */

    /// @inheritdoc IVenueRegistry
    function createVenue(string calldata name, uint8 access)
        external
        payable
        returns (VenueId venue)
    {
        _requireDoorOpen();
        if (access > InboxMessages.ACCESS_CREDENTIAL) revert UnknownAccess(access);
        _requireName(name);
        if (venueCount >= maxVenues) revert VenuesFull(maxVenues);

        venueCount++;
        venue = VenueId.wrap(venueCount);
        _venueNamed[keccak256(bytes(name))] = venue;
        OwnerId owner = owners.registerIfNew{value: msg.value}(msg.sender);
        Entry storage entry = _venues[venue];
        entry.deployer = msg.sender;
        entry.owner = owner;
        entry.name = name;
        entry.status.state = InboxMessages.VENUE_ACTIVE;
        entry.status.rule.access = access;
        entry.status.stakeTold = uint64(venueStake / 1 gwei);
        staking.lock(msg.sender, venue, venueStake);
        uint64 index = inbox.enqueue(
            InboxMessages.CREATE_VENUE,
            InboxMessages.createVenue(venue, owner, access, uint64(venueStake / 1 gwei))
        );
        emit VenueCreated(venue, owner, msg.sender, name, access, venueStake, index);
    }

    /// @inheritdoc IVenueRegistry
    function addStake(VenueId venue, uint256 amount) external {
        _ownVenue(venue);
        staking.lock(msg.sender, venue, amount);
        emit StakeAdded(venue, msg.sender, amount, staking.stakeOf(venue));
    }

    /// @inheritdoc IVenueRegistry
    function configure(VenueId venue, uint8 state, AccessRule calldata rule) external {
        Status storage status = _ownVenue(venue).status;
        if (state != InboxMessages.VENUE_ACTIVE && state != InboxMessages.VENUE_REDUCE_ONLY) {
            revert BadState(state);
        }
        _requireRule(rule);
        bool isSameRule = _isSame(rule, status.rule);
        if (isSameRule && state == status.state) revert Unchanged(venue);
        if (IMarketRegistry(markets).openMarketsOf(venue) == 0) {
            status.isAnnounced = false;
            _tell(venue, state, rule);
            return;
        }
        IMarketRegistry.Config memory config = IMarketRegistry(markets).config();
        bool isStateOnly = isSameRule && !status.isAnnounced;
        uint64 notice = isStateOnly ? config.messageLag : config.changeNotice;
        status.isAnnounced = true;
        status.nextState = state;
        status.nextRule = rule;
        status.readyAt = uint64(block.timestamp) + notice;
        emit ChangeAnnounced(venue, state, rule, status.readyAt);
    }

    /// @inheritdoc IVenueRegistry
    function cancelChange(VenueId venue) external {
        Status storage status = _ownVenue(venue).status;
        if (!status.isAnnounced) revert NothingAnnounced(venue);
        status.isAnnounced = false;
        emit ChangeCancelled(venue);
    }

    /// @inheritdoc IVenueRegistry
    function reduceOnly(VenueId venue) external {
        Status storage status = _ownVenue(venue).status;
        if (status.state == InboxMessages.VENUE_REDUCE_ONLY) revert Unchanged(venue);
        status.isAnnounced = false;
        _tell(venue, InboxMessages.VENUE_REDUCE_ONLY, status.rule);
    }

    /// @inheritdoc IVenueRegistry
    function offerVenue(VenueId venue, address to) external {
        Entry storage entry = _ownVenue(venue);
        if (to == msg.sender) revert BadOffer(to);
        if (to == entry.status.offeredTo) revert Unchanged(venue);
        entry.status.offeredTo = to;
        emit VenueOffered(venue, msg.sender, to);
    }

    /// @inheritdoc IVenueRegistry
    function acceptVenue(VenueId venue) external {
        Entry storage entry = _liveVenue(venue);
        if (msg.sender != entry.status.offeredTo) revert NotOffered(venue, msg.sender);
        address before = entry.deployer;
        entry.deployer = msg.sender;
        entry.status.offeredTo = address(0);
        staking.lock(msg.sender, venue, venueStake);
        emit VenueHandedOver(venue, before, msg.sender, staking.stakeOf(venue));
    }

    /// @inheritdoc IVenueRegistry
    function windDown(VenueId venue) external {
        Status storage status = _ownVenue(venue).status;
        uint16 open = IMarketRegistry(markets).openMarketsOf(venue);
        if (open != 0) revert MarketsOpen(venue, open);
        status.offeredTo = address(0);
        status.isAnnounced = false;
        _tell(venue, InboxMessages.VENUE_WOUND_DOWN, status.rule);
    }

    /* WRITES: ANYONE */

    /// @inheritdoc IVenueRegistry
    function applyChange(VenueId venue) external {
        Status storage status = _liveVenue(venue).status;
        if (!status.isAnnounced) revert NothingAnnounced(venue);
        if (block.timestamp < status.readyAt) revert NotReady(venue, status.readyAt);
        status.isAnnounced = false;
        _tell(venue, status.nextState, status.nextRule);
    }

    /// @inheritdoc IVenueRegistry
    function tellStake(VenueId venue) external {
        Status storage status = _liveVenue(venue).status;
        if (_stakeGwei(venue) == status.stakeTold) revert Unchanged(venue);
        _tell(venue, status.state, status.rule);
    }

    /* VIEWS */

    /// @inheritdoc IVenueRegistry
    function venueOf(VenueId venue) external view returns (Venue memory) {
        Entry storage entry = _venueAt(venue);
        return Venue({
            deployer: entry.deployer,
            owner: entry.owner,
            access: entry.status.rule.access,
            markets: IMarketRegistry(markets).openMarketsOf(venue),
            name: entry.name
        });
    }

    /// @inheritdoc IVenueRegistry
    function deployerOf(VenueId venue) external view returns (address) {
        return _venues[venue].deployer;
    }

    /// @inheritdoc IVenueRegistry
    function statusOf(VenueId venue) external view returns (Status memory) {
        return _venueAt(venue).status;
    }

    /// @inheritdoc IVenueRegistry
    function venueNamed(string calldata name) external view returns (VenueId) {
        return _venueNamed[keccak256(bytes(name))];
    }

    /// @inheritdoc IVenueRegistry
    function marketCount() external view returns (uint32) {
        return IMarketRegistry(markets).marketCount();
    }

    /// @inheritdoc IVenueRegistry
    function requireLister(VenueId venue, address account) external view {
        _requireDoorOpen();
        requireDeployer(venue, account);
        uint256 backing = staking.backingOf(venue);
        if (backing < venueStake) revert VenueNotBacked(venue, backing, venueStake);
    }

    /// @inheritdoc IVenueRegistry
    function requireDeployer(VenueId venue, address account) public view {
        address deployer = _liveVenue(venue).deployer;
        if (account != deployer) revert NotDeployer(account, deployer);
    }

    /* INTERNAL */

    function _venueAt(VenueId venue) private view returns (Entry storage) {
        Entry storage entry = _venues[venue];
        if (entry.deployer == address(0)) revert UnknownVenue(venue);
        return entry;
    }

    function _liveVenue(VenueId venue) private view returns (Entry storage entry) {
        entry = _venueAt(venue);
        if (entry.status.state == InboxMessages.VENUE_WOUND_DOWN) revert VenueWoundDown(venue);
    }

    function _ownVenue(VenueId venue) private view returns (Entry storage entry) {
        requireDeployer(venue, msg.sender);
        return _venues[venue];
    }

    /// @dev Give a venue a state and a rule, and tell the zone, also of its stake.
    function _tell(VenueId venue, uint8 state, AccessRule memory rule) private {
        if (rule.access == InboxMessages.ACCESS_CREDENTIAL && rule.provider == address(0)) {
            revert NoProvider(venue);
        }
        Status storage status = _venues[venue].status;
        uint8 stateBefore = status.state;
        AccessRule memory before = status.rule;
        uint64 stakeGwei = _stakeGwei(venue);
        status.state = state;
        status.rule = rule;
        status.stakeTold = stakeGwei;
        uint64 index = inbox.enqueue(
            InboxMessages.UPDATE_VENUE, InboxMessages.updateVenue(venue, state, rule, stakeGwei)
        );
        emit VenueUpdated(venue, stateBefore, state, before, rule, stakeGwei, index);
    }

    /// @dev Rounded down: the zone never counts on more than there is.
    function _stakeGwei(VenueId venue) private view returns (uint64) {
        uint256 gwei_ = staking.stakeOf(venue) / 1 gwei;
        return uint64(gwei_ > _MAX_STAKE_GWEI ? _MAX_STAKE_GWEI : gwei_);
    }

    function _isSame(AccessRule calldata a, AccessRule storage b) private view returns (bool) {
        return a.access == b.access && a.provider == b.provider && a.minClass == b.minClass
            && a.regions == b.regions;
    }

    function _requireRule(AccessRule calldata rule) private pure {
        if (rule.access > InboxMessages.ACCESS_CREDENTIAL) revert UnknownAccess(rule.access);
        if (rule.minClass > _MAX_CLASS) revert BadRule("minClass");
        if (rule.regions > _MAX_REGIONS) revert BadRule("regions");
        bool hasProvider = rule.provider != address(0);
        if (rule.access == InboxMessages.ACCESS_CREDENTIAL && !hasProvider) {
            revert BadRule("provider");
        }
        // A provider without regions would admit nobody; regions without a provider mean nothing.
        if (hasProvider != (rule.regions != 0)) revert BadRule("regions");
        if (!hasProvider && rule.minClass != 0) revert BadRule("minClass");
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
