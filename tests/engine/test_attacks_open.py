"""What the present rules let through: each attack here succeeds, so its test is expected to fail.

``strict``: whoever changes a rule so that one of them is stopped finds it here, and moves it to its suite.
"""

from __future__ import annotations

import pytest

from tests.engine.attacks import build_slow, filled, opened, post
from tests.model.world import act, build_world, list_event, list_outcome, update_market
from tradezone.protocol import actions
from tradezone.protocol.enums import SELL, STP_NEWEST

RACE = (2, 3, 4)


def stays_open(reason):
    return pytest.mark.xfail(strict=True, raises=AssertionError, reason=reason)


@stays_open("a taker's fate depends on an own order that its sender may still cancel")
def test_one_own_lot_in_front_does_not_decide_about_a_waiting_taker(zone):
    """With NEWEST an older own order cancels the taker; cancelled in the block of the release, it lets it trade.

    So one lot that stands best is a switch that is thrown after the delay, not before it.
    """
    fills = []
    for is_cancelled in (False, True):
        engine = None if zone.engine is None else type(zone.engine)()
        world = build_slow(type(zone)(engine))
        alice, bob = world.alice, world.bob
        world.zone.block(post(alice, SELL, 11, 1000))
        (switch,) = opened(world.zone.block(post(bob, SELL, 10, 1)))
        world.zone.block(bob.buy(11, 1000, stp=STP_NEWEST))
        world.zone.block()
        cancel = [bob.cancel_order(switch)] if is_cancelled else []
        fills.append(filled(world.zone.block(*cancel, after=60)))
    assert fills[0] == fills[1]


@stays_open(
    "SPLIT takes effect at once, and what it adds counts against the caps of orders that wait"
)
@pytest.mark.parametrize("cap", ["accountCap", "openInterestCap"])
def test_a_split_does_not_call_a_waiting_taker_back(zone, cap):
    """In a market with a cap a split fills it, so the taker is cancelled at its release; a merge gives all back."""
    world = build_world(zone)
    alice, bob, carol = world.alice, world.bob, world.carol
    zone.block(list_event(1, 3), *(list_outcome(n, 1, takerDelay=50) for n in RACE))
    zone.block(*(update_market(zone, n, **{cap: 50_000}) for n in RACE))
    zone.block(post(alice, SELL, 40, 5, market=2))
    zone.block(bob.buy(40, 5, market=2))
    zone.block()
    accomplice = bob if cap == "accountCap" else carol
    outcome = zone.block(act(accomplice, actions.SPLIT, group=1, lots=5), after=60)
    zone.block(act(accomplice, actions.MERGE, group=1, lots=5))
    assert filled(outcome) == [(40, 5)]
