"""Attacks on perpetuals, each run twice: with the rules, and with the rule that answers it taken out.

`rules` is True or False; a test asserts that the venue is safe exactly when the rule is there. So a rule that stops
working, and a scenario that never was an attack, both fail.
"""

from __future__ import annotations

import pytest

from tests.model import adl, funding, liquidation, margin, perps, pools, prices, transplant
from tests.model.perp_world import PERP, SCALE, build_perp_world, get_parameters, sign_price
from tests.model.world import act, tell, update_market
from tradezone.engine import Engine
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.errors import Code
from tradezone.sequencer import recovery

FREE = {"breaker": limits.PPM}  # no breaker stands in the way of the scenario


@pytest.fixture(params=[True, False], ids=["rules", "without"])
def rules(request):
    return request.param


def adjust(market, who, direction, amount, pool=PERP):
    return market.block(
        act(
            who,
            actions.ADJUST_MARGIN,
            venue=1,
            asset=1,
            market=pool,
            direction=direction,
            amount=amount,
        )
    )


def take_all(market, who, pool=PERP):
    """Take out as much margin as the venue lets go; return how much."""
    held = market.model.accounts[who.account].pools.get((1, 1, pool))
    if held is None:
        return 0
    most = pools.get_releasable(market.model, held)
    if most:
        assert adjust(market, who, actions.MARGIN_TAKE, most, pool).codes[-1] == Code.OK
    return most


def approve(market, *slots, weight=limits.MAX_WEIGHT):
    market.approve(*slots, weight=weight)


def has_bad_debt(market):
    """Somebody owes what he does not have, or somebody had to."""
    equities = [
        margin.get_pool_values(market.model, pool).pnl for pool in market.model.pools.values()
    ]
    return market.ledger.deficit > 0 or min(equities, default=0) < 0


def test_thin_book_at_the_edge_of_the_band(rules, monkeypatch):
    """Two accounts of one person trade far from the mark: one wins what the other does not have."""
    if not rules:
        monkeypatch.setattr(perps, "get_reserve", lambda *_: 0)
        monkeypatch.setattr(perps, "has_margin", lambda *_, **__: True)
    market = build_perp_world()
    loser, winner = market.add_trader(30, 2 * 10**6), market.add_trader(31, 10**8)
    low, _ = prices.get_band(market.model, market.perp())
    market.post(winner, BUY, low, 10)
    market.take(loser, SELL, low, 10)
    assert (not has_bad_debt(market)) is rules


def test_a_mark_pushed_by_one_lot(rules, monkeypatch):
    """One lot on each side, far from the index."""
    if not rules:
        monkeypatch.setattr(
            prices,
            "get_impact",
            lambda zone, perp, side: zone.books[perp.market.slot].best(side) * limits.SUB,
        )
    market = build_perp_world()
    market.post(market.alice, BUY, 1_150, 1)
    market.post(market.bob, SELL, 1_160, 1)
    market.run(60_000, step=1_000)
    assert (market.perp().mark == 1_000) is rules


def test_a_mark_pushed_for_a_moment(rules, monkeypatch):
    """Real depth for one sample only: averages move by a sixth at most, and never beyond half of maintenance."""
    if not rules:
        monkeypatch.setattr(limits, "BOOK_AVERAGE", limits.SAMPLE_MS)
        monkeypatch.setattr(limits, "BASIS_AVERAGE", limits.SAMPLE_MS)
        monkeypatch.setattr(limits, "BASIS_STEP", limits.PPM)
    market = build_perp_world()
    market.post(market.alice, BUY, 1_150, 10)
    market.post(market.bob, SELL, 1_160, 10)
    market.run(1_000)
    assert (abs(market.perp().mark - 1_000) < 5) is rules
    assert abs(market.perp().mark - 1_000) <= 25


def test_profit_is_taken_out_then_goes_away(rules, monkeypatch):
    """Margin that only unrealised profit backs is withdrawn before the price comes back."""
    if not rules:
        real = margin.get_values

        def get_values(zone, position):
            values = real(zone, position)
            values.losses = values.pnl
            return values

        monkeypatch.setattr(margin, "get_values", get_values)
        real_release = pools.get_releasable
        monkeypatch.setattr(
            pools,
            "get_releasable",
            lambda zone, pool: max(
                real_release(zone, pool),
                min(pool.collateral, pools.get_equity(zone, pool) - 10**6),
            ),
        )
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    adjust(market, market.alice, actions.MARGIN_ADD, 20 * 10**6)
    market.move(1_150, duration=1_000)
    take_all(market, market.bob)
    market.price[1] = 1_000
    market.run(1_000)
    assert (market.equity(market.bob) > 0) is rules


@pytest.mark.model_only
def test_a_venue_pays_no_more_than_it_holds(rules, monkeypatch):
    """A rogue oracle pays sybils; even with nobody deleveraged, what leaves the wall is what was inside."""
    monkeypatch.setattr(adl, "get_paid", lambda *_: 0)
    if not rules:
        monkeypatch.setattr(pools, "get_payment", lambda _, amount: amount)
        monkeypatch.setattr(pools, "is_payable", lambda *_: True)
    market = build_perp_world(oracle=FREE)
    sybil, victim = market.add_trader(30), market.add_trader(31)
    market.trade(sybil, victim, 1_000, 100)
    put_in = market.ledger.cash
    untouched = market.free(victim)
    market.move(1_900, duration=2_000)
    assert market.ledger.deficit > 0
    try:
        take_all(market, sybil)
        is_safe = market.ledger.cash >= 0
    except AssertionError:
        is_safe = False
    assert market.free(victim) == untouched
    assert is_safe is rules
    if rules:
        assert market.free(sybil) <= 10**9 + put_in


def build_pair(market, entrants):
    """A long that will go under; on the other side his own thin short and an honest fat one."""
    thief, twin, honest = entrants
    market.post(twin, SELL, 1_000, 10)
    market.post(honest, SELL, 1_000, 10)
    market.take(thief, BUY, 1_000, 10)
    market.take(market.bob, BUY, 1_000, 10)
    adjust(market, honest, actions.MARGIN_ADD, 50 * 10**6)
    adjust(market, market.bob, actions.MARGIN_ADD, 50 * 10**6)


def test_a_hedged_pair_in_two_accounts(rules, monkeypatch):
    """A long and a short of one person, both thin: the loss of one is not left to honest winners."""
    if not rules:
        monkeypatch.setattr(
            adl, "get_claim", lambda zone, pool: 10**9 - pools.get_equity(zone, pool)
        )
    market = build_perp_world()
    thief, twin, honest = (market.add_trader(30 + i) for i in range(3))
    build_pair(market, (thief, twin, honest))
    market.move(850, duration=3_000)
    assert market.lots(thief) == 0
    assert ((market.lots(twin), market.lots(honest)) == (0, -10)) is rules


def build_two_bankrupts(order):
    """Shorts from 1,000 (against a thin long) and from 990 (against a fat one), entered in either order."""
    market = build_perp_world()
    high, low, thin, fat = (market.add_trader(30 + i) for i in range(4))
    deals = [(1_000, thin, high), (990, fat, low)]
    for price, buyer, seller in deals[:: 1 - 2 * order]:
        market.move(price, duration=250)
        market.trade(buyer, seller, price, 10)
    adjust(market, fat, actions.MARGIN_ADD, 5 * 10**6)
    market.move(1_180, duration=3_000)
    assert market.lots(high) == market.lots(low) == 0
    return [(market.lots(who), market.wealth(who)) for who in (thin, fat)]


def test_two_bankrupts_in_either_order(rules, monkeypatch):
    """What counterparties get does not depend on which of two bankrupt shorts is found first."""
    if not rules:
        real = adl.register

        def register(zone, *args):
            real(zone, *args)
            adl.run(zone)  # at once, one bankrupt pool after the other

        monkeypatch.setattr(adl, "register", register)
        monkeypatch.setattr(adl, "is_pass_over", lambda *_: True)
    one, other = build_two_bankrupts(0), build_two_bankrupts(1)
    is_same = all(a[0] == b[0] and abs(a[1] - b[1]) <= 2 for a, b in zip(one, other, strict=True))
    assert is_same is rules


def build_crowd(bound, monkeypatch, count=12):
    """Thin shorts against fat longs, alike all, in a zone whose blocks look at two of them at most."""
    monkeypatch.setattr(limits, bound, 2)
    market = build_perp_world(oracle=FREE)
    if market.zone.engine is not None:
        market.zone.engine.set_bounds({bound: 2})
    shorts = [market.add_trader(30 + i) for i in range(count)]
    longs = [market.add_trader(60 + i) for i in range(count)]
    market.zone.is_checking = False
    for thin, fat in zip(shorts, longs, strict=True):
        market.trade(fat, thin, 1_000, 10)
        adjust(market, fat, actions.MARGIN_ADD, 5 * 10**6)
    market.zone.is_checking = True
    return market, shorts, longs


@pytest.mark.parametrize("bound", ["BLOCK_LIQUIDATIONS", "BLOCK_SWEEP"])
def test_who_is_found_late_is_dealt_with_in_the_same_job(rules, bound, monkeypatch):
    """More bankrupts than sweep and queue get through in SWEEP_MS: they are one job, at one price for all."""
    if not rules:  # a job after SWEEP_MS, whoever was found until then

        def begin_pass(zone, perp):
            perp.ripe = zone.time + limits.SWEEP_MS

        monkeypatch.setattr(adl, "begin_pass", begin_pass)
        monkeypatch.setattr(adl, "is_pass_over", lambda zone, perp: zone.time >= perp.ripe)
    market, shorts, longs = build_crowd(bound, monkeypatch)
    told = [event for outcome in market.move(1_250, duration=12_000) for event in outcome.events]
    jobs = [event for event in told if event["kind"] == events.ADL_DONE]
    fills = [event for event in told if event["kind"] == events.ADL_FILL]
    closed = {event["account"] for event in fills if event["flag"] == enums.ADL_CLOSED}
    assert closed == {who.account for who in shorts}
    assert sum(job["lots"] for job in jobs) == 120
    assert (len(jobs) == 1) is rules
    wealth = [market.wealth(who) for who in longs]
    assert max(wealth) - min(wealth) <= 2 or not rules, "the longs are alike, and pay alike"


def test_a_pass_begins_anew_where_nobody_could_be_forced(rules, monkeypatch):
    """A halt comes between: who was not visited before it is in one job with those who were."""
    if not rules:
        real = adl.begin_pass
        monkeypatch.setattr(
            adl, "begin_pass", lambda zone, perp: None if perp.ripe else real(zone, perp)
        )
    market, _, _ = build_crowd("BLOCK_LIQUIDATIONS", monkeypatch, 16)
    market.price[1] = 1_250
    while not market.perp().awaits_queue:
        market.run(250)
    registered = len(market.perp().registered[-1])
    assert 0 < registered < 16
    market.block(update_market(market.zone, PERP, phase=enums.PHASE_CANCEL_ONLY))
    market.run(10_000, step=500)
    assert len(market.perp().registered[-1]) == registered
    market.block(update_market(market.zone, PERP, phase=enums.PHASE_CONTINUOUS))
    told = market.run(150_000, step=500)
    jobs = [event for outcome in told for event in outcome.of(events.ADL_DONE)]
    assert sum(job["lots"] for job in jobs) == 160
    assert (len(jobs) == 1) is rules


def test_a_counterparty_is_not_bankrupted(rules, monkeypatch):
    """A winner here who has lost nearly all elsewhere is asked for a share that he does not have."""
    if not rules:
        monkeypatch.setattr(adl, "get_paid", lambda due, _equity: due)
    market = build_perp_world(more=({"feed": 2}, {"feed": 3}))
    approve(market, 3, 4)
    long, torn = market.add_trader(30), market.add_trader(31, 2_030_000)
    market.trade(long, torn, 1_000, 10, market=3)
    market.trade(torn, market.bob, 1_000, 10, market=4)
    adjust(market, market.bob, actions.MARGIN_ADD, 10**8, pool=0)
    market.block(act(torn, actions.ALLOWANCE, venue=1, asset=1, amount=0))
    market.price |= {2: 700, 3: 510}
    paid: dict[str, int] = {}
    for outcome in market.run(40_000, step=250):
        for event in outcome.of(events.ADL_FILL):
            if event["account"] == torn.account and event["market"] == 3:
                paid.setdefault("amount", event["amount"])
    assert paid, "he was asked"
    assert (paid["amount"] <= 2_030_000 + 3_000_000 - 4_900_000) is rules


def test_money_leaves_at_a_stale_price(rules, monkeypatch):
    """Providers fall silent in a crash; who knows better takes his margin out at the old mark."""
    if not rules:
        real = margin.get_values

        def get_values(zone, position):
            perp = zone.perps[position.market]
            state, perp.state = perp.state, enums.PRICE_LIVE
            try:
                return real(zone, position)
            finally:
                perp.state = state

        monkeypatch.setattr(margin, "get_values", get_values)
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    adjust(market, market.bob, actions.MARGIN_ADD, 3 * 10**6)
    market.run(7_000, quiet=True)
    assert market.perp().state == enums.PRICE_FROZEN
    take_all(market, market.bob)
    market.price[1] = 700
    market.run(1_000)
    assert (market.equity(market.bob) >= 0) is rules


def test_forced_close_into_an_empty_book(rules, monkeypatch):
    """Only a bid at the edge of the band is there when a pool must be sold."""
    if not rules:
        monkeypatch.setattr(
            liquidation,
            "get_forced_price",
            lambda zone, _, position: prices.get_band(zone, zone.perps[position.market])[0],
        )
        monkeypatch.setattr(perps, "has_margin", lambda *_, **__: True)
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    market.post(market.carol, BUY, 760, 10)
    market.move(945, duration=10_000)
    assert market.model.liquidating or market.lots(market.bob) < 10
    assert (market.lots(market.bob) == 10) is rules


def test_settlement_far_from_the_mark(rules, monkeypatch):
    """The index is pushed for the moment of settlement."""
    if not rules:
        monkeypatch.setattr(adl, "get_settlement_price", lambda perp: perp.index)
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    market.run(60_000, step=1_000)
    market.price[1] = 1_190
    market.run(250)
    market.poke(market.perp(), mark=1_000)  # a mark that has not followed yet
    before = market.wealth(market.alice)
    market.block(update_market(market.zone, PERP, phase=enums.PHASE_SETTLED))
    market.run(500)
    assert (before - market.wealth(market.alice) < 10**6) is rules


def test_one_market_does_not_drain_the_fund(rules, monkeypatch):
    """JELLY: a thin short is left to the fund, then its market is pumped four times over."""
    if not rules:
        monkeypatch.setattr(pools, "get_fund_room", lambda _zone, perp: perp.ledger.fund)
    market = build_perp_world(lossCap=3 * 10**6, oracle=FREE)
    market.block(act(market.carol, actions.FUND, venue=1, asset=1, amount=10**8))
    for number in range(6):
        thief = market.add_trader(50 + number, 10**7)
        market.trade(market.bob, thief, market.price[1], 10)
        market.move(market.price[1] * 107 // 100, duration=2_500)
        market.move(market.price[1] * 119 // 100, duration=2_500)
        market.run(90_000, step=1_000)
    for _ in range(6):
        market.move(market.price[1] * 119 // 100, duration=2_500)
        market.run(90_000, step=1_000)
    lost = 10**8 - market.ledger.fund
    assert lost > 0
    assert (lost <= 3 * 10**6) is rules


def test_margin_is_pulled_out_from_under_a_short(rules, monkeypatch):
    """JELLY's first move: open, take the margin out, leave the loss to others."""
    if not rules:
        monkeypatch.setattr(
            pools, "get_releasable", lambda _zone, pool: max(0, pool.collateral - 1)
        )
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    adjust(market, market.alice, actions.MARGIN_ADD, 5 * 10**6)
    take_all(market, market.alice)
    market.move(1_040, duration=250)
    assert (not has_bad_debt(market)) is rules


def test_nobody_is_liquidated_while_the_underlying_sleeps(rules, monkeypatch):
    """XYZ100: a sale on a Sunday in an empty book."""
    if not rules:
        monkeypatch.setattr(prices, "FORCE_STATES", (*prices.FORCE_STATES, enums.PRICE_FROZEN))
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    market.move(955, duration=250)
    day = market.zone.time // 86_400_000
    weekday = (day + 3) % 7
    hours = {f"open{d}": 0 for d in range(7)} | {f"close{d}": 1440 for d in range(7)}
    hours |= {f"close{weekday}": 0}
    market.block(
        tell(messages.SET_CALENDAR, calendar=1, venue=1, **hours),
        update_market(market.zone, PERP, calendar=1),
    )
    market.run(500)
    assert market.perp().state == enums.PRICE_FROZEN
    market.poke(market.perp(), mark=945)  # whatever moved it
    market.poke(market.model, epoch=market.model.epoch + 1)
    market.run(3_000)
    assert (market.pool(market.bob).state == enums.ACTIVE) is rules


def test_no_liquidation_on_the_first_price_after_silence(rules, monkeypatch):
    """A stale sidecar: the first price behind an outage liquidates nobody."""
    if not rules:
        monkeypatch.setattr(limits, "BREAK_ROUNDS", 0)
        monkeypatch.setattr(limits, "REOPEN_POST", 0)
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    market.run(7_000, quiet=True)
    market.price[1] = 940
    seen = set()
    for outcome in market.run(1_500):
        seen |= set(outcome.kinds())
    assert (events.LIQUIDATION_BEGUN not in seen) is rules


def test_a_liar_does_not_move_the_index(rules, monkeypatch):
    """One provider of three says anything."""
    if not rules:
        monkeypatch.setattr(prices, "get_median", lambda values: values[0])
    market = build_perp_world()
    for _ in range(8):
        time = market.zone.time + 250
        honest = [sign_price(1, place, 1_000 * SCALE, time) for place in (1, 2)]
        market.block(sign_price(1, 0, 1_100 * SCALE, time), *honest, after=250, quiet=True)
    assert (market.perp().index == 1_000) is rules


def test_a_sybil_cannot_pass_the_cap_of_a_venue(rules, monkeypatch):
    """Open interest beyond what the stake carries."""
    if not rules:
        monkeypatch.setattr(perps, "get_open_value", lambda *_: 0)
    market = build_perp_world(cap=5 * 10**7)
    for number in range(8):
        buyer, seller = market.add_trader(60 + 2 * number), market.add_trader(61 + 2 * number)
        market.post(seller, SELL, 1_000, 10)
        market.take(buyer, BUY, 1_000, 10)
    assert (market.perp().open_lots * 10**6 <= 5 * 10**7) is rules


def test_fees_do_not_leave_under_a_deficit(rules, monkeypatch):
    """A deployer raises fees to be paid at par while claims are cut."""
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    if rules:
        ledger = market.ledger
        market.poke(ledger, deficit=ledger.deficit + 10, fund=ledger.fund + 10)
    before = market.world.free(market.world.fee_account, 1)
    market.post(market.alice, BUY, 1_000, 5, flags=enums.ORDER_REDUCE_ONLY)
    market.take(market.bob, SELL, 1_000, 5, flags=enums.ORDER_REDUCE_ONLY)
    assert market.lots(market.bob) == 5
    assert (market.world.free(market.world.fee_account, 1) == before) is rules


def test_an_unhealthy_pool_is_not_sold_to_a_friend(rules, monkeypatch):
    """Below maintenance, an owner sells to his second account under the mark and leaves a hole."""
    if not rules:
        monkeypatch.setattr(perps, "has_margin", lambda *_, **__: True)
    market = build_perp_world()
    market.zone.is_checking = rules  # the invariants see a pool that owes
    friend = market.add_trader(30)
    market.trade(market.bob, market.alice, 1_000, 10)
    market.price[1] = 930
    market.post(friend, BUY, 800, 10)
    market.block(
        market.bob.place(
            market.order(SELL, 800, 10, tif=enums.TIF_IOC, flags=enums.ORDER_REDUCE_ONLY)
        )
    )
    market.run(250)
    assert (market.equity(market.bob) >= 0) is rules


def test_funding_cannot_jump(rules, monkeypatch):
    """Whatever the premium of one hour was, the rate moves by a quarter of its cap."""
    if not rules:
        monkeypatch.setattr(
            funding, "get_rate", lambda perp: perp.premium_sum // perp.premium_count // 8
        )
    market = build_perp_world()
    perp = market.perp()
    market.poke(perp, premium_sum=limits.RATE * 3_600 // 10, premium_count=3_600)
    index = perp.funding_index
    market.block(tell(messages.HEARTBEAT))
    market.poke(perp, hour=perp.hour - 1)
    market.run(500)
    cap = perp.funding_cap // 4
    assert (perp.funding_rate <= cap) is rules
    moved = perp.funding_index - index
    most = cap * perp.index * perp.tv * perp.funding_scale // limits.RATE
    assert (0 < moved <= most) is rules


def test_a_zeroed_funding_index(rules, monkeypatch, tmp_path):
    """Paradex, 2026-01-19: a race of a database zeroes the index, and every position pays the whole past at once."""
    if not rules:  # a sequencer that goes on from what its files say
        monkeypatch.setattr(Engine, "commit_root", lambda _self: bytes(32))
    market = build_perp_world()
    perp = market.perp()
    hourly = perp.funding_cap * perp.index * perp.tv * perp.funding_scale // limits.RATE
    market.poke(perp, funding_index=4_000 * hourly)  # half a year at the cap
    market.trade(market.bob, market.alice, 1_000, 10)
    adjust(market, market.alice, actions.MARGIN_ADD, 10**8)
    adjust(market, market.bob, actions.MARGIN_ADD, 10**8)
    engine = Engine()
    transplant.write(market.model, engine.tables)
    engine._rebuild_derived()
    engine.tables["price"]["funding_index"][PERP] = 0  # nobody's step: the tree does not hear of it
    place = (market.model.block, bytes(32), bytes(32), market.model.inbox, bytes(32))
    recovery.write_snapshot(recovery.SnapshotPoint(engine, *place), tmp_path)
    found = recovery.load_newest_snapshot(tmp_path / recovery.SNAPSHOTS)
    if found.block:
        index = int(found.engine.tables["price"]["funding_index"][PERP])
        market.poke(perp, funding_index=index)
    # else: its state is not the one that was published, and the journal is replayed
    before = market.wealth(market.bob)
    market.run(500)
    assert (abs(market.wealth(market.bob) - before) < 10**4) is rules


def open_ladder(market, makers, prices):
    """Longs of 10 lots whose pools fall below maintenance one after the other, each some 20 ticks of the mark lower."""
    crowd = [market.add_trader(30 + number) for number in range(len(prices))]
    for number, who in enumerate(crowd):
        market.trade(who, makers[0], 1_000, 10)
        if number:
            adjust(market, who, actions.MARGIN_ADD, 200_000 * number)
    for price in prices:
        market.post(makers[1], BUY, price, 10)
    return crowd


def test_the_cascade_of_2025_10_10(rules, monkeypatch):
    """Forced sales into a thin book must not make the prices at which the next ones are sold."""
    if not rules:  # marked at what was traded last, sold at whatever is bid
        monkeypatch.setattr(
            prices,
            "get_mark",
            lambda zone, perp: min(
                perp.index, zone.books[perp.market.slot].last_price or perp.index
            ),
        )
        monkeypatch.setattr(
            liquidation,
            "get_forced_price",
            lambda zone, _, position: prices.get_band(zone, zone.perps[position.market])[0],
        )
        monkeypatch.setattr(perps, "has_margin", lambda *_, **__: True)
        monkeypatch.setattr(pools, "get_fund_room", lambda *_: 0)
    # positions are small, so each is sold whole
    market = build_perp_world(money=10**10, oracle=FREE, impactNotional=10**8)
    crowd = open_ladder(market, (market.alice, market.carol), range(920, 720, -20))
    adjust(market, market.alice, actions.MARGIN_ADD, 10**8)
    begun = set()
    for outcome in market.move(940, duration=20_000):
        begun |= {event["account"] for event in outcome.of(events.LIQUIDATION_BEGUN)}
    assert crowd[0].account in begun
    assert (begun == {crowd[0].account}) is rules
    assert (market.perp().mark >= 935) is rules
    if rules:  # sold at no worse than the zero price: nobody else is asked for anything
        assert market.equity(crowd[0]) >= 0
        assert market.ledger.deficit == 0
    else:
        assert len(begun) > len(crowd) // 2


def test_allowance_bounds_what_a_pool_can_lose(rules, monkeypatch):
    """Free money follows a losing cross pool only as far as its owner signed."""
    if not rules:

        def pull(zone, pool):
            pools.move_in(
                zone, pool, min(margin.get_need(zone, pool), zone.free(pool.account, pool.asset))
            )

        monkeypatch.setattr(liquidation, "pull", pull)
    market = build_perp_world(more=({"feed": 2},))
    approve(market, 3)
    market.trade(market.bob, market.alice, 1_000, 10, market=3)
    adjust(market, market.alice, actions.MARGIN_ADD, 10**7, pool=0)
    market.block(act(market.bob, actions.ALLOWANCE, venue=1, asset=1, amount=300_000))
    before = market.wealth(market.bob)
    free = market.free(market.bob)
    for price in (940, 900, 850, 800):
        market.move(price, feed=2, duration=2_500)
    assert (free - market.free(market.bob) <= 300_000) is rules
    assert before > market.wealth(market.bob)


def test_nobody_hides_from_the_sweep(rules, monkeypatch):
    """An owner moves his pool in every block, so that it is fresh whenever the sweep comes by."""
    if not rules:
        monkeypatch.setattr(liquidation, "is_swept", lambda zone, pool: pool.epoch != zone.epoch)
    market = build_perp_world()
    market.trade(market.bob, market.alice, 1_000, 10)
    market.price[1] = 940
    seen = set()
    for _ in range(12):
        time = market.zone.time + 250
        # what is refused has had the pool touched all the same
        moved = act(
            market.bob,
            actions.ADJUST_MARGIN,
            venue=1,
            asset=1,
            market=PERP,
            direction=actions.MARGIN_TAKE,
            amount=1,
        )
        outcome = market.zone.block(*market.prices(time), moved, at=time)
        seen |= set(outcome.kinds())
    assert (events.LIQUIDATION_BEGUN in seen) is rules


def test_phantom_depth_does_not_move_the_mark(rules, monkeypatch):
    """Reduce-only orders lock nothing: many of them behind one small position are no depth."""
    if not rules:
        monkeypatch.setattr(prices, "is_firm", lambda _order: True)
    market = build_perp_world(impactNotional=50 * 10**6)
    market.trade(market.bob, market.alice, 1_000, 5)
    for who, side, price in ((market.alice, BUY, 1_100), (market.bob, SELL, 1_110)):
        for _ in range(12):
            market.post(who, side, price, 5, flags=enums.ORDER_REDUCE_ONLY)
    market.run(30_000, step=1_000)
    assert (market.perp().mark == 1_000) is rules


def test_a_deployer_does_not_raise_maintenance_to_take_margin(rules, monkeypatch):
    """From 5 % to 60 % by one message: everybody would be liquidated into the fund of the deployer."""
    if not rules:
        monkeypatch.setattr(perps, "is_rise_bounded", lambda *_: True)
        monkeypatch.setattr(limits, "TAKEOVER_MAX", limits.PPM)
    market = build_perp_world(lossCap=10**9)
    deployer = market.world.deployer
    market.block(act(market.carol, actions.FUND, venue=1, asset=1, amount=5 * 10**8))
    market.trade(market.bob, market.alice, 1_000, 10)
    before = market.wealth(market.bob)
    terms = get_parameters(market.perp()) | {"imr0": 900_000, "mmr0": 600_000, "lower1": 0}
    terms |= {"imr1": 0, "mmr1": 0}
    market.block(tell(messages.SET_PERP, market=PERP, **terms))
    market.run(3_000)
    lost = before - market.wealth(market.bob)
    assert (lost == 0) is rules
    assert deployer.owner != market.bob.owner


def test_maintenance_rises_by_a_quarter_a_day_everywhere():
    market = build_perp_world()

    def ask(**changes):
        terms = get_parameters(market.perp()) | changes
        outcome = market.block(tell(messages.SET_PERP, market=PERP, **terms))
        return [event["error"] for event in outcome.of(events.MESSAGE_IGNORED)]

    assert ask(mmr0=62_501) == [Code.NOT_ELIGIBLE]
    assert ask(lower1=10) == [Code.NOT_ELIGIBLE], "a tier that begins sooner raises it too"
    assert ask(mmr0=40_000) == [], "lower at any time"
    assert ask(mmr0=50_000) == []
    assert ask(mmr0=50_001) == [Code.NOT_ELIGIBLE], "once a day"
    assert ask(imr0=190_000, imr1=250_000) == [], "initial margin liquidates nobody"
