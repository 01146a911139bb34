"""The real hour under other terms: with fees, rebates and a taker delay on, the same orders trade."""

from __future__ import annotations

import pytest

from tradezone.protocol.events import FEES, FILL, MESSAGE_IGNORED, ORDER_WAITING
from tradezone.protocol.limits import PPM, WAIT_BLOCKS
from tradezone.testing import Terms, check_run, run_flow
from tradezone.testing.zone import TICK_VALUE

REBATE = Terms(taker_fee=800, maker_fee=-300, protocol_share=250_000, taker_delay=3)


def run_engine(flow, makers, takers, terms=REBATE):
    from tradezone.engine import Engine

    run = run_flow(Engine(), flow, makers, takers, terms)
    assert not any(run.results)
    assert MESSAGE_IGNORED not in run.events["kind"]
    return run


def assert_fees_add_up(run, terms=REBATE):
    """Each order pays at most its rate, rounded up once; makers get rebates; all of it is shared out."""
    fills = run.events[run.events["kind"] == FILL]
    fees = run.events[run.events["kind"] == FEES]
    notional = fills["price"] * fills["lots"] * TICK_VALUE
    assert (fills["amount"] <= -(-notional * terms.taker_fee // PPM)).all()
    assert (fills["amount"] >= notional * terms.taker_fee // PPM - 1).all()
    assert (fills["amount2"] == -(notional * -terms.maker_fee // PPM)).all()
    pots = fills["amount"] + fills["amount2"]
    shares = fees["amount"] + fees["amount2"] + fees["left"]
    assert pots[pots > 0].tolist() == shares.tolist()


def test_the_made_up_flow_is_reproduced_with_rebates_and_a_taker_delay(made_up):
    plain = run_engine(made_up, 20, 4, Terms())
    run = run_engine(made_up, 20, 4)
    report = check_run(run.events, made_up)
    assert report.aggressors == (made_up.takes, made_up.takes)
    assert report.refused == 0
    assert_fees_add_up(run)
    assert run.blocks > plain.blocks
    columns = ["price", "lots", "left", "order", "other_order"]
    fills = [r.events[r.events["kind"] == FILL][columns] for r in (plain, run)]
    assert (fills[0] == fills[1]).all(), "terms change who pays, not who trades"


def test_a_taker_waits_its_delay_and_two_blocks(made_up):
    for delay in (1, 3, 7):
        terms = Terms(taker_delay=delay)
        plain, run = run_engine(made_up, 20, 4, Terms()), run_engine(made_up, 20, 4, terms)
        groups = run.blocks - plain.blocks
        assert groups % max(delay, WAIT_BLOCKS) == 0
        assert (run.events[run.events["kind"] == FILL]["leaf"] == 0).all()


@pytest.mark.data
@pytest.mark.slow
def test_the_real_hour_is_reproduced_with_rebates_and_a_taker_delay(aapl):
    run = run_engine(aapl, 300, 32)
    report = check_run(run.events, aapl)
    assert report.rows_10 == (999, 999)
    assert report.rows_1 == (25_620, 25_641)
    assert report.aggressors == (3_282, 3_290)
    assert report.refused == 0
    assert_fees_add_up(run)
    assert (run.events["kind"] == ORDER_WAITING).sum() == 3_290
