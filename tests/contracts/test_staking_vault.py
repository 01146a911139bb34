"""Staked coin: buckets, unbonding from final roots, release of a venue's lock, cases and slashing."""

import pytest

from scripts._deployment import NOBODY
from tests.contracts.driver import (
    OKB,
    constructor_error,
    error_data,
    error_of,
    isolated,
    reverts,
)
from tests.contracts.governed import State
from tests.contracts.markets import TERMS, stake_for_venues
from tradezone.protocol.hashing import keccak

NEVER = 2**64 - 1
CASE = keccak(b"a case")
OTHER_CASE = keccak(b"another case")


@pytest.fixture
def staking(zone):
    return zone.staking


@pytest.fixture
def registry(accounts):
    return accounts[18]


@pytest.fixture
def court(accounts):
    return accounts[19]


@pytest.fixture
def bare(deployer, project, registry, court, params, zone):
    """A staking vault for which the tests play the venue registry and the court."""
    return deploy_vault(deployer, project, zone, params, registry, court)


def deploy_vault(deployer, project, zone, params, registry, court, **changes):
    numbers = {
        name: changes.get(name, getattr(params, name))
        for name in ("unbonding_seconds", "unbonding_blocks", "case_seconds", "case_blocks")
    }
    return deployer.deploy(project.StakingVault, registry, zone.chain, court, *numbers.values())


def buckets(staking, account):
    found = staking.bucketsOf(account)
    assert found.free == staking.freeOf(account)
    assert found.locked == staking.lockedOf(account)
    assert found.unbonding == staking.unbondingOf(account)
    return found.free, found.locked, found.unbonding


def pass_unbonding(clock, params):
    clock.pass_both(params.unbonding_seconds, params.unbonding_blocks)


def finish_unbonding(zone, staking, asserter, name="a root"):
    """Make the root that open requests wait for, note it, and let the clock run out."""
    if not zone.chain.asserterOf(asserter).isBonded:
        zone.bond(asserter)
    zone.finalized(asserter, name)
    staking.noteFinality(sender=asserter)
    pass_unbonding(zone.clock, zone.params)


# --- staking


def test_stake_is_free_first(staking, alice, bob):
    staking.stake(sender=alice, value=5)
    receipt = staking.stakeFor(alice, sender=bob, value=3)
    assert buckets(staking, alice) == (8, 0, 0)
    assert staking.totalStaked() == staking.balance == 8
    event = staking.Staked.from_receipt(receipt)[0]
    assert (event.account, event.amount, event.freeBefore, event.free) == (alice, 3, 5, 8)


def test_nothing_is_staked_for_nobody_or_nothing(staking, alice):
    with reverts(staking.ZeroAmount):
        staking.stake(sender=alice)
    with reverts(staking.ZeroAddress):
        staking.stakeFor(NOBODY, sender=alice, value=1)


def test_forced_coin_changes_nothing(staking, alice, clock):
    staking.stake(sender=alice, value=10)
    clock.force_coin(staking, OKB)
    assert staking.totalStaked() == 10
    assert buckets(staking, alice) == (10, 0, 0)
    assert staking.getVotes(alice) == 10


# --- unbonding


def test_the_clock_begins_with_the_first_final_root_after_the_request(
    zone, staking, alice, asserter, params, clock, chain
):
    staking.stake(sender=alice, value=OKB)
    receipt = staking.requestUnbond(OKB // 4, sender=alice)
    assert receipt.return_value == 1
    assert buckets(staking, alice) == (OKB - OKB // 4, 0, OKB // 4)
    request = staking.requestOf(alice, 1)
    assert (request.amount, request.batch) == (OKB // 4, params.claim_stride)

    pass_unbonding(clock, params)
    assert not staking.unbondingStateOf(alice, 1).isRunning
    with reverts(staking.UnbondingRunning):
        staking.withdraw(1, sender=alice)

    zone.bond(asserter)
    zone.finalized(asserter, "after the request")
    assert not staking.unbondingStateOf(alice, 1).isRunning  # final, and not noted
    noted = staking.noteFinality(sender=asserter)
    until = {
        "untilTime": noted.timestamp + params.unbonding_seconds,
        "untilBlock": noted.block_number + params.unbonding_blocks,
    }
    state = staking.unbondingStateOf(alice, 1)
    assert (state.isRunning, state.untilTime, state.untilBlock) == (True, *until.values())
    with isolated(chain):
        clock.pass_time(10 * params.unbonding_seconds)
        with reverts(staking.UnbondingRunning, isRunning=True, **until):
            staking.withdraw(1, sender=alice)
    with isolated(chain):
        clock.pass_blocks(10 * params.unbonding_blocks)
        with reverts(staking.UnbondingRunning, isRunning=True, **until):
            staking.withdraw(1, sender=alice)
    pass_unbonding(clock, params)
    before = alice.balance
    receipt = staking.withdraw(1, sender=alice)
    assert alice.balance == before + OKB // 4 - receipt.total_fees_paid
    assert buckets(staking, alice) == (OKB - OKB // 4, 0, 0)
    assert staking.totalStaked() == staking.balance == OKB - OKB // 4
    with reverts(staking.UnknownRequest, account=alice.address, requestId=1):
        staking.withdraw(1, sender=alice)


def test_a_root_from_before_the_request_begins_no_clock(zone, staking, alice, asserter, params):
    staking.stake(sender=alice, value=OKB)
    zone.bond(asserter)
    zone.finalized(asserter, "before")
    zone.commit()
    staking.requestUnbond(OKB, sender=alice)
    assert staking.requestOf(alice, 1).batch == 2 * params.claim_stride
    staking.noteFinality(sender=alice)
    assert not staking.unbondingStateOf(alice, 1).isRunning
    zone.finalized(asserter, "after")
    staking.noteFinality(sender=alice)
    assert staking.unbondingStateOf(alice, 1).isRunning


def test_noting_the_same_root_again_moves_no_clock(zone, staking, alice, asserter):
    staking.stake(sender=alice, value=OKB)
    staking.requestUnbond(OKB, sender=alice)
    zone.bond(asserter)
    zone.finalized(asserter, "after")
    staking.noteFinality(sender=alice)
    first = staking.unbondingStateOf(alice, 1).untilTime
    zone.clock.pass_time(1000)
    assert not staking.FinalityNoted.from_receipt(staking.noteFinality(sender=alice))
    assert staking.unbondingStateOf(alice, 1).untilTime == first


def test_a_zone_that_stops_holds_stake_for_four_periods(zone, staking, alice, params, clock):
    staking.stake(sender=alice, value=OKB)
    receipt = staking.requestUnbond(OKB, sender=alice)
    until = {
        "untilTime": receipt.timestamp + 4 * params.unbonding_seconds,
        "untilBlock": receipt.block_number + 4 * params.unbonding_blocks,
    }
    clock.pass_time(4 * params.unbonding_seconds - 1000)
    clock.pass_blocks(4 * params.unbonding_blocks)
    with reverts(staking.UnbondingRunning, isRunning=False, **until):
        staking.withdraw(1, sender=alice)
    clock.pass_time(1000)
    staking.withdraw(1, sender=alice)
    assert staking.totalStaked() == 0


def test_a_frozen_chain_begins_every_clock(
    puppet_zone, deployer, project, registry, court, alice, asserter, rival, clock, params
):
    zone = puppet_zone
    vault = deploy_vault(deployer, project, zone, params, registry, court)
    vault.stake(sender=alice, value=OKB)
    vault.requestUnbond(OKB // 2, sender=alice)
    zone.bond(asserter, rival)
    for account, name in ((asserter, "one"), (rival, "two")):
        zone.claim(account, zone.genesis, name)
    zone.pass_judge_time()
    zone.chain.freeze(zone.genesis, sender=alice)
    assert vault.FinalityNoted.from_receipt(vault.noteFinality(sender=alice))[0].batch == NEVER
    vault.requestUnbond(OKB // 2, sender=alice)  # after the freeze was noted
    assert vault.unbondingStateOf(alice, 1).isRunning
    assert vault.unbondingStateOf(alice, 2).isRunning
    with reverts(vault.UnbondingRunning):
        vault.withdraw(1, sender=alice)
    pass_unbonding(clock, params)
    vault.withdraw(1, sender=alice)
    vault.withdraw(2, sender=alice)
    assert vault.totalStaked() == vault.balance == 0


def test_each_request_has_its_own_clock(zone, staking, alice, asserter):
    staking.stake(sender=alice, value=OKB)
    staking.requestUnbond(1, sender=alice)
    finish_unbonding(zone, staking, asserter)
    staking.requestUnbond(2, sender=alice)
    staking.withdraw(1, sender=alice)
    with reverts(staking.UnbondingRunning):
        staking.withdraw(2, sender=alice)


def test_a_request_can_be_called_back(staking, alice):
    staking.stake(sender=alice, value=10)
    staking.requestUnbond(4, sender=alice)
    staking.requestUnbond(5, sender=alice)
    staking.cancelUnbond(1, sender=alice)
    assert buckets(staking, alice) == (5, 0, 5)
    assert [request.id for request in staking.requestsOf(alice)] == [2]
    with reverts(staking.UnknownRequest, account=alice.address, requestId=1):
        staking.cancelUnbond(1, sender=alice)
    with reverts(staking.UnknownRequest, account=alice.address, requestId=1):
        staking.withdraw(1, sender=alice)
    with reverts(staking.UnknownRequest, account=alice.address, requestId=1):
        staking.unbondingStateOf(alice, 1)
    assert staking.requestOf(alice, 1).id == 0


def test_requests_belong_to_their_account(staking, alice, bob):
    staking.stake(sender=alice, value=10)
    staking.requestUnbond(4, sender=alice)
    for function in (staking.cancelUnbond, staking.withdraw):
        with reverts(staking.UnknownRequest, account=bob.address, requestId=1):
            function(1, sender=bob)


def test_no_more_is_unbonded_than_is_free(staking, alice):
    staking.stake(sender=alice, value=10)
    staking.requestUnbond(4, sender=alice)
    with reverts(staking.InsufficientFree, account=alice.address, asked=7, free=6):
        staking.requestUnbond(7, sender=alice)
    with reverts(staking.ZeroAmount):
        staking.requestUnbond(0, sender=alice)
    with reverts(staking.SafeCastOverflowedUintDowncast, bits=128, value=2**128):
        staking.requestUnbond(2**128, sender=alice)


def test_an_account_has_eight_requests_at_most(staking, alice):
    staking.stake(sender=alice, value=20)
    for _ in range(8):
        staking.requestUnbond(1, sender=alice)
    with reverts(staking.TooManyRequests, account=alice.address, most=8):
        staking.requestUnbond(1, sender=alice)
    staking.cancelUnbond(5, sender=alice)
    assert staking.requestUnbond(1, sender=alice).return_value == 9
    assert [request.id for request in staking.requestsOf(alice)] == [1, 2, 3, 4, 6, 7, 8, 9]


def test_a_withdrawal_is_paid_once_even_to_a_contract_that_calls_back(
    zone, staking, alice, bob, project, asserter
):
    wallet = alice.deploy(project.HostileRecipient)
    staking.stake(sender=bob, value=10)  # somebody else's stake is there to be stolen
    staking.stakeFor(wallet, sender=alice, value=20)
    for _ in range(2):
        wallet.execute(staking, staking.requestUnbond.encode_input(10), sender=alice)
    finish_unbonding(zone, staking, asserter)
    wallet.call_back(staking, staking.withdraw.encode_input(1), sender=alice)
    wallet.execute(staking, staking.withdraw.encode_input(1), sender=alice)
    assert not wallet.is_success()
    assert (wallet.balance, staking.balance, staking.totalStaked()) == (10, 20, 20)


def test_a_second_request_is_not_paid_inside_the_first(zone, staking, alice, project, asserter):
    wallet = alice.deploy(project.HostileRecipient)
    staking.stakeFor(wallet, sender=alice, value=20)
    for _ in range(2):
        wallet.execute(staking, staking.requestUnbond.encode_input(10), sender=alice)
    finish_unbonding(zone, staking, asserter)
    wallet.call_back(staking, staking.withdraw.encode_input(2), sender=alice)
    wallet.execute(staking, staking.withdraw.encode_input(1), sender=alice)
    assert not wallet.is_success()
    selector = keccak(staking.ReentrancyGuardReentrantCall.abi.selector.encode())[:4]
    assert bytes(wallet.response()) == selector
    assert buckets(staking, wallet) == (0, 0, 10)


def test_stake_that_cannot_be_paid_stays_and_hurts_nobody_else(
    zone, staking, alice, bob, project, asserter
):
    wallet = alice.deploy(project.HostileRecipient)
    staking.stakeFor(wallet, sender=alice, value=10)
    staking.stake(sender=bob, value=10)
    wallet.execute(staking, staking.requestUnbond.encode_input(10), sender=alice)
    staking.requestUnbond(10, sender=bob)
    finish_unbonding(zone, staking, asserter)
    wallet.refuse(sender=alice)
    with reverts(staking.TransferFailed, to=wallet.address, amount=10):
        wallet.execute(staking, staking.withdraw.encode_input(1), sender=alice)
    assert buckets(staking, wallet) == (0, 0, 10)
    staking.withdraw(1, sender=bob)
    wallet.accept(sender=alice)
    wallet.execute(staking, staking.withdraw.encode_input(1), sender=alice)
    assert staking.totalStaked() == staking.balance == 0


# --- locks and their release


def test_only_the_venue_registry_locks(bare, registry, alice):
    bare.stake(sender=alice, value=10)
    with reverts(bare.NotVenueRegistry, caller=alice.address, venueRegistry=registry.address):
        bare.lock(alice, 1, 5, sender=alice)
    receipt = bare.lock(alice, 1, 6, sender=registry)
    assert buckets(bare, alice) == (4, 6, 0)
    assert bare.stakeOf(1) == bare.lockedBehind(alice, 1) == bare.backingOf(1) == 6
    event = bare.Locked.from_receipt(receipt)[0]
    assert (event.venue, event.amount, event.freeBefore, event.free) == (1, 6, 10, 4)
    with reverts(bare.InsufficientFree, account=alice.address, asked=5, free=4):
        bare.lock(alice, 1, 5, sender=registry)


def test_locked_stake_is_not_unbonded(bare, registry, alice):
    bare.stake(sender=alice, value=10)
    bare.lock(alice, 1, 10, sender=registry)
    with reverts(bare.InsufficientFree, account=alice.address, asked=1, free=0):
        bare.requestUnbond(1, sender=alice)


@pytest.fixture
def venue(governed, alice):
    """A venue of alice's, whose stake is locked."""
    governed.staking.stake(sender=alice, value=2 * governed.params.venue_stake)
    governed.venue_registry.createVenue("leaving", 0, sender=alice)
    return 1


@pytest.fixture
def prove(governed, asserter):
    """Make a final state with the venue's record as given, and the proof for `release`."""
    governed.bond(asserter)

    def make(venue=1, table="venue", header=None, **values):
        state = State()
        state.put(table, venue, **({"owner": 1} | values))
        claim = governed.finalized_state(asserter, state)
        batch = governed.chain.claimOf(claim).batch
        found = header or governed.header_of(batch)
        return (claim, found, state.words("venue", venue), state.siblings("venue", venue))

    return make


def test_the_lock_of_an_empty_venue_is_released_against_a_proof(governed, venue, prove, alice):
    staking, stake = governed.staking, governed.params.venue_stake
    receipt = staking.requestRelease(venue, sender=alice)
    count = governed.inbox.count()
    assert staking.ReleaseRequested.from_receipt(receipt)[0].inboxIndex == count
    assert tuple(staking.leavingOf(venue)) == (True, count)
    proof = prove()
    before = staking.getVotes(alice)
    receipt = staking.release(venue, proof, sender=alice)
    assert buckets(staking, alice) == (stake, 0, stake)
    assert staking.stakeOf(venue) == staking.lockedBehind(alice, venue) == 0
    assert staking.getVotes(alice) == before - stake
    event = staking.Released.from_receipt(receipt)[0]
    assert (event.requestId, event.claim, event.amount) == (1, proof[0], stake)
    assert staking.requestOf(alice, 1).isReleased
    with reverts(staking.NothingLocked, account=alice.address, venue=venue):
        staking.release(venue, proof, sender=alice)


def test_released_stake_goes_behind_no_other_venue_before_it_has_unbonded(
    governed, venue, prove, alice, bob
):
    """Else a deployer could leave, and shelter the stake from what it did behind another venue."""
    staking, stake = governed.staking, governed.params.venue_stake
    staking.requestRelease(venue, sender=alice)
    assert staking.release(venue, prove(), sender=alice).return_value == 1
    with reverts(staking.NotCancellable, requestId=1):
        staking.cancelUnbond(1, sender=alice)
    staking.openCase(CASE, alice, sender=governed.court)
    assert staking.slash(CASE, venue, stake, bob, sender=governed.court).return_value == stake
    assert buckets(staking, alice) == (stake, 0, 0)


def test_the_accused_shelters_nothing_behind_a_venue(governed, venue, alice):
    governed.staking.openCase(CASE, alice, sender=governed.court)
    with reverts(governed.staking.CaseOpen, account=alice.address, openCases=1):
        governed.venue_registry.addStake(venue, 1, sender=alice)
    with reverts(governed.staking.CaseOpen, account=alice.address, openCases=1):
        governed.venue_registry.createVenue("shelter", 0, sender=alice)


def test_released_stake_needs_a_place_among_the_requests(governed, venue, prove, alice):
    staking = governed.staking
    staking.requestRelease(venue, sender=alice)
    for _ in range(8):
        staking.requestUnbond(1, sender=alice)
    with reverts(staking.TooManyRequests, account=alice.address, most=8):
        staking.release(venue, prove(), sender=alice)


@pytest.mark.parametrize(
    "counters",
    [{"market_count": 1}, {"perps": 1}, {"market_orders": 1}],
    ids=lambda counters: next(iter(counters)),
)
def test_a_venue_with_anything_left_is_not_released(governed, venue, prove, alice, counters):
    staking = governed.staking
    staking.requestRelease(venue, sender=alice)
    values = {"market_count": 0, "perps": 0, "market_orders": 0} | counters
    with reverts(
        staking.VenueNotEmpty,
        venue=venue,
        markets=values["market_count"],
        perps=values["perps"],
        orders=values["market_orders"],
    ):
        staking.release(venue, prove(**counters), sender=alice)


def test_a_state_that_does_not_know_the_venue_proves_nothing(governed, venue, prove, alice):
    governed.staking.requestRelease(venue, sender=alice)
    with reverts(governed.staking.VenueUnknownToState, venue=venue):
        governed.staking.release(venue, prove(owner=0), sender=alice)


def test_a_state_from_before_the_request_proves_nothing(governed, venue, prove, alice):
    """The deployer lists a market that an older state does not show."""
    early = prove()
    governed.owner_registry.register(governed.deployer, sender=alice)
    governed.staking.requestRelease(venue, sender=alice)
    with reverts(
        governed.staking.StateTooOld,
        inboxIndex=early[1][6],
        needed=governed.inbox.count(),
    ):
        governed.staking.release(venue, early, sender=alice)


def test_a_header_of_another_batch_is_refused(governed, venue, prove, alice):
    early = prove()
    governed.staking.requestRelease(venue, sender=alice)
    claim, header, words, siblings = prove()
    with reverts(governed.staking.WrongHeader):
        governed.staking.release(venue, (claim, early[1], words, siblings), sender=alice)
    lying = list(header)
    lying[6] += 1
    with reverts(governed.staking.WrongHeader):
        governed.staking.release(venue, (claim, tuple(lying), words, siblings), sender=alice)


def test_a_claim_that_is_not_final_proves_nothing(governed, venue, prove, alice, asserter):
    governed.staking.requestRelease(venue, sender=alice)
    _, header, words, siblings = prove()
    state = State()
    state.put("venue", venue, owner=1)
    claim = governed.claim(asserter, bytes(governed.chain.latestFinal()), state.root)
    with reverts(governed.chain.ClaimNotFinal, claim=claim):
        governed.staking.release(venue, (claim, header, words, siblings), sender=alice)


def test_another_venues_record_is_no_proof(governed, venue, prove, alice):
    governed.staking.requestRelease(venue, sender=alice)
    proof = prove(venue=2)
    with reverts(governed.staking.WrongRoot):
        governed.staking.release(venue, proof, sender=alice)
    assert governed.staking.lockedBehind(alice, venue) == governed.params.venue_stake


def test_a_venue_that_leaves_lists_nothing_and_takes_no_stake(governed, venue, alice):
    staking, venues = governed.staking, governed.venue_registry
    with reverts(staking.VenueNotLeaving, venue=venue):
        staking.cancelRelease(venue, sender=alice)
    staking.requestRelease(venue, sender=alice)
    with reverts(staking.VenueLeaving, venue=venue):
        staking.requestRelease(venue, sender=alice)
    with reverts(venues.VenueNotBacked, venue=venue, backing=0, needed=governed.params.venue_stake):
        governed.listings.listSpot(TERMS | {"venue": venue}, sender=alice)
    with reverts(staking.VenueLeaving, venue=venue):
        venues.addStake(venue, 1, sender=alice)
    staking.cancelRelease(venue, sender=alice)
    assert tuple(staking.leavingOf(venue)) == (False, 0)
    receipt = venues.addStake(venue, 7, sender=alice)
    event = venues.StakeAdded.from_receipt(receipt)[0]
    assert (event.amount, event.stake) == (7, governed.params.venue_stake + 7)


def test_release_is_asked_for_first_and_by_who_has_stake_there(governed, venue, prove, alice, bob):
    staking = governed.staking
    proof = prove()
    with reverts(staking.VenueNotLeaving, venue=venue):
        staking.release(venue, proof, sender=alice)
    for name, arguments in (
        ("requestRelease", (venue,)),
        ("cancelRelease", (venue,)),
        ("release", (venue, proof)),
    ):
        with reverts(staking.NothingLocked, account=bob.address, venue=venue):
            getattr(staking, name)(*arguments, sender=bob)


@pytest.fixture
def handed_over(governed, venue, alice, bob):
    """The venue is bob's; alice still has stake behind it."""
    stake_for_venues(governed, bob)
    governed.venue_registry.offerVenue(venue, bob, sender=alice)
    governed.venue_registry.acceptVenue(venue, sender=bob)
    return venue


def test_who_handed_a_venue_over_stops_nothing_on_it(governed, handed_over, alice, bob):
    """Else it could keep its successor from listing for ever, at no cost."""
    staking, venue, stake = governed.staking, handed_over, governed.params.venue_stake
    staking.requestRelease(venue, sender=alice)
    assert tuple(staking.leavingOf(venue)) == (False, 0)
    assert staking.backingOf(venue) == 2 * stake
    governed.venue_registry.requireLister(venue, bob)
    stake_for_venues(governed, bob)
    governed.venue_registry.addStake(venue, 1, sender=bob)
    with reverts(staking.VenueLeaving, venue=venue):
        staking.requestRelease(venue, sender=alice)


def test_nor_does_it_call_back_what_its_successor_asked_for(governed, handed_over, alice, bob):
    staking, venue = governed.staking, handed_over
    staking.requestRelease(venue, sender=bob)
    with reverts(staking.VenueNotLeaving, venue=venue):
        staking.cancelRelease(venue, sender=alice)
    assert staking.leavingOf(venue)[0]


def test_who_handed_a_venue_over_gets_its_own_stake_when_the_venue_is_empty(
    governed, handed_over, prove, alice, bob
):
    staking, venue, stake = governed.staking, handed_over, governed.params.venue_stake
    early = prove()
    with reverts(staking.VenueNotLeaving, venue=venue):
        staking.release(venue, early, sender=alice)
    staking.requestRelease(venue, sender=alice)
    staking.cancelRelease(venue, sender=alice)
    with reverts(staking.VenueNotLeaving, venue=venue):
        staking.release(venue, early, sender=alice)
    staking.requestRelease(venue, sender=alice)
    proof = prove()
    with reverts(staking.VenueNotLeaving, venue=venue):
        staking.release(venue, proof, sender=bob)  # what alice asked for is alice's
    staking.release(venue, proof, sender=alice)
    assert (staking.lockedBehind(alice, venue), staking.stakeOf(venue)) == (0, stake)
    assert staking.backingOf(venue) == stake
    assert staking.requestOf(alice, 1).isReleased


def test_all_stake_of_a_venue_that_leaves_can_go(governed, handed_over, prove, alice, bob):
    staking, venue = governed.staking, handed_over
    staking.requestRelease(venue, sender=bob)
    proof = prove()
    for staker in (alice, bob):
        staking.release(venue, proof, sender=staker)
    assert staking.stakeOf(venue) == 0


def test_a_venue_slashed_below_its_stake_lists_nothing(governed, venue, alice):
    staking, stake = governed.staking, governed.params.venue_stake
    staking.openCase(CASE, alice, sender=governed.court)
    staking.slash(CASE, venue, 1, governed.deployer, sender=governed.court)
    with reverts(
        governed.venue_registry.VenueNotBacked, venue=venue, backing=stake - 1, needed=stake
    ):
        governed.listings.listSpot(TERMS | {"venue": venue}, sender=alice)


def test_only_the_deployer_adds_stake_to_a_venue(governed, venue, alice, bob):
    with reverts(governed.venue_registry.NotDeployer, caller=bob.address, deployer=alice.address):
        governed.venue_registry.addStake(venue, 1, sender=bob)


# --- cases and slashing


def test_a_slash_takes_from_lock_then_unbonding_newest_first_then_free(
    bare, registry, court, alice, bob
):
    bare.stake(sender=alice, value=100)
    bare.lock(alice, 1, 10, sender=registry)
    bare.lock(alice, 2, 20, sender=registry)
    bare.requestUnbond(5, sender=alice)
    bare.requestUnbond(6, sender=alice)
    bare.openCase(CASE, alice, sender=court)

    assert bare.slash(CASE, 1, 4, bob, sender=court).return_value == 4
    assert (buckets(bare, alice), bare.stakeOf(1)) == ((59, 26, 11), 6)
    receipt = bare.slash(CASE, 1, 15, bob, sender=court)
    event = bare.Slashed.from_receipt(receipt)[0]
    assert (event.fromLocked, event.fromUnbonding, event.fromFree) == (6, 9, 0)
    assert [(r.id, r.amount) for r in bare.requestsOf(alice)] == [(1, 2)]
    receipt = bare.slash(CASE, 1, 1000, bob, sender=court)
    event = bare.Slashed.from_receipt(receipt)[0]
    assert (event.fromLocked, event.fromUnbonding, event.fromFree) == (0, 2, 59)
    assert receipt.return_value == 61  # never what stands behind venue 2
    assert (buckets(bare, alice), bare.stakeOf(2)) == ((0, 20, 0), 20)
    assert (bare.totalStaked(), bare.totalOwed(), bare.owedTo(bob)) == (20, 80, 80)
    assert bare.getVotes(alice) == 20
    assert bare.slash(CASE, 1, 1, bob, sender=court).return_value == 0


def test_what_was_slashed_is_collected_once(bare, court, alice, bob):
    bare.stake(sender=alice, value=10)
    bare.openCase(CASE, alice, sender=court)
    bare.slash(CASE, 1, 4, bob, sender=court)
    before = bob.balance
    bare.collect(bob, sender=alice)
    assert bob.balance == before + 4
    assert (bare.balance, bare.totalStaked(), bare.totalOwed()) == (6, 6, 0)
    with reverts(bare.NothingOwed, account=bob.address):
        bare.collect(bob, sender=alice)


def test_who_refuses_what_it_is_owed_hurts_only_itself(bare, court, alice, bob, project):
    wallet = alice.deploy(project.HostileRecipient)
    wallet.refuse(sender=alice)
    bare.stake(sender=alice, value=10)
    bare.openCase(CASE, alice, sender=court)
    bare.slash(CASE, 1, 4, wallet, sender=court)
    bare.slash(CASE, 1, 4, bob, sender=court)
    with reverts(bare.TransferFailed, to=wallet.address, amount=4):
        bare.collect(wallet, sender=alice)
    bare.collect(bob, sender=alice)
    wallet.accept(sender=alice)
    bare.collect(wallet, sender=alice)
    assert wallet.balance == 4


def test_nobody_but_the_court_opens_closes_or_slashes(bare, court, alice, bob):
    bare.stake(sender=alice, value=10)
    bare.openCase(CASE, alice, sender=court)
    for name, arguments in (
        ("openCase", (OTHER_CASE, alice)),
        ("closeCase", (CASE,)),
        ("slash", (CASE, 1, 1, bob)),
    ):
        with reverts(bare.NotCourt, caller=bob.address, court=court.address):
            getattr(bare, name)(*arguments, sender=bob)


def test_a_zone_without_a_court_slashes_nobody(zone, staking, alice, accounts):
    assert staking.court() == NOBODY
    staking.stake(sender=alice, value=10)
    for account in (accounts[0], alice, accounts[19]):
        call = staking.openCase.encode_input(CASE, alice)
        assert error_of(staking, call, account) is not None


def test_a_case_is_opened_once_and_for_somebody(bare, court, alice):
    bare.openCase(CASE, alice, sender=court)
    with reverts(bare.CaseExists, caseId=CASE):
        bare.openCase(CASE, alice, sender=court)
    bare.closeCase(CASE, sender=court)
    with reverts(bare.CaseExists, caseId=CASE):
        bare.openCase(CASE, alice, sender=court)
    with reverts(bare.ZeroAddress):
        bare.openCase(OTHER_CASE, NOBODY, sender=court)
    with reverts(bare.UnknownCase, caseId=OTHER_CASE):
        bare.closeCase(OTHER_CASE, sender=court)
    with reverts(bare.UnknownCase, caseId=OTHER_CASE):
        bare.slash(OTHER_CASE, 1, 1, alice, sender=court)


def test_a_closed_case_slashes_nothing(bare, court, alice, bob):
    bare.stake(sender=alice, value=10)
    bare.openCase(CASE, alice, sender=court)
    with reverts(bare.ZeroAddress):
        bare.slash(CASE, 1, 1, NOBODY, sender=court)
    bare.closeCase(CASE, sender=court)
    assert bare.caseOf(CASE).isClosed
    for name, arguments in (("closeCase", (CASE,)), ("slash", (CASE, 1, 1, bob))):
        with reverts(bare.CaseOver, caseId=CASE):
            getattr(bare, name)(*arguments, sender=court)
    with reverts(bare.CaseOver, caseId=CASE):
        bare.lapseCase(CASE, sender=alice)


def test_a_case_lapses_and_then_slashes_nothing(bare, court, alice, bob, params, clock):
    bare.stake(sender=alice, value=10)
    opened = bare.openCase(CASE, alice, sender=court)
    with reverts(
        bare.CaseRunning,
        untilTime=opened.timestamp + params.case_seconds,
        untilBlock=opened.block_number + params.case_blocks,
    ):
        bare.lapseCase(CASE, sender=bob)
    clock.pass_both(params.case_seconds, params.case_blocks)
    with reverts(bare.CaseOver, caseId=CASE):
        bare.slash(CASE, 1, 1, bob, sender=court)
    receipt = bare.lapseCase(CASE, sender=bob)
    assert bare.CaseClosed.from_receipt(receipt)[0].isLapsed
    assert bare.openCasesOf(alice) == 0


def test_a_slashing_race_on_the_last_day_of_unbonding(
    zone, bare, court, alice, bob, asserter, params, clock
):
    """Accused a second before the stake would go, twice, with one verdict and one acquittal."""
    bare.stake(sender=alice, value=100)
    bare.requestUnbond(60, sender=alice)
    zone.bond(asserter)
    zone.finalized(asserter, "the state of the crime")
    bare.noteFinality(sender=alice)
    clock.pass_both(params.unbonding_seconds - 100, params.unbonding_blocks)
    first = bare.openCase(CASE, alice, sender=court)
    until = bare.unbondingStateOf(alice, 1)
    pass_unbonding(clock, params)
    with reverts(bare.CaseOpen, account=alice.address, openCases=1):
        bare.withdraw(1, sender=alice)
    # The case has used up its own time: it lapses, and a second one was opened just before.
    second = bare.openCase(OTHER_CASE, alice, sender=court)
    bare.lapseCase(CASE, sender=alice)
    with reverts(bare.CaseOpen, account=alice.address, openCases=1):
        bare.withdraw(1, sender=alice)
    bare.slash(OTHER_CASE, 1, 50, bob, sender=court)
    closed = bare.closeCase(OTHER_CASE, sender=court)
    assert second.block_number > first.block_number
    # Both cases together stopped the clock from the first's opening to the second's end.
    state = bare.unbondingStateOf(alice, 1)
    assert state.untilTime == until.untilTime + closed.timestamp - first.timestamp
    assert state.untilBlock == until.untilBlock + closed.block_number - first.block_number
    with reverts(bare.UnbondingRunning):
        bare.withdraw(1, sender=alice)
    clock.pass_both(100, 2)
    before = alice.balance
    receipt = bare.withdraw(1, sender=alice)
    assert alice.balance == before + 10 - receipt.total_fees_paid
    assert (bare.totalStaked(), bare.owedTo(bob), bare.balance) == (40, 50, 90)


def test_a_case_before_a_request_costs_it_no_time(zone, bare, court, alice, asserter, clock):
    bare.stake(sender=alice, value=10)
    bare.openCase(CASE, alice, sender=court)
    clock.pass_time(1000)
    bare.requestUnbond(1, sender=alice)
    clock.pass_time(500)
    bare.closeCase(CASE, sender=court)
    bare.requestUnbond(1, sender=alice)
    zone.bond(asserter)
    zone.finalized(asserter, "later")
    bare.noteFinality(sender=alice)
    during, after = (bare.unbondingStateOf(alice, n).untilTime for n in (1, 2))
    assert 500 <= during - after <= 510


def test_a_case_against_one_account_stops_no_other(zone, bare, court, alice, bob, asserter):
    bare.stake(sender=alice, value=10)
    bare.stake(sender=bob, value=10)
    bare.requestUnbond(10, sender=bob)
    bare.openCase(CASE, alice, sender=court)
    finish_unbonding(zone, bare, asserter)
    bare.withdraw(1, sender=bob)
    assert buckets(bare, bob) == (0, 0, 0)


# --- construction


def test_partners_are_somebody_and_unbonding_covers_a_case(
    zone, deployer, project, registry, court, params
):
    vault = zone.staking
    short = "UnbondingTooShort(uint64,uint64)"
    for arguments, expected in (
        ((NOBODY, zone.chain, court, 1, 1, 1, 1), error_data("ZeroAddress()")),
        ((registry, NOBODY, court, 1, 1, 1, 1), error_data("ZeroAddress()")),
        ((registry, zone.chain, court, 10, 9, 11, 9), error_data(short, 10, 11)),
        ((registry, zone.chain, court, 10, 9, 10, 10), error_data(short, 9, 10)),
        ((registry, zone.chain, court, 0, 9, 0, 0), error_data(short, 0, 0)),
    ):
        found = constructor_error(deployer, project.StakingVault, *arguments)
        assert found == expected, arguments
    assert vault.unbondingSeconds() == params.unbonding_seconds
    assert vault.caseSeconds() == params.case_seconds
