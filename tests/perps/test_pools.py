"""Pools, walls, leverage and orders of perpetuals: docs/spec/pools.md, margin.md, perps.md."""

from __future__ import annotations

import pytest

from tests.model import margin, pools
from tests.model.perp_world import PERP, build_perp_world, list_perp, set_oracle
from tests.model.world import act, amend_item, create_venue, item, tell
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.errors import Code

LOT = 10**6  # atoms of a lot at 1,000
FEE = 500  # ppm, taker


@pytest.fixture
def market():
    return build_perp_world()


def adjust(market, who, direction, amount, pool=PERP):
    body = {"venue": 1, "asset": 1, "market": pool, "direction": direction, "amount": amount}
    return market.block(act(who, actions.ADJUST_MARGIN, **body)).codes[-1]


def set_leverage(market, who, leverage, mode=enums.MODE_ISOLATED, slot=PERP):
    body = item(actions.LEVERAGE, market=slot, mode=mode, leverage=leverage)
    return market.block(act(who, actions.LEVERAGE, body)).codes[-1]


def test_an_order_pulls_initial_margin_and_its_worst_fee(market):
    before = market.free(market.alice)
    market.post(market.alice, BUY, 990, 10)
    # 10x on the worst side at the mark; the fee at its own price; no loss at its own price
    wanted = 10 * LOT // 10 + 10 * 990_000 * FEE // 10**6
    assert before - market.free(market.alice) == wanted == market.ledger.cash
    market.cancel_all(market.alice)
    assert market.free(market.alice) == before
    assert not market.model.pools
    assert not market.model.positions


def test_an_order_through_the_mark_locks_what_it_would_lose(market):
    before = market.free(market.alice)
    market.post(market.alice, BUY, 1_050, 10)
    loss = 10 * 50 * 1_000
    assert before - market.free(market.alice) == LOT + loss + 10 * 1_050_000 * FEE // 10**6


def test_the_worse_side_of_the_orders_counts(market):
    market.trade(market.bob, market.alice, 1_000, 10)
    held = market.pool(market.bob)
    initial = margin.get_pool_values(market.model, held).initial
    market.post(market.bob, SELL, 1_010, 15)  # may turn +10 into -5: not worse than +10
    assert margin.get_pool_values(market.model, held).initial == initial
    market.post(market.bob, SELL, 1_010, 15)  # -20 is worse
    assert margin.get_pool_values(market.model, held).initial == 2 * initial


def test_profit_is_exact_and_comes_home(market):
    before = {who.account: market.free(who) for who in (market.alice, market.bob)}
    market.trade(market.bob, market.alice, 1_000, 7)
    market.price[1] = 1_013
    market.run(250)
    market.trade(market.alice, market.bob, 1_013, 7)
    notionals = (7 * 1_000_000, 7 * 1_013_000)
    taker, maker = ([-(-n * rate // 10**6) for n in notionals] for rate in (500, 200))
    gain = 7 * 13 * 1_000
    assert market.free(market.bob) == before[market.bob.account] + gain - taker[0] - maker[1]
    assert market.free(market.alice) == before[market.alice.account] - gain - maker[0] - taker[1]
    assert market.ledger.cash == market.ledger.fund, "only the insurance share stays"
    assert not market.model.pools


def test_realised_profit_rounds_down_and_the_rest_stays(market):
    market.trade(market.bob, market.alice, 1_000, 1)
    market.trade(market.bob, market.alice, 1_001, 2)
    position = market.find(market.bob)
    assert position.quote == -3_002_000
    market.trade(market.carol, market.bob, 1_001, 1)
    cost = -1_000_667  # a third of the cost, to minus infinity
    assert (position.lots, position.quote) == (2, -3_002_000 - cost)
    realised = [e["amount"] for e in market.last.of(events.REALISED)]
    assert realised == [1_001_000 + cost] == [333]


def test_free_money_outside_the_pool_is_never_touched(market):
    poor = market.add_trader(30, 10**8)
    market.trade(poor, market.bob, 1_000, 10)
    adjust(market, market.bob, actions.MARGIN_ADD, 5 * 10**7)
    free = market.free(poor)
    market.move(850, duration=5_000)
    assert market.lots(poor) == 0
    assert market.free(poor) == free
    assert market.ledger.deficit == 0


def test_margin_can_be_added_and_taken_down_to_what_is_needed(market):
    market.trade(market.bob, market.alice, 1_000, 10)
    assert adjust(market, market.bob, actions.MARGIN_ADD, 10**6) == Code.OK
    assert market.pool(market.bob).kept == 10**6
    market.post(market.bob, BUY, 900, 1)
    market.cancel_all(market.bob)
    assert market.pool(market.bob).collateral > 2 * 10**6 - 10_000, "kept margin stays"
    most = pools.get_releasable(market.model, market.pool(market.bob))
    assert adjust(market, market.bob, actions.MARGIN_TAKE, most + 1) == Code.INSUFFICIENT_MARGIN
    assert adjust(market, market.bob, actions.MARGIN_TAKE, most) == Code.OK
    assert adjust(market, market.bob, actions.MARGIN_TAKE, 1) == Code.INSUFFICIENT_MARGIN
    assert adjust(market, market.bob, actions.MARGIN_ADD, 0) == Code.AMOUNT_OUT_OF_RANGE
    assert adjust(market, market.carol, actions.MARGIN_ADD, 1) == Code.POOL_NOT_FOUND


def test_a_release_leaves_a_tenth_of_the_notional():
    market = build_perp_world(imr0=20_000, mmr0=10_000)  # 50x
    market.trade(market.bob, market.alice, 1_000, 10)
    assert market.pool(market.bob).collateral == 10 * LOT // 50, "the fee was pulled and is paid"
    adjust(market, market.bob, actions.MARGIN_ADD, 10**6)
    assert pools.get_releasable(market.model, market.pool(market.bob)) == 200_000


def test_leverage_and_mode_are_of_the_account_and_instrument(market):
    assert set_leverage(market, market.bob, 1_001) == Code.BAD_LEVERAGE
    assert set_leverage(market, market.bob, 99) == Code.BAD_LEVERAGE
    assert set_leverage(market, market.bob, 500, enums.MODE_CROSS) == Code.BAD_LEVERAGE
    assert set_leverage(market, market.bob, 500) == Code.OK
    before = market.free(market.bob)
    market.post(market.bob, BUY, 1_000, 10)
    assert before - market.free(market.bob) == 2 * LOT + 10 * LOT * FEE // 10**6
    assert set_leverage(market, market.bob, 250) == Code.OK
    assert before - market.free(market.bob) == 4 * LOT + 10 * LOT * FEE // 10**6
    market.poke(market.perp(), is_cross=True)
    assert set_leverage(market, market.bob, 250, enums.MODE_CROSS) == Code.POSITION_OPEN


def test_a_cross_pool_shares_margin_and_an_isolated_one_does_not():
    market = build_perp_world(more=({"feed": 2}, {"feed": 3}))
    market.approve(3, 4, weight=500_000)
    for slot in (3, 4):
        market.trade(market.bob, market.alice, 1_000, 10, market=slot)
    adjust(market, market.alice, actions.MARGIN_ADD, 10**8, pool=0)
    market.price[2] = 1_150
    market.price[3] = 880
    market.run(2_500)
    values = margin.get_pool_values(market.model, market.pool(market.bob, 0))
    assert market.lots(market.bob, 4) == 10, "the other market's profit carries it"
    assert values.pnl > values.maintenance
    # 1.5 M of profit: its own initial margin in full, half of the rest
    initial = 10 * 1_150_000 // 10
    assert values.weighted == values.pnl - (1_500_000 - initial) // 2
    assert list(market.model.accounts[market.bob.account].pools) == [(1, 1, 0)]


def test_reduce_only_orders_ask_for_nothing_and_turn_nothing(market):
    outcome = market.post(market.bob, SELL, 1_010, 5, flags=1)
    assert outcome.codes[-1] == Code.NOTHING_TO_REDUCE
    market.trade(market.bob, market.alice, 1_000, 10)
    free = market.free(market.bob)
    for _ in range(2):
        market.post(market.bob, SELL, 1_010, 8, flags=1)
    assert market.free(market.bob) == free
    market.take(market.carol, BUY, 1_010, 16)
    assert (market.lots(market.bob), market.lots(market.carol)) == (0, 10)
    assert market.last.of(events.ORDER_CANCELLED)


def test_a_maker_without_margin_is_passed_over(market):
    weak = market.add_trader(30, 1_300_000)
    market.trade(weak, market.alice, 1_000, 10)
    market.post(weak, BUY, 960, 1)
    market.post(market.carol, BUY, 955, 5)
    market.price[1] = 940
    market.block(after=250)
    outcome = market.take(market.alice, SELL, 955, 3)
    reasons = {event["account"]: event["tif"] for event in outcome.of(events.ORDER_CANCELLED)}
    assert reasons[weak.account] in (enums.CANCEL_MARGIN, enums.CANCEL_LIQUIDATION)
    assert outcome.of(events.FILL)[0]["other_account"] == market.carol.account


def test_amending_asks_for_the_difference(market):
    before = market.free(market.alice)
    market.post(market.alice, BUY, 990, 10)
    order = market.model.accounts[market.alice.account].orders[0]
    market.block(market.alice.amend(amend_item(order.id, 20, 980, mode=actions.AMEND_POST_ONLY)))
    assert before - market.free(market.alice) == 2 * LOT + 20 * 980_000 * FEE // 10**6
    market.block(market.alice.amend(amend_item(order.id, 5)))
    assert before - market.free(market.alice) == LOT // 2 + 5 * 980_000 * FEE // 10**6


def test_caps_of_account_market_and_venue():
    market = build_perp_world(accountCap=20 * LOT, openInterestCap=30 * LOT)
    assert market.post(market.alice, SELL, 1_000, 21).codes[-1] == Code.ACCOUNT_CAP
    market.trade(market.bob, market.alice, 1_000, 20)
    market.post(market.carol, SELL, 1_000, 20)
    outcome = market.take(market.add_trader(40), BUY, 1_000, 20)
    assert outcome.of(events.ORDER_CANCELLED)[0]["tif"] == enums.CANCEL_CAP
    market.block(tell(messages.SET_RISK, venue=1, asset=1, cap=20 * LOT))
    assert market.post(market.carol, SELL, 1_000, 1).codes[-1] == Code.VENUE_CAP
    market.block(tell(messages.SET_RISK, venue=1, asset=1, cap=0))
    closing = market.post(market.alice, BUY, 999, 20, flags=1)
    assert closing.codes[-1] == Code.OK, "closing is always allowed"
    size = limits.MAX_POSITION_VALUE // (100_000 * 1_000)
    assert size > 20


def test_a_claim_is_paid_at_the_rate_of_the_wall(market):
    """Cash 75, deficit 25: a claim of 40 is paid 30, and the rate of the others stays."""
    ledger = market.model.ledgers[1, 1]
    ledger.cash, ledger.deficit = 75, 25
    assert pools.get_payment(ledger, 40) == 30
    assert pools.get_payment(ledger, 1) == 0
    ledger.cash, ledger.deficit = 45, 15
    assert pools.get_payment(ledger, 60) == 45
    ledger.deficit, ledger.cash = 0, 0


def test_a_winner_ahead_of_a_bankrupt_takes_no_more_than_the_wall_holds():
    """The loser of a gap is not deleveraged yet: gains are on paper that nobody has paid in."""
    market = build_perp_world(oracle={"breaker": limits.PPM}, takerFee=0, makerFee=0)
    market.trade(market.bob, market.alice, 1_000, 10)
    market.price[1] = 700
    offer = market.order(SELL, 700, 10, tif=enums.TIF_POST_ONLY)
    market.block(market.carol.place(offer), after=250)
    # behind the tick and the sweep of the block that knows the price, in front of everything that follows from them
    market.block(market.alice.place(market.order(BUY, 700, 10, tif=enums.TIF_IOC)), after=250)
    assert market.lots(market.alice) == 0
    held, cash = market.pool(market.alice), market.ledger.cash
    assert held.collateral == 4 * LOT, (
        "her own, and three times as much of bob, who had no more than she"
    )
    assert cash == 2 * LOT + 700_000
    assert market.ledger.deficit == 0
    assert pools.get_releasable(market.model, held) == 4 * LOT
    assert adjust(market, market.alice, actions.MARGIN_TAKE, cash + 1) == Code.LEDGER_SHORT
    assert (market.ledger.cash, held.collateral) == (cash, 4 * LOT)
    assert adjust(market, market.alice, actions.MARGIN_TAKE, cash) == Code.OK
    assert market.ledger.cash == 0
    market.run(3_000)
    assert market.ledger.deficit == held.collateral - market.ledger.cash > 0


def test_money_for_the_fund_repays_a_deficit_first(market):
    ledger = market.ledger
    market.poke(
        ledger, deficit=500, fund=500
    )  # 500 were lost, and the fund's claim stands for them
    outcome = market.block(act(market.carol, actions.FUND, venue=1, asset=1, amount=800))
    assert outcome.of(events.DEFICIT_REPAID)[0]["amount"] == 500
    assert (ledger.deficit, ledger.fund, ledger.cash) == (0, 800, 800)
    body = {"venue": 1, "asset": 1, "amount": 1}
    assert market.block(act(market.carol, actions.DEFUND, **body)).codes[-1] == Code.NOT_VENUE_OWNER
    deployer = market.world.deployer
    assert market.block(act(deployer, actions.DEFUND, **body)).codes[-1] == Code.NOT_ELIGIBLE


def test_an_instrument_is_approved_by_its_own_record(market):
    def ask(weight=limits.MAX_WEIGHT):
        ignored = market.block(tell(messages.APPROVE_CROSS, market=PERP, weight=weight)).of(
            events.MESSAGE_IGNORED
        )
        return ignored[0]["error"] if ignored else Code.OK

    assert ask(limits.MAX_WEIGHT + 1) == Code.BAD_PARAMETERS
    assert ask() == Code.NOT_ELIGIBLE, "two of three is too small a quorum"
    market.poke(market.perp().feed, quorum=3)
    assert ask() == Code.OK
    market.poke(market.perp(), broken=market.zone.time - limits.CROSS_AGE + 1_000)
    assert ask(0) == Code.NOT_ELIGIBLE
    assert market.perp().is_cross, "what is approved stays"


def test_a_door_opens_to_a_perpetual_of_another_venue(market):
    deployer = market.world.deployer
    listed = market.block(
        create_venue(2, deployer.owner),
        tell(messages.LIST_GUEST, market=3, id=2 << 16 | 3, venue=2, home=PERP, guestFee=1_000),
    )
    assert not listed.of(events.MESSAGE_IGNORED)
    market.post(market.alice, SELL, 1_000, 10)
    item_ = market.order(BUY, 1_000, 10, market=3, tif=enums.TIF_IOC)
    door = market.model.venues[2].fee_account
    before = market.world.free(door, 1)
    limit = item(actions.APPROVE_INTERFACE, interface=door, maxFee=1_000)
    market.block(act(market.bob, actions.APPROVE_INTERFACE, limit))
    outcome = market.block(market.bob.place(item_))
    assert outcome.codes[-1] == Code.OK
    assert market.lots(market.bob) == 10
    assert list(market.model.accounts[market.bob.account].pools) == [(1, 1, PERP)], "the home's"
    assert market.world.free(door, 1) == before + 10 * LOT // 1_000


def test_the_loss_of_one_venue_is_nothing_to_another():
    market = build_perp_world(oracle={"breaker": limits.PPM})
    deployer = market.world.deployer
    market.price[2] = 1_000
    market.block(create_venue(2, deployer.owner), set_oracle(2, venue=2, breaker=limits.PPM))
    market.block(list_perp(3, venue=2, feed=2))
    market.block(tell(messages.SET_RISK, venue=2, asset=1, cap=1 << 50))
    market.wake()
    market.trade(market.bob, market.alice, 1_000, 10)
    market.trade(market.bob, market.alice, 1_000, 10, market=3)
    other = market.model.ledgers[2, 1]
    cash = other.cash
    # a loss of venue 1 that nobody covered, and the claim it left
    market.poke(market.ledger, deficit=1_000, fund=market.ledger.fund + 1_000)
    market.move(1_020, duration=2_000)
    assert other.cash == cash
    assert market.post(market.carol, BUY, 990, 1).codes[-1] == Code.MARKET_CLOSED
    assert market.post(market.carol, BUY, 990, 1, market=3).codes[-1] == Code.OK
    market.take(market.bob, SELL, 990, 1, market=3)
    assert market.lots(market.bob, 3) == 9
