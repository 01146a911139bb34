"""The list of jobs: work on all positions of a market, and what its steps share (``docs/spec/adl.md``).

Invariant: jobs are a list from ``agenda.job_first`` by ``job.next``, first in first out; the record of a market without a
job holds nothing but registered positions and the pass they wait for.
"""

from __future__ import annotations

from tradezone.engine._jit import i64, jit
from tradezone.engine.codec import emit
from tradezone.engine.tables import (
    T_AGENDA,
    T_JOB,
    T_LEDGER,
    T_OUTBOX,
    T_POOL,
    append_slot,
    has_room,
    touch,
)
from tradezone.protocol.enums import JOB_ADL, OUTBOX_INSOLVENCY
from tradezone.protocol.events import DEFICIT
from tradezone.protocol.limits import RESERVED_OUTBOX

# ``draft.mask`` of CONCLUDE
COVER_ONLY, COVER_CONCLUDE, COVER_SETTLE = 0, 1, 2

# stages of a job of either kind
(
    APPRAISE_LONG,
    APPRAISE_SHORT,
    CROSS_LIGHT,
    CROSS_HEAVY,
    SNAP,
    LEVEL,
    SUM,
    SUM_BELOW,
    FILL,
    BANK_HEAVY,
    BANK_LIGHT,
    DROP_LONG,
    DROP_SHORT,
    LOSERS_LONG,
    LOSERS_SHORT,
    WINNERS_LONG,
    WINNERS_SHORT,
) = range(17)


# stages of a market whose registered positions wait for a pass: of the sweep, then of the queue behind it
AWAITS_SWEEP, AWAITS_QUEUE = 0, 1


# --- when a job is due -----------------------------------------------------------------------------


@jit
def begin_pass(s, d, market):
    """Have what is registered wait until sweep and queue have looked at everybody once."""
    j = s.job[market]
    j.stage = AWAITS_SWEEP
    j.ripe = i64(s.agenda[0].swept) + i64(s.head[T_POOL].high_water) - 1
    touch(d, T_JOB, market)


@jit
def is_pass_over(s, d, market):
    """Whether every pool was swept, and every one that then stood in the queue was visited."""
    g, j = s.agenda[0], s.job[market]
    if j.stage == AWAITS_SWEEP:
        if g.swept < j.ripe:
            return False
        j.stage = AWAITS_QUEUE
        j.ripe = i64(g.visited) + i64(g.liquidations)
        touch(d, T_JOB, market)
    return g.visited >= j.ripe


# --- the list of jobs ------------------------------------------------------------------------------


@jit
def append_job(s, d, market, kind):
    """Have a market without a job worked on behind the others."""
    g, j = s.agenda[0], s.job[market]
    j.kind = kind
    j.stage = APPRAISE_LONG if kind == JOB_ADL else DROP_LONG
    j.next = 0
    if g.job_last != 0:
        s.job[g.job_last].next = market
        touch(d, T_JOB, g.job_last)
    else:
        g.job_first = market
    g.job_last = market
    touch(d, T_AGENDA, 0)
    touch(d, T_JOB, market)


@jit
def end_job(s, d, market):
    """Take the first job, which is done, off the list; a settlement that waited for it begins behind the others."""
    g, j = s.agenda[0], s.job[market]
    after = i64(j.next_kind)
    g.job_first = j.next
    if g.job_first == 0:
        g.job_last = 0
    clear_job(j)
    touch(d, T_AGENDA, 0)
    touch(d, T_JOB, market)
    if after != 0:
        append_job(s, d, market, after)


@jit
def clear_job(j):
    """Leave nothing in the record of a job."""
    j.kind = 0
    j.stage = 0
    j.group = 0
    j.next_kind = 0
    j.next = 0
    j.cursor = 0
    j.long_first = 0
    j.short_first = 0
    j.low = 0
    j.high = 0
    j.level = 0
    j.long_lots = 0
    j.short_lots = 0
    j.target = 0
    j.running = 0
    j.loss = 0
    j.charge = 0
    j.covered = 0
    j.raised = 0
    j.sum = 0
    j.sum_below = 0
    j.gains = 0
    j.others = 0
    j.ripe = 0
    j.given = 0
    j.lots_moved = 0
    j.money = 0


@jit
def begin_stage(j, stage):
    """Begin a stage in front of its first position."""
    j.stage = stage
    j.cursor = 0
    j.running = 0
    j.given = 0


@jit
def add_deficit(s, d, io, market, amount):
    """Climb the last rung: a loss that nobody covers is the venue's deficit; L1 is told if the outbox has room."""
    if amount == 0:
        return
    ledger = i64(s.market[market].ledger)
    w = s.ledger[ledger]
    w.deficit += amount
    touch(d, T_LEDGER, ledger)
    emit(
        d, io, DEFICIT, 0, w.venue, w.asset, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, amount, i64(w.deficit), 0, 0,
    )  # fmt: skip
    if has_room(s, T_OUTBOX, 1 + RESERVED_OUTBOX):
        slot = append_slot(s, d, T_OUTBOX)
        o = s.outbox[slot]
        o.kind = OUTBOX_INSOLVENCY
        o.venue = w.venue
        o.market = market
        o.asset = w.asset
        o.amount = amount
        o.time = s.machine[0].time
        touch(d, T_OUTBOX, slot)
