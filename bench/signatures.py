"""Claim: a core recovers 25,000 signers a second, digest included, and two cores twice that.

Envelopes of one order each are signed beforehand; a run recovers all of them. Prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from dataclasses import replace
from pathlib import Path

import coincurve

from tradezone.engine.signatures import SignerPool, join_leaves, recover_signers
from tradezone.protocol.actions import PLACE, PLACE_BYTES, Envelope, domain_separator

LEAVES = 10_000
RUNS = 7
SEPARATOR = domain_separator(196, bytes(19) + b"\x01")


def get_cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def build_leaves(orders: int) -> list[bytes]:
    key = coincurve.PrivateKey(b"\x42" * 32)
    leaves = []
    for nonce in range(1, LEAVES + 1):
        envelope = Envelope(1, 1, nonce, nonce, PLACE, bytes([nonce % 251]) * PLACE_BYTES * orders)
        raw = key.sign_recoverable(envelope.digest(SEPARATOR), hasher=None)
        leaves.append(replace(envelope, signature=raw[:64] + bytes([27 + raw[64]])).to_leaf())
    return leaves


def measure(run) -> dict[str, int]:
    run()  # compiles, fills caches
    rates = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        rates.append(LEAVES / (time.perf_counter() - start))
    return {
        "median": round(statistics.median(rates)),
        "lowest": round(min(rates)),
        "highest": round(max(rates)),
    }


def main() -> None:
    threads = os.cpu_count() or 1
    single = join_leaves(build_leaves(1))
    thirty = join_leaves(build_leaves(30))
    with SignerPool(threads) as pool:
        figures = {
            "one_thread": measure(lambda: recover_signers(*single, SEPARATOR)),
            "one_thread_30_orders": measure(lambda: recover_signers(*thirty, SEPARATOR)),
            "all_threads": measure(lambda: pool.recover(*single, SEPARATOR)),
            "all_threads_30_orders": measure(lambda: pool.recover(*thirty, SEPARATOR)),
        }
    print(
        json.dumps(
            {
                "claim": "signers recovered a second",
                "unit": "signatures/s",
                "cpu": get_cpu_model(),
                "threads": threads,
                "runs": RUNS,
                **figures,
            }
        )
    )


if __name__ == "__main__":
    main()
