"""Perpetuals: the engine's step functions in plain Python beside the model, block by block.

Every scenario of tests/perps runs through `build_perp_world`, which asks `make_zone` for its zone. How it is run is told by
the variable PERPS of the environment:

``PERPS=strict``   a `PureEngine` beside the model: the first difference or error fails the test; without the variable too
``PERPS=alone``    the model by itself
``PERPS=survey``   the same, but a block that differs is noted, the engine takes over the model's state (`transplant`) and
                   the next block starts even; the notes are printed at the end, grouped by what went wrong. So one step
                   can be looked at while the steps around it are still missing.
``PERPS=checked``  strict, and every integer of the engine that does not fit its column, or whose arithmetic leaves 64 bits,
                   is an error: what Numba would let wrap around
``PERPS=watched``  strict, and each step keeps to its row of docs/spec/steps.md and marks what it writes
``PERPS=compiled`` strict, with the compiled engine
``PERPS=learning`` a survey of what the steps touch, printed as rows behind each scenario

One scenario, and what differs in its first block that does:

    PERPS=strict .venv/bin/python -m pytest -x tests/perps/test_ladder.py -k takes_over

All of them, and a table of what is missing:

    PERPS=survey .venv/bin/python -m pytest tests/perps -q -rP | grep '^survey'
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.model import transplant, watched
from tests.model.compare import (
    assert_same_state,
    build_snapshot,
    events_to_dicts,
    get_differences,
)
from tests.model.invariants import check_model, check_records
from tests.model.pure import PureEngine
from tests.model.world import Outcome, Zone
from tradezone.protocol import events, steps
from tradezone.protocol.errors import Code

if TYPE_CHECKING:
    from tradezone.protocol.batches import Header

EVENT_NAMES = {
    value: name for name, value in vars(events).items() if name.isupper() and isinstance(value, int)
}
# what happens in a block of fresh prices alone: the audit does not read every one of those
QUIET = {events.PRICE_SET, events.MARK_SET, events.HEARTBEAT}
MODES = ("alone", "strict", "survey", "checked", "watched", "learning", "compiled")
made: list[BesideZone] = []  # zones of the scenario that runs
is_altered = False  # the model runs without one of its rules: no engine can follow


def get_mode() -> str:
    mode = os.environ.get("PERPS", "strict")
    assert mode in MODES, f"PERPS={mode}, expected one of {MODES}"
    return "alone" if is_altered else mode


def make_zone() -> Zone:
    """The zone of a scenario."""
    mode = get_mode()
    if mode == "alone":
        return Zone()
    if mode == "compiled":
        from tests.model.compiled import CompiledZone

        made.append(CompiledZone())
        return made[-1]
    if mode in ("watched", "learning"):
        engine: PureEngine = watched.WatchedEngine(is_learning=mode == "learning")
    else:
        engine = PureEngine(is_checked=mode == "checked")
    zone = BesideZone(engine, is_strict=mode not in ("survey", "learning"))
    made.append(zone)
    return zone


def describe_event(event: dict[str, int]) -> str:
    """An event on one line: its kind and the columns that are not zero."""
    columns = {n: v for n, v in event.items() if v and n not in ("seq", "kind")}
    return f"{EVENT_NAMES[event['kind']]} {columns}"


class BesideZone(Zone):
    """Model and plain engine side by side.

    Parameters
    ----------
    engine : PureEngine
    is_strict : bool
        fail at the first difference; otherwise note it in `notes` and go on from the model's state
    """

    engine: PureEngine

    def __init__(self, engine: PureEngine, *, is_strict: bool = True) -> None:
        super().__init__(engine)
        self.is_strict = is_strict
        self.notes: Counter[str] = Counter()
        self.blocks = 0
        self.is_even = True  # the engine stands where the model stands

    def take_over(self) -> None:
        """Give the engine the model's state, whatever it had."""
        self.is_even = transplant.is_possible(self.model)
        if not self.is_even:
            return
        engine = self.engine
        for (kind, slot), _ in list(engine._records.items()):
            engine.written.add((engine._table_of[kind].name, slot))
        for table, slot in engine.written:
            engine.tables[table][slot : slot + 1].view("u1")[:] = 0
        engine._records.clear()
        engine.written = transplant.write(self.model, engine.tables)
        engine.event_seq = self.model.event_seq

    def run(
        self,
        leaves: list[bytes],
        signers: list[bytes | None],
        inbox: list[bytes],
        header: Header | None = None,
    ) -> Outcome:
        if not self.is_checking:  # a long set-up: the model goes ahead alone
            self.is_even = False
            results, told = self.model.execute(leaves, signers, inbox, header)
            return Outcome(results, told, leaves)
        if not self.is_even:
            self.take_over()
        self.blocks += 1
        was_even = self.is_even
        results, told = self.model.execute(leaves, signers, inbox, header)
        check_model(self.model)
        if was_even:
            found = self._compare(leaves, signers, inbox, header, results, told)
            if found:
                assert not self.is_strict, found
                self.notes[found.splitlines()[0]] += 1
                self.is_even = False
        return Outcome(results, told, leaves)

    def _compare(
        self,
        leaves: list[bytes],
        signers: list[bytes | None],
        inbox: list[bytes],
        header: Header | None,
        results: list[int],
        told: list[dict[str, int]],
    ) -> str:
        """Run the engine; return what is different, "" if nothing is."""
        try:
            own_results, rows = self.engine.execute(leaves, signers, inbox, header)
        except Exception as error:
            if self.is_strict:
                error.add_note(self._tell(told, self.engine.events))
                raise
            last = steps.NAMES.get(self.engine.last_pc, self.engine.last_pc)
            return f"step {last}: {type(error).__name__}: {str(error).splitlines()[0]}"
        own = events_to_dicts(rows)
        lines = []
        for at, (one, other) in enumerate(zip(results, own_results, strict=True)):
            if one != other:
                codes = [Code(result & 0xFFFF).name for result in (one, other)]
                lines.append(f"results: model {codes[0]}, engine {codes[1]}")
                lines.append(f"  leaf {at}: {leaves[at][:120].hex()}")
                break
        for at, (one, other) in enumerate(zip(told, own, strict=False)):
            if one != other:
                kinds = (EVENT_NAMES[one["kind"]], EVENT_NAMES[other["kind"]])
                lines.append(f"events: model {kinds[0]}, engine {kinds[1]}")
                lines.append(f"  number {at}: {get_differences(one, other)}")
                break
        else:
            if len(told) != len(own):
                more = told[len(own) :] or own[len(told) :]
                kind = EVENT_NAMES[more[0]["kind"]]
                lines.append(
                    f"events: {'engine lacks' if told[len(own) :] else 'only engine'} {kind}"
                )
        state = get_differences(
            self.model.snapshot(),
            build_snapshot(
                self.engine.tables, sorted(self.model.buckets), sorted(self.model.access)
            ),
        )
        if state:
            lines += [f"state: {state[0].split(':')[0]}"] if not lines else []
            lines += [f"  {line}" for line in state[:40]]
        if lines:
            return "\n".join([*lines, self._tell(told, own)])
        if self.blocks % 16 == 0 or not {event["kind"] for event in told} <= QUIET:
            check_records(self.engine.tables)
        return ""

    def _tell(self, told: list[dict[str, int]], own: list[dict[str, int]]) -> str:
        last = [steps.NAMES.get(pc, str(pc)) for pc in self.engine.trail]
        return "\n".join(
            [
                f"block {self.model.block} at {self.model.time}; last steps: {' '.join(last)}",
                "model's events:",
                *(f"  {describe_event(event)}" for event in told[-40:]),
                "engine's events:",
                *(f"  {describe_event(event)}" for event in own[-40:]),
            ]
        )

    def check_thoroughly(self) -> None:
        check_model(self.model)
        if self.is_even:
            assert_same_state(self.model, self.engine.tables, every_bucket=True)
            check_records(self.engine.tables)

    def describe(self) -> str:
        """Text: how many blocks were even, and what the others lacked."""
        bad = sum(self.notes.values())
        lines = [f"survey: {self.blocks - bad} of {self.blocks} blocks even"]
        lines += [f"survey:   {count:>5} x {what}" for what, count in self.notes.most_common()]
        return "\n".join(lines)


def poke(zone: Zone, thing: Any, **values: Any) -> None:
    """Set attributes of a model's object, and give the engine the state that this makes."""
    for name, value in values.items():
        assert hasattr(thing, name), name
        setattr(thing, name, value)
    if isinstance(zone, BesideZone):
        zone.take_over()
        assert zone.is_even, "a job has begun"
