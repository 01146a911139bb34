import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chain.fake_chain import CHAIN_ID, INBOX_ADDRESS, FakeChain, NodeError, unreachable
from tradezone.chain import (
    CursorError,
    InboxWatcher,
    IncompleteLogsError,
    ReorgError,
    Rpc,
    RpcError,
    WrongChainError,
)
from tradezone.chain.watcher import Cursor
from tradezone.protocol.messages import Message


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 0.0
        self.pauses = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


def watch(chain, path, *, start=None, confirmations=2, time=None, chain_id=None):
    time = time or Time()
    rpc = Rpc("http://fake", transport=chain, chain_id=chain_id)
    return InboxWatcher(
        rpc,
        INBOX_ADDRESS,
        Path(path) / "cursor.json",
        start=start,
        confirmations=confirmations,
        clock=time.clock,
        sleep=time.sleep,
    )


@pytest.fixture
def chain():
    chain = FakeChain()
    chain.mine([b"a"])
    chain.mine([b"b", b"c"])
    chain.mine()
    chain.mine([b"d"])
    return chain


def test_messages_come_in_order_once_when_enough_blocks_lie_on_top(chain, tmp_path):
    watcher = watch(chain, tmp_path)
    assert watcher.poll() == chain.raw_messages()[:3]
    assert watcher.poll() == []
    chain.mine()
    assert watcher.poll() == []
    chain.mine()
    assert watcher.poll() == chain.raw_messages()[3:]
    assert watcher.next_index == 4


def test_the_safe_block_counts_where_no_depth_is_given(chain, tmp_path):
    chain.safe_depth = 3
    watcher = watch(chain, tmp_path, confirmations=None)
    assert watcher.poll() == chain.raw_messages()[:1]
    chain.safe_depth = 0
    assert watcher.poll() == chain.raw_messages()[1:]


def test_a_node_without_safe_block_is_an_error_never_a_guess(chain, tmp_path):
    with pytest.raises(RpcError, match="invalid block tag"):
        watch(chain, tmp_path, confirmations=None).poll()


def test_an_empty_inbox_is_no_error(tmp_path):
    chain = FakeChain()
    watcher = watch(chain, tmp_path, confirmations=0)
    assert watcher.poll() == []
    chain.mine([b"first"])
    assert watcher.poll() == chain.raw_messages()


def test_a_restart_goes_on_where_the_consumer_stands(chain, tmp_path):
    watch(chain, tmp_path, confirmations=0).poll()
    for start in range(5):
        again = watch(chain, tmp_path, start=start, confirmations=0)
        assert again.poll() == chain.raw_messages()[start:]


def test_a_lost_cursor_is_found_again_from_the_consumers_index(chain, tmp_path):
    watch(chain, tmp_path, confirmations=0).poll()
    (tmp_path / "cursor.json").unlink()
    assert watch(chain, tmp_path, start=2, confirmations=0).poll() == chain.raw_messages()[2:]


def test_the_consumers_own_prefix_hash_is_compared_with_l1(chain, tmp_path):
    prefix = chain._prefixHash(2)
    rpc = Rpc("http://fake", transport=chain)
    path = tmp_path / "cursor.json"
    watcher = InboxWatcher(rpc, INBOX_ADDRESS, path, start=2, prefix=prefix, confirmations=0)
    assert watcher.poll() == chain.raw_messages()[2:]
    watcher = InboxWatcher(rpc, INBOX_ADDRESS, path, start=2, prefix=bytes(32), confirmations=0)
    with pytest.raises(ReorgError, match="the consumer's 2 messages"):
        watcher.poll()


def test_a_consumer_ahead_of_the_chain_is_told(chain, tmp_path):
    with pytest.raises(IncompleteLogsError, match="holds 9 messages, the inbox has 4"):
        watch(chain, tmp_path, start=9).poll()


# --- re-organisations --------------------------------------------------------------------------------


def test_a_reorg_above_the_confirmation_depth_goes_unnoticed(chain, tmp_path):
    watcher = watch(chain, tmp_path)
    watcher.poll()
    chain.reorg(2, [[b"x"], [], []])
    assert watcher.poll() == chain.raw_messages()[3:4]


def test_a_reorg_of_handed_out_messages_stops_the_watcher_and_names_the_blocks(chain, tmp_path):
    watcher = watch(chain, tmp_path, confirmations=0)
    watcher.poll()
    chain.mine([b"e"])
    watcher.poll()
    chain.reorg(1, [[b"other"], []])
    with pytest.raises(ReorgError, match="blocks 5 to 5") as caught:
        watcher.poll()
    assert (caught.value.first, caught.value.last, caught.value.index) == (5, 5, 4)
    with pytest.raises(ReorgError):
        watch(chain, tmp_path, confirmations=0).poll()


def test_a_reorg_while_the_watcher_was_down_is_found(chain, tmp_path):
    watch(chain, tmp_path, confirmations=0).poll()
    chain.reorg(4, [[b"a"], [b"b"], [], [], []])
    with pytest.raises(ReorgError, match="no longer the same"):
        watch(chain, tmp_path, start=4, confirmations=0).poll()


def test_a_reorg_that_drops_a_handed_out_message_is_found(chain, tmp_path):
    watcher = watch(chain, tmp_path, confirmations=0)
    watcher.poll()
    chain.reorg(1, [[], []])
    with pytest.raises(ReorgError):
        watcher.poll()


def test_replaced_blocks_without_handed_out_messages_are_no_harm(chain, tmp_path):
    watcher = watch(chain, tmp_path, confirmations=0)
    watcher.poll()
    chain.mine()
    watcher.poll()
    chain.reorg(1, [[b"new"], [b"newer"]])
    assert watcher.poll() == chain.raw_messages()[4:]
    assert watcher.poll() == []


def test_a_node_that_is_behind_is_waited_for(chain, tmp_path):
    watcher = watch(chain, tmp_path, confirmations=0)
    watcher.poll()
    ahead = chain.blocks.pop()
    assert watcher.poll() == []
    chain.blocks.append(ahead)
    chain.mine([b"e"])
    assert watcher.poll() == chain.raw_messages()[4:]


# --- nodes that misbehave ----------------------------------------------------------------------------


def test_errors_are_tried_again_with_growing_pauses(chain, tmp_path):
    time = Time()
    watcher = watch(chain, tmp_path, confirmations=0, time=time)
    chain.failures = [unreachable(), NodeError(-32000, "busy"), unreachable()]
    assert watcher.poll() == chain.raw_messages()
    assert time.pauses == sorted(time.pauses)
    assert len(time.pauses) == 3


def test_an_error_leaves_poll_when_patience_ends_and_nothing_is_lost(chain, tmp_path):
    watcher = watch(chain, tmp_path, confirmations=0)
    chain.failures = [unreachable() for _ in range(100)]
    with pytest.raises(RpcError, match="no node answers"):
        watcher.poll()
    chain.failures = []
    assert watcher.poll() == chain.raw_messages()


@pytest.mark.parametrize("hidden", [{0}, {2}, {3}, {1, 2, 3}])
def test_messages_that_a_node_leaves_out_are_missed(chain, tmp_path, hidden):
    watcher = watch(chain, tmp_path, confirmations=0)
    chain.hidden = hidden
    with pytest.raises(IncompleteLogsError):
        watcher.poll()
    chain.hidden = set()
    assert watcher.poll() == chain.raw_messages()


def test_a_range_that_is_too_much_for_the_node_is_split(chain, tmp_path):
    for i in range(40):
        chain.mine([bytes([i])])
    chain.max_range = 7
    assert watch(chain, tmp_path, confirmations=0).poll() == chain.raw_messages()


def test_another_chain_is_refused(chain, tmp_path):
    with pytest.raises(
        WrongChainError, match=f"expected chain id 5, http://fake serves {CHAIN_ID}"
    ):
        watch(chain, tmp_path, chain_id=5).poll()


def test_a_cursor_of_another_chain_or_inbox_is_refused(chain, tmp_path):
    watch(chain, tmp_path).poll()
    path = tmp_path / "cursor.json"
    body = json.loads(path.read_text())
    path.write_text(json.dumps(body | {"chain_id": 5}))
    with pytest.raises(CursorError, match="written on chain 5, this is 196"):
        watch(chain, tmp_path).poll()
    path.write_text(json.dumps(body | {"inbox": "0x" + "22" * 20}))
    with pytest.raises(CursorError, match="cursor of inbox 0x2222"):
        watch(chain, tmp_path)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": 1, "checkpoints": [[1]]}'])
def test_a_damaged_cursor_is_an_error_with_a_way_out(chain, tmp_path, content):
    (tmp_path / "cursor.json").write_text(content)
    with pytest.raises(CursorError, match="delete it"):
        watch(chain, tmp_path)


# --- crashes -----------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process died here."""


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_a_kill_while_the_cursor_is_written_leaves_the_old_one(chain, tmp_path, monkeypatch, step):
    watcher = watch(chain, tmp_path)
    consumed = watcher.poll()
    before = Cursor.load(tmp_path / "cursor.json")
    chain.mine()
    chain.mine()

    def die(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path if step == "replace" else os, step, die)
        with pytest.raises(Killed):
            watcher.poll()
    assert Cursor.load(tmp_path / "cursor.json") == before
    consumed += watch(chain, tmp_path, start=len(consumed)).poll()
    assert consumed == chain.raw_messages()


def test_a_kill_after_the_cursor_was_written_loses_nothing_that_the_consumer_missed(
    chain, tmp_path, monkeypatch
):
    watcher = watch(chain, tmp_path)
    consumed = watcher.poll()
    chain.mine()
    chain.mine()
    watcher.poll()  # the consumer died before it wrote these down
    consumed += watch(chain, tmp_path, start=len(consumed)).poll()
    assert consumed == chain.raw_messages()


# --- everything at once ------------------------------------------------------------------------------

PAYLOADS = st.lists(st.binary(max_size=3), max_size=2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("mine"), st.lists(PAYLOADS, min_size=1, max_size=4)),
        st.tuples(st.just("reorg"), st.integers(1, 4), st.lists(PAYLOADS, min_size=1, max_size=5)),
        st.just(("poll",)),
        st.just(("restart",)),
        st.just(("crash",)),
        st.tuples(st.just("fail"), st.integers(1, 4)),
        st.tuples(st.just("hide"), st.integers(0, 6)),
    ),
    max_size=25,
)


@given(steps=STEPS, confirmations=st.integers(0, 3))
def test_whatever_happens_the_consumer_holds_the_chains_messages_or_is_stopped(  # noqa: C901 - one step a branch
    steps, confirmations, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("cursor")
    chain = FakeChain()
    consumed, highest = [], 0
    watcher = watch(chain, folder, start=0, confirmations=confirmations)
    steps = [*steps, ("restart",), ("mine", [[b"end"], *[[]] * 150]), ("poll",), ("poll",)]
    for step, *arguments in steps:
        if step == "mine":
            for payloads in arguments[0]:
                chain.mine(payloads)
        elif step == "reorg":
            chain.reorg(*arguments)
        elif step == "fail":
            chain.failures = [unreachable() for _ in range(arguments[0])]
        elif step == "hide":
            chain.hidden = {arguments[0]}
        elif step == "restart":
            watcher = watch(chain, folder, start=len(consumed), confirmations=confirmations)
        else:
            is_same = consumed == chain.raw_messages()[: len(consumed)]
            try:
                new = watcher.poll()
            except ReorgError:
                assert not is_same
                return
            except IncompleteLogsError:
                assert chain.hidden or chain.head < highest  # incomplete, or behind what was seen
                chain.hidden = set()
                continue
            highest = max(highest, chain.head)
            if step == "crash":  # between the cursor's write and the consumer's
                watcher = watch(chain, folder, start=len(consumed), confirmations=confirmations)
                continue
            consumed += new
            if new:
                assert is_same
            safe = chain.raw_messages(chain.head - confirmations)
            if is_same and new:
                assert consumed[: len(safe)] == safe
            assert [Message.from_bytes(raw).index for raw in consumed] == list(range(len(consumed)))
    assert consumed == chain.raw_messages(chain.head - confirmations)
