"""Claim: a block of one order is executed within 25 microseconds.

A book of 20,000 open orders of 1,000 accounts. A block holds its mark and one envelope with one item, and is one call of
``Engine.execute_run`` from Python: a post-only order that rests, or an IOC order that fills one resting order (the
market has no taker delay, so that it trades in the block that admits it). Included: everything from the leaf's bytes to
events in the caller's hands. Not included: signature recovery, journal, receipts, roots. Times are of single
calls; p99 shows what else the machine does.
"""

from __future__ import annotations

import json
import statistics

from bench._zone import Driver, get_machine, still, summary

RUNS = 7
BLOCKS = 1_000
OPEN = 20_000
CLAIM = 25  # microseconds


def measure(driver, build):
    times = sorted(driver.run(build())[0] / 1000 for _ in range(BLOCKS))
    return statistics.median(times), times[int(BLOCKS * 0.99)]


def main():
    driver = Driver(1_000, taker_delay=0)
    driver.fill_up(OPEN)
    kinds = {
        "post_only": lambda: driver.pack([driver.build_places(1, items=1)]),
        "trade": lambda: driver.pack([driver.build_takers(1, 1, 10)]),
    }
    found = {}
    with still():
        for name, build in kinds.items():
            measure(driver, build)  # warms
            runs = [measure(driver, build) for _ in range(RUNS)]
            found[name] = {
                "median_us": summary([run[0] for run in runs]),
                "p99_us": summary([run[1] for run in runs]),
            }
    print(
        json.dumps(
            {
                "claim": "engine_latency",
                **get_machine(),
                "is_met": all(part["median_us"]["median"] <= CLAIM for part in found.values()),
                "runs": RUNS,
                "blocks_a_run": BLOCKS,
                **found,
            }
        )
    )


if __name__ == "__main__":
    main()
