"""Every kind of item: what is meant, what is sent, and what is refused."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradezone.client import (
    Asset,
    ClientError,
    Leg,
    Market,
    NonceSource,
    NotAMultipleError,
    OutcomeMarket,
    PerpMarket,
    PrivateKey,
    Signer,
    build_amend,
    build_bracket,
    build_cancel,
    build_cancel_all,
    build_market_order,
    build_place,
    build_plan,
    build_pull,
    build_quote,
    build_set,
    to_ppm,
)
from tradezone.protocol import actions
from tradezone.protocol.actions import Envelope, unpack, unpack_items
from tradezone.protocol.enums import (
    BOTH_SIDES,
    BUY,
    GROUP_ORDER,
    GROUP_POSITION,
    ORDER_REDUCE_ONLY,
    PLAN_STOP,
    PLAN_TAKE_PROFIT,
    SELL,
    SOURCE_INDEX,
    SOURCE_LAST,
    SOURCE_MARK,
    STP_BOTH,
    STP_NEWEST,
    STP_OLDEST,
    STP_OWNER,
    TIF_FOK,
    TIF_GTC,
    TIF_IOC,
    TIF_MARKET,
    TIF_POST_ONLY,
    TIF_POST_SLIDE,
)
from tradezone.protocol.limits import PPM

USD = Asset(1, "USD", 6)
OKB = Asset(2, "OKB", 8)
MARKET = Market(1, OKB, USD, 1_000_000, 100, 1_000_000, 1_000_000)  # tick 0.01, lot 0.01
YES = OutcomeMarket(4, "Final", 3, USD, 1_000_000, 10_000, 10**6)  # unit 1 USD, tick 0.01
PERP = PerpMarket(5, "M5-PERP", USD, 100, 10_000_000, 100_000, 10**6)
NO = YES.no
KEY = PrivateKey(b"\x07" * 32)


def make_signer():
    return Signer(KEY, 7, (2 << 32) | 3, bytes(32), nonces=NonceSource(lambda: 1_000))


def placed(*arguments, **options):
    return unpack(actions.PLACE_ITEM, build_place(*arguments, **options))


def planned(*arguments, **options):
    return unpack(actions.PLAN_ITEM, build_plan(*arguments, **options))


def items_of(leaf):
    return unpack_items(Envelope.from_leaf(leaf))


# --- ratios -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "ppm"),
    [
        ("1%", 10_000),
        ("0.01", 10_000),
        (" 0.05 % ", 500),
        (Decimal("0.000001"), 1),
        (0, 0),
        (1, PPM),
    ],
)
def test_a_part_of_one_is_parts_per_million(value, ppm):
    assert to_ppm(value, "fee") == ppm


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.0000001", "finer than a millionth"),
        ("-1%", "not between 0 and 100%"),
        ("101%", "not between 0 and 100%"),
        ("%", "not a number"),
        (0.01, "is a float"),
    ],
)
def test_a_part_that_cannot_be_sent_is_refused(value, text):
    with pytest.raises(ClientError, match=text):
        to_ppm(value, "fee")


# --- orders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tif", "code"),
    [
        ("gtc", TIF_GTC),
        ("gtt", TIF_GTC),
        ("post_only", TIF_POST_ONLY),
        ("post_slide", TIF_POST_SLIDE),
        ("ioc", TIF_IOC),
        ("fok", TIF_FOK),
        ("market", TIF_MARKET),
    ],
)
def test_every_time_in_force(tif, code):
    item = placed(MARKET, "buy", 60, 1, tif=tif, expires=99)
    assert (item["tif"], item["expires"], item["flags"]) == (code, 99, 0)


def test_own_orders_are_those_of_the_account_or_of_the_owner():
    assert placed(MARKET, "buy", 60, 1)["stp"] == STP_NEWEST
    assert placed(MARKET, "buy", 60, 1, stp="both")["stp"] == STP_BOTH
    item = placed(MARKET, "buy", 60, 1, stp="oldest", stp_scope="owner")
    assert item["stp"] == STP_OLDEST | STP_OWNER


def test_an_interface_is_paid_a_part_of_the_notional():
    item = placed(MARKET, "buy", 60, 1, interface=12, interface_fee="0.05%")
    assert (item["interface"], item["interface_fee"]) == (12, 500)


@pytest.mark.parametrize(
    ("side", "reference", "slippage", "price"),
    [
        ("buy", "60", "1%", 6060),
        ("sell", "60", "1%", 5940),
        ("buy", "60.01", "0.01", 6061),  # 60.6101 rounds down
        ("sell", "60.01", "0.01", 5941),  # 59.4099 rounds up
        ("buy", "9999", "50%", 1_000_000),  # no price is above the highest
        ("sell", "0.01", "100%", 1),
        ("buy", 60, 0, 6000),
    ],
)
def test_a_market_order_has_a_worst_price(side, reference, slippage, price):
    item = unpack(
        actions.PLACE_ITEM,
        build_market_order(MARKET, side, 1, reference=reference, slippage=slippage),
    )
    assert (item["price"], item["tif"], item["expires"]) == (price, TIF_MARKET, 0)


@given(
    st.sampled_from(["buy", "sell"]),
    st.integers(1, 10**8),
    st.integers(0, PPM),
    st.sampled_from([MARKET, YES, NO]),
)
def test_a_worst_price_is_never_beyond_what_was_accepted(side, millionths, ppm, market):
    reference = Decimal(millionths).scaleb(-6)
    try:
        ticks = market.to_worst_ticks(side, reference, Decimal(ppm).scaleb(-6))
    except ClientError:
        return
    worst, bound = Fraction(market.from_ticks(ticks)), Fraction(reference)
    if side == "buy":
        assert worst <= bound * (PPM + ppm) / PPM
    else:
        assert worst >= bound * (PPM - ppm) / PPM
    assert 1 <= ticks <= market.max_price


def test_who_closes_may_be_worth_less_than_the_least():
    market = Market(1, OKB, USD, 1_000_000, 100, 10**6, 10**6, min_notional=5_000_000)
    with pytest.raises(ClientError, match="the least of OKB/USD is 5"):
        build_place(market, "buy", 60, "0.01")
    assert placed(market, "sell", 60, "0.01")["lots"] == 1
    outcome = OutcomeMarket(4, "Final", 3, USD, 1_000_000, 10_000, 10**6, min_notional=5_000_000)
    assert placed(outcome, "sell", "0.5", 1, reduce_only=True)["flags"] == ORDER_REDUCE_ONLY
    with pytest.raises(ClientError, match="the least of Final Yes is 5"):
        build_place(outcome, "sell", "0.5", 1)


def test_every_amend_mode():
    modes = {
        mode: unpack(actions.AMEND_ITEM, build_amend(MARKET, order=5, size=1, mode=mode))["mode"]
        for mode in ("shrink", "post_only", "take", "post_slide")
    }
    assert modes == {"shrink": 0, "post_only": 1, "take": 2, "post_slide": 3}


def test_a_cancel_names_an_order_by_id_or_client_id():
    leaf = make_signer().cancel(build_cancel(5), build_cancel(client_id="mine"))
    first, second = items_of(leaf)
    assert (first["order"], first["client_id"]) == (5, bytes(16))
    assert (second["order"], second["client_id"]) == (0, b"mine".ljust(16, b"\0"))


@pytest.mark.parametrize(
    ("arguments", "market", "side"),
    [
        ((), 0, BOTH_SIDES),
        ((None, "sell"), 0, SELL),
        ((MARKET,), 1, BOTH_SIDES),
        ((MARKET, "buy"), 1, BUY),
        ((NO, "buy"), 4, SELL),
        ((NO, "both"), 4, BOTH_SIDES),
    ],
)
def test_a_cancel_all_is_for_a_market_and_a_side_or_for_all(arguments, market, side):
    expected = {"market": market, "side": side}
    assert unpack(actions.CANCEL_ALL_ITEM, build_cancel_all(*arguments)) == expected
    assert items_of(make_signer().cancel_all(*arguments)) == [expected]


# --- ladders ----------------------------------------------------------------------------------------


def test_a_ladder_is_replaced_at_once():
    leaf = make_signer().mass_quote(
        build_quote(MARKET, "buy", "59.99", "1.5", client_id="b1"),
        build_quote(MARKET, "sell", "60.01", 2, client_id="a1", tif="post_slide", expires=9),
        build_pull(MARKET, client_id="b2"),
    )
    first, second, third = items_of(leaf)
    assert (first["price"], first["lots"], first["side"], first["tif"]) == (5999, 150, BUY, 1)
    assert (second["side"], second["tif"], second["expires"]) == (SELL, TIF_POST_SLIDE, 9)
    assert (third["lots"], third["client_id"]) == (0, b"b2".ljust(16, b"\0"))


def test_two_rungs_cannot_rest_under_one_name():
    rungs = [build_quote(MARKET, "buy", price, 1, client_id="b1") for price in (59, 58)]
    with pytest.raises(ClientError, match="two rungs have the client id 0x6231"):
        make_signer().mass_quote(*rungs)
    make_signer().mass_quote(build_pull(MARKET, client_id="b1"), rungs[0])


@pytest.mark.parametrize(("timeout", "sent"), [(0, 0), (5_000, 5_000), (86_400_000, 86_400_000)])
def test_a_dead_man_switch_has_a_timeout(timeout, sent):
    assert items_of(make_signer().dead_man(timeout)) == [{"timeout": sent}]


# --- plans ------------------------------------------------------------------------------------------


def test_a_stop_is_a_market_order_unless_it_has_a_price():
    market = planned(MARKET, "sell", "stop", "55", 2, slippage="2%")
    assert (market["kind"], market["trigger"], market["price"]) == (PLAN_STOP, 5500, 0)
    assert (market["tif"], market["slippage"], market["lots"]) == (TIF_MARKET, 20_000, 200)
    assert (market["source"], market["grouping"], market["parent"]) == (SOURCE_LAST, 0, 0)
    limit = planned(MARKET, "sell", "take_profit", "70", 2, price="69.5", tif="ioc")
    assert (limit["kind"], limit["price"]) == (PLAN_TAKE_PROFIT, 6950)
    assert (limit["tif"], limit["slippage"]) == (TIF_IOC, 0)
    assert planned(MARKET, "sell", "stop", "55", 2)["slippage"] == 50_000
    assert planned(MARKET, "sell", "stop", "55", 2, price=54)["tif"] == TIF_GTC


def test_a_plan_of_a_perpetual_watches_the_price_that_it_names():
    for source, number in (("mark", SOURCE_MARK), ("index", SOURCE_INDEX), ("last", SOURCE_LAST)):
        assert planned(PERP, "buy", "stop", 55, 2, source=source)["source"] == number
    for market in (MARKET, YES):
        with pytest.raises(ClientError, match="is no perpetual"):
            planned(market, "buy", "stop", "0.5", 2, source="mark")


def test_a_perpetual_has_the_steps_of_its_feed():
    """A tick is 10^7 * 1e-8 = 0.1 USD; a lot moves by 100 atoms a tick: 0.0001 / 0.1 = 0.001."""
    assert (PERP.tick, PERP.lot) == (Fraction(1, 10), Fraction(1, 1_000))
    assert (PERP.to_ticks("1000.5"), PERP.to_lots("0.25")) == (10_005, 250)
    assert (PERP.from_ticks(10_005), PERP.from_lots(-250)) == (Decimal("1000.5"), Decimal("-0.25"))
    notional = PERP.to_ticks("1000.5") * PERP.to_lots("0.25") * PERP.tick_value
    assert USD.from_atoms(notional) == Decimal("1000.5") * Decimal("0.25")
    with pytest.raises(NotAMultipleError):
        PERP.to_ticks("1000.55")


def test_a_perpetual_is_reduced_below_its_least_notional():
    least = dataclasses.replace(PERP, min_notional=10**9)
    assert placed(least, "sell", 1, "0.001", reduce_only=True)["flags"] == ORDER_REDUCE_ONLY
    with pytest.raises(ClientError, match="the least of"):
        placed(least, "sell", 1, "0.001")
    legs = build_bracket(PERP, "buy", 1, parent=7, take_profit=Leg(60), stop=Leg(50))
    assert all(unpack(actions.PLAN_ITEM, leg)["flags"] == ORDER_REDUCE_ONLY for leg in legs)


def test_a_plan_may_follow_an_order():
    by_id = planned(MARKET, "sell", "stop", 55, 2, grouping="order", parent=(1 << 32) | 9)
    assert (by_id["grouping"], by_id["parent"]) == (GROUP_ORDER, (1 << 32) | 9)
    by_name = planned(MARKET, "sell", "stop", 55, 2, grouping="order", parent_client_id="mine")
    assert (by_name["parent"], by_name["parent_client_id"]) == (0, b"mine".ljust(16, b"\0"))


def test_a_plan_on_a_position_is_for_all_of_it_or_a_part():
    options = {"grouping": "position", "reduce_only": True}
    item = planned(YES, "sell", "stop", "0.4", None, **options)
    assert (item["grouping"], item["lots"], item["flags"]) == (GROUP_POSITION, 0, ORDER_REDUCE_ONLY)
    assert planned(YES, "sell", "stop", "0.4", 7, **options)["lots"] == 7


def test_a_bracket_is_an_order_and_its_ways_out():
    order = build_place(
        MARKET, "buy", 60, "1.5", client_id="entry", stp="both", stp_scope="owner",
        interface=12, interface_fee="0.05%",
    )  # fmt: skip
    parent, legs = make_signer().bracket(
        MARKET, order, take_profit=Leg("70", "69.9"), stop=Leg("55", slippage="1%")
    )
    assert Envelope.from_leaf(parent).body == order
    assert Envelope.from_leaf(parent).nonce < Envelope.from_leaf(legs).nonce
    profit, stop = items_of(legs)
    for leg in (profit, stop):
        assert (leg["side"], leg["lots"], leg["grouping"]) == (SELL, 150, GROUP_ORDER)
        assert leg["parent_client_id"] == b"entry".ljust(16, b"\0")
        assert (leg["stp"], leg["flags"]) == (STP_BOTH | STP_OWNER, 0)
        assert (leg["interface"], leg["interface_fee"]) == (12, 500)
    assert (profit["kind"], profit["trigger"], profit["price"]) == (PLAN_TAKE_PROFIT, 7000, 6990)
    assert (stop["kind"], stop["trigger"], stop["price"]) == (PLAN_STOP, 5500, 0)
    assert stop["slippage"] == 10_000


def test_a_bracket_of_a_sale_stands_the_other_way_round():
    profit, stop = build_bracket(
        MARKET, "sell", 1, parent=9, take_profit=Leg(50), stop=Leg(66), expires=99
    )
    fields = [unpack(actions.PLAN_ITEM, leg) for leg in (profit, stop)]
    assert [f["side"] for f in fields] == [BUY, BUY]
    assert [f["expires"] for f in fields] == [99, 99]
    assert len(build_bracket(MARKET, "sell", 1, parent=9, stop=Leg(66))) == 1


def test_legs_of_an_outcome_only_reduce():
    legs = build_bracket(YES, "buy", 10, parent=9, take_profit=Leg("0.9"), stop=Leg("0.2"))
    assert all(unpack(actions.PLAN_ITEM, leg)["flags"] == ORDER_REDUCE_ONLY for leg in legs)


# --- outcomes ---------------------------------------------------------------------------------------


def test_an_outcome_has_prices_between_zero_and_one():
    assert (YES.max_price, YES.tick, YES.lot, YES.name) == (99, Fraction(1, 100), 1, "Final Yes")
    assert placed(YES, "buy", "0.37", 12)["price"] == 37
    assert YES.from_ticks(37) == Decimal("0.37")
    with pytest.raises(ClientError, match=r"above the highest of Final Yes, 0\.99"):
        YES.to_ticks("1")
    with pytest.raises(ClientError, match=r"nearest: 0\.37, 0\.38"):
        YES.to_ticks("0.375")
    with pytest.raises(ClientError, match="nearest: 1, 2"):
        YES.to_lots("1.5")


def test_buying_no_is_selling_yes_at_the_other_price():
    no = placed(NO, "buy", "0.37", 12)
    assert no == placed(YES, "sell", "0.63", 12)
    assert NO.from_ticks(no["price"]) == Decimal("0.37")
    assert (NO.name, NO.no) == ("Final No", YES)


@given(st.sampled_from(["buy", "sell"]), st.integers(1, 99), st.integers(0, 500_000))
def test_no_is_yes_seen_from_the_other_side(side, steps, ppm):
    price, slippage = Decimal(steps).scaleb(-2), Decimal(ppm).scaleb(-6)
    other = {"buy": "sell", "sell": "buy"}[side]
    assert placed(NO, side, price, 5) == placed(YES, other, 1 - price, 5)
    stop = planned(NO, side, "stop", price, 5, slippage=slippage)
    assert (stop["side"], stop["trigger"]) == (NO.to_side(side), 100 - steps)
    # As many ticks beyond the trigger as from this side, or fewer where the bound is reached.
    away = stop["trigger"] * stop["slippage"] // PPM
    assert away <= steps * ppm // PPM
    assert away == steps * ppm // PPM or stop["slippage"] == 500_000


def test_sets_are_whole():
    expected = {"group": 3, "lots": 50}
    assert unpack(actions.SET_ITEM, build_set(YES, "50")) == expected
    assert items_of(make_signer().split(3, 50)) == [expected]
    assert items_of(make_signer().merge(NO, 50)) == [expected]
    assert items_of(make_signer().redeem(YES, NO)) == [{"market": 4}, {"market": 4}]
    assert items_of(make_signer().cancel_plan(5, 6)) == [{"plan": 5}, {"plan": 6}]


@pytest.mark.parametrize(("unit", "tick"), [(100, 0), (100, 3), (100, 100), (0, 1)])
def test_a_unit_is_at_least_two_whole_ticks(unit, tick):
    with pytest.raises(ClientError, match="at least two whole ticks"):
        OutcomeMarket(4, "Final", 3, USD, unit, tick, 10**6)


# --- typed actions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "fields"),
    [
        (
            lambda s: s.approve_interface(12, "0.05%", 99),
            {"interface": 12, "maxFee": 500, "expires": 99},
        ),
        (lambda s: s.approve_interface(12, 0), {"interface": 12, "maxFee": 0, "expires": 0}),
        (lambda s: s.faucet(USD), {"asset": 1}),
        (lambda s: s.issue(USD, 9, "2.5"), {"asset": 1, "toAccount": 9, "amount": 2_500_000}),
        (lambda s: s.grant_access(2, 5, 99), {"venue": 2, "grantee": 5, "expires": 99}),
        (lambda s: s.revoke_access(2, 5), {"venue": 2, "grantee": 5}),
        (lambda s: s.open_balance(OKB), {"asset": 2}),
        (lambda s: s.close_balance(OKB), {"asset": 2}),
    ],
)
def test_typed_actions_say_what_was_meant(build, fields):
    envelope = Envelope.from_leaf(build(make_signer()))
    _, layout = actions.TYPED_ACTIONS[envelope.action]
    assert unpack(layout, envelope.body) == fields


# --- refusals ---------------------------------------------------------------------------------------

PLAIN = build_place(MARKET, "buy", 60, 1)
NAMED = build_place(MARKET, "buy", 60, 1, client_id="entry")


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: build_place(MARKET, "buy", 1, 1, tif="gtt"), "expires is 0: say until when"),
        (lambda: build_place(MARKET, "buy", 1, 1, stp_scope="me"), "one of account, owner"),
        (lambda: build_place(MARKET, "buy", 1, 1, reduce_only=True), "is for outcome markets"),
        (lambda: build_place(MARKET, "buy", 1, 1, interface_fee="1%"), "say who gets it"),
        (
            lambda: build_place(MARKET, "buy", 1, 1, interface=3, interface_fee="2%"),
            "not between 0 and 1%",
        ),
        (lambda: build_place(MARKET, "buy", 1, 1, interface=1 << 32), "out of range"),
        (lambda: build_place(MARKET, "buy", 1, 1, expires="soon"), "out of range"),
        (lambda: build_market_order(MARKET, "buy", 1, reference=0, slippage=0), "not above zero"),
        (
            lambda: build_market_order(MARKET, "buy", 1, reference="0.001", slippage=0),
            "no price of OKB/USD within 0 of 0.001",
        ),
        (
            lambda: build_market_order(MARKET, "sell", 1, reference=20_000, slippage="1%"),
            "its highest price 10000",
        ),
        (lambda: build_market_order(MARKET, "up", 1, reference=1, slippage=0), "side is 'up'"),
        (lambda: build_cancel(client_id=bytes(16)), "client id 0 names no order"),
        (lambda: build_cancel_all(MARKET, "all"), "expected one of buy, sell"),
        (lambda: build_quote(MARKET, "buy", 1, 1, client_id=None), "a rung needs a client id"),
        (
            lambda: build_quote(MARKET, "buy", 1, 1, client_id="a", tif="gtc"),
            "expected one of post_only, post_slide",
        ),
        (lambda: build_pull(MARKET, client_id=bytes(16)), "a rung needs a client id"),
        (lambda: make_signer().dead_man(4_999), "expected 0 or 5000 .. 86400000"),
        (lambda: make_signer().dead_man(86_400_001), "expected 0 or 5000"),
        (lambda: make_signer().cancel(PLAIN), "item 0 is 52 bytes, expected 24"),
        (lambda: make_signer().place(PLAIN, PLAIN[:-1]), "item 1 is 51 bytes"),
        (lambda: make_signer().redeem(), "1 to 30 items, was 0"),
        (lambda: build_plan(MARKET, "buy", "trailing", 1, 1), "expected one of stop, take_profit"),
        (lambda: build_plan(MARKET, "buy", "stop", "0.001", 1), "trigger 0.001 is not a multiple"),
        (lambda: build_plan(MARKET, "buy", "stop", 1, None), "size is None"),
        (lambda: build_plan(MARKET, "buy", "stop", 1, 1, source="mid"), "one of last, mark, index"),
        (
            lambda: build_plan(MARKET, "buy", "stop", 1, 1, tif="gtc"),
            "only a limit order has a tif",
        ),
        (
            lambda: build_plan(MARKET, "buy", "stop", 1, 1, price=1, slippage="1%"),
            "a limit has no slippage",
        ),
        (
            lambda: build_plan(MARKET, "buy", "stop", 1, 1, price=1, tif="market"),
            "a market plan has no price",
        ),
        (lambda: build_plan(MARKET, "buy", "stop", 1, 1, slippage="51%"), "between 0 and 50%"),
        (
            lambda: build_plan(MARKET, "buy", "stop", 1, 1, grouping="order"),
            "name the parent of a plan by its id or by its client id",
        ),
        (
            lambda: build_plan(MARKET, "buy", "stop", 1, 1, parent=5),
            "only grouping 'order' has a parent",
        ),
        (
            lambda: build_plan(YES, "buy", "stop", "0.5", 1, grouping="position"),
            "such a plan is reduce_only",
        ),
        (lambda: build_bracket(MARKET, "buy", 1, parent=5), "take_profit, stop, or both"),
        (
            lambda: build_bracket(MARKET, "buy", 1, parent=5, take_profit=Leg(50), stop=Leg(60)),
            "the profit of a buy is above its stop",
        ),
        (
            lambda: build_bracket(MARKET, "sell", 1, parent=5, take_profit=Leg(60), stop=Leg(60)),
            "the profit of a sell is below its stop",
        ),
        (lambda: make_signer().bracket(MARKET, PLAIN, stop=Leg(1)), "needs a client id"),
        (lambda: make_signer().bracket(YES, NAMED, stop=Leg("0.1")), "not an order for market 4"),
        (lambda: make_signer().bracket(MARKET, NAMED[:-1], stop=Leg(1)), "not an order"),
        (lambda: build_set(3, "1.5"), "expected a whole number above zero"),
        (lambda: build_set(3, 0), "expected a whole number above zero"),
        (
            lambda: make_signer().approve_interface(12, "1.1%"),
            "max_fee 1.1% is not between 0 and 1%",
        ),
        (lambda: make_signer().grant_access(1 << 32, 1), "out of range"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_reason(build, text):
    with pytest.raises(ClientError, match=text):
        build()
