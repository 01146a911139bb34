"""What the price of a perpetual admits, and its price band (``docs/spec/prices.md``)."""

from __future__ import annotations

from tradezone.engine._jit import i64, jit
from tradezone.engine.tables import T_MARKET, is_used
from tradezone.protocol.enums import (
    BUY,
    MARKET_PERP,
    ORDER_REDUCE_ONLY,
    PHASE_SETTLED,
    PRICE_BREAK,
    PRICE_FROZEN,
    PRICE_NONE,
    PRICE_REOPEN,
    TIF_POST_ONLY,
    TIF_POST_SLIDE,
)
from tradezone.protocol.limits import LISTING_MS, MAX_PRICE, PPM, SUB


@jit
def is_live(s, market):
    """Whether a market is a perpetual that has not been settled to its end."""
    k = s.market[market]
    if k.kind != MARKET_PERP or k.guest_of != 0:
        return False
    j = s.job[market]
    return k.phase != PHASE_SETTLED or j.kind != 0 or j.next_kind != 0


@jit
def find_perp(s, market):
    """Slot of the live perpetual that ``market`` names, 0 if it names none."""
    return i64(market) if is_used(s, T_MARKET, market) and is_live(s, market) else i64(0)


@jit
def is_price_admitting(s, market, tif, flags):
    """Whether price, ledger and job of a perpetual (a home) admit an order of this kind now."""
    k, p = s.market[market], s.price[market]
    if p.state == PRICE_NONE or s.job[market].kind != 0:
        return False
    is_reducing = (i64(flags) & ORDER_REDUCE_ONLY) != 0
    if p.state == PRICE_REOPEN and tif != TIF_POST_ONLY and tif != TIF_POST_SLIDE:
        return False
    if p.state == PRICE_FROZEN or p.state == PRICE_BREAK or s.ledger[k.ledger].deficit != 0:
        return is_reducing
    return True


@jit
def get_band(k, p, time):
    """Return the lowest and the highest price inside the band of market ``k`` with price ``p``."""
    index = i64(p.index)
    if index == 0:
        return i64(1), i64(MAX_PRICE)
    centre, width = index + i64(p.basis) // SUB, i64(k.band_basis)
    if time < k.listed + LISTING_MS:
        centre, width = index, i64(k.band_listing)
    inner, outer = centre * width // PPM, index * i64(k.band) // PPM
    low = max(centre - inner, index - outer, i64(1))
    return low, min(centre + inner, index + outer, i64(k.max_price))


@jit
def is_outside_band(s, market, time, side, price):
    """Whether an order of ``side`` may not trade at ``price``: a buy above the band, a sell below."""
    low, high = get_band(s.market[market], s.price[market], i64(time))
    return price > high if side == BUY else price < low
