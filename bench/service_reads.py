"""What readers take: one book to 1,000 subscribers, and REST reads a second.

Fan-out: a client process holds the connections, each subscribed to one book, while two traders change it; the figure is
messages delivered a second and how late an update is, from the answer to the order that caused it to its arrival at the last
subscriber. REST: a client process with keep-alive connections asks for book, market, ticker and trades in turn. Both
share the machine with the zone, its views, and the client.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlparse

from bench._zone import get_machine, summary
from bench.gateway_load import Link, buy_quota
from tradezone.gateway.demo import DemoZone

SUBSCRIBERS = 1_000
UPDATES = 40
READS = 2_000
CONNECTIONS = 8
RUNS = 3
TIMEOUT_S = 120.0
_PATHS = ("/v1/markets/1/book", "/v1/markets/1", "/v1/markets/1/ticker", "/v1/markets/1/trades")


def wrap_text(body):
    """Return JSON as a masked text frame."""
    data = json.dumps(body).encode()
    return b"\x81" + bytes([0x80 | 126]) + len(data).to_bytes(2, "big") + bytes(4) + data


class Subscriber(Link):
    """A connection that counts the updates of a book."""

    def __init__(self, url):
        super().__init__(url)
        self.updates, self.is_begun = 0, False
        args = [{"channel": "book", "market": 1}]
        self.sock.sendall(wrap_text({"id": 1, "op": "subscribe", "args": args}))

    def read(self):
        """Count what is there."""
        self._rest += self.sock.recv(1 << 16)
        while len(self._rest) >= 4:
            data, size, at = self._rest, self._rest[1] & 127, 2
            if size == 126:
                size, at = int.from_bytes(data[2:4], "big"), 4
            if len(data) < at + size:
                return
            body, self._rest = data[at : at + size], data[at + size :]
            if b'"snapshot"' in body:
                self.is_begun = True
            elif b'"update"' in body:
                self.updates += 1


def subscribe(job):
    """As the client process: connect, say when all have begun, then count and time what comes."""
    links = [Subscriber(job["url"]) for _ in range(job["count"])]
    poll = select.epoll()
    by_number = {link.sock.fileno(): link for link in links}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    began, deadline = False, time.perf_counter() + TIMEOUT_S
    seen = last = 0
    arrivals = []
    while seen < job["updates"] * len(links) and time.perf_counter() < deadline:
        for number, _ in poll.poll(1.0):
            by_number[number].read()
        if not began and all(link.is_begun for link in links):
            began = True
            print("begun", flush=True)
        seen = sum(link.updates for link in links)
        slowest = min(link.updates for link in links)
        while last < slowest:
            last += 1
            arrivals.append(time.time())  # the zone's process has the same clock
    print(json.dumps({"seen": seen, "arrivals": arrivals}), flush=True)


def measure_fan_out(count):
    """One book to so many subscribers."""
    with (
        tempfile.TemporaryDirectory() as folder,
        DemoZone(Path(folder), max_connections_per_ip=count + 16) as demo,
    ):
        buy_quota(demo)
        job = {"url": demo.url, "count": count, "updates": UPDATES}
        client = subprocess.Popen(
            [sys.executable, "-m", "bench.service_reads", "--subscribe", json.dumps(job)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert client.stdout.readline() == "begun\n"
        alice, sent = demo.alice, []
        began = time.time()
        for n in range(UPDATES):
            alice.buy("OKB/USD", "0.01", price=f"{20 + n / 100:.2f}", tif="post_only")
            sent.append(time.time())
            time.sleep(0.02)
        found = json.loads(client.stdout.readline())
        client.wait()
        if found["seen"] != UPDATES * count:
            raise SystemExit(f"{found['seen']} of {UPDATES * count} updates arrived")
        late = [b - a for a, b in zip(sent, found["arrivals"], strict=True)]
        return {
            "messages_per_second": found["seen"] / (found["arrivals"][-1] - began),
            "last_subscriber_ms": sorted(late)[len(late) // 2] * 1_000,
        }


def read(job):
    """As the client process: keep-alive connections that ask in turn."""
    address = urlparse(job["url"])
    done = []

    def work(n):
        sock = socket.create_connection((address.hostname, address.port))
        stream = sock.makefile("rb")
        for k in range(job["reads"] // CONNECTIONS):
            path = _PATHS[(k + n) % len(_PATHS)]
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert b"200" in stream.readline()
            size = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length"):
                    size = int(line.split(b":")[1])
            stream.read(size)
            done.append(1)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(CONNECTIONS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(len(done) / (time.perf_counter() - began))


def measure_reads(count):
    """REST reads a second."""
    with tempfile.TemporaryDirectory() as folder, DemoZone(Path(folder)) as demo:
        buy_quota(demo)
        demo.node.views.wait(demo.node.sequencer.block)
        job = {"url": demo.url, "reads": count}
        done = subprocess.run(
            [sys.executable, "-m", "bench.service_reads", "--read", json.dumps(job)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        return float(done.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscribe")
    parser.add_argument("--read")
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    if options.subscribe:
        subscribe(json.loads(options.subscribe))
        return
    if options.read:
        read(json.loads(options.read))
        return
    fan_out = [measure_fan_out(SUBSCRIBERS) for _ in range(options.runs)]
    reads = [measure_reads(READS) for _ in range(options.runs)]
    body = {
        "bench": "service_reads",
        "machine": get_machine(),
        "load_average": [round(n, 1) for n in os.getloadavg()],
        "runs": options.runs,
        "fan_out": {
            "subscribers": SUBSCRIBERS,
            "updates": UPDATES,
            **{name: summary([run[name] for run in fan_out]) for name in fan_out[0]},
        },
        "rest_reads_per_second": summary(reads, 0),
        "rest_connections": CONNECTIONS,
    }
    print(json.dumps(body, indent=2))


if __name__ == "__main__":
    main()
