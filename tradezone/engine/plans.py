"""Plans: orders held off the book until a price reaches their trigger (``docs/spec/plans.md``).

Invariants: a plan is ARMED iff it stands on a trigger level, HELD iff its parent is open and has filled nothing;
the children of an order are the ring of its ``first_child``. A plan locks nothing, so firing one is admitting
an order: the plan fills ``draft[0]`` and the checks of PLACE do the rest.

Registers. ``draft.plan`` the plan that fires. Of a plan being armed or leaving: ``draft.found``; its reason
``draft.value``; ``machine.return1`` the step behind it; ``machine.cursor2`` the leg before it in its ring, if
known. ``machine.cursor`` and ``return2`` are left to the heaps. Within an envelope of PLACE_PLAN ``draft.mask`` is
the plan that the next leg on a position joins.
"""

from __future__ import annotations

from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    BUY,
    CANCEL_PARENT,
    CANCEL_SIBLING,
    CANCEL_USER,
    FREE,
    GROUP_ORDER,
    GROUP_POSITION,
    MARKET_OUTCOME,
    MARKET_PERP,
    ORDER_ARMED,
    ORDER_CANCELLED_WAITING,
    PHASE_SETTLED,
    PLAN_ARMED,
    PLAN_HELD,
    PLAN_STOP,
    PLAN_TAKE_PROFIT,
    RESTING,
    SOURCE_INDEX,
    SOURCE_LAST,
    SOURCE_MARK,
    STP_DECREMENT,
    STP_MODE,
    STP_OWNER,
    TIF_FOK,
    TIF_IOC,
    TIF_MARKET,
    TIMER_PLAN,
    TRIGGER_DOWN_INDEX,
    TRIGGER_DOWN_LAST,
    TRIGGER_DOWN_MARK,
    TRIGGER_UP_INDEX,
    TRIGGER_UP_LAST,
    TRIGGER_UP_MARK,
)
from tradezone.protocol.errors import Code
from tradezone.protocol.events import (
    ORDER_AMENDED,
    PLAN_ARMED_NOW,
    PLAN_CANCELLED,
    PLAN_FAILED,
    PLAN_PLACED,
)
from tradezone.protocol.limits import (
    BLOCK_MEETINGS,
    MAX_PLANS,
    MAX_SLIPPAGE,
    MAX_TIME,
    ORDER_BUCKETS,
    PPM,
)

from ._jit import i64, jit
from .access import interface_error
from .codec import bucket_of_id, emit, emit_order, leaf_of, read8, read32, read64, read_limb
from .orders import (
    begin_remove,
    close_level,
    get_notional,
    item_at,
    open_level,
    reject_item,
)
from .tables import (
    T_ACCOUNT,
    T_AGENDA,
    T_BOOK,
    T_DRAFT,
    T_LEVEL,
    T_MACHINE,
    T_MARKET,
    T_ORDER,
    T_PLAN,
    free_plan,
    has_room,
    is_used,
    take_plan,
    touch,
)
from .timers import begin_timer, begin_timer_out, has_timer_room
from .triggers import (
    begin_remove_plan,
    emit_plan,
    has_price_triggers,
    is_reached,
    note_price,
    plan_id,
    sent,
    trigger_side,
    wake,
)

__all__ = ["begin_remove_plan", "note_price", "sent"]

# offsets inside a PLACE_PLAN item
(_SIDE, _KIND, _SOURCE, _GROUPING, _TRIGGER, _PRICE, _LOTS, _TIF, _STP, _FLAGS, _SLIPPAGE, _EXPIRES,
 _PARENT, _PARENT_CLIENT, _INTERFACE, _INTERFACE_FEE) = (
    4, 5, 6, 7, 8, 12, 16, 24, 25, 26, 27, 31, 39, 47, 63, 67,
)  # fmt: skip

_OK = int(Code.OK)
_MARKET_NOT_FOUND = int(Code.MARKET_NOT_FOUND)
_MARKET_CLOSED = int(Code.MARKET_CLOSED)
_PRICE_OUT_OF_RANGE = int(Code.PRICE_OUT_OF_RANGE)
_LOTS_OUT_OF_RANGE = int(Code.LOTS_OUT_OF_RANGE)
_NOTIONAL_TOO_SMALL = int(Code.NOTIONAL_TOO_SMALL)
_NOTIONAL_TOO_LARGE = int(Code.NOTIONAL_TOO_LARGE)
_ORDER_EXPIRED = int(Code.ORDER_EXPIRED)
_KEY_VENUE = int(Code.KEY_VENUE)
_KEY_NOTIONAL = int(Code.KEY_NOTIONAL)
_TABLE_FULL = int(Code.TABLE_FULL)
_TOO_MANY_PLANS = int(Code.TOO_MANY_PLANS)
_PLAN_NOT_FOUND = int(Code.PLAN_NOT_FOUND)
_PARENT_NOT_FOUND = int(Code.PARENT_NOT_FOUND)
_BAD_PLAN = int(Code.BAD_PLAN)


# --- placing ---------------------------------------------------------------------------------------


@jit
def home_of(s, market):
    """Market whose book a market uses: itself, or the home behind a door."""
    guest_of = i64(s.market[market].guest_of)
    return guest_of if guest_of != 0 else market


@jit
def are_fields_good(leaf, at, k):
    """Check 3: every field of the item is one that the home market ``k`` takes."""
    side, kind, source = read8(leaf, at + _SIDE), read8(leaf, at + _KIND), read8(leaf, at + _SOURCE)
    grouping, price = read8(leaf, at + _GROUPING), read32(leaf, at + _PRICE)
    tif, stp, flags = read8(leaf, at + _TIF), read8(leaf, at + _STP), read8(leaf, at + _FLAGS)
    slippage = read32(leaf, at + _SLIPPAGE)
    can_reduce = k.kind == MARKET_OUTCOME or k.kind == MARKET_PERP
    if source > (SOURCE_INDEX if k.kind == MARKET_PERP else SOURCE_LAST):
        return False
    if side > 1 or (kind != PLAN_STOP and kind != PLAN_TAKE_PROFIT):
        return False
    if grouping > GROUP_POSITION or tif > TIF_MARKET or flags > 1:
        return False
    if (price == 0) != (tif == TIF_MARKET) or slippage > (MAX_SLIPPAGE if price == 0 else 0):
        return False
    if stp >= 2 * STP_OWNER or (stp & STP_MODE) > STP_DECREMENT:
        return False
    if flags == 1 and not can_reduce:
        return False
    if tif == TIF_FOK and (k.open_interest_cap != 0 or k.account_cap != 0):
        return False
    if grouping == GROUP_POSITION and flags != 1:
        return False
    if grouping != GROUP_ORDER and (
        read64(leaf, at + _PARENT) != 0
        or read_limb(leaf, at + _PARENT_CLIENT) != 0
        or read_limb(leaf, at + _PARENT_CLIENT + 8) != 0
    ):
        return False
    return read64(leaf, at + _EXPIRES) <= MAX_TIME


@jit
def plan_error(s, d, m, leaf, at):
    """Run checks 1 to 10 of PLACE_PLAN."""
    market = read32(leaf, at)
    if not is_used(s, T_MARKET, market):
        return _MARKET_NOT_FOUND
    key = s.key[m.key]
    if key.venue != 0 and key.venue != s.market[market].venue:
        return _KEY_VENUE
    k = s.market[home_of(s, market)]
    if not are_fields_good(leaf, at, k):
        return _BAD_PLAN
    if k.phase == PHASE_SETTLED or k.listed > m.time:
        return _MARKET_CLOSED
    trigger, price = read32(leaf, at + _TRIGGER), read32(leaf, at + _PRICE)
    lots, expires = read64(leaf, at + _LOTS), read64(leaf, at + _EXPIRES)
    if trigger < 1 or trigger > k.max_price or price > k.max_price:
        return _PRICE_OUT_OF_RANGE
    is_all = lots == 0 and read8(leaf, at + _GROUPING) == GROUP_POSITION
    if (lots < 1 and not is_all) or lots > k.max_lots:
        return _LOTS_OUT_OF_RANGE
    notional = get_notional(k, price if price != 0 else trigger, lots)
    if notional < k.min_notional and read8(leaf, at + _FLAGS) == 0:
        return _NOTIONAL_TOO_SMALL
    if notional > k.max_notional:
        return _NOTIONAL_TOO_LARGE
    if key.max_notional != 0 and notional > key.max_notional:
        return _KEY_NOTIONAL
    if expires != 0 and expires <= m.time:
        return _ORDER_EXPIRED
    if s.account[m.account].plan_count >= MAX_PLANS:
        return _TOO_MANY_PLANS
    door = market if s.market[market].guest_of != 0 else i64(0)
    return interface_error(
        s, d, i64(m.account), door, read32(leaf, at + _INTERFACE), read32(leaf, at + _INTERFACE_FEE)
    )


@jit
def step_place_plan(s, d, io):
    """PLACE_PLAN: every check but the parent and the room."""
    m = s.machine[0]
    at = item_at(io, m)
    if m.item == 0:
        s.draft[0].mask = 0
        touch(d, T_DRAFT, 0)
    error = plan_error(s, d, m, io.leaf, at)
    if error != _OK:
        reject_item(s, d, io, error)
        return
    f = s.draft[0]
    market = read32(io.leaf, at)
    f.market = home_of(s, market)
    f.door = market if f.market != market else 0
    touch(d, T_DRAFT, 0)
    m.order = 0
    if read8(io.leaf, at + _GROUPING) == GROUP_ORDER:
        m.pc = P.PLAN_PARENT
    else:
        m.pc = P.PLAN_OPEN
    touch(d, T_MACHINE, 0)


@jit
def is_parent(s, m, leaf, at, slot):
    """Whether the open order in ``slot`` may be the item's parent: same account and book, other side."""
    o = s.order[slot]
    return (
        o.account == m.account
        and o.market == s.draft[0].market
        and o.side != read8(leaf, at + _SIDE)
    )


@jit
def step_plan_parent(s, d, io):
    """PLAN_PARENT: the order that the plan follows, by id, or the bucket of its client id."""
    m = s.machine[0]
    at = item_at(io, m)
    name = read64(io.leaf, at + _PARENT)
    limb1, limb0 = (
        read_limb(io.leaf, at + _PARENT_CLIENT),
        read_limb(io.leaf, at + _PARENT_CLIENT + 8),
    )
    touch(d, T_MACHINE, 0)
    if name != 0:
        slot, generation = name & 0xFFFFFFFF, name >> 32
        if (
            is_used(s, T_ORDER, slot)
            and s.order[slot].state != FREE
            and s.order[slot].generation == generation
            and is_parent(s, m, io.leaf, at, slot)
        ):
            m.order = slot
            m.pc = P.PLAN_OPEN
            return
    elif limb1 != 0 or limb0 != 0:
        m.cursor2 = s.bucket[bucket_of_id(i64(m.account), limb1, limb0)].first
        m.pc = P.PARENT_WALK
        return
    reject_item(s, d, io, _PARENT_NOT_FOUND)


@jit
def step_parent_walk(s, d, io):
    """PARENT_WALK: one order of the bucket chain."""
    m = s.machine[0]
    slot = i64(m.cursor2)
    touch(d, T_MACHINE, 0)
    if slot == 0:
        reject_item(s, d, io, _PARENT_NOT_FOUND)
        return
    at = item_at(io, m)
    o = s.order[slot]
    if (
        o.account != m.account
        or i64(o.client_id1) != read_limb(io.leaf, at + _PARENT_CLIENT)
        or i64(o.client_id0) != read_limb(io.leaf, at + _PARENT_CLIENT + 8)
    ):
        m.cursor2 = o.bucket_next
    elif is_parent(s, m, io.leaf, at, slot):
        m.order = slot
        m.pc = P.PLAN_OPEN
    else:
        reject_item(s, d, io, _PARENT_NOT_FOUND)


@jit
def join_ring(s, d, slot, before):
    """Put a new plan right behind another one in its ring."""
    p, b = s.plan[slot], s.plan[before]
    p.sibling = b.sibling if b.sibling != 0 else before
    b.sibling = slot
    touch(d, T_PLAN, before)


@jit
def step_plan_open(s, d, io):
    """PLAN_OPEN: the plan comes into being, among its account's plans and its siblings."""
    m, f = s.machine[0], s.draft[0]
    at = item_at(io, m)
    leaf = io.leaf
    expires = read64(leaf, at + _EXPIRES)
    if not has_room(s, T_PLAN, 1) or (expires != 0 and not has_timer_room(s)):
        reject_item(s, d, io, _TABLE_FULL)
        return
    home = i64(f.market)
    a = s.account[m.account]
    slot = take_plan(s, d)
    p = s.plan[slot]
    m.order_seq += 1
    p.account = m.account
    p.market = home
    p.door = f.door
    p.price = read32(leaf, at + _PRICE)
    p.kind = read8(leaf, at + _KIND)
    p.side = read8(leaf, at + _SIDE)
    p.source = read8(leaf, at + _SOURCE)
    p.grouping = read8(leaf, at + _GROUPING)
    p.trigger = read32(leaf, at + _TRIGGER)
    p.lots = read64(leaf, at + _LOTS)
    p.tif = read8(leaf, at + _TIF)
    p.stp = read8(leaf, at + _STP)
    p.flags = read8(leaf, at + _FLAGS)
    p.slippage = read32(leaf, at + _SLIPPAGE)
    p.expires = expires
    p.interface = read32(leaf, at + _INTERFACE)
    p.interface_fee = read32(leaf, at + _INTERFACE_FEE)
    p.seq = m.order_seq
    p.key = m.key
    p.next = 0
    p.state = PLAN_HELD
    p.account_next = a.first_plan
    if a.first_plan != 0:
        s.plan[a.first_plan].account_previous = slot
        touch(d, T_PLAN, a.first_plan)
    a.first_plan = slot
    a.plan_count += 1
    parent = i64(m.order)
    shown, is_held = i64(0), False
    if parent != 0:
        o = s.order[parent]
        p.parent = parent
        shown = (i64(o.generation) << 32) | parent
        is_held = o.filled == 0
        if not is_held:
            o.flags = i64(o.flags) | ORDER_ARMED
        touch(d, T_ORDER, parent)
        if o.first_child != 0:
            join_ring(s, d, slot, i64(o.first_child))
        else:
            o.first_child = slot
    if p.grouping != GROUP_POSITION:
        f.mask = 0
    else:
        if f.mask != 0 and s.plan[f.mask].market == home:
            join_ring(s, d, slot, i64(f.mask))
        f.mask = slot
    emit(
        d, io, PLAN_PLACED, m.seq, home, m.account, 0, plan_id(s, slot), shown,
        p.side, p.kind, i64(p.source) | (i64(p.grouping) << 4), 0, p.trigger,
        i64(p.lots), p.price, 0, 0, 0, 0,
    )  # fmt: skip
    f.found = slot
    m.return1 = P.ITEM_DONE
    back = P.ITEM_DONE if is_held else P.ARM_PLAN
    m.pc = back
    if expires != 0:
        begin_timer(s, d, m, TIMER_PLAN, slot, i64(0), expires, back)
    touch(d, T_PLAN, slot)
    touch(d, T_ACCOUNT, m.account)
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)


# --- arming ----------------------------------------------------------------------------------------


@jit
def step_arm_plan(s, d, io):
    """ARM_PLAN: the plan joins the end of its trigger level; a price that is there already counts."""
    m, f = s.machine[0], s.draft[0]
    slot = i64(f.found)
    p = s.plan[slot]
    market, trigger = i64(p.market), i64(p.trigger)
    k = s.book[market]
    side = trigger_side(p)
    level = open_level(s, d, market, side, trigger)
    v = s.level[level]
    p.state = PLAN_ARMED
    p.level = level
    p.next = 0
    p.previous = v.last
    if v.last != 0:
        s.plan[v.last].next = slot
        touch(d, T_PLAN, v.last)
    else:
        v.first = slot
    v.last = slot
    v.count += 1
    emit_plan(s, d, io, PLAN_ARMED_NOW, leaf_of(m), slot, 0, 0)
    if p.source == SOURCE_LAST:
        if k.last_price != 0 and is_reached(side, trigger, i64(k.last_price)):
            wake(s, d, market, i64(k.last_price))
    else:
        price = get_price(s.price[market], i64(p.source))
        if price != 0 and is_reached(side, trigger, price):
            wake(s, d, market, i64(0))
    m.pc = m.return1
    touch(d, T_LEVEL, level)
    touch(d, T_PLAN, slot)
    touch(d, T_MACHINE, 0)


@jit
def needs_arming(o):
    """Whether an order that has filled has children that are not on their levels yet."""
    return o.first_child != 0 and (i64(o.flags) & ORDER_ARMED) == 0


@jit
def begin_arming(s, d, m, f, order):
    """Arm the children of an order, from the first one."""
    o = s.order[order]
    o.flags = i64(o.flags) | ORDER_ARMED
    f.found = o.first_child
    m.return1 = P.ARM
    m.pc = P.ARM_PLAN
    touch(d, T_ORDER, order)


@jit
def step_arm(s, d, io):
    """ARM: after a fill, the next child of the taker, then of the maker; then the matching goes on.

    ``m.return1`` says whether a child was armed last; its parent is the order whose children are being armed.
    """
    m, f = s.machine[0], s.draft[0]
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)
    if m.return1 == P.ARM:
        m.return1 = 0
        p = s.plan[f.found]
        if p.sibling != 0 and p.sibling != s.order[p.parent].first_child:
            f.found = p.sibling
            m.return1 = P.ARM
            m.pc = P.ARM_PLAN
            return
    if needs_arming(s.order[m.taker]):
        begin_arming(s, d, m, f, i64(m.taker))
    elif needs_arming(s.order[m.order]):
        begin_arming(s, d, m, f, i64(m.order))
    else:
        m.pc = P.FILL_DONE


# --- children of an order that leaves --------------------------------------------------------------


@jit
def step_children(s, d, io):
    """CHILDREN: the order leaves; its children fall if it filled nothing, else they live on alone.

    ``m.cursor2`` walks the ring: the child settled last, or, while children fall, the leg before the first.
    """
    m = s.machine[0]
    order = i64(m.order)
    o = s.order[order]
    first = i64(o.first_child)
    touch(d, T_MACHINE, 0)
    if first == 0:
        m.cursor2 = 0
        m.pc = P.REMOVE_ORDER
        return
    if o.filled == 0:
        before = i64(m.cursor2)
        begin_remove_plan(s, d, first, CANCEL_PARENT, P.CHILDREN)
        m.cursor2 = before
        return
    child = i64(m.cursor2) if m.cursor2 != 0 else first
    p = s.plan[child]
    p.parent = 0
    p.lots = min(i64(p.lots), i64(o.filled))
    touch(d, T_PLAN, child)
    following = i64(p.sibling)
    if following == 0 or following == first:
        o.first_child = 0
        m.cursor2 = 0
        m.pc = P.REMOVE_ORDER
        touch(d, T_ORDER, order)
    else:
        m.cursor2 = following


# --- leaving ---------------------------------------------------------------------------------------


@jit
def step_cancel_plan(s, d, io):
    """CANCEL_PLAN: the plan that the item names leaves."""
    m = s.machine[0]
    at = item_at(io, m)
    name = read64(io.leaf, at)
    slot, generation = name & 0xFFFFFFFF, name >> 32
    if not is_used(s, T_PLAN, slot):
        reject_item(s, d, io, _PLAN_NOT_FOUND)
        return
    p = s.plan[slot]
    if p.state == FREE or p.generation != generation or p.account != m.account:
        reject_item(s, d, io, _PLAN_NOT_FOUND)
        return
    venue = i64(s.key[m.key].venue)
    if venue != 0 and venue != s.market[p.market].venue:
        if p.door == 0 or venue != s.market[p.door].venue:
            reject_item(s, d, io, _KEY_VENUE)
            return
    begin_remove_plan(s, d, slot, CANCEL_USER, P.ITEM_DONE)


@jit
def step_plan_leave(s, d, io):
    """PLAN_LEAVE: the plan in ``m.order`` leaves for the reason in ``m.value1``; then ``m.return0``."""
    m = s.machine[0]
    begin_remove_plan(s, d, i64(m.order), i64(m.value1), i64(m.return0))


@jit
def step_plan_level(s, d, io):
    """PLAN_LEVEL: the plan leaves its trigger level, if it is armed; an empty level leaves its list."""
    m, f = s.machine[0], s.draft[0]
    slot = i64(f.found)
    p = s.plan[slot]
    m.pc = P.PLAN_RING
    touch(d, T_MACHINE, 0)
    level = i64(p.level)
    if level == 0:
        return
    v = s.level[level]
    if p.previous != 0:
        s.plan[p.previous].next = p.next
        touch(d, T_PLAN, p.previous)
    else:
        v.first = p.next
    if p.next != 0:
        s.plan[p.next].previous = p.previous
        touch(d, T_PLAN, p.next)
    else:
        v.last = p.previous
    v.count -= 1
    p.next = 0
    p.previous = 0
    p.level = 0
    touch(d, T_PLAN, slot)
    touch(d, T_LEVEL, level)
    if v.count == 0:
        close_level(s, d, s.book[p.market], level)


@jit
def step_plan_ring(s, d, io):
    """PLAN_RING: the plan leaves its ring, walking to the leg before it; its parent lets go of it."""
    m, f = s.machine[0], s.draft[0]
    slot = i64(f.found)
    p = s.plan[slot]
    following = i64(p.sibling)
    touch(d, T_MACHINE, 0)
    if following != 0:
        before = i64(m.cursor2) if m.cursor2 != 0 else following
        b = s.plan[before]
        if b.sibling != slot:
            m.cursor2 = b.sibling
            return
        b.sibling = following if following != before else 0
        p.sibling = 0
        m.cursor2 = before
        touch(d, T_PLAN, before)
        touch(d, T_PLAN, slot)
    if p.parent != 0 and s.order[p.parent].first_child == slot:
        s.order[p.parent].first_child = following
        touch(d, T_ORDER, p.parent)
    m.pc = P.REMOVE_PLAN


@jit
def step_remove_plan(s, d, io):
    """REMOVE_PLAN: its timer is taken out, its account's list lets go, the slot is given back."""
    m, f = s.machine[0], s.draft[0]
    slot = i64(f.found)
    p = s.plan[slot]
    touch(d, T_MACHINE, 0)
    if p.timer != 0:
        begin_timer_out(s, d, m, i64(p.timer), P.REMOVE_PLAN)
        return
    if f.value != 0:
        emit_plan(s, d, io, PLAN_CANCELLED, leaf_of(m), slot, f.value, 0)
    account = i64(p.account)
    a = s.account[account]
    if p.account_previous != 0:
        s.plan[p.account_previous].account_next = p.account_next
        touch(d, T_PLAN, p.account_previous)
    else:
        a.first_plan = p.account_next
    if p.account_next != 0:
        s.plan[p.account_next].account_previous = p.account_previous
        touch(d, T_PLAN, p.account_next)
    a.plan_count -= 1
    touch(d, T_ACCOUNT, account)
    free_plan(s, d, slot)
    m.pc = m.return1


# --- firing ----------------------------------------------------------------------------------------


@jit
def get_price(p, source):
    """Price of a perpetual that plans of a source look at, ticks; 0 if there is none yet."""
    return i64(p.mark) if source == SOURCE_MARK else i64(p.index)


@jit
def reached_of(s, level, side, price):
    """Oldest plan of a list's first level, 0 if there is none or the price has not reached it."""
    if level == 0 or price == 0 or not is_reached(side, i64(s.level[level].price), price):
        return i64(0)
    return i64(s.level[level].first)


@jit
def reached_plan(s, market, k):
    """Oldest plan of the nearest level that the book's prices have reached; rising triggers first.

    Mark and index are looked at as they are now, the last price with all fills since the last look.
    """
    plan = reached_of(s, i64(k.up_last), TRIGGER_UP_LAST, i64(k.trigger_high))
    if plan != 0:
        return plan
    plan = reached_of(s, i64(k.down_last), TRIGGER_DOWN_LAST, i64(k.trigger_low))
    if plan != 0 or not has_price_triggers(k):
        return plan
    mark, index = i64(s.price[market].mark), i64(s.price[market].index)
    plan = reached_of(s, i64(k.up_mark), TRIGGER_UP_MARK, mark)
    if plan == 0:
        plan = reached_of(s, i64(k.down_mark), TRIGGER_DOWN_MARK, mark)
    if plan == 0:
        plan = reached_of(s, i64(k.up_index), TRIGGER_UP_INDEX, index)
    if plan == 0:
        plan = reached_of(s, i64(k.down_index), TRIGGER_DOWN_INDEX, index)
    return plan


@jit
def step_trigger(s, d, io):
    """TRIGGER: the first book of the list: a plan that fires, or the book leaves; at the end, CLOSE."""
    m, g = s.machine[0], s.agenda[0]
    market = i64(g.trigger_first)
    touch(d, T_MACHINE, 0)
    if market == 0 or m.met >= BLOCK_MEETINGS:
        m.pc = P.CLOSE
        return
    k = s.book[market]
    plan = reached_plan(s, market, k)
    if plan != 0:
        m.met += 1
        m.action = 0
        s.draft[0].plan = plan
        m.pc = P.FIRE
        touch(d, T_DRAFT, 0)
        return
    g.trigger_first = k.trigger_next
    if g.trigger_first == 0:
        g.trigger_last = 0
    k.trigger_next = 0
    k.is_triggering = 0
    k.trigger_low = 0
    k.trigger_high = 0
    touch(d, T_AGENDA, 0)
    touch(d, T_BOOK, market)


@jit
def step_fire(s, d, io):
    """FIRE: the parent of the plan that fires leaves the book, or will not rest if it waits."""
    m, f = s.machine[0], s.draft[0]
    slot = i64(f.plan)
    p = s.plan[slot]
    parent = i64(p.parent)
    touch(d, T_MACHINE, 0)
    m.pc = P.SIBLINGS
    if parent == 0:
        return
    o = s.order[parent]
    if o.state == RESTING:
        m.order = parent
        begin_remove(m, CANCEL_SIBLING, P.SIBLINGS)
        return
    o.flags = i64(o.flags) | ORDER_CANCELLED_WAITING
    p.lots = min(i64(p.lots), i64(o.filled))
    emit_order(d, io, ORDER_AMENDED, 0, parent, o, TIF_IOC, 0, o.locked)
    touch(d, T_ORDER, parent)
    touch(d, T_PLAN, slot)


@jit
def worst_price(p, max_price):
    """Limit of the order that a plan sends: its own, or its trigger and the slippage it allows."""
    if p.price != 0:
        return i64(p.price)
    trigger = i64(p.trigger)
    slack = trigger * i64(p.slippage) // PPM
    if p.side == BUY:
        return min(max_price, trigger + slack)
    return max(i64(1), trigger - slack)


@jit
def step_siblings(s, d, io):
    """SIBLINGS: the next sibling leaves; when the plan is alone, its order is drafted and checked."""
    m, f = s.machine[0], s.draft[0]
    slot = i64(f.plan)
    p = s.plan[slot]
    touch(d, T_MACHINE, 0)
    if p.sibling != 0:
        begin_remove_plan(s, d, i64(p.sibling), CANCEL_SIBLING, P.SIBLINGS)
        m.cursor2 = slot
        return
    k = s.market[p.market]
    m.account = p.account
    m.key = p.key
    m.owner = s.account[p.account].owner
    m.market = p.market
    f.market = p.market
    f.door = p.door
    f.price = worst_price(p, i64(k.max_price))
    f.side = p.side
    f.tif = p.tif
    f.stp = p.stp
    f.flags = p.flags
    f.lots = p.lots if p.lots != 0 else k.max_lots
    f.expires = p.expires
    f.client_id0 = 0
    f.client_id1 = 0
    f.interface = p.interface
    f.interface_fee = p.interface_fee
    f.bucket = ORDER_BUCKETS
    f.holding = 0
    f.cover = 0
    m.pc = P.PLACE_CHECK
    touch(d, T_DRAFT, 0)


@jit
def step_plan_sent(s, d, io):
    """PLAN_SENT: the plan's order is in the book's hands; the plan is gone."""
    f = s.draft[0]
    slot = i64(f.plan)
    f.plan = 0
    begin_remove_plan(s, d, slot, 0, P.TRIGGER)


@jit
def step_plan_refused(s, d, io):
    """PLAN_REFUSED: the plan's order was refused; the plan is gone all the same."""
    f = s.draft[0]
    slot = i64(f.plan)
    emit_plan(s, d, io, PLAN_FAILED, 0, slot, 0, f.value)
    f.plan = 0
    begin_remove_plan(s, d, slot, 0, P.TRIGGER)
