"""The poster: brings published batches and their state roots to L1, in order, once.

Invariant: what L1 holds decides. Before anything is sent, the newest header there is compared with ours
of the same number; hashes chain, so if these are equal all earlier ones are. The poster keeps no state:
killed at any point and started again, it goes on behind what was mined.

It reads the folder that `tradezone.sequencer.BatchBuilder` writes, and runs beside the sequencer or alone.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradezone.protocol.batches import GENESIS_PARENT, Header, claim_id

from ._codec import decode, to_bytes
from .abi import CLAIM_STATUS, STATE_CHAIN
from .errors import ChainError, DivergedError, RevertedError

if TYPE_CHECKING:
    from .rpc import Receipt, Rpc, Sender

_log = logging.getLogger("tradezone.chain.poster")

MAX_HEADERS: Final = 16  # committed in one transaction
MAX_DATA: Final = 120_000  # bytes of calldata that nodes pass on
_OPEN, _FINAL, _DEAD = (CLAIM_STATUS.index(name) for name in ("open", "final", "dead"))
_HEADER: Final = STATE_CHAIN.functions["hashHeader"].inputs
_PATIENCE: Final = 30.0  # seconds to wait until L1 time has reached a batch's end


# --- batches on disk ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BatchMeta:
    """A published batch: its header, and the state root after it."""

    header: Header
    state_root: bytes


class BatchFolder:
    """Published batches: ``<number>.batch`` and ``<number>.json`` in a folder.

    Parameters
    ----------
    path : Path
        that folder, or the sequencer's directory around it
    """

    def __init__(self, path: Path) -> None:
        inner = Path(path) / "batches"
        self.path = inner if inner.is_dir() else Path(path)
        if not self.path.is_dir():
            raise ChainError(f"no folder {path}", "give the sequencer's directory or its batches/")
        self._known: dict[int, BatchMeta] = {}

    def last(self) -> int:
        """Return the number of the newest batch that is wholly published; 0 if there is none."""
        names = (p.stem for p in self.path.glob("*.json"))
        return max((int(name) for name in names if name.isdigit()), default=0)

    def meta(self, number: int) -> BatchMeta | None:
        """Return a batch, None if it is not here. ChainError if its file is damaged."""
        if number in self._known:
            return self._known[number]
        path = self.path / f"{number}.json"
        try:
            body = json.loads(path.read_text())
            words, root = to_bytes(body["header"]), to_bytes(body["state_root"])
            header = Header(*decode(_HEADER, words)[0].values())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            text = f"{path.name} does not describe a batch: {error}"
            raise ChainError(text, "the sequencer writes it again when it recovers") from None
        if header.number != number or len(root) != 32:
            raise ChainError(f"{path.name} describes batch {header.number}")
        self._known[number] = BatchMeta(header, root)
        return self._known[number]

    def data(self, number: int) -> bytes:
        """Return the bytes of the batch file. ChainError if it cannot be read."""
        path = self.path / f"{number}.batch"
        try:
            return path.read_bytes()
        except OSError as error:
            raise ChainError(f"{path.name} cannot be read: {error.strerror or error}") from None


# --- what was done -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Posted:
    """Batches ``first`` to ``last`` were committed by one transaction."""

    first: int
    last: int
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Claimed:
    """A state root was claimed. ``children`` above 1 means that there are rivals: a dispute."""

    claim: bytes
    batch: int
    state_root: bytes
    children: int
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Finalized:
    """A claim became final."""

    claim: bytes
    batch: int
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class PosterStatus:
    """How far L1 is behind what is published here."""

    published: int  # newest batch here
    committed: int  # newest batch on L1
    claimed: int  # newest batch that is claimed with our root
    final: int  # newest batch whose claim is final
    is_frozen: bool


class Poster:
    """Posts one zone's batches.

    Parameters
    ----------
    rpc : Rpc
        the node
    chain : str
        address of the StateChain contract
    sender : Sender
        the sequencer's key for `post`; any bonded account for `claim`; anybody for `finalize`
    folder : BatchFolder or Path
        where batches are published
    with_data : bool
        send each batch file along as calldata, so that L1 alone is enough to replay. For small zones.
    clock, sleep : callable, optional
        seconds, and waiting them
    """

    def __init__(
        self,
        rpc: Rpc,
        chain: str | bytes,
        sender: Sender,
        folder: BatchFolder | Path,
        *,
        with_data: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rpc = rpc
        self._chain = rpc.at(STATE_CHAIN, chain)
        self._sender = sender
        self._folder = folder if isinstance(folder, BatchFolder) else BatchFolder(folder)
        self._with_data = with_data
        self._clock = clock
        self._sleep = sleep

    # --- batches ---------------------------------------------------------------------------------

    def check(self) -> int:
        """Compare L1 with what is here and return the number of batches that L1 holds.

        Raises
        ------
        DivergedError
            naming the first batch that is another one on L1
        """
        tip = self._chain.call("tip")
        number, last = int(tip["number"]), self._folder.last()
        shared = min(number, last)
        ours = self._folder.meta(shared) if shared else None
        if ours is None:
            following = self._folder.meta(number + 1)
            if following and following.header.parent != (tip["hash"] if number else GENESIS_PARENT):
                raise DivergedError(
                    f"batch {number + 1} here follows 0x{following.header.parent.hex()},"
                    f" L1 ends in 0x{tip['hash'].hex()}",
                    "it belongs to another zone or another history",
                )
            return number
        if self._chain.call("headerHashOf", shared) != ours.header.hash():
            self._raise_diverged(shared)
        return number

    def _raise_diverged(self, differing: int) -> None:
        low, high = 1, differing  # the first that differs lies in low .. high
        while low < high:
            middle = (low + high) // 2
            ours = self._folder.meta(middle)
            if ours and self._chain.call("headerHashOf", middle) == ours.header.hash():
                low = middle + 1
            else:
                high = middle
        ours = self._folder.meta(high)
        here = ours.header.hash().hex() if ours else "?"
        there = self._chain.call("headerHashOf", high).hex()
        raise DivergedError(
            f"batch {high} is 0x{there} on L1, 0x{here} here",
            "another sequencer posted it, or this folder is of another zone; nothing was sent",
        )

    def post(self, limit: int | None = None) -> list[Posted]:
        """Commit the batches that L1 does not hold yet, oldest first, at most ``limit`` of them.

        Raises
        ------
        DivergedError
            L1 holds another history. Nothing was sent.
        RevertedError, TransactionFailedError
            a commit was refused or not mined. Earlier ones stand; call again.
        """
        number = self.check()
        last = self._folder.last()
        if limit is not None:
            last = min(last, number + limit)
        done: list[Posted] = []
        while number < last:
            headers = self._take_headers(number + 1, last)
            if not headers:
                break
            receipt = self._commit(headers)
            number = headers[-1].number
            done.append(Posted(headers[0].number, number, receipt))
            _log.info(
                "committed first=%d last=%d transaction=%s gas=%d",
                headers[0].number,
                number,
                receipt.transaction,
                receipt.gas_used,
            )
        return done

    def _take_headers(self, first: int, last: int) -> list[Header]:
        headers: list[Header] = []
        end = first if self._with_data else min(last, first + MAX_HEADERS - 1)
        for number in range(first, end + 1):
            meta = self._folder.meta(number)
            if meta is None:
                break
            if headers and meta.header.parent != headers[-1].hash():
                text = f"batch {number} here does not follow batch {number - 1}"
                raise DivergedError(text, "the folder holds batches of two histories")
            headers.append(meta.header)
        return headers

    def _commit(self, headers: list[Header]) -> Receipt:
        if self._with_data:
            data = self._folder.data(headers[0].number)
            if len(data) > MAX_DATA:
                raise ChainError(
                    f"batch {headers[0].number} is {len(data)} bytes, {MAX_DATA} fit a transaction",
                    "publish smaller batches (BatchLimits.bytes), or post without data",
                )
            return self._transact("commitWithData", headers[0], data)
        if len(headers) == 1:
            return self._transact("commit", headers[0])
        return self._transact("commitMany", headers)

    def _transact(self, name: str, *arguments: Any) -> Receipt:
        """Send; a batch that ends later than the L1's clock is waited for."""
        deadline, pause = self._clock() + _PATIENCE, 0.25
        while True:
            try:
                return self._chain.transact(self._sender, name, *arguments)
            except RevertedError as error:
                if error.name != "EndsInFuture" or self._clock() + pause > deadline:
                    raise
            self._sleep(pause)
            pause = min(2 * pause, 2.0)

    # --- claims ----------------------------------------------------------------------------------

    def is_bonded(self) -> bool:
        """Whether the sender may claim."""
        return bool(self._chain.call("asserterOf", self._sender.address)["isBonded"])

    def post_bond(self) -> Receipt | None:
        """Post the bond that claiming needs; None if it is posted already."""
        if self.is_bonded():
            return None
        return self._chain.transact(self._sender, "postBond", value=self._chain.call("bond"))

    def claim(self, limit: int | None = None) -> list[Claimed]:
        """Claim our state root of every committed batch at which a claim is due.

        A claim that somebody else made with the same root counts as made. One with another root does
        not: ours is made beside it, and the judge decides.

        Raises
        ------
        DivergedError
            a final claim, or a ruling, contradicts our root. Stop and find out who is wrong.
        RevertedError
            the sender is not bonded, or L1 takes no more rivals
        """
        committed = self.check()
        stride = int(self._chain.call("claimStride"))
        parent, batch = self._final_claim()
        done: list[Claimed] = []
        while (batch := batch + stride) <= committed and (limit is None or len(done) < limit):
            meta = self._folder.meta(batch)
            if meta is None:
                break
            header_hash = meta.header.hash()
            claim = claim_id(parent, batch, header_hash, meta.state_root)
            status = self._chain.call("claimOf", claim)["status"]
            if status == _DEAD:
                text = f"our claim on batch {batch}, 0x{claim.hex()}, is dead"
                raise DivergedError(
                    text, "the judge ruled for another root: replay with a second machine"
                )
            if status not in (_OPEN, _FINAL):
                receipt = self._chain.transact(
                    self._sender, "claim", parent, batch, header_hash, meta.state_root
                )
                children = receipt.events(STATE_CHAIN, "Claimed")[0]["children"]
                if children > 1:
                    _log.error("dispute batch=%d children=%d", batch, children)
                _log.info("claimed batch=%d root=0x%s", batch, meta.state_root.hex())
                done.append(Claimed(claim, batch, meta.state_root, children, receipt))
            parent = claim
        return done

    def _final_claim(self) -> tuple[bytes, int]:
        """Newest final claim and its batch, compared with ours."""
        claim = self._chain.call("latestFinal")
        found = self._chain.call("claimOf", claim)
        batch = int(found["batch"])
        ours = self._folder.meta(batch) if batch else None
        if ours and ours.state_root != found["stateRoot"]:
            raise DivergedError(
                f"batch {batch} is final with root 0x{found['stateRoot'].hex()},"
                f" ours is 0x{ours.state_root.hex()}",
                "L1 pays by its root: stop the sequencer and replay with a second machine",
            )
        return claim, batch

    def finalize(self, limit: int | None = None) -> list[Finalized]:
        """Make final what can be: claims whose window has passed and that stand alone or won.

        A claim with another root than ours is never helped along.

        Raises
        ------
        DivergedError
            the claim that is due has another root than ours
        """
        done: list[Finalized] = []
        while limit is None or len(done) < limit:
            parent, _ = self._final_claim()
            fork = self._chain.call("forkOf", parent)
            claim = fork["winner"] if any(fork["winner"]) else fork["firstChild"]
            if not fork["children"] or (fork["children"] > 1 and not any(fork["winner"])):
                break
            found = self._chain.call("claimOf", claim)
            batch = int(found["batch"])
            ours = self._folder.meta(batch)
            if ours is None:  # a folder that is behind, or the closing batch: not known here
                break
            if ours.state_root != found["stateRoot"]:
                raise DivergedError(
                    f"the claim on batch {batch} has root 0x{found['stateRoot'].hex()},"
                    f" ours is 0x{ours.state_root.hex()}",
                    "claim ours beside it while its window runs: ape run post claim",
                )
            try:
                receipt = self._chain.transact(self._sender, "finalize", claim)
            except RevertedError as error:
                if error.name == "WindowRunning":
                    break
                raise
            _log.info("finalized batch=%d claim=0x%s", batch, claim.hex())
            done.append(Finalized(claim, batch, receipt))
        return done

    # --- status ----------------------------------------------------------------------------------

    def status(self) -> PosterStatus:
        """Return how far L1 is. DivergedError as of `claim`."""
        committed = self.check()
        stride = int(self._chain.call("claimStride"))
        parent, final = self._final_claim()
        claimed = final
        while meta := self._folder.meta(claimed + stride):
            parent = claim_id(parent, claimed + stride, meta.header.hash(), meta.state_root)
            if self._chain.call("claimOf", parent)["status"] not in (_OPEN, _FINAL):
                break
            claimed += stride
        return PosterStatus(
            self._folder.last(), committed, claimed, final, bool(self._chain.call("isFrozen"))
        )
