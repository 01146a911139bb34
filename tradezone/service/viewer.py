"""The process of the views: market data and the history store, made from the blocks that the zone sends.

    python -m tradezone.service.viewer <descriptor of a socket>

It owns nothing that cannot be made again. What it did not get (it was not running yet, it was too slow, the queue in
front of it was full) it takes from the journal: it executes those blocks again, from the newest snapshot that does not
lie behind what history holds, and compares every receipt head, as recovery does.

Invariants:

* Blocks are applied in order, each once, to market data and then to history; history never runs ahead.
* What is asked is answered between two blocks, so an answer and the updates behind it fit together.
* Losing this process, at any point, loses nothing: history is a prefix of the journal's blocks, whole.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from tradezone.sequencer import BlockReceipts, EventLog
from tradezone.sequencer.recovery import (
    SNAPSHOTS,
    list_snapshots,
    load_newest_snapshot,
    read_origin,
)

from .depth import read_start
from .errors import HistoryError
from .feeds import Feeds
from .history import FILE, HistoryReader, HistoryWriter
from .log import configure
from .replay import Replay
from .wire import MessageReader, encode

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tradezone.views import Candle

    from .feeds import Published
    from .replay import ReplayedBlock

_log = EventLog("service.viewer")

LOCK: Final = "views.lock"  # in the data folder: held by the one process that writes history
HISTORY_BYTES: Final = (
    64 << 20
)  # of blocks that wait for the store before market data wait for it too
_REPORT_BLOCKS: Final = 64  # blocks between two reports of where the views stand
Key = tuple[str, int, int]  # channel, market, interval (ms, of candles)


class Viewer:
    """Market data, history, and who has subscribed. One thread works, another reads what comes.

    Parameters
    ----------
    sock : socket
        the zone's process
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reader = MessageReader(sock)
        self._ready = threading.Condition()
        self._asks: deque[tuple[Any, ...]] = deque()
        self._blocks: deque[tuple[tuple[Any, ...], int]] = deque()
        self._block_bytes = 0
        self._most_bytes = HISTORY_BYTES
        self._is_over = False  # nothing more will come
        self._keys: set[Key] = set()
        self._waiting: deque[
            tuple[BlockReceipts, NDArray[Any], list[tuple[int, int, Candle]], int]
        ] = deque()
        self._waiting_bytes = 0
        self._store_writer: HistoryWriter | None = None
        self._block = 0
        self._reported = 0, 0  # blocks
        self._replay: Replay | None = None

    # --- reading -------------------------------------------------------------------------------------

    def read(self) -> None:
        """Take in what comes until the other end is gone; the reading thread."""
        while True:
            found = self._reader.read()
            with self._ready:
                if found is None:
                    self._is_over = True
                    self._ready.notify()
                    return
                message, size = found
                if message[0] != "block":
                    self._asks.append(message)
                elif self._block_bytes + size <= self._most_bytes or not self._blocks:
                    self._blocks.append((message, size))
                    self._block_bytes += size
                # else it is dropped: the gap shows, and the journal has it
                self._ready.notify()

    @property
    def _writer(self) -> HistoryWriter:
        assert self._store_writer is not None, "nothing is asked of it before it was opened"
        return self._store_writer

    # --- working -------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until the zone's process says stop, or is gone."""
        threading.Thread(target=self.read, name="read", daemon=True).start()
        try:
            self._work()
        finally:
            if self._store_writer:
                self._store_writer.close()  # then everything is in the one file

    def _work(self) -> None:
        while True:
            with self._ready:
                while not (self._asks or self._blocks or self._waiting or self._is_over):
                    self._ready.wait()
                block = None
                if self._blocks and not self._asks:
                    block, size = self._blocks.popleft()
                    self._block_bytes -= size
                is_over = self._is_over and not self._asks and block is None
            self._answer_all()
            if block is not None:
                self._take(*block[1:])
            elif self._waiting:
                self._store()
            elif is_over:
                break
            elif self._store_writer is None:
                continue  # nothing was opened yet
            if not (self._blocks or self._waiting):
                self._writer.flush()  # nothing follows yet: readers see this block at once
                self._report()

    def open(self, directory: Path, separator: bytes, options: dict[str, Any]) -> None:
        """Open history, bring the views to where the journal ends, and say so."""
        configure(options["level"], options["format"])
        self._directory, self._separator = directory, separator
        self._threads = options["threads"]
        self._most_bytes = options["queue_bytes"]
        self._lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        # one that belonged to a process that was killed may still be writing what it was given
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._store_writer = HistoryWriter(
            directory / FILE, options["flush_ms"], read_origin(directory)
        )
        self._block = self._writer.block
        last, time, books = options["last"], options["time"], options["books"]
        if self._block != last or books is None:
            time, books = self._find_books()
        self._feeds = Feeds(self._writer.event + 1, books, time)
        history = HistoryReader(directory / FILE)
        self._feeds.restore(history)
        history.close()
        self._catch_up(last)
        self._writer.flush()
        _log.info("views_ready", block=self._block)
        self._send("ready", self._block)

    def _find_books(self) -> tuple[int, NDArray[Any]]:
        """Time and books behind the last block of the store, from a replay that goes on from there."""
        replay = self._start_replay()
        for _ in replay.run(self._block):
            pass
        point = replay.point
        if (point.block, point.head) != (self._block, self._writer.head):
            text = f"history ends with another block {self._block} than the journal has"
            raise HistoryError(text, "it is of another journal")
        return int(point.engine.machine["time"]), read_start(point.engine)

    def _start_replay(self) -> Replay:
        """Return a replay that stands at or before the block that was applied last."""
        folder = self._directory / SNAPSHOTS
        newest = max((n for n in list_snapshots(folder) if n <= self._block), default=0)
        if self._replay is None or self._replay.point.block < newest:
            point = load_newest_snapshot(folder, last=self._block)
            self._replay = Replay(self._directory, self._separator, point, self._threads)
        return self._replay

    def _catch_up(self, last: int) -> None:
        """Apply what the journal has, up to a block that is known to be on disk."""
        first = self._block
        if first >= last:
            return
        for block in self._start_replay().run(last):
            self._answer_all()
            if block.receipts.block_head.block > self._block:
                self._apply_replayed(block)
        if self._block > first:
            _log.info("views_caught_up", first_block=first + 1, last_block=self._block)

    def _apply_replayed(self, block: ReplayedBlock) -> None:
        self._apply(block.receipts, block.events)
        while self._waiting:
            self._store()
        if self._block % _REPORT_BLOCKS == 0:
            self._report()

    def _take(self, receipts: BlockReceipts, events: NDArray[Any]) -> None:
        """Apply a block that the zone sent."""
        number = receipts.block_head.block
        if number <= self._block:
            return  # it was in the journal already
        if number > self._block + 1:
            self._catch_up(number - 1)
        self._apply(receipts, events)
        if self._block % _REPORT_BLOCKS == 0:
            self._report()
        while self._waiting_bytes > self._most_bytes:
            self._store()

    def _apply(self, receipts: BlockReceipts, events: NDArray[Any]) -> None:
        head = receipts.block_head
        published = self._feeds.apply(head.block, head.time, events)
        self._block = head.block
        self._push(published)
        self._waiting.append((receipts, events, published.candles, events.nbytes))
        self._waiting_bytes += events.nbytes

    def _store(self) -> None:
        """Add the oldest block that waits to the store."""
        receipts, events, candles, size = self._waiting.popleft()
        self._waiting_bytes -= size
        self._writer.add(receipts, events, candles)

    def set_aside(self, error: HistoryError) -> None:
        """Put a store that cannot be used out of the way: the next process makes it anew from the journal."""
        _log.error("history_unusable", error=error)
        for suffix in ("", "-wal", "-shm"):
            path = self._directory / f"{FILE}{suffix}"
            if path.exists():
                path.replace(self._directory / f"{FILE}.unusable{suffix}")

    # --- telling -------------------------------------------------------------------------------------

    def _send(self, *message: Any) -> None:
        self._sock.sendall(encode(*message))

    def _report(self) -> None:
        place = self._block, self._writer.stored
        if place != self._reported:
            self._reported = place
            self._send("at", self._block, self._writer.stored)

    def _push(self, published: Published) -> None:
        if not self._keys:
            return
        told: list[tuple[Key, Any]] = []
        books = [(("book", update.market, 0), update) for update in published.updates]
        told += [told for told in books if told[0] in self._keys]
        for market in published.markets:
            if ("trades", market, 0) in self._keys:
                trades = published.read_trades(market)
                if trades:
                    told.append((("trades", market, 0), trades))
            if ("ticker", market, 0) in self._keys:
                told.append((("ticker", market, 0), self._feeds.get_ticker(market)))
        for market, interval, candle in published.candles:
            if ("candles", market, interval) in self._keys:
                told.append((("candles", market, interval), candle))
        if told:
            self._send("push", told)

    # --- answering -----------------------------------------------------------------------------------

    def _answer_all(self) -> None:
        while self._asks:
            name, *arguments = self._asks.popleft()
            if name == "open":
                self.open(*arguments)
            elif name == "subscribe":
                token, key = arguments
                self._keys.add(key)
                self._send("snapshot", token, key, self._get_snapshot(key))
            elif name == "unsubscribe":
                self._keys.discard(*arguments)
            else:
                token, *rest = arguments
                try:
                    value = self._answer(name, rest)
                except Exception as error:  # noqa: BLE001 -- it belongs to who asked
                    self._send("error", token, f"{type(error).__name__}: {error}")
                else:
                    self._send("answer", token, value)

    def _answer(self, name: str, arguments: list[Any]) -> Any:
        if name == "sync":
            while self._waiting:
                self._store()
            self._writer.sync()
            return self._writer.stored
        return getattr(self._feeds, f"get_{name}")(*arguments)

    def _get_snapshot(self, key: Key) -> Any:
        channel, market, interval = key
        if channel == "book":
            return self._feeds.get_depth(market)
        if channel == "ticker":
            return self._feeds.get_ticker(market)
        return self._feeds.get_candle(market, interval) if channel == "candles" else None


def main() -> None:
    """Serve the zone's process at the other end of the socket."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the zone's process says when it is over
        signal.signal(number, signal.SIG_IGN)
    os.nice(int(sys.argv[2]))
    viewer = Viewer(socket.socket(fileno=int(sys.argv[1])))
    try:
        viewer.run()
    except BrokenPipeError:
        pass  # the zone's process is gone: what it wrote is in the journal
    except HistoryError as error:
        viewer.set_aside(error)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 -- the zone starts another, from the journal
        _log.error("views_failed", error=error, kind=type(error).__name__)
        sys.exit(1)


if __name__ == "__main__":
    main()
