"""Venues: stake, names, who may trade, handing over, the end."""

import pytest

from scripts._deployment import NOBODY
from tests.contracts.driver import GWEI, OKB, reverts
from tests.contracts.markets import (
    ACTIVE,
    FEE,
    OPEN_RULE,
    TERMS,
    VENUE_REDUCE_ONLY,
    WOUND_DOWN,
    stake_for_venues,
)
from tradezone.protocol import messages
from tradezone.protocol.enums import ACCESS_CREDENTIAL, ACCESS_LIST

ZERO = "0x" + "00" * 20


@pytest.fixture
def venues(zone):
    return zone.venue_registry


@pytest.fixture
def rule(carol):
    """Credentials of carol, class 2 or better, of three regions."""
    return (ACCESS_CREDENTIAL, carol.address, 2, 0b1011)


def names(rule) -> dict:
    access, provider, least, regions = rule
    return {
        "access": access,
        "credentialProvider": bytes.fromhex(provider[2:]),
        "minClass": least,
        "regions": regions,
    }


# --- opening


def test_a_venue_stands_on_locked_stake(zone, venues, params, alice):
    stake_for_venues(zone, alice, 2)
    receipt = venues.createVenue("alpha", ACCESS_LIST, sender=alice)
    assert receipt.return_value == venues.venueCount() == 1
    assert zone.staking.stakeOf(1) == zone.staking.lockedOf(alice) == params.venue_stake
    assert zone.staking.freeOf(alice) == params.venue_stake
    owner = zone.owner_registry.idOf(alice)
    entry = venues.venueOf(1)
    assert (entry.deployer, entry.owner, entry.access) == (alice, owner, ACCESS_LIST)
    assert (entry.markets, entry.name) == (0, "alpha")
    assert venues.venueNamed("alpha") == 1
    assert venues.statusOf(1).state == ACTIVE
    registered, created = zone.messages()[-2:]
    assert registered.kind == messages.REGISTER_OWNER
    assert created.payload == zone.payload(
        messages.CREATE_VENUE,
        venue=1,
        owner=owner,
        access=ACCESS_LIST,
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


def test_venue_ids_have_an_end(zone, deployer, project, params, alice):
    """A registry for one venue, whose stake and inbox are the zone's own registry's: it cannot finish."""
    small = deploy_registry(zone, deployer, project, max_venues=0)
    with reverts(small.VenuesFull, maxVenues=0):
        small.createVenue("one", 0, sender=alice)


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
        zone.staking,
        zone.market_registry,
        NOBODY,
        stake,
        max_venues,
    )


def test_unknown_venues_are_refused(zone, venues, venue, alice):
    for unknown in (0, 2):
        for call in (
            venues.venueOf,
            venues.statusOf,
            lambda v: venues.addStake(v, 1, sender=alice),
            lambda v: venues.configure(v, ACTIVE, OPEN_RULE, sender=alice),
            lambda v: venues.cancelChange(v, sender=alice),
            lambda v: venues.reduceOnly(v, sender=alice),
            lambda v: venues.offerVenue(v, alice, sender=alice),
            lambda v: venues.acceptVenue(v, sender=alice),
            lambda v: venues.windDown(v, sender=alice),
            lambda v: venues.applyChange(v, sender=alice),
            lambda v: venues.tellStake(v, sender=alice),
            lambda v: zone.listings.listSpot(TERMS | {"venue": v}, sender=alice),
        ):
            with reverts(venues.UnknownVenue, venue=unknown):
                call(unknown)


def test_a_stranger_changes_nothing_about_a_venue(zone, venues, venue, alice, bob, deployer, rule):
    before = zone.inbox.count()
    for stranger in (bob, deployer):
        for call in (
            lambda s: venues.addStake(1, 1, sender=s),
            lambda s: venues.configure(1, ACTIVE, rule, sender=s),
            lambda s: venues.cancelChange(1, sender=s),
            lambda s: venues.reduceOnly(1, sender=s),
            lambda s: venues.offerVenue(1, s, sender=s),
            lambda s: venues.windDown(1, sender=s),
        ):
            with reverts(venues.NotDeployer, caller=stranger.address, deployer=alice.address):
                call(stranger)
        with reverts(venues.NotOffered, venue=1, caller=stranger.address):
            venues.acceptVenue(1, sender=stranger)
    assert zone.inbox.count() == before


# --- who may trade


def test_a_venue_without_markets_is_configured_at_once(zone, venues, venue, alice, rule):
    before = zone.inbox.count()
    receipt = venues.configure(1, ACTIVE, rule, sender=alice)
    assert zone.inbox.count() == before + 1
    message = zone.messages()[-1]
    assert message.kind == messages.UPDATE_VENUE
    stake = zone.params.venue_stake // GWEI
    assert zone.body(message.index) == {"venue": 1, "state": ACTIVE, "stake": stake} | names(rule)
    event = venues.VenueUpdated.from_receipt(receipt)[0]
    assert (event.stateBefore, event.state, event.inboxIndex) == (ACTIVE, ACTIVE, message.index)
    assert venues.venueOf(1).access == ACCESS_CREDENTIAL


def test_another_rule_on_a_venue_with_markets_waits_for_its_notice(
    zone, venues, venue, market, alice, bob, rule, clock
):
    notice = zone.params.change_notice
    before = zone.inbox.count()
    receipt = venues.configure(1, ACTIVE, rule, sender=alice)
    ready = receipt.timestamp + notice
    assert venues.ChangeAnnounced.from_receipt(receipt)[0].readyAt == ready
    assert zone.inbox.count() == before
    with reverts(venues.NotReady, venue=1, readyAt=ready):
        venues.applyChange(1, sender=bob)
    clock.set_next(ready - 1)
    with reverts(venues.NotReady, venue=1, readyAt=ready):
        venues.applyChange(1, sender=bob)
    clock.set_next(ready)
    venues.applyChange(1, sender=bob)
    assert zone.inbox.count() == before + 1
    body = zone.body(before)
    assert {name: body[name] for name in names(rule)} == names(rule)
    with reverts(venues.NothingAnnounced, venue=1):
        venues.applyChange(1, sender=bob)


def test_another_announcement_begins_its_notice_anew(
    zone, venues, venue, market, alice, rule, clock
):
    venues.configure(1, ACTIVE, rule, sender=alice)
    clock.pass_time(zone.params.change_notice - 10)
    wider = (*rule[:3], 0b1111)
    receipt = venues.configure(1, ACTIVE, wider, sender=alice)
    ready = receipt.timestamp + zone.params.change_notice
    clock.pass_time(20)
    with reverts(venues.NotReady, venue=1, readyAt=ready):
        venues.applyChange(1, sender=alice)
    clock.set_next(ready)
    venues.applyChange(1, sender=alice)
    assert venues.statusOf(1).rule.regions == 0b1111


def test_what_is_announced_can_be_taken_back(zone, venues, venue, market, alice, rule, clock):
    venues.configure(1, ACTIVE, rule, sender=alice)
    venues.cancelChange(1, sender=alice)
    clock.pass_time(zone.params.change_notice + 1)
    with reverts(venues.NothingAnnounced, venue=1):
        venues.applyChange(1, sender=alice)
    with reverts(venues.NothingAnnounced, venue=1):
        venues.cancelChange(1, sender=alice)


def test_reducing_is_possible_at_once_and_reopening_is_not(
    zone, venues, venue, market, alice, clock
):
    before = zone.inbox.count()
    venues.reduceOnly(1, sender=alice)
    assert zone.body(before)["state"] == VENUE_REDUCE_ONLY
    with reverts(venues.Unchanged, venue=1):
        venues.reduceOnly(1, sender=alice)
    receipt = venues.configure(1, ACTIVE, OPEN_RULE, sender=alice)
    ready = receipt.timestamp + zone.params.inbox_lag
    assert venues.statusOf(1).readyAt == ready
    clock.set_next(ready)
    venues.applyChange(1, sender=alice)
    assert venues.statusOf(1).state == ACTIVE
    assert zone.inbox.count() == before + 2


def test_reducing_takes_back_an_announcement_that_would_reopen(
    zone, venues, venue, market, alice, clock, rule
):
    venues.configure(1, ACTIVE, rule, sender=alice)
    venues.reduceOnly(1, sender=alice)
    clock.pass_time(zone.params.change_notice + 1)
    with reverts(venues.NothingAnnounced, venue=1):
        venues.applyChange(1, sender=alice)
    assert venues.statusOf(1).state == VENUE_REDUCE_ONLY


def test_an_announced_rule_cannot_be_hurried_by_opening(
    zone, venues, venue, market, alice, rule, clock
):
    """A state-only change has the short notice; one that replaces a rule to come has not."""
    venues.reduceOnly(1, sender=alice)
    venues.configure(1, ACTIVE, rule, sender=alice)
    receipt = venues.configure(1, ACTIVE, OPEN_RULE, sender=alice)
    assert venues.statusOf(1).readyAt == receipt.timestamp + zone.params.change_notice


@pytest.mark.parametrize("state", [0, 3, 4, 255])
def test_a_deployer_sets_two_states(venues, venue, alice, state):
    with reverts(venues.BadState, state=state):
        venues.configure(1, state, OPEN_RULE, sender=alice)


def test_rules_that_mean_nothing_are_refused(venues, venue, alice, carol):
    good = (ACCESS_CREDENTIAL, carol.address, 2, 1)
    venues.configure(1, ACTIVE, good, sender=alice)
    for bad, part in (
        ((ACCESS_CREDENTIAL, ZERO, 0, 0), "provider"),
        ((ACCESS_CREDENTIAL, carol.address, 2, 0), "regions"),
        ((0, ZERO, 0, 1), "regions"),
        ((0, ZERO, 1, 0), "minClass"),
        ((ACCESS_CREDENTIAL, carol.address, 2**15, 1), "minClass"),
        ((ACCESS_CREDENTIAL, carol.address, 2, 2**63), "regions"),
    ):
        with reverts(venues.BadRule, part=part):
            venues.configure(1, ACTIVE, bad, sender=alice)
    with reverts(venues.UnknownAccess, access=3):
        venues.configure(1, ACTIVE, (3, carol.address, 2, 1), sender=alice)
    with reverts(venues.Unchanged, venue=1):
        venues.configure(1, ACTIVE, good, sender=alice)
    venues.configure(1, ACTIVE, (0, carol.address, 2**15 - 1, 2**63 - 1), sender=alice)


def test_a_credential_venue_is_told_nothing_until_it_names_a_provider(
    zone, venues, alice, bob, rule
):
    """The zone refuses a credential rule without a provider, so such a message is not sent."""
    stake_for_venues(zone, alice, 2)
    venues.createVenue("closed", ACCESS_CREDENTIAL, sender=alice)
    venues.addStake(1, OKB, sender=alice)
    for call in (
        lambda: venues.reduceOnly(1, sender=alice),
        lambda: venues.tellStake(1, sender=bob),
        lambda: venues.windDown(1, sender=alice),
    ):
        with reverts(venues.NoProvider, venue=1):
            call()
    venues.configure(1, ACTIVE, rule, sender=alice)
    venues.reduceOnly(1, sender=alice)


# --- stake


def test_more_stake_is_told_to_the_zone_by_anyone(zone, venues, venue, alice, bob):
    stake_for_venues(zone, alice)
    with reverts(venues.Unchanged, venue=1):
        venues.tellStake(1, sender=bob)
    venues.addStake(1, OKB + 1, sender=alice)
    before = zone.inbox.count()
    venues.tellStake(1, sender=bob)
    body = zone.body(before)
    assert body["stake"] == (zone.params.venue_stake + OKB) // GWEI  # rounded down
    assert body["state"] == ACTIVE
    with reverts(venues.Unchanged, venue=1):
        venues.tellStake(1, sender=bob)


def test_telling_the_stake_leaves_what_is_announced(
    zone, venues, venue, market, alice, bob, rule, clock
):
    stake_for_venues(zone, alice)
    venues.configure(1, ACTIVE, rule, sender=alice)
    venues.addStake(1, OKB, sender=alice)
    venues.tellStake(1, sender=bob)
    clock.pass_time(zone.params.change_notice + 1)
    venues.applyChange(1, sender=bob)
    assert venues.venueOf(1).access == ACCESS_CREDENTIAL


def test_slashed_stake_is_told_to_the_zone(governed, alice, bob):
    venues, staking = governed.venue_registry, governed.staking
    stake_for_venues(governed, alice)
    venues.createVenue("alpha", 0, sender=alice)
    case = b"c" * 32
    staking.openCase(case, alice, sender=governed.court)
    staking.slash(case, 1, OKB, bob, sender=governed.court)
    before = governed.inbox.count()
    venues.tellStake(1, sender=bob)
    assert governed.body(before)["stake"] == (governed.params.venue_stake - OKB) // GWEI


# --- handing over


def test_a_venue_is_handed_over_in_two_steps(zone, venues, venue, market, alice, bob, carol):
    owner = venues.venueOf(1).owner
    venues.offerVenue(1, bob, sender=alice)
    with reverts(venues.NotOffered, venue=1, caller=carol.address):
        venues.acceptVenue(1, sender=carol)
    need = zone.params.venue_stake
    with reverts(zone.staking.InsufficientFree, account=bob.address, asked=need, free=0):
        venues.acceptVenue(1, sender=bob)
    stake_for_venues(zone, bob)
    receipt = venues.acceptVenue(1, sender=bob)
    event = venues.VenueHandedOver.from_receipt(receipt)[0]
    assert (event.before, event.deployer, event.stake) == (alice, bob, 2 * need)
    entry = venues.venueOf(1)
    assert (entry.deployer, entry.owner, entry.markets) == (bob, owner, 1)
    # What alice has behind it still answers for what she did.
    assert zone.staking.lockedBehind(alice, 1) == need
    with reverts(venues.NotDeployer, caller=alice.address, deployer=bob.address):
        venues.reduceOnly(1, sender=alice)
    with reverts(venues.NotDeployer, caller=alice.address, deployer=bob.address):
        zone.market_registry.setPhase(market, 5, sender=alice)
    zone.market_registry.setPhase(market, 5, sender=bob)
    with reverts(venues.NotOffered, venue=1, caller=bob.address):
        venues.acceptVenue(1, sender=bob)


def test_an_offer_is_taken_back(zone, venues, venue, alice, bob):
    stake_for_venues(zone, bob)
    venues.offerVenue(1, bob, sender=alice)
    with reverts(venues.Unchanged, venue=1):
        venues.offerVenue(1, bob, sender=alice)
    venues.offerVenue(1, ZERO, sender=alice)
    with reverts(venues.NotOffered, venue=1, caller=bob.address):
        venues.acceptVenue(1, sender=bob)
    with reverts(venues.BadOffer, to=alice.address):
        venues.offerVenue(1, alice, sender=alice)


# --- the end


def test_a_venue_with_markets_is_not_wound_down(zone, venues, venue, market, alice):
    with reverts(venues.MarketsOpen, venue=1, markets=1):
        venues.windDown(1, sender=alice)


def test_a_venue_is_wound_down_for_ever(zone, venues, venue, market, alice, bob, rule, clock):
    markets = zone.market_registry
    markets.delist(market, 0, sender=alice)
    with reverts(venues.MarketsOpen, venue=1, markets=1):
        venues.windDown(1, sender=alice)
    clock.pass_time(zone.params.close_notice + 1)
    markets.forget(market, sender=bob)
    venues.offerVenue(1, bob, sender=alice)
    before = zone.inbox.count()
    venues.windDown(1, sender=alice)
    assert zone.body(before)["state"] == WOUND_DOWN
    assert zone.inbox.count() == before + 1
    stake_for_venues(zone, alice)
    stake_for_venues(zone, bob)
    for call in (
        lambda: venues.windDown(1, sender=alice),
        lambda: venues.configure(1, ACTIVE, rule, sender=alice),
        lambda: venues.reduceOnly(1, sender=alice),
        lambda: venues.addStake(1, 1, sender=alice),
        lambda: venues.offerVenue(1, bob, sender=alice),
        lambda: venues.acceptVenue(1, sender=bob),
        lambda: venues.tellStake(1, sender=bob),
        lambda: venues.applyChange(1, sender=bob),
        lambda: zone.listings.listSpot(TERMS, sender=alice),
    ):
        with reverts(venues.VenueWoundDown, venue=1):
            call()
    # Its name is not given to another venue: links and lists keep their meaning.
    with reverts(venues.NameTaken, name="first-venue", venue=1):
        venues.createVenue("first-venue", 0, sender=alice)


def test_winding_down_forgets_what_is_announced(zone, venues, venue, market, alice, rule, clock):
    venues.configure(1, ACTIVE, rule, sender=alice)
    zone.market_registry.delist(market, 0, sender=alice)
    clock.pass_time(zone.params.close_notice + 1)
    zone.market_registry.forget(market, sender=alice)
    venues.windDown(1, sender=alice)
    with reverts(venues.VenueWoundDown, venue=1):
        venues.applyChange(1, sender=alice)
    assert not venues.statusOf(1).isAnnounced
