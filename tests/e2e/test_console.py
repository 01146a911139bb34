"""What `ape console` gives: the deployed contracts by name."""

from __future__ import annotations

from types import SimpleNamespace

import ape
import pytest

import ape_console_extras as extras
from tradezone.chain import Deployment


@pytest.fixture
def console(deployed, project, chain, monkeypatch):
    """Names of a console on the zone of these tests."""

    def start(folder=deployed.parent.parent):
        at = SimpleNamespace(path=folder)
        types = SimpleNamespace(path=at.path)
        for name in set(extras.ALL_NAMES.values()):
            setattr(types, name, getattr(project, name))
        monkeypatch.setattr(extras, "find_deployment", lambda *_: folder / "deployments/local.json")
        return extras.ape_init_extras(types, SimpleNamespace(active_provider=chain.provider))

    return start


def test_contracts_are_there_by_name_and_answer(console, deployed):
    found = console()
    for name, address in Deployment.load(deployed).contracts.items():
        assert getattr(found["zone"], name).address == address
    assert found["staking"].totalStaked() >= 0
    assert found["perps"].perpCount() == 0
    # Ape's own names stay Ape's.
    assert "chain" not in found
    assert not set(found) & set(ape.__all__)


def test_without_a_zone_a_console_starts_all_the_same(console, tmp_path, capsys):
    assert console(tmp_path) == {}
    assert "ape run deploy zone" in capsys.readouterr().out


def test_without_a_node_there_is_nothing_to_name(project):
    assert extras.ape_init_extras(project, SimpleNamespace(active_provider=None)) == {}
