"""Compiling before the doors open: a client that waits for the compiler waits a minute, and takes it for an outage."""

from __future__ import annotations

import time
from typing import Final

from tradezone.client import PrivateKey
from tradezone.engine import Engine
from tradezone.sequencer import (
    EventLog,
    ManualClock,
    MemoryJournal,
    Sequencer,
    SequencerConfig,
    split_frames,
)

from .answers import encode_answers

_log = EventLog("service.warm")
_SLOW_S: Final = 5.0


def warm_up() -> float:
    """Run what a block needs once, on a state that is thrown away; return the seconds it took.

    A second if it was compiled before with these sources, else a minute or two.
    """
    began = time.monotonic()
    clock, key = ManualClock(1), PrivateKey(bytes(31) + b"\x01")
    sequencer = Sequencer(SequencerConfig(bytes(32)), Engine(), MemoryJournal(), key, clock=clock)
    sequencer.intake.screen([b"\x02"])
    sequencer.intake.admit([b"\x02"])
    closed = sequencer.close_block(is_empty_allowed=True)
    if closed:
        encode_answers(closed, 1)
    split_frames(b"\0\1\x02", 1)
    sequencer.engine.commit_root()
    seconds = time.monotonic() - began
    if seconds > _SLOW_S:
        _log.info("compiled", seconds=round(seconds))
    return seconds
