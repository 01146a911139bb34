"""What the main calls cost. `gas.json` is the committed snapshot: UPDATE_GAS=1 rewrites it."""

import json
import os
from dataclasses import astuple
from pathlib import Path

import pytest

from tests.contracts.conftest import fund
from tests.contracts.driver import GWEI, OKB, Outbox
from tests.contracts.governed import State
from tests.contracts.markets import TERMS
from tests.contracts.test_proposals import endorsing, leverage
from tradezone.protocol.hashing import keccak

SNAPSHOT = Path(__file__).with_name("gas.json")
CASE = keccak(b"a case")
TOLERANCE = 0.02  # calldata differs by a few zero bytes from run to run


@pytest.fixture
def measured(zone, token, coarse_token, alice, bob, asserter, verifiers, rival, deployer):
    used = {}

    def note(name, receipt):
        used[name] = receipt.gas_used

    note("OwnerRegistry.register", zone.owner_registry.register(alice, sender=deployer))
    fund(zone, token, alice, 10**9)
    for name in ("first of the asset", "later"):
        note(f"CustodyVault.deposit, {name}", zone.vault.deposit(2, 100, alice, sender=alice))
    zone.vault.depositNative(alice, sender=alice, value=1000 * GWEI)
    note(
        "CustodyVault.depositNative, later",
        zone.vault.depositNative(alice, sender=alice, value=1000 * GWEI),
    )
    note(
        "CustodyVault.depositNative, new owner",
        zone.vault.depositNative(bob, sender=bob, value=1000 * GWEI),
    )

    zone.staking.stake(sender=alice, value=zone.params.venue_stake)
    note("VenueRegistry.createVenue", zone.venue_registry.createVenue("gas", 0, sender=alice))
    note("Listings.listSpot", zone.listings.listSpot(TERMS, sender=alice))

    zone.commit()
    note("StateChain.commit", zone.chain.commit(astuple(zone.header()), sender=zone.sequencer))
    note(
        "StateChain.commitWithData, 10 kB",
        zone.chain.commitWithData(astuple(zone.header()), b"\x11" * 10_000, sender=zone.sequencer),
    )
    for verifier in verifiers:
        zone.judge.register(sender=verifier, value=zone.params.verifier_bond)
    zone.clock.pass_time(10)
    zone.bond(asserter, rival)

    outbox = Outbox()
    for slot in range(1, 13):
        outbox.withdrawal(slot, bob, asset=2 if slot % 2 else 1, amount=1)
    claim = zone.genesis
    zone.commit_to(2)
    for name in ("first", "later"):
        batch = zone.chain.claimOf(claim).batch + 2
        zone.commit_to(batch)
        header_hash = zone.chain.headerHashOf(batch)
        root = outbox.root
        receipt = zone.chain.claim(claim, batch, header_hash, root, sender=asserter)
        note(f"StateChain.claim, {name}", receipt)
        claim = bytes(receipt.return_value)
    first = bytes(zone.chain.claimOf(claim).parent)
    false = zone.claim(rival, first, "false")
    for verifier in verifiers[:3]:
        note("VerifierVoteJudge.vote", zone.judge.vote(first, claim, sender=verifier))
    zone.pass_window()
    note("StateChain.finalize", zone.chain.finalize(first, sender=deployer))
    note("StateChain.resolve", zone.chain.resolve(first, sender=deployer))
    note("StateChain.dismiss", zone.chain.dismiss(false, sender=deployer))

    note("Withdrawals.withdraw, token", withdraw(zone, first, outbox, 1, deployer))
    note("Withdrawals.withdraw, native", withdraw(zone, first, outbox, 2, deployer))
    proofs = [outbox.proof(slot) for slot in range(3, 13)]
    receipt = zone.withdrawals.withdrawMany(first, proofs, sender=deployer)
    assert receipt.return_value == 10
    note("Withdrawals.withdrawMany, 10", receipt)
    assert zone.vault.balance < OKB
    return used


@pytest.fixture
def measured_governance(governed, alice, bob, carol, accounts, asserter, deployer):
    used = {}

    def note(name, receipt):
        used[name] = receipt.gas_used
        governed.clock.pass_time(1)  # in one second, votes overwrite each other and cost less
        return receipt

    staking = governed.staking
    note("StakingVault.stake, first", staking.stake(sender=alice, value=900 * OKB))
    note("StakingVault.stake, later", staking.stake(sender=alice, value=OKB))
    staking.stake(sender=bob, value=100 * OKB)
    note("StakingVault.delegate", staking.invoke_transaction("delegate", carol, sender=bob))
    note("StakingVault.requestUnbond", staking.requestUnbond(OKB, sender=alice))
    note("StakingVault.openCase", staking.openCase(CASE, alice, sender=governed.court))
    slashed = staking.slash(CASE, 1, OKB, deployer, sender=governed.court)
    note("StakingVault.slash", slashed)
    note("StakingVault.closeCase", staking.closeCase(CASE, sender=governed.court))
    note("StakingVault.collect", staking.collect(deployer, sender=bob))

    governed.bond(asserter)
    governed.owner_registry.register(alice, sender=alice)
    state = State()
    state.put("asset", 1, total=1000)
    state.put("asset", 2, total=1000)
    state.put("balance", 1, owner=2, asset=1, state=1, free=50)
    state.put("balance", 2, owner=2, asset=2, state=1, free=50)
    governed.finalized_state(asserter, state)
    note("StakingVault.noteFinality", staking.noteFinality(sender=bob))
    governed.grow_old()

    for kind, draft in (("parameter", leverage(governed)), ("core", endorsing(governed))):
        governor = governed.governor(draft)
        note(f"ClassGovernor.propose, {kind}", governor.propose(*draft.arguments, sender=alice))
        governed.begin(draft)
        number = governed.id_of(draft)
        note(f"ClassGovernor.castVote, {kind}", governor.castVote(number, 1, sender=alice))
        if kind == "core":
            ballot = (governor, number)
            assets = [state.proof("asset", asset) for asset in (1, 2)]
            proved = governed.chamber.proveAssets(*ballot, assets, sender=bob)
            note("DepositorChamber.proveAssets, 2", proved)
            balances = [state.proof("balance", slot) for slot in (1, 2)]
            note("DepositorChamber.veto, 2", governed.chamber.veto(*ballot, balances, sender=alice))
        governed.end(draft)
        note(f"ClassGovernor.queue, {kind}", governed.queue(draft))
        governed.wait(draft)
        if kind == "core":
            governed.pass_seconds(governed.chamber.verdictOn(*ballot)[1])
        note(f"ClassGovernor.execute, {kind}", governed.execute(draft))

    for guardian in accounts[10:13]:
        pulled = governed.brake.pull(CASE, sender=guardian)
    note("GuardianBrake.pull, last of 3", pulled)
    return used


def withdraw(zone, claim, outbox, slot, sender):
    return zone.withdrawals.withdraw(claim, outbox.proof(slot), sender=sender)


def test_gas_is_that_of_the_snapshot(measured, measured_governance):
    measured = measured | measured_governance
    if os.environ.get("UPDATE_GAS"):
        SNAPSHOT.write_text(json.dumps(measured, indent=2) + "\n", "utf-8")
    snapshot = json.loads(SNAPSHOT.read_text("utf-8"))
    assert measured.keys() == snapshot.keys()
    changed = {
        name: (snapshot[name], used)
        for name, used in measured.items()
        if abs(used - snapshot[name]) > TOLERANCE * snapshot[name]
    }
    assert changed == {}, "the snapshot and what was measured; UPDATE_GAS=1 takes the new figures"
