"""Keep the two kinds of tests apart, and set how hard properties are tried.

`pytest` runs the pure suites. `ape test` runs the chain suites: it brings the plugin that
starts a node and provides `accounts`, `chain` and `project`, which they cannot do without.

Properties try the same examples in every test run, so that a failure is one of the change at
hand; `make fuzz` tries others, many more of them, from a seed that it prints.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent
CHAIN_SUITES = tuple(ROOT / "tests" / name for name in ("contracts", "e2e", "fork"))

# No deadline: the first call of a jitted function may compile it.
settings.register_profile("test", deadline=None, derandomize=True, print_blob=True)
settings.register_profile(
    "fuzz",
    deadline=None,
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "1000")),
    print_blob=True,
)
settings.load_profile("test")


def pytest_configure(config: pytest.Config) -> None:
    """Have the chain suites run on a provider without waste."""
    if _has_ape(config):
        from tests.quick_ape import speed_up  # noqa: PLC0415 - the pure suites need no Ape

        speed_up()


def _has_ape(config: pytest.Config) -> bool:
    return config.pluginmanager.hasplugin("ape_test")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the chain suites out of a run without Ape's plugin."""
    return True if collection_path in CHAIN_SUITES and not _has_ape(config) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Say what to do when a chain suite was asked for by name without Ape's plugin."""
    if _has_ape(config):
        return
    for item in items:
        if any(suite in item.path.parents for suite in CHAIN_SUITES):
            path = item.path.relative_to(ROOT)
            message = f"{path} needs a chain; run it with: ape test {path}"
            raise pytest.UsageError(message)
