"""Deposits and payments: exact amounts, caps, the ledger, who may pay, what donations do."""

import ape
import pytest

from tests.contracts.conftest import fund, register
from tests.contracts.driver import GWEI, OKB, reverts
from tradezone.protocol import messages
from tradezone.protocol.enums import ASSET_ERC20, ASSET_NATIVE
from tradezone.protocol.limits import MAX_TOTAL_ATOMS

FEE = OKB // 100


def test_a_token_deposit_is_credited_and_told_to_the_zone(zone, token, alice, bob):
    fund(zone, token, alice, 500)
    receipt = zone.vault.deposit(2, 300, bob, sender=alice)
    assert token.balanceOf(zone.vault) == zone.vault.outstanding(2) == 300
    owner = zone.owner_registry.idOf(bob)
    assert receipt.return_value == zone.inbox.count() - 1
    assert zone.messages()[-1].payload == zone.payload(
        messages.DEPOSIT, owner=owner, address=bytes.fromhex(bob.address[2:]), asset=2, amount=300
    )
    assert (
        zone.vault.Deposited(
            asset=2,
            to=bob,
            atoms=300,
            outstandingBefore=0,
            outstanding=300,
            inboxIndex=receipt.return_value,
            **{"from": alice},
        )
        in receipt.events
    )


def test_a_new_owner_is_registered_before_its_deposit_and_a_known_one_is_not(zone, token, alice):
    fund(zone, token, alice, 500)
    count = zone.inbox.count()
    zone.vault.deposit(2, 100, alice, sender=alice)
    zone.vault.deposit(2, 100, alice, sender=alice)
    kinds = [message.kind for message in zone.messages()[count:]]
    assert kinds == [messages.REGISTER_OWNER, messages.DEPOSIT, messages.DEPOSIT]


def test_native_coin_is_credited_in_atoms_of_a_gwei(zone, alice):
    zone.vault.depositNative(alice, sender=alice, value=3 * OKB)
    assert zone.vault.outstanding(1) == 3 * OKB // GWEI
    assert zone.vault.balance == 3 * OKB
    assert zone.body(zone.inbox.count() - 1)["amount"] == 3 * OKB // GWEI


def test_a_coarse_token_is_credited_in_atoms_of_its_quantum(zone, coarse_token, alice):
    fund(zone, coarse_token, alice, 10**18)
    zone.vault.deposit(3, 5 * 10**12, alice, sender=alice)
    assert zone.vault.outstanding(3) == 5


@pytest.mark.parametrize("amount", [0, 1, 10**12 - 1, 10**12 + 1])
def test_only_whole_atoms_are_taken(zone, coarse_token, alice, amount):
    fund(zone, coarse_token, alice, 10**18)
    with reverts(zone.vault.NotMultipleOfQuantum, amount=amount, quantum=10**12):
        zone.vault.deposit(3, amount, alice, sender=alice)


@pytest.mark.parametrize("amount", [0, 1, GWEI - 1, GWEI + 1])
def test_only_whole_native_atoms_are_taken(zone, alice, amount):
    with reverts(zone.vault.NotMultipleOfQuantum, amount=amount, quantum=GWEI):
        zone.vault.depositNative(alice, sender=alice, value=amount)


def test_a_deposit_stops_at_the_cap(zone, alice, project):
    token = alice.deploy(project.TestToken, "Capped", "CAP", 6)
    asset = register(zone, alice, token, cap=100)
    fund(zone, token, alice, 1000)
    zone.vault.deposit(asset, 60, alice, sender=alice)
    with reverts(zone.vault.CapExceeded, asset=asset, outstanding=60, atoms=41, cap=100):
        zone.vault.deposit(asset, 41, alice, sender=alice)
    zone.vault.deposit(asset, 40, alice, sender=alice)
    with reverts(zone.vault.CapExceeded, asset=asset, outstanding=100, atoms=1, cap=100):
        zone.vault.deposit(asset, 1, alice, sender=alice)


def test_no_deposit_is_larger_than_the_zone_can_count(zone, alice, project):
    token = alice.deploy(project.TestToken, "Huge", "HUGE", 0)
    asset = register(zone, alice, token, cap=MAX_TOTAL_ATOMS)
    fund(zone, token, alice, 2**256 - 1)
    for amount in (MAX_TOTAL_ATOMS + 1, 2**64 + 1, 2**256 - 1):
        with reverts(
            zone.vault.CapExceeded, asset=asset, outstanding=0, atoms=amount, cap=MAX_TOTAL_ATOMS
        ):
            zone.vault.deposit(asset, amount, alice, sender=alice)
    zone.vault.deposit(asset, MAX_TOTAL_ATOMS, alice, sender=alice)
    assert zone.body(zone.inbox.count() - 1)["amount"] == MAX_TOTAL_ATOMS


def test_each_kind_of_asset_has_its_own_door(zone, token, alice):
    with reverts(zone.vault.WrongAssetKind, asset=1, kind=ASSET_NATIVE):
        zone.vault.deposit(1, GWEI, alice, sender=alice)
    assert zone.asset_registry.assetOf(2).kind == ASSET_ERC20


def test_value_with_a_token_deposit_is_refused(zone, token, alice):
    fund(zone, token, alice, 10)
    with reverts(zone.vault.WrongFee, sent=1, expected=0):
        zone.vault.deposit(2, 10, alice, sender=alice, value=1)


def test_unknown_assets_are_refused(zone, alice):
    unknown = zone.asset_registry.count() + 1
    for asset in (0, unknown):
        with reverts(zone.asset_registry.UnknownAsset, asset=asset):
            zone.vault.deposit(asset, 1, alice, sender=alice)


def test_a_closed_asset_takes_no_deposit(zone, alice, project):
    token = alice.deploy(project.TestToken, "Closed", "CLOSED", 6)
    asset = register(zone, alice, token)
    zone.asset_registry.closeAsset(asset, sender=alice)
    fund(zone, token, alice, 10)
    with reverts(zone.vault.AssetIsClosed, asset=asset):
        zone.vault.deposit(asset, 10, alice, sender=alice)


def test_nobody_is_credited_for_the_zero_address(zone, token, alice):
    fund(zone, token, alice, 10)
    with reverts(zone.owner_registry.ZeroAddress):
        zone.vault.deposit(2, 10, "0x" + "00" * 20, sender=alice)


def test_plain_transfers_of_coin_are_refused(zone, alice):
    for contract in (zone.vault, zone.withdrawals, zone.staking, zone.chain, zone.inbox):
        with ape.reverts():
            alice.transfer(contract, OKB)


def test_the_first_native_deposit_pays_the_registration_out_of_the_value(paid_zone, alice):
    vault, owners = paid_zone.vault, paid_zone.owner_registry
    burned = owners.balance
    with reverts(vault.WrongFee, sent=FEE - 1, expected=FEE):
        vault.depositNative(alice, sender=alice, value=FEE - 1)
    vault.depositNative(alice, sender=alice, value=FEE + OKB)
    assert (vault.outstanding(1), vault.balance) == (OKB // GWEI, OKB)
    assert owners.balance == burned + FEE
    vault.depositNative(alice, sender=alice, value=OKB)
    assert vault.outstanding(1) == 2 * OKB // GWEI


def test_the_first_token_deposit_brings_the_registration_fee(paid_zone, alice, project):
    token = alice.deploy(project.TestToken, "T", "T", 6)
    asset = register(paid_zone, alice, token)
    fund(paid_zone, token, alice, 100)
    vault = paid_zone.vault
    with reverts(vault.WrongFee, sent=0, expected=FEE):
        vault.deposit(asset, 50, alice, sender=alice)
    vault.deposit(asset, 50, alice, sender=alice, value=FEE)
    with reverts(vault.WrongFee, sent=FEE, expected=0):
        vault.deposit(asset, 50, alice, sender=alice, value=FEE)
    vault.deposit(asset, 50, alice, sender=alice)
    assert (vault.outstanding(asset), vault.balance) == (100, 0)


# --- payments


def test_only_withdrawals_and_escape_pay(zone, core, alice, deployer):
    for caller in (alice, deployer, zone.sequencer):
        with reverts(zone.vault.NotPayer, caller=caller.address):
            zone.vault.pay(1, alice, 1, sender=caller)
    core.vault.depositNative(alice, sender=alice, value=10 * GWEI)
    for payer in (core.withdrawals, core.escape):
        core.vault.pay(1, alice, 5, sender=payer)
    assert core.vault.outstanding(1) == 0


def test_a_payment_moves_ledger_and_money_alike(core, alice, bob):
    core.vault.depositNative(alice, sender=alice, value=10 * GWEI)
    before = bob.balance
    receipt = core.vault.pay(1, bob, 4, sender=core.withdrawals)
    assert bob.balance == before + 4 * GWEI
    assert (core.vault.outstanding(1), core.vault.balance) == (6, 6 * GWEI)
    assert receipt.events == [
        core.vault.Paid(asset=1, to=bob, atoms=4, outstandingBefore=10, outstanding=6)
    ]


def test_no_more_is_paid_than_is_owed_of_that_asset(core, alice, bob, clock):
    core.vault.depositNative(alice, sender=alice, value=10 * GWEI)
    clock.force_coin(core.vault, OKB)
    with reverts(core.vault.InsufficientOutstanding, asset=1, atoms=11, outstanding=10):
        core.vault.pay(1, bob, 11, sender=core.withdrawals)
    with reverts(core.vault.InsufficientOutstanding, asset=99, atoms=1, outstanding=0):
        core.vault.pay(99, bob, 1, sender=core.withdrawals)


def test_coin_that_is_refused_stays_owed(core, alice, project):
    wallet = alice.deploy(project.HostileRecipient)
    core.vault.depositNative(wallet, sender=alice, value=10 * GWEI)
    wallet.refuse(sender=alice)
    with reverts(core.vault.NativeTransferFailed, to=wallet.address, amount=4 * GWEI):
        core.vault.pay(1, wallet, 4, sender=core.withdrawals)
    assert core.vault.outstanding(1) == 10
    wallet.accept(sender=alice)
    core.vault.pay(1, wallet, 4, sender=core.withdrawals)


# --- what comes in otherwise (A6)


def test_donated_tokens_change_nothing(zone, token, alice, bob):
    fund(zone, token, alice, 100)
    token.mint(zone.vault, 10**12, sender=bob)
    assert zone.vault.outstanding(2) == 0
    zone.vault.deposit(2, 100, alice, sender=alice)
    assert zone.vault.outstanding(2) == 100


def test_forced_coin_changes_nothing(zone, alice, clock):
    clock.force_coin(zone.vault, 1000 * OKB)
    assert zone.vault.outstanding(1) == 0
    zone.vault.depositNative(alice, sender=alice, value=OKB)
    assert zone.vault.outstanding(1) == OKB // GWEI


def test_two_assets_of_one_token_have_a_ledger_each(core, alice, project):
    token = alice.deploy(project.TestToken, "Twice", "TWICE", 6)
    registry = core.asset_registry
    fine = registry.registerAsset(token, 1, 100, sender=alice, value=OKB).return_value
    coarse = registry.registerAsset(token, 10, 100, sender=alice, value=OKB).return_value
    token.mint(alice, 1000, sender=alice)
    token.approve(core.vault, 1000, sender=alice)
    core.vault.deposit(fine, 50, alice, sender=alice)
    core.vault.deposit(coarse, 200, alice, sender=alice)
    assert (core.vault.outstanding(fine), core.vault.outstanding(coarse)) == (50, 20)
    with reverts(core.vault.InsufficientOutstanding, asset=fine, atoms=51, outstanding=50):
        core.vault.pay(fine, alice, 51, sender=core.withdrawals)
    core.vault.pay(fine, alice, 50, sender=core.withdrawals)
    core.vault.pay(coarse, alice, 20, sender=core.withdrawals)
    assert token.balanceOf(core.vault) == 0
