// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {GroupId, ProviderId} from "./OracleTypes.sol";
import {VenueId} from "./Types.sol";

/// @title IOutcomeResolver
/// @notice How the result of an event gets into the zone: a bonded proposal, a window in which anyone can
/// challenge it, an arbiter for what is challenged, and a vector fixed beforehand for silence.
/// docs/spec/oracles.md has the rules and their reasons.
///
/// A payout vector is one number: its 32 bytes are the fractions, two bytes each, that of outcome 0
/// first. The fractions sum to exactly 10,000, and a group's unit is a multiple of 10,000. So every
/// payout is exact.
///
/// Each group gets one result. Every state has an exit that anyone can take after a bounded time. Bonds
/// and windows grow with the exposure that a group declares, and the exposure of a venue's unresolved
/// groups is bounded by its stake.
///
/// Assumptions for safety:
/// - Somebody who knows the result looks within the window and has the bond.
/// - The arbiter decides right what is challenged. It cannot touch what nobody challenged.
/// - The venue registry caps the open interest of a group's markets by its exposure.
///
/// Assumptions for liveness: none; silence ends in the void vector.
interface IOutcomeResolver {
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
    struct Config {
        address inbox;
        address venues; // says who deployed a venue
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
        uint32 maxGroups; // highest id; below the capacity of the zone's table
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

    /// @notice What a group is opened with. None of it changes.
    struct Terms {
        VenueId venue;
        ProviderId provider; // proposes first
        uint64 unit; // atoms that a complete set pays; a multiple of 10,000
        uint64 resolvesAt; // no proposal before, L1 seconds
        uint128 exposure; // most that may be at stake, wei
        uint16[] voidFractions; // one for each outcome, 2 .. 16; sum 10,000
        bytes32 question; // keccak256 of the text that says what is asked and how it is decided
    }

    /// @notice A group.
    struct Group {
        VenueId venue;
        ProviderId provider;
        uint64 unit;
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
        GroupId indexed group,
        VenueId indexed venue,
        ProviderId indexed provider,
        Terms terms,
        uint256 bond
    );
    event ResultCalled(GroupId indexed group, address indexed by);
    /// @notice A result stands unless it is challenged before both of these are reached.
    event Proposed(
        GroupId indexed group,
        address indexed proposer,
        uint256 vector,
        uint64 untilTime,
        uint64 untilBlock
    );
    event Challenged(
        GroupId indexed group,
        address indexed challenger,
        uint256 vector,
        uint64 untilTime,
        uint64 untilBlock
    );
    /// @notice A group has its result. If the inbox is closed the zone is not told and `isTold` is false.
    event Resolved(
        GroupId indexed group, Phase phase, uint256 vector, bool isTold, uint64 inboxIndex
    );
    /// @notice A bond of a game came free, or was lost to the winner and the treasury.
    event BondReturned(GroupId indexed group, address indexed account, uint256 amount);
    event BondLost(
        GroupId indexed group,
        address indexed account,
        address indexed winner,
        uint256 reward,
        uint256 toTreasury
    );
    event Collected(address indexed account, uint256 amount);

    /* ERRORS */

    /// @notice A parameter of the constructor is zero or contradicts another one.
    error BadConfig(string parameter);
    error NotDeployer(address caller, address deployer);
    error WrongFee(uint256 sent, uint256 expected);
    error GroupsFull(uint32 maxGroups);
    error TooManyOpen(VenueId venue, uint32 limit);
    /// @notice The unit is zero, too large for the zone, or no multiple of 10,000.
    error BadUnit(uint64 unit);
    error OutcomesOutOfRange(uint256 given, uint256 lowest, uint256 highest);
    /// @notice Fractions sum to exactly 10,000.
    error BadSum(uint256 sum, uint256 expected);
    error ResolvesInPast(uint64 resolvesAt, uint64 time);
    error ResolvesTooLate(uint64 resolvesAt, uint64 latest);
    error ZeroExposure();
    /// @notice The venue's stake carries no more.
    error ExposureTooLarge(VenueId venue, uint256 asked, uint256 left);
    error ProviderNotSelectable(ProviderId provider);
    error UnknownGroup(GroupId group);
    error WrongPhase(GroupId group, Phase phase);
    error TooEarly(uint64 time, uint64 resolvesAt);
    /// @notice The provider alone may propose until it is called and its time is over.
    error ProviderFirst(GroupId group, address provider);
    /// @notice The time for this is over.
    error TooLate(GroupId group);
    /// @notice The period runs until both of these are reached.
    error StillRunning(uint64 untilTime, uint64 untilBlock);
    error WrongBond(uint256 sent, uint256 expected);
    error SameVector(uint256 vector);
    error NotArbiter(address caller, address arbiter);
    error NothingToCollect(address account);
    error TransferFailed(address to, uint256 amount);

    /* WRITES */

    /// @notice Open a group for a venue: its deployer, or the venue registry for it. Send the fee.
    function openGroup(Terms calldata terms) external payable returns (GroupId group);

    /// @notice Ask for the result of a group whose time has come. Anyone may; it starts the clocks.
    function callForResult(GroupId group) external;

    /// @notice Propose a result. Send exactly the group's bond.
    function propose(GroupId group, uint16[] calldata fractions) external payable;

    /// @notice Say that another result is right, within the window. Send exactly the group's bond.
    function challenge(GroupId group, uint16[] calldata fractions) external payable;

    /// @notice Make a proposal that nobody challenged the result. Anyone may.
    function confirm(GroupId group) external;

    /// @notice Decide a challenge, within the arbiter's time. Only the arbiter.
    function decide(GroupId group, uint16[] calldata fractions) external;

    /// @notice Make a group void: nobody proposed, or the arbiter was silent. Anyone may.
    function lapse(GroupId group) external;

    /// @notice Pay an account what it has to get. Anyone may.
    function collect(address account) external;

    /* VIEWS */

    /// @notice Parameters.
    function config() external view returns (Config memory);

    function groupCount() external view returns (uint32);

    /// @notice A group. Reverts with `UnknownGroup` if there is none.
    function groupOf(GroupId group) external view returns (Group memory);

    function proposalOf(GroupId group) external view returns (Answer memory);
    function challengeOf(GroupId group) external view returns (Answer memory);

    /// @notice Result of a group: RESOLVED or VOID and the vector, else its phase and 0. Outcome tokens of
    /// a frozen zone pay by it.
    function resultOf(GroupId group) external view returns (Phase phase, uint256 vector);

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
