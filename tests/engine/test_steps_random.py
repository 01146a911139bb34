"""Compiled engine and step executor agree on random streams, step by step from witnesses alone.

Every run compares results, events and the state root, and holds each step against docs/spec/steps.md. With
TRADEZONE_FUZZ=1 many more streams are run, from a seed that is printed (TRADEZONE_FUZZ_SEED repeats it,
TRADEZONE_FUZZ_STREAMS says how many: a tenth of that, for a stream takes ten times as long here), and then the most
records that each step touched.
"""

from __future__ import annotations

import os
from random import Random, SystemRandom

import pytest

from tests.engine.perp_script import run_script
from tests.engine.stepped import (
    STEPS,
    DrivenZone,
    Pair,
    SteppedZone,
    WideStream,
    describe_steps,
    get_documented_steps,
    run_stream,
)
from tests.model.streams import describe, reduce_runs, replay
from tradezone.protocol.steps import NAMES, STEP_RECORDS
from tradezone.verifier.stepper import WitnessError

IS_FUZZING = os.environ.get("TRADEZONE_FUZZ") == "1"
# together they reach every step; after a change of the streams: python -m tests.engine.stepped 60 30
SEEDS = (10, 44, 25, 38, 49, 36)
LENGTH = 30  # runs of a stream


def make_zone() -> DrivenZone:
    return DrivenZone(Pair())


def run_seed(seed: int, length: int) -> dict[int, int]:
    """Drive a stream; return the most records of each step. On a failure raise with a smaller form."""
    stream = WideStream(make_zone(), Random(seed))
    try:
        run_stream(stream, length)
    except (AssertionError, WitnessError) as error:
        runs = reduce_runs(stream.runs, make_zone, tries=60)  # a try is seconds, not an instant
        smallest = replay(runs, make_zone) or error
        message = f"stream {seed} ({length} runs): {smallest}\n{describe(runs)}"
        raise AssertionError(message) from error
    engine = stream.zone.pair.engine
    assert engine.rebuild_root() == engine.commit_root()
    return stream.zone.pair.stepper.most_records


@pytest.fixture(scope="module")
def most_records():
    most: dict[int, int] = {}
    for seed in SEEDS:
        for pc, count in run_seed(seed, LENGTH).items():
            most[pc] = max(count, most.get(pc, 0))
    for pc, count in run_perpetuals().items():
        most[pc] = max(count, most.get(pc, 0))
    return most


def run_perpetuals() -> dict[int, int]:
    """Drive a venue with perpetuals, which no stream lists; return the most records of each step."""
    zone = SteppedZone()
    run_script(zone)
    assert zone.engine.engine.rebuild_root() == zone.engine.engine.commit_root()
    return zone.engine.stepper.most_records


def test_engine_and_step_executor_agree_on_streams_that_reach_every_step(most_records):
    missing = STEPS.keys() - {NAMES[pc] for pc in most_records}
    assert not missing, f"no stream reaches {sorted(missing)}\n{describe_steps(most_records)}"


def test_the_specification_names_every_step_and_no_other():
    documented = get_documented_steps()
    assert documented.keys() == STEPS.keys()
    assert max(most for most, _ in documented.values()) == STEP_RECORDS


def test_steps_that_touch_the_most_records_are_met(most_records, record_property):
    record_property("records of each step", describe_steps(most_records))
    fullest = {NAMES[pc] for pc, count in most_records.items() if count == STEP_RECORDS}
    assert "MATCH" in fullest


@pytest.mark.skipif(not IS_FUZZING, reason="long; set TRADEZONE_FUZZ=1")
@pytest.mark.timeout(0)
def test_engine_and_step_executor_agree_on_many_streams(capsys):
    seed = int(os.environ.get("TRADEZONE_FUZZ_SEED") or SystemRandom().randrange(1 << 32))
    streams = -(-int(os.environ.get("TRADEZONE_FUZZ_STREAMS", "300")) // 10)
    chooser, most = Random(seed), dict[int, int]()
    with capsys.disabled():
        print(f"\nTRADEZONE_FUZZ_SEED={seed}, {streams} streams")  # noqa: T201 - the seed repeats a long run
    for _ in range(streams):
        for pc, count in run_seed(chooser.randrange(1 << 32), chooser.choice((10, 20, 60))).items():
            most[pc] = max(count, most.get(pc, 0))
    with capsys.disabled():
        print(describe_steps(most))  # noqa: T201 - what a long run is for
