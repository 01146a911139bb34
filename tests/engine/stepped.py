"""Model, compiled engine and step executor beside each other: the same inputs to all, compared after every run.

>>> zone = SteppedZone(Pair())
>>> world = build_world(zone)
>>> zone.block(world.alice.sell(10, 5))

`Zone` compares the model with what it takes for the engine; a `Pair` is that engine and compares, inside, the compiled
engine with the executor: results, events, state root, and the records of every step with docs/spec/steps.md.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from tests.model.compare import assert_same_state, events_to_dicts
from tests.model.engine import Model
from tests.model.streams import TRADERS, Inputs, Recorder, Stream
from tests.model.world import Entry, Outcome, Zone, item, place_item, update_market
from tradezone.engine import Engine
from tradezone.engine import engine as engine_module
from tradezone.protocol import actions, enums, limits, steps
from tradezone.protocol.batches import Header
from tradezone.protocol.records import TABLE_BY_NAME, TABLE_BY_NUMBER
from tradezone.state.tree import leaf_hash
from tradezone.verifier import stepper as stepper_module
from tradezone.verifier.stepper import Stepper, to_event_rows

SPEC = Path(__file__).parents[2] / "docs" / "spec" / "steps.md"
STEPS = {
    name: number
    for name, number in vars(steps).items()
    if name.isupper() and isinstance(number, int) and name != "STEP_RECORDS"
}


# --- what the specification says of steps ------------------------------------------------------------


@cache
def get_documented_steps() -> dict[str, tuple[int, frozenset[str]]]:
    """(most records, names of tables) of each row of docs/spec/steps.md."""
    rows = re.findall(r"^\| ([A-Z_]+) \| (\d+) \| ([a-z_ ]+) \|", SPEC.read_text(), re.MULTILINE)
    return {name: (int(most), frozenset(tables.split())) for name, most, tables in rows}


def check_steps(stepper: Stepper) -> None:
    """AssertionError if a step touched more records, or other tables, than the specification says."""
    documented = get_documented_steps()
    for pc, count in stepper.most_records.items():
        name = steps.NAMES[pc]
        limit, tables = documented[name]
        touched = {TABLE_BY_NUMBER[kind].name for kind in stepper.tables_of[pc]}
        assert count <= limit <= steps.STEP_RECORDS, f"{name} touched {count} records, not {limit}"
        assert touched <= tables, f"{name} touched {touched - tables}"


def describe_steps(most: dict[int, int]) -> str:
    """Text: for each step reached, the most records one touched, of how many documented."""
    documented = get_documented_steps()
    lines = [
        f"{steps.NAMES[pc]:<18} {count:>2} of {documented[steps.NAMES[pc]][0]:>2}"
        for pc, count in sorted(most.items())
    ]
    return "\n".join(lines)


# --- machines ----------------------------------------------------------------------------------------


def split_run(
    buffer: np.ndarray, offsets: np.ndarray, signers: np.ndarray
) -> tuple[list[bytes], list[bytes]]:
    """Leaves and signers of a run as `Engine.execute_run` takes it."""
    raw = buffer.tobytes()
    leaves = [raw[a:b] for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
    return leaves, [row.tobytes() for row in signers]


class Done:
    """What a run did, as `Engine.execute_run` returns it."""

    def __init__(self, results: list[int], events: np.ndarray) -> None:
        self.results, self.events = results, events


class Executor:
    """The step executor alone, as the engine of a `Zone`."""

    def __init__(self, stepper: Stepper | None = None) -> None:
        self.stepper = stepper or Stepper(Engine().tables)
        self.tables = self.stepper._tables

    def execute(
        self, leaves: Sequence[bytes], signers: Sequence[bytes | None], inbox: Sequence[bytes] = ()
    ) -> tuple[list[int], np.ndarray]:
        results, events = self.stepper.run(leaves, signers, inbox)
        check_steps(self.stepper)
        return results, to_event_rows(events)

    def execute_run(
        self,
        buffer: np.ndarray,
        offsets: np.ndarray,
        signers: np.ndarray,
        messages: Sequence[bytes] = (),
        header: Header | None = None,
        *,
        is_batch_end: bool = False,
    ) -> Done:
        run = split_run(buffer, offsets, signers)
        results, events = self.stepper.run(*run, messages, header, is_batch_end)
        check_steps(self.stepper)
        return Done(results, to_event_rows(events))

    def follow(self, table: str, slot: int) -> None:
        """Take over a record of the tables that was changed from outside."""
        kind, raw = TABLE_BY_NAME[table], self.tables[table][slot].tobytes()
        leaf = leaf_hash(kind.number, slot, raw)
        self.stepper._tree.update(kind.number << 32 | slot, leaf)
        self.stepper.root = self.stepper._tree.root


class Pair:
    """Compiled engine and step executor as the engine of a `Zone`: AssertionError where they differ."""

    def __init__(self, engine: Engine | None = None) -> None:
        self.engine = engine or Engine()
        self.engine.commit_root()
        event_seq = int(self.engine._derived["event_seq"][0])
        self.stepper = Stepper(self.engine.tables, event_seq)
        self.tables = self.engine.tables
        assert self.stepper.root == self.engine.commit_root()

    def execute(
        self, leaves: Sequence[bytes], signers: Sequence[bytes | None], inbox: Sequence[bytes] = ()
    ) -> tuple[list[int], np.ndarray]:
        results, events = self.engine.execute(leaves, signers, inbox)
        self._check(results, events, self.stepper.run(leaves, signers, inbox))
        return results, events

    def execute_run(
        self,
        buffer: np.ndarray,
        offsets: np.ndarray,
        signers: np.ndarray,
        messages: Sequence[bytes] = (),
        header: Header | None = None,
        *,
        is_batch_end: bool = False,
    ) -> Done:
        done = self.engine.execute_run(buffer, offsets, signers, messages, header, is_batch_end)
        run = split_run(buffer, offsets, signers)
        slow = self.stepper.run(*run, messages, header, is_batch_end)
        results = done.results.tolist()
        self._check(results, done.events, slow)
        return Done(results, done.events)

    def _check(
        self,
        results: Sequence[int],
        events: np.ndarray,
        slow: tuple[list[int], list[dict[str, int]]],
    ) -> None:
        slow_results, slow_events = slow
        assert slow_results == results, "results of engine and step executor differ"
        rows = to_event_rows(slow_events)
        for at, (one, other) in enumerate(zip(events, rows, strict=False)):
            assert one == other, f"event {at}: engine {one}, step executor {other}"
        assert len(events) == len(rows), f"engine has {len(events)} events, executor {len(rows)}"
        if self.stepper.root != self.engine.commit_root():
            raise AssertionError(f"roots differ in {self.get_differences()}")
        check_steps(self.stepper)

    def get_differences(self) -> list[str]:
        """Records that engine and step executor do not agree about, as text."""
        found = []
        for name, rows in self.engine.tables.items():
            number = TABLE_BY_NAME[name].number
            used = max(int(self.engine.tables["head"][number]["high_water"]) + 1, 300)
            for slot in range(min(used, len(rows))):
                mine, other = rows[slot], self.stepper._tables[name][slot]
                if mine != other:
                    found.append(f"{name}[{slot}]: engine {mine}, step executor {other}")
        return found

    def follow(self, table: str, slot: int) -> None:
        """Take over a record of the engine's tables that was changed from outside."""
        number = TABLE_BY_NAME[table].number
        self.engine._mark(number, slot)
        self.stepper._store(number, slot, self.tables[table][slot].tobytes())
        self.stepper.root = self.stepper._tree.root
        assert self.stepper.root == self.engine.commit_root()


class SteppedZone(Zone):
    """A zone whose engine is a `Pair` (or an `Executor`); after every run its whole state and the model's are compared."""

    engine: Pair | Executor

    def __init__(self, engine: Pair | Executor | None = None, model: Model | None = None) -> None:
        super().__init__(engine or Pair(), is_checking=False, model=model or Model())
        self.is_comparing = True

    def run(
        self,
        leaves: list[bytes],
        signers: list[bytes | None],
        inbox: list[bytes],
        header: Header | None = None,
    ) -> Outcome:
        outcome = super().run(leaves, signers, inbox, header)
        if self.is_comparing:
            assert_same_state(self.model, self.engine.tables)
        return outcome

    def patch(self, table: str, slot: int, **values: int) -> None:
        super().patch(table, slot, **values)
        self.engine.follow(table, slot)

    def exhaust(self, table: str, *, left: int = 0) -> None:
        super().exhaust(table, left=left)
        self.is_comparing = False  # the slots skipped are holes
        self.engine.follow("head", TABLE_BY_NAME[table].number)


# --- streams -----------------------------------------------------------------------------------------


class DrivenZone(Zone):
    """A zone for streams: the model alone says what the next inputs are, a pair of engines runs them.

    Whether model and engine agree is for `tests/engine/test_random_streams.py`.
    """

    def __init__(self, pair: Any) -> None:
        super().__init__(is_checking=False)
        self.beside = Zone(pair, is_checking=False)  # hands inputs over; its model stays empty
        self.pair = pair

    def run(
        self,
        leaves: list[bytes],
        signers: list[bytes | None],
        inbox: list[bytes],
        header: Header | None = None,
    ) -> Outcome:
        outcome = super().run(leaves, signers, inbox, header)
        self.beside._run_engine(leaves, signers, inbox, header)
        return outcome

    def patch(self, table: str, slot: int, **values: int) -> None:
        super().patch(table, slot, **values)
        for name, value in values.items():
            self.pair.tables[table][name][slot] = value
        self.pair.follow(table, slot)


class PairZone(DrivenZone):
    """A zone whose outcomes are those of a pair of engines, so that records can be changed which a model works out."""

    def __init__(self, pair: Pair | None = None) -> None:
        super().__init__(pair or Pair())

    def run(
        self,
        leaves: list[bytes],
        signers: list[bytes | None],
        inbox: list[bytes],
        header: Header | None = None,
    ) -> Outcome:
        self.model.execute(
            leaves, signers, inbox, header
        )  # keeps time and numbers; else it may differ
        results, events = self.beside._run_engine(leaves, signers, inbox, header)
        return Outcome([int(result) for result in results], events_to_dicts(events), leaves)

    def put(self, table: str, slot: int, **values: int) -> None:
        """Change fields of a record in both engines."""
        for name, value in values.items():
            self.pair.tables[table][name][slot] = value
        self.pair.follow(table, slot)

    def get(self, table: str, slot: int) -> dict[str, int]:
        """Fields of a record."""
        row = self.pair.tables[table][slot]
        return {name: int(row[name]) for name in row.dtype.names}


class WideStream(Stream):
    """A stream that also pays interfaces and referrers, merges what it split, names parents by client id."""

    def chapter(self) -> Entry:
        if not self.chance(300):
            return super().chapter()
        makers = (self._interface, self._interface, self._sets, self._named_parent, self._refer)
        return self.pick(makers)()

    def _interface(self) -> Entry:
        traders = [self.zone.model.owners[owner].main_account for owner in TRADERS]
        at = self.between(0, len(traders) - 1)
        account, interface = traders[at], traders[at - 1]
        approved = self.zone.model.accounts[account].approvals
        if (enums.APPROVAL_INTERFACE, interface) not in approved or self.chance(50):
            body = item(actions.APPROVE_INTERFACE, interface=interface, maxFee=10_000)
            return self.envelope(actions.APPROVE_INTERFACE, body, account=account)
        side, tif = self.pick((enums.BUY, enums.SELL)), self.pick((0, 1, 2))
        price, market = self._price(side, tif), self.pick((1, 1, 5))
        fee = self.pick((10_000, 10_000, 1, 0))
        fields = {"tif": tif, "interface": interface, "interface_fee": fee}
        body = place_item(market, side, price, self._lots(market), **fields)
        return self.envelope(actions.PLACE, body, account=account)

    def _sets(self) -> Entry:
        account = self.zone.model.owners[self.pick(TRADERS[:2])].main_account
        action = self.pick((actions.SPLIT, actions.MERGE))
        body = item(action, group=2, lots=self.pick((1, 2)))
        return self.envelope(action, body, account=account)

    def _refer(self) -> Entry:
        shares = {"protocolShare": 100_000, "insuranceShare": 0, "referrerShare": 500_000}
        terms = {"takerFee": limits.MAX_TAKER_FEE, "makerFee": 0, "effectiveAt": 0}
        return update_market(self.zone, self.pick((1, 5)), **shares, **terms)

    def _named_parent(self) -> Entry:
        named = [order for order in self.zone.model.orders.values() if order.client_id]
        if not named:
            return self.place()
        order = self.pick(named)
        values = {
            "market": order.market,
            "side": 1 - order.side,
            "kind": self.pick((enums.PLAN_STOP, enums.PLAN_TAKE_PROFIT)),
            "grouping": enums.GROUP_ORDER,
            "trigger": self.between(1, 9),
            "price": self.between(1, 9),
            "lots": self.pick((1, 2, 5)),
            "parent_client_id": order.client_id,
        }
        body = item(actions.PLACE_PLAN, **values)
        return self.envelope(actions.PLACE_PLAN, body, account=order.account)


def record_stream(seed: int, length: int) -> list[Inputs]:
    """Inputs of a stream without patches and headers: (leaves, signers, messages) of one run after the other."""
    zone = Recorder(is_checking=False)
    run_stream(WideStream(zone, Random(seed), is_plain=True), length)
    return zone.taken


class StepCounter:
    """The compiled engine, stopped behind every step: which steps a stream reaches, and how many it takes."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.tables = self.engine.tables
        self.reached: set[int] = set()
        self.steps = 0

    def execute(self, *inputs: Any) -> Any:
        with self._stopping():
            return self.engine.execute(*inputs)

    def execute_run(self, *inputs: Any, **how: Any) -> Any:
        with self._stopping():
            return self.engine.execute_run(*inputs, **how)

    def follow(self, table: str, slot: int) -> None:
        """Nothing: roots are not looked at."""

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        run = engine_module.run

        def run_singly(state: Any, derived: Any, inputs: Any, _most: int) -> int:
            while True:
                self.reached.add(int(self.engine.machine["pc"]))
                if run(state, derived, inputs, 1) == 0:
                    return 0
                self.steps += 1

        engine_module.run = run_singly
        try:
            yield
        finally:
            engine_module.run = run


def find_seeds(seeds: Iterable[int], steps_of_stream: int) -> list[int]:
    """Seeds that together reach every step that any of them reaches, with few steps in all."""
    found: dict[int, StepCounter] = {}
    for seed in seeds:
        counter = StepCounter()
        run_stream(WideStream(DrivenZone(counter), Random(seed)), steps_of_stream)
        del counter.engine, counter.tables  # two gigabytes of address space each
        found[seed] = counter
    left = set().union(*(counter.reached for counter in found.values()))
    chosen = []
    while left:
        best = max(found, key=lambda s: len(left & found[s].reached) / (found[s].steps + 500))
        left -= found[best].reached
        chosen.append(best)
    return chosen


def run_stream(stream: Stream, steps_of_stream: int) -> None:
    stream.set_up()
    for _ in range(steps_of_stream):
        stream.step()


# --- small bounds ------------------------------------------------------------------------------------


@contextmanager
def small_bounds(bounds: dict[str, int], capacity: dict[str, int] | None = None) -> Iterator[None]:
    """Run model and step executor with other limits and capacities; the compiled engine keeps its own."""
    changed: list[tuple[dict[str, Any], str, Any]] = []
    spaces = [vars(limits), *stepper_module._NAMESPACES.values()]

    def put(space: dict[str, Any], name: str, value: Any) -> None:
        changed.append((space, name, space[name]))
        space[name] = value

    try:
        for name, value in bounds.items():
            before = len(changed)
            for space in spaces:
                if name in space:
                    put(space, name, value)
            assert len(changed) > before + 1, f"no module of the engine uses {name}"
        if capacity:
            sizes = {TABLE_BY_NAME[name].number: size for name, size in capacity.items()}
            space = stepper_module._NAMESPACES["tradezone.engine.tables"]
            sizes = dict(enumerate(space["CAPACITY"])) | sizes
            put(space, "CAPACITY", tuple(sizes.values()))
        yield
    finally:
        for space, name, value in reversed(changed):
            space[name] = value


if (
    __name__ == "__main__"
):  # python -m tests.engine.stepped SEEDS STEPS: seeds for test_steps_random.py
    sys.stdout.write(f"{find_seeds(range(int(sys.argv[1])), int(sys.argv[2]))}\n")
