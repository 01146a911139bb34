"""The action quota as intake sees it: `docs/spec/quota.md` against the state of the last block.

The engine charges. Intake only refuses what would certainly be refused: with what the owner has now, less the
costs of envelopes that were let in and are not executed yet.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tradezone.protocol.actions import (
    AMEND,
    CANCEL,
    CANCEL_ALL,
    CANCEL_PLAN,
    CLASS_CANCEL,
    DEAD_MAN,
    MERGE,
    REDEEM,
)
from tradezone.protocol.limits import (
    MICRO,
    QUOTA_CANCEL_ALL,
    QUOTA_DAILY,
    QUOTA_OVERDRAFT,
    QUOTA_TRICKLE,
)
from tradezone.sequencer.jit import compiled

HAS_DEPOSITED: Final = 1  # bit 0 of owner.flags
_DAY: Final = 86_400_000  # ms
# What an owner may do on credit: it only takes risk away.
_ON_CREDIT: Final = (CANCEL, CANCEL_ALL, CANCEL_PLAN, DEAD_MAN, MERGE, REDEEM)


class OwnerQuota(NamedTuple):
    """The fields of an owner's record that its quota follows from."""

    quota: int  # micro-actions, may be negative
    flags: int
    quota_day: int
    trickle_time: int  # ms


@compiled
def get_cost(action: int, items: int) -> int:
    """Micro-actions that an envelope costs (typed actions have one item)."""
    return items * QUOTA_CANCEL_ALL * MICRO if action == CANCEL_ALL else items * MICRO


@compiled
def get_room(owner: OwnerQuota, action: int, leaf_class: int, time: int) -> int:
    """Micro-actions that an envelope of this action and class may cost at ``time`` (ms)."""
    quota = owner.quota
    if not owner.flags & HAS_DEPOSITED and time // _DAY > owner.quota_day:
        quota = max(quota, QUOTA_DAILY * MICRO)
    is_shrink = action == AMEND and leaf_class == CLASS_CANCEL
    if is_shrink or action in _ON_CREDIT:
        quota += QUOTA_OVERDRAFT * MICRO
    return quota


@compiled
def has_trickle(owner: OwnerQuota, cost: int, time: int) -> bool:
    """Whether an envelope of this cost is let through beyond the quota."""
    return cost == MICRO and time >= owner.trickle_time + QUOTA_TRICKLE


@compiled
def is_over_quota(owner: OwnerQuota, action: int, items: int, leaf_class: int, time: int) -> bool:
    """Whether the engine would refuse an envelope (QUOTA_EXCEEDED) if nothing else came before it."""
    cost = get_cost(action, items)
    return cost > get_room(owner, action, leaf_class, time) and not has_trickle(owner, cost, time)
