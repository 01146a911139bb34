"""Escape: every record of the last state pays its owner once, nothing else pays, and one failure harms no other."""

import random

import ape
import pytest
from eth_abi import encode

from tests.contracts.conftest import fund, register
from tests.contracts.driver import (
    GWEI,
    OKB,
    attempt,
    error_of,
    isolated,
    reverts,
    root_named,
)
from tests.contracts.escaping import (
    ACTIVE,
    BALANCE,
    HOLDING,
    NO_HEADER,
    RESOLVED,
    VOID,
    abandon_at,
    close_at,
    deposit_of,
    exit_of,
    freeze,
    header_of,
)
from tests.contracts.governed import State
from tests.contracts.markets import EVENT, payouts
from tests.contracts.test_withdrawals import send
from tests.vectors import make_tree as slow
from tradezone.protocol.enums import OUTBOX_WITHDRAWAL
from tradezone.protocol.hashing import keccak

UNIT = EVENT["unit"]


@pytest.fixture
def people(zone, token, alice, bob, carol):
    """Their owner ids, and what they put in: native coin and tokens."""
    for account in (alice, bob, carol):
        zone.vault.depositNative(account, sender=account, value=1000 * GWEI)
        fund(zone, token, account, 500)
        zone.vault.deposit(2, 500, account, sender=account)
    return {account: zone.owner_registry.idOf(account) for account in (alice, bob, carol)}


@pytest.fixture
def state(people, alice, bob, carol):
    """What they have now: alice lost to bob, carol has everything locked."""
    state = State()
    rows = (
        (1, alice, 1, 300, 100),
        (2, bob, 1, 1600, 0),
        (3, carol, 1, 0, 1000),
        (4, alice, 2, 900, 0),
        (5, bob, 2, 100, 0),
        (6, carol, 2, 250, 250),
    )
    for slot, account, asset, free, locked in rows:
        state.put(
            "balance",
            slot,
            owner=people[account],
            asset=asset,
            state=ACTIVE,
            free=free,
            locked=locked,
        )
    return state


@pytest.fixture
def closed(zone, state, asserter):
    return close_at(zone, asserter, state.root)


# --- balances


def test_anyone_submits_and_the_owner_is_paid(zone, closed, state, alice, deployer):
    before = alice.balance
    receipt = zone.escape.exit(exit_of(state, "balance", 1), sender=deployer)
    assert alice.balance == before + 400 * GWEI
    assert zone.escape.isPaid(BALANCE, 1)
    paid = zone.escape.Exited(table=BALANCE, slot=1, owner=alice, asset=1, to=alice, atoms=400)
    assert paid in receipt.events


def test_what_orders_had_locked_is_paid_too(zone, closed, state, token, carol, deployer):
    zone.escape.exit(exit_of(state, "balance", 6), sender=deployer)
    assert token.balanceOf(carol) == 500


def test_everybody_leaves_in_any_order_and_nothing_stays(zone, closed, state, token, deployer):
    slots = list(range(1, 7))
    for seed in range(4):
        with isolated(ape.chain):
            random.Random(seed).shuffle(slots)
            for slot in slots:
                zone.escape.exit(exit_of(state, "balance", slot), sender=deployer)
            assert (zone.vault.outstanding(1), zone.vault.outstanding(2)) == (0, 0)
            assert (zone.vault.balance, token.balanceOf(zone.vault)) == (0, 0)


def test_a_record_pays_once(zone, closed, state, deployer):
    zone.escape.exit(exit_of(state, "balance", 1), sender=deployer)
    with reverts(zone.escape.AlreadyPaid, table=BALANCE, slot=1):
        zone.escape.exit(exit_of(state, "balance", 1), sender=deployer)
    receipt = zone.escape.exitMany([exit_of(state, "balance", 1)], sender=deployer)
    assert receipt.return_value == 0


def test_another_encoding_of_the_call_pays_nothing_more(zone, closed, state, deployer):
    """Trailing bytes, and the dynamic parts of the proof in another order (A3)."""
    proof = exit_of(state, "balance", 1)
    call = bytes(zone.escape.exit.encode_input(proof))
    table, slot, words, siblings = proof
    body_words, body_siblings = (encode(["bytes32[]"], [part])[32:] for part in (words, siblings))
    reordered = (
        call[:4]
        + (32).to_bytes(32, "big")
        + table.to_bytes(32, "big")
        + slot.to_bytes(32, "big")
        + (128 + len(body_siblings)).to_bytes(32, "big")
        + (128).to_bytes(32, "big")
        + body_siblings
        + body_words
    )
    for first in (call + bytes(7), reordered):
        with isolated(ape.chain):
            send(deployer, zone.escape, first)
            assert zone.escape.isPaid(BALANCE, 1)
            for again in (call, call + bytes(32), reordered, reordered + b"\xff"):
                with pytest.raises(ape.exceptions.ContractLogicError):
                    send(deployer, zone.escape, again)
            assert zone.vault.outstanding(1) == 2600


def test_nothing_is_paid_before_escape_is_open(zone, state, asserter, deployer):
    zone.bond(asserter)
    zone.finalized(asserter, state.root)
    proof = exit_of(state, "balance", 1)
    for mode in (0, 1):
        for call in (
            lambda: zone.escape.exit(proof, sender=deployer),
            lambda: zone.escape.exitMany([proof], sender=deployer),
            lambda: zone.escape.refund(NO_HEADER, (0, 0, 0, b""), sender=deployer),
            lambda: zone.escape.refundMany(NO_HEADER, [], sender=deployer),
        ):
            with reverts(zone.chain.NotEscaping, mode=mode):
                call()
        if not mode:
            freeze(zone)


def test_a_proof_of_an_older_final_state_pays_nothing(zone, state, people, alice, asserter):
    """The balance that alice had before she lost it."""
    old = State()
    old.put("balance", 1, owner=people[alice], asset=1, state=ACTIVE, free=1000)
    zone.bond(asserter)
    zone.finalized(asserter, old.root)
    zone.chain.withdrawBond(sender=asserter)
    close_at(zone, asserter, state.root)
    with reverts(zone.escape.WrongRoot):
        zone.escape.exit(exit_of(old, "balance", 1), sender=alice)


def test_a_proof_from_another_zone_pays_nothing(zone, paid_zone, closed, state, alice):
    """The same contracts and records, another deployment: its chain never said so."""
    with reverts(paid_zone.chain.NotEscaping):
        paid_zone.escape.exit(exit_of(state, "balance", 1), sender=alice)


@pytest.mark.parametrize("slot", [2, 0, 1 ^ 2**31, 2**32 - 1])
def test_a_proof_holds_for_its_own_slot_only(zone, closed, state, deployer, slot):
    """A2."""
    table, _, words, siblings = exit_of(state, "balance", 1)
    with reverts(zone.escape.WrongRoot):
        zone.escape.exit((table, slot, words, siblings), sender=deployer)


def test_a_proof_has_40_siblings_and_2_words(zone, closed, state, deployer):
    """A1."""
    table, slot, words, siblings = exit_of(state, "balance", 1)
    for wrong in ([], siblings[:-1], siblings[1:], [*siblings, bytes(32)]):
        with reverts(zone.escape.WrongProofLength, received=len(wrong), expected=40):
            zone.escape.exit((table, slot, words, wrong), sender=deployer)
    for wrong in ([], words[:1], [*words, bytes(32)]):
        with reverts(zone.escape.WrongWordCount):
            zone.escape.exit((table, slot, wrong, siblings), sender=deployer)


def test_every_bit_of_a_record_is_proven(zone, closed, state, deployer):
    table, slot, words, siblings = exit_of(state, "balance", 1)
    for word in (0, 1):
        for bit in (0, 64, 128, 160, 191, 224, 255):
            changed = list(words)
            changed[word] = (int.from_bytes(changed[word], "big") ^ 1 << bit).to_bytes(32, "big")
            call = zone.escape.exit.encode_input((table, slot, changed, siblings))
            error = error_of(zone.escape, call, deployer)
            assert error[:4] == keccak(b"WrongRoot(bytes32,bytes32)")[:4]


def test_an_empty_or_freed_record_owes_nothing(zone, state, people, alice, asserter, deployer):
    state.put("balance", 7, owner=people[alice], asset=1, state=0, free=5)
    state.put("balance", 8, owner=people[alice], asset=1, state=ACTIVE)
    close_at(zone, asserter, state.root)
    for slot in (7, 8, 9):
        with reverts(zone.escape.NothingOwed, table=BALANCE, slot=slot):
            zone.escape.exit(exit_of(state, "balance", slot), sender=deployer)


@pytest.mark.parametrize("table", [t for t in range(40) if t not in (BALANCE, HOLDING)] + [255])
def test_no_other_table_is_paid(zone, closed, state, deployer, table):
    _, slot, words, siblings = exit_of(state, "balance", 1)
    call = zone.escape.exit.encode_input((table, slot, words, siblings))
    assert error_of(zone.escape, call, deployer)[:4] == keccak(b"NotPayable(uint8)")[:4]


def test_the_words_of_a_holding_are_no_balance(zone, state, people, alice, asserter, deployer):
    """Tables share layouts of two words; the leaf names its table."""
    words = [int.from_bytes(word, "big") for word in state.words("balance", 1)]
    index = slow.index_of(HOLDING, 1)
    leaves = {index: slow.leaf_of(HOLDING, 1, words)}
    close_at(zone, asserter, slow.root_of(leaves, slow.DEPTH))
    siblings = slow.proof_of(leaves, index, slow.DEPTH)
    with reverts(zone.escape.WrongRoot):
        zone.escape.exit((BALANCE, 1, state.words("balance", 1), siblings), sender=deployer)


def test_a_wrong_root_takes_no_more_than_the_vault_owes(zone, people, alice, asserter, deployer):
    state = State()
    state.put("balance", 1, owner=people[alice], asset=1, state=ACTIVE, free=3001)
    state.put("balance", 2, owner=people[alice], asset=1, state=ACTIVE, free=2**63, locked=2**63)
    state.put("balance", 3, owner=99, asset=1, state=ACTIVE, free=1)
    state.put("balance", 4, owner=people[alice], asset=99, state=ACTIVE, free=1)
    close_at(zone, asserter, state.root)
    with reverts(zone.vault.InsufficientOutstanding, asset=1, atoms=3001, outstanding=3000):
        zone.escape.exit(exit_of(state, "balance", 1), sender=deployer)
    for slot in (2, 3, 4):
        call = zone.escape.exit.encode_input(exit_of(state, "balance", slot))
        assert error_of(zone.escape, call, deployer) is not None


def test_withdrawals_of_the_last_state_are_paid_beside_it(
    zone, state, people, alice, asserter, deployer
):
    """What the zone wrote into its outbox is no balance any more."""
    state.put("balance", 1, owner=people[alice], asset=1, state=ACTIVE, free=300)
    state.put("outbox", 1, recipient=alice, kind=OUTBOX_WITHDRAWAL, asset=1, amount=100, owner=2)
    claim = close_at(zone, asserter, state.root)
    before = alice.balance
    zone.withdrawals.withdraw(claim, state.proof("outbox", 1), sender=deployer)
    zone.escape.exit(exit_of(state, "balance", 1), sender=deployer)
    assert alice.balance == before + 400 * GWEI


def test_donations_change_nothing(zone, closed, state, token, alice, clock, deployer):
    """A6."""
    clock.force_coin(zone.vault, 7 * OKB)
    token.mint(zone.vault, 10**9, sender=alice)
    for slot in range(1, 7):
        zone.escape.exit(exit_of(state, "balance", slot), sender=deployer)
    assert (zone.vault.balance, token.balanceOf(zone.vault)) == (7 * OKB, 10**9)
    with reverts(zone.escape.AlreadyPaid):
        zone.escape.exit(exit_of(state, "balance", 1), sender=deployer)


# --- many


def test_many_leave_in_one_call_and_one_that_fails_harms_nobody(
    zone, state, people, project, token, alice, asserter, deployer
):
    """A5: a recipient that refuses, burns all its gas, returns a megabyte, calls back, or proves nothing."""
    wallets = []
    for mode in ("refuse", "burn_gas", "return_bomb"):
        wallet = alice.deploy(project.HostileRecipient)
        getattr(wallet, mode)(sender=alice)
        zone.vault.depositNative(wallet, sender=alice, value=10 * GWEI)
        wallets.append(wallet)
    caller = alice.deploy(project.HostileRecipient)
    zone.vault.depositNative(caller, sender=alice, value=10 * GWEI)
    for slot, wallet in enumerate([*wallets, caller], 10):
        owner = zone.owner_registry.idOf(wallet)
        state.put("balance", slot, owner=owner, asset=1, state=ACTIVE, free=10)
    close_at(zone, asserter, state.root)
    again = zone.escape.exit.encode_input(exit_of(state, "balance", 1))
    caller.call_back(zone.escape, again, sender=alice)
    order = [10, 1, 11, 2, 12, 3, 13, 4, 5, 6]
    proofs = [exit_of(state, "balance", slot) for slot in order]
    proofs.append((BALANCE, 2, [bytes(32)] * 2, proofs[0][3]))
    receipt = zone.escape.exitMany(proofs, sender=deployer, gas=20_000_000)
    assert receipt.return_value == 7
    blocked = zone.escape.ExitBlocked.from_receipt(receipt)
    assert [event.slot for event in blocked] == [10, 11, 12, 2]
    assert not caller.is_success()  # it could not come back in
    assert zone.vault.outstanding(1) == 30
    wallets[0].accept(sender=alice)
    zone.escape.exit(exit_of(state, "balance", 10), sender=deployer)
    assert zone.vault.outstanding(1) == 20


def test_too_little_gas_is_no_failed_payment(zone, closed, state, deployer):
    """A13: with any limit the call pays, or it reverts and changes nothing."""
    proofs = [exit_of(state, "balance", slot) for slot in (1, 4)]
    call = zone.escape.exitMany.encode_input(proofs)
    results = set()
    for gas in (100_000, 300_000, 500_000, 600_000, 700_000, 900_000, 2_000_000):
        is_done, data = attempt(zone.escape, call, deployer, gas=gas)
        results.add(is_done)
        if is_done:
            assert int.from_bytes(data, "big") == 2
    assert results == {True, False}


def test_only_the_contract_itself_pays_without_its_guard(zone, closed, state, alice):
    proof = exit_of(state, "balance", 1)
    with reverts(zone.escape.OnlySelf, caller=alice.address):
        zone.escape.exitFromSelf(root_named("mine"), proof, sender=alice)
    with reverts(zone.escape.OnlySelf, caller=alice.address):
        zone.escape.refundFromSelf(0, (0, 0, 0, b""), sender=alice)


# --- tokens


def test_a_blacklisted_owner_is_paid_elsewhere_by_its_own_word(
    zone, project, alice, bob, carol, asserter, deployer
):
    """A5."""
    token = deployer.deploy(project.BlacklistToken)
    asset = register(zone, deployer, token)
    state = State()
    for slot, account in enumerate((alice, bob), 1):
        token.mint(account, 100, sender=account)
        token.approve(zone.vault, 100, sender=account)
        zone.vault.deposit(asset, 100, account, sender=account)
        owner = zone.owner_registry.idOf(account)
        state.put("balance", slot, owner=owner, asset=asset, state=ACTIVE, free=100)
    close_at(zone, asserter, state.root)
    token.set_blocked(alice, True, sender=deployer)
    proofs = [exit_of(state, "balance", slot) for slot in (1, 2)]
    receipt = zone.escape.exitMany(proofs, sender=deployer)
    assert receipt.return_value == 1
    assert token.balanceOf(bob) == 100
    zone.redirects.redirect(carol, sender=alice)
    receipt = zone.escape.exit(proofs[0], sender=deployer)
    assert token.balanceOf(carol) == 100
    event = zone.escape.Exited.from_receipt(receipt)[0]
    assert (event.owner, event.to) == (alice, carol)


def test_an_asset_that_pays_nobody_stops_no_other(
    zone, state, people, project, alice, bob, asserter, deployer
):
    """The vault never mixes tokens: each asset stands for itself (A4)."""
    token = deployer.deploy(project.BlacklistToken)
    asset = register(zone, deployer, token)
    token.mint(alice, 100, sender=alice)
    token.approve(zone.vault, 100, sender=alice)
    zone.vault.deposit(asset, 100, alice, sender=alice)
    state.put("balance", 7, owner=people[alice], asset=asset, state=ACTIVE, free=100)
    close_at(zone, asserter, state.root)
    token.set_blocked(zone.vault, True, sender=deployer)
    slots = [7, 1, 2, 3, 4, 5, 6]
    proofs = [exit_of(state, "balance", slot) for slot in slots]
    receipt = zone.escape.exitMany(proofs, sender=deployer, gas=20_000_000)
    assert receipt.return_value == 6
    assert (zone.vault.outstanding(1), zone.vault.outstanding(2)) == (0, 0)
    assert zone.vault.outstanding(asset) == 100
    token.set_blocked(zone.vault, False, sender=deployer)
    zone.escape.exit(proofs[0], sender=deployer)
    assert token.balanceOf(alice) == 100


def test_simulated_assets_are_never_paid(zone, venue, people, alice, asserter, deployer):
    bond = zone.params.asset_bond
    receipt = zone.asset_registry.registerSimulated(
        venue, "PLAY", 6, 10**12, sender=alice, value=bond
    )
    asset = receipt.return_value
    state = State()
    state.put("balance", 1, owner=people[alice], asset=asset, state=ACTIVE, free=100)
    close_at(zone, asserter, state.root)
    with reverts(zone.escape.SimulatedAsset, asset=asset):
        zone.escape.exit(exit_of(state, "balance", 1), sender=deployer)


# --- outcome tokens


@pytest.fixture
def event(zone, venue, people, alice):
    """An event with three outcomes that pays token units."""
    terms = EVENT | {"outcomes": 3, "asset": 2, "voidPayouts": payouts(5_000, 3_000, 2_000)}
    return zone.listings.listEvent(terms, b"", sender=alice).return_value


@pytest.fixture
def holdings(zone, event, people, token, alice, bob, carol):
    """Three sets, dispersed, and a Yes of outcome 2 that stands against a No: four units."""
    fund(zone, token, alice, 4 * UNIT)
    zone.vault.deposit(2, 4 * UNIT, alice, sender=alice)
    state = State()
    rows = (
        (1, alice, 0, 3, 0),
        (2, bob, 1, 2, 0),
        (3, carol, 1, 1, 0),
        (4, bob, 2, 4, 0),
        (5, carol, 2, 0, 1),
    )
    for slot, account, outcome, yes, no in rows:
        state.put(
            "holding",
            slot,
            owner=people[account],
            account=slot,
            market=outcome + 1,
            group=event,
            outcome=outcome,
            state=ACTIVE,
            yes=yes,
            no=no,
            yes_locked=min(yes, 1),
        )
    return state


@pytest.mark.parametrize(
    ("phase", "vector"),
    [
        (RESOLVED, (10_000, 0, 0)),
        (RESOLVED, (0, 0, 10_000)),
        (RESOLVED, (3_333, 3_334, 3_333)),
        (VOID, (5_000, 3_000, 2_000)),
    ],
)
def test_holdings_pay_by_the_vector_of_l1(
    zone, holdings, event, resolver, token, asserter, deployer, people, phase, vector
):
    close_at(zone, asserter, holdings.root)
    resolver.setResult(event, phase, int.from_bytes(payouts(*vector), "big"), sender=deployer)
    before = {account: token.balanceOf(account) for account in people}
    rest = zone.vault.outstanding(2)
    proofs = [exit_of(holdings, "holding", slot) for slot in (5, 3, 1, 4, 2)]
    worth = {1: 3 * vector[0], 2: 2 * vector[1], 3: vector[1], 4: 4 * vector[2]}
    worth[5] = 10_000 - vector[2]
    receipt = zone.escape.exitMany(proofs, sender=deployer)
    assert receipt.return_value == sum(1 for amount in worth.values() if amount)
    alice, bob, carol = people
    for account, slots in ((alice, (1,)), (bob, (2, 4)), (carol, (3, 5))):
        gained = token.balanceOf(account) - before[account]
        assert gained == sum(worth[slot] for slot in slots) * UNIT // 10_000
    assert rest - zone.vault.outstanding(2) == 4 * UNIT  # to the last atom, whatever came true


def test_a_freed_holding_owes_nothing(
    zone, holdings, event, resolver, people, alice, asserter, deployer
):
    row = {"owner": people[alice], "account": 9, "market": 1, "group": event, "yes": 3}
    holdings.put("holding", 9, state=0, **row)
    close_at(zone, asserter, holdings.root)
    resolver.setResult(
        event, RESOLVED, int.from_bytes(payouts(10_000, 0, 0), "big"), sender=deployer
    )
    with reverts(zone.escape.NothingOwed, table=HOLDING, slot=9):
        zone.escape.exit(exit_of(holdings, "holding", 9), sender=deployer)


def test_an_event_without_a_result_pays_nothing_yet(
    zone, holdings, event, resolver, asserter, deployer
):
    close_at(zone, asserter, holdings.root)
    proof = exit_of(holdings, "holding", 1)
    for phase in range(5):
        resolver.setResult(event, phase, 0, sender=deployer)
        with reverts(zone.escape.NotResolved, eventId=event):
            zone.escape.exit(proof, sender=deployer)
    assert not zone.escape.isPaid(HOLDING, 1)
    resolver.setResult(event, RESOLVED, int.from_bytes(payouts(10_000), "big"), sender=deployer)
    zone.escape.exit(proof, sender=deployer)


def test_a_holding_that_lost_owes_nothing(zone, holdings, event, resolver, asserter, deployer):
    close_at(zone, asserter, holdings.root)
    resolver.setResult(event, RESOLVED, int.from_bytes(payouts(0, 10_000), "big"), sender=deployer)
    with reverts(zone.escape.NothingOwed, table=HOLDING, slot=1):
        zone.escape.exit(exit_of(holdings, "holding", 1), sender=deployer)


def test_a_balance_and_a_holding_of_one_slot_are_two_records(
    zone, holdings, event, people, resolver, alice, asserter, deployer
):
    holdings.put("balance", 1, owner=people[alice], asset=1, state=ACTIVE, free=100)
    close_at(zone, asserter, holdings.root)
    resolver.setResult(event, RESOLVED, int.from_bytes(payouts(10_000), "big"), sender=deployer)
    zone.escape.exit(exit_of(holdings, "balance", 1), sender=deployer)
    zone.escape.exit(exit_of(holdings, "holding", 1), sender=deployer)


# --- deposits that the last state does not know


@pytest.fixture
def abandoned(zone, state, asserter, alice, bob):
    """The last final state knows the first six deposits; three more came after its batch."""
    zone.bond(asserter)
    zone.finalized(asserter, state.root)
    late = [
        zone.inbox.count() + i
        for i, _ in enumerate(
            (
                zone.vault.depositNative(alice, sender=alice, value=5 * GWEI),
                zone.vault.depositNative(alice, sender=bob, value=6 * GWEI),
                zone.vault.depositNative(bob, sender=bob, value=7 * GWEI),
            ),
            -3,
        )
    ]
    zone.commit()  # it consumes them, and is abandoned with all that was in it
    freeze(zone)
    zone.clock.pass_both(zone.params.closing_seconds, zone.params.closing_blocks)
    zone.chain.abandon(sender=zone.deployer)
    return late


def test_deposits_behind_the_last_state_go_back_to_whom_they_were_for(
    zone, abandoned, state, alice, bob, deployer
):
    header = header_of(zone, 2)
    before = {account: account.balance for account in (alice, bob)}
    receipt = zone.escape.refund(header, deposit_of(zone, abandoned[0]), sender=deployer)
    event = zone.escape.Refunded.from_receipt(receipt)[0]
    assert (event.index, event.owner, event.to, event.atoms) == (abandoned[0], alice, alice, 5)
    rest = [deposit_of(zone, index) for index in abandoned[1:]]
    receipt = zone.escape.refundMany(header, rest, sender=deployer)
    assert receipt.return_value == 2
    assert alice.balance == before[alice] + 11 * GWEI
    assert bob.balance == before[bob] + 7 * GWEI
    for slot in range(1, 7):
        zone.escape.exit(exit_of(state, "balance", slot), sender=deployer)
    assert (zone.vault.outstanding(1), zone.vault.balance) == (0, 0)


def test_a_deposit_goes_back_once(zone, abandoned, deployer):
    header, message = header_of(zone, 2), deposit_of(zone, abandoned[0])
    zone.escape.refund(header, message, sender=deployer)
    with reverts(zone.escape.AlreadyRefunded, index=abandoned[0]):
        zone.escape.refund(header, message, sender=deployer)
    receipt = zone.escape.refundMany(header, [message, message], sender=deployer)
    assert receipt.return_value == 0


def test_a_deposit_that_the_state_knows_does_not_go_back(zone, abandoned, deployer):
    header = header_of(zone, 2)
    consumed = zone.messages()
    known = [m.index for m in consumed if m.kind == 1 and m.index < header[6]]
    assert len(known) == 6
    for index in known:
        with reverts(zone.escape.AlreadyConsumed, index=index, consumed=header[6]):
            zone.escape.refund(header, deposit_of(zone, index), sender=deployer)


def test_a_header_of_another_batch_says_nothing(zone, abandoned, deployer):
    message = deposit_of(zone, abandoned[0])
    for header in (header_of(zone, 1), header_of(zone, 3), NO_HEADER):
        with reverts(zone.escape.WrongHeader):
            zone.escape.refund(header, message, sender=deployer)
    changed = list(header_of(zone, 2))
    changed[6] = 0
    with reverts(zone.escape.WrongHeader):
        zone.escape.refund(tuple(changed), message, sender=deployer)


def test_only_a_deposit_of_the_inbox_goes_back(zone, abandoned, deployer):
    header = header_of(zone, 2)
    index, time, block, payload = deposit_of(zone, abandoned[0])
    changed = payload[:-1] + bytes([payload[-1] + 1])
    other = next(m for m in zone.messages() if m.kind == 3 and m.index > index)
    for message in (
        (index, time, block, changed),
        (index, time + 1, block, payload),
        (index, time, block + 1, payload),
        (index + 1, time, block, payload),
        (index, time, block, payload + b"\x00"),
        (index, time, block, payload[:-1]),
        (other.index, other.time, other.block, other.payload),
    ):
        with reverts(zone.escape.WrongMessage, index=message[0]):
            zone.escape.refund(header, message, sender=deployer)
    with pytest.raises(ape.exceptions.ContractLogicError):
        zone.escape.refund(header, (2**64 - 1, time, block, payload), sender=deployer)


def test_a_zone_that_closed_refunds_nothing(zone, closed, deployer):
    """Its closing batch consumed every message: each deposit is in a balance."""
    header = header_of(zone, zone.chain.closingBatch())
    for index in [m.index for m in zone.messages() if m.kind == 1]:
        with reverts(zone.escape.AlreadyConsumed, index=index, consumed=header[6]):
            zone.escape.refund(header, deposit_of(zone, index), sender=deployer)


def test_a_zone_abandoned_at_its_genesis_gives_every_deposit_back(
    zone, people, token, alice, bob, carol, deployer
):
    zone.commit()
    freeze(zone)
    zone.clock.pass_both(zone.params.closing_seconds, zone.params.closing_blocks)
    zone.chain.abandon(sender=deployer)
    deposits = [deposit_of(zone, m.index) for m in zone.messages() if m.kind == 1]
    receipt = zone.escape.refundMany(NO_HEADER, deposits, sender=deployer, gas=20_000_000)
    assert receipt.return_value == 6
    assert (zone.vault.outstanding(1), zone.vault.outstanding(2)) == (0, 0)
    assert all(token.balanceOf(account) == 500 for account in (alice, bob, carol))


def test_a_refund_follows_the_redirect_of_its_owner(zone, abandoned, alice, carol, deployer):
    zone.redirects.redirect(carol, sender=alice)
    before = carol.balance
    zone.escape.refund(header_of(zone, 2), deposit_of(zone, abandoned[0]), sender=deployer)
    assert carol.balance == before + 5 * GWEI


def test_a_state_that_was_abandoned_pays_its_withdrawals(
    zone, state, people, alice, asserter, deployer
):
    state.put("balance", 1, owner=people[alice], asset=1, state=ACTIVE, free=300)
    state.put("outbox", 1, recipient=alice, kind=OUTBOX_WITHDRAWAL, asset=1, amount=100, owner=2)
    abandon_at(zone, asserter, state.root)
    claim = bytes(zone.chain.latestFinal())
    zone.withdrawals.withdraw(claim, state.proof("outbox", 1), sender=deployer)
    for slot in (1, 2, 3):
        zone.escape.exit(exit_of(state, "balance", slot), sender=deployer)
    assert zone.vault.outstanding(1) == 0
