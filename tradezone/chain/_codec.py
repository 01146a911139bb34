"""Solidity types as Python values: what calls, events and custom errors carry.

A value is an ``int`` (``uintN``, ``intN``), ``bool``, ``bytes`` (``bytesN``, ``bytes``), ``str``
(``string``; ``address`` in EIP-55 form), ``list`` (arrays) or ``dict`` by field name (structs). Encoding
also takes 20 bytes or hex text for an address, hex text for bytes, and any sequence or frozen record
for a struct. Only what the project's contracts use is here; ``eth-abi`` is the judge in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from dataclasses import fields as dataclass_fields
from typing import Any, Final

from tradezone.protocol.hashing import keccak

from .errors import AbiError

WORD: Final = 32
_NAME = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)?\s*")
_ELEMENTARY = re.compile(r"\s*([a-z]+)([0-9]*)")
_ARRAY = re.compile(r"\s*\[([0-9]*)\]")


@dataclass(frozen=True, slots=True)
class Type:
    """A Solidity type with the name and, for events, the indexing of the parameter that has it.

    ``kind`` is uint, int, bool, address, bytes (fixed), data (dynamic bytes), string, tuple or array;
    ``size`` is bits, bytes, or the length of an array (-1 = dynamic).
    """

    kind: str
    size: int = 0
    parts: tuple[Type, ...] = ()  # fields of a tuple; the element of an array
    name: str = ""
    is_indexed: bool = False

    @property
    def canonical(self) -> str:
        """The type as it stands in a signature."""
        if self.kind == "tuple":
            return "(" + ",".join(part.canonical for part in self.parts) + ")"
        if self.kind == "array":
            return f"{self.parts[0].canonical}[{self.size if self.size >= 0 else ''}]"
        if self.kind == "data":
            return "bytes"
        return self.kind + (str(self.size) if self.size else "")

    @property
    def is_dynamic(self) -> bool:
        """Whether the value stands behind an offset."""
        if self.kind == "array":
            return self.size < 0 or self.parts[0].is_dynamic
        return self.kind in ("data", "string") or any(part.is_dynamic for part in self.parts)

    @property
    def head_words(self) -> int:
        """Words that the value takes in the head of the tuple it is in."""
        if self.is_dynamic:
            return 1
        if self.kind == "tuple":
            return sum(part.head_words for part in self.parts)
        return self.size * self.parts[0].head_words if self.kind == "array" else 1

    def to_json(self) -> dict[str, Any]:
        """Return the parameter as Solidity's compiler writes it into an ABI."""
        inner, suffix = self, ""
        while inner.kind == "array":
            suffix = f"[{inner.size if inner.size >= 0 else ''}]" + suffix
            inner = inner.parts[0]
        base = "tuple" if inner.kind == "tuple" else inner.canonical
        entry: dict[str, Any] = {"name": self.name, "type": base + suffix}
        if inner.kind == "tuple":
            entry["components"] = [part.to_json() for part in inner.parts]
        return entry


# --- parsing ---------------------------------------------------------------------------------------


def parse_parameters(text: str, at: int = 0) -> tuple[tuple[Type, ...], int]:
    """Parse ``(type [indexed] [name], ...)`` at ``text[at]``; returns the parameters and the end."""
    if at >= len(text) or text[at] != "(":
        raise AbiError(f"expected '(' at {at} of {text!r}")
    parameters: list[Type] = []
    at += 1
    while not text[at:].lstrip().startswith(")"):
        if parameters:
            comma = re.match(r"\s*,", text[at:])
            if not comma:
                raise AbiError(f"expected ',' or ')' at {at} of {text!r}")
            at += comma.end()
        parameter, at = _parse_parameter(text, at)
        parameters.append(parameter)
    return tuple(parameters), text.index(")", at) + 1


def _parse_parameter(text: str, at: int) -> tuple[Type, int]:
    at += len(text[at:]) - len(text[at:].lstrip())
    if text[at] == "(":
        parts, at = parse_parameters(text, at)
        kind = Type("tuple", parts=parts)
    else:
        found = _ELEMENTARY.match(text, at)
        if not found:
            raise AbiError(f"expected a type at {at} of {text!r}")
        kind = _elementary(found[1], found[2])
        at = found.end()
    while array := _ARRAY.match(text, at):
        kind = Type("array", int(array[1]) if array[1] else -1, (kind,))
        at = array.end()
    is_indexed, name = False, ""
    while (word := _NAME.match(text, at)) and word[1]:
        is_indexed |= word[1] == "indexed"
        name = word[1]
        at = word.end()
    return Type(kind.kind, kind.size, kind.parts, name, is_indexed), at


def _elementary(kind: str, size: str) -> Type:
    if kind in ("uint", "int") and size and int(size) % 8 == 0 and int(size) <= 256:
        return Type(kind, int(size))
    if kind == "bytes":
        return Type("bytes", int(size)) if size else Type("data")
    if kind in ("bool", "address", "string") and not size:
        return Type(kind)
    raise AbiError(f"expected a Solidity type, was {kind + size!r}")


# --- encoding --------------------------------------------------------------------------------------


def encode(types: Sequence[Type], values: Sequence[Any]) -> bytes:
    """Encode values as the arguments of a call. AbiError names the first that does not fit."""
    if len(types) != len(values):
        names = ", ".join(f"{t.canonical} {t.name}".strip() for t in types)
        raise AbiError(f"expected {len(types)} values ({names}), was {len(values)}")
    head_size = WORD * sum(t.head_words for t in types)
    head, tail = b"", b""
    for kind, value in zip(types, values, strict=True):
        encoded = _encode(kind, value)
        if kind.is_dynamic:
            head += (head_size + len(tail)).to_bytes(WORD, "big")
            tail += encoded
        else:
            head += encoded
    return head + tail


def _encode(kind: Type, value: Any) -> bytes:
    if kind.kind == "tuple":
        return encode(kind.parts, _fields(kind, value))
    if kind.kind == "array":
        items = list(value)
        if kind.size >= 0 and len(items) != kind.size:
            raise _misfit(kind, f"{len(items)} elements")
        length = b"" if kind.size >= 0 else len(items).to_bytes(WORD, "big")
        return length + encode(kind.parts * len(items), items)
    if kind.kind in ("uint", "int", "bool"):
        return _encode_number(kind, value)
    if kind.kind == "address":
        return to_address_bytes(value).rjust(WORD, b"\0")
    data = value.encode() if kind.kind == "string" else to_bytes(value)
    if kind.kind == "bytes":
        if len(data) != kind.size:
            raise _misfit(kind, f"{len(data)} bytes")
        return data.ljust(WORD, b"\0")
    return len(data).to_bytes(WORD, "big") + data + bytes(-len(data) % WORD)


def _encode_number(kind: Type, value: Any) -> bytes:
    if kind.kind == "bool":
        return int(bool(value)).to_bytes(WORD, "big")
    number = int(value)
    low, high = (
        (0, 1 << kind.size) if kind.kind == "uint" else (-1 << kind.size - 1, 1 << kind.size - 1)
    )
    if not low <= number < high:
        raise _misfit(kind, str(number))
    return (number % (1 << 256)).to_bytes(WORD, "big")


def _fields(kind: Type, value: Any) -> Sequence[Any]:
    if isinstance(value, Mapping):
        missing = [part.name for part in kind.parts if part.name not in value]
        if missing:
            raise _misfit(kind, f"a struct without {', '.join(missing)}")
        return [value[part.name] for part in kind.parts]
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in dataclass_fields(value)]
    return list(value)


def _misfit(kind: Type, was: str) -> AbiError:
    return AbiError(f"expected {kind.canonical} for {kind.name or 'a value'}, was {was}")


# --- decoding --------------------------------------------------------------------------------------


def decode(types: Sequence[Type], data: bytes) -> list[Any]:
    """Decode what a call returned or an event carries. AbiError if the bytes end early."""
    values, at = [], 0
    for kind in types:
        where = _number(data, at) if kind.is_dynamic else at
        values.append(_decode(kind, data[where:]))
        at += WORD * kind.head_words
    return values


def _number(data: bytes, at: int) -> int:
    if at + WORD > len(data):
        raise AbiError(f"expected {at + WORD} bytes or more, was {len(data)}")
    return int.from_bytes(data[at : at + WORD], "big")


def _decode(kind: Type, data: bytes) -> Any:
    if kind.kind == "tuple":
        names = [part.name or str(n) for n, part in enumerate(kind.parts)]
        return dict(zip(names, decode(kind.parts, data), strict=True))
    if kind.kind == "array":
        if kind.size >= 0:
            return decode(kind.parts * kind.size, data)
        count = _number(data, 0)
        if count * WORD > len(data):
            raise AbiError(f"expected {count} elements, was {len(data)} bytes")
        return decode(kind.parts * count, data[WORD:])
    number = _number(data, 0)
    if kind.kind in ("data", "string"):
        if WORD + number > len(data):
            raise AbiError(f"expected {number} bytes of {kind.canonical}, was {len(data) - WORD}")
        raw = data[WORD : WORD + number]
        return raw if kind.kind == "data" else raw.decode(errors="replace")
    if kind.kind == "bool":
        return number != 0
    if kind.kind == "address":
        return to_checksum(data[12:WORD])
    if kind.kind == "bytes":
        return data[: kind.size]
    return number - (1 << 256) if kind.kind == "int" and number >> 255 else number


# --- bytes, hex, addresses -------------------------------------------------------------------------


def to_bytes(value: Any) -> bytes:
    """Return bytes of bytes or ``0x`` hex text."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    try:
        if isinstance(value, str) and value.startswith("0x"):
            return bytes.fromhex(value[2:])
    except ValueError:
        pass
    raise AbiError(f"expected bytes or 0x-prefixed hex text, was {value!r}")


def to_address_bytes(value: Any) -> bytes:
    """Return the 20 bytes of an address given as bytes or hex text; wrong checksums are refused."""
    try:
        data = to_bytes(value)
    except AbiError:
        data = b""
    if len(data) != 20:
        raise AbiError(f"expected an address (0x and 40 hex digits), was {value!r}")
    if isinstance(value, str) and value[2:] not in (value[2:].lower(), value[2:].upper()):
        expected = to_checksum(data)
        if value != expected:
            hint = f"if the letters' case was lost it is {expected}"
            raise AbiError(f"address {value} has a wrong checksum: a digit may be mistyped", hint)
    return data


def to_checksum(address: bytes) -> str:
    """Return an address in EIP-55 form."""
    text = address.hex()
    digest = keccak(text.encode()).hex()
    return "0x" + "".join(
        c.upper() if nibble >= "8" else c for c, nibble in zip(text, digest[:40], strict=True)
    )
