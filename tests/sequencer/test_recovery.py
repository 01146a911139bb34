"""Recovery: the same state after any crash, and a clear word when what is on disk does not fit."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sequencer_zone import CONFIG, SEPARATOR, SEQUENCER_KEY, START, build_inbox, build_stream

from tradezone.client import PrivateKey
from tradezone.engine import Engine
from tradezone.protocol.hashing import keccak
from tradezone.protocol.messages import NO_PREFIX, next_prefix
from tradezone.sequencer import (
    BatchError,
    BatchLimits,
    FileJournal,
    JournalCorruptError,
    JournalError,
    JournalLockedError,
    ManualClock,
    RecoveryError,
    SequencerError,
    read_published,
    recover,
    save_snapshot,
)

LIMITS = BatchLimits(blocks=10)
STREAM = build_stream(60)


def open_zone(directory, **options):
    options = {"limits": LIMITS, "clock": ManualClock(START), "segment_bytes": 6_000} | options
    return recover(
        directory, options.pop("config", CONFIG), options.pop("key", SEQUENCER_KEY), **options
    )


def run(sequencer, leaves):
    """Two leaves a block, 1 ms a block; the stream's place is read from the state."""
    heads = []
    if sequencer.block == 0:
        sequencer.offer_messages(build_inbox())
        sequencer.close_block(START)
    for at in range(0, len(leaves), 2):
        time = START + 1 + (at // 2)
        if time <= sequencer.time:
            continue
        sequencer.admit_and_submit(leaves[at : at + 2], time)
        heads.append(sequencer.close_block(time).receipts.block_head)
    return heads


def run_and_close(directory, leaves=STREAM, publish=True):
    sequencer = open_zone(directory).sequencer
    run(sequencer, leaves)
    if publish:
        sequencer.publish_batch()
    found = (sequencer.engine.commit_root(), sequencer.head, sequencer.next_seq)
    sequencer.close()
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Directory of a whole run, and what it ended with."""
    directory = tmp_path_factory.mktemp("whole")
    return directory, run_and_close(directory)


def read_batches(directory):
    return {p.name: p.read_bytes() for p in sorted((directory / "batches").iterdir())}


def check_same(directory, expected, **options):
    recovered = open_zone(directory, **options)
    sequencer = recovered.sequencer
    assert (sequencer.engine.commit_root(), sequencer.head, sequencer.next_seq) == expected
    sequencer.close()
    return recovered.report


def test_a_new_directory_is_a_new_zone(tmp_path):
    recovered = open_zone(tmp_path / "zone")
    assert recovered.report.last_block == 0
    assert recovered.report.next_seq == 1
    recovered.sequencer.close()


def test_a_root_committed_piece_by_piece_is_the_root_of_the_recovered_state(whole):
    sequencer = open_zone(whole[0]).sequencer
    assert sequencer.engine.rebuild_root() == whole[1][0]
    sequencer.close()


def test_recovery_ends_where_the_run_ended(whole):
    directory, expected = whole
    report = check_same(directory, expected)
    assert (report.snapshot_block, report.replayed_blocks, report.last_block) == (0, 31, 31)
    assert (report.batches, report.open_blocks, report.torn_bytes) == (4, 0, 0)
    before = read_batches(directory)
    check_same(directory, expected)
    assert read_batches(directory) == before


def test_recovery_goes_on_with_the_same_heads_and_roots(whole, tmp_path):
    directory, expected = whole
    for cut in (0, 1, 7, 20, 59):
        zone = tmp_path / str(cut)
        sequencer = open_zone(zone).sequencer
        run(sequencer, STREAM[:cut])
        sequencer.close()
        sequencer = open_zone(zone).sequencer
        # an odd cut left a block with one leaf: from there the history is another one
        run(sequencer, STREAM)
        sequencer.publish_batch()
        found = (sequencer.engine.commit_root(), sequencer.head, sequencer.next_seq)
        assert (found == expected) is (cut % 2 == 0)
        if cut % 2 == 0:
            assert read_batches(zone) == read_batches(directory)
        sequencer.close()


def test_open_blocks_are_rebuilt_and_published(tmp_path, whole):
    zone = tmp_path / "zone"
    run_and_close(zone, publish=False)
    recovered = open_zone(zone)
    assert (recovered.report.batches, recovered.report.open_blocks) == (3, 1)
    recovered.sequencer.publish_batch()
    assert read_batches(zone) == read_batches(whole[0])
    recovered.sequencer.close()


@pytest.mark.parametrize(
    "lose",
    [
        ["4.json"],
        ["4.batch", "4.json"],
        ["1.json", "2.json", "3.json", "4.json"],
        ["2.batch"],
        ["3.batch", "3.json", "4.batch", "4.json"],
    ],
    ids=str,
)
def test_lost_batch_files_are_made_again_byte_for_byte(tmp_path, whole, lose):
    directory, expected = whole
    zone = tmp_path / "zone"
    shutil.copytree(directory, zone)
    for name in lose:
        (zone / "batches" / name).unlink()
    (zone / "batches" / "5.batch.partial").write_bytes(b"torn")
    sequencer = open_zone(zone).sequencer
    sequencer.publish_due()
    sequencer.publish_batch()
    assert sequencer.engine.commit_root() == expected[0]
    sequencer.close()
    (zone / "batches" / "5.batch.partial").unlink()
    assert read_batches(zone) == read_batches(directory)


def test_a_crash_between_batch_file_and_description_is_repaired_with_the_same_root(tmp_path, whole):
    directory, _ = whole
    zone = tmp_path / "zone"
    shutil.copytree(directory, zone)
    (zone / "batches" / "4.json").unlink()
    check_same(zone, whole[1])
    assert read_batches(zone) == read_batches(directory)


# --- snapshots --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_snapshots(tmp_path_factory):
    directory = tmp_path_factory.mktemp("snapshots") / "zone"
    sequencer = open_zone(directory).sequencer
    for part in (20, 40, 60):
        run(sequencer, STREAM[:part])
        sequencer.publish_batch()
        save_snapshot(sequencer, directory)
        if part == 40:
            middle = sequencer.block
    run(sequencer, build_stream(10, seed=9, now=lambda: START + 40))
    sequencer.close()
    sequencer = open_zone(directory).sequencer
    for leaf in build_stream(8, seed=9, now=lambda: START + 5_000):
        sequencer.clock.time_ms = max(sequencer.clock.time_ms, START + 100) + 1
        sequencer.admit_and_submit([leaf])
        sequencer.close_block()
    expected = (sequencer.engine.commit_root(), sequencer.head, sequencer.next_seq)
    sequencer.close()
    return directory, expected, middle


def test_recovery_begins_at_the_newest_snapshot(with_snapshots):
    directory, expected, _ = with_snapshots
    report = check_same(directory, expected)
    assert (report.snapshot_block, report.replayed_blocks, report.open_blocks) == (31, 8, 8)
    names = sorted(path.name for path in (directory / "snapshots").iterdir())
    assert names == ["21.json", "21.snapshot", "31.json", "31.snapshot"]


@pytest.mark.parametrize("damage", ["file", "meta", "root", "missing"])
def test_a_damaged_snapshot_is_passed_over(tmp_path, with_snapshots, damage):
    directory, expected, middle = with_snapshots
    zone = tmp_path / "zone"
    shutil.copytree(directory, zone)
    path = zone / "snapshots" / "31.snapshot"
    meta = path.with_suffix(".json")
    if damage == "file":
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)
    elif damage == "meta":
        meta.write_text("{}")
    elif damage == "root":
        meta.write_text(json.dumps(json.loads(meta.read_text()) | {"state_root": "00" * 32}))
    else:
        path.unlink()
    assert check_same(zone, expected).snapshot_block == middle


def test_without_snapshots_everything_is_replayed(tmp_path, with_snapshots):
    directory, expected, _ = with_snapshots
    zone = tmp_path / "zone"
    shutil.copytree(directory, zone)
    shutil.rmtree(zone / "snapshots")
    report = check_same(zone, expected)
    assert (report.snapshot_block, report.replayed_blocks) == (0, 39)


def test_segments_before_the_snapshot_may_be_archived(tmp_path, with_snapshots):
    directory, expected, _ = with_snapshots
    zone = tmp_path / "zone"
    shutil.copytree(directory, zone)
    first = min((zone / "journal").glob("*.journal"))
    first.unlink()
    check_same(zone, expected)
    shutil.rmtree(zone / "snapshots")
    with pytest.raises(JournalError, match="the journal begins at block"):
        open_zone(zone)


def test_a_snapshot_is_only_taken_where_a_batch_ends(tmp_path):
    sequencer = open_zone(tmp_path / "zone").sequencer
    run(sequencer, STREAM[:2])
    with pytest.raises(SequencerError, match="blocks are open"):
        save_snapshot(sequencer, tmp_path / "zone")
    sequencer.close()


def test_a_snapshot_of_another_history_is_refused(tmp_path, with_snapshots):
    directory, _, _ = with_snapshots
    zone = tmp_path / "zone"
    shutil.copytree(directory, zone)
    meta = zone / "snapshots" / "31.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()) | {"frame": "11" * 32}))
    with pytest.raises(RecoveryError, match="does not follow the snapshot"):
        open_zone(zone)


def test_a_snapshot_with_another_inbox_prefix_than_its_batch_is_refused(tmp_path, with_snapshots):
    directory, _, _ = with_snapshots
    zone = tmp_path / "zone"
    shutil.copytree(directory, zone)
    meta = zone / "snapshots" / "31.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()) | {"inbox_prefix": "11" * 32}))
    with pytest.raises(RecoveryError, match="the snapshot stands at inbox message"):
        open_zone(zone)


def test_a_recovered_sequencer_goes_on_with_the_inbox_it_had(tmp_path, with_snapshots):
    inbox = build_inbox()
    more = inbox[-1][:1] + len(inbox).to_bytes(8, "big") + inbox[-1][9:]
    prefix = NO_PREFIX
    for message in inbox:
        prefix = next_prefix(prefix, message)
    expected = (len(inbox) + 1, next_prefix(prefix, more))
    for name in ("snapshot", "genesis"):
        zone = tmp_path / name
        shutil.copytree(with_snapshots[0], zone)
        if name == "genesis":
            shutil.rmtree(zone / "snapshots")
        sequencer = open_zone(zone).sequencer
        assert sequencer.inbox == (len(inbox), prefix)
        sequencer.offer_messages([more])
        head = sequencer.close_block(START + 10_000).receipts.block_head
        assert (head.inbox_index, head.inbox_hash) == expected
        assert head.recover_signer(SEPARATOR) == SEQUENCER_KEY.address
        assert sequencer.publish_batch().header.inbox_hash == expected[1]
        sequencer.close()
        sequencer = open_zone(zone).sequencer  # checks the signature of the last head
        assert sequencer.inbox == expected
        sequencer.close()


# --- what does not fit ------------------------------------------------------------------------------


@pytest.fixture
def zone(tmp_path, whole):
    shutil.copytree(whole[0], tmp_path / "zone")
    return tmp_path / "zone"


def last_segment(zone):
    return max((zone / "journal").glob("*.journal"))


def test_a_torn_last_block_is_cut_and_reported(zone, whole):
    path = last_segment(zone)
    path.write_bytes(path.read_bytes() + b"TZJF\0\1\0\0torn")
    assert check_same(zone, whole[1]).torn_bytes == 12


def test_a_journal_shorter_than_its_batches_is_refused(zone):
    path = last_segment(zone)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RecoveryError, match="batch 4 was published, the journal ends inside"):
        open_zone(zone)
    # Refusing changed nothing, not even the torn end.
    with pytest.raises(RecoveryError):
        open_zone(zone)


def test_missing_first_batches_are_named(zone):
    for name in ("1.batch", "1.json", "2.batch", "2.json"):
        (zone / "batches" / name).unlink()
    with pytest.raises(RecoveryError, match=r"batches 1 \.\. 2 are missing"):
        open_zone(zone)


def test_a_corrupt_block_is_named_and_nothing_is_changed(zone):
    path = sorted((zone / "journal").glob("*.journal"))[1]
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    before = {p: p.read_bytes() for p in zone.rglob("*") if p.is_file()}
    with pytest.raises(
        JournalCorruptError, match=r"segment 00000002\.journal, offset \d+, block \d+"
    ):
        open_zone(zone)
    assert before == {p: p.read_bytes() for p in zone.rglob("*") if p.is_file()}


def rewrite_journal(zone, change):
    """Write all frames again, chain and checksums right, with one record changed."""
    with FileJournal(zone / "journal", SEPARATOR) as journal:
        records = [frame.to_record() for frame in journal.read_frames()]
    shutil.rmtree(zone / "journal")
    with FileJournal.open(zone / "journal", SEPARATOR) as journal:
        for record in records:
            journal.append(change(record) if record.block == 5 else record)


@pytest.mark.parametrize(
    "change",
    [
        lambda r: replace(r, head=keccak(b"x")),
        lambda r: replace(r, received=[t + 1 for t in r.received]),
        lambda r: replace(
            r, leaves=[*r.leaves[:-1], r.leaves[-1][:-1] + bytes([r.leaves[-1][-1] ^ 7])]
        ),
    ],
    ids=["head", "received", "signature of a leaf"],
)
def test_a_block_that_executes_differently_is_named(zone, change):
    rewrite_journal(zone, change)
    with pytest.raises(RecoveryError, match="block 5: executed again its receipts end in"):
        open_zone(zone)


def test_a_block_that_goes_on_at_another_message_is_named(zone):
    rewrite_journal(zone, lambda r: replace(r, inbox=r.inbox + 1))
    with pytest.raises(RecoveryError, match="block 5 goes on at inbox message"):
        open_zone(zone)


def test_a_root_that_comes_out_differently_is_named(zone):
    path = zone / "batches" / "2.json"
    meta = json.loads(path.read_text())
    path.write_text(json.dumps(meta | {"state_root": "0x" + "22" * 32}))
    with pytest.raises(RecoveryError, match="batch 2: executed again the state root is"):
        open_zone(zone)


def test_a_batch_of_another_history_is_named(zone, tmp_path):
    run_and_close(tmp_path / "other", build_stream(60, seed=8))
    for name in ("2.batch", "2.json"):
        shutil.copy(tmp_path / "other" / "batches" / name, zone / "batches" / name)
    with pytest.raises(BatchError, match="batch 2 on disk differs from the journal in parent"):
        open_zone(zone)


def test_one_epoch_has_one_key(zone):
    with pytest.raises(RecoveryError, match="of this epoch was signed by 0x"):
        open_zone(zone, key=PrivateKey(b"\x99" * 32))


def test_the_next_epoch_goes_on_under_its_own_key(zone, whole):
    config = replace(CONFIG, epoch=2)
    key = PrivateKey(b"\x99" * 32)
    recovered = open_zone(zone, config=config, key=key)
    assert recovered.sequencer.engine.commit_root() == whole[1][0]
    leaf = build_stream(1, now=lambda: START + 900)[0]
    recovered.sequencer.admit_and_submit([leaf], START + 900)
    block = recovered.sequencer.close_block(START + 900)
    assert block.receipts.block_head.epoch == 2
    assert recovered.sequencer.publish_batch().header.epoch == 2
    recovered.sequencer.close()
    with pytest.raises(RecoveryError, match="a newer sequencer wrote here"):
        open_zone(zone)
    check = open_zone(zone, config=config, key=key)
    assert [b.header.epoch for b in read_published(zone / "batches")] == [1, 1, 1, 1, 2]
    check.sequencer.close()


def test_one_directory_has_one_sequencer(zone):
    sequencer = open_zone(zone).sequencer
    with pytest.raises(JournalLockedError):
        open_zone(zone)
    sequencer.close()


def test_a_failed_recovery_lets_go_of_the_directory(zone):
    with pytest.raises(RecoveryError):
        open_zone(zone, key=PrivateKey(b"\x99" * 32))
    open_zone(zone).sequencer.close()


def test_observers_see_every_replayed_event_once(zone, whole):
    live = []
    other = zone.with_name("other")
    sequencer = open_zone(other).sequencer
    sequencer.offer_messages(build_inbox())
    live.append(sequencer.close_block(START).events)
    for at in range(0, len(STREAM), 2):
        sequencer.admit_and_submit(STREAM[at : at + 2], START + 1 + at // 2)
        live.append(sequencer.close_block(START + 1 + at // 2).events)
    sequencer.close()
    seen = []
    open_zone(other, observe=lambda _, __, events: seen.append(events)).sequencer.close()
    assert b"".join(e.tobytes() for e in seen) == b"".join(e.tobytes() for e in live)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_cut_at_any_byte_the_journal_recovers_to_a_block_end(tmp_path_factory, data):
    directory = tmp_path_factory.mktemp("cut") / "zone"
    sequencer = open_zone(directory, limits=BatchLimits(blocks=10**6)).sequencer
    sequencer.offer_messages(build_inbox())
    states = {}
    sequencer.close_block(START)
    states[1] = (sequencer.engine.commit_root(), sequencer.head, sequencer.next_seq)
    for n, leaf in enumerate(STREAM[:6], 2):
        sequencer.admit_and_submit([leaf], START + n)
        sequencer.close_block(START + n)
        states[n] = (sequencer.engine.commit_root(), sequencer.head, sequencer.next_seq)
    sequencer.close()
    path = last_segment(directory)
    raw = path.read_bytes()
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    recovered = open_zone(directory)
    block = recovered.report.last_block
    found = recovered.sequencer
    expected = states.get(block, (Engine().commit_root(), bytes(32), 1))
    assert (found.engine.commit_root(), found.head, found.next_seq) == expected
    found.close()
