"""What somebody would try: one test an attack, named after it."""

from dataclasses import replace

import pytest

from scripts._governance import CLASSES
from tests.contracts.driver import DAY, OKB, attempt, error_of, isolated, reverts
from tests.contracts.governed import (
    AGAINST,
    AGE,
    DEFEATED,
    EXPIRED,
    FOR,
    QUEUED,
    SUCCEEDED,
    State,
    impersonate,
)
from tests.contracts.test_chamber import balance
from tests.contracts.test_proposals import arming, endorsing, forbidding, leverage, pull
from tradezone.protocol.hashing import keccak

REASON = keccak(b"a reason")


@pytest.fixture
def voters(governed, alice, bob):
    """Aged stake: 900 and 100 OKB."""
    governed.stake(alice, 900)
    governed.stake(bob, 100)
    governed.grow_old()
    return alice, bob


def weight_of(governed, draft, voter):
    governor = governed.governor(draft)
    number = governed.id_of(draft)
    return governor.getVotes(voter, governor.proposalSnapshot(number))


# --- stake that was not there


def test_flash_stake_votes_with_nothing(governed, voters, carol):
    """Stake, vote and take it back in a moment."""
    draft = arming(governed)
    governed.propose(draft, voters[0])
    governed.begin(draft)
    governed.stake(carol, 5_000)
    governed.vote(draft, carol)
    assert tuple(governed.ordinary_governor.proposalVotes(governed.id_of(draft))) == (0, 0, 0)
    governed.staking.requestUnbond(5_000 * OKB, sender=carol)
    with reverts(governed.staking.UnbondingRunning):
        governed.staking.withdraw(1, sender=carol)


def test_flash_stake_proposes_nothing(governed, voters, carol):
    governed.stake(carol, 5_000)
    governed.clock.pass_time(2)
    with reverts(governed.ordinary_governor.GovernorInsufficientProposerVotes):
        governed.propose(arming(governed), carol)


def test_a_late_whale_is_too_young(governed, voters, carol):
    """Stake in the hour between proposal and snapshot."""
    draft = leverage(governed)
    governed.propose(draft, voters[0])
    governed.stake(carol, 5_000)
    governed.begin(draft)
    assert weight_of(governed, draft, carol) == 0
    governed.vote(draft, carol, AGAINST)
    assert not governed.parameter_governor.isObjected(governed.id_of(draft))


def test_a_late_whale_that_waits_almost_an_age_is_too_young(governed, voters, carol):
    governed.stake(carol, 5_000)
    governed.clock.pass_time(AGE - 3600 - 100)
    draft = leverage(governed)
    governed.propose(draft, voters[0])  # the snapshot is an hour later
    governed.begin(draft)
    assert weight_of(governed, draft, carol) == 0


def test_a_late_whale_does_not_raise_the_quorum_either(governed, voters, carol):
    draft = arming(governed)
    governed.stake(carol, 9_000)
    governed.propose(draft, voters[0])
    governed.begin(draft)
    governed.vote(draft, voters[0])
    governed.end(draft)
    assert governed.state(draft) == SUCCEEDED


def test_one_coin_does_not_vote_twice_by_delegation(governed, voters, carol):
    """Vote, delegate to a friend, let the friend vote."""
    draft = arming(governed)
    governed.propose(draft, voters[0])
    governed.begin(draft)
    governed.vote(draft, voters[0])
    governed.staking.invoke_transaction("delegate", carol, sender=voters[0])
    governed.clock.pass_time(10)
    governed.vote(draft, carol)
    votes = governed.ordinary_governor.proposalVotes(governed.id_of(draft))
    assert votes[FOR] == 900 * OKB


def test_one_coin_does_not_vote_twice_by_moving(governed, voters, carol):
    """Unbond, withdraw and stake again as somebody else takes longer than any vote."""
    longest = max(
        g.votingDelay() + g.votingPeriod() + g.config().lateExtension + g.config().objectedPeriod
        for g in map(governed.governance.governor, CLASSES)
    )
    assert governed.staking.unbondingSeconds() + 7 * DAY >= longest


def test_delegation_loops_add_no_weight(governed, voters):
    alice, bob = voters
    governed.staking.invoke_transaction("delegate", bob, sender=alice)
    governed.staking.invoke_transaction("delegate", alice, sender=bob)
    governed.grow_old()
    draft = arming(governed)
    governed.propose(draft, alice)
    governed.begin(draft)
    assert weight_of(governed, draft, alice) == 100 * OKB
    assert weight_of(governed, draft, bob) == 900 * OKB


def test_a_shorter_age_does_not_make_a_running_vote_younger(governed, voters, carol, chain):
    governed.stake(carol, 5_000)
    governed.clock.pass_time(5 * DAY)
    draft = arming(governed)
    governed.propose(draft, voters[0])
    governed.begin(draft)
    setter = impersonate(chain, governed.parameter_timelock)
    governed.limits.set(22, 4 * DAY, sender=setter)
    assert weight_of(governed, draft, carol) == 0


def test_the_first_staker_of_a_zone_does_not_govern_it(governed, alice):
    """Less than the quorum's floor is staked: nobody could object, so silence passes nothing."""
    governed.staking.stake(sender=alice, value=OKB - 1)
    governed.grow_old()
    draft = leverage(governed)
    governed.propose(draft, alice)
    governed.begin(draft)
    governed.vote(draft, alice)
    governed.end(draft)
    assert governed.state(draft) == DEFEATED


# --- what a proposal smuggles


def try_to_propose(governed, draft, sender):
    """What a proposal would be refused with, None if it would be taken."""
    governor = governed.governor(draft)
    return error_of(governor, governor.propose.encode_input(*draft.arguments), sender)


def not_allowed(number, target, calldata):
    """The Charter's refusal, as it is encoded."""
    error = keccak(b"NotAllowed(uint8,address,bytes4)")[:4] + number.to_bytes(32, "big")
    return error + bytes(12) + bytes.fromhex(target.address[2:]) + calldata[:4] + bytes(28)


def test_a_proposal_smuggles_no_selector(governed, voters):
    """Beside a call that is allowed, one that is not."""
    good = (governed.limits, "set", 1, 25)
    bad = [
        (governed.limits, "setAuthority", voters[0]),
        (governed.authority, "grantRole", 0, voters[0], 0),
        (governed.authority, "execute", governed.limits, b"\x01\x02\x03\x04"),
        (governed.authority, "multicall", []),
        (governed.charter, "allow", 1, governed.treasury, b"\x01\x02\x03\x04"),
        (governed.treasury, "openStream", governed.limits, voters[0], 1, 0, 30 * DAY),
        (governed.staking, "slash", bytes(32), 1, 1, voters[0]),
        (governed.vault, "pay", 1, voters[0], 1),
        (governed.chain, "freeze", bytes(32)),
        (governed.parameter_timelock, "updateDelay", 0),
        (governed.parameter_governor, "relay", governed.limits, 0, b""),
        (governed.parameter_governor, "updateTimelock", voters[0]),
    ]
    for call in bad:
        for calls in ((good, call), (call, good), (call,)):
            draft = governed.draft("parameter", *calls, description=f"smuggle {call[1]}")
            refused = not_allowed(1, call[0], draft.calldatas[calls.index(call)])
            assert try_to_propose(governed, draft, voters[0]) == refused


def test_no_class_proposes_what_another_class_decides(governed, voters):
    drafts = {
        "parameter": leverage(governed),
        "ordinary": arming(governed),
        "core": endorsing(governed),
        "constitutional": forbidding(governed),
    }
    for own, draft in drafts.items():
        for kind in set(CLASSES) - {own}:
            other = replace(draft, kind=kind)
            data = try_to_propose(governed, other, voters[0])
            assert data
            assert data[:4] == keccak(b"NotAllowed(uint8,address,bytes4)")[:4]


def test_code_swapped_under_a_pinned_hash_is_not_executed(governed, voters, chain):
    draft = leverage(governed)
    governed.accept(draft, voters[0])
    governed.queue(draft)
    governed.wait(draft)
    target = governed.limits.address
    code = chain.provider.get_code(target)
    number = governed.id_of(draft)
    pinned = bytes(governed.parameter_governor.pinOf(number))
    with isolated(chain):
        # Other code at the same place, as a metamorphic contract puts it: one byte more is enough.
        chain.provider.make_request("anvil_setCode", [target, "0x" + bytes(code).hex() + "00"])
        call = governed.parameter_governor.execute.encode_input(*draft.hashed)
        is_done, data = attempt(governed.parameter_governor, call, voters[0])
        assert not is_done
        assert data[:4] == keccak(b"CodeChanged(uint256,bytes32,bytes32)")[:4]
        assert data[36:68] == pinned
    assert chain.provider.get_code(target) == code
    governed.execute(draft)


def test_what_is_taken_off_the_list_meanwhile_is_not_executed(governed, voters, chain):
    draft = leverage(governed)
    governed.accept(draft, voters[0])
    governed.queue(draft)
    governed.wait(draft)
    constitution = impersonate(chain, governed.constitutional_timelock)
    governed.charter.forbid(1, governed.limits, draft.calldatas[0][:4], sender=constitution)
    with reverts(governed.charter.NotAllowed):
        governed.execute(draft)
    assert governed.state(draft) == QUEUED
    governed.clock.pass_time(15 * DAY)
    assert governed.state(draft) == EXPIRED


def test_a_proposal_is_executed_once(governed, voters):
    draft = leverage(governed)
    governed.enact(draft, voters[0])
    for function in (governed.execute, governed.queue):
        with reverts(governed.parameter_governor.GovernorUnexpectedProposalState):
            function(draft)


def test_nobody_executes_past_the_governor(governed, voters, chain):
    """The timelock's executor is not open: the second look at the payload cannot be gone round."""
    draft = leverage(governed)
    governed.accept(draft, voters[0])
    governed.queue(draft)
    governed.wait(draft)
    timelock = governed.parameter_timelock
    salt = bytes(
        a ^ b
        for a, b in zip(
            bytes.fromhex(governed.parameter_governor.address[2:]) + bytes(12),
            draft.hashed[3],
            strict=True,
        )
    )
    arguments = (*draft.hashed[:3], bytes(32), salt)
    assert timelock.isOperationReady(timelock.hashOperationBatch(*arguments))
    for sender in (voters[0], governed.deployer, impersonate(chain, timelock)):
        with reverts(timelock.AccessControlUnauthorizedAccount):
            timelock.executeBatch(*arguments, sender=sender)


# --- shorter delays


@pytest.mark.parametrize("kind", CLASSES)
def test_no_path_shortens_a_timelock(governed, voters, kind):
    timelock, governor = governed.governance.timelock(kind), governed.governance.governor(kind)
    before = timelock.getMinDelay()
    # by a proposal of any class
    for other in CLASSES:
        draft = governed.draft(other, (timelock, "updateDelay", 0))
        refused = not_allowed(CLASSES[other], timelock, draft.calldatas[0])
        assert try_to_propose(governed, draft, voters[0]) == refused
    # by a longer list: not even the constitutional class can make one
    selector = keccak(b"updateDelay(uint256)")[:4]
    for number in CLASSES.values():
        call = governed.charter.allow.encode_input(number, timelock, selector)
        data = error_of(governed.charter, call, governed.constitutional_timelock)
        assert data
        assert data[:4] == keccak(b"Untouchable(address)")[:4]
    # by calling it, as anybody with a part in governance
    for name in ("authority", "council", "charter", *(f"{k}_governor" for k in CLASSES)):
        data = error_of(timelock, timelock.updateDelay.encode_input(0), getattr(governed, name))
        assert data
        assert data[:4] == keccak(b"TimelockUnauthorizedCaller(address)")[:4]
    # by scheduling with less
    call = timelock.scheduleBatch.encode_input(
        [governed.limits.address], [0], [b""], bytes(32), bytes(32), before - 1
    )
    is_done, data = attempt(timelock, call, governor)
    assert not is_done
    assert data[:4] == keccak(b"TimelockInsufficientDelay(uint256,uint256)")[:4]
    assert timelock.getMinDelay() == before


def test_a_role_is_moved_by_the_constitutional_class_after_its_delay(
    governed, voters, deployer, project
):
    """The one way to another delay, and how long everybody sees it coming."""
    timelock = deployer.deploy(project.ClassTimelock, 7 * DAY, governed.ordinary_governor)
    draft = governed.draft(
        "constitutional",
        (governed.authority, "grantRole", 1, timelock, 0),
        (governed.authority, "revokeRole", 1, governed.parameter_timelock),
        description="a slower parameter class",
    )
    started = governed.clock.time
    governed.enact(draft, voters[0], *voters)
    assert governed.clock.time - started >= 120 * DAY
    assert governed.authority.hasRole(1, timelock)[0]
    assert not governed.authority.hasRole(1, governed.parameter_timelock)[0]


def test_a_minority_moves_no_role(governed, voters):
    draft = governed.draft(
        "constitutional", (governed.authority, "grantRole", 0, voters[1], 0), description="mine"
    )
    governed.propose(draft, voters[1])
    governed.begin(draft)
    governed.vote(draft, voters[1])
    governed.end(draft)
    assert governed.state(draft) == DEFEATED  # 10 % is no quorum


# --- guardians


def test_guardian_spam_closes_the_door_once(governed, accounts, alice, clock):
    pull(governed)  # and 72 h pass
    guardians = [accounts[i] for i in range(10, 17)]
    for number in range(5):
        for guardian in guardians:
            with reverts(governed.brake.NotArmed):
                governed.brake.pull(keccak(bytes([number])), sender=guardian)
        clock.pass_time(DAY)
    assert not governed.brake.isClosed()
    governed.vault.depositNative(alice, sender=alice, value=10**12)


# --- depositors


@pytest.fixture
def depositor(governed, carol, asserter, voters):
    """Carol holds 20 % of everything, in one record of the newest final state."""
    governed.bond(asserter)
    governed.owner_registry.register(carol, sender=carol)
    state = State()
    state.put("asset", 1, kind=1, total=1000)
    state.put("asset", 2, kind=2, total=0)
    balance(state, 1, owner=2, asset=1, free=60)
    governed.finalized_state(asserter, state)
    return state


def test_one_record_does_not_veto_twice(governed, depositor, voters, carol):
    draft = endorsing(governed)
    governed.propose(draft, voters[0])
    ballot = (governed.core_governor, governed.id_of(draft))
    chamber = governed.chamber
    assets = [depositor.proof("asset", asset) for asset in (1, 2)]
    chamber.proveAssets(*ballot, assets, sender=carol)
    proof = depositor.proof("balance", 1)
    call = bytes(chamber.veto.encode_input(*ballot, [proof]))
    chamber.veto(*ballot, [proof], sender=carol)
    for again in (call, call + b"\x00" * 32, call + b"\xff"):  # trailing bytes are another encoding
        is_done, data = attempt(chamber, again, carol)
        assert not is_done
        assert data[:4] == keccak(b"AlreadyVetoed(uint32)")[:4]
    with reverts(chamber.AlreadyVetoed, slot=1):
        chamber.veto(*ballot, [proof, proof], sender=carol)
    assert chamber.sharePpm(*ballot) == 60_000
    assert governed.state(draft) != DEFEATED


def test_a_deposit_after_the_proposal_vetoes_nothing(governed, depositor, voters, bob, asserter):
    draft = endorsing(governed)
    governed.propose(draft, voters[0])
    ballot = (governed.core_governor, governed.id_of(draft))
    governed.owner_registry.register(bob, sender=bob)
    later = State()
    balance(later, 2, owner=3, asset=1, free=10**9)
    governed.finalized_state(asserter, later)
    with reverts(governed.chamber.WrongRoot):
        governed.chamber.veto(*ballot, [later.proof("balance", 2)], sender=bob)


def test_stakers_do_not_switch_the_chamber_off_first(governed, depositor, voters, carol):
    """Weights are a core decision, and the depositors veto it with the weights that were."""
    draft = governed.draft(
        "core",
        (governed.chamber, "setWeight", 1, 0),
        (governed.chamber, "setWeight", 2, 0),
        description="depositors count nothing",
    )
    for kind in ("parameter", "ordinary"):
        with reverts(governed.charter.NotAllowed):
            governed.propose(governed.draft(kind, (governed.chamber, "setWeight", 1, 0)), voters[0])
    governed.propose(draft, voters[0])
    ballot = (governed.core_governor, governed.id_of(draft))
    assets = [depositor.proof("asset", asset) for asset in (1, 2)]
    governed.chamber.proveAssets(*ballot, assets, sender=carol)
    governed.chamber.veto(*ballot, [depositor.proof("balance", 1)], sender=carol)
    is_defeated, delay = governed.chamber.verdictOn(*ballot)
    assert not is_defeated
    assert delay > 5 * DAY


# --- forced coin


def test_forced_coin_votes_for_nobody_and_pays_nobody(governed, voters, clock):
    for name in ("staking", "ordinary_governor", "ordinary_timelock", "charter", "chamber"):
        clock.force_coin(getattr(governed, name), 1_000 * OKB)
    assert governed.staking.totalStaked() == 1_000 * OKB
    governed.clock.pass_time(1)
    now = governed.clock.time - 1
    assert governed.staking.agedTotal(now, AGE) == 1_000 * OKB
    draft = governed.draft("ordinary", (governed.brake, "arm"), values=[OKB])
    with reverts(governed.charter.ValueSent):
        governed.propose(draft, voters[0])


def test_forced_coin_is_the_treasurys_like_any_other(governed, clock):
    clock.force_coin(governed.treasury, 5)
    assert governed.treasury.unreserved("0x" + "00" * 20) == 5
