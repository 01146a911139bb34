"""The compiled engine where scenarios of perpetuals expect the plain one (``PERPS=compiled``, see `tests.model.beside`).

Both run the same functions; what only one of them gets wrong is an integer that wraps, a type, or a lookup.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from tests.model import transplant
from tests.model.beside import BesideZone
from tests.model.compare import events_to_dicts
from tradezone.engine import Engine
from tradezone.engine.rebuild import rebuild_derived
from tradezone.protocol.batches import Header


class CompiledEngine:
    """An `Engine` with the parts of `PureEngine` that `BesideZone` uses."""

    def __init__(self) -> None:
        self._engine = Engine()
        self.events: list[dict[str, int]] = []
        self.trail: deque[int] = deque()  # the steps of a compiled run are not seen

    @property
    def tables(self) -> dict[str, np.ndarray]:
        return self._engine.tables

    @property
    def last_pc(self) -> int:
        return int(self._engine.machine["pc"])

    def set_bounds(self, bounds: Mapping[str, int]) -> None:
        if bounds:
            pytest.skip("the compiled engine has its bounds compiled in")

    def take_over(self, model: Any) -> None:
        """Stand where the model stands; lookups follow from the records."""
        self._engine = Engine()
        transplant.write(model, self._engine.tables)
        derived = self._engine._derived
        rebuild_derived(self._engine._state, derived)
        derived["event_seq"][0] = model.event_seq

    def execute(
        self,
        leaves: Sequence[bytes],
        signers: Sequence[bytes | None],
        messages: Sequence[bytes] = (),
        header: Header | None = None,
    ) -> tuple[list[int], np.ndarray]:
        """Run a run; only a replay has a header, and that is for other tests."""
        assert header is None, "a scenario has no header"
        results, rows = self._engine.execute(leaves, signers, messages)
        self.events = events_to_dicts(rows)
        return results, rows


class CompiledZone(BesideZone):
    """Model and compiled engine side by side."""

    engine: CompiledEngine  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__(CompiledEngine())  # type: ignore[arg-type]

    def take_over(self) -> None:
        self.is_even = transplant.is_possible(self.model)
        if self.is_even:
            self.engine.take_over(self.model)
