"""Model and engine agree on random streams, whatever stands in them.

Three ways to look: short streams drawn by Hypothesis, which it shrinks; longer ones from seeds, which
`tests.model.streams.reduce_runs` cuts down; and, with TRADEZONE_FUZZ=1, many more of the latter from a seed that is printed
(TRADEZONE_FUZZ_SEED repeats it, TRADEZONE_FUZZ_STREAMS says how many).
"""

from __future__ import annotations

import os
from collections import Counter
from random import Random, SystemRandom

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.conftest import build_engine
from tests.model.streams import Stream, describe, reduce_runs, replay
from tests.model.world import Zone
from tradezone.protocol import events
from tradezone.protocol.errors import Code

IS_FUZZING = os.environ.get("TRADEZONE_FUZZ") == "1"
SHORT_EXAMPLES = None if settings().max_examples > 100 else 25  # None: what the profile says
SEEDS = range(12)


def make_zone() -> Zone:
    return Zone(build_engine())


def run_stream(seed: int, steps: int) -> Stream:
    """Drive a stream from a seed; on a failure raise with its smallest form."""
    stream = Stream(make_zone(), Random(seed))
    try:
        stream.set_up()
        for _ in range(steps):
            stream.step()
        stream.zone.check_thoroughly()
    except AssertionError as error:
        runs = reduce_runs(stream.runs, make_zone)
        smallest = replay(runs, make_zone) or error
        message = f"stream {seed} ({steps} steps): {smallest}\n{describe(runs)}"
        raise AssertionError(message) from error
    return stream


@given(random=st.randoms(use_true_random=False), steps=st.integers(1, 8))
@settings(
    max_examples=SHORT_EXAMPLES or settings().max_examples,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_model_and_engine_agree_on_short_streams(random, steps):
    stream = Stream(make_zone(), random)
    stream.set_up()
    for _ in range(steps):
        stream.step()
    stream.zone.check_thoroughly()


@pytest.mark.parametrize("seed", SEEDS)
def test_model_and_engine_agree_on_seeded_streams(seed):
    run_stream(seed, 60)


@pytest.mark.skipif(not IS_FUZZING, reason="long; set TRADEZONE_FUZZ=1")
@pytest.mark.timeout(0)
def test_model_and_engine_agree_on_many_streams(capsys):
    seed = int(os.environ.get("TRADEZONE_FUZZ_SEED") or SystemRandom().randrange(1 << 32))
    streams = int(os.environ.get("TRADEZONE_FUZZ_STREAMS", "300"))
    with capsys.disabled():
        print(f"\nTRADEZONE_FUZZ_SEED={seed} TRADEZONE_FUZZ_STREAMS={streams}")  # noqa: T201 - the seed repeats a long run
    chooser = Random(seed)
    for _ in range(streams):
        run_stream(chooser.randrange(1 << 32), chooser.choice((20, 60, 200)))


def test_the_streams_of_the_model_reach_what_they_are_meant_to_reach():
    found: list[dict[str, int]] = []
    for seed in range(40):
        stream = Stream(Zone(), Random(seed))
        found += stream.set_up().events
        for _ in range(40):
            found += stream.step().events
    kinds = {
        value for name, value in vars(events).items() if name.isupper() and value in range(100)
    }
    assert kinds == {event["kind"] for event in found}
    codes = Counter(event["error"] for event in found)
    unreached = {
        Code.UNKNOWN_ACTION,  # reserved codes
        Code.FOK_NOT_FILLED,
        Code.TOO_MANY_ORDERS,  # need more than a stream is long: tests/engine/test_model_orders.py
        Code.TOO_MANY_BALANCES,
        Code.BUCKET_FULL,
        Code.TABLE_FULL,
        Code.KEY_LIMIT,
        Code.ACCOUNT_LIMIT,
        Code.QUOTA_EXCEEDED,  # and these: tests/engine/test_model_chapters.py, in part
        Code.TOO_MANY_PLANS,
        Code.TOO_MANY_HOLDINGS,
        Code.TOO_MANY_APPROVALS,
        Code.NO_FAUCET,
        Code.ASSET_CAP,
    }
    assert set(Code) - unreached - codes.keys() == set()
