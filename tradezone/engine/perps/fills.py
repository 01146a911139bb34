"""Meetings and fills of perpetuals (``docs/spec/perps.md``, sections "Matching" and "A fill").

A meeting is checked whole before anything moves: PERP_CHECK leaves the fill in the draft, as it will be, and the steps
behind it only carry it out.

    price, lots                             of the fill
    taker_fee .. maker_extra                what each side pays to market, interface or door
    lock                                    gain of a forced taker that goes to the fund
    pay, receive                            pools of the sides whose position falls; they release at the end
    cover, value                            what taker and maker realised
    pot                                     first the rise of the open interest, lots; then the fees to share out

Registers: ``machine.taker``, ``order`` the two orders, ``count`` the stage of PERP_CHECK, ``value2`` the side that trades.
"""

from __future__ import annotations

from tradezone.engine._jit import i64, jit, ppm_down, ppm_up
from tradezone.engine.balances import credit, find_balance
from tradezone.engine.codec import emit, emit_note
from tradezone.engine.matching import begin_share, fill_done, finish
from tradezone.engine.orders import begin_remove, firm_lots
from tradezone.engine.tables import (
    T_BOOK,
    T_DRAFT,
    T_LEDGER,
    T_LEVEL,
    T_MACHINE,
    T_ORDER,
    T_POSITION,
    T_PRICE,
    touch,
)
from tradezone.engine.wide import compare_products, mul_mul_div_floor
from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    ACCOUNT_FUND,
    ACTIVE,
    BUY,
    CANCEL_CAP,
    CANCEL_HEALTHY,
    CANCEL_LIQUIDATION,
    CANCEL_MARGIN,
    CANCEL_MARKET,
    CANCEL_REDUCE_ONLY,
    ORDER_FORCED,
    ORDER_REDUCE_ONLY,
    PROTOCOL_OWNER,
    SELL,
)
from tradezone.protocol.events import FEES, FILL, REALISED
from tradezone.protocol.limits import LIQ_GAIN, LIQ_GAIN_MAX, MAX_OPEN_VALUE, PPM

from .liquidation import is_open_to_force
from .margin import get_maintenance, get_values
from .touch import (
    begin_release,
    begin_relist,
    begin_touch,
    change_collateral,
    change_open_lots,
    get_order_lock,
    get_side,
    is_opening,
    is_touched,
    receive_income,
    set_pool_lock,
    trade,
    trade_lots,
    values_of,
)

_RULES, _TAKER, _MAKER = 0, 1, 2  # stages of PERP_CHECK
_MASK31 = (1 << 31) - 1
_MASK62 = (1 << 62) - 1


# --- may they meet ---------------------------------------------------------------------------------


@jit
def step_perp_take(s, d, io):
    """PERP_TAKE: a released order's pool lets it take; a forced one is still needed."""
    m = s.machine[0]
    t = s.order[m.taker]
    p = s.pool[t.pool]
    touch(d, T_MACHINE, 0)
    m.pc = P.MATCH
    if (i64(t.flags) & ORDER_FORCED) == 0:
        if p.state != ACTIVE:
            finish(m, CANCEL_LIQUIDATION)
    elif not is_touched(m, p):
        begin_touch(m, i64(t.pool), P.PERP_TAKE)
    else:
        reason = why_not_force(s, t, p)
        if reason != 0:
            finish(m, reason)


@jit
def why_not_force(s, t, p):
    """Reason to cancel released forced order ``t``, whose pool ``p`` is touched; 0 = it may take."""
    is_fund = s.account[p.account].kind == ACCOUNT_FUND
    if not is_fund and p.equity >= p.maintenance:
        return CANCEL_HEALTHY
    if p.equity < 0:
        return CANCEL_LIQUIDATION
    is_open = s.position[t.holding].lots != 0 and is_open_to_force(s, i64(t.market))
    return 0 if is_open else CANCEL_MARKET


@jit
def get_gain(s, t, price, lots):
    """Part of the improvement over the zero price that the fund gets of a fill of forced order ``t``, atoms.

    Its pool's equity is not below zero: not at its release, and no fill passes the margin check that leaves it there.
    """
    p, x = s.pool[t.pool], s.position[t.holding]
    if s.account[p.account].kind == ACCOUNT_FUND:
        return i64(0)
    market = i64(t.market)
    k, r = s.market[market], s.price[market]
    held = i64(x.lots)
    own = get_maintenance(k, r, s.tier[market], held)
    allowed = mul_mul_div_floor(i64(p.equity), own, lots, i64(p.maintenance), abs(held))
    lot_value = i64(k.tick_value) * lots
    loss = get_side(held) * (i64(r.mark) - price) * lot_value
    gain = ppm_down(max(i64(0), allowed - loss), LIQ_GAIN)
    return min(gain, ppm_down(price * lot_value, LIQ_GAIN_MAX))


@jit
def get_change(o, lots):
    """Signed change of a position by a fill of ``lots`` of an order."""
    return i64(lots) if o.side == BUY else -i64(lots)


@jit
def get_reducible(x, side):
    """Lots of a position that an order of ``side`` could close."""
    lots = i64(x.lots)
    if side == SELL:
        return max(i64(0), lots)
    return max(i64(0), -lots)


@jit
def refuse_side(m, taker, order, reason):
    """End the meeting: the taker's turn is over, or the maker leaves and the taker goes on."""
    if order == taker:
        finish(m, reason)
    else:
        begin_remove(m, reason, P.MATCH)


@jit
def is_over_account_cap(k, value, x, change):
    """Whether a fill would grow a position beyond the account's cap."""
    after = abs(i64(x.lots) + change)
    return k.account_cap != 0 and after > abs(i64(x.lots)) and after * value > k.account_cap


@jit
def get_rise(lots, change):
    """By how many lots a trade raises the long side of its market."""
    return max(i64(0), lots + change) - max(i64(0), lots)


@jit
def step_perp_check(s, d, io):
    """PERP_CHECK: states, reduce-only, caps of a meeting, both pools touched; then the margin of taker and maker."""
    m = s.machine[0]
    touch(d, T_MACHINE, 0)
    if m.count == _RULES:
        check_rules(s, d, m)
        return
    f = s.draft[0]
    is_taker = m.count == _TAKER
    order = i64(m.taker) if is_taker else i64(m.order)
    o = s.order[order]
    cost = i64(f.maker_fee) + i64(f.maker_extra)
    if is_taker:
        f.lock = 0
        if (i64(o.flags) & ORDER_FORCED) != 0:
            f.lock = get_gain(s, o, i64(f.price), i64(f.lots))
        touch(d, T_DRAFT, 0)
        cost = i64(f.taker_fee) + i64(f.taker_extra) + i64(f.lock)
    if not has_margin(s, o, i64(f.price), i64(f.lots), cost, is_taker):
        refuse_side(m, i64(m.taker), order, CANCEL_MARGIN)
    elif is_taker:
        m.count = _MAKER
    else:
        m.value2 = 0
        m.pc = P.PERP_TRADE


@jit
def check_rules(s, d, m):
    """Step 9.1 to 9.3 of the matching loop; then the fill is drafted."""
    taker, maker = i64(m.taker), i64(m.order)
    t, o = s.order[taker], s.order[maker]
    taken, made = s.pool[t.pool], s.pool[o.pool]
    if not is_touched(m, taken):
        begin_touch(m, i64(t.pool), P.PERP_CHECK)
        return
    if not is_touched(m, made):
        begin_touch(m, i64(o.pool), P.PERP_CHECK)
        return
    if made.state != ACTIVE:
        refuse_side(m, taker, maker, CANCEL_LIQUIDATION)
        return
    tx, ox = s.position[t.holding], s.position[o.holding]
    lots = i64(min(t.lots, o.lots))
    if (i64(t.flags) & ORDER_REDUCE_ONLY) != 0:
        lots = min(lots, get_reducible(tx, t.side))
        if lots == 0:
            refuse_side(m, taker, taker, CANCEL_REDUCE_ONLY)
            return
    if (i64(o.flags) & ORDER_REDUCE_ONLY) != 0:
        lots = min(lots, get_reducible(ox, o.side))
        if lots == 0:
            refuse_side(m, taker, maker, CANCEL_REDUCE_ONLY)
            return
    k = s.market[m.market]
    lot_value = i64(s.price[m.market].mark) * i64(k.tick_value)
    taken_change, made_change = get_change(t, lots), get_change(o, lots)
    if is_over_account_cap(k, lot_value, tx, taken_change):
        refuse_side(m, taker, taker, CANCEL_CAP)
        return
    if is_over_account_cap(k, lot_value, ox, made_change):
        refuse_side(m, taker, maker, CANCEL_CAP)
        return
    w = s.ledger[k.ledger]
    rise = get_rise(i64(tx.lots), taken_change) + get_rise(i64(ox.lots), made_change)
    if rise > 0:
        after = i64(s.book[m.market].open_lots) + rise
        if (
            after > MAX_OPEN_VALUE // (i64(k.max_price) * i64(k.tick_value))
            or after * lot_value > k.open_interest_cap
            or i64(w.open_value) + rise * lot_value > w.cap
        ):
            refuse_side(m, taker, taker, CANCEL_CAP)
            return
    f = s.draft[0]
    f.price = o.price
    f.lots = lots
    set_fees(f, k, t, o, w.deficit != 0)
    touch(d, T_DRAFT, 0)
    m.count = _TAKER


@jit
def set_fees(f, k, t, o, is_short):
    """Draft the fees of a fill; nobody pays any while the ledger is short of money for claims."""
    base = i64(f.price) * i64(k.tick_value) * i64(f.lots)
    f.taker_fee = 0
    f.maker_fee = 0
    f.taker_extra = 0
    f.maker_extra = 0
    if is_short:
        return
    taker_fee = i64(0)
    if (i64(t.flags) & ORDER_FORCED) == 0:
        taker_fee = ppm_up(base, i64(k.taker_fee))
    if k.maker_fee >= 0:
        f.maker_fee = ppm_up(base, i64(k.maker_fee))
    else:
        kept = ppm_up(taker_fee, i64(k.protocol_share))
        kept += ppm_down(taker_fee, i64(k.referrer_share))
        f.maker_fee = -min(ppm_down(base, -i64(k.maker_fee)), taker_fee - kept)
    f.taker_fee = taker_fee
    f.taker_extra = ppm_up(base, i64(t.interface_fee))
    f.maker_extra = ppm_up(base, i64(o.interface_fee))


@jit
def has_margin(s, o, price, lots, cost, is_taker):
    """Whether a side may fill: its pool, as the fill and its ``cost`` would leave it, has margin or is not worse.

    ``docs/spec/margin.md``, "At every fill". The pool is touched.
    """
    market = i64(o.market)
    k, r, t = s.market[market], s.price[market], s.tier[market]
    x, p = s.position[o.holding], s.pool[o.pool]
    held, change = i64(x.lots), get_change(o, lots)
    buy_lots, sell_lots = i64(x.buy_lots), i64(x.sell_lots)
    if is_opening(o):
        if o.side == BUY:
            buy_lots -= lots
        else:
            sell_lots -= lots
    after, quote, realised = trade_lots(held, i64(x.quote), change, price * i64(k.tick_value))
    old = values_of(k, r, t, x)
    new = get_values(k, r, t, after, quote, buy_lots, sell_lots, i64(x.leverage))
    moved = realised - cost
    equity = i64(p.equity) + moved + new[0] - old[0]
    maintenance = i64(p.maintenance) + new[3] - old[3]
    if is_taker:
        freed = max(i64(0), i64(o.locked) - get_order_lock(k, o, i64(o.lots) - lots))
        asked = i64(p.initial) + new[2] - old[2] + i64(p.order_margin) - freed
        if i64(p.weighted) + moved + new[1] - old[1] >= asked:
            return True
    elif equity >= maintenance:
        return True
    is_reducing = (held > 0 and change < 0) or (held < 0 and change > 0)
    if not is_reducing or lots > abs(held) or equity < 0:
        return False
    return compare_products(equity, i64(p.maintenance), i64(p.equity), maintenance) >= 0


# --- the fill --------------------------------------------------------------------------------------


@jit
def step_perp_trade(s, d, io):
    """PERP_TRADE: one side of the fill trades and pays: taker (``value2`` 0), then maker."""
    m, f = s.machine[0], s.draft[0]
    is_taker = m.value2 == 0
    order = i64(m.taker) if is_taker else i64(m.order)
    o = s.order[order]
    position, pool = i64(o.holding), i64(o.pool)
    lots = i64(f.lots)
    change, held = get_change(o, lots), i64(s.position[position].lots)
    change_open_lots(s, d, o, -lots)
    o.lots -= lots
    o.filled += lots
    lock = get_order_lock(s.market[o.market], o, i64(o.lots))
    set_pool_lock(s, d, o, min(i64(o.locked), lock))
    realised = trade(s, d, position, change, i64(f.price))
    rise = get_rise(held, change)
    falls = pool if (held > 0 and change < 0) or (held < 0 and change > 0) else i64(0)
    if is_taker:
        cost = i64(f.taker_fee) + i64(f.taker_extra) + i64(f.lock)
        f.pot = rise
        f.pay = falls
        f.cover = realised
        back = P.PERP_TRADE
    else:
        cost = i64(f.maker_fee) + i64(f.maker_extra)
        f.pot += rise
        f.receive = falls
        f.value = realised
        back = P.PERP_FILL
    change_collateral(d, s.pool[pool], pool, -cost)
    m.value2 = 1
    m.pc = back
    side = get_side(held)
    if get_side(held + change) != side:
        begin_relist(m, position, side, back)
    touch(d, T_ORDER, order)
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)


@jit
def step_perp_side(s, d, io):
    """PERP_SIDE: position ``cursor``, which stood on side ``count - 1``, joins the end of the list it belongs to."""
    m = s.machine[0]
    slot, before = i64(m.cursor), i64(m.count) - 1
    x = s.position[slot]
    r = s.price[x.market]
    after = get_side(i64(x.lots))
    m.pc = m.return2
    m.cursor = 0
    m.count = 0
    touch(d, T_MACHINE, 0)
    if before == after:
        return
    touch(d, T_POSITION, slot)
    touch(d, T_PRICE, x.market)
    if before != 0:
        previous, following = i64(x.side_previous), i64(x.side_next)
        if previous != 0:
            s.position[previous].side_next = following
            touch(d, T_POSITION, previous)
        elif before > 0:
            r.long_first = following
        else:
            r.short_first = following
        if following != 0:
            s.position[following].side_previous = previous
            touch(d, T_POSITION, following)
        elif before > 0:
            r.long_last = previous
        else:
            r.short_last = previous
    last = i64(0)
    if after > 0:
        last = i64(r.long_last)
        r.long_last = slot
        if last == 0:
            r.long_first = slot
    elif after < 0:
        last = i64(r.short_last)
        r.short_last = slot
        if last == 0:
            r.short_first = slot
    x.side_previous = last
    x.side_next = 0
    if last != 0:
        s.position[last].side_next = slot
        touch(d, T_POSITION, last)


@jit
def step_perp_fill(s, d, io):
    """PERP_FILL: what both trades leave in book and ledger: gain, prices, open interest, the events of the fill."""
    m, f = s.machine[0], s.draft[0]
    taker, maker = i64(m.taker), i64(m.order)
    t, o = s.order[taker], s.order[maker]
    market, k = s.market[m.market], s.book[m.market]
    ledger, level = i64(market.ledger), i64(o.level)
    w, v = s.ledger[ledger], s.level[level]
    lots, rise = i64(f.lots), i64(f.pot)
    k.open_lots += rise
    w.open_value += rise * i64(s.price[m.market].mark) * i64(market.tick_value)
    if f.lock > 0:
        receive_income(s, d, io, ledger, i64(f.lock))
    v.lots -= lots
    v.firm -= firm_lots(o, lots)
    m.trade_seq += 1
    k.last_price = f.price
    k.last_time = m.time
    k.volume_lots = (k.volume_lots + lots) & _MASK62
    k.trades = (i64(k.trades) + 1) & _MASK31
    taken = i64(f.taker_fee) + i64(f.taker_extra)
    made = i64(f.maker_fee) + i64(f.maker_extra)
    emit(
        d, io, FILL, 0, m.market, t.account, o.account,
        (i64(t.generation) << 32) | taker, (i64(o.generation) << 32) | maker,
        t.side, 0, 0, 0, f.price, lots, i64(o.lots), taken + i64(f.lock), made, 0, 0,
    )  # fmt: skip
    if f.pay != 0:
        emit_note(d, io, REALISED, 0, m.market, t.account, 0, 0, 0, 0, i64(f.cover))
    if f.receive != 0:
        emit_note(d, io, REALISED, 0, m.market, o.account, 0, 0, 0, 0, i64(f.value))
    if o.lots == 0:
        f.receive = 0  # its pool releases when the order leaves, and may be gone then
    w.cash -= taken + made
    protocol, referrer = i64(market.protocol_share), i64(market.referrer_share)
    paid = max(i64(f.maker_fee), 0)
    least = ppm_up(i64(f.taker_fee), protocol) + ppm_up(paid, protocol)
    f.least = least + ppm_down(i64(f.taker_fee), referrer) + ppm_down(paid, referrer)
    f.pot = taken + made
    begin_share(s, d, m, market, k, t, o)
    touch(d, T_BOOK, m.market)
    touch(d, T_LEDGER, ledger)
    touch(d, T_LEVEL, level)
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)


@jit
def step_perp_fees(s, d, io):
    """PERP_FEES: the pot of the last fill goes to venue and protocol; the insurance part stays inside the wall."""
    m, f = s.machine[0], s.draft[0]
    market = s.market[m.market]
    venue, ledger = s.venue[market.venue], i64(market.ledger)
    quote = i64(market.quote)
    rest = i64(f.taker_fee) + i64(f.maker_fee) - i64(f.least)
    insurance_share = i64(market.insurance_share)
    to_venue = ppm_down(rest, PPM - insurance_share)
    to_fund = ppm_down(rest, insurance_share)
    to_protocol = i64(f.pot) - to_venue - to_fund
    protocol = i64(s.owner[PROTOCOL_OWNER].first_account)
    credit(s, d, find_balance(s, d, i64(venue.fee_account), quote), to_venue)
    credit(s, d, find_balance(s, d, protocol, quote), to_protocol)
    emit(
        d, io, FEES, 0, m.market, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, to_protocol, to_venue, to_fund, 0, 0
    )
    s.ledger[ledger].cash += to_fund
    touch(d, T_LEDGER, ledger)
    if to_fund > 0:
        receive_income(s, d, io, ledger, to_fund)
    f.pot = 0
    if s.asset[quote].quota_rate != 0:
        m.return0 = P.FILL_DONE
        m.pc = P.QUOTA_CREDIT
    else:
        fill_done(m, s.order[m.taker], s.order[m.order])
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)


@jit
def step_perp_done(s, d, io):
    """PERP_DONE: behind a fill the pool of each side whose position fell releases, the taker's first; then MATCH."""
    m, f = s.machine[0], s.draft[0]
    pool = i64(f.pay) if f.pay != 0 else i64(f.receive)
    if f.pay != 0:
        f.pay = 0
    else:
        f.receive = 0
    m.pc = P.MATCH
    if pool != 0:
        begin_release(m, pool, P.PERP_DONE)
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)
