"""Staked coin: three buckets, unbonding by time and blocks, locks by the venue registry only."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.contracts.driver import OKB, error_of, isolated, reverts, tries

ZERO = "0x" + "00" * 20


@pytest.fixture
def staking(zone):
    return zone.staking


@pytest.fixture
def bare(deployer, project, accounts, params):
    """A staking vault for which the tests play the venue registry."""
    return deployer.deploy(
        project.StakingVault, accounts[18], params.unbonding_seconds, params.unbonding_blocks
    )


@pytest.fixture
def registry(accounts):
    return accounts[18]


def buckets(staking, account):
    return staking.freeOf(account), staking.lockedOf(account), staking.unbondingOf(account)


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
        staking.stakeFor(ZERO, sender=alice, value=1)


def test_free_stake_comes_back_after_time_and_blocks(staking, alice, params, clock, chain):
    staking.stake(sender=alice, value=OKB)
    receipt = staking.requestUnbond(OKB // 4, sender=alice)
    assert receipt.return_value == 1
    assert buckets(staking, alice) == (OKB - OKB // 4, 0, OKB // 4)
    until = {
        "untilTime": receipt.timestamp + params.unbonding_seconds,
        "untilBlock": receipt.block_number + params.unbonding_blocks,
    }
    with isolated(chain):
        clock.pass_time(10 * params.unbonding_seconds)
        with reverts(staking.UnbondingRunning, **until):
            staking.withdraw(1, sender=alice)
    with isolated(chain):
        clock.pass_blocks(10 * params.unbonding_blocks)
        with reverts(staking.UnbondingRunning, **until):
            staking.withdraw(1, sender=alice)
    clock.pass_both(params.unbonding_seconds, params.unbonding_blocks)
    before = alice.balance
    receipt = staking.withdraw(1, sender=alice)
    assert alice.balance == before + OKB // 4 - receipt.total_fees_paid
    assert buckets(staking, alice) == (OKB - OKB // 4, 0, 0)
    assert staking.totalStaked() == OKB - OKB // 4
    with reverts(staking.UnknownRequest, account=alice.address, requestId=1):
        staking.withdraw(1, sender=alice)


def test_each_request_has_its_own_clock(staking, alice, params, clock):
    staking.stake(sender=alice, value=OKB)
    staking.requestUnbond(1, sender=alice)
    clock.pass_both(params.unbonding_seconds, params.unbonding_blocks)
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
    with reverts(staking.UnknownRequest, account=alice.address, requestId=1):
        staking.cancelUnbond(1, sender=alice)
    with reverts(staking.UnknownRequest, account=alice.address, requestId=1):
        staking.withdraw(1, sender=alice)


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


def test_only_the_venue_registry_locks(bare, registry, alice):
    bare.stake(sender=alice, value=10)
    with reverts(bare.NotVenueRegistry, caller=alice.address, venueRegistry=registry.address):
        bare.lock(alice, 1, 5, sender=alice)
    receipt = bare.lock(alice, 1, 6, sender=registry)
    assert buckets(bare, alice) == (4, 6, 0)
    assert bare.stakeOf(1) == 6
    event = bare.Locked.from_receipt(receipt)[0]
    assert (event.venue, event.amount, event.freeBefore, event.free) == (1, 6, 10, 4)
    with reverts(bare.InsufficientFree, account=alice.address, asked=5, free=4):
        bare.lock(alice, 1, 5, sender=registry)


def test_locked_stake_is_not_unbonded(bare, registry, alice):
    bare.stake(sender=alice, value=10)
    bare.lock(alice, 1, 10, sender=registry)
    with reverts(bare.InsufficientFree, account=alice.address, asked=1, free=0):
        bare.requestUnbond(1, sender=alice)


def test_forced_coin_changes_nothing(staking, alice, clock):
    staking.stake(sender=alice, value=10)
    clock.force_coin(staking, OKB)
    assert staking.totalStaked() == 10
    assert buckets(staking, alice) == (10, 0, 0)


def test_a_withdrawal_is_paid_once_even_to_a_contract_that_calls_back(
    staking, alice, bob, project, params, clock
):
    wallet = alice.deploy(project.HostileRecipient)
    staking.stake(sender=bob, value=10)  # somebody else's stake is there to be stolen
    staking.stakeFor(wallet, sender=alice, value=10)
    wallet.execute(staking, staking.requestUnbond.encode_input(10), sender=alice)
    clock.pass_both(params.unbonding_seconds, params.unbonding_blocks)
    withdraw = staking.withdraw.encode_input(1)
    wallet.call_back(staking, withdraw, sender=alice)
    wallet.execute(staking, withdraw, sender=alice)
    assert not wallet.is_success()
    assert (wallet.balance, staking.balance, staking.totalStaked()) == (10, 10, 10)


def test_stake_that_cannot_be_paid_stays(staking, alice, project, params, clock):
    wallet = alice.deploy(project.HostileRecipient)
    staking.stakeFor(wallet, sender=alice, value=10)
    wallet.execute(staking, staking.requestUnbond.encode_input(10), sender=alice)
    clock.pass_both(params.unbonding_seconds, params.unbonding_blocks)
    wallet.refuse(sender=alice)
    with reverts(staking.TransferFailed, to=wallet.address, amount=10):
        wallet.execute(staking, staking.withdraw.encode_input(1), sender=alice)
    assert buckets(staking, wallet) == (0, 0, 10)


def test_the_venue_registry_is_somebody(staking, deployer, project):
    with reverts(staking.ZeroAddress):
        deployer.deploy(project.StakingVault, ZERO, 1, 1)


@pytest.mark.hypothesis
def test_buckets_always_sum_to_what_is_staked(bare, registry, accounts, params, clock, chain):  # noqa: C901 -- a machine and its model stay in one place
    """Any sequence of stakes, locks, requests, cancellations, withdrawals and forced coin."""
    users = [accounts[6], accounts[7]]
    snapshots = [chain.snapshot()]

    class Staking(RuleBasedStateMachine):
        who = st.integers(0, len(users) - 1)
        amount = st.integers(1, 1000)

        @initialize()
        def start(self):
            chain.restore(snapshots.pop())
            snapshots.append(chain.snapshot())
            self.free = [0, 0]
            self.locked = [0, 0]
            self.requests = [{}, {}]
            self.made = [0, 0]
            self.forced = 0

        @rule(who=who, amount=amount)
        def stake(self, who, amount):
            bare.stake(sender=users[who], value=amount)
            self.free[who] += amount

        @rule(who=who, amount=amount)
        def lock(self, who, amount):
            if amount > self.free[who]:
                call = bare.lock.encode_input(users[who], who + 1, amount)
                assert error_of(bare, call, registry) is not None
                return
            bare.lock(users[who], who + 1, amount, sender=registry)
            self.free[who] -= amount
            self.locked[who] += amount

        @rule(who=who, part=st.integers(1, 4))
        def request(self, who, part):
            amount = self.free[who] // part
            if amount == 0:
                return
            bare.requestUnbond(amount, sender=users[who])
            self.made[who] += 1
            self.free[who] -= amount
            self.requests[who][self.made[who]] = (amount, clock.time, clock.block)

        @precondition(lambda self: any(self.requests))
        @rule(data=st.data(), is_cancelled=st.booleans())
        def end_request(self, data, is_cancelled):
            who = data.draw(st.sampled_from([w for w in (0, 1) if self.requests[w]]))
            number = data.draw(st.sampled_from(sorted(self.requests[who])))
            amount, time, block = self.requests[who][number]
            if is_cancelled:
                bare.cancelUnbond(number, sender=users[who])
                self.free[who] += amount
            elif clock.time >= time + params.unbonding_seconds and (
                clock.block + 1 >= block + params.unbonding_blocks
            ):
                bare.withdraw(number, sender=users[who])
            else:
                call = bare.withdraw.encode_input(number)
                assert error_of(bare, call, users[who]) is not None
                return
            del self.requests[who][number]

        @rule()
        def wait(self):
            clock.pass_both(params.unbonding_seconds, params.unbonding_blocks)

        @rule(amount=amount)
        def force(self, amount):
            clock.force_coin(bare, amount)
            self.forced += amount

        @invariant()
        def every_wei_is_in_one_bucket(self):
            if not hasattr(self, "free"):
                return
            total = 0
            for who, user in enumerate(users):
                waiting = sum(amount for amount, _, _ in self.requests[who].values())
                assert buckets(bare, user) == (self.free[who], self.locked[who], waiting)
                assert bare.stakeOf(who + 1) == self.locked[who]
                total += self.free[who] + self.locked[who] + waiting
            assert bare.totalStaked() == total
            assert bare.balance == total + self.forced

    run_state_machine_as_test(
        Staking, settings=settings(max_examples=tries(8), stateful_step_count=14)
    )
