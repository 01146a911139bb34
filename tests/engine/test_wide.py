"""Wide arithmetic equals that of Python's unbounded integers, at the edges of 63 bits and inside."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tradezone.engine import wide

MOST = (1 << 63) - 1
EDGES = [0, 1, 2, (1 << 21) - 1, 1 << 21, (1 << 42) - 1, 1 << 42, 1 << 62, MOST - 1, MOST]


def sizes(least: int = 0) -> st.SearchStrategy[int]:
    near = [e for e in EDGES if e >= least]
    short = st.integers(0, 63).flatmap(lambda n: st.integers(least, max(least, (1 << n) - 1)))
    return st.sampled_from(near) | short | st.integers(least, MOST)


def signed() -> st.SearchStrategy[int]:
    return sizes() | sizes().map(lambda n: -n)


def truncate(a: int, b: int) -> int:
    return -(-a // b) if a < 0 else a // b


def get_expected(a: int, b: int, c: int, rounding: str) -> int:
    if rounding == "floor":
        return a * b // c
    return -(-a * b // c) if rounding == "ceil" else truncate(a * b, c)


@given(sizes(), sizes())
@example(MOST, MOST)
def test_a_product_keeps_every_bit(a: int, b: int) -> None:
    high, low = wide.mul_wide(a, b)
    assert (high << 63) + low == a * b
    assert 0 <= low <= MOST
    assert 0 <= high <= MOST


@given(sizes(), sizes(), sizes())
def test_a_sum_carries(a: int, b: int, more: int) -> None:
    high, low = wide.mul_wide(a, b)
    if high < MOST:
        high, low = wide.add_wide(high, low, more)
        assert (high << 63) + low == a * b + more
        assert 0 <= low <= MOST


@pytest.mark.parametrize("rounding", ["floor", "ceil", "trunc"])
@given(a=signed(), b=signed(), c=sizes(1))
@example(a=MOST, b=MOST, c=MOST)
@example(a=-MOST, b=MOST, c=MOST)
@example(a=MOST, b=MOST - 1, c=MOST)
@example(a=-1, b=1, c=MOST)
def test_a_quotient_is_exact_or_refused(rounding: str, a: int, b: int, c: int) -> None:
    function = getattr(wide, f"mul_div_{rounding}")
    if abs(a * b) // c > MOST:
        with pytest.raises(ValueError, match="63 bits"):
            function(a, b, c)
    else:
        assert abs(got := function(a, b, c)) <= MOST + 1
        assert got == get_expected(a, b, c, rounding)


@given(sizes(), sizes(), sizes(1), st.integers(0, MOST - 1))
def test_a_bounded_quotient_never_overflows(a: int, b: int, c: int, most: int) -> None:
    assert wide.mul_div_most(a, b, c, most) == min(a * b // c, most)


@given(sizes(), sizes(), sizes(), sizes(1), sizes(1))
@example(MOST, MOST, MOST, MOST, MOST)
def test_three_factors_over_two(a: int, b: int, c: int, d: int, e: int) -> None:
    if a * b // d <= MOST and a * b * c // (d * e) <= MOST:
        assert wide.mul_mul_div_floor(a, b, c, d, e) == a * b * c // (d * e)
    else:
        with pytest.raises(ValueError, match="63 bits"):
            wide.mul_mul_div_floor(a, b, c, d, e)


@given(signed(), signed(), signed(), signed())
@example(MOST, MOST, MOST - 1, MOST)
@example(-MOST, MOST, -MOST, MOST - 1)
@example(0, -5, 0, 7)
def test_products_compare(a: int, b: int, c: int, d: int) -> None:
    left, right = a * b, c * d
    assert wide.compare_products(a, b, c, d) == (left > right) - (left < right)


@given(a=signed(), b=signed(), d=st.integers(-1, 1))
def test_neighbours_compare(a: int, b: int, d: int) -> None:
    assert wide.compare_products(a, b, a, b) == 0
    if a and abs(b + d) <= MOST:
        assert wide.compare_products(a, b + d, a, b) == wide.get_sign(a) * d


@given(signed(), sizes(1))
def test_short_divisions_round_as_named(a: int, b: int) -> None:
    assert wide.div_trunc(a, b) == truncate(a, b)
    assert wide.div_ceil(a, b) == -(-a // b)
