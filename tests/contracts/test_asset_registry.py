"""Assets: ids, terms, the bond and what remains of it, the end of the table."""

import pytest

from scripts._deployment import NOBODY
from tests.contracts.conftest import fund, register
from tests.contracts.driver import OKB, reverts
from tradezone.protocol import messages
from tradezone.protocol.enums import ASSET_ERC20, ASSET_NATIVE, ASSET_SIMULATED
from tradezone.protocol.limits import MAX_TOTAL_ATOMS

ZERO = "0x" + "00" * 20


@pytest.fixture
def assets(zone):
    return zone.asset_registry


@pytest.fixture
def fresh(alice, project):
    """A token nobody has registered."""
    return alice.deploy(project.TestToken, "Fresh", "FRESH", 18)


def test_the_native_coin_is_asset_1(zone, assets):
    native = assets.assetOf(1)
    assert (native.token, native.kind, native.registrant) == (ZERO, ASSET_NATIVE, ZERO)
    assert (native.decimals, native.quantum, native.cap) == (9, 10**9, MAX_TOTAL_ATOMS)
    assert zone.messages()[1].payload == zone.payload(
        messages.REGISTER_ASSET,
        asset=1,
        token=bytes(20),
        kind=ASSET_NATIVE,
        decimals=9,
        quantum=10**9,
        cap=MAX_TOTAL_ATOMS,
        venue=0,
    )


def test_anyone_registers_a_token_against_the_bond(zone, assets, fresh, alice):
    next_id = assets.count() + 1
    receipt = assets.registerAsset(fresh, 10**12, 5, sender=alice, value=OKB)
    assert receipt.return_value == assets.count() == next_id
    terms = assets.assetOf(next_id)
    assert (terms.token, terms.kind, terms.registrant) == (fresh, ASSET_ERC20, alice)
    assert (terms.decimals, terms.quantum, terms.cap, terms.isClosed) == (6, 10**12, 5, False)
    event = assets.AssetRegistered.from_receipt(receipt)[0]
    assert zone.body(event.inboxIndex) == {
        "asset": next_id,
        "token": bytes.fromhex(fresh.address[2:]),
        "kind": ASSET_ERC20,
        "decimals": 6,
        "quantum": 10**12,
        "cap": 5,
        "venue": 0,
    }


def test_a_token_may_be_registered_again_with_other_terms(assets, fresh, alice, bob):
    first = assets.registerAsset(fresh, 1, 1, sender=bob, value=OKB).return_value
    second = assets.registerAsset(fresh, 10**12, 10**18, sender=alice, value=OKB).return_value
    assert second == first + 1
    assert assets.assetOf(second).token == assets.assetOf(first).token == fresh


@pytest.mark.parametrize("sent", [0, OKB - 1, OKB + 1])
def test_the_bond_is_exact(assets, fresh, alice, sent):
    with reverts(assets.WrongBond, sent=sent, expected=OKB):
        assets.registerAsset(fresh, 1, 1, sender=alice, value=sent)


def test_the_zero_address_is_no_token(assets, alice):
    with reverts(assets.ZeroToken):
        assets.registerAsset(ZERO, 1, 1, sender=alice, value=OKB)


@pytest.mark.parametrize("quantum", [0, 2, 9, 11, 10**18 + 1, 5 * 10**18, 10**19, 2**64 - 1])
def test_a_quantum_is_a_power_of_ten_up_to_one_coin(assets, fresh, alice, quantum):
    with reverts(assets.BadQuantum, quantum=quantum):
        assets.registerAsset(fresh, quantum, 1, sender=alice, value=OKB)


@pytest.mark.parametrize(("quantum", "decimals"), [(1, 18), (10, 17), (10**17, 1), (10**18, 0)])
def test_atoms_keep_the_decimals_that_the_quantum_leaves(assets, fresh, alice, quantum, decimals):
    asset = assets.registerAsset(fresh, quantum, 1, sender=alice, value=OKB).return_value
    assert assets.assetOf(asset).decimals == decimals


@pytest.mark.parametrize(
    ("token_decimals", "quantum", "fits"),
    [
        (6, 10**6, True),
        (6, 10**7, False),
        (0, 1, True),
        (0, 10, False),
        (36, 1, True),
        (37, 1, False),
        (37, 10, True),
        (255, 10**18, False),
    ],
)
def test_decimals_of_atoms_are_0_to_36(assets, alice, project, token_decimals, quantum, fits):
    token = alice.deploy(project.TestToken, "Odd", "ODD", token_decimals)
    if fits:
        assets.registerAsset(token, quantum, 1, sender=alice, value=OKB)
    else:
        with reverts(assets.BadDecimals, tokenDecimals=token_decimals, quantum=quantum):
            assets.registerAsset(token, quantum, 1, sender=alice, value=OKB)


@pytest.mark.parametrize("cap", [0, MAX_TOTAL_ATOMS + 1, 2**64 - 1])
def test_a_cap_is_within_what_the_zone_can_count(assets, fresh, alice, cap):
    with reverts(assets.BadCap, cap=cap, limit=MAX_TOTAL_ATOMS):
        assets.registerAsset(fresh, 1, cap, sender=alice, value=OKB)


def test_the_registrant_closes_its_asset_and_gets_the_bond_less_the_fee(assets, fresh, alice):
    asset = assets.registerAsset(fresh, 1, 1, sender=alice, value=OKB).return_value
    assert assets.isOpen(asset)
    before = alice.balance
    receipt = assets.closeAsset(asset, sender=alice)
    refund = OKB - OKB // 10
    assert alice.balance == before + refund - receipt.total_fees_paid
    assert assets.AssetClosed(asset=asset, registrant=alice, refund=refund) in receipt.events
    assert not assets.isOpen(asset)
    assert assets.assetOf(asset).isClosed


def test_a_closed_asset_is_closed_for_ever_and_its_id_never_used_again(assets, fresh, alice):
    asset = assets.registerAsset(fresh, 1, 1, sender=alice, value=OKB).return_value
    assets.closeAsset(asset, sender=alice)
    with reverts(assets.AssetIsClosed, asset=asset):
        assets.closeAsset(asset, sender=alice)
    again = assets.registerAsset(fresh, 1, 1, sender=alice, value=OKB).return_value
    assert again == asset + 1


def test_nobody_else_closes_an_asset(assets, fresh, alice, bob):
    asset = assets.registerAsset(fresh, 1, 1, sender=alice, value=OKB).return_value
    with reverts(assets.NotRegistrant, caller=bob.address, registrant=alice.address):
        assets.closeAsset(asset, sender=bob)


def test_nobody_closes_the_native_coin(assets, deployer):
    with reverts(assets.NotRegistrant, caller=deployer.address, registrant=ZERO):
        assets.closeAsset(1, sender=deployer)


def test_an_asset_that_the_vault_owes_stays_open(zone, assets, fresh, alice):
    asset = register(zone, alice, fresh)
    fund(zone, fresh, alice, 7)
    zone.vault.deposit(asset, 7, alice, sender=alice)
    with reverts(assets.StillOutstanding, asset=asset, atoms=7):
        assets.closeAsset(asset, sender=alice)


def test_a_token_cannot_have_its_asset_closed_in_the_middle_of_a_deposit(zone, alice, project):
    """The token is the registrant itself and closes the asset while the vault takes a deposit."""
    assets, token = zone.asset_registry, alice.deploy(project.ReentrantToken)
    call = assets.registerAsset.encode_input(token, 1, 100)
    token.execute(assets, call, sender=alice, value=OKB)
    asset = assets.count()
    fund(zone, token, alice, 7)
    token.arm(assets, assets.closeAsset.encode_input(asset), False, sender=alice)
    zone.vault.deposit(asset, 7, alice, sender=alice)
    assert token.has_called()
    assert not token.is_success()
    assert assets.isOpen(asset)
    assert zone.vault.outstanding(asset) == 7


def test_a_registrant_that_refuses_the_bond_keeps_its_asset_open(assets, alice, project):
    token = alice.deploy(project.TestToken, "T", "T", 6)
    wallet = alice.deploy(project.HostileRecipient)
    call = assets.registerAsset.encode_input(token, 1, 1)
    wallet.execute(assets, call, sender=alice, value=OKB)
    wallet.refuse(sender=alice)
    asset = assets.count()
    with reverts(assets.RefundFailed, to=wallet.address, amount=OKB - OKB // 10):
        wallet.execute(assets, assets.closeAsset.encode_input(asset), sender=alice)
    assert assets.isOpen(asset)


def test_the_table_has_an_end_and_a_bond_cannot_be_cycled_through_it_for_nothing(
    core, fresh, alice
):
    before = core.asset_registry.balance
    for _ in range(3):
        receipt = core.asset_registry.registerAsset(fresh, 1, 1, sender=alice, value=OKB)
        core.asset_registry.closeAsset(receipt.return_value, sender=alice)
    with reverts(core.asset_registry.RegistryFull, maxAssets=4):
        core.asset_registry.registerAsset(fresh, 1, 1, sender=alice, value=OKB)
    assert core.asset_registry.balance == before + 3 * (OKB // 10)


def test_unknown_assets_are_refused(assets, alice):
    unknown = assets.count() + 1
    for asset in (0, unknown):
        with reverts(assets.UnknownAsset, asset=asset):
            assets.assetOf(asset)
        with reverts(assets.UnknownAsset, asset=asset):
            assets.closeAsset(asset, sender=alice)
        assert not assets.isOpen(asset)


def test_constructor_refuses_senseless_terms(deployer, project, core):
    error, arguments = core.asset_registry, (core.inbox, core.vault, NOBODY)
    with reverts(error.FeeAboveBond, fee=2, bond=1):
        deployer.deploy(project.AssetRegistry, *arguments, 1, 2, 4, 1)
    with reverts(error.BadQuantum, quantum=3):
        deployer.deploy(project.AssetRegistry, *arguments, 2, 1, 4, 3)


# --- simulated assets


def test_a_simulated_asset_is_told_to_the_zone(zone, venue, alice):
    assets, bond = zone.asset_registry, zone.params.asset_bond
    before = zone.inbox.count()
    receipt = assets.registerSimulated(1, "PLAY", 6, MAX_TOTAL_ATOMS, sender=alice, value=bond)
    asset = receipt.return_value
    assert zone.body(before) == {
        "asset": asset,
        "token": bytes(20),
        "kind": ASSET_SIMULATED,
        "decimals": 6,
        "quantum": 1,
        "cap": MAX_TOTAL_ATOMS,
        "venue": 1,
    }
    entry = assets.assetOf(asset)
    assert (entry.kind, entry.venue, entry.registrant) == (ASSET_SIMULATED, 1, alice)
    assert assets.symbolOf(asset) == "PLAY"
    assert assets.symbolOf(1) == ""


def test_the_vault_neither_takes_nor_owes_simulated_assets(zone, venue, alice):
    bond = zone.params.asset_bond
    zone.asset_registry.registerSimulated(1, "PLAY", 6, 10, sender=alice, value=bond)
    asset = zone.asset_registry.count()
    with reverts(zone.vault.WrongAssetKind, asset=asset, kind=ASSET_SIMULATED):
        zone.vault.deposit(asset, 1, alice, sender=alice)
    assert zone.vault.outstanding(asset) == 0


def test_a_faucet_is_the_venues_and_of_simulated_assets_only(zone, venue, token, alice, bob):
    assets, bond = zone.asset_registry, zone.params.asset_bond
    assets.registerSimulated(1, "PLAY", 6, 1000, sender=alice, value=bond)
    asset = assets.count()
    before = zone.inbox.count()
    assets.setFaucet(asset, (1000, 2**48), sender=alice)
    body = {"asset": asset, "quotaRate": 0, "quotaDeposit": 0}
    assert zone.body(before) == body | {"faucetAmount": 1000, "faucetInterval": 2**48}
    assert tuple(assets.faucetOf(asset)) == (1000, 2**48)
    for faucet in ((1001, 0), (1, 2**48 + 1)):
        with reverts(assets.BadFaucet, amount=faucet[0], interval=faucet[1]):
            assets.setFaucet(asset, faucet, sender=alice)
    with reverts(assets.NotSimulated, asset=2, kind=ASSET_ERC20):
        assets.setFaucet(2, (1, 1), sender=alice)
    with reverts(assets.UnknownAsset, asset=asset + 1):
        assets.setFaucet(asset + 1, (1, 1), sender=alice)
    values = {"caller": bob.address, "deployer": alice.address}
    with reverts(zone.venue_registry.NotDeployer, **values):
        assets.setFaucet(asset, (1, 1), sender=bob)
    with reverts(zone.venue_registry.NotDeployer, **values):
        assets.registerSimulated(1, "PLAY", 6, 1000, sender=bob, value=bond)


def test_terms_of_a_simulated_asset_are_bounded(zone, venue, alice):
    assets, bond = zone.asset_registry, zone.params.asset_bond
    for symbol in ("", "A" * 12, "play", "PL-Y", "PLÄY", "PLAY "):
        with reverts(assets.BadSymbol, symbol=symbol):
            assets.registerSimulated(1, symbol, 6, 1, sender=alice, value=bond)
    with reverts(assets.TooManyDecimals, decimals=19, limit=18):
        assets.registerSimulated(1, "PLAY", 19, 1, sender=alice, value=bond)
    for cap in (0, MAX_TOTAL_ATOMS + 1):
        with reverts(assets.BadCap, cap=cap, limit=MAX_TOTAL_ATOMS):
            assets.registerSimulated(1, "PLAY", 18, cap, sender=alice, value=bond)
    for value in (0, bond - 1, bond + 1):
        with reverts(assets.WrongBond, sent=value, expected=bond):
            assets.registerSimulated(1, "PLAY", 18, 1, sender=alice, value=value)
    with reverts(zone.venue_registry.UnknownVenue, venue=2):
        assets.registerSimulated(2, "PLAY", 18, 1, sender=alice, value=bond)
    assets.registerSimulated(1, "A" * 11, 18, 1, sender=alice, value=bond)


def test_a_closed_simulated_asset_is_listed_no_more(zone, venue, alice):
    assets, bond = zone.asset_registry, zone.params.asset_bond
    assets.registerSimulated(1, "PLAY", 6, 1000, sender=alice, value=bond)
    asset = assets.count()
    assets.closeAsset(asset, sender=alice)
    assert not assets.isOpen(asset)
