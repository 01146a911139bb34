"""A snapshot at any moment, loaded again, goes on as if nothing had been; a run cut anywhere ends the same.

The moments are those with the most in the air: heaps of timers and books with waiting orders, holdings, plans held and
armed, tasks whose budget ran out, an event that is being paid out, and the middle of a step's chain.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.engine.stepped import Pair, PairZone, record_stream
from tests.model.world import (
    act,
    build_world,
    item,
    list_event,
    list_outcome,
    payouts,
    place_item,
    tell,
    update_market,
)
from tradezone.engine import Engine
from tradezone.engine import engine as engine_module
from tradezone.protocol import actions, enums, limits, messages
from tradezone.protocol.enums import BUY, SELL, TIF_POST_ONLY
from tradezone.protocol.records import TABLE_BY_NAME
from tradezone.protocol.steps import IDLE
from tradezone.verifier.stepper import Stepper

SEED, LENGTH = 47, 12


def post(who, side, price, lots, **fields):
    market = fields.pop("market", 1)
    return who.place(place_item(market, side, price, lots, tif=TIF_POST_ONLY, **fields))


def reload(zone, path):
    """Put an engine loaded from a snapshot, and an executor that begins with its records, in the zone's place."""
    before = zone.pair.engine.commit_root()
    zone.pair.engine.save_snapshot(path)
    loaded = Engine.from_snapshot(path)
    assert loaded.commit_root() == before == loaded.rebuild_root()
    zone.pair = Pair(loaded)
    zone.beside.engine = zone.pair


def in_use(zone, table):
    return zone.get("head", TABLE_BY_NAME[table].number)["in_use"]


def build_crowd(zone):
    """Something of everything pending."""
    world = build_world(zone, takerDelay=50)
    alice, bob, carol = world.alice, world.bob, world.carol
    zone.block(
        list_event(1, 2), list_outcome(2, 1), list_event(2, 3),
        *(list_outcome(market, 2, takerDelay=20) for market in (3, 4, 5)),
    )  # fmt: skip
    start = zone.time
    zone.block(
        *(post(alice, BUY, 10 + n, 3, client_id=n + 1, expires=start + 900 - n) for n in range(9)),
        *(post(bob, SELL, 40 + n, 3, client_id=n + 1) for n in range(3)),
        act(bob, actions.SPLIT, group=2, lots=5),
        act(carol, actions.SPLIT, group=2, lots=5),
        act(alice, actions.DEAD_MAN, timeout=limits.MIN_DEAD_MAN),
        update_market(zone, 2, takerFee=7, effectiveAt=start + 700),
    )
    parent = zone.block(post(carol, BUY, 9, 4, client_id=77)).events[0]["order"]
    legs = [
        item(
            actions.PLACE_PLAN, market=1, side=SELL, kind=kind, grouping=enums.GROUP_ORDER,
            trigger=trigger, price=trigger, lots=4, parent=parent, expires=start + 800,
        )
        for kind, trigger in ((enums.PLAN_STOP, 5), (enums.PLAN_TAKE_PROFIT, 20))
    ]  # fmt: skip
    stop = {
        "market": 1,
        "side": SELL,
        "kind": enums.PLAN_STOP,
        "trigger": 17,
        "price": 1,
        "lots": 1,
    }
    zone.block(act(carol, actions.PLACE_PLAN, *legs), act(bob, actions.PLACE_PLAN, **stop))
    zone.block(
        bob.sell(12, 20), carol.buy(41, 5), bob.sell(30, 1, market=3), carol.buy(60, 1, market=4)
    )
    return world


def go_on(zone, world):
    """What happens next: everything pending comes due. Returns what was recorded."""
    alice, bob, carol = world.alice, world.bob, world.carol
    vector = payouts(2000, 3000, 5000)
    told = [
        zone.block(after=60),
        zone.block(),
        zone.block(alice.cancel_order(client_id=3), post(alice, BUY, 3, 1, client_id=99), after=60),
        zone.block(bob.buy(42, 9), carol.sell(1, 30, market=1), after=60),
        zone.block(after=60),
        zone.block(act(bob, actions.CANCEL_ALL, side=enums.BOTH_SIDES)),
        zone.block(tell(messages.RESOLUTION, group=2, state=2, payouts=vector), after=60),
        zone.block(after=700),
        zone.block(post(alice, BUY, 5, 1)),
        zone.block(after=limits.MIN_DEAD_MAN),
        zone.block(),
    ]
    return [(outcome.results, outcome.events) for outcome in told], zone.pair.engine.commit_root()


@pytest.fixture(scope="module")
def straight():
    """What a zone does that was never saved."""
    zone = PairZone()
    return go_on(zone, build_crowd(zone))


def test_a_snapshot_with_everything_pending_goes_on_as_if_nothing_had_been(straight, tmp_path):
    zone = PairZone()
    world = build_crowd(zone)
    for table, least in {
        "timer": 10, "queue": 3, "plan": 3, "holding": 6, "order": 15, "level": 12,
    }.items():  # fmt: skip
        assert in_use(zone, table) >= least, table
    assert zone.get("pending", 2) != dict.fromkeys(zone.get("pending", 2), 0)
    reload(zone, tmp_path / "snapshot")
    assert go_on(zone, world) == straight


def test_a_snapshot_after_every_block_changes_nothing(straight, tmp_path):
    class Saving(PairZone):
        is_saving = False

        def run(self, *inputs):
            if self.is_saving:
                reload(self, tmp_path / "snapshot")
            return super().run(*inputs)

    zone = Saving()
    world = build_crowd(zone)
    zone.is_saving = True
    assert go_on(zone, world) == straight


def test_the_steps_of_an_executor_that_was_left_are_those_of_one_that_was_not(straight):
    """An executor may begin anywhere: from records alone, also between two steps of a block."""
    zone = PairZone()
    world = build_crowd(zone)
    for stepper in (Stepper(zone.pair.tables), Stepper(zone.pair.stepper._tables)):
        assert stepper.root == zone.pair.stepper.root
    assert go_on(zone, world) == straight


# --- in the middle of a block ------------------------------------------------------------------------


class LeftError(Exception):
    """The run was left on purpose."""


def summarise(engine, taken):
    """Results and events of runs, and the state after each."""
    told = []
    for leaves, signers, inbox in taken:
        results, events = engine.execute(leaves, signers, inbox)
        told.append((results, events.tobytes(), engine.commit_root()))
    return told


def execute_until(engine, inputs, most, monkeypatch):
    """Execute a run, but leave it after ``most`` steps; whether it was left in the middle of a block."""
    run = engine_module.run

    def run_some(state, derived, io, _most):
        run(state, derived, io, most)
        raise LeftError

    with monkeypatch.context() as patch:
        patch.setattr(engine_module, "run", run_some)
        with pytest.raises(LeftError):
            engine.execute(*inputs)
    return int(engine.machine["pc"]) != IDLE


def finish(engine, count):
    """Go on with the run that was left, whose inputs are where they were: results, events, root of the whole run."""
    engine_module.run(engine._state, engine._derived, engine._io, 1 << 22)
    io = engine._io[0]
    events = io["event"][: int(io["event_count"])].tobytes()
    io["event_count"] = 0
    return io["result"][:count].tolist(), events, engine.commit_root()


def test_a_snapshot_in_the_middle_of_a_block_holds_the_machine_between_two_steps(
    tmp_path, monkeypatch
):
    """From records and the inputs of the run alone another engine, and an executor, end where the first does."""
    taken = record_stream(SEED, LENGTH)
    straight = summarise(Engine(), taken)
    random = Random(SEED)
    middles = 0
    for at in (0, 3, 6, 9):
        for most in (1, random.randrange(2, 40), random.randrange(40, 400)):
            engine = Engine()
            for inputs in taken[:at]:
                engine.execute(*inputs)
            engine.commit_root()
            leaves, signers, inbox = taken[at]
            first, inbox_first = int(engine.machine["seq"]), int(engine.machine["inbox"])
            if not execute_until(engine, taken[at], most, monkeypatch):
                continue
            middles += 1
            engine.save_snapshot(tmp_path / "snapshot")
            loaded = Engine.from_snapshot(tmp_path / "snapshot")
            assert loaded.commit_root() == engine.commit_root()
            loaded._io[0] = engine._io[0]  # the run's inputs, and what it has recorded so far
            assert finish(engine, len(leaves)) == straight[at]
            assert finish(loaded, len(leaves)) == straight[at]
            assert summarise(loaded, taken[at + 1 :]) == straight[at + 1 :]
            again = Engine.from_snapshot(tmp_path / "snapshot")
            stepper = Stepper(again.tables)
            assert stepper.root == again.commit_root()
            source = {first + n: (leaf, signers[n] or bytes(20)) for n, leaf in enumerate(leaves)}
            known = {inbox_first + n: message for n, message in enumerate(inbox)}
            end, span = first + len(leaves), (inbox_first, inbox_first + len(inbox))
            while not stepper._is_halted(end):
                stepper._step(source, known, end, span)
            assert stepper.root == straight[at][2]
    assert middles >= 8


# --- cut at every step -------------------------------------------------------------------------------


def count_steps(engine, inputs, monkeypatch):
    """Execute a run; return its steps."""
    run, counts = engine_module.run, []

    def run_counting(*arguments):
        counts.append(run(*arguments))
        return counts[-1]

    with monkeypatch.context() as patch:
        patch.setattr(engine_module, "run", run_counting)
        engine.execute(*inputs)
    return sum(counts)


def test_a_run_cut_after_any_number_of_steps_ends_in_the_same_state(tmp_path, monkeypatch):
    """One run with orders and fills, in one go and in pieces of 1, 2, 3, ... steps up to its whole length."""
    taken = record_stream(SEED, LENGTH)
    engine = Engine()
    for inputs in taken:
        engine.save_snapshot(tmp_path / "snapshot")
        steps = count_steps(engine, inputs, monkeypatch)
        if inputs is not taken[0] and 50 <= steps <= 120:
            break
    else:
        raise AssertionError("no run of this stream is of a fit length")
    whole = Engine.from_snapshot(tmp_path / "snapshot")
    straight = summarise(whole, [inputs])
    assert straight[0][2] == engine.commit_root()
    for most in range(1, steps + 2):
        monkeypatch.setattr(engine_module, "_STEPS_PER_CALL", most)
        cut = Engine.from_snapshot(tmp_path / "snapshot")
        assert summarise(cut, [inputs]) == straight, most
