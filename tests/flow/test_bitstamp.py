"""Five real hours of Bitstamp: which orders traded, and that the engine lets the same orders trade."""

from __future__ import annotations

import json
import lzma
from dataclasses import replace

import pytest

from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.events import FEES, FILL, MESSAGE_IGNORED, ORDER_WAITING
from tradezone.testing import (
    Cancel,
    FifoBook,
    FlowDataError,
    PlacePostOnly,
    Shrink,
    Take,
    bitstamp,
    check_run,
    run_flow,
)
from tradezone.testing.bitstamp import (
    CHANGED,
    CREATED,
    DELETED,
    Message,
    PublishedTrade,
    build_day,
    check_trades,
    match_trades,
)
from tradezone.testing.lobster import AGGRESSOR

MESSAGES, TRADES, BOOKS = 50_414, 575, 5_011
AGGRESSORS, LARGE_AGGRESSORS = 383, 91
EQUAL_ROWS_1, EQUAL_ROWS_10 = 4_998, 4_504
REBATE = replace(bitstamp.TERMS, taker_fee=800, maker_fee=-300, taker_delay=3)


@pytest.fixture(scope="module", params=["fees", "rebates and a taker delay"])
def run(request, bitstamp_day):
    from tradezone.engine import Engine

    terms = bitstamp.TERMS if request.param == "fees" else REBATE
    return run_flow(Engine(), bitstamp_day.flow, terms=terms), terms


@pytest.mark.data
def test_every_line_is_read_and_every_trade_has_its_maker(bitstamp_day):
    flow, trades = bitstamp_day
    assert flow.messages == MESSAGES + BOOKS
    assert list(flow.times) == sorted(flow.times)
    assert [trade.number for trade in trades] == sorted(trade.number for trade in trades)
    assert len(trades) == TRADES
    assert all(trade.taker for trade in trades)
    assert sum(0 < trade.taker < trade.maker for trade in trades) == 3
    takes = [intention for intention in flow.intentions if isinstance(intention, Take)]
    assert len(takes) == AGGRESSORS
    assert sum(len(take.makers) > 1 for take in takes) == LARGE_AGGRESSORS
    makers = [(trade.key, trade.maker, trade.lots) for trade in trades]
    assert makers == [(take.key, *maker) for take in takes for maker in take.makers]


@pytest.mark.data
def test_a_book_by_price_and_arrival_lets_the_same_orders_trade(bitstamp_day):
    book = FifoBook()
    for intention in bitstamp_day.flow.intentions:
        makers = book.apply(intention)
        assert not isinstance(intention, Take) or tuple(makers) == intention.makers
    assert book.rejected == []


@pytest.mark.data
def test_the_engine_reproduces_every_trade(bitstamp_day, run):
    run, _ = run
    assert not any(run.results)
    assert MESSAGE_IGNORED not in run.events["kind"]
    check = check_trades(run.events, bitstamp_day.trades)
    assert check.misses == ()
    assert (check.equal, check.total) == (TRADES, TRADES)
    assert (run.events["kind"] == FILL).sum() == TRADES


@pytest.mark.data
def test_the_engine_reproduces_the_published_books(bitstamp_day, run):
    report = check_run(run[0].events, bitstamp_day.flow)
    assert report.rows_1 == (EQUAL_ROWS_1, BOOKS)
    assert report.rows_10 == (EQUAL_ROWS_10, BOOKS)
    assert report.aggressors == (AGGRESSORS, AGGRESSORS)
    assert report.refused == 0


@pytest.mark.data
def test_every_trade_pays_its_fees(run):
    run, terms = run
    fills = run.events[run.events["kind"] == FILL]
    fees = run.events[run.events["kind"] == FEES]
    paid = int(fills["amount"].sum() + fills["amount2"].sum())
    assert paid == int(fees["amount"].sum() + fees["amount2"].sum() + fees["left"].sum())
    for fill in fills.tolist():
        price, lots, taker, maker = fill[10], fill[13], fill[15], fill[16]
        assert taker in (-(-price * lots * terms.taker_fee // 10**6), taker - taker % 1)
        assert taker <= -(-price * lots * terms.taker_fee // 10**6)
        assert (maker < 0) == (terms.maker_fee < 0)


@pytest.mark.data
def test_with_a_taker_delay_every_aggressor_waits_two_blocks(bitstamp_day, run):
    run, terms = run
    waiting = run.events[run.events["kind"] == ORDER_WAITING]
    fills = run.events[run.events["kind"] == FILL]
    assert len(waiting) == AGGRESSORS
    assert (fills["leaf"] == 0).all()
    assert run.blocks == (14_439 if terms.taker_delay == 0 else 15_579)


def test_absent_data_is_explained(monkeypatch, tmp_path):
    monkeypatch.setenv("TRADEZONE_DATA", str(tmp_path))
    reason = bitstamp.get_missing_reason()
    assert str(tmp_path) in reason
    assert bitstamp.LOG_FILE in reason
    with pytest.raises(FlowDataError, match="may not be redistributed"):
        bitstamp.fetch_flow()


# --- the rules, one by one, on a few messages --------------------------------------------------------


def build(*lines):
    """A day from (time, order, kind, side, price, lots) and ("trade", time, number, price, lots)."""
    messages, trades = [], []
    for number, line in enumerate(lines, 1):
        if line[0] == "trade":
            trades.append(PublishedTrade(number, *line[1:]))
        else:
            time, order, kind, side, price, lots = line
            messages.append(Message(number, time, kind, order, side, price, lots))
    return build_day(messages, trades, [])


def test_an_order_that_takes_is_what_it_did_and_rests_with_what_is_left():
    day = build(
        (0, 1, CREATED, SELL, 100, 5),
        (0, 2, CREATED, SELL, 101, 5),
        (10, 3, CREATED, BUY, 101, 12),
        (100, 3, CHANGED, BUY, 101, 7),
        (101, 1, DELETED, SELL, 100, 0),
        ("trade", 102, 7, 100, 5),
        (102, 2, DELETED, SELL, 101, 0),
        (103, 3, CHANGED, BUY, 101, 2),
        ("trade", 104, 8, 101, 5),
        (200, 3, DELETED, BUY, 101, 2),
    )
    assert day.flow.intentions == (
        PlacePostOnly(1, SELL, 100, 5),
        PlacePostOnly(2, SELL, 101, 5),
        Take(AGGRESSOR, BUY, 101, 10, ((1, 5), (2, 5))),
        PlacePostOnly(3, BUY, 101, 2),
        Cancel(3),
    )
    assert [(t.number, t.taker, t.maker, t.key) for t in day.trades] == [
        (7, 3, 1, AGGRESSOR),
        (8, 3, 2, AGGRESSOR),
    ]


def test_what_comes_between_two_trades_cuts_the_aggressor_in_two():
    day = build(
        (0, 1, CREATED, SELL, 100, 5),
        (0, 2, CREATED, SELL, 101, 5),
        (10, 3, CREATED, BUY, 101, 10),
        (100, 3, CHANGED, BUY, 101, 5),
        (101, 1, DELETED, SELL, 100, 0),
        ("trade", 102, 7, 100, 5),
        (103, 4, CREATED, BUY, 90, 1),
        (104, 2, DELETED, SELL, 101, 0),
        (104, 3, DELETED, BUY, 101, 0),
        ("trade", 105, 8, 101, 5),
    )
    assert day.flow.intentions[2:] == (
        Take(AGGRESSOR, BUY, 100, 5, ((1, 5),)),
        PlacePostOnly(4, BUY, 90, 1),
        Take(AGGRESSOR + 1, BUY, 101, 5, ((2, 5),)),
    )


def test_an_older_order_is_there_from_the_start():
    day = build(
        (0, 9, CREATED, SELL, 100, 5),
        (1, 2, CHANGED, BUY, 90, 6),
        (2, 1, DELETED, BUY, 91, 4),
        (3, 2, DELETED, BUY, 90, 6),
    )
    assert day.flow.intentions == (
        PlacePostOnly(1, BUY, 91, 4),
        PlacePostOnly(2, BUY, 90, 6),
        PlacePostOnly(9, SELL, 100, 5),
        Shrink(2, 6),
        Cancel(1),
        Cancel(2),
    )


def test_an_older_maker_has_the_lots_of_its_trade():
    day = build(
        (0, 9, CREATED, SELL, 90, 4),
        (1, 9, DELETED, SELL, 90, 0),
        (2, 2, DELETED, BUY, 90, 0),
        ("trade", 3, 1, 90, 4),
    )
    assert day.flow.intentions == (
        PlacePostOnly(2, BUY, 90, 4),
        Take(AGGRESSOR, SELL, 90, 4, ((2, 4),)),
    )


def test_the_first_deletion_counts():
    day = build(
        (0, 1, CREATED, SELL, 100, 5),
        (1, 1, DELETED, SELL, 100, 5),
        (2, 1, DELETED, SELL, 100, 5),
        (3, 2, DELETED, SELL, 100, 5),
        (4, 2, CREATED, SELL, 100, 5),
    )
    assert day.flow.intentions == (PlacePostOnly(1, SELL, 100, 5), Cancel(1))


def test_an_order_that_crosses_without_a_trade_is_refused():
    with pytest.raises(FlowDataError, match="does not fit the book"):
        build((0, 1, CREATED, SELL, 100, 5), (1, 2, CREATED, BUY, 100, 3))


def test_an_order_that_moves_its_price_is_the_taker():
    day = build(
        (0, 1, CREATED, BUY, 99, 5),
        (1, 2, CREATED, SELL, 101, 5),
        (2, 1, CHANGED, BUY, 101, 5),
        (3, 1, DELETED, BUY, 101, 0),
        (3, 2, DELETED, SELL, 101, 0),
        ("trade", 4, 1, 101, 5),
    )
    assert (day.trades[0].taker, day.trades[0].maker) == (1, 2)
    assert day.flow.intentions[-1] == Take(AGGRESSOR, BUY, 101, 5, ((2, 5),))


def test_two_trades_that_the_taker_published_as_one_are_two():
    day = build(
        (0, 1, CREATED, SELL, 100, 5),
        (0, 2, CREATED, SELL, 101, 7),
        (1, 3, CREATED, BUY, 105, 8),
        (2, 1, DELETED, SELL, 100, 0),
        (3, 3, DELETED, BUY, 105, 0),
        (4, 2, CHANGED, SELL, 101, 4),
        ("trade", 5, 1, 100, 5),
        ("trade", 6, 2, 101, 3),
    )
    assert [(t.taker, t.maker) for t in day.trades] == [(3, 1), (3, 2)]


def test_a_taker_that_bought_for_a_sum_is_withdrawn_with_a_cent_more():
    """A lot is 1e-8 of a coin, so 4,225 lots at 236.68 are a cent."""
    lots = 134_113_571
    day = build(
        (0, 1, CREATED, SELL, 23_668, 2 * lots),
        (1, 2, CREATED, BUY, 23_668, lots + 4_225),
        (2, 1, CHANGED, SELL, 23_668, lots),
        (3, 2, DELETED, BUY, 23_668, lots + 4_225),
        ("trade", 4, 1, 23_668, lots),
        (5, 1, DELETED, SELL, 23_668, lots),
    )
    assert day.flow.intentions == (
        PlacePostOnly(1, SELL, 23_668, 2 * lots),
        Take(AGGRESSOR, BUY, 23_668, lots, ((1, lots),)),
        Cancel(1),
    )
    assert day.trades[0].taker == 2


def test_a_trade_that_nobody_took_is_named():
    with pytest.raises(FlowDataError, match=r"nobody took .*number=1,"):
        build(
            (0, 1, CREATED, SELL, 100, 5),
            (2, 1, CHANGED, SELL, 100, 1),
            ("trade", 3, 1, 100, 4),
        )


def test_a_trade_without_orders_is_named():
    with pytest.raises(FlowDataError, match="number=77"):
        match_trades([Message(1, 0, CREATED, 1, SELL, 100, 5)], [PublishedTrade(2, 1, 77, 100, 4)])


def write_log(folder, *lines):
    (folder / "bitstamp").mkdir()
    with lzma.open(folder / "bitstamp" / bitstamp.LOG_FILE, "wt") as file:
        file.writelines(f"{line}\n" for line in lines)


ORDER = {"price": "236.47", "amount": "2.00000001", "datetime": "1", "id": 5, "order_type": 1}
TAKER = {"price": "236.50", "amount": "1.78855671", "datetime": "1", "id": 6, "order_type": 0}


def test_the_log_is_read_to_the_last_lot(tmp_path):
    book = {"bids": [["236.10", "0.5"]], "asks": []}
    write_log(
        tmp_path,
        f"10 order_created {json.dumps(ORDER)}",
        f"12 order_created {json.dumps(TAKER)}",
        f"20 order_changed {json.dumps(ORDER | {'amount': '0.21144330'})}",
        f"20 order_deleted {json.dumps(TAKER | {'amount': '0.00000000'})}",
        '21 trade {"price": 236.47, "amount": 1.7885567100000001, "id": 9}',
        f"30 order_book {json.dumps(book)}",
    )
    day = bitstamp.fetch_day(tmp_path)
    assert day.flow.intentions == (
        PlacePostOnly(5, SELL, 23_647, 200_000_001),
        Take(AGGRESSOR, BUY, 23_647, 178_855_671, ((5, 178_855_671),)),
    )
    assert day.flow.times == (0, 10)
    assert day.flow.checkpoints[-1].row_1 == (0, 0, 23_610, 50_000_000)
    assert len(day.flow.checkpoints[-1].row_10) == 40
    assert bitstamp.fetch_flow(tmp_path) == day.flow


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("x order_created {}", "invalid literal"),
        ("1 order_created {", "Expecting"),
        (f"1 order_lost {json.dumps(ORDER)}", "kind of line that is documented"),
        (f"1 order_created {json.dumps(ORDER | {'price': '236.471'})}", "multiple of 1/100"),
        ('1 trade {"price": 236.47, "amount": 1.123456785, "id": 9}', "multiple of 1/100000000"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, complaint):
    write_log(tmp_path, f"10 order_created {json.dumps(ORDER)}", line)
    with pytest.raises(FlowDataError, match=f"{bitstamp.LOG_FILE}:2: .*{complaint}"):
        bitstamp.fetch_day(tmp_path)
