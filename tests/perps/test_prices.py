"""Feeds, index, mark ticks, states of a price, bands, funding through a whole hour: docs/spec/prices.md, funding.md."""

from __future__ import annotations

import pytest

from tests.model import prices
from tests.model.perp_world import PERP, SCALE, build_perp_world, set_oracle, sign_price
from tests.model.world import act, get_address, item, tell, update_market
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.errors import Code


@pytest.fixture
def market():
    return build_perp_world()


def test_a_price_is_signed_by_its_provider_and_times_rise(market):
    time = market.zone.time

    def send(place=0, price=1_000 * SCALE, at=time + 10, **how):
        return market.block(sign_price(1, place, price, at, **how), quiet=True).codes[-1]

    assert send() == Code.OK
    assert send() == Code.PRICE_TOO_OLD
    assert send(at=time) == Code.PRICE_TOO_OLD
    assert send(at=time + 20, key=77) == Code.BAD_SIGNATURE
    assert send(at=time + 20, price=0) == Code.BAD_PRICE
    assert send(at=time + 20, price=limits.MAX_FEED_PRICE + 1) == Code.BAD_PRICE
    assert send(at=time + 10_000) == Code.BAD_PRICE
    assert send(place=7, at=time + 20, key=901) == Code.FEED_NOT_FOUND
    assert not market.model.outbox


def test_two_prices_for_one_stamp_are_an_incident_on_the_outbox(market):
    time = market.zone.time + 500
    market.block(sign_price(1, 0, 1_000 * SCALE, time), quiet=True)
    outcome = market.block(sign_price(1, 0, 1_001 * SCALE, time), quiet=True)
    assert [event["error"] for event in outcome.of(events.INCIDENT)] == [Code.TWO_PRICES]
    (record,) = market.model.outbox.values()
    assert (record.kind, record.recipient) == (enums.OUTBOX_INCIDENT, get_address(901))
    again = market.block(sign_price(1, 0, 1_002 * SCALE, time), quiet=True)
    assert not again.of(events.INCIDENT), "one an hour is told"


def test_a_price_may_come_through_the_inbox(market):
    values = {"feed": 1, "provider": 12, "price": 1_003 * SCALE, "time": market.zone.time + 5}
    outcome = market.block(
        tell(messages.PRICE, signer=get_address(902), **values),
        tell(messages.PRICE, signer=get_address(903), **values),
        quiet=True,
    )
    assert [event["amount"] for event in outcome.of(events.PRICE_SET)] == [1_003 * SCALE]
    ignored = outcome.of(events.MESSAGE_IGNORED)
    assert [event["error"] for event in ignored] == [Code.BAD_SIGNATURE]


def test_a_changed_signer_loses_its_price(market):
    market.block(set_oracle(1, keys=(901, 904, 903)), quiet=True)
    feed = market.perp().feed
    assert [bool(time) for time in feed.times[:3]] == [True, False, True]
    for terms in ({"quorum": 1}, {"quorum": 4}, {"heartbeat": 1}, {"breaker": 1}):
        outcome = market.block(set_oracle(1, **terms))
        assert outcome.of(events.MESSAGE_IGNORED)[0]["error"] == Code.BAD_PARAMETERS


@pytest.mark.parametrize(
    ("values", "median"),
    [([5], 5), ([5, 8], 6), ([1, 9, 4], 4), ([1, 2, 4, 100], 3)],
)
def test_median(values, median):
    assert prices.get_median(values) == median


def test_states_of_a_price(market):
    assert market.perp().state == enums.PRICE_LIVE
    market.run(6_000, quiet=True)
    assert market.perp().state == enums.PRICE_FROZEN
    assert market.post(market.alice, BUY, 990, 1).codes[-1] == Code.MARKET_CLOSED
    states = []
    for outcome in market.run(75_000, step=500):
        states += [event["flag"] for event in outcome.of(events.PRICE_STATE)]
    assert states == [
        enums.PRICE_BREAK,
        enums.PRICE_REOPEN,
        enums.PRICE_THROTTLED,
        enums.PRICE_LIVE,
    ]


def test_the_breaker_looks_back_a_minute(market):
    for price in (1_080, 1_160):
        market.move(price, duration=20_000)
        assert market.perp().state == enums.PRICE_LIVE
    market.move(1_201, duration=250)
    assert market.perp().state == enums.PRICE_BREAK
    assert market.perp().broken


def test_a_slow_move_does_not_break(market):
    for step in range(12):
        market.price[1] = 1_000 + 30 * step
        market.run(30_000, step=1_000)
        assert market.perp().state == enums.PRICE_LIVE


def test_a_day_of_silence_settles(market):
    market.trade(market.bob, market.alice, 1_000, 10)
    market.run(6_000, quiet=True)
    for _ in range(25):
        market.block(tell(messages.HEARTBEAT), after=3_600_000, quiet=True)
    market.run(500, quiet=True)
    assert market.perp().settlement == 1_000
    assert not market.model.positions
    assert market.wealth(market.bob) == market.free(market.bob)


def test_bands_stand_around_index_and_basis(market):
    perp = market.perp()
    assert prices.get_band(market.model, perp) == (800, 1_200)
    market.poke(perp, basis=50 * limits.SUB)
    assert prices.get_band(market.model, perp) == (840, 1_260)
    market.poke(perp, basis=500 * limits.SUB)
    assert prices.get_band(market.model, perp) == (1_200, 1_400)
    market.poke(perp.market, listed=market.zone.time)
    assert prices.get_band(market.model, perp) == (700, 1_300)
    market.poke(perp.market, listed=0)
    market.poke(perp, basis=0)
    assert market.post(market.alice, BUY, 1_201, 1).codes[-1] == Code.PRICE_BAND


def test_the_mark_follows_the_book_slowly_and_not_far(market):
    market.post(market.alice, BUY, 1_039, 10)
    market.post(market.bob, SELL, 1_041, 10)
    marks = []
    for _ in range(400):
        market.block(after=1_000)
        marks.append(market.perp().mark)
    assert marks == sorted(marks)
    assert marks[5] < 1_010
    assert marks[-1] == 1_025, "half of maintenance from the index at most"


def test_an_hour_of_funding_moves_from_longs_to_shorts(market):
    market.trade(market.bob, market.alice, 1_000, 10)
    market.post(market.carol, BUY, 1_010, 10)
    market.post(market.carol, SELL, 1_012, 10)
    step = 20_000
    for number in range(3_600_000 // step + 2):
        market.block(*([tell(messages.HEARTBEAT)] if number % 60 == 0 else []), after=step)
    perp = market.perp()
    assert perp.funding_rate == perp.funding_cap // 4, "the change limit of the first hour"
    longs = [market.wealth(who) for who in (market.bob, market.alice)]
    assert perp.pot >= 0
    paid = 10 * 1_000 * 1_000 * perp.funding_rate // limits.RATE
    assert longs[0] == 10**9 - 5_000 - paid + 10 * (perp.mark - 1_000) * 1_000
    assert longs[1] == 10**9 - 2_000 + paid - 10 * (perp.mark - 1_000) * 1_000


def test_check_has_a_pool_looked_at(market):
    market.trade(market.bob, market.alice, 1_000, 10)
    market.price[1] = 940
    body = item(actions.CHECK, account=market.bob.account, venue=1, asset=1, market=PERP)
    outcome = market.block(act(market.carol, actions.CHECK, body), after=250)
    assert outcome.of(events.LIQUIDATION_BEGUN)
    wrong = item(actions.CHECK, account=market.bob.account, venue=1, asset=1, market=0)
    assert market.block(act(market.carol, actions.CHECK, wrong)).codes[-1] == Code.POOL_NOT_FOUND


def test_a_listing_outside_the_bounds_is_refused(market):
    from tests.model.perp_world import list_perp

    bad = (
        {"maxPrice": 1 << 30, "tickValue": 1 << 20},
        {"imr0": 70_000, "mmr0": 50_000},
        {"mmr0": 2_000},
        {"imr1": 90_000},
        {"lower1": 0},
        {"bandBasis": 500_000},
        {"openInterestCap": 0},
        {"fundingCap": limits.MAX_FUNDING_CAP + 1},
        {"oiUpper": 1 << 52},
        {"impactNotional": 1},
        {"feedScale": 0},
        {"calendar": 3},
        {"maxLots": 1 << 40},
    )
    for terms in bad:
        outcome = market.block(list_perp(3, **terms))
        codes = [event["error"] for event in outcome.of(events.MESSAGE_IGNORED)]
        assert codes == [Code.BAD_PARAMETERS], terms
    assert market.block(list_perp(3, feed=2)).of(events.MESSAGE_IGNORED)
    assert not market.block(list_perp(3)).of(events.MESSAGE_IGNORED)
    refused = market.block(update_market(market.zone, 3, openInterestCap=0))
    assert refused.of(events.MESSAGE_IGNORED)[0]["error"] == Code.BAD_PARAMETERS


def test_a_market_that_its_deployer_shuts_freezes_and_settles_after_a_day(market):
    market.trade(market.bob, market.alice, 1_000, 10)
    market.block(update_market(market.zone, PERP, phase=enums.PHASE_HALTED))
    market.price[1] = 900
    outcomes = market.run(5_000)
    assert market.perp().state == enums.PRICE_FROZEN
    assert not [e for o in outcomes for e in o.of(events.LIQUIDATION_BEGUN)]
    for _ in range(25):
        market.block(tell(messages.HEARTBEAT), after=3_600_000)
    market.run(500)
    assert market.perp().settlement
    assert not market.model.positions


def test_a_dated_perpetual_settles_on_its_date(market):
    market.trade(market.bob, market.alice, 1_000, 10)
    closes = market.zone.time + 5_000
    market.block(update_market(market.zone, PERP, closes=closes))
    market.run(4_500)
    assert market.lots(market.bob) == 10
    market.run(1_500)
    assert market.perp().settlement == 1_000
    assert not market.model.positions


def test_a_venue_is_wound_down_only_behind_its_perpetuals(market):
    def wind_down():
        outcome = market.block(tell(messages.UPDATE_VENUE, venue=1, state=enums.VENUE_WOUND_DOWN))
        return [event["error"] for event in outcome.of(events.MESSAGE_IGNORED)]

    assert wind_down() == [Code.NOT_ELIGIBLE]
    market.block(update_market(market.zone, PERP, phase=enums.PHASE_SETTLED))
    market.run(500)
    assert not wind_down()
    body = {"venue": 1, "asset": 1, "amount": 100}
    market.block(act(market.carol, actions.FUND, **body))
    deployer = market.world.deployer
    before = market.world.free(deployer, 1)
    assert market.block(act(deployer, actions.DEFUND, **body)).codes[-1] == Code.OK
    assert market.world.free(deployer, 1) == before + 100
