"""Streams through zones with small budgets; run as a program, also through an engine that is compiled with them.

    python -m tests.engine.small_zone FIRST_SEED STREAMS

The program changes the limits before it imports the engine, and keeps what Numba compiles in a folder of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

BUDGETS = {
    "BLOCK_REMOVALS": 3,
    "BLOCK_TIMERS": 2,
    "BLOCK_MEETINGS": 4,
    "MAX_FILLS": 2,
    "PAYOUT_SWEEP": 2,
}


def run_streams(make_zone: Callable[[], Any], seeds: Iterable[int], length: int) -> int:
    """Run streams; return how many blocks were seen that ended with work left over."""
    from tests.engine.stepped import WideStream

    left_over = 0
    for seed in seeds:
        stream = WideStream(make_zone(), Random(seed))
        stream.set_up()
        for _ in range(length):
            stream.step()
            model = stream.zone.model
            left_over += bool(model.tasks or model.triggering or model.sweep_left)
    return left_over


def main() -> None:
    """Compile the engine with small budgets and run it beside model and step executor."""
    os.environ["TRADEZONE_CACHE"] = str(Path.home() / ".cache" / "tradezone" / "small")
    from tradezone.protocol import limits

    for name, value in BUDGETS.items():
        setattr(limits, name, value)
    from tests.engine.stepped import SteppedZone

    first, count = int(sys.argv[1]), int(sys.argv[2])
    for seed in range(first, first + count):
        run_streams(SteppedZone, [seed], Random(seed).choice((10, 30)))
        sys.stdout.write(f"stream {seed} of small budgets agrees\n")


if __name__ == "__main__":
    main()
