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
    ACTIVE,
    BUY,
    CANCEL_AMEND,
    CANCEL_USER,
    FREE,
    MARKET_OUTCOME,
    MARKET_PERP,
    MARKET_SPOT,
    ORDER_CANCELLED_WAITING,
    ORDER_FORCED,
    ORDER_REDUCE_ONLY,
    RESTING,
    SELL,
    STP_MODE,
    STP_OWNER,
    TIF_FOK,
    TIF_GTC,
    TIF_IOC,
    TIF_MARKET,
    TIF_POST_ONLY,
    TIF_POST_SLIDE,
    TIMER_ORDER,
    TRIGGER_DOWN_LAST,
    TRIGGER_DOWN_MARK,
    TRIGGER_UP_INDEX,
    TRIGGER_UP_LAST,
    TRIGGER_UP_MARK,
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
    MAX_PRICE,
    MAX_TIME,
    ORDER_BUCKETS,
    PPM,
    WAIT_BLOCKS,
)

from ._jit import i64, jit, ppm_up
from .balances import can_open, find_balance, open_balance
from .codec import (
    emit_note,
    emit_order,
    item_bucket,
    leaf_of,
    leaf_start,
    read8,
    read32,
    read64,
    read_limb,
    told_flags,
)
from .heaps import push_book
from .holdings import (
    cancel_out,
    check_caps,
    choose_cover,
    held,
    set_cover,
    take_cover,
)
from .lookup import get_rank, index_level, level_hint, unindex_level
from .perps.bands import get_band
from .perps.touch import (
    begin_find,
    begin_release,
    change_open_lots,
    get_order_lock,
    is_opening,
    set_pool_lock,
)
from .phases import (
    band_high,
    band_low,
    is_admitted,
    is_beyond,
    is_post,
    is_restart_closed,
    move_anchor,
)
from .tables import (
    T_ACCOUNT,
    T_BALANCE,
    T_BOOK,
    T_BUCKET,
    T_DRAFT,
    T_HOLDING,
    T_LEVEL,
    T_MACHINE,
    T_MARKET,
    T_ORDER,
    T_POOL,
    T_POSITION,
    T_VENUE,
    free_level,
    free_order,
    has_room,
    is_used,
    take_level,
    take_order,
    touch,
)
from .timers import begin_timer, begin_timer_out, has_timer_room
from .triggers import sent

# offsets inside a PLACE item
_PRICE, _LOTS, _SIDE, _TIF, _STP, _FLAGS, _EXPIRES, _CLIENT, _INTERFACE, _INTERFACE_FEE = (
    4, 8, 16, 17, 18, 19, 20, 28, 44, 48,
)  # fmt: skip
_QUOTE_EXPIRES, _QUOTE_CLIENT = 19, 27  # a QUOTE item is a PLACE item up to stp
# offsets inside an AMEND item
_AMEND_CLIENT, _AMEND_PRICE, _AMEND_LOTS, _AMEND_MODE = 8, 24, 28, 36

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
TABLE_FULL = int(Code.TABLE_FULL)
PRICE_BAND = int(Code.PRICE_BAND)
NOTHING_TO_REDUCE = int(Code.NOTHING_TO_REDUCE)


# --- amounts ---------------------------------------------------------------------------------------


@jit
def get_notional(market, price, lots):
    """Quote atoms of ``lots`` at ``price``; exact, below 2^62 by the market's bounds."""
    return i64(price) * i64(lots) * i64(market.tick_value)


@jit
def get_cost(market, side, price, lots):
    """Atoms that ``lots`` cost their side: exact. An outcome's seller pays for the other outcome."""
    if side == BUY:
        return get_notional(market, price, lots)
    if market.kind == MARKET_OUTCOME:
        return (i64(market.lot_size) - i64(price) * i64(market.tick_value)) * i64(lots)
    return i64(lots) * i64(market.lot_size)


@jit
def get_fee_base(market, price, lots):
    """Atoms that fees are a part of: the notional, of an outcome that of the cheaper side."""
    value = i64(price) * i64(market.tick_value)
    if market.kind == MARKET_OUTCOME:
        value = min(value, i64(market.lot_size) - value)
    return value * i64(lots)


@jit
def lock_for(market, side, price, lots, interface_fee):
    """Atoms that ``lots`` lock: their cost and, where quote pays, the worst fee on it."""
    cost = get_cost(market, side, price, lots)
    if side != BUY and market.kind == MARKET_SPOT:
        return cost
    rate = max(i64(market.taker_fee), i64(market.maker_fee), 0) + i64(interface_fee)
    return cost + ppm_up(get_fee_base(market, price, lots), rate)


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
def best_opposite(s, k, side):
    """Best price that an order of ``side`` would meet in book ``k``, 0 if there is none."""
    best = i64(k.best_ask) if side == BUY else i64(k.best_bid)
    return i64(s.level[best].price) if best != 0 else i64(0)


@jit
def is_own(t, o):
    """Whether maker ``o`` is an own order of taker ``t``, by the taker's setting."""
    if t.account == o.account:
        return True
    return (i64(t.stp) & STP_OWNER) != 0 and t.owner == o.owner


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
def refuse(s, d, io, error):
    """Refuse the order in the draft: its item fails, or the plan that sends it."""
    f = s.draft[0]
    if f.plan != 0:
        f.value = error
        s.machine[0].pc = P.PLAN_REFUSED
        touch(d, T_DRAFT, 0)
        touch(d, T_MACHINE, 0)
    else:
        reject_item(s, d, io, error)


# --- placing ---------------------------------------------------------------------------------------


@jit
def load_place(s, d, io, m):
    """Fill the draft from the PLACE or QUOTE item; checks 1 to 3, which need only the item and its market."""
    at = item_at(io, m)
    leaf = io.leaf
    f = s.draft[0]
    market = read32(leaf, at)
    if not is_used(s, T_MARKET, market):
        return MARKET_NOT_FOUND
    k, key = s.market[market], s.key[m.key]
    if key.venue != 0 and key.venue != k.venue:
        return KEY_VENUE
    home = market
    if k.guest_of != 0:
        home = i64(k.guest_of)
    side, tif, stp = read8(leaf, at + _SIDE), read8(leaf, at + _TIF), read8(leaf, at + _STP)
    flags, interface, interface_fee = i64(0), i64(0), i64(0)
    if m.action == A.MASS_QUOTE:
        expires, client = read64(leaf, at + _QUOTE_EXPIRES), at + _QUOTE_CLIENT
    else:
        expires, client = read64(leaf, at + _EXPIRES), at + _CLIENT
        flags = read8(leaf, at + _FLAGS)
        interface = read32(leaf, at + _INTERFACE)
        interface_fee = read32(leaf, at + _INTERFACE_FEE)
    if side > SELL or tif > TIF_MARKET or stp > (STP_OWNER | STP_MODE) or (stp & STP_MODE) > 3:
        return BAD_ORDER_FIELD
    if flags > ORDER_REDUCE_ONLY or expires > MAX_TIME:
        return BAD_ORDER_FIELD
    if flags != 0 and k.kind == MARKET_SPOT:
        return BAD_ORDER_FIELD
    if tif == TIF_FOK and is_capped(s, home):
        return BAD_ORDER_FIELD
    # A field of the draft holds 31 bits. What does not fit becomes a value that its check refuses as well.
    price = read32(leaf, at + _PRICE)
    if price > MAX_PRICE:
        price = i64(0)
    if interface > MAX_PRICE or interface_fee > PPM:
        interface, interface_fee = i64(1), i64(PPM)
    f.market = home
    f.door = market if home != market else i64(0)
    f.price = price
    f.side = side
    f.tif = tif
    f.stp = stp
    f.flags = flags
    f.lots = read64(leaf, at + _LOTS)
    f.expires = expires
    f.interface = interface
    f.interface_fee = interface_fee
    f.plan = 0
    f.holding = 0
    f.cover = 0
    set_client(s, d, io, i64(m.account), read_limb(leaf, client), read_limb(leaf, client + 8))
    return OK


@jit
def is_capped(s, market):
    """Whether a market bounds its open interest or that of an account."""
    k = s.market[market]
    return k.open_interest_cap != 0 or k.account_cap != 0


@jit
def set_client(s, d, io, account, limb1, limb0):
    """Give the draft its client id and the bucket of it; ORDER_BUCKETS without one."""
    f = s.draft[0]
    f.client_id1 = limb1
    f.client_id0 = limb0
    if limb1 == 0 and limb0 == 0:
        f.bucket = ORDER_BUCKETS
    else:
        f.bucket = item_bucket(
            io, i64(s.machine[0].seq), i64(s.machine[0].item), account, limb1, limb0
        )
    touch(d, T_DRAFT, 0)


@jit
def step_place(s, d, io):
    """PLACE: the item becomes the draft; where no door, session or band is asked, also its terms."""
    m = s.machine[0]
    error = load_place(s, d, io, m)
    if error != OK:
        reject_item(s, d, io, error)
        return
    k = s.market[s.draft[0].market]
    if s.draft[0].door != 0 or k.calendar != 0 or k.band != 0:
        m.pc = P.PLACE_CHECK
        touch(d, T_MACHINE, 0)
    else:
        step_place_check(s, d, io)


@jit
def step_place_check(s, d, io):
    """PLACE_CHECK: checks 4 to 14 of the draft, of a perpetual only 4; then the first later one that applies."""
    m, f = s.machine[0], s.draft[0]
    error = check_phases(s, m, f, False)
    if error == OK and s.market[f.market].kind == MARKET_PERP:
        m.pc = P.PERP_TERMS
        touch(d, T_MACHINE, 0)
        return
    if error == OK:
        error = check_terms(s, d, io, m, f, False)
    if error != OK:
        refuse(s, d, io, error)
    else:
        begin_permissions(s, d, m, f)


@jit
def step_perp_terms(s, d, io):
    """PERP_TERMS: checks 5 to 14 of an order of a perpetual, whose check 4 is a step of its own."""
    m, f = s.machine[0], s.draft[0]
    is_amend = m.action == A.AMEND
    error = check_terms(s, d, io, m, f, is_amend)
    if error != OK:
        refuse(s, d, io, error)
    elif is_amend:
        m.pc = P.AMEND_PERP
        m.count = 0
        touch(d, T_MACHINE, 0)
    else:
        begin_permissions(s, d, m, f)


@jit
def begin_permissions(s, d, m, f):
    """Go on behind check 14 with the first later one that applies."""
    if f.bucket < ORDER_BUCKETS:
        m.cursor2 = s.bucket[f.bucket].first
    k = s.market[f.market]
    touch(d, T_MACHINE, 0)
    if f.door != 0:
        m.pc = P.DOOR
    elif f.interface != 0 or f.interface_fee != 0:
        m.pc = P.INTERFACE
    elif (i64(f.flags) & ORDER_REDUCE_ONLY) == 0 and (
        k.access != 0 or s.venue[k.venue].access != 0
    ):
        f.value = 0
        touch(d, T_DRAFT, 0)
        m.pc = P.ACCESS
    elif f.bucket < ORDER_BUCKETS:
        m.pc = P.PLACE_WALK
    else:
        begin_assets(m, k)


@jit
def begin_assets(m, k):
    """Go on behind check 18 of an order of market ``k``: what it is paid from."""
    if k.kind == MARKET_SPOT:
        m.pc = P.PLACE_OPEN
    elif k.kind == MARKET_OUTCOME:
        m.pc = P.PLACE_HOLD
    else:
        begin_find(m, P.PLACE_PERP)


@jit
def check_phases(s, m, f, is_amend):
    """Make check 4 of the draft; an amend's expiry comes first (``docs/spec/orders.md``). Returns 0 or the error."""
    time, tif = i64(m.time), i64(f.tif)
    if is_amend and f.expires != 0 and f.expires <= time:
        return ORDER_EXPIRED
    if not is_admitted(s, i64(f.market), time, tif, i64(f.flags)):
        return MARKET_CLOSED
    return MARKET_CLOSED if is_restart_closed(s, time, tif) else OK


@jit
def check_terms(s, d, io, m, f, is_amend):
    """Make checks 5, 7 to 12 and 14 of the draft, and 6 and 13 of a new one; 0 or the error.

    May move the band's anchor and the draft's price.
    """
    market, side, tif = i64(f.market), i64(f.side), i64(f.tif)
    k, b = s.market[market], s.book[market]
    time, price, lots = i64(m.time), i64(f.price), i64(f.lots)
    if price < 1 or price > k.max_price:
        return PRICE_OUT_OF_RANGE
    if not is_amend and (lots < 1 or lots > k.max_lots):
        return LOTS_OUT_OF_RANGE
    if k.kind == MARKET_PERP:
        low, high = get_band(k, s.price[market], time)
        if price > high if side == BUY else price < low:
            if tif != TIF_MARKET:
                return PRICE_BAND
            price = high if side == BUY else low
    elif k.band != 0:
        move_anchor(s, d, io, market, time, leaf_of(m))
        if is_beyond(k, b, side, price):
            if tif != TIF_MARKET:
                return PRICE_BAND
            anchor = i64(b.band_price)
            price = band_high(k, anchor) if side == BUY else band_low(k, anchor)
    best = best_opposite(s, b, side) if is_post(tif) else i64(0)
    would_take = best != 0 and crosses(side, price, best)
    if tif == TIF_POST_SLIDE and would_take:
        price = best - 1 if side == BUY else best + 1
        if price < 1 or price > k.max_price:
            return POST_ONLY_WOULD_CROSS
    f.price = price
    touch(d, T_DRAFT, 0)
    notional = get_notional(k, price, lots)
    if notional < k.min_notional:
        # All that is left may go, however little: what "all" is, the balances say later.
        is_closing = (k.kind == MARKET_SPOT and side == SELL) or f.flags != 0
        if is_amend or not is_closing:
            return NOTIONAL_TOO_SMALL
    if notional > k.max_notional:
        return NOTIONAL_TOO_LARGE
    if f.plan == 0:
        bound = i64(s.key[m.key].max_notional)
        if bound != 0 and notional > bound:
            return KEY_NOTIONAL
    if not is_amend:
        if f.expires != 0 and f.expires <= time:
            return ORDER_EXPIRED
        if s.account[m.account].order_count >= MAX_OPEN_ORDERS:
            return TOO_MANY_ORDERS
    if tif == TIF_POST_ONLY and would_take:
        return POST_ONLY_WOULD_CROSS
    return OK


@jit
def step_place_walk(s, d, io):
    """PLACE_WALK: one order of the bucket chain; the client id must not be among the account's."""
    m, f = s.machine[0], s.draft[0]
    slot = i64(m.cursor2)
    if f.bucket >= ORDER_BUCKETS or slot == 0:
        if f.bucket < ORDER_BUCKETS and s.bucket[f.bucket].length >= MAX_BUCKET_LENGTH:
            refuse(s, d, io, BUCKET_FULL)
            return
        begin_assets(m, s.market[f.market])
    else:
        o = s.order[slot]
        if (
            o.account == m.account
            and i64(o.client_id1) == i64(f.client_id1)
            and i64(o.client_id0) == i64(f.client_id0)
        ):
            refuse(s, d, io, CLIENT_ID_IN_USE)
            return
        m.cursor2 = o.bucket_next
    touch(d, T_MACHINE, 0)


@jit
def step_place_open(s, d, io):
    """PLACE_OPEN: checks 20 to 22: the lock is covered, the receiving balance exists or is opened, there is room."""
    m, f = s.machine[0], s.draft[0]
    k = s.market[f.market]
    side = i64(f.side)
    pays, receives = i64(k.quote), i64(k.quote)
    if k.kind == MARKET_SPOT:
        if side == BUY:
            receives = i64(k.base)
        else:
            pays = i64(k.base)
    pay = find_balance(s, d, m.account, pays)
    free = i64(s.balance[pay].free) if pay != 0 else i64(0)
    lots = i64(f.lots)
    lock = lock_for(k, side, f.price, lots - f.cover, f.interface_fee)
    error = OK
    if k.kind == MARKET_SPOT and side == SELL and get_notional(k, f.price, lots) < k.min_notional:
        if lots != free // i64(k.lot_size):  # a closing order is all that the account can sell
            error = NOTIONAL_TOO_SMALL
    if error == OK and free < lock:
        error = INSUFFICIENT_BALANCE
    if error == OK and (pays != receives or pay == 0):
        if find_balance(s, d, m.account, receives) == 0:
            error = can_open(s, m.account)
    if error == OK:
        if not has_room(s, T_ORDER, 1) or (f.expires != 0 and not has_timer_room(s)):
            error = TABLE_FULL
    if error != OK:
        refuse(s, d, io, error)
        return
    f.receive = pay
    if pays != receives or pay == 0:
        f.receive = open_balance(s, d, m.account, receives)
    f.pay = pay if pay != 0 else i64(f.receive)
    f.lock = lock
    # The holding is opened last, when nothing can refuse the order any more.
    m.pc = P.HOLD_OPEN if k.kind == MARKET_OUTCOME and f.holding == 0 else P.PLACE_LOCK
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)


@jit
def step_place_lock(s, d, io):
    """PLACE_LOCK: the order comes into being, its lock moves, its lists take it in."""
    m, f = s.machine[0], s.draft[0]
    k, a = s.market[f.market], s.account[m.account]
    slot = take_order(s, d)
    o = s.order[slot]
    m.order_seq += 1
    o.account = m.account
    o.owner = a.owner
    o.market = f.market
    o.door = f.door
    o.price = f.price
    o.side = f.side
    o.tif = f.tif
    o.stp = f.stp
    o.flags = f.flags
    o.lots = f.lots
    o.next = 0
    o.seq = m.order_seq
    o.expires = f.expires
    o.interface = f.interface
    o.interface_fee = f.interface_fee
    o.key = m.key
    if k.kind == MARKET_PERP:
        o.pool = f.pay  # which counts the order already (PLACE_MARGIN)
        o.holding = f.holding
        o.reserve = f.least
        o.locked = f.lock
    else:
        lock_money(s, d, f, o)
    o.account_next = a.first_order
    if a.first_order != 0:
        s.order[a.first_order].account_previous = slot
        touch(d, T_ORDER, a.first_order)
    a.first_order = slot
    a.order_count += 1
    s.venue[k.venue].market_orders += 1
    touch(d, T_VENUE, k.venue)
    if f.bucket < ORDER_BUCKETS:
        o.client_id1 = f.client_id1
        o.client_id0 = f.client_id0
        o.bucket = f.bucket
        chain = s.bucket[f.bucket]
        o.bucket_next = chain.first
        chain.first = slot
        chain.length += 1
        touch(d, T_BUCKET, f.bucket)
    m.order = slot
    m.return0 = P.ITEM_DONE
    if f.plan != 0:
        m.return0 = P.PLAN_SENT
        sent(s, d, io, slot)
    if f.expires != 0:
        m.pc = P.PLACE_TIMER
    else:
        m.pc = entry_step(f)
    touch(d, T_ACCOUNT, m.account)
    touch(d, T_ORDER, slot)
    touch(d, T_MACHINE, 0)


@jit
def lock_money(s, d, f, o):
    """Move the lock of a new order into its paying balance and have it name what it changes."""
    o.pay_balance = f.pay
    o.receive_balance = f.receive
    o.locked = f.lock
    pay, receive = s.balance[f.pay], s.balance[f.receive]
    pay.free -= f.lock
    pay.locked += f.lock
    pay.uses += 1
    receive.uses += 1
    touch(d, T_BALANCE, f.pay)
    touch(d, T_BALANCE, f.receive)
    if f.holding != 0:
        o.holding = f.holding
        o.cover = f.cover
        take_cover(s, d, o)


@jit
def entry_step(f):
    """Step that a new order goes on with: it rests or waits."""
    return P.REST if is_post(f.tif) else P.JOIN


@jit
def step_place_timer(s, d, io):
    """PLACE_TIMER: a new order that expires is timed."""
    m, f = s.machine[0], s.draft[0]
    begin_timer(s, d, m, TIMER_ORDER, i64(m.order), i64(0), i64(f.expires), entry_step(f))


# --- the book --------------------------------------------------------------------------------------


@jit
def is_better(side, price, other):
    """Whether ``price`` stands strictly before ``other`` on its side."""
    return get_rank(side, price) < get_rank(side, other)


@jit
def is_level(s, slot, market, side, price):
    """Whether ``slot`` is the level of (market, side, price)."""
    if slot == 0:
        return False
    v = s.level[slot]
    return v.state == ACTIVE and v.market == market and v.side == side and v.price == price


@jit
def first_level(k, side):
    """Best level of a side of book ``k``, or the level of a list of triggers that fires first."""
    if side == BUY:
        return i64(k.best_bid)
    if side == SELL:
        return i64(k.best_ask)
    if side == TRIGGER_UP_LAST:
        return i64(k.up_last)
    if side == TRIGGER_DOWN_LAST:
        return i64(k.down_last)
    if side == TRIGGER_UP_MARK:
        return i64(k.up_mark)
    if side == TRIGGER_DOWN_MARK:
        return i64(k.down_mark)
    return i64(k.up_index) if side == TRIGGER_UP_INDEX else i64(k.down_index)


@jit
def set_first_level(k, side, slot):
    """Set the first level of a side or a list of triggers."""
    if side == BUY:
        k.best_bid = slot
    elif side == SELL:
        k.best_ask = slot
    elif side == TRIGGER_UP_LAST:
        k.up_last = slot
    elif side == TRIGGER_DOWN_LAST:
        k.down_last = slot
    elif side == TRIGGER_UP_MARK:
        k.up_mark = slot
    elif side == TRIGGER_DOWN_MARK:
        k.down_mark = slot
    elif side == TRIGGER_UP_INDEX:
        k.up_index = slot
    else:
        k.down_index = slot


@jit
def count_level(k, side, change):
    """Count the levels of the two sides."""
    if side == BUY:
        k.bid_levels += change
    elif side == SELL:
        k.ask_levels += change


@jit
def open_level(s, d, market, side, price):
    """Slot of the level at ``price``, opened between its neighbours if the side has none there."""
    previous = level_hint(s, d, market, side, price)
    if is_level(s, previous, market, side, price):
        return previous
    k = s.book[market]
    following = first_level(k, side)
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
    else:
        set_first_level(k, side, slot)
    if following != 0:
        s.level[following].previous = slot
        touch(d, T_LEVEL, following)
    count_level(k, side, 1)
    index_level(d, market, side, price, slot)
    touch(d, T_BOOK, market)
    touch(d, T_LEVEL, slot)
    return slot


@jit
def close_level(s, d, k, level):
    """Take an empty level out of its side of book ``k`` and give its slot back."""
    v = s.level[level]
    if v.previous != 0:
        s.level[v.previous].next = v.next
        touch(d, T_LEVEL, v.previous)
    else:
        set_first_level(k, i64(v.side), i64(v.next))
    if v.next != 0:
        s.level[v.next].previous = v.previous
        touch(d, T_LEVEL, v.next)
    count_level(k, i64(v.side), -1)
    touch(d, T_BOOK, v.market)
    unindex_level(d, v.market, v.side, v.price)
    free_level(s, d, level)


@jit
def firm_lots(o, lots):
    """Part of ``lots`` of a resting order that counts as its level's firm depth: all of one that margin stands behind."""
    return lots if o.pool != 0 and is_opening(o) else i64(0)


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
    v.firm += firm_lots(o, i64(o.lots))
    v.count += 1
    k.order_count += 1
    emit_order(d, io, ORDER_RESTED, leaf_of(m), slot, o, o.tif, told_flags(o), o.locked)
    m.pc = m.return0
    touch(d, T_BOOK, o.market)
    touch(d, T_LEVEL, level)
    touch(d, T_ORDER, slot)
    touch(d, T_MACHINE, 0)


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
    emit_order(d, io, ORDER_WAITING, leaf_of(m), slot, o, o.tif, told_flags(o), o.locked)
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
        push_book(s, d, m, i64(o.market), i64(m.return0))
    touch(d, T_BOOK, o.market)
    touch(d, T_ORDER, slot)
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
        if o.account != m.account or (i64(o.flags) & ORDER_FORCED) != 0:
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
    if not is_in_venue(s, m, o):
        reject_item(s, d, io, KEY_VENUE)
        return
    if o.state == WAITING:
        o.flags = i64(o.flags) | ORDER_CANCELLED_WAITING
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
def is_in_venue(s, m, o):
    """Whether the running key may act on an order: it is bound to no venue, the order's or its door's."""
    venue = i64(s.key[m.key].venue)
    if venue == 0 or venue == s.market[o.market].venue:
        return True
    return o.door != 0 and venue == s.market[o.door].venue


@jit
def shrink(s, d, io, slot, o, lots, leaf):
    """Lower the open lots of an order; its cover and its lock fall with them: ORDER_AMENDED, flag 0.

    The pool of a perpetual's order releases what it held: the caller goes on by ``behind_shrink``.
    """
    if o.pool != 0:
        change_open_lots(s, d, o, lots - i64(o.lots))
        o.lots = lots
        lock = get_order_lock(s.market[o.market], o, lots)
        set_pool_lock(s, d, o, min(i64(o.locked), lock))
        emit_order(d, io, ORDER_AMENDED, leaf, slot, o, o.tif, 0, o.locked)
        touch(d, T_ORDER, slot)
        return
    o.lots = lots
    freed = set_cover(s, d, o, i64(min(i64(o.cover), lots)))
    lock = lock_for(s.market[o.market], o.side, o.price, lots - o.cover, o.interface_fee)
    set_lock(s, d, o, lock)
    emit_order(d, io, ORDER_AMENDED, leaf, slot, o, o.tif, 0, o.locked)
    cancel_out(s, d, io, o, freed, leaf)
    touch(d, T_ORDER, slot)


@jit
def behind_shrink(m, o, back):
    """Go on behind ``shrink``: the pool of a perpetual's order releases, then step ``back`` follows."""
    if o.pool != 0:
        begin_release(m, i64(o.pool), back)
    else:
        m.pc = back


@jit
def shrink_resting(s, d, io, m, slot, o, lots):
    """Lower the open lots of a resting order in place, which keeps its priority."""
    v = s.level[o.level]
    v.lots -= o.lots - lots
    v.firm -= firm_lots(o, i64(o.lots) - lots)
    shrink(s, d, io, slot, o, lots, i64(m.seq))
    touch(d, T_LEVEL, o.level)


@jit
def step_amend(s, d, io):
    """AMEND: shrink in place, cancel, or begin to re-place the order."""
    m = s.machine[0]
    at = item_at(io, m)
    slot = i64(m.order)
    o = s.order[slot]
    k = s.market[o.market]
    price, total = read32(io.leaf, at + _AMEND_PRICE), read64(io.leaf, at + _AMEND_LOTS)
    mode = read8(io.leaf, at + _AMEND_MODE)
    if price == 0:
        price = i64(o.price)
    error = OK
    if o.state == WAITING:
        error = ORDER_IS_WAITING
    elif mode > A.AMEND_POST_SLIDE:
        error = BAD_ORDER_FIELD
    elif not is_in_venue(s, m, o):
        error = KEY_VENUE
    elif total < 1 or total > k.max_lots:
        error = LOTS_OUT_OF_RANGE
    if error != OK:
        reject_item(s, d, io, error)
        return
    lots = total - o.filled
    touch(d, T_MACHINE, 0)
    if price == o.price and lots <= o.lots:
        if lots <= 0:
            begin_remove(m, CANCEL_AMEND, P.ITEM_DONE)
        elif lots < o.lots and get_notional(k, price, lots) < k.min_notional:
            reject_item(s, d, io, NOTIONAL_TOO_SMALL)
        else:
            shrink_resting(s, d, io, m, slot, o, lots)
            behind_shrink(m, o, P.ITEM_DONE)
        return
    if mode == A.AMEND_SHRINK:
        reject_item(s, d, io, NOT_A_SHRINK)
        return
    if lots <= 0:
        begin_remove(m, CANCEL_AMEND, P.ITEM_DONE)
        return
    if price > k.max_price:
        price = i64(0)  # out of range either way; the draft's field is narrower than the item's
    f = s.draft[0]
    f.market = o.market
    f.price = price
    f.side = o.side
    f.flags = i64(o.flags) & ORDER_REDUCE_ONLY
    f.lots = lots
    f.expires = o.expires
    f.plan = 0
    f.tif = TIF_GTC
    if mode == A.AMEND_POST_ONLY:
        f.tif = TIF_POST_ONLY
    elif mode == A.AMEND_POST_SLIDE:
        f.tif = TIF_POST_SLIDE
    f.door = o.door
    f.value = 0
    if o.door != 0:
        m.pc = P.DOOR
    elif f.flags == 0 and (k.access != 0 or s.venue[k.venue].access != 0):
        m.pc = P.ACCESS
    else:
        m.pc = P.AMEND_CHECK
    touch(d, T_DRAFT, 0)


@jit
def step_amend_check(s, d, io):
    """AMEND_CHECK: the new terms are those of an order that might be placed."""
    m, f = s.machine[0], s.draft[0]
    o, k = s.order[m.order], s.market[f.market]
    error = check_phases(s, m, f, True)
    touch(d, T_MACHINE, 0)
    if error == OK and k.kind == MARKET_PERP:
        m.pc = P.PERP_TERMS
        return
    if error == OK:
        error = check_terms(s, d, io, m, f, True)
    if error == OK and k.kind == MARKET_OUTCOME:
        m.pc = P.AMEND_HOLD
        return
    if error == OK:
        f.cover = 0
        error = check_relock(s, d, k, o, f)
    if error != OK:
        reject_item(s, d, io, error)
    else:
        m.return1 = P.AMEND_MOVE
        m.pc = P.REMOVE_LEVEL


@jit
def check_relock(s, d, k, o, f):
    """Set the draft's lock; 0 if the account can pay what it is above the order's, else the error."""
    f.lock = lock_for(k, f.side, f.price, f.lots - f.cover, o.interface_fee)
    touch(d, T_DRAFT, 0)
    if i64(f.lock) - o.locked > s.balance[o.pay_balance].free:
        return INSUFFICIENT_BALANCE
    return OK


@jit
def step_amend_hold(s, d, io):
    """AMEND_HOLD: cover and caps of an outcome order that is re-placed."""
    m, f = s.machine[0], s.draft[0]
    o, k = s.order[m.order], s.market[f.market]
    lots = i64(f.lots)
    cover = choose_cover(s, o, lots)
    error = OK
    if f.flags != 0 and lots > cover:
        error = NOTHING_TO_REDUCE
    else:
        error = check_caps(s, i64(f.market), held(s.holding[o.holding], o.side), lots - cover)
    if error == OK:
        f.cover = cover
        error = check_relock(s, d, k, o, f)
    if error != OK:
        reject_item(s, d, io, error)
    else:
        m.return1 = P.AMEND_MOVE
        m.pc = P.REMOVE_LEVEL
    touch(d, T_MACHINE, 0)


@jit
def step_amend_move(s, d, io):
    """AMEND_MOVE: the order, off its level, takes its new price, lots, cover, lock and seq."""
    m, f = s.machine[0], s.draft[0]
    slot = i64(m.order)
    o = s.order[slot]
    m.order_seq += 1
    o.seq = m.order_seq
    o.tif = f.tif
    o.key = m.key
    m.return0 = P.ITEM_DONE
    touch(d, T_ORDER, slot)
    touch(d, T_MACHINE, 0)
    if o.pool != 0:
        change_open_lots(s, d, o, i64(f.lots) - i64(o.lots))
        set_pool_lock(s, d, o, i64(f.lock))
        o.reserve = f.least
        o.price = f.price
        o.lots = f.lots
        emit_order(d, io, ORDER_AMENDED, m.seq, slot, o, o.tif, 1, o.locked)
        begin_release(m, i64(o.pool), entry_step(f))
        return
    o.price = f.price
    o.lots = f.lots
    freed = set_cover(s, d, o, i64(f.cover))
    b = s.balance[o.pay_balance]
    b.free -= f.lock - o.locked
    b.locked += f.lock - o.locked
    o.locked = f.lock
    emit_order(d, io, ORDER_AMENDED, m.seq, slot, o, o.tif, 1, o.locked)
    cancel_out(s, d, io, o, freed, i64(m.seq))
    m.pc = entry_step(f)
    touch(d, T_BALANCE, o.pay_balance)


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
    v.firm -= firm_lots(o, i64(o.lots))
    v.count -= 1
    k.order_count -= 1
    o.next = 0
    o.previous = 0
    o.level = 0
    if v.count == 0:
        close_level(s, d, k, level)
    m.pc = m.return1
    touch(d, T_LEVEL, level)
    touch(d, T_BOOK, o.market)
    touch(d, T_ORDER, m.order)
    touch(d, T_MACHINE, 0)


@jit
def step_remove_bucket(s, d, io):
    """REMOVE_BUCKET: the order leaves its client id's chain, if it has one, walking to it; that it leaves is said.

    ``m.value1`` is the reason for the event; 0 = filled, which FILL has said already. What the order covered is
    let go of right behind the event, before the children follow.
    """
    m = s.machine[0]
    o = s.order[m.order]
    touch(d, T_MACHINE, 0)
    if i64(o.client_id1) != 0 or i64(o.client_id0) != 0:
        chain = s.bucket[o.bucket]
        if chain.first == m.order:
            chain.first = o.bucket_next
        else:
            previous = i64(m.cursor2) if m.cursor2 != 0 else i64(chain.first)
            p = s.order[previous]
            if p.bucket_next != m.order:
                m.cursor2 = p.bucket_next
                return
            p.bucket_next = o.bucket_next
            touch(d, T_ORDER, previous)
        chain.length -= 1
        touch(d, T_BUCKET, o.bucket)
        m.cursor2 = 0
    if m.value1 != 0:
        emit_order(d, io, ORDER_CANCELLED, leaf_of(m), i64(m.order), o, m.value1, 0, o.locked)
    freed = set_cover(s, d, o, i64(0))
    if freed > 0:
        cancel_out(s, d, io, o, freed, leaf_of(m))
        touch(d, T_ORDER, m.order)
    m.pc = P.REMOVE_TIMER if o.timer != 0 else leaving_step(o)


@jit
def leaving_step(o):
    """Step that an order leaves with: what follows it first, then itself."""
    return P.CHILDREN if o.first_child != 0 else P.REMOVE_ORDER


@jit
def step_remove_timer(s, d, io):
    """REMOVE_TIMER: an order that leaves early takes its timer along."""
    m = s.machine[0]
    o = s.order[m.order]
    begin_timer_out(s, d, m, i64(o.timer), leaving_step(o))


@jit
def step_remove_order(s, d, io):
    """REMOVE_ORDER: the lock is freed, holding and account's list let go, the slot is given back.

    The pool of a perpetual's order releases what it held for it.
    """
    m = s.machine[0]
    slot = i64(m.order)
    o = s.order[slot]
    a = s.account[o.account]
    venue = i64(s.market[o.market].venue)
    s.venue[venue].market_orders -= 1
    touch(d, T_VENUE, venue)
    pool = i64(o.pool)
    if pool != 0:
        leave_pool(s, d, slot, o)
    else:
        unlock_money(s, d, o)
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
    if pool != 0:
        begin_release(m, pool, i64(m.return0))
    else:
        m.pc = m.return0
    touch(d, T_MACHINE, 0)


@jit
def unlock_money(s, d, o):
    """Free the lock of an order that leaves; its balances and its holding let go of it."""
    pay, receive = s.balance[o.pay_balance], s.balance[o.receive_balance]
    if o.holding != 0:
        s.holding[o.holding].uses -= 1
        touch(d, T_HOLDING, o.holding)
    pay.free += o.locked
    pay.locked -= o.locked
    pay.uses -= 1
    receive.uses -= 1
    touch(d, T_BALANCE, o.pay_balance)
    touch(d, T_BALANCE, o.receive_balance)


@jit
def leave_pool(s, d, slot, o):
    """Take an order that leaves out of what its pool and its position count."""
    p = s.pool[o.pool]
    change_open_lots(s, d, o, -i64(o.lots))
    set_pool_lock(s, d, o, i64(0))
    if p.forced == slot:
        p.forced = 0
    else:
        p.order_count -= 1
    s.position[o.holding].uses -= 1
    touch(d, T_POOL, o.pool)
    touch(d, T_POSITION, o.holding)
