"""Claim: the engine executes at least 2 million order operations a second over 64 perpetuals in cross margin, on one core.

The mix of ``engine_books`` on 64 perpetuals: every account trades 8 of them in one cross pool, so each order is checked
against the equity of up to eight positions, each fill moves two pools, and each mark tick makes all of them stale. Beside
it, in the same run and block by block in turn, the same mix on 64 spot markets with a base asset each. A block is one
millisecond of the zone's time, and a mark tick of all 64 markets, with fresh prices, comes every 250 of them.

50,000 accounts may trade; pools and positions are those that the open orders ask for. Rates are per second of processor time
of the one thread. Not included: as in ``engine_one_book``.
"""

from __future__ import annotations

import json

import numpy as np

from bench._perps import PerpDriver
from bench._zone import Driver, get_machine, still, summary
from tradezone.protocol import events

OPERATIONS = 6_000
OPEN = 250_000
ACCOUNTS, MARKETS, FAVOURITES = 50_000, 64, 8
RUNS, BLOCKS = 7, 20
TICK_BLOCKS = 250  # a block is one millisecond of the zone's time
CLAIM = 2_000_000  # operations a second


def measure(drivers, runs=RUNS, blocks=BLOCKS, operations=OPERATIONS, target=OPEN):
    """Rates of each driver, by name; their blocks take turns."""
    rates = {name: [] for name in drivers}
    totals = {name: [0, 0, 0] for name in drivers}  # operations, steps, fills
    ticks = []
    with still():
        for n in range(-1, runs):
            busy, done = dict.fromkeys(drivers, 0), dict.fromkeys(drivers, 0)
            for at in range(blocks):
                for name, driver in drivers.items():
                    if name == "perpetuals" and at == 0:
                        worked = driver.tick()[1]
                        ticks.append(worked)
                        busy[name] += worked * blocks // TICK_BLOCKS
                    block = driver.build_mixed(operations, target)
                    _, worked, result = driver.run(block)
                    busy[name] += worked
                    done[name] += block.operations
                    if n >= 0:
                        fills = int(np.count_nonzero(result.events["kind"] == events.FILL))
                        for i, value in enumerate((block.operations, result.steps, fills)):
                            totals[name][i] += value
            if n >= 0:
                for name in drivers:
                    rates[name].append(1e9 * done[name] / busy[name])
    return {
        name: {
            "operations_per_second": summary(rates[name], 0),
            "ns_an_operation": summary([1e9 / rate for rate in rates[name]]),
            "runs": runs,
            "operations": count,
            "steps_an_operation": round(steps / count, 1),
            "fills_an_operation": round(fills / count, 2),
        }
        for name, (count, steps, fills) in totals.items()
    } | {"tick_block_us": summary([ns / 1_000 for ns in ticks])}


def main(accounts=ACCOUNTS, target=OPEN, **how):
    drivers = {
        "spot": Driver(accounts, MARKETS, FAVOURITES, taker_delay=0),
        "perpetuals": PerpDriver(accounts, MARKETS, FAVOURITES),
    }
    for driver in drivers.values():
        driver.fill_up(target)
    found = measure(drivers, target=target, **how)
    perps = drivers["perpetuals"]
    spot_rate, perp_rate = (
        found[name]["operations_per_second"]["median"] for name in ("spot", "perpetuals")
    )
    print(
        json.dumps(
            {
                "claim": "perps_books",
                **get_machine(),
                "is_met": perp_rate >= CLAIM,
                "pools": perps.count("pool"),
                "positions": perps.count("position"),
                "open_orders": perps.open,
                "times_spot": round(spot_rate / perp_rate, 2),
                **found,
            }
        )
    )


if __name__ == "__main__":
    main()
