"""Redirects: only the account itself says where it is paid."""

import pytest
from eth_account.messages import encode_typed_data

from tests.contracts.driver import DAY, GWEI, Outbox, reverts

NOBODY = "0x" + "00" * 20


def sign(zone, account, to, deadline, *, nonce=None, contract=None, chain_id=None):
    """The account's signature as a wallet makes it."""
    nonce = zone.redirects.nonces(account) if nonce is None else nonce
    body = {
        "domain": {
            "name": "TradeZone",
            "version": "1",
            "chainId": chain_id or zone.redirects.provider.chain_id,
            "verifyingContract": (contract or zone.redirects).address,
        },
        "types": {
            "Redirect": [
                {"name": "account", "type": "address"},
                {"name": "to", "type": "address"},
                {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ]
        },
        "primaryType": "Redirect",
        "message": {
            "account": account.address,
            "to": getattr(to, "address", to),
            "nonce": nonce,
            "deadline": deadline,
        },
    }
    return account.sign_message(encode_typed_data(full_message=body)).encode_rsv()


@pytest.fixture
def deadline(clock):
    return clock.time + DAY


def test_an_account_is_paid_at_its_own_address_until_it_says_otherwise(zone, alice, bob):
    assert zone.redirects.payeeOf(alice) == alice
    receipt = zone.redirects.redirect(bob, sender=alice)
    assert zone.redirects.payeeOf(alice) == bob
    assert zone.redirects.Redirected(account=alice, before=NOBODY, to=bob) in receipt.events
    zone.redirects.redirect(NOBODY, sender=alice)
    assert zone.redirects.payeeOf(alice) == alice


def test_anyone_hands_in_a_signature_of_the_account(zone, alice, bob, deployer, deadline):
    signature = sign(zone, alice, bob, deadline)
    zone.redirects.redirectBySig(alice, bob, deadline, signature, sender=deployer)
    assert zone.redirects.payeeOf(alice) == bob


def test_a_signature_counts_once(zone, alice, bob, deployer, deadline):
    signature = sign(zone, alice, bob, deadline)
    zone.redirects.redirectBySig(alice, bob, deadline, signature, sender=deployer)
    zone.redirects.redirect(NOBODY, sender=alice)
    with reverts(zone.redirects.BadSignature, account=alice.address):
        zone.redirects.redirectBySig(alice, bob, deadline, signature, sender=deployer)
    assert zone.redirects.payeeOf(alice) == alice


def test_a_signature_holds_until_its_deadline(zone, alice, bob, clock, deployer, deadline):
    signature = sign(zone, alice, bob, deadline)
    clock.pass_time(DAY + 1)
    with reverts(zone.redirects.SignatureExpired, deadline=deadline):
        zone.redirects.redirectBySig(alice, bob, deadline, signature, sender=deployer)


def test_no_one_else_redirects(zone, paid_zone, alice, bob, carol, deployer, deadline):
    """Another's signature, for another target, account, nonce, zone or chain."""
    wrong = (
        sign(zone, bob, bob, deadline),
        sign(zone, alice, carol, deadline),
        sign(zone, alice, bob, deadline + 1),
        sign(zone, alice, bob, deadline, nonce=1),
        sign(zone, alice, bob, deadline, contract=paid_zone.redirects),
        sign(zone, alice, bob, deadline, chain_id=1),
        sign(zone, alice, bob, deadline)[:-1],
        bytes(65),
        b"",
    )
    for signature in wrong:
        with reverts(zone.redirects.BadSignature, account=alice.address):
            zone.redirects.redirectBySig(alice, bob, deadline, signature, sender=deployer)
    assert zone.redirects.payeeOf(alice) == alice


def test_the_digest_is_the_one_that_wallets_compute(zone, alice, bob, deployer, deadline):
    from eth_account import Account

    digest = zone.redirects.digestOf(alice, bob, deadline)
    signature = sign(zone, alice, bob, deadline)
    assert Account._recover_hash(digest, signature=signature) == alice.address


def test_a_withdrawal_follows_the_redirect_of_its_recipient(
    zone, alice, bob, carol, asserter, deployer
):
    zone.vault.depositNative(alice, sender=alice, value=1000 * GWEI)
    zone.bond(asserter)
    outbox = Outbox()
    outbox.withdrawal(7, alice, asset=1, amount=100)
    outbox.withdrawal(8, bob, asset=1, amount=200)
    claim = zone.finalized(asserter, outbox.root)
    zone.redirects.redirect(carol, sender=alice)
    before = carol.balance, bob.balance
    receipt = zone.withdrawals.withdrawMany(
        claim, [outbox.proof(7), outbox.proof(8)], sender=deployer
    )
    assert receipt.return_value == 2
    assert (carol.balance, bob.balance) == (before[0] + 100 * GWEI, before[1] + 200 * GWEI)
    paid = zone.withdrawals.WithdrawalPaid.from_receipt(receipt)[0]
    assert paid.recipient == alice  # whose money it is does not change


def test_a_contract_redirects_itself(zone, project, alice, bob, carol, deployer, deadline):
    """And nobody signs for one that knows no ERC-1271."""
    wallet = alice.deploy(project.HostileRecipient)
    call = zone.redirects.redirect.encode_input(bob)
    wallet.execute(zone.redirects, call, sender=alice)
    assert zone.redirects.payeeOf(wallet) == bob
    signature = sign(zone, alice, carol, deadline)
    with reverts(zone.redirects.BadSignature, account=wallet.address):
        zone.redirects.redirectBySig(wallet, carol, deadline, signature, sender=deployer)
    assert zone.redirects.payeeOf(wallet) == bob
