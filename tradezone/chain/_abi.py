"""Functions, events and errors of a contract, read from text as people write it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from tradezone.protocol.hashing import keccak

from ._codec import Type, decode, encode, parse_parameters, to_bytes
from .errors import AbiError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE = re.compile(r"(struct|function|event|error)\s+(\w+)\s*")
_SIGNATURE_BYTES: Final = 4


def _signature(name: str, types: tuple[Type, ...]) -> str:
    return f"{name}({','.join(t.canonical for t in types)})"


@dataclass(frozen=True)
class Function:
    """A function of a contract: how a call to it is written, and its answer read."""

    name: str
    inputs: tuple[Type, ...]
    outputs: tuple[Type, ...]
    is_view: bool
    is_payable: bool

    @cached_property
    def selector(self) -> bytes:
        """The first 4 bytes of calldata."""
        return keccak(_signature(self.name, self.inputs).encode())[:_SIGNATURE_BYTES]

    def encode(self, *arguments: Any) -> bytes:
        """Return the calldata of a call."""
        return self.selector + encode(self.inputs, arguments)

    def decode_input(self, data: bytes) -> list[Any]:
        """Return the arguments that calldata carries. AbiError if it is for another function."""
        if data[:_SIGNATURE_BYTES] != self.selector:
            raise AbiError(f"expected calldata of {self.name}, was selector 0x{data[:4].hex()}")
        return decode(self.inputs, data[_SIGNATURE_BYTES:])

    def decode(self, data: bytes) -> Any:
        """Return what a call answered: one value, a list of several, or None."""
        values = decode(self.outputs, data)
        return values[0] if len(values) == 1 else (values or None)


@dataclass(frozen=True)
class Event:
    """An event of a contract."""

    name: str
    inputs: tuple[Type, ...]

    @cached_property
    def topic(self) -> bytes:
        """First topic of its logs."""
        return keccak(_signature(self.name, self.inputs).encode())

    def decode(self, log: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a log as the node gives it, by name."""
        topics = [to_bytes(topic) for topic in log["topics"]]
        indexed = [t for t in self.inputs if t.is_indexed]
        if not topics or topics[0] != self.topic or len(topics) != 1 + len(indexed):
            raise AbiError(f"expected a log of {self.name} with {len(indexed)} indexed values")
        by_name = {
            t.name: decode([t], topic)[0] for t, topic in zip(indexed, topics[1:], strict=True)
        }
        rest = [t for t in self.inputs if not t.is_indexed]
        by_name |= dict(
            zip((t.name for t in rest), decode(rest, to_bytes(log["data"])), strict=True)
        )
        return {t.name: by_name[t.name] for t in self.inputs}


@dataclass(frozen=True)
class CustomError:
    """A custom error of a contract."""

    name: str
    inputs: tuple[Type, ...]

    @cached_property
    def selector(self) -> bytes:
        """The first 4 bytes of the revert data."""
        return keccak(_signature(self.name, self.inputs).encode())[:_SIGNATURE_BYTES]

    def decode(self, data: bytes) -> dict[str, Any]:
        """Return the arguments by name."""
        values = decode(self.inputs, data[_SIGNATURE_BYTES:])
        return dict(zip((t.name for t in self.inputs), values, strict=True))


class Contract:
    """The ABI of one contract.

    Parameters
    ----------
    name : str
        as in ``contracts/`` and in a deployments file
    text : str
        one ``struct``, ``function``, ``event`` or ``error`` a line
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.functions: dict[str, Function] = {}
        self.events: dict[str, Event] = {}
        self.errors: dict[str, CustomError] = {}
        structs: dict[str, str] = {}
        for line in filter(None, (line.strip() for line in text.splitlines())):
            found = _LINE.match(line)
            if not found:
                raise AbiError(f"expected struct, function, event or error, was {line!r}")
            kind, item = found[1], found[2]
            rest = line[found.end() :]
            for struct, body in structs.items():
                rest = re.sub(rf"\b{struct}\b(?=[\[ )])", body, rest)
            if kind == "struct":
                structs[item] = rest
                continue
            inputs, end = parse_parameters(rest)
            if kind == "event":
                self.events[item] = Event(item, inputs)
            elif kind == "error":
                self.errors[item] = CustomError(item, inputs)
            else:
                words, _, answer = rest[end:].partition("returns")
                outputs = parse_parameters(answer.strip())[0] if answer else ()
                flags = words.split()
                self.functions[item] = Function(
                    item, inputs, outputs, "view" in flags or "pure" in flags, "payable" in flags
                )

    def __repr__(self) -> str:
        return f"Contract({self.name})"

    def to_json(self) -> list[dict[str, Any]]:
        """Return the ABI as Solidity's compiler writes it, for Ape, web3 or a wallet."""
        entries: list[dict[str, Any]] = [
            {
                "type": "function",
                "name": f.name,
                "inputs": [t.to_json() for t in f.inputs],
                "outputs": [t.to_json() for t in f.outputs],
                "stateMutability": "view"
                if f.is_view
                else "payable"
                if f.is_payable
                else "nonpayable",
            }
            for f in self.functions.values()
        ]
        for event in self.events.values():
            inputs = [t.to_json() | {"indexed": t.is_indexed} for t in event.inputs]
            entries.append(
                {"type": "event", "name": event.name, "inputs": inputs, "anonymous": False}
            )
        entries += [
            {"type": "error", "name": e.name, "inputs": [t.to_json() for t in e.inputs]}
            for e in self.errors.values()
        ]
        return entries
