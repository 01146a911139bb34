"""A deployed zone for every test; Ape rolls the chain back between them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from scripts._deployment import NOBODY, ZoneParams, deploy_zone, predict_address
from scripts._governance import (
    GovernanceParams,
    deploy_governance,
    predict_brake,
    predict_limits,
)
from tests.contracts.driver import DAY, OKB, Clock, Zone, root_named
from tests.contracts.governed import BLOCKS_PER_DAY, GovernedZone
from tests.contracts.markets import TERMS, stake_for_venues

GENESIS_ROOT = root_named("genesis")
# Deadlines long enough that the wall clock of a slow machine never reaches them.
TEST_DEADLINES = {
    "claim_stride": 2,
    "window_seconds": 7 * DAY,
    "window_blocks": 20,
    "judge_seconds": 15 * DAY,
    "judge_blocks": 40,
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
def resolver(deployer, project):
    """Resolves events as the tests say."""
    return deployer.deploy(project.PuppetResolver)


@pytest.fixture(scope="session")
def params(sequencer, protocol_owner, resolver):
    return ZoneParams.local(
        GENESIS_ROOT,
        sequencer.address,
        protocol_owner.address,
        resolver=resolver.address,
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
        vault=deployer.deploy(project.CustodyVault, inbox, owners, assets, withdrawals, NOBODY),
        chain_account=chain_account,
        withdrawals=withdrawals,
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
def _everything_is_deployed_first(
    zone, paid_zone, core, token, coarse_token, puppet_zone, governed
):
    """A contract that were deployed between two tests would make Ape rebuild its snapshots."""


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
