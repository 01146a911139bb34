"""Books rebuilt from events, and the check of a run, against a plain venue and against hand-made events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.flow.venue import FifoVenue
from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.events import (
    EVENT_DTYPE,
    FEES,
    FILL,
    ORDER_AMENDED,
    ORDER_CANCELLED,
    ORDER_RESTED,
    ORDER_WAITING,
)
from tradezone.testing import BookFeed, FifoBook, RunCheck, Take, check_run, run_flow


def events_of(*rows):
    events = np.zeros(len(rows), dtype=EVENT_DTYPE)
    for event, (kind, columns) in zip(events, rows, strict=True):
        event["kind"], event["market"] = kind, 1
        for name, value in columns.items():
            event[name] = value
    return events


def rested(order, side, price, lots, **columns):
    return ORDER_RESTED, {"order": order, "side": side, "price": price, "lots": lots} | columns


def book_of(*rows):
    feed = BookFeed()
    feed.apply(events_of(*rows))
    return feed.get_market(1)


SELLS = (rested(1, SELL, 101, 10), rested(2, SELL, 102, 20), rested(3, SELL, 101, 30))


def test_levels_are_sorted_and_queues_in_order_of_arrival():
    book = book_of(*SELLS, rested(4, BUY, 99, 5), rested(5, BUY, 100, 6))
    assert book.get_row(3) == (101, 40, 100, 6, 102, 20, 99, 5, 0, 0, 0, 0)
    assert book.get_queues(SELL) == [(101, [(1, 10), (3, 30)]), (102, [(2, 20)])]
    assert book.get_levels(BUY, 1) == [(100, 6)]
    assert (book.get_best(BUY), book.get_best(SELL)) == (100, 101)


@pytest.mark.parametrize(
    ("row", "queue"),
    [
        ((FILL, {"order": 9, "other_order": 1, "lots": 4, "left": 6}), [(1, 6), (3, 30)]),
        ((FILL, {"order": 9, "other_order": 1, "lots": 10, "left": 0}), [(3, 30)]),
        ((ORDER_CANCELLED, {"order": 3, "lots": 30}), [(1, 10)]),
        ((ORDER_AMENDED, {"order": 1, "lots": 2}), [(1, 2), (3, 30)]),
        ((ORDER_AMENDED, {"order": 1, "lots": 50, "price": 105, "flag": 1}), [(3, 30)]),
        ((ORDER_AMENDED, {"order": 9, "lots": 5, "tif": 2}), [(1, 10), (3, 30)]),
        ((ORDER_CANCELLED, {"order": 9, "lots": 5, "tif": 2}), [(1, 10), (3, 30)]),
        ((ORDER_WAITING, {"order": 9, "lots": 5, "price": 101}), [(1, 10), (3, 30)]),
        ((FEES, {"amount": 5, "left": 7}), [(1, 10), (3, 30)]),
    ],
    ids=[
        "fill",
        "fill whole",
        "cancel",
        "shrink",
        "re-place",
        "waiting",
        "ioc",
        "admitted",
        "fees",
    ],
)
def test_each_event_changes_the_queue_as_it_says(row, queue):
    assert book_of(*SELLS, row).get_queue(SELL, 101) == queue


def test_a_replaced_order_goes_to_the_end():
    book = book_of(
        *SELLS, (ORDER_AMENDED, {"order": 1, "flag": 1, "lots": 11}), rested(1, SELL, 101, 11)
    )
    assert book.get_queue(SELL, 101) == [(3, 30), (1, 11)]


def test_markets_have_books_of_their_own():
    feed = BookFeed()
    assert feed.apply(events_of(rested(1, SELL, 101, 10), rested(2, SELL, 101, 20, market=7))) == 2
    assert feed.get_market(7).get_row(1) == (101, 20, 0, 0)
    assert feed.get_market(8).get_row(1) == (0, 0, 0, 0)


def test_pieces_of_events_give_the_same_book(made_up_run):
    whole, pieces = BookFeed(), BookFeed()
    whole.apply(made_up_run.events)
    for piece in np.array_split(made_up_run.events, 97):
        pieces.apply(piece)
    for side in (BUY, SELL):
        assert whole.get_market(1).get_queues(side) == pieces.get_market(1).get_queues(side)


# --- the check of a run ------------------------------------------------------------------------------


def test_a_right_run_is_equal_in_everything(made_up, made_up_run):
    report = check_run(made_up_run.events, made_up)
    rows_1 = sum(point.row_1 is not None for point in made_up.checkpoints)
    assert report.rows_1 == (rows_1, rows_1)
    assert report.rows_10 == (1_000, 1_000)
    assert report.aggressors == (made_up.takes, made_up.takes)
    assert report.refused == 0


def test_a_check_in_pieces_is_the_same(made_up, made_up_run):
    check = RunCheck(made_up)
    for piece in np.array_split(made_up_run.events, 97):
        check.apply(piece)
    assert check.close() == check_run(made_up_run.events, made_up)
    assert check.differences == []


def test_the_book_of_a_check_is_that_of_the_flow(made_up, made_up_run):
    check, book = RunCheck(made_up), FifoBook()
    check.apply(made_up_run.events)
    for intention in made_up.intentions:
        book.apply(intention)
    assert check.book.get_row(100) == book.get_row(100)


def test_events_of_others_change_nothing(made_up, made_up_run):
    other = events_of(rested(1 << 50, SELL, 5, 10, market=2), (FEES, {"amount": 3}))
    events = np.concatenate([other, made_up_run.events[:700], other, made_up_run.events[700:]])
    assert check_run(events, made_up) == check_run(made_up_run.events, made_up)


def test_a_wrong_size_is_found(made_up, made_up_run):
    events = made_up_run.events.copy()
    fills = np.flatnonzero(events["kind"] == FILL)
    events["lots"][fills[5]] += 1
    report = check_run(events, made_up)
    assert report.aggressors == (made_up.takes - 1, made_up.takes)


def test_a_wrong_maker_is_found(made_up, made_up_run):
    check = RunCheck(made_up)
    events = made_up_run.events.copy()
    fills = np.flatnonzero(events["kind"] == FILL)
    events["other_order"][fills[0]] = events["order"][fills[0]]
    check.apply(events)
    report = check.close()
    assert report.aggressors.equal == made_up.takes - 1
    assert report.rows_1.equal < report.rows_1.total
    take = next(intention for intention in made_up.intentions if isinstance(intention, Take))
    assert take.makers in [difference.expected for difference in check.differences]


def test_what_was_refused_is_counted(made_up, made_up_run):
    events = made_up_run.events
    first = np.flatnonzero(events["kind"] == ORDER_RESTED)[300]
    gone = events["order"] == events["order"][first]
    gone |= events["other_order"] == events["order"][first]
    assert check_run(events[~gone], made_up).refused >= 1


def test_rows_that_belong_to_no_message_count_as_missed(made_up, made_up_run):
    flow = replace(made_up, lost_rows_1=(5, 9), lost_rows_10=(5,))
    report = check_run(made_up_run.events, flow)
    assert report.rows_1.total - report.rows_1.equal == 2
    assert report.rows_10 == (1_000, 1_001)


def test_all_takers_in_one_group_fill_in_order(made_up):
    run = run_flow(FifoVenue(), made_up, makers=1, takers=1)
    assert check_run(run.events, made_up).aggressors.equal == made_up.takes
