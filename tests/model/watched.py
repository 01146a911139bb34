"""The plain engine with an eye on what each step touches.

What a step writes it must mark, and what it touches must fit a witness and stand in its row of docs/spec/steps.md: all
that the step executor checks but the proofs, some hundred times faster. `seen` collects over every engine of a run what
the steps touched, so that rows can be written from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.engine.stepped import get_documented_steps
from tests.model.pure import PureEngine
from tradezone.protocol import steps
from tradezone.protocol.records import TABLE_BY_NUMBER, Table
from tradezone.verifier import stepper

seen: dict[str, tuple[int, frozenset[str]]] = {}  # most records, names of tables, by step


class WatchedEngine(PureEngine):
    """A `PureEngine` that fails where a step breaks its row or leaves a write unmarked.

    Parameters
    ----------
    capacity : mapping of str to int, optional
        as for `PureEngine`
    is_learning : bool
        only collect what steps touch in `seen`; a row that is broken is no error
    """

    def __init__(
        self, capacity: Mapping[str, int] | None = None, *, is_learning: bool = False
    ) -> None:
        super().__init__(capacity)
        self.is_learning = is_learning
        self._before: dict[tuple[int, int], bytes] = {}
        run = self._functions["step"]

        def step(state: Any, derived: Any, inputs: Any) -> None:
            self._before = {}
            run(state, derived, inputs)
            self._check(derived.touched)

        self._functions = {**self._functions, "step": step}

    def _load(self, table: Table, slot: int) -> stepper.Record:
        record = super()._load(table, slot)
        if (table.number, slot) not in self._before:
            self._before[table.number, slot] = record.to_bytes()
        return record

    def _check(self, touched: set[tuple[int, int]]) -> None:
        name = steps.NAMES[self.last_pc]
        changed = {key for key, raw in self._before.items() if self._records[key].to_bytes() != raw}
        unmarked = [(TABLE_BY_NUMBER[kind].name, slot) for kind, slot in changed - touched]
        assert not unmarked, f"{name} wrote {unmarked} without marking it"
        count, tables = len(self._before), {TABLE_BY_NUMBER[kind].name for kind, _ in self._before}
        most, known = seen.get(name, (0, frozenset()))
        seen[name] = max(most, count), known | tables
        if self.is_learning:
            return
        limit, documented = get_documented_steps()[name]
        assert count <= limit <= steps.STEP_RECORDS, f"{name} touched {count} records, not {limit}"
        assert tables <= documented, f"{name} touched {tables - documented}"
