"""Admission of orders of perpetuals: checks 19 and 20 of PLACE and of an AMEND that re-places (``docs/spec/perps.md``).

What POOL_FIND found stands in the draft: ``pay`` the pool, ``holding`` the position (0 = to be opened), ``found`` the
market of the pool, ``receive`` its ledger, ``cover`` the leverage. The checks add ``lots`` (cut, if reduce-only), ``lock``,
``least`` (the reserve of a lot) and ``pot`` (the pull). Nothing but funding moves before all of them hold.

An AMEND is checked with the old order taken out: ``get_old_lots`` and ``get_old_lock`` say what that is.
"""

from __future__ import annotations

from tradezone.engine._jit import i64, jit
from tradezone.engine.balances import can_open, find_balance
from tradezone.engine.orders import (
    NOTHING_TO_REDUCE,
    NOTIONAL_TOO_SMALL,
    OK,
    TABLE_FULL,
    get_notional,
    refuse,
    step_perp_terms,
)
from tradezone.engine.tables import T_DRAFT, T_MACHINE, T_ORDER, T_POOL, T_POSITION, has_room, touch
from tradezone.engine.timers import has_timer_room
from tradezone.protocol import actions as A
from tradezone.protocol import steps as P
from tradezone.protocol.enums import ACTIVE, ORDER_REDUCE_ONLY, SELL
from tradezone.protocol.errors import Code
from tradezone.protocol.limits import MAX_POOLS, MAX_POSITION_VALUE, MAX_POSITIONS

from .fills import (
    get_reducible,
    step_perp_check,
    step_perp_done,
    step_perp_fees,
    step_perp_fill,
    step_perp_side,
    step_perp_take,
    step_perp_trade,
)
from .margin import get_initial, get_reserve, get_worst, weigh
from .touch import (
    add_open_lots,
    begin_open_pool,
    begin_open_position,
    begin_pull,
    begin_touch,
    get_lock,
    is_opening,
    values_of,
)

_POOL_BUSY = int(Code.POOL_BUSY)
_TOO_MANY_POOLS = int(Code.TOO_MANY_POOLS)
_TOO_MANY_POSITIONS = int(Code.TOO_MANY_POSITIONS)
_POSITION_TOO_LARGE = int(Code.POSITION_TOO_LARGE)
_OPEN_INTEREST_CAP = int(Code.OPEN_INTEREST_CAP)
_ACCOUNT_CAP = int(Code.ACCOUNT_CAP)
_VENUE_CAP = int(Code.VENUE_CAP)
_INSUFFICIENT_MARGIN = int(Code.INSUFFICIENT_MARGIN)

_ROOM, _CAPS = 1, 2  # stages of PLACE_PERP, by machine.count; POOL_FIND leaves 1
_TERMS, _MOVE = 0, 1  # of AMEND_PERP
_MARGIN, _ENTER, _JOIN = 0, 1, 2  # of PLACE_MARGIN


# --- check 19 --------------------------------------------------------------------------------------


@jit
def get_old_lots(s, m):
    """Open lots that the running item takes out of its position first: those of an order that is amended."""
    if m.action != A.AMEND:
        return i64(0)
    o = s.order[m.order]
    return i64(o.lots) if is_opening(o) else i64(0)


@jit
def get_old_lock(s, m):
    """Lock that the running item takes out of its pool first."""
    return i64(s.order[m.order].locked) if m.action == A.AMEND else i64(0)


@jit
def reduce_error(s, k, f):
    """Check 19b: cut the draft to what its position has for it to close; 0 or the error."""
    closable = i64(0)
    if f.holding != 0:
        closable = get_reducible(s.position[f.holding], f.side)
    if closable < 1:
        return NOTHING_TO_REDUCE
    f.lots = min(i64(f.lots), closable)
    if f.lots != closable and get_notional(k, f.price, f.lots) < k.min_notional:
        return NOTIONAL_TOO_SMALL
    f.lock = 0
    f.least = 0
    f.pot = 0
    return OK


@jit
def room_error(s, d, m, k, f):
    """Make checks 19c to 19e: balance, pool and position exist or can be opened."""
    if f.pay == 0:
        account = i64(m.account)
        if find_balance(s, d, account, i64(k.quote)) == 0:
            error = can_open(s, account)
            if error != OK:
                return error
        if s.account[account].pool_count >= MAX_POOLS:
            return i64(_TOO_MANY_POOLS)
        if not has_room(s, T_POOL, 1):
            return i64(TABLE_FULL)
    elif f.holding == 0 and s.pool[f.pay].position_count >= MAX_POSITIONS:
        return i64(_TOO_MANY_POSITIONS)
    if f.holding == 0 and not has_room(s, T_POSITION, 1):
        return i64(TABLE_FULL)
    return i64(OK)


@jit
def get_open_lots(s, m, f):
    """Lots, buy lots and sell lots of the draft's position without an order that is amended."""
    held, buy_lots, sell_lots = i64(0), i64(0), i64(0)
    if f.holding != 0:
        x = s.position[f.holding]
        held, buy_lots, sell_lots = i64(x.lots), i64(x.buy_lots), i64(x.sell_lots)
        if f.side == SELL:
            sell_lots -= get_old_lots(s, m)
        else:
            buy_lots -= get_old_lots(s, m)
    return held, buy_lots, sell_lots


@jit
def get_new_worst(s, m, f):
    """Lots of the position's worst side with the draft."""
    held, buy_lots, sell_lots = get_open_lots(s, m, f)
    if f.side == SELL:
        return get_worst(held, buy_lots, sell_lots + i64(f.lots))
    return get_worst(held, buy_lots + i64(f.lots), sell_lots)


@jit
def cap_error(s, m, k, f, interface_fee):
    """Make checks 19f to 19i, then draft reserve and lock; 0 or the error."""
    market = i64(f.market)
    r = s.price[market]
    held, buy_lots, sell_lots = get_open_lots(s, m, f)
    most = MAX_POSITION_VALUE // (i64(k.max_price) * i64(k.tick_value))
    if abs(held) + buy_lots + sell_lots + i64(f.lots) > most:
        return _POSITION_TOO_LARGE
    worst = get_new_worst(s, m, f)
    if worst > get_worst(held, buy_lots, sell_lots):
        lot_value = i64(r.mark) * i64(k.tick_value)
        w = s.ledger[k.ledger]
        if i64(s.book[market].open_lots) * lot_value >= k.open_interest_cap:
            return _OPEN_INTEREST_CAP
        if w.open_value >= w.cap:
            return _VENUE_CAP
        if k.account_cap != 0 and worst * lot_value > k.account_cap:
            return _ACCOUNT_CAP
    f.least = get_reserve(k, r, i64(f.side), i64(f.price))
    f.lock = get_lock(k, i64(f.price), i64(f.lots), i64(f.least), interface_fee, i64(f.flags))
    return OK


@jit
def begin_margin(m, f):
    """On to check 20, with the pool touched if there is one."""
    m.count = _MARGIN
    m.pc = P.PLACE_MARGIN
    if f.pay != 0:
        begin_touch(m, i64(f.pay), P.PLACE_MARGIN)


@jit
def step_place_perp(s, d, io):
    """PLACE_PERP: check 19 of the draft: pool, reduce-only and room; then size and caps."""
    m, f = s.machine[0], s.draft[0]
    k = s.market[f.market]
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)
    error = i64(OK)
    if m.count == _CAPS:
        error = i64(cap_error(s, m, k, f, i64(f.interface_fee)))
        if error == OK:
            begin_margin(m, f)
    elif f.pay != 0 and s.pool[f.pay].state != ACTIVE:
        error = i64(_POOL_BUSY)
    elif (i64(f.flags) & ORDER_REDUCE_ONLY) != 0:
        error = i64(reduce_error(s, k, f))
        if error == OK:
            error = get_full_error(s, f)
            m.count = _JOIN
            m.pc = P.PLACE_MARGIN
    else:
        error = room_error(s, d, m, k, f)
        m.count = _CAPS
    if error != OK:
        refuse(s, d, io, error)


@jit
def get_full_error(s, f):
    """Make check 22: room for an order and its timer."""
    if not has_room(s, T_ORDER, 1) or (f.expires != 0 and not has_timer_room(s)):
        return i64(TABLE_FULL)
    return i64(OK)


@jit
def step_amend_perp(s, d, io):
    """AMEND_PERP: check 19 of an order that is re-placed, the old one taken out; behind check 20 it leaves its level."""
    m, f = s.machine[0], s.draft[0]
    o, k = s.order[m.order], s.market[f.market]
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)
    if m.count == _MOVE:
        m.return1 = P.AMEND_MOVE
        m.pc = P.REMOVE_LEVEL
        return
    f.pay = o.pool
    f.holding = o.holding
    f.cover = s.position[o.holding].leverage
    lots = i64(f.lots)
    error = i64(OK)
    if s.pool[o.pool].state != ACTIVE:
        error = i64(_POOL_BUSY)
    elif f.flags != 0:
        error = i64(reduce_error(s, k, f))
        if error == OK and f.lots != lots:
            error = i64(NOTHING_TO_REDUCE)
        m.count = _MOVE
    else:
        error = i64(cap_error(s, m, k, f, i64(o.interface_fee)))
        if error == OK:
            begin_margin(m, f)
    if error != OK:
        refuse(s, d, io, error)


# --- check 20 --------------------------------------------------------------------------------------


@jit
def get_pull(s, m, k, f):
    """Margin that the pool is short of with the draft, atoms; the pool is touched."""
    market = i64(f.market)
    r, t = s.price[market], s.tier[market]
    own = get_initial(k, r, t, get_new_worst(s, m, f), i64(f.cover))
    asked = own + i64(f.lock) - get_old_lock(s, m)
    weighted = i64(0)
    if f.pay != 0:
        p = s.pool[f.pay]
        asked += i64(p.initial) + i64(p.order_margin)
        weighted = i64(p.weighted)
    if f.holding != 0:
        # The position's own part, with the new worst side in place of the old one.
        old = values_of(k, r, t, s.position[f.holding])
        asked -= old[2]
        weighted += weigh(k, old[0], own) - old[1]
    return max(i64(0), asked - weighted)


@jit
def step_place_margin(s, d, io):
    """PLACE_MARGIN: check 20: margin with the draft, with the pull; 22; then pool, position and pull."""
    m, f = s.machine[0], s.draft[0]
    touch(d, T_MACHINE, 0)
    if m.count == _ENTER:
        enter_pool(s, d, m, f)
        return
    if m.count == _JOIN:
        join_pool(s, d, f)
        m.pc = P.PLACE_LOCK
        return
    k = s.market[f.market]
    pull = get_pull(s, m, k, f)
    balance = i64(0)
    if f.pay != 0:
        balance = i64(s.pool[f.pay].balance)
    elif pull != 0:
        balance = find_balance(s, d, i64(m.account), i64(k.quote))
    free = i64(s.balance[balance].free) if balance != 0 else i64(0)
    error = i64(OK)
    if pull > free:
        error = i64(_INSUFFICIENT_MARGIN)
    elif m.action != A.AMEND:
        error = get_full_error(s, f)
    if error != OK:
        refuse(s, d, io, error)
        return
    f.pot = pull
    m.count = _ENTER
    touch(d, T_DRAFT, 0)


@jit
def enter_pool(s, d, m, f):
    """Open what is missing and make the pull; then the order comes into being or moves."""
    if f.pay == 0:
        begin_open_pool(s, d, m, i64(f.receive), i64(f.found), P.PLACE_MARGIN)
    elif f.holding == 0:
        begin_open_position(s, d, m, i64(f.pay), i64(f.market), i64(f.cover), P.PLACE_MARGIN)
    else:
        m.count = _JOIN
        back = P.PLACE_MARGIN
        if m.action == A.AMEND:
            m.count = _MOVE
            back = P.AMEND_PERP
        begin_pull(s, d, m, i64(f.pay), i64(f.pot), back)


@jit
def join_pool(s, d, f):
    """Have pool and position count the order that now comes into being; its lock stays inside the pool."""
    p = s.pool[f.pay]
    p.order_count += 1
    p.order_margin += f.lock
    s.position[f.holding].uses += 1
    touch(d, T_POOL, f.pay)
    touch(d, T_POSITION, f.holding)
    if (i64(f.flags) & ORDER_REDUCE_ONLY) == 0:
        add_open_lots(s, d, i64(f.holding), i64(f.side), i64(f.lots))


@jit
def dispatch(s, d, io, pc):
    """Run step ``pc`` of orders and fills."""
    if pc == P.PERP_TERMS:
        step_perp_terms(s, d, io)
    elif pc == P.PLACE_PERP:
        step_place_perp(s, d, io)
    elif pc == P.PLACE_MARGIN:
        step_place_margin(s, d, io)
    elif pc == P.AMEND_PERP:
        step_amend_perp(s, d, io)
    elif pc == P.PERP_TAKE:
        step_perp_take(s, d, io)
    elif pc == P.PERP_CHECK:
        step_perp_check(s, d, io)
    elif pc == P.PERP_TRADE:
        step_perp_trade(s, d, io)
    elif pc == P.PERP_SIDE:
        step_perp_side(s, d, io)
    elif pc == P.PERP_FILL:
        step_perp_fill(s, d, io)
    elif pc == P.PERP_FEES:
        step_perp_fees(s, d, io)
    elif pc == P.PERP_DONE:
        step_perp_done(s, d, io)
    else:
        raise ValueError("machine.pc names no step")
