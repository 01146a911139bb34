"""Feeds agree with the views that the specification's tests trust, and with the engine's own state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sequencer_zone import CONFIG, MARKET, SEQUENCER_KEY, START, build_inbox, build_stream

from tradezone.engine import Engine
from tradezone.sequencer import ManualClock, MemoryJournal, Sequencer
from tradezone.service import BlockEvents, Feeds
from tradezone.service.feeds import CandleBoard
from tradezone.views import INTERVALS, CandleFeed, DepthFeed, Trade, read_trades


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
        for market, interval, candle in board.apply(read_trades(block.events, block.time)):
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


def test_books_loaded_from_the_state_are_those_that_followed_every_event(blocks):
    made, engine = blocks
    depth = DepthFeed()
    for block in made:
        depth.apply(block.events)
    next_event = depth.books.cursor.next_seq
    loaded = Feeds(engine, next_event)
    one, other = loaded.get_depth(MARKET.slot), depth.get_snapshot(MARKET.slot)
    assert (one.bids, one.asks, one.checksum) == (other.bids, other.asks, other.checksum)
    assert one.bids
    assert one.asks
    mine, theirs = loaded._books.get_market(MARKET.slot), depth.books.get_market(MARKET.slot)
    for side in (0, 1):
        assert [[order.order for order in queue] for _, queue in mine.get_queues(side)] == [
            [order.order for order in queue] for _, queue in theirs.get_queues(side)
        ]
    assert set(mine.waiting) == set(theirs.waiting)


def test_only_accounts_that_are_listened_to_are_picked_out(blocks):
    made, _ = blocks
    feeds = Feeds(Engine(), 1)
    heard = []
    feeds.add_listener(heard.append)
    feeds.listen_to(3)
    feeds.listen_to(3)
    feeds.stop_listening_to(3)
    for block in made:
        feeds.apply(BlockEvents(block))
    private = [event for published in heard for event in published.private.get(3, [])]
    assert {account for published in heard for account in published.private} == {3}
    expected = [
        int(e["seq"])
        for block in made
        for e in block.events
        if e["account"] == 3 or (e["kind"] == 24 and e["other_account"] == 3)
    ]
    assert [event.seq for event in private] == expected
    feeds.stop_listening_to(3)
    assert feeds._listened == {}
    assert feeds.get_trades(MARKET.slot, 5) == sorted(
        feeds.get_trades(MARKET.slot, 5), reverse=True
    )


def test_a_block_that_does_not_follow_is_refused(blocks):
    made, _ = blocks
    feeds = Feeds(Engine(), 1)
    feeds.apply(BlockEvents(made[0]))
    later = next(block for block in made[2:] if len(block.events))
    with pytest.raises(ValueError, match="Expected event"):
        feeds.apply(BlockEvents(later))
