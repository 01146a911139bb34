"""The sequencer: intake, blocks, journal, receipts, batches, recovery."""

from __future__ import annotations

from tradezone.sequencer.batches import Batch, BatchBuilder, BatchLimits, read_published
from tradezone.sequencer.clock import Clock, ManualClock, SystemClock
from tradezone.sequencer.errors import (
    BatchError,
    ClockError,
    EnvelopeRejectedError,
    JournalCorruptError,
    JournalError,
    JournalFailedError,
    JournalLockedError,
    RecoveryError,
    SequencerError,
    SequencerStoppedError,
)
from tradezone.sequencer.intake import Accepted, Intake
from tradezone.sequencer.journal import (
    BlockRecord,
    FileJournal,
    Frame,
    JournalReader,
    JournalWriter,
    MemoryJournal,
)
from tradezone.sequencer.leaves import LeafRun, split_frames
from tradezone.sequencer.log import EventLog, configure_log
from tradezone.sequencer.receipts import BlockHead, BlockReceipts, Receipt, verify_receipt
from tradezone.sequencer.recovery import Recovered, RecoveryReport, recover, save_snapshot
from tradezone.sequencer.sequencer import ClosedBlock, Sequencer, SequencerConfig

__all__ = [
    "Accepted",
    "Batch",
    "BatchBuilder",
    "BatchError",
    "BatchLimits",
    "BlockHead",
    "BlockReceipts",
    "BlockRecord",
    "Clock",
    "ClockError",
    "ClosedBlock",
    "EnvelopeRejectedError",
    "EventLog",
    "FileJournal",
    "Frame",
    "Intake",
    "JournalCorruptError",
    "JournalError",
    "JournalFailedError",
    "JournalLockedError",
    "JournalReader",
    "JournalWriter",
    "LeafRun",
    "ManualClock",
    "MemoryJournal",
    "Receipt",
    "Recovered",
    "RecoveryError",
    "RecoveryReport",
    "Sequencer",
    "SequencerConfig",
    "SequencerError",
    "SequencerStoppedError",
    "SystemClock",
    "configure_log",
    "read_published",
    "recover",
    "save_snapshot",
    "split_frames",
    "verify_receipt",
]
