"""Random traders on prices that drift, gap, freeze, oscillate and lie: the books balance to the atom after every block.

`Zone` checks every invariant of docs/spec/perps.md after each block (tests/model/invariants.py), and the engine's step
functions run beside the model (tests/model/beside.py). With TRADEZONE_FUZZ=1 (``make fuzz``) many more streams, from a
seed that is printed.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.model.perp_world import PERP, SCALE, build_perp_world, sign_price
from tests.model.world import act, amend_item, item, tell, update_market
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.enums import BUY, SELL

MARKETS = (PERP, PERP + 1, PERP + 2)
SMALL = {"BLOCK_ADL": 3, "BLOCK_SWEEP": 4, "BLOCK_LIQUIDATIONS": 2, "BLOCK_REMOVALS": 5}
IS_FUZZING = os.environ.get("TRADEZONE_FUZZ") == "1"


def build(rng):
    loss_cap = rng.choice([0, 10**6, 10**8])
    market = build_perp_world(
        money=10**8,
        lossCap=loss_cap,
        impactNotional=rng.choice([2_000, 2_000_000]),
        more=({"feed": 2}, {"feed": 3, "mmr0": 20_000, "imr0": 30_000, "makerFee": -100}),
    )
    for slot in MARKETS[1:]:  # what an approval of governance does after a month
        market.approve(slot, weight=rng.choice([0, 500_000, limits.MAX_WEIGHT]))
    traders = [market.alice, market.bob, market.carol]
    traders += [market.add_trader(20 + i, rng.choice([10**6, 10**7])) for i in range(5)]
    if rng.random() < 0.6:
        market.block(act(market.bob, actions.FUND, venue=1, asset=1, amount=10**7))
    return market, traders


def get_entries(rng, market, traders):
    for _ in range(rng.randrange(6)):
        who, slot = rng.choice(traders), rng.choice(MARKETS)
        kind, side = rng.random(), rng.choice((BUY, SELL))
        price = market.price[slot - 1]
        if kind < 0.08:
            yield from change_order(rng, market, who)
        elif kind < 0.14:
            yield act(who, actions.PLACE_PLAN, build_plan(rng, slot, price))
        elif kind < 0.75:
            near = max(1, price + rng.randrange(-price // 20 - 3, price // 20 + 4))
            tif = rng.choice((enums.TIF_GTC, enums.TIF_POST_ONLY, enums.TIF_IOC, enums.TIF_MARKET))
            lots = rng.choice((1, 3, 10, 40, 300))
            yield who.place(
                market.order(
                    side,
                    near,
                    lots,
                    market=slot,
                    tif=tif,
                    flags=int(rng.random() < 0.2),
                    stp=rng.randrange(4),
                )
            )
        elif kind < 0.80:
            yield act(who, actions.CANCEL_ALL, side=enums.BOTH_SIDES)
        elif kind < 0.88:
            yield act(
                who,
                actions.ADJUST_MARGIN,
                venue=1,
                asset=1,
                market=rng.choice((0, PERP)),
                direction=rng.randrange(2),
                amount=rng.choice((1, 1_000, 10**6)),
            )
        elif kind < 0.92:
            yield act(who, actions.ALLOWANCE, venue=1, asset=1, amount=rng.choice((0, 10**6)))
        elif kind < 0.96:
            mode = enums.MODE_ISOLATED if slot == PERP else rng.randrange(1, 3)
            leverage = rng.choice((0, 100, 250, 900))
            bodies = item(actions.LEVERAGE, market=slot, mode=mode, leverage=leverage)
            yield act(who, actions.LEVERAGE, bodies)
        else:
            named = rng.choice(traders)
            pool = rng.choice((0, PERP))
            body = item(actions.CHECK, account=named.account, venue=1, asset=1, market=pool)
            yield act(who, actions.CHECK, body)


def change_order(rng, market, who):
    """Amend or quote anew one of the account's orders."""
    orders = market.model.accounts[who.account].orders
    if orders and rng.random() < 0.7:
        order = rng.choice(orders)
        lots = max(0, order.filled + order.lots + rng.randrange(-5, 6))
        price = rng.choice((0, max(1, order.price + rng.randrange(-9, 10))))
        yield who.amend(amend_item(order.id, lots, price, mode=rng.randrange(4)))
        return
    slot, side = rng.choice(MARKETS), rng.randrange(2)
    price = max(1, market.price[slot - 1] * rng.randrange(95, 106) // 100)
    rungs = [
        item(
            actions.MASS_QUOTE,
            market=slot,
            side=side,
            price=price + number,
            lots=rng.choice((0, 2, 7)),
            tif=rng.choice((enums.TIF_POST_ONLY, enums.TIF_POST_SLIDE)),
            client_id=number + 1,
        )
        for number in range(3)
    ]
    yield act(who, actions.MASS_QUOTE, *rungs)


def build_plan(rng, slot, price):
    is_position = rng.random() < 0.5
    return item(
        actions.PLACE_PLAN,
        market=slot,
        side=rng.randrange(2),
        kind=rng.choice((enums.PLAN_STOP, enums.PLAN_TAKE_PROFIT)),
        source=rng.randrange(3),
        grouping=enums.GROUP_POSITION if is_position else enums.GROUP_NONE,
        trigger=max(1, price * rng.randrange(90, 111) // 100),
        lots=0 if is_position else rng.randrange(1, 20),
        tif=enums.TIF_MARKET,
        flags=int(is_position),
        slippage=rng.choice((0, 20_000, 100_000)),
    )


def move_prices(rng, market):
    for feed, price in market.price.items():
        if rng.random() < 0.15:
            shock = rng.choice((2, 6, 20, 20, 20, 50, 50, 200, 200, 200))
            change = rng.randrange(-price // shock - 1, price // shock + 2)
            market.price[feed] = max(20, price + change)


@pytest.mark.parametrize("seed", range(2))
def test_a_block_does_only_so_much(seed, monkeypatch):
    """Sweep, queue and jobs at bounds so small that all their work goes on over many blocks."""
    for name, value in SMALL.items():
        monkeypatch.setattr(limits, name, value)
    play(1_000 + seed, SMALL)


@pytest.mark.skipif(not IS_FUZZING, reason="long; set TRADEZONE_FUZZ=1")
@pytest.mark.timeout(0)
def test_model_and_engine_agree_in_many_markets(capsys, monkeypatch):
    seed = int(os.environ.get("TRADEZONE_FUZZ_SEED") or random.SystemRandom().randrange(1 << 32))
    streams = int(os.environ.get("TRADEZONE_FUZZ_STREAMS", "300")) // 10
    with capsys.disabled():
        print(f"\nTRADEZONE_FUZZ_SEED={seed} TRADEZONE_FUZZ_STREAMS={10 * streams}")  # noqa: T201 - repeats a long run
    chooser = random.Random(seed)
    for number in range(streams):
        one = chooser.randrange(1 << 32)
        with monkeypatch.context() as patch:
            for name, value in SMALL.items() if number % 2 else ():
                patch.setattr(limits, name, value)
            play(one, SMALL if number % 2 else None)


@pytest.mark.parametrize("seed", range(3))
def test_books_balance_after_every_block(seed):
    seen = play(seed)
    wanted = {
        events.POOL_MOVED,
        events.POOL_RELEASED,
        events.REALISED,
        events.LIQUIDATION_BEGUN,
        events.FORCED_ORDER,
        events.MARK_SET,
        events.PRICE_STATE,
    }
    assert wanted <= seen, wanted - seen


def play(seed, bounds=None):
    rng = random.Random(seed)
    market, traders = build(rng)
    if market.zone.engine is not None:
        market.zone.engine.set_bounds(bounds or {})
    seen = set()
    quiet = 0
    for number in range(700):
        move_prices(rng, market)
        if rng.random() < 0.004:
            quiet = 40  # every provider falls silent
        quiet -= 1
        entries = list(get_entries(rng, market, traders))
        if rng.random() < 0.03:  # one provider of three lies
            feed = rng.choice(sorted(market.price))
            lie = max(1, market.price[feed] * rng.choice((1, 10)) // rng.choice((1, 10)))
            time = market.zone.time + 300
            entries.append(sign_price(feed, 0, lie * SCALE, time))
        after = rng.choice((1, 50, 250, 250, 900) if seed % 2 else (250, 900, 5_000, 20_000))
        if number % 50 == 0:
            entries.append(tell(messages.HEARTBEAT))
        outcome = market.block(*entries, after=after, quiet=quiet > 0)
        seen.update(outcome.kinds())
        if number == 600:
            market.block(
                update_market(market.zone, MARKETS[rng.randrange(3)], phase=enums.PHASE_SETTLED)
            )
    wind_down(market, seen)
    return seen


def wind_down(market, seen):
    """All perpetuals are settled: what is left is fund, deficits and whole claims."""
    live = [slot for slot in MARKETS if market.perp(slot).is_live]
    last = market.block(
        tell(messages.HEARTBEAT),
        *(
            update_market(market.zone, slot, phase=enums.PHASE_SETTLED)
            for slot in live
            if not market.perp(slot).settlement
        ),
    )
    seen = seen | set(last.kinds())
    for _ in range(400):
        seen |= set(market.block(after=1_000).kinds())
    assert not any(perp.is_live for perp in market.model.perps.values())
    assert not any(p.lots for p in market.model.positions.values())
    assert not market.model.liquidating
    ledger = market.ledger
    pools = market.model.pools.values()
    assert all(pool.collateral >= 0 for pool in pools)
    owed = sum(pool.collateral for pool in pools) + ledger.fund
    assert ledger.cash + ledger.deficit == owed
    if events.DEFICIT not in seen:  # else nobody's claim is cut without his asking
        assert all(pool.collateral <= pool.kept for pool in pools), "all money has gone home"
