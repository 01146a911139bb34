"""The contracts beside a zone: deployed, wired, read back, and working with the zone's own contracts."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from scripts._deployment import CONTRACTS as ZONE_CONTRACTS
from scripts._deployment import DeploymentError, ZoneParams, deploy_zone
from scripts._markets_deployment import (
    CONTRACTS,
    SLOT_KINDS,
    MarketsParams,
    check_markets,
    deploy_markets,
    market_sources,
    predict_markets,
)
from tests.contracts.conftest import GENESIS_ROOT, with_interface
from tests.contracts.driver import OKB, reverts
from tests.contracts.market_zone import deploy_all, deploy_zone_admitting
from tests.contracts.markets import CLOSED, EVENT, OUTCOME, SPOT, TERMS
from tests.contracts.results import details
from tests.contracts.test_deployment import FORBIDDEN, opcodes
from tradezone.protocol import messages
from tradezone.protocol.actions import unpack
from tradezone.protocol.enums import GROUP_RESOLVED
from tradezone.protocol.hashing import keccak
from tradezone.protocol.oracles import to_vector
from tradezone.protocol.records import TABLE_BY_NAME

LICENSED = 2
ANYONE, OWN = "anyone", "the caller, for itself"
REGISTRY, GOVERNANCE = "the market registry", "governance"
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
        "submitPrice": ANYONE,
        "recordIncident": ANYONE,
        "proveEquivocation": ANYONE,
        "slash": "the court",
        "collect": ANYONE,
    },
    "resolver": {
        "takeEvent": "listings",
        "callForResult": ANYONE,
        "propose": "the provider, later anyone",
        "challenge": ANYONE,
        "confirm": ANYONE,
        "decide": "the arbiter",
        "lapse": ANYONE,
        "collect": ANYONE,
    },
    "perp_rules": {},
    "perps": {
        "listPerp": DEPLOYER,
        "setParameters": DEPLOYER,
        "cancelParameters": DEPLOYER,
        "approveCross": "the approver",
        "applyParameters": ANYONE,
        "uncount": ANYONE,
    },
    "risk": {
        "openLedger": "the registry of perpetuals",
        "setShare": DEPLOYER,
        "setPrice": GOVERNANCE,
        "tell": ANYONE,
    },
    "restitution": {"give": ANYONE, "buy": ANYONE},
    "quotas": {"setQuota": GOVERNANCE},
}


@pytest.fixture
def market_params(treasury, governance, court, arbiter):
    return MarketsParams.local(treasury.address, governance.address, court.address, arbiter.address)


@pytest.fixture
def zone_params(sequencer, protocol_owner):
    return ZoneParams.local(GENESIS_ROOT, sequencer.address, protocol_owner.address)


@pytest.fixture
def contracts(accounts, project, chain, zone_params, market_params):
    """A whole zone with these contracts, by name."""
    addresses = deploy_all(accounts[9], project, zone_params, market_params)
    types = ZONE_CONTRACTS | CONTRACTS
    found = {n: getattr(project, types[n]).at(address) for n, address in addresses.items()}
    found["slots"] = with_interface(chain, found["slots"], project.ISlotAuction)
    return SimpleNamespace(**found, addresses=addresses, project=project)


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
    zone.oracles.select(1, ([1], 1, 1_000, 5_000, 50_000), sender=alice)
    stranger = {"caller": carol.address, "deployer": alice.address}
    terms = EVENT | {"venue": venue, "asset": 1}
    known = details(1, clock.time + 100, 20 * stake), market_params.open_fee
    with reverts(zone.venue_registry.NotDeployer, **stranger):
        zone.listings.listEvent(terms, known[0], sender=carol, value=known[1])
    with reverts(zone.resolver.WrongFee, sent=0, expected=known[1]):
        zone.listings.listEvent(terms, known[0], sender=alice)
    with reverts(zone.resolver.BadDetails, length=0, expected=96):
        zone.listings.listEvent(terms, b"", sender=alice, value=known[1])
    assert zone.listings.eventCount() == zone.market_registry.marketCount() == 0
    zone.listings.listEvent(terms, known[0], sender=alice, value=known[1])
    assert zone.slots.baseSlotsUsed(venue, OUTCOME) == 1
    assert zone.resolver.groupOf(1).voidVector == int.from_bytes(EVENT["voidPayouts"], "big")
    clock.pass_time(101)
    bond = zone.resolver.groupOf(1).bond
    zone.resolver.propose(1, [10_000, 0], sender=bob, value=bond)
    clock.pass_both(600, 4)
    zone.resolver.confirm(1, sender=carol)
    last = max(zone.inbox.Message.range(0, clock.block + 1), key=lambda log: log.index)
    assert (last.kind, last.sender) == (messages.RESOLUTION, zone.listings.address)
    payouts = to_vector([10_000, 0]).to_bytes(32, "big")
    assert unpack(messages.RESOLUTION_BODY, bytes(last.payload)) == {
        "group": 1,
        "state": GROUP_RESOLVED,
        "payouts": payouts,
    }
    assert zone.listings.eventOf(1).state == GROUP_RESOLVED
    assert zone.market_registry.marketOf(1).stage == CLOSED
    assert zone.slots.baseSlotsUsed(venue, OUTCOME) == 0
    assert zone.oracles.domainSeparator() == zone.chain.domainSeparator()


def test_licences_hold_what_base_slots_do_not(contracts, alice, clock):
    """The auction as the zone's slots: bought, occupied by a listing, lost while a market stands on it."""
    zone = contracts
    token = alice.deploy(zone.project.TestToken, "T", "T", 6)
    zone.asset_registry.registerAsset(
        token, 1, 10**14, sender=alice, value=zone.asset_registry.bond()
    )
    zone.staking.stake(sender=alice, value=zone.venue_registry.venueStake())
    venue = zone.venue_registry.createVenue("whole", 0, sender=alice).return_value
    terms = TERMS | {"venue": venue, "base": 2, "quote": 1}
    base = zone.slots.kindTerms(SPOT).baseSlots
    for _ in range(base):
        zone.listings.listSpot(terms, sender=alice)
    with reverts(zone.slots.NoFreeSlot, venue=venue, kind=SPOT):
        zone.listings.listSpot(terms, sender=alice)
    price = 10**24
    zone.slots.buy(venue, SPOT, price, sender=alice, value=1_000 * OKB)
    market = zone.listings.listSpot(terms, sender=alice).return_value
    assert market == base + 1
    slot = zone.slots.slotOf(market)
    assert (slot.state, slot.kind, slot.venue, slot.licence) == (LICENSED, SPOT, venue, 1)
    with reverts(zone.market_registry.SlotNotLost, market=market):
        zone.market_registry.delistLost(market, sender=alice)
    clock.pass_time(400 * 86_400)
    zone.slots.reclaim(1, sender=alice)
    zone.market_registry.delistLost(market, sender=alice)
    clock.pass_time(8 * 86_400)
    zone.market_registry.forget(market, sender=alice)
    assert zone.slots.slotOf(market).state == 0
    assert zone.slots.baseSlotsUsed(venue, SPOT) == base


def test_a_zone_that_asks_other_contracts_is_refused(accounts, project, zone_params, market_params):
    deployer = accounts[9]
    then = deployer.nonce + len(ZONE_CONTRACTS)
    beside = market_sources(deployer.address, then)
    at = predict_markets(deployer.address, then)
    params = replace(zone_params, auction=at["slots"])
    zone = deploy_zone(deployer, project, params, beside)
    with pytest.raises(DeploymentError, match="listings: resolver is 0x0000"):
        deploy_markets(deployer, project, zone.addresses, market_params)
    assert deployer.nonce == then


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
        ("perps.approver", {"arbiter": market_params.treasury}),
        ("risk.limits", {"limits": market_params.treasury}),
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
def test_a_contract_changes_by_the_functions_listed_here_and_no_other(slots, trust, name):
    contract = slots if name == "slots" else getattr(trust, name)
    writes = {
        abi.name
        for abi in contract.contract_type.abi
        if abi.type == "function" and abi.stateMutability not in ("view", "pure")
    }
    assert writes == set(WRITES[name])


@pytest.mark.parametrize("name", CONTRACTS)
def test_no_contract_has_an_owner_role_pause_or_upgrade(slots, trust, clock, name):
    contract = slots if name == "slots" else getattr(trust, name)
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
