"""Permissions: who may trade where (access records), and which interface an account lets charge it.

Access records of owners hang in bucket chains, approvals of an account in a list sorted by (kind, subject).
Both are rows of the table ``approval``. The order that asks is the one in ``draft[0]``; what a step of its
admission remembers for the next one is ``draft.value`` (which of its rules comes next) and ``machine.value3``
(the record that a chain walk stands on).
"""

from __future__ import annotations

from tradezone.protocol import actions as A
from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    ACCESS_CREDENTIAL,
    ACCESS_LIST,
    ACCESS_OPEN,
    ACTIVE,
    APPROVAL_ACCESS,
    APPROVAL_INTERFACE,
    ORDER_REDUCE_ONLY,
)
from tradezone.protocol.errors import Code
from tradezone.protocol.events import ACCESS_GRANTED, ACCESS_REVOKED, INTERFACE_APPROVED
from tradezone.protocol.limits import (
    ACCESS_BUCKETS,
    MAX_APPROVALS,
    MAX_BUCKET_LENGTH,
    MAX_INTERFACE_FEE,
    MAX_TIME,
    ORDER_BUCKETS,
)
from tradezone.state.keccak import keccak256

from ._jit import i64, jit
from .codec import (
    emit,
    leaf_start,
    read16,
    read32,
    read64,
    read_limb,
    set_result,
    signer_is,
)
from .envelopes import reject_leaf
from .orders import item_at, refuse, reject_item
from .phases import is_admitted
from .tables import (
    T_ACCOUNT,
    T_APPROVAL,
    T_BUCKET,
    T_DRAFT,
    T_MACHINE,
    T_OWNER,
    T_VENUE,
    free_approval,
    has_room,
    is_used,
    take_approval,
    touch,
)

_OK = int(Code.OK)
_MARKET_CLOSED = int(Code.MARKET_CLOSED)
_INTERFACE_NOT_APPROVED = int(Code.INTERFACE_NOT_APPROVED)
_ACCESS_DENIED = int(Code.ACCESS_DENIED)
_ACCOUNT_NOT_FOUND = int(Code.ACCOUNT_NOT_FOUND)
_BAD_APPROVAL = int(Code.BAD_APPROVAL)
_TOO_MANY_APPROVALS = int(Code.TOO_MANY_APPROVALS)
_TABLE_FULL = int(Code.TABLE_FULL)
_BUCKET_FULL = int(Code.BUCKET_FULL)
_VENUE_NOT_FOUND = int(Code.VENUE_NOT_FOUND)
_NOT_VENUE_OWNER = int(Code.NOT_VENUE_OWNER)
_OWNER_NOT_FOUND = int(Code.OWNER_NOT_FOUND)
_OWNER_MISMATCH = int(Code.OWNER_MISMATCH)
_BAD_SIGNATURE = int(Code.BAD_SIGNATURE)
_BAD_CREDENTIAL = int(Code.BAD_CREDENTIAL)

_RULES = 4  # access rules an order can meet: venue and market of its home, then of its door
# a credential leaf behind its kind byte
_VENUE, _OWNER, _SUBJECT, _REGION, _CLASS, _ISSUED, _EXPIRES = 1, 5, 9, 29, 33, 35, 43


# --- admission of an order: door, interface, access ------------------------------------------------


@jit
def needs_access(s, f):
    """Whether any rule of the order's markets and venues is not OPEN; reducing is always open."""
    if (i64(f.flags) & ORDER_REDUCE_ONLY) != 0:
        return False
    k = s.market[f.market]
    if k.access != ACCESS_OPEN or s.venue[k.venue].access != ACCESS_OPEN:
        return True
    if f.door == 0:
        return False
    door = s.market[f.door]
    return door.access != ACCESS_OPEN or s.venue[door.venue].access != ACCESS_OPEN


@jit
def go_to_access(s, d, m, f):
    """On to the access rules, or behind them if there are none to check."""
    f.value = 0
    touch(d, T_DRAFT, 0)
    if needs_access(s, f):
        m.pc = P.ACCESS
    else:
        end_checks(m)


@jit
def end_checks(m):
    """Behind check 17: the client id of a new order, the terms of an amended one; SPLIT names where it goes on."""
    if m.action == A.SPLIT:
        m.pc = m.return0
    else:
        m.pc = P.AMEND_CHECK if m.action == A.AMEND else P.PLACE_WALK


@jit
def step_door(s, d, io):
    """DOOR: check 15, the guest market's own phases; its fee is looked at next, unless the order is amended."""
    m, f = s.machine[0], s.draft[0]
    touch(d, T_MACHINE, 0)
    door = i64(f.door)
    if not is_admitted(s, door, i64(m.time), i64(f.tif), i64(f.flags)):
        refuse(s, d, io, _MARKET_CLOSED)
    elif m.action == A.AMEND:
        go_to_access(s, d, m, f)
    elif s.market[door].guest_fee > 0 or f.interface != 0 or f.interface_fee != 0:
        m.pc = P.INTERFACE
    else:
        go_to_access(s, d, m, f)


@jit
def interface_error(s, d, account, door, interface, fee):
    """Check 16: 0 if the account approved what the item's interface or its door charges it."""
    if door != 0:
        if interface != 0 or fee != 0:
            return _INTERFACE_NOT_APPROVED
        fee = i64(s.market[door].guest_fee)
        if fee == 0:
            return _OK
        interface = i64(s.venue[s.market[door].venue].fee_account)
    elif interface == 0:
        return _OK if fee == 0 else _INTERFACE_NOT_APPROVED
    elif fee > MAX_INTERFACE_FEE:
        return _INTERFACE_NOT_APPROVED
    slot = find_approval(s, d, account, APPROVAL_INTERFACE, interface)
    if slot == 0:
        return _INTERFACE_NOT_APPROVED
    r = s.approval[slot]
    if r.value < fee or (r.expires != 0 and r.expires <= s.machine[0].time):
        return _INTERFACE_NOT_APPROVED
    return _OK


@jit
def step_interface(s, d, io):
    """INTERFACE: check 16; an order through a door gets the guest venue's account and fee."""
    m, f = s.machine[0], s.draft[0]
    touch(d, T_MACHINE, 0)
    door = i64(f.door)
    error = interface_error(s, d, i64(m.account), door, i64(f.interface), i64(f.interface_fee))
    if error != _OK:
        refuse(s, d, io, error)
        return
    if door != 0:
        f.interface = s.venue[s.market[door].venue].fee_account
        f.interface_fee = s.market[door].guest_fee
    go_to_access(s, d, m, f)


@jit
def step_access(s, d, io):
    """ACCESS: check 17, on to the chain of the next rule that the order has to pass."""
    m, f = s.machine[0], s.draft[0]
    rule = i64(f.value)
    venue, mode = i64(0), i64(ACCESS_OPEN)
    while rule < _RULES and mode == ACCESS_OPEN:
        if rule < 2 or f.door != 0:
            k = s.market[f.market] if rule < 2 else s.market[f.door]
            venue = i64(k.venue)
            mode = i64(s.venue[venue].access)
            if rule & 1 == 1:  # the market's own, unless it repeats its venue's
                mode = i64(k.access) if k.access != mode else i64(ACCESS_OPEN)
        rule += 1
    f.value = rule
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)
    if mode == ACCESS_OPEN:
        end_checks(m)
    else:
        m.value3 = s.bucket[access_bucket_of(io, venue, i64(m.owner), mode)].first
        m.pc = P.ACCESS_WALK


@jit
def step_access_walk(s, d, io):
    """ACCESS_WALK: one record of the chain; the one of this rule must be good and cuts the expiry."""
    m, f = s.machine[0], s.draft[0]
    touch(d, T_MACHINE, 0)
    slot = i64(m.value3)
    if slot == 0:
        refuse(s, d, io, _ACCESS_DENIED)
        return
    r = s.approval[slot]
    rule = i64(f.value) - 1
    k = s.market[f.market] if rule < 2 else s.market[f.door]
    v = s.venue[k.venue]
    mode = i64(k.access) if rule & 1 == 1 else i64(v.access)
    if not is_record(r, i64(k.venue), i64(m.owner), mode):
        m.value3 = r.bucket_next
        return
    is_good = r.expires == 0 or r.expires > m.time
    if mode == ACCESS_CREDENTIAL:
        is_good = is_good and admits_credential(v, i64(r.region), i64(r.flags))
    if not is_good:
        refuse(s, d, io, _ACCESS_DENIED)
        return
    if r.expires != 0 and (f.expires == 0 or r.expires < f.expires):
        f.expires = r.expires
        touch(d, T_DRAFT, 0)
    m.pc = P.ACCESS


@jit
def is_record(r, venue, owner, mode):
    """Whether an access record is that of (venue, owner, mode)."""
    return r.subject == venue and r.account == owner and r.value == mode


@jit
def admits_credential(v, region, number):
    """Whether a venue's rule admits a credential of this region and class."""
    return region <= 62 and ((i64(v.regions) >> region) & 1) == 1 and number >= v.min_class


@jit
def access_bucket_of(io, venue, owner, mode):
    """Bucket of an access record: behind those of client ids, by the hash of (venue, owner, mode)."""
    for i in range(4):
        io.scratch[i] = (venue >> (24 - 8 * i)) & 255
        io.scratch[4 + i] = (owner >> (24 - 8 * i)) & 255
    io.scratch[8] = mode
    keccak256(io.scratch, 0, 9, io.scratch, 32)
    return ORDER_BUCKETS + (read32(io.scratch, 60) & (ACCESS_BUCKETS - 1))


# --- approvals of an account -----------------------------------------------------------------------


@jit
def approval_hint(s, d, account, kind, subject):
    """Slot of the approval (account, kind, subject), else of the one it would follow, 0 = none."""
    key = (i64(kind) << 32) | subject
    previous = i64(0)
    slot = i64(s.account[account].first_approval)
    while slot != 0:
        r = s.approval[slot]
        if (i64(r.kind) << 32) | i64(r.subject) > key:
            break
        previous = slot
        slot = i64(r.next)
    return previous


@jit
def is_approval(s, slot, account, kind, subject):
    """Whether ``slot`` is the approval (account, kind, subject)."""
    if slot == 0:
        return False
    r = s.approval[slot]
    return r.account == account and r.kind == kind and r.subject == subject


@jit
def check_approval_gap(s, previous, account, kind, subject):
    """Check that no such approval can lie behind ``previous``; ValueError if the hint was wrong."""
    key = (i64(kind) << 32) | subject
    following = i64(s.account[account].first_approval)
    if previous != 0:
        p = s.approval[previous]
        # Access records are rows of this table too, and their `account` is an owner.
        if p.account != account or p.kind == APPROVAL_ACCESS:
            raise ValueError("approval hint is not of the account")
        if (i64(p.kind) << 32) | i64(p.subject) >= key:
            raise ValueError("approval hint is not the predecessor")
        following = i64(p.next)
    if following != 0:
        r = s.approval[following]
        if (i64(r.kind) << 32) | i64(r.subject) <= key:
            raise ValueError("approval hint skips an approval")


@jit
def find_approval(s, d, account, kind, subject):
    """Slot of the approval (account, kind, subject), 0 if there is none."""
    slot = approval_hint(s, d, account, kind, subject)
    if is_approval(s, slot, account, kind, subject):
        return slot
    check_approval_gap(s, slot, account, kind, subject)
    return i64(0)


@jit
def step_approve_interface(s, d, io):
    """APPROVE_INTERFACE: what an interface or a guest venue may charge the account; 0 revokes."""
    m = s.machine[0]
    at = item_at(io, m)
    leaf = io.leaf
    interface, fee, expires = read32(leaf, at), read32(leaf, at + 4), read64(leaf, at + 8)
    account = i64(m.account)
    error = _OK
    slot, previous = i64(0), i64(0)
    if (
        not is_used(s, T_ACCOUNT, interface)
        or s.account[interface].state != ACTIVE
        or interface == account
    ):
        error = _ACCOUNT_NOT_FOUND
    elif fee > MAX_INTERFACE_FEE or (expires != 0 and expires <= m.time) or expires > MAX_TIME:
        error = _BAD_APPROVAL
    else:
        previous = approval_hint(s, d, account, APPROVAL_INTERFACE, interface)
        if is_approval(s, previous, account, APPROVAL_INTERFACE, interface):
            slot = previous
        else:
            check_approval_gap(s, previous, account, APPROVAL_INTERFACE, interface)
            if fee == 0:
                error = _BAD_APPROVAL
            elif s.account[account].approval_count >= MAX_APPROVALS:
                error = _TOO_MANY_APPROVALS
            elif not has_room(s, T_APPROVAL, 1):
                error = _TABLE_FULL
    if error != _OK:
        reject_item(s, d, io, error)
        return
    if fee == 0:
        unlink_approval(s, d, account, slot)
    else:
        if slot == 0:
            slot = link_approval(s, d, account, previous)
        r = s.approval[slot]
        r.kind = APPROVAL_INTERFACE
        r.subject = interface
        r.value = fee
        r.expires = expires
        r.issued = m.time
        touch(d, T_APPROVAL, slot)
    emit(
        d, io, INTERFACE_APPROVED, m.seq, 0, account, interface, 0, 0,
        0, 0, 0, 0, fee, 0, 0, expires, 0, 0, 0,
    )  # fmt: skip
    m.pc = P.ITEM_DONE
    touch(d, T_MACHINE, 0)


@jit
def link_approval(s, d, account, previous):
    """Take a record and put it behind ``previous`` in the account's list; returns its slot."""
    a = s.account[account]
    slot = take_approval(s, d)
    r = s.approval[slot]
    following = i64(a.first_approval)
    if previous != 0:
        following = i64(s.approval[previous].next)
        s.approval[previous].next = slot
        touch(d, T_APPROVAL, previous)
    else:
        a.first_approval = slot
    if following != 0:
        s.approval[following].previous = slot
        touch(d, T_APPROVAL, following)
    r.account = account
    r.state = ACTIVE
    r.next = following
    r.previous = previous
    a.approval_count += 1
    touch(d, T_ACCOUNT, account)
    touch(d, T_APPROVAL, slot)
    return slot


@jit
def unlink_approval(s, d, account, slot):
    """Take a record out of the account's list and free it."""
    a, r = s.account[account], s.approval[slot]
    previous, following = i64(r.previous), i64(r.next)
    if previous != 0:
        s.approval[previous].next = following
        touch(d, T_APPROVAL, previous)
    else:
        a.first_approval = following
    if following != 0:
        s.approval[following].previous = previous
        touch(d, T_APPROVAL, following)
    a.approval_count -= 1
    touch(d, T_ACCOUNT, account)
    free_approval(s, d, slot)


# --- access records --------------------------------------------------------------------------------


@jit
def find_access(s, d, io, venue, owner, mode):
    """Begin the walk to the access record of (venue, owner, mode); ACCESS_WRITE is told what it finds."""
    m = s.machine[0]
    m.value0 = access_bucket_of(io, venue, owner, mode)
    m.value1 = venue
    m.value2 = owner
    m.cursor = 0
    m.cursor2 = s.bucket[m.value0].first
    m.pc = P.ACCESS_FIND
    touch(d, T_MACHINE, 0)


@jit
def step_grant_access(s, d, io):
    """GRANT_ACCESS and REVOKE_ACCESS: may the signer, and for whom."""
    m = s.machine[0]
    at = item_at(io, m)
    venue, owner = read32(io.leaf, at), read32(io.leaf, at + 4)
    error = _OK
    if not is_used(s, T_VENUE, venue):
        error = _VENUE_NOT_FOUND
    elif s.venue[venue].owner != m.owner:
        error = _NOT_VENUE_OWNER
    elif not is_used(s, T_OWNER, owner):
        error = _OWNER_NOT_FOUND
    elif m.action == A.GRANT_ACCESS:
        expires = read64(io.leaf, at + 8)
        if (expires != 0 and expires <= m.time) or expires > MAX_TIME:
            error = _BAD_APPROVAL
    if error != _OK:
        reject_item(s, d, io, error)
    else:
        find_access(s, d, io, venue, owner, i64(ACCESS_LIST))


@jit
def step_credential(s, d, io):
    """CREDENTIAL: a leaf signed by the venue's provider, whoever hands it in."""
    m = s.machine[0]
    seq = i64(m.seq)
    at = leaf_start(io, seq)
    leaf = io.leaf
    venue, owner = read32(leaf, at + _VENUE), read32(leaf, at + _OWNER)
    region, number = read32(leaf, at + _REGION), read16(leaf, at + _CLASS)
    issued, expires = read64(leaf, at + _ISSUED), read64(leaf, at + _EXPIRES)
    error = _OK
    if not is_used(s, T_VENUE, venue):
        error = _VENUE_NOT_FOUND
    elif not is_used(s, T_OWNER, owner):
        error = _OWNER_NOT_FOUND
    else:
        v, w = s.venue[venue], s.owner[owner]
        if (
            (i64(w.address2) & 0xFFFFFFFF) != read32(leaf, at + _SUBJECT)
            or i64(w.address1) != read_limb(leaf, at + _SUBJECT + 4)
            or i64(w.address0) != read_limb(leaf, at + _SUBJECT + 12)
        ):
            error = _OWNER_MISMATCH
        elif not signer_is(
            io, seq, v.credential_provider0, v.credential_provider1, v.credential_provider2
        ):  # no signer equals no provider, and that is false as well
            error = _BAD_SIGNATURE
        elif (
            issued > m.time
            or expires <= m.time
            or expires > MAX_TIME
            or number >= 1 << 15
            or not admits_credential(v, region, number)
        ):
            error = _BAD_CREDENTIAL
    if error != _OK:
        reject_leaf(s, d, io, 0, 1, error)
    else:
        find_access(s, d, io, venue, owner, i64(ACCESS_CREDENTIAL))


@jit
def step_access_find(s, d, io):
    """ACCESS_FIND: one record of the chain, until the one wanted (``cursor2``; 0 = there is none)."""
    m = s.machine[0]
    slot = i64(m.cursor2)
    if slot == 0:
        m.pc = P.ACCESS_WRITE
    else:
        r = s.approval[slot]
        mode = ACCESS_CREDENTIAL if m.action == 0 else ACCESS_LIST
        if is_record(r, i64(m.value1), i64(m.value2), mode):
            m.pc = P.ACCESS_WRITE
        else:
            m.cursor = slot
            m.cursor2 = r.bucket_next
    touch(d, T_MACHINE, 0)


@jit
def step_access_write(s, d, io):
    """ACCESS_WRITE: the record found is overwritten or freed, a missing one is made."""
    m = s.machine[0]
    touch(d, T_MACHINE, 0)
    slot, venue, owner = i64(m.cursor2), i64(m.value1), i64(m.value2)
    if m.action == A.REVOKE_ACCESS:
        if slot == 0:
            reject_item(s, d, io, _BAD_APPROVAL)
            return
        unchain(s, d, i64(m.value0), i64(m.cursor), slot)
        emit(
            d, io, ACCESS_REVOKED, m.seq, venue, 0, 0, owner, 0,
            0, 0, ACCESS_LIST, 0, 0, 0, 0, 0, 0, 0, 0,
        )  # fmt: skip
        m.pc = P.ITEM_DONE
        return
    is_leaf = m.action == 0  # a credential; else the item of a grant
    mode = i64(ACCESS_CREDENTIAL) if is_leaf else i64(ACCESS_LIST)
    region, number, issued = i64(0), i64(0), i64(m.time)
    if is_leaf:
        at = leaf_start(io, i64(m.seq))
        region, number = read32(io.leaf, at + _REGION), read16(io.leaf, at + _CLASS)
        issued, expires = read64(io.leaf, at + _ISSUED), read64(io.leaf, at + _EXPIRES)
    else:
        at = item_at(io, m)
        expires = read64(io.leaf, at + 8)
    error = _OK
    if slot != 0:
        if is_leaf and issued <= s.approval[slot].issued:
            error = _BAD_CREDENTIAL
    elif s.bucket[m.value0].length >= MAX_BUCKET_LENGTH:
        error = _BUCKET_FULL
    elif not has_room(s, T_APPROVAL, 1):
        error = _TABLE_FULL
    if error != _OK:
        if is_leaf:
            reject_leaf(s, d, io, 0, 1, error)
        else:
            reject_item(s, d, io, error)
        return
    if slot == 0:
        slot = chain_new(s, d, i64(m.value0))
    r = s.approval[slot]
    r.account = owner
    r.subject = venue
    r.kind = APPROVAL_ACCESS
    r.value = mode
    r.flags = number
    r.region = region
    r.issued = issued
    r.expires = expires
    touch(d, T_APPROVAL, slot)
    emit(
        d, io, ACCESS_GRANTED, m.seq, venue, 0, 0, owner, 0,
        0, 0, mode, 0, region, number, 0, expires, issued, 0, 0,
    )  # fmt: skip
    if is_leaf:
        set_result(io, i64(m.seq), 0)
        m.seq += 1
        m.pc = P.LEAF
    else:
        m.pc = P.ITEM_DONE


@jit
def chain_new(s, d, bucket):
    """Take a record and put it in front of a bucket's chain; returns its slot."""
    slot = take_approval(s, d)
    r, b = s.approval[slot], s.bucket[bucket]
    r.state = ACTIVE
    r.next = 0
    r.bucket_next = b.first
    b.first = slot
    b.length += 1
    touch(d, T_BUCKET, bucket)
    touch(d, T_APPROVAL, slot)
    return slot


@jit
def unchain(s, d, bucket, before, slot):
    """Take a record out of a bucket's chain, in which it stands behind ``before``, and free it."""
    b = s.bucket[bucket]
    following = s.approval[slot].bucket_next
    if before == 0:
        b.first = following
    else:
        s.approval[before].bucket_next = following
        touch(d, T_APPROVAL, before)
    b.length -= 1
    touch(d, T_BUCKET, bucket)
    free_approval(s, d, slot)
