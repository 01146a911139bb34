"""The end of the zone: what the closing batch does behind its last message (``docs/spec/escape.md``).

Jobs that run are finished at the marks they began with, every live perpetual settles, jobs run until none is left; then the
queue of liquidations ends, funds repay deficits, each pool gives its collateral to its balance, and each fund what it has to
its own. ``agenda.closing`` is the stage; ``machine.value3`` the market, pool or ledger that comes next.

Invariant: from CLOSING_PAY on no position has lots, so a pool is its collateral, and cash + deficit of a ledger are what its
pools and its fund add up to.
"""

from __future__ import annotations

from tradezone.engine._jit import i64, jit
from tradezone.engine.balances import credit, find_balance
from tradezone.engine.tables import (
    T_AGENDA,
    T_DRAFT,
    T_LEDGER,
    T_MACHINE,
    T_POOL,
    touch,
)
from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    ACTIVE,
    CLOSED,
    CLOSING_FINISH,
    CLOSING_FUNDS,
    CLOSING_PAY,
    CLOSING_QUEUE,
    CLOSING_REST,
    CLOSING_SETTLE,
    FREE,
    POOL_LIQUIDATING,
)
from tradezone.protocol.events import LIQUIDATION_ENDED

from .ledgers import receive_income, tell_fund
from .queue import leave_queue
from .settlement import begin_settlement
from .takeover import give_back
from .touch import emit_pool, get_payment, move_out

_WORK = 1  # ``draft.stp`` of JOB: nothing new begins, the first job is worked on (``adl.JOB_WORK``)


@jit
def begin_closing(s, d, m):
    """Wind the zone up, behind the last message of the closing batch."""
    s.agenda[0].closing = CLOSING_FINISH
    m.action = 0  # events of what follows belong to no leaf
    m.value3 = 0
    m.pc = P.CLOSING
    touch(d, T_AGENDA, 0)
    touch(d, T_MACHINE, 0)


@jit
def begin_stage(d, m, g, stage, first, pc):
    """Begin a stage of the closing batch at market, pool or ledger ``first``."""
    g.closing = stage
    m.value3 = first
    m.pc = pc
    touch(d, T_AGENDA, 0)


@jit
def step_closing(s, d, io):
    """Run CLOSING: the jobs go on, or the next live perpetual begins to settle, or the pools follow."""
    m, f, g = s.machine[0], s.draft[0], s.agenda[0]
    touch(d, T_MACHINE, 0)
    stage = i64(g.closing)
    if stage == CLOSING_SETTLE and m.value3 != 0:
        market = i64(m.value3)
        m.value3 = s.market[market].perp_next
        if s.price[market].settlement == 0:
            begin_settlement(s, d, io, m, market, P.CLOSING)
        return
    if g.job_first != 0:
        f.stp = _WORK
        touch(d, T_DRAFT, 0)
        m.pc = P.JOB
    elif stage == CLOSING_FINISH:
        begin_stage(d, m, g, CLOSING_SETTLE, i64(g.perp_first), P.CLOSING)
    else:
        begin_stage(d, m, g, CLOSING_QUEUE, i64(1), P.CLOSING_POOL)


@jit
def step_closing_pool(s, d, io):
    """CLOSING_POOL: the next pool leaves the queue and a fund's gives back what it has; or, later, it pays its balance."""
    m, g = s.machine[0], s.agenda[0]
    pool = i64(m.value3)
    touch(d, T_MACHINE, 0)
    if pool >= s.head[T_POOL].high_water:
        stage = CLOSING_FUNDS if g.closing == CLOSING_QUEUE else CLOSING_REST
        begin_stage(d, m, g, stage, i64(1), P.CLOSING_LEDGER)
        return
    m.value3 = pool + 1
    p = s.pool[pool]
    if p.state == FREE:
        return
    if g.closing == CLOSING_PAY:
        pay(s, d, io, pool, p)
        return
    if p.state == POOL_LIQUIDATING:
        leave_queue(s, d, pool)
        p.state = ACTIVE
        p.below_since = 0
        emit_pool(s, d, io, LIQUIDATION_ENDED, pool, i64(0), i64(0))
    if p.market != 0 and s.fund[p.market].pool == pool:
        give_back(s, d, io, pool)


@jit
def pay(s, d, io, pool, p):
    """Release all that a pool holds, at the rate of its ledger; nothing stays behind for orders or by wish."""
    amount = i64(p.collateral)
    if amount < 0:
        raise ValueError("a pool without lots owes money")
    p.kept = 0
    touch(d, T_POOL, pool)
    if amount > 0:
        move_out(s, d, io, pool, amount, get_payment(s.ledger[p.ledger], amount))


@jit
def step_closing_ledger(s, d, io):
    """CLOSING_LEDGER: the fund of the next ledger repays its deficit; or, later, goes to the venue's fund account."""
    m, g = s.machine[0], s.agenda[0]
    ledger = i64(m.value3)
    touch(d, T_MACHINE, 0)
    if ledger >= s.head[T_LEDGER].high_water:
        if g.closing == CLOSING_FUNDS:
            begin_stage(d, m, g, CLOSING_PAY, i64(1), P.CLOSING_POOL)
        else:
            begin_stage(d, m, g, CLOSED, i64(0), P.IDLE)
        return
    m.value3 = ledger + 1
    w = s.ledger[ledger]
    touch(d, T_LEDGER, ledger)
    if g.closing == CLOSING_FUNDS:
        repaid = min(i64(w.fund), i64(w.deficit))
        if repaid > 0:
            w.fund -= repaid
            receive_income(s, d, io, i64(0), ledger, repaid)
            tell_fund(s, d, io, i64(0), ledger, i64(0), i64(0))
        return
    rest = i64(w.fund)
    if w.deficit != 0 or w.cash != rest:
        raise ValueError("a ledger that has paid all pools is not even")
    if rest > 0:
        account = i64(s.venue[w.venue].fund_account)
        balance = find_balance(s, d, account, i64(w.asset))
        if balance == 0:
            raise ValueError("a fund has no balance, although listing opened it")
        w.fund = 0
        w.cash = 0
        credit(s, d, balance, rest)
        tell_fund(s, d, io, i64(0), ledger, account, -rest)


@jit
def dispatch(s, d, io, pc):
    """Run step ``pc`` of this module."""
    if pc == P.CLOSING:
        step_closing(s, d, io)
    elif pc == P.CLOSING_POOL:
        step_closing_pool(s, d, io)
    elif pc == P.CLOSING_LEDGER:
        step_closing_ledger(s, d, io)
    else:
        raise ValueError("machine.pc names no step")
