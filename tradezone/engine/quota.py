"""Action quota: actions are free of gas, so each owner has a ration of them.

``owner.quota`` counts micro-actions and may be negative. It is read and written by the step that admits an
envelope, the one that ends it, and the one after a fill; nothing else knows about it.
"""

from __future__ import annotations

from tradezone.protocol import actions as A
from tradezone.protocol.enums import ASSET_SIMULATED
from tradezone.protocol.errors import Code
from tradezone.protocol.limits import (
    MAX_QUOTA,
    MAX_QUOTA_FEE,
    MICRO,
    QUOTA_CANCEL_ALL,
    QUOTA_DAILY,
    QUOTA_OVERDRAFT,
    QUOTA_START,
    QUOTA_TRICKLE,
)

from ._jit import i64, jit, ppm_up
from .tables import T_MACHINE, T_OWNER, touch

HAS_DEPOSITED = 1  # owner.flags bit 0
_OK = int(Code.OK)
_QUOTA_EXCEEDED = int(Code.QUOTA_EXCEEDED)
_DAY = 86_400_000


@jit
def get_cost(action, items):
    """Actions that an envelope costs."""
    return items * QUOTA_CANCEL_ALL if action == A.CANCEL_ALL else items


@jit
def admit(s, d, owner, cost, is_relief):
    """Take ``cost`` actions from the owner; QUOTA_EXCEEDED if they are not to be had.

    ``is_relief``: the envelope takes risk or load off the zone, so it may go below zero.
    """
    time = i64(s.machine[0].time)
    w = s.owner[owner]
    day = time // _DAY
    if (i64(w.flags) & HAS_DEPOSITED) == 0 and day > w.quota_day:
        w.quota = max(i64(w.quota), QUOTA_DAILY * MICRO)
        w.quota_day = day
        touch(d, T_OWNER, owner)
    floor = i64(-QUOTA_OVERDRAFT * MICRO) if is_relief else i64(0)
    left = i64(w.quota) - cost * MICRO
    if left >= floor:
        w.quota = left
    elif cost == 1 and time >= i64(w.trickle_time) + QUOTA_TRICKLE:
        w.trickle_time = time
    else:
        return _QUOTA_EXCEEDED
    touch(d, T_OWNER, owner)
    return _OK


@jit
def charge(s, d, owner, cost):
    """Take ``cost`` actions for what failed, however little is left."""
    s.owner[owner].quota -= cost * MICRO
    touch(d, T_OWNER, owner)


@jit
def start(s, d, owner, asset, amount):
    """Open the allowance of an owner with its first real deposit of enough atoms."""
    w = s.owner[owner]
    if (i64(w.flags) & HAS_DEPOSITED) == 0 and amount >= max(i64(s.asset[asset].quota_deposit), 1):
        w.flags = i64(w.flags) | HAS_DEPOSITED
        w.quota = min(i64(w.quota) + QUOTA_START * MICRO, MAX_QUOTA)
        touch(d, T_OWNER, owner)


@jit
def credit_fee(s, d, owner, fee, share, rate):
    """Credit an owner for the protocol's least part of a fee that it paid."""
    if fee > 0:
        w = s.owner[owner]
        bought = min(ppm_up(fee, share), MAX_QUOTA_FEE) * rate
        w.quota = min(i64(w.quota) + bought, MAX_QUOTA)
        touch(d, T_OWNER, owner)


@jit
def step_credit(s, d, io):
    """QUOTA_CREDIT: the fees of the last fill buy their payers quota; then on to ``return0``."""
    m, f = s.machine[0], s.draft[0]
    k = s.market[m.market]
    x = s.asset[k.quote]
    rate = i64(x.quota_rate)
    if rate > 0 and x.kind != ASSET_SIMULATED:
        share = i64(k.protocol_share)
        credit_fee(s, d, i64(s.order[m.taker].owner), i64(f.taker_fee), share, rate)
        credit_fee(s, d, i64(s.order[m.order].owner), i64(f.maker_fee), share, rate)
    m.pc = m.return0
    touch(d, T_MACHINE, 0)
