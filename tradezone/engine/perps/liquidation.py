"""Sweep, queue of pools, forced orders (``docs/spec/liquidation.md``).

Registers, all of them in ``draft``, which nothing else needs behind class 2 (the sequences of ``touch`` name theirs):

    door       the pool under work
    bucket     the position under work
    price      the position that the walk looks at next
    side       what the walk over the pool's positions is for (``WALK_...``)
    stp        what VISIT does next (``VISIT_...``)
    flags      JUDGE: a position open to force was found; visits: a position was taken over
    mask       visits: the takeovers are those of a pool below zero
    plan       JUDGE: the step behind it
    tif        TAKEOVER: its stage
    interface  the position that asks for most maintenance so far, ``lots`` how much

``agenda.visits`` counts what is left of the sweep, then of the queue; during the sweep ``agenda.looks`` is what the block
may still touch.
"""

from __future__ import annotations

from tradezone.engine._jit import i64, jit, ppm_down, ppm_up
from tradezone.engine.codec import emit
from tradezone.engine.phases import is_admitted, is_restart_closed
from tradezone.engine.tables import (
    T_ACCOUNT,
    T_AGENDA,
    T_DRAFT,
    T_JOB,
    T_MACHINE,
    T_ORDER,
    T_POOL,
    T_POSITION,
    T_PRICE,
    T_TASK,
    T_VENUE,
    has_room,
    take_order,
    touch,
)
from tradezone.engine.tasks import append_task
from tradezone.engine.wide import mul_div_floor
from tradezone.protocol import actions as A
from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    ACCOUNT_FUND,
    ACTIVE,
    BOTH_SIDES,
    BUY,
    CANCEL_LIQUIDATION,
    FREE,
    ORDER_FORCED,
    ORDER_REDUCE_ONLY,
    POOL_BANKRUPT,
    POSITION_ADL,
    PRICE_LIVE,
    PRICE_THROTTLED,
    SELL,
    STP_OLDEST,
    TASK_POOL,
    TIF_GTC,
    TIF_IOC,
)
from tradezone.protocol.events import FORCED_ORDER, LIQUIDATION_BEGUN, LIQUIDATION_ENDED
from tradezone.protocol.limits import (
    ABSORB_MS,
    BLOCK_LIQUIDATIONS,
    BLOCK_SWEEP,
    LIQ_DISTANCE,
    LIQ_SHARE,
    LIQ_STEP_MS,
    RESERVED_TASKS,
    SWEEP_MS,
)

from .bands import get_band
from .jobs import begin_pass
from .margin import get_maintenance, get_notional_at
from .queue import join_queue, leave_queue
from .takeover import give_back, step_takeover, step_takeover_trade
from .touch import begin_pull, begin_release, begin_touch, emit_pool

WALK_JUDGE, WALK_TAKE, WALK_LEFT, WALK_CHOOSE = 1, 2, 3, 4
(
    VISIT_NEXT,
    VISIT_PULL,
    VISIT_DECIDE,
    VISIT_TAKEN,
    VISIT_LEFT,
    VISIT_BACK,
) = range(6)


# --- who is judged ---------------------------------------------------------------------------------


@jit
def is_open_to_force(s, market):
    """Whether pools may be forced out of a market now: its price stands for something and its owner could close."""
    state = s.price[market].state
    if (state != PRICE_LIVE and state != PRICE_THROTTLED) or s.job[market].kind != 0:
        return False
    time = i64(s.machine[0].time)
    if is_restart_closed(s, time, TIF_IOC):
        return False
    return is_admitted(s, market, time, TIF_IOC, ORDER_REDUCE_ONLY)


@jit
def begin_judge(s, d, m, pool, back):
    """Have a pool touched and judged; then step ``back`` follows."""
    f = s.draft[0]
    f.door = pool
    f.flags = 0
    f.plan = back
    touch(d, T_DRAFT, 0)
    begin_touch(m, pool, P.JUDGE)


@jit
def begin_walk(s, d, m, f, purpose):
    """Look at the positions of the pool under work, by rising market."""
    f.side = purpose
    f.price = s.pool[f.door].first_position
    m.pc = P.VISIT_WALK
    touch(d, T_DRAFT, 0)


@jit
def step_judge(s, d, io):
    """JUDGE: the touched pool ``door`` joins the queue if it is below maintenance and can be forced."""
    m, f = s.machine[0], s.draft[0]
    pool = i64(f.door)
    p = s.pool[pool]
    touch(d, T_MACHINE, 0)
    if f.flags == 0:
        if p.state == ACTIVE and p.equity < p.maintenance:
            begin_walk(s, d, m, f, WALK_JUDGE)
        else:
            m.pc = f.plan
        return
    f.flags = 0
    touch(d, T_DRAFT, 0)
    p.below_since = m.time
    p.liquidated = 0
    join_queue(s, d, pool)
    emit_pool(s, d, io, LIQUIDATION_BEGUN, pool, i64(p.equity), i64(p.maintenance))
    if p.order_count != 0 and has_room(s, T_TASK, 1 + RESERVED_TASKS):
        append_task(s, d, TASK_POOL, pool, i64(0), BOTH_SIDES, CANCEL_LIQUIDATION)
    m.pc = f.plan


# --- the sweep -------------------------------------------------------------------------------------


@jit
def begin_sweep(s, d, m):
    """Behind class 2: pools that are due for a look, then the queue, then the jobs."""
    g = s.agenda[0]
    reach = i64(s.head[T_POOL].high_water) - 1
    m.action = 0  # events of what follows belong to no leaf
    g.visits = 0
    if reach > 0:
        since = i64(m.time) - i64(g.sweep_time)
        due = reach
        if since < SWEEP_MS:
            due = (reach * since + SWEEP_MS - 1) // SWEEP_MS
        g.visits = min(due, BLOCK_SWEEP)
        g.sweep_time = m.time
    g.looks = BLOCK_SWEEP
    m.pc = P.SWEEP
    touch(d, T_AGENDA, 0)
    touch(d, T_MACHINE, 0)


@jit
def step_sweep(s, d, io):
    """SWEEP: the cursor moves to its next pool; one with positions is touched and judged."""
    m, g = s.machine[0], s.agenda[0]
    touch(d, T_MACHINE, 0)
    touch(d, T_AGENDA, 0)
    if g.visits == 0 or g.looks == 0:
        begin_visits(s, d, m, g)
        return
    g.visits -= 1
    g.looks -= 1
    g.swept += 1
    g.pool_cursor += 1
    if g.pool_cursor >= s.head[T_POOL].high_water:
        g.pool_cursor = 1
    pool = i64(g.pool_cursor)
    p = s.pool[pool]
    if p.state == FREE or p.position_count == 0:
        return
    if p.epoch != m.epoch:
        g.looks = max(i64(g.looks) - i64(p.position_count), 0)
    begin_judge(s, d, m, pool, P.SWEEP)


# --- visits ----------------------------------------------------------------------------------------


@jit
def begin_visits(s, d, m, g):
    """Behind the sweep: each pool that stands in the queue now is visited, unless the zone has just come back."""
    f = s.draft[0]
    if is_restart_closed(s, i64(m.time), TIF_GTC):
        g.visits = 0
    else:
        g.visits = min(i64(g.liquidations), BLOCK_LIQUIDATIONS)
    f.stp = VISIT_NEXT
    m.pc = P.VISIT
    touch(d, T_DRAFT, 0)


@jit
def begin_jobs(s, d, m, g):
    """Behind the visits: markets whose registered positions are due, then the jobs."""
    f = s.draft[0]
    g.looks = 0
    f.door = g.perp_first
    f.stp = 0
    m.pc = P.JOB
    touch(d, T_AGENDA, 0)
    touch(d, T_DRAFT, 0)


@jit
def step_visit(s, d, io):
    """VISIT: the pool at the head of the queue, in turns: pulled for, let go, taken over, deleveraged or forced."""
    m, f, g = s.machine[0], s.draft[0], s.agenda[0]
    touch(d, T_MACHINE, 0)
    touch(d, T_DRAFT, 0)
    if f.stp == VISIT_NEXT:
        if g.visits == 0:
            begin_jobs(s, d, m, g)
            return
        g.visits -= 1
        g.visited += 1
        f.door = g.liquidation_first
        f.flags = 0
        f.mask = 0
        f.stp = VISIT_PULL
        touch(d, T_AGENDA, 0)
        begin_touch(m, i64(f.door), P.VISIT)
        return
    pool = i64(f.door)
    p = s.pool[pool]
    if f.stp == VISIT_PULL:
        f.stp = VISIT_DECIDE
        pull_automatically(s, d, m, pool, p)
    elif f.stp == VISIT_DECIDE:
        decide(s, d, io, m, f, pool, p)
    elif f.stp == VISIT_TAKEN:
        if f.mask != 0:
            if p.equity >= 0:
                f.stp = VISIT_BACK
            else:
                begin_walk(s, d, m, f, WALK_LEFT)
        elif p.maintenance == 0:
            end_visit(s, d, io, m, f, pool, p)
        elif f.flags != 0:
            f.stp = VISIT_BACK
        else:
            choose_or_wait(s, d, m, f, p)
    elif f.stp == VISIT_LEFT and p.registered != 0:
        leave_queue(s, d, pool)
        p.state = POOL_BANKRUPT
        f.stp = VISIT_NEXT
    else:
        leave_queue(s, d, pool)
        join_queue(s, d, pool)
        f.stp = VISIT_NEXT


@jit
def pull_automatically(s, d, m, pool, p):
    """Move what a cross pool lacks to initial margin, as far as its owner allowed and has free."""
    amount = i64(0)
    if p.market == 0:
        need = i64(p.initial) + i64(p.order_margin) - i64(p.weighted)
        amount = min(need, i64(s.balance[p.balance].free), i64(p.allowance) - i64(p.pulled))
        amount = max(amount, i64(0))
        p.pulled += amount
        touch(d, T_POOL, pool)
    begin_pull(s, d, m, pool, amount, P.VISIT)


@jit
def decide(s, d, io, m, f, pool, p):
    """Decide what becomes of a touched pool behind its pull."""
    is_fund = s.account[p.account].kind == ACCOUNT_FUND
    equity, maintenance = i64(p.equity), i64(p.maintenance)
    if is_fund:
        if maintenance == 0:  # no lots
            give_back(s, d, io, pool)
            end_visit(s, d, io, m, f, pool, p)
            return
    elif equity >= maintenance:
        end_visit(s, d, io, m, f, pool, p)
        return
    is_late = m.time >= p.below_since + ABSORB_MS
    if p.forced != 0:
        f.stp = VISIT_BACK
    elif equity < 0:
        f.mask = 1
        begin_walk(s, d, m, f, WALK_LEFT if is_fund else WALK_TAKE)
    elif not is_fund and (is_late or 3 * equity < 2 * maintenance):
        begin_walk(s, d, m, f, WALK_TAKE)
    else:
        choose_or_wait(s, d, m, f, p)


@jit
def choose_or_wait(s, d, m, f, p):
    """Look for the position to be forced, if it is time."""
    if m.time >= p.liquidated + LIQ_STEP_MS:
        f.interface = 0
        f.lots = 0
        begin_walk(s, d, m, f, WALK_CHOOSE)
    else:
        f.stp = VISIT_BACK


@jit
def end_visit(s, d, io, m, f, pool, p):
    """Have the pool leave the queue: LIQUIDATION_ENDED, then its release."""
    leave_queue(s, d, pool)
    p.state = ACTIVE
    p.below_since = 0
    emit_pool(s, d, io, LIQUIDATION_ENDED, pool, i64(0), i64(0))
    f.stp = VISIT_NEXT
    begin_release(m, pool, P.VISIT)


@jit
def step_visit_walk(s, d, io):
    """VISIT_WALK: one position of the pool under work: is it open to force, and then what the walk is for."""
    m, f = s.machine[0], s.draft[0]
    position = i64(f.price)
    touch(d, T_MACHINE, 0)
    touch(d, T_DRAFT, 0)
    if position == 0:
        end_walk(m, f)
        return
    x = s.position[position]
    market = i64(x.market)
    f.price = x.next
    f.bucket = position
    if x.lots == 0 or not is_open_to_force(s, market):
        return
    if f.side == WALK_JUDGE:
        f.flags = 1
        m.pc = P.JUDGE
    elif f.side == WALK_TAKE:
        p = s.pool[f.door]
        if f.mask == 0 and p.equity >= p.maintenance:
            end_walk(m, f)
        else:
            f.tif = 0
            m.pc = P.TAKEOVER
    elif f.side == WALK_LEFT:
        m.pc = P.REGISTER
    else:
        r = s.price[market]
        if r.state == PRICE_LIVE or r.forced_epoch != m.epoch:
            maintenance = get_maintenance(s.market[market], r, s.tier[market], i64(x.lots))
            if f.interface == 0 or maintenance > f.lots:
                f.interface = position
                f.lots = maintenance


@jit
def end_walk(m, f):
    """Behind the last position of a walk."""
    if f.side == WALK_JUDGE:
        m.pc = f.plan
    elif f.side == WALK_CHOOSE and f.interface != 0:
        m.pc = P.FORCE
    else:
        if f.side == WALK_TAKE:
            f.stp = VISIT_TAKEN
        elif f.side == WALK_LEFT:
            f.stp = VISIT_LEFT
        else:
            f.stp = VISIT_BACK
        m.pc = P.VISIT


@jit
def step_register(s, d, io):
    """REGISTER: position ``bucket`` of a pool below zero waits for deleveraging."""
    m, f = s.machine[0], s.draft[0]
    position = i64(f.bucket)
    x = s.position[position]
    market = i64(x.market)
    j, p = s.job[market], s.pool[x.pool]
    if j.ripe == 0:
        begin_pass(s, d, market)
    x.flags = i64(x.flags) | POSITION_ADL
    p.registered += 1
    if x.lots > 0:
        x.job_next = j.long_first
        j.long_first = position
    else:
        x.job_next = j.short_first
        j.short_first = position
    m.pc = P.VISIT_WALK
    touch(d, T_JOB, market)
    touch(d, T_POSITION, position)
    touch(d, T_POOL, x.pool)
    touch(d, T_MACHINE, 0)


# --- forced orders ---------------------------------------------------------------------------------


@jit
def get_forced_price(k, r, p, time, lots, maintenance, is_fund):
    """Price of a forced order for a position of ``lots`` with this maintenance, in a pool at or above zero."""
    value = abs(lots) * i64(k.tick_value)
    # The share of the equity that stands behind the position, over its lots: two floors are one.
    distance = mul_div_floor(i64(p.equity), maintenance, i64(p.maintenance)) // value
    distance = min(distance, ppm_down(i64(r.mark), LIQ_DISTANCE))
    if is_fund:
        distance = min(distance, maintenance // (2 * value))
    price = i64(r.mark) - distance if lots > 0 else i64(r.mark) + distance
    low, high = get_band(k, r, time)
    return max(low, min(price, high, i64(k.max_price)), i64(1))


@jit
def step_force(s, d, io):
    """FORCE: an order that closes a part of position ``interface`` comes into being and waits like any taker."""
    m, f = s.machine[0], s.draft[0]
    pool, position = i64(f.door), i64(f.interface)
    p, x = s.pool[pool], s.position[position]
    market = i64(x.market)
    k, r, a = s.market[market], s.price[market], s.account[p.account]
    f.stp = VISIT_BACK
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)
    if not has_room(s, T_ORDER, 1):
        m.pc = P.VISIT
        return
    held = i64(x.lots)
    lots = abs(held)
    if get_notional_at(k, r, lots) > s.tier[market].impact_notional:
        lots = ppm_up(lots, LIQ_SHARE)
    lots = min(lots, i64(k.max_lots))
    is_fund = a.kind == ACCOUNT_FUND
    price = get_forced_price(k, r, p, i64(m.time), held, i64(f.lots), is_fund)
    slot = take_order(s, d)
    o = s.order[slot]
    m.order_seq += 1
    o.account = p.account
    o.owner = p.owner
    o.market = market
    o.price = price
    o.side = SELL if held > 0 else BUY
    o.tif = TIF_IOC
    o.stp = STP_OLDEST
    o.flags = ORDER_REDUCE_ONLY | ORDER_FORCED
    o.lots = lots
    o.next = 0
    o.seq = m.order_seq
    o.holding = position
    o.pool = pool
    o.account_next = a.first_order
    if a.first_order != 0:
        s.order[a.first_order].account_previous = slot
        touch(d, T_ORDER, a.first_order)
    a.first_order = slot
    a.order_count += 1
    s.venue[k.venue].market_orders += 1
    x.uses += 1
    p.forced = slot
    p.liquidated = m.time
    r.forced_epoch = m.epoch
    emit(
        d, io, FORCED_ORDER, 0, market, p.account, 0, (i64(o.generation) << 32) | slot, 0,
        o.side, 0, 0, 0, price, lots, 0, 0, 0, 0, 0,
    )  # fmt: skip
    m.order = slot
    m.return0 = P.VISIT
    m.pc = P.JOIN
    touch(d, T_ORDER, slot)
    touch(d, T_ACCOUNT, p.account)
    touch(d, T_VENUE, k.venue)
    touch(d, T_POSITION, position)
    touch(d, T_POOL, pool)
    touch(d, T_PRICE, market)


@jit
def end_liquidation(m, f):
    """Behind sweep, visits and jobs: class 3."""
    f.plan = 0
    m.phase = A.CLASS_TAKE
    m.pc = P.LEAF


@jit
def dispatch(s, d, io, pc):
    """Run step ``pc`` of this module."""
    if pc == P.SWEEP:
        step_sweep(s, d, io)
    elif pc == P.JUDGE:
        step_judge(s, d, io)
    elif pc == P.VISIT:
        step_visit(s, d, io)
    elif pc == P.VISIT_WALK:
        step_visit_walk(s, d, io)
    elif pc == P.FORCE:
        step_force(s, d, io)
    elif pc == P.TAKEOVER:
        step_takeover(s, d, io)
    elif pc == P.TAKEOVER_TRADE:
        step_takeover_trade(s, d, io)
    elif pc == P.REGISTER:
        step_register(s, d, io)
    else:
        raise ValueError("machine.pc names no step")
