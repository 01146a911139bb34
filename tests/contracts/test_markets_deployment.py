"""The contracts beside a zone: deployed, wired, read back, and working with the zone's own contracts."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from scripts._deployment import CONTRACTS as ZONE_CONTRACTS
from scripts._deployment import DeploymentError, ZoneParams
from scripts._markets_deployment import (
    CONTRACTS,
    SLOT_KINDS,
    MarketsParams,
    check_markets,
    deploy_markets,
)
from tests.contracts.conftest import GENESIS_ROOT
from tests.contracts.driver import OKB
from tests.contracts.market_zone import deploy_all, deploy_zone_admitting
from tests.contracts.test_deployment import FORBIDDEN, opcodes
from tradezone.protocol.hashing import keccak
from tradezone.protocol.records import TABLE_BY_NAME

ANYONE, OWN = "anyone", "the caller, for itself"
REGISTRY, GOVERNANCE = "the venue registry", "governance"
PROVIDER, DEPLOYER = "the provider's account", "the venue's deployer"
# Functions that change something, and who may call them. Nothing else may exist.
WRITES = {
    "slots": {
        "buy": DEPLOYER,
        "renew": ANYONE,
        "reclaim": ANYONE,
        "collectRefund": OWN,
        "collectProceeds": ANYONE,
        "occupy": REGISTRY,
        "release": REGISTRY,
        "setKindTerms": GOVERNANCE,
        "setLicenceTerms": GOVERNANCE,
    },
    "oracles": {
        "register": OWN,
        "rotate": PROVIDER,
        "setMetadata": PROVIDER,
        "offer": PROVIDER,
        "retract": PROVIDER,
        "topUp": ANYONE,
        "exit": PROVIDER,
        "withdrawBond": PROVIDER,
        "openFeed": DEPLOYER,
        "select": DEPLOYER,
        "announce": ANYONE,
        "recordIncident": ANYONE,
        "proveEquivocation": ANYONE,
        "slash": "the court",
        "collect": ANYONE,
    },
    "resolver": {
        "openGroup": "the venue's deployer, or the venue registry",
        "callForResult": ANYONE,
        "propose": "the provider, later anyone",
        "challenge": ANYONE,
        "confirm": ANYONE,
        "decide": "the arbiter",
        "lapse": ANYONE,
        "collect": ANYONE,
    },
}


@pytest.fixture
def market_params(treasury, governance, court, arbiter):
    return MarketsParams.local(treasury.address, governance.address, court.address, arbiter.address)


@pytest.fixture
def zone_params(sequencer, protocol_owner):
    return ZoneParams.local(GENESIS_ROOT, sequencer.address, protocol_owner.address)


@pytest.fixture
def contracts(accounts, project, zone_params, market_params):
    """A whole zone with these contracts, by name."""
    addresses = deploy_all(accounts[9], project, zone_params, market_params)
    types = ZONE_CONTRACTS | CONTRACTS
    found = {n: getattr(project, types[n]).at(address) for n, address in addresses.items()}
    return SimpleNamespace(**found, addresses=addresses)


def test_a_zone_with_them_works_from_stake_to_result(
    contracts, alice, bob, carol, market_params, clock
):
    zone = contracts
    stake = zone.venue_registry.venueStake()
    zone.staking.stake(sender=alice, value=stake)
    venue = zone.venue_registry.createVenue("whole", 0, sender=alice).return_value
    zone.slots.buy(venue, 3, 100 * OKB, sender=alice, value=100 * OKB)
    zone.oracles.register(bob, bytes(32), "", sender=bob, value=market_params.provider_bond)
    zone.oracles.openFeed(venue, 8, bytes(32), sender=alice)
    zone.oracles.offer(1, 1, sender=bob)
    zone.oracles.select(1, ([1], 1, 1_000, 5_000), sender=alice)
    due = clock.time + 100
    terms = (venue, 1, 10**6, due, 20 * stake, [5_000, 5_000], bytes(32))
    zone.resolver.openGroup(terms, sender=alice, value=market_params.open_fee)
    clock.pass_time(101)
    bond = zone.resolver.groupOf(1).bond
    zone.resolver.propose(1, [10_000, 0], sender=bob, value=bond)
    clock.pass_both(600, 4)
    zone.resolver.confirm(1, sender=carol)
    kinds = [log.kind for log in zone.inbox.Message.range(0, clock.block + 1)]
    assert sorted(kinds)[-2:] == [32, 34]
    assert zone.oracles.domainSeparator() == zone.chain.domainSeparator()


def test_an_inbox_that_does_not_admit_them_is_refused(zone, accounts, project, market_params):
    before = accounts[9].nonce
    with pytest.raises(DeploymentError, match="name `market_sources` when the zone is deployed"):
        deploy_markets(accounts[9], project, zone.deployment.addresses, market_params)
    assert accounts[9].nonce == before


def test_a_pointer_or_parameter_that_differs_is_named(contracts, market_params):
    found = {name: getattr(contracts, name) for name in CONTRACTS}
    check_markets(found, contracts.addresses, market_params)
    for name, change in (
        ("oracles.bond", {"provider_bond": 5}),
        ("resolver.arbiter", {"arbiter": market_params.treasury}),
        ("slots.governance", {"governance": market_params.treasury}),
        ("slots.kindTerms(spot)", {"slot_kinds": tuple(reversed(SLOT_KINDS))}),
    ):
        with pytest.raises(DeploymentError, match=re.escape(name)):
            check_markets(found, contracts.addresses, replace(market_params, **change))
    elsewhere = contracts.addresses | {"staking": contracts.addresses["vault"]}
    with pytest.raises(DeploymentError, match=re.escape("resolver.staking")):
        check_markets(found, elsewhere, market_params)


def test_production_parameters_deploy(
    accounts, project, zone_params, treasury, governance, court, arbiter
):
    market_params = MarketsParams(
        treasury.address, governance.address, court.address, arbiter.address
    )
    zone = deploy_zone_admitting(accounts[9], project, zone_params)
    found = deploy_markets(accounts[9], project, zone, market_params)
    assert found["resolver"].config().silence.time == 14 * 86_400
    assert sum(terms.supply for terms in SLOT_KINDS) <= TABLE_BY_NAME["market"].capacity // 4
    for name in CONTRACTS:
        assert len(found[name].provider.get_code(found[name].address)) < 24_576


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_changes_by_the_functions_listed_here_and_no_other(slots, markets, name):
    contract = slots if name == "slots" else getattr(markets, name)
    writes = {
        abi.name
        for abi in contract.contract_type.abi
        if abi.type == "function" and abi.stateMutability not in ("view", "pure")
    }
    assert writes == set(WRITES[name])


@pytest.mark.parametrize("name", CONTRACTS)
def test_no_contract_has_an_owner_role_pause_or_upgrade(slots, markets, clock, name):
    contract = slots if name == "slots" else getattr(markets, name)
    selectors = {
        keccak(abi.selector.encode())[:4]
        for abi in contract.contract_type.abi
        if abi.type == "function"
    }
    assert not selectors & {keccak(text.encode())[:4] for text in FORBIDDEN}
    kinds = {abi.type for abi in contract.contract_type.abi}
    assert not kinds & {"fallback", "receive"}
    if name != "slots":  # what follows the code of Vyper is not laid out as Solidity's
        assert not set(opcodes(clock.code_of(contract))) & {0xF4, 0xF2, 0xFF, 0xF0, 0xF5}
