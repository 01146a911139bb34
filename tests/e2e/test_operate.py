"""A zone as a service on a real chain: it hears L1, through a node that is slow or takes blocks back, and is operated."""

from __future__ import annotations

import shutil
import socket
import socketserver
import threading
import time
from urllib.parse import urlparse

import httpx
import pytest

from tests.e2e.conftest import SEQUENCER, STRANGER
from tradezone.chain import Rpc
from tradezone.gateway import BackgroundServer
from tradezone.service import Node, SteadyClock, read_config

WAIT_S = 120.0


def wait_for(condition, seconds=WAIT_S):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


class SlowProxy(socketserver.ThreadingTCPServer):
    """Hands requests on to a node, after a while, or not at all."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, target):
        self.target = urlparse(target)
        self.delay, self.is_dead, self.requests = 0.0, False, 0
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        server = self.server
        with socket.create_connection((server.target.hostname, server.target.port)) as node:
            back = threading.Thread(target=self._copy_back, args=(node,), daemon=True)
            back.start()
            while data := self.request.recv(1 << 16):
                server.requests += 1
                if server.is_dead:
                    return
                time.sleep(server.delay)
                node.sendall(data)

    def _copy_back(self, node):
        try:
            while data := node.recv(1 << 16):
                self.request.sendall(data)
        except OSError:
            pass


def write_config(folder, zone, rpc, epoch=1):
    key = folder / "key"
    key.write_text(zone.secret.hex())
    key.chmod(0o600)
    text = (
        f"name: operated\ndata: data\n"
        f"domain: {{chain_id: {zone.rpc.chain_id()},"
        f" contract: '{zone.deployment.address('chain')}'}}\n"
        f"sequencer: {{key_file: key, epoch: {epoch}, idle_block_ms: 500}}\n"
        f"batches: {{milliseconds: 1000}}\n"
        f"gateway: {{port: 0}}\n"
        f"l1: {{rpc: '{rpc}', inbox: '{zone.deployment.address('inbox')}', poll_ms: 100,"
        f" confirmations: 0}}\n"
    )
    return read_config(text, "zone.yaml", folder)


def open_node(folder, zone, rpc, epoch=1):
    """A service whose clock is that of the chain, which the tests before have moved on."""
    ahead = zone.rpc.head().time * 10**9 - time.time_ns()
    clock = SteadyClock(lambda: time.time_ns() + ahead)
    return Node(write_config(folder, zone, rpc, epoch), clock=clock)


@pytest.fixture
def hearing(zone, tmp_path):
    """A service on a copy of the zone's folder, and the proxy through which it hears L1."""
    shutil.copytree(zone.directory, tmp_path / "data")
    with SlowProxy(zone.rpc.url) as proxy:
        node = open_node(tmp_path, zone, proxy.url)
        node.start()
        yield node, proxy
        node.stop()
        proxy.shutdown()


def get_heard(node):
    return node.pipeline.query(lambda engine: int(engine.machine["inbox"])).result(30)


def test_through_a_slow_node_and_one_that_dies_it_hears_everything_in_order(
    zone, hearing, script, deployed
):
    node, proxy = hearing
    wait_for(lambda: get_heard(node) == zone.reader.message_count())
    proxy.delay = 0.7  # seconds a request
    script("deposit", "native", "1", account=STRANGER, deployment=deployed)
    wait_for(lambda: get_heard(node) == zone.reader.message_count())
    proxy.is_dead = True
    script("deposit", "native", "2", account=STRANGER, deployment=deployed)
    before, asked = get_heard(node), proxy.requests
    wait_for(lambda: proxy.requests > asked + 1)
    assert get_heard(node) == before < zone.reader.message_count()
    assert node.is_ready
    assert node.pipeline.failure is None
    proxy.is_dead, proxy.delay = False, 0.0
    wait_for(lambda: get_heard(node) == zone.reader.message_count())
    assert node.sequencer.inbox[1] == zone.reader.inbox.call("prefixHash", get_heard(node))


def test_a_reorganisation_behind_what_was_executed_ends_the_zone_by_name(
    zone, hearing, script, deployed
):
    node, _ = hearing
    wait_for(lambda: get_heard(node) == zone.reader.message_count())
    rpc = Rpc(zone.rpc.url)
    snapshot = rpc.request("evm_snapshot")
    script("deposit", "native", "1", account=STRANGER, deployment=deployed)
    wait_for(lambda: get_heard(node) == zone.reader.message_count())
    last = node.sequencer.block
    rpc.request("evm_revert", snapshot)
    rpc.request("anvil_mine", "0x3")
    wait_for(lambda: node.pipeline.failure is not None)
    assert "no longer the same" in str(node.pipeline.failure)
    assert not node.is_healthy
    assert node.sequencer.block >= last, "what was executed stays executed, for a person to judge"


def test_operate_posts_claims_and_watches_and_says_what_is_wrong(
    zone, tmp_path, script, deployed, accounts
):
    shutil.copytree(zone.directory, tmp_path / "data")
    node = open_node(tmp_path, zone, zone.rpc.url)
    node.start()
    server = BackgroundServer(node)
    try:
        count = zone.reader.message_count()
        wait_for(lambda: get_heard(node) == count)
        first = len(list((tmp_path / "data" / "batches").glob("*.json")))
        wait_for(lambda: len(list((tmp_path / "data" / "batches").glob("*.json"))) > first)
        # zone time is real time here, and a commit may not be ahead of L1's
        zone.rpc.request("evm_increaseTime", 60)
        zone.rpc.request("anvil_mine", "0x1")
        done = script(
            "operate",
            *["--data", tmp_path / "data", "--url", server.url],
            *["--rounds", 2, "--every", 0.2],
            account=SEQUENCER,
            deployment=deployed,
        )
        assert done.status == 0, done.text
        assert done.json["committed"] > 3
        assert done.json["claimed"] > 3
        assert (done.json["rounds"], done.json["alarms"]) == (2, 0)
        assert int(done.json["zone_block"]) <= node.sequencer.block
        with httpx.Client(base_url=server.url, timeout=30) as http:
            assert http.get("/readyz").status_code == 200
        alone = script(
            "operate",
            *["--data", tmp_path / "data", "--url", "http://127.0.0.1:1"],
            *["--rounds", 1],
            account=SEQUENCER,
            deployment=deployed,
            as_json=False,
        )
        assert alone.status == 0
        assert "alarm: http://127.0.0.1:1 does not answer" in alone.text
        wrong = script(
            "operate", "--data", tmp_path / "data", "--rounds", 1,
            account=STRANGER, deployment=deployed,
        )  # fmt: skip
        assert wrong.status != 0
        assert "the sequencer of epoch" in wrong.text
    finally:
        server.stop()


def test_alarms_are_said_long_before_the_limits():
    from scripts.operate import find_alarms

    class Reader:
        """Two messages, the second 1,000 s old."""

        def message_count(self):
            return 2

        def messages(self, first, end):
            from tradezone.protocol.messages import Message

            return [
                Message(n, 3, bytes(20), 9_000, n, bytes(8)).to_bytes() for n in range(first, end)
            ]

    calm = {"inbox": "2", "time": "10000000", "l1_time": "9999000"}
    assert find_alarms(Reader(), calm, 10_000, 3_600) == []
    assert (
        "message 1 is 1000 s old" in find_alarms(Reader(), calm | {"inbox": "1"}, 10_000, 3_600)[0]
    )
    assert find_alarms(Reader(), calm | {"inbox": "1"}, 9_500, 3_600) == []
    assert "reorganised" in find_alarms(Reader(), calm | {"inbox": "3"}, 10_000, 3_600)[0]
    assert (
        "heartbeat is 1000 s old"
        in find_alarms(Reader(), calm | {"l1_time": "9000000"}, 10_000, 3_600)[0]
    )
