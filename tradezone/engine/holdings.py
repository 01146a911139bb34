"""Holdings of outcomes: finding, opening, cancelling Yes against No, cover of orders, paying out.

Invariants: an account's holdings form one list by strictly rising market; unlocked lots of a holding stand on
one side only; what all holdings of an event are worth under any payout vector is ``event_group.cash``.
The steps that use this stand in ``outcome``; what here needs no order or envelope is below both.
"""

from __future__ import annotations

from tradezone.protocol.enums import ACTIVE, BUY, GROUP_VOID
from tradezone.protocol.errors import Code
from tradezone.protocol.events import ANNIHILATED
from tradezone.protocol.limits import MAX_HOLDINGS, PAYOUT_UNIT

from ._jit import i64, jit
from .codec import emit
from .lookup import holding_hint, index_holding, unindex_holding
from .tables import (
    T_ACCOUNT,
    T_BALANCE,
    T_BOOK,
    T_EVENT_GROUP,
    T_HOLDING,
    free_holding,
    has_room,
    take_holding,
    touch,
)

_OK = int(Code.OK)
_TOO_MANY = int(Code.TOO_MANY_HOLDINGS)
_FULL = int(Code.TABLE_FULL)
_OPEN_INTEREST_CAP = int(Code.OPEN_INTEREST_CAP)
_ACCOUNT_CAP = int(Code.ACCOUNT_CAP)


# --- finding and opening ---------------------------------------------------------------------------


@jit
def is_holding(s, slot, account, market):
    """Whether ``slot`` is the holding of (account, market)."""
    if slot == 0:
        return False
    h = s.holding[slot]
    return h.state == ACTIVE and h.account == account and h.market == market


@jit
def find_holding(s, d, account, market):
    """Slot of the holding (account, market), 0 if the account has none."""
    slot = holding_hint(s, d, account, market)
    if is_holding(s, slot, account, market):
        return slot
    check_holding_gap(s, slot, account, market)
    return i64(0)


@jit
def check_holding_gap(s, previous, account, market):
    """Check that no holding of ``account`` can lie between ``previous`` and its successor.

    Raises ValueError if the hint was wrong; the fast engine's never is, a witness may be.
    """
    following = i64(s.account[account].first_holding)
    if previous != 0:
        p = s.holding[previous]
        if p.state != ACTIVE or p.account != account or p.market >= market:
            raise ValueError("holding hint is not the predecessor")
        following = i64(p.next)
    if following != 0 and s.holding[following].market <= market:
        raise ValueError("holding hint skips a holding")


@jit
def can_hold(s, account):
    """0 if the account may open one more holding, else the error."""
    if s.account[account].holding_count >= MAX_HOLDINGS:
        return i64(_TOO_MANY)
    if not has_room(s, T_HOLDING, 1):
        return i64(_FULL)
    return i64(_OK)


@jit
def open_holding(s, d, account, market):
    """Slot of the holding (account, market), opened if the account has none (`can_hold` says it may)."""
    previous = holding_hint(s, d, account, market)
    if is_holding(s, previous, account, market):
        return previous
    check_holding_gap(s, previous, account, market)
    a, k = s.account[account], s.market[market]
    slot = take_holding(s, d)
    h = s.holding[slot]
    h.account = account
    h.market = market
    h.owner = a.owner
    h.state = ACTIVE
    h.outcome = k.outcome
    h.group = k.group
    h.previous = previous
    if previous != 0:
        h.next = s.holding[previous].next
        s.holding[previous].next = slot
        touch(d, T_HOLDING, previous)
    else:
        h.next = a.first_holding
        a.first_holding = slot
    if h.next != 0:
        s.holding[h.next].previous = slot
        touch(d, T_HOLDING, h.next)
    a.holding_count += 1
    touch(d, T_ACCOUNT, account)
    touch(d, T_HOLDING, slot)
    index_holding(d, account, market, slot)
    return slot


@jit
def close_holding(s, d, slot):
    """Take a holding out of its account's list and give its slot back."""
    h = s.holding[slot]
    account = i64(h.account)
    a = s.account[account]
    if h.previous != 0:
        s.holding[h.previous].next = h.next
        touch(d, T_HOLDING, h.previous)
    else:
        a.first_holding = h.next
    if h.next != 0:
        s.holding[h.next].previous = h.previous
        touch(d, T_HOLDING, h.next)
    a.holding_count -= 1
    touch(d, T_ACCOUNT, account)
    unindex_holding(d, account, i64(h.market))
    free_holding(s, d, slot)


# --- lots ------------------------------------------------------------------------------------------


@jit
def closable(h, side):
    """Unlocked lots that an order could close: a buy closes No, a sell closes Yes."""
    if side == BUY:
        return i64(h.no) - i64(h.no_locked)
    return i64(h.yes) - i64(h.yes_locked)


@jit
def held(h, side):
    """Lots on the side that an order opens: Yes of a buyer, No of a seller."""
    return i64(h.yes) if side == BUY else i64(h.no)


@jit
def lock_lots(s, d, slot, side, lots):
    """Lock (``lots`` < 0: unlock) lots that an order of ``side`` would close."""
    h = s.holding[slot]
    if side == BUY:
        h.no_locked += lots
    else:
        h.yes_locked += lots
    touch(d, T_HOLDING, slot)


@jit
def annihilate(s, d, io, slot, balance, leaf):
    """Cancel unlocked Yes against unlocked No; the account's quote ``balance`` gets a unit for each pair."""
    h = s.holding[slot]
    lots = min(i64(h.yes) - i64(h.yes_locked), i64(h.no) - i64(h.no_locked))
    if lots <= 0:
        return
    g = s.event_group[h.group]
    amount = lots * i64(g.unit)
    h.yes -= lots
    h.no -= lots
    s.balance[balance].free += amount
    g.cash -= amount
    s.book[h.market].open_lots -= lots
    emit(
        d, io, ANNIHILATED, leaf, h.market, h.account, 0, 0, 0,
        0, 0, 0, 0, 0, lots, 0, amount, 0, 0, 0,
    )  # fmt: skip
    touch(d, T_HOLDING, slot)
    touch(d, T_BALANCE, balance)
    touch(d, T_EVENT_GROUP, h.group)
    touch(d, T_BOOK, h.market)


# --- cover of an order -----------------------------------------------------------------------------


@jit
def take_cover(s, d, o):
    """Have a new order name its holding and lock its cover there."""
    if o.holding != 0:
        s.holding[o.holding].uses += 1
        lock_lots(s, d, i64(o.holding), o.side, i64(o.cover))


@jit
def set_cover(s, d, o, cover):
    """Give an order another cover; return how many lots it lets go of (below 0: it takes some more)."""
    freed = i64(o.cover) - cover
    if o.holding == 0 or freed == 0:
        return i64(0)
    o.cover = cover
    lock_lots(s, d, i64(o.holding), o.side, -freed)
    return freed


@jit
def cancel_out(s, d, io, o, freed, leaf):
    """Behind the event of an order that let go of ``freed`` lots: they may meet lots of the other side."""
    if freed > 0:
        annihilate(s, d, io, i64(o.holding), i64(o.pay_balance), leaf)


@jit
def choose_cover(s, o, lots):
    """Cover that an order re-placed with ``lots`` open lots would have."""
    return min(lots, i64(o.cover) + closable(s.holding[o.holding], o.side))


@jit
def check_caps(s, market, lots_held, opens):
    """0 if an order that opens ``opens`` lots may enter under the market's caps, else the error."""
    k = s.market[market]
    unit = i64(k.lot_size)
    if opens == 0:
        return i64(_OK)
    if k.open_interest_cap != 0 and i64(s.book[market].open_lots) * unit >= k.open_interest_cap:
        return i64(_OPEN_INTEREST_CAP)
    if k.account_cap != 0 and (lots_held + opens) * unit > k.account_cap:
        return i64(_ACCOUNT_CAP)
    return i64(_OK)


# --- payouts ---------------------------------------------------------------------------------------


@jit
def payout_of(g, outcome):
    """Parts of PAYOUT_UNIT that an outcome of a settled event pays: outcome 0 in the highest 16 bits."""
    part = outcome // 4
    if g.state == GROUP_VOID:
        if part == 0:
            limb = i64(g.void_payouts3)
        elif part == 1:
            limb = i64(g.void_payouts2)
        elif part == 2:
            limb = i64(g.void_payouts1)
        else:
            limb = i64(g.void_payouts0)
    elif part == 0:
        limb = i64(g.payouts3)
    elif part == 1:
        limb = i64(g.payouts2)
    elif part == 2:
        limb = i64(g.payouts1)
    else:
        limb = i64(g.payouts0)
    return (limb >> (48 - 16 * (outcome % 4))) & 0xFFFF


@jit
def worth_of(g, h):
    """Quote atoms that a holding of a settled event pays; exact, as PAYOUT_UNIT divides the unit."""
    unit = i64(g.unit)
    value = unit // PAYOUT_UNIT * payout_of(g, i64(h.outcome))
    return i64(h.yes) * value + i64(h.no) * (unit - value)
