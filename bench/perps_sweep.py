"""Claim: a million positions are swept in 20 ms or less, in slices of at most 0.5 ms, and the zone fits 2 GB.

Two zones of perpetuals in cross margin, with money enough that nobody is liquidated.

``sweep``  8,000 pools of 64 positions each, which is nearly all that the table of positions holds (2^19): after a mark tick
           every pool is touched again, position by position. A block that comes late enough uses the whole budget of the
           sweep (BLOCK_SWEEP pools and positions): that is a slice. They go on, twice around the table, until a million
           positions were touched.
``tick``   100,000 pools of one position each in 64 markets: the slices until every pool was revalued.

Every slice is a block with a mark tick that moves the index of all 64 markets, so nothing in it was valued before.

Times are of the processor for the one thread, of whole blocks: block mark, three price leaves and tick are in. Memory is the
resident size of the process less what it was before the engine.
"""

from __future__ import annotations

import json

from bench._perps import PerpDriver, get_resident
from bench._zone import MID, get_machine, still, summary
from tradezone.protocol.limits import BLOCK_SWEEP, MAX_POSITIONS

POSITIONS = 1_000_000
POOLS, SINGLES, MARKETS = 8_000, 100_000, 64
RUNS = 5
SLICE_MS, TOTAL_MS, MAX_BYTES = 0.5, 20.0, 2 << 30


def sweep(driver, wanted, step):
    """Close blocks ``step`` ms apart until so many positions were touched; returns the ms of each, and how many."""
    pools, table = driver.count("pool"), driver.engine.tables["pool"]
    each = driver.count("position") / pools
    took, touched = [], 0
    while touched < wanted:
        _, worked, _ = driver.tick(driver.price + (1 if driver.price == MID else -1), after=step)
        epoch = int(driver.engine.machine["epoch"])
        used = int((table["epoch"][: pools + 1] == epoch).sum())
        touched += round(used * each)
        took.append(worked / 1e6)
    return took, touched


def measure(driver, wanted, runs):
    totals, largest, blocks, done = [], [], 0, 0
    with still():
        for n in range(-1, runs):
            took, touched = sweep(driver, wanted, 1_000)
            if n >= 0:
                totals.append(sum(took))
                largest.append(max(took))
                blocks += len(took)
                done += touched
    return {
        "total_ms": summary(totals, 2),
        "largest_block_ms": summary(largest, 3),
        "ns_a_position": round(1e6 * sum(totals) / done, 1),
        "blocks_a_run": blocks // runs,
        "runs": runs,
    }


def build(accounts, each):
    before = get_resident()
    driver = PerpDriver(accounts, MARKETS)
    if each == MAX_POSITIONS:
        driver.open_positions(10, list(range(1, MARKETS + 1)))
    else:
        share = accounts // MARKETS // 2
        for market in range(1, MARKETS + 1):
            first = driver.first + (market - 1) * 2 * share
            driver.pair(first, share, market, 10)
    return driver, get_resident() - before


def main(pools=POOLS, singles=SINGLES, wanted=POSITIONS, runs=RUNS):
    found = {}
    for name, accounts, each, number in (
        ("sweep", pools, MAX_POSITIONS, wanted),
        ("tick", singles, 1, singles),
    ):
        driver, size = build(accounts, each)
        found[name] = {
            "pools": driver.count("pool"),
            "positions": driver.count("position"),
            **measure(driver, min(number, 2 * driver.count("position")), runs),
            "resident_mb": size >> 20,
        }
        del driver
    swept = found["sweep"]
    print(
        json.dumps(
            {
                "claim": "perps_sweep",
                **get_machine(),
                "is_met": swept["total_ms"]["median"] <= TOTAL_MS
                and swept["largest_block_ms"]["median"] <= SLICE_MS
                and max(part["resident_mb"] << 20 for part in found.values()) <= MAX_BYTES,
                "budget_of_a_block": BLOCK_SWEEP,
                **found,
            }
        )
    )


if __name__ == "__main__":
    main()
