"""The sequencer: numbers without gaps, blocks when there is work, a stop when it cannot go on."""

from __future__ import annotations

import errno
import os

import pytest
from sequencer_zone import (
    CONFIG,
    KEYS,
    MARKET,
    SEPARATOR,
    SEQUENCER_KEY,
    START,
    build_inbox,
    build_signers,
    build_stream,
)

from tradezone.client import build_place
from tradezone.engine import Engine, EngineError
from tradezone.protocol import events
from tradezone.protocol.actions import block_mark, inbox_mark
from tradezone.protocol.enums import CANCEL_DEAD_MAN, CANCEL_EXPIRED
from tradezone.protocol.hashing import keccak
from tradezone.protocol.limits import MAX_INBOX_MARK, WAIT_BLOCKS
from tradezone.protocol.messages import NO_PREFIX, next_prefix
from tradezone.sequencer import (
    Accepted,
    BatchBuilder,
    BatchError,
    BatchLimits,
    ClockError,
    FileJournal,
    JournalFailedError,
    ManualClock,
    MemoryJournal,
    Sequencer,
    SequencerConfig,
    SequencerError,
    SequencerStoppedError,
    verify_receipt,
)


def make(journal=None, config=CONFIG, **options):
    clock = ManualClock(START)
    journal = journal or MemoryJournal()
    return Sequencer(config, Engine(), journal, SEQUENCER_KEY, clock=clock, **options)


@pytest.fixture
def sequencer():
    sequencer = make()
    sequencer.offer_messages(build_inbox())
    sequencer.close_block()
    return sequencer


def noops(count, start=START + 1):
    signer = build_signers(lambda: start)[2]
    return [signer.noop() for _ in range(count)]


# --- blocks -----------------------------------------------------------------------------------------


def test_a_block_lays_out_mark_inbox_and_leaves_in_order_of_arrival():
    sequencer = make()
    inbox = build_inbox()
    sequencer.offer_messages(inbox)
    sequencer.close_block()
    leaves = noops(3)
    sequencer.admit_and_submit(leaves)
    sequencer.offer_messages(build_more_messages(len(inbox), 2))
    sequencer.clock.advance(5)
    block = sequencer.close_block()
    assert block.leaves == [block_mark(2, START + 5), inbox_mark(len(inbox) + 2), *leaves]
    assert (block.number, block.time, block.first_seq) == (2, START + 5, 3)
    assert block.results.tolist() == [0] * 5
    assert sequencer.next_seq == 8


def build_more_messages(start, count):
    heartbeat = build_inbox()[-1]
    return [
        heartbeat[:1] + index.to_bytes(8, "big") + heartbeat[9:]
        for index in range(start, start + count)
    ]


def test_numbers_have_no_gaps_over_blocks(sequencer):
    expected = sequencer.next_seq
    for _ in range(5):
        sequencer.admit_and_submit(noops(3, sequencer.clock.advance(1) + 100))
        block = sequencer.close_block()
        assert block.first_seq == expected
        expected += len(block.leaves)
    assert sequencer.next_seq == expected


def test_without_work_there_is_no_block(sequencer):
    before = sequencer.block
    assert sequencer.close_block() is None
    assert sequencer.close_until_idle() == []
    assert sequencer.block == before


def test_every_leaf_of_a_block_has_a_receipt(sequencer):
    sequencer.admit_and_submit(build_stream(30))
    block = sequencer.close_block()
    for i, leaf in enumerate(block.leaves):
        receipt = block.get_receipt(block.first_seq + i)
        assert receipt.result == block.results[i]
        verify_receipt(receipt, SEPARATOR, SEQUENCER_KEY.address, leaf)


def test_heads_of_blocks_form_one_chain(sequencer):
    heads = [sequencer.head]
    for _ in range(3):
        sequencer.admit_and_submit(noops(1, sequencer.clock.advance(1)))
        block = sequencer.close_block()
        assert block.receipts.block_head.parent == heads[-1]
        heads.append(block.receipts.block_head.head)
    assert len(set(heads)) == 4


@pytest.mark.parametrize("is_publishing", [True, False])
def test_a_head_names_block_time_and_the_inbox_behind_the_block(tmp_path, is_publishing):
    sequencer = make(batches=BatchBuilder(tmp_path) if is_publishing else None)
    inbox = build_inbox()
    inbox += build_more_messages(len(inbox), MAX_INBOX_MARK + 3)
    sequencer.offer_messages(inbox)
    sequencer.admit_and_submit(noops(1))
    index, prefix = 0, NO_PREFIX
    taken = []
    while block := sequencer.close_block(sequencer.clock.advance(7)):
        head = block.receipts.block_head
        taken.append(head.inbox_index - index)
        for message in inbox[index : head.inbox_index]:
            prefix = next_prefix(prefix, message)
        index = head.inbox_index
        assert (head.time, head.inbox_hash) == (block.time, prefix)
        assert sequencer.inbox == (index, prefix)
        assert head.recover_signer(SEPARATOR) == SEQUENCER_KEY.address
    assert (taken[0], sum(taken)) == (MAX_INBOX_MARK, len(inbox))


def test_a_prefix_that_cannot_be_that_of_the_engine_is_refused(sequencer):
    for engine, prefix in ((Engine(), keccak(b"x")), (sequencer.engine, NO_PREFIX)):
        with pytest.raises(SequencerError, match="inbox_prefix is 0x"):
            Sequencer(CONFIG, engine, MemoryJournal(), SEQUENCER_KEY, inbox_prefix=prefix)


def test_a_receipt_says_when_the_leaf_came(sequencer):
    sequencer.admit_and_submit(noops(1), START + 1)
    sequencer.admit_and_submit(noops(1, START + 50), START + 3)
    block = sequencer.close_block(START + 9)
    times = [block.get_receipt(block.first_seq + i).received for i in range(3)]
    assert times == [START + 9, START + 1, START + 3]


def test_waiting_orders_are_released_by_empty_blocks(sequencer):
    signers = build_signers(lambda: START + 1)
    sequencer.admit_and_submit(
        [
            signers[2].place(build_place(MARKET, "sell", 60, 1, tif="post_only")),
            signers[3].place(build_place(MARKET, "buy", 60, 1, tif="ioc")),
        ]
    )
    first = sequencer.close_block(START + 1)
    release = sequencer.engine.next_release()
    assert release == START + 4
    assert sequencer.close_block(START + 2) is None  # not due yet: no empty block
    blocks = sequencer.close_until_idle(START + 2, until_ms=release)
    assert [len(block.leaves) for block in blocks] == [1] * len(blocks)
    assert len(blocks) >= WAIT_BLOCKS
    assert all(block.time == release for block in blocks)
    kinds = [int(event["kind"]) for event in blocks[-1].events]
    assert events.FILL in kinds
    assert first.number + len(blocks) == sequencer.block
    assert not sequencer.has_work(START + 10**6)


def test_timers_are_served_by_empty_blocks(sequencer):
    """An order expires and a dead-man switch goes off though nobody sends anything."""
    signers = build_signers(lambda: START + 1)
    expiring = build_place(MARKET, "sell", 61, 1, tif="gtt", expires=START + 500)
    resting = build_place(MARKET, "sell", 62, 1, tif="post_only")
    sequencer.admit_and_submit(
        [signers[2].place(expiring), signers[3].place(resting), signers[3].dead_man(5_000)]
    )
    sequencer.close_until_idle(START + 1, until_ms=START + 100)
    assert not sequencer.has_work(START + 499)
    assert sequencer.close_block(START + 499) is None
    assert sequencer.has_work(START + 500)
    (first, second) = (
        block
        for block in sequencer.close_until_idle(START + 499, until_ms=START + 6_000)
        if len(block.events)
    )
    assert (first.time, second.time) == (START + 500, START + 5_001)
    reasons = [
        int(event["tif"])
        for block in (first, second)
        for event in block.events
        if event["kind"] == events.ORDER_CANCELLED
    ]
    assert reasons == [CANCEL_EXPIRED, CANCEL_DEAD_MAN]
    assert not sequencer.has_work(START + 10**9)


def test_blocks_may_be_handed_over_one_by_one(sequencer):
    sequencer.admit_and_submit(noops(1))
    seen = []
    assert sequencer.close_until_idle(each=seen.append) == []
    assert [block.number for block in seen] == [2]


def test_a_full_block_leaves_the_rest_for_the_next():
    sequencer = make(config=SequencerConfig(SEPARATOR, max_block_leaves=4))
    sequencer.offer_messages(build_inbox())
    sequencer.close_block()
    leaves = noops(10)
    sequencer.admit_and_submit(leaves)
    blocks = sequencer.close_until_idle()
    assert [block.leaves[1:] for block in blocks] == [leaves[:4], leaves[4:8], leaves[8:]]


def test_many_messages_take_many_blocks():
    sequencer = make()
    inbox = build_inbox()
    inbox += build_more_messages(len(inbox), 2 * MAX_INBOX_MARK)
    sequencer.offer_messages(inbox[:10])
    assert sequencer.next_message == 10
    sequencer.offer_messages(inbox[10:])
    blocks = sequencer.close_until_idle()
    assert len(blocks) == 3
    assert int(sequencer.engine.machine["inbox"]) == len(inbox) == sequencer.next_message


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 8, 10])
def test_a_message_out_of_order_is_refused(index):
    sequencer = make()
    sequencer.offer_messages(build_inbox()[:9])
    with pytest.raises(SequencerError, match=f"inbox message {index} was offered, 9 is next"):
        sequencer.offer_messages([build_inbox()[index]])
    with pytest.raises(SequencerError, match="has 3 bytes"):
        sequencer.offer_messages([b"abc"])


def test_block_time_never_steps_back(sequencer):
    sequencer.admit_and_submit(noops(1))
    sequencer.close_block(START + 10)
    sequencer.admit_and_submit(noops(1, START + 100))
    with pytest.raises(ClockError, match=f"{START + 9} ms is not within {START + 10}"):
        sequencer.close_block(START + 9)
    sequencer.clock.time_ms = START - 5_000  # the machine's clock was set back: blocks stand still
    assert sequencer.close_block().time == START + 10
    with pytest.raises(ClockError):
        sequencer.close_block(1 << 60)


def test_too_many_waiting_leaves_are_refused():
    sequencer = make(config=SequencerConfig(SEPARATOR, max_pending=2))
    item = Accepted(b"leaf", bytes(20), START)
    sequencer.submit([item, item])
    with pytest.raises(SequencerError, match="2 leaves wait for a block, 2 may"):
        sequencer.submit([item])
    assert sequencer.pending == 2
    with pytest.raises(SequencerError, match="close blocks, or send less"):
        sequencer.admit_and_submit(noops(1))


@pytest.mark.parametrize(
    "item",
    [Accepted(b"", bytes(20), 1), Accepted(bytes(4097), bytes(20), 1), Accepted(b"a", b"", 1)],
)
def test_a_leaf_that_fits_no_block_is_refused(item):
    with pytest.raises(SequencerError, match="leaf of"):
        make().submit([item])


@pytest.mark.parametrize("size", [0, 1, 1025])
def test_block_sizes_beyond_the_protocol_are_refused(size):
    with pytest.raises(SequencerError, match="max_block_leaves"):
        make(config=SequencerConfig(SEPARATOR, max_block_leaves=size))


# --- failures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("call", ["write", "sync"])
def test_a_failing_disk_stops_the_sequencer_before_anything_is_acknowledged(tmp_path, code, call):
    broken = []

    def write(descriptor, data, offset):
        if call == "write" and broken:
            raise OSError(code, os.strerror(code))
        return os.pwrite(descriptor, data, offset)

    def sync(descriptor):
        if call == "sync" and broken:
            raise OSError(code, os.strerror(code))
        os.fdatasync(descriptor)

    journal = FileJournal.open(tmp_path, SEPARATOR, write=write, sync=sync)
    sequencer = make(journal)
    sequencer.offer_messages(build_inbox())
    sequencer.close_block()
    broken.append(True)
    sequencer.admit_and_submit(noops(2))
    with pytest.raises(
        SequencerStoppedError, match="not acknowledged; recover from disk"
    ) as caught:
        sequencer.close_block()
    assert isinstance(caught.value.__cause__, JournalFailedError)
    assert os.strerror(code) in str(caught.value)
    assert sequencer.is_stopped
    broken.clear()  # even if the disk comes back: what was written is unknown
    for call_again in (
        sequencer.close_block,
        sequencer.publish_batch,
        lambda: sequencer.submit([]),
        lambda: sequencer.offer_messages([]),
    ):
        with pytest.raises(SequencerStoppedError):
            call_again()
    sequencer.close()


def test_an_engine_that_fails_stops_the_sequencer(sequencer, monkeypatch):
    sequencer.admit_and_submit(noops(1))

    def fail(*_):
        raise EngineError("an invariant is broken")

    monkeypatch.setattr(sequencer.engine, "execute_run", fail)
    with pytest.raises(SequencerStoppedError, match="an invariant is broken"):
        sequencer.close_block()
    monkeypatch.undo()
    with pytest.raises(SequencerStoppedError):
        sequencer.close_block()


def test_an_interrupt_in_the_middle_of_a_block_stops_the_sequencer(sequencer, monkeypatch):
    sequencer.admit_and_submit(noops(1))

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sequencer.engine, "execute_run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sequencer.close_block()
    assert sequencer.is_stopped


def test_a_batch_that_cannot_be_published_can_be_published_later(tmp_path, monkeypatch):
    builder = BatchBuilder(tmp_path, limits=BatchLimits(blocks=1))
    sequencer = make(batches=builder)
    sequencer.offer_messages(build_inbox())
    sequencer.close_block()
    sequencer.admit_and_submit(noops(1))

    def fail(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tradezone.sequencer.batches.write_file", fail)
    with pytest.raises(BatchError, match="batch 1 cannot be written: No space left on device"):
        sequencer.close_block()
    assert not sequencer.is_stopped
    assert (sequencer.block, sequencer.pending) == (1, 1)
    monkeypatch.undo()
    assert sequencer.close_block().number == 2
    assert builder.next_number == 2


def test_without_a_builder_nothing_is_published(sequencer):
    assert sequencer.publish_due() is None
    with pytest.raises(SequencerError, match="publishes no batches"):
        sequencer.publish_batch()


def test_the_address_is_that_of_the_key(sequencer):
    assert sequencer.address == SEQUENCER_KEY.address
    assert len(KEYS) == 6
