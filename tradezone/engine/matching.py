"""Release and matching: waiting orders that are due meet the book, one maker a step.

The formulas are those of ``docs/spec/orders.md``, section "A fill". Value is conserved in every step: what
the buyer's balances lose, the seller's and (some steps later) the receivers of its fees gain.

Registers: ``taker`` the order being matched, ``order`` the maker, or whichever order leaves, ``value1`` what
becomes of the taker (``REST_IT`` or a cancel reason; 0 = filled), ``value2`` the lots of a DECREMENT, ``count``
whose fee is being shared out (0 = the taker's). The fees of the fill stand in ``draft[0]``.
"""

from __future__ import annotations

from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    BUY,
    CANCEL_BAND,
    CANCEL_CAP,
    CANCEL_EXPIRED,
    CANCEL_FOK,
    CANCEL_IOC,
    CANCEL_MARKET,
    CANCEL_STP,
    MARKET_OUTCOME,
    MARKET_PERP,
    ORDER_ARMED,
    ORDER_CANCELLED_WAITING,
    PROTOCOL_OWNER,
    STP_BOTH,
    STP_DECREMENT,
    STP_MODE,
    STP_NEWEST,
    STP_OLDEST,
    TAKING,
    TIF_FOK,
    TIF_GTC,
    WAITING,
)
from tradezone.protocol.events import FEE_SHARE, FEES, FILL
from tradezone.protocol.limits import BLOCK_MEETINGS, MAX_FILLS, PPM

from ._jit import i64, jit, ppm_down, ppm_up
from .balances import credit, find_balance
from .codec import emit
from .heaps import heap_size, push_book, rekey_book, take_out
from .holdings import annihilate
from .orders import (
    begin_remove,
    behind_shrink,
    crosses,
    firm_lots,
    get_fee_base,
    get_notional,
    is_capped,
    is_own,
    lock_for,
    shrink,
)
from .outcome import MAKER, TAKER, capped_side, outcome_room, settle_outcome
from .perps.bands import is_outside_band
from .perps.touch import change_open_lots
from .phases import is_admitted, is_beyond, is_restart_closed, move_anchor
from .tables import (
    T_ACCOUNT,
    T_BALANCE,
    T_BOOK,
    T_DRAFT,
    T_LEVEL,
    T_MACHINE,
    T_ORDER,
    T_QUEUE,
    is_used,
    touch,
)
from .triggers import has_triggers, note_price

REST_IT = 255  # value1: the taker's rest goes to the book
_MASK31 = (1 << 31) - 1
_MASK62 = (1 << 62) - 1


@jit
def is_release_over(s, m):
    """Whether nothing more is released in this block."""
    if m.met >= BLOCK_MEETINGS or heap_size(s, T_QUEUE) == 0:
        return True
    return s.queue[1].release > m.time


@jit
def step_release(s, d, io):
    """RELEASE: the first book's head is taken, the book is passed over, or the release ends."""
    m = s.machine[0]
    touch(d, T_MACHINE, 0)
    if is_release_over(s, m):
        if m.passed_first != 0:
            m.pc = P.REQUEUE
        else:
            end_release(s, m)
        return
    book = i64(s.queue[1].book)
    k = s.book[book]
    if k.release_block > m.block:
        k.queue = 0
        k.passed_next = m.passed_first
        m.passed_first = book
        touch(d, T_BOOK, book)
        take_out(s, d, m, T_QUEUE, i64(1), P.RELEASE)
    else:
        m.market = book
        m.taker = k.waiting_first
        m.pc = P.TAKE


@jit
def end_release(s, m):
    """Behind the release: plans whose price was reached, if there are any."""
    m.pc = P.TRIGGER if s.agenda[0].trigger_first != 0 else P.CLOSE


@jit
def step_requeue(s, d, io):
    """REQUEUE: one book that the release passed over returns to the heap."""
    m = s.machine[0]
    touch(d, T_MACHINE, 0)
    book = i64(m.passed_first)
    if book == 0:
        end_release(s, m)
        return
    k = s.book[book]
    m.passed_first = k.passed_next
    k.passed_next = 0
    touch(d, T_BOOK, book)
    push_book(s, d, m, book, P.REQUEUE)


@jit
def is_taker_admitted(s, m, t):
    """Whether the phases in force, those of its door among them, let an order take now."""
    time = i64(m.time)
    if is_restart_closed(s, time, TIF_GTC):
        return False
    if t.door != 0 and not is_admitted(s, i64(t.door), time, TIF_GTC, i64(t.flags)):
        return False
    return is_admitted(s, i64(m.market), time, TIF_GTC, i64(t.flags))


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
    elif not is_taker_admitted(s, m, t) or (t.tif == TIF_FOK and is_capped(s, m.market)):
        finish(m, CANCEL_MARKET)
    else:
        k = s.market[m.market]
        if k.band != 0 and k.kind != MARKET_PERP:
            move_anchor(s, d, io, i64(m.market), i64(m.time), i64(0))
        m.pc = P.MATCH if k.kind != MARKET_PERP else P.PERP_TAKE
        if t.tif == TIF_FOK:
            m.cursor2 = 0
            m.count = 0
            m.value0 = 0
            m.pc = P.FOK_WALK
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
    market, k = s.market[m.market], s.book[m.market]
    is_end = maker == 0 or m.count >= MAX_FILLS
    if not is_end:
        price = i64(s.level[level].price)
        is_end = not crosses(t.side, t.price, price) or is_beyond(market, k, t.side, price)
    if is_end:
        finish(m, CANCEL_FOK)
        touch(d, T_MACHINE, 0)
        return
    o = s.order[maker]
    m.cursor2 = maker
    m.count += 1
    m.met += 1
    is_good = o.expires == 0 or o.expires > m.time
    if is_own(t, o):
        if is_good and (i64(t.stp) & STP_MODE) != STP_OLDEST and o.seq < t.seq:
            finish(m, CANCEL_FOK)
    elif is_good and not is_beyond(market, k, o.side, o.price):
        m.value0 += o.lots
        if m.value0 >= t.lots:
            m.pc = P.MATCH
    touch(d, T_MACHINE, 0)


@jit
def is_outside(s, m, market, k, side, price):
    """Whether an order of ``side`` may not trade at ``price`` in book ``k``: a buy above the band, a sell below."""
    if market.kind == MARKET_PERP:
        return is_outside_band(s, i64(m.market), i64(m.time), side, price)
    return is_beyond(market, k, side, price)


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
        is_resting = t.tif == TIF_GTC and (i64(t.flags) & ORDER_CANCELLED_WAITING) == 0
        finish(m, REST_IT if is_resting else CANCEL_IOC)
        return
    market = s.market[m.market]
    if is_outside(s, m, market, k, t.side, i64(s.level[level].price)):
        finish(m, CANCEL_BAND)
        return
    if t.fills >= MAX_FILLS:
        t.state = WAITING
        t.release_block = m.block + 1
        k.release_block = m.block + 1
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
    if is_own(t, o):
        mode = i64(t.stp) & STP_MODE
        if mode == STP_OLDEST or o.seq > t.seq:
            begin_remove(m, CANCEL_STP, P.MATCH)  # a later order must not pull a waiting one back
        elif mode == STP_NEWEST:
            finish(m, CANCEL_STP)
        elif mode == STP_BOTH:
            begin_remove(m, CANCEL_STP, P.STP_TAKER)
        else:
            decrement(s, d, io, m, t, taker, o, maker, v, level)
        return
    if is_outside(s, m, market, k, o.side, i64(o.price)):
        begin_remove(m, CANCEL_BAND, P.MATCH)
        return
    if market.kind == MARKET_PERP:
        m.count = 0
        m.pc = P.PERP_CHECK
        return
    lots = i64(min(t.lots, o.lots))
    if market.kind == MARKET_OUTCOME:
        capped = capped_side(s, i64(m.market), t, o, lots)
        if capped == TAKER:
            finish(m, CANCEL_CAP)
            return
        if capped == MAKER:
            begin_remove(m, CANCEL_CAP, P.MATCH)
            return
        trade_outcome(s, d, io, m, t, taker, o, maker, lots)
    else:
        trade(s, d, io, m, t, taker, o, maker, lots)
    v.lots -= lots
    touch(d, T_LEVEL, level)
    begin_share(s, d, m, market, k, t, o)


@jit
def decrement(s, d, io, m, t, taker, o, maker, v, level):
    """Self-trade DECREMENT: both fall by the smaller size, no money changes hands."""
    both = i64(min(t.lots, o.lots))
    v.lots -= both
    v.firm -= firm_lots(o, both)
    touch(d, T_LEVEL, level)
    touch(d, T_ORDER, maker)
    if o.lots == both:
        empty(s, d, o)
        begin_remove(m, CANCEL_STP, P.STP_TAKER)
    else:
        shrink(s, d, io, maker, o, i64(o.lots) - both, i64(0))
        behind_shrink(m, o, P.STP_TAKER)
    m.value2 = both


@jit
def empty(s, d, o):
    """Take the open lots off an order that leaves by DECREMENT; its lock is freed, and said to be, when it does."""
    if o.pool != 0:
        change_open_lots(s, d, o, -i64(o.lots))
    o.lots = 0


@jit
def step_stp_taker(s, d, io):
    """STP_TAKER: the taker's half of BOTH and DECREMENT, after the maker's."""
    m = s.machine[0]
    taker = i64(m.taker)
    t = s.order[taker]
    if (i64(t.stp) & STP_MODE) == STP_DECREMENT:
        if t.lots == m.value2:
            empty(s, d, t)
            finish(m, CANCEL_STP)
        else:
            shrink(s, d, io, taker, t, i64(t.lots) - i64(m.value2), i64(0))
            behind_shrink(m, t, P.MATCH)
        touch(d, T_ORDER, taker)
    else:
        finish(m, CANCEL_STP)
    touch(d, T_MACHINE, 0)


# --- fills -----------------------------------------------------------------------------------------


@jit
def fees_of(market, base, taker_extra, maker_extra, taker_room, maker_room):
    """Fees of a fill as (taker's, interface's of the taker, maker's, interface's of the maker).

    ``base`` is what fees are a part of, ``*_extra`` the interface rates, ``*_room`` what the two can pay.
    """
    taker_fee = min(ppm_up(base, i64(market.taker_fee)), taker_room)
    if market.maker_fee >= 0:
        maker_fee = min(ppm_up(base, i64(market.maker_fee)), maker_room)
    else:
        rebate = ppm_down(base, -i64(market.maker_fee))
        kept = ppm_up(taker_fee, i64(market.protocol_share))
        kept += ppm_down(taker_fee, i64(market.referrer_share))
        maker_fee = -min(rebate, taker_fee - kept)
    taker_part = min(ppm_up(base, taker_extra), taker_room - taker_fee)
    maker_part = min(ppm_up(base, maker_extra), maker_room - max(maker_fee, 0))
    return taker_fee, taker_part, maker_fee, maker_part


@jit
def room_of(market, o, notional, lots):
    """Return what a side of a spot fill can pay: a buyer's lock beyond the fill and the rest, a seller's proceeds.

    ``lots`` is what the order has open after the fill.
    """
    if o.side == BUY:
        return i64(o.locked) - notional - get_notional(market, o.price, lots)
    return notional


@jit
def settle(s, d, market, o, lots, notional, fee):
    """Move one side of a fill of ``lots``: pay from the lock, receive, lower the lock to the rest."""
    pay, receive = s.balance[o.pay_balance], s.balance[o.receive_balance]
    rest = i64(o.lots) - lots
    old = i64(o.locked)
    if o.side == BUY:
        spent = notional + fee
        lock = lock_for(market, BUY, o.price, rest, o.interface_fee)
        lock = min(old - notional - max(fee, 0), lock)
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
def trade(s, d, io, m, t, taker, o, maker, lots):
    """Fill taker ``t`` against maker ``o`` of a spot market at the maker's price."""
    market = s.market[m.market]
    price = i64(o.price)
    notional = get_notional(market, price, lots)
    taker_fee, taker_part, maker_fee, maker_part = fees_of(
        market, notional, i64(t.interface_fee), i64(o.interface_fee),
        room_of(market, t, notional, t.lots - lots), room_of(market, o, notional, o.lots - lots),
    )  # fmt: skip
    settle(s, d, market, t, lots, notional, taker_fee + taker_part)
    settle(s, d, market, o, lots, notional, maker_fee + maker_part)
    record_fill(
        s, d, io, m, t, taker, o, maker, price, lots, taker_fee, taker_part, maker_fee, maker_part
    )


@jit
def trade_outcome(s, d, io, m, t, taker, o, maker, lots):
    """Fill taker ``t`` against maker ``o`` of an outcome; free Yes and No lots then cancel each other."""
    slot = i64(m.market)
    market = s.market[slot]
    price = i64(o.price)
    taker_fee, taker_part, maker_fee, maker_part = fees_of(
        market, get_fee_base(market, price, lots), i64(t.interface_fee), i64(o.interface_fee),
        outcome_room(market, t, price, lots), outcome_room(market, o, price, lots),
    )  # fmt: skip
    settle_outcome(s, d, slot, t, price, lots, taker_fee + taker_part)
    settle_outcome(s, d, slot, o, price, lots, maker_fee + maker_part)
    record_fill(
        s, d, io, m, t, taker, o, maker, price, lots, taker_fee, taker_part, maker_fee, maker_part
    )
    annihilate(s, d, io, i64(t.holding), i64(t.pay_balance), i64(0))
    annihilate(s, d, io, i64(o.holding), i64(o.pay_balance), i64(0))


@jit
def record_fill(
    s, d, io, m, t, taker, o, maker, price, lots, taker_fee, taker_part, maker_fee, maker_part
):  # fmt: skip
    """Leave what every fill leaves: the book's last price and volume, the event, the fees to share out."""
    market, k, f = s.market[m.market], s.book[m.market], s.draft[0]
    m.trade_seq += 1
    k.last_price = price
    k.last_time = m.time
    k.volume_lots = (k.volume_lots + lots) & _MASK62
    k.trades = (i64(k.trades) + 1) & _MASK31
    if market.band != 0:
        k.band_last = price
    emit(
        d, io, FILL, 0, m.market, t.account, o.account,
        (i64(t.generation) << 32) | taker, (i64(o.generation) << 32) | maker,
        t.side, 0, 0, 0, price, lots, o.lots,
        taker_fee + taker_part, maker_fee + maker_part, 0, 0,
    )  # fmt: skip
    protocol, referrer = i64(market.protocol_share), i64(market.referrer_share)
    paid = max(maker_fee, 0)
    f.taker_fee = taker_fee
    f.maker_fee = maker_fee
    f.taker_extra = taker_part
    f.maker_extra = maker_part
    f.pot = taker_fee + maker_fee + taker_part + maker_part
    least = ppm_up(taker_fee, protocol) + ppm_up(paid, protocol)
    f.least = least + ppm_down(taker_fee, referrer) + ppm_down(paid, referrer)
    touch(d, T_DRAFT, 0)
    touch(d, T_ORDER, taker)
    touch(d, T_ORDER, maker)
    touch(d, T_BOOK, m.market)


@jit
def begin_share(s, d, m, market, k, t, o):
    """Behind a fill: plans learn its price, its fees are shared out; each step only if it has to be."""
    if has_triggers(k):
        m.pc = P.NOTE_PRICE
    else:
        share_next(s.draft[0], m, market, t, o, 0)


@jit
def step_note_price(s, d, io):
    """NOTE_PRICE: the plans of the market are to be looked at with the price of this fill."""
    m = s.machine[0]
    note_price(s, d, i64(m.market), i64(s.book[m.market].last_price))
    share_next(s.draft[0], m, s.market[m.market], s.order[m.taker], s.order[m.order], 0)
    touch(d, T_MACHINE, 0)


@jit
def share_next(f, m, market, t, o, done):
    """Choose the next step of sharing out the fees: 1, 2 interfaces, 3, 4 referrers, 5 the rest; ``done`` are behind."""
    m.count = 0
    if done < 1 and f.taker_extra != 0:
        m.pc = P.FEE_EXTRA
    elif done < 2 and f.maker_extra != 0:
        m.count = 1
        m.pc = P.FEE_EXTRA
    elif done < 3 and market.referrer_share != 0 and f.taker_fee > 0:
        m.pc = P.FEE_REFERRER
    elif done < 4 and market.referrer_share != 0 and f.maker_fee > 0:
        m.count = 1
        m.pc = P.FEE_REFERRER
    elif f.pot > 0:
        m.pc = P.FEES if market.kind != MARKET_PERP else P.PERP_FEES
    else:
        fill_done(m, t, o)


@jit
def pay_share(s, d, io, m, f, account, order, o, flag, amount):
    """Pay a part of the fees to an account that holds the quote asset; else it stays in the pot."""
    quote = i64(s.market[m.market].quote)
    slot = find_balance(s, d, account, quote)
    if slot == 0:
        return
    credit(s, d, slot, amount)
    f.pot -= amount
    touch(d, T_DRAFT, 0)
    emit(
        d, io, FEE_SHARE, 0, m.market, account, 0, (i64(o.generation) << 32) | order, 0,
        0, 0, flag, 0, 0, 0, 0, amount, 0, 0, 0,
    )  # fmt: skip


@jit
def step_fee_extra(s, d, io):
    """FEE_EXTRA: the part of an interface or guest venue in what one side paid."""
    m, f = s.machine[0], s.draft[0]
    order = i64(m.taker) if m.count == 0 else i64(m.order)
    o = s.order[order]
    amount = i64(f.taker_extra) if m.count == 0 else i64(f.maker_extra)
    if is_used(s, T_ACCOUNT, i64(o.interface)):
        pay_share(s, d, io, m, f, i64(o.interface), order, o, 1, amount)
    market = s.market[m.market]
    share_next(f, m, market, s.order[m.taker], s.order[m.order], i64(m.count) + 1)
    touch(d, T_MACHINE, 0)


@jit
def step_fee_referrer(s, d, io):
    """FEE_REFERRER: the part of whoever introduced the owner of one side."""
    m, f, market = s.machine[0], s.draft[0], s.market[s.machine[0].market]
    order = i64(m.taker) if m.count == 0 else i64(m.order)
    o = s.order[order]
    fee = i64(f.taker_fee) if m.count == 0 else i64(f.maker_fee)
    amount = ppm_down(fee, i64(market.referrer_share))
    referrer = i64(s.owner[o.owner].referrer)
    if amount > 0 and referrer != 0:
        account = i64(s.owner[referrer].first_account)
        pay_share(s, d, io, m, f, account, order, o, 2, amount)
    share_next(f, m, market, s.order[m.taker], s.order[m.order], i64(m.count) + 3)
    touch(d, T_MACHINE, 0)


@jit
def step_fees(s, d, io):
    """FEES: the pot of the last fill goes to venue, insurance fund and protocol; nothing is left."""
    m, f = s.machine[0], s.draft[0]
    market = s.market[m.market]
    venue = s.venue[market.venue]
    quote = i64(market.quote)
    rest = i64(f.taker_fee) + i64(f.maker_fee) - i64(f.least)
    insurance_share = i64(market.insurance_share)
    to_venue = ppm_down(rest, PPM - insurance_share)
    to_fund = ppm_down(rest, insurance_share)
    to_protocol = i64(f.pot) - to_venue - to_fund
    protocol = i64(s.owner[PROTOCOL_OWNER].first_account)
    credit(s, d, find_balance(s, d, i64(venue.fee_account), quote), to_venue)
    credit(s, d, find_balance(s, d, i64(venue.fund_account), quote), to_fund)
    credit(s, d, find_balance(s, d, protocol, quote), to_protocol)
    emit(
        d, io, FEES, 0, m.market, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, to_protocol, to_venue, to_fund, 0, 0
    )
    f.pot = 0
    if s.asset[quote].quota_rate != 0:
        m.return0 = P.FILL_DONE
        m.pc = P.QUOTA_CREDIT
    else:
        fill_done(m, s.order[m.taker], s.order[m.order])
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)


@jit
def step_fill_done(s, d, io):
    """FILL_DONE: all of the fill is shared out."""
    m = s.machine[0]
    fill_done(m, s.order[m.taker], s.order[m.order])
    touch(d, T_MACHINE, 0)


@jit
def is_arming(o):
    """Whether an order that was filled has children that are not armed yet."""
    return o.first_child != 0 and (i64(o.flags) & ORDER_ARMED) == 0


@jit
def fill_done(m, t, o):
    """Children of the two are armed; then a maker without lots leaves; the taker goes on."""
    m.count = 0
    back = P.MATCH if t.pool == 0 else P.PERP_DONE
    if is_arming(t) or is_arming(o):
        m.pc = P.ARM
    elif o.lots == 0:
        begin_remove(m, 0, back)
    else:
        m.pc = back


@jit
def step_take_pop(s, d, io):
    """TAKE_POP: the taker leaves the release queue; its book gets the next one's key or leaves the heap."""
    m = s.machine[0]
    t, k = s.order[m.taker], s.book[m.market]
    second = i64(t.next)
    k.waiting_first = second
    k.waiting_count -= 1
    t.next = 0
    touch(d, T_ORDER, m.taker)
    touch(d, T_BOOK, m.market)
    touch(d, T_MACHINE, 0)
    if second == 0:
        k.waiting_last = 0
        k.release = 0
        k.release_seq = 0
        k.release_block = 0
        node = i64(k.queue)
        k.queue = 0
        take_out(s, d, m, T_QUEUE, node, P.DISPOSE)
    else:
        o = s.order[second]
        o.previous = 0
        k.release = o.release
        k.release_seq = o.seq
        k.release_block = o.release_block
        touch(d, T_ORDER, second)
        rekey_book(s, d, m, i64(m.market), P.DISPOSE)


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
