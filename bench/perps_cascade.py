"""Claim: 10,000 liquidations at once leave no block above the protocol's budget of steps (BLOCK_STEPS), nor above 50 ms.

10,048 accounts are long at ten times leverage, each in one of 64 perpetuals, against as many shorts. The index falls in one step, and blocks with fresh prices follow every
250 ms until the queue, the deleveraging and every job are done.

``book``  it falls by 6 %; bids stand 1 % below the mark for all that is forced: forced orders bring everybody back.
``gap``   it falls by 12 %, everybody is below zero, the fund may take nothing: all are registered, and 64 jobs of
          deleveraging close them against the other side.
``gap_in_one_market``  the same with everybody in one market, which has one job of 20,096 positions.

A block's work is its time on the processor and its steps of the machine. Largest and total are of each run; a run is a zone
of its own, built anew.
"""

from __future__ import annotations

import json

import numpy as np

from bench._perps import PerpDriver, get_resident
from bench._zone import MID, get_machine, still, summary
from tradezone.protocol import events
from tradezone.protocol.enums import BUY, TIF_POST_ONLY
from tradezone.protocol.limits import BLOCK_STEPS

LONGS, MARKETS = 10_048, 64  # 157 in each
LOTS = 1_000
RUNS = 5
MOST_BLOCKS = 4_000
CLAIM_MS = 50.0
CASES = {"book": (94, MARKETS), "gap": (88, MARKETS), "gap_in_one_market": (88, 1)}
"""Per cent of the index that is left, and how many markets the longs are in."""
COUNTED = {
    "begun": events.LIQUIDATION_BEGUN,
    "ended": events.LIQUIDATION_ENDED,
    "forced_orders": events.FORCED_ORDER,
    "fills": events.FILL,
    "takeovers": events.TAKEOVER,
    "adl_fills": events.ADL_FILL,
    "jobs_done": events.ADL_DONE,
}


def build(longs, markets):
    """Open the longs against as many shorts, all with what the order asked for; the last account is who bids."""
    driver = PerpDriver(2 * longs + 1, markets)
    share = longs // markets
    for market in range(1, markets + 1):
        driver.pair(driver.first + (market - 1) * 2 * share, share, market, LOTS)
    return driver, share * markets


def crash(driver, name, longs):
    """Let the index fall; returns (per block (ms, steps, ms on the clock), counts of events)."""
    price = MID * CASES[name][0] // 100
    if name == "book":
        bid, markets = price * 99 // 100, list(range(1, driver.markets + 1))
        maker = np.array([driver.first + driver.accounts - 1])
        for at in range(0, len(markets), 30):
            lots = LOTS * longs // driver.markets
            driver.trade(maker, BUY, TIF_POST_ONLY, bid, lots, markets[at : at + 30])
    took, counts = [], dict.fromkeys(COUNTED, 0)
    agenda = driver.engine.tables["agenda"]
    is_begun = False
    while len(took) < MOST_BLOCKS:
        wall, worked, result = driver.tick(price)
        took.append((worked / 1e6, result.steps, wall / 1e6))
        kinds = result.events["kind"]
        for key, kind in COUNTED.items():
            counts[key] += int(np.count_nonzero(kinds == kind))
        is_begun = is_begun or counts["begun"] > 0
        is_busy = agenda["liquidations"][0] or agenda["job_first"][0]
        is_busy = is_busy or driver.engine.tables["job"]["ripe"][: driver.markets + 1].any()
        if is_begun and counts["begun"] >= longs and not is_busy:
            return took, counts
    raise SystemExit(
        f"{name}: after {MOST_BLOCKS} blocks {counts} and still {agenda['liquidations'][0]}"
    )


def measure(name, runs, longs, markets):
    """Run a case; ``markets`` is an upper bound."""
    markets = min(markets, CASES[name][1])
    largest, steps, totals, blocks, wall, size = [], [], [], [], [], 0
    for _ in range(runs):
        before = get_resident()
        driver, opened = build(longs, markets)
        size = max(size, get_resident() - before)
        with still():
            took, counts = crash(driver, name, opened)
        if broken := driver.engine.audit():
            raise SystemExit(f"{name}: the audit found {broken[0]}")
        largest.append(max(ms for ms, _, _ in took))
        steps.append(max(count for _, count, _ in took))
        wall.append(max(ms for _, _, ms in took))
        totals.append(sum(ms for ms, _, _ in took))
        blocks.append(len(took))
        del driver
    return {
        "largest_block_ms": summary(largest, 2),
        "largest_block_ms_by_the_clock": summary(wall, 2),
        "largest_block_steps": summary(steps, 0),
        "total_ms": summary(totals, 1),
        "blocks": summary(blocks, 0),
        "us_a_liquidation": round(1e3 * sum(totals) / runs / counts["begun"], 1),
        "events": counts,
        "markets": markets,
        "resident_mb": size >> 20,
        "runs": runs,
    }


def main(longs=LONGS, markets=MARKETS, runs=RUNS):
    found = {name: measure(name, runs, longs, markets) for name in CASES}
    worst, steps = (
        max(part[key]["highest"] for part in found.values())
        for key in ("largest_block_ms", "largest_block_steps")
    )
    print(
        json.dumps(
            {
                "claim": "perps_cascade",
                **get_machine(),
                "is_met": worst <= CLAIM_MS and steps <= BLOCK_STEPS,
                "budget_of_a_block_steps": BLOCK_STEPS,
                "longs": longs,
                **found,
            }
        )
    )


if __name__ == "__main__":
    main()
