"""Deploy the contracts of one zone, find them again, and check that they belong together.

A library for scripts and tests: no command line, no configuration file, no Ape import. `deploy_zone`
deploys from one account in a fixed order. Contracts that need each other's address get it from the
account's nonce, as immutables; afterwards `read_params` and `check_wiring` read everything back from
the chain, so a zone is never handed out half right.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import rlp
from eth_utils import to_canonical_address, to_checksum_address

from tradezone.protocol import messages
from tradezone.protocol.hashing import keccak
from tradezone.protocol.records import TABLE_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

OKB: Final = 10**18  # wei
DAY: Final = 86_400  # seconds
# A deadline also counts blocks: nine tenths of those that X Layer makes at one a second. If L1 stands
# still a deadline stands still too, and if it slows down a little the time decides.
BLOCKS_PER_DAY: Final = DAY * 9 // 10
DEAD: Final = "0x000000000000000000000000000000000000dEaD"
NOBODY: Final = "0x0000000000000000000000000000000000000000"
_MAX_VENUE_ID: Final = (1 << 15) - 1  # a market id is venue << 16 | number, below 2^31
_MAX_CALENDAR_ID: Final = (1 << 16) - 1  # an update names a calendar with 16 bits


class DeploymentError(RuntimeError):
    """What stands on the chain is not what was asked for."""


def _highest_slot(table: str) -> int:
    return TABLE_BY_NAME[table].capacity - 1  # slot 0 is never used


@dataclass(frozen=True, slots=True)
class ZoneParams:
    """Every parameter of a zone's contracts. None of them can be changed after deployment.

    Defaults are those of a zone in production; `local` makes one for a test chain. Amounts are wei
    of the native coin, times seconds.
    """

    genesis_root: bytes  # state root before the first batch
    sequencer: str  # key that commits batches
    protocol_owner: str  # owner 1, which gets the protocol's share of fees
    sink: str = DEAD  # takes half of each bond that an asserter loses
    court: str = NOBODY  # may slash stake
    brake: str = NOBODY  # may refuse deposits and listings for a while (`scripts/_governance.py`)
    limits: str = NOBODY  # governed bounds of markets (`scripts/_governance.py`)
    auction: str = NOBODY  # counts and sells slots (`ISlots`) instead of base slots alone
    resolver: str = NOBODY  # finds out how events end (`IEventResolver`); without one, no events
    perps: str = NOBODY  # lists perpetuals (`IPerpRegistry`); without one, none
    register: str = (
        NOBODY  # of bonded operators (`IBondedRegister`); without one, no standby takes over
    )
    # ids and what they cost
    registration_fee: int = OKB // 500
    forced_bond: int = OKB // 20  # of a forced operation
    max_owners: int = _highest_slot("owner")
    asset_bond: int = 10 * OKB
    asset_fee: int = OKB
    max_assets: int = _highest_slot("asset")
    native_quantum: int = 10**9
    # claims
    inbox_lag: int = 3_600
    claim_stride: int = 60
    window_seconds: int = 7 * DAY
    window_blocks: int = 7 * BLOCKS_PER_DAY
    claim_bond: int = 3_200 * OKB
    # takeover of a sequencer that commits nothing
    takeover_seconds: int = 3_600  # by the next standby
    takeover_blocks: int = BLOCKS_PER_DAY // 24
    open_seconds: int = DAY  # by any standby
    open_blocks: int = BLOCKS_PER_DAY
    # freeze and escape
    silence_seconds: int = 3 * DAY  # that a message may wait
    silence_blocks: int = 3 * BLOCKS_PER_DAY
    stall_seconds: int = 30 * DAY  # without anything new that is final
    stall_blocks: int = 30 * BLOCKS_PER_DAY
    closing_seconds: int = 30 * DAY  # for the closing batch to become final
    closing_blocks: int = 30 * BLOCKS_PER_DAY
    # the judge
    judge_seconds: int = 15 * DAY
    judge_blocks: int = 15 * BLOCKS_PER_DAY
    verifier_bond: int = 3_200 * OKB
    verifier_quorum: int = 5
    verifier_unbonding_seconds: int = 22 * DAY
    verifier_unbonding_blocks: int = 22 * BLOCKS_PER_DAY
    # venues
    venue_stake: int = 10_000 * OKB
    unbonding_seconds: int = 21 * DAY
    unbonding_blocks: int = 21 * BLOCKS_PER_DAY
    case_seconds: int = 21 * DAY
    case_blocks: int = 21 * BLOCKS_PER_DAY
    base_spot_slots: int = 10
    base_perpetual_slots: int = 3
    base_outcome_slots: int = 20
    base_simulated_slots: int = 20
    max_venues: int = min(_highest_slot("venue"), _MAX_VENUE_ID)
    max_markets: int = _highest_slot("market")
    max_events: int = _highest_slot("event_group")
    max_calendars: int = min(_highest_slot("calendar"), _MAX_CALENDAR_ID)
    change_notice: int = 3 * DAY  # of what could harm a user by surprise
    close_notice: int = 7 * DAY  # of the end of a market

    @classmethod
    def local(
        cls, genesis_root: bytes, sequencer: str, protocol_owner: str, **changes: Any
    ) -> ZoneParams:
        """Return parameters for a test chain: short deadlines, small stakes, free registration."""
        params = cls(
            genesis_root=genesis_root,
            sequencer=sequencer,
            protocol_owner=protocol_owner,
            registration_fee=0,
            asset_bond=OKB,
            asset_fee=OKB // 10,
            claim_stride=1,
            window_seconds=20,
            window_blocks=4,
            claim_bond=OKB,
            takeover_seconds=600,
            takeover_blocks=2,
            open_seconds=3_600,
            open_blocks=10,
            silence_seconds=7_200,
            silence_blocks=20,
            stall_seconds=14_400,
            stall_blocks=40,
            closing_seconds=14_400,
            closing_blocks=40,
            judge_seconds=60,
            judge_blocks=10,
            verifier_bond=OKB,
            verifier_quorum=1,
            verifier_unbonding_seconds=120,
            verifier_unbonding_blocks=20,
            venue_stake=10 * OKB,
            unbonding_seconds=120,
            unbonding_blocks=20,
            case_seconds=120,
            case_blocks=20,
            change_notice=7_200,
            close_notice=14_400,
        )
        return replace(params, **changes)


@dataclass(frozen=True, slots=True)
class Deployment:
    """The contracts of a zone, as Ape contract instances, and the parameters they were given."""

    params: ZoneParams
    inbox: Any
    owner_registry: Any
    asset_registry: Any
    vault: Any
    sequencers: Any
    chain: Any
    judge: Any
    withdrawals: Any
    staking: Any
    venue_registry: Any
    market_registry: Any
    listings: Any
    calendars: Any
    base_slots: Any
    redirects: Any
    escape: Any
    forced: Any

    @property
    def addresses(self) -> dict[str, str]:
        """Address of each contract by its name here; `attach_zone` takes them back."""
        return {name: getattr(self, name).address for name in CONTRACTS}


CONTRACTS: Final = {
    "inbox": "Inbox",
    "owner_registry": "OwnerRegistry",
    "asset_registry": "AssetRegistry",
    "vault": "CustodyVault",
    "sequencers": "Sequencers",
    "chain": "StateChain",
    "judge": "VerifierVoteJudge",
    "withdrawals": "Withdrawals",
    "staking": "StakingVault",
    "venue_registry": "VenueRegistry",
    "market_registry": "MarketRegistry",
    "listings": "Listings",
    "calendars": "CalendarRegistry",
    "base_slots": "BaseSlots",
    "redirects": "Redirects",
    "escape": "Escape",
    "forced": "ForcedOperations",
}
"""Names of a `Deployment`, in the order of deployment, and their contract types."""

SOURCES: Final = {
    "owner_registry": (messages.REGISTER_OWNER,),
    "asset_registry": (messages.REGISTER_ASSET, messages.SET_ASSET),
    "vault": (messages.DEPOSIT, messages.SLASH),
    "chain": (messages.HEARTBEAT,),
    "venue_registry": (messages.CREATE_VENUE, messages.UPDATE_VENUE),
    "market_registry": (messages.UPDATE_MARKET,),
    "listings": (
        messages.LIST_MARKET,
        messages.LIST_EVENT,
        messages.LIST_OUTCOME,
        messages.LIST_GUEST,
        messages.RESOLUTION,
    ),
    "calendars": (messages.SET_CALENDAR,),
    "forced": tuple(messages.FORCED_KINDS),
}
"""Contracts that may enqueue inbox messages, and the kinds each of them may."""


def predict_address(sender: str, nonce: int) -> str:
    """Return the address of the contract that ``sender`` creates with its transaction ``nonce``."""
    creation = rlp.encode([to_canonical_address(sender), nonce])
    return to_checksum_address(keccak(creation)[12:])


def deploy_zone(
    deployer: Any,
    project: Any,
    params: ZoneParams,
    beside: Mapping[str, int] | None = None,
) -> Deployment:
    """Deploy a zone and check it.

    The deployer gets no right by deploying; any funded account will do.

    Parameters
    ----------
    deployer : ape.api.AccountAPI
        Account that pays. It must send nothing else meanwhile.
    project : ape.managers.project.ProjectManager
        Project with the contract types.
    params : ZoneParams
        Parameters; immutable from now on.
    beside : mapping, optional
        Sources besides `SOURCES` that the inbox admits, once and for all: bitmap of kinds by address.

    Raises
    ------
    DeploymentError
        If a contract did not get the address it was predicted to have, or what the contracts say
        of themselves is not what was asked for.
    """
    start = deployer.nonce
    at = {name: predict_address(deployer.address, start + i) for i, name in enumerate(CONTRACTS)}
    arguments = _constructor_arguments(at, params, beside or {})
    for i, (name, contract) in enumerate(CONTRACTS.items()):
        if deployer.nonce != start + i:
            text = f"nonce of the deployer is {deployer.nonce}, expected {start + i}"
            raise DeploymentError(f"{text}: did it send another transaction meanwhile?")
        instance = deployer.deploy(getattr(project, contract), *arguments[name])
        if instance.address != at[name]:
            raise DeploymentError(f"{contract} is at {instance.address}, expected {at[name]}")
    deployment = attach_zone(project, at, beside)
    if deployment.params != params:
        wrong = [f.name for f in fields(params) if not _is_same(deployment.params, params, f.name)]
        if wrong:
            raise DeploymentError(f"the contracts do not have the parameters given: {wrong}")
    return deployment


def attach_zone(
    project: Any, addresses: Mapping[str, str], beside: Mapping[str, int] | None = None
) -> Deployment:
    """Return the zone at these addresses, read its parameters, and check that it is one zone.

    Its inbox admits what is ``beside`` the zone, and nothing else.

    Raises
    ------
    DeploymentError
        If an address is missing, or the contracts do not point at each other as they must.
    """
    missing = [name for name in CONTRACTS if name not in addresses]
    if missing:
        raise DeploymentError(f"no address for {', '.join(missing)}")
    contracts = {
        name: getattr(project, contract).at(to_checksum_address(addresses[name]))
        for name, contract in CONTRACTS.items()
    }
    check_wiring(contracts, beside)
    return Deployment(params=read_params(contracts), **contracts)


def read_params(contracts: Mapping[str, Any]) -> ZoneParams:
    """Read the parameters of a zone from its contracts."""
    owners, assets, chain = (contracts[n] for n in ("owner_registry", "asset_registry", "chain"))
    judge, staking, venues = (contracts[n] for n in ("judge", "staking", "venue_registry"))
    listings, slots = contracts["listings"], contracts["base_slots"]
    markets = contracts["market_registry"].config()
    silence, stall, closing = chain.silence(), chain.stall(), chain.closing()
    epochs = contracts["sequencers"].config()
    return ZoneParams(
        genesis_root=bytes(chain.rootOf(chain.genesisClaim())),
        sequencer=epochs.operator,
        protocol_owner=owners.ownerOf(1),
        sink=chain.sink(),
        registration_fee=owners.registrationFee(),
        forced_bond=contracts["forced"].bond(),
        max_owners=owners.maxOwners(),
        asset_bond=assets.bond(),
        asset_fee=assets.fee(),
        max_assets=assets.maxAssets(),
        native_quantum=assets.assetOf(1).quantum,
        inbox_lag=chain.inboxLag(),
        claim_stride=chain.claimStride(),
        window_seconds=chain.windowSeconds(),
        window_blocks=chain.windowBlocks(),
        claim_bond=chain.bond(),
        register=epochs.register,
        takeover_seconds=epochs.takeoverSeconds,
        takeover_blocks=epochs.takeoverBlocks,
        open_seconds=epochs.openSeconds,
        open_blocks=epochs.openBlocks,
        silence_seconds=silence.time,
        silence_blocks=silence.blocks,
        stall_seconds=stall.time,
        stall_blocks=stall.blocks,
        closing_seconds=closing.time,
        closing_blocks=closing.blocks,
        judge_seconds=chain.judgeSeconds(),
        judge_blocks=chain.judgeBlocks(),
        verifier_bond=judge.bond(),
        verifier_quorum=judge.quorum(),
        verifier_unbonding_seconds=judge.unbondingSeconds(),
        verifier_unbonding_blocks=judge.unbondingBlocks(),
        venue_stake=venues.venueStake(),
        unbonding_seconds=staking.unbondingSeconds(),
        unbonding_blocks=staking.unbondingBlocks(),
        court=staking.court(),
        brake=venues.brake(),
        case_seconds=staking.caseSeconds(),
        case_blocks=staking.caseBlocks(),
        limits=listings.limits(),
        auction=NOBODY if markets.slots == slots.address else markets.slots,
        resolver=listings.resolver(),
        perps=markets.perps,
        base_spot_slots=slots.baseSlots(1),
        base_perpetual_slots=slots.baseSlots(2),
        base_outcome_slots=slots.baseSlots(3),
        base_simulated_slots=slots.baseSlots(4),
        max_venues=venues.maxVenues(),
        max_markets=markets.maxMarkets,
        max_events=listings.maxEvents(),
        max_calendars=contracts["calendars"].maxCalendars(),
        change_notice=markets.changeNotice,
        close_notice=markets.closeNotice,
    )


def check_wiring(contracts: Mapping[str, Any], beside: Mapping[str, int] | None = None) -> None:
    """Check that every contract points at its partners, and that the inbox admits them only.

    Raises
    ------
    DeploymentError
        Naming the first pointer that is wrong.
    """
    pointers = {
        ("inbox", "chain"): "chain",
        ("owner_registry", "inbox"): "inbox",
        ("asset_registry", "inbox"): "inbox",
        ("asset_registry", "vault"): "vault",
        ("vault", "inbox"): "inbox",
        ("vault", "owners"): "owner_registry",
        ("vault", "assets"): "asset_registry",
        ("vault", "withdrawals"): "withdrawals",
        ("chain", "inbox"): "inbox",
        ("chain", "sequencers"): "sequencers",
        ("sequencers", "chain"): "chain",
        ("chain", "judge"): "judge",
        ("judge", "chain"): "chain",
        ("withdrawals", "chain"): "chain",
        ("withdrawals", "vault"): "vault",
        ("withdrawals", "redirects"): "redirects",
        ("vault", "escape"): "escape",
        ("escape", "chain"): "chain",
        ("escape", "vault"): "vault",
        ("escape", "owners"): "owner_registry",
        ("escape", "assets"): "asset_registry",
        ("escape", "listings"): "listings",
        ("escape", "redirects"): "redirects",
        ("forced", "inbox"): "inbox",
        ("forced", "chain"): "chain",
        ("forced", "owners"): "owner_registry",
        ("staking", "venueRegistry"): "venue_registry",
        ("staking", "chain"): "chain",
        ("venue_registry", "inbox"): "inbox",
        ("venue_registry", "owners"): "owner_registry",
        ("asset_registry", "venues"): "venue_registry",
        ("venue_registry", "markets"): "market_registry",
        ("venue_registry", "staking"): "staking",
        ("listings", "inbox"): "inbox",
        ("listings", "venues"): "venue_registry",
        ("listings", "assets"): "asset_registry",
        ("listings", "markets"): "market_registry",
        ("calendars", "inbox"): "inbox",
        ("calendars", "venues"): "venue_registry",
        ("calendars", "markets"): "market_registry",
        ("base_slots", "registry"): "market_registry",
    }
    for (name, getter), target in pointers.items():
        pointed, expected = getattr(contracts[name], getter)(), contracts[target].address
        if pointed != expected:
            raise DeploymentError(f"{name}.{getter} is {pointed}, expected {target} at {expected}")

    _check_markets(contracts)
    _check_takeover(contracts)
    doors = {contracts[name].brake() for name in ("vault", "venue_registry")}
    if len(doors) != 1:
        raise DeploymentError(f"vault and venue registry ask different brakes: {sorted(doors)}")
    ledgers = {contracts["vault"].perps(), contracts["market_registry"].config().perps}
    if len(ledgers) != 1:
        text = f"vault and market registry ask different perpetuals: {sorted(ledgers)}"
        raise DeploymentError(text)

    inbox = contracts["inbox"]
    admitted = {source: inbox.kindsOf(source) for source in inbox.sources()}
    expected_sources = {
        contracts[name].address: _to_bitmap(kinds) for name, kinds in SOURCES.items()
    } | dict(beside or {})
    if admitted != expected_sources:
        raise DeploymentError(f"the inbox admits {admitted}, expected {expected_sources}")


def _check_takeover(contracts: Mapping[str, Any]) -> None:
    """Check that everybody may take over long before anybody may freeze: a freeze is the last resort."""
    epochs, silence = contracts["sequencers"].config(), contracts["chain"].silence()
    if 2 * epochs.openSeconds > silence.time or 2 * epochs.openBlocks > silence.blocks:
        text = f"any standby takes over after {epochs.openSeconds} s and {epochs.openBlocks} blocks"
        limit = f"at most half of {silence.time} s and {silence.blocks} blocks"
        raise DeploymentError(f"{text}, expected {limit}, the silence that freezes")


def _check_markets(contracts: Mapping[str, Any]) -> None:
    """Check the pointers that the market registry keeps in its config."""
    config = contracts["market_registry"].config()
    for field, target in (
        ("inbox", "inbox"),
        ("venues", "venue_registry"),
        ("listings", "listings"),
        ("calendars", "calendars"),
    ):
        pointed, expected = getattr(config, field), contracts[target].address
        if pointed != expected:
            text = f"market_registry: {field} is {pointed}, expected {target} at {expected}"
            raise DeploymentError(text)
    bounds = {config.limits, contracts["listings"].limits(), contracts["calendars"].limits()}
    if len(bounds) != 1:
        raise DeploymentError(f"markets obey different limits: {sorted(bounds)}")
    lag = contracts["chain"].inboxLag()
    if config.messageLag != lag:
        raise DeploymentError(f"market_registry: messageLag is {config.messageLag}, expected {lag}")


def _to_bitmap(kinds: tuple[int, ...]) -> int:
    return sum(1 << kind for kind in kinds)


def _is_same(left: ZoneParams, right: ZoneParams, name: str) -> bool:
    a, b = getattr(left, name), getattr(right, name)
    return a.lower() == b.lower() if isinstance(a, str) else a == b


def _constructor_arguments(
    at: Mapping[str, str], params: ZoneParams, beside: Mapping[str, int]
) -> dict[str, tuple[Any, ...]]:
    """Return the constructor arguments of each contract, given all addresses."""
    return {
        "inbox": (
            at["chain"],
            [at[name] for name in SOURCES] + list(beside),
            [_to_bitmap(kinds) for kinds in SOURCES.values()] + list(beside.values()),
        ),
        "owner_registry": (
            at["inbox"],
            params.protocol_owner,
            params.registration_fee,
            params.max_owners,
        ),
        "asset_registry": (
            at["inbox"],
            at["vault"],
            at["venue_registry"],
            params.asset_bond,
            params.asset_fee,
            params.max_assets,
            params.native_quantum,
        ),
        "vault": (
            at["inbox"],
            at["owner_registry"],
            at["asset_registry"],
            at["withdrawals"],
            at["escape"],
            params.brake,
            params.perps,
        ),
        "sequencers": (
            {
                "chain": at["chain"],
                "register": params.register,
                "operator": params.sequencer,
                "takeoverSeconds": params.takeover_seconds,
                "takeoverBlocks": params.takeover_blocks,
                "openSeconds": params.open_seconds,
                "openBlocks": params.open_blocks,
            },
        ),
        "chain": (
            {
                "inbox": at["inbox"],
                "sequencers": at["sequencers"],
                "judge": at["judge"],
                "sink": params.sink,
                "genesisRoot": params.genesis_root,
                "inboxLag": params.inbox_lag,
                "claimStride": params.claim_stride,
                "windowSeconds": params.window_seconds,
                "windowBlocks": params.window_blocks,
                "judgeSeconds": params.judge_seconds,
                "judgeBlocks": params.judge_blocks,
                "silenceSeconds": params.silence_seconds,
                "silenceBlocks": params.silence_blocks,
                "stallSeconds": params.stall_seconds,
                "stallBlocks": params.stall_blocks,
                "closingSeconds": params.closing_seconds,
                "closingBlocks": params.closing_blocks,
                "bond": params.claim_bond,
            },
        ),
        "judge": (
            at["chain"],
            params.verifier_bond,
            params.verifier_quorum,
            params.verifier_unbonding_seconds,
            params.verifier_unbonding_blocks,
        ),
        "withdrawals": (at["chain"], at["vault"], at["redirects"]),
        "staking": (
            at["venue_registry"],
            at["chain"],
            params.court,
            params.unbonding_seconds,
            params.unbonding_blocks,
            params.case_seconds,
            params.case_blocks,
        ),
        "venue_registry": (
            at["inbox"],
            at["owner_registry"],
            at["staking"],
            at["market_registry"],
            params.brake,
            params.venue_stake,
            params.max_venues,
        ),
        "market_registry": (
            {
                "inbox": at["inbox"],
                "venues": at["venue_registry"],
                "listings": at["listings"],
                "perps": params.perps,
                "calendars": at["calendars"],
                "slots": at["base_slots"] if params.auction == NOBODY else params.auction,
                "limits": params.limits,
                "maxMarkets": params.max_markets,
                "changeNotice": params.change_notice,
                "closeNotice": params.close_notice,
                "messageLag": params.inbox_lag,
            },
        ),
        "listings": (
            at["inbox"],
            at["venue_registry"],
            at["asset_registry"],
            at["market_registry"],
            params.limits,
            params.resolver,
            params.max_events,
        ),
        "calendars": (
            at["inbox"],
            at["venue_registry"],
            at["market_registry"],
            params.limits,
            params.max_calendars,
        ),
        "base_slots": (
            at["market_registry"],
            [
                params.base_spot_slots,
                params.base_perpetual_slots,
                params.base_outcome_slots,
                params.base_simulated_slots,
            ],
        ),
        "redirects": (),
        "escape": (
            at["chain"],
            at["vault"],
            at["owner_registry"],
            at["asset_registry"],
            at["listings"],
            at["redirects"],
        ),
        "forced": (at["inbox"], at["chain"], at["owner_registry"], params.forced_bond),
    }
