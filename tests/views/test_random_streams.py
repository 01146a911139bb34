"""Books, depth and ledger rebuilt from events equal the engine's own records after every block of random streams."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest

from tests.engine.conftest import build_engine
from tests.model.streams import Run, Stream
from tests.model.world import Outcome, Zone
from tests.views.records import Watcher, build_events
from tradezone.protocol import events as kinds

STEPS = 60


class WatchedStream(Stream):
    """A stream whose blocks run one by one, so that the views can be looked at after each."""

    watcher: Watcher
    heard: list[np.ndarray]

    def do(self, run: Run) -> Outcome:
        if run.bounds is not None or run.unmarked or len(run.blocks) < 2:
            outcome = super().do(run)  # a whole batch has one header
            events = build_events(outcome.events)
            self.heard.append(events)
            self.watcher.hear(events, self.zone.time, self.zone.engine.tables)
            return outcome
        first, *others = run.blocks
        outcome = self.do(Run((first,), run.patches))
        for block in others:
            outcome = self.do(Run((block,)))
        return outcome


def run_stream(seed, steps=STEPS):
    stream = WatchedStream(Zone(build_engine(), is_checking=False), Random(seed))
    stream.watcher, stream.heard = Watcher(), []
    stream.set_up()
    for _ in range(steps):
        stream.step()
    return stream


@pytest.mark.parametrize("seed", range(200, 216))
def test_views_equal_the_records_after_every_block(seed):
    stream = run_stream(seed)
    assert stream.watcher.blocks >= STEPS


def test_the_streams_reach_every_kind_of_event_that_views_act_on():
    found = Counter()
    for seed in range(200, 216):
        stream = Stream(Zone(is_checking=False), Random(seed))
        found.update(event["kind"] for event in stream.set_up().events)
        for _ in range(STEPS):
            found.update(event["kind"] for event in stream.step().events)
    wanted = (kinds.ORDER_WAITING, kinds.ORDER_RESTED, kinds.ORDER_AMENDED, kinds.ORDER_CANCELLED)
    wanted += (kinds.FILL, kinds.FEES, kinds.DEPOSITED, kinds.WITHDRAWN, kinds.TRANSFERRED)
    assert all(found[kind] > 100 for kind in wanted[:6]), found
    assert all(found[kind] > 10 for kind in wanted[6:]), found
