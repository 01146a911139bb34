"""docs/spec/quota.md: how many actions an owner may send."""

from __future__ import annotations

from tests.model.records import Asset, Owner, require
from tests.model.state import State
from tradezone.protocol import actions, limits
from tradezone.protocol.errors import Code

OWN_PROTECTION = (
    actions.CANCEL,
    actions.CANCEL_ALL,
    actions.CANCEL_PLAN,
    actions.DEAD_MAN,
    actions.MERGE,
    actions.REDEEM,
)
REAL_DEPOSIT = 1  # owner.flags bit 0


def get_cost(envelope: actions.Envelope) -> int:
    """Cost of an envelope, micro-actions."""
    each = limits.QUOTA_CANCEL_ALL if envelope.action == actions.CANCEL_ALL else 1
    return each * envelope.items * limits.MICRO


def charge(zone: State, owner: Owner, envelope: actions.Envelope, leaf_class: int) -> None:
    """The check between NONCE_USED and the burning of the nonce."""
    day = zone.time // 86_400_000
    if not owner.flags & REAL_DEPOSIT and day > owner.quota_day:
        owner.quota = max(owner.quota, limits.QUOTA_DAILY * limits.MICRO)
        owner.quota_day = day
    is_protection = envelope.action in OWN_PROTECTION or (
        envelope.action == actions.AMEND and leaf_class == 1
    )
    floor = -limits.QUOTA_OVERDRAFT * limits.MICRO if is_protection else 0
    cost = get_cost(envelope)
    if owner.quota - cost >= floor:
        owner.quota -= cost
        return
    is_trickle = cost == limits.MICRO and zone.time >= owner.trickle_time + limits.QUOTA_TRICKLE
    require(is_trickle, Code.QUOTA_EXCEEDED)
    owner.trickle_time = zone.time


def note_deposit(owner: Owner, asset: Asset, amount: int) -> None:
    """A real deposit was credited."""
    if not owner.flags & REAL_DEPOSIT and amount >= max(1, asset.quota_deposit):
        owner.flags |= REAL_DEPOSIT
        owner.quota += limits.QUOTA_START * limits.MICRO


def reward(owner: Owner, quote: Asset, least: int) -> None:
    """A fee was paid of which the protocol's least part is `least`."""
    if quote.is_simulated or least == 0:
        return
    gain = min(least, limits.MAX_QUOTA_FEE) * quote.quota_rate
    if gain:
        owner.quota = min(owner.quota + gain, limits.MAX_QUOTA)
