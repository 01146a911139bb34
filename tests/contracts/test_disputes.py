"""Rival claims: what stops, how a ruling is taken, who pays, what dies, and the freeze."""

from dataclasses import replace

import pytest

from scripts._deployment import deploy_zone
from tests.contracts.driver import (
    DEAD,
    FINAL,
    NO_CLAIM,
    OKB,
    OPEN,
    Zone,
    isolated,
    reverts,
    root_named,
)

ESCAPE, UNRULED = 2, 2


@pytest.fixture
def court(zone, verifiers, clock):
    """Five verifiers, registered before anything is disputed."""
    for verifier in verifiers:
        zone.judge.register(sender=verifier, value=zone.params.verifier_bond)
    clock.pass_time(10)
    return verifiers


@pytest.fixture
def bonded(zone, asserter, rival, third):
    zone.bond(asserter, rival, third)


@pytest.fixture
def fork(zone, court, bonded, asserter, rival):
    """Two children of genesis: the true one by `asserter`, the false one by `rival`."""
    return (
        zone.claim(asserter, zone.genesis, "true"),
        zone.claim(rival, zone.genesis, "false"),
    )


def rule(zone, court, parent, child, votes=3):
    for verifier in court[:votes]:
        zone.judge.vote(parent, child, sender=verifier)


# --- what rivals stop


def test_rivals_stop_each_other_and_everything_below(zone, fork, asserter):
    true, false = fork
    below = zone.claim(asserter, true, "true two")
    zone.pass_window()
    for claim in fork:
        with reverts(zone.chain.Contested, parent=zone.genesis, children=2):
            zone.finalize(claim)
    with reverts(zone.chain.ParentNotFinal, parent=true):
        zone.finalize(below)
    assert zone.chain.isAwaitingRuling(zone.genesis)
    entry = zone.chain.forkOf(zone.genesis)
    assert (bytes(entry.firstChild), entry.children) == (true, 2)
    assert entry.rivalTime == zone.chain.claimOf(false).time


def test_rivals_further_up_do_not_stop_what_is_below_them(zone, court, bonded, asserter, rival):
    first = zone.claim(asserter, zone.genesis, "one")
    zone.claim(asserter, first, "two")
    zone.claim(rival, first, "false two")
    zone.pass_window()
    zone.finalize(first)
    assert bytes(zone.chain.latestFinal()) == first


def test_a_rival_comes_within_the_window_of_the_first_child(
    zone, bonded, asserter, rival, third, params, clock
):
    zone.claim(asserter, zone.genesis, "true")
    zone.pass_window()
    with reverts(zone.chain.ChildrenClosed, parent=zone.genesis):
        zone.claim(rival, zone.genesis, "false")


def test_a_rival_in_the_last_second_is_taken(zone, bonded, asserter, rival, params, clock):
    claim = zone.claim(asserter, zone.genesis, "true")
    entry = zone.chain.claimOf(claim)
    header_hash = zone.chain.headerHashOf(entry.batch)
    clock.pass_blocks(params.window_blocks + 5)
    clock.set_next(entry.time + params.window_seconds - 1)
    zone.chain.claim(zone.genesis, entry.batch, header_hash, root_named("false"), sender=rival)
    assert zone.chain.forkOf(zone.genesis).children == 2


def test_more_rivals_are_taken_until_the_ruling_even_after_the_window(zone, fork, court, third):
    """The truth may come late, as long as nothing is decided."""
    zone.pass_window()
    late = zone.claim(third, zone.genesis, "really true")
    rule(zone, court, zone.genesis, late)
    zone.chain.resolve(zone.genesis, sender=third)
    zone.pass_window()
    zone.finalize(late)


def test_no_rival_is_taken_after_the_ruling(zone, fork, court, third):
    rule(zone, court, zone.genesis, fork[0])
    zone.chain.resolve(zone.genesis, sender=third)
    with reverts(zone.chain.ChildrenClosed, parent=zone.genesis):
        zone.claim(third, zone.genesis, "late")


def test_no_rival_is_taken_after_the_judge_s_time(zone, fork, third):
    zone.pass_judge_time()
    with reverts(zone.chain.ChildrenClosed, parent=zone.genesis):
        zone.claim(third, zone.genesis, "late")


# --- the ruling


def test_the_winner_goes_on_and_the_loser_pays(zone, fork, court, asserter, rival, params):
    true, false = fork
    rule(zone, court, zone.genesis, true)
    receipt = zone.chain.resolve(zone.genesis, sender=zone.deployer)
    assert receipt.events == [zone.chain.Resolved(parent=zone.genesis, winner=true)]
    assert not zone.chain.isAwaitingRuling(zone.genesis)

    receipt = zone.chain.dismiss(false, sender=zone.deployer)
    half = params.claim_bond // 2
    assert receipt.events == [
        zone.chain.Dismissed(claim=false, asserter=rival),
        zone.chain.BondForfeited(asserter=rival, winner=asserter, reward=half, toSink=half),
    ]
    assert zone.status(false) == DEAD
    sink = zone.chain.sink()
    assert zone.chain.collectable(asserter) == zone.chain.collectable(sink) == half
    before = asserter.balance
    zone.chain.collect(asserter, sender=zone.deployer)
    zone.chain.collect(sink, sender=zone.deployer)
    assert asserter.balance == before + half
    with reverts(zone.chain.NothingToCollect, account=asserter.address):
        zone.chain.collect(asserter, sender=asserter)
    with reverts(zone.chain.NotBonded, asserter=rival.address):
        zone.chain.withdrawBond(sender=rival)

    zone.pass_window()
    zone.finalize(true)
    zone.chain.withdrawBond(sender=asserter)


def test_an_odd_bond_is_split_to_the_last_wei(zone, deployer, project, chain, accounts, params):
    odd = Zone(deploy_zone(deployer, project, replace(params, claim_bond=OKB + 1)), chain, accounts)
    verifier, one, two = accounts[10], accounts[3], accounts[4]
    odd.judge.register(sender=verifier, value=odd.params.verifier_bond)
    odd.clock.pass_time(10)
    odd.bond(one, two)
    winner, loser = odd.claim(one, odd.genesis, "a"), odd.claim(two, odd.genesis, "b")
    odd.judge.vote(odd.genesis, winner, sender=verifier)
    odd.chain.resolve(odd.genesis, sender=one)
    odd.chain.dismiss(loser, sender=one)
    assert odd.chain.collectable(one) == OKB // 2
    assert odd.chain.collectable(odd.chain.sink()) == OKB // 2 + 1


def test_a_winner_still_waits_for_its_own_window(zone, fork, court):
    rule(zone, court, zone.genesis, fork[1])
    zone.chain.resolve(zone.genesis, sender=zone.deployer)
    with reverts(zone.chain.WindowRunning):
        zone.finalize(fork[1])
    with reverts(zone.chain.Contested, parent=zone.genesis, children=2):
        zone.finalize(fork[0])


def test_a_loser_never_becomes_final(zone, fork, court):
    true, false = fork
    rule(zone, court, zone.genesis, true)
    zone.chain.resolve(zone.genesis, sender=zone.deployer)
    zone.pass_window()
    with reverts(zone.chain.Contested, parent=zone.genesis, children=2):
        zone.finalize(false)
    zone.finalize(true)
    with reverts(zone.chain.ParentNotFinal, parent=zone.genesis):
        zone.finalize(false)
    zone.chain.dismiss(false, sender=zone.deployer)
    with reverts(zone.chain.ClaimNotOpen, claim=false, status=DEAD):
        zone.finalize(false)
    with reverts(zone.chain.ClaimNotOpen, claim=true, status=FINAL):
        zone.chain.dismiss(true, sender=zone.deployer)


def test_a_loser_keeps_its_bond_locked_until_it_is_buried(zone, fork, court, rival):
    rule(zone, court, zone.genesis, fork[0])
    zone.chain.resolve(zone.genesis, sender=zone.deployer)
    with reverts(zone.chain.BondInUse, asserter=rival.address, openClaims=1):
        zone.chain.withdrawBond(sender=rival)


def test_every_loser_pays(zone, fork, court, asserter, rival, third, params):
    true, false = fork
    other = zone.claim(third, zone.genesis, "also false")
    rule(zone, court, zone.genesis, true)
    zone.chain.resolve(zone.genesis, sender=zone.deployer)
    for claim in (false, other):
        zone.chain.dismiss(claim, sender=zone.deployer)
    assert zone.chain.collectable(asserter) == params.claim_bond
    assert zone.chain.collectable(zone.chain.sink()) == params.claim_bond


def test_a_resolution_needs_a_ruling(zone, fork):
    with reverts(zone.chain.NoRuling, parent=zone.genesis):
        zone.chain.resolve(zone.genesis, sender=zone.deployer)


def test_a_rivalry_is_resolved_once(zone, fork, court):
    rule(zone, court, zone.genesis, fork[0])
    zone.chain.resolve(zone.genesis, sender=zone.deployer)
    with reverts(zone.chain.AlreadyResolved, parent=zone.genesis, winner=fork[0]):
        zone.chain.resolve(zone.genesis, sender=zone.deployer)
    with reverts(zone.chain.AlreadyResolved, parent=zone.genesis, winner=fork[0]):
        zone.chain.freeze(zone.genesis, sender=zone.deployer)


def test_rivalries_are_settled_in_order(zone, court, bonded, asserter, rival):
    first = zone.claim(asserter, zone.genesis, "one")
    true = zone.claim(asserter, first, "true")
    zone.claim(rival, first, "false")
    rule(zone, court, first, true)  # the judge may decide early
    with reverts(zone.chain.ParentNotFinal, parent=first):
        zone.chain.resolve(first, sender=zone.deployer)
    zone.pass_window()
    zone.finalize(first)
    zone.chain.resolve(first, sender=zone.deployer)
    zone.finalize(true)


def test_the_judge_s_time_begins_when_the_parent_is_final(zone, court, bonded, asserter, rival):
    first = zone.claim(asserter, zone.genesis, "one")
    true = zone.claim(asserter, first, "true")
    zone.claim(rival, first, "false")
    zone.pass_judge_time()  # nobody made `first` final meanwhile
    assert zone.chain.isAwaitingRuling(first)
    with reverts(zone.chain.ParentNotFinal, parent=first):
        zone.chain.freeze(first, sender=zone.deployer)
    zone.finalize(first)
    with reverts(zone.chain.JudgeHasTime):
        zone.chain.freeze(first, sender=zone.deployer)
    rule(zone, court, first, true)
    zone.chain.resolve(first, sender=zone.deployer)


def test_a_judge_that_names_a_stranger_is_not_followed(puppet_zone, asserter, rival, deployer):
    puppet, chain = puppet_zone, puppet_zone.chain
    puppet.bond(asserter, rival)
    one = puppet.claim(asserter, puppet.genesis, "one")
    puppet.claim(rival, puppet.genesis, "other")
    below = puppet.claim(asserter, one, "below")
    for stranger in (puppet.genesis, below, root_named("no claim")):
        puppet.judge.rule(puppet.genesis, stranger, sender=deployer)
        with reverts(chain.NotAChild, claim=stranger, parent=puppet.genesis):
            chain.resolve(puppet.genesis, sender=deployer)
    puppet.judge.rule(puppet.genesis, one, sender=deployer)
    chain.resolve(puppet.genesis, sender=deployer)


# --- what dies with a loser


def test_descendants_of_a_loser_die_one_by_one_and_cost_nothing_more(
    zone, fork, court, rival, third, params
):
    true, false = fork
    second = zone.claim(rival, false, "false two")
    foreign = zone.claim(third, second, "false three")
    rule(zone, court, zone.genesis, true)
    zone.chain.resolve(zone.genesis, sender=zone.deployer)
    with reverts(zone.chain.NotLost, claim=second):  # its parent is not buried yet
        zone.chain.dismiss(second, sender=zone.deployer)
    for claim in (false, second, foreign):
        zone.chain.dismiss(claim, sender=zone.deployer)
        assert zone.status(claim) == DEAD
    assert zone.chain.collectable(zone.chain.sink()) == params.claim_bond // 2
    assert zone.chain.asserterOf(rival).openClaims == 0
    zone.chain.withdrawBond(sender=third)  # who only built on it keeps the bond
    with reverts(zone.chain.NotBonded, asserter=rival.address):
        zone.chain.withdrawBond(sender=rival)


def test_nothing_is_built_on_what_has_lost(zone, fork, court, rival):
    true, false = fork
    rule(zone, court, zone.genesis, true)
    zone.chain.resolve(zone.genesis, sender=zone.deployer)
    with reverts(zone.chain.ParentLost, parent=false):
        zone.claim(rival, false, "false two")
    zone.chain.dismiss(false, sender=zone.deployer)
    zone.bond(rival)
    with reverts(zone.chain.ParentLost, parent=false):
        zone.claim(rival, false, "false two")


def test_a_loser_may_come_back_with_a_new_bond_once_its_claims_are_buried(zone, fork, court, rival):
    true, false = fork
    second = zone.claim(rival, false, "false two")
    rule(zone, court, zone.genesis, true)
    zone.chain.resolve(zone.genesis, sender=zone.deployer)
    zone.chain.dismiss(false, sender=zone.deployer)
    zone.bond(rival)
    with reverts(zone.chain.NotOnOnePath, lastClaim=second, parent=true):
        zone.claim(rival, true, "true two")
    zone.chain.dismiss(second, sender=zone.deployer)
    zone.claim(rival, true, "true two")


def test_a_claim_is_dismissed_once(zone, fork, court, params):
    true, false = fork
    rule(zone, court, zone.genesis, true)
    zone.chain.resolve(zone.genesis, sender=zone.deployer)
    zone.chain.dismiss(false, sender=zone.deployer)
    with reverts(zone.chain.ClaimNotOpen, claim=false, status=DEAD):
        zone.chain.dismiss(false, sender=zone.deployer)
    with reverts(zone.chain.NotLost, claim=true):
        zone.chain.dismiss(true, sender=zone.deployer)
    assert zone.status(true) == OPEN


def test_a_dispute_leaves_the_inputs_alone(zone, fork, court):
    """No lost claim re-orders a trade: the header chain is the same before and after."""
    before = zone.chain.tip()
    rule(zone, court, zone.genesis, fork[0])
    zone.chain.resolve(zone.genesis, sender=zone.deployer)
    zone.chain.dismiss(fork[1], sender=zone.deployer)
    assert zone.chain.tip() == before
    zone.commit()


# --- no ruling


def test_without_a_ruling_the_chain_freezes_at_the_parent(zone, fork, asserter, alice):
    zone.pass_judge_time()
    receipt = zone.chain.freeze(zone.genesis, sender=alice)
    assert zone.chain.isFrozen()
    assert zone.inbox.isClosed()
    assert zone.chain.Frozen(reason=UNRULED, latestFinal=zone.genesis) in receipt.events
    assert zone.chain.mode() == ESCAPE
    assert zone.chain.isAbandoned()
    assert bytes(zone.chain.escapeRoot()) == zone.params.genesis_root
    assert bytes(zone.chain.latestFinal()) == zone.genesis


def test_a_freeze_needs_time_and_blocks(zone, fork, chain, clock, params):
    entry = zone.chain.forkOf(zone.genesis)
    until = {
        "untilTime": entry.rivalTime + params.judge_seconds,
        "untilBlock": entry.rivalBlock + params.judge_blocks,
    }
    with isolated(chain):
        clock.pass_time(10 * params.judge_seconds)
        with reverts(zone.chain.JudgeHasTime, **until):
            zone.chain.freeze(zone.genesis, sender=zone.deployer)
    with isolated(chain):
        clock.pass_blocks(10 * params.judge_blocks)
        with reverts(zone.chain.JudgeHasTime, **until):
            zone.chain.freeze(zone.genesis, sender=zone.deployer)


def test_a_ruling_that_comes_too_late_is_not_taken(zone, fork, court):
    rule(zone, court, zone.genesis, fork[0])
    zone.pass_judge_time()
    with reverts(zone.chain.RulingTooLate, parent=zone.genesis):
        zone.chain.resolve(zone.genesis, sender=zone.deployer)
    assert not zone.chain.isAwaitingRuling(zone.genesis)


def test_a_rivalry_on_a_branch_that_is_not_final_freezes_nothing(
    zone, court, bonded, asserter, rival, third, accounts
):
    """A liar that disputes itself below its own false claim must not stop the chain."""
    true = zone.claim(asserter, zone.genesis, "true")
    false = zone.claim(rival, zone.genesis, "false")
    zone.claim(rival, false, "false two")
    zone.claim(third, false, "other false two")
    zone.clock.pass_both(zone.params.judge_seconds // 2, zone.params.judge_blocks // 2)
    rule(zone, court, zone.genesis, true)
    zone.chain.resolve(zone.genesis, sender=zone.deployer)
    zone.pass_judge_time()
    with reverts(zone.chain.ParentNotFinal, parent=false):
        zone.chain.freeze(false, sender=zone.deployer)
    zone.finalize(true)


def test_a_frozen_chain_does_nothing_but_give_back(zone, fork, court, asserter, rival, alice):
    zone.vault.depositNative(alice, sender=alice, value=OKB)
    header, true, batch = zone.header(), fork[0], zone.chain.claimOf(fork[0]).batch
    rule(zone, court, zone.genesis, true)
    zone.pass_judge_time()
    zone.chain.freeze(zone.genesis, sender=zone.deployer)
    for action in (
        lambda: zone.commit(header),
        lambda: zone.chain.claim(
            zone.genesis, batch, zone.chain.headerHashOf(batch), root_named("x"), sender=asserter
        ),
        lambda: zone.finalize(true),
        lambda: zone.chain.resolve(zone.genesis, sender=zone.deployer),
        lambda: zone.chain.freeze(zone.genesis, sender=zone.deployer),
        lambda: zone.bond(alice),
    ):
        with reverts(zone.chain.ChainFrozen):
            action()
    with reverts(zone.inbox.InboxClosed):
        zone.vault.depositNative(alice, sender=alice, value=OKB)
    with reverts(zone.inbox.InboxClosed):
        zone.owner_registry.register(zone.deployer, sender=zone.deployer)
    for account in (asserter, rival):  # nobody was proven wrong
        zone.chain.withdrawBond(sender=account)
    assert zone.chain.isFinal(zone.genesis)
    assert zone.chain.forkOf(zone.genesis).winner == NO_CLAIM
