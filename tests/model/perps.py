"""docs/spec/perps.md: listing, orders, matching and fills of perpetuals."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from tests.model import liquidation, margin, matching, orders, pools
from tests.model.records import (
    PPM,
    Ledger,
    Market,
    Order,
    Perp,
    Pool,
    Position,
    ceil_div,
    require,
)
from tests.model.state import Body, State
from tradezone.protocol import enums, events, limits
from tradezone.protocol.errors import Code

SIGN = {enums.BUY: 1, enums.SELL: -1}

# --- listing -----------------------------------------------------------------------------------------


def get_tiers(body: Body) -> list[tuple[int, int, int]]:
    """The tiers of a message; unused ones, whose rates are zero, are left out."""
    tiers = [(body[f"lower{k}"], body[f"imr{k}"], body[f"mmr{k}"]) for k in range(limits.MAX_TIERS)]
    while tiers and tiers[-1] == (0, 0, 0):
        tiers.pop()
    return tiers


def are_tiers_good(tiers: list[tuple[int, int, int]]) -> bool:
    pairs = list(pairwise(tiers))
    return (
        bool(tiers)
        and tiers[0][0] == 0
        and all(a[0] < b[0] <= limits.MAX_POSITION_VALUE for a, b in pairs)
        and all(a[1] <= b[1] and a[2] <= b[2] for a, b in pairs)
        and all(mmr >= limits.MIN_MMR and 3 * mmr <= 2 * imr <= 2 * PPM for _, imr, mmr in tiers)
    )


def are_parameters_good(body: Body, band: int) -> bool:
    return (
        are_tiers_good(get_tiers(body))
        and limits.MIN_IMPACT <= body["impactNotional"] <= limits.MAX_IMPACT
        and limits.MIN_BAND <= body["bandBasis"] <= band
        and limits.MIN_BAND <= body["bandListing"] <= band
        and 1 <= body["fundingCap"] <= limits.MAX_FUNDING_CAP
        and body["interest"] <= limits.MAX_INTEREST
        and body["oiLower"] < body["oiUpper"] <= limits.MAX_OPEN_VALUE
        and body["lossCap"] <= limits.MAX_OPEN_VALUE
    )


def is_update_good(perp: Perp, body: Body) -> bool:
    """What UPDATE_MARKET must keep besides the bounds of every market."""
    widest = max(perp.band_basis, perp.band_listing)
    return (
        widest <= body["band"]
        and 1 <= body["openInterestCap"] <= limits.MAX_OPEN_VALUE
        and body["accountCap"] <= limits.MAX_OPEN_VALUE
        and body["maxLots"] * perp.market.max_price * perp.tv <= limits.MAX_POSITION_VALUE
    )


def set_parameters(zone: State, perp: Perp, body: Body) -> None:
    perp.tiers = get_tiers(body)
    perp.funding_cap, perp.interest = body["fundingCap"], body["interest"]
    perp.impact_notional, perp.loss_cap = body["impactNotional"], body["lossCap"]
    perp.band_listing, perp.band_basis = body["bandListing"], body["bandBasis"]
    perp.oi_lower, perp.oi_upper = body["oiLower"], body["oiUpper"]
    zone.emit(
        events.PERP_TERMS,
        market=perp.market.slot,
        account=perp.feed.slot,
        price=perp.band_basis,
        other_account=perp.band_listing,
        order=perp.funding_cap,
        other_order=perp.interest,
        lots=perp.oi_lower,
        left=perp.oi_upper,
        amount=perp.impact_notional,
        amount2=perp.loss_cap,
        flag=len(perp.tiers),
    )
    for k, (lower, imr, mmr) in enumerate(perp.tiers):
        zone.emit(
            events.MARGIN_TIER,
            market=perp.market.slot,
            flag=k,
            order=lower,
            price=imr,
            other_account=mmr,
        )


def get_breaks(*tiers: tuple[int, int, int]) -> list[int]:
    """Notionals at which one of two margin functions bends, and the end of both."""
    return [*sorted({tier[0] for tier in tiers} - {0}), limits.MAX_POSITION_VALUE]


def raises_maintenance(old: list[tuple[int, int, int]], new: list[tuple[int, int, int]]) -> bool:
    return any(
        margin.get_sum(new, at, 2) > margin.get_sum(old, at, 2) for at in get_breaks(*old, *new)
    )


def is_rise_bounded(zone: State, perp: Perp, new: list[tuple[int, int, int]]) -> bool:
    """By a quarter at most, everywhere, and once a day."""
    is_early = perp.raised != 0 and zone.time < perp.raised + limits.DAY
    return not is_early and all(
        margin.get_sum(new, at, 2) * PPM
        <= margin.get_sum(perp.tiers, at, 2) * (PPM + limits.MARGIN_RISE)
        for at in get_breaks(*perp.tiers, *new)
    )


def set_perp(zone: State, body: Body) -> None:
    perp = zone.perps.get(body["market"])
    require(perp is not None and perp.is_live, Code.MARKET_NOT_FOUND)
    require(are_parameters_good(body, perp.market.band), Code.BAD_PARAMETERS)
    if raises_maintenance(perp.tiers, get_tiers(body)):
        require(is_rise_bounded(zone, perp, get_tiers(body)), Code.NOT_ELIGIBLE)
        perp.raised = zone.time
    set_parameters(zone, perp, body)
    zone.epoch += 1


def approve_cross(zone: State, body: Body) -> None:
    perp = zone.perps.get(body["market"])
    require(perp is not None and perp.is_live, Code.MARKET_NOT_FOUND)
    require(body["weight"] <= limits.MAX_WEIGHT, Code.BAD_PARAMETERS)
    is_eligible = (
        perp.market.listed + limits.CROSS_AGE <= zone.time
        and (perp.broken == 0 or perp.broken + limits.CROSS_AGE <= zone.time)
        and perp.feed.quorum >= 3
        and perp.state == enums.PRICE_LIVE
        and perp.ledger.deficit == 0
    )
    require(is_eligible, Code.NOT_ELIGIBLE)
    perp.is_cross, perp.weight = True, body["weight"]
    zone.epoch += 1
    zone.emit(events.CROSS_APPROVED, market=perp.market.slot, amount=perp.weight)


# --- locks -------------------------------------------------------------------------------------------


def get_reserve(perp: Perp, side: int, price: int) -> int:
    """What one lot loses against the mark at the order's own price."""
    return max(0, SIGN[side] * (price - perp.mark)) * perp.tv


def get_lock(
    market: Market, price: int, lots: int, reserve: int, interface_fee: int, flags: int
) -> int:
    if flags & (enums.ORDER_REDUCE_ONLY | enums.ORDER_FORCED):
        return 0
    rate = max(market.taker_fee, market.maker_fee, 0) + interface_fee
    return lots * reserve + ceil_div(market.notional(price, lots) * rate, PPM)


def get_order_lock(zone: State, order: Order, lots: int) -> int:
    market = zone.markets[order.market]
    return get_lock(market, order.price, lots, order.reserve, order.interface_fee, order.flags)


# --- checks 19 and 20 of PLACE -----------------------------------------------------------------------


@dataclass
class Entry:
    """What check 19 found and what the order will be."""

    perp: Perp
    key: tuple[int, int, int]
    lots: int
    reserve: int = 0
    lock: int = 0
    pull: int = 0
    leverage: int = 0


def get_reducible(position: Position | None, side: int) -> int:
    """Lots that an order of `side` could close."""
    if position is None or SIGN[side] * position.lots >= 0:
        return 0
    return abs(position.lots)


def check_entry(
    zone: State,
    account: int,
    perp: Perp,
    side: int,
    price: int,
    lots: int,
    flags: int,
    interface_fee: int,
) -> Entry:
    """Checks 19 and 20 for an order that is not in the lists; nothing but funding moves."""
    market, tv = perp.market, perp.tv
    key = pools.get_pool_key(zone, account, perp)
    pool = zone.accounts[account].pools.get(key)
    require(pool is None or pool.state == enums.ACTIVE, Code.POOL_BUSY)
    position = pool.positions.get(market.slot) if pool else None
    if flags & enums.ORDER_REDUCE_ONLY:
        closable = get_reducible(position, side)
        require(closable >= 1, Code.NOTHING_TO_REDUCE)
        lots = min(lots, closable)
        is_all = lots == closable or market.notional(price, lots) >= market.min_notional
        require(is_all, Code.NOTIONAL_TOO_SMALL)
        return Entry(perp, key, lots)
    pools.require_pool(zone, account, key)
    if position is None:
        is_few = pool is None or len(pool.positions) < limits.MAX_POSITIONS
        require(is_few, Code.TOO_MANY_POSITIONS)
        require(zone.slots["position"].has_room(), Code.TABLE_FULL)
    held = position.lots if position else 0
    sides = (enums.BUY, enums.SELL)
    opened = [margin.get_open_lots(zone, position, s) if position else 0 for s in sides]
    before = max(abs(held + opened[0]), abs(held - opened[1]), abs(held))
    opened[side] += lots
    worst = max(abs(held + opened[0]), abs(held - opened[1]), abs(held))
    size = (abs(held) + sum(opened)) * market.max_price * tv
    require(size <= limits.MAX_POSITION_VALUE, Code.POSITION_TOO_LARGE)
    if worst > before:
        is_free = perp.open_lots * perp.mark * tv < market.open_interest_cap
        require(is_free, Code.OPEN_INTEREST_CAP)
        require(get_open_value(zone, perp.ledger) < perp.ledger.cap, Code.VENUE_CAP)
        cap = market.account_cap
        require(cap == 0 or worst * perp.mark * tv <= cap, Code.ACCOUNT_CAP)
    _, leverage = pools.get_setting(zone, account, perp)
    if position is not None:
        leverage = position.leverage
    reserve = get_reserve(perp, side, price)
    lock = get_lock(market, price, lots, reserve, interface_fee, flags)
    initial = margin.get_initial(perp, worst, leverage)
    weighted = order_margin = 0
    if pool is not None:
        pools.touch(zone, pool)
        total = margin.get_pool_values(zone, pool)
        initial += total.initial
        weighted = total.weighted
        order_margin = margin.get_order_margin(zone, pool)
    if position is not None:
        # The position's own part, with the new worst side in place of the old one.
        old = margin.get_values(zone, position)
        initial -= old.initial
        own = margin.get_initial(perp, worst, leverage)
        capped = old.pnl if old.pnl <= own else own + (old.pnl - own) * perp.weight // PPM
        weighted += capped - old.weighted
    pull = max(0, initial + order_margin + lock - weighted)
    require(pull <= zone.free(account, market.quote), Code.INSUFFICIENT_MARGIN)
    return Entry(perp, key, lots, reserve, lock, pull, leverage)


def enter_pool(zone: State, account: int, entry: Entry) -> tuple[Pool, Position]:
    """Open what is missing and make the pull."""
    pool = pools.get_or_open_pool(zone, account, entry.key)
    position = pools.get_or_open_position(zone, pool, entry.perp, entry.leverage)
    pools.move_in(zone, pool, entry.pull)
    return pool, position


def get_open_value(zone: State, ledger: Ledger) -> int:
    """Open interest of a ledger at the marks."""
    return sum(
        perp.open_lots * perp.mark * perp.tv
        for perp in zone.perps.values()
        if perp.ledger is ledger and perp.is_live and not perp.settlement
    )


# --- matching ----------------------------------------------------------------------------------------


def why_not_take(zone: State, taker: Order) -> int:
    """Reason for which a released order is cancelled before it meets anybody, 0 = none."""
    pool = taker.pool
    if not taker.is_forced:
        return 0 if pool.state == enums.ACTIVE else enums.CANCEL_LIQUIDATION
    return liquidation.why_not_force(zone, taker)


def meet(zone: State, taker: Order, maker: Order) -> Order | None:
    """Step 9 and 10 for a pair; return the order that the rules keep from filling and cancel it here.

    None: it was filled.
    """
    perp = zone.perps[taker.market]
    for order in (taker, maker):
        pools.touch(zone, order.pool)
    if maker.pool.state != enums.ACTIVE:
        return _refuse(zone, maker, taker, enums.CANCEL_LIQUIDATION)
    lots = min(taker.lots, maker.lots)
    for order in (taker, maker):
        if order.is_reduce_only:
            closable = get_reducible(order.position, order.side)
            if closable == 0:
                return _refuse(zone, order, taker, enums.CANCEL_REDUCE_ONLY)
            lots = min(lots, closable)
    capped = find_capped(zone, perp, taker, maker, lots)
    if capped is not None:
        return _refuse(zone, capped, taker, enums.CANCEL_CAP)
    deal = get_deal(zone, perp, taker, maker, lots)
    for order in (taker, maker):
        if not has_margin(zone, perp, deal, order, is_taker=order is taker):
            return _refuse(zone, order, taker, enums.CANCEL_MARGIN)
    fill(zone, perp, deal)
    return None


def _refuse(zone: State, order: Order, taker: Order, reason: int) -> Order:
    if order is taker:
        orders.end(zone, order, reason)
    else:
        orders.cancel_resting(zone, order, reason)
    return order


def find_capped(zone: State, perp: Perp, taker: Order, maker: Order, lots: int) -> Order | None:
    market, value = perp.market, perp.mark * perp.tv
    rise = 0
    for order in (taker, maker):
        held = order.position.lots
        after = held + SIGN[order.side] * lots
        rise += max(0, after) - max(0, held)
        cap = market.account_cap
        if abs(after) > abs(held) and cap != 0 and abs(after) * value > cap:
            return order
    after = perp.open_lots + rise
    is_over = rise > 0 and (
        after * value > market.open_interest_cap
        or after * market.max_price * perp.tv > limits.MAX_OPEN_VALUE
        or get_open_value(zone, perp.ledger) + rise * value > perp.ledger.cap
    )
    return taker if is_over else None


@dataclass
class Deal:
    """A fill before anything has moved: fees by order, and what a forced taker pays to the fund."""

    taker: Order
    maker: Order
    price: int
    lots: int
    fees: dict[int, int]  # of the market, by id(order)
    extras: dict[int, int]  # of interface or door
    gain: int

    def cost(self, order: Order) -> int:
        gain = self.gain if order is self.taker else 0
        return self.fees[id(order)] + self.extras[id(order)] + gain


def get_deal(zone: State, perp: Perp, taker: Order, maker: Order, lots: int) -> Deal:
    market, price = perp.market, maker.price
    notional = price * perp.tv * lots
    if perp.ledger.deficit:
        none = {id(taker): 0, id(maker): 0}
        taker_fee, maker_fee, extras = 0, 0, none
    else:
        taker_fee = 0 if taker.is_forced else ceil_div(notional * market.taker_fee, PPM)
        if market.maker_fee >= 0:
            maker_fee = ceil_div(notional * market.maker_fee, PPM)
        else:
            most = (
                taker_fee
                - matching.get_least(market, taker_fee)
                - matching.get_referral(market, taker_fee)
            )
            maker_fee = -min(notional * -market.maker_fee // PPM, most)
        extras = {
            id(order): ceil_div(notional * order.interface_fee, PPM) for order in (taker, maker)
        }
    gain = liquidation.get_gain(zone, perp, taker, price, lots) if taker.is_forced else 0
    fees = {id(taker): taker_fee, id(maker): maker_fee}
    return Deal(taker, maker, price, lots, fees, extras, gain)


def trade(position: Position, perp: Perp, change: int, price: int) -> int:
    """`change` lots at a price; return what was realised. Side lists are the caller's business."""
    held, tv = position.lots, perp.tv
    closed = min(abs(change), abs(held)) if change * held < 0 else 0
    realised = 0
    if closed:
        sign = position.side
        cost = position.quote * closed // abs(held)
        position.quote -= cost
        realised = cost + sign * closed * price * tv
        position.pool.collateral += realised
        position.lots -= sign * closed
        change += sign * closed
    position.quote -= change * price * tv
    position.lots += change
    return realised


def relist(perp: Perp, position: Position, side: int) -> None:
    """Behind a trade: `side` is the side before it."""
    if position.side == side:
        return
    if side:
        perp.sides[side].remove(position)
    if position.side:
        perp.sides[position.side].append(position)


def move(zone: State, position: Position, change: int, price: int) -> int:
    """Trade and keep the side lists; return what was realised."""
    perp, side = zone.perps[position.market], position.side
    realised = trade(position, perp, change, price)
    relist(perp, position, side)
    return realised


def has_margin(zone: State, perp: Perp, deal: Deal, order: Order, *, is_taker: bool) -> bool:
    """Try one side of the deal, look, and take it back."""
    pool, position = order.pool, order.position
    before = margin.get_pool_values(zone, pool)
    kept = (pool.collateral, position.lots, position.quote, order.lots, order.locked)
    change = SIGN[order.side] * deal.lots
    reduces = position.lots * change < 0 and deal.lots <= abs(position.lots)
    trade(position, perp, change, deal.price)
    pool.collateral -= deal.cost(order)
    order.lots -= deal.lots
    order.locked = min(order.locked, get_order_lock(zone, order, order.lots))
    after = margin.get_pool_values(zone, pool)
    if is_taker:
        asked = after.initial + margin.get_order_margin(zone, pool)
        passes = after.weighted >= asked
    else:
        passes = after.pnl >= after.maintenance
    pool.collateral, position.lots, position.quote, order.lots, order.locked = kept
    not_worse = after.pnl * before.maintenance >= before.pnl * after.maintenance
    return passes or (reduces and after.pnl >= 0 and not_worse)


def fill(zone: State, perp: Perp, deal: Deal) -> None:
    market = perp.market
    taker, maker, price, lots = deal.taker, deal.maker, deal.price, deal.lots
    is_first = [order.filled == 0 for order in (taker, maker)]
    realised, reduced = [], []
    for order in (taker, maker):
        change = SIGN[order.side] * lots
        reduced.append(order.position.lots * change < 0)
        realised.append(move(zone, order.position, change, price))
        order.pool.collateral -= deal.cost(order)
        order.lots -= lots
        order.filled += lots
        order.locked = min(order.locked, get_order_lock(zone, order, order.lots))
    if deal.gain:
        pools.receive_income(zone, perp.ledger, deal.gain)
    matching.note_trade(zone, market, price, lots)
    zone.emit(
        events.FILL,
        order=taker.id,
        other_order=maker.id,
        account=taker.account,
        other_account=maker.account,
        market=market.slot,
        side=taker.side,
        price=price,
        lots=lots,
        left=maker.lots,
        amount=deal.cost(taker),
        amount2=deal.cost(maker),
    )
    for order, amount, is_reduced in zip((taker, maker), realised, reduced, strict=True):
        if is_reduced:
            zone.emit(events.REALISED, account=order.account, market=market.slot, amount=amount)
    share_fees(zone, perp, deal)
    matching.finish_fill(zone, market, taker, maker, is_first)
    for order, is_reduced in zip((taker, maker), reduced, strict=True):
        if is_reduced:
            pools.release(zone, order.pool)


def share_fees(zone: State, perp: Perp, deal: Deal) -> None:
    """As everywhere, but the insurance part stays inside the wall."""
    sides = [
        matching.Side(order, 0, 0, 0, 0, 0, fee=deal.fees[id(order)], extra=deal.extras[id(order)])
        for order in (deal.taker, deal.maker)
    ]
    total = sum(side.fee + side.extra for side in sides)
    insurance = matching.share_fees(zone, perp.market, *sides, ledger=perp.ledger)
    perp.ledger.cash -= total - insurance
    if insurance:
        pools.receive_income(zone, perp.ledger, insurance)


# --- an order leaves ---------------------------------------------------------------------------------


def forget(zone: State, order: Order) -> None:
    """Behind the removal of an order from every list: its pool releases what it held."""
    pool = order.pool
    if pool.forced is order:
        pool.forced = None
    pools.release(zone, pool)
