"""Depth: updates that follow each other, snapshots that repair, checksums that cover the whole book."""

from __future__ import annotations

from random import Random

import pytest

from tradezone.protocol.enums import BUY, SELL
from tradezone.views import (
    Change,
    ChecksumError,
    DepthBook,
    DepthFeed,
    DepthSnapshot,
    DepthUpdate,
    GapError,
    L3Feed,
    Level,
    StaleError,
    ViewError,
    get_checksum,
    get_level_digest,
)


@pytest.fixture(scope="module")
def published(recording):
    """Every update of market 1, and the snapshot after each."""
    feed, updates, snapshots = DepthFeed(), [], []
    for piece in recording.pieces:
        for update in feed.apply(piece):
            if update.market == 1:
                updates.append(update)
                snapshots.append(feed.get_snapshot(1))
    assert len(updates) > 60
    return updates, snapshots


def test_each_update_names_the_one_before(published):
    updates, _ = published
    assert [u.previous for u in updates] == [0, *(u.seq for u in updates[:-1])]


def test_a_follower_has_every_snapshot(published):
    book = DepthBook(1)
    for update, snapshot in zip(*published, strict=True):
        assert book.apply(update)
        assert book.get_snapshot() == snapshot
        assert get_checksum(snapshot.bids, snapshot.asks) == update.checksum == snapshot.checksum


def test_an_update_says_only_what_changed(published):
    levels = {}
    for update in published[0]:
        for side, price, lots, orders in update.changes:
            assert levels.get((side, price)) != ((lots, orders) if lots else None)
            levels[side, price] = (lots, orders) if lots else None


def test_conflated_updates_lead_to_the_same_depth(recording, published):
    feed = DepthFeed()
    (update,) = [u for u in feed.apply(recording.events) if u.market == 1]
    assert feed.get_snapshot(1)[2:] == published[1][-1][2:]
    book = DepthBook(1)
    assert book.apply(update)
    assert book.get_levels(BUY) == published[1][-1].bids


def test_a_feed_may_begin_on_books_that_are_full(recording):
    cut = len(recording.events) // 2
    books, whole = L3Feed(), DepthFeed()
    books.apply(recording.events[:cut])
    whole.apply(recording.events[:cut])
    late = DepthFeed(books)
    assert late.get_snapshot(1)[2:] == whole.get_snapshot(1)[2:]
    late.apply(recording.events[cut:])
    whole.apply(recording.events[cut:])
    assert late.get_snapshot(1)[2:] == whole.get_snapshot(1)[2:]


def test_an_update_twice_changes_nothing(published):
    book = DepthBook(1)
    for update in published[0]:
        book.apply(update)
        assert book.apply(update)
    assert book.get_snapshot() == published[1][-1]


def test_a_gap_is_noticed_and_a_snapshot_repairs_it(published):
    updates, snapshots = published
    book = DepthBook(1)
    for update in updates[:20]:
        book.apply(update)
    assert not any(book.apply(update) for update in updates[21:30])
    assert isinstance(book.trouble, GapError)
    assert (book.trouble.seq, book.trouble.expected) == (updates[21].seq, updates[19].seq)
    with pytest.raises(StaleError, match="waits for a snapshot"):
        book.get_levels(BUY)
    assert not book.restore(snapshots[19]), "older than the gap"
    assert book.restore(snapshots[20]), "what came meanwhile was kept"
    assert book.get_snapshot() == snapshots[29]
    assert book.apply(updates[30])


def test_a_snapshot_newer_than_what_was_kept_is_enough(published):
    updates, snapshots = published
    book = DepthBook(1)
    assert not book.apply(updates[5])
    assert book.restore(snapshots[40])
    assert book.seq == updates[40].seq
    assert book.apply(updates[41])


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_lost_the_book_is_right_or_says_that_it_is_not(published, seed):
    updates, snapshots = published
    chance, book, repairs = Random(seed), DepthBook(1), 0
    for n, update in enumerate(updates):
        dice = chance.randrange(10)
        if dice == 0:
            continue
        if dice == 1:
            book.apply(updates[max(0, n - 3)])
        if book.apply(update):
            assert book.get_snapshot() == snapshots[n]
        elif chance.randrange(3) == 0:
            repairs += book.restore(snapshots[max(0, n - chance.randrange(3))])
    assert repairs


def test_a_wrong_level_is_noticed_by_the_checksum(published):
    updates, snapshots = published
    book = DepthBook(1)
    for update in updates[:10]:
        book.apply(update)
    changed = list(updates[10].changes)
    changed[0] = changed[0]._replace(lots=changed[0].lots + 1, orders=changed[0].orders + 1)
    assert not book.apply(updates[10]._replace(changes=tuple(changed)))
    assert isinstance(book.trouble, ChecksumError)
    assert book.trouble.seq == updates[10].seq
    assert not book.apply(updates[11])
    assert book.restore(snapshots[10])
    assert book.get_snapshot() == snapshots[11]


def test_a_snapshot_that_contradicts_itself_is_refused(published):
    _, snapshots = published
    snapshot = next(s for s in snapshots if len(s.bids) > 1)
    one, other, *rest = snapshot.bids
    swapped = (one._replace(lots=other.lots), other._replace(lots=one.lots), *rest)
    if swapped != snapshot.bids:
        with pytest.raises(ChecksumError, match=f"snapshot {snapshot.seq}"):
            DepthBook(1).restore(snapshot._replace(bids=swapped))
    with pytest.raises(ChecksumError):
        DepthBook(1).restore(snapshot._replace(bids=tuple(rest)))


def test_another_market_is_refused():
    with pytest.raises(ViewError, match="market 1, was 2"):
        DepthBook(1).apply(DepthUpdate(2, 0, 5, (), 0))
    with pytest.raises(ViewError, match="market 1, was 2"):
        DepthBook(1).restore(DepthSnapshot(2, 5, (), (), 0))


def test_the_checksum_is_the_documented_one():
    """Fixed, so that followers in other languages can be held against it."""
    assert get_checksum((), ()) == 0
    assert get_level_digest(BUY, 100, 5, 1) == 0xE4841E97
    assert get_checksum((Level(100, 5, 1),), (Level(101, 7, 2),)) == 0x8B1F674E


def test_swapped_lots_change_the_checksum():
    one = get_checksum((Level(100, 5, 1), Level(99, 7, 1)), ())
    assert one != get_checksum((Level(100, 7, 1), Level(99, 5, 1)), ())
    assert one != get_checksum((), (Level(100, 5, 1), Level(99, 7, 1)))


def test_a_level_that_is_gone_has_no_lots(published):
    gone = [change for update in published[0] for change in update.changes if not change.lots]
    assert gone
    assert all(change == Change(change.side, change.price, 0, 0) for change in gone)
    assert {change.side for change in gone} == {BUY, SELL}
