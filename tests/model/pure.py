"""The engine's own step functions in plain Python, beside the model without a compiler.

`PureEngine` runs what the step executor runs (`tradezone.verifier.stepper.get_pure_engine`), over records that stay
objects between steps, without witnesses or proofs. It is some fifty times faster than the step executor, needs
no compilation, and has no integer that wraps: where it and the compiled engine differ, Numba is to blame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from tradezone.engine.memory import allocate_state, get_tables
from tradezone.protocol import limits
from tradezone.protocol.batches import Header
from tradezone.protocol.enums import CLOSED
from tradezone.protocol.records import TABLE_BY_NAME, TABLES, Table
from tradezone.protocol.steps import IDLE
from tradezone.verifier import stepper


class I64(int):
    """An integer whose arithmetic may not leave 64 bits, as Numba's does silently."""

    __slots__ = ()

    def __new__(cls, value: int = 0) -> Self:
        number = int(value)
        if not -(1 << 63) <= number < 1 << 64:  # limbs of hashes use all bits
            raise OverflowError(f"{number} leaves 64 bits")
        return super().__new__(cls, number)


def _on_plain(function: Any) -> Any:
    """The function with arguments that are plain integers."""

    def call(*arguments: Any) -> Any:
        return function(*(int(a) if isinstance(a, I64) else a for a in arguments))

    return call


def _check(name: str) -> None:
    plain = getattr(int, name)

    def checked(self: I64, other: int) -> Any:
        value = plain(self, other)
        return value if value is NotImplemented else I64(value)

    setattr(I64, name, checked)


for _name in ("add", "sub", "mul", "floordiv", "mod", "lshift", "rshift", "and", "or", "xor"):
    _check(f"__{_name}__")
    _check(f"__r{_name}__")
I64.__neg__ = lambda self: I64(-int(self))  # type: ignore[method-assign,return-value]
I64.__abs__ = lambda self: I64(abs(int(self)))  # type: ignore[method-assign,return-value]


class CheckedRecord(stepper.Record):
    """A record whose fields read as `I64` and take only what fits them."""

    __slots__ = ()

    def __getattr__(self, name: str) -> int:
        return I64(super().__getattr__(name))

    def __setattr__(self, name: str, value: int) -> None:
        super().__setattr__(name, value)
        if super().__getattr__(name) != value:
            raise OverflowError(f"{name} cannot hold {value}")


class PureEngine(stepper.Stepper):
    """A zone at genesis; what `tests.model.world.Zone` can drive beside the model.

    Parameters
    ----------
    capacity : mapping of str to int, optional
        capacities other than the real ones, by table name
    is_checked : bool
        OverflowError where an integer leaves 64 bits, or does not fit the column it is written to

    Attributes
    ----------
    last_pc, trail : int, deque of int
        the step run last, and the last few
    events : list of dict
        events of the run so far
    written : set of (str, int)
        records that somebody else wrote (`tests.model.transplant`)
    """

    def __init__(
        self, capacity: Mapping[str, int] | None = None, *, is_checked: bool = False
    ) -> None:
        # namespaces of its own, in which `set_bounds` may put other values
        spaces = {m.__name__: dict(vars(m)) for m in stepper._MODULES}
        self._functions = stepper._strip_numba(spaces)
        self.namespaces = list(spaces.values())
        sizes = {TABLE_BY_NAME[name].number: size for name, size in (capacity or {}).items()}
        for namespace in self.namespaces:
            if "CAPACITY" in namespace:
                real = namespace["CAPACITY"]
                namespace["CAPACITY"] = [sizes.get(n, int(size)) for n, size in enumerate(real)]
        self.tables = self._tables = get_tables(allocate_state())
        for table in TABLES:
            if table.is_allocated or table.name in ("timer", "queue"):
                self.tables["head"][table.number]["high_water"] = 1
        self.tables["machine"][0]["seq"] = 1
        self.event_seq = 0
        self._make_record = CheckedRecord if is_checked else stepper.Record
        self.last_pc = IDLE
        self.trail: deque[int] = deque(maxlen=12)
        self.events: list[dict[str, int]] = []
        self.written: set[tuple[str, int]] = set()
        if is_checked:
            for namespace in self.namespaces:
                namespace["i64"] = I64
                for name in ("signer_is", "bucket_of_id"):  # which put limbs together
                    if name in namespace:
                        namespace[name] = _on_plain(namespace[name])
        self._records: dict[tuple[int, int], stepper.Record] = {}
        self._state = stepper._State(self._load)
        self._table_of = {table.number: table for table in TABLES}

    def set_bounds(self, bounds: Mapping[str, int]) -> None:
        """Other values of `tradezone.protocol.limits`, for good; `small_bounds` does it for a while."""
        for namespace in self.namespaces:
            namespace.update({n: v for n, v in bounds.items() if n in namespace})

    def _load(self, table: Table, slot: int) -> stepper.Record:
        known = self._records.get((table.number, slot))
        if known is None:
            assert 0 <= slot < table.capacity, f"a step reads {table.name}[{slot}]"
            known = self._make_record(table, self.tables[table.name][slot].tobytes())
            self._records[table.number, slot] = known
        return known

    def execute(
        self,
        leaves: Sequence[bytes],
        signers: Sequence[bytes | None],
        messages: Sequence[bytes] = (),
        header: Header | None = None,
    ) -> tuple[list[int], np.ndarray]:
        """Run to the end of the leaves; with a header, of the batch that they are."""
        self._header, self._is_batch_end = header, header is not None
        self._records.clear()  # the tables may have been written to since
        machine = self._load(self._table_of[0], 0)
        agenda = self._load(TABLE_BY_NAME["agenda"], 0)
        first, inbox = machine.seq, machine.inbox
        end, span = first + len(leaves), (inbox, inbox + len(messages))
        results, events = [0] * len(leaves), self.events
        events.clear()
        step = self._functions["step"]

        def get_leaf(seq: int) -> tuple[bytes, bytes]:
            return leaves[seq - first], signers[seq - first] or bytes(20)

        while not (
            machine.pc == IDLE
            and machine.seq >= end
            and (header is None or machine.inbox >= header.inbox_index)
            and (header is None or not header.is_closing or agenda.closing == CLOSED)
        ):
            derived = stepper._Derived(lambda what, key: self._find(what, key, self._records))
            inputs = stepper._Inputs(
                get_leaf,
                lambda index: messages[index - inbox],
                end,
                span,
                header,
                header is not None,
            )
            self.last_pc = int(machine.pc)
            self.trail.append(self.last_pc)
            step(self._state, derived, inputs)
            for event in inputs.effects.events:
                self.event_seq += 1
                events.append({"seq": self.event_seq, **event})
            for seq, result in inputs.effects.results.items():
                results[seq - first] = result
        for (kind, slot), record in self._records.items():
            table, raw = self._table_of[kind], record.to_bytes()
            if self.tables[table.name][slot].tobytes() != raw:
                self.tables[table.name][slot : slot + 1] = np.frombuffer(raw, dtype=table.dtype)
        return results, stepper.to_event_rows(events)


@contextmanager
def small_bounds(engine: PureEngine | None, **bounds: int) -> Iterator[None]:
    """Other values of `tradezone.protocol.limits`, for the model and a plain engine alike.

    What takes thousands of orders, timers or blocks to reach is so reached by a handful. The compiled engine has its
    bounds compiled in; it runs the same functions.
    """
    namespaces: list[dict[str, Any]] = [vars(limits), *(engine.namespaces if engine else [])]
    before = [
        (namespace, name, namespace[name])
        for namespace in namespaces
        for name in bounds
        if name in namespace
    ]
    for namespace, name, _ in before:
        namespace[name] = bounds[name]
    try:
        yield
    finally:
        for namespace, name, value in before:
            namespace[name] = value
