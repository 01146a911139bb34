"""A market of a thousand accounts with bots around them is crashed in many ways, and balances to the atom after every block.

The compiled engine runs beside the model: results and events are compared in every block, and the engine's audit reads the
whole state behind it (`tradezone.engine.audit_perps`: walls, lots, open value, sums of every pool, queue, jobs); the
states are compared every few blocks and at the end. Then the market is settled: nobody holds a lot, nobody owes, and what the wall holds
is what the claims on it are. With TRADEZONE_FUZZ=1 (``make fuzz``) the same from other seeds, over more blocks.
"""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

from tests.model.compare import assert_same_state, events_to_dicts
from tests.model.compiled import CompiledZone
from tests.model.invariants import check_model, check_records
from tests.model.perp_world import PERP, PROVIDERS, SCALE, build_perp_world, sign_price
from tests.model.world import Outcome, act, item, tell, update_market
from tradezone.engine import audit_state
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.enums import BUY, SELL

pytestmark = pytest.mark.slow

ACCOUNTS, BOTS = 1_000, 12
STEP_MS = 500
EVERY = 10  # blocks from one comparison of the states to the next
IS_FUZZING = os.environ.get("TRADEZONE_FUZZ") == "1"


class AuditedZone(CompiledZone):
    """Model and compiled engine; the audit behind every block, the states compared behind every tenth."""

    def _compare(self, leaves, signers, inbox, header, results, told):
        found, rows = self.engine.execute(leaves, signers, inbox, header)
        assert [int(result) for result in found] == [int(result) for result in results]
        assert events_to_dicts(rows) == told
        broken = audit_state(self.engine.tables)
        assert not broken, "\n".join(map(str, broken))
        if self.blocks % EVERY == 0:
            assert_same_state(self.model, self.engine.tables)
        return ""

    def run(self, leaves, signers, inbox, header=None):
        """As `CompiledZone.run`; the model's own walks are as rare as the comparison."""
        if self.is_checking and self.blocks % EVERY:
            self.blocks += 1
            results, told = self.model.execute(leaves, signers, inbox, header)
            self._compare(leaves, signers, inbox, header, results, told)
            return Outcome(results, told, leaves)
        return super().run(leaves, signers, inbox, header)


def build_crowd(zone):
    """The market before anything happens, made by the model alone, and a dozen bots; then the engine is beside it."""
    zone.is_checking = False
    market = build_perp_world(zone, money=10**12, lossCap=10**8, oracle={"breaker": limits.PPM})
    rng = random.Random(1_000)
    market.block(act(market.carol, actions.FUND, venue=1, asset=1, amount=5 * 10**8))
    makers = (market.alice, market.bob)
    for number in range(ACCOUNTS):
        who = market.add_trader(1_000 + number, rng.choice((2, 3, 8)) * 10**6)
        lots = rng.choice((3, 10, 14))
        market.trade(*((who, makers[0]) if rng.random() < 0.7 else (makers[1], who)), 1_000, lots)
    body = {"venue": 1, "asset": 1, "market": PERP, "direction": actions.MARGIN_ADD}
    for who in makers:
        market.block(act(who, actions.ADJUST_MARGIN, **body, amount=10**10))
    bots = [market.add_trader(5_000 + number, 10**9) for number in range(BOTS)]
    zone.is_checking = True
    return market, bots


def trade_around(rng, market, bots):
    """Orders of bots: quotes on both sides, takers, margin in and out, and checks of somebody."""
    price = max(2, market.price[1])
    for bot in bots:
        kind = rng.random()
        side = rng.choice((BUY, SELL))
        away = rng.randrange(1, max(2, price // 25))
        if kind < 0.5:
            near = max(1, price - away if side == BUY else price + away)
            lots = rng.randrange(1, 40)
            yield bot.place(market.order(side, near, lots, tif=enums.TIF_POST_ONLY))
        elif kind < 0.7:
            far = max(1, price + away if side == BUY else price - away)
            yield bot.place(market.order(side, far, rng.randrange(1, 15), tif=enums.TIF_IOC))
        elif kind < 0.8:
            yield act(bot, actions.CANCEL_ALL, side=enums.BOTH_SIDES)
        elif kind < 0.9:
            body = {"venue": 1, "asset": 1, "market": PERP, "direction": rng.randrange(2)}
            yield act(bot, actions.ADJUST_MARGIN, **body, amount=rng.choice((1, 10**5, 10**7)))
        else:
            named = market.model.pools[rng.choice(sorted(market.model.pools))]
            body = {"account": named.account, "venue": 1, "asset": 1, "market": named.market}
            yield act(bot, actions.CHECK, item(actions.CHECK, **body))


# Of each step: the index, and what the three providers do ("" all speak).
SPEAK, SILENT, LIE = "", "silent", "lie"
PATHS = {
    "gap": [(1_000, SPEAK)] * 2 + [(640, SPEAK)] * 30,
    "slide": [(1_000 - 12 * step, SPEAK) for step in range(34)],
    "spike": [(1_000, SPEAK), *[(700, SPEAK)] * 2, *[(1_000, SPEAK)] * 20],
    "both ways": [
        (price, SPEAK) for price in (1_000, 900, 1_120, 880, 1_150, 1_000) for _ in range(6)
    ],
    "oscillation": [(1_000 + (90 if step % 2 else -90), SPEAK) for step in range(36)],
    "freeze": [(960, SPEAK)] * 4 + [(700, SILENT)] * 14 + [(700, SPEAK)] * 90,
    "lie": [(1_000 - 8 * step, LIE if step % 2 else SPEAK) for step in range(34)],
}


def get_prices(rng, market, time, how):
    """Price leaves of a block; of a lie: one of three says ten times as much or a tenth."""
    if how == SILENT:
        return []
    leaves = market.prices(time)
    if how == LIE:
        place = rng.randrange(len(PROVIDERS))
        price = market.price[1] * rng.choice((1, 100)) // 10
        leaves[place] = sign_price(1, place, max(1, price) * SCALE, time)
    return leaves


def crash(market, bots, path, rng):
    """Walk a path; return the events of all blocks."""
    told = []
    for price, how in path:
        market.price[1] = price
        time = market.zone.time + STEP_MS
        entries = get_prices(rng, market, time, how)
        outcome = market.zone.block(*entries, *trade_around(rng, market, bots), at=time)
        told += outcome.events
    return told


def add_up(told, kind, field="amount"):
    return sum(event[field] for event in told if event["kind"] == kind)


def settle(market):
    """The market ends: every lot finds its other side, every claim its money."""
    blocks = [market.block(tell(messages.HEARTBEAT))]
    blocks += [market.block(update_market(market.zone, PERP, phase=enums.PHASE_SETTLED))]
    blocks += market.run(8_000, step=STEP_MS)
    assert not market.perp().is_live
    assert not any(position.lots for position in market.model.positions.values())
    assert not market.model.liquidating
    assert not market.model.jobs
    pools = market.model.pools.values()
    assert all(pool.collateral >= 0 for pool in pools)
    ledger = market.ledger
    assert ledger.cash + ledger.deficit == sum(pool.collateral for pool in pools) + ledger.fund
    check_model(market.model)
    assert_same_state(market.model, market.zone.engine.tables)
    check_records(market.zone.engine.tables)
    return [event for outcome in blocks for event in outcome.events]


@pytest.mark.parametrize("name", PATHS)
def test_a_thousand_accounts_crash_and_the_books_balance(name):
    market, bots = build_crowd(AuditedZone())
    told = crash(market, bots, PATHS[name], random.Random(name))
    seen = Counter(event["kind"] for event in told)
    assert seen[events.LIQUIDATION_BEGUN] > ACCOUNTS // 2
    assert seen[events.FILL] > BOTS
    assert seen[events.TAKEOVER] > 0
    if name in ("gap", "freeze"):  # nobody could be sold in time: one job for all of them
        assert seen[events.ADL_DONE] == 1
        assert seen[events.ADL_FILL] > ACCOUNTS // 2
    if name == "lie":  # the median is what an honest majority says
        assert abs(market.perp().index - market.price[1]) <= 8
    if name != "freeze":
        assert market.perp().state == enums.PRICE_LIVE
    told += settle(market)
    uncovered = add_up(told, events.DEFICIT)
    repaid = add_up(told, events.DEFICIT_REPAID) + add_up(told, events.POOL_RELEASED, "amount2")
    assert market.ledger.deficit == uncovered - repaid
    # what counterparties were asked for and did not have, and an atom a position
    clipped = add_up(told, events.ADL_DONE) - add_up(told, events.ADL_DONE, "amount2")
    assert uncovered <= clipped + seen[events.ADL_FILL]


@pytest.mark.skipif(not IS_FUZZING, reason="long; set TRADEZONE_FUZZ=1")
@pytest.mark.timeout(0)
def test_many_crashes_example(capsys):
    """Paths of all kinds one behind the other, from a seed that is printed."""
    seed = int(os.environ.get("TRADEZONE_FUZZ_SEED") or random.SystemRandom().randrange(1 << 32))
    runs = max(1, int(os.environ.get("TRADEZONE_FUZZ_STREAMS", "300")) // 100)
    with capsys.disabled():
        print(f"\nTRADEZONE_FUZZ_SEED={seed} TRADEZONE_FUZZ_STREAMS={100 * runs}")  # noqa: T201 - repeats a long run
    rng = random.Random(seed)
    for _ in range(runs):
        market, bots = build_crowd(AuditedZone())
        for _ in range(3):
            base = market.price[1]
            path = PATHS[rng.choice(sorted(PATHS))]
            scaled = [(max(20, base * price // 1_000), how) for price, how in path]
            crash(market, bots, scaled, rng)
        settle(market)
