// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IEventResolver} from "./IEventResolver.sol";
import {ProviderId} from "./OracleTypes.sol";
import {EventId, VenueId} from "./Types.sol";

/// @title IOutcomeResolver
/// @notice How the result of an event gets into the zone: a bonded proposal, a window in which anyone can
/// challenge it, an arbiter for what is challenged, and a vector fixed beforehand for silence.
/// docs/spec/oracles.md has the rules and their reasons.
///
/// A payout vector is one number: its 32 bytes are the fractions, two bytes each, that of outcome 0
/// first. The fractions sum to exactly 10,000, and an event's unit is a multiple of 10,000. So every
/// payout is exact.
///
/// An event becomes a group here when it is listed, in the same call and under the same id: listings call
/// `takeEvent` with `Details` as data. What it ends with goes back to listings, which tell the zone and
/// close the markets.
///
/// Each group gets one result. Every state has an exit that anyone can take after a bounded time. Bonds
/// and windows grow with the exposure that a group declares, and the exposure of a venue's unresolved
/// groups is bounded by its stake.
///
/// Assumptions for safety:
/// - Somebody who knows the result looks within the window and has the bond.
/// - The arbiter decides right what is challenged. It cannot touch what nobody challenged.
/// - Listings hand over events whose void vector and number of outcomes are valid, each id once.
/// - The deployer caps the open interest of an event's markets by its exposure. Nothing makes it: who
///   trades an event weighs the exposure, which says what a wrong result costs, against the caps.
///
/// Assumptions for liveness: listings take a result for every event that they handed over. Silence ends
/// in the void vector.
interface IOutcomeResolver is IEventResolver {
    /// @notice Where a group stands.
    enum Phase {
        NONE,
        OPEN, // waits for its time, or for the provider
        CALLED, // somebody asked for the result
        PROPOSED,
        CHALLENGED,
        RESOLVED, // final
        VOID // final
    }

    /// @notice Parameters, fixed by the constructor. Periods count seconds and blocks.
    // Memory only: nothing is packed. The linter cannot know.
    // solhint-disable-next-line gas-struct-packing
    struct Config {
        address inbox; // closed = the zone hears nothing any more
        address listings; // hand events over and take their results
        address staking; // says what stands behind it
        address oracles; // knows the providers
        address arbiter; // decides what is challenged
        address treasury;
        uint256 openFee; // wei
        uint256 minBond; // wei
        uint256 fullExposure; // at which the window is longest, wei
        uint32 bondRate; // of the exposure, ppm
        uint32 exposureMultiple; // of the stake
        uint32 maxOpen; // unresolved groups of one venue
        Period windowMin;
        Period windowMax;
        Period providerTime; // after the call, for the provider alone
        Period arbiterTime; // after a challenge
        Period silence; // after the call, until the group is void
    }

    /// @notice A period of L1.
    struct Period {
        uint64 time; // seconds
        uint64 blocks;
    }

    /// @notice What `takeEvent` wants to know besides the terms of the event: its data, ABI-encoded.
    struct Details {
        ProviderId provider; // proposes first
        uint64 resolvesAt; // no proposal before, L1 seconds
        uint128 exposure; // most that may be at stake, wei
    }

    /// @notice A group.
    // 130 bytes, five words: as few as there can be. The linter counts ids as words.
    // solhint-disable-next-line gas-struct-packing
    struct Group {
        VenueId venue;
        ProviderId provider;
        uint64 resolvesAt;
        uint8 outcomes;
        Phase phase;
        uint128 exposure;
        uint128 bond; // of a proposal and of a challenge, wei
        uint64 calledTime; // L1 seconds; 0 = not called
        uint64 calledBlock;
        uint256 voidVector;
        uint256 result; // 0 = none yet
    }

    /// @notice A proposal or a challenge.
    struct Answer {
        address account; // zero = none
        uint64 time; // L1 seconds
        uint64 blockNumber;
        uint256 vector;
    }

    /* EVENTS */

    event GroupOpened(
        EventId indexed group,
        VenueId indexed venue,
        ProviderId indexed provider,
        Details details,
        uint256 bond
    );
    event ResultCalled(EventId indexed group, address indexed by);
    /// @notice A result stands unless it is challenged before both of these are reached.
    event Proposed(
        EventId indexed group,
        address indexed proposer,
        uint256 vector,
        uint64 untilTime,
        uint64 untilBlock
    );
    event Challenged(
        EventId indexed group,
        address indexed challenger,
        uint256 vector,
        uint64 untilTime,
        uint64 untilBlock
    );
    /// @notice A group has its result. If the inbox is closed the zone is not told and `isTold` is false.
    event Resolved(EventId indexed group, Phase phase, uint256 vector, bool isTold);
    /// @notice A bond of a game came free, or was lost to the winner and the treasury.
    event BondReturned(EventId indexed group, address indexed account, uint256 amount);
    event BondLost(
        EventId indexed group,
        address indexed account,
        address indexed winner,
        uint256 reward,
        uint256 toTreasury
    );
    event Collected(address indexed account, uint256 amount);

    /* ERRORS */

    /// @notice A parameter of the constructor is zero or contradicts another one.
    error BadConfig(string parameter);
    error NotListings(address caller, address listings);
    /// @notice Data of an event is no `Details`.
    error BadDetails(uint256 length, uint256 expected);
    error WrongFee(uint256 sent, uint256 expected);
    error TooManyOpen(VenueId venue, uint32 limit);
    error OutcomesOutOfRange(uint256 given, uint256 lowest, uint256 highest);
    /// @notice Fractions sum to exactly 10,000.
    error BadSum(uint256 sum, uint256 expected);
    error ResolvesInPast(uint64 resolvesAt, uint64 time);
    error ResolvesTooLate(uint64 resolvesAt, uint64 latest);
    error ZeroExposure();
    /// @notice The venue's stake carries no more.
    error ExposureTooLarge(VenueId venue, uint256 asked, uint256 left);
    error ProviderNotSelectable(ProviderId provider);
    error UnknownGroup(EventId group);
    error WrongPhase(EventId group, Phase phase);
    error TooEarly(uint64 time, uint64 resolvesAt);
    /// @notice The provider alone may propose until it is called and its time is over.
    error ProviderFirst(EventId group, address provider);
    /// @notice The time for this is over.
    error TooLate(EventId group);
    /// @notice The period runs until both of these are reached.
    error StillRunning(uint64 untilTime, uint64 untilBlock);
    error WrongBond(uint256 sent, uint256 expected);
    error SameVector(uint256 vector);
    error NotArbiter(address caller, address arbiter);
    error NothingToCollect(address account);
    error TransferFailed(address to, uint256 amount);

    /* WRITES */

    /// @notice Ask for the result of a group whose time has come. Anyone may; it starts the clocks.
    function callForResult(EventId group) external;

    /// @notice Propose a result. Send exactly the group's bond.
    function propose(EventId group, uint16[] calldata fractions) external payable;

    /// @notice Say that another result is right, within the window. Send exactly the group's bond.
    function challenge(EventId group, uint16[] calldata fractions) external payable;

    /// @notice Make a proposal that nobody challenged the result. Anyone may.
    function confirm(EventId group) external;

    /// @notice Decide a challenge, within the arbiter's time. Only the arbiter.
    function decide(EventId group, uint16[] calldata fractions) external;

    /// @notice Make a group void: nobody proposed, or the arbiter was silent. Anyone may.
    function lapse(EventId group) external;

    /// @notice Pay an account what it has to get. Anyone may.
    function collect(address account) external;

    /* VIEWS */

    /// @notice Parameters.
    function config() external view returns (Config memory);

    /// @notice A group. Reverts with `UnknownGroup` if there is none.
    function groupOf(EventId group) external view returns (Group memory);

    function proposalOf(EventId group) external view returns (Answer memory);
    function challengeOf(EventId group) external view returns (Answer memory);

    /// @notice Result of a group: RESOLVED or VOID and the vector, else its phase and 0. Outcome tokens of
    /// a frozen zone pay by it.
    function resultOf(EventId group) external view returns (Phase phase, uint256 vector);

    /// @notice Bond and window of a group with that exposure.
    function termsFor(uint128 exposure) external view returns (uint256 bond, Period memory window);

    /// @notice The vector of fractions; reverts if they make none.
    function toVector(uint16[] calldata fractions) external pure returns (uint256 vector);

    /// @notice Sum of the exposure of a venue's unresolved groups, wei.
    function exposureOf(VenueId venue) external view returns (uint256);

    /// @notice Unresolved groups of a venue.
    function openGroupsOf(VenueId venue) external view returns (uint32);

    /// @notice Bonds of games that run, wei.
    function bonds() external view returns (uint256);

    /// @notice Sum of what is to be collected, wei.
    function owed() external view returns (uint256);

    /// @notice What an account has to get, wei.
    function collectable(address account) external view returns (uint256);
}
