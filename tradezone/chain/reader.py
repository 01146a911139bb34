"""The reader: all that a verifier needs to know of a zone, from a node and one address.

Nothing here trusts the node more than its chain: headers chain by their hashes up to the one that the
contract stored, messages up to the prefix hash that it stored, claims are counted against what it knows.
What the node's logs leave out is therefore noticed; a node that also lies about the contract's state is not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tradezone.protocol.batches import GENESIS_PARENT, Header
from tradezone.protocol.messages import next_prefix

from ._codec import to_bytes
from .abi import CLAIM_STATUS, INBOX, STATE_CHAIN
from .errors import ChainError, IncompleteLogsError
from .watcher import to_message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .rpc import Rpc


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim as the contract knows it. ``status`` is open, final or dead."""

    id: bytes
    parent: bytes
    batch: int
    state_root: bytes
    asserter: str
    status: str


@dataclass(frozen=True, slots=True)
class HeadersUpTo:
    """The committed headers up to a batch, as `tradezone.verifier.verify` takes them."""

    reader: ChainReader
    newest: int

    def headers(self, first: int = 1, last: int | None = None) -> Iterator[Header]:
        """Yield headers ``first`` to ``last``, to the newest of these if absent."""
        return self.reader.headers(first, self.newest if last is None else min(last, self.newest))


class ChainReader:
    """Reads one zone.

    Parameters
    ----------
    rpc : Rpc
        the node
    chain : str
        address of the StateChain contract; everything else follows from it

    Attributes
    ----------
    inbox_address : str
        the Inbox
    first_block : int
        L1 block at or before which the zone's history begins
    """

    def __init__(self, rpc: Rpc, chain: str | bytes) -> None:
        self.rpc = rpc
        self.chain = rpc.at(STATE_CHAIN, chain)
        self.inbox_address: str = self.chain.call("inbox")
        self.inbox = rpc.at(INBOX, self.inbox_address)
        self.genesis_claim: bytes = self.chain.call("genesisClaim")
        self.first_block = self._find_first_block()
        self._batch_logs: dict[int, dict[str, Any]] = {}  # log of each BatchCommitted by number

    def _find_first_block(self) -> int:
        made: int = self.chain.call("claimOf", self.genesis_claim)["blockNumber"]
        if self.inbox.call("count"):
            made = min(made, self.inbox.call("blockOf", 0))
        return made

    def up_to(self, batch: int) -> HeadersUpTo:
        """Return a source of headers that ends with a batch: replaying it ends in that batch's state."""
        return HeadersUpTo(self, batch)

    # --- the zone ----------------------------------------------------------------------------------

    def separator(self) -> bytes:
        """Return the EIP-712 domain separator that envelopes are signed for."""
        separator: bytes = self.chain.call("domainSeparator")
        return separator

    def genesis_root(self) -> bytes:
        """Return the state root before the first batch."""
        root: bytes = self.chain.call("rootOf", self.genesis_claim)
        return root

    def closing_batch(self) -> int:
        """Return the number of the batch that L1 wrote when the zone was frozen, 0 if it was not."""
        number: int = self.chain.call("closingBatch")
        return number

    def batches(self) -> int:
        """Return how many batches are committed, the closing one included."""
        number: int = self.chain.call("tip")["number"]
        return number

    # --- headers -----------------------------------------------------------------------------------

    def headers(self, first: int = 1, last: int | None = None) -> Iterator[Header]:
        """Yield the committed headers ``first`` to ``last``, the newest if absent.

        Raises
        ------
        IncompleteLogsError
            If one is missing, or they do not chain up to what the contract stored.
        """
        last = self.batches() if last is None else last
        if last < first:
            return
        parent = GENESIS_PARENT if first == 1 else self.header_hash(first - 1)
        number = first
        for header in self._committed():
            if header.number < number:
                continue
            if header.number != number or header.parent != parent:
                break
            parent = header.hash()
            yield header
            if number == last:
                stored = self.header_hash(last)
                if stored != parent:
                    text = f"header {last} hashes to 0x{parent.hex()}, L1 holds 0x{stored.hex()}"
                    raise IncompleteLogsError(text)
                return
            number += 1
        raise IncompleteLogsError(
            f"{self.rpc} has no log of batch {number}, {last} are committed",
            "the node's logs are incomplete: try another one",
        )

    def header(self, number: int) -> Header:
        """Return one committed header. ChainError if there is no such batch."""
        count = self.batches()
        if not 1 <= number <= count:
            raise ChainError(f"batch {number} is not committed, there are {count}")
        return next(iter(self.headers(number, number)))

    def header_hash(self, number: int) -> bytes:
        """Return the hash that the contract stored."""
        stored: bytes = self.chain.call("headerHashOf", number)
        return stored

    def _committed(self) -> Iterator[Header]:
        event = STATE_CHAIN.events["BatchCommitted"]
        for _, logs in self.chain.log_pages("BatchCommitted", self.first_block, self._head()):
            for log in logs:
                values = event.decode(log)
                header = Header(*values["header"].values())
                if header.hash() != values["headerHash"]:
                    raise IncompleteLogsError(
                        f"the log of batch {header.number} contradicts itself"
                    )
                self._batch_logs[header.number] = log
                yield header

    def leaves(self, number: int) -> bytes | None:
        """Return the data that was committed with a batch, None if it was committed without.

        It is the batch file, byte for byte; that it holds the leaves of the inputs root is for the
        caller to check.
        """
        if number not in self._batch_logs:
            for _ in self._committed():  # all of them: who asks for one asks for more
                pass
        if number not in self._batch_logs:
            raise ChainError(f"batch {number} is not committed, there are {self.batches()}")
        transaction = self._batch_logs[number]["transactionHash"]
        sent = self.rpc.request("eth_getTransactionByHash", transaction)
        if sent is None:
            raise IncompleteLogsError(f"{self.rpc} does not have transaction {transaction}")
        data = to_bytes(sent["input"])
        function = STATE_CHAIN.functions["commitWithData"]
        if data[:4] != function.selector:
            return None
        leaves: bytes = function.decode_input(data)[1]
        return leaves

    # --- messages ----------------------------------------------------------------------------------

    def message_count(self) -> int:
        """Return how many messages the inbox holds."""
        count: int = self.inbox.call("count")
        return count

    def messages(self, first: int = 0, end: int | None = None) -> list[bytes]:
        """Return the inbox messages ``first`` up to but not including ``end``, all if absent.

        Raises
        ------
        IncompleteLogsError
            If one is missing, or they do not hash to the prefix that the contract stored.
        """
        end = self.message_count() if end is None else end
        if end <= first:
            return []
        start, stop = self.inbox.call("blockOf", first), self.inbox.call("blockOf", end - 1)
        found: list[bytes] = []
        for _, logs in self.inbox.log_pages("Message", start, stop):
            for log in logs:
                message = to_message(log)
                if message.index == first + len(found) and message.index < end:
                    found.append(message.to_bytes())
        prefix: bytes = self.inbox.call("prefixHash", first)
        for raw in found:
            prefix = next_prefix(prefix, raw)
        stored = self.inbox.call("prefixHash", end)
        if len(found) != end - first or prefix != stored:
            raise IncompleteLogsError(
                f"{self.rpc} returned {len(found)} messages from {first} on, hashing to"
                f" 0x{prefix.hex()}; expected {end - first} and 0x{stored.hex()}",
                "the node's logs are incomplete: try another one",
            )
        return found

    # --- claims ------------------------------------------------------------------------------------

    def claims(self) -> list[Claim]:
        """Return every claim, oldest first: that of the genesis, and all that were ever made.

        Rivals and dead ones are among them.

        Raises
        ------
        IncompleteLogsError
            The contract knows of more than the node's logs tell.
        """
        head = self._head()
        genesis = self.claim(self.genesis_claim)
        found = {genesis.id: genesis}
        for event in self.chain.events("Claimed", self.first_block, head):
            found[event["claim"]] = Claim(
                event["claim"],
                event["parent"],
                event["batch"],
                event["stateRoot"],
                event["asserter"],
                "open",
            )
        for name, status in (("Finalized", "final"), ("Dismissed", "dead")):
            for event in self.chain.events(name, self.first_block, head):
                claim = found.get(event["claim"])
                if claim is None:
                    raise IncompleteLogsError(f"{self.rpc} has no log of 0x{event['claim'].hex()}")
                found[claim.id] = replace(claim, status=status)
        claims = list(found.values())
        self._check_claims(claims)
        return claims

    def _check_claims(self, claims: list[Claim]) -> None:
        """Compare with what the contract says of itself: final claims by their number, others by their parents."""
        latest = self.latest_final()
        finals = [claim for claim in claims if claim.status == "final"]
        # one a stride, and one for the rest of a stride that the closing batch ended
        expected = 1 + -(-latest.batch // int(self.chain.call("claimStride")))
        if len(finals) < expected:
            text = f"{self.rpc} told of {len(finals)} final claims, there are {expected}"
            raise IncompleteLogsError(text, "its logs are incomplete: try another node")
        parents = [claim for claim in claims if claim.status == "open" or claim.id == latest.id]
        for parent in parents:
            children = sum(claim.parent == parent.id for claim in claims)
            there = self.chain.call("forkOf", parent.id)["children"]
            if children < there:
                text = (
                    f"claim 0x{parent.id.hex()} has {there} children, {self.rpc} told of {children}"
                )
                raise IncompleteLogsError(text, "its logs are incomplete: try another node")

    def claim(self, claim: bytes) -> Claim:
        """Return a claim. ChainError if the contract does not know it."""
        found = self.chain.call("claimOf", claim)
        if not found["status"]:
            raise ChainError(f"no claim 0x{claim.hex()} was made")
        return Claim(
            claim,
            found["parent"],
            found["batch"],
            found["stateRoot"],
            found["asserter"],
            CLAIM_STATUS[found["status"]],
        )

    def latest_final(self) -> Claim:
        """Return the newest final claim; at first that is the genesis claim, of batch 0."""
        return self.claim(self.chain.call("latestFinal"))

    def _head(self) -> int:
        return self.rpc.head().number
