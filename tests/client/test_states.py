"""States of orders and plans, told by the events that the engine records."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradezone.client import OrderState, OrderTracker
from tradezone.protocol import events
from tradezone.protocol.enums import (
    BUY,
    CANCEL_AMEND,
    CANCEL_IOC,
    CANCEL_PARENT,
    CANCEL_SIBLING,
    CANCEL_STP,
    CANCEL_USER,
    GROUP_NONE,
    GROUP_ORDER,
    PLAN_STOP,
    SELL,
    SOURCE_LAST,
    TIF_GTC,
    TIF_IOC,
)
from tradezone.protocol.errors import Code

MINE, THEIRS = 7, 8
ORDER, OTHER, PLAN, LEG = (1 << 32) | 5, 6, (2 << 32) | 3, 4
CLIENT_ID = bytes(range(0xF0, 0x100))


def event(kind, **columns):
    row = np.zeros(1, events.EVENT_DTYPE)[0]
    row["kind"] = kind
    for name, value in columns.items():
        row[name] = value
    return row


def placed(kind=events.ORDER_RESTED, order=ORDER, lots=10, **columns):
    defaults = {"account": MINE, "market": 1, "side": BUY, "tif": TIF_GTC, "price": 100}
    return event(kind, order=order, lots=lots, **{**defaults, **columns})


def waiting(**columns):
    return placed(events.ORDER_WAITING, **columns)


def amended(lots, flag=0, **columns):
    return placed(events.ORDER_AMENDED, lots=lots, flag=flag, **columns)


def cancelled(reason=CANCEL_USER, **columns):
    return placed(events.ORDER_CANCELLED, tif=reason, **columns)


def fill(lots, maker=ORDER, left=0, taker=OTHER, price=100):
    return event(
        events.FILL, order=taker, other_order=maker, account=THEIRS, other_account=MINE,
        lots=lots, left=left, price=price,
    )  # fmt: skip


def take(lots, price=100):
    """A fill in which our order is the taker."""
    return fill(lots, maker=OTHER, taker=ORDER, price=price)


def plan_placed(plan=PLAN, parent=0, grouping=GROUP_NONE, lots=10):
    return event(
        events.PLAN_PLACED, order=plan, other_order=parent, account=MINE, market=1, side=SELL,
        tif=PLAN_STOP, flag=SOURCE_LAST | grouping << 4, price=90, lots=lots, left=89,
    )  # fmt: skip


def plan_event(kind, plan=PLAN, **columns):
    return event(kind, order=plan, account=MINE, market=1, **columns)


def track(*rows):
    tracker = OrderTracker()
    tracker.apply(rows)
    return tracker


# --- orders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "state", "is_active"),
    [
        ([placed()], "Open", True),
        ([waiting()], "Open", True),
        ([waiting(), placed()], "Open", True),
        ([placed(), fill(4, left=6)], "Partially filled", True),
        ([waiting(), take(4), placed(lots=6)], "Partially filled", True),
        ([placed(), amended(5)], "Modified", True),
        ([placed(), fill(4, left=6), amended(3)], "Modified", True),
        ([placed(), amended(5), fill(1, left=4)], "Partially filled", True),
        ([placed(), amended(12, flag=1), placed(lots=12)], "Amend and replace", True),
        ([placed(), amended(12, flag=1), waiting(lots=12)], "Amend and replace", True),
        ([placed(), fill(10, left=0)], "Filled", False),
        ([waiting(), take(4), take(6)], "Filled", False),
        ([placed(), cancelled()], "Canceled", False),
        ([waiting(), cancelled(CANCEL_IOC)], "Canceled", False),
        ([placed(), fill(4, left=6), cancelled()], "Partially filled and canceled", False),
        ([waiting(), take(4), cancelled(CANCEL_IOC)], "Partially filled and canceled", False),
        (
            [placed(), fill(4, left=6), cancelled(CANCEL_AMEND)],
            "Partially filled and canceled",
            False,
        ),
    ],
)
def test_state_of_an_order(rows, state, is_active):
    order = track(*rows).orders[ORDER]
    assert (order.state, order.state.is_active) == (state, is_active)


def test_an_order_keeps_what_it_was_placed_with():
    high, low = int.from_bytes(CLIENT_ID[:8], "big"), int.from_bytes(CLIENT_ID[8:], "big")
    row = placed(price=123, client_id1=high, client_id0=low)
    tracker = track(row)
    order = tracker.orders[ORDER]
    assert (order.account, order.market, order.side, order.price) == (MINE, 1, BUY, 123)
    assert (order.open, order.filled, order.client_id) == (10, 0, CLIENT_ID)
    assert tracker.find(MINE, CLIENT_ID) == order
    assert tracker.find(THEIRS, CLIENT_ID) is None


def test_fills_add_up():
    order = track(waiting(), take(3, price=99), take(2, price=100), placed(lots=5)).orders[ORDER]
    assert (order.filled, order.open, order.size, order.cost) == (5, 5, 10, 3 * 99 + 2 * 100)


def test_a_replaced_order_has_its_new_price_and_size():
    order = track(placed(), fill(4, left=6), amended(9, flag=1, price=101)).orders[ORDER]
    assert (order.price, order.open, order.size) == (101, 9, 13)


def test_a_cancel_of_a_waiting_order_is_only_noted():
    tracker = track(waiting(), amended(10, tif=TIF_IOC))
    order = tracker.orders[ORDER]
    assert (order.state, order.is_cancelling, order.tif) == ("Open", True, TIF_GTC)
    tracker.apply([take(4), cancelled(CANCEL_IOC, lots=6)])
    assert tracker.orders[ORDER].state == "Partially filled and canceled"
    assert tracker.orders[ORDER].reason == CANCEL_IOC


def test_an_ioc_that_self_trade_prevention_shrinks_is_modified():
    rows = [waiting(tif=TIF_IOC), amended(7, tif=TIF_IOC)]
    order = track(*rows).orders[ORDER]
    assert (order.state, order.open, order.is_cancelling) == ("Modified", 7, False)
    assert track(*rows, cancelled(CANCEL_STP, lots=0)).orders[ORDER].state == "Canceled"


def test_both_sides_of_a_fill_are_followed():
    tracker = track(placed(), waiting(order=OTHER, account=THEIRS, side=SELL), fill(10, left=0))
    assert tracker.orders[ORDER].state == tracker.orders[OTHER].state == "Filled"
    assert not list(tracker.get_active_orders())


def test_only_the_accounts_asked_for_are_followed():
    tracker = OrderTracker([MINE])
    tracker.apply([placed(), waiting(order=OTHER, account=THEIRS, side=SELL), fill(4, left=6)])
    assert set(tracker.orders) == {ORDER}
    assert [order.open for order in tracker.get_active_orders(MINE)] == [6]
    assert not list(tracker.get_active_orders(THEIRS))


def test_orders_from_before_are_passed_over():
    tracker = track(fill(4, left=6), amended(5), cancelled(), plan_event(events.PLAN_ARMED_NOW))
    assert not tracker.orders
    assert not tracker.plans


def test_a_slot_used_again_is_another_order():
    again = (2 << 32) | 5
    tracker = track(placed(), cancelled(), placed(order=again))
    assert [tracker.orders[n].state for n in (ORDER, again)] == ["Canceled", "Open"]
    tracker.forget_inactive()
    assert set(tracker.orders) == {again}


def test_changes_are_returned_one_by_one():
    changed = OrderTracker().apply([placed(), fill(4, left=6), cancelled()])
    assert [order.state for order in changed] == [
        OrderState.OPEN,
        OrderState.PARTIALLY_FILLED,
        OrderState.PARTIALLY_FILLED_AND_CANCELED,
    ]


def test_rows_may_be_mappings():
    row = {name: placed()[name].item() for name in events.EVENT_DTYPE.names}
    assert track(row).orders == track(placed()).orders


@given(
    st.lists(
        st.tuples(st.sampled_from(["fill", "shrink", "replace"]), st.integers(1, 20)), max_size=12
    )
)
def test_open_and_filled_lots_are_those_of_the_zone(steps):
    tracker, left, filled = track(placed(lots=50)), 50, 0
    for what, lots in steps:
        if what == "fill" and lots <= left:
            left, filled = left - lots, filled + lots
            tracker.apply([fill(lots, left=left)])
        elif what == "shrink" and lots <= left:
            left = lots
            tracker.apply([amended(left)])
        elif what == "replace" and left:
            left = lots
            tracker.apply([amended(left, flag=1), placed(lots=left)])
        order = tracker.orders[ORDER]
        assert (order.open, order.filled) == (left, filled)
        assert order.state.is_active is (left > 0)


# --- plans ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([plan_placed()], "Open"),
        ([plan_placed(), plan_event(events.PLAN_ARMED_NOW)], "Open"),
        (
            [plan_placed(), plan_event(events.PLAN_TRIGGERED, other_order=ORDER, lots=10)],
            "Triggered",
        ),
        ([plan_placed(), plan_event(events.PLAN_FAILED, error=48)], "Triggered and failed"),
        (
            [
                plan_placed(parent=ORDER, grouping=GROUP_ORDER),
                plan_event(events.PLAN_FAILED, error=48),
            ],
            "Failed",
        ),
        ([plan_placed(), plan_event(events.PLAN_CANCELLED, tif=CANCEL_USER)], "Canceled"),
    ],
)
def test_state_of_a_plan(rows, state):
    assert track(*rows).plans[PLAN].state == state


def test_a_plan_keeps_what_it_was_placed_with():
    plan = track(plan_placed(parent=ORDER, grouping=GROUP_ORDER)).plans[PLAN]
    assert (plan.account, plan.market, plan.side, plan.kind) == (MINE, 1, SELL, PLAN_STOP)
    assert (plan.source, plan.grouping, plan.parent) == (SOURCE_LAST, GROUP_ORDER, ORDER)
    assert (plan.trigger, plan.price, plan.lots, plan.is_armed) == (90, 89, 10, False)


def test_a_plan_and_the_order_that_it_sent_know_each_other():
    tracker = track(
        plan_placed(),
        plan_event(events.PLAN_ARMED_NOW),
        plan_event(events.PLAN_TRIGGERED, other_order=ORDER, lots=8),
        waiting(side=SELL, lots=8),
    )
    plan, order = tracker.plans[PLAN], tracker.orders[ORDER]
    assert (plan.is_armed, plan.order, plan.lots) == (True, ORDER, 8)
    assert (order.plan, order.state) == (PLAN, "Open")
    assert not list(tracker.get_active_plans())


def test_why_a_plan_came_to_nothing_is_kept():
    assert track(plan_placed(), plan_event(events.PLAN_FAILED, error=48)).plans[PLAN].error == (
        Code.INSUFFICIENT_BALANCE
    )
    gone = plan_event(events.PLAN_CANCELLED, tif=CANCEL_PARENT)
    assert track(plan_placed(), gone).plans[PLAN].reason == CANCEL_PARENT


def test_legs_shrink_to_what_their_order_has_filled():
    legs = [plan_placed(plan, ORDER, GROUP_ORDER) for plan in (PLAN, LEG)]
    tracker = track(placed(), *legs, fill(4, left=6))
    assert [tracker.plans[n].lots for n in (PLAN, LEG)] == [10, 10]
    tracker.apply([cancelled(lots=6)])
    assert [tracker.plans[n].lots for n in (PLAN, LEG)] == [4, 4]
    tracker.apply(
        [
            plan_event(events.PLAN_CANCELLED, LEG, tif=CANCEL_SIBLING),
            plan_event(events.PLAN_TRIGGERED, other_order=OTHER, lots=4),
        ]
    )
    assert [tracker.plans[n].state for n in (PLAN, LEG)] == ["Triggered", "Canceled"]


def test_legs_of_an_order_without_a_fill_go_with_it():
    tracker = track(
        placed(),
        plan_placed(PLAN, ORDER, GROUP_ORDER),
        plan_event(events.PLAN_CANCELLED, tif=CANCEL_PARENT),
        cancelled(),
    )
    assert (tracker.plans[PLAN].state, tracker.plans[PLAN].lots) == ("Canceled", 10)


def test_names_are_the_official_ones():
    assert [str(state) for state in OrderState] == [
        *("Open", "Partially filled", "Modified", "Amend and replace"),
        *("Filled", "Triggered", "Triggered and failed", "Failed", "Canceled"),
        "Partially filled and canceled",
    ]
