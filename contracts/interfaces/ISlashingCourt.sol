// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IOwnerRegistry} from "./IOwnerRegistry.sol";
import {IStateChain} from "./IStateChain.sol";
import {AssetId, ClaimId, VenueId} from "./Types.sol";

/// @title ISlashingCourt
/// @notice What the staking vault's `court` is: it opens cases, decides them, and hands on what it takes.
/// On the **proof track** a listed evidence contract decides; on the **jury track** aged stake votes in
/// secret, with one appeal. The calendar of a case is fixed by its accusation. The rules are in
/// docs/spec/slashing.md.
///
/// The vault never calls it; it assumes of a court:
/// - It calls `openCase` only for an accusation that stands behind a bond or a proof, and calls
///   `closeCase` as soon as it has ruled.
/// - One act is punished once: it keeps a nullifier for each piece of evidence.
/// - It hands what it takes to whom its rules name, never to itself by discretion.
///
/// What the vault does not leave to it: an id of a case is used once; a case ends after the vault's own
/// `caseSeconds`; a slash takes from the accused only, and never from behind another venue.
///
/// Assumptions for safety:
/// - Most of the aged stake that reveals a vote is honest.
/// - Evidence contracts convict the guilty only.
/// - Final roots are right, and nobody can transfer an asset of kind 4.
///
/// Assumptions for liveness: somebody calls `rule` before the vault's time for the case is over.
interface ISlashingCourt {
    /// @notice Where a case stands.
    enum Phase {
        NONE, // there is no such case
        WAITING, // proof track, before the ruling
        RESPONSE,
        COMMIT,
        REVEAL,
        APPEAL,
        APPEAL_COMMIT,
        APPEAL_REVEAL,
        RULING, // `rule` may be called, in the order of accusations
        CLOSED
    }

    /// @notice Classes of the jury track; each bounds the share of the base that may be asked.
    enum Class {
        OUTAGE, // 5 %
        NEGLIGENCE, // 20 %
        MANIPULATION, // 50 %
        FRAUD // 100 %
    }

    /// @notice An accusation before a jury.
    // In memory only.
    // solhint-disable-next-line gas-struct-packing
    struct Accusation {
        address accused;
        VenueId venue; // whose stake answers first; 0 = none
        Class class;
        uint8 share; // asked, whole percent of the base
        AssetId harm; // claim asset of the incident; 0 = nobody was harmed
        bytes32 evidence; // hash of the evidence
    }

    /// @notice A case.
    struct Case {
        address accuser;
        uint64 time; // of the accusation
        address accused;
        uint64 blockNumber;
        VenueId venue;
        AssetId harm;
        uint16 asked; // bps of the base
        bool isProof;
        bool isAppealed;
        bool isAppealOfAccuser;
        bool isClosed;
        uint128 base; // what could be slashed at the accusation, wei
        uint128 leastBond;
        uint128 bond;
        uint128 appealBond;
        uint64 place; // in the order of cases against the accused
        bytes32 evidence;
    }

    /// @notice The outcome of a round, or of a case.
    struct Verdict {
        bool isReached; // there was a quorum
        uint8 share; // percent of the base; 0 = acquitted
    }

    /// @notice What the harmed of an incident get.
    struct Pool {
        uint128 amount; // wei
        uint128 paid;
        uint64 time; // of the ruling; once open, of the opening
        uint64 blockNumber;
        uint64 total; // atoms of the claim asset; 0 = not open
        bool isSwept;
        ClaimId claim; // whose root is pinned
    }

    /// @notice A record under the pinned root.
    struct RecordProof {
        uint32 slot;
        bytes32[] words;
        bytes32[] siblings; // 40, bottom up
    }

    /// @notice Parameters, fixed by the constructor. Limits are counted from the accusation, and have
    /// passed when their time and their block have.
    // In memory only.
    // solhint-disable-next-line gas-struct-packing
    struct Config {
        address staking;
        address owners;
        address treasury;
        address restitution; // pays pools behind venues' walls (`IRestitution`); zero = none can be
        address[] evidence; // contracts of the proof track
        uint64[7] limitSeconds; // ends of RESPONSE .. APPEAL_REVEAL, and of the whole case
        uint64[7] limitBlocks;
        uint64 proofSeconds; // end of WAITING
        uint64 proofBlocks;
        uint64 claimSeconds; // for the harmed, from the ruling and again from the opening of the pool
        uint64 claimBlocks;
        uint64 voteAge; // seconds
        uint256 minBond; // wei
        uint256 quorumFloor; // wei of votes
    }

    /* EVENTS */

    /// @notice A case before a jury was opened.
    event Accused(
        bytes32 indexed caseId,
        address indexed accused,
        address indexed accuser,
        Accusation accusation,
        uint256 base,
        uint256 bond,
        string location
    );
    /// @notice A case was opened by proof.
    event Proved(
        bytes32 indexed caseId,
        address indexed accused,
        address indexed accuser,
        address evidence,
        bytes32 nullifier,
        uint256 base,
        uint16 bps
    );
    event Responded(bytes32 indexed caseId, bytes32 evidence, string location);
    event Committed(bytes32 indexed caseId, uint8 indexed round, address indexed juror);
    event Revealed(
        bytes32 indexed caseId,
        uint8 indexed round,
        address indexed juror,
        uint8 share,
        uint256 weight
    );
    event Appealed(bytes32 indexed caseId, address indexed appellant, uint256 bond);
    event Ruled(
        bytes32 indexed caseId,
        address indexed accused,
        bool isReached,
        uint256 asked,
        uint256 taken,
        uint256 reward,
        uint256 pool
    );
    event PoolOpened(bytes32 indexed caseId, ClaimId indexed claim, uint256 amount, uint64 total);
    event HarmPaid(
        bytes32 indexed caseId, uint32 indexed slot, address indexed owner, uint256 amount
    );
    event PoolSwept(bytes32 indexed caseId, uint256 amount);
    /// @notice A pool was given to the ledger of the venue, for the deficit that it has; the rest of it is the
    /// treasury's.
    event LedgerCompensated(
        bytes32 indexed caseId,
        VenueId indexed venue,
        AssetId indexed asset,
        ClaimId claim,
        uint64 deficit,
        uint256 amount,
        uint256 rest
    );
    event Collected(address indexed account, uint256 amount);

    /* ERRORS */

    /// @notice A parameter of the constructor is zero or out of range.
    error BadConfig(string parameter);
    error ZeroAddress();
    error NotEvidence(address evidence);
    error BadFinding(address evidence);
    error EvidenceUsed(address evidence, bytes32 nullifier);
    /// @notice Nothing of the accused could be slashed in this case.
    error NothingAtStake(address accused, VenueId venue);
    error ShareOutOfRange(uint8 share, uint8 least, uint8 most);
    error BondTooSmall(uint256 sent, uint256 least);
    /// @notice The case is in another phase than this needs.
    error WrongPhase(bytes32 caseId, Phase phase);
    error NotAccused(address caller, address accused);
    error NotParty(address caller);
    error AlreadyAppealed(bytes32 caseId);
    error NoWeight(bytes32 caseId, address account);
    error ZeroCommitment();
    error WrongReveal(bytes32 computed, bytes32 committed);
    /// @notice Cases against the same accused are ruled in order; this one is next.
    error NotNext(bytes32 caseId, bytes32 next);
    error NoPool(bytes32 caseId);
    error PoolIsOpen(bytes32 caseId);
    error PoolNotOpen(bytes32 caseId);
    /// @notice The record is no ledger of the case's venue in the asset that it names, or has no deficit.
    error NoDeficit(uint32 slot, uint32 venue, uint32 asset, uint64 deficit);
    /// @notice The time for this is over.
    error PoolOver(bytes32 caseId);
    /// @notice The harmed have time until both of these are reached.
    error PoolRunning(uint64 untilTime, uint64 untilBlock);
    /// @notice The record is not that of a claim asset of this case's venue.
    error NotHarm(AssetId asset, uint8 kind, uint32 venue, uint64 total);
    error AlreadyPaid(bytes32 caseId, uint32 slot);
    error NotActive(uint32 slot);
    error WrongAsset(uint32 slot, uint32 asset);
    /// @notice The owner of what was slashed gets nothing of it.
    error OwnerIsAccused(uint32 slot, address accused);
    error NothingToCollect(address account);
    error TransferFailed(address to, uint256 amount);
    error NotVault(address caller);

    /* WRITES: CASES */

    /// @notice Open a case by proof. Anyone may; it needs no bond.
    function prove(address evidence, bytes calldata data) external returns (bytes32 caseId);

    /// @notice Open a case before a jury. What is sent, at least `bondFor`, is the bond.
    /// @param location where the evidence is.
    function accuse(Accusation calldata accusation, string calldata location)
        external
        payable
        returns (bytes32 caseId);

    /// @notice Answer an accusation: in RESPONSE and COMMIT, by the accused.
    function respond(bytes32 caseId, bytes32 evidence, string calldata location) external;

    /// @notice Commit to a vote; a later commitment replaces an earlier one.
    /// @param commitment `commitmentFor` of a share and a secret salt.
    function commitVote(bytes32 caseId, bytes32 commitment) external;

    /// @notice Reveal the caller's vote.
    function revealVote(bytes32 caseId, uint8 share, bytes32 salt) external;

    /// @notice Have all jurors vote again, once, by a party. What is sent, at least `appealBondFor`, is
    /// the bond.
    function appeal(bytes32 caseId) external payable;

    /// @notice Carry out the verdict. Anyone may call.
    /// @return taken wei.
    function rule(bytes32 caseId) external returns (uint256 taken);

    /* WRITES: MONEY */

    /// @notice Pin the newest final root for the harmed of a case. Anyone may call.
    function openPool(bytes32 caseId, RecordProof calldata asset) external;

    /// @notice Credit the owners of balances of the claim asset with their parts. Anyone may call.
    function claimHarm(bytes32 caseId, RecordProof[] calldata proofs) external;

    /// @notice Give a pool to the ledger of the case's venue in the asset that it names, as far as a final state
    /// shows losses there that nobody has covered; the rest is the treasury's. Anyone may call, before the
    /// pool is opened for claims and within the same time.
    /// @param ledger record under the newest final root.
    function compensate(bytes32 caseId, RecordProof calldata ledger) external;

    /// @notice Give what is left of a pool to the treasury when its time is over. Anyone may call.
    function sweep(bytes32 caseId) external;

    /// @notice Pay `account` what it is owed. Anyone may call.
    function collect(address account) external;

    /* VIEWS */

    /// @notice Vault whose stake it judges about.
    function staking() external view returns (address);

    /// @notice Longest time from accusation to verdict with appeal, seconds; at most `caseSeconds` of
    /// the vault.
    function longestCase() external view returns (uint64);

    /// @notice Whose final roots show harm.
    function chain() external view returns (IStateChain);

    /// @notice Knows the addresses of owners.
    function owners() external view returns (IOwnerRegistry);

    /// @notice Takes what nobody else gets.
    function treasury() external view returns (address);

    /// @notice Pays pools behind venues' walls; zero = none can be.
    function restitution() external view returns (address);

    /// @notice Age of votes that count, seconds.
    function voteAge() external view returns (uint64);

    /// @notice Least bond, wei.
    function minBond() external view returns (uint256);

    /// @notice Least votes a verdict needs, wei.
    function quorumFloor() external view returns (uint256);

    /// @notice The evidence contracts of the proof track.
    function evidenceOf() external view returns (address[] memory);

    /// @notice Whether evidence was used.
    function isUsed(address evidence, bytes32 nullifier) external view returns (bool);

    /// @notice Cases so far.
    function caseCount() external view returns (uint64);

    /// @notice A case.
    function caseOf(bytes32 caseId) external view returns (Case memory);

    /// @notice Where a case stands now.
    function phaseOf(bytes32 caseId) external view returns (Phase);

    /// @notice When a phase of a case ends, if it has it: both must be reached.
    function endOf(bytes32 caseId, Phase phase)
        external
        view
        returns (uint64 untilTime, uint64 untilBlock);

    /// @notice The case against an account that is ruled next; 0 = none.
    function nextCaseOf(address accused) external view returns (bytes32);

    /// @notice What could be slashed in a case against an account, wei.
    function baseOf(address accused, VenueId venue) external view returns (uint256);

    /// @notice Least bond of an accusation that asks `share` percent of a base, wei.
    function bondFor(uint256 base, uint8 share) external view returns (uint256);

    /// @notice Least bond of an appeal, wei.
    function appealBondFor(bytes32 caseId) external view returns (uint256);

    /// @notice Largest share that a class allows, percent.
    function limitOf(Class class) external pure returns (uint8);

    /// @notice Weight of a juror in a case, wei; from the second after the accusation on.
    function weightOf(bytes32 caseId, address juror) external view returns (uint256);

    /// @notice Votes that a round needs, wei; from the second after the accusation on.
    function quorumOf(bytes32 caseId, uint8 round) external view returns (uint256);

    /// @notice Votes revealed in a round, wei.
    function revealedOf(bytes32 caseId, uint8 round) external view returns (uint256);

    /// @notice What a juror committed to and has not revealed.
    function commitmentOf(bytes32 caseId, uint8 round, address juror)
        external
        view
        returns (bytes32);

    /// @notice Commitment to a vote.
    function commitmentFor(bytes32 caseId, uint8 round, address juror, uint8 share, bytes32 salt)
        external
        view
        returns (bytes32);

    /// @notice Verdict of a round, 1 or 2, on the votes revealed so far.
    function verdictOf(bytes32 caseId, uint8 round) external view returns (Verdict memory);

    /// @notice The pool of a case.
    function poolOf(bytes32 caseId) external view returns (Pool memory);

    /// @notice Whether a balance record was paid for.
    function isPaid(bytes32 caseId, uint32 slot) external view returns (bool);

    /// @notice Bonds held for open cases, wei.
    function totalBonds() external view returns (uint256);

    /// @notice Left in pools, wei.
    function totalPools() external view returns (uint256);

    /// @notice Owed and not collected, wei.
    function totalOwed() external view returns (uint256);

    /// @notice What `collect` would pay, wei.
    function owedTo(address account) external view returns (uint256);
}
