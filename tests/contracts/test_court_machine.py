"""The slashing court under any sequence of calls: accusers, jurors, parties, a thief, time.

Always: bonds + pools + owed = coin held (less what was forced in); a case takes at most its share of its
base; what was slashed and what is left is what was staked; nobody is paid what the court does not owe.
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

from tests.contracts.courtroom import (
    APPEAL,
    APPEAL_COMMIT,
    APPEAL_REVEAL,
    CLOSED,
    COMMIT,
    FRAUD,
    RESPONSE,
    REVEAL,
    RULING,
    SALT,
    Head,
)
from tests.contracts.driver import OKB, error_of, tries
from tradezone.protocol.hashing import keccak


@pytest.mark.hypothesis
def test_coin_is_conserved_and_one_act_is_slashed_once(  # noqa: C901 -- a machine and its model stay in one place
    judged, accounts, chain, clock
):
    court, staking = judged.court, judged.staking
    sequencer = judged.sequencer
    users = [accounts[6], accounts[7], sequencer]
    jurors = accounts[10:13]
    thief, treasury = accounts[9], accounts[18]
    for account, okb in zip([*users, *jurors], (100, 60, 50, 30, 30, 40), strict=True):
        judged.stake(account, okb)
    judged.grow_old()
    staked = 310 * OKB
    snapshots = [chain.snapshot()]

    class Court(RuleBasedStateMachine):
        who = st.integers(0, 2)
        share = st.integers(0, 100)

        @initialize()
        def start(self):
            chain.restore(snapshots.pop())
            snapshots.append(chain.snapshot())
            self.cases = []  # id, accused, evidence
            self.used = set()
            self.forced = 0
            self.taken = {}  # by accused and evidence: [taken, most]

        def some(self, data, *phases):
            phase_of = {c[0]: court.phaseOf(c[0]) for c in self.cases}
            found = [c for c in self.cases if phase_of[c[0]] in phases]
            return data.draw(st.sampled_from(found)) if found else None

        @rule(who=who, accused=who, share=st.integers(1, 100), kind=st.integers(0, 2))
        def accuse(self, who, accused, share, kind):
            self.accuse_for(who, accused, share, kind)

        def accuse_for(self, who, accused, share, kind):
            if court.baseOf(users[accused], 0) == 0:
                return
            evidence = keccak(bytes([kind]))
            case = judged.accuse(
                users[who], users[accused], share=share, evidence=evidence, harm=kind, kind=FRAUD
            )
            self.cases.append((case, accused, evidence))

        @rule(number=st.integers(1, 2), count=st.integers(5, 6))
        def prove(self, number, count):
            pair = Head(block=number), Head(block=number, count=count)
            call = court.prove.encode_input(judged.double_head, judged.evidence(*pair))
            if number in self.used or court.baseOf(sequencer, 0) == 0:
                assert error_of(court, call, thief) is not None
                return
            case = judged.prove(thief, *pair)
            self.used.add(number)
            self.cases.append((case, 2, case))

        @precondition(lambda self: self.cases)
        @rule(data=st.data(), juror=st.integers(0, 2), share=share)
        def vote(self, data, juror, share):
            found = self.some(data, COMMIT, APPEAL_COMMIT)
            if found:
                second = 1 if court.phaseOf(found[0]) == COMMIT else 2
                asked = court.caseOf(found[0]).asked // 100
                judged.commit_vote(found[0], jurors[juror], min(share, asked), second)

        @precondition(lambda self: self.cases)
        @rule(data=st.data(), is_late=st.booleans())
        def reveal(self, data, is_late):
            """All who committed reveal, or all but the first; each commitment is found by trying."""
            found = self.some(data, REVEAL, APPEAL_REVEAL)
            if not found:
                return
            second = 1 if court.phaseOf(found[0]) == REVEAL else 2
            for juror in jurors[is_late:]:
                committed = court.commitmentOf(found[0], second, juror)
                for share in range(101):
                    made = keccak(
                        bytes(12)
                        + bytes.fromhex(court.address[2:])
                        + found[0]
                        + second.to_bytes(32, "big")
                        + bytes(12)
                        + bytes.fromhex(juror.address[2:])
                        + share.to_bytes(32, "big")
                        + SALT
                    )
                    if made == bytes(committed):
                        court.revealVote(found[0], share, SALT, sender=juror)

        @rule(data=st.data(), who=who, shares=st.tuples(share, share, share))
        def judge_case(self, data, who, shares):
            """A whole first round, so that verdicts are not rare."""
            self.accuse_for(who, (who + 1) % 3, 100, who)
            found = self.some(data, RESPONSE)
            if found:
                asked = court.caseOf(found[0]).asked // 100
                votes = {juror: min(s, asked) for juror, s in zip(jurors, shares, strict=True)}
                judged.vote(found[0], votes)
                judged.end(found[0], APPEAL)
                self.carry_out(*found)

        @precondition(lambda self: self.cases)
        @rule(data=st.data(), by_accuser=st.booleans())
        def appeal(self, data, by_accuser):
            found = self.some(data, APPEAL)
            if not found or court.caseOf(found[0]).isAppealed:
                return
            entry = court.caseOf(found[0])
            address = entry.accuser if by_accuser else entry.accused
            party = next(user for user in users if user.address == address)
            court.appeal(found[0], sender=party, value=court.appealBondFor(found[0]))

        @precondition(lambda self: self.cases)
        @rule(data=st.data())
        def pass_phase(self, data):
            case = data.draw(st.sampled_from(self.cases))[0]
            phase = court.phaseOf(case)
            if phase < RULING:
                judged.end(case, phase)

        @precondition(lambda self: self.cases)
        @rule(data=st.data())
        def rule_case(self, data):
            self.carry_out(*data.draw(st.sampled_from(self.cases)))

        def carry_out(self, case, accused, evidence):
            is_next = bytes(court.nextCaseOf(users[accused])) == case
            if court.phaseOf(case) != RULING or not is_next:
                assert error_of(court, court.rule.encode_input(case), thief) is not None
                return
            entry, before = court.caseOf(case), staking.freeOf(users[accused])
            receipt = court.rule(case, sender=thief)
            event = court.Ruled.from_receipt(receipt)[0]
            assert staking.freeOf(users[accused]) == before - event.taken
            assert event.taken <= event.asked <= entry.base * entry.asked // 10_000
            total, most = self.taken.get((accused, evidence), (0, 0))
            total, most = total + event.taken, max(most, event.asked)
            self.taken[accused, evidence] = total, most
            assert total <= most
            assert staking.caseOf(case).isClosed
            assert court.phaseOf(case) == CLOSED

        @rule(who=who)
        def collect(self, who):
            owed = court.owedTo(users[who])
            if not owed:
                call = court.collect.encode_input(users[who])
                assert error_of(court, call, thief) is not None
                return
            before = users[who].balance
            court.collect(users[who], sender=thief)
            assert users[who].balance == before + owed

        @precondition(lambda self: self.cases)
        @rule(data=st.data())
        def sweep(self, data):
            case = data.draw(st.sampled_from(self.cases))[0]
            pool = court.poolOf(case)
            if error_of(court, court.sweep.encode_input(case), thief) is None:
                before = court.owedTo(treasury)
                court.sweep(case, sender=thief)
                assert court.owedTo(treasury) == before + pool.amount - pool.paid

        @rule(amount=st.integers(1, 10**18))
        def force(self, amount):
            clock.force_coin(court, amount)
            self.forced += amount

        @rule()
        def steal(self):
            if self.cases:
                case = self.cases[-1][0]
                for call in (
                    court.appeal.encode_input(case),
                    court.commitVote.encode_input(case, SALT),
                    court.revealVote.encode_input(case, 0, SALT),
                    court.respond.encode_input(case, SALT, ""),
                ):
                    assert error_of(court, call, thief) is not None

        @rule()
        def wait(self):
            clock.pass_both(31 * 86_400, 60)

        @invariant()
        def coin_and_stake_are_conserved(self):
            if not hasattr(self, "cases"):
                return
            assert court.balance == judged.held() + self.forced
            taken = sum(total for total, _ in self.taken.values())
            assert staking.totalStaked() == staked - taken
            assert staking.totalOwed() == 0

    run_state_machine_as_test(
        Court, settings=settings(max_examples=tries(6), stateful_step_count=24)
    )
