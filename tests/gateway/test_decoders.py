"""Decoders of the gateway take any bytes: they return leaves or raise ApiError, and nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sequencer_zone import MARKET, USD

from tradezone.client import NonceSource, PrivateKey, Signer, build_amend, build_cancel, build_place
from tradezone.gateway.errors import ApiError
from tradezone.gateway.limits import RateLimiter
from tradezone.gateway.orders import (
    ACTION_NAMES,
    MAX_ENVELOPES,
    decode_frames,
    decode_json,
    encode_frames,
)
from tradezone.gateway.stream import Connection
from tradezone.protocol import actions
from tradezone.protocol.actions import Envelope, unpack, unpack_items

SIGNER = Signer(PrivateKey(b"\7" * 32), 2, 3 << 32 | 2, bytes(32), nonces=NonceSource(lambda: 5))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
)
BODY = st.fixed_dictionaries(
    {},
    optional={
        "account": st.integers(-1, 2**33) | JSON,
        "key": st.integers(-1, 2**65).map(str) | JSON,
        "nonce": st.integers(0, 2**64).map(str),
        "expires_after": st.integers(0, 2**64) | JSON,
        "action": st.fixed_dictionaries(
            {"type": st.sampled_from([*ACTION_NAMES, "x"])},
            optional={
                "orders": st.lists(
                    st.dictionaries(st.sampled_from(["market", "price", "side"]), JSON, max_size=3),
                    max_size=3,
                ),
                "items": JSON,
                "body": st.dictionaries(
                    st.sampled_from(["asset", "amount", "name"]), JSON, max_size=3
                )
                | JSON,
            },
        ),
        "signature": st.sampled_from(["0x" + "00" * 65, "0x", "x"]) | JSON,
    },
)


def refuse_or(decode, data):
    """What a decoder returns, None if it refuses; anything else fails the test."""
    try:
        return decode(data)
    except ApiError:
        return None


@given(st.binary(max_size=200))
@example(b"\0\1\2")
def test_any_frames(data):
    leaves = refuse_or(decode_frames, data)
    assert leaves is None or encode_frames(leaves) == data


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=20))
def test_frames_carry_leaves_as_they_are(leaves):
    assert decode_frames(encode_frames(leaves)) == leaves


def test_a_frame_holds_so_many_envelopes_and_no_more():
    assert len(decode_frames(b"\0\1x" * MAX_ENVELOPES)) == MAX_ENVELOPES
    with pytest.raises(ApiError):
        decode_frames(b"\0\1x" * (MAX_ENVELOPES + 1))


@given(st.binary(max_size=200))
def test_any_bytes_as_json(data):
    with pytest.raises(ApiError) as caught:
        decode_json(data)
    assert caught.value.status == 400


@given(st.lists(BODY | JSON, max_size=3))
def test_any_json(envelopes):
    leaves = refuse_or(decode_json, json.dumps({"envelopes": envelopes}).encode())
    assert leaves is None or len(leaves) == len(envelopes)


ALL = {
    "placeOrder": lambda: SIGNER.place(
        build_place(MARKET, "sell", "60", "1", tif="post_only", client_id="a", expires=7),
        build_place(MARKET, "buy", "59.99", "0.01", stp="both", stp_scope="owner"),
    ),
    "amendOrder": lambda: SIGNER.amend(
        build_amend(MARKET, order=9, size="1", price="2", mode="take")
    ),
    "cancelOrder": lambda: SIGNER.cancel(build_cancel(5), build_cancel(client_id="b")),
    "cancelAll": lambda: SIGNER.cancel_all(MARKET, "buy"),
    "cancelAllAfter": lambda: SIGNER.dead_man(6_000),
    "transfer": lambda: SIGNER.transfer(3, USD, "1.5"),
    "withdraw": lambda: SIGNER.withdraw(USD, "7"),
    "approveKey": lambda: SIGNER.approve_key(b"\3" * 20, 99, name="bot"),
    "revokeKey": lambda: SIGNER.revoke_key(1 << 32 | 7),
    "createAccount": SIGNER.create_account,
    "noop": SIGNER.noop,
    "cancelPlan": lambda: SIGNER.cancel_plan(4),
    "openBalance": lambda: SIGNER.open_balance(USD),
    "updateLeverage": lambda: SIGNER.leverage(4, "2.5", is_cross=True),
    "checkPool": lambda: SIGNER.check(9, 1, USD, 4),
    "setAllowance": lambda: SIGNER.allowance(1, USD, "100"),
    "adjustMargin": lambda: SIGNER.take_margin(1, USD, "3", 4),
    "fund": lambda: SIGNER.fund(1, USD, "5"),
    "defund": lambda: SIGNER.defund(1, USD, "5"),
}


@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize("is_text", [True, False])
def test_an_action_as_fields_is_packed_to_the_bytes_that_were_signed(name, is_text):
    leaf = ALL[name]()
    envelope = Envelope.from_leaf(leaf)

    def show(values):
        return {
            key: "0x" + value.hex()
            if isinstance(value, bytes)
            else (str(value) if is_text else value)
            for key, value in values.items()
        }

    action = {"type": name}
    if envelope.action in actions.ITEM_LAYOUTS:
        action["orders"] = [show(item) for item in unpack_items(envelope)]
    else:
        action["body"] = show(unpack(actions.TYPED_ACTIONS[envelope.action][1], envelope.body))
    body = {
        "account": envelope.account,
        "key": str(envelope.key),
        "nonce": envelope.nonce,
        "expires_after": str(envelope.expires_after),
        "action": action,
        "signature": "0x" + envelope.signature.hex(),
    }
    assert decode_json(json.dumps({"envelopes": [body]}).encode()) == [leaf]
    body["action"]["orders" if "body" in action else "body"] = {}
    with pytest.raises(ApiError):
        decode_json(json.dumps({"envelopes": [body]}).encode())


@pytest.mark.parametrize(
    ("kind", "field", "word", "number"),
    [
        ("updateLeverage", "mode", "cross", 1),
        ("updateLeverage", "mode", "isolated", 2),
        ("adjustMargin", "direction", "take", 1),
        ("adjustMargin", "direction", "add", 0),
    ],
)
def test_words_of_margin_stand_for_their_numbers(kind, field, word, number):
    values = {
        "updateLeverage": {"market": 4, "mode": 1, "leverage": 500},
        "adjustMargin": {"venue": 1, "asset": 1, "market": 4, "direction": 1, "amount": "7"},
    }[kind]

    def pack(value):
        row = values | {field: value}
        action = {
            "type": kind,
            **({"orders": [row]} if kind == "updateLeverage" else {"body": row}),
        }
        body = {
            "account": 2,
            "key": "2",
            "nonce": "9",
            "expires_after": "0",
            "action": action,
            "signature": "0x" + "00" * 65,
        }
        return decode_json(json.dumps({"envelopes": [body]}).encode())

    assert pack(word) == pack(number)
    with pytest.raises(ApiError, match="whole number"):
        pack("post_only")


def test_every_action_of_the_protocol_has_a_name():
    assert sorted(ACTION_NAMES.values()) == list(actions.ACTIONS)


# --- limits ------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 40)), max_size=60))
def test_no_address_gets_more_than_its_burst_and_its_rate(steps):
    now = [0.0]
    limiter = RateLimiter(120, lambda: now[0])
    taken = 0
    for pause, weight in steps:
        now[0] += pause
        allowance = limiter.take("a", weight)
        if allowance.is_allowed:
            taken += min(weight, limiter.capacity)
        else:
            wait = allowance.reset_ms / 1_000
            now[0] += wait
            assert limiter.take("a", weight).is_allowed, "it comes when it was said to come"
            taken += min(weight, limiter.capacity)
        assert taken <= limiter.capacity + now[0] * 2 + 1e-6
        assert limiter.take("b", 1).remaining >= 0


def test_addresses_do_not_share():
    limiter = RateLimiter(60, lambda: 0.0)
    assert [limiter.take("a").is_allowed for _ in range(12)] == [True] * 10 + [False] * 2
    assert limiter.take("b").is_allowed


@pytest.mark.anyio
async def test_a_connection_marks_itself_when_too_much_waits():
    async def send(_):
        raise AssertionError("nothing is sent before the sender runs")

    connection = Connection(send, 100)
    connection.push("x" * 60)
    assert connection.closed is None
    connection.push("x" * 60)
    assert connection.closed[0] == 1013
    assert "120 bytes wait" in connection.closed[1]
    connection.push("more")
    await connection.run_sender()


@pytest.fixture
def anyio_backend():
    return "asyncio"
