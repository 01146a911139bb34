"""Trades and candles against a plain reckoning, fill by fill."""

from __future__ import annotations

import numpy as np
import pytest

from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.events import EVENT_DTYPE, FILL, HEARTBEAT
from tradezone.views import INTERVALS, Candle, CandleFeed, GapError, ViewError, read_trades

START = 1_700_000_000_000  # ms, a whole second but not a whole minute
SECOND, MINUTE, DAY = 1_000, 60_000, 86_400_000


def fills_of(*fills, first=1, market=1):
    """Events from (price, lots), with another event between each two."""
    events = np.zeros(2 * len(fills), dtype=EVENT_DTYPE)
    events["seq"] = np.arange(first, first + len(events))
    events["kind"] = HEARTBEAT
    for event, (price, lots) in zip(events[::2], fills, strict=True):
        event["kind"], event["market"], event["price"], event["lots"] = FILL, market, price, lots
    return events


@pytest.fixture(scope="module")
def candles(recording):
    feed = CandleFeed()
    for events, time in zip(recording.pieces, recording.times, strict=True):
        feed.apply(events, time)
    return feed


def get_all_trades(recording):
    pieces = zip(recording.pieces, recording.times, strict=True)
    return [trade for events, time in pieces for trade in read_trades(events, time)]


def test_trades_carry_what_the_fills_say(recording):
    trades = get_all_trades(recording)
    fills = recording.events[recording.events["kind"] == FILL]
    assert len(trades) == len(fills) > 50
    for trade, fill in zip(trades, fills, strict=True):
        assert (trade.seq, trade.market, trade.side) == (fill["seq"], fill["market"], fill["side"])
        assert (trade.price, trade.lots) == (fill["price"], fill["lots"])
        assert (trade.taker, trade.maker) == (fill["order"], fill["other_order"])
        assert (trade.taker_account, trade.maker_account) == (
            fill["account"],
            fill["other_account"],
        )
        assert (trade.taker_fee, trade.maker_fee) == (fill["amount"], fill["amount2"])
        assert isinstance(trade.price, int)
    assert {trade.side for trade in trades} == {BUY, SELL}


@pytest.mark.parametrize("interval", INTERVALS)
def test_candles_are_what_a_plain_reckoning_gives(recording, candles, interval):
    trades = get_all_trades(recording)
    for market in {trade.market for trade in trades}:
        mine = [trade for trade in trades if trade.market == market]
        first = mine[0].time // interval * interval
        stop = max(recording.times) + 1
        wanted, close = [], 0
        for start in range(first, stop, interval)[:2_000]:
            inside = [t for t in mine if start <= t.time < start + interval]
            prices = [t.price for t in inside] or [close]
            close = prices[-1]
            lots = sum(t.lots for t in inside)
            turnover = sum(t.lots * t.price for t in inside)
            row = (prices[0], max(prices), min(prices), close, lots, turnover, len(inside))
            wanted.append(Candle(start, *row))
        found = candles.get_candles(market, interval, 0, stop)
        assert found[:2_000] == wanted


def test_pieces_do_not_matter(recording, candles):
    """All events at once, with the time of each."""
    lengths = [len(piece) for piece in recording.pieces]
    whole = CandleFeed()
    whole.apply(recording.events, np.repeat(recording.times, lengths))
    for market in (1, 2, 3, 4):
        for interval in INTERVALS:
            span = (market, interval, 0, recording.times[-1] + 1)
            assert whole.get_candles(*span) == candles.get_candles(*span)


def test_an_interval_without_trades_is_flat_and_there_is_none_before_the_first():
    feed = CandleFeed()
    feed.apply(fills_of((10, 1), (12, 2)), START)
    feed.apply(fills_of((9, 3), first=5), START + 3_500)
    assert feed.get_candles(1, SECOND, START - 10 * SECOND, START + DAY) == [
        Candle(START, 10, 12, 10, 12, 3, 34, 2),
        Candle(START + 1_000, 12, 12, 12, 12, 0, 0, 0),
        Candle(START + 2_000, 12, 12, 12, 12, 0, 0, 0),
        Candle(START + 3_000, 9, 9, 9, 9, 3, 27, 1),
    ]
    assert feed.get_candles(1, DAY, 0, START + DAY) == [
        Candle(START // DAY * DAY, 10, 12, 9, 9, 6, 61, 3)
    ]
    assert feed.get_candles(1, SECOND, START + 1, START + 1_001) == [
        Candle(START + 1_000, 12, 12, 12, 12, 0, 0, 0)
    ]
    assert feed.get_last(1, MINUTE) == Candle(START // MINUTE * MINUTE, 10, 12, 9, 9, 6, 61, 3)
    assert feed.get_candles(2, SECOND, 0, START + DAY) == []
    assert feed.get_last(2, SECOND) is None


def test_time_that_goes_on_makes_empty_candles():
    feed = CandleFeed()
    feed.apply(fills_of((10, 1)), START)
    feed.apply(fills_of(first=3), START + 2_000)
    assert [c.start for c in feed.get_candles(1, SECOND, 0, START + DAY)] == [
        START,
        START + 1_000,
        START + 2_000,
    ]


def test_sums_are_exact_beyond_64_bits():
    feed, large = CandleFeed(), (1 << 61) - 1
    price = (1 << 31) - 1
    feed.apply(fills_of(*[(price, large)] * 9), START)
    candle = feed.get_last(1, SECOND)
    assert (candle.lots, candle.turnover) == (9 * large, 9 * large * price)


def test_times_that_fall_are_refused_and_nothing_is_applied():
    feed = CandleFeed()
    feed.apply(fills_of((10, 1)), START)
    with pytest.raises(ViewError, match=r"event 3.*do not fall"):
        feed.apply(fills_of((11, 1), first=3), START - 1)
    with pytest.raises(GapError):
        feed.apply(fills_of((11, 1), first=4), START)
    assert feed.get_last(1, SECOND).trades == 1


def test_intervals_are_whole_seconds_and_asked_for_by_name():
    with pytest.raises(ValueError, match="whole seconds"):
        CandleFeed([1_500])
    with pytest.raises(ValueError, match="one of the intervals"):
        CandleFeed([MINUTE]).get_candles(1, SECOND, 0, 1)
