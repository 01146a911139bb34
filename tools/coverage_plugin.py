"""What of the contracts the chain suites execute: a pytest plugin that asks the node to trace what they send.

    ape test tests/contracts -p tools.coverage_plugin        (through `make coverage`)

A bounded number of transactions, gas estimates and calls of each function, and whatever is refused, is run under the
node's tracers as well: one lists the program counters, the other the frames they belong to. What runs is the bytecode that would be deployed: nothing is instrumented, no optimiser is switched off.

Codes are told apart by their first and last bytes, since after a rollback another contract may live at the same address.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final

import msgspec
import requests
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes
from web3 import HTTPProvider

FOLDER: Final = Path(os.environ.get("COVERAGE_FOLDER", ".coverage-chain"))
# A function that a suite calls ten thousand times takes its branches in the first dozens or hundreds.
CALLS_OF_A_FUNCTION: Final = {
    "eth_call": 30,
    "eth_estimateGas": 300,
    "eth_sendTransaction": 300,
    "eth_sendRawTransaction": 300,
}
STEPS: Final = {"disableStack": True, "disableStorage": True, "enableMemory": False}
TAIL: Final = 64


class Step(msgspec.Struct):
    """One instruction that ran."""

    pc: int
    depth: int
    op: str


class Steps(msgspec.Struct):
    """A trace."""

    structLogs: list[Step]  # noqa: N815 - the node's name


class StepsAnswer(msgspec.Struct):
    """An answer with a trace, or with an error."""

    result: Steps | None = None


class Frame(msgspec.Struct):
    """A call and the calls it made."""

    type: str
    to: str = ""
    input: str = "0x"
    error: str = ""
    calls: list[Frame] = []


class FrameAnswer(msgspec.Struct):
    """An answer with frames, or with an error."""

    result: Frame | None = None


_steps_decoder = msgspec.json.Decoder(StepsAnswer)
_frame_decoder = msgspec.json.Decoder(FrameAnswer)


class Record:
    """Counters and jumps by code, kept for the whole run."""

    def __init__(self) -> None:
        self.pcs: dict[str, set[int]] = defaultdict(set)
        self.jumps: dict[str, set[tuple[int, int]]] = defaultdict(set)
        self.traced = Counter[str]()

    def add(self, steps: list[Step], top: Frame, name_code: Any) -> None:
        """Enter one run.

        Frames without code (precompiles, plain accounts) have no steps: a deeper step belongs to the next frame with code.
        """
        stack = [(top, name_code(top), iter(top.calls))]
        last, was_jump = -1, False
        for step in steps:
            while step.depth < len(stack):
                stack.pop()
                was_jump = False
            if step.depth > len(stack):
                for frame in stack[-1][2]:
                    code = name_code(frame)
                    if code:
                        stack.append((frame, code, iter(frame.calls)))
                        break
                else:
                    return  # a frame that the other tracer does not know: what follows could be misread
                was_jump = False
            code = stack[-1][1]
            self.pcs[code].add(step.pc)
            if was_jump:
                self.jumps[code].add((last, step.pc))
            last, was_jump = step.pc, step.op == "JUMPI"

    def write(self) -> None:
        """Leave a file for tools/coverage.py."""
        FOLDER.mkdir(exist_ok=True)
        told = {
            "traced": dict(self.traced),
            "codes": {
                key: {"pcs": sorted(pcs), "jumps": sorted(self.jumps[key])}
                for key, pcs in sorted(self.pcs.items())
            },
        }
        (FOLDER / f"{os.getpid()}.json").write_text(json.dumps(told))


record = Record()
_plain = HTTPProvider.make_request
_session = requests.Session()
_session.trust_env = False
_calls = Counter[tuple[str, str, str]]()


def _ask(provider: HTTPProvider, method: str, params: list[Any]) -> bytes:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return _session.post(str(provider.endpoint_uri), json=body, timeout=300).content


def _trace(provider: HTTPProvider, method: str, params: list[Any]) -> None:
    steps = _steps_decoder.decode(_ask(provider, method, [*params, STEPS])).result
    top = _frame_decoder.decode(_ask(provider, method, [*params, {"tracer": "callTracer"}])).result
    if steps is None or top is None:
        record.traced["refused"] += 1
        return
    codes: dict[str, str] = {}

    def name_code(frame: Frame) -> str:
        if frame.type.startswith("CREATE"):
            return "creation:" + frame.input[2 : 2 + 2 * TAIL]
        if frame.to not in codes:
            code = json.loads(_ask(provider, "eth_getCode", [frame.to, "latest"]))["result"]
            size = len(code) // 2 - 1
            head, tail = code[2:][: 2 * TAIL], code[2:][-2 * TAIL :]
            codes[frame.to] = f"{size}:{head}:{tail}" if size else ""
        return codes[frame.to]

    record.traced[method] += 1
    record.add(steps.structLogs, top, name_code)


def _make_request(self: HTTPProvider, method: str, params: Any) -> Any:
    if method not in CALLS_OF_A_FUNCTION:
        return _plain(self, method, params)
    call = _decode(params[0]) if method == "eth_sendRawTransaction" else params[0]
    if _wanted(method, call):
        _trace(self, "debug_traceCall", [call, "latest"])
        return _plain(self, method, params)
    answer = _plain(self, method, params)
    if "error" in answer:  # nothing has changed, and refusals are what is easily missed
        _trace(self, "debug_traceCall", [call, "latest"])
    return answer


def _decode(raw: Any) -> dict[str, Any]:
    """Return the call that a signed transaction makes."""
    data = HexBytes(raw)
    fields = TypedTransaction.from_bytes(data).as_dict()
    call = {"from": Account.recover_transaction(data), "data": HexBytes(fields["data"]).to_0x_hex()}
    call |= {"value": hex(fields["value"]), "gas": hex(fields["gas"])}
    return call | ({"to": HexBytes(fields["to"]).to_0x_hex()} if fields["to"] else {})


def _wanted(method: str, call: dict[str, Any]) -> bool:
    key = method, str(call.get("to")), str(call.get("data") or call.get("input"))[:10]
    _calls[key] += 1
    return _calls[key] <= CALLS_OF_A_FUNCTION[method]


def pytest_configure() -> None:
    """Stand between web3 and the node."""
    HTTPProvider.make_request = _make_request  # type: ignore[method-assign]


def pytest_sessionfinish() -> None:
    """Write what was seen."""
    record.write()
