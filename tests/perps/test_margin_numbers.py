"""The compiled values of a position equal those of unbounded integers, up to the bounds of docs/spec/perps.md."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model import margin as model
from tests.model import perps
from tradezone.engine._jit import jit
from tradezone.engine.perps import margin, touch
from tradezone.protocol import limits
from tradezone.protocol.enums import PRICE_FROZEN, PRICE_LIVE
from tradezone.protocol.records import MARKET, PRICE, TIER

SIZES = ("pnl", "weighted", "initial", "maintenance", "notional", "losses")


@jit
def get_values(market, price, tier, lots, quote, buy_lots, sell_lots, leverage):
    return margin_values(market[0], price[0], tier[0], lots, quote, buy_lots, sell_lots, leverage)


@jit
def get_oi_rate(market, price, tier, open_lots):
    return margin_oi_rate(market[0], price[0], tier[0], open_lots)


margin_values, margin_oi_rate = margin.get_values, margin.get_oi_rate


@st.composite
def perpetuals(draw):
    """Terms inside the bounds of listing, and a mark."""
    max_price = draw(st.integers(1, 1 << 31) | st.just(1)) if draw(st.booleans()) else 1 << 20
    max_price = min(max_price, (1 << 31) - 1)
    tv = draw(st.integers(1, limits.MAX_LOT_VALUE // max_price))
    count = draw(st.integers(1, limits.MAX_TIERS))
    lowers = draw(
        st.lists(
            st.integers(1, limits.MAX_POSITION_VALUE),
            min_size=count - 1,
            max_size=count - 1,
            unique=True,
        )
    )
    rates = st.lists(st.integers(limits.MIN_MMR, 600_000), min_size=count, max_size=count)
    mmr = sorted(draw(rates))
    imr = sorted(max(draw(st.integers(1, 10**6)), -(-3 * rate // 2)) for rate in mmr)
    oi_lower = draw(st.integers(0, limits.MAX_OPEN_VALUE - 1))
    return SimpleNamespace(
        tv=tv,
        mark=draw(st.integers(1, max_price)),
        tiers=list(zip([0, *sorted(lowers)], imr, mmr, strict=True)),
        oi_rate=draw(st.integers(0, 10**6)),
        oi_lower=oi_lower,
        oi_upper=draw(st.integers(oi_lower + 1, limits.MAX_OPEN_VALUE)),
        max_leverage=100 * 10**6 // imr[0],
        weight=draw(st.integers(0, limits.MAX_WEIGHT)),
        state=draw(st.sampled_from((PRICE_LIVE, PRICE_FROZEN))),
        market=SimpleNamespace(
            max_price=max_price, band=draw(st.integers(limits.MIN_BAND, limits.MAX_BAND))
        ),
    )


def to_records(perp):
    market, price, tier = (np.zeros(1, table.dtype) for table in (MARKET, PRICE, TIER))
    market["tick_value"], market["max_leverage"] = perp.tv, perp.max_leverage
    market["band"], market["profit_weight"] = perp.market.band, perp.weight
    price["mark"], price["oi_rate"], price["state"] = perp.mark, perp.oi_rate, perp.state
    tier["tiers"], tier["oi_lower"], tier["oi_upper"] = (
        len(perp.tiers),
        perp.oi_lower,
        perp.oi_upper,
    )
    for k, (lower, imr, mmr) in enumerate(perp.tiers):
        if k:
            tier[f"lower{k}"] = lower
        tier[f"imr{k}"], tier[f"mmr{k}"] = imr, mmr
    return market, price, tier


@settings(max_examples=400)
@given(st.data())
def test_values_of_a_position(data):
    perp = data.draw(perpetuals())
    most = limits.MAX_POSITION_VALUE // (perp.market.max_price * perp.tv)
    lots = data.draw(st.integers(-most, most))
    buys = data.draw(st.integers(0, most - abs(lots)))
    sells = data.draw(st.integers(0, most - abs(lots) - buys))
    quote = data.draw(st.integers(-limits.MAX_POSITION_VALUE, limits.MAX_POSITION_VALUE))
    leverage = data.draw(st.just(0) | st.integers(100, max(100, perp.max_leverage)))
    worst = max(abs(lots + buys), abs(lots - sells), abs(lots))
    pnl = quote + lots * perp.mark * perp.tv
    initial = model.get_initial(perp, worst, leverage)
    weighted = pnl
    if pnl > initial:
        weighted = initial + (pnl - initial) * perp.weight // model.PPM
    price, side = perp.mark, (lots > 0) - (lots < 0)
    if perp.state != PRICE_LIVE:
        price -= side * model.ceil_div(perp.mark * perp.market.band, model.PPM)
    expected = (
        pnl,
        weighted,
        initial,
        model.get_maintenance(perp, lots),
        worst * perp.mark * perp.tv,
        min(0, quote + lots * price * perp.tv),
    )
    got = get_values(*to_records(perp), lots, quote, buys, sells, leverage)
    assert dict(zip(SIZES, got, strict=True)) == dict(zip(SIZES, expected, strict=True))


@given(st.data())
def test_rate_of_open_interest(data):
    perp = data.draw(perpetuals())
    most = limits.MAX_OPEN_VALUE // (perp.market.max_price * perp.tv)
    perp.open_lots = data.draw(st.integers(0, most))
    assert get_oi_rate(*to_records(perp), perp.open_lots) == model.get_oi_rate(perp)


@settings(max_examples=400)
@given(st.data())
def test_a_trade_keeps_what_it_does_not_realise(data):
    most = limits.MAX_POSITION_VALUE
    value = data.draw(st.integers(1, limits.MAX_LOT_VALUE))
    bound = most // value
    lots = data.draw(st.integers(-bound, bound))
    change = data.draw(st.integers(-bound - lots, bound - lots))
    quote = data.draw(st.integers(-most, most)) if lots else 0
    pool = SimpleNamespace(collateral=0)
    side = (lots > 0) - (lots < 0)
    position = SimpleNamespace(lots=lots, quote=quote, pool=pool, side=side)
    realised = perps.trade(position, SimpleNamespace(tv=1), change, value)
    assert touch.trade_lots(lots, quote, change, value) == (
        position.lots,
        position.quote,
        realised,
    )
    assert realised + position.quote - quote == -change * value
    if position.lots == 0:
        assert position.quote == 0
