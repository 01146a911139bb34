"""Takeovers of positions by the insurance fund, and what the fund risks (``docs/spec/liquidation.md``, ``pools.md``).

Registers of a takeover in ``draft``, besides those of ``liquidation``: ``taker_fee`` the share e of the pool's equity,
``expires`` what the fund adds, ``maker_fee`` the lots, ``interface_fee`` the pool's account; ``machine.account`` the fund's.
"""

from __future__ import annotations

from tradezone.engine._jit import i64, jit, ppm_down
from tradezone.engine.codec import emit
from tradezone.engine.tables import (
    T_BOOK,
    T_DRAFT,
    T_FUND,
    T_LEDGER,
    T_MACHINE,
    T_POOL,
    T_POSITION,
    has_room,
    touch,
)
from tradezone.engine.wide import mul_div_floor
from tradezone.protocol import steps as P
from tradezone.protocol.enums import ACTIVE, POOL_BANKRUPT
from tradezone.protocol.events import TAKEOVER
from tradezone.protocol.limits import DAY, MAX_POSITION_VALUE, TAKEOVER_MAX

from .margin import get_initial, get_maintenance, get_notional_at
from .queue import join_queue
from .touch import (
    begin_open_pool,
    begin_open_position,
    begin_relist,
    begin_touch,
    change_collateral,
    emit_fund,
    get_side,
    receive_income,
    trade,
)

# stages of TAKEOVER, in ``draft.tif``; those of TAKEOVER_TRADE follow
_ROOM, _DECIDE, _POOL_OPENED, _POSITION_OPENED, _GIVE, _TAKE = range(6)


# --- what the fund risks ---------------------------------------------------------------------------


@jit
def get_fund_room(s, d, market):
    """Atoms that the fund may still spend in a market today; a new day begins if it is time."""
    n, m = s.fund[market], s.machine[0]
    if m.time >= n.day + DAY:
        n.spent = 0
        n.day = m.time
        touch(d, T_FUND, market)
    ledger = s.ledger[s.market[market].ledger]
    return min(i64(ledger.fund), max(i64(0), i64(n.loss_cap) - i64(n.spent)))


@jit
def spend(s, d, market, amount):
    """Take money out of the fund for a market; where it goes is the caller's."""
    ledger = i64(s.market[market].ledger)
    s.ledger[ledger].fund -= amount
    s.fund[market].spent += amount
    touch(d, T_LEDGER, ledger)
    touch(d, T_FUND, market)


@jit
def give_back(s, d, io, pool):
    """Give back to the fund what its pool of a market, which has no lots left, holds: FUND_CHANGED."""
    p = s.pool[pool]
    market, amount = i64(p.market), i64(p.collateral)
    if amount <= 0:
        return
    change_collateral(d, p, pool, -amount)
    n = s.fund[market]
    n.spent = max(i64(0), i64(n.spent) - amount)
    touch(d, T_FUND, market)
    receive_income(s, d, io, i64(p.ledger), amount)
    emit_fund(s, d, io, i64(p.ledger), i64(0), i64(0))


# --- lots that change hands outside of the book -----------------------------------------------------


@jit
def move_at_mark(s, d, position, change):
    """Trade ``change`` lots of a position at the mark; the market's open interest follows. Returns the side before.

    A market that is being settled counts in no ledger's open value any more. The lists of its sides are the caller's.
    """
    x = s.position[position]
    market, before = i64(x.market), i64(x.lots)
    k, r = s.market[market], s.price[market]
    trade(s, d, position, change, i64(r.mark))
    rise = max(i64(0), i64(x.lots)) - max(i64(0), before)
    if rise != 0:
        s.book[market].open_lots += rise
        touch(d, T_BOOK, market)
        if r.settlement == 0:
            s.ledger[k.ledger].open_value += get_notional_at(k, r, rise)
            touch(d, T_LEDGER, k.ledger)
    return get_side(before)


# --- the takeover ----------------------------------------------------------------------------------


@jit
def step_takeover(s, d, io):
    """TAKEOVER: may the fund take position ``bucket`` of pool ``door``; then its own pool and position are opened."""
    m, f = s.machine[0], s.draft[0]
    market = i64(s.position[f.bucket].market)
    touch(d, T_MACHINE, 0)
    touch(d, T_DRAFT, 0)
    if f.tif == _ROOM:
        f.tif = _DECIDE
        m.account = s.venue[s.market[market].venue].fund_account
        own = i64(s.fund[market].pool)
        if own == 0:
            if not has_room(s, T_POOL, 1) or not has_room(s, T_POSITION, 1):
                m.pc = P.VISIT_WALK
        elif s.pool[own].state == POOL_BANKRUPT:
            m.pc = P.VISIT_WALK
        else:
            begin_touch(m, own, P.TAKEOVER)
    elif f.tif == _DECIDE:
        if is_takeover_covered(s, d, f, market):
            open_for_takeover(s, d, m, f, market)
        else:
            m.pc = P.VISIT_WALK
    elif f.tif == _POOL_OPENED:
        s.fund[market].pool = f.pay
        touch(d, T_FUND, market)
        f.tif = _POSITION_OPENED
        begin_open_position(s, d, m, i64(f.pay), market, i64(0), P.TAKEOVER)
    else:
        f.tif = _GIVE
        m.pc = P.TAKEOVER_TRADE


@jit
def is_takeover_covered(s, d, f, market):
    """Whether the fund can hold the position; its share of the equity and what the fund adds are in the draft then."""
    x = s.position[f.bucket]
    p = s.pool[x.pool]
    k, r, t = s.market[market], s.price[market], s.tier[market]
    lots = i64(x.lots)
    maintenance = get_maintenance(k, r, t, lots)
    share = mul_div_floor(abs(i64(p.equity)), maintenance, i64(p.maintenance))
    if p.equity < 0:
        share = -share
    else:
        share = min(share, ppm_down(get_notional_at(k, r, abs(lots)), TAKEOVER_MAX))
    own = i64(s.fund[market].pool)
    held, equity = i64(0), share
    if own != 0:
        q = s.pool[own]
        equity += q.collateral
        if q.first_position != 0:
            y = s.position[q.first_position]
            held = i64(y.lots)
            equity += i64(y.quote) + get_notional_at(k, r, held)
        elif not has_room(s, T_POSITION, 1):
            return False
    size = (abs(held) + abs(lots)) * i64(k.max_price) * i64(k.tick_value)
    if size > MAX_POSITION_VALUE:
        return False
    # A trade at the mark leaves the equity as it is: the share is all that changes it.
    cost = max(i64(0), get_initial(k, r, t, held + lots, i64(0)) - equity)
    if cost > get_fund_room(s, d, market):
        return False
    f.taker_fee = share
    f.expires = cost
    f.maker_fee = lots
    return True


@jit
def open_for_takeover(s, d, m, f, market):
    """Go on with what the fund lacks to take a position: its pool, its position, or nothing."""
    own = i64(s.fund[market].pool)
    if own == 0:
        f.tif = _POOL_OPENED
        begin_open_pool(s, d, m, i64(s.market[market].ledger), market, P.TAKEOVER)
        return
    f.pay = own
    f.holding = s.pool[own].first_position
    f.tif = _POSITION_OPENED
    if f.holding == 0:
        begin_open_position(s, d, m, own, market, i64(0), P.TAKEOVER)


@jit
def step_takeover_trade(s, d, io):
    """TAKEOVER_TRADE: the pool gives the position away at the mark, then the fund's pool takes it."""
    m, f = s.machine[0], s.draft[0]
    lots, share, cost = i64(f.maker_fee), i64(f.taker_fee), i64(f.expires)
    touch(d, T_MACHINE, 0)
    touch(d, T_DRAFT, 0)
    if f.tif == _GIVE:
        pool, position = i64(f.door), i64(f.bucket)
        p = s.pool[pool]
        side = move_at_mark(s, d, position, -lots)
        change_collateral(d, p, pool, -share)
        f.interface_fee = p.account
        f.tif = _TAKE
        begin_relist(m, position, side, P.TAKEOVER_TRADE)
        return
    own, taken = i64(f.pay), i64(f.holding)
    q = s.pool[own]
    market = i64(s.position[taken].market)
    side = move_at_mark(s, d, taken, lots)
    change_collateral(d, q, own, share + cost)
    spend(s, d, market, cost)
    emit(
        d, io, TAKEOVER, 0, market, f.interface_fee, m.account, 0, 0,
        0, 0, 0, 0, 0, lots, 0, share, cost, 0, 0,
    )  # fmt: skip
    if q.state == ACTIVE:
        q.below_since = m.time
        q.liquidated = 0
        join_queue(s, d, own)
    f.flags = 1
    begin_relist(m, taken, side, P.VISIT_WALK)
