"""Trigger levels of plans, and the list of books whose plans must be looked at.

What orders and fills need of plans and plans' own steps (``plans``) need in turn: no step stands here, so
nothing here knows of orders. A trigger level is a level of the table ``level`` on one of the sides TRIGGER_*;
its place is found like that of a price.

A plan that leaves is named by ``draft.found``, its reason by ``draft.value`` (0 = no event), and the step that
follows by ``machine.return1``: an order that leaves with its children keeps its own registers meanwhile.
"""

from __future__ import annotations

from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    ACTIVE,
    BUY,
    PLAN_STOP,
    TRIGGER_DOWN_INDEX,
    TRIGGER_DOWN_LAST,
    TRIGGER_DOWN_MARK,
    TRIGGER_UP_INDEX,
    TRIGGER_UP_LAST,
    TRIGGER_UP_MARK,
)
from tradezone.protocol.events import PLAN_TRIGGERED

from ._jit import i64, jit
from .codec import emit
from .lookup import index_level, level_hint, unindex_level
from .tables import (
    T_AGENDA,
    T_BOOK,
    T_DRAFT,
    T_LEVEL,
    T_MACHINE,
    free_level,
    take_level,
    touch,
)


@jit
def plan_id(s, slot):
    """Id of a plan as events show it."""
    return (i64(s.plan[slot].generation) << 32) | slot


@jit
def emit_plan(s, d, io, kind, leaf, slot, reason, error):
    """Append an event that only names a plan: PLAN_ARMED_NOW, PLAN_CANCELLED, PLAN_FAILED."""
    p = s.plan[slot]
    emit(
        d, io, kind, leaf, p.market, p.account, 0, plan_id(s, slot), 0,
        0, reason, 0, error, 0, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip


@jit
def sent(s, d, io, order):
    """PLAN_TRIGGERED: the order that the plan in the draft sends has come into being."""
    slot = i64(s.draft[0].plan)
    p, o = s.plan[slot], s.order[order]
    emit(
        d, io, PLAN_TRIGGERED, 0, p.market, p.account, 0, plan_id(s, slot),
        (i64(o.generation) << 32) | order, 0, 0, 0, 0, p.trigger, i64(o.lots), 0, 0, 0, 0, 0,
    )  # fmt: skip


@jit
def begin_remove_plan(s, d, plan, reason, back):
    """Set the registers so that ``plan`` leaves; then step ``back`` follows. No event if reason is 0."""
    m, f = s.machine[0], s.draft[0]
    f.found = plan
    f.value = reason
    m.cursor2 = 0  # the leg before it in its ring is not known
    m.return1 = back
    m.pc = P.PLAN_LEVEL
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)


# --- the list of books -----------------------------------------------------------------------------


@jit
def has_triggers(k):
    """Whether plans stand on any trigger level of a book."""
    return (
        k.up_last != 0
        or k.down_last != 0
        or k.up_mark != 0
        or k.down_mark != 0
        or k.up_index != 0
        or k.down_index != 0
    )


@jit
def wake(s, d, market, price):
    """Have the plans of a book looked at with ``price`` among the prices since the last look."""
    k = s.book[market]
    if k.trigger_low == 0 or price < k.trigger_low:
        k.trigger_low = price
    if price > k.trigger_high:
        k.trigger_high = price
    if k.is_triggering == 0:
        g = s.agenda[0]
        k.is_triggering = 1
        k.trigger_next = 0
        if g.trigger_last != 0:
            s.book[g.trigger_last].trigger_next = market
            touch(d, T_BOOK, g.trigger_last)
        else:
            g.trigger_first = market
        g.trigger_last = market
        touch(d, T_AGENDA, 0)
    touch(d, T_BOOK, market)


@jit
def note_price(s, d, market, price):
    """A fill at ``price``: plans on trigger levels of the book may have been reached."""
    if has_triggers(s.book[market]):
        wake(s, d, market, price)


# --- levels ----------------------------------------------------------------------------------------


@jit
def trigger_side(p):
    """List of triggers that a plan stands in: stops fire away from the book, take-profits towards it."""
    is_up = (p.kind == PLAN_STOP) == (p.side == BUY)
    return TRIGGER_UP_LAST + 2 * i64(p.source) + (0 if is_up else 1)


@jit
def is_reached(side, trigger, price):
    """Whether ``price`` has reached a trigger of a list."""
    return price <= trigger if (side & 1) == 1 else price >= trigger


@jit
def first_trigger(k, side):
    """First level of a list of triggers: the one nearest to firing."""
    if side == TRIGGER_UP_LAST:
        return i64(k.up_last)
    if side == TRIGGER_DOWN_LAST:
        return i64(k.down_last)
    if side == TRIGGER_UP_MARK:
        return i64(k.up_mark)
    if side == TRIGGER_DOWN_MARK:
        return i64(k.down_mark)
    if side == TRIGGER_UP_INDEX:
        return i64(k.up_index)
    return i64(k.down_index)


@jit
def set_first_trigger(k, side, level):
    """Set the first level of a list of triggers."""
    if side == TRIGGER_UP_LAST:
        k.up_last = level
    elif side == TRIGGER_DOWN_LAST:
        k.down_last = level
    elif side == TRIGGER_UP_MARK:
        k.up_mark = level
    elif side == TRIGGER_DOWN_MARK:
        k.down_mark = level
    elif side == TRIGGER_UP_INDEX:
        k.up_index = level
    else:
        k.down_index = level


@jit
def is_nearer(side, trigger, other):
    """Whether ``trigger`` stands strictly before ``other`` in its list."""
    return trigger > other if (side & 1) == 1 else trigger < other


@jit
def is_trigger_level(s, slot, market, side, trigger):
    """Whether ``slot`` is the level of (market, side, trigger)."""
    if slot == 0:
        return False
    v = s.level[slot]
    return v.state == ACTIVE and v.market == market and v.side == side and v.price == trigger


@jit
def open_trigger_level(s, d, market, side, trigger):
    """Slot of the level of a trigger, opened between its neighbours if the list has none there."""
    previous = level_hint(s, d, market, side, trigger)
    if is_trigger_level(s, previous, market, side, trigger):
        return previous
    k = s.book[market]
    following = first_trigger(k, side)
    if previous != 0:
        p = s.level[previous]
        if (
            p.state != ACTIVE
            or p.market != market
            or p.side != side
            or not is_nearer(side, i64(p.price), trigger)
        ):
            raise ValueError("level hint is not the predecessor")
        following = i64(p.next)
    if following != 0 and not is_nearer(side, trigger, i64(s.level[following].price)):
        raise ValueError("level hint skips a level")
    slot = take_level(s, d)
    v = s.level[slot]
    v.market = market
    v.side = side
    v.price = trigger
    v.state = ACTIVE
    v.previous = previous
    v.next = following
    v.first = 0
    if previous != 0:
        s.level[previous].next = slot
        touch(d, T_LEVEL, previous)
    else:
        set_first_trigger(k, side, slot)
        touch(d, T_BOOK, market)
    if following != 0:
        s.level[following].previous = slot
        touch(d, T_LEVEL, following)
    touch(d, T_LEVEL, slot)
    index_level(d, market, side, trigger, slot)
    return slot


@jit
def close_trigger_level(s, d, slot):
    """Take an empty trigger level out of its list and give its slot back."""
    v = s.level[slot]
    market, side = i64(v.market), i64(v.side)
    if v.previous != 0:
        s.level[v.previous].next = v.next
        touch(d, T_LEVEL, v.previous)
    else:
        set_first_trigger(s.book[market], side, v.next)
        touch(d, T_BOOK, market)
    if v.next != 0:
        s.level[v.next].previous = v.previous
        touch(d, T_LEVEL, v.next)
    unindex_level(d, market, side, i64(v.price))
    free_level(s, d, slot)
