"""What the client builds, and what it refuses to build."""

from __future__ import annotations

import uuid
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sequencer_zone import MARKET, OKB, SEPARATOR, USD

from tradezone.client import (
    Asset,
    ClientError,
    Market,
    NonceSource,
    NotAMultipleError,
    OutcomeMarket,
    PrivateKey,
    Signer,
    build_amend,
    build_cancel,
    build_place,
    build_plan,
    build_quote,
    to_checksum_address,
    to_client_id,
    to_decimal,
)
from tradezone.engine.signatures import join_leaves, recover_signers
from tradezone.protocol import actions
from tradezone.protocol.actions import Envelope, unpack, unpack_items

KEY = PrivateKey(b"\x07" * 32)
OUTCOME = OutcomeMarket(4, "Final", 3, USD, 1_000_000, 10_000, 10**6)


def make_signer(**options):
    return Signer(KEY, 7, (2 << 32) | 3, SEPARATOR, nonces=NonceSource(lambda: 1_000), **options)


# --- keys and nonces --------------------------------------------------------------------------------


def test_address_has_the_checksum_that_wallets_show():
    key = PrivateKey.from_hex("0x" + "11" * 32)
    assert to_checksum_address(key.address) == "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"


def test_a_key_never_shows_its_secret():
    assert "07" * 8 not in repr(KEY)
    assert to_checksum_address(KEY.address) in repr(KEY)
    with pytest.raises(ClientError) as caught:
        PrivateKey.from_hex("77" * 31 + "zz")
    assert "77" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("secret", [b"", b"\1" * 31, bytes(32), b"\xff" * 32])
def test_what_is_no_key_is_refused(secret):
    with pytest.raises(ClientError):
        PrivateKey(secret)


def test_generated_keys_differ():
    assert PrivateKey.generate().address != PrivateKey.generate().address


@given(st.lists(st.integers(0, 50), min_size=1))
def test_nonces_rise_whatever_the_clock_does(readings):
    source = NonceSource(iter([*readings]).__next__)
    nonces = [source.take() for _ in readings]
    assert nonces == sorted(set(nonces))
    assert all(nonce >= reading for nonce, reading in zip(nonces, readings, strict=True))


# --- prices and sizes -------------------------------------------------------------------------------


@pytest.mark.parametrize("price", ["585.33", Decimal("585.33"), " 585.330 ", "5.8533e2"])
def test_a_price_becomes_ticks(price):
    assert MARKET.to_ticks(price) == 58_533


def test_an_integer_is_a_price():
    assert MARKET.to_ticks(585) == 58_500


def test_a_price_between_ticks_names_its_neighbours():
    text = r"price 585\.333 is not a multiple of the tick 0\.01; nearest: 585\.33, 585\.34"
    with pytest.raises(NotAMultipleError, match=text) as caught:
        MARKET.to_ticks("585.333")
    assert (caught.value.below, caught.value.above) == (Decimal("585.33"), Decimal("585.34"))


def test_a_price_below_one_tick_has_one_neighbour():
    with pytest.raises(NotAMultipleError, match=r"nearest: 0\.01$"):
        MARKET.to_ticks("0.001")


@pytest.mark.parametrize("convert", [MARKET.to_ticks, MARKET.to_lots, USD.to_atoms])
def test_a_float_is_refused_even_if_it_looks_right(convert):
    with pytest.raises(ClientError, match=r"585\.33 is a float"):
        convert(585.33)


@pytest.mark.parametrize("value", ["abc", "", "nan", "inf", True, None, [1], "1e99999"])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ClientError):
        MARKET.to_ticks(value)


@pytest.mark.parametrize("value", ["0", "-1", "0.00"])
def test_a_price_is_above_zero(value):
    with pytest.raises(ClientError, match="not above zero"):
        MARKET.to_ticks(value)


def test_a_price_above_the_highest_is_refused():
    assert MARKET.to_ticks("10000") == MARKET.max_price
    with pytest.raises(ClientError, match="above the highest of OKB/USD, 10000"):
        MARKET.to_ticks("10000.01")
    with pytest.raises(ClientError, match="above the largest of OKB/USD, 10000"):
        MARKET.to_lots("10000.01")


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_ticks_and_lots_come_back(ticks, lots):
    assert MARKET.to_ticks(MARKET.from_ticks(ticks)) == ticks
    assert MARKET.to_lots(MARKET.from_lots(lots)) == lots


@given(
    st.integers(0, 18),
    st.integers(0, 18),
    st.integers(1, 10**9),
    st.integers(1, 10**9),
    st.integers(1, 10**4),
    st.integers(1, 10**4),
)
def test_a_price_times_a_size_is_the_notional_in_any_market(
    b, q, lot_size, tick_value, ticks, lots
):
    market = Market(1, Asset(1, "B", b), Asset(2, "Q", q), lot_size, tick_value, 2**31, 2**61)
    value = (ticks * market.tick) * (lots * market.lot)
    assert value * 10**q == Fraction(ticks * lots * tick_value)


def test_a_tick_without_a_finite_decimal_is_shown_rounded():
    assert to_decimal(Fraction(1, 3)) == Decimal("0.333333333333333333")


@pytest.mark.parametrize(("amount", "atoms"), [("1.5", 1_500_000), (2, 2_000_000), ("0.000001", 1)])
def test_an_amount_becomes_atoms(amount, atoms):
    assert USD.to_atoms(amount) == atoms
    assert USD.from_atoms(atoms) == Decimal(amount)


def test_an_amount_finer_than_an_atom_is_refused():
    with pytest.raises(NotAMultipleError, match=r"nearest: 1\.5, 1\.500001"):
        USD.to_atoms("1.5000001")


# --- items and envelopes ----------------------------------------------------------------------------


def test_a_placed_order_says_what_was_meant():
    leaf = make_signer().place(
        build_place(MARKET, "sell", "60.01", "1.5", tif="ioc", stp="both", client_id="mine"),
        build_place(MARKET, "buy", "59.99", 2, expires=99),
    )
    envelope = Envelope.from_leaf(leaf)
    first, second = unpack_items(envelope)
    assert (first["price"], first["lots"], first["side"], first["tif"], first["stp"]) == (
        *(6001, 150),
        *(1, 2, 2),
    )
    assert first["client_id"] == b"mine".ljust(16, b"\0")
    assert (second["side"], second["expires"], second["client_id"]) == (0, 99, bytes(16))
    assert (envelope.account, envelope.key, envelope.nonce) == (7, (2 << 32) | 3, 1_000)
    assert envelope.expires_after == 31_000
    assert recover_signers(*join_leaves([leaf]), SEPARATOR)[0].tobytes() == KEY.address


def test_every_method_makes_a_leaf_that_its_key_signed():
    signer = make_signer()
    leaves = [
        signer.place(build_place(MARKET, "buy", 1, 1)),
        signer.amend(build_amend(MARKET, order=1 << 32 | 5, size=1, price=2, mode="take")),
        signer.cancel(build_cancel(5), build_cancel(client_id=uuid.UUID(int=9))),
        signer.cancel_all(MARKET, "buy"),
        signer.mass_quote(build_quote(MARKET, "buy", 1, 1, client_id="b1")),
        signer.dead_man(60_000),
        signer.place_plan(build_plan(MARKET, "sell", "stop", 1, 1)),
        signer.split(3, 5),
        signer.merge(3, 5),
        signer.transfer(8, USD, "1.25"),
        signer.withdraw(OKB, "0.5"),
        signer.approve_key(b"\1" * 20, 10**12, name="desk", only_venue=1, max_notional=5),
        signer.revoke_key((1 << 32) | 4),
        signer.create_account(),
        signer.noop(),
        signer.allowance(2, USD, 100),
        signer.leverage(4, "2.5"),
        signer.add_margin(2, USD, 1, market=4),
        signer.approve_interface(12, "0.05%"),
        signer.check(9, 2, USD),
        signer.faucet(USD),
        signer.cancel_plan(5),
        signer.redeem(OUTCOME),
        signer.issue(USD, 9, "2.5"),
        signer.grant_access(2, 5),
        signer.revoke_access(2, 5),
        signer.open_balance(USD),
        signer.close_balance(USD),
        signer.fund(2, USD, 1),
        signer.defund(2, USD, 1),
    ]
    assert [Envelope.from_leaf(leaf).action for leaf in leaves] == list(actions.ACTIONS)
    signers = recover_signers(*join_leaves(leaves), SEPARATOR)
    assert all(row.tobytes() == KEY.address for row in signers)
    nonces = [Envelope.from_leaf(leaf).nonce for leaf in leaves]
    assert nonces == list(range(1_000, 1_000 + len(leaves)))


def test_an_amend_without_a_price_keeps_it():
    item = unpack(actions.AMEND_ITEM, build_amend(MARKET, order=5, size="0.01"))
    assert (item["price"], item["lots"], item["mode"]) == (0, 1, actions.AMEND_SHRINK)


def test_an_order_worth_too_little_is_refused():
    market = Market(1, OKB, USD, 1_000_000, 100, 10**6, 10**6, min_notional=5_000_000)
    with pytest.raises(
        ClientError, match=r"0\.01 at 60 is worth 0\.600000 USD, the least of OKB/USD"
    ):
        build_place(market, "buy", 60, "0.01")


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: build_place(MARKET, "BUY", 1, 1), "side is 'BUY', expected one of buy, sell"),
        (
            lambda: build_place(MARKET, "buy", 1, 1, tif="day"),
            "expected one of gtc, gtt, post_only",
        ),
        (lambda: build_place(MARKET, "buy", 1, 1, stp=[]), "expected one of newest, oldest"),
        (lambda: build_place(MARKET, "buy", 1, 1, expires=-1), "out of range"),
        (lambda: build_place(MARKET, "buy", 1, 1, client_id="x" * 17), "1 to 16 ASCII"),
        (lambda: build_place(MARKET, "buy", 1, 1, client_id="0xzz"), "is not hex"),
        (lambda: build_place(MARKET, "buy", 1, 1, client_id=b"short"), "16 bytes"),
        (build_cancel, "by its id or by its client id"),
        (lambda: build_cancel(1, client_id="a"), "not by both"),
        (lambda: build_cancel(0), "does not exist"),
        (lambda: build_amend(MARKET, order=1, size=1, mode="grow"), "expected one of shrink"),
        (lambda: make_signer().place(), "1 to 30 items, was 0"),
        (lambda: make_signer().cancel(*[build_cancel(1)] * 31), "1 to 30 items, was 31"),
        (lambda: make_signer().approve_key(b"", 1), "an address is 20 bytes"),
        (lambda: make_signer().approve_key(bytes(20), 1, name="ninechars"), "up to 8 ASCII"),
        (lambda: make_signer().transfer(1 << 32, USD, 1), "out of range"),
        (lambda: make_signer(lifetime_ms=0), "lifetime"),
        (lambda: Signer(KEY, 1, 1, b""), "32 bytes"),
        (lambda: to_checksum_address(b""), "20 bytes"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_reason(build, text):
    with pytest.raises(ClientError, match=text):
        build()


def test_client_ids_come_in_many_forms():
    assert to_client_id(None) == bytes(16)
    assert to_client_id("0x" + "ab" * 16) == b"\xab" * 16
    assert to_client_id(b"\1" * 16) == b"\1" * 16
    assert to_client_id(uuid.UUID(int=1)) == (1).to_bytes(16, "big")
