"""What is sent to ForcedOperations, against eth-abi and eth-account."""

import re
from pathlib import Path

import pytest
from eth_abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data

from tradezone.chain import AbiError
from tradezone.chain.abi import FORCED
from tradezone.chain.forced import PRIMARY_TYPES, build_typed_data, encode_fields, get_fields
from tradezone.protocol import actions, messages

ROOT = Path(__file__).parents[2]
CONTRACT = "0x" + "5A" * 20
VALUES = {
    "uint8": 1,
    "uint32": (1 << 32) - 1,
    "uint64": (1 << 64) - 1,
    "address": "0x" + "a9" * 20,
    "bytes8": b"agent\0\0\0",
}


def values_of(kind):
    return {name: VALUES[form] for name, form, _ in get_fields(kind)}


@pytest.mark.parametrize("kind", messages.FORCED_KINDS)
def test_fields_are_encoded_as_the_contract_decodes_them(kind):
    forms = [form for _, form, _ in get_fields(kind)]
    expected = encode(forms, [VALUES[form] for form in forms])
    assert encode_fields(kind, values_of(kind)) == expected
    assert len(expected) == 32 * len(forms)


@pytest.mark.parametrize("kind", messages.FORCED_KINDS)
def test_the_message_is_owner_address_and_the_same_fields_packed(kind):
    layout = messages.BODIES[kind]
    assert layout[: len(messages.FORCED_OWNER)] == messages.FORCED_OWNER
    assert actions.layout_bytes(layout) == 24 + sum(width for _, _, width in get_fields(kind))


@pytest.mark.parametrize("kind", messages.FORCED_KINDS)
def test_what_is_signed_is_the_type_that_the_contract_names(kind):
    """Once from the layout, once from the text of the contract."""
    source = (ROOT / "contracts/custody/ForcedOperations.sol").read_text()
    data = build_typed_data(
        CONTRACT, 196, kind, values_of(kind), owner="0x" + "11" * 20, nonce=0, deadline=1
    )
    fields = ",".join(f"{f['type']} {f['name']}" for f in data["types"][PRIMARY_TYPES[kind]])
    assert re.search(rf'"{PRIMARY_TYPES[kind]}\({re.escape(fields)}\)"', source)


def test_a_wallet_signs_it_and_every_field_counts():
    owner = Account.from_key(b"\7" * 32)
    kind = messages.FORCED_WITHDRAW

    def recover(signature, **changes):
        terms = {"owner": owner.address, "nonce": 3, "deadline": 9} | changes
        data = build_typed_data(CONTRACT, 196, kind, values_of(kind), **terms)
        message = encode_typed_data(full_message=data)
        return Account.recover_message(message, signature=signature)

    data = build_typed_data(
        CONTRACT, 196, kind, values_of(kind), owner=owner.address, nonce=3, deadline=9
    )
    signed = owner.sign_message(encode_typed_data(full_message=data)).signature
    assert recover(signed) == owner.address
    for changes in ({"nonce": 4}, {"deadline": 10}, {"owner": CONTRACT}):
        assert recover(signed, **changes) != owner.address


@pytest.mark.parametrize(
    "changes", [{"amount": 1 << 64}, {"amount": -1}, {"more": 1}, {"asset": 1 << 32}]
)
def test_what_does_not_fit_is_named(changes):
    with pytest.raises(AbiError, match=next(iter(changes)) + "|uint"):
        encode_fields(messages.FORCED_WITHDRAW, values_of(messages.FORCED_WITHDRAW) | changes)


def test_other_kinds_are_no_operations():
    for kind in (messages.DEPOSIT, 15, 22):
        with pytest.raises(KeyError):
            encode_fields(kind, {})
    assert "submitBySig" in FORCED.functions
