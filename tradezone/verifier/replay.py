"""Replay what L1 committed, and tell whether every claimed state root is the right one.

Trusts nothing but the three sources that speak for L1 (committed headers, inbox messages, claims) and its
own code. Batch files come from anywhere: a file that does not lead to the committed inputs root is refused
whoever served it.

Faults and wrong claims are different things. A *fault* is something that an honest sequencer never commits
(a file that cannot be had, an envelope nobody signed, a header that says more than its leaves do); most of
them are harmless by the rules of `docs/spec/blocks.md`, because such a leaf is a no-op. A *wrong claim*
states a root that is not the root, and is what a dispute is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from tradezone.engine import Engine, EngineError
from tradezone.engine.memory import MAX_RUN_BYTES, MAX_RUN_LEAVES, MAX_RUN_MESSAGES
from tradezone.engine.signatures import SignerPool
from tradezone.protocol.actions import (
    BLOCK_MARK_BYTES,
    INBOX_MARK_BYTES,
    LEAF_BLOCK,
    LEAF_CREDENTIAL,
    LEAF_ENVELOPE,
    LEAF_INBOX,
    LEAF_PRICE,
)
from tradezone.protocol.batches import GENESIS_PARENT, NO_INPUTS_ROOT, Header
from tradezone.protocol.errors import Code
from tradezone.protocol.limits import MAX_BLOCK_LEAVES, MAX_INBOX_MARK, MAX_LEAF_BYTES
from tradezone.protocol.messages import next_prefix
from tradezone.state.inputs_tree import InputsTree
from tradezone.state.tree import TreeError
from tradezone.verifier.batch_file import BatchFile, BatchFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RUN_LEAVES: Final = MAX_RUN_LEAVES // 2
_RUN_BYTES: Final = MAX_RUN_BYTES // 4
# Inbox marks of a run; the block that ends it may bring as many again.
_RUN_MARKS: Final = MAX_RUN_MESSAGES // MAX_INBOX_MARK // 2
_MAX_FAULTS: Final = 100  # kept in a report; the first one is what matters
# Results of leaves that an honest sequencer does not number.
_NEVER_HONEST: Final = (Code.MALFORMED, Code.BAD_SIGNATURE, Code.UNEXPECTED_LEAF)


class ClaimLike(Protocol):
    """A claim as L1 holds it."""

    @property
    def id(self) -> bytes:
        """Id, 32 bytes."""
        ...

    @property
    def batch(self) -> int:
        """Batch whose state root it states; 0 is the genesis."""
        ...

    @property
    def state_root(self) -> bytes:
        """The root that it states."""
        ...

    @property
    def asserter(self) -> str:
        """Who claims."""
        ...

    @property
    def status(self) -> str:
        """Standing: open, final or dead."""
        ...


class HeadersSource(Protocol):
    """Committed headers, as L1 tells them."""

    def headers(self, first: int = 1, last: int | None = None) -> Iterable[Header]:
        """Yield headers ``first`` to ``last``, to the newest if absent."""
        ...


class MessagesSource(Protocol):
    """The L1 inbox."""

    def messages(self, first: int = 0, end: int | None = None) -> Sequence[bytes]:
        """Return messages ``first`` to ``end - 1``, to the newest if absent."""
        ...


class ClaimsSource(Protocol):
    """Claims about batches."""

    def claims(self) -> Iterable[ClaimLike]:
        """Return all claims that were made, rivals and dead ones too."""
        ...


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim that is known without a node."""

    id: bytes
    batch: int
    state_root: bytes
    asserter: str = ""
    status: str = "open"


class MemoryChain:
    """All three sources over lists: for tests, and for what was downloaded before."""

    def __init__(
        self,
        headers: Sequence[Header] = (),
        messages: Sequence[bytes] = (),
        claims: Sequence[ClaimLike] = (),
    ) -> None:
        self._headers, self._messages, self._claims = headers, messages, claims

    def headers(self, first: int = 1, last: int | None = None) -> Iterable[Header]:
        """Return headers by their number."""
        return [h for h in self._headers if first <= h.number <= (last or h.number)]

    def messages(self, first: int = 0, end: int | None = None) -> Sequence[bytes]:
        """Return messages by their index."""
        return self._messages[first:end]

    def claims(self) -> Iterable[ClaimLike]:
        """Return all claims."""
        return self._claims


@dataclass(frozen=True, slots=True)
class Fault:
    """Something an honest sequencer does not do. ``is_fatal``: replay could not go on behind it."""

    batch: int
    check: str
    text: str
    seq: int = 0  # leaf, 0 = the batch as a whole
    is_fatal: bool = False


@dataclass(frozen=True, slots=True)
class WrongClaim:
    """A claim whose state root is not the root."""

    batch: int
    claim: str
    claimed: str
    root: str
    asserter: str
    status: str


@dataclass(slots=True)
class Report:
    """What replay found. ``root`` is the state root behind batch ``last_batch``."""

    last_batch: int = 0
    last_block: int = 0
    root: str = ""
    batches: int = 0
    leaves: int = 0
    signatures: int = 0
    claims: int = 0
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0
    wrong_claims: list[WrongClaim] = field(default_factory=list)
    roots: dict[int, str] = field(default_factory=dict)  # batch -> state root, of claimed batches

    @property
    def is_ok(self) -> bool:
        """Whether there is no fault, and no wrong claim that is still alive."""
        alive = (claim for claim in self.wrong_claims if claim.status != "dead")
        return not self.fault_count and not any(alive)

    @property
    def first_fault(self) -> Fault | None:
        """The first thing that is wrong."""
        return self.faults[0] if self.faults else None

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {"is_ok": self.is_ok, **asdict(self)}


class _FatalError(Exception):
    """Replay cannot go on; carries the fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.text)
        self.fault = fault


def verify(
    batches: Path,
    headers: HeadersSource,
    messages: MessagesSource,
    claims: ClaimsSource,
    separator: bytes,
    *,
    engine: Engine | None = None,
    first_batch: int = 1,
    threads: int = 2,
    progress: Callable[[Report], None] | None = None,
) -> Report:
    """Replay every committed batch and compare.

    Parameters
    ----------
    batches : Path
        folder with ``<number>.batch`` files
    headers, messages, claims
        what L1 says
    separator : bytes
        EIP-712 domain separator of the zone: chain id and contract are the verifier's own choice
    engine : Engine, optional
        state to begin at, for instance from a snapshot whose root was checked; genesis if absent
    first_batch : int
        the batch that follows that state
    threads : int
        for signatures
    progress : callable, optional
        is handed the report after every batch

    Returns
    -------
    Report
        It ends at the first fatal fault; wrong claims and harmless faults do not end it.
    """
    report = Report()
    by_batch: dict[int, list[ClaimLike]] = {}
    for claim in claims.claims():
        by_batch.setdefault(claim.batch, []).append(claim)
    with SignerPool(threads) as pool:
        replay = _Replay(Path(batches), messages, separator, engine or Engine(), pool, report)
        report.last_batch, report.root = first_batch - 1, replay.get_root()
        _check_claims(report, first_batch - 1, by_batch.get(first_batch - 1, []), report.root)
        try:
            for header in headers.headers(first_batch):
                replay.check_batch(header)
                _check_claims(report, header.number, by_batch.get(header.number, []), report.root)
                if progress:
                    progress(report)
        except _FatalError as error:
            replay.add_fault(error.fault)
    return report


def _check_claims(report: Report, batch: int, claims: list[ClaimLike], root: str) -> None:
    for claim in claims:
        report.claims += 1
        report.roots[batch] = root
        claimed = _to_hex(claim.state_root)
        if claimed != root:
            report.wrong_claims.append(
                WrongClaim(batch, _to_hex(claim.id), claimed, root, claim.asserter, claim.status)
            )


class _Replay:
    """The engine under replay and what of the chain was checked so far."""

    def __init__(
        self,
        batches: Path,
        messages: MessagesSource,
        separator: bytes,
        engine: Engine,
        pool: SignerPool,
        report: Report,
    ) -> None:
        self._batches = batches
        self._messages = messages
        self._separator = separator
        self._engine = engine
        self._pool = pool
        self._report = report
        self._last: Header | None = None
        self._prefix: bytes | None = bytes(32) if self._get("inbox") == 0 else None

    def _get(self, name: str) -> int:
        return int(self._engine.machine[name])

    def get_root(self) -> str:
        """State root behind the last batch."""
        return _to_hex(self._engine.commit_root())

    def add_fault(self, fault: Fault) -> None:
        """Count a fault, and keep it if there is room."""
        self._report.fault_count += 1
        if len(self._report.faults) < _MAX_FAULTS:
            self._report.faults.append(fault)

    def check_batch(self, header: Header) -> None:
        """Check and execute one batch."""
        self._check_order(header)
        file = None if header.is_closing else self._read_file(header)
        messages = self._fetch_inbox(header)
        before = self._get("block")
        if file is None:
            self._close(header, messages)
        else:
            self._execute(header, file, messages)
        self._check_header_meets_leaves(header, before)
        self._last = header
        report = self._report
        report.last_batch = header.number
        report.last_block = self._get("block")
        report.batches += 1
        report.leaves += header.count
        report.root = self.get_root()

    def _stop(self, header: Header, check: str, text: str) -> _FatalError:
        return _FatalError(Fault(header.number, check, text, is_fatal=True))

    def _check_order(self, header: Header) -> None:
        """L1 enforces these; if they fail the source does not speak for L1."""
        seq = self._get("seq")
        if header.first_seq != seq:
            text = f"first seq is {header.first_seq}, the leaves before end at {seq - 1}"
            raise self._stop(header, "header", text)
        last = self._last
        if last is None:
            if header.number == 1 and header.parent != GENESIS_PARENT:
                raise self._stop(header, "header", "the first header has a parent")
            return
        if header.number != last.number + 1 or header.parent != last.hash():
            text = f"header {header.number} does not follow header {last.number}"
            raise self._stop(header, "header", text)
        if header.epoch < last.epoch or header.inbox_index < last.inbox_index:
            raise self._stop(header, "header", "epoch or inbox index went back")

    def _read_file(self, header: Header) -> BatchFile:
        path = self._batches / f"{header.number}.batch"
        try:
            file = BatchFile.from_bytes(path.read_bytes())
        except FileNotFoundError:
            text = f"{path.name} is not in {self._batches.name}: ask for its leaves on L1"
            raise self._stop(header, "data", text) from None
        except (OSError, BatchFileError) as error:
            raise self._stop(header, "data", f"{path.name}: {error}") from None
        if len(file.sizes) != header.count:
            text = f"{path.name} holds {len(file.sizes)} leaves, the header says {header.count}"
            raise self._stop(header, "data", text)
        try:
            buffer = np.frombuffer(file.joined, np.uint8)
            root = InputsTree.from_buffer(header.first_seq, buffer, file.offsets).root
        except TreeError as error:
            raise self._stop(header, "inputs_root", str(error)) from None
        if root != header.inputs_root:
            text = f"leaves lead to 0x{root.hex()}, committed is 0x{header.inputs_root.hex()}"
            raise self._stop(header, "inputs_root", text)
        return file

    def _fetch_inbox(self, header: Header) -> list[bytes]:
        """Messages up to the header's index, checked against its prefix hash."""
        start, end = self._get("inbox"), header.inbox_index
        if end < start:
            raise self._stop(header, "inbox", f"inbox index {end}, {start} are consumed already")
        messages = list(self._messages.messages(start, end))
        if len(messages) != end - start:
            text = f"L1 has {len(messages)} of the messages {start} .. {end - 1}"
            raise self._stop(header, "inbox", text)
        if self._prefix is None:  # begun at a snapshot: the first header is taken as it is
            self._prefix = header.inbox_hash
            return messages
        for message in messages:
            self._prefix = next_prefix(self._prefix, message)
        if self._prefix != header.inbox_hash:
            text = f"prefix hash is 0x{self._prefix.hex()}, committed 0x{header.inbox_hash.hex()}"
            raise self._stop(header, "inbox", text)
        return messages

    def _execute(self, header: Header, file: BatchFile, messages: list[bytes]) -> None:
        buffer = np.frombuffer(file.joined, np.uint8)
        offsets = file.offsets
        signers = self._pool.recover(buffer, offsets, self._separator)
        base = self._get("inbox")
        for start, stop in _cut_runs(buffer, offsets):
            taken = self._get("inbox") - base
            self._run(
                header,
                buffer,
                offsets[start : stop + 1],
                signers[start:stop],
                messages[taken : taken + MAX_RUN_MESSAGES],
                is_end=stop == header.count,
            )

    def _close(self, header: Header, messages: list[bytes]) -> None:
        """Carry out the closing batch: no leaves, all messages that are left."""
        if (header.count, header.blocks, header.inputs_root) != (0, 0, NO_INPUTS_ROOT):
            raise self._stop(header, "header", "the closing batch has leaves, L1 writes none")
        try:
            self._engine.drain(header, messages)
        except (EngineError, ValueError) as error:
            raise self._stop(header, "engine", str(error)) from None

    def _run(
        self,
        header: Header,
        buffer: NDArray[np.uint8],
        offsets: NDArray[np.int64],
        signers: NDArray[np.uint8],
        messages: list[bytes],
        *,
        is_end: bool,
    ) -> None:
        seq = self._get("seq")
        try:
            result = self._engine.execute_run(buffer, offsets, signers, messages, header, is_end)
        except (EngineError, ValueError) as error:
            raise self._stop(header, "engine", str(error)) from None
        codes = result.results & 0xFFFF
        is_signed, is_odd = _find_odd(buffer, offsets, signers, codes)
        self._report.signatures += int(is_signed.sum())
        for i in np.flatnonzero(is_odd).tolist():
            code = Code(int(codes[i])).name
            text = f"the leaf has result {code}, an honest sequencer does not number it"
            self.add_fault(Fault(header.number, "leaf", text, seq=seq + i))

    def _check_header_meets_leaves(self, header: Header, before: int) -> None:
        block, time = self._get("block"), self._get("time")
        expected = (before + 1, block - before, time if block > before else header.end_time)
        found = (header.first_block, header.blocks, header.end_time)
        if expected != found:
            text = (
                f"header says blocks from {found[0]}, {found[1]} of them, until {found[2]} ms; "
                f"the leaves carry out blocks from {expected[0]}, {expected[1]}, until {expected[2]} ms"
            )
            self.add_fault(Fault(header.number, "header", text))


def _get_kinds(buffer: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.uint8]:
    """First byte of each leaf, 0 for an empty one."""
    kinds = np.zeros(len(offsets) - 1, np.uint8)
    is_any = np.diff(offsets) > 0
    kinds[is_any] = buffer[offsets[:-1][is_any]]
    return kinds


def _find_odd(
    buffer: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    signers: NDArray[np.uint8],
    codes: NDArray[np.int32],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which leaves carry a signature, and which of all an honest sequencer does not number.

    A credential or price that somebody signed may be refused all the same: its venue can choose another provider
    between intake and block.
    """
    kinds = _get_kinds(buffer, offsets)
    is_attested = (kinds == LEAF_CREDENTIAL) | (kinds == LEAF_PRICE)
    is_signed = (kinds == LEAF_ENVELOPE) | is_attested
    has_signer = signers.any(axis=1)
    is_odd = np.isin(codes, [int(code) for code in _NEVER_HONEST])
    is_odd &= ~(is_attested & has_signer & (codes == int(Code.BAD_SIGNATURE)))
    is_odd |= is_signed & ~has_signer
    return is_signed, is_odd


def _cut_runs(buffer: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Cut a batch into runs that the engine takes in one call, without cutting a block.

    A block ends at the next mark and has at most MAX_BLOCK_LEAVES leaves behind its own; leaves further
    behind a mark belong to no block, so a run may end anywhere among them.
    """
    count = len(offsets) - 1
    sizes = np.diff(offsets)
    kinds = _get_kinds(buffer, offsets)
    is_mark = ((sizes == BLOCK_MARK_BYTES) & (kinds == LEAF_BLOCK)).tolist()
    inbox_marks = np.cumsum((sizes == INBOX_MARK_BYTES) & (kinds == LEAF_INBOX)).tolist()
    at = offsets.tolist()
    start = last_mark = 0
    for i in range(1, count):
        last_mark = i if is_mark[i] else last_mark
        if not is_mark[i] and i - last_mark <= MAX_BLOCK_LEAVES:
            continue
        marks = inbox_marks[i - 1] - (inbox_marks[start - 1] if start else 0)
        if i - start >= _RUN_LEAVES or at[i] - at[start] >= _RUN_BYTES or marks >= _RUN_MARKS:
            yield start, i
            start = i
    if count:
        yield start, count


def _to_hex(raw: bytes) -> str:
    return "0x" + raw.hex() if raw else ""


assert MAX_BLOCK_LEAVES + 1 + _RUN_LEAVES <= MAX_RUN_LEAVES
assert (MAX_BLOCK_LEAVES + 1) * MAX_LEAF_BYTES + _RUN_BYTES <= MAX_RUN_BYTES
