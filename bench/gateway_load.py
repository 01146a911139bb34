"""Orders a second over sockets: binary frames on two WebSocket connections, from a client process of its own.

What the figures include: WebSocket framing, decoding, all checks, signatures, numbering, matching, receipts, one sync a
block, and the answer for every order; market data and history are made meanwhile by their own process, and how far they
are behind at the end is reported. The client signs beforehand; client, zone and views share the machine, and the processor
time of each is reported. Latency is from the client's send to its receipt of a frame's answer, at half of the rate
measured just before; the taker delay is not in it, because an order is acknowledged when it is on disk.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlparse

from bench._zone import get_machine, summary
from bench.service_pipeline import make_signers, sign
from tradezone.gateway.demo import DemoZone
from tradezone.gateway.orders import encode_frames
from tradezone.gateway.server import SWITCH_S

SIGNATURES = (1, 5, 15, 30)
ORDERS = {1: 6_000, 5: 24_000, 15: 48_000, 30: 60_000}  # of a run
FRAME_ORDERS = 240  # in a frame, at least one envelope
WINDOW = (
    12  # frames a connection has under way; one connection a key, so that nonces keep their order
)
RUNS = 3
TIMEOUT_S = 120.0


class Link:
    """A WebSocket connection with nothing but what this load needs: masks of zero, no fragments."""

    def __init__(self, url):
        address = urlparse(url)
        self.sock = socket.create_connection((address.hostname, address.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.sendall(
            b"GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Sec-WebSocket-Version: 13\r\n\r\n"
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.sock.recv(4_096)
        self._rest = head.split(b"\r\n\r\n", 1)[1]
        self.sent, self.next = {}, 0

    def send(self, frames):
        """Send the next of some frames and note when."""
        self.sent[self.next] = time.perf_counter()
        self.sock.sendall(frames[self.next])
        self.next += 1

    def receive(self):
        """Read what is there; yields (number, answer) of every frame that is whole."""
        self._rest += self.sock.recv(1 << 18)
        while True:
            data = self._rest
            if len(data) < 4:
                return
            size, at = data[1] & 127, 2
            if size == 126:
                size, at = int.from_bytes(data[2:4], "big"), 4
            elif size == 127:
                size, at = int.from_bytes(data[2:10].ljust(8, b"\0"), "big"), 10
            if len(data) < at + size:
                return
            body, self._rest = data[at : at + size], data[at + size :]
            if data[0] & 15 == 2:
                yield int.from_bytes(body[:4], "big"), body[4:]
            elif data[0] & 15 in (1, 8):
                raise SystemExit(f"the zone answered {body[:300]!r}")


def wrap(number, leaves):
    """Return a frame as it goes over the wire."""
    body = number.to_bytes(4, "big") + encode_frames(leaves)
    size = len(body)
    head = b"\x82" + (
        bytes([0x80 | 126]) + size.to_bytes(2, "big")
        if size < 1 << 16
        else bytes([0x80 | 127]) + size.to_bytes(8, "big")
    )
    return head + bytes(4) + body


def drive(links, shares, rate):
    """Send all frames, as fast as the window lets, or ``rate`` frames a second; returns figures."""
    latencies, done, refused = [], 0, 0
    left = total = sum(map(len, shares))
    began, worked = time.perf_counter(), time.process_time()
    deadline = began + TIMEOUT_S
    while left:
        now = time.perf_counter()
        if now > deadline:
            raise SystemExit("the zone does not answer")
        pause = 1.0
        for n, (link, frames) in enumerate(zip(links, shares, strict=True)):
            while link.next < len(frames) and len(link.sent) < WINDOW:
                due = began + (2 * link.next + n) / rate if rate else now
                if due > now:
                    pause = min(pause, due - now)
                    break
                link.send(frames)
        ready, _, _ = select.select([link.sock for link in links], [], [], pause)
        for link in links:
            if link.sock not in ready:
                continue
            for number, answer in link.receive():
                latencies.append(time.perf_counter() - link.sent.pop(number))
                left -= 1
                at = 0
                while at < len(answer):
                    refused += answer[at] != 0 or answer[at + 1 : at + 3] != b"\0\0"
                    done += answer[at + 23]
                    at += 24 + 10 * answer[at + 23]
    seconds = time.perf_counter() - began
    latencies.sort()
    return {
        "orders": done,
        "not_done_envelopes": refused,
        "orders_per_second": done / seconds,
        "frames_per_second": total / seconds,
        "p50_ms": latencies[len(latencies) // 2] * 1_000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1_000,
        "client_cpu": (time.process_time() - worked) / seconds,
    }


def run_client(job):
    """As the client process: sign, then drive; two lines of JSON, full speed and half of it."""
    items, orders = job["items"], job["orders"]
    signers = make_signers()
    group = max(FRAME_ORDERS // items, 1)
    rate = 0.0
    for part in (1, 2):
        leaves = sign(signers, orders // items, items, seed=job["seed"] + part)
        shares = []
        for own in (leaves[::2], leaves[1::2]):
            groups = [own[n : n + group] for n in range(0, len(own), group)]
            shares.append([wrap(n, one) for n, one in enumerate(groups)])
        links = [Link(job["url"]) for _ in shares]
        figures = drive(links, shares, rate / 2)  # 0: as fast as it goes
        rate = figures["frames_per_second"]
        for link in links:
            link.sock.close()
        print(json.dumps(figures), flush=True)


def buy_quota(demo):
    """One large trade: its fee buys both traders all the actions they need."""
    alice, bob = demo.alice, demo.bob
    alice.sell("OKB/USD", "3000", price="60.00", tif="post_only")
    bob.wait_done(bob.buy("OKB/USD", "3000", price="60.00"))
    for trader in (alice, bob):  # what they would hear is not what is measured here
        trader.close()
    time.sleep(0.1)


def get_cpu(pid):
    """Processor seconds of another process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_once(items, orders, seed):
    """One zone, one client; figures at full speed and at half of it."""
    with tempfile.TemporaryDirectory() as folder, DemoZone(Path(folder), taker_delay=0) as demo:
        buy_quota(demo)
        node = demo.node
        job = {"url": demo.url, "items": items, "orders": orders, "seed": seed}
        before, views = resource.getrusage(resource.RUSAGE_SELF), get_cpu(node.views.pid)
        done = subprocess.run(
            [sys.executable, "-m", "bench.gateway_load", "--client", json.dumps(job)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        after = resource.getrusage(resource.RUSAGE_SELF)
        behind = time.perf_counter()
        block = node.sequencer.block
        lag = block - node.views.block, block - node.views.history_block
        node.views.wait(block, 600)
        full, half = map(json.loads, done.stdout.splitlines())
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {
            "full": full,
            "half": half,
            "zone_us": used / (full["orders"] + half["orders"]) * 1e6,
            "views_us": (get_cpu(node.views.pid) - views) / (full["orders"] + half["orders"]) * 1e6,
            "market_data_lag_blocks": lag[0],
            "history_lag_blocks": lag[1],
            "catch_up_s": time.perf_counter() - behind,
            "dropped": node.views.dropped,
        }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--client")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--scale", type=float, default=1.0, help="of the orders of a run")
    options = parser.parse_args()
    if options.client:
        run_client(json.loads(options.client))
        return
    sys.setswitchinterval(SWITCH_S)
    figures = {}
    for items in SIGNATURES:
        orders = int(ORDERS[items] * options.scale)
        runs = [run_once(items, orders, 10 * n) for n in range(options.runs)]
        figures[str(items)] = {
            "orders_per_second": summary([run["full"]["orders_per_second"] for run in runs], 0),
            "client_cpu_share": summary([run["full"]["client_cpu"] for run in runs], 2),
            "zone_cpu_us_an_order": summary([run["zone_us"] for run in runs]),
            "views_cpu_us_an_order": summary([run["views_us"] for run in runs]),
            "at_half_load": {
                "orders_per_second": summary([run["half"]["orders_per_second"] for run in runs], 0),
                "p50_ms": summary([run["half"]["p50_ms"] for run in runs], 2),
                "p99_ms": summary([run["half"]["p99_ms"] for run in runs], 2),
            },
            "not_done_envelopes": sum(
                run[part]["not_done_envelopes"] for run in runs for part in ("full", "half")
            ),
            "views_behind": {
                name: statistics.median(run[name] for run in runs)
                for name in (
                    "market_data_lag_blocks",
                    "history_lag_blocks",
                    "catch_up_s",
                    "dropped",
                )
            },
        }
    body = {
        "bench": "gateway_load",
        "machine": get_machine(),
        "load_average": [round(n, 1) for n in os.getloadavg()],
        "runs": options.runs,
        "orders_a_frame": FRAME_ORDERS,
        "by_orders_a_signature": figures,
    }
    print(json.dumps(body, indent=2))


if __name__ == "__main__":
    main()
