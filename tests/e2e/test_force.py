"""Forced operations from the command line to the zone and back: sent, obeyed, answered, proved, paid."""

from __future__ import annotations

import json

import pytest
from eth_account.messages import encode_typed_data

from tests.e2e.conftest import DEPLOYER, MAKER, STRANGER, TAKER
from tradezone.chain import FinalState
from tradezone.protocol.errors import Code


@pytest.fixture
def do(script, deployed, opened):
    """Run a script that has to work; returns its JSON."""

    def run(*arguments, account=DEPLOYER):
        done = script(*arguments, account=account, deployment=deployed)
        assert done.status == 0, done.text
        return done.json

    return run


@pytest.fixture
def fails(script, deployed, opened):
    """Run a script that has to fail with exit status 1; returns its error and hint."""

    def run(*arguments, account=DEPLOYER):
        done = script(*arguments, account=account, deployment=deployed)
        assert done.status == 1, done.text
        return f"{done.json['error']} | {done.json['hint']}"

    return run


def finish(zone):
    """The sequencer takes what L1 says; its batch becomes final."""
    zone.take_messages()
    zone.run()
    zone.publish()
    poster = zone.poster(with_data=True)
    poster.post()
    poster.claim()
    zone.pass_time(601, 5)
    poster.finalize()


def test_an_owner_leaves_through_l1_alone(spare, do, fails, accounts, tmp_path, tool):
    """A maker whose order is open: cancel, then withdraw all, proved and paid, by nobody's leave."""
    maker = accounts[MAKER].address
    account, _ = spare.account_of(maker)
    index = do("force", "cancel", account, account=MAKER)["message"]
    spare.take_messages()
    spare.run()
    taken = do("force", "withdraw", account, "OKB", "all", account=MAKER)["message"]
    assert taken == index + 1
    assert "waits" in do("force", "show", taken, account=None)["state"]
    assert "not answered" in fails("force", "prove", taken, "--data", spare.directory)
    finish(spare)
    assert spare.balance(maker, 1) == 0

    state = FinalState.replay(spare.reader, spare.directory)
    paid = [w for w in state.withdrawals() if w.recipient == maker][-1]
    assert paid.amount > 0
    made = do("force", "prove", taken, "--data", spare.directory, account=STRANGER)
    assert (made["message"], made["status"], made["amount"]) == (taken, "OK", paid.amount)
    assert do("force", "show", taken, account=None)["state"] == "done"
    assert "AlreadyAnswered" in fails("force", "prove", taken, "--data", spare.directory)

    proof = tmp_path / "proof.json"
    where = ["--rpc", spare.rpc.url, "--chain", spare.deployment.address("chain")]
    done = tool("prove", "forced", *where, "--data", spare.directory, "--index", index)
    assert done.status == 0, done.text
    proof.write_text(json.dumps(done.json))
    assert do("force", "prove", "--proof", proof)["message"] == index

    before = accounts[MAKER].balance
    do("force", "collect", maker, account=STRANGER)
    assert accounts[MAKER].balance == before + 2 * 5 * 10**16
    before = accounts[MAKER].balance
    do("withdraw", "submit", paid.id, "--data", spare.directory, account=STRANGER)
    assert accounts[MAKER].balance == before + paid.amount * 10**9


def test_a_relayer_pays_and_a_refusal_keeps_its_bond(spare, do, fails, script, deployed, accounts):
    taker = accounts[TAKER]
    account, _ = spare.account_of(taker.address)
    operation = ["force", "close", account, 1, 9]
    named = [*operation, "--for", taker.address]
    shown = script(*named, "--typed-data", account=STRANGER, deployment=deployed)
    data = shown.json
    signature = taker.sign_message(encode_typed_data(full_message=data)).encode_rsv().hex()
    signed = ["--deadline", data["message"]["deadline"], "--signature", "0x" + signature]
    wrong = [named[0], named[1], account, 1, 8, "--for", taker.address, *signed]
    assert "BadSignature" in fails(*wrong, account=STRANGER)
    assert "--signature and --deadline together" in fails(*named, account=STRANGER)
    index = do(*named, *signed, account=STRANGER)["message"]
    assert "BadSignature" in fails(*named, *signed, account=STRANGER)  # it counts once
    assert do("force", "show", index, account=None)["payer"] == accounts[STRANGER].address
    finish(spare)
    made = do("force", "prove", index, "--data", spare.directory)
    assert made["status"] == Code.NOTHING_TO_REDUCE.name
    assert "NothingOwed" in fails("force", "collect", account=STRANGER)
    assert "refused" in do("force", "show", index, account=None)["state"]


def test_keys_and_redirects_come_through_l1_too(spare, do, fails, accounts):
    taker, other = accounts[TAKER].address, accounts[STRANGER].address
    expires = spare.clock.time_ms + 10**9
    do("force", "approve-key", other, "--expires", expires, "--name", "bot", account=TAKER)
    do("force", "redirect", other, account=TAKER)
    spare.take_messages()
    spare.run()
    owner = spare.owner_id(taker)
    tables = spare.sequencer.engine.tables
    key = int(tables["owner"][owner]["first_key"])
    name = int(tables["key"][key]["generation"]) << 32 | key
    assert int(tables["owner"][owner]["key_count"]) == 2
    do("force", "revoke-key", name, account=TAKER)
    spare.take_messages()
    spare.run()
    assert int(tables["owner"][owner]["key_count"]) == 1
    assert "NotAnOwner" in fails("force", "revoke-key", 1, account=9)
    assert "longer than 8" in fails(
        "force", "approve-key", other, "--expires", expires, "--name", "nine char"
    )
    assert "no forced operation" in fails("force", "show", 1, account=None)
