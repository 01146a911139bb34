"""A running zone without its doors: opened from a configuration, started, stopped.

Start-up: lock the folder, start the process of the views, recover, start the pipeline, wait for the views, then listen to
L1. Stop: take nothing more, finish what is under way, publish, close. A crash in between any two of these loses nothing
that was answered.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET

from tradezone.chain import ChainError, DeposedError, Office, Rpc
from tradezone.sequencer import (
    BatchLimits,
    EventLog,
    JournalReader,
    RecoveryReport,
    SequencerConfig,
    recover,
    save_snapshot,
)
from tradezone.sequencer.recovery import JOURNAL, SNAPSHOTS, list_snapshots, read_origin

from .clock import SteadyClock
from .depth import read_start
from .errors import HistoryError, ServiceError, ViewsError
from .history import FILE, HistoryReader, HistoryWriter
from .inbox import ChainInbox, LocalInbox
from .listeners import Listeners
from .lock import ZoneLock
from .metrics import Metrics
from .pipeline import BlockEvents, Pipeline
from .views import Views
from .warm import warm_up

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tradezone.sequencer import Clock

    from .config import L1Section, ZoneConfig

_log = EventLog("service")

STALE_S: Final = (
    60.0  # without a block for so long the zone is not healthy: an idle one makes them too
)


class Node:
    """One zone.

    Parameters
    ----------
    config : ZoneConfig
        see `load_config`
    clock : Clock, optional
        `SteadyClock` if absent
    progress : callable, optional
        is told, in a line, how start-up goes on
    """

    def __init__(
        self,
        config: ZoneConfig,
        *,
        clock: Clock | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.config = config
        self.clock = clock or SteadyClock()
        self.metrics = Metrics()
        self.separator = config.domain.separator
        self._say = progress or (lambda _: None)
        self._key = config.read_key()
        self._lock = ZoneLock(config.directory, config.name)
        self._since_snapshot = 0
        self._synced = 0  # block up to which history is known to be on disk
        self._last_block_at = time.monotonic()
        self._is_ready = False
        self._closed = threading.Event()
        try:
            self._say("compiling the engine, if these sources never were")
            warm_up()
            self._check_office()
            self._open()
        except BaseException:
            self._lock.close()
            raise

    # --- opening -------------------------------------------------------------------------------------

    def _open(self) -> None:
        config, directory = self.config, self.config.directory
        views = config.views
        self.views = Views(
            directory,
            self.separator,
            views.nice,
            views.queue_bytes,
            {
                "flush_ms": config.history.flush_ms,
                "threads": config.sequencer.verifier_threads,
                "level": config.log.level,
                "format": config.log.format,
            },
        )
        history = self._open_history()
        self.views.start()  # it loads what it needs while this process recovers
        try:
            self.report = self._recover()
            self._check_history(*history)
            self._check_office(self.config.directory)
        except BaseException:
            self.views.stop()
            raise
        self.history = HistoryReader(directory / FILE)
        self.listeners = Listeners()
        sequencer = self.sequencer
        self.views.open(sequencer.block, sequencer.time, read_start(sequencer.engine))
        self.pipeline = Pipeline(
            sequencer,
            config.sequencer,
            config.queues,
            self._publish,
            self.metrics,
            self._after_batch,
        )
        index, prefix = sequencer.inbox
        self.inbox: LocalInbox | ChainInbox
        if config.l1 is UNSET:
            self.inbox = LocalInbox(index, self.clock)
        else:
            self.inbox = ChainInbox(
                config.l1,
                directory / "inbox.json",
                index,
                prefix,
                self._get_office(config.l1, directory),
            )
        watch = self.metrics.watch
        watch("under_way", "Envelopes between gateway and answer", lambda: self.pipeline.under_way)
        watch("publish_lag_blocks", "Blocks not told yet", lambda: self.pipeline.publish_lag)
        watch(
            "views_lag_blocks",
            "Blocks that market data are behind",
            lambda: self.sequencer.block - self.views.block,
        )
        watch(
            "history_lag_blocks",
            "Blocks that history is behind",
            lambda: self.sequencer.block - self.views.history_block,
        )
        watch(
            "views_dropped_blocks",
            "Blocks that the views had to take from the journal",
            lambda: self.views.dropped,
        )
        watch("views_starts", "Times that their process was started", lambda: self.views.starts)
        watch(
            "inbox_waiting",
            "Inbox messages without a block",
            lambda: self.pipeline.messages_waiting,
        )
        watch(
            "l1_heartbeat_age_seconds",
            "Age of the newest heartbeat from L1; above 3600 the zone takes only cancels",
            self._get_l1_age,
        )
        watch("ready", "1 while the zone takes orders", lambda: float(self.is_ready))

    def _get_office(self, section: L1Section, directory: Path | None = None) -> Office:
        epoch = self.config.sequencer.epoch
        return Office(Rpc(section.rpc), section.inbox, epoch, self._key.address, directory)

    def _check_office(self, directory: Path | None = None) -> None:
        """Refuse to run as a sequencer that is not in office; a node of L1 that is away is asked later."""
        if self.config.l1 is UNSET:
            return
        try:
            self._get_office(self.config.l1, directory).check()
        except DeposedError:
            raise
        except ChainError as error:
            _log.warning("office_unknown", error=error)

    def _open_history(self) -> tuple[int, bytes]:
        """Make sure that there is a store that opens; return the last block in it, and that block's head."""
        path, origin = self.config.directory / FILE, read_origin(self.config.directory)
        try:
            writer = HistoryWriter(path, origin=origin)
        except HistoryError as error:
            _log.warning("history_unusable", error=error)
            path.replace(path.with_name(f"{FILE}.unusable"))
            writer = HistoryWriter(path, origin=origin)
        found = writer.block, writer.head
        writer.close()
        return found

    def _recover(self) -> RecoveryReport:
        config = self.config
        recovered = recover(
            config.directory,
            SequencerConfig(
                self.separator,
                epoch=config.sequencer.epoch,
                max_block_leaves=config.sequencer.max_block_leaves,
                max_pending=config.queues.leaves + config.sequencer.max_block_leaves,
            ),
            self._key,
            clock=self.clock,
            threads=config.sequencer.verifier_threads,
            limits=BatchLimits(
                config.batches.blocks, config.batches.bytes, config.batches.milliseconds
            ),
        )
        self.sequencer = recovered.sequencer
        report = recovered.report
        self._say(
            f"recovered block {report.last_block:,}: {report.replayed_blocks:,} blocks replayed behind"
            f" snapshot {report.snapshot_block:,} in {report.milliseconds:,} ms,"
            f" {report.torn_bytes} torn bytes cut off"
        )
        return report

    def _check_history(self, block: int, head: bytes) -> None:
        """Refuse a store that is ahead of the journal, or of another one."""
        if block == 0:
            return
        found = self.sequencer.head
        if block > self.sequencer.block:
            found = b""
        elif block < self.sequencer.block:
            found = self._get_head(block)
            self._say(f"history ends at block {block:,}: it catches up to {self.sequencer.block:,}")
        if found == head:
            return
        self.sequencer.close()
        raise HistoryError(
            f"history ends at block {block}, the journal at {self.sequencer.block}, which is another",
            "it is of another journal: delete it, it is rebuilt",
        )

    def _get_head(self, block: int) -> bytes:
        """Head of a block in the journal, or of the one that the journal begins behind."""
        origin = read_origin(self.config.directory)
        if origin and origin.block == block:
            return origin.head
        reader = JournalReader(self.config.directory / JOURNAL, self.separator, block)
        return next(reader.read_frames()).head

    # --- running -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to take orders and to listen to L1; market data first, if they do not take too long."""
        self.pipeline.start()
        if not self.views.wait(timeout=self.config.views.start_seconds):
            _log.warning("started_without_views", block=self.report.last_block)
            self._say("market data catch up while the zone trades")
        self.inbox.start(self.pipeline)
        self._is_ready = True
        _log.info(
            "started",
            name=self.config.name,
            block=self.report.last_block,
            sequencer=self.sequencer.address,
        )

    def note(self, **values: Any) -> None:
        """Say something about this process in the lock file, for `read_lock`."""
        self._lock.note(**values)

    @property
    def is_ready(self) -> bool:
        """Whether orders are taken."""
        return self._is_ready and self.pipeline.is_accepting

    @property
    def is_healthy(self) -> bool:
        """Whether the process does what it should; one that is not should be restarted."""
        age = time.monotonic() - self._last_block_at
        return self.pipeline.failure is None and (not self._is_ready or age < STALE_S)

    def _get_l1_age(self) -> float:
        return (self.clock.now() - int(self.sequencer.engine.machine["l1_time"])) / 1_000

    def get_local_inbox(self) -> LocalInbox:
        """Return the inbox of a zone without L1. ServiceError if it has one."""
        if not isinstance(self.inbox, LocalInbox):
            raise ServiceError("this zone hears its inbox from L1", "send a transaction there")
        return self.inbox

    def _publish(self, block: BlockEvents) -> None:
        self._last_block_at = time.monotonic()
        self.views.offer(block)
        self.listeners.apply(block)

    def _after_batch(self, number: int) -> None:
        """Save the state now and then; on the writer's thread, right behind a batch."""
        every = self.config.batches.snapshot_batches
        self._since_snapshot += 1
        if not every or self._since_snapshot < every:
            return
        if not self._is_history_safe():
            _log.warning("snapshot_put_off", batch=number, history=self.views.history_block)
            return
        save_snapshot(self.sequencer, self.config.directory, self.config.batches.keep_snapshots)
        self._since_snapshot = 0

    def _is_history_safe(self) -> bool:
        """Whether a snapshot would be left from which history could go on after a power failure.

        Of those that stay, the oldest must not lie behind what history is known to hold on disk.
        """
        keep = self.config.batches.keep_snapshots
        found = sorted(list_snapshots(self.config.directory / SNAPSHOTS))
        left = [*found, self.sequencer.block][-keep:]
        if len(found) < keep or left[0] <= self._synced:
            return True  # none is thrown away, or what stays is enough
        try:
            self._synced = self.views.sync()
        except ViewsError:
            return False
        return left[0] <= self._synced

    def stop(self) -> None:
        """Finish what is under way, publish it, and close everything. May be called again."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._is_ready = False
        self.inbox.stop()
        self.pipeline.stop()
        self.history.close()
        self.views.stop()  # last: then everything is in the one file
        self.sequencer.close()
        self._lock.close()
        _log.info("stopped", name=self.config.name, block=self.sequencer.block)
