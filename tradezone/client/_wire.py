"""HTTP/1.1 and WebSocket, as much of them as talking to a zone needs, so that the core needs no further package.

Invariants: a response is read to its end or its connection is closed; a WebSocket frame that breaks the protocol
(masked, reserved bits, unknown opcode, too long) ends the connection.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import secrets
import ssl
import struct
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from tradezone.client.errors import DisconnectedError

MAX_HEAD: Final = 1 << 16
MAX_BODY: Final = 1 << 28
MAX_FRAME: Final = 1 << 26
TIMEOUT_S: Final = 30.0
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10


class Address(NamedTuple):
    """Where a zone is."""

    host: str
    port: int
    is_secure: bool
    path: str  # in front of every path, without a slash at its end

    @classmethod
    def from_url(cls, url: str) -> Address:
        """Read http(s)://host[:port][/path]. DisconnectedError for anything else."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise DisconnectedError(f"{url!r} is not an address like http://127.0.0.1:8420")
        is_secure = parts.scheme == "https"
        port = parts.port or (443 if is_secure else 80)
        return cls(parts.hostname, port, is_secure, parts.path.rstrip("/"))

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect. DisconnectedError if nobody answers."""
        context = ssl.create_default_context() if self.is_secure else None
        try:
            return await asyncio.wait_for(
                asyncio.open_connection(self.host, self.port, ssl=context, limit=MAX_HEAD),
                TIMEOUT_S,
            )
        except (OSError, TimeoutError) as error:
            raise DisconnectedError(f"{self.host}:{self.port} does not answer: {error}") from error


class Response(NamedTuple):
    """An answer; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class HttpPool:
    """Connections to one address, used again. For one event loop.

    Parameters
    ----------
    address : Address
        where
    size : int
        idle connections that are kept
    """

    def __init__(self, address: Address, size: int = 4) -> None:
        self._address = address
        self._size = size
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Response:
        """Send a request and return the answer.

        DisconnectedError if the way breaks: a request with a body may have arrived then.
        """
        lines = [f"{method} {self._address.path}{path} HTTP/1.1", f"host: {self._address.host}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines.append(f"content-length: {len(body)}")
        if any("\r" in line or "\n" in line for line in lines):
            raise DisconnectedError("a header holds a line break")
        raw = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
        is_safe = method == "GET"
        while self._idle:
            try:
                return await self._exchange(*self._idle.pop(), raw, method)
            except DisconnectedError:
                if not is_safe:
                    raise
        return await self._exchange(*await self._address.open(), raw, method)

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes, method: str
    ) -> Response:
        is_kept = False
        try:
            writer.write(raw)
            await writer.drain()
            response = await asyncio.wait_for(_read_response(reader, method), TIMEOUT_S)
            is_kept = response.headers.get("connection", "").lower() != "close"
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise DisconnectedError(
                f"the connection broke: {type(error).__name__} {error}"
            ) from error
        finally:
            if is_kept and len(self._idle) < self._size:
                self._idle.append((reader, writer))
            else:
                writer.close()
        return response

    def close(self) -> None:
        """Close idle connections."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise ValueError("the head of an answer is too long") from error
    first, *rest = head.decode("latin-1").split("\r\n")
    version, _, after = first.partition(" ")
    if not version.startswith("HTTP/1.") or not after[:3].isdigit():
        raise ValueError(f"no HTTP answer: {first[:40]!r}")
    headers: dict[str, str] = {}
    for line in filter(None, rest):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(after[:3]), headers


async def _read_response(reader: asyncio.StreamReader, method: str) -> Response:
    status, headers = await _read_head(reader)
    if method == "HEAD" or status in (204, 304):
        return Response(status, headers, b"")
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return Response(status, headers, await _read_chunks(reader))
    length = headers.get("content-length", "")
    if not length.isdigit() or int(length) > MAX_BODY:
        raise ValueError(f"an answer of length {length!r}")
    return Response(status, headers, await reader.readexactly(int(length)))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    total = 0
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        total += size
        if not size >= 0 or total > MAX_BODY:
            raise ValueError("an answer is too long")
        data = await reader.readexactly(size + 2)
        if size == 0:
            return b"".join(parts)
        parts.append(data[:-2])


class WebSocket:
    """A client's side of a WebSocket. One task receives; sending is safe from several."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.close_code = 0
        self.close_reason = ""

    @classmethod
    async def connect(cls, address: Address, path: str) -> WebSocket:
        """Connect and upgrade. DisconnectedError if the other side does not."""
        reader, writer = await address.open()
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET {address.path}{path} HTTP/1.1\r\nhost: {address.host}\r\nupgrade: websocket\r\n"
            f"connection: Upgrade\r\nsec-websocket-key: {key}\r\nsec-websocket-version: 13\r\n\r\n"
        )
        expected = base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode()).digest()).decode()  # noqa: S324 -- RFC 6455
        try:
            writer.write(request.encode())
            await writer.drain()
            status, headers = await asyncio.wait_for(_read_head(reader), TIMEOUT_S)
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError) as error:
            writer.close()
            raise DisconnectedError(f"no WebSocket: {type(error).__name__} {error}") from error
        if status != 101 or headers.get("sec-websocket-accept") != expected:
            writer.close()
            raise DisconnectedError(f"no WebSocket: the answer was {status}")
        return cls(reader, writer)

    async def send(self, message: str | bytes) -> None:
        """Send a message. DisconnectedError if the connection is gone."""
        is_text = isinstance(message, str)
        data = message.encode() if isinstance(message, str) else message
        await self._send_frame(_TEXT if is_text else _BINARY, data)

    async def _send_frame(self, opcode: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = bytes([0x80 | opcode, 0x80 | size])
        elif size < 1 << 16:
            head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, size)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, size)
        mask = secrets.token_bytes(4)
        try:
            self._writer.write(head + mask + _mask(data, mask))
            await self._writer.drain()
        except (OSError, RuntimeError) as error:
            raise DisconnectedError(f"the stream broke: {error}") from error

    async def receive(self) -> str | bytes:
        """Return the next message. DisconnectedError at the end, with the reason if one was given."""
        parts: list[bytes] = []
        kind = 0
        while True:
            try:
                is_last, opcode, data = await self._receive_frame()
            except (OSError, ValueError, asyncio.IncompleteReadError) as error:
                raise DisconnectedError(
                    f"the stream broke: {type(error).__name__} {error}"
                ) from error
            if opcode == _PING:
                await self._send_frame(_PONG, data)
            elif opcode == _CLOSE:
                self.close_code = int.from_bytes(data[:2], "big")
                self.close_reason = data[2:].decode(errors="replace")
                text = f"the zone closed the stream: {self.close_code} {self.close_reason}"
                raise DisconnectedError(text)
            elif opcode != _PONG:
                kind = opcode or kind
                parts.append(data)
                if sum(map(len, parts)) > MAX_FRAME:
                    raise DisconnectedError("a message is too long")
                if is_last:
                    whole = b"".join(parts)
                    return whole.decode() if kind == _TEXT else whole

    async def _receive_frame(self) -> tuple[bool, int, bytes]:
        first, second = await self._reader.readexactly(2)
        opcode, size = first & 15, second & 127
        if first & 0x70 or second & 0x80 or opcode not in (0, _TEXT, _BINARY, _CLOSE, _PING, _PONG):
            raise ValueError("a frame breaks the protocol")
        if size >= 126:
            size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
        if size > MAX_FRAME:
            raise ValueError(f"a frame of {size} bytes")
        return bool(first & 0x80), opcode, await self._reader.readexactly(size)

    async def close(self) -> None:
        """Say farewell and close."""
        try:
            await asyncio.wait_for(self._send_frame(_CLOSE, (1_000).to_bytes(2, "big")), 1.0)
        except (DisconnectedError, TimeoutError):
            pass  # the other side is gone already
        finally:
            self._writer.close()


def _mask(data: bytes, mask: bytes) -> bytes:
    size = len(data)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")
