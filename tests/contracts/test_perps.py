"""Perpetuals on L1: listing, parameters, approval, terms, end, stake behind them, and what the zone hears."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.driver import DAY, OKB, attempt, error_data, error_of, isolated, reverts, tries
from tests.contracts.governed import impersonate
from tests.contracts.markets import (
    CLOSED,
    CLOSING,
    HALTED,
    NO_CLOSURES,
    NO_TIER,
    PARAMETERS,
    PERP,
    PERPETUAL,
    SIMULATED,
    WEEK,
    parameter_body,
    parameters,
    perp_terms,
    stake_for_venues,
    terms_now,
)
from tests.contracts.test_venue_messages import Reader
from tests.model.engine import Model
from tests.model.perps import are_parameters_good, get_tiers, is_rise_bounded, raises_maintenance
from tradezone.protocol import limits, messages
from tradezone.protocol.hashing import keccak

PRICE = 50_000_000  # atoms of the quote that a coin of stake counts for
NOTICE = 3 * DAY
LAG = 3_600
FEED = {"quorum": 2, "heartbeat": 2_000, "deviation": 5_000, "breaker": 50_000}


@pytest.fixture
def quote(trust, deployer, project):
    """A token with six decimals, asset 2."""
    token = deployer.deploy(project.TestToken, "Test dollar", "TUSD", 6)
    trust.asset_registry.registerAsset(
        token, 1, 10**17, sender=deployer, value=trust.params.asset_bond
    )
    return token


@pytest.fixture
def parameter_class(trust, chain):
    return impersonate(chain, trust.parameter_timelock)


@pytest.fixture
def ordinary_class(trust, chain):
    return impersonate(chain, trust.ordinary_timelock)


@pytest.fixture
def venue(trust, quote, parameter_class, alice, verifiers):
    """A venue of alice with a feed of three providers, and a price of stake in its quote."""
    trust.risk.setPrice(2, PRICE, sender=parameter_class)
    stake_for_venues(trust, alice)
    venue = trust.venue_registry.createVenue("perps", 0, sender=alice).return_value
    oracles, bond = trust.oracles, trust.oracles.config().bond
    oracles.openFeed(venue, 8, keccak(b"BTC in USD"), sender=alice)
    for number, account in enumerate(verifiers[:3], 1):
        oracles.register(account, bytes(32), "", sender=account, value=bond)
        oracles.offer(number, 1, sender=account)
    oracles.select(1, {"providers": [1, 2, 3], **FEED}, sender=alice)
    return venue


@pytest.fixture
def perp(trust, venue, alice):
    return trust.perps.listPerp(PERP, sender=alice).return_value


@pytest.fixture
def rules(trust):
    return trust.perp_rules


@pytest.fixture
def reader(trust):
    return Reader(Model(), trust)


def bodies(trust, kind):
    return [trust.body(message.index) for message in trust.messages() if message.kind == kind]


# --- listing


def test_a_perpetual_is_listed_byte_for_byte_and_its_ledger_opened(
    trust, perp, venue, clock, reader
):
    body = bodies(trust, messages.LIST_PERP)[0]
    same = {name: PERP[name] for name in PERP if name not in ("effectiveAt", "parameters")}
    assert {name: body[name] for name in same} == same
    assert {name: body[name] for name in parameter_body(PARAMETERS)} == parameter_body(PARAMETERS)
    assert (body["market"], body["id"]) == (perp, venue << 16 | 1)
    market = trust.market_registry.marketOf(perp)
    assert (market.kind, market.base, market.quote, market.lotSize) == (2, 0, 2, 1)
    assert market.slotKind == PERPETUAL
    assert trust.slots.slotOf(perp).kind == PERPETUAL
    assert (trust.perps.perpCount(), trust.perps.perpsOf(venue, 2)) == (1, 1)
    # Ten coins of stake carry twenty times as much, at the price of stake.
    told = bodies(trust, messages.SET_RISK)
    assert told == [{"venue": venue, "asset": 2, "cap": 10 * 20 * PRICE}]
    assert trust.messages()[-1].kind == messages.SET_RISK
    assert reader.read_each() == []


def test_only_the_deployer_of_a_backed_venue_lists(trust, venue, alice, bob):
    with reverts(trust.venue_registry.NotDeployer, caller=bob.address, deployer=alice.address):
        trust.perps.listPerp(PERP, sender=bob)
    trust.staking.requestRelease(venue, sender=alice)
    with reverts(trust.venue_registry.VenueNotBacked):
        trust.perps.listPerp(PERP, sender=alice)


def test_the_feed_and_the_calendar_are_the_venues_own(trust, venue, alice, bob):
    stake_for_venues(trust, bob)
    trust.venue_registry.createVenue("second", 0, sender=bob)
    trust.oracles.openFeed(2, 8, bytes(32), sender=bob)
    with reverts(trust.perps.ForeignFeed, feed=2, venue=venue):
        trust.perps.listPerp(perp_terms(feed=2), sender=alice)
    with reverts(trust.oracles.UnknownFeed, feed=3):
        trust.perps.listPerp(perp_terms(feed=3), sender=alice)
    trust.calendars.setCalendar(0, 2, WEEK, NO_CLOSURES, sender=bob)
    with reverts(trust.perps.UnknownCalendar, calendar=1, venue=venue):
        trust.perps.listPerp(perp_terms(calendar=1), sender=alice)


def test_a_simulated_perpetual_is_of_its_own_venue_and_needs_no_stake(
    trust, venue, alice, bob, reader
):
    bond = trust.params.asset_bond
    trust.asset_registry.registerSimulated(venue, "PLAY", 6, 10**15, sender=alice, value=bond)
    market = trust.perps.listPerp(perp_terms(quote=3), sender=alice).return_value
    assert trust.market_registry.marketOf(market).slotKind == SIMULATED
    assert bodies(trust, messages.SET_RISK)[-1]["cap"] == limits.MAX_VENUE_CAP
    assert trust.risk.sharesOf(venue) == 0
    stake_for_venues(trust, bob)
    trust.venue_registry.createVenue("second", 0, sender=bob)
    trust.oracles.openFeed(2, 8, bytes(32), sender=bob)
    with reverts(trust.perps.ForeignSimulatedAsset, asset=3, venue=2):
        trust.perps.listPerp(perp_terms(venue=2, feed=2, quote=3), sender=bob)
    with reverts(trust.perps.AssetNotOpen, asset=9):
        trust.perps.listPerp(perp_terms(quote=9), sender=alice)
    assert reader.read_each() == []


def test_perpetuals_take_slots_of_their_own_kind(trust, venue, alice):
    for _ in range(3):
        trust.perps.listPerp(PERP, sender=alice)
    call = trust.perps.listPerp.encode_input(PERP)
    refused = error_of(trust.perps, call, alice)
    assert refused == error_data("NoFreeSlot(uint32,uint8)", venue, PERPETUAL)


# name, lowest and highest that are good, of the terms (governed: 20x, 1,000 ppm of change, a quarter an account)
TERM_BOUNDS = [
    ("feedScale", 1, limits.MAX_FEED_SCALE),
    ("tickValue", 1, limits.MAX_POSITION_VALUE // (10**6 * 10**6)),
    ("maxPrice", 1, limits.MAX_POSITION_VALUE // (10**6 * 100)),
    ("maxLots", 1, limits.MAX_POSITION_VALUE // (10**6 * 100)),
    ("band", 50_000, limits.MAX_BAND),
    ("openInterestCap", 4 * 10**9, limits.MAX_OPEN_VALUE),
    ("accountCap", 1, 10**10 // 4),
    ("closes", 0, limits.MAX_TIME),
    ("takerFee", 0, limits.MAX_TAKER_FEE),
    ("takerDelay", 0, limits.MAX_TAKER_DELAY),
    ("protocolShare", limits.MIN_PROTOCOL_SHARE, 10**6 - 200_000),
    ("effectiveAt", 0, limits.MAX_TIME),
]
PARAMETER_BOUNDS = [
    (
        "fundingCap",
        1,
        4_000_000,
    ),  # MAX_FUNDING_CHANGE narrows it: a rate moves by a quarter of its cap
    ("interest", 0, limits.MAX_INTEREST),
    ("impactNotional", limits.MIN_IMPACT, limits.MAX_IMPACT),
    ("bandListing", limits.MIN_BAND, PERP["band"]),
    ("bandBasis", limits.MIN_BAND, PERP["band"]),
    ("oiLower", 0, PARAMETERS["oiUpper"] - 1),
    ("oiUpper", PARAMETERS["oiLower"] + 1, limits.MAX_OPEN_VALUE),
    ("lossCap", 0, limits.MAX_OPEN_VALUE),
]


@pytest.mark.parametrize(("name", "lowest", "highest"), TERM_BOUNDS + PARAMETER_BOUNDS)
def test_each_bound_of_a_listing_is_that_of_the_protocol(
    trust, venue, alice, name, lowest, highest
):
    is_parameter = name in PARAMETERS
    for value, is_good in (
        (lowest - 1, False),
        (lowest, True),
        (highest, True),
        (highest + 1, False),
    ):
        if value < 0:
            continue
        change = {name: value}
        terms = perp_terms(params=change) if is_parameter else perp_terms(**change)
        call = trust.perps.listPerp.encode_input(terms)
        assert attempt(trust.perps, call, alice)[0] is is_good, value


def test_without_governed_limits_the_bounds_are_the_hard_ones(deployer, project):
    rules = deployer.deploy(project.PerpRules, "0x" + "00" * 20)
    most = parameters(fundingCap=limits.MAX_FUNDING_CAP)
    rules.requireParameters(most, limits.MAX_BAND)
    for change in ({"fundingCap": limits.MAX_FUNDING_CAP + 1}, {"fundingCap": 0}):
        with reverts(rules.OutOfBounds, term="fundingCap"):
            rules.requireParameters(parameters(**change), limits.MAX_BAND)
    # A hundred times is the most that a vote could allow.
    hundred = [(0, 10_000, 6_666), NO_TIER, NO_TIER, NO_TIER]
    rules.requireParameters(parameters(tiers=hundred), limits.MAX_BAND)


@pytest.mark.parametrize(
    ("tiers", "tier", "part"),
    [
        ([NO_TIER] * 4, 0, "imr"),
        ([(1, 50_000, 25_000)] + [NO_TIER] * 3, 0, "lower"),
        ([(0, 49_999, 25_000)] + [NO_TIER] * 3, 0, "imr"),  # above twenty times
        ([(0, 1_000_001, 25_000)] + [NO_TIER] * 3, 0, "imr"),
        ([(0, 50_000, limits.MIN_MMR - 1)] + [NO_TIER] * 3, 0, "mmr"),
        ([(0, 50_000, 33_334)] + [NO_TIER] * 3, 0, "mmr"),
        ([(0, 50_000, 25_000), (0, 60_000, 25_000), NO_TIER, NO_TIER], 1, "order"),
        ([(0, 50_000, 25_000), (9, 49_000, 25_000), NO_TIER, NO_TIER], 1, "order"),
        ([(0, 50_000, 25_000), (9, 60_000, 24_000), NO_TIER, NO_TIER], 1, "order"),
        ([(0, 50_000, 25_000), NO_TIER, (9, 60_000, 25_000), NO_TIER], 1, "mmr"),
        (
            [(0, 50_000, 25_000), (limits.MAX_POSITION_VALUE + 1, 60_000, 25_000)] + [NO_TIER] * 2,
            1,
            "lower",
        ),
    ],
)
def test_tiers_rise_and_keep_their_distance(trust, venue, rules, alice, tiers, tier, part):
    call = rules.requireParameters.encode_input(parameters(tiers=tiers), 100_000)
    assert error_of(rules, call, alice) == error_data("BadTier(uint256,string)", tier, part)
    call = trust.perps.listPerp.encode_input(perp_terms(params={"tiers": tiers}))
    assert error_of(trust.perps, call, alice) == error_data("BadTier(uint256,string)", tier, part)


def test_four_tiers_up_to_the_largest_position_fit(trust, venue, alice, reader):
    tiers = [
        (0, 50_000, 33_333),
        (1, 50_000, 33_333),
        (2, 10**6, 666_666),
        (limits.MAX_POSITION_VALUE, 10**6, 666_666),
    ]
    trust.perps.listPerp(perp_terms(params={"tiers": tiers}), sender=alice)
    assert reader.read_each() == []


def test_governance_narrows_leverage(trust, venue, alice, parameter_class):
    trust.limits.set(1, 10, sender=parameter_class)
    call = trust.perps.listPerp.encode_input(PERP)
    refused = error_data("BadTier(uint256,string)", 0, "imr")
    assert error_of(trust.perps, call, alice) == refused
    tiers = [(0, 100_000, 50_000), NO_TIER, NO_TIER, NO_TIER]
    trust.perps.listPerp(perp_terms(params={"tiers": tiers}), sender=alice)


# --- parameters


def test_parameters_count_after_the_notice_and_are_told_then(
    trust, perp, alice, bob, clock, reader
):
    change = parameters(lossCap=1, interest=0)
    before = trust.inbox.count()
    receipt = trust.perps.setParameters(perp, change, sender=alice)
    ready = receipt.timestamp + NOTICE
    assert trust.perps.perpOf(perp).readyAt == ready
    assert trust.inbox.count() == before
    clock.set_next(ready - 1)
    with reverts(trust.perps.NotReady, market=perp, readyAt=ready):
        trust.perps.applyParameters(perp, sender=bob)
    clock.set_next(ready)
    trust.perps.applyParameters(perp, sender=bob)
    body = bodies(trust, messages.SET_PERP)[-1]
    assert body == {"market": perp} | parameter_body(change)
    inside, announced = trust.perps.parametersOf(perp)
    assert (inside[1], inside[7], announced[0]) == (0, 1, 0)  # interest, loss cap; nothing
    with reverts(trust.perps.NothingAnnounced, market=perp):
        trust.perps.applyParameters(perp, sender=bob)
    assert reader.read_each() == []


def test_announced_parameters_are_replaced_or_taken_back(trust, perp, alice, bob, clock):
    perps = trust.perps
    with reverts(perps.NothingAnnounced, market=perp):
        perps.cancelParameters(perp, sender=alice)
    with reverts(perps.Unchanged, market=perp):
        perps.setParameters(perp, PARAMETERS, sender=alice)
    perps.setParameters(perp, parameters(lossCap=1), sender=alice)
    clock.pass_time(NOTICE - 10)
    later = perps.setParameters(perp, parameters(lossCap=2), sender=alice).timestamp + NOTICE
    assert perps.perpOf(perp).readyAt == later
    for call in (
        lambda: perps.cancelParameters(perp, sender=bob),
        lambda: perps.setParameters(perp, parameters(lossCap=3), sender=bob),
    ):
        with reverts(trust.venue_registry.NotDeployer):
            call()
    perps.cancelParameters(perp, sender=alice)
    clock.pass_time(2 * NOTICE)
    with reverts(perps.NothingAnnounced, market=perp):
        perps.applyParameters(perp, sender=bob)


def test_before_a_perpetual_starts_its_parameters_change_at_once(
    trust, venue, alice, clock, reader
):
    start = (clock.time + 10 * DAY) * 1000
    market = trust.perps.listPerp(perp_terms(effectiveAt=start), sender=alice).return_value
    trust.perps.setParameters(market, parameters(lossCap=1), sender=alice)
    assert bodies(trust, messages.SET_PERP)[-1]["lossCap"] == 1
    assert reader.read_each() == []


def test_maintenance_rises_by_a_quarter_at_most_and_not_twice_a_day(
    trust, perp, alice, bob, clock, reader
):
    perps = trust.perps
    tiers = [(0, 50_000, 25_000), (10**9, 100_000, 50_000), NO_TIER, NO_TIER]
    with reverts(perps.RisesTooMuch, market=perp, notional=10**9):
        worse = [(0, 50_000, 31_251), tiers[1], NO_TIER, NO_TIER]
        perps.setParameters(perp, parameters(tiers=worse), sender=alice)
    with reverts(perps.RisesTooMuch, market=perp, notional=limits.MAX_POSITION_VALUE):
        # A tier that begins earlier raises what lies behind it, not what its rates say.
        worse = [(0, 50_000, 25_000), (10**9, 100_000, 62_501), NO_TIER, NO_TIER]
        perps.setParameters(perp, parameters(tiers=worse), sender=alice)
    rise = [(0, 50_000, 31_250), (10**9, 100_000, 62_500), NO_TIER, NO_TIER]
    perps.setParameters(perp, parameters(tiers=rise), sender=alice)
    clock.pass_time(NOTICE)
    first = perps.applyParameters(perp, sender=bob).timestamp
    assert perps.perpOf(perp).raisedAt == first
    more = [(0, 60_000, 35_000), (10**9, 110_000, 70_000), NO_TIER, NO_TIER]
    perps.setParameters(perp, parameters(tiers=more), sender=alice)
    clock.pass_time(NOTICE)
    perps.applyParameters(perp, sender=bob)
    assert reader.read_each() == []


def test_two_rises_before_the_start_of_a_market_stand_a_day_apart(
    trust, venue, alice, clock, reader
):
    start = (clock.time + 20 * DAY) * 1000
    market = trust.perps.listPerp(perp_terms(effectiveAt=start), sender=alice).return_value
    first = [(0, 60_000, 30_000), (10**9, 100_000, 60_000), NO_TIER, NO_TIER]
    second = [(0, 60_000, 35_000), (10**9, 110_000, 70_000), NO_TIER, NO_TIER]
    time = trust.perps.setParameters(market, parameters(tiers=first), sender=alice).timestamp
    free = time + DAY + 2 * LAG
    with reverts(trust.perps.RiseTooSoon, market=market, **{"from": free}):
        trust.perps.setParameters(market, parameters(tiers=second), sender=alice)
    clock.set_next(free)
    trust.perps.setParameters(market, parameters(tiers=second), sender=alice)
    assert reader.read_each() == []


def test_bands_fit_into_the_outer_one_now_and_as_announced(trust, perp, alice, clock, reader):
    markets, perps = trust.market_registry, trust.perps
    with reverts(perps.BandTooNarrow, market=perp, band=100_000, widest=100_001):
        perps.setParameters(perp, parameters(bandBasis=100_001), sender=alice)
    with reverts(markets.OutOfBounds, term="band", given=49_999, lowest=50_000, highest=900_000):
        markets.updateMarket(perp, terms_now(trust, perp, band=49_999), sender=alice)
    # What is announced binds both ways.
    perps.setParameters(perp, parameters(bandBasis=90_000), sender=alice)
    with reverts(markets.OutOfBounds, term="band", given=80_000, lowest=90_000, highest=900_000):
        markets.updateMarket(perp, terms_now(trust, perp, band=80_000), sender=alice)
    perps.cancelParameters(perp, sender=alice)
    markets.updateMarket(perp, terms_now(trust, perp, band=60_000), sender=alice)
    with reverts(perps.BandTooNarrow, market=perp, band=60_000, widest=90_000):
        perps.setParameters(perp, parameters(bandBasis=90_000), sender=alice)
    assert reader.read_each() == []


TIERS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 5, 10**6, 10**9, limits.MAX_POSITION_VALUE]),
        st.sampled_from([0, 10_000, 50_000, 60_000, 100_000, 10**6]),
        st.sampled_from([0, 2_499, 2_500, 25_000, 31_250, 33_333, 40_000]),
    ),
    min_size=4,
    max_size=4,
)


@pytest.mark.hypothesis
@settings(max_examples=tries(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tiers=TIERS)
def test_tiers_are_good_on_l1_exactly_if_they_are_in_the_zone(rules, alice, tiers):
    body = parameter_body(parameters(tiers=tiers)) | {"fundingCap": 1_000}
    found = [tier for tier in tiers if tier != NO_TIER]
    # L1 is narrower in one thing: leverage is governed.
    is_good = are_parameters_good(body, 100_000) and found[0][1] * 20 >= limits.PPM
    given_ = parameters(tiers=tiers, fundingCap=1_000)
    call = rules.requireParameters.encode_input(given_, 100_000)
    assert attempt(rules, call, alice)[0] is is_good


GOOD = st.lists(
    st.tuples(st.integers(1, 10**10), st.integers(50_000, 10**6), st.integers(2_500, 600_000)),
    min_size=1,
    max_size=4,
)


def to_good(parts):
    """Make tiers of any numbers: rising, with the distance that is asked for."""
    lower, imr, mmr = 0, 50_000, limits.MIN_MMR
    tiers = []
    for step, rate, maintenance in parts:
        mmr = max(mmr, maintenance)
        imr = min(max(imr, rate, (3 * mmr + 1) // 2), limits.PPM)
        mmr = min(mmr, 2 * imr // 3)
        tiers.append((lower, imr, mmr))
        lower += step
    return tiers + [NO_TIER] * (4 - len(tiers))


class Quiet:
    """What the model's rule reads of a market and its zone."""

    def __init__(self, tiers):
        self.tiers, self.raised, self.time = tiers, 0, 0


@pytest.mark.hypothesis
@settings(max_examples=tries(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=GOOD, new=GOOD, is_near=st.booleans())
def test_a_rise_is_judged_on_l1_as_in_the_zone(rules, old, new, is_near):
    old = to_good(old)
    new = to_good(new)
    if is_near:  # a quarter more, and a little
        new = [(low, imr, mmr * 5 // 4 + (low % 2)) if imr else NO_TIER for low, imr, mmr in old]
    bodies_ = [get_tiers(parameter_body(parameters(tiers=tiers))) for tiers in (old, new)]
    rises, too_much_at = rules.riseOf(old, new)
    zone = Quiet(bodies_[0])
    assert rises == raises_maintenance(*bodies_)
    if rises:
        assert (too_much_at == 0) == is_rise_bounded(zone, zone, bodies_[1])


# --- terms and end


def test_terms_of_a_perpetual_change_as_those_of_any_market(trust, perp, alice, clock, reader):
    markets = trust.market_registry
    markets.updateMarket(perp, terms_now(trust, perp, takerFee=400, band=120_000), sender=alice)
    markets.setPhase(perp, HALTED, sender=alice)
    for term, value, lowest, highest in (
        ("openInterestCap", 0, 1, limits.MAX_OPEN_VALUE),
        ("maxLots", 180_143_986, 1, limits.MAX_POSITION_VALUE // (10**6 * 100)),
        ("guestFee", 1, 0, 0),
        ("accountCap", 0, 1, 10**10 // 4),
        ("band", 0, 50_000, 900_000),
    ):
        with reverts(markets.OutOfBounds, term=term, given=value, lowest=lowest, highest=highest):
            markets.updateMarket(perp, terms_now(trust, perp, **{term: value}), sender=alice)
    assert reader.read_each() == []


def test_a_perpetual_ends_with_notice_and_counts_no_longer(trust, perp, venue, alice, bob, clock):
    markets, perps = trust.market_registry, trust.perps
    with reverts(perps.StillOpen, market=perp):
        perps.uncount(perp, sender=bob)
    markets.delist(perp, 0, sender=alice)
    for call in (
        lambda: perps.setParameters(perp, parameters(lossCap=1), sender=alice),
        lambda: perps.applyParameters(perp, sender=alice),
    ):
        with reverts(perps.MarketIsClosing, market=perp, stage=CLOSING):
            call()
    clock.pass_time(trust.params.close_notice + 1)
    markets.forget(perp, sender=bob)
    assert markets.marketOf(perp).stage == CLOSED
    perps.uncount(perp, sender=bob)
    assert (perps.perpCount(), perps.perpsOf(venue, 2)) == (0, 0)
    assert perps.hasLedger(venue, 2)
    with reverts(perps.Unchanged, market=perp):
        perps.uncount(perp, sender=bob)
    trust.venue_registry.windDown(venue, sender=alice)


def test_no_door_opens_to_a_perpetual(trust, perp, alice, bob, clock, reader):
    """The zone settles perpetuals by itself: a door to one that it had settled would end every later listing."""
    stake_for_venues(trust, bob)
    trust.venue_registry.createVenue("second", 0, sender=bob)
    trust.market_registry.setSharing(perp, 0, True, sender=alice)
    with reverts(trust.listings.NoDoorToPerpetual, home=perp):
        trust.listings.listGuest((2, perp, 0, 0), sender=bob)
    # What it protects: here L1 lists on, and the zone has ended the market.
    dated = perp_terms(closes=(clock.time + DAY) * 1000)
    trust.perps.listPerp(dated, sender=alice)
    clock.pass_time(2 * DAY)
    trust.perps.listPerp(PERP, sender=alice)
    assert reader.read_each() == []


def test_other_markets_are_no_perpetuals(trust, perp, alice, bob):
    perps = trust.perps
    for call in (
        lambda: perps.setParameters(9, PARAMETERS, sender=alice),
        lambda: perps.applyParameters(9, sender=alice),
        lambda: perps.uncount(9, sender=alice),
        lambda: perps.perpOf(9),
    ):
        with reverts(perps.NotAPerp, market=9):
            call()


def test_nobody_else_opens_markets_or_ledgers(trust, perp, alice):
    entry, first = trust.market_registry.marketOf(perp), terms_now(trust, perp)
    call = trust.market_registry.openMarket.encode_input(tuple(entry.values()), first)
    assert attempt(trust.market_registry, call, alice)[0] is False
    with reverts(trust.risk.NotPerps, caller=alice.address, perps=trust.perps.address):
        trust.risk.openLedger(1, 2, sender=alice)


# --- approval for cross pools


def test_cross_pools_are_approved_by_an_ordinary_vote_after_thirty_days(
    trust, perp, alice, ordinary_class, clock
):
    perps = trust.perps
    with reverts(perps.NotApprover, caller=alice.address, approver=ordinary_class.address):
        perps.approveCross(perp, 500_000, sender=alice)
    with reverts(perps.NotEligible, market=perp, reason="age"):
        perps.approveCross(perp, 500_000, sender=ordinary_class)
    clock.pass_time(30 * DAY)
    with reverts(perps.OutOfBounds, term="weight"):
        perps.approveCross(perp, limits.MAX_WEIGHT + 1, sender=ordinary_class)
    with reverts(perps.NotEligible, market=perp, reason="quorum"):
        perps.approveCross(perp, 500_000, sender=ordinary_class)
    wide = {"providers": [1, 2, 3], **FEED, "quorum": 3}
    trust.oracles.select(1, wide, sender=alice)
    perps.approveCross(perp, limits.MAX_WEIGHT, sender=ordinary_class)
    assert bodies(trust, messages.APPROVE_CROSS) == [{"market": perp, "weight": limits.MAX_WEIGHT}]
    with reverts(perps.Unchanged, market=perp):
        perps.approveCross(perp, limits.MAX_WEIGHT, sender=ordinary_class)
    perps.approveCross(perp, 0, sender=ordinary_class)
    assert (perps.perpOf(perp).isCross, perps.perpOf(perp).weight) == (True, 0)


# --- what the stake carries


def test_a_slash_and_a_leaving_venue_lower_what_the_stake_carries(
    trust, perp, venue, alice, bob, chain, clock, reader
):
    risk = trust.risk
    with reverts(risk.Unchanged, venue=venue, asset=2):
        risk.tell(venue, 2, sender=bob)
    court = impersonate(chain, trust.court)
    trust.staking.openCase(bytes(32), alice, sender=court)
    trust.staking.slash(bytes(32), venue, 4 * OKB, bob, sender=court)
    trust.staking.closeCase(bytes(32), sender=court)
    risk.tell(venue, 2, sender=bob)
    assert bodies(trust, messages.SET_RISK)[-1]["cap"] == 6 * 20 * PRICE
    trust.staking.requestRelease(venue, sender=alice)
    risk.tell(venue, 2, sender=bob)
    assert bodies(trust, messages.SET_RISK)[-1]["cap"] == 0
    assert reader.read_each() == []


def test_a_venue_shares_its_stake_out_and_never_twice(
    trust, perp, venue, alice, bob, deployer, project, parameter_class, reader
):
    risk = trust.risk
    other = deployer.deploy(project.TestToken, "Other", "OTH", 8)
    trust.asset_registry.registerAsset(
        other, 1, 10**17, sender=deployer, value=trust.params.asset_bond
    )
    trust.perps.listPerp(perp_terms(quote=3), sender=alice)
    assert risk.ledgerOf(venue, 3).isOpen
    assert risk.capOf(venue, 3) == 0
    with reverts(risk.SharesTooLarge, venue=venue, sum=1_000_001):
        risk.setShare(venue, 3, 1, sender=alice)
    risk.setShare(venue, 2, 250_000, sender=alice)
    risk.setShare(venue, 3, 750_000, sender=alice)
    assert risk.capOf(venue, 2) == 10 * 20 * PRICE // 4
    assert risk.capOf(venue, 3) == 0  # stake has no price in it
    risk.setPrice(3, 7, sender=parameter_class)
    risk.tell(venue, 3, sender=bob)
    assert risk.ledgerOf(venue, 3).told == 10 * 20 * 7 * 3 // 4
    with reverts(trust.venue_registry.NotDeployer):
        risk.setShare(venue, 2, 1, sender=bob)
    with reverts(risk.NoLedger, venue=venue, asset=1):
        risk.setShare(venue, 1, 1, sender=alice)
    with reverts(risk.Unchanged, venue=venue, asset=2):
        risk.setShare(venue, 2, 250_000, sender=alice)
    assert reader.read_each() == []


def test_prices_of_stake_are_governed_and_move_by_steps(
    trust, parameter_class, quote, alice, clock
):
    risk = trust.risk
    with reverts(risk.NotGovernance, caller=alice.address, governance=parameter_class.address):
        risk.setPrice(2, 1, sender=alice)
    with reverts(risk.BadPrice, asset=2, price=0, lowest=1, highest=limits.MAX_TOTAL_ATOMS):
        risk.setPrice(2, 0, sender=parameter_class)
    time = risk.setPrice(2, 1_000, sender=parameter_class).timestamp
    with reverts(risk.Cooling, asset=2, until=time + DAY):
        risk.setPrice(2, 1_001, sender=parameter_class)
    clock.pass_time(DAY)
    for wrong in (499, 1_501, 1_000):
        with reverts(risk.BadPrice, asset=2, price=wrong, lowest=500, highest=1_500):
            risk.setPrice(2, wrong, sender=parameter_class)
    risk.setPrice(2, 500, sender=parameter_class)
    assert risk.priceOf(2) == 500


def test_governance_bounds_what_one_venue_carries(
    trust, perp, venue, alice, parameter_class, clock
):
    least = trust.limits.rangeOf(11).min  # gwei
    value = trust.limits.valueOf(11)
    while value > least:
        value = max(least, trust.limits.reachOf(11)[0])
        trust.limits.set(11, value, sender=parameter_class)
        clock.pass_time(3 * DAY)
    assert trust.risk.carriedBy(venue) == least * 10**9
    assert trust.risk.capOf(venue, 2) == least * 10**9 * PRICE // 10**18


@pytest.mark.hypothesis
@settings(
    max_examples=tries(15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    stakes=st.lists(st.integers(1, 50), max_size=3),
    shares=st.lists(st.integers(0, 10**6), min_size=1, max_size=4),
    price=st.integers(PRICE // 2, PRICE * 3 // 2),
)
def test_what_is_carried_in_all_assets_is_never_more_than_the_stake_carries(
    trust, perp, venue, alice, bob, parameter_class, clock, chain, stakes, shares, price
):
    """In coin of the stake: sum over ledgers of cap / price <= carried."""
    with isolated(chain):
        for okb in stakes:
            trust.staking.stake(sender=alice, value=okb * OKB)
            trust.venue_registry.addStake(venue, okb * OKB, sender=alice)
        trust.perps.listPerp(perp_terms(quote=1), sender=alice)
        trust.risk.setPrice(1, 10**9, sender=parameter_class)
        clock.pass_time(DAY)
        if price != PRICE:
            trust.risk.setPrice(2, price, sender=parameter_class)
        for i, share in enumerate(shares):
            call = trust.risk.setShare.encode_input(venue, 1 + i % 2, share)
            if attempt(trust.risk, call, alice)[0]:
                trust.risk.setShare(venue, 1 + i % 2, share, sender=alice)
        carried = trust.risk.carriedBy(venue)
        assert carried == (10 + sum(stakes)) * 20 * OKB
        total = trust.risk.capOf(venue, 1) * OKB // 10**9
        total += trust.risk.capOf(venue, 2) * OKB // price
        assert total <= carried


# --- quotas


def test_quotas_of_assets_are_governed(trust, quote, parameter_class, alice, venue, reader):
    quotas = trust.quotas
    with reverts(quotas.NotGovernance, caller=alice.address, governance=parameter_class.address):
        quotas.setQuota(2, (1, 1), sender=alice)
    most = (limits.MAX_QUOTA_RATE, limits.MAX_TOTAL_ATOMS)
    with reverts(quotas.RateTooHigh):
        quotas.setQuota(2, (most[0] + 1, 0), sender=parameter_class)
    with reverts(quotas.DepositTooHigh):
        quotas.setQuota(2, (0, most[1] + 1), sender=parameter_class)
    with reverts(trust.asset_registry.UnknownAsset, asset=9):
        quotas.setQuota(9, most, sender=parameter_class)
    with reverts(quotas.Unchanged, asset=2):
        quotas.setQuota(2, (0, 0), sender=parameter_class)
    quotas.setQuota(2, most, sender=parameter_class)
    assert tuple(quotas.quotaOf(2)) == most
    body = bodies(trust, messages.SET_ASSET)[-1]
    assert (body["asset"], body["quotaRate"], body["quotaDeposit"]) == (2, *most)
    bond = trust.params.asset_bond
    trust.asset_registry.registerSimulated(venue, "PLAY", 6, 10**15, sender=alice, value=bond)
    with reverts(quotas.NotReal, asset=3):
        quotas.setQuota(3, (1, 1), sender=parameter_class)
    assert reader.read_each() == []


# --- gifts to a ledger


def test_money_reaches_a_ledger_only_where_there_is_one(trust, venue, quote, alice, bob):
    vault = trust.vault
    with reverts(vault.NoLedger, venue=venue, asset=2):
        vault.compensate(venue, 2, 10, sender=bob)
    bond = trust.params.asset_bond
    trust.asset_registry.registerSimulated(venue, "PLAY", 6, 10**15, sender=alice, value=bond)
    trust.perps.listPerp(perp_terms(quote=3), sender=alice)
    with reverts(vault.WrongAssetKind, asset=3, kind=3):
        vault.compensate(venue, 3, 10, sender=bob)


def test_a_gift_is_in_the_vault_and_in_the_ledger_to_the_last_atom(
    trust, perp, venue, quote, alice, bob, reader
):
    vault = trust.vault
    trust.perps.listPerp(perp_terms(quote=1), sender=alice)
    quote.mint(bob, 1_000, sender=bob)
    quote.approve(vault, 1_000, sender=bob)
    with reverts(vault.WrongFee, sent=1, expected=0):
        vault.compensate(venue, 2, 1_000, sender=bob, value=1)
    vault.compensate(venue, 2, 1_000, sender=bob)
    gwei = 10**9
    with reverts(vault.NotMultipleOfQuantum, amount=1, quantum=gwei):
        vault.compensate(venue, 1, 1, sender=bob, value=1)
    with reverts(vault.WrongFee, sent=gwei, expected=2 * gwei):
        vault.compensate(venue, 1, 2 * gwei, sender=bob, value=gwei)
    vault.compensate(venue, 1, 2 * gwei, sender=bob, value=2 * gwei)
    assert (vault.outstanding(2), vault.outstanding(1)) == (1_000, 2)
    assert (quote.balanceOf(vault), vault.balance) == (1_000, 2 * gwei)
    assert bodies(trust, messages.SLASH) == [
        {"venue": venue, "asset": 2, "amount": 1_000},
        {"venue": venue, "asset": 1, "amount": 2},
    ]
    assert reader.read_each() == []
    ledgers = reader.engine.ledgers
    assert (ledgers[venue, 2].fund, ledgers[venue, 1].fund) == (1_000, 2)
    assert ledgers[venue, 2].cap == 10 * 20 * PRICE


# --- what the zone hears


def test_the_zone_takes_the_whole_life_of_a_perpetual(
    trust, perp, venue, alice, bob, verifiers, clock, reader
):
    """The independent model reads each message in a block of its own, and ignores none."""
    trust.oracles.openFeed(venue, 8, bytes(32), sender=alice)
    trust.oracles.rotate(1, bob, sender=verifiers[0])
    trust.oracles.exit(2, sender=verifiers[1])
    trust.perps.setParameters(perp, parameters(bandBasis=100_000), sender=alice)
    clock.pass_time(4 * DAY)
    trust.oracles.announce(1, sender=bob)
    trust.perps.applyParameters(perp, sender=bob)
    update = terms_now(trust, perp, band=200_000, takerFee=400)
    trust.market_registry.updateMarket(perp, update, sender=alice)
    stake_for_venues(trust, alice)
    trust.venue_registry.addStake(venue, OKB, sender=alice)
    trust.risk.tell(venue, 2, sender=bob)
    clock.pass_time(4 * DAY)
    trust.market_registry.delist(perp, 0, sender=alice)
    assert reader.read_each() == []
    kinds = {message.kind for message in trust.messages()}
    assert kinds >= {messages.LIST_PERP, messages.SET_PERP, messages.ORACLE_SET, messages.SET_RISK}
    model = reader.engine
    assert model.perps[perp].band_basis == 100_000
    assert model.ledgers[venue, 2].cap == 11 * 20 * PRICE
    signers = [signer for _, signer in model.feeds[1].providers]
    assert signers[0] == bytes.fromhex(bob.address[2:])
    assert len(model.feeds) == 2
