"""What the zone's own process tells of every block: the block itself, and to each owner what happened to its accounts.

Market data come from another process (`tradezone.service.views`); what an owner hears of its orders does not wait
for them.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tradezone.protocol.events import FILL
from tradezone.views import Event, read_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .pipeline import BlockEvents


class Told(NamedTuple):
    """What listeners hear of a block."""

    number: int
    time: int  # ms
    first_seq: int  # of its leaves
    leaves: int  # marks included
    head: bytes
    private: dict[int, list[Event]]  # by account that is listened to


class Listeners:
    """Who hears of blocks. One thread applies; any thread listens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listened: dict[int, int] = {}  # account -> listeners
        self._accounts: NDArray[np.int32] = np.zeros(0, np.int32)
        self._listeners: list[Callable[[Told], None]] = []

    def add_listener(self, listener: Callable[[Told], None]) -> None:
        """Hand every block to a listener, from the next one on; it must not block."""
        self._listeners.append(listener)

    def listen_to(self, account: int) -> None:
        """Pick out what happens to an account, as often as it is asked for."""
        with self._lock:
            self._listened[account] = self._listened.get(account, 0) + 1
            self._accounts = np.array(sorted(self._listened), np.int32)

    def stop_listening_to(self, account: int) -> None:
        """Take one `listen_to` back."""
        with self._lock:
            left = self._listened.get(account, 0) - 1
            if left > 0:
                self._listened[account] = left
            else:
                self._listened.pop(account, None)
            self._accounts = np.array(sorted(self._listened), np.int32)

    def apply(self, block: BlockEvents) -> None:
        """Tell the listeners of a block."""
        if not self._listeners:
            return
        closed = block.closed
        head = closed.receipts.block_head
        told = Told(
            closed.number,
            closed.time,
            closed.first_seq,
            head.count,
            head.head,
            self._pick(closed.events),
        )
        for listener in self._listeners:
            listener(told)

    def _pick(self, events: NDArray[Any]) -> dict[int, list[Event]]:
        accounts = self._accounts
        if not len(accounts) or not len(events):
            return {}
        is_wanted = np.isin(events["account"], accounts)
        is_wanted |= np.isin(events["other_account"], accounts) & (events["kind"] == FILL)
        picked: dict[int, list[Event]] = {}
        wanted = set(accounts.tolist())
        for event in read_events(events[is_wanted]):
            parties = {event.account}
            if event.kind == FILL:
                parties.add(event.other_account)
            for account in parties & wanted:
                picked.setdefault(account, []).append(event)
        return picked
