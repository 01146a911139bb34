"""The story of ``tradezone demo --perps``: it is told to its end, and it stops at the first number that is wrong."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tests.model.pure import PureEngine
from tradezone.cli import cli
from tradezone.engine import Engine
from tradezone.testing.perps import NumberError, build_perp_zone
from tradezone.testing.perps_story import Giver, fill_water, show, tell_story

PARTS = 11


class Tampered(Engine):
    """An engine that adds one atom to a field at a block."""

    def __init__(self, block, table, slot, name):
        super().__init__()
        self._left, self._at = block, (table, slot, name)

    def execute(self, *run):
        done = super().execute(*run)
        self._left -= 1
        if not self._left:
            table, slot, name = self._at
            self.tables[table][name][slot] += 1
        return done


def test_the_compiled_engine_and_the_plain_one_tell_the_same_story():
    told, plain = [], []
    figures = tell_story(Engine(), told.append)
    assert tell_story(PureEngine(), plain.append) | {"checks": figures["checks"]} == figures
    parts = [line for line in told if line.startswith("\n")]
    assert len(parts) == PARTS
    assert figures["deficit"] > 0
    assert figures["takeover_cost"] > 0
    # the plain engine has no audit: one line and one check less
    assert [line for line in told if "audit" not in line][:-2] == plain[:-2]


@pytest.mark.parametrize(
    ("table", "slot", "name"),
    [
        ("ledger", 1, "fund"),
        ("ledger", 1, "cash"),
        ("ledger", 1, "deficit"),
        ("price", 1, "basis"),
        ("price", 1, "mark"),
        ("price", 1, "funding_index"),
        ("price", 1, "pot"),
        ("pool", 1, "collateral"),
        ("position", 1, "quote"),
        ("position", 1, "lots"),
        ("balance", 1, "free"),
    ],
)
def test_one_atom_too_many_stops_the_story(table, slot, name):
    with pytest.raises(NumberError):
        tell_story(Tampered(200, table, slot, name), [].append)


def test_the_command_prints_the_figures():
    done = CliRunner().invoke(cli, ["demo", "--perps", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["ok"]


def test_the_command_asks_which_story():
    done = CliRunner().invoke(cli, ["demo"])
    assert done.exit_code == 2
    assert "--perps" in done.output


def test_an_action_that_fails_is_not_passed_over():
    zone = build_perp_zone(PureEngine())
    who = zone.add("Ava", 10**9)
    with pytest.raises(NumberError, match="first error"):
        zone.block(zone.place(who, 0, 60_000, 1_000))  # she has a thousand dollars


def test_water_fills_from_the_thinnest_down_to_one_level():
    """100 lots each, one tick a lot, equities of 10, 50 and 100 lots: 9, 47 and 94 are the 150 that stay."""
    givers = [Giver(n, 100, equity * 1_000, True) for n, equity in ((1, 10), (2, 50), (3, 100))]
    found = fill_water(givers, 150, 1)
    assert found.gives == [91, 53, 6]
    # 94 lots stay of the last one from the level 94 * 1024 / 100 on
    assert (found.level, found.total, found.below) == (963, 150, 152)


def test_those_in_profit_give_all_before_the_others_give_a_lot():
    givers = [Giver(1, 100, 10**9, True), Giver(2, 100, 1_000, False), Giver(3, 50, 0, False)]
    assert fill_water(givers, 100, 1).gives == [100, 0, 0]
    assert fill_water(givers, 160, 1).gives == [100, 10, 50]


def test_money_is_written_to_the_last_atom_that_counts():
    assert [show(n) for n in (0, 1, -1_500_000, 10**12)] == [
        "$0.00",
        "$0.000001",
        "-$1.50",
        "$1,000,000.00",
    ]
