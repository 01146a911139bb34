"""Formulas of public documents, where our rule is the same formula; numbers worked by hand from theirs."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.model import funding, margin
from tests.model.perp_world import PERP, build_perp_world
from tests.model.records import PPM, Perp
from tradezone.protocol import limits
from tradezone.protocol.enums import BUY, SELL

MILLION = 10**6


def make_perp(tiers, **terms):
    """A perpetual whose lot is worth one atom at a mark of 1."""
    values = {
        "market": type("Terms", (), {"tick_value": 1, "slot": 1})(),
        **dict.fromkeys(("ledger", "feed", "feed_scale", "funding_scale"), None),
        "funding_cap": limits.MAX_FUNDING_CAP,
        "interest": 100_000,
        **dict.fromkeys(("impact_notional", "band_listing", "band_basis", "loss_cap"), 0),
        "oi_lower": 1 << 52,
        "oi_upper": 1 << 53,
        "tiers": tiers,
    }
    perp = Perp(**(values | terms))
    perp.mark = perp.index = 1
    return perp


def test_hyperliquid_tiers_are_continuous():
    """BTC: 40x to 150 M, 20x beyond; theirs by a deduction of 1.875 M, ours by slices."""
    perp = make_perp([(0, 25_000, 12_500), (150 * MILLION, 50_000, 25_000)])
    for notional in (1, 100, 150, 151, 200, 1_000):
        amount = notional * MILLION
        rate, deduction = (12_500, 0) if notional <= 150 else (25_000, 1_875_000 * PPM)
        assert margin.get_maintenance(perp, amount) * PPM == amount * rate - deduction
    assert margin.get_maintenance(perp, 200 * MILLION) == 3_125_000
    below, above = (margin.get_maintenance(perp, 150 * MILLION + d) for d in (0, 1))
    assert 0 <= above - below <= 1


def test_hyperliquid_liquidation_price():
    """liq = price - side * available / size / (1 - l * side), l = 1 / maintenance leverage."""
    perp = make_perp([(0, 100_000, 50_000)])
    size, entry, collateral = 10**6, 1_000, 10**8
    for side in (1, -1):
        perp.mark = entry
        available = collateral - margin.get_maintenance(perp, size)
        price = entry - side * Fraction(available, size) / (1 - side * Fraction(1, 20))

        def is_below(mark, side=side):
            perp.mark = mark
            equity = collateral + side * size * (mark - entry)
            return equity < margin.get_maintenance(perp, size)

        assert is_below(int(price) + (0 if side > 0 else 1))
        assert not is_below(int(price) + (1 if side > 0 else 0))


def test_dydx_initial_margin_grows_with_open_interest():
    """5 % base, caps 20 M and 50 M: at 35 M half the way to the whole notional; maintenance stays."""
    perp = make_perp([(0, 50_000, 30_000)], oi_lower=20 * MILLION, oi_upper=50 * MILLION)
    position = type("Held", (), {"lots": 0})()
    perp.sides[1].append(position)
    for interest, rate in ((20, 0), (35, 525_000), (49, 968_334), (50, PPM), (70, PPM)):
        position.lots = interest * MILLION
        perp.oi_rate = margin.get_oi_rate(perp)
        assert perp.oi_rate == rate
        assert margin.get_maintenance(perp, MILLION) == 30_000
        assert margin.get_initial(perp, MILLION, 0) == max(50_000, rate)


@pytest.mark.parametrize(
    ("premium", "eight_hours"),
    [
        (0, 100_000),  # P = 0: the interest of 0.01 %
        (100_000, 100_000),  # inside the inner clamp the rate is the interest
        (600_000, 100_000),
        (10_000_000, 9_500_000),  # P = 1 %: 1 % - 0.05 %
        (-10_000_000, -9_500_000),
        (-300_000, 100_000),
    ],
)
def test_funding_of_hyperliquid_and_lighter(premium, eight_hours):
    """P + clamp(I - P, +-0.05 %), an eighth an hour."""
    perp = make_perp([(0, 50_000, 30_000)])
    perp.premium_sum, perp.premium_count = premium * 3_600, 3_600
    perp.funding_rate = funding.trunc_div(eight_hours, 8)  # no change limit in the way
    assert funding.get_rate(perp) == funding.trunc_div(eight_hours, 8)


def test_the_outer_cap_and_the_change_limit_of_funding():
    perp = make_perp([(0, 50_000, 30_000)], funding_cap=400_000)
    perp.premium_sum, perp.premium_count = 10**8, 1
    assert funding.get_rate(perp) == 100_000
    perp.funding_rate = 350_000
    assert funding.get_rate(perp) == 400_000
    perp.premium_sum = -(10**8)
    assert funding.get_rate(perp) == 250_000


def test_zero_price_of_lighter_and_bankruptcy_price_of_dydx():
    """mark * (1 - side * MMF * AV / MMR): a trade there leaves AV / MMR as it was."""
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    perp = market.perp()
    perp.mark = 945
    values = margin.get_pool_values(market.model, market.pool(market.bob))
    equity, maintenance = values.pnl, values.maintenance
    assert (equity, maintenance) == (445_000 + 5_000, 472_500)
    zero = 945 * (1 - Fraction(5, 100) * Fraction(equity, maintenance))
    for closed in range(1, 11):
        after = equity + closed * 1_000 * (zero - 945)
        left = maintenance * Fraction(10 - closed, 10)
        assert after * maintenance == equity * left
    # dYdX: quote(delta) = -delta notional - NC * delta MMR / MMR, the same price
    assert zero * 10_000 == 945 * 10_000 - Fraction(equity * 472_500, maintenance)


def test_paradex_socialised_factor():
    """What leaves a venue that is short pays the factor: assets over liabilities."""
    from tests.model.pools import get_payment
    from tests.model.records import Ledger

    ledger = Ledger(1, 1, 1, cash=970, deficit=30)
    assert get_payment(ledger, 100) == 97


def test_drift_clamps_the_premium_by_the_oracle():
    """A premium sample is brought inside a tenth of the index before it is averaged."""
    perp = make_perp([(0, 50_000, 30_000)])
    perp.state = 1
    funding.add_sample(perp, limits.RATE)
    funding.add_sample(perp, -limits.RATE)
    assert (perp.premium_sum, perp.premium_count) == (0, 2)


def test_an_impact_price_of_hyperliquid():
    """The average price of trading the impact notional against the book."""
    from tests.model.prices import get_impact

    market = build_perp_world(impactNotional=3_010_000)
    market.post(market.alice, SELL, 1_000, 1)
    market.post(market.bob, SELL, 1_005, 5)
    market.post(market.carol, BUY, 990, 2)
    sub = limits.SUB
    assert get_impact(market.model, market.perp(), SELL) == -(-(1_000 + 2 * 1_005) * sub // 3)
    # three lots would sell 3.01 M at 990; only two are bid for
    assert get_impact(market.model, market.perp(), BUY) == 0
    market.post(market.carol, BUY, 980, 2)
    assert get_impact(market.model, market.perp(), BUY) == (2 * 990 + 2 * 980) * sub // 4
    assert market.perp().market.slot == PERP
