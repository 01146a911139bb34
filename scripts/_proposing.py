"""Proposals: calls as people write and read them, and making a proposal of them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

from scripts._common import Address, ScriptError
from scripts._units import format_wei
from tradezone.chain import RevertedError
from tradezone.chain.abi import CONTRACTS
from tradezone.chain.deployment import ALL_NAMES, BESIDE_NAMES, GOVERNANCE_NAMES
from tradezone.protocol.hashing import keccak

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts._common import Session
    from tradezone.chain._codec import Type
    from tradezone.chain.abi import Contract
    from tradezone.chain.rpc import Deployed

LIMITS: Final = (
    "MAX_LEVERAGE",
    "MAX_TAKER_FEE",
    "MAX_MAKER_FEE",
    "MAX_MAKER_REBATE",
    "MIN_PROTOCOL_SHARE",
    "MAX_FUNDING_RATE",
    "MAX_FUNDING_CHANGE",
    "MAX_PRICE_DEVIATION",
    "MAX_PRICE_STALENESS",
    "MAX_PRICE_INTERVAL",
    "VENUE_OPEN_INTEREST",
    "ACCOUNT_SHARE",
    "STAKE_MULTIPLE",
    "MAX_TAKER_DELAY",
    "MAX_SESSION_PAUSE",
    "BOND_UNBONDING",
    "AUCTION_LENGTH",
    "AUCTION_START",
    "AUCTION_DECAY",
    "AUCTION_FLOOR",
    "HARM_CLAIM_WINDOW",
    "VOTE_AGE",
)
"""Limits by their ids, from 1."""

SHOWN_DIGITS: Final = 8
"""Digits of its number by which people call a proposal."""


def governor_of(session: Session, kind: str) -> Deployed:
    """Return the governor of a class."""
    return session.at(f"{kind}_governor")


def time_of(session: Session) -> int:
    """Return the time of the newest block, in seconds."""
    return session.rpc.head().time


# --- calls as people read them -----------------------------------------------------------------------


def _contract_of(name: str) -> Contract:
    return CONTRACTS[ALL_NAMES[name]]


def describe_call(session: Session, target: str, data: bytes) -> str:
    """Return ``limits.set(MAX_LEVERAGE, 25)`` for a call, or its bytes if nobody knows it."""
    names = [n for n, address in session.deployment.contracts.items() if address == target]
    if names:
        for function in _contract_of(names[0]).functions.values():
            if function.selector == data[:4]:
                values = function.decode_input(data)
                shown = [
                    _show_argument(session, names[0], function.name, i, value)
                    for i, value in enumerate(values)
                ]
                return f"{names[0]}.{function.name}({', '.join(shown)})"
    return f"{names[0] if names else target}.0x{data.hex()}"


def _show_argument(session: Session, contract: str, function: str, place: int, value: Any) -> str:
    if (contract, function, place) == ("limits", "set", 0) and 1 <= value <= len(LIMITS):
        return LIMITS[value - 1]
    if isinstance(value, bytes):
        return "0x" + value.hex()
    for name, address in session.deployment.contracts.items():
        if address == value:
            return name
    return str(value)


def parse_call(session: Session, text: str) -> tuple[str, bytes]:
    """Return target and calldata of ``"limits.set MAX_LEVERAGE 25"``."""
    head, *words = shlex.split(text)
    contract, dot, name = head.partition(".")
    addresses = session.deployment.contracts
    if not dot or contract not in addresses:
        raise ScriptError(
            f"expected CONTRACT.FUNCTION ARGUMENTS, was {text!r}",
            f"contracts are: {', '.join(GOVERNANCE_NAMES | BESIDE_NAMES)}",
        )
    functions = _contract_of(contract).functions
    if name not in functions:
        raise ScriptError(
            f"{contract} has no function {name!r}",
            f"it has: {', '.join(n for n, f in functions.items() if not f.is_view)}",
        )
    function = functions[name]
    if len(words) != len(function.inputs):
        shown = " ".join(f"{t.name}:{t.canonical}" for t in function.inputs)
        raise ScriptError(f"{contract}.{name} takes {shown}, {len(words)} were given")
    values = [
        _parse_argument(session, kind.canonical, word, kind.parts)
        for kind, word in zip(function.inputs, words, strict=True)
    ]
    return addresses[contract], function.encode(*values)


def _parse_argument(session: Session, kind: str, word: str, parts: Sequence[Type] = ()) -> Any:
    """Return a value for an ABI type: names of limits and contracts, and ``contract.function``.

    A struct is its fields, with names or in order: ``supply=40,baseSlots=10,...`` or ``40,10,...``.
    """
    if kind.startswith("(") and kind.endswith(")"):
        return _parse_struct(session, kind, word, parts)
    if kind.endswith("[]"):
        return [_parse_argument(session, kind[:-2], part) for part in word.split(",") if part]
    if kind == "address":
        if word in session.deployment.contracts:
            return session.deployment.address(word)
        return Address().convert(word, None, None)
    if kind == "bytes4" and "." in word:
        contract, _, name = word.partition(".")
        return _contract_of(contract).functions[name].selector
    if kind.startswith("bytes"):
        return bytes.fromhex(word.removeprefix("0x"))
    if kind == "bool":
        return word.lower() in ("1", "true", "yes")
    if kind == "string":
        return word
    if word in LIMITS:
        return LIMITS.index(word) + 1
    try:
        return int(word.replace("_", "").replace(",", ""), 0)
    except ValueError:
        raise ScriptError(f"expected a whole number ({kind}), was {word!r}") from None


def _parse_struct(session: Session, kind: str, word: str, parts: Sequence[Type]) -> list[Any]:
    given = [part.strip() for part in word.split(",")]
    names = [part.name for part in parts]
    if all("=" in part for part in given):
        pairs = dict(part.split("=", 1) for part in given)
        given = [pairs[name] for name in names if name in pairs]
        if set(pairs) != set(names):
            raise ScriptError(f"expected {', '.join(names)}, were {', '.join(pairs)}")
    if len(given) != len(parts):
        raise ScriptError(f"expected {kind}: {', '.join(names)}; {len(given)} values were given")
    return [
        _parse_argument(session, part.canonical, value, part.parts)
        for part, value in zip(parts, given, strict=True)
    ]


# --- proposing ---------------------------------------------------------------------------------------


def submit(
    session: Session,
    kind: str,
    parsed: list[tuple[str, bytes]],
    description: str,
    more: Mapping[str, object] | None = None,
) -> None:
    """Propose calls (target and calldata) to be decided by a class; ``more`` is shown before."""
    governor = governor_of(session, kind)
    targets, datas = [p[0] for p in parsed], [p[1] for p in parsed]
    threshold = governor.call("proposalThreshold")
    have = governor.call("getVotes", session.address, time_of(session) - 1)
    if have < threshold:
        raise ScriptError(
            f"{session.address} has {format_wei(have)} of aged votes,"
            f" a proposer of class {kind} needs {format_wei(threshold)}",
            "stake and wait for the vote age: ape run govern limits",
        )
    facts = dict(more or {})
    for i, (target, data) in enumerate(parsed, 1):
        facts[f"call {i}"] = describe_call(session, target, data)
        facts[f"effect {i}"] = describe_effect(session, kind, target, data)
    number = governor.call("hashProposal", targets, [0] * len(datas), datas, hash_text(description))
    receipt = session.transact(
        f"propose in class {kind}: {description}",
        governor,
        "propose",
        targets,
        [0] * len(datas),
        datas,
        description,
        facts=facts,
    )
    session.result(
        {"proposal": f"{number:064x}"[:SHOWN_DIGITS], "number": str(number), "class": kind},
        receipt,
    )


def hash_text(text: str) -> bytes:
    """Return the hash by which contracts know a text."""
    return keccak(text.encode())


def describe_effect(session: Session, kind: str, target: str, data: bytes) -> str:
    """Try a call as the class's timelock would make it; say what it changes, or why it would fail now."""
    names = {address: name for name, address in session.deployment.contracts.items()}
    if target not in names:
        return "unknown: not a contract of this zone"
    contract = session.at(names[target])
    functions = contract.contract.functions.values()
    function = next((f for f in functions if f.selector == data[:4]), None)
    if function is None:
        return "unknown: no such function"
    try:
        contract.simulate(session.deployment.address(f"{kind}_timelock"), function.name, data)
    except RevertedError as error:
        return f"would fail now: {error.text.removeprefix('reverted with ')}"
    if (names[target], function.name) == ("limits", "set"):
        limit, value = function.decode_input(data)
        return f"{LIMITS[limit - 1]}: {contract.call('valueOf', limit)} -> {value}"
    return "would succeed now"
