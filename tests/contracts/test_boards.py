"""Guardians and council: who supports what, what it does, and what it cannot do."""

import pytest

from scripts._deployment import NOBODY
from tests.contracts.driver import DAY, GWEI, OKB, constructor_error, error_data, reverts
from tests.contracts.governed import AGE, impersonate
from tests.contracts.markets import TERMS
from tradezone.protocol.hashing import keccak

REASON, OTHER = keccak(b"a reason"), keccak(b"another")
NONE, REDUCE_ONLY, CAP, SETTLE = range(4)
HOUR = 3600


@pytest.fixture
def guardians(accounts):
    return [accounts[i] for i in range(10, 17)]


@pytest.fixture
def council(accounts):
    return [accounts[i] for i in range(10, 19)]


@pytest.fixture
def ordinary(governed, chain):
    return impersonate(chain, governed.ordinary_timelock)


def together(members, function, *arguments):
    """Let members support an action; the last receipt."""
    return [function(*arguments, sender=member) for member in members][-1]


@pytest.fixture
def brake(governed):
    return governed.brake


# --- boards


def test_boards_are_those_that_were_given(governed, brake, guardians, council):
    assert brake.membersOf() == [account.address for account in guardians]
    assert governed.council.membersOf() == [account.address for account in council]
    assert (brake.threshold(), governed.council.threshold(), brake.term()) == (3, 5, 1)
    assert governed.council.cancelThreshold() == 7
    assert brake.isMember(guardians[0])
    assert not brake.isMember(council[8])


def test_only_members_support_and_each_once(brake, guardians, alice):
    with reverts(brake.NotMember, caller=alice.address):
        brake.pull(REASON, sender=alice)
    receipt = brake.pull(REASON, sender=guardians[0])
    action = brake.Supported.from_receipt(receipt)[0].action
    assert brake.supportersOf(action) == 1
    with reverts(brake.AlreadySupported, member=guardians[0].address):
        brake.pull(REASON, sender=guardians[0])


def test_support_is_for_one_action_with_its_arguments(brake, guardians):
    brake.pull(REASON, sender=guardians[0])
    brake.pull(REASON, sender=guardians[1])
    brake.pull(OTHER, sender=guardians[2])
    assert not brake.isClosed()
    brake.pull(REASON, sender=guardians[2])
    assert brake.isClosed()


def test_support_lapses_after_three_days(brake, guardians, clock):
    receipt = brake.pull(REASON, sender=guardians[0])
    action = brake.Supported.from_receipt(receipt)[0].action
    brake.pull(REASON, sender=guardians[1])
    assert brake.supportersOf(action) == 2
    clock.pass_time(3 * DAY + 1)
    assert brake.supportersOf(action) == 0
    brake.pull(REASON, sender=guardians[2])
    assert not brake.isClosed()
    together(guardians[:2], brake.pull, REASON)
    assert brake.isClosed()


def test_new_members_begin_anew(brake, guardians, ordinary, accounts):
    together(guardians[:2], brake.pull, REASON)
    members = [guardians[1], guardians[2], accounts[9]]
    receipt = brake.setMembers(members, 2, sender=ordinary)
    event = brake.MembersSet.from_receipt(receipt)[0]
    assert (event.term, event.threshold) == (2, 2)
    with reverts(brake.NotMember):
        brake.pull(REASON, sender=guardians[0])
    brake.pull(REASON, sender=guardians[2])
    assert not brake.isClosed()
    brake.pull(REASON, sender=accounts[9])
    assert brake.isClosed()


def test_members_are_set_by_the_ordinary_class_only(governed, brake, guardians, alice):
    for board in (brake, governed.council):
        for sender in (alice, governed.deployer, guardians[0]):
            with reverts(board.AccessManagedUnauthorized, caller=sender.address):
                board.setMembers([alice], 1, sender=sender)


def test_a_board_has_different_members_and_a_threshold_they_can_reach(
    governed, brake, ordinary, accounts
):
    some = [accounts[i] for i in range(6)]
    wrong = [
        (brake, [], 0),
        (brake, some, 7),
        (brake, some, 2),  # guardians: more than a third
        (brake, [*some, some[0]], 4),
        (brake, [*some, NOBODY], 4),
        (brake, [accounts[i % 20] for i in range(16)], 9),
        (governed.council, some, 3),  # council: more than half
    ]
    for board, members, threshold in wrong:
        with reverts(board.BadBoard, members=len(members), threshold=threshold):
            board.setMembers(members, threshold, sender=ordinary)
    brake.setMembers(some, 3, sender=ordinary)
    governed.council.setMembers(some, 4, sender=ordinary)


# --- the brake


def test_the_brake_closes_the_door_to_deposits_and_listings_and_nothing_else(
    governed, brake, guardians, alice, asserter
):
    vault, venues = governed.vault, governed.venue_registry
    vault.depositNative(alice, sender=alice, value=1000 * GWEI)
    governed.staking.stake(sender=alice, value=2 * governed.params.venue_stake)
    venues.createVenue("before", 0, sender=alice)
    receipt = together(guardians[:3], brake.pull, REASON)
    until = brake.Pulled.from_receipt(receipt)[0].closedUntil
    assert until == receipt.timestamp + 72 * HOUR == brake.closedUntil()
    with reverts(vault.DepositsClosed, until=until):
        vault.depositNative(alice, sender=alice, value=1000 * GWEI)
    with reverts(venues.ListingsClosed, until=until):
        venues.createVenue("after", 0, sender=alice)
    with reverts(venues.ListingsClosed, until=until):
        governed.listings.listSpot(TERMS, sender=alice)
    # Everything else goes on: stake, claims, registration, withdrawals.
    governed.staking.requestUnbond(1, sender=alice)
    governed.owner_registry.register(asserter, sender=asserter)
    governed.bond(asserter)
    governed.finalized(asserter, "closed or not")


def test_a_withdrawal_is_paid_while_the_door_is_closed(governed, brake, guardians, alice, asserter):
    from tests.contracts.driver import Outbox

    governed.vault.depositNative(alice, sender=alice, value=1000 * GWEI)
    governed.bond(asserter)
    outbox = Outbox()
    outbox.withdrawal(1, alice, asset=1, amount=7)
    claim = governed.finalized(asserter, outbox.root)
    together(guardians[:3], brake.pull, REASON)
    before = alice.balance
    governed.withdrawals.withdraw(claim, outbox.proof(1), sender=governed.deployer)
    assert alice.balance == before + 7 * GWEI


def test_tokens_are_refused_too(governed, brake, guardians, deployer, project, alice):
    token = alice.deploy(project.TestToken, "T", "T", 6)
    governed.asset_registry.registerAsset(
        token, 1, 10**15, sender=alice, value=governed.params.asset_bond
    )
    token.mint(alice, 100, sender=alice)
    token.approve(governed.vault, 100, sender=alice)
    governed.vault.deposit(2, 50, alice, sender=alice)
    together(guardians[:3], brake.pull, REASON)
    with reverts(governed.vault.DepositsClosed):
        governed.vault.deposit(2, 50, alice, sender=alice)


def test_the_door_opens_by_itself(governed, brake, guardians, alice, clock):
    together(guardians[:3], brake.pull, REASON)
    clock.pass_time(72 * HOUR - 60)
    assert brake.isClosed()
    clock.pass_time(60)
    assert not brake.isClosed()
    governed.vault.depositNative(alice, sender=alice, value=1000 * GWEI)


def test_guardians_open_the_door_early(governed, brake, guardians, alice):
    with reverts(brake.DoorOpen):
        brake.release(REASON, sender=guardians[0])
    together(guardians[:3], brake.pull, REASON)
    receipt = together(guardians[4:7], brake.release, OTHER)
    assert brake.Opened.from_receipt(receipt)[0].reason == OTHER
    assert not brake.isClosed()
    assert not brake.isArmed()
    governed.vault.depositNative(alice, sender=alice, value=1000 * GWEI)


def test_the_brake_is_armed_by_the_ordinary_class_and_only_when_open(
    brake, guardians, ordinary, clock, alice
):
    with reverts(brake.AlreadyArmed):
        brake.arm(sender=ordinary)
    together(guardians[:3], brake.pull, REASON)
    with reverts(brake.DoorClosed, until=brake.closedUntil()):
        brake.arm(sender=ordinary)
    clock.pass_time(72 * HOUR)
    with reverts(brake.AccessManagedUnauthorized, caller=alice.address):
        brake.arm(sender=alice)
    receipt = brake.arm(sender=ordinary)
    assert brake.Armed.from_receipt(receipt)
    together(guardians[:3], brake.pull, REASON)
    assert brake.isClosed()


@pytest.mark.parametrize("seconds", [0, 72 * HOUR + 1])
def test_no_brake_closes_for_longer_than_three_days(governed, deployer, project, accounts, seconds):
    arguments = (project.GuardianBrake, governed.authority, [accounts[1]], 1)
    assert constructor_error(deployer, *arguments, 72 * HOUR) is None
    found = constructor_error(deployer, *arguments, seconds)
    assert found == error_data("BadCloseSeconds(uint64,uint64)", seconds, 72 * HOUR)


# --- the council


@pytest.fixture
def market(governed, alice, project):
    """A market, the first."""
    return list_market(governed, alice, project)


def list_market(zone, deployer, project):
    """Open a venue with one market on a zone where there is none."""
    token = deployer.deploy(project.TestToken, "T", "T", 6)
    for quantum in (1, 10):
        zone.asset_registry.registerAsset(
            token, quantum, 10**14, sender=deployer, value=zone.params.asset_bond
        )
    zone.staking.stake(sender=deployer, value=zone.params.venue_stake)
    zone.venue_registry.createVenue("venue", 0, sender=deployer)
    return zone.listings.listSpot(TERMS, sender=deployer).return_value


@pytest.fixture
def declared(governed, market, council):
    """A market that is reduce-only after the notice."""
    return together(council[:5], governed.council.declare, market, REDUCE_ONLY, 0, REASON)


def test_a_measure_starts_after_an_hour_and_ends_after_a_week(governed, market, declared, clock):
    board = governed.council
    event = board.Declared.from_receipt(declared)[0]
    assert event.startsAt == declared.timestamp + HOUR
    assert event.endsAt == event.startsAt + 7 * DAY
    assert tuple(board.inForce(market)) == (NONE, 0)
    clock.pass_time(HOUR)
    assert tuple(board.inForce(market)) == (REDUCE_ONLY, 0)
    clock.pass_time(7 * DAY)
    assert tuple(board.inForce(market)) == (NONE, 0)


def test_a_market_rests_after_a_measure(governed, market, declared, council, clock):
    board = governed.council
    ends = board.emergencyOf(market).endsAt
    for wait in (0, 7 * DAY + HOUR, 7 * DAY - 100):
        clock.pass_time(wait)
        with reverts(board.MarketBusy, market=market, until=ends + 7 * DAY):
            board.declare(market, CAP, 5, REASON, sender=council[0])
    clock.pass_time(200)
    together(council[:5], board.declare, market, CAP, 5, REASON)
    clock.pass_time(HOUR)
    assert tuple(board.inForce(market)) == (CAP, 5)


def test_settlement_may_follow_a_measure_and_nothing_follows_it(
    governed, market, declared, council, clock
):
    board = governed.council
    together(council[:5], board.declare, market, SETTLE, 0, OTHER)
    assert board.emergencyOf(market).endsAt == 2**64 - 1
    clock.pass_time(HOUR)
    assert tuple(board.inForce(market)) == (SETTLE, 0)
    with reverts(board.NoMeasure, market=market):
        board.lift(market, REASON, sender=council[0])
    clock.pass_time(100 * DAY)
    for measure, value in ((REDUCE_ONLY, 0), (SETTLE, 0)):
        with reverts(board.MarketBusy):
            board.declare(market, measure, value, REASON, sender=council[0])


def test_settlement_can_be_called_off_during_the_notice(governed, market, council, clock):
    board = governed.council
    together(council[:5], board.declare, market, SETTLE, 0, REASON)
    together(council[4:], board.lift, market, OTHER)
    clock.pass_time(HOUR)
    assert tuple(board.inForce(market)) == (NONE, 0)


def test_only_measures_on_the_list_are_declared(governed, market, council):
    board = governed.council
    for measure, value in ((NONE, 0), (CAP, 0), (REDUCE_ONLY, 5), (SETTLE, 123)):
        with reverts(board.BadMeasure, measure=measure, value=value):
            board.declare(market, measure, value, REASON, sender=council[0])
    for unknown in (0, market + 1):
        with reverts(board.UnknownMarket, market=unknown, markets=market):
            board.declare(unknown, REDUCE_ONLY, 0, REASON, sender=council[0])


def test_the_council_lifts_a_measure(governed, market, declared, council, clock):
    board = governed.council
    clock.pass_time(HOUR)
    receipt = together(council[:5], board.lift, market, OTHER)
    event = board.Lifted.from_receipt(receipt)[0]
    assert (event.measure, event.reason) == (REDUCE_ONLY, OTHER)
    assert tuple(board.inForce(market)) == (NONE, 0)
    with reverts(board.NoMeasure, market=market):
        board.lift(market, OTHER, sender=council[0])
    with reverts(board.MarketBusy):  # and leaves the market alone
        board.declare(market, REDUCE_ONLY, 0, REASON, sender=council[0])


def test_support_for_lifting_one_measure_lifts_no_later_one(
    governed, market, declared, council, clock
):
    board = governed.council
    together(council[:4], board.lift, market, OTHER)
    clock.pass_time(1)
    together(council[:5], board.declare, market, SETTLE, 0, REASON)
    board.lift(market, OTHER, sender=council[4])
    assert board.emergencyOf(market).measure == SETTLE


def test_stakers_end_a_measure_with_five_percent(governed, market, council, alice, bob, carol):
    board = governed.council
    for account, okb in ((alice, 90), (bob, 4), (carol, 6)):
        governed.stake(account, okb)
    governed.grow_old()
    together(council[:5], board.declare, market, REDUCE_ONLY, 0, REASON)
    receipt = board.object(market, sender=bob)
    event = board.Objected.from_receipt(receipt)[0]
    assert event.weight == event.objections == 4 * OKB
    with reverts(board.AlreadyObjected, market=market, account=bob.address):
        board.object(market, sender=bob)
    assert board.emergencyOf(market).measure == REDUCE_ONLY
    receipt = board.object(market, sender=carol)
    assert board.Lifted.from_receipt(receipt)[0].measure == REDUCE_ONLY
    with reverts(board.NoMeasure, market=market):
        board.object(market, sender=alice)


def test_young_stake_does_not_object(governed, market, council, alice, bob):
    governed.stake(alice, 10)
    governed.grow_old()
    governed.stake(bob, 1000)
    governed.clock.pass_time(AGE - 100)
    together(council[:5], governed.council.declare, market, REDUCE_ONLY, 0, REASON)
    with reverts(governed.council.NoWeight, account=bob.address):
        governed.council.object(market, sender=bob)


def test_a_relay_is_told_of_measures(governed, deployer, project, market, accounts):
    relay = deployer.deploy(project.PuppetRelay)
    board = deployer.deploy(
        project.EmergencyCouncil,
        governed.authority,
        [accounts[1]],
        1,
        governed.staking,
        governed.limits,
        governed.venue_registry,
        relay,
    )
    receipt = board.declare(market, CAP, 9, REASON, sender=accounts[1])
    starts = receipt.timestamp + HOUR
    assert tuple(relay.lastMeasure()) == (market, CAP, 9, starts, starts + 7 * DAY)
    receipt = board.lift(market, REASON, sender=accounts[1])
    assert tuple(relay.lastMeasure()) == (market, NONE, 0, starts, receipt.timestamp)
