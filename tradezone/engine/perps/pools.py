"""Margin pools: touch, opening, pull, release, freeing what is empty (``docs/spec/pools.md``).

Invariants: an account's pools form one list by rising (venue, asset, market), a pool's positions one by rising market;
a pool is one use of its account's balance of the asset; ``order_margin``, ``order_count`` and ``position.uses`` are what
the open orders say. Which registers a sequence uses stands in ``touch``.
"""

from __future__ import annotations

from tradezone.engine._jit import i64, jit
from tradezone.engine.access import find_approval
from tradezone.engine.balances import open_balance
from tradezone.engine.codec import emit_note, leaf_of
from tradezone.engine.lookup import (
    index_pool,
    index_position,
    pool_hint,
    position_hint,
    unindex_pool,
    unindex_position,
)
from tradezone.engine.tables import (
    T_ACCOUNT,
    T_BALANCE,
    T_DRAFT,
    T_FUND,
    T_MACHINE,
    T_POOL,
    T_POSITION,
    T_PRICE,
    free_pool,
    free_position,
    take_pool,
    take_position,
    touch,
)
from tradezone.engine.wide import mul_div_ceil
from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    ACCOUNT_FUND,
    ACTIVE,
    APPROVAL_LEVERAGE,
    MARKET_CROSS,
    MODE_CROSS,
    MODE_ISOLATED,
    POSITION_ADL,
)
from tradezone.protocol.events import FUNDING_PAID

from .actions import dispatch_actions
from .touch import (
    JOB_FREE,
    add_values,
    begin_touch,
    change_collateral,
    check_pool_gap,
    check_position_gap,
    clear_sums,
    find_pool,
    find_position,
    get_releasable,
    is_looking,
    is_touched,
    move_in,
    move_out,
    values_of,
)

# positions that one step looks at, so that it keeps to twelve records
_TOUCH_LOOKS = 2
_CLOSE_LOOKS = 6


# --- touch -----------------------------------------------------------------------------------------


@jit
def step_touch(s, d, io):
    """TOUCH: is pool ``cursor`` of this epoch; otherwise its positions follow, one a step."""
    m = s.machine[0]
    p = s.pool[m.cursor]
    touch(d, T_MACHINE, 0)
    m.pc = m.return2
    if is_touched(m, p):
        return
    clear_sums(p)
    touch(d, T_POOL, m.cursor)
    if p.first_position == 0:
        p.epoch = m.epoch
    else:
        m.cursor2 = p.first_position
        m.pc = P.TOUCH_POSITION


@jit
def step_touch_position(s, d, io):
    """TOUCH_POSITION: the next positions, at most two, settle their funding and add their values to their pool's sums."""
    m = s.machine[0]
    pool = i64(m.cursor)
    p = s.pool[pool]
    for _look in range(_TOUCH_LOOKS):
        if m.cursor2 != 0:
            touch_position(s, d, io, m, pool, p, i64(m.cursor2))
            m.cursor2 = s.position[m.cursor2].next
    if m.cursor2 == 0:
        p.epoch = m.epoch
        m.pc = m.return2
    touch(d, T_POOL, pool)
    touch(d, T_MACHINE, 0)


@jit
def touch_position(s, d, io, m, pool, p, slot):
    """Settle the funding of a position of a pool that is being touched, and add its values."""
    x = s.position[slot]
    market = i64(x.market)
    k, r, t = s.market[market], s.price[market], s.tier[market]
    passed = i64(r.funding_index) - i64(x.funding_index)
    if passed != 0:
        # Rounded up for who pays, down for who receives.
        paid = mul_div_ceil(i64(x.lots), passed, i64(t.funding_scale))
        x.funding_index = r.funding_index
        touch(d, T_POSITION, slot)
        if paid != 0:
            change_collateral(d, p, pool, -paid)
            r.pot += paid
            touch(d, T_PRICE, market)
            emit_note(d, io, FUNDING_PAID, leaf_of(m), market, p.account, 0, 0, 0, 0, paid)
    add_values(p, values_of(k, r, t, x))


# --- finding ---------------------------------------------------------------------------------------


@jit
def step_pool_find(s, d, io):
    """POOL_FIND: where the account has a position of ``draft.market``, else what its setting says.

    First its cross pool, in a market that is approved for one, then its isolated pool and the setting.
    """
    m, f = s.machine[0], s.draft[0]
    account, market = i64(m.account), i64(f.market)
    k = s.market[market]
    is_approved = (i64(k.flags) & MARKET_CROSS) != 0
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)
    if m.count == 0:
        f.pay = 0
        f.found = 0
        f.holding = 0
        f.receive = k.ledger
        m.count = 1
        if is_approved:
            f.pay = find_pool(s, d, account, i64(k.venue), i64(k.quote), i64(0))
            if f.pay != 0:
                take_found(s, d, m, f, market)
            return
    # The cross pool has none of the market.
    cross = i64(f.pay)
    f.pay = find_pool(s, d, account, i64(k.venue), i64(k.quote), market)
    f.found = market
    if f.pay != 0:
        take_found(s, d, m, f, market)
        if f.holding != 0:
            return
    mode = MODE_CROSS if is_approved else MODE_ISOLATED
    f.cover = 0
    slot = find_approval(s, d, account, APPROVAL_LEVERAGE, market)
    if slot != 0:
        mode = i64(s.approval[slot].flags)
        f.cover = s.approval[slot].value
    if mode == MODE_CROSS:
        f.pay = cross
        f.found = 0
    m.pc = m.return0


@jit
def take_found(s, d, m, f, market):
    """Go on with the position of a market in pool ``draft.pay``, if there is one."""
    f.holding = find_position(s, d, i64(f.pay), market)
    if f.holding != 0:
        f.cover = s.position[f.holding].leverage
        m.pc = m.return0


# --- opening ---------------------------------------------------------------------------------------


@jit
def step_pool_open(s, d, io):
    """POOL_OPEN: the account's balance, if it has none, and its pool; the caller has checked that there is room."""
    m, f = s.machine[0], s.draft[0]
    account, ledger, market = i64(m.account), i64(f.receive), i64(f.found)
    w, a = s.ledger[ledger], s.account[account]
    venue, asset = i64(w.venue), i64(w.asset)
    balance = open_balance(s, d, account, asset)
    previous = pool_hint(s, d, account, venue, asset, market)
    check_pool_gap(s, previous, account, venue, asset, market)
    slot = take_pool(s, d)
    p = s.pool[slot]
    p.account = account
    p.owner = a.owner
    p.venue = venue
    p.asset = asset
    p.market = market
    p.ledger = ledger
    p.balance = balance
    p.state = ACTIVE
    p.epoch = m.epoch
    p.previous = previous
    if previous != 0:
        p.next = s.pool[previous].next
        s.pool[previous].next = slot
        touch(d, T_POOL, previous)
    else:
        p.next = a.first_pool
        a.first_pool = slot
    if p.next != 0:
        s.pool[p.next].previous = slot
        touch(d, T_POOL, p.next)
    a.pool_count += 1
    s.balance[balance].uses += 1
    index_pool(d, account, venue, asset, market, slot)
    f.pay = slot
    m.pc = m.return1
    touch(d, T_ACCOUNT, account)
    touch(d, T_BALANCE, balance)
    touch(d, T_POOL, slot)
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)


@jit
def step_position_open(s, d, io):
    """POSITION_OPEN: an empty position of ``draft.market`` in pool ``draft.pay``, with its leverage."""
    m, f = s.machine[0], s.draft[0]
    pool, market = i64(f.pay), i64(f.market)
    p = s.pool[pool]
    previous = position_hint(s, d, pool, market)
    check_position_gap(s, previous, pool, market)
    slot = take_position(s, d)
    x = s.position[slot]
    x.pool = pool
    x.market = market
    x.account = p.account
    x.owner = p.owner
    x.state = ACTIVE
    x.leverage = f.cover
    x.funding_index = s.price[market].funding_index
    x.previous = previous
    if previous != 0:
        x.next = s.position[previous].next
        s.position[previous].next = slot
        touch(d, T_POSITION, previous)
    else:
        x.next = p.first_position
        p.first_position = slot
    if x.next != 0:
        s.position[x.next].previous = slot
        touch(d, T_POSITION, x.next)
    p.position_count += 1
    index_position(d, pool, market, slot)
    f.holding = slot
    m.pc = m.return1
    touch(d, T_POOL, pool)
    touch(d, T_POSITION, slot)
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)


# --- money -----------------------------------------------------------------------------------------


@jit
def step_pull(s, d, io):
    """PULL: ``draft.pot`` atoms, which the caller has checked, move into pool ``draft.pay``."""
    m, f = s.machine[0], s.draft[0]
    move_in(s, d, io, i64(f.pay), i64(f.pot))
    f.pot = 0
    m.pc = m.return1
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)


@jit
def step_pool_release(s, d, io):
    """POOL_RELEASE: the automatic release of pool ``cursor``, touched; then what is empty is freed."""
    m = s.machine[0]
    pool = i64(m.cursor)
    p = s.pool[pool]
    touch(d, T_MACHINE, 0)
    if not is_touched(m, p):
        begin_touch(m, pool, P.POOL_RELEASE)
        return
    if is_looking(s, m, p):
        return
    if p.state == ACTIVE and p.maintenance == 0 and p.order_count == 0 and p.forced == 0:
        p.kept = 0  # neither lots nor orders: nothing is left that the margin should stay for
        touch(d, T_POOL, pool)
    # A zone that ends releases all at one rate, once every loss is known.
    is_living = s.agenda[0].closing == 0
    if m.count == JOB_FREE and s.account[p.account].kind != ACCOUNT_FUND and is_living:
        w = s.ledger[p.ledger]
        amount = get_releasable(p) - i64(p.kept)
        if amount > 0 and w.deficit == 0 and amount <= w.cash:
            move_out(s, d, io, pool, amount, amount)
    m.cursor2 = p.first_position
    m.pc = P.POSITION_CLOSE


# --- freeing ---------------------------------------------------------------------------------------


@jit
def step_position_close(s, d, io):
    """POSITION_CLOSE: of the next positions of pool ``cursor`` the first empty one is freed; behind the last the pool follows."""
    m = s.machine[0]
    touch(d, T_MACHINE, 0)
    for _look in range(_CLOSE_LOOKS):
        slot = i64(m.cursor2)
        if slot == 0:
            m.pc = P.POOL_CLOSE
            return
        x = s.position[slot]
        m.cursor2 = x.next
        if is_vacant(x):
            close_position(s, d, slot, x)
            return


@jit
def is_vacant(x):
    """Whether nothing keeps a position: lots, money, orders, a registration."""
    if x.lots != 0 or x.quote != 0 or x.uses != 0:
        return False
    return (i64(x.flags) & POSITION_ADL) == 0


@jit
def close_position(s, d, slot, x):
    """Take a position out of its pool's list and give its slot back."""
    pool = i64(x.pool)
    p = s.pool[pool]
    if x.previous != 0:
        s.position[x.previous].next = x.next
        touch(d, T_POSITION, x.previous)
    else:
        p.first_position = x.next
    if x.next != 0:
        s.position[x.next].previous = x.previous
        touch(d, T_POSITION, x.next)
    p.position_count -= 1
    touch(d, T_POOL, pool)
    unindex_position(d, pool, i64(x.market))
    free_position(s, d, slot)


@jit
def is_empty(p):
    """Whether nothing keeps a pool: positions, money, an allowance, a claim, the queue, a forced order."""
    if p.state != ACTIVE or p.position_count != 0 or p.forced != 0:
        return False
    return p.collateral == 0 and p.allowance == 0 and p.haircut == 0


@jit
def step_pool_close(s, d, io):
    """POOL_CLOSE: pool ``cursor`` is freed if it is empty."""
    m = s.machine[0]
    slot = i64(m.cursor)
    p = s.pool[slot]
    m.pc = m.return1
    m.cursor = 0
    touch(d, T_MACHINE, 0)
    if not is_empty(p):
        return
    account, market = i64(p.account), i64(p.market)
    a = s.account[account]
    if p.previous != 0:
        s.pool[p.previous].next = p.next
        touch(d, T_POOL, p.previous)
    else:
        a.first_pool = p.next
    if p.next != 0:
        s.pool[p.next].previous = p.previous
        touch(d, T_POOL, p.next)
    a.pool_count -= 1
    touch(d, T_ACCOUNT, account)
    s.balance[p.balance].uses -= 1
    touch(d, T_BALANCE, p.balance)
    if market != 0 and s.fund[market].pool == slot:
        s.fund[market].pool = 0
        touch(d, T_FUND, market)
    unindex_pool(d, account, i64(p.venue), i64(p.asset), market)
    free_pool(s, d, slot)


@jit
def dispatch(s, d, io, pc):
    """Run step ``pc`` of pools and of the actions on them."""
    if pc == P.TOUCH:
        step_touch(s, d, io)
    elif pc == P.TOUCH_POSITION:
        step_touch_position(s, d, io)
    elif pc == P.POOL_RELEASE:
        step_pool_release(s, d, io)
    elif pc == P.POSITION_CLOSE:
        step_position_close(s, d, io)
    elif pc == P.POOL_CLOSE:
        step_pool_close(s, d, io)
    elif pc == P.PULL:
        step_pull(s, d, io)
    elif pc == P.POOL_FIND:
        step_pool_find(s, d, io)
    elif pc == P.POOL_OPEN:
        step_pool_open(s, d, io)
    elif pc == P.POSITION_OPEN:
        step_position_open(s, d, io)
    else:
        dispatch_actions(s, d, io, pc)
