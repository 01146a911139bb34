"""The end of a zone, for whoever wants to leave it: what anyone can do next, and what an owner is still owed.

Invariant: nothing here asks the operator. The state is computed from what L1 committed and from published
files, whoever serves them; L1 decides what was paid. Every action begins by looking at L1, so doing it again
after a crash does nothing twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradezone.protocol.actions import unpack
from tradezone.protocol.batches import NO_INPUTS_ROOT, claim_id
from tradezone.protocol.enums import ACTIVE, ASSET_SIMULATED
from tradezone.protocol.messages import DEPOSIT, DEPOSIT_BODY, HEARTBEAT, Message

from ._codec import to_checksum
from .abi import (
    ASSET_REGISTRY,
    CHAIN_MODE,
    CLAIM_STATUS,
    CUSTODY_VAULT,
    ESCAPE,
    LISTINGS,
    OUTCOME_RESOLVER,
    OWNER_REGISTRY,
    WITHDRAWALS,
)
from .errors import ChainError, RevertedError
from .withdrawals import FinalState, replay_to

if TYPE_CHECKING:
    from tradezone.engine import Engine
    from tradezone.verifier import Report

    from .reader import ChainReader, Claim
    from .rpc import Deployed, Receipt, Sender

_log = logging.getLogger("tradezone.chain.exit")

LIVE, FROZEN, ESCAPING = CHAIN_MODE
PAYMENTS: Final = 20  # in one transaction
_FINAL = CLAIM_STATUS.index("final")
_NONE, _DEAD = CLAIM_STATUS.index("none"), CLAIM_STATUS.index("dead")
_PAYOUT_UNIT: Final = 10_000
_RESULTS: Final = (5, 6)  # phases of an event that has a result: resolved, void
_NO_HEADER: Final = (0, 0, bytes(32), NO_INPUTS_ROOT, 0, 0, 0, bytes(32), 0, 0, 0, 0)
BALANCE, HOLDING, WITHDRAWAL, REFUND = "balance", "holding", "withdrawal", "deposit"
OPEN, PAID, WAITING = "open", "paid", "waits for a result"


# --- what can be done --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of L1 that has come when both its clocks have: seconds and block."""

    time: int
    block: int

    def is_past(self, time: int, block: int) -> bool:
        """Whether it has come."""
        return time >= self.time and block >= self.block


@dataclass(frozen=True, slots=True)
class Step:
    """A call on the state chain that anyone may make from a moment on, and why."""

    function: str
    arguments: tuple[Any, ...]
    reason: str
    since: Deadline
    is_due: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "function": self.function,
            "arguments": [f"0x{a.hex()}" if isinstance(a, bytes) else a for a in self.arguments],
            "reason": self.reason,
            "since": {"time": self.since.time, "block": self.since.block},
            "is_due": self.is_due,
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a zone stands on its way to the end. ``time`` is L1 seconds, ``block`` an L1 block."""

    mode: str
    time: int
    block: int
    batches: int
    final_batch: int
    closing_batch: int
    is_abandoned: bool
    steps: tuple[Step, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "steps"}
        return plain | {"steps": [step.to_json() for step in self.steps]}


# --- what is owed ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Owed:
    """Something that L1 owes an owner, or paid already.

    ``kind`` is balance, holding, withdrawal or deposit; ``id`` the slot of the record, or the index of the
    message; ``amount`` atoms, for a holding without a result 0. ``state`` is open, paid, or waits for a
    result.
    """

    kind: str
    id: int
    owner: str
    asset: int
    amount: int
    state: str

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction that pays some of what is owed."""

    to: str
    data: bytes
    pays: tuple[Owed, ...]
    contract: Deployed = field(repr=False)
    function: str
    arguments: tuple[Any, ...] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return it as a transaction that any wallet can send."""
        return {
            "to": self.to,
            "data": "0x" + self.data.hex(),
            "value": "0x0",
            "pays": [item.to_json() for item in self.pays],
        }


# --- the zone ----------------------------------------------------------------------------------------


class ZoneEnd:
    """A zone on its way to the end.

    Parameters
    ----------
    reader : ChainReader
        the zone; all its contracts follow from its state chain
    data : Path, optional
        published batch files; where absent, what was committed along with the batches on L1
    """

    def __init__(self, reader: ChainReader, data: Path | None = None) -> None:
        self.reader = reader
        self.data = data
        self.rpc = reader.rpc
        self.chain = reader.chain
        self.inbox = reader.inbox
        self.vault = self.rpc.at(CUSTODY_VAULT, self._find_vault())
        self.withdrawals = self.rpc.at(WITHDRAWALS, self.vault.call("withdrawals"))
        self.escape = self.rpc.at(ESCAPE, self.vault.call("escape"))
        self.owners = self.rpc.at(OWNER_REGISTRY, self.escape.call("owners"))
        self.assets = self.rpc.at(ASSET_REGISTRY, self.escape.call("assets"))
        self.listings = self.rpc.at(LISTINGS, self.escape.call("listings"))
        if self.escape.call("chain") != self.chain.address:
            raise ChainError(
                f"the vault's escape belongs to the chain {self.escape.call('chain')}",
                "the inbox admits a vault of another zone: do not use this zone",
            )

    def _find_vault(self) -> str:
        """Return the one source of the inbox that may enqueue deposits."""
        sources = self.inbox.call("sources")
        found = [s for s in sources if self.inbox.call("kindsOf", s) >> DEPOSIT & 1]
        if len(found) != 1:
            raise ChainError(
                f"the inbox takes deposits from {len(found)} contracts, expected one",
                "this is no zone: check the address",
            )
        vault: str = found[0]
        return vault

    # --- where it stands -------------------------------------------------------------------------

    def standing(self) -> Standing:
        """Return the mode, and what anyone can do next and from when on."""
        head = self.rpc.block("latest")
        if head is None:
            raise ChainError(f"{self.rpc} knows no block")
        mode = CHAIN_MODE[self.chain.call("mode")]
        steps = self._steps(mode, head.time, head.number)
        return Standing(
            mode,
            head.time,
            head.number,
            self.reader.batches(),
            self.reader.latest_final().batch,
            self.chain.call("closingBatch"),
            bool(self.chain.call("isAbandoned")),
            tuple(steps),
        )

    def _steps(self, mode: str, time: int, block: int) -> Iterator[Step]:
        found: list[tuple[str, tuple[Any, ...], str, Deadline]] = []
        if mode == LIVE:
            found += self._silence()
            found += self._stall()
        if mode == FROZEN:
            (frozen, frozen_block), closing = (
                self.chain.call("frozenAt"),
                self.chain.call("closing"),
            )
            reason = "the closing batch has no final claim"
            found.append(("abandon", (), reason, _after(frozen, frozen_block, closing)))
        if mode != ESCAPING:
            found += self._judge()
        for function, arguments, reason, since in found:
            yield Step(function, arguments, reason, since, since.is_past(time, block))

    def _silence(self) -> Iterator[tuple[str, tuple[Any, ...], str, Deadline]]:
        index = self.chain.call("tip")["inboxIndex"]
        if index >= self.inbox.call("count"):
            return
        time, block = self.inbox.call("timeOf", index), self.inbox.call("blockOf", index)
        since = _after(time, block, self.chain.call("silence"))
        yield "freezeSilent", (), f"message {index} of the inbox waits", since

    def _stall(self) -> Iterator[tuple[str, tuple[Any, ...], str, Deadline]]:
        batch = self.reader.latest_final().batch + 1
        if batch > self.reader.batches():
            return
        index, time, block = self.find_heartbeat(batch)
        final_time, final_block = self.chain.call("finalAt")
        time, block = max(time, final_time), max(block, final_block)
        since = _after(time, block, self.chain.call("stall"))
        yield "freezeStalled", (index,), f"batch {batch} has no final claim", since

    def find_heartbeat(self, batch: int) -> tuple[int, int, int]:
        """Return index, time and block of the message with which a batch was committed."""
        for raw in self.reader.messages():
            message = Message.from_bytes(raw)
            if message.kind == HEARTBEAT and int.from_bytes(message.payload, "big") == batch:
                return message.index, message.time, message.block
        raise ChainError(f"the inbox has no heartbeat of batch {batch}")

    def _judge(self) -> Iterator[tuple[str, tuple[Any, ...], str, Deadline]]:
        final = self.chain.call("latestFinal")
        fork = self.chain.call("forkOf", final)
        if fork["children"] < 2 or any(fork["winner"]):
            return
        time, block = self.chain.call("finalAt")
        time, block = max(time, fork["rivalTime"]), max(block, fork["rivalBlock"])
        span = self.chain.call("judgeSeconds"), self.chain.call("judgeBlocks")
        reason = f"{fork['children']} rival claims wait for a ruling"
        yield "freeze", (final,), reason, _after(time, block, span)

    # --- towards the end -------------------------------------------------------------------------

    def advance(
        self, sender: Sender, *, progress: Callable[[Report], None] | None = None
    ) -> list[tuple[str, Receipt]]:
        """Do everything that brings the zone nearer to its end and can be done now.

        Freezes it if a deadline has passed; makes the claims that are missing up to the closing batch,
        posting the sender's bond if it has none; makes claims final whose windows have passed, if their
        roots are those that the inputs lead to; abandons what is overdue.

        Parameters
        ----------
        sender : Sender
            pays gas, and the bond if claims have to be made
        progress : callable, optional
            is handed the replay's report after every batch

        Returns
        -------
        list
            function and receipt of each transaction, in order; empty if nothing can be done now

        Raises
        ------
        ChainError
            inputs are missing or wrong, so that no claim can be made, and nothing else could be done
        """
        done = list(self._take_steps(sender, ("freezeSilent", "freezeStalled", "freeze")))
        if CHAIN_MODE[self.chain.call("mode")] == FROZEN:
            missing = self._close(sender, done, progress)
            done += self._take_steps(sender, ("abandon",))
            if missing and not done:
                raise missing
        return done

    def _close(
        self,
        sender: Sender,
        done: list[tuple[str, Receipt]],
        progress: Callable[[Report], None] | None,
    ) -> ChainError | None:
        """Claim and finalize up to the closing batch; return what stands in the way."""
        if not self._is_final_due():
            return None
        try:
            roots = self._fetch_roots(progress)
        except (
            ChainError
        ) as error:  # without inputs nothing can be claimed, but all can be abandoned
            return error
        done += self._claim(sender, roots)
        done += self._finalize(sender, roots)
        return None

    def _take_steps(
        self, sender: Sender, functions: Sequence[str]
    ) -> Iterator[tuple[str, Receipt]]:
        for step in self.standing().steps:
            if step.is_due and step.function in functions:
                receipt = self.chain.transact(sender, step.function, *step.arguments)
                _log.info("%s: %s", step.function, step.reason)
                yield step.function, receipt
                return  # what was due before it may not be any more

    def _is_final_due(self) -> bool:
        """Whether something is left to be claimed or made final."""
        return self.reader.latest_final().batch < int(self.chain.call("closingBatch"))

    def _claimed_batches(self) -> list[int]:
        """Batches behind the last final claim at which claims are due, up to the closing batch."""
        stride, closing = int(self.chain.call("claimStride")), int(self.chain.call("closingBatch"))
        first = self.reader.latest_final().batch + stride
        return [*range(first, closing, stride), closing]

    def _fetch_roots(self, progress: Callable[[Report], None] | None) -> dict[int, bytes]:
        """Replay everything, and return the state root of each batch at which a claim is due."""
        wanted = set(self._claimed_batches())
        final = self.reader.latest_final()
        roots: dict[int, bytes] = {}

        def note(report: Report) -> None:
            if report.last_batch in wanted or report.last_batch == final.batch:
                roots[report.last_batch] = bytes.fromhex(report.root[2:])
            if progress:
                progress(report)

        replay_to(self.reader, self.data, max(wanted), note)
        if final.batch and roots[final.batch] != final.state_root:
            raise ChainError(
                f"batch {final.batch} is final with root 0x{final.state_root.hex()},"
                f" its inputs lead to 0x{roots[final.batch].hex()}",
                "L1 pays by its root: no claim on later batches can be made",
            )
        return roots

    def _line(self, roots: dict[int, bytes]) -> Iterator[tuple[bytes, int, bytes, bytes, bytes]]:
        """Parent, batch, header hash, root and id of each claim that is due, in order."""
        parent = self.reader.latest_final().id
        for batch in self._claimed_batches():
            header_hash = self.reader.header_hash(batch)
            claim = claim_id(parent, batch, header_hash, roots[batch])
            yield parent, batch, header_hash, roots[batch], claim
            parent = claim

    def _claim(self, sender: Sender, roots: dict[int, bytes]) -> Iterator[tuple[str, Receipt]]:
        for parent, batch, header_hash, root, claim in self._line(roots):
            status = int(self.chain.call("claimOf", claim)["status"])
            if status == _DEAD:
                raise ChainError(
                    f"the right claim on batch {batch}, 0x{claim.hex()}, lost a ruling",
                    "the judge was wrong: nothing but its own rules can help",
                )
            if status != _NONE:
                continue
            if not self.chain.call("asserterOf", sender.address)["isBonded"]:
                bond = self.chain.call("bond")
                yield "postBond", self.chain.transact(sender, "postBond", value=bond)
            receipt = self.chain.transact(sender, "claim", parent, batch, header_hash, root)
            _log.info("claimed batch=%d root=0x%s", batch, root.hex())
            yield "claim", receipt

    def _finalize(self, sender: Sender, roots: dict[int, bytes]) -> Iterator[tuple[str, Receipt]]:
        for _, batch, _, _, claim in list(self._line(roots)):
            try:
                yield "finalize", self.chain.transact(sender, "finalize", claim)
            except RevertedError as error:
                if error.name in ("WindowRunning", "Contested"):
                    return
                raise
            _log.info("finalized batch=%d claim=0x%s", batch, claim.hex())

    # --- leaving ---------------------------------------------------------------------------------

    def last_state(self, *, progress: Callable[[Report], None] | None = None) -> LastState:
        """Compute the state that everybody leaves against.

        Raises
        ------
        ChainError
            escape is not open, or inputs are missing or wrong
        DivergedError
            the root that L1 pays by is not the one that the inputs lead to
        """
        mode = CHAIN_MODE[self.chain.call("mode")]
        if mode != ESCAPING:
            raise ChainError(
                f"the zone is {mode}: nobody leaves by the last state yet",
                "see what can be done, and when: tradezone exit status",
            )
        claim = self.reader.latest_final()
        return LastState(self, FinalState.replay(self.reader, self.data, claim, progress=progress))


def _after(time: int, block: int, span: Sequence[int]) -> Deadline:
    return Deadline(time + span[0], block + span[1])


class LastState:
    """The state that a zone ended in, what it owes to whom, and the calls that pay it."""

    def __init__(self, end: ZoneEnd, state: FinalState) -> None:
        self.end = end
        self.state = state
        self._accounts: dict[int, str] = {}
        self._terms: dict[int, tuple[int, int, int | None]] = {}
        self._kinds: dict[int, int] = {}

    @property
    def claim(self) -> Claim:
        """The claim whose root everybody leaves against."""
        return self.state.claim

    @property
    def engine(self) -> Engine:
        """The engine, standing there."""
        return self.state.engine

    # --- what is owed ----------------------------------------------------------------------------

    def owed(self, owner: str | None = None) -> list[Owed]:
        """Return what the state and the inbox owe, to one owner or to all; what was paid too.

        Simulated assets are not among it: no vault holds them.
        """
        number = None
        if owner is not None:
            number = int(self.end.owners.call("idOf", owner))
        found = [
            *self._withdrawals(owner),
            *(self._balances(number) if number != 0 else ()),
            *(self._holdings(number) if number != 0 else ()),
            *self._deposits(owner),
        ]
        return [item for item in found if not self._is_simulated(item.asset)]

    def _is_simulated(self, asset: int) -> bool:
        if asset not in self._kinds:
            self._kinds[asset] = self.end.assets.call("assetOf", asset)["kind"]
        return self._kinds[asset] == ASSET_SIMULATED

    def _account(self, owner: int) -> str:
        if owner not in self._accounts:
            self._accounts[owner] = self.end.owners.call("ownerOf", owner)
        return self._accounts[owner]

    def _used(self, table: str, owner: int | None) -> Iterable[int]:
        end = int(self.engine.tables["head"][_number(table)]["high_water"])
        rows = self.engine.tables[table][:end]
        is_wanted = rows["state"] == ACTIVE
        if owner is not None:
            is_wanted &= rows["owner"] == owner
        return [int(slot) for slot in is_wanted.nonzero()[0]]

    def _balances(self, owner: int | None) -> Iterator[Owed]:
        rows = self.engine.tables[BALANCE]
        for slot in self._used(BALANCE, owner):
            amount = int(rows[slot]["free"]) + int(rows[slot]["locked"])
            if amount:
                state = self._state(BALANCE, slot)
                account = self._account(int(rows[slot]["owner"]))
                yield Owed(BALANCE, slot, account, int(rows[slot]["asset"]), amount, state)

    def _holdings(self, owner: int | None) -> Iterator[Owed]:
        rows = self.engine.tables[HOLDING]
        for slot in self._used(HOLDING, owner):
            row = rows[slot]
            yes, no = int(row["yes"]), int(row["no"])
            asset, unit, vector = self._fetch_terms(int(row["group"]))
            account = self._account(int(row["owner"]))
            if vector is None:
                if yes or no:
                    yield Owed(HOLDING, slot, account, asset, 0, WAITING)
                continue
            fraction = vector >> (240 - 16 * int(row["outcome"])) & 0xFFFF
            value = unit // _PAYOUT_UNIT * fraction
            amount = yes * value + no * (unit - value)
            if amount:
                yield Owed(HOLDING, slot, account, asset, amount, self._state(HOLDING, slot))

    def _fetch_terms(self, event: int) -> tuple[int, int, int | None]:
        """Asset, unit and, once there is a result, vector of an event."""
        if event not in self._terms:
            terms = self.end.listings.call("eventOf", event)
            resolver = self.end.rpc.at(OUTCOME_RESOLVER, self.end.listings.call("resolver"))
            phase, vector = resolver.call("resultOf", event)
            known = vector if phase in _RESULTS else None
            self._terms[event] = (terms["asset"], terms["unit"], known)
        return self._terms[event]

    def _withdrawals(self, owner: str | None) -> Iterator[Owed]:
        for item in self.state.withdrawals():
            if owner is None or item.recipient == owner:
                state = PAID if self.end.withdrawals.call("isPaid", item.id) else OPEN
                yield Owed(WITHDRAWAL, item.id, item.recipient, item.asset, item.amount, state)

    def _deposits(self, owner: str | None) -> Iterator[Owed]:
        """Deposits of the inbox that the state does not know."""
        first = int(self.engine.machine["inbox"])
        for raw in self.end.reader.messages(first):
            message = Message.from_bytes(raw)
            if message.kind != DEPOSIT:
                continue
            body: dict[str, Any] = unpack(DEPOSIT_BODY, message.payload)
            account = to_checksum(body["address"])
            if owner is None or account == owner:
                is_back = self.end.escape.call("isRefunded", message.index)
                state = PAID if is_back else OPEN
                yield Owed(REFUND, message.index, account, body["asset"], body["amount"], state)

    def _state(self, table: str, slot: int) -> str:
        return PAID if self.end.escape.call("isPaid", _number(table), slot) else OPEN

    # --- paying it -------------------------------------------------------------------------------

    def calls(self, items: Iterable[Owed]) -> Iterator[Call]:
        """Yield the transactions that pay what is open among ``items``, `PAYMENTS` in one."""
        wanted = [item for item in items if item.state == OPEN]
        exits = [item for item in wanted if item.kind in (BALANCE, HOLDING)]
        withdrawals = [item for item in wanted if item.kind == WITHDRAWAL]
        refunds = [item for item in wanted if item.kind == REFUND]
        claim = self.claim.id
        for part in _parts(withdrawals):
            proofs = [self.state.prove(item.id).argument for item in part]
            yield _call(self.end.withdrawals, "withdrawMany", (claim, proofs), part)
        for part in _parts(exits):
            yield _call(self.end.escape, "exitMany", ([self.prove(item) for item in part],), part)
        if refunds:
            header = self._header()
            for part in _parts(refunds):
                messages = [self._message(item.id) for item in part]
                yield _call(self.end.escape, "refundMany", (header, messages), part)

    def prove(self, item: Owed) -> dict[str, Any]:
        """Return the ``Exit`` struct of a balance or holding."""
        words, siblings = self.state.prove_record(item.kind, item.id)
        return {"table": _number(item.kind), "slot": item.id, "words": words, "siblings": siblings}

    def _header(self) -> tuple[Any, ...]:
        if not self.claim.batch:
            return _NO_HEADER
        header = self.end.reader.header(self.claim.batch)
        return tuple(getattr(header, name) for name in header.__slots__)

    def _message(self, index: int) -> dict[str, Any]:
        message = Message.from_bytes(self.end.reader.messages(index, index + 1)[0])
        return {
            "index": index,
            "time": message.time,
            "blockNumber": message.block,
            "payload": message.payload,
        }

    def pay(self, sender: Sender, items: Iterable[Owed]) -> Iterator[tuple[Call, Receipt]]:
        """Send the calls that pay what is open among ``items``; each owner is paid, whoever sends."""
        for call in self.calls(items):
            yield call, call.contract.transact(sender, call.function, *call.arguments)


def _number(table: str) -> int:
    from tradezone.protocol.records import TABLE_BY_NAME  # noqa: PLC0415 - brings NumPy

    return TABLE_BY_NAME[table].number


def _parts(items: Sequence[Owed]) -> Iterator[tuple[Owed, ...]]:
    for at in range(0, len(items), PAYMENTS):
        yield tuple(items[at : at + PAYMENTS])


def _call(
    contract: Deployed, function: str, arguments: tuple[Any, ...], pays: tuple[Owed, ...]
) -> Call:
    data = contract.contract.functions[function].encode(*arguments)
    return Call(contract.address, data, pays, contract, function, arguments)
