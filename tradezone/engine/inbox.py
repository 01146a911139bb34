"""Inbox messages: what L1 tells the zone, one message a step.

Listings, updates that wait and resolutions go on in steps of ``markets``, forced operations in those of ``forced``.
"""

from __future__ import annotations

from tradezone.protocol import messages as M
from tradezone.protocol import steps as P
from tradezone.protocol.actions import layout_bytes
from tradezone.protocol.enums import (
    ACCOUNT_FUND,
    ACCOUNT_PROTOCOL,
    ACCOUNT_USER,
    ACCOUNT_VENUE,
    ACTIVE,
    ASSET_NATIVE,
    ASSET_SIMULATED,
    OWNER_CONTRACT,
    OWNER_USER,
    PROTOCOL_OWNER,
    SCOPE_OWNER,
    SCOPE_TRADE,
    VENUE_ACTIVE,
)
from tradezone.protocol.errors import Code
from tradezone.protocol.events import (
    ASSET_REGISTERED,
    DEPOSITED,
    HEARTBEAT,
    KEY_APPROVED,
    MESSAGE_IGNORED,
    OWNER_REGISTERED,
    VENUE_CREATED,
    WITHDRAWN,
)
from tradezone.protocol.limits import MAX_TIME, MAX_TOTAL_ATOMS

from ._jit import i64, jit
from .assets import set_asset
from .balances import can_open, credit, find_balance, open_balance
from .codec import (
    emit_note,
    message_size,
    message_start,
    read8,
    read32,
    read64,
    read_limb,
    set_result,
)
from .envelopes import key_id, link_key, open_account, post_withdrawal, reset_nonces
from .forced import begin_forced
from .markets import (
    list_event,
    list_guest,
    list_market,
    list_outcome,
    resolve,
    set_calendar,
    update_market,
    update_venue,
)
from .memory import ZONE_ENDS
from .perps.closing import begin_closing
from .perps.feeds import set_oracle, tell_price
from .perps.listing import approve_cross, list_perp, set_perp, set_risk, slash
from .quota import start
from .tables import (
    T_ACCOUNT,
    T_ASSET,
    T_KEY,
    T_MACHINE,
    T_OUTBOX,
    T_OWNER,
    T_VENUE,
    append_slot,
    has_room,
    is_used,
    take_account,
    take_key,
    touch,
)

_OK = int(Code.OK)
_MALFORMED = int(Code.MALFORMED)
_UNKNOWN_MESSAGE = int(Code.UNKNOWN_MESSAGE)
_OWNER_MISMATCH = int(Code.OWNER_MISMATCH)
_BAD_PARAMETERS = int(Code.BAD_PARAMETERS)
_NOT_NEXT_ID = int(Code.NOT_NEXT_ID)
_ASSET_NOT_FOUND = int(Code.ASSET_NOT_FOUND)
_NOT_SAME_KIND = int(Code.NOT_SAME_KIND)
_TABLE_FULL = int(Code.TABLE_FULL)

DRAINING = 9  # phase: the batch is over, what its header says is consumed still is not

_LAST_KIND = max(M.BODIES)
_BYTES = tuple(
    layout_bytes(M.BODIES[kind]) if kind in M.BODIES else -1 for kind in range(_LAST_KIND + 1)
)


@jit
def step_message(s, d, io):
    """MESSAGE: consume the next inbox message, or end the inbox mark, the batch or the zone."""
    m = s.machine[0]
    touch(d, T_MACHINE, 0)
    if m.inbox >= m.inbox_end:
        if m.phase == DRAINING:
            m.pc = P.IDLE
            if io.is_batch_end == ZONE_ENDS:
                begin_closing(s, d, m)
        else:
            set_result(io, i64(m.seq), 0)
            m.seq += 1
            m.pc = P.LEAF
        return
    index = i64(m.inbox)
    if index < io.first_message or index >= io.end_message:
        raise ValueError("inbox message is not at hand")
    at = message_start(io, index)
    size = message_size(io, index) - M.MESSAGE_HEADER
    kind = read8(io.message, at)
    time = read64(io.message, at + 29)
    time = MAX_TIME if time > MAX_TIME // 1000 else time * 1000
    if time > m.l1_time:
        m.l1_time = time
    body = at + M.MESSAGE_HEADER
    error = i64(_OK)
    if kind > _LAST_KIND or _BYTES[kind] < 0:
        error = _UNKNOWN_MESSAGE
    elif size != _BYTES[kind]:
        error = _MALFORMED
    elif kind == M.HEARTBEAT:
        emit_note(d, io, HEARTBEAT, index, 0, 0, 0, 0, 0, 0, m.l1_time)
    else:
        m.pc = P.MESSAGE
        error = execute(s, d, io, kind, body)
    if error != _OK:
        emit_note(d, io, MESSAGE_IGNORED, index, 0, 0, 0, 0, 0, error, 0)
    if m.pc != P.LIST_BALANCE and m.pc != P.RESOLVE_MARKET and not is_forced(i64(m.pc)):
        m.inbox += 1  # those consume it when they are done


@jit
def is_forced(pc):
    """Whether a step is one of a forced operation."""
    return pc >= P.FORCED_WITHDRAW and pc <= P.FORCED_ANSWER


@jit
def execute(s, d, io, kind, body):
    """Run a message whose size is right; one that goes on in other steps sets ``pc``."""
    if kind == M.DEPOSIT:
        return deposit(s, d, io, body)
    if kind == M.REGISTER_OWNER:
        return register_owner(s, d, io, body)
    if kind == M.REGISTER_ASSET:
        return register_asset(s, d, io, body)
    if kind == M.CREATE_VENUE:
        return create_venue(s, d, io, body)
    if kind == M.LIST_MARKET:
        return list_market(s, d, io, body)
    if kind == M.UPDATE_VENUE:
        return update_venue(s, d, io, body)
    if kind == M.UPDATE_MARKET:
        return update_market(s, d, io, body)
    if kind == M.LIST_EVENT:
        return list_event(s, d, io, body)
    if kind == M.LIST_OUTCOME:
        return list_outcome(s, d, io, body)
    if kind == M.LIST_GUEST:
        return list_guest(s, d, io, body)
    if kind == M.SET_CALENDAR:
        return set_calendar(s, d, io, body)
    if kind == M.RESOLUTION:
        return resolve(s, d, io, body)
    if kind >= M.FORCED_WITHDRAW and kind <= M.FORCED_REDIRECT:
        return begin_forced(s, d, io, kind, body)
    if kind != M.SET_ASSET:
        return execute_perp(s, d, io, kind, body)
    return set_asset(s, d, io, body)


@jit
def execute_perp(s, d, io, kind, body):
    """Run a message about perpetuals, feeds or ledgers."""
    if kind == M.PRICE:
        return tell_price(s, d, io, body)
    if kind == M.ORACLE_SET:
        return set_oracle(s, d, io, body)
    if kind == M.LIST_PERP:
        return list_perp(s, d, io, body)
    if kind == M.SET_PERP:
        return set_perp(s, d, io, body)
    if kind == M.APPROVE_CROSS:
        return approve_cross(s, d, io, body)
    if kind == M.SLASH:
        return slash(s, d, io, body)
    return set_risk(s, d, io, body)


@jit
def register_owner(s, d, io, at):
    """REGISTER_OWNER: owner, main account and (kind 1) the owner key."""
    source = io.message
    owner, referrer, kind = read32(source, at), read32(source, at + 24), read8(source, at + 28)
    m = s.machine[0]
    if owner != s.head[T_OWNER].high_water:
        return _NOT_NEXT_ID
    if kind != OWNER_USER and kind != OWNER_CONTRACT:
        return _BAD_PARAMETERS
    if not (has_room(s, T_OWNER, 1) and has_room(s, T_ACCOUNT, 1) and has_room(s, T_KEY, 1)):
        return _TABLE_FULL
    append_slot(s, d, T_OWNER)
    account = take_account(s, d)
    w, a = s.owner[owner], s.account[account]
    w.address2 = read32(source, at + 4)
    w.address1 = read_limb(source, at + 8)
    w.address0 = read_limb(source, at + 16)
    w.first_account = account
    w.account_count = 1
    w.kind = kind
    if referrer >= 1 and referrer < owner:
        w.referrer = referrer
    a.state = ACTIVE
    a.kind = ACCOUNT_PROTOCOL if owner == PROTOCOL_OWNER else ACCOUNT_USER
    a.owner = owner
    touch(d, T_OWNER, owner)
    emit_note(d, io, OWNER_REGISTERED, m.inbox, 0, account, 0, owner, 0, 0, 0)
    if kind == OWNER_USER:
        key = take_key(s, d)
        k = s.key[key]
        k.state = ACTIVE
        k.scope = SCOPE_TRADE | SCOPE_OWNER
        k.owner = owner
        k.address0 = w.address0
        k.address1 = w.address1
        k.address2 = w.address2
        k.approved = m.time
        link_key(s, d, owner, key)
        reset_nonces(s, d, key, m.time)
        emit_note(d, io, KEY_APPROVED, m.inbox, 0, account, 0, key_id(s, key), 0, 0, 0)
    return _OK


@jit
def deposit(s, d, io, at):
    """DEPOSIT: credit the owner's main account, or send the amount back through the outbox."""
    source = io.message
    owner, asset, amount = read32(source, at), read32(source, at + 24), read64(source, at + 28)
    m = s.machine[0]
    if not is_used(s, T_OWNER, owner):
        return _OWNER_MISMATCH
    w = s.owner[owner]
    if (
        (i64(w.address2) & 0xFFFFFFFF) != read32(source, at + 4)
        or i64(w.address1) != read_limb(source, at + 8)
        or i64(w.address0) != read_limb(source, at + 16)
    ):
        return _OWNER_MISMATCH
    if not is_used(s, T_ASSET, asset):
        return _ASSET_NOT_FOUND
    x = s.asset[asset]
    if x.kind == ASSET_SIMULATED:
        return _NOT_SAME_KIND
    if amount < 1 or amount > MAX_TOTAL_ATOMS - x.total:
        return _BAD_PARAMETERS
    account = i64(w.first_account)
    error = i64(_OK)
    if find_balance(s, d, account, asset) == 0:
        error = can_open(s, account)
        if error != _OK and not has_room(s, T_OUTBOX, 1):
            return _TABLE_FULL
    emit_note(d, io, DEPOSITED, m.inbox, asset, account, 0, 0, 0, 0, amount)
    if error == _OK:
        credit(s, d, open_balance(s, d, account, asset), amount)
        x.total += amount
        touch(d, T_ASSET, asset)
        start(s, d, owner, asset, amount)
    else:
        slot = post_withdrawal(s, d, owner, asset, amount, i64(m.inbox))
        emit_note(d, io, WITHDRAWN, m.inbox, asset, account, 0, slot, 0, 0, amount)
    return _OK


@jit
def register_asset(s, d, io, at):
    """REGISTER_ASSET."""
    source = io.message
    asset, kind, decimals = read32(source, at), read8(source, at + 24), read8(source, at + 25)
    quantum, cap, venue = read64(source, at + 26), read64(source, at + 34), read32(source, at + 42)
    if asset != s.head[T_ASSET].high_water:
        return _NOT_NEXT_ID
    if kind < ASSET_NATIVE or kind > ASSET_SIMULATED or decimals > 36:
        return _BAD_PARAMETERS
    if quantum < 1 or quantum > 1 << 62 or cap < 1 or cap > MAX_TOTAL_ATOMS:
        return _BAD_PARAMETERS
    if (kind == ASSET_SIMULATED) != (venue != 0) or (venue != 0 and not is_used(s, T_VENUE, venue)):
        return _BAD_PARAMETERS
    if not has_room(s, T_ASSET, 1):
        return _TABLE_FULL
    append_slot(s, d, T_ASSET)
    x = s.asset[asset]
    x.token2 = read32(source, at + 4)
    x.token1 = read_limb(source, at + 8)
    x.token0 = read_limb(source, at + 16)
    x.kind = kind
    x.decimals = decimals
    x.state = ACTIVE
    x.venue = venue
    x.quantum = quantum
    x.cap = cap
    touch(d, T_ASSET, asset)
    emit_note(d, io, ASSET_REGISTERED, s.machine[0].inbox, asset, 0, 0, 0, 0, 0, 0)
    return _OK


@jit
def create_venue(s, d, io, at):
    """CREATE_VENUE: the venue with its fee account and its fund account."""
    source = io.message
    venue, owner, access = read32(source, at), read32(source, at + 4), read8(source, at + 8)
    stake = read64(source, at + 9)
    if venue != s.head[T_VENUE].high_water:
        return _NOT_NEXT_ID
    if not is_used(s, T_OWNER, owner):
        return _OWNER_MISMATCH
    if access > 2 or stake >= 1 << 62:
        return _BAD_PARAMETERS
    if not (has_room(s, T_VENUE, 1) and has_room(s, T_ACCOUNT, 2)):
        return _TABLE_FULL
    append_slot(s, d, T_VENUE)
    v = s.venue[venue]
    v.owner = owner
    v.fee_account = open_account(s, d, owner, ACCOUNT_VENUE)
    v.fund_account = open_account(s, d, owner, ACCOUNT_FUND)
    v.state = VENUE_ACTIVE
    v.access = access
    v.stake = stake
    touch(d, T_VENUE, venue)
    emit_note(
        d, io, VENUE_CREATED, s.machine[0].inbox, venue, v.fee_account, v.fund_account, 0, 0, 0, 0
    )
    return _OK
