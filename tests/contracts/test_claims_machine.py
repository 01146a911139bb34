"""Claims under any sequence of calls: honest, rival, careless and idle asserters, a judge, and a freeze.

Whatever happens, final claims form one line and never change, the chain holds exactly the bonds and
what is to be collected, no claim that still can become final is left without a bond behind it, the mode
never goes back, and the root that everybody leaves against is the newest final one and stays it.
"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.contracts.driver import DEAD, FINAL, NO_CLAIM, OPEN, error_of, root_named, tries

BATCHES = 4
LIVE, _, ESCAPE = range(3)


@pytest.mark.hypothesis
def test_claims_stay_sound_whatever_is_called(puppet_zone, chain, accounts, deployer):  # noqa: C901 -- a machine and its model stay in one place
    zone = puppet_zone
    bond = zone.params.claim_bond
    asserters = [accounts[i] for i in (3, 4, 5)]
    sink = zone.chain.sink()
    zone.commit_to(BATCHES)
    hashes = [bytes(32), *(bytes(zone.chain.headerHashOf(i + 1)) for i in range(BATCHES))]
    snapshots = [chain.snapshot()]

    class Claims(RuleBasedStateMachine):
        pick = st.integers(0, 1000)

        @initialize()
        def start(self):
            chain.restore(snapshots.pop())
            snapshots.append(chain.snapshot())
            self.claims = [zone.genesis]
            self.line = [zone.genesis]
            self.mode, self.root = LIVE, None

        def attempt(self, sender, function, *arguments, **options):
            """Send the call if it would succeed; say whether it did."""
            call = function.encode_input(*arguments)
            if error_of(zone.chain, call, sender) is not None:
                return False
            function(*arguments, sender=sender, **options)
            return True

        @rule(who=st.integers(0, 2))
        def post_bond(self, who):
            if not zone.chain.asserterOf(asserters[who]).isBonded and zone.chain.mode() != ESCAPE:
                zone.bond(asserters[who])

        @rule(who=st.integers(0, 2), parent=pick, root=st.integers(0, 2))
        def claim(self, who, parent, root):
            parent = self.claims[-1 - parent % min(len(self.claims), 4)]
            batch = zone.chain.claimOf(parent).batch + 1
            if batch > zone.chain.tip().number:
                return
            state_root = root_named(f"root {root}")
            header_hash = hashes[batch] if batch <= BATCHES else zone.chain.headerHashOf(batch)
            arguments = (parent, batch, bytes(header_hash), state_root)
            if self.attempt(asserters[who], zone.chain.claim, *arguments):
                self.claims.append(zone.claim_id(parent, batch, state_root))

        @rule(claim=pick)
        def finalize(self, claim):
            claim = self.claims[claim % len(self.claims)]
            if self.attempt(deployer, zone.chain.finalize, claim):
                self.line.append(claim)

        @rule(winner=pick)
        def rule_and_resolve(self, winner):
            winner = self.claims[winner % len(self.claims)]
            parent = bytes(zone.chain.claimOf(winner).parent)
            if parent != NO_CLAIM and bytes(zone.judge.rulingOf(parent)) == NO_CLAIM:
                zone.judge.rule(parent, winner, sender=deployer)
            self.attempt(deployer, zone.chain.resolve, parent)

        @rule()
        def dismiss_all(self):
            for claim in self.claims:
                self.attempt(deployer, zone.chain.dismiss, claim)

        @rule(claim=pick)
        def freeze(self, claim):
            self.attempt(deployer, zone.chain.freeze, self.claims[claim % len(self.claims)])

        @rule()
        def freeze_silent(self):
            zone.clock.pass_both(zone.params.silence_seconds, zone.params.silence_blocks)
            self.attempt(deployer, zone.chain.freezeSilent)

        @rule(is_late=st.booleans())
        def abandon(self, is_late):
            if is_late:
                zone.clock.pass_both(zone.params.closing_seconds, zone.params.closing_blocks)
            self.attempt(deployer, zone.chain.abandon)

        @rule(who=st.integers(0, 2))
        def withdraw_bond(self, who):
            self.attempt(asserters[who], zone.chain.withdrawBond)

        @rule(who=st.integers(0, 3))
        def collect(self, who):
            self.attempt(deployer, zone.chain.collect, [*asserters, sink][who])

        @rule(part=st.sampled_from([1, 2, 4]))
        def wait(self, part):
            zone.clock.pass_both(zone.params.window_seconds // part, zone.params.window_blocks)

        @invariant()
        def money_is_there(self):
            if not hasattr(self, "line"):
                return
            bonded = sum(zone.chain.asserterOf(account).isBonded for account in asserters)
            due = sum(zone.chain.collectable(account) for account in [*asserters, sink])
            assert zone.chain.balance == bonded * bond + due

        @invariant()
        def final_claims_are_one_line(self):
            if not hasattr(self, "line"):
                return
            assert bytes(zone.chain.latestFinal()) == self.line[-1]
            entries = {claim: zone.chain.claimOf(claim) for claim in self.claims}
            assert {c for c, entry in entries.items() if entry.status == FINAL} == set(self.line)
            for parent, child in zip(self.line, self.line[1:], strict=False):
                assert bytes(entries[child].parent) == parent
            for account in asserters:
                mine = [c for c, e in entries.items() if e.asserter == account and e.status == OPEN]
                asserter = zone.chain.asserterOf(account)
                assert asserter.openClaims == len(mine)
                if zone.chain.isAbandoned() or asserter.isBonded:
                    continue
                for claim in mine:  # without a bond: it must be doomed
                    assert self.is_doomed(claim, entries)

        @invariant()
        def the_end_is_the_end(self):
            if not hasattr(self, "line"):
                return
            mode = zone.chain.mode()
            assert mode >= self.mode
            self.mode = mode
            assert zone.inbox.isClosed() == zone.chain.isFrozen() == (mode != LIVE)
            if mode != ESCAPE:
                return
            root = bytes(zone.chain.escapeRoot())
            assert root == bytes(zone.chain.claimOf(self.line[-1]).stateRoot)
            assert self.root in (None, root)
            self.root = root
            closing = zone.chain.closingBatch()
            is_closed = closing != 0 and zone.chain.claimOf(self.line[-1]).batch == closing
            assert zone.chain.isAbandoned() != is_closed

        def is_doomed(self, claim, entries):
            while entries[claim].status != FINAL:
                parent = bytes(entries[claim].parent)
                winner = bytes(zone.chain.forkOf(parent).winner)
                if entries[claim].status == DEAD or winner not in (NO_CLAIM, claim):
                    return True
                claim = parent
            return False

    run_state_machine_as_test(
        Claims, settings=settings(max_examples=tries(10), stateful_step_count=18)
    )
