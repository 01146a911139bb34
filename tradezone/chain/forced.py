"""Forced operations: what an owner sends to the zone through L1, and who may sign it.

``ForcedOperations`` takes an operation as a kind and the ABI encoding of its fields; the message that the zone reads
has the same fields, packed, behind the owner. So both follow from the layout in ``protocol/messages.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tradezone.protocol import messages

from ._codec import encode, parse_parameters
from .errors import AbiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradezone.protocol.actions import Layout

_HEAD: Final = len(messages.FORCED_OWNER)
PRIMARY_TYPES: Final = {
    messages.FORCED_WITHDRAW: "ForceWithdraw",
    messages.FORCED_CLOSE: "ForceClose",
    messages.FORCED_CANCEL_ALL: "ForceCancelAll",
    messages.FORCED_APPROVE_KEY: "ForceApproveKey",
    messages.FORCED_REVOKE_KEY: "ForceRevokeKey",
    messages.FORCED_REDIRECT: "ForceRedirect",
}
"""The EIP-712 type that the owner of each kind of operation signs."""


def get_fields(kind: int) -> Layout:
    """Return the fields of an operation, without its owner. KeyError if the kind is none."""
    if kind not in PRIMARY_TYPES:
        raise KeyError(kind)
    return messages.BODIES[kind][_HEAD:]


def encode_fields(kind: int, values: Mapping[str, Any]) -> bytes:
    """Return the ABI encoding of an operation's fields, as `ForcedOperations.submit` takes it.

    Parameters
    ----------
    kind : int
        ``FORCED_...`` of `tradezone.protocol.messages`
    values : mapping
        by field: integers; addresses and names as hex or bytes

    Raises
    ------
    AbiError
        a field is missing, unknown, or does not fit its type
    """
    fields = get_fields(kind)
    names = [name for name, _, _ in fields]
    if set(values) != set(names):
        given, wanted = ", ".join(sorted(values)) or "none", ", ".join(names)
        raise AbiError(f"fields are {given}, expected {wanted}")
    types, _ = parse_parameters("(" + ",".join(form for _, form, _ in fields) + ")")
    return encode(types, [values[name] for name in names])


def build_typed_data(
    contract: str,
    chain_id: int,
    kind: int,
    values: Mapping[str, Any],
    *,
    owner: str,
    nonce: int,
    deadline: int,
) -> dict[str, Any]:
    """Return the EIP-712 message that an owner signs, as wallets take it.

    Parameters
    ----------
    contract, chain_id
        where it counts: `ForcedOperations` of the zone
    owner, nonce
        who signs, and ``nonces(owner)`` of the contract
    deadline : int
        L1 seconds until which the signature holds
    """
    fields = get_fields(kind)
    domain = ("name", "string"), ("version", "string"), ("chainId", "uint256")
    body = (
        ("owner", "address"),
        *((name, form) for name, form, _ in fields),
        ("nonce", "uint256"),
        ("deadline", "uint256"),
    )
    return {
        "domain": {
            "name": "TradeZone",
            "version": "1",
            "chainId": chain_id,
            "verifyingContract": contract,
        },
        "types": {
            "EIP712Domain": [
                *({"name": name, "type": form} for name, form in domain),
                {"name": "verifyingContract", "type": "address"},
            ],
            PRIMARY_TYPES[kind]: [{"name": name, "type": form} for name, form in body],
        },
        "primaryType": PRIMARY_TYPES[kind],
        "message": {
            "owner": owner,
            **{name: _plain(values[name]) for name, _, _ in fields},
            "nonce": nonce,
            "deadline": deadline,
        },
    }


def _plain(value: Any) -> Any:
    return "0x" + value.hex() if isinstance(value, bytes) else value
