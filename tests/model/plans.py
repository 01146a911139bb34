"""docs/spec/plans.md: orders held off the book until a price reaches their trigger."""

from __future__ import annotations

from tests.model import access, orders
from tests.model.records import PPM, TRIGGER_LISTS, Key, Level, Order, Plan, Refused, require
from tests.model.state import Body, State
from tradezone.protocol import enums, events, limits
from tradezone.protocol.errors import Code

# --- placing -----------------------------------------------------------------------------------------


def place_plan(zone: State, account_id: int, key: Key, item: Body, neighbour: Plan | None) -> Plan:
    """Place a plan; `neighbour` is what the successful item before it in the envelope placed."""
    account = zone.accounts[account_id]
    named = zone.markets.get(item["market"])
    require(named is not None, Code.MARKET_NOT_FOUND)
    home = zone.home_of(named)
    door = named if named.guest_of else None
    require(key.venue in (0, named.venue), Code.KEY_VENUE)
    side, tif, price, grouping = item["side"], item["tif"], item["price"], item["grouping"]
    is_reduce_only = item["flags"] & enums.ORDER_REDUCE_ONLY != 0
    if price == 0:
        is_priced = tif == enums.TIF_MARKET and item["slippage"] <= limits.MAX_SLIPPAGE
    else:
        is_priced = tif != enums.TIF_MARKET and item["slippage"] == 0
    names_parent = item["parent"] != 0 or any(item["parent_client_id"])
    is_good = (
        side <= enums.SELL
        and item["kind"] in (enums.PLAN_STOP, enums.PLAN_TAKE_PROFIT)
        and item["source"] <= (enums.SOURCE_INDEX if home.is_perp else enums.SOURCE_LAST)
        and grouping <= enums.GROUP_POSITION
        and is_priced
        and tif <= enums.TIF_MARKET
        and orders.is_good_stp(item["stp"])
        and item["flags"] <= enums.ORDER_REDUCE_ONLY
        and (not is_reduce_only or home.is_outcome or home.is_perp)
        and (tif != enums.TIF_FOK or not home.has_caps)
        and (grouping != enums.GROUP_POSITION or is_reduce_only)
        and item["expires"] <= limits.MAX_TIME
        and (grouping == enums.GROUP_ORDER or not names_parent)
    )
    require(is_good, Code.BAD_PLAN)
    is_listed = home.phase != enums.PHASE_SETTLED and home.listed <= zone.time
    require(is_listed, Code.MARKET_CLOSED)
    is_in_range = 1 <= item["trigger"] <= home.max_price and price <= home.max_price
    require(is_in_range, Code.PRICE_OUT_OF_RANGE)
    least = 0 if grouping == enums.GROUP_POSITION else 1
    require(least <= item["lots"] <= home.max_lots, Code.LOTS_OUT_OF_RANGE)
    notional = home.notional(price or item["trigger"], item["lots"])
    require(is_reduce_only or notional >= home.min_notional, Code.NOTIONAL_TOO_SMALL)
    require(notional <= home.max_notional, Code.NOTIONAL_TOO_LARGE)
    require(key.max_notional == 0 or notional <= key.max_notional, Code.KEY_NOTIONAL)
    require(item["expires"] == 0 or item["expires"] > zone.time, Code.ORDER_EXPIRED)
    require(len(account.plans) < limits.MAX_PLANS, Code.TOO_MANY_PLANS)
    access.check_interface(zone, account_id, door, item["interface"], item["interface_fee"])
    parent = None
    if grouping == enums.GROUP_ORDER:
        parent = zone.find_order(account_id, item["parent"], item["parent_client_id"])
        is_parent = (
            parent is not None
            and parent.account == account_id
            and parent.market == home.slot
            and parent.side != side
        )
        require(is_parent, Code.PARENT_NOT_FOUND)
    has_room = zone.slots["plan"].has_room() and (item["expires"] == 0 or zone.has_timer_room())
    require(has_room, Code.TABLE_FULL)

    slot = zone.slots["plan"].take()
    zone.order_seq += 1
    plan = Plan(
        slot=slot,
        generation=zone.slots["plan"].generation(slot),
        account=account_id,
        market=home.slot,
        door=door.slot if door else 0,
        key=key.slot,
        kind=item["kind"],
        side=side,
        source=item["source"],
        grouping=grouping,
        trigger=item["trigger"],
        price=price,
        lots=item["lots"],
        tif=tif,
        stp=item["stp"],
        flags=item["flags"],
        slippage=item["slippage"],
        expires=item["expires"],
        interface=item["interface"],
        interface_fee=item["interface_fee"],
        seq=zone.order_seq,
        state=enums.PLAN_HELD,
        parent=parent,
    )
    plan.ring = [plan]
    zone.plans[slot] = plan
    account.plans.insert(0, plan)
    if item["expires"]:
        plan.timer = zone.set_timer(enums.TIMER_PLAN, slot, item["expires"])
    before = None
    if parent is not None:
        before = parent.children[0] if parent.children else None
        parent.children.insert(1, plan)
    elif grouping == enums.GROUP_POSITION and neighbour is not None:
        is_near = neighbour.grouping == enums.GROUP_POSITION and neighbour.market == home.slot
        before = neighbour if is_near else None
    if before is not None:
        ring = before.ring
        ring.insert(ring.index(before) + 1, plan)
        for other in ring:
            other.ring = ring
    zone.emit(
        events.PLAN_PLACED,
        order=plan.id,
        other_order=parent.id if parent else 0,
        account=account_id,
        market=home.slot,
        side=side,
        tif=plan.kind,
        flag=plan.source | plan.grouping << 4,
        price=plan.trigger,
        lots=plan.lots,
        left=plan.price,
    )
    if parent is not None and parent.filled > 0:
        parent.flags |= enums.ORDER_ARMED
    if parent is None or parent.filled > 0:
        arm(zone, plan)
    return plan


def get_price(zone: State, market: int, source: int) -> int:
    """The price that plans of a source look at, ticks; 0 if there is none yet."""
    if source == enums.SOURCE_LAST:
        return zone.books[market].last_price
    perp = zone.perps[market]
    return perp.mark if source == enums.SOURCE_MARK else perp.index


def arm(zone: State, plan: Plan) -> None:
    """Put a plan at the end of its trigger level."""
    book = zone.books[plan.market]
    levels = book.triggers[plan.list_side]
    if plan.trigger not in levels:
        slot = zone.slots["level"].take()
        levels[plan.trigger] = Level(slot, zone.slots["level"].generation(slot))
    levels[plan.trigger].orders.append(plan)
    plan.state = enums.PLAN_ARMED
    zone.emit(events.PLAN_ARMED_NOW, order=plan.id, account=plan.account, market=plan.market)
    price = get_price(zone, plan.market, plan.source)
    if price and plan.is_reached_by(price):
        look_later(zone, plan.market, price if plan.source == enums.SOURCE_LAST else 0)


def arm_children(zone: State, parent: Order) -> None:
    """The parent's first fill."""
    if not parent.children:
        return
    parent.flags |= enums.ORDER_ARMED
    for plan in parent.children:
        arm(zone, plan)


# --- leaving -----------------------------------------------------------------------------------------


def forget(zone: State, plan: Plan) -> None:
    """Out of its level, its ring, its parent, its account's list and its timer."""
    if plan.state == enums.PLAN_ARMED:
        levels = zone.books[plan.market].triggers[plan.list_side]
        levels[plan.trigger].orders.remove(plan)
        if not levels[plan.trigger].orders:
            zone.slots["level"].give_back(levels.pop(plan.trigger).slot)
    plan.ring.remove(plan)
    if plan.parent is not None:
        plan.parent.children.remove(plan)
    zone.accounts[plan.account].plans.remove(plan)
    zone.drop_timer(plan.timer)
    plan.timer = None
    plan.state = enums.FREE
    del zone.plans[plan.slot]
    zone.slots["plan"].give_back(plan.slot)


def cancel(zone: State, plan: Plan, reason: int) -> None:
    zone.emit(
        events.PLAN_CANCELLED,
        order=plan.id,
        account=plan.account,
        market=plan.market,
        tif=reason,
    )
    forget(zone, plan)


def settle_children(zone: State, parent: Order) -> None:
    """The parent leaves."""
    for plan in list(parent.children):
        if parent.filled == 0:
            cancel(zone, plan, enums.CANCEL_PARENT)
        else:
            plan.lots = min(plan.lots, parent.filled)
            plan.parent = None
    parent.children = []


def cancel_plan(zone: State, account: int, key: Key, item: Body) -> None:
    plan = zone.plans.get(item["plan"] & 0xFFFF_FFFF)
    is_found = plan is not None and plan.id == item["plan"] and plan.account == account
    require(is_found, Code.PLAN_NOT_FOUND)
    require(zone.may_sign_for(key, plan), Code.KEY_VENUE)
    cancel(zone, plan, enums.CANCEL_USER)


# --- firing ------------------------------------------------------------------------------------------


def note_fill(zone: State, market: int, price: int) -> None:
    """A fill in a market with a plan on a trigger level."""
    if any(zone.books[market].triggers.values()):
        look_later(zone, market, price)


def look_later(zone: State, market: int, price: int) -> None:
    """Widen the range that the book's plans will be looked at with; price 0 widens nothing."""
    book = zone.books[market]
    if price:
        book.trigger_low = min(book.trigger_low or price, price)
        book.trigger_high = max(book.trigger_high, price)
    if market not in zone.triggering:
        zone.triggering.append(market)


def run_triggers(zone: State) -> None:
    while zone.triggering and zone.met < limits.BLOCK_MEETINGS:
        market = zone.triggering[0]
        book = zone.books[market]
        plan = _find_reached(zone, market)
        if plan is None:
            zone.triggering.pop(0)
            book.trigger_low = book.trigger_high = 0
            continue
        zone.met += 1
        fire(zone, plan)


def _find_reached(zone: State, market: int) -> Plan | None:
    book = zone.books[market]
    up = book.trigger_prices(enums.TRIGGER_UP_LAST)
    if up and up[0] <= book.trigger_high:
        return book.triggers[enums.TRIGGER_UP_LAST][up[0]].orders[0]
    down = book.trigger_prices(enums.TRIGGER_DOWN_LAST)
    if down and book.trigger_low and down[0] >= book.trigger_low:
        return book.triggers[enums.TRIGGER_DOWN_LAST][down[0]].orders[0]
    for side in TRIGGER_LISTS[2:]:
        if book.triggers[side]:
            level = book.triggers[side][book.trigger_prices(side)[0]]
            plan: Plan = level.orders[0]
            if plan.is_reached_by(get_price(zone, market, plan.source)):
                return plan
    return None


def note_mark(zone: State, market: int) -> None:
    """Mark or index of a perpetual has changed."""
    if any(zone.books[market].triggers[side] for side in TRIGGER_LISTS[2:]):
        look_later(zone, market, 0)


def fire(zone: State, plan: Plan) -> None:
    parent = plan.parent
    if parent is not None and parent.state == enums.RESTING:
        orders.cancel_resting(zone, parent, enums.CANCEL_SIBLING)
    elif parent is not None:
        orders.cancel_waiting(zone, parent)
        plan.lots = min(plan.lots, parent.filled)
    at = plan.ring.index(plan)
    for sibling in plan.ring[at + 1 :] + plan.ring[:at]:
        cancel(zone, sibling, enums.CANCEL_SIBLING)
    home = zone.markets[plan.market]
    price = plan.price
    if price == 0:
        reach = plan.trigger * plan.slippage // PPM
        if plan.side == enums.BUY:
            price = min(home.max_price, plan.trigger + reach)
        else:
            price = max(1, plan.trigger - reach)
    item = {
        "market": plan.door or plan.market,
        "price": price,
        "lots": plan.lots or home.max_lots,
        "side": plan.side,
        "tif": plan.tif,
        "stp": plan.stp,
        "flags": plan.flags,
        "expires": plan.expires,
        "client_id": bytes(16),
        "interface": plan.interface,
        "interface_fee": plan.interface_fee,
    }
    try:
        order = orders.admit(zone, plan.account, plan.key, item, is_plan=True)
    except Refused as refused:
        zone.emit(
            events.PLAN_FAILED,
            order=plan.id,
            account=plan.account,
            market=plan.market,
            error=refused.code,
        )
    else:
        zone.emit(
            events.PLAN_TRIGGERED,
            order=plan.id,
            other_order=order.id,
            account=plan.account,
            market=plan.market,
            price=plan.trigger,
            lots=order.lots,
        )
        orders.enter(zone, order)
    # Behind its order: which slot of a level is taken depends on it.
    forget(zone, plan)
