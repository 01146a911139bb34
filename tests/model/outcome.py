"""docs/spec/outcome.md: holdings, sets, resolution, payouts."""

from __future__ import annotations

from tests.model import access, phases, tasks
from tests.model.records import Event, Holding, Key, Market, Order, require
from tests.model.state import Body, State
from tradezone.protocol import enums, events, limits
from tradezone.protocol.errors import Code


def get_holding(zone: State, account: int, market: int) -> Holding | None:
    return zone.accounts[account].holdings.get(market)


def get_or_open_holding(zone: State, account: int, market: int) -> Holding:
    holdings = zone.accounts[account].holdings
    if market not in holdings:
        slot = zone.slots["holding"].take()
        holdings[market] = zone.holdings[slot] = Holding(slot, account, market)
    return holdings[market]


def get_uses(zone: State, holding: Holding) -> int:
    """Open orders that name the holding."""
    return sum(order.holding is holding for order in zone.accounts[holding.account].orders)


def get_unlocked(zone: State, account: int, market: Market, side: int) -> int:
    """F of an account that may have no holding yet."""
    holding = get_holding(zone, account, market.slot)
    return holding.unlocked(side) if holding else 0


def annihilate(zone: State, holding: Holding) -> None:
    """Unlocked Yes and No cancel each other."""
    lots = min(holding.unlocked(enums.BUY), holding.unlocked(enums.SELL))
    if lots == 0:
        return
    market = zone.markets[holding.market]
    amount = lots * market.unit
    holding.yes -= lots
    holding.no -= lots
    zone.balance(holding.account, market.quote).free += amount
    zone.groups[market.group].cash -= amount
    zone.books[market.slot].open_lots -= lots
    zone.emit(
        events.ANNIHILATED, account=holding.account, market=market.slot, lots=lots, amount=amount
    )


def set_cover(order: Order, cover: int) -> None:
    """Lock or unlock lots of the holding that the order closes."""
    if order.holding is None:
        return
    if order.side == enums.BUY:
        order.holding.no_locked += cover - order.cover
    else:
        order.holding.yes_locked += cover - order.cover
    order.cover = cover


# --- caps --------------------------------------------------------------------------------------------


def check_entry_caps(zone: State, market: Market, account: int, side: int, opens: int) -> None:
    if opens == 0:
        return
    holding = get_holding(zone, account, market.slot)
    held = holding.held(side) if holding else 0
    cap, open_lots = market.open_interest_cap, zone.books[market.slot].open_lots
    require(cap == 0 or open_lots * market.unit < cap, Code.OPEN_INTEREST_CAP)
    cap = market.account_cap
    require(cap == 0 or (held + opens) * market.unit <= cap, Code.ACCOUNT_CAP)


def split_lots(order: Order, lots: int) -> tuple[int, int]:
    """(k, u): how many of a fill's lots close what is held, and how many open."""
    closed = min(lots, order.cover)
    return closed, lots - closed


def get_rise(taker: Order, maker: Order, lots: int) -> int:
    """By how much a fill would raise open_lots."""
    buyer, seller = (taker, maker) if taker.side == enums.BUY else (maker, taker)
    return split_lots(buyer, lots)[1] - split_lots(seller, lots)[0]


def find_capped(zone: State, market: Market, taker: Order, maker: Order, lots: int) -> Order | None:
    """The order that a cap keeps from this fill."""

    def is_over(order: Order) -> bool:
        opens = split_lots(order, lots)[1]
        held = order.holding.held(order.side)
        cap = market.account_cap
        return opens > 0 and cap != 0 and (held + opens) * market.unit > cap

    rise, cap = get_rise(taker, maker, lots), market.open_interest_cap
    after = (zone.books[market.slot].open_lots + rise) * market.unit
    if is_over(taker) or (cap != 0 and rise > 0 and after > cap):
        return taker
    return maker if is_over(maker) else None


# --- sets --------------------------------------------------------------------------------------------


def _get_set_event(zone: State, key: Key, item: Body) -> Event:
    event = zone.groups.get(item["group"])
    is_whole = event is not None and event.outcomes > 2 and len(event.markets) == event.most_markets
    require(is_whole, Code.EVENT_NOT_FOUND)
    require(event.state == enums.GROUP_OPEN, Code.EVENT_SETTLED)
    require(key.venue in (0, event.venue), Code.KEY_VENUE)
    most = zone.markets[event.markets[0]].max_lots
    require(1 <= item["lots"] <= most, Code.LOTS_OUT_OF_RANGE)
    return event


def split(zone: State, account_id: int, key: Key, item: Body) -> None:
    event, lots = _get_set_event(zone, key, item), item["lots"]
    account = zone.accounts[account_id]
    first = zone.markets[event.markets[0]]
    is_open = phases.admits(zone, first, tif=enums.TIF_POST_ONLY, is_reduce_only=False)
    require(is_open, Code.MARKET_CLOSED)
    access.check_access(zone, account.owner, first)
    is_few = len(account.holdings) + event.outcomes <= limits.MAX_HOLDINGS
    require(is_few, Code.TOO_MANY_HOLDINGS)
    require(zone.slots["holding"].has_room(event.outcomes), Code.TABLE_FULL)
    for slot in event.markets:
        market, holding = zone.markets[slot], get_holding(zone, account_id, slot)
        held = holding.yes if holding else 0
        cap = market.account_cap
        require(cap == 0 or (held + lots) * event.unit <= cap, Code.ACCOUNT_CAP)
        after = zone.books[slot].open_lots + lots
        cap = market.open_interest_cap
        require(cap == 0 or after * event.unit <= cap, Code.OPEN_INTEREST_CAP)
    amount = lots * event.unit
    require(zone.free(account_id, event.asset) >= amount, Code.INSUFFICIENT_BALANCE)
    zone.balance(account_id, event.asset).free -= amount
    event.cash += amount
    event.sets += lots
    for slot in event.markets:
        holding = get_or_open_holding(zone, account_id, slot)
        holding.yes += lots
        zone.books[slot].open_lots += lots
        annihilate(zone, holding)
    zone.emit(events.SPLIT, account=account_id, market=item["group"], lots=lots, amount=amount)


def merge(zone: State, account_id: int, key: Key, item: Body) -> None:
    event, lots = _get_set_event(zone, key, item), item["lots"]
    for slot in event.markets:
        unlocked = get_unlocked(zone, account_id, zone.markets[slot], enums.SELL)
        require(unlocked >= lots, Code.NOT_ENOUGH_SETS)
    zone.require_balance(account_id, event.asset)
    for slot in event.markets:
        get_holding(zone, account_id, slot).yes -= lots
        zone.books[slot].open_lots -= lots
    amount = lots * event.unit
    event.cash -= amount
    event.sets -= lots
    zone.get_or_open_balance(account_id, event.asset).free += amount
    zone.emit(events.MERGED, account=account_id, market=item["group"], lots=lots, amount=amount)


# --- resolution and payouts --------------------------------------------------------------------------


def is_payout_vector(payouts: bytes, outcomes: int) -> bool:
    parts = [int.from_bytes(payouts[i : i + 2], "big") for i in range(0, 32, 2)]
    return sum(parts[:outcomes]) == limits.PAYOUT_UNIT and not any(parts[outcomes:])


def resolve(zone: State, body: Body) -> None:
    event = zone.groups.get(body["group"])
    require(event is not None, Code.EVENT_NOT_FOUND)
    require(event.state == enums.GROUP_OPEN, Code.EVENT_SETTLED)
    payouts = body["payouts"]
    if body["state"] == enums.GROUP_RESOLVED:
        require(is_payout_vector(payouts, event.outcomes), Code.BAD_PARAMETERS)
    else:
        is_void = body["state"] == enums.GROUP_VOID and not any(payouts)
        require(is_void, Code.BAD_PARAMETERS)
        payouts = event.void_payouts
    event.state, event.payouts, event.resolved = body["state"], payouts, zone.time
    bits = int.from_bytes(payouts, "big")
    limbs = [bits >> 64 * i & (1 << 64) - 1 for i in range(4)]
    zone.emit(
        events.EVENT_RESOLVED,
        market=body["group"],
        flag=event.state,
        client_id0=limbs[0],
        client_id1=limbs[1],
        order=limbs[2],
        other_order=limbs[3],
    )
    for slot in event.markets:
        market = zone.markets[slot]
        market.phase = enums.PHASE_SETTLED
        tasks.begin_market_task(zone, market)
        zone.venues[market.venue].market_count -= 1
    zone.sweep_left = zone.slots["holding"].high_water - 1


def get_payout(zone: State, holding: Holding) -> int:
    market = zone.markets[holding.market]
    event = zone.groups[market.group]
    value = event.value_of_yes(market.outcome)
    return holding.yes * value + holding.no * (event.unit - value)


def pay(zone: State, holding: Holding) -> None:
    """Pay out a holding of a resolved event and free it."""
    market = zone.markets[holding.market]
    event = zone.groups[market.group]
    amount = get_payout(zone, holding)
    if amount:
        zone.get_or_open_balance(holding.account, market.quote).free += amount
    event.cash -= amount
    zone.books[market.slot].open_lots -= holding.yes
    del zone.accounts[holding.account].holdings[market.slot]
    del zone.holdings[holding.slot]
    zone.slots["holding"].give_back(holding.slot)
    zone.emit(
        events.REDEEMED,
        account=holding.account,
        market=market.slot,
        lots=holding.yes,
        left=holding.no,
        amount=amount,
    )


def redeem(zone: State, account: int, key: Key, item: Body) -> None:
    named = zone.markets.get(item["market"])
    require(named is not None and named.is_outcome, Code.MARKET_NOT_FOUND)
    market = zone.home_of(named)
    is_open = zone.groups[market.group].state == enums.GROUP_OPEN
    require(not is_open, Code.NOT_SETTLED)
    require(key.venue in (0, named.venue), Code.KEY_VENUE)
    holding = get_holding(zone, account, market.slot)
    require(holding is not None, Code.NOT_ENOUGH_SETS)
    require(get_uses(zone, holding) == 0, Code.BALANCE_IN_USE)
    if get_payout(zone, holding):
        zone.require_balance(account, market.quote)
    pay(zone, holding)


def sweep(zone: State) -> None:
    """The payout sweep of a block, behind the tasks."""
    if zone.tasks:
        return
    visited = 0
    while zone.sweep_left > 0 and visited < limits.PAYOUT_SWEEP:
        visited += 1
        zone.sweep_left -= 1
        zone.holding_cursor += 1
        if zone.holding_cursor >= zone.slots["holding"].high_water:
            zone.holding_cursor = 1
        holding = zone.holdings.get(zone.holding_cursor)
        if holding is None:
            continue
        market = zone.markets[holding.market]
        if zone.groups[market.group].state == enums.GROUP_OPEN:
            continue
        if get_uses(zone, holding):
            zone.sweep_left = zone.slots["holding"].high_water - 1
        elif (
            get_payout(zone, holding) == 0
            or zone.can_open_balance(holding.account, market.quote) == Code.OK
        ):
            pay(zone, holding)
