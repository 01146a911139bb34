"""Envelopes: admission checks, the way to each action, and the actions on keys and money."""

from __future__ import annotations

from tradezone.protocol import actions as A
from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    ACCOUNT_FUND,
    ACCOUNT_USER,
    ACTIVE,
    ASSET_SIMULATED,
    OUTBOX_WITHDRAWAL,
    SCOPE_OWNER,
    SCOPE_TRADE,
)
from tradezone.protocol.errors import Code
from tradezone.protocol.events import (
    ACCOUNT_CREATED,
    KEY_APPROVED,
    KEY_REVOKED,
    LEAF_REJECTED,
    TRANSFERRED,
    WITHDRAWN,
)
from tradezone.protocol.limits import (
    MAX_ACCOUNTS,
    MAX_EXPIRES_AFTER,
    MAX_KEYS,
    MAX_TIME,
    NONCE_CELLS,
    NONCE_FUTURE,
    NONCE_PAST,
    RESERVED_ACCOUNTS,
    RESERVED_KEYS,
    STALE_L1,
)

from ._jit import i64, jit
from .balances import can_open, find_balance, open_balance
from .codec import (
    MAX_I64,
    class_of,
    emit_note,
    leaf_start,
    read8,
    read32,
    read64,
    read_limb,
    set_result,
    signer_is,
)
from .orders import item_at, reject_item
from .quota import admit, charge, get_cost
from .tables import (
    T_ACCOUNT,
    T_ASSET,
    T_BALANCE,
    T_DRAFT,
    T_KEY,
    T_MACHINE,
    T_NONCES,
    T_OUTBOX,
    T_OWNER,
    T_VENUE,
    append_slot,
    free_key,
    has_room,
    is_used,
    take_account,
    take_key,
    touch,
)

_OK = int(Code.OK)
_ACCOUNT_NOT_FOUND = int(Code.ACCOUNT_NOT_FOUND)
_KEY_NOT_FOUND = int(Code.KEY_NOT_FOUND)
_KEY_NOT_OF_OWNER = int(Code.KEY_NOT_OF_OWNER)
_BAD_SIGNATURE = int(Code.BAD_SIGNATURE)
_NONCE_USED = int(Code.NONCE_USED)
_NONCE_OUT_OF_WINDOW = int(Code.NONCE_OUT_OF_WINDOW)
_EXPIRED = int(Code.EXPIRED)
_EXPIRES_TOO_FAR = int(Code.EXPIRES_TOO_FAR)
_KEY_EXPIRED = int(Code.KEY_EXPIRED)
_KEY_SCOPE = int(Code.KEY_SCOPE)
_KEY_ACCOUNT = int(Code.KEY_ACCOUNT)
_STALE_L1 = int(Code.STALE_L1)
_ASSET_NOT_FOUND = int(Code.ASSET_NOT_FOUND)
_AMOUNT_OUT_OF_RANGE = int(Code.AMOUNT_OUT_OF_RANGE)
_KEY_LIMIT = int(Code.KEY_LIMIT)
_ACCOUNT_LIMIT = int(Code.ACCOUNT_LIMIT)
_BAD_KEY = int(Code.BAD_KEY)
_CANNOT_REVOKE = int(Code.CANNOT_REVOKE_OWNER_KEY)
_NOT_SAME_KIND = int(Code.NOT_SAME_KIND)
_TABLE_FULL = int(Code.TABLE_FULL)

_CELLS = 16  # nonce cells in one record
QUOTE_PLACING = (
    1 << 30
)  # draft.mask: the pull of a mass quote is over; bit n: item n is done or failed

# Bytes of one item (0: a typed action), and the step that an item begins with.
_ITEM_BYTES = tuple(
    A.layout_bytes(A.ITEM_LAYOUTS[a]) if a in A.ITEM_LAYOUTS else 0
    for a in range(A.ACTIONS[-1] + 1)
)
_FIRST_STEPS = {
    A.PLACE: P.PLACE,
    A.AMEND: P.FIND,
    A.CANCEL: P.FIND,
    A.CANCEL_ALL: P.CANCEL_ALL,
    A.DEAD_MAN: P.DEAD_MAN,
    A.PLACE_PLAN: P.PLACE_PLAN,
    A.CANCEL_PLAN: P.CANCEL_PLAN,
    A.SPLIT: P.SPLIT,
    A.MERGE: P.MERGE,
    A.REDEEM: P.REDEEM,
    A.TRANSFER: P.TRANSFER,
    A.WITHDRAW: P.WITHDRAW,
    A.APPROVE_KEY: P.APPROVE_KEY,
    A.REVOKE_KEY: P.REVOKE_KEY,
    A.CREATE_ACCOUNT: P.CREATE_ACCOUNT,
    A.APPROVE_INTERFACE: P.APPROVE_INTERFACE,
    A.FAUCET: P.FAUCET,
    A.ISSUE: P.ISSUE,
    A.GRANT_ACCESS: P.GRANT_ACCESS,
    A.REVOKE_ACCESS: P.GRANT_ACCESS,
    A.OPEN_BALANCE: P.OPEN_BALANCE,
    A.CLOSE_BALANCE: P.CLOSE_BALANCE,
    A.LEVERAGE: P.LEVERAGE,
    A.CHECK: P.CHECK,
    A.ALLOWANCE: P.ALLOWANCE,
    A.ADJUST_MARGIN: P.ADJUST_MARGIN,
    A.FUND: P.FUND,
    A.DEFUND: P.DEFUND,
}
_FIRST_STEP = tuple(_FIRST_STEPS.get(a, P.ITEM_DONE) for a in range(A.ACTIONS[-1] + 1))


@jit
def reject_leaf(s, d, io, account, items, error):
    """Record the leaf under the cursor as failed and go on with the next one."""
    m = s.machine[0]
    emit_note(d, io, LEAF_REJECTED, m.seq, 0, account, 0, 0, 0, error, 0)
    set_result(io, i64(m.seq), (items << 16) | error)
    m.seq += 1
    m.pc = P.LEAF
    touch(d, T_MACHINE, 0)


@jit
def get_cell(r, cell):
    """Nonce cell ``cell`` (0..15) of a nonces record."""
    if cell == 0:
        return r.cell0
    if cell == 1:
        return r.cell1
    if cell == 2:
        return r.cell2
    if cell == 3:
        return r.cell3
    if cell == 4:
        return r.cell4
    if cell == 5:
        return r.cell5
    if cell == 6:
        return r.cell6
    if cell == 7:
        return r.cell7
    if cell == 8:
        return r.cell8
    if cell == 9:
        return r.cell9
    if cell == 10:
        return r.cell10
    if cell == 11:
        return r.cell11
    if cell == 12:
        return r.cell12
    if cell == 13:
        return r.cell13
    if cell == 14:
        return r.cell14
    return r.cell15


@jit
def set_cell(r, cell, value):
    """Set nonce cell ``cell`` (0..15) of a nonces record."""
    if cell == 0:
        r.cell0 = value
    elif cell == 1:
        r.cell1 = value
    elif cell == 2:
        r.cell2 = value
    elif cell == 3:
        r.cell3 = value
    elif cell == 4:
        r.cell4 = value
    elif cell == 5:
        r.cell5 = value
    elif cell == 6:
        r.cell6 = value
    elif cell == 7:
        r.cell7 = value
    elif cell == 8:
        r.cell8 = value
    elif cell == 9:
        r.cell9 = value
    elif cell == 10:
        r.cell10 = value
    elif cell == 11:
        r.cell11 = value
    elif cell == 12:
        r.cell12 = value
    elif cell == 13:
        r.cell13 = value
    elif cell == 14:
        r.cell14 = value
    else:
        r.cell15 = value


@jit
def reset_nonces(s, d, key, value):
    """Set all 64 nonce cells of a key to ``value`` (ms)."""
    for part in range(NONCE_CELLS // _CELLS):
        slot = key * (NONCE_CELLS // _CELLS) + part
        for cell in range(_CELLS):
            set_cell(s.nonces[slot], cell, value)
        touch(d, T_NONCES, slot)


@jit
def is_acting(s, account):
    """Whether an account may act or receive by action: open, and not an insurance fund."""
    if not is_used(s, T_ACCOUNT, account):
        return False
    return s.account[account].state == ACTIVE and s.account[account].kind != ACCOUNT_FUND


@jit
def is_trade_action(action):
    """Whether the action is signed as `Trade(...)`: agents may sign it."""
    return _ITEM_BYTES[action] > 0


@jit
def is_relief(io, seq, action):
    """Whether the envelope only takes orders, risk or claims away, so that quota must not stop it."""
    if (
        action == A.CANCEL
        or action == A.CANCEL_ALL
        or action == A.CANCEL_PLAN
        or action == A.DEAD_MAN
        or action == A.MERGE
        or action == A.REDEEM
    ):
        return True
    return action == A.AMEND and class_of(io, seq) == A.CLASS_CANCEL


@jit
def step_envelope(s, d, io):
    """ENVELOPE: who signs, may it, is it fresh; burns the nonce; then the items or the action."""
    m = s.machine[0]
    seq = i64(m.seq)
    at = leaf_start(io, seq)
    leaf = io.leaf
    account, key = read32(leaf, at + A.AT_ACCOUNT), read64(leaf, at + A.AT_KEY)
    generation, key = key >> 32, key & 0xFFFFFFFF
    nonce, expires = read64(leaf, at + A.AT_NONCE), read64(leaf, at + A.AT_EXPIRES)
    action, items = read8(leaf, at + A.AT_ACTION), read8(leaf, at + A.AT_ITEMS)
    time = i64(m.time)
    shown = account if account < (1 << 31) else i64(0)  # event columns are signed 32-bit
    if not is_acting(s, account):
        reject_leaf(s, d, io, shown, items, _ACCOUNT_NOT_FOUND)
        return
    a = s.account[account]
    if (
        not is_used(s, T_KEY, key)
        or s.key[key].state != ACTIVE
        or s.key[key].generation != generation
    ):
        reject_leaf(s, d, io, shown, items, _KEY_NOT_FOUND)
        return
    k = s.key[key]
    error = _OK
    if k.owner != a.owner:
        error = _KEY_NOT_OF_OWNER
    elif not signer_is(io, seq, k.address0, k.address1, k.address2):
        error = _BAD_SIGNATURE
    elif nonce <= time - NONCE_PAST or nonce >= time + NONCE_FUTURE:
        error = _NONCE_OUT_OF_WINDOW
    if error != _OK:
        reject_leaf(s, d, io, shown, items, error)
        return
    cell = nonce & (NONCE_CELLS - 1)
    slot = key * (NONCE_CELLS // _CELLS) + cell // _CELLS
    r = s.nonces[slot]
    if nonce <= get_cell(r, cell & (_CELLS - 1)):
        reject_leaf(s, d, io, shown, items, _NONCE_USED)
        return
    owner = i64(a.owner)
    cost = get_cost(action, items)
    # Behind the nonce, so that nobody else can spend the owner's quota with copies of its envelopes.
    error = admit(s, d, owner, cost, is_relief(io, seq, action))
    if error != _OK:
        reject_leaf(s, d, io, shown, items, error)
        return
    set_cell(r, cell & (_CELLS - 1), nonce)
    touch(d, T_NONCES, slot)
    scope = i64(k.scope)
    is_trade = is_trade_action(action)
    if time > expires:
        error = _EXPIRED
    elif expires > time + MAX_EXPIRES_AFTER:
        error = _EXPIRES_TOO_FAR
    elif k.expires != 0 and time >= k.expires:
        error = _KEY_EXPIRED
    elif k.account != 0 and k.account != account:
        error = _KEY_ACCOUNT
    elif is_trade and (scope & (SCOPE_TRADE | SCOPE_OWNER)) == 0:
        error = _KEY_SCOPE
    elif not is_trade and action != A.NOOP and (scope & SCOPE_OWNER) == 0:
        error = _KEY_SCOPE
    elif time > m.l1_time + STALE_L1 and class_of(io, seq) >= A.CLASS_POST:
        error = _STALE_L1
    if error != _OK:
        charge(s, d, owner, cost)
        reject_leaf(s, d, io, shown, items, error)
        return
    m.account = account
    m.key = key
    m.owner = owner
    m.action = action
    m.item = 0
    m.items = items
    m.pos = A.AT_BODY
    m.error = 0
    m.failed = 0
    if action == A.MASS_QUOTE:
        s.draft[0].mask = 0
        touch(d, T_DRAFT, 0)
    m.pc = P.ITEM
    touch(d, T_MACHINE, 0)


@jit
def step_item(s, d, io):
    """ITEM: the next item, or the end of the envelope."""
    m = s.machine[0]
    touch(d, T_MACHINE, 0)
    action = i64(m.action)
    if m.item >= m.items:
        if action == A.MASS_QUOTE and (i64(s.draft[0].mask) & QUOTE_PLACING) == 0:
            # All rungs of the old ladder are gone or stay: now the new ones are placed.
            s.draft[0].mask = i64(s.draft[0].mask) | QUOTE_PLACING
            touch(d, T_DRAFT, 0)
            m.item = 0
            m.pos = A.AT_BODY
            return
        if m.failed > 0:
            charge(s, d, i64(m.owner), i64(m.failed))
        set_result(io, i64(m.seq), (i64(m.failed) << 16) | i64(m.error))
        m.action = 0
        m.seq += 1
        m.pc = P.LEAF
    elif action == A.MASS_QUOTE:
        is_placing = (i64(s.draft[0].mask) & QUOTE_PLACING) != 0
        m.pc = P.QUOTE_PLACE if is_placing else P.QUOTE_PULL
    else:
        m.count = 0  # the stage of an action of several
        m.pc = _FIRST_STEP[action]


@jit
def step_item_done(s, d, io):
    """ITEM_DONE: on to the next item."""
    m = s.machine[0]
    m.pos += _ITEM_BYTES[m.action]
    m.item += 1
    m.pc = P.ITEM
    touch(d, T_MACHINE, 0)


@jit
def step_transfer(s, d, io):
    """TRANSFER between two accounts of one owner."""
    m = s.machine[0]
    at = item_at(io, m)
    target, asset = read32(io.leaf, at), read32(io.leaf, at + 4)
    amount = read64(io.leaf, at + 8)
    error = _OK
    source = i64(0)
    if not is_acting(s, target) or target == m.account:
        error = _ACCOUNT_NOT_FOUND
    elif s.account[target].owner != m.owner:
        error = _KEY_NOT_OF_OWNER
    elif not is_used(s, T_ASSET, asset):
        error = _ASSET_NOT_FOUND
    else:
        source = find_balance(s, d, m.account, asset)
        if source == 0 or amount < 1 or amount > s.balance[source].free:
            error = _AMOUNT_OUT_OF_RANGE
        elif find_balance(s, d, target, asset) == 0:
            error = can_open(s, target)
    if error != _OK:
        reject_item(s, d, io, error)
        return
    receiver = open_balance(s, d, target, asset)
    s.balance[source].free -= amount
    s.balance[receiver].free += amount
    touch(d, T_BALANCE, source)
    touch(d, T_BALANCE, receiver)
    emit_note(d, io, TRANSFERRED, m.seq, asset, m.account, target, 0, 0, 0, amount)
    m.pc = P.ITEM_DONE
    touch(d, T_MACHINE, 0)


@jit
def post_withdrawal(s, d, owner, asset, amount, inbox):
    """Write the outbox record that L1 pays; returns its id. The caller has checked for room."""
    m, w = s.machine[0], s.owner[owner]
    slot = append_slot(s, d, T_OUTBOX)
    r = s.outbox[slot]
    if w.redirect0 == 0 and w.redirect1 == 0 and w.redirect2 == 0:
        r.recipient0 = w.address0
        r.recipient1 = w.address1
        r.recipient2 = w.address2
    else:
        r.recipient0 = w.redirect0
        r.recipient1 = w.redirect1
        r.recipient2 = w.redirect2
    r.kind = OUTBOX_WITHDRAWAL
    r.owner = owner
    r.asset = asset
    r.amount = amount
    r.time = m.time
    r.inbox = inbox
    touch(d, T_OUTBOX, slot)
    return slot


@jit
def step_withdraw(s, d, io):
    """WITHDRAW: the amount leaves the zone's books and stands in the outbox."""
    m = s.machine[0]
    at = item_at(io, m)
    asset, amount = read32(io.leaf, at), read64(io.leaf, at + 4)
    error = _OK
    source = i64(0)
    if not is_used(s, T_ASSET, asset):
        error = _ASSET_NOT_FOUND
    elif s.asset[asset].kind == ASSET_SIMULATED:
        error = _NOT_SAME_KIND
    else:
        source = find_balance(s, d, m.account, asset)
        if source == 0 or amount < 1 or amount > s.balance[source].free:
            error = _AMOUNT_OUT_OF_RANGE
        elif not has_room(s, T_OUTBOX, 1):
            error = _TABLE_FULL
    if error != _OK:
        reject_item(s, d, io, error)
        return
    s.balance[source].free -= amount
    s.asset[asset].total -= amount
    slot = post_withdrawal(s, d, i64(m.owner), asset, amount, 0)
    touch(d, T_BALANCE, source)
    touch(d, T_ASSET, asset)
    emit_note(d, io, WITHDRAWN, m.seq, asset, m.account, 0, slot, 0, 0, amount)
    m.pc = P.ITEM_DONE
    touch(d, T_MACHINE, 0)


@jit
def key_id(s, slot):
    """Id of a key: generation << 32 | slot."""
    return (i64(s.key[slot].generation) << 32) | slot


@jit
def link_key(s, d, owner, key):
    """Put a new key in front of its owner's list."""
    w = s.owner[owner]
    s.key[key].next = w.first_key
    w.first_key = key
    w.key_count += 1
    touch(d, T_OWNER, owner)
    touch(d, T_KEY, key)


@jit
def approve_key(s, d, io, owner, source, at, leaf):
    """Make the key that the body at ``source[at]`` describes a key of ``owner``; 0 or the error.

    ``leaf`` is what the event names: the leaf's seq or the message's index.
    """
    time = i64(s.machine[0].time)
    high, middle, low = read32(source, at), read_limb(source, at + 4), read_limb(source, at + 12)
    account, venue, scope = read32(source, at + 20), read32(source, at + 24), read8(source, at + 28)
    expires, bound = read64(source, at + 29), read64(source, at + 37)
    if s.owner[owner].key_count >= MAX_KEYS:
        return _KEY_LIMIT
    if (
        (high == 0 and middle == 0 and low == 0)
        or scope != SCOPE_TRADE
        or expires <= time
        or expires > MAX_TIME
        or bound > 1 << 62
        or (venue != 0 and not is_used(s, T_VENUE, venue))
    ):
        return _BAD_KEY
    if account != 0 and (not is_acting(s, account) or s.account[account].owner != owner):
        return _BAD_KEY
    if not has_room(s, T_KEY, 1 + reserved_keys(s)):
        return _TABLE_FULL
    slot = take_key(s, d)
    k = s.key[slot]
    k.state = ACTIVE
    k.scope = scope
    k.owner = owner
    k.account = account
    k.venue = venue
    k.expires = expires
    k.address0 = low
    k.address1 = middle
    k.address2 = high
    k.approved = time
    k.max_notional = bound
    k.name = read_limb(source, at + 45) & MAX_I64
    link_key(s, d, owner, slot)
    reset_nonces(s, d, slot, time)
    first = s.owner[owner].first_account
    emit_note(d, io, KEY_APPROVED, leaf, 0, first, 0, key_id(s, slot), 0, 0, 0)
    return _OK


@jit
def step_approve_key(s, d, io):
    """APPROVE_KEY: a new agent key."""
    m = s.machine[0]
    at = item_at(io, m)
    error = i64(approve_key(s, d, io, i64(m.owner), io.leaf, at, i64(m.seq)))
    if error != _OK:
        reject_item(s, d, io, error)
        return
    m.pc = P.ITEM_DONE
    touch(d, T_MACHINE, 0)


@jit
def begin_revoke(s, d, m, name):
    """Have the key with this id go, if it is one of ``machine.owner`` that may; 0 or the error."""
    slot, generation = name & 0xFFFFFFFF, name >> 32
    if not is_used(s, T_KEY, slot):
        return _KEY_NOT_FOUND
    k = s.key[slot]
    if k.state != ACTIVE or k.owner != m.owner or k.generation != generation:
        return _KEY_NOT_FOUND
    if (i64(k.scope) & SCOPE_OWNER) != 0:
        return _CANNOT_REVOKE
    m.cursor = slot
    m.cursor2 = 0
    m.pc = P.REVOKE_WALK
    touch(d, T_MACHINE, 0)
    return _OK


@jit
def step_revoke_key(s, d, io):
    """REVOKE_KEY: is it a key of this owner that may go."""
    m = s.machine[0]
    at = item_at(io, m)
    error = i64(begin_revoke(s, d, m, read64(io.leaf, at)))
    if error != _OK:
        reject_item(s, d, io, error)


@jit
def step_revoke_walk(s, d, io):
    """REVOKE_WALK: one key of the owner's list, until the one before the key that goes."""
    m = s.machine[0]
    w = s.owner[m.owner]
    slot, previous = i64(m.cursor), i64(m.cursor2)
    following = i64(w.first_key) if previous == 0 else i64(s.key[previous].next)
    if following != slot:
        m.cursor2 = following
    else:
        if previous == 0:
            w.first_key = s.key[slot].next
        else:
            s.key[previous].next = s.key[slot].next
            touch(d, T_KEY, previous)
        w.key_count -= 1
        touch(d, T_OWNER, m.owner)
        is_message = m.action == 0  # a forced operation: no envelope is open
        leaf = i64(m.inbox) if is_message else i64(m.seq)
        emit_note(d, io, KEY_REVOKED, leaf, 0, w.first_account, 0, key_id(s, slot), 0, 0, 0)
        free_key(s, d, slot)
        m.pc = P.FORCED_ANSWER if is_message else P.ITEM_DONE
    touch(d, T_MACHINE, 0)


@jit
def open_account(s, d, owner, kind):
    """Open a further account of ``owner`` right behind its main account; returns the slot."""
    w = s.owner[owner]
    first = s.account[w.first_account]
    slot = take_account(s, d)
    a = s.account[slot]
    a.state = ACTIVE
    a.kind = kind
    a.index = w.account_count
    a.owner = owner
    a.next = first.next
    first.next = slot
    w.account_count += 1
    touch(d, T_ACCOUNT, w.first_account)
    touch(d, T_OWNER, owner)
    return slot


@jit
def reserved_keys(s):
    """Key slots kept for owners who are still to come; those who are there have theirs."""
    return max(0, RESERVED_KEYS - i64(s.head[T_OWNER].in_use))


@jit
def reserved_accounts(s):
    """Account slots kept for owners (one) and venues (two) that are still to come."""
    present = i64(s.head[T_OWNER].in_use) + 2 * i64(s.head[T_VENUE].in_use)
    return max(0, RESERVED_ACCOUNTS - present)


@jit
def step_create_account(s, d, io):
    """CREATE_ACCOUNT: a new sub-account."""
    m = s.machine[0]
    error = _OK
    if s.owner[m.owner].account_count >= MAX_ACCOUNTS:
        error = _ACCOUNT_LIMIT
    elif not has_room(s, T_ACCOUNT, 1 + reserved_accounts(s)):
        error = _TABLE_FULL
    if error != _OK:
        reject_item(s, d, io, error)
        return
    slot = open_account(s, d, i64(m.owner), ACCOUNT_USER)
    emit_note(d, io, ACCOUNT_CREATED, m.seq, 0, slot, 0, m.owner, ACCOUNT_USER, 0, 0)
    m.pc = P.ITEM_DONE
    touch(d, T_MACHINE, 0)
