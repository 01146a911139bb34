"""Claim: a consumer follows books, depth and ledger at more than 100,000 events a second in plain Python.

All events of the flows of bench/order_flow.py, in the runs in which the engine wrote them. Each view reads the arrays itself, so a
consumer of several pays for each. The rate of trades and candles is that of all events, of which fills are a few in a hundred.
"""

from __future__ import annotations

import json
import time

from bench._flows import pack_flows
from bench.state_commit import get_cpu_model
from tradezone.testing.zone import START
from tradezone.views import CandleFeed, DepthFeed, L3Feed, Ledger

RUNS = 3


def main():
    for flow in pack_flows():
        engine, events = flow.start()
        pieces = [events.copy()]  # the ledger needs the setup too
        pieces += [engine.execute_run(*run).events.copy() for run in flow.runs]
        count = sum(len(piece) for piece in pieces)
        views = {
            "l3": (L3Feed, ()),
            "l2": (DepthFeed, ()),
            "ledger": (Ledger, ()),
            "candles": (CandleFeed, (START,)),
        }
        rates = {}
        for name, (build, arguments) in views.items():
            took = []
            for _ in range(RUNS):
                view = build()
                started = time.perf_counter()
                for piece in pieces:
                    view.apply(piece, *arguments)
                took.append(time.perf_counter() - started)
            rates[name] = round(count / min(took))
        print(
            json.dumps(
                {
                    "claim": "views",
                    "cpu": get_cpu_model(),
                    "flow": flow.name,
                    "events": count,
                    "events_per_second": rates,
                }
            )
        )


if __name__ == "__main__":
    main()
