"""The ladder from forced orders to the last rung: docs/spec/liquidation.md, adl.md."""

from __future__ import annotations

import random

import pytest

from tests.model import adl, margin, pools
from tests.model.perp_world import PERP, build_perp_world
from tests.model.records import Perp
from tests.model.world import act, tell, update_market
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.errors import Code

FREE = {"breaker": limits.PPM}


def adjust(market, who, amount, pool=PERP):
    body = {"venue": 1, "asset": 1, "market": pool, "direction": 0, "amount": amount}
    return market.block(act(who, actions.ADJUST_MARGIN, **body)).codes[-1]


def collect(outcomes, kind):
    return [event for outcome in outcomes for event in outcome.of(kind)]


def run_until(market, kind):
    """Empty blocks up to the first with an event of the kind."""
    outcomes = []
    while not collect(outcomes, kind):
        assert len(outcomes) < 100
        outcomes += market.run(250)
    return outcomes


def test_a_forced_order_sells_a_fifth_a_second_and_pays_the_fund_of_its_improvement():
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    market.post(market.carol, BUY, 915, 10)
    fund = market.ledger.fund
    market.price[1] = 945
    first = run_until(market, events.FORCED_ORDER)
    orders = collect(first, events.FORCED_ORDER)
    assert [(e["lots"], e["side"], e["price"]) for e in orders] == [(2, SELL, 900)]
    fills = collect(first, events.FILL)
    assert [(e["price"], e["lots"]) for e in fills] == [(915, 2)]
    # 450,000 of equity over 10 lots: 90,000 for two; 60,000 were lost to the mark
    assert fills[0]["amount"] == (90_000 - 60_000) // 2
    gained = market.ledger.fund - fund
    assert gained >= 15_000, "the gain, and the insurance share of the maker's fee"
    more = market.run(750)
    assert not collect(more, events.FORCED_ORDER), "one a second"


def test_the_gain_of_the_fund_is_bounded_by_a_hundredth_of_the_notional():
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    market.post(market.carol, BUY, 945, 10)
    market.price[1] = 945
    fill = collect(run_until(market, events.FORCED_ORDER), events.FILL)[0]
    assert fill["amount"] == 2 * 945_000 // 100


def test_a_pool_is_rescued_by_its_allowance():
    market = build_perp_world(more=({"feed": 2},))
    market.approve(3, weight=0)
    body = {"venue": 1, "asset": 1, "amount": 10**6}
    market.block(act(market.bob, actions.ALLOWANCE, **body))
    market.trade(market.bob, market.alice, 1_000, 10, market=3)
    adjust(market, market.alice, 10**7, pool=0)
    outcomes = market.move(945, feed=2, duration=2_000)
    assert collect(outcomes, events.LIQUIDATION_ENDED)
    assert market.lots(market.bob, 3) == 10
    values = margin.get_pool_values(market.model, market.pool(market.bob, 0))
    assert values.pnl == values.initial, "pulled back to initial margin, not further"
    assert market.pool(market.bob, 0).pulled == values.initial - 450_000


def test_margin_can_be_added_while_the_pool_waits():
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    market.move(945)
    assert market.pool(market.bob).state == enums.POOL_LIQUIDATING
    assert market.post(market.bob, BUY, 940, 1).codes[-1] == Code.POOL_BUSY
    assert adjust(market, market.bob, 10**6) == Code.OK
    market.run(500)
    assert market.pool(market.bob).state == enums.ACTIVE
    assert market.lots(market.bob) == 10


def test_the_orders_of_a_pool_go_when_it_is_liquidated():
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    market.post(market.bob, SELL, 1_100, 5)
    market.post(market.bob, BUY, 900, 1)
    cancelled = collect(market.move(930, duration=1_000), events.ORDER_CANCELLED)
    reasons = [e["tif"] for e in cancelled if e["price"] in (1_100, 900)]
    # the bid stood in the way of the pool's own forced order
    assert sorted(reasons) == [enums.CANCEL_STP, enums.CANCEL_LIQUIDATION]


def test_the_fund_takes_over_what_nobody_buys_and_works_it_off():
    market = build_perp_world(lossCap=10**8)
    market.block(act(market.carol, actions.FUND, venue=1, asset=1, amount=10**7))
    market.trade(market.bob, market.alice, 1_000, 10)
    adjust(market, market.alice, 10**7)
    before = market.free(market.bob)
    outcomes = market.move(945, duration=32_000)
    (taken,) = collect(outcomes, events.TAKEOVER)
    assert (taken["lots"], taken["amount"]) == (10, 9_450_000 // 40), "2.5 % of the notional"
    assert taken["amount2"] == 945_000 - taken["amount"], "up to initial margin"
    assert market.free(market.bob) > before, "what is left of the margin is its owner's"
    assert market.perp().spent == taken["amount2"]
    assert market.ledger.fund < 10**7
    market.post(market.carol, BUY, 943, 20)
    market.run(30_000, step=500)
    assert not market.model.liquidating
    assert market.perp().fund_pool is None
    assert market.ledger.fund > 10**7, "the zero price paid for the risk"
    assert market.perp().spent == 0


def test_below_two_thirds_the_fund_takes_over_at_once():
    market = build_perp_world(lossCap=10**8)
    market.block(act(market.carol, actions.FUND, venue=1, asset=1, amount=10**7))
    market.trade(market.bob, market.alice, 1_000, 10)
    adjust(market, market.alice, 10**7)
    outcomes = market.move(930, duration=500)  # 300,000 of 465,000
    assert collect(outcomes, events.TAKEOVER)
    assert market.lots(market.bob) == 0


def test_the_fund_pays_for_a_gap_before_winners_do():
    market = build_perp_world(lossCap=10**8)
    market.block(act(market.carol, actions.FUND, venue=1, asset=1, amount=10**8))
    market.trade(market.bob, market.alice, 1_000, 10)
    adjust(market, market.alice, 10**7)
    before = market.wealth(market.alice)
    market.move(850, duration=3_000)
    assert market.lots(market.bob) == 0
    assert market.wealth(market.alice) == before + 10 * 150_000
    assert market.ledger.deficit == 0


def test_without_a_fund_the_winner_pays_for_a_gap_and_is_closed():
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    adjust(market, market.alice, 10**7)
    before = market.wealth(market.alice)
    outcomes = market.move(850, duration=3_000)
    assert market.lots(market.bob) == market.lots(market.alice) == 0
    lost = 10 * 150_000 - 10**6
    assert market.wealth(market.alice) == before + 10 * 150_000 - lost
    (done,) = collect(outcomes, events.ADL_DONE)
    assert (done["lots"], done["amount"], done["amount2"]) == (10, lost, lost)
    assert market.ledger.deficit == 0


def test_deleveraging_levels_leverage():
    """Four shorts of 10 lots with equities that rise: the thin ones give down to one level."""
    market = build_perp_world()
    shorts = [market.add_trader(30 + i, 10**8) for i in range(4)]
    long = market.add_trader(40)
    for i, who in enumerate(shorts):
        market.trade(long if i < 2 else market.bob, who, 1_000, 10)
        adjust(market, who, (i + 1) * 2 * 10**6)
    adjust(market, market.bob, 5 * 10**7)
    outcomes = market.move(880, duration=3_000)
    (done,) = collect(outcomes, events.ADL_DONE)
    assert done["lots"] == 20
    assert done["order"] <= 20 < done["other_order"], "the two sums prove the level"
    left = [abs(market.lots(who)) for who in shorts]
    assert left == sorted(left)
    assert sum(left) == 20
    assert left[0] < left[3]


@pytest.mark.parametrize("seed", range(30))
def test_what_positions_give_falls_with_the_level_and_never_leaves_more(seed):
    """l_i(L): whole at level 0, nothing beyond the last, and what stays is at most the level times the equity."""
    rng = random.Random(seed)
    terms = type("Terms", (), {"tick_value": rng.choice((1, 7, 1_000)), "slot": 1})()
    perp = Perp(terms, *[None] * 3, 1, 1, 1, 0, 0, 0, 0, 0, 0, [])
    perp.mark = rng.randrange(1, 2_000)
    each = perp.mark * perp.tv
    for _ in range(40):
        lots = rng.randrange(1, 100)
        claim = rng.choice((0, 1, lots * each // rng.randrange(1, 60)))
        held = type("Held", (), {"lots": lots, "claim": claim})()
        levels = sorted(rng.sample(range(1, limits.MAX_LEVEL + 1), 20))
        gives = [adl.get_give(perp, held, level) for level in levels]
        assert adl.get_give(perp, held, 0) == lots
        assert adl.get_give(perp, held, limits.MAX_LEVEL + 1) == 0
        assert gives == sorted(gives, reverse=True)
        for level, give in zip(levels, gives, strict=True):
            assert (lots - give) * each * limits.LEVEL_UNIT <= level * claim
            is_least = give == 0 or (lots - give + 1) * each * limits.LEVEL_UNIT > level * claim
            assert is_least


def test_the_last_rung_haircuts_and_is_repaid():
    """Winner and loser both torn: what nobody covers is the venue's deficit; income repays it."""
    market = build_perp_world(more=({"feed": 2}, {"feed": 3}), oracle=FREE)
    market.approve(3, 4, weight=0)
    long, torn = market.add_trader(30), market.add_trader(31, 2_030_000)
    market.trade(long, torn, 1_000, 10, market=3)
    market.trade(torn, market.bob, 1_000, 10, market=4)
    market.trade(market.carol, market.alice, 1_000, 10)
    market.price |= {2: 700, 3: 505}
    outcomes = market.run(8_000)
    ledger = market.ledger
    assert ledger.deficit > 0
    assert collect(outcomes, events.DEFICIT)
    records = [r for r in market.model.outbox.values() if r.kind == enums.OUTBOX_INSOLVENCY]
    assert sum(record.amount for record in records) == ledger.deficit
    assert market.post(market.bob, BUY, 900, 1).codes[-1] == Code.MARKET_CLOSED
    # closing goes on, without fees, and money leaves at the rate
    deficit, fees = ledger.deficit, market.world.free(market.world.fee_account, 1)
    market.post(market.alice, BUY, 1_000, 10, flags=1)
    market.take(market.carol, SELL, 1_000, 10, flags=1)
    assert market.world.free(market.world.fee_account, 1) == fees
    held = market.pool(market.carol)
    claim, cash = held.collateral, ledger.cash
    body = {"venue": 1, "asset": 1, "market": PERP, "direction": 1, "amount": claim}
    (moved,) = market.block(act(market.carol, actions.ADJUST_MARGIN, **body)).of(
        events.POOL_RELEASED
    )
    assert moved["amount2"] == claim - claim * cash // (cash + deficit) > 0
    assert held.haircut == moved["amount2"]
    stake = {"venue": 1, "asset": 1, "amount": 10**7}
    market.block(tell(messages.SLASH, **stake))
    assert ledger.deficit == 0
    assert market.post(market.bob, BUY, 999, 1).codes[-1] == Code.OK


def test_settlement_pays_winners_what_losers_can():
    """A short of 10 lots loses 2.5 M and has 1 M: the gains of this market pay the rest in proportion."""
    market = build_perp_world(oracle=FREE, takerFee=0, makerFee=0)
    market.trade(market.bob, market.alice, 1_000, 6)
    market.trade(market.carol, market.alice, 1_000, 4)
    market.poke(market.perp(), average=1_250 * limits.SUB)
    before = [market.wealth(who) for who in (market.alice, market.bob, market.carol)]
    market.move(1_250)
    market.block(update_market(market.zone, PERP, phase=enums.PHASE_SETTLED))
    market.run(1_000)
    assert market.perp().settlement == 1_250
    after = [market.wealth(who) for who in (market.alice, market.bob, market.carol)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [-1_000_000, 600_000, 400_000]
    assert (market.ledger.deficit, market.ledger.cash) == (0, 0)
    assert not market.model.pools


def test_a_settlement_drops_what_waits_for_deleveraging():
    """Registered positions are settled like all others; nothing is deleveraged before or behind it."""
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    market.trade(market.carol, market.alice, 1_000, 4)
    market.price[1] = 850
    while not market.perp().ripe:
        market.run(250)
    waiting = market.perp().registered[1]
    assert waiting
    assert all(position.pool.state == enums.POOL_BANKRUPT for position in waiting)
    outcomes = [market.block(update_market(market.zone, PERP, phase=enums.PHASE_SETTLED))]
    outcomes += market.run(1_500)
    assert not collect(outcomes, events.ADL_BEGUN)
    assert len(collect(outcomes, events.POSITION_SETTLED)) == 3
    assert not market.perp().is_live
    assert not market.model.positions
    assert not market.model.liquidating


def test_an_update_of_a_market_changes_what_may_leave_at_once():
    """The band is part of what a release assumes, so no cached value outlives it."""
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    adjust(market, market.bob, 3_500_000)
    market.run(7_000, quiet=True)
    assert market.perp().state == enums.PRICE_FROZEN
    body = {"venue": 1, "asset": 1, "market": PERP, "direction": actions.MARGIN_TAKE, "amount": 1}

    def take(*told):
        return market.block(*told, act(market.bob, actions.ADJUST_MARGIN, **body), quiet=True)

    assert take().codes[-1] == Code.INSUFFICIENT_MARGIN, "4.5 M, 40 % of 10 M could be lost"
    ticks = market.model.next_mark
    assert take(update_market(market.zone, PERP, band=300_000)).codes[-1] == Code.OK
    assert market.model.next_mark == ticks, "no tick came between"


def test_a_crash_of_a_crowded_market():
    """2025-10-10: sixty accounts with bots around them fall by 40 % in steps; nothing is owed at the end."""
    rng = random.Random(10)
    market = build_perp_world(money=10**10, lossCap=2 * 10**7, oracle=FREE)
    market.block(act(market.carol, actions.FUND, venue=1, asset=1, amount=5 * 10**7))
    crowd = [market.add_trader(100 + i, rng.choice((2, 5, 20)) * 10**6) for i in range(60)]
    for i, who in enumerate(crowd):
        other = market.alice if i % 3 else market.bob
        lots = rng.randrange(5, 15)
        buyer, seller = (who, other) if i % 4 else (other, who)
        market.trade(buyer, seller, 1_000, lots)
    for who in (market.alice, market.bob):
        adjust(market, who, 2 * 10**8)
    seen = set()
    for step in range(20):
        market.price[1] = 1_000 - 20 * step - rng.randrange(20)
        bid = market.price[1] - rng.randrange(1, 15)
        if market.pool(market.alice).state == enums.ACTIVE:
            market.post(market.alice, BUY, bid, rng.randrange(1, 60))
        for outcome in market.run(2_000, step=500):
            seen |= set(outcome.kinds())
    wanted = {events.FORCED_ORDER, events.TAKEOVER, events.LIQUIDATION_ENDED}
    assert wanted <= seen
    assert market.ledger.deficit == 0
    equities = [pools.get_equity(market.model, pool) for pool in market.model.pools.values()]
    assert min(equities) >= 0
