"""A deployed zone for every test; Ape rolls the chain back between them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from scripts._court_deployment import deploy_court, predict_court
from scripts._deployment import NOBODY, ZoneParams, deploy_zone, predict_address
from scripts._governance import (
    GovernanceParams,
    deploy_governance,
    predict_brake,
    predict_limits,
)
from scripts._markets_deployment import LICENCE_TERMS as LICENCES
from scripts._markets_deployment import (
    SLOT_KINDS,
    MarketsParams,
    Period,
    oracle_config,
    resolver_config,
)
from scripts._trust import TrustParams, deploy_trust
from tests.contracts.courtroom import COURT_PARAMS, CourtZone
from tests.contracts.driver import DAY, OKB, Clock, Zone, root_named
from tests.contracts.governed import BLOCKS_PER_DAY, GovernedZone, TrustZone
from tests.contracts.markets import TERMS, stake_for_venues

GENESIS_ROOT = root_named("genesis")
# Deadlines long enough that the wall clock of a slow machine never reaches them.
TEST_DEADLINES = {
    "claim_stride": 2,
    "window_seconds": 7 * DAY,
    "window_blocks": 20,
    "judge_seconds": 15 * DAY,
    "judge_blocks": 40,
    "takeover_seconds": 3_600,
    "takeover_blocks": 3,
    "open_seconds": DAY,
    "open_blocks": 12,
    "silence_seconds": 3 * DAY,
    "silence_blocks": 30,
    "stall_seconds": 30 * DAY,
    "stall_blocks": 80,
    "closing_seconds": 30 * DAY,
    "closing_blocks": 90,
    "verifier_unbonding_seconds": 15 * DAY,
    "verifier_unbonding_blocks": 40,
    "unbonding_seconds": 21 * DAY,
    "unbonding_blocks": 50,
    "case_seconds": 21 * DAY,
    "case_blocks": 50,
    "change_notice": 3 * DAY,
    "close_notice": 7 * DAY,
}


@pytest.fixture(scope="session")
def deployer(accounts):
    return accounts[0]


@pytest.fixture(scope="session")
def sequencer(accounts):
    return accounts[1]


@pytest.fixture(scope="session")
def protocol_owner(accounts):
    return accounts[2]


@pytest.fixture(scope="session")
def asserter(accounts):
    return accounts[3]


@pytest.fixture(scope="session")
def rival(accounts):
    return accounts[4]


@pytest.fixture(scope="session")
def third(accounts):
    return accounts[5]


@pytest.fixture(scope="session")
def alice(accounts):
    return accounts[6]


@pytest.fixture(scope="session")
def bob(accounts):
    return accounts[7]


@pytest.fixture(scope="session")
def carol(accounts):
    return accounts[8]


@pytest.fixture(scope="session")
def verifiers(accounts):
    return [accounts[i] for i in range(10, 15)]


@pytest.fixture(scope="session")
def clock(chain):
    return Clock(chain)


@pytest.fixture(scope="session")
def puppet_resolver(deployer, project):
    return deployer.deploy(project.PuppetResolver)


@pytest.fixture(scope="session")
def params(sequencer, protocol_owner, puppet_resolver):
    return ZoneParams.local(
        GENESIS_ROOT,
        sequencer.address,
        protocol_owner.address,
        resolver=puppet_resolver.address,
        **TEST_DEADLINES,
    )


@pytest.fixture(scope="session")
def zone(deployer, project, chain, accounts, params):
    return Zone(deploy_zone(deployer, project, params), chain, accounts)


@pytest.fixture(scope="session")
def paid_zone(deployer, project, chain, accounts, sequencer, protocol_owner):
    """A zone whose registrations cost something."""
    params = ZoneParams.local(
        GENESIS_ROOT,
        sequencer.address,
        protocol_owner.address,
        registration_fee=OKB // 100,
        **TEST_DEADLINES,
    )
    return Zone(deploy_zone(deployer, project, params), chain, accounts)


@pytest.fixture(scope="session")
def governance_params(accounts):
    return GovernanceParams.local(
        guardians=tuple(accounts[i].address for i in range(10, 17)),
        council=tuple(accounts[i].address for i in range(10, 19)),
        quorum_floor=OKB,
        blocks_per_day=BLOCKS_PER_DAY,
        weights=((1, 10**12), (2, 5 * 10**11)),
    )


@pytest.fixture(scope="session")
def governed(deployer, project, chain, accounts, params, governance_params):
    """A zone with governance and a court that the tests play."""
    params = replace(
        params,
        brake=predict_brake(deployer),
        limits=predict_limits(deployer),
        court=accounts[19].address,
    )
    zone = deploy_zone(deployer, project, params)
    governance = deploy_governance(deployer, project, zone, governance_params)
    return GovernedZone(zone, governance, chain, accounts)


@pytest.fixture(scope="session")
def trust(deployer, project, chain, accounts, params, governance_params):
    """A whole root of trust, as ``ape run deploy zone --governed`` makes it."""
    made = replace(TrustParams.local(params, governance_params), court=COURT_PARAMS)
    return TrustZone(deploy_trust(deployer, project, made), chain, accounts)


@pytest.fixture(scope="session")
def judged(deployer, project, chain, accounts, params):
    """A zone with a slashing court; the treasury is an account."""
    params = replace(params, court=predict_court(deployer))
    zone = deploy_zone(deployer, project, params)
    court_params = replace(COURT_PARAMS, treasury=accounts[18].address)
    return CourtZone(zone, deploy_court(deployer, project, zone, court_params), chain, accounts)


@pytest.fixture(scope="session")
def core(deployer, project, accounts):
    """Inbox, registries and vault alone: the tests play state chain, venues and withdrawals.

    Two owners and three assets fit beside the protocol owner and the native coin.
    """
    start = deployer.nonce
    inbox, owners, assets, vault = (predict_address(deployer.address, start + i) for i in range(4))
    stranger, chain_account, withdrawals = accounts[15], accounts[16], accounts[17]
    contracts = SimpleNamespace(
        inbox=deployer.deploy(
            project.Inbox,
            chain_account,
            [owners, assets, vault, chain_account],
            [1 << 2, 1 << 4, 1 << 1, 1 << 3 | 1 << 255],
        ),
        owner_registry=deployer.deploy(project.OwnerRegistry, inbox, accounts[2], 0, 3),
        asset_registry=deployer.deploy(
            project.AssetRegistry, inbox, vault, NOBODY, OKB, OKB // 10, 4, 10**9
        ),
        vault=deployer.deploy(
            project.CustodyVault, inbox, owners, assets, withdrawals, accounts[18], NOBODY, NOBODY
        ),
        chain_account=chain_account,
        withdrawals=withdrawals,
        escape=accounts[18],
        stranger=stranger,
    )
    assert contracts.vault.address == vault
    return contracts


@pytest.fixture(scope="session")
def puppet_zone(zone, deployer, project, chain, accounts, params):
    """Inbox and state chain alone, stride 1, with a judge that rules what a test tells it to."""
    params = replace(
        params,
        claim_stride=1,
        window_seconds=100,
        window_blocks=5,
        judge_seconds=300,
        judge_blocks=9,
    )
    judge = deployer.deploy(project.PuppetJudge)
    chain_address = predict_address(deployer.address, deployer.nonce + 1)
    inbox = deployer.deploy(project.Inbox, chain_address, [chain_address], [1 << 3])
    state_chain = deployer.deploy(
        project.StateChain,
        {
            "inbox": inbox.address,
            "sequencers": zone.sequencers.address,
            "judge": judge.address,
            "sink": params.sink,
            "genesisRoot": params.genesis_root,
            "inboxLag": params.inbox_lag,
            "claimStride": params.claim_stride,
            "windowSeconds": params.window_seconds,
            "windowBlocks": params.window_blocks,
            "judgeSeconds": params.judge_seconds,
            "judgeBlocks": params.judge_blocks,
            "silenceSeconds": params.silence_seconds,
            "silenceBlocks": params.silence_blocks,
            "stallSeconds": params.stall_seconds,
            "stallBlocks": params.stall_blocks,
            "closingSeconds": params.closing_seconds,
            "closingBlocks": params.closing_blocks,
            "bond": params.claim_bond,
        },
    )
    puppet = Zone(zone.deployment, chain, accounts)
    puppet.inbox, puppet.chain, puppet.judge, puppet.params = inbox, state_chain, judge, params
    return puppet


@pytest.fixture(scope="session")
def token(zone, deployer, project):
    """A token with 6 decimals, asset 2: one unit is one atom."""
    token = deployer.deploy(project.TestToken, "Test dollar", "TUSD", 6)
    register(zone, deployer, token)
    return token


@pytest.fixture(scope="session")
def coarse_token(zone, deployer, project, token):
    """A token with 18 decimals, asset 3: 10^12 units are one atom."""
    coarse = deployer.deploy(project.TestToken, "Test coin", "TCOIN", 18)
    register(zone, deployer, coarse, quantum=10**12)
    return coarse


@pytest.fixture(scope="session", autouse=True)
def _everything_is_there_first(
    deployer,
    sequencer,
    protocol_owner,
    asserter,
    rival,
    third,
    alice,
    bob,
    carol,
    verifiers,
    clock,
    zone,
    paid_zone,
    core,
    token,
    coarse_token,
    puppet_zone,
    governed,
    puppet_venues,
    slots,
    around_markets,
    judged,
    trust,
):
    """Every fixture of the session: one that came up later would make Ape rebuild its snapshots, and a
    test would find what an earlier one left."""


def with_interface(chain, deployed, interface):
    """A Vyper contract under its interface, which names the custom errors that Vyper cannot."""
    return chain.contracts.instance_at(
        deployed.address,
        contract_type=interface.contract_type,
        fetch_from_explorer=False,
        detect_proxy=False,
        replace=True,
    )


@pytest.fixture
def resolver(puppet_resolver):
    """Resolves the events of `zone` as the tests say."""
    return puppet_resolver


@pytest.fixture
def venue(zone, token, coarse_token, alice):
    """A venue of alice, the first."""
    stake_for_venues(zone, alice)
    return zone.venue_registry.createVenue("first-venue", 0, sender=alice).return_value


@pytest.fixture
def market(zone, venue, alice):
    """A spot market of that venue."""
    return zone.listings.listSpot(TERMS, sender=alice).return_value


def register(zone, registrant, token, quantum=1, cap=10**15) -> int:
    """Register a token and return its asset id."""
    zone.asset_registry.registerAsset(
        token, quantum, cap, sender=registrant, value=zone.params.asset_bond
    )
    return zone.asset_registry.count()


def fund(zone, token, account, amount):
    """Give an account tokens that the vault may take."""
    token.mint(account, amount, sender=account)
    token.approve(zone.vault, amount, sender=account)


# --- slots, oracles, outcomes ------------------------------------------------------------------------


# Parties of slots, oracles and outcomes: places among the accounts. What is deployed for a whole session
# takes them from here, because tests of other contracts have fixtures of these names.
ARBITER, COURT, TREASURY, GOVERNANCE = 16, 17, 18, 19


@pytest.fixture
def treasury(accounts):
    return accounts[TREASURY]


@pytest.fixture
def governance(accounts):
    return accounts[GOVERNANCE]


@pytest.fixture(scope="session")
def puppet_venues(deployer, project):
    """Venues whose deployers, stake and listings are as a test says."""
    return deployer.deploy(project.PuppetVenues)


@pytest.fixture(scope="session")
def slots(deployer, project, chain, accounts, puppet_venues):
    """The slot auction on puppet venues, with the parameters of production."""
    deployed = deployer.deploy(
        project.SlotAuction,
        puppet_venues,
        accounts[TREASURY],
        accounts[GOVERNANCE],
        [terms.to_abi() for terms in SLOT_KINDS],
        [terms.first_price for terms in SLOT_KINDS],
        LICENCES.to_abi(),
    )
    return with_interface(chain, deployed, project.ISlotAuction)


@pytest.fixture
def court(accounts):
    return accounts[COURT]


@pytest.fixture
def arbiter(accounts):
    return accounts[ARBITER]


@pytest.fixture(scope="session")
def around_markets(zone, deployer, project, accounts, puppet_venues):
    """Oracles and resolver on an inbox of their own, with puppet venues and listings and the zone's final roots.

    ``chain_account`` closes the inbox as a frozen chain does.
    """
    params = MarketsParams(
        treasury=accounts[TREASURY].address,
        governance=accounts[GOVERNANCE].address,
        court=accounts[COURT].address,
        arbiter=accounts[ARBITER].address,
        provider_unbonding=Period(21 * DAY, 40),
        case=Period(21 * DAY, 30),
        window_min=Period(7_200, 10),
        window_max=Period(172_800, 30),
        provider_time=Period(DAY, 10),
        arbiter_time=Period(7 * DAY, 20),
        silence=Period(14 * DAY, 30),
        max_feeds=70,
        max_open=8,
    )
    at = [predict_address(deployer.address, deployer.nonce + i) for i in (1, 2, 3)]
    chain_account = accounts[15]
    inbox = deployer.deploy(project.Inbox, chain_account, [at[0], at[2]], [3 << 32, 1 << 34])
    addresses = {
        "inbox": inbox.address,
        "chain": zone.chain.address,
        "venue_registry": puppet_venues.address,
        "staking": puppet_venues.address,
        "listings": at[2],
    }
    oracles = deployer.deploy(project.OracleRegistry, oracle_config(addresses, params))
    resolver = deployer.deploy(
        project.OutcomeResolver, resolver_config(addresses, oracles.address, params)
    )
    listings = deployer.deploy(project.PuppetListings, inbox, resolver)
    assert [oracles.address, resolver.address, listings.address] == at
    return SimpleNamespace(
        inbox=inbox,
        listings=listings,
        oracles=oracles,
        resolver=resolver,
        params=params,
        addresses=addresses,
        chain_account=chain_account,
    )


@pytest.fixture
def markets(around_markets):
    return around_markets
