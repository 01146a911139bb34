"""Reading inputs: integers of a leaf or message, the class of a leaf, events and results out.

All integers of inputs are big-endian. A 64-bit field with its top bit set reads as 2^63 - 1, which every
range check refuses (``docs/spec/envelopes.md``).
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tradezone.protocol import actions as A
from tradezone.protocol.enums import (
    ORDER_FORCED,
    ORDER_REDUCE_ONLY,
    TIF_POST_ONLY,
    TIF_POST_SLIDE,
)
from tradezone.protocol.limits import MAX_ITEMS, MAX_LEAF_BYTES, ORDER_BUCKETS
from tradezone.state.keccak import keccak_id

from ._jit import i64, jit

MAX_ACTION = max(A.ACTIONS)
MAX_I64 = (1 << 63) - 1


def _get_unit(action):
    """Bytes of one item, or of the whole body of a typed action."""
    if action in A.ITEM_LAYOUTS:
        return A.layout_bytes(A.ITEM_LAYOUTS[action])
    return A.layout_bytes(A.TYPED_ACTIONS[action][1]) if action in A.TYPED_ACTIONS else 0


def _get_most(action):
    """Items an envelope of the action may hold; 0 for an action that does not exist."""
    if action in A.ITEM_LAYOUTS:
        return 1 if action in A.SINGLE_ITEM else MAX_ITEMS
    return 1 if action in A.TYPED_ACTIONS else 0


def offset_of(layout, field):
    """Bytes in front of a field."""
    names = [name for name, _, _ in layout]
    return A.layout_bytes(layout[: names.index(field)])


_UNIT_BYTES = tuple(_get_unit(action) for action in range(MAX_ACTION + 1))
_MOST_ITEMS = tuple(_get_most(action) for action in range(MAX_ACTION + 1))

# offsets inside items
_TIF_AT = offset_of(A.PLACE_ITEM, "tif")
_MODE_AT = offset_of(A.AMEND_ITEM, "mode")


@intrinsic
def _load_big(typingctx, source, at, width):
    """``width`` bytes (a literal 4 or 8) of ``source`` from ``at``, big-endian; the caller checks bounds."""
    if not isinstance(width, types.IntegerLiteral):
        return None
    count = width.literal_value
    word = ir.IntType(8 * count)

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), word.as_pointer())
        value = builder.bswap(builder.load(place, align=1))
        return value if count == 8 else builder.zext(value, ir.IntType(64))

    return types.int64(source, types.int64, width), generate


@jit
def load32(source, at):
    """Load 4 bytes as a big-endian number: one bounds check, one load."""
    if at < 0 or at > source.size - 4:
        raise IndexError("input is read outside of its bytes")
    return _load_big(source, i64(at), 4)


@jit
def load64(source, at):
    """Load 8 bytes as a big-endian number, its top bit as the sign."""
    if at < 0 or at > source.size - 8:
        raise IndexError("input is read outside of its bytes")
    return _load_big(source, i64(at), 8)


@jit
def read8(source, at):
    """Byte."""
    return i64(source[at])


@jit
def read16(source, at):
    """16-bit integer."""
    return (i64(source[at]) << 8) | i64(source[at + 1])


@jit
def read32(source, at):
    """32-bit unsigned integer."""
    return load32(source, at)


@jit
def read_i32(source, at):
    """32-bit signed integer."""
    value = read32(source, at)
    return value - (1 << 32) if value >= (1 << 31) else value


@jit
def read64(source, at):
    """64-bit integer; 2^63 - 1 if the top bit is set."""
    value = load64(source, at)
    return value if value >= 0 else i64(MAX_I64)


@jit
def read_limb(source, at):
    """64 bits of a hash, address or client id, for equality only."""
    return load64(source, at)


@jit
def leaf_start(io, seq):
    """Position of leaf ``seq`` in the run's bytes."""
    return i64(io.leaf_at[seq - io.first_seq])


@jit
def leaf_size(io, seq):
    """Bytes of leaf ``seq``."""
    n = seq - io.first_seq
    return i64(io.leaf_at[n + 1]) - i64(io.leaf_at[n])


@jit
def message_start(io, index):
    """Position of inbox message ``index`` in the run's message bytes."""
    return i64(io.message_at[index - io.first_message])


@jit
def message_size(io, index):
    """Bytes of inbox message ``index``."""
    n = index - io.first_message
    return i64(io.message_at[n + 1]) - i64(io.message_at[n])


@jit
def is_block_mark(io, seq):
    """Whether leaf ``seq`` has the form of a block mark."""
    return leaf_size(io, seq) == A.BLOCK_MARK_BYTES and io.leaf[leaf_start(io, seq)] == A.LEAF_BLOCK


@jit
def is_envelope(io, seq):
    """Whether leaf ``seq`` is a well-formed envelope (``protocol.actions.Envelope.from_leaf``)."""
    size = leaf_size(io, seq)
    if size < A.ENVELOPE_HEADER + A.SIGNATURE_BYTES or size > MAX_LEAF_BYTES:
        return False
    at = leaf_start(io, seq)
    if io.leaf[at] != A.LEAF_ENVELOPE or io.leaf[at + A.AT_VERSION] != A.ENVELOPE_VERSION:
        return False
    action, items = read8(io.leaf, at + A.AT_ACTION), read8(io.leaf, at + A.AT_ITEMS)
    body = read16(io.leaf, at + A.AT_SIZE)
    if size != A.ENVELOPE_HEADER + body + A.SIGNATURE_BYTES or action > MAX_ACTION:
        return False
    return items >= 1 and items <= _MOST_ITEMS[action] and body == items * _UNIT_BYTES[action]


@jit
def is_credential(io, seq):
    """Whether leaf ``seq`` has the form of a credential."""
    return (
        leaf_size(io, seq) == A.CREDENTIAL_BYTES
        and io.leaf[leaf_start(io, seq)] == A.LEAF_CREDENTIAL
    )


@jit
def get_class(io, seq):
    """Return the execution class of leaf ``seq`` (``protocol.actions.leaf_class``)."""
    if not is_envelope(io, seq):
        return A.CLASS_PRICES
    at = leaf_start(io, seq)
    action, items = read8(io.leaf, at + A.AT_ACTION), read8(io.leaf, at + A.AT_ITEMS)
    if action == A.PLACE:
        for n in range(items):
            tif = io.leaf[at + A.AT_BODY + n * A.PLACE_BYTES + _TIF_AT]
            if tif != TIF_POST_ONLY and tif != TIF_POST_SLIDE:
                return A.CLASS_TAKE
        return A.CLASS_POST
    if action == A.MASS_QUOTE:
        return A.CLASS_POST
    if action == A.PLACE_PLAN:
        return A.CLASS_TAKE
    if action == A.AMEND:
        result = A.CLASS_CANCEL
        for n in range(items):
            mode = io.leaf[at + A.AT_BODY + n * A.AMEND_BYTES + _MODE_AT]
            if mode == A.AMEND_POST_ONLY or mode == A.AMEND_POST_SLIDE:
                result = A.CLASS_POST
            elif mode != A.AMEND_SHRINK:
                return A.CLASS_TAKE
        return result
    return A.CLASS_CANCEL


@jit
def class_of(io, seq):
    """Class of a leaf, as ``inputs.prepare`` found it."""
    return i64(io.leaf_class[seq - io.first_seq])


@jit
def bucket_of_id(account, limb1, limb0):
    """Bucket of a client id: keccak(account u32 BE | client id) mod ORDER_BUCKETS."""
    return keccak_id(account, limb1, limb0) & (ORDER_BUCKETS - 1)


@jit
def item_bucket(io, seq, item, account, limb1, limb0):
    """Bucket of the client id that item ``item`` of leaf ``seq`` names, as ``inputs.prepare`` found it."""
    bucket = i64(io.bucket[seq - io.first_seq, item])
    return bucket if bucket >= 0 else bucket_of_id(account, limb1, limb0)


@jit
def signer_is(io, seq, limb0, limb1, limb2):
    """Whether leaf ``seq`` was signed by the address with these limbs; zero means no valid signer."""
    n = seq - io.first_seq
    low, middle, high = i64(0), i64(0), i64(0)
    for i in range(8):
        low = (low << 8) | i64(io.signer[n, 12 + i])
        middle = (middle << 8) | i64(io.signer[n, 4 + i])
    for i in range(4):
        high = (high << 8) | i64(io.signer[n, i])
    if low == 0 and middle == 0 and high == 0:
        return False
    return low == i64(limb0) and middle == i64(limb1) and high == i64(limb2) & 0xFFFFFFFF


@jit
def leaf_of(m):
    """Seq of the leaf that events of this step belong to; 0 in the sweep and at release."""
    return i64(m.seq) if m.action != 0 else i64(0)


@jit
def emit(
    d, io, kind, leaf, market, account, other_account, order, other_order,
    side, tif, flag, error, price, lots, left, amount, amount2, client_id0, client_id1,
):  # fmt: skip
    """Append one event (``protocol.events``)."""
    d.event_seq += 1
    e = io.event[io.event_count]
    io.event_count += 1
    e.seq = d.event_seq
    e.leaf = leaf
    e.kind = kind
    e.side = side
    e.tif = tif
    e.flag = flag
    e.error = error
    e.market = market
    e.account = account
    e.other_account = other_account
    e.price = price
    e.order = order
    e.other_order = other_order
    e.lots = lots
    e.left = left
    e.amount = amount
    e.amount2 = amount2
    e.client_id0 = client_id0
    e.client_id1 = client_id1


@jit
def emit_note(d, io, kind, leaf, market, account, other_account, order, flag, error, amount):
    """Append an event without order columns."""
    emit(
        d, io, kind, leaf, market, account, other_account, order, 0,
        0, 0, flag, error, 0, 0, 0, amount, 0, 0, 0,
    )  # fmt: skip


@jit
def emit_order(d, io, kind, leaf, slot, o, tif, flag, amount):
    """Append an event about order record ``o`` in ``slot``."""
    emit(
        d, io, kind, leaf, o.market, o.account, 0, (i64(o.generation) << 32) | slot, 0,
        o.side, tif, flag, 0, o.price, i64(o.lots), i64(o.cover), amount, i64(o.interface_fee),
        o.client_id0, o.client_id1,
    )  # fmt: skip


@jit
def told_flags(o):
    """Return the flags of an order that its events tell: reduce-only, forced."""
    return i64(o.flags) & (ORDER_REDUCE_ONLY | ORDER_FORCED)


@jit
def set_result(io, seq, result):
    """Record the result of leaf ``seq``: failed items << 16 | first error."""
    io.result[seq - io.first_seq] = result
