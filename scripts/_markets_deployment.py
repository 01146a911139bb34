"""Deploy what venues need beside a zone: slots, price providers, resolution of outcomes.

A library like `_deployment`: no command line, no Ape import. The contracts stand beside an existing zone
and point at it; none of the zone's contracts points back, except that the inbox must admit two of them
as sources. An inbox admits its sources once, so a zone that is to hear of oracle sets and resolutions
has to be deployed with `market_sources` among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from scripts._deployment import OKB

KINDS: Final = ("spot", "perp", "outcome", "simulated")
"""Kinds of slots; a kind's number is its place here, from 1."""


@dataclass(frozen=True, slots=True)
class KindTerms:
    """Parameters of the slots of one kind, and what counts as their first price. Rates in bps."""

    min_floor: int  # wei
    base_slots: int
    supply: int
    first_price: int  # wei
    start_multiple: int = 20_000
    floor_share: int = 5_000
    decay: int = 1_000
    round_seconds: int = 31 * 3_600

    def to_abi(self) -> dict[str, int]:
        """Return what the contract takes."""
        return {
            "startMultiple": self.start_multiple,
            "floorShare": self.floor_share,
            "decay": self.decay,
            "baseSlots": self.base_slots,
            "supply": self.supply,
            "roundSeconds": self.round_seconds,
            "minFloor": self.min_floor,
        }


SLOT_KINDS: Final = (
    KindTerms(min_floor=20 * OKB, base_slots=10, supply=1_024, first_price=100 * OKB),
    KindTerms(min_floor=100 * OKB, base_slots=3, supply=512, first_price=500 * OKB),
    KindTerms(min_floor=10 * OKB, base_slots=20, supply=2_048, first_price=50 * OKB),
    KindTerms(min_floor=OKB, base_slots=20, supply=512, first_price=5 * OKB),
)
LICENCE_TERMS: Final = {"termDays": 365, "renewalDays": 60, "graceDays": 30, "idleDays": 30}
