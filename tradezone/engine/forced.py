"""Forced operations: what an owner does through L1, whatever the sequencer wants (``docs/spec/forced.md``).

Invariant: a message of these kinds from an owner of the zone is consumed by FORCED_ANSWER alone, which writes exactly
one record with the message's index into the outbox, or finds the withdrawal that is the answer there already.

The message under ``machine.inbox`` is read by one step at a time. Registers, in ``machine``: ``owner``, ``account``;
``error`` and ``value0`` become status and amount of the answer, ``market`` its market or asset; ``order`` the outbox
id of a withdrawal, 0 = the answer is still to be written.
"""

from __future__ import annotations

from tradezone.protocol import messages as M
from tradezone.protocol import steps as P
from tradezone.protocol.actions import layout_bytes
from tradezone.protocol.enums import (
    ACTIVE,
    ASSET_SIMULATED,
    BOTH_SIDES,
    BUY,
    CANCEL_ALL,
    ORDER_REDUCE_ONLY,
    OUTBOX_FORCED_RESULT,
    SELL,
    STP_OLDEST,
    TASK_ACCOUNT,
    TIF_IOC,
)
from tradezone.protocol.errors import Code
from tradezone.protocol.events import CANCEL_ALL_BEGUN, FORCED_ANSWERED, WITHDRAWN
from tradezone.protocol.limits import MAX_OPEN_ORDERS, RESERVED_OUTBOX, RESERVED_TASKS

from ._jit import i64, jit
from .balances import find_balance
from .codec import emit_note, message_start, read8, read32, read64, read_limb
from .envelopes import approve_key, begin_revoke, is_acting, key_id, post_withdrawal
from .perps.bands import get_band
from .phases import is_admitted, is_restart_closed
from .tables import (
    T_ACCOUNT,
    T_ASSET,
    T_BALANCE,
    T_MACHINE,
    T_ORDER,
    T_OUTBOX,
    T_OWNER,
    T_POOL,
    T_POSITION,
    T_TASK,
    T_VENUE,
    append_slot,
    has_room,
    is_used,
    take_order,
    touch,
)
from .tasks import append_task, emit_task

_OK = int(Code.OK)
_ACCOUNT_NOT_FOUND = int(Code.ACCOUNT_NOT_FOUND)
_KEY_NOT_OF_OWNER = int(Code.KEY_NOT_OF_OWNER)
_OWNER_MISMATCH = int(Code.OWNER_MISMATCH)
_ASSET_NOT_FOUND = int(Code.ASSET_NOT_FOUND)
_NOT_SAME_KIND = int(Code.NOT_SAME_KIND)
_INSUFFICIENT_BALANCE = int(Code.INSUFFICIENT_BALANCE)
_AMOUNT_OUT_OF_RANGE = int(Code.AMOUNT_OUT_OF_RANGE)
_NOTHING_TO_REDUCE = int(Code.NOTHING_TO_REDUCE)
_POOL_BUSY = int(Code.POOL_BUSY)
_MARKET_CLOSED = int(Code.MARKET_CLOSED)
_TOO_MANY_ORDERS = int(Code.TOO_MANY_ORDERS)
_TABLE_FULL = int(Code.TABLE_FULL)

_OWNER = layout_bytes(M.FORCED_OWNER)  # where the body of an operation of the whole owner begins
_ACCOUNT = layout_bytes(M.FORCED_ACCOUNT)  # and that of one about an account


@jit
def body_at(io, m):
    """Position of the payload of the message under work."""
    return message_start(io, i64(m.inbox)) + M.MESSAGE_HEADER


@jit
def begin_forced(s, d, io, kind, at):
    """Check whose operation it is and that there is room for its answer; its step follows. 0 or the error."""
    source = io.message
    m = s.machine[0]
    owner = read32(source, at)
    if not is_used(s, T_OWNER, owner):
        return _OWNER_MISMATCH
    w = s.owner[owner]
    if (
        (i64(w.address2) & 0xFFFFFFFF) != read32(source, at + 4)
        or i64(w.address1) != read_limb(source, at + 8)
        or i64(w.address0) != read_limb(source, at + 16)
    ):
        return _OWNER_MISMATCH
    reserve = 0 if kind == M.FORCED_WITHDRAW else RESERVED_OUTBOX
    if not has_room(s, T_OUTBOX, 1 + reserve):
        return _TABLE_FULL
    m.owner = owner
    m.account = w.first_account
    m.error = 0
    m.value0 = 0
    m.market = 0
    m.order = 0
    m.pc = P.FORCED_ANSWER
    if kind == M.FORCED_REDIRECT:
        m.pc = P.FORCED_REDIRECT
    elif kind == M.FORCED_APPROVE_KEY or kind == M.FORCED_REVOKE_KEY:
        m.pc = P.FORCED_KEY
    else:
        account = read32(source, at + _OWNER)
        if not is_acting(s, account):
            m.error = _ACCOUNT_NOT_FOUND
        elif s.account[account].owner != owner:
            m.error = _KEY_NOT_OF_OWNER
        else:
            m.account = account
            if kind == M.FORCED_WITHDRAW:
                m.pc = P.FORCED_WITHDRAW
            elif kind == M.FORCED_CLOSE:
                m.pc = P.FORCED_CLOSE
            else:
                m.pc = P.FORCED_CANCEL
    return _OK


@jit
def answer(d, m, error, amount):
    """Have the operation answered."""
    m.error = error
    m.value0 = amount
    m.pc = P.FORCED_ANSWER
    touch(d, T_MACHINE, 0)


@jit
def step_forced_withdraw(s, d, io):
    """FORCED_WITHDRAW: as much of the amount as is free leaves for the outbox."""
    m = s.machine[0]
    at = body_at(io, m) + _ACCOUNT
    asset, asked = read32(io.message, at), read64(io.message, at + 4)
    if not is_used(s, T_ASSET, asset):
        answer(d, m, _ASSET_NOT_FOUND, 0)
        return
    m.market = asset
    if s.asset[asset].kind == ASSET_SIMULATED:
        answer(d, m, _NOT_SAME_KIND, 0)
        return
    if asked < 1:
        answer(d, m, _AMOUNT_OUT_OF_RANGE, 0)
        return
    account = i64(m.account)
    source = find_balance(s, d, account, asset)
    amount = i64(0)
    if source != 0:
        amount = min(asked, i64(s.balance[source].free))
    if amount == 0:
        answer(d, m, _INSUFFICIENT_BALANCE, 0)
        return
    s.balance[source].free -= amount
    s.asset[asset].total -= amount
    touch(d, T_BALANCE, source)
    touch(d, T_ASSET, asset)
    slot = post_withdrawal(s, d, i64(m.owner), asset, amount, i64(m.inbox))
    emit_note(d, io, WITHDRAWN, m.inbox, asset, account, 0, slot, 0, 0, amount)
    m.order = slot
    answer(d, m, _OK, amount)


@jit
def step_forced_close(s, d, io):
    """FORCED_CLOSE: is the named position the account's, and does its market let it close."""
    m = s.machine[0]
    at = body_at(io, m) + _ACCOUNT
    market, position = read32(io.message, at), read32(io.message, at + 4)
    account, time = i64(m.account), i64(m.time)
    touch(d, T_MACHINE, 0)
    if not is_used(s, T_POSITION, position):
        answer(d, m, _NOTHING_TO_REDUCE, 0)
        return
    x = s.position[position]
    if x.state != ACTIVE or x.account != account or x.market != market or x.lots == 0:
        answer(d, m, _NOTHING_TO_REDUCE, 0)
        return
    m.market = market
    m.cursor = position
    error = i64(_OK)
    if s.pool[x.pool].state != ACTIVE:
        error = i64(_POOL_BUSY)
    elif is_restart_closed(s, time, TIF_IOC) or not is_admitted(
        s, market, time, TIF_IOC, ORDER_REDUCE_ONLY
    ):
        error = i64(_MARKET_CLOSED)
    elif s.account[account].order_count >= MAX_OPEN_ORDERS:
        error = i64(_TOO_MANY_ORDERS)
    elif not has_room(s, T_ORDER, 1):
        error = i64(_TABLE_FULL)
    if error != _OK:
        answer(d, m, error, 0)
    else:
        m.pc = P.FORCED_SEND


@jit
def step_forced_send(s, d, io):
    """FORCED_SEND: a reduce-only order for position ``cursor`` at the edge of the band comes into being and waits."""
    m = s.machine[0]
    market, position, account = i64(m.market), i64(m.cursor), i64(m.account)
    k, x, a = s.market[market], s.position[position], s.account[account]
    pool = i64(x.pool)
    low, high = get_band(k, s.price[market], i64(m.time))
    slot = take_order(s, d)
    o = s.order[slot]
    m.order_seq += 1
    o.account = account
    o.owner = m.owner
    o.market = market
    o.side = SELL if x.lots > 0 else BUY
    o.price = max(low, i64(1)) if x.lots > 0 else min(high, i64(k.max_price))
    o.tif = TIF_IOC
    o.stp = STP_OLDEST
    o.flags = ORDER_REDUCE_ONLY
    o.lots = min(abs(i64(x.lots)), i64(k.max_lots))
    o.next = 0
    o.seq = m.order_seq
    o.holding = position
    o.pool = pool
    o.account_next = a.first_order
    if a.first_order != 0:
        s.order[a.first_order].account_previous = slot
        touch(d, T_ORDER, a.first_order)
    a.first_order = slot
    a.order_count += 1
    s.venue[k.venue].market_orders += 1
    s.pool[pool].order_count += 1
    x.uses += 1
    answer(d, m, _OK, i64(o.lots))
    m.order = slot
    m.return0 = P.FORCED_ANSWER
    m.pc = P.JOIN
    touch(d, T_ORDER, slot)
    touch(d, T_ACCOUNT, account)
    touch(d, T_VENUE, k.venue)
    touch(d, T_POSITION, position)
    touch(d, T_POOL, pool)


@jit
def step_forced_cancel(s, d, io):
    """FORCED_CANCEL: a task for all orders of the account; one that it has already is made to mean all of them."""
    m = s.machine[0]
    account = i64(m.account)
    slot = i64(s.account[account].task)
    if slot != 0:
        t = s.task[slot]
        t.market = 0
        t.side = BOTH_SIDES
        t.reason = CANCEL_ALL
        t.cursor = 0
        t.seq = m.order_seq
        touch(d, T_TASK, slot)
    elif not has_room(s, T_TASK, 1 + RESERVED_TASKS // 2):
        answer(d, m, _TABLE_FULL, 0)
        return
    else:
        slot = append_task(s, d, TASK_ACCOUNT, account, 0, BOTH_SIDES, CANCEL_ALL)
        s.account[account].task = slot
        touch(d, T_ACCOUNT, account)
    emit_task(d, io, CANCEL_ALL_BEGUN, i64(m.inbox), s.task[slot])
    answer(d, m, _OK, 0)


@jit
def step_forced_key(s, d, io):
    """FORCED_KEY: approve a key, or begin to revoke one."""
    m = s.machine[0]
    at = body_at(io, m)
    kind = read8(io.message, at - M.MESSAGE_HEADER)
    touch(d, T_MACHINE, 0)
    if kind == M.FORCED_REVOKE_KEY:
        name = read64(io.message, at + _OWNER)
        error = i64(begin_revoke(s, d, m, name))
        if error != _OK:
            answer(d, m, error, 0)
        else:
            m.value0 = name
        return
    error = i64(approve_key(s, d, io, i64(m.owner), io.message, at + _OWNER, i64(m.inbox)))
    amount = i64(0)
    if error == _OK:
        amount = key_id(s, i64(s.owner[m.owner].first_key))
    answer(d, m, error, amount)


@jit
def step_forced_redirect(s, d, io):
    """FORCED_REDIRECT: withdrawals of the owner go elsewhere from now on; zero = to its address again."""
    m = s.machine[0]
    at = body_at(io, m) + _OWNER
    w = s.owner[m.owner]
    w.redirect2 = read32(io.message, at)
    w.redirect1 = read_limb(io.message, at + 4)
    w.redirect0 = read_limb(io.message, at + 12)
    touch(d, T_OWNER, m.owner)
    answer(d, m, _OK, 0)


@jit
def step_forced_answer(s, d, io):
    """FORCED_ANSWER: the operation is answered in the outbox and its message consumed."""
    m = s.machine[0]
    at = body_at(io, m)  # first: it is what brings the message
    kind = read8(io.message, at - M.MESSAGE_HEADER)
    slot = i64(m.order)
    if kind != M.FORCED_WITHDRAW or slot == 0:
        slot = append_slot(s, d, T_OUTBOX)
        r, w = s.outbox[slot], s.owner[m.owner]
        r.recipient0 = w.address0
        r.recipient1 = w.address1
        r.recipient2 = w.address2
        r.kind = OUTBOX_FORCED_RESULT
        r.status = m.error
        r.owner = m.owner
        if kind == M.FORCED_WITHDRAW:
            r.asset = m.market
        elif kind == M.FORCED_CLOSE:
            r.market = m.market
        r.amount = m.value0
        r.time = m.time
        r.inbox = m.inbox
        touch(d, T_OUTBOX, slot)
    emit_note(d, io, FORCED_ANSWERED, m.inbox, 0, m.account, 0, slot, kind, m.error, i64(m.value0))
    m.error = 0
    m.inbox += 1
    m.pc = P.MESSAGE
    touch(d, T_MACHINE, 0)


@jit
def dispatch(s, d, io, pc):
    """Run step ``pc`` of this module."""
    if pc == P.FORCED_WITHDRAW:
        step_forced_withdraw(s, d, io)
    elif pc == P.FORCED_CLOSE:
        step_forced_close(s, d, io)
    elif pc == P.FORCED_SEND:
        step_forced_send(s, d, io)
    elif pc == P.FORCED_CANCEL:
        step_forced_cancel(s, d, io)
    elif pc == P.FORCED_KEY:
        step_forced_key(s, d, io)
    elif pc == P.FORCED_REDIRECT:
        step_forced_redirect(s, d, io)
    else:
        step_forced_answer(s, d, io)
