"""Vault and withdrawals under any sequence of calls (laws 1 and 4).

Deposits, donations, forced coin, final states that say anything, proofs submitted in any order, again
and again, to recipients that refuse now and then. Always: the vault holds at least what it owes, it
owes what came in less what was paid, and each message is paid once, to its recipient.
"""

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

from tests.contracts.conftest import register
from tests.contracts.driver import GWEI, OKB, Outbox, error_of, tries

NATIVE = 1


@pytest.mark.hypothesis
def test_the_vault_holds_what_it_owes_and_pays_each_message_once(  # noqa: C901 -- a machine and its model stay in one place
    zone, chain, project, asserter, alice, bob, carol, deployer
):
    token = alice.deploy(project.BlacklistToken)
    asset = register(zone, alice, token)
    wallet = alice.deploy(project.HostileRecipient)
    for user in (alice, bob):
        token.mint(user, 10**6, sender=user)
        token.approve(zone.vault, 2**255, sender=user)
    zone.bond(asserter)
    zone.owner_registry.registerMany([alice, bob, carol, wallet], sender=alice)
    # who is paid: an ordinary account, a contract that may refuse coin, one that may be blacklisted
    recipients = [carol, wallet]
    snapshots = [chain.snapshot()]

    def holding(account, of):
        if of == NATIVE:
            return chain.provider.get_balance(account.address)
        return token.balanceOf(account)

    class Custody(RuleBasedStateMachine):
        @initialize()
        def start(self):
            chain.restore(snapshots.pop())
            snapshots.append(chain.snapshot())
            self.outbox = Outbox()
            self.records = {}  # id: (recipient, asset, amount)
            self.final = []  # (claim, the outbox as it was)
            self.paid = set()
            self.owed = {NATIVE: 0, asset: 0}
            self.given = {NATIVE: 0, asset: 0}  # donated, in token units
            self.is_refusing = {"wallet": False, "token": False}
            self.before = {
                (r, a): holding(recipients[r], a) for r in (0, 1) for a in (NATIVE, asset)
            }

        # --- in

        @rule(amount=st.integers(1, 1000))
        def deposit_token(self, amount):
            zone.vault.deposit(asset, amount, bob, sender=bob)
            self.owed[asset] += amount

        @rule(amount=st.integers(1, 1000))
        def deposit_native(self, amount):
            zone.vault.depositNative(alice, sender=alice, value=amount * GWEI)
            self.owed[NATIVE] += amount

        @rule(amount=st.integers(1, 1000))
        def donate(self, amount):
            token.mint(zone.vault, amount, sender=alice)
            zone.clock.force_coin(zone.vault, amount)
            self.given[asset] += amount
            self.given[NATIVE] += amount

        # --- the zone, which may say anything

        @rule(
            records=st.lists(
                st.tuples(st.integers(0, 1), st.sampled_from([NATIVE, asset]), st.integers(1, 700)),
                min_size=1,
                max_size=3,
            )
        )
        def publish(self, records):
            for recipient, of, amount in records:
                slot = len(self.records) + 1
                self.records[slot] = (recipient, of, amount)
                self.outbox.withdrawal(slot, recipients[recipient], of, amount)
            proofs = {slot: self.outbox.proof(slot) for slot in self.records}
            self.final.append((zone.finalized(asserter, self.outbox.root), proofs))

        # --- out

        @precondition(lambda self: self.final)
        @rule(data=st.data())
        def withdraw(self, data):
            claim, proofs = data.draw(st.sampled_from(self.final))
            slot = data.draw(st.sampled_from(sorted(proofs)))
            call = zone.withdrawals.withdraw.encode_input(claim, proofs[slot])
            is_refused = error_of(zone.withdrawals, call, deployer) is not None
            assert is_refused != self.should_pay(slot)
            if not is_refused:
                zone.withdrawals.withdraw(claim, proofs[slot], sender=deployer)
                self.pay(slot)

        @precondition(lambda self: self.final)
        @rule(data=st.data())
        def withdraw_many(self, data):
            claim, proofs = data.draw(st.sampled_from(self.final))
            slots = data.draw(st.lists(st.sampled_from(sorted(proofs)), min_size=1, max_size=5))
            receipt = zone.withdrawals.withdrawMany(
                claim, [proofs[slot] for slot in slots], sender=deployer
            )
            paid = 0
            for slot in slots:
                if self.should_pay(slot):
                    self.pay(slot)
                    paid += 1
            assert receipt.return_value == paid

        @rule(which=st.sampled_from(["wallet", "token"]))
        def change_mind(self, which):
            is_refusing = self.is_refusing[which] = not self.is_refusing[which]
            if which == "token":
                token.set_blocked(carol, is_refusing, sender=alice)
            elif is_refusing:
                wallet.refuse(sender=alice)
            else:
                wallet.accept(sender=alice)

        # --- the model

        def should_pay(self, slot):
            recipient, of, amount = self.records[slot]
            is_refused = (
                self.is_refusing["wallet"]
                if (recipient, of) == (1, NATIVE)
                else self.is_refusing["token"] and (recipient, of) == (0, asset)
            )
            return slot not in self.paid and amount <= self.owed[of] and not is_refused

        def pay(self, slot):
            self.owed[self.records[slot][1]] -= self.records[slot][2]
            self.paid.add(slot)

        @invariant()
        def the_vault_holds_what_it_owes(self):
            if not hasattr(self, "owed"):
                return
            for of, quantum in ((NATIVE, GWEI), (asset, 1)):
                assert zone.vault.outstanding(of) == self.owed[of]
                assert holding(zone.vault, of) == self.owed[of] * quantum + self.given[of]

        @invariant()
        def each_message_is_paid_once(self):
            if not hasattr(self, "paid"):
                return
            assert {slot for slot in self.records if zone.withdrawals.isPaid(slot)} == self.paid
            for (recipient, of), before in self.before.items():
                received = sum(
                    self.records[slot][2]
                    for slot in self.paid
                    if self.records[slot][:2] == (recipient, of)
                )
                unit = GWEI if of == NATIVE else 1
                assert holding(recipients[recipient], of) == before + received * unit

    assert zone.vault.balance < OKB
    run_state_machine_as_test(
        Custody, settings=settings(max_examples=tries(8), stateful_step_count=14)
    )
