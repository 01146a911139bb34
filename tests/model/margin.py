"""docs/spec/margin.md: what a position is worth and what it asks for."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model.records import PPM, Order, Perp, Pool, Position, ceil_div
from tests.model.state import State
from tradezone.protocol import enums


@dataclass
class Values:
    """Of one position, or summed over a pool (then with the collateral)."""

    pnl: int = 0
    weighted: int = 0
    initial: int = 0
    maintenance: int = 0
    notional: int = 0  # of the worst side
    losses: int = 0  # min(0, pnl at the price that a release assumes)

    def add(self, other: Values) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def get_orders(zone: State, position: Position) -> list[Order]:
    """Open orders that name a position."""
    return [o for o in zone.accounts[position.pool.account].orders if o.position is position]


def get_open_lots(zone: State, position: Position, side: int) -> int:
    """buy_lots or sell_lots: of orders that may open."""
    return sum(
        order.lots
        for order in get_orders(zone, position)
        if order.side == side and not order.is_reduce_only
    )


def get_worst(zone: State, position: Position) -> int:
    """W: the lots of the worst side."""
    buys, sells = (get_open_lots(zone, position, side) for side in (enums.BUY, enums.SELL))
    return max(abs(position.lots + buys), abs(position.lots - sells), abs(position.lots))


def get_sum(tiers: list[tuple[int, int, int]], notional: int, which: int) -> int:
    """Sum over the tiers of slice * rate, in ppm of an atom. `which`: 1 = initial, 2 = maintenance."""
    total = 0
    for k, tier in enumerate(tiers):
        end = tiers[k + 1][0] if k + 1 < len(tiers) else notional
        total += max(0, min(notional, end) - tier[0]) * tier[which]
    return total


def get_slices(perp: Perp, notional: int, which: int) -> int:
    """The same in atoms, rounded up once."""
    return ceil_div(get_sum(perp.tiers, notional, which), PPM)


def get_maintenance(perp: Perp, lots: int) -> int:
    return get_slices(perp, abs(lots) * perp.mark * perp.tv, 2)


def get_initial(perp: Perp, lots: int, leverage: int) -> int:
    notional = abs(lots) * perp.mark * perp.tv
    return max(
        ceil_div(notional * 100, leverage or perp.max_leverage),
        get_slices(perp, notional, 1),
        ceil_div(notional * perp.oi_rate, PPM),
    )


def get_pnl(perp: Perp, position: Position) -> int:
    return position.quote + position.lots * perp.mark * perp.tv


def get_values(zone: State, position: Position) -> Values:
    perp = zone.perps[position.market]
    pnl = get_pnl(perp, position)
    worst = get_worst(zone, position)
    initial = get_initial(perp, worst, position.leverage)
    weighted = pnl
    if pnl > initial:
        weighted = initial + (pnl - initial) * perp.weight // PPM
    price = perp.mark
    if perp.state != enums.PRICE_LIVE:
        price -= position.side * ceil_div(perp.mark * perp.market.band, PPM)
    return Values(
        pnl=pnl,
        weighted=weighted,
        initial=initial,
        maintenance=get_maintenance(perp, position.lots),
        notional=worst * perp.mark * perp.tv,
        losses=min(0, position.quote + position.lots * price * perp.tv),
    )


def get_pool_values(zone: State, pool: Pool) -> Values:
    """Of a touched pool: `pnl` is its equity, `weighted` its equity at entry."""
    total = Values()
    for position in pool.by_market():
        total.add(get_values(zone, position))
    total.pnl += pool.collateral
    total.weighted += pool.collateral
    return total


def get_order_margin(zone: State, pool: Pool) -> int:
    return sum(o.locked for o in zone.accounts[pool.account].orders if o.pool is pool)


def get_need(zone: State, pool: Pool) -> int:
    """What is missing to initial margin and the locks of the orders."""
    values = get_pool_values(zone, pool)
    return max(0, values.initial + get_order_margin(zone, pool) - values.weighted)


def get_oi_rate(perp: Perp) -> int:
    interest = perp.open_lots * perp.mark * perp.tv
    if interest <= perp.oi_lower:
        return 0
    if interest >= perp.oi_upper:
        return PPM
    base = perp.tiers[0][1]
    part = (PPM - base) * (interest - perp.oi_lower)
    return base + ceil_div(part, perp.oi_upper - perp.oi_lower)
