"""Final settlement of a market (``docs/spec/adl.md``).

``begin_settlement`` is for whoever settles a market: the tick, and an update that delists it. Registers in ``draft`` until
SETTLE_BEGIN is done: ``market``, and ``expires`` the leaf that its events name; ``machine.return0`` the step behind it. Of
SETTLE_END: ``tif`` its stage, ``door`` the perpetual that the walk to the one in front stands on.
"""

from __future__ import annotations

from tradezone.engine._jit import i64, jit
from tradezone.engine.codec import emit
from tradezone.engine.tables import (
    T_AGENDA,
    T_DRAFT,
    T_JOB,
    T_LEDGER,
    T_MACHINE,
    T_MARKET,
    T_POSITION,
    T_PRICE,
    T_VENUE,
    touch,
)
from tradezone.engine.tasks import add_market_task
from tradezone.engine.wide import mul_div_floor
from tradezone.protocol import steps as P
from tradezone.protocol.enums import CANCEL_SETTLED, JOB_SETTLE, PHASE_SETTLED, PRICE_NONE
from tradezone.protocol.events import POSITION_SETTLED, SETTLEMENT_BEGUN, SETTLEMENT_DONE
from tradezone.protocol.limits import SUB

from .jobs import COVER_SETTLE, add_deficit, append_job, end_job
from .margin import get_notional_at, get_pnl
from .takeover import get_fund_room, move_at_mark, spend
from .touch import begin_relist, change_collateral, receive_income

_REST, _UNLIST = 0, 1


# --- beginning -------------------------------------------------------------------------------------


@jit
def begin_settlement(s, d, io, m, market, back):
    """Have a live perpetual settled at once; then step ``back`` follows.

    A market that never had an index leaves the list of perpetuals on the way.
    """
    f = s.draft[0]
    f.market = market
    f.expires = m.inbox if m.pc == P.MESSAGE else i64(0)
    m.return0 = back
    m.pc = P.SETTLE_BEGIN
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)


@jit
def get_settlement_price(r):
    """Return the middle one of index, hour average and mark, which stood in the state before anybody knew."""
    index, mark = i64(r.index), i64(r.mark)
    average = (i64(r.average) + SUB // 2) // SUB
    return max(min(index, average), min(max(index, average), mark))


@jit
def step_settle_begin(s, d, io):
    """SETTLE_BEGIN: phase and task, then price and job of a market that is settled."""
    m, f = s.machine[0], s.draft[0]
    market = i64(f.market)
    k, r = s.market[market], s.price[market]
    touch(d, T_MACHINE, 0)
    touch(d, T_DRAFT, 0)
    if k.phase != PHASE_SETTLED:  # else an update has done it, or the step before
        k.phase = PHASE_SETTLED
        s.venue[k.venue].market_count -= 1
        touch(d, T_MARKET, market)
        touch(d, T_VENUE, k.venue)
        add_market_task(s, d, io, market, CANCEL_SETTLED)
        return
    m.pc = m.return0
    if r.state == PRICE_NONE:
        begin_unlist(s, m, f)
        return
    j = s.job[market]
    price = get_settlement_price(r)
    open_lots = i64(s.book[market].open_lots)
    s.ledger[k.ledger].open_value -= get_notional_at(k, r, open_lots)
    r.mark = price
    r.settlement = price
    m.epoch += 1
    emit(
        d, io, SETTLEMENT_BEGUN, f.expires, market, 0, 0, 0, 0,
        0, 0, 0, 0, price, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip
    if j.kind != 0:
        j.next_kind = JOB_SETTLE
    else:
        j.ripe = 0
        append_job(s, d, market, JOB_SETTLE)
    touch(d, T_LEDGER, k.ledger)
    touch(d, T_PRICE, market)
    touch(d, T_JOB, market)


# --- positions -------------------------------------------------------------------------------------


@jit
def close_at_settlement(s, d, io, m, f, j, market, position, result):
    """Close a position at the price of settlement: POSITION_SETTLED; then its pool is settled with."""
    x = s.position[position]
    lots = i64(x.lots)
    side = move_at_mark(s, d, position, -lots)
    j.lots_moved -= lots
    emit(
        d, io, POSITION_SETTLED, 0, market, x.account, 0, 0, 0,
        0, 0, 0, 0, 0, lots, 0, result, 0, 0, 0,
    )  # fmt: skip
    f.mask = COVER_SETTLE
    begin_relist(m, position, side, P.CONCLUDE)
    touch(d, T_POSITION, position)
    touch(d, T_PRICE, market)
    touch(d, T_JOB, market)
    touch(d, T_DRAFT, 0)


@jit
def step_settle_loser(s, d, io):
    """SETTLE_LOSER: first pass: a loser is closed, and what he cannot pay is missing; a gain is counted."""
    m, f = s.machine[0], s.draft[0]
    market, position, pool = i64(f.market), i64(f.bucket), i64(f.plan)
    x, p, j, r = s.position[position], s.pool[pool], s.job[market], s.price[market]
    pnl = get_pnl(s.market[market], r, i64(x.lots), i64(x.quote))
    touch(d, T_MACHINE, 0)
    if pnl > 0:
        j.gains += pnl
        j.cursor = position
        m.pc = P.JOB
        touch(d, T_JOB, market)
        return
    missing = min(-pnl, max(i64(0), -i64(p.equity)))
    change_collateral(d, p, pool, missing)
    r.pot -= missing
    j.others += missing
    close_at_settlement(s, d, io, m, f, j, market, position, pnl + missing)


@jit
def begin_winners(s, d, j, market):
    """Take what losers could not pay from the fund, then, as one factor, from the gains of this market."""
    paid = min(i64(j.others), get_fund_room(s, d, market))
    spend(s, d, market, paid)
    s.price[market].pot += paid
    j.others -= paid
    j.target = min(i64(j.others), i64(j.gains))
    touch(d, T_PRICE, market)


@jit
def step_settle_winner(s, d, io):
    """SETTLE_WINNER: second pass: a winner is closed and gives his part of what is missing."""
    m, f = s.machine[0], s.draft[0]
    market, position, pool = i64(f.market), i64(f.bucket), i64(f.plan)
    x, p, j, r = s.position[position], s.pool[pool], s.job[market], s.price[market]
    pnl = get_pnl(s.market[market], r, i64(x.lots), i64(x.quote))
    j.running += pnl
    upto = mul_div_floor(i64(j.target), i64(j.running), i64(j.gains))
    part = upto - i64(j.given)
    j.given = upto
    change_collateral(d, p, pool, -part)
    r.pot += part
    touch(d, T_MACHINE, 0)
    close_at_settlement(s, d, io, m, f, j, market, position, pnl - part)


# --- the end ---------------------------------------------------------------------------------------


@jit
def begin_unlist(s, m, f):
    """Take ``draft.market`` out of the list of perpetuals, which is walked to the one in front of it."""
    f.tif = _UNLIST
    f.door = s.agenda[0].perp_first
    m.pc = P.SETTLE_END


@jit
def step_settle_end(s, d, io):
    """SETTLE_END: what is left over is the deficit's or the fund's; then the market is live no more."""
    m, f = s.machine[0], s.draft[0]
    market = i64(f.market)
    touch(d, T_MACHINE, 0)
    touch(d, T_DRAFT, 0)
    if f.tif == _UNLIST:
        unlist(s, d, m, f, market)
        return
    k, r, j = s.market[market], s.price[market], s.job[market]
    shortfall, cut = i64(j.others), i64(j.target)
    r.pot += shortfall - cut
    add_deficit(s, d, io, market, shortfall - cut)
    rest = i64(r.pot)
    r.pot = 0
    touch(d, T_PRICE, market)
    if rest < 0:
        raise ValueError("funding was paid before it was received")
    if rest > 0:
        receive_income(s, d, io, i64(k.ledger), rest)
    emit(
        d, io, SETTLEMENT_DONE, 0, market, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, shortfall, cut, 0, 0,
    )  # fmt: skip
    begin_unlist(s, m, f)


@jit
def unlist(s, d, m, f, market):
    """One perpetual of the walk: if it stands in front of the market, the market leaves the list and the counts."""
    g, k = s.agenda[0], s.market[market]
    previous = i64(f.door)
    if previous != market:
        q = s.market[previous]
        if q.perp_next != market:
            f.door = q.perp_next
            return
        q.perp_next = k.perp_next
        touch(d, T_MARKET, previous)
    else:
        g.perp_first = k.perp_next
        previous = i64(0)
    if g.perp_last == market:
        g.perp_last = previous
    k.perp_next = 0
    g.perps -= 1
    s.venue[k.venue].perps -= 1
    s.ledger[k.ledger].perps -= 1
    touch(d, T_AGENDA, 0)
    touch(d, T_MARKET, market)
    touch(d, T_VENUE, k.venue)
    touch(d, T_LEDGER, k.ledger)
    m.pc = m.return0
    if s.job[market].kind != 0:
        end_job(s, d, market)
