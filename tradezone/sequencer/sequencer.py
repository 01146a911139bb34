"""The sequencer: numbers what intake let in, makes blocks of it, and answers only for what is on disk.

Order of a block: leaves are laid out and numbered; the engine executes them in memory; receipts are
linked and their head signed; the journal writes and syncs all of it; then, and only then, `close_block`
returns. Invariant: nothing that left the process is missing from the journal, so whatever is in memory
when the process dies was never heard of by anybody.

After a failure in the middle of a block, memory and disk disagree; the sequencer stops for good
(`SequencerStoppedError`) and recovery makes a new one from disk.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tradezone.engine.signatures import ADDRESS_BYTES
from tradezone.protocol.actions import block_mark, inbox_mark
from tradezone.protocol.limits import (
    MAX_BLOCK_LEAVES,
    MAX_INBOX_MARK,
    MAX_INBOX_PAYLOAD,
    MAX_LEAF_BYTES,
    MAX_TIME,
)
from tradezone.protocol.messages import MESSAGE_HEADER, NO_PREFIX, Message, next_prefix
from tradezone.sequencer.batches import Batch, BatchBuilder, BlockInputs
from tradezone.sequencer.clock import Clock, SystemClock
from tradezone.sequencer.errors import (
    ClockError,
    EnvelopeRejectedError,
    SequencerError,
    SequencerStoppedError,
)
from tradezone.sequencer.intake import Accepted, Intake
from tradezone.sequencer.journal import BlockRecord, JournalWriter
from tradezone.sequencer.leaves import LeafRun
from tradezone.sequencer.log import EventLog
from tradezone.sequencer.receipts import (
    FIRST_PARENT,
    BlockHead,
    BlockReceipts,
    HeadSigner,
    Receipt,
    chain_links,
    hash_leaves,
    sign_head,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from tradezone.engine import Engine
    from tradezone.engine.signatures import SignerPool

_log = EventLog("sequencer")


class _Waiting(NamedTuple):
    """Leaves that wait for their block, with who signed each and when it came (ms)."""

    run: LeafRun
    signers: NDArray[np.uint8]
    received: NDArray[np.int64]

    def cut(self, first: int, end: int) -> _Waiting:
        return _Waiting(self.run.cut(first, end), self.signers[first:end], self.received[first:end])


@dataclass(frozen=True, slots=True)
class SequencerConfig:
    """What does not change while a sequencer runs."""

    separator: bytes  # EIP-712 domain separator of the zone, 32 bytes
    epoch: int = 1  # given by L1; each change of sequencer is a new one
    max_block_leaves: int = MAX_BLOCK_LEAVES  # after the mark
    max_pending: int = 1 << 18  # leaves numbered but not in a block yet


@dataclass(frozen=True, slots=True)
class ClosedBlock:
    """A block that is executed, journaled and synced: everything in it may be published.

    ``leaves[0]`` is the block mark; ``results[i]`` is of ``leaves[i]``.
    """

    number: int
    time: int  # ms
    first_seq: int
    leaves: LeafRun
    results: NDArray[np.int32]
    events: NDArray[Any]
    receipts: BlockReceipts
    steps: int

    def get_receipt(self, seq: int) -> Receipt:
        """Return the receipt of leaf ``seq``. IndexError if it is not in this block."""
        return self.receipts.get(seq)


class Sequencer:
    """One zone's sequencer. Not thread-safe: one thread calls it.

    Parameters
    ----------
    config : SequencerConfig
        zone and epoch
    engine : Engine
        at the state after the journal's last block
    journal : JournalWriter
        where blocks are kept
    key : PrivateKey
        signs block heads; its address is registered on L1
    clock : Clock, optional
        the machine's if absent
    pool : SignerPool, optional
        threads for signatures
    batches : BatchBuilder, optional
        groups blocks into batches; without one nothing is published
    head : bytes
        last receipt link of the zone so far
    inbox_prefix : bytes
        prefix hash of the inbox at the engine's inbox index
    """

    def __init__(
        self,
        config: SequencerConfig,
        engine: Engine,
        journal: JournalWriter,
        key: HeadSigner,
        *,
        clock: Clock | None = None,
        pool: SignerPool | None = None,
        batches: BatchBuilder | None = None,
        head: bytes = FIRST_PARENT,
        inbox_prefix: bytes = NO_PREFIX,
    ) -> None:
        if not 2 <= config.max_block_leaves <= MAX_BLOCK_LEAVES:
            text = (
                f"max_block_leaves is {config.max_block_leaves}, expected 2 .. {MAX_BLOCK_LEAVES}"
            )
            raise SequencerError(text)
        if (inbox_prefix == NO_PREFIX) != (int(engine.machine["inbox"]) == 0):
            text = f"inbox_prefix is 0x{inbox_prefix.hex()}"
            raise SequencerError(text, f"the engine stands at message {engine.machine['inbox']}")
        self.config = config
        self.engine = engine
        self.batches = batches
        self.clock = clock or SystemClock()
        self.intake = Intake(engine, config.separator, self.clock, pool)
        self._journal = journal
        self._key = key
        self._pool = pool
        self._head = head
        self._inbox_prefix = inbox_prefix
        self._pending: deque[_Waiting] = deque()
        self._pending_count = 0
        self._messages: deque[bytes] = deque()
        self._stopped: SequencerStoppedError | None = None

    # --- state -------------------------------------------------------------------------------------

    @property
    def address(self) -> bytes:
        """Address that signs block heads."""
        return self._key.address

    @property
    def block(self) -> int:
        """Number of the last block."""
        return int(self.engine.machine["block"])

    @property
    def time(self) -> int:
        """Time of the last block, ms."""
        return int(self.engine.machine["time"])

    @property
    def next_seq(self) -> int:
        """Number that the next block mark gets."""
        return int(self.engine.machine["seq"])

    @property
    def head(self) -> bytes:
        """Last receipt link."""
        return self._head

    @property
    def inbox(self) -> tuple[int, bytes]:
        """Index and prefix hash of the inbox after the last block."""
        return int(self.engine.machine["inbox"]), self._inbox_prefix

    @property
    def journal_hash(self) -> bytes:
        """Hash of the journal's last frame."""
        return self._journal.previous

    @property
    def next_message(self) -> int:
        """Index of the first inbox message that was not offered yet."""
        return int(self.engine.machine["inbox"]) + len(self._messages)

    @property
    def pending(self) -> int:
        """Leaves submitted that no block holds yet."""
        return self._pending_count

    @property
    def is_stopped(self) -> bool:
        """Whether a failure ended this sequencer."""
        return self._stopped is not None

    def has_work(self, time_ms: int) -> bool:
        """Whether a block at ``time_ms`` would do anything."""
        if self._pending or self._messages:
            return True
        release = self.engine.next_release()
        if release is not None and release <= time_ms:
            return True
        return self.engine.has_due_work(time_ms, self.block + 1)

    # --- in ----------------------------------------------------------------------------------------

    def admit_and_submit(
        self, leaves: Sequence[bytes], received: int | None = None
    ) -> list[Accepted | EnvelopeRejectedError]:
        """Check raw envelopes and queue the good ones; return intake's answers in order.

        Raises
        ------
        SequencerStoppedError, SequencerError
            As of `submit`; then no envelope was let in.
        """
        self._check_room(len(leaves))
        answers = self.intake.admit(leaves, received)
        self.submit(answer for answer in answers if isinstance(answer, Accepted))
        return answers

    def submit(self, accepted: Iterable[Accepted]) -> None:
        """Queue leaves for the next blocks, in this order.

        Warning: nothing is checked again. Leaves come from `Intake.admit`, or from a source whose
        signers were recovered from these very bytes.

        Raises
        ------
        SequencerStoppedError
            After a failure.
        SequencerError
            If too many leaves wait for a block, or one is too long for any.
        """
        new = list(accepted)
        self._check_room(len(new))
        for item in new:
            if not 0 < len(item.leaf) <= MAX_LEAF_BYTES or len(item.signer) != ADDRESS_BYTES:
                text = f"leaf of {len(item.leaf)} bytes, signer of {len(item.signer)}"
                raise SequencerError(
                    text, f"1 .. {MAX_LEAF_BYTES} and {ADDRESS_BYTES} are expected"
                )
        signers = np.frombuffer(b"".join(item.signer for item in new), np.uint8)
        self.submit_run(
            LeafRun.of(item.leaf for item in new),
            signers.reshape(-1, ADDRESS_BYTES),
            np.array([item.received for item in new], np.int64),
        )

    def submit_run(
        self, run: LeafRun, signers: NDArray[np.uint8], received: NDArray[np.int64]
    ) -> None:
        """Queue a run of leaves that `Intake.admit_run` let in; as `submit`."""
        self._check_room(len(run))
        if not len(run):
            return
        sizes = run.sizes
        if len(signers) != len(run) or len(received) != len(run):
            text = f"{len(run)} leaves, {len(signers)} signers, {len(received)} times"
            raise SequencerError(text, "one of each a leaf")
        if int(sizes.min()) < 1 or int(sizes.max()) > MAX_LEAF_BYTES:
            text = f"leaves of {int(sizes.min())} .. {int(sizes.max())} bytes"
            raise SequencerError(text, f"1 .. {MAX_LEAF_BYTES} are expected")
        self._pending.append(_Waiting(run, signers, received))
        self._pending_count += len(run)

    def _take(self, room: int) -> list[_Waiting]:
        """Take at most ``room`` of the leaves that wait."""
        taken = []
        while self._pending and room > 0:
            first = self._pending.popleft()
            count = len(first.run)
            if count > room:
                self._pending.appendleft(first.cut(room, count))
                first, count = first.cut(0, room), room
            taken.append(first)
            room -= count
            self._pending_count -= count
        return taken

    def _check_room(self, count: int) -> None:
        if self._stopped:
            raise self._stopped
        if self._pending_count + count > self.config.max_pending:
            raise SequencerError(
                f"{self._pending_count} leaves wait for a block, {self.config.max_pending} may",
                "close blocks, or send less",
            )

    def offer_messages(self, messages: Sequence[bytes]) -> None:
        """Queue inbox messages that the L1 reports safe; they follow those offered before.

        Raises
        ------
        SequencerError
            If an index leaves a gap or repeats.
        """
        if self._stopped:
            raise self._stopped
        for expected, raw in enumerate(messages, self.next_message):
            size = len(raw)
            if not MESSAGE_HEADER <= size <= MESSAGE_HEADER + MAX_INBOX_PAYLOAD:
                raise SequencerError(f"inbox message {expected} has {size} bytes")
            index = Message.from_bytes(raw).index
            if index != expected:
                text = f"inbox message {index} was offered, {expected} is next"
                raise SequencerError(text, "offer messages in order, from next_message on")
        self._messages.extend(messages)

    # --- out ---------------------------------------------------------------------------------------

    def close_block(
        self, time_ms: int | None = None, *, is_empty_allowed: bool = False
    ) -> ClosedBlock | None:
        """Make a block of what waits, and return it once it is on disk; None if there is no work.

        Parameters
        ----------
        time_ms : int, optional
            block time; the clock's if absent, never before the last block's
        is_empty_allowed : bool
            make the block even without work: a zone in which nothing happens for RESTART_GAP would
            otherwise find itself restarted

        Raises
        ------
        ClockError
            If ``time_ms`` lies before the last block. Nothing happened.
        BatchError
            If a batch is due and cannot be published. Nothing else happened; try again.
        SequencerStoppedError
            If the block could not be executed or journaled. It is not acknowledged; recover.
        """
        if self._stopped:
            raise self._stopped
        machine = self.engine.machine
        last = int(machine["time"])
        if time_ms is None:
            time_ms = max(self.clock.now(), last)
        if not last <= time_ms <= MAX_TIME:
            raise ClockError(f"block time {time_ms} ms is not within {last} .. {MAX_TIME}")
        if not is_empty_allowed and not self.has_work(time_ms):
            return None
        if self.batches:
            self.publish_due()
        try:
            return self._close(int(machine["block"]) + 1, time_ms, int(machine["seq"]))
        except BaseException as error:
            self._stopped = SequencerStoppedError(
                f"block {self.block} at {time_ms} ms failed: {error}",
                "it is not acknowledged; recover from disk",
            )
            _log.error("stopped", block=self.block, error=error)
            if isinstance(error, Exception):
                raise self._stopped from error
            raise

    def _close(self, number: int, time_ms: int, first_seq: int) -> ClosedBlock:
        marks = [block_mark(number, time_ms)]
        inbox = int(self.engine.machine["inbox"])
        taken = min(len(self._messages), MAX_INBOX_MARK)
        messages = [self._messages.popleft() for _ in range(taken)]
        if messages:
            marks.append(inbox_mark(inbox + taken))
        parts = self._take(self.config.max_block_leaves + 1 - len(marks))
        leaves = LeafRun.join([LeafRun.of(marks), *(part.run for part in parts)])
        count = len(leaves)
        signers = np.zeros((count, ADDRESS_BYTES), np.uint8)
        received = np.full(count, time_ms, np.int64)
        if parts:
            np.concatenate([part.signers for part in parts], out=signers[len(marks) :])
            np.concatenate([part.received for part in parts], out=received[len(marks) :])
        run = self.engine.execute_run(leaves.buffer, leaves.offsets, signers, messages)
        inbox_end = int(self.engine.machine["inbox"])
        expected = (number, first_seq + count, inbox + taken)
        if (self.block, self.next_seq, inbox_end) != expected:
            text = (
                f"the engine stands at block {self.block}, seq {self.next_seq}, inbox {inbox_end}"
            )
            raise SequencerError(text, f"expected {expected[0]}, {expected[1]} and {expected[2]}")

        prefix = self._inbox_prefix
        for message in messages:
            prefix = next_prefix(prefix, message)
        digests = hash_leaves(leaves)
        epoch, parent = self.config.epoch, self._head
        links = chain_links(parent, epoch, first_seq, digests, received, run.results)
        head = links[-32:]
        block_head = sign_head(
            self._key,
            self.config.separator,
            BlockHead(epoch, number, first_seq, count, time_ms, inbox_end, prefix, head, parent),
        )
        self._journal.append(
            BlockRecord(
                epoch,
                number,
                first_seq,
                leaves,
                received,
                inbox,
                messages,
                head,
                block_head.signature,
            )
        )
        self._head = head
        self._inbox_prefix = prefix
        if not self._pending:
            self.intake.forget_pending()
        if self.batches:
            self.batches.add(
                BlockInputs(
                    number,
                    time_ms,
                    first_seq,
                    leaves.to_bytes(),
                    leaves.sizes,
                    digests,
                    inbox_end,
                    prefix,
                )
            )
        return ClosedBlock(
            number,
            time_ms,
            first_seq,
            leaves,
            run.results,
            run.events,
            BlockReceipts(
                block_head,
                digests,
                received,
                run.results,
                links,
            ),
            run.steps,
        )

    def close_until_idle(
        self,
        time_ms: int | None = None,
        *,
        until_ms: int | None = None,
        each: Callable[[ClosedBlock], None] | None = None,
    ) -> list[ClosedBlock]:
        """Close blocks until nothing waits.

        Parameters
        ----------
        time_ms : int, optional
            time of the first of them; the clock's if absent
        until_ms : int, optional
            latest time: orders that are released and timers that are due up to it are waited for, by moving block time on
        each : callable, optional
            is handed every block as soon as it is on disk; the returned list then stays empty
        """
        time_ms = max(self.clock.now(), self.time) if time_ms is None else time_ms
        until_ms = time_ms if until_ms is None else until_ms
        blocks: list[ClosedBlock] = []
        while True:
            block = self.close_block(time_ms)
            if block is None:
                due = (self.engine.next_release(), self.engine.next_timer())
                time_ms = min((time for time in due if time is not None), default=until_ms + 1)
                if time_ms > until_ms:
                    return blocks
            elif each:
                each(block)
            else:
                blocks.append(block)

    # --- batches -----------------------------------------------------------------------------------

    def publish_due(self) -> Batch | None:
        """Publish the open blocks as a batch if they reached a limit; None if they did not."""
        if self.batches and self.batches.is_due(self.time):
            return self.publish_batch()
        return None

    def publish_batch(self) -> Batch | None:
        """Publish the open blocks as a batch now; None if there are none."""
        if self._stopped:
            raise self._stopped
        if self.batches is None:
            raise SequencerError("this sequencer publishes no batches", "give it a BatchBuilder")
        if self.batches.is_empty:
            return None
        return self.batches.publish(self.engine.commit_root())

    def close(self) -> None:
        """Let go of the journal and of threads."""
        self._journal.close()
        if self._pool:
            self._pool.close()
