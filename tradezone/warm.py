"""Compile what Numba compiles, once, so that no user waits for it later: ``python -m tradezone.warm``."""

from __future__ import annotations

import sys
import time

import numpy as np

from tradezone.engine import Engine
from tradezone.engine.signatures import recover_signers
from tradezone.protocol.actions import block_mark


def main() -> None:
    """Run the engine, the record tree and signature recovery once each, saying how long each took."""
    started = time.perf_counter()
    leaf = np.frombuffer(block_mark(1, 1), dtype=np.uint8)
    offsets = np.array([0, len(leaf)], dtype=np.int64)
    engine = Engine()
    engine.execute_run(leaf, offsets, np.zeros((1, 20), dtype=np.uint8))
    sys.stdout.write(f"engine compiled in {time.perf_counter() - started:.0f} s\n")
    started = time.perf_counter()
    engine.commit_root()
    engine.rebuild_root()
    sys.stdout.write(f"record tree compiled in {time.perf_counter() - started:.0f} s\n")
    started = time.perf_counter()
    recover_signers(leaf, offsets, bytes(32))
    sys.stdout.write(f"signatures compiled in {time.perf_counter() - started:.0f} s\n")


if __name__ == "__main__":
    main()
