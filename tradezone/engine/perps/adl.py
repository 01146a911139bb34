"""Deleveraging and the jobs that run it (``docs/spec/adl.md``).

A job is the record ``job`` of its market: everything that it must remember from one block to the next stands there, so it
stops behind any look and goes on in the next block. JOB says which job and stage are at work, JOB_LOOK takes the next
position of the stage, the step of the stage does with it what is to be done; behind the last position JOB goes to the next
stage.

``job.cursor`` is the position looked at last that still stands in the list that is walked. Registers in ``draft``, besides
those of ``touch``:

    door       the market asked next whether its registered positions are due, or the list of perpetuals' next one
    market     the job's market
    bucket     the position under work
    plan       its pool
    stp        what JOB does (``JOB_...``)
    tif        stage of a step that touches, or walks, before it acts
    mask       CONCLUDE: what becomes of the pool (``COVER_...``)
    price, lots, expires, lock    APPRAISE: the walk over the pool's registered positions and its sums of maintenance
"""

from __future__ import annotations

from tradezone.engine._jit import i64, jit
from tradezone.engine.codec import emit, emit_note
from tradezone.engine.tables import T_AGENDA, T_DRAFT, T_JOB, T_MACHINE, T_POOL, T_POSITION, touch
from tradezone.engine.wide import mul_div_ceil, mul_div_floor, mul_div_most
from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    ACTIVE,
    ADL_CLOSED,
    ADL_CROSSED,
    ADL_GAVE,
    JOB_ADL,
    POSITION_ADL,
    POSITION_PROFIT,
)
from tradezone.protocol.events import ADL_BEGUN, ADL_DONE, ADL_FILL, LIQUIDATION_ENDED
from tradezone.protocol.limits import BLOCK_ADL, LEVEL_UNIT, MAX_LEVEL

from .jobs import (
    APPRAISE_LONG,
    APPRAISE_SHORT,
    BANK_HEAVY,
    BANK_LIGHT,
    COVER_CONCLUDE,
    COVER_ONLY,
    CROSS_HEAVY,
    CROSS_LIGHT,
    DROP_LONG,
    DROP_SHORT,
    FILL,
    LEVEL,
    LOSERS_LONG,
    LOSERS_SHORT,
    SNAP,
    SUM,
    SUM_BELOW,
    WINNERS_LONG,
    WINNERS_SHORT,
    add_deficit,
    append_job,
    begin_pass,
    begin_stage,
    end_job,
    is_pass_over,
)
from .liquidation import end_liquidation, is_open_to_force
from .margin import get_maintenance, get_pnl
from .queue import join_queue
from .settlement import (
    begin_winners,
    step_settle_begin,
    step_settle_end,
    step_settle_loser,
    step_settle_winner,
)
from .takeover import get_fund_room, give_back, move_at_mark, spend
from .touch import begin_release, begin_relist, begin_touch, change_collateral, emit_pool

JOB_SCAN, JOB_WORK, JOB_NEXT = 0, 1, 2


@jit
def step_job(s, d, io):
    """JOB: markets whose registered positions are due; then the first job's next look or stage; or the end."""
    m, f, g = s.machine[0], s.draft[0], s.agenda[0]
    touch(d, T_MACHINE, 0)
    touch(d, T_DRAFT, 0)
    if f.stp == JOB_SCAN:
        market = i64(f.door)
        if market == 0:
            f.stp = JOB_WORK
            return
        j = s.job[market]
        f.door = s.market[market].perp_next
        if j.ripe == 0 or j.kind != 0:
            return
        if not is_open_to_force(s, market):
            begin_pass(s, d, market)
        elif is_pass_over(s, d, market):
            append_job(s, d, market, JOB_ADL)
            emit_note(d, io, ADL_BEGUN, 0, market, 0, 0, 0, 0, 0, 0)
        return
    market = i64(g.job_first)
    if f.stp == JOB_WORK:
        if g.closing != 0:  # no block, no budget
            f.market = market
            f.plan = 0
            m.pc = P.CLOSING if market == 0 else P.JOB_LOOK
            return
        if market == 0 or g.looks >= BLOCK_ADL:
            end_liquidation(m, f)
            return
        f.market = market
        m.pc = P.JOB_LOOK
        return
    f.stp = JOB_WORK
    go_to_next_stage(s, d, io, m, f, market)


@jit
def is_long_heavy(j):
    """Whether the longs are the side with more registered lots."""
    return j.long_lots >= j.short_lots


@jit
def heavy_lots(j):
    """Lots registered on the heavy side."""
    return max(i64(j.long_lots), i64(j.short_lots))


@jit
def light_lots(j):
    """Lots registered on the light side: so many bankrupt lots cross."""
    return min(i64(j.long_lots), i64(j.short_lots))


@jit
def go_to_next_stage(s, d, io, m, f, market):
    """Behind the last position of a stage."""
    j = s.job[market]
    stage = i64(j.stage)
    touch(d, T_JOB, market)
    if stage == CROSS_HEAVY:
        begin_snap(s, d, j, market)
    elif stage == SNAP:
        begin_level(j)
    elif stage == LEVEL:
        narrow(j)
    elif stage == SUM and j.level > 0:
        begin_stage(j, SUM_BELOW)
    elif stage in (SUM, SUM_BELOW):
        if stage == SUM:
            j.sum_below = j.sum
        j.target -= j.sum  # what the group still gives beyond its level
        begin_stage(j, FILL)
    elif stage == FILL:
        begin_stage(j, BANK_HEAVY)
    elif stage == BANK_HEAVY:
        j.stage = BANK_LIGHT  # the running sums go on
    elif stage == BANK_LIGHT:
        finish_deleveraging(s, d, io, j, market)
    elif stage == LOSERS_SHORT:
        begin_winners(s, d, j, market)
        begin_stage(j, WINNERS_LONG)
    elif stage == WINNERS_SHORT:
        f.tif = 0
        m.return0 = P.JOB
        m.pc = P.SETTLE_END
    elif stage == WINNERS_LONG:
        j.stage = WINNERS_SHORT
    else:
        begin_stage(j, stage + 1)


@jit
def begin_snap(s, d, j, market):
    """Let the fund pay what is left of the losses, as far as it may; the other side is asked for the rest."""
    covered = min(i64(j.loss), get_fund_room(s, d, market))
    spend(s, d, market, covered)
    j.covered = covered
    j.money += covered
    j.charge = i64(j.loss) - covered
    begin_stage(j, SNAP if heavy_lots(j) > light_lots(j) else BANK_HEAVY)


@jit
def begin_level(j):
    """Choose the group that is levelled and what it gives; the other one gives all or nothing."""
    needed = heavy_lots(j) - light_lots(j)
    if j.gains >= needed:
        j.group = POSITION_PROFIT
        j.target = needed
    else:
        j.group = 0
        j.target = needed - j.gains
    j.low = 0
    j.high = MAX_LEVEL + 1
    j.level = (MAX_LEVEL + 1) // 2
    j.sum = 0
    begin_stage(j, LEVEL)


@jit
def narrow(j):
    """Behind a probe of the bisection: the next one, or the level is found."""
    if j.sum <= j.target:
        j.high = j.level
    else:
        j.low = i64(j.level) + 1
    j.level = (i64(j.low) + i64(j.high)) // 2
    j.sum = 0
    begin_stage(j, LEVEL if j.low < j.high else SUM)


@jit
def finish_deleveraging(s, d, io, j, market):
    """END: ADL_DONE, nothing is registered any more."""
    emit(
        d, io, ADL_DONE, 0, market, 0, 0, i64(j.sum), i64(j.sum_below),
        0, 0, 0, 0, i64(j.level), heavy_lots(j) - light_lots(j), 0,
        i64(j.charge), i64(j.raised), 0, 0,
    )  # fmt: skip
    end_job(s, d, market)


# --- the next position of a stage ------------------------------------------------------------------


@jit
def next_registered(s, j, is_long):
    """Position behind the cursor in the list of registered longs or shorts."""
    if j.cursor != 0:
        return i64(s.position[j.cursor].job_next)
    return i64(j.long_first) if is_long else i64(j.short_first)


@jit
def next_of_side(s, j, market, is_long):
    """Position behind the cursor in the list of the market's longs or shorts."""
    if j.cursor != 0:
        return i64(s.position[j.cursor].side_next)
    r = s.price[market]
    return i64(r.long_first) if is_long else i64(r.short_first)


@jit
def next_position(s, j, market):
    """Position that the stage looks at next, 0 behind the last."""
    stage = i64(j.stage)
    is_long = is_long_heavy(j)
    if stage in (APPRAISE_LONG, DROP_LONG):
        return next_registered(s, j, True)
    if stage in (APPRAISE_SHORT, DROP_SHORT):
        return next_registered(s, j, False)
    if stage in (CROSS_HEAVY, BANK_HEAVY):
        return next_registered(s, j, is_long)
    if stage in (CROSS_LIGHT, BANK_LIGHT):
        return next_registered(s, j, not is_long)
    if stage <= FILL:
        return next_of_side(s, j, market, not is_long)
    return next_of_side(s, j, market, stage in (LOSERS_LONG, WINNERS_LONG))


@jit
def step_of(stage):
    """Step that looks at a position in a stage."""
    if stage <= CROSS_HEAVY or stage in (DROP_LONG, DROP_SHORT):
        return P.ADL_CROSS
    if stage == SNAP:
        return P.ADL_SNAP
    if stage < FILL:
        return P.ADL_LEVEL
    if stage == FILL:
        return P.ADL_FILL
    if stage <= BANK_LIGHT:
        return P.ADL_BANK
    return P.SETTLE_LOSER if stage <= LOSERS_SHORT else P.SETTLE_WINNER


@jit
def is_touching(stage):
    """Whether the pools of a stage are touched before it looks at them."""
    if stage <= APPRAISE_SHORT or stage == SNAP:
        return True
    return stage in (BANK_HEAVY, BANK_LIGHT) or stage >= LOSERS_LONG


@jit
def step_job_look(s, d, io):
    """JOB_LOOK: the position that the stage looks at next; its pool is touched if the stage needs that."""
    m, f, g = s.machine[0], s.draft[0], s.agenda[0]
    market = i64(f.market)
    j = s.job[market]
    position = next_position(s, j, market)
    touch(d, T_MACHINE, 0)
    touch(d, T_DRAFT, 0)
    if position == 0:
        f.stp = JOB_NEXT
        m.pc = P.JOB
        return
    stage = i64(j.stage)
    f.bucket = position
    f.plan = s.position[position].pool
    f.tif = 0
    g.looks += 1
    m.pc = step_of(stage)
    if is_touching(stage):
        touch_for_job(s, m, g, i64(f.plan), i64(m.pc))
    touch(d, T_AGENDA, 0)


@jit
def touch_for_job(s, m, g, pool, back):
    """Have a pool touched; each of its positions that this visits is a look."""
    p = s.pool[pool]
    if p.epoch != m.epoch:
        g.looks += p.position_count
        begin_touch(m, pool, back)


# --- appraising and crossing -----------------------------------------------------------------------


@jit
def step_adl_cross(s, d, io):
    """ADL_CROSS: a registered position is appraised or dropped, or trades what bankrupt pools cross."""
    m, f = s.machine[0], s.draft[0]
    market, position, pool = i64(f.market), i64(f.bucket), i64(f.plan)
    j = s.job[market]
    stage = i64(j.stage)
    touch(d, T_MACHINE, 0)
    touch(d, T_DRAFT, 0)
    if stage <= APPRAISE_SHORT:
        appraise(s, d, m, f, j, market, position, pool)
    elif stage >= DROP_LONG:
        unregister(s, d, j, market, position, pool)
        m.pc = P.JOB
    else:
        cross(s, d, io, m, j, market, position)


@jit
def appraise(s, d, m, f, j, market, position, pool):
    """Find the part of its pool's loss that a registered position stands for, by the maintenance of those up to it.

    One registered position of the pool a step; a pool that is not below zero any more is let go.
    """
    p = s.pool[pool]
    if f.tif == 0:
        if p.equity >= 0:
            unregister(s, d, j, market, position, pool)
            m.pc = P.JOB
            return
        f.tif = 1
        f.price = p.first_position
        f.lots = 0
        f.expires = 0
        f.lock = 0
        return
    if f.price != 0:
        y = s.position[f.price]
        if (i64(y.flags) & POSITION_ADL) != 0:
            k, r, t = s.market[y.market], s.price[y.market], s.tier[y.market]
            weight = get_maintenance(k, r, t, i64(y.lots))
            f.lock += weight
            if y.market < market:
                f.lots += weight
            if y.market <= market:
                f.expires += weight
        f.price = y.next
        return
    loss, total = -i64(p.equity), i64(f.lock)
    x = s.position[position]
    upto = mul_div_floor(loss, i64(f.expires), total)
    x.claim = upto - mul_div_floor(loss, i64(f.lots), total)
    if x.lots > 0:
        j.long_lots += x.lots
    else:
        j.short_lots += -i64(x.lots)
    j.cursor = position
    m.pc = P.JOB
    touch(d, T_POSITION, position)
    touch(d, T_JOB, market)


@jit
def unregister(s, d, j, market, position, pool):
    """Take the position behind the cursor out of the registered list; a pool without one is liquidated on."""
    x, p = s.position[position], s.pool[pool]
    if j.cursor != 0:
        s.position[j.cursor].job_next = x.job_next
        touch(d, T_POSITION, j.cursor)
    elif j.stage == APPRAISE_LONG or j.stage == DROP_LONG:
        j.long_first = x.job_next
    else:
        j.short_first = x.job_next
    x.job_next = 0
    x.claim = 0
    x.flags = i64(x.flags) & ~POSITION_ADL
    p.registered -= 1
    if p.registered == 0:
        join_queue(s, d, pool)
    touch(d, T_POSITION, position)
    touch(d, T_POOL, pool)
    touch(d, T_JOB, market)


@jit
def cross(s, d, io, m, j, market, position):
    """Bankrupt pools of both sides meet at the mark: the light one gives all, of the heavy one each its part."""
    x = s.position[position]
    lots, cut, left = abs(i64(x.lots)), abs(i64(x.lots)), i64(0)
    if j.stage == CROSS_HEAVY:
        j.running += lots
        upto = mul_div_floor(light_lots(j), i64(j.running), heavy_lots(j))
        cut = upto - i64(j.given)
        j.given = upto
        left = mul_div_ceil(i64(x.claim), lots - cut, lots)
        j.loss += left
    x.claim = left  # of its loss, what still asks for money
    change = -cut if x.lots > 0 else cut
    j.cursor = position
    j.lots_moved += change
    m.pc = P.JOB
    touch(d, T_POSITION, position)
    touch(d, T_JOB, market)
    if change != 0:
        side = move_at_mark(s, d, position, change)
        emit_adl_fill(d, io, x, ADL_CROSSED, change, i64(0))
        begin_relist(m, position, side, P.JOB)


@jit
def emit_adl_fill(d, io, x, role, change, paid):
    """ADL_FILL: lots that a position traded in a job and what it paid; negative = it got."""
    emit(
        d, io, ADL_FILL, 0, x.market, x.account, 0, 0, 0,
        0, 0, role, 0, 0, change, 0, paid, 0, 0, 0,
    )  # fmt: skip


# --- counterparties --------------------------------------------------------------------------------


@jit
def step_adl_snap(s, d, io):
    """ADL_SNAP: what a counterparty could pay, and whether it is in profit."""
    m, f = s.machine[0], s.draft[0]
    market, position = i64(f.market), i64(f.bucket)
    x, p, j = s.position[position], s.pool[f.plan], s.job[market]
    usable = i64(0)
    if p.market == 0:
        usable = min(i64(s.balance[p.balance].free), i64(p.allowance) - i64(p.pulled))
        usable = max(usable, i64(0))
    x.claim = max(i64(0), i64(p.equity) + usable)
    if get_pnl(s.market[market], s.price[market], i64(x.lots), i64(x.quote)) > 0:
        x.flags = i64(x.flags) | POSITION_PROFIT
        j.gains += abs(i64(x.lots))
    else:
        x.flags = i64(x.flags) & ~POSITION_PROFIT
        j.others += abs(i64(x.lots))
    j.cursor = position
    m.pc = P.JOB
    touch(d, T_POSITION, position)
    touch(d, T_JOB, market)
    touch(d, T_MACHINE, 0)


@jit
def get_give(k, r, x, level):
    """Lots that a position gives at a level: what its claim does not carry there."""
    lots = abs(i64(x.lots))
    if level > MAX_LEVEL:
        return i64(0)
    each = i64(r.mark) * i64(k.tick_value) * LEVEL_UNIT
    return lots - mul_div_most(level, i64(x.claim), each, lots)


@jit
def is_in_group(j, x):
    """Whether a counterparty is of the group that is levelled."""
    return (i64(x.flags) & POSITION_PROFIT) == j.group


@jit
def step_adl_level(s, d, io):
    """ADL_LEVEL: what a counterparty gives at the level tried, found, or one below it."""
    m, f = s.machine[0], s.draft[0]
    market, position = i64(f.market), i64(f.bucket)
    x, j = s.position[position], s.job[market]
    if is_in_group(j, x):
        k, r = s.market[market], s.price[market]
        if j.stage == SUM_BELOW:
            j.sum_below += get_give(k, r, x, i64(j.level) - 1)
        else:
            j.sum += get_give(k, r, x, i64(j.level))
    j.cursor = position
    m.pc = P.JOB
    touch(d, T_JOB, market)
    touch(d, T_MACHINE, 0)


@jit
def take_gift(s, j, market, x):
    """Lots that a counterparty gives; what is asked of its group beyond the level falls by what it gives beyond it."""
    if not is_in_group(j, x):
        return abs(i64(x.lots)) if j.group == 0 else i64(0)
    k, r = s.market[market], s.price[market]
    give = get_give(k, r, x, i64(j.level))
    if j.level > 0:
        more = min(i64(j.target), get_give(k, r, x, i64(j.level) - 1) - give)
        j.target -= more
        give += more
    return give


@jit
def step_adl_fill(s, d, io):
    """ADL_FILL: a counterparty gives lots at the mark and pays its part of the charge, never below zero."""
    m, f, g = s.machine[0], s.draft[0], s.agenda[0]
    market, position, pool = i64(f.market), i64(f.bucket), i64(f.plan)
    x, p, j = s.position[position], s.pool[pool], s.job[market]
    touch(d, T_MACHINE, 0)
    touch(d, T_DRAFT, 0)
    touch(d, T_POSITION, position)
    touch(d, T_JOB, market)
    if f.tif == 0:
        give = take_gift(s, j, market, x)
        x.claim = 0
        x.flags = i64(x.flags) & ~POSITION_PROFIT
        if give == 0:
            j.cursor = position
            m.pc = P.JOB
            return
        f.tif = 1
        f.lots = give
        touch_for_job(s, m, g, pool, P.ADL_FILL)
        touch(d, T_AGENDA, 0)
        return
    give = i64(f.lots)
    j.running += give
    upto = mul_div_floor(i64(j.charge), i64(j.running), heavy_lots(j) - light_lots(j))
    paid = min(upto - i64(j.given), max(i64(0), i64(p.equity)))
    j.given = upto
    change = -give if x.lots > 0 else give
    side = move_at_mark(s, d, position, change)
    change_collateral(d, p, pool, -paid)
    j.lots_moved += change
    j.money += paid
    j.raised += paid
    if x.lots != 0:
        j.cursor = position
    emit_adl_fill(d, io, x, ADL_GAVE, change, paid)
    f.mask = COVER_ONLY
    begin_relist(m, position, side, P.CONCLUDE)


# --- the end of bankrupt pools ---------------------------------------------------------------------


@jit
def step_adl_bank(s, d, io):
    """ADL_BANK: a registered position is closed and gets its part of what was raised."""
    m, f = s.machine[0], s.draft[0]
    market, position, pool = i64(f.market), i64(f.bucket), i64(f.plan)
    x, p, j = s.position[position], s.pool[pool], s.job[market]
    got = i64(0)
    if j.loss != 0:
        j.running += x.claim
        upto = mul_div_floor(i64(j.covered) + i64(j.raised), i64(j.running), i64(j.loss))
        got = upto - i64(j.given)
        j.given = upto
    if (j.stage == BANK_HEAVY) == is_long_heavy(j):
        j.long_first = x.job_next
    else:
        j.short_first = x.job_next
    change = -i64(x.lots)
    x.job_next = 0
    x.claim = 0
    x.flags = i64(x.flags) & ~POSITION_ADL
    p.registered -= 1
    j.lots_moved += change
    j.money -= got
    side = move_at_mark(s, d, position, change)
    change_collateral(d, p, pool, got)
    emit_adl_fill(d, io, x, ADL_CLOSED, change, -got)
    f.mask = COVER_CONCLUDE
    begin_relist(m, position, side, P.CONCLUDE if p.registered == 0 else P.JOB)
    touch(d, T_POSITION, position)
    touch(d, T_POOL, pool)
    touch(d, T_JOB, market)
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)


@jit
def cover(s, d, io, market, pool):
    """Have the fund, then the deficit, take over what a touched pool without lots still owes."""
    p = s.pool[pool]
    if p.collateral >= 0 or p.maintenance != 0:
        return
    missing = -i64(p.collateral)
    paid = min(missing, get_fund_room(s, d, market))
    spend(s, d, market, paid)
    change_collateral(d, p, pool, missing)
    add_deficit(s, d, io, market, missing - paid)


@jit
def step_conclude(s, d, io):
    """CONCLUDE: behind a position that a job closed: fund and deficit, back to the queue, or the pool's release."""
    m, f = s.machine[0], s.draft[0]
    market, pool = i64(f.market), i64(f.plan)
    p = s.pool[pool]
    touch(d, T_MACHINE, 0)
    if f.mask == COVER_CONCLUDE and p.maintenance != 0:
        join_queue(s, d, pool)
        m.pc = P.JOB
        return
    cover(s, d, io, market, pool)
    is_fund = s.fund[market].pool == pool
    if f.mask == COVER_CONCLUDE:
        p.state = ACTIVE
        p.below_since = 0
        touch(d, T_POOL, pool)
    if is_fund and f.mask != COVER_ONLY:
        give_back(s, d, io, pool)
    if f.mask == COVER_CONCLUDE:
        emit_pool(s, d, io, LIQUIDATION_ENDED, pool, i64(0), i64(0))
    begin_release(m, pool, P.JOB)


@jit
def dispatch(s, d, io, pc):
    """Run step ``pc`` of this module or of the settlement."""
    if pc == P.JOB:
        step_job(s, d, io)
    elif pc == P.JOB_LOOK:
        step_job_look(s, d, io)
    elif pc == P.ADL_CROSS:
        step_adl_cross(s, d, io)
    elif pc == P.ADL_SNAP:
        step_adl_snap(s, d, io)
    elif pc == P.ADL_LEVEL:
        step_adl_level(s, d, io)
    elif pc == P.ADL_FILL:
        step_adl_fill(s, d, io)
    elif pc == P.ADL_BANK:
        step_adl_bank(s, d, io)
    elif pc == P.CONCLUDE:
        step_conclude(s, d, io)
    elif pc == P.SETTLE_LOSER:
        step_settle_loser(s, d, io)
    elif pc == P.SETTLE_WINNER:
        step_settle_winner(s, d, io)
    elif pc == P.SETTLE_END:
        step_settle_end(s, d, io)
    elif pc == P.SETTLE_BEGIN:
        step_settle_begin(s, d, io)
    else:
        raise ValueError("machine.pc names no step")
