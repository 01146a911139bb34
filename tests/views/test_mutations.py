"""A dropped, doubled or swapped event is noticed: by the numbers at once, and without them by what the events say."""

from __future__ import annotations

import numpy as np
import pytest

from tradezone.protocol.enums import CANCEL_STP
from tradezone.protocol.events import (
    FILL,
    ORDER_AMENDED,
    ORDER_CANCELLED,
    ORDER_RESTED,
    ORDER_WAITING,
)
from tradezone.views import CandleFeed, GapError, L3Feed, Ledger, MisfitError

ORDER_KINDS = (ORDER_WAITING, ORDER_RESTED, ORDER_AMENDED, ORDER_CANCELLED, FILL)


def drop(events, at):
    return np.delete(events, at)


def double(events, at):
    return np.insert(events, at, events[at])


def swap(events, at):
    changed = events.copy()
    changed[[at, at + 1]] = events[[at + 1, at]]
    return changed


def renumber(events):
    changed = events.copy()
    changed["seq"] = np.arange(1, len(events) + 1)
    return changed


def get_views():
    return [("l3", L3Feed(), L3Feed.apply), ("ledger", Ledger(), Ledger.apply)]


def get_complaint(apply, view, events):
    try:
        apply(view, events)
    except MisfitError as error:
        return error
    return None


@pytest.mark.parametrize("mutate", [drop, double, swap])
@pytest.mark.parametrize("build", [L3Feed, Ledger, CandleFeed])
def test_the_numbers_show_every_mutation_and_nothing_is_applied(recording, mutate, build):
    events = recording.events
    for at in range(0, len(events) - 2, 7):
        changed = mutate(events, at)
        view = build()
        arguments = (0,) if build is CandleFeed else ()
        with pytest.raises(GapError) as caught:
            view.apply(changed, *arguments)
        wrong = int(np.flatnonzero(changed["seq"] != np.arange(1, len(changed) + 1))[0])
        assert caught.value.seq == changed["seq"][wrong]
        assert caught.value.expected == wrong + 1
        assert str(caught.value.seq) in str(caught.value)
        assert view.cursor.next_seq == 1


def test_a_gap_can_be_filled(recording):
    events = recording.events
    feed, whole = L3Feed(), L3Feed()
    whole.apply(events)
    feed.apply(events[:100])
    with pytest.raises(GapError, match="Expected event 101, was 201: something is missing"):
        feed.apply(events[200:])
    with pytest.raises(GapError, match="Expected event 101, was 51: given twice"):
        feed.apply(events[50:150])
    feed.apply(events[100:200])
    feed.apply(events[200:])
    for market, book in whole.markets.items():
        assert feed.get_market(market).orders == book.orders


def test_without_numbers_a_doubled_order_event_is_noticed_where_it_stands(recording):
    """But for a shrink or the mark of a cancelled waiting order, which may rightly come twice."""
    events, seen = recording.events, 0
    for at in np.flatnonzero(np.isin(events["kind"], ORDER_KINDS)).tolist()[::5]:
        if events["kind"][at] == ORDER_AMENDED and not events["flag"][at]:
            continue
        changed = renumber(double(events, at))
        for name, view, apply in get_views():
            complaint = get_complaint(apply, view, changed)
            assert complaint is not None, (name, events[at])
            assert complaint.seq == at + 2, (name, events[at], complaint)
            seen += 1
    assert seen > 200


def test_without_numbers_a_dropped_order_event_is_noticed_by_the_next_of_the_order(recording):
    """But for what might have been: a shrink fewer or in its stead, or a waiting order that leaves before it rests."""
    events, seen = recording.events, 0
    orders, others = events["order"], events["other_order"]
    is_order = np.isin(events["kind"], ORDER_KINDS)
    for at in np.flatnonzero(is_order).tolist()[::5]:
        is_same = is_order & ((orders == orders[at]) | (others == orders[at]))
        later = np.flatnonzero(is_same[at + 1 :]) + at + 1
        if not len(later):
            continue  # nothing is said of it again
        one, after = events[at], events[later[0]]
        is_shrink = one["kind"] == ORDER_AMENDED and not one["flag"]
        may_be_shrunk = after["kind"] == ORDER_AMENDED or after["tif"] == CANCEL_STP
        has_waited = is_same[:at].any()
        may_have_waited = after["kind"] in (ORDER_AMENDED, ORDER_CANCELLED) and has_waited
        if (
            is_shrink
            or (one["kind"] == FILL and may_be_shrunk)
            or (one["kind"] == ORDER_RESTED and may_have_waited)
        ):
            continue
        changed = renumber(drop(events, at))
        for name, view, apply in get_views():
            complaint = get_complaint(apply, view, changed)
            if one["kind"] == FILL and name == "ledger":
                continue  # without fees it tells a fill fewer only at the end
            assert complaint is not None, (name, events[at])
            assert complaint.seq <= later[0], (name, events[at], complaint)
            seen += 1
    assert seen > 200


def test_without_numbers_two_events_of_an_order_that_changed_places_are_noticed(recording):
    """By the books; the ledger does not know who was first in a queue."""
    events, seen = recording.events, 0
    is_order = np.isin(events["kind"], ORDER_KINDS)
    for at in np.flatnonzero(is_order[:-1] & is_order[1:]).tolist():
        one, other = events[at], events[at + 1]
        if one["order"] != other["order"] or (one["kind"], one["lots"]) == (
            other["kind"],
            other["lots"],
        ):
            continue
        if (one["kind"], other["kind"]) == (ORDER_AMENDED, FILL) and not one["flag"]:
            continue  # shrunk, then filled: the other way round would do as well
        changed = renumber(swap(events, at))
        complaint = get_complaint(L3Feed.apply, L3Feed(), changed)
        assert complaint is not None, (one, other)
        assert at < complaint.seq <= at + 2
        seen += 1
    assert seen > 20


def test_fees_that_do_not_add_up_are_noticed(recording):
    events, seen = recording.events, 0
    fills = np.flatnonzero((events["kind"] == FILL) & (events["amount"] > 0))
    for at in fills.tolist()[::5]:
        for column in ("amount", "amount2"):
            changed = events.copy()
            changed[column][at] += 1
            complaint = get_complaint(Ledger.apply, Ledger(), changed)
            assert complaint is not None
            assert at < complaint.seq <= at + 3
            seen += 1
    assert seen > 10


@pytest.mark.parametrize(
    "column", ["order", "account", "side", "price", "lots", "amount", "client_id0"]
)
def test_a_wrong_column_of_an_order_is_noticed(recording, column):
    events, noticed, total = recording.events, 0, 0
    # self-trade prevention may cancel an order with and without its last lots
    is_cancelled = (events["kind"] == ORDER_CANCELLED) & (events["tif"] != CANCEL_STP)
    for at in np.flatnonzero(is_cancelled).tolist()[::5]:
        changed = events.copy()
        changed[column][at] = int(changed[column][at]) ^ 1
        total += 1
        noticed += any(get_complaint(apply, view, changed) for _, view, apply in get_views())
    assert total > 20
    assert noticed == total
