"""Outcome markets: the cover of orders, fills, complete sets, payouts (``docs/spec/outcome.md``).

Nothing rounds here: every lot of Yes or No is backed by whole atoms of ``event_group.cash``, and each step that
moves lots moves exactly that money.

Registers: ``machine.cursor`` the market of the event that SPLIT and MERGE stand on, or the holding that is paid
out; ``return0`` the step behind a payout.
"""

from __future__ import annotations

from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    BUY,
    GROUP_OPEN,
    MARKET_OUTCOME,
    ORDER_REDUCE_ONLY,
    TIF_POST_ONLY,
)
from tradezone.protocol.errors import Code
from tradezone.protocol.events import MERGED, REDEEMED, SPLIT
from tradezone.protocol.limits import MAX_HOLDINGS

from ._jit import i64, jit
from .access import go_to_access
from .balances import can_open, find_balance, open_balance
from .codec import emit, leaf_of, read32, read64
from .holdings import (
    annihilate,
    can_hold,
    check_caps,
    closable,
    close_holding,
    find_holding,
    held,
    open_holding,
    worth_of,
)
from .orders import get_cost, get_notional, item_at, lock_for, refuse, reject_item
from .phases import is_admitted, is_restart_closed
from .tables import (
    T_BALANCE,
    T_BOOK,
    T_DRAFT,
    T_EVENT_GROUP,
    T_HOLDING,
    T_MACHINE,
    T_MARKET,
    has_room,
    is_used,
    touch,
)

_LOTS = 4  # offset inside an item of SPLIT and MERGE

_OK = int(Code.OK)
_MARKET_NOT_FOUND = int(Code.MARKET_NOT_FOUND)
_MARKET_CLOSED = int(Code.MARKET_CLOSED)
_LOTS_OUT_OF_RANGE = int(Code.LOTS_OUT_OF_RANGE)
_NOTIONAL_TOO_SMALL = int(Code.NOTIONAL_TOO_SMALL)
_INSUFFICIENT_BALANCE = int(Code.INSUFFICIENT_BALANCE)
_KEY_VENUE = int(Code.KEY_VENUE)
_TABLE_FULL = int(Code.TABLE_FULL)
_NOTHING_TO_REDUCE = int(Code.NOTHING_TO_REDUCE)
_OPEN_INTEREST_CAP = int(Code.OPEN_INTEREST_CAP)
_ACCOUNT_CAP = int(Code.ACCOUNT_CAP)
_TOO_MANY_HOLDINGS = int(Code.TOO_MANY_HOLDINGS)
_NOT_ENOUGH_SETS = int(Code.NOT_ENOUGH_SETS)
_BALANCE_IN_USE = int(Code.BALANCE_IN_USE)
_EVENT_NOT_FOUND = int(Code.EVENT_NOT_FOUND)
_EVENT_SETTLED = int(Code.EVENT_SETTLED)
_NOT_SETTLED = int(Code.NOT_SETTLED)

TAKER, MAKER = 1, 2  # whose cap a fill would pass


# --- admission -------------------------------------------------------------------------------------


@jit
def step_place_hold(s, d, io):
    """PLACE_HOLD: check 19 of an outcome order: event, holding, cover, caps."""
    m, f = s.machine[0], s.draft[0]
    market = i64(f.market)
    k = s.market[market]
    f.holding = 0
    f.cover = 0
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)
    if s.event_group[k.group].state != GROUP_OPEN:
        refuse(s, d, io, _MARKET_CLOSED)
        return
    slot = find_holding(s, d, i64(m.account), market)
    if slot == 0 and s.account[m.account].holding_count >= MAX_HOLDINGS:
        refuse(s, d, io, _TOO_MANY_HOLDINGS)
        return
    free, lots_held = i64(0), i64(0)
    if slot != 0:
        h = s.holding[slot]
        free, lots_held = closable(h, f.side), held(h, f.side)
    if (i64(f.flags) & ORDER_REDUCE_ONLY) != 0:
        if free < 1:
            refuse(s, d, io, _NOTHING_TO_REDUCE)
            return
        f.lots = min(i64(f.lots), free)
        if f.lots != free and get_notional(k, f.price, f.lots) < k.min_notional:
            refuse(s, d, io, _NOTIONAL_TOO_SMALL)
            return
    cover = min(i64(f.lots), free)
    error = check_caps(s, market, lots_held, f.lots - cover)
    if error == _OK and slot == 0:
        error = can_hold(s, i64(m.account))
    if error != _OK:
        refuse(s, d, io, error)
        return
    f.holding = slot
    f.cover = cover
    m.pc = P.PLACE_OPEN


@jit
def step_hold_open(s, d, io):
    """HOLD_OPEN: nothing can refuse the order any more; the holding that it will name is opened."""
    m, f = s.machine[0], s.draft[0]
    f.holding = open_holding(s, d, i64(m.account), i64(f.market))
    m.pc = P.PLACE_LOCK
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)


# --- a fill ----------------------------------------------------------------------------------------


@jit
def capped_side(s, market, t, o, lots):
    """Whose open lots a fill of ``lots`` would carry beyond a cap: TAKER, MAKER or 0."""
    k = s.market[market]
    unit = i64(k.lot_size)
    taker_opens = lots - min(lots, i64(t.cover))
    maker_opens = lots - min(lots, i64(o.cover))
    if k.account_cap != 0 and taker_opens > 0:
        if (held(s.holding[t.holding], t.side) + taker_opens) * unit > k.account_cap:
            return TAKER
    if k.open_interest_cap != 0:
        opened = taker_opens if t.side == BUY else maker_opens
        closed = lots - (maker_opens if t.side == BUY else taker_opens)
        open_lots = i64(s.book[market].open_lots) + opened - closed
        if opened > closed and open_lots * unit > k.open_interest_cap:
            return TAKER
    if k.account_cap != 0 and maker_opens > 0:
        if (held(s.holding[o.holding], o.side) + maker_opens) * unit > k.account_cap:
            return MAKER
    return 0


@jit
def outcome_room(k, o, price, lots):
    """Most that the fees of one side of a fill may take: what it has beyond this fill and its rest."""
    closes = min(lots, i64(o.cover))
    pays = get_cost(k, o.side, price, lots - closes)
    gets = get_cost(k, 1 - i64(o.side), price, closes)
    rest = i64(o.lots) - lots - (i64(o.cover) - closes)
    return i64(o.locked) - pays - get_cost(k, o.side, o.price, rest) + gets


@jit
def settle_outcome(s, d, market, o, price, lots, fees):
    """Move one side of a fill: covered lots close, the others open; the lock falls to what the rest needs."""
    k = s.market[market]
    h, b = s.holding[o.holding], s.balance[o.pay_balance]
    side = i64(o.side)
    closes = min(lots, i64(o.cover))
    opens = lots - closes
    pays = get_cost(k, side, price, opens)
    gets = get_cost(k, 1 - side, price, closes)
    rest = i64(o.lots) - lots - (i64(o.cover) - closes)
    old = i64(o.locked)
    lock = min(old - pays - max(fees - gets, 0), lock_for(k, side, o.price, rest, o.interface_fee))
    b.locked -= old - lock
    b.free += old - pays - lock + gets - fees
    o.locked = lock
    o.lots -= lots
    o.filled += lots
    o.cover -= closes
    if side == BUY:
        h.yes += opens
        h.no -= closes
        h.no_locked -= closes
        s.book[market].open_lots += opens
    else:
        h.no += opens
        h.yes -= closes
        h.yes_locked -= closes
        s.book[market].open_lots -= closes
    s.event_group[k.group].cash += pays - gets
    touch(d, T_HOLDING, o.holding)
    touch(d, T_BALANCE, o.pay_balance)
    touch(d, T_BOOK, market)
    touch(d, T_EVENT_GROUP, k.group)


# --- complete sets ---------------------------------------------------------------------------------


@jit
def set_error(s, m, group, lots):
    """Check what SPLIT and MERGE check first: event, key and size."""
    if not is_used(s, T_EVENT_GROUP, group):
        return _EVENT_NOT_FOUND
    g = s.event_group[group]
    if g.outcomes <= 2 or g.markets != g.outcomes:
        return _EVENT_NOT_FOUND
    if g.state != GROUP_OPEN:
        return _EVENT_SETTLED
    venue = i64(s.key[m.key].venue)
    if venue != 0 and venue != g.venue:
        return _KEY_VENUE
    if lots < 1 or lots > s.market[g.first_market].max_lots:
        return _LOTS_OUT_OF_RANGE
    return _OK


@jit
def step_split(s, d, io):
    """SPLIT: event, key, size and phase; then access, as for an order in the first market."""
    m, f = s.machine[0], s.draft[0]
    at = item_at(io, m)
    group = read32(io.leaf, at)
    error = set_error(s, m, group, read64(io.leaf, at + _LOTS))
    touch(d, T_MACHINE, 0)
    first, time = i64(0), i64(m.time)
    if error == _OK:
        first = i64(s.event_group[group].first_market)
        if not is_admitted(s, first, time, TIF_POST_ONLY, 0) or is_restart_closed(
            s, time, TIF_POST_ONLY
        ):
            error = _MARKET_CLOSED
    if error != _OK:
        reject_item(s, d, io, error)
        return
    m.cursor = first
    m.return0 = P.SPLIT_CHECK
    f.market = first
    f.door = 0
    f.flags = 0
    f.expires = 0
    f.plan = 0
    go_to_access(s, d, m, f)


@jit
def step_split_check(s, d, io):
    """SPLIT_CHECK: room for the holdings, then one market of the event: its caps."""
    m = s.machine[0]
    at = item_at(io, m)
    group, lots = read32(io.leaf, at), read64(io.leaf, at + _LOTS)
    market = i64(m.cursor)
    g, k = s.event_group[group], s.market[market]
    unit = i64(g.unit)
    touch(d, T_MACHINE, 0)
    error = _OK
    if market == g.first_market:
        if i64(s.account[m.account].holding_count) + i64(g.outcomes) > MAX_HOLDINGS:
            error = _TOO_MANY_HOLDINGS
        elif not has_room(s, T_HOLDING, i64(g.outcomes)):
            error = _TABLE_FULL
    if error == _OK and k.account_cap != 0:
        slot = find_holding(s, d, i64(m.account), market)
        yes = i64(s.holding[slot].yes) if slot != 0 else i64(0)
        if (yes + lots) * unit > k.account_cap:
            error = _ACCOUNT_CAP
    if error == _OK and k.open_interest_cap != 0:
        if (i64(s.book[market].open_lots) + lots) * unit > k.open_interest_cap:
            error = _OPEN_INTEREST_CAP
    if error != _OK:
        reject_item(s, d, io, error)
        return
    m.cursor = k.group_next
    if m.cursor == 0:
        m.pc = P.SPLIT_PAY


@jit
def step_split_pay(s, d, io):
    """SPLIT_PAY: the money of the sets goes behind the event."""
    m = s.machine[0]
    at = item_at(io, m)
    group, lots = read32(io.leaf, at), read64(io.leaf, at + _LOTS)
    g = s.event_group[group]
    amount = lots * i64(g.unit)
    slot = find_balance(s, d, i64(m.account), i64(g.asset))
    if slot == 0 or s.balance[slot].free < amount:
        reject_item(s, d, io, _INSUFFICIENT_BALANCE)
        return
    s.balance[slot].free -= amount
    g.cash += amount
    g.sets += lots
    m.cursor = g.first_market
    m.pc = P.SPLIT_MARKET
    touch(d, T_BALANCE, slot)
    touch(d, T_EVENT_GROUP, group)
    touch(d, T_MACHINE, 0)


@jit
def step_split_market(s, d, io):
    """SPLIT_MARKET: one market of the event gives its Yes lots, which may meet No lots of the account."""
    m = s.machine[0]
    at = item_at(io, m)
    group, lots = read32(io.leaf, at), read64(io.leaf, at + _LOTS)
    market, account = i64(m.cursor), i64(m.account)
    g = s.event_group[group]
    slot = open_holding(s, d, account, market)
    s.holding[slot].yes += lots
    s.book[market].open_lots += lots
    touch(d, T_HOLDING, slot)
    touch(d, T_BOOK, market)
    annihilate(s, d, io, slot, find_balance(s, d, account, i64(g.asset)), i64(m.seq))
    m.cursor = s.market[market].group_next
    if m.cursor == 0:
        emit_set(s, d, io, SPLIT, group, lots)
    touch(d, T_MACHINE, 0)


@jit
def emit_set(s, d, io, kind, group, lots):
    """SPLIT or MERGED: the item is done."""
    m = s.machine[0]
    emit(
        d, io, kind, m.seq, group, m.account, 0, 0, 0,
        0, 0, 0, 0, 0, lots, 0, lots * i64(s.event_group[group].unit), 0, 0, 0,
    )  # fmt: skip
    m.pc = P.ITEM_DONE


@jit
def step_merge(s, d, io):
    """MERGE: event, key and size; then what the account holds, market by market."""
    m = s.machine[0]
    at = item_at(io, m)
    group = read32(io.leaf, at)
    error = set_error(s, m, group, read64(io.leaf, at + _LOTS))
    if error != _OK:
        reject_item(s, d, io, error)
        return
    m.cursor = s.event_group[group].first_market
    m.pc = P.MERGE_CHECK
    touch(d, T_MACHINE, 0)


@jit
def step_merge_check(s, d, io):
    """MERGE_CHECK: one market of the event: enough unlocked Yes."""
    m = s.machine[0]
    at = item_at(io, m)
    lots = read64(io.leaf, at + _LOTS)
    market = i64(m.cursor)
    slot = find_holding(s, d, i64(m.account), market)
    if slot == 0 or i64(s.holding[slot].yes) - i64(s.holding[slot].yes_locked) < lots:
        reject_item(s, d, io, _NOT_ENOUGH_SETS)
        return
    m.cursor = s.market[market].group_next
    if m.cursor == 0:
        m.pc = P.MERGE_PAY
    touch(d, T_MACHINE, 0)


@jit
def step_merge_pay(s, d, io):
    """MERGE_PAY: the money of the sets comes back."""
    m = s.machine[0]
    at = item_at(io, m)
    group, lots = read32(io.leaf, at), read64(io.leaf, at + _LOTS)
    g = s.event_group[group]
    account = i64(m.account)
    slot = find_balance(s, d, account, i64(g.asset))
    if slot == 0:
        error = can_open(s, account)
        if error != _OK:
            reject_item(s, d, io, error)
            return
        slot = open_balance(s, d, account, i64(g.asset))
    amount = lots * i64(g.unit)
    s.balance[slot].free += amount
    g.cash -= amount
    g.sets -= lots
    m.cursor = g.first_market
    m.pc = P.MERGE_MARKET
    touch(d, T_BALANCE, slot)
    touch(d, T_EVENT_GROUP, group)
    touch(d, T_MACHINE, 0)


@jit
def step_merge_market(s, d, io):
    """MERGE_MARKET: one market of the event takes its Yes lots back."""
    m = s.machine[0]
    at = item_at(io, m)
    group, lots = read32(io.leaf, at), read64(io.leaf, at + _LOTS)
    market = i64(m.cursor)
    slot = find_holding(s, d, i64(m.account), market)
    s.holding[slot].yes -= lots
    s.book[market].open_lots -= lots
    touch(d, T_HOLDING, slot)
    touch(d, T_BOOK, market)
    m.cursor = s.market[market].group_next
    if m.cursor == 0:
        emit_set(s, d, io, MERGED, group, lots)
    touch(d, T_MACHINE, 0)


# --- payouts ---------------------------------------------------------------------------------------


@jit
def step_redeem(s, d, io):
    """REDEEM: the account's holding of a settled outcome is paid out now."""
    m = s.machine[0]
    at = item_at(io, m)
    market = read32(io.leaf, at)
    account = i64(m.account)
    error, slot = _OK, i64(0)
    if not is_used(s, T_MARKET, market) or s.market[market].kind != MARKET_OUTCOME:
        error = _MARKET_NOT_FOUND
    else:
        k = s.market[market]
        g = s.event_group[k.group]
        venue = i64(s.key[m.key].venue)
        if g.state == GROUP_OPEN:
            error = _NOT_SETTLED
        elif venue != 0 and venue != k.venue:
            error = _KEY_VENUE
        else:
            home = i64(k.guest_of) if k.guest_of != 0 else market
            slot = find_holding(s, d, account, home)
            if slot == 0:
                error = _NOT_ENOUGH_SETS
            elif s.holding[slot].uses != 0:
                error = _BALANCE_IN_USE
            elif (
                worth_of(g, s.holding[slot]) > 0 and find_balance(s, d, account, i64(g.asset)) == 0
            ):
                error = can_open(s, account)
    if error != _OK:
        reject_item(s, d, io, error)
    else:
        begin_pay(s, d, slot, P.ITEM_DONE)


@jit
def begin_pay(s, d, holding, back):
    """Set the registers so that a holding of a settled event, which no order names, is paid out."""
    m = s.machine[0]
    m.cursor = holding
    m.return0 = back
    m.pc = P.PAY_OPEN
    touch(d, T_MACHINE, 0)


@jit
def step_pay_open(s, d, io):
    """PAY_OPEN: the balance that is paid is there or is opened; without room for it nothing is paid."""
    m = s.machine[0]
    h = s.holding[m.cursor]
    g = s.event_group[h.group]
    account, asset = i64(h.account), i64(g.asset)
    m.pc = P.PAY_HOLDING
    touch(d, T_MACHINE, 0)
    if worth_of(g, h) > 0 and find_balance(s, d, account, asset) == 0:
        if can_open(s, account) == _OK:
            open_balance(s, d, account, asset)
        else:
            m.pc = m.return0


@jit
def step_pay_holding(s, d, io):
    """PAY_HOLDING: Yes and No lots are paid what they turned out to be worth; the holding is gone."""
    m = s.machine[0]
    slot = i64(m.cursor)
    h = s.holding[slot]
    group, market, account = i64(h.group), i64(h.market), i64(h.account)
    g = s.event_group[group]
    amount = worth_of(g, h)
    if amount > 0:
        balance = find_balance(s, d, account, i64(g.asset))
        s.balance[balance].free += amount
        g.cash -= amount
        touch(d, T_BALANCE, balance)
        touch(d, T_EVENT_GROUP, group)
    if h.yes != 0:
        s.book[market].open_lots -= h.yes
        touch(d, T_BOOK, market)
    emit(
        d, io, REDEEMED, leaf_of(m), market, account, 0, 0, 0,
        0, 0, 0, 0, 0, i64(h.yes), i64(h.no), amount, 0, 0, 0,
    )  # fmt: skip
    close_holding(s, d, slot)
    m.cursor = 0
    m.pc = m.return0
    touch(d, T_MACHINE, 0)
