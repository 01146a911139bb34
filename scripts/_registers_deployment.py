"""Deploy the bonded registers of a zone: who can order inputs, and who vouches for states.

A library for scripts and tests, as `scripts._deployment`. The registers stand beside a zone; nothing in it
asks them yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from scripts._deployment import BLOCKS_PER_DAY, DAY, DEAD, OKB, DeploymentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts._deployment import Deployment

EVIDENCE: Final = {"sequencer_register": "double_head", "verifier_register": "attestation"}
"""Names of the registers in a deployments file, and of the evidence that convicts in each."""

CONTRACTS: Final = {
    "attestation": "AttestationEvidence",
    **dict.fromkeys(EVIDENCE, "BondedRegister"),
}
"""Names of what is deployed here, in the order of deployment, and their types."""


@dataclass(frozen=True, slots=True)
class RegisterParams:
    """Parameters of the registers. None of them can be changed. Amounts are wei, times seconds."""

    court: str = DEAD  # takes from bonds what needs judgement
    treasury: str = DEAD
    sequencer_bond: int = 10_000 * OKB
    verifier_bond: int = 3_200 * OKB
    max_sequencers: int = 16
    max_verifiers: int = 64
    unbonding_seconds: int = 21 * DAY
    unbonding_blocks: int = 21 * BLOCKS_PER_DAY
    proof_seconds: int = 7 * DAY
    proof_blocks: int = 7 * BLOCKS_PER_DAY

    @classmethod
    def local(cls, **changes: Any) -> RegisterParams:
        """Return parameters for a test chain: short periods, small bonds."""
        params = cls(
            sequencer_bond=OKB,
            verifier_bond=OKB,
            unbonding_seconds=120,
            unbonding_blocks=20,
            proof_seconds=20,
            proof_blocks=4,
        )
        return replace(params, **changes)

    def to_config(self, name: str, chain: str, evidence: str) -> dict[str, Any]:
        """Return what the register of this name is constructed with."""
        is_sequencer = name == "sequencer_register"
        return {
            "chain": chain,
            "court": self.court,
            "treasury": self.treasury,
            "evidence": [evidence],
            "bond": self.sequencer_bond if is_sequencer else self.verifier_bond,
            "maxMembers": self.max_sequencers if is_sequencer else self.max_verifiers,
            "unbondingSeconds": self.unbonding_seconds,
            "unbondingBlocks": self.unbonding_blocks,
            "proofSeconds": self.proof_seconds,
            "proofBlocks": self.proof_blocks,
        }


def deploy_registers(
    deployer: Any, project: Any, zone: Deployment, double_head: Any, params: RegisterParams
) -> dict[str, Any]:
    """Deploy the registers beside a zone, and check them.

    Parameters
    ----------
    deployer : ape.api.AccountAPI
        Account that pays; it gets no right by it.
    project : ape.managers.project.ProjectManager
        Project with the contract types.
    zone : scripts._deployment.Deployment
        The zone.
    double_head : ape.contracts.ContractInstance
        Evidence against sequencers.
    params : RegisterParams
        Parameters.

    Returns
    -------
    dict
        Contract instances by name.

    Raises
    ------
    DeploymentError
        If what they say of themselves is not what was asked for.
    """
    found = {"attestation": deployer.deploy(project.AttestationEvidence, zone.chain.address)}
    evidence = found | {"double_head": double_head}
    for name, proof in EVIDENCE.items():
        config = params.to_config(name, zone.chain.address, evidence[proof].address)
        found[name] = deployer.deploy(project.BondedRegister, config)
    check_registers(evidence | found, zone, params)
    return found


def check_registers(found: Mapping[str, Any], zone: Deployment, params: RegisterParams) -> None:
    """Read every pointer and parameter back and compare.

    Raises
    ------
    DeploymentError
        Naming the first that is wrong.
    """
    chain = zone.chain.address
    for proof in EVIDENCE.values():
        if found[proof].chain() != chain:
            raise DeploymentError(f"{proof}.chain is {found[proof].chain()}, expected {chain}")
    for name, proof in EVIDENCE.items():
        given = found[name].config()
        for key, wanted in params.to_config(name, chain, found[proof].address).items():
            was = list(given[key]) if key == "evidence" else given[key]
            if was != wanted:
                raise DeploymentError(f"{name}.{key} is {was}, expected {wanted}")
