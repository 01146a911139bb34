"""Balances of accounts: finding, opening, moving.

Invariant: an account's balances form one list by strictly rising asset. Finding one is a derived lookup;
the record it names, or the two neighbours that leave no room between them, prove the answer.
"""

from __future__ import annotations

from tradezone.protocol.enums import ACCOUNT_USER, ACTIVE
from tradezone.protocol.errors import Code
from tradezone.protocol.limits import MAX_BALANCES, RESERVED_BALANCES

from ._jit import i64, jit
from .lookup import balance_hint, index_balance, unindex_balance
from .tables import T_ACCOUNT, T_BALANCE, free_balance, has_room, take_balance, touch

_TOO_MANY = int(Code.TOO_MANY_BALANCES)
_FULL = int(Code.TABLE_FULL)


@jit
def is_balance(s, slot, account, asset):
    """Whether ``slot`` is the balance of (account, asset)."""
    return slot != 0 and s.balance[slot].account == account and s.balance[slot].asset == asset


@jit
def find_balance(s, d, account, asset):
    """Slot of the balance (account, asset), 0 if the account holds none."""
    slot = balance_hint(s, d, account, asset)
    if is_balance(s, slot, account, asset):
        return slot
    check_gap(s, slot, account, asset)
    return i64(0)


@jit
def check_gap(s, previous, account, asset):
    """Check that no balance of ``account`` can lie between ``previous`` and its successor.

    Raises ValueError if the hint was wrong; the fast engine's never is, a witness may be.
    """
    following = i64(s.account[account].first_balance)
    if previous != 0:
        p = s.balance[previous]
        if p.account != account or p.asset >= asset:
            raise ValueError("balance hint is not the predecessor")
        following = i64(p.next)
    if following != 0 and s.balance[following].asset <= asset:
        raise ValueError("balance hint skips a balance")


@jit
def can_open(s, account):
    """0 if the account may open one more balance, else the error."""
    a = s.account[account]
    if a.kind == ACCOUNT_USER and a.balance_count >= MAX_BALANCES:
        return i64(_TOO_MANY)
    if not has_room(s, T_BALANCE, 1 + RESERVED_BALANCES):
        return i64(_FULL)
    return i64(0)


@jit
def open_balance(s, d, account, asset):
    """Slot of the balance (account, asset), opened if the account holds none (`can_open` says it may)."""
    previous = balance_hint(s, d, account, asset)
    if is_balance(s, previous, account, asset):
        return previous
    check_gap(s, previous, account, asset)
    a = s.account[account]
    slot = take_balance(s, d)
    b = s.balance[slot]
    b.account = account
    b.asset = asset
    b.owner = a.owner
    b.state = ACTIVE
    b.previous = previous
    if previous != 0:
        b.next = s.balance[previous].next
        s.balance[previous].next = slot
        touch(d, T_BALANCE, previous)
    else:
        b.next = a.first_balance
        a.first_balance = slot
    if b.next != 0:
        s.balance[b.next].previous = slot
        touch(d, T_BALANCE, b.next)
    a.balance_count += 1
    touch(d, T_ACCOUNT, account)
    index_balance(d, account, asset, slot)
    return slot


@jit
def credit(s, d, slot, amount):
    """Add ``amount`` atoms to the free part of a balance."""
    s.balance[slot].free += amount
    touch(d, T_BALANCE, slot)


@jit
def close_balance(s, d, slot):
    """Take an empty balance out of its account's list and give its slot back."""
    b = s.balance[slot]
    account = i64(b.account)
    a = s.account[account]
    if b.previous != 0:
        s.balance[b.previous].next = b.next
        touch(d, T_BALANCE, b.previous)
    else:
        a.first_balance = b.next
    if b.next != 0:
        s.balance[b.next].previous = b.previous
        touch(d, T_BALANCE, b.next)
    a.balance_count -= 1
    touch(d, T_ACCOUNT, account)
    unindex_balance(d, account, i64(b.asset))
    free_balance(s, d, slot)
