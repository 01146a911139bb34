"""Ledgers: the wall around what a venue holds in one settlement asset (``docs/spec/pools.md``).

Invariant: a venue's ledgers form one list by strictly rising asset, and are never freed.
"""

from __future__ import annotations

from tradezone.engine._jit import i64, jit
from tradezone.engine.codec import emit
from tradezone.engine.lookup import ledger_hint
from tradezone.engine.tables import T_LEDGER, T_VENUE, append_slot, touch
from tradezone.protocol.enums import ACTIVE
from tradezone.protocol.events import DEFICIT_REPAID, FUND_CHANGED


@jit
def is_ledger(s, slot, venue, asset):
    """Whether ``slot`` is the ledger of (venue, asset)."""
    return slot != 0 and s.ledger[slot].venue == venue and s.ledger[slot].asset == asset


@jit
def check_ledger_gap(s, previous, venue, asset):
    """Check that no ledger of ``venue`` can lie behind ``previous``; ValueError if the hint was wrong."""
    following = i64(s.venue[venue].first_ledger)
    if previous != 0:
        p = s.ledger[previous]
        if p.venue != venue or p.asset >= asset:
            raise ValueError("ledger hint is not the predecessor")
        following = i64(p.next)
    if following != 0 and s.ledger[following].asset <= asset:
        raise ValueError("ledger hint skips a ledger")


@jit
def find_ledger(s, d, venue, asset):
    """Slot of the ledger (venue, asset), 0 if there is none; ``venue`` is in use."""
    slot = ledger_hint(s, d, venue, asset)
    if is_ledger(s, slot, venue, asset):
        return slot
    check_ledger_gap(s, slot, venue, asset)
    return i64(0)


@jit
def open_ledger(s, d, venue, asset):
    """Slot of the ledger (venue, asset), opened if there is none; the caller has checked for room."""
    previous = ledger_hint(s, d, venue, asset)
    if is_ledger(s, previous, venue, asset):
        return previous
    check_ledger_gap(s, previous, venue, asset)
    slot = append_slot(s, d, T_LEDGER)
    w = s.ledger[slot]
    w.venue = venue
    w.asset = asset
    w.state = ACTIVE
    if previous != 0:
        w.next = s.ledger[previous].next
        s.ledger[previous].next = slot
        touch(d, T_LEDGER, previous)
    else:
        w.next = s.venue[venue].first_ledger
        s.venue[venue].first_ledger = slot
        touch(d, T_VENUE, venue)
    touch(d, T_LEDGER, slot)
    return slot


@jit
def receive_income(s, d, io, leaf, slot, amount):
    """Take money for the fund that is inside the wall already: it repays the deficit first."""
    w = s.ledger[slot]
    repaid = min(i64(amount), i64(w.deficit))
    w.deficit -= repaid
    w.fund += amount - repaid
    touch(d, T_LEDGER, slot)
    if repaid != 0:
        emit(
            d, io, DEFICIT_REPAID, leaf, w.venue, w.asset, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, repaid, w.deficit, 0, 0,
        )  # fmt: skip


@jit
def tell_fund(s, d, io, leaf, slot, account, crossed):
    """FUND_CHANGED: the money of the fund as it is now, and what came over the wall for it and from whom."""
    w = s.ledger[slot]
    emit(
        d, io, FUND_CHANGED, leaf, w.venue, w.asset, account, 0, 0,
        0, 0, 0, 0, 0, 0, 0, w.fund, crossed, 0, 0,
    )  # fmt: skip
