"""The record tree: one root over every record of the state, updated from the records that changed.

A positional keccak-256 tree of depth 40 (`docs/spec/tree.md`). A record is the leaf at
``index = type << 32 | slot``; a record whose words are all zero has the zero leaf, so the root is a
pure function of the state and does not remember what was used once.

Invariants of the storage
-------------------------
* Height h of a table's subtree is the first with ``2^h >= capacity``; level k of it has
  ``2^(h - k)`` nodes, level 0 being the leaves. Above it only the leftmost path is not empty, so it
  is folded up to level 32 by one scalar walk. Levels 32 to 40 are one small tree over the types.
* A stored node is its hash XOR ``Z(k)``, the hash of an empty subtree of its height. Memory never
  touched reads as zero, hence as an empty subtree: a tree over millions of slots costs only the
  pages that records in use touch, about 64 bytes a record.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from tradezone.protocol.records import TABLE_BY_NUMBER, TABLES, WORD_BYTES, Table
from tradezone.state.keccak import hash_ancestors, hash_records, keccak, keccak_pair

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    U64 = NDArray[np.uint64]
    Tables = Mapping[int, NDArray[np.void]]

DEPTH: Final = 40
SLOT_BITS: Final = 32  # levels below the root of a table
TYPE_BITS: Final = DEPTH - SLOT_BITS
HASH_BYTES: Final = 32
LEAF_PREFIX: Final = b"\x00"


def _empty_subtrees() -> tuple[bytes, ...]:
    hashes = [bytes(HASH_BYTES)]
    for _ in range(DEPTH):
        hashes.append(keccak(hashes[-1] * 2))
    return tuple(hashes)


ZERO_HASHES: Final = _empty_subtrees()
"""Z(k), the hash of an empty subtree of height k, for k = 0 .. 40; Z(0) is 32 zero bytes."""

EMPTY_NODES: Final[U64] = (
    np.frombuffer(b"".join(ZERO_HASHES), np.uint64).reshape(DEPTH + 1, 4).copy()
)
"""The same as limbs, shape (41, 4): what a stored node of height k is XORed with."""


class TreeError(ValueError):
    """Something that has no place in the tree: an unknown type, a slot beyond a table's capacity."""


# --- leaves and proofs, in plain Python ------------------------------------------------------------


def to_words(record: bytes) -> bytes:
    """Turn a record from memory form into chain form, or back: reverse the bytes of each word.

    Parameters
    ----------
    record : bytes
        Whole 32-byte words, as in ``table[slot].tobytes()``.

    Raises
    ------
    TreeError
        If the length is not a multiple of 32.
    """
    if len(record) % WORD_BYTES:
        text = f"expected whole words of {WORD_BYTES} bytes, was {len(record)} bytes"
        raise TreeError(text)
    starts = range(0, len(record), WORD_BYTES)
    return b"".join(record[start : start + WORD_BYTES][::-1] for start in starts)


def leaf_hash_of_words(type_number: int, slot: int, words: bytes) -> bytes:
    """Return the leaf of a record given in chain form.

    ``keccak(0x00 | type (1 byte) | slot (4 bytes, big-endian) | words)``, or 32 zero bytes if every
    word is zero.

    Parameters
    ----------
    type_number, slot : int
        Place of the record.
    words : bytes
        The record's words, each big-endian as on chain; as many as the table has.

    Raises
    ------
    TreeError
        If the type has no table, the slot is not below 2^32, or the length is not the table's.
    """
    table = TABLE_BY_NUMBER.get(type_number)
    if table is None:
        text = f"no table has type {type_number}; expected 0 .. {len(TABLES) - 1}"
        raise TreeError(text)
    if not 0 <= slot < 1 << SLOT_BITS:
        text = f"slot {slot} of {table.name} is not within 0 .. 2^{SLOT_BITS} - 1"
        raise TreeError(text)
    if len(words) != WORD_BYTES * table.words:
        text = f"a {table.name} has {WORD_BYTES * table.words} bytes, was {len(words)}"
        raise TreeError(text)
    if not any(words):
        return ZERO_HASHES[0]
    return keccak(LEAF_PREFIX + bytes([type_number]) + slot.to_bytes(4, "big") + words)


def leaf_hash(type_number: int, slot: int, record: bytes) -> bytes:
    """Return the leaf of a record given in memory form (``table[slot].tobytes()``).

    Parameters and errors are those of `leaf_hash_of_words`, but for the byte order of the words.
    """
    return leaf_hash_of_words(type_number, slot, to_words(record))


def fold_proof(leaf: bytes, index: int, proof: Sequence[bytes]) -> bytes:
    """Return the root that ``leaf`` at ``index`` has under the siblings of ``proof``, bottom up.

    Bit i of ``index`` says whether the running node at level i is a right (1) or a left child (0).
    Nothing is checked here: use `verify_proof` or `verify_leaf`.
    """
    node = leaf
    for level, sibling in enumerate(proof):
        node = keccak(sibling + node if index >> level & 1 else node + sibling)
    return node


def verify_leaf(
    root: bytes, type_number: int, slot: int, leaf: bytes, proof: Sequence[bytes]
) -> bool:
    """Tell whether ``leaf`` stands at (type, slot) under ``root``.

    False for a zero root, a proof that is not exactly 40 siblings of 32 bytes, a leaf that is not 32
    bytes, a type above 255 or a slot above 2^32 - 1; so an index cannot wrap around.

    Warning: use `verify_proof` for anything that comes from outside. Here the caller vouches that
    ``leaf`` is a leaf; an inner node given as one is told apart only by the length of its proof.
    """
    if len(root) != HASH_BYTES or not any(root) or len(leaf) != HASH_BYTES:
        return False
    if len(proof) != DEPTH or any(len(sibling) != HASH_BYTES for sibling in proof):
        return False
    if not (0 <= type_number < 1 << TYPE_BITS and 0 <= slot < 1 << SLOT_BITS):
        return False
    return fold_proof(leaf, type_number << SLOT_BITS | slot, proof) == root


def verify_proof(
    root: bytes, type_number: int, slot: int, words: bytes, proof: Sequence[bytes]
) -> bool:
    """Tell whether the record (type, slot) has exactly these words under ``root``.

    Parameters
    ----------
    root : bytes
        State root, 32 bytes.
    type_number, slot : int
        Place of the record.
    words : bytes
        The record in chain form (see `to_words`); all zero proves that the slot is empty.
    proof : sequence of bytes
        40 siblings of 32 bytes, bottom up.

    Returns
    -------
    bool
        False for everything else, malformed arguments included: a number of words that is not the
        table's, an unknown type, and all that `verify_leaf` names.
    """
    try:
        leaf = leaf_hash_of_words(type_number, slot, words)
    except TreeError:
        return False
    return verify_leaf(root, type_number, slot, leaf, proof)


# --- the tree --------------------------------------------------------------------------------------


@njit(cache=True, nogil=True, boundscheck=True)
def _fold_table(nodes: U64, height: int, empty: U64, type_number: int, top: U64) -> None:
    """Fold the root of a table's nodes up to level 32 and store it as leaf of the top tree."""
    last = nodes.shape[0] - 1
    a = nodes[last, 0] ^ empty[height, 0]
    b = nodes[last, 1] ^ empty[height, 1]
    c = nodes[last, 2] ^ empty[height, 2]
    d = nodes[last, 3] ^ empty[height, 3]
    for level in range(height, SLOT_BITS):
        z = empty[level]
        a, b, c, d = keccak_pair(a, b, c, d, z[0], z[1], z[2], z[3])
    top[type_number, 0] = a ^ empty[SLOT_BITS, 0]
    top[type_number, 1] = b ^ empty[SLOT_BITS, 1]
    top[type_number, 2] = c ^ empty[SLOT_BITS, 2]
    top[type_number, 3] = d ^ empty[SLOT_BITS, 3]


@njit(cache=True, nogil=True, boundscheck=True)
def _find_used(records: U64) -> U64:
    """Return the slots of records that are not all zero, rising."""
    count, limbs = records.shape
    slots = np.empty(count, np.uint64)
    used = 0
    for slot in range(count):
        every = np.uint64(0)
        for k in range(limbs):
            every |= records[slot, k]
        if every != 0:
            slots[used] = slot
            used += 1
    return slots[:used]


def _map_nodes(count: int) -> U64:
    """Return a zero ``(count, 4)`` array whose pages appear when they are first written."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    memory = mmap.mmap(-1, count * HASH_BYTES, flags=flags)
    return np.frombuffer(memory, np.uint64).reshape(count, 4)


def _sorted_unique(values: U64) -> U64:
    ordered = np.sort(values)
    if ordered.size > 1:
        is_first = np.empty(ordered.size, np.bool_)
        is_first[0] = True
        np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
        if not is_first.all():
            ordered = ordered[is_first]
    return ordered


class RecordTree:
    """The record tree of a state, kept in memory and updated by `commit`.

    One writer at a time; records named in ``dirty`` must not change while `commit` runs.

    Parameters
    ----------
    tables : iterable of Table, optional
        The tables and their capacities, by default those of the protocol. Capacities do not change
        a root, only how many slots can be used.
    """

    def __init__(self, tables: Iterable[Table] = TABLES) -> None:
        self._tables = {table.number: table for table in tables}
        self._heights = {
            number: (table.capacity - 1).bit_length() for number, table in self._tables.items()
        }
        self._nodes: dict[int, U64] = {}
        self._top: U64 = np.empty((0, 4), np.uint64)
        self._clear()

    def _clear(self) -> None:
        self._nodes = {
            number: _map_nodes((2 << height) - 1) for number, height in self._heights.items()
        }
        self._top = np.zeros(((2 << TYPE_BITS) - 1, 4), np.uint64)

    @property
    def root(self) -> bytes:
        """Root of all that was committed so far, 32 bytes; never zero."""
        return (self._top[-1] ^ EMPTY_NODES[DEPTH]).tobytes()

    def commit(self, state: Tables, dirty: U64) -> bytes:
        """Take the records named in ``dirty`` into the tree and return the new root.

        Parameters
        ----------
        state : mapping of int to structured array
            By type number, the C-contiguous array of the table (at least for the types in
            ``dirty``), slot = array index.
        dirty : uint64[:]
            Indices ``type << 32 | slot`` of all records that changed since the last call, in any
            order. A record named without need costs time and nothing else.

        Returns
        -------
        bytes
            Root of the state, 32 bytes.

        Raises
        ------
        TreeError
            If an index has no record in ``state``, or a table is not what its type says. The tree is
            unchanged then.
        """
        if dirty.dtype != np.uint64 or dirty.ndim != 1:
            text = f"expected dirty as uint64[:], was {dirty.dtype} with {dirty.ndim} dimensions"
            raise TreeError(text)
        ordered = _sorted_unique(dirty)
        work: list[tuple[int, U64, U64]] = []
        start = 0
        while start < ordered.size:
            number = int(ordered[start]) >> SLOT_BITS
            # The end of the type is looked up by its last index: the first of the next may be 2^64.
            last = np.uint64(number << SLOT_BITS | (1 << SLOT_BITS) - 1)
            end = int(np.searchsorted(ordered, last, side="right"))
            records = self._limbs(state, number)
            slots = ordered[start:end] & np.uint64((1 << SLOT_BITS) - 1)
            if slots[-1] >= records.shape[0]:
                table = self._tables[number]
                text = f"slot {slots[-1]} of {table.name} is beyond its {records.shape[0]} records"
                raise TreeError(text)
            work.append((number, records, slots))
            start = end
        for number, records, slots in work:
            nodes, height = self._nodes[number], self._heights[number]
            hash_records(records, number, slots, nodes[: 1 << height])
            hash_ancestors(nodes, height, EMPTY_NODES, slots)
            _fold_table(nodes, height, EMPTY_NODES, number, self._top)
        types = np.array([number for number, _, _ in work], np.uint64)
        hash_ancestors(self._top, TYPE_BITS, EMPTY_NODES[SLOT_BITS:], types)
        return self.root

    def rebuild(self, state: Tables) -> bytes:
        """Forget everything, take in all records of all tables of ``state``, return the root.

        Equals the root of any sequence of `commit` calls that ends in the same state.

        Parameters
        ----------
        state : mapping of int to structured array
            By type number; a table that is absent is empty.

        Raises
        ------
        TreeError
            If a table is not what its type says.
        """
        found = [np.empty(0, np.uint64)]
        for number in state:
            slots = _find_used(self._limbs(state, number))
            found.append(slots | np.uint64(number << SLOT_BITS))
        self._clear()
        return self.commit(state, np.concatenate(found))

    def prove(self, type_number: int, slot: int) -> list[bytes]:
        """Return the 40 siblings of (type, slot), bottom up; any place of the tree, used or not.

        Raises
        ------
        TreeError
            If the type is above 255 or the slot above 2^32 - 1.
        """
        if not (0 <= type_number < 1 << TYPE_BITS and 0 <= slot < 1 << SLOT_BITS):
            text = f"no leaf at type {type_number}, slot {slot}: they have 8 and 32 bits"
            raise TreeError(text)
        proof = [self._node(type_number, level, slot >> level ^ 1) for level in range(SLOT_BITS)]
        start = 0
        for level in range(TYPE_BITS):
            sibling = self._top[start + (type_number >> level ^ 1)]
            proof.append((sibling ^ EMPTY_NODES[SLOT_BITS + level]).tobytes())
            start += 1 << (TYPE_BITS - level)
        return proof

    def _node(self, number: int, level: int, position: int) -> bytes:
        """Node of a table's subtree at a level below 32."""
        height = self._heights.get(number, -1)
        if level <= height and position < 1 << (height - level):
            start = (2 << height) - (2 << (height - level))
            return (self._nodes[number][start + position] ^ EMPTY_NODES[level]).tobytes()
        if level <= height or position != 0 or height < 0:
            return ZERO_HASHES[level]
        node = self._node(number, height, 0)
        for below in range(height, level):
            node = keccak(node + ZERO_HASHES[below])
        return node

    def _limbs(self, state: Tables, number: int) -> U64:
        """Return the table's records as uint64 limbs, shape (capacity, 4 * words)."""
        table = self._tables.get(number)
        if table is None or number not in state:
            text = f"no table of type {number} " + ("in the state" if table else "in this tree")
            raise TreeError(text)
        array = state[number]
        if array.ndim != 1 or not array.flags.c_contiguous or array.dtype != table.dtype:
            text = (
                f"expected {table.name} as a C-contiguous array of {table.dtype.itemsize}-byte "
                f"records, was {array.dtype} with shape {array.shape}"
            )
            raise TreeError(text)
        if array.size > 1 << self._heights[number]:
            text = f"{table.name} has {array.size} records, more than {table.capacity} slots"
            raise TreeError(text)
        return array.view(np.uint64).reshape(array.size, 4 * table.words)
