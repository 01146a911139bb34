"""How long a zone takes to come back, per million actions; and a soak of bounded length with every invariant checked.

Recovery: a journal of orders (30 a signature) is written by the sequencer, then recovered from genesis: frames read and
checked, every signature recovered, every block executed, every receipt head compared, roots of batches computed. The soak runs
blocks through the same sequencer and audits the whole state every so many blocks; it fails on the first violation.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from bench._zone import get_machine, summary
from bench.service_pipeline import SEPARATOR, Stages, open_zone, run_block, sign
from tradezone.gateway.demo import make_key
from tradezone.gateway.orders import encode_frames
from tradezone.sequencer import SequencerConfig, recover

ITEMS = 30
GROUP = 20  # envelopes of a block
AUDIT_BLOCKS = 50
RUNS = 3


def write_journal(folder, orders):
    """Trade so many orders; returns how many a second of wall time, and the last block."""
    sequencer, signers, _ = open_zone(folder)
    leaves = sign(signers, orders // ITEMS, ITEMS, seed=5)
    stages = Stages()
    for n in range(0, len(leaves), GROUP):
        run_block(sequencer, encode_frames(leaves[n : n + GROUP]), stages)
    block, head = sequencer.block, sequencer.head
    sequencer.close()
    return block, head


def measure_recovery(orders):
    """Seconds per million actions, wall and processor."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        block, head = write_journal(folder, orders)
        began, worked = time.perf_counter(), time.process_time()
        recovered = recover(folder, SequencerConfig(SEPARATOR), make_key("sequencer"), threads=2)
        seconds, worked = time.perf_counter() - began, time.process_time() - worked
        sequencer = recovered.sequencer
        assert (sequencer.block, sequencer.head) == (block, head)
        sequencer.close()
        return {"wall": seconds / orders * 1e6, "processor": worked / orders * 1e6}


def soak(seconds):
    """Trade for so long with invariants on."""
    with tempfile.TemporaryDirectory() as name:
        sequencer, signers, _ = open_zone(Path(name))
        stages, orders, audits, seed = Stages(), 0, 0, 0
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            seed += 1
            leaves = sign(signers, GROUP * AUDIT_BLOCKS // 5, ITEMS // 6, seed)
            for n in range(0, len(leaves), GROUP):
                run_block(sequencer, encode_frames(leaves[n : n + GROUP]), stages)
            orders += len(leaves) * (ITEMS // 6)
            audits += 1
            violations = sequencer.engine.audit(is_thorough=audits % 5 == 0)
            if violations:
                raise SystemExit(f"after {orders} orders: {violations[0]}")
        root = sequencer.engine.commit_root()
        if root != sequencer.engine.rebuild_root():
            raise SystemExit("the root that was kept up is not the one of the state")
        block = sequencer.block
        sequencer.close()
        return {"seconds": seconds, "orders": orders, "blocks": block, "audits": audits}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=300_000, help="of a journal")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--soak", type=float, default=20.0, help="seconds")
    options = parser.parse_args()
    runs = [measure_recovery(options.orders) for _ in range(options.runs)]
    body = {
        "bench": "service_recovery",
        "machine": get_machine(),
        "load_average": [round(n, 1) for n in os.getloadavg()],
        "runs": options.runs,
        "orders": options.orders,
        "orders_a_signature": ITEMS,
        "seconds_per_million_actions": summary([run["wall"] for run in runs], 2),
        "processor_seconds_per_million_actions": summary([run["processor"] for run in runs], 2),
        "soak": soak(options.soak),
    }
    print(json.dumps(body, indent=2))


if __name__ == "__main__":
    main()
