"""Listings: every bound of a market's terms, governed bounds, events, doors, slots, and who may."""

import pytest
from eth_abi import encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts._deployment import NOBODY
from tests.contracts.conftest import register
from tests.contracts.driver import OKB, error_of, reverts, tries
from tests.contracts.governed import impersonate
from tests.contracts.markets import (
    CLOSED,
    EVENT,
    OUTCOME,
    QUESTION,
    SETTLED,
    SIMULATED,
    SPOT,
    TERMS,
    announced,
    payouts,
    stake_for_venues,
    terms_now,
)
from tradezone.chain.abi import MARKET_REGISTRY
from tradezone.protocol import limits, messages
from tradezone.protocol.enums import GROUP_OPEN, GROUP_RESOLVED, GROUP_VOID, MARKET_SPOT
from tradezone.protocol.hashing import keccak

CONFIG_FIELDS = [part.name for part in MARKET_REGISTRY.functions["config"].outputs[0].parts]
MAX_TAKER_FEE, MAX_MAKER_FEE, MAX_REBATE, MIN_PROTOCOL_SHARE, MAX_TAKER_DELAY = 2, 3, 4, 5, 14


@pytest.fixture
def listings(zone):
    return zone.listings


@pytest.fixture
def markets(zone):
    return zone.market_registry


@pytest.fixture
def guest_venue(zone, venue, bob):
    """A venue of bob, the second."""
    stake_for_venues(zone, bob)
    return zone.venue_registry.createVenue("second-venue", 0, sender=bob).return_value


# --- spot


def test_a_listing_is_told_to_the_zone_field_by_field(zone, listings, markets, venue, alice, clock):
    soon = (clock.time + 1000) * 1000
    terms = TERMS | {"effectiveAt": soon}
    receipt = listings.listSpot(terms, sender=alice)
    assert receipt.return_value == markets.marketCount() == 1
    assert markets.marketIdOf(1) == 1 << 16 | 1
    message = zone.messages()[-1]
    assert message.kind == messages.LIST_MARKET
    expected = terms | {"market": 1, "id": 1 << 16 | 1, "kind": MARKET_SPOT}
    assert zone.body(message.index) == expected
    event = listings.SpotListed.from_receipt(receipt)[0]
    assert (event.market, event.id, event.venue) == (1, 1 << 16 | 1, 1)
    assert event.inboxIndex == message.index
    entry = markets.marketOf(1)
    assert (entry.base, entry.quote, entry.kind, entry.startsAt) == (2, 3, MARKET_SPOT, soon)
    assert zone.base_slots.slotOf(1).kind == SPOT


def test_a_market_starts_at_once_if_its_time_has_passed(zone, listings, venue, alice, clock):
    for past in (0, 1, (clock.time - 1) * 1000):
        receipt = listings.listSpot(TERMS | {"effectiveAt": past}, sender=alice)
        assert zone.body(zone.inbox.count() - 1)["effectiveAt"] == receipt.timestamp * 1000


def test_slots_count_over_the_zone_and_numbers_inside_the_venue(
    listings, markets, guest_venue, alice, bob
):
    listings.listSpot(TERMS, sender=alice)
    listings.listSpot(TERMS | {"venue": 2}, sender=bob)
    listings.listSpot(TERMS, sender=alice)
    ids = [markets.marketIdOf(market) for market in (1, 2, 3, 4)]
    assert ids == [1 << 16 | 1, 2 << 16 | 1, 1 << 16 | 2, 0]
    assert [markets.openMarketsOf(v) for v in (1, 2)] == [2, 1]


def test_base_slots_are_ten(zone, listings, venue, alice):
    for _ in range(10):
        listings.listSpot(TERMS, sender=alice)
    assert zone.base_slots.baseSlotsUsed(1, SPOT) == 10
    with reverts(zone.base_slots.NoFreeSlot, venue=1, kind=SPOT):
        listings.listSpot(TERMS, sender=alice)


def test_only_the_deployer_lists(zone, listings, venue, alice, bob, deployer):
    error = zone.venue_registry.NotDeployer
    for stranger in (bob, deployer):
        for call in (
            lambda s: listings.listSpot(TERMS, sender=s),
            lambda s: listings.listEvent(EVENT, b"", sender=s),
            lambda s: listings.listGuest((1, 1, 0, 0), sender=s),
        ):
            with reverts(error, caller=stranger.address, deployer=alice.address):
                call(stranger)


def test_base_and_quote_are_two_open_assets(zone, listings, venue, alice, project):
    with reverts(listings.SameAsset, asset=2):
        listings.listSpot(TERMS | {"quote": 2}, sender=alice)
    token = alice.deploy(project.TestToken, "T", "T", 6)
    closed = register(zone, alice, token)
    zone.asset_registry.closeAsset(closed, sender=alice)
    for wrong in (0, closed, closed + 1):
        for side in ("base", "quote"):
            with reverts(listings.AssetNotOpen, asset=wrong):
                listings.listSpot(TERMS | {side: wrong}, sender=alice)
    listings.listSpot(TERMS | {"quote": 1}, sender=alice)


def test_ids_have_an_end(zone, project, deployer, venue, alice):
    """Registries for no market and no event, of the same inbox: they refuse before they ask it."""
    config = zone.market_registry.config()
    fields = {name: getattr(config, name) for name in CONFIG_FIELDS}
    full = deployer.deploy(
        project.MarketRegistry, fields | {"listings": alice.address, "maxMarkets": 0}
    )
    entry = zone.market_registry.marketOf(zone.listings.listSpot(TERMS, sender=alice).return_value)
    with reverts(full.MarketsFull, maxMarkets=0):
        full.openMarket(entry, zone.market_registry.termsOf(1)[0], sender=alice)
    eventless = deployer.deploy(
        project.Listings,
        zone.inbox,
        zone.venue_registry,
        zone.asset_registry,
        zone.market_registry,
        NOBODY,
        zone.params.resolver,
        0,
    )
    with reverts(eventless.EventsFull, maxEvents=0):
        eventless.listEvent(EVENT, b"", sender=alice)


def bounds_of(terms) -> list[tuple[str, int, int]]:
    """The bounds of docs/spec/orders.md for these terms, in Python, in the order of checks."""
    most = limits.MAX_NOTIONAL // max(terms["maxPrice"] * terms["tickValue"], 1)
    return [
        ("tickValue", 1, limits.MAX_TICK_VALUE),
        ("maxPrice", 1, limits.MAX_PRICE),
        ("maxLots", 1, most),
        ("lotSize", 1, limits.MAX_NOTIONAL // max(terms["maxLots"], 1)),
        ("maxNotional", 1, limits.MAX_NOTIONAL),
        ("minNotional", 0, terms["maxNotional"]),
        ("takerFee", 0, limits.MAX_TAKER_FEE),
        ("makerFee", -limits.MAX_REBATE, limits.MAX_MAKER_FEE),
        ("protocolShare", limits.MIN_PROTOCOL_SHARE, limits.PPM),
        ("insuranceShare", 0, limits.PPM - terms["protocolShare"]),
        ("takerDelay", 0, limits.MAX_TAKER_DELAY),
        ("effectiveAt", 0, limits.MAX_TIME),
    ]


WIDTHS = {name: (kind, 8 * width) for name, kind, width in messages.LIST_MARKET_BODY}
EDGES = [(name, edge) for name, _, _ in bounds_of(TERMS) for edge in ("lowest", "highest")]


@pytest.mark.parametrize(("name", "edge"), EDGES)
def test_each_bound_holds_to_the_unit(listings, venue, alice, name, edge):
    lowest, highest = next((low, high) for term, low, high in bounds_of(TERMS) if term == name)
    inside = lowest if edge == "lowest" else highest
    outside = lowest - 1 if edge == "lowest" else highest + 1
    # terms that leave the one under test as much room as it can have
    wide = TERMS | {"maxLots": 1, "lotSize": 1, "minNotional": 0, "insuranceShare": 0}
    terms = (TERMS if name in ("lotSize", "minNotional", "insuranceShare") else wide) | {
        name: inside
    }
    if name in ("minNotional", "insuranceShare", "lotSize"):
        terms = terms | {"maxLots": TERMS["maxLots"]}
    listings.listSpot(terms, sender=alice)
    kind, bits = WIDTHS[name]
    if (outside < 0 and kind.startswith("uint")) or outside >= 2**bits:
        return  # no such value can be sent
    with reverts(listings.OutOfBounds, term=name, given=outside, lowest=lowest, highest=highest):
        listings.listSpot(terms | {name: outside}, sender=alice)


def near(low, high, bits):
    """Numbers around a pair of bounds, and any others."""
    return st.one_of(
        st.integers(min(low, high), max(low, high)),
        st.sampled_from([low, high, low + 1, high - 1, high + 1, low - 1]),
        st.integers(0, 2**bits - 1),
    )


@settings(max_examples=tries(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_listing_is_taken_if_and_only_if_python_finds_it_in_bounds(listings, venue, alice, data):
    terms = dict(TERMS)
    for name, _, _ in bounds_of(TERMS):
        if not data.draw(st.booleans()):
            continue
        kind, bits = WIDTHS[name]
        low, high = next((low, high) for term, low, high in bounds_of(terms) if term == name)
        value = data.draw(near(low, high, bits - (kind == "int32")))
        signed = kind == "int32"
        least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        terms[name] = min(max(value, least), most)
    broken = [
        (name, low, high) for name, low, high in bounds_of(terms) if not low <= terms[name] <= high
    ]
    error = error_of(listings, listings.listSpot.encode_input(terms), alice)
    if not broken:
        assert error is None
        return
    name, low, high = broken[0]
    assert error == keccak(b"OutOfBounds(string,int256,int256,int256)")[:4] + encode(
        ["string", "int256", "int256", "int256"], [name, terms[name], low, high]
    )


def test_terms_in_bounds_make_every_product_fit(listings, venue, alice):
    """The largest market there can be: notional and base of its largest order fit 61 bits."""
    price, tick = limits.MAX_PRICE, limits.MAX_TICK_VALUE
    most = limits.MAX_NOTIONAL // (price * tick)
    assert most >= 1
    listings.listSpot(
        TERMS
        | {
            "maxPrice": price,
            "tickValue": tick,
            "maxLots": most,
            "lotSize": limits.MAX_NOTIONAL // most,
            "maxNotional": limits.MAX_NOTIONAL,
        },
        sender=alice,
    )


# --- governed bounds


@pytest.mark.parametrize(
    ("limit", "value", "term", "given", "bound"),
    [
        (MAX_TAKER_FEE, 25_000, "takerFee", 25_001, (0, 25_000)),
        (MAX_MAKER_FEE, 25_000, "makerFee", 25_001, (-10_000, 25_000)),
        (MAX_REBATE, 5_000, "makerFee", -5_001, (-5_000, 50_000)),
        (MIN_PROTOCOL_SHARE, 125_000, "protocolShare", 124_999, (125_000, 1_000_000)),
        (MAX_TAKER_DELAY, 10, "takerDelay", 11, (0, 10)),
    ],
)
def test_governed_bounds_are_read_at_listing_and_at_each_update(
    governed, alice, chain, token, limit, value, term, given, bound
):
    governed.asset_registry.registerAsset(
        token, 1, 10**15, sender=alice, value=governed.params.asset_bond
    )
    stake_for_venues(governed, alice)
    governed.venue_registry.createVenue("alpha", 0, sender=alice)
    terms = TERMS | {"base": 1, "quote": 2}
    listings, markets = governed.listings, governed.market_registry
    before = listings.listSpot(terms | {term: given}, sender=alice).return_value
    timelock = impersonate(chain, governed.governance.timelock("parameter"))
    governed.governance.limits.set(limit, value, sender=timelock)
    lowest, highest = bound
    error = {"term": term, "given": given, "lowest": lowest, "highest": highest}
    with reverts(listings.OutOfBounds, **error):
        listings.listSpot(terms | {term: given}, sender=alice)
    edge = lowest if given < lowest else highest
    listings.listSpot(terms | {term: edge}, sender=alice)
    # The market listed before trades on, but another change has to respect the bound.
    changed = terms_now(governed, before)
    with reverts(markets.OutOfBounds, **error):
        markets.updateMarket(before, changed | {"referrerShare": 1}, sender=alice)
    markets.setPhase(before, 5, sender=alice)  # what protects people is never in the way


# --- events


def test_an_event_with_two_outcomes_has_one_market(zone, listings, markets, venue, alice, resolver):
    before = zone.inbox.count()
    receipt = listings.listEvent(EVENT, b"know this", sender=alice, value=5)
    assert receipt.return_value == listings.eventCount() == 1
    told = zone.messages()[before:]
    assert [message.kind for message in told] == [messages.LIST_EVENT, messages.LIST_OUTCOME]
    assert zone.body(before) == {
        "group": 1,
        "venue": 1,
        "asset": 2,
        "outcomes": 2,
        "unit": EVENT["unit"],
        "voidPayouts": EVENT["voidPayouts"],
    }
    same = ("tickValue", "minNotional", "maxNotional", "maxLots", "takerFee", "makerFee")
    same += ("protocolShare", "insuranceShare", "takerDelay", "closes")
    assert zone.body(before + 1) == {name: EVENT[name] for name in same} | {
        "market": 1,
        "id": 1 << 16 | 1,
        "group": 1,
        "effectiveAt": receipt.timestamp * 1000,
    }
    taken = resolver.Taken.from_receipt(receipt)[0]
    assert (taken.id, taken.data, taken.value) == (1, b"know this", 5)
    assert bytes(taken.terms[-1]) == QUESTION
    entry = markets.marketOf(1)
    assert (entry.eventId, entry.maxPrice, entry.lotSize) == (1, 99, EVENT["unit"])
    assert zone.base_slots.slotOf(1).kind == OUTCOME


def test_an_event_with_sixteen_outcomes_has_as_many_markets(zone, listings, markets, venue, alice):
    before = zone.inbox.count()
    terms = EVENT | {"outcomes": 16, "voidPayouts": payouts(*[625] * 16)}
    receipt = listings.listEvent(terms, b"", sender=alice)
    told = zone.messages()[before:]
    assert [m.kind for m in told] == [messages.LIST_EVENT] + [messages.LIST_OUTCOME] * 16
    assert [zone.body(m.index)["market"] for m in told[1:]] == [*range(1, 17)]
    assert markets.openMarketsOf(1) == zone.base_slots.baseSlotsUsed(1, OUTCOME) == 16
    outcomes = [event.outcome for event in listings.OutcomeListed.from_receipt(receipt)]
    assert outcomes == [*range(16)]
    # Four slots are left: an event is listed whole or not at all.
    with reverts(zone.base_slots.NoFreeSlot, venue=1, kind=OUTCOME):
        listings.listEvent(EVENT | {"outcomes": 5, "voidPayouts": payouts(*[2000] * 5)}, b"",
                           sender=alice)  # fmt: skip
    assert zone.inbox.count() == before + 17
    assert listings.eventCount() == 1


@pytest.mark.parametrize(
    ("vector", "outcomes"),
    [
        (payouts(10_000), 2),
        (payouts(5000, 5000), 2),
        (payouts(0, 10_000), 2),
        (payouts(*[625] * 16), 16),
    ],
)
def test_good_void_vectors_are_taken(listings, venue, alice, vector, outcomes):
    listings.listEvent(EVENT | {"voidPayouts": vector, "outcomes": outcomes}, b"", sender=alice)


@pytest.mark.parametrize(
    ("vector", "outcomes"),
    [
        (payouts(), 2),
        (payouts(9_999), 2),
        (payouts(5000, 5001), 2),
        (payouts(0, 0, 10_000), 2),
        (payouts(5000, 5000, 1), 2),
        (payouts(*[625] * 16), 15),
        (payouts(65_535, 65_535), 2),
    ],
)
def test_bad_void_vectors_are_refused(listings, venue, alice, vector, outcomes):
    with reverts(listings.BadPayouts, payouts=vector, outcomes=outcomes):
        listings.listEvent(EVENT | {"voidPayouts": vector, "outcomes": outcomes}, b"", sender=alice)


@pytest.mark.parametrize(
    ("changes", "term", "given", "lowest", "highest"),
    [
        ({"outcomes": 1}, "outcomes", 1, 2, 16),
        ({"outcomes": 17}, "outcomes", 17, 2, 16),
        ({"unit": 0}, "unit", 0, 1, limits.MAX_NOTIONAL),
        (
            {"unit": limits.MAX_NOTIONAL + 1},
            "unit",
            limits.MAX_NOTIONAL + 1,
            1,
            limits.MAX_NOTIONAL,
        ),
        ({"tickValue": 0}, "tickValue", 0, 1, limits.MAX_TICK_VALUE),
        ({"tickValue": 1_000_000}, "maxPrice", 0, 1, limits.MAX_PRICE),
        ({"maxLots": 0}, "maxLots", 0, 1, limits.MAX_NOTIONAL // 1_000_000),
        (
            {"maxLots": limits.MAX_NOTIONAL // 1_000_000 + 1},
            "maxLots",
            limits.MAX_NOTIONAL // 1_000_000 + 1,
            1,
            limits.MAX_NOTIONAL // 1_000_000,
        ),
        ({"takerFee": 50_001}, "takerFee", 50_001, 0, 50_000),
        ({"closes": limits.MAX_TIME + 1}, "closes", limits.MAX_TIME + 1, 0, limits.MAX_TIME),
        (
            {"unit": 10_000 * (1 << 31), "tickValue": 10_000, "maxLots": 1},
            "maxPrice",
            (1 << 31) - 1 + 0,
            1,
            limits.MAX_PRICE,
        ),
    ],
)
def test_an_events_terms_are_bounded(listings, venue, alice, changes, term, given, lowest, highest):
    if lowest <= given <= highest:  # the last value inside
        listings.listEvent(EVENT | changes, b"", sender=alice)
        return
    with reverts(listings.OutOfBounds, term=term, given=given, lowest=lowest, highest=highest):
        listings.listEvent(EVENT | changes, b"", sender=alice)


@pytest.mark.parametrize(("unit", "tick"), [(15_000, 1), (1_000_000, 3), (9_999, 9)])
def test_a_unit_is_a_multiple_of_fractions_and_ticks(listings, venue, alice, unit, tick):
    with reverts(listings.BadUnit, unit=unit, tickValue=tick):
        listings.listEvent(EVENT | {"unit": unit, "tickValue": tick}, b"", sender=alice)


def test_an_event_needs_somebody_who_resolves_it(paid_zone, zone, listings, resolver, venue, alice):
    stake_for_venues(paid_zone, alice)
    paid_zone.venue_registry.createVenue("alpha", 0, sender=alice, value=OKB // 100)
    with reverts(paid_zone.listings.NoResolver):
        paid_zone.listings.listEvent(EVENT, b"", sender=alice)
    resolver.setRefusing(True, sender=alice)
    with reverts(resolver.Refused, id=1):
        listings.listEvent(EVENT, b"", sender=alice)
    with reverts(listings.UnknownEvent, eventId=1):
        listings.eventOf(1)
    assert zone.market_registry.marketCount() == 0


@pytest.mark.parametrize(
    ("state", "vector"), [(GROUP_RESOLVED, payouts(0, 10_000)), (GROUP_VOID, payouts())]
)
def test_a_result_settles_every_market_of_the_event(
    zone, listings, markets, venue, alice, resolver, state, vector
):
    three = {"outcomes": 3, "voidPayouts": payouts(3000, 3000, 4000)}
    listings.listEvent(EVENT | three, b"", sender=alice)
    listings.listEvent(EVENT, b"", sender=alice)
    before = zone.inbox.count()
    receipt = resolver.resolve(listings, 1, state, vector, sender=alice)
    assert zone.inbox.count() == before + 1
    assert zone.messages()[-1].kind == messages.RESOLUTION
    assert zone.body(before) == {"group": 1, "state": state, "payouts": vector}
    assert len(markets.MarketClosed.from_receipt(receipt)) == 3
    assert [markets.marketOf(m).stage for m in (1, 2, 3, 4)] == [CLOSED] * 3 + [1]
    assert markets.openMarketsOf(1) == zone.base_slots.baseSlotsUsed(1, OUTCOME) == 1
    assert listings.eventOf(1).state == state
    with reverts(listings.EventIsSettled, eventId=1, state=state):
        resolver.resolve(listings, 1, state, vector, sender=alice)


def test_only_the_resolver_resolves_and_only_what_makes_sense(
    listings, venue, alice, resolver, deployer
):
    listings.listEvent(EVENT, b"", sender=alice)
    for stranger in (alice, deployer):
        with reverts(listings.NotResolver, caller=stranger.address, resolver=resolver.address):
            listings.resolveEvent(1, GROUP_VOID, payouts(), sender=stranger)
    with reverts(listings.UnknownEvent, eventId=2):
        resolver.resolve(listings, 2, GROUP_VOID, payouts(), sender=alice)
    for state in (0, GROUP_OPEN, 4):
        with reverts(listings.BadState, state=state):
            resolver.resolve(listings, 1, state, payouts(), sender=alice)
    for state, vector in (
        (GROUP_VOID, payouts(10_000)),
        (GROUP_RESOLVED, payouts()),
        (GROUP_RESOLVED, payouts(5000, 5000, 1)),
        (GROUP_RESOLVED, payouts(0, 0, 10_000)),
    ):
        with reverts(listings.BadPayouts, payouts=vector, outcomes=2):
            resolver.resolve(listings, 1, state, vector, sender=alice)


# --- doors


def test_a_door_leads_to_a_market_that_its_home_shares(
    zone, listings, markets, market, guest_venue, alice, bob
):
    with reverts(listings.NotShared, home=1, guest=2):
        listings.listGuest((2, 1, 300, 0), sender=bob)
    markets.setSharing(1, 2, True, sender=alice)
    receipt = listings.listGuest((2, 1, 300, 0), sender=bob)
    assert receipt.return_value == 2
    message = zone.messages()[-1]
    assert message.kind == messages.LIST_GUEST
    assert zone.body(message.index) == {
        "market": 2,
        "id": 2 << 16 | 1,
        "venue": 2,
        "home": 1,
        "guestFee": 300,
        "effectiveAt": receipt.timestamp * 1000,
    }
    entry = markets.marketOf(2)
    assert (entry.home, entry.base, entry.quote, entry.venue) == (1, 2, 3, 2)
    assert zone.base_slots.baseSlotsUsed(2, SPOT) == 1


def test_sharing_is_for_one_venue_or_for_all_and_ends_for_new_doors_only(
    listings, markets, market, guest_venue, alice, bob
):
    markets.setSharing(1, 0, True, sender=alice)
    listings.listGuest((2, 1, 0, 0), sender=bob)
    with reverts(markets.Unchanged, market=1):
        markets.setSharing(1, 0, True, sender=alice)
    markets.setSharing(1, 0, False, sender=alice)
    with reverts(listings.NotShared, home=1, guest=2):
        listings.listGuest((2, 1, 0, 0), sender=bob)
    assert markets.marketOf(2).stage == 1
    with reverts(markets.NotAHome, market=2):
        markets.setSharing(2, 1, True, sender=bob)
    with reverts(markets.NotAHome, market=1):
        markets.setSharing(1, 1, True, sender=alice)


def test_doors_lead_to_books_of_other_venues_that_stay(
    zone, listings, markets, market, guest_venue, alice, bob, clock
):
    markets.setSharing(1, 0, True, sender=alice)
    with reverts(listings.NotAHome, market=1):
        listings.listGuest((1, 1, 0, 0), sender=alice)
    door = listings.listGuest((2, 1, 0, 0), sender=bob).return_value
    with reverts(listings.NotAHome, market=door):
        listings.listGuest((1, door, 0, 0), sender=alice)
    with reverts(markets.UnknownMarket, market=9):
        listings.listGuest((2, 9, 0, 0), sender=bob)
    with reverts(listings.OutOfBounds, term="guestFee", given=10_001, lowest=0, highest=10_000):
        listings.listGuest((2, 1, 10_001, 0), sender=bob)
    # The zone would refuse the door of a market that is settled by then, and lose count of markets.
    markets.delist(1, 0, sender=alice)
    with reverts(listings.MarketIsClosing, market=1, stage=2):
        listings.listGuest((2, 1, 0, 0), sender=bob)


def test_a_door_goes_with_its_home_and_the_zone_is_told(
    zone, listings, markets, market, guest_venue, alice, bob, clock
):
    markets.setSharing(1, 2, True, sender=alice)
    door = listings.listGuest((2, 1, 0, 0), sender=bob).return_value
    with reverts(markets.MarketNotOver, market=door):
        markets.forget(door, sender=bob)
    markets.delist(1, 0, sender=alice)
    clock.pass_time(zone.params.close_notice + 1)
    with reverts(markets.MarketNotOver, market=door):
        markets.forget(door, sender=bob)
    markets.forget(1, sender=bob)
    before = zone.inbox.count()
    markets.forget(door, sender=bob)
    (body,) = [zone.body(m.index) for m in zone.messages()[before:]]
    assert (body["market"], body["phase"], body["effectiveAt"]) == (door, SETTLED, 0)
    assert markets.openMarketsOf(2) == zone.base_slots.baseSlotsUsed(2, SPOT) == 0
    with reverts(markets.MarketNotOver, market=door):
        markets.forget(door, sender=bob)


def test_a_door_is_closed_by_its_own_venue_with_notice(
    zone, listings, markets, market, guest_venue, alice, bob, clock
):
    markets.setSharing(1, 2, True, sender=alice)
    door = listings.listGuest((2, 1, 0, 0), sender=bob).return_value
    markets.delist(door, 0, sender=bob)
    with reverts(markets.MarketIsClosing, market=door, stage=2):
        markets.delist(door, 0, sender=bob)
    with reverts(markets.MarketNotOver, market=door):
        markets.forget(door, sender=alice)
    clock.pass_time(zone.params.close_notice + 1)
    before = zone.inbox.count()
    markets.forget(door, sender=alice)
    assert zone.inbox.count() == before  # the zone settles it by the message that announced it
    assert markets.openMarketsOf(2) == zone.base_slots.baseSlotsUsed(2, SPOT) == 0
    assert markets.openMarketsOf(1) == 1


def test_a_closing_door_whose_home_is_gone_is_told_to_close_at_once(
    zone, listings, markets, market, guest_venue, alice, bob, clock
):
    markets.setSharing(1, 2, True, sender=alice)
    door = listings.listGuest((2, 1, 0, 0), sender=bob).return_value
    markets.delist(1, 0, sender=alice)
    clock.pass_time(zone.params.close_notice + 1)
    markets.delist(door, 0, sender=bob)
    markets.forget(1, sender=bob)
    markets.forget(door, sender=bob)
    assert announced(zone, door)["effectiveAt"] == 0
    assert terms_now(zone, door)["phase"] == SETTLED


# --- simulated assets


def test_simulated_assets_meet_only_their_like_at_home(zone, listings, guest_venue, alice, bob):
    assets = zone.asset_registry
    bond = zone.params.asset_bond
    for venue, sender in ((1, alice), (1, alice), (2, bob)):
        assets.registerSimulated(venue, "PLAY", 6, 10**15, sender=sender, value=bond)
    play, fun, other = 4, 5, 6
    market = listings.listSpot(TERMS | {"base": play, "quote": fun}, sender=alice).return_value
    assert zone.base_slots.slotOf(market).kind == SIMULATED
    with reverts(listings.NotSameKind, base=play, quote=2):
        listings.listSpot(TERMS | {"base": play, "quote": 2}, sender=alice)
    with reverts(listings.ForeignSimulatedAsset, asset=other, venue=1):
        listings.listSpot(TERMS | {"base": play, "quote": other}, sender=alice)
    listings.listEvent(EVENT | {"asset": play}, b"", sender=alice)
    with reverts(listings.ForeignSimulatedAsset, asset=other, venue=1):
        listings.listEvent(EVENT | {"asset": other}, b"", sender=alice)
    zone.market_registry.setSharing(market, 0, True, sender=alice)
    with reverts(listings.ForeignSimulatedAsset, asset=fun, venue=2):
        listings.listGuest((2, market, 0, 0), sender=bob)
