"""Venues and listings: stake, names, slots, and every bound of a market's terms."""

import pytest
from eth_abi import encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts._deployment import NOBODY, predict_address
from tests.contracts.conftest import register
from tests.contracts.driver import GWEI, OKB, error_of, reverts, tries
from tradezone.protocol import limits, messages
from tradezone.protocol.enums import ACCESS_CREDENTIAL, MARKET_SPOT
from tradezone.protocol.hashing import keccak

FEE = OKB // 100
TERMS = {
    "venue": 1,
    "base": 2,
    "quote": 3,
    "lotSize": 1000,
    "tickValue": 10,
    "minNotional": 100,
    "maxNotional": 10**12,
    "maxLots": 10**6,
    "maxPrice": 10**6,
    "takerFee": 500,
    "makerFee": -100,
    "protocolShare": 200_000,
    "insuranceShare": 100_000,
    "takerDelay": 3,
    "effectiveAt": 0,
}


@pytest.fixture
def venues(zone):
    return zone.venue_registry


@pytest.fixture
def venue(zone, venues, token, coarse_token, alice):
    """A venue of alice, the first."""
    zone.staking.stake(sender=alice, value=zone.params.venue_stake)
    return venues.createVenue("first-venue", 0, sender=alice).return_value


def stake_for_venues(zone, account, count=1):
    zone.staking.stake(sender=account, value=count * zone.params.venue_stake)


# --- venues


def test_a_venue_stands_on_locked_stake(zone, venues, params, alice):
    stake_for_venues(zone, alice, 2)
    receipt = venues.createVenue("alpha", ACCESS_CREDENTIAL, sender=alice)
    assert receipt.return_value == venues.venueCount() == 1
    assert zone.staking.stakeOf(1) == zone.staking.lockedOf(alice) == params.venue_stake
    assert zone.staking.freeOf(alice) == params.venue_stake
    owner = zone.owner_registry.idOf(alice)
    entry = venues.venueOf(1)
    assert (entry.deployer, entry.owner, entry.access) == (alice, owner, ACCESS_CREDENTIAL)
    assert (entry.markets, entry.name) == (0, "alpha")
    assert venues.venueNamed("alpha") == 1
    registered, created = zone.messages()[-2:]
    assert registered.kind == messages.REGISTER_OWNER
    assert created.payload == zone.payload(
        messages.CREATE_VENUE,
        venue=1,
        owner=owner,
        access=ACCESS_CREDENTIAL,
        stake=params.venue_stake // GWEI,
    )


def test_venue_ids_follow_each_other(zone, venues, alice, bob):
    for account, name in ((alice, "one"), (bob, "two"), (alice, "three")):
        stake_for_venues(zone, account)
        venues.createVenue(name, 0, sender=account)
    assert [venues.venueNamed(name) for name in ("one", "two", "three", "four")] == [1, 2, 3, 0]


def test_no_stake_no_venue(zone, venues, params, alice, bob):
    zone.staking.stake(sender=alice, value=params.venue_stake - 1)
    stake_for_venues(zone, bob)
    with reverts(
        zone.staking.InsufficientFree,
        account=alice.address,
        asked=params.venue_stake,
        free=params.venue_stake - 1,
    ):
        venues.createVenue("alpha", 0, sender=alice)
    assert venues.venueCount() == 0


def test_a_new_deployer_pays_its_registration(paid_zone, alice):
    venues = paid_zone.venue_registry
    stake_for_venues(paid_zone, alice, 2)
    with reverts(paid_zone.owner_registry.WrongFee, sent=0, expected=FEE):
        venues.createVenue("alpha", 0, sender=alice)
    venues.createVenue("alpha", 0, sender=alice, value=FEE)
    with reverts(paid_zone.owner_registry.WrongFee, sent=FEE, expected=0):
        venues.createVenue("beta", 0, sender=alice, value=FEE)
    assert venues.balance == 0


@pytest.mark.parametrize("access", [3, 255])
def test_access_rules_are_three(venues, alice, access):
    with reverts(venues.UnknownAccess, access=access):
        venues.createVenue("alpha", access, sender=alice)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ab",
        "a" * 33,
        "Alpha",
        "al pha",
        "al_pha",
        "alpha.",
        "al\x00pha",
        "alphä",
        "`abc",
        "{abc",
        "abc/",
        "abc:",
    ],
)
def test_bad_names_are_refused(venues, alice, name):
    with reverts(venues.BadName, name=name):
        venues.createVenue(name, 0, sender=alice)


@pytest.mark.parametrize("name", ["abc", "a" * 32, "---", "0-9", "azbycx-0189"])
def test_good_names_are_taken(zone, venues, alice, name):
    stake_for_venues(zone, alice)
    venues.createVenue(name, 0, sender=alice)
    assert venues.venueOf(1).name == name


def test_a_name_is_given_once(zone, venues, venue, bob):
    stake_for_venues(zone, bob)
    with reverts(venues.NameTaken, name="first-venue", venue=1):
        venues.createVenue("first-venue", 0, sender=bob)


def test_the_tables_have_an_end(zone, deployer, project, accounts, alice, token, coarse_token):
    """A registry for one venue and one market, wired to the zone's own registries."""
    start = deployer.nonce
    inbox, staking, venues = (predict_address(deployer.address, start + i) for i in range(3))
    deployer.deploy(project.Inbox, accounts[16], [venues], [1 << 5 | 1 << 6])
    staking = deployer.deploy(project.StakingVault, venues, zone.chain, NOBODY, 1, 1, 1, 1)
    zone.owner_registry.register(alice, sender=alice)
    small = deployer.deploy(
        project.VenueRegistry,
        inbox,
        zone.owner_registry,
        zone.asset_registry,
        staking,
        NOBODY,
        OKB,
        10,
        1,
        1,
    )
    staking.stake(sender=alice, value=3 * OKB)
    small.createVenue("one", 0, sender=alice)
    with reverts(small.VenuesFull, maxVenues=1):
        small.createVenue("two", 0, sender=alice)
    small.listSpot(TERMS, sender=alice)
    with reverts(small.MarketsFull, maxMarkets=1):
        small.listSpot(TERMS, sender=alice)


@pytest.mark.parametrize("stake", [0, 1, GWEI - 1, GWEI + 1, 2**62 * GWEI])
def test_venue_stake_is_whole_gwei_that_the_zone_can_count(zone, deployer, project, stake):
    with reverts(zone.venue_registry.BadStake, stake=stake):
        deploy_registry(zone, deployer, project, stake=stake)


def test_market_ids_leave_16_bits_to_the_number(zone, deployer, project):
    with reverts(zone.venue_registry.VenuesFull, maxVenues=2**15 - 1):
        deploy_registry(zone, deployer, project, max_venues=2**15)


def deploy_registry(zone, deployer, project, stake=OKB, max_venues=1):
    return deployer.deploy(
        project.VenueRegistry,
        zone.inbox,
        zone.owner_registry,
        zone.asset_registry,
        zone.staking,
        NOBODY,
        stake,
        10,
        max_venues,
        1,
    )


def test_unknown_venues_are_refused(venues, venue, alice):
    for unknown in (0, 2):
        with reverts(venues.UnknownVenue, venue=unknown):
            venues.venueOf(unknown)
        with reverts(venues.UnknownVenue, venue=unknown):
            venues.listSpot(TERMS | {"venue": unknown}, sender=alice)


# --- listings


def test_a_listing_is_told_to_the_zone_field_by_field(zone, venues, venue, alice, clock):
    soon = (clock.time + 1000) * 1000
    terms = TERMS | {"effectiveAt": soon}
    receipt = venues.listSpot(terms, sender=alice)
    assert receipt.return_value == venues.marketCount() == 1
    assert venues.marketIdOf(1) == 1 << 16 | 1
    message = zone.messages()[-1]
    assert message.kind == messages.LIST_MARKET
    expected = terms | {"market": 1, "id": 1 << 16 | 1, "kind": MARKET_SPOT}
    assert zone.body(message.index) == expected
    event = venues.SpotListed.from_receipt(receipt)[0]
    assert (event.market, event.id, event.venue) == (1, 1 << 16 | 1, 1)
    assert event.inboxIndex == message.index


def test_a_market_starts_at_once_if_its_time_has_passed(zone, venues, venue, alice, clock):
    for past in (0, 1, (clock.time - 1) * 1000):
        receipt = venues.listSpot(TERMS | {"effectiveAt": past}, sender=alice)
        assert zone.body(zone.inbox.count() - 1)["effectiveAt"] == receipt.timestamp * 1000


def test_slots_count_over_the_zone_and_numbers_inside_the_venue(zone, venues, venue, alice, bob):
    stake_for_venues(zone, bob)
    venues.createVenue("second", 0, sender=bob)
    venues.listSpot(TERMS, sender=alice)
    venues.listSpot(TERMS | {"venue": 2}, sender=bob)
    venues.listSpot(TERMS, sender=alice)
    ids = [venues.marketIdOf(market) for market in (1, 2, 3, 4)]
    assert ids == [1 << 16 | 1, 2 << 16 | 1, 1 << 16 | 2, 0]


def test_base_slots_are_ten(venues, venue, alice):
    for _ in range(10):
        venues.listSpot(TERMS, sender=alice)
    with reverts(venues.NoSlotLeft, venue=1, slots=10):
        venues.listSpot(TERMS, sender=alice)


def test_only_the_deployer_lists(venues, venue, alice, bob, deployer):
    for stranger in (bob, deployer):
        with reverts(venues.NotDeployer, caller=stranger.address, deployer=alice.address):
            venues.listSpot(TERMS, sender=stranger)


def test_base_and_quote_are_two_open_assets(zone, venues, venue, alice, project):
    with reverts(venues.SameAsset, asset=2):
        venues.listSpot(TERMS | {"quote": 2}, sender=alice)
    token = alice.deploy(project.TestToken, "T", "T", 6)
    closed = register(zone, alice, token)
    zone.asset_registry.closeAsset(closed, sender=alice)
    for wrong in (0, closed, closed + 1):
        for side in ("base", "quote"):
            with reverts(venues.AssetNotOpen, asset=wrong):
                venues.listSpot(TERMS | {side: wrong}, sender=alice)
    venues.listSpot(TERMS | {"quote": 1}, sender=alice)


def bounds_of(terms) -> list[tuple[str, int, int]]:
    """The bounds of docs/spec/spot.md for these terms, in Python, in the order of checks."""
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
def test_each_bound_holds_to_the_unit(venues, venue, alice, name, edge):
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
    venues.listSpot(terms, sender=alice)
    kind, bits = WIDTHS[name]
    if (outside < 0 and kind.startswith("uint")) or outside >= 2**bits:
        return  # no such value can be sent
    with reverts(venues.OutOfBounds, term=name, given=outside, lowest=lowest, highest=highest):
        venues.listSpot(terms | {name: outside}, sender=alice)


def near(low, high, bits):
    """Numbers around a pair of bounds, and any others."""
    return st.one_of(
        st.integers(min(low, high), max(low, high)),
        st.sampled_from([low, high, low + 1, high - 1, high + 1, low - 1]),
        st.integers(0, 2**bits - 1),
    )


@settings(max_examples=tries(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_listing_is_taken_if_and_only_if_python_finds_it_in_bounds(venues, venue, alice, data):
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
    error = error_of(venues, venues.listSpot.encode_input(terms), alice)
    if not broken:
        assert error is None
        return
    name, low, high = broken[0]
    assert error == keccak(b"OutOfBounds(string,int256,int256,int256)")[:4] + encode(
        ["string", "int256", "int256", "int256"], [name, terms[name], low, high]
    )


def test_terms_in_bounds_make_every_product_fit(venues, venue, alice):
    """The largest market there can be: notional and base of its largest order fit 61 bits."""
    price, tick = limits.MAX_PRICE, limits.MAX_TICK_VALUE
    most = limits.MAX_NOTIONAL // (price * tick)
    assert most >= 1
    venues.listSpot(
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
