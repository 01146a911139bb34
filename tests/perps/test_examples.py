"""Formulas of public documents, where our rule is the same formula; numbers worked by hand from theirs.

=============== ======================================================================================================
dYdX            repository dydxprotocol/v4-chain: x/perpetuals/types/liquidity_tier.go (margin, open interest),
                x/clob/keeper/liquidations.go (bankruptcy price), x/perpetuals/funding (index)
Hyperliquid     hyperliquid.gitbook.io, trading: margining, margin-tiers, liquidations, funding, robust-price-indices
Lighter         repository elliottech/lighter-prover: circuit/src/liquidation.rs (zero price), funding and mark of docs.lighter.xyz
Paradex         docs.paradex.trade, risk: funding-mechanism, socialized-losses
Drift           repository drift-labs/protocol-v2: programs/drift/src/math/funding.rs
Orderly         repository OrderlyNetwork/documentation-public: formulas-definitions
water-filling   arXiv 2603.15963
=============== ======================================================================================================
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.model import funding, margin
from tests.model.perp_world import PERP, build_perp_world
from tests.model.records import PPM, Perp
from tests.model.world import act
from tradezone.protocol import actions, events, limits
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


# --- the margin of an order, and of what leaves ---------------------------------------------------------


@pytest.mark.parametrize("notional", [1, 19, 20, 21, 999_999, 10**9 + 7, 10**15 + 1])
def test_dydx_rounds_margin_requirements_up(notional):
    """x/perpetuals, liquidity tiers: initial and maintenance requirements are rounded up, so a dust position asks for one."""
    perp = make_perp([(0, 50_000, 30_000)])
    assert margin.get_initial(perp, notional, 0) == -(-notional * 50_000 // PPM) >= 1
    assert margin.get_maintenance(perp, notional) == -(-notional * 30_000 // PPM) >= 1


def test_hyperliquid_leaves_a_tenth_of_the_notional_behind():
    """Margining: what is taken out must leave max(initial margin, 10 % of the notional of all positions); at 20x the tenth binds."""
    from tests.model import pools

    for imr, mmr, share in ((50_000, 25_000, Fraction(1, 10)), (200_000, 100_000, Fraction(1, 5))):
        market = build_perp_world(imr0=imr, mmr0=mmr, imr1=imr, mmr1=mmr)
        market.trade(market.bob, market.alice, 1_000, 10)
        add = {"venue": 1, "asset": 1, "market": PERP, "direction": 0, "amount": 10**7}
        market.block(act(market.bob, actions.ADJUST_MARGIN, **add))
        pool = market.pool(market.bob)
        left = pool.collateral - pools.get_releasable(market.model, pool)
        assert left == share * 10 * 1_000 * 1_000


def test_orderly_liquidation_price():
    """liq = mark + (C - N * MMR) / (|Q| * MMR_i - Q): at that price equity is maintenance, one tick beyond it is less."""
    perp = make_perp([(0, 100_000, 50_000)])
    size, mark, collateral = 10**6, 1_000, 8 * 10**7
    for side in (1, -1):
        notional, rate = size * mark, Fraction(50_000, PPM)
        price = mark + (collateral - notional * rate) / (size * rate - side * size)

        def get_spare(at, side=side):
            perp.mark = at
            return collateral + side * size * (at - mark) - margin.get_maintenance(perp, size)

        inside = int(price) + (1 if side > 0 else 0)
        assert get_spare(inside) >= 0 > get_spare(inside - side)


# --- funding and mark -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [80_000, -80_000, 800_000, -8, 8_000_000])
@pytest.mark.parametrize("lots", [1, -1, 7, -10_000])
def test_funding_of_dydx_and_hyperliquid_is_size_times_index_times_rate(rate, lots):
    """dYdX: index += R * t / 8 h * price, a position pays its size times the step; Hyperliquid: size * oracle * rate, hourly an eighth.

    With an 8-hour rate that an eighth leaves whole, ours is theirs but for the last atom, which never goes to the position.
    """
    index, tick_value, scale = 60_000, 1_000, (1 << 48) // (250_000 * 1_000)
    perp = make_perp([(0, 50_000, 30_000)], funding_scale=scale)
    perp.market.tick_value, perp.index, perp.state, perp.hour = tick_value, index, 1, 1
    perp.premium_sum, perp.premium_count = 0, 3_600
    hourly = rate // 8
    perp.interest, perp.funding_rate = rate, hourly  # no premium, no change limit in the way
    if abs(rate) > limits.FUNDING_CLAMP:
        perp.premium_sum = 3_600 * (
            rate - (limits.FUNDING_CLAMP if rate > 0 else -limits.FUNDING_CLAMP)
        )
    zone = type("Zone", (), {"time": 2 * limits.HOUR, "emit": lambda *_, **__: None})()
    zone.perps = {PERP: perp}
    funding.run_hour(zone, perp)
    assert perp.funding_rate == hourly
    pool = type("Pool", (), {"collateral": 0, "account": 1})()
    held = type("Held", (), {"lots": lots, "market": PERP, "funding_index": 0, "pool": pool})()
    funding.settle(zone, held)
    exact = Fraction(lots * index * tick_value * hourly, limits.RATE)
    # an index step is cut at 2^-48 of the dearest lot: far below an atom for any position that may be held
    assert -1 < -pool.collateral - exact <= 1
    assert perp.pot == -pool.collateral


def test_mark_of_lighter_and_paradex_converges_with_funding():
    """index * (1 + funding rate * time left / interval) is one of three prices, and the mark their middle one."""
    from tests.model.prices import get_mark

    perp = make_perp([(0, 50_000, 30_000)], interest=0)
    perp.market.band, perp.market.max_price = PPM, 10**6
    perp.index, perp.funding_rate = 60_000, 400_000
    quarter = limits.HOUR // 4
    for basis, book in ((500, -500), (-500, 500)):  # the other two stand on both sides of it
        perp.basis, perp.book = basis * limits.SUB, book * limits.SUB
        for passed in range(4):
            zone_time = 5 * limits.HOUR + passed * quarter
            fair = 60_000 * (1 + Fraction(400_000, limits.RATE) * Fraction(4 - passed, 4))
            mark = get_mark(type("Zone", (), {"time": zone_time})(), perp)
            assert abs(mark - fair) <= Fraction(1, 2)
    perp.basis, perp.book = 2 * limits.SUB, 500 * limits.SUB
    last = type("Zone", (), {"time": 6 * limits.HOUR - 1})()
    assert get_mark(last, perp) == 60_002, "the slow basis is the middle one now"


# --- liquidation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [941, 943, 945, 947])
@pytest.mark.parametrize("is_long", [True, False])
def test_lighter_rounds_the_zero_price_towards_the_mark(mark, is_long):
    """mark * (1 - side * MMF * AV / MMR), up for longs, down for shorts: the tick that costs the pool no more than its share."""
    from tests.model.liquidation import get_forced_price

    market = build_perp_world()
    if not is_long:
        mark = 2_000 - mark
    buyer, seller = (market.bob, market.alice) if is_long else (market.alice, market.bob)
    market.trade(buyer, seller, 1_000, 10)
    market.perp().mark = market.perp().index = mark
    held = market.find(market.bob)
    values = margin.get_pool_values(market.model, held.pool)
    side = 1 if is_long else -1
    exact = mark * (1 - side * Fraction(5, 100) * Fraction(values.pnl, values.maintenance))
    rounded = -(-exact.numerator // exact.denominator) if is_long else int(exact)
    bound = mark - side * (mark * limits.LIQ_DISTANCE // PPM)
    wanted = max(rounded, bound) if is_long else min(rounded, bound)
    assert get_forced_price(market.model, held.pool, held) == wanted


@pytest.mark.parametrize(("lots", "part"), [(100, 100), (101, 21), (505, 101), (1_000, 200)])
def test_hyperliquid_sells_a_fifth_of_large_positions_first(lots, part):
    """Liquidations: above 100,000 dollars 20 % of the position, whole below; our bound is the market's impact notional."""
    market = build_perp_world(money=10**12, impactNotional=100 * 945_000, imr1=100_000, mmr1=50_000)
    market.trade(market.bob, market.alice, 1_000, lots)
    market.price[1] = 945
    for _ in range(20):
        orders = market.block(after=250).of(events.FORCED_ORDER)
        if orders:
            break
    assert market.perp().mark == 945
    assert [order["lots"] for order in orders] == [part]


# --- behind the fund ------------------------------------------------------------------------------------


@pytest.mark.parametrize("money", [0, 300_000, 499_999, 500_000, 10**6])
def test_paradex_shortfall_is_the_debts_less_the_insurance_fund(money):
    """Socialised losses: max(0, sum of max(0, -account value) - fund); here winners are asked for it before anybody else."""
    market = build_perp_world(lossCap=10**9)
    if money:
        market.block(act(market.carol, actions.FUND, venue=1, asset=1, amount=money))
    fund = market.ledger.fund
    market.trade(market.bob, market.alice, 1_000, 10)
    fund = market.ledger.fund
    market.price[1] = 850
    # what the fund has is less than initial margin and loss, so it takes nothing over
    done = [e for outcome in market.run(3_000) for e in outcome.of(events.ADL_DONE)]
    debt = 10 * 150_000 - 10**6
    assert done[0]["amount"] == max(0, debt - fund)
    assert done[0]["amount2"] == done[0]["amount"], "the winner has it"
    assert market.ledger.fund == max(0, fund - debt)


def test_water_filling_of_the_published_rule():
    """arXiv 2603.15963: choose the level with sum max(0, N_i - level * E_i) = Q and bring everybody above it down to it."""
    from tests.model import adl

    perp = make_perp([(0, 50_000, 30_000)])
    book = ((900, 30), (400, 40), (1_000, 200), (50, 100))  # N, E: 30x, 10x, 5x, 0.5x
    held = [type("Held", (), {"lots": n, "claim": e})() for n, e in book]
    # Q = 1,100 is met among the first three: 2,300 - 270 * level = 1,100
    level = Fraction(2_300 - 1_100, 270)
    gives = [max(0, n - level * e) for n, e in book]
    assert sum(gives) == 1_100
    grid = -(-level.numerator * limits.LEVEL_UNIT // level.denominator)
    found = [adl.get_give(perp, position, grid) for position in held]
    for give, exact in zip(found, gives, strict=True):
        assert abs(give - exact) <= 1
    assert found[3] == 0, "half of a turn is left alone"
    assert abs(sum(found) - 1_100) <= len(book)
