"""A running zone without its doors: opened from a configuration, started, stopped.

Start-up: lock the folder, bring history in step with the journal, recover, load the views from the state, start the
pipeline, then listen to L1. Stop: take nothing more, finish what is under way, publish, close. A crash in between any two
of these loses nothing that was answered.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET

from tradezone.sequencer import (
    BatchLimits,
    EventLog,
    RecoveryReport,
    SequencerConfig,
    recover,
    save_snapshot,
)
from tradezone.sequencer.recovery import SNAPSHOTS

from .clock import SteadyClock
from .errors import HistoryError, ServiceError
from .feeds import DAY, RECENT_TRADES, Feeds
from .history import FILE, HistoryReader, HistoryWriter
from .inbox import ChainInbox, LocalInbox
from .lock import ZoneLock
from .metrics import Metrics
from .pipeline import BlockEvents, Pipeline
from .replay import CatchUp, rebuild_history
from .state import get_used
from .warm import warm_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradezone.sequencer import Clock

    from .config import ZoneConfig

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
        self._last_block_at = time.monotonic()
        self._is_ready = False
        self._closed = threading.Event()
        try:
            self._say("compiling the engine, if these sources never were")
            warm_up()
            self._open()
        except BaseException:
            self._lock.close()
            raise

    # --- opening -------------------------------------------------------------------------------------

    def _open(self) -> None:
        config, directory = self.config, self.config.directory
        self._writer = self._open_history()
        self.history = HistoryReader(directory / FILE)
        try:
            self.report = self._recover()
            self._check_history()
        except BaseException:
            self._writer.close()
            raise
        sequencer = self.sequencer
        self.feeds = Feeds(sequencer.engine, self._writer.event + 1)
        self._restore_feeds()
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
            self.inbox = ChainInbox(config.l1, directory / "inbox.json", index, prefix)
        watch = self.metrics.watch
        watch("under_way", "Envelopes between gateway and answer", lambda: self.pipeline.under_way)
        watch(
            "publish_lag_blocks", "Blocks that feeds are behind", lambda: self.pipeline.publish_lag
        )
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

    def _open_history(self) -> HistoryWriter:
        path = self.config.directory / FILE
        try:
            return HistoryWriter(path, self.config.history.flush_ms)
        except HistoryError as error:
            _log.warning("history_unusable", error=error)
            path.replace(path.with_name(f"{FILE}.unusable"))
            return HistoryWriter(path, self.config.history.flush_ms)

    def _recover(self) -> RecoveryReport:
        config = self.config
        oldest = self._get_newest_snapshot()
        if self._writer.block < oldest:
            # recovery would begin behind what history holds
            self._say(f"history ends at block {self._writer.block}: rebuilding it from the journal")
            self._writer.close()
            blocks = rebuild_history(
                config.directory,
                self.separator,
                threads=config.sequencer.verifier_threads,
                progress=lambda block: self._say(f"history: block {block:,}"),
            )
            _log.info("history_rebuilt", blocks=blocks)
            self._writer = HistoryWriter(config.directory / FILE, config.history.flush_ms)
        board = Feeds.make_board(self.history)
        catch_up = CatchUp(self._writer, board)
        catch_up.progress = lambda block: self._say(f"replaying block {block:,}")
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
            observe=catch_up.observe,
            single_after=self._writer.block,
        )
        self.sequencer = recovered.sequencer
        self._writer.flush()
        report = recovered.report
        self._say(
            f"recovered block {report.last_block:,}: {report.replayed_blocks:,} blocks replayed behind"
            f" snapshot {report.snapshot_block:,} in {report.milliseconds:,} ms,"
            f" {report.torn_bytes} torn bytes cut off"
        )
        return report

    def _get_newest_snapshot(self) -> int:
        folder = self.config.directory / SNAPSHOTS
        return max((int(p.stem) for p in folder.glob("*.json") if p.stem.isdigit()), default=0)

    def _check_history(self) -> None:
        found = (self._writer.block, self._writer.head)
        if found == (self.sequencer.block, self.sequencer.head):
            return
        self.sequencer.close()
        raise HistoryError(
            f"history ends at block {self._writer.block}, the journal at {self.sequencer.block}",
            "it is of another journal: delete it, it is rebuilt",
        )

    def _restore_feeds(self) -> None:
        self.feeds.candles = Feeds.make_board(self.history)
        now = self.sequencer.time
        for market in range(1, get_used(self.sequencer.engine, "market")):
            newest = self.history.fetch_trades(market, None, RECENT_TRADES)
            self.feeds.restore_trades(market, reversed(newest))
            day = self.history.fetch_candles(market, 60_000, now - DAY, now + 1, DAY // 60_000)
            self.feeds.candles.restore_minutes(market, day)
        self.feeds.time = now

    # --- running -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to take orders and to listen to L1."""
        self.pipeline.start()
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
        published = self.feeds.apply(block)
        self._writer.add(block.closed.receipts, block.closed.events, published.candles)
        if self.pipeline.publish_lag <= 1:  # nothing follows yet: readers see this block at once
            self._writer.flush()

    def _after_batch(self, number: int) -> None:
        """Save the state now and then; on the writer's thread, right behind a batch."""
        every = self.config.batches.snapshot_batches
        self._since_snapshot += 1
        if not every or self._since_snapshot < every:
            return
        if not self.pipeline.wait_published():
            _log.warning("snapshot_put_off", batch=number)
            return
        self._writer.sync()
        save_snapshot(self.sequencer, self.config.directory, self.config.batches.keep_snapshots)
        self._since_snapshot = 0

    def stop(self) -> None:
        """Finish what is under way, publish it, and close everything. May be called again."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._is_ready = False
        self.inbox.stop()
        self.pipeline.stop()
        self.history.close()
        self._writer.close()  # last: then everything is in the one file
        self.sequencer.close()
        self._lock.close()
        _log.info("stopped", name=self.config.name, block=self.sequencer.block)
