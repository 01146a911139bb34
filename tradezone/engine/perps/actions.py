"""Actions of owners on pools: leverage, margin, allowances, the fund's money, CHECK (``docs/spec/pools.md``).

``machine.count`` is the stage of an action; it is 0 when its item begins, and POOL_FIND leaves 1.
"""

from __future__ import annotations

from tradezone.engine._jit import i64, jit
from tradezone.engine.access import (
    approval_hint,
    check_approval_gap,
    is_approval,
    link_approval,
)
from tradezone.engine.balances import can_open, find_balance, open_balance
from tradezone.engine.codec import emit, emit_note, read8, read32, read64
from tradezone.engine.orders import item_at, reject_item
from tradezone.engine.tables import (
    CAPACITY,
    T_ACCOUNT,
    T_APPROVAL,
    T_ASSET,
    T_BALANCE,
    T_DRAFT,
    T_LEDGER,
    T_MACHINE,
    T_MARKET,
    T_POOL,
    T_POSITION,
    T_VENUE,
    has_room,
    is_used,
    touch,
)
from tradezone.protocol import actions as A
from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    ACTIVE,
    APPROVAL_LEVERAGE,
    MARKET_CROSS,
    MARKET_PERP,
    MODE_CROSS,
    MODE_ISOLATED,
    VENUE_WOUND_DOWN,
)
from tradezone.protocol.errors import Code
from tradezone.protocol.events import ALLOWANCE_SET, LEVERAGE_SET, MARGIN_ADJUSTED
from tradezone.protocol.limits import MAX_APPROVALS, MAX_POOLS, MAX_TOTAL_ATOMS

from .bands import is_live
from .ledgers import find_ledger
from .liquidation import begin_judge
from .margin import get_initial, get_worst, weigh
from .touch import (
    JOB_FREE,
    JOB_UNKNOWN,
    add_position,
    begin_find,
    begin_open_pool,
    begin_pull,
    begin_tidy,
    begin_touch,
    emit_fund,
    emit_pool,
    find_pool,
    get_payment,
    get_releasable,
    is_looking,
    move_in,
    move_out,
    receive_income,
    take_position_out,
    values_of,
)

_OK = int(Code.OK)
_MARKET_NOT_FOUND = int(Code.MARKET_NOT_FOUND)
_KEY_VENUE = int(Code.KEY_VENUE)
_BAD_LEVERAGE = int(Code.BAD_LEVERAGE)
_POSITION_OPEN = int(Code.POSITION_OPEN)
_POOL_BUSY = int(Code.POOL_BUSY)
_POOL_NOT_FOUND = int(Code.POOL_NOT_FOUND)
_INSUFFICIENT_MARGIN = int(Code.INSUFFICIENT_MARGIN)
_TOO_MANY_APPROVALS = int(Code.TOO_MANY_APPROVALS)
_TOO_MANY_POOLS = int(Code.TOO_MANY_POOLS)
_TABLE_FULL = int(Code.TABLE_FULL)
_AMOUNT_OUT_OF_RANGE = int(Code.AMOUNT_OUT_OF_RANGE)
_LEDGER_SHORT = int(Code.LEDGER_SHORT)
_NOT_VENUE_OWNER = int(Code.NOT_VENUE_OWNER)
_NOT_ELIGIBLE = int(Code.NOT_ELIGIBLE)

# stages; the first one is 0
_FOUND, _TOUCHED, _SET, _PULLED = 1, 2, 3, 4  # LEVERAGE
_ROOM, _OPENED = 1, 2  # ALLOWANCE
_ADJUST = 1  # ADJUST_MARGIN; then those of ``touch.is_looking``


@jit
def find_named_ledger(s, d, venue, asset):
    """Slot of the ledger of a venue and asset as an item names them, 0 if there is none."""
    if not is_used(s, T_VENUE, venue):
        return i64(0)
    return find_ledger(s, d, venue, asset)


@jit
def find_named_pool(s, d, account, venue, asset, market):
    """Slot of the pool that an item names, 0 if there is none; numbers beyond their tables name none."""
    if venue >= CAPACITY[T_VENUE] or asset >= CAPACITY[T_ASSET] or market >= CAPACITY[T_MARKET]:
        return i64(0)
    return find_pool(s, d, account, venue, asset, market)


# --- leverage and margin mode ----------------------------------------------------------------------


@jit
def leverage_error(s, m, market, mode, leverage):
    """Check market, key and the setting itself; 0 or the error."""
    if not is_used(s, T_MARKET, market) or s.market[market].kind != MARKET_PERP:
        return _MARKET_NOT_FOUND
    named = s.market[market]
    home = i64(named.guest_of) if named.guest_of != 0 else market
    if not is_live(s, home):
        return _MARKET_NOT_FOUND
    venue = i64(s.key[m.key].venue)
    if venue != 0 and venue != named.venue:
        return _KEY_VENUE
    k = s.market[home]
    is_mode = mode == MODE_ISOLATED
    if mode == MODE_CROSS:
        is_mode = (i64(k.flags) & MARKET_CROSS) != 0
    if not is_mode or (leverage != 0 and (leverage < 100 or leverage > k.max_leverage)):
        return _BAD_LEVERAGE
    return _OK


@jit
def step_leverage(s, d, io):
    """LEVERAGE: the setting, the pool of the position if there is one, its margin, the approval; then it is said."""
    m, f = s.machine[0], s.draft[0]
    at = item_at(io, m)
    market, mode, leverage = read32(io.leaf, at), read8(io.leaf, at + 4), read32(io.leaf, at + 5)
    touch(d, T_MACHINE, 0)
    touch(d, T_DRAFT, 0)
    error = i64(_OK)
    if m.count == 0:
        error = i64(leverage_error(s, m, market, mode, leverage))
        if error == _OK:
            home = i64(s.market[market].guest_of)
            f.market = home if home != 0 else market
            begin_find(m, P.LEVERAGE)
    elif m.count == _FOUND:
        m.count = _SET
        f.pot = 0
        if f.holding != 0:
            p = s.pool[f.pay]
            if mode != (MODE_ISOLATED if p.market != 0 else MODE_CROSS):
                error = i64(_POSITION_OPEN)
            elif p.state != ACTIVE:
                error = i64(_POOL_BUSY)
            m.count = _TOUCHED
            begin_touch(m, i64(f.pay), P.LEVERAGE)
    elif m.count == _TOUCHED:
        f.pot = get_need(s, f, leverage)
        m.count = _SET
        if f.pot > s.balance[s.pool[f.pay].balance].free:
            error = i64(_INSUFFICIENT_MARGIN)
    elif m.count == _SET:
        error = set_leverage(s, d, m, f, mode, leverage)
        if error == _OK:
            m.count = _PULLED
            begin_pull(s, d, m, i64(f.pay), i64(f.pot), P.LEVERAGE)
    else:
        emit_note(d, io, LEVERAGE_SET, m.seq, f.market, m.account, 0, 0, mode, 0, leverage)
        m.pc = P.ITEM_DONE
    if error != _OK:
        f.pot = 0
        reject_item(s, d, io, error)


@jit
def get_need(s, f, leverage):
    """Margin that the touched pool of the draft is short of, with the position's new leverage."""
    market = i64(f.market)
    k, r, t = s.market[market], s.price[market], s.tier[market]
    p, x = s.pool[f.pay], s.position[f.holding]
    worst = get_worst(i64(x.lots), i64(x.buy_lots), i64(x.sell_lots))
    own, old = get_initial(k, r, t, worst, leverage), values_of(k, r, t, x)
    asked = i64(p.initial) - old[2] + own + i64(p.order_margin)
    return max(i64(0), asked - (i64(p.weighted) - old[1] + weigh(k, old[0], own)))


@jit
def set_leverage(s, d, m, f, mode, leverage):
    """Write the setting and the position's copy of its leverage; 0 or the error."""
    account, market = i64(m.account), i64(f.market)
    slot = approval_hint(s, d, account, APPROVAL_LEVERAGE, market)
    if not is_approval(s, slot, account, APPROVAL_LEVERAGE, market):
        check_approval_gap(s, slot, account, APPROVAL_LEVERAGE, market)
        if s.account[account].approval_count >= MAX_APPROVALS:
            return i64(_TOO_MANY_APPROVALS)
        if not has_room(s, T_APPROVAL, 1):
            return i64(_TABLE_FULL)
        slot = link_approval(s, d, account, slot)
    a = s.approval[slot]
    a.kind = APPROVAL_LEVERAGE
    a.subject = market
    a.flags = mode
    a.value = leverage
    a.issued = m.time
    touch(d, T_APPROVAL, slot)
    if f.holding != 0:
        p, x = s.pool[f.pay], s.position[f.holding]
        take_position_out(s, p, x)
        x.leverage = leverage
        add_position(s, p, x)
        touch(d, T_POOL, f.pay)
        touch(d, T_POSITION, f.holding)
    return i64(_OK)


# --- allowance -------------------------------------------------------------------------------------


@jit
def step_allowance(s, d, io):
    """Set what may be pulled without the owner (ALLOWANCE): ledger and amount, room, the cross pool; then the allowance."""
    m, f = s.machine[0], s.draft[0]
    at = item_at(io, m)
    venue, asset = read32(io.leaf, at), read32(io.leaf, at + 4)
    amount = read64(io.leaf, at + 8)
    touch(d, T_MACHINE, 0)
    error = i64(_OK)
    if m.count == 0:
        ledger = find_named_ledger(s, d, venue, asset)
        if ledger == 0:
            error = i64(_POOL_NOT_FOUND)
        elif amount >= MAX_TOTAL_ATOMS:
            error = i64(_AMOUNT_OUT_OF_RANGE)
        f.receive = ledger
        m.count = _ROOM
        touch(d, T_DRAFT, 0)
    elif m.count == _ROOM:
        account = i64(m.account)
        f.pay = find_pool(s, d, account, venue, asset, i64(0))
        m.count = _OPENED
        touch(d, T_DRAFT, 0)
        if f.pay == 0:
            error = pool_room_error(s, d, account, asset)
            if error == _OK:
                begin_open_pool(s, d, m, i64(f.receive), i64(0), P.ALLOWANCE)
    else:
        pool = i64(f.pay)
        p = s.pool[pool]
        p.allowance = amount
        p.pulled = 0
        touch(d, T_POOL, pool)
        emit(
            d, io, ALLOWANCE_SET, m.seq, venue, m.account, asset, 0, 0,
            0, 0, 0, 0, 0, 0, 0, amount, 0, 0, 0,
        )  # fmt: skip
        begin_tidy(s, m, pool, P.ITEM_DONE)
    if error != _OK:
        reject_item(s, d, io, error)


@jit
def pool_room_error(s, d, account, asset):
    """0 if the account may open a pool of an asset, and the balance that it needs, else the error."""
    if find_balance(s, d, account, asset) == 0:
        error = can_open(s, account)
        if error != _OK:
            return error
    if s.account[account].pool_count >= MAX_POOLS:
        return i64(_TOO_MANY_POOLS)
    return i64(_OK) if has_room(s, T_POOL, 1) else i64(_TABLE_FULL)


# --- margin ----------------------------------------------------------------------------------------


@jit
def step_adjust_margin(s, d, io):
    """ADJUST_MARGIN: the account's pool, touched; then its owner adds margin or takes what it need not hold."""
    m, f = s.machine[0], s.draft[0]
    at = item_at(io, m)
    touch(d, T_MACHINE, 0)
    if m.count == 0:
        venue, asset, market = read32(io.leaf, at), read32(io.leaf, at + 4), read32(io.leaf, at + 8)
        pool = find_named_pool(s, d, i64(m.account), venue, asset, market)
        if pool == 0:
            reject_item(s, d, io, _POOL_NOT_FOUND)
            return
        f.pay = pool
        touch(d, T_DRAFT, 0)
        m.count = _ADJUST
        begin_touch(m, pool, P.ADJUST_MARGIN)
        return
    direction, amount = read8(io.leaf, at + 12), read64(io.leaf, at + 13)
    pool = i64(f.pay)
    p = s.pool[pool]
    if m.count == _ADJUST:
        if amount < 1 or direction > A.MARGIN_TAKE:
            reject_item(s, d, io, _AMOUNT_OUT_OF_RANGE)
            return
        if direction == A.MARGIN_ADD:
            if amount > s.balance[p.balance].free:
                reject_item(s, d, io, _AMOUNT_OUT_OF_RANGE)
                return
            move_in(s, d, io, pool, amount)
            p.kept += amount
            end_adjust(s, d, io, m, pool, p)
            return
        if p.state != ACTIVE:
            reject_item(s, d, io, _POOL_BUSY)
            return
        m.count = JOB_UNKNOWN
    if is_looking(s, m, p):
        return
    releasable = get_releasable(p) if m.count == JOB_FREE else i64(0)
    if amount > releasable:
        reject_item(s, d, io, _INSUFFICIENT_MARGIN)
        return
    paid = get_payment(s.ledger[p.ledger], amount)
    if paid > s.ledger[p.ledger].cash:
        reject_item(s, d, io, _LEDGER_SHORT)
        return
    move_out(s, d, io, pool, amount, paid)
    p.kept = max(i64(0), i64(p.kept) - amount)
    end_adjust(s, d, io, m, pool, p)


@jit
def end_adjust(s, d, io, m, pool, p):
    """MARGIN_ADJUSTED; then what is empty is freed."""
    emit_pool(s, d, io, MARGIN_ADJUSTED, pool, i64(p.kept), i64(0))
    touch(d, T_POOL, pool)
    begin_tidy(s, m, pool, P.ITEM_DONE)


# --- the fund's money ------------------------------------------------------------------------------


@jit
def step_fund(s, d, io):
    """FUND: money of any account for an insurance fund."""
    m = s.machine[0]
    at = item_at(io, m)
    venue, asset = read32(io.leaf, at), read32(io.leaf, at + 4)
    amount = read64(io.leaf, at + 8)
    ledger = find_named_ledger(s, d, venue, asset)
    if ledger == 0:
        reject_item(s, d, io, _POOL_NOT_FOUND)
        return
    balance = find_balance(s, d, i64(m.account), asset)
    if balance == 0 or amount < 1 or amount > s.balance[balance].free:
        reject_item(s, d, io, _AMOUNT_OUT_OF_RANGE)
        return
    s.balance[balance].free -= amount
    s.ledger[ledger].cash += amount
    touch(d, T_BALANCE, balance)
    touch(d, T_LEDGER, ledger)
    receive_income(s, d, io, ledger, amount)
    emit_fund(s, d, io, ledger, i64(m.account), amount)
    m.pc = P.ITEM_DONE
    touch(d, T_MACHINE, 0)


@jit
def step_defund(s, d, io):
    """DEFUND: the deployer of a venue that is over takes what is left of its fund."""
    m = s.machine[0]
    at = item_at(io, m)
    venue, asset = read32(io.leaf, at), read32(io.leaf, at + 4)
    amount = read64(io.leaf, at + 8)
    account = i64(m.account)
    ledger = find_named_ledger(s, d, venue, asset)
    error = i64(_OK)
    if ledger == 0:
        error = i64(_POOL_NOT_FOUND)
    elif s.venue[venue].owner != m.owner:
        error = i64(_NOT_VENUE_OWNER)
    else:
        w = s.ledger[ledger]
        if s.venue[venue].state != VENUE_WOUND_DOWN or w.perps != 0 or w.deficit != 0:
            error = i64(_NOT_ELIGIBLE)
        elif amount < 1 or amount > min(i64(w.fund), i64(w.cash)):
            error = i64(_AMOUNT_OUT_OF_RANGE)
        elif find_balance(s, d, account, asset) == 0:
            error = can_open(s, account)
    if error != _OK:
        reject_item(s, d, io, error)
        return
    w = s.ledger[ledger]
    w.fund -= amount
    w.cash -= amount
    balance = open_balance(s, d, account, asset)
    s.balance[balance].free += amount
    touch(d, T_LEDGER, ledger)
    touch(d, T_BALANCE, balance)
    emit_fund(s, d, io, ledger, account, -amount)
    m.pc = P.ITEM_DONE
    touch(d, T_MACHINE, 0)


# --- CHECK -----------------------------------------------------------------------------------------


@jit
def step_check(s, d, io):
    """CHECK: the pool that the item names, of anyone, is touched and judged."""
    m = s.machine[0]
    at = item_at(io, m)
    account, venue = read32(io.leaf, at), read32(io.leaf, at + 4)
    asset, market = read32(io.leaf, at + 8), read32(io.leaf, at + 12)
    pool = i64(0)
    if is_used(s, T_ACCOUNT, account):
        pool = find_named_pool(s, d, account, venue, asset, market)
    if pool == 0:
        reject_item(s, d, io, _POOL_NOT_FOUND)
        return
    touch(d, T_MACHINE, 0)
    begin_judge(s, d, m, pool, P.ITEM_DONE)


@jit
def dispatch_actions(s, d, io, pc):
    """Run step ``pc`` of this module."""
    if pc == P.LEVERAGE:
        step_leverage(s, d, io)
    elif pc == P.ALLOWANCE:
        step_allowance(s, d, io)
    elif pc == P.ADJUST_MARGIN:
        step_adjust_margin(s, d, io)
    elif pc == P.FUND:
        step_fund(s, d, io)
    elif pc == P.DEFUND:
        step_defund(s, d, io)
    elif pc == P.CHECK:
        step_check(s, d, io)
    else:
        raise ValueError("machine.pc names no step")
