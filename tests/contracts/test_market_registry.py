"""Changes of markets: what needs notice, what announced changes do to each other, how markets end."""

from dataclasses import replace

import pytest

from scripts._deployment import DAY, NOBODY, deploy_zone, predict_address
from tests.contracts.driver import reverts
from tests.contracts.markets import (
    CANCEL_ONLY,
    CLOSED,
    CLOSING,
    CONTINUOUS,
    EVENT,
    HALTED,
    NO_CLOSURES,
    POST_ONLY,
    REDUCE_ONLY,
    SETTLED,
    SPOT,
    TERMS,
    WEEK,
    announced,
    stake_for_venues,
    terms_now,
    update_body,
)
from tradezone.protocol import limits, messages
from tradezone.protocol.enums import GROUP_VOID

NOTICE, LAG = 3 * DAY, 3_600
YEAR = 365 * DAY


@pytest.fixture
def markets(zone):
    return zone.market_registry


@pytest.fixture
def outcome(zone, venue, alice, clock):
    """A market of an event, with caps in force."""
    zone.listings.listEvent(EVENT | {"closes": 2_000_000_000_000}, b"", sender=alice)
    market = zone.market_registry.marketCount()
    terms = terms_now(zone, market, openInterestCap=10**12, accountCap=10**10)
    zone.market_registry.updateMarket(market, terms, sender=alice)
    clock.pass_time(NOTICE + 1)
    return market


@pytest.fixture
def calendar(zone, venue, alice):
    return zone.calendars.setCalendar(0, 1, WEEK, NO_CLOSURES, sender=alice).return_value


def in_ms(seconds: int) -> int:
    return seconds * 1000


# --- what needs notice


HARMLESS = {
    "takerFee": 499,
    "makerFee": -200,
    "protocolShare": 300_000,
    "insuranceShare": 200_000,
    "referrerShare": 50_000,
    "minNotional": 99,
    "maxNotional": 10**12 + 1,
    "maxLots": 10**6 + 1,
}
HARMFUL = {
    "takerFee": 501,
    "makerFee": -99,
    "insuranceShare": 99_999,
    "takerDelay": 4,
    "band": 50_000,
    "access": 1,
    "minNotional": 101,
    "maxNotional": 10**12 - 1,
    "maxLots": 10**6 - 1,
    "closes": 2_000_000_000_000,
}


@pytest.mark.parametrize("name", sorted(HARMLESS))
def test_what_harms_nobody_counts_at_once(zone, markets, market, alice, name):
    terms = terms_now(zone, market) | {name: HARMLESS[name]}
    assert markets.noticeFor(market, terms) == 0
    before = zone.inbox.count()
    receipt = markets.updateMarket(market, terms, sender=alice)
    assert zone.inbox.count() == before + 1
    message = zone.messages()[-1]
    assert message.kind == messages.UPDATE_MARKET
    assert zone.body(before) == update_body(market, terms)
    assert terms_now(zone, market) == terms
    event = markets.MarketUpdated.from_receipt(receipt)[0]
    assert (event.market, event.venue, event.inboxIndex) == (market, 1, before)


@pytest.mark.parametrize("name", sorted(HARMFUL))
def test_what_could_harm_waits_for_its_notice(zone, markets, market, alice, name, clock):
    before = terms_now(zone, market)
    terms = before | {name: HARMFUL[name]}
    assert markets.noticeFor(market, terms) == NOTICE
    start = clock.time + 100
    earliest = in_ms(start + NOTICE)
    clock.set_next(start)
    with reverts(markets.NoticeTooShort, given=earliest - 1, earliest=earliest):
        markets.updateMarket(market, terms | {"effectiveAt": earliest - 1}, sender=alice)
    with reverts(markets.NoticeTooShort, given=1):
        markets.updateMarket(market, terms | {"effectiveAt": 1}, sender=alice)
    count = zone.inbox.count()
    receipt = markets.updateMarket(market, terms, sender=alice)
    due = in_ms(receipt.timestamp + NOTICE)
    assert zone.body(count) == update_body(market, terms | {"effectiveAt": due})
    assert terms_now(zone, market) == before
    assert announced(zone, market) == terms | {"effectiveAt": due}
    clock.set_next(due // 1000)
    clock.pass_blocks(1)
    assert terms_now(zone, market) == terms
    assert announced(zone, market)["effectiveAt"] == 0


def test_caps_and_closing_times_of_outcomes_tighten_with_notice(zone, markets, outcome):
    for name, tighter, looser in (
        ("openInterestCap", 10**12 - 1, 10**12 + 1),
        ("openInterestCap", 10**12 - 1, 0),
        ("accountCap", 10**10 - 1, 10**10 + 1),
        ("closes", 2_000_000_000_000 - 1, 2_000_000_000_000 + 1),
        ("closes", 1, 0),
    ):
        now = terms_now(zone, outcome)
        assert markets.noticeFor(outcome, now | {name: tighter}) == NOTICE
        assert markets.noticeFor(outcome, now | {name: looser}) == 0


def test_hours_change_with_notice(zone, markets, market, calendar, alice):
    terms = terms_now(zone, market, calendar=calendar)
    assert markets.noticeFor(market, terms) == NOTICE
    markets.updateMarket(market, terms, sender=alice)
    with reverts(markets.UnknownCalendar, calendar=2, venue=1):
        markets.updateMarket(market, terms | {"calendar": 2}, sender=alice)


def test_a_calendar_is_of_the_markets_venue(zone, markets, market, calendar, alice, bob):
    stake_for_venues(zone, bob)
    zone.venue_registry.createVenue("second", 0, sender=bob)
    other = zone.listings.listSpot(TERMS | {"venue": 2}, sender=bob).return_value
    with reverts(markets.UnknownCalendar, calendar=calendar, venue=2):
        markets.updateMarket(other, terms_now(zone, other, calendar=calendar), sender=bob)


def test_before_a_market_starts_its_terms_change_at_once(zone, markets, venue, alice, clock):
    starts = in_ms(clock.time + LAG + 1000)
    market = zone.listings.listSpot(TERMS | {"effectiveAt": starts}, sender=alice).return_value
    terms = terms_now(zone, market, band=50_000, takerFee=50_000)
    markets.updateMarket(market, terms, sender=alice)
    assert terms_now(zone, market) == terms
    # So close to the start that the zone may read it too late, notice is needed again.
    clock.set_next(starts // 1000 - LAG)
    clock.pass_blocks(1)
    assert markets.noticeFor(market, terms | {"band": 60_000}) == NOTICE


def test_changes_are_not_announced_years_ahead(zone, markets, market, alice, clock):
    far = in_ms(clock.time + YEAR + 1000)
    with reverts(markets.OutOfBounds, term="effectiveAt", given=far, lowest=0):
        markets.updateMarket(market, terms_now(zone, market, effectiveAt=far), sender=alice)


def test_a_change_that_changes_nothing_is_refused(zone, markets, market, alice):
    with reverts(markets.Unchanged, market=market):
        markets.updateMarket(market, terms_now(zone, market), sender=alice)


@pytest.mark.parametrize(
    ("name", "outside", "lowest", "highest"),
    [
        ("phase", 0, CONTINUOUS, HALTED),
        ("phase", SETTLED, CONTINUOUS, HALTED),
        ("access", 3, 0, 2),
        ("band", 999, limits.MIN_BAND, limits.MAX_BAND),
        ("band", 900_001, limits.MIN_BAND, limits.MAX_BAND),
        ("guestFee", 1, 0, 0),
        ("openInterestCap", 1, 0, 0),
        ("accountCap", 1, 0, 0),
        ("referrerShare", 700_001, 0, 700_000),
        ("insuranceShare", 800_001, 0, 800_000),
        ("takerFee", -1, 0, 50_000),
        ("makerFee", -10_001, -10_000, 50_000),
        ("maxLots", 0, 1, limits.MAX_NOTIONAL // 10**7),
        ("closes", limits.MAX_TIME + 1, 0, limits.MAX_TIME),
    ],
)
def test_each_term_of_an_update_is_bounded(
    zone, markets, market, alice, name, outside, lowest, highest
):
    terms = terms_now(zone, market) | {name: outside}
    with reverts(markets.OutOfBounds, term=name, given=outside, lowest=lowest, highest=highest):
        markets.updateMarket(market, terms, sender=alice)
    if outside != 0 and highest:
        inside = highest if outside > highest else lowest
        terms = terms_now(zone, market) | {name: inside}
        markets.updateMarket(market, terms, sender=alice)


def test_a_door_has_only_what_is_its_own(zone, markets, market, alice, bob):
    stake_for_venues(zone, bob)
    zone.venue_registry.createVenue("second", 0, sender=bob)
    markets.setSharing(market, 2, True, sender=alice)
    door = zone.listings.listGuest((2, market, 100, 0), sender=bob).return_value
    terms = terms_now(zone, door)
    for name in ("minNotional", "maxNotional", "maxLots", "takerFee", "makerFee", "protocolShare"):
        with reverts(markets.OutOfBounds, term=name, given=1, lowest=0, highest=0):
            markets.updateMarket(door, terms | {name: 1}, sender=bob)
    for name in ("insuranceShare", "referrerShare", "takerDelay", "band", "openInterestCap"):
        with reverts(markets.OutOfBounds, term=name, given=1, lowest=0, highest=0):
            markets.updateMarket(door, terms | {name: 1}, sender=bob)
    assert markets.noticeFor(door, terms | {"guestFee": 101}) == NOTICE
    before = zone.inbox.count()
    markets.updateMarket(door, terms | {"guestFee": 99}, sender=bob)
    assert zone.body(before) == update_body(door, terms | {"guestFee": 99})


def test_only_the_deployer_changes_markets(zone, markets, market, alice, bob, deployer):
    error, terms = zone.venue_registry.NotDeployer, terms_now(zone, market, takerFee=1)
    for stranger in (bob, deployer):
        for call in (
            lambda s: markets.updateMarket(market, terms, sender=s),
            lambda s: markets.setPhase(market, HALTED, sender=s),
            lambda s: markets.delist(market, 0, sender=s),
            lambda s: markets.setSharing(market, 2, True, sender=s),
        ):
            with reverts(error, caller=stranger.address, deployer=alice.address):
                call(stranger)


def test_ids_and_slots_are_given_to_listings_only(zone, markets, market, alice, deployer):
    entry, first = markets.marketOf(market), markets.termsOf(market)[0]
    for stranger in (alice, deployer):
        values = {"caller": stranger.address, "listings": zone.listings.address}
        with reverts(markets.NotListings, **values):
            markets.openMarket(entry, first, sender=stranger)
        with reverts(markets.NotListings, **values):
            markets.closeMarkets(market, 1, sender=stranger)
        values = {"caller": stranger.address, "registry": markets.address}
        with reverts(zone.base_slots.NotVenueRegistry, **values):
            zone.base_slots.occupy(1, SPOT, 9, sender=stranger)
        with reverts(zone.base_slots.NotVenueRegistry, **values):
            zone.base_slots.release(market, sender=stranger)


def test_unknown_markets_are_refused(markets, market, alice):
    for unknown in (0, 2):
        for call in (
            markets.marketOf,
            markets.termsOf,
            lambda m: markets.setPhase(m, HALTED, sender=alice),
            lambda m: markets.delist(m, 0, sender=alice),
            lambda m: markets.delistLost(m, sender=alice),
            lambda m: markets.forget(m, sender=alice),
        ):
            with reverts(markets.UnknownMarket, market=unknown):
                call(unknown)


# --- announced changes that meet


def test_a_later_change_replaces_an_announced_one(zone, markets, market, alice, clock):
    markets.updateMarket(market, terms_now(zone, market, takerFee=600), sender=alice)
    clock.pass_time(DAY)
    receipt = markets.updateMarket(market, terms_now(zone, market, takerFee=700), sender=alice)
    due = in_ms(receipt.timestamp + NOTICE)
    assert (announced(zone, market)["takerFee"], announced(zone, market)["effectiveAt"]) == (
        700,
        due,
    )
    clock.set_next(due // 1000 - 1)
    clock.pass_blocks(1)
    assert terms_now(zone, market)["takerFee"] == 500


def test_an_announced_change_is_taken_back_by_the_terms_in_force(zone, markets, market, alice):
    markets.updateMarket(market, terms_now(zone, market, takerFee=600), sender=alice)
    before = zone.inbox.count()
    terms = terms_now(zone, market)
    markets.updateMarket(market, terms, sender=alice)
    assert zone.body(before) == update_body(market, terms)
    assert announced(zone, market)["effectiveAt"] == 0


def test_nothing_replaces_a_change_that_the_zone_may_have_made_already(
    zone, markets, market, alice, clock
):
    receipt = markets.updateMarket(market, terms_now(zone, market, takerFee=600), sender=alice)
    due = receipt.timestamp + NOTICE
    clock.set_next(due - LAG)
    with reverts(markets.ChangeImminent, market=market, effectiveAt=in_ms(due)):
        markets.updateMarket(market, terms_now(zone, market), sender=alice)
    with reverts(markets.ChangeImminent, market=market, effectiveAt=in_ms(due)):
        markets.delist(market, 0, sender=alice)
    clock.set_next(due)
    markets.updateMarket(market, terms_now(zone, market, takerFee=599), sender=alice)


def test_a_change_in_force_is_what_the_next_one_is_judged_by(zone, markets, market, alice, clock):
    """A fee announced to fall cannot be raised back without notice once it has fallen."""
    soon = in_ms(clock.time + 2 * LAG)
    lower = terms_now(zone, market, takerFee=100, effectiveAt=soon)
    markets.updateMarket(market, lower, sender=alice)
    clock.set_next(soon // 1000)
    clock.pass_blocks(1)
    higher = terms_now(zone, market, takerFee=500)
    assert markets.noticeFor(market, higher) == NOTICE
    with reverts(markets.NoticeTooShort, given=1):
        markets.updateMarket(market, higher | {"effectiveAt": 1}, sender=alice)


# --- phases


@pytest.mark.parametrize("phase", [POST_ONLY, CANCEL_ONLY, REDUCE_ONLY, HALTED])
def test_a_market_gets_stricter_at_once_and_laxer_with_notice(
    zone, markets, market, alice, phase, clock
):
    before = zone.inbox.count()
    markets.setPhase(market, phase, sender=alice)
    assert zone.body(before)["phase"] == phase
    assert zone.inbox.count() == before + 1
    with reverts(markets.Unchanged, market=market):
        markets.setPhase(market, phase, sender=alice)
    with reverts(markets.NotStricter, phase=phase, given=CONTINUOUS):
        markets.setPhase(market, CONTINUOUS, sender=alice)
    terms = terms_now(zone, market, phase=CONTINUOUS)
    assert markets.noticeFor(market, terms) == LAG
    receipt = markets.updateMarket(market, terms, sender=alice)
    assert announced(zone, market)["effectiveAt"] == in_ms(receipt.timestamp + LAG)


@pytest.mark.parametrize("phase", [0, SETTLED, 7])
def test_phases_are_five(markets, market, alice, phase):
    with reverts(markets.OutOfBounds, term="phase", given=phase, lowest=CONTINUOUS, highest=HALTED):
        markets.setPhase(market, phase, sender=alice)


def test_halting_leaves_what_is_announced_but_never_reopens(zone, markets, market, alice, clock):
    receipt = markets.updateMarket(market, terms_now(zone, market, takerFee=600), sender=alice)
    due = in_ms(receipt.timestamp + NOTICE)
    clock.pass_time(DAY)
    before = zone.inbox.count()
    markets.setPhase(market, HALTED, sender=alice)
    told = [zone.body(m.index) for m in zone.messages()[before:]]
    assert [(b["phase"], b["takerFee"], b["effectiveAt"]) for b in told] == [
        (HALTED, 500, 0),
        (HALTED, 600, due),
    ]
    clock.set_next(due // 1000)
    clock.pass_blocks(1)
    terms = terms_now(zone, market)
    assert (terms["phase"], terms["takerFee"]) == (HALTED, 600)


def test_a_market_that_is_closing_can_still_be_halted_and_still_closes(
    zone, markets, market, alice, clock
):
    receipt = markets.delist(market, 0, sender=alice)
    due = in_ms(receipt.timestamp + zone.params.close_notice)
    before = zone.inbox.count()
    markets.setPhase(market, CANCEL_ONLY, sender=alice)
    told = [zone.body(m.index) for m in zone.messages()[before:]]
    assert [(b["phase"], b["effectiveAt"]) for b in told] == [(CANCEL_ONLY, 0), (SETTLED, due)]
    clock.set_next(due // 1000)
    with reverts(markets.MarketIsClosing, market=market, stage=CLOSING):
        markets.setPhase(market, HALTED, sender=alice)
    markets.forget(market, sender=alice)


# --- the end


def test_a_spot_market_is_delisted_with_notice(zone, markets, market, alice, bob, clock):
    notice = zone.params.close_notice
    start = clock.time + 100
    earliest = in_ms(start + notice)
    clock.set_next(start)
    with reverts(markets.NoticeTooShort, given=earliest - 1, earliest=earliest):
        markets.delist(market, earliest - 1, sender=alice)
    before = zone.inbox.count()
    receipt = markets.delist(market, 0, sender=alice)
    due = in_ms(receipt.timestamp + notice)
    body = zone.body(before)
    assert (body["phase"], body["effectiveAt"]) == (SETTLED, due)
    assert markets.marketOf(market).stage == CLOSING
    for call in (
        lambda: markets.delist(market, 0, sender=alice),
        lambda: markets.updateMarket(market, terms_now(zone, market, takerFee=1), sender=alice),
        lambda: markets.setSharing(market, 0, True, sender=alice),
    ):
        with reverts(markets.MarketIsClosing, market=market, stage=CLOSING):
            call()
    clock.set_next(due // 1000 - 1)
    with reverts(markets.MarketNotOver, market=market, **{"from": due}):
        markets.forget(market, sender=bob)
    clock.set_next(due // 1000)
    receipt = markets.forget(market, sender=bob)
    assert markets.MarketClosed.from_receipt(receipt)[0].market == market
    assert zone.inbox.count() == before + 1
    assert markets.marketOf(market).stage == CLOSED
    assert markets.openMarketsOf(1) == zone.base_slots.baseSlotsUsed(1, SPOT) == 0
    with reverts(markets.MarketNotOver, market=market):
        markets.forget(market, sender=bob)
    with reverts(markets.MarketIsClosing, market=market, stage=CLOSED):
        markets.setPhase(market, HALTED, sender=alice)
    with reverts(markets.MarketIsClosing, market=market, stage=CLOSED):
        markets.delist(market, 0, sender=alice)


def test_a_market_is_listed_again_under_other_ids(zone, markets, market, alice, clock):
    markets.delist(market, 0, sender=alice)
    clock.pass_time(zone.params.close_notice + 1)
    markets.forget(market, sender=alice)
    again = zone.listings.listSpot(TERMS, sender=alice).return_value
    assert again == market + 1
    assert markets.marketIdOf(again) == 1 << 16 | 2
    assert markets.marketOf(market).stage == CLOSED
    assert markets.openMarketsOf(1) == 1


def test_a_slot_is_free_only_when_its_market_is_over(zone, markets, venue, alice, clock):
    for _ in range(10):
        zone.listings.listSpot(TERMS, sender=alice)
    markets.delist(3, 0, sender=alice)
    with reverts(zone.base_slots.NoFreeSlot, venue=1, kind=SPOT):
        zone.listings.listSpot(TERMS, sender=alice)
    clock.pass_time(zone.params.close_notice + 1)
    with reverts(zone.base_slots.NoFreeSlot, venue=1, kind=SPOT):
        zone.listings.listSpot(TERMS, sender=alice)
    markets.forget(3, sender=alice)
    zone.listings.listSpot(TERMS, sender=alice)
    with reverts(zone.base_slots.NoFreeSlot, venue=1, kind=SPOT):
        zone.listings.listSpot(TERMS, sender=alice)


def test_a_market_that_has_not_started_is_delisted_at_once(zone, markets, venue, alice, clock):
    starts = in_ms(clock.time + LAG + 1000)
    market = zone.listings.listSpot(TERMS | {"effectiveAt": starts}, sender=alice).return_value
    before = zone.inbox.count()
    markets.delist(market, 0, sender=alice)
    assert zone.body(before)["effectiveAt"] == 0
    markets.forget(market, sender=alice)
    assert markets.openMarketsOf(1) == 0


def test_markets_of_events_end_with_their_event(zone, markets, outcome, alice, resolver):
    with reverts(markets.EndsWithItsEvent, market=outcome, eventId=1):
        markets.delist(outcome, 0, sender=alice)
    with reverts(markets.MarketNotOver, market=outcome, **{"from": 0}):
        markets.forget(outcome, sender=alice)
    terms = terms_now(zone, outcome, takerFee=600)
    markets.updateMarket(outcome, terms, sender=alice)
    resolver.resolve(zone.listings, 1, GROUP_VOID, bytes(32), sender=alice)
    assert announced(zone, outcome)["effectiveAt"] == 0
    for phase in (HALTED, CANCEL_ONLY):
        with reverts(markets.MarketIsClosing, market=outcome, stage=CLOSED):
            markets.setPhase(outcome, phase, sender=alice)


def test_a_market_that_lost_its_slot_is_delisted_by_anyone(
    zone, project, deployer, venue, alice, bob, clock
):
    """The seam to an auction of slots: this market stands on a licence that is taken away."""
    count = len(zone.deployment.addresses)
    auction = predict_address(deployer.address, deployer.nonce + count)
    other = deploy_zone(deployer, project, replace(zone.params, auction=auction))
    slots = deployer.deploy(project.PuppetSlots, other.market_registry)
    assert slots.address == auction
    assert other.params.auction == auction
    markets = other.market_registry
    other.staking.stake(sender=alice, value=zone.params.venue_stake)
    other.venue_registry.createVenue("alpha", 0, sender=alice)
    assert markets.venueOf(1).deployer == alice  # as an auction asks
    bond = zone.params.asset_bond
    for symbol in ("PLAY", "FUN"):
        other.asset_registry.registerSimulated(1, symbol, 6, 10**15, sender=alice, value=bond)
    market = other.listings.listSpot(TERMS, sender=alice).return_value
    assert slots.slotOf(market).licence == market
    with reverts(markets.SlotNotLost, market=market):
        markets.delistLost(market, sender=bob)
    slots.lose(market, sender=bob)
    receipt = markets.delistLost(market, sender=bob)
    assert markets.marketOf(market).stage == CLOSING
    due = receipt.timestamp + zone.params.close_notice
    clock.set_next(due)
    markets.forget(market, sender=bob)
    assert slots.slotOf(market).state == 0


# --- parameters


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"changeNotice": LAG}, "changeNotice"),
        ({"closeNotice": NOTICE - 1}, "closeNotice"),
        ({"closeNotice": YEAR + 1}, "closeNotice"),
    ],
)
def test_notices_that_contradict_each_other_are_refused(
    zone, project, deployer, markets, changes, wrong
):
    fields = (
        "inbox", "venues", "listings", "perps", "calendars", "slots", "limits",
        "maxMarkets", "changeNotice", "closeNotice", "messageLag",
    )  # fmt: skip
    config = {name: getattr(markets.config(), name) for name in fields}
    assert config["limits"] == NOBODY
    with reverts(markets.BadConfig, parameter=wrong):
        deployer.deploy(project.MarketRegistry, config | changes)
