"""The liquidation queue: pools in state LIQUIDATING, first in first out (``docs/spec/liquidation.md``).

Invariant: a doubly linked list from ``agenda.liquidation_first`` by ``pool.queue_next``; ``agenda.liquidations`` is its length.
"""

from __future__ import annotations

from tradezone.engine._jit import jit
from tradezone.engine.tables import T_AGENDA, T_POOL, touch
from tradezone.protocol.enums import POOL_LIQUIDATING


@jit
def join_queue(s, d, pool):
    """Put a pool at the tail of the queue."""
    g, p = s.agenda[0], s.pool[pool]
    p.state = POOL_LIQUIDATING
    p.queue_next = 0
    p.queue_previous = g.liquidation_last
    if g.liquidation_last != 0:
        s.pool[g.liquidation_last].queue_next = pool
        touch(d, T_POOL, g.liquidation_last)
    else:
        g.liquidation_first = pool
    g.liquidation_last = pool
    g.liquidations += 1
    touch(d, T_AGENDA, 0)
    touch(d, T_POOL, pool)


@jit
def leave_queue(s, d, pool):
    """Take a pool out of the queue; its state is the caller's."""
    g, p = s.agenda[0], s.pool[pool]
    if p.queue_previous != 0:
        s.pool[p.queue_previous].queue_next = p.queue_next
        touch(d, T_POOL, p.queue_previous)
    else:
        g.liquidation_first = p.queue_next
    if p.queue_next != 0:
        s.pool[p.queue_next].queue_previous = p.queue_previous
        touch(d, T_POOL, p.queue_next)
    else:
        g.liquidation_last = p.queue_previous
    p.queue_next = 0
    p.queue_previous = 0
    g.liquidations -= 1
    touch(d, T_AGENDA, 0)
    touch(d, T_POOL, pool)
