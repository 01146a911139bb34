"""Claim: the spot engine executes more than 300,000 order actions a second on one core, fees and records included.

A made-up flow of post-only orders, cancels, shrinks and IOC orders (the shape of the real hour) is executed in
runs of up to 256 blocks from memory. Included: envelope checks, nonces, class order, waiting and release, locks,
matching, fees to three accounts, events, dirty marks, bounds checks. Not included: signature recovery, journal,
roots. One action is one item: an order, cancel or amend. Also the latency of a block of one post-only order.
"""

from __future__ import annotations

import json
import statistics
import time

import numpy as np

from bench.state_commit import get_cpu_model, get_vector_bits
from tradezone.engine import Engine
from tradezone.testing import (
    build_groups,
    build_setup,
    build_setup_leaves,
    build_traders,
    get_funding,
    synthetic,
)
from tradezone.testing.zone import build_blocks

RUNS = 5
MESSAGES = 60_000
BLOCKS_A_RUN = 256


def pack(leaves, signers):
    offsets = np.zeros(len(leaves) + 1, dtype=np.int64)
    np.cumsum([len(leaf) for leaf in leaves], out=offsets[1:])
    rows = np.frombuffer(b"".join(s or bytes(20) for s in signers), dtype=np.uint8)
    return np.frombuffer(b"".join(leaves), dtype=np.uint8), offsets, rows.reshape(-1, 20)


def main():
    flow = synthetic.build_flow(MESSAGES)
    groups = list(build_groups(flow))
    traders = build_traders()
    inbox = build_setup(traders, get_funding(groups, len(traders)))
    setup = build_setup_leaves(len(inbox))
    actions = sum(draft.items for group in groups for draft in group.envelopes)
    blocks = list(build_blocks(groups, traders))
    runs = []
    for at in range(0, len(blocks), BLOCKS_A_RUN):
        part = blocks[at : at + BLOCKS_A_RUN]
        runs.append(pack([x for b, _ in part for x in b], [x for _, s in part for x in s]))
    single = [pack(leaves, signers) for leaves, signers in blocks if len(leaves) == 2]
    rates, latencies, steps = [], [], 0
    for n in range(RUNS + 1):
        engine = Engine()
        engine.execute(setup, [None] * len(setup), inbox)
        started = time.perf_counter()
        steps = sum(engine.execute_run(*run).steps for run in runs)
        took = time.perf_counter() - started
        if n:  # the first round warms memory
            rates.append(actions / took)
    engine = Engine()
    engine.execute(setup, [None] * len(setup), inbox)
    for leaves, signers in blocks:
        run = pack(leaves, signers)
        started = time.perf_counter_ns()
        engine.execute_run(*run)
        if len(leaves) == 2:
            latencies.append((time.perf_counter_ns() - started) / 1000)
    print(
        json.dumps(
            {
                "claim": "engine_core",
                "cpu": get_cpu_model(),
                "vector_bits": get_vector_bits(),
                "actions": actions,
                "blocks": len(blocks),
                "steps": steps,
                "actions_per_second": {
                    "median": round(statistics.median(rates)),
                    "lowest": round(min(rates)),
                    "highest": round(max(rates)),
                },
                "one_envelope_block_us": {
                    "blocks": len(single),
                    "median": round(statistics.median(latencies), 1),
                    "p99": round(sorted(latencies)[int(len(latencies) * 0.99)], 1),
                },
            }
        )
    )


if __name__ == "__main__":
    main()
