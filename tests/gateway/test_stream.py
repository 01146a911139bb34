"""WebSocket: subscriptions without gaps, private streams, order entry, cancel on disconnect, slow consumers."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time

import pytest
from sequencer_zone import KEYS, MARKET, USD
from service_zone import make_signers, place, send, start_node, wait_for, write_zone
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tradezone.client import OrderTracker, Signer, build_cancel
from tradezone.client.session import sign_session
from tradezone.client.zone import PartingNonces, SteppedNonces
from tradezone.gateway import BackgroundServer
from tradezone.gateway.errors import Problem
from tradezone.gateway.orders import encode_frames
from tradezone.protocol.errors import Code
from tradezone.views import Change, DepthBook, DepthSnapshot, DepthUpdate, Level


class Client:
    def __init__(self, url, **options):
        self.socket = connect(url.replace("http", "ws") + "/v1/stream", **options)
        self.pushed = []
        self.number = 0

    def ask(self, op, **fields):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "op": op, **fields}))
        while True:
            message = json.loads(self.socket.recv(timeout=30))
            if message.get("id") == self.number:
                return message
            self.pushed.append(message)

    def get(self, channel, condition=bool):
        """Next pushed message of a channel that fits."""
        for message in self.pushed:
            if message.get("channel") == channel and condition(message):
                self.pushed.remove(message)
                return message
        while True:
            message = json.loads(self.socket.recv(timeout=30))
            if message.get("channel") == channel and condition(message):
                return message
            self.pushed.append(message)

    def log_in(self, node, owner, key=None):
        request = sign_session(
            key or KEYS[owner - 1], node.separator, owner, owner, now=node.clock.now()
        )
        return self.ask("login", session=request.to_json())

    def close(self):
        self.socket.close()


def open_raw(url):
    """A connection without a library: what is done with its socket is done at once."""
    host, port = url.removeprefix("http://").split(":")
    sock = socket.create_connection((host, int(port)))
    sock.sendall(
        b"GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert b"101" in sock.recv(4_096)
    return sock


def send_raw(sock, **fields):
    body, mask = json.dumps(fields).encode(), b"\1\2\3\4"
    masked = bytes(c ^ mask[i % 4] for i, c in enumerate(body))
    sock.sendall(struct.pack(">BBH", 0x81, 0x80 | 126, len(body)) + mask + masked)


@pytest.fixture
def client(served):
    client = Client(served[1])
    yield client
    client.close()


@pytest.fixture
def signers(served):
    return make_signers(served[0].separator)


def read_snapshot(message):
    data = message["data"]
    sides = [
        tuple(Level(level["price"], int(level["lots"]), level["orders"]) for level in data[side])
        for side in ("bids", "asks")
    ]
    return DepthSnapshot(message["market"], int(data["seq"]), *sides, data["checksum"])


def read_update(message):
    data = message["data"]
    changes = tuple(Change(side, price, int(lots), n) for side, price, lots, n in data["changes"])
    return DepthUpdate(
        message["market"], int(data["previous"]), int(data["seq"]), changes, data["checksum"]
    )


def test_a_book_follows_from_its_snapshot_on_and_every_checksum_agrees(served, client, signers):
    node, _ = served
    send(node, place(signers[2], "sell", "80", "1", "post_only"))
    assert client.ask("subscribe", args=[{"channel": "book", "market": 1}])["ok"]
    book = DepthBook(1)
    book.restore(read_snapshot(client.get("book", lambda m: m["type"] == "snapshot")))
    for n in range(10):
        send(node, place(signers[2 + n % 4], "buy", str(20 + n), "1", "post_only"))
    send(node, place(signers[3], "buy", "80", "0.3", "ioc"))
    wait_for(lambda: node.views.get_trades(1))
    target = node.views.get_depth(1)
    while book.seq < target.seq:
        assert book.apply(read_update(client.get("book", lambda m: m["type"] == "update")))
    assert book.get_snapshot() == target


def test_trades_tickers_candles_and_blocks_are_pushed(served, client, signers):
    node, _ = served
    args = [
        {"channel": "trades", "market": 1},
        {"channel": "ticker", "market": 1},
        {"channel": "candles", "market": 1, "interval": "1m"},
        {"channel": "blocks"},
    ]
    assert client.ask("subscribe", args=args)["ok"]
    send(node, place(signers[4], "sell", "33.33", "1", "post_only"))
    send(node, place(signers[5], "buy", "33.33", "1", "ioc"))
    (trade,) = client.get("trades")["data"]
    assert (trade["price"], trade["lots"], trade["side"]) == (3333, "100", "buy")
    assert "taker_account" not in trade
    assert client.get("ticker", lambda m: m["data"]["last"] == 3333)
    assert client.get("candles", lambda m: m["data"]["close"] == 3333)["interval"] == "1m"
    assert int(client.get("blocks")["data"]["number"]) > 0


def test_an_owner_hears_what_happens_to_its_orders_and_money_and_nobody_else_does(
    served, client, signers
):
    node, url = served
    other = Client(url)
    assert client.log_in(node, 2)["ok"]
    assert other.log_in(node, 3)["ok"]
    for one, account in ((client, 2), (other, 3)):
        args = [{"channel": name, "account": account} for name in ("orders", "balances")]
        assert one.ask("subscribe", args=args)["ok"]
        one.get("balances")
    send(node, place(signers[2], "sell", "44", "2", "post_only", "watched"))
    send(node, place(signers[3], "buy", "44", "0.5", "ioc"))
    tracker = OrderTracker([2])
    while not any(order.filled for order in tracker.orders.values()):
        message = client.get("orders", lambda m: m.get("type") != "snapshot")
        for event in message["data"]:
            row = {k: int(v) if k != "type" else 0 for k, v in event.items()}
            assert 3 not in (row["account"], row["other_account"]), "the other party is not told"
            tracker.apply([row])
    order = tracker.find(2, b"watched".ljust(16, b"\0"))
    assert (order.filled, order.open) == (50, 150)
    seen = client.get("balances", lambda m: any(int(r["locked"]) for r in m["data"]))
    assert {row["asset"] for row in seen["data"]} == {1, 2}
    names = [
        event["type"]
        for event in other.get("orders", lambda m: m.get("type") != "snapshot")["data"]
    ]
    assert "ORDER_WAITING" in names
    other.close()


def test_private_channels_need_the_right_session(served, client):
    node, _ = served
    for channel in ("orders", "balances", "positions"):
        args = [{"channel": channel, "account": 2}]
        answer = client.ask("subscribe", args=args)
        assert answer["error"]["code"] == Problem.UNAUTHORIZED
    assert client.log_in(node, 2)["ok"]
    for channel in ("orders", "balances", "positions"):
        for account in (0, 1, 3, 7, 99):
            answer = client.ask("subscribe", args=[{"channel": channel, "account": account}])
            assert answer["error"]["code"] == Problem.FORBIDDEN
        assert client.ask("subscribe", args=[{"channel": channel, "account": 2}])["ok"]
    assert client.ask("logout")["ok"]
    assert client.ask("subscribe", args=[{"channel": "orders", "account": 2}])["ok"] is False


def test_orders_by_message_and_by_frame(served, client, signers):
    leaf = place(signers[4], "buy", "11", "1", "post_only")
    assert client.ask("order", envelopes=["0x" + leaf.hex()])["ok"]
    result = client.pushed.pop() if client.pushed else json.loads(client.socket.recv(timeout=30))
    assert result["op"] == "order_result"
    assert result["data"][0]["items"][0]["status"] == "resting"
    leaves = [place(signers[4], "buy", "12", "1", "post_only"), signers[4].noop()[:-1]]
    client.socket.send(struct.pack(">I", 77) + encode_frames(leaves))
    data = client.socket.recv(timeout=30)
    assert isinstance(data, bytes)
    assert struct.unpack_from(">I", data) == (77,)
    status, code, seq, block, result, items = struct.unpack_from(">BHQQIB", data, 4)
    assert (status, code, result, items) == (0, 0, 0, 1)
    assert min(seq, block) > 0
    status, code = struct.unpack_from(">BH", data, 4 + 24 + 10)
    assert (status, code) == (1, Code.MALFORMED)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"op": "nothing"}',
        '{"op": "__init__"}',
        '{"op": "subscribe"}',
        '{"op": "subscribe", "args": [{"channel": "nothing"}]}',
        '{"op": "subscribe", "args": [{"channel": "book", "market": 99}]}',
        '{"op": "subscribe", "args": [{"channel": "candles", "market": 1, "interval": "2m"}]}',
        '{"op": "login"}',
        '{"op": "order", "envelopes": []}',
        '{"op": "order", "envelopes": ["0x01"]}',
        '{"op": "cancel_on_disconnect", "envelopes": ["0x02"]}',
        "[" * 50_000,
    ],
)
def test_what_does_not_fit_is_refused_and_the_connection_goes_on(client, text):
    client.socket.send(text)
    answer = json.loads(client.socket.recv(timeout=30))
    assert answer["ok"] is False
    assert answer["error"]["text"]
    assert client.ask("ping")["data"]["time"]


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0\1", b"\0\0\0\1\0\0", b"\0\0\0\1\0\x05ab"])
def test_frames_that_do_not_add_up_are_refused(client, data):
    client.socket.send(data)
    assert json.loads(client.socket.recv(timeout=30))["ok"] is False
    assert client.ask("ping")["ok"]


def test_a_deposited_cancel_all_is_sent_once_however_the_connection_ends(served, signers):
    node, url = served
    key, separator = KEYS[4], node.separator
    signer = Signer(key, 5, 5, separator, nonces=SteppedNonces())
    leaver = Signer(key, 5, 5, separator, nonces=PartingNonces())
    for is_clean in (True, False):
        parting = "0x" + leaver.cancel_all().hex()
        if is_clean:
            client = Client(url)
            wrong = "0x" + signer.noop().hex()
            assert client.ask("cancel_on_disconnect", envelopes=[wrong])["ok"] is False
            assert client.ask("cancel_on_disconnect", envelopes=[parting])["ok"]
        else:
            raw = open_raw(url)
            send_raw(raw, op="cancel_on_disconnect", envelopes=[parting])
            assert b'"ok":true' in raw.recv(4_096)
        send(node, place(signer, "buy", "3", "1", "post_only", f"c{is_clean}"))
        name = f"c{is_clean}".encode().ljust(16, b"\0")
        wait_for(lambda name=name: node.history.find_order(5, name) is not None)
        assert node.history.find_order(5, name).state == "Open"
        if is_clean:
            client.close()
        else:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.close()  # RST: no farewell
        wait_for(lambda name=name: node.history.find_order(5, name).state == "Canceled", 30)
    kept = Client(url)
    assert kept.ask("cancel_on_disconnect", envelopes=["0x" + leaver.cancel_all().hex()])["ok"]
    assert kept.ask("cancel_on_disconnect")["ok"]  # taken back
    send(node, place(signer, "buy", "3", "1", "post_only", "stays"))
    kept.close()
    time.sleep(0.3)
    (answer,) = send(node, signer.cancel(build_cancel(client_id="stays")))
    assert answer.result == 0


def test_a_consumer_that_does_not_read_is_dropped_with_a_reason_and_the_zone_goes_on(tmp_path):
    text = write_zone(tmp_path)
    text.write_text(text.read_text().replace("{port: 0}", "{port: 0, send_queue_bytes: 65536}"))
    node = start_node(text)
    server = BackgroundServer(node)
    try:
        sock = socket.create_connection((server.server.host, server.server.port))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.sendall(
            b"GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        body = json.dumps(
            {"op": "subscribe", "args": [{"channel": "blocks"}, {"channel": "book", "market": 1}]}
        )
        mask = b"\1\2\3\4"
        masked = bytes(c ^ mask[i % 4] for i, c in enumerate(body.encode()))
        signers = make_signers(node.separator)
        send(node, *(place(signers[2], "buy", str(1 + n), "1", "post_only") for n in range(50)))
        wait_for(lambda: node.metrics.connections._value.get() == 1)
        with contextlib.suppress(OSError):  # every answer is a snapshot that nobody reads
            sock.sendall((bytes([0x81, 0x80 | len(body)]) + mask + masked) * 5_000)
        wait_for(lambda: node.metrics.connections._value.get() == 0, 20)
        assert (
            'tradezone_dropped_connections_total{reason="1013"} 1.0'
            in node.metrics.render().decode()
        )
        assert node.is_ready
        sock.close()
    finally:
        server.stop()


def test_one_address_cannot_take_all_connections(tmp_path):
    text = write_zone(tmp_path)
    text.write_text(
        text.read_text().replace(
            "{port: 0}", "{port: 0, max_connections_per_ip: 3, requests_per_minute: 12}"
        )
    )
    node = start_node(text)
    server = BackgroundServer(node)
    try:
        clients = [Client(server.url) for _ in range(3)]
        with pytest.raises((ConnectionClosed, OSError, Exception)) as caught:
            Client(server.url).ask("ping")
        assert "AssertionError" not in repr(caught.value)
        clients[0].close()
        wait_for(lambda: node.metrics.connections._value.get() == 2)
        again = Client(server.url)
        assert again.ask("ping")["ok"]
        import httpx

        statuses = [httpx.get(server.url + "/v1/time").status_code for _ in range(4)]
        assert statuses == [200, 200, 429, 429]
        limited = httpx.get(server.url + "/v1/time")
        assert limited.json()["error"]["name"] == "RATE_LIMITED"
        assert int(limited.headers["retry-after"]) >= 1
        assert httpx.get(server.url + "/healthz").status_code == 200, "probes are not limited"
        for client in (*clients[1:], again):
            client.close()
    finally:
        server.stop()


def test_an_idle_peer_that_is_gone_is_closed(tmp_path):
    text = write_zone(tmp_path)
    text.write_text(text.read_text().replace("{port: 0}", "{port: 0, idle_seconds: 2}"))
    node = start_node(text)
    server = BackgroundServer(node)
    try:
        sock = socket.create_connection((server.server.host, server.server.port))
        sock.sendall(
            b"GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        wait_for(lambda: node.metrics.connections._value.get() == 1)
        wait_for(
            lambda: node.metrics.connections._value.get() == 0, 20
        )  # half-open: it answers nothing
        sock.close()
    finally:
        server.stop()


def test_messages_other_than_orders_are_bounded_and_orders_are_not(served, client, signers):
    answers = [client.ask("ping") for _ in range(230)]
    refused = [answer["error"] for answer in answers if not answer["ok"]]
    assert refused
    assert {error["name"] for error in refused} == {"RATE_LIMITED"}
    assert all(error["retry_after_ms"] > 0 for error in refused)
    assert all(answer["ok"] for answer in answers[:200])
    for _ in range(20):
        assert client.ask("order", envelopes=["0x" + signers[3].noop().hex()])["ok"]


def test_going_down_tells_every_connection(tmp_path):
    node = start_node(write_zone(tmp_path))
    server = BackgroundServer(node)
    client = Client(server.url)
    assert client.ask("ping")["ok"]
    server.stop()
    with pytest.raises(ConnectionClosed) as caught:
        client.socket.recv(timeout=30)
    assert caught.value.rcvd is None or caught.value.rcvd.code in (1001, 1012)
    assert server.status == 0


def test_a_session_of_rest_serves_the_stream_too(served, client):
    node, _ = served
    token = client.log_in(node, 4)["data"]["token"]
    assert client.ask("login", token=token)["ok"]
    assert client.ask("login", token="x")["error"]["code"] == Problem.UNAUTHORIZED
    assert USD.id == 1
    assert MARKET.slot == 1
