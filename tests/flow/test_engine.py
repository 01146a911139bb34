"""Order flow through the real engine: published books, published makers, nothing refused, nothing lost."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tradezone.protocol.enums import BUY, RESTING, SELL
from tradezone.protocol.events import MESSAGE_IGNORED, OWNER_REGISTERED
from tradezone.testing import FifoBook, RunCheck, build_traders, check_run, run_flow


def test_the_kit_needs_neither_engine_nor_numba():
    code = (
        "import sys, tradezone.testing;"
        "print([m for m in sys.modules if m.split('.')[0] in ('numba', 'llvmlite')"
        " or m.startswith(('tradezone.engine', 'tradezone.state'))])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def run_engine(flow, makers=300, takers=32):
    from tradezone.engine import Engine

    engine = Engine()
    return engine, run_flow(engine, flow, makers, takers)


@pytest.fixture(scope="module")
def made_up_engine(made_up):
    return run_engine(made_up, makers=20, takers=4)


@pytest.fixture(scope="module")
def aapl_engine(aapl):
    return run_engine(aapl)


def get_engine_queue(engine, side):
    """Orders of a side from the records: [(price, [(order id, lots)])], best level first."""
    tables = engine.tables
    book = tables["book"][1]
    level_slot = int(book["best_bid" if side == BUY else "best_ask"])
    queues = []
    while level_slot:
        level = tables["level"][level_slot]
        queue, order_slot = [], int(level["first"])
        while order_slot:
            order = tables["order"][order_slot]
            assert order["state"] == RESTING
            queue.append((int(order["generation"]) << 32 | order_slot, int(order["lots"])))
            order_slot = int(order["next"])
        assert int(level["lots"]) == sum(lots for _, lots in queue)
        queues.append((int(level["price"]), queue))
        level_slot = int(level["next"])
    return queues


def assert_sound(engine, run, flow):
    """Everything was accepted, events tell the same book as the records, and so does the plain book."""
    assert not any(run.results)
    assert MESSAGE_IGNORED not in run.events["kind"]
    check, book = RunCheck(flow), FifoBook()
    check.apply(run.events)
    for intention in flow.intentions:
        book.apply(intention)
    for side in (BUY, SELL):
        assert check.book.get_queues(side) == get_engine_queue(engine, side)
    assert check.book.get_row(200) == book.get_row(200)
    free = engine.tables["balance"]["free"].sum() + engine.tables["balance"]["locked"].sum()
    assert free == engine.tables["asset"]["total"].sum()


def test_the_made_up_flow_is_reproduced(made_up, made_up_engine):
    engine, run = made_up_engine
    assert_sound(engine, run, made_up)
    report = check_run(run.events, made_up)
    assert report.rows_1.equal == report.rows_1.total
    assert report.rows_10 == (1_000, 1_000)
    assert report.aggressors == (made_up.takes, made_up.takes)
    assert report.refused == 0


def test_traders_have_the_slots_that_the_setup_says(made_up_engine):
    _, run = made_up_engine
    registered = run.events[run.events["kind"] == OWNER_REGISTERED]
    accounts = registered["account"][1:-1].tolist()
    assert accounts == [trader.account for trader in build_traders(20, 4)]


def test_a_flow_twice_gives_the_same_root(made_up, made_up_engine):
    engine, run = made_up_engine
    again, run_again = run_engine(made_up, makers=20, takers=4)
    assert engine.commit_root() == again.commit_root()
    assert (run.events == run_again.events).all()


@pytest.mark.data
def test_the_first_messages_of_the_real_hour_are_reproduced(aapl):
    head = aapl.head(10_000)
    engine, run = run_engine(head)
    assert_sound(engine, run, head)
    report = check_run(run.events, head)
    assert report.rows_10 == (999, 999)
    assert report.rows_1.is_at_least(9_990)
    assert report.aggressors.total - report.aggressors.equal == 2  # both skip the head of a queue
    assert report.refused == 0


@pytest.mark.data
def test_the_real_hour_is_reproduced(aapl, aapl_engine):
    engine, run = aapl_engine
    assert_sound(engine, run, aapl)
    report = check_run(run.events, aapl)
    assert report.rows_10 == (999, 999)
    assert report.rows_1.total == 25_641
    assert report.rows_1.equal >= 25_615
    assert report.aggressors.total == 3_290
    assert report.aggressors.equal >= 3_282
    assert report.refused == 0
