"""Funding: the hourly rate and index (``docs/spec/funding.md``)."""

from __future__ import annotations

from tradezone.engine._jit import i64, jit
from tradezone.engine.codec import emit
from tradezone.engine.wide import mul_div_trunc
from tradezone.protocol.enums import PRICE_LIVE, PRICE_REOPEN, PRICE_THROTTLED
from tradezone.protocol.events import FUNDING_SET
from tradezone.protocol.limits import FUNDING_CLAMP, MIN_SAMPLES, RATE


@jit
def trunc_div(a, b):
    """Return a / b rounded towards zero, b > 0."""
    return -(-a // b) if a < 0 else a // b


@jit
def clamp(value, low, high):
    """Bring ``value`` into ``low`` .. ``high``."""
    return max(low, min(value, high))


@jit
def accrues(p):
    """Whether funding runs in the state of a price."""
    return p.state == PRICE_LIVE or p.state == PRICE_REOPEN or p.state == PRICE_THROTTLED


@jit
def add_sample(p, premium):
    """Count one sample of the premium, ppb."""
    if accrues(p):
        p.premium_sum += clamp(premium, i64(-RATE // 10), i64(RATE // 10))
        p.premium_count += 1


@jit
def get_rate(k, p):
    """Hourly rate, ppb, from the samples of the hour and the rate of the last one."""
    premium = i64(0)
    if p.premium_count != 0:
        premium = trunc_div(i64(p.premium_sum), i64(p.premium_count))
    inner = clamp(i64(k.interest) - premium, i64(-FUNDING_CLAMP), i64(FUNDING_CLAMP))
    cap, last = i64(k.funding_cap), i64(p.funding_rate)
    rate = clamp(trunc_div(premium + inner, i64(8)), -cap, cap)
    change = max(i64(1), cap // 4)
    return clamp(rate, last - change, last + change)


@jit
def charge_hour(s, d, io, market, hour):
    """Charge the hour that has passed; with too few samples, or in any other state, it passes for nothing."""
    k, p = s.market[market], s.price[market]
    rate = i64(0)
    if accrues(p) and p.premium_count >= MIN_SAMPLES:
        rate = get_rate(k, p)
    # at most 2^48, by how the scale is chosen
    value = i64(p.index) * i64(k.tick_value) * i64(s.tier[market].funding_scale)
    p.funding_index += mul_div_trunc(rate, value, RATE)
    p.funding_rate = rate
    p.hour = hour
    p.premium_sum = 0
    p.premium_count = 0
    emit(
        d, io, FUNDING_SET, 0, market, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, rate, p.funding_index, 0, 0,
    )  # fmt: skip
