"""The ledger on hand-made events: each rule by itself, and what must be refused.

Amounts are those of docs/spec: an outcome lot pays `unit` = 1000, a tick is worth 10, prices run from 1 to 99.
"""

from __future__ import annotations

import numpy as np
import pytest

from tradezone.protocol import events as kinds
from tradezone.protocol.enums import BUY, MARKET_OUTCOME, MARKET_SPOT, SELL
from tradezone.protocol.events import (
    ACCOUNT_CREATED,
    DEPOSITED,
    EVENT_DTYPE,
    FEES,
    FILL,
    ORDER_AMENDED,
    ORDER_CANCELLED,
    ORDER_RESTED,
    ORDER_WAITING,
    OWNER_REGISTERED,
    VENUE_CREATED,
    WITHDRAWN,
)
from tradezone.views import (
    Balance,
    GapError,
    Holding,
    Ledger,
    MisfitError,
    ViewError,
)

USD, BTC, MARKET, EVENT, VENUE = 1, 2, 1, 7, 3
PROTOCOL, ALICE, BOB, FEE, FUND, DOOR = 1, 2, 3, 4, 5, 6
POST, GTC = 1, 0


class Zone:
    """Writes events into a ledger, one by one, and checks it after each block of them."""

    def __init__(self):
        self.ledger = Ledger()

    def tell(self, *events):
        rows = np.zeros(len(events), dtype=EVENT_DTYPE)
        rows["seq"] = self.ledger.cursor.next_seq + np.arange(len(events))
        for row, (kind, columns) in zip(rows, events, strict=True):
            row["kind"] = kind
            for name, value in columns.items():
                row[name] = value
        self.ledger.apply(rows)
        self.ledger.check()

    def usd(self, account):
        return tuple(self.ledger.get_balance(account, USD))

    def holding(self, account, market=MARKET):
        return tuple(self.ledger.get_holding(account, market))


def event(kind, **columns):
    return kind, columns


def order(kind, number, account, side, price, lots, locked, cover=0, market=MARKET, **columns):
    tif = POST if kind == ORDER_RESTED else GTC
    values = {"order": number, "account": account, "side": side, "price": price, "lots": lots}
    values |= {"amount": locked, "left": cover, "market": market, "tif": tif}
    return event(kind, **(values | columns))


def fill(taker, maker, accounts, side, price, lots, left, fees=(0, 0), market=MARKET):
    return event(
        FILL,
        order=taker,
        other_order=maker,
        account=accounts[0],
        other_account=accounts[1],
        side=side,
        price=price,
        lots=lots,
        left=left,
        amount=fees[0],
        amount2=fees[1],
        market=market,
    )


def terms_of(market, kind, base, lot_size, tick_value, taker_fee=0, maker_fee=0):
    columns = {"market": market, "flag": kind, "account": base, "other_account": USD}
    return (
        event(kinds.MARKET_LISTED, market=market, account=VENUE),
        event(kinds.MARKET_TERMS, **columns, price=99, order=lot_size, other_order=tick_value),
        event(kinds.MARKET_FEES, market=market, order=taker_fee, other_order=maker_fee),
    )


@pytest.fixture
def zone():
    """People, a venue, and 100,000 USD each for Alice and Bob."""
    zone = Zone()
    zone.tell(
        event(OWNER_REGISTERED, account=PROTOCOL, order=1),
        event(OWNER_REGISTERED, account=ALICE, order=2),
        event(OWNER_REGISTERED, account=BOB, order=3),
        event(VENUE_CREATED, market=VENUE, account=FEE, other_account=FUND),
        event(DEPOSITED, account=ALICE, market=USD, amount=100_000),
        event(DEPOSITED, account=BOB, market=USD, amount=100_000),
    )
    return zone


@pytest.fixture
def outcome(zone):
    """An event with two outcomes, so one market, without fees."""
    listed = event(
        kinds.EVENT_LISTED, market=EVENT, account=VENUE, other_account=USD, flag=2, amount=1_000
    )
    zone.tell(listed, *terms_of(MARKET, MARKET_OUTCOME, EVENT, 1_000, 10))
    return zone


@pytest.fixture
def sets(zone):
    """An event with three outcomes in markets 1, 2, 3."""
    listed = event(
        kinds.EVENT_LISTED, market=EVENT, account=VENUE, other_account=USD, flag=3, amount=1_000
    )
    terms = (t for market in (1, 2, 3) for t in terms_of(market, MARKET_OUTCOME, EVENT, 1_000, 10))
    zone.tell(listed, *terms)
    return zone


# --- spot --------------------------------------------------------------------------------------------


def list_spot(zone, taker_fee=1_000, maker_fee=500):
    zone.tell(*terms_of(MARKET, MARKET_SPOT, BTC, 10, 100, taker_fee, maker_fee))


def test_terms_come_from_events_and_fees_go_to_whom_they_name(zone):
    """5 lots at 20: 10,000; fees 10 and 5, of the taker 30 more for the interface."""
    list_spot(zone)
    zone.tell(event(DEPOSITED, account=BOB, market=BTC, amount=100))
    zone.tell(
        order(ORDER_RESTED, 50, BOB, SELL, 20, 5, 50),
        order(ORDER_WAITING, 51, ALICE, BUY, 20, 5, 10_040, amount2=3_000),
        fill(51, 50, (ALICE, BOB), BUY, 20, 5, 0, fees=(40, 5)),
        event(kinds.FEE_SHARE, market=MARKET, account=DOOR, order=51, flag=1, amount=30),
        event(FEES, market=MARKET, amount=9, amount2=2, left=4),
    )
    assert zone.usd(ALICE) == (100_000 - 10_040, 0)
    assert zone.usd(BOB) == (100_000 + 10_000 - 5, 0)
    assert zone.ledger.get_balance(ALICE, BTC) == Balance(50, 0)
    assert zone.ledger.get_balance(BOB, BTC) == Balance(50, 0)
    assert zone.ledger.fees == {(DOOR, USD): 30, (FEE, USD): 9, (FUND, USD): 2, (PROTOCOL, USD): 4}
    assert not zone.ledger.orders


def test_an_order_filled_in_part_locks_what_its_rest_needs(zone):
    """The lock of 4 lots at 20 with a worst fee of 1000 + 3000 ppm is 8,000 + 32."""
    list_spot(zone)
    zone.tell(event(DEPOSITED, account=BOB, market=BTC, amount=100))
    zone.tell(
        order(ORDER_RESTED, 50, ALICE, BUY, 20, 5, 10_040, amount2=3_000),
        order(ORDER_WAITING, 51, BOB, SELL, 20, 1, 10),
        fill(51, 50, (BOB, ALICE), SELL, 20, 1, 4, fees=(2, 7)),
        event(FEES, market=MARKET, amount=9),
    )
    (rest,) = zone.ledger.get_orders(ALICE)
    assert (rest.lots, rest.filled, rest.locked) == (4, 1, 8_032)
    assert zone.usd(ALICE) == (100_000 - 2_007 - 8_032, 8_032)


def test_fees_are_shared_out_whole(zone):
    list_spot(zone)
    zone.tell(event(DEPOSITED, account=BOB, market=BTC, amount=100))
    zone.tell(
        order(ORDER_RESTED, 50, BOB, SELL, 20, 5, 50),
        order(ORDER_WAITING, 51, ALICE, BUY, 20, 5, 10_010),
    )
    trade = fill(51, 50, (ALICE, BOB), BUY, 20, 5, 0, fees=(10, -4))
    with pytest.raises(MisfitError, match=r"\(FEES\): 1 atoms of the last fill's fees"):
        zone.tell(trade, event(FEES, market=MARKET, amount=5))


# --- outcomes ----------------------------------------------------------------------------------------


def trade_outcome(zone, price=30, lots=5):
    """Bob sells what he does not have, Alice buys: sets come into being."""
    zone.tell(
        order(ORDER_RESTED, 50, BOB, SELL, price, lots, (1_000 - 10 * price) * lots),
        order(ORDER_WAITING, 51, ALICE, BUY, price, lots, 10 * price * lots),
        fill(51, 50, (ALICE, BOB), BUY, price, lots, 0),
    )


def test_buyer_and_seller_pay_for_a_set(outcome):
    trade_outcome(outcome)
    assert outcome.usd(ALICE) == (100_000 - 1_500, 0)
    assert outcome.usd(BOB) == (100_000 - 3_500, 0)
    assert outcome.holding(ALICE) == (5, 0, 0, 0)
    assert outcome.holding(BOB) == (0, 5, 0, 0)
    assert outcome.ledger.outcome_events[EVENT].cash == 5_000


def test_what_is_covered_is_closed_and_paid(outcome):
    """Alice sells 3 of her 5 Yes and 1 more is not there to sell; Bob buys 4, of which 2 close his No."""
    trade_outcome(outcome)
    outcome.tell(
        order(ORDER_RESTED, 60, ALICE, SELL, 40, 6, 600, cover=5),
        order(ORDER_WAITING, 61, BOB, BUY, 40, 4, 800, cover=2),
    )
    assert outcome.holding(ALICE) == (5, 0, 5, 0)
    assert outcome.holding(BOB) == (0, 5, 0, 2)
    outcome.tell(
        fill(61, 60, (BOB, ALICE), BUY, 40, 4, 2),
        event(kinds.ANNIHILATED, account=BOB, market=MARKET, lots=2, amount=2_000),
    )
    assert outcome.usd(ALICE) == (100_000 - 1_500 - 600 + 1_600, 600)
    assert outcome.usd(BOB) == (100_000 - 3_500 - 800 + 2 * 600 + 2_000, 0)
    assert outcome.holding(ALICE) == (1, 0, 1, 0)
    assert outcome.holding(BOB) == (0, 1, 0, 0)
    assert outcome.ledger.orders[60].cover == 1


def test_a_cancel_frees_the_cover_and_pairs_cancel_to_cash(outcome):
    trade_outcome(outcome)
    outcome.tell(
        order(ORDER_RESTED, 60, ALICE, SELL, 40, 5, 0, cover=5),
        order(ORDER_RESTED, 61, BOB, SELL, 41, 2, 1_180),
        order(ORDER_WAITING, 62, ALICE, SELL, 38, 3, 1_860),
        order(ORDER_RESTED, 63, BOB, BUY, 38, 3, 1_140, cover=0),
        order(ORDER_CANCELLED, 61, BOB, SELL, 41, 2, 1_180, tif=1),
        fill(62, 63, (ALICE, BOB), SELL, 38, 3, 0),
        event(kinds.ANNIHILATED, account=BOB, market=MARKET, lots=3, amount=3_000),
    )
    assert outcome.holding(ALICE) == (5, 3, 5, 0)
    outcome.tell(
        order(ORDER_CANCELLED, 60, ALICE, SELL, 40, 5, 0, cover=5, tif=1),
        event(kinds.ANNIHILATED, account=ALICE, market=MARKET, lots=3, amount=3_000),
    )
    assert outcome.holding(ALICE) == (2, 0, 0, 0)
    assert outcome.holding(BOB) == (0, 2, 0, 0)


def test_an_amend_chooses_the_cover_anew(outcome):
    trade_outcome(outcome)
    outcome.tell(order(ORDER_RESTED, 60, ALICE, SELL, 40, 3, 0, cover=3))
    outcome.tell(order(ORDER_AMENDED, 60, ALICE, SELL, 40, 2, 0, cover=2))
    assert outcome.holding(ALICE) == (5, 0, 2, 0)
    outcome.tell(
        order(ORDER_AMENDED, 60, ALICE, SELL, 45, 6, 550, cover=5, flag=1, tif=POST),
        order(ORDER_RESTED, 60, ALICE, SELL, 45, 6, 550, cover=5),
    )
    assert outcome.holding(ALICE) == (5, 0, 5, 0)
    assert outcome.usd(ALICE) == (98_500 - 550, 550)


def test_sets_are_split_and_merged(sets):
    """Bob holds No of market 2; his split turns it into Yes of the others, and cash comes back first."""
    sets.tell(
        order(ORDER_RESTED, 50, BOB, SELL, 30, 5, 3_500, market=2),
        order(ORDER_WAITING, 51, ALICE, BUY, 30, 5, 1_500, market=2),
        fill(51, 50, (ALICE, BOB), BUY, 30, 5, 0, market=2),
    )
    sets.tell(
        event(kinds.ANNIHILATED, account=BOB, market=2, lots=4, amount=4_000),
        event(kinds.SPLIT, account=BOB, market=EVENT, lots=4, amount=4_000),
    )
    assert sets.usd(BOB) == (96_500, 0)
    assert [sets.holding(BOB, market)[:2] for market in (1, 2, 3)] == [(4, 0), (0, 1), (4, 0)]
    group = sets.ledger.outcome_events[EVENT]
    assert (group.cash, group.sets, group.markets) == (5_000, 4, (1, 2, 3))
    sets.tell(event(kinds.SPLIT, account=ALICE, market=EVENT, lots=2, amount=2_000))
    sets.tell(event(kinds.MERGED, account=ALICE, market=EVENT, lots=1, amount=1_000))
    assert [sets.holding(ALICE, market)[0] for market in (1, 2, 3)] == [1, 6, 1]
    assert sets.ledger.outcome_events[EVENT].sets == 5


def test_a_merge_of_what_is_not_there_is_noticed(sets):
    sets.tell(event(kinds.SPLIT, account=ALICE, market=EVENT, lots=2, amount=2_000))
    with pytest.raises(MisfitError, match="is left with Holding"):
        sets.tell(
            event(kinds.MERGED, account=BOB, market=EVENT, lots=1, amount=1_000),
            event(DEPOSITED, account=BOB, market=USD, amount=1),
        )


def test_holdings_are_paid_out(outcome):
    """Yes pays 60 %, so a lot of Yes gets 600 and a lot of No 400."""
    trade_outcome(outcome)
    payouts = 6_000 << 240 | 4_000 << 224
    limbs = [payouts >> 64 * n & (1 << 64) - 1 for n in range(4)]
    signed = [limb - (1 << 64) if limb >> 63 else limb for limb in limbs[2:]]
    outcome.tell(
        event(
            kinds.EVENT_RESOLVED,
            market=EVENT,
            flag=2,
            client_id0=limbs[0],
            client_id1=limbs[1],
            order=signed[0],
            other_order=signed[1],
        ),
        event(kinds.REDEEMED, account=ALICE, market=MARKET, lots=5, amount=3_000),
        event(kinds.REDEEMED, account=BOB, market=MARKET, left=5, amount=2_000),
    )
    group = outcome.ledger.outcome_events[EVENT]
    assert (group.state, group.payouts, group.cash) == (2, payouts, 0)
    assert outcome.ledger.holdings == {}
    assert outcome.usd(ALICE) == (101_500, 0)


def test_a_payout_of_what_is_not_held_is_noticed(outcome):
    trade_outcome(outcome)
    with pytest.raises(MisfitError, match="Holding"):
        outcome.tell(event(kinds.REDEEMED, account=ALICE, market=MARKET, lots=4, amount=3_000))


# --- plans, switches, balances -----------------------------------------------------------------------


def plan(number, parent=0, lots=9, kind=1, flag=0):
    return event(
        kinds.PLAN_PLACED,
        order=number,
        other_order=parent,
        account=ALICE,
        market=MARKET,
        side=SELL,
        tif=kind,
        flag=flag,
        price=15,
        lots=lots,
        left=14,
    )


def test_plans_follow_what_their_parent_fills(zone):
    list_spot(zone, 0, 0)
    zone.tell(event(DEPOSITED, account=BOB, market=BTC, amount=100))
    zone.tell(
        order(ORDER_RESTED, 50, ALICE, BUY, 20, 5, 10_000),
        plan(70, parent=50, flag=1 << 4),
        plan(71, parent=50, lots=2, kind=2, flag=1 << 4),
        plan(72),
    )
    plans = zone.ledger.plans
    assert [plans[n].is_armed for n in (70, 71, 72)] == [False, False, True]
    assert (plans[70].grouping, plans[70].source, plans[70].trigger, plans[70].price) == (
        1,
        0,
        15,
        14,
    )
    zone.tell(
        order(ORDER_WAITING, 51, BOB, SELL, 20, 3, 30),
        fill(51, 50, (BOB, ALICE), SELL, 20, 3, 2),
    )
    assert plans[70].is_armed
    zone.tell(order(ORDER_CANCELLED, 50, ALICE, BUY, 20, 2, 4_000, tif=1))
    assert [(plans[n].lots, plans[n].parent) for n in (70, 71)] == [(3, 0), (2, 0)]
    zone.tell(
        event(kinds.PLAN_CANCELLED, order=71, account=ALICE, market=MARKET, tif=14),
        event(kinds.PLAN_TRIGGERED, order=70, other_order=52, price=15, lots=3),
        order(ORDER_WAITING, 52, ALICE, SELL, 14, 3, 30),
    )
    assert list(plans) == [72]
    zone.tell(event(kinds.PLAN_FAILED, order=72, account=ALICE, market=MARKET, error=60))
    assert plans == {}
    with pytest.raises(MisfitError, match="plan 72 is not open"):
        zone.tell(event(kinds.PLAN_CANCELLED, order=72))


def test_plans_of_a_parent_that_fills_nothing_leave_by_events(zone):
    list_spot(zone)
    zone.tell(order(ORDER_RESTED, 50, ALICE, BUY, 20, 5, 10_010), plan(70, parent=50))
    zone.tell(
        order(ORDER_CANCELLED, 50, ALICE, BUY, 20, 5, 10_010, tif=1),
        event(kinds.PLAN_CANCELLED, order=70, account=ALICE, market=MARKET, tif=15),
    )
    assert zone.ledger.plans == {}


def test_switches_and_running_cancels_are_known(zone):
    zone.tell(
        event(kinds.DEAD_MAN_SET, account=ALICE, amount=5_000),
        event(kinds.DEAD_MAN_SET, account=BOB, amount=6_000),
        event(kinds.DEAD_MAN_SET, account=BOB),
        event(kinds.CANCEL_ALL_BEGUN, account=BOB, market=MARKET, side=1, tif=11),
        event(kinds.CANCEL_ALL_BEGUN, market=MARKET, side=2, tif=16),
    )
    assert zone.ledger.dead_man == {ALICE: 5_000}
    assert zone.ledger.tasks == {(BOB, 0): (1, 11), (0, MARKET): (2, 16)}
    zone.tell(
        event(kinds.CANCEL_ALL_BEGUN, account=ALICE, side=2, tif=12),
        event(kinds.CANCEL_ALL_DONE, account=ALICE, side=2, tif=12),
        event(kinds.CANCEL_ALL_DONE, account=BOB, market=MARKET, side=1, tif=11),
        event(kinds.CANCEL_ALL_DONE, market=MARKET, side=2, tif=16),
    )
    assert zone.ledger.dead_man == zone.ledger.tasks == {}
    with pytest.raises(MisfitError, match="no such cancel-all"):
        zone.tell(event(kinds.CANCEL_ALL_DONE, account=ALICE, side=2, tif=12))


def test_issued_money_comes_in_and_balances_open_and_close(zone):
    zone.tell(
        event(kinds.BALANCE_OPENED, account=ALICE, market=9),
        event(kinds.ISSUED, account=ALICE, market=9, amount=5, flag=1),
    )
    assert zone.ledger.supply[9] == 5
    with pytest.raises(MisfitError, match="the balance it closes"):
        zone.tell(event(kinds.BALANCE_CLOSED, account=ALICE, market=9))


def test_a_closed_balance_is_gone(zone):
    zone.tell(
        event(kinds.BALANCE_OPENED, account=ALICE, market=9),
        event(kinds.BALANCE_CLOSED, account=ALICE, market=9),
    )
    assert (ALICE, 9) not in zone.ledger.balances


# --- what must be refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "complaint"),
    [
        ([event(WITHDRAWN, account=ALICE, market=USD, amount=100_001)], "would have"),
        ([event(ACCOUNT_CREATED, account=ALICE, order=2)], "there already"),
        ([order(ORDER_RESTED, 50, ALICE, BUY, 20, 5, 10_010, market=8)], "market 8 is not listed"),
        ([order(ORDER_RESTED, 50, ALICE, BUY, 20, 5, 100_001)], "would have"),
        ([order(ORDER_CANCELLED, 50, ALICE, BUY, 20, 5, 10)], "order 50 is not open"),
        ([order(ORDER_RESTED, 50, ALICE, BUY, 20, 0, 10)], "with lots"),
        ([order(ORDER_RESTED, 50, ALICE, BUY, 20, 5, 10, tif=GTC)], "after it waited"),
        ([event(FEES, market=MARKET, amount=3)], "no fill of market 1"),
        ([fill(51, 50, (ALICE, BOB), BUY, 20, 5, 0)], "order 51 is not open"),
        ([event(99)], "kind 99.*update the package"),
        ([plan(70, parent=50)], "order 50, is not open"),
    ],
    ids=str,
)
def test_an_event_that_does_not_fit_is_named(zone, events, complaint):
    list_spot(zone)
    seq = zone.ledger.cursor.next_seq
    with pytest.raises(MisfitError, match=complaint) as caught:
        zone.tell(*events)
    assert caught.value.seq == seq
    assert f"event {seq} (" in str(caught.value)


def test_a_gap_is_named(zone):
    late = np.zeros(1, dtype=EVENT_DTYPE)
    late["seq"], late["kind"] = 100, DEPOSITED
    with pytest.raises(GapError, match="Expected event 7, was 100"):
        zone.ledger.apply(late)


def test_the_check_finds_what_does_not_add_up(zone):
    zone.ledger.balances[ALICE, USD] = Balance(1, 0)
    with pytest.raises(
        ViewError, match="after event 6: Expected 200000 atoms of asset 1, was 100001"
    ):
        zone.ledger.check()
    zone.ledger.balances[ALICE, USD] = Balance(99_999, 1)
    with pytest.raises(ViewError, match="locked"):
        zone.ledger.check()
    zone.ledger.balances[ALICE, USD] = Balance(100_000, 0)
    zone.ledger.holdings[ALICE, MARKET] = Holding(1, 1)
    with pytest.raises(ViewError, match="pairs"):
        zone.ledger.check()
