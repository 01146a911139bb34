import contextlib

import eth_abi
import pytest
from eth_utils import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from tradezone.chain import AbiError
from tradezone.chain._codec import (
    decode,
    encode,
    parse_parameters,
    to_address_bytes,
    to_bytes,
    to_checksum,
)
from tradezone.chain.abi import CONTRACTS, INBOX, STATE_CHAIN, Contract
from tradezone.chain.rpc import decode_revert
from tradezone.protocol.batches import Header

LEAVES = st.sampled_from(
    [
        "uint8",
        "uint64",
        "uint256",
        "int32",
        "int256",
        "bool",
        "address",
        "bytes32",
        "bytes",
        "string",
    ]
)
TYPES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda t: t + "[]"),
        st.tuples(inner, st.integers(1, 3)).map(lambda pair: f"{pair[0]}[{pair[1]}]"),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({','.join(parts)})"),
    ),
    max_leaves=6,
)


def values_of(kind):
    if kind.kind == "tuple":
        return st.tuples(*map(values_of, kind.parts))
    if kind.kind == "array":
        low, high = (kind.size, kind.size) if kind.size >= 0 else (0, 3)
        return st.lists(values_of(kind.parts[0]), min_size=low, max_size=high)
    if kind.kind == "uint":
        return st.integers(0, 2**kind.size - 1)
    if kind.kind == "int":
        return st.integers(-(2 ** (kind.size - 1)), 2 ** (kind.size - 1) - 1)
    return {
        "bool": st.booleans(),
        "address": st.binary(min_size=20, max_size=20).map(to_checksum),
        "bytes": st.binary(min_size=kind.size, max_size=kind.size),
        "data": st.binary(max_size=70),
        "string": st.text(max_size=20),
    }[kind.kind]


def plain(value):
    """Values as eth-abi decodes them: tuples for structs and arrays, lower-case addresses."""
    if isinstance(value, dict):
        return tuple(plain(v) for v in value.values())
    if isinstance(value, list | tuple):
        return tuple(plain(v) for v in value)
    return value.lower() if isinstance(value, str) and value.startswith("0x") else value


@given(st.data())
def test_encoding_and_decoding_agree_with_eth_abi(data):
    texts = data.draw(st.lists(TYPES, max_size=3))
    types, end = parse_parameters("(" + ",".join(texts) + ")")
    assert end == len(",".join(texts)) + 2
    assert [t.canonical for t in types] == texts
    values = [data.draw(values_of(t)) for t in types]
    encoded = encode(types, values)
    assert encoded == eth_abi.encode(texts, values)
    assert plain(decode(types, encoded)) == plain(eth_abi.decode(texts, encoded))


@given(st.binary(max_size=400), st.lists(TYPES, min_size=1, max_size=2))
def test_bytes_that_are_no_encoding_are_refused_and_nothing_else_happens(data, texts):
    types, _ = parse_parameters("(" + ",".join(texts) + ")")
    with contextlib.suppress(AbiError):
        decode(types, data)


@pytest.mark.parametrize(
    ("text", "value", "message"),
    [
        ("(uint8)", 256, "expected uint8"),
        ("(uint8)", -1, "was -1"),
        ("(int32)", 2**31, "expected int32"),
        ("(bytes32)", b"short", "was 5 bytes"),
        ("(address)", "0x12", "expected an address"),
        ("(bytes32)", "nonsense", "0x-prefixed"),
        ("((uint8 a,uint8 b))", {"a": 1}, "without b"),
        ("(uint8[2])", [1], "was 1 elements"),
    ],
)
def test_values_that_do_not_fit_are_named(text, value, message):
    with pytest.raises(AbiError, match=message):
        encode(parse_parameters(text)[0], [value])


def test_a_wrong_number_of_values_names_those_expected():
    with pytest.raises(AbiError, match=r"expected 2 values \(uint8 a, bool b\), was 1"):
        encode(parse_parameters("(uint8 a, bool b)")[0], [1])


@given(st.binary(min_size=20, max_size=20))
def test_addresses_are_checksummed(raw):
    text = to_checksum(raw)
    assert text == to_checksum_address(raw)
    for form in (raw, text, text.lower(), "0x" + text[2:].upper()):
        assert to_address_bytes(form) == raw


def test_a_wrong_checksum_is_refused():
    good = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    with pytest.raises(AbiError, match="wrong checksum") as caught:
        to_address_bytes(good.replace("A", "a", 1))
    assert good in caught.value.hint


@pytest.mark.parametrize("text", ["uint7 x", "(foo)", "(uint8", "(uint8 a uint8 b"])
def test_nonsense_types_are_refused(text):
    with pytest.raises((AbiError, ValueError, IndexError)):
        Contract("X", f"function f({text}) view")


def test_a_header_is_encoded_and_hashed_as_the_protocol_does():
    header = Header(1, 2, b"\1" * 32, b"\2" * 32, 3, 4, 5, b"\3" * 32, 6, 7, 8, 9)
    function = STATE_CHAIN.functions["hashHeader"]
    data = function.encode(header)
    assert Header(*function.decode_input(data)[0].values()) == header
    from tradezone.protocol.hashing import keccak

    assert keccak(data[4:]) == header.hash()


def test_every_contract_has_distinct_selectors():
    for contract in CONTRACTS.values():
        for items in (contract.functions, contract.errors):
            selectors = {item.selector for item in items.values()}
            assert len(selectors) == len(items)


def test_a_revert_is_explained_with_values_and_what_to_do():
    error = STATE_CHAIN.errors["WrongNumber"]
    found = decode_revert(error.selector + encode(error.inputs, [7, 5]))
    assert (found.name, found.values) == ("WrongNumber", {"given": 7, "expected": 5})
    assert str(found).startswith("reverted with WrongNumber(given=7, expected=5) (another process")
    assert "arithmetic overflow" in str(decode_revert(to_bytes("0x4e487b71" + "11".zfill(64))))
    text = eth_abi.encode(["string"], ["too late"])
    assert "reverted: too late" in str(decode_revert(to_bytes("0x08c379a0") + text))
    assert "unknown data 0xdeadbeef" in str(decode_revert(b"\xde\xad\xbe\xef"))
    assert "no reason" in str(decode_revert(b""))


def test_json_abis_read_back_with_the_same_signatures():
    for contract in CONTRACTS.values():
        for entry in contract.to_json():
            known = {
                "function": contract.functions,
                "event": contract.events,
                "error": contract.errors,
            }[entry["type"]][entry["name"]]
            types = [_canonical(p) for p in entry["inputs"]]
            assert types == [t.canonical for t in known.inputs]


def _canonical(parameter):
    if parameter["type"].startswith("tuple"):
        inner = ",".join(_canonical(p) for p in parameter["components"])
        return f"({inner})" + parameter["type"].removeprefix("tuple")
    return parameter["type"]


def test_an_event_of_another_kind_is_refused():
    log = {"topics": ["0x" + bytes(32).hex()], "data": "0x"}
    with pytest.raises(AbiError, match="expected a log of Message"):
        INBOX.events["Message"].decode(log)
