"""What a position is worth and what it asks for (``docs/spec/margin.md``): pure functions of numbers and terms.

``k``, ``r``, ``t`` are a perpetual's records ``market``, ``price`` and ``tier``. Lots are signed where a position's are
meant, money is atoms. A position's *values* are (pnl, weighted, initial, maintenance, notional, losses), in the order
of the sums of ``pool``; notionals are at most MAX_POSITION_VALUE, so nothing here needs a wide product.
"""

from __future__ import annotations

from tradezone.engine._jit import i64, jit, ppm_down, ppm_up
from tradezone.engine.wide import mul_div_ceil
from tradezone.protocol.enums import PRICE_LIVE
from tradezone.protocol.limits import PPM


@jit
def get_worst(lots, buy_lots, sell_lots):
    """Lots of the worst side: what the position may become if one side of its open orders fills."""
    worst = max(abs(i64(lots) + i64(buy_lots)), abs(i64(lots) - i64(sell_lots)))
    return max(worst, abs(i64(lots)))


@jit
def get_lower(t, tier):
    """Notional where a tier begins."""
    if tier == 0:
        return i64(0)
    if tier == 1:
        return i64(t.lower1)
    return i64(t.lower2) if tier == 2 else i64(t.lower3)


@jit
def get_imr(t, tier):
    """Rate of initial margin of a tier, ppm."""
    if tier == 0:
        return i64(t.imr0)
    if tier == 1:
        return i64(t.imr1)
    return i64(t.imr2) if tier == 2 else i64(t.imr3)


@jit
def get_mmr(t, tier):
    """Maintenance rate of a tier, ppm."""
    if tier == 0:
        return i64(t.mmr0)
    if tier == 1:
        return i64(t.mmr1)
    return i64(t.mmr2) if tier == 2 else i64(t.mmr3)


@jit
def get_slices(t, notional, is_initial):
    """Sum over the tiers of slice * rate, rounded up once: quotients and remainders are summed apart."""
    whole, parts = i64(0), i64(0)
    for tier in range(i64(t.tiers)):
        lower = get_lower(t, tier)
        upper = notional
        if tier + 1 < t.tiers:
            upper = min(notional, get_lower(t, tier + 1))
        if upper > lower:
            rate = get_imr(t, tier) if is_initial else get_mmr(t, tier)
            whole += (upper - lower) // PPM * rate
            parts += (upper - lower) % PPM * rate
    return whole + (parts + PPM - 1) // PPM


@jit
def get_notional_at(k, r, lots):
    """Atoms of ``lots`` at the mark; signed lots give a signed value."""
    return i64(lots) * i64(r.mark) * i64(k.tick_value)


@jit
def get_maintenance(k, r, t, lots):
    """Maintenance margin of a position of ``lots``, atoms."""
    return get_slices(t, get_notional_at(k, r, abs(i64(lots))), False)


@jit
def get_initial(k, r, t, lots, leverage):
    """Margin that ``lots`` on the worst side begin with; ``leverage`` in hundredths, 0 = the market's highest."""
    notional = get_notional_at(k, r, abs(i64(lots)))
    most = i64(leverage) if leverage != 0 else i64(k.max_leverage)
    margin = -(-(notional * 100) // most)
    margin = max(margin, get_slices(t, notional, True))
    return max(margin, ppm_up(notional, i64(r.oi_rate)))


@jit
def get_pnl(k, r, lots, quote):
    """Profit or loss of a position at the mark; exact."""
    return i64(quote) + get_notional_at(k, r, lots)


@jit
def weigh(k, pnl, initial):
    """Weigh a profit for other positions: all counts up to its own initial margin, behind it a part."""
    if pnl <= initial:
        return pnl
    return initial + ppm_down(pnl - initial, i64(k.profit_weight))


@jit
def get_losses(k, r, lots, quote):
    """Loss that a release assumes, at most 0: at the mark, or where that is not live, moved against the position."""
    price = i64(r.mark)
    if r.state != PRICE_LIVE:
        reach = (price * i64(k.band) + PPM - 1) // PPM
        if lots > 0:
            price -= reach
        elif lots < 0:
            price += reach
    return min(i64(0), i64(quote) + i64(lots) * price * i64(k.tick_value))


@jit
def get_values(k, r, t, lots, quote, buy_lots, sell_lots, leverage):
    """Values of a position: (pnl, weighted, initial, maintenance, notional, losses)."""
    pnl = get_pnl(k, r, lots, quote)
    worst = get_worst(lots, buy_lots, sell_lots)
    initial = get_initial(k, r, t, worst, leverage)
    return (
        pnl,
        weigh(k, pnl, initial),
        initial,
        get_maintenance(k, r, t, lots),
        get_notional_at(k, r, worst),
        get_losses(k, r, lots, quote),
    )


@jit
def get_reserve(k, r, side, price):
    """Atoms that one lot of an order loses against the mark at its own price (side 0 = buy)."""
    distance = i64(price) - i64(r.mark)
    if side != 0:
        distance = -distance
    return max(i64(0), distance) * i64(k.tick_value)


@jit
def get_oi_rate(k, r, t, open_lots):
    """Rate of initial margin that an open interest of ``open_lots`` asks for, ppm (0: the tiers alone)."""
    interest = get_notional_at(k, r, open_lots)
    lower, upper = i64(t.oi_lower), i64(t.oi_upper)
    if interest <= lower:
        return i64(0)
    if interest >= upper:
        return i64(PPM)
    base = i64(t.imr0)
    return base + mul_div_ceil(PPM - base, interest - lower, upper - lower)
