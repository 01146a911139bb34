"""Thousands of connections that do nothing, hundreds that mean harm, and some whose other end is gone: trading goes on.

How many: ``TRADEZONE_IDLE_CONNECTIONS`` (10,000 for a full run) and ``TRADEZONE_ABUSIVE_CONNECTIONS`` (1,000).
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import select
import socket
import struct
import threading
import time
from pathlib import Path

import httpx
import pytest
from sequencer_zone import KEYS
from service_zone import get_results, make_signers, place, send, start_node, wait_for, write_zone

from tradezone.client import Signer
from tradezone.client.zone import PartingNonces
from tradezone.gateway import BackgroundServer

IDLE = int(os.environ.get("TRADEZONE_IDLE_CONNECTIONS", "400"))
ABUSIVE = int(os.environ.get("TRADEZONE_ABUSIVE_CONNECTIONS", "80"))
KIB_A_CONNECTION = 96  # both ends are in this process
ANSWER_S = 20.0  # on a machine that is busy with other things too
HANDSHAKE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@contextlib.contextmanager
def serve(folder, **limits):
    """A node behind a gateway with some limits of its own."""
    text = write_zone(folder)
    more = "".join(f", {name}: {value}" for name, value in limits.items())
    text.write_text(text.read_text().replace("{port: 0}", f"{{port: 0{more}}}"))
    node = start_node(text)
    server = BackgroundServer(node)
    try:
        yield node, (server.server.host, server.server.port)
    finally:
        server.stop()
        assert server.status == 0


@pytest.fixture
def descriptors():
    """As many open files as this process may have; returns how many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield (hard - 512) // 2  # a connection has two ends here
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def upgrade(address):
    sock = socket.create_connection(address, timeout=60)
    sock.sendall(HANDSHAKE)
    assert b" 101 " in sock.recv(4_096)
    return sock


def wrap(opcode, data, mask=b"\1\2\3\4"):
    size = len(data)
    head = bytes([0x80 | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    else:
        head += struct.pack(">BH", 0x80 | 126, size)
    return head + mask + bytes(c ^ mask[i % 4] for i, c in enumerate(data))


def get_memory():
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def check_trading(node, signers, price):
    """Orders are answered, and soon."""
    began = time.monotonic()
    answers = send(
        node, *(place(signer, "buy", price, "0.01", "ioc") for signer in signers.values())
    )
    assert get_results(answers) == [0] * len(answers)
    assert time.monotonic() - began < ANSWER_S


def test_connections_that_do_nothing_cost_little_and_hold_nobody_up(tmp_path, descriptors):
    count = min(IDLE, descriptors)
    assert count >= min(IDLE, 9_000), "raise the limit of open files"
    with serve(tmp_path, max_connections=count + 8, max_connections_per_ip=count + 8) as (
        node,
        address,
    ):
        signers = make_signers(node.separator)
        check_trading(node, signers, "20")
        before = get_memory()
        idle = [upgrade(address) for _ in range(count)]
        gauge = node.metrics.connections
        wait_for(lambda: gauge._value.get() == count)
        assert (get_memory() - before) / count < KIB_A_CONNECTION * 1_024
        check_trading(node, signers, "21")
        with httpx.Client(base_url=f"http://{address[0]}:{address[1]}", timeout=ANSWER_S) as http:
            assert http.get("/readyz").status_code == 200
            assert http.get("/v1/markets/1/book").status_code == 200
        ready, _, _ = select.select(idle[:500], [], [], 0)
        assert ready == [], "nobody was closed, or told anything"
        for sock in idle:
            sock.close()
        wait_for(lambda: gauge._value.get() == 0)
        check_trading(node, signers, "22")


def abuse(address, chance, stop):
    """One bad client: connects and does one of many things that no client should do."""
    kind = chance.randrange(9)
    with contextlib.suppress(OSError, AssertionError):
        sock = socket.create_connection(address, timeout=5)
        if kind == 0:
            sock.sendall(chance.randbytes(2_000))
        elif kind == 1:
            sock.sendall(HANDSHAKE[: chance.randrange(1, len(HANDSHAKE))])
        elif kind == 2:
            sock.sendall(b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        else:
            sock.close()
            sock = upgrade(address)
            if kind == 3:
                sock.sendall(chance.randbytes(4_000))  # no frames
            elif kind == 4:
                sock.sendall(b"\x82\x7f" + struct.pack(">Q", 1 << 40))  # a terabyte is announced
            elif kind == 5:
                sock.sendall(wrap(2, chance.randbytes(3_000)))  # binary frame of noise
            elif kind == 6:
                sock.sendall(wrap(1, b"\xff\xfe{not utf-8"))
            elif kind == 7:
                for n in range(200):
                    sock.sendall(wrap(1, b'{"id":%d,"op":"subscribe","args":[]}' % n))
            else:  # subscribes and never reads
                sock.sendall(
                    wrap(1, b'{"id":1,"op":"subscribe","args":[{"channel":"book","market":1}]}')
                )
        stop.wait(chance.random() * 3)
        if chance.random() < 0.5:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


def test_connections_that_mean_harm_harm_nobody(tmp_path, descriptors):
    count = min(ABUSIVE, descriptors)
    with serve(
        tmp_path, max_connections=count + 64, max_connections_per_ip=count + 64, idle_seconds=2
    ) as (node, address):
        signers = make_signers(node.separator)
        stop = threading.Event()
        threads = [
            threading.Thread(target=abuse, args=(address, random.Random(n), stop))
            for n in range(count)
        ]
        for thread in threads:
            thread.start()
        for n in range(6):
            check_trading(node, signers, f"2{n}")
            time.sleep(0.2)
        stop.set()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        assert node.pipeline.failure is None
        assert node.pipeline.under_way == 0
        wait_for(lambda: node.metrics.connections._value.get() == 0, 30)
        check_trading(node, signers, "29")


def test_one_address_is_refused_more_than_its_share_and_others_are_not(tmp_path):
    with serve(tmp_path, max_connections_per_ip=3) as (node, address):
        mine = [upgrade(address) for _ in range(3)]
        for _ in range(20):
            sock = socket.create_connection(address, timeout=30)
            sock.sendall(HANDSHAKE)
            assert b" 403 " in sock.recv(4_096)
            sock.close()
        assert node.metrics.connections._value.get() == 3
        for sock in mine:
            sock.close()
        wait_for(lambda: node.metrics.connections._value.get() == 0)
        upgrade(address).close()


def vanish(sock):
    """Let a connection's end be gone without a word, as if its machine had lost power; False if that cannot be done."""
    repair = 19  # TCP_REPAIR: a socket that is closed in this state sends nothing
    try:
        sock.setsockopt(socket.IPPROTO_TCP, repair, 1)
    except OSError:
        return False
    sock.close()
    return True


@pytest.mark.parametrize("way", ["gone", "deaf"])
def test_a_peer_that_is_gone_without_a_word_is_found_and_its_orders_are_cancelled(tmp_path, way):
    with serve(tmp_path, idle_seconds=2) as (node, address):
        signer = make_signers(node.separator)[5]
        leaver = Signer(KEYS[4], 5, 5, node.separator, nonces=PartingNonces())
        sock = upgrade(address)
        leaf = "0x" + leaver.cancel_all().hex()
        text = f'{{"id":1,"op":"cancel_on_disconnect","envelopes":["{leaf}"]}}'
        sock.sendall(wrap(1, text.encode()))
        assert b'"ok":true' in sock.recv(4_096)
        assert get_results(send(node, place(signer, "buy", "3", "1", "post_only", "mine"))) == [0]
        count = lambda: node.pipeline.query(  # noqa: E731
            lambda engine: int(engine.tables["account"]["order_count"][5])
        ).result(30)
        assert count() == 1
        if way == "gone" and not vanish(sock):
            pytest.skip("needs the right to repair connections (CAP_NET_ADMIN)")
        wait_for(lambda: count() == 0, 30)
        wait_for(lambda: node.metrics.connections._value.get() == 0, 30)
        sock.close()
