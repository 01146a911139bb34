"""Claim: real order flow runs through the engine at more than 150,000 actions a second on one core, fees and records included.

The hour of NASDAQ AAPL and the five hours of Bitstamp where their data is at hand (TRADEZONE_DATA), and the made-up flow.
Blocks are as small as the flow makes them: a new one whenever a cancel follows an order, so most hold one to three
envelopes. Included and left out is what bench/engine_one_book.py says; one action is one order, cancel or amend.
"""

from __future__ import annotations

import json
import statistics
import time

from bench._flows import pack_flows
from bench.state_commit import get_cpu_model

RUNS = 5


def main():
    for flow in pack_flows():
        rates = []
        for n in range(RUNS + 1):
            engine, _ = flow.start()
            started = time.perf_counter()
            for run in flow.runs:
                engine.execute_run(*run)
            if n:  # the first round warms memory
                rates.append(flow.actions / (time.perf_counter() - started))
        print(
            json.dumps(
                {
                    "claim": "order_flow",
                    "cpu": get_cpu_model(),
                    "flow": flow.name,
                    "actions": flow.actions,
                    "blocks": flow.blocks,
                    "actions_per_second": {
                        "median": round(statistics.median(rates)),
                        "lowest": round(min(rates)),
                        "highest": round(max(rates)),
                    },
                }
            )
        )


if __name__ == "__main__":
    main()
