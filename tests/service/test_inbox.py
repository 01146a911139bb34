"""The inbox from L1: a node that is away, messages that come, a chain that takes back what was executed."""

from __future__ import annotations

import pytest
from sequencer_zone import build_inbox
from service_zone import make_signers, send, start_node, wait_for, write_zone

from tradezone.chain import ChainError, ReorgError
from tradezone.protocol import messages
from tradezone.service import Node, ServiceError, load_config

L1 = """\
l1: {rpc: "http://127.0.0.1:1", inbox: "0x0000000000000000000000000000000000000001", poll_ms: 100}
"""


class FakeWatcher:
    """Answers polls from a list; an exception among them is raised."""

    def __init__(self, answers):
        self.answers = list(answers)
        self.polls = 0

    def poll(self):
        self.polls += 1
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def node(tmp_path):
    node = Node(load_config(write_zone(tmp_path, more=L1)))
    yield node
    node.stop()


def test_a_node_that_is_away_does_not_keep_the_zone_from_running(node):
    node.start()
    wait_for(lambda: node.pipeline.query(lambda e: int(e.machine["seq"])).result(30) >= 1)
    assert node.is_ready
    assert node.is_healthy
    with pytest.raises(ServiceError, match="L1"):
        node.get_local_inbox()


def test_messages_of_l1_reach_the_zone_and_what_fails_in_between_is_tried_again(node):
    inbox = build_inbox()
    half = len(inbox) // 2
    node.inbox.watcher = FakeWatcher(
        [ChainError("down"), inbox[:half], ChainError("down"), inbox[half:]]
    )
    node.start()
    index = lambda: node.pipeline.query(lambda e: int(e.machine["inbox"])).result(30)  # noqa: E731
    wait_for(lambda: index() == len(inbox))
    assert node.inbox.last_poll > 0
    assert "tradezone_l1_heartbeat_age_seconds" in node.metrics.render().decode()
    assert node.sequencer.inbox[0] == len(inbox)


def test_a_chain_that_takes_back_what_was_executed_ends_the_zone(node):
    inbox = build_inbox()
    node.inbox.watcher = FakeWatcher([inbox, [], ReorgError(1, 2, 0, "L1 replaced blocks 1 to 2")])
    node.start()
    wait_for(lambda: node.pipeline.failure is not None)
    assert "replaced blocks" in str(node.pipeline.failure)
    assert not node.is_healthy


def test_a_gap_in_what_l1_says_ends_the_zone(node):
    node.inbox.watcher = FakeWatcher([build_inbox()[1:]])
    node.start()
    wait_for(lambda: node.pipeline.failure is not None)
    assert "inbox message" in str(node.pipeline.failure)


def test_a_local_zone_makes_its_own_heartbeats_and_goes_on_counting_after_a_restart(tmp_path):
    path = write_zone(tmp_path)
    node = start_node(path)
    index = node.get_local_inbox().offer(messages.HEARTBEAT, batch=0)
    wait_for(lambda: node.pipeline.query(lambda e: int(e.machine["inbox"])).result(30) == index + 1)
    node.stop()
    again = start_node(path)
    try:
        second = again.get_local_inbox().offer(messages.HEARTBEAT, batch=0)
        assert second == index + 2  # one came with the start
        (answer,) = send(again, make_signers(again.separator)[2].noop())
        assert answer.result == 0
    finally:
        again.stop()
