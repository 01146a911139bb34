"""Results of events: vectors, proposals, challenges, silence, and where each bond goes."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts._markets_deployment import resolver_config
from tests.contracts.driver import DAY, OKB, attempt, constructor_error, error_data, reverts, tries
from tests.contracts.results import details, event_of
from tradezone.protocol.actions import layout_bytes, unpack
from tradezone.protocol.enums import GROUP_RESOLVED, GROUP_VOID
from tradezone.protocol.limits import MAX_OUTCOMES, PAYOUT_UNIT
from tradezone.protocol.messages import RESOLUTION_BODY
from tradezone.protocol.oracles import from_vector, to_vector

VENUE, OTHER = 5, 6
NOBODY = "0x0000000000000000000000000000000000000000"
NONE, OPEN, CALLED, PROPOSED, CHALLENGED, RESOLVED, VOID = range(7)
YES, NO, HALF = [10_000, 0], [0, 10_000], [5_000, 5_000]
EXPOSURE = 50_000 * OKB
BOND = 500 * OKB
FEE = OKB // 10


@pytest.fixture
def resolver(markets):
    return markets.resolver


@pytest.fixture(autouse=True)
def provider(markets, puppet_venues, alice, bob, carol):
    """Provider 1, which is carol; venue 5 of alice with its stake, venue 6 of bob without."""
    puppet_venues.setDeployer(VENUE, alice, sender=alice)
    puppet_venues.setStake(VENUE, 10_000 * OKB, sender=alice)
    puppet_venues.setDeployer(OTHER, bob, sender=bob)
    bond = markets.params.provider_bond
    markets.oracles.register(carol, bytes(32), "", sender=carol, value=bond)
    return carol


@pytest.fixture
def listings(markets):
    """Hand over whatever a test lists."""
    return markets.listings


def terms(clock, **changes):
    """An event and what the resolver wants to know of it, by name."""
    values = {
        "venue": VENUE,
        "void": HALF,
        "provider": 1,
        "resolves_at": clock.time + 1_000,
        "exposure": EXPOSURE,
    }
    return values | changes


def open_group(listings, terms, **call):
    """List an event; returns the receipt, whose return value is the group."""
    known = {name: terms[name] for name in ("provider", "resolves_at", "exposure")}
    return listings.list(event_of(terms["venue"], terms["void"]), details(**known), **call)


@pytest.fixture
def group(listings, resolver, clock, alice, provider):
    """A group of two outcomes that is due; id 1."""
    opened = terms(clock)
    number = open_group(listings, opened, sender=alice, value=FEE).return_value
    clock.pass_time(1_100)
    return number


@pytest.fixture
def proposed(resolver, group, carol):
    resolver.propose(group, YES, sender=carol, value=BOND)
    return group


@pytest.fixture
def challenged(resolver, proposed, bob):
    resolver.challenge(proposed, NO, sender=bob, value=BOND)
    return proposed


def told(markets):
    logs = sorted(
        markets.inbox.Message.range(0, markets.inbox.chain_manager.blocks.height + 1),
        key=lambda log: log.index,
    )
    assert layout_bytes(RESOLUTION_BODY) == len(logs[-1].payload) == 37
    assert logs[-1].kind == 34
    return unpack(RESOLUTION_BODY, bytes(logs[-1].payload))


def in_bytes(vector):
    """A vector as the zone reads it."""
    return vector.to_bytes(32, "big")


def check_money(resolver):
    assert resolver.balance >= resolver.bonds() + resolver.owed()


# --- opening


def test_a_group_is_opened_with_terms_that_stay(listings, resolver, alice, clock, treasury):
    opened = terms(clock, void=[1, 2, 9_997])
    receipt = open_group(listings, opened, sender=alice, value=FEE)
    assert receipt.return_value == 1
    entry = resolver.groupOf(1)
    assert (entry.venue, entry.provider) == (VENUE, 1)
    assert (entry.outcomes, entry.phase, entry.exposure) == (3, OPEN, EXPOSURE)
    assert (entry.bond, entry.resolvesAt) == (BOND, opened["resolves_at"])
    assert entry.voidVector == to_vector([1, 2, 9_997]) == 1 << 240 | 2 << 224 | 9_997 << 208
    assert resolver.exposureOf(VENUE) == EXPOSURE
    assert resolver.openGroupsOf(VENUE) == 1
    assert resolver.collectable(treasury) == resolver.owed() == FEE
    assert tuple(resolver.resultOf(1)) == (OPEN, 0)


def test_nobody_but_listings_hands_events_over(
    resolver, markets, accounts, alice, bob, carol, arbiter, treasury, clock
):
    opened = event_of(VENUE, HALF), details(1, clock.time + 1_000, EXPOSURE)
    for thief in (alice, bob, carol, arbiter, treasury, accounts[9]):
        with reverts(resolver.NotListings, caller=thief.address, listings=markets.listings.address):
            resolver.takeEvent(1, *opened, sender=thief, value=FEE)


def test_data_of_another_shape_is_refused(listings, resolver, alice, clock):
    opened, known = event_of(VENUE, HALF), details(1, clock.time + 1_000, EXPOSURE)
    for data in (b"", known[:-1], known + bytes(1), known + bytes(32)):
        with reverts(resolver.BadDetails, length=len(data), expected=96):
            listings.list(opened, data, sender=alice, value=FEE)
    for place in (0, 32, 64):  # a number too large for its field
        data = known[:place] + b"\xff" + known[place + 1 :]
        call = listings.list.encode_input(opened, data)
        assert attempt(listings, call, alice, value=FEE) == (False, b"")
    assert listings.eventCount() == 0


@pytest.mark.parametrize(
    ("changes", "error", "values"),
    [
        ({"exposure": 0}, "ZeroExposure", {}),
        ({"provider": 2}, "ProviderNotSelectable", {"provider": 2}),
        ({"resolves_at": 1}, "ResolvesInPast", {}),
        ({"resolves_at": 2**63}, "ResolvesTooLate", {}),
    ],
)
def test_terms_that_make_no_sense_are_refused(
    listings, resolver, alice, clock, changes, error, values
):
    with reverts(getattr(resolver, error), **values):
        open_group(listings, terms(clock, **changes), sender=alice, value=FEE)


def test_the_fee_is_exact(listings, resolver, alice, clock):
    for sent in (0, FEE - 1, FEE + 1):
        with reverts(resolver.WrongFee, sent=sent, expected=FEE):
            open_group(listings, terms(clock), sender=alice, value=sent)


def test_the_exposure_of_open_groups_is_bounded_by_the_stake(
    listings, resolver, puppet_venues, alice, bob, clock
):
    with reverts(resolver.ExposureTooLarge, venue=OTHER, asked=1, left=0):
        open_group(listings, terms(clock, venue=OTHER, exposure=1), sender=bob, value=FEE)
    open_group(listings, terms(clock, exposure=150_000 * OKB), sender=alice, value=FEE)
    with reverts(resolver.ExposureTooLarge, venue=VENUE, asked=50_000 * OKB + 1, left=50_000 * OKB):
        open_group(listings, terms(clock, exposure=50_000 * OKB + 1), sender=alice, value=FEE)
    puppet_venues.setStake(VENUE, OKB, sender=alice)
    with reverts(resolver.ExposureTooLarge, venue=VENUE, asked=1, left=0):
        open_group(listings, terms(clock, exposure=1), sender=alice, value=FEE)


def test_open_groups_of_a_venue_have_an_end(listings, resolver, alice, clock):
    def open_one():
        return open_group(
            listings, terms(clock, exposure=OKB), sender=alice, value=FEE
        ).return_value

    groups = [open_one() for _ in range(8)]
    with reverts(resolver.TooManyOpen, venue=VENUE, limit=8):
        open_one()
    clock.pass_time(1_100)
    for number in groups[:4]:
        resolver.callForResult(number, sender=alice)
    clock.pass_both(14 * DAY, 30)
    for number in groups[:4]:
        resolver.lapse(number, sender=alice)
    assert [open_one() for _ in range(4)] == [9, 10, 11, 12]
    with reverts(resolver.TooManyOpen, venue=VENUE, limit=8):
        open_one()


# --- vectors


@pytest.mark.hypothesis
@settings(max_examples=tries(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.integers(0, PAYOUT_UNIT), min_size=1, max_size=MAX_OUTCOMES - 1),
    unit=st.integers(1, 2**62 // PAYOUT_UNIT - 1).map(lambda n: n * PAYOUT_UNIT),
)
def test_payouts_are_exact_and_sum_to_the_unit(resolver, cuts, unit):
    edges = [0, *sorted(cuts), PAYOUT_UNIT]
    fractions = [high - low for low, high in pairwise(edges)]
    vector = resolver.toVector(fractions)
    assert vector == to_vector(fractions)
    assert from_vector(vector, len(fractions)) == fractions
    payouts = [unit // PAYOUT_UNIT * fraction for fraction in fractions]
    assert sum(payouts) == unit
    assert [payout * PAYOUT_UNIT for payout in payouts] == [unit * f for f in fractions]


@pytest.mark.parametrize(
    "fractions", [[], [10_000], [1] * 17, [0, 0], [10_000, 1], [65_535, 65_535], [9_999, 0]]
)
def test_python_and_the_contract_refuse_the_same_vectors(resolver, fractions):
    with pytest.raises(ValueError, match="expected"):
        to_vector(fractions)
    assert attempt(resolver, resolver.toVector.encode_input(fractions), resolver)[0] is False


# --- bonds and windows by exposure


def test_bond_and_window_grow_with_the_exposure(resolver):
    for exposure, bond, seconds, blocks in (
        (1, 10 * OKB, 7_200, 10),
        (1_000 * OKB, 10 * OKB, 7_200 + 1_656, 10),
        (50_000 * OKB, 500 * OKB, 90_000, 20),
        (100_000 * OKB, 1_000 * OKB, 172_800, 30),
        (200_000 * OKB, 2_000 * OKB, 172_800, 30),
    ):
        found = resolver.termsFor(exposure)
        assert (found[0], tuple(found[1])) == (bond, (seconds, blocks))
    assert resolver.termsFor(1_000 * OKB + 1)[0] == 10 * OKB + 1
    most = 2**128 - 1
    assert resolver.termsFor(most)[0] == -(-most // 100)


# --- proposing


def test_the_provider_proposes_as_soon_as_the_event_is_over(
    listings, resolver, alice, carol, clock, bob
):
    opened = terms(clock)
    open_group(listings, opened, sender=alice, value=FEE)
    clock.set_next(opened["resolves_at"] - 1)
    with reverts(
        resolver.TooEarly, time=opened["resolves_at"] - 1, resolvesAt=opened["resolves_at"]
    ):
        resolver.propose(1, YES, sender=carol, value=BOND)
    clock.set_next(opened["resolves_at"])
    receipt = resolver.propose(1, YES, sender=carol, value=BOND)
    answer = resolver.proposalOf(1)
    assert (answer.account, answer.vector) == (carol, to_vector(YES))
    assert (answer.time, answer.blockNumber) == (receipt.timestamp, receipt.block_number)
    assert resolver.groupOf(1).phase == PROPOSED
    assert resolver.bonds() == BOND


def test_a_result_is_called_for_when_it_is_due(listings, resolver, alice, bob, clock):
    opened = terms(clock)
    open_group(listings, opened, sender=alice, value=FEE)
    with reverts(resolver.TooEarly):
        resolver.callForResult(1, sender=bob)
    clock.set_next(opened["resolves_at"])
    receipt = resolver.callForResult(1, sender=bob)
    entry = resolver.groupOf(1)
    assert (entry.phase, entry.calledTime, entry.calledBlock) == (
        CALLED,
        receipt.timestamp,
        receipt.block_number,
    )
    with reverts(resolver.WrongPhase, group=1, phase=CALLED):
        resolver.callForResult(1, sender=bob)


def test_others_propose_only_after_the_call_and_the_providers_time(
    resolver, group, alice, bob, carol, clock
):
    """A silent provider: the deadline counts time and blocks."""
    clock.pass_both(9 * DAY, 40)
    with reverts(resolver.ProviderFirst, group=1, provider=carol.address):
        resolver.propose(group, NO, sender=bob, value=BOND)
    resolver.callForResult(group, sender=bob)
    clock.pass_time(DAY + 1)
    with reverts(resolver.ProviderFirst, group=1, provider=carol.address):
        resolver.propose(group, NO, sender=bob, value=BOND)
    clock.pass_blocks(10)
    resolver.propose(group, NO, sender=bob, value=BOND)
    assert resolver.proposalOf(group).account == bob


def test_nobody_proposes_after_the_silence(resolver, group, bob, carol, clock):
    resolver.callForResult(group, sender=bob)
    clock.pass_both(14 * DAY, 30)
    for account in (bob, carol):
        with reverts(resolver.TooLate, group=1):
            resolver.propose(group, NO, sender=account, value=BOND)


def test_bonds_and_vectors_of_answers_are_exact(resolver, group, carol, bob):
    for sent in (0, BOND - 1, BOND + 1):
        with reverts(resolver.WrongBond, sent=sent, expected=BOND):
            resolver.propose(group, YES, sender=carol, value=sent)
    with reverts(resolver.OutcomesOutOfRange, given=3, lowest=2, highest=2):
        resolver.propose(group, [0, 0, 10_000], sender=carol, value=BOND)
    with reverts(resolver.BadSum, sum=1, expected=10_000):
        resolver.propose(group, [0, 1], sender=carol, value=BOND)
    resolver.propose(group, YES, sender=carol, value=BOND)
    with reverts(resolver.WrongBond, sent=BOND - 1, expected=BOND):
        resolver.challenge(group, NO, sender=bob, value=BOND - 1)
    with reverts(resolver.SameVector, vector=to_vector(YES)):
        resolver.challenge(group, YES, sender=bob, value=BOND)
    with reverts(resolver.WrongPhase, group=1, phase=PROPOSED):
        resolver.propose(group, NO, sender=carol, value=BOND)


def test_unknown_groups_are_refused(resolver, alice, arbiter):
    for call in (
        lambda: resolver.groupOf(1),
        lambda: resolver.callForResult(1, sender=alice),
        lambda: resolver.propose(1, YES, sender=alice),
        lambda: resolver.challenge(1, YES, sender=alice),
        lambda: resolver.confirm(1, sender=alice),
        lambda: resolver.decide(1, YES, sender=arbiter),
        lambda: resolver.lapse(1, sender=alice),
    ):
        with reverts(resolver.UnknownGroup, group=1):
            call()
    assert tuple(resolver.resultOf(1)) == (NONE, 0)


# --- the end


def test_a_proposal_that_nobody_challenges_is_the_result(
    resolver, markets, proposed, alice, carol, clock
):
    answer = resolver.proposalOf(proposed)
    until = answer.time + 90_000, answer.blockNumber + 20
    clock.pass_time(90_001)
    with reverts(resolver.StillRunning, untilTime=until[0], untilBlock=until[1]):
        resolver.confirm(proposed, sender=alice)
    clock.pass_blocks(20)
    resolver.confirm(proposed, sender=alice)
    assert tuple(resolver.resultOf(proposed)) == (RESOLVED, to_vector(YES))
    body = told(markets)
    assert body == {
        "group": 1,
        "state": GROUP_RESOLVED,
        "payouts": in_bytes(to_vector(YES)),
    }
    assert resolver.collectable(carol) == BOND
    assert (resolver.bonds(), resolver.exposureOf(VENUE), resolver.openGroupsOf(VENUE)) == (0, 0, 0)
    before = carol.balance
    resolver.collect(carol, sender=alice)
    assert carol.balance == before + BOND
    with reverts(resolver.NothingToCollect, account=carol.address):
        resolver.collect(carol, sender=alice)
    check_money(resolver)


def test_the_window_shuts_for_challenges_exactly_when_it_opens_for_the_result(
    resolver, proposed, bob, alice, clock, chain
):
    """A12 for results: the last second of the window."""
    answer = resolver.proposalOf(proposed)
    clock.pass_blocks(25)
    clock.set_next(answer.time + 90_000 - 1)
    with reverts(resolver.StillRunning):
        resolver.confirm(proposed, sender=alice)
    snapshot = chain.snapshot()
    clock.set_next(answer.time + 90_000)
    with reverts(resolver.TooLate, group=1):
        resolver.challenge(proposed, NO, sender=bob, value=BOND)
    resolver.confirm(proposed, sender=alice)
    chain.restore(snapshot)


def test_a_challenge_in_the_last_second_still_counts(resolver, proposed, bob, clock):
    answer = resolver.proposalOf(proposed)
    clock.pass_blocks(25)
    clock.set_next(answer.time + 90_000 - 1)
    resolver.challenge(proposed, NO, sender=bob, value=BOND)
    assert resolver.groupOf(proposed).phase == CHALLENGED


@pytest.mark.parametrize(
    ("decision", "carol_gets", "bob_gets", "treasury_gets"),
    [
        (YES, BOND + BOND // 2, 0, BOND // 2),
        (NO, 0, BOND + BOND // 2, BOND // 2),
        (HALF, 0, BOND, BOND),
    ],
)
def test_the_arbiter_decides_and_the_loser_pays(
    resolver,
    markets,
    challenged,
    arbiter,
    alice,
    bob,
    carol,
    treasury,
    decision,
    carol_gets,
    bob_gets,
    treasury_gets,
):
    for thief in (alice, bob, carol, treasury):
        with reverts(resolver.NotArbiter, caller=thief.address, arbiter=arbiter.address):
            resolver.decide(challenged, NO, sender=thief)
    with reverts(resolver.OutcomesOutOfRange, given=3, lowest=2, highest=2):
        resolver.decide(challenged, [0, 0, 10_000], sender=arbiter)
    resolver.decide(challenged, decision, sender=arbiter)
    assert tuple(resolver.resultOf(challenged)) == (RESOLVED, to_vector(decision))
    assert told(markets)["payouts"] == in_bytes(to_vector(decision))
    assert resolver.collectable(carol) == carol_gets
    assert resolver.collectable(bob) == bob_gets
    assert resolver.collectable(treasury) == treasury_gets + FEE
    assert (resolver.bonds(), resolver.owed()) == (0, 2 * BOND + FEE)
    check_money(resolver)


def test_an_arbiter_that_is_silent_makes_the_group_void_and_nobody_loses(
    resolver, markets, challenged, arbiter, alice, bob, carol, clock
):
    made = resolver.challengeOf(challenged)
    clock.pass_time(7 * DAY)
    with reverts(
        resolver.StillRunning,
        untilTime=made.time + 7 * DAY,
        untilBlock=made.blockNumber + 20,
    ):
        resolver.lapse(challenged, sender=alice)
    clock.pass_blocks(20)
    with reverts(resolver.TooLate, group=1):
        resolver.decide(challenged, NO, sender=arbiter)
    resolver.lapse(challenged, sender=alice)
    assert tuple(resolver.resultOf(challenged)) == (VOID, to_vector(HALF))
    assert told(markets) == {
        "group": 1,
        "state": GROUP_VOID,
        "payouts": bytes(32),  # the zone has the vector
    }
    assert resolver.collectable(carol) == resolver.collectable(bob) == BOND


def test_silence_makes_a_group_void(resolver, markets, group, alice, clock):
    with reverts(resolver.WrongPhase, group=1, phase=OPEN):
        resolver.lapse(group, sender=alice)
    resolver.callForResult(group, sender=alice)
    clock.pass_both(14 * DAY - 100, 40)
    with reverts(resolver.StillRunning):
        resolver.lapse(group, sender=alice)
    clock.pass_time(100)
    resolver.lapse(group, sender=alice)
    assert tuple(resolver.resultOf(group)) == (VOID, to_vector(HALF))
    assert told(markets)["state"] == GROUP_VOID


def test_a_group_has_one_result(resolver, proposed, alice, bob, carol, arbiter, clock):
    clock.pass_both(90_000, 20)
    resolver.confirm(proposed, sender=alice)
    for call in (
        lambda: resolver.confirm(proposed, sender=alice),
        lambda: resolver.lapse(proposed, sender=alice),
        lambda: resolver.callForResult(proposed, sender=alice),
        lambda: resolver.propose(proposed, NO, sender=carol, value=BOND),
        lambda: resolver.challenge(proposed, NO, sender=bob, value=BOND),
        lambda: resolver.decide(proposed, NO, sender=arbiter),
    ):
        with reverts(resolver.WrongPhase, group=1, phase=RESOLVED):
            call()


def test_the_arbiter_cannot_touch_what_nobody_challenged(resolver, proposed, arbiter):
    with reverts(resolver.WrongPhase, group=1, phase=PROPOSED):
        resolver.decide(proposed, NO, sender=arbiter)


def test_two_accomplices_cannot_lock_the_truth_out(
    resolver, proposed, bob, carol, arbiter, treasury
):
    """A wrong proposal and a wrong challenge by one hand: the arbiter may say what is right."""
    resolver.challenge(proposed, HALF, sender=bob, value=BOND)
    resolver.decide(proposed, NO, sender=arbiter)
    assert tuple(resolver.resultOf(proposed)) == (RESOLVED, to_vector(NO))
    assert resolver.collectable(carol) + resolver.collectable(bob) == BOND
    assert resolver.collectable(treasury) == BOND + FEE


def test_challenging_oneself_costs_half_a_bond(resolver, challenged, arbiter, bob, carol):
    before = 2 * BOND
    resolver.decide(challenged, YES, sender=arbiter)
    assert resolver.collectable(bob) + resolver.collectable(carol) == before - BOND // 2


def test_a_frozen_zone_keeps_results_and_pays_bonds(
    resolver, markets, challenged, arbiter, bob, alice
):
    """After the freeze the inbox is closed: nobody's bond is stuck, tokens pay by `resultOf`."""
    before = markets.inbox.count()
    markets.inbox.close(sender=markets.chain_account)
    receipt = resolver.decide(challenged, NO, sender=arbiter)
    event = resolver.Resolved.from_receipt(receipt)[0]
    assert not event.isTold
    assert markets.inbox.count() == before
    assert tuple(resolver.resultOf(challenged)) == (RESOLVED, to_vector(NO))
    resolver.collect(bob, sender=alice)


def test_a_winner_that_refuses_coin_blocks_nobody(
    resolver, markets, group, alice, bob, clock, project, arbiter, treasury
):
    """A5 for bonds."""
    wallet = alice.deploy(project.HostileRecipient)
    resolver.callForResult(group, sender=alice)
    clock.pass_both(DAY, 10)
    clock.force_coin(wallet, BOND)
    call = resolver.propose.encode_input(group, YES)
    wallet.execute(resolver, call, sender=alice, value=BOND)
    resolver.challenge(group, NO, sender=bob, value=BOND)
    wallet.refuse(sender=alice)
    resolver.decide(group, YES, sender=arbiter)
    owed = BOND + BOND // 2
    with reverts(resolver.TransferFailed, to=wallet.address, amount=owed):
        resolver.collect(wallet, sender=bob)
    resolver.collect(treasury, sender=bob)
    assert resolver.collectable(wallet) == owed
    wallet.call_back(resolver, resolver.collect.encode_input(wallet), sender=alice)
    resolver.collect(wallet, sender=bob)
    assert wallet.is_success() is False
    assert resolver.balance == 0


def test_forced_coin_changes_nothing(resolver, proposed, clock, alice, carol):
    """A6 for bonds."""
    clock.force_coin(resolver, 5 * OKB)
    assert (resolver.bonds(), resolver.owed()) == (BOND, FEE)
    clock.pass_both(90_000, 20)
    resolver.confirm(proposed, sender=alice)
    resolver.collect(carol, sender=alice)
    assert resolver.balance == 5 * OKB + FEE


def test_a_provider_that_left_may_still_propose_what_it_was_named_for(
    resolver, markets, group, carol
):
    markets.oracles.exit(1, sender=carol)
    resolver.propose(group, YES, sender=carol, value=BOND)


# --- construction


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("inbox", NOBODY),
        ("listings", NOBODY),
        ("staking", NOBODY),
        ("oracles", NOBODY),
        ("arbiter", NOBODY),
        ("treasury", NOBODY),
        ("minBond", 0),
        ("minBond", 2**120),
        ("fullExposure", 0),
        ("bondRate", 1_000_001),
        ("windowMin", {"time": 0, "blocks": 0}),
        ("windowMax", {"time": 7_199, "blocks": 30}),
        ("windowMax", {"time": 7_200, "blocks": 9}),
        ("arbiterTime", {"time": 0, "blocks": 1}),
        ("silence", {"time": DAY, "blocks": 30}),
        ("silence", {"time": 14 * DAY, "blocks": 9}),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(
    resolver, markets, deployer, project, name, value
):
    config = resolver_config(markets.addresses, markets.oracles.address, markets.params)
    assert constructor_error(deployer, project.OutcomeResolver, config) is None
    found = constructor_error(deployer, project.OutcomeResolver, config | {name: value})
    assert found == error_data("BadConfig(string)", name)


def test_parameters_can_be_read_back(resolver, markets):
    config = resolver.config()
    wanted = resolver_config(markets.addresses, markets.oracles.address, markets.params)
    for name, value in wanted.items():
        found = getattr(config, name)
        assert (
            (found.time, found.blocks) == tuple(value.values())
            if isinstance(value, dict)
            else found == value
        )
