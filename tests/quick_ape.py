"""Take the waste out of Ape's test provider, so that the chain suites are run often.

Nothing here changes what a test sees. Each function replaces one piece of Ape or of what is below it by one
that gives the same answer for less: by not asking the node twice what cannot have changed in between, by not
writing down what nobody reads, by not tracing what is known. `speed_up` puts them in place; the root
``conftest.py`` calls it once, before the node starts.

What is remembered of a chain is forgotten with every request that could change it behind Ape's back
(`FORGETTING`), the return to a snapshot first of all.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import ape_ethereum.provider
from ape.api.providers import ProviderAPI
from ape.api.transactions import ReceiptAPI
from ape.contracts.base import ContractMethodHandler
from ape.exceptions import TransactionError
from ape.managers.chain import AccountHistory
from ape.pytest.contextmanagers import RevertsContextManager
from ape_ethereum.provider import Web3Provider
from ape_foundry.provider import FoundryProvider
from ape_foundry.trace import AnvilTransactionTrace
from web3._utils.http_session_manager import HTTPSessionManager
from web3.eth import Eth

# Requests that may change code, gas limit or mining under what is remembered.
FORGETTING = (
    "evm_revert",
    "evm_setAutomine",
    "evm_setBlockGasLimit",
    "evm_setIntervalMining",
    "anvil_loadState",
    "anvil_reset",
    "anvil_revert",
    "anvil_setAutomine",
    "anvil_setBlockGasLimit",
    "anvil_setCode",
    "anvil_setIntervalMining",
)
# Newest states that a node keeps: who explains a failure asks for the one before it.
STATES = 16
# Seconds between two looks for a receipt. The node mines at once, though not before it answers.
RECEIPT_POLL = 0.002


def speed_up() -> None:
    """Put everything in place."""
    _parse_settings_once()
    _start_nodes_without_history()
    _talk_over_one_connection()
    _look_for_receipts_often()
    _remember_the_chain()
    _look_for_no_debug_logs()
    _append_to_history_at_once()
    _explain_no_expected_revert()


def _parse_settings_once() -> None:
    """Parse a provider's settings once, not at each of the dozens of times that a transaction asks for them.

    Each time costs milliseconds, the more the longer the environment is. The provider and its configuration
    are kept beside the answer, so that no other object can take their ids.
    """
    parse = ProviderAPI.settings.fget
    known: dict[tuple[int, int, str], tuple[object, ...]] = {}

    def get_settings(self: ProviderAPI) -> object:
        config = self.config
        key = id(self), id(config), repr(self.provider_settings)
        if key not in known:
            known[key] = parse(self), self, config
        return known[key][0]

    ProviderAPI.settings = property(get_settings)


def _start_nodes_without_history() -> None:
    """Start nodes that keep the last few states alone, in memory, and no steps.

    Otherwise anvil keeps hundreds in memory and writes every other one to disk, code of all contracts included:
    milliseconds a block, when tests that let months pass mine thousands of them, and gigabytes a run. Snapshots
    are kept apart from that, and logs, receipts and headers stay. Steps are for traces of single instructions:
    no test reads any.
    """
    build = FoundryProvider.build_command

    def build_command(self: FoundryProvider) -> list[str]:
        command = [part for part in build(self) if part != "--steps-tracing"]
        return [*command, "--prune-history", str(STATES)]

    FoundryProvider.build_command = build_command


def _talk_over_one_connection() -> None:
    """Send requests to a local node by `http.client`: a fraction of what `requests` needs for its generality."""
    send_anywhere = HTTPSessionManager.make_post_request
    mine = threading.local()

    def post(manager: HTTPSessionManager, uri: str, data: bytes, **options: object) -> bytes:
        place = urlsplit(uri)
        if place.scheme != "http" or place.hostname not in ("127.0.0.1", "localhost"):
            return send_anywhere(manager, uri, data, **options)
        connections = mine.__dict__.setdefault("connections", {})
        connection = connections.get(uri)
        if connection is None:
            timeout = options.get("timeout", 30)
            connection = http.client.HTTPConnection(place.hostname, place.port, timeout=timeout)
            connections[uri] = connection
        try:
            connection.request("POST", place.path or "/", data, options.get("headers", {}))
            answer = connection.getresponse()
            body = answer.read()
        except BaseException:
            # Whatever comes next must not read the answer to this.
            del connections[uri]
            connection.close()
            raise
        if answer.status != http.client.OK:
            message = f"expected status 200 of {uri}, was {answer.status}: {body[:200]!r}"
            raise ConnectionError(message)
        return body

    HTTPSessionManager.make_post_request = post


def _look_for_receipts_often() -> None:
    """Wait milliseconds for a receipt that is not there yet, not a tenth of a second."""
    wait = Eth.wait_for_transaction_receipt

    def wait_for_receipt(
        self: Eth, transaction_hash: bytes, timeout: float = 120, poll_latency: float = RECEIPT_POLL
    ) -> object:
        return wait(self, transaction_hash, timeout, poll_latency)

    Eth.wait_for_transaction_receipt = wait_for_receipt


def _remember_the_chain() -> None:
    """Ask a node once what only `FORGETTING` can change: gas limit, mining, that there is code at an address."""
    known: dict[object, object] = {}
    ask, limit_of = Web3Provider._make_request, Web3Provider.max_gas.fget
    mining_of, set_mining = FoundryProvider.auto_mine.fget, FoundryProvider.auto_mine.fset
    require_code = ContractMethodHandler._validate_is_contract

    def make_request(self: Web3Provider, rpc: str, parameters: object = None) -> object:
        if rpc in FORGETTING:
            known.clear()
        return ask(self, rpc, parameters)

    def max_gas(self: Web3Provider) -> int:
        key = "gas", id(self)
        if key not in known:
            known[key] = limit_of(self)
        return known[key]

    def auto_mine(self: FoundryProvider) -> bool:
        key = "mining", id(self)
        if key not in known:
            known[key] = mining_of(self)
        return known[key]

    def require_contract(self: ContractMethodHandler) -> None:
        key = "code", id(self.provider), self.contract.address
        if key not in known:
            require_code(self)
            known[key] = True

    Web3Provider._make_request = make_request
    Web3Provider.max_gas = property(max_gas)
    FoundryProvider.auto_mine = property(auto_mine, set_mining)
    ContractMethodHandler._validate_is_contract = require_contract


def _look_for_no_debug_logs() -> None:
    """Do not trace every transaction for what contracts print to a console: these print nothing."""
    ape_ethereum.provider._post_send_transaction = lambda *_: None


def _append_to_history_at_once() -> None:
    """Append a receipt to an account's history without a look at all before it."""

    def append(self: AccountHistory, receipt: ReceiptAPI) -> None:
        self.sessional.append(receipt)

    AccountHistory.append = append


def _explain_no_expected_revert() -> None:
    """Find out which contract an error is of by the tree of calls, and print no trace of what a test expects.

    Ape would fetch and parse every single instruction for the address of the last call, then print the trace.
    """
    depth = 0
    enter, leave = RevertsContextManager.__enter__, RevertsContextManager.__exit__
    get_traceback, show = TransactionError._get_ape_traceback, AnvilTransactionTrace.show

    def enter_expecting(self: RevertsContextManager) -> object:
        nonlocal depth
        depth += 1
        return enter(self)

    def leave_expecting(self: RevertsContextManager, *raised: object) -> bool:
        nonlocal depth
        depth -= 1
        return leave(self, *raised)

    def get_addresses(self: AnvilTransactionTrace, reverse: bool = False) -> Iterator[str]:
        tree = self._debug_trace_transaction({"tracer": "callTracer"})
        found = list(_called_in(tree))
        for address in reversed(found) if reverse else found:
            yield self._ecosystem.decode_address(address)

    RevertsContextManager.__enter__ = enter_expecting
    RevertsContextManager.__exit__ = leave_expecting
    AnvilTransactionTrace.get_addresses_used = get_addresses
    TransactionError._get_ape_traceback = lambda self: None if depth else get_traceback(self)
    AnvilTransactionTrace.show = lambda self, *a, **k: None if depth else show(self, *a, **k)


def _called_in(node: dict) -> Iterator[str]:
    """Addresses that a frame calls, in the order of the calls; creations have none."""
    for call in node.get("calls", ()):
        if "CALL" in call["type"]:
            yield call["to"]
        yield from _called_in(call)
