"""Payout vectors (docs/spec/oracles.md)."""

from __future__ import annotations

from typing import Final

from .limits import MAX_OUTCOMES, PAYOUT_UNIT

MIN_OUTCOMES: Final = 2
_FRACTION_BITS: Final = 16
_VECTOR_BITS: Final = 256


def to_vector(fractions: list[int]) -> int:
    """Return the payout vector of fractions: 16 bits each, that of outcome 0 highest.

    Raises
    ------
    ValueError
        If there are not 2 to 16 fractions that sum to `PAYOUT_UNIT`.
    """
    if not MIN_OUTCOMES <= len(fractions) <= MAX_OUTCOMES:
        raise ValueError(f"{len(fractions)} fractions, expected {MIN_OUTCOMES} to {MAX_OUTCOMES}")
    if min(fractions) < 0 or sum(fractions) != PAYOUT_UNIT:
        raise ValueError(f"fractions sum to {sum(fractions)}, expected {PAYOUT_UNIT}, none below 0")
    return sum(fraction << _place(i) for i, fraction in enumerate(fractions))


def from_vector(vector: int, outcomes: int) -> list[int]:
    """Return the fractions of a payout vector."""
    return [vector >> _place(i) & 0xFFFF for i in range(outcomes)]


def _place(outcome: int) -> int:
    return _VECTOR_BITS - _FRACTION_BITS * (outcome + 1)
