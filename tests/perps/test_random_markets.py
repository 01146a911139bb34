"""Random traders on prices that drift, gap, freeze, oscillate and lie: the books balance to the atom after every block.

`Zone` checks every invariant of docs/spec/perps.md after each block (tests/model/invariants.py), and the engine's step
functions run beside the model (tests/model/beside.py). That the streams reach every action, message, event, error and step of
perpetuals is a test of its own. With TRADEZONE_FUZZ=1 (``make fuzz``) many more streams, from a
seed that is printed.
"""

from __future__ import annotations

import functools
import os
import random
from collections import Counter, deque

import pytest

from tests.model import beside
from tests.model.perp_world import (
    PERP,
    PERP_ACTIONS,
    PERP_CODES,
    PERP_EVENTS,
    PERP_MESSAGES,
    PROVIDERS,
    SCALE,
    build_perp_world,
    get_parameters,
    list_perp,
    set_oracle,
    sign_price,
)
from tests.model.world import Tell, act, amend_item, get_address, item, tell, update_market
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.errors import Code
from tradezone.protocol.steps import CLOSING, NAMES, PRICE_LEAF

MARKETS = (PERP, PERP + 1, PERP + 2)
SMALL = {"BLOCK_ADL": 3, "BLOCK_SWEEP": 4, "BLOCK_LIQUIDATIONS": 2, "BLOCK_REMOVALS": 5}
# an account meets these with the pools and lots of a short stream
NARROW = SMALL | {"MAX_POOLS": 2, "MAX_POSITIONS": 1, "MAX_POSITION_VALUE": 10**12}
SEEDS, SMALL_SEEDS = (0, 2, 6), (1_000, 1_003)
MODEL_SEEDS = (3, 4, 5, 32)  # of the model by itself: the last one has a deficit
LONG = 700  # blocks
IS_FUZZING = os.environ.get("TRADEZONE_FUZZ") == "1"


def build(rng, reached):
    loss_cap = rng.choice([0, 10**6, 10**8])
    market = build_perp_world(
        money=10**8,
        lossCap=loss_cap,
        impactNotional=rng.choice([2_000, 2_000_000]),
        more=({"feed": 2}, {"feed": 3, "mmr0": 20_000, "imr0": 30_000, "makerFee": -100}),
    )
    if rng.random() < 0.5:  # what an approval of governance does after a month
        for slot in MARKETS[1:]:
            market.approve(slot, weight=rng.choice([0, 500_000, limits.MAX_WEIGHT]))
    else:
        market.block(set_oracle(2, quorum=3), after=limits.CROSS_AGE)
        market.wake()
        market.block(tell(messages.APPROVE_CROSS, market=MARKETS[1], weight=limits.MAX_WEIGHT))
    watch(market, reached)
    market.block(tell(messages.SET_RISK, venue=1, asset=1, cap=1 << 60), set_oracle(3))
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
            lots = rng.choice((1, 3, 10, 40, 300, 300, 10_000))
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
            leverage = rng.choice((0, 100, 250, 900, 9_000))
            bodies = item(actions.LEVERAGE, market=slot, mode=mode, leverage=leverage)
            yield act(who, actions.LEVERAGE, bodies)
        else:
            named = rng.choice(traders)
            pool = rng.choice((0, PERP))
            body = item(actions.CHECK, account=named.account, venue=1, asset=1, market=pool)
            yield act(who, actions.CHECK, body)


def govern(rng, market, traders):
    """What L1 says of perpetuals, from whoever may say it, valid or not; and prices that are no prices."""
    slot, feed = rng.choice(MARKETS), rng.choice((*market.price, 9))
    kind = rng.randrange(12)
    if kind == 0:
        changes = {"interest": rng.choice((0, 10**5, limits.MAX_INTEREST + 1))}
        changes |= {"mmr0": rng.choice((20_000, 25_000, 30_000, 60_000))}
        yield tell(messages.SET_PERP, market=slot, **get_parameters(market.perp(slot)) | changes)
    elif kind == 1:
        yield set_oracle(feed, heartbeat=rng.choice((5_000, 4_000, limits.MAX_HEARTBEAT + 1)))
    elif kind == 2:
        caps = (0, 10**7, 1 << 60, 1 << 60, limits.MAX_VENUE_CAP + 1)
        asset = rng.choice((1, 1, 1, 7))
        yield tell(messages.SET_RISK, venue=1, asset=asset, cap=rng.choice(caps))
    elif kind == 3:
        yield tell(messages.SLASH, venue=1, asset=1, amount=rng.choice((0, 1, 10**5)))
    elif kind == 4:
        weight = rng.choice((0, limits.MAX_WEIGHT, limits.MAX_WEIGHT + 1))
        yield tell(messages.APPROVE_CROSS, market=slot, weight=weight)
    elif kind == 5:
        number = rng.choice((PERP, market.model.slots["market"].high_water))
        yield list_perp(number, feed=feed, tickValue=rng.choice((0, 10, 1_000, 1 << 60)))
    elif kind == 6:
        who = rng.choice(traders)
        held = market.find(who, slot)
        number = held.slot if held else 1
        named = {"owner": who.owner, "address": who.address, "account": who.account}
        yield tell(messages.FORCED_CLOSE, **named, market=slot, position=number)
    elif kind == 7:
        amount = rng.choice((0, 1, 10**6))
        who, action = rng.choice(
            ((rng.choice(traders), actions.FUND), (market.world.deployer, actions.DEFUND))
        )
        yield act(who, action, venue=1, asset=rng.choice((1, 1, 7)), amount=amount)
    else:
        yield from get_strange_prices(rng, market, feed)


def get_strange_prices(rng, market, feed):
    """A price through the inbox; one twice, late, of nobody, of nothing, of tomorrow; far from what the others say."""
    time, place = market.zone.time + 1, rng.randrange(len(PROVIDERS))
    price = market.price.get(feed, 1_000) * SCALE
    kind = rng.randrange(6)
    if kind == 0:
        body = {"feed": feed, "provider": 11 + place, "price": price, "time": time}
        signer = PROVIDERS[place] if rng.random() < 0.7 else rng.choice(PROVIDERS)
        yield tell(messages.PRICE, signer=get_address(signer), **body)
    elif kind == 1:
        yield sign_price(feed, place, price, time)
        yield sign_price(feed, place, price + 1, time)
    elif kind == 2:
        yield sign_price(feed, place, price, time - 60_000)
    elif kind == 3:
        yield sign_price(feed, place, price, time, key=rng.randrange(1, 9))
    elif kind == 4:
        yield sign_price(feed, place, rng.choice((0, limits.MAX_FEED_PRICE + 1)), time)
    else:
        yield sign_price(feed, place, price, time + limits.PRICE_AHEAD + rng.randrange(9_000))


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


class Tally(deque):
    """The steps that a plain engine ran, counted; the last ones as `PureEngine` keeps them."""

    def __init__(self):
        super().__init__(maxlen=12)
        self.counts = Counter()

    def append(self, pc):
        self.counts["step", pc] += 1
        super().append(pc)


@functools.cache  # a stream is half a minute
def play_once(seed):
    """Play the stream of a test; return what it reached."""
    with pytest.MonkeyPatch.context() as patch:
        bounds = {0: SMALL, 1: NARROW}[seed % 2] if seed in SMALL_SEEDS else {}
        for name, value in bounds.items():
            patch.setattr(limits, name, value)
        return play(seed, bounds)


@pytest.mark.parametrize("seed", SMALL_SEEDS)
def test_a_block_does_only_so_much(seed):
    """Sweep, queue and jobs at bounds so small that all their work goes on over many blocks."""
    play_once(seed)


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
        bounds = ({}, SMALL, NARROW)[number % 3]
        with monkeypatch.context() as patch:
            for name, value in bounds.items():
                patch.setattr(limits, name, value)
            play(one, bounds)


@pytest.mark.parametrize("seed", SEEDS)
def test_books_balance_after_every_block(seed):
    reached = play_once(seed)
    wanted = {
        events.POOL_MOVED,
        events.POOL_RELEASED,
        events.REALISED,
        events.LIQUIDATION_BEGUN,
        events.FORCED_ORDER,
        events.MARK_SET,
        events.PRICE_STATE,
    }
    assert {("event", kind) for kind in wanted} <= reached.keys()


# no stream finds it in time: tests/perps/test_pools.py, a_winner_ahead_of_a_bankrupt
RARE_CODES = {Code.LEDGER_SHORT}


def test_the_streams_reach_everything_of_perpetuals():
    """Every action, message, event, error and step that only perpetuals have, over the streams of this module and more of the model alone."""
    reached = Counter()
    for seed in (*SEEDS, *SMALL_SEEDS):
        reached += play_once(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beside, "is_altered", True)  # the model by itself, which is much faster
        for seed in MODEL_SEEDS:
            reached += play_once(seed)
    kinds = {n for name, n in vars(events).items() if name.isupper() and n in PERP_EVENTS}
    # a zone ends in tests/perps/test_closing.py
    steps = {pc for pc in NAMES if PRICE_LEAF <= pc < CLOSING}
    wanted = {
        *(("event", kind) for kind in kinds),
        *(("error", code) for code in set(PERP_CODES) - RARE_CODES),
        *(("action", action) for action in PERP_ACTIONS),
        *(("message", kind) for kind in (*PERP_MESSAGES, messages.FORCED_CLOSE)),
    }
    if beside.get_mode() == "strict":  # only the plain engine shows its steps
        wanted |= {("step", pc) for pc in steps}
    assert wanted - reached.keys() == set()


def note(reached, outcome, entries):
    """Count what a block reached: kinds of events, errors, actions and messages that were carried out."""
    for event in outcome.events:
        reached["event", event["kind"]] += 1
        reached["error", event["error"]] += 1
    for leaf, result in zip(outcome.leaves, outcome.results, strict=True):
        reached["error", result & 0xFFFF] += 1
        envelope = actions.Envelope.from_leaf(leaf)
        if envelope is not None and result == 0:
            reached["action", envelope.action] += 1
    if not outcome.of(events.MESSAGE_IGNORED):
        reached.update(("message", entry.kind) for entry in entries if isinstance(entry, Tell))


def watch(market, reached):
    """Have everything counted that blocks of the market reach."""
    run_block = market.zone.block

    def block(*entries, **times):
        outcome = run_block(*entries, **times)
        note(reached, outcome, entries)
        return outcome

    market.zone.block = block


def play(seed, bounds=None):
    """Drive a stream to its end; return how often it reached what."""
    rng = random.Random(seed)
    reached = Counter()
    market, traders = build(rng, reached)
    engine = market.zone.engine
    if engine is not None:
        engine.set_bounds(bounds or {})
        engine.trail = Tally()
    quiet = 0
    for number in range(LONG):
        move_prices(rng, market)
        if rng.random() < 0.004:
            quiet = 40  # every provider falls silent
        quiet -= 1
        entries = list(get_entries(rng, market, traders))
        if rng.random() < 0.15:
            entries += govern(rng, market, traders)
        if rng.random() < 0.03:  # one provider of three lies
            feed = rng.choice(sorted(market.price))
            lie = max(1, market.price[feed] * rng.choice((1, 10)) // rng.choice((1, 10)))
            time = market.zone.time + 300
            entries.append(sign_price(feed, 0, lie * SCALE, time))
        after = rng.choice((1, 50, 250, 250, 900) if seed % 2 else (250, 900, 5_000, 20_000))
        if number % 50 == 0:
            entries.append(tell(messages.HEARTBEAT))
        market.block(*entries, after=after, quiet=quiet > 0)
        if number == LONG - 100:
            market.block(
                update_market(market.zone, MARKETS[rng.randrange(3)], phase=enums.PHASE_SETTLED)
            )
    wind_down(market, reached)
    if engine is not None and isinstance(engine.trail, Tally):
        reached += engine.trail.counts
    return reached


def wind_down(market, reached):
    """All perpetuals are settled: what is left is fund, deficits and whole claims; then the venue ends."""
    live = [slot for slot, perp in market.model.perps.items() if perp.is_live]
    market.block(
        tell(messages.HEARTBEAT),
        *(
            update_market(market.zone, slot, phase=enums.PHASE_SETTLED)
            for slot in live
            if not market.perp(slot).settlement
        ),
    )
    for _ in range(400):
        market.block(after=1_000)
    assert not any(perp.is_live for perp in market.model.perps.values())
    assert not any(p.lots for p in market.model.positions.values())
    assert not market.model.liquidating
    ledger = market.ledger
    pools = market.model.pools.values()
    assert all(pool.collateral >= 0 for pool in pools)
    owed = sum(pool.collateral for pool in pools) + ledger.fund
    assert ledger.cash + ledger.deficit == owed
    if not reached["event", events.DEFICIT]:  # else nobody's claim is cut without his asking
        assert all(pool.collateral <= pool.kept for pool in pools), "all money has gone home"
    market.block(tell(messages.UPDATE_VENUE, venue=1, state=enums.VENUE_WOUND_DOWN))
    body = {"venue": 1, "asset": 1, "amount": ledger.fund}
    left = market.block(act(market.world.deployer, actions.DEFUND, **body)).codes[-1]
    assert (left == Code.OK) is (ledger.deficit == 0 and body["amount"] > 0)
