"""Trigger levels of plans, and the list of books whose plans must be looked at.

What orders and fills need of plans and plans' own steps (``plans``) need in turn: no step stands here, so
nothing here knows of orders. A trigger level is a level of the table ``level`` on one of the sides TRIGGER_*;
its place is found like that of a price.

A plan that leaves is named by ``draft.found``, its reason by ``draft.value`` (0 = no event), and the step that
follows by ``machine.return1``: an order that leaves with its children keeps its own registers meanwhile.
"""

from __future__ import annotations

from tradezone.protocol import steps as P
from tradezone.protocol.enums import BUY, PLAN_STOP, TRIGGER_UP_LAST
from tradezone.protocol.events import PLAN_TRIGGERED

from ._jit import i64, jit
from .codec import emit
from .tables import T_AGENDA, T_BOOK, T_DRAFT, T_MACHINE, touch


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
def has_price_triggers(k):
    """Whether plans on mark or index of a perpetual stand on a trigger level of its book."""
    return k.up_mark != 0 or k.down_mark != 0 or k.up_index != 0 or k.down_index != 0


@jit
def has_triggers(k):
    """Whether plans stand on any trigger level of a book."""
    return k.up_last != 0 or k.down_last != 0 or has_price_triggers(k)


@jit
def wake(s, d, market, price):
    """Have the plans of a book looked at with ``price`` among the prices since the last look, 0 = none."""
    k = s.book[market]
    if price != 0:
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
    """Wake the plans of a book that has any: a fill at ``price`` may have reached them."""
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
