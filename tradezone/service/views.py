"""The views as the zone's process sees them: another process, that may be behind, gone, or coming back.

`Views` starts it, hands it every block that is on disk, asks it, and starts it again when it ends. Invariants:

* Nothing here ever waits for that process on behalf of the writer: a block that does not fit the queue is dropped,
  and the process finds the gap and takes the block from the journal.
* Subscriptions outlive the process: a new one is told of them, and every subscriber gets a new snapshot.
* What is asked is answered or fails with `ViewsError`; nothing is left open when the process ends.
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradezone.sequencer import EventLog

from .errors import StoppingError, ViewsError
from .wire import MessageReader, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tradezone.views import DepthSnapshot, Trade

    from .feeds import Ticker
    from .pipeline import BlockEvents

    Key = tuple[str, int, int]
    Heard = Callable[[list[tuple[Key, Any]]], None]
    Begun = Callable[[Key, Any], None]

_log = EventLog("service.views")

_ASK_S: Final = 10.0  # seconds that a thread waits for an answer
_FIRST_PAUSE: Final = 0.2  # seconds until it is started again; doubled each time it ends at once
_LONGEST_PAUSE: Final = 10.0
_STEADY_S: Final = 30.0  # a process that lived so long ended for another reason than the one before
_END_S: Final = 30.0  # seconds that it has to finish in


class _Session:
    """One life of the process: a socket, a queue in front of it, and a thread that sends."""

    def __init__(self, nice: int, most_bytes: int) -> None:
        mine, theirs = socket.socketpair()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(_get_paths())}
        self.process = subprocess.Popen(  # noqa: S603 -- this package, by this interpreter
            [
                sys.executable,
                "-m",
                "tradezone.service.viewer",
                str(theirs.fileno()),
                str(nice),
            ],
            pass_fds=(theirs.fileno(),),
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self.sock = mine
        self.reader = MessageReader(mine)
        self.began = time.monotonic()
        self._most_bytes = most_bytes
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._ready = threading.Condition()
        self._is_over = False
        self._sender = threading.Thread(target=self._send, name="views-send", daemon=True)
        self._sender.start()

    def put(self, message: bytes, *, is_droppable: bool = False) -> bool:
        """Queue a message; False if it was dropped."""
        with self._ready:
            if is_droppable and self._queue and self._bytes + len(message) > self._most_bytes:
                return False
            self._queue.append(message)
            self._bytes += len(message)
            self._ready.notify()
        return True

    def finish(self) -> None:
        """Send what is queued, then say that nothing follows."""
        with self._ready:
            self._is_over = True
            self._ready.notify()

    def _send(self) -> None:
        try:
            while True:
                with self._ready:
                    while not (self._queue or self._is_over):
                        self._ready.wait()
                    if not self._queue:
                        break
                    message = self._queue.popleft()
                    self._bytes -= len(message)
                self.sock.sendall(message)
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the reader hears of it

    def end(self, timeout: float) -> int | None:
        """Wait for the process, kill it if it takes too long; its status."""
        self.finish()
        try:
            status: int | None = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = None
        self._sender.join(timeout)
        self.sock.close()
        return status


def _get_paths() -> list[str]:
    """Where the process finds this very package, and what it needs."""
    return [str(Path(__file__).parents[2]), *(path for path in sys.path if path)]


class Views:
    """The process of the views. Any thread asks; one thread of its own hears.

    Parameters
    ----------
    directory : Path
        data folder of the zone
    separator : bytes
        EIP-712 domain separator of the zone
    nice : int
        how much the process stands back behind the zone's
    queue_bytes : int
        of blocks that may wait for it
    options : dict
        of `tradezone.service.viewer.Viewer.open`
    """

    def __init__(
        self,
        directory: Path,
        separator: bytes,
        nice: int,
        queue_bytes: int,
        options: dict[str, Any],
    ) -> None:
        self._directory, self._separator = directory, separator
        self._nice, self._queue_bytes = nice, queue_bytes
        self._options = {**options, "queue_bytes": queue_bytes}
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._session: _Session | None = None
        self._is_open = False  # the zone has said where its journal ends
        self._is_ready = False
        self._is_stopping = False
        self._last = 0  # block that the zone has on disk
        self._tokens = itertools.count(1)
        self._asked: dict[int, Future[Any]] = {}
        self._starting: dict[int, tuple[Key, Begun]] = {}
        self._keys: set[Key] = set()
        self._hear: Heard = _ignore
        self._begin_again: Begun = _ignore
        self.block = 0  # applied to market data
        self.history_block = 0  # committed to the store
        self.dropped = 0  # blocks that did not fit the queue
        self.starts = 0  # times that the process was started
        self._thread = threading.Thread(target=self._run, name="views", daemon=True)

    # --- life ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the process; it loads what it needs, and waits for `open`."""
        self._launch()
        self._thread.start()

    def open(self, last: int, time: int, books: NDArray[Any]) -> None:
        """Let it bring itself to block ``last``, the last on disk. Blocks behind it are offered from now on.

        Parameters
        ----------
        last, time : int
            number of the block, and its time (ms)
        books : (n,) EVENT_DTYPE
            what rests behind it: a store that ends there need not be replayed to
        """
        with self._lock:
            self._last = last
            self._is_open = True
            if self._session:
                self._say_open(self._session, time, books)

    def stop(self) -> None:
        """Let it finish what it was given, and end it."""
        with self._lock:
            if self._is_stopping:
                return
            self._is_stopping = True
            session = self._session
            self._changed.notify_all()
        if session:
            session.finish()
        if self._thread.is_alive():
            self._thread.join(2 * _END_S)

    @property
    def is_ready(self) -> bool:
        """Whether it answers."""
        return self._is_ready

    @property
    def pid(self) -> int:
        """Its process id, 0 while there is none."""
        session = self._session
        return session.process.pid if session else 0

    def wait(self, block: int | None = None, timeout: float = 30.0) -> bool:
        """Wait until it is ready and has applied a block, market data and history; without one, until it is ready."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not self._is_ready or (
                block is not None and min(self.block, self.history_block) < block
            ):
                left = deadline - time.monotonic()
                if left <= 0 or self._is_stopping:
                    return False
                self._changed.wait(left)
        return True

    def _launch(self) -> _Session:
        session = _Session(self._nice, self._queue_bytes)
        self.starts += 1
        with self._lock:
            self._session = session
            if self._is_open:
                self._say_open(session)
        return session

    def _say_open(
        self, session: _Session, time: int = 0, books: NDArray[Any] | None = None
    ) -> None:
        """Say how to begin; without books it finds them by itself."""
        last = self._last
        options = {**self._options, "last": last, "time": time, "books": books}
        session.put(encode("open", self._directory, self._separator, options))
        for key in self._keys:
            session.put(encode("subscribe", 0, key))
        for token, (key, _) in self._starting.items():
            session.put(encode("subscribe", token, key))

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            session = self._session
            assert session is not None
            while (found := session.reader.read()) is not None:
                self._take(*found[0])
            with self._lock:
                self._is_ready = False
                lost = list(self._asked.values())
                self._asked.clear()
                is_stopping = self._is_stopping
                self._session = None
                self._changed.notify_all()
            for future in lost:
                future.set_exception(ViewsError(*_GONE))
            status = session.end(_END_S)
            if is_stopping:
                return
            _log.error("views_ended", status=status, block=self.block)
            if time.monotonic() - session.began > _STEADY_S:
                pause = _FIRST_PAUSE
            with self._changed:
                self._changed.wait_for(lambda: self._is_stopping, pause)
                if self._is_stopping:
                    return
            pause = min(2 * pause, _LONGEST_PAUSE)
            self._launch()

    # --- blocks --------------------------------------------------------------------------------------

    def offer(self, block: BlockEvents) -> None:
        """Hand over a block that is on disk; never waits."""
        closed = block.closed
        receipts = replace(closed.receipts, links=b"")
        message = encode("block", receipts, closed.events)
        with self._lock:
            self._last = closed.number
            if self._session and not self._session.put(message, is_droppable=True):
                self.dropped += 1

    # --- what it says --------------------------------------------------------------------------------

    def listen(self, hear: Heard, begin_again: Begun) -> None:
        """Set who hears what subscriptions bring, and, when a new process begins, of each key's snapshot.

        Both are called on one thread, in order, and must not block.
        """
        self._hear, self._begin_again = hear, begin_again

    def _take(self, kind: str, *values: Any) -> None:
        if kind == "push":
            self._hear(values[0])
        elif kind in ("answer", "error"):
            with self._lock:
                future = self._asked.pop(values[0], None)
            if future is None:
                return
            if kind == "answer":
                future.set_result(values[1])
            else:
                future.set_exception(ViewsError(f"the views failed: {values[1]}"))
        elif kind == "snapshot":
            token, key, value = values
            with self._lock:
                found = self._starting.pop(token, None)
            if found:
                found[1](key, value)
            elif not token:
                self._begin_again(key, value)
        else:
            with self._changed:
                if kind == "ready":
                    self._is_ready = True
                    self.block = self.history_block = values[0]
                else:
                    self.block, self.history_block = values
                self._changed.notify_all()

    # --- asking --------------------------------------------------------------------------------------

    def subscribe(self, key: Key, begin: Begun) -> None:
        """Have a key's changes heard; ``begin`` is handed its snapshot first, in order with what is heard."""
        with self._lock:
            token = next(self._tokens)
            self._starting[token] = key, begin
            self._keys.add(key)
            if self._session and self._is_open:
                self._session.put(encode("subscribe", token, key))

    def unsubscribe(self, key: Key) -> None:
        """Have a key's changes heard no more."""
        with self._lock:
            self._keys.discard(key)
            if self._session and self._is_open:
                self._session.put(encode("unsubscribe", key))

    def ask(self, name: str, *arguments: Any) -> Future[Any]:
        """Ask `Feeds.get_<name>`. The future fails with ViewsError if there is nobody to ask, and cannot be cancelled."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            if self._is_stopping:
                raise StoppingError("the zone is going down", "connect again in a while")
            if self._session is None or not self._is_ready:
                raise ViewsError(*_GONE)
            token = next(self._tokens)
            self._asked[token] = future
            self._session.put(encode(name, token, *arguments))
        return future

    def get_depth(self, market: int) -> DepthSnapshot:
        """Depth of a market; waits."""
        depth: DepthSnapshot = self.ask("depth", market).result(_ASK_S)
        return depth

    def get_trades(self, market: int, limit: int = 100) -> list[Trade]:
        """Newest trades of a market, newest first; waits."""
        trades: list[Trade] = self.ask("trades", market, limit).result(_ASK_S)
        return trades

    def get_ticker(self, market: int) -> Ticker:
        """Return a market at a glance; waits."""
        ticker: Ticker = self.ask("ticker", market).result(_ASK_S)
        return ticker

    def sync(self) -> int:
        """Make history durable and return the block that it ends with; waits. ViewsError if it cannot be said."""
        try:
            block: int = self.ask("sync").result(_ASK_S)
        except TimeoutError:
            raise ViewsError("the views do not answer") from None
        return block


_GONE: Final = (
    "market data are not there now: their process starts, or catches up",
    "trading goes on; ask again in a moment",
)


def _ignore(*_: Any) -> None:
    """Nobody listens."""
