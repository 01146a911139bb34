"""Who signed which leaf: EIP-712 digests and public key recovery, without the interpreter.

Envelopes, credentials and prices have signers. Any other leaf, one that is not well-formed, or one whose signature
breaks a rule of `docs/spec/blocks.md` (``v`` 27 or 28, ``1 <= r < n``, ``1 <= s <= n/2``, recovery
succeeds), has none: its row is zero.
Recovery is libsecp256k1's, called through the shared object that coincurve ships, so the loop holds no
lock of the interpreter and runs on as many threads as there are cores.

Invariant: ``signers[i]`` is a function of the bytes of leaf i and the domain separator alone.

Where the shared object exports no symbols, or with ``NUMBA_DISABLE_JIT=1``, a plain Python form of the
same meaning takes over.
"""

from __future__ import annotations

import ctypes
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self

import coincurve
import coincurve._libsecp256k1 as _library  # type: ignore[import-not-found,unused-ignore]
import llvmlite.binding
import numpy as np
from numba import config, njit, types

from tradezone.protocol.actions import (
    AT_ACCOUNT,
    AT_ACTION,
    AT_BODY,
    AT_ITEMS,
    AT_SIZE,
    AT_VERSION,
    CREDENTIAL_BODY,
    CREDENTIAL_BODY_BYTES,
    CREDENTIAL_BYTES,
    CREDENTIAL_TYPE,
    ENVELOPE_HEADER,
    ENVELOPE_VERSION,
    ITEM_LAYOUTS,
    LEAF_CREDENTIAL,
    LEAF_ENVELOPE,
    LEAF_PRICE,
    PRICE_BODY_BYTES,
    PRICE_BYTES,
    PRICE_LEAF_BODY,
    PRICE_TYPE,
    SIGNATURE_BYTES,
    SINGLE_ITEM,
    TRADE_TYPE,
    TYPED_ACTIONS,
    Credential,
    Envelope,
    Layout,
    SignedPrice,
    layout_bytes,
    typed_signature,
)
from tradezone.protocol.hashing import keccak
from tradezone.protocol.limits import MAX_ITEMS, MAX_LEAF_BYTES, SECP256K1_HALF_ORDER
from tradezone.state.keccak import keccak256

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    U8 = NDArray[np.uint8]
    I8 = NDArray[np.int64]

ADDRESS_BYTES: Final = 20
SECP256K1_ORDER: Final = 2 * SECP256K1_HALF_ORDER + 1
# Fewer leaves than this a thread are not worth a hand-over: 8 recoveries take 0.25 ms.
SLICE: Final = 8

# --- layouts as arrays -----------------------------------------------------------------------------

_TRADE, _TYPED = 1, 2
_KIND, _UNIT, _MOST, _FIELDS, _FIRST_FIELD = 0, 1, 2, 3, 4
_ACTION_SLOTS: Final = 1 + max(*ITEM_LAYOUTS, *TYPED_ACTIONS)
_SIGNED_CREDENTIAL: Final = CREDENTIAL_BODY[1:]  # the venue, in front, is not signed
_MAX_FIELDS: Final = max(
    len(_SIGNED_CREDENTIAL),
    len(PRICE_LEAF_BODY),
    *(len(layout) for _, layout in TYPED_ACTIONS.values()),
)
_CREDENTIAL_ROW: Final = _ACTION_SLOTS  # behind the actions, in both arrays
_PRICE_ROW: Final = _ACTION_SLOTS + 1
_ORDER_ROW: Final = _ACTION_SLOTS + 2
_HALF_ORDER_ROW: Final = _ACTION_SLOTS + 3
_CREDENTIAL_FIELDS_AT: Final = CREDENTIAL_BODY_BYTES - layout_bytes(_SIGNED_CREDENTIAL)


def _get_widths(layout: Layout) -> list[int]:
    """Bytes of each field; negative = bytes, aligned left."""
    return [-width if kind.startswith("bytes") else width for _, kind, width in layout]


def _build_layouts() -> I8:
    """One row an action: kind, bytes of a unit, most units, fields, widths; then credential and price."""
    rows = np.zeros((_ACTION_SLOTS + 2, _FIRST_FIELD + _MAX_FIELDS), np.int64)
    for action, layout in ITEM_LAYOUTS.items():
        most = 1 if action in SINGLE_ITEM else MAX_ITEMS
        rows[action, :_FIRST_FIELD] = _TRADE, layout_bytes(layout), most, 0
    typed = {action: layout for action, (_, layout) in TYPED_ACTIONS.items()}
    typed |= {_CREDENTIAL_ROW: _SIGNED_CREDENTIAL, _PRICE_ROW: PRICE_LEAF_BODY}
    for row, layout in typed.items():
        rows[row, :_FIRST_FIELD] = _TYPED, layout_bytes(layout), 1, len(layout)
        rows[row, _FIRST_FIELD : _FIRST_FIELD + len(layout)] = _get_widths(layout)
    return rows


def _build_hashes() -> U8:
    """Type hash of each action, of credential and price; then the order of the curve and half of it."""
    rows = np.zeros((_HALF_ORDER_ROW + 1, 32), np.uint8)
    for action in ITEM_LAYOUTS:
        rows[action] = np.frombuffer(keccak(TRADE_TYPE.encode()), np.uint8)
    for action in TYPED_ACTIONS:
        rows[action] = np.frombuffer(keccak(typed_signature(action).encode()), np.uint8)
    rows[_CREDENTIAL_ROW] = np.frombuffer(keccak(CREDENTIAL_TYPE.encode()), np.uint8)
    rows[_PRICE_ROW] = np.frombuffer(keccak(PRICE_TYPE.encode()), np.uint8)
    for row, number in ((_ORDER_ROW, SECP256K1_ORDER), (_HALF_ORDER_ROW, SECP256K1_HALF_ORDER)):
        rows[row] = np.frombuffer(number.to_bytes(32, "big"), np.uint8)
    return rows


LAYOUTS: Final = _build_layouts()
HASHES: Final = _build_hashes()

# --- libsecp256k1 ----------------------------------------------------------------------------------

_PUBLIC_KEY_UNCOMPRESSED: Final = 2  # SECP256K1_EC_UNCOMPRESSED
_CONTEXT_NONE: Final = 1  # SECP256K1_CONTEXT_NONE


def _load_library() -> int:
    """Make libsecp256k1's symbols known to the compiler; return a context, 0 if there are none."""
    path = _library.__file__
    try:
        create = ctypes.CDLL(path).secp256k1_context_create
    except (AttributeError, OSError):
        return 0
    llvmlite.binding.load_library_permanently(path)
    create.restype = ctypes.c_void_p
    create.argtypes = [ctypes.c_uint]
    return int(create(_CONTEXT_NONE) or 0)


_CONTEXT: Final = _load_library()  # verification never writes to it, so threads may share it

_parse_compact = types.ExternalFunction(
    "secp256k1_ecdsa_recoverable_signature_parse_compact",
    types.int32(types.uintp, types.uintp, types.uintp, types.int32),
)
_recover = types.ExternalFunction(
    "secp256k1_ecdsa_recover", types.int32(types.uintp, types.uintp, types.uintp, types.uintp)
)
_serialize = types.ExternalFunction(
    "secp256k1_ec_pubkey_serialize",
    types.int32(types.uintp, types.uintp, types.uintp, types.uintp, types.uint32),
)

# --- one leaf --------------------------------------------------------------------------------------

# Places in the scratch array. Arrays that C code writes belong to the caller of the loop, which keeps
# them alive: Numba may free a local array after its last visible use.
_STRUCT: Final = 0  # words of the struct, at most 1 + 4 + _MAX_FIELDS
_TAGGED: Final = 512  # 0x1901 | separator | struct hash
_DIGEST: Final = 640
_SIGNATURE: Final = 704  # parsed, 65 bytes
_PUBLIC_KEY: Final = 832  # parsed, 64 bytes
_LENGTH: Final = 896  # size_t
_POINT: Final = 960  # 0x04 | x | y
_HASH: Final = 1088
_SCRATCH_BYTES: Final = 1120


@njit(cache=True, nogil=True, boundscheck=True)
def get_body_size(buffer, start, stop, layouts):
    """Bytes of the body if ``buffer[start:stop]`` is a well-formed envelope, else -1.

    The same rules as `tradezone.protocol.actions.Envelope.from_leaf`; ``layouts`` is `LAYOUTS`.
    """
    length = stop - start
    if length < ENVELOPE_HEADER + SIGNATURE_BYTES or length > MAX_LEAF_BYTES:
        return -1
    if buffer[start] != LEAF_ENVELOPE or buffer[start + AT_VERSION] != ENVELOPE_VERSION:
        return -1
    action = np.int64(buffer[start + AT_ACTION])
    items = np.int64(buffer[start + AT_ITEMS])
    size = np.int64(buffer[start + AT_SIZE]) << 8 | np.int64(buffer[start + AT_SIZE + 1])
    if length != ENVELOPE_HEADER + size + SIGNATURE_BYTES or action >= _ACTION_SLOTS:
        return -1
    if items < 1 or items > layouts[action, _MOST] or size != items * layouts[action, _UNIT]:
        return -1
    return size


@njit(cache=True, nogil=True, boundscheck=True)
def is_credential(buffer, start, stop):
    """Whether ``buffer[start:stop]`` has kind and size of a credential."""
    return stop - start == CREDENTIAL_BYTES and buffer[start] == LEAF_CREDENTIAL


@njit(cache=True, nogil=True, boundscheck=True)
def is_price(buffer, start, stop):
    """Whether ``buffer[start:stop]`` has kind and size of a signed price."""
    return stop - start == PRICE_BYTES and buffer[start] == LEAF_PRICE


@njit(cache=True, nogil=True, boundscheck=True)
def find_signature(buffer, start, stop, layouts):
    """Where the signature of an envelope, credential or price begins; -1 for any other leaf."""
    if is_price(buffer, start, stop):
        return start + PRICE_BODY_BYTES
    if is_credential(buffer, start, stop):
        return start + CREDENTIAL_BODY_BYTES
    size = get_body_size(buffer, start, stop, layouts)
    return start + AT_BODY + size if size >= 0 else -1


@njit(cache=True, nogil=True, boundscheck=True)
def _copy(source, at, length, target, to):
    for i in range(length):
        target[to + i] = source[at + i]


@njit(cache=True, nogil=True, boundscheck=True)
def _begin_struct(row, words, hashes, scratch):
    """Clear the struct's words and put the type hash in the first."""
    for i in range(_STRUCT, _STRUCT + 32 * words):
        scratch[i] = 0
    for i in range(32):
        scratch[_STRUCT + i] = hashes[row, i]


@njit(cache=True, nogil=True, boundscheck=True)
def _write_fields(buffer, at, row, first_word, layouts, scratch):
    """Spread the packed fields at ``at`` over words of the struct, from ``first_word`` on."""
    for field in range(layouts[row, _FIELDS]):
        width = layouts[row, _FIRST_FIELD + field]
        word = _STRUCT + 32 * (first_word + field)
        if width < 0:
            _copy(buffer, at, -width, scratch, word)
            at -= width
        else:
            _copy(buffer, at, width, scratch, word + 32 - width)
            at += width


@njit(cache=True, nogil=True, boundscheck=True)
def _finish_digest(words, separator, scratch):
    """EIP-712 digest of the struct, to ``scratch[_DIGEST : _DIGEST + 32]``."""
    scratch[_TAGGED] = 0x19
    scratch[_TAGGED + 1] = 0x01
    _copy(separator, 0, 32, scratch, _TAGGED + 2)
    keccak256(scratch, _STRUCT, 32 * words, scratch, _TAGGED + 34)
    keccak256(scratch, _TAGGED, 66, scratch, _DIGEST)


@njit(cache=True, nogil=True, boundscheck=True)
def _write_envelope_digest(buffer, start, size, separator, layouts, hashes, scratch):
    """Digest of a well-formed envelope with a body of ``size`` bytes."""
    action = np.int64(buffer[start + AT_ACTION])
    is_trade = layouts[action, _KIND] == _TRADE
    words = 5 + (2 if is_trade else layouts[action, _FIELDS])
    _begin_struct(action, words, hashes, scratch)
    at = start + AT_ACCOUNT
    for word in range(4):  # account u32, then key, nonce and expires_after u64
        width = np.int64(8 if word else 4)
        _copy(buffer, at, width, scratch, _STRUCT + 32 * (word + 2) - width)
        at += width
    if is_trade:
        scratch[_STRUCT + 32 * 6 - 1] = action
        keccak256(buffer, start + AT_BODY, size, scratch, _STRUCT + 32 * 6)
    else:
        _write_fields(buffer, start + AT_BODY, action, 5, layouts, scratch)
    _finish_digest(words, separator, scratch)


@njit(cache=True, nogil=True, boundscheck=True)
def _write_credential_digest(buffer, start, separator, layouts, hashes, scratch):
    """Digest of a credential: all but its kind and the venue."""
    words = 1 + layouts[_CREDENTIAL_ROW, _FIELDS]
    _begin_struct(_CREDENTIAL_ROW, words, hashes, scratch)
    _write_fields(buffer, start + _CREDENTIAL_FIELDS_AT, _CREDENTIAL_ROW, 1, layouts, scratch)
    _finish_digest(words, separator, scratch)


@njit(cache=True, nogil=True, boundscheck=True)
def _write_price_digest(buffer, start, separator, layouts, hashes, scratch):
    """Digest of a price: all but its kind."""
    words = 1 + layouts[_PRICE_ROW, _FIELDS]
    _begin_struct(_PRICE_ROW, words, hashes, scratch)
    _write_fields(buffer, start + 1, _PRICE_ROW, 1, layouts, scratch)
    _finish_digest(words, separator, scratch)


@njit(cache=True, nogil=True, boundscheck=True)
def _compare(buffer, at, bound):
    """-1, 0 or 1: the 32-byte number at ``at`` against ``bound``."""
    for i in range(32):
        if buffer[at + i] != bound[i]:
            return -1 if buffer[at + i] < bound[i] else 1
    return 0


@njit(cache=True, nogil=True, boundscheck=True)
def _is_zero(buffer, at):
    bits = np.int64(0)
    for i in range(32):
        bits |= np.int64(buffer[at + i])
    return bits == 0


@njit(cache=True, nogil=True, boundscheck=True)
def is_canonical(buffer, at, hashes):
    """Whether the signature at ``at`` keeps the rules for v, r and s; ``hashes`` is `HASHES`."""
    v = buffer[at + 64]
    if v < 27 or v > 28:
        return False
    if _is_zero(buffer, at) or _is_zero(buffer, at + 32):
        return False
    if _compare(buffer, at, hashes[_ORDER_ROW]) >= 0:
        return False
    return _compare(buffer, at + 32, hashes[_HALF_ORDER_ROW]) <= 0


@njit(cache=True, nogil=True, boundscheck=True)
def _recover_range(
    buffer, offsets, separator, layouts, hashes, context, start, stop, scratch, length, out
):
    """Fill rows ``start .. stop - 1`` of ``out``; ``length`` is the size_t that C code reads."""
    base = scratch.ctypes.data
    for i in range(start, stop):
        for k in range(ADDRESS_BYTES):
            out[i, k] = 0
        at = offsets[i]
        signature = find_signature(buffer, at, offsets[i + 1], layouts)
        if signature < 0 or not is_canonical(buffer, signature, hashes):
            continue
        if is_credential(buffer, at, offsets[i + 1]):
            _write_credential_digest(buffer, at, separator, layouts, hashes, scratch)
        elif is_price(buffer, at, offsets[i + 1]):
            _write_price_digest(buffer, at, separator, layouts, hashes, scratch)
        else:
            size = signature - at - AT_BODY
            _write_envelope_digest(buffer, at, size, separator, layouts, hashes, scratch)
        recovery = np.int32(buffer[signature + 64]) - np.int32(27)
        source = buffer.ctypes.data + np.uint64(signature)
        if _parse_compact(context, base + np.uint64(_SIGNATURE), source, recovery) != 1:
            continue
        if (
            _recover(
                context,
                base + np.uint64(_PUBLIC_KEY),
                base + np.uint64(_SIGNATURE),
                base + np.uint64(_DIGEST),
            )
            != 1
        ):
            continue
        length[0] = 65
        if (
            _serialize(
                context,
                base + np.uint64(_POINT),
                length.ctypes.data,
                base + np.uint64(_PUBLIC_KEY),
                np.uint32(_PUBLIC_KEY_UNCOMPRESSED),
            )
            != 1
        ):
            continue
        keccak256(scratch, _POINT + 1, 64, scratch, _HASH)
        _copy(scratch, _HASH + 12, ADDRESS_BYTES, out[i], 0)


def _recover_range_python(
    buffer: U8, offsets: I8, separator: bytes, start: int, stop: int, out: U8
) -> None:
    for i in range(start, stop):
        leaf = buffer[offsets[i] : offsets[i + 1]].tobytes()
        signed = (
            Envelope.from_leaf(leaf) or Credential.from_leaf(leaf) or SignedPrice.from_leaf(leaf)
        )
        address = recover_address(signed, separator) if signed else None
        out[i] = np.frombuffer(address or bytes(ADDRESS_BYTES), np.uint8)


def recover_address(signed: Envelope | Credential | SignedPrice, separator: bytes) -> bytes | None:
    """Return who signed a leaf (20 bytes), or None if its signature breaks a rule."""
    r, s = (int.from_bytes(signed.signature[i : i + 32], "big") for i in (0, 32))
    v = signed.signature[64]
    if v not in (27, 28) or not 0 < r < SECP256K1_ORDER or not 0 < s <= SECP256K1_HALF_ORDER:
        return None
    compact = signed.signature[:64] + bytes([v - 27])
    try:
        public_key = coincurve.PublicKey.from_signature_and_message(
            compact, signed.digest(separator), hasher=None
        )
    except Exception:  # noqa: BLE001 -- the library has no narrower class; any failure means no signer
        return None
    return keccak(public_key.format(compressed=False)[1:])[12:]


# --- many leaves -----------------------------------------------------------------------------------


def recover_signers(
    buffer: U8,
    offsets: I8,
    separator: bytes,
    out: U8 | None = None,
    start: int = 0,
    stop: int | None = None,
) -> U8:
    """Recover the signer of each leaf; the interpreter is free meanwhile.

    Parameters
    ----------
    buffer : uint8[::1]
        leaves, one behind the other
    offsets : int64[::1]
        leaf i is ``buffer[offsets[i] : offsets[i + 1]]``; n + 1 rising numbers
    separator : bytes
        EIP-712 domain separator, 32 bytes
    out : uint8[n, 20], optional
        where to write; a new array if absent
    start, stop : int, optional
        only leaves ``start .. stop - 1``; the other rows of ``out`` are left alone

    Returns
    -------
    uint8[n, 20]
        addresses; a zero row means that the leaf has no valid signer

    Raises
    ------
    ValueError
        If offsets do not rise inside the buffer, or a shape is wrong.
    """
    count = len(offsets) - 1
    stop = count if stop is None else stop
    if len(separator) != 32:
        raise ValueError(f"domain separator is {len(separator)} bytes, expected 32")
    if count < 0 or not 0 <= start <= stop <= count:
        raise ValueError(f"leaves {start} .. {stop} of {count} do not exist")
    if count and (offsets[0] < 0 or offsets[-1] > len(buffer) or (np.diff(offsets) < 0).any()):
        raise ValueError("offsets must rise and stay inside the buffer")
    if out is None:
        out = np.zeros((count, ADDRESS_BYTES), np.uint8)
    elif out.shape != (count, ADDRESS_BYTES):
        raise ValueError(f"out has shape {out.shape}, expected {(count, ADDRESS_BYTES)}")
    if config.DISABLE_JIT or not _CONTEXT:
        _recover_range_python(buffer, offsets, separator, start, stop, out)
        return out
    scratch = np.zeros(_SCRATCH_BYTES, np.uint8)
    length = np.zeros(1, np.uint64)
    _recover_range(
        buffer,
        offsets,
        np.frombuffer(separator, np.uint8),
        LAYOUTS,
        HASHES,
        _CONTEXT,
        start,
        stop,
        scratch,
        length,
        out,
    )
    return out


def join_leaves(leaves: Sequence[bytes]) -> tuple[U8, I8]:
    """Lay leaves one behind the other: (buffer, offsets) as `recover_signers` takes them."""
    offsets = np.zeros(len(leaves) + 1, np.int64)
    if leaves:
        np.cumsum(np.fromiter(map(len, leaves), np.int64, len(leaves)), out=offsets[1:])
    return np.frombuffer(b"".join(leaves), np.uint8), offsets


class SignerPool:
    """Threads that recover signers.

    Parameters
    ----------
    threads : int
        how many; one a core is right, more gain nothing
    """

    def __init__(self, threads: int = 2) -> None:
        if threads < 1:
            raise ValueError(f"threads is {threads}, expected at least 1")
        self.threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="signers")

    def recover(self, buffer: U8, offsets: I8, separator: bytes) -> U8:
        """Recover all signers, shared among the threads; as `recover_signers`."""
        count = len(offsets) - 1
        if count < 2 * SLICE or self.threads == 1:
            return recover_signers(buffer, offsets, separator)
        out = np.zeros((count, ADDRESS_BYTES), np.uint8)
        # Several slices a thread, so that a thread that was held up does not hold up the rest.
        step = max(SLICE, -(-count // (4 * self.threads)))
        futures = [
            self._executor.submit(
                recover_signers, buffer, offsets, separator, out, at, min(at + step, count)
            )
            for at in range(0, count, step)
        ]
        for future in futures:
            future.result()
        return out

    def submit(self, buffer: U8, offsets: I8, separator: bytes) -> Future[U8]:
        """Start a recovery on one thread and return its future."""
        return self._executor.submit(recover_signers, buffer, offsets, separator)

    def close(self) -> None:
        """Wait for the threads and end them."""
        self._executor.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
