"""Makes the helpers of this folder, and the zone of tests/sequencer, importable by their names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent / "sequencer"):
    sys.path.insert(0, str(folder))


@pytest.fixture
def zone_folder(tmp_path):
    from service_zone import write_zone

    return write_zone(tmp_path)


@pytest.fixture
def node(zone_folder):
    from service_zone import start_node

    node = start_node(zone_folder)
    yield node
    node.stop()
