// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IStateChain} from "./IStateChain.sol";
import {ClaimId, VenueId} from "./Types.sol";
import {IERC5805} from "@openzeppelin/contracts/interfaces/IERC5805.sol";

/// @title IStakingVault
/// @notice Holds staked native coin (OKB on X Layer). Every staked wei is in exactly one bucket of one
/// account:
///
/// - **free**: the account may lock it behind a venue or ask to have it back;
/// - **locked**: it stands behind a venue; a proof that the venue is empty moves it to unbonding;
/// - **unbonding**: asked back, waiting. What was free may be called back to free meanwhile; what stood
///   behind a venue may not, so that it cannot be put behind another one before evidence is too old.
///
/// The sum of all buckets equals `totalStaked` at all times, and what was slashed and not yet
/// collected is `totalOwed`; coin that arrives otherwise changes nothing. The rules are in
/// docs/spec/staking.md.
///
/// Free and locked stake votes (`IERC5805`, clock in seconds). An account is its own delegate until it
/// names another; delegation is not passed on.
///
/// Assumptions for safety:
/// - The venue registry locks only what the account's own call asked it to lock.
/// - The court slashes only the guilty. It is the one party that can take stake.
/// - Final roots are right.
///
/// Assumptions for liveness: none. A court that never closes a case, a chain that freezes and a chain
/// that stops each delay a withdrawal by a bounded time.
interface IStakingVault is IERC5805 {
    /// @notice An account's buckets, wei.
    struct Buckets {
        uint256 free;
        uint256 locked; // behind all venues together
        uint256 unbonding;
    }

    /// @notice A request to have stake back.
    struct UnbondRequest {
        uint64 id; // from 1 for each account; 0 = none, cancelled, slashed away or paid
        uint128 amount; // wei
        uint48 time; // L1 seconds
        bool isReleased; // it stood behind a venue: no way back to free
        uint64 blockNumber; // L1 block
        uint64 batch; // the clock begins when a claim of this batch or a later one is final and noted
        uint64 stoppedSeconds; // what cases had taken of the account's time before, seconds
        uint64 stoppedBlocks; // and blocks
    }

    /// @notice Where a request stands.
    struct Unbonding {
        bool isRunning; // the clock has begun; else `until` is that of a chain that stopped
        uint64 untilTime; // both must be reached, and no case be open
        uint64 untilBlock;
    }

    /// @notice A case of the court against an account.
    struct Case {
        address account; // zero = there is none
        uint64 time; // when it was opened
        uint64 blockNumber;
        bool isClosed;
    }

    /// @notice Proof that a venue is empty in a final state that knows all L1 told it about the venue.
    struct ReleaseProof {
        ClaimId claim; // final
        IStateChain.Header header; // of the claim's batch
        bytes32[] words; // the venue's record
        bytes32[] siblings; // 40, bottom up
    }

    /* EVENTS */

    event Staked(
        address indexed account,
        address indexed from,
        uint256 amount,
        uint256 freeBefore,
        uint256 free
    );
    event Locked(
        address indexed account,
        VenueId indexed venue,
        uint256 amount,
        uint256 freeBefore,
        uint256 free
    );
    /// @notice A venue, or one account's stake behind it, is leaving; its lock ends against a state that consumed the inbox up to
    /// `inboxIndex`.
    event ReleaseRequested(address indexed account, VenueId indexed venue, uint64 inboxIndex);
    event ReleaseCancelled(address indexed account, VenueId indexed venue);
    event Released(
        address indexed account,
        VenueId indexed venue,
        uint64 indexed requestId,
        ClaimId claim,
        uint256 amount
    );
    event UnbondRequested(
        address indexed account,
        uint64 indexed requestId,
        uint256 amount,
        uint256 freeBefore,
        uint256 free
    );
    event UnbondCancelled(
        address indexed account,
        uint64 indexed requestId,
        uint256 amount,
        uint256 freeBefore,
        uint256 free
    );
    event Withdrawn(address indexed account, uint64 indexed requestId, uint256 amount);
    /// @notice The newest final batch was written down; 2^64 - 1 if the chain is frozen.
    event FinalityNoted(uint64 indexed batch, uint64 time, uint64 blockNumber);
    event CaseOpened(bytes32 indexed caseId, address indexed account);
    /// @notice A case ended: by the court, or because its time was over.
    event CaseClosed(bytes32 indexed caseId, address indexed account, bool isLapsed);
    event Slashed(
        bytes32 indexed caseId,
        address indexed account,
        VenueId indexed venue,
        uint256 fromLocked,
        uint256 fromUnbonding,
        uint256 fromFree,
        address to
    );
    event Collected(address indexed account, uint256 amount);

    /* ERRORS */

    error ZeroAddress();
    error ZeroAmount();
    /// @notice The unbonding of the constructor is shorter than a case may take.
    error UnbondingTooShort(uint64 unbonding, uint64 caseTime);
    /// @notice The account has less free stake than this takes.
    error InsufficientFree(address account, uint256 asked, uint256 free);
    error NotVenueRegistry(address caller, address venueRegistry);
    error NotCourt(address caller, address court);
    error UnknownRequest(address account, uint64 requestId);
    /// @notice The stake stood behind a venue; it has to be withdrawn before it is staked again.
    error NotCancellable(uint64 requestId);
    error TooManyRequests(address account, uint256 most);
    /// @notice The stake is bound until both of these are reached; if `isRunning` is false, until a
    /// root of the request's batch is final and noted, and these are the end of waiting for it.
    error UnbondingRunning(bool isRunning, uint64 untilTime, uint64 untilBlock);
    /// @notice The account waits for a verdict: it withdraws nothing and puts nothing behind a venue.
    error CaseOpen(address account, uint64 openCases);
    error NothingLocked(address account, VenueId venue);
    error VenueLeaving(VenueId venue);
    error VenueNotLeaving(VenueId venue);
    /// @notice The header given is not that of the claim's batch.
    error WrongHeader(bytes32 given, bytes32 committed);
    /// @notice The state has not consumed every message that the inbox held at the request.
    error StateTooOld(uint64 inboxIndex, uint64 needed);
    /// @notice The state has no record of the venue.
    error VenueUnknownToState(VenueId venue);
    error VenueNotEmpty(VenueId venue, uint16 markets, uint16 perps, uint32 orders);
    error CaseExists(bytes32 caseId);
    error UnknownCase(bytes32 caseId);
    error CaseOver(bytes32 caseId);
    /// @notice The court has time until both of these are reached.
    error CaseRunning(uint64 untilTime, uint64 untilBlock);
    error NothingOwed(address account);
    error TransferFailed(address to, uint256 amount);

    /* WRITES: STAKERS */

    /// @notice Stake the value sent for the caller.
    function stake() external payable;

    /// @notice Stake the value sent for `account`, which alone disposes of it.
    function stakeFor(address account) external payable;

    /// @notice Ask to have free stake back. It no longer votes.
    /// @return requestId number of the request, from 1 for each account.
    function requestUnbond(uint256 amount) external returns (uint64 requestId);

    /// @notice Call a request for free stake back: it is free again at once.
    function cancelUnbond(uint64 requestId) external;

    /// @notice Take out the stake of a request of the caller whose unbonding is over.
    function withdraw(uint64 requestId) external;

    /// @notice Begin to take the caller's stake from behind a venue. By the venue's deployer: the venue is
    /// leaving, nothing more is listed on it. By who handed it over: for the caller's own stake, and the
    /// venue goes on.
    function requestRelease(VenueId venue) external;

    /// @notice Call that back: the venue, or the caller's stake behind it, stays.
    function cancelRelease(VenueId venue) external;

    /// @notice Move the caller's stake from behind a venue that is empty to unbonding, if the venue is leaving
    /// or the caller has asked for it.
    /// @return requestId as of `requestUnbond`; it cannot be cancelled.
    function release(VenueId venue, ReleaseProof calldata proof) external returns (uint64 requestId);

    /* WRITES: ANYONE */

    /// @notice Write down which batch is final now, so that the clocks that wait for it begin.
    function noteFinality() external;

    /// @notice End a case whose time is over.
    function lapseCase(bytes32 caseId) external;

    /// @notice Pay `account` what it is owed. Anyone may call.
    function collect(address account) external;

    /* WRITES: PARTNERS */

    /// @notice Move free stake behind a venue. Only the venue registry calls it.
    function lock(address account, VenueId venue, uint256 amount) external;

    /// @notice Open a case: the account's clocks stand still. Only the court calls it.
    function openCase(bytes32 caseId, address account) external;

    /// @notice Close a case. Only the court calls it.
    function closeCase(bytes32 caseId) external;

    /// @notice Take stake of the accused of an open case: from behind `venue`, then from unbonding,
    /// newest request first, then from free; never from behind another venue. Only the court calls it.
    /// @param amount wei; if less is there, what is there.
    /// @param to whom it is owed.
    /// @return taken wei.
    function slash(bytes32 caseId, VenueId venue, uint256 amount, address to)
        external
        returns (uint256 taken);

    /* VIEWS: PARAMETERS */

    /// @notice Contract that may lock stake.
    function venueRegistry() external view returns (address);

    /// @notice Whose final roots count.
    function chain() external view returns (IStateChain);

    /// @notice Contract that may open cases and slash; zero = nobody.
    function court() external view returns (address);

    /// @notice Time that stake stays after the root that a request waits for, seconds.
    function unbondingSeconds() external view returns (uint64);

    /// @notice Blocks that stake stays after the root that a request waits for.
    function unbondingBlocks() external view returns (uint64);

    /// @notice Longest time of a case, seconds.
    function caseSeconds() external view returns (uint64);

    /// @notice Longest time of a case, blocks.
    function caseBlocks() external view returns (uint64);

    /// @notice Requests of an account that may be open together.
    function MAX_REQUESTS() external view returns (uint256);

    /* VIEWS: STATE */

    /// @notice Sum of all buckets of all accounts, wei.
    function totalStaked() external view returns (uint256);

    /// @notice Slashed and not yet collected, wei.
    function totalOwed() external view returns (uint256);

    /// @notice What `collect` would pay `account`, wei.
    function owedTo(address account) external view returns (uint256);

    /// @notice The buckets of an account.
    function bucketsOf(address account) external view returns (Buckets memory);

    /// @notice Stake the account disposes of, wei.
    function freeOf(address account) external view returns (uint256);

    /// @notice Stake of the account behind venues, wei.
    function lockedOf(address account) external view returns (uint256);

    /// @notice Stake of the account that waits to be withdrawn, wei.
    function unbondingOf(address account) external view returns (uint256);

    /// @notice Stake of an account behind a venue, wei.
    function lockedBehind(address account, VenueId venue) external view returns (uint256);

    /// @notice Stake behind a venue, wei.
    function stakeOf(VenueId venue) external view returns (uint256);

    /// @notice Stake on which a venue can build, wei: none while it is leaving.
    function backingOf(VenueId venue) external view returns (uint256);

    /// @notice Whether the stake behind a venue has been asked for, and what a state must have consumed.
    function leavingOf(VenueId venue) external view returns (bool isLeaving, uint64 inboxIndex);

    /// @notice A request of an account; `id` is 0 if it is not open.
    function requestOf(address account, uint64 requestId)
        external
        view
        returns (UnbondRequest memory);

    /// @notice Open requests of an account.
    function requestsOf(address account) external view returns (UnbondRequest[] memory);

    /// @notice When a request can be withdrawn if no further case is opened. A running case counts up
    /// to now.
    function unbondingStateOf(address account, uint64 requestId)
        external
        view
        returns (Unbonding memory);

    /// @notice A case.
    function caseOf(bytes32 caseId) external view returns (Case memory);

    /// @notice Cases that are open against an account.
    function openCasesOf(address account) external view returns (uint64);

    /* VIEWS: VOTES */

    /// @notice Votes of an account that are older than `age`: the smaller of those at `timepoint` and
    /// at `timepoint - age`.
    /// @param timepoint in the past, seconds.
    /// @param age seconds.
    function agedVotes(address account, uint256 timepoint, uint256 age)
        external
        view
        returns (uint256);

    /// @notice The same of all accounts together.
    function agedTotal(uint256 timepoint, uint256 age) external view returns (uint256);
}
