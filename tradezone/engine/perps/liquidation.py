"""Sweep, queue of pools, forced orders (``docs/spec/liquidation.md``)."""

from __future__ import annotations

from tradezone.engine._jit import i64, jit
from tradezone.engine.phases import is_admitted, is_restart_closed
from tradezone.engine.tables import T_DRAFT, touch
from tradezone.protocol import steps as P
from tradezone.protocol.enums import ORDER_REDUCE_ONLY, PRICE_LIVE, PRICE_THROTTLED, TIF_IOC

from .touch import begin_touch


@jit
def is_open_to_force(s, market):
    """Whether pools may be forced out of a market now: its price stands for something and its owner could close."""
    state = s.price[market].state
    if (state != PRICE_LIVE and state != PRICE_THROTTLED) or s.job[market].kind != 0:
        return False
    time = i64(s.machine[0].time)
    if is_restart_closed(s, time, TIF_IOC):
        return False
    return is_admitted(s, market, time, TIF_IOC, ORDER_REDUCE_ONLY)


@jit
def begin_judge(s, d, m, pool, back):
    """Have a pool touched and judged; then step ``back`` follows."""
    f = s.draft[0]
    f.door = pool
    f.flags = 0
    f.tif = back
    touch(d, T_DRAFT, 0)
    begin_touch(m, pool, P.JUDGE)


@jit
def dispatch(s, d, io, pc):
    """Run step ``pc`` of this module."""
    raise ValueError("machine.pc names no step")
