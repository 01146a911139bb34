"""The staking vault under any sequence of calls: stakers, a registry, a court, a thief, forced coin.

Always: every wei is in one bucket, the balance covers stake and debts, votes are those of free and locked
stake, and nobody gets a wei that the model does not owe.
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

from tests.contracts.driver import error_of, tries
from tests.contracts.test_staking_vault import buckets, deploy_vault
from tradezone.protocol.hashing import keccak

VENUES = (1, 2)


@pytest.mark.hypothesis
def test_stake_is_conserved_and_nobody_takes_anothers(  # noqa: C901 -- a machine and its model stay in one place
    zone, deployer, project, accounts, params, clock, chain, asserter
):
    registry, court = accounts[18], accounts[19]
    vault = deploy_vault(deployer, project, zone, params, registry, court)
    users = [accounts[6], accounts[7], accounts[8]]
    thief = accounts[9]
    zone.bond(asserter)
    snapshots = [chain.snapshot()]

    class Staking(RuleBasedStateMachine):
        who = st.integers(0, len(users) - 1)
        amount = st.integers(1, 1000)
        venue = st.sampled_from(VENUES)

        @initialize()
        def start(self):
            chain.restore(snapshots.pop())
            snapshots.append(chain.snapshot())
            self.free = [0] * len(users)
            self.locked = [dict.fromkeys(VENUES, 0) for _ in users]
            self.requests = [{} for _ in users]  # id: [amount, needed batch]
            self.made = [0] * len(users)
            self.delegate_of = list(range(len(users)))
            self.cases = {}  # id: account, time, block
            self.owed = [0] * len(users)
            self.forced = 0

        # --- stakers

        @rule(who=who, amount=amount)
        def stake(self, who, amount):
            vault.stake(sender=users[who], value=amount)
            self.free[who] += amount

        @rule(who=who, to=who)
        def delegate(self, who, to):
            vault.invoke_transaction("delegate", users[to], sender=users[who])
            self.delegate_of[who] = to

        @rule(who=who, part=st.integers(1, 4))
        def request(self, who, part):
            amount = self.free[who] // part
            call = vault.requestUnbond.encode_input(amount)
            if amount == 0 or len(self.requests[who]) == 8:
                assert error_of(vault, call, users[who]) is not None
                return
            vault.requestUnbond(amount, sender=users[who])
            self.made[who] += 1
            self.free[who] -= amount
            batch = vault.requestOf(users[who], self.made[who]).batch
            self.requests[who][self.made[who]] = [amount, batch]

        @precondition(lambda self: any(self.requests))
        @rule(data=st.data(), is_cancelled=st.booleans())
        def end_request(self, data, is_cancelled):
            who = data.draw(st.sampled_from([w for w, r in enumerate(self.requests) if r]))
            number = data.draw(st.sampled_from(sorted(self.requests[who])))
            amount, _ = self.requests[who][number]
            if is_cancelled:
                vault.cancelUnbond(number, sender=users[who])
                self.free[who] += amount
            else:
                state = vault.unbondingStateOf(users[who], number)
                is_accused = any(account == who for account, *_ in self.cases.values())
                is_over = clock.time >= state.untilTime and clock.block + 1 >= state.untilBlock
                call = vault.withdraw.encode_input(number)
                if is_accused or not is_over:
                    assert error_of(vault, call, users[who]) is not None
                    return
                before = users[who].balance
                receipt = vault.withdraw(number, sender=users[who])
                assert users[who].balance == before + amount - receipt.total_fees_paid
            del self.requests[who][number]

        # --- partners

        @rule(who=who, venue=venue, amount=amount)
        def lock(self, who, venue, amount):
            is_accused = any(account == who for account, *_ in self.cases.values())
            if is_accused or amount > self.free[who]:
                call = vault.lock.encode_input(users[who], venue, amount)
                assert error_of(vault, call, registry) is not None
                return
            vault.lock(users[who], venue, amount, sender=registry)
            self.free[who] -= amount
            self.locked[who][venue] += amount

        @rule(who=who)
        def accuse(self, who):
            number = keccak(bytes([len(self.cases), who, vault.openCasesOf(users[who])]))
            if vault.caseOf(number).account != "0x" + "00" * 20:
                return
            receipt = vault.openCase(number, users[who], sender=court)
            self.cases[number] = (who, receipt.timestamp, receipt.block_number)

        @precondition(lambda self: self.cases)
        @rule(data=st.data(), venue=venue, amount=st.integers(0, 1500), to=who)
        def slash(self, data, venue, amount, to):
            number = data.draw(st.sampled_from(sorted(self.cases)))
            who, time, block = self.cases[number]
            if clock.time + 1 >= time + params.case_seconds and (
                clock.block + 1 >= block + params.case_blocks
            ):
                return  # perhaps over: test_a_case_lapses_and_then_slashes_nothing
            taken = vault.slash(number, venue, amount, users[to], sender=court).return_value
            left = amount
            from_locked = min(left, self.locked[who][venue])
            self.locked[who][venue] -= from_locked
            left -= from_locked
            for request in sorted(self.requests[who], reverse=True):
                part = min(left, self.requests[who][request][0])
                self.requests[who][request][0] -= part
                left -= part
                if not self.requests[who][request][0]:
                    del self.requests[who][request]
            from_free = min(left, self.free[who])
            self.free[who] -= from_free
            left -= from_free
            assert taken == amount - left
            self.owed[to] += taken

        @precondition(lambda self: self.cases)
        @rule(data=st.data())
        def acquit(self, data):
            number = data.draw(st.sampled_from(sorted(self.cases)))
            vault.closeCase(number, sender=court)
            del self.cases[number]

        @rule(who=who)
        def collect(self, who):
            call = vault.collect.encode_input(users[who])
            if not self.owed[who]:
                assert error_of(vault, call, thief) is not None
                return
            before = users[who].balance
            vault.collect(users[who], sender=thief)
            assert users[who].balance == before + self.owed[who]
            self.owed[who] = 0

        # --- everybody else

        @rule(who=who, number=st.integers(1, 3))
        def steal(self, who, number):
            """A thief has no stake, no court and no registry, and gets nothing."""
            for call in (
                vault.withdraw.encode_input(number),
                vault.cancelUnbond.encode_input(number),
                vault.requestUnbond.encode_input(1),
                vault.lock.encode_input(users[who], 1, 1),
                vault.openCase.encode_input(keccak(b"theft"), users[who]),
                vault.slash.encode_input(bytes(32), 1, 1, thief),
                vault.requestRelease.encode_input(1),
                vault.collect.encode_input(thief),
            ):
                assert error_of(vault, call, thief) is not None

        @rule(amount=amount)
        def force(self, amount):
            clock.force_coin(vault, amount)
            self.forced += amount

        @rule()
        def finalise(self):
            zone.finalized(asserter, f"root {zone.chain.tip().number}")
            vault.noteFinality(sender=thief)

        @rule()
        def wait(self):
            clock.pass_both(params.unbonding_seconds, params.unbonding_blocks)

        # --- always

        @invariant()
        def every_wei_is_in_one_bucket(self):
            if not hasattr(self, "free"):
                return
            total, votes = 0, [0] * len(users)
            for who, user in enumerate(users):
                waiting = sum(amount for amount, _ in self.requests[who].values())
                locked = sum(self.locked[who].values())
                assert buckets(vault, user) == (self.free[who], locked, waiting)
                assert vault.owedTo(user) == self.owed[who]
                votes[self.delegate_of[who]] += self.free[who] + locked
                total += self.free[who] + locked + waiting
            assert [vault.getVotes(user) for user in users] == votes
            for venue in VENUES:
                assert vault.stakeOf(venue) == sum(mine[venue] for mine in self.locked)
            assert vault.totalStaked() == total
            assert vault.totalOwed() == sum(self.owed)
            assert vault.balance == total + sum(self.owed) + self.forced

    run_state_machine_as_test(
        Staking, settings=settings(max_examples=tries(8), stateful_step_count=16)
    )
