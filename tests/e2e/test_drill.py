"""The drill: a zone's sequencer dies and everybody leaves, from the chain and the published files alone."""

import pytest

from scripts._drill import run_drill


@pytest.mark.slow
def test_everybody_leaves_a_dead_zone_with_everything(chain, tmp_path):
    """Every check is inside; this one looks at what the drill says it did."""
    summary = run_drill(chain.provider, 24, tmp_path / "drill")
    counts = {row["step"]: row["count"] for row in summary["steps"]}
    assert counts["freezeSilent"] == 1
    assert counts["claim"] == counts["finalize"] == 1
    assert counts["exitMany"] > 24
    assert counts["withdrawMany"] == 5


@pytest.mark.slow
def test_everybody_leaves_a_zone_whose_last_leaves_are_lost(chain, tmp_path):
    """Back to the last final claim, and every deposit that came later goes back."""
    summary = run_drill(chain.provider, 24, tmp_path / "drill", is_lost=True)
    counts = {row["step"]: row["count"] for row in summary["steps"]}
    assert counts["abandon"] == 1
    assert "claim" not in counts
    assert counts["refundMany"] == 3
    assert counts["exitMany"] > 24
