"""Every scenario runs model and engine side by side, unless the model runs without one of its rules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.model import beside, watched


@pytest.fixture(autouse=True)
def side_by_side(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    is_without = parameters.get("rules") is False
    is_altered = is_without or request.node.get_closest_marker("model_only") is not None
    monkeypatch.setattr(beside, "is_altered", is_altered)
    zones: list[beside.BesideZone] = []
    monkeypatch.setattr(beside, "made", zones)
    yield
    if beside.get_mode() == "learning":
        for name, (most, tables) in sorted(watched.seen.items()):
            print(f"learned: | {name} | {most} | {' '.join(sorted(tables))} |")  # noqa: T201
    for zone in zones:
        if not zone.is_strict:
            print(zone.describe())  # noqa: T201 - what a survey is for
