"""Two classes of decision under any sequence of calls, against a model that is plain arithmetic.

Stakers with some hundred OKB each propose, vote, delegate, object, stake more and let time pass; a
depositor vetoes with proofs; a thief with young stake tries to. Always: the state of every proposal is
the one that its votes, the clock and the veto lead to, and what governance changed is what was executed.
"""

from dataclasses import dataclass, field

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

from tests.contracts.driver import DAY, OKB, error_of, tries
from tests.contracts.governed import (
    ACTIVE,
    AGAINST,
    AGE,
    DEFEATED,
    EXECUTED,
    EXPIRED,
    FOR,
    PENDING,
    QUEUED,
    SUCCEEDED,
    State,
)
from tests.contracts.test_chamber import balance
from tests.contracts.test_proposals import endorsing, leverage
from tradezone.protocol.hashing import keccak

QUORUM = {"parameter": 200_000, "core": 200_000}
MAJORITY = {"parameter": 500_000, "core": 600_000}
TIMES = {  # delay, period, timelock
    "parameter": (3_600, 3 * DAY, DAY),
    "core": (2 * DAY, 10 * DAY, 45 * DAY),
}
GRACE = 14 * DAY
SHARES = (30, 60, 80)  # balances of the depositor, of 1000


@dataclass
class Model:
    """What a proposal must be."""

    draft: object
    proposer: int
    snapshot: int
    deadline: int
    total: int = 0  # aged stake at the snapshot, when it is known
    votes: dict = field(default_factory=dict)  # voter: (support, weight)
    is_objected: bool = False
    is_quorate: bool = False
    queued_at: int = 0
    is_executed: bool = False
    vetoed: set = field(default_factory=set)
    is_proved: bool = False

    @property
    def kind(self):
        return self.draft.kind

    def tally(self, support):
        return sum(weight for given, weight in self.votes.values() if given == support)

    @property
    def needs_a_vote(self):
        return self.kind == "core" or self.is_objected

    @property
    def has_quorum(self):
        if not self.needs_a_vote:
            return True
        least = max(self.total * QUORUM[self.kind] // 10**6, OKB)
        return self.tally(FOR) + self.tally(2) >= least

    @property
    def has_passed(self):
        if not self.needs_a_vote:
            return True
        in_favour, against = self.tally(FOR), self.tally(AGAINST)
        majority = in_favour * 10**6 > (in_favour + against) * MAJORITY[self.kind]
        return self.has_quorum and majority

    @property
    def veto_ppm(self):
        return sum(SHARES[i] for i in self.vetoed) * 1000 if self.is_proved else 0

    @property
    def ready(self):
        more = 0
        if 10_000 <= self.veto_ppm < 100_000:
            more = 5 * DAY + 40 * DAY * (self.veto_ppm - 10_000) // 90_000
        return self.queued_at + TIMES[self.kind][2] + more

    def state(self, now):
        if self.is_executed:
            return EXECUTED
        state = self._voted(now)
        if state != DEFEATED and self.veto_ppm >= 100_000:
            return DEFEATED
        if state == SUCCEEDED and now > self.deadline + GRACE:
            return EXPIRED
        if state == QUEUED and now > self.ready + GRACE:
            return EXPIRED
        return state

    def _voted(self, now):
        if now <= self.snapshot:
            return PENDING
        if now <= self.deadline:
            return ACTIVE
        if not self.has_passed:
            return DEFEATED
        return QUEUED if self.queued_at else SUCCEEDED


@pytest.mark.hypothesis
def test_proposals_are_what_votes_time_and_vetoes_make_them(  # noqa: C901 -- a machine and its model stay in one place
    governed, accounts, clock, chain, asserter
):
    voters, thief, depositor = accounts[6:9], accounts[9], accounts[4]
    governed.bond(asserter)
    governed.owner_registry.register(depositor, sender=depositor)
    tree = State()
    tree.put("asset", 1, total=1000)
    tree.put("asset", 2, total=0)
    for slot, amount in enumerate(SHARES, 1):
        balance(tree, slot, owner=2, asset=1, free=amount)
    for voter, okb in zip(voters, (600, 300, 100), strict=True):
        governed.stake(voter, okb)
    governed.grow_old()
    governed.finalized_state(asserter, tree)
    assets = [tree.proof("asset", asset) for asset in (1, 2)]
    balances = [tree.proof("balance", slot) for slot in range(1, len(SHARES) + 1)]
    snapshots = [chain.snapshot()]

    class Decisions(RuleBasedStateMachine):
        who = st.integers(0, len(voters) - 1)

        @initialize(past=st.lists(st.sampled_from(["parameter", "core"]), max_size=2))
        def start(self, past):
            """Begin with what was decided before: a machine alone rarely gets that far."""
            chain.restore(snapshots.pop())
            snapshots.append(chain.snapshot())
            self.proposals = []
            self.count = 0
            self.leverage = governed.limits.valueOf(1)
            self.endorsed = []
            for kind in past:
                self.propose_one(0, kind == "core", 25)
                self.bring_on(self.proposals[-1], 4, is_welcome=True)

        def pick(self, data):
            return data.draw(st.sampled_from(self.proposals))

        # --- proposing and voting

        @rule(who=who, is_core=st.booleans(), value=st.integers(11, 29))
        def propose(self, who, is_core, value):
            self.propose_one(who, is_core, value)

        def propose_one(self, who, is_core, value):
            self.count += 1
            words = f"proposal {self.count}"
            draft = endorsing(governed, words) if is_core else leverage(governed, value, words)
            governor = governed.governor(draft)
            call = governor.propose.encode_input(*draft.arguments)
            error = error_of(governor, call, voters[who])
            if error is not None:
                if error[:4] == keccak(b"ProposalOpen(address,uint256)")[:4]:
                    assert any(
                        model.proposer == who and model.state(clock.time) in (PENDING, ACTIVE)
                        for model in self.proposals
                        if model.kind == draft.kind
                    )
                    return
                name = b"GovernorInsufficientProposerVotes(address,uint256,uint256)"
                assert error[:4] == keccak(name)[:4]
                have, need = (int.from_bytes(error[at : at + 32], "big") for at in (36, 68))
                total = governed.staking.agedTotal(clock.time - 1, AGE)
                share = 1_000 if draft.kind == "parameter" else 10_000
                assert have < need
                assert abs(need - total * share // 10**6) <= 10 * OKB
                return
            receipt = governor.propose(*draft.arguments, sender=voters[who])
            delay, period, _ = TIMES[draft.kind]
            snapshot = receipt.timestamp + delay
            self.proposals.append(Model(draft, who, snapshot, snapshot + period))

        @precondition(lambda self: self.proposals)
        @rule(data=st.data(), who=who, support=st.integers(0, 2))
        def vote(self, data, who, support):
            self.vote_one(self.pick(data), who, support)

        def vote_one(self, model, who, support):
            governor, number = governed.governor(model.draft), governed.id_of(model.draft)
            call = governor.castVote.encode_input(number, support)
            if model.state(clock.time + 1) != ACTIVE or who in model.votes:
                clock.set_next(clock.time + 1)
                assert error_of(governor, call, voters[who]) is not None
                return
            receipt = governor.castVote(number, support, sender=voters[who])
            model.total = governed.staking.agedTotal(model.snapshot, AGE)
            weight = governed.staking.agedVotes(voters[who], model.snapshot, AGE)
            assert receipt.return_value == weight
            model.votes[who] = (support, weight)
            self.count_again(model, receipt.timestamp)

        @staticmethod
        def count_again(model, now):
            if model.kind == "parameter" and not model.is_objected:
                if model.tally(AGAINST) * 100 < model.total:
                    return
                model.is_objected = True
                model.deadline = max(model.deadline, now + 5 * DAY)
            if not model.is_quorate and model.has_quorum:
                model.is_quorate = True
                model.deadline = max(model.deadline, now + 2 * DAY)

        @rule(who=who, to=who)
        def delegate(self, who, to):
            governed.staking.invoke_transaction("delegate", voters[to], sender=voters[who])

        @rule(who=who, okb=st.integers(1, 200))
        def stake_more(self, who, okb):
            governed.stake(voters[who], okb)

        @rule(okb=st.integers(1, 500))
        def steal(self, okb):
            """Fresh stake and a big mouth."""
            governed.stake(thief, okb)
            draft = leverage(governed, 22, f"theft {self.count}")
            call = governed.parameter_governor.propose.encode_input(*draft.arguments)
            if governed.staking.agedVotes(thief, clock.time - 1, AGE) == 0:
                assert error_of(governed.parameter_governor, call, thief) is not None

        # --- after the vote

        @precondition(lambda self: self.proposals)
        @rule(data=st.data())
        def queue(self, data):
            self.queue_one(self.pick(data))

        def queue_one(self, model):
            governor = governed.governor(model.draft)
            call = governor.queue.encode_input(*model.draft.hashed)
            if model.state(clock.time) != SUCCEEDED:
                assert error_of(governor, call, thief) is not None
                return
            if model.state(clock.time + 30) != SUCCEEDED:
                return  # about to expire: whether it does is a matter of the next block's time
            model.queued_at = governed.queue(model.draft, by=thief).timestamp

        @precondition(lambda self: self.proposals)
        @rule(data=st.data())
        def execute(self, data):
            self.execute_one(self.pick(data))

        def execute_one(self, model):
            governor = governed.governor(model.draft)
            call = governor.execute.encode_input(*model.draft.hashed)
            now = clock.time
            is_ready = model.state(now) == QUEUED and now >= model.ready
            error = error_of(governor, call, thief)
            if not is_ready or model.state(now + 30) != QUEUED:
                assert is_ready or error is not None or now + 5 >= model.ready
                return
            if error is not None:
                # The call itself fails today: a step too large, cooling, or endorsed already.
                names = (b"Cooling(uint8,uint64)", b"AlreadyEndorsed(address)")
                names += (b"Unchanged(uint8,uint64)", b"StepTooLarge(uint8,uint64,uint64,uint64)")
                assert error[:4] in {keccak(name)[:4] for name in names}
                return
            governed.execute(model.draft, by=thief)
            model.is_executed = True
            if model.kind == "parameter":
                self.leverage = int.from_bytes(model.draft.calldatas[0][36:68], "big")
            else:
                self.endorsed.append(governed.chain.address)

        @precondition(lambda self: self.proposals)
        @rule(data=st.data(), stages=st.integers(1, 6), is_welcome=st.booleans())
        def go_on(self, data, stages, is_welcome):
            """Bring a proposal some stages further; if it is welcome, all who still can vote for it."""
            self.bring_on(self.pick(data), stages, is_welcome)

        def bring_on(self, model, stages, is_welcome):
            for _ in range(stages):
                state = model.state(clock.time)
                if state == PENDING:
                    self.pass_to(model.snapshot)
                elif state == ACTIVE:
                    for who in range(len(voters)) if is_welcome else ():
                        self.vote_one(model, who, FOR)
                    self.pass_to(model.deadline)
                elif state == SUCCEEDED:
                    self.queue_one(model)
                elif state == QUEUED:
                    self.pass_to(model.ready)
                    self.execute_one(model)

        @staticmethod
        def pass_to(time):
            governed.pass_seconds(max(time - clock.time, 0) + 1)

        # --- depositors

        @precondition(lambda self: any(p.kind == "core" for p in self.proposals))
        @rule(data=st.data(), which=st.integers(0, len(SHARES) - 1))
        def veto(self, data, which):
            model = data.draw(st.sampled_from([p for p in self.proposals if p.kind == "core"]))
            ballot = (governed.core_governor, governed.id_of(model.draft))
            if not model.is_proved:
                governed.chamber.proveAssets(*ballot, assets, sender=thief)
                model.is_proved = True
            call = governed.chamber.veto.encode_input(*ballot, [balances[which]])
            assert error_of(governed.chamber, call, thief) is not None
            if which in model.vetoed:
                assert error_of(governed.chamber, call, depositor) is not None
                return
            governed.chamber.veto(*ballot, [balances[which]], sender=depositor)
            model.vetoed.add(which)

        # --- time

        @rule(days=st.sampled_from([0.1, 1, 3, 5, 12, 46]))
        def wait(self, days):
            governed.pass_seconds(int(days * DAY))

        @invariant()
        def every_proposal_is_what_the_model_says(self):
            if not hasattr(self, "proposals"):
                return
            for model in self.proposals:
                assert governed.state(model.draft) == model.state(clock.time), model
            assert governed.limits.valueOf(1) == self.leverage
            assert governed.releases.deployments() == self.endorsed

    run_state_machine_as_test(
        Decisions, settings=settings(max_examples=tries(10), stateful_step_count=16)
    )
