"""Keccak-256 for jitted code: one message at a time, and eight at a time for the record tree.

The permutation is written once, as LLVM IR (`_emit_permutation`), and used at two widths: 64-bit
integers for single messages, vectors of ``WIDTH`` integers for batches, in which vector element j
belongs to message j. Emitting vectors directly, rather than leaving it to the auto-vectoriser, keeps
the 24 rounds in a loop: the batch form compiles in half a second instead of half a minute and runs
at full speed (`bench/state_commit.py`), so no scalar twin for small batches is needed.

Invariants
----------
* A digest, and any 32-byte node, is 4 ``uint64`` in memory that hold its bytes in order (the Keccak
  lanes of a little-endian machine), so an ``(n, 4)`` array viewed as bytes is n digests.
* Every function is pure: it reads its inputs and writes only the range that its docstring names.

With ``NUMBA_DISABLE_JIT=1`` the two primitives have plain Python forms of the same meaning.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from llvmlite import ir
from numba import config, njit
from numba.core import cgutils, errors, types
from numba.extending import intrinsic

from tradezone.protocol.hashing import keccak

if TYPE_CHECKING:
    from numpy.typing import NDArray

    U8 = NDArray[np.uint8]
    U64 = NDArray[np.uint64]

__all__ = [
    "hash_ancestors",
    "hash_ids",
    "hash_inputs",
    "hash_ranges",
    "hash_records",
    "keccak",
    "keccak256",
    "keccak_id",
    "keccak_pair",
]

if sys.byteorder != "little":
    message = "records and digests are little-endian in memory; this machine is big-endian"
    raise ImportError(message)

RATE: Final = 136  # bytes absorbed by one permutation: 1600 bits less twice the 256 of the digest
RATE_LANES: Final = RATE // 8
STATE_LANES: Final = 25
CACHE_LINE: Final = 64  # bytes
# How many messages ahead their memory is asked for: two groups, more than a group takes to hash.
_AHEAD: Final = 16
WIDTH: Final = 8  # messages hashed side by side: one AVX-512 register, and the fastest on AVX2 too

_ROUND_CONSTANTS: Final = (
    0x0000000000000001,
    0x0000000000008082,
    0x800000000000808A,
    0x8000000080008000,
    0x000000000000808B,
    0x0000000080000001,
    0x8000000080008081,
    0x8000000000008009,
    0x000000000000008A,
    0x0000000000000088,
    0x0000000080008009,
    0x000000008000000A,
    0x000000008000808B,
    0x800000000000008B,
    0x8000000000008089,
    0x8000000000008003,
    0x8000000000008002,
    0x8000000000000080,
    0x000000000000800A,
    0x800000008000000A,
    0x8000000080008081,
    0x8000000000008080,
    0x0000000080000001,
    0x8000000080008008,
)
# Rotation of lane x + 5 y.
_ROTATIONS: Final = (
    *(0, 1, 62, 28, 27),
    *(36, 44, 6, 55, 20),
    *(3, 10, 43, 25, 39),
    *(41, 45, 15, 21, 8),
    *(18, 2, 61, 56, 14),
)

_I8: Final = ir.IntType(8)
_I64: Final = ir.IntType(64)


# --- the permutation, as LLVM IR -------------------------------------------------------------------


def _emit_permutation(builder: Any, lanes: list[Any], width: int, unroll: int) -> list[Any]:
    """Emit keccak-f[1600] over 25 lanes, each an integer (width 1) or a vector of ``width``.

    ``unroll`` rounds form one pass of the loop; it must divide 24.
    """
    lane_type = lanes[0].type
    shift_left = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(lane_type, [lane_type] * 3),
        "llvm.fshl.i64" if width == 1 else f"llvm.fshl.v{width}i64",
    )

    def rotate(value: Any, count: int) -> Any:
        if count == 0:
            return value
        amount = ir.Constant(lane_type, count if width == 1 else [count] * width)
        return builder.call(shift_left, [value, value, amount])

    def broadcast(value: Any) -> Any:
        if width == 1:
            return value
        undefined = ir.Constant(lane_type, ir.Undefined)
        single = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
        return builder.shuffle_vector(single, undefined, mask)

    def one_round(a: list[Any], constant: Any) -> list[Any]:
        columns = []
        for x in range(5):
            column = a[x]
            for y in range(1, 5):
                column = builder.xor(column, a[x + 5 * y])
            columns.append(column)
        mix = [builder.xor(columns[x - 1], rotate(columns[(x + 1) % 5], 1)) for x in range(5)]
        moved: list[Any] = [None] * STATE_LANES
        for x in range(5):
            for y in range(5):
                mixed = builder.xor(a[x + 5 * y], mix[x])
                moved[y + 5 * ((2 * x + 3 * y) % 5)] = rotate(mixed, _ROTATIONS[x + 5 * y])
        result = []
        for y in range(5):
            for x in range(5):
                others = builder.and_(
                    builder.not_(moved[(x + 1) % 5 + 5 * y]), moved[(x + 2) % 5 + 5 * y]
                )
                result.append(builder.xor(moved[x + 5 * y], others))
        result[0] = builder.xor(result[0], constant)
        return result

    table_type = ir.ArrayType(_I64, len(_ROUND_CONSTANTS))
    table = cgutils.global_constant(
        builder, "keccak_round_constants", ir.Constant(table_type, list(_ROUND_CONSTANTS))
    )
    entry = builder.block
    loop = builder.append_basic_block("keccak.rounds")
    done = builder.append_basic_block("keccak.done")
    builder.branch(loop)
    builder.position_at_end(loop)
    counter = builder.phi(_I64)
    counter.add_incoming(ir.Constant(_I64, 0), entry)
    state = []
    for lane in lanes:
        phi = builder.phi(lane_type)
        phi.add_incoming(lane, entry)
        state.append(phi)
    current: list[Any] = list(state)
    for step in range(unroll):
        place = builder.add(counter, ir.Constant(_I64, step))
        constant = builder.load(builder.gep(table, [ir.Constant(_I64, 0), place]))
        current = one_round(current, broadcast(constant))
    following = builder.add(counter, ir.Constant(_I64, unroll))
    counter.add_incoming(following, builder.block)
    for phi, value in zip(state, current, strict=True):
        phi.add_incoming(value, builder.block)
    more = builder.icmp_unsigned("<", following, ir.Constant(_I64, len(_ROUND_CONSTANTS)))
    builder.cbranch(more, loop, done)
    builder.position_at_end(done)
    return current


def _array_pointer(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    return context.make_array(array_type)(context, builder, array).data


def _require_array(array: Any, dtype: Any, what: str) -> None:
    if not isinstance(array, types.Array) or array.dtype != dtype or array.layout != "C":
        text = f"expected {what} as a C-contiguous array of {dtype}, was {array}"
        raise errors.TypingError(text)


_STATE: Final = types.UniTuple(types.uint64, STATE_LANES)


def _pack_state(context: Any, builder: Any, lanes: list[Any]) -> Any:
    return context.make_tuple(builder, _STATE, lanes)


@intrinsic
def _permute_one(_typing: Any, state: Any) -> Any:
    """Keccak-f[1600] of 25 lanes held in registers."""

    def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        lanes = cgutils.unpack_tuple(builder, args[0])
        # Two rounds a pass: one leaves the loop's register moves in the way (3.5 against 4.6 M/s).
        return _pack_state(context, builder, _emit_permutation(builder, lanes, 1, 2))

    return (_STATE(_STATE), generate) if state == _STATE else None


@intrinsic
def _absorb_block(_typing: Any, state: Any, source: Any, start: Any) -> Any:
    """State XOR the 136 bytes of source from start. The caller has checked the range."""
    _require_array(source, types.uint8, "source")

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = cgutils.unpack_tuple(builder, args[0])
        base = _array_pointer(context, builder, signature.args[1], args[1])
        words = builder.bitcast(builder.gep(base, [args[2]]), _I64.as_pointer())
        for index in range(RATE_LANES):
            place = builder.gep(words, [ir.Constant(_I64, index)])
            lanes[index] = builder.xor(lanes[index], builder.load(place, align=1))
        return _pack_state(context, builder, lanes)

    return _STATE(_STATE, source, types.int64), generate


@intrinsic
def _absorb_last(_typing: Any, state: Any, source: Any, start: Any, length: Any) -> Any:
    """State XOR the last 0..135 bytes of the message with its padding. The range is checked."""
    _require_array(source, types.uint8, "source")

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = cgutils.unpack_tuple(builder, args[0])
        base = _array_pointer(context, builder, signature.args[1], args[1])
        block = cgutils.alloca_once(builder, ir.ArrayType(_I8, RATE))
        head = builder.bitcast(block, _I8.as_pointer())
        cgutils.memset(builder, head, ir.Constant(_I64, RATE), 0)
        cgutils.raw_memcpy(builder, head, builder.gep(base, [args[2]]), args[3], 1)
        builder.store(ir.Constant(_I8, 0x01), builder.gep(head, [args[3]]))
        # With 135 bytes left both marks fall on one byte, hence OR and not a store.
        last = builder.gep(head, [ir.Constant(_I64, RATE - 1)])
        builder.store(builder.or_(builder.load(last), ir.Constant(_I8, 0x80)), last)
        words = builder.bitcast(block, _I64.as_pointer())
        for index in range(RATE_LANES):
            place = builder.gep(words, [ir.Constant(_I64, index)])
            lanes[index] = builder.xor(lanes[index], builder.load(place, align=1))
        return _pack_state(context, builder, lanes)

    return _STATE(_STATE, source, types.int64, types.int64), generate


@intrinsic
def _store_digest(_typing: Any, state: Any, out: Any, start: Any) -> Any:
    """Write the first 32 bytes of the state to out from start. The caller has checked the range."""
    _require_array(out, types.uint8, "out")

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = cgutils.unpack_tuple(builder, args[0])
        base = _array_pointer(context, builder, signature.args[1], args[1])
        words = builder.bitcast(builder.gep(base, [args[2]]), _I64.as_pointer())
        for index in range(4):
            place = builder.gep(words, [ir.Constant(_I64, index)])
            builder.store(lanes[index], place, align=1)
        return context.get_dummy_value()

    return types.void(_STATE, out, types.int64), generate


@intrinsic
def _permute_many_jit(_typing: Any, source: Any, target: Any) -> Any:
    """Keccak-f[1600] of ``WIDTH`` states: arrays (25, WIDTH), which the caller allocated itself."""
    _require_array(source, types.uint64, "source")
    _require_array(target, types.uint64, "target")
    vector = ir.VectorType(_I64, WIDTH)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rows = []
        for array_type, array in zip(signature.args, args, strict=True):
            base = _array_pointer(context, builder, array_type, array)
            rows.append(builder.bitcast(base, vector.as_pointer()))
        lanes = []
        for index in range(STATE_LANES):
            place = builder.gep(rows[0], [ir.Constant(_I64, index)])
            lanes.append(builder.load(place, align=8))
        lanes = _emit_permutation(builder, lanes, WIDTH, 1)
        for index, lane in enumerate(lanes):
            builder.store(lane, builder.gep(rows[1], [ir.Constant(_I64, index)]), align=8)
        return context.get_dummy_value()

    return types.void(source, target), generate


@intrinsic
def _swap_bytes_jit(_typing: Any, value: Any) -> Any:
    """Reverse the 8 bytes of a uint64."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.bswap(args[0])

    return (types.uint64(types.uint64), generate) if value == types.uint64 else None


@intrinsic
def _prefetch_jit(_typing: Any, array: Any, row: Any) -> Any:
    """Ask for the cache lines of a row of a 2-dimensional array; rows outside of it do no harm."""
    if not isinstance(array, types.Array) or array.layout != "C" or array.ndim != 2:
        raise errors.TypingError("expected a C-contiguous array with 2 dimensions")

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = context.make_array(signature.args[0])(context, builder, args[0])
        pitch = builder.extract_value(value.strides, 0)
        base = builder.ptrtoint(value.data, _I64)
        begin = builder.add(base, builder.mul(pitch, args[1]))
        # An integer, not a `gep`: LLVM may assume that a pointer stays inside of its object.
        end = builder.add(begin, pitch)
        line = ir.Constant(_I64, CACHE_LINE)
        hint = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(
                ir.VoidType(),
                [cgutils.voidptr_t, cgutils.int32_t, cgutils.int32_t, cgutils.int32_t],
            ),
            "llvm.prefetch.p0i8",
        )
        with cgutils.for_range_slice(builder, begin, end, line, _I64, inc=True) as (address, _):
            place = builder.inttoptr(address, cgutils.voidptr_t)
            read, keep, data = (ir.Constant(cgutils.int32_t, value) for value in (0, 3, 1))
            builder.call(hint, [place, read, keep, data])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


def _permute_many_python(source: U64, target: U64) -> None:
    """Do what ``_permute_many_jit`` does, in plain Python."""
    mask = (1 << 64) - 1

    def rotate(value: int, count: int) -> int:
        return (value << count | value >> (64 - count)) & mask

    for column in range(WIDTH):
        a = [int(value) for value in source[:, column]]
        for constant in _ROUND_CONSTANTS:
            c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
            d = [c[x - 1] ^ rotate(c[(x + 1) % 5], 1) for x in range(5)]
            b = [0] * STATE_LANES
            for x in range(5):
                for y in range(5):
                    place = x + 5 * y
                    b[y + 5 * ((2 * x + 3 * y) % 5)] = rotate(a[place] ^ d[x], _ROTATIONS[place])
            a = [
                b[x + 5 * y] ^ (~b[(x + 1) % 5 + 5 * y] & b[(x + 2) % 5 + 5 * y])
                for y in range(5)
                for x in range(5)
            ]
            a[0] ^= constant
        target[:, column] = a


def _swap_bytes_python(value: np.uint64) -> np.uint64:
    """Do what ``_swap_bytes_jit`` does, in plain Python."""
    return np.uint64(int.from_bytes(int(value).to_bytes(8, "little"), "big"))


def _prefetch_python(array: U64, row: int | np.signedinteger[Any]) -> None:
    """Do nothing: a hint has no meaning in plain Python."""


_prefetch = _prefetch_python if config.DISABLE_JIT else _prefetch_jit
_permute_many = _permute_many_python if config.DISABLE_JIT else _permute_many_jit
_swap_bytes = _swap_bytes_python if config.DISABLE_JIT else _swap_bytes_jit


# --- one message -----------------------------------------------------------------------------------

_ZERO: Final = np.uint64(0)
_ONE: Final = np.uint64(1)
_ZERO_STATE: Final = (_ZERO,) * STATE_LANES
_FIRST_MARK: Final = np.uint64(0x01)  # padding byte behind the message
INPUT_PREFIX: Final = np.uint64(0x01)  # first byte of what is hashed to a leaf of an inputs tree
_LAST_MARK: Final = np.uint64(0x80 << 56)  # padding bit at the end of the block, in lane 16


@njit(cache=True, nogil=True, boundscheck=True)
def _keccak256_jit(source: U8, start: int, length: int, out: U8, out_start: int) -> None:
    first = np.int64(start)
    rest = np.int64(length)
    target = np.int64(out_start)
    # Written without sums, so that no value of the arguments can overflow past the check.
    if first < 0 or rest < 0 or rest > source.size or first > source.size - rest:
        raise IndexError("keccak256: source range lies outside of the array")
    if target < 0 or target > out.size - 32:
        raise IndexError("keccak256: 32 bytes do not fit into out at out_start")
    state = _ZERO_STATE
    while rest >= RATE:
        state = _permute_one(_absorb_block(state, source, first))
        first += RATE
        rest -= RATE
    state = _permute_one(_absorb_last(state, source, first, rest))
    _store_digest(state, out, target)


def _keccak256_python(source: U8, start: int, length: int, out: U8, out_start: int) -> None:
    if start < 0 or length < 0 or start + length > source.size:
        raise IndexError("keccak256: source range lies outside of the array")
    if out_start < 0 or out_start + 32 > out.size:
        raise IndexError("keccak256: 32 bytes do not fit into out at out_start")
    digest = keccak(source[start : start + length].tobytes())
    out[out_start : out_start + 32] = np.frombuffer(digest, np.uint8)


keccak256 = _keccak256_python if config.DISABLE_JIT else _keccak256_jit
keccak256.__doc__ = """Hash a range of bytes; callable from jitted code and from Python.

    Parameters
    ----------
    source : uint8[::1]
        Bytes to read; C-contiguous, may be read-only.
    start, length : int
        The message is ``source[start : start + length]``; any length, 0 included.
    out : uint8[::1]
        Where the 32 bytes of the digest go. It may be ``source`` itself: all is read before.
    out_start : int
        The digest is ``out[out_start : out_start + 32]``.

    Raises
    ------
    IndexError
        If either range leaves its array; nothing is written then.
    """


@njit(cache=True, nogil=True, boundscheck=True)
def _keccak_pair_jit(
    left0: int, left1: int, left2: int, left3: int,
    right0: int, right1: int, right2: int, right3: int,
) -> tuple[int, int, int, int]:  # fmt: skip
    state = _permute_one(
        (
            np.uint64(left0), np.uint64(left1), np.uint64(left2), np.uint64(left3),
            np.uint64(right0), np.uint64(right1), np.uint64(right2), np.uint64(right3),
            _FIRST_MARK, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO,
            _LAST_MARK, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO,
        )
    )  # fmt: skip
    return state[0], state[1], state[2], state[3]


def _keccak_pair_python(*limbs: int) -> tuple[np.uint64, ...]:
    digest = keccak(np.array(limbs, np.uint64).tobytes())
    return tuple(np.frombuffer(digest, np.uint64))


keccak_pair = _keccak_pair_python if config.DISABLE_JIT else _keccak_pair_jit
keccak_pair.__doc__ = """Hash two 32-byte values of 4 uint64 limbs each, as a node of a tree is.

    Parameters
    ----------
    left0, left1, left2, left3, right0, right1, right2, right3 : uint64
        The limbs in memory order (see the module's invariants).

    Returns
    -------
    tuple of 4 uint64
        keccak-256 of the 64 bytes, in the same form.
    """


_WORD: Final = np.uint64(32)
_ID_MARK: Final = np.uint64(
    0x01 << 24
)  # the padding byte behind the last 4 bytes of an id, big-endian


@njit(cache=True, nogil=True, boundscheck=True)
def _keccak_id_jit(number: int, high: int, low: int) -> np.signedinteger[Any]:
    first, last = np.uint64(high), np.uint64(low)
    state = _permute_one(
        (
            _swap_bytes((np.uint64(number) << _WORD) | (first >> _WORD)),
            _swap_bytes((first << _WORD) | (last >> _WORD)),
            _swap_bytes((last << _WORD) | _ID_MARK),
            _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO,
            _LAST_MARK, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO,
        )
    )  # fmt: skip
    return np.int64(_swap_bytes(state[3]))


def _keccak_id_python(number: int, high: int, low: int) -> int:
    mask = (1 << 64) - 1
    message = b"".join(
        (
            number.to_bytes(4, "big"),
            (high & mask).to_bytes(8, "big"),
            (low & mask).to_bytes(8, "big"),
        )
    )
    return int.from_bytes(keccak(message)[24:], "big", signed=True)


keccak_id = _keccak_id_python if config.DISABLE_JIT else _keccak_id_jit
keccak_id.__doc__ = """Hash a number of 4 bytes and an id of 16, both big-endian; callable from jitted code.

    Parameters
    ----------
    number : int
        0 .. 2^32 - 1
    high, low : int64
        The id's two halves; their bits are what counts.

    Returns
    -------
    int64
        The last 8 bytes of the digest, big-endian.
    """


# --- many messages ---------------------------------------------------------------------------------
#
# Call these from Python. LLVM optimises a jitted function that another one calls a second time, as a
# part of the caller, and these loops lose half of their speed to it.


@njit(cache=True, nogil=True, boundscheck=True)
def hash_ancestors(nodes: U64, height: int, empty: U64, positions: U64) -> None:
    """Recompute all ancestors of chosen leaves of a positional tree, level by level.

    Level k, of ``2^(height - k)`` nodes, begins at row ``2^(height + 1) - 2^(height + 1 - k)``. A row
    holds the node XOR ``empty[k]``, so that memory never touched reads as empty subtrees:
    ``node(k + 1, p) = keccak(node(k, 2p) | node(k, 2p + 1))``.

    Parameters
    ----------
    nodes : uint64[:, ::1], shape (2^(height + 1) - 1, 4)
        The whole tree, leaves first; ancestors are written.
    height : int
        Levels above the leaves, 0..32.
    empty : uint64[:, ::1], shape (more than height, 4)
        Hash of an empty subtree by its height, counted from the leaves.
    positions : uint64[::1]
        Positions of the leaves, rising. Overwritten.

    Raises
    ------
    IndexError
        If a position is not below 2^height.
    """
    block = np.zeros((STATE_LANES, WIDTH), np.uint64)
    state = np.empty((STATE_LANES, WIDTH), np.uint64)
    block[8, :] = _FIRST_MARK
    block[16, :] = _LAST_MARK
    count = positions.size
    size = np.int64(1) << height
    below = np.int64(0)
    if count > 0 and positions[count - 1] >= np.uint64(size):
        raise IndexError("hash_ancestors: a position lies outside of the tree")
    for level in range(height):
        unique = 0
        for i in range(count):
            parent = positions[i] >> _ONE
            # Rising, so equal parents are neighbours.
            if unique == 0 or positions[unique - 1] != parent:
                positions[unique] = parent
                unique += 1
        count = unique
        above = below + size
        for first in range(0, count, WIDTH):
            used = min(WIDTH, count - first)
            for i in range(first + _AHEAD, min(first + _AHEAD + WIDTH, count)):
                _prefetch(nodes, below + 2 * np.int64(positions[i]))
                _prefetch(nodes, above + np.int64(positions[i]))
            for j in range(used):
                left = below + 2 * np.int64(positions[first + j])
                for k in range(4):
                    block[k, j] = nodes[left, k] ^ empty[level, k]
                    block[4 + k, j] = nodes[left + 1, k] ^ empty[level, k]
            _permute_many(block, state)
            for j in range(used):
                parent_row = above + np.int64(positions[first + j])
                for k in range(4):
                    nodes[parent_row, k] = state[k, j] ^ empty[level + 1, k]
        below = above
        size //= 2


@njit(cache=True, nogil=True, boundscheck=True)
def hash_records(records: U64, type_number: int, slots: U64, out: U64) -> None:
    """Compute the leaves of chosen records of one table (`docs/spec/tree.md`).

    ``out[s] = keccak(0x00 | type | slot | words big-endian)``, or zero if every word is zero.

    Parameters
    ----------
    records : uint64[:, ::1], shape (capacity, 4 * words)
        The table, each record as its limbs in memory; 1 to 6 words.
    type_number : int
        Type number of the table, 0..255.
    slots : uint64[::1]
        Slots to hash, each below 2^32.
    out : uint64[:, ::1], shape (more than max(slots), 4)
        Leaves by slot; only rows named in ``slots`` are written.

    Raises
    ------
    IndexError
        If a slot lies outside of the table or of ``out``.
    ValueError
        If records are not 1 to 6 words.
    """
    limbs = records.shape[1]
    if limbs % 4 != 0 or limbs < 4 or limbs > 24:
        raise ValueError("hash_records: expected records of 1 to 6 words")
    # The 6 bytes of the header shift every lane of the record by 48 bits, and leave 6 bytes of the
    # record for lane `limbs`; 6 + 32 * words + 1 bytes fit into one block up to 4 words.
    block = np.zeros((STATE_LANES, WIDTH), np.uint64)
    second = np.zeros((RATE_LANES, WIDTH), np.uint64)
    state = np.empty((STATE_LANES, WIDTH), np.uint64)
    is_long = limbs >= RATE_LANES
    if is_long:
        second[16, :] = _LAST_MARK
    else:
        block[16, :] = _LAST_MARK
    is_used = np.zeros(WIDTH, np.bool_)
    shift_up = np.uint64(48)
    shift_down = np.uint64(16)
    end = _FIRST_MARK << shift_up
    if limbs == 16:  # the record ends in lane 16 and shares it with both padding marks
        end |= _LAST_MARK
    kind = np.uint64(type_number) << np.uint64(8)
    count = slots.size
    for first in range(0, count, WIDTH):
        used = min(WIDTH, count - first)
        for i in range(first + _AHEAD, min(first + _AHEAD + WIDTH, count)):
            _prefetch(records, np.int64(slots[i]))
            _prefetch(out, np.int64(slots[i]))
        for j in range(used):
            slot = np.int64(slots[first + j])
            carry = kind | (_swap_bytes(np.uint64(slot)) >> shift_down)
            every = _ZERO
            for k in range(limbs):
                # Limb k of the chain form: words in order, each from its high end.
                limb = records[slot, k ^ 3]
                every |= limb
                swapped = _swap_bytes(limb)
                lane = carry | (swapped << shift_up)
                carry = swapped >> shift_down
                if k < RATE_LANES:
                    block[k, j] = lane
                else:
                    second[k - RATE_LANES, j] = lane
            lane = carry | end
            if is_long:
                second[limbs - RATE_LANES, j] = lane
            else:
                block[limbs, j] = lane
            is_used[j] = every != _ZERO
        _permute_many(block, state)
        if is_long:
            for k in range(RATE_LANES):
                for j in range(WIDTH):
                    state[k, j] ^= second[k, j]
            _permute_many(state, state)
        for j in range(used):
            slot = np.int64(slots[first + j])
            for k in range(4):
                out[slot, k] = state[k, j] if is_used[j] else _ZERO


@njit(cache=True, nogil=True, boundscheck=True)
def hash_ranges(buffer: U8, bounds: NDArray[np.int64], out: U8) -> None:
    """Hash consecutive ranges of bytes.

    Parameters
    ----------
    buffer : uint8[::1]
        The messages, one after the other.
    bounds : int64[::1], shape (n + 1,)
        Message i is ``buffer[bounds[i] : bounds[i + 1]]``.
    out : uint8[::1], shape (at least 32 * n,)
        Digest i is ``out[32 * i : 32 * i + 32]``.

    Raises
    ------
    IndexError
        If a range leaves ``buffer`` or runs backwards, or ``out`` is too small.
    """
    for i in range(bounds.size - 1):
        keccak256(buffer, bounds[i], bounds[i + 1] - bounds[i], out, 32 * i)


@njit(cache=True, nogil=True, boundscheck=True)
def hash_ids(
    count: int, numbers: NDArray[np.int64], ids: NDArray[np.int64], out: NDArray[np.int64]
) -> None:
    """Compute ``keccak_id`` of many.

    Parameters
    ----------
    count : int
        How many there are.
    numbers : int64[::1], shape (at least count,)
        Each below 2^32.
    ids : int64[:, ::1], shape (at least count, 2)
        High and low halves.
    out : int64[::1], shape (at least count,)
        Entries 0 .. count - 1 are written.
    """
    block = np.zeros((STATE_LANES, WIDTH), np.uint64)
    state = np.empty((STATE_LANES, WIDTH), np.uint64)
    block[16, :] = _LAST_MARK
    for first in range(0, count, WIDTH):
        used = min(WIDTH, count - first)
        for j in range(used):
            number = np.uint64(numbers[first + j])
            high, low = np.uint64(ids[first + j, 0]), np.uint64(ids[first + j, 1])
            block[0, j] = _swap_bytes((number << _WORD) | (high >> _WORD))
            block[1, j] = _swap_bytes((high << _WORD) | (low >> _WORD))
            block[2, j] = _swap_bytes((low << _WORD) | _ID_MARK)
        _permute_many(block, state)
        for j in range(used):
            out[first + j] = np.int64(_swap_bytes(state[3, j]))


@njit(cache=True, nogil=True, boundscheck=True)
def hash_inputs(first_seq: int, digests: U64, sizes: NDArray[np.int64], out: U64) -> None:
    """Compute the leaves of an inputs tree.

    ``out[i] = keccak(0x01 | first_seq + i | sizes[i] | digests[i])``

    Parameters
    ----------
    first_seq : uint64
        Sequence number of the first leaf; its 8 bytes are hashed big-endian.
    digests : uint64[:, ::1], shape (n, 4)
        keccak-256 of each leaf's bytes.
    sizes : int64[::1], shape (at least n,)
        Number of each leaf's bytes, 0 .. 2^32 - 1; its 4 bytes are hashed big-endian.
    out : uint64[:, ::1], shape (at least n, 4)
        Rows 0 .. n-1 are written.
    """
    block = np.zeros((STATE_LANES, WIDTH), np.uint64)
    state = np.empty((STATE_LANES, WIDTH), np.uint64)
    block[16, :] = _LAST_MARK
    seq_up, seq_down = np.uint64(8), np.uint64(56)
    up, down = np.uint64(40), np.uint64(24)
    half = np.uint64(32)
    count = digests.shape[0]
    for first in range(0, count, WIDTH):
        used = min(WIDTH, count - first)
        for j in range(used):
            # Prefix (1 byte), number (8) and size (4) fill a lane and 5 bytes of the next one.
            seq = _swap_bytes(np.uint64(first_seq) + np.uint64(first + j))
            size = _swap_bytes(np.uint64(sizes[first + j])) >> half
            block[0, j] = INPUT_PREFIX | (seq << seq_up)
            carry = (seq >> seq_down) | (size << seq_up)
            for k in range(4):
                lane = digests[first + j, k]
                block[k + 1, j] = carry | (lane << up)
                carry = lane >> down
            block[5, j] = carry | (_FIRST_MARK << up)
        _permute_many(block, state)
        for j in range(used):
            for k in range(4):
                out[first + j, k] = state[k, j]
