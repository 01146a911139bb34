"""Release and matching: waiting orders that are due meet the book, one maker a step.

The formulas are those of ``docs/spec/spot.md``, section "A fill". Value is conserved in every step: what
the buyer's balances lose, the seller's and (one step later) the fee accounts' gain.

Registers: ``taker`` the order being matched, ``order`` the maker, or whichever order leaves, ``cursor``
the book the release walk stands on, ``value0`` the fees not yet shared out and ``value2`` the protocol's
least part of them, ``value1`` what becomes of the taker (``REST_IT`` or a cancel reason; 0 = filled).
"""

from __future__ import annotations

from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    BUY,
    CANCEL_EXPIRED,
    CANCEL_FOK,
    CANCEL_IOC,
    CANCEL_MARKET,
    CANCEL_STP,
    PROTOCOL_OWNER,
    STP_BOTH,
    STP_DECREMENT,
    STP_NEWEST,
    STP_OLDEST,
    TAKING,
    TIF_FOK,
    TIF_GTC,
    WAITING,
)
from tradezone.protocol.events import FEES, FILL, ORDER_AMENDED
from tradezone.protocol.limits import BLOCK_MEETINGS, MAX_FILLS, PPM

from ._jit import i64, jit, ppm_down, ppm_up
from .balances import credit, find_balance
from .codec import emit, emit_order
from .orders import (
    FLAG_CANCELLED,
    begin_remove,
    crosses,
    get_notional,
    is_market_open,
    lock_for,
    shrink,
)
from .tables import T_BALANCE, T_BOOK, T_LEVEL, T_MACHINE, T_ORDER, touch

REST_IT = 255  # value1: the taker's rest goes to the book
_MASK31 = (1 << 31) - 1
_MASK62 = (1 << 62) - 1


@jit
def step_release(s, d, io):
    """RELEASE: the book under the cursor is due, is passed over, or ends the walk."""
    m = s.machine[0]
    book = i64(m.cursor)
    if book == 0 or m.met >= BLOCK_MEETINGS or s.book[book].release > m.time:
        m.pc = P.CLOSE
    elif s.book[book].release_block > m.block:
        m.cursor = s.book[book].release_next
    else:
        m.market = book
        m.taker = s.book[book].waiting_first
        m.pc = P.TAKE
    touch(d, T_MACHINE, 0)


@jit
def step_take(s, d, io):
    """TAKE: a released order is still good? FOK looks first; the others match."""
    m = s.machine[0]
    t = s.order[m.taker]
    t.state = TAKING
    t.fills = 0
    m.met += 1
    m.value1 = 0
    if t.expires != 0 and t.expires <= m.time:
        finish(m, CANCEL_EXPIRED)
    elif not is_market_open(s, m, m.market, TIF_GTC):
        finish(m, CANCEL_MARKET)
    elif t.tif == TIF_FOK:
        m.cursor2 = 0
        m.count = 0
        m.value0 = 0
        m.pc = P.FOK_WALK
    else:
        m.pc = P.MATCH
    touch(d, T_ORDER, m.taker)
    touch(d, T_MACHINE, 0)


@jit
def finish(m, what):
    """End the taker's turn: it leaves the queue, then ``what`` becomes of it."""
    m.value1 = what
    m.pc = P.TAKE_POP


@jit
def step_fok_walk(s, d, io):
    """FOK_WALK: one maker that a fill-or-kill order would meet; ``value0`` sums what it may take."""
    m = s.machine[0]
    t = s.order[m.taker]
    maker = i64(m.cursor2)  # the maker looked at last, 0 = none yet
    if maker == 0:
        k = s.book[m.market]
        level = i64(k.best_ask) if t.side == BUY else i64(k.best_bid)
        maker = i64(s.level[level].first) if level != 0 else i64(0)
    else:
        last = s.order[maker]
        level = i64(last.level)
        maker = i64(last.next)
        if maker == 0:
            level = i64(s.level[level].next)
            maker = i64(s.level[level].first) if level != 0 else i64(0)
    if maker == 0 or m.count >= MAX_FILLS or not crosses(t.side, t.price, s.level[level].price):
        finish(m, CANCEL_FOK)
        touch(d, T_MACHINE, 0)
        return
    o = s.order[maker]
    m.cursor2 = maker
    m.count += 1
    m.met += 1
    if o.account == t.account:
        is_good = o.expires == 0 or o.expires > m.time
        if is_good and t.stp != STP_OLDEST and o.seq < t.seq:
            finish(m, CANCEL_FOK)
    elif o.expires == 0 or o.expires > m.time:
        m.value0 += o.lots
        if m.value0 >= t.lots:
            m.pc = P.MATCH
    touch(d, T_MACHINE, 0)


@jit
def step_match(s, d, io):
    """MATCH: the taker meets the oldest order of the best opposite level, or is done."""
    m = s.machine[0]
    taker = i64(m.taker)
    t, k = s.order[taker], s.book[m.market]
    touch(d, T_MACHINE, 0)
    if t.lots == 0:
        finish(m, 0)
        return
    level = i64(k.best_ask) if t.side == BUY else i64(k.best_bid)
    if level == 0 or not crosses(t.side, t.price, s.level[level].price):
        is_resting = t.tif == TIF_GTC and (i64(t.flags) & FLAG_CANCELLED) == 0
        finish(m, REST_IT if is_resting else CANCEL_IOC)
        return
    if t.fills >= MAX_FILLS:
        t.state = WAITING
        t.release_block = m.block + 1
        k.release_block = m.block + 1
        m.cursor = k.release_next
        m.pc = P.RELEASE
        touch(d, T_ORDER, taker)
        touch(d, T_BOOK, m.market)
        return
    v = s.level[level]
    maker = i64(v.first)
    o = s.order[maker]
    t.fills += 1
    m.met += 1
    m.order = maker
    touch(d, T_ORDER, taker)
    if o.expires != 0 and o.expires <= m.time:
        begin_remove(m, CANCEL_EXPIRED, P.MATCH)
        return
    if o.account == t.account:
        if t.stp == STP_OLDEST or o.seq > t.seq:
            begin_remove(m, CANCEL_STP, P.MATCH)  # a later order must not pull a waiting one back
        elif t.stp == STP_NEWEST:
            finish(m, CANCEL_STP)
        elif t.stp == STP_BOTH:
            begin_remove(m, CANCEL_STP, P.STP_TAKER)
        else:
            decrement(s, d, io, m, t, taker, o, maker, v, level)
        return
    v.lots -= min(t.lots, o.lots)
    trade(s, d, io, m, t, taker, o, maker)
    touch(d, T_LEVEL, level)


@jit
def decrement(s, d, io, m, t, taker, o, maker, v, level):
    """Self-trade DECREMENT: both fall by the smaller size, no money changes hands."""
    both = i64(min(t.lots, o.lots))
    v.lots -= both
    touch(d, T_LEVEL, level)
    touch(d, T_ORDER, maker)
    if o.lots == both:
        o.lots = 0  # its lock is freed, and said to be, when it leaves
        begin_remove(m, CANCEL_STP, P.STP_TAKER)
    else:
        shrink(s, d, o, o.lots - both)
        emit_order(d, io, ORDER_AMENDED, 0, maker, o, o.tif, 0, o.locked)
        m.pc = P.STP_TAKER
    m.value2 = both


@jit
def step_stp_taker(s, d, io):
    """STP_TAKER: the taker's half of BOTH and DECREMENT, after the maker's."""
    m = s.machine[0]
    taker = i64(m.taker)
    t = s.order[taker]
    if t.stp == STP_DECREMENT:
        if t.lots == m.value2:
            t.lots = 0
            finish(m, CANCEL_STP)
        else:
            shrink(s, d, t, t.lots - m.value2)
            emit_order(d, io, ORDER_AMENDED, 0, taker, t, t.tif, 0, t.locked)
            m.pc = P.MATCH
        touch(d, T_ORDER, taker)
    else:
        finish(m, CANCEL_STP)
    touch(d, T_MACHINE, 0)


@jit
def bounded_fee(market, o, fee, notional, lots):
    """Cut a fee to what the payer has: a buyer's lock beyond this fill and the rest, a seller's proceeds.

    ``lots`` is what the order has open after the fill.
    """
    room = notional
    if o.side == BUY:
        room = i64(o.locked) - notional - get_notional(market, o.price, lots)
    return min(fee, room)


@jit
def settle(s, d, market, o, lots, notional, fee):
    """Move one side of a fill of ``lots``: pay from the lock, receive, lower the lock to the rest."""
    pay, receive = s.balance[o.pay_balance], s.balance[o.receive_balance]
    rest = i64(o.lots) - lots
    old = i64(o.locked)
    if o.side == BUY:
        spent = notional + fee
        lock = min(old - notional - max(fee, 0), lock_for(market, BUY, o.price, rest))
        receive.free += lots * i64(market.lot_size)
    else:
        spent = lots * i64(market.lot_size)
        lock = old - spent
        receive.free += notional - fee
    pay.locked -= old - lock
    pay.free += old - lock - spent
    o.locked = lock
    o.lots = rest
    o.filled += lots
    touch(d, T_BALANCE, o.pay_balance)
    touch(d, T_BALANCE, o.receive_balance)


@jit
def trade(s, d, io, m, t, taker, o, maker):
    """Fill taker ``t`` against maker ``o`` at the maker's price."""
    market, k = s.market[m.market], s.book[m.market]
    lots = i64(min(t.lots, o.lots))
    price = i64(o.price)
    notional = get_notional(market, price, lots)
    taker_fee = ppm_up(notional, i64(market.taker_fee))
    taker_fee = bounded_fee(market, t, taker_fee, notional, t.lots - lots)
    if market.maker_fee >= 0:
        maker_fee = ppm_up(notional, i64(market.maker_fee))
        maker_fee = bounded_fee(market, o, maker_fee, notional, o.lots - lots)
    else:
        rebate = ppm_down(notional, -i64(market.maker_fee))
        maker_fee = -min(rebate, taker_fee - ppm_up(taker_fee, i64(market.protocol_share)))
    settle(s, d, market, t, lots, notional, taker_fee)
    settle(s, d, market, o, lots, notional, maker_fee)
    m.trade_seq += 1
    k.last_price = price
    k.last_time = m.time
    k.volume_lots = (k.volume_lots + lots) & _MASK62
    k.trades = (i64(k.trades) + 1) & _MASK31
    emit(
        d, io, FILL, 0, m.market, t.account, o.account,
        (i64(t.generation) << 32) | taker, (i64(o.generation) << 32) | maker,
        t.side, 0, 0, 0, price, lots, o.lots, taker_fee, maker_fee, 0, 0,
    )  # fmt: skip
    m.value0 = taker_fee + maker_fee
    share = i64(market.protocol_share)
    m.value2 = ppm_up(taker_fee, share) + ppm_up(max(maker_fee, 0), share)
    if m.value0 > 0:
        m.pc = P.FEES
    else:
        after_fill(m, o.lots)
    touch(d, T_ORDER, taker)
    touch(d, T_ORDER, maker)
    touch(d, T_BOOK, m.market)


@jit
def after_fill(m, left):
    """Let a maker without lots leave the book; then the taker goes on."""
    if left == 0:
        begin_remove(m, 0, P.MATCH)
    else:
        m.pc = P.MATCH


@jit
def step_fees(s, d, io):
    """FEES: the pot of the last fill goes to venue, insurance fund and protocol; nothing is left."""
    m = s.machine[0]
    market = s.market[m.market]
    venue = s.venue[market.venue]
    pot, rest = i64(m.value0), i64(m.value0) - i64(m.value2)
    insurance_share = i64(market.insurance_share)
    to_venue = ppm_down(rest, PPM - insurance_share)
    to_fund = ppm_down(rest, insurance_share)
    to_protocol = pot - to_venue - to_fund
    protocol = i64(s.owner[PROTOCOL_OWNER].first_account)
    credit(s, d, find_balance(s, d, i64(venue.fee_account), i64(market.quote)), to_venue)
    credit(s, d, find_balance(s, d, i64(venue.fund_account), i64(market.quote)), to_fund)
    credit(s, d, find_balance(s, d, protocol, i64(market.quote)), to_protocol)
    emit(
        d, io, FEES, 0, m.market, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, to_protocol, to_venue, to_fund, 0, 0
    )
    m.value0 = 0
    after_fill(m, s.order[m.order].lots)
    touch(d, T_MACHINE, 0)


@jit
def step_take_pop(s, d, io):
    """TAKE_POP: the taker leaves the release queue; its book keeps, changes or loses its place."""
    m = s.machine[0]
    t, k = s.order[m.taker], s.book[m.market]
    second, later = i64(t.next), i64(k.release_next)
    k.waiting_first = second
    k.waiting_count -= 1
    t.next = 0
    touch(d, T_ORDER, m.taker)
    touch(d, T_BOOK, m.market)
    touch(d, T_MACHINE, 0)
    m.pc = P.DISPOSE
    is_moving = True
    if second == 0:
        k.waiting_last = 0
        k.release = 0
        k.release_seq = 0
        k.release_block = 0
    else:
        o = s.order[second]
        o.previous = 0
        k.release = o.release
        k.release_seq = o.seq
        k.release_block = o.release_block
        touch(d, T_ORDER, second)
        is_moving = later != 0 and is_before(s.book[later], k)
    if not is_moving:
        return  # the cursor stays: the new head may be due as well
    m.cursor = later
    before = i64(k.release_previous)
    if before != 0:
        s.book[before].release_next = later
        touch(d, T_BOOK, before)
    else:
        m.release_first = later
    if later != 0:
        s.book[later].release_previous = before
        touch(d, T_BOOK, later)
    k.release_next = 0
    k.release_previous = 0
    if second != 0:
        m.cursor2 = s.book[later].release_next
        m.value2 = later
        m.return0 = P.DISPOSE
        m.pc = P.BOOK_INSERT


@jit
def is_before(k, other):
    """Whether book ``k``'s key is smaller than ``other``'s; keys are never equal."""
    return k.release < other.release or (
        k.release == other.release and k.release_seq < other.release_seq
    )


@jit
def step_dispose(s, d, io):
    """DISPOSE: the taker, off its queue, rests or is gone."""
    m = s.machine[0]
    m.order = m.taker
    m.taker = 0
    m.return0 = P.RELEASE
    if m.value1 == REST_IT:
        m.pc = P.REST
    else:
        m.pc = P.REMOVE_BUCKET
        m.cursor2 = 0
    touch(d, T_MACHINE, 0)
