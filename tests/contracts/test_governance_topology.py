"""Who reaches what: every function of a governed zone's contracts that changes anything, tried by everybody.

Three layers. The code: each function is called as each actor, and only those named here get past its
check. The Charter: what a timelock may call and what it can be made to call are compared. The history:
every role that was ever granted is replayed from the events, and nothing is left with the deployer.
"""

import pytest

from scripts._deployment import NOBODY as ZERO
from scripts._deployment import DeploymentError
from scripts._governance import CLASSES, CONTRACTS, ROLES, check_governance, selector_of
from scripts._trust import attach_trust, check_trust
from tests.contracts.driver import OKB, attempt
from tests.contracts.governed import impersonate
from tests.contracts.markets import EVENT, NO_CLOSURES, PARAMETERS, PERP, WEEK
from tests.contracts.results import details
from tests.contracts.test_boards import list_market
from tests.contracts.test_deployment import FORBIDDEN, opcodes
from tradezone.chain.deployment import BESIDE_NAMES
from tradezone.protocol.hashing import keccak

# Who gets past the check of a function: an actor by name, or one of these.
ANYONE = "anyone"  # what it does is the caller's own, or the same whoever calls
NOBODY = "nobody"
MEMBERS = "members"
VENUE_DEPLOYER, PROVIDER, ACCUSED = "venue_deployer", "provider", "accused"
LISTED_PERP = 2  # the market that the scene lists second
CONSTITUTIONAL = "constitutional_timelock"
ORDINARY, CORE, PARAMETER = "ordinary_timelock", "core_timelock", "parameter_timelock"
MANAGED = {"setAuthority": "authority"}  # which does it in updateAuthority only
BOARD = MANAGED | {"setMembers": ORDINARY}
WRITES = {
    "authority": {
        "grantRole": CONSTITUTIONAL,
        "revokeRole": CONSTITUTIONAL,
        "setTargetFunctionRole": CONSTITUTIONAL,
        "labelRole": CONSTITUTIONAL,
        "setRoleAdmin": CONSTITUTIONAL,
        "setRoleGuardian": CONSTITUTIONAL,
        "setGrantDelay": CONSTITUTIONAL,
        "setTargetAdminDelay": CONSTITUTIONAL,
        "setTargetClosed": CONSTITUTIONAL,
        "updateAuthority": CONSTITUTIONAL,
        "execute": PARAMETER,  # as tried here, on ProtocolLimits.set
        "schedule": NOBODY,  # for members with a delay, and nobody has one
        "consumeScheduledOp": NOBODY,
        "cancel": NOBODY,  # nothing is scheduled
        "renounceRole": ANYONE,
        "multicall": ANYONE,  # its own functions, as the caller
    },
    "limits": MANAGED | {"set": PARAMETER},
    "charter": MANAGED | {"allow": CONSTITUTIONAL, "forbid": CONSTITUTIONAL},
    "treasury": MANAGED | {"openStream": ORDINARY, "closeStream": ORDINARY, "collect": ANYONE},
    "releases": MANAGED | {"endorse": CORE, "retire": CORE},
    "chamber": MANAGED | {"setWeight": CORE, "open": ANYONE, "proveAssets": ANYONE, "veto": ANYONE},
    "brake": BOARD | {"arm": ORDINARY, "pull": MEMBERS, "release": MEMBERS},
    "council": BOARD
    | {"declare": MEMBERS, "lift": MEMBERS, "cancelProposal": MEMBERS, "object": ANYONE},
    **{
        f"{kind}_timelock": {
            "schedule": f"{kind}_governor",
            "scheduleBatch": f"{kind}_governor",
            "execute": f"{kind}_governor",
            "executeBatch": f"{kind}_governor",
            "cancel": f"{kind}_governor",
            "updateDelay": f"{kind}_timelock",
            "grantRole": f"{kind}_timelock",
            "revokeRole": f"{kind}_timelock",
            "renounceRole": ANYONE,
            "onERC721Received": ANYONE,
            "onERC1155Received": ANYONE,
            "onERC1155BatchReceived": ANYONE,
        }
        for kind in CLASSES
    },
    **{
        f"{kind}_governor": {
            "propose": ANYONE,
            "queue": ANYONE,
            "execute": ANYONE,
            "cancel": ANYONE,  # who may cancel what: test_proposals
            "castVote": ANYONE,
            "castVoteWithReason": ANYONE,
            "castVoteWithReasonAndParams": ANYONE,
            "castVoteBySig": ANYONE,
            "castVoteWithReasonAndParamsBySig": ANYONE,
            "relay": NOBODY,
            "updateTimelock": NOBODY,
            "onERC721Received": NOBODY,
            "onERC1155Received": NOBODY,
            "onERC1155BatchReceived": NOBODY,
        }
        for kind in CLASSES
    },
    "staking": {
        "stake": ANYONE,
        "stakeFor": ANYONE,
        "requestUnbond": ANYONE,
        "cancelUnbond": ANYONE,
        "withdraw": ANYONE,
        "requestRelease": ANYONE,
        "cancelRelease": ANYONE,
        "release": ANYONE,
        "noteFinality": ANYONE,
        "lapseCase": ANYONE,
        "collect": ANYONE,
        "delegate": ANYONE,
        "delegateBySig": ANYONE,
        "lock": "venue_registry",
        "openCase": "court",
        "closeCase": "court",
        "slash": "court",
    },
    "venue_registry": {
        "createVenue": ANYONE,
        "addStake": VENUE_DEPLOYER,
        "configure": VENUE_DEPLOYER,
        "cancelChange": VENUE_DEPLOYER,
        "reduceOnly": VENUE_DEPLOYER,
        "offerVenue": VENUE_DEPLOYER,
        "acceptVenue": "stranger",  # whom the scene offers it
        "windDown": VENUE_DEPLOYER,
        "applyChange": ANYONE,
        "tellStake": ANYONE,
    },
    "asset_registry": {
        "registerAsset": ANYONE,
        "registerSimulated": VENUE_DEPLOYER,
        "setFaucet": VENUE_DEPLOYER,
        "closeAsset": VENUE_DEPLOYER,  # who registered the asset
    },
    "market_registry": {
        "openMarket": ("listings", "perps"),
        "closeMarkets": "listings",
        "updateMarket": VENUE_DEPLOYER,
        "setPhase": VENUE_DEPLOYER,
        "delist": VENUE_DEPLOYER,
        "delistLost": ANYONE,
        "setSharing": VENUE_DEPLOYER,
        "forget": ANYONE,
    },
    "listings": {
        "listSpot": VENUE_DEPLOYER,
        "listEvent": VENUE_DEPLOYER,
        "listGuest": VENUE_DEPLOYER,
        "resolveEvent": "resolver",
    },
    "calendars": {"setCalendar": VENUE_DEPLOYER},
    "base_slots": {"occupy": "market_registry", "release": "market_registry"},
    "slots": {
        "buy": VENUE_DEPLOYER,
        "renew": ANYONE,
        "reclaim": ANYONE,
        "collectRefund": ANYONE,
        "collectProceeds": ANYONE,
        "occupy": "market_registry",
        "release": "market_registry",
        "setKindTerms": PARAMETER,
        "setLicenceTerms": PARAMETER,
    },
    "oracles": {
        "register": ANYONE,
        "rotate": PROVIDER,
        "setMetadata": PROVIDER,
        "offer": PROVIDER,
        "retract": PROVIDER,
        "topUp": ANYONE,
        "exit": PROVIDER,
        "withdrawBond": PROVIDER,
        "openFeed": VENUE_DEPLOYER,
        "select": VENUE_DEPLOYER,
        "announce": ANYONE,
        "submitPrice": ANYONE,
        "recordIncident": ANYONE,
        "proveEquivocation": ANYONE,
        "slash": ORDINARY,
        "collect": ANYONE,
    },
    "resolver": {
        "takeEvent": "listings",
        "callForResult": ANYONE,
        "propose": PROVIDER,
        "challenge": ANYONE,
        "confirm": ANYONE,
        "decide": ORDINARY,
        "lapse": ANYONE,
        "collect": ANYONE,
    },
    "perp_rules": {},
    "perps": {
        "listPerp": VENUE_DEPLOYER,
        "setParameters": VENUE_DEPLOYER,
        "cancelParameters": VENUE_DEPLOYER,
        "approveCross": ORDINARY,
        "applyParameters": ANYONE,
        "uncount": ANYONE,
    },
    "risk": {
        "openLedger": "perps",
        "setShare": VENUE_DEPLOYER,
        "setPrice": PARAMETER,
        "tell": ANYONE,
    },
    "restitution": {"give": ANYONE, "buy": ANYONE},
    "quotas": {"setQuota": PARAMETER},
    "double_head": {},
    "court": {
        "prove": ANYONE,
        "accuse": ANYONE,
        "respond": ACCUSED,
        "commitVote": ANYONE,  # counts by stake
        "revealVote": ANYONE,
        "appeal": ANYONE,  # parties, in its phase: test_slashing_court
        "rule": ANYONE,
        "openPool": ANYONE,
        "claimHarm": ANYONE,
        "compensate": ANYONE,
        "sweep": ANYONE,
        "collect": ANYONE,
    },
    "attestation": {},
    **{
        name: {
            "register": ANYONE,  # for itself, as the rest of a member's
            "rotate": ANYONE,
            "topUp": ANYONE,
            "leave": ANYONE,
            "withdraw": ANYONE,
            "prove": ANYONE,
            "rule": ANYONE,
            "slash": ORDINARY,
            "collect": ANYONE,
        }
        for name in ("sequencer_register", "verifier_register")
    },
}
IS_REFUSAL = {
    keccak(text)[:4]
    for text in (
        b"AccessManagedUnauthorized(address)",
        b"AccessManagerUnauthorizedAccount(address,uint64)",
        b"AccessManagerUnauthorizedCall(address,address,bytes4)",
        b"AccessControlUnauthorizedAccount(address,bytes32)",
        b"TimelockUnauthorizedCaller(address)",
        b"NotMember(address)",
        b"NotVenueRegistry(address,address)",
        b"NotCourt(address,address)",
        b"NotGovernance(address,address)",
        b"NotDeployer(address,address)",
        b"NotRegistrant(address,address)",
        b"NotOffered(uint32,address)",
        b"NotListings(address,address)",
        b"NotResolver(address,address)",
        b"NotProvider(address,address)",
        b"ProviderFirst(uint32,address)",
        b"NotArbiter(address,address)",
        b"NotAccused(address,address)",
        b"NotApprover(address,address)",
        b"NotPerps(address,address)",
    )
}
OF_THE_ZONE = (
    "staking",
    "venue_registry",
    "asset_registry",
    "market_registry",
    "listings",
    "calendars",
    "base_slots",
)
NAMES = [*CONTRACTS, *OF_THE_ZONE, *BESIDE_NAMES]


@pytest.fixture
def scene(trust, accounts, project):
    """Somebody in every part: a venue with a feed and an event that is due, a provider, an accused."""
    deployer, provider, accuser = accounts[6], accounts[9], accounts[5]
    oracles, fee = trust.oracles, trust.resolver.config().openFee
    list_market(trust, deployer, project)
    trust.venue_registry.offerVenue(1, accounts[8], sender=deployer)
    trust.asset_registry.registerSimulated(
        1, "PLAY", 2, 10**12, sender=deployer, value=trust.params.asset_bond
    )
    oracles.register(provider, bytes(32), "", sender=provider, value=oracles.config().bond)
    oracles.openFeed(1, 8, bytes(32), sender=deployer)
    oracles.offer(1, 1, sender=provider)
    assert trust.perps.listPerp(PERP, sender=deployer).return_value == LISTED_PERP
    due = trust.clock.time + 60  # a busy machine takes seconds between two transactions
    trust.listings.listEvent(EVENT, details(1, due, OKB), sender=deployer, value=fee)
    trust.clock.pass_time(70)
    trust.staking.stake(sender=accounts[7], value=100 * OKB)
    bond = 100 * OKB
    accusation = (accounts[7], 0, 3, 40, 0, bytes(31) + b"\x01")
    receipt = trust.court.accuse(accusation, "", sender=accuser, value=bond)
    return bytes(trust.court.Accused.from_receipt(receipt)[0].caseId)


@pytest.fixture
def actors(trust, accounts):
    """Everybody: people, parties with a part to play, and every contract."""
    people = {
        "deployer": trust.deployer,
        "stranger": accounts[8],
        "sequencer": trust.sequencer,
        "guardian": accounts[10],  # of both boards
        "councillor": accounts[17],  # of the council only
        VENUE_DEPLOYER: accounts[6],
        PROVIDER: accounts[9],
        ACCUSED: accounts[7],
    }
    contracts = {name: getattr(trust, name) for name in (*CONTRACTS, *BESIDE_NAMES)}
    zone = {name: getattr(trust, name) for name in trust.deployment.addresses}
    return people | contracts | zone


def writes_of(contract):
    return [
        abi
        for abi in contract.contract_type.abi
        if abi.type == "function" and abi.stateMutability not in ("view", "pure")
    ]


def sample(trust, name, abi, case):
    """Arguments of the right types: zero, or what lets a call come as far as its check."""
    if abi.name in FIRST.get(name, ()):
        head, *rest = abi.inputs
        number = (1, *zero(head)[1:]) if head.type == "tuple" else 1
        return (number, *(zero(item) for item in rest))
    setting = trust.limits.set.encode_input(1, 25)
    special = {
        ("authority", "execute"): (trust.limits, setting),
        ("authority", "schedule"): (trust.limits, setting, 2**47),
        ("authority", "cancel"): (trust.deployer, trust.limits, setting),
        ("council", "cancelProposal"): (trust.ordinary_governor, [], [], [], bytes(32), ""),
        ("council", "declare"): (1, 1, 0, bytes(32)),
        ("slots", "buy"): (1, 1, 0),
        ("perps", "approveCross"): (LISTED_PERP, 0),
        ("perps", "cancelParameters"): (LISTED_PERP,),
        ("perps", "setParameters"): (LISTED_PERP, PARAMETERS),
        ("listings", "resolveEvent"): (1, 3, bytes(32)),
        ("asset_registry", "registerSimulated"): (1, "MORE", 2, 10**12),
        ("asset_registry", "setFaucet"): (4, (0, 0)),
        ("asset_registry", "closeAsset"): (2,),
        ("calendars", "setCalendar"): (0, 1, WEEK, NO_CLOSURES),
        ("resolver", "propose"): (1, [10_000, 0]),
        ("court", "respond"): (case, bytes(32), ""),
    }
    return special.get((name, abi.name)) or tuple(zero(item) for item in abi.inputs)


def zero(item):
    kind = item.type
    if kind.endswith("]"):
        inner, _, count = kind[:-1].rpartition("[")
        return [zero(item.model_copy(update={"type": inner}))] * int(count or 0)
    if kind == "tuple":
        return tuple(zero(part) for part in item.components)
    if kind.startswith("bytes"):
        return bytes(int(kind[5:] or 0))
    return {"address": ZERO, "bool": False, "string": ""}.get(kind, 0)


FIRST = {
    "perps": ("listPerp",),
    "risk": ("setShare",),
    "oracles": (
        *("rotate", "setMetadata", "offer", "retract", "exit", "withdrawBond"),
        *("openFeed", "select"),
    ),
    "venue_registry": set(WRITES["venue_registry"]) - {"createVenue"},
    "market_registry": set(WRITES["market_registry"]) - {"openMarket"},
    "listings": ("listSpot", "listEvent", "listGuest"),
}
"""Functions about a provider, venue, feed or market, or terms that begin with one: the first of its kind."""


def encode(trust, name, abi, case):
    contract = getattr(trust, name)
    if abi.name == "delegate":  # an Ape contract has an attribute of that name
        return keccak(b"delegate(address)")[:4] + bytes(32)
    return bytes(getattr(contract, abi.name).encode_input(*sample(trust, name, abi, case)))


@pytest.mark.parametrize("name", NAMES)
def test_a_contract_changes_by_the_functions_listed_here_and_no_other(trust, name):
    assert {abi.name for abi in writes_of(getattr(trust, name))} == set(WRITES[name])


@pytest.mark.parametrize("name", NAMES)
def test_each_function_lets_in_whom_the_list_names_and_nobody_else(
    trust,
    actors,
    scene,
    name,
    accounts,
):
    if (
        name == "brake"
    ):  # `release` asks who calls only while the door is closed, `pull` while armed
        for guardian in accounts[10:12]:
            trust.brake.pull(bytes(31) + b"\x01", sender=guardian)
    contract = getattr(trust, name)
    for abi in writes_of(contract):
        if (name, abi.name) == ("brake", "release"):
            trust.brake.pull(bytes(31) + b"\x01", sender=accounts[12])
        if (name, abi.name) == ("council", "lift"):
            for member in accounts[10:15]:
                trust.council.declare(1, 1, 0, bytes(31) + b"\x02", sender=member)
        call, allowed = encode(trust, name, abi, scene), WRITES[name][abi.name]
        if (name, abi.name) == ("council", "lift"):
            call = bytes(trust.council.lift.encode_input(1, bytes(32)))
        for who, actor in actors.items():
            is_done, data = attempt(contract, call, actor)
            was_refused = not is_done and data[:4] in IS_REFUSAL
            where = f"{name}.{abi.name} as {who}: {data[:4].hex()}"
            if allowed == NOBODY:
                assert not is_done, where
            elif allowed == ANYONE:
                assert not was_refused, where
            elif allowed == MEMBERS:
                is_member = who == "guardian" or (who, name) == ("councillor", "council")
                assert was_refused != is_member, where
            else:
                named = allowed if isinstance(allowed, tuple) else (allowed,)
                assert was_refused == (who not in named), where


# --- the Charter: what timelocks can be made to call


def test_a_class_reaches_its_list_and_nothing_else(trust):
    """Of all functions that change anything, each is on one class's list or on none."""
    reached = {}
    for name in NAMES:
        contract = getattr(trust, name)
        for abi in writes_of(contract):
            selector = keccak(abi.selector.encode())[:4]
            for kind, number in CLASSES.items():
                if trust.charter.isAllowed(number, contract, selector):
                    reached.setdefault((name, abi.name), []).append(kind)
    assert reached == {
        (contract, function): [kind]
        for kind, powers in trust.governance.powers.items()
        for contract, functions in powers.items()
        for function in functions
    }
    for (name, function), (kind,) in reached.items():
        assert WRITES[name][function] == f"{kind}_timelock"


def test_nothing_on_any_list_belongs_to_custody_or_shortens_a_delay(trust):
    out_of_reach = {getattr(trust, name).address for name in trust.deployment.addresses} | {
        getattr(trust, f"{kind}_{part}").address
        for kind in CLASSES
        for part in ("timelock", "governor")
    }
    out_of_reach |= {trust.court.address, trust.double_head.address, trust.attestation.address}
    for number in CLASSES.values():
        assert not {entry.target for entry in trust.charter.listOf(number)} & out_of_reach
    assert all(trust.charter.isUntouchable(address) for address in out_of_reach)


# --- the history: who was given what


def test_every_role_ever_granted_is_where_it_belongs(trust):
    held = replay(trust.authority, "roleId")
    assert held == {(role, trust.governance.timelock(kind).address) for kind, role in ROLES.items()}
    for kind in CLASSES:
        timelock, governor = trust.governance.timelock(kind), trust.governance.governor(kind)
        roles = (timelock.PROPOSER_ROLE(), timelock.EXECUTOR_ROLE(), timelock.CANCELLER_ROLE())
        expected = {(bytes(role), governor.address) for role in roles}
        assert replay(timelock, "role") == expected | {(bytes(32), timelock.address)}


def replay(contract, field):
    """Who holds which role, from the events alone."""
    head = contract.provider.get_block("latest").number + 1
    events = sorted(
        (log.block_number, log.log_index, kind, getattr(log, field), log.account)
        for kind in ("RoleGranted", "RoleRevoked")
        for log in getattr(contract, kind).range(0, head)
    )
    held = set()
    for *_, kind, number, account in events:
        key = (bytes(number) if isinstance(number, bytes) else number, account)
        if kind == "RoleGranted":
            held.add(key)
        else:
            held.discard(key)
    return held


def test_no_right_is_left_with_the_deployer(trust):
    deployer = trust.deployer
    for role in range(16):
        assert not trust.authority.hasRole(role, deployer)[0]
    for name in CONTRACTS:
        contract = getattr(trust, name)
        for abi in writes_of(contract):
            selector = keccak(abi.selector.encode())[:4]
            assert tuple(trust.authority.canCall(deployer, contract, selector)) == (False, 0)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "authority"])
def test_no_contract_has_an_owner_upgrade_or_foreign_code(trust, name):
    """The authority alone has DELEGATECALL: its multicall, to itself."""
    contract = getattr(trust, name)
    selectors = {
        keccak(abi.selector.encode())[:4]
        for abi in contract.contract_type.abi
        if abi.type == "function"
    }
    # Timelocks have OpenZeppelin's roles; managed contracts name their authority.
    known = {
        "grantRole(bytes32,address)",
        "revokeRole(bytes32,address)",
        "hasRole(bytes32,address)",
        "getRoleAdmin(bytes32)",
        "authority()",
        "setAuthority(address)",
    }
    assert not selectors & {keccak(text.encode())[:4] for text in set(FORBIDDEN) - known}
    if name != "slots":  # what follows the code of Vyper is not laid out as Solidity's
        used = set(opcodes(bytes(trust.clock.code_of(contract))))
        assert not used & {0xF4, 0xF2, 0xFF, 0xF0, 0xF5}


# --- the check of a deployment notices


@pytest.mark.parametrize(
    ("where", "function", "arguments"),
    [
        ("authority", "grantRole", lambda g: (1, g.deployer, 0)),
        ("authority", "grantRole", lambda g: (2, g.parameter_timelock, 0)),
        ("authority", "revokeRole", lambda g: (2, g.ordinary_timelock)),
        ("authority", "setRoleAdmin", lambda _: (1, 2)),
        ("authority", "setRoleGuardian", lambda _: (1, 2)),
        (
            "authority",
            "setTargetFunctionRole",
            lambda g: (g.limits, [selector_of(g.limits, "set")], 2),
        ),
        ("charter", "allow", lambda g: (1, g.treasury, b"\x01\x02\x03\x04")),
    ],
)
def test_a_right_too_many_or_too_few_is_noticed(trust, chain, where, function, arguments):
    known = (trust.governance, trust.deployment, trust.deployer.address)
    check_governance(*known)
    admin = impersonate(chain, trust.constitutional_timelock)
    getattr(getattr(trust, where), function)(*arguments(trust), sender=admin)
    with pytest.raises(DeploymentError):
        check_governance(*known)


def test_the_whole_is_found_again_by_its_addresses(trust, project):
    found = attach_trust(project, trust.trust.addresses, trust.trust.params)
    check_trust(found, trust.deployer.address)
    for name in BESIDE_NAMES:
        lacking = {n: at for n, at in trust.trust.addresses.items() if n != name}
        with pytest.raises(DeploymentError, match=f"no address for {name}"):
            attach_trust(project, lacking, trust.trust.params)


@pytest.mark.parametrize("name", BESIDE_NAMES)
def test_a_part_of_another_deployment_is_noticed(
    trust, judged, slots, markets, project, deployer, name
):
    # Twins: the same code and parameters, which nothing else points at.
    twins = {
        "perp_rules": lambda: (trust.limits,),
        "perps": lambda: (dict(trust.perps.config().items()),),
        "risk": lambda: (dict(trust.risk.config().items()),),
        "restitution": lambda: (trust.vault, trust.asset_registry, trust.perps, trust.risk),
        "quotas": lambda: (trust.inbox, trust.asset_registry, trust.parameter_timelock),
    }
    others = {
        "slots": slots,
        "oracles": markets.oracles,
        "resolver": markets.resolver,
        "double_head": judged.double_head,
        "court": judged.court,
        "attestation": judged.double_head,
        "sequencer_register": trust.verifier_register,
        "verifier_register": trust.sequencer_register,
    }
    if name in twins:
        made = getattr(project, BESIDE_NAMES[name])
        others[name] = deployer.deploy(made, *twins[name]())
    mixed = trust.trust.addresses | {name: others[name].address}
    with pytest.raises(DeploymentError):
        check_trust(attach_trust(project, mixed, trust.trust.params), trust.deployer.address)


def test_a_contract_of_another_deployment_is_noticed(trust, zone):
    with pytest.raises(DeploymentError):
        check_governance(trust.governance, zone.deployment, trust.deployer.address)
