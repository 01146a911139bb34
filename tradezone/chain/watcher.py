"""The watcher: hands out the messages of the L1 inbox, in order, each exactly once.

Invariants, checked at every poll before anything is handed out:

* The L1 still holds what was handed out: its prefix hash at our next index is ours. If it is not, the
  zone has executed messages that the L1 took back, and `ReorgError` says so.
* What is new follows without a gap, and its prefix hash is the one that the L1 stored.
* Nothing younger than the confirmation depth (or the node's safe block) is looked at.

The consumer's own journal says which messages it holds; give its next index as ``start`` and a crash at
any point neither loses nor repeats one. The cursor file remembers what the L1 looked like: checkpoints of
(block, block hash, index, prefix hash), replaced as a whole. ``docs/spec/chain.md`` states the guarantees.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tradezone.protocol.messages import Message, next_prefix

from ._codec import to_address_bytes, to_bytes, to_checksum
from ._files import write_file
from .abi import INBOX
from .errors import (
    ChainError,
    CursorError,
    IncompleteLogsError,
    ReorgError,
    RevertedError,
    RpcError,
)
from .rpc import Block

if TYPE_CHECKING:
    from pathlib import Path

    from .rpc import Rpc

_log = logging.getLogger("tradezone.chain.watcher")
_T = TypeVar("_T")

CURSOR_VERSION: Final = 1
_TRAIL: Final = 64  # checkpoints kept, to say how deep a re-organisation went
_MESSAGES: Final = 4_096  # messages after which a poll ends early
_PATIENCE: Final = 60.0  # seconds of trying again before an error leaves `poll`
_PAUSE: Final = (0.25, 15.0)  # seconds between tries: first, longest


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The inbox as it was after a block: messages below ``index`` hash to ``prefix``."""

    block: int
    hash: bytes
    index: int
    prefix: bytes

    def to_json(self) -> list[Any]:
        """Return it as plain values."""
        return [self.block, "0x" + self.hash.hex(), self.index, "0x" + self.prefix.hex()]

    @classmethod
    def from_json(cls, row: Any) -> Checkpoint:
        """Read what `to_json` wrote. ValueError or TypeError if it is something else."""
        block, hash_, index, prefix = row
        found = cls(int(block), to_bytes(hash_), int(index), to_bytes(prefix))
        if len(found.hash) != 32 or len(found.prefix) != 32 or found.index < 0:
            raise ValueError(row)
        return found


@dataclass(frozen=True, slots=True)
class Cursor:
    """What the watcher remembers: of which inbox, and its checkpoints, oldest first."""

    chain_id: int
    inbox: str
    trail: tuple[Checkpoint, ...]

    @property
    def last(self) -> Checkpoint:
        """Where it stands."""
        return self.trail[-1]

    def save(self, path: Path) -> None:
        """Replace the cursor file; after a crash it is the old one or the new one."""
        body = {
            "version": CURSOR_VERSION,
            "chain_id": self.chain_id,
            "inbox": self.inbox,
            "checkpoints": [checkpoint.to_json() for checkpoint in self.trail],
        }
        write_file(path, (json.dumps(body, indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> Cursor | None:
        """Read a cursor file; None if there is none. CursorError if it is damaged."""
        try:
            body = json.loads(path.read_text())
            version = body["version"]
            trail = tuple(Checkpoint.from_json(row) for row in body["checkpoints"])
            cursor = cls(int(body["chain_id"]), str(body["inbox"]), trail)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CursorError(
                f"{path} is no cursor of a watcher: {type(error).__name__} {error}",
                "delete it and give the consumer's next index: it is found again on L1",
            ) from None
        if version != CURSOR_VERSION or not trail:
            raise CursorError(f"{path} has version {version}, expected {CURSOR_VERSION}")
        return cursor


class InboxWatcher:
    """Reads the inbox.

    Parameters
    ----------
    rpc : Rpc
        the node
    inbox : str
        address of the Inbox contract
    cursor_path : Path
        the cursor file; made if absent
    start : int, optional
        index of the first message to hand out: where the consumer stands by its own journal. Without
        it the watcher goes on from its cursor, and a crash between `poll` and the consumer's write
        loses what that poll returned.
    prefix : bytes, optional
        prefix hash of the messages below ``start`` as the consumer knows it, to be compared with L1:
        together they are ``Sequencer.inbox``
    confirmations : int, optional
        blocks that must lie on top of a message's block; for chains whose nodes know no safe block.
        Without it the node's safe block counts, and nothing is handed out while it names none.
    patience : float
        seconds for which errors of the node are tried again
    clock, sleep : callable, optional
        seconds, and waiting them
    """

    def __init__(
        self,
        rpc: Rpc,
        inbox: str | bytes,
        cursor_path: Path,
        *,
        start: int | None = None,
        prefix: bytes | None = None,
        confirmations: int | None = None,
        patience: float = _PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if confirmations is not None and confirmations < 0:
            raise ChainError(f"expected 0 or more confirmations, was {confirmations}")
        self._rpc = rpc
        self._inbox = rpc.at(INBOX, to_checksum(to_address_bytes(inbox)))
        self._path = cursor_path
        self._start = start
        self._prefix = prefix
        self._confirmations = confirmations
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._chain_id = 0
        self._trail: tuple[Checkpoint, ...] = ()
        self._cursor = Cursor.load(cursor_path)
        if self._cursor and self._cursor.inbox != self._inbox.address:
            raise CursorError(
                f"{cursor_path} is the cursor of inbox {self._cursor.inbox}",
                f"expected {self._inbox.address}: give each zone its own file",
            )

    # --- state -----------------------------------------------------------------------------------

    @property
    def position(self) -> Checkpoint | None:
        """Where the watcher stands; None before the first poll."""
        return self._trail[-1] if self._trail else None

    @property
    def next_index(self) -> int:
        """Index of the next message that `poll` hands out."""
        if self._trail:
            return self._trail[-1].index
        if self._start is not None:
            return self._start
        return self._cursor.last.index if self._cursor else 0

    # --- polling ---------------------------------------------------------------------------------

    def poll(self) -> list[bytes]:
        """Return the messages that became safe since the last call, in order; often none.

        The cursor file is written before they are returned. A long backlog comes in several polls.

        Raises
        ------
        ReorgError
            the L1 replaced blocks whose messages were handed out. Stop the zone.
        WrongChainError, CursorError
            the node serves another chain, or the file is of another one
        ChainError
            the node kept failing for longer than ``patience``. Nothing was handed out; call again.
        """
        return self._retry(self._poll)

    def _retry(self, work: Callable[[], _T]) -> _T:
        """Do something, again and again while the node fails, waiting longer each time."""
        deadline, pause = self._clock() + self._patience, _PAUSE[0]
        while True:
            try:
                return work()
            except (RpcError, IncompleteLogsError, RevertedError) as error:
                if self._clock() + pause > deadline:
                    raise
                _log.warning("retry in_s=%.2f error=%s", pause, error)
            self._sleep(pause)
            pause = min(2 * pause, _PAUSE[1])

    def _poll(self) -> list[bytes]:
        if not self._trail:
            self._trail = self._locate()
        safe = self._safe_block()
        if safe is None or not self._check_handed_out():
            return []
        last = self._trail[-1]
        if safe.number <= last.block:
            return []
        messages, checkpoint = self._scan(last, safe)
        trail = (*self._trail, checkpoint)[-_TRAIL:]
        Cursor(self._chain_id, self._inbox.address, trail).save(self._path)
        self._trail = trail
        return messages

    def _locate(self) -> tuple[Checkpoint, ...]:
        """Find where to begin: at the cursor, or where the consumer stands."""
        chain_id = self._rpc.chain_id()
        cursor = self._cursor
        if cursor and cursor.chain_id != chain_id:
            text = f"{self._path} was written on chain {cursor.chain_id}, this is {chain_id}"
            raise CursorError(text, "check the RPC address")
        self._chain_id = chain_id
        if cursor and (kept := self._keep(cursor.trail)):
            self._trail = kept
            is_there = self._check_handed_out()
            kept, self._trail = self._trail, ()
            if not is_there:
                raise IncompleteLogsError(f"{self._rpc} is behind block {kept[-1].block}")
            if self._start in (None, kept[-1].index):
                self._check_consumer(kept[-1].index, kept[-1].prefix)
                return kept
        start = self._start or 0
        safe = self._safe_block()  # before the count: what comes in between lies above it
        count = self._inbox.call("count")
        if start > count:
            raise IncompleteLogsError(
                f"the consumer holds {start} messages, the inbox has {count}",
                "is the node behind, or is this another inbox?",
            )
        if start < count:
            number = max(self._inbox.call("blockOf", start) - 1, 0)
        else:
            number = safe.number if safe else 0
            if start:
                number = min(number, self._inbox.call("blockOf", start - 1))
        block = self._block(number)
        stored = self._inbox.call("prefixHash", start)
        self._check_consumer(start, stored)
        return (Checkpoint(number, block.hash, start, stored),)

    def _keep(self, trail: tuple[Checkpoint, ...]) -> tuple[Checkpoint, ...]:
        """Leave out checkpoints behind what the consumer holds: it never got those messages."""
        return tuple(c for c in trail if self._start is None or c.index <= self._start)

    def _check_consumer(self, index: int, prefix: bytes) -> None:
        if self._prefix is not None and self._prefix != prefix:
            raise ReorgError(
                0,
                self._rpc.head().number,
                0,
                f"the consumer's {index} messages hash to 0x{self._prefix.hex()},"
                f" those of L1 to 0x{prefix.hex()}",
            )

    def _safe_block(self) -> Block | None:
        """Newest block that may be read; None if there is none yet."""
        if self._confirmations is None:
            return self._rpc.block("safe")
        head = self._rpc.head()
        if self._confirmations == 0:
            return head
        if head.number < self._confirmations:
            return None
        return self._rpc.block(head.number - self._confirmations)

    def _block(self, number: int) -> Block:
        block = self._rpc.block(number)
        if block is None:
            raise IncompleteLogsError(f"{self._rpc} does not have block {number}")
        return block

    # --- re-organisations ------------------------------------------------------------------------

    def _check_handed_out(self) -> bool:
        """Whether the node has the block we stand at, with all that was handed out.

        False if it is merely behind. A block that was replaced is no harm as long as the messages are
        the same (their hash covers their block and time): then the watcher goes back and reads on.
        """
        last = self._trail[-1]
        block = self._rpc.block(last.block)
        if block is None:
            return False
        if block.hash == last.hash:
            return True
        kept = [c for c in self._trail if self._is_on_chain(c)]
        try:
            prefix = self._inbox.call("prefixHash", last.index)
        except RevertedError:
            prefix = None
        if prefix != last.prefix:
            first = kept[-1].block + 1 if kept else self._trail[0].block
            index = kept[-1].index if kept else 0
            raise ReorgError(
                first,
                last.block,
                index,
                f"L1 replaced blocks {first} to {last.block}: block {last.block} was"
                f" 0x{last.hash.hex()}, is 0x{block.hash.hex()}; messages {index} to"
                f" {last.index - 1} were handed out and are no longer the same",
            )
        _log.warning("blocks up to %d were replaced, messages are the same", last.block)
        back = kept[-1].block if kept else max(self._trail[0].block - 1, 0)
        moved = Checkpoint(back, self._block(back).hash, last.index, last.prefix)
        self._trail = (*(c for c in kept if c.block < back), moved)
        return True

    def _is_on_chain(self, checkpoint: Checkpoint) -> bool:
        block = self._rpc.block(checkpoint.block)
        return block is not None and block.hash == checkpoint.hash

    # --- scanning --------------------------------------------------------------------------------

    def _scan(self, last: Checkpoint, safe: Block) -> tuple[list[bytes], Checkpoint]:
        """Read on to the safe block, or as far as one poll goes."""
        index, prefix, block = last.index, last.prefix, last.block
        messages: list[bytes] = []
        for end, logs in self._inbox.log_pages("Message", last.block + 1, safe.number):
            for log in logs:
                message = to_message(log)
                if message.index < index:
                    continue  # handed out before a re-organisation that left it as it was
                if message.index != index:
                    raise IncompleteLogsError(
                        f"{self._rpc} returned message {message.index}, expected {index}",
                        "its logs are incomplete",
                    )
                raw = message.to_bytes()
                index, prefix = index + 1, next_prefix(prefix, raw)
                messages.append(raw)
            block = end
            if len(messages) >= _MESSAGES:
                break
        hash_ = self._block(block).hash
        self._check_scan(index, prefix, block)
        if block == safe.number and hash_ != safe.hash:
            raise IncompleteLogsError(f"block {block} changed while it was read")
        return messages, Checkpoint(block, hash_, index, prefix)

    def _check_scan(self, index: int, prefix: bytes, block: int) -> None:
        """Compare what was read with what the contract says of itself."""
        count = self._inbox.call("count")
        if count < index:
            raise IncompleteLogsError(f"the inbox has {count} messages, {index} were read")
        stored = self._inbox.call("prefixHash", index)
        if stored != prefix:
            raise IncompleteLogsError(
                f"the prefix hash at {index} is 0x{stored.hex()}, of what was read 0x{prefix.hex()}",
                "the node's logs and state are of different chains",
            )
        if count > index and self._inbox.call("blockOf", index) <= block:
            raise IncompleteLogsError(
                f"message {index} is in a block up to {block} and missing in the node's logs"
            )


def to_message(log: dict[str, Any]) -> Message:
    """Return the message of a raw ``Message`` log."""
    values = INBOX.events["Message"].decode(log)
    return Message(
        index=values["index"],
        kind=values["kind"],
        sender=to_address_bytes(values["sender"]),
        time=values["time"],
        block=values["blockNumber"],
        payload=values["payload"],
    )
