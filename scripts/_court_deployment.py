"""Deploy the slashing court of a zone, and check that it belongs to it.

A library for scripts and tests, as `scripts/_deployment.py`. The staking vault names its court for
ever, so the court's address is predicted before the zone is deployed:

    zone_params = replace(zone_params, court=predict_court(deployer))
    zone = deploy_zone(deployer, project, zone_params)
    court = deploy_court(deployer, project, zone, court_params)

If governance is deployed in between, `predict_court` is told how many contracts it sends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Final

from scripts._deployment import (
    BLOCKS_PER_DAY,
    CONTRACTS,
    DAY,
    DEAD,
    NOBODY,
    OKB,
    Deployment,
    DeploymentError,
    predict_address,
)

# response, commit, reveal, appeal, commit, reveal, ruling
_DAYS: Final = tuple(accumulate((3, 3, 2, 3, 3, 2, 4)))


@dataclass(frozen=True, slots=True)
class CourtParams:
    """Every parameter of a court. None of them can be changed after deployment.

    Limits are counted from the accusation. Amounts are wei, times seconds.
    """

    treasury: str = DEAD
    restitution: str = NOBODY  # pays behind venues' walls (`IRestitution`)
    limit_seconds: tuple[int, ...] = tuple(days * DAY for days in _DAYS)
    limit_blocks: tuple[int, ...] = tuple(days * BLOCKS_PER_DAY for days in _DAYS)
    proof_seconds: int = 7 * DAY
    proof_blocks: int = 7 * BLOCKS_PER_DAY
    claim_seconds: int = 30 * DAY
    claim_blocks: int = 30 * BLOCKS_PER_DAY
    vote_age: int = 7 * DAY
    min_bond: int = 50 * OKB
    quorum_floor: int = 210_000 * OKB  # 1 % of all there is

    @classmethod
    def local(cls, **changes: Any) -> CourtParams:
        """Return parameters for a test chain: a case takes at most 110 s and 16 blocks."""
        params = cls(
            limit_seconds=(15, 30, 45, 60, 75, 90, 110),
            limit_blocks=(2, 4, 6, 8, 10, 12, 16),
            proof_seconds=20,
            proof_blocks=4,
            claim_seconds=60,
            claim_blocks=10,
            vote_age=10,
            min_bond=OKB // 10,
            quorum_floor=OKB,
        )
        return replace(params, **changes)


@dataclass(frozen=True, slots=True)
class CourtDeployment:
    """A court and its evidence contracts, as Ape contract instances."""

    params: CourtParams
    court: Any
    double_head: Any


def predict_court(deployer: Any, between: int = 0) -> str:
    """Return where the court will be if ``deployer`` deploys a zone and the court next.

    Parameters
    ----------
    deployer : ape.api.AccountAPI
        Account that pays. It must send nothing else meanwhile.
    between : int
        Transactions that it sends after the zone and before the court.
    """
    return predict_address(deployer.address, deployer.nonce + len(CONTRACTS) + between + 1)


def deploy_court(
    deployer: Any, project: Any, zone: Deployment, params: CourtParams
) -> CourtDeployment:
    """Deploy the court that the zone's staking vault already names, and check it.

    Raises
    ------
    DeploymentError
        If the vault names another address than the court would get.
    """
    expected = predict_address(deployer.address, deployer.nonce + 1)
    named = zone.staking.court()
    if named != expected:
        raise DeploymentError(f"the staking vault names {named}, the court would be at {expected}")
    double_head = deployer.deploy(project.DoubleHeadEvidence, zone.chain.address)
    court = deployer.deploy(project.SlashingCourt, court_config(zone, double_head.address, params))
    found = CourtDeployment(params, court, double_head)
    check_court(found, zone)
    return found


def court_config(zone: Deployment, double_head: str, params: CourtParams) -> dict[str, Any]:
    """Return what `SlashingCourt` is constructed with."""
    return {
        "staking": zone.staking.address,
        "owners": zone.owner_registry.address,
        "treasury": params.treasury,
        "restitution": params.restitution,
        "evidence": [double_head],
        "limitSeconds": list(params.limit_seconds),
        "limitBlocks": list(params.limit_blocks),
        "proofSeconds": params.proof_seconds,
        "proofBlocks": params.proof_blocks,
        "claimSeconds": params.claim_seconds,
        "claimBlocks": params.claim_blocks,
        "voteAge": params.vote_age,
        "minBond": params.min_bond,
        "quorumFloor": params.quorum_floor,
    }


def check_court(found: CourtDeployment, zone: Deployment) -> None:
    """Check that zone, court and evidence point at each other.

    Raises
    ------
    DeploymentError
        Naming the first pointer that is wrong.
    """
    pointers = {
        "staking.court": (zone.staking.court(), found.court.address),
        "court.staking": (found.court.staking(), zone.staking.address),
        "court.chain": (found.court.chain(), zone.chain.address),
        "court.owners": (found.court.owners(), zone.owner_registry.address),
        "court.treasury": (found.court.treasury(), found.params.treasury),
        "court.restitution": (found.court.restitution(), found.params.restitution),
        "court.evidence": (found.court.evidenceOf(), [found.double_head.address]),
        "double_head.chain": (found.double_head.chain(), zone.chain.address),
    }
    for name, (pointed, expected) in pointers.items():
        if pointed != expected:
            raise DeploymentError(f"{name} is {pointed}, expected {expected}")
