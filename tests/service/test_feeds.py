"""Feeds agree with the views that the specification's tests trust, and with the engine's own state."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sequencer_zone import CONFIG, MARKET, SEQUENCER_KEY, START, build_inbox, build_stream

from tradezone.engine import Engine
from tradezone.protocol.enums import TIF_POST_ONLY
from tradezone.protocol.events import EVENT_DTYPE, FILL, ORDER_CANCELLED, ORDER_RESTED
from tradezone.sequencer import ManualClock, MemoryJournal, Sequencer
from tradezone.service import BlockEvents, Feeds, Listeners
from tradezone.service.depth import Depths, read_books
from tradezone.service.feeds import RECENT_TRADES, CandleBoard, read_moments
from tradezone.views import (
    INTERVALS,
    CandleFeed,
    DepthFeed,
    Trade,
    ViewError,
    read_trades,
)


@pytest.fixture(scope="module")
def blocks():
    """A stream of blocks, and an engine behind its last."""
    sequencer = Sequencer(
        CONFIG, Engine(), MemoryJournal(), SEQUENCER_KEY, clock=ManualClock(START)
    )
    sequencer.offer_messages(build_inbox())
    made = [sequencer.close_block(START)]
    stream = build_stream(240, seed=11)
    for n in range(0, len(stream), 6):
        sequencer.admit_and_submit(stream[n : n + 6], START + n + 1)
        made += sequencer.close_until_idle(START + n + 1, until_ms=START + n + 5)
    return made, sequencer.engine


def test_candles_are_those_of_the_view(blocks):
    made, _ = blocks
    feed, board = CandleFeed(), CandleBoard()
    newest = {}
    for block in made:
        feed.apply(block.events, block.time)
        fills = block.events[block.events["kind"] == FILL]
        for market, interval, candle in board.apply_moments(read_moments(fills, block.time)):
            newest[market, interval, candle.start] = candle
    assert newest
    for (market, interval, start), candle in newest.items():
        (expected,) = feed.get_candles(market, interval, start, start + 1)
        assert candle == expected
    for interval in INTERVALS:
        assert board.get_last(MARKET.slot, interval) == feed.get_last(MARKET.slot, interval)


@given(
    st.lists(
        st.tuples(st.integers(0, 400_000), st.integers(1, 99), st.integers(1, 2**61)), max_size=60
    )
)
def test_the_last_day_is_the_merge_of_its_minutes(rows):
    board, trades, time = CandleBoard(), [], START
    for step, price, lots in rows:
        time += step
        trades.append(Trade(1, time, 7, 0, price, lots, 0, 0, 0, 0, 0, 0))
        board.apply(trades[-1:])
    day = board.get_day(7, time)
    if not trades:
        assert day is None
        return
    kept = [t for t in trades if t.time // 60_000 * 60_000 > time - 86_400_000]
    assert (day.trades, day.lots) == (len(kept), sum(t.lots for t in kept))
    assert (day.high, day.low) == (max(t.price for t in kept), min(t.price for t in kept))
    assert (day.open, day.close) == (kept[0].price, kept[-1].price)


def test_depth_is_that_of_the_view_that_follows_every_order(blocks):
    made, _ = blocks
    slow, fast = DepthFeed(), Depths()
    updates = 0
    for block in made:
        expected = slow.apply(block.events)
        assert fast.apply(block.events) == expected
        updates += len(expected)
        assert fast.get_snapshot(MARKET.slot) == slow.get_snapshot(MARKET.slot)
    assert updates > 50
    ladder, snapshot = fast.get_ladder(MARKET.slot), slow.get_snapshot(MARKET.slot)
    assert ladder.get_best(0) == snapshot.bids[0][:2]
    assert ladder.get_best(1) == snapshot.asks[0][:2]


def test_depth_of_many_levels_and_markets_outgrows_its_table():
    slow, fast = DepthFeed(), Depths()
    chance, seq, resting, slot = random.Random(3), 1, [], 0
    for _ in range(12):
        rows = []
        for _ in range(2_000):
            if resting and chance.random() < 0.4:
                order, market, side, price, lots = resting.pop(chance.randrange(len(resting)))
                kind = ORDER_CANCELLED
            else:
                slot += 1
                order, market, kind = 7 << 32 | slot, chance.randint(1, 9), ORDER_RESTED
                side, lots = chance.randint(0, 1), chance.randint(1, 2**40)
                price = chance.randint(1, 4_000) + 4_000 * side
                resting.append((order, market, side, price, lots))
            row = np.zeros(1, EVENT_DTYPE)
            row["seq"], row["kind"], row["order"], row["market"] = seq, kind, order, market
            row["side"], row["price"], row["lots"], row["account"] = side, price, lots, 5
            row["tif"] = TIF_POST_ONLY
            rows.append(row)
            seq += 1
        events = np.concatenate(rows)
        slow.apply(events)
        fast.apply(events)
    for market in range(1, 10):
        assert fast.get_snapshot(market)[2:] == slow.get_snapshot(market)[2:]
    assert sum(len(slow.get_snapshot(m).bids) for m in range(1, 10)) > 1_000


@pytest.mark.parametrize("field", ["left", "other_order"])
def test_a_fill_that_contradicts_the_book_is_found(blocks, field):
    made, _ = blocks
    depths = Depths()
    for block in made:
        events = block.events
        if (events["kind"] == FILL).any():
            break
        depths.apply(events)
    events = events.copy()
    at = int(np.flatnonzero(events["kind"] == FILL)[0])
    events[field][at] += 1
    with pytest.raises(ViewError, match=f"event {events['seq'][at]} "):
        depths.apply(events)


def test_books_loaded_from_the_state_are_those_that_followed_every_event(blocks):
    made, engine = blocks
    depth = DepthFeed()
    for block in made:
        depth.apply(block.events)
    loaded = Feeds(depth.books.cursor.next_seq, read_books(engine))
    one, other = loaded.get_depth(MARKET.slot), depth.get_snapshot(MARKET.slot)
    assert (one.bids, one.asks, one.checksum) == (other.bids, other.asks, other.checksum)
    assert one.bids
    assert one.asks


def test_only_accounts_that_are_listened_to_are_picked_out(blocks):
    made, _ = blocks
    listeners, heard = Listeners(), []
    listeners.add_listener(heard.append)
    listeners.listen_to(3)
    listeners.listen_to(3)
    listeners.stop_listening_to(3)
    for block in made:
        listeners.apply(BlockEvents(block))
    private = [event for told in heard for event in told.private.get(3, [])]
    assert {account for told in heard for account in told.private} == {3}
    expected = [
        int(e["seq"])
        for block in made
        for e in block.events
        if e["account"] == 3 or (e["kind"] == 24 and e["other_account"] == 3)
    ]
    assert [event.seq for event in private] == expected
    listeners.stop_listening_to(3)
    heard.clear()
    listeners.apply(BlockEvents(made[-1]))
    assert [told.private for told in heard] == [{}]


def test_the_newest_trades_are_kept_and_tickers_follow(blocks):
    made, _ = blocks
    feeds, trades = Feeds(), []
    for block in made:
        published = feeds.apply(block.number, block.time, block.events)
        expected = [t for t in read_trades(block.events, block.time) if t.market == MARKET.slot]
        assert published.read_trades(MARKET.slot) == expected
        trades += expected
    assert 0 < len(trades) < RECENT_TRADES
    assert feeds.get_trades(MARKET.slot, 5) == trades[:-6:-1]
    assert feeds.get_trades(MARKET.slot, RECENT_TRADES) == trades[::-1]
    assert feeds.get_trades(99) == []
    ticker = feeds.get_ticker(MARKET.slot)
    assert (ticker.last, ticker.trades) == (trades[-1].price, len(trades))
    assert ticker.best_bid == feeds.get_depth(MARKET.slot).bids[0].price


def test_a_block_that_does_not_follow_is_refused(blocks):
    made, _ = blocks
    feeds = Feeds()
    first = made[0]
    feeds.apply(first.number, first.time, first.events)
    later = next(block for block in made[2:] if len(block.events))
    with pytest.raises(ValueError, match="Expected event"):
        feeds.apply(later.number, later.time, later.events)
