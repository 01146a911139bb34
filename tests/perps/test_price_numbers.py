"""Compiled averages, marks, rates and rises equal those of unbounded integers, up to the bounds of docs/spec/perps.md."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model import funding as model_funding
from tests.model import perps as model_perps
from tests.model import prices as model_prices
from tradezone.engine._jit import jit
from tradezone.engine.perps import funding, prices, terms
from tradezone.protocol import actions, enums, limits
from tradezone.protocol.messages import SET_PERP_BODY
from tradezone.protocol.records import MARKET, PRICE, TIER

take_sample, find_mark, find_rate = prices.sample, prices.get_mark, funding.get_rate
find_rise, find_trunc = terms.get_most_rise, funding.trunc_div
AT_PARAMETERS = 4  # behind the market of SET_PERP


@jit
def run_sample(market, price, bid, ask, weight):
    take_sample(0, market[0], price[0], bid, ask, weight)


@jit
def run_mark(market, price, mmr, time):
    return find_mark(market[0], price[0], mmr, time)


@jit
def run_rate(market, price):
    return find_rate(market[0], price[0])


@jit
def run_rise(tier, source):
    return find_rise(tier[0], source, AT_PARAMETERS)


@st.composite
def markets(draw):
    """Terms, and a price whose averages are where samples can bring them."""
    max_price = draw(
        st.sampled_from((1, 1_000, limits.MAX_PRICE)) | st.integers(1, limits.MAX_PRICE)
    )
    index = draw(st.integers(1, max_price))
    band = draw(st.integers(limits.MIN_BAND, limits.MAX_BAND))
    band_basis = draw(st.integers(limits.MIN_BAND, band))
    reach = max_price * limits.SUB * band_basis // limits.PPM
    cap = draw(st.integers(1, limits.MAX_FUNDING_CAP))
    return SimpleNamespace(
        index=index,
        band_basis=band_basis,
        basis=draw(st.integers(-reach, reach)),
        book=draw(st.integers(-reach, reach)),
        funding_cap=cap,
        funding_rate=draw(st.integers(-cap, cap)),
        interest=draw(st.integers(0, limits.MAX_INTEREST)),
        premium_sum=draw(st.integers(-(10**8) * 3_600, 10**8 * 3_600)),
        premium_count=draw(st.integers(0, 3_600)),
        state=draw(st.sampled_from((enums.PRICE_LIVE, enums.PRICE_BREAK))),
        sample_time=1,
        tiers=[(0, 10**6, draw(st.integers(limits.MIN_MMR, 600_000)))],
        market=SimpleNamespace(band=band, max_price=max_price),
    )


def to_records(perp):
    market, price = (np.zeros(1, table.dtype) for table in (MARKET, PRICE))
    market["band"], market["max_price"] = perp.market.band, perp.market.max_price
    for name in ("band_basis", "funding_cap", "interest"):
        market[name] = getattr(perp, name)
    for name in ("index", "basis", "book", "funding_rate", "premium_sum", "premium_count", "state"):
        price[name] = getattr(perp, name)
    return market, price


@settings(max_examples=400)
@given(markets(), st.data())
def test_a_sample(perp, data):
    top = perp.market.max_price * limits.SUB
    bid, ask = (data.draw(st.just(0) | st.integers(limits.SUB, top)) for _ in range(2))
    weight = data.draw(st.integers(limits.SAMPLE_MS, limits.SAMPLE_MAX))
    market, price = to_records(perp)
    run_sample(market, price, bid, ask, weight)
    found = {enums.BUY: bid, enums.SELL: ask}
    real, model_prices.get_impact = model_prices.get_impact, lambda _zone, _perp, side: found[side]
    try:
        model_prices._sample(SimpleNamespace(time=1 + weight), perp)
    finally:
        model_prices.get_impact = real
    for name in ("basis", "book", "premium_sum", "premium_count"):
        assert int(price[name][0]) == getattr(perp, name), name


@settings(max_examples=400)
@given(markets(), st.integers(0, limits.MAX_TIME))
def test_a_mark(perp, time):
    mark = model_prices.get_mark(SimpleNamespace(time=time), perp)
    assert run_mark(*to_records(perp), perp.tiers[0][2], time) == mark


@given(markets())
def test_a_rate(perp):
    assert run_rate(*to_records(perp)) == model_funding.get_rate(perp)


@st.composite
def tiers(draw):
    count = draw(st.integers(1, limits.MAX_TIERS))
    lowers = st.lists(
        st.integers(1, limits.MAX_POSITION_VALUE) | st.integers(1, 1_000),
        min_size=count - 1,
        max_size=count - 1,
        unique=True,
    )
    rates = st.lists(st.integers(limits.MIN_MMR, 666_666), min_size=count, max_size=count)
    bounds, mmr = [0, *sorted(draw(lowers))], sorted(draw(rates))
    return [(lower, -(-3 * rate // 2), rate) for lower, rate in zip(bounds, mmr, strict=True)]


@st.composite
def changes(draw):
    """Tiers in force and others, often ones that are near the greatest rise that there may be."""
    old = draw(tiers())
    if draw(st.booleans()):
        return old, draw(tiers())
    near = [
        min(666_666, max(limits.MIN_MMR, rate * 5 // 4 + draw(st.integers(-1, 1))))
        for _, _, rate in old
    ]
    bounds = [lower + (draw(st.integers(0, 1)) if lower else 0) for lower, _, _ in old]
    if bounds != sorted(set(bounds)) or bounds[-1] > limits.MAX_POSITION_VALUE:
        bounds = [lower for lower, _, _ in old]
    return old, [(lower, 10**6, rate) for lower, rate in zip(bounds, near, strict=True)]


@settings(max_examples=400)
@given(changes())
def test_a_rise_of_maintenance(change):
    old, new = change
    tier = np.zeros(1, TIER.dtype)
    tier["tiers"] = len(old)
    for k, (lower, imr, mmr) in enumerate(old):
        if k:
            tier[f"lower{k}"] = lower
        tier[f"imr{k}"], tier[f"mmr{k}"] = imr, mmr
    body = {name: 0 for name, _, _ in SET_PERP_BODY}
    for k, (lower, imr, mmr) in enumerate(new):
        body |= {f"lower{k}": lower, f"imr{k}": imr, f"mmr{k}": mmr}
    source = np.frombuffer(actions.pack(SET_PERP_BODY, body), np.uint8)
    perp = SimpleNamespace(tiers=old, raised=0)
    wanted = 0
    if model_perps.raises_maintenance(old, new):
        wanted = 1 if model_perps.is_rise_bounded(SimpleNamespace(time=0), perp, new) else 2
    assert run_rise(tier, source) == wanted


@given(st.integers(-(2**62), 2**62), st.integers(1, 2**40))
def test_division_towards_zero(a, b):
    assert funding.trunc_div(a, b) == model_funding.trunc_div(a, b)
