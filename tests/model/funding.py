"""docs/spec/funding.md: the hourly rate and what a position pays."""

from __future__ import annotations

from tests.model.records import Perp, Position, ceil_div
from tests.model.state import State
from tradezone.protocol import enums, events, limits

ACCRUES = (enums.PRICE_LIVE, enums.PRICE_REOPEN, enums.PRICE_THROTTLED)


def trunc_div(a: int, b: int) -> int:
    """Divide towards zero; b > 0."""
    return -(-a // b) if a < 0 else a // b


def clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def add_sample(perp: Perp, premium: int) -> None:
    if perp.state in ACCRUES:
        perp.premium_sum += clamp(premium, -limits.RATE // 10, limits.RATE // 10)
        perp.premium_count += 1


def get_rate(perp: Perp) -> int:
    """The hourly rate, ppb, from the samples of the hour and the rate of the last one."""
    premium = trunc_div(perp.premium_sum, perp.premium_count) if perp.premium_count else 0
    inner = clamp(perp.interest - premium, -limits.FUNDING_CLAMP, limits.FUNDING_CLAMP)
    rate = clamp(trunc_div(premium + inner, 8), -perp.funding_cap, perp.funding_cap)
    change = max(1, perp.funding_cap // 4)
    return clamp(rate, perp.funding_rate - change, perp.funding_rate + change)


def run_hour(zone: State, perp: Perp) -> None:
    """At an ok mark tick: charge the hour that has passed."""
    hour = zone.time // limits.HOUR
    if perp.hour == 0:
        perp.hour = hour
    if hour == perp.hour:
        return
    is_due = perp.state in ACCRUES and perp.premium_count >= limits.MIN_SAMPLES
    rate = get_rate(perp) if is_due else 0
    delta = trunc_div(rate * perp.index * perp.tv * perp.funding_scale, limits.RATE)
    perp.funding_index += delta
    perp.funding_rate, perp.hour = rate, hour
    perp.premium_sum = perp.premium_count = 0
    zone.emit(events.FUNDING_SET, market=perp.market.slot, amount=rate, amount2=perp.funding_index)


def settle(zone: State, position: Position) -> None:
    """The position pays or receives what it owes since its last touch."""
    perp = zone.perps[position.market]
    owed = position.lots * (perp.funding_index - position.funding_index)
    position.funding_index = perp.funding_index
    paid = ceil_div(owed, perp.funding_scale)  # rounds up for the payer, down for the receiver
    position.pool.collateral -= paid
    perp.pot += paid
    if paid:
        account = position.pool.account
        zone.emit(events.FUNDING_PAID, account=account, market=position.market, amount=paid)
