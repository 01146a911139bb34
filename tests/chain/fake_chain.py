# ruff: noqa: N802 - methods have the names of the JSON-RPC methods and functions they stand for
"""A chain in memory behind the JSON-RPC transport: blocks, re-organisations, and nodes that misbehave."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tradezone.chain import _codec
from tradezone.chain.abi import INBOX
from tradezone.chain.errors import RpcUnreachableError
from tradezone.protocol.hashing import keccak
from tradezone.protocol.messages import DEPOSIT, Message, next_prefix

INBOX_ADDRESS = _codec.to_checksum(b"\x1b" * 20)
SENDER = _codec.to_checksum(b"\x5e" * 20)
CHAIN_ID = 196
START_TIME = 1_800_000_000


@dataclass
class FakeBlock:
    number: int
    hash: bytes
    parent: bytes
    messages: list[Message] = field(default_factory=list)


class NodeError(Exception):
    """A JSON-RPC error that the fake node answers with."""

    def __init__(self, code, message, data=None):
        super().__init__(message)
        self.body = {"code": code, "message": message} | ({"data": data} if data else {})


class FakeChain:
    """Holds the inbox only. ``safe_depth`` None = the node knows no safe tag."""

    def __init__(self, safe_depth=None):
        self.blocks = [FakeBlock(0, keccak(b"genesis"), bytes(32))]
        self.forks = 0
        self.safe_depth = safe_depth
        self.failures = []  # one for each of the next requests: None, or an exception
        self.hidden = set()  # indices of messages that the node leaves out of its logs
        self.max_range = None
        self.requests = []

    # --- building ------------------------------------------------------------------------------------

    def mine(self, payloads=()):
        number = len(self.blocks)
        parent = self.blocks[-1].hash
        index = len(self.messages())
        messages = [
            Message(
                index + i,
                DEPOSIT,
                _codec.to_address_bytes(SENDER),
                START_TIME + number,
                number,
                bytes(p),
            )
            for i, p in enumerate(payloads)
        ]
        digest = keccak(parent + bytes([self.forks]) + b"".join(m.to_bytes() for m in messages))
        self.blocks.append(FakeBlock(number, digest, parent, messages))

    def reorg(self, depth, replacement):
        """Replace the last ``depth`` blocks by one block for each list of payloads."""
        depth = min(depth, len(self.blocks) - 1)
        del self.blocks[len(self.blocks) - depth :]
        self.forks = (self.forks + 1) % 256
        for payloads in replacement:
            self.mine(payloads)

    def messages(self, last=None):
        blocks = self.blocks if last is None else self.blocks[: max(last, -1) + 1]
        return [m for block in blocks for m in block.messages]

    def raw_messages(self, last=None):
        return [m.to_bytes() for m in self.messages(last)]

    @property
    def head(self):
        return len(self.blocks) - 1

    # --- answering -----------------------------------------------------------------------------------

    def __call__(self, body):
        request = json.loads(body)
        self.requests.append(request["method"])
        failure = self.failures.pop(0) if self.failures else None
        try:
            if failure is not None:
                raise failure
            result = getattr(self, request["method"])(*request["params"])
            answer = {"result": result}
        except NodeError as error:
            answer = {"error": error.body}
        return json.dumps({"jsonrpc": "2.0", "id": request["id"]} | answer).encode()

    def eth_chainId(self):
        return hex(CHAIN_ID)

    def eth_getBlockByNumber(self, tag, _):
        if tag == "safe":
            if self.safe_depth is None:
                raise NodeError(-32602, "invalid block tag")
            number = self.head - self.safe_depth
        elif tag == "latest":
            number = self.head
        else:
            number = int(tag, 16)
        if not 0 <= number <= self.head:
            return None
        block = self.blocks[number]
        return {
            "number": hex(number),
            "hash": "0x" + block.hash.hex(),
            "parentHash": "0x" + block.parent.hex(),
            "timestamp": hex(START_TIME + number),
        }

    def eth_getLogs(self, wanted):
        first, last = int(wanted["fromBlock"], 16), int(wanted["toBlock"], 16)
        if self.max_range is not None and last - first + 1 > self.max_range:
            raise NodeError(-32005, "query exceeds max block range")
        return [
            to_log(message, i)
            for message_block in self.blocks[first : last + 1]
            for i, message in enumerate(message_block.messages)
            if message.index not in self.hidden
        ]

    def eth_call(self, call, _tag):
        data = bytes.fromhex(call["data"][2:])
        for name in ("count", "prefixHash", "blockOf"):
            function = INBOX.functions[name]
            if data[:4] == function.selector:
                arguments = function.decode_input(data)
                value = getattr(self, "_" + name)(*arguments)
                return "0x" + _codec.encode(function.outputs, [value]).hex()
        raise NodeError(3, "execution reverted")

    def eth_getCode(self, *_):
        return "0x60"

    def _count(self):
        return len(self.messages())

    def _prefixHash(self, index):
        messages = self.raw_messages()
        if index > len(messages):
            raise out_of_range(index, len(messages))
        prefix = bytes(32)
        for raw in messages[:index]:
            prefix = next_prefix(prefix, raw)
        return prefix

    def _blockOf(self, index):
        messages = self.messages()
        if index >= len(messages):
            raise out_of_range(index, len(messages))
        return messages[index].block


def out_of_range(index, count):
    error = INBOX.errors["IndexOutOfRange"]
    data = error.selector + _codec.encode(error.inputs, [index, count])
    return NodeError(3, "execution reverted", "0x" + data.hex())


def unreachable():
    return RpcUnreachableError("no node answers")


def to_log(message, position):
    event = INBOX.events["Message"]
    indexed = [message.index, message.kind, "0x" + message.sender.hex()]
    types = [t for t in event.inputs if t.is_indexed]
    rest = [t for t in event.inputs if not t.is_indexed]
    return {
        "address": INBOX_ADDRESS,
        "topics": ["0x" + event.topic.hex()]
        + ["0x" + _codec.encode([t], [v]).hex() for t, v in zip(types, indexed, strict=True)],
        "data": "0x" + _codec.encode(rest, [message.time, message.block, message.payload]).hex(),
        "blockNumber": hex(message.block),
        "logIndex": hex(position),
        "transactionHash": "0x" + bytes(32).hex(),
    }
