"""docs/spec/liquidation.md: sweep, queue, forced orders, takeover by the fund."""

from __future__ import annotations

from tests.model import adl, margin, orders, perps, phases, pools, prices
from tests.model.records import PPM, Key, Order, Perp, Pool, Position, Task, ceil_div, require
from tests.model.state import Body, State
from tradezone.protocol import enums, events, limits
from tradezone.protocol.errors import Code

# --- who is judged -----------------------------------------------------------------------------------


def is_open_to_force(zone: State, position: Position) -> bool:
    return position.lots != 0 and is_market_open_to_force(zone, zone.perps[position.market])


def is_market_open_to_force(zone: State, perp: Perp) -> bool:
    return (
        perp.state in prices.FORCE_STATES
        and perp.is_live
        and phases.admits(zone, perp.market, tif=enums.TIF_IOC, is_reduce_only=True)
    )


def get_forceable(zone: State, pool: Pool) -> list[Position]:
    return [p for p in pool.by_market() if is_open_to_force(zone, p)]


def is_fund(zone: State, pool: Pool) -> bool:
    return zone.accounts[pool.account].kind == enums.ACCOUNT_FUND


def judge(zone: State, pool: Pool) -> None:
    """A touched pool below maintenance joins the queue."""
    values = margin.get_pool_values(zone, pool)
    is_below = values.pnl < values.maintenance
    if pool.state != enums.ACTIVE or not is_below or not get_forceable(zone, pool):
        return
    pool.below_since, pool.liquidated = zone.time, 0
    join(zone, pool)
    pools.emit_pool(
        zone, events.LIQUIDATION_BEGUN, pool, amount=values.pnl, amount2=values.maintenance
    )
    has_orders = any(
        order.pool is pool and not order.is_forced for order in zone.accounts[pool.account].orders
    )
    if has_orders and zone.has_room_for("task"):
        slot = zone.slots["task"].take()
        reason, both = enums.CANCEL_LIQUIDATION, enums.BOTH_SIDES
        zone.tasks.append(Task(slot, enums.TASK_POOL, pool.slot, 0, both, reason, zone.order_seq))


def join(zone: State, pool: Pool) -> None:
    pool.state = enums.POOL_LIQUIDATING
    zone.liquidating.append(pool)


def leave(zone: State, pool: Pool) -> None:
    """Out of the queue (the visit has taken it out already)."""
    pool.state, pool.below_since = enums.ACTIVE, 0
    pools.emit_pool(zone, events.LIQUIDATION_ENDED, pool)
    pools.release(zone, pool)


def is_swept(_zone: State, pool: Pool) -> bool:
    """Every pool with positions, also one that its owner has had touched in this epoch."""
    return bool(pool.positions)


def sweep(zone: State) -> None:
    """The sweep of a block: every pool within SWEEP_MS."""
    reach = zone.slots["pool"].high_water - 1
    if reach == 0:
        return
    since = zone.time - zone.sweep_time
    zone.sweep_time = zone.time
    due = min(ceil_div(reach * since, limits.SWEEP_MS), reach, limits.BLOCK_SWEEP)
    work = limits.BLOCK_SWEEP
    while due > 0 and work > 0:
        due -= 1
        work -= 1
        zone.swept += 1
        zone.pool_cursor += 1
        if zone.pool_cursor > reach:
            zone.pool_cursor = 1
        pool = zone.pools.get(zone.pool_cursor)
        if pool is None or not is_swept(zone, pool):
            continue
        if pool.epoch != zone.epoch:
            work -= len(pool.positions)
        pools.touch(zone, pool)
        judge(zone, pool)


def check(zone: State, _account: int, _key: Key, item: Body) -> None:
    """CHECK: anybody has a pool looked at."""
    account = zone.accounts.get(item["account"])
    key = (item["venue"], item["asset"], item["market"])
    pool = account.pools.get(key) if account else None
    require(pool is not None, Code.POOL_NOT_FOUND)
    pools.touch(zone, pool)
    judge(zone, pool)


# --- visits ------------------------------------------------------------------------------------------


def run(zone: State) -> None:
    if phases.get_restart_phases(zone):
        return
    for _ in range(min(len(zone.liquidating), limits.BLOCK_LIQUIDATIONS)):
        pool = zone.liquidating.pop(0)
        zone.visited += 1
        if visit(zone, pool):
            zone.liquidating.append(pool)


def pull(zone: State, pool: Pool) -> None:
    """The automatic pull of a cross pool, within its allowance."""
    if pool.market:
        return
    free = zone.free(pool.account, pool.asset)
    amount = min(margin.get_need(zone, pool), free, pool.allowance - pool.pulled)
    pool.pulled += max(0, amount)
    pools.move_in(zone, pool, max(0, amount))


def visit(zone: State, pool: Pool) -> bool:
    """One visit; True if the pool goes back to the tail."""
    pools.touch(zone, pool)
    pull(zone, pool)
    values = margin.get_pool_values(zone, pool)
    has_lots = any(p.lots for p in pool.positions.values())
    if is_fund(zone, pool):
        if not has_lots:
            pools.give_back(zone, zone.perps[pool.market])
            leave(zone, pool)
            return False
    elif values.pnl >= values.maintenance:
        leave(zone, pool)
        return False
    forceable = get_forceable(zone, pool)
    if pool.forced is not None or not forceable:
        return True
    if values.pnl < 0:
        return not _go_under(zone, pool)
    is_late = zone.time >= pool.below_since + limits.ABSORB_MS
    is_low = 3 * values.pnl < 2 * values.maintenance
    if (is_low or is_late) and not is_fund(zone, pool):
        taken = []
        for position in forceable:
            left = margin.get_pool_values(zone, pool)
            if left.pnl >= left.maintenance and any(p.lots for p in pool.positions.values()):
                break
            taken.append(take_over(zone, position))
        if not any(p.lots for p in pool.positions.values()):
            leave(zone, pool)
            return False
        if any(taken):
            return True
    if zone.time >= pool.liquidated + limits.LIQ_STEP_MS:
        force(zone, pool)
    return True


def _go_under(zone: State, pool: Pool) -> bool:
    """Equity below zero; True if the pool waits for deleveraging."""
    if not is_fund(zone, pool):
        for position in get_forceable(zone, pool):
            take_over(zone, position)
    left = get_forceable(zone, pool)
    equity = pools.get_equity(zone, pool)
    if equity >= 0 or not left:
        return False
    adl.register(zone, pool, left)
    return True


# --- forced orders -----------------------------------------------------------------------------------


def get_forced_price(zone: State, pool: Pool, position: Position) -> int:
    perp = zone.perps[position.market]
    values, own = margin.get_pool_values(zone, pool), margin.get_values(zone, position)
    lots = abs(position.lots)
    distance = values.pnl * own.maintenance // (values.maintenance * lots * perp.tv)
    distance = min(distance, perp.mark * limits.LIQ_DISTANCE // PPM)
    if is_fund(zone, pool):
        distance = min(distance, own.maintenance // (2 * lots * perp.tv))
    low, high = prices.get_band(zone, perp)
    price = perp.mark - position.side * distance
    return max(low, min(price, high, perp.market.max_price), 1)


def force(zone: State, pool: Pool) -> None:
    """Send one forced order, for the position that asks for most maintenance."""
    free = [
        position
        for position in get_forceable(zone, pool)
        if zone.perps[position.market].state == enums.PRICE_LIVE
        or zone.perps[position.market].forced_epoch != zone.epoch
    ]
    if not free or not zone.slots["order"].has_room():
        return
    most = max(margin.get_values(zone, p).maintenance for p in free)
    position = next(p for p in free if margin.get_values(zone, p).maintenance == most)
    perp = zone.perps[position.market]
    lots = abs(position.lots)
    if lots * perp.mark * perp.tv > perp.impact_notional:
        lots = ceil_div(lots * limits.LIQ_SHARE, PPM)
    lots = min(lots, perp.market.max_lots)
    pool.liquidated, perp.forced_epoch = zone.time, zone.epoch
    side = enums.SELL if position.lots > 0 else enums.BUY
    order = orders.make_order(
        zone,
        account=pool.account,
        market=perp.market,
        key=0,
        side=side,
        tif=enums.TIF_IOC,
        stp=enums.STP_OLDEST,
        price=get_forced_price(zone, pool, position),
        lots=lots,
        locked=0,
        expires=0,
        client_id=0,
        pay_asset=0,
        receive_asset=0,
        flags=enums.ORDER_REDUCE_ONLY | enums.ORDER_FORCED,
        pool=pool,
        position=position,
    )
    pool.forced = order
    zone.emit(
        events.FORCED_ORDER,
        order=order.id,
        account=order.account,
        market=order.market,
        side=side,
        price=order.price,
        lots=lots,
    )
    orders.wait(zone, order)


def why_not_force(zone: State, order: Order) -> int:
    """At the release of a forced order: the reason to cancel it, 0 = none."""
    pool = order.pool
    pools.touch(zone, pool)
    values = margin.get_pool_values(zone, pool)
    if not is_fund(zone, pool) and values.pnl >= values.maintenance:
        return enums.CANCEL_HEALTHY
    if values.pnl < 0:
        return enums.CANCEL_LIQUIDATION
    return 0 if is_open_to_force(zone, order.position) else enums.CANCEL_MARKET


def get_gain(zone: State, perp: Perp, order: Order, price: int, lots: int) -> int:
    """What the fund gets of the improvement over the zero price."""
    pool, position = order.pool, order.position
    if is_fund(zone, pool):
        return 0
    values, own = margin.get_pool_values(zone, pool), margin.get_values(zone, position)
    allowed = values.pnl * own.maintenance * lots // (values.maintenance * abs(position.lots))
    loss = position.side * (perp.mark - price) * lots * perp.tv
    notional = price * perp.tv * lots
    return min(
        max(0, allowed - loss) * limits.LIQ_GAIN // PPM, notional * limits.LIQ_GAIN_MAX // PPM
    )


# --- takeover ----------------------------------------------------------------------------------------


def take_over(zone: State, position: Position) -> bool:
    """The fund takes a position at its zero price, if it can hold it. All or nothing."""
    pool, perp = position.pool, zone.perps[position.market]
    values, own = margin.get_pool_values(zone, pool), margin.get_values(zone, position)
    share = abs(values.pnl) * own.maintenance // values.maintenance
    most = abs(position.lots) * perp.mark * perp.tv * limits.TAKEOVER_MAX // PPM
    share = min(share, most) if values.pnl >= 0 else -share
    account = zone.venues[perp.market.venue].fund_account
    fund_pool = perp.fund_pool
    held = quote = collateral = 0
    if fund_pool is not None:
        if fund_pool.state == enums.POOL_BANKRUPT:
            return False
        pools.touch(zone, fund_pool)
        collateral = fund_pool.collateral
        if perp.market.slot in fund_pool.positions:
            held = fund_pool.positions[perp.market.slot].lots
            quote = fund_pool.positions[perp.market.slot].quote
    elif not zone.slots["pool"].has_room():
        return False
    needs_slot = fund_pool is None or perp.market.slot not in fund_pool.positions
    if needs_slot and not zone.slots["position"].has_room():
        return False
    size = (abs(held) + abs(position.lots)) * perp.market.max_price * perp.tv
    if size > limits.MAX_POSITION_VALUE:
        return False
    # A trade at the mark leaves the equity; the share is all that changes it.
    equity = collateral + quote + held * perp.mark * perp.tv + share
    cost = max(0, margin.get_initial(perp, held + position.lots, 0) - equity)
    if cost > pools.get_fund_room(zone, perp):
        return False
    lots = position.lots
    if fund_pool is None:
        key = (perp.market.venue, perp.market.quote, perp.market.slot)
        fund_pool = perp.fund_pool = pools.get_or_open_pool(zone, account, key)
    taken = pools.get_or_open_position(zone, fund_pool, perp, 0)
    perps.move(zone, position, -lots, perp.mark)
    perps.move(zone, taken, lots, perp.mark)
    pool.collateral -= share
    fund_pool.collateral += share + cost
    pools.spend(perp, cost)
    zone.emit(
        events.TAKEOVER,
        account=pool.account,
        other_account=account,
        market=perp.market.slot,
        lots=lots,
        amount=share,
        amount2=cost,
    )
    if fund_pool.state == enums.ACTIVE:
        fund_pool.below_since, fund_pool.liquidated = zone.time, 0
        join(zone, fund_pool)
    return True
