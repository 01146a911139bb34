# ruff: noqa: N802 - methods have the names of the JSON-RPC methods they stand for

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.chain.fake_chain import INBOX_ADDRESS, FakeChain
from tradezone.chain import (
    ChainError,
    RevertedError,
    Rpc,
    RpcError,
    RpcUnreachableError,
    WrongChainError,
)
from tradezone.chain.abi import INBOX


@pytest.fixture
def serve():
    """Start a web server that answers every request with ``status`` and ``body``."""
    servers = []

    def start(body, status=200):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def answer(**fields):
    return json.dumps({"jsonrpc": "2.0", "id": 1} | fields).encode()


def test_a_result_comes_over_http(serve):
    assert Rpc(serve(answer(result="0xc4"))).chain_id() == 196


def test_nobody_listening_is_said_with_the_address():
    with pytest.raises(RpcUnreachableError, match=r"no node answers at http://127.0.0.1:9"):
        Rpc("http://127.0.0.1:9", timeout=2).chain_id()


def test_a_name_that_does_not_resolve_is_said():
    with pytest.raises(RpcUnreachableError, match=r"no node answers at http://nowhere.invalid"):
        Rpc("http://nowhere.invalid", timeout=2).chain_id()


@pytest.mark.parametrize("url", ["127.0.0.1:8545", "ws://127.0.0.1", "file:///etc/passwd", ""])
def test_only_http_addresses_are_taken(url):
    with pytest.raises(RpcError, match=r"expected an address like http://127.0.0.1:8545"):
        Rpc(url)


def test_something_that_is_no_node_is_said(serve):
    with pytest.raises(RpcUnreachableError, match="is this the address of a node"):
        Rpc(serve(b"<html>hello</html>")).chain_id()
    with pytest.raises(RpcUnreachableError, match="HTTP 401"):
        Rpc(serve(b"no key", 401)).chain_id()
    with pytest.raises(RpcUnreachableError, match="neither result nor error"):
        Rpc(serve(answer())).chain_id()


def test_the_wrong_chain_names_both_ids(serve):
    rpc = Rpc(serve(answer(result="0x1")), chain_id=196)
    with pytest.raises(WrongChainError, match=r"expected chain id 196, .* serves 1") as caught:
        rpc.head()
    assert (caught.value.expected, caught.value.received) == (196, 1)


@pytest.mark.parametrize(
    "error",
    [
        {"code": 3, "message": "execution reverted", "data": "0x82b42900"},
        {"code": -32000, "message": "execution reverted: x"},
        {"code": -32015, "message": "VM execution error", "data": "Reverted 0x82b42900"},
        {"code": -32603, "message": "reverted", "data": {"data": "0x82b42900"}},
    ],
)
def test_reverts_are_told_from_other_errors_however_a_node_writes_them(serve, error):
    with pytest.raises(RevertedError):
        Rpc(serve(answer(error=error))).request("eth_call")


def test_other_errors_keep_their_code(serve):
    with pytest.raises(RpcError, match=r"eth_x failed: nope \(code -32601\)") as caught:
        Rpc(serve(answer(error={"code": -32601, "message": "nope"}), 400)).request("eth_x")
    assert caught.value.code == -32601


def test_a_custom_error_is_decoded():
    chain = FakeChain()
    inbox = Rpc("http://fake", transport=chain).at(INBOX, INBOX_ADDRESS)
    with pytest.raises(RevertedError, match=r"IndexOutOfRange\(index=3, count=0\)") as caught:
        inbox.call("prefixHash", 3)
    assert caught.value.values == {"index": 3, "count": 0}


def test_an_address_without_contract_is_said():
    class Empty(FakeChain):
        def eth_call(self, *_):
            return "0x"

        def eth_getCode(self, *_):
            return "0x"

    inbox = Rpc("http://fake", transport=Empty()).at(INBOX, INBOX_ADDRESS)
    with pytest.raises(RpcError, match=f"no contract is at {INBOX_ADDRESS}"):
        inbox.call("count")


def test_every_error_of_the_package_has_one_base():
    import tradezone.chain as package

    for name in package.__all__:
        item = getattr(package, name)
        if isinstance(item, type) and issubclass(item, Exception):
            assert issubclass(item, ChainError)


def test_importing_the_package_stays_light():
    import subprocess
    import sys

    code = "import sys, tradezone.chain; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    modules = set(loaded.stdout.split())
    assert not modules & {"web3", "ape", "eth_abi", "eth_account", "numba", "numpy", "llvmlite"}
