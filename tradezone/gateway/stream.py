"""WebSocket: subscriptions, private streams, order entry, cancel on disconnect.

A message is JSON text; orders may also come in binary frames (`tradezone.gateway.orders`), with a request number in
front. What a client asks is answered with its ``id``; what it subscribed to comes with ``channel``.

Invariants:

* On a channel nothing is left out or repeated behind its snapshot: a book's updates name the one before.
* A connection that takes its messages slower than they come is closed with 1013 and a reason, never thinned out.
* What was deposited for the case of a disconnect is sent exactly once, when the connection ends, however it ends.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tradezone.protocol.actions import CANCEL_ALL, Envelope
from tradezone.protocol.events import FILL
from tradezone.sequencer import EventLog
from tradezone.service import ServiceError, perps, state
from tradezone.views.stream import KIND_NAMES

from .errors import ApiError, ErrorBody, Problem, to_api_error
from .limits import RateLimiter
from .orders import (
    EnvelopeBody,
    answer_json,
    decode_envelopes,
    decode_frames,
)
from .rest import INTERVAL_NAMES
from .schemas import SessionBody, to_book, to_candle, to_ticker, to_trade

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from tradezone.engine import Engine
    from tradezone.service import Metrics, Node, Told
    from tradezone.views import DepthUpdate, Event

    from .door import Door
    from .sessions import Session, Sessions

_log = EventLog("gateway.stream")

PUBLIC: Final = ("book", "trades", "candles", "ticker", "blocks")
MARKET_DATA: Final = ("book", "trades", "candles", "ticker")  # made by the views
PRIVATE: Final = ("orders", "balances", "positions", "pools")
STATES: Final = ("balances", "positions", "pools")  # told whole, as they are
MAX_MESSAGE: Final = 1 << 17
_REQUEST: Final = struct.Struct(">I")
_SLOW: Final = 1013
_GOING: Final = 1001
_POLICY: Final = 1008
_TOO_BIG: Final = 1009
_WIDE: Final = frozenset(
    (
        "seq",
        "leaf",
        "order",
        "other_order",
        "lots",
        "left",
        "amount",
        "amount2",
        "client_id0",
        "client_id1",
    )
)
_BLOCKS: Final = ("blocks", 0, 0)
_INTERVALS: Final = {width: name for name, width in INTERVAL_NAMES.items()}
Key = tuple[str, int, int]  # channel, market or account, interval


class Argument(msgspec.Struct, forbid_unknown_fields=True):
    """What is subscribed to."""

    channel: str
    market: int = 0
    account: int = 0
    interval: str = ""


class Message(msgspec.Struct, forbid_unknown_fields=True):
    """What a client sends."""

    op: str
    id: str | int | None = None
    args: list[Argument] = []
    session: SessionBody | None = None
    token: str = ""
    envelopes: list[EnvelopeBody | str] = []


class Connection:
    """One client. Its own task sends; whoever has something for it only appends.

    Parameters
    ----------
    send : callable
        of ASGI
    limit : int
        bytes that may wait
    messages_per_minute : int
        messages other than orders that may come
    """

    def __init__(
        self,
        send: Callable[[dict[str, Any]], Awaitable[None]],
        limit: int,
        messages_per_minute: int = 1_200,
    ) -> None:
        self._send = send
        self._limit = limit
        self._asked = RateLimiter(messages_per_minute)
        self._queue: deque[str | bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self.keys: set[Key] = set()
        self.session: Session | None = None
        self.parting: bytes | None = None  # leaf that is sent when the connection ends
        self.closed: tuple[int, str] | None = None

    def count(self) -> None:
        """Count a message that is no order. ApiError RATE_LIMITED if it is one too many."""
        allowance = self._asked.take("")
        if not allowance.is_allowed:
            text = f"more than {allowance.limit} messages a minute, orders apart"
            raise ApiError(Problem.RATE_LIMITED, text, retry_after_ms=allowance.reset_ms)

    def push(self, message: str | bytes) -> None:
        """Append a message; a consumer that is too far behind is marked to be closed."""
        if self.closed:
            return
        self._queue.append(message)
        self._bytes += len(message)
        if self._bytes > self._limit:
            self.close(_SLOW, f"slow consumer: {self._bytes} bytes wait, {self._limit} may")
        self._wake.set()

    def close(self, code: int, reason: str) -> None:
        """Have the connection closed; what waits is dropped."""
        if not self.closed:
            self.closed = (code, reason)
            self._queue.clear()
            self._wake.set()

    async def run_sender(self) -> None:
        """Send what is appended until the connection is to be closed."""
        while not self.closed:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
                continue
            message = self._queue.popleft()
            self._bytes -= len(message)
            name = "text" if isinstance(message, str) else "bytes"
            await self._send({"type": "websocket.send", name: message})


class Hub:
    """Who is subscribed to what; runs in the event loop.

    Parameters
    ----------
    node : Node
        the zone
    door : Door
        queries
    """

    def __init__(self, node: Node, door: Door) -> None:
        self._node = node
        self._door = door
        self._subscribers: dict[Key, set[Connection]] = {}
        self._reading: set[Key] = set()  # balances, positions, pools that are being read
        self._again: set[Key] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        node.listeners.add_listener(self._hear)
        node.views.listen(self._hear_views, self._begin_again)

    def _hear(self, told: Told) -> None:
        """On the publisher's thread."""
        if told.private or _BLOCKS in self._subscribers:
            self._door.call(lambda: self._publish(told))

    def _hear_views(self, changes: list[tuple[Key, Any]]) -> None:
        """On the thread that hears the views."""
        self._door.call(lambda: self._publish_changes(changes))

    def _begin_again(self, key: Key, snapshot: Any) -> None:
        """On the same: the views began anew."""
        self._door.call(lambda: self._push(key, lambda: show_snapshot(key, snapshot)))

    def begin(self, key: Key, connection: Connection) -> None:
        """Have a connection hear of market data, from a snapshot on."""

        def begin(_: Key, snapshot: Any) -> None:
            self._door.call(lambda: self._begin(key, connection, snapshot))

        self._node.views.subscribe(key, begin)

    def _begin(self, key: Key, connection: Connection, snapshot: Any) -> None:
        if key not in connection.keys:  # it has left meanwhile
            if key not in self._subscribers:
                self._node.views.unsubscribe(key)
            return
        self._subscribers.setdefault(key, set()).add(connection)
        if snapshot is not None:
            connection.push(encode(show_snapshot(key, snapshot)))

    def add(self, key: Key, connection: Connection) -> None:
        """Subscribe a connection; to market data it is subscribed once `begin` has its snapshot."""
        connection.keys.add(key)
        if key[0] in MARKET_DATA:
            return
        self._subscribers.setdefault(key, set()).add(connection)
        if key[0] in PRIVATE:
            self._node.listeners.listen_to(key[1])

    def remove(self, key: Key, connection: Connection) -> None:
        """Take a subscription back; nothing happens if there is none."""
        if key not in connection.keys:
            return
        connection.keys.discard(key)
        others = self._subscribers.get(key, set())
        others.discard(connection)
        if not others:
            self._subscribers.pop(key, None)
            if key[0] in MARKET_DATA:
                self._node.views.unsubscribe(key)
        if key[0] in PRIVATE:
            self._node.listeners.stop_listening_to(key[1])

    def _push(self, key: Key, body: Callable[[], dict[str, Any]]) -> None:
        connections = self._subscribers.get(key)
        if connections:
            text = encode(body())
            for connection in connections:
                connection.push(text)

    def _publish_changes(self, changes: list[tuple[Key, Any]]) -> None:
        for key, change in changes:
            self._push(key, lambda key=key, change=change: show_change(key, change))  # type: ignore[misc]

    def _publish(self, told: Told) -> None:
        self._push(
            _BLOCKS,
            lambda: {
                "channel": "blocks",
                "data": {
                    "number": str(told.number),
                    "time": str(told.time),
                    "first_seq": str(told.first_seq),
                    "leaves": told.leaves,
                    "head": "0x" + told.head.hex(),
                },
            },
        )
        for account, events in told.private.items():
            self._push(
                ("orders", account, 0),
                lambda account=account, events=events: show_events(account, told, events),  # type: ignore[misc]
            )
            for channel in STATES:
                self.read_soon((channel, account, 0))

    def read_soon(self, key: Key) -> None:
        """Read balances, positions or pools behind the running block and push them; once, however often it is asked."""
        if key not in self._subscribers:
            return
        if key in self._reading:
            self._again.add(key)
            return
        self._reading.add(key)
        task = asyncio.ensure_future(self._read(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, key: Key) -> None:
        channel, account, _ = key
        fetch = _FETCH[channel]
        try:
            while key in self._subscribers:
                self._again.discard(key)
                rows, stamp = await self._door.query(
                    lambda engine: (fetch(engine, account), state.fetch_stamp(engine))
                )
                if channel == "pools":
                    rows = await asyncio.to_thread(perps.build_pools, rows)
                body = {"channel": channel, "account": account, "block": stamp.block, "data": rows}
                self._push(key, lambda body=body: body)  # type: ignore[misc]
                if key not in self._again:
                    return
        except ServiceError:
            return  # the zone goes down: the connection will hear of it
        finally:
            self._reading.discard(key)


_FETCH: Final[dict[str, Callable[[Engine, int], Any]]] = {
    "balances": state.fetch_balances,
    "positions": state.fetch_holdings,
    "pools": perps.copy_margin,
}


def encode(body: Any) -> str:
    """Return a message as it is sent."""
    return msgspec.json.encode(body).decode()


def show_update(update: DepthUpdate) -> dict[str, Any]:
    """Return a book's update as it is pushed."""
    return {
        "channel": "book",
        "market": update.market,
        "type": "update",
        "data": {
            "previous": str(update.previous),
            "seq": str(update.seq),
            "changes": [[c.side, c.price, str(c.lots), c.orders] for c in update.changes],
            "checksum": update.checksum,
        },
    }


def show_change(key: Key, change: Any) -> dict[str, Any]:
    """Return what changed on a channel of market data as it is pushed."""
    channel, market, interval = key
    if channel == "book":
        return show_update(change)
    body: dict[str, Any] = {"channel": channel, "market": market}
    if channel == "trades":
        return {**body, "data": [to_trade(trade) for trade in change]}
    if channel == "ticker":
        return {**body, "data": to_ticker(change)}
    return {**body, "interval": _INTERVALS[interval], "data": to_candle(change)}


def show_snapshot(key: Key, snapshot: Any) -> dict[str, Any]:
    """Return what a channel of market data begins with, as it is pushed."""
    if key[0] == "book":
        body: dict[str, Any] = {"channel": "book", "market": key[1], "type": "snapshot"}
        return {**body, "data": to_book(snapshot)}
    return show_change(key, snapshot)


def show_events(account: int, published: Told, events: Iterable[Event]) -> dict[str, Any]:
    """Return events of an account as they are pushed: the columns of the protocol, and the kind's name."""
    return {
        "channel": "orders",
        "account": account,
        "block": str(published.number),
        "time": str(published.time),
        "data": [show_event(event, account) for event in events],
    }


def show_event(event: Event, account: int) -> dict[str, Any]:
    """Return an event as one party may see it: the other party of a fill and its order are left out."""
    row: dict[str, Any] = event._asdict()
    if event.kind == FILL and event.account != event.other_account:
        if event.account == account:
            row |= {"other_account": 0, "other_order": 0, "amount2": 0, "left": 0}
        else:
            row |= {"account": 0, "order": 0, "amount": 0}
    for name in _WIDE:
        row[name] = str(row[name])
    return {"type": KIND_NAMES.get(event.kind, str(event.kind)), **row}


class Streams:
    """All connections of a gateway.

    Parameters
    ----------
    node, door, sessions : of the gateway
    """

    def __init__(self, node: Node, door: Door, sessions: Sessions) -> None:
        self._node = node
        self._door = door
        self._sessions = sessions
        self._hub = Hub(node, door)
        self._metrics: Metrics = node.metrics
        self._limits = node.config.gateway
        self._open: set[Connection] = set()
        self._by_address: dict[str, int] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def count(self) -> int:
        """Open connections."""
        return len(self._open)

    def close_all(self) -> None:
        """Have every connection closed: the zone goes down."""
        for connection in self._open:
            connection.close(_GOING, "the zone is going down")

    async def serve(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Serve one connection from its handshake to its end (ASGI)."""
        address = (scope.get("client") or ("",))[0]
        await receive()  # websocket.connect
        mine = self._by_address.get(address, 0)
        if (
            len(self._open) >= self._limits.max_connections
            or mine >= self._limits.max_connections_per_ip
        ):
            self._metrics.dropped.labels("too_many").inc()
            await send(
                {"type": "websocket.close", "code": _POLICY, "reason": "too many connections"}
            )
            return
        connection = Connection(
            send, self._limits.send_queue_bytes, self._limits.messages_per_minute
        )
        self._open.add(connection)
        self._by_address[address] = mine + 1
        self._metrics.connections.set(len(self._open))
        try:
            await send({"type": "websocket.accept"})
            await self._run(connection, receive)
            if connection.closed:
                code, reason = connection.closed
                await asyncio.wait_for(
                    send({"type": "websocket.close", "code": code, "reason": reason[:120]}), 1.0
                )
        except (OSError, TimeoutError):
            pass  # the peer is gone, or does not read: the server drops the socket when we return
        finally:
            self._forget(connection, address)

    def _forget(self, connection: Connection, address: str) -> None:
        for key in list(connection.keys):
            self._hub.remove(key, connection)
        self._open.discard(connection)
        left = self._by_address[address] - 1
        if left:
            self._by_address[address] = left
        else:
            del self._by_address[address]
        self._metrics.connections.set(len(self._open))
        if connection.closed:
            self._metrics.dropped.labels(str(connection.closed[0])).inc()
        self._part(connection)

    def _part(self, connection: Connection) -> None:
        """Send what was deposited for this moment."""
        leaf, connection.parting = connection.parting, None
        if leaf is None:
            return
        try:
            future = self._door.submit([leaf])
        except (ServiceError, ApiError) as error:
            _log.warning("parting_refused", error=error)
            return
        future.add_done_callback(_log_parting)

    async def _run(
        self, connection: Connection, receive: Callable[[], Awaitable[dict[str, Any]]]
    ) -> None:
        """Read until the client leaves, or has to."""
        sender = asyncio.ensure_future(connection.run_sender())
        reader = asyncio.ensure_future(self._read(connection, receive))
        try:
            await asyncio.wait((sender, reader), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sender, reader):
                task.cancel()
            await asyncio.gather(sender, reader, return_exceptions=True)

    async def _read(
        self, connection: Connection, receive: Callable[[], Awaitable[dict[str, Any]]]
    ) -> None:
        idle = self._limits.idle_seconds
        is_asked = False
        while not connection.closed:
            try:
                message = await asyncio.wait_for(receive(), idle)
            except TimeoutError:
                if is_asked:
                    connection.close(_POLICY, f"no answer to a ping for {idle} s")
                    return
                is_asked = True
                connection.push('{"op":"ping"}')
                continue
            is_asked = False
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("bytes")
            if data is None:
                data = message.get("text") or ""
            if len(data) > MAX_MESSAGE:
                connection.close(_TOO_BIG, f"message of {len(data)} bytes, {MAX_MESSAGE} may be")
                return
            if isinstance(data, bytes):
                self._enter_frame(connection, data)
            else:
                await self._handle(connection, data)

    # --- orders --------------------------------------------------------------------------------------

    def _enter_frame(self, connection: Connection, data: bytes) -> None:
        """Take a binary frame in; its answer comes when its block is on disk, others may come before."""
        number = data[: _REQUEST.size].ljust(_REQUEST.size, b"\0")
        try:
            self._door.submit_frames(
                decode_frames(memoryview(data)[_REQUEST.size :]),
                lambda answer: connection.push(number + answer),
            )
        except (ApiError, ServiceError) as error:
            body = {
                "id": int.from_bytes(number, "big"),
                "ok": False,
                "error": to_api_error(error).body,
            }
            connection.push(encode(body))

    # --- messages ------------------------------------------------------------------------------------

    async def _handle(self, connection: Connection, text: str) -> None:
        message: Message | None = None
        try:
            message = _decode(text)
            if message.op != "order":
                connection.count()
            data = await self._get_work(message.op)(connection, message)
        except Exception as error:  # noqa: BLE001 -- one request fails, the connection goes on
            if not isinstance(error, ApiError | ServiceError):
                _log.error("request_failed", error=error, kind=type(error).__name__)
            body: ErrorBody = to_api_error(error).body
            reply: dict[str, Any] = {"ok": False, "error": body}
        else:
            reply = {"ok": True} if data is None else {"ok": True, "data": data}
        named = {"id": message.id, "op": message.op} if message else {}
        connection.push(encode({**named, **reply}))
        if message and message.op == "subscribe" and reply["ok"]:
            for argument in message.args:
                await self._push_snapshot(connection, self._to_key(connection, argument))

    def _get_work(self, op: str) -> Callable[[Connection, Message], Awaitable[Any]]:
        if op not in _OPS:
            raise ApiError(Problem.BAD_REQUEST, f"no op {op!r}; there are {', '.join(_OPS)}")
        work: Callable[[Connection, Message], Awaitable[Any]] = getattr(self, f"_do_{op}")
        return work

    async def _do_ping(self, _connection: Connection, _message: Message) -> dict[str, str]:
        return {"time": str(self._node.clock.now())}

    async def _do_pong(self, _connection: Connection, _message: Message) -> None:
        return None

    async def _do_login(self, connection: Connection, message: Message) -> dict[str, Any]:
        if message.session is not None:
            try:
                request = message.session.to_request()
            except ValueError as error:
                raise ApiError(Problem.BAD_REQUEST, f"the session does not fit: {error}") from None
            session = await self._sessions.open(request)
        else:
            session = self._sessions.get(message.token)
        connection.session = session
        return {"token": session.token, "owner": session.owner, "expires": str(session.expires)}

    async def _do_logout(self, connection: Connection, _message: Message) -> None:
        for key in [key for key in connection.keys if key[0] in PRIVATE]:
            self._hub.remove(key, connection)
        connection.session = None

    async def _do_subscribe(self, connection: Connection, message: Message) -> None:
        keys = [self._to_key(connection, argument) for argument in message.args]
        if not keys:
            raise ApiError(Problem.BAD_REQUEST, "args is empty", "name at least one channel")
        most = self._limits.max_subscriptions
        if len(connection.keys | set(keys)) > most:
            raise ApiError(Problem.TOO_MANY_SUBSCRIPTIONS, f"a connection may have {most}")
        markets = {key[1] for key in keys if key[0] in PUBLIC and key[0] != "blocks"}
        used = await self._door.query(state.get_used, "market")
        if unknown := [market for market in sorted(markets) if not 1 <= market < used]:
            raise ApiError(Problem.NOT_FOUND, f"there is no market {unknown[0]}")
        for key in keys:
            if key not in connection.keys:
                self._hub.add(key, connection)

    async def _do_unsubscribe(self, connection: Connection, message: Message) -> None:
        for argument in message.args:
            self._hub.remove(self._to_key(connection, argument, is_leaving=True), connection)

    async def _do_order(self, connection: Connection, message: Message) -> None:
        """Take envelopes in; the answer comes when their block is on disk, as ``op: order_result``."""
        leaves = decode_envelopes(message.envelopes)
        future = self._door.submit(leaves)
        identity = message.id

        def answer(done: asyncio.Future[Any]) -> None:
            rows = [answer_json(leaf, one) for leaf, one in zip(leaves, done.result(), strict=True)]
            connection.push(encode({"id": identity, "op": "order_result", "data": rows}))

        future.add_done_callback(answer)

    async def _do_cancel_on_disconnect(self, connection: Connection, message: Message) -> None:
        """Keep one signed cancel-all for when the connection ends; a new one takes its place, none = off."""
        if not message.envelopes:
            connection.parting = None
            return
        leaves = decode_envelopes(message.envelopes)
        envelope = Envelope.from_leaf(leaves[0])
        if len(leaves) != 1 or envelope is None or envelope.action != CANCEL_ALL:
            text = "expected one signed cancelAll"
            raise ApiError(
                Problem.BAD_REQUEST, text, "the gateway cannot sign for you: deposit it ahead"
            )
        connection.parting = leaves[0]

    def _to_key(
        self, connection: Connection, argument: Argument, *, is_leaving: bool = False
    ) -> Key:
        channel = argument.channel
        if channel in PRIVATE:
            if not is_leaving:
                session = self._sessions.get(
                    connection.session.token if connection.session else None
                )
                self._sessions.authorize(session, argument.account)
            return channel, argument.account, 0
        if channel == "blocks":
            return channel, 0, 0
        if channel == "candles":
            width = INTERVAL_NAMES.get(argument.interval)
            if width is None:
                text = f"interval is {argument.interval!r}, expected one of {', '.join(INTERVAL_NAMES)}"
                raise ApiError(Problem.BAD_REQUEST, text)
            return channel, argument.market, width
        if channel in PUBLIC:
            return channel, argument.market, 0
        text = f"no channel {channel!r}; there are {', '.join((*PUBLIC, *PRIVATE))}"
        raise ApiError(Problem.UNKNOWN_CHANNEL, text)

    async def _push_snapshot(self, connection: Connection, key: Key) -> None:
        """Push what a channel begins with, or have it pushed; nothing falls between it and what follows."""
        channel, subject, _ = key
        if channel in MARKET_DATA:
            self._hub.begin(key, connection)
        elif channel == "orders":
            rows, stamp = await self._door.query(
                lambda engine: (state.fetch_orders(engine, subject), state.fetch_stamp(engine))
            )
            body = {
                "channel": channel,
                "account": subject,
                "type": "snapshot",
                "block": stamp.block,
            }
            connection.push(encode({**body, "data": rows}))
        elif channel in PRIVATE:
            self._hub.read_soon(key)


_OPS: Final = (
    "ping",
    "pong",
    "login",
    "logout",
    "subscribe",
    "unsubscribe",
    "order",
    "cancel_on_disconnect",
)


def _decode(text: str) -> Message:
    try:
        return msgspec.json.decode(text, type=Message)
    except (msgspec.DecodeError, RecursionError) as error:
        hint = 'a message is {"id", "op", "args"}'
        raise ApiError(Problem.BAD_REQUEST, f"it does not fit: {error}", hint) from None


def _log_parting(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        _log.info("parting_sent", answer=type(future.result()[0]).__name__)
