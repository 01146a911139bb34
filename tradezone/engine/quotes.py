"""Mass quotes: a ladder replaced in two passes, so that nothing of the old one stands in the way of the new.

The first pass pulls what may not stay, the second places what is not done. ``draft.mask`` says which items are
done or failed already; placing is that of ``orders``.
"""

from __future__ import annotations

from tradezone.protocol import steps as P
from tradezone.protocol.enums import CANCEL_QUOTE, SELL, WAITING

from ._jit import i64, jit
from .codec import item_bucket, read8, read32, read64, read_limb
from .orders import (
    BAD_ORDER_FIELD,
    KEY_VENUE,
    NOTIONAL_TOO_SMALL,
    ORDER_IS_WAITING,
    begin_remove,
    behind_shrink,
    get_notional,
    is_in_venue,
    item_at,
    reject_item,
    shrink_resting,
    step_place,
)
from .phases import is_post
from .tables import T_DRAFT, T_MACHINE, touch

# offsets inside a QUOTE item
_PRICE, _LOTS, _SIDE, _TIF, _EXPIRES, _CLIENT = 4, 8, 16, 17, 19, 27


@jit
def mark_done(s, d, m):
    """Nothing is to be placed for the running item."""
    f = s.draft[0]
    f.mask = i64(f.mask) | (i64(1) << i64(m.item))
    touch(d, T_DRAFT, 0)


@jit
def fail_quote(s, d, io, m, error):
    """Fail the running item in the first pass, so the second one passes over it."""
    mark_done(s, d, m)
    reject_item(s, d, io, error)


@jit
def step_quote_pull(s, d, io):
    """QUOTE_PULL: the item's fields; then the rung that it replaces is looked for."""
    m = s.machine[0]
    at = item_at(io, m)
    limb1, limb0 = read_limb(io.leaf, at + _CLIENT), read_limb(io.leaf, at + _CLIENT + 8)
    is_named = limb1 != 0 or limb0 != 0
    if not is_named or read8(io.leaf, at + _SIDE) > SELL or not is_post(read8(io.leaf, at + _TIF)):
        fail_quote(s, d, io, m, BAD_ORDER_FIELD)
        return
    bucket = item_bucket(io, m.seq, m.item, i64(m.account), limb1, limb0)
    m.cursor2 = s.bucket[bucket].first
    m.pc = P.QUOTE_WALK
    touch(d, T_MACHINE, 0)


@jit
def step_quote_walk(s, d, io):
    """QUOTE_WALK: one order of the bucket chain, until the account's one of this client id."""
    m = s.machine[0]
    at = item_at(io, m)
    slot = i64(m.cursor2)
    touch(d, T_MACHINE, 0)
    if slot == 0:
        if read64(io.leaf, at + _LOTS) == 0:
            mark_done(s, d, m)
        m.pc = P.ITEM_DONE
        return
    o = s.order[slot]
    if (
        o.account == m.account
        and i64(o.client_id1) == read_limb(io.leaf, at + _CLIENT)
        and i64(o.client_id0) == read_limb(io.leaf, at + _CLIENT + 8)
    ):
        m.order = slot
        m.pc = P.QUOTE_ONE
    else:
        m.cursor2 = o.bucket_next


@jit
def step_quote_one(s, d, io):
    """QUOTE_ONE: the old rung stays, shrinks or leaves."""
    m = s.machine[0]
    at = item_at(io, m)
    slot = i64(m.order)
    o = s.order[slot]
    lots = read64(io.leaf, at + _LOTS)
    touch(d, T_MACHINE, 0)
    if o.state == WAITING:
        fail_quote(s, d, io, m, ORDER_IS_WAITING)
        return
    if not is_in_venue(s, m, o):
        fail_quote(s, d, io, m, KEY_VENUE)
        return
    is_same = (
        read32(io.leaf, at) == o.market
        and o.door == 0
        and read8(io.leaf, at + _SIDE) == o.side
        and read32(io.leaf, at + _PRICE) == o.price
        and read64(io.leaf, at + _EXPIRES) == o.expires
    )
    if is_same and lots >= 1 and lots <= o.lots:
        m.pc = P.ITEM_DONE
        if lots < o.lots:
            k = s.market[o.market]
            if get_notional(k, o.price, lots) < k.min_notional:
                fail_quote(s, d, io, m, NOTIONAL_TOO_SMALL)
                return
            shrink_resting(s, d, io, m, slot, o, lots)
            behind_shrink(m, o, P.ITEM_DONE)
        mark_done(s, d, m)
        return
    if lots == 0:
        mark_done(s, d, m)
    begin_remove(m, CANCEL_QUOTE, P.ITEM_DONE)


@jit
def step_quote_place(s, d, io):
    """QUOTE_PLACE: an item that is not done is placed."""
    m = s.machine[0]
    if ((i64(s.draft[0].mask) >> i64(m.item)) & 1) == 1:
        m.pc = P.ITEM_DONE
        touch(d, T_MACHINE, 0)
    else:
        step_place(s, d, io)
