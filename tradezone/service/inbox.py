"""Where inbox messages come from: an L1 node, or, for a zone that has no L1, this process.

A local zone holds no real money: its messages are made up here, and heartbeats keep it awake.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from tradezone.chain import ChainError, DeposedError, InboxWatcher, Office, ReorgError, Rpc
from tradezone.protocol import messages
from tradezone.protocol.actions import pack
from tradezone.protocol.messages import Message
from tradezone.sequencer import EventLog

from .errors import ServiceError, StoppingError

if TYPE_CHECKING:
    from pathlib import Path

    from tradezone.sequencer import Clock

    from .config import L1Section
    from .pipeline import Pipeline

_log = EventLog("service.inbox")

HEARTBEAT_S: Final = 600.0  # a zone without one for an hour takes only cancels


class LocalInbox:
    """Makes messages up. Safe to call from any thread.

    Parameters
    ----------
    next_index : int
        index of the next message: where the engine's inbox stands
    """

    def __init__(self, next_index: int, clock: Clock) -> None:
        self._lock = threading.Lock()
        self._next = next_index
        self._clock = clock
        self._pipeline: Pipeline | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="inbox", daemon=True)

    def start(self, pipeline: Pipeline) -> None:
        """Begin to send heartbeats."""
        self._pipeline = pipeline
        self.offer(messages.HEARTBEAT, batch=0)
        self._thread.start()

    def offer(self, kind: int, **values: int | bytes) -> int:
        """Offer one message by its kind and fields, and return its index."""
        return self.offer_all([(kind, values)])[0]

    def offer_all(self, told: list[tuple[int, dict[str, Any]]]) -> list[int]:
        """Offer messages, in this order, and return their indices."""
        if self._pipeline is None:
            raise ServiceError("the zone does not run yet", "start it first")
        with self._lock:
            now = self._clock.now() // 1_000
            raw = [
                Message(
                    index, kind, bytes(20), now, index, pack(messages.BODIES[kind], values)
                ).to_bytes()
                for index, (kind, values) in enumerate(told, self._next)
            ]
            self._pipeline.offer_messages(raw)
            first, self._next = self._next, self._next + len(raw)
        return list(range(first, first + len(raw)))

    def stop(self) -> None:
        """End the heartbeats."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_S):
            try:
                self.offer(messages.HEARTBEAT, batch=0)
            except StoppingError:
                return


class ChainInbox:
    """Polls the L1 inbox and hands over what is safe there; keeps trying while the node is away.

    A re-organisation that takes back what the zone has executed ends the zone, and so does another epoch than the
    zone's own: receipts that are signed after it are void.
    """

    def __init__(
        self, section: L1Section, cursor: Path, start: int, prefix: bytes, office: Office
    ) -> None:
        self._office = office
        self.watcher = InboxWatcher(
            Rpc(section.rpc),
            section.inbox,
            cursor,
            start=start,
            prefix=prefix,
            confirmations=section.confirmations,
            patience=0.0,
        )
        self._pause = section.poll_ms / 1_000
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.last_poll = 0.0  # time.monotonic of the last one that went well

    def start(self, pipeline: Pipeline) -> None:
        """Begin to poll."""
        self._thread = threading.Thread(
            target=self._poll_loop, args=(pipeline,), name="inbox", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End polling."""
        self._stop.set()
        if self._thread:
            self._thread.join(5)

    def _poll_loop(self, pipeline: Pipeline) -> None:

        while not self._stop.is_set():
            try:
                pipeline.offer_messages(self.watcher.poll())
                self.last_poll = time.monotonic()
                self._office.check()
            except StoppingError:
                return
            except DeposedError as error:
                _log.error("deposed", error=error)
                pipeline.fail(error)
                return
            except ReorgError as error:
                _log.error("reorganised", error=error)
                pipeline.fail(error)
                return
            except ChainError as error:
                _log.warning("node_unavailable", error=error)
            self._stop.wait(self._pause)
