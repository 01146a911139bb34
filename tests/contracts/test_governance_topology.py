"""Who reaches what: every function of governance and stake that changes anything, tried by everybody.

Three layers. The code: each function is called as each actor, and only those named here get past its
check. The Charter: what a timelock may call and what it can be made to call are compared. The history:
every role that was ever granted is replayed from the events, and nothing is left with the deployer.
"""

import pytest

from scripts._deployment import NOBODY as ZERO
from scripts._deployment import DeploymentError
from scripts._governance import CLASSES, CONTRACTS, POWERS, ROLES, check_governance, selector_of
from tests.contracts.driver import attempt
from tests.contracts.governed import impersonate
from tests.contracts.test_boards import market  # noqa: F401 -- a fixture
from tests.contracts.test_deployment import FORBIDDEN, opcodes
from tradezone.protocol.hashing import keccak

# Who gets past the check of a function: an actor by name, or one of these.
ANYONE = "anyone"  # what it does is the caller's own, or the same whoever calls
NOBODY = "nobody"
MEMBERS = "members"
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
    )
}
NAMES = [*CONTRACTS, "staking"]


@pytest.fixture
def actors(governed, accounts):
    """Everybody: people, parties with a part to play, and every contract."""
    people = {
        "deployer": governed.deployer,
        "stranger": accounts[8],
        "sequencer": governed.sequencer,
        "guardian": accounts[10],  # of both boards
        "councillor": accounts[17],  # of the council only
        "court": governed.court,
    }
    contracts = {name: getattr(governed, name) for name in CONTRACTS}
    zone = {name: getattr(governed, name) for name in governed.deployment.addresses}
    return people | contracts | zone


def writes_of(contract):
    return [
        abi
        for abi in contract.contract_type.abi
        if abi.type == "function" and abi.stateMutability not in ("view", "pure")
    ]


def sample(governed, name, abi):
    """Arguments of the right types: zero, or what lets a call come as far as its check."""
    setting = governed.limits.set.encode_input(1, 25)
    special = {
        ("authority", "execute"): (governed.limits, setting),
        ("authority", "schedule"): (governed.limits, setting, 2**47),
        ("authority", "cancel"): (governed.deployer, governed.limits, setting),
        ("council", "cancelProposal"): (governed.ordinary_governor, [], [], [], bytes(32), ""),
        ("council", "declare"): (1, 1, 0, bytes(32)),
    }
    return special.get((name, abi.name)) or tuple(zero(item) for item in abi.inputs)


def zero(item):
    kind = item.type
    if kind.endswith("]"):
        return []
    if kind == "tuple":
        return tuple(zero(part) for part in item.components)
    if kind.startswith("bytes"):
        return bytes(int(kind[5:] or 0))
    return {"address": ZERO, "bool": False, "string": ""}.get(kind, 0)


def encode(governed, name, abi):
    contract = getattr(governed, name)
    if abi.name == "delegate":  # an Ape contract has an attribute of that name
        return keccak(b"delegate(address)")[:4] + bytes(32)
    return bytes(getattr(contract, abi.name).encode_input(*sample(governed, name, abi)))


@pytest.mark.parametrize("name", NAMES)
def test_a_contract_changes_by_the_functions_listed_here_and_no_other(governed, name):
    assert {abi.name for abi in writes_of(getattr(governed, name))} == set(WRITES[name])


@pytest.mark.parametrize("name", NAMES)
def test_each_function_lets_in_whom_the_list_names_and_nobody_else(
    governed,
    actors,
    market,  # noqa: F811 -- so that the council has something to decide about
    name,
    accounts,
):
    if (
        name == "brake"
    ):  # `release` asks who calls only while the door is closed, `pull` while armed
        for guardian in accounts[10:12]:
            governed.brake.pull(bytes(31) + b"\x01", sender=guardian)
    contract = getattr(governed, name)
    for abi in writes_of(contract):
        if (name, abi.name) == ("brake", "release"):
            governed.brake.pull(bytes(31) + b"\x01", sender=accounts[12])
        if (name, abi.name) == ("council", "lift"):
            for member in accounts[10:15]:
                governed.council.declare(1, 1, 0, bytes(31) + b"\x02", sender=member)
        call, allowed = encode(governed, name, abi), WRITES[name][abi.name]
        if (name, abi.name) == ("council", "lift"):
            call = bytes(governed.council.lift.encode_input(1, bytes(32)))
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
                assert was_refused == (who != allowed), where


# --- the Charter: what timelocks can be made to call


def test_a_class_reaches_its_list_and_nothing_else(governed):
    """Of all functions that change anything, each is on one class's list or on none."""
    reached = {}
    for name in CONTRACTS:
        contract = getattr(governed, name)
        for abi in writes_of(contract):
            selector = keccak(abi.selector.encode())[:4]
            for kind, number in CLASSES.items():
                if governed.charter.isAllowed(number, contract, selector):
                    reached.setdefault((name, abi.name), []).append(kind)
    assert reached == {
        (contract, function): [kind]
        for kind, powers in POWERS.items()
        for contract, functions in powers.items()
        for function in functions
    }
    for (name, function), (kind,) in reached.items():
        assert WRITES[name][function] == f"{kind}_timelock"


def test_nothing_on_any_list_belongs_to_custody_or_shortens_a_delay(governed):
    out_of_reach = {getattr(governed, name).address for name in governed.deployment.addresses} | {
        getattr(governed, f"{kind}_{part}").address
        for kind in CLASSES
        for part in ("timelock", "governor")
    }
    for number in CLASSES.values():
        assert not {entry.target for entry in governed.charter.listOf(number)} & out_of_reach
    assert all(governed.charter.isUntouchable(address) for address in out_of_reach)


# --- the history: who was given what


def test_every_role_ever_granted_is_where_it_belongs(governed):
    held = replay(governed.authority, "roleId")
    assert held == {
        (role, governed.governance.timelock(kind).address) for kind, role in ROLES.items()
    }
    for kind in CLASSES:
        timelock, governor = governed.governance.timelock(kind), governed.governance.governor(kind)
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


def test_no_right_is_left_with_the_deployer(governed):
    deployer = governed.deployer
    for role in range(16):
        assert not governed.authority.hasRole(role, deployer)[0]
    for name in CONTRACTS:
        contract = getattr(governed, name)
        for abi in writes_of(contract):
            selector = keccak(abi.selector.encode())[:4]
            assert tuple(governed.authority.canCall(deployer, contract, selector)) == (False, 0)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "authority"])
def test_no_contract_has_an_owner_upgrade_or_foreign_code(governed, name):
    """The authority alone has DELEGATECALL: its multicall, to itself."""
    contract = getattr(governed, name)
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
    used = set(opcodes(bytes(governed.clock.code_of(contract))))
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
def test_a_right_too_many_or_too_few_is_noticed(governed, chain, where, function, arguments):
    known = (governed.governance, governed.deployment, governed.deployer.address)
    check_governance(*known)
    admin = impersonate(chain, governed.constitutional_timelock)
    getattr(getattr(governed, where), function)(*arguments(governed), sender=admin)
    with pytest.raises(DeploymentError):
        check_governance(*known)


def test_a_contract_of_another_deployment_is_noticed(governed, zone):
    with pytest.raises(DeploymentError):
        check_governance(governed.governance, zone.deployment, governed.deployer.address)
