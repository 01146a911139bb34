"""The vote: who may, once, who counts, and when the bond is free."""

from dataclasses import replace
from time import sleep

import pytest

from scripts._deployment import deploy_zone
from tests.contracts.driver import NO_CLAIM, OKB, Zone, isolated, reverts, root_named


@pytest.fixture
def judge(zone):
    return zone.judge


@pytest.fixture
def court(zone, judge, verifiers, clock):
    for verifier in verifiers:
        judge.register(sender=verifier, value=OKB)
    clock.pass_time(10)
    return verifiers


@pytest.fixture
def fork(zone, court, asserter, rival):
    zone.bond(asserter, rival)
    return (
        zone.claim(asserter, zone.genesis, "true"),
        zone.claim(rival, zone.genesis, "false"),
    )


def test_anyone_becomes_a_verifier_for_the_bond(judge, alice):
    for sent in (0, OKB - 1, OKB + 1):
        with reverts(judge.WrongBond, sent=sent, expected=OKB):
            judge.register(sender=alice, value=sent)
    receipt = judge.register(sender=alice, value=OKB)
    assert judge.activeVerifiers() == 1
    assert judge.verifierOf(alice).since == receipt.timestamp
    with reverts(judge.AlreadyRegistered, account=alice.address):
        judge.register(sender=alice, value=OKB)


def test_more_than_half_of_all_verifiers_decide(zone, judge, court, fork):
    true, _ = fork
    for verifier in court[:2]:
        judge.vote(zone.genesis, true, sender=verifier)
    assert bytes(judge.rulingOf(zone.genesis)) == NO_CLAIM
    receipt = judge.vote(zone.genesis, true, sender=court[2])
    assert bytes(judge.rulingOf(zone.genesis)) == true
    assert judge.Ruled(parent=zone.genesis, winner=true, votes=3, eligible=5) in receipt.events


def test_half_is_not_more_than_half(zone, judge, court, asserter, rival, clock):
    judge.leave(sender=court[4])
    clock.pass_time(10)
    zone.bond(asserter, rival)
    true = zone.claim(asserter, zone.genesis, "true")
    zone.claim(rival, zone.genesis, "false")
    for verifier in court[:2]:
        judge.vote(zone.genesis, true, sender=verifier)
    assert bytes(judge.rulingOf(zone.genesis)) == NO_CLAIM
    judge.vote(zone.genesis, true, sender=court[2])
    assert bytes(judge.rulingOf(zone.genesis)) == true


def test_a_split_vote_decides_nothing(zone, judge, court, fork):
    true, false = fork
    for verifier, child in zip(court, (true, true, false, false), strict=False):
        judge.vote(zone.genesis, child, sender=verifier)
    assert bytes(judge.rulingOf(zone.genesis)) == NO_CLAIM
    assert (judge.votesFor(zone.genesis, true), judge.votesFor(zone.genesis, false)) == (2, 2)


def test_a_verifier_votes_once(zone, judge, court, fork):
    true, _false = fork
    judge.vote(zone.genesis, true, sender=court[0])
    assert judge.hasVoted(zone.genesis, court[0])
    for child in fork:
        with reverts(judge.AlreadyVoted, account=court[0].address, parent=zone.genesis):
            judge.vote(zone.genesis, child, sender=court[0])


def test_nobody_votes_after_the_ruling(zone, judge, court, fork):
    for verifier in court[:3]:
        judge.vote(zone.genesis, fork[0], sender=verifier)
    with reverts(judge.AlreadyRuled, parent=zone.genesis, winner=fork[0]):
        judge.vote(zone.genesis, fork[1], sender=court[3])
    zone.chain.resolve(zone.genesis, sender=court[0])
    with reverts(judge.NotAwaitingRuling, parent=zone.genesis):
        judge.vote(zone.genesis, fork[1], sender=court[3])


def test_nobody_votes_where_there_are_no_rivals_or_no_time_left(zone, judge, court, fork):
    with reverts(judge.NotAwaitingRuling, parent=fork[0]):
        judge.vote(fork[0], fork[0], sender=court[0])
    zone.pass_judge_time()
    with reverts(judge.NotAwaitingRuling, parent=zone.genesis):
        judge.vote(zone.genesis, fork[0], sender=court[0])


def test_only_children_are_voted_for(zone, judge, court, fork):
    for stranger in (zone.genesis, root_named("no claim"), NO_CLAIM):
        with reverts(judge.NotAChild, claim=stranger, parent=zone.genesis):
            judge.vote(zone.genesis, stranger, sender=court[0])


def test_whoever_joins_because_of_a_dispute_has_no_say(zone, judge, court, fork, alice):
    began = zone.chain.forkOf(zone.genesis).rivalTime
    judge.register(sender=alice, value=OKB)
    with reverts(judge.NotEligible, account=alice.address, rivalryTime=began):
        judge.vote(zone.genesis, fork[0], sender=alice)
    assert judge.eligibleAt(began) == 5
    assert judge.activeVerifiers() == 6


def wait_for_pending(chain, count):
    """The node takes transactions into its pool in the background: mined too early, one stays behind."""
    for _ in range(200):
        status = chain.provider.make_request("txpool_status", [])
        if int(status["pending"], 16) >= count:
            return
        sleep(0.05)
    raise AssertionError(f"the node has {status} in its pool, expected {count} pending")


def test_whoever_joins_in_the_second_of_the_dispute_has_no_say(
    zone, judge, court, asserter, rival, alice, clock, chain
):
    zone.bond(asserter, rival)
    true = zone.claim(asserter, zone.genesis, "true")
    batch = zone.chain.claimOf(true).batch
    header_hash = zone.chain.headerHashOf(batch)
    chain.provider.auto_mine = False
    try:
        judge.register(sender=alice, value=OKB, required_confirmations=0)
        zone.chain.claim(
            zone.genesis,
            batch,
            header_hash,
            root_named("false"),
            sender=rival,
            required_confirmations=0,
        )
        wait_for_pending(chain, 2)
        chain.mine()
    finally:
        chain.provider.auto_mine = True
    began = zone.chain.forkOf(zone.genesis).rivalTime
    assert judge.verifierOf(alice).since == began
    assert judge.eligibleAt(began) == 5
    with reverts(judge.NotEligible, account=alice.address, rivalryTime=began):
        judge.vote(zone.genesis, true, sender=alice)


def test_strangers_have_no_say(zone, judge, court, fork, bob):
    began = zone.chain.forkOf(zone.genesis).rivalTime
    with reverts(judge.NotEligible, account=bob.address, rivalryTime=began):
        judge.vote(zone.genesis, fork[0], sender=bob)


def test_whoever_had_left_before_has_no_say_and_does_not_count(
    zone, judge, court, asserter, rival, clock
):
    for verifier in court[:4]:
        judge.leave(sender=verifier)
    clock.pass_time(10)
    zone.bond(asserter, rival)
    true = zone.claim(asserter, zone.genesis, "true")
    zone.claim(rival, zone.genesis, "false")
    began = zone.chain.forkOf(zone.genesis).rivalTime
    with reverts(judge.NotEligible, account=court[0].address, rivalryTime=began):
        judge.vote(zone.genesis, true, sender=court[0])
    judge.vote(zone.genesis, true, sender=court[4])
    assert bytes(judge.rulingOf(zone.genesis)) == true


def test_whoever_leaves_during_a_dispute_still_counts_and_may_still_vote(zone, judge, court, fork):
    for verifier in court[:3]:
        judge.leave(sender=verifier)
        judge.vote(zone.genesis, fork[0], sender=verifier)
    assert bytes(judge.rulingOf(zone.genesis)) == fork[0]


def test_the_bond_is_free_after_time_and_blocks(judge, court, clock, chain, params):
    verifier = court[0]
    with reverts(judge.NotLeaving, account=verifier.address):
        judge.withdrawBond(sender=verifier)
    receipt = judge.leave(sender=verifier)
    with reverts(judge.NotActive, account=verifier.address):
        judge.leave(sender=verifier)
    with reverts(judge.AlreadyRegistered, account=verifier.address):
        judge.register(sender=verifier, value=OKB)
    until = {
        "untilTime": receipt.timestamp + params.verifier_unbonding_seconds,
        "untilBlock": receipt.block_number + params.verifier_unbonding_blocks,
    }
    with isolated(chain):
        clock.pass_time(10 * params.verifier_unbonding_seconds)
        with reverts(judge.UnbondingRunning, **until):
            judge.withdrawBond(sender=verifier)
    with isolated(chain):
        clock.pass_blocks(10 * params.verifier_unbonding_blocks)
        with reverts(judge.UnbondingRunning, **until):
            judge.withdrawBond(sender=verifier)
    clock.pass_both(params.verifier_unbonding_seconds, params.verifier_unbonding_blocks)
    before = verifier.balance
    paid = judge.withdrawBond(sender=verifier)
    assert verifier.balance == before + OKB - paid.total_fees_paid
    with reverts(judge.NotLeaving, account=verifier.address):
        judge.withdrawBond(sender=verifier)


def test_a_verifier_that_comes_back_is_a_new_one(
    zone, judge, court, asserter, rival, params, clock
):
    """Its old place counts as silent: the dispute began while it was another verifier."""
    zone.bond(asserter, rival)
    first = zone.claim(asserter, zone.genesis, "one")
    true = zone.claim(asserter, first, "true")
    zone.claim(rival, first, "false")
    began = zone.chain.forkOf(first).rivalTime
    verifier = court[0]
    judge.leave(sender=verifier)
    # `first` is made final late, so the dispute outlives the unbonding
    clock.pass_both(params.verifier_unbonding_seconds, params.verifier_unbonding_blocks)
    judge.withdrawBond(sender=verifier)
    judge.register(sender=verifier, value=OKB)
    clock.pass_time(10)
    with reverts(judge.NotEligible, account=verifier.address, rivalryTime=began):
        judge.vote(first, true, sender=verifier)
    assert judge.eligibleAt(began) == 5


def test_strangers_neither_leave_nor_withdraw(judge, alice):
    with reverts(judge.NotActive, account=alice.address):
        judge.leave(sender=alice)
    with reverts(judge.NotLeaving, account=alice.address):
        judge.withdrawBond(sender=alice)


def test_a_quorum_that_is_not_there_decides_nothing(
    deployer, project, chain, accounts, params, verifiers, clock
):
    strict = Zone(
        deploy_zone(deployer, project, replace(params, verifier_quorum=3)), chain, accounts
    )
    for verifier in verifiers[:2]:
        strict.judge.register(sender=verifier, value=OKB)
    clock.pass_time(10)
    strict.bond(accounts[3], accounts[4])
    true = strict.claim(accounts[3], strict.genesis, "true")
    strict.claim(accounts[4], strict.genesis, "false")
    for verifier in verifiers[:2]:
        strict.judge.vote(strict.genesis, true, sender=verifier)
    assert bytes(strict.judge.rulingOf(strict.genesis)) == NO_CLAIM
    strict.pass_judge_time()
    strict.chain.freeze(strict.genesis, sender=deployer)


def test_constructor_refuses_terms_that_break_the_vote(zone, deployer, project, params):
    seconds, blocks = params.judge_seconds, params.judge_blocks
    with reverts(zone.judge.ZeroBond):
        deployer.deploy(project.VerifierVoteJudge, zone.chain, 0, 1, seconds, blocks)
    with reverts(zone.judge.ZeroQuorum):
        deployer.deploy(project.VerifierVoteJudge, zone.chain, 1, 0, seconds, blocks)
    with reverts(zone.judge.UnbondingTooShort, unbonding=seconds - 1, judgeTime=seconds):
        deployer.deploy(project.VerifierVoteJudge, zone.chain, 1, 1, seconds - 1, blocks)
    with reverts(zone.judge.UnbondingTooShort, unbonding=blocks - 1, judgeTime=blocks):
        deployer.deploy(project.VerifierVoteJudge, zone.chain, 1, 1, seconds, blocks - 1)
