"""Inbox messages about oracles and results, byte for byte (docs/spec/oracles.md).

The engine does not read them yet, so they are not among `messages.BODIES`.
"""

from __future__ import annotations

from typing import Final

from .actions import Layout

MAX_PROVIDERS: Final = 15  # of a feed: an odd number, and the message fits 512 bytes
GROUP_OPEN: Final = 1  # states of an event group
GROUP_RESOLVED: Final = 2
GROUP_VOID: Final = 3
MIN_OUTCOMES: Final = 2
MAX_OUTCOMES: Final = 16
PAYOUT_WHOLE: Final = 10_000  # fractions of a payout vector sum to this; it divides every unit
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
RESOLUTION_BODY: Final[Layout] = (
    ("group", "uint32", 4),
    ("state", "uint8", 1),  # GROUP_RESOLVED or GROUP_VOID
    ("payouts", "bytes32", 32),  # u16 an outcome, outcome 0 first; zero for VOID
)
_FRACTION_BITS: Final = 16
_VECTOR_BITS: Final = 256


def to_vector(fractions: list[int]) -> int:
    """Return the payout vector of fractions: 16 bits each, that of outcome 0 highest.

    Raises
    ------
    ValueError
        If there are not 2 to 16 fractions that sum to `PAYOUT_WHOLE`.
    """
    if not MIN_OUTCOMES <= len(fractions) <= MAX_OUTCOMES:
        raise ValueError(f"{len(fractions)} fractions, expected {MIN_OUTCOMES} to {MAX_OUTCOMES}")
    if min(fractions) < 0 or sum(fractions) != PAYOUT_WHOLE:
        raise ValueError(
            f"fractions sum to {sum(fractions)}, expected {PAYOUT_WHOLE}, none below 0"
        )
    return sum(fraction << _place(i) for i, fraction in enumerate(fractions))


def from_vector(vector: int, outcomes: int) -> list[int]:
    """Return the fractions of a payout vector."""
    return [vector >> _place(i) & 0xFFFF for i in range(outcomes)]


def _place(outcome: int) -> int:
    return _VECTOR_BITS - _FRACTION_BITS * (outcome + 1)
