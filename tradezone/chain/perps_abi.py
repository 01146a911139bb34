"""ABIs of perpetuals and what stands behind them; see `tradezone.chain.abi`, whose ``CONTRACTS`` has them too."""

from __future__ import annotations

from typing import Final

from ._abi import Contract

PERP_RULES: Final = Contract(
    "PerpRules",
    """
    struct Tier (uint64 lower, uint32 imr, uint32 mmr)

    function MOST_LEDGER_PERPS() view returns (uint256)
    function MOST_PERPS() view returns (uint256)
    function limits() view returns (address)
    function riseOf(Tier[4] before, Tier[4] next) view returns (bool rises, uint64 tooMuchAt)

    error BadTier(uint256 tier, string part)
    error OutOfBounds(string term, int256 given, int256 lowest, int256 highest)
    """,
)

PERP_REGISTRY: Final = Contract(
    "PerpRegistry",
    """
    struct Tier (uint64 lower, uint32 imr, uint32 mmr)
    struct Parameters (uint32 fundingCap, uint32 interest, uint64 impactNotional, uint32 bandListing, uint32 bandBasis, uint64 oiLower, uint64 oiUpper, uint64 lossCap, Tier[4] tiers)
    struct PerpTerms (uint32 venue, uint32 quote, uint32 feed, uint64 feedScale, uint64 tickValue, uint64 minNotional, uint64 maxNotional, uint64 maxLots, uint32 maxPrice, int32 takerFee, int32 makerFee, uint32 protocolShare, uint32 insuranceShare, uint8 takerDelay, uint32 calendar, uint32 band, uint64 openInterestCap, uint64 accountCap, uint64 closes, uint64 effectiveAt, Parameters parameters)
    struct Config (address inbox, address venues, address assets, address markets, address calendars, address oracles, address risk, address rules, address approver)
    struct Perp (uint32 feed, uint64 feedScale, bool isCounted, uint32 weight, bool isCross, uint64 raisedAt, uint64 readyAt)

    function applyParameters(uint32 market)
    function approveCross(uint32 market, uint32 weight)
    function cancelParameters(uint32 market)
    function config() view returns (Config)
    function hasLedger(uint32 venue, uint32 asset) view returns (bool isOpen)
    function listPerp(PerpTerms terms) returns (uint32 market)
    function parametersOf(uint32 market) view returns (Parameters inForce, Parameters announced)
    function perpCount() view returns (uint32)
    function perpOf(uint32 market) view returns (Perp)
    function perpsOf(uint32 venue, uint32 asset) view returns (uint32 count)
    function setParameters(uint32 market, Parameters parameters)
    function uncount(uint32 market)

    event CrossApproved(uint32 indexed market, uint32 before, uint32 weight, uint64 inboxIndex)
    event ParametersAnnounced(uint32 indexed market, Parameters parameters, uint64 readyAt)
    event ParametersCancelled(uint32 indexed market)
    event ParametersSet(uint32 indexed market, Parameters before, Parameters parameters, uint64 inboxIndex)
    event PerpListed(uint32 indexed market, uint32 indexed id, uint32 indexed venue, PerpTerms terms, uint64 inboxIndex)
    event PerpUncounted(uint32 indexed market)

    error AssetNotOpen(uint32 asset)
    error BandTooNarrow(uint32 market, uint32 band, uint32 widest)
    error ForeignFeed(uint32 feed, uint32 venue)
    error ForeignSimulatedAsset(uint32 asset, uint32 venue)
    error LedgerFull(uint32 venue, uint32 asset, uint256 most)
    error MarketIsClosing(uint32 market, uint8 stage)
    error NotAPerp(uint32 market)
    error NotApprover(address caller, address approver)
    error NotEligible(uint32 market, string reason)
    error NotReady(uint32 market, uint64 readyAt)
    error NothingAnnounced(uint32 market)
    error OutOfBounds(string term, int256 given, int256 lowest, int256 highest)
    error PerpsFull(uint256 most)
    error RiseTooSoon(uint32 market, uint64 from)
    error RisesTooMuch(uint32 market, uint64 notional)
    error StillOpen(uint32 market)
    error Unchanged(uint32 market)
    error UnknownCalendar(uint32 calendar, uint32 venue)
    """,
)

STAKE_RISK: Final = Contract(
    "StakeRisk",
    """
    struct Config (address inbox, address venues, address staking, address assets, address perps, address limits, address governance)
    struct Ledger (bool isOpen, uint32 share, uint64 told)

    function COOLDOWN() view returns (uint64)
    function capOf(uint32 venue, uint32 asset) view returns (uint64)
    function carriedBy(uint32 venue) view returns (uint256)
    function config() view returns (Config)
    function ledgerOf(uint32 venue, uint32 asset) view returns (Ledger)
    function priceOf(uint32 asset) view returns (uint64 atoms)
    function pricedAt(uint32 asset) view returns (uint64 time)
    function setPrice(uint32 asset, uint64 price)
    function setShare(uint32 venue, uint32 asset, uint32 share)
    function sharesOf(uint32 venue) view returns (uint32 sum)
    function tell(uint32 venue, uint32 asset)

    event LedgerOpened(uint32 indexed venue, uint32 indexed asset, uint32 share)
    event PriceSet(uint32 indexed asset, uint64 before, uint64 price)
    event RiskTold(uint32 indexed venue, uint32 indexed asset, uint64 before, uint64 cap, uint64 inboxIndex)
    event ShareSet(uint32 indexed venue, uint32 indexed asset, uint32 before, uint32 share)

    error BadPrice(uint32 asset, uint64 price, uint64 lowest, uint64 highest)
    error Cooling(uint32 asset, uint64 until)
    error LedgerIsOpen(uint32 venue, uint32 asset)
    error NoLedger(uint32 venue, uint32 asset)
    error NoStakeNeeded(uint32 asset)
    error NotGovernance(address caller, address governance)
    error NotPerps(address caller, address perps)
    error SharesTooLarge(uint32 venue, uint256 sum)
    error Unchanged(uint32 venue, uint32 asset)
    """,
)

RESTITUTION: Final = Contract(
    "Restitution",
    """
    struct Lot (uint32 venue, uint32 asset, uint64 since, uint128 left)

    function FALL() view returns (uint64)
    function assets() view returns (address)
    function buy(uint32 lot, uint256 amount, uint64 mostAtoms) returns (uint64 atoms)
    function costOf(uint32 lot, uint256 amount) view returns (uint64)
    function give(uint32 venue, uint32 asset) payable returns (uint32 lot)
    function lotCount() view returns (uint32)
    function lotOf(uint32 lot) view returns (Lot)
    function perps() view returns (address)
    function risk() view returns (address)
    function totalLeft() view returns (uint256)
    function vault() view returns (address)
    function worthOf(uint32 asset, uint64 atoms) view returns (uint256)

    event Bought(uint32 indexed lot, address indexed buyer, uint256 amount, uint64 atoms)
    event Given(uint32 indexed venue, uint32 indexed asset, uint32 indexed lot, address from, uint256 amount)

    error NoLedger(uint32 venue, uint32 asset)
    error NoPrice(uint32 asset)
    error NotSoMuch(uint32 lot, uint256 asked, uint256 left)
    error NothingGiven()
    error ReentrancyGuardReentrantCall()
    error SafeCastOverflowedUintDowncast(uint8 bits, uint256 value)
    error SafeERC20FailedOperation(address token)
    error TooDear(uint64 atoms, uint64 most)
    error TransferFailed(address to, uint256 amount)
    error UnknownLot(uint32 lot)
    """,
)

ASSET_QUOTAS: Final = Contract(
    "AssetQuotas",
    """
    struct Quota (uint64 rate, uint64 deposit)

    function assets() view returns (address)
    function governance() view returns (address)
    function inbox() view returns (address)
    function quotaOf(uint32 asset) view returns (Quota)
    function setQuota(uint32 asset, Quota quota)

    event QuotaSet(uint32 indexed asset, Quota before, Quota quota, uint64 inboxIndex)

    error DepositTooHigh(uint64 deposit, uint256 most)
    error NotGovernance(address caller, address governance)
    error NotReal(uint32 asset)
    error RateTooHigh(uint64 rate, uint256 most)
    error Unchanged(uint32 asset)
    """,
)

PERPS: Final = {
    contract.name: contract
    for contract in (PERP_RULES, PERP_REGISTRY, STAKE_RISK, RESTITUTION, ASSET_QUOTAS)
}
