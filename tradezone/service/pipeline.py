"""The pipeline: from bytes that somebody sent to an answer that is on disk.

    submit ──> [queue] ──> screen ──> [queue] ──> write ──> answers
    (any thread)           (one thread and its    (one thread: the only one that touches the state)
                            signature threads)        └──> [queue] ──> publish (one thread): feeds, history

* *screen*: cheap checks, then signatures, without the interpreter's lock; nothing is let in yet.
* *write*: lets in, numbers, executes, journals with one sync a block, and only then answers.
* *publish*: hears of blocks that are on disk, in order, each once.

Invariants:

* Leaves get their numbers in the order in which `submit` took them.
* At most `QueueSection.leaves` leaves lie between `submit` and their answer; whoever comes then hears `BusyError` and
  nothing of theirs is taken. When the publisher falls `QueueSection.blocks` behind, no block is made until it catches up.
* Every leaf that was taken is answered exactly once: with its result, with why it was refused, or, if the zone
  fails, with `StoppingError`, which says that its fate is not known.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import numpy as np

from tradezone.protocol.actions import LEAF_CREDENTIAL, LEAF_ENVELOPE, LEAF_PRICE
from tradezone.protocol.limits import MAX_LEAF_BYTES
from tradezone.sequencer import (
    BatchError,
    ClosedBlock,
    EnvelopeRejectedError,
    EventLog,
    LeafRun,
    Sequencer,
)

from .answers import Answers, encode_answers
from .errors import BusyError, ServiceError, StoppingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from tradezone.engine import Engine

    from .config import QueueSection, SequencerSection
    from .metrics import Metrics

_log = EventLog("service.pipeline")
_T = TypeVar("_T")

_QUERY_BUDGET: Final = (
    0.0005  # seconds of reading between two blocks, so that readers cannot stop writers
)
_RETRY_BATCH: Final = 1.0  # seconds until a batch that could not be written is tried again
_BUSY_MS: Final = 20  # what a queue of this kind needs to drain
_SENT: Final = (LEAF_ENVELOPE, LEAF_CREDENTIAL, LEAF_PRICE)  # kinds of leaves that somebody sends


class BlockEvents:
    """A block that is on disk, its events by leaf, and its answers in binary."""

    def __init__(self, closed: ClosedBlock) -> None:
        self.closed = closed

    @property
    def marks(self) -> int:
        """Leaves in front that nobody sent: the block mark, and an inbox mark if there were messages."""
        leaves = self.closed.leaves
        buffer, offsets = leaves.buffer, leaves.offsets
        return 2 if len(leaves) > 1 and int(buffer[offsets[1]]) not in _SENT else 1

    @cached_property
    def answers(self) -> Answers:
        """What became of each leaf, as binary clients get it."""
        return encode_answers(self.closed, self.marks)

    @cached_property
    def _index(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        leaves = self.closed.events["leaf"]
        order = np.argsort(leaves, kind="stable")
        return order, leaves[order]

    def get_events(self, seq: int) -> NDArray[Any]:
        """Events that leaf ``seq`` caused while it was executed, in order.

        What it causes later (a waiting order that takes) belongs to no leaf and comes by the feeds.
        """
        order, leaves = self._index
        first, end = np.searchsorted(leaves, (seq, seq + 1))
        picked: NDArray[Any] = self.closed.events[order[first:end]]
        return picked


class Executed(NamedTuple):
    """A leaf that is in a block on disk. ``result`` is ``failed items << 16 | first error``."""

    seq: int
    block: BlockEvents
    result: int


Refusal = EnvelopeRejectedError | ServiceError
Answer = Executed | Refusal
"""What becomes of a leaf."""


class Part(NamedTuple):
    """Leaves ``first .. end - 1`` of a submission: they stand in a row in a block, from ``row`` on."""

    first: int
    end: int
    block: BlockEvents
    row: int


class Submission:
    """Leaves that came together, and who hears what becomes of them.

    Parameters
    ----------
    leaves : sequence of bytes
        raw envelopes and credentials
    received : int
        when they came, ms
    deliver : callable
        is handed all answers, in the order of the leaves, on one of the pipeline's threads; must not block
    checked : callable, optional
        is handed, before that, why each leaf was refused by the checks, None for those that passed: they
        are not numbered yet, and not on disk
    """

    __slots__ = (
        "_deliver",
        "_open",
        "checked",
        "leaves",
        "parts",
        "received",
        "refused",
        "started",
    )

    def __init__(
        self,
        leaves: Sequence[bytes],
        received: int,
        deliver: Callable[[list[Answer]], None],
        checked: Callable[[list[EnvelopeRejectedError | None]], None] | None = None,
    ) -> None:
        self.leaves = LeafRun.of(leaves)
        self.received = received
        self.checked = checked
        self.parts: list[Part] = []  # rising
        self.refused: dict[int, Refusal] = {}
        self.started = time.monotonic_ns()
        self._deliver: Callable[[Any], None] = deliver
        self._open = len(self.leaves)

    def refuse(self, i: int, refusal: Refusal) -> bool:
        """Note why leaf i is not executed; whether all are answered now."""
        self.refused[i] = refusal
        self._open -= 1
        return not self._open

    def note(self, part: Part) -> bool:
        """Note where leaves stand; whether all are answered now."""
        self.parts.append(part)
        self._open -= part.end - part.first
        return not self._open

    def abort(self, failure: ServiceError) -> int:
        """Answer what has no answer yet; how many these were."""
        known = {i for part in self.parts for i in range(part.first, part.end)}
        left = [i for i in range(len(self.leaves)) if i not in known and i not in self.refused]
        for i in left:
            self.refused[i] = failure
        self._open = 0
        return len(left)

    def get_answers(self) -> list[Answer]:
        """Return the answers one by one, once all are there."""
        answers: list[Any] = [None] * len(self.leaves)
        for first, end, block, row in self.parts:
            closed = block.closed
            codes = closed.results[row : row + end - first].tolist()
            answers[first:end] = [
                Executed(closed.first_seq + row + n, block, code) for n, code in enumerate(codes)
            ]
        for i, refusal in self.refused.items():
            answers[i] = refusal
        return answers

    def deliver(self) -> None:
        """Hand all answers over."""
        self._deliver(self.get_answers())


class _Screened(NamedTuple):
    """Submissions whose leaves were checked together."""

    submissions: list[Submission]
    run: LeafRun
    received: NDArray[np.int64]
    signers: NDArray[np.uint8]
    is_refused: NDArray[np.bool_]


class _Numbered(NamedTuple):
    """Leaves ``first .. end - 1`` of a submission that wait in the sequencer, in its order."""

    submission: Submission
    first: int
    end: int


class Pipeline:
    """One zone's intake, writer and publisher. Make it, `start` it, `submit` from any thread, `stop` it.

    Parameters
    ----------
    sequencer : Sequencer
        recovered; from now on nobody else touches it
    blocks : SequencerSection
        how often blocks are made
    queues : QueueSection
        bounds
    publish : callable
        is handed every closed block, in order, on the publisher's thread
    metrics : Metrics
        where latencies and depths are counted
    batch_published : callable, optional
        is handed the number of each batch, on the writer's thread, right after it was published
    """

    def __init__(
        self,
        sequencer: Sequencer,
        blocks: SequencerSection,
        queues: QueueSection,
        publish: Callable[[BlockEvents], None],
        metrics: Metrics,
        batch_published: Callable[[int], None] | None = None,
    ) -> None:
        self._sequencer = sequencer
        self._block_s = blocks.block_ms / 1_000
        self._idle_ms = blocks.idle_block_ms
        self._max_leaves = blocks.max_block_leaves
        self._queues = queues
        self._publish = publish
        self._metrics = metrics
        self._batch_published = batch_published
        self._lock = threading.Lock()
        self._screen_ready = threading.Condition(self._lock)
        self._write_ready = threading.Condition(self._lock)
        self._publish_ready = threading.Condition(self._lock)
        self._publish_room = threading.Condition(self._lock)
        self._incoming: deque[Submission] = deque()
        self._screened: deque[_Screened] = deque()
        self._unanswered: set[Submission] = set()
        self._queries: deque[tuple[Callable[[Engine], Any], Future[Any]]] = deque()
        self._messages: deque[list[bytes]] = deque()
        self._closed: deque[BlockEvents] = deque()
        self._publishing = 0
        self._numbered: deque[_Numbered] = deque()  # in step with the sequencer's queue
        self._under_way = 0
        self._is_stopping = False
        self._is_screened = False  # the screening thread has ended
        self._failure: StoppingError | None = None
        self._last_time = sequencer.time
        self._last_close = 0.0
        self._threads = [
            threading.Thread(target=self._guard, args=(work,), name=name, daemon=True)
            for name, work in (
                ("screen", self._screen_loop),
                ("write", self._write_loop),
                ("publish", self._publish_loop),
            )
        ]

    # --- from other threads --------------------------------------------------------------------------

    @property
    def failure(self) -> StoppingError | None:
        """Why the zone stopped by itself, or None."""
        return self._failure

    @property
    def is_accepting(self) -> bool:
        """Whether `submit` takes anything."""
        return self._failure is None and not self._is_stopping

    @property
    def under_way(self) -> int:
        """Leaves between `submit` and their answer."""
        return self._under_way

    @property
    def publish_lag(self) -> int:
        """Blocks that are on disk and that the publisher has not finished."""
        return len(self._closed) + self._publishing

    @property
    def messages_waiting(self) -> int:
        """Inbox messages that no block holds yet."""
        return sum(map(len, self._messages))

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def submit(self, submission: Submission) -> None:
        """Take leaves in, in this order.

        Raises
        ------
        BusyError
            Too much is under way. Nothing was taken.
        StoppingError
            The zone goes down. Nothing was taken.
        ServiceError
            There are no leaves, or one cannot be an envelope, a credential or a price by its length or first byte.
        """
        leaves = submission.leaves
        if not len(leaves):
            raise ServiceError("no envelope was sent", "send one to 1,024 of them")
        sizes, firsts = leaves.sizes, leaves.offsets[:-1]
        is_fit = (sizes >= 1) & (sizes <= MAX_LEAF_BYTES)
        kinds = leaves.buffer[firsts[is_fit]]
        if not is_fit.all() or not np.isin(kinds, _SENT).all():
            leaf = next(x for x in leaves if not 1 <= len(x) <= MAX_LEAF_BYTES or x[0] not in _SENT)
            text = f"{len(leaf)} bytes that begin with 0x{leaf[:1].hex()} are no envelope"
            raise ServiceError(
                text, f"1 .. {MAX_LEAF_BYTES} bytes that begin with 0x02, 0x03 or 0x05"
            )
        with self._lock:
            self._check_accepting()
            if self._under_way + len(leaves) > self._queues.leaves:
                self._metrics.busy.inc()
                raise BusyError(self._under_way, self._queues.leaves, _BUSY_MS)
            self._under_way += len(leaves)
            self._unanswered.add(submission)
            self._incoming.append(submission)
            self._screen_ready.notify()

    def query(self, function: Callable[[Engine], _T]) -> Future[_T]:
        """Run a short function of the engine between two blocks; it may read and must not write or keep views.

        The future cannot be cancelled: who no longer waits must not be able to end the thread that answers.
        """
        future: Future[_T] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            self._check_accepting()
            self._queries.append((function, future))
            self._write_ready.notify()
        return future

    def offer_messages(self, messages: list[bytes]) -> None:
        """Hand over inbox messages that L1 reports safe, behind those handed over before."""
        if not messages:
            return
        with self._lock:
            self._check_accepting()
            self._messages.append(messages)
            self._write_ready.notify()

    def stop(self, timeout: float = 30.0) -> None:
        """Take nothing more, finish what is under way, publish it, and end the threads.

        Leaves that were taken before are executed and answered. The sequencer is left open.
        """
        with self._lock:
            self._is_stopping = True
            self._notify_all()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join(max(deadline - time.monotonic(), 0.0))
        left = [thread.name for thread in self._threads if thread.is_alive()]
        if left:
            _log.error("threads_do_not_end", names=",".join(left))

    def wait_published(self, timeout: float = 30.0) -> bool:
        """Wait until the publisher has seen every block that is on disk."""
        deadline = time.monotonic() + timeout
        with self._lock:
            while self._closed or self._publishing:
                if self._failure or not self._publish_room.wait(deadline - time.monotonic()):
                    return not (self._closed or self._publishing)
        return True

    def _check_accepting(self) -> None:
        if self._failure:
            raise self._failure
        if self._is_stopping:
            raise StoppingError("the zone is going down", "connect again in a while")

    def _notify_all(self) -> None:
        for condition in (
            self._screen_ready,
            self._write_ready,
            self._publish_ready,
            self._publish_room,
        ):
            condition.notify_all()

    # --- failure -------------------------------------------------------------------------------------

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the zone may not go on and says so
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Stop for good: nothing more is taken or executed, and who waits hears so."""
        failure = StoppingError(
            f"the zone has stopped: {error}", "what was not answered may or may not be executed"
        )
        _log.error("stopped", error=error, kind=type(error).__name__)
        with self._lock:
            if self._failure is None:
                self._failure = failure
            held = list(self._unanswered)
            self._unanswered.clear()
            for submission in held:
                self._under_way -= submission.abort(failure)
            queries = list(self._queries)
            for queue in (self._incoming, self._screened, self._numbered, self._queries):
                queue.clear()
            self._notify_all()
        for submission in held:
            self._deliver(submission)
        for _, future in queries:
            future.set_exception(failure)

    def _settle(
        self, refused: list[tuple[Submission, int, Refusal]], parts: list[tuple[Submission, Part]]
    ) -> None:
        """Note answers, and hand over the submissions that have all of theirs."""
        done: list[Submission] = []
        with self._lock:
            if self._failure:
                return  # `fail` has answered them
            for submission, i, refusal in refused:
                self._under_way -= 1
                if submission.refuse(i, refusal):
                    done.append(submission)
            for submission, part in parts:
                self._under_way -= part.end - part.first
                if submission.note(part):
                    done.append(submission)
            self._unanswered.difference_update(done)
        for submission in done:
            self._deliver(submission)

    def _deliver(self, submission: Submission) -> None:
        submission.deliver()
        passed = (time.monotonic_ns() - submission.started) / 1e9
        self._metrics.acknowledgement.observe(passed)

    def _refuse(
        self,
        submission: Submission,
        i: int,
        code: int,
        signer: NDArray[np.uint8] | None = None,
        text: str = "",
    ) -> tuple[Submission, int, EnvelopeRejectedError]:
        error = self._sequencer.intake.explain(
            submission.leaves[i],
            code,
            submission.received,
            b"" if signer is None else signer.tobytes(),
            text,
        )
        self._metrics.refused.labels(error.code.name).inc()
        return submission, i, error

    # --- screen --------------------------------------------------------------------------------------

    def _screen_loop(self) -> None:
        while True:
            with self._lock:
                while not self._incoming:
                    if self._is_stopping or self._failure:
                        self._is_screened = True
                        self._write_ready.notify()
                        return
                    self._screen_ready.wait()
                taken = [self._incoming.popleft()]
                count = len(taken[0].leaves)
                while (
                    self._incoming
                    and count + len(self._incoming[0].leaves) <= self._queues.screen_leaves
                ):
                    taken.append(self._incoming.popleft())
                    count += len(taken[-1].leaves)
            screened = self._screen(taken)
            with self._lock:
                if self._failure:
                    continue
                self._screened.append(screened)
                self._write_ready.notify()

    def _screen(self, taken: list[Submission]) -> _Screened:
        began = time.monotonic_ns()
        run = LeafRun.join([submission.leaves for submission in taken])
        counts = [len(submission.leaves) for submission in taken]
        received = np.repeat([submission.received for submission in taken], counts)
        codes, signers = self._sequencer.intake.check_run(run, received)
        refused = []
        for row in np.flatnonzero(codes).tolist():
            n, i = _find(counts, row)
            refused.append(self._refuse(taken[n], i, int(codes[row])))
        for submission in taken:
            if submission.checked:
                errors: list[Any] = [None] * len(submission.leaves)
                for other, i, error in refused:
                    if other is submission:
                        errors[i] = error
                submission.checked(errors)
        if refused:
            self._settle(refused, [])  # type: ignore[arg-type]
        self._metrics.stage.labels("screen").observe((time.monotonic_ns() - began) / 1e9)
        return _Screened(taken, run, received, signers, codes != 0)

    # --- write ---------------------------------------------------------------------------------------

    def _write_loop(self) -> None:
        while True:
            taken, messages, queries = self._take_work()
            for screened in taken:
                self._admit(screened)
            for group in messages:
                self._sequencer.offer_messages(group)
            self._run_queries(queries)
            if self._has_ended():
                self._finish()
                return
            self._make_block()

    def _has_ended(self) -> bool:
        with self._lock:
            is_done = self._is_stopping and self._is_screened and not self._screened
            return (is_done and not self._numbered and not self._messages) or bool(self._failure)

    def _take_work(
        self,
    ) -> tuple[
        list[_Screened], list[list[bytes]], list[tuple[Callable[[Engine], Any], Future[Any]]]
    ]:
        """Wait for something to do, for a block that is due, or for the next one's time."""
        with self._lock:
            while not (self._screened or self._messages or self._queries or self._failure):
                wait = self._get_wait()
                if wait <= 0 or (self._is_stopping and self._is_screened):
                    break
                self._write_ready.wait(wait)
            # What is taken fits the next block, so that the queue of the sequencer runs empty again and again, and
            # intake forgets what it has noted of it. More than a block is taken alone.
            waiting = self._sequencer.pending
            room = self._max_leaves - 1 - waiting  # an inbox mark may come as well
            taken: list[_Screened] = []
            while self._screened and (len(self._screened[0].run) <= room or not (taken or waiting)):
                taken.append(self._screened.popleft())
                room -= len(taken[-1].run)
            messages = list(self._messages)
            self._messages.clear()
            queries = list(self._queries)
            self._queries.clear()
            return taken, messages, queries

    def _get_wait(self) -> float:
        """Seconds until a block is due without anything new; 0 if it is."""
        sequencer = self._sequencer
        now = sequencer.clock.now()
        if sequencer.has_work(max(now, sequencer.time)):
            return max(self._last_close + self._block_s - time.monotonic(), 0.0)
        due = sequencer.time + self._idle_ms
        for other in (sequencer.engine.next_release(), sequencer.engine.next_timer()):
            if other is not None:
                due = min(due, other)
        return max(due - now, 0) / 1_000

    def _admit(self, screened: _Screened) -> None:
        """Let leaves in that passed the checks, after looking at them again: the state went on."""
        run, received, signers = screened.run, screened.received, screened.signers
        rows = None
        if screened.is_refused.any():
            rows = np.flatnonzero(~screened.is_refused)
            run, received, signers = run.take(rows), received[rows], signers[rows]
        codes, texts = self._sequencer.intake.admit_run(run, received, signers)
        good = codes == 0
        if not good.all():
            counts = [len(submission.leaves) for submission in screened.submissions]
            refused: list[tuple[Submission, int, Refusal]] = []
            for k in np.flatnonzero(~good).tolist():
                n, i = _find(counts, k if rows is None else int(rows[k]))
                submission = screened.submissions[n]
                refused.append(
                    self._refuse(submission, i, int(codes[k]), signers[k], texts.get(k, ""))
                )
            kept = np.flatnonzero(good)
            rows = kept if rows is None else rows[kept]
            run, received, signers = run.take(kept), received[kept], signers[kept]
            self._settle(refused, [])
        self._sequencer.submit_run(run, signers, received)
        self._numbered.extend(_to_spans(screened.submissions, rows))

    def _run_queries(self, queries: list[tuple[Callable[[Engine], Any], Future[Any]]]) -> None:
        deadline = time.monotonic() + _QUERY_BUDGET
        engine = self._sequencer.engine
        for n, (function, future) in enumerate(queries):
            if time.monotonic() > deadline:
                with self._lock:
                    self._queries.extendleft(reversed(queries[n:]))
                return
            try:
                future.set_result(function(engine))
            except Exception as error:  # noqa: BLE001 -- it belongs to who asked
                future.set_exception(error)

    def _make_block(self) -> None:
        sequencer = self._sequencer
        pause = self._last_close + self._block_s - time.monotonic()
        if pause > 0 and sequencer.pending < self._max_leaves:
            if not (
                sequencer.pending or sequencer.has_work(max(sequencer.clock.now(), sequencer.time))
            ):
                return
            with self._lock:  # more may come meanwhile: it shares the sync
                if not (self._is_stopping or self._failure):
                    self._write_ready.wait(pause)
            if self._last_close + self._block_s > time.monotonic() and self._has_more():
                return
        now = max(sequencer.clock.now(), sequencer.time)
        is_idle = not sequencer.has_work(now)
        if is_idle and now - sequencer.time < self._idle_ms:
            return
        if not self._publish_batch():
            return
        began = time.monotonic_ns()
        closed = sequencer.close_block(now, is_empty_allowed=True)
        self._last_close = time.monotonic()
        if closed is None:
            return
        self._metrics.stage.labels("block").observe((time.monotonic_ns() - began) / 1e9)
        self._acknowledge(closed)

    def _has_more(self) -> bool:
        with self._lock:
            return bool(self._screened or self._queries or self._messages)

    def _acknowledge(self, closed: ClosedBlock) -> None:
        block = BlockEvents(closed)
        self._metrics.count_block(closed)
        row, end = block.marks, len(closed.leaves)
        parts: list[tuple[Submission, Part]] = []
        while row < end:
            submission, first, last = self._numbered.popleft()
            count = last - first
            if row + count > end:  # the block was full: the rest is in the next one
                count = end - row
                self._numbered.appendleft(_Numbered(submission, first + count, last))
            parts.append((submission, Part(first, first + count, block, row)))
            row += count
        self._settle([], parts)
        with self._lock:
            while len(self._closed) >= self._queues.blocks and not self._failure:
                self._publish_room.wait(1.0)
            self._closed.append(block)
            self._publish_ready.notify()

    def _publish_batch(self) -> bool:
        """Publish a batch that is due. False if it cannot be written: no block is made until it is."""
        sequencer = self._sequencer
        builder = sequencer.batches
        if builder is None or not builder.is_due(sequencer.time):
            return True
        try:
            began = time.monotonic_ns()
            batch = sequencer.publish_batch()
        except BatchError as error:
            _log.error("batch_not_written", error=error)
            self._metrics.batch_failures.inc()
            with self._lock:
                if not self._is_stopping:
                    self._write_ready.wait(_RETRY_BATCH)
                elif self._failure is None:
                    raise
            return False
        self._metrics.stage.labels("batch").observe((time.monotonic_ns() - began) / 1e9)
        if batch and self._batch_published:
            self._metrics.set_batch(batch)
            self._batch_published(batch.number)
        return True

    def _finish(self) -> None:
        """Refuse what nobody will read any more, and let the publisher end."""
        with self._lock:
            queries = list(self._queries)
            self._queries.clear()
            self._notify_all()
        for _, future in queries:
            future.set_exception(
                StoppingError("the zone is going down", "connect again in a while")
            )

    # --- publish -------------------------------------------------------------------------------------

    def _publish_loop(self) -> None:
        writer = self._threads[1]
        while True:
            with self._lock:
                while not self._closed:
                    if self._failure or (self._is_stopping and not writer.is_alive()):
                        return
                    self._publish_ready.wait(0.2 if self._is_stopping else None)
                block = self._closed.popleft()
                self._publishing = 1
            try:
                began = time.monotonic_ns()
                self._publish(block)
                self._metrics.stage.labels("publish").observe((time.monotonic_ns() - began) / 1e9)
            finally:
                with self._lock:
                    self._publishing = 0
                    self._publish_room.notify_all()


def _find(counts: list[int], row: int) -> tuple[int, int]:
    """Submission and place in it of a row of leaves that were laid one behind the other."""
    for n, count in enumerate(counts):
        if row < count:
            return n, row
        row -= count
    raise IndexError(f"row {row} behind the last submission")


def _to_spans(submissions: list[Submission], rows: NDArray[np.intp] | None) -> Iterator[_Numbered]:
    """Leaves that were let in, as spans of their submissions; ``rows`` names them, None = all."""
    if rows is None:
        for submission in submissions:
            yield _Numbered(submission, 0, len(submission.leaves))
        return
    at = place = 0
    for submission in submissions:
        end = at + len(submission.leaves)
        while place < len(rows) and rows[place] < end:
            first = int(rows[place]) - at
            last = first + 1
            place += 1
            while place < len(rows) and int(rows[place]) - at == last and rows[place] < end:
                last, place = last + 1, place + 1
            yield _Numbered(submission, first, last)
        at = end
