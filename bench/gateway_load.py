"""Orders a second over sockets: binary frames on WebSocket connections, from a client process of its own.

What the figure includes: WebSocket framing, decoding, all checks, signatures, numbering, matching, receipts, one sync a
block, events, depth, trades, the history store, and the answer for every order. The client signs beforehand. Client and zone
share the machine; the client's part of the processor is reported.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tradezone.client import Asset, Market, NonceSource, Signer, build_place
from tradezone.client._wire import Address, WebSocket
from tradezone.gateway.demo import DemoZone, make_key
from tradezone.gateway.orders import encode_frames
from tradezone.gateway.server import SWITCH_S
from tradezone.protocol.actions import domain_separator

ENVELOPES = 1_500
WINDOW = (
    16  # frames a connection has under way; one connection a key, so that nonces keep their order
)


def sign(count, items, seed):
    """Frames of pre-signed envelopes: mostly quotes that rest, some orders that take."""
    chance = random.Random(seed)
    market = Market(1, Asset(2, "OKB", 8), Asset(1, "USD", 6), 1_000_000, 100, 1_000_000, 1_000_000)
    separator = domain_separator(31337, bytes.fromhex("5a" * 20))
    signers = [
        Signer(make_key(name), slot, slot, separator, nonces=NonceSource(), lifetime_ms=3_600_000)
        for name, slot in (("alice", 2), ("bob", 3))
    ]
    leaves = []
    for n in range(count):
        orders = []
        for _ in range(items):
            side = chance.choice(("buy", "sell"))
            away = chance.randint(-3, 20) if chance.random() < 0.6 else -30  # a quote, or it takes
            price = 60_00 - away if side == "buy" else 60_00 + away
            tif = "ioc" if away == -30 else "post_slide"
            orders.append(
                build_place(market, side, f"{price / 100:.2f}", "0.01", tif=tif, stp="oldest")
            )
        leaves.append(signers[n % 2].place(*orders))
    return leaves


async def client(url, shares):
    """Send frames over some connections and time every answer."""
    latencies, done, refused = [], 0, 0

    async def run(share):
        nonlocal done, refused
        wire = await WebSocket.connect(Address.from_url(url), "/v1/stream")
        sent, window = {}, asyncio.Semaphore(WINDOW)

        async def receive():
            nonlocal done, refused
            for _ in share:
                data = await wire.receive()
                assert isinstance(data, bytes), data
                number = int.from_bytes(data[:4], "big")
                latencies.append(time.perf_counter() - sent.pop(number))
                at = 4
                while at < len(data):
                    refused += data[at] != 0
                    done += data[at + 23]
                    at += 24 + 10 * data[at + 23]
                window.release()

        reader = asyncio.ensure_future(receive())
        for number, leaves in enumerate(share):
            await window.acquire()
            sent[number] = time.perf_counter()
            await wire.send(struct.pack(">I", number) + encode_frames(leaves))
        await reader
        await wire.close()

    began = time.perf_counter()
    await asyncio.gather(*(run(share) for share in shares))
    seconds = time.perf_counter() - began
    latencies.sort()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "orders": done,
        "refused_envelopes": refused,
        "orders_per_second": round(done / seconds),
        "p50_ms": round(latencies[len(latencies) // 2] * 1_000, 2),
        "p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1_000, 2),
        "seconds": round(seconds, 2),
        "client_cpu_share": round((usage.ru_utime + usage.ru_stime) / seconds, 2),
    }


def buy_quota(demo):
    """One large trade: its fee buys both traders all the actions they need."""
    alice, bob = demo.alice, demo.bob
    alice.sell("OKB/USD", "3000", price="60.00", tif="post_only")
    bob.wait_done(bob.buy("OKB/USD", "3000", price="60.00"))
    time.sleep(0.1)


def run_client(path):
    job = json.loads(Path(path).read_text())
    leaves = [bytes.fromhex(leaf) for leaf in job["leaves"]]
    size = job["frame"]
    shares = [
        [own[i : i + size] for i in range(0, len(own), size)] for own in (leaves[::2], leaves[1::2])
    ]
    print(json.dumps(asyncio.run(client(job["url"], shares))))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--client")
    parser.add_argument("--items", type=int, default=15, help="orders a signature")
    parser.add_argument("--frame", type=int, default=8, help="envelopes a frame")
    parser.add_argument("--envelopes", type=int, default=ENVELOPES)
    options = parser.parse_args()
    if options.client:
        run_client(options.client)
        return

    sys.setswitchinterval(SWITCH_S)
    with tempfile.TemporaryDirectory() as folder, DemoZone(Path(folder)) as demo:
        buy_quota(demo)
        leaves = sign(options.envelopes, options.items, 1)
        job = {"url": demo.url, "frame": options.frame, "leaves": [leaf.hex() for leaf in leaves]}
        path = Path(folder) / "job.json"
        path.write_text(json.dumps(job))
        before = resource.getrusage(resource.RUSAGE_SELF)
        result = subprocess.run(
            [sys.executable, __file__, "--client", str(path)],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ,
        )
        usage = resource.getrusage(resource.RUSAGE_SELF)
        body = json.loads(result.stdout)
        wait = time.perf_counter()
        demo.node.pipeline.wait_published(600)
        body |= {
            "bench": "gateway_load",
            "orders_per_signature": options.items,
            "envelopes_per_frame": options.frame,
            "publisher_behind_s": round(time.perf_counter() - wait, 2),
            "zone_cpu_seconds": round(
                usage.ru_utime + usage.ru_stime - before.ru_utime - before.ru_stime, 2
            ),
        }
        for metric in demo.node.metrics.registry.collect():
            for sample in metric.samples:
                if sample.name == "tradezone_stage_seconds_sum":
                    body[f"{sample.labels['stage']}_s"] = round(sample.value, 2)
        print(json.dumps(body))


if __name__ == "__main__":
    main()
