"""Attacks on books and their fairness: each test names the rule that stops it, and fails without that rule.

Every attack runs against the model alone and against model and engine side by side (fixture `zone`), the audit
after each block. `test_attacks_mutations` takes the rules out of the model one by one and sees the tests fail.
"""

from __future__ import annotations

import pytest

from tests.engine.attacks import (
    build_event,
    build_slow,
    filled,
    opened,
    plan,
    post,
    quote_item,
    reasons,
    trade,
)
from tests.model.orders import get_bucket
from tests.model.world import (
    act,
    list_market,
    place_item,
    update_market,
)
from tradezone.protocol import actions, enums, events, limits
from tradezone.protocol.enums import BUY, SELL, TIF_FOK, TIF_IOC, TIF_POST_ONLY, TIF_POST_SLIDE
from tradezone.protocol.errors import Code

# client ids of account 4 (bob) in the bucket of client id 1 of account 3 (alice), found by trying 20 million
COLLIDING = (
    157971, 1473723, 1963530, 2438680, 2790780, 2942362, 6421686, 6726349, 7863768,
    9257007, 9742924, 10516749, 11942353, 12035289, 12530869, 13349449, 16666975,
)  # fmt: skip


@pytest.fixture
def event(world):
    return build_event(world)


@pytest.fixture
def slow(zone):
    return build_slow(zone)


# --- depth that is not there -------------------------------------------------------------------------


def test_reduce_only_orders_never_show_more_than_can_be_closed(event):
    """Phantom depth: many reduce-only asks on one holding. Rule: a reduce-only order locks what it closes."""
    zone, alice, bob = event.zone, event.alice, event.bob
    zone.block(post(alice, SELL, 40, 10, market=2))
    zone.block(bob.buy(40, 10, market=2))
    flood = [
        place_item(2, SELL, 60 + n, 7, tif=TIF_POST_ONLY, flags=enums.ORDER_REDUCE_ONLY)
        for n in range(5)
    ]
    outcome = zone.block(bob.place(*flood))
    assert outcome.failed[-1] == 3
    assert outcome.code == Code.NOTHING_TO_REDUCE
    assert event.book(2)[1] == [(60, 7), (61, 3)]
    zone.block(alice.buy(99, 10, market=2))
    holding = zone.model.accounts[bob.account].holdings[2]
    assert (holding.yes, holding.no) == (0, 0)


def test_a_reduce_only_order_cannot_be_amended_into_an_opening_one(event):
    """Rule: re-placing a reduce-only order needs cover for all of it."""
    zone, alice, bob = event.zone, event.alice, event.bob
    zone.block(post(alice, SELL, 40, 5, market=2))
    zone.block(bob.buy(40, 5, market=2))
    (order,) = opened(zone.block(post(bob, SELL, 60, 5, market=2, flags=1)))
    outcome = zone.block(bob.amend_order(order, 6, 60, mode=actions.AMEND_POST_ONLY))
    assert outcome.code == Code.NOTHING_TO_REDUCE
    assert event.book(2)[1] == [(60, 5)]


def test_an_own_order_placed_later_cannot_call_a_waiting_one_back(slow):
    """STP as a free option: a post-only placed in front of the own taker. Rule: the later own order leaves."""
    zone, alice, bob = slow.zone, slow.alice, slow.bob
    zone.block(post(alice, SELL, 10, 5))
    (taker,) = opened(zone.block(bob.buy(10, 5)))
    zone.block(post(bob, SELL, 9, 5))
    zone.block(), zone.block()
    outcome = zone.block(after=60)
    assert [e["tif"] for e in outcome.of(events.ORDER_CANCELLED)] == [enums.CANCEL_STP]
    assert outcome.of(events.ORDER_CANCELLED)[0]["order"] != taker
    assert filled(outcome) == [(10, 5)]


@pytest.mark.parametrize("way", ["cancel", "cancel all", "amend", "dead man", "sell the money"])
def test_a_waiting_taker_cannot_be_withdrawn(slow, way):
    """A free look at 50 ms of the future. Rule: a cancel of a waiting order only turns its rest into IOC."""
    zone, alice, bob = slow.zone, slow.alice, slow.bob
    zone.block(post(alice, SELL, 10, 5))
    if way == "dead man":
        zone.block(act(bob, actions.DEAD_MAN, timeout=limits.MIN_DEAD_MAN))
    (taker,) = opened(zone.block(bob.buy(10, 8), at=zone.time + limits.MIN_DEAD_MAN - 20))
    money = slow.free(bob, 1)
    outcome = {
        "cancel": lambda: zone.block(bob.cancel_order(taker)),
        "cancel all": lambda: zone.block(act(bob, actions.CANCEL_ALL, side=2)),
        "amend": lambda: zone.block(bob.amend_order(taker, 1)),
        "dead man": lambda: zone.block(after=25),
        "sell the money": lambda: zone.block(bob.withdraw(1, money + 1)),
    }[way]()
    assert outcome.of(events.ORDER_CANCELLED) == []
    zone.block(), zone.block()
    outcome = zone.block(after=60)
    assert filled(outcome) == [(10, 5)]
    is_called = way in ("cancel", "cancel all", "dead man")
    assert (slow.book()[0] == []) == is_called


@pytest.mark.parametrize(
    "mode", [actions.AMEND_TAKE, actions.AMEND_POST_ONLY, actions.AMEND_POST_SLIDE]
)
def test_an_amend_cannot_take_ahead_of_the_delay(slow, mode):
    """A resting order amended to cross. Rule: what can take waits; the post modes never take."""
    zone, alice, bob = slow.zone, slow.alice, slow.bob
    zone.block(post(alice, SELL, 10, 5))
    (order,) = opened(zone.block(post(bob, BUY, 5, 5)))
    outcome = zone.block(bob.amend_order(order, 5, 10, mode=mode))
    assert filled(outcome) == []
    if mode == actions.AMEND_TAKE:
        assert len(outcome.of(events.ORDER_WAITING)) == 1
        assert filled(zone.block(after=20)) == []
        zone.block()
        assert filled(zone.block(after=60)) == [(10, 5)]
    elif mode == actions.AMEND_POST_ONLY:
        assert outcome.code == Code.POST_ONLY_WOULD_CROSS
    else:
        assert slow.book()[0] == [(9, 5)]


def test_a_cancel_overtakes_a_mixed_envelope(slow):
    """A taker hidden among quotes does not get the quotes' turn. Rule: an envelope has its slowest item's class."""
    zone, alice, bob = slow.zone, slow.alice, slow.bob
    (quote,) = opened(zone.block(post(alice, SELL, 10, 5)))
    mixed = bob.place(
        place_item(1, BUY, 9, 1, tif=TIF_POST_ONLY), place_item(1, BUY, 10, 5, tif=TIF_IOC)
    )
    late = post(slow.carol, BUY, 9, 1)
    outcome = zone.block(mixed, late, alice.cancel_order(quote))
    assert outcome.kinds()[0] == events.ORDER_CANCELLED
    rested = [e["account"] for e in outcome.of(events.ORDER_RESTED)]
    assert rested == [slow.carol.account, bob.account]


def test_an_order_that_expires_while_it_waits_never_trades(slow):
    """Rule: a released order that has expired is cancelled, whether its timer was served or not."""
    zone, alice, bob = slow.zone, slow.alice, slow.bob
    zone.block(post(alice, SELL, 10, 5))
    zone.block(bob.buy(10, 5, expires=zone.time + 10))
    zone.block(), zone.block()
    outcome = zone.block(after=60)
    assert [e["tif"] for e in outcome.of(events.ORDER_CANCELLED)] == [enums.CANCEL_EXPIRED]
    assert filled(outcome) == []
    assert slow.locked(bob, 1) == 0


def test_an_expired_quote_is_not_met_however_late_its_timer_is(world, monkeypatch):
    """Timers behind a flood: Rule: a maker is looked at before it trades."""
    zone, alice, bob = world.zone, world.alice, world.bob
    zone.block(post(alice, SELL, 10, 5, expires=zone.time + 5))
    if zone.engine is None:
        monkeypatch.setattr(limits, "BLOCK_TIMERS", 0)
    outcome = zone.block(bob.buy(10, 5), after=5)
    assert [e["tif"] for e in outcome.of(events.ORDER_CANCELLED)] == [enums.CANCEL_EXPIRED]
    assert filled(outcome) == []


# --- floods ------------------------------------------------------------------------------------------


def test_a_taker_meets_no_more_makers_in_a_block_than_the_bound(world):
    """300 dust quotes in the way. Rule: MAX_FILLS makers a block, then the taker waits on; other books go on."""
    zone, alice, bob, carol = world.zone, world.alice, world.bob, world.carol
    zone.block(list_market(2))
    dust = [place_item(1, SELL, 10, 1, tif=TIF_POST_ONLY)] * 30
    zone.block(*(alice.place(*dust) for _ in range(10)), post(alice, SELL, 10, 1, market=2))
    outcome = zone.block(bob.buy(10, 300), carol.buy(10, 1), carol.buy(10, 1, market=2))
    assert len(outcome.of(events.FILL)) == limits.MAX_FILLS + 1
    assert outcome.events[-2]["market"] == 2
    outcome = zone.block()
    fills = outcome.of(events.FILL)
    assert len(fills) == 300 - limits.MAX_FILLS
    assert {e["account"] for e in fills} == {bob.account}
    assert world.book()[0] == [(10, 1)]


def test_a_block_releases_no_more_than_its_meetings(world):
    """Fill-or-kills that look at 256 quotes each and take none. Rule: looks are meetings, BLOCK_MEETINGS a block."""
    zone, alice, bob = world.zone, world.alice, world.bob
    zone.is_checking = False
    dust = [place_item(1, SELL, 10, 1, tif=TIF_POST_ONLY)] * 30
    zone.block(*(alice.place(*dust) for _ in range(10)))
    looks = place_item(1, BUY, 10, 10**6, tif=TIF_FOK)
    each = 1 + limits.MAX_FILLS
    most = -(-limits.BLOCK_MEETINGS // each)
    outcome = zone.block(bob.place(*[looks] * 30), bob.place(*[looks] * 10), world.carol.buy(10, 1))
    assert reasons(outcome) == [enums.CANCEL_FOK] * most
    assert filled(outcome) == []
    outcome = zone.block()
    assert reasons(outcome) == [enums.CANCEL_FOK] * (40 - most)
    assert filled(outcome) == [(10, 1)]
    zone.check_thoroughly()


def test_a_flooded_bucket_stops_one_name_and_nothing_else(world):
    """16 orders with client ids that hang in the victim's bucket. Rule: MAX_BUCKET_LENGTH bounds every walk."""
    zone, alice, bob = world.zone, world.alice, world.bob
    flood = COLLIDING
    assert {get_bucket(bob.account, name) for name in flood} == {get_bucket(alice.account, 1)}
    outcome = zone.block(
        *(post(bob, SELL, 50 + i, 1, client_id=name) for i, name in enumerate(flood))
    )
    assert outcome.codes == [Code.OK] * limits.MAX_BUCKET_LENGTH + [Code.BUCKET_FULL]
    outcome = zone.block(
        post(alice, BUY, 1, 1, client_id=1),
        post(alice, BUY, 1, 1, client_id=2),
        post(alice, BUY, 1, 1),
    )
    assert outcome.codes == [Code.BUCKET_FULL, Code.OK, Code.OK]
    zone.block(bob.cancel_order(client_id=flood[7]))
    assert zone.block(post(alice, BUY, 1, 1, client_id=1)).code == Code.OK


def test_an_old_id_does_not_name_the_order_that_took_its_slot(world):
    """Cancel and amend by the id of a freed slot. Rule: an id carries the generation of its slot."""
    zone, alice, bob = world.zone, world.alice, world.bob
    (old,) = opened(zone.block(post(alice, SELL, 10, 5)))
    zone.block(alice.cancel_order(old))
    (new,) = opened(zone.block(post(alice, SELL, 12, 5)))
    assert old & 0xFFFF_FFFF == new & 0xFFFF_FFFF
    outcome = zone.block(
        alice.cancel_order(old),
        alice.amend_order(old, 1),
        bob.cancel_order(new),
        bob.amend_order(new, 1),
    )
    assert outcome.codes == [Code.ORDER_NOT_FOUND] * 2 + [Code.NOT_ORDER_OWNER] * 2
    assert world.book()[1] == [(12, 5)]
    plan_id = zone.block(plan(alice, trigger=5)).events[0]["order"]
    zone.block(act(alice, actions.CANCEL_PLAN, plan=plan_id))
    zone.block(plan(alice, trigger=5))
    outcome = zone.block(
        act(alice, actions.CANCEL_PLAN, plan=plan_id),
        act(bob, actions.CANCEL_PLAN, plan=plan_id + (1 << 32)),
        plan(alice, side=BUY, grouping=enums.GROUP_ORDER, trigger=5, parent=old),
    )
    assert outcome.codes == [Code.PLAN_NOT_FOUND] * 2 + [Code.PARENT_NOT_FOUND]


def test_a_thousand_cancels_do_not_keep_another_accounts_cancel_all_waiting(world):
    """Rule: tasks of a block look at BLOCK_REMOVALS orders, so seven full accounts go at once."""
    zone, alice, bob = world.zone, world.alice, world.bob
    zone.is_checking = False
    rungs = [place_item(1, SELL, 100, 1, tif=TIF_POST_ONLY)] * 30
    zone.block(*(alice.place(*rungs) for _ in range(limits.MAX_OPEN_ORDERS // 30)))
    zone.block(post(bob, SELL, 10, 5))
    outcome = zone.block(
        act(alice, actions.CANCEL_ALL, side=2),
        act(bob, actions.CANCEL_ALL, side=2),
        world.carol.buy(10, 5),
    )
    assert filled(outcome) == []
    done = [e["account"] for e in outcome.of(events.CANCEL_ALL_DONE)]
    assert done == [alice.account, bob.account]
    zone.check_thoroughly()


def test_a_flood_of_timers_goes_on_over_blocks_and_nothing_expired_trades(world, monkeypatch):
    """More orders that expire in one ms than a block serves. Rules: BLOCK_TIMERS; an expired maker is cancelled."""
    zone, alice = world.zone, world.alice
    if zone.engine is None:
        monkeypatch.setattr(
            limits, "BLOCK_TIMERS", 100
        )  # the engine is built with the bound as it is
    zone.is_checking = False
    late = 60
    count = limits.BLOCK_TIMERS + late
    accounts = [zone.block(alice.create_account()).events[0]["account"] for _ in range(5)]
    zone.block(*(alice.transfer(account, 2, 10**6) for account in accounts))
    end = zone.time + 1000
    rung = place_item(1, SELL, 10, 1, tif=TIF_POST_ONLY, expires=end)
    for n in range(0, count, 30):
        account = accounts[n // 30 % 5]
        zone.block(alice.on(account).place(*[rung] * min(30, count - n)))
    outcome = zone.block(world.bob.buy(9, 1), at=end)
    assert reasons(outcome) == [enums.CANCEL_EXPIRED] * limits.BLOCK_TIMERS
    assert world.book()[1] == [(10, late)]
    outcome = zone.block(world.bob.buy(10, 50), at=end)
    assert reasons(outcome) == [enums.CANCEL_EXPIRED] * late
    assert filled(outcome) == []
    assert zone.model.timers.nodes == []
    zone.check_thoroughly()


def test_one_account_has_one_cancel_all_at_a_time(world):
    """A flood of cancel-alls would fill the list of tasks. Rule: BUSY."""
    items = [act(world.alice, actions.CANCEL_ALL, side=2) for _ in range(5)]
    outcome = world.zone.block(*items)
    assert outcome.codes == [Code.OK] + [Code.BUSY] * 4
    assert len(outcome.of(events.CANCEL_ALL_DONE)) == 1


# --- self-trades -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", range(4))
def test_no_setting_of_self_trades_touches_somebody_elses_order(world, mode):
    """STP abuse: a taker of each mode with the owner's bit among strangers. Rule: own is the same owner."""
    zone, alice, bob = world.zone, world.alice, world.bob
    created = zone.block(bob.create_account()).events[0]["account"]
    second = bob.on(created)
    zone.block(bob.transfer(created, 1, 10**6))
    zone.block(post(alice, SELL, 10, 3), post(bob, SELL, 10, 3))
    outcome = zone.block(second.buy(10, 6, stp=mode | enums.STP_OWNER))
    gone = {e["account"] for e in outcome.of(events.ORDER_CANCELLED)}
    assert alice.account not in gone
    assert filled(outcome) == [(10, 3)]
    assert outcome.of(events.FILL)[0]["other_account"] == alice.account


@pytest.mark.parametrize("mode", range(4))
def test_an_account_never_fills_against_itself(world, mode):
    """Rule: orders of one account are own orders whatever the bits say."""
    zone, bob = world.zone, world.bob
    zone.block(post(bob, SELL, 10, 3))
    assert filled(zone.block(bob.buy(10, 3, stp=mode))) == []


def test_an_own_order_does_not_prop_up_a_fill_or_kill(world):
    """A FOK counts depth that it may not take. Rule: it stops at an older own order, others are passed over."""
    zone, alice, bob = world.zone, world.alice, world.bob
    zone.block(post(alice, SELL, 10, 3), post(bob, SELL, 10, 3), post(alice, SELL, 11, 3))
    outcome = zone.block(bob.buy(11, 6, tif=TIF_FOK))
    assert reasons(outcome) == [enums.CANCEL_FOK]
    outcome = zone.block(bob.buy(11, 6, tif=TIF_FOK, stp=enums.STP_OLDEST))
    assert filled(outcome) == [(10, 3), (11, 3)]


def test_a_ladder_of_thirty_does_not_cross_itself_or_its_old_self(world):
    """A full mass quote that moves through its own old rungs. Rule: all are pulled before one is placed."""
    zone, alice = world.zone, world.alice

    def ladder(middle):
        asks = [quote_item(n + 1, SELL, middle + n + 1, 2) for n in range(15)]
        bids = [quote_item(n + 16, BUY, middle - n, 2) for n in range(15)]
        return act(alice, actions.MASS_QUOTE, *asks, *bids)

    assert zone.block(ladder(50)).failed[-1] == 0
    outcome = zone.block(ladder(66))
    assert outcome.failed[-1] == 0
    bids, asks = world.book()
    assert bids == [(66 - n, 2) for n in range(15)]
    assert asks == [(67 + n, 2) for n in range(15)]
    crossing = act(
        alice, actions.MASS_QUOTE, quote_item(40, SELL, 60, 1), quote_item(41, BUY, 61, 1)
    )
    assert zone.block(crossing).code == Code.POST_ONLY_WOULD_CROSS
    assert filled(outcome) == []


# --- prices ------------------------------------------------------------------------------------------


def test_a_stale_band_cannot_be_crossed_in_one_sweep(world):
    """An order walks through an empty book. Rule: nothing fills further from the anchor than the band."""
    zone, alice, bob = world.zone, world.alice, world.bob
    trade(world, 100)
    zone.block(update_market(zone, 1, band=100_000))
    zone.block(post(alice, SELL, 105, 1), post(alice, SELL, 110, 1), post(alice, SELL, 500, 1))
    outcome = zone.block(bob.buy(500, 3))
    assert outcome.code == Code.PRICE_BAND
    outcome = zone.block(bob.buy(500, 3, tif=enums.TIF_MARKET))
    assert filled(outcome) == [(105, 1), (110, 1)]


@pytest.mark.parametrize("is_taker", [False, True])
def test_what_was_admitted_under_a_wider_band_does_not_trade_outside_the_new_one(slow, is_taker):
    """A quote and a waiting order from before the band was narrowed. Rule: CANCEL_BAND for whoever is outside."""
    zone, alice, bob = slow.zone, slow.alice, slow.bob
    trade(slow, 100)
    zone.block(), zone.block(), zone.block(after=60)
    zone.block(update_market(zone, 1, band=100_000))
    price = 105 if is_taker else 95
    zone.block(post(alice, SELL, price, 1))
    zone.block(bob.buy(price, 1))
    zone.block(update_market(zone, 1, band=10_000))
    zone.block()
    outcome = zone.block(after=60)
    assert filled(outcome) == []
    (gone, *rest) = outcome.of(events.ORDER_CANCELLED)
    assert (gone["tif"], rest) == (enums.CANCEL_BAND, [])
    assert gone["account"] == (bob if is_taker else alice).account


def test_the_anchor_moves_one_band_a_window_however_many_fills(world):
    """Marching the anchor by many small fills. Rule: it is moved once a window."""
    zone, alice, bob = world.zone, world.alice, world.bob
    trade(world, 100)
    zone.block(update_market(zone, 1, band=100_000))
    for price in (110, 121, 133, 146):
        zone.block(post(alice, SELL, price, 1))
        zone.block(bob.buy(price, 1))
    assert zone.model.books[1].last_price == 110
    assert zone.model.books[1].band_price == 100


def test_a_slide_rests_behind_the_best_price_and_never_takes(world):
    """Rule: POST_SLIDE lands one tick behind, also where there is no tick."""
    zone, alice, bob = world.zone, world.alice, world.bob
    zone.block(post(alice, SELL, 1, 5))
    assert zone.block(bob.buy(9, 1, tif=TIF_POST_SLIDE)).code == Code.POST_ONLY_WOULD_CROSS
    assert world.book() == ([], [(1, 5)])
