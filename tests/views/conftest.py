"""A recorded stream for the suites of this folder."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from tests.model.streams import Stream
from tests.model.world import Zone
from tests.views.records import build_events
from tradezone.views import MarketTerms


class Recording:
    """Events of a zone, the times of their blocks, and the terms of its markets."""

    def __init__(self, seed, steps):
        zone = Zone(is_checking=False)
        stream = Stream(zone, Random(seed))
        outcomes = [(stream.set_up(), zone.time)]
        outcomes += [(stream.step(), zone.time) for _ in range(steps)]
        self.pieces = [build_events(outcome.events) for outcome, _ in outcomes]
        self.times = [time for _, time in outcomes]
        self.events = np.concatenate(self.pieces)
        names = MarketTerms._fields
        markets = zone.model.markets.items()
        self.terms = {slot: MarketTerms(*(getattr(m, n) for n in names)) for slot, m in markets}


@pytest.fixture(scope="session")
def recording():
    """A stream with much trading."""
    return Recording(seed=207, steps=300)
