"""Withdrawals: a proof pays its recipient once, whatever the call looks like; one failure harms no other."""

import ape
import numpy as np
import pytest
from eth_abi import encode

from tests.contracts.conftest import fund, register
from tests.contracts.driver import (
    GWEI,
    OKB,
    Outbox,
    attempt,
    error_of,
    isolated,
    reverts,
    root_named,
)
from tests.vectors import make_tree as slow
from tradezone.protocol.enums import (
    OUTBOX_FORCED_RESULT,
    OUTBOX_INCIDENT,
    OUTBOX_INSOLVENCY,
    OUTBOX_WITHDRAWAL,
)
from tradezone.protocol.hashing import keccak
from tradezone.protocol.records import OUTBOX
from tradezone.state.tree import RecordTree

GAS = 30_000_000


@pytest.fixture
def funded(zone, alice, asserter):
    """The vault owes 1000 gwei of native coin; an asserter is bonded."""
    zone.vault.depositNative(alice, sender=alice, value=1000 * GWEI)
    zone.bond(asserter)


@pytest.fixture
def outbox(alice, bob, carol):
    outbox = Outbox()
    outbox.withdrawal(7, alice, asset=1, amount=100)
    outbox.withdrawal(8, bob, asset=1, amount=200)
    outbox.withdrawal(2**19, carol, asset=1, amount=300)
    return outbox


@pytest.fixture
def claim(zone, funded, outbox, asserter):
    return zone.finalized(asserter, outbox.root)


# --- one


def test_anyone_submits_and_the_recipient_is_paid(zone, claim, outbox, bob, deployer):
    before = bob.balance
    receipt = zone.withdrawals.withdraw(claim, outbox.proof(8), sender=deployer)
    assert bob.balance == before + 200 * GWEI
    assert zone.withdrawals.isPaid(8)
    assert zone.vault.outstanding(1) == 800
    paid = zone.withdrawals.WithdrawalPaid(id=8, asset=1, recipient=bob, atoms=200, claim=claim)
    assert paid in receipt.events


def test_the_tree_of_the_zone_is_the_one_that_is_proven_against(zone, funded, asserter, bob):
    """The same record through the zone's own state arrays and tree."""
    table = np.zeros(64, OUTBOX.dtype)
    record = table[9]
    raw = int(bob.address, 16)
    record["recipient0"], record["recipient1"] = raw % 2**64, raw >> 64 & (2**64 - 1)
    record["recipient2"] = raw >> 128
    record["kind"], record["asset"], record["amount"] = OUTBOX_WITHDRAWAL, 1, 55
    record["time"] = 123
    tree = RecordTree()
    root = tree.commit({OUTBOX.number: table}, np.array([OUTBOX.number << 32 | 9], np.uint64))
    claim = zone.finalized(asserter, root)
    words = record.tobytes()
    proof = (9, [words[31::-1], words[:31:-1]], tree.prove(OUTBOX.number, 9))
    before = bob.balance
    zone.withdrawals.withdraw(claim, proof, sender=zone.deployer)
    assert bob.balance == before + 55 * GWEI


def test_a_withdrawal_is_paid_once(zone, claim, outbox, deployer):
    zone.withdrawals.withdraw(claim, outbox.proof(7), sender=deployer)
    with reverts(zone.withdrawals.AlreadyPaid, id=7):
        zone.withdrawals.withdraw(claim, outbox.proof(7), sender=deployer)
    assert zone.vault.outstanding(1) == 900


def test_a_later_claim_with_the_same_record_pays_nothing_more(
    zone, claim, outbox, asserter, deployer, carol
):
    zone.withdrawals.withdraw(claim, outbox.proof(7), sender=deployer)
    outbox.withdrawal(9, carol, asset=1, amount=1)
    later = zone.finalized(asserter, outbox.root)
    with reverts(zone.withdrawals.AlreadyPaid, id=7):
        zone.withdrawals.withdraw(later, outbox.proof(7), sender=deployer)
    zone.withdrawals.withdraw(later, outbox.proof(9), sender=deployer)


def test_an_older_final_claim_pays_what_is_not_paid_yet(zone, claim, outbox, asserter, deployer):
    proof = outbox.proof(7)
    zone.finalized(asserter, "a later state")
    zone.withdrawals.withdraw(claim, proof, sender=deployer)


def test_another_encoding_of_the_call_pays_nothing_more(zone, claim, outbox, deployer):
    """Trailing bytes, and the dynamic parts of the proof in another order (A3)."""
    call = bytes(zone.withdrawals.withdraw.encode_input(claim, outbox.proof(7)))
    reordered = call[:4] + reordered_withdraw(claim, outbox.proof(7))
    assert reordered != call
    for first in (call + b"\x00" * 7, reordered):
        with isolated(ape.chain):
            send(deployer, zone.withdrawals, first)
            assert zone.withdrawals.isPaid(7)
            for again in (call, call + bytes(32), call + call, reordered, reordered + b"\xff"):
                with pytest.raises(ape.exceptions.ContractLogicError):
                    send(deployer, zone.withdrawals, again)
            assert zone.vault.outstanding(1) == 900


def reordered_withdraw(claim, proof) -> bytes:
    """ABI arguments of `withdraw` with the siblings before the words."""
    slot, words, siblings = proof
    body_words = encode(["bytes32[]"], [words])[32:]
    body_siblings = encode(["bytes32[]"], [siblings])[32:]
    head = 3 * 32
    struct = (
        slot.to_bytes(32, "big")
        + (head + len(body_siblings)).to_bytes(32, "big")
        + head.to_bytes(32, "big")
        + body_siblings
        + body_words
    )
    return claim + (64).to_bytes(32, "big") + struct


def send(account, contract, data: bytes, **options):
    transaction = ape.networks.provider.network.ecosystem.create_transaction(
        receiver=contract.address, data=data, gas=GAS, **options
    )
    return account.call(transaction)


# --- what is not paid


def test_a_claim_that_is_not_final_pays_nothing(zone, funded, outbox, asserter, deployer):
    claim = zone.claim(asserter, zone.genesis, outbox.root)
    for unknown in (claim, root_named("no claim"), bytes(32)):
        with reverts(zone.chain.ClaimNotFinal, claim=unknown):
            zone.withdrawals.withdraw(unknown, outbox.proof(7), sender=deployer)
        with reverts(zone.chain.ClaimNotFinal, claim=unknown):
            zone.withdrawals.withdrawMany(unknown, [outbox.proof(7)], sender=deployer)


def test_a_claim_of_another_state_pays_nothing(zone, claim, outbox, asserter, deployer):
    other = zone.finalized(asserter, "another state")
    with reverts(zone.withdrawals.WrongRoot):
        zone.withdrawals.withdraw(other, outbox.proof(7), sender=deployer)


@pytest.mark.parametrize("slot", [6, 8, 7 ^ 2**19, 2**32 - 1, 0])
def test_a_proof_holds_for_its_own_slot_only(zone, claim, outbox, deployer, slot):
    """Else a record would be paid once for every id (A2)."""
    _, words, siblings = outbox.proof(7)
    with reverts(zone.withdrawals.WrongRoot):
        zone.withdrawals.withdraw(claim, (slot, words, siblings), sender=deployer)


def test_an_id_beyond_32_bits_does_not_wrap_around(zone, claim, outbox, deployer):
    call = bytearray(zone.withdrawals.withdraw.encode_input(claim, outbox.proof(7)))
    place = call.index((7).to_bytes(32, "big"))
    call[place : place + 32] = (7 + 2**32).to_bytes(32, "big")
    with pytest.raises(ape.exceptions.ContractLogicError):
        send(deployer, zone.withdrawals, bytes(call))


def test_every_bit_of_a_record_is_proven(zone, claim, outbox, deployer):
    slot, words, siblings = outbox.proof(7)
    for word in (0, 1):
        for bit in (0, 8, 127, 160, 192, 224, 255):
            changed = list(words)
            value = int.from_bytes(changed[word], "big") ^ 1 << bit
            changed[word] = value.to_bytes(32, "big")
            call = zone.withdrawals.withdraw.encode_input(claim, (slot, changed, siblings))
            error = error_of(zone.withdrawals, call, deployer)
            assert error[:4] == keccak(b"WrongRoot(bytes32,bytes32)")[:4]


@pytest.mark.parametrize("level", [0, 1, 20, 39])
def test_every_sibling_is_needed(zone, claim, outbox, deployer, level):
    slot, words, siblings = outbox.proof(7)
    changed = list(siblings)
    changed[level] = root_named("another sibling")
    with reverts(zone.withdrawals.WrongRoot):
        zone.withdrawals.withdraw(claim, (slot, words, changed), sender=deployer)


def test_a_proof_has_40_siblings(zone, claim, outbox, deployer):
    """No node is taken for a leaf and no leaf for a node (A1)."""
    slot, words, siblings = outbox.proof(7)
    for wrong in ([], siblings[:-1], siblings[1:], [*siblings, bytes(32)], siblings * 2):
        with reverts(zone.withdrawals.WrongProofLength, received=len(wrong), expected=40):
            zone.withdrawals.withdraw(claim, (slot, words, wrong), sender=deployer)


def test_a_record_has_2_words(zone, claim, outbox, deployer):
    slot, words, siblings = outbox.proof(7)
    for wrong in ([], words[:1], [*words, bytes(32)]):
        with reverts(zone.withdrawals.WrongWordCount):
            zone.withdrawals.withdraw(claim, (slot, wrong, siblings), sender=deployer)


def test_an_empty_slot_is_no_withdrawal(zone, claim, outbox, deployer):
    empty = (5, [bytes(32), bytes(32)], outbox.siblings(5))
    with reverts(zone.withdrawals.NotAWithdrawal, id=5, kind=0):
        zone.withdrawals.withdraw(claim, empty, sender=deployer)


@pytest.mark.parametrize("kind", [OUTBOX_FORCED_RESULT, OUTBOX_INCIDENT, OUTBOX_INSOLVENCY, 255])
def test_other_messages_are_no_withdrawals(zone, funded, asserter, alice, deployer, kind):
    outbox = Outbox()
    outbox.withdrawal(7, alice, asset=1, amount=100, kind=kind)
    claim = zone.finalized(asserter, outbox.root)
    with reverts(zone.withdrawals.NotAWithdrawal, id=7, kind=kind):
        zone.withdrawals.withdraw(claim, outbox.proof(7), sender=deployer)


def test_a_record_of_another_table_is_no_withdrawal(zone, funded, asserter, alice, deployer):
    """The same words at the same slot of another table."""
    outbox = Outbox()
    outbox.withdrawal(7, alice, asset=1, amount=100)
    words = [int.from_bytes(word, "big") for word in outbox.words(7)]
    for other in (7, OUTBOX.number - 1, OUTBOX.number + 1):
        index = slow.index_of(other, 7)
        leaves = {index: slow.leaf_of(other, 7, words)}
        claim = zone.finalized(asserter, slow.root_of(leaves, slow.DEPTH))
        siblings = slow.proof_of(leaves, index, slow.DEPTH)
        with reverts(zone.withdrawals.WrongRoot):
            zone.withdrawals.withdraw(claim, (7, outbox.words(7), siblings), sender=deployer)


def test_no_more_is_paid_than_the_vault_owes(zone, funded, asserter, alice, deployer, clock):
    outbox = Outbox()
    outbox.withdrawal(7, alice, asset=1, amount=1001)
    outbox.withdrawal(8, alice, asset=99, amount=1)
    claim = zone.finalized(asserter, outbox.root)
    clock.force_coin(zone.vault, OKB)
    with reverts(zone.vault.InsufficientOutstanding, asset=1, atoms=1001, outstanding=1000):
        zone.withdrawals.withdraw(claim, outbox.proof(7), sender=deployer)
    with reverts(zone.vault.InsufficientOutstanding, asset=99, atoms=1, outstanding=0):
        zone.withdrawals.withdraw(claim, outbox.proof(8), sender=deployer)
    assert not zone.withdrawals.isPaid(7)


def test_a_frozen_chain_still_pays(zone, claim, outbox, asserter, rival, deployer, alice):
    zone.bond(rival)
    last = bytes(zone.chain.latestFinal())
    zone.claim(asserter, last, "one")
    zone.claim(rival, last, "other")
    zone.pass_judge_time()
    zone.chain.freeze(last, sender=deployer)
    before = alice.balance
    zone.withdrawals.withdraw(claim, outbox.proof(7), sender=deployer)
    assert alice.balance == before + 100 * GWEI


# --- many


def test_many_are_paid_in_one_call(zone, claim, outbox, deployer, alice, bob, carol):
    before = [account.balance for account in (alice, bob, carol)]
    proofs = [outbox.proof(slot) for slot in (7, 8, 2**19)]
    receipt = zone.withdrawals.withdrawMany(claim, proofs, sender=deployer)
    assert receipt.return_value == 3
    after = [account.balance for account in (alice, bob, carol)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [
        100 * GWEI,
        200 * GWEI,
        300 * GWEI,
    ]
    assert zone.vault.outstanding(1) == 400


def test_a_withdrawal_named_twice_in_one_call_is_paid_once(zone, claim, outbox, deployer):
    proofs = [outbox.proof(7), outbox.proof(7), outbox.proof(8)]
    receipt = zone.withdrawals.withdrawMany(claim, proofs, sender=deployer)
    assert receipt.return_value == 2
    assert zone.withdrawals.WithdrawalBlocked(id=7) in receipt.events
    assert zone.vault.outstanding(1) == 700


def test_a_bad_proof_among_many_blocks_nobody(zone, claim, outbox, deployer):
    slot, words, siblings = outbox.proof(7)
    bad = [(slot, words, siblings[:-1]), (6, words, siblings), (slot, [], [])]
    receipt = zone.withdrawals.withdrawMany(claim, [*bad, outbox.proof(8)], sender=deployer)
    assert receipt.return_value == 1
    assert zone.withdrawals.isPaid(8)
    assert not zone.withdrawals.isPaid(7)


@pytest.mark.parametrize("mode", ["refuse", "burn_gas", "return_bomb"])
def test_a_recipient_that_misbehaves_blocks_only_itself(
    zone, funded, asserter, alice, bob, deployer, project, mode
):
    wallet = alice.deploy(project.HostileRecipient)
    getattr(wallet, mode)(sender=alice)
    outbox = Outbox()
    for slot in range(1, 9):
        outbox.withdrawal(slot, wallet if slot in (1, 4) else bob, asset=1, amount=10)
    claim = zone.finalized(asserter, outbox.root)
    before = bob.balance
    receipt = zone.withdrawals.withdrawMany(
        claim, [outbox.proof(slot) for slot in range(1, 9)], sender=deployer
    )
    assert receipt.return_value == 6
    assert bob.balance == before + 60 * GWEI
    blocked = zone.withdrawals.WithdrawalBlocked.from_receipt(receipt)
    assert [event.id for event in blocked] == [1, 4]
    assert receipt.gas_used < 4_000_000

    wallet.accept(sender=alice)  # still claimable
    zone.withdrawals.withdraw(claim, outbox.proof(1), sender=deployer)
    zone.withdrawals.withdrawMany(claim, [outbox.proof(4)], sender=deployer)
    assert wallet.balance == 20 * GWEI


def test_a_blacklisted_recipient_among_many_blocks_only_itself(
    zone, asserter, alice, bob, carol, deployer, project
):
    token = alice.deploy(project.BlacklistToken)
    asset = register(zone, alice, token)
    fund(zone, token, alice, 100)
    zone.vault.deposit(asset, 100, alice, sender=alice)
    zone.bond(asserter)
    outbox = Outbox()
    for slot, account in enumerate((bob, carol, alice), start=1):
        outbox.withdrawal(slot, account, asset=asset, amount=10)
    claim = zone.finalized(asserter, outbox.root)
    token.set_blocked(carol, True, sender=alice)
    proofs = [outbox.proof(slot) for slot in (1, 2, 3)]
    assert zone.withdrawals.withdrawMany(claim, proofs, sender=deployer).return_value == 2
    assert [zone.withdrawals.isPaid(slot) for slot in (1, 2, 3)] == [True, False, True]
    assert zone.vault.outstanding(asset) == token.balanceOf(zone.vault) == 80
    token.set_blocked(carol, False, sender=alice)
    zone.withdrawals.withdraw(claim, proofs[1], sender=deployer)


def test_no_gas_limit_turns_a_good_payment_into_a_blocked_one(
    zone, funded, asserter, alice, bob, deployer, project
):
    """Whoever submits with too little gas gets a revert, never a withdrawal marked blocked (A13).

    One recipient needs nearly its whole share: what is left after it ran out of gas would be enough
    to go on.
    """
    wallet = alice.deploy(project.HostileRecipient)
    wallet.waste_gas(1500, sender=alice)
    outbox = Outbox()
    outbox.withdrawal(1, wallet, asset=1, amount=10)
    outbox.withdrawal(2, bob, asset=1, amount=10)
    claim = zone.finalized(asserter, outbox.root)
    for order in ((1,), (2, 1), (1, 2)):
        proofs = [outbox.proof(slot) for slot in order]
        call = zone.withdrawals.withdrawMany.encode_input(claim, proofs)
        paid = set()
        for gas in range(60_000, 1_500_000, 10_000):
            is_done, data = attempt(zone.withdrawals, call, deployer, gas=gas)
            if is_done:
                paid.add(int.from_bytes(data, "big"))
        assert paid == {len(order)}


def test_only_the_contract_itself_calls_its_inner_payment(zone, claim, outbox, deployer):
    with reverts(zone.withdrawals.OnlySelf, caller=deployer.address):
        zone.withdrawals.withdrawFromSelf(claim, outbox.root, outbox.proof(7), sender=deployer)


@pytest.mark.parametrize("function", ["withdraw", "withdrawMany", "withdrawFromSelf"])
def test_a_recipient_cannot_come_back_in(
    zone, funded, asserter, alice, deployer, project, function
):
    """It has two withdrawals and asks for the second, and for the first again, while it is paid."""
    wallet = alice.deploy(project.HostileRecipient)
    outbox = Outbox()
    outbox.withdrawal(1, wallet, asset=1, amount=10)
    outbox.withdrawal(2, wallet, asset=1, amount=20)
    claim = zone.finalized(asserter, outbox.root)
    for again in (1, 2):
        with isolated(ape.chain):
            arguments = {
                "withdraw": (claim, outbox.proof(again)),
                "withdrawMany": (claim, [outbox.proof(again)]),
                "withdrawFromSelf": (claim, outbox.root, outbox.proof(again)),
            }[function]
            call = getattr(zone.withdrawals, function).encode_input(*arguments)
            wallet.call_back(zone.withdrawals, call, sender=alice)
            zone.withdrawals.withdraw(claim, outbox.proof(1), sender=deployer)
            assert wallet.balance == 10 * GWEI
            assert not wallet.is_success()
            error = (
                b"OnlySelf(address)"
                if function == "withdrawFromSelf"
                else (b"ReentrancyGuardReentrantCall()")
            )
            assert bytes(wallet.response())[:4] == keccak(error)[:4]
            wallet.accept(sender=alice)
            zone.withdrawals.withdraw(claim, outbox.proof(2), sender=deployer)


def test_a_recipient_that_deposits_what_it_gets_is_refused_in_the_middle(
    zone, funded, asserter, alice, deployer, project
):
    wallet = alice.deploy(project.HostileRecipient)
    outbox = Outbox()
    outbox.withdrawal(1, wallet, asset=1, amount=10)
    claim = zone.finalized(asserter, outbox.root)
    wallet.call_back(zone.vault, zone.vault.depositNative.encode_input(wallet), sender=alice)
    zone.withdrawals.withdraw(claim, outbox.proof(1), sender=deployer)
    assert not wallet.is_success()
    assert zone.vault.outstanding(1) == 990
