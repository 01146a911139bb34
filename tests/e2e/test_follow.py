"""Staying at the head: each claim is compared when it is made; and proofs of records that a contract takes."""

from __future__ import annotations

import shutil

from tests.e2e.conftest import MAKER, STRANGER
from tradezone.chain import ChainReader, Follower, NodeSender
from tradezone.protocol.hashing import keccak


def move_on(spare):
    """Bring one more batch to L1."""
    spare.pass_time(5)
    spare.take_messages()
    spare.run()
    spare.publish()
    spare.poster(with_data=True).post()


def claim(zone, account, batch, root):
    """Claim a root on the batch behind the last final claim."""
    sender = NodeSender(zone.rpc, account.address)
    chain = zone.reader.chain
    chain.transact(sender, "postBond", value=chain.call("bond"))
    parent, header_hash = chain.call("latestFinal"), chain.call("headerHashOf", batch)
    chain.transact(sender, "claim", parent, batch, header_hash, root)


def test_a_follower_compares_each_claim_once_when_it_is_made(zone, spare, accounts):
    follower = Follower(ChainReader(zone.rpc, zone.reader.chain.address), spare.directory)
    assert [found.is_equal for found in follower.poll()] == [True] * 4
    assert list(follower.poll()) == []
    move_on(spare)
    assert list(follower.poll()) == []
    assert (follower.last, follower.fault, follower.faults) == (4, None, [])
    claim(zone, accounts[STRANGER], 4, keccak(b"a lie"))
    (found,) = follower.poll()
    assert not found.is_equal
    assert (found.claim.batch, found.claim.asserter) == (4, accounts[STRANGER].address)
    spare.poster().claim()
    (found,) = follower.poll()
    assert found.is_equal
    assert list(follower.poll()) == []


def test_a_file_that_is_late_is_waited_for(zone, spare, tmp_path):
    folder = tmp_path / "mirror"
    shutil.copytree(spare.directory / "batches", folder)
    follower = Follower(ChainReader(zone.rpc, zone.reader.chain.address), folder)
    assert len(list(follower.poll())) == 4
    move_on(spare)
    assert list(follower.poll()) == []
    assert (follower.last, follower.fault.check) == (3, "data")
    shutil.copy(spare.directory / "batches" / "4.batch", folder)
    assert list(follower.poll()) == []
    assert (follower.last, follower.fault) == (4, None)


def test_a_follower_needs_no_files_where_l1_has_the_leaves(zone):
    follower = Follower(ChainReader(zone.rpc, zone.reader.chain.address), None)
    assert [found.is_equal for found in follower.poll()] == [True] * 4


def test_the_command_stops_at_the_first_wrong_claim(zone, spare, tool, accounts):
    move_on(spare)
    claim(zone, accounts[STRANGER], 4, keccak(b"a lie"))
    place = ["--rpc", zone.rpc.url, "--chain", zone.reader.chain.address]
    done = tool("verify", *place, "--data", spare.directory, "--follow", "0.1")
    assert done.status == 1
    lines = done.text.strip().splitlines()
    assert [line.split(":")[0] for line in lines] == ["equal"] * 4 + ["wrong"]
    assert lines[-1] == "wrong: open claim on batch 4"


# --- proofs of records


def test_a_balance_is_proved_to_a_contract(zone, tool, project, accounts):
    account, _ = zone.account_of(accounts[MAKER].address)
    place = ["--rpc", zone.rpc.url, "--chain", zone.reader.chain.address]
    done = tool(
        *["prove", "balance", *place, "--data", zone.directory],
        *["--account", str(account), "--asset", "2"],
    )
    assert done.status == 0, done.text
    proof = done.json
    assert proof["state_root"] == "0x" + zone.reader.latest_final().state_root.hex()
    owner = zone.owner_id(accounts[MAKER].address)
    assert (proof["record"]["owner"], proof["record"]["asset"]) == (str(owner), "2")
    harness = accounts[0].deploy(project.RecordTreeHarness)
    arguments = [proof["type"], proof["slot"], proof["words"], proof["siblings"]]
    harness.verifyRecord(proof["state_root"], *arguments)
    refused = tool(*["prove", "balance", *place, "--account", str(account), "--asset", "99"])
    assert refused.status == 1
    assert f"no balance of account {account}, asset 99" in refused.text


def test_an_open_order_is_proved_and_one_that_left_is_not(zone, tool):
    orders = zone.sequencer.engine.tables["order"][:100]
    (slot,) = orders["state"].nonzero()[0][:1]
    number = int(orders[slot]["generation"]) << 32 | int(slot)
    place = ["--rpc", zone.rpc.url, "--chain", zone.reader.chain.address]
    place += ["--data", zone.directory]
    done = tool("prove", "order", *place, "--id", str(number))
    assert done.status == 0, done.text
    assert done.json["record"]["lots"] == str(int(orders[slot]["lots"]))
    gone = tool("prove", "order", *place, "--id", str(number + (1 << 32)))
    assert gone.status == 1
    assert "no order" in gone.text
