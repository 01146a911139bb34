"""Deployments files: where a zone's contracts are, on which chain, and with which parameters.

    deployments/<network>.json

Written by ``ape run deploy``, read by everything else. Nothing in it is secret, and nothing in it has to
be believed: `Deployment.check` compares it with the chain.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ._codec import to_address_bytes, to_checksum
from ._files import write_file
from .abi import CONTRACTS
from .errors import AbiError, DeploymentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .rpc import Deployed, Rpc

SCHEMA: Final = 1
FOLDER: Final = "deployments"
CONTRACT_NAMES: Final = {
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
    "base_slots": "ISlots",
    "redirects": "Redirects",
    "escape": "Escape",
    "forced": "ForcedOperations",
}
"""Names in the file, and the ABI (`tradezone.chain.abi`) of each."""

CLASSES: Final = ("parameter", "ordinary", "core", "constitutional")
"""Classes of decision that are votes; their numbers count from 1."""

GOVERNANCE_NAMES: Final = {
    "authority": "Authority",
    "brake": "GuardianBrake",
    "limits": "ProtocolLimits",
    "treasury": "Treasury",
    "releases": "ReleaseRegistry",
    "chamber": "DepositorChamber",
    "council": "EmergencyCouncil",
    **{f"{name}_timelock": "ClassTimelock" for name in CLASSES},
    **{f"{name}_governor": "ClassGovernor" for name in CLASSES},
    "charter": "Charter",
}
"""Names in the file of a zone that is governed: all of them or none."""

BESIDE_NAMES: Final = {
    "slots": "SlotAuction",
    "oracles": "OracleRegistry",
    "resolver": "OutcomeResolver",
    "perp_rules": "PerpRules",
    "perps": "PerpRegistry",
    "risk": "StakeRisk",
    "restitution": "Restitution",
    "quotas": "AssetQuotas",
    "double_head": "DoubleHeadEvidence",
    "court": "SlashingCourt",
    "attestation": "AttestationEvidence",
    "sequencer_register": "BondedRegister",
    "verifier_register": "BondedRegister",
}
"""Names of what stands beside a zone: all of them if it is governed, else those that there are."""

ALL_NAMES: Final = CONTRACT_NAMES | GOVERNANCE_NAMES | BESIDE_NAMES
"""Every name that a file may have, and the ABI of each."""

_FIELDS: Final = ("schema", "network", "chain_id", "block", "contracts", "parameters")


def to_file_name(network: str) -> str:
    """Return the file of a network: ``xlayer:mainnet`` becomes ``xlayer-mainnet.json``."""
    return re.sub(r"[^a-z0-9]+", "-", network.lower()).strip("-") + ".json"


@dataclass(frozen=True)
class Deployment:
    """A zone on a chain.

    Attributes
    ----------
    network : str
        name for people, for instance ``xlayer:mainnet``
    chain_id : int
        of the L1
    block : int
        L1 block at or before which the first contract was deployed
    contracts : dict
        address by name (`CONTRACT_NAMES`), EIP-55
    parameters : dict
        what the contracts were given, for people; amounts in wei as text
    """

    network: str
    chain_id: int
    block: int
    contracts: Mapping[str, str]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def address(self, name: str) -> str:
        """Return the address of a contract. DeploymentError if there is no such name."""
        if name not in self.contracts:
            known = ", ".join(self.contracts)
            raise DeploymentError(f"no contract {name!r} in the deployment", f"there are: {known}")
        return self.contracts[name]

    def at(self, rpc: Rpc, name: str) -> Deployed:
        """Return a contract, to be read and called through a node."""
        return rpc.at(CONTRACTS[ALL_NAMES[name]], self.address(name))

    @property
    def is_governed(self) -> bool:
        """Whether the file names governance contracts."""
        return "charter" in self.contracts

    def check(self, rpc: Rpc) -> None:
        """Make sure that a node serves the chain, and that the contracts are there and one zone.

        Raises
        ------
        WrongChainError
            if the chain id differs
        DeploymentError
            naming the first contract that is missing or belongs to another zone
        """
        rpc.check_chain(self.chain_id)
        for name, address in self.contracts.items():
            if not rpc.has_code(address):
                raise DeploymentError(
                    f"no contract is at {address} ({name}) on chain {self.chain_id}",
                    "was the local chain started anew? deploy again, or name another deployment",
                )
        chain = self.at(rpc, "chain")
        for name in ("inbox", "sequencers", "judge"):
            found = chain.call(name)
            if found != self.address(name):
                raise DeploymentError(
                    f"the chain's {name} is {found}, expected {self.address(name)}",
                    "the file mixes two zones",
                )

    # --- files ---------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Return what stands in the file."""
        return {
            "schema": SCHEMA,
            "network": self.network,
            "chain_id": self.chain_id,
            "block": self.block,
            "contracts": dict(self.contracts),
            "parameters": dict(self.parameters),
        }

    def save(self, path: Path) -> None:
        """Write the file as a whole."""
        write_file(path, (json.dumps(self.to_json(), indent=2) + "\n").encode())

    @classmethod
    def from_json(cls, body: Any, source: str = "the deployment") -> Deployment:
        """Read what `to_json` returned. DeploymentError says what is wrong, and with which field."""
        if not isinstance(body, dict):
            raise DeploymentError(f"{source} is no JSON object", f"expected {', '.join(_FIELDS)}")
        missing = [name for name in _FIELDS if name not in body]
        unknown = [name for name in body if name not in _FIELDS]
        if missing or unknown:
            was = [f"no {name}" for name in missing] + [f"unknown {name}" for name in unknown]
            raise DeploymentError(
                f"{source} has {', '.join(was)}", "write it with: ape run deploy zone"
            )
        if body["schema"] != SCHEMA:
            text = f"{source} has schema {body['schema']!r}, expected {SCHEMA}"
            raise DeploymentError(text, "it was written by another version")
        for name in ("chain_id", "block"):
            value = body[name]
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise DeploymentError(
                    f"{source}: expected a whole number for {name}, was {value!r}"
                )
        if not isinstance(body["network"], str) or not isinstance(body["parameters"], dict):
            raise DeploymentError(f"{source}: expected text for network, an object for parameters")
        return cls(
            body["network"],
            body["chain_id"],
            body["block"],
            _read_contracts(body["contracts"], source),
            body["parameters"],
        )

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Read a file. DeploymentError says what is missing or wrong."""
        try:
            text = path.read_text()
        except OSError:
            others = sorted(p.name for p in path.parent.glob("*.json"))
            there = (
                f"{path.parent.name}/ holds {', '.join(others)}" if others else "there is none yet"
            )
            text = f"no deployment is recorded in {path.parent.name}/{path.name}"
            raise DeploymentError(text, f"{there}; deploy one with: ape run deploy zone") from None
        try:
            body = json.loads(text)
        except ValueError as error:
            raise DeploymentError(f"{path.name} is no JSON: {error}") from None
        return cls.from_json(body, path.name)


def _read_contracts(contracts: Any, source: str) -> dict[str, str]:
    if not isinstance(contracts, dict):
        raise DeploymentError(f"{source}: expected an object for contracts")
    missing = [name for name in CONTRACT_NAMES if name not in contracts]
    if missing:
        raise DeploymentError(f"{source} has no address for {', '.join(missing)}")
    if any(name in contracts for name in GOVERNANCE_NAMES):
        needed = GOVERNANCE_NAMES | BESIDE_NAMES
        lacking = [name for name in needed if name not in contracts]
        if lacking:
            text = f"{source} is governed and has no address for {', '.join(lacking)}"
            raise DeploymentError(text, "a governed zone is deployed as a whole, and its file too")
    found = {}
    for name, value in contracts.items():
        try:
            found[name] = to_checksum(to_address_bytes(value))
        except AbiError as error:
            raise DeploymentError(f"{source}, contracts.{name}: {error.text}", error.hint) from None
    return found
