"""What `tests/quick_ape.py` replaces answers as before: errors are told apart, nothing is remembered too long."""

import pytest
from ape.exceptions import ContractNotFoundError
from hypothesis import settings

from tests.contracts.driver import DAY, isolated, reverts
from tests.quick_ape import STATES

UNKNOWN = 99  # no asset


def test_an_error_of_a_contract_that_is_called_is_told_from_all_others(zone, alice):
    """The call goes to the vault, the registry of assets behind it refuses."""
    with reverts(zone.asset_registry.UnknownAsset, asset=UNKNOWN):
        zone.vault.deposit(UNKNOWN, 1, alice, sender=alice)
    for expected in (
        zone.vault.WrongFee,
        zone.asset_registry.FeeAboveBond,
        zone.venue_registry.UnknownVenue,
    ):
        with pytest.raises(AssertionError, match="Expected error"), reverts(expected):
            zone.vault.deposit(UNKNOWN, 1, alice, sender=alice)


def test_the_same_error_of_another_deployment_is_another(zone, paid_zone, alice):
    with (
        pytest.raises(AssertionError, match="Expected error"),
        reverts(paid_zone.asset_registry.UnknownAsset),
    ):
        zone.vault.deposit(UNKNOWN, 1, alice, sender=alice)


def test_an_error_with_another_value_is_refused(zone, alice):
    with (
        pytest.raises(AssertionError, match="Expected input 'asset'"),
        reverts(zone.asset_registry.UnknownAsset, asset=UNKNOWN + 1),
    ):
        zone.vault.deposit(UNKNOWN, 1, alice, sender=alice)


def test_a_call_that_does_not_revert_is_refused(zone, alice):
    with (
        pytest.raises(AssertionError, match="did not revert"),
        reverts(zone.asset_registry.UnknownAsset),
    ):
        zone.owner_registry.register(alice, sender=alice)


def test_code_that_a_rollback_took_is_not_remembered(chain, deployer, project):
    with isolated(chain):
        token = deployer.deploy(project.TestToken, "Test", "TEST", 6)
        assert token.decimals() == 6
    with pytest.raises(ContractNotFoundError):
        token.decimals()
    with pytest.raises(ContractNotFoundError):
        token.mint(deployer, 1, sender=deployer)


def test_another_gas_limit_of_blocks_is_seen_at_once(chain, deployer, alice):
    provider = chain.provider
    limit = provider.max_gas
    provider.set_block_gas_limit(limit // 2)
    chain.mine()
    assert provider.max_gas == limit // 2
    assert deployer.transfer(alice, 1).gas_limit == limit // 2
    provider.set_block_gas_limit(limit)
    chain.mine()
    assert provider.max_gas == limit


def test_mining_that_is_switched_off_is_seen_at_once(chain):
    provider = chain.provider
    assert provider.auto_mine
    provider.auto_mine = False
    assert not provider.auto_mine
    provider.make_request("anvil_setAutomine", [True])
    assert provider.auto_mine


def test_the_state_before_the_last_block_can_be_asked_for(chain, deployer, alice):
    """Who explains a failed transaction calls it again in that state."""
    before = chain.provider.get_balance(alice.address)
    at = deployer.transfer(alice, 5).block_number - 1
    assert chain.provider.get_balance(alice.address) == before + 5
    assert chain.provider.get_balance(alice.address, block_id=hex(at)) == before


def test_a_rollback_reaches_behind_the_states_that_are_kept(chain, clock, zone, deployer, alice):
    before = chain.provider.get_balance(alice.address)
    with isolated(chain):
        deployer.transfer(alice, 5)
        clock.pass_both(DAY, 10 * STATES)
        assert chain.provider.get_balance(alice.address) == before + 5
    assert chain.provider.get_balance(alice.address) == before


def test_logs_of_blocks_whose_state_is_gone_are_found(chain, clock, zone, alice):
    zone.owner_registry.register(alice, sender=alice)
    count = len(zone.messages())
    clock.pass_blocks(10 * STATES)
    assert len(zone.messages()) == count > 0


def test_examples_are_the_same_in_every_run():
    assert settings().derandomize or settings.get_current_profile_name() == "fuzz"
