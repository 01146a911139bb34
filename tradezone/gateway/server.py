"""Serving a node: uvicorn around the gateway, signals, and a clean end."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING, Final

import uvicorn
import uvloop

from tradezone.sequencer import EventLog
from tradezone.service import ServiceError

from .app import Gateway

if TYPE_CHECKING:
    from tradezone.service import Node

_log = EventLog("gateway.server")

SWITCH_S: Final = (
    0.000_2  # threads change places this often: the writer does not wait for the loop for long
)
SEND_BUFFER: Final = 256 << 10  # of the kernel, a connection: who does not read is found out soon
_WATCH_S: Final = 0.5
_DRAIN_S: Final = 5


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket. ServiceError if the port is taken: another zone may run there."""
    try:
        found = socket.create_server((host, port), backlog=4_096)
    except OSError as error:
        raise ServiceError(
            f"{host}:{port} cannot be listened on: {error.strerror or error}",
            "another zone may run there: give each its own gateway.port",
        ) from None
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    return found


class Server:
    """Serves a started node in the running loop.

    Parameters
    ----------
    node : Node
        the zone; `run` stops it in the end
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        section = node.config.gateway
        self._listener = bind(section.host, section.port)
        self.host, self.port = self._listener.getsockname()[:2]
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                Gateway(node),
                log_config=None,
                access_log=False,
                lifespan="on",
                ws="websockets-sansio",
                ws_ping_interval=section.idle_seconds / 2,
                ws_ping_timeout=section.idle_seconds / 2,
                ws_max_size=1 << 18,
                ws_per_message_deflate=False,
                timeout_keep_alive=section.idle_seconds,
                timeout_graceful_shutdown=_DRAIN_S,
                limit_concurrency=section.max_connections,
                server_header=False,
                date_header=False,
            )
        )

    @property
    def url(self) -> str:
        """Address that clients are given."""
        return f"http://{self.host}:{self.port}"

    def stop(self) -> None:
        """End `run` soon; from any thread."""
        self._uvicorn.should_exit = True

    async def run(self) -> int:
        """Serve until `stop`, or the zone's failure; then stop the zone. Return the exit status.

        0 = stopped when asked; 3 = the zone failed: what was acknowledged is on disk, start again.
        """
        node = self._node
        node.note(host=self.host, port=self.port)
        watch = asyncio.ensure_future(self._watch())
        _log.info("listening", host=self.host, port=self.port)
        try:
            await self._uvicorn._serve(sockets=[self._listener])  # noqa: SLF001 -- `serve` takes the signals for itself
        finally:
            watch.cancel()
            await asyncio.to_thread(node.stop)
        return 3 if node.pipeline.failure else 0

    async def _watch(self) -> None:
        """End the server when the zone has failed."""
        while self._node.pipeline.failure is None:  # noqa: ASYNC110 -- it fails on another thread
            await asyncio.sleep(_WATCH_S)
        self.stop()


def serve(node: Node) -> int:
    """Serve a started node in the main thread until SIGTERM or SIGINT; return the exit status of `Server.run`."""
    sys.setswitchinterval(SWITCH_S)
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        return runner.run(_serve(node))


async def _serve(node: Node) -> int:
    try:
        server = Server(node)
    except BaseException:
        await asyncio.to_thread(node.stop)
        raise
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        _log.info("stopping", signal=number.name)
        server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    return await server.run()


def _new_loop() -> asyncio.AbstractEventLoop:
    return uvloop.new_event_loop()


class BackgroundServer:
    """Serves a started node on a thread of its own: for tests, notebooks, and programs that embed a zone."""

    def __init__(self, node: Node) -> None:
        self.server = Server(node)
        self.status: int | None = None
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            self.status = runner.run(self.server.run())

    @property
    def url(self) -> str:
        """Address that clients are given."""
        return self.server.url

    def stop(self) -> None:
        """Stop serving, and the zone."""
        self.server.stop()
        self._thread.join(60)
