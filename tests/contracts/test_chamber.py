"""The depositors' chamber: proofs of balances and totals in a final state, nullifiers, delay and defeat."""

import pytest

from tests.contracts.driver import DAY, reverts
from tests.contracts.governed import (
    ACTIVE,
    DEFEATED,
    EXECUTED,
    EXPIRED,
    QUEUED,
    State,
    impersonate,
)
from tests.contracts.test_proposals import endorsing, forbidding, leverage

NATIVE, TOKEN, WORTHLESS = 1, 2, 3
TOTAL = 10**9 * 10**12 + 10**9 * 5 * 10**11  # of the state below


@pytest.fixture
def state(governed, alice, bob, carol):
    """Alice has 12 % of all collateral, Bob 4 % and Carol half a percent."""
    for owner in (alice, bob, carol):
        governed.owner_registry.register(owner, sender=owner)  # ids 2, 3, 4
    state = State()
    state.put("asset", NATIVE, kind=1, total=10**9)
    state.put("asset", TOKEN, kind=2, total=10**9)
    state.put("asset", WORTHLESS, kind=2, total=10**15)
    balance(state, 1, owner=2, asset=NATIVE, free=60 * 10**6, locked=60 * 10**6)
    balance(state, 2, owner=2, asset=TOKEN, free=120 * 10**6)
    balance(state, 3, owner=3, asset=NATIVE, locked=60 * 10**6)
    balance(state, 4, owner=4, asset=TOKEN, free=15 * 10**6)
    balance(state, 5, owner=4, asset=WORTHLESS, free=10**15)
    balance(state, 6, owner=4, asset=TOKEN, free=10**8, state=0)
    return state


def balance(tree, slot, /, **values):
    tree.put("balance", slot, **({"state": 1, "account": 9, "generation": 1} | values))


@pytest.fixture
def voters(governed, state, accounts, asserter):
    """Aged stake of others, and the state final."""
    governed.bond(asserter)
    governed.stake(accounts[9], 1000)
    governed.grow_old()
    governed.finalized_state(asserter, state)
    return [accounts[9]]


@pytest.fixture
def draft(governed, voters):
    draft = endorsing(governed)
    governed.propose(draft, voters[0])
    return draft


@pytest.fixture
def ballot(governed, draft):
    return (governed.core_governor, governed.id_of(draft))


def prove_assets(governed, ballot, state, assets=(NATIVE, TOKEN)):
    proofs = [state.proof("asset", asset) for asset in assets]
    return governed.chamber.proveAssets(*ballot, proofs, sender=governed.deployer)


def veto(governed, ballot, state, owner, *slots):
    proofs = [state.proof("balance", slot) for slot in slots]
    return governed.chamber.veto(*ballot, proofs, sender=owner)


# --- ballots


def test_a_core_proposal_pins_the_newest_final_root(governed, ballot, asserter, state):
    found = governed.chamber.ballotOf(*ballot)
    assert found.claim == governed.chain.latestFinal()
    assert (bytes(found.stateRoot), found.assets, found.provedAssets) == (state.root, 2, 0)
    governed.finalized(asserter, "a newer one")
    assert governed.chamber.ballotOf(*ballot).claim == found.claim != governed.chain.latestFinal()


def test_parameter_and_ordinary_proposals_have_no_ballot(governed, voters):
    draft = leverage(governed)
    governed.propose(draft, voters[0])
    number = governed.id_of(draft)
    with reverts(
        governed.chamber.NoBallot, governor=governed.parameter_governor, proposalId=number
    ):
        governed.chamber.veto(governed.parameter_governor, number, [], sender=voters[0])


def test_a_ballot_is_opened_once(governed, ballot, chain):
    with reverts(governed.chamber.BallotExists):
        governed.chamber.open(ballot[1], sender=impersonate(chain, ballot[0]))


# --- veto


def test_a_veto_of_twelve_percent_defeats(governed, draft, ballot, state, alice):
    receipt = veto(governed, ballot, state, alice, 1, 2)
    event = governed.chamber.Vetoed.from_receipt(receipt)[0]
    assert event.weight == 120 * 10**6 * 10**12 + 120 * 10**6 * 5 * 10**11
    assert governed.chamber.sharePpm(*ballot) == 0  # until all assets are proved
    assert governed.state(draft) != DEFEATED
    prove_assets(governed, ballot, state)
    assert governed.chamber.ballotOf(*ballot).total == TOTAL
    assert governed.chamber.sharePpm(*ballot) == 120_000
    assert governed.state(draft) == DEFEATED


def test_a_veto_defeats_what_has_passed_and_waits(governed, draft, ballot, state, voters, alice):
    governed.begin(draft)
    governed.vote(draft, voters[0])
    governed.end(draft)
    governed.queue(draft)
    governed.wait(draft)
    assert governed.state(draft) == QUEUED
    prove_assets(governed, ballot, state)
    veto(governed, ballot, state, alice, 1, 2)
    assert governed.state(draft) == DEFEATED
    with reverts(governed.core_governor.GovernorUnexpectedProposalState):
        governed.execute(draft)


def test_a_veto_ends_a_vote(governed, draft, ballot, state, voters, alice):
    governed.begin(draft)
    assert governed.state(draft) == ACTIVE
    prove_assets(governed, ballot, state)
    veto(governed, ballot, state, alice, 1, 2)
    with reverts(governed.core_governor.GovernorUnexpectedProposalState):
        governed.vote(draft, voters[0])


def test_a_veto_after_execution_changes_nothing(governed, draft, ballot, state, voters, alice):
    governed.begin(draft)
    governed.vote(draft, voters[0])
    governed.end(draft)
    governed.queue(draft)
    governed.wait(draft)
    governed.execute(draft)
    prove_assets(governed, ballot, state)
    veto(governed, ballot, state, alice, 1, 2)
    assert governed.state(draft) == EXECUTED


def test_a_veto_of_four_percent_delays_in_proportion(governed, draft, ballot, state, voters, bob):
    governed.begin(draft)
    governed.vote(draft, voters[0])
    governed.end(draft)
    governed.queue(draft)
    eta = governed.core_governor.proposalEta(ballot[1])
    prove_assets(governed, ballot, state)
    veto(governed, ballot, state, bob, 3)
    assert governed.chamber.sharePpm(*ballot) == 40_000
    more = 5 * DAY + 40 * DAY * 30_000 // 90_000
    assert tuple(governed.chamber.verdictOn(*ballot)) == (False, more)
    assert governed.core_governor.readyOf(ballot[1])[0] == eta + more
    governed.wait(draft)
    with reverts(governed.core_governor.NotReady):
        governed.execute(draft)
    governed.pass_seconds(more)
    governed.execute(draft)
    assert governed.state(draft) == EXECUTED


def test_what_a_veto_delays_expires_later(governed, draft, ballot, state, voters, bob):
    governed.begin(draft)
    governed.vote(draft, voters[0])
    governed.end(draft)
    governed.queue(draft)
    prove_assets(governed, ballot, state)
    before = governed.core_governor.expiryOf(ballot[1])
    veto(governed, ballot, state, bob, 3)
    after = governed.core_governor.expiryOf(ballot[1])
    assert after == before + governed.chamber.verdictOn(*ballot)[1]
    governed.clock.pass_time(after - governed.clock.time + 1)
    assert governed.state(draft) == EXPIRED


def test_half_a_percent_changes_nothing(governed, ballot, state, carol):
    prove_assets(governed, ballot, state)
    veto(governed, ballot, state, carol, 4)
    assert governed.chamber.sharePpm(*ballot) == 5_000
    assert tuple(governed.chamber.verdictOn(*ballot)) == (False, 0)


def test_vetoes_add_up_over_owners_and_calls(governed, draft, ballot, state, alice, bob):
    prove_assets(governed, ballot, state)
    veto(governed, ballot, state, bob, 3)
    veto(governed, ballot, state, alice, 2)
    assert governed.chamber.sharePpm(*ballot) == 80_000
    veto(governed, ballot, state, alice, 1)
    assert governed.chamber.sharePpm(*ballot) == 160_000


def test_constitutional_proposals_are_vetoed_the_same_way(governed, voters, state, alice):
    draft = forbidding(governed)
    governed.propose(draft, voters[0])
    ballot = (governed.constitutional_governor, governed.id_of(draft))
    prove_assets(governed, ballot, state)
    veto(governed, ballot, state, alice, 1, 2)
    assert governed.state(draft) == DEFEATED


# --- what is no proof


def test_a_record_vetoes_once_in_a_ballot(governed, ballot, state, alice):
    veto(governed, ballot, state, alice, 1)
    assert governed.chamber.hasVetoed(*ballot, 1)
    for slots in ((1,), (2, 1), (2, 2)):
        with reverts(governed.chamber.AlreadyVetoed, slot=slots[-1]):
            veto(governed, ballot, state, alice, *slots)


def test_a_record_vetoes_in_every_ballot(governed, ballot, state, alice, accounts, voters):
    veto(governed, ballot, state, alice, 1)
    other = forbidding(governed)
    governed.propose(other, voters[0])
    veto(governed, (governed.constitutional_governor, governed.id_of(other)), state, alice, 1)


def test_only_the_owner_vetoes(governed, ballot, state, alice, bob):
    with reverts(governed.chamber.NotOwner, caller=bob.address, owner=alice.address):
        veto(governed, ballot, state, bob, 1)


def test_what_is_worthless_or_freed_vetoes_nothing(governed, ballot, state, carol):
    with reverts(governed.chamber.NoWeight, asset=WORTHLESS):
        veto(governed, ballot, state, carol, 5)
    with reverts(governed.chamber.NotActive, slot=6):
        veto(governed, ballot, state, carol, 6)
    with reverts(governed.chamber.NotActive, slot=99):
        veto(governed, ballot, state, carol, 99)  # a proof of an empty slot


def test_another_slot_or_another_record_is_no_proof(governed, ballot, state, alice):
    chamber = governed.chamber
    words, siblings = state.words("balance", 1), state.siblings("balance", 1)
    forged = [words[0], (int.from_bytes(words[1], "big") + 1).to_bytes(32, "big")]
    for proof in ((7, words, siblings), (1, forged, siblings)):
        with reverts(chamber.WrongRoot):
            chamber.veto(*ballot, [proof], sender=alice)
    with reverts(chamber.WrongProofLength, received=39, expected=40):
        chamber.veto(*ballot, [(1, words, siblings[:-1])], sender=alice)


def test_a_balance_of_a_later_state_is_no_proof(governed, ballot, alice, asserter):
    later = State()
    balance(later, 1, owner=2, asset=NATIVE, free=10**9)
    governed.finalized_state(asserter, later)
    with reverts(governed.chamber.WrongRoot):
        veto(governed, ballot, later, alice, 1)


def test_an_asset_counts_once(governed, ballot, state):
    prove_assets(governed, ballot, state, [NATIVE])
    assert governed.chamber.isProved(*ballot, NATIVE)
    with reverts(governed.chamber.AlreadyProved, asset=NATIVE):
        prove_assets(governed, ballot, state, [TOKEN, NATIVE])
    with reverts(governed.chamber.NoWeight, asset=WORTHLESS):
        prove_assets(governed, ballot, state, [WORTHLESS])


def test_an_asset_that_the_state_does_not_know_counts_nothing(
    governed, ballot, state, asserter, voters
):
    empty = State()
    governed.finalized_state(asserter, empty)
    draft = forbidding(governed)
    governed.propose(draft, voters[0])
    other = (governed.constitutional_governor, governed.id_of(draft))
    prove_assets(governed, other, empty)
    assert governed.chamber.ballotOf(*other).total == 0
    assert governed.chamber.sharePpm(*other) == 0


# --- weights


@pytest.fixture
def setter(governed, chain):
    return impersonate(chain, governed.core_timelock)


def test_weights_are_those_of_the_ballots_opening(governed, ballot, state, setter, alice):
    chamber = governed.chamber
    chamber.setWeight(NATIVE, 0, sender=setter)
    chamber.setWeight(WORTHLESS, 10**12, sender=setter)
    prove_assets(governed, ballot, state)
    veto(governed, ballot, state, alice, 1, 2)
    assert chamber.ballotOf(*ballot).total == TOTAL
    assert chamber.sharePpm(*ballot) == 120_000


def test_a_later_ballot_has_the_new_weights(governed, state, setter, voters):
    chamber = governed.chamber
    before = chamber.weightOf(TOKEN)
    receipt = chamber.setWeight(TOKEN, 0, sender=setter)
    event = chamber.WeightSet.from_receipt(receipt)[0]
    assert (event.asset, event.before, event.weight) == (TOKEN, before, 0)
    governed.clock.pass_time(2)
    draft = endorsing(governed)
    governed.propose(draft, voters[0])
    ballot = (governed.core_governor, governed.id_of(draft))
    assert chamber.ballotOf(*ballot).assets == 1
    prove_assets(governed, ballot, state, [NATIVE])
    assert chamber.ballotOf(*ballot).total == 10**9 * 10**12


def test_weights_change_by_the_core_class_only(governed, alice, setter, chain):
    chamber = governed.chamber
    senders = [alice, governed.deployer, impersonate(chain, governed.ordinary_timelock)]
    for sender in senders:
        with reverts(chamber.AccessManagedUnauthorized, caller=sender.address):
            chamber.setWeight(NATIVE, 1, sender=sender)
    with reverts(chamber.Unchanged, asset=NATIVE, weight=10**12):
        chamber.setWeight(NATIVE, 10**12, sender=setter)
    assert chamber.assetsOf() == [NATIVE, TOKEN]


def test_no_more_assets_are_weighed_than_can_be_proved(governed, deployer, project, zone):
    chamber = governed.chamber
    most = [(asset, 1) for asset in range(1, 66)]
    arguments = (governed.authority, governed.chain, governed.owner_registry)
    deployer.deploy(project.DepositorChamber, *arguments, most[:64])
    with reverts(chamber.TooManyAssets, most=64):
        deployer.deploy(project.DepositorChamber, *arguments, most)
