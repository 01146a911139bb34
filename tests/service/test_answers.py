"""Binary answers, made by the block, say of every leaf what the slow reader says of it alone."""

from __future__ import annotations

import random

import pytest
from sequencer_zone import (
    CONFIG,
    MARKET,
    SEQUENCER_KEY,
    START,
    build_inbox,
    build_signers,
    build_stream,
)

from tradezone.client import build_cancel, build_place
from tradezone.engine import Engine
from tradezone.gateway.orders import (
    FrameSubmission,
    answer_frame,
    decode_frames,
    encode_frames,
)
from tradezone.protocol.errors import Code
from tradezone.sequencer import (
    EnvelopeRejectedError,
    LeafRun,
    ManualClock,
    MemoryJournal,
    Sequencer,
)
from tradezone.service import BlockEvents, Executed, ServiceError
from tradezone.service.pipeline import Part


def make_sequencer():
    made = Sequencer(CONFIG, Engine(), MemoryJournal(), SEQUENCER_KEY, clock=ManualClock(START))
    made.offer_messages(build_inbox())
    return made, made.close_block(START)


def say_slowly(block):
    closed = block.closed
    return [
        answer_frame(
            closed.leaves[row], Executed(closed.first_seq + row, block, int(closed.results[row]))
        )
        for row in range(block.marks, len(closed.leaves))
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_stream_of_every_action_is_answered_alike(seed):
    sequencer, first = make_sequencer()
    assert BlockEvents(first).marks == 2
    stream, chance, seen = build_stream(240, seed=seed), random.Random(seed), 0
    at = 0
    while at < len(stream):
        count = chance.randint(1, 20)
        now = START + 10 * at + 1
        sequencer.admit_and_submit(stream[at : at + count], now)
        at += count
        for closed in sequencer.close_until_idle(now, until_ms=now + 5):
            block = BlockEvents(closed)
            slow = say_slowly(block)
            rows = range(block.marks, len(closed.leaves))
            assert [block.answers.get(row, row + 1) for row in rows] == slow
            assert block.answers.get(0, len(closed.leaves)) == b"".join(slow)
            seen += len(slow)
    assert seen > 100


def test_orders_refused_items_and_quotes_are_answered_alike():
    sequencer, _ = make_sequencer()
    signer = build_signers(lambda: START + 1)[2]
    orders = [
        build_place(MARKET, "buy", "60", "1", tif="post_only", client_id="a"),
        build_place(MARKET, "buy", "60", "1", tif="post_only", client_id="a"),  # the id is taken
        build_place(MARKET, "sell", "60", "1"),
        build_place(MARKET, "sell", "60", "1", tif="post_only"),  # it would take
        build_place(MARKET, "sell", "62", "2", tif="post_only"),
    ]
    leaves = [signer.place(*orders), signer.cancel(build_cancel(client_id="nobody")), signer.noop()]
    assert len(sequencer.admit_and_submit(leaves, START + 1)) == 3
    block = BlockEvents(sequencer.close_block(START + 1))
    assert b"".join(say_slowly(block)) == block.answers.get(1, 4)
    data, codes, ids = block.answers.get(1, 2), [], []
    for at in range(24, len(data), 10):
        ids.append(int.from_bytes(data[at : at + 8], "big"))
        codes.append(int.from_bytes(data[at + 8 : at + 10], "big"))
    assert [bool(code) for code in codes] == [False, True, False, True, False]
    assert [bool(order) for order in ids] == [True, False, True, False, True]


def test_parts_and_refusals_are_put_together_in_the_order_of_the_request():
    sequencer, _ = make_sequencer()
    signer = build_signers(lambda: START + 1)[3]
    leaves = [signer.noop() for _ in range(5)]
    blocks = []
    for group in (leaves[:1], leaves[2:4]):
        sequencer.admit_and_submit(group, START + 1)
        blocks.append(BlockEvents(sequencer.close_block(START + 1)))
    heard = []
    submission = FrameSubmission(decode_frames(encode_frames(leaves)), START, heard.append)
    assert not submission.refuse(4, ServiceError("the zone went down"))
    assert not submission.note(Part(0, 1, blocks[0], 1))
    assert not submission.refuse(1, EnvelopeRejectedError(Code.NONCE_USED, ""))
    assert submission.note(Part(2, 4, blocks[1], 1))
    submission.deliver()
    (data,) = heard
    assert data == b"".join(
        answer_frame(leaf, answer)
        for leaf, answer in zip(leaves, submission.get_answers(), strict=True)
    )
    assert [data[0], data[34], data[58]] == [0, 1, 0]


def test_a_run_is_the_sequence_of_its_leaves():
    leaves = [b"\x02abc", b"\x05", b"\x02" * 300]
    run = LeafRun.join([LeafRun.of(leaves[:1]), LeafRun.of([]), LeafRun.of(leaves[1:])])
    assert run == leaves
    assert (run[-1], run[0:2], len(run)) == (leaves[2], leaves[:2], 3)
    assert run.cut(1, 3) == leaves[1:]
    assert run.cut(1, 3).cut(1, 2) == leaves[2:]
    assert LeafRun.of(run) is run
    assert run.sizes.tolist() == [4, 1, 300]
    with pytest.raises(IndexError):
        run[3]
    with pytest.raises(IndexError):
        run[-4]
