"""What the main calls cost. `gas.json` is the committed snapshot: UPDATE_GAS=1 rewrites it."""

import json
import os
from dataclasses import astuple
from pathlib import Path

import pytest

from tests.contracts.conftest import fund
from tests.contracts.driver import GWEI, OKB, Outbox
from tests.contracts.test_venue_registry import TERMS

SNAPSHOT = Path(__file__).with_name("gas.json")
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
    note("VenueRegistry.listSpot", zone.venue_registry.listSpot(TERMS, sender=alice))

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


def withdraw(zone, claim, outbox, slot, sender):
    return zone.withdrawals.withdraw(claim, outbox.proof(slot), sender=sender)


def test_gas_is_that_of_the_snapshot(measured):
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
