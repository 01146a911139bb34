"""A zone behind its gateway, on a real port, for the tests of this folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent / "service", HERE.parent / "sequencer"):
    sys.path.insert(0, str(folder))


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A running node and its address; shared by the tests of a file."""
    from service_zone import start_node, write_zone

    from tradezone.gateway import BackgroundServer

    more = "batches: {milliseconds: 1000}"
    text = write_zone(tmp_path_factory.mktemp("zone"), more=more)
    text.write_text(
        text.read_text().replace("{port: 0}", "{port: 0, requests_per_minute: 1000000}")
    )
    node = start_node(text)
    server = BackgroundServer(node)
    yield node, server.url
    server.stop()
    assert server.status == 0
