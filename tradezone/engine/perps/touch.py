"""What other parts of the engine do to pools and positions: touch, trade, move money, find, begin a release.

A pool that is *touched* (``pool.epoch == machine.epoch``) keeps the sums of its positions' values, and with its
collateral its equity, up to date: whoever changes one of these exchanges what it adds to the sums. The sums of any other pool are
old and are made anew by the next touch, so nobody keeps them.

The ``begin_...`` functions set the registers of a step sequence, and the step ``back`` follows it. What they use:

    touch      cursor, cursor2, return2
    relist     cursor, count, return2            a position moves to the other side's list of its market
    release    cursor, cursor2, count, return1, and those of a touch
    pull       draft.pay, draft.pot, return1     money moves into a pool
    open       draft.pay, holding, receive, found, cover, return1
"""

from __future__ import annotations

from tradezone.engine._jit import i64, jit, ppm_up
from tradezone.engine.codec import emit, leaf_of
from tradezone.engine.lookup import is_pool_before, pool_hint, position_hint
from tradezone.engine.tables import T_BALANCE, T_DRAFT, T_LEDGER, T_POOL, T_POSITION, touch
from tradezone.engine.wide import mul_div_floor
from tradezone.protocol import steps as P
from tradezone.protocol.enums import ACTIVE, FREE, ORDER_FORCED, ORDER_REDUCE_ONLY, SELL
from tradezone.protocol.events import POOL_MOVED, POOL_RELEASED
from tradezone.protocol.limits import RELEASE_FLOOR

from .ledgers import receive_income as take_income
from .ledgers import tell_fund
from .margin import get_values

# What ``machine.count`` says of jobs in the markets of a pool, while it is asked if it may release
JOB_UNKNOWN, JOB_LOOKING, JOB_FREE, JOB_HELD = 10, 11, 12, 13
_JOB_LOOKS = 4  # positions that one step asks for


# --- sequences -------------------------------------------------------------------------------------


@jit
def begin_touch(m, pool, back):
    """Bring a pool to the present epoch; nothing happens if it is."""
    m.cursor = pool
    m.return2 = back
    m.pc = P.TOUCH


@jit
def begin_relist(m, position, side, back):
    """Have a position that stood on ``side`` (1 long, -1 short, 0 none) before a trade stand where it belongs."""
    m.cursor = position
    m.count = side + 1
    m.return2 = back
    m.pc = P.PERP_SIDE


@jit
def begin_release(m, pool, back):
    """Begin the automatic release of a pool; then what is empty of it is freed."""
    m.cursor = pool
    m.count = JOB_UNKNOWN
    m.return1 = back
    m.pc = P.POOL_RELEASE


@jit
def begin_find(m, back):
    """Find the pool and position that an order of ``machine.account`` in ``draft.market`` uses.

    Then ``draft.pay`` and ``holding`` are their slots (0 = none yet), ``found`` the market of the pool (0 = cross),
    ``receive`` its ledger and ``cover`` the leverage. ``count`` is 1 then. Uses ``return0``.
    """
    m.count = 0
    m.return0 = back
    m.pc = P.POOL_FIND


@jit
def begin_tidy(s, m, pool, back):
    """Free what is empty of a pool, without a release."""
    m.cursor = pool
    m.cursor2 = s.pool[pool].first_position
    m.return1 = back
    m.pc = P.POSITION_CLOSE


@jit
def begin_pull(s, d, m, pool, amount, back):
    """Move ``amount`` atoms that the account has free into a pool; nothing is recorded if it is 0."""
    if amount == 0:
        m.pc = back
        return
    f = s.draft[0]
    f.pay = pool
    f.pot = amount
    m.return1 = back
    m.pc = P.PULL
    touch(d, T_DRAFT, 0)


@jit
def begin_open_pool(s, d, m, ledger, market, back):
    """Open a pool of ``machine.account`` (market 0: its cross pool) and its balance; its slot is ``draft.pay``."""
    f = s.draft[0]
    f.receive = ledger
    f.found = market
    m.return1 = back
    m.pc = P.POOL_OPEN
    touch(d, T_DRAFT, 0)


@jit
def begin_open_position(s, d, m, pool, market, leverage, back):
    """Open a position of ``draft.market`` in a touched pool; its slot is ``draft.holding``."""
    f = s.draft[0]
    f.pay = pool
    f.market = market
    f.cover = leverage
    m.return1 = back
    m.pc = P.POSITION_OPEN
    touch(d, T_DRAFT, 0)


# --- sums of a pool --------------------------------------------------------------------------------


@jit
def is_touched(m, p):
    """Whether a pool's sums are of the present epoch."""
    return p.epoch == m.epoch


@jit
def clear_sums(p):
    """Leave the sums of a pool as they are without a position."""
    p.equity = p.collateral
    p.weighted = p.collateral
    p.initial = 0
    p.maintenance = 0
    p.notional = 0
    p.losses = 0


@jit
def values_of(k, r, t, x):
    """Values of a position record (``margin.get_values``)."""
    return get_values(
        k, r, t, i64(x.lots), i64(x.quote), i64(x.buy_lots), i64(x.sell_lots), i64(x.leverage)
    )


@jit
def add_values(p, values):
    """Add a position's values to the sums of its pool."""
    p.equity += values[0]
    p.weighted += values[1]
    p.initial += values[2]
    p.maintenance += values[3]
    p.notional += values[4]
    p.losses += values[5]


@jit
def take_values(p, values):
    """Take a position's values out of the sums of its pool."""
    p.equity -= values[0]
    p.weighted -= values[1]
    p.initial -= values[2]
    p.maintenance -= values[3]
    p.notional -= values[4]
    p.losses -= values[5]


@jit
def add_position(s, p, x):
    """Add a position, as it now is, to the sums of its pool, if the pool is touched."""
    if p.epoch == s.machine[0].epoch:
        market = i64(x.market)
        add_values(p, values_of(s.market[market], s.price[market], s.tier[market], x))


@jit
def take_position_out(s, p, x):
    """Take a position, before it changes, out of the sums of its pool, if the pool is touched."""
    if p.epoch == s.machine[0].epoch:
        market = i64(x.market)
        take_values(p, values_of(s.market[market], s.price[market], s.tier[market], x))


@jit
def change_collateral(d, p, pool, change):
    """Add ``change`` to the collateral of a pool and so to its equity, which nobody reads where it is old."""
    p.collateral += change
    p.equity += change
    p.weighted += change
    touch(d, T_POOL, pool)


# --- a trade ---------------------------------------------------------------------------------------


@jit
def get_side(lots):
    """Side of a position: 1 long, -1 short, 0 none."""
    if lots > 0:
        return i64(1)
    return i64(-1) if lots < 0 else i64(0)


@jit
def trade_lots(lots, quote, change, value):
    """Trade ``change`` lots at ``value`` atoms a lot; returns (lots, quote, realised) behind it.

    What is closed gives up its part of the cost, rounded down; the rest stays in ``quote``, so collateral and quote
    together change by exactly -change * value.
    """
    closed, cost, realised = i64(0), i64(0), i64(0)
    if (change > 0 and lots < 0) or (change < 0 and lots > 0):
        side = get_side(lots)
        closed = min(abs(change), abs(lots))
        cost = mul_div_floor(quote, closed, abs(lots))
        realised = cost + side * closed * value
        closed = side * closed
    rest = change + closed
    return lots + change, quote - cost - rest * value, realised


@jit
def trade(s, d, position, change, price):
    """Trade ``change`` lots of a position at ``price`` ticks; returns what was realised, atoms.

    The pool's sums follow if it is touched. The lists of the market's sides, its open lots and the ledger's open value are the caller's.
    """
    x = s.position[position]
    pool = i64(x.pool)
    p = s.pool[pool]
    value = i64(price) * i64(s.market[x.market].tick_value)
    take_position_out(s, p, x)
    lots, quote, realised = trade_lots(i64(x.lots), i64(x.quote), i64(change), value)
    x.lots = lots
    x.quote = quote
    change_collateral(d, p, pool, realised)
    add_position(s, p, x)
    touch(d, T_POSITION, position)
    return realised


# --- orders of a pool ------------------------------------------------------------------------------


@jit
def get_lock(k, price, lots, reserve, interface_fee, flags):
    """Atoms that an order of a perpetual locks inside its pool: its loss at its own price and its worst fee."""
    if (i64(flags) & (ORDER_REDUCE_ONLY | ORDER_FORCED)) != 0:
        return i64(0)
    rate = max(i64(k.taker_fee), i64(k.maker_fee), 0) + i64(interface_fee)
    return i64(lots) * i64(reserve) + ppm_up(i64(price) * i64(k.tick_value) * i64(lots), rate)


@jit
def get_order_lock(k, o, lots):
    """Lock of ``lots`` open lots of an order record."""
    return get_lock(k, i64(o.price), lots, i64(o.reserve), i64(o.interface_fee), i64(o.flags))


@jit
def is_opening(o):
    """Whether an order's lots count in its position's open lots: neither reduce-only nor forced."""
    return (i64(o.flags) & (ORDER_REDUCE_ONLY | ORDER_FORCED)) == 0


@jit
def change_open_lots(s, d, o, change):
    """Add ``change`` to the open lots of an order's position; nothing for one that cannot open."""
    if change != 0 and is_opening(o):
        add_open_lots(s, d, i64(o.holding), i64(o.side), change)


@jit
def add_open_lots(s, d, position, side, change):
    """Add ``change`` to the open lots of one side of a position; its pool's sums follow if it is touched."""
    x = s.position[position]
    pool = i64(x.pool)
    p = s.pool[pool]
    take_position_out(s, p, x)
    if side == SELL:
        x.sell_lots += change
    else:
        x.buy_lots += change
    add_position(s, p, x)
    touch(d, T_POSITION, position)
    touch(d, T_POOL, pool)


@jit
def set_pool_lock(s, d, o, lock):
    """Set an order's lock to ``lock`` atoms; its pool's order margin follows."""
    change = lock - i64(o.locked)
    if change != 0:
        o.locked = lock
        s.pool[o.pool].order_margin += change
        touch(d, T_POOL, o.pool)


# --- finding ---------------------------------------------------------------------------------------


@jit
def is_pool(s, slot, account, venue, asset, market):
    """Whether ``slot`` is the pool (account, venue, asset, market)."""
    if slot == 0:
        return False
    p = s.pool[slot]
    if p.state == FREE or p.account != account or p.market != market:
        return False
    return p.venue == venue and p.asset == asset


@jit
def find_pool(s, d, account, venue, asset, market):
    """Slot of the pool (account, venue, asset, market), 0 if the account has none."""
    slot = pool_hint(s, d, account, venue, asset, market)
    if is_pool(s, slot, account, venue, asset, market):
        return slot
    check_pool_gap(s, slot, account, venue, asset, market)
    return i64(0)


@jit
def check_pool_gap(s, previous, account, venue, asset, market):
    """Check that no such pool can lie behind ``previous``; ValueError if the hint was wrong."""
    following = i64(s.account[account].first_pool)
    if previous != 0:
        p = s.pool[previous]
        if p.state == FREE or p.account != account or not is_pool_before(p, venue, asset, market):
            raise ValueError("pool hint is not the predecessor")
        following = i64(p.next)
    if following != 0:
        n = s.pool[following]
        is_same = n.venue == venue and n.asset == asset and n.market == market
        if is_same or is_pool_before(n, venue, asset, market):
            raise ValueError("pool hint skips a pool")


@jit
def is_position(s, slot, pool, market):
    """Whether ``slot`` is the position of a market in a pool."""
    if slot == 0:
        return False
    x = s.position[slot]
    return x.state != FREE and x.pool == pool and x.market == market


@jit
def find_position(s, d, pool, market):
    """Slot of the position of a market in a pool, 0 if there is none."""
    slot = position_hint(s, d, pool, market)
    if is_position(s, slot, pool, market):
        return slot
    check_position_gap(s, slot, pool, market)
    return i64(0)


@jit
def check_position_gap(s, previous, pool, market):
    """Check that no position of the market can lie behind ``previous``; ValueError if the hint was wrong."""
    following = i64(s.pool[pool].first_position)
    if previous != 0:
        x = s.position[previous]
        if x.state == FREE or x.pool != pool or x.market >= market:
            raise ValueError("position hint is not the predecessor")
        following = i64(x.next)
    if following != 0 and s.position[following].market <= market:
        raise ValueError("position hint skips a position")


# --- the wall --------------------------------------------------------------------------------------


@jit
def emit_pool(s, d, io, kind, pool, amount, amount2):
    """Append an event about a pool."""
    p = s.pool[pool]
    emit(
        d, io, kind, leaf_of(s.machine[0]), p.market, p.account, 0, p.venue, p.asset,
        0, 0, 0, 0, 0, 0, 0, amount, amount2, 0, 0,
    )  # fmt: skip


@jit
def move_in(s, d, io, pool, amount):
    """Move ``amount`` > 0 atoms from the free part of a pool's balance through the wall: POOL_MOVED."""
    p = s.pool[pool]
    s.balance[p.balance].free -= amount
    s.ledger[p.ledger].cash += amount
    change_collateral(d, p, pool, amount)
    touch(d, T_BALANCE, p.balance)
    touch(d, T_LEDGER, p.ledger)
    emit_pool(s, d, io, POOL_MOVED, pool, amount, i64(0))


@jit
def receive_income(s, d, io, ledger, amount):
    """Give the fund money that is inside the wall already: it repays the deficit first (DEFICIT_REPAID)."""
    take_income(s, d, io, leaf_of(s.machine[0]), ledger, amount)


@jit
def emit_fund(s, d, io, ledger, account, crossed):
    """FUND_CHANGED: what the fund of a ledger now has; ``crossed`` atoms came from ``account`` (negative: went)."""
    tell_fund(s, d, io, leaf_of(s.machine[0]), ledger, account, crossed)


@jit
def get_payment(w, amount):
    """Atoms that leave the wall of ledger ``w`` for a claim of ``amount``."""
    if w.deficit == 0:
        return i64(amount)
    return mul_div_floor(amount, i64(w.cash), i64(w.cash) + i64(w.deficit))


@jit
def get_releasable(p):
    """R of a touched pool whose markets have no job: what may leave it, atoms."""
    if p.state != ACTIVE:
        return i64(0)
    least = max(i64(p.initial) + i64(p.order_margin), -(-i64(p.notional) // RELEASE_FLOOR))
    releasable = i64(p.collateral) + i64(p.losses) - least
    return max(i64(0), min(i64(p.collateral), releasable))


@jit
def move_out(s, d, io, pool, amount, paid):
    """Give up a claim of ``amount`` on the ledger for ``paid`` atoms: POOL_RELEASED."""
    p = s.pool[pool]
    w, b = s.ledger[p.ledger], s.balance[p.balance]
    change_collateral(d, p, pool, -amount)
    p.haircut += amount - paid
    w.cash -= paid
    w.deficit -= amount - paid
    w.haircuts += amount - paid
    b.free += paid
    touch(d, T_LEDGER, p.ledger)
    touch(d, T_BALANCE, p.balance)
    emit_pool(s, d, io, POOL_RELEASED, pool, amount, amount - paid)


@jit
def is_looking(s, m, p):
    """Whether positions of a pool are still to be asked if their market has a job; moves ``count`` and ``cursor2`` on.

    Only while there are jobs at all. In the end ``count`` says whether the pool holds lots of a market with a job.
    """
    if m.count == JOB_UNKNOWN:
        if s.agenda[0].job_first == 0 or p.first_position == 0:
            m.count = JOB_FREE
            return False
        m.count = JOB_LOOKING
        m.cursor2 = p.first_position
        return True
    if m.count == JOB_LOOKING:
        for _look in range(_JOB_LOOKS):
            if m.count == JOB_LOOKING:
                x = s.position[m.cursor2]
                m.cursor2 = x.next
                if x.lots != 0 and s.job[x.market].kind != 0:
                    m.count = JOB_HELD
                elif m.cursor2 == 0:
                    m.count = JOB_FREE
        return True
    return False
