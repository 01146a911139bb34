"""A recorded stream for the suites of this folder."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from tests.model.world import Zone
from tests.views.records import build_events
from tests.views.trading import TradingStream


class Recording(TradingStream):
    """Events of a zone and the times of their blocks."""

    def __init__(self, seed, steps):
        super().__init__(Zone(is_checking=False), Random(seed))
        self.pieces, self.times = [], []
        self.set_up()
        for _ in range(steps):
            self.step()
        self.events = np.concatenate(self.pieces)

    def do(self, run):
        outcome = super().do(run)
        self.pieces.append(build_events(outcome.events))
        self.times.append(self.zone.time)
        return outcome


@pytest.fixture(scope="session")
def recording():
    """A stream with much trading."""
    return Recording(seed=206, steps=350)
