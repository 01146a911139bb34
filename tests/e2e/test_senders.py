"""Transactions: signed here or by the node, offered again when they linger, explained when they fail."""

from __future__ import annotations

import threading
import time

import pytest

from tests.e2e.conftest import STRANGER
from tradezone.chain import (
    KeySender,
    NodeSender,
    RevertedError,
    TransactionFailedError,
)
from tradezone.chain import (
    rpc as rpc_module,
)
from tradezone.chain.abi import STAKING_VAULT
from tradezone.chain.rpc import fetch_receipt

OKB = 10**18


def wait_for(rpc, transaction):
    """Ask for the receipt until the node has mined the transaction: it answers before it mines."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if receipt := fetch_receipt(rpc, transaction):
            return receipt
        time.sleep(0.05)
    raise AssertionError(f"{transaction} was not mined")


@pytest.fixture
def sender(zone, accounts):
    def make(kind):
        if kind == "node":
            return NodeSender(zone.rpc, accounts[STRANGER].address)
        return KeySender(zone.rpc, bytes.fromhex(accounts[STRANGER].private_key[2:]))

    return make


@pytest.fixture
def staking(zone):
    return zone.deployment.at(zone.rpc, "staking")


@pytest.mark.parametrize("kind", ["node", "key"])
def test_a_transaction_is_mined_and_its_events_read(sender, staking, accounts, kind):
    who = sender(kind)
    assert who.address == accounts[STRANGER].address
    receipt = staking.transact(who, "stake", value=OKB)
    assert receipt.events(STAKING_VAULT, "Staked")[0]["amount"] == OKB
    assert receipt.cost > 0
    assert staking.call("freeOf", who.address) == OKB


@pytest.mark.parametrize("kind", ["node", "key"])
def test_a_refusal_costs_nothing_and_is_explained(sender, staking, zone, kind):
    who = sender(kind)
    before = zone.rpc.balance(who.address)
    with pytest.raises(RevertedError, match="InsufficientFree") as caught:
        staking.transact(who, "requestUnbond", OKB)
    assert caught.value.values["asked"] == OKB
    assert zone.rpc.balance(who.address) == before


def test_a_transaction_that_fails_in_its_block_is_explained(zone, staking, accounts):
    data = STAKING_VAULT.functions["requestUnbond"].encode(OKB)
    sent = zone.rpc.request(
        "eth_sendTransaction",
        {
            "from": accounts[STRANGER].address,
            "to": staking.address,
            "data": "0x" + data.hex(),
            "gas": hex(200_000),
        },
    )
    with pytest.raises(RevertedError, match="InsufficientFree"):
        wait_for(zone.rpc, sent)


def test_one_that_ran_out_of_gas_is_told_apart(zone, staking, accounts):
    sent = zone.rpc.request(
        "eth_sendTransaction",
        {
            "from": accounts[STRANGER].address,
            "to": staking.address,
            "data": "0x" + STAKING_VAULT.functions["stake"].encode().hex(),
            "value": hex(OKB),
            "gas": hex(30_000),
        },
    )
    with pytest.raises((TransactionFailedError, RevertedError)):
        wait_for(zone.rpc, sent)


@pytest.fixture
def paused(zone):
    """A chain that mines when it is told to."""
    zone.rpc.request("evm_setAutomine", False)
    yield
    zone.rpc.request("evm_setAutomine", True)
    zone.rpc.request("anvil_mine", "0x1")


def test_a_transaction_that_lingers_is_offered_again_and_mined_once(
    zone, sender, staking, paused, monkeypatch
):
    monkeypatch.setattr(rpc_module, "_REBROADCAST", 0.3)
    who = sender("key")
    nonce = int(zone.rpc.request("eth_getTransactionCount", who.address, "latest"), 16)

    def mine():
        time.sleep(0.8)
        zone.rpc.request("anvil_mine", "0x1")

    thread = threading.Thread(target=mine)
    thread.start()
    receipt = staking.transact(who, "stake", value=OKB)
    thread.join()
    mined = zone.rpc.request("eth_getTransactionByHash", receipt.transaction)
    assert int(mined["nonce"], 16) == nonce
    assert int(mined["maxPriorityFeePerGas"], 16) > 0
    assert staking.call("freeOf", who.address) == OKB
    after = int(zone.rpc.request("eth_getTransactionCount", who.address, "latest"), 16)
    assert after == nonce + 1


def test_one_that_is_never_mined_is_given_up_with_its_hash(
    zone, sender, staking, paused, monkeypatch
):
    monkeypatch.setattr(rpc_module, "_REBROADCAST", 0.1)
    monkeypatch.setattr(rpc_module, "_RECEIPT_TIMEOUT", 0.4)
    with pytest.raises(TransactionFailedError, match="was not mined within") as caught:
        staking.transact(sender("key"), "stake", value=OKB)
    assert caught.value.transaction.startswith("0x")
    zone.rpc.request("anvil_dropAllTransactions")
