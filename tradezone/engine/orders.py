"""Open orders: placing, resting, waiting, amending, leaving.

Invariants: a side's levels are one list from best to worst price; a level's orders are one list, oldest
first; an account's open orders are one list, newest first; an order with a client id hangs in exactly one
bucket chain; ``order.locked`` is part of ``pay_balance.locked``.

Step functions are named after their number in ``protocol.steps``. An item is read again from its leaf by
every step that needs it, so no step depends on anything but records and that leaf.
"""

from __future__ import annotations

from tradezone.protocol import actions as A
from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    ACCESS_OPEN,
    ACTIVE,
    BUY,
    CANCEL_AMEND,
    CANCEL_USER,
    FREE,
    PHASE_CONTINUOUS,
    PHASE_POST_ONLY,
    RESTING,
    TIF_FOK,
    TIF_GTC,
    TIF_IOC,
    TIF_POST_ONLY,
    VENUE_ACTIVE,
    WAITING,
)
from tradezone.protocol.errors import Code
from tradezone.protocol.events import (
    ITEM_REJECTED,
    ORDER_AMENDED,
    ORDER_CANCELLED,
    ORDER_RESTED,
    ORDER_WAITING,
)
from tradezone.protocol.limits import (
    MAX_BUCKET_LENGTH,
    MAX_OPEN_ORDERS,
    MAX_TIME,
    ORDER_BUCKETS,
    WAIT_BLOCKS,
)

from ._jit import i64, jit, ppm_up
from .balances import (
    can_open,
    find_balance,
    open_balance,
)
from .codec import (
    emit_note,
    emit_order,
    item_bucket,
    leaf_start,
    read8,
    read32,
    read64,
    read_limb,
)
from .lookup import index_level, level_hint, order_bucket, remember_bucket, unindex_level
from .tables import (
    T_ACCOUNT,
    T_BALANCE,
    T_BOOK,
    T_BUCKET,
    T_LEVEL,
    T_MACHINE,
    T_MARKET,
    T_ORDER,
    free_level,
    free_order,
    has_room,
    is_used,
    take_level,
    take_order,
    touch,
)

# offsets inside a PLACE item
_PRICE, _LOTS, _SIDE, _TIF, _STP, _FLAGS, _EXPIRES, _CLIENT, _INTERFACE, _INTERFACE_FEE = (
    4, 8, 16, 17, 18, 19, 20, 28, 44, 48,
)  # fmt: skip
# offsets inside an AMEND item
_AMEND_CLIENT, _AMEND_PRICE, _AMEND_LOTS, _AMEND_MODE = 8, 24, 28, 36
FLAG_CANCELLED = 2  # bit 1: cancelled while waiting, the rest is IOC

OK = int(Code.OK)
MARKET_NOT_FOUND = int(Code.MARKET_NOT_FOUND)
MARKET_CLOSED = int(Code.MARKET_CLOSED)
PRICE_OUT_OF_RANGE = int(Code.PRICE_OUT_OF_RANGE)
LOTS_OUT_OF_RANGE = int(Code.LOTS_OUT_OF_RANGE)
NOTIONAL_TOO_SMALL = int(Code.NOTIONAL_TOO_SMALL)
NOTIONAL_TOO_LARGE = int(Code.NOTIONAL_TOO_LARGE)
BAD_ORDER_FIELD = int(Code.BAD_ORDER_FIELD)
ORDER_EXPIRED = int(Code.ORDER_EXPIRED)
INSUFFICIENT_BALANCE = int(Code.INSUFFICIENT_BALANCE)
TOO_MANY_ORDERS = int(Code.TOO_MANY_ORDERS)
CLIENT_ID_IN_USE = int(Code.CLIENT_ID_IN_USE)
BUCKET_FULL = int(Code.BUCKET_FULL)
POST_ONLY_WOULD_CROSS = int(Code.POST_ONLY_WOULD_CROSS)
ORDER_NOT_FOUND = int(Code.ORDER_NOT_FOUND)
NOT_ORDER_OWNER = int(Code.NOT_ORDER_OWNER)
NOT_A_SHRINK = int(Code.NOT_A_SHRINK)
ORDER_IS_WAITING = int(Code.ORDER_WAITING)
KEY_VENUE = int(Code.KEY_VENUE)
KEY_NOTIONAL = int(Code.KEY_NOTIONAL)
INTERFACE_NOT_APPROVED = int(Code.INTERFACE_NOT_APPROVED)
TABLE_FULL = int(Code.TABLE_FULL)
ACCESS_DENIED = int(Code.ACCESS_DENIED)


# --- amounts ---------------------------------------------------------------------------------------


@jit
def get_notional(market, price, lots):
    """Quote atoms of ``lots`` at ``price``; exact, below 2^62 by the market's bounds."""
    return i64(price) * i64(lots) * i64(market.tick_value)


@jit
def lock_for(market, side, price, lots):
    """Atoms an order locks: notional and worst fee (buy, quote) or its lots (sell, base)."""
    if side != BUY:
        return i64(lots) * i64(market.lot_size)
    notional = get_notional(market, price, lots)
    rate = max(i64(market.taker_fee), i64(market.maker_fee), 0)
    return notional + ppm_up(notional, rate)


@jit
def set_lock(s, d, o, lock):
    """Lower an order's lock to at most ``lock`` atoms and free the difference."""
    if lock < o.locked:
        b = s.balance[o.pay_balance]
        freed = i64(o.locked) - lock
        o.locked = lock
        b.locked -= freed
        b.free += freed
        touch(d, T_BALANCE, o.pay_balance)


@jit
def crosses(side, price, other):
    """Whether an order at ``price`` takes from the opposite price ``other``."""
    return price >= other if side == BUY else price <= other


@jit
def would_cross(s, market, side, price):
    """Whether an order would take from the book as it stands."""
    k = s.book[market]
    best = i64(k.best_ask) if side == BUY else i64(k.best_bid)
    return best != 0 and crosses(side, price, i64(s.level[best].price))


@jit
def is_market_open(s, m, market, tif):
    """Whether the market takes an order of this kind now."""
    k = s.market[market]
    if s.venue[k.venue].state != VENUE_ACTIVE or k.listed > m.time:
        return False
    return k.phase == PHASE_CONTINUOUS or (k.phase == PHASE_POST_ONLY and tif == TIF_POST_ONLY)


# --- items -----------------------------------------------------------------------------------------


@jit
def item_at(io, m):
    """Position of the running item in the run's leaf bytes."""
    return leaf_start(io, i64(m.seq)) + i64(m.pos)


@jit
def reject_item(s, d, io, error):
    """Record the running item as failed and go on with the next one."""
    m = s.machine[0]
    m.failed += 1
    if m.error == 0:
        m.error = error
    emit_note(d, io, ITEM_REJECTED, m.seq, 0, m.account, 0, 0, m.item, error, 0)
    m.pc = P.ITEM_DONE
    touch(d, T_MACHINE, 0)


@jit
def step_place(s, d, io):
    """PLACE: every check that needs no walk; then the client id's bucket, or the balances."""
    m = s.machine[0]
    at = item_at(io, m)
    leaf = io.leaf
    market, price, lots = read32(leaf, at), read32(leaf, at + _PRICE), read64(leaf, at + _LOTS)
    side, tif, stp = read8(leaf, at + _SIDE), read8(leaf, at + _TIF), read8(leaf, at + _STP)
    expires = read64(leaf, at + _EXPIRES)
    error = OK
    if not is_used(s, T_MARKET, market):
        error = MARKET_NOT_FOUND
    else:
        k, key = s.market[market], s.key[m.key]
        if key.venue != 0 and key.venue != k.venue:
            error = KEY_VENUE
        elif s.venue[k.venue].access != ACCESS_OPEN or k.access != ACCESS_OPEN:
            error = ACCESS_DENIED
        elif not is_market_open(s, m, market, tif):
            error = MARKET_CLOSED
        elif side > 1 or tif > TIF_FOK or stp > 3 or leaf[at + _FLAGS] != 0 or expires > MAX_TIME:
            error = BAD_ORDER_FIELD
        elif price < 1 or price > k.max_price:
            error = PRICE_OUT_OF_RANGE
        elif lots < 1 or lots > k.max_lots:
            error = LOTS_OUT_OF_RANGE
        else:
            notional = get_notional(k, price, lots)
            if notional < k.min_notional:
                error = NOTIONAL_TOO_SMALL
            elif notional > k.max_notional:
                error = NOTIONAL_TOO_LARGE
            elif key.max_notional != 0 and notional > key.max_notional:
                error = KEY_NOTIONAL
            elif expires != 0 and expires <= m.time:
                error = ORDER_EXPIRED
            elif read32(leaf, at + _INTERFACE) != 0 or read32(leaf, at + _INTERFACE_FEE) != 0:
                error = INTERFACE_NOT_APPROVED
            elif s.account[m.account].order_count >= MAX_OPEN_ORDERS:
                error = TOO_MANY_ORDERS
            elif tif == TIF_POST_ONLY and would_cross(s, market, side, price):
                error = POST_ONLY_WOULD_CROSS
    if error != OK:
        reject_item(s, d, io, error)
        return
    limb1, limb0 = read_limb(leaf, at + _CLIENT), read_limb(leaf, at + _CLIENT + 8)
    m.market = market
    if limb1 == 0 and limb0 == 0:
        m.value2 = ORDER_BUCKETS  # no client id, no bucket
        m.pc = P.PLACE_OPEN
    else:
        m.value2 = item_bucket(io, m.seq, m.item, i64(m.account), limb1, limb0)
        m.cursor2 = s.bucket[m.value2].first
        m.pc = P.PLACE_WALK
    touch(d, T_MACHINE, 0)


@jit
def step_place_walk(s, d, io):
    """PLACE_WALK: one order of the bucket chain; the client id must not be among the account's."""
    m = s.machine[0]
    slot = i64(m.cursor2)
    if slot == 0:
        if s.bucket[m.value2].length >= MAX_BUCKET_LENGTH:
            reject_item(s, d, io, BUCKET_FULL)
            return
        m.pc = P.PLACE_OPEN
    else:
        o = s.order[slot]
        at = item_at(io, m) + _CLIENT
        if (
            o.account == m.account
            and i64(o.client_id1) == read_limb(io.leaf, at)
            and i64(o.client_id0) == read_limb(io.leaf, at + 8)
        ):
            reject_item(s, d, io, CLIENT_ID_IN_USE)
            return
        m.cursor2 = o.bucket_next
    touch(d, T_MACHINE, 0)


@jit
def step_place_open(s, d, io):
    """PLACE_OPEN: the paying balance covers the lock; the receiving one exists or is opened."""
    m = s.machine[0]
    at = item_at(io, m)
    k = s.market[m.market]
    side = read8(io.leaf, at + _SIDE)
    pays, receives = i64(k.base), i64(k.quote)
    if side == BUY:
        pays, receives = receives, pays
    lock = lock_for(k, side, read32(io.leaf, at + _PRICE), read64(io.leaf, at + _LOTS))
    pay = find_balance(s, d, m.account, pays)
    error = OK
    if pay == 0 or s.balance[pay].free < lock:
        error = INSUFFICIENT_BALANCE
    elif find_balance(s, d, m.account, receives) == 0:
        error = can_open(s, m.account)
    if error == OK and not has_room(s, T_ORDER, 1):
        error = TABLE_FULL
    if error != OK:
        reject_item(s, d, io, error)
        return
    m.value1 = open_balance(s, d, m.account, receives)
    m.value0 = pay
    m.pc = P.PLACE_LOCK
    touch(d, T_MACHINE, 0)


@jit
def step_place_lock(s, d, io):
    """PLACE_LOCK: the order comes into being, its lock moves, its lists take it in."""
    m = s.machine[0]
    at = item_at(io, m)
    leaf = io.leaf
    k, a = s.market[m.market], s.account[m.account]
    slot = take_order(s, d)
    o = s.order[slot]
    m.order_seq += 1
    o.account = m.account
    o.market = m.market
    o.price = read32(leaf, at + _PRICE)
    o.side = read8(leaf, at + _SIDE)
    o.tif = read8(leaf, at + _TIF)
    o.stp = read8(leaf, at + _STP)
    o.lots = read64(leaf, at + _LOTS)
    o.next = 0
    o.seq = m.order_seq
    o.expires = read64(leaf, at + _EXPIRES)
    o.key = m.key
    o.pay_balance = m.value0
    o.receive_balance = m.value1
    lock = lock_for(k, o.side, o.price, o.lots)
    o.locked = lock
    pay, receive = s.balance[o.pay_balance], s.balance[o.receive_balance]
    pay.free -= lock
    pay.locked += lock
    pay.uses += 1
    receive.uses += 1
    o.account_next = a.first_order
    if a.first_order != 0:
        s.order[a.first_order].account_previous = slot
        touch(d, T_ORDER, a.first_order)
    a.first_order = slot
    a.order_count += 1
    if m.value2 < ORDER_BUCKETS:
        o.client_id1 = read_limb(leaf, at + _CLIENT)
        o.client_id0 = read_limb(leaf, at + _CLIENT + 8)
        chain = s.bucket[m.value2]
        o.bucket_next = chain.first
        chain.first = slot
        chain.length += 1
        remember_bucket(d, slot, m.value2)
        touch(d, T_BUCKET, m.value2)
    m.order = slot
    m.return0 = P.ITEM_DONE
    if o.tif == TIF_POST_ONLY:
        m.pc = P.REST
    else:
        m.pc = P.JOIN
    touch(d, T_BALANCE, o.pay_balance)
    touch(d, T_BALANCE, o.receive_balance)
    touch(d, T_ACCOUNT, m.account)
    touch(d, T_ORDER, slot)
    touch(d, T_MACHINE, 0)


# --- the book --------------------------------------------------------------------------------------


@jit
def is_better(side, price, other):
    """Whether ``price`` stands strictly before ``other`` on its side."""
    return price > other if side == BUY else price < other


@jit
def is_level(s, slot, market, side, price):
    """Whether ``slot`` is the level of (market, side, price)."""
    if slot == 0:
        return False
    v = s.level[slot]
    return v.state == ACTIVE and v.market == market and v.side == side and v.price == price


@jit
def open_level(s, d, market, side, price):
    """Slot of the level at ``price``, opened between its neighbours if the side has none there."""
    previous = level_hint(s, d, market, side, price)
    if is_level(s, previous, market, side, price):
        return previous
    k = s.book[market]
    following = i64(k.best_bid) if side == BUY else i64(k.best_ask)
    if previous != 0:
        p = s.level[previous]
        if (
            p.state != ACTIVE
            or p.market != market
            or p.side != side
            or not is_better(side, i64(p.price), price)
        ):
            raise ValueError("level hint is not the predecessor")
        following = i64(p.next)
    if following != 0 and not is_better(side, price, i64(s.level[following].price)):
        raise ValueError("level hint skips a level")
    slot = take_level(s, d)
    v = s.level[slot]
    v.market = market
    v.side = side
    v.price = price
    v.state = ACTIVE
    v.previous = previous
    v.next = following
    v.first = 0
    if previous != 0:
        s.level[previous].next = slot
        touch(d, T_LEVEL, previous)
    elif side == BUY:
        k.best_bid = slot
    else:
        k.best_ask = slot
    if following != 0:
        s.level[following].previous = slot
        touch(d, T_LEVEL, following)
    if side == BUY:
        k.bid_levels += 1
    else:
        k.ask_levels += 1
    index_level(d, market, side, price, slot)
    return slot


@jit
def step_rest(s, d, io):
    """REST: the order joins the end of the level at its price."""
    m = s.machine[0]
    slot = i64(m.order)
    o = s.order[slot]
    level = open_level(s, d, i64(o.market), i64(o.side), i64(o.price))
    v, k = s.level[level], s.book[o.market]
    o.state = RESTING
    o.level = level
    o.next = 0
    o.previous = v.last
    o.release = 0
    o.release_block = 0
    o.fills = 0
    if v.last != 0:
        s.order[v.last].next = slot
        touch(d, T_ORDER, v.last)
    else:
        v.first = slot
    v.last = slot
    v.lots += o.lots
    v.count += 1
    k.order_count += 1
    emit_order(d, io, ORDER_RESTED, leaf_of(m), slot, o, o.tif, 0, o.locked)
    m.pc = m.return0
    touch(d, T_BOOK, o.market)
    touch(d, T_LEVEL, level)
    touch(d, T_ORDER, slot)
    touch(d, T_MACHINE, 0)


@jit
def leaf_of(m):
    """Seq of the leaf that events of this step belong to; 0 in the sweep and at release."""
    return i64(m.seq) if m.action != 0 else i64(0)


# --- waiting ---------------------------------------------------------------------------------------


@jit
def step_join(s, d, io):
    """JOIN: the order joins the tail of its book's release queue."""
    m = s.machine[0]
    slot = i64(m.order)
    o = s.order[slot]
    market, k = s.market[o.market], s.book[o.market]
    delay = i64(market.taker_delay)
    release = m.time + delay
    if release < k.last_release:
        release = i64(k.last_release)
    o.state = WAITING
    o.level = 0
    o.release = release
    o.release_block = m.block + (WAIT_BLOCKS if delay > 0 else 0)
    o.next = 0
    o.previous = k.waiting_last
    o.fills = 0
    k.last_release = release
    k.waiting_count += 1
    emit_order(d, io, ORDER_WAITING, leaf_of(m), slot, o, o.tif, 0, o.locked)
    if k.waiting_last != 0:
        s.order[k.waiting_last].next = slot
        touch(d, T_ORDER, k.waiting_last)
        k.waiting_last = slot
        m.pc = m.return0
    else:
        k.waiting_first = slot
        k.waiting_last = slot
        k.release = release
        k.release_seq = o.seq
        k.release_block = o.release_block
        m.market = o.market
        m.cursor2 = m.release_first
        m.value2 = 0  # the book walked over last
        m.pc = P.BOOK_INSERT
    touch(d, T_BOOK, o.market)
    touch(d, T_ORDER, slot)
    touch(d, T_MACHINE, 0)


@jit
def is_later(k, release, seq):
    """Whether book ``k``'s key is after (release, seq)."""
    return k.release > release or (k.release == release and k.release_seq > seq)


@jit
def step_book_insert(s, d, io):
    """BOOK_INSERT: one book of the release list; the market's book goes before the first later one."""
    m = s.machine[0]
    k = s.book[m.market]
    following = i64(m.cursor2)
    if following != 0 and not is_later(s.book[following], i64(k.release), i64(k.release_seq)):
        m.value2 = following
        m.cursor2 = s.book[following].release_next
    else:
        previous = i64(m.value2)
        k.release_next = following
        k.release_previous = previous
        if previous != 0:
            s.book[previous].release_next = m.market
            touch(d, T_BOOK, previous)
        else:
            m.release_first = m.market
        if following != 0:
            s.book[following].release_previous = m.market
            touch(d, T_BOOK, following)
        touch(d, T_BOOK, m.market)
        m.pc = m.return0
    touch(d, T_MACHINE, 0)


# --- finding, cancelling, amending -----------------------------------------------------------------


@jit
def step_find(s, d, io):
    """FIND: the order a CANCEL or AMEND item names, by id or by client id."""
    m = s.machine[0]
    at = item_at(io, m)
    name = read64(io.leaf, at)
    if name != 0:
        slot, generation = name & 0xFFFFFFFF, name >> 32
        if not is_used(s, T_ORDER, slot):
            reject_item(s, d, io, ORDER_NOT_FOUND)
            return
        o = s.order[slot]
        if o.state == FREE or o.generation != generation:
            reject_item(s, d, io, ORDER_NOT_FOUND)
            return
        if o.account != m.account:
            reject_item(s, d, io, NOT_ORDER_OWNER)
            return
        m.order = slot
        m.pc = P.CANCEL if m.action == A.CANCEL else P.AMEND
    else:
        limb1, limb0 = read_limb(io.leaf, at + 8), read_limb(io.leaf, at + 16)
        if limb1 == 0 and limb0 == 0:
            reject_item(s, d, io, ORDER_NOT_FOUND)
            return
        bucket = item_bucket(io, m.seq, m.item, i64(m.account), limb1, limb0)
        m.cursor2 = s.bucket[bucket].first
        m.pc = P.FIND_WALK
    touch(d, T_MACHINE, 0)


@jit
def step_find_walk(s, d, io):
    """FIND_WALK: one order of the bucket chain."""
    m = s.machine[0]
    slot = i64(m.cursor2)
    if slot == 0:
        reject_item(s, d, io, ORDER_NOT_FOUND)
        return
    o = s.order[slot]
    at = item_at(io, m) + _AMEND_CLIENT
    if (
        o.account == m.account
        and i64(o.client_id1) == read_limb(io.leaf, at)
        and i64(o.client_id0) == read_limb(io.leaf, at + 8)
    ):
        m.order = slot
        m.pc = P.CANCEL if m.action == A.CANCEL else P.AMEND
    else:
        m.cursor2 = o.bucket_next
    touch(d, T_MACHINE, 0)


@jit
def step_cancel(s, d, io):
    """CANCEL: a resting order leaves; a waiting one will not rest."""
    m = s.machine[0]
    o = s.order[m.order]
    venue = i64(s.key[m.key].venue)
    if venue != 0 and venue != s.market[o.market].venue:
        reject_item(s, d, io, KEY_VENUE)
        return
    if o.state == WAITING:
        o.flags = i64(o.flags) | FLAG_CANCELLED
        emit_order(d, io, ORDER_AMENDED, m.seq, i64(m.order), o, TIF_IOC, 0, o.locked)
        touch(d, T_ORDER, m.order)
        m.pc = P.ITEM_DONE
    else:
        begin_remove(m, CANCEL_USER, P.ITEM_DONE)
    touch(d, T_MACHINE, 0)


@jit
def begin_remove(m, reason, back):
    """Set the registers so that the resting order ``m.order`` is removed; then step ``back`` follows."""
    m.value1 = reason
    m.cursor2 = 0
    m.return0 = back
    m.return1 = P.REMOVE_BUCKET
    m.pc = P.REMOVE_LEVEL


@jit
def shrink(s, d, o, lots):
    """Lower the open lots of an order, and its lock with them."""
    o.lots = lots
    set_lock(s, d, o, lock_for(s.market[o.market], o.side, o.price, lots))


@jit
def step_amend(s, d, io):
    """AMEND: shrink in place, cancel, or take the order off its level to re-place it."""
    m = s.machine[0]
    at = item_at(io, m)
    slot = i64(m.order)
    o = s.order[slot]
    market = i64(o.market)
    k, key = s.market[market], s.key[m.key]
    price, total = read32(io.leaf, at + _AMEND_PRICE), read64(io.leaf, at + _AMEND_LOTS)
    mode = read8(io.leaf, at + _AMEND_MODE)
    if price == 0:
        price = i64(o.price)
    error = OK
    if o.state == WAITING:
        error = ORDER_IS_WAITING
    elif mode > A.AMEND_TAKE:
        error = BAD_ORDER_FIELD
    elif key.venue != 0 and key.venue != k.venue:
        error = KEY_VENUE
    elif total < 1 or total > k.max_lots:
        error = LOTS_OUT_OF_RANGE
    if error != OK:
        reject_item(s, d, io, error)
        return
    lots = total - o.filled
    if price == o.price and lots <= o.lots:
        if lots <= 0:
            begin_remove(m, CANCEL_AMEND, P.ITEM_DONE)
        elif lots < o.lots and get_notional(k, price, lots) < k.min_notional:
            reject_item(s, d, io, NOTIONAL_TOO_SMALL)
            return
        else:
            s.level[o.level].lots -= o.lots - lots
            shrink(s, d, o, lots)
            emit_order(d, io, ORDER_AMENDED, m.seq, slot, o, o.tif, 0, o.locked)
            touch(d, T_LEVEL, o.level)
            touch(d, T_ORDER, slot)
            m.pc = P.ITEM_DONE
        touch(d, T_MACHINE, 0)
        return
    if mode == A.AMEND_SHRINK:
        reject_item(s, d, io, NOT_A_SHRINK)
        return
    if lots <= 0:
        begin_remove(m, CANCEL_AMEND, P.ITEM_DONE)
        touch(d, T_MACHINE, 0)
        return
    tif = TIF_POST_ONLY if mode == A.AMEND_POST_ONLY else TIF_GTC
    if o.expires != 0 and o.expires <= m.time:
        error = ORDER_EXPIRED
    elif not is_market_open(s, m, market, tif):
        error = MARKET_CLOSED
    elif price < 1 or price > k.max_price:
        error = PRICE_OUT_OF_RANGE
    else:
        notional = get_notional(k, price, lots)
        if notional < k.min_notional:
            error = NOTIONAL_TOO_SMALL
        elif notional > k.max_notional:
            error = NOTIONAL_TOO_LARGE
        elif key.max_notional != 0 and notional > key.max_notional:
            error = KEY_NOTIONAL
        elif tif == TIF_POST_ONLY and would_cross(s, market, o.side, price):
            error = POST_ONLY_WOULD_CROSS
        elif lock_for(k, o.side, price, lots) - o.locked > s.balance[o.pay_balance].free:
            error = INSUFFICIENT_BALANCE
    if error != OK:
        reject_item(s, d, io, error)
        return
    m.return1 = P.AMEND_MOVE
    m.pc = P.REMOVE_LEVEL
    touch(d, T_MACHINE, 0)


@jit
def step_amend_move(s, d, io):
    """AMEND_MOVE: the order, off its level, takes its new price, lots, lock and seq."""
    m = s.machine[0]
    at = item_at(io, m)
    slot = i64(m.order)
    o = s.order[slot]
    k = s.market[o.market]
    price = read32(io.leaf, at + _AMEND_PRICE)
    if price != 0:
        o.price = price
    o.lots = read64(io.leaf, at + _AMEND_LOTS) - o.filled
    lock = lock_for(k, o.side, o.price, o.lots)
    b = s.balance[o.pay_balance]
    b.free -= lock - o.locked
    b.locked += lock - o.locked
    o.locked = lock
    m.order_seq += 1
    o.seq = m.order_seq
    is_post = read8(io.leaf, at + _AMEND_MODE) == A.AMEND_POST_ONLY
    o.tif = TIF_POST_ONLY if is_post else TIF_GTC
    o.key = m.key
    emit_order(d, io, ORDER_AMENDED, m.seq, slot, o, o.tif, 1, o.locked)
    m.return0 = P.ITEM_DONE
    m.pc = P.REST if is_post else P.JOIN
    touch(d, T_BALANCE, o.pay_balance)
    touch(d, T_ORDER, slot)
    touch(d, T_MACHINE, 0)


# --- leaving ---------------------------------------------------------------------------------------


@jit
def step_remove_level(s, d, io):
    """REMOVE_LEVEL: the order leaves its level; an empty level leaves its side."""
    m = s.machine[0]
    o = s.order[m.order]
    level = i64(o.level)
    v, k = s.level[level], s.book[o.market]
    if o.previous != 0:
        s.order[o.previous].next = o.next
        touch(d, T_ORDER, o.previous)
    else:
        v.first = o.next
    if o.next != 0:
        s.order[o.next].previous = o.previous
        touch(d, T_ORDER, o.next)
    else:
        v.last = o.previous
    v.lots -= o.lots
    v.count -= 1
    k.order_count -= 1
    o.next = 0
    o.previous = 0
    o.level = 0
    if v.count == 0:
        if v.previous != 0:
            s.level[v.previous].next = v.next
            touch(d, T_LEVEL, v.previous)
        elif v.side == BUY:
            k.best_bid = v.next
        else:
            k.best_ask = v.next
        if v.next != 0:
            s.level[v.next].previous = v.previous
            touch(d, T_LEVEL, v.next)
        if v.side == BUY:
            k.bid_levels -= 1
        else:
            k.ask_levels -= 1
        unindex_level(d, o.market, v.side, v.price)
        free_level(s, d, level)
    m.pc = m.return1
    touch(d, T_LEVEL, level)
    touch(d, T_BOOK, o.market)
    touch(d, T_ORDER, m.order)
    touch(d, T_MACHINE, 0)


@jit
def step_remove_bucket(s, d, io):
    """REMOVE_BUCKET: the order leaves its client id's chain, if it has one, walking to it."""
    m = s.machine[0]
    o = s.order[m.order]
    limb1, limb0 = i64(o.client_id1), i64(o.client_id0)
    if limb1 == 0 and limb0 == 0:
        m.pc = P.REMOVE_ORDER
        touch(d, T_MACHINE, 0)
        return
    bucket = order_bucket(d, m.order, i64(o.account), limb1, limb0)
    chain = s.bucket[bucket]
    if chain.first == m.order:
        chain.first = o.bucket_next
        chain.length -= 1
        touch(d, T_BUCKET, bucket)
        m.cursor2 = 0
        m.pc = P.REMOVE_ORDER
    else:
        previous = i64(m.cursor2) if m.cursor2 != 0 else i64(chain.first)
        p = s.order[previous]
        if p.bucket_next == m.order:
            p.bucket_next = o.bucket_next
            chain.length -= 1
            touch(d, T_ORDER, previous)
            touch(d, T_BUCKET, bucket)
            m.cursor2 = 0
            m.pc = P.REMOVE_ORDER
        else:
            m.cursor2 = p.bucket_next
    touch(d, T_MACHINE, 0)


@jit
def step_remove_order(s, d, io):
    """REMOVE_ORDER: what is locked is freed, the account's list lets go, the slot is given back.

    ``m.value1`` is the reason for the event; 0 = filled, which FILL has said already.
    """
    m = s.machine[0]
    slot = i64(m.order)
    o = s.order[slot]
    a = s.account[o.account]
    pay, receive = s.balance[o.pay_balance], s.balance[o.receive_balance]
    if m.value1 != 0:
        emit_order(d, io, ORDER_CANCELLED, leaf_of(m), slot, o, m.value1, 0, o.locked)
    pay.free += o.locked
    pay.locked -= o.locked
    pay.uses -= 1
    receive.uses -= 1
    touch(d, T_BALANCE, o.pay_balance)
    touch(d, T_BALANCE, o.receive_balance)
    if o.account_previous != 0:
        s.order[o.account_previous].account_next = o.account_next
        touch(d, T_ORDER, o.account_previous)
    else:
        a.first_order = o.account_next
    if o.account_next != 0:
        s.order[o.account_next].account_previous = o.account_previous
        touch(d, T_ORDER, o.account_next)
    a.order_count -= 1
    touch(d, T_ACCOUNT, o.account)
    free_order(s, d, slot)
    m.pc = m.return0
    touch(d, T_MACHINE, 0)
