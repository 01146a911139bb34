"""Model and engine agree on random streams, whatever stands in them.

The streams of `tests.model.streams` are valid, hostile and at the bounds; after each run results, events and the whole state
are compared, and the invariants of both checked. Four ways to look:

* short streams drawn by Hypothesis, which it shrinks, for the engine's functions in plain Python;
* longer ones from seeds for the compiled engine;
* the same in *small worlds* (`draw_squeeze`), whose bounds a short stream meets: in plain Python again;
* with TRADEZONE_FUZZ=1 (``make fuzz``) many more of all of them, from a seed that is printed (TRADEZONE_FUZZ_SEED repeats it,
  TRADEZONE_FUZZ_STREAMS says how many), and the step executor with its witnesses beside the compiled engine.

What fails is cut down by `tests.model.streams.reduce_runs` before it is shown. That the streams reach every action, message, event
and error is a test of its own; what only perpetuals reach is asked of theirs (tests/perps/test_random_markets.py).
"""

from __future__ import annotations

import os
from collections import Counter
from random import Random, SystemRandom

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.conftest import build_engine
from tests.model.engine import Model
from tests.model.perp_world import PERP_ACTIONS, PERP_CODES, PERP_EVENTS, PERP_MESSAGES
from tests.model.pure import PureEngine, small_bounds
from tests.model.streams import Stream, build_stream, describe, draw_squeeze, reduce_runs, replay
from tests.model.world import Zone
from tradezone.protocol import actions, events, messages
from tradezone.protocol.errors import Code
from tradezone.verifier.stepper import Stepper, to_event_rows

IS_FUZZING = os.environ.get("TRADEZONE_FUZZ") == "1"
SHORT_EXAMPLES = None if settings().max_examples > 100 else 15  # None: what the profile says
SEEDS = range(6)
SMALL_SEEDS = range(12)
RESERVED_CODES = {Code.UNKNOWN_ACTION, Code.FOK_NOT_FILLED}  # nothing gives them


def drive(stream: Stream, steps: int) -> None:
    stream.set_up()
    for _ in range(steps):
        stream.step()
    stream.zone.check_thoroughly()


def run_stream(seed: int, steps: int, make_zone) -> None:
    """Drive a stream from a seed; on a failure raise with its smallest form."""
    stream = Stream(make_zone(), Random(seed))
    try:
        drive(stream, steps)
    except AssertionError as error:
        runs = reduce_runs(stream.runs, make_zone)
        smallest = replay(runs, make_zone) or error
        message = f"stream {seed} ({steps} steps): {smallest}\n{describe(runs)}"
        raise AssertionError(message) from error


def run_small_stream(seed: int, steps: int) -> None:
    """The same in a small world."""
    squeeze = draw_squeeze(seed)

    def make_zone() -> Zone:
        zone = squeeze.make_zone()
        zone.engine.set_bounds(squeeze.bounds)
        return zone

    with small_bounds(None, **squeeze.bounds):
        run_stream(seed, steps, make_zone)


def run_executor(seed: int, blocks: int) -> None:
    """The step executor, each step from its witness, beside the compiled engine."""
    engine = build_engine()
    engine.commit_root()
    executor = Stepper(engine.tables)
    for leaves, signers, inbox in build_stream(seed, blocks):
        results, found = engine.execute(leaves, signers, inbox)
        step_results, step_events = executor.run(leaves, signers, inbox)
        assert step_results == [int(result) for result in results], f"stream {seed}: results"
        rows = to_event_rows(step_events)
        assert np.array_equal(rows, found), f"stream {seed}: events"
        assert executor.root == engine.commit_root(), f"stream {seed}: root"


@given(random=st.randoms(use_true_random=False), steps=st.integers(1, 8))
@settings(
    max_examples=SHORT_EXAMPLES or settings().max_examples,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_model_and_engine_agree_on_short_streams(random, steps):
    drive(Stream(Zone(PureEngine()), random), steps)


@pytest.mark.parametrize("seed", SEEDS)
def test_model_and_compiled_engine_agree_on_seeded_streams(seed):
    run_stream(seed, 40, lambda: Zone(build_engine()))


@pytest.mark.parametrize("seed", SMALL_SEEDS)
def test_model_and_engine_agree_in_small_worlds(seed):
    run_small_stream(seed, 30)


@pytest.mark.skipif(not IS_FUZZING, reason="long; set TRADEZONE_FUZZ=1")
@pytest.mark.timeout(0)
def test_model_engine_and_step_executor_agree_on_many_streams(capsys):
    seed = int(os.environ.get("TRADEZONE_FUZZ_SEED") or SystemRandom().randrange(1 << 32))
    streams = int(os.environ.get("TRADEZONE_FUZZ_STREAMS", "300"))
    with capsys.disabled():
        print(f"\nTRADEZONE_FUZZ_SEED={seed} TRADEZONE_FUZZ_STREAMS={streams}")  # noqa: T201 - the seed repeats a long run
    chooser = Random(seed)
    for number in range(streams):
        one, steps = chooser.randrange(1 << 32), chooser.choice((20, 60, 200))
        run_stream(one, steps, lambda: Zone(build_engine()))
        run_small_stream(one, steps)
        if number % 20 == 0:
            run_executor(one, 10)


def test_the_streams_reach_every_action_message_event_and_error():
    reached: Counter[tuple[str, int]] = Counter()
    for seed in range(160):
        squeeze = draw_squeeze(seed)
        stream = Stream(Zone(model=Model(squeeze.capacity), is_checking=False), Random(seed))
        with small_bounds(None, **squeeze.bounds):
            stream.set_up()
            for _ in range(60):
                stream.step()
        reached += stream.reached
    kinds = {
        value for name, value in vars(events).items() if name.isupper() and value in range(100)
    }
    wanted = {
        *(("event", kind) for kind in kinds - set(PERP_EVENTS)),
        *(("error", code) for code in set(Code) - RESERVED_CODES if code not in PERP_CODES),
        *(("action", action) for action in set(actions.ACTIONS) - PERP_ACTIONS),
        *(("message", kind) for kind in messages.BODIES.keys() - PERP_MESSAGES),
    }
    assert wanted - reached.keys() == set()


def test_a_stream_that_fails_is_cut_down_to_what_makes_it_fail():
    """The cutter itself: an engine that forgets a withdrawal is caught by one withdrawal."""

    class Forgetful(PureEngine):
        def execute(self, leaves, signers, messages_, header=None):
            envelopes = [actions.Envelope.from_leaf(leaf) for leaf in leaves]
            kept = [
                leaf if e is None or e.action != actions.WITHDRAW else b"\xff"
                for leaf, e in zip(leaves, envelopes, strict=True)
            ]
            return super().execute(kept, signers, messages_, header)

    def make_zone() -> Zone:
        return Zone(Forgetful())

    stream = Stream(make_zone(), Random(3))
    with pytest.raises(AssertionError):
        drive(stream, 60)
    runs = reduce_runs(stream.runs, make_zone)
    entries = [entry for run in runs[1:] for _, block in run.blocks for entry in block]
    assert len(entries) == 1
    assert actions.Envelope.from_leaf(entries[0].leaf).action == actions.WITHDRAW
