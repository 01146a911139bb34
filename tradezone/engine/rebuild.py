"""What follows from the state, computed from nothing: lookups and the free list's mirror."""

from __future__ import annotations

from tradezone.protocol.enums import ACTIVE, FREE

from ._jit import i64, jit
from .lookup import index_balance, index_holding, index_level, index_pool, index_position
from .tables import T_BALANCE, T_HOLDING, T_LEVEL, T_ORDER, T_POOL, T_POSITION


@jit
def rebuild_derived(state, derived):
    """Fill the empty lookups of ``derived`` from ``state``; dirty marks are not touched."""
    s, d = state[0], derived[0]
    for slot in range(1, i64(s.head[T_BALANCE].high_water)):
        b = s.balance[slot]
        if b.state == ACTIVE:
            index_balance(d, i64(b.account), i64(b.asset), slot)
    for slot in range(1, i64(s.head[T_HOLDING].high_water)):
        r = s.holding[slot]
        if r.state == ACTIVE:
            index_holding(d, i64(r.account), i64(r.market), slot)
    for slot in range(1, i64(s.head[T_POOL].high_water)):
        p = s.pool[slot]
        if p.state != FREE:
            index_pool(d, i64(p.account), i64(p.venue), i64(p.asset), i64(p.market), slot)
    for slot in range(1, i64(s.head[T_POSITION].high_water)):
        x = s.position[slot]
        if x.state == ACTIVE:
            index_position(d, i64(x.pool), i64(x.market), slot)
    for slot in range(1, i64(s.head[T_LEVEL].high_water)):
        v = s.level[slot]
        if v.state == ACTIVE:
            index_level(d, i64(v.market), i64(v.side), i64(v.price), slot)
    count = i64(0)
    slot = i64(s.head[T_ORDER].first_free)
    while slot != 0:
        d.free_order[count] = slot
        count += 1
        slot = i64(s.order[slot].next)
    for n in range(count // 2):  # the list's first slot stands last
        other = d.free_order[count - 1 - n]
        d.free_order[count - 1 - n] = d.free_order[n]
        d.free_order[n] = other
    d.free_orders = count
