"""The ASGI application of a zone: the hot order path and streams by hand, everything else by `rest`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import msgspec

from tradezone.sequencer import EventLog
from tradezone.service import ServiceError

from .door import Door
from .errors import ApiError, Problem, to_api_error
from .limits import Allowance, RateLimiter
from .orders import decode_frames, decode_json
from .rest import build_rest, enter
from .schemas import ErrorAnswer
from .sessions import Sessions
from .stream import Streams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tradezone.service import Node

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

_log = EventLog("gateway")

FRAMES: Final = "application/octet-stream"
_JSON: Final = (b"content-type", b"application/json")
_BINARY: Final = (b"content-type", FRAMES.encode())
_TEXT: Final = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
_PROBES: Final = ("/healthz", "/readyz", "/metrics")
_BODY_S: Final = 10.0  # seconds for a request's body to arrive


class Gateway:
    """ASGI application of one node.

    Parameters
    ----------
    node : Node
        the zone; started and stopped by who made it
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.door = Door(node)
        self.sessions = Sessions(node, node.config.gateway.session_hours)
        self.streams = Streams(node, self.door, self.sessions)
        self._limiter = RateLimiter(node.config.gateway.requests_per_minute)
        self._rest = build_rest(node, self.door, self.sessions)
        self._max_body = node.config.gateway.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._live(receive, send)
            return
        self.door.attach(asyncio.get_running_loop())
        if kind == "websocket":
            await self._serve_websocket(scope, receive, send)
        elif scope["path"] in _PROBES:
            await self._probe(scope["path"], send)
        else:
            await self._serve_http(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.door.attach(asyncio.get_running_loop())
                await send({"type": "lifespan.startup.complete"})
            else:
                self.streams.close_all()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/v1/stream":
            await self.streams.serve(scope, receive, send)
            return
        await receive()
        await send(
            {"type": "websocket.close", "code": 1008, "reason": "the stream is at /v1/stream"}
        )

    async def _probe(self, path: str, send: Send) -> None:
        node = self.node
        if path == "/metrics":
            await _send(send, 200, node.metrics.render(), [_TEXT])
            return
        is_good = node.is_healthy if path == "/healthz" else node.is_ready
        failure = node.pipeline.failure
        body = {
            "ok": is_good,
            "block": str(node.sequencer.block),
            "reason": str(failure) if failure else "",
        }
        await _send(send, 200 if is_good else 503, msgspec.json.encode(body), [_JSON])

    async def _serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = (scope.get("client") or ("",))[0]
        is_entry = scope["path"] == "/v1/orders" and scope["method"] == "POST"
        allowance = self._limiter.take(address)
        if not allowance.is_allowed:
            self.node.metrics.limited.inc()
            error = ApiError(
                Problem.RATE_LIMITED,
                f"more than {allowance.limit} requests a minute",
                "a WebSocket connection has no such limit for orders",
                retry_after_ms=allowance.reset_ms,
            )
            await _send_error(send, error, allowance.headers)
            return
        if is_entry:
            await self._enter(scope, receive, send, allowance)
            return

        async def send_with_headers(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *allowance.headers]
                self.node.metrics.requests.labels("rest", str(message["status"])).inc()
            await send(message)

        await self._rest(scope, receive, send_with_headers)  # type: ignore[arg-type]

    async def _enter(
        self, scope: Scope, receive: Receive, send: Send, allowance: Allowance
    ) -> None:
        """POST /v1/orders, JSON or binary frames: what `rest` documents, without its layers."""
        try:
            headers = dict(scope["headers"])
            query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
            mode = query.get("mode", ["sync"])[-1]
            receipts = query.get("receipts", ["false"])[-1] == "true"
            _check_mode(mode)
            body = await self._read_body(headers, receive)
            is_binary = headers.get(b"content-type", b"").split(b";")[0] == FRAMES.encode()
            if is_binary and mode == "sync":
                data, kind = await self.door.execute_frames(decode_frames(body)), _BINARY
            else:
                leaves = decode_frames(body) if is_binary else decode_json(body)
                answer = await enter(self.door, leaves, mode, receipts)
                data, kind = msgspec.json.encode(answer), _JSON
        except Exception as error:  # noqa: BLE001 -- the layer under this one would say nothing of use
            if not isinstance(error, ApiError | ServiceError):
                _log.error(
                    "request_failed", path="/v1/orders", error=error, kind=type(error).__name__
                )
            api = to_api_error(error)
            self.node.metrics.requests.labels("orders", str(api.status)).inc()
            await _send_error(send, api, allowance.headers)
            return
        self.node.metrics.requests.labels("orders", "200").inc()
        await _send(send, 200, data, [kind, *allowance.headers])

    async def _read_body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        length = headers.get(b"content-length", b"0")
        limit = self._max_body
        if length.isdigit() and int(length) > limit:
            raise ApiError(Problem.TOO_LARGE, f"a body of {int(length)} bytes, {limit} may be")
        parts: list[bytes] = []
        size = 0
        while True:
            try:
                message = await asyncio.wait_for(receive(), _BODY_S)
            except TimeoutError:
                text = f"the body did not arrive within {_BODY_S:.0f} s"
                raise ApiError(Problem.BAD_REQUEST, text) from None
            if message["type"] == "http.disconnect":
                raise ApiError(Problem.BAD_REQUEST, "the client left")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise ApiError(Problem.TOO_LARGE, f"a body of more than {limit} bytes")
            if not message.get("more_body"):
                return b"".join(parts)


def _check_mode(mode: str) -> None:
    if mode not in ("sync", "async"):
        raise ApiError(Problem.BAD_REQUEST, f"mode is {mode!r}, expected sync or async")


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def _send_error(send: Send, error: ApiError, headers: list[tuple[bytes, bytes]]) -> None:
    body = msgspec.json.encode(ErrorAnswer(error.body))
    await _send(send, error.status, body, [_JSON, *headers, *error.headers])
