"""A zone's life: deployed and opened by scripts, traded, posted, claimed, final, and left with a proof."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.e2e.conftest import ASSERTER, MAKER, STRANGER, TAKER
from tradezone.chain import (
    DivergedError,
    FinalState,
    NodeSender,
    ReorgError,
)
from tradezone.chain.abi import ERC20
from tradezone.engine import Engine


@pytest.fixture
def verify(zone, tool):
    def run(data=None, *, chain=None):
        data = ["--data", data or zone.directory]
        return tool(
            *["verify", "--json", "--rpc", zone.rpc.url],
            *["--chain", chain or zone.reader.chain.address, *data],
        )

    return run


def submit(script, zone, deployed, *ids, account=STRANGER):
    return script(
        "withdraw",
        "submit",
        *ids,
        "--data",
        zone.directory,
        account=account,
        deployment=deployed,
    )


# --- leaving -----------------------------------------------------------------------------------------


def test_what_was_traded_is_what_the_fees_leave(zone, accounts):
    # 4 + 1 bought at 50.25; fees of 0.05 % and 0.02 % are paid in USDT.
    spent = 5 * 50_250_000 + 4 * 25_125 + 25_125
    assert zone.balance(accounts[TAKER].address, 2) == 5_000_000_000 - spent
    assert zone.balance(accounts[TAKER].address, 1) == 2_500_000_000
    assert zone.balance(accounts[MAKER].address, 1) == 90_000_000_000


def test_a_withdrawal_is_paid_in_tokens_by_anyone_once(zone, script, deployed, opened, accounts):
    token = zone.rpc.at(ERC20, opened)
    before = token.call("balanceOf", accounts[MAKER].address)
    listed = script("withdraw", "list", "--data", zone.directory, deployment=deployed).json
    assert [(row["id"], row["state"]) for row in listed] == [
        (1, "to be submitted"),
        (2, "to be submitted"),
    ]
    mine = next(row["id"] for row in listed if row["recipient"] == accounts[MAKER].address)
    done = submit(script, zone, deployed, mine)
    assert done.status == 0, done.text
    assert token.call("balanceOf", accounts[MAKER].address) - before == 150_000_000
    again = submit(script, zone, deployed, mine)
    assert again.status == 1
    assert f"withdrawal {mine} was paid already" in again.text


def test_several_withdrawals_go_in_one_transaction(zone, script, deployed, opened, accounts):
    before = accounts[TAKER].balance
    done = submit(script, zone, deployed, 1, 2)
    assert done.json["paid"] == "1, 2"
    assert accounts[TAKER].balance - before == 2_500_000_000 * 10**9
    listed = script("withdraw", "list", "--all", deployment=deployed).json
    assert {row["state"] for row in listed} == {"paid"}


def test_l1_alone_is_enough_where_batches_were_posted_with_their_data(zone, script, deployed):
    listed = script("withdraw", "list", deployment=deployed)
    assert listed.status == 0, listed.text
    assert len(listed.json) == 2


def test_a_proof_made_by_the_tool_is_taken_by_the_script(
    zone, tool, script, deployed, opened, accounts, tmp_path
):
    place = ["--rpc", zone.rpc.url, "--chain", zone.reader.chain.address]
    proof = tool("prove", "withdrawal", *place, "--data", zone.directory, "--id", "2")
    assert proof.status == 0, proof.text
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(proof.json))
    done = script("withdraw", "submit", "--proof", path, account=STRANGER, deployment=deployed)
    assert done.json["paid"] == "2"
    changed = proof.json | {"words": proof.json["words"][::-1]}
    path.write_text(json.dumps(changed))
    refused = script("withdraw", "submit", "--proof", path, account=STRANGER, deployment=deployed)
    assert refused.status == 1
    assert "the contract refuses" in refused.text


def test_an_id_that_is_not_there_names_those_that_are(zone, tool):
    place = ["--rpc", zone.rpc.url, "--chain", zone.reader.chain.address]
    done = tool("prove", "withdrawal", *place, "--data", zone.directory, "--id", "9")
    assert done.status == 1
    assert (
        "withdrawal 9 is not in the state after batch 3, which holds outbox ids 1 to 2" in done.text
    )


# --- verifying ---------------------------------------------------------------------------------------


def test_a_stranger_gets_the_same_roots(zone, verify):
    done = verify()
    assert done.status == 0, done.text
    report = done.json["report"]
    assert done.json["ok"] is True
    assert (report["batches"], report["claims"]) == (3, 4)
    assert report["root"] == "0x" + zone.reader.latest_final().state_root.hex()


def test_people_get_a_short_answer(zone, tool):
    done = tool("verify", "--rpc", zone.rpc.url, "--chain", zone.reader.chain.address)
    assert done.status == 0, done.text
    assert "ok: every claimed root is the root" in done.text


def test_a_changed_batch_file_is_found(zone, verify, tmp_path):
    folder = tmp_path / "batches"
    shutil.copytree(zone.directory / "batches", folder)
    data = bytearray((folder / "2.batch").read_bytes())
    data[-40] ^= 1
    (folder / "2.batch").write_bytes(bytes(data))
    done = verify(folder)
    assert done.status == 1
    assert done.json["report"]["last_batch"] == 1
    assert "2.batch" in done.json["report"]["faults"][0]["text"]


def test_a_missing_batch_file_is_named(zone, verify, tmp_path):
    folder = tmp_path / "batches"
    shutil.copytree(zone.directory / "batches", folder)
    (folder / "3.batch").unlink()
    done = verify(folder)
    assert done.status == 1
    assert "3.batch" in done.json["report"]["faults"][0]["text"]


def test_a_wrong_claim_is_found_and_rivalled(spare, verify, accounts):
    """Batch 4 gets a lie first; the honest poster claims beside it, and nobody finalizes the lie."""
    liar = NodeSender(spare.rpc, accounts[ASSERTER].address)
    chain = spare.reader.chain
    final = spare.reader.latest_final()
    chain.transact(liar, "postBond", value=chain.call("bond"))
    spare.take_messages()
    spare.run()
    batch = spare.publish()
    spare.poster(with_data=True).post()
    chain.transact(liar, "claim", final.id, batch.number, batch.header.hash(), b"\1" * 32)
    done = verify(spare.directory)
    assert done.status == 1
    (wrong,) = done.json["report"]["wrong_claims"]
    assert (wrong["claimed"], wrong["asserter"]) == ("0x" + "01" * 32, accounts[ASSERTER].address)
    with pytest.raises(DivergedError, match="claim ours beside it"):
        spare.poster().finalize()
    (made,) = spare.poster().claim()
    assert made.children == 2
    spare.pass_time(601, 5)
    assert spare.poster().finalize() == []
    assert verify(spare.directory).status == 1


def test_a_sequencer_that_lost_its_cursor_or_died_goes_on(spare, accounts):
    (spare.directory / "inbox.json").unlink(missing_ok=True)
    spare.restart()
    assert [m[0] for m in spare.take_messages()] == [3, 3, 3]  # the heartbeats of three commits
    spare.run()
    spare.restart()
    assert spare.take_messages() == []
    spare.publish()
    poster = spare.poster()
    assert [posted.first for posted in poster.post()] == [4]
    assert [made.batch for made in poster.claim()] == [4]
    assert poster.post() == poster.claim() == []


def test_a_message_that_l1_took_back_stops_the_zone(spare, script, deployed):
    spare.take_messages()
    snapshot = spare.rpc.request("evm_snapshot")
    script("deposit", "native", "1", account=STRANGER, deployment=deployed)
    assert len(spare.take_messages()) > 0
    spare.rpc.request("evm_revert", snapshot)
    spare.rpc.request("anvil_mine", "0x3")
    with pytest.raises(ReorgError, match="no longer the same"):
        spare.watcher.poll()


def test_the_state_behind_a_wrong_claim_is_not_proven_against(zone):
    claim = zone.reader.latest_final()
    lie = type(claim)(
        **{n: getattr(claim, n) for n in claim.__slots__} | {"state_root": b"\1" * 32}
    )
    with pytest.raises(DivergedError, match="its inputs lead to"):
        FinalState.replay(zone.reader, zone.directory, lie)


def test_an_address_that_is_no_zone_is_said(zone, tool):
    done = tool("verify", "--rpc", zone.rpc.url, "--chain", "0x" + "11" * 20)
    assert done.status == 1
    assert f"no contract is at 0x{'11' * 20}" in done.text
    done = tool("verify", "--rpc", zone.rpc.url, "--chain", zone.deployment.address("inbox"))
    assert done.status == 1
    assert done.text.startswith("error: ")


def test_the_genesis_of_the_package_is_the_zones(zone):
    assert zone.reader.genesis_root() == Engine().commit_root()


def test_a_commit_is_judged_by_the_next_blocks_time_not_by_the_last_ones(spare):
    """A quiet chain has an old newest block; zone time may be ahead of it, but not of L1's clock."""
    spare.rpc.request("evm_increaseTime", 30)  # without a block
    spare.take_messages()
    spare.clock.time_ms = spare.l1_time + 20_000
    spare.sequencer.close_until_idle(spare.clock.time_ms)
    spare.publish()
    assert spare.rpc.head().time * 1000 < spare.sequencer.time
    assert len(spare.poster().post()) == 1
