"""Deploy what venues need beside a zone: slots, price providers, results of events, perpetuals.

A library like `_deployment`: no command line, no Ape import. The contracts stand beside an existing zone
and point at it, and the zone points at them: its market registry counts slots in the auction, its listings
hand events to the resolver, its inbox admits the oracles, market registry and vault ask the perpetuals. Nothing of that changes after the zone's
deployment, so a zone is deployed with `predict_markets` and `market_sources`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from scripts._deployment import BLOCKS_PER_DAY, DAY, NOBODY, OKB, DeploymentError, predict_address
from tradezone.protocol import messages
from tradezone.protocol.records import TABLE_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS: Final = ("spot", "perp", "outcome", "simulated")
"""Kinds of slots; a kind's number is its place here, from 1."""


@dataclass(frozen=True, slots=True)
class KindTerms:
    """Parameters of the slots of one kind, and what counts as their first price. Rates in bps."""

    min_floor: int  # wei
    base_slots: int
    supply: int
    first_price: int  # wei
    start_multiple: int = 20_000
    floor_share: int = 5_000
    decay: int = 1_000
    round_seconds: int = 31 * 3_600

    def to_abi(self) -> dict[str, int]:
        """Return what the contract takes."""
        return {
            "startMultiple": self.start_multiple,
            "floorShare": self.floor_share,
            "decay": self.decay,
            "baseSlots": self.base_slots,
            "supply": self.supply,
            "roundSeconds": self.round_seconds,
            "minFloor": self.min_floor,
        }


SLOT_KINDS: Final = (
    KindTerms(min_floor=20 * OKB, base_slots=10, supply=1_024, first_price=100 * OKB),
    KindTerms(min_floor=100 * OKB, base_slots=3, supply=512, first_price=500 * OKB),
    KindTerms(min_floor=10 * OKB, base_slots=20, supply=2_048, first_price=50 * OKB),
    KindTerms(min_floor=OKB, base_slots=20, supply=512, first_price=5 * OKB),
)


@dataclass(frozen=True, slots=True)
class LicenceTerms:
    """Parameters of licences, days."""

    term: int = 365
    renewal: int = 60  # before the end of a term
    grace: int = 30  # after it
    idle: int = 30  # without a market

    def to_abi(self) -> dict[str, int]:
        """Return what the contract takes."""
        return {
            "termDays": self.term,
            "renewalDays": self.renewal,
            "graceDays": self.grace,
            "idleDays": self.idle,
        }


LICENCE_TERMS: Final = LicenceTerms()


@dataclass(frozen=True, slots=True)
class Period:
    """A period of L1: both must pass."""

    time: int  # seconds
    blocks: int

    @classmethod
    def of_days(cls, days: int) -> Period:
        """Return a period in days, with the blocks that belong to it."""
        return cls(days * DAY, days * BLOCKS_PER_DAY)

    @classmethod
    def of_hours(cls, hours: int) -> Period:
        """Return a period in hours, with the blocks that belong to it."""
        return cls(hours * DAY // 24, hours * BLOCKS_PER_DAY // 24)

    def to_abi(self) -> dict[str, int]:
        """Return what the contract takes."""
        return {"time": self.time, "blocks": self.blocks}


TWO_HOURS, TWO_DAYS = Period.of_hours(2), Period.of_hours(48)
A_DAY, TWO_WEEKS, THREE_WEEKS = (Period.of_days(days) for days in (1, 14, 21))


@dataclass(frozen=True, slots=True)
class MarketsParams:
    """Every parameter of the contracts beside a zone; amounts in wei, times in seconds.

    Only those of slots can change afterwards, by ``governance`` and inside the contract's bounds; it also
    sets prices of stake and quotas.
    """

    treasury: str  # gets proceeds of slots, lost bonds, fees
    governance: str  # changes parameters of slots
    court: str  # takes from bonds of providers
    arbiter: str  # decides challenged results, approves perpetuals for cross pools
    limits: str = NOBODY  # governed bounds of markets and feeds; the hard ones alone without
    # slots
    slot_kinds: tuple[KindTerms, ...] = SLOT_KINDS
    licence_terms: LicenceTerms = LICENCE_TERMS
    # providers
    provider_bond: int = 1_000 * OKB
    key_seconds: int = 2 * DAY
    notice_seconds: int = DAY
    evidence_seconds: int = 14 * DAY
    provider_unbonding: Period = THREE_WEEKS
    case: Period = THREE_WEEKS
    max_feeds: int = TABLE_BY_NAME["feed"].capacity - 1
    # results
    open_fee: int = OKB // 10
    min_bond: int = 10 * OKB
    bond_rate: int = 10_000  # ppm of the exposure
    full_exposure: int = 100_000 * OKB
    exposure_multiple: int = 20
    max_open: int = 64
    window_min: Period = TWO_HOURS
    window_max: Period = TWO_DAYS
    provider_time: Period = A_DAY
    arbiter_time: Period = TWO_WEEKS  # a vote of class ordinary takes nine days, or eleven
    silence: Period = TWO_WEEKS

    @classmethod
    def local(
        cls, treasury: str, governance: str, court: str, arbiter: str, **changes: Any
    ) -> MarketsParams:
        """Return parameters for a test chain: short periods, small bonds."""
        params = cls(
            treasury=treasury,
            governance=governance,
            court=court,
            arbiter=arbiter,
            provider_bond=OKB,
            key_seconds=60,
            notice_seconds=30,
            evidence_seconds=600,
            provider_unbonding=Period(700, 5),
            case=Period(600, 5),
            min_bond=OKB,
            window_min=Period(60, 2),
            window_max=Period(600, 4),
            provider_time=Period(60, 2),
            arbiter_time=Period(300, 3),
            silence=Period(600, 4),
        )
        return replace(params, **changes)


CONTRACTS: Final = {
    "slots": "SlotAuction",
    "oracles": "OracleRegistry",
    "resolver": "OutcomeResolver",
    "perp_rules": "PerpRules",
    "perps": "PerpRegistry",
    "risk": "StakeRisk",
    "restitution": "Restitution",
    "quotas": "AssetQuotas",
}
"""Names of these contracts in a deployments file, in the order of deployment, and their types."""

SOURCES: Final = {
    "oracles": (messages.ORACLE_SET, messages.PRICE),
    "perps": (messages.LIST_PERP, messages.SET_PERP, messages.APPROVE_CROSS),
    "risk": (messages.SET_RISK,),
    "quotas": (messages.SET_ASSET,),
}
"""Those of them that the inbox has to admit, and for which kinds of messages."""


def predict_markets(deployer: str, nonce: int) -> dict[str, str]:
    """Return where these contracts will be, by name.

    Parameters
    ----------
    deployer : str
        account that will call `deploy_markets`
    nonce : int
        its nonce at that moment
    """
    return {name: predict_address(deployer, nonce + i) for i, name in enumerate(CONTRACTS)}


def market_sources(deployer: str, nonce: int) -> dict[str, int]:
    """Return what a zone's inbox has to admit for these contracts: bitmap of kinds by address.

    Parameters
    ----------
    deployer : str
        account that will call `deploy_markets`
    nonce : int
        its nonce at that moment
    """
    at = predict_markets(deployer, nonce)
    return {at[name]: _to_bitmap(kinds) for name, kinds in SOURCES.items()}


def deploy_markets(
    deployer: Any, project: Any, zone: Mapping[str, str], params: MarketsParams
) -> dict[str, Any]:
    """Deploy slots, oracles, resolver and what perpetuals need beside a zone, and check them.

    Parameters
    ----------
    deployer : ape.api.AccountAPI
        Account that pays; it gets no right by it.
    project : ape.managers.project.ProjectManager
        Project with the contract types.
    zone : mapping
        Addresses of the zone's contracts by name, as in its deployments file.
    params : MarketsParams
        Parameters.

    Returns
    -------
    dict
        Contract instances by name.

    Raises
    ------
    DeploymentError
        If the zone was not deployed for these contracts: it takes no others later. Or if what they say
        of themselves is not what was asked for.
    """
    _require_named(project, zone, deployer.address, deployer.nonce)
    at = predict_markets(deployer.address, deployer.nonce)
    arguments = _constructor_arguments(zone, at, params)
    found: dict[str, Any] = {}
    for name, contract in CONTRACTS.items():
        made = arguments[name](found)
        found[name] = deployer.deploy(getattr(project, contract), *made)
        if found[name].address != at[name]:
            raise DeploymentError(f"{name} is at {found[name].address}, expected {at[name]}")
    check_markets(found, zone, params)
    return found


def _require_named(project: Any, zone: Mapping[str, str], deployer: str, nonce: int) -> None:
    """Require that the zone points at what will be deployed next."""
    inbox = project.Inbox.at(zone["inbox"])
    for address, kinds in market_sources(deployer, nonce).items():
        if inbox.kindsOf(address) != kinds:
            raise DeploymentError(
                f"the inbox at {inbox.address} does not admit {address} for the kinds {kinds:#x}; an"
                " inbox admits its sources once: name `market_sources` when the zone is deployed"
            )
    at = predict_markets(deployer, nonce)
    for name, asked, text in (
        (
            "slots",
            project.MarketRegistry.at(zone["market_registry"]).config().slots,
            "market registry",
        ),
        ("resolver", project.Listings.at(zone["listings"]).resolver(), "listings"),
        ("perps", project.CustodyVault.at(zone["vault"]).perps(), "vault"),
    ):
        if asked != at[name]:
            raise DeploymentError(
                f"{text}: {name} is {asked}, these will be at {at[name]}; a zone asks one for ever:"
                " name `predict_markets` when the zone is deployed"
            )


def _constructor_arguments(
    zone: Mapping[str, str], at: Mapping[str, str], params: MarketsParams
) -> dict[str, Any]:
    """Return functions from what is deployed so far to the arguments of each contract."""
    return {
        "slots": lambda _: (
            zone["market_registry"],
            params.treasury,
            params.governance,
            [terms.to_abi() for terms in params.slot_kinds],
            [terms.first_price for terms in params.slot_kinds],
            params.licence_terms.to_abi(),
        ),
        "oracles": lambda _: (oracle_config(zone, params),),
        "resolver": lambda found: (resolver_config(zone, found["oracles"].address, params),),
        "perp_rules": lambda _: (params.limits,),
        "perps": lambda _: (perps_config(zone, at, params),),
        "risk": lambda _: (risk_config(zone, at["perps"], params),),
        "restitution": lambda _: (
            zone["vault"],
            zone["asset_registry"],
            at["perps"],
            at["risk"],
        ),
        "quotas": lambda _: (zone["inbox"], zone["asset_registry"], params.governance),
    }


def perps_config(
    zone: Mapping[str, str], at: Mapping[str, str], params: MarketsParams
) -> dict[str, Any]:
    """Return what `PerpRegistry` is constructed with."""
    return {
        "inbox": zone["inbox"],
        "venues": zone["venue_registry"],
        "assets": zone["asset_registry"],
        "markets": zone["market_registry"],
        "calendars": zone["calendars"],
        "oracles": at["oracles"],
        "risk": at["risk"],
        "rules": at["perp_rules"],
        "approver": params.arbiter,
    }


def risk_config(zone: Mapping[str, str], perps: str, params: MarketsParams) -> dict[str, Any]:
    """Return what `StakeRisk` is constructed with."""
    return {
        "inbox": zone["inbox"],
        "venues": zone["venue_registry"],
        "staking": zone["staking"],
        "assets": zone["asset_registry"],
        "perps": perps,
        "limits": params.limits,
        "governance": params.governance,
    }


def oracle_config(zone: Mapping[str, str], params: MarketsParams) -> dict[str, Any]:
    """Return what `OracleRegistry` is constructed with."""
    return {
        "inbox": zone["inbox"],
        "chain": zone["chain"],
        "venues": zone["venue_registry"],
        "limits": params.limits,
        "court": params.court,
        "treasury": params.treasury,
        "bond": params.provider_bond,
        "keySeconds": params.key_seconds,
        "noticeSeconds": params.notice_seconds,
        "evidenceSeconds": params.evidence_seconds,
        "unbondingSeconds": params.provider_unbonding.time,
        "unbondingBlocks": params.provider_unbonding.blocks,
        "caseSeconds": params.case.time,
        "caseBlocks": params.case.blocks,
        "maxFeeds": params.max_feeds,
    }


def resolver_config(zone: Mapping[str, str], oracles: str, params: MarketsParams) -> dict[str, Any]:
    """Return what `OutcomeResolver` is constructed with."""
    return {
        "inbox": zone["inbox"],
        "listings": zone["listings"],
        "staking": zone["staking"],
        "oracles": oracles,
        "arbiter": params.arbiter,
        "treasury": params.treasury,
        "openFee": params.open_fee,
        "minBond": params.min_bond,
        "fullExposure": params.full_exposure,
        "bondRate": params.bond_rate,
        "exposureMultiple": params.exposure_multiple,
        "maxOpen": params.max_open,
        "windowMin": params.window_min.to_abi(),
        "windowMax": params.window_max.to_abi(),
        "providerTime": params.provider_time.to_abi(),
        "arbiterTime": params.arbiter_time.to_abi(),
        "silence": params.silence.to_abi(),
    }


def check_markets(found: Mapping[str, Any], zone: Mapping[str, str], params: MarketsParams) -> None:
    """Read every pointer and parameter back and compare.

    Raises
    ------
    DeploymentError
        Naming each that is wrong.
    """
    slots, oracles, resolver = (found[name] for name in ("slots", "oracles", "resolver"))
    at = {name: found[name].address for name in CONTRACTS}
    expected: dict[str, tuple[Any, Any]] = {
        "slots.registry": (slots.registry(), zone["market_registry"]),
        "slots.treasury": (slots.treasury(), params.treasury),
        "slots.governance": (slots.governance(), params.governance),
        "slots.licenceTerms": (_to_plain(slots.licenceTerms()), params.licence_terms.to_abi()),
    }
    expected |= {
        "perp_rules.limits": (found["perp_rules"].limits(), params.limits),
        "quotas.inbox": (found["quotas"].inbox(), zone["inbox"]),
        "quotas.assets": (found["quotas"].assets(), zone["asset_registry"]),
        "quotas.governance": (found["quotas"].governance(), params.governance),
    }
    for getter, wanted in (
        ("vault", zone["vault"]),
        ("assets", zone["asset_registry"]),
        ("perps", at["perps"]),
        ("risk", at["risk"]),
    ):
        expected[f"restitution.{getter}"] = (getattr(found["restitution"], getter)(), wanted)
    for i, terms in enumerate(params.slot_kinds):
        name = f"slots.kindTerms({KINDS[i]})"
        expected[name] = (_to_plain(slots.kindTerms(i + 1)), terms.to_abi())
    for name, contract, asked in (
        ("oracles", oracles, oracle_config(zone, params)),
        ("resolver", resolver, resolver_config(zone, oracles.address, params)),
        ("perps", found["perps"], perps_config(zone, at, params)),
        ("risk", found["risk"], risk_config(zone, at["perps"], params)),
    ):
        given = _to_plain(contract.config())
        expected |= {f"{name}.{key}": (given[key], value) for key, value in asked.items()}
    wrong = [
        f"{name} is {was}, expected {wanted}"
        for name, (was, wanted) in expected.items()
        if was != wanted
    ]
    if wrong:
        raise DeploymentError("; ".join(wrong))


def _to_plain(value: Any) -> Any:
    """Return a struct of Ape's as a dict, and the structs in it."""
    if hasattr(value, "items"):
        return {name: _to_plain(item) for name, item in value.items()}
    return value


def _to_bitmap(kinds: tuple[int, ...]) -> int:
    return sum(1 << kind for kind in kinds)
