"""Deploy the governance of a zone, wire it, hand over every right, and check that none is left.

As `scripts._deployment`: a library without a command line. Governance needs the zone's addresses and the
zone needs the brake's, so one account deploys both in a row:

    params = replace(
        zone_params, brake=predict_brake(deployer), limits=predict_limits(deployer)
    )
    zone = deploy_zone(deployer, project, params)
    governance = deploy_governance(deployer, project, zone, governance_params)

A zone without a brake can be governed too; its guardians then close nothing. What stands beside the zone
and obeys a class directly is handed over as ``beside`` (`scripts/_trust.py` deploys all of it).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from eth_utils import to_checksum_address

from scripts._deployment import BLOCKS_PER_DAY, DAY, NOBODY, OKB, DeploymentError, predict_address
from scripts._deployment import CONTRACTS as ZONE_CONTRACTS
from tradezone.chain.deployment import CLASSES as CLASS_NAMES
from tradezone.chain.deployment import GOVERNANCE_NAMES
from tradezone.protocol.hashing import keccak

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts._deployment import Deployment

HOUR: Final = 3_600  # seconds
PERCENT: Final = 10_000  # ppm
ADMIN_ROLE: Final = 0

CLASSES: Final = {name: number for number, name in enumerate(CLASS_NAMES, 1)}
"""Classes of decision that are votes, and their numbers."""

ROLES: Final = {"parameter": 1, "ordinary": 2, "core": 3, "constitutional": ADMIN_ROLE}
"""The one role that each class's timelock holds."""

CONTRACTS: Final = GOVERNANCE_NAMES
"""Names of a `Governance`, in the order of deployment, and their contract types."""

POWERS: Final = {
    "parameter": {"limits": ("set",)},
    "ordinary": {
        "treasury": ("openStream", "closeStream"),
        "brake": ("arm", "setMembers"),
        "council": ("setMembers",),
    },
    "core": {"releases": ("endorse", "retire"), "chamber": ("setWeight",)},
    "constitutional": {
        "authority": ("grantRole", "revokeRole", "setTargetFunctionRole"),
        "charter": ("allow", "forbid"),
    },
}
"""The closed list of each class: contract and functions."""

BESIDE_POWERS: Final = {
    "parameter": {
        "slots": ("setKindTerms", "setLicenceTerms"),
        "risk": ("setPrice",),
        "quotas": ("setQuota",),
    },
    "ordinary": {
        "perps": ("approveCross",),
        "resolver": ("decide",),
        "oracles": ("slash",),
        "sequencer_register": ("slash",),
        "verifier_register": ("slash",),
    },
}
"""What joins the lists if these contracts are there. They ask for the timelock's address, not for a role."""

_DEEP_CLASSES: Final = ("core", "constitutional")


@dataclass(frozen=True, slots=True)
class ClassParams:
    """Numbers of one class; seconds and ppm of aged stake (docs/spec/governance.md)."""

    voting_delay: int
    voting_period: int
    timelock_delay: int
    threshold_ppm: int
    quorum_ppm: int
    majority_ppm: int
    late_extension: int = 2 * DAY
    objection_ppm: int = 0
    objected_period: int = 0


PARAMETER: Final = ClassParams(
    voting_delay=HOUR,
    voting_period=3 * DAY,
    timelock_delay=DAY,
    threshold_ppm=PERCENT // 10,
    quorum_ppm=20 * PERCENT,
    majority_ppm=50 * PERCENT,
    objection_ppm=PERCENT,
    objected_period=5 * DAY,
)
ORDINARY: Final = ClassParams(
    voting_delay=DAY,
    voting_period=5 * DAY,
    timelock_delay=3 * DAY,
    threshold_ppm=PERCENT // 4,
    quorum_ppm=20 * PERCENT,
    majority_ppm=50 * PERCENT,
)
CORE: Final = ClassParams(
    voting_delay=2 * DAY,
    voting_period=10 * DAY,
    timelock_delay=45 * DAY,
    threshold_ppm=PERCENT,
    quorum_ppm=20 * PERCENT,
    majority_ppm=60 * PERCENT,
)
CONSTITUTIONAL: Final = ClassParams(
    voting_delay=7 * DAY,
    voting_period=14 * DAY,
    timelock_delay=120 * DAY,
    threshold_ppm=2 * PERCENT,
    quorum_ppm=30 * PERCENT,
    majority_ppm=666_666,
)


@dataclass(frozen=True, slots=True)
class GovernanceParams:
    """Every parameter of governance. Defaults are those of a zone in production."""

    guardians: tuple[str, ...]
    council: tuple[str, ...]
    guardian_threshold: int = 3
    council_threshold: int = 5
    close_seconds: int = 72 * HOUR
    weights: tuple[tuple[int, int], ...] = ((1, 10**12),)  # asset, 10^-18 reference units an atom
    relay: str = NOBODY  # tells the zone (`IZoneRelay`)
    quorum_floor: int = 210_000 * OKB  # 1 % of all OKB
    grace: int = 14 * DAY
    blocks_per_day: int = BLOCKS_PER_DAY
    classes: Mapping[str, ClassParams] = field(
        default_factory=lambda: {
            "parameter": PARAMETER,
            "ordinary": ORDINARY,
            "core": CORE,
            "constitutional": CONSTITUTIONAL,
        }
    )

    @classmethod
    def local(
        cls, guardians: tuple[str, ...], council: tuple[str, ...], **changes: Any
    ) -> GovernanceParams:
        """Return parameters for a test chain: the periods of production, no least stake, no block floor.

        Periods stay, because the limits' and the chamber's own cannot be shortened; a test chain's clock
        can be moved.
        """
        return replace(
            cls(
                guardians=guardians,
                council=council,
                guardian_threshold=len(guardians) // 3 + 1,
                council_threshold=len(council) // 2 + 1,
                quorum_floor=0,
                blocks_per_day=0,
            ),
            **changes,
        )


@dataclass(frozen=True, slots=True)
class Governance:
    """The contracts of governance, as Ape contract instances."""

    authority: Any
    brake: Any
    limits: Any
    treasury: Any
    releases: Any
    chamber: Any
    council: Any
    parameter_timelock: Any
    ordinary_timelock: Any
    core_timelock: Any
    constitutional_timelock: Any
    parameter_governor: Any
    ordinary_governor: Any
    core_governor: Any
    constitutional_governor: Any
    charter: Any
    beside: Mapping[str, Any] = field(default_factory=dict)

    @property
    def powers(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """The closed list of each class."""
        return powers_with(self.beside)

    def contract(self, name: str) -> Any:
        """Return a contract that is governed, by its name."""
        return self.beside[name] if name in self.beside else getattr(self, name)

    @property
    def addresses(self) -> dict[str, str]:
        """Address of each contract by its name here; `attach_governance` takes them back."""
        return {name: getattr(self, name).address for name in CONTRACTS}

    def governor(self, name: str) -> Any:
        """Return the governor of a class."""
        return getattr(self, f"{name}_governor")

    def timelock(self, name: str) -> Any:
        """Return the timelock of a class."""
        return getattr(self, f"{name}_timelock")


def predict_brake(deployer: Any) -> str:
    """Return where the brake will be if ``deployer`` deploys a zone and its governance next."""
    return predict_governance(deployer, deployer.nonce + len(ZONE_CONTRACTS))["brake"]


def predict_limits(deployer: Any) -> str:
    """Return where the limits will be, as `predict_brake`."""
    return predict_governance(deployer, deployer.nonce + len(ZONE_CONTRACTS))["limits"]


def predict_governance(deployer: Any, nonce: int) -> dict[str, str]:
    """Return where governance will be, by name, if ``deployer`` begins to deploy it at this nonce."""
    return {name: predict_address(deployer.address, nonce + i) for i, name in enumerate(CONTRACTS)}


def powers_with(beside: Mapping[str, Any]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the closed list of each class of a zone that has these contracts beside it."""
    powers: dict[str, dict[str, tuple[str, ...]]] = {n: dict(of) for n, of in POWERS.items()}
    for name, more in BESIDE_POWERS.items():
        powers[name] |= {contract: list_ for contract, list_ in more.items() if contract in beside}
    return powers


def selector_of(contract: Any, name: str) -> bytes:
    """Return the selector of the one function of that name."""
    found = [a for a in contract.contract_type.abi if a.type == "function" and a.name == name]
    if len(found) != 1:
        raise DeploymentError(f"{len(found)} functions are called {name}, expected one")
    return keccak(found[0].selector.encode())[:4]


def deploy_governance(
    deployer: Any,
    project: Any,
    zone: Deployment,
    params: GovernanceParams,
    beside: Mapping[str, Any] | None = None,
) -> Governance:
    """Deploy governance for a zone, hand over every right, and check it.

    Parameters
    ----------
    deployer : ape.api.AccountAPI
        Account that pays. It is the first admin until the last transaction of this function.
    project : ape.managers.project.ProjectManager
        Project with the contract types.
    zone : scripts._deployment.Deployment
        The zone, whose brake is the one to be deployed or none.
    params : GovernanceParams
        Parameters.
    beside : mapping, optional
        Contracts beside the zone by name: those of `BESIDE_POWERS` join the lists of their classes, of
        all others it is made sure that no class ever reaches them.

    Raises
    ------
    DeploymentError
        If an address is not the predicted one, or anything read back is not as it must be.
    """
    at = predict_governance(deployer, deployer.nonce)
    beside = dict(beside or {})
    for name in ("brake", "limits"):
        asked = getattr(zone.params, name)
        if asked not in (NOBODY, at[name]):
            text = f"the zone asks the {name} at {asked}, this one will be {at[name]}"
            raise DeploymentError(text)
    arguments = _constructor_arguments(deployer, at, zone, params)
    arguments["charter"] = _charter_arguments(project, at, zone, beside)
    deployed = {}
    for name, contract in CONTRACTS.items():
        instance = deployer.deploy(getattr(project, contract), *arguments[name])
        if instance.address != at[name]:
            raise DeploymentError(f"{name} is at {instance.address}, expected {at[name]}")
        deployed[name] = instance
    governance = Governance(**deployed, beside=beside)
    _hand_over(deployer, governance)
    check_governance(governance, zone, deployer.address)
    return governance


def attach_governance(
    project: Any, addresses: Mapping[str, str], beside: Mapping[str, Any] | None = None
) -> Governance:
    """Return the governance at these addresses. `check_governance` says whether it is one."""
    missing = [name for name in CONTRACTS if name not in addresses]
    if missing:
        raise DeploymentError(f"no address for {', '.join(missing)}")
    return Governance(
        **{
            name: getattr(project, contract).at(to_checksum_address(addresses[name]))
            for name, contract in CONTRACTS.items()
        },
        beside=dict(beside or {}),
    )


def check_governance(governance: Governance, zone: Deployment, deployer: str) -> None:
    """Check roles, lists, timelocks and pointers on the chain.

    Raises
    ------
    DeploymentError
        Naming the first thing that is not as it must be.
    """
    _check_pointers(governance, zone)
    _check_roles(governance, deployer)
    _check_lists(governance, zone)


def _require(is_so: object, text: str) -> None:
    if not is_so:
        raise DeploymentError(text)


def _check_pointers(governance: Governance, zone: Deployment) -> None:
    authority = governance.authority.address
    for name in ("brake", "limits", "treasury", "releases", "chamber", "council", "charter"):
        found = getattr(governance, name).authority()
        _require(found == authority, f"{name} obeys {found}, expected {authority}")
    pointers = {
        ("chamber", "chain"): zone.chain,
        ("chamber", "owners"): zone.owner_registry,
        ("council", "staking"): zone.staking,
        ("council", "limits"): governance.limits,
        ("council", "venues"): zone.venue_registry,
    }
    for (name, getter), target in pointers.items():
        found = getattr(getattr(governance, name), getter)()
        _require(found == target.address, f"{name}.{getter} is {found}, expected {target.address}")
    for name, number in CLASSES.items():
        config = governance.governor(name).config()
        expected = {
            "classId": number,
            "staking": zone.staking.address,
            "timelock": governance.timelock(name).address,
            "charter": governance.charter.address,
            "limits": governance.limits.address,
            # Depositors have a say on what is irrevocable, the council on what is not.
            "chamber": governance.chamber.address if name in _DEEP_CLASSES else NOBODY,
            "canceller": NOBODY if name in _DEEP_CLASSES else governance.council.address,
        }
        for key, value in expected.items():
            found = config[key]
            _require(found == value, f"{name} governor: {key} is {found}, expected {value}")


def _check_roles(governance: Governance, deployer: str) -> None:
    authority = governance.authority
    holders = {name: governance.timelock(name).address for name in CLASSES}
    for name, role in ROLES.items():
        for other, holder in [*holders.items(), ("deployer", deployer)]:
            has, delay = authority.hasRole(role, holder)
            _require(has == (other == name), f"{other}: has role {role} ({name}): {has}")
            _require(not has or delay == 0, f"{other} waits {delay} s in role {role}")
        _require(authority.getRoleAdmin(role) == ADMIN_ROLE, f"role {role} has another admin")
        _require(authority.getRoleGuardian(role) == ADMIN_ROLE, f"role {role} has a guardian")
    for name, powers in POWERS.items():
        for contract, functions in powers.items():
            if contract == "authority":
                continue  # its own functions are the admin's by its code
            instance = getattr(governance, contract)
            for function in functions:
                found = authority.getTargetFunctionRole(instance, selector_of(instance, function))
                _require(found == ROLES[name], f"{contract}.{function} is for role {found}")
    for name in CLASSES:
        timelock, governor = governance.timelock(name), governance.governor(name)
        roles = [bytes(getattr(timelock, f"{r}_ROLE")()) for r in ("PROPOSER", "EXECUTOR")]
        roles += [bytes(timelock.CANCELLER_ROLE()), bytes(timelock.DEFAULT_ADMIN_ROLE())]
        for role in roles:
            is_admin = role == bytes(32)
            for holder in (governor.address, timelock.address, deployer, NOBODY):
                expected = holder == (timelock.address if is_admin else governor.address)
                _require(
                    timelock.hasRole(role, holder) == expected,
                    f"{name} timelock: {holder} in role 0x{role.hex()}: {not expected}",
                )


def _check_lists(governance: Governance, zone: Deployment) -> None:
    charter = governance.charter
    for name, number in CLASSES.items():
        found = {(entry.target, bytes(entry.selector)) for entry in charter.listOf(number)}
        expected = {
            (
                governance.contract(contract).address,
                selector_of(governance.contract(contract), f),
            )
            for contract, functions in governance.powers[name].items()
            for f in functions
        }
        _require(found == expected, f"the list of {name} is {found}, expected {expected}")
    for address in _untouchable(zone.addresses, governance.addresses, governance.beside):
        _require(charter.isUntouchable(address), f"{address} can be made a target")


def _untouchable(
    zone: Mapping[str, str], at: Mapping[str, str], beside: Mapping[str, Any]
) -> list[str]:
    """Return what no decision ever reaches: the zone's contracts, governors, timelocks, the court."""
    governed = {name for more in BESIDE_POWERS.values() for name in more}
    return (
        [*zone.values()]
        + [at[f"{name}_{kind}"] for name in CLASSES for kind in ("timelock", "governor")]
        + [contract.address for name, contract in beside.items() if name not in governed]
    )


def _hand_over(deployer: Any, governance: Governance) -> None:
    authority = governance.authority
    for name, powers in POWERS.items():
        for contract, functions in powers.items():
            if name == "constitutional":
                continue  # what is not given to a role is the admin's
            instance = getattr(governance, contract)
            selectors = [selector_of(instance, function) for function in functions]
            authority.setTargetFunctionRole(instance, selectors, ROLES[name], sender=deployer)
    for name, role in ROLES.items():
        if role != ADMIN_ROLE:
            authority.labelRole(role, name, sender=deployer)
        authority.grantRole(role, governance.timelock(name), 0, sender=deployer)
    authority.renounceRole(ADMIN_ROLE, deployer, sender=deployer)


def _charter_arguments(
    project: Any, at: Mapping[str, str], zone: Deployment, beside: Mapping[str, Any]
) -> tuple[Any, ...]:
    def entry(contract: str, function: str) -> tuple[str, bytes]:
        if contract in beside:
            return beside[contract].address, selector_of(beside[contract], function)
        return at[contract], selector_of(getattr(project, CONTRACTS[contract]), function)

    return (
        at["authority"],
        _untouchable(zone.addresses, at, beside),
        [
            (CLASSES[name], *entry(contract, function))
            for name, powers in powers_with(beside).items()
            for contract, functions in powers.items()
            for function in functions
        ],
    )


def _constructor_arguments(
    deployer: Any,
    at: Mapping[str, str],
    zone: Deployment,
    params: GovernanceParams,
) -> dict[str, tuple[Any, ...]]:
    authority = at["authority"]
    wrong = [name for name in CLASSES if name not in params.classes]
    if wrong:
        raise DeploymentError(f"no parameters for {', '.join(wrong)}")
    arguments: dict[str, tuple[Any, ...]] = {
        "authority": (deployer.address,),
        "brake": (
            authority,
            list(params.guardians),
            params.guardian_threshold,
            params.close_seconds,
        ),
        "limits": (authority, params.relay),
        "treasury": (authority,),
        "releases": (authority,),
        "chamber": (authority, zone.chain, zone.owner_registry, list(params.weights)),
        "council": (
            authority,
            list(params.council),
            params.council_threshold,
            zone.staking,
            at["limits"],
            zone.venue_registry,
            params.relay,
        ),
    }
    for name in CLASSES:
        numbers = params.classes[name]
        arguments[f"{name}_timelock"] = (numbers.timelock_delay, at[f"{name}_governor"])
        arguments[f"{name}_governor"] = (
            {
                "name": f"Exchange OS {name}",
                "classId": CLASSES[name],
                "staking": zone.staking.address,
                "timelock": at[f"{name}_timelock"],
                "charter": at["charter"],
                "limits": at["limits"],
                "chamber": at["chamber"] if name in _DEEP_CLASSES else NOBODY,
                "canceller": NOBODY if name in _DEEP_CLASSES else at["council"],
                "votingDelay": numbers.voting_delay,
                "votingPeriod": numbers.voting_period,
                "lateExtension": numbers.late_extension,
                "objectedPeriod": numbers.objected_period,
                "grace": params.grace,
                "thresholdPpm": numbers.threshold_ppm,
                "objectionPpm": numbers.objection_ppm,
                "quorumPpm": numbers.quorum_ppm,
                "majorityPpm": numbers.majority_ppm,
                "quorumFloor": params.quorum_floor,
                "blocksPerDay": params.blocks_per_day,
            },
        )
    return arguments
