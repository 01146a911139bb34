"""Slots: taking one, giving it back, and marking records dirty.

Invariant: a slot below the high-water mark is either in use or on the free list exactly once; the last
freed slot is used first. Every write to a record is followed by ``touch`` of it in the same step.
"""

from __future__ import annotations

from tradezone.protocol.enums import FREE
from tradezone.protocol.records import TABLES

from ._jit import i64, jit
from .memory import SLOT_BASE

T_MACHINE = 0
T_HEAD = 1
T_ASSET = 2
T_OWNER = 3
T_ACCOUNT = 4
T_KEY = 5
T_NONCES = 6
T_BALANCE = 7
T_APPROVAL = 8
T_BUCKET = 9
T_VENUE = 10
T_LEDGER = 11
T_FUND = 12
T_FEED = 13
T_PROVIDER = 14
T_MARKET = 15
T_BOOK = 16
T_PRICE = 17
T_TIER = 18
T_LEVEL = 19
T_ORDER = 20
T_PLAN = 21
T_POOL = 22
T_POSITION = 23
T_EVENT_GROUP = 24
T_TIMER = 25
T_OUTBOX = 26
T_AGENDA = 27
T_JOB = 28
T_HOLDING = 29
T_DRAFT = 30
T_TASK = 31
T_QUEUE = 32
T_CALENDAR = 33
T_PENDING = 34
T_WATCH = 35

GENERATION_MASK = (1 << 31) - 1
CAPACITY = tuple(table.capacity for table in TABLES)
_BASE = SLOT_BASE


@jit
def touch(d, kind, slot):
    """Mark record (kind, slot) dirty: its leaf will be hashed at the next commitment."""
    at = _BASE[kind] + i64(slot)
    bits = i64(d.dirty_bits[at >> 3])
    bit = i64(1) << (at & 7)
    if bits & bit == 0:
        d.dirty_bits[at >> 3] = bits | bit
        d.dirty_list[d.dirty_count] = (i64(kind) << 32) | i64(slot)
        d.dirty_count += 1


@jit
def is_used(s, kind, slot):
    """Whether ``slot`` was ever given out in a table (its record then says whether it still is)."""
    return slot >= 1 and slot < i64(s.head[kind].high_water)


@jit
def has_room(s, kind, count):
    """Whether ``count`` more slots can be taken; slot 0 is never given out."""
    return i64(s.head[kind].in_use) + count < CAPACITY[kind]


@jit
def append_slot(s, d, kind):
    """Take the next slot of a table whose slots are never freed."""
    h = s.head[kind]
    slot = i64(h.high_water)
    h.high_water = slot + 1
    h.in_use += 1
    touch(d, T_HEAD, kind)
    return slot


@jit
def take_account(s, d):
    """Take an account slot (accounts are not freed yet, so this appends)."""
    slot = append_slot(s, d, T_ACCOUNT)
    touch(d, T_ACCOUNT, slot)
    return slot


@jit
def take_balance(s, d):
    """Take a balance slot: last freed first."""
    h = s.head[T_BALANCE]
    slot = i64(h.first_free)
    if slot == 0:
        slot = append_slot(s, d, T_BALANCE)
    else:
        h.first_free = s.balance[slot].next
        h.in_use += 1
        touch(d, T_HEAD, T_BALANCE)
    touch(d, T_BALANCE, slot)
    return slot


@jit
def free_balance(s, d, slot):
    """Give a balance slot back."""
    h, b = s.head[T_BALANCE], s.balance[slot]
    b.generation = (i64(b.generation) + 1) & GENERATION_MASK
    b.next = h.first_free
    b.previous = 0
    b.account = 0
    b.asset = 0
    b.state = FREE
    b.uses = 0
    b.free = 0
    b.locked = 0
    b.owner = 0
    b.faucet_time = 0
    h.first_free = slot
    h.in_use -= 1
    touch(d, T_HEAD, T_BALANCE)
    touch(d, T_BALANCE, slot)


@jit
def take_approval(s, d):
    """Take an approval slot: last freed first."""
    h = s.head[T_APPROVAL]
    slot = i64(h.first_free)
    if slot == 0:
        slot = append_slot(s, d, T_APPROVAL)
    else:
        h.first_free = s.approval[slot].next
        h.in_use += 1
        touch(d, T_HEAD, T_APPROVAL)
    touch(d, T_APPROVAL, slot)
    return slot


@jit
def free_approval(s, d, slot):
    """Give an approval slot back."""
    h, p = s.head[T_APPROVAL], s.approval[slot]
    p.generation = (i64(p.generation) + 1) & GENERATION_MASK
    p.next = h.first_free
    p.previous = 0
    p.account = 0
    p.subject = 0
    p.state = FREE
    p.kind = 0
    p.flags = 0
    p.bucket_next = 0
    p.region = 0
    p.value = 0
    p.used = 0
    p.expires = 0
    p.issued = 0
    h.first_free = slot
    h.in_use -= 1
    touch(d, T_HEAD, T_APPROVAL)
    touch(d, T_APPROVAL, slot)


@jit
def take_task(s, d):
    """Take a task slot: last freed first."""
    h = s.head[T_TASK]
    slot = i64(h.first_free)
    if slot == 0:
        slot = append_slot(s, d, T_TASK)
    else:
        h.first_free = s.task[slot].next
        h.in_use += 1
        touch(d, T_HEAD, T_TASK)
    touch(d, T_TASK, slot)
    return slot


@jit
def free_task(s, d, slot):
    """Give a task slot back."""
    h, t = s.head[T_TASK], s.task[slot]
    t.generation = (i64(t.generation) + 1) & GENERATION_MASK
    t.next = h.first_free
    t.state = FREE
    t.kind = 0
    t.side = 0
    t.reason = 0
    t.subject = 0
    t.market = 0
    t.cursor = 0
    t.seq = 0
    h.first_free = slot
    h.in_use -= 1
    touch(d, T_HEAD, T_TASK)
    touch(d, T_TASK, slot)


@jit
def take_key(s, d):
    """Take a key slot: last freed first."""
    h = s.head[T_KEY]
    slot = i64(h.first_free)
    if slot == 0:
        return append_slot(s, d, T_KEY)
    h.first_free = s.key[slot].next
    h.in_use += 1
    touch(d, T_HEAD, T_KEY)
    return slot


@jit
def free_key(s, d, slot):
    """Give a key slot back: only {FREE, generation + 1, next free} stays."""
    h, k = s.head[T_KEY], s.key[slot]
    k.generation = (i64(k.generation) + 1) & GENERATION_MASK
    k.next = h.first_free
    k.state = FREE
    k.scope = 0
    k.owner = 0
    k.account = 0
    k.venue = 0
    k.expires = 0
    k.address0 = 0
    k.address1 = 0
    k.address2 = 0
    k.approved = 0
    k.max_notional = 0
    k.name = 0
    h.first_free = slot
    h.in_use -= 1
    touch(d, T_HEAD, T_KEY)
    touch(d, T_KEY, slot)


@jit
def take_level(s, d):
    """Take a level slot: last freed first."""
    h = s.head[T_LEVEL]
    slot = i64(h.first_free)
    if slot == 0:
        return append_slot(s, d, T_LEVEL)
    h.first_free = s.level[slot].next
    h.in_use += 1
    touch(d, T_HEAD, T_LEVEL)
    return slot


@jit
def free_level(s, d, slot):
    """Give a level slot back."""
    h, v = s.head[T_LEVEL], s.level[slot]
    v.generation = (i64(v.generation) + 1) & GENERATION_MASK
    v.next = h.first_free
    v.previous = 0
    v.market = 0
    v.price = 0
    v.state = FREE
    v.side = 0
    v.first = 0
    v.last = 0
    v.lots = 0
    v.count = 0
    v.firm = 0
    h.first_free = slot
    h.in_use -= 1
    touch(d, T_HEAD, T_LEVEL)
    touch(d, T_LEVEL, slot)


@jit
def note_taken_order(d):
    """Keep the mirror of the free list: its first slot was taken."""
    d.free_orders -= 1


@jit
def note_freed_order(d, slot):
    """Keep the mirror of the free list: a slot became its first."""
    d.free_order[d.free_orders] = slot
    d.free_orders += 1


@jit
def take_order(s, d):
    """Take an order slot: last freed first."""
    h = s.head[T_ORDER]
    slot = i64(h.first_free)
    if slot == 0:
        return append_slot(s, d, T_ORDER)
    h.first_free = s.order[slot].next
    h.in_use += 1
    note_taken_order(d)
    touch(d, T_HEAD, T_ORDER)
    return slot


@jit
def free_order(s, d, slot):
    """Give an order slot back."""
    h, o = s.head[T_ORDER], s.order[slot]
    o.generation = (i64(o.generation) + 1) & GENERATION_MASK
    o.next = h.first_free
    o.previous = 0
    o.account = 0
    o.market = 0
    o.price = 0
    o.state = FREE
    o.side = 0
    o.tif = 0
    o.stp = 0
    o.level = 0
    o.lots = 0
    o.filled = 0
    o.locked = 0
    o.seq = 0
    o.account_next = 0
    o.account_previous = 0
    o.pay_balance = 0
    o.receive_balance = 0
    o.expires = 0
    o.release = 0
    o.release_block = 0
    o.bucket_next = 0
    o.interface = 0
    o.interface_fee = 0
    o.fills = 0
    o.flags = 0
    o.holding = 0
    o.client_id0 = 0
    o.client_id1 = 0
    o.owner = 0
    o.door = 0
    o.first_child = 0
    o.key = 0
    o.cover = 0
    o.timer = 0
    o.bucket = 0
    o.reserve = 0
    o.pool = 0
    h.first_free = slot
    note_freed_order(d, slot)
    h.in_use -= 1
    touch(d, T_HEAD, T_ORDER)
    touch(d, T_ORDER, slot)


@jit
def take_plan(s, d):
    """Take a plan slot: last freed first."""
    h = s.head[T_PLAN]
    slot = i64(h.first_free)
    if slot == 0:
        return append_slot(s, d, T_PLAN)
    h.first_free = s.plan[slot].next
    h.in_use += 1
    touch(d, T_HEAD, T_PLAN)
    return slot


@jit
def free_plan(s, d, slot):
    """Give a plan slot back."""
    h, r = s.head[T_PLAN], s.plan[slot]
    r.generation = (i64(r.generation) + 1) & GENERATION_MASK
    r.next = h.first_free
    r.previous = 0
    r.account = 0
    r.market = 0
    r.price = 0
    r.state = FREE
    r.kind = 0
    r.side = 0
    r.source = 0
    r.parent = 0
    r.trigger = 0
    r.level = 0
    r.lots = 0
    r.expires = 0
    r.seq = 0
    r.sibling = 0
    r.account_next = 0
    r.account_previous = 0
    r.grouping = 0
    r.tif = 0
    r.stp = 0
    r.flags = 0
    r.door = 0
    r.interface = 0
    r.interface_fee = 0
    r.slippage = 0
    r.key = 0
    r.timer = 0
    r.interval = 0
    r.slice_lots = 0
    r.next_time = 0
    h.first_free = slot
    h.in_use -= 1
    touch(d, T_HEAD, T_PLAN)
    touch(d, T_PLAN, slot)


@jit
def take_holding(s, d):
    """Take a holding slot: last freed first."""
    h = s.head[T_HOLDING]
    slot = i64(h.first_free)
    if slot == 0:
        return append_slot(s, d, T_HOLDING)
    h.first_free = s.holding[slot].next
    h.in_use += 1
    touch(d, T_HEAD, T_HOLDING)
    return slot


@jit
def free_holding(s, d, slot):
    """Give a holding slot back."""
    h, r = s.head[T_HOLDING], s.holding[slot]
    r.generation = (i64(r.generation) + 1) & GENERATION_MASK
    r.next = h.first_free
    r.previous = 0
    r.account = 0
    r.market = 0
    r.owner = 0
    r.state = FREE
    r.outcome = 0
    r.uses = 0
    r.group = 0
    r.yes = 0
    r.no = 0
    r.yes_locked = 0
    r.no_locked = 0
    h.first_free = slot
    h.in_use -= 1
    touch(d, T_HEAD, T_HOLDING)
    touch(d, T_HOLDING, slot)


@jit
def take_pool(s, d):
    """Take a pool slot: last freed first."""
    h = s.head[T_POOL]
    slot = i64(h.first_free)
    if slot == 0:
        return append_slot(s, d, T_POOL)
    h.first_free = s.pool[slot].next
    h.in_use += 1
    touch(d, T_HEAD, T_POOL)
    return slot


@jit
def free_pool(s, d, slot):
    """Give a pool slot back."""
    h, p = s.head[T_POOL], s.pool[slot]
    p.generation = (i64(p.generation) + 1) & GENERATION_MASK
    p.next = h.first_free
    p.previous = 0
    p.account = 0
    p.venue = 0
    p.market = 0
    p.asset = 0
    p.first_position = 0
    p.collateral = 0
    p.allowance = 0
    p.pulled = 0
    p.kept = 0
    p.equity = 0
    p.weighted = 0
    p.initial = 0
    p.maintenance = 0
    p.notional = 0
    p.losses = 0
    p.order_margin = 0
    p.epoch = 0
    p.queue_next = 0
    p.queue_previous = 0
    p.state = FREE
    p.position_count = 0
    p.registered = 0
    p.order_count = 0
    p.forced = 0
    p.balance = 0
    p.ledger = 0
    p.owner = 0
    p.liquidated = 0
    p.below_since = 0
    p.haircut = 0
    h.first_free = slot
    h.in_use -= 1
    touch(d, T_HEAD, T_POOL)
    touch(d, T_POOL, slot)


@jit
def take_position(s, d):
    """Take a position slot: last freed first."""
    h = s.head[T_POSITION]
    slot = i64(h.first_free)
    if slot == 0:
        return append_slot(s, d, T_POSITION)
    h.first_free = s.position[slot].next
    h.in_use += 1
    touch(d, T_HEAD, T_POSITION)
    return slot


@jit
def free_position(s, d, slot):
    """Give a position slot back."""
    h, x = s.head[T_POSITION], s.position[slot]
    x.generation = (i64(x.generation) + 1) & GENERATION_MASK
    x.next = h.first_free
    x.previous = 0
    x.pool = 0
    x.market = 0
    x.account = 0
    x.state = FREE
    x.flags = 0
    x.uses = 0
    x.side_next = 0
    x.lots = 0
    x.quote = 0
    x.funding_index = 0
    x.claim = 0
    x.buy_lots = 0
    x.sell_lots = 0
    x.side_previous = 0
    x.job_next = 0
    x.owner = 0
    x.leverage = 0
    h.first_free = slot
    h.in_use -= 1
    touch(d, T_HEAD, T_POSITION)
    touch(d, T_POSITION, slot)
