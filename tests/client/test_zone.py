"""The SDK against a real zone: from import to fill, errors as types, reconnection, repair of gaps."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from decimal import Decimal

import pytest

from tradezone.client import (
    BusyError,
    ClientError,
    DisconnectedError,
    NotFoundError,
    OrderState,
    RefusedError,
    RejectedError,
    SignatureError,
    Zone,
    ZoneError,
)
from tradezone.client._wire import MAX_FRAME, Address, HttpPool, WebSocket
from tradezone.client.errors import to_error
from tradezone.client.session import MAX_SESSION_MS
from tradezone.client.zone import PARTING_CELL, PartingNonces, SteppedNonces
from tradezone.gateway.demo import SYMBOLS, make_key
from tradezone.protocol.limits import NONCE_CELLS


@pytest.fixture(scope="module")
def demo():
    with Zone.demo() as zone:
        yield zone


def test_ten_lines_from_import_to_fill(demo):
    alice, bob = demo.alice, demo.bob
    alice.sell("OKB/USD", "2", price="60.00", tif="post_only")
    order = bob.buy("OKB/USD", "1.5", price="60.00")
    done = bob.wait_done(order)
    assert done.state == OrderState.FILLED
    fill = bob.fetch_fills()[0]
    assert (fill["price"], fill["size"], fill["role"]) == (
        Decimal("60.00"),
        Decimal("1.50"),
        "taker",
    )
    assert fill["fee"] == Decimal("0.045")
    alice.cancel_all()


def test_balances_are_exact_decimals(demo):
    alice = demo.alice
    before = alice.fetch_balances()["USD"]
    order = alice.buy("OKB/USD", "1", price="10.01", tif="post_only")
    after = alice.fetch_balances()["USD"]
    assert after.locked - before.locked == before.free - after.free > Decimal("10.01")
    (row,) = [row for row in alice.fetch_open_orders("OKB/USD") if int(row["id"]) == order.id]
    assert (row["price"], row["open"]) == (Decimal("10.01"), Decimal(1))
    alice.amend(order, "0.5", mode="shrink")
    alice.cancel(order)
    assert alice.fetch_balances()["USD"] == before
    with pytest.raises(RejectedError) as caught:
        alice.cancel(order)
    assert caught.value.name == "ORDER_NOT_FOUND"


def test_a_market_order_goes_no_further_than_its_slippage(demo):
    alice, bob = demo.alice, demo.bob
    alice.sell("OKB/USD", "1", price="70.00", tif="post_only")
    alice.sell("OKB/USD", "1", price="80.00", tif="post_only")
    order = bob.buy("OKB/USD", "2", slippage="5%")
    done = bob.wait_done(order)
    assert (done.state, done.filled) == (OrderState.PARTIALLY_FILLED_AND_CANCELED, 100)
    alice.cancel_all()
    time.sleep(0.05)
    with pytest.raises(ZoneError, match="nobody sells"):
        bob.buy("OKB/USD", "2")


def test_what_cannot_be_sent_is_refused_before_it_is(demo):
    alice = demo.alice
    for size, price in (("0.001", "60"), ("1", "60.001"), (1.5, "60"), ("-1", "60")):
        with pytest.raises(ClientError):
            alice.buy("OKB/USD", size, price=price)
    with pytest.raises(NotFoundError, match="OKB/USD"):
        alice.buy("X/Y", "1", price="1")
    with pytest.raises(RejectedError) as caught:
        alice.buy("OKB/USD", "9999", price="9999")
    assert caught.value.name == "INSUFFICIENT_BALANCE"
    assert caught.value.hint
    with pytest.raises(ClientError, match="key"):
        demo.connect().fetch_balances()


def test_a_wrong_key_hears_whose_signature_it_was(demo):
    alice = demo.alice
    leaf = alice.zone.signer.noop()
    forged = leaf[:-65] + make_key("bob").sign_digest(bytes(32))
    with pytest.raises(SignatureError) as caught:
        alice.send(forged)
    assert caught.value.details["expected"] == "0x" + make_key("alice").address.hex()
    alice.send(leaf)
    with pytest.raises(RefusedError) as caught:
        alice.send(leaf)
    assert caught.value.name == "NONCE_USED"
    with pytest.raises(NotFoundError):
        demo.connect("nobody")


class Proxy:
    """A wire between client and zone that can be cut."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.writers = set()

    async def start(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader, writer):
        try:
            other_reader, other_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.close()
            return
        self.writers |= {writer, other_writer}
        await asyncio.gather(
            self._copy(reader, other_writer),
            self._copy(other_reader, writer),
            return_exceptions=True,
        )

    async def _copy(self, reader, writer):
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    def cut(self):
        """End every connection without a farewell."""
        for writer in self.writers:
            raw = writer.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        self.writers.clear()


@pytest.mark.anyio
async def test_a_cut_wire_is_mended_and_what_was_missed_is_looked_up(demo):
    server = demo._server.server
    proxy = Proxy(server.host, server.port)
    url = await proxy.start()
    alice = await Zone.connect(url, make_key("alice"), symbols=SYMBOLS)
    bob = await Zone.connect(demo.url, make_key("bob"), symbols=SYMBOLS)
    book = await alice.open_book("OKB/USD")
    order = await alice.sell("OKB/USD", "3", price="50.00", tif="post_only")
    waiting = asyncio.create_task(alice.wait_done(order))
    await asyncio.sleep(0.05)
    proxy.cut()
    taken = await bob.buy("OKB/USD", "3", price="50.00")
    assert (await bob.wait_done(taken)).state == OrderState.FILLED
    done = await asyncio.wait_for(waiting, 30)
    assert (done.state, done.filled) == (OrderState.FILLED, 300)
    assert alice.stream.connections >= 2
    resting = await bob.sell("OKB/USD", "1", price="51.00", tif="post_only")
    async with asyncio.timeout(30):
        while not any(level.price == 5100 for level in book.depth.get_levels(1)):
            await book.wait()
    await bob.cancel(resting)
    await alice.close()
    await bob.close()
    proxy.server.close()


@pytest.mark.anyio
async def test_a_lost_update_is_noticed_and_repaired(demo):
    bob = await Zone.connect(demo.url, make_key("bob"), symbols=SYMBOLS)
    book = await bob.open_book("OKB/USD")
    real, lost = book._take, []

    def drop_one(message):
        if message["type"] == "update" and not lost:
            lost.append(message)
        else:
            real(message)

    bob.stream._handlers["book", 1, ""] = drop_one
    for price in ("21.00", "22.00", "23.00"):
        await bob.buy("OKB/USD", "1", price=price, tif="post_only")
    async with asyncio.timeout(30):
        while not (
            book.depth.is_synced and any(lv.price == 2300 for lv in book.depth.get_levels(0))
        ):
            await book.wait()
    assert lost
    assert book.repairs >= 1
    assert {level.price for level in book.depth.get_levels(0)} >= {2100, 2200, 2300}
    await bob.cancel_all()
    await bob.close()


@pytest.mark.anyio
async def test_orders_of_a_program_that_dies_are_cancelled(demo):
    server = demo._server.server
    proxy = Proxy(server.host, server.port)
    url = await proxy.start()
    alice = await Zone.connect(url, make_key("alice"), symbols=SYMBOLS)
    await alice.cancel_on_disconnect()
    order = await alice.buy("OKB/USD", "1", price="9.00", tif="post_only")
    alice.stream._task.cancel()  # it will not come again
    proxy.cut()
    looker = await Zone.connect(demo.url, make_key("alice"), symbols=SYMBOLS)
    async with asyncio.timeout(30):
        while (await looker.follow(order)).state.is_active:
            looker._tracker.orders.clear()
            await asyncio.sleep(0.05)
    await looker.buy("OKB/USD", "1", price="9.00", tif="post_only")  # nonces go on
    await looker.cancel_all()
    await looker.close()
    alice.rest.close()
    proxy.server.close()


@pytest.mark.anyio
async def test_programs_of_one_key_sign_in_within_the_same_millisecond(demo):
    """A gateway takes a session request once, so two of them must not be the same."""
    zone = await Zone.connect(demo.url, make_key("alice"), symbols=SYMBOLS)
    signed = [zone._sign_session(1_000_000) for _ in range(50)]
    assert len({request.get_digest(zone.separator) for request in signed}) > 40
    assert all(0 < request.expires - request.issued <= MAX_SESSION_MS for request in signed)
    await zone.close()


def test_nonces_of_deposits_have_a_cell_of_their_own():
    now = [1_000_000]
    ordinary, parting = SteppedNonces(lambda: now[0]), PartingNonces(lambda: now[0])
    seen, kept = [], []
    for step in range(500):
        now[0] += step % 3
        seen.append(ordinary.take())
        kept.append(parting.take())
    for nonces in (seen, kept):
        assert nonces == sorted(set(nonces))
    assert all(nonce % NONCE_CELLS != PARTING_CELL for nonce in seen)
    assert all(nonce % NONCE_CELLS == PARTING_CELL for nonce in kept)


# --- the wire ----------------------------------------------------------------------------------------


async def serve_raw(answer):
    async def handle(reader, writer):
        await reader.read(4096)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, Address("127.0.0.1", server.sockets[0].getsockname()[1], False, "")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\nab",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000,
    ],
)
async def test_a_broken_answer_is_a_typed_error(answer):
    server, address = await serve_raw(answer)
    with pytest.raises(DisconnectedError):
        await HttpPool(address).request("GET", "/")
    with pytest.raises(DisconnectedError):
        await WebSocket.connect(address, "/")
    server.close()


@pytest.mark.anyio
async def test_chunked_answers_are_put_together():
    body = (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    )
    server, address = await serve_raw(body)
    assert (await HttpPool(address).request("GET", "/")).body == b"abcde"
    server.close()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "frame",
    [
        b"\x81\x80\0\0\0\0",  # masked
        b"\xc1\x00",  # reserved bit
        b"\x83\x00",  # unknown opcode
        b"\x82\x7f" + (MAX_FRAME + 1).to_bytes(8, "big"),
        b"\x88\x02\x03\xe8",  # farewell
        b"",
    ],
)
async def test_a_frame_that_breaks_the_protocol_ends_the_connection(frame):
    reader = asyncio.StreamReader()
    reader.feed_data(frame)
    reader.feed_eof()

    class Nowhere:
        def write(self, data):
            pass

        async def drain(self):
            pass

    with pytest.raises(DisconnectedError):
        await WebSocket(reader, Nowhere()).receive()


def test_answers_become_types():
    assert isinstance(
        to_error({"code": 1000, "name": "BUSY", "text": "x", "retry_after_ms": 5}), BusyError
    )
    assert isinstance(to_error({"code": 6, "name": "BAD_SIGNATURE"}, RefusedError), SignatureError)
    assert isinstance(to_error({}), ZoneError)


@pytest.fixture
def anyio_backend():
    return "asyncio"
