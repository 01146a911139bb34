from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts._units import (
    UnitError,
    format_atoms,
    format_cost,
    format_decimal,
    format_market,
    format_ppm,
    format_seconds,
    format_wei,
    to_atoms,
    to_ms,
    to_ppm,
    to_spot_steps,
    to_wei,
)
from tradezone.client import Asset, Market
from tradezone.protocol.limits import MAX_LOTS, MAX_NOTIONAL, MAX_PRICE, MAX_TICK_VALUE

OKB = Asset(1, "OKB", 9)
USDT = Asset(2, "USDT", 6)


@pytest.mark.parametrize(
    ("text", "wei"),
    [("1", 10**18), ("1.5 OKB", 15 * 10**17), ("1_000", 10**21), ("10,000", 10**22), ("1e-18", 1)],
)
def test_native_coin_is_read_exactly(text, wei):
    assert to_wei(text) == wei


@pytest.mark.parametrize("text", ["0", "-1", "x", "", "nan", "inf", "1e-19", "0x10", "1.2.3"])
def test_nonsense_amounts_are_refused(text):
    with pytest.raises(UnitError):
        to_wei(text)


def test_an_amount_off_the_quantum_names_its_neighbours():
    with pytest.raises(
        UnitError, match=r"not a multiple of 0\.000001 USDT; nearest: 1\.234567 or 1\.234568"
    ):
        to_atoms("1.2345678", USDT)
    with pytest.raises(UnitError, match=r"nearest: 0\.000001$"):
        to_atoms("0.0000001", USDT)


@given(st.integers(1, 10**30))
def test_what_is_shown_reads_back(wei):
    assert to_wei(format_wei(wei)) == wei
    assert format_wei(wei).raw == wei
    assert to_atoms(format_atoms(wei, USDT).removesuffix(" USDT"), USDT) == wei


def test_costs_are_shown_as_far_as_they_matter():
    assert format_cost(88_776_123_456_789) == "0.00008878 OKB"
    assert format_cost(0) == "0 OKB"


@pytest.mark.parametrize(
    ("text", "ppm"),
    [
        ("0.05%", 500),
        ("0.05", 500),
        ("5bp", 500),
        ("-0.01%", -100),
        ("0", 0),
        ("10%", 100_000),
        ("0.0001%", 1),
    ],
)
def test_rates_are_read_in_percent_or_basis_points(text, ppm):
    assert to_ppm(text, "fee") == ppm


def test_a_rate_between_two_ppm_names_both():
    with pytest.raises(UnitError, match=r"nearest: 0\.0012% or 0\.0013%"):
        to_ppm("0.00125%", "taker fee")


@given(st.integers(-10_000, 1_000_000))
def test_rates_read_back(ppm):
    assert to_ppm(format_ppm(ppm), "fee") == ppm


def test_times_need_a_zone():
    assert to_ms("now") == 0
    assert to_ms("2027-01-31T12:00:00Z") == to_ms("2027-01-31T13:00:00+01:00") == 1_801_396_800_000
    with pytest.raises(UnitError, match="did you mean 2027-01-31T12:00Z"):
        to_ms("2027-01-31T12:00")
    with pytest.raises(UnitError, match="is no time"):
        to_ms("tomorrow")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (120, "2 min"), (5400, "90 min"), (3600, "1 h"), (604800, "7 d")],
)
def test_durations_are_shown_in_the_largest_unit_that_fits(seconds, text):
    assert format_seconds(seconds) == text


def test_numbers_are_shown_without_exponent_and_trailing_zeros():
    assert format_decimal(Decimal("1E+6")) == "1,000,000"
    assert format_decimal(Decimal("1234.500")) == "1,234.5"
    assert format_decimal(Decimal("0.00")) == "0"


# --- markets -----------------------------------------------------------------------------------------


def test_steps_of_a_market_in_the_contracts_units():
    steps = to_spot_steps(OKB, USDT, "0.01", "0.1", "10000", "5", "1000")
    assert (steps.lot_size, steps.tick_value) == (10**8, 1000)
    assert (steps.max_price, steps.max_lots, steps.min_notional) == (1_000_000, 10_000, 5_000_000)


@given(
    st.integers(0, 12),
    st.integers(0, 12),
    st.integers(1, 10**6).map(lambda n: Fraction(n, 10**6)),
    st.integers(1, 10**6).map(lambda n: Fraction(n, 10**6)),
    st.integers(1, 10**8),
)
def test_every_market_that_is_accepted_keeps_the_protocols_bounds(base, quote, tick, lot, ratio):
    base, quote = Asset(1, "BASE", base), Asset(2, "QUOTE", quote)
    texts = [
        f"{Decimal(x.numerator) / Decimal(x.denominator):f}" for x in (tick, lot, tick * ratio)
    ]
    try:
        steps = to_spot_steps(base, quote, *texts)
    except UnitError:
        return
    assert 1 <= steps.tick_value <= MAX_TICK_VALUE
    assert 1 <= steps.max_price <= MAX_PRICE
    assert steps.max_price * steps.tick_value <= MAX_NOTIONAL
    assert 1 <= steps.max_lots <= MAX_NOTIONAL // (steps.max_price * steps.tick_value) <= MAX_LOTS
    assert 1 <= steps.lot_size <= MAX_NOTIONAL // steps.max_lots
    market = Market(
        1, base, quote, steps.lot_size, steps.tick_value, steps.max_price, steps.max_lots
    )
    assert (market.tick, market.lot) == (tick, lot)
    assert market.to_ticks(texts[2]) == steps.max_price


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tick": "0.000015"},
            r"tick 0.000015 is not a multiple of 0.00001 USDT at lots of 0.1; nearest: 0",
        ),
        ({"lot": "0.00000000012"}, r"amount 0.00000000012 is not a multiple of 0.000000001 OKB"),
        ({"tick": "0"}, "tick 0 is not above zero"),
        ({"tick": "2000000"}, "too large for lots of 0.1; at most"),
        ({"max_price": "0.015"}, r"highest price 0.015 is not a multiple of 0.01"),
        ({"max_price": "99999999999"}, "highest price 99999999999 is not within 0.01 .. "),
        ({"max_size": "0.15"}, r"largest order 0.15 is not a multiple of 0.1"),
        ({"max_size": "9999999999999"}, "largest order 9999999999999 is not within 0.1 .. "),
        ({"min_notional": "0.0000001"}, "not a multiple of 0.000001 USDT"),
    ],
)
def test_terms_that_cannot_be_are_explained(changes, message):
    terms = {"tick": "0.01", "lot": "0.1", "max_price": "10000"} | changes
    with pytest.raises(UnitError, match=message):
        to_spot_steps(OKB, USDT, **terms)


def test_a_listed_market_is_shown_as_it_was_typed():
    terms = {
        "lotSize": 10**8,
        "tickValue": 1000,
        "maxPrice": 10**6,
        "maxLots": 10**4,
        "minNotional": 5 * 10**6,
        "takerFee": 500,
        "makerFee": -100,
        "protocolShare": 100_000,
        "insuranceShare": 0,
        "takerDelay": 3,
    }
    shown = format_market(OKB, USDT, terms)
    assert (shown["tick"], shown["lot"], shown["highest price"]) == (
        "0.01 USDT",
        "0.1 OKB",
        "10,000",
    )
    assert (shown["largest order"], shown["least value"]) == ("1,000 OKB", "5 USDT")
    assert (shown["taker fee"], shown["maker fee"]) == ("0.05%", "-0.01%")
