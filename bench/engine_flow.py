"""Claim: a flow of the shape of a real hour, in blocks of a few orders, runs at more than 1 million actions a second.

A made-up flow of post-only orders, cancels, shrinks and IOC orders, of 10 accounts, about four actions a block, one to
three items an envelope: what costs is the block, the envelope and the sweep, not the order. The first half warms the
zone; the second half is timed in segments, 256 blocks a call of ``Engine.execute_run``. One action is one item, a second is one of processor time of the one
thread.
Included and not included: as in ``engine_one_book``.
"""

from __future__ import annotations

import json
import time

import numpy as np

from bench._zone import get_machine, still, summary
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

SEGMENTS = 7
MESSAGES = 140_000
BLOCKS_A_RUN = 256
CLAIM = 1_000_000  # actions a second


def pack(blocks):
    leaves = [leaf for block, _ in blocks for leaf in block]
    signers = [signer or bytes(20) for _, told in blocks for signer in told]
    offsets = np.zeros(len(leaves) + 1, np.int64)
    np.cumsum([len(leaf) for leaf in leaves], out=offsets[1:])
    rows = np.frombuffer(b"".join(signers), np.uint8).reshape(-1, 20)
    return np.frombuffer(b"".join(leaves), np.uint8), offsets, rows


def main():
    groups = list(build_groups(synthetic.build_flow(MESSAGES)))
    traders = build_traders()
    inbox = build_setup(traders, get_funding(groups, len(traders)))
    setup = build_setup_leaves(len(inbox))
    blocks = list(build_blocks(groups, traders))
    starts = range(0, len(blocks), BLOCKS_A_RUN)
    runs = [pack(blocks[at : at + BLOCKS_A_RUN]) for at in starts]
    actions = [
        sum(draft.items for group in groups[at : at + BLOCKS_A_RUN] for draft in group.envelopes)
        for at in starts
    ]
    engine = Engine()
    engine.execute(setup, [None] * len(setup), inbox)
    half = len(runs) // 2
    size = (len(runs) - half) // SEGMENTS
    rates, steps, done = [], 0, 0
    with still():
        for run in runs[:half]:
            engine.execute_run(*run)
        for at in range(half, half + SEGMENTS * size, size):
            started = time.thread_time()
            steps += sum(engine.execute_run(*run).steps for run in runs[at : at + size])
            took = time.thread_time() - started
            count = sum(actions[at : at + size])
            done += count
            rates.append(count / took)
    rate = summary(rates, 0)
    print(
        json.dumps(
            {
                "claim": "engine_flow",
                **get_machine(),
                "is_met": rate["median"] >= CLAIM,
                "actions": done,
                "actions_a_block": round(done / (SEGMENTS * size * BLOCKS_A_RUN), 1),
                "steps_an_action": round(steps / done, 1),
                "actions_per_second": rate,
            }
        )
    )


if __name__ == "__main__":
    main()
