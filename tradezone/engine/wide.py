"""Exact arithmetic on products of two 63-bit numbers, without an integer wider than 64 bits.

A product is a pair (high, low) of non-negative numbers: high * 2^63 + low, low < 2^63. Both halves are what the
engine's one integer type holds, so the same code runs compiled and as plain Python, and no library is needed for
a wide division. Arguments are signed numbers of less than 2^63 in size; divisors are positive. A quotient that
would not fit 63 bits raises ValueError: the bounds of ``docs/spec/perps.md`` exclude it.
"""

from __future__ import annotations

from ._jit import i64, jit

_DIGIT = 21  # bits; three digits are one half
_MASK = (1 << _DIGIT) - 1
_HALF = (1 << 62) - 1 + (1 << 62)  # 2^63 - 1


@jit
def mul_wide(a, b):
    """Multiply: a * b as (high, low), for 0 <= a, b < 2^63."""
    a0, a1, a2 = a & _MASK, (a >> _DIGIT) & _MASK, a >> (2 * _DIGIT)
    b0, b1, b2 = b & _MASK, (b >> _DIGIT) & _MASK, b >> (2 * _DIGIT)
    # Each digit of the product is a sum of at most three products of 42 bits and a carry.
    c0 = a0 * b0
    c1 = a0 * b1 + a1 * b0 + (c0 >> _DIGIT)
    c2 = a0 * b2 + a1 * b1 + a2 * b0 + (c1 >> _DIGIT)
    c3 = a1 * b2 + a2 * b1 + (c2 >> _DIGIT)
    c4 = a2 * b2 + (c3 >> _DIGIT)
    low = (c0 & _MASK) | ((c1 & _MASK) << _DIGIT) | ((c2 & _MASK) << (2 * _DIGIT))
    high = (c3 & _MASK) + (c4 << _DIGIT)
    return i64(high), i64(low)


@jit
def add_wide(high, low, more):
    """(high, low) + more as (high, low), for 0 <= more < 2^63."""
    if low > _HALF - more:
        return i64(high + 1), i64(low - (_HALF - more) - 1)
    return i64(high), i64(low + more)


@jit
def div_wide(high, low, c):
    """(high * 2^63 + low) / c as (quotient, remainder), for c > 0; ValueError if the quotient does not fit."""
    if high == 0:
        return i64(low // c), i64(low % c)
    if high >= c:
        raise ValueError("quotient does not fit 63 bits")
    rest, quotient = i64(high), i64(0)
    for place in range(62, -1, -1):
        bit = (low >> place) & 1
        # rest < c; doubling it may pass 63 bits, so the subtraction comes first
        gap = c - rest
        if rest >= gap or rest + bit >= gap:
            rest = rest - gap + bit
            quotient = quotient * 2 + 1
        else:
            rest = rest + rest + bit
            quotient = quotient * 2
    return quotient, rest


@jit
def mul_div_floor(a, b, c):
    """floor(a * b / c), c > 0, exact whatever the size of a * b."""
    is_negative = (a < 0) != (b < 0)
    high, low = mul_wide(abs(i64(a)), abs(i64(b)))
    quotient, rest = div_wide(high, low, i64(c))
    if not is_negative:
        return quotient
    return -quotient - 1 if rest != 0 else -quotient


@jit
def mul_div_ceil(a, b, c):
    """ceil(a * b / c), c > 0."""
    return -mul_div_floor(-i64(a), i64(b), c)


@jit
def mul_div_trunc(a, b, c):
    """Divide: a * b / c rounded towards zero, c > 0."""
    is_negative = (a < 0) != (b < 0)
    high, low = mul_wide(abs(i64(a)), abs(i64(b)))
    quotient, _rest = div_wide(high, low, i64(c))
    return -quotient if is_negative else quotient


@jit
def mul_div_most(a, b, c, most):
    """min(floor(a * b / c), most) for 0 <= a, b and 0 <= most < 2^63 - 1; the quotient itself may pass 63 bits."""
    if compare_products(a, b, i64(most) + 1, c) >= 0:
        return i64(most)
    return mul_div_floor(a, b, c)


@jit
def mul_mul_div_floor(a, b, c, d, e):
    """floor(a * b * c / (d * e)) for 0 <= a, b, c and d, e > 0, if floor(a * b / d) fits 63 bits.

    a * b = q * d + r, so the quotient is floor((q * c + floor(r * c / d)) / e): a whole divisor may be taken first.
    """
    high, low = mul_wide(i64(a), i64(b))
    quotient, rest = div_wide(high, low, i64(d))
    high, low = mul_wide(quotient, i64(c))
    high, low = add_wide(high, low, mul_div_floor(rest, i64(c), d))
    result, _rest = div_wide(high, low, i64(e))
    return result


@jit
def compare_products(a, b, c, d):
    """Sign of a * b - c * d: -1, 0 or 1."""
    left, right = get_sign(a) * get_sign(b), get_sign(c) * get_sign(d)
    if left != right:
        return i64(1) if left > right else i64(-1)
    high1, low1 = mul_wide(abs(i64(a)), abs(i64(b)))
    high2, low2 = mul_wide(abs(i64(c)), abs(i64(d)))
    if high1 == high2 and low1 == low2:
        return i64(0)
    is_more = high1 > high2 or (high1 == high2 and low1 > low2)
    return i64(left) if is_more else i64(-left)


@jit
def get_sign(a):
    """Sign of a number: -1, 0 or 1."""
    if a > 0:
        return i64(1)
    return i64(-1) if a < 0 else i64(0)


@jit
def div_trunc(a, b):
    """Divide: a / b rounded towards zero, b > 0, where ``//`` of a negative number rounds down."""
    return -(-i64(a) // i64(b)) if a < 0 else i64(a) // i64(b)


@jit
def div_ceil(a, b):
    """ceil(a / b), b > 0."""
    return -(-i64(a) // i64(b))
