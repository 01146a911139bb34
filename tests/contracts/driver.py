"""Drive a deployed zone in tests: batches, claims, messages, records, time.

Nothing is remembered here that the chain knows, so a driver stays right when the chain is rolled back
between tests.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import astuple, replace

import ape
from eth_abi import encode
from hypothesis import settings

from tests.vectors import make_tree as slow
from tradezone.protocol import batches, messages
from tradezone.protocol.actions import pack, unpack
from tradezone.protocol.batches import Header
from tradezone.protocol.enums import OUTBOX_WITHDRAWAL
from tradezone.protocol.records import OUTBOX

NO_CLAIM = bytes(32)
NONE, OPEN, FINAL, DEAD = range(4)
DAY = 86_400
GWEI = 10**9
OKB = 10**18
BLOCKS_AT_ONCE = 250


@contextmanager
def reverts(error, **values):
    """Expect a custom error with exactly these values."""
    with ape.reverts(error, **values):
        yield


def tries(count: int) -> int:
    """Examples of a property: ``count`` in a test run, as many as asked for in `make fuzz`."""
    is_fuzzing = settings.get_current_profile_name() == "fuzz"
    return settings().max_examples if is_fuzzing else count


def root_named(name: str) -> bytes:
    """A state root that stands for some state."""
    return slow.keccak(name.encode())


@contextmanager
def isolated(chain):
    """Undo on the way out whatever happens to the chain inside.

    Not `chain.isolate()`: that one swallows every exception, failed assertions included.
    """
    snapshot = chain.snapshot()
    try:
        yield
    finally:
        chain.restore(snapshot)


def attempt(contract, call: bytes, sender, **options) -> tuple[bool, bytes]:
    """Try a call without sending it: whether it succeeds, and what it returns or reverts with."""
    request = {"from": sender.address, "to": contract.address, "data": "0x" + bytes(call).hex()}
    request |= {name: hex(value) for name, value in options.items()}
    answer = contract.provider.web3.provider.make_request("eth_call", [request, "latest"])
    if "error" in answer:
        return False, bytes.fromhex(answer["error"].get("data", "0x")[2:])
    return True, bytes.fromhex(answer["result"][2:])


def error_of(contract, call: bytes, sender) -> bytes | None:
    """Revert data of a call that is only tried, None if it succeeds. Far faster than `reverts`."""
    is_done, data = attempt(contract, call, sender)
    return None if is_done else data


def constructor_error(deployer, container, *arguments) -> bytes | None:
    """Revert data of a deployment that is only tried, None if it succeeds.

    Ape cannot name the error of a constructor: there is no contract yet whose errors it would know, so
    `reverts` takes any of them, or stumbles over what it remembers of the address.
    """
    transaction = container.constructor.serialize_transaction(*arguments, sender=deployer)
    request = {"from": deployer.address, "data": "0x" + bytes(transaction.data).hex()}
    answer = deployer.provider.web3.provider.make_request("eth_call", [request, "latest"])
    return bytes.fromhex(answer["error"]["data"][2:]) if "error" in answer else None


def error_data(signature: str, *values) -> bytes:
    """Revert data of a custom error: ``error_data("BadConfig(string)", "bond")``."""
    kinds = signature[signature.index("(") + 1 : -1]
    data = encode(kinds.split(","), values) if kinds else b""
    return slow.keccak(signature.encode())[:4] + data


class Clock:
    """Time and blocks of the test chain, moved apart or together."""

    def __init__(self, chain):
        self._chain = chain

    @property
    def time(self) -> int:
        return self._chain.blocks.head.timestamp

    @property
    def block(self) -> int:
        return self._chain.blocks.head.number

    def code_of(self, contract) -> bytes:
        return bytes(self._chain.provider.get_code(contract.address))

    def _request(self, method, *arguments):
        return self._chain.provider.make_request(method, list(arguments))

    def pass_time(self, seconds: int):
        """One block, this much later."""
        self._request("evm_setNextBlockTimestamp", self.time + seconds)
        self._request("anvil_mine", "0x1")

    def pass_blocks(self, blocks: int):
        """So many blocks, one second apart."""
        # In parts: a request for thousands takes longer on a busy machine than Ape waits for one.
        for start in range(0, blocks, BLOCKS_AT_ONCE):
            self._request("anvil_mine", hex(min(BLOCKS_AT_ONCE, blocks - start)), "0x1")

    def pass_both(self, seconds: int, blocks: int):
        self.pass_time(seconds)
        self.pass_blocks(blocks)

    def set_next(self, timestamp: int):
        """The next block's time."""
        self._request("evm_setNextBlockTimestamp", timestamp)

    def force_coin(self, account, amount: int):
        """Give coin to an account that nobody asked, as a block reward or a dying contract would."""
        address = getattr(account, "address", account)
        balance = self._chain.provider.get_balance(address)
        self._request("anvil_setBalance", address, hex(balance + amount))


class Outbox:
    """The outbox of a state, and its record tree in the slowest code there is."""

    def __init__(self):
        self._words: dict[int, list[int]] = {}

    def put(self, slot: int, **values):
        fields = {field.name: 0 for field in OUTBOX.fields} | values
        if isinstance(fields["recipient"], str):
            fields["recipient"] = int(fields["recipient"], 16)
        self._words[slot] = slow.words_of(OUTBOX, fields)

    def withdrawal(self, slot: int, recipient, asset: int, amount: int, **values):
        recipient = getattr(recipient, "address", recipient)
        values = {"kind": OUTBOX_WITHDRAWAL, "owner": 1, "time": 1} | values
        self.put(slot, recipient=recipient, asset=asset, amount=amount, **values)

    @property
    def leaves(self) -> dict[int, bytes]:
        leaves = {
            slow.index_of(OUTBOX.number, slot): slow.leaf_of(OUTBOX.number, slot, words)
            for slot, words in self._words.items()
        }
        # A state holds more than an outbox.
        leaves[slow.index_of(1, 3)] = slow.leaf_of(1, 3, [7])
        return leaves

    @property
    def root(self) -> bytes:
        return slow.root_of(self.leaves, slow.DEPTH)

    def words(self, slot: int) -> list[bytes]:
        return [word.to_bytes(32, "big") for word in self._words[slot]]

    def siblings(self, slot: int) -> list[bytes]:
        return slow.proof_of(self.leaves, slow.index_of(OUTBOX.number, slot), slow.DEPTH)

    def proof(self, slot: int) -> tuple:
        """What `Withdrawals` takes."""
        return (slot, self.words(slot), self.siblings(slot))


class Zone:
    """A deployed zone and the hands that work it."""

    def __init__(self, deployment, chain, accounts):
        self.deployment = deployment
        for name in deployment.addresses:
            setattr(self, name, getattr(deployment, name))
        self.params = deployment.params
        self.clock = Clock(chain)
        self.deployer, self.sequencer, self.protocol_owner = accounts[:3]

    # --- inbox

    def messages(self) -> list[messages.Message]:
        """Every inbox message, from the logs."""
        head = self.clock.block
        found = [
            messages.Message(
                index=log.index,
                kind=log.kind,
                sender=bytes.fromhex(log.sender[2:]),
                time=log.time,
                block=log.blockNumber,
                payload=bytes(log.payload),
            )
            for log in self.inbox.Message.range(0, head + 1)
        ]
        return sorted(found, key=lambda message: message.index)

    def body(self, index: int) -> dict:
        """The fields of a message's payload."""
        message = self.messages()[index]
        return unpack(messages.BODIES[message.kind], message.payload)

    def payload(self, kind: int, /, **values) -> bytes:
        return pack(messages.BODIES[kind], values)

    # --- batches

    def header(self, **changes) -> Header:
        """A good next header, with changes."""
        tip = self.chain.tip()
        count = changes.get("count", 10)
        start = max(tip.endTime, self.clock.time * 1000)
        index = changes.get("inbox_index", self.inbox.count())
        header = Header(
            epoch=1,
            number=tip.number + 1,
            parent=bytes(tip.hash),
            inputs_root=root_named(f"inputs {tip.number + 1}"),
            first_seq=tip.nextSeq,
            count=count,
            inbox_index=index,
            inbox_hash=bytes(self.inbox.prefixHash(min(index, self.inbox.count()))),
            first_block=tip.nextBlock,
            blocks=min(3, max(count, 1)),
            start_time=start,
            end_time=start,
        )
        return replace(header, **changes)

    def commit(self, header: Header | None = None, sender=None) -> Header:
        header = header or self.header()
        self.chain.commit(astuple(header), sender=sender or self.sequencer)
        return header

    def commit_to(self, batch: int):
        while self.chain.tip().number < batch:
            self.commit()

    # --- claims

    @property
    def genesis(self) -> bytes:
        return bytes(self.chain.genesisClaim())

    def bond(self, *accounts):
        for account in accounts:
            self.chain.postBond(sender=account, value=self.params.claim_bond)

    def claim_id(self, parent: bytes, batch: int, state_root: bytes) -> bytes:
        return batches.claim_id(parent, batch, bytes(self.chain.headerHashOf(batch)), state_root)

    def claim(self, asserter, parent: bytes, name: str | bytes) -> bytes:
        """Claim a root under ``parent``, committing batches as needed, and return the claim's id."""
        state_root = name if isinstance(name, bytes) else root_named(name)
        batch = self.chain.claimOf(parent).batch + self.params.claim_stride
        self.commit_to(batch)
        header_hash = self.chain.headerHashOf(batch)
        self.chain.claim(parent, batch, header_hash, state_root, sender=asserter)
        return self.claim_id(parent, batch, state_root)

    def pass_window(self):
        self.clock.pass_both(self.params.window_seconds, self.params.window_blocks)

    def pass_judge_time(self):
        self.clock.pass_both(self.params.judge_seconds, self.params.judge_blocks)

    def finalize(self, claim: bytes):
        self.chain.finalize(claim, sender=self.deployer)

    def finalized(self, asserter, name: str | bytes) -> bytes:
        """A final claim on top of the last one, by a bonded asserter."""
        claim = self.claim(asserter, bytes(self.chain.latestFinal()), name)
        self.pass_window()
        self.finalize(claim)
        return claim

    def status(self, claim: bytes) -> int:
        return self.chain.claimOf(claim).status
