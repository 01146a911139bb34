"""Write tree.json: golden vectors of the record tree and the inputs tree.

    python tests/vectors/make_tree.py           rewrite the file
    python tests/vectors/make_tree.py --check   fail if it would change

The rules of docs/spec/tree.md in the most obvious code: plain integers, byte strings, recursion and
pysha3. Nothing of `tradezone.state` is used, so the tests that compare the two prove both. Field
values follow from the names of the tables and fields: after a change of records.py, run it again (after `make setup`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import sha3

from tradezone.protocol.records import RECORDS_VERSION, TABLE_BY_NAME, Field, Table

PATH = Path(__file__).with_name("tree.json")
DEPTH = 40
INPUTS_DEPTH = 24
# Every word count, signed fields, an address, bytes16 and bytes32.
TABLES = (
    "head",
    "balance",
    "price",
    "nonces",
    "market",
    "machine",
    "order",
    "event_group",
    "outbox",
    "draft",
    "calendar",
)


def keccak(data: bytes) -> bytes:
    return sha3.keccak_256(data).digest()


def leaf_of(number: int, slot: int, words: list[int]) -> bytes:
    if not any(words):
        return bytes(32)
    data = bytes([0, number]) + slot.to_bytes(4, "big")
    for word in words:
        data += word.to_bytes(32, "big")
    return keccak(data)


def index_of(number: int, slot: int) -> int:
    return number * 2**32 + slot


def empty(height: int) -> bytes:
    return bytes(32) if height == 0 else keccak(empty(height - 1) * 2)


EMPTY = [empty(height) for height in range(DEPTH + 1)]


def root_of(leaves: dict[int, bytes], height: int) -> bytes:
    """Root over the leaves, given by index below 2^height."""
    if not any(any(leaf) for leaf in leaves.values()):
        return EMPTY[height]
    if height == 0:
        return leaves[0]
    middle = 2 ** (height - 1)
    left = {index: leaf for index, leaf in leaves.items() if index < middle}
    right = {index - middle: leaf for index, leaf in leaves.items() if index >= middle}
    return keccak(root_of(left, height - 1) + root_of(right, height - 1))


def proof_of(leaves: dict[int, bytes], index: int, height: int) -> list[bytes]:
    """Siblings of an index, bottom up: level k's is the root over the other half of 2^(k+1)."""
    proof = []
    for level in range(height):
        first = (index // 2**level ^ 1) * 2**level
        inside = {i - first: leaf for i, leaf in leaves.items() if first <= i < first + 2**level}
        proof.append(root_of(inside, level))
    return proof


def input_leaf_of(seq: int, leaf: bytes) -> bytes:
    return keccak(b"\x01" + seq.to_bytes(8, "big") + len(leaf).to_bytes(4, "big") + keccak(leaf))


def words_of(table: Table, values: dict[str, int]) -> list[int]:
    """Pack field values (numbers, negative ones for signed fields) into words."""
    words = [0] * table.words
    for field in table.fields:
        bits = 8 * field.width
        words[field.word] |= values[field.name] % 2**bits << 8 * field.offset
    return words


def _example(table: Table, field: Field) -> int:
    """A value for a field, from the names alone; negative where it can be.

    Unsigned fields keep to the lower half of their range (records.py); parts of an address or hash
    use all bits.
    """
    number = int.from_bytes(keccak(f"{table.name}.{field.name}".encode()), "big")
    if field.kind[0] == "i":
        return -1 - number % 2 ** (8 * field.width - 1)
    return number % 2 ** (8 * field.width - (field.kind[0] == "u"))


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _word(word: int) -> str:
    return _hex(word.to_bytes(32, "big"))


def _records() -> list[dict]:
    records = []
    for place, name in enumerate(TABLES):
        table = TABLE_BY_NAME[name]
        slot = (0, 1, 2, 0x0102, 7, 3, 0xFFFFFFFF, 5, 6, 0, 11)[place]
        values = {field.name: _example(table, field) for field in table.fields}
        words = words_of(table, values)
        records.append(
            {
                "table": name,
                "type": table.number,
                "slot": slot,
                "fields": {name: str(value) for name, value in values.items()},
                "words": [_word(word) for word in words],
                "leaf": _hex(leaf_of(table.number, slot, words)),
            }
        )
    table = TABLE_BY_NAME["balance"]
    records.append(
        {
            "table": table.name,
            "type": table.number,
            "slot": 9,
            "fields": {field.name: "0" for field in table.fields},
            "words": [_word(0)] * table.words,
            "leaf": _hex(bytes(32)),
        }
    )
    return records


def _tree(name: str, places: list[tuple[str, int]], proved: list[tuple[str, int]]) -> dict:
    held = {}
    for table_name, slot in places:
        table = TABLE_BY_NAME[table_name]
        held[table.number, slot] = [1000 * slot + word + 1 for word in range(table.words)]
    leaves = {index_of(*place): leaf_of(*place, words) for place, words in held.items()}
    proofs = []
    for table_name, slot in proved:
        table = TABLE_BY_NAME[table_name]
        words = held.get((table.number, slot), [0] * table.words)
        proofs.append(
            {
                "type": table.number,
                "slot": slot,
                "words": [_word(word) for word in words],
                "proof": [
                    _hex(node) for node in proof_of(leaves, index_of(table.number, slot), DEPTH)
                ],
            }
        )
    return {
        "name": name,
        "records": [
            {"type": number, "slot": slot, "words": [_word(word) for word in words]}
            for (number, slot), words in held.items()
        ],
        "root": _hex(root_of(leaves, DEPTH)),
        "proofs": proofs,
    }


def _inputs(first_seq: int, count: int, proved: list[int]) -> dict:
    inputs = [bytes([position % 251]) * (position * 67 % 300) for position in range(count)]
    leaves = {i: input_leaf_of(first_seq + i, leaf) for i, leaf in enumerate(inputs)}
    return {
        "first_seq": str(first_seq),
        "inputs": [_hex(leaf) for leaf in inputs],
        "root": _hex(root_of(leaves, INPUTS_DEPTH)),
        "proofs": [
            {
                "seq": str(first_seq + position),
                "proof": [_hex(node) for node in proof_of(leaves, position, INPUTS_DEPTH)],
            }
            for position in proved
        ],
    }


def build() -> dict:
    """Return the vectors; 32-byte values as hex, big-endian, numbers that may exceed 2^53 as text."""
    left, right = keccak(b"left"), keccak(b"right")
    return {
        "about": "docs/spec/tree.md; written by tests/vectors/make_tree.py",
        "records_version": RECORDS_VERSION,
        "zero_hashes": [_hex(node) for node in EMPTY],
        "node": {"left": _hex(left), "right": _hex(right), "node": _hex(keccak(left + right))},
        "records": _records(),
        "trees": [
            _tree("empty", [], []),
            _tree("first leaf", [("machine", 0)], [("machine", 0)]),
            _tree(
                "several tables",
                [("machine", 0), ("balance", 1), ("balance", 2), ("balance", 5), ("outbox", 6)],
                [("balance", 2), ("balance", 3), ("outbox", 6)],
            ),
        ],
        "inputs": [_inputs(0, 1, [0]), _inputs(2**64 - 5, 5, [2, 4])],
    }


def text() -> str:
    """Return the file's content."""
    return json.dumps(build(), indent=1) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(f"{PATH.name} is out of date" if PATH.read_text("utf-8") != text() else 0)
    PATH.write_text(text(), encoding="utf-8")
