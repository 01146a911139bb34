"""The ABIs that Python carries are those that the compilers make."""

from __future__ import annotations

import pytest

from tradezone.chain.abi import CONTRACTS
from tradezone.chain.deployment import ALL_NAMES

# Interfaces are compared with the contract that stands behind them in a zone.
IMPLEMENTATIONS = {
    "IJudge": "VerifierVoteJudge",
    "ISlots": "BaseSlots",
    "ERC20": "TestToken",
}
# A Vyper contract knows no custom errors by name; its interface has them, and equals it otherwise
# (tests/contracts/test_slot_auction.py).
NAMED_BY_INTERFACE = {"SlotAuction": "ISlotAuction"}
# Entry points that only other contracts call.
INTERNAL = {
    "enqueue",
    "close",
    "pay",
    "lock",
    "registerIfNew",
    "withdrawFromSelf",
    "exitFromSelf",
    "refundFromSelf",
    "openMarket",
    "closeMarkets",
    "takeEvent",
    "openLedger",
}
OURS = sorted(set(CONTRACTS) - set(IMPLEMENTATIONS))


@pytest.fixture(scope="session")
def compiled(project):
    def get(name):
        name = (IMPLEMENTATIONS | NAMED_BY_INTERFACE).get(name, name)
        contract = getattr(project, name).contract_type
        return [item.model_dump(mode="json", by_alias=True) for item in contract.abi]

    return get


def shape(parameters):
    """Types and names of parameters, structs spelled out, as nested tuples."""
    return tuple(
        (p["type"], p.get("name") or "", bool(p.get("indexed")), shape(p.get("components") or []))
        for p in parameters
    )


def index(abi, kind):
    return {item["name"]: item for item in abi if item["type"] == kind}


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_functions_are_those_of_the_contract(compiled, name):
    known = index(compiled(name), "function")
    for item in index(CONTRACTS[name].to_json(), "function").values():
        real = known[item["name"]]
        assert [t[0] for t in flat(item["inputs"])] == [t[0] for t in flat(real["inputs"])], item[
            "name"
        ]
        assert types(item["outputs"]) == types(real["outputs"]), item["name"]
        mutability = real["stateMutability"].replace("pure", "view")
        assert item["stateMutability"] == mutability, item["name"]


@pytest.mark.parametrize("name", OURS)
def test_parameters_and_fields_have_the_contracts_names(compiled, name):
    known = index(compiled(name), "function")
    for item in index(CONTRACTS[name].to_json(), "function").values():
        real = known[item["name"]]
        for ours, theirs in zip(flat(item["inputs"]), flat(real["inputs"]), strict=True):
            # Solidity leaves the parameters of getters without names.
            assert ours[1].rstrip("_") == theirs[1].rstrip("_") or not theirs[1], item["name"]
        for ours, theirs in zip(fields(item["outputs"]), fields(real["outputs"]), strict=True):
            assert ours == theirs, item["name"]


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("kind", ["event", "error"])
def test_events_and_errors_are_complete(compiled, name, kind):
    ours = index(CONTRACTS[name].to_json(), kind)
    theirs = index(compiled(name), kind)
    for item, real in theirs.items():
        assert item in ours, f"{name} has no {kind} {item}"
        assert shape(ours[item]["inputs"]) == shape(real["inputs"]), item
    assert set(ours) <= set(theirs)


@pytest.mark.parametrize("name", OURS)
def test_nothing_that_people_call_is_missing(compiled, name):
    writes = {
        item["name"]
        for item in index(compiled(name), "function").values()
        if item["stateMutability"] in ("payable", "nonpayable")
    }
    assert writes - INTERNAL <= set(CONTRACTS[name].functions)


def test_every_contract_of_a_deployment_has_an_abi():
    assert set(ALL_NAMES.values()) <= set(CONTRACTS)


def types(parameters):
    return tuple((p["type"], types(p.get("components") or [])) for p in parameters)


def flat(parameters):
    """Types and names, structs opened up, in order."""
    for parameter in parameters:
        yield parameter["type"], parameter.get("name") or ""
        yield from flat(parameter.get("components") or [])


def fields(parameters):
    """Names of struct fields, the names that decoded values go by."""
    for parameter in parameters:
        for component in parameter.get("components") or []:
            yield component["name"]
            yield from fields([component])
