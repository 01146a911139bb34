"""A real process, killed at every stage; full and failing disks; damaged files. What was answered is there afterwards."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from service_zone import make_clock, make_signers, place, send, start_node, wait_for, write_zone

from tradezone.gateway.orders import encode_frames
from tradezone.protocol.actions import domain_separator
from tradezone.protocol.hashing import keccak
from tradezone.sequencer import JournalCorruptError, JournalReader, RecoveryError
from tradezone.service import (
    HistoryError,
    Node,
    load_config,
    read_lock,
    rebuild_history,
    take_snapshot,
)
from tradezone.service.history import FILE, HistoryReader

HERE = Path(__file__).parent
SEPARATOR = domain_separator(196, bytes.fromhex("5a" * 20))
MORE = "batches: {blocks: 6, snapshot_batches: 1}"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A zone that has been told what it needs, stopped; tests work on copies of it."""
    folder = tmp_path_factory.mktemp("prepared")
    node = start_node(write_zone(folder, more=MORE))
    node.stop()
    return folder


@pytest.fixture
def zone(prepared, tmp_path):
    target = tmp_path / "zone"
    shutil.copytree(prepared, target)
    return target / "zone.yaml"


def launch(path, stage="none", count=0, when="started"):
    paths = [str(HERE), str(HERE.parent / "sequencer"), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, str(HERE / "faulty.py"), str(path), stage, str(count), when]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        body = read_lock(path.parent / "data")
        if body and body.get("pid") == process.pid and "port" in body:
            return process, f"http://{body['host']}:{body['port']}"
        time.sleep(0.02)
    return process, None


def end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    finally:
        process.stderr.close()
    return process.returncode


def trade(url, signers, seconds=60.0):
    """Send orders until the zone dies; return the leaves that were answered, with their numbers."""
    answered = {}
    with httpx.Client(base_url=url, timeout=20) as http:
        deadline = time.monotonic() + seconds
        n = 0
        while time.monotonic() < deadline:
            n += 1
            side, price = ("sell", "60") if n % 2 else ("buy", "60")
            leaves = [place(signers[2 + n % 4], side, price, "1", "gtc"), signers[2 + n % 4].noop()]
            try:
                answer = http.post(
                    "/v1/orders",
                    content=encode_frames(leaves),
                    headers={"content-type": "application/octet-stream"},
                )
            except httpx.HTTPError:
                break
            if answer.status_code != 200:
                break
            data, at = answer.content, 0
            for leaf in leaves:
                if data[at] == 0:
                    answered[keccak(leaf)] = int.from_bytes(data[at + 3 : at + 11], "big")
                at += 24 + 10 * data[at + 23]
    return answered


def read_journal(path):
    reader = JournalReader(path.parent / "data" / "journal", SEPARATOR)
    return {
        keccak(leaf): frame.first_seq + i
        for frame in reader.read_frames()
        for i, leaf in enumerate(frame.leaves)
    }


STAGES = [
    ("screen", 5),
    ("admit", 7),
    ("before_write", 9),
    ("torn_write", 14),
    ("after_write", 9),
    ("after_sync", 9),
    ("before_answer", 9),
    ("after_answer", 9),
    ("before_views", 9),
    ("after_views", 9),
    ("batch_file", 3),
    ("batch_meta", 4),
    ("snapshot", 2),
    ("snapshot_meta", 2),
]


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "count"), STAGES)
def test_killed_at_a_stage_it_has_everything_it_answered_and_goes_on(zone, stage, count):
    # what writes is bound when the journal opens, so this one has to be armed before
    when = "early" if stage == "torn_write" else "started"
    process, url = launch(zone, stage, count, when)
    answered = trade(url, make_signers(SEPARATOR))
    assert end(process) == -signal.SIGKILL, f"it did not come to {stage}"
    assert answered, f"nothing was answered before {stage}"
    kept = read_journal(zone)
    assert answered.items() <= kept.items()

    node = Node(load_config(zone))
    try:
        node.start()
        assert node.views.wait(node.report.last_block, 60)
        assert node.history.fetch_blocks(None, 1)[0].number >= node.report.last_block
        for digest, seq in answered.items():
            assert node.history.find_leaf(digest) == seq
            assert node.history.fetch_receipt(seq).leaf_hash == digest
        signer = make_signers(SEPARATOR)[2]
        (answer,) = send(node, signer.noop())
        assert answer.result == 0
    finally:
        node.stop()


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["ENOSPC", "EIO"])
def test_a_disk_that_fails_ends_the_process_with_status_3_and_loses_nothing(zone, stage):
    # the journal of a running process cannot be exchanged, so the failure is armed before it opens
    process, url = launch(zone, stage, 12, when="early")
    assert url is not None
    answered = trade(url, make_signers(SEPARATOR))
    assert end(process) == 3
    assert answered.items() <= read_journal(zone).items()
    process, url = launch(zone)
    assert httpx.get(url + "/readyz").status_code == 200
    assert trade(url, make_signers(SEPARATOR), seconds=1.0)
    assert end(process) == 0


@pytest.mark.slow
def test_terminated_it_stops_cleanly_and_says_so(zone):
    process, url = launch(zone)
    assert trade(url, make_signers(SEPARATOR), seconds=1.0)
    process.send_signal(signal.SIGTERM)
    assert end(process) == 0
    assert read_lock(zone.parent / "data") is None
    node = Node(load_config(zone))
    assert node.report.torn_bytes == 0
    node.stop()


def run_a_while(zone):
    """Some blocks, in this process; returns the last block."""
    node = Node(load_config(zone), clock=make_clock(zone))
    node.start()
    signers = make_signers(SEPARATOR)

    for n in range(12):
        send(node, place(signers[2 + n % 4], "sell" if n % 2 else "buy", "60", "1"))
    node.stop()
    return node.sequencer.block


def test_a_flipped_bit_in_the_journal_is_named_and_refused_and_changes_nothing(zone):
    run_a_while(zone)
    data = zone.parent / "data"
    shutil.rmtree(data / "snapshots")
    (path,) = (data / "journal").glob("*.journal")
    raw = path.read_bytes()
    chance = random.Random(5)
    written = len(raw.rstrip(b"\0"))
    for _ in range(6):
        at = chance.randrange(200, written - 200)
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << chance.randrange(8)]) + raw[at + 1 :])
        before = path.read_bytes()
        with pytest.raises(JournalCorruptError, match=r"00000001\.journal, offset \d+, block \d+"):
            Node(load_config(zone))
        assert path.read_bytes() == before
    path.write_bytes(raw)
    node = Node(load_config(zone))
    node.stop()


def test_a_torn_end_is_cut_off_and_reported(zone):
    run_a_while(zone)
    (path,) = (zone.parent / "data" / "journal").glob("*.journal")
    raw = path.read_bytes().rstrip(b"\0")
    last = raw.rfind(b"TZJF")
    path.write_bytes(raw[: last + 30])
    for old in (zone.parent / "data" / "batches").iterdir():
        old.unlink()
    shutil.rmtree(zone.parent / "data" / "snapshots")
    for old in (zone.parent / "data").glob(f"{FILE}*"):
        old.unlink()
    node = Node(load_config(zone))
    assert 0 < node.report.torn_bytes <= 30  # a frame that ends in zeros looks shorter
    node.stop()


def test_a_journal_cut_behind_what_was_published_is_refused(zone):
    run_a_while(zone)
    (path,) = (zone.parent / "data" / "journal").glob("*.journal")
    raw = path.read_bytes().rstrip(b"\0")
    at = raw.find(b"TZJF", 5_000)
    path.write_bytes(raw[:at])
    with pytest.raises(
        (RecoveryError, HistoryError), match=r"journal (ends|behind)|ends at block|was published"
    ):
        Node(load_config(zone))


@pytest.mark.parametrize("damage", ["missing", "garbage", "truncated", "empty"])
def test_a_lost_or_damaged_history_is_made_anew(zone, damage):
    block = run_a_while(zone)
    data = zone.parent / "data"
    path = data / FILE
    before = HistoryReader(path)
    rows = before.fetch_trades(1, None, 100), before.fetch_orders(2, None, 100)
    assert rows[0]
    before.close()
    for extra in data.glob(f"{FILE}-*"):
        extra.unlink()
    if damage == "missing":
        path.unlink()
    elif damage == "garbage":
        path.write_bytes(random.Random(1).randbytes(10_000))
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:5_000])
    else:
        path.write_bytes(b"")
    node = Node(load_config(zone))
    try:
        assert node.views.wait(block, 60)
        assert (
            node.history.fetch_trades(1, None, 100),
            node.history.fetch_orders(2, None, 100),
        ) == rows
        assert node.history.fetch_blocks(None, 1)[0].number == block
    finally:
        node.stop()


def test_history_of_another_journal_is_refused_by_name(zone, tmp_path):
    block = run_a_while(zone)
    other = write_zone(tmp_path / "other")
    node = start_node(other)
    node.stop()
    data = zone.parent / "data"
    shutil.rmtree(data / "snapshots")  # behind one it would be rebuilt anyway
    for extra in data.glob(f"{FILE}*"):
        extra.unlink()
    source = HistoryReader(other.parent / "data" / FILE)
    assert source.fetch_blocks(None, 1)[0].number < block
    source.close()
    shutil.copyfile(other.parent / "data" / FILE, data / FILE)
    with pytest.raises(HistoryError):
        Node(load_config(zone))


def test_rebuilding_gives_the_same_store(zone):
    run_a_while(zone)
    data = zone.parent / "data"

    def dump():
        import sqlite3

        connection = sqlite3.connect(data / FILE)
        names = [
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in names
        }

    before = dump()
    empty = {name for name, rows in before.items() if not rows}
    assert empty == {"funding", "margin"}  # those of perpetuals
    rebuild_history(data, SEPARATOR)
    assert dump() == before


def test_a_snapshot_is_taken_beside_a_zone_that_trades(zone):
    zone.write_text(zone.read_text().replace("snapshot_batches: 1", "snapshot_batches: 0"))
    data = zone.parent / "data"
    shutil.rmtree(data / "snapshots", ignore_errors=True)
    node = Node(load_config(zone), clock=make_clock(zone))
    node.start()
    signers = make_signers(SEPARATOR)
    try:
        for n in range(14):
            send(node, place(signers[2 + n % 4], "sell" if n % 2 else "buy", "60", "1"))
        block = take_snapshot(data, SEPARATOR)
        assert 0 < block <= node.sequencer.block
        assert take_snapshot(data, SEPARATOR) == block or node.sequencer.block > block
        (answer,) = send(node, signers[2].noop())
        assert answer.result == 0
    finally:
        node.stop()
    again = Node(load_config(zone), clock=make_clock(zone))
    again.stop()
    assert again.report.snapshot_block >= block
    assert again.report.last_block == node.sequencer.block
    shutil.rmtree(data / "snapshots")
    batch = max((data / "batches").glob("*.json"), key=lambda path: int(path.stem))
    body = json.loads(batch.read_text())
    body["state_root"] = "0x" + "ab" * 32
    batch.write_text(json.dumps(body))
    with pytest.raises(RecoveryError, match="abab"):
        take_snapshot(data, SEPARATOR)
    assert not list((data / "snapshots").glob("*"))


def test_a_backup_of_a_running_zone_restores_to_a_zone_that_goes_on(zone, tmp_path):
    from tradezone.service.backup import make_backup, restore_backup
    from tradezone.service.errors import ServiceError

    node = Node(load_config(zone))
    node.start()
    signers = make_signers(SEPARATOR)
    for n in range(8):
        send(node, place(signers[2 + n % 4], "sell" if n % 2 else "buy", "60", "1"))
    report = make_backup(load_config(zone), tmp_path / "copy")
    assert 0 < report.block <= node.sequencer.block
    send(node, signers[2].noop())
    node.stop()
    with pytest.raises(ServiceError, match="there already"):
        make_backup(load_config(zone), tmp_path / "copy")
    with pytest.raises(ServiceError, match="not empty"):
        restore_backup(load_config(zone), tmp_path / "copy")
    shutil.rmtree(zone.parent / "data")
    assert restore_backup(load_config(zone), tmp_path / "copy").block == report.block
    again = Node(load_config(zone))
    try:
        again.start()
        assert again.report.last_block == report.block
        (answer,) = send(again, make_signers(SEPARATOR)[3].noop())
        assert answer.result == 0
    finally:
        again.stop()
    shutil.rmtree(zone.parent / "data")
    victim = next((tmp_path / "copy" / "journal").glob("*.journal"))
    raw = victim.read_bytes()
    victim.write_bytes(raw[:500] + b"x" + raw[501:])
    with pytest.raises(ServiceError, match="not as it was"):
        restore_backup(load_config(zone), tmp_path / "copy")


def test_a_machine_clock_that_jumps_back_does_not_stop_the_zone(zone):
    from tradezone.service import SteadyClock

    offset = [0]
    clock = SteadyClock(lambda: time.time_ns() + offset[0] * 10**6)
    node = Node(load_config(zone), clock=clock)
    try:
        node.start()
        signer = make_signers(SEPARATOR)[2]
        (first,) = send(node, signer.noop())
        offset[0] = -3_600_000
        (second,) = send(node, signer.noop())
        assert second.block.closed.time >= first.block.closed.time
        assert second.result == 0
        offset[0] = 7_200_000
        (third,) = send(node, signer.noop())
        assert third.block.closed.time - second.block.closed.time < 5_000
    finally:
        node.stop()


def test_started_an_hour_too_early_it_goes_on_from_its_last_block(zone):
    block = run_a_while(zone)
    from tradezone.service import SteadyClock

    clock = SteadyClock(lambda: time.time_ns() - 3_600 * 10**9)
    node = Node(load_config(zone), clock=clock)
    try:
        node.start()
        (answer,) = send(node, make_signers(SEPARATOR)[2].noop())
        assert answer.block.closed.number > block
    finally:
        node.stop()
    wait_for(lambda: True)
