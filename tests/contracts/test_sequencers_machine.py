"""Epochs under any sequence of commits, takeovers, rotations, joins and exits, and of time and blocks.

A model says from the chapter alone (docs/spec/sequencers.md) whether each takeover succeeds, and who is in office. It
keeps its own clock, list and history, and never asks the contract what it is about to be compared with.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field

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

from tests.contracts.driver import error_of, tries
from tests.contracts.epochs import commit
from tests.contracts.register_desk import consent, join

MEMBERS = (1, 3, 4, 5)  # places among the accounts; the first is the sequencer of the deployment
SPARE = 9  # the other key of the first


@dataclass
class Model:
    """What the chapter says, in the most obvious way."""

    takeover: tuple[int, int]
    open: tuple[int, int]
    began: tuple[int, int]  # the operator, time and block
    deployed: tuple[int, int]
    owner: object = None  # account in office
    keys: list = field(default_factory=list)  # of all epochs
    listed: list = field(default_factory=list)
    committed: tuple[int, int] | None = None
    turns: dict = field(default_factory=dict)  # account -> (batches then, when)
    batches: int = 0

    def ranks(self) -> list:
        """Standbys in their order."""
        if self.owner not in self.listed:
            return list(self.listed)
        place = self.listed.index(self.owner)
        return self.listed[place + 1 :] + self.listed[:place]

    def may_take_over(self, who, now: tuple[int, int]) -> bool:
        def passed(start, span, times=1):
            return all(n >= s + times * p for n, s, p in zip(now, start, span, strict=True))

        if who not in self.ranks():
            return False
        if who in self.turns:
            batches, when = self.turns[who]
            if batches == self.batches and not passed(when, self.open):
                return False
        if not passed(self.began, self.takeover):
            return False
        if self.owner not in self.listed:
            return True
        rank = self.ranks().index(who) + 1
        commit_at = self.committed or self.deployed
        last = max(commit_at, self.began)
        is_sooner = last[0] + rank * self.takeover[0] > commit_at[0] + self.open[0]
        if is_sooner:
            return passed(commit_at, self.open)
        return passed(last, self.takeover, rank)


@pytest.mark.hypothesis
def test_epochs_are_those_of_the_model_whatever_is_called(trust, chain, accounts):  # noqa: C901 -- a machine and its model stay in one place
    zone = trust
    register, sequencers, params = zone.sequencer_register, zone.sequencers, zone.params
    people = [accounts[i] for i in MEMBERS]
    spare = accounts[SPARE]
    snapshots = [chain.snapshot()]

    class Epochs(RuleBasedStateMachine):
        who = st.integers(0, len(people) - 1)

        @initialize(first=st.booleans())
        def start(self, first):
            chain.restore(snapshots.pop())
            snapshots.append(chain.snapshot())
            found = sequencers.epochOf(1)
            at = (found.time, found.blockNumber)
            self.model = Model(
                (params.takeover_seconds, params.takeover_blocks),
                (params.open_seconds, params.open_blocks),
                at,
                at,
                owner=people[0],
                keys=[people[0]],
            )
            self.key = {account: account for account in people}
            self.heartbeat = 0
            if first:
                self.join(0)

        @property
        def now(self):
            """Clock of the last block."""
            return (zone.clock.time, zone.clock.block)

        def join(self, who):
            if register.memberOf(people[who]).since:
                return
            join(register, people[who], self.key[people[who]])
            self.model.listed.append(people[who])

        @rule(who=who)
        def join_register(self, who):
            self.join(who)

        @rule(who=who)
        def leave_register(self, who):
            if people[who] in self.model.listed:
                register.leave(sender=people[who])
                self.model.listed.remove(people[who])

        @rule(seconds=st.sampled_from([1, 1800, 3600, 7200, 86_400]), blocks=st.integers(0, 5))
        def pass_both(self, seconds, blocks):
            zone.clock.pass_both(seconds, blocks)

        @rule()
        def commit(self):
            commit(zone, self.model.keys[-1])
            self.model.batches += 1
            self.model.committed = self.now
            self.heartbeat = zone.inbox.count() - 1

        @rule(who=who, old=st.booleans())
        def commit_as_somebody_else(self, who, old):
            """Whoever is not in office commits nothing, with the number of whatever epoch."""
            if people[who] == self.model.keys[-1]:
                return
            epoch = max(len(self.model.keys) - old, 1)
            header = zone.header(epoch=epoch)
            call = zone.chain.commit.encode_input(astuple(header))
            assert error_of(zone.chain, call, people[who]) is not None

        @rule(who=who, by_key=st.booleans())
        def take_over(self, who, by_key):
            account = people[who]
            sender = self.key[account] if by_key else account
            call = sequencers.takeOver.encode_input(self.heartbeat)
            is_done = error_of(sequencers, call, sender) is None  # tried in the last block's clock
            assert is_done == self.model.may_take_over(account, self.now)
            if not is_done:
                return
            sequencers.takeOver(self.heartbeat, sender=sender)
            self.model.turns[account] = (self.model.batches, self.now)
            self.model.owner = account
            self.model.began = self.now
            self.model.keys.append(self.key[account])

        @rule()
        def rotate(self):
            """The first one changes between two keys, which are its own for ever."""
            account = people[0]
            if account not in self.model.listed:
                return
            other = account if self.key[account] == spare else spare
            register.rotate(other, consent(register, account, other), sender=account)
            self.key[account] = other
            if self.model.owner == account and self.model.keys[-1] != other:
                sequencers.rotate(other, zone.chain.tip().hash, sender=account)
                self.model.keys.append(other)

        @invariant()
        def history_is_that_of_the_model(self):
            epoch = sequencers.currentEpoch()
            assert epoch == len(self.model.keys)
            for number in {1, max(epoch - 1, 1), epoch}:
                assert sequencers.sequencerOf(number) == self.model.keys[number - 1]
            assert sequencers.sequencerOf(epoch + 1) == "0x" + "00" * 20
            assert sequencers.operator() == self.model.owner
            assert sequencers.standbys() == [account.address for account in self.model.ranks()]

    run_state_machine_as_test(
        Epochs,
        settings=settings(max_examples=tries(12), stateful_step_count=30, deadline=None),
    )
