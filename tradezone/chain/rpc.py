"""JSON-RPC to a node, with nothing but the standard library, and errors that say what to do.

``Rpc`` reads; a ``Sender`` signs and sends. Both raise errors of this package only. A verifier needs no
more than this module and an address, so it must not need the dependencies of a deployer.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from tradezone.protocol.hashing import keccak

from ._codec import decode, parse_parameters, to_address_bytes, to_bytes, to_checksum
from .abi import CONTRACTS, Contract, Function
from .errors import (
    AbiError,
    ChainError,
    RevertedError,
    RpcError,
    RpcUnreachableError,
    TransactionFailedError,
    WrongChainError,
)

Transport = Callable[[bytes], bytes]
"""Sends a request body and returns the answer's. RpcUnreachableError if there is none."""

BlockTag = int | str

_TIMEOUT: Final = 20.0  # seconds for one answer
_RECEIPT_TIMEOUT: Final = 180.0  # seconds until a transaction must be mined
_REBROADCAST: Final = 30.0  # seconds after which a higher fee is offered
_GAS_MARGIN: Final = (5, 4)  # gas estimates are raised by a quarter
_MAX_ANSWER: Final = 512 << 20  # bytes
_LOG_RANGE: Final = 5_000  # blocks whose logs are asked for at once, at first


@dataclass(frozen=True, slots=True)
class Block:
    """What the watcher needs to know of a block."""

    number: int
    hash: bytes
    parent: bytes
    time: int  # seconds


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transaction that was mined and did not revert."""

    transaction: str
    block: int
    gas_used: int
    cost: int  # wei paid for gas
    logs: list[dict[str, Any]]

    def events(self, contract: Contract, name: str) -> list[dict[str, Any]]:
        """Return the arguments of its events ``name``."""
        event = contract.events[name]
        return [event.decode(log) for log in self.logs if to_bytes(log["topics"][0]) == event.topic]


class Sender(Protocol):
    """Who signs and pays for transactions."""

    @property
    def address(self) -> str:
        """Address of the account, EIP-55."""
        ...

    def send(self, to: str, data: bytes, value: int = 0) -> Receipt:
        """Send a transaction and wait until it is mined. RevertedError or TransactionFailedError if it fails."""
        ...


# --- reverts -----------------------------------------------------------------------------------------

_PANICS: Final = {
    0x01: "an assertion failed",
    0x11: "arithmetic overflow",
    0x12: "division by zero",
    0x21: "a value is no member of its enum",
    0x32: "an index is out of bounds",
}
_HINTS: Final = {
    "CaseOpen": "wait until the court closes the case, or lapse it when its time is over",
    "DepositsClosed": "the guardians closed the door for a while: ape run govern brake show",
    "ListingsClosed": "the guardians closed the door for a while: ape run govern brake show",
    "NotAllowed": "this class decides nothing of the kind; the lists are in docs/spec/governance.md",
    "NotReady": "wait until both the time and the block are reached",
    "ProposalOpen": "a proposer has one proposal of a class before its vote ends",
    "VenueNotEmpty": "its markets have to be settled first",
    "StateTooOld": "a newer claim has to become final: ape run post finalize",
    "NotSequencer": "commit with the sequencer's key",
    "WrongNumber": "another process may have posted it: run again, posting goes on from L1",
    "InboxLagging": "the sequencer must consume the inbox and publish another batch first",
    "EndsInFuture": "zone time is ahead of L1: wait until the next L1 block",
    "NotBonded": "post the bond first: ape run post bond",
    "WrongBond": "send exactly the bond",
    "WrongFee": "send exactly the fee that is due",
    "WindowRunning": "wait until both the time and the block are reached",
    "UnbondingRunning": "wait until both the time and the block are reached",
    "ParentNotFinal": "finalize its parent first",
    "Contested": "the claim has rivals: the judge must rule",
    "ClaimNotFinal": "wait until the claim is final: ape run post finalize",
    "AlreadyPaid": "nothing is left to do",
    "WrongRoot": "the proof is of another state: prove it again, against this claim",
    "WrongProofLength": "prove it again: tradezone prove withdrawal",
    "WrongWordCount": "prove it again: tradezone prove withdrawal",
    "InsufficientFree": "add stake first: ape run stake add",
    "NotDeployer": "only the account that created the venue may do that",
    "NoSlotLeft": "the venue has used its free markets",
    "NotMultipleOfQuantum": "amounts are whole atoms: a multiple of the asset's quantum",
    "NameTaken": "choose another name",
    "BadName": "3 to 32 characters out of a-z, 0-9 and '-'",
    "AlreadyRegistered": "nothing is left to do",
    "AssetIsClosed": "the asset takes no deposits any more",
    "ERC20InsufficientBalance": "the account holds less of the token",
    "ERC20InsufficientAllowance": "approve the vault for the amount first",
}


def _show(value: Any) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return repr(value) if isinstance(value, str) and not value.startswith("0x") else str(value)


def decode_revert(data: bytes, message: str = "") -> RevertedError:
    """Turn revert data into an error that names the custom error, its values and what to do.

    Parameters
    ----------
    data : bytes
        revert data, may be empty
    message : str
        what the node said besides
    """
    selector = data[:4]
    try:
        for contract in CONTRACTS.values():
            for error in contract.errors.values():
                if error.selector == selector:
                    values = error.decode(data)
                    shown = ", ".join(f"{k}={_show(v)}" for k, v in values.items())
                    return RevertedError(
                        error.name,
                        values,
                        f"reverted with {error.name}({shown})",
                        _HINTS.get(error.name, ""),
                    )
        if selector == keccak(b"Error(string)")[:4]:
            reason = decode(parse_parameters("(string)")[0], data[4:])[0]
            return RevertedError("Error", {"reason": reason}, f"reverted: {reason}")
        if selector == keccak(b"Panic(uint256)")[:4]:
            code = decode(parse_parameters("(uint256)")[0], data[4:])[0]
            reason = _PANICS.get(code, f"code {code:#x}")
            return RevertedError("Panic", {"code": code}, f"the contract panicked: {reason}")
    except AbiError:
        pass
    if data:
        return RevertedError("", {"data": data}, f"reverted with unknown data 0x{data.hex()}")
    return RevertedError("", {}, f"reverted: {message or 'no reason was given'}")


def _revert_data(error: dict[str, Any]) -> bytes | None:
    """Revert data of a JSON-RPC error; None if it is no revert. Nodes put it in different places."""
    data = error.get("data")
    if isinstance(data, dict):
        data = data.get("data") or data.get("result")
    message = str(error.get("message", "")).lower()
    if isinstance(data, str):
        text = data.removeprefix("Reverted ").strip()
        try:
            return to_bytes(text)
        except AbiError:
            pass
    return b"" if error.get("code") == 3 or "revert" in message else None


# --- reading -----------------------------------------------------------------------------------------


class Rpc:
    """A node.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://`` address of its JSON-RPC
    chain_id : int, optional
        chain it must serve; asked once, before the first other request
    timeout : float
        seconds for one answer
    transport : callable, optional
        what sends bodies instead of HTTP; tests put a chain of their own here
    """

    def __init__(
        self,
        url: str,
        *,
        chain_id: int | None = None,
        timeout: float = _TIMEOUT,
        transport: Transport | None = None,
    ) -> None:
        if transport is None and not url.startswith(("http://", "https://")):
            hint = "give the http(s) address of a node's JSON-RPC"
            raise RpcError(f"expected an address like http://127.0.0.1:8545, was {url!r}", hint)
        self.url = url
        self._expected = chain_id
        self._timeout = timeout
        self._transport = transport or self._post
        self._requests = 0
        self._log_range = _LOG_RANGE

    def __repr__(self) -> str:
        return f"Rpc({self.url})"

    # --- requests ------------------------------------------------------------------------------------

    def request(self, method: str, *parameters: Any) -> Any:
        """Return the result of one JSON-RPC request.

        Raises
        ------
        RpcUnreachableError
            the node does not answer, or not with JSON-RPC
        WrongChainError
            it serves another chain than the one expected
        RevertedError
            a contract refused the call
        RpcError
            any other error that the node reports
        """
        if self._expected is not None and method != "eth_chainId":
            self.check_chain(self._expected)
        self._requests += 1
        body = {
            "jsonrpc": "2.0",
            "id": self._requests,
            "method": method,
            "params": list(parameters),
        }
        raw = self._transport(json.dumps(body).encode())
        try:
            answer = json.loads(raw)
            error = answer.get("error")
        except (ValueError, AttributeError):
            text = f"{self.url} answered {method} with {raw[:80]!r}"
            raise RpcUnreachableError(
                text, "expected JSON-RPC: is this the address of a node?"
            ) from None
        if error is None:
            if "result" not in answer:
                raise RpcUnreachableError(
                    f"{self.url} answered {method} with neither result nor error"
                )
            return answer["result"]
        data = _revert_data(error)
        message, code = str(error.get("message", error)), int(error.get("code", 0) or 0)
        if data is not None:
            raise decode_revert(data, message)
        raise RpcError(f"{method} failed: {message} (code {code})", code=code)

    def _post(self, body: bytes) -> bytes:
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked to be http(s)
            self.url,
            body,
            {"Content-Type": "application/json", "User-Agent": "tradezone"},
        )
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:  # noqa: S310
                data: bytes = answer.read(_MAX_ANSWER)
                return data
        except urllib.error.HTTPError as error:
            data = error.read(1 << 16)
            if data.lstrip().startswith(b"{"):
                return data
            text = f"{self.url} answered HTTP {error.code} {error.reason}"
            raise RpcUnreachableError(
                text, "check the address, its key and its rate limit"
            ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            text = f"no node answers at {self.url}: {reason}"
            raise RpcUnreachableError(
                text, "check the address, and that the node is running"
            ) from None

    # --- chain ---------------------------------------------------------------------------------------

    def chain_id(self) -> int:
        """Return the id of the chain that the node serves."""
        return int(self.request("eth_chainId"), 16)

    def check_chain(self, expected: int) -> None:
        """Make sure that the node serves a chain. WrongChainError names both ids if not."""
        received = self.chain_id()
        if received != expected:
            raise WrongChainError(expected, received, self.url)
        self._expected = None

    def block(self, number: BlockTag = "latest") -> Block | None:
        """Return a block by number or tag; None if the node does not have it (or not the tag)."""
        tag = hex(number) if isinstance(number, int) else number
        found = self.request("eth_getBlockByNumber", tag, False)
        if found is None:
            return None
        return Block(
            int(found["number"], 16),
            to_bytes(found["hash"]),
            to_bytes(found["parentHash"]),
            int(found["timestamp"], 16),
        )

    def head(self) -> Block:
        """Return the newest block."""
        found = self.block("latest")
        if found is None:
            raise RpcUnreachableError(
                f"{self.url} has no latest block", "is the node still starting?"
            )
        return found

    def logs(
        self, address: str, topics: Sequence[bytes | None], first: int, last: int
    ) -> list[dict[str, Any]]:
        """Return the logs of a contract in blocks ``first`` to ``last``, in chain order."""
        found = self.request(
            "eth_getLogs",
            {
                "address": address,
                "topics": [None if topic is None else "0x" + topic.hex() for topic in topics],
                "fromBlock": hex(first),
                "toBlock": hex(last),
            },
        )
        found = [log for log in found if not log.get("removed")]
        found.sort(key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))
        return found

    def log_pages(
        self, address: str, topics: Sequence[bytes | None], first: int, last: int
    ) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Yield (end, logs of the blocks up to end) until ``last``.

        Nodes bound blocks or logs of an answer, each in its own way: a range that is refused is halved.
        """
        while first <= last:
            end = min(first + self._log_range - 1, last)
            try:
                found = self.logs(address, topics, first, end)
            except RpcUnreachableError:
                raise
            except RpcError:
                if end == first:
                    raise
                self._log_range = (end - first + 1) // 2
                continue
            yield end, found
            first = end + 1

    def has_code(self, address: str) -> bool:
        """Whether a contract is deployed at an address."""
        return self.request("eth_getCode", address, "latest") not in ("0x", None, "0x0")

    def balance(self, address: str) -> int:
        """Return the native coin of an account, wei."""
        return int(self.request("eth_getBalance", address, "latest"), 16)

    def at(self, contract: Contract, address: str | bytes) -> Deployed:
        """Return a contract at its address."""
        return Deployed(self, contract, to_checksum(to_address_bytes(address)))


class Deployed:
    """A contract at an address, to be read.

    >>> chain = rpc.at(STATE_CHAIN, "0x...")  # doctest: +SKIP
    >>> chain.call("headerHashOf", 1)  # doctest: +SKIP
    """

    def __init__(self, rpc: Rpc, contract: Contract, address: str) -> None:
        self.rpc = rpc
        self.contract = contract
        self.address = address

    def __repr__(self) -> str:
        return f"{self.contract.name}({self.address})"

    def call(
        self, name: str, *arguments: Any, block: BlockTag = "latest", sender: str | None = None
    ) -> Any:
        """Call a function without a transaction; see `_codec` for how values look.

        Raises
        ------
        RevertedError
            the contract refuses
        RpcError
            as `Rpc.request`; also if no contract is there
        """
        function = self.contract.functions[name]
        return self.call_raw(function, function.encode(*arguments), block=block, sender=sender)

    def call_raw(
        self,
        function: Function,
        data: bytes,
        value: int = 0,
        *,
        block: BlockTag = "latest",
        sender: str | None = None,
    ) -> Any:
        """Call with calldata that was encoded before, for instance to simulate a transaction."""
        transaction = {"to": self.address, "data": "0x" + data.hex()}
        if sender:
            transaction["from"] = sender
        if value:
            transaction["value"] = hex(value)
        tag = hex(block) if isinstance(block, int) else block
        answer = to_bytes(self.rpc.request("eth_call", transaction, tag))
        if not answer and function.outputs:
            if not self.rpc.has_code(self.address):
                raise RpcError(
                    f"no contract is at {self.address} on {self.rpc.url}",
                    f"expected {self.contract.name}: check the address and the chain",
                )
            raise RpcError(
                f"{self.contract.name}.{function.name} at {self.address} answered nothing"
            )
        return function.decode(answer)

    def simulate(self, sender: str, name: str, data: bytes, value: int = 0) -> Any:
        """Return what a transaction would answer if it were in the next block; `RevertedError` if it fails.

        The next block, because the last one may be older than what the contract compares its time with.
        """
        function = self.contract.functions[name]
        try:
            return self.call_raw(function, data, value, block="pending", sender=sender)
        except RpcUnreachableError:
            raise
        except RpcError:  # not every node knows a pending block
            return self.call_raw(function, data, value, sender=sender)

    def log_pages(
        self, event: str, first: int, last: int, topics: Sequence[bytes | None] = ()
    ) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Yield (end block, raw logs of an event up to it); ``topics`` are its indexed values."""
        wanted = [self.contract.events[event].topic, *topics]
        return self.rpc.log_pages(self.address, wanted, first, last)

    def events(
        self, event: str, first: int, last: int, topics: Sequence[bytes | None] = ()
    ) -> Iterator[dict[str, Any]]:
        """Yield the arguments of each event ``event`` in a range of blocks."""
        decoder = self.contract.events[event]
        for _, logs in self.log_pages(event, first, last, topics):
            yield from map(decoder.decode, logs)

    def transact(self, sender: Sender, name: str, *arguments: Any, value: int = 0) -> Receipt:
        """Send a transaction after a simulation, so that a refusal costs nothing.

        Raises
        ------
        RevertedError
            the contract would refuse, or refused
        TransactionFailedError
            it was not mined in time, or reverted without a reason
        """
        data = self.contract.functions[name].encode(*arguments)
        self.simulate(sender.address, name, data, value)
        return sender.send(self.address, data, value)


# --- sending -----------------------------------------------------------------------------------------


def fetch_receipt(rpc: Rpc, transaction: str) -> Receipt | None:
    """Return the receipt of a transaction, None if it is not mined. RevertedError if it failed."""
    found = rpc.request("eth_getTransactionReceipt", transaction)
    if found is None or found.get("blockNumber") is None:
        return None
    block, used = int(found["blockNumber"], 16), int(found["gasUsed"], 16)
    if int(found["status"], 16) != 1:
        _raise_failure(rpc, transaction, block)
    price = int(found.get("effectiveGasPrice") or "0x0", 16)
    cost = used * price + int(found.get("l1Fee") or "0x0", 16)
    return Receipt(transaction, block, used, cost, found["logs"])


def _raise_failure(rpc: Rpc, transaction: str, block: int) -> None:
    """Run a failed transaction again on top of the block before it, to learn why."""
    sent = rpc.request("eth_getTransactionByHash", transaction) or {}
    call = {key: sent[key] for key in ("from", "to", "value", "gas") if sent.get(key)}
    call["data"] = sent.get("input", "0x")
    try:
        rpc.request("eth_call", call, hex(block - 1))
    except RevertedError:
        raise
    except RpcError:
        pass
    raise TransactionFailedError(
        f"transaction {transaction} reverted in block {block}",
        "it passes when it is run again: something else changed in between, or the gas ran out",
        transaction,
    )


class NodeSender:
    """Sends with an account that the node holds, as anvil holds its development accounts.

    Parameters
    ----------
    rpc : Rpc
        the node
    address : str
        the account
    """

    def __init__(self, rpc: Rpc, address: str) -> None:
        self._rpc = rpc
        self.address = to_checksum(to_address_bytes(address))

    def send(self, to: str, data: bytes, value: int = 0) -> Receipt:
        """Send a transaction and wait until it is mined."""
        transaction = {
            "from": self.address,
            "to": to,
            "data": "0x" + data.hex(),
            "value": hex(value),
        }
        gas = int(self._rpc.request("eth_estimateGas", transaction), 16)
        transaction["gas"] = hex(gas * _GAS_MARGIN[0] // _GAS_MARGIN[1])
        return _wait(self._rpc, [self._rpc.request("eth_sendTransaction", transaction)])


class KeySender:
    """Signs with a private key in this process. Needs the extra ``[chain]``.

    Nonces come from the node's pending count, so that several transactions may wait; a transaction that
    is not mined soon is offered again with the same nonce and a higher fee, so it is mined once.

    Parameters
    ----------
    rpc : Rpc
        the node
    key : bytes
        private key, 32 bytes
    clock, sleep : callable, optional
        seconds, and waiting them
    """

    def __init__(
        self,
        rpc: Rpc,
        key: bytes,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        try:
            from eth_account import Account  # noqa: PLC0415 - the extra is needed for signing only
        except ModuleNotFoundError:
            hint = "pip install 'tradezone[chain]'"
            raise ChainError("signing transactions needs the package eth-account", hint) from None
        self._account = Account.from_key(key)
        self._rpc = rpc
        self._clock = clock
        self._sleep = sleep
        self._chain_id = 0

    @property
    def address(self) -> str:
        """Address of the key."""
        return str(self._account.address)

    def send(self, to: str, data: bytes, value: int = 0) -> Receipt:
        """Send a transaction and wait until it is mined."""
        rpc = self._rpc
        self._chain_id = self._chain_id or rpc.chain_id()
        call = {"from": self.address, "to": to, "data": "0x" + data.hex(), "value": hex(value)}
        gas = int(rpc.request("eth_estimateGas", call), 16) * _GAS_MARGIN[0] // _GAS_MARGIN[1]
        nonce = int(rpc.request("eth_getTransactionCount", self.address, "pending"), 16)
        tip = self._fetch_tip()
        base = self._fetch_base_fee()
        sent: list[str] = []
        deadline = self._clock() + _RECEIPT_TIMEOUT
        while True:
            signed = self._account.sign_transaction(
                {
                    "type": 2,
                    "chainId": self._chain_id,
                    "nonce": nonce,
                    "to": to,
                    "value": value,
                    "data": data,
                    "gas": gas,
                    "maxPriorityFeePerGas": tip,
                    "maxFeePerGas": 2 * base + tip,
                }
            )
            try:
                sent.append(
                    rpc.request("eth_sendRawTransaction", signed.raw_transaction.to_0x_hex())
                )
            except RpcError as error:
                if not sent or isinstance(error, RpcUnreachableError):
                    raise
            left = deadline - self._clock()
            try:
                return _wait(rpc, sent, min(_REBROADCAST, left), self._clock, self._sleep)
            except TransactionFailedError:
                if self._clock() >= deadline:
                    raise
            # A replacement must pay at least an eighth more of both fees.
            tip, base = tip * 5 // 4 + 1, max(base * 5 // 4 + 1, self._fetch_base_fee())

    def _fetch_tip(self) -> int:
        try:
            return int(self._rpc.request("eth_maxPriorityFeePerGas"), 16)
        except RpcUnreachableError:
            raise
        except RpcError:
            return 10**9

    def _fetch_base_fee(self) -> int:
        block = self._rpc.request("eth_getBlockByNumber", "latest", False)
        return int(block.get("baseFeePerGas") or "0x0", 16) or int(
            self._rpc.request("eth_gasPrice"), 16
        )


def _wait(
    rpc: Rpc,
    transactions: Sequence[str],
    seconds: float = _RECEIPT_TIMEOUT,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Receipt:
    """Wait until one of several versions of a transaction is mined."""
    deadline, pause = clock() + seconds, 0.01
    while True:
        for transaction in transactions:
            if receipt := fetch_receipt(rpc, transaction):
                return receipt
        if clock() >= deadline:
            last = transactions[-1]
            raise TransactionFailedError(
                f"transaction {last} was not mined within {seconds:.0f} s",
                "it may still be: look it up before sending another",
                last,
            )
        sleep(pause)
        pause = min(pause * 2, 1.0)
