"""A stranger with the published files and L1's word finds the same roots, and every way to cheat."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from sequencer_zone import (
    CONFIG,
    KEYS,
    SEPARATOR,
    SEQUENCER_KEY,
    START,
    build_inbox,
    build_signers,
    build_stream,
)

from tradezone.engine import Engine
from tradezone.engine.signatures import join_leaves, recover_signers
from tradezone.protocol.actions import Envelope, block_mark, inbox_mark
from tradezone.protocol.batches import GENESIS_PARENT, Header
from tradezone.protocol.messages import next_prefix
from tradezone.sequencer import (
    BatchBuilder,
    BatchLimits,
    ManualClock,
    MemoryJournal,
    Sequencer,
    read_published,
)
from tradezone.state.inputs_tree import InputsTree
from tradezone.verifier import BatchFile, Claim, MemoryChain, replay, verify


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    directory = tmp_path_factory.mktemp("batches")
    builder = BatchBuilder(directory, limits=BatchLimits(blocks=8))
    sequencer = Sequencer(
        CONFIG, Engine(), MemoryJournal(), SEQUENCER_KEY, clock=ManualClock(START), batches=builder
    )
    inbox = build_inbox()
    sequencer.offer_messages(inbox[:12])
    sequencer.close_block()
    sequencer.offer_messages(inbox[12:])
    for leaf in build_stream(50):
        sequencer.clock.advance(1)
        sequencer.admit_and_submit([leaf])
        sequencer.close_block()
    sequencer.publish_batch()
    batches = read_published(directory)
    headers = [batch.header for batch in batches]
    claims = [
        Claim(bytes([b.header.number]) * 32, b.header.number, b.state_root, "somebody")
        for b in batches
    ]
    return directory, headers, inbox, claims


def check(directory, headers, inbox, claims, **options):
    chain = MemoryChain(headers, inbox, claims)
    return verify(directory, chain, chain, chain, SEPARATOR, **options)


def test_an_honest_zone_checks_out(published):
    _, headers, _, claims = published
    seen = []
    report = check(*published, progress=lambda r: seen.append(r.last_batch))
    assert report.is_ok
    assert report.first_fault is None
    assert (report.batches, report.last_batch, report.claims) == (7, 7, 7)
    assert (report.leaves, report.signatures) == (sum(h.count for h in headers), 50)
    assert report.last_block == 51
    assert report.root == "0x" + claims[-1].state_root.hex()
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert json.loads(json.dumps(report.to_json()))["is_ok"] is True


def test_the_genesis_claim_is_checked_too(published):
    directory, _, inbox, _ = published
    genesis = Engine().commit_root()
    assert check(directory, [], inbox, [Claim(bytes(32), 0, genesis)]).is_ok
    assert not check(directory, [], inbox, [Claim(bytes(32), 0, bytes(32))]).is_ok


def test_replay_in_small_runs_finds_the_same(published, monkeypatch):
    monkeypatch.setattr(replay, "_RUN_LEAVES", 3)
    assert check(*published).is_ok


def test_replay_may_begin_behind_a_checked_state(published, tmp_path):
    directory, headers, inbox, claims = published
    engine = Engine()
    chain = MemoryChain(headers[:3], inbox, [])
    assert verify(directory, chain, chain, chain, SEPARATOR, engine=engine).is_ok
    report = check(directory, headers, inbox, claims, engine=engine, first_batch=4)
    assert report.is_ok
    assert (report.batches, report.last_batch) == (4, 7)


def test_a_wrong_claim_is_found_and_replay_goes_on(published):
    directory, headers, inbox, claims = published
    wrong = replace(claims[2], id=b"\xaa" * 32, state_root=b"\x01" * 32, asserter="liar")
    report = check(directory, headers, inbox, [*claims, wrong])
    assert not report.is_ok
    assert report.last_batch == 7
    (found,) = report.wrong_claims
    assert (found.batch, found.asserter, found.claimed) == (3, "liar", "0x" + "01" * 32)
    assert found.root == "0x" + claims[2].state_root.hex()
    dead = replace(wrong, status="dead")
    report = check(directory, headers, inbox, [*claims, dead])
    assert report.is_ok
    assert len(report.wrong_claims) == 1


def stops_at(report, batch, check_name, text):
    fault = report.first_fault
    assert (fault.batch, fault.check, fault.is_fatal) == (batch, check_name, True), fault
    assert text in fault.text, fault.text
    assert report.last_batch == batch - 1
    assert not report.is_ok


def test_a_batch_that_nobody_serves_is_a_fault(published, tmp_path):
    directory, headers, inbox, claims = published
    shutil.copytree(directory, tmp_path / "b")
    (tmp_path / "b" / "3.batch").unlink()
    stops_at(check(tmp_path / "b", headers, inbox, claims), 3, "data", "3.batch is not in b")


@pytest.mark.parametrize("how", ["bit", "cut", "leaf", "order", "less"])
def test_a_file_that_is_not_what_was_committed_is_a_fault(published, tmp_path, how):
    directory, headers, inbox, claims = published
    shutil.copytree(directory, tmp_path / "b")
    path = tmp_path / "b" / "2.batch"
    raw = path.read_bytes()
    file = BatchFile.from_bytes(raw)
    leaves = file.leaves
    if how == "bit":
        path.write_bytes(raw[:900] + bytes([raw[900] ^ 1]) + raw[901:])
    elif how == "cut":
        path.write_bytes(raw[:-1])
    else:
        if how == "leaf":
            leaves[3] = leaves[3][:-1] + bytes([leaves[3][-1] ^ 7])
        elif how == "order":
            leaves[2], leaves[4] = leaves[4], leaves[2]
        else:
            leaves.pop()
        sizes = np.array([len(leaf) for leaf in leaves], np.int64)
        path.write_bytes(BatchFile(file.header, b"".join(leaves), sizes).to_bytes())
    name = "inputs_root" if how in ("leaf", "order") else "data"
    stops_at(check(tmp_path / "b", headers, inbox, claims), 2, name, "")


def test_a_missing_or_changed_message_is_a_fault(published):
    directory, headers, inbox, claims = published
    stops_at(check(directory, headers, inbox[:11], claims), 1, "inbox", "L1 has 11 of the messages")
    changed = [*inbox[:3], inbox[3][:-1] + b"\x02", *inbox[4:]]
    stops_at(check(directory, headers, changed, claims), 1, "inbox", "prefix hash is")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"first_seq": 99}, "first seq is 99"),
        ({"parent": bytes(32)}, "does not follow header 1"),
        ({"number": 3}, "does not follow header 1"),
        ({"epoch": 0}, "went back"),
    ],
)
def test_headers_that_do_not_chain_are_a_fault(published, change, text):
    directory, headers, inbox, claims = published
    changed = replace(headers[1], **change)
    number = changed.number
    report = check(directory, [headers[0], changed], inbox, claims)
    fault = report.first_fault
    assert (fault.batch, fault.check, fault.is_fatal) == (number, "header", True)
    assert text in fault.text


def test_a_first_header_with_a_parent_is_a_fault(published):
    directory, headers, inbox, claims = published
    changed = replace(headers[0], parent=b"\1" * 32)
    assert "has a parent" in check(directory, [changed], inbox, claims).first_fault.text


# --- a dishonest sequencer: what it commits is executed by the rules, and named ---------------------


def commit(directory, leaves, inbox, consumed, **changes):
    """Write leaves as batch 1 and return its header, whatever they are."""
    prefix = bytes(32)
    for message in inbox[:consumed]:
        prefix = next_prefix(prefix, message)
    root = InputsTree.from_leaves(1, leaves).root
    values = {"first_block": 1, "blocks": 1, "start_time": START, "end_time": START} | changes
    header = Header(1, 1, GENESIS_PARENT, root, 1, len(leaves), consumed, prefix, **values)
    sizes = np.array([len(leaf) for leaf in leaves], np.int64)
    (directory / "1.batch").write_bytes(BatchFile(header, b"".join(leaves), sizes).to_bytes())
    return header


def execute(header, leaves, inbox):
    engine = Engine()
    buffer, offsets = join_leaves(leaves)
    signers = recover_signers(buffer, offsets, SEPARATOR)
    messages = inbox[: header.inbox_index]
    engine.execute_run(buffer, offsets, signers, messages, header, is_batch_end=True)
    return engine.commit_root()


def check_commit(directory, leaves, consumed, **changes):
    inbox = build_inbox()
    header = commit(directory, leaves, inbox, consumed, **changes)
    claim = Claim(bytes(32), 1, execute(header, leaves, inbox))
    return check(directory, [header], inbox, [claim])


def forge(leaf, key):
    envelope = Envelope.from_leaf(leaf)
    return key.sign(envelope, SEPARATOR).to_leaf()


def test_leaves_that_nobody_may_number_are_named_with_their_seq(tmp_path):
    inbox = build_inbox()
    good = build_signers(lambda: START + 1)[2].noop()
    unsigned = good[:-1] + b"\0"
    leaves = [
        block_mark(1, START),
        inbox_mark(len(inbox)),
        good,
        unsigned,
        forge(good, KEYS[2]),
        b"junk",
        block_mark(7, START),
    ]
    report = check_commit(tmp_path, leaves, len(inbox))
    assert not report.wrong_claims  # by the rules they are no-ops, and the root is the root
    found = [(f.check, f.seq, f.text.split()[4].rstrip(",")) for f in report.faults]
    assert found == [
        ("leaf", 4, "BAD_SIGNATURE"),
        ("leaf", 5, "BAD_SIGNATURE"),
        ("leaf", 6, "MALFORMED"),
        ("leaf", 7, "UNEXPECTED_LEAF"),
    ]
    assert not any(fault.is_fatal for fault in report.faults)


def test_messages_without_a_mark_are_consumed_all_the_same(tmp_path):
    inbox = build_inbox()
    assert check_commit(tmp_path, [block_mark(1, START)], len(inbox)).is_ok


def test_many_inbox_marks_are_replayed_in_runs(tmp_path, monkeypatch):
    inbox = build_inbox()
    leaves = []
    for n in range(1, len(inbox) + 1):
        leaves += [block_mark(n, START), inbox_mark(n)]
    header = commit(tmp_path, leaves, inbox, len(inbox), blocks=len(inbox))
    claim = Claim(bytes(32), 1, execute(header, leaves, inbox))
    monkeypatch.setattr(replay, "_RUN_MARKS", 2)
    monkeypatch.setattr(replay, "MAX_RUN_MESSAGES", 3)
    assert check(tmp_path, [header], inbox, [claim]).is_ok


def test_a_header_that_says_more_than_its_leaves_is_a_fault(tmp_path):
    report = check_commit(tmp_path, [block_mark(1, START)], 0, blocks=3, end_time=START + 9)
    (fault,) = report.faults
    assert (fault.check, fault.is_fatal) == ("header", False)
    assert "blocks from 1, 3 of them" in fault.text
    assert "blocks from 1, 1," in fault.text


def test_many_leaves_without_a_block_are_replayed_in_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(replay, "_RUN_LEAVES", 500)
    leaves = [block_mark(1, START), *[b"junk"] * 2_500]
    report = check_commit(tmp_path, leaves, 0)
    assert report.fault_count == 2_500
    assert len(report.faults) == 100
    assert report.faults[0].seq == 2
    assert not report.wrong_claims


def test_faults_of_one_zone_are_not_those_of_another(published):
    directory, headers, inbox, claims = published
    chain = MemoryChain(headers, inbox, claims)
    report = verify(directory, chain, chain, chain, bytes(32))
    assert report.fault_count == 50  # every signature is of another domain
    assert len(report.wrong_claims) == 7
