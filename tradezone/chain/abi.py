"""ABIs of the contracts, as far as Python talks to them, written as people read them.

The text below each ``Contract`` is what is meant to be checked by eye against ``contracts/interfaces``;
a test compares it with what the compilers made. Errors and events are complete, so that every refusal
can be explained.

>>> STATE_CHAIN.functions["finalize"].encode(bytes(32)).hex()[:8]
'92584d80'
"""

from __future__ import annotations

from typing import Final

from ._abi import Contract, CustomError, Event, Function
from .court_abi import COURT
from .governance_abi import GOVERNANCE
from .perps_abi import PERPS

__all__ = [
    "CHAIN_MODE",
    "CLAIM_STATUS",
    "CONTRACTS",
    "Contract",
    "CustomError",
    "Event",
    "Function",
]

# --- the contracts -----------------------------------------------------------------------------------

INBOX: Final = Contract(
    "Inbox",
    """
    function chain() view returns (address)
    function kindsOf(address source) view returns (uint256)
    function sources() view returns (address[])
    function count() view returns (uint64)
    function isClosed() view returns (bool)
    function prefixHash(uint64 index) view returns (bytes32)
    function timeOf(uint64 index) view returns (uint64)
    function blockOf(uint64 index) view returns (uint64)
    function ageOf(uint64 index) view returns (uint64)

    event SourceAdmitted(address indexed source, uint256 kinds)
    event Message(uint64 indexed index, uint8 indexed kind, address indexed sender, uint64 time, uint64 blockNumber, bytes payload)
    event Closed(uint64 count)

    error LengthMismatch(uint256 sources, uint256 kinds)
    error BadSource(address source, uint256 kinds)
    error KindNotAllowed(address sender, uint8 kind)
    error PayloadTooLong(uint256 length, uint256 limit)
    error IndexOutOfRange(uint64 index, uint64 count)
    error InboxClosed()
    error NotChain(address caller, address chain)
    """,
)

STATE_CHAIN: Final = Contract(
    "StateChain",
    """
    struct Header (uint64 epoch, uint64 number, bytes32 parent, bytes32 inputsRoot, uint64 firstSeq, uint64 count, uint64 inboxIndex, bytes32 inboxHash, uint64 firstBlock, uint64 blocks, uint64 startTime, uint64 endTime)
    struct Tip (bytes32 hash, uint64 number, uint64 nextSeq, uint64 inboxIndex, uint64 nextBlock, uint64 endTime)
    struct Claim (bytes32 parent, bytes32 stateRoot, address asserter, uint64 batch, uint8 status, uint64 time, uint64 blockNumber)
    struct Fork (bytes32 firstChild, bytes32 winner, uint32 children, uint64 rivalTime, uint64 rivalBlock)
    struct Asserter (bytes32 lastClaim, uint64 openClaims, bool isBonded)

    function commit(Header header)
    function commitWithData(Header header, bytes leaves)
    function commitMany(Header[] headers)
    function claim(bytes32 parent, uint64 batch, bytes32 headerHash, bytes32 stateRoot) returns (bytes32 claim_)
    function finalize(bytes32 claim_)
    function resolve(bytes32 parent)
    function dismiss(bytes32 claim_)
    function freezeSilent()
    function freezeStalled(uint64 heartbeat)
    function freeze(bytes32 parent)
    function abandon()
    function postBond() payable
    function withdrawBond()
    function collect(address account)

    function inbox() view returns (address)
    function sequencers() view returns (address)
    function judge() view returns (address)
    function sink() view returns (address)
    function inboxLag() view returns (uint64)
    function claimStride() view returns (uint64)
    function windowSeconds() view returns (uint64)
    function windowBlocks() view returns (uint64)
    function judgeSeconds() view returns (uint64)
    function judgeBlocks() view returns (uint64)
    function bond() view returns (uint256)
    function genesisClaim() view returns (bytes32)
    function domainSeparator() view returns (bytes32)
    function silence() view returns (uint64 time, uint64 blocks)
    function stall() view returns (uint64 time, uint64 blocks)
    function closing() view returns (uint64 time, uint64 blocks)
    function mode() view returns (uint8)
    function isFrozen() view returns (bool)
    function isAbandoned() view returns (bool)
    function closingBatch() view returns (uint64)
    function frozenAt() view returns (uint64 time, uint64 blockNumber)
    function finalAt() view returns (uint64 time, uint64 blockNumber)
    function escapeRoot() view returns (bytes32)
    function tip() view returns (Tip)
    function headerHashOf(uint64 number) view returns (bytes32)
    function hashHeader(Header header) pure returns (bytes32)
    function latestFinal() view returns (bytes32)
    function claimOf(bytes32 claim_) view returns (Claim)
    function forkOf(bytes32 parent) view returns (Fork)
    function isAwaitingRuling(bytes32 parent) view returns (bool)
    function isFinal(bytes32 claim_) view returns (bool)
    function rootOf(bytes32 claim_) view returns (bytes32)
    function finalRootOf(bytes32 claim_) view returns (bytes32)
    function asserterOf(address account) view returns (Asserter)
    function collectable(address account) view returns (uint256)

    event BatchCommitted(uint64 indexed number, bytes32 indexed headerHash, Header header)
    event Claimed(bytes32 indexed claim, bytes32 indexed parent, address indexed asserter, uint64 batch, bytes32 stateRoot, uint32 children)
    event Finalized(bytes32 indexed claim, uint64 batch, bytes32 stateRoot)
    event Resolved(bytes32 indexed parent, bytes32 indexed winner)
    event Dismissed(bytes32 indexed claim, address indexed asserter)
    event BondPosted(address indexed asserter, uint256 amount)
    event BondWithdrawn(address indexed asserter, uint256 amount)
    event BondForfeited(address indexed asserter, address indexed winner, uint256 reward, uint256 toSink)
    event Collected(address indexed account, uint256 amount)
    event Frozen(uint8 indexed reason, bytes32 indexed latestFinal)
    event EscapeOpened(bytes32 indexed claim, bytes32 stateRoot, bool isAbandoned)

    error BadConfig(string parameter)
    error ChainFrozen()
    error NotSequencer(address caller, address expected)
    error NoHeaders()
    error WrongEpoch(uint64 given, uint64 expected)
    error WrongNumber(uint64 given, uint64 expected)
    error WrongParent(bytes32 given, bytes32 expected)
    error ZeroInputsRoot()
    error WrongFirstSeq(uint64 given, uint64 expected)
    error CountOutOfRange(uint64 count, uint64 limit)
    error InboxIndexOutOfRange(uint64 given, uint64 lowest, uint64 highest)
    error WrongInboxHash(bytes32 given, bytes32 expected)
    error InboxLagging(uint64 index, uint64 age, uint64 limit)
    error WrongFirstBlock(uint64 given, uint64 expected)
    error BlocksOutOfRange(uint64 blocks, uint64 limit)
    error StartsTooEarly(uint64 startTime, uint64 earliest)
    error EndsBeforeStart(uint64 endTime, uint64 startTime)
    error EndsInFuture(uint64 endTime, uint64 latest)
    error UnknownBatch(uint64 number, uint64 last)
    error UnknownClaim(bytes32 claim)
    error ClaimExists(bytes32 claim)
    error ZeroStateRoot()
    error WrongBatch(uint64 given, uint64 expected)
    error WrongHeader(bytes32 given, bytes32 committed)
    error ParentLost(bytes32 parent)
    error ChildrenClosed(bytes32 parent)
    error NotBonded(address asserter)
    error NotOnOnePath(bytes32 lastClaim, bytes32 parent)
    error ClaimNotOpen(bytes32 claim, uint8 status)
    error ParentNotFinal(bytes32 parent)
    error WindowRunning(uint64 untilTime, uint64 untilBlock)
    error Contested(bytes32 parent, uint32 children)
    error ClaimNotFinal(bytes32 claim)
    error NotContested(bytes32 parent)
    error AlreadyResolved(bytes32 parent, bytes32 winner)
    error NoRuling(bytes32 parent)
    error NotAChild(bytes32 claim, bytes32 parent)
    error RulingTooLate(bytes32 parent)
    error JudgeHasTime(uint64 untilTime, uint64 untilBlock)
    error NotLost(bytes32 claim)
    error NothingWaits(uint64 index)
    error WrongHeartbeat(uint64 index, uint64 batch)
    error TooEarly(uint64 untilTime, uint64 untilBlock)
    error NotFrozen(uint8 mode)
    error NotEscaping(uint8 mode)
    error WrongBond(uint256 sent, uint256 expected)
    error AlreadyBonded(address asserter)
    error BondInUse(address asserter, uint64 openClaims)
    error NothingToCollect(address account)
    error TransferFailed(address to, uint256 amount)
    """,
)

CUSTODY_VAULT: Final = Contract(
    "CustodyVault",
    """
    function brake() view returns (address)
    function compensate(uint32 venue, uint32 asset, uint256 amount) payable returns (uint64 inboxIndex)
    function deposit(uint32 asset, uint256 amount, address to) payable returns (uint64 inboxIndex)
    function depositNative(address to) payable returns (uint64 inboxIndex)
    function outstanding(uint32 asset) view returns (uint64 atoms)
    function perps() view returns (address)
    function withdrawals() view returns (address)
    function escape() view returns (address)

    event Compensated(uint32 indexed venue, uint32 indexed asset, address indexed from, uint64 atoms, uint64 outstandingBefore, uint64 outstanding, uint64 inboxIndex)
    event Deposited(uint32 indexed asset, address indexed from, address indexed to, uint64 atoms, uint64 outstandingBefore, uint64 outstanding, uint64 inboxIndex)
    event Paid(uint32 indexed asset, address indexed to, uint64 atoms, uint64 outstandingBefore, uint64 outstanding)

    error AssetIsClosed(uint32 asset)
    error CapExceeded(uint32 asset, uint64 outstanding, uint256 atoms, uint64 cap)
    error DepositsClosed(uint64 until)
    error InsufficientOutstanding(uint32 asset, uint64 atoms, uint64 outstanding)
    error NativeTransferFailed(address to, uint256 amount)
    error NoLedger(uint32 venue, uint32 asset)
    error NotMultipleOfQuantum(uint256 amount, uint64 quantum)
    error NotPayer(address caller)
    error Overcharged(uint256 taken, uint256 expected)
    error ReceivedMismatch(uint256 received, uint256 expected)
    error ReentrancyGuardReentrantCall()
    error SafeERC20FailedOperation(address token)
    error WrongAssetKind(uint32 asset, uint8 kind)
    error WrongFee(uint256 sent, uint256 expected)
    """,
)

WITHDRAWALS: Final = Contract(
    "Withdrawals",
    """
    struct Proof (uint32 id, bytes32[] words, bytes32[] siblings)

    function withdraw(bytes32 claim, Proof proof)
    function withdrawMany(bytes32 claim, Proof[] proofs) returns (uint256 paid)
    function PAYMENT_GAS() view returns (uint256)
    function chain() view returns (address)
    function vault() view returns (address)
    function redirects() view returns (address)
    function isPaid(uint32 id) view returns (bool)

    event WithdrawalPaid(uint32 indexed id, uint32 indexed asset, address indexed recipient, uint64 atoms, bytes32 claim)
    event WithdrawalBlocked(uint32 indexed id)

    error AlreadyPaid(uint32 id)
    error NotAWithdrawal(uint32 id, uint8 kind)
    error InsufficientGas(uint256 left, uint256 needed)
    error OnlySelf(address caller)
    error ReentrancyGuardReentrantCall()
    error ZeroRoot()
    error UnknownType(uint256 recordType)
    error SlotOutOfRange(uint256 slot)
    error WrongProofLength(uint256 received, uint256 expected)
    error WrongWordCount(uint256 recordType, uint256 received, uint256 expected)
    error WrongRoot(bytes32 computed, bytes32 expected)
    """,
)

REDIRECTS: Final = Contract(
    "Redirects",
    """
    function redirect(address to)
    function redirectBySig(address account, address to, uint256 deadline, bytes signature)
    function payeeOf(address account) view returns (address)
    function digestOf(address account, address to, uint256 deadline) view returns (bytes32)
    function nonces(address owner) view returns (uint256)

    event Redirected(address indexed account, address indexed before, address indexed to)
    event EIP712DomainChanged()

    error SignatureExpired(uint256 deadline)
    error BadSignature(address account)
    error InvalidAccountNonce(address account, uint256 currentNonce)
    error InvalidShortString()
    error StringTooLong(string str)
    """,
)

FORCED: Final = Contract(
    "ForcedOperations",
    """
    struct Proof (uint32 id, bytes32[] words, bytes32[] siblings)
    struct Operation (address payer, uint64 amount, uint8 status, bool isAnswered)

    function submit(uint8 kind, bytes fields) payable returns (uint64 index)
    function submitBySig(address owner, uint8 kind, bytes fields, uint256 deadline, bytes signature) payable returns (uint64 index)
    function prove(bytes32 claim, Proof proof)
    function reclaim(uint64 index)
    function collect(address account)
    function inbox() view returns (address)
    function chain() view returns (address)
    function owners() view returns (address)
    function bond() view returns (uint256)
    function surcharge() view returns (uint256)
    function PER_OWNER() view returns (uint32)
    function PERIOD() view returns (uint64)
    function LEVEL() view returns (uint64)
    function DRAIN() view returns (uint64)
    function operationOf(uint64 index) view returns (Operation)
    function owed(address account) view returns (uint256)
    function digestOf(address owner, uint8 kind, bytes fields, uint256 deadline) view returns (bytes32)
    function nonces(address owner) view returns (uint256)

    event Submitted(uint64 indexed index, address indexed owner, uint8 indexed kind, address payer, uint256 surcharge)
    event Answered(uint64 indexed index, uint32 indexed id, uint8 status, uint64 amount)
    event Reclaimed(uint64 indexed index, address indexed payer)
    event Collected(address indexed account, uint256 amount)
    event EIP712DomainChanged()

    error BadParameter()
    error UnknownKind(uint8 kind)
    error BadFields(uint256 length, uint256 expected)
    error ZeroAmount()
    error ZeroRoot()
    error NotAnOwner(address account)
    error SignatureExpired(uint256 deadline)
    error BadSignature(address owner)
    error RateLimited(address owner, uint256 time)
    error BondTooSmall(uint256 sent, uint256 needed)
    error NotAnOperation(uint64 index)
    error AlreadyAnswered(uint64 index)
    error NotEnded()
    error NothingOwed(address account)
    error PaymentFailed(address to, uint256 amount)
    error InvalidAccountNonce(address account, uint256 currentNonce)
    error InvalidShortString()
    error StringTooLong(string str)
    error UnknownType(uint256 recordType)
    error SlotOutOfRange(uint256 slot)
    error WrongProofLength(uint256 received, uint256 expected)
    error WrongWordCount(uint256 recordType, uint256 received, uint256 expected)
    error WrongRoot(bytes32 computed, bytes32 expected)
    """,
)

ESCAPE: Final = Contract(
    "Escape",
    """
    struct Exit (uint8 table, uint32 slot, bytes32[] words, bytes32[] siblings)
    struct Header (uint64 epoch, uint64 number, bytes32 parent, bytes32 inputsRoot, uint64 firstSeq, uint64 count, uint64 inboxIndex, bytes32 inboxHash, uint64 firstBlock, uint64 blocks, uint64 startTime, uint64 endTime)
    struct Deposit (uint64 index, uint64 time, uint64 blockNumber, bytes payload)

    function exit(Exit proof)
    function exitMany(Exit[] proofs) returns (uint256 paid)
    function refund(Header header, Deposit message)
    function refundMany(Header header, Deposit[] messages) returns (uint256 paid)
    function PAYMENT_GAS() view returns (uint256)
    function chain() view returns (address)
    function vault() view returns (address)
    function owners() view returns (address)
    function assets() view returns (address)
    function listings() view returns (address)
    function redirects() view returns (address)
    function isPaid(uint8 table, uint32 slot) view returns (bool)
    function isRefunded(uint64 index) view returns (bool)

    event Exited(uint8 indexed table, uint32 indexed slot, address indexed owner, uint32 asset, address to, uint64 atoms)
    event Refunded(uint64 indexed index, address indexed owner, uint32 indexed asset, address to, uint64 atoms)
    event ExitBlocked(uint8 indexed table, uint32 indexed slot)
    event RefundBlocked(uint64 indexed index)

    error NotPayable(uint8 table)
    error AlreadyPaid(uint8 table, uint32 slot)
    error NothingOwed(uint8 table, uint32 slot)
    error SimulatedAsset(uint32 asset)
    error NotResolved(uint32 eventId)
    error AlreadyRefunded(uint64 index)
    error AlreadyConsumed(uint64 index, uint64 consumed)
    error WrongMessage(uint64 index)
    error WrongHeader(bytes32 given, bytes32 expected)
    error InsufficientGas(uint256 left, uint256 needed)
    error OnlySelf(address caller)
    error ReentrancyGuardReentrantCall()
    error SafeCastOverflowedUintDowncast(uint8 bits, uint256 value)
    error ZeroRoot()
    error UnknownType(uint256 recordType)
    error SlotOutOfRange(uint256 slot)
    error WrongProofLength(uint256 received, uint256 expected)
    error WrongWordCount(uint256 recordType, uint256 received, uint256 expected)
    error WrongRoot(bytes32 computed, bytes32 expected)
    """,
)

OWNER_REGISTRY: Final = Contract(
    "OwnerRegistry",
    """
    function register(address account) payable returns (uint32 owner)
    function registerMany(address[] accounts) payable returns (uint32 registered)
    function registerSelfAsContract() payable returns (uint32 owner)
    function registrationFee() view returns (uint256)
    function maxOwners() view returns (uint32)
    function count() view returns (uint32)
    function feeFor(address account) view returns (uint256)
    function idOf(address account) view returns (uint32)
    function ownerOf(uint32 owner) view returns (address)
    function kindOf(uint32 owner) view returns (uint8)

    event OwnerRegistered(uint32 indexed owner, address indexed account, uint8 kind, uint64 inboxIndex)

    error ZeroAddress()
    error AlreadyRegistered(address account, uint32 owner)
    error WrongFee(uint256 sent, uint256 expected)
    error RegistryFull(uint32 maxOwners)
    error UnknownOwner(uint32 owner)
    error RefundFailed(address to, uint256 amount)
    """,
)

ASSET_REGISTRY: Final = Contract(
    "AssetRegistry",
    """
    struct Asset (address token, uint8 kind, uint8 decimals, bool isClosed, uint64 quantum, uint64 cap, address registrant, uint32 venue)
    struct Faucet (uint64 amount, uint64 interval)

    function registerAsset(address token, uint64 quantum, uint64 cap) payable returns (uint32 asset)
    function registerSimulated(uint32 venue, string symbol, uint8 decimals, uint64 cap) payable returns (uint32 asset)
    function setFaucet(uint32 asset, Faucet faucet)
    function closeAsset(uint32 asset)
    function bond() view returns (uint256)
    function fee() view returns (uint256)
    function maxAssets() view returns (uint32)
    function venues() view returns (address)
    function symbolOf(uint32 asset) view returns (string symbol)
    function faucetOf(uint32 asset) view returns (Faucet)
    function vault() view returns (address)
    function count() view returns (uint32)
    function isOpen(uint32 asset) view returns (bool)
    function assetOf(uint32 asset) view returns (Asset)

    event AssetRegistered(uint32 indexed asset, address indexed token, address indexed registrant, uint8 kind, uint8 decimals, uint64 quantum, uint64 cap, uint64 inboxIndex)
    event SimulatedRegistered(uint32 indexed asset, uint32 indexed venue, string symbol)
    event FaucetSet(uint32 indexed asset, Faucet before, Faucet faucet, uint64 inboxIndex)
    event AssetClosed(uint32 indexed asset, address indexed registrant, uint256 refund)

    error FeeAboveBond(uint256 fee, uint256 bond)
    error WrongBond(uint256 sent, uint256 expected)
    error ZeroToken()
    error RegistryFull(uint32 maxAssets)
    error BadQuantum(uint64 quantum)
    error BadDecimals(uint8 tokenDecimals, uint64 quantum)
    error BadCap(uint64 cap, uint64 limit)
    error BadSymbol(string symbol)
    error TooManyDecimals(uint8 decimals, uint8 limit)
    error NotSimulated(uint32 asset, uint8 kind)
    error BadFaucet(uint64 amount, uint64 interval)
    error UnknownAsset(uint32 asset)
    error NotRegistrant(address caller, address registrant)
    error AssetIsClosed(uint32 asset)
    error StillOutstanding(uint32 asset, uint64 atoms)
    error RefundFailed(address to, uint256 amount)
    """,
)

VENUE_REGISTRY: Final = Contract(
    "VenueRegistry",
    """
    struct AccessRule (uint8 access, address provider, uint16 minClass, uint64 regions)
    struct Status (uint8 state, AccessRule rule, uint64 stakeTold, address offeredTo, bool isAnnounced, uint8 nextState, AccessRule nextRule, uint64 readyAt)
    struct Venue (address deployer, uint32 owner, uint8 access, uint16 markets, string name)

    function acceptVenue(uint32 venue)
    function addStake(uint32 venue, uint256 amount)
    function applyChange(uint32 venue)
    function brake() view returns (address)
    function cancelChange(uint32 venue)
    function configure(uint32 venue, uint8 state, AccessRule rule)
    function createVenue(string name, uint8 access) payable returns (uint32 venue)
    function deployerOf(uint32 venue) view returns (address)
    function marketCount() view returns (uint32)
    function markets() view returns (address)
    function maxVenues() view returns (uint32)
    function offerVenue(uint32 venue, address to)
    function reduceOnly(uint32 venue)
    function statusOf(uint32 venue) view returns (Status)
    function tellStake(uint32 venue)
    function venueCount() view returns (uint32)
    function venueNamed(string name) view returns (uint32)
    function venueOf(uint32 venue) view returns (Venue)
    function venueStake() view returns (uint256)
    function windDown(uint32 venue)

    event ChangeAnnounced(uint32 indexed venue, uint8 state, AccessRule rule, uint64 readyAt)
    event ChangeCancelled(uint32 indexed venue)
    event StakeAdded(uint32 indexed venue, address indexed deployer, uint256 amount, uint256 stake)
    event VenueCreated(uint32 indexed venue, uint32 indexed owner, address indexed deployer, string name, uint8 access, uint256 stake, uint64 inboxIndex)
    event VenueHandedOver(uint32 indexed venue, address indexed before, address indexed deployer, uint256 stake)
    event VenueOffered(uint32 indexed venue, address indexed deployer, address indexed to)
    event VenueUpdated(uint32 indexed venue, uint8 stateBefore, uint8 state, AccessRule before, AccessRule rule, uint64 stakeGwei, uint64 inboxIndex)

    error BadName(string name)
    error BadOffer(address to)
    error BadRule(string part)
    error BadStake(uint256 stake)
    error BadState(uint8 state)
    error ListingsClosed(uint64 until)
    error MarketsOpen(uint32 venue, uint16 markets)
    error NameTaken(string name, uint32 venue)
    error NoProvider(uint32 venue)
    error NotDeployer(address caller, address deployer)
    error NotOffered(uint32 venue, address caller)
    error NotReady(uint32 venue, uint64 readyAt)
    error NothingAnnounced(uint32 venue)
    error Unchanged(uint32 venue)
    error UnknownAccess(uint8 access)
    error UnknownVenue(uint32 venue)
    error VenueNotBacked(uint32 venue, uint256 backing, uint256 needed)
    error VenueWoundDown(uint32 venue)
    error VenuesFull(uint32 maxVenues)
    """,
)

MARKET_REGISTRY: Final = Contract(
    "MarketRegistry",
    """
    struct Terms (uint64 minNotional, uint64 maxNotional, uint64 maxLots, uint64 openInterestCap, uint64 accountCap, uint64 closes, int32 takerFee, int32 makerFee, uint32 protocolShare, uint32 insuranceShare, uint32 referrerShare, uint32 guestFee, uint32 band, uint32 calendar, uint8 phase, uint8 access, uint8 takerDelay, uint64 effectiveAt)
    struct Config (address inbox, address venues, address listings, address perps, address calendars, address slots, address limits, uint32 maxMarkets, uint64 changeNotice, uint64 closeNotice, uint64 messageLag)
    struct Market (uint32 venue, uint32 base, uint32 quote, uint32 id, uint32 home, uint32 eventId, uint8 kind, uint8 stage, uint32 maxPrice, uint64 lotSize, uint64 tickValue, uint64 startsAt, uint8 slotKind)

    function config() view returns (Config)
    function delist(uint32 market, uint64 effectiveAt)
    function delistLost(uint32 market)
    function forget(uint32 market)
    function isShared(uint32 market, uint32 guest) view returns (bool)
    function marketCount() view returns (uint32)
    function marketIdOf(uint32 market) view returns (uint32)
    function marketOf(uint32 market) view returns (Market)
    function noticeFor(uint32 market, Terms terms) view returns (uint64)
    function openMarketsOf(uint32 venue) view returns (uint16 markets)
    function setPhase(uint32 market, uint8 phase)
    function setSharing(uint32 market, uint32 guest, bool isAllowed)
    function termsOf(uint32 market) view returns (Terms inForce, Terms announced)
    function updateMarket(uint32 market, Terms terms)

    event MarketClosed(uint32 indexed market, uint32 indexed venue)
    event MarketUpdated(uint32 indexed market, uint32 indexed venue, Terms before, Terms terms, uint64 inboxIndex)
    event SharingSet(uint32 indexed market, uint32 indexed guest, bool isAllowed)

    error BadConfig(string parameter)
    error ChangeImminent(uint32 market, uint64 effectiveAt)
    error EndsWithItsEvent(uint32 market, uint32 eventId)
    error MarketIsClosing(uint32 market, uint8 stage)
    error MarketNotOver(uint32 market, uint64 from)
    error MarketsFull(uint32 maxMarkets)
    error NotAHome(uint32 market)
    error NotListings(address caller, address listings)
    error NotStricter(uint8 phase, uint8 given)
    error NoticeTooShort(uint64 given, uint64 earliest)
    error NumbersFull(uint32 venue)
    error OutOfBounds(string term, int256 given, int256 lowest, int256 highest)
    error SlotNotLost(uint32 market)
    error Unchanged(uint32 market)
    error UnknownCalendar(uint32 calendar, uint32 venue)
    error UnknownMarket(uint32 market)
    """,
)

LISTINGS: Final = Contract(
    "Listings",
    """
    struct SpotTerms (uint32 venue, uint32 base, uint32 quote, uint64 lotSize, uint64 tickValue, uint64 minNotional, uint64 maxNotional, uint64 maxLots, uint32 maxPrice, int32 takerFee, int32 makerFee, uint32 protocolShare, uint32 insuranceShare, uint8 takerDelay, uint64 effectiveAt)
    struct Event (uint32 venue, uint32 asset, uint8 outcomes, uint8 state, uint64 unit, uint32 firstMarket, bytes32 voidPayouts, bytes32 question)
    struct EventTerms (uint32 venue, uint32 asset, uint8 outcomes, uint64 unit, bytes32 voidPayouts, bytes32 question, uint64 tickValue, uint64 minNotional, uint64 maxNotional, uint64 maxLots, int32 takerFee, int32 makerFee, uint32 protocolShare, uint32 insuranceShare, uint8 takerDelay, uint64 effectiveAt, uint64 closes)
    struct GuestTerms (uint32 venue, uint32 home, uint32 guestFee, uint64 effectiveAt)

    function listSpot(SpotTerms terms) returns (uint32 market)
    function listEvent(EventTerms terms, bytes data) payable returns (uint32 eventId)
    function listGuest(GuestTerms terms) returns (uint32 market)
    function resolveEvent(uint32 eventId, uint8 state, bytes32 payouts)
    function markets() view returns (address)
    function limits() view returns (address)
    function resolver() view returns (address)
    function maxEvents() view returns (uint32)
    function eventCount() view returns (uint32)
    function eventOf(uint32 eventId) view returns (Event)

    event SpotListed(uint32 indexed market, uint32 indexed id, uint32 indexed venue, SpotTerms terms, uint64 inboxIndex)
    event GuestListed(uint32 indexed market, uint32 indexed id, uint32 indexed venue, GuestTerms terms, uint64 inboxIndex)
    event EventListed(uint32 indexed eventId, uint32 indexed venue, bytes32 indexed question, EventTerms terms, uint64 inboxIndex)
    event OutcomeListed(uint32 indexed market, uint32 indexed id, uint32 indexed eventId, uint8 outcome, uint64 inboxIndex)
    event EventResolved(uint32 indexed eventId, uint8 state, bytes32 payouts, uint64 inboxIndex)

    error NoDoorToPerpetual(uint32 home)
    error EventsFull(uint32 maxEvents)
    error UnknownEvent(uint32 eventId)
    error AssetNotOpen(uint32 asset)
    error SameAsset(uint32 asset)
    error NotSameKind(uint32 base, uint32 quote)
    error ForeignSimulatedAsset(uint32 asset, uint32 venue)
    error BadUnit(uint64 unit, uint64 tickValue)
    error BadPayouts(bytes32 payouts, uint8 outcomes)
    error NoResolver()
    error NotResolver(address caller, address resolver)
    error EventIsSettled(uint32 eventId, uint8 state)
    error BadState(uint8 state)
    error NotShared(uint32 home, uint32 guest)
    error MarketIsClosing(uint32 market, uint8 stage)
    error NotAHome(uint32 market)
    error OutOfBounds(string term, int256 given, int256 lowest, int256 highest)
    """,
)

CALENDARS: Final = Contract(
    "CalendarRegistry",
    """
    struct Session (uint16 open, uint16 close)
    struct Closure (uint64 from, uint64 to)

    function setCalendar(uint32 calendar, uint32 venue, Session[7] week, Closure[4] closures) returns (uint32 set)
    function markets() view returns (address)
    function limits() view returns (address)
    function maxCalendars() view returns (uint32)
    function calendarCount() view returns (uint32)
    function calendarOf(uint32 calendar) view returns (uint32 venue, Closure[4] closures)
    function venueOfCalendar(uint32 calendar) view returns (uint32)

    event CalendarSet(uint32 indexed calendar, uint32 indexed venue, Session[7] week, Closure[4] closures, uint64 inboxIndex)

    error CalendarsFull(uint32 maxCalendars)
    error UnknownCalendar(uint32 calendar, uint32 venue)
    error UnchangedCalendar(uint32 calendar)
    error ClosureTooSoon(uint64 from, uint64 earliest)
    error HoursAreFixed(uint32 calendar)
    error BadCalendar(string part, uint256 index)
    error OutOfBounds(string term, int256 given, int256 lowest, int256 highest)
    """,
)

SLOTS: Final = Contract(
    "ISlots",
    """
    struct Slot (uint8 state, uint8 kind, uint32 venue, uint32 licence)

    function registry() view returns (address)
    function isSlotFree(uint32 venue, uint8 kind) view returns (bool)
    function slotOf(uint32 market) view returns (Slot)
    function baseSlotsUsed(uint32 venue, uint8 kind) view returns (uint16)

    event SlotOccupied(uint32 indexed market, uint32 indexed venue, uint8 indexed kind, uint32 licence)
    event SlotReleased(uint32 indexed market, uint32 indexed venue, uint8 indexed kind, uint32 licence)

    error UnknownKind(uint8 kind)
    error NotVenueRegistry(address caller, address registry)
    error AlreadyOccupied(uint32 market)
    error NoFreeSlot(uint32 venue, uint8 kind)
    error UnknownMarket(uint32 market)
    """,
)

STAKING_VAULT: Final = Contract(
    "StakingVault",
    """
    struct Buckets (uint256 free, uint256 locked, uint256 unbonding)
    struct Case (address account, uint64 time, uint64 blockNumber, bool isClosed)
    struct Header (uint64 epoch, uint64 number, bytes32 parent, bytes32 inputsRoot, uint64 firstSeq, uint64 count, uint64 inboxIndex, bytes32 inboxHash, uint64 firstBlock, uint64 blocks, uint64 startTime, uint64 endTime)
    struct ReleaseProof (bytes32 claim, Header header, bytes32[] words, bytes32[] siblings)
    struct UnbondRequest (uint64 id, uint128 amount, uint48 time, bool isReleased, uint64 blockNumber, uint64 batch, uint64 stoppedSeconds, uint64 stoppedBlocks)
    struct Unbonding (bool isRunning, uint64 untilTime, uint64 untilBlock)

    function CLOCK_MODE() view returns (string)
    function MAX_REQUESTS() view returns (uint256)
    function agedTotal(uint256 timepoint, uint256 age) view returns (uint256)
    function agedVotes(address account, uint256 timepoint, uint256 age) view returns (uint256)
    function backingOf(uint32 venue) view returns (uint256)
    function bucketsOf(address account) view returns (Buckets)
    function cancelRelease(uint32 venue)
    function cancelUnbond(uint64 requestId)
    function caseBlocks() view returns (uint64)
    function caseOf(bytes32 caseId) view returns (Case)
    function caseSeconds() view returns (uint64)
    function chain() view returns (address)
    function clock() view returns (uint48)
    function closeCase(bytes32 caseId)
    function collect(address account)
    function court() view returns (address)
    function delegate(address delegatee)
    function delegateBySig(address delegatee, uint256 nonce, uint256 expiry, uint8 v, bytes32 r, bytes32 s)
    function delegates(address account) view returns (address)
    function eip712Domain() view returns (bytes1 fields, string name, string version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] extensions)
    function freeOf(address account) view returns (uint256)
    function getPastTotalSupply(uint256 timepoint) view returns (uint256)
    function getPastVotes(address account, uint256 timepoint) view returns (uint256)
    function getVotes(address account) view returns (uint256)
    function lapseCase(bytes32 caseId)
    function leavingOf(uint32 venue) view returns (bool isLeaving, uint64 inboxIndex)
    function lock(address account, uint32 venue, uint256 amount)
    function lockedBehind(address account, uint32 venue) view returns (uint256)
    function lockedOf(address account) view returns (uint256)
    function nonces(address owner) view returns (uint256)
    function noteFinality()
    function openCase(bytes32 caseId, address account)
    function openCasesOf(address account) view returns (uint64)
    function owedTo(address account) view returns (uint256 amount)
    function release(uint32 venue, ReleaseProof proof) returns (uint64 requestId)
    function requestOf(address account, uint64 requestId) view returns (UnbondRequest request)
    function requestRelease(uint32 venue)
    function requestUnbond(uint256 amount) returns (uint64 requestId)
    function requestsOf(address account) view returns (UnbondRequest[])
    function slash(bytes32 caseId, uint32 venue, uint256 amount, address to) returns (uint256 taken)
    function stake() payable
    function stakeFor(address account) payable
    function stakeOf(uint32 venue) view returns (uint256 amount)
    function totalOwed() view returns (uint256)
    function totalStaked() view returns (uint256)
    function unbondingBlocks() view returns (uint64)
    function unbondingOf(address account) view returns (uint256)
    function unbondingSeconds() view returns (uint64)
    function unbondingStateOf(address account, uint64 requestId) view returns (Unbonding)
    function venueRegistry() view returns (address)
    function withdraw(uint64 requestId)

    event CaseClosed(bytes32 indexed caseId, address indexed account, bool isLapsed)
    event CaseOpened(bytes32 indexed caseId, address indexed account)
    event Collected(address indexed account, uint256 amount)
    event DelegateChanged(address indexed delegator, address indexed fromDelegate, address indexed toDelegate)
    event DelegateVotesChanged(address indexed delegate, uint256 previousVotes, uint256 newVotes)
    event EIP712DomainChanged()
    event FinalityNoted(uint64 indexed batch, uint64 time, uint64 blockNumber)
    event Locked(address indexed account, uint32 indexed venue, uint256 amount, uint256 freeBefore, uint256 free)
    event ReleaseCancelled(address indexed account, uint32 indexed venue)
    event ReleaseRequested(address indexed account, uint32 indexed venue, uint64 inboxIndex)
    event Released(address indexed account, uint32 indexed venue, uint64 indexed requestId, bytes32 claim, uint256 amount)
    event Slashed(bytes32 indexed caseId, address indexed account, uint32 indexed venue, uint256 fromLocked, uint256 fromUnbonding, uint256 fromFree, address to)
    event Staked(address indexed account, address indexed from, uint256 amount, uint256 freeBefore, uint256 free)
    event UnbondCancelled(address indexed account, uint64 indexed requestId, uint256 amount, uint256 freeBefore, uint256 free)
    event UnbondRequested(address indexed account, uint64 indexed requestId, uint256 amount, uint256 freeBefore, uint256 free)
    event Withdrawn(address indexed account, uint64 indexed requestId, uint256 amount)

    error CaseExists(bytes32 caseId)
    error CaseOpen(address account, uint64 openCases)
    error CaseOver(bytes32 caseId)
    error CaseRunning(uint64 untilTime, uint64 untilBlock)
    error CheckpointUnorderedInsertion()
    error ECDSAInvalidSignature()
    error ECDSAInvalidSignatureLength(uint256 length)
    error ECDSAInvalidSignatureS(bytes32 s)
    error ERC5805FutureLookup(uint256 timepoint, uint48 clock)
    error InsufficientFree(address account, uint256 asked, uint256 free)
    error InvalidAccountNonce(address account, uint256 currentNonce)
    error InvalidShortString()
    error NotCancellable(uint64 requestId)
    error NotCourt(address caller, address court)
    error NotVenueRegistry(address caller, address venueRegistry)
    error NothingLocked(address account, uint32 venue)
    error NothingOwed(address account)
    error ReentrancyGuardReentrantCall()
    error SafeCastOverflowedUintDowncast(uint8 bits, uint256 value)
    error SlotOutOfRange(uint256 slot)
    error StateTooOld(uint64 inboxIndex, uint64 needed)
    error StringTooLong(string str)
    error TooManyRequests(address account, uint256 most)
    error TransferFailed(address to, uint256 amount)
    error UnbondingRunning(bool isRunning, uint64 untilTime, uint64 untilBlock)
    error UnbondingTooShort(uint64 unbonding, uint64 caseTime)
    error UnknownCase(bytes32 caseId)
    error UnknownRequest(address account, uint64 requestId)
    error UnknownType(uint256 recordType)
    error VenueLeaving(uint32 venue)
    error VenueNotEmpty(uint32 venue, uint16 markets, uint16 perps, uint32 orders)
    error VenueNotLeaving(uint32 venue)
    error VenueUnknownToState(uint32 venue)
    error VotesExpiredSignature(uint256 expiry)
    error WrongHeader(bytes32 given, bytes32 committed)
    error WrongProofLength(uint256 received, uint256 expected)
    error WrongRoot(bytes32 computed, bytes32 expected)
    error WrongWordCount(uint256 recordType, uint256 received, uint256 expected)
    error ZeroAddress()
    error ZeroAmount()
    error ZeroRoot()
    """,
)

JUDGE: Final = Contract("IJudge", "function rulingOf(bytes32 parent) view returns (bytes32 winner)")

VERIFIER_VOTE_JUDGE: Final = Contract(
    "VerifierVoteJudge",
    """
    struct Verifier (uint64 since, uint64 leftTime, uint64 leftBlock)

    function register() payable
    function leave()
    function withdrawBond()
    function vote(bytes32 parent, bytes32 child)
    function rulingOf(bytes32 parent) view returns (bytes32 winner)
    function chain() view returns (address)
    function bond() view returns (uint256)
    function quorum() view returns (uint32)
    function unbondingSeconds() view returns (uint64)
    function unbondingBlocks() view returns (uint64)
    function verifierOf(address account) view returns (Verifier)
    function activeVerifiers() view returns (uint256)
    function eligibleAt(uint64 time) view returns (uint256)
    function votesFor(bytes32 parent, bytes32 child) view returns (uint256)
    function hasVoted(bytes32 parent, address account) view returns (bool)

    event VerifierRegistered(address indexed verifier, uint256 active)
    event VerifierLeft(address indexed verifier, uint256 active)
    event BondWithdrawn(address indexed verifier, uint256 amount)
    event Voted(bytes32 indexed parent, bytes32 indexed child, address indexed verifier, uint256 votes)
    event Ruled(bytes32 indexed parent, bytes32 indexed winner, uint256 votes, uint256 eligible)

    error ZeroBond()
    error ZeroQuorum()
    error UnbondingTooShort(uint64 unbonding, uint64 judgeTime)
    error WrongBond(uint256 sent, uint256 expected)
    error AlreadyRegistered(address account)
    error NotActive(address account)
    error NotLeaving(address account)
    error UnbondingRunning(uint64 untilTime, uint64 untilBlock)
    error TransferFailed(address to, uint256 amount)
    error NotAwaitingRuling(bytes32 parent)
    error AlreadyRuled(bytes32 parent, bytes32 winner)
    error NotAChild(bytes32 claim, bytes32 parent)
    error NotEligible(address account, uint64 rivalryTime)
    error AlreadyVoted(address account, bytes32 parent)
    error CheckpointUnorderedInsertion()
    """,
)

SLOT_AUCTION: Final = Contract(
    "SlotAuction",
    """
    struct KindTerms (uint16 startMultiple, uint16 floorShare, uint16 decay, uint16 baseSlots, uint32 supply, uint32 roundSeconds, uint256 minFloor)
    struct Licence (uint8 kind, uint32 venue, uint32 market, uint64 expires, uint64 idleSince, uint16 graceDays, uint16 idleDays, uint256 renewalPrice)
    struct LicenceTerms (uint16 termDays, uint16 renewalDays, uint16 graceDays, uint16 idleDays)
    struct Round (uint64 number, uint64 begin, uint64 length, uint256 start, uint256 floor)
    struct Slot (uint8 state, uint8 kind, uint32 venue, uint32 licence)

    function baseSlotsUsed(uint32 venue, uint8 kind) view returns (uint16)
    function buy(uint32 venue, uint8 kind, uint256 maxPrice) payable returns (uint32 licence)
    function collectProceeds() returns (uint256 amount)
    function collectRefund(address to) returns (uint256 amount)
    function governance() view returns (address)
    function isSlotFree(uint32 venue, uint8 kind) view returns (bool)
    function kindTerms(uint8 kind) view returns (KindTerms)
    function licenceCount() view returns (uint32)
    function licenceOf(uint32 licence) view returns (Licence)
    function licenceTerms() view returns (LicenceTerms)
    function licencesOf(uint32 venue, uint8 kind) view returns (uint32[])
    function meanPrice(uint8 kind) view returns (uint256)
    function occupy(uint32 venue, uint8 kind, uint32 market) returns (uint32 licence)
    function outstanding(uint8 kind) view returns (uint32)
    function price(uint8 kind) view returns (uint256)
    function priceAt(uint8 kind, uint64 time) view returns (uint256)
    function proceeds() view returns (uint256)
    function reclaim(uint32 licence)
    function reclaimableFrom(uint32 licence) view returns (uint64)
    function refundOf(address account) view returns (uint256)
    function refunds() view returns (uint256)
    function registry() view returns (address)
    function release(uint32 market)
    function renew(uint32 licence, uint256 maxPrice) payable returns (uint64 expires)
    function roundAt(uint8 kind, uint64 time) view returns (Round)
    function setKindTerms(uint8 kind, KindTerms terms)
    function setLicenceTerms(LicenceTerms terms)
    function slotOf(uint32 market) view returns (Slot)
    function treasury() view returns (address)

    event KindTermsChanged(uint8 indexed kind, KindTerms before, KindTerms terms)
    event LicenceBought(uint32 indexed licence, uint32 indexed venue, uint8 indexed kind, address buyer, uint64 round, uint256 price, uint256 renewalPrice, uint64 expires)
    event LicenceReclaimed(uint32 indexed licence, uint32 indexed venue, uint32 indexed market, uint8 kind, address by)
    event LicenceRenewed(uint32 indexed licence, uint32 indexed venue, address payer, uint256 price, uint256 renewalPrice, uint64 expiresBefore, uint64 expires)
    event LicenceTermsChanged(LicenceTerms before, LicenceTerms terms)
    event ProceedsCollected(address indexed treasury, uint256 amount)
    event RefundCollected(address indexed account, address indexed to, uint256 amount)
    event RefundCredited(address indexed account, uint256 amount, uint256 before, uint256 refund)
    event SlotOccupied(uint32 indexed market, uint32 indexed venue, uint8 indexed kind, uint32 licence)
    event SlotReleased(uint32 indexed market, uint32 indexed venue, uint8 indexed kind, uint32 licence)

    error AlreadyOccupied(uint32 market)
    error NoFreeSlot(uint32 venue, uint8 kind)
    error NotDeployer(address caller, address deployer)
    error NotEnoughSent(uint256 sent, uint256 price)
    error NotGovernance(address caller, address governance)
    error NotReclaimable(uint32 licence, uint64 from)
    error NotRenewable(uint32 licence, uint64 from, uint64 until)
    error NotVenueRegistry(address caller, address registry)
    error NotWholeGwei(uint256 amount)
    error NothingToCollect(address account)
    error OutOfBounds(string parameter, uint256 given, uint256 lowest, uint256 highest)
    error PastTime(uint64 time, uint64 begin)
    error PriceAboveLimit(uint256 price, uint256 maxPrice)
    error RoundSold(uint8 kind, uint64 nextBegin)
    error SoldOut(uint8 kind, uint32 supply)
    error TooManyLicences(uint32 venue, uint8 kind, uint256 limit)
    error TransferFailed(address to, uint256 amount)
    error UnknownKind(uint8 kind)
    error UnknownLicence(uint32 licence)
    error UnknownMarket(uint32 market)
    error ZeroAddress()
    error ZeroMarket()
    """,
)

ORACLE_REGISTRY: Final = Contract(
    "OracleRegistry",
    """
    struct Price (uint32 feed, uint32 provider, uint64 price, uint64 time)
    struct Selection (uint32[] providers, uint8 quorum, uint32 heartbeat, uint32 deviation, uint32 breaker)
    struct Config (address inbox, address chain, address venues, address limits, address court, address treasury, uint256 bond, uint64 keySeconds, uint64 noticeSeconds, uint64 evidenceSeconds, uint64 unbondingSeconds, uint64 unbondingBlocks, uint64 caseSeconds, uint64 caseBlocks, uint32 maxFeeds)
    struct Feed (uint32 venue, uint8 decimals, uint8 quorum, uint8 count, uint32 heartbeat, uint32 deviation, uint32 breaker, uint64 effectiveAt)
    struct Offer (uint64 since, uint64 until)
    struct Provider (address account, uint128 bond, uint64 exitTime, uint64 exitBlock, uint64 lockTime, uint64 lockBlock, uint32 equivocations, bytes32 metadata)
    struct Proof (uint32 id, bytes32[] words, bytes32[] siblings)

    function announce(uint32 feed)
    function checkPrice(Price price, bytes signature) view returns (address signer)
    function collect()
    function collectable() view returns (uint256)
    function config() view returns (Config)
    function domainSeparator() view returns (bytes32)
    function exit(uint32 provider)
    function feedCount() view returns (uint32)
    function feedOf(uint32 feed) view returns (Feed)
    function incidentsOf(uint32 provider, uint32 code) view returns (uint256 count)
    function isEquivocationRecorded(bytes32 nullifier) view returns (bool recorded)
    function isIncidentRecorded(uint32 id) view returns (bool)
    function isSelectable(uint32 provider) view returns (bool)
    function keyAt(uint32 provider, uint64 time) view returns (address)
    function keyCount(uint32 provider) view returns (uint256)
    function keyOf(uint32 provider, uint32 number) view returns (address signer, uint64 since)
    function offer(uint32 provider, uint32 feed)
    function offerOf(uint32 provider, uint32 feed) view returns (Offer)
    function openFeed(uint32 venue, uint8 decimals, bytes32 description) returns (uint32 feed)
    function priceDigest(Price price) view returns (bytes32)
    function proveEquivocation(Price a, bytes signatureA, Price b, bytes signatureB) returns (bytes32 nullifier)
    function providerCount() view returns (uint32)
    function providerOf(uint32 provider) view returns (Provider)
    function providerOfKey(address signer) view returns (uint32 provider)
    function providersOf(uint32 feed) view returns (uint32[])
    function recordIncident(bytes32 claim, Proof proof)
    function register(address signer, bytes32 metadata, string uri) payable returns (uint32 provider)
    function retract(uint32 provider, uint32 feed)
    function rotate(uint32 provider, address signer)
    function select(uint32 feed, Selection selection)
    function setMetadata(uint32 provider, bytes32 metadata, string uri)
    function slash(uint32 provider, uint256 amount)
    function submitPrice(Price price, bytes signature)
    function topUp(uint32 provider) payable
    function withdrawBond(uint32 provider)

    event Announced(uint32 indexed feed, uint64 inboxIndex)
    event BondAdded(uint32 indexed provider, uint256 amount, uint256 before, uint256 bond)
    event BondWithdrawn(uint32 indexed provider, address indexed account, uint256 amount)
    event Collected(address indexed treasury, uint256 amount)
    event EquivocationRecorded(uint32 indexed provider, uint32 indexed feed, bytes32 indexed nullifier, uint64 time, uint64 priceA, uint64 priceB, bytes signatureA, bytes signatureB, address reporter)
    event ExitRequested(uint32 indexed provider)
    event FeedOpened(uint32 indexed feed, uint32 indexed venue, uint8 decimals, bytes32 description)
    event IncidentRecorded(uint32 indexed provider, uint32 indexed feed, uint32 indexed code, uint32 id, uint64 time, uint64 amount, uint256 count)
    event KeyChanged(uint32 indexed provider, address indexed before, address indexed signer, uint64 from)
    event MetadataChanged(uint32 indexed provider, bytes32 before, bytes32 metadata, string uri)
    event Offered(uint32 indexed provider, uint32 indexed feed, uint64 since)
    event PriceTold(uint32 indexed provider, uint32 indexed feed, uint64 price, uint64 time, uint64 inboxIndex)
    event ProviderRegistered(uint32 indexed provider, address indexed account, address indexed signer, uint256 bond, bytes32 metadata, string uri)
    event Retracted(uint32 indexed provider, uint32 indexed feed, uint64 until)
    event Selected(uint32 indexed feed, uint32 indexed venue, Selection selection, uint64 effectiveAt)
    event Slashed(uint32 indexed provider, uint256 amount, uint256 before, uint256 bond)

    error AlreadyOffered(uint32 provider, uint32 feed)
    error AlreadyRecorded(bytes32 nullifier)
    error BadConfig(string parameter)
    error BondLocked(uint64 untilTime, uint64 untilBlock)
    error BondTooSmall(uint32 provider, uint256 asked, uint256 bond)
    error CheckpointUnorderedInsertion()
    error ECDSAInvalidSignature()
    error ECDSAInvalidSignatureLength(uint256 length)
    error ECDSAInvalidSignatureS(bytes32 s)
    error EvidenceTooOld(uint64 time, uint64 oldest)
    error FeedsFull(uint32 maxFeeds)
    error IncidentRecordedBefore(uint32 id)
    error KeyTaken(address signer, uint32 holder)
    error Leaving(uint32 provider)
    error NotAnIncident(uint32 id, uint8 kind, uint32 code)
    error NotCourt(address caller, address court)
    error NotDeployer(address caller, address deployer)
    error NotLeaving(uint32 provider)
    error NotObliged(uint32 provider, uint32 feed, uint64 time)
    error NotOffered(uint32 provider, uint32 feed)
    error NotProvider(address caller, address account)
    error NotSameMoment(Price a, Price b)
    error NotSelectable(uint32 provider)
    error NothingNew(uint32 feed)
    error NothingToCollect()
    error OutOfBounds(string term, uint256 given, uint256 lowest, uint256 highest)
    error ProvidersNotRising(uint32 before, uint32 provider)
    error ProvidersOutOfRange(uint256 given, uint256 limit)
    error RotationPending(uint32 provider, uint64 from)
    error SameKey(uint32 provider, address signer)
    error SamePrice(uint64 price)
    error SelectionPending(uint32 feed, uint64 effectiveAt)
    error SlotOutOfRange(uint256 slot)
    error TooManyFeeds(uint32 venue, uint256 limit)
    error TransferFailed(address to, uint256 amount)
    error UnknownFeed(uint32 feed)
    error UnknownProvider(uint32 provider)
    error UnknownType(uint256 recordType)
    error WrongBond(uint256 sent, uint256 expected)
    error WrongProofLength(uint256 received, uint256 expected)
    error WrongRoot(bytes32 computed, bytes32 expected)
    error WrongSigner(address signer, address expected)
    error WrongWordCount(uint256 recordType, uint256 received, uint256 expected)
    error ZeroAddress()
    error ZeroRoot()
    """,
)

OUTCOME_RESOLVER: Final = Contract(
    "OutcomeResolver",
    """
    struct Answer (address account, uint64 time, uint64 blockNumber, uint256 vector)
    struct Period (uint64 time, uint64 blocks)
    struct Config (address inbox, address listings, address staking, address oracles, address arbiter, address treasury, uint256 openFee, uint256 minBond, uint256 fullExposure, uint32 bondRate, uint32 exposureMultiple, uint32 maxOpen, Period windowMin, Period windowMax, Period providerTime, Period arbiterTime, Period silence)
    struct Group (uint32 venue, uint32 provider, uint64 resolvesAt, uint8 outcomes, uint8 phase, uint128 exposure, uint128 bond, uint64 calledTime, uint64 calledBlock, uint256 voidVector, uint256 result)
    struct Details (uint32 provider, uint64 resolvesAt, uint128 exposure)

    function bonds() view returns (uint256)
    function callForResult(uint32 group)
    function challenge(uint32 group, uint16[] fractions) payable
    function challengeOf(uint32 group) view returns (Answer)
    function collect(address account)
    function collectable(address account) view returns (uint256 amount)
    function config() view returns (Config)
    function confirm(uint32 group)
    function decide(uint32 group, uint16[] fractions)
    function exposureOf(uint32 venue) view returns (uint256 exposure)
    function groupOf(uint32 group) view returns (Group)
    function lapse(uint32 group)
    function openGroupsOf(uint32 venue) view returns (uint32 groups)
    function owed() view returns (uint256)
    function proposalOf(uint32 group) view returns (Answer)
    function propose(uint32 group, uint16[] fractions) payable
    function resultOf(uint32 group) view returns (uint8 phase, uint256 vector)
    function termsFor(uint128 exposure) view returns (uint256 bond, Period window)
    function toVector(uint16[] fractions) pure returns (uint256 vector)

    event BondLost(uint32 indexed group, address indexed account, address indexed winner, uint256 reward, uint256 toTreasury)
    event BondReturned(uint32 indexed group, address indexed account, uint256 amount)
    event Challenged(uint32 indexed group, address indexed challenger, uint256 vector, uint64 untilTime, uint64 untilBlock)
    event Collected(address indexed account, uint256 amount)
    event GroupOpened(uint32 indexed group, uint32 indexed venue, uint32 indexed provider, Details details, uint256 bond)
    event Proposed(uint32 indexed group, address indexed proposer, uint256 vector, uint64 untilTime, uint64 untilBlock)
    event Resolved(uint32 indexed group, uint8 phase, uint256 vector, bool isTold)
    event ResultCalled(uint32 indexed group, address indexed by)

    error BadConfig(string parameter)
    error BadDetails(uint256 length, uint256 expected)
    error BadSum(uint256 sum, uint256 expected)
    error ExposureTooLarge(uint32 venue, uint256 asked, uint256 left)
    error NotArbiter(address caller, address arbiter)
    error NotListings(address caller, address listings)
    error NothingToCollect(address account)
    error OutcomesOutOfRange(uint256 given, uint256 lowest, uint256 highest)
    error ProviderFirst(uint32 group, address provider)
    error ProviderNotSelectable(uint32 provider)
    error ResolvesInPast(uint64 resolvesAt, uint64 time)
    error ResolvesTooLate(uint64 resolvesAt, uint64 latest)
    error SameVector(uint256 vector)
    error StillRunning(uint64 untilTime, uint64 untilBlock)
    error TooEarly(uint64 time, uint64 resolvesAt)
    error TooLate(uint32 group)
    error TooManyOpen(uint32 venue, uint32 limit)
    error TransferFailed(address to, uint256 amount)
    error UnknownGroup(uint32 group)
    error WrongBond(uint256 sent, uint256 expected)
    error WrongFee(uint256 sent, uint256 expected)
    error WrongPhase(uint32 group, uint8 phase)
    error ZeroExposure()
    """,
)


SEQUENCERS: Final = Contract(
    "Sequencers",
    """
    struct Config (address chain, address register, address operator, uint64 takeoverSeconds, uint64 takeoverBlocks, uint64 openSeconds, uint64 openBlocks)
    struct Epoch (address key, address account, uint64 time, uint64 blockNumber, uint64 firstBatch)

    function takeOver(uint64 heartbeat) returns (uint64 epoch)
    function rotate(address key, bytes32 tip) returns (uint64 epoch)

    function chain() view returns (address)
    function register() view returns (address)
    function config() view returns (Config)
    function currentEpoch() view returns (uint64)
    function sequencerOf(uint64 epoch) view returns (address)
    function epochOf(uint64 epoch) view returns (Epoch)
    function operator() view returns (address)
    function isBonded() view returns (bool)
    function standbys() view returns (address[])
    function opensAt(address account, uint64 heartbeat) view returns (uint64 untilTime, uint64 untilBlock)

    event EpochBegan(uint64 indexed epoch, address indexed account, address indexed key, address before, uint64 firstBatch, uint8 reason)

    error BadConfig(string parameter)
    error ChainFrozen()
    error InOffice(address account, uint64 epoch)
    error NoStandbys()
    error NotAStandby(address caller)
    error NotOperator(address caller, address operator)
    error SameKey(address key)
    error TipMoved(bytes32 given, bytes32 tip)
    error TooEarly(uint64 untilTime, uint64 untilBlock)
    error TurnTaken(address account, uint64 epoch)
    error WrongHeartbeat(uint64 index, uint64 batch)
    error WrongKey(address key, address expected)
    error ZeroKey()
    """,
)

ERC20: Final = Contract(
    "ERC20",
    """
    function name() view returns (string)
    function symbol() view returns (string)
    function decimals() view returns (uint8)
    function balanceOf(address account) view returns (uint256)
    function allowance(address owner, address spender) view returns (uint256)
    function approve(address spender, uint256 value) returns (bool)
    function transfer(address to, uint256 value) returns (bool)

    event Transfer(address indexed from, address indexed to, uint256 value)
    event Approval(address indexed owner, address indexed spender, uint256 value)

    error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)
    error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)
    """,
)

CONTRACTS: Final = (
    {
        contract.name: contract
        for contract in (
            INBOX,
            STATE_CHAIN,
            CUSTODY_VAULT,
            WITHDRAWALS,
            REDIRECTS,
            ESCAPE,
            FORCED,
            OWNER_REGISTRY,
            ASSET_REGISTRY,
            VENUE_REGISTRY,
            MARKET_REGISTRY,
            LISTINGS,
            CALENDARS,
            SLOTS,
            STAKING_VAULT,
            JUDGE,
            VERIFIER_VOTE_JUDGE,
            SLOT_AUCTION,
            ORACLE_REGISTRY,
            OUTCOME_RESOLVER,
            SEQUENCERS,
            ERC20,
        )
    }
    | GOVERNANCE
    | COURT
    | PERPS
)

CLAIM_STATUS: Final = ("none", "open", "final", "dead")
CHAIN_MODE: Final = ("live", "frozen", "escape")
