"""docs/spec/orders.md and blocks.md: releasing waiting orders, matching them, sharing out fees."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model import orders, outcome, perps, phases, plans, quota
from tests.model.records import OPPOSITE, PPM, Ledger, Market, Order, ceil_div
from tests.model.state import State
from tradezone.protocol import enums, events, limits


def release(zone: State) -> None:
    """Match the waiting orders that are due."""
    passed: list[int] = []
    while True:
        market = zone.queue.first
        if market is None:
            break
        queue = zone.books[market].queue
        taker = queue[0]
        if taker.release > zone.time or zone.met >= limits.BLOCK_MEETINGS:
            break
        if taker.release_block > zone.block:
            zone.queue.remove(market)
            passed.insert(0, market)
            continue
        zone.met += 1
        taker.state = enums.TAKING
        if not take(zone, taker):
            taker.state = enums.WAITING
            taker.release_block = zone.block + 1
        elif len(queue) > 1:
            queue.pop(0)
            zone.queue.change(market)
        else:
            zone.queue.remove(market)
            queue.pop(0)
    for market in passed:
        zone.queue.push(market)


def may_take(zone: State, taker: Order) -> bool:
    """Whether the phases admit a released order., its door's among them."""
    markets = [zone.markets[slot] for slot in (taker.market, taker.door) if slot]
    return all(
        phases.admits(zone, market, tif=taker.tif, is_reduce_only=taker.is_reduce_only)
        for market in markets
    )


def is_own(taker: Order, maker: Order) -> bool:
    if taker.stp & enums.STP_OWNER:
        return maker.owner == taker.owner
    return maker.account == taker.account


def take(zone: State, taker: Order) -> bool:
    """Match one released order. False if it met `MAX_FILLS` makers and waits on."""
    market, book = zone.markets[taker.market], zone.books[taker.market]
    opposite = OPPOSITE[taker.side]
    if taker.is_expired(zone.time):
        orders.end(zone, taker, enums.CANCEL_EXPIRED)
        return True
    is_fok = taker.tif == enums.TIF_FOK
    if not may_take(zone, taker) or (is_fok and market.has_caps):
        orders.end(zone, taker, enums.CANCEL_MARKET)
        return True
    if market.is_perp:
        reason = perps.why_not_take(zone, taker)
        if reason:
            orders.end(zone, taker, reason)
            return True
    phases.move_anchor(zone, market)
    if is_fok and not can_fill(zone, taker):
        orders.end(zone, taker, enums.CANCEL_FOK)
        return True
    met = 0
    while True:
        if taker.lots == 0:
            orders.forget(zone, taker)
            return True
        if not book.is_crossed_by(taker.side, taker.price):
            break
        price = book.best(opposite)
        if phases.is_outside(zone, market, taker.side, price):
            orders.end(zone, taker, enums.CANCEL_BAND)
            return True
        if met == limits.MAX_FILLS:
            return False
        maker = book.levels[opposite][price].orders[0]
        met += 1
        zone.met += 1
        if maker.is_expired(zone.time):
            orders.cancel_resting(zone, maker, enums.CANCEL_EXPIRED)
        elif is_own(taker, maker):
            if meet_own(zone, taker, maker):
                return True
        elif phases.is_outside(zone, market, maker.side, price):
            orders.cancel_resting(zone, maker, enums.CANCEL_BAND)
        elif market.is_perp:
            if perps.meet(zone, taker, maker) is taker:
                return True
        else:
            lots = min(taker.lots, maker.lots)
            capped = None
            if market.is_outcome:
                capped = outcome.find_capped(zone, market, taker, maker, lots)
            if capped is taker:
                orders.end(zone, taker, enums.CANCEL_CAP)
                return True
            if capped is maker:
                orders.cancel_resting(zone, maker, enums.CANCEL_CAP)
            else:
                fill(zone, taker, maker)
    if taker.tif == enums.TIF_GTC and not taker.flags & enums.ORDER_CANCELLED_WAITING:
        orders.rest(zone, taker)
    else:
        orders.end(zone, taker, enums.CANCEL_IOC)
    return True


def can_fill(zone: State, taker: Order) -> bool:
    """Whether a FOK order finds its lots among the first `MAX_FILLS` makers it crosses."""
    market, book = zone.markets[taker.market], zone.books[taker.market]
    opposite = OPPOSITE[taker.side]
    makers = [
        maker
        for price in book.prices(opposite)
        for maker in book.levels[opposite][price].orders
        if (price <= taker.price if taker.side == enums.BUY else price >= taker.price)
        and not phases.is_outside(zone, market, taker.side, price)
    ]
    found = 0
    for maker in makers[: limits.MAX_FILLS]:
        zone.met += 1
        if maker.is_expired(zone.time):
            continue
        if is_own(taker, maker):
            mode = taker.stp & enums.STP_MODE
            if maker.seq < taker.seq and mode != enums.STP_OLDEST:
                break
            continue
        if phases.is_outside(zone, market, maker.side, maker.price):
            continue
        found += maker.lots
        if found >= taker.lots:
            break
    return found >= taker.lots


def meet_own(zone: State, taker: Order, maker: Order) -> bool:
    """Self-trade rules. True if the taker is gone."""
    mode = taker.stp & enums.STP_MODE
    if maker.seq > taker.seq:
        orders.cancel_resting(zone, maker, enums.CANCEL_STP)
        return False
    if mode in (enums.STP_OLDEST, enums.STP_BOTH):
        orders.cancel_resting(zone, maker, enums.CANCEL_STP)
    if mode in (enums.STP_NEWEST, enums.STP_BOTH):
        orders.end(zone, taker, enums.CANCEL_STP)
        return True
    if mode == enums.STP_DECREMENT:
        lots = min(maker.lots, taker.lots)
        for order in (maker, taker):
            if order.lots > lots:
                orders.shrink(zone, order, order.lots - lots)
                continue
            if order is maker:
                orders.leave_level(zone, maker)
            zone.emit_order(events.ORDER_CANCELLED, order, tif=enums.CANCEL_STP, lots=0)
            orders.forget(zone, order)
            if order is taker:
                return True
    return False


# --- a fill ------------------------------------------------------------------------------------------


@dataclass
class Side:
    """One order of a fill of `lots` at `price`: what it pays and gets, all before anything moves."""

    order: Order
    pays: int
    gets: int
    closed: int  # k, lots of the holding
    opened: int  # u
    room: int
    fee: int = 0  # of the market, negative = rebate
    extra: int = 0  # of the interface or door


def get_side(market: Market, order: Order, price: int, lots: int) -> Side:
    left = order.lots - lots
    if market.is_outcome:
        closed, opened = outcome.split_lots(order, lots)
        # What closing gives is what the other side's cost would be.
        gets = market.cost(OPPOSITE[order.side], price, closed)
        pays = market.cost(order.side, price, opened)
        after = market.cost(order.side, order.price, left - (order.cover - closed))
        return Side(order, pays, gets, closed, opened, order.locked - pays - after + gets)
    if order.side == enums.SELL:
        notional = market.notional(price, lots)
        return Side(order, 0, notional, 0, 0, notional)
    pays = market.cost(order.side, price, lots)
    after = market.cost(order.side, order.price, left)
    return Side(order, pays, 0, 0, 0, order.locked - pays - after)


def fill(zone: State, taker: Order, maker: Order) -> None:
    market, book = zone.markets[taker.market], zone.books[taker.market]
    price, lots = maker.price, min(taker.lots, maker.lots)
    base = market.fee_base(price, lots)
    t, m = (get_side(market, order, price, lots) for order in (taker, maker))
    t.fee = min(ceil_div(base * market.taker_fee, PPM), t.room)
    t.extra = min(ceil_div(base * taker.interface_fee, PPM), t.room - t.fee)
    if market.maker_fee >= 0:
        m.fee = min(ceil_div(base * market.maker_fee, PPM), m.room)
    else:
        most = t.fee - get_least(market, t.fee) - get_referral(market, t.fee)
        m.fee = -min(base * -market.maker_fee // PPM, most)
    m.extra = min(ceil_div(base * maker.interface_fee, PPM), m.room - max(m.fee, 0))

    is_first = [order.filled == 0 for order in (taker, maker)]
    for side in (t, m):
        if market.is_outcome:
            settle_outcome(zone, market, side, lots)
        else:
            settle_spot(zone, market, side, price, lots)
    if market.is_outcome:
        buyer, seller = (t, m) if taker.side == enums.BUY else (m, t)
        book.open_lots += buyer.opened - seller.closed
        event = zone.groups[market.group]
        event.cash += t.pays + m.pays - t.gets - m.gets

    note_trade(zone, market, price, lots)
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
        amount=t.fee + t.extra,
        amount2=m.fee + m.extra,
    )
    if market.is_outcome:
        outcome.annihilate(zone, taker.holding)
        outcome.annihilate(zone, maker.holding)
    share_fees(zone, market, t, m)
    finish_fill(zone, market, taker, maker, is_first)


def note_trade(zone: State, market: Market, price: int, lots: int) -> None:
    """The book remembers a fill."""
    book = zone.books[market.slot]
    zone.trade_seq += 1
    book.last_price, book.last_time = price, zone.time
    book.volume_lots = (book.volume_lots + lots) % (1 << 62)
    book.trades = (book.trades + 1) % (1 << 31)
    if market.band and not market.is_perp:
        book.band_last = price


def finish_fill(
    zone: State, market: Market, taker: Order, maker: Order, is_first: list[bool]
) -> None:
    """Behind the money of a fill: plans and children are told, an empty maker leaves."""
    plans.note_fill(zone, market.slot, zone.books[market.slot].last_price)
    for order, is_its_first in zip((taker, maker), is_first, strict=True):
        if is_its_first:
            plans.arm_children(zone, order)
    if maker.lots == 0:
        orders.leave_level(zone, maker)
        orders.forget(zone, maker)


def settle_spot(zone: State, market: Market, side: Side, price: int, lots: int) -> None:
    order, fees = side.order, side.fee + side.extra
    order.lots -= lots
    order.filled += lots
    paying = zone.balance(order.account, order.pay_asset)
    receiving = zone.balance(order.account, order.receive_asset)
    if order.side == enums.BUY:
        lock = min(
            order.locked - side.pays - max(fees, 0),
            market.lock(order.side, order.price, order.lots, order.interface_fee),
        )
        paying.locked -= order.locked - lock
        paying.free += order.locked - lock - (side.pays + fees)
        order.locked = lock
        receiving.free += market.base_atoms(lots)
    else:
        paying.locked -= market.base_atoms(lots)
        order.locked -= market.base_atoms(lots)
        receiving.free += market.notional(price, lots) - fees


def settle_outcome(zone: State, market: Market, side: Side, lots: int) -> None:
    order, fees, holding = side.order, side.fee + side.extra, side.order.holding
    order.lots -= lots
    order.filled += lots
    if order.side == enums.BUY:
        holding.no -= side.closed
        holding.no_locked -= side.closed
        holding.yes += side.opened
    else:
        holding.yes -= side.closed
        holding.yes_locked -= side.closed
        holding.no += side.opened
    order.cover -= side.closed
    lock = min(
        order.locked - side.pays - max(fees - side.gets, 0),
        market.lock(order.side, order.price, order.lots - order.cover, order.interface_fee),
    )
    balance = zone.balance(order.account, market.quote)
    balance.locked -= order.locked - lock
    balance.free += order.locked - side.pays - lock + side.gets - fees
    order.locked = lock


def get_least(market: Market, fee: int) -> int:
    return ceil_div(fee * market.protocol_share, PPM)


def get_referral(market: Market, fee: int) -> int:
    return fee * market.referrer_share // PPM


def share_fees(zone: State, market: Market, t: Side, m: Side, ledger: Ledger | None = None) -> int:
    """Share out the fees of a fill; return the insurance part, which a ledger keeps inside its wall."""
    venue = zone.venues[market.venue]
    fees = [t.fee, max(m.fee, 0)]
    pot = t.fee + m.fee
    rest = pot - sum(get_least(market, f) + get_referral(market, f) for f in fees)
    to_venue = rest * (PPM - market.insurance_share) // PPM
    to_insurance = rest * market.insurance_share // PPM
    zone.balance(venue.fee_account, market.quote).free += to_venue
    if ledger is None:
        zone.balance(venue.fund_account, market.quote).free += to_insurance
    to_protocol = pot + t.extra + m.extra - to_venue - to_insurance

    def give(account: int, part: int, order: Order, flag: int) -> int:
        """Pay a part if its receiver can have it; return what was paid."""
        if part == 0 or account not in zone.accounts:
            return 0
        balance = zone.balance(account, market.quote)
        if balance is None:
            return 0
        balance.free += part
        zone.emit(
            events.FEE_SHARE,
            market=market.slot,
            account=account,
            order=order.id,
            flag=flag,
            amount=part,
        )
        return part

    for side in (t, m):
        to_protocol -= give(side.order.interface, side.extra, side.order, 1)
    for side, fee in zip((t, m), fees, strict=True):
        referrer = zone.owners.get(zone.owners[side.order.owner].referrer)
        account = referrer.main_account if referrer else 0
        to_protocol -= give(account, get_referral(market, fee), side.order, 2)
    zone.balance(zone.protocol_account, market.quote).free += to_protocol
    if to_venue + to_insurance + to_protocol > 0:
        zone.emit(
            events.FEES,
            market=market.slot,
            amount=to_venue,
            amount2=to_insurance,
            left=to_protocol,
        )
    for side, fee in zip((t, m), fees, strict=True):
        owner = zone.owners[side.order.owner]
        quota.reward(owner, zone.assets[market.quote], get_least(market, fee))
    return to_insurance
