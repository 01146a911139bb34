"""Whose turn it is to order inputs: takeovers, rotations, and what nobody can do with them."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from scripts._deployment import NOBODY
from tests.contracts.driver import DAY, OKB, error_of, isolated, reverts
from tests.contracts.epochs import commit, heartbeat, join_all, pass_open, pass_periods, take_over
from tests.contracts.register_desk import consent, join, two_heads

GENESIS, TAKEN_OVER, ROTATED = range(3)


@pytest.fixture
def operators(trust, accounts):
    """The sequencer and three standbys, in this order."""
    found = [trust.sequencer, *accounts[3:6]]
    join_all(trust, *found)
    return found


@pytest.fixture
def running(trust, operators):
    """A zone with standbys and one batch."""
    commit(trust, trust.sequencer)
    return trust


def addresses(*accounts):
    return [account.address for account in accounts]


def opens_at(zone, account):
    found = zone.sequencers.opensAt(account, heartbeat(zone))
    return tuple(found)


# --- reading


def test_epoch_1_is_the_key_of_the_deployment(zone):
    assert zone.sequencers.currentEpoch() == 1
    assert zone.sequencers.sequencerOf(1) == zone.sequencer
    assert zone.sequencers.operator() == zone.sequencer
    assert zone.sequencers.sequencerOf(0) == NOBODY
    assert zone.sequencers.sequencerOf(2) == NOBODY
    found = zone.sequencers.epochOf(1)
    assert (found.key, found.account, found.firstBatch) == (zone.sequencer, NOBODY, 1)
    assert 0 < found.time <= zone.clock.time
    assert zone.sequencers.epochOf(2).key == NOBODY


def test_standbys_stand_behind_the_operator_and_then_before_it(running, operators):
    first, second, third, fourth = operators
    assert running.sequencers.isBonded()
    assert running.sequencers.standbys() == addresses(second, third, fourth)
    pass_periods(running, 1)
    take_over(running, second)
    assert running.sequencers.standbys() == addresses(third, fourth, first)
    running.sequencer_register.leave(sender=second)
    assert not running.sequencers.isBonded()
    assert running.sequencers.standbys() == addresses(first, third, fourth)


def test_a_zone_without_a_register_has_no_standbys(zone, alice):
    assert zone.sequencers.standbys() == []
    assert not zone.sequencers.isBonded()
    with reverts(zone.sequencers.NoStandbys):
        zone.sequencers.takeOver(0, sender=alice)
    with reverts(zone.sequencers.NoStandbys):
        zone.sequencers.opensAt(alice, 0)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("chain", NOBODY),
        ("operator", NOBODY),
        ("takeoverSeconds", 0),
        ("takeoverBlocks", 0),
        ("openSeconds", 9),
        ("openBlocks", 4),
        ("takeoverSeconds", 2**32 + 1),
        ("openSeconds", 2**32 + 1),
        ("openBlocks", 2**32 + 1),
    ],
)
def test_no_parameter_is_out_of_range(trust, deployer, project, parameter, value):
    config = {
        "chain": trust.chain.address,
        "register": trust.sequencer_register.address,
        "operator": deployer.address,
        "takeoverSeconds": 10,
        "takeoverBlocks": 5,
        "openSeconds": 10,
        "openBlocks": 5,
    }
    deployer.deploy(project.Sequencers, config)
    with reverts(trust.sequencers.BadConfig, parameter=parameter):
        deployer.deploy(project.Sequencers, config | {parameter: value})


# --- taking over


def test_the_next_standby_takes_over_when_nothing_was_committed_for_an_hour(running, operators):
    first, second = operators[:2]
    until = opens_at(running, second)
    batch = running.messages()[heartbeat(running)]
    assert until == (
        batch.time + running.params.takeover_seconds,
        batch.block + running.params.takeover_blocks,
    )
    running.clock.pass_blocks(running.params.takeover_blocks)
    with reverts(running.sequencers.TooEarly, untilTime=until[0], untilBlock=until[1]):
        running.sequencers.takeOver(heartbeat(running), sender=second)
    running.clock.set_next(until[0])
    receipt = running.sequencers.takeOver(heartbeat(running), sender=second)
    (log,) = receipt.decode_logs(running.sequencers.EpochBegan)
    assert (log.epoch, log.account, log.key, log.before) == (2, second, second, first)
    assert (log.firstBatch, log.reason) == (2, TAKEN_OVER)
    assert running.sequencers.currentEpoch() == 2
    assert running.sequencers.sequencerOf(1) == first
    assert running.sequencers.sequencerOf(2) == second
    with reverts(running.chain.WrongEpoch, given=1, expected=2):
        running.chain.commit(astuple(running.header(epoch=1)), sender=first)
    with reverts(running.chain.NotSequencer, caller=first.address, expected=second.address):
        running.chain.commit(astuple(running.header(epoch=2)), sender=first)
    commit(running, second)
    assert running.chain.tip().number == 2


def test_a_standby_further_back_waits_a_period_for_each_before_it(running, operators):
    _, second, third, fourth = operators
    pass_periods(running, 1)
    for waits in (third, fourth):
        with reverts(running.sequencers.TooEarly):
            running.sequencers.takeOver(heartbeat(running), sender=waits)
    pass_periods(running, 1)
    with reverts(running.sequencers.TooEarly):
        running.sequencers.takeOver(heartbeat(running), sender=fourth)
    assert take_over(running, third) == 2
    # The one that was passed over comes behind all others now.
    assert running.sequencers.standbys() == addresses(fourth, operators[0], second)


def test_every_standby_may_after_a_day_without_a_commit(trust, accounts):
    operators = [trust.sequencer, *accounts[3:10], *accounts[14:18]]
    join_all(trust, *operators)
    commit(trust, trust.sequencer)
    last = operators[-1]
    place = len(operators) - 1
    assert place * trust.params.takeover_seconds < trust.params.open_seconds
    # So long a list of periods of blocks that the day comes first.
    assert place * trust.params.takeover_blocks > trust.params.open_blocks
    pass_periods(trust, place - 1)
    with reverts(trust.sequencers.TooEarly):
        trust.sequencers.takeOver(heartbeat(trust), sender=last)
    pass_open(trust)
    assert take_over(trust, last) == 2


def test_the_key_of_an_account_takes_over_for_it(running, operators, accounts):
    second, key = operators[1], accounts[9]
    register = running.sequencer_register
    register.rotate(key, consent(register, second, key), sender=second)
    pass_periods(running, 1)
    take_over(running, key)
    assert running.sequencers.sequencerOf(2) == key
    assert running.sequencers.operator() == second
    assert running.sequencers.epochOf(2).account == second
    commit(running, key)


def test_a_key_that_was_rotated_away_takes_nothing_over(running, operators, accounts):
    register, key = running.sequencer_register, accounts[9]
    join(register, accounts[8], key)
    register.rotate(accounts[8], consent(register, accounts[8]), sender=accounts[8])
    pass_open(running)
    with reverts(running.sequencers.NotAStandby, caller=key.address):
        running.sequencers.takeOver(heartbeat(running), sender=key)
    take_over(running, accounts[8])


def test_before_the_first_batch_the_time_runs_from_the_deployment(trust, operators):
    began = trust.sequencers.epochOf(1)
    pass_periods(trust, 2)
    found = trust.sequencers.opensAt(operators[1], 12345)  # no message is looked at
    assert tuple(found) == (
        began.time + trust.params.takeover_seconds,
        began.blockNumber + trust.params.takeover_blocks,
    )
    take_over(trust, operators[1], 12345)
    header = commit(trust, operators[1])
    assert (header.number, header.epoch) == (1, 2)


# --- who may not


def test_nobody_takes_over_without_a_bond(running, operators, alice, accounts):
    pass_open(running)
    with reverts(running.sequencers.NotAStandby, caller=alice.address):
        running.sequencers.takeOver(heartbeat(running), sender=alice)
    register, second = running.sequencer_register, operators[1]
    register.leave(sender=second)  # its bond is there for weeks, and not for a new office
    with reverts(running.sequencers.NotAStandby, caller=second.address):
        running.sequencers.takeOver(heartbeat(running), sender=second)
    third = operators[2]
    register.prove(running.double_head, two_heads(register, running.sequencer), sender=alice)
    register.slash(third, OKB // 2, sender=impersonated(running, accounts))
    with reverts(running.sequencers.NotAStandby, caller=third.address):
        running.sequencers.takeOver(heartbeat(running), sender=third)


def impersonated(zone, accounts):
    """The register's court as a sender."""
    import ape

    court = zone.sequencer_register.config().court
    zone.clock._request("anvil_setBalance", court, hex(10**20))
    return ape.accounts[court]


def test_the_operator_does_not_take_over_from_itself(running, operators):
    pass_open(running)
    with reverts(running.sequencers.InOffice, account=operators[0].address, epoch=1):
        running.sequencers.takeOver(heartbeat(running), sender=operators[0])


@pytest.mark.parametrize("offset", [-1, 1, 1000])
def test_the_heartbeat_is_that_of_the_last_batch(running, operators, offset):
    commit(running, running.sequencer)
    pass_periods(running, 1)
    index = heartbeat(running)
    wrong = index + offset
    if offset == 1:
        running.owner_registry.register(operators[3], sender=operators[3])
    with reverts(running.sequencers.WrongHeartbeat, index=wrong, batch=2):
        running.sequencers.takeOver(wrong, sender=operators[1])


def test_the_heartbeat_of_an_older_batch_makes_nobody_silent(running, operators):
    old = heartbeat(running)
    pass_periods(running, 1)
    commit(running, running.sequencer)  # in time: its transaction came first
    with reverts(running.sequencers.WrongHeartbeat, index=old, batch=2):
        running.sequencers.takeOver(old, sender=operators[1])


def test_a_frozen_chain_has_no_more_epochs(running, operators, alice):
    running.owner_registry.register(alice, sender=alice)
    running.clock.pass_both(running.params.silence_seconds + 1, running.params.silence_blocks)
    running.chain.freezeSilent(sender=alice)
    with reverts(running.sequencers.ChainFrozen):
        running.sequencers.takeOver(heartbeat(running), sender=operators[1])
    with reverts(running.sequencers.ChainFrozen):
        running.sequencers.rotate(alice, running.chain.tip().hash, sender=operators[0])


# --- griefing


def test_two_take_over_in_one_block_and_only_the_first_does(running, operators, chain):
    _, second, third, _ = operators
    pass_open(running)
    index = heartbeat(running)
    calls = [(second, running.sequencers.takeOver.encode_input(index)),
             (third, running.sequencers.takeOver.encode_input(index))]  # fmt: skip
    running.clock._request("evm_setAutomine", False)
    try:
        for who, data in calls:
            request = {"from": who.address, "to": running.sequencers.address,
                       "data": "0x" + bytes(data).hex(), "gas": hex(500_000)}  # fmt: skip
            running.clock._request("eth_sendTransaction", request)
        running.clock._request("anvil_mine", "0x1")
    finally:
        running.clock._request("evm_setAutomine", True)
    head = chain.provider.web3.eth.get_block("latest")
    assert len(head.transactions) == 2
    assert running.sequencers.currentEpoch() == 2
    assert running.sequencers.operator() in addresses(second, third)


def test_who_takes_over_has_a_period_to_commit(running, operators):
    _, second, third, _ = operators
    pass_open(running)  # so long that everybody may
    take_over(running, second)
    running.clock.pass_blocks(running.params.takeover_blocks)
    with reverts(running.sequencers.TooEarly):
        running.sequencers.takeOver(heartbeat(running), sender=third)
    commit(running, second)
    until = opens_at(running, third)
    assert until[0] == running.clock.time + running.params.takeover_seconds


def test_who_takes_over_and_does_nothing_costs_one_period_and_has_had_its_turn(running, operators):
    first, second, third, fourth = operators
    pass_periods(running, 1)
    take_over(running, second)
    pass_periods(running, 1)
    take_over(running, third)
    pass_periods(running, 1)
    take_over(running, fourth)
    for tries in (second, third):  # it would be the turn of the second of them again
        with isolated(running.clock._chain):
            pass_periods(running, 3)
            with reverts(running.sequencers.TurnTaken):
                running.sequencers.takeOver(heartbeat(running), sender=tries)
    pass_periods(running, 1)
    assert take_over(running, first) == 5  # that did commit, before
    commit(running, first)
    pass_periods(running, 1)
    assert take_over(running, second) == 6  # and so everybody has a turn again


def test_turns_come_back_after_a_day_without_any_commit(running, operators):
    _, second, third, _ = operators
    pass_periods(running, 1)
    take_over(running, second)
    pass_periods(running, 1)
    take_over(running, third)
    pass_open(running)
    assert take_over(running, second) == 4


def test_a_halt_of_l1_makes_nobody_silent(running, operators):
    """Two days pass without a block; then nobody can have committed, and time alone proves nothing."""
    running.clock.pass_time(2 * DAY)
    with reverts(running.sequencers.TooEarly):
        running.sequencers.takeOver(heartbeat(running), sender=operators[1])
    commit(running, running.sequencer)
    running.clock.pass_blocks(running.params.takeover_blocks)
    with reverts(running.sequencers.TooEarly):
        running.sequencers.takeOver(heartbeat(running), sender=operators[1])


def test_fast_blocks_make_nobody_silent(running, operators):
    running.clock.pass_blocks(10 * running.params.takeover_blocks)
    with reverts(running.sequencers.TooEarly):
        running.sequencers.takeOver(heartbeat(running), sender=operators[1])


# --- the bond


def test_an_operator_without_a_bond_loses_its_office_to_the_first_that_has_one(trust, alice, bob):
    pass_periods(trust, 1)
    commit(trust, trust.sequencer)  # it is anything but silent
    join_all(trust, alice)
    assert not trust.sequencers.isBonded()
    take_over(trust, alice)
    assert trust.sequencers.isBonded()
    join_all(trust, bob)
    with reverts(trust.sequencers.TooEarly):
        trust.sequencers.takeOver(heartbeat(trust), sender=bob)


def test_a_bond_asked_back_in_office_ends_the_office_before_it_is_paid(running, operators):
    """The unbonding takes weeks, a takeover from an operator off the list no time at all."""
    first, second = operators[:2]
    running.sequencer_register.leave(sender=first)
    commit(running, first)
    pass_periods(running, 1)
    commit(running, first)  # what it still orders, its bond still answers for
    assert running.sequencer_register.memberOf(first).bond > 0
    take_over(running, second)
    with reverts(running.chain.WrongEpoch):
        running.chain.commit(astuple(running.header(epoch=1)), sender=first)


def test_a_convicted_operator_loses_its_office(running, operators, alice):
    register, second = running.sequencer_register, operators[1]
    pass_periods(running, 1)
    commit(running, running.sequencer)
    register.prove(running.double_head, two_heads(register, running.sequencer), sender=alice)
    take_over(running, second)
    # What it signed in its epoch is answered for after it.
    proof = two_heads(register, running.sequencer, block=9)
    register.prove(running.double_head, proof, sender=alice)


def test_an_operator_that_restores_its_bond_is_the_last_standby(running, operators, accounts):
    first, second, third, fourth = operators
    register = running.sequencer_register
    register.slash(first, OKB // 2, sender=impersonated(running, accounts))
    pass_periods(running, 1)
    take_over(running, second)
    register.topUp(first, sender=first, value=OKB // 2)
    assert running.sequencers.standbys() == addresses(third, fourth, first)


# --- rotation


def test_an_operator_rotates_its_key_and_past_epochs_keep_theirs(running, operators, accounts):
    first, key = operators[0], accounts[9]
    register = running.sequencer_register
    tip = running.chain.tip().hash
    with reverts(running.sequencers.WrongKey, key=key.address, expected=first.address):
        running.sequencers.rotate(key, tip, sender=first)
    register.rotate(key, consent(register, first, key), sender=first)
    receipt = running.sequencers.rotate(key, tip, sender=first)
    (log,) = receipt.decode_logs(running.sequencers.EpochBegan)
    assert (log.epoch, log.account, log.key, log.before) == (2, first, key, first)
    assert (log.firstBatch, log.reason) == (2, ROTATED)
    assert running.sequencers.sequencerOf(1) == first
    assert running.sequencers.operator() == first
    with reverts(running.chain.NotSequencer):
        running.chain.commit(astuple(running.header(epoch=2)), sender=first)
    commit(running, key)


def test_rotation_does_not_begin_the_silence_anew(running, operators, accounts):
    first, second = operators[:2]
    register = running.sequencer_register
    pass_periods(running, 1)
    for key in (accounts[9], first):
        register.rotate(key, consent(register, first, key), sender=first)
        running.sequencers.rotate(key, running.chain.tip().hash, sender=first)
    assert take_over(running, second) == 4


def test_rotation_waits_for_the_batches_that_were_published(running, operators, accounts):
    first, key = operators[0], accounts[9]
    register = running.sequencer_register
    register.rotate(key, consent(register, first, key), sender=first)
    waits = running.header()
    with reverts(running.sequencers.TipMoved):
        running.sequencers.rotate(key, waits.hash(), sender=first)
    running.chain.commit(astuple(waits), sender=first)
    running.sequencers.rotate(key, waits.hash(), sender=first)


@pytest.mark.parametrize("who", ["a standby", "a stranger", "the key"])
def test_nobody_but_the_operators_account_rotates(running, operators, accounts, alice, who):
    first, key = operators[0], accounts[9]
    register = running.sequencer_register
    register.rotate(key, consent(register, first, key), sender=first)
    running.sequencers.rotate(key, running.chain.tip().hash, sender=first)
    caller = {"a standby": operators[1], "a stranger": alice, "the key": key}[who]
    with reverts(running.sequencers.NotOperator, caller=caller.address, operator=first.address):
        running.sequencers.rotate(first, running.chain.tip().hash, sender=caller)


def test_no_office_is_handed_to_the_key_of_another(trust, operators, alice, bob):
    """By one that never bonded, with a key that the register knows as another's, or with none."""
    register, tip = trust.sequencer_register, bytes(32)
    register.leave(sender=operators[0])
    register.leave(sender=operators[1])
    trust.clock.pass_both(121, 21)
    register.withdraw(sender=operators[0])
    trust.sequencers.rotate(alice, tip, sender=operators[0])  # a key that nobody has
    assert trust.sequencers.operator() == alice
    with reverts(
        trust.sequencers.WrongKey, key=operators[2].address, expected=operators[2].address
    ):
        trust.sequencers.rotate(operators[2], tip, sender=alice)
    with reverts(trust.sequencers.ZeroKey):
        trust.sequencers.rotate(NOBODY, tip, sender=alice)
    with reverts(trust.sequencers.SameKey, key=alice.address):
        trust.sequencers.rotate(alice, tip, sender=alice)


def test_a_zone_without_a_register_rotates_too(zone, alice, bob):
    tip = zone.chain.tip().hash
    with reverts(zone.sequencers.NotOperator):
        zone.sequencers.rotate(alice, tip, sender=bob)
    zone.sequencers.rotate(alice, tip, sender=zone.sequencer)
    zone.sequencers.rotate(bob, tip, sender=alice)
    assert [zone.sequencers.sequencerOf(n) for n in (1, 2, 3)] == addresses(
        zone.sequencer, alice, bob
    )
    assert error_of(
        zone.sequencers, zone.sequencers.rotate.encode_input(alice, tip), zone.sequencer
    )
