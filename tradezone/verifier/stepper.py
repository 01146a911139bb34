"""The slow step executor: the machine one step a call, over witnesses.

A *witness* of a step holds the records that the step touches, each with its proof, the one leaf or inbox
message it reads, and the hints of derived lookups. ``check_step`` needs nothing else: it verifies every
proof against the root before, runs the step, and returns the root after. That is what a dispute contract
will do, so a step that reads a record outside its witness, or more than ``STEP_RECORDS`` of them, is an
error here.

The step functions are the engine's own, taken out of Numba (``get_pure_engine``): only what is derived
(lookups, dirty marks) or not state (events, results, access to inputs) is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any, Final, overload

import numba
import numpy as np
from numpy.typing import NDArray

from tradezone.engine import (
    _jit,
    access,
    ahead,
    assets,
    balances,
    block,
    codec,
    envelopes,
    forced,
    heaps,
    holdings,
    inbox,
    lookup,
    markets,
    matching,
    orders,
    outcome,
    phases,
    plans,
    quota,
    quotes,
    tables,
    tasks,
    timers,
    triggers,
    wide,
)
from tradezone.engine.memory import (
    BATCH_ENDS,
    BATCH_OPEN,
    ZONE_ENDS,
    allocate_state,
    get_tables,
)
from tradezone.engine.perps import (
    actions,
    adl,
    bands,
    closing,
    feeds,
    fills,
    funding,
    jobs,
    ledgers,
    liquidation,
    listing,
    margin,
    pools,
    prices,
    queue,
    settlement,
    takeover,
    terms,
)
from tradezone.engine.perps import orders as perp_orders
from tradezone.engine.perps import touch as touches
from tradezone.protocol.batches import Header
from tradezone.protocol.enums import (
    BUY,
    CLOSED,
    NONE,
    SELL,
    TRIGGER_DOWN_INDEX,
    TRIGGER_DOWN_LAST,
    TRIGGER_DOWN_MARK,
    TRIGGER_UP_INDEX,
    TRIGGER_UP_LAST,
    TRIGGER_UP_MARK,
)
from tradezone.protocol.events import EVENT_DTYPE
from tradezone.protocol.hashing import keccak
from tradezone.protocol.limits import ACCESS_BUCKETS, ORDER_BUCKETS, RECORD_TREE_DEPTH
from tradezone.protocol.records import KEY, TABLE_BY_NAME, TABLE_BY_NUMBER, TABLES, Table
from tradezone.protocol.steps import IDLE, NAMES, STEP_RECORDS
from tradezone.state.tree import RecordTree

_MODULES: Final[tuple[ModuleType, ...]] = (
    _jit, wide, tables, codec, lookup, balances, heaps, timers, phases, triggers, holdings, orders, quota,
    envelopes, access, assets, outcome, plans, tasks, quotes, markets, forced, inbox, matching, ahead,
    margin, touches, bands, feeds, funding, ledgers, terms, prices, listing, pools, actions, perp_orders, fills, queue,
    jobs, liquidation, takeover, adl, settlement, closing, block,
)  # fmt: skip


class WitnessError(ValueError):
    """A witness does not prove what the step needs; the message says which record or input."""


# --- records as objects ----------------------------------------------------------------------------


# (offset in bytes, bytes, whether signed) of each column, by table
_COLUMNS: Final[dict[int, dict[str, tuple[int, int, bool]]]] = {
    table.number: {
        name: (base, np.dtype(kind).itemsize, np.dtype(kind).kind == "i")
        for field in table.fields
        for name, kind, base in field.limbs()
    }
    for table in TABLES
}
_DTYPES: Final = {table.number: table.dtype for table in TABLES}  # the property builds it anew


class Record:
    """One record whose fields read as plain integers and write with the width of their column."""

    __slots__ = ("_columns", "_raw")

    _columns: dict[str, tuple[int, int, bool]]
    _raw: bytearray

    def __init__(self, table: Table, raw: bytes) -> None:
        object.__setattr__(self, "_columns", _COLUMNS[table.number])
        object.__setattr__(self, "_raw", bytearray(raw))

    def __getattr__(self, name: str) -> int:
        try:
            at, size, is_signed = self._columns[name]
        except KeyError:
            raise AttributeError(name) from None
        return int.from_bytes(self._raw[at : at + size], "little", signed=is_signed)

    def __setattr__(self, name: str, value: int) -> None:
        try:
            at, size, _ = self._columns[name]
        except KeyError:
            raise AttributeError(name) from None
        bits = int(value) & ((1 << (size * 8)) - 1)
        self._raw[at : at + size] = bits.to_bytes(size, "little")

    def to_bytes(self) -> bytes:
        """Return the record's memory image."""
        return bytes(self._raw)


@dataclass(frozen=True, slots=True)
class RecordWitness:
    """A record before the step, and its siblings under the root that the records before it leave."""

    kind: int
    slot: int
    raw: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class StepWitness:
    """Everything a step may read."""

    pc: int
    records: tuple[RecordWitness, ...]
    leaf: tuple[int, bytes, bytes] | None  # seq, bytes, signer
    message: tuple[int, bytes] | None  # index, bytes
    hints: tuple[int, ...]
    end_seq: int
    message_range: tuple[int, int]
    header: Header | None = None
    is_batch_end: bool = False


@dataclass(slots=True)
class StepEffects:
    """What a step gives besides records."""

    events: list[dict[str, int]] = field(default_factory=list)
    results: dict[int, int] = field(default_factory=dict)


class _LeafBytes:
    """The leaf of a step by position; what it is may be settled after the engine has named ``io.leaf``."""

    def __init__(self, inputs: _Inputs) -> None:
        self._inputs = inputs

    def __len__(self) -> int:
        return len(self._inputs.leaf_bytes)

    @overload
    def __getitem__(self, at: int) -> int: ...

    @overload
    def __getitem__(self, at: slice) -> bytes: ...

    def __getitem__(self, at: int | slice) -> int | bytes:
        return self._inputs.leaf_bytes[at]


class _Inputs:
    """``io`` of the pure engine: one leaf or one message, whichever the step asks for."""

    def __init__(
        self,
        get_leaf: Callable[[int], tuple[bytes, bytes]],
        get_message: Callable[[int], bytes],
        end_seq: int,
        message_range: tuple[int, int],
        header: Header | None,
        is_batch_end: bool,
    ) -> None:
        self._get_leaf, self._get_message = get_leaf, get_message
        self.end_seq = end_seq
        self.is_batch_end = BATCH_OPEN
        if is_batch_end and header is not None:
            self.is_batch_end = ZONE_ENDS if header.is_closing else BATCH_ENDS
        widest = 1 << 62
        self.header_inbox = header.inbox_index if header else widest
        self.header_first_block = header.first_block if header else 0
        self.header_last_block = header.first_block + header.blocks - 1 if header else widest
        self.header_start = header.start_time if header else 0
        self.header_end = header.end_time if header else widest
        self.first_message, self.end_message = message_range
        self.leaf = _LeafBytes(self)
        self.leaf_bytes: bytes = b""
        self.signer: bytes = b""
        self.message: bytes = b""
        self.leaf_seq: int | None = None
        self.message_index: int | None = None
        self.effects = StepEffects()

    def use_leaf(self, seq: int) -> None:
        if self.leaf_seq is None:
            self.leaf_seq = seq
            self.leaf_bytes, self.signer = self._get_leaf(seq)
        elif self.leaf_seq != seq:
            raise WitnessError(
                f"a step reads leaves {self.leaf_seq} and {seq}, expected at most one"
            )

    def use_message(self, index: int) -> None:
        if self.message_index is None:
            self.message_index = index
            self.message = self._get_message(index)
        elif self.message_index != index:
            raise WitnessError(f"a step reads messages {self.message_index} and {index}")


class _Table:
    def __init__(self, table: Table, load: Callable[[Table, int], Record]) -> None:
        self._table, self._load = table, load

    def __getitem__(self, slot: int) -> Record:
        return self._load(self._table, int(slot))


class _State:
    """``s`` of the pure engine: tables whose records are loaded, once a step, by ``load``."""

    def __init__(self, load: Callable[[Table, int], Record]) -> None:
        for table in TABLES:
            setattr(self, table.name, _Table(table, load))


class _Derived:
    """``d`` of the pure engine: hints in, touched records out."""

    def __init__(self, hint: Callable[[str, tuple[int, ...]], int]) -> None:
        self.hint = hint
        self.touched: set[tuple[int, int]] = set()


# --- the engine's functions without Numba ----------------------------------------------------------


def _touch(d: _Derived, kind: int, slot: int) -> None:
    d.touched.add((int(kind), int(slot)))


def _balance_hint(_s: _State, d: _Derived, account: int, asset: int) -> int:
    return d.hint("balance", (int(account), int(asset)))


def _approval_hint(_s: _State, d: _Derived, account: int, kind: int, subject: int) -> int:
    return d.hint("approval", (int(account), int(kind), int(subject)))


def _holding_hint(_s: _State, d: _Derived, account: int, market: int) -> int:
    return d.hint("holding", (int(account), int(market)))


def _ledger_hint(_s: _State, d: _Derived, venue: int, asset: int) -> int:
    return d.hint("ledger", (int(venue), int(asset)))


def _pool_hint(_s: _State, d: _Derived, account: int, venue: int, asset: int, market: int) -> int:
    return d.hint("pool", (int(account), int(venue), int(asset), int(market)))


def _position_hint(_s: _State, d: _Derived, pool: int, market: int) -> int:
    return d.hint("position", (int(pool), int(market)))


def _level_hint(_s: _State, d: _Derived, market: int, side: int, price: int) -> int:
    return d.hint("level", (int(market), int(side), int(price)))


def _ignore(*_arguments: object) -> None:
    """Do nothing: derived lookups are not kept here."""


def _load32(source: bytes | _LeafBytes, at: int) -> int:
    return int.from_bytes(_get_bytes(source, at, 4), "big")


def _load64(source: bytes | _LeafBytes, at: int) -> int:
    return int.from_bytes(_get_bytes(source, at, 8), "big", signed=True)


def _read_limb(source: bytes | _LeafBytes, at: int) -> int:
    return int.from_bytes(_get_bytes(source, at, 8), "big")  # limbs are unsigned columns


def _get_bytes(source: bytes | _LeafBytes, at: int, count: int) -> bytes:
    if at < 0 or at > len(source) - count:
        raise IndexError("input is read outside of its bytes")
    return bytes(source[at : at + count])


def _leaf_start(io: _Inputs, seq: int) -> int:
    io.use_leaf(int(seq))
    return 0


def _leaf_size(io: _Inputs, seq: int) -> int:
    io.use_leaf(int(seq))
    return len(io.leaf_bytes)


def _message_start(io: _Inputs, index: int) -> int:
    io.use_message(int(index))
    return 0


def _message_size(io: _Inputs, index: int) -> int:
    io.use_message(int(index))
    return len(io.message)


def _signer_is(io: _Inputs, seq: int, limb0: int, limb1: int, limb2: int) -> bool:
    io.use_leaf(int(seq))
    address = (limb2 & 0xFFFFFFFF) << 128 | limb1 << 64 | limb0
    return any(io.signer) and int.from_bytes(io.signer, "big") == address


def _bucket_of_id(account: int, limb1: int, limb0: int) -> int:
    mask = (1 << 64) - 1
    client_id = ((limb1 & mask) << 64 | (limb0 & mask)).to_bytes(16, "big")
    digest = keccak(int(account).to_bytes(4, "big") + client_id)
    return int.from_bytes(digest, "big") % ORDER_BUCKETS


def _access_bucket_of(_io: _Inputs, venue: int, owner: int, mode: int) -> int:
    packed = int(venue).to_bytes(4, "big") + int(owner).to_bytes(4, "big") + bytes([int(mode)])
    return ORDER_BUCKETS + int.from_bytes(keccak(packed), "big") % ACCESS_BUCKETS


def _item_bucket(_io: _Inputs, _seq: int, _item: int, account: int, limb1: int, limb0: int) -> int:
    return _bucket_of_id(account, limb1, limb0)


def _set_result(io: _Inputs, seq: int, result: int) -> None:
    io.effects.results[int(seq)] = int(result)


_EVENT_COLUMNS: Final = (
    "kind", "leaf", "market", "account", "other_account", "order", "other_order", "side", "tif",
    "flag", "error", "price", "lots", "left", "amount", "amount2", "client_id0", "client_id1",
)  # fmt: skip


def _emit(_d: _Derived, io: _Inputs, *values: int) -> None:
    io.effects.events.append(dict(zip(_EVENT_COLUMNS, (int(v) for v in values), strict=True)))


def _class_of(io: _Inputs, seq: int) -> int:
    return int(_PURE["get_class"](io, seq))


_REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "touch": _touch,
    "balance_hint": _balance_hint,
    "index_balance": _ignore,
    "unindex_balance": _ignore,
    "holding_hint": _holding_hint,
    "index_holding": _ignore,
    "unindex_holding": _ignore,
    "ledger_hint": _ledger_hint,
    "pool_hint": _pool_hint,
    "index_pool": _ignore,
    "unindex_pool": _ignore,
    "position_hint": _position_hint,
    "index_position": _ignore,
    "unindex_position": _ignore,
    "approval_hint": _approval_hint,
    "level_hint": _level_hint,
    "index_level": _ignore,
    "unindex_level": _ignore,
    "load32": _load32,
    "load64": _load64,
    "read_limb": _read_limb,
    "leaf_start": _leaf_start,
    "leaf_size": _leaf_size,
    "message_start": _message_start,
    "message_size": _message_size,
    "signer_is": _signer_is,
    "access_bucket_of": _access_bucket_of,
    "look_ahead": _ignore,
    "look_ahead_match": _ignore,
    "look_ahead_release": _ignore,
    "note_taken_order": _ignore,
    "note_freed_order": _ignore,
    "bucket_of_id": _bucket_of_id,
    "item_bucket": _item_bucket,
    "set_result": _set_result,
    "emit": _emit,
    "class_of": _class_of,
}


# the globals that the plain functions of each module of the engine run with
_NAMESPACES: Final = {module.__name__: dict(vars(module)) for module in _MODULES}


def _strip_numba(namespaces: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return name -> plain function for every jitted function of the engine."""
    pure: dict[str, Any] = {}
    twins: dict[Any, Any] = {}  # by the function itself: two modules may use one name
    for module in _MODULES:
        for name, thing in vars(module).items():
            if isinstance(thing, numba.core.dispatcher.Dispatcher):
                function = thing.py_func
                if function.__module__ == module.__name__:
                    twin = FunctionType(function.__code__, namespaces[module.__name__], name)
                    twins[function] = _REPLACED.get(function.__name__, twin)
                    pure[function.__name__] = twins[function]
    for namespace in namespaces.values():
        for name, thing in list(namespace.items()):
            if isinstance(thing, numba.core.dispatcher.Dispatcher):
                namespace[name] = twins.get(thing.py_func, thing)
        namespace["i64"] = int
    return pure


_PURE: Final = _strip_numba(_NAMESPACES)


def get_pure_engine() -> dict[str, Any]:
    """Return the engine's functions by name, as plain Python."""
    return _PURE


# --- running ---------------------------------------------------------------------------------------


def _leaf_hash(table: Table, slot: int, raw: bytes) -> bytes:
    if not any(raw):
        return bytes(32)
    words = b"".join(raw[i : i + 32][::-1] for i in range(0, len(raw), 32))
    return keccak(bytes([0, table.number]) + slot.to_bytes(4, "big") + words)


def _fold(leaf: bytes, index: int, proof: Sequence[bytes]) -> bytes:
    node = leaf
    for level, sibling in enumerate(proof):
        node = keccak(sibling + node) if index >> level & 1 else keccak(node + sibling)
    return node


def _run_on(witness: StepWitness) -> tuple[dict[tuple[int, int], Record], StepEffects]:
    """Run the step over the records of its witness; WitnessError if it asks for anything else."""
    loaded: dict[tuple[int, int], Record] = {}
    for item in witness.records:
        loaded[item.kind, item.slot] = Record(TABLE_BY_NUMBER[item.kind], item.raw)

    def load(table: Table, slot: int) -> Record:
        try:
            return loaded[table.number, slot]
        except KeyError:
            raise WitnessError(f"record {table.name}[{slot}] is not in the witness") from None

    def get_leaf(seq: int) -> tuple[bytes, bytes]:
        if witness.leaf is None or witness.leaf[0] != seq:
            raise WitnessError(f"leaf {seq} is not in the witness")
        return witness.leaf[1], witness.leaf[2]

    def get_message(index: int) -> bytes:
        if witness.message is None or witness.message[0] != index:
            raise WitnessError(f"message {index} is not in the witness")
        return witness.message[1]

    hints = iter(witness.hints)

    def hint(_what: str, _key: tuple[int, ...]) -> int:
        found = next(hints, None)
        if found is None:
            raise WitnessError("a hint is missing")
        return found

    io = _Inputs(
        get_leaf,
        get_message,
        witness.end_seq,
        witness.message_range,
        witness.header,
        witness.is_batch_end,
    )
    try:
        _PURE["step"](_State(load), _Derived(hint), io)
    except WitnessError:
        raise
    except ValueError as error:  # the engine's own check of a hint
        raise WitnessError(str(error)) from error
    return loaded, io.effects


def check_step(root: bytes, witness: StepWitness) -> tuple[bytes, StepEffects]:
    """Run the step that ``root`` is about to run, from its witness alone.

    Returns
    -------
    (bytes, StepEffects)
        the state root after the step, and its events and results

    Raises
    ------
    WitnessError
        a proof fails, a record, leaf, message or hint is missing, or the step needs too many records
    """
    if len(witness.records) > STEP_RECORDS:
        raise WitnessError(f"{len(witness.records)} records, at most {STEP_RECORDS} are allowed")
    loaded, effects = _run_on(witness)
    for item in witness.records:
        table = TABLE_BY_NUMBER[item.kind]
        if len(item.proof) != RECORD_TREE_DEPTH:
            raise WitnessError(f"proof of {table.name}[{item.slot}] has {len(item.proof)} siblings")
        index = item.kind << 32 | item.slot
        if _fold(_leaf_hash(table, item.slot, item.raw), index, item.proof) != root:
            raise WitnessError(f"proof of {table.name}[{item.slot}] does not lead to the root")
        after = loaded[item.kind, item.slot].to_bytes()
        if after != item.raw:
            root = _fold(_leaf_hash(table, item.slot, after), index, item.proof)
    return root, effects


class _Tree:
    """The record tree at the start, and in a dict each node that was read or changed since."""

    def __init__(self, start: RecordTree) -> None:
        self._start = start
        self._nodes: dict[int, bytes] = {}  # by level << 40 | position in the level
        self._known: set[int] = set()  # leaves whose siblings are all among the nodes
        self.root = start.root

    def prove(self, index: int) -> tuple[bytes, ...]:
        """Return the siblings of leaf ``index`` = type << 32 | slot, bottom up."""
        places = [
            level << RECORD_TREE_DEPTH | (index >> level ^ 1) for level in range(RECORD_TREE_DEPTH)
        ]
        nodes = self._nodes
        if index not in self._known:
            self._known.add(index)
            siblings = self._start.prove(index >> 32, index & 0xFFFFFFFF)
            for place, sibling in zip(places, siblings, strict=True):
                nodes.setdefault(place, sibling)  # what is there already is younger
        return tuple([nodes[place] for place in places])

    def update(self, index: int, leaf: bytes) -> None:
        """Put ``leaf`` at ``index``."""
        node = leaf
        for level, sibling in enumerate(self.prove(index)):
            self._nodes[level << RECORD_TREE_DEPTH | index >> level] = node
            node = keccak(sibling + node) if index >> level & 1 else keccak(node + sibling)
        self.root = node


class Stepper:
    """A whole zone run one step a call, each step proved to ``check_step``.

    It keeps its own records and its own tree; nothing of the fast engine's memory is shared.

    Parameters
    ----------
    records : dict of str to ndarray, optional
        record arrays by table name to begin with, as in ``Engine.tables``; they are copied
    event_seq : int
        number of the last event before them

    Attributes
    ----------
    root : bytes
        state root after the last step
    most_records, tables_of : dict
        by step, the most records one has touched and the types of all of them
    """

    def __init__(self, records: dict[str, NDArray[Any]] | None = None, event_seq: int = 0) -> None:
        self._tables = get_tables(allocate_state())
        self._by_number = {table.number: self._tables[table.name] for table in TABLES}
        start = RecordTree()
        self.event_seq = event_seq
        if records is not None:
            self._take_over(records, start)
        self._tree = _Tree(start)
        self.root = self._tree.root
        self._header: Header | None = None
        self._is_batch_end = False
        self._traced: dict[tuple[int, int], bytes] = {}
        self.steps = 0  # run so far
        self.most_records: dict[int, int] = {}  # pc -> most records one step touched
        self.tables_of: dict[int, set[int]] = {}  # pc -> types it touched

    def _take_over(self, records: dict[str, NDArray[Any]], tree: RecordTree) -> None:
        """Copy every record in use. What a table's head says is used bounds the search."""
        head = records["head"]
        for table in TABLES:
            rows = records[table.name]
            if table.is_allocated:
                rows = rows[: int(head[table.number]["high_water"])]
            elif table.name in ("timer", "queue"):
                rows = rows[: int(head[table.number]["in_use"]) + 1]
            elif table.name == "nonces":
                rows = rows[: int(head[KEY.number]["high_water"]) * 4]
            used = np.flatnonzero(rows.view(np.uint64).reshape(len(rows), -1).any(axis=1))
            self._tables[table.name][used] = rows[used]
            indices = used.astype(np.uint64) | np.uint64(table.number << 32)
            tree.commit(self._by_number, indices)

    @property
    def pc(self) -> int:
        """The step that comes next."""
        return int(self._tables["machine"][0]["pc"])

    def run(
        self,
        leaves: Sequence[bytes],
        signers: Sequence[bytes | None],
        messages: Sequence[bytes] = (),
        header: Header | None = None,
        is_batch_end: bool = False,
    ) -> tuple[list[int], list[dict[str, int]]]:
        """Run a run of leaves to its end; every step is checked from its witness."""
        self._header, self._is_batch_end = header, is_batch_end
        first = int(self._tables["machine"][0]["seq"])
        inbox_index = int(self._tables["machine"][0]["inbox"])
        results = [0] * len(leaves)
        events: list[dict[str, int]] = []
        source = {
            first + n: (leaf, signer or bytes(20))
            for n, (leaf, signer) in enumerate(zip(leaves, signers, strict=True))
        }
        known = {inbox_index + n: message for n, message in enumerate(messages)}
        end, span = first + len(leaves), (inbox_index, inbox_index + len(messages))
        while not self._is_halted(end):
            effects = self._step(source, known, end, span)
            for event in effects.events:
                self.event_seq += 1
                events.append({"seq": self.event_seq, **event})
            for seq, result in effects.results.items():
                results[seq - first] = result
        return results, events

    def _is_halted(self, end: int) -> bool:
        machine = self._tables["machine"][0]
        if self.pc != IDLE or int(machine["seq"]) < end:
            return False
        if self._header is None or not self._is_batch_end:
            return True
        if self._header.is_closing:
            return int(self._tables["agenda"][0]["closing"]) == CLOSED
        return int(machine["inbox"]) >= self._header.inbox_index

    def _step(
        self,
        leaves: dict[int, tuple[bytes, bytes]],
        messages: dict[int, bytes],
        end: int,
        span: tuple[int, int],
    ) -> StepEffects:
        witness = self._trace(leaves, messages, end, span)
        after, effects = check_step(self.root, witness)
        if after != self._tree.root:
            raise WitnessError(f"step {NAMES[witness.pc]}: witness and tree disagree on the root")
        self.root = after
        self.steps += 1
        count = self.most_records.get(witness.pc, 0)
        self.most_records[witness.pc] = max(count, len(witness.records))
        self.tables_of.setdefault(witness.pc, set()).update(r.kind for r in witness.records)
        return effects

    def build_witness(
        self,
        leaves: dict[int, tuple[bytes, bytes]],
        messages: dict[int, bytes],
        end: int,
        span: tuple[int, int],
    ) -> StepWitness:
        """Trace the next step over the full records and collect what it touches.

        Raises WitnessError if the step wrote a record without marking it dirty.
        """
        witness = self._trace(leaves, messages, end, span)
        for item in witness.records:  # building a witness changes nothing
            self._store(item.kind, item.slot, item.raw)
        return witness

    def _trace(
        self,
        leaves: dict[int, tuple[bytes, bytes]],
        messages: dict[int, bytes],
        end: int,
        span: tuple[int, int],
    ) -> StepWitness:
        """Build the next step's witness; what the step writes is in records and tree afterwards."""
        loaded: dict[tuple[int, int], Record] = {}
        hints: list[int] = []

        def load(table: Table, slot: int) -> Record:
            known = loaded.get((table.number, slot))
            if known is None:
                if not 0 <= slot < table.capacity:
                    raise WitnessError(
                        f"step reads {table.name}[{slot}], capacity {table.capacity}"
                    )
                known = Record(table, self._tables[table.name][slot].tobytes())
                loaded[table.number, slot] = known
            return known

        def hint(what: str, key: tuple[int, ...]) -> int:
            found = self._find(what, key, loaded)
            hints.append(found)
            return found

        derived = _Derived(hint)
        io = _Inputs(
            lambda seq: leaves[seq],
            lambda index: messages[index],
            end,
            span,
            self._header,
            self._is_batch_end,
        )
        pc = self.pc
        _PURE["step"](_State(load), derived, io)
        self._traced = {key: record.to_bytes() for key, record in loaded.items()}
        changed = {
            key
            for key, raw in self._traced.items()
            if raw != self._tables[TABLE_BY_NUMBER[key[0]].name][key[1]].tobytes()
        }
        if missing := changed - derived.touched:
            raise WitnessError(f"step {NAMES[pc]} wrote {missing} without marking it dirty")
        records = []
        for kind, slot in sorted(loaded):
            table = TABLE_BY_NUMBER[kind]
            raw = self._tables[table.name][slot].tobytes()
            records.append(RecordWitness(kind, slot, raw, self._tree.prove(kind << 32 | slot)))
            # later proofs are against the root that this record's new value leaves
            self._store(kind, slot, self._traced[kind, slot])
        leaf = None if io.leaf_seq is None else (io.leaf_seq, io.leaf_bytes, io.signer)
        message = None if io.message_index is None else (io.message_index, io.message)
        return StepWitness(
            pc,
            tuple(records),
            leaf,
            message,
            tuple(hints),
            end,
            span,
            self._header,
            self._is_batch_end,
        )

    def _store(self, kind: int, slot: int, raw: bytes) -> None:
        table = TABLE_BY_NUMBER[kind]
        rows = self._tables[table.name]
        if rows[slot].tobytes() != raw:
            rows[slot : slot + 1] = np.frombuffer(raw, dtype=_DTYPES[kind])
            self._tree.update(kind << 32 | slot, _leaf_hash(table, slot, raw))

    def _find(self, what: str, key: tuple[int, ...], loaded: dict[tuple[int, int], Record]) -> int:
        """Slow lookup for a hint: walk the list in the records, as the running step sees them."""

        def get(name: str, slot: int) -> Any:
            table = TABLE_BY_NAME[name]
            known = loaded.get((table.number, slot))
            return known if known is not None else Record(table, self._tables[name][slot].tobytes())

        if what == "balance":
            account, asset = key
            chain = _walk(lambda slot: get("balance", slot), get("account", account).first_balance)
            return _last(chain, lambda b: b.asset <= asset)
        if what == "approval":
            account, kind, subject = key
            chain = _walk(
                lambda slot: get("approval", slot), get("account", account).first_approval
            )
            return _last(chain, lambda r: (r.kind, r.subject) <= (kind, subject))
        if what == "holding":
            account, market = key
            chain = _walk(lambda slot: get("holding", slot), get("account", account).first_holding)
            return _last(chain, lambda h: h.market <= market)
        if what == "ledger":
            venue, asset = key
            chain = _walk(lambda slot: get("ledger", slot), get("venue", venue).first_ledger)
            return _last(chain, lambda r: r.asset <= asset)
        if what == "pool":
            account, *sort = key
            chain = _walk(lambda slot: get("pool", slot), get("account", account).first_pool)
            return _last(chain, lambda p: [p.venue, p.asset, p.market] <= sort)
        if what == "position":
            pool, market = key
            chain = _walk(lambda slot: get("position", slot), get("pool", pool).first_position)
            return _last(chain, lambda x: x.market <= market)
        market, side, price = key
        book = get("book", market)
        firsts = {
            BUY: "best_bid",
            SELL: "best_ask",
            TRIGGER_UP_LAST: "up_last",
            TRIGGER_DOWN_LAST: "down_last",
            TRIGGER_UP_MARK: "up_mark",
            TRIGGER_DOWN_MARK: "down_mark",
            TRIGGER_UP_INDEX: "up_index",
            TRIGGER_DOWN_INDEX: "down_index",
        }
        chain = _walk(lambda slot: get("level", slot), getattr(book, firsts[side]))
        is_falling = side in (BUY, TRIGGER_DOWN_LAST, TRIGGER_DOWN_MARK, TRIGGER_DOWN_INDEX)
        return _last(chain, lambda v: v.price >= price if is_falling else v.price <= price)


def _walk(get: Callable[[int], Any], slot: int) -> Iterator[tuple[int, Any]]:
    while slot != NONE:
        record = get(slot)
        yield slot, record
        slot = record.next


def _last(chain: Iterator[tuple[int, Any]], holds: Callable[[Any], bool]) -> int:
    found = NONE
    for slot, record in chain:
        if not holds(record):
            break
        found = slot
    return found


def to_event_rows(events: Sequence[dict[str, int]]) -> NDArray[Any]:
    """Return events as an EVENT_DTYPE array, for comparison with the fast engine's."""
    rows = np.zeros(len(events), dtype=EVENT_DTYPE)
    for n, event in enumerate(events):
        for name, value in event.items():
            column = rows[name].dtype  # limbs of hashes use all bits, whatever the column's sign
            bits = value & ((1 << (column.itemsize * 8)) - 1)
            is_negative = column.kind == "i" and bits >> (column.itemsize * 8 - 1)
            rows[name][n] = bits - (1 << (column.itemsize * 8)) if is_negative else bits
    return rows
