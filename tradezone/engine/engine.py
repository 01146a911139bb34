"""``Engine``: the state, what is derived from it, and the compiled machine behind a small Python face."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tradezone.protocol.batches import Header
from tradezone.protocol.enums import NONE
from tradezone.protocol.events import EVENT_DTYPE
from tradezone.protocol.limits import MAX_PROVIDERS
from tradezone.protocol.records import RECORDS_VERSION, TABLES
from tradezone.state.tree import RecordTree

from .audit import Violation, audit_state
from .block import run
from .inputs import prepare
from .memory import (
    BATCH_ENDS,
    BATCH_OPEN,
    CONTROL_WORDS,
    DENSE_LOOKUPS,
    DERIVED_DTYPE,
    EVENT_LIMIT,
    IO_DTYPE,
    MAX_RUN_BYTES,
    MAX_RUN_LEAVES,
    MAX_RUN_MESSAGE_BYTES,
    MAX_RUN_MESSAGES,
    ZONE_ENDS,
    allocate,
    allocate_state,
    get_tables,
)
from .rebuild import rebuild_derived
from .tables import T_HEAD, T_MACHINE, T_QUEUE, T_TIMER

_STEPS_PER_CALL: Final = 1 << 22  # so that a long run returns now and then
_CONTROL: Final = struct.Struct(f"<{CONTROL_WORDS}q")  # the first fields of the io block
_NO_EVENTS: Final = np.zeros(0, np.uint8)
_WIDEST: Final = 1 << 62
_SNAPSHOT_MAGIC: Final = b"TZSNAP01"


def _get_end(header: Header | None) -> int:
    """Return what the end of the header's batch is, ``io.is_batch_end``."""
    if header is None:
        return BATCH_OPEN
    return ZONE_ENDS if header.is_closing else BATCH_ENDS


class EngineError(RuntimeError):
    """The run could not be executed. Its state may be half-way: throw the engine away and recover."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did.

    Attributes
    ----------
    results : (n,) int32
        per leaf: failed items << 16 | first error
    events : (k,) EVENT_DTYPE
        in execution order
    steps : int
        steps of the machine
    """

    results: NDArray[np.int32]
    events: NDArray[Any]
    steps: int


class Engine:
    """A zone's engine at genesis, or at a snapshot.

    The state is the only thing that matters; lookups and dirty marks follow from it. Not thread-safe: one
    writer.
    """

    def __init__(self) -> None:
        self._state = allocate_state()
        self._derived = allocate(DERIVED_DTYPE, DENSE_LOOKUPS)
        self._io = allocate(IO_DTYPE)
        self.tables: dict[str, NDArray[Any]] = get_tables(self._state)
        self._by_number = {table.number: self.tables[table.name] for table in TABLES}
        self._tree = RecordTree()
        self._derived_views = {
            name: self._derived[name][0] for name in ("dirty_bits", "dirty_list")
        }
        self._io_views: dict[str, NDArray[Any]] = {
            name: self._io[name][0]
            for name in (
                "leaf",
                "leaf_at",
                "signer",
                "result",
                "message",
                "message_at",
            )
        }
        # as bytes: NumPy copies structured rows field by field, eight times slower
        self._io_bytes = self._io.view(np.uint8).data
        self._io_views["event"] = self._io["event"][0].view(np.uint8)
        self._machine = self.tables["machine"][0]
        self._bases = np.cumsum([0] + [t.capacity for t in TABLES])[:-1].astype(np.int64)
        for table in TABLES:
            if table.is_allocated or table.name in ("timer", "queue"):
                self.tables["head"][table.number]["high_water"] = 1
                self._mark(T_HEAD, table.number)
        self._machine["seq"] = 1
        self._mark(T_MACHINE, 0)

    # --- reading -----------------------------------------------------------------------------------

    @property
    def machine(self) -> Any:
        """The machine's control record: ``engine.machine["block"]`` and so on."""
        return self._machine

    @property
    def last_event(self) -> int:
        """Number of the last event that was told; they are numbered from 1 without gaps."""
        return int(self._derived["event_seq"][0])

    def next_release(self) -> int | None:
        """Release time (ms) of the first waiting order, or None if none waits."""
        if not int(self.tables["head"][T_QUEUE]["in_use"]):
            return None
        return int(self.tables["queue"][1]["release"])

    def next_timer(self) -> int | None:
        """Time (ms) of the earliest timer, or None if none is set."""
        if not int(self.tables["head"][T_TIMER]["in_use"]):
            return None
        return int(self.tables["timer"][1]["time"])

    def has_due_work(self, time: int, block: int) -> bool:
        """Whether a block ``block`` at ``time`` would do something even without a leaf."""
        agenda = self.tables["agenda"][0]
        if agenda["task_first"] != NONE or agenda["sweep_left"] or agenda["trigger_first"] != NONE:
            return True
        if agenda["perps"] and agenda["next_mark"] <= time:
            return True  # queue and jobs of perpetuals go on with their ticks
        timer = self.next_timer()
        if timer is not None and timer <= time:
            return True
        size = int(self.tables["head"][T_QUEUE]["in_use"])
        nodes = self.tables["queue"][1 : size + 1]
        books = self.tables["book"][nodes["book"][nodes["release"] <= time]]
        return bool((books["release_block"] <= block).any())

    # --- running -----------------------------------------------------------------------------------

    def execute_run(
        self,
        buffer: NDArray[np.uint8],
        offsets: NDArray[np.int64],
        signers: NDArray[np.uint8],
        messages: Sequence[bytes] = (),
        header: Header | None = None,
        is_batch_end: bool = False,
    ) -> RunResult:
        """Execute a run of leaves: one block or several, from a block mark to the last leaf of a block.

        A live sequencer runs block by block without a header, because it makes the header of what it ran.
        A replay gives the batch's header, and ``is_batch_end`` with the last run of the batch.

        Parameters
        ----------
        buffer : (bytes,) uint8
            the leaves, end to end
        offsets : (n + 1,) int64
            leaf i is ``buffer[offsets[i]:offsets[i + 1]]``
        signers : (n, 20) uint8
            recovered signer of each leaf, zero = none
        messages : sequence of bytes
            inbox messages from index ``machine["inbox"]`` on; at least those that inbox marks open, and with
            ``is_batch_end`` all below ``header.inbox_index``
        header : Header, optional
            header of the batch that the run belongs to: bounds block numbers, times and inbox marks
        is_batch_end : bool
            the run is the last of the batch: messages below ``header.inbox_index`` are consumed after it

        Raises
        ------
        ValueError
            the run is larger than the engine takes in one call
        EngineError
            the machine stopped: an inbox message is missing, or an invariant of the state is broken
        """
        count = len(offsets) - 1
        start, size = int(offsets[0]), int(offsets[count] - offsets[0])
        if count > MAX_RUN_LEAVES or size > MAX_RUN_BYTES:
            raise ValueError(
                f"run has {count} leaves and {size} bytes, "
                f"at most {MAX_RUN_LEAVES} and {MAX_RUN_BYTES} fit"
            )
        if len(messages) > MAX_RUN_MESSAGES:
            messages = messages[:MAX_RUN_MESSAGES]
        view = self._io_views
        io = self._io[0]
        first = int(self._machine["seq"])
        view["leaf"][:size] = buffer[start : start + size]
        view["leaf_at"][: count + 1] = offsets - start if start else offsets
        view["signer"][:count] = signers
        view["result"][:count] = 0
        self._load_messages(messages)
        inbox = int(self._machine["inbox"])
        if header is None:
            bounds = (_WIDEST, 0, _WIDEST, 0, _WIDEST)
        else:
            last = header.first_block + header.blocks - 1
            bounds = (
                header.inbox_index,
                header.first_block,
                last,
                header.start_time,
                header.end_time,
            )
        is_end = _get_end(header) if is_batch_end else BATCH_OPEN
        _CONTROL.pack_into(
            self._io_bytes,
            0,
            first,
            first + count,
            is_end,
            *bounds,
            inbox,
            inbox + len(messages),
            0,
        )
        prepare(self._io)
        drained: list[NDArray[Any]] = []
        steps = 0
        while True:
            try:
                done = run(self._state, self._derived, self._io, _STEPS_PER_CALL)
            except (ValueError, IndexError) as error:
                machine = {
                    name: int(self._machine[name]) for name in ("pc", "seq", "block", "inbox")
                }
                raise EngineError(f"the machine stopped at {machine}: {error}") from error
            steps += done
            events = int(io["event_count"])
            if events:
                drained.append(view["event"][: events * EVENT_DTYPE.itemsize].copy())
                io["event_count"] = 0
            if done < _STEPS_PER_CALL and events < EVENT_LIMIT:
                break
        merged = drained[0] if len(drained) == 1 else np.concatenate([_NO_EVENTS, *drained])
        return RunResult(view["result"][:count].copy(), merged.view(EVENT_DTYPE), steps)

    def drain(self, header: Header, messages: Sequence[bytes]) -> None:
        """Carry out a batch without leaves: consume what is left of the inbox, however much it is.

        If it is the closing batch, the zone is wound up behind it. The same steps as the end of
        `execute_run` takes with ``is_batch_end``, but messages are loaded a window at a time: the machine is
        left before it would ask for the first one of the next. (Several ends of a batch would not do: each
        is a step more, and the number of steps is state.)

        Parameters
        ----------
        header : Header
            header of the batch
        messages : sequence of bytes
            inbox messages from index ``machine["inbox"]`` to ``header.inbox_index - 1``

        Raises
        ------
        ValueError
            other messages are given than the header's
        EngineError
            as `execute_run`
        """
        machine, io = self._machine, self._io[0]
        begun = int(machine["inbox"])
        if begun + len(messages) != header.inbox_index:
            text = f"{len(messages)} messages from {begun} on end before {header.inbox_index}"
            raise ValueError(text)
        seq = int(machine["seq"])
        bounds = (header.inbox_index, 0, -1, header.start_time, header.end_time)
        for start in range(0, max(len(messages), 1), MAX_RUN_MESSAGES):
            window = messages[start : start + MAX_RUN_MESSAGES]
            self._load_messages(window)
            first, end = begun + start, begun + start + len(window)
            self._io_views["leaf_at"][0] = 0
            _CONTROL.pack_into(
                self._io_bytes, 0, seq, seq, _get_end(header), *bounds, first, end, 0
            )
            prepare(self._io)
            is_last = end == header.inbox_index
            while is_last or int(machine["inbox"]) < end:
                io["event_count"] = 0
                try:
                    done = run(
                        self._state, self._derived, self._io, _STEPS_PER_CALL if is_last else 1
                    )
                except (ValueError, IndexError) as error:
                    at = {name: int(machine[name]) for name in ("pc", "inbox")}
                    raise EngineError(f"the machine stopped at {at}: {error}") from error
                if not done:
                    break

    def _load_messages(self, messages: Sequence[bytes]) -> None:
        if not messages:
            return
        view = self._io_views
        joined = b"".join(messages)
        if len(joined) > MAX_RUN_MESSAGE_BYTES:
            raise ValueError(
                f"messages are {len(joined)} bytes, at most {MAX_RUN_MESSAGE_BYTES} fit"
            )
        view["message"][: len(joined)] = np.frombuffer(joined, dtype=np.uint8)
        at = np.zeros(len(messages) + 1, dtype=np.int64)
        np.cumsum([len(m) for m in messages], out=at[1:])
        view["message_at"][: len(messages) + 1] = at

    def execute(
        self,
        leaves: Sequence[bytes],
        signers: Sequence[bytes | None],
        messages: Sequence[bytes] = (),
    ) -> tuple[list[int], NDArray[Any]]:
        """Execute a run given as Python bytes; returns (results, events). See ``execute_run``."""
        offsets = np.zeros(len(leaves) + 1, dtype=np.int64)
        np.cumsum([len(leaf) for leaf in leaves], out=offsets[1:])
        buffer = np.frombuffer(b"".join(leaves), dtype=np.uint8)
        flat = b"".join(signer or bytes(20) for signer in signers)
        rows = np.frombuffer(flat, dtype=np.uint8).reshape(len(leaves), 20)
        result = self.execute_run(buffer, offsets, rows, messages)
        return [int(r) for r in result.results], result.events

    # --- commitment --------------------------------------------------------------------------------

    def dirty(self) -> NDArray[np.uint64]:
        """Return the indices (type << 32 | slot) of records touched since the last commitment."""
        count = int(self._derived["dirty_count"][0])
        return self._derived_views["dirty_list"][:count].astype(np.uint64)

    def commit_root(self) -> bytes:
        """Hash what is dirty into the record tree and return the state root."""
        dirty = self.dirty()
        if len(dirty):
            self._tree.commit(self._by_number, dirty)
            kinds, slots = dirty >> np.uint64(32), dirty & np.uint64(0xFFFFFFFF)
            # every record whose bit is set is in the list, so whole bytes are cleared
            at = self._bases[kinds.astype(np.int64)] + slots.astype(np.int64)
            self._derived_views["dirty_bits"][at >> 3] = 0
            self._derived["dirty_count"][0] = 0
        return self._tree.root

    def rebuild_root(self) -> bytes:
        """Root of the state computed from nothing: what every commitment must equal."""
        return RecordTree().rebuild(self._by_number)

    def prove(self, kind: int, slot: int) -> list[bytes]:
        """Sibling hashes of record (kind, slot) under the last committed root, bottom up."""
        return self._tree.prove(kind, slot)

    # --- invariants --------------------------------------------------------------------------------

    def audit(self, *, most: int = 20, is_thorough: bool = False) -> list[Violation]:
        """Check every invariant of the state between two runs; empty if all hold. See ``audit_state``."""
        return audit_state(self.tables, most=most, is_thorough=is_thorough)

    def _mark(self, kind: int, slot: int) -> None:
        at = int(self._bases[kind]) + slot
        bits, bit = self._derived_views["dirty_bits"], 1 << (at & 7)
        if not bits[at >> 3] & bit:
            bits[at >> 3] |= bit
            count = int(self._derived["dirty_count"][0])
            self._derived_views["dirty_list"][count] = (kind << 32) | slot
            self._derived["dirty_count"][0] = count + 1

    # --- snapshots ---------------------------------------------------------------------------------

    def _used_slots(self, number: int) -> int:
        table = TABLES[number]
        if table.is_allocated:
            return int(self.tables["head"][number]["high_water"])
        records = self.tables[table.name]
        if table.name in ("machine", "head"):
            return table.capacity
        if table.name == "nonces":
            return min(table.capacity, int(self.tables["head"][5]["high_water"]) * 4)
        if table.name in ("timer", "queue"):  # heaps: nodes 1 .. size
            return int(self.tables["head"][number]["in_use"]) + 1
        if table.name in ("fund", "book", "price", "tier", "job", "pending"):
            return int(self.tables["head"][15]["high_water"])
        if table.name == "watch":
            return int(self.tables["head"][13]["high_water"])
        if table.name == "provider":
            return int(self.tables["head"][13]["high_water"]) * MAX_PROVIDERS
        return len(records)  # buckets: sparse, compressed away

    def save_snapshot(self, path: Path) -> None:
        """Write the whole state to ``path``: header, then one compressed block per table, crc at the end."""
        parts = [
            _SNAPSHOT_MAGIC,
            RECORDS_VERSION.to_bytes(4, "big"),
            len(TABLES).to_bytes(4, "big"),
        ]
        parts.append(int(self._derived["event_seq"][0]).to_bytes(8, "big"))
        for table in TABLES:
            used = self._used_slots(table.number)
            data = zlib.compress(self.tables[table.name][:used].tobytes(), 1)
            parts += [used.to_bytes(4, "big"), len(data).to_bytes(8, "big"), data]
        body = b"".join(parts)
        path.write_bytes(body + zlib.crc32(body).to_bytes(4, "big"))

    @classmethod
    def from_snapshot(cls, path: Path) -> Engine:
        """Load a snapshot. ValueError names what is wrong with the file."""
        raw = path.read_bytes()
        body, crc = raw[:-4], raw[-4:]
        if body[:8] != _SNAPSHOT_MAGIC:
            raise ValueError(f"{path} is not a snapshot: it begins with {body[:8]!r}")
        if zlib.crc32(body).to_bytes(4, "big") != crc:
            raise ValueError(f"{path} is damaged: its checksum does not match")
        version = int.from_bytes(body[8:12], "big")
        if version != RECORDS_VERSION:
            raise ValueError(f"{path} has records version {version}, expected {RECORDS_VERSION}")
        engine = cls()
        engine._derived["event_seq"][0] = int.from_bytes(body[16:24], "big")
        at = 24
        for table in TABLES:
            used, size = (
                int.from_bytes(body[at : at + 4], "big"),
                int.from_bytes(body[at + 4 : at + 12], "big"),
            )
            at += 12
            data = zlib.decompress(body[at : at + size])
            at += size
            engine.tables[table.name][:used] = np.frombuffer(data, dtype=table.dtype)
        engine._rebuild_derived()
        return engine

    def _rebuild_derived(self) -> None:
        """Recompute lookups and the record tree from the state."""
        rebuild_derived(self._state, self._derived)
        self._tree.rebuild(self._by_number)
        count = int(self._derived["dirty_count"][0])
        indices = self._derived_views["dirty_list"][:count]
        self._derived_views["dirty_bits"][
            (self._bases[indices >> 32] + (indices & 0xFFFFFFFF)) >> 3
        ] = 0
        self._derived["dirty_count"][0] = 0
