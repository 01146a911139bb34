"""From submission to answer: order, durability, refusal, back-pressure, failure, restart."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from sequencer_zone import MARKET
from service_zone import get_results, make_signers, place, send, start_node, wait_for, write_zone

from tradezone.client import PrivateKey, Signer, build_cancel, build_place
from tradezone.protocol import events
from tradezone.protocol.errors import Code
from tradezone.sequencer import EnvelopeRejectedError, JournalReader, verify_receipt
from tradezone.service import (
    BusyError,
    Executed,
    ServiceError,
    StoppingError,
    Submission,
    ZoneLockedError,
)


def ignore(_):
    """Take answers, and do nothing with them."""


def break_down(_):
    raise ZeroDivisionError("a listener with a bug")


def test_an_order_is_answered_with_a_receipt_that_verifies(node):
    signer = make_signers(node.separator)[2]
    leaf = place(signer)
    (answer,) = send(node, leaf)
    assert isinstance(answer, Executed)
    assert answer.result == 0
    receipt = answer.block.closed.get_receipt(answer.seq)
    verify_receipt(receipt, node.separator, node.sequencer.address, leaf)
    kinds = [int(event["kind"]) for event in answer.block.get_events(answer.seq)]
    assert kinds == [events.ORDER_WAITING]


def test_what_was_answered_is_in_the_journal_already(node):
    signer = make_signers(node.separator)[2]
    leaf = place(signer)
    (answer,) = send(node, leaf)
    reader = JournalReader(node.config.directory / "journal", node.separator)
    leaves = {
        seq: raw
        for frame in reader.read_frames()
        for seq, raw in enumerate(frame.leaves, frame.first_seq)
    }
    assert leaves[answer.seq] == leaf


def test_numbers_follow_the_order_of_submission(node):
    signers = make_signers(node.separator)
    leaves = [place(signers[2 + n % 4], price=str(50 + n % 5), tif="post_only") for n in range(60)]
    answers = send(node, *leaves)
    seqs = [answer.seq for answer in answers]
    assert seqs == sorted(seqs)
    assert len(set(seqs)) == len(seqs)
    assert get_results(answers) == [0] * 60


def test_refusals_say_why_and_do_not_hold_up_the_rest(node):
    signer = make_signers(node.separator)[2]
    wrong_key = Signer(PrivateKey(b"\x77" * 32), 2, 2, node.separator)
    good, bad, late = place(signer), place(wrong_key), place(signer, price="61")
    broken = good[:-1]
    answers = send(node, good, bad, broken, late)
    assert [type(answer) for answer in answers] == [
        Executed,
        EnvelopeRejectedError,
        EnvelopeRejectedError,
        Executed,
    ]
    assert answers[1].code == Code.BAD_SIGNATURE
    assert answers[1].recovered == PrivateKey(b"\x77" * 32).address
    assert answers[1].digest
    assert answers[2].code == Code.MALFORMED
    (again,) = send(node, good)
    assert again.code == Code.NONCE_USED


def test_a_waiting_order_takes_without_anything_new_arriving(node):
    signers = make_signers(node.separator)
    send(node, place(signers[2], "sell", "60", "1", "post_only"))
    send(node, place(signers[3], "buy", "60", "1"))
    wait_for(lambda: node.views.get_trades(MARKET.slot), 10)
    trade = node.views.get_trades(MARKET.slot)[0]
    assert (trade.taker_account, trade.maker_account, trade.price) == (3, 2, 6000)


def test_an_idle_zone_makes_blocks_so_that_it_is_never_restarted(tmp_path):
    path = write_zone(tmp_path, more="")
    text = path.read_text().replace("{key_file: key}", "{key_file: key, idle_block_ms: 100}")
    path.write_text(text)
    node = start_node(path)
    try:
        first = node.pipeline.query(lambda e: int(e.machine["block"])).result(10)
        wait_for(
            lambda: node.pipeline.query(lambda e: int(e.machine["block"])).result(10) > first + 2
        )
        assert node.views.wait(first)
        assert node.history.fetch_blocks(None, 1)
    finally:
        node.stop()


def test_more_than_the_queue_holds_is_refused_whole_and_says_when_to_come_again(tmp_path):
    node = start_node(write_zone(tmp_path, more="queues: {leaves: 64}"))
    try:
        signer = make_signers(node.separator)[2]
        leaves = [signer.noop() for _ in range(65)]
        with pytest.raises(BusyError) as caught:
            node.pipeline.submit(Submission(leaves, node.clock.now(), ignore))
        assert caught.value.retry_after_ms > 0
        assert node.pipeline.under_way == 0
        assert get_results(send(node, *leaves[:64])) == [0] * 64
    finally:
        node.stop()


@pytest.mark.parametrize(
    "leaf", [b"", b"\x01" * 17, b"\x02" * 5000, b"\xff"], ids=["empty", "mark", "long", "unknown"]
)
def test_what_cannot_be_an_envelope_is_refused_at_the_door(node, leaf):
    with pytest.raises(ServiceError):
        node.pipeline.submit(Submission([leaf], 0, ignore))
    with pytest.raises(ServiceError):
        node.pipeline.submit(Submission([], 0, ignore))
    assert node.pipeline.under_way == 0


def test_who_no_longer_waits_for_an_answer_stops_nobody(node):
    """A client that is gone cancels what it waited for; the thread that answers once died of that."""

    async def ask_and_leave():
        pending = [node.pipeline.query(ignore) for _ in range(20)]
        pending += [node.views.ask("ticker", 1) for _ in range(20)]
        waiting = [asyncio.wrap_future(future) for future in pending]
        for future in waiting:
            future.cancel()
        return pending

    pending = asyncio.run(ask_and_leave())
    assert not any(future.cancelled() for future in pending)
    for future in pending:
        future.exception(30)  # answered, one way or the other
    assert node.is_ready
    assert node.pipeline.query(lambda e: int(e.machine["block"])).result(30) >= 0


def test_a_disk_error_stops_the_zone_and_answers_everybody(node):
    def fail(descriptor):
        raise OSError(28, "No space left on device")

    signer = make_signers(node.separator)[2]
    node.sequencer._journal._sync = fail
    (answer,) = send(node, place(signer))
    assert isinstance(answer, StoppingError)
    assert "No space left" in str(answer)
    wait_for(lambda: node.pipeline.failure is not None)
    assert not node.is_healthy
    assert not node.is_ready
    with pytest.raises(StoppingError):
        node.pipeline.submit(Submission([signer.noop()], 0, ignore))
    with pytest.raises(StoppingError):
        node.pipeline.query(ignore)


def test_an_error_of_a_listener_stops_the_zone(node):
    node.listeners.add_listener(break_down)
    send(node, make_signers(node.separator)[2].noop())
    wait_for(lambda: node.pipeline.failure is not None)
    assert not node.is_healthy


def test_stopping_finishes_what_is_under_way(zone_folder):
    node = start_node(zone_folder)
    signers = make_signers(node.separator)
    done, found = threading.Event(), []

    def deliver(answers):
        found.extend(answers)
        done.set()

    leaves = [place(signers[2], price="50", tif="post_only") for _ in range(200)]
    node.pipeline.submit(Submission(leaves, node.clock.now(), deliver))
    node.stop()
    assert done.is_set()
    assert get_results(found) == [0] * 200
    with pytest.raises(StoppingError):
        node.pipeline.submit(Submission(leaves[:1], 0, deliver))
    node.stop()


def test_a_restart_goes_on_where_it_stopped_with_the_same_books_and_history(zone_folder):
    node = start_node(zone_folder)
    signers = make_signers(node.separator)
    send(node, place(signers[2], "sell", "60", "3", "post_only", "ask"))
    send(node, place(signers[3], "buy", "60", "1"))
    send(node, place(signers[4], "buy", "59", "2", "post_only"))
    wait_for(lambda: node.views.get_trades(MARKET.slot))
    node.pipeline.stop()
    head, block = node.sequencer.head, node.sequencer.block
    assert node.views.wait(block)
    depth, ticker = node.views.get_depth(MARKET.slot), node.views.get_ticker(MARKET.slot)
    node.stop()

    again = start_node(zone_folder)
    try:
        assert (again.report.last_block, again.report.torn_bytes) == (block, 0)
        restored = again.views.get_depth(MARKET.slot)
        assert (restored.bids, restored.asks, restored.checksum) == (
            depth.bids,
            depth.asks,
            depth.checksum,
        )
        new = again.views.get_ticker(MARKET.slot)
        assert new[3:] == ticker[3:]
        assert again.history.fetch_trades(MARKET.slot, None, 10)[0].price == 6000
        assert again.history.find_order(2, b"ask".ljust(16, b"\0")).state == "Partially filled"
        (row,) = again.history.fetch_blocks(block + 1, 1)
        assert row.head == head
        (answer,) = send(
            again, make_signers(again.separator)[2].cancel(build_cancel(client_id="ask"))
        )
        assert answer.result == 0
    finally:
        again.stop()


def test_two_processes_cannot_have_one_folder(node, zone_folder):
    from tradezone.service import Node, load_config, read_lock

    with pytest.raises(ZoneLockedError, match="test"):
        Node(load_config(zone_folder))
    assert read_lock(node.config.directory)["name"] == "test"


def test_under_a_flood_of_more_than_a_block_intake_forgets_what_was_executed(tmp_path):
    more = "queues: {screen_leaves: 7}"
    path = write_zone(tmp_path, more=more)
    path.write_text(
        path.read_text().replace("{key_file: key}", "{key_file: key, max_block_leaves: 9}")
    )
    node = start_node(path)
    try:
        signers = make_signers(node.separator)
        forgotten, real = [], node.sequencer.intake.forget_pending
        node.sequencer.intake.forget_pending = lambda: (forgotten.append(1), real())
        leaves = [signers[2 + n % 4].noop() for n in range(400)]
        for n in range(0, 400, 5):
            node.pipeline.submit(Submission(leaves[n : n + 5], node.clock.now(), ignore))
        wait_for(lambda: node.pipeline.under_way == 0)
        assert len(forgotten) > 20
        # more than a block at once is taken alone, in as many blocks as it needs
        answers = send(node, *(signers[2].noop() for _ in range(60)))
        assert get_results(answers) == [0] * 60
        assert len({answer.block.closed.number for answer in answers}) >= 7
    finally:
        node.stop()


def test_answers_of_many_threads_go_to_who_asked(node):
    signers = make_signers(node.separator)
    failures = []

    def work(owner):
        for n in range(10):
            leaf = signers[owner].place(
                build_place(MARKET, "buy", "40", "1", tif="post_only", client_id=f"{owner}-{n}")
            )
            (answer,) = send(node, leaf)
            raw = answer.block.closed.leaves[answer.seq - answer.block.closed.first_seq]
            if raw != leaf or answer.result:
                failures.append((owner, n, answer))

    threads = [threading.Thread(target=work, args=(owner,)) for owner in (2, 3, 4, 5)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert time.monotonic() - began < 60
