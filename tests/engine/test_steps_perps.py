"""The step executor runs perpetuals: every step of theirs from a witness alone, in the state of the model after every block.

Compiled engine and executor side by side: `tests/engine/test_steps_random.py`.
"""

from __future__ import annotations

import pytest

from tests.engine.perp_script import run_script
from tests.engine.stepped import Executor, SteppedZone, check_steps, describe_steps
from tradezone.protocol.steps import NAMES, PRICE_LEAF


@pytest.fixture(scope="module")
def stepper():
    zone = SteppedZone(Executor())
    run_script(zone)
    return zone.engine.stepper


def test_a_venue_with_perpetuals_lives_and_ends_step_by_step(stepper):
    missing = {name for pc, name in NAMES.items() if pc >= PRICE_LEAF}
    missing -= {NAMES[pc] for pc in stepper.most_records}
    assert not missing, f"not reached: {sorted(missing)}\n{describe_steps(stepper.most_records)}"
    check_steps(stepper)
