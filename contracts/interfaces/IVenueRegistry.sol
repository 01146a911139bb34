// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {OwnerId, VenueId} from "./Types.sol";

/// @title IVenueRegistry
/// @notice Venues. Anyone with enough free stake opens one; its deployer says who may trade on it, lists
/// markets on it in the market registry, hands it over and winds it down. docs/spec/venues.md has the
/// rules and their reasons.
///
/// A venue's stake stays locked behind it until the venue is empty; one that is leaving, or whose stake
/// was slashed below `venueStake`, lists nothing. Venue ids and their messages come in order.
///
/// The zone applies what it is told of a venue when it reads it, so notice is given here: a change is
/// announced, and told to the zone when its time has come.
///
/// Assumptions for safety: none for users' money. A deployer can list nonsense; it can harm those who
/// trade it, inside the bounds, and nobody else.
interface IVenueRegistry {
    /// @notice A venue. Slots and oracles read it by its layout.
    // It is packed: one word and the name. The linter cannot size an id type.
    // solhint-disable-next-line gas-struct-packing
    struct Venue {
        address deployer; // sets everything about its markets
        OwnerId owner; // who opened it: in the zone it gets the venue's share of fees, for ever
        uint8 access; // 0 = open, 1 = allow-list, 2 = credential
        uint16 markets; // markets that are not closed
        string name;
    }

    /// @notice Who may trade (docs/spec/access.md). Closing is always allowed.
    struct AccessRule {
        uint8 access; // 0 = open, 1 = allow-list, 2 = credential
        address provider; // signs credentials; zero = none
        uint16 minClass; // least class that a credential needs; below 2^15
        uint64 regions; // bit r admits region r, 0 .. 62
    }

    /// @notice Where a venue stands.
    // In the order in which one reads it: an announced change is one word more, seldom written.
    // solhint-disable-next-line gas-struct-packing
    struct Status {
        uint8 state; // 1 = active, 2 = reduce-only, 3 = wound down
        AccessRule rule;
        uint64 stakeTold; // gwei, as the zone was told last
        address offeredTo; // who may take the venue over; zero = nobody
        bool isAnnounced; // the next two and the time are a change to come
        uint8 nextState;
        AccessRule nextRule;
        uint64 readyAt; // seconds; anyone may apply the change from then on
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

    /// @notice A change is announced: from `readyAt` on (seconds) anyone may apply it. It replaces what was
    /// announced before.
    event ChangeAnnounced(VenueId indexed venue, uint8 state, AccessRule rule, uint64 readyAt);
    event ChangeCancelled(VenueId indexed venue);
    /// @notice The zone was told of a venue.
    event VenueUpdated(
        VenueId indexed venue,
        uint8 stateBefore,
        uint8 state,
        AccessRule before,
        AccessRule rule,
        uint64 stakeGwei,
        uint64 inboxIndex
    );
    event StakeAdded(
        VenueId indexed venue, address indexed deployer, uint256 amount, uint256 stake
    );
    /// @notice A venue was offered to somebody; zero = to nobody any more.
    event VenueOffered(VenueId indexed venue, address indexed deployer, address indexed to);
    event VenueHandedOver(
        VenueId indexed venue, address indexed before, address indexed deployer, uint256 stake
    );

    /* ERRORS */

    /// @notice The guardians closed the door to new venues and listings.
    error ListingsClosed(uint64 until);
    /// @notice The venue is leaving, or too little stake is behind it.
    error VenueNotBacked(VenueId venue, uint256 backing, uint256 needed);

    /// @notice The stake is zero, no multiple of a gwei, or too large for the zone.
    error BadStake(uint256 stake);
    error UnknownAccess(uint8 access);
    /// @notice A credential rule names a provider and admits a region; class and regions fit their fields.
    error BadRule(string part);
    /// @notice Nothing can be told of a venue that asks for credentials and names nobody who signs them.
    error NoProvider(VenueId venue);
    /// @notice A name has 3 to 32 characters out of a-z, 0-9 and '-'.
    error BadName(string name);
    error NameTaken(string name, VenueId venue);
    /// @notice Every id of the zone is given out.
    error VenuesFull(uint32 maxVenues);
    error UnknownVenue(VenueId venue);
    error NotDeployer(address caller, address deployer);
    error BadState(uint8 state);
    error Unchanged(VenueId venue);
    error NothingAnnounced(VenueId venue);
    error NotReady(VenueId venue, uint64 readyAt);
    error NotOffered(VenueId venue, address caller);
    /// @notice A venue is offered to somebody else.
    error BadOffer(address to);
    error VenueWoundDown(VenueId venue);
    /// @notice A venue is wound down when its markets are closed.
    error MarketsOpen(VenueId venue, uint16 markets);

    /* WRITES: DEPLOYERS */

    /// @notice Open a venue against `venueStake` of the caller's free stake. Send the registration
    /// fee of the owner registry if the caller has no owner id yet, else no value. A venue with access 2
    /// admits nobody until `configure` names who signs credentials.
    /// @param name unique; 3 to 32 characters out of a-z, 0-9 and '-'.
    /// @param access 0 = open, 1 = allow-list, 2 = credential.
    /// @return venue the new id.
    function createVenue(string calldata name, uint8 access)
        external
        payable
        returns (VenueId venue);

    /// @notice Lock more of the caller's free stake behind a venue of the caller.
    function addStake(VenueId venue, uint256 amount) external;

    /// @notice Change state and access rule of a venue of the caller. On a venue without markets it counts at
    /// once; else it is announced: another rule with `changeNotice`, opening alone with `messageLag`.
    /// @param state 1 = active, 2 = reduce-only.
    function configure(VenueId venue, uint8 state, AccessRule calldata rule) external;

    /// @notice Take back what is announced.
    function cancelChange(VenueId venue) external;

    /// @notice Let only reducing orders into every market of a venue of the caller, at once. What is
    /// announced is taken back.
    function reduceOnly(VenueId venue) external;

    /// @notice Offer a venue of the caller to somebody; zero takes the offer back.
    function offerVenue(VenueId venue, address to) external;

    /// @notice Take over a venue that was offered, with `venueStake` of the caller's free stake. What the
    /// former deployer has behind it stays there until the venue is empty. In the zone the venue's fee
    /// account, its lists and its simulated assets stay with the owner who opened it.
    function acceptVenue(VenueId venue) external;

    /// @notice End a venue of the caller, whose markets are closed, for ever. Then its stake can leave.
    function windDown(VenueId venue) external;

    /* WRITES: ANYONE */

    /// @notice Apply what was announced when its time has come.
    function applyChange(VenueId venue) external;

    /// @notice Tell the zone what stands behind a venue, if it is not what it was told last.
    function tellStake(VenueId venue) external;

    /* VIEWS */

    /// @notice Contract that may refuse new venues and listings for a while; zero = there is none.
    function brake() external view returns (address);

    /// @notice Market registry of the zone.
    function markets() external view returns (address);

    /// @notice Stake that a venue needs behind it, wei.
    function venueStake() external view returns (uint256);

    /// @notice Highest venue id that can be given out.
    function maxVenues() external view returns (uint32);

    /// @notice Venue ids given out so far.
    function venueCount() external view returns (uint32);

    /// @notice Market ids given out so far by the market registry.
    function marketCount() external view returns (uint32);

    /// @notice A venue. Reverts with `UnknownVenue` if there is none.
    function venueOf(VenueId venue) external view returns (Venue memory);

    /// @notice Deployer of a venue; zero if there is no such venue.
    function deployerOf(VenueId venue) external view returns (address);

    /// @notice Where a venue stands. Reverts with `UnknownVenue` if there is none.
    function statusOf(VenueId venue) external view returns (Status memory);

    /// @notice Venue that has a name; 0 if it is free.
    function venueNamed(string calldata name) external view returns (VenueId);

    /// @notice Revert unless `account` may list markets on a venue now.
    function requireLister(VenueId venue, address account) external view;

    /// @notice Revert unless `account` is the deployer of a venue that is not wound down.
    function requireDeployer(VenueId venue, address account) external view;
}
