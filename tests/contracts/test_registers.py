"""Bonded registers: joining, order, leaving, convictions by proof, slashes by the court; and attacks."""

import pytest

from scripts._deployment import NOBODY
from scripts._governance import ORDINARY
from scripts._markets_deployment import TWO_WEEKS
from scripts._registers_deployment import RegisterParams
from tests.contracts.driver import (
    DAY,
    OKB,
    attempt,
    constructor_error,
    error_data,
    reverts,
)
from tests.contracts.governed import impersonate
from tests.contracts.register_desk import (
    HEADER,
    ROOTS,
    attest,
    consent,
    contradiction,
    join,
    separator,
    two_heads,
    two_roots,
)
from tradezone.protocol.attestations import attestation_digest, register_key_digest
from tradezone.protocol.hashing import keccak

BOND = OKB
PROOF = (20, 4)  # seconds and blocks from a proof to its ruling
UNBONDING = (120, 20)


@pytest.fixture
def register(trust):
    """The register of verifiers: two attestations are quickly made."""
    return trust.verifier_register


@pytest.fixture
def court(trust, chain):
    """The court of a register: a vote of class ordinary."""
    return impersonate(chain, trust.ordinary_timelock)


@pytest.fixture
def listed(register, alice, bob, carol):
    for account in (alice, bob, carol):
        join(register, account)
    return [alice.address, bob.address, carol.address]


@pytest.fixture
def convicted(trust, register, listed, alice, rival):
    """Alice signed two roots, and Rival shows it; the case."""
    data = two_roots(register, alice)
    receipt = register.prove(trust.attestation, data, sender=rival)
    return bytes(register.Proved.from_receipt(receipt)[0].caseId)


def check_money(register, *accounts):
    owed = register.totalOwed()
    assert register.balance == register.totalBonds() + owed
    assert register.totalBonds() == sum(register.memberOf(account).bond for account in accounts)


# --- joining


def test_members_stand_in_the_order_of_joining(register, listed, alice, bob, carol):
    assert register.members() == listed
    assert register.totalBonds() == 3 * BOND
    entry = register.memberOf(alice)
    assert (entry.key, entry.bond, entry.isActive) == (alice.address, BOND, True)
    assert register.accountOf(alice) == alice.address
    check_money(register, alice, bob, carol)


def test_the_bond_is_exact(register, alice):
    signature = consent(register, alice)
    for sent in (0, BOND - 1, BOND + 1):
        with reverts(register.WrongBond, sent=sent, expected=BOND):
            register.register(alice, signature, sender=alice, value=sent)
    join(register, alice)
    with reverts(register.AlreadyRegistered, account=alice.address):
        join(register, alice)


def test_a_key_belongs_to_whom_it_agreed_to(register, alice, bob, third):
    join(register, alice, third)
    assert register.accountOf(third) == alice.address
    with reverts(register.KeyTaken, key=third.address, account=alice.address):
        register.register(third, consent(register, bob, third), sender=bob, value=BOND)
    # A signature for another account, another register, or by another key, is none.
    for signature in (
        consent(register, alice, bob),
        consent(register, bob, third),
    ):
        is_done, _ = attempt(
            register, register.register.encode_input(bob, signature), bob, value=BOND
        )
        assert not is_done
    with reverts(register.ZeroAddress):
        register.register(NOBODY, consent(register, bob), sender=bob, value=BOND)


def test_consent_to_one_register_is_none_to_another(trust, register, bob):
    signature = consent(trust.sequencer_register, bob)
    call = register.register.encode_input(bob, signature)
    assert not attempt(register, call, bob, value=BOND)[0]
    assert attempt(
        register,
        register.register.encode_input(bob, consent(register, bob)),
        bob,
        value=BOND,
    )[0]


def test_digests_are_those_of_the_protocol(trust, register, alice):
    assert separator(register) == bytes(trust.chain.domainSeparator())
    expected = register_key_digest(
        separator(register),
        bytes.fromhex(register.address[2:]),
        bytes.fromhex(alice.address[2:]),
    )
    assert bytes(register.keyDigest(alice)) == expected
    found = trust.attestation.digestOf((7, HEADER, ROOTS[1]))
    assert bytes(found) == attestation_digest(separator(register), 7, HEADER, ROOTS[1])


def test_a_full_list_takes_nobody(trust, project, deployer, alice, bob, carol):
    config = dict(trust.verifier_register.config().items()) | {"maxMembers": 2}
    small = deployer.deploy(project.BondedRegister, config)
    join(small, alice)
    join(small, bob)
    with reverts(small.RegisterFull, members=2):
        join(small, carol)
    small.leave(sender=alice)
    join(small, carol)
    assert small.members() == [bob.address, carol.address]


# --- keys


def test_what_an_old_key_signed_is_answered_for(trust, register, alice, third, rival):
    join(register, alice)
    register.rotate(third, consent(register, alice, third), sender=alice)
    assert register.memberOf(alice).key == third.address
    assert register.accountOf(alice) == register.accountOf(third) == alice.address
    register.prove(trust.attestation, two_roots(register, alice), sender=rival)
    assert register.memberOf(alice).openCases == 1


def test_keys_are_changed_by_their_members_only(register, listed, alice, bob, third):
    with reverts(register.SameKey, key=alice.address):
        register.rotate(alice, consent(register, alice), sender=alice)
    with reverts(register.KeyTaken, key=bob.address, account=bob.address):
        register.rotate(bob, consent(register, alice, bob), sender=alice)
    with reverts(register.NotRegistered, account=third.address):
        register.rotate(third, consent(register, third), sender=third)
    register.leave(sender=alice)
    with reverts(register.IsLeaving, account=alice.address):
        register.rotate(third, consent(register, alice, third), sender=alice)


# --- leaving


def test_who_leaves_is_off_the_list_at_once_and_waits_for_the_bond(
    register, listed, alice, bob, carol, clock
):
    register.leave(sender=bob)
    assert register.members() == [alice.address, carol.address]
    left = register.memberOf(bob)
    until = {"untilTime": left.leftTime + UNBONDING[0], "untilBlock": left.leftBlock + UNBONDING[1]}
    clock.pass_time(UNBONDING[0])
    with reverts(register.StillRunning, **until):
        register.withdraw(sender=bob)
    clock.pass_blocks(UNBONDING[1])
    before = bob.balance
    receipt = register.withdraw(sender=bob)
    assert bob.balance == before + BOND - receipt.total_fees_paid
    assert register.memberOf(bob).since == 0
    with reverts(register.NotLeaving, account=bob.address):
        register.withdraw(sender=bob)
    check_money(register, alice, carol)
    join(register, bob)  # with the same key
    assert register.members()[-1] == bob.address


def test_nobody_leaves_twice_or_for_another(register, listed, alice, third):
    register.leave(sender=alice)
    with reverts(register.IsLeaving, account=alice.address):
        register.leave(sender=alice)
    with reverts(register.NotRegistered, account=third.address):
        register.leave(sender=third)
    with reverts(register.NotLeaving, account=third.address):
        register.withdraw(sender=third)


# --- the proof track


def test_a_conviction_locks_at_once_and_pays_after_its_time(
    trust, register, convicted, alice, bob, carol, rival, clock
):
    assert register.members() == [bob.address, carol.address]
    assert register.memberOf(alice).bond == BOND
    case = register.caseOf(convicted)
    assert (case.account, case.accuser, case.amount) == (alice.address, rival.address, BOND)
    clock.pass_time(PROOF[0])
    with reverts(
        register.StillRunning,
        untilTime=case.time + PROOF[0],
        untilBlock=case.blockNumber + PROOF[1],
    ):
        register.rule(convicted, sender=bob)
    clock.pass_blocks(PROOF[1])
    assert register.rule(convicted, sender=bob).return_value == BOND
    assert register.memberOf(alice).bond == 0
    assert register.owedTo(rival) == BOND // 20
    assert register.owedTo(trust.treasury) == BOND - BOND // 20
    check_money(register, alice, bob, carol)
    with reverts(register.CaseClosed, caseId=convicted):
        register.rule(convicted, sender=bob)
    before = rival.balance
    register.collect(rival, sender=bob)
    register.collect(trust.treasury, sender=bob)
    assert rival.balance == before + BOND // 20
    assert trust.treasury.balance == BOND - BOND // 20
    with reverts(register.NothingToCollect, account=rival.address):
        register.collect(rival, sender=bob)


def test_one_act_is_punished_once_however_it_is_shown(trust, register, convicted, alice, rival):
    again = contradiction(
        *(attest(register, alice, root=root) for root in (ROOTS[1], keccak(b"a third")))
    )
    nullifier = trust.attestation.check(again).nullifier
    with reverts(
        register.EvidenceUsed,
        evidence=trust.attestation.address,
        nullifier=nullifier,
    ):
        register.prove(trust.attestation, again, sender=rival)
    # Another batch is another act.
    register.prove(trust.attestation, two_roots(register, alice, batch=2), sender=rival)
    assert register.memberOf(alice).openCases == 2


def test_no_case_can_be_run_away_from(trust, register, listed, alice, rival, clock):
    register.leave(sender=alice)
    clock.pass_both(*UNBONDING)
    register.prove(trust.attestation, two_roots(register, alice), sender=rival)
    with reverts(register.CasesOpen, account=alice.address, cases=1):
        register.withdraw(sender=alice)
    clock.pass_both(*PROOF)
    case = keccak(bytes(12) + bytes.fromhex(register.address[2:]) + (1).to_bytes(32, "big"))
    register.rule(case, sender=rival)
    before = alice.balance
    receipt = register.withdraw(sender=alice)
    assert alice.balance == before - receipt.total_fees_paid  # nothing is left


def test_a_second_case_takes_what_the_first_left(trust, register, convicted, alice, rival, clock):
    data = two_roots(register, alice, batch=2)
    receipt = register.prove(trust.attestation, data, sender=rival)
    second = bytes(register.Proved.from_receipt(receipt)[0].caseId)
    clock.pass_both(*PROOF)
    assert register.rule(convicted, sender=rival).return_value == BOND
    assert register.rule(second, sender=rival).return_value == 0
    with reverts(register.NothingAtStake, account=alice.address):
        register.prove(trust.attestation, two_roots(register, alice, batch=3), sender=rival)


def test_a_convicted_member_comes_back_at_the_end_of_the_list(
    register, convicted, alice, bob, carol, third, clock
):
    with reverts(register.WrongBond, sent=BOND, expected=0):
        register.topUp(alice, sender=third, value=BOND)
    clock.pass_both(*PROOF)
    register.rule(convicted, sender=third)
    with reverts(register.WrongBond, sent=BOND - 1, expected=BOND):
        register.topUp(alice, sender=third, value=BOND - 1)
    register.topUp(alice, sender=third, value=BOND)
    assert register.members() == [bob.address, carol.address, alice.address]
    check_money(register, alice, bob, carol)


def test_nobody_comes_back_while_a_case_is_open(
    trust, register, convicted, alice, rival, clock, court
):
    register.slash(alice, 1, sender=court)
    with reverts(register.CasesOpen, account=alice.address, cases=1):
        register.topUp(alice, sender=alice, value=1)
    clock.pass_both(*PROOF)
    assert register.rule(convicted, sender=rival).return_value == BOND - 1


def test_strangers_and_other_evidence_convict_nobody(trust, register, listed, alice, third, rival):
    data = two_roots(register, third)
    with reverts(register.NotRegistered, account=third.address):
        register.prove(trust.attestation, data, sender=rival)
    with reverts(register.NotEvidence, evidence=trust.double_head.address):
        register.prove(trust.double_head, data, sender=rival)
    with reverts(register.UnknownCase, caseId=bytes(32)):
        register.rule(bytes(32), sender=rival)


def test_two_heads_convict_a_sequencer_that_is_registered(trust, sequencer, alice, rival, clock):
    register = trust.sequencer_register
    join(register, alice, sequencer)  # the operator's account is not the key
    receipt = register.prove(trust.double_head, two_heads(register, sequencer), sender=rival)
    case = bytes(register.Proved.from_receipt(receipt)[0].caseId)
    assert register.members() == []
    clock.pass_both(*PROOF)
    assert register.rule(case, sender=rival).return_value == BOND


# --- attestations


def test_a_root_that_is_not_the_final_one_convicts(trust, register, listed, alice, asserter, rival):
    trust.bond(asserter)
    claim = trust.finalized(asserter, "the state")
    batch = trust.chain.claimOf(claim).batch
    header_hash = bytes(trust.chain.headerHashOf(batch))
    root = bytes(trust.chain.claimOf(claim).stateRoot)
    wrong = attest(register, alice, batch, header_hash)
    right = attest(register, alice, batch, header_hash, root)
    evidence = trust.attestation
    assert evidence.check(contradiction(wrong, wrong, claim)).accused == alice.address
    for data, error, values in (
        (contradiction(right, wrong, claim), evidence.NoContradiction, {}),
        (
            contradiction(attest(register, alice, batch), wrong, claim),
            evidence.WrongInputs,
            {"headerHash": HEADER, "expected": header_hash},
        ),
        (
            contradiction(attest(register, alice, batch + 1, header_hash), wrong, claim),
            evidence.WrongClaim,
            {"claim": claim, "batch": batch},
        ),
    ):
        with reverts(error, **values):
            register.prove(evidence, data, sender=rival)
    register.prove(evidence, contradiction(wrong, wrong, claim), sender=rival)
    # The same act, shown by two signatures, is not punished again.
    with reverts(register.EvidenceUsed):
        register.prove(evidence, contradiction(wrong, right), sender=rival)


def test_a_claim_that_is_not_final_refutes_nothing(trust, register, listed, alice, asserter, rival):
    trust.bond(asserter)
    claim = trust.claim(asserter, trust.genesis, "a claim")
    batch = trust.chain.claimOf(claim).batch
    wrong = attest(register, alice, batch, bytes(trust.chain.headerHashOf(batch)))
    with reverts(trust.attestation.NotYetFinal, claim=claim):
        register.prove(trust.attestation, contradiction(wrong, wrong, claim), sender=rival)


def test_attestations_that_agree_or_are_unrelated_convict_nobody(
    trust, register, listed, alice, bob, rival
):
    evidence, first = trust.attestation, attest(register, alice)
    for second, error, values in (
        (first, evidence.NoContradiction, {}),
        (
            attest(register, alice, batch=2, root=ROOTS[1]),
            evidence.UnrelatedAttestations,
            {"first": 1, "second": 2},
        ),
        (
            attest(register, alice, header_hash=ROOTS[0], root=ROOTS[1]),
            evidence.UnrelatedAttestations,
            {"first": 1, "second": 1},
        ),
        (
            attest(register, bob, root=ROOTS[1]),
            evidence.DifferentSigners,
            {"first": alice.address, "second": bob.address},
        ),
    ):
        with reverts(error, **values):
            register.prove(evidence, contradiction(first, second), sender=rival)
    assert register.memberOf(alice).openCases == 0


# --- the court


def test_the_court_takes_any_part_at_once_and_nobody_else_does(
    trust, register, listed, court, alice, bob, carol, deployer
):
    for thief in (alice, bob, deployer, trust.sequencer):
        with reverts(register.NotCourt, caller=thief.address, court=court.address):
            register.slash(alice, 1, sender=thief)
    for amount in (0, BOND + 1):
        with reverts(register.AmountOutOfRange, amount=amount, bond=BOND):
            register.slash(alice, amount, sender=court)
    register.slash(alice, BOND // 4, sender=court)
    assert register.members() == [bob.address, carol.address]
    assert register.owedTo(trust.treasury) == BOND // 4
    register.topUp(alice, sender=alice, value=BOND // 4)
    assert register.members() == [bob.address, carol.address, alice.address]
    register.leave(sender=alice)
    register.slash(alice, BOND, sender=court)
    with reverts(register.AmountOutOfRange, amount=1, bond=0):
        register.slash(alice, 1, sender=court)
    with reverts(register.IsLeaving, account=alice.address):
        register.topUp(alice, sender=alice, value=BOND)
    check_money(register, alice, bob, carol)


def test_a_vote_slashes_a_member(trust, register, listed, alice, deployer):
    trust.stake(deployer)
    trust.grow_old()
    draft = trust.draft("ordinary", (register, "slash", alice.address, BOND // 2))
    trust.enact(draft, deployer, deployer)
    assert register.memberOf(alice).bond == BOND // 2


# --- money


def test_forced_coin_changes_nothing(register, listed, alice, clock):
    clock.force_coin(register, 7)
    register.leave(sender=alice)
    clock.pass_both(*UNBONDING)
    register.withdraw(sender=alice)
    assert register.balance == 2 * BOND + 7
    is_done, _ = attempt(register, b"", alice, value=1)
    assert not is_done


def test_a_recipient_that_refuses_coin_holds_up_nobody(
    trust, register, listed, convicted, alice, rival, clock, project, deployer
):
    hostile = deployer.deploy(project.HostileRecipient)
    data = two_roots(register, alice, batch=5)
    # The hostile contract is the accuser: it gets nothing, everybody else is paid.
    assert attempt(register, register.prove.encode_input(trust.attestation, data), hostile)[0]
    clock.pass_both(*PROOF)
    register.rule(convicted, sender=rival)
    register.collect(rival, sender=rival)
    register.collect(trust.treasury, sender=rival)
    assert register.totalOwed() == 0


# --- construction


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chain", NOBODY),
        ("court", NOBODY),
        ("treasury", NOBODY),
        ("evidence", [NOBODY]),
        ("bond", 9_999),
        ("bond", 2**128),
        ("maxMembers", 0),
        ("maxMembers", 65),
        ("proofSeconds", 0),
        ("unbondingSeconds", 20),
        ("unbondingBlocks", 3),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(
    register, deployer, project, name, value
):
    good = dict(register.config().items())
    assert constructor_error(deployer, project.BondedRegister, good) is None
    error = error_data("ZeroAddress()")
    if name not in ("chain", "court", "treasury", "evidence"):
        parameter = name.removesuffix("Seconds").removesuffix("Blocks")
        error = error_data("BadConfig(string)", parameter)
    bad = good | {name: value}
    assert constructor_error(deployer, project.BondedRegister, bad) == error


def test_no_evidence_without_a_chain(deployer, project):
    found = constructor_error(deployer, project.AttestationEvidence, NOBODY)
    assert found == error_data("ZeroAddress()")


def test_a_vote_is_done_before_a_bond_leaves_and_an_arbiter_is_late():
    """In production a vote of class ordinary takes at most eleven days, a late quorum included."""
    longest = ORDINARY.voting_delay + ORDINARY.voting_period + ORDINARY.late_extension
    longest += ORDINARY.timelock_delay
    assert longest <= 11 * DAY < RegisterParams().unbonding_seconds
    assert longest <= 11 * DAY < TWO_WEEKS.time  # that of the arbiter
