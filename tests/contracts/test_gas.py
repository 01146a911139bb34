"""What the main calls cost. `gas.json` and `gas_escape.json` are committed snapshots: UPDATE_GAS=1 rewrites them."""

import json
import os
from dataclasses import astuple
from pathlib import Path

import pytest
from coincurve import PrivateKey

from tests.contracts.conftest import fund
from tests.contracts.courtroom import COMMIT, HARM, RESPONSE, REVEAL, SALT, WAITING, Head
from tests.contracts.driver import GWEI, OKB, Outbox, isolated
from tests.contracts.epochs import commit, heartbeat, join_all, pass_open
from tests.contracts.escaping import (
    ACTIVE,
    NO_HEADER,
    RESOLVED,
    claim_closing,
    deposit_of,
    exit_of,
)
from tests.contracts.governed import State, impersonate
from tests.contracts.markets import EVENT, PERP, TERMS, parameters, payouts, stake_for_venues
from tests.contracts.register_desk import consent, join, two_roots
from tests.contracts.results import details, event_of
from tests.contracts.test_proposals import endorsing, leverage
from tradezone.protocol.hashing import keccak

SNAPSHOT = Path(__file__).with_name("gas.json")
ESCAPE_SNAPSHOT = Path(__file__).with_name("gas_escape.json")
CASE = keccak(b"a case")
TOLERANCE = 0.02  # calldata differs by a few zero bytes from run to run


@pytest.fixture
def beside(slots, markets, puppet_venues, alice, bob, carol, verifiers, clock, arbiter):
    """Slots, oracles and results, which stand beside a zone."""
    used = {}

    def note(name, receipt):
        used[name] = receipt.gas_used
        return receipt

    perp, venue = 2, 7
    puppet_venues.setDeployer(venue, alice, sender=alice)
    puppet_venues.setStake(venue, 10_000 * OKB, sender=alice)
    for name in ("first of the kind", "later"):
        receipt = slots.buy(venue, perp, 2**255, sender=alice, value=3_000 * OKB)
        note(f"SlotAuction.buy, {name}", receipt)
        clock.pass_time(31 * 3_600)
    for market in range(1, 4):
        receipt = puppet_venues.occupy(slots, venue, perp, market, sender=alice)
    note("SlotAuction.occupy, base slot", receipt)
    receipt = puppet_venues.occupy(slots, venue, perp, 4, sender=alice)
    note("SlotAuction.occupy, licence", receipt)
    note("SlotAuction.release, licence", puppet_venues.release(slots, 4, sender=alice))
    note("SlotAuction.collectRefund", slots.collectRefund(alice, sender=alice))
    clock.pass_time(340 * 86_400)
    price = slots.licenceOf(1).renewalPrice
    note("SlotAuction.renew", slots.renew(1, price, sender=alice, value=price))
    note("SlotAuction.reclaim", slots.reclaim(2, sender=bob))

    oracles, resolver = markets.oracles, markets.resolver
    bond, uri = markets.params.provider_bond, "https://example.org"
    for account in verifiers:
        receipt = oracles.register(account, b"\x11" * 32, uri, sender=account, value=bond)
    note("OracleRegistry.register", receipt)
    note("OracleRegistry.openFeed", oracles.openFeed(venue, 8, b"\x11" * 32, sender=alice))
    for number, account in enumerate(verifiers, 1):
        receipt = oracles.offer(number, 1, sender=account)
    note("OracleRegistry.offer", receipt)
    selection = ([1, 2, 3, 4, 5], 3, 2_000, 5_000, 50_000)
    note("OracleRegistry.select, 5 providers", oracles.select(1, selection, sender=alice))
    evidence = [sign_price(oracles, verifiers[1], (1, 2, p, clock.time * 1000)) for p in (5, 6)]
    receipt = oracles.proveEquivocation(*evidence[0], *evidence[1], sender=bob)
    note("OracleRegistry.proveEquivocation", receipt)
    note("OracleRegistry.rotate", oracles.rotate(1, bob, sender=verifiers[0]))
    clock.pass_time(2 * 86_400)
    note("OracleRegistry.announce, 5 providers", oracles.announce(1, sender=bob))

    event = event_of(venue, [5_000, 5_000]), details(1, clock.time + 60, 50_000 * OKB)
    for _ in range(2):
        receipt = markets.listings.list(*event, sender=alice, value=markets.params.open_fee)
    note("OutcomeResolver.takeEvent, by the least listings", receipt)
    clock.pass_time(100)
    note("OutcomeResolver.callForResult", resolver.callForResult(1, sender=bob))
    for group in (1, 2):
        receipt = resolver.propose(group, [10_000, 0], sender=verifiers[0], value=500 * OKB)
    note("OutcomeResolver.propose", receipt)
    receipt = resolver.challenge(1, [0, 10_000], sender=carol, value=500 * OKB)
    note("OutcomeResolver.challenge", receipt)
    note("OutcomeResolver.decide", resolver.decide(1, [0, 10_000], sender=arbiter))
    clock.pass_both(90_000, 20)
    note("OutcomeResolver.confirm", resolver.confirm(2, sender=bob))
    note("OutcomeResolver.collect", resolver.collect(carol, sender=bob))
    return used


@pytest.fixture
def measured(zone, token, coarse_token, alice, bob, asserter, verifiers, rival, deployer, beside):
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
    note("Listings.listEvent, 2 outcomes", zone.listings.listEvent(EVENT, b"", sender=alice))

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
    return used | beside


def sign_price(oracles, account, price):
    key = PrivateKey(bytes.fromhex(account.private_key.removeprefix("0x")))
    signature = key.sign_recoverable(bytes(oracles.priceDigest(price)), hasher=None)
    return price, signature[:64] + bytes([27 + signature[64]])


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
    governed.clock.pass_time(1)
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


@pytest.fixture
def measured_court(judged, alice, bob, carol, accounts, asserter, sequencer):
    used = {}

    def note(name, receipt):
        used[f"SlashingCourt.{name}"] = receipt.gas_used
        judged.clock.pass_time(1)

    court, juror = judged.court, accounts[10]
    for account in (alice, juror, sequencer):
        judged.stake(account, 100)
    judged.grow_old()
    judged.owner_registry.register(carol, sender=carol)
    data = judged.evidence(Head(), Head(count=5))
    note("prove, two heads", court.prove(judged.double_head, data, sender=bob))
    judged.end(court.nextCaseOf(sequencer), WAITING)
    note("rule, proof", court.rule(court.nextCaseOf(sequencer), sender=bob))
    accusation = judged.accusation(alice, harm=HARM)
    note("accuse", court.accuse(accusation, "ipfs://evidence", sender=bob, value=OKB))
    case = bytes(court.nextCaseOf(alice))
    judged.end(case, RESPONSE)
    note("commitVote", judged.commit_vote(case, juror, 40))
    judged.end(case, COMMIT)
    note("revealVote", court.revealVote(case, 40, SALT, sender=juror))
    judged.end(case, REVEAL)
    note("appeal", court.appeal(case, sender=alice, value=2 * OKB))
    judged.vote(case, {juror: 40}, second=2)
    note("rule, 40 % after an appeal", court.rule(case, sender=bob))
    state = State()
    state.put("asset", HARM, kind=4, total=100)
    state.put("balance", 1, owner=2, asset=HARM, state=1, free=50)
    judged.bond(asserter)
    judged.finalized(asserter, state.root)
    note("openPool", court.openPool(case, state.proof("asset", HARM), sender=bob))
    note("claimHarm", court.claimHarm(case, [state.proof("balance", 1)], sender=bob))
    note("collect", court.collect(carol, sender=bob))
    return used


def withdraw(zone, claim, outbox, slot, sender):
    return zone.withdrawals.withdraw(claim, outbox.proof(slot), sender=sender)


@pytest.fixture
def measured_registers(trust, alice, bob, carol, rival):
    used = {}

    def note(name, receipt):
        used[f"BondedRegister.{name}"] = receipt.gas_used
        return receipt

    register = trust.verifier_register
    note("register, first", join(register, alice))
    join(register, bob)
    note("register, third", join(register, carol))
    evidence = two_roots(register, alice)
    proved = note("prove, two roots", register.prove(trust.attestation, evidence, sender=rival))
    note("leave, first of 2", register.leave(sender=bob))
    trust.clock.pass_both(120, 20)
    case = register.Proved.from_receipt(proved)[0].caseId
    note("rule", register.rule(case, sender=rival))
    note("withdraw", register.withdraw(sender=bob))
    note("topUp", register.topUp(alice, sender=alice, value=OKB))
    return used


@pytest.fixture
def measured_sequencers(trust, alice, bob, carol):
    """After a batch, by the first and by the last of three standbys, and a rotation."""
    used = {}
    join_all(trust, trust.sequencer, alice, bob, carol)
    commit(trust, trust.sequencer)
    pass_open(trust)
    index = heartbeat(trust)
    for name, standby in (("the first of 3", alice), ("the last of 3", carol)):
        with isolated(trust.clock._chain):
            receipt = trust.sequencers.takeOver(index, sender=standby)
            used[f"Sequencers.takeOver, {name}"] = receipt.gas_used
    register, key = trust.sequencer_register, trust.protocol_owner
    register.rotate(key, consent(register, trust.sequencer, key), sender=trust.sequencer)
    receipt = trust.sequencers.rotate(key, trust.chain.tip().hash, sender=trust.sequencer)
    used["Sequencers.rotate"] = receipt.gas_used
    return used


@pytest.fixture
def measured_perps(trust, deployer, project, chain, alice, bob):
    used = {}

    def note(name, receipt):
        used[name] = receipt.gas_used
        return receipt

    token = deployer.deploy(project.TestToken, "Dollar", "USD", 6)
    trust.asset_registry.registerAsset(
        token, 1, 10**17, sender=deployer, value=trust.params.asset_bond
    )
    price = trust.risk.setPrice(2, 5 * 10**7, sender=impersonate(chain, trust.parameter_timelock))
    note("StakeRisk.setPrice, first", price)
    stake_for_venues(trust, alice)
    venue = trust.venue_registry.createVenue("gas", 0, sender=alice).return_value
    trust.oracles.openFeed(venue, 8, bytes(32), sender=alice)
    note("PerpRegistry.listPerp, first", trust.perps.listPerp(PERP, sender=alice))
    note("PerpRegistry.listPerp, second", trust.perps.listPerp(PERP, sender=alice))
    receipt = trust.perps.setParameters(1, parameters(lossCap=1), sender=alice)
    note("PerpRegistry.setParameters", receipt)
    trust.clock.pass_time(3 * 86_400)
    note("PerpRegistry.applyParameters", trust.perps.applyParameters(1, sender=bob))
    note("StakeRisk.setShare", trust.risk.setShare(venue, 2, 500_000, sender=alice))
    note("Restitution.give, token", trust.restitution.give(venue, 2, sender=bob, value=OKB))
    token.mint(bob, 10**9, sender=bob)
    token.approve(trust.restitution, 10**9, sender=bob)
    note("Restitution.buy", trust.restitution.buy(1, OKB, 10**9, sender=bob))
    return used


@pytest.fixture
def measured_escape(zone, chain, venue, token, resolver, alice, bob, asserter, deployer):
    """The way out of a zone that closed, and of one that was abandoned at its genesis."""
    used = {}

    def note(name, receipt):
        used[name] = receipt.gas_used
        return receipt

    fund(zone, token, alice, 3_000_000)
    for index in range(12):
        zone.vault.deposit(2, 200_000, alice, sender=alice)
        if index == 0:
            first = zone.inbox.count() - 1
    zone.vault.depositNative(alice, sender=alice, value=1000 * GWEI)
    zone.listings.listEvent(EVENT, b"", sender=alice)
    owner = zone.owner_registry.idOf(alice)
    state = State()
    state.put("balance", 1, owner=owner, asset=1, state=ACTIVE, free=1000)
    for slot in range(2, 13):
        state.put("balance", slot, owner=owner, asset=2, state=ACTIVE, free=50, locked=50)
    state.put("holding", 1, owner=owner, group=1, market=1, state=ACTIVE, yes=1)
    zone.bond(asserter)
    zone.commit()
    zone.clock.pass_both(zone.params.silence_seconds, zone.params.silence_blocks)
    note("StateChain.freezeSilent", zone.chain.freezeSilent(sender=deployer))
    with isolated(chain):
        zone.clock.pass_both(zone.params.closing_seconds, zone.params.closing_blocks)
        note("StateChain.abandon", zone.chain.abandon(sender=deployer))
        messages = [deposit_of(zone, first + index) for index in range(11)]
        refund = zone.escape.refund(NO_HEADER, messages[0], sender=deployer)
        note("Escape.refund, token", refund)
        refunds = zone.escape.refundMany(NO_HEADER, messages[1:], sender=deployer)
        note("Escape.refundMany, 10", refunds)
        assert refunds.return_value == 10
    claim = claim_closing(zone, asserter, zone.genesis, state.root)
    zone.pass_window()
    finalized = zone.chain.finalize(claim, sender=deployer)
    note("StateChain.finalize, the closing batch", finalized)
    note("Escape.exit, native", zone.escape.exit(exit_of(state, "balance", 1), sender=deployer))
    note("Escape.exit, token", zone.escape.exit(exit_of(state, "balance", 2), sender=deployer))
    proofs = [exit_of(state, "balance", slot) for slot in range(3, 13)]
    receipt = note("Escape.exitMany, 10", zone.escape.exitMany(proofs, sender=deployer))
    assert receipt.return_value == 10
    vector = int.from_bytes(payouts(10_000), "big")
    resolver.setResult(1, RESOLVED, vector, sender=deployer)
    note("Escape.exit, holding", zone.escape.exit(exit_of(state, "holding", 1), sender=deployer))
    note("Redirects.redirect", zone.redirects.redirect(bob, sender=alice))
    return used


def test_gas_is_that_of_the_snapshot(
    measured,
    measured_governance,
    measured_court,
    measured_registers,
    measured_sequencers,
    measured_perps,
):
    measured = measured | measured_governance | measured_court | measured_registers
    compare(measured | measured_sequencers | measured_perps, SNAPSHOT)


def test_gas_of_leaving_is_that_of_the_snapshot(measured_escape):
    compare(measured_escape, ESCAPE_SNAPSHOT)


def compare(measured, path):
    if os.environ.get("UPDATE_GAS"):
        path.write_text(json.dumps(measured, indent=2) + "\n", "utf-8")
    snapshot = json.loads(path.read_text("utf-8"))
    assert measured.keys() == snapshot.keys()
    changed = {
        name: (snapshot[name], used)
        for name, used in measured.items()
        if abs(used - snapshot[name]) > TOLERANCE * snapshot[name]
    }
    assert changed == {}, "the snapshot and what was measured; UPDATE_GAS=1 takes the new figures"
