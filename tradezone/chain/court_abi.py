"""ABIs of court, evidence and registers; see `tradezone.chain.abi`, whose ``CONTRACTS`` has them too."""

from __future__ import annotations

from typing import Final

from ._abi import Contract

SLASHING_COURT: Final = Contract(
    "SlashingCourt",
    """
    struct Accusation (address accused, uint32 venue, uint8 class, uint8 share, uint32 harm, bytes32 evidence)
    struct Case (address accuser, uint64 time, address accused, uint64 blockNumber, uint32 venue, uint32 harm, uint16 asked, bool isProof, bool isAppealed, bool isAppealOfAccuser, bool isClosed, uint128 base, uint128 leastBond, uint128 bond, uint128 appealBond, uint64 place, bytes32 evidence)
    struct RecordProof (uint32 slot, bytes32[] words, bytes32[] siblings)
    struct Pool (uint128 amount, uint128 paid, uint64 time, uint64 blockNumber, uint64 total, bool isSwept, bytes32 claim)
    struct Verdict (bool isReached, uint8 share)

    function accuse(Accusation accusation, string location) payable returns (bytes32 caseId)
    function appeal(bytes32 caseId) payable
    function appealBondFor(bytes32 caseId) view returns (uint256)
    function baseOf(address accused, uint32 venue) view returns (uint256)
    function bondFor(uint256 base, uint8 share) view returns (uint256)
    function caseCount() view returns (uint64)
    function caseOf(bytes32 caseId) view returns (Case)
    function chain() view returns (address)
    function claimHarm(bytes32 caseId, RecordProof[] proofs)
    function collect(address account)
    function commitVote(bytes32 caseId, bytes32 commitment)
    function commitmentFor(bytes32 caseId, uint8 round, address juror, uint8 share, bytes32 salt) view returns (bytes32)
    function commitmentOf(bytes32 caseId, uint8 round, address juror) view returns (bytes32)
    function compensate(bytes32 caseId, RecordProof ledger)
    function endOf(bytes32 caseId, uint8 phase) view returns (uint64 untilTime, uint64 untilBlock)
    function evidenceOf() view returns (address[])
    function isPaid(bytes32 caseId, uint32 slot) view returns (bool)
    function isUsed(address evidence, bytes32 nullifier) view returns (bool used)
    function limitOf(uint8 class) view returns (uint8)
    function longestCase() view returns (uint64)
    function minBond() view returns (uint256)
    function nextCaseOf(address accused) view returns (bytes32)
    function openPool(bytes32 caseId, RecordProof asset)
    function owedTo(address account) view returns (uint256 amount)
    function owners() view returns (address)
    function phaseOf(bytes32 caseId) view returns (uint8)
    function poolOf(bytes32 caseId) view returns (Pool)
    function prove(address evidence, bytes data) returns (bytes32 caseId)
    function quorumFloor() view returns (uint256)
    function quorumOf(bytes32 caseId, uint8 round) view returns (uint256)
    function respond(bytes32 caseId, bytes32 evidence, string location)
    function restitution() view returns (address)
    function revealVote(bytes32 caseId, uint8 share, bytes32 salt)
    function revealedOf(bytes32 caseId, uint8 round) view returns (uint256)
    function rule(bytes32 caseId) returns (uint256 taken)
    function staking() view returns (address)
    function sweep(bytes32 caseId)
    function totalBonds() view returns (uint256)
    function totalOwed() view returns (uint256)
    function totalPools() view returns (uint256)
    function treasury() view returns (address)
    function verdictOf(bytes32 caseId, uint8 round) view returns (Verdict verdict)
    function voteAge() view returns (uint64)
    function weightOf(bytes32 caseId, address juror) view returns (uint256 weight)

    event Accused(bytes32 indexed caseId, address indexed accused, address indexed accuser, Accusation accusation, uint256 base, uint256 bond, string location)
    event Appealed(bytes32 indexed caseId, address indexed appellant, uint256 bond)
    event Collected(address indexed account, uint256 amount)
    event Committed(bytes32 indexed caseId, uint8 indexed round, address indexed juror)
    event HarmPaid(bytes32 indexed caseId, uint32 indexed slot, address indexed owner, uint256 amount)
    event LedgerCompensated(bytes32 indexed caseId, uint32 indexed venue, uint32 indexed asset, bytes32 claim, uint64 deficit, uint256 amount, uint256 rest)
    event PoolOpened(bytes32 indexed caseId, bytes32 indexed claim, uint256 amount, uint64 total)
    event PoolSwept(bytes32 indexed caseId, uint256 amount)
    event Proved(bytes32 indexed caseId, address indexed accused, address indexed accuser, address evidence, bytes32 nullifier, uint256 base, uint16 bps)
    event Responded(bytes32 indexed caseId, bytes32 evidence, string location)
    event Revealed(bytes32 indexed caseId, uint8 indexed round, address indexed juror, uint8 share, uint256 weight)
    event Ruled(bytes32 indexed caseId, address indexed accused, bool isReached, uint256 asked, uint256 taken, uint256 reward, uint256 pool)

    error AlreadyAppealed(bytes32 caseId)
    error AlreadyPaid(bytes32 caseId, uint32 slot)
    error BadConfig(string parameter)
    error BadFinding(address evidence)
    error BondTooSmall(uint256 sent, uint256 least)
    error EvidenceUsed(address evidence, bytes32 nullifier)
    error NoDeficit(uint32 slot, uint32 venue, uint32 asset, uint64 deficit)
    error NoPool(bytes32 caseId)
    error NoWeight(bytes32 caseId, address account)
    error NotAccused(address caller, address accused)
    error NotActive(uint32 slot)
    error NotEvidence(address evidence)
    error NotHarm(uint32 asset, uint8 kind, uint32 venue, uint64 total)
    error NotNext(bytes32 caseId, bytes32 next)
    error NotParty(address caller)
    error NotVault(address caller)
    error NothingAtStake(address accused, uint32 venue)
    error NothingToCollect(address account)
    error OwnerIsAccused(uint32 slot, address accused)
    error PoolIsOpen(bytes32 caseId)
    error PoolNotOpen(bytes32 caseId)
    error PoolOver(bytes32 caseId)
    error PoolRunning(uint64 untilTime, uint64 untilBlock)
    error ReentrancyGuardReentrantCall()
    error SafeCastOverflowedUintDowncast(uint8 bits, uint256 value)
    error ShareOutOfRange(uint8 share, uint8 least, uint8 most)
    error SlotOutOfRange(uint256 slot)
    error TransferFailed(address to, uint256 amount)
    error UnknownType(uint256 recordType)
    error WrongAsset(uint32 slot, uint32 asset)
    error WrongPhase(bytes32 caseId, uint8 phase)
    error WrongProofLength(uint256 received, uint256 expected)
    error WrongReveal(bytes32 computed, bytes32 committed)
    error WrongRoot(bytes32 computed, bytes32 expected)
    error WrongWordCount(uint256 recordType, uint256 received, uint256 expected)
    error ZeroAddress()
    error ZeroCommitment()
    error ZeroRoot()
    """,
)

DOUBLE_HEAD_EVIDENCE: Final = Contract(
    "DoubleHeadEvidence",
    """
    struct BlockHead (uint64 epoch, uint64 number, uint64 firstSeq, uint64 count, uint64 time, uint64 inboxIndex, bytes32 inboxHash, bytes32 head, bytes32 parent)
    struct Finding (address accused, uint32 venue, bytes32 nullifier, uint16 bps)

    function chain() view returns (address)
    function check(bytes evidence) view returns (Finding)
    function digestOf(BlockHead head) view returns (bytes32)

    error DifferentEpochs(uint64 first, uint64 second)
    error ECDSAInvalidSignature()
    error ECDSAInvalidSignatureLength(uint256 length)
    error ECDSAInvalidSignatureS(bytes32 s)
    error NoContradiction()
    error UnknownEpoch(uint64 epoch)
    error UnrelatedBlocks(uint64 first, uint64 second)
    error VoidHead(uint64 number, bytes32 inboxHash, bytes32 expected)
    error WrongSigner(address recovered, address sequencer)
    error ZeroAddress()
    """,
)

ATTESTATION_EVIDENCE: Final = Contract(
    "AttestationEvidence",
    """
    struct Attestation (uint64 batch, bytes32 headerHash, bytes32 stateRoot)
    struct Finding (address accused, uint32 venue, bytes32 nullifier, uint16 bps)

    function chain() view returns (address)
    function check(bytes evidence) view returns (Finding)
    function digestOf(Attestation attestation) view returns (bytes32)

    error DifferentSigners(address first, address second)
    error ECDSAInvalidSignature()
    error ECDSAInvalidSignatureLength(uint256 length)
    error ECDSAInvalidSignatureS(bytes32 s)
    error NoContradiction()
    error NotYetFinal(bytes32 claim)
    error UnrelatedAttestations(uint64 first, uint64 second)
    error WrongClaim(bytes32 claim, uint64 batch)
    error WrongInputs(bytes32 headerHash, bytes32 expected)
    error ZeroAddress()
    """,
)

BONDED_REGISTER: Final = Contract(
    "BondedRegister",
    """
    struct Member (address key, uint64 since, uint128 bond, uint64 leftTime, uint64 leftBlock, uint32 openCases, bool isActive)
    struct Config (address chain, address court, address treasury, address[] evidence, uint256 bond, uint32 maxMembers, uint64 unbondingSeconds, uint64 unbondingBlocks, uint64 proofSeconds, uint64 proofBlocks)
    struct Case (address account, address accuser, uint128 amount, uint64 time, uint64 blockNumber, bool isClosed)

    function collect(address account)
    function leave()
    function prove(address evidence, bytes data) returns (bytes32 caseId)
    function register(address key, bytes signature) payable
    function rotate(address key, bytes signature)
    function rule(bytes32 caseId) returns (uint256 taken)
    function slash(address account, uint256 amount)
    function topUp(address account) payable
    function withdraw()
    function accountOf(address key) view returns (address account)
    function caseCount() view returns (uint64)
    function caseOf(bytes32 caseId) view returns (Case)
    function chain() view returns (address)
    function config() view returns (Config)
    function isUsed(address evidence, bytes32 nullifier) view returns (bool used)
    function keyDigest(address account) view returns (bytes32)
    function memberOf(address account) view returns (Member)
    function members() view returns (address[])
    function owedTo(address account) view returns (uint256 amount)
    function totalBonds() view returns (uint256)
    function totalOwed() view returns (uint256)

    event BondAdded(address indexed account, address indexed payer, uint256 amount, uint256 bond)
    event Collected(address indexed account, uint256 amount)
    event KeyChanged(address indexed account, address indexed before, address indexed key)
    event Leaving(address indexed account)
    event Listed(address indexed account, uint256 members)
    event Proved(bytes32 indexed caseId, address indexed account, address indexed accuser, address evidence, bytes32 nullifier, uint256 amount)
    event Registered(address indexed account, address indexed key, uint256 bond)
    event Ruled(bytes32 indexed caseId, address indexed account, uint256 taken, uint256 reward)
    event Slashed(address indexed account, uint256 amount, uint256 bond)
    event Unlisted(address indexed account, uint256 members)
    event Withdrawn(address indexed account, uint256 amount)

    error AlreadyRegistered(address account)
    error AmountOutOfRange(uint256 amount, uint256 bond)
    error BadConfig(string parameter)
    error BadFinding(address evidence)
    error CaseClosed(bytes32 caseId)
    error CasesOpen(address account, uint32 cases)
    error ECDSAInvalidSignature()
    error ECDSAInvalidSignatureLength(uint256 length)
    error ECDSAInvalidSignatureS(bytes32 s)
    error EvidenceUsed(address evidence, bytes32 nullifier)
    error IsLeaving(address account)
    error KeyTaken(address key, address account)
    error NotCourt(address caller, address court)
    error NotEvidence(address evidence)
    error NotLeaving(address account)
    error NotRegistered(address account)
    error NothingAtStake(address account)
    error NothingToCollect(address account)
    error RegisterFull(uint256 members)
    error SameKey(address key)
    error StillRunning(uint64 untilTime, uint64 untilBlock)
    error TransferFailed(address to, uint256 amount)
    error UnknownCase(bytes32 caseId)
    error WrongBond(uint256 sent, uint256 expected)
    error WrongSigner(address recovered, address key)
    error ZeroAddress()
    """,
)

COURT: Final = {
    contract.name: contract
    for contract in (
        SLASHING_COURT,
        DOUBLE_HEAD_EVIDENCE,
        ATTESTATION_EVIDENCE,
        BONDED_REGISTER,
    )
}
