"""Deploy a whole root of trust in one go: zone, slots, oracles, results, court, registers, governance.

A library for scripts and tests, as `scripts._deployment`. One account deploys everything in a row; what needs
the address of something that comes later is told where it will be. The order is that of the transactions:
the zone, what stands beside it, governance, and last the handing over, after which the account has no right.

Who decides what of the contracts beside a zone:

===========  =========================  ================================================================
contract     power                      held by
===========  =========================  ================================================================
slots        terms, inside hard bounds  timelock of class parameter
resolver     a challenged result        timelock of class ordinary
perps        approval for cross pools   timelock of class ordinary
risk         prices of stake            timelock of class parameter
quotas       what buys actions          timelock of class parameter
oracles      a provider's bond          timelock of class ordinary
registers    a member's bond            timelock of class ordinary
court        none                       nobody; its parameters cannot be changed
all          what they take in          the treasury
===========  =========================  ================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from scripts import _court_deployment as courts
from scripts import _deployment as zones
from scripts import _governance as governance_
from scripts import _markets_deployment as markets_
from scripts import _registers_deployment as registers_
from scripts._deployment import DAY, DeploymentError, ZoneParams
from scripts._governance import Governance, GovernanceParams
from scripts._markets_deployment import MarketsParams, Period
from scripts._registers_deployment import RegisterParams
from tradezone.chain.deployment import BESIDE_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

TWO_WEEKS_LOCAL: Final = Period(14 * DAY, 4)
"""Time of the arbiter on a test chain: votes take as long there as in production."""


@dataclass(frozen=True, slots=True)
class TrustParams:
    """Parameters of everything; where they name each other, `wired` says how."""

    zone: ZoneParams
    governance: GovernanceParams
    markets: MarketsParams
    court: courts.CourtParams
    registers: RegisterParams

    @classmethod
    def production(cls, zone: ZoneParams, governance: GovernanceParams) -> TrustParams:
        """Return parameters of a zone in production."""
        nobody = [zones.NOBODY] * 4
        return cls(zone, governance, MarketsParams(*nobody), courts.CourtParams(), RegisterParams())

    @classmethod
    def local(cls, zone: ZoneParams, governance: GovernanceParams) -> TrustParams:
        """Return parameters for a test chain: short periods and small bonds, but those of votes."""
        nobody = [zones.NOBODY] * 4
        markets = MarketsParams.local(*nobody, arbiter_time=TWO_WEEKS_LOCAL)
        return cls(zone, governance, markets, courts.CourtParams.local(), RegisterParams.local())


@dataclass(frozen=True, slots=True)
class Trust:
    """A whole root of trust, as Ape contract instances."""

    zone: zones.Deployment
    governance: Governance
    params: TrustParams

    @property
    def beside(self) -> Mapping[str, Any]:
        """What stands beside the zone, by name."""
        return self.governance.beside

    @property
    def addresses(self) -> dict[str, str]:
        """Address of every contract by its name in a deployments file."""
        beside = {name: contract.address for name, contract in self.beside.items()}
        return self.zone.addresses | self.governance.addresses | beside


def deploy_trust(deployer: Any, project: Any, params: TrustParams) -> Trust:
    """Deploy a whole root of trust, hand over every right, and check it.

    Parameters
    ----------
    deployer : ape.api.AccountAPI
        Account that pays. It must send nothing else meanwhile, and has no right afterwards.
    project : ape.managers.project.ProjectManager
        Project with the contract types.
    params : TrustParams
        Parameters; parties that are contracts of this deployment are filled in.

    Raises
    ------
    DeploymentError
        If a contract is not where it was said to be, or anything read back is not as it must be.
    """
    start = deployer.nonce
    params = wired(deployer, params)
    beside_at = start + len(zones.CONTRACTS)
    sources = markets_.market_sources(deployer.address, beside_at)
    zone = zones.deploy_zone(deployer, project, params.zone, sources)
    beside = markets_.deploy_markets(deployer, project, zone.addresses, params.markets)
    found = courts.deploy_court(deployer, project, zone, params.court)
    beside |= {"double_head": found.double_head, "court": found.court}
    beside |= registers_.deploy_registers(
        deployer, project, zone, found.double_head, params.registers
    )
    governance = governance_.deploy_governance(deployer, project, zone, params.governance, beside)
    trust = Trust(zone, governance, params)
    check_trust(trust, deployer.address)
    return trust


def wired(deployer: Any, params: TrustParams) -> TrustParams:
    """Return the parameters with the addresses that ``deployer`` would deploy to next."""
    beside_at = deployer.nonce + len(zones.CONTRACTS)
    at = governance_.predict_governance(deployer, beside_at + len(BESIDE_NAMES))
    markets_at = markets_.predict_markets(deployer.address, beside_at)
    zone = replace(
        params.zone,
        brake=at["brake"],
        limits=at["limits"],
        court=courts.predict_court(deployer, len(markets_.CONTRACTS)),
        auction=markets_at["slots"],
        resolver=markets_at["resolver"],
        perps=markets_at["perps"],
        register=_predict(deployer, beside_at, "sequencer_register"),
    )
    markets = replace(
        params.markets,
        treasury=at["treasury"],
        governance=at["parameter_timelock"],
        court=at["ordinary_timelock"],
        arbiter=at["ordinary_timelock"],
        limits=at["limits"],
    )
    court = replace(params.court, treasury=at["treasury"], restitution=markets_at["restitution"])
    registers = replace(params.registers, court=at["ordinary_timelock"], treasury=at["treasury"])
    return TrustParams(zone, params.governance, markets, court, registers)


def _predict(deployer: Any, beside_at: int, name: str) -> str:
    """Return where a contract beside the zone will be."""
    return zones.predict_address(deployer.address, beside_at + list(BESIDE_NAMES).index(name))


def attach_trust(project: Any, addresses: Mapping[str, str], params: TrustParams) -> Trust:
    """Return the root of trust at these addresses. `check_trust` says whether it is one."""
    missing = [name for name in BESIDE_NAMES if name not in addresses]
    if missing:
        raise DeploymentError(f"no address for {', '.join(missing)}")
    beside = {
        name: getattr(project, contract).at(addresses[name])
        for name, contract in BESIDE_NAMES.items()
    }
    zone = zones.attach_zone(project, addresses, _sources(beside))
    return Trust(zone, governance_.attach_governance(project, addresses, beside), params)


def check_trust(trust: Trust, deployer: str) -> None:
    """Check that everything belongs together, and that ``deployer`` has no right left.

    Raises
    ------
    DeploymentError
        Naming the first thing that is not as it must be.
    """
    zone, beside, params = trust.zone, trust.beside, trust.params
    contracts = {name: getattr(zone, name) for name in zones.CONTRACTS}
    zones.check_wiring(contracts, _sources(beside))
    markets_.check_markets(beside, zone.addresses, params.markets)
    found = courts.CourtDeployment(params.court, beside["court"], beside["double_head"])
    courts.check_court(found, zone)
    registers_.check_registers(beside, zone, params.registers)
    governance_.check_governance(trust.governance, zone, deployer)
    at = trust.governance.addresses
    parties = {
        "zone: auction": (zone.params.auction, beside["slots"].address),
        "zone: resolver": (zone.params.resolver, beside["resolver"].address),
        "zone: perps": (zone.params.perps, beside["perps"].address),
        "zone: register": (zone.params.register, beside["sequencer_register"].address),
        "zone: limits": (zone.params.limits, at["limits"]),
        "zone: brake": (zone.params.brake, at["brake"]),
        "slots.treasury": (params.markets.treasury, at["treasury"]),
        "slots.governance": (params.markets.governance, at["parameter_timelock"]),
        "oracles.court": (params.markets.court, at["ordinary_timelock"]),
        "resolver.arbiter": (params.markets.arbiter, at["ordinary_timelock"]),
        "markets: limits": (params.markets.limits, at["limits"]),
        "court.treasury": (params.court.treasury, at["treasury"]),
        "court.restitution": (params.court.restitution, beside["restitution"].address),
        "registers.court": (params.registers.court, at["ordinary_timelock"]),
        "registers.treasury": (params.registers.treasury, at["treasury"]),
    }
    for name, (was, wanted) in parties.items():
        if was != wanted:
            raise DeploymentError(f"{name} is {was}, expected {wanted}")


def _sources(beside: Mapping[str, Any]) -> dict[str, int]:
    """Return what the zone's inbox admits besides its own: bitmap of kinds by address."""
    return {
        beside[name].address: sum(1 << kind for kind in kinds)
        for name, kinds in markets_.SOURCES.items()
    }
