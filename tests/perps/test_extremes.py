"""Perpetuals at the bounds of docs/spec/limits.md, with every integer of the engine held to 64 bits.

The engine's functions run in plain Python, whose integers do not wrap, with `I64` in the place of Numba's int64: a product
that would wrap round in the compiled engine is an OverflowError here.
"""

from __future__ import annotations

import pytest

from tests.model import beside
from tests.model.perp_world import PERP, build_perp_world
from tests.model.pure import PureEngine
from tests.model.world import act, tell, update_market
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.errors import Code

MAX_PRICE = 2_000
TICK = limits.MAX_LOT_VALUE // MAX_PRICE
LOTS = limits.MAX_POSITION_VALUE // (MAX_PRICE * TICK)
MONEY = 1 << 58


def build(**terms):
    zone = beside.BesideZone(PureEngine(is_checked=True))
    bounds = {
        "maxPrice": MAX_PRICE,
        "tickValue": TICK,
        "maxLots": LOTS,
        "maxNotional": limits.MAX_NOTIONAL,
        "impactNotional": limits.MAX_IMPACT,
        "oiLower": limits.MAX_OPEN_VALUE - 2,
        "oiUpper": limits.MAX_OPEN_VALUE,
        "fundingCap": limits.MAX_FUNDING_CAP,
        "interest": limits.MAX_INTEREST,
        "takerFee": limits.MAX_TAKER_FEE // 10,
        "lower1": limits.MAX_POSITION_VALUE // 2,
    }
    return build_perp_world(
        zone,
        money=MONEY,
        cap=limits.MAX_VENUE_CAP,
        oracle={"breaker": limits.PPM},
        **(bounds | terms),
    )


def add_margin(market, who, amount):
    body = {"venue": 1, "asset": 1, "market": PERP, "direction": actions.MARGIN_ADD}
    assert market.block(act(who, actions.ADJUST_MARGIN, amount=amount, **body)).codes[-1] == Code.OK


def collect(outcomes):
    return {event["kind"] for outcome in outcomes for event in outcome.events}


@pytest.mark.parametrize("loss_cap", [0, limits.MAX_OPEN_VALUE])
def test_the_largest_positions_crash_and_settle(loss_cap):
    market = build(lossCap=loss_cap)
    alice, bob, carol = market.alice, market.bob, market.carol
    market.block(act(carol, actions.FUND, venue=1, asset=1, amount=MONEY // 2))
    market.trade(bob, alice, 1_000, LOTS)
    refused = market.post(alice, SELL, 1_000, 1)
    assert refused.codes[-1] == Code.POSITION_TOO_LARGE
    add_margin(market, alice, MONEY // 8)
    market.block(tell(messages.HEARTBEAT), after=limits.HOUR)
    market.run(60_000, step=10_000)
    market.post(carol, BUY, 900, LOTS // 4)
    seen = collect(market.move(930, duration=2_500))
    assert events.LIQUIDATION_BEGUN in seen
    seen |= collect(market.move(700, duration=3_000))
    assert (events.TAKEOVER in seen) is (loss_cap != 0)
    assert events.ADL_DONE in seen, "without the fund's help, or behind what its pool could bear"
    market.block(update_market(market.zone, PERP, phase=enums.PHASE_SETTLED))
    market.run(1_000)
    assert not market.perp().is_live
    assert market.ledger.deficit == 0


def test_prices_at_the_ends_of_their_range():
    """One tick, and the highest price there is: marks, margins and settlements of large positions."""
    market = build(band=limits.MAX_BAND, bandListing=limits.MAX_BAND, bandBasis=limits.MAX_BAND)
    market.trade(market.bob, market.alice, 1_000, LOTS)
    for who in (market.alice, market.bob):
        add_margin(market, who, MONEY // 4)
    market.move(MAX_PRICE, duration=500)
    assert market.perp().mark == MAX_PRICE
    market.run(100_000, step=10_000)
    for price in (1_000, 500, 250, 125, 60, 30, 15, 8, 4, 2, 1):
        market.move(price, duration=250)
        market.run(100_000, step=20_000)
    assert market.perp().mark == 1
    market.block(update_market(market.zone, PERP, phase=enums.PHASE_SETTLED))
    market.run(1_000)
    assert not market.perp().is_live
