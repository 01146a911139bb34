"""The views' process: killed, stopped, starved and behind, it never holds trading up, and comes back to where the zone is."""

from __future__ import annotations

import os
import signal
import socket
import time
from dataclasses import replace

import numpy as np
import pytest
from sequencer_zone import MARKET
from service_zone import get_results, make_signers, place, send, start_node, wait_for, write_zone

from tradezone.protocol.events import EVENT_DTYPE, ORDER_CANCELLED
from tradezone.sequencer import BlockReceipts
from tradezone.service import ViewsError
from tradezone.service.views import Views
from tradezone.service.wire import encode


@pytest.fixture
def busy_node(tmp_path):
    """A node whose queue to the views holds next to nothing."""
    node = start_node(write_zone(tmp_path, more="views: {queue_bytes: 1048576}"))
    yield node
    node.stop()


def trade(node, count, signers=None):
    """Some trades at rising prices; returns the last one's price, ticks."""
    signers = signers or make_signers(node.separator)
    for n in range(count):
        price = str(60 + n)
        answers = send(
            node,
            place(signers[2], "sell", price, "1", "post_only"),
            place(signers[3], "buy", price, "1", "ioc"),
        )
        assert get_results(answers) == [0, 0]
        # the taker waits for its delay: without this the next maker would be met at another price
        wait_for(lambda: node.sequencer.engine.next_release() is None)
    return (60 + count - 1) * 100


def check_views(node, last, count):
    """Market data and history say what the journal says."""
    assert node.views.wait(node.sequencer.block, 120)
    assert node.views.get_ticker(MARKET.slot).last == last
    assert len(node.views.get_trades(MARKET.slot)) == count
    found = node.history.fetch_trades(MARKET.slot, None, 1_000)
    assert [trade.price for trade in found] == [
        trade.price for trade in node.views.get_trades(MARKET.slot)
    ]
    numbers = [row.number for row in node.history.fetch_blocks(None, 1_000)]
    assert numbers == list(range(numbers[0], 0, -1))


def test_killed_they_come_back_without_a_gap_and_trading_never_stopped(node):
    heard = []
    node.views.listen(heard.extend, lambda key, value: heard.append((key, value)))
    begun = []
    node.views.subscribe(("book", MARKET.slot, 0), lambda *told: begun.append(told))
    trade(node, 2)
    wait_for(lambda: begun)
    assert node.views.wait(node.sequencer.block)
    os.kill(node.views.pid, signal.SIGKILL)
    wait_for(lambda: not node.views.is_ready)
    with pytest.raises(ViewsError):
        node.views.ask("depth", MARKET.slot)
    assert node.is_ready
    heard.clear()
    last = trade(node, 3)  # beside views that are gone, or just starting
    check_views(node, last, 5)
    assert node.views.starts == 2
    # who had subscribed is given a new snapshot, and every update behind it
    key, snapshot = heard[0]
    assert key == ("book", MARKET.slot, 0)
    seq = snapshot.seq
    for _, update in heard[1:]:
        assert update.previous == seq
        seq = update.seq
    assert seq == node.views.get_depth(MARKET.slot).seq


def test_killed_again_and_again_they_still_come_back(node):
    for _ in range(3):
        wait_for(lambda: node.views.is_ready, 120)
        os.kill(node.views.pid, signal.SIGKILL)
        wait_for(lambda: not node.views.is_ready)
        last = trade(node, 1)
    check_views(node, last, 3)


def test_stopped_in_its_tracks_it_drops_blocks_and_takes_them_from_the_journal(busy_node):
    node = busy_node
    signers = make_signers(node.separator)
    trade(node, 1, signers)
    os.kill(node.views.pid, signal.SIGSTOP)
    try:
        answers = []
        deadline = time.monotonic() + 120
        while not node.views.dropped and time.monotonic() < deadline:
            leaves = [place(signers[2 + n % 4], "buy", "20", "0.01", "ioc") for n in range(300)]
            answers += get_results(send(node, *leaves))
        assert node.views.dropped, "a queue of a megabyte took everything"
        assert answers.count(0) == len(answers)  # trading did not notice
    finally:
        os.kill(node.views.pid, signal.SIGCONT)
    last = trade(node, 2, signers)
    check_views(node, last, 3)
    assert node.views.starts == 1


def test_what_is_asked_when_they_die_fails_and_is_not_left_open(node):
    os.kill(node.views.pid, signal.SIGSTOP)
    asked = [node.views.ask("depth", MARKET.slot) for _ in range(5)]
    os.kill(node.views.pid, signal.SIGKILL)
    for future in asked:
        with pytest.raises(ViewsError):
            future.result(30)


def test_a_message_that_they_cannot_handle_is_an_error_of_who_asked(node):
    with pytest.raises(ViewsError, match="AttributeError"):
        node.views.ask("what_is_not_there").result(30)
    assert node.views.get_depth(MARKET.slot).bids == ()


def test_an_orphan_ends_by_itself(tmp_path):
    views = Views(tmp_path, bytes(32), 0, 1 << 20, {})
    views.start()
    process = views._session.process
    views._session.sock.shutdown(socket.SHUT_RDWR)
    assert process.wait(60) is not None
    views.stop()


def test_a_store_that_breaks_under_it_is_made_anew(node):
    trade(node, 1)
    assert node.views.wait(node.sequencer.block)
    # what the process is told contradicts what it stored: it gives the store up
    block = node.history.fetch_blocks(None, 1)[0]
    receipts = _forge_receipts(node, block.number + 1)
    node.views._session.put(encode("block", receipts, _forge_events(node)))
    wait_for(lambda: node.views.starts == 2, 60)
    last = trade(node, 1)
    check_views(node, last, 2)


def _forge_receipts(node, number):
    receipt = node.history.fetch_receipt(1)
    head = replace(receipt.block_head, block=number, count=1)
    return BlockReceipts(head, bytes(32), [0], [0], b"")


def _forge_events(node):
    rows = np.zeros(1, EVENT_DTYPE)
    rows["kind"], rows["order"] = ORDER_CANCELLED, 99
    rows["seq"] = node.views.get_ticker(MARKET.slot).seq + 1
    return rows
