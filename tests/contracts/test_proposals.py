"""Proposals of the four classes: admission, votes, delays, lapse, cancelling."""

from dataclasses import replace

import pytest

from scripts._governance import CLASSES, CORE, PARAMETER, ClassParams
from tests.contracts.driver import DAY, OKB, isolated, reverts
from tests.contracts.governed import (
    ABSTAIN,
    ACTIVE,
    AGAINST,
    AGE,
    CANCELED,
    DEFEATED,
    EXECUTED,
    EXPIRED,
    FOR,
    PENDING,
    QUEUED,
    SUCCEEDED,
    impersonate,
)
from tradezone.protocol.hashing import keccak

REASON = keccak(b"a reason")


@pytest.fixture
def voters(governed, alice, bob, carol):
    """Aged stake: 600, 300 and 100 OKB."""
    for account, okb in ((alice, 600), (bob, 300), (carol, 100)):
        governed.stake(account, okb)
    governed.grow_old()
    return alice, bob, carol


def leverage(governed, value=25, description="more leverage"):
    return governed.draft("parameter", (governed.limits, "set", 1, value), description=description)


def arming(governed, description="arm the brake"):
    return governed.draft("ordinary", (governed.brake, "arm"), description=description)


def endorsing(governed, description="endorse"):
    return governed.draft(
        "core", (governed.releases, "endorse", governed.chain, REASON), description=description
    )


def forbidding(governed, description="forbid"):
    selector = governed.draft("core", (governed.releases, "retire", governed.chain, REASON))
    return governed.draft(
        "constitutional",
        (governed.charter, "forbid", 3, governed.releases, selector.calldatas[0][:4]),
        description=description,
    )


DRAFTS = {
    "parameter": leverage,
    "ordinary": arming,
    "core": endorsing,
    "constitutional": forbidding,
}


# --- the way of a proposal


def test_a_parameter_passes_because_nobody_objects(governed, voters):
    draft = leverage(governed)
    started = governed.clock.time
    governed.propose(draft, voters[2])
    assert governed.state(draft) == PENDING
    governed.begin(draft)
    assert governed.state(draft) == ACTIVE
    governed.end(draft)
    assert governed.state(draft) == SUCCEEDED
    governed.queue(draft)
    assert governed.state(draft) == QUEUED
    governed.wait(draft)
    governed.execute(draft)
    assert governed.state(draft) == EXECUTED
    assert governed.limits.valueOf(1) == 25
    assert governed.clock.time - started >= 3600 + 4 * DAY


@pytest.mark.parametrize("kind", ["ordinary", "core", "constitutional"])
def test_a_class_decides_by_quorum_and_majority_and_waits_its_delay(governed, voters, kind):
    draft = DRAFTS[kind](governed)
    if kind == "ordinary":
        pull(governed)
    params = governed.governor(draft).config()
    governed.accept(draft, *voters)
    governed.queue(draft)
    delay = governed.governance.timelock(kind).getMinDelay()
    governed.pass_seconds(delay - 5_000)
    with reverts(governed.governor(draft).NotReady):
        governed.execute(draft)
    governed.pass_seconds(5_000)
    governed.execute(draft)
    assert governed.state(draft) == EXECUTED
    assert params.classId == CLASSES[kind]


def pull(governed):
    guardians = governed.brake.membersOf()
    for guardian in guardians[:3]:
        governed.brake.pull(REASON, sender=_account(guardian))
    governed.clock.pass_time(72 * 3600)


def _account(address):
    from ape import accounts

    return accounts.test_accounts[address]


def test_the_delays_are_those_of_the_specification(governed, governance_params):
    delays = {kind: governed.governance.timelock(kind).getMinDelay() for kind in CLASSES}
    assert delays == {
        "parameter": DAY,
        "ordinary": 3 * DAY,
        "core": 45 * DAY,
        "constitutional": 120 * DAY,
    }
    for kind in CLASSES:
        config = governed.governance.governor(kind).config()
        params: ClassParams = governance_params.classes[kind]
        assert config.votingPeriod == params.voting_period
        assert config.quorumPpm == params.quorum_ppm
        assert config.majorityPpm == params.majority_ppm


# --- admission


def test_a_proposer_needs_its_share_of_aged_stake(governed, voters, accounts):
    small = accounts[9]
    governed.stake(small, 1)  # 0.1 % of 1001
    governed.grow_old()
    governor = governed.ordinary_governor
    assert governor.proposalThreshold() == 1001 * OKB * 2_500 // 10**6
    with reverts(governor.GovernorInsufficientProposerVotes):
        governed.propose(arming(governed), small)
    governed.stake(small, 500)  # plenty, and young
    with reverts(governor.GovernorInsufficientProposerVotes):
        governed.propose(arming(governed), small)
    governed.grow_old()
    governed.propose(arming(governed), small)


def test_without_stake_nobody_proposes(governed, alice):
    assert governed.ordinary_governor.proposalThreshold() == 1
    with reverts(governed.ordinary_governor.GovernorInsufficientProposerVotes):
        governed.propose(arming(governed), alice)


def test_a_proposer_has_one_proposal_before_the_vote_ends(governed, voters):
    first, second = leverage(governed), leverage(governed, 26, "another")
    governed.propose(first, voters[0])
    with reverts(
        governed.parameter_governor.ProposalOpen,
        proposer=voters[0].address,
        proposalId=governed.id_of(first),
    ):
        governed.propose(second, voters[0])
    governed.propose(second, voters[1])
    governed.begin(first)
    governed.end(first)
    governed.propose(leverage(governed, 27, "a third"), voters[0])


def test_coin_is_not_sent(governed, voters):
    draft = governed.draft("ordinary", (governed.brake, "arm"), values=[1])
    with reverts(governed.charter.ValueSent, value=1):
        governed.propose(draft, voters[0])


def test_calls_are_counted_and_have_selectors(governed, voters):
    many = governed.draft("ordinary", *[(governed.brake, "arm")] * 11)
    with reverts(governed.charter.TooManyCalls, calls=11, most=10):
        governed.propose(many, voters[0])
    short = replace(arming(governed), calldatas=(b"\x01\x02\x03",))
    with reverts(governed.charter.NoSelector, length=3):
        governed.propose(short, voters[0])
    none = replace(arming(governed), targets=(), values=(), calldatas=())
    with reverts(governed.ordinary_governor.GovernorInvalidProposalLength):
        governed.propose(none, voters[0])


def test_a_proposal_is_made_once(governed, voters):
    draft = leverage(governed)
    governed.accept(draft, voters[0])
    with reverts(governed.parameter_governor.GovernorUnexpectedProposalState):
        governed.propose(draft, voters[0])


def test_a_proposal_can_be_kept_for_its_proposer(governed, voters):
    words = f"mine #proposer={voters[0].address}"
    draft = leverage(governed, description=words)
    with reverts(
        governed.parameter_governor.GovernorRestrictedProposer, proposer=voters[1].address
    ):
        governed.propose(draft, voters[1])
    governed.propose(draft, voters[0])


# --- votes


def test_a_vote_is_cast_once_while_it_is_open(governed, voters):
    draft = arming(governed)
    governed.propose(draft, voters[0])
    governor = governed.ordinary_governor
    with reverts(governor.GovernorUnexpectedProposalState):
        governed.vote(draft, voters[0])
    governed.begin(draft)
    governed.vote(draft, voters[0])
    with reverts(governor.GovernorAlreadyCastVote, voter=voters[0].address):
        governed.vote(draft, voters[0], AGAINST)
    with reverts(governor.GovernorInvalidVoteType):
        governed.vote(draft, voters[1], 3)
    governed.end(draft)
    with reverts(governor.GovernorUnexpectedProposalState):
        governed.vote(draft, voters[1])


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ((None, None, None), DEFEATED),
        ((None, None, FOR), DEFEATED),  # 10 %: no quorum
        ((None, FOR, None), SUCCEEDED),  # 30 %
        ((None, ABSTAIN, FOR), SUCCEEDED),  # abstaining makes the quorum
        ((None, ABSTAIN, None), DEFEATED),  # and no majority
        ((AGAINST, FOR, FOR), DEFEATED),
        ((FOR, AGAINST, AGAINST), SUCCEEDED),
        ((None, AGAINST, FOR), DEFEATED),
    ],
)
def test_quorum_and_majority_of_an_ordinary_vote(governed, voters, votes, expected):
    draft = arming(governed)
    governed.propose(draft, voters[0])
    governed.begin(draft)
    for voter, support in zip(voters, votes, strict=True):
        if support is not None:
            governed.vote(draft, voter, support)
    governed.end(draft)
    assert governed.state(draft) == expected


def test_sixty_percent_is_not_more_than_sixty(governed, voters, accounts):
    """600 for, 400 against: core needs more."""
    draft = endorsing(governed)
    governed.propose(draft, voters[0])
    governed.begin(draft)
    governed.vote(draft, voters[0])
    for voter in voters[1:]:
        governed.vote(draft, voter, AGAINST)
    governed.end(draft)
    assert governed.state(draft) == DEFEATED


def test_the_quorum_is_a_share_of_aged_stake_and_never_below_the_floor(governed, alice, accounts):
    governor = governed.ordinary_governor
    assert governor.quorum(governed.clock.time - 1) == OKB
    governed.stake(alice, 100)
    governed.grow_old()
    governed.stake(accounts[9], 5000)  # young stake does not raise it
    governed.clock.pass_time(1)
    assert governor.quorum(governed.clock.time - 1) == 20 * OKB


def test_what_nobody_proposed_has_no_times(governed, voters):
    governor = governed.ordinary_governor
    assert tuple(governor.readyOf(12345)) == (0, 0)
    assert governor.proposalDeadline(12345) == 0
    draft = arming(governed)
    governed.propose(draft, voters[0])
    assert tuple(governor.readyOf(governed.id_of(draft))) == (0, 0), "not queued yet"


def test_a_late_quorum_extends_the_vote_once(governed, voters):
    draft = arming(governed)
    governed.propose(draft, voters[0])
    governed.begin(draft)
    governor, number = governed.ordinary_governor, governed.id_of(draft)
    deadline = governor.proposalDeadline(number)
    governed.vote(draft, voters[2])
    governed.clock.pass_blocks(60)
    governed.clock.pass_time(deadline - governed.clock.time - 100)
    receipt = governed.vote(draft, voters[1])
    extended = governor.VoteExtended.from_receipt(receipt)[0].deadline
    assert extended == receipt.timestamp + 2 * DAY
    assert governor.proposalDeadline(number) == extended
    governed.clock.pass_blocks(60)
    governed.clock.pass_time(extended - governed.clock.time - 100)
    assert not governor.VoteExtended.from_receipt(governed.vote(draft, voters[0], AGAINST))
    governed.end(draft)
    assert governed.state(draft) == DEFEATED


def test_an_early_quorum_extends_nothing(governed, voters):
    draft = arming(governed)
    governed.propose(draft, voters[0])
    governed.begin(draft)
    before = governed.ordinary_governor.proposalDeadline(governed.id_of(draft))
    governed.vote(draft, voters[0])
    assert governed.ordinary_governor.proposalDeadline(governed.id_of(draft)) == before


# --- objections


def test_an_objection_makes_a_vote_of_a_parameter(governed, voters):
    draft = leverage(governed)
    governed.propose(draft, voters[0])
    governed.begin(draft)
    governor, number = governed.parameter_governor, governed.id_of(draft)
    assert governor.objectionNeeded(number) == 10 * OKB
    receipt = governed.vote(draft, voters[2], AGAINST)
    assert governor.isObjected(number)
    deadline = governor.ObjectionReached.from_receipt(receipt)[0].deadline
    assert deadline == receipt.timestamp + 5 * DAY == governor.proposalDeadline(number)
    governed.end(draft)
    assert governed.state(draft) == DEFEATED


def test_an_objected_parameter_can_still_be_voted_through(governed, voters):
    draft = leverage(governed)
    governed.propose(draft, voters[0])
    governed.begin(draft)
    governed.vote(draft, voters[2], AGAINST)
    governed.vote(draft, voters[1])
    governed.end(draft)
    assert governed.state(draft) == SUCCEEDED


def test_support_is_no_objection_and_too_little_objects_nothing(governed, voters, accounts):
    governed.stake(accounts[9], 5)
    governed.grow_old()
    draft = leverage(governed)
    governed.propose(draft, voters[0])
    governed.begin(draft)
    governed.vote(draft, voters[0])
    governed.vote(draft, accounts[9], AGAINST)  # 5 of 1005
    assert not governed.parameter_governor.isObjected(governed.id_of(draft))
    governed.end(draft)
    assert governed.state(draft) == SUCCEEDED


def test_classes_that_always_vote_need_no_objection(governed, voters):
    draft = arming(governed)
    governed.propose(draft, voters[0])
    assert governed.ordinary_governor.objectionNeeded(governed.id_of(draft)) == 0


# --- time and blocks


def test_while_the_chain_stands_still_no_vote_ends(governed, voters):
    draft = arming(governed)
    governed.propose(draft, voters[0])
    governed.clock.pass_time(30 * DAY)  # in three blocks
    assert governed.state(draft) == ACTIVE
    governed.vote(draft, voters[0], AGAINST)
    governed.clock.pass_blocks(70)
    assert governed.state(draft) == DEFEATED


def test_while_the_chain_stands_still_no_delay_ends(governed, voters):
    pull(governed)
    draft = arming(governed)
    governed.accept(draft, *voters)
    governed.queue(draft)
    governed.clock.pass_time(4 * DAY)
    ready_at, ready_block = governed.ordinary_governor.readyOf(governed.id_of(draft))
    assert ready_at < governed.clock.time
    assert ready_block > governed.clock.block
    with reverts(
        governed.ordinary_governor.NotReady,
        proposalId=governed.id_of(draft),
        readyAt=ready_at,
        readyBlock=ready_block,
    ):
        governed.execute(draft)
    governed.clock.pass_blocks(30)
    governed.execute(draft)


# --- lapse


def test_what_passed_and_is_not_queued_expires(governed, voters, chain):
    draft = leverage(governed)
    governed.accept(draft, voters[0])
    governor, number = governed.parameter_governor, governed.id_of(draft)
    expiry = governor.expiryOf(number)
    assert expiry == governor.proposalDeadline(number) + 14 * DAY
    with isolated(chain):
        governed.clock.pass_time(expiry - governed.clock.time)
        assert governed.state(draft) == SUCCEEDED
    governed.clock.pass_time(expiry - governed.clock.time + 1)
    assert governed.state(draft) == EXPIRED
    with reverts(governor.GovernorUnexpectedProposalState):
        governed.queue(draft)


def test_what_is_ready_and_not_executed_expires(governed, voters):
    draft = leverage(governed)
    governed.accept(draft, voters[0])
    governed.queue(draft)
    governed.wait(draft)
    governor, number = governed.parameter_governor, governed.id_of(draft)
    assert governor.expiryOf(number) == governor.readyOf(number)[0] + 14 * DAY
    governed.clock.pass_time(14 * DAY + 1)
    assert governed.state(draft) == EXPIRED
    assert governor.expiryOf(number) == 0
    with reverts(governor.GovernorUnexpectedProposalState):
        governed.execute(draft)


# --- cancelling


def test_a_proposer_cancels_while_pending_only(governed, voters):
    draft = arming(governed)
    governed.propose(draft, voters[0])
    governor = governed.ordinary_governor
    with reverts(governor.GovernorUnableToCancel):
        governed.cancel(draft, voters[1])
    governed.cancel(draft, voters[0])
    assert governed.state(draft) == CANCELED
    other = arming(governed, "again")
    governed.propose(other, voters[0])
    governed.begin(other)
    with reverts(governor.GovernorUnableToCancel):
        governed.cancel(other, voters[0])


def cancel_by_council(governed, draft, members, reason="it is a mistake"):
    call = governed.council.cancelProposal
    return [
        call(governed.governor(draft), *draft.hashed, reason, sender=_account(member))
        for member in members
    ][-1]


@pytest.mark.parametrize("moment", ["pending", "active", "succeeded", "queued"])
def test_seven_of_the_council_cancel_parameter_and_ordinary_proposals(governed, voters, moment):
    draft = leverage(governed)
    governed.propose(draft, voters[0])
    if moment != "pending":
        governed.begin(draft)
    if moment in ("succeeded", "queued"):
        governed.end(draft)
    if moment == "queued":
        governed.queue(draft)
        governed.wait(draft)
    members = governed.council.membersOf()
    cancel_by_council(governed, draft, members[:6])
    assert governed.state(draft) != CANCELED
    receipt = cancel_by_council(governed, draft, members[6:7])
    assert governed.state(draft) == CANCELED
    event = governed.council.ProposalCancelled.from_receipt(receipt)[0]
    assert event.reason == "it is a mistake"
    with reverts(governed.parameter_governor.GovernorUnexpectedProposalState):
        governed.execute(draft)


@pytest.mark.parametrize("kind", ["core", "constitutional"])
def test_nobody_cancels_core_or_constitutional_decisions(governed, voters, kind):
    draft = DRAFTS[kind](governed)
    governed.propose(draft, voters[0])
    members = governed.council.membersOf()
    cancel_by_council(governed, draft, members[:6])
    with reverts(governed.governor(draft).GovernorUnableToCancel):
        cancel_by_council(governed, draft, members[6:7])


# --- configuration


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"votingPeriod": 0}, "votingPeriod"),
        ({"grace": 0}, "grace"),
        ({"quorumPpm": 0}, "quorumPpm"),
        ({"quorumPpm": 10**6 + 1}, "quorumPpm"),
        ({"majorityPpm": 499_999}, "majorityPpm"),
        ({"majorityPpm": 10**6}, "majorityPpm"),
        ({"thresholdPpm": 10**6 + 1}, "thresholdPpm"),
        ({"objectionPpm": 300_000}, "objectionPpm"),
        ({"objectionPpm": 0}, "objectedPeriod"),
    ],
)
def test_a_class_with_senseless_numbers_is_not_deployed(
    governed, deployer, project, changes, parameter
):
    found = governed.parameter_governor.config()
    names = [item.name for item in project.ClassGovernor.constructor.abi.inputs[0].components]
    config = {name: getattr(found, name) for name in names} | changes
    with reverts(governed.parameter_governor.BadConfig, parameter=parameter):
        deployer.deploy(project.ClassGovernor, config)


def test_production_numbers_give_a_user_thirty_days_net():
    assert CORE.timelock_delay - (3 + 7 + 5) * DAY >= 30 * DAY
    assert PARAMETER.voting_period >= 3 * DAY
    assert AGE < 21 * DAY  # stake cannot leave within an age


def test_governors_and_timelocks_take_no_coin(governed, alice):
    for kind in CLASSES:
        governor = governed.governance.governor(kind)
        with reverts(governor.GovernorDisabledDeposit):
            alice.transfer(governor, 1)


def test_only_governors_schedule_and_execute(governed, alice, chain):
    for kind in CLASSES:
        timelock = governed.governance.timelock(kind)
        arguments = ([governed.limits], [0], [b""], bytes(32), bytes(32))
        for sender in (alice, impersonate(chain, timelock)):
            with reverts(timelock.AccessControlUnauthorizedAccount):
                timelock.scheduleBatch(*arguments, 10**9, sender=sender)
            with reverts(timelock.AccessControlUnauthorizedAccount):
                timelock.executeBatch(*arguments, sender=sender)
