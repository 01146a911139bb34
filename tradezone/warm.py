"""Compile what Numba compiles, once, so that no user waits for it later: ``python -m tradezone.warm``."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tradezone.client import PrivateKey
from tradezone.engine import Engine
from tradezone.protocol import messages
from tradezone.protocol.actions import pack
from tradezone.protocol.enums import OWNER_USER, PROTOCOL_OWNER
from tradezone.sequencer import SequencerConfig, recover


def main() -> None:
    """Run one block through a sequencer of its own, and the record tree, saying how long each took."""
    started = time.perf_counter()
    engine = Engine()
    engine.rebuild_root()
    sys.stdout.write(f"record tree compiled in {time.perf_counter() - started:.0f} s\n")
    started = time.perf_counter()
    key = PrivateKey(bytes(31) + b"\x01")
    owner: dict[str, int | bytes]
    owner = {"owner": PROTOCOL_OWNER, "address": key.address, "referrer": 0, "kind": OWNER_USER}
    payload = pack(messages.REGISTER_OWNER_BODY, owner)
    message = messages.Message(0, messages.REGISTER_OWNER, bytes(20), 1, 1, payload)
    with tempfile.TemporaryDirectory() as folder:
        engine.save_snapshot(Path(folder) / "snapshot")
        Engine.from_snapshot(Path(folder) / "snapshot")
    with tempfile.TemporaryDirectory() as folder:
        sequencer = recover(Path(folder), SequencerConfig(bytes(32)), key).sequencer
        sequencer.intake.admit([b"\x02"])
        sequencer.offer_messages([message.to_bytes()])
        sequencer.close_block()
        sequencer.publish_batch()
        sequencer.close()
    sys.stdout.write(f"engine and sequencer compiled in {time.perf_counter() - started:.0f} s\n")


if __name__ == "__main__":
    main()
