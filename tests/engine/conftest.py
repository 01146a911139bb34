"""Fixtures of the engine suites: a zone that drives the model alone, or model and engine side by side."""

from __future__ import annotations

import pytest

from tests.model.pure import PureEngine
from tests.model.world import World, Zone, build_world


def build_engine():
    from tradezone.engine import Engine  # only where it is used: it compiles

    return Engine()


# "alone": the model by itself; "beside": model and engine side by side
@pytest.fixture(params=["alone", "beside"])
def zone(request: pytest.FixtureRequest) -> Zone:
    return Zone(build_engine() if request.param == "beside" else None)


@pytest.fixture
def world(zone: Zone) -> World:
    return build_world(zone)


@pytest.fixture
def plain_world() -> World:
    """Model and the engine's functions in plain Python: for `small_bounds`."""
    return build_world(Zone(PureEngine()))
