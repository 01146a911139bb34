"""The real hour as intentions: what a strict first-in first-out book makes of them."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tradezone.protocol.enums import BUY, SELL
from tradezone.testing import (
    Cancel,
    FifoBook,
    FlowDataError,
    PlacePostOnly,
    Shrink,
    Take,
    fetch_flow,
    lobster,
)
from tradezone.testing.lobster import (
    ADD,
    DELETE,
    EXECUTE,
    EXECUTE_HIDDEN,
    REDUCE,
    Message,
    align_rows,
)

MESSAGES = 91_997
ROWS_1, EQUAL_ROWS_1 = 25_641, 25_615
AGGRESSORS, EQUAL_AGGRESSORS, LARGE_AGGRESSORS = 3_290, 3_282, 567


class Replay(NamedTuple):
    book: FifoBook
    makers: dict[int, tuple]  # intention -> (published, met)
    rows_1: list[bool]
    rows_10: list[bool]


def replay(flow) -> Replay:
    """Send the intentions to a book that knows nothing but arrival, fill by fill."""
    book, makers, rows_1, rows_10 = FifoBook(), {}, [], []
    points = iter(flow.checkpoints)
    point = next(points, None)

    def compare(after, fills):
        nonlocal point
        while point is not None and point.position == (after, fills):
            for expected, found in ((point.row_1, rows_1), (point.row_10, rows_10)):
                if expected is not None:
                    found.append(book.get_row(len(expected) // 4) == expected)
            point = next(points, None)

    for n, intention in enumerate(flow.intentions):
        if isinstance(intention, Take):
            met = book.get_makers(intention.side, intention.price, intention.lots)
            makers[n] = intention.makers, tuple(met)
            for fills, (_, lots) in enumerate(met, 1):
                book.apply(Take(intention.key, intention.side, intention.price, lots, ()))
                compare(n, fills)
            while point is not None and point.position < (n + 1, 0):  # fills that did not happen
                compare(*point.position)
        else:
            book.apply(intention)
        compare(n + 1, 0)
    assert point is None, "every checkpoint was reached"
    return Replay(book, makers, rows_1, rows_10)


@pytest.fixture(scope="module")
def replayed(aapl):
    return replay(aapl)


@pytest.mark.data
def test_every_message_of_the_hour_has_a_checkpoint(aapl):
    assert aapl.messages == MESSAGES
    assert [point.message for point in aapl.checkpoints] == list(range(MESSAGES))
    positions = [point.position for point in aapl.checkpoints]
    assert positions == sorted(positions)
    assert list(aapl.times) == sorted(aapl.times)
    assert aapl.times[-1] < 3_600_000


@pytest.mark.data
def test_a_book_by_arrival_refuses_nothing(replayed):
    assert replayed.book.rejected == []


@pytest.mark.data
def test_all_ten_level_rows_are_equal(aapl, replayed):
    assert aapl.lost_rows_10 == ()
    assert (sum(replayed.rows_10), len(replayed.rows_10)) == (999, 999)


@pytest.mark.data
def test_level_one_rows_are_equal(aapl, replayed):
    assert len(replayed.rows_1) + len(aapl.lost_rows_1) == ROWS_1
    assert sum(replayed.rows_1) >= EQUAL_ROWS_1


@pytest.mark.data
def test_aggressors_meet_the_published_makers(aapl, replayed):
    assert aapl.takes == len(replayed.makers) == AGGRESSORS
    assert sum(len(published) > 1 for published, _ in replayed.makers.values()) == LARGE_AGGRESSORS
    equal = sum(published == met for published, met in replayed.makers.values())
    assert equal >= EQUAL_AGGRESSORS


@pytest.mark.data
@pytest.mark.parametrize("messages", [0, 1, 57, 5_000, MESSAGES])
def test_the_head_of_a_flow_is_a_flow(aapl, messages):
    head = aapl.head(messages)
    # at most one aggressor is cut off
    assert messages - 40 <= head.messages <= messages
    found = replay(head)
    assert found.book.rejected == []
    assert all(found.rows_10)


def test_absent_data_is_explained(monkeypatch, tmp_path):
    monkeypatch.setenv(lobster.ENVIRONMENT, str(tmp_path))
    reason = lobster.get_missing_reason()
    assert reason is not None
    assert str(tmp_path) in reason
    assert lobster.MESSAGES_FILE in reason
    with pytest.raises(FlowDataError, match="may not be redistributed"):
        lobster.fetch_flow()


def test_without_data_the_flow_is_made_up(monkeypatch, tmp_path):
    monkeypatch.setenv(lobster.ENVIRONMENT, str(tmp_path))
    assert fetch_flow().name.startswith("synthetic")


@pytest.mark.data
def test_with_data_the_flow_is_real(aapl):
    assert fetch_flow() == aapl


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("34200.1,1,17,100,5850000", "Expected six numbers"),
        ("34200.1,1,17,hundred,5850000,1", "Expected six numbers"),
        ("34200.1,1,17,100,5850050,1", "Expected a price in cents"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, complaint):
    folder = tmp_path / "lobster"
    folder.mkdir()
    good = "34200.1,1,16,100,5850000,1\n"
    for name in (lobster.ROWS_1_FILE, lobster.MESSAGES_10_FILE, lobster.ROWS_10_FILE):
        (folder / name).write_text(good)
    (folder / lobster.MESSAGES_FILE).write_text(good + line)
    with pytest.raises(FlowDataError, match=rf"{lobster.MESSAGES_FILE}:2: {complaint}"):
        lobster.fetch_flow(tmp_path)


# --- the rules, one by one, on flows of a few messages -----------------------------------------------


def build(messages, row_10=(0,) * 40, rows_1=()):
    """Build a flow from (kind, order, lots, price, side[, time in s])."""
    messages = [
        Message((34_200 + (m[5] if len(m) > 5 else n)) * 10**9, *m[:5])
        for n, m in enumerate(messages)
    ]
    return lobster.build_flow(messages, list(rows_1), messages[:1], [row_10])


def row_of(*levels):
    """Ten-level row from (ask price, ask lots, bid price, bid lots) of the best levels."""
    flat = [value for level in levels for value in level]
    return tuple(flat + [0] * (40 - len(flat)))


def test_the_book_before_the_open_is_seeded_with_named_orders_behind_anonymous_ones():
    flow = build(
        [(ADD, 50, 10, 99, BUY), (DELETE, 7, 30, 101, SELL), (DELETE, 6, 20, 101, SELL)],
        row_of((101, 80, 99, 25)),
    )
    assert flow.intentions == (
        PlacePostOnly(lobster.ANONYMOUS, SELL, 101, 30),
        PlacePostOnly(lobster.ANONYMOUS + 1, BUY, 99, 15),
        PlacePostOnly(6, SELL, 101, 20),
        PlacePostOnly(7, SELL, 101, 30),
        PlacePostOnly(50, BUY, 99, 10),
        Cancel(7),
        Cancel(6),
    )
    assert flow.checkpoints[0].after == 5


def test_an_order_from_outside_the_window_is_placed_before_the_first_newer_one():
    flow = build([(ADD, 50, 10, 99, BUY), (ADD, 60, 10, 98, BUY), (DELETE, 55, 5, 98, BUY)])
    assert flow.intentions[1:3] == (PlacePostOnly(55, BUY, 98, 5), PlacePostOnly(60, BUY, 98, 10))
    assert [point.after for point in flow.checkpoints] == [1, 3, 4]


def test_an_older_order_that_comes_late_stands_before_newer_ones():
    flow = build(
        [
            (ADD, 50, 10, 99, BUY),
            (ADD, 60, 20, 99, BUY),
            (REDUCE, 60, 5, 99, BUY),
            (ADD, 40, 7, 99, BUY),
            (EXECUTE, 40, 7, 99, BUY),
        ]
    )
    assert flow.intentions[3:] == (
        Cancel(50),
        Cancel(60),
        PlacePostOnly(40, BUY, 99, 7),
        PlacePostOnly(50, BUY, 99, 10),
        PlacePostOnly(60, BUY, 99, 15),
        Take(lobster.AGGRESSOR, SELL, 99, 7, ((40, 7),)),
    )
    assert [point.after for point in flow.checkpoints] == [1, 2, 3, 8, 9]


def test_a_partial_cancel_keeps_its_place_and_counts_what_is_filled():
    flow = build(
        [
            (ADD, 50, 10, 99, BUY),
            (EXECUTE, 50, 4, 99, BUY),
            (REDUCE, 50, 1, 99, BUY),
            (DELETE, 50, 5, 99, BUY),
        ]
    )
    assert flow.intentions[2:] == (Shrink(50, 9), Cancel(50))


def test_executions_of_one_moment_and_side_are_one_aggressor():
    flow = build(
        [
            (ADD, 50, 10, 101, SELL),
            (ADD, 51, 10, 102, SELL),
            (ADD, 52, 10, 103, SELL),
            (EXECUTE, 50, 10, 101, SELL, 9),
            (EXECUTE_HIDDEN, 0, 7, 102, SELL, 9),
            (EXECUTE, 51, 4, 102, SELL, 9),
            (EXECUTE_HIDDEN, 0, 7, 103, SELL, 9),
            (EXECUTE, 51, 6, 102, SELL, 10),
        ]
    )
    assert flow.intentions[3:] == (
        Take(lobster.AGGRESSOR, BUY, 102, 14, ((50, 10), (51, 4))),
        Take(lobster.AGGRESSOR + 1, BUY, 102, 6, ((51, 6),)),
    )
    positions = [point.position for point in flow.checkpoints]
    assert positions[3:] == [(3, 1), (3, 1), (4, 0), (4, 0), (5, 0)]


def test_after_a_skipped_head_the_queue_is_put_back():
    flow = build(
        [
            (ADD, 50, 10, 101, SELL),
            (ADD, 51, 10, 101, SELL),
            (ADD, 52, 10, 101, SELL),
            (EXECUTE, 51, 8, 101, SELL),
            (DELETE, 50, 10, 101, SELL),
            (DELETE, 51, 2, 101, SELL),
        ]
    )
    take = Take(lobster.AGGRESSOR, BUY, 101, 8, ((51, 8),))
    again = [Cancel(key) for key in (50, 51, 52)]
    again += [PlacePostOnly(key, SELL, 101, lots) for key, lots in ((50, 10), (51, 2), (52, 10))]
    assert flow.intentions[3:] == (take, *again, Cancel(50), Cancel(51))
    assert [point.after for point in flow.checkpoints] == [1, 2, 3, 4, 11, 12]
    assert replay(flow).makers == {3: (((51, 8),), ((50, 8),))}


def test_level_one_rows_belong_to_changes_of_the_top_and_hidden_executions():
    top, both = (0, 0, 99, 10), (101, 5, 99, 10)
    flow = build(
        [
            (ADD, 50, 10, 99, BUY),
            (ADD, 51, 10, 98, BUY),
            (EXECUTE_HIDDEN, 0, 1, 100, SELL),
            (ADD, 52, 5, 101, SELL),
        ],
        rows_1=[top, top, both],
    )
    assert [point.row_1 for point in flow.checkpoints] == [top, None, top, both]


@pytest.mark.parametrize(
    "message",
    [(DELETE, 50, 10, 98, BUY), (DELETE, 50, 10, 99, SELL), (7, 0, 0, 0, SELL)],
)
def test_a_message_that_does_not_fit_is_refused(message):
    with pytest.raises(FlowDataError, match=r"Expected|does not fit"):
        build([(ADD, 50, 10, 99, BUY), message])


def test_rows_out_of_step_are_aligned_again():
    rows = [(n,) for n in range(40)]
    ours = [*rows[:10], (100,), (11,), *rows[13:]]
    pairs = align_rows(ours, rows)
    assert pairs == [(n, n) for n in range(10)] + [(11, 11)] + [(n, n + 1) for n in range(12, 39)]
