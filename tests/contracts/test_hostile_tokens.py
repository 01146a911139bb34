"""Tokens that misbehave (A4): credit equals what arrived or nothing happens; nobody else is harmed."""

import ape
import pytest

from tests.contracts.conftest import register
from tests.contracts.driver import GWEI, OKB, reverts
from tradezone.protocol.hashing import keccak


@pytest.fixture
def vault(core):
    return core.vault


def list_token(core, owner, token, amount=1_000_000) -> int:
    """Register a token, give its deployer some and let the vault take it."""
    call = core.asset_registry.registerAsset(token, 1, 10**12, sender=owner, value=OKB)
    token.mint(owner, amount, sender=owner)
    token.approve(core.vault, 2**128, sender=owner)
    return call.return_value


def test_a_fee_on_transfer_is_refused_with_what_arrived(core, vault, alice, project):
    token = alice.deploy(project.FeeOnTransferToken, 100, 0)
    asset = list_token(core, alice, token)
    with reverts(vault.ReceivedMismatch, received=9_900, expected=10_000):
        vault.deposit(asset, 10_000, alice, sender=alice)
    assert (vault.outstanding(asset), token.balanceOf(vault)) == (0, 0)


def test_a_fee_switched_on_later_falls_on_the_recipient(core, vault, alice, project):
    token = alice.deploy(project.FeeOnTransferToken, 0, 0)
    asset = list_token(core, alice, token)
    vault.deposit(asset, 10_000, alice, sender=alice)
    token.set_fees(1_000, 0, sender=alice)
    before = token.balanceOf(alice)
    vault.pay(asset, alice, 5_000, sender=core.withdrawals)
    assert token.balanceOf(alice) == before + 4_500
    assert vault.outstanding(asset) == token.balanceOf(vault) == 5_000


def test_a_fee_on_top_is_never_taken_from_what_others_are_owed(core, vault, alice, project):
    token = alice.deploy(project.FeeOnTransferToken, 0, 0)
    asset = list_token(core, alice, token)
    vault.deposit(asset, 10_000, alice, sender=alice)
    token.set_fees(0, 1_000, sender=alice)
    with reverts(vault.Overcharged, taken=5_500, expected=5_000):
        vault.pay(asset, alice, 5_000, sender=core.withdrawals)
    token.set_fees(0, 0, sender=alice)
    vault.pay(asset, alice, 10_000, sender=core.withdrawals)


def test_a_token_without_return_value_works(core, vault, alice, project):
    token = alice.deploy(project.NoReturnToken)
    asset = list_token(core, alice, token)
    vault.deposit(asset, 500, alice, sender=alice)
    vault.pay(asset, alice, 200, sender=core.withdrawals)
    assert vault.outstanding(asset) == token.balanceOf(vault) == 300


def test_false_is_failure_on_the_way_in_and_out(core, vault, alice, project):
    token = alice.deploy(project.ReturnsFalseToken)
    asset = list_token(core, alice, token)
    vault.deposit(asset, 500, alice, sender=alice)
    token.set_failing(True, sender=alice)
    with reverts(vault.SafeERC20FailedOperation, token=token.address):
        vault.deposit(asset, 500, alice, sender=alice)
    with reverts(vault.SafeERC20FailedOperation, token=token.address):
        vault.pay(asset, alice, 500, sender=core.withdrawals)
    assert vault.outstanding(asset) == token.balanceOf(vault) == 500


def test_rounding_of_a_rebasing_token_is_refused(core, vault, alice, project):
    token = alice.deploy(project.RebasingToken)
    asset = list_token(core, alice, token)
    token.rebase(3, 2, sender=alice)
    with reverts(vault.ReceivedMismatch, received=999, expected=1_000):
        vault.deposit(asset, 1_000, alice, sender=alice)


def test_a_rebase_harms_its_own_holders_only(core, vault, alice, bob, project):
    token = alice.deploy(project.RebasingToken)
    asset = list_token(core, alice, token)
    vault.deposit(asset, 1_000, alice, sender=alice)
    vault.depositNative(bob, sender=bob, value=50 * GWEI)
    token.rebase(1, 2, sender=alice)
    with ape.reverts():
        vault.pay(asset, alice, 1_000, sender=core.withdrawals)
    assert vault.outstanding(asset) == 1_000
    vault.pay(asset, alice, 500, sender=core.withdrawals)
    vault.pay(1, bob, 50, sender=core.withdrawals)
    assert vault.outstanding(1) == 0


def test_a_blocked_recipient_stays_owed_and_others_are_paid(core, vault, alice, bob, project):
    token = alice.deploy(project.BlacklistToken)
    asset = list_token(core, alice, token)
    vault.deposit(asset, 1_000, alice, sender=alice)
    token.set_blocked(bob, True, sender=alice)
    with ape.reverts("blacklist: receiver"):
        vault.pay(asset, bob, 400, sender=core.withdrawals)
    vault.pay(asset, alice, 600, sender=core.withdrawals)
    token.set_blocked(bob, False, sender=alice)
    vault.pay(asset, bob, 400, sender=core.withdrawals)
    assert vault.outstanding(asset) == 0


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("function", ["deposit", "depositNative", "pay"])
def test_a_token_cannot_come_back_into_the_vault(core, alice, project, function, is_after):
    vault = core.vault
    token = alice.deploy(project.ReentrantToken)
    asset = list_token(core, alice, token)
    token.mint(token, 1_000, sender=alice)
    call = {
        "deposit": vault.deposit.encode_input(asset, 100, token),
        "depositNative": vault.depositNative.encode_input(token),
        "pay": vault.pay.encode_input(asset, token, 100),
    }[function]
    for run in (
        lambda: vault.deposit(asset, 500, alice, sender=alice),
        lambda: vault.pay(asset, alice, 500, sender=core.withdrawals),
    ):
        token.arm(vault, call, is_after, sender=alice)
        run()
        assert token.has_called()
        assert not token.is_success()
        assert bytes(token.response()) == keccak(b"ReentrancyGuardReentrantCall()")[:4]
    assert vault.outstanding(asset) == 0


def test_a_token_that_deposits_for_itself_elsewhere_does_not_confuse_the_measure(
    core, alice, bob, project
):
    """While it is deposited, the token gives the vault more of itself: that is not the deposit."""
    vault = core.vault
    token = alice.deploy(project.ReentrantToken)
    asset = list_token(core, alice, token)
    token.arm(token, token.mint.encode_input(vault, 5), False, sender=alice)
    with reverts(vault.ReceivedMismatch, received=505, expected=500):
        vault.deposit(asset, 500, alice, sender=alice)


def test_a_token_without_decimals_or_code_is_no_asset(zone, alice, bob):
    for not_a_token in (zone.inbox, bob):
        with ape.reverts():
            register(zone, alice, not_a_token)
