"""Timers: setting one, taking one out, serving those that are due.

``value3`` counts what this block served. A node's subject knows its place, so a timer of something that
leaves is taken out with it.
"""

from __future__ import annotations

from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    CANCEL_EXPIRED,
    RESTING,
    TIMER_ACCOUNT,
    TIMER_ORDER,
    TIMER_PLAN,
)
from tradezone.protocol.limits import BLOCK_TIMERS, RESERVED_TIMERS

from ._jit import i64, jit
from .heaps import grow, heap_size, put_timer, set_place, sift_from, sift_new, take_out
from .tables import T_AGENDA, T_MACHINE, T_TIMER, has_room, touch


@jit
def has_timer_room(s):
    """Whether a user's action may set one more timer."""
    return has_room(s, T_TIMER, 1 + RESERVED_TIMERS)


@jit
def begin_timer(s, d, m, kind, subject, node, time, back):
    """Set the timer of a subject, or set it again where it has ``node``; then step ``back`` follows."""
    g = s.agenda[0]
    g.timer_seq += 1
    touch(d, T_AGENDA, 0)
    if node != 0:
        put_timer(s, d, node, time, i64(g.timer_seq), kind, subject)
        sift_from(s, m, T_TIMER, node, back)
    else:
        node = grow(s, d, T_TIMER)
        put_timer(s, d, node, time, i64(g.timer_seq), kind, subject)
        sift_new(s, m, T_TIMER, node, back)
    touch(d, T_MACHINE, 0)


@jit
def begin_timer_out(s, d, m, node, back):
    """Take out the timer at ``node``; its subject no longer has one; then step ``back`` follows."""
    t = s.timer[node]
    set_place(s, d, i64(t.kind), i64(t.subject), 0)
    take_out(s, d, m, T_TIMER, node, back)
    touch(d, T_MACHINE, 0)


@jit
def is_timer_due(s, time):
    """Whether the earliest timer is due."""
    return heap_size(s, T_TIMER) > 0 and s.timer[1].time <= time


@jit
def step_timers(s, d, io):
    """TIMERS: take out the earliest timer, if it is due; else the mark tick's turn."""
    m = s.machine[0]
    if m.value3 >= BLOCK_TIMERS or not is_timer_due(s, i64(m.time)):
        m.value3 = 0
        m.pc = P.TICK
    else:
        t = s.timer[1]
        m.value3 += 1
        m.order = t.subject
        m.count = t.kind
        begin_timer_out(s, d, m, i64(1), P.TIMER_DUE)
    touch(d, T_MACHINE, 0)


@jit
def step_timer_due(s, d, io):
    """TIMER_DUE: what the timer was set for; orders that wait are left to their release."""
    m = s.machine[0]
    kind = i64(m.count)
    m.return0 = P.TIMERS
    if kind == TIMER_ORDER:
        if s.order[m.order].state == RESTING:
            m.value1 = CANCEL_EXPIRED
            m.cursor2 = 0
            m.return1 = P.REMOVE_BUCKET
            m.pc = P.REMOVE_LEVEL
        else:
            m.pc = P.TIMERS
    elif kind == TIMER_PLAN:
        m.value1 = CANCEL_EXPIRED
        m.pc = P.PLAN_LEAVE
    elif kind == TIMER_ACCOUNT:
        m.pc = P.DEAD_MAN_DUE
    else:
        m.market = m.order
        m.pc = P.UPDATE_DUE
    touch(d, T_MACHINE, 0)
