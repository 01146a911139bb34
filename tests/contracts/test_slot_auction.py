"""Slots: prices over time, licences from purchase to reclaim, the ledger, and who may do what."""

import pytest
from eth_abi import encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts._markets_deployment import LICENCE_TERMS as LICENCES
from scripts._markets_deployment import SLOT_KINDS
from tests.contracts.auction_model import GWEI, MAX_PRICE, Auction
from tests.contracts.conftest import with_interface
from tests.contracts.driver import DAY, OKB, attempt, reverts, tries
from tradezone.protocol.enums import MARKET_OUTCOME, MARKET_PERP, MARKET_SPOT
from tradezone.protocol.hashing import keccak

SPOT, PERP, OUTCOME, SIMULATED = 1, 2, 3, 4
VENUE, OTHER = 7, 8
TERMS = SLOT_KINDS[PERP - 1].to_abi()
ROUND = TERMS["roundSeconds"]
LICENCE_TERMS = LICENCES.to_abi()
NOBODY = "0x0000000000000000000000000000000000000000"


@pytest.fixture(autouse=True)
def venues(puppet_venues, alice, bob):
    puppet_venues.setDeployer(VENUE, alice, sender=alice)
    puppet_venues.setDeployer(OTHER, bob, sender=bob)
    return puppet_venues


def model(slots, kind=PERP):
    """The running round of an auction, as a model."""
    at = slots.roundAt(kind, slots.chain_manager.pending_timestamp)
    terms = SLOT_KINDS[kind - 1].to_abi()
    return Auction(terms, at.begin, at.start // GWEI, at.floor // GWEI, at.length, at.number)


def buy(slots, buyer, venue=VENUE, kind=PERP, sent=2_000 * OKB, limit=2**255):
    receipt = slots.buy(venue, kind, limit, sender=buyer, value=sent)
    return receipt, slots.LicenceBought.from_receipt(receipt)[0]


def pass_days(clock, days):
    clock.pass_time(days * DAY)


def use_base(slots, venues, alice, venue=VENUE, kind=PERP):
    """Use up a venue's base slots with markets from 1 on; returns the next market's number."""
    count = slots.kindTerms(kind).baseSlots
    for market in range(1, count + 1):
        venues.occupy(slots, venue, kind, market, sender=alice)
    return count + 1


# --- prices


def test_kinds_are_the_kinds_of_markets():
    assert (MARKET_SPOT, MARKET_PERP, MARKET_OUTCOME) == (SPOT, PERP, OUTCOME)


def test_the_first_round_falls_from_twice_to_half_of_the_first_price(slots):
    at = slots.roundAt(PERP, slots.chain_manager.pending_timestamp)
    assert (at.number, at.length) == (1, ROUND)
    assert (at.start, at.floor) == (1_000 * OKB, 250 * OKB)
    assert slots.priceAt(PERP, at.begin) == at.start
    assert slots.priceAt(PERP, at.begin + ROUND - 1) == at.floor


def test_an_unsold_round_is_followed_by_one_from_twice_its_floor_to_a_tenth_less(slots):
    first = slots.roundAt(PERP, slots.chain_manager.pending_timestamp)
    second = slots.roundAt(PERP, first.begin + ROUND)
    assert (second.number, second.begin) == (2, first.begin + ROUND)
    assert (second.start, second.floor) == (2 * first.floor, first.floor * 9 // 10)


def test_a_kind_that_nobody_buys_ends_at_the_least_price(slots, chain):
    now = chain.pending_timestamp
    for rounds in (30, 255, 256, 257, 10_000):
        at = slots.roundAt(PERP, now + rounds * ROUND)
        assert (at.start, at.floor) == (200 * OKB, 100 * OKB)


@pytest.mark.hypothesis
@settings(max_examples=tries(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_prices_are_those_of_the_model_and_never_rise_inside_a_round(slots, chain, data):
    kind = data.draw(st.sampled_from([SPOT, PERP, OUTCOME, SIMULATED]))
    now = chain.pending_timestamp
    expected = model(slots, kind)
    ahead = data.draw(st.one_of(st.integers(0, 3 * ROUND), st.integers(0, 400 * ROUND)))
    at = slots.roundAt(kind, now + ahead)
    assert expected.price_at(now + ahead) == slots.priceAt(kind, now + ahead)
    assert (at.number, at.begin) == (expected.number, expected.begin)
    assert (at.start, at.floor) == (expected.start * GWEI, expected.floor * GWEI)
    later = now + ahead + data.draw(st.integers(0, ROUND))
    later = min(later, at.begin + at.length - 1)
    assert at.start >= slots.priceAt(kind, now + ahead) >= slots.priceAt(kind, later) >= at.floor


def test_times_that_are_not_remembered_are_refused(slots, chain, clock, alice):
    begin = slots.roundAt(PERP, chain.pending_timestamp).begin
    with reverts(slots.PastTime, time=begin - 1, begin=begin):
        slots.priceAt(PERP, begin - 1)
    with reverts(slots.PastTime, time=0, begin=begin):
        slots.roundAt(PERP, 0)


@pytest.mark.parametrize("kind", [0, 5, 255])
def test_there_are_four_kinds(slots, venues, alice, governance, kind):
    for call in (
        lambda: slots.price(kind),
        lambda: slots.priceAt(kind, 2**40),
        lambda: slots.roundAt(kind, 2**40),
        lambda: slots.meanPrice(kind),
        lambda: slots.kindTerms(kind),
        lambda: slots.isSlotFree(VENUE, kind),
        lambda: slots.buy(VENUE, kind, 0, sender=alice),
        lambda: venues.occupy(slots, VENUE, kind, 1, sender=alice),
        lambda: slots.setKindTerms(kind, TERMS, sender=governance),
    ):
        with reverts(slots.UnknownKind, kind=kind):
            call()


# --- buying


def test_a_purchase_costs_the_price_of_its_second_and_credits_the_rest(slots, clock, alice):
    quoted = slots.priceAt(PERP, clock.time + 1000)
    clock.set_next(clock.time + 1000)
    receipt, bought = buy(slots, alice)
    assert receipt.timestamp == clock.time
    assert bought.price == quoted
    assert (bought.licence, bought.venue, bought.kind, bought.round) == (1, VENUE, PERP, 1)
    assert slots.proceeds() == quoted
    assert slots.refundOf(alice) == slots.refunds() == 2_000 * OKB - quoted
    assert slots.balance == 2_000 * OKB
    entry = slots.licenceOf(1)
    assert (entry.kind, entry.venue, entry.market) == (PERP, VENUE, 0)
    assert entry.expires == bought.expires == receipt.timestamp + 365 * DAY
    assert entry.renewalPrice == bought.renewalPrice == quoted
    assert slots.licencesOf(VENUE, PERP) == [1]
    assert slots.meanPrice(PERP) == quoted


def test_the_exact_price_leaves_no_refund(slots, clock, alice):
    price = slots.priceAt(PERP, clock.time + 10)
    clock.set_next(clock.time + 10)
    buy(slots, alice, sent=price)
    assert slots.refunds() == 0
    assert slots.proceeds() == slots.balance


def test_the_next_round_begins_where_the_sold_one_would_have_ended(slots, clock, alice, chain):
    before = slots.roundAt(PERP, chain.pending_timestamp)
    _, bought = buy(slots, alice)
    end = before.begin + ROUND
    at = slots.roundAt(PERP, chain.pending_timestamp)
    assert (at.number, at.begin) == (2, end)
    assert (at.start, at.floor) == (2 * bought.price, bought.price // GWEI // 2 * GWEI)
    with reverts(slots.RoundSold, kind=PERP, nextBegin=end):
        slots.price(PERP)
    with reverts(slots.RoundSold, kind=PERP, nextBegin=end):
        slots.priceAt(PERP, end - 1)
    assert slots.priceAt(PERP, end) == at.start


def test_kinds_have_auctions_of_their_own(slots, alice, chain):
    buy(slots, alice)
    for kind in (SPOT, OUTCOME, SIMULATED):
        buy(slots, alice, kind=kind)
        assert slots.outstanding(kind) == 1
    assert slots.licenceCount() == 4


def test_the_last_second_sells_at_the_floor_and_the_next_one_at_the_next_start(
    slots, clock, alice, chain
):
    """A16: a purchase at the exact end."""
    first = slots.roundAt(PERP, chain.pending_timestamp)
    snapshot = chain.snapshot()
    clock.set_next(first.begin + ROUND - 1)
    assert buy(slots, alice)[1].price == first.floor
    chain.restore(snapshot)
    clock.set_next(first.begin + ROUND)
    _, bought = buy(slots, alice)
    assert (bought.price, bought.round) == (2 * first.floor, 2)


def test_two_buyers_in_one_block_the_second_is_refused_and_pays_nothing(slots, alice, bob, chain):
    """A16: a tie."""
    provider = chain.provider
    provider.make_request("evm_setAutomine", [False])
    try:
        sent = []
        for account, venue in ((alice, VENUE), (bob, OTHER)):
            request = {
                "from": account.address,
                "to": slots.address,
                "value": hex(2_000 * OKB),
                "gas": hex(1_000_000),
                "data": "0x" + bytes(slots.buy.encode_input(venue, PERP, 2**255)).hex(),
            }
            sent.append(provider.make_request("eth_sendTransaction", [request]))
        provider.make_request("anvil_mine", ["0x1"])
    finally:
        provider.make_request("evm_setAutomine", [True])
    receipts = [provider.make_request("eth_getTransactionReceipt", [tx]) for tx in sent]
    assert receipts[0]["blockNumber"] == receipts[1]["blockNumber"]
    assert sorted(int(receipt["status"], 16) for receipt in receipts) == [0, 1]
    assert slots.licenceCount() == slots.outstanding(PERP) == 1
    assert slots.balance == 2_000 * OKB


def test_the_limit_guards_against_the_price_of_a_later_round(slots, clock, alice, chain):
    """A16: maxPrice below the price."""
    first = slots.roundAt(PERP, chain.pending_timestamp)
    clock.set_next(first.begin + ROUND)
    with reverts(slots.PriceAboveLimit, price=2 * first.floor, maxPrice=first.floor):
        buy(slots, alice, limit=first.floor)


def test_too_little_coin_is_refused(slots, clock, alice, chain):
    first = slots.roundAt(PERP, chain.pending_timestamp)
    clock.set_next(first.begin + ROUND)
    price = 2 * first.floor
    with reverts(slots.NotEnoughSent, sent=price - 1, price=price):
        buy(slots, alice, sent=price - 1)


def test_only_the_deployer_of_a_venue_buys_for_it(slots, venues, alice, bob):
    with reverts(slots.NotDeployer, caller=bob.address, deployer=alice.address):
        buy(slots, bob)


def test_a_venue_holds_at_most_sixteen_licences_of_a_kind(slots, alice, clock, governance):
    clock.force_coin(alice, 20 * 10**24)
    for _ in range(16):
        buy(slots, alice, kind=SIMULATED, sent=10**24)
        clock.pass_time(ROUND)
    with reverts(slots.TooManyLicences, venue=VENUE, kind=SIMULATED, limit=16):
        buy(slots, alice, kind=SIMULATED, sent=10**24)
    assert slots.licencesOf(VENUE, SIMULATED) == list(range(1, 17))


def test_a_start_price_has_an_end(slots, alice, governance, clock):
    auction = Auction(TERMS, 1, length=ROUND)
    assert auction.start_from(MAX_PRICE, 1) == MAX_PRICE


# --- supply


def test_a_kind_that_is_sold_out_waits_without_decay_until_a_licence_comes_back(
    slots, alice, clock, governance
):
    slots.setKindTerms(PERP, TERMS | {"supply": 1}, sender=governance)
    _, bought = buy(slots, alice)
    assert slots.roundAt(PERP, clock.time).begin == 0
    for call in (
        lambda: slots.price(PERP),
        lambda: slots.priceAt(PERP, 2**40),
        lambda: buy(slots, alice),
    ):
        with reverts(slots.SoldOut, kind=PERP, supply=1):
            call()
    pass_days(clock, 30)
    receipt = slots.reclaim(1, sender=alice)
    at = slots.roundAt(PERP, receipt.timestamp)
    assert (at.number, at.begin, at.start) == (2, receipt.timestamp, 2 * bought.price)
    assert slots.outstanding(PERP) == 0
    assert buy(slots, alice)[1].licence == 2


def test_more_supply_begins_the_round_that_was_due(slots, alice, clock, governance):
    slots.setKindTerms(PERP, TERMS | {"supply": 1}, sender=governance)
    _, bought = buy(slots, alice)
    pass_days(clock, 100)
    receipt = slots.setKindTerms(PERP, TERMS | {"supply": 2}, sender=governance)
    at = slots.roundAt(PERP, receipt.timestamp)
    assert (at.begin, at.start) == (receipt.timestamp, 2 * bought.price)


def test_less_supply_than_is_out_stops_sales_and_takes_nothing(slots, alice, clock, governance):
    buy(slots, alice)
    slots.setKindTerms(PERP, TERMS | {"supply": 0}, sender=governance)
    clock.pass_time(ROUND)
    with reverts(slots.SoldOut, kind=PERP, supply=0):
        buy(slots, alice)
    assert slots.licenceOf(1).venue == VENUE
    pass_days(clock, 30)
    slots.reclaim(1, sender=alice)
    with reverts(slots.SoldOut, kind=PERP, supply=0):
        slots.price(PERP)


# --- licences


def test_a_licence_is_renewed_at_the_price_that_was_fixed_when_its_term_began(
    slots, alice, bob, clock
):
    receipt, bought = buy(slots, alice)
    expires = bought.expires
    since, until = expires - 60 * DAY, expires + 30 * DAY
    with reverts(slots.NotRenewable, licence=1, **{"from": since, "until": until}):
        slots.renew(1, 2**255, sender=alice, value=2_000 * OKB)
    clock.set_next(since)
    receipt = slots.renew(1, bought.renewalPrice, sender=bob, value=bought.renewalPrice + 5)
    renewed = slots.LicenceRenewed.from_receipt(receipt)[0]
    assert (renewed.price, renewed.payer) == (bought.renewalPrice, bob)
    assert (renewed.expiresBefore, renewed.expires) == (expires, expires + 365 * DAY)
    entry = slots.licenceOf(1)
    assert (entry.expires, entry.venue) == (expires + 365 * DAY, VENUE)
    assert slots.proceeds() == 2 * bought.price
    assert slots.refundOf(bob) == 5
    with reverts(slots.NotRenewable):
        slots.renew(1, 2**255, sender=alice, value=2_000 * OKB)


def test_the_grace_is_the_last_time_to_renew(slots, alice, clock, venues):
    market = use_base(slots, venues, alice)
    _, bought = buy(slots, alice)
    venues.occupy(slots, VENUE, PERP, market, sender=alice)
    until = bought.expires + 30 * DAY
    clock.set_next(until)
    with reverts(slots.NotRenewable):
        slots.renew(1, 2**255, sender=alice, value=2_000 * OKB)
    clock.pass_time(1)
    slots.reclaim(1, sender=alice)


def test_a_renewal_obeys_the_limit_and_needs_the_price(slots, alice, clock):
    _, bought = buy(slots, alice)
    price = bought.renewalPrice
    clock.set_next(bought.expires - 1)
    with reverts(slots.PriceAboveLimit, price=price, maxPrice=price - 1):
        slots.renew(1, price - 1, sender=alice, value=price)
    with reverts(slots.NotEnoughSent, sent=price - 1, price=price):
        slots.renew(1, price, sender=alice, value=price - 1)


def test_the_next_term_costs_the_mean_but_at_most_twice_this_one(slots, alice, clock):
    clock.force_coin(alice, 100_000 * OKB)
    _, first = buy(slots, alice)
    for _ in range(3):
        clock.pass_time(ROUND)
        _, last = buy(slots, alice, sent=20_000 * OKB)
    mean = slots.meanPrice(PERP)
    assert mean > 2 * first.price
    assert last.renewalPrice == mean
    clock.set_next(first.expires)
    slots.renew(1, 2**255, sender=alice, value=2_000 * OKB)
    assert slots.licenceOf(1).renewalPrice == 2 * first.price


def test_an_idle_licence_is_reclaimed_after_thirty_days_and_not_before(slots, alice, bob, clock):
    receipt, _ = buy(slots, alice)
    end = receipt.timestamp + 30 * DAY
    assert slots.reclaimableFrom(1) == end
    clock.set_next(end - 1)
    with reverts(slots.NotReclaimable, licence=1, **{"from": end}):
        slots.reclaim(1, sender=bob)
    clock.set_next(end)
    receipt = slots.reclaim(1, sender=bob)
    gone = slots.LicenceReclaimed.from_receipt(receipt)[0]
    assert (gone.licence, gone.venue, gone.market, gone.by) == (1, VENUE, 0, bob)
    assert slots.licenceOf(1).kind == 0
    assert slots.licencesOf(VENUE, PERP) == []
    for call in (slots.reclaim, slots.reclaimableFrom):
        with reverts(slots.UnknownLicence, licence=1):
            call(1, sender=bob)
    with reverts(slots.UnknownLicence, licence=1):
        slots.renew(1, 0, sender=alice)


def test_a_used_licence_is_not_idle_and_starts_anew_when_its_market_goes(
    slots, alice, clock, venues
):
    market = use_base(slots, venues, alice)
    buy(slots, alice)
    assert venues.occupy(slots, VENUE, PERP, market, sender=alice).return_value == 1
    pass_days(clock, 200)
    with reverts(slots.NotReclaimable):
        slots.reclaim(1, sender=alice)
    receipt = venues.release(slots, market, sender=alice)
    assert slots.reclaimableFrom(1) == receipt.timestamp + 30 * DAY
    assert slots.licenceOf(1).market == 0
    assert venues.occupy(slots, VENUE, PERP, market, sender=alice).return_value == 1


def test_a_market_whose_licence_is_reclaimed_has_lost_its_slot(slots, alice, bob, clock, venues):
    market = use_base(slots, venues, alice)
    _, bought = buy(slots, alice)
    venues.occupy(slots, VENUE, PERP, market, sender=alice)
    end = bought.expires + 30 * DAY
    clock.set_next(end - 1)
    with reverts(slots.NotReclaimable, licence=1, **{"from": end}):
        slots.reclaim(1, sender=bob)
    clock.set_next(end)
    slots.reclaim(1, sender=bob)
    assert tuple(slots.slotOf(market)) == (3, PERP, VENUE, 1)
    with reverts(slots.AlreadyOccupied, market=market):
        venues.occupy(slots, VENUE, PERP, market, sender=alice)
    venues.release(slots, market, sender=alice)
    assert slots.slotOf(market).state == 0
    assert slots.outstanding(PERP) == 0


def test_slots_go_where_the_venue_goes(slots, alice, bob, venues, clock):
    market = use_base(slots, venues, alice)
    buy(slots, alice)
    venues.setDeployer(VENUE, bob, sender=alice)
    assert slots.licenceOf(1).venue == VENUE
    assert venues.occupy(slots, VENUE, PERP, market, sender=bob).return_value == 1
    clock.pass_time(ROUND)
    with reverts(slots.NotDeployer, caller=alice.address, deployer=bob.address):
        buy(slots, alice)
    buy(slots, bob)


# --- the seam to the registry


def test_base_slots_come_first_then_the_oldest_idle_licence(slots, alice, venues, clock):
    assert slots.isSlotFree(VENUE, PERP)
    market = use_base(slots, venues, alice)
    assert slots.baseSlotsUsed(VENUE, PERP) == 3
    assert tuple(slots.slotOf(1)) == (1, PERP, VENUE, 0)
    assert not slots.isSlotFree(VENUE, PERP)
    with reverts(slots.NoFreeSlot, venue=VENUE, kind=PERP):
        venues.occupy(slots, VENUE, PERP, market, sender=alice)
    assert slots.isSlotFree(VENUE, SPOT)
    assert slots.isSlotFree(OTHER, PERP)
    for _ in range(2):
        buy(slots, alice, sent=4_000 * OKB)
        clock.pass_time(ROUND)
    assert slots.isSlotFree(VENUE, PERP)
    assert venues.occupy(slots, VENUE, PERP, market, sender=alice).return_value == 1
    assert venues.occupy(slots, VENUE, PERP, market + 1, sender=alice).return_value == 2
    assert not slots.isSlotFree(VENUE, PERP)
    venues.release(slots, 2, sender=alice)
    assert slots.isSlotFree(VENUE, PERP)
    assert venues.occupy(slots, VENUE, PERP, market + 2, sender=alice).return_value == 0


def test_a_licence_whose_term_is_over_takes_no_market(slots, alice, venues, clock):
    market = use_base(slots, venues, alice)
    _, bought = buy(slots, alice)
    venues.occupy(slots, VENUE, PERP, market, sender=alice)
    clock.pass_time(365 * DAY - 10)
    venues.release(slots, market, sender=alice)
    assert slots.isSlotFree(VENUE, PERP)
    clock.set_next(bought.expires)
    with reverts(slots.NoFreeSlot):
        venues.occupy(slots, VENUE, PERP, market, sender=alice)
    slots.renew(1, 2**255, sender=alice, value=2_000 * OKB)
    venues.occupy(slots, VENUE, PERP, market, sender=alice)


def test_only_the_registry_occupies_and_releases(slots, alice, puppet_venues, governance):
    for thief in (alice, governance):
        for call in (
            lambda t=thief: slots.occupy(VENUE, PERP, 1, sender=t),
            lambda t=thief: slots.release(1, sender=t),
        ):
            with reverts(
                slots.NotVenueRegistry, caller=thief.address, registry=puppet_venues.address
            ):
                call()


def test_markets_that_make_no_sense_are_refused(slots, alice, venues):
    with reverts(slots.ZeroMarket):
        venues.occupy(slots, VENUE, PERP, 0, sender=alice)
    venues.occupy(slots, VENUE, PERP, 1, sender=alice)
    with reverts(slots.AlreadyOccupied, market=1):
        venues.occupy(slots, OTHER, SPOT, 1, sender=alice)
    with reverts(slots.UnknownMarket, market=2):
        venues.release(slots, 2, sender=alice)


def test_it_answers_everything_that_a_market_registry_asks(project):
    """The auction is written in Vyper, so no compiler says that it is an `ISlots`."""

    def layout(abi):
        shape = [parts(item) for item in (*abi.inputs, *abi.outputs)]
        return abi.selector, abi.stateMutability, shape

    def parts(item):
        return item.type, [parts(part) for part in item.components or []]

    asked, answered = (
        {abi.name: layout(abi) for abi in contract.contract_type.abi if abi.type == "function"}
        for contract in (project.ISlots, project.SlotAuction)
    )
    assert asked
    assert {name: answered[name] for name in asked} == asked


def test_the_market_registry_of_a_zone_is_understood(
    slots, zone, deployer, project, alice, treasury, governance
):
    """The real registry answers who deployed a venue, and refuses one that does not exist."""
    real = deployer.deploy(
        project.SlotAuction,
        zone.market_registry,
        treasury,
        governance,
        [terms.to_abi() for terms in SLOT_KINDS],
        [terms.first_price for terms in SLOT_KINDS],
        LICENCE_TERMS,
    )
    zone.staking.stake(sender=alice, value=zone.params.venue_stake)
    venue = zone.venue_registry.createVenue("slots", 0, sender=alice).return_value
    real.buy(venue, PERP, 2**255, sender=alice, value=1_000 * OKB)
    call = real.buy.encode_input(venue + 1, PERP, 2**255)
    unknown = keccak(b"UnknownVenue(uint32)")[:4] + encode(["uint32"], [venue + 1])
    assert attempt(real, call, alice, value=1_000 * OKB) == (False, unknown)


# --- money


def test_refunds_and_proceeds_are_pulled(slots, alice, bob, carol, treasury, chain):
    _, bought = buy(slots, alice)
    excess = 2_000 * OKB - bought.price
    before = carol.balance, treasury.balance
    slots.collectRefund(carol, sender=alice)
    slots.collectProceeds(sender=bob)
    assert (carol.balance, treasury.balance) == (before[0] + excess, before[1] + bought.price)
    assert slots.balance == slots.refunds() == slots.proceeds() == slots.refundOf(alice) == 0
    with reverts(slots.NothingToCollect, account=alice.address):
        slots.collectRefund(alice, sender=alice)
    with reverts(slots.NothingToCollect, account=treasury.address):
        slots.collectProceeds(sender=bob)


def test_a_refund_to_nobody_is_refused(slots, alice):
    buy(slots, alice)
    with reverts(slots.ZeroAddress):
        slots.collectRefund(NOBODY, sender=alice)


def test_a_recipient_that_refuses_keeps_its_refund_and_takes_it_elsewhere(
    slots, alice, project, venues
):
    wallet = alice.deploy(project.HostileRecipient)
    venues.setDeployer(VENUE, wallet, sender=alice)
    call = slots.buy.encode_input(VENUE, PERP, 2**255)
    wallet.execute(slots, call, sender=alice, value=2_000 * OKB)
    owed = slots.refundOf(wallet)
    wallet.refuse(sender=alice)
    with reverts(slots.TransferFailed, to=wallet.address, amount=owed):
        wallet.execute(slots, slots.collectRefund.encode_input(wallet), sender=alice)
    before = alice.balance
    receipt = wallet.execute(slots, slots.collectRefund.encode_input(alice), sender=alice)
    assert alice.balance == before + owed - receipt.total_fees_paid


@pytest.mark.parametrize("call", ["collectRefund", "collectProceeds", "buy", "reclaim", "renew"])
def test_nobody_comes_back_in_while_being_paid(slots, alice, project, venues, clock, call):
    """A16: a re-entrant refund receiver."""
    wallet = alice.deploy(project.HostileRecipient)
    venues.setDeployer(VENUE, wallet, sender=alice)
    wallet.execute(
        slots, slots.buy.encode_input(VENUE, PERP, 2**255), sender=alice, value=2_000 * OKB
    )
    arguments = {
        "collectRefund": (wallet,),
        "collectProceeds": (),
        "buy": (VENUE, SPOT, 2**255),
        "reclaim": (1,),
        "renew": (1, 2**255),
    }[call]
    owed, proceeds = slots.refundOf(wallet), slots.proceeds()
    wallet.call_back(slots, getattr(slots, call).encode_input(*arguments), sender=alice)
    wallet.execute(slots, slots.collectRefund.encode_input(wallet), sender=alice)
    assert wallet.is_success() is False
    assert wallet.response() == b""  # the lock itself, before any rule
    assert wallet.balance == owed
    assert slots.balance == slots.proceeds() == proceeds


def test_forced_coin_changes_nothing(slots, alice, clock, treasury):
    """A6 for this contract."""
    clock.force_coin(slots, 777 * OKB)
    price = slots.priceAt(PERP, clock.time + 50)
    clock.set_next(clock.time + 50)
    buy(slots, alice, sent=price)
    assert (slots.proceeds(), slots.refunds()) == (price, 0)
    slots.collectProceeds(sender=alice)
    assert slots.balance == 777 * OKB
    with reverts(slots.NothingToCollect, account=treasury.address):
        slots.collectProceeds(sender=alice)


def test_plain_coin_is_refused(slots, alice):
    assert attempt(slots, b"", alice, value=OKB) == (False, b"")


# --- governance


BOUNDS = {
    "startMultiple": (11_000, 40_000),
    "floorShare": (1_000, 10_000),
    "decay": (100, 5_000),
    "baseSlots": (0, 64),
    "supply": (0, 4_096),
    "roundSeconds": (3_600, 7 * DAY),
    "minFloor": (OKB // 1_000, 100_000 * OKB),
}
LICENCE_BOUNDS = {
    "termDays": (30, 730),
    "renewalDays": (7, 60),
    "graceDays": (7, 90),
    "idleDays": (7, 180),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_parameters_of_a_kind_have_hard_bounds(slots, governance, name):
    lowest, highest = BOUNDS[name]
    for inside in (lowest, highest):
        slots.setKindTerms(PERP, TERMS | {name: inside}, sender=governance)
        assert getattr(slots.kindTerms(PERP), name) == inside
    for outside in {lowest - 1, highest + 1} - {-1}:
        with reverts(
            slots.OutOfBounds, parameter=name, given=outside, lowest=lowest, highest=highest
        ):
            slots.setKindTerms(PERP, TERMS | {name: outside}, sender=governance)


@pytest.mark.parametrize("name", LICENCE_BOUNDS)
def test_parameters_of_licences_have_hard_bounds(slots, governance, name):
    lowest, highest = LICENCE_BOUNDS[name]
    for inside in (lowest, highest):
        slots.setLicenceTerms(LICENCE_TERMS | {name: inside, **short(name)}, sender=governance)
        assert getattr(slots.licenceTerms(), name) == inside
    for outside in (lowest - 1, highest + 1):
        with reverts(
            slots.OutOfBounds, parameter=name, given=outside, lowest=lowest, highest=highest
        ):
            slots.setLicenceTerms(LICENCE_TERMS | {name: outside}, sender=governance)


def short(name):
    """A renewal period that fits the shortest term."""
    return {"renewalDays": 30} if name == "termDays" else {}


def test_a_renewal_period_is_at_most_a_term(slots, governance):
    with reverts(slots.OutOfBounds, parameter="renewalDays", given=31, lowest=7, highest=30):
        slots.setLicenceTerms(
            LICENCE_TERMS | {"termDays": 30, "renewalDays": 31}, sender=governance
        )


def test_prices_are_whole_gwei(slots, governance):
    with reverts(slots.NotWholeGwei, amount=OKB + 1):
        slots.setKindTerms(PERP, TERMS | {"minFloor": OKB + 1}, sender=governance)


def test_only_governance_changes_parameters(slots, alice, treasury, governance):
    for thief in (alice, treasury):
        for call in (
            lambda t=thief: slots.setKindTerms(PERP, TERMS, sender=t),
            lambda t=thief: slots.setLicenceTerms(LICENCE_TERMS, sender=t),
        ):
            with reverts(slots.NotGovernance, caller=thief.address, governance=governance.address):
                call()


def test_new_terms_move_no_price_of_the_running_round(slots, governance, clock, chain):
    pass_days(clock, 40)
    now = chain.pending_timestamp
    before = slots.roundAt(PERP, now)
    times = [before.begin + before.length - 1, now + 60, now + 3_000]
    quoted = [slots.priceAt(PERP, time) for time in times]
    new = {"startMultiple": 40_000, "floorShare": 1_000, "decay": 5_000, "roundSeconds": 3_600}
    slots.setKindTerms(PERP, TERMS | new, sender=governance)
    assert [slots.priceAt(PERP, time) for time in times] == quoted
    following = slots.roundAt(PERP, before.begin + before.length)
    assert (following.number, following.length) == (before.number + 1, 3_600)
    assert following.floor == max(before.floor // 2, 100 * OKB)
    assert following.start == max(4 * before.floor, following.floor)


def test_new_licence_terms_leave_licences_as_they_were_bought(slots, governance, alice, clock):
    receipt, bought = buy(slots, alice)
    shorter = {"termDays": 30, "renewalDays": 30, "graceDays": 7, "idleDays": 7}
    slots.setLicenceTerms(shorter, sender=governance)
    entry = slots.licenceOf(1)
    assert (entry.expires, entry.graceDays, entry.idleDays) == (bought.expires, 30, 30)
    assert slots.reclaimableFrom(1) == receipt.timestamp + 30 * DAY
    clock.set_next(bought.expires - 30 * DAY)
    slots.renew(1, 2**255, sender=alice, value=2_000 * OKB)
    entry = slots.licenceOf(1)
    assert (entry.expires, entry.graceDays) == (bought.expires + 30 * DAY, 7)


def test_more_base_slots_than_a_venue_may_have_now_stay_with_it(slots, governance, alice, venues):
    market = use_base(slots, venues, alice)
    slots.setKindTerms(PERP, TERMS | {"baseSlots": 1}, sender=governance)
    assert not slots.isSlotFree(VENUE, PERP)
    venues.release(slots, 1, sender=alice)
    venues.release(slots, 2, sender=alice)
    assert not slots.isSlotFree(VENUE, PERP)
    venues.release(slots, 3, sender=alice)
    venues.occupy(slots, VENUE, PERP, market, sender=alice)


# --- construction


def deploy(deployer, project, **changes):
    values = {
        "registry": deployer,
        "treasury": deployer,
        "governance": deployer,
        "terms": [terms.to_abi() for terms in SLOT_KINDS],
        "first": [terms.first_price for terms in SLOT_KINDS],
        "licences": LICENCE_TERMS,
    }
    return deployer.deploy(project.SlotAuction, *(values | changes).values())


@pytest.mark.parametrize("name", ["registry", "treasury", "governance"])
def test_partners_are_somebody(deployer, project, name):
    with pytest.raises(Exception, match=keccak(b"ZeroAddress()")[:4].hex()):
        deploy(deployer, project, **{name: NOBODY})


def test_partners_are_those_of_the_constructor(slots, puppet_venues, treasury, governance):
    assert slots.registry() == puppet_venues
    assert slots.treasury() == treasury
    assert slots.governance() == governance


def test_a_kind_may_begin_without_supply(chain, deployer, project, governance):
    terms = [entry.to_abi() | {"supply": 0} for entry in SLOT_KINDS]
    other = deploy(deployer, project, governance=governance, terms=terms)
    other = with_interface(chain, other, project.ISlotAuction)
    with reverts(other.SoldOut, kind=SPOT, supply=0):
        other.price(SPOT)
    receipt = other.setKindTerms(SPOT, terms[0] | {"supply": 1}, sender=governance)
    assert other.price(SPOT) <= 2 * SLOT_KINDS[0].first_price
    assert other.roundAt(SPOT, receipt.timestamp).begin == receipt.timestamp


# --- the interface


def shape(parameters):
    return [
        (p.get("type"), p.get("name"), p.get("indexed"), shape(p.get("components") or []))
        for p in parameters
    ]


def entries(container, kind):
    abi = [item.model_dump(mode="json", by_alias=True) for item in container.contract_type.abi]
    return {item["name"]: item for item in abi if item["type"] == kind}


def test_the_contract_has_exactly_the_functions_and_events_of_its_interface(project):
    real, shown = project.SlotAuction, project.ISlotAuction
    functions, promised = entries(real, "function"), entries(shown, "function")
    assert functions.keys() == promised.keys()
    for name, item in promised.items():
        assert functions[name]["stateMutability"] == item["stateMutability"], name
        for side in ("inputs", "outputs"):
            types = [[t[0] for t in shape(x[side])] for x in (functions[name], item)]
            assert types[0] == types[1], name
        components = [[t[3] for t in shape(x["outputs"])] for x in (functions[name], item)]
        assert components[0] == components[1], name
    events, announced = entries(real, "event"), entries(shown, "event")
    assert events.keys() == announced.keys()
    for name, item in announced.items():
        assert shape(events[name]["inputs"]) == shape(item["inputs"]), name


def test_every_error_of_the_interface_is_raised_by_its_selector(project, clock, slots):
    code = clock.code_of(slots)
    for error in slots.contract_type.errors:
        assert keccak(error.selector.encode())[:4].lstrip(b"\0") in code, error.name
