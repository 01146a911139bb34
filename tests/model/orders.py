"""docs/spec/orders.md: how orders come, change and go. Matching is in `tests.model.matching`."""

from __future__ import annotations

from typing import Any

from tests.model import access, outcome, perps, phases, plans, pools
from tests.model.records import (
    OPPOSITE,
    POST_TIFS,
    Book,
    Key,
    Level,
    Market,
    Order,
    Refused,
    require,
)
from tests.model.state import Body, State
from tradezone.protocol import actions, enums, events, limits
from tradezone.protocol.errors import Code
from tradezone.protocol.hashing import keccak


def get_bucket(account: int, client_id: int) -> int:
    data = account.to_bytes(4, "big") + client_id.to_bytes(16, "big")
    return int.from_bytes(keccak(data), "big") % limits.ORDER_BUCKETS


def is_good_stp(stp: int) -> bool:
    return stp < 32 and stp & enums.STP_MODE <= enums.STP_DECREMENT


# --- coming ------------------------------------------------------------------------------------------


def place(zone: State, account_id: int, key: Key, item: Body) -> None:
    enter(zone, admit(zone, account_id, key.slot, item, key=key))


def slide(market: Market, book: Book, side: int, price: int) -> int:
    """Check 8: the price of a POST_SLIDE order."""
    if not book.is_crossed_by(side, price):
        return price
    price = book.best(OPPOSITE[side]) + (-1 if side == enums.BUY else 1)
    require(1 <= price <= market.max_price, Code.POST_ONLY_WOULD_CROSS)
    return price


def admit(
    zone: State,
    account_id: int,
    key_slot: int,
    item: Body,
    *,
    key: Key | None = None,
    is_plan: bool = False,
) -> Order:
    """Make the checks of PLACE, in their order; then the order comes into being."""
    account = zone.accounts[account_id]
    named = zone.markets.get(item["market"])
    require(named is not None, Code.MARKET_NOT_FOUND)
    door = named if named.guest_of else None
    home = zone.home_of(named)
    book = zone.books[home.slot]
    side, tif, price, lots = item["side"], item["tif"], item["price"], item["lots"]
    is_reduce_only = item["flags"] & enums.ORDER_REDUCE_ONLY != 0
    if not is_plan:
        require(key.venue in (0, named.venue), Code.KEY_VENUE)
        is_good = (
            side <= enums.SELL
            and tif <= enums.TIF_MARKET
            and is_good_stp(item["stp"])
            and item["flags"] <= enums.ORDER_REDUCE_ONLY
            and (not is_reduce_only or home.is_outcome or home.is_perp)
            and (tif != enums.TIF_FOK or not home.has_caps)
            and item["expires"] <= limits.MAX_TIME
        )
        require(is_good, Code.BAD_ORDER_FIELD)
    is_open = phases.admits(zone, home, tif=tif, is_reduce_only=is_reduce_only)
    require(is_open, Code.MARKET_CLOSED)
    if not is_plan:
        require(1 <= price <= home.max_price, Code.PRICE_OUT_OF_RANGE)
        require(1 <= lots <= home.max_lots, Code.LOTS_OUT_OF_RANGE)
    # The anchor moves even if the item is refused further down.
    phases.move_anchor(zone, home)
    if phases.is_outside(zone, home, side, price):
        require(tif == enums.TIF_MARKET, Code.PRICE_BAND)
        low, high = phases.get_band(zone, home)
        price = high if side == enums.BUY else low
    if tif == enums.TIF_POST_SLIDE:
        price = slide(home, book, side, price)
    notional = home.notional(price, lots)
    is_spot = home.kind == enums.MARKET_SPOT
    may_close = is_reduce_only or (side == enums.SELL and is_spot)
    require(may_close or notional >= home.min_notional, Code.NOTIONAL_TOO_SMALL)
    require(notional <= home.max_notional, Code.NOTIONAL_TOO_LARGE)
    if not is_plan:
        is_within = key.max_notional == 0 or notional <= key.max_notional
        require(is_within, Code.KEY_NOTIONAL)
    expires = item["expires"]
    require(expires == 0 or expires > zone.time, Code.ORDER_EXPIRED)
    require(len(account.orders) < limits.MAX_OPEN_ORDERS, Code.TOO_MANY_ORDERS)
    if tif == enums.TIF_POST_ONLY:
        require(not book.is_crossed_by(side, price), Code.POST_ONLY_WOULD_CROSS)
    if door is not None:
        is_open = phases.admits(zone, door, tif=tif, is_reduce_only=is_reduce_only)
        require(is_open, Code.MARKET_CLOSED)
    interface, interface_fee = access.check_interface(
        zone, account_id, door, item["interface"], item["interface_fee"]
    )
    if not is_reduce_only:
        ways = [home] if door is None else [home, door]
        earliest = access.check_access(zone, account.owner, *ways)
        expires = min(e for e in (expires, earliest) if e) if expires or earliest else 0
    client_id = int.from_bytes(item["client_id"], "big")
    if client_id:
        is_free = zone.find_by_client_id(account_id, client_id) is None
        require(is_free, Code.CLIENT_ID_IN_USE)
        chain = zone.buckets.get(get_bucket(account_id, client_id), [])
        require(len(chain) < limits.MAX_BUCKET_LENGTH, Code.BUCKET_FULL)
    pay, receive = home.assets(side)
    cover = 0
    if home.is_perp:
        entry = perps.check_entry(
            zone,
            account_id,
            zone.perps[home.slot],
            side,
            price,
            lots,
            item["flags"],
            interface_fee,
        )
        has_room = zone.slots["order"].has_room() and (expires == 0 or zone.has_timer_room())
        require(has_room, Code.TABLE_FULL)
        pool, position = perps.enter_pool(zone, account_id, entry)
        return make_order(
            zone,
            account=account_id,
            market=home,
            key=key_slot,
            side=side,
            tif=tif,
            stp=item["stp"],
            price=price,
            lots=entry.lots,
            locked=entry.lock,
            expires=expires,
            client_id=client_id,
            pay_asset=0,
            receive_asset=0,
            flags=item["flags"],
            door=door.slot if door else 0,
            interface=interface,
            interface_fee=interface_fee,
            pool=pool,
            position=position,
            reserve=entry.reserve,
        )
    if home.is_outcome:
        lots, cover = _check_outcome(zone, account_id, home, side, price, lots, is_reduce_only)
    elif side == enums.SELL and notional < home.min_notional:
        is_all = lots == zone.free(account_id, pay) // home.lot_size
        require(is_all, Code.NOTIONAL_TOO_SMALL)
    lock = home.lock(side, price, lots - cover, interface_fee)
    require(zone.free(account_id, pay) >= lock, Code.INSUFFICIENT_BALANCE)
    zone.require_balance(account_id, receive)
    has_room = zone.slots["order"].has_room() and (expires == 0 or zone.has_timer_room())
    require(has_room, Code.TABLE_FULL)

    zone.get_or_open_balance(account_id, receive)
    paying = zone.balance(account_id, pay)
    paying.free -= lock
    paying.locked += lock
    return make_order(
        zone,
        account=account_id,
        market=home,
        key=key_slot,
        side=side,
        tif=tif,
        stp=item["stp"],
        price=price,
        lots=lots,
        locked=lock,
        expires=expires,
        client_id=client_id,
        pay_asset=pay,
        receive_asset=receive,
        flags=item["flags"],
        door=door.slot if door else 0,
        interface=interface,
        interface_fee=interface_fee,
        cover=cover,
    )


def make_order(zone: State, *, account: int, market: Market, cover: int = 0, **terms: Any) -> Order:
    """An order comes into being: slot, id, lists, bucket, timer."""
    slot = zone.slots["order"].take()
    zone.order_seq += 1
    order = Order(
        slot=slot,
        generation=zone.slots["order"].generation(slot),
        account=account,
        owner=zone.accounts[account].owner,
        market=market.slot,
        seq=zone.order_seq,
        **terms,
    )
    if market.is_outcome:
        order.holding = outcome.get_or_open_holding(zone, account, market.slot)
        outcome.set_cover(order, cover)
    zone.orders[slot] = order
    zone.accounts[account].orders.insert(0, order)
    if order.client_id:
        zone.buckets.setdefault(get_bucket(account, order.client_id), []).insert(0, order)
    if order.expires:
        order.timer = zone.set_timer(enums.TIMER_ORDER, slot, order.expires)
    zone.venues[market.venue].market_orders += 1
    return order


def _check_outcome(
    zone: State,
    account_id: int,
    market: Market,
    side: int,
    price: int,
    lots: int,
    is_reduce_only: bool,
) -> tuple[int, int]:
    """Check 19 for an outcome; return the lots, cut if the order is reduce-only, and their cover."""
    account = zone.accounts[account_id]
    is_open = zone.groups[market.group].state == enums.GROUP_OPEN
    require(is_open, Code.MARKET_CLOSED)
    is_new = market.slot not in account.holdings
    is_few = not is_new or len(account.holdings) < limits.MAX_HOLDINGS
    require(is_few, Code.TOO_MANY_HOLDINGS)
    closable = outcome.get_unlocked(zone, account_id, market, side)
    if is_reduce_only:
        require(closable >= 1, Code.NOTHING_TO_REDUCE)
        lots = min(lots, closable)
        is_all = lots == closable or market.notional(price, lots) >= market.min_notional
        require(is_all, Code.NOTIONAL_TOO_SMALL)
    cover = min(lots, closable)
    outcome.check_entry_caps(zone, market, account_id, side, lots - cover)
    require(not is_new or zone.slots["holding"].has_room(), Code.TABLE_FULL)
    return lots, cover


def enter(zone: State, order: Order) -> None:
    """Rest or wait."""
    if order.tif in POST_TIFS:
        rest(zone, order)
    else:
        wait(zone, order)


def get_told_flags(order: Order) -> int:
    """What the events of an order that comes into its book say of it."""
    return order.flags & (enums.ORDER_REDUCE_ONLY | enums.ORDER_FORCED)


def wait(zone: State, order: Order) -> None:
    """Put the order at the tail of its book's release queue."""
    market, book = zone.markets[order.market], zone.books[order.market]
    order.release = max(book.last_release, zone.time + market.taker_delay)
    order.release_block = zone.block
    if market.taker_delay > 0:
        order.release_block += limits.WAIT_BLOCKS
    book.last_release = order.release
    book.queue.append(order)
    if len(book.queue) == 1:
        zone.queue.push(order.market)
    order.state = enums.WAITING
    zone.emit_order(events.ORDER_WAITING, order, flag=get_told_flags(order))


def rest(zone: State, order: Order) -> None:
    """Append the order to the end of the level at its price."""
    levels = zone.books[order.market].levels[order.side]
    if order.price not in levels:
        slot = zone.slots["level"].take()
        levels[order.price] = Level(slot, zone.slots["level"].generation(slot))
    levels[order.price].orders.append(order)
    order.state = enums.RESTING
    zone.emit_order(events.ORDER_RESTED, order, flag=get_told_flags(order))


# --- going -------------------------------------------------------------------------------------------


def leave_level(zone: State, order: Order) -> None:
    levels = zone.books[order.market].levels[order.side]
    levels[order.price].orders.remove(order)
    if not levels[order.price].orders:
        zone.slots["level"].give_back(levels.pop(order.price).slot)


def unlock(zone: State, order: Order, amount: int) -> None:
    order.locked -= amount
    if order.pool is not None:
        return  # the lock of a perpetual's order stays inside its pool
    balance = zone.balance(order.account, order.pay_asset)
    balance.locked -= amount
    balance.free += amount


def release_cover(zone: State, order: Order, cover: int) -> None:
    """Change the cover; what is not locked any more may cancel out."""
    outcome.set_cover(order, cover)
    if order.holding is not None:
        outcome.annihilate(zone, order.holding)


def forget(zone: State, order: Order) -> None:
    """The order leaves: it is on no level any more (or is the head of its queue, which drops it next)."""
    zone.drop_timer(order.timer)
    order.timer = None
    unlock(zone, order, order.locked)
    release_cover(zone, order, 0)
    plans.settle_children(zone, order)
    zone.venues[zone.markets[order.market].venue].market_orders -= 1
    zone.accounts[order.account].orders.remove(order)
    if order.client_id:
        zone.buckets[get_bucket(order.account, order.client_id)].remove(order)
    del zone.orders[order.slot]
    zone.slots["order"].give_back(order.slot)
    if order.pool is not None:
        perps.forget(zone, order)


def end(zone: State, order: Order, reason: int) -> None:
    """Cancel an order that is on no level."""
    zone.emit_order(events.ORDER_CANCELLED, order, tif=reason)
    forget(zone, order)


def cancel_resting(zone: State, order: Order, reason: int) -> None:
    leave_level(zone, order)
    end(zone, order, reason)


def cancel_waiting(zone: State, order: Order) -> None:
    """A waiting order cannot be withdrawn; its rest becomes IOC."""
    order.flags |= enums.ORDER_CANCELLED_WAITING
    zone.emit_order(events.ORDER_AMENDED, order, tif=enums.TIF_IOC)


def serve_expiry(zone: State, order: Order) -> None:
    """The order's timer is due and out of the heap."""
    order.timer = None
    if order.state == enums.RESTING:
        cancel_resting(zone, order, enums.CANCEL_EXPIRED)


def shrink(zone: State, order: Order, lots: int) -> None:
    """Bring the open lots down to `lots`, in place, and say so."""
    market = zone.markets[order.market]
    cover = min(order.cover, lots)
    if order.pool is not None:
        lock = perps.get_order_lock(zone, order, lots)
    else:
        lock = market.lock(order.side, order.price, lots - cover, order.interface_fee)
    order.lots = lots
    unlock(zone, order, order.locked - min(order.locked, lock))
    outcome.set_cover(order, cover)
    zone.emit_order(events.ORDER_AMENDED, order)
    release_cover(zone, order, cover)
    if order.pool is not None:
        pools.release(zone, order.pool)


# --- CANCEL, AMEND, MASS_QUOTE -----------------------------------------------------------------------


def _find_own(zone: State, account: int, item: Body) -> Order:
    order = zone.find_order(account, item["order"], item["client_id"])
    require(order is not None, Code.ORDER_NOT_FOUND)
    is_own = order.account == account and not order.is_forced
    require(is_own, Code.NOT_ORDER_OWNER)
    return order


def cancel(zone: State, account: int, key: Key, item: Body) -> None:
    order = _find_own(zone, account, item)
    require(zone.may_sign_for(key, order), Code.KEY_VENUE)
    if order.state == enums.RESTING:
        cancel_resting(zone, order, enums.CANCEL_USER)
    else:
        cancel_waiting(zone, order)


def amend(zone: State, account: int, key: Key, item: Body) -> None:
    order = _find_own(zone, account, item)
    market = zone.markets[order.market]
    mode = item["mode"]
    price, lots = item["price"] or order.price, item["lots"] - order.filled
    require(order.state != enums.WAITING, Code.ORDER_WAITING)
    require(mode <= actions.AMEND_POST_SLIDE, Code.BAD_ORDER_FIELD)
    require(zone.may_sign_for(key, order), Code.KEY_VENUE)
    require(1 <= item["lots"] <= market.max_lots, Code.LOTS_OUT_OF_RANGE)
    is_shrink = price == order.price and lots <= order.lots
    require(is_shrink or mode != actions.AMEND_SHRINK, Code.NOT_A_SHRINK)
    if lots <= 0:
        cancel_resting(zone, order, enums.CANCEL_AMEND)
    elif is_shrink:
        _shrink_for_user(zone, order, lots)
    else:
        _replace(zone, order, key, mode, price, lots)


def _shrink_for_user(zone: State, order: Order, lots: int) -> None:
    market = zone.markets[order.market]
    is_big = lots == order.lots or market.notional(order.price, lots) >= market.min_notional
    require(is_big, Code.NOTIONAL_TOO_SMALL)
    shrink(zone, order, lots)


def _replace(zone: State, order: Order, key: Key, mode: int, price: int, lots: int) -> None:
    market, book = zone.markets[order.market], zone.books[order.market]
    tif = {
        actions.AMEND_POST_ONLY: enums.TIF_POST_ONLY,
        actions.AMEND_POST_SLIDE: enums.TIF_POST_SLIDE,
    }.get(mode, enums.TIF_GTC)
    if order.door:
        door = zone.markets[order.door]
        is_open = phases.admits(zone, door, tif=tif, is_reduce_only=order.is_reduce_only)
        require(is_open, Code.MARKET_CLOSED)
    if not order.is_reduce_only:
        ways = (market, zone.markets[order.door]) if order.door else (market,)
        access.check_access(zone, zone.accounts[order.account].owner, *ways)
    require(not order.is_expired(zone.time), Code.ORDER_EXPIRED)
    is_open = phases.admits(zone, market, tif=tif, is_reduce_only=order.is_reduce_only)
    require(is_open, Code.MARKET_CLOSED)
    require(1 <= price <= market.max_price, Code.PRICE_OUT_OF_RANGE)
    phases.move_anchor(zone, market)
    require(not phases.is_outside(zone, market, order.side, price), Code.PRICE_BAND)
    if tif == enums.TIF_POST_SLIDE:
        price = slide(market, book, order.side, price)
    notional = market.notional(price, lots)
    require(notional >= market.min_notional, Code.NOTIONAL_TOO_SMALL)
    require(notional <= market.max_notional, Code.NOTIONAL_TOO_LARGE)
    require(key.max_notional == 0 or notional <= key.max_notional, Code.KEY_NOTIONAL)
    if tif == enums.TIF_POST_ONLY:
        require(not book.is_crossed_by(order.side, price), Code.POST_ONLY_WOULD_CROSS)
    cover = 0
    if order.pool is not None:
        _replace_perp(zone, order, key, tif, price, lots)
        return
    if order.holding is not None:
        cover = min(lots, order.cover + order.holding.unlocked(order.side))
        require(not order.is_reduce_only or lots <= cover, Code.NOTHING_TO_REDUCE)
        outcome.check_entry_caps(zone, market, order.account, order.side, lots - cover)
    lock = market.lock(order.side, price, lots - cover, order.interface_fee)
    is_covered = lock - order.locked <= zone.free(order.account, order.pay_asset)
    require(is_covered, Code.INSUFFICIENT_BALANCE)

    leave_level(zone, order)
    zone.order_seq += 1
    order.key = key.slot
    order.price, order.lots, order.tif, order.seq = price, lots, tif, zone.order_seq
    unlock(zone, order, order.locked - lock)
    outcome.set_cover(order, cover)
    zone.emit_order(events.ORDER_AMENDED, order, flag=1)
    release_cover(zone, order, cover)
    enter(zone, order)


def _replace_perp(zone: State, order: Order, key: Key, tif: int, price: int, lots: int) -> None:
    """Checks 19 and 20 with the old order taken out, then the new terms."""
    old = order.lots, order.locked
    order.lots = order.locked = 0
    try:
        entry = perps.check_entry(
            zone,
            order.account,
            zone.perps[order.market],
            order.side,
            price,
            lots,
            order.flags & enums.ORDER_REDUCE_ONLY,
            order.interface_fee,
        )
        require(entry.lots == lots, Code.NOTHING_TO_REDUCE)
    finally:
        order.lots, order.locked = old
    leave_level(zone, order)
    zone.order_seq += 1
    order.key, order.reserve, order.locked = key.slot, entry.reserve, entry.lock
    order.price, order.lots, order.tif, order.seq = price, lots, tif, zone.order_seq
    perps.enter_pool(zone, order.account, entry)
    zone.emit_order(events.ORDER_AMENDED, order, flag=1)
    pools.release(zone, order.pool)
    enter(zone, order)


def mass_quote(zone: State, account: int, key: Key, items: list[Body], refuse: object) -> None:
    """Two passes over the items; `refuse(i, code)` records a failed one."""
    left = []
    for i, item in enumerate(items):
        try:
            if not _pull(zone, account, key, item):
                left.append(i)
        except Refused as refused:
            refuse(i, refused.code)
    for i in left:
        item = {**items[i], "flags": 0, "interface": 0, "interface_fee": 0}
        try:
            place(zone, account, key, item)
        except Refused as refused:
            refuse(i, refused.code)


def _pull(zone: State, account: int, key: Key, item: Body) -> bool:
    """Take the rung's old order out of the way. True if the item is done."""
    client_id = int.from_bytes(item["client_id"], "big")
    is_good = client_id != 0 and item["side"] <= enums.SELL and item["tif"] in POST_TIFS
    require(is_good, Code.BAD_ORDER_FIELD)
    order = zone.find_by_client_id(account, client_id)
    if order is not None:
        require(order.state != enums.WAITING, Code.ORDER_WAITING)
        require(zone.may_sign_for(key, order), Code.KEY_VENUE)
        same = ("market", "side", "price", "expires")
        stays = (
            all(item[name] == getattr(order, name) for name in same)
            and order.door == 0
            and 1 <= item["lots"] <= order.lots
        )
        if stays:
            if item["lots"] < order.lots:
                _shrink_for_user(zone, order, item["lots"])
            return True
        cancel_resting(zone, order, enums.CANCEL_QUOTE)
    return item["lots"] == 0
