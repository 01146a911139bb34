// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IJudge} from "./IJudge.sol";
import {ClaimId} from "./Types.sol";

/// @title IVerifierVoteJudge
/// @notice A judge that is named for what it is: a vote of bonded verifiers. It proves nothing. It
/// is meant for zones that do not hold real money; those use a dispute game behind the same `IJudge`.
///
/// Anyone becomes a verifier by posting `bond`. Rivals under a claim are decided by the verifiers that
/// were registered *before* the second rival was claimed and had not asked for their bond by then: each
/// votes once, for one child, and the child that more than half of *all* of them vote for, and at least
/// `quorum`, wins. Nobody who joins because of a dispute has a say in it.
///
/// What one must believe (safety):
/// - More than half of the verifiers of that moment replay the zone and vote for the right child.
///   A verifier costs one bond and nothing shows that two verifiers are two people: whoever is ready
///   to bind as many bonds as all others together decides every dispute. Votes are not punished.
/// - Then a wrong majority can make any state final that somebody claims as a rival: everything in
///   the vault is at stake.
///
/// What one must believe (liveness):
/// - More than half of the verifiers, and at least `quorum`, vote in the judge's time. If they do not,
///   the state chain freezes at the parent; half of the verifiers can cause that.
interface IVerifierVoteJudge is IJudge {
    /// @notice A verifier.
    struct Verifier {
        uint64 since; // registered, L1 seconds; 0 = never, or bond withdrawn
        uint64 leftTime; // asked for the bond, L1 seconds; 0 = active
        uint64 leftBlock; // asked for the bond, L1 block
    }

    /* EVENTS */

    /// @notice A verifier posted its bond.
    event VerifierRegistered(address indexed verifier, uint256 active);

    /// @notice A verifier asked for its bond: it has no say in rivalries that begin from now on.
    event VerifierLeft(address indexed verifier, uint256 active);

    /// @notice A verifier took its bond back.
    event BondWithdrawn(address indexed verifier, uint256 amount);

    /// @notice A verifier voted.
    event Voted(
        ClaimId indexed parent, ClaimId indexed child, address indexed verifier, uint256 votes
    );

    /// @notice A child won.
    event Ruled(ClaimId indexed parent, ClaimId indexed winner, uint256 votes, uint256 eligible);

    /* ERRORS */

    error ZeroBond();
    error ZeroQuorum();
    /// @notice A verifier could leave before a rivalry it may vote on is over.
    error UnbondingTooShort(uint64 unbonding, uint64 judgeTime);
    error WrongBond(uint256 sent, uint256 expected);
    error AlreadyRegistered(address account);
    error NotActive(address account);
    error NotLeaving(address account);
    /// @notice The bond is bound until both of these are reached.
    error UnbondingRunning(uint64 untilTime, uint64 untilBlock);
    error TransferFailed(address to, uint256 amount);
    /// @notice There is nothing to decide under this claim, or no longer.
    error NotAwaitingRuling(ClaimId parent);
    error AlreadyRuled(ClaimId parent, ClaimId winner);
    error NotAChild(ClaimId claim, ClaimId parent);
    /// @notice The account was no verifier before the rivalry began.
    error NotEligible(address account, uint64 rivalryTime);
    error AlreadyVoted(address account, ClaimId parent);

    /* WRITES */

    /// @notice Become a verifier. Send exactly `bond`.
    function register() external payable;

    /// @notice Stop being one and start the unbonding.
    function leave() external;

    /// @notice Take the bond back after the unbonding.
    function withdrawBond() external;

    /// @notice Vote for one of the rival children of `parent`, once.
    function vote(ClaimId parent, ClaimId child) external;

    /* VIEWS */

    /// @notice State chain whose rivals are judged here.
    function chain() external view returns (address);

    /// @notice Bond of a verifier, wei.
    function bond() external view returns (uint256);

    /// @notice Least votes a ruling needs.
    function quorum() external view returns (uint32);

    /// @notice Time a leaving verifier's bond stays, seconds.
    function unbondingSeconds() external view returns (uint64);

    /// @notice Blocks a leaving verifier's bond stays.
    function unbondingBlocks() external view returns (uint64);

    /// @notice A verifier's standing.
    function verifierOf(address account) external view returns (Verifier memory);

    /// @notice Active verifiers now.
    function activeVerifiers() external view returns (uint256);

    /// @notice How many verifiers may vote on a rivalry that began at `time` (L1 seconds).
    function eligibleAt(uint64 time) external view returns (uint256);

    /// @notice Votes for `child` under `parent`.
    function votesFor(ClaimId parent, ClaimId child) external view returns (uint256);

    /// @notice Whether `account` has voted under `parent`.
    function hasVoted(ClaimId parent, address account) external view returns (bool);
}
