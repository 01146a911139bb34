"""Tasks: cancelling many orders, a few in each block; the dead-man switch; the payout sweep's turn.

Tasks stand in one list, first in first out, and the first one looks at one order or plan a step. The cursor of
a task that walks an account's plans is ``CURSOR_PLAN`` + the plan; in front of it, the order looked at last.
"""

from __future__ import annotations

from tradezone.protocol import actions as A
from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    ACTIVE,
    BOTH_SIDES,
    CANCEL_DEAD_MAN,
    FREE,
    GROUP_OPEN,
    ORDER_CANCELLED_WAITING,
    ORDER_FORCED,
    RESTING,
    TASK_ACCOUNT,
    TASK_MARKET,
    TASK_POOL,
    TIF_IOC,
    TIMER_ACCOUNT,
)
from tradezone.protocol.enums import CANCEL_ALL as BY_CANCEL_ALL
from tradezone.protocol.errors import Code
from tradezone.protocol.events import (
    CANCEL_ALL_BEGUN,
    CANCEL_ALL_DONE,
    DEAD_MAN_SET,
    ORDER_AMENDED,
)
from tradezone.protocol.limits import (
    BLOCK_REMOVALS,
    MAX_DEAD_MAN,
    MIN_DEAD_MAN,
    PAYOUT_SWEEP,
    RESERVED_TASKS,
)

from ._jit import i64, jit
from .codec import emit, emit_note, emit_order, read8, read32
from .orders import begin_remove, item_at, reject_item
from .outcome import begin_pay
from .tables import (
    T_ACCOUNT,
    T_AGENDA,
    T_HOLDING,
    T_MACHINE,
    T_MARKET,
    T_ORDER,
    T_TASK,
    free_task,
    has_room,
    is_used,
    take_task,
    touch,
)
from .timers import begin_timer, begin_timer_out, has_timer_room
from .triggers import begin_remove_plan

_MARKET_NOT_FOUND = int(Code.MARKET_NOT_FOUND)
_KEY_VENUE = int(Code.KEY_VENUE)
_BAD_ORDER_FIELD = int(Code.BAD_ORDER_FIELD)
_BUSY = int(Code.BUSY)
_TABLE_FULL = int(Code.TABLE_FULL)
_OK = int(Code.OK)

CURSOR_PLAN = 1 << 30
_AGAIN = 1000  # ms until a dead-man switch that found no room for its task is tried again


@jit
def emit_task(d, io, kind, leaf, t):
    """CANCEL_ALL_BEGUN or CANCEL_ALL_DONE of a task."""
    account = i64(t.subject) if t.kind == TASK_ACCOUNT else i64(0)
    emit(
        d, io, kind, leaf, t.market, account, 0, 0, 0,
        t.side, t.reason, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip


@jit
def append_task(s, d, kind, subject, market, side, reason):
    """Put a new task at the end of the list; returns its slot. The caller has checked for room."""
    g = s.agenda[0]
    slot = take_task(s, d)
    t = s.task[slot]
    t.next = 0
    t.state = ACTIVE
    t.kind = kind
    t.subject = subject
    t.market = market
    t.side = side
    t.reason = reason
    t.cursor = 0
    t.seq = s.machine[0].order_seq
    if g.task_last != 0:
        s.task[g.task_last].next = slot
        touch(d, T_TASK, g.task_last)
    else:
        g.task_first = slot
    g.task_last = slot
    touch(d, T_AGENDA, 0)
    return slot


@jit
def add_market_task(s, d, io, market, reason):
    """Have all orders and plans of a market cancelled; RESERVED_TASKS leaves room for it."""
    m = s.machine[0]
    slot = append_task(s, d, TASK_MARKET, market, market, BOTH_SIDES, reason)
    is_message = m.pc == P.MESSAGE or m.pc == P.RESOLVE_MARKET
    emit_task(d, io, CANCEL_ALL_BEGUN, i64(m.inbox) if is_message else i64(0), s.task[slot])


@jit
def step_cancel_all(s, d, io):
    """CANCEL_ALL: a task that takes out the account's orders, of one market and side or of all."""
    m = s.machine[0]
    at = item_at(io, m)
    market, side = read32(io.leaf, at), read8(io.leaf, at + 4)
    bound = i64(s.key[m.key].venue)
    home = i64(0)
    error = _OK
    if side > BOTH_SIDES:
        error = _BAD_ORDER_FIELD
    elif market != 0 and not is_used(s, T_MARKET, market):
        error = _MARKET_NOT_FOUND
    elif bound != 0 and (market == 0 or bound != s.market[market].venue):
        error = _KEY_VENUE
    elif s.account[m.account].task != 0:
        error = _BUSY
    elif not has_room(s, T_TASK, 1 + RESERVED_TASKS):
        error = _TABLE_FULL
    if error != _OK:
        reject_item(s, d, io, error)
        return
    if market != 0:
        home = i64(s.market[market].guest_of)
        if home == 0:
            home = market
    slot = append_task(s, d, TASK_ACCOUNT, i64(m.account), home, side, BY_CANCEL_ALL)
    s.account[m.account].task = slot
    touch(d, T_ACCOUNT, m.account)
    emit_task(d, io, CANCEL_ALL_BEGUN, i64(m.seq), s.task[slot])
    m.pc = P.ITEM_DONE
    touch(d, T_MACHINE, 0)


# --- the dead-man switch ---------------------------------------------------------------------------


@jit
def step_dead_man(s, d, io):
    """DEAD_MAN: set, move or take out the account's dead-man switch."""
    m = s.machine[0]
    at = item_at(io, m)  # first: it is what brings the leaf
    timeout = read32(io.leaf, at)
    account = i64(m.account)
    node = i64(s.account[account].timer)
    if timeout != 0 and (timeout < MIN_DEAD_MAN or timeout > MAX_DEAD_MAN):
        reject_item(s, d, io, _BAD_ORDER_FIELD)
        return
    if timeout != 0 and node == 0 and not has_timer_room(s):
        reject_item(s, d, io, _TABLE_FULL)
        return
    due = m.time + timeout if timeout != 0 else i64(0)
    emit_note(d, io, DEAD_MAN_SET, m.seq, 0, account, 0, 0, 0, 0, due)
    m.pc = P.ITEM_DONE
    touch(d, T_MACHINE, 0)
    if timeout != 0:
        begin_timer(s, d, m, TIMER_ACCOUNT, account, node, due, P.ITEM_DONE)
    elif node != 0:
        begin_timer_out(s, d, m, node, P.ITEM_DONE)


@jit
def step_dead_man_due(s, d, io):
    """DEAD_MAN_DUE: nobody moved the switch of account ``order``: all its orders go."""
    m = s.machine[0]
    account = i64(m.order)
    slot = i64(s.account[account].task)
    m.pc = P.TIMERS
    touch(d, T_MACHINE, 0)
    if slot != 0:
        t = s.task[slot]
        t.market = 0
        t.side = BOTH_SIDES
        t.reason = CANCEL_DEAD_MAN
        t.cursor = 0
        t.seq = m.order_seq
        touch(d, T_TASK, slot)
    elif not has_room(s, T_TASK, 1 + RESERVED_TASKS // 2):
        begin_timer(s, d, m, TIMER_ACCOUNT, account, i64(0), i64(m.time) + _AGAIN, P.TIMERS)
        return
    else:
        slot = append_task(s, d, TASK_ACCOUNT, account, 0, BOTH_SIDES, CANCEL_DEAD_MAN)
        s.account[account].task = slot
        touch(d, T_ACCOUNT, account)
    emit_task(d, io, CANCEL_ALL_BEGUN, 0, s.task[slot])


# --- the work --------------------------------------------------------------------------------------


@jit
def is_named(t, market, side, seq):
    """Whether a task is about an order or plan of this market, side and admission number."""
    if seq > t.seq or (t.market != 0 and t.market != market):
        return False
    return t.side == BOTH_SIDES or t.side == side


@jit
def step_task(s, d, io):
    """TASK: the first task looks at one order or plan; without task or budget, the payout sweep's turn."""
    m, g = s.machine[0], s.agenda[0]
    slot = i64(g.task_first)
    touch(d, T_MACHINE, 0)
    if slot == 0:
        m.value3 = 0
        m.pc = P.PAYOUT
        return
    t = s.task[slot]
    if g.removed >= BLOCK_REMOVALS:
        t.cursor = 0  # orders may leave before the next block, so it starts over
        touch(d, T_TASK, slot)
        m.phase = A.CLASS_POST
        m.pc = P.LEAF
        return
    g.removed += 1
    touch(d, T_AGENDA, 0)
    if t.kind == TASK_ACCOUNT:
        look_at_account(s, d, io, m, t, slot)
    elif t.kind == TASK_POOL:
        look_at_pool(s, d, io, m, t, slot)
    else:
        look_at_market(s, d, io, m, t, slot)


@jit
def look_at_account(s, d, io, m, t, slot):
    """Look at the order, or else the plan, behind the cursor: it leaves, or the cursor moves to it."""
    cursor = i64(t.cursor)
    a = s.account[t.subject]
    order, plan = i64(0), i64(0)
    if cursor >= CURSOR_PLAN:
        plan = i64(s.plan[cursor - CURSOR_PLAN].account_next)
    else:
        order = i64(a.first_order) if cursor == 0 else i64(s.order[cursor].account_next)
        if order == 0:
            plan = i64(a.first_plan)
    if order != 0:
        o = s.order[order]
        if not is_named(t, i64(o.market), i64(o.side), i64(o.seq)) or is_forced(o):
            t.cursor = order
            touch(d, T_TASK, slot)
        else:
            take_away(s, d, io, m, t, slot, order, o)
    elif plan != 0:
        p = s.plan[plan]
        if is_named(t, i64(p.market), i64(p.side), i64(p.seq)):
            begin_remove_plan(s, d, plan, i64(t.reason), P.TASK)
            return
        t.cursor = CURSOR_PLAN + plan
        touch(d, T_TASK, slot)
    else:
        a.task = 0
        touch(d, T_ACCOUNT, t.subject)
        end_task(s, d, io, t, slot)


@jit
def is_forced(o):
    """Whether an order was sent by liquidation: its owner cannot have it cancelled."""
    return (i64(o.flags) & ORDER_FORCED) != 0


@jit
def take_away(s, d, io, m, t, slot, order, o):
    """Have an order that a task is about leave; one that waits to take will not rest, and the cursor moves to it."""
    if o.state == RESTING:
        m.order = order
        begin_remove(m, i64(t.reason), P.TASK)
        return
    if (i64(o.flags) & ORDER_CANCELLED_WAITING) == 0:
        o.flags = i64(o.flags) | ORDER_CANCELLED_WAITING
        emit_order(d, io, ORDER_AMENDED, 0, order, o, TIF_IOC, 0, o.locked)
        touch(d, T_ORDER, order)
    t.cursor = order
    touch(d, T_TASK, slot)


@jit
def look_at_pool(s, d, io, m, t, slot):
    """Look at the account's order behind the cursor: one of the pool leaves, or the cursor moves to it."""
    p, cursor = s.pool[t.subject], i64(t.cursor)
    order = i64(0)
    if cursor != 0:
        order = i64(s.order[cursor].account_next)
    elif p.state != FREE:  # else the pool has been closed since
        order = i64(s.account[p.account].first_order)
    if order == 0:
        end_task(s, d, io, t, slot)
        return
    o = s.order[order]
    if o.pool != t.subject or o.seq > t.seq or is_forced(o):
        t.cursor = order
        touch(d, T_TASK, slot)
    else:
        take_away(s, d, io, m, t, slot, order, o)


@jit
def look_at_market(s, d, io, m, t, slot):
    """Remove the oldest order of the best level, or else the oldest plan of the first one."""
    k = s.book[t.subject]
    level = i64(k.best_bid) if k.best_bid != 0 else i64(k.best_ask)
    if level != 0:
        m.order = s.level[level].first
        begin_remove(m, i64(t.reason), P.TASK)
        return
    level = i64(k.up_last)
    if level == 0:
        level = i64(k.down_last)
    if level == 0:
        level = i64(k.up_mark)
    if level == 0:
        level = i64(k.down_mark)
    if level == 0:
        level = i64(k.up_index)
    if level == 0:
        level = i64(k.down_index)
    if level != 0:
        begin_remove_plan(s, d, i64(s.level[level].first), i64(t.reason), P.TASK)
    else:
        end_task(s, d, io, t, slot)


@jit
def end_task(s, d, io, t, slot):
    """Take the first task, which is done, out of the list."""
    g = s.agenda[0]
    if t.kind != TASK_POOL:
        emit_task(d, io, CANCEL_ALL_DONE, 0, t)
    g.task_first = t.next
    if g.task_first == 0:
        g.task_last = 0
    touch(d, T_AGENDA, 0)
    free_task(s, d, slot)


@jit
def step_payout(s, d, io):
    """PAYOUT: the payout sweep moves to its next holding, or class 2 begins. ``value3`` counts its visits."""
    m, g = s.machine[0], s.agenda[0]
    touch(d, T_MACHINE, 0)
    if g.sweep_left == 0 or m.value3 >= PAYOUT_SWEEP:
        m.phase = A.CLASS_POST
        m.pc = P.LEAF
        return
    m.value3 += 1
    g.sweep_left -= 1
    g.holding_cursor += 1
    if g.holding_cursor >= s.head[T_HOLDING].high_water:
        g.holding_cursor = 1
    touch(d, T_AGENDA, 0)
    slot = i64(g.holding_cursor)
    h = s.holding[slot]
    if h.state != ACTIVE or s.event_group[h.group].state == GROUP_OPEN:
        return
    if h.uses != 0:
        g.sweep_left = i64(s.head[T_HOLDING].high_water) - 1  # an order names it: once more round
    else:
        begin_pay(s, d, slot, P.PAYOUT)
