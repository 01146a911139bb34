"""The slashing court: accusation, vote, appeal, ruling, where money goes, claims of the harmed."""

from dataclasses import replace

import pytest

from scripts._court_deployment import court_config, deploy_court
from scripts._deployment import NOBODY, DeploymentError, predict_address
from tests.contracts.courtroom import (
    APPEAL,
    APPEAL_COMMIT,
    APPEAL_REVEAL,
    CLOSED,
    COMMIT,
    COURT_PARAMS,
    FRAUD,
    HARM,
    MANIPULATION,
    NEGLIGENCE,
    NO_CASE,
    OUTAGE,
    RESPONSE,
    REVEAL,
    RULING,
    SALT,
    WAITING,
    Head,
)
from tests.contracts.driver import DAY, OKB, constructor_error, error_data, isolated, reverts
from tests.contracts.governed import State
from tests.contracts.test_staking_vault import deploy_vault
from tradezone.protocol.hashing import keccak

STAKE = 100 * OKB
BOND = OKB  # 2 % of 40 % of the stake is below the least bond


@pytest.fixture
def court(judged):
    return judged.court


@pytest.fixture
def jurors(judged, accounts):
    """Three jurors with 30, 30 and 40 OKB."""
    found = accounts[10:13]
    for juror, okb in zip(found, (30, 30, 40), strict=True):
        judged.stake(juror, okb)
    return found


@pytest.fixture
def staked(judged, alice, jurors):
    """Alice and the jurors have staked long enough ago."""
    judged.stake(alice, 100)
    judged.grow_old()
    return jurors


@pytest.fixture
def case(judged, staked, alice, bob):
    """Bob asks for 40 % of Alice's stake."""
    return judged.accuse(bob, alice, harm=HARM)


def owed(court, *accounts):
    return tuple(court.owedTo(account) for account in accounts)


# --- the whole way


def test_a_conviction_takes_the_median_and_pays_accuser_pool_and_treasury(
    judged, court, case, staked, alice, bob, accounts
):
    assert judged.staking.openCasesOf(alice) == 1
    receipt = judged.judge_case(case, dict(zip(staked, (0, 20, 40), strict=True)))
    event = court.Ruled.from_receipt(receipt)[0]
    assert (event.isReached, event.asked, event.taken) == (True, 20 * OKB, 20 * OKB)
    assert judged.staking.freeOf(alice) == 80 * OKB
    assert judged.staking.openCasesOf(alice) == 0
    assert owed(court, bob, accounts[18], alice) == (BOND + OKB, 9 * OKB, 0)
    assert court.poolOf(case).amount == 10 * OKB
    assert court.balance == judged.held() == 20 * OKB + BOND
    before = bob.balance
    court.collect(bob, sender=alice)
    assert bob.balance == before + BOND + OKB
    with reverts(court.NothingToCollect):
        court.collect(bob, sender=alice)


def test_an_acquittal_gives_the_bond_to_the_accused(judged, court, case, staked, alice, bob):
    judged.judge_case(case, dict.fromkeys(staked, 0))
    assert judged.staking.freeOf(alice) == STAKE
    assert owed(court, alice, bob) == (BOND, 0)
    assert judged.staking.caseOf(case).isClosed


def test_without_a_quorum_nothing_is_taken_and_the_bond_is_split(
    judged, court, case, staked, alice, bob
):
    judged.end(case, RESPONSE)
    judged.commit_vote(case, staked[0], 40)  # and never revealed
    for phase in (COMMIT, REVEAL, APPEAL):
        judged.end(case, phase)
    court.rule(case, sender=bob)
    assert judged.staking.freeOf(alice) == STAKE
    assert owed(court, alice, bob) == (BOND // 2, BOND // 2)


def test_a_tie_goes_to_the_accused(judged, court, case, staked):
    judged.vote(case, {staked[0]: 40, staked[1]: 10})
    assert tuple(court.verdictOf(case, 1)) == (True, 10)


def test_the_calendar_is_that_of_the_specification(judged, court, case, staked, bob):
    assert court.phaseOf(keccak(b"nothing")) == NO_CASE
    seen = []
    for phase in (RESPONSE, COMMIT, REVEAL, APPEAL):
        seen.append(court.phaseOf(case))
        if phase == APPEAL:
            court.appeal(case, sender=bob, value=2 * BOND)
        judged.end(case, phase)
    for phase in (APPEAL_COMMIT, APPEAL_REVEAL):
        seen.append(court.phaseOf(case))
        judged.end(case, phase)
    assert seen == [RESPONSE, COMMIT, REVEAL, APPEAL, APPEAL_COMMIT, APPEAL_REVEAL]
    assert court.phaseOf(case) == RULING
    court.rule(case, sender=bob)
    assert court.phaseOf(case) == CLOSED
    assert court.longestCase() <= judged.staking.caseSeconds()


def test_time_alone_or_blocks_alone_end_no_phase(judged, court, case, clock):
    clock.pass_time(30 * 86_400)
    assert court.phaseOf(case) == RESPONSE
    clock.pass_blocks(5)
    assert court.phaseOf(case) == COMMIT


# --- appeals


@pytest.mark.parametrize(
    ("first", "second", "by_accuser", "taken", "winner"),
    [
        (20, 10, False, 10, "alice"),
        (20, 30, False, 30, "bob"),
        (20, 20, False, 20, "bob"),
        (20, 30, True, 30, "bob"),
        (20, 0, True, 0, "alice"),
        (20, None, False, 20, "bob"),
        (None, 30, True, 30, "bob"),
        (None, 0, False, 0, "alice"),
        (None, None, True, 0, None),
    ],
)
def test_an_appeal_replaces_the_verdict_and_its_bond_goes_where_the_share_moved(
    judged, court, case, staked, alice, bob, first, second, by_accuser, taken, winner
):
    judged.vote(case, {} if first is None else dict.fromkeys(staked, first))
    court.appeal(case, sender=bob if by_accuser else alice, value=2 * BOND)
    judged.vote(case, {} if second is None else dict.fromkeys(staked, second), second=2)
    receipt = court.rule(case, sender=bob)
    assert court.Ruled.from_receipt(receipt)[0].taken == taken * OKB
    of_alice, of_bob = owed(court, alice, bob)
    if winner is None:
        assert (of_alice, of_bob) == (3 * BOND // 2, 3 * BOND // 2)
    else:
        expected = {"alice": 0, "bob": taken * OKB // 20}
        expected["bob" if taken else "alice"] += BOND
        expected[winner] += 2 * BOND
        assert {"alice": of_alice, "bob": of_bob} == expected
    assert court.balance == judged.held()


def test_an_appeal_needs_a_larger_quorum(judged, court, case, staked):
    judged.clock.pass_time(1)  # only the past can be asked about; 200 OKB are staked
    assert court.quorumOf(case, 1) == 20 * OKB
    assert court.quorumOf(case, 2) == 40 * OKB


def test_appeals_are_for_parties_once_in_their_time_with_their_bond(
    judged, court, case, staked, alice, bob, carol
):
    with reverts(court.WrongPhase, caseId=case, phase=RESPONSE):
        court.appeal(case, sender=bob, value=2 * BOND)
    judged.vote(case, dict.fromkeys(staked, 20))
    with reverts(court.NotParty, caller=carol.address):
        court.appeal(case, sender=carol, value=2 * BOND)
    with reverts(court.BondTooSmall, sent=2 * BOND - 1, least=2 * BOND):
        court.appeal(case, sender=alice, value=2 * BOND - 1)
    court.appeal(case, sender=alice, value=2 * BOND)
    with reverts(court.AlreadyAppealed, caseId=case):
        court.appeal(case, sender=bob, value=2 * BOND)


# --- errors of accusations and votes


@pytest.mark.parametrize(
    ("kind", "most"), [(OUTAGE, 5), (NEGLIGENCE, 20), (MANIPULATION, 50), (FRAUD, 100)]
)
def test_a_class_bounds_the_share(judged, court, staked, alice, bob, kind, most):
    for share in (0, most + 1):
        accusation = judged.accusation(alice, kind=kind, share=share)
        with reverts(court.ShareOutOfRange, share=share, least=1, most=most):
            court.accuse(accusation, "", sender=bob, value=STAKE)
    judged.accuse(bob, alice, kind=kind, share=most)


def test_the_bond_grows_with_the_amount(judged, court, staked, alice, bob):
    assert court.bondFor(10**22, 50) == 10**20
    assert court.bondFor(1, 1) == OKB
    accusation = judged.accusation(alice, share=100)
    with reverts(court.BondTooSmall, sent=2 * OKB - 1, least=2 * OKB):
        court.accuse(accusation, "", sender=bob, value=2 * OKB - 1)


def test_nobody_is_accused_about_nothing(judged, court, staked, bob, carol):
    with reverts(court.NothingAtStake, accused=carol.address, venue=0):
        court.accuse(judged.accusation(carol), "", sender=bob, value=OKB)
    with reverts(court.ZeroAddress):
        court.accuse(judged.accusation(NOBODY), "", sender=bob, value=OKB)


def test_the_accused_answers_until_commits_end(judged, court, case, alice, bob):
    with reverts(court.NotAccused, caller=bob.address, accused=alice.address):
        court.respond(case, SALT, "", sender=bob)
    court.respond(case, SALT, "ipfs://answer", sender=alice)
    judged.end(case, RESPONSE)
    court.respond(case, SALT, "ipfs://more", sender=alice)
    judged.end(case, COMMIT)
    with reverts(court.WrongPhase, caseId=case, phase=REVEAL):
        court.respond(case, SALT, "", sender=alice)


def test_votes_count_once_in_their_time_and_as_committed(
    judged, court, case, staked, bob, accounts
):
    juror = staked[0]
    with reverts(court.WrongPhase, caseId=case, phase=RESPONSE):
        court.commitVote(case, SALT, sender=juror)
    judged.end(case, RESPONSE)
    with reverts(court.ZeroCommitment):
        court.commitVote(case, bytes(32), sender=juror)
    with reverts(court.NoWeight, caseId=case, account=bob.address):
        court.commitVote(case, SALT, sender=bob)
    judged.commit_vote(case, juror, 10)
    judged.commit_vote(case, juror, 30)  # changed its mind
    with reverts(court.WrongPhase, caseId=case, phase=COMMIT):
        court.revealVote(case, 30, SALT, sender=juror)
    judged.end(case, COMMIT)
    with reverts(court.ShareOutOfRange, share=41, least=0, most=40):
        court.revealVote(case, 41, SALT, sender=juror)
    with reverts(court.WrongReveal):
        court.revealVote(case, 10, SALT, sender=juror)
    court.revealVote(case, 30, SALT, sender=juror)
    with reverts(court.WrongReveal):
        court.revealVote(case, 30, SALT, sender=juror)
    assert court.revealedOf(case, 1) == 30 * OKB


def test_a_case_is_not_ruled_before_its_time_nor_twice(judged, court, case, staked, bob):
    judged.vote(case, dict.fromkeys(staked, 20))
    with reverts(court.WrongPhase, caseId=case, phase=APPEAL):
        court.rule(case, sender=bob)
    judged.end(case, APPEAL)
    court.rule(case, sender=bob)
    with reverts(court.WrongPhase, caseId=case, phase=CLOSED):
        court.rule(case, sender=bob)


def test_after_the_vaults_time_nothing_is_taken_and_bonds_still_go_by_the_verdict(
    judged, court, case, staked, alice, bob, params
):
    judged.vote(case, dict.fromkeys(staked, 20))
    judged.clock.pass_both(params.case_seconds, params.case_blocks)
    judged.staking.lapseCase(case, sender=alice)
    court.rule(case, sender=bob)
    assert judged.staking.freeOf(alice) == STAKE
    assert owed(court, bob, alice) == (BOND, 0)


# --- the proof track


def test_two_heads_of_one_block_cost_the_sequencer_its_stake(
    judged, court, sequencer, bob, accounts
):
    judged.stake(sequencer, 50)
    first, second = Head(), Head(head=keccak(b"another"))
    case = judged.prove(bob, first, second)
    assert court.phaseOf(case) == WAITING
    with reverts(court.WrongPhase, caseId=case, phase=WAITING):
        court.rule(case, sender=bob)
    judged.end(case, WAITING)
    court.rule(case, sender=bob)
    assert judged.staking.freeOf(sequencer) == 0
    assert owed(court, bob, accounts[18]) == (5 * OKB // 2, 95 * OKB // 2)
    judged.stake(sequencer, 50)
    for again in ((first, second), (second, first), (first, replace(first, count=5))):
        with reverts(court.EvidenceUsed):
            judged.prove(bob, *again)


@pytest.mark.parametrize(
    "changes",
    [
        {"parent": keccak(b"another")},
        {"first_seq": 25},
        {"time": 10**12 - 1},
    ],
)
def test_a_head_that_does_not_continue_the_one_before_convicts(judged, sequencer, bob, changes):
    first = Head()
    finding = judged.double_head.check(judged.evidence(first, first.next(**changes)))
    assert finding.accused == sequencer
    assert (finding.venue, finding.bps) == (0, 10_000)


def test_digests_are_those_of_the_protocol(judged):
    for head in (Head(), Head().next(), Head(*range(1, 7), b"\x07" * 32)):
        assert bytes(judged.double_head.digestOf(head.fields)) == judged.digest(head)


def test_honest_heads_convict_nobody(judged, bob, alice):
    evidence, first = judged.double_head, Head()
    with reverts(evidence.NoContradiction):
        evidence.check(judged.evidence(first, first))
    with reverts(evidence.NoContradiction):
        evidence.check(judged.evidence(first, first.next()))
    with reverts(evidence.UnrelatedBlocks, first=5, second=7):
        evidence.check(judged.evidence(first, first.next().next()))
    with reverts(evidence.UnrelatedBlocks, first=6, second=5):
        evidence.check(judged.evidence(first.next(), first))
    with reverts(evidence.DifferentEpochs, first=1, second=2):
        evidence.check(judged.evidence(first, replace(first, epoch=2)))
    other = replace(first, epoch=2, count=5)
    with reverts(evidence.UnknownEpoch, epoch=2):
        evidence.check(judged.evidence(replace(first, epoch=2), other))
    with reverts(evidence.WrongSigner):
        evidence.check(judged.evidence(first, replace(first, count=5), signer=alice))


def test_void_heads_convict_nobody(judged):
    evidence, first = judged.double_head, Head()
    void = replace(first, inbox_hash=keccak(b"messages that left L1"))
    with reverts(evidence.VoidHead):
        evidence.check(judged.evidence(first, void))
    with reverts(judged.inbox.IndexOutOfRange):
        evidence.check(judged.evidence(first, replace(first, inbox_index=10**6)))


def test_only_listed_evidence_counts_and_not_against_nothing(
    judged, court, deployer, project, bob, sequencer
):
    data = judged.evidence(Head(), Head(count=5))
    with reverts(court.NotEvidence, evidence=bob.address):
        court.prove(bob, data, sender=bob)
    with reverts(court.NothingAtStake, accused=sequencer.address, venue=0):
        court.prove(judged.double_head, data, sender=bob)
    judged.stake(sequencer, 1)
    court.prove(judged.double_head, data, sender=bob)  # not used up by the attempt


# --- the harmed


@pytest.fixture
def convicted(judged, court, staked, alice, bob, carol, asserter):
    """10 OKB are in the pool; Carol has 30 of 100 atoms of harm, Alice herself 50."""
    for owner in (alice, bob, carol):
        judged.owner_registry.register(owner, sender=owner)  # ids 2, 3, 4
    judged.bond(asserter)
    case = judged.accuse(bob, alice, harm=HARM)
    judged.judge_case(case, dict.fromkeys(staked, 20))
    return case


@pytest.fixture
def harm():
    state = State()
    state.put("asset", HARM, kind=4, total=100)
    values = {"state": 1, "account": 9, "generation": 1, "asset": HARM}
    state.put("balance", 1, **values, owner=4, free=25, locked=5)
    state.put("balance", 2, **values, owner=2, free=50)
    state.put("balance", 3, **values | {"asset": 2}, owner=4, free=20)
    state.put("balance", 4, **values | {"state": 0}, owner=4, free=20)
    return state


def test_the_harmed_are_paid_pro_rata_once(
    judged, court, convicted, harm, alice, bob, carol, asserter
):
    judged.finalized(asserter, harm.root)
    proof = harm.proof("balance", 1)
    with reverts(court.PoolNotOpen, caseId=convicted):
        court.claimHarm(convicted, [proof], sender=bob)
    court.openPool(convicted, harm.proof("asset", HARM), sender=bob)
    with reverts(court.PoolIsOpen, caseId=convicted):
        court.openPool(convicted, harm.proof("asset", HARM), sender=bob)
    court.claimHarm(convicted, [proof], sender=bob)
    assert court.owedTo(carol) == 3 * OKB
    assert court.isPaid(convicted, 1)
    with reverts(court.AlreadyPaid, caseId=convicted, slot=1):
        court.claimHarm(convicted, [proof], sender=carol)
    with reverts(court.OwnerIsAccused, slot=2, accused=alice.address):
        court.claimHarm(convicted, [harm.proof("balance", 2)], sender=alice)
    with reverts(court.WrongAsset, slot=3, asset=2):
        court.claimHarm(convicted, [harm.proof("balance", 3)], sender=carol)
    with reverts(court.NotActive, slot=4):
        court.claimHarm(convicted, [harm.proof("balance", 4)], sender=carol)
    assert court.totalPools() == 7 * OKB
    assert court.balance == judged.held()


def test_what_nobody_claims_goes_to_the_treasury(
    judged, court, convicted, harm, bob, carol, accounts
):
    with reverts(court.PoolRunning):
        court.sweep(convicted, sender=bob)
    judged.clock.pass_both(COURT_PARAMS.claim_seconds, COURT_PARAMS.claim_blocks)
    with reverts(court.PoolOver, caseId=convicted):
        court.openPool(convicted, harm.proof("asset", HARM), sender=bob)
    before = court.owedTo(accounts[18])
    court.sweep(convicted, sender=bob)
    assert court.owedTo(accounts[18]) == before + 10 * OKB
    with reverts(court.PoolOver, caseId=convicted):
        court.sweep(convicted, sender=bob)
    with reverts(court.NoPool, caseId=SALT):
        court.sweep(SALT, sender=bob)


@pytest.mark.parametrize("changes", [{"kind": 3}, {"venue": 1}, {"total": 0}])
def test_only_a_claim_asset_of_the_venue_opens_a_pool(
    judged, court, convicted, bob, asserter, changes
):
    state = State()
    state.put("asset", HARM, **{"kind": 4, "total": 100} | changes)
    judged.finalized(asserter, state.root)
    with reverts(court.NotHarm):
        court.openPool(convicted, state.proof("asset", HARM), sender=bob)


# --- deployment


def test_a_court_that_the_vault_does_not_name_is_not_deployed(judged, deployer, project):
    with pytest.raises(DeploymentError, match="names"):
        deploy_court(deployer, project, judged.deployment, COURT_PARAMS)


@pytest.mark.parametrize(
    ("parameter", "changes"),
    [
        ("minBond", {"min_bond": 0}),
        ("quorumFloor", {"quorum_floor": 0}),
        ("voteAge", {"vote_age": 0}),
        ("voteAge", {"vote_age": 21 * DAY + 1}),
        ("claimSeconds", {"claim_seconds": 0}),
        ("limits", {"limit_seconds": (1, 2, 3, 4, 5, 5, 6)}),
        ("limits", {"limit_blocks": (1, 2, 3, 4, 5, 5, 6)}),
        ("limits", {"limit_seconds": (0, 2, 3, 4, 5, 6, 7)}),
        ("limits", {"limit_seconds": (1, 2, 3, 4, 5, 6, 21 * DAY + 1)}),
        ("limits", {"limit_blocks": (1, 2, 3, 4, 5, 6, 51)}),
        ("proof", {"proof_seconds": 16 * DAY + 1}),
        ("proof", {"proof_blocks": 31}),
    ],
)
def test_a_court_is_not_built_on_bad_numbers(judged, deployer, project, params, parameter, changes):
    named = predict_address(deployer.address, deployer.nonce + 1)
    vault = deploy_vault(deployer, project, judged, params, deployer, named)
    zone = replace(judged.deployment, staking=vault)
    evidence = judged.double_head.address
    good = court_config(zone, evidence, COURT_PARAMS)
    assert constructor_error(deployer, project.SlashingCourt, good) is None
    bad = court_config(zone, evidence, replace(COURT_PARAMS, **changes))
    found = constructor_error(deployer, project.SlashingCourt, bad)
    assert found == error_data("BadConfig(string)", parameter)


def test_an_accused_that_refuses_coin_holds_up_nobody(judged, court, staked, project, carol, bob):
    wallet = carol.deploy(project.HostileRecipient)
    judged.staking.stakeFor(wallet, sender=carol, value=STAKE)
    judged.grow_old()
    case = judged.accuse(bob, wallet)
    judged.judge_case(case, dict.fromkeys(staked, 0))
    wallet.refuse(sender=carol)
    with reverts(court.TransferFailed, to=wallet.address, amount=BOND):
        court.collect(wallet, sender=bob)
    assert court.totalOwed() == BOND
    assert judged.staking.caseOf(case).isClosed


def test_coin_comes_from_the_vault_only(judged, court, bob):
    with reverts(court.NotVault, caller=bob.address):
        bob.transfer(court, 1)


def test_the_parties_stake_does_not_vote(judged, court, staked, alice, bob, chain):
    judged.stake(bob, 500)
    with isolated(chain):
        case = judged.accuse(bob, alice)
        judged.end(case, RESPONSE)
        assert court.weightOf(case, alice) == court.weightOf(case, bob) == 0
        assert court.weightOf(case, staked[0]) == 30 * OKB
