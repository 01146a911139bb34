"""Books, depth and ledger rebuilt from events equal the engine's own records after every block of random streams."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tests.engine.conftest import build_engine
from tests.model.streams import Run
from tests.model.world import Outcome, Zone
from tests.views.records import Watcher
from tests.views.trading import EngineZone, TradingStream
from tradezone.protocol import events as kinds
from tradezone.views import Ledger

STEPS = 100


class WatchedStream(TradingStream):
    """A stream whose blocks run one by one, so that the views can be looked at after each."""

    watcher: Watcher

    def do(self, run: Run) -> Outcome:
        if run.bounds is not None or run.unmarked or len(run.blocks) < 2:
            outcome = super().do(run)  # a whole batch has one header
            self.watcher.hear(self.zone.heard, self.zone.time, self.zone.engine.tables)
            return outcome
        first, *others = run.blocks
        outcome = self.do(Run((first,), run.patches))
        for block in others:
            outcome = self.do(Run((block,)))
        return outcome


class CountedStream(TradingStream):
    """A stream that counts what its events say."""

    found: Counter[int]

    def do(self, run: Run) -> Outcome:
        outcome = super().do(run)
        self.found.update(event["kind"] for event in outcome.events)
        return outcome


def run_stream(seed, steps=STEPS):
    stream = WatchedStream(EngineZone(build_engine()), Random(seed))
    stream.watcher = Watcher()
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
        stream = CountedStream(Zone(is_checking=False), Random(seed))
        stream.found = found
        stream.set_up()
        for _ in range(STEPS):
            stream.step()
    # those of perpetuals happen in the scenarios of tests/perps, where test_perps.py hears them
    ledger = Ledger()
    wanted = set(ledger._handlers) - set(ledger.perps.handlers) - {kinds.FUND_CHANGED}
    assert wanted - set(found) == set()
    often = (kinds.ORDER_WAITING, kinds.ORDER_RESTED, kinds.ORDER_AMENDED, kinds.ORDER_CANCELLED)
    assert all(found[kind] > 100 for kind in (*often, kinds.FILL, kinds.FEES)), found
