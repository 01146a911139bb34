"""Where a zone's time goes, without sockets: frames in, answers out, by orders a signature; then what the views take.

Every stage is the service's own code on the same stream: binary frames are split, checked, their signers recovered (one
thread), let in, numbered, executed, receipts linked and signed, the journal synced, and answers encoded. One thread does it
all, one block at a time, so stages add up; processor time is that of this thread, wall time includes the disk. ``pipeline``
is orders per second of the whole, roots of batches included; the views, in a process of their own, are shown apart.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

import numpy as np

from bench._zone import get_machine, still, summary
from tradezone.client import Asset, Market, NonceSource, Signer, build_place
from tradezone.engine import Engine
from tradezone.engine.signatures import recover_signers
from tradezone.gateway.demo import make_key, tell_demo
from tradezone.gateway.orders import decode_frames, encode_frames
from tradezone.protocol.actions import domain_separator, pack
from tradezone.protocol.messages import BODIES, Message
from tradezone.sequencer import (
    BatchBuilder,
    FileJournal,
    LeafRun,
    Sequencer,
    SequencerConfig,
    SystemClock,
)
from tradezone.sequencer.journal import BlockRecord, encode_frame
from tradezone.sequencer.receipts import chain_links, hash_leaves, sign_head
from tradezone.service import BlockEvents, Feeds, HistoryWriter

SEPARATOR = domain_separator(31337, bytes.fromhex("5a" * 20))
MARKET = Market(1, Asset(2, "OKB", 8), Asset(1, "USD", 6), 1_000_000, 100, 1_000_000, 1_000_000)
SIGNATURES = (1, 5, 10, 15, 30)
ORDERS_A_BLOCK = 600
RUNS = 5
CHECK_BYTES = 64 << 10


def make_signers():
    """Return the two traders of the demonstration zone."""
    return [
        Signer(make_key(name), slot, slot, SEPARATOR, nonces=NonceSource(), lifetime_ms=3_600_000)
        for name, slot in (("alice", 2), ("bob", 3))
    ]


def build_orders(chance, items):
    """Mostly quotes that rest, some orders that take."""
    orders = []
    for _ in range(items):
        side = chance.choice(("buy", "sell"))
        away = chance.randint(-3, 20) if chance.random() < 0.45 else -30  # a quote, or it takes
        price = 60_00 - away if side == "buy" else 60_00 + away
        tif = "ioc" if away == -30 else "post_slide"
        text = f"{price / 100:.2f}"
        orders.append(build_place(MARKET, side, text, "0.01", tif=tif, stp="oldest"))
    return orders


def sign(signers, envelopes, items, seed):
    """Pre-signed envelopes of the traders in turn."""
    chance = random.Random(seed)
    return [signers[n % 2].place(*build_orders(chance, items)) for n in range(envelopes)]


def open_zone(folder):
    """Return a sequencer on disk with the demonstration's market, and quota to trade for hours."""
    journal = FileJournal.open(folder / "journal", SEPARATOR)
    sequencer = Sequencer(
        SequencerConfig(SEPARATOR),
        Engine(),
        journal,
        make_key("sequencer"),
        clock=SystemClock(),
        batches=BatchBuilder(folder / "batches"),
    )
    now = sequencer.clock.now()
    told = tell_demo(taker_delay=3)
    sequencer.offer_messages(
        [
            Message(n, kind, bytes(20), now // 1_000, n, pack(BODIES[kind], values)).to_bytes()
            for n, (kind, values) in enumerate(told)
        ]
    )
    blocks = [sequencer.close_block()]
    time.sleep(0.01)
    signers = make_signers()
    for signer, side, tif in zip(signers, ("sell", "buy"), ("post_only", "gtc"), strict=True):
        order = build_place(MARKET, side, "60.00", "3000", tif=tif)
        sequencer.admit_and_submit([signer.place(order)])
        blocks += sequencer.close_until_idle(until_ms=sequencer.clock.now() + 5)
    return sequencer, signers, blocks


class Stages:
    """Processor time of stages, by name; times are of this thread, ns."""

    def __init__(self):
        self.busy = {}
        self._at = 0

    def begin(self):
        """Begin a stage."""
        self._at = time.thread_time_ns()

    def end(self, name):
        """End it; the next one begins."""
        now = time.thread_time_ns()
        self.busy[name] = self.busy.get(name, 0) + now - self._at
        self._at = time.thread_time_ns()


def run_block(sequencer, frame, stages):
    """One block from a binary frame to its answers."""
    stages.begin()
    run = decode_frames(frame)
    stages.end("split")
    received = sequencer.clock.now()
    times = np.full(len(run), received, np.int64)
    codes = sequencer.intake._look(run, times).codes  # noqa: SLF001 -- its own stage here
    stages.end("checks")
    signers = recover_signers(run.buffer, run.offsets, SEPARATOR)
    stages.end("signatures")
    admitted, _ = sequencer.intake.admit_run(run, times, signers)
    sequencer.submit_run(run, signers, times)
    stages.end("let in")
    closed = sequencer.close_block()
    stages.end("block")
    block = BlockEvents(closed)
    answers = block.answers.get(block.marks, len(closed.leaves))
    stages.end("answers")
    assert not codes.any()
    assert not admitted.any()
    assert answers
    return closed


def split_block(closed, stages):
    """Measure what of "block" is engine, receipts and journal, from a second look at the same block."""
    head = closed.receipts.block_head
    leaves = LeafRun.of(closed.leaves)
    stages.begin()
    digests = hash_leaves(leaves)
    chain_links(
        head.parent, head.epoch, head.first_seq, digests, closed.receipts.received, closed.results
    )
    sign_head(make_key("sequencer"), SEPARATOR, head)
    stages.end("of it receipts")
    record = BlockRecord(
        1, head.block, head.first_seq, leaves, closed.receipts.received, 0, (), head.head,
        head.signature,
    )  # fmt: skip
    encode_frame(record, bytes(32))
    stages.end("of it journal, without its sync")


def measure(items, orders):
    """One run of so many orders."""
    with tempfile.TemporaryDirectory() as name, still():
        folder = Path(name)
        sequencer, signers, blocks = open_zone(folder)
        group = max(ORDERS_A_BLOCK // items, 1)
        leaves = sign(signers, orders // items, items, seed=items)
        frames = [encode_frames(leaves[n : n + group]) for n in range(0, len(leaves), group)]
        warm = Stages()
        blocks += [run_block(sequencer, frame, warm) for frame in frames[:3]]
        stages = Stages()
        began, worked = time.perf_counter(), time.thread_time()
        closed = [run_block(sequencer, frame, stages) for frame in frames[3:]]
        sequencer.publish_batch()
        worked = time.thread_time() - worked
        seconds = time.perf_counter() - began
        done = sum(len(block.leaves) - 1 for block in closed) * items
        parts = Stages()
        for block in closed:
            split_block(block, parts)
        views = Stages()
        feeds, writer = Feeds(), HistoryWriter(folder / "history.sqlite")
        for block in blocks:
            published = feeds.apply(block.number, block.time, block.events)
            writer.add(block.receipts, block.events, published.candles)
        for block in closed:
            views.begin()
            published = feeds.apply(block.number, block.time, block.events)
            views.end("market data")
            writer.add(block.receipts, block.events, published.candles)
            views.end("history")
        writer.close()
        sequencer.close()
        return {
            "wall": done / seconds,
            "processor": done / worked,
            "events": sum(len(block.events) for block in closed) / done,
            "stages": {name: ns / done for name, ns in (stages.busy | parts.busy).items()},
            "views": {name: ns / done for name, ns in views.busy.items()},
        }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=30_000, help="of a run")
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    figures = {}
    for items in SIGNATURES:
        runs = [measure(items, options.orders) for _ in range(options.runs)]
        figures[str(items)] = {
            "orders_per_second": summary([run["wall"] for run in runs], 0),
            "orders_per_processor_second": summary([run["processor"] for run in runs], 0),
            "events_an_order": round(runs[0]["events"], 2),
            "stages_ns_an_order": {
                name: summary([run["stages"][name] for run in runs], 0)
                for name in runs[0]["stages"]
            },
            "views_ns_an_order": {
                name: summary([run["views"][name] for run in runs], 0) for name in runs[0]["views"]
            },
        }
    body = {
        "bench": "service_pipeline",
        "machine": get_machine(),
        "runs": options.runs,
        "orders_a_run": options.orders,
        "orders_a_block": ORDERS_A_BLOCK,
        "includes": "frames, checks, signatures, engine, receipts, one sync a block, answers, roots;"
        " one thread; views apart",
        "by_orders_a_signature": figures,
    }
    print(json.dumps(body, indent=2))


if __name__ == "__main__":
    main()
