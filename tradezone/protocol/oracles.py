"""The inbox message about feeds, byte for byte, and payout vectors (docs/spec/oracles.md).

The engine does not read feeds yet, so their message is not among `messages.BODIES`.
"""

from __future__ import annotations

from typing import Final

from .actions import Layout
from .limits import MAX_OUTCOMES, PAYOUT_UNIT

MAX_PROVIDERS: Final = 15  # of a feed: an odd number, and the message fits 512 bytes
MIN_OUTCOMES: Final = 2
INCIDENT_HEARTBEAT: Final = 1  # status of an outbox incident of a price provider
INCIDENT_DEVIATION: Final = 2
INCIDENT_TIME: Final = 3

ORACLE_SET_BODY: Final[Layout] = (
    ("feed", "uint32", 4),
    ("venue", "uint32", 4),
    ("decimals", "uint8", 1),
    ("quorum", "uint8", 1),
    ("count", "uint8", 1),
    ("heartbeat", "uint32", 4),  # ms
    ("deviation", "uint32", 4),  # ppm
    ("effectiveAt", "uint64", 8),  # ms
    *(
        field
        for i in range(MAX_PROVIDERS)
        for field in ((f"provider{i}", "uint32", 4), (f"signer{i}", "address", 20))
    ),
)
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
