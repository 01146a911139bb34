"""Margin as ``docs/spec/margin.md`` has it: what positions are worth and ask for, and what an order would.

Pure functions over plain numbers, for views, for the API that reads an engine's records, and for a client that wants to know
before it signs. Prices are ticks, sizes lots, money atoms, rates ppm; everything is an integer. Rounding is that of the rules: margins
up, releases down.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from tradezone.protocol.enums import BUY
from tradezone.protocol.limits import PPM, RELEASE_FLOOR

if TYPE_CHECKING:
    from collections.abc import Sequence


class Tier(NamedTuple):
    """A slice of notional that begins at ``lower`` atoms, and the rates that it asks for."""

    lower: int
    imr: int  # ppm, initial
    mmr: int  # ppm, maintenance


class Risk(NamedTuple):
    """What the margin of a market's positions depends on.

    Parameters
    ----------
    tick_value : int
        quote atoms of a tick of a lot
    max_price : int
        ticks
    mark : int
        ticks, 0 before the first price
    tiers : tuple of Tier
        by rising ``lower``, the first at 0
    profit_weight : int
        ppm of profit beyond its own margin that counts for other positions
    oi_rate : int
        ppm that open interest adds to initial margin
    band : int
        ppm that a release assumes as a loss while the price is not live
    is_live : bool
        whether the price is LIVE
    """

    tick_value: int
    max_price: int
    mark: int
    tiers: tuple[Tier, ...]
    profit_weight: int
    oi_rate: int
    band: int
    is_live: bool

    @property
    def max_leverage(self) -> int:
        """Highest leverage, hundredths."""
        return 100 * PPM // self.tiers[0].imr


class Stance(NamedTuple):
    """A position as margin sees it.

    Parameters
    ----------
    lots : int
        positive = long
    quote : int
        atoms that were received for lots less those paid
    buy_lots, sell_lots : int
        open lots of orders that may open
    leverage : int
        hundredths, 0 = the highest
    """

    lots: int = 0
    quote: int = 0
    buy_lots: int = 0
    sell_lots: int = 0
    leverage: int = 0

    @property
    def worst(self) -> int:
        """Lots of the worst side: what margin is asked for."""
        lots = self.lots
        return max(abs(lots + self.buy_lots), abs(lots - self.sell_lots), abs(lots))


class Values(NamedTuple):
    """Of a position, or of a pool with its collateral: then ``pnl`` is equity, ``weighted`` equity at entry."""

    pnl: int = 0
    weighted: int = 0
    initial: int = 0
    maintenance: int = 0
    notional: int = 0  # of the worst sides
    losses: int = 0  # what a release assumes


Exposure = tuple[Risk, Stance]


def ceil_div(a: int, b: int) -> int:
    """Quotient, rounded to plus infinity; ``b`` > 0."""
    return -(-a // b)


def trade(lots: int, quote: int, change: int, price: int, tick_value: int) -> tuple[int, int, int]:
    """Trade ``change`` lots at a price; return lots, quote and what was realised (rounded down)."""
    realised = 0
    if lots * change < 0:
        closed = min(abs(change), abs(lots))
        sign = 1 if lots > 0 else -1
        cost = quote * closed // abs(lots)
        quote -= cost
        realised = cost + sign * closed * price * tick_value
        lots -= sign * closed
        change += sign * closed
    return lots + change, quote - change * price * tick_value, realised


def get_tiered(tiers: Sequence[Tier], notional: int, rate: str) -> int:
    """Sum over the tiers of slice times rate (``imr`` or ``mmr``), atoms, rounded up once."""
    ends = [tier.lower for tier in tiers[1:]] + [notional]
    parts = zip(tiers, ends, strict=True)
    total = sum(max(0, min(notional, end) - t.lower) * getattr(t, rate) for t, end in parts)
    return ceil_div(total, PPM)


def get_maintenance(risk: Risk, lots: int) -> int:
    """Maintenance margin of lots at the mark, atoms."""
    return get_tiered(risk.tiers, abs(lots) * risk.mark * risk.tick_value, "mmr")


def get_initial(risk: Risk, lots: int, leverage: int) -> int:
    """Get the initial margin of lots at the mark, atoms."""
    notional = abs(lots) * risk.mark * risk.tick_value
    return max(
        ceil_div(notional * 100, leverage or risk.max_leverage),
        get_tiered(risk.tiers, notional, "imr"),
        ceil_div(notional * risk.oi_rate, PPM),
    )


def get_oi_rate(tiers: Sequence[Tier], interest: int, lower: int, upper: int) -> int:
    """Rate that open interest of ``interest`` atoms asks for, ppm."""
    if interest <= lower:
        return 0
    if interest >= upper:
        return PPM
    base = tiers[0].imr
    return base + ceil_div((PPM - base) * (interest - lower), upper - lower)


def get_values(risk: Risk, stance: Stance) -> Values:
    """Values of one position at the mark."""
    each = risk.mark * risk.tick_value
    pnl = stance.quote + stance.lots * each
    initial = get_initial(risk, stance.worst, stance.leverage)
    weighted = pnl
    if pnl > initial:
        weighted = initial + (pnl - initial) * risk.profit_weight // PPM
    price = risk.mark
    if not risk.is_live and stance.lots:
        distance = ceil_div(risk.mark * risk.band, PPM)
        price += -distance if stance.lots > 0 else distance
    return Values(
        pnl,
        weighted,
        initial,
        get_maintenance(risk, stance.lots),
        stance.worst * each,
        min(0, stance.quote + stance.lots * price * risk.tick_value),
    )


def get_pool_values(collateral: int, exposures: Sequence[Exposure]) -> Values:
    """Values of a pool: the sums over its positions, its collateral in equity and in equity at entry."""
    rows = [get_values(*exposure) for exposure in exposures]
    pnl, weighted, *others = (sum(column) for column in zip(Values(), *rows, strict=True))
    return Values(pnl + collateral, weighted + collateral, *others)


def get_releasable(collateral: int, values: Values, order_margin: int) -> int:
    """Atoms that the owner may take out of an active pool none of whose markets has a job."""
    least = max(values.initial + order_margin, ceil_div(values.notional, RELEASE_FLOOR))
    return max(0, min(collateral, collateral + values.losses - least))


def get_liquidation_price(
    collateral: int, exposures: Sequence[Exposure], number: int
) -> int | None:
    """Mark of one market at which its pool falls below maintenance, the others standing still.

    Parameters
    ----------
    collateral : int
        of the pool, atoms, funding settled
    exposures : sequence of (Risk, Stance)
        all positions of the pool
    number : int
        which of them moves

    Returns
    -------
    int or None
        the first tick, from the safe side, at which equity is below maintenance; the mark itself if it is already; None if
        no price from 1 to the highest does it
    """
    risk, stance = exposures[number]
    if stance.lots == 0:
        return None
    others = [exposure for i, exposure in enumerate(exposures) if i != number]
    rest = get_pool_values(collateral, others)
    slack = rest.pnl - rest.maintenance

    def is_below(price: int) -> bool:
        at = risk._replace(mark=price)
        equity = slack + stance.quote + stance.lots * price * risk.tick_value
        return equity < get_maintenance(at, stance.lots)

    if is_below(risk.mark):
        return risk.mark
    # A long's surplus rises with the price, a short's falls: maintenance grows slower than the notional.
    safe, worst = risk.mark, 1 if stance.lots > 0 else risk.max_price
    if not is_below(worst):
        return None
    while abs(worst - safe) > 1:
        middle = (worst + safe) // 2
        if is_below(middle):
            worst = middle
        else:
            safe = middle
    return worst


class Side(NamedTuple):
    """A position as deleveraging ranks it (``docs/spec/adl.md``)."""

    lots: int  # without sign
    notional: int  # atoms
    claim: int  # A: equity of its pool and what could be pulled, not below zero
    is_profit: bool


class Rank(NamedTuple):
    """Published place: who is deleveraged before a position.

    Parameters
    ----------
    is_profit : bool
        the group: those in profit give first
    ahead : int
        lots of its group that are leveraged more
    group_lots : int
        all lots of its group
    """

    is_profit: bool
    ahead: int
    group_lots: int


def get_rank(side: Sequence[Side], number: int) -> Rank:
    """Rank of one position among those of its side; `get_ranks` says it of all."""
    own = side[number]
    ahead = total = 0
    for row in side:
        if row.is_profit == own.is_profit:
            total += row.lots
            if row.notional * own.claim > own.notional * row.claim:
                ahead += row.lots
    return Rank(own.is_profit, ahead, total)


def get_ranks(side: Sequence[Side]) -> list[Rank]:
    """Places of all positions of one side of a market, in their order."""
    totals = {True: 0, False: 0}
    by_leverage: dict[bool, dict[Fraction | None, int]] = {True: {}, False: {}}
    keys = []
    for row in side:
        key = (
            Fraction(row.notional, row.claim) if row.claim else None
        )  # None: nothing stands behind it
        keys.append(key)
        group = by_leverage[row.is_profit]
        group[key] = group.get(key, 0) + row.lots
        totals[row.is_profit] += row.lots
    ahead: dict[tuple[bool, Fraction | None], int] = {}
    for is_profit, group in by_leverage.items():
        run = 0
        for key in sorted(group, key=lambda k: (k is not None, -k if k is not None else 0)):
            ahead[is_profit, key] = run
            run += group[key]
    return [
        Rank(row.is_profit, ahead[row.is_profit, key], totals[row.is_profit])
        for row, key in zip(side, keys, strict=True)
    ]


class Terms(NamedTuple):
    """Fees of a market, and of the interface that sends the order, ppm."""

    taker_fee: int
    maker_fee: int
    extra_fee: int = 0

    @property
    def worst(self) -> int:
        """What an order locks for fees."""
        return max(self.taker_fee, self.maker_fee, 0) + self.extra_fee


class Preview(NamedTuple):
    """What an order would ask for, and what it would leave if it were filled at once at its own price.

    Parameters
    ----------
    locked : int
        its loss against the mark and its worst fee
    pull : int
        what moves from the free balance into the pool when the order enters
    is_affordable : bool
        whether the free balance has that much
    fee : int
        of a fill of all of it as taker; ``maker_fee`` as maker (negative: a rebate, at most this much)
    equity, initial, maintenance : int
        of the pool behind that fill
    liquidation_price : int or None
        of the market behind that fill
    """

    notional: int
    locked: int
    pull: int
    is_affordable: bool
    fee: int
    maker_fee: int
    equity: int
    initial: int
    maintenance: int
    lots: int
    liquidation_price: int | None


def get_lock(
    risk: Risk, side: int, price: int, lots: int, fee: int, reserve: int | None = None
) -> int:
    """Atoms that an order's open lots lock inside their pool; ``reserve`` is a lot's, fixed when the order entered."""
    if reserve is None:
        reserve = get_reserve(risk, side, price)
    return lots * reserve + ceil_div(price * risk.tick_value * lots * fee, PPM)


def get_reserve(risk: Risk, side: int, price: int) -> int:
    """Atoms that a lot loses against the mark if it is filled at the order's own price."""
    distance = price - risk.mark if side == BUY else risk.mark - price
    return max(0, distance) * risk.tick_value


def preview_order(
    terms: Terms,
    collateral: int,
    order_margin: int,
    free: int,
    exposures: Sequence[Exposure],
    side: int,
    price: int,
    lots: int,
    *,
    is_reduce_only: bool = False,
) -> Preview:
    """Margin at entry, check 20 of PLACE, on a copy.

    Parameters
    ----------
    collateral, order_margin : int
        of the pool, atoms; zeros if there is none yet
    free : int
        free balance of the settlement asset
    exposures : sequence of (Risk, Stance)
        positions of the pool; the one of the order's market is the first, with lots 0 if there is none yet
    lots : int
        of the order; a reduce-only order is cut to what it can close

    Raises
    ------
    ValueError
        nothing can be closed by a reduce-only order, or a size or price is not positive
    """
    if lots < 1 or price < 1:
        raise ValueError(f"Expected a size and a price of at least 1, was {lots} at {price}")
    (risk, stance), *others = exposures
    sign = 1 if side == BUY else -1
    locked = pull = 0
    notional = price * risk.tick_value * lots
    if is_reduce_only:
        if sign * stance.lots >= 0:
            raise ValueError("Expected a position on the other side to reduce")
        lots = min(lots, abs(stance.lots))
        notional = price * risk.tick_value * lots
    else:
        name = "buy_lots" if side == BUY else "sell_lots"
        entered = stance._replace(**{name: getattr(stance, name) + lots})
        values = get_pool_values(collateral, [(risk, entered), *others])
        locked = get_lock(risk, side, price, lots, terms.worst)
        pull = max(0, values.initial + order_margin + locked - values.weighted)
    fee = ceil_div(notional * terms.taker_fee, PPM) + ceil_div(notional * terms.extra_fee, PPM)
    maker = ceil_div(notional * terms.maker_fee, PPM) + ceil_div(notional * terms.extra_fee, PPM)
    held, quote, realised = trade(stance.lots, stance.quote, sign * lots, price, risk.tick_value)
    filled = [(risk, stance._replace(lots=held, quote=quote)), *others]
    left = collateral + pull + realised - fee
    after = get_pool_values(left, filled)
    return Preview(
        notional=notional,
        locked=locked,
        pull=pull,
        is_affordable=pull <= free,
        fee=fee,
        maker_fee=maker,
        equity=after.pnl,
        initial=after.initial,
        maintenance=after.maintenance,
        lots=held,
        liquidation_price=get_liquidation_price(left, filled, 0),
    )
