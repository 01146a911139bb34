"""Deployment: predicted addresses, parameters read back, and what no contract of custody has."""

from dataclasses import replace

import pytest

from scripts._deployment import (
    CONTRACTS,
    DeploymentError,
    ZoneParams,
    attach_zone,
    check_wiring,
    deploy_zone,
    predict_address,
)
from tradezone.protocol.hashing import keccak
from tradezone.protocol.records import TABLE_BY_NAME

CUSTODY = (
    "inbox",
    "owner_registry",
    "asset_registry",
    "vault",
    "sequencers",
    "chain",
    "judge",
    "withdrawals",
    "staking",
    "venue_registry",
    "market_registry",
    "listings",
    "calendars",
    "base_slots",
    "redirects",
    "escape",
    "forced",
)
# Functions that change something, and who may call them. Nothing else may exist.
ANYONE, OWN, PARTNER = "anyone", "the caller, for itself", "one contract of the zone"
WRITES = {
    "inbox": {"enqueue": PARTNER, "close": PARTNER},
    "owner_registry": {
        "register": ANYONE,
        "registerMany": ANYONE,
        "registerIfNew": ANYONE,
        "registerSelfAsContract": OWN,
    },
    "asset_registry": {
        "registerAsset": ANYONE,
        "registerSimulated": "the venue's deployer",
        "setFaucet": "the venue's deployer",
        "closeAsset": OWN,
    },
    "vault": {"deposit": ANYONE, "depositNative": ANYONE, "compensate": ANYONE, "pay": PARTNER},
    "sequencers": {"takeOver": "a bonded standby", "rotate": "the operator, for itself"},
    "chain": {
        "commit": "the sequencer",
        "commitWithData": "the sequencer",
        "commitMany": "the sequencer",
        "claim": "any bonded asserter",
        "finalize": ANYONE,
        "resolve": ANYONE,
        "dismiss": ANYONE,
        "freezeSilent": ANYONE,
        "freezeStalled": ANYONE,
        "freeze": ANYONE,
        "abandon": ANYONE,
        "postBond": OWN,
        "withdrawBond": OWN,
        "collect": ANYONE,
    },
    "judge": {"register": OWN, "leave": OWN, "withdrawBond": OWN, "vote": "verifiers"},
    "withdrawals": {"withdraw": ANYONE, "withdrawMany": ANYONE, "withdrawFromSelf": PARTNER},
    "staking": {
        "stake": OWN,
        "stakeFor": ANYONE,
        "lock": PARTNER,
        "requestUnbond": OWN,
        "cancelUnbond": OWN,
        "withdraw": OWN,
        "requestRelease": OWN,
        "cancelRelease": OWN,
        "release": OWN,
        "noteFinality": ANYONE,
        "lapseCase": ANYONE,
        "collect": ANYONE,
        "openCase": "the court",
        "closeCase": "the court",
        "slash": "the court",
        "delegate": OWN,
        "delegateBySig": "whoever has a signature of the account",
    },
    "venue_registry": {
        "createVenue": OWN,
        "addStake": "the venue's deployer",
        "configure": "the venue's deployer",
        "cancelChange": "the venue's deployer",
        "reduceOnly": "the venue's deployer",
        "offerVenue": "the venue's deployer",
        "acceptVenue": "whom the venue's deployer offered it",
        "windDown": "the venue's deployer",
        "applyChange": ANYONE,
        "tellStake": ANYONE,
    },
    "market_registry": {
        "openMarket": PARTNER,
        "closeMarkets": PARTNER,
        "updateMarket": "the venue's deployer",
        "setPhase": "the venue's deployer",
        "delist": "the venue's deployer",
        "setSharing": "the venue's deployer",
        "forget": ANYONE,
        "delistLost": ANYONE,
    },
    "listings": {
        "listSpot": "the venue's deployer",
        "listEvent": "the venue's deployer",
        "listGuest": "the venue's deployer",
        "resolveEvent": "the resolver",
    },
    "calendars": {"setCalendar": "the venue's deployer"},
    "base_slots": {"occupy": PARTNER, "release": PARTNER},
    "redirects": {
        "redirect": OWN,
        "redirectBySig": "whoever has a signature of the account",
    },
    "escape": {
        "exit": ANYONE,
        "exitMany": ANYONE,
        "exitFromSelf": PARTNER,
        "refund": ANYONE,
        "refundMany": ANYONE,
        "refundFromSelf": PARTNER,
    },
    "forced": {
        "submit": OWN,
        "submitBySig": "whoever has a signature of the owner",
        "prove": ANYONE,
        "reclaim": ANYONE,
        "collect": ANYONE,
    },
}
FORBIDDEN = (
    "owner()",
    "transferOwnership(address)",
    "renounceOwnership()",
    "acceptOwnership()",
    "pendingOwner()",
    "admin()",
    "changeAdmin(address)",
    "implementation()",
    "upgradeTo(address)",
    "upgradeToAndCall(address,bytes)",
    "proxiableUUID()",
    "initialize()",
    "grantRole(bytes32,address)",
    "revokeRole(bytes32,address)",
    "hasRole(bytes32,address)",
    "getRoleAdmin(bytes32)",
    "authority()",
    "setAuthority(address)",
    "pause()",
    "unpause()",
    "paused()",
    "execute(address,uint256,bytes)",
    "multicall(bytes[])",
    "sweep(address)",
    "rescue(address,uint256)",
    "emergencyWithdraw()",
)


@pytest.mark.parametrize("name", CUSTODY)
def test_a_contract_changes_by_the_functions_listed_here_and_no_other(zone, name):
    contract = getattr(zone, name)
    writes = {
        abi.name
        for abi in contract.contract_type.abi
        if abi.type == "function" and abi.stateMutability not in ("view", "pure")
    }
    assert writes == set(WRITES[name])


@pytest.mark.parametrize("name", CUSTODY)
def test_no_contract_has_an_owner_role_pause_or_upgrade(zone, name):
    contract = getattr(zone, name)
    selectors = {
        keccak(abi.selector.encode())[:4]
        for abi in contract.contract_type.abi
        if abi.type == "function"
    }
    assert not selectors & {keccak(text.encode())[:4] for text in FORBIDDEN}
    kinds = {abi.type for abi in contract.contract_type.abi}
    assert not kinds & {"fallback", "receive"}


@pytest.mark.parametrize("name", CUSTODY)
def test_no_contract_hands_its_storage_to_other_code(zone, name):
    """No DELEGATECALL, CALLCODE, SELFDESTRUCT or CREATE in the code."""
    code = bytes(zone.clock.code_of(getattr(zone, name)))
    used = set(opcodes(code))
    assert not used & {0xF4, 0xF2, 0xFF, 0xF0, 0xF5}


def opcodes(code: bytes):
    """Opcodes of runtime code, without push data and without the metadata at its end."""
    end = len(code) - 2 - int.from_bytes(code[-2:], "big")
    at = 0
    while at < end:
        yield code[at]
        at += 1 + max(0, code[at] - 0x5F if 0x60 <= code[at] <= 0x7F else 0)


def test_addresses_are_those_that_were_predicted(accounts, project):
    account = accounts[9]
    first, second = (predict_address(account.address, account.nonce + i) for i in (0, 1))
    assert account.deploy(project.PuppetJudge).address == first
    assert account.deploy(project.PuppetJudge).address == second


def test_a_zone_is_found_again_by_its_addresses(zone, project):
    found = attach_zone(project, zone.deployment.addresses)
    assert found.params == zone.params
    assert found.addresses == zone.deployment.addresses


def test_an_address_that_is_missing_is_named(zone, project):
    addresses = dict(zone.deployment.addresses)
    del addresses["judge"]
    with pytest.raises(DeploymentError, match="judge"):
        attach_zone(project, addresses)


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_of_another_zone_is_noticed(zone, paid_zone, name):
    contracts = {key: getattr(zone, key) for key in CONTRACTS}
    check_wiring(contracts)
    contracts[name] = getattr(paid_zone, name)
    with pytest.raises(DeploymentError):
        check_wiring(contracts)


def test_an_inbox_with_one_more_source_is_noticed(zone, deployer, project, alice):
    sources = [*zone.inbox.sources(), alice.address]
    kinds = [zone.inbox.kindsOf(source) or 1 << 1 for source in sources]
    contracts = {key: getattr(zone, key) for key in CONTRACTS}
    for name in CONTRACTS:  # the pointers agree, only the sources do not
        contracts[name] = getattr(zone, name)
    contracts["inbox"] = Impostor(
        zone.inbox, deployer.deploy(project.Inbox, zone.chain, sources, kinds)
    )
    with pytest.raises(DeploymentError, match="admits"):
        check_wiring(contracts)


class Impostor:
    """The address of one inbox and the sources of another."""

    def __init__(self, shown, inbox):
        self.address, self.chain = shown.address, inbox.chain
        self.sources, self.kindsOf = inbox.sources, inbox.kindsOf


def test_a_deployer_that_sends_something_else_meanwhile_is_noticed(accounts, project, params):
    class Busy:
        """An account that sends a transaction of its own after its first deployment."""

        address = accounts[9].address

        @property
        def nonce(self):
            return accounts[9].nonce

        def deploy(self, *arguments):
            instance = accounts[9].deploy(*arguments)
            accounts[9].transfer(accounts[9], 1)
            return instance

    with pytest.raises(DeploymentError, match="another transaction"):
        deploy_zone(Busy(), project, params)


def test_production_parameters_deploy(accounts, project, sequencer, protocol_owner):
    params = ZoneParams(b"\x01" * 32, sequencer.address, protocol_owner.address)
    deployment = deploy_zone(accounts[9], project, params)
    assert deployment.params == params
    assert deployment.chain.windowSeconds() == 7 * 86_400
    assert deployment.staking.unbondingSeconds() == 21 * 86_400


def test_ids_end_before_the_tables_of_the_zone_do(params):
    for parameter, table in (
        ("max_owners", "owner"),
        ("max_assets", "asset"),
        ("max_venues", "venue"),
        ("max_markets", "market"),
        ("max_events", "event_group"),
        ("max_calendars", "calendar"),
    ):
        assert getattr(params, parameter) < TABLE_BY_NAME[table].capacity


def test_local_parameters_can_be_changed_one_by_one(params):
    changed = ZoneParams.local(
        params.genesis_root, params.sequencer, params.protocol_owner, claim_stride=9
    )
    assert changed.claim_stride == 9
    assert replace(changed, claim_stride=1) == ZoneParams.local(
        params.genesis_root, params.sequencer, params.protocol_owner
    )
