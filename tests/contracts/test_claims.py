"""Claims without rivals: what may be claimed, windows by time and blocks, order, bonds."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.driver import (
    DEAD,
    FINAL,
    NO_CLAIM,
    NONE,
    OPEN,
    isolated,
    reverts,
    root_named,
    tries,
)
from tradezone.protocol.batches import claim_id

STRIDE = 2


@pytest.fixture
def bonded(zone, asserter):
    zone.bond(asserter)
    return asserter


def test_a_claim_is_recorded_with_the_id_that_python_computes(zone, bonded):
    zone.commit_to(STRIDE)
    header_hash, state_root = bytes(zone.chain.headerHashOf(STRIDE)), root_named("one")
    expected = claim_id(zone.genesis, STRIDE, header_hash, state_root)
    receipt = zone.chain.claim(zone.genesis, STRIDE, header_hash, state_root, sender=bonded)
    assert bytes(receipt.return_value) == expected
    entry = zone.chain.claimOf(expected)
    assert (bytes(entry.parent), bytes(entry.stateRoot)) == (zone.genesis, state_root)
    assert (entry.asserter, entry.batch, entry.status) == (bonded, STRIDE, OPEN)
    assert (entry.time, entry.blockNumber) == (receipt.timestamp, receipt.block_number)
    assert bytes(zone.chain.rootOf(expected)) == state_root
    assert not zone.chain.isFinal(expected)
    event = zone.chain.Claimed.from_receipt(receipt)[0]
    assert (bytes(event.claim), event.asserter, event.children) == (expected, bonded, 1)


def test_anyone_with_a_bond_claims_and_nobody_without(zone, bonded, alice):
    with reverts(zone.chain.NotBonded, asserter=alice.address):
        zone.claim(alice, zone.genesis, "one")
    zone.bond(alice)
    zone.claim(alice, zone.genesis, "one")


def test_a_zero_root_is_no_state(zone, bonded):
    zone.commit_to(STRIDE)
    with reverts(zone.chain.ZeroStateRoot):
        zone.chain.claim(
            zone.genesis, STRIDE, zone.chain.headerHashOf(STRIDE), bytes(32), sender=bonded
        )


@pytest.mark.parametrize("batch", [0, 1, 3, 4, 2**64 - 1])
def test_a_claim_covers_exactly_one_stride(zone, bonded, batch):
    zone.commit_to(2 * STRIDE)
    with reverts(zone.chain.WrongBatch, given=batch, expected=STRIDE):
        zone.chain.claim(zone.genesis, batch, bytes(32), root_named("one"), sender=bonded)


def test_only_committed_batches_are_claimed(zone, bonded):
    zone.commit_to(STRIDE - 1)
    with reverts(zone.chain.UnknownBatch, number=STRIDE, last=STRIDE - 1):
        zone.chain.claim(zone.genesis, STRIDE, bytes(32), root_named("one"), sender=bonded)


def test_a_claim_names_the_history_it_is_about(zone, bonded):
    zone.commit_to(STRIDE)
    committed, other = bytes(zone.chain.headerHashOf(STRIDE)), root_named("another history")
    with reverts(zone.chain.WrongHeader, given=other, committed=committed):
        zone.chain.claim(zone.genesis, STRIDE, other, root_named("one"), sender=bonded)


def test_a_claim_has_a_parent_that_exists(zone, bonded):
    zone.commit_to(STRIDE)
    unknown = root_named("no claim")
    with reverts(zone.chain.UnknownClaim, claim=unknown):
        zone.chain.claim(unknown, STRIDE, bytes(32), root_named("one"), sender=bonded)


def test_a_claim_is_made_once(zone, bonded, rival):
    claim = zone.claim(bonded, zone.genesis, "one")
    zone.bond(rival)
    for account in (bonded, rival):
        with reverts(zone.chain.ClaimExists, claim=claim):
            zone.claim(account, zone.genesis, "one")


@settings(max_examples=tries(10), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state_root=st.binary(min_size=32, max_size=32).filter(any))
def test_any_root_makes_the_id_that_python_computes(zone, asserter, state_root, chain):
    with isolated(chain):
        zone.bond(asserter)
        zone.commit_to(STRIDE)
        header_hash = bytes(zone.chain.headerHashOf(STRIDE))
        receipt = zone.chain.claim(zone.genesis, STRIDE, header_hash, state_root, sender=asserter)
        expected = claim_id(zone.genesis, STRIDE, header_hash, state_root)
        assert bytes(receipt.return_value) == expected


# --- finality


def test_a_claim_is_final_after_its_window(zone, bonded):
    claim = zone.claim(bonded, zone.genesis, "one")
    zone.pass_window()
    receipt = zone.chain.finalize(claim, sender=zone.deployer)
    assert zone.status(claim) == FINAL
    assert zone.chain.isFinal(claim)
    assert bytes(zone.chain.latestFinal()) == claim
    assert bytes(zone.chain.finalRootOf(claim)) == root_named("one")
    assert zone.chain.Finalized(claim=claim, batch=STRIDE, stateRoot=root_named("one")) in (
        receipt.events
    )


def test_a_window_needs_its_time_and_its_blocks(zone, bonded, params, chain, clock):
    claim = zone.claim(bonded, zone.genesis, "one")
    entry = zone.chain.claimOf(claim)
    until = {
        "untilTime": entry.time + params.window_seconds,
        "untilBlock": entry.blockNumber + params.window_blocks,
    }
    with isolated(chain):  # time alone: L1 stood still and came back (A8)
        clock.pass_time(10 * params.window_seconds)
        with reverts(zone.chain.WindowRunning, **until):
            zone.finalize(claim)
    with isolated(chain):  # blocks alone
        clock.pass_blocks(10 * params.window_blocks)
        with reverts(zone.chain.WindowRunning, **until):
            zone.finalize(claim)
    with isolated(chain):  # one second short
        clock.pass_blocks(params.window_blocks)
        clock.set_next(until["untilTime"] - 1)
        with reverts(zone.chain.WindowRunning, **until):
            zone.finalize(claim)
    with isolated(chain):  # one block short
        clock.pass_blocks(until["untilBlock"] - 2 - clock.block)
        clock.set_next(until["untilTime"])
        with reverts(zone.chain.WindowRunning, **until):
            zone.finalize(claim)
    with isolated(chain):  # to the second
        clock.pass_blocks(params.window_blocks)
        clock.set_next(until["untilTime"])
        zone.finalize(claim)
    clock.pass_time(params.window_seconds)  # to the block
    clock.pass_blocks(until["untilBlock"] - 1 - clock.block)
    assert clock.block == until["untilBlock"] - 1
    zone.finalize(claim)


def test_claims_become_final_in_order(zone, bonded):
    first = zone.claim(bonded, zone.genesis, "one")
    second = zone.claim(bonded, first, "two")
    zone.pass_window()
    with reverts(zone.chain.ParentNotFinal, parent=first):
        zone.finalize(second)
    zone.finalize(first)
    zone.finalize(second)
    assert bytes(zone.chain.latestFinal()) == second


def test_each_claim_has_its_own_window(zone, bonded):
    first = zone.claim(bonded, zone.genesis, "one")
    zone.pass_window()
    second = zone.claim(bonded, first, "two")
    zone.finalize(first)
    with reverts(zone.chain.WindowRunning):
        zone.finalize(second)


def test_a_claim_becomes_final_once(zone, bonded):
    claim = zone.finalized(bonded, "one")
    with reverts(zone.chain.ClaimNotOpen, claim=claim, status=FINAL):
        zone.finalize(claim)


def test_only_claims_become_final(zone):
    unknown = root_named("no claim")
    with reverts(zone.chain.UnknownClaim, claim=unknown):
        zone.finalize(unknown)
    with reverts(zone.chain.UnknownClaim, claim=unknown):
        zone.chain.rootOf(unknown)
    with reverts(zone.chain.UnknownClaim, claim=NO_CLAIM):
        zone.finalize(NO_CLAIM)
    with reverts(zone.chain.ClaimNotFinal, claim=unknown):
        zone.chain.finalRootOf(unknown)
    assert zone.status(unknown) == NONE


def test_an_open_claim_has_no_final_root(zone, bonded):
    claim = zone.claim(bonded, zone.genesis, "one")
    with reverts(zone.chain.ClaimNotFinal, claim=claim):
        zone.chain.finalRootOf(claim)


def test_a_claim_without_rival_is_not_dismissed_nor_resolved_nor_frozen(zone, bonded):
    claim = zone.claim(bonded, zone.genesis, "one")
    with reverts(zone.chain.NotLost, claim=claim):
        zone.chain.dismiss(claim, sender=bonded)
    for function in (zone.chain.resolve, zone.chain.freeze):
        with reverts(zone.chain.NotContested, parent=zone.genesis):
            function(zone.genesis, sender=bonded)
    assert zone.status(claim) != DEAD


# --- bonds


def test_one_bond_stands_behind_a_whole_chain_of_claims(zone, bonded):
    claim = zone.genesis
    for name in ("one", "two", "three"):
        claim = zone.claim(bonded, claim, name)
    asserter = zone.chain.asserterOf(bonded)
    assert (bytes(asserter.lastClaim), asserter.openClaims, asserter.isBonded) == (claim, 3, True)
    assert zone.chain.balance == zone.params.claim_bond


def test_the_bond_is_exact_and_posted_once(zone, asserter, params):
    for sent in (0, params.claim_bond - 1, params.claim_bond + 1):
        with reverts(zone.chain.WrongBond, sent=sent, expected=params.claim_bond):
            zone.chain.postBond(sender=asserter, value=sent)
    zone.bond(asserter)
    with reverts(zone.chain.AlreadyBonded, asserter=asserter.address):
        zone.bond(asserter)


def test_the_bond_is_free_when_no_claim_is_open(zone, bonded, params):
    claim = zone.claim(bonded, zone.genesis, "one")
    with reverts(zone.chain.BondInUse, asserter=bonded.address, openClaims=1):
        zone.chain.withdrawBond(sender=bonded)
    zone.pass_window()
    zone.finalize(claim)
    before = bonded.balance
    receipt = zone.chain.withdrawBond(sender=bonded)
    assert bonded.balance == before + params.claim_bond - receipt.total_fees_paid
    assert zone.chain.balance == 0
    with reverts(zone.chain.NotBonded, asserter=bonded.address):
        zone.chain.withdrawBond(sender=bonded)
    with reverts(zone.chain.NotBonded, asserter=bonded.address):
        zone.claim(bonded, claim, "two")


def test_a_bond_that_cannot_be_paid_stays(zone, alice, project, params):
    wallet = alice.deploy(project.HostileRecipient)
    wallet.execute(
        zone.chain,
        zone.chain.postBond.encode_input(),
        sender=alice,
        value=params.claim_bond,
    )
    wallet.refuse(sender=alice)
    with reverts(zone.chain.TransferFailed, to=wallet.address, amount=params.claim_bond):
        wallet.execute(zone.chain, zone.chain.withdrawBond.encode_input(), sender=alice)
    assert zone.chain.asserterOf(wallet).isBonded


def test_a_bond_is_withdrawn_once_even_by_a_contract_that_calls_back(zone, alice, project, params):
    wallet = alice.deploy(project.HostileRecipient)
    zone.bond(alice)  # somebody else's money is there to be stolen
    post, withdraw = (
        zone.chain.postBond.encode_input(),
        zone.chain.withdrawBond.encode_input(),
    )
    wallet.execute(zone.chain, post, sender=alice, value=params.claim_bond)
    wallet.call_back(zone.chain, withdraw, sender=alice)
    wallet.execute(zone.chain, withdraw, sender=alice)
    assert not wallet.is_success()
    assert (wallet.balance, zone.chain.balance) == (params.claim_bond, params.claim_bond)


def test_nothing_is_collected_by_those_who_won_nothing(zone, alice):
    with reverts(zone.chain.NothingToCollect, account=alice.address):
        zone.chain.collect(alice, sender=alice)


def test_an_asserter_stays_on_one_path(zone, bonded, rival):
    """With open claims an asserter builds on its last one, or on what others built on it."""
    first = zone.claim(bonded, zone.genesis, "one")
    with reverts(zone.chain.NotOnOnePath, lastClaim=first, parent=zone.genesis):
        zone.claim(bonded, zone.genesis, "rival of my own")
    zone.bond(rival)
    theirs = zone.claim(rival, first, "two")
    theirs = zone.claim(rival, theirs, "three")
    mine = zone.claim(bonded, theirs, "four")
    with reverts(zone.chain.NotOnOnePath, lastClaim=mine, parent=theirs):
        zone.claim(bonded, theirs, "another four")
    with reverts(zone.chain.NotOnOnePath, lastClaim=mine, parent=first):
        zone.claim(bonded, first, "another two")


def test_an_asserter_does_not_jump_to_a_branch_beside_its_own(zone, bonded, rival):
    mine = zone.claim(bonded, zone.genesis, "one")
    zone.bond(rival)
    other = zone.claim(rival, zone.genesis, "rival one")
    for parent in (other, zone.claim(rival, other, "rival two")):
        with reverts(zone.chain.NotOnOnePath, lastClaim=mine, parent=parent):
            zone.claim(bonded, parent, "on the other side")


def test_once_all_its_claims_are_final_an_asserter_may_start_anywhere(zone, bonded, rival):
    first = zone.finalized(bonded, "one")
    zone.bond(rival)
    theirs = zone.claim(rival, first, "two")
    zone.claim(bonded, theirs, "three")
