"""Balances that are opened and closed by hand, and assets that exist in the zone only."""

from __future__ import annotations

from tradezone.protocol import steps as P
from tradezone.protocol.enums import ACCOUNT_USER, ASSET_SIMULATED
from tradezone.protocol.errors import Code
from tradezone.protocol.events import ASSET_UPDATED, BALANCE_CLOSED, BALANCE_OPENED, ISSUED
from tradezone.protocol.limits import MAX_QUOTA_RATE, MAX_TIME, MAX_TOTAL_ATOMS

from ._jit import i64, jit
from .balances import can_open, find_balance, open_balance
from .codec import emit_note, read32, read64
from .envelopes import is_acting
from .lookup import unindex_balance
from .orders import item_at, reject_item
from .tables import T_ACCOUNT, T_ASSET, T_BALANCE, T_MACHINE, free_balance, is_used, touch

_OK = int(Code.OK)
_ACCOUNT_NOT_FOUND = int(Code.ACCOUNT_NOT_FOUND)
_ASSET_NOT_FOUND = int(Code.ASSET_NOT_FOUND)
_AMOUNT_OUT_OF_RANGE = int(Code.AMOUNT_OUT_OF_RANGE)
_NOT_SAME_KIND = int(Code.NOT_SAME_KIND)
_NO_FAUCET = int(Code.NO_FAUCET)
_FAUCET_TOO_SOON = int(Code.FAUCET_TOO_SOON)
_ASSET_CAP = int(Code.ASSET_CAP)
_NOT_VENUE_OWNER = int(Code.NOT_VENUE_OWNER)
_BALANCE_IN_USE = int(Code.BALANCE_IN_USE)
_BAD_PARAMETERS = int(Code.BAD_PARAMETERS)

_BY_FAUCET, _BY_VENUE = 1, 2  # flag of ISSUED


@jit
def finish_item(s, d):
    """Go on behind the item: it is done."""
    s.machine[0].pc = P.ITEM_DONE
    touch(d, T_MACHINE, 0)


@jit
def issue(s, d, io, account, asset, amount, flag):
    """Make ``amount`` atoms of a simulated asset in a balance that exists or may be opened."""
    slot = open_balance(s, d, account, asset)
    s.balance[slot].free += amount
    s.asset[asset].total += amount
    touch(d, T_BALANCE, slot)
    touch(d, T_ASSET, asset)
    emit_note(d, io, ISSUED, s.machine[0].seq, asset, account, 0, 0, flag, 0, amount)
    return slot


@jit
def step_faucet(s, d, io):
    """FAUCET: a claim by an owner's main account, once an interval."""
    m = s.machine[0]
    at = item_at(io, m)
    account, asset = i64(m.account), read32(io.leaf, at)
    error = i64(_OK)
    if not is_used(s, T_ASSET, asset):
        error = _ASSET_NOT_FOUND
    else:
        x, a = s.asset[asset], s.account[account]
        if x.kind != ASSET_SIMULATED:
            error = _NOT_SAME_KIND
        elif x.faucet_amount == 0 or a.index != 0 or a.kind != ACCOUNT_USER:
            error = _NO_FAUCET
        elif x.faucet_amount > i64(x.cap) - i64(x.total):
            error = _ASSET_CAP
        else:
            slot = find_balance(s, d, account, asset)
            if slot == 0:
                error = can_open(s, account)
            elif is_too_soon(s, slot, x):
                error = _FAUCET_TOO_SOON
    if error != _OK:
        reject_item(s, d, io, error)
        return
    slot = issue(s, d, io, account, asset, i64(s.asset[asset].faucet_amount), _BY_FAUCET)
    s.balance[slot].faucet_time = m.time
    finish_item(s, d)


@jit
def is_too_soon(s, slot, x):
    """Whether the balance had a claim less than an interval ago."""
    last = i64(s.balance[slot].faucet_time)
    return last != 0 and last + i64(x.faucet_interval) > s.machine[0].time


@jit
def step_issue(s, d, io):
    """ISSUE: the venue's owner makes atoms of its simulated asset."""
    m = s.machine[0]
    at = item_at(io, m)
    asset, account = read32(io.leaf, at), read32(io.leaf, at + 4)
    amount = read64(io.leaf, at + 8)
    error = i64(_OK)
    if not is_used(s, T_ASSET, asset):
        error = _ASSET_NOT_FOUND
    else:
        x = s.asset[asset]
        if x.kind != ASSET_SIMULATED:
            error = _NOT_SAME_KIND
        elif s.venue[x.venue].owner != m.owner:
            error = _NOT_VENUE_OWNER
        elif not is_acting(s, account):
            error = _ACCOUNT_NOT_FOUND
        elif amount < 1:
            error = _AMOUNT_OUT_OF_RANGE
        elif amount > i64(x.cap) - i64(x.total):
            error = _ASSET_CAP
        elif find_balance(s, d, account, asset) == 0:
            # Nobody may fill the balance list of somebody else.
            is_own = s.account[account].owner == m.owner
            error = can_open(s, account) if is_own else i64(_ASSET_NOT_FOUND)
    if error != _OK:
        reject_item(s, d, io, error)
        return
    issue(s, d, io, account, asset, amount, _BY_VENUE)
    finish_item(s, d)


@jit
def step_open_balance(s, d, io):
    """OPEN_BALANCE: an empty balance, so that fees, rebates and issues may arrive."""
    m = s.machine[0]
    at = item_at(io, m)
    account, asset = i64(m.account), read32(io.leaf, at)
    error = i64(_OK)
    if not is_used(s, T_ASSET, asset):
        error = _ASSET_NOT_FOUND
    elif find_balance(s, d, account, asset) != 0:
        error = _BALANCE_IN_USE
    else:
        error = can_open(s, account)
    if error != _OK:
        reject_item(s, d, io, error)
        return
    open_balance(s, d, account, asset)
    emit_note(d, io, BALANCE_OPENED, m.seq, asset, account, 0, 0, 0, 0, 0)
    finish_item(s, d)


@jit
def step_close_balance(s, d, io):
    """CLOSE_BALANCE: an empty balance that nothing names leaves the list."""
    m = s.machine[0]
    at = item_at(io, m)
    account, asset = i64(m.account), read32(io.leaf, at)
    slot = find_balance(s, d, account, asset)
    error = i64(_OK)
    if slot == 0:
        error = _ASSET_NOT_FOUND
    else:
        b = s.balance[slot]
        is_kept = s.account[account].kind != ACCOUNT_USER
        is_kept = is_kept or b.free != 0 or b.locked != 0 or b.uses != 0
        # The time of the last claim lives in the balance: closing it must not bring a new claim.
        x = s.asset[asset]
        if is_kept or (x.faucet_amount > 0 and is_too_soon(s, slot, x)):
            error = _BALANCE_IN_USE
    if error != _OK:
        reject_item(s, d, io, error)
        return
    close_balance(s, d, slot)
    emit_note(d, io, BALANCE_CLOSED, m.seq, asset, account, 0, 0, 0, 0, 0)
    finish_item(s, d)


@jit
def close_balance(s, d, slot):
    """Take an empty balance out of its account's list and free it."""
    b = s.balance[slot]
    account, previous, following = i64(b.account), i64(b.previous), i64(b.next)
    a = s.account[account]
    if previous != 0:
        s.balance[previous].next = following
        touch(d, T_BALANCE, previous)
    else:
        a.first_balance = following
    if following != 0:
        s.balance[following].previous = previous
        touch(d, T_BALANCE, following)
    a.balance_count -= 1
    touch(d, T_ACCOUNT, account)
    unindex_balance(d, account, i64(b.asset))
    free_balance(s, d, slot)


@jit
def set_asset(s, d, io, at):
    """SET_ASSET message: what a fee buys and a deposit opens (real), or the faucet (simulated)."""
    source = io.message
    asset, rate, deposit = read32(source, at), read64(source, at + 4), read64(source, at + 12)
    amount, interval = read64(source, at + 20), read64(source, at + 28)
    if not is_used(s, T_ASSET, asset):
        return _ASSET_NOT_FOUND
    x = s.asset[asset]
    if x.kind == ASSET_SIMULATED:
        if rate != 0 or deposit != 0 or amount > x.cap or interval > MAX_TIME:
            return _BAD_PARAMETERS
    elif amount != 0 or interval != 0 or rate > MAX_QUOTA_RATE or deposit > MAX_TOTAL_ATOMS:
        return _BAD_PARAMETERS
    x.quota_rate = rate
    x.quota_deposit = deposit
    x.faucet_amount = amount
    x.faucet_interval = interval
    touch(d, T_ASSET, asset)
    emit_note(d, io, ASSET_UPDATED, s.machine[0].inbox, asset, 0, 0, 0, 0, 0, 0)
    return _OK
