"""Named attacks on the slashing court, each ending as docs/spec/slashing.md says."""

import pytest

from tests.contracts.courtroom import COMMIT, RESPONSE, RULING, SALT, Head
from tests.contracts.driver import OKB, reverts
from tradezone.protocol.hashing import keccak


@pytest.fixture
def court(judged):
    return judged.court


@pytest.fixture
def staked(judged, alice, accounts):
    """Alice has 100 OKB, three jurors 40 each; all of it is aged."""
    found = accounts[10:13]
    judged.stake(alice, 100)
    for juror in found:
        judged.stake(juror, 40)
    judged.grow_old()
    return found


def test_a_friendly_accusation_does_not_save_stake_from_an_honest_one(
    judged, court, staked, alice, bob, carol
):
    """Alice has herself accused mildly of the same thing first."""
    mild = judged.accuse(carol, alice, share=1)
    honest = judged.accuse(bob, alice, share=40)
    judged.end(mild, RESPONSE)
    judged.end(honest, RESPONSE)
    for juror in staked:
        judged.commit_vote(mild, juror, 1)
        judged.commit_vote(honest, juror, 40)
    judged.end(honest, COMMIT)
    for juror in staked:
        court.revealVote(mild, 1, SALT, sender=juror)
        court.revealVote(honest, 40, SALT, sender=juror)
    judged.end(honest, 5)
    with reverts(court.NotNext, caseId=honest, next=mild):
        court.rule(honest, sender=bob)
    court.rule(mild, sender=carol)
    receipt = court.rule(honest, sender=bob)
    # One act was slashed once: the larger verdict in all, not the sum.
    assert court.Ruled.from_receipt(receipt)[0].taken == 39 * OKB
    assert judged.staking.freeOf(alice) == 60 * OKB


def test_concurrent_cases_never_take_more_than_the_stake(judged, court, staked, alice, bob):
    cases = [
        judged.accuse(bob, alice, share=100, evidence=keccak(bytes([number])))
        for number in range(2)
    ]
    judged.end(cases[1], RESPONSE)
    for case in cases:
        for juror in staked:
            judged.commit_vote(case, juror, 70)
    judged.end(cases[1], COMMIT)
    for case in cases:
        for juror in staked:
            court.revealVote(case, 70, SALT, sender=juror)
    judged.end(cases[1], 5)
    taken = [court.Ruled.from_receipt(court.rule(c, sender=bob))[0].taken for c in cases]
    assert taken == [70 * OKB, 30 * OKB]
    assert judged.staking.freeOf(alice) == 0
    assert court.balance == judged.held()


def test_unbonding_before_the_accusation_does_not_help(
    judged, court, staked, alice, bob, asserter, params
):
    """A15: the request is made, its clock nearly over, and then the accusation comes."""
    judged.staking.requestUnbond(100 * OKB, sender=alice)
    judged.bond(asserter)
    judged.finalized(asserter, "after the request")
    judged.staking.noteFinality(sender=bob)
    judged.clock.pass_both(params.unbonding_seconds - 100, params.unbonding_blocks)
    case = judged.accuse(bob, alice, share=40)
    judged.clock.pass_time(200)
    with reverts(judged.staking.CaseOpen):
        judged.staking.withdraw(1, sender=alice)
    judged.judge_case(case, dict.fromkeys(staked, 40))
    assert judged.staking.unbondingOf(alice) == 60 * OKB
    judged.clock.pass_time(200)
    judged.staking.withdraw(1, sender=alice)
    assert judged.staking.unbondingOf(alice) == 0


def test_late_or_borrowed_stake_does_not_judge(judged, court, staked, alice, bob, carol):
    """A14: stake that comes with or after the accusation has no weight."""
    judged.stake(carol, 4_000)
    case = judged.accuse(bob, alice)
    judged.stake(carol, 4_000)
    judged.grow_old()
    judged.clock.pass_blocks(5)
    assert court.weightOf(case, carol) == 0
    with reverts(court.NoWeight, caseId=case, account=carol.address):
        court.commitVote(case, SALT, sender=carol)


def test_a_party_can_neither_use_nor_silence_a_delegate(judged, court, staked, alice, bob, carol):
    """Alice stands behind a juror for long, Bob comes to another one just before he accuses."""
    judged.staking.invoke_transaction("delegate", staked[0], sender=alice)
    judged.grow_old()
    judged.stake(bob, 4_000)
    judged.staking.invoke_transaction("delegate", staked[1], sender=bob)
    case = judged.accuse(bob, alice)
    judged.clock.pass_time(1)
    assert [court.weightOf(case, juror) for juror in staked] == [40 * OKB] * 3
    both = judged.accuse(alice, alice)  # accuser and accused are one
    judged.clock.pass_time(1)
    assert court.weightOf(both, staked[0]) == 40 * OKB


def test_moving_away_after_the_accusation_gives_no_vote(judged, court, staked, alice, bob, carol):
    case = judged.accuse(bob, alice)
    judged.staking.invoke_transaction("delegate", carol, sender=alice)
    judged.grow_old()
    assert court.weightOf(case, carol) == court.weightOf(case, alice) == 0


def test_a_copied_commitment_cannot_be_revealed(judged, court, staked, alice, bob):
    case = judged.accuse(bob, alice)
    judged.end(case, RESPONSE)
    judged.commit_vote(case, staked[0], 30)
    copied = court.commitmentOf(case, 1, staked[0])
    court.commitVote(case, copied, sender=staked[1])
    judged.end(case, COMMIT)
    court.revealVote(case, 30, SALT, sender=staked[0])
    with reverts(court.WrongReveal):
        court.revealVote(case, 30, SALT, sender=staked[1])


def test_a_proof_waits_for_an_older_case_and_is_still_in_time(
    judged, court, staked, sequencer, bob
):
    judged.stake(sequencer, 100)
    jury = judged.accuse(bob, sequencer, share=10)
    proof = judged.prove(bob, Head(), Head(count=9))
    judged.vote(jury, dict.fromkeys(staked, 10))
    court.appeal(jury, sender=sequencer, value=2 * OKB)
    assert court.phaseOf(proof) == RULING
    with reverts(court.NotNext, caseId=proof, next=jury):
        court.rule(proof, sender=bob)
    judged.vote(jury, dict.fromkeys(staked, 10), second=2)
    court.rule(jury, sender=bob)
    receipt = court.rule(proof, sender=bob)
    assert court.Ruled.from_receipt(receipt)[0].taken == 90 * OKB
    assert judged.staking.freeOf(sequencer) == 0


def test_forced_coin_and_early_collection_change_nothing(judged, court, staked, alice, bob, clock):
    clock.force_coin(court, OKB)
    case = judged.accuse(bob, alice, share=40)
    receipt = judged.judge_case(case, dict.fromkeys(staked, 40))
    assert court.Ruled.from_receipt(receipt)[0].taken == 40 * OKB
    assert court.balance == judged.held() + OKB
    with reverts(judged.staking.NothingOwed):
        judged.staking.collect(court, sender=bob)


def test_self_accusation_gives_back_no_more_than_the_reward(judged, court, staked, alice):
    case = judged.accuse(alice, alice, share=100)
    judged.judge_case(case, dict.fromkeys(staked, 100))
    assert court.owedTo(alice) == 2 * OKB + 5 * OKB  # its bond and the reward
    assert judged.staking.freeOf(alice) == 0
