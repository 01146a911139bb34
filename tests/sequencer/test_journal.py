"""The journal never loses what it synced, cuts what was torn, and refuses what is wrong."""

from __future__ import annotations

import errno
import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradezone.protocol.hashing import keccak
from tradezone.sequencer import (
    BlockRecord,
    FileJournal,
    JournalCorruptError,
    JournalError,
    JournalFailedError,
    JournalLockedError,
    JournalReader,
    MemoryJournal,
)
from tradezone.sequencer.journal import (
    FRAME_HEADER,
    GENESIS,
    MAX_FRAME,
    SEGMENT_HEADER,
    encode_frame,
)

SEPARATOR = keccak(b"zone")


def build_record(block, first_seq, leaves=(b"mark", b"one"), messages=(), inbox=0):
    return BlockRecord(
        1,
        block,
        first_seq,
        list(leaves),
        [1_000 + block] * len(leaves),
        inbox,
        tuple(messages),
        keccak(b"head%d" % block),
        bytes([block % 251]) * 65,
    )


def build_records(count, messages=()):
    return [build_record(n, 2 * n - 1, messages=messages) for n in range(1, count + 1)]


def write(directory, records, **options):
    with FileJournal.open(directory, SEPARATOR, **options) as journal:
        return [journal.append(record) for record in records]


def read(directory, **options):
    reader = JournalReader(directory, SEPARATOR, **options)
    return [frame.to_record() for frame in reader.read_frames()], reader.tail


def no_sync(descriptor):
    """For tests that look at bytes alone, many times."""


def only_segment(directory):
    (path,) = directory.glob("*.journal")
    return path


# --- round trips ------------------------------------------------------------------------------------

binary = st.binary(max_size=40)


@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(binary, st.integers(0, 2**48)), min_size=1, max_size=5),
            st.lists(binary, max_size=3),
            st.integers(0, 2**60),
            st.binary(min_size=32, max_size=32),
            st.binary(min_size=65, max_size=65),
        ),
        max_size=8,
    ),
    st.integers(200, 2_000),
)
def test_what_was_written_is_read_whatever_the_segment_size(tmp_path_factory, blocks, size):
    directory = tmp_path_factory.mktemp("journal")
    records, seq = [], 1
    for n, (leaves, messages, inbox, head, signature) in enumerate(blocks, 1):
        raw, times = [list(column) for column in zip(*leaves, strict=True)]
        records.append(BlockRecord(3, n, seq, raw, times, inbox, tuple(messages), head, signature))
        seq += len(raw)
    hashes = write(directory, records, segment_bytes=size, sync=no_sync)
    found, tail = read(directory)
    assert found == records
    assert (tail.next_block, tail.torn_bytes) == (len(records) + 1, 0)
    assert tail.previous == (hashes[-1] if hashes else GENESIS)
    if records:
        assert tail.next_seq == seq


def test_a_segment_that_would_pass_its_size_is_followed_by_a_new_one(tmp_path):
    write(tmp_path, build_records(20), segment_bytes=1_000)
    sizes = [path.stat().st_size for path in sorted(tmp_path.glob("*.journal"))]
    assert len(sizes) > 2
    assert max(sizes) <= 1_000
    assert len(read(tmp_path)[0]) == 20


def test_reading_from_a_block_begins_in_its_segment(tmp_path):
    records = build_records(20)
    write(tmp_path, records, segment_bytes=1_000)
    found, tail = read(tmp_path, from_block=15)
    assert found == records[14:]
    assert tail.next_block == 21
    assert read(tmp_path, from_block=21)[0] == []


def test_old_segments_may_be_archived_when_nothing_needs_them(tmp_path):
    records = build_records(20)
    write(tmp_path, records, segment_bytes=1_000)
    first, *_ = sorted(tmp_path.glob("*.journal"))
    first.unlink()
    assert read(tmp_path, from_block=15)[0] == records[14:]
    with pytest.raises(JournalError, match="the journal begins at block"):
        read(tmp_path)


def test_a_missing_segment_in_the_middle_is_named(tmp_path):
    write(tmp_path, build_records(20), segment_bytes=1_000)
    sorted(tmp_path.glob("*.journal"))[1].unlink()
    with pytest.raises(JournalError, match=r"00000002\.journal is missing"):
        read(tmp_path)


def test_memory_journal_keeps_the_same_frames(tmp_path):
    records = build_records(3)
    memory = MemoryJournal()
    assert [memory.append(record) for record in records] == write(tmp_path, records)
    assert only_segment(tmp_path).read_bytes()[SEGMENT_HEADER:] == b"".join(memory.frames)


def test_journal_goes_on_after_it_was_closed(tmp_path):
    records = build_records(6)
    write(tmp_path, records[:3])
    write(tmp_path, records[3:])
    assert read(tmp_path)[0] == records


# --- crashes ----------------------------------------------------------------------------------------


def test_cut_anywhere_it_keeps_every_whole_frame_and_goes_on(tmp_path):
    records = build_records(4, messages=[b"message"])
    write(tmp_path / "whole", records[:3])
    data = only_segment(tmp_path / "whole").read_bytes()
    ends = [SEGMENT_HEADER]
    previous = GENESIS
    for record in records[:3]:
        frame = encode_frame(record, previous)
        previous = keccak(frame)
        ends.append(ends[-1] + len(frame))
    assert ends[-1] == len(data)
    for cut in range(len(data)):
        directory = tmp_path / str(cut)
        directory.mkdir()
        (directory / "00000001.journal").write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends[1:])
        with FileJournal(directory, SEPARATOR, prepared_bytes=0, sync=no_sync) as journal:
            assert [f.to_record() for f in journal.read_frames()] == records[:whole]
            tail = journal.start()
            torn = data[ends[whole] if cut >= ends[0] else 0 : cut]
            assert tail.torn_bytes == len(torn.rstrip(b"\0"))
            journal.append(records[whole])
        found, tail = read(directory)
        assert found == records[: whole + 1]
        assert tail.torn_bytes == 0


@pytest.mark.parametrize("zeros", [1, 50, FRAME_HEADER, 5_000])
def test_room_that_was_prepared_and_not_used_is_no_damage(tmp_path, zeros):
    records = build_records(3)
    write(tmp_path, records[:2])
    path = only_segment(tmp_path)
    path.write_bytes(path.read_bytes() + bytes(zeros))
    with FileJournal(tmp_path, SEPARATOR) as journal:
        assert len(list(journal.read_frames())) == 2
        assert journal.start().torn_bytes == 0
        journal.append(records[2])
    assert read(tmp_path)[0] == records


def test_room_is_prepared_ahead_and_given_back(tmp_path):
    with FileJournal.open(tmp_path, SEPARATOR, prepared_bytes=10_000) as journal:
        journal.append(build_record(1, 1))
        path = only_segment(tmp_path)
        used = len(path.read_bytes().rstrip(b"\0"))
        assert path.stat().st_size == SEGMENT_HEADER + 10_000
        assert len(read(tmp_path)[0]) == 1
    assert path.stat().st_size == used


def test_a_frame_torn_over_prepared_room_keeps_every_whole_frame(tmp_path):
    records = build_records(3, messages=[b"message"])
    write(tmp_path / "whole", records[:2])
    data = only_segment(tmp_path / "whole").read_bytes()
    ends = [SEGMENT_HEADER, (SEGMENT_HEADER + len(data)) // 2, len(data)]
    for cut in range(SEGMENT_HEADER, len(data)):
        directory = tmp_path / str(cut)
        directory.mkdir()
        (directory / "00000001.journal").write_bytes(data[:cut] + bytes(3_000))
        whole = sum(end <= cut for end in ends[1:])
        with FileJournal(directory, SEPARATOR, prepared_bytes=0, sync=no_sync) as journal:
            assert [f.to_record() for f in journal.read_frames()] == records[:whole]
            assert journal.start().torn_bytes == len(data[ends[whole] : cut].rstrip(b"\0"))
            journal.append(records[whole])
        assert read(directory)[0] == records[: whole + 1]


@pytest.mark.parametrize("size", [0, 1, SEGMENT_HEADER - 1, SEGMENT_HEADER])
def test_a_segment_torn_at_its_birth_is_made_anew(tmp_path, size):
    records = build_records(4)
    write(tmp_path, records[:3], segment_bytes=600)
    last = max(int(path.stem) for path in tmp_path.glob("*.journal"))
    (tmp_path / f"{last + 1:08d}.journal").write_bytes(bytes(size))
    with FileJournal(tmp_path, SEPARATOR, segment_bytes=600) as journal:
        assert len(list(journal.read_frames())) == 3
        assert journal.start().torn_segment
        journal.append(records[3])
    assert read(tmp_path)[0] == records


@given(st.data())
def test_a_flipped_bit_in_a_synced_frame_is_named_and_never_cut_off(tmp_path_factory, data):
    directory = tmp_path_factory.mktemp("journal")
    records = build_records(3, messages=[b"a message"])
    write(directory, records, sync=no_sync)
    path = only_segment(directory)
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(raw)
    with pytest.raises(JournalCorruptError) as caught:
        read(directory)
    assert caught.value.segment == path
    assert caught.value.offset <= at
    assert f"block {caught.value.block}" in str(caught.value)
    assert path.read_bytes() == bytes(raw)


def test_damage_names_segment_offset_and_block(tmp_path):
    write(tmp_path, build_records(3))
    path = only_segment(tmp_path)
    raw = bytearray(path.read_bytes())
    length = (len(raw) - SEGMENT_HEADER) // 3
    raw[SEGMENT_HEADER + length + FRAME_HEADER + 3] ^= 1
    path.write_bytes(raw)
    text = (
        rf"segment 00000001\.journal, offset {SEGMENT_HEADER + length}, block 2: crc of the frame"
    )
    with pytest.raises(JournalCorruptError, match=text):
        read(tmp_path)


def test_an_operator_may_give_up_a_wrong_last_frame_but_no_other(tmp_path):
    records = build_records(3)
    write(tmp_path, records)
    path = only_segment(tmp_path)
    raw = bytearray(path.read_bytes())
    raw[-60] ^= 1
    path.write_bytes(raw)
    found, tail = read(tmp_path, is_tail_expendable=True)
    assert found == records[:2]
    assert tail.torn_bytes
    raw[SEGMENT_HEADER + 10] ^= 1
    path.write_bytes(raw)
    with pytest.raises(JournalCorruptError, match="block 1"):
        read(tmp_path, is_tail_expendable=True)


def test_a_frame_cut_out_of_the_chain_is_noticed(tmp_path):
    records = build_records(3)
    write(tmp_path, records)
    path = only_segment(tmp_path)
    raw = path.read_bytes()
    length = (len(raw) - SEGMENT_HEADER) // 3
    path.write_bytes(raw[: SEGMENT_HEADER + length] + raw[SEGMENT_HEADER + 2 * length :])
    with pytest.raises(JournalCorruptError, match="frame is of block 3"):
        read(tmp_path)


def test_a_segment_of_another_history_is_noticed(tmp_path):
    write(tmp_path / "a", build_records(9), segment_bytes=1_000)
    other = [replace(record, head=keccak(b"x")) for record in build_records(9)]
    write(tmp_path / "b", other, segment_bytes=1_000)
    (tmp_path / "a" / "00000002.journal").write_bytes(
        (tmp_path / "b" / "00000002.journal").read_bytes()
    )
    with pytest.raises(JournalCorruptError, match="another chain"):
        read(tmp_path / "a")


# --- other zones, other processes, failing disks ----------------------------------------------------


def test_a_journal_of_another_zone_is_refused(tmp_path):
    write(tmp_path, build_records(1))
    with pytest.raises(JournalError, match="belongs to the zone"):
        FileJournal.open(tmp_path, keccak(b"another"))


def test_two_writers_are_one_too_many(tmp_path):
    with (
        FileJournal.open(tmp_path, SEPARATOR),
        pytest.raises(JournalLockedError, match="another process"),
    ):
        FileJournal.open(tmp_path, SEPARATOR)
    FileJournal.open(tmp_path, SEPARATOR).close()


def test_append_before_start_is_refused(tmp_path):
    with FileJournal(tmp_path, SEPARATOR) as journal:
        with pytest.raises(JournalError, match="is next"):
            journal.append(build_record(1, 1))
        with pytest.raises(JournalError, match="was not read to its end"):
            journal.start()


def test_a_block_out_of_order_is_refused_and_nothing_is_written(tmp_path):
    with FileJournal.open(tmp_path, SEPARATOR) as journal:
        with pytest.raises(JournalError, match="block 2 was offered, 1 is next"):
            journal.append(build_record(2, 1))
        journal.append(build_record(1, 1))


@pytest.mark.parametrize(
    "change",
    [
        {"received": [1]},
        {"leaves": [], "received": []},
        {"leaves": [bytes(70_000), b""]},
        {"head": b"short"},
        {"signature": b"short"},
        {"inbox": -1},
        {"epoch": 1 << 64},
    ],
    ids=str,
)
def test_a_record_that_does_not_fit_is_refused(change):
    with pytest.raises(JournalError):
        encode_frame(replace(build_record(1, 1), **change), GENESIS)


def test_the_largest_block_fits():
    leaves = [bytes(4096)] * 1025
    record = replace(
        build_record(1, 1, leaves=leaves), received=[1] * 1025, messages=[bytes(557)] * 128
    )
    assert len(encode_frame(record, GENESIS)) <= MAX_FRAME


class Disk:
    """Fails the n-th call from its making with an errno; writes in pieces before."""

    def __init__(self, fail_at, code, piece=1 << 30):
        self.left, self.code, self.piece = fail_at, code, piece

    def _count(self):
        self.left -= 1
        if self.left == 0:
            raise OSError(self.code, os.strerror(self.code))

    def write(self, descriptor, data, offset):
        self._count()
        return os.pwrite(descriptor, data[: self.piece], offset)

    def sync(self, descriptor):
        self._count()
        os.fdatasync(descriptor)


def test_short_writes_are_completed(tmp_path):
    disk = Disk(10**9, errno.EIO, piece=7)
    records = build_records(3)
    write(tmp_path, records, prepared_bytes=500, write=disk.write, sync=disk.sync)
    assert read(tmp_path)[0] == records


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("fail_at", range(1, 24))
def test_after_a_failed_write_or_sync_nothing_is_written_ever_again(tmp_path, code, fail_at):
    records = build_records(8)
    disk = Disk(fail_at, code, piece=150)
    journal = FileJournal.open(
        tmp_path,
        SEPARATOR,
        segment_bytes=700,
        prepared_bytes=200,
        write=disk.write,
        sync=disk.sync,
    )
    acknowledged, failure = 0, None
    for record in records:
        try:
            journal.append(record)
        except JournalFailedError as error:
            failure = error
            break
        acknowledged += 1
    assert failure is not None
    assert "could not be made durable" in str(failure)
    assert failure.__cause__.errno == code
    sizes = {path: path.stat().st_size for path in tmp_path.glob("*.journal")}
    with pytest.raises(JournalFailedError):
        journal.append(records[acknowledged])
    assert sizes == {path: path.stat().st_size for path in tmp_path.glob("*.journal")}
    journal.close()
    with FileJournal(tmp_path, SEPARATOR) as again:
        found = [frame.to_record() for frame in again.read_frames()]
        assert found[:acknowledged] == records[:acknowledged]
        assert len(found) <= acknowledged + 1
        again.start()


# --- a journal that begins behind a batch of somebody else's -----------------------------------------


def test_a_journal_may_begin_behind_blocks_that_it_does_not_have(tmp_path):
    batch = keccak(b"header")
    with FileJournal(tmp_path, SEPARATOR) as journal:
        journal.begin(41, batch)
    records = [build_record(n, 2 * n - 1) for n in range(41, 45)]
    with FileJournal(tmp_path, SEPARATOR, segment_bytes=600) as journal:
        assert list(journal.read_frames(41)) == []
        assert (journal.tail.next_block, journal.tail.previous) == (41, batch)
        journal.start()
        for record in records[:3]:
            journal.append(record)
    with FileJournal(tmp_path, SEPARATOR, segment_bytes=600) as journal:
        frames = list(journal.read_frames(41))
        assert [frame.to_record() for frame in frames] == records[:3]
        assert frames[0].previous == batch
        journal.start()
        journal.append(records[3])
    found, tail = read(tmp_path, from_block=44)
    assert found == records[3:]
    assert tail.next_block == 45


def test_blocks_before_its_beginning_are_refused_by_number(tmp_path):
    with FileJournal(tmp_path, SEPARATOR) as journal:
        journal.begin(41, keccak(b"header"))
    with pytest.raises(JournalError, match="begins at block 41"):
        read(tmp_path)


def test_a_journal_begins_once(tmp_path):
    write(tmp_path, build_records(1))
    with FileJournal(tmp_path, SEPARATOR) as journal, pytest.raises(JournalError, match="already"):
        journal.begin(41, keccak(b"header"))
    assert len(read(tmp_path)[0]) == 1


def test_a_damaged_beginning_is_not_taken_for_an_empty_zone(tmp_path):
    with FileJournal(tmp_path, SEPARATOR) as journal:
        journal.begin(41, keccak(b"header"))
    path = only_segment(tmp_path)
    data = bytearray(path.read_bytes())
    data[46] ^= 1
    path.write_bytes(data)
    found, tail = read(tmp_path, from_block=41)
    assert (found, tail.next_block, tail.torn_segment) == ([], 1, True)
