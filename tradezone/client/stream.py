"""The stream of a zone: subscriptions that outlive their connection.

A connection that breaks is made again, with growing pauses; then it logs in and subscribes as before. Books begin anew with
a snapshot and check every update; whoever listens to orders is told that there was a gap (`Gap`), and `Zone` closes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from tradezone.client._wire import Address, WebSocket
from tradezone.client.errors import DisconnectedError, ZoneError, to_error
from tradezone.views import Change, DepthBook, DepthSnapshot, DepthUpdate, Level

_PAUSES: Final = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
_ANSWER_S: Final = 30.0

Handler = Callable[[dict[str, Any]], None]
Login = Callable[[], Awaitable[dict[str, Any]]]


class Stream:
    """One connection, made again whenever it breaks.

    Parameters
    ----------
    url : str
        of the zone
    login : callable, optional
        makes the fields of a fresh login message (`session`), for private channels
    reconnected : callable, optional
        is called when a connection stands again after a gap
    """

    def __init__(
        self,
        url: str,
        login: Login | None = None,
        reconnected: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._address = Address.from_url(url)
        self._login = login
        self._reconnected = reconnected
        self._socket: WebSocket | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._results: dict[int, asyncio.Future[list[dict[str, Any]]]] = {}
        self._handlers: dict[tuple[str, int, str], Handler] = {}
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._kept: str | None = None  # the deposit for a disconnect, sent again on each connection
        self.connections = 0

    async def start(self) -> None:
        """Connect for the first time. DisconnectedError if that fails."""
        first = await WebSocket.connect(self._address, "/v1/stream")
        self._task = asyncio.create_task(self._run(first))
        await self._wait_ready()

    async def close(self) -> None:
        """End it. Who waits hears DisconnectedError."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._socket:
            await self._socket.close()
        self._fail_waiting(DisconnectedError("the stream was closed"))

    async def _wait_ready(self) -> None:
        assert self._task is not None, "start it first"
        waiter = asyncio.ensure_future(self._ready.wait())
        await asyncio.wait((waiter, self._task), return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        if self._task.done():
            error = None if self._task.cancelled() else self._task.exception()
            raise error or DisconnectedError("the stream has ended")

    # --- connections ---------------------------------------------------------------------------------

    async def _run(self, socket: WebSocket | None) -> None:
        tries = 0
        while True:
            try:
                if socket is None:
                    await asyncio.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
                    tries += 1
                    socket = await WebSocket.connect(self._address, "/v1/stream")
                self._socket = socket
                reader = asyncio.create_task(self._read(socket))
                try:
                    await self._set_up()
                    tries = 0
                    await reader
                finally:
                    reader.cancel()
            except DisconnectedError as error:
                self._ready.clear()
                self._fail_waiting(error)
                socket = None

    async def _set_up(self) -> None:
        """Log in, subscribe as before, and say that it stands."""
        if self._login:
            await self._ask("login", **await self._login())
        if self._kept is not None:
            await self._ask("cancel_on_disconnect", envelopes=[self._kept])
        if self._handlers:
            await self._ask("subscribe", args=[_to_argument(key) for key in self._handlers])
        self.connections += 1
        self._ready.set()
        if self.connections > 1 and self._reconnected:
            await self._reconnected()

    async def _read(self, socket: WebSocket) -> None:
        while True:
            try:
                message = await socket.receive()
            except DisconnectedError as error:
                self._fail_waiting(error)
                raise
            if isinstance(message, bytes):
                continue  # binary answers belong to programs that send frames themselves
            try:
                body = msgspec.json.decode(message)
            except msgspec.DecodeError as error:
                raise DisconnectedError(f"a message is no JSON: {error}") from error
            self._take(body)

    def _take(self, body: dict[str, Any]) -> None:
        if "channel" in body:
            subject = body.get("market", body.get("account", 0))
            handler = self._handlers.get((body["channel"], subject, body.get("interval", "")))
            if handler:
                handler(body)
        elif body.get("op") == "order_result":
            result = self._results.pop(body.get("id", 0), None)
            if result and not result.done():
                result.set_result(body["data"])
        else:
            future = self._waiting.pop(body.get("id") or 0, None)
            if future and not future.done():
                future.set_result(body)

    def _fail_waiting(self, error: Exception) -> None:
        for futures in (self._waiting, self._results):
            for future in futures.values():
                if not future.done():
                    future.set_exception(error)
            futures.clear()

    # --- asking --------------------------------------------------------------------------------------

    async def _ask(self, op: str, **fields: Any) -> Any:
        if self._socket is None:
            raise DisconnectedError("there is no connection")
        number = next(self._numbers)
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            await self._socket.send(
                msgspec.json.encode({"id": number, "op": op, **fields}).decode()
            )
            body = await asyncio.wait_for(future, _ANSWER_S)
        except TimeoutError:
            raise DisconnectedError(f"no answer to {op} within {_ANSWER_S:.0f} s") from None
        finally:
            self._waiting.pop(number, None)
        if not body["ok"]:
            raise to_error(body["error"])
        return body.get("data")

    async def ask(self, op: str, **fields: Any) -> Any:
        """Ask something and return the answer's data. ZoneError as it was answered."""
        await self._wait_ready()
        return await self._ask(op, **fields)

    async def subscribe(
        self, channel: str, handler: Handler, subject: int = 0, interval: str = ""
    ) -> None:
        """Have a handler called with every message of a channel, over all connections to come.

        Parameters
        ----------
        subject : int
            market, or account of a private channel
        interval : str
            of candles
        """
        key = (channel, subject, interval)
        self._handlers[key] = handler
        try:
            await self.ask("subscribe", args=[_to_argument(key)])
        except ZoneError as error:
            if not isinstance(error, DisconnectedError):
                del self._handlers[key]
                raise  # else it is subscribed to when the connection stands again

    async def unsubscribe(self, channel: str, subject: int = 0, interval: str = "") -> None:
        """End a subscription."""
        key = (channel, subject, interval)
        if self._handlers.pop(key, None) is not None:
            await self.ask("unsubscribe", args=[_to_argument(key)])

    async def deposit(self, leaf: bytes | None) -> None:
        """Leave a signed cancel-all that the gateway sends if this connection ends; None takes it back."""
        self._kept = None if leaf is None else "0x" + leaf.hex()
        await self.ask("cancel_on_disconnect", envelopes=[self._kept] if self._kept else [])

    async def send(self, leaves: list[bytes]) -> list[dict[str, Any]]:
        """Send signed envelopes over the stream and return what became of each.

        DisconnectedError if the connection breaks in between: it is not known what became of them.
        """
        await self._wait_ready()
        assert self._socket is not None
        number = next(self._numbers)
        loop = asyncio.get_running_loop()
        accepted: asyncio.Future[dict[str, Any]] = loop.create_future()
        result: asyncio.Future[list[dict[str, Any]]] = loop.create_future()
        self._waiting[number], self._results[number] = accepted, result
        body = {"id": number, "op": "order", "envelopes": ["0x" + leaf.hex() for leaf in leaves]}
        try:
            await self._socket.send(msgspec.json.encode(body).decode())
            done, _ = await asyncio.wait(
                (accepted, result), timeout=_ANSWER_S, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                raise DisconnectedError(f"no answer within {_ANSWER_S:.0f} s")
            if accepted in done and not accepted.result()["ok"]:
                raise to_error(accepted.result()["error"])
            return await asyncio.wait_for(result, _ANSWER_S)
        except TimeoutError:
            raise DisconnectedError(f"no answer within {_ANSWER_S:.0f} s") from None
        finally:
            self._waiting.pop(number, None)
            self._results.pop(number, None)
            for future in (accepted, result):
                future.cancel()


class LocalBook:
    """A market's depth, kept up to date; a gap or wrong checksum is repaired with a new snapshot.

    Parameters
    ----------
    stream : Stream
        where it comes from
    market : int
        slot
    """

    def __init__(self, stream: Stream, market: int) -> None:
        self._stream = stream
        self.depth = DepthBook(market)
        self.repairs = 0
        self._begun = asyncio.Event()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Subscribe, and wait for the first snapshot."""
        await self._stream.subscribe("book", self._take, self.depth.market)
        await self._begun.wait()

    async def close(self) -> None:
        """End it."""
        await self._stream.unsubscribe("book", self.depth.market)

    async def wait(self) -> None:
        """Wait for the next change."""
        self._changed.clear()
        await self._changed.wait()

    def _take(self, message: dict[str, Any]) -> None:
        data = message["data"]
        if message["type"] == "snapshot":
            self.depth.restore(_read_snapshot(message["market"], data))
            self._begun.set()
        elif not self.depth.apply(_read_update(message["market"], data)) and self._task is None:
            self.repairs += 1
            self._task = asyncio.create_task(self._repair())
        self._changed.set()

    async def _repair(self) -> None:
        """Subscribe again: that brings a snapshot, whatever was missed."""
        try:
            await self._stream.ask(
                "subscribe", args=[{"channel": "book", "market": self.depth.market}]
            )
        except DisconnectedError:
            pass  # the next connection brings one too
        finally:
            self._task = None


def _to_argument(key: tuple[str, int, str]) -> dict[str, Any]:
    channel, subject, interval = key
    if channel in ("orders", "balances", "positions"):
        return {"channel": channel, "account": subject}
    argument: dict[str, Any] = {"channel": channel, "market": subject}
    return {**argument, "interval": interval} if interval else argument


def _read_snapshot(market: int, data: dict[str, Any]) -> DepthSnapshot:
    bids, asks = (
        tuple(Level(row["price"], int(row["lots"]), row["orders"]) for row in data[side])
        for side in ("bids", "asks")
    )
    return DepthSnapshot(market, int(data["seq"]), bids, asks, data["checksum"])


def _read_update(market: int, data: dict[str, Any]) -> DepthUpdate:
    changes = tuple(Change(side, price, int(lots), n) for side, price, lots, n in data["changes"])
    return DepthUpdate(market, int(data["previous"]), int(data["seq"]), changes, data["checksum"])
