"""Votes of staked coin: clock, delegation, age, and what moves them."""

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from scripts._deployment import NOBODY
from tests.contracts.driver import DAY, OKB, reverts
from tests.contracts.governed import AGE
from tradezone.protocol.hashing import keccak

CASE = keccak(b"a case")


@pytest.fixture
def staking(governed):
    return governed.staking


def delegate(staking, account, to):
    # By name: an Ape contract has an attribute `delegate` of its own.
    return staking.invoke_transaction("delegate", to, sender=account)


def aged(governed, account, timepoint=None):
    if timepoint is None:
        governed.clock.pass_time(1)
        timepoint = governed.clock.time - 1
    return governed.staking.agedVotes(account, timepoint, AGE)


def test_the_clock_is_in_seconds(staking, clock):
    assert staking.clock() == clock.time
    assert staking.CLOCK_MODE() == "mode=timestamp"


def test_an_account_votes_with_its_own_stake_without_being_asked(staking, alice):
    staking.stake(sender=alice, value=10)
    assert staking.delegates(alice) == alice
    assert staking.getVotes(alice) == 10


def test_free_and_locked_stake_votes_and_unbonding_does_not(governed, staking, alice):
    stake = governed.params.venue_stake
    staking.stake(sender=alice, value=stake + 10)
    governed.venue_registry.createVenue("voting", 0, sender=alice)
    assert staking.getVotes(alice) == stake + 10
    staking.requestUnbond(4, sender=alice)
    assert staking.getVotes(alice) == stake + 6
    staking.cancelUnbond(1, sender=alice)
    assert staking.getVotes(alice) == stake + 10


def test_delegated_votes_follow_every_change_of_stake(staking, alice, bob, clock):
    staking.stake(sender=alice, value=10)
    delegate(staking, alice, bob)
    assert (staking.getVotes(alice), staking.getVotes(bob)) == (0, 10)
    staking.stake(sender=alice, value=5)
    staking.requestUnbond(3, sender=alice)
    assert staking.getVotes(bob) == 12
    clock.pass_time(1)
    assert staking.getPastTotalSupply(clock.time - 1) == 12


def test_delegating_to_nobody_is_taking_the_votes_back(staking, alice, bob):
    staking.stake(sender=alice, value=10)
    delegate(staking, alice, bob)
    delegate(staking, alice, NOBODY)
    assert staking.delegates(alice) == alice
    assert (staking.getVotes(alice), staking.getVotes(bob)) == (10, 0)
    staking.requestUnbond(10, sender=alice)
    assert staking.getVotes(alice) == 0


def test_delegation_loops_count_every_coin_once(governed, staking, alice, bob, carol):
    for account, amount in ((alice, 1), (bob, 10), (carol, 100)):
        staking.stake(sender=account, value=amount)
    for account, to in ((alice, bob), (bob, carol), (carol, alice)):
        delegate(staking, account, to)
    assert [staking.getVotes(a) for a in (alice, bob, carol)] == [100, 1, 10]
    governed.grow_old()
    assert sum(aged(governed, a) for a in (alice, bob, carol)) == 111
    delegate(staking, alice, staking.address)  # the vault itself can be a delegate: it never votes
    assert staking.getVotes(bob) == 0


def test_votes_are_as_old_as_the_stake(governed, staking, alice, clock):
    staking.stake(sender=alice, value=10)
    clock.pass_time(AGE - 100)
    assert aged(governed, alice) == 0
    staking.stake(sender=alice, value=5)
    clock.pass_time(100)
    assert aged(governed, alice) == 10
    clock.pass_time(AGE)
    assert aged(governed, alice) == 15


def test_a_new_delegate_has_young_votes(governed, staking, alice, bob):
    staking.stake(sender=alice, value=10)
    governed.grow_old()
    delegate(staking, alice, bob)
    assert (aged(governed, alice), aged(governed, bob)) == (0, 0)
    governed.grow_old()
    assert (aged(governed, alice), aged(governed, bob)) == (0, 10)


def test_stake_that_was_called_back_is_young_again(governed, staking, alice):
    staking.stake(sender=alice, value=10)
    governed.grow_old()
    staking.requestUnbond(4, sender=alice)
    governed.clock.pass_time(AGE)
    staking.cancelUnbond(1, sender=alice)
    assert staking.getVotes(alice) == 10
    assert aged(governed, alice) == 6
    governed.grow_old()
    assert aged(governed, alice) == 10


def test_only_the_past_can_be_asked_about(staking, alice, clock):
    staking.stake(sender=alice, value=10)
    with reverts(staking.ERC5805FutureLookup):
        staking.getPastVotes(alice, clock.time + 100)
    with reverts(staking.ERC5805FutureLookup):
        staking.agedVotes(alice, clock.time + 100, AGE)
    assert staking.agedVotes(alice, AGE - 1, AGE) == 0
    assert staking.agedTotal(AGE - 1, AGE) == 0


def test_an_accusation_silences_nobody_and_a_slash_takes_votes(governed, staking, alice, bob):
    staking.stake(sender=alice, value=10)
    delegate(staking, alice, bob)
    staking.openCase(CASE, alice, sender=governed.court)
    assert staking.getVotes(bob) == 10
    staking.slash(CASE, 1, 4, governed.deployer, sender=governed.court)
    assert staking.getVotes(bob) == 6


def test_a_slash_of_unbonding_stake_takes_no_votes_again(governed, staking, alice):
    staking.stake(sender=alice, value=10)
    staking.requestUnbond(6, sender=alice)
    staking.openCase(CASE, alice, sender=governed.court)
    staking.slash(CASE, 1, 5, governed.deployer, sender=governed.court)
    assert staking.getVotes(alice) == 4
    staking.cancelUnbond(1, sender=alice)
    assert staking.getVotes(alice) == 5


def test_delegation_can_be_signed(staking, bob, alice, chain, clock):
    signer = Account.create()
    staking.stakeFor(signer.address, sender=alice, value=10)
    domain = {
        "name": "StakingVault",
        "version": "1",
        "chainId": chain.chain_id,
        "verifyingContract": staking.address,
    }
    types = {
        "Delegation": [
            {"name": "delegatee", "type": "address"},
            {"name": "nonce", "type": "uint256"},
            {"name": "expiry", "type": "uint256"},
        ]
    }
    expiry = clock.time + DAY
    message = {"delegatee": bob.address, "nonce": 0, "expiry": expiry}
    signed = signer.sign_message(encode_typed_data(domain, types, message))
    r, s = (value.to_bytes(32, "big") for value in (signed.r, signed.s))
    staking.delegateBySig(bob, 0, expiry, signed.v, r, s, sender=alice)
    assert staking.getVotes(bob) == 10
    with reverts(staking.InvalidAccountNonce):
        staking.delegateBySig(bob, 0, expiry, signed.v, r, s, sender=alice)


def test_all_together_vote_as_much_as_is_free_or_locked(governed, staking, alice, bob):
    staking.stake(sender=alice, value=2 * OKB)
    staking.stake(sender=bob, value=3 * OKB)
    staking.requestUnbond(OKB, sender=bob)
    governed.grow_old()
    governed.clock.pass_time(1)
    assert staking.agedTotal(governed.clock.time - 1, AGE) == 4 * OKB
