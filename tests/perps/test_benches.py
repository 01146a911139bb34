"""The benchmarks of perpetuals do what they say, at a size that a test can wait for."""

from __future__ import annotations

import json

from bench import perps_books, perps_cascade, perps_sweep


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
