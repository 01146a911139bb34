"""The benchmarks of perpetuals do what they say, at a size that a test can wait for."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench import adl, perps_books, perps_cascade, perps_sweep


def read(capsys):
    return json.loads(capsys.readouterr().out)


def test_orders_of_perpetuals_are_measured_beside_spot(capsys):
    perps_books.main(200, 3_000, runs=1, blocks=2, operations=600)
    found = read(capsys)
    assert found["positions"] > found["pools"] > 0
    for name in ("spot", "perpetuals"):
        assert found[name]["fills_an_operation"] > 0
        assert found[name]["operations_per_second"]["median"] > 0


def test_every_position_is_swept(capsys):
    perps_sweep.main(pools=300, singles=1_280, wanted=30_000, runs=1)
    found = read(capsys)
    assert found["sweep"]["positions"] == 300 * 64
    assert found["sweep"]["blocks_a_run"] > 1, "more than the budget of one block"
    assert found["tick"]["positions"] == found["tick"]["pools"] == 1_280


def test_a_cascade_liquidates_everybody_once(capsys):
    perps_cascade.main(longs=256, runs=1)
    found = read(capsys)
    for name in perps_cascade.CASES:
        counts = found[name]["events"]
        assert counts["begun"] == counts["ended"] == 256
    assert found["book"]["events"]["fills"] > 0
    assert found["book"]["events"]["adl_fills"] == 0
    assert found["gap"]["events"]["jobs_done"] == 64
    assert found["gap_in_one_market"]["events"]["jobs_done"] == 1


def test_water_filling_and_a_queue_close_the_same_and_hurt_differently():
    """One account at a hundred times its equity, two fat ones: the queue takes all of one, water-filling levels."""
    notional = np.array([10_000, 10_000, 10_000], dtype=np.int64)
    profit = np.array([5_000, 100, -200], dtype=np.int64)
    equity = np.array([5_000, 9_000, 100], dtype=np.int64)
    rows = adl.compare(notional, profit, equity, 20_000)
    for row in rows:
        ours, theirs = row["water_filling"], row["queue"]
        assert row["exact"]
        assert ours["closed"] == theirs["closed"] == 30_000 * row["percent"] // 100 // adl.LOT
        assert ours["accounts_pushed_below_zero"] == 0
        assert ours["closed_in_profit"] == min(ours["closed"], 20_000 // adl.LOT)
    assert any(row["queue"]["accounts_pushed_below_zero"] for row in rows)
    assert len(adl.build_table(rows)) == 1 + 2 * len(rows)


@pytest.mark.data
def test_the_accounts_of_2025_10_10_are_compared(capsys):
    if not (adl.get_folder() / "hyperliquid_adl").is_dir():
        pytest.skip("no data of 2025-10-10 (TRADEZONE_DATA)")
    adl.main()
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["accounts"] > 19_000
    for row in found["shares"]:
        assert row["exact"]
        assert row["water_filling"]["accounts_pushed_below_zero"] == 0
        assert row["queue"]["accounts_pushed_below_zero"] > 100
        left = "highest_leverage_left_in_profit"
        assert row["water_filling"][left] <= row["queue"][left]
    assert len(printed.err.splitlines()) == 1 + 2 * len(found["shares"])
