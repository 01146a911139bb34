# ruff: noqa: N802 - methods have the names of the JSON-RPC methods they stand for

import json

import pytest

from tradezone.chain import Deployment, DeploymentError, Rpc, WrongChainError
from tradezone.chain._codec import encode, to_bytes, to_checksum
from tradezone.chain.abi import STATE_CHAIN
from tradezone.chain.deployment import (
    BESIDE_NAMES,
    CONTRACT_NAMES,
    GOVERNANCE_NAMES,
    to_file_name,
)

ADDRESSES = {name: to_checksum(bytes([i]) * 20) for i, name in enumerate(CONTRACT_NAMES, 1)}


@pytest.fixture
def deployment():
    return Deployment("xlayer:testnet", 1952, 7, ADDRESSES, {"claim_stride": 60})


def test_a_file_reads_back_as_it_was_written(deployment, tmp_path):
    path = tmp_path / to_file_name(deployment.network)
    deployment.save(path)
    assert path.name == "xlayer-testnet.json"
    assert Deployment.load(path) == deployment


def test_a_missing_file_names_those_that_are_there(deployment, tmp_path):
    deployment.save(tmp_path / "xlayer-testnet.json")
    with pytest.raises(DeploymentError, match=r"holds xlayer-testnet.json"):
        Deployment.load(tmp_path / "xlayer-mainnet.json")
    with pytest.raises(DeploymentError, match="ape run deploy zone"):
        Deployment.load(tmp_path / "nowhere" / "x.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 9}, "has schema 9, expected 1"),
        ({"chain_id": "196"}, "expected a whole number for chain_id, was '196'"),
        ({"chain_id": True}, "expected a whole number for chain_id"),
        ({"block": -1}, "expected a whole number for block"),
        ({"network": 5}, "expected text for network"),
        ({"extra": 1}, "unknown extra"),
        ({"contracts": []}, "expected an object for contracts"),
        ({"contracts": ADDRESSES | {"inbox": "0x12"}}, "contracts.inbox: expected an address"),
        ({"contracts": {"inbox": ADDRESSES["inbox"]}}, "no address for owner_registry"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(deployment, change, message):
    with pytest.raises(DeploymentError, match=message):
        Deployment.from_json(deployment.to_json() | change, "zone.json")


def test_a_zone_is_governed_by_all_contracts_or_none(deployment):
    body = deployment.to_json()
    assert not Deployment.from_json(body).is_governed
    whole = dict.fromkeys([*GOVERNANCE_NAMES, *BESIDE_NAMES], to_checksum(bytes([99]) * 20))
    assert Deployment.from_json(body | {"contracts": ADDRESSES | whole}).is_governed
    for name in ("charter", "court", "slots"):
        lacking = {other: address for other, address in whole.items() if other != name}
        with pytest.raises(DeploymentError, match=f"is governed and has no address for {name}"):
            Deployment.from_json(body | {"contracts": ADDRESSES | lacking}, "zone.json")


def test_a_zone_without_governance_may_have_some_of_what_stands_beside_it(deployment):
    some = {"slots": to_checksum(bytes([99]) * 20)}
    found = Deployment.from_json(deployment.to_json() | {"contracts": ADDRESSES | some})
    assert not found.is_governed
    assert found.address("slots") == some["slots"]


def test_missing_fields_are_named(deployment):
    body = deployment.to_json()
    del body["chain_id"]
    with pytest.raises(DeploymentError, match=r"zone.json has no chain_id"):
        Deployment.from_json(body, "zone.json")


@pytest.mark.parametrize("content", ["", "[1]", "nonsense"])
def test_a_file_that_is_no_json_object_is_said(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(DeploymentError, match=r"x.json is no JSON"):
        Deployment.load(path)


def test_an_unknown_contract_names_the_known_ones(deployment):
    with pytest.raises(DeploymentError, match="there are: inbox, owner_registry"):
        deployment.address("bank")


class FakeNode:
    def __init__(self, chain_id=1952, missing=(), judge=ADDRESSES["judge"]):
        self.chain_id, self.missing, self.judge = chain_id, missing, judge

    def __call__(self, body):
        request = json.loads(body)
        result = getattr(self, request["method"])(*request["params"])
        return json.dumps({"result": result}).encode()

    def eth_chainId(self):
        return hex(self.chain_id)

    def eth_getCode(self, address, _):
        return "0x" if address in self.missing else "0x60"

    def eth_call(self, call, _):
        answers = {name: ADDRESSES[name] for name in ("inbox", "sequencers")} | {
            "judge": self.judge
        }
        for name, address in answers.items():
            function = STATE_CHAIN.functions[name]
            if to_bytes(call["data"]) == function.selector:
                return "0x" + encode(function.outputs, [address]).hex()
        raise AssertionError(call)


def test_a_deployment_is_compared_with_the_chain(deployment):
    deployment.check(Rpc("http://fake", transport=FakeNode()))
    with pytest.raises(WrongChainError, match="expected chain id 1952, http://fake serves 196"):
        deployment.check(Rpc("http://fake", transport=FakeNode(196)))
    missing = FakeNode(missing=[ADDRESSES["staking"]])
    with pytest.raises(DeploymentError, match=r"\(staking\) on chain 1952"):
        deployment.check(Rpc("http://fake", transport=missing))
    mixed = FakeNode(judge=ADDRESSES["staking"])
    with pytest.raises(DeploymentError, match="the chain's judge is"):
        deployment.check(Rpc("http://fake", transport=mixed))
