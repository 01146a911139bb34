"""Looking ahead: records that coming steps will touch are fetched into the cache before their turn.

A step machine over tables of gigabytes waits for memory, not for arithmetic: an order, its level, its balances lie
anywhere. But what an envelope names stands in its bytes, and the next free order slots, the next maker and the next
released order follow from lists. So when an envelope's turn comes its records and the ones behind it are asked
for together, and wait for each other instead of one after another.

Nothing here writes to the state, and nothing here decides: a place outside of a table is asked for and not read. The step
executor leaves all of it out.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from tradezone.protocol import actions as A
from tradezone.protocol.enums import BUY
from tradezone.protocol.records import WORD_BYTES

from ._jit import i64, jit
from .codec import leaf_start, load64, read8, read32
from .lookup import BALANCE_MASK, LEVEL_MASK, find_entry, get_rank, hash_key, level_key
from .memory import CACHE_LINE
from .tables import T_ACCOUNT, T_MARKET, T_ORDER, is_used

_PLACE_SIDE = 16  # offset in a PLACE item
_I64 = ir.IntType(64)


def _emit_prefetch(context, builder, kind, array, row, offsets):
    """Emit prefetches of the cache lines at ``offsets`` bytes of ``array[row]``."""
    value = context.make_array(kind)(context, builder, array)
    pitch = builder.extract_value(value.strides, 0)
    # integers, not a `gep`: LLVM may assume that a pointer stays inside of its object
    begin = builder.add(builder.ptrtoint(value.data, _I64), builder.mul(pitch, row))
    flag = cgutils.int32_t
    hint = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, flag, flag, flag]),
        "llvm.prefetch.p0i8",
    )
    for offset in offsets:
        place = builder.inttoptr(builder.add(begin, ir.Constant(_I64, offset)), cgutils.voidptr_t)
        builder.call(hint, [place, flag(0), flag(3), flag(1)])  # read, keep, data
    return context.get_dummy_value()


@intrinsic
def prefetch(typingctx, array, row):
    """Ask for the cache lines of ``array[row]``; any row does no harm."""

    def generate(context, builder, signature, arguments):
        kind = signature.args[0]
        size = kind.dtype.size if isinstance(kind.dtype, types.Record) else 1
        offsets = range(0, size, CACHE_LINE)
        return _emit_prefetch(context, builder, kind, arguments[0], arguments[1], offsets)

    return types.void(array, types.int64), generate


@intrinsic
def prefetch_head(typingctx, array, row):
    """Ask for the first cache line of ``array[row]``."""

    def generate(context, builder, signature, arguments):
        kind = signature.args[0]
        return _emit_prefetch(context, builder, kind, arguments[0], arguments[1], [0])

    return types.void(array, types.int64), generate


@intrinsic
def prefetch_third_word(typingctx, array, row):
    """Ask for the third word of record ``array[row]``: an order's links among those of its account."""

    def generate(context, builder, signature, arguments):
        kind, offsets = signature.args[0], [2 * WORD_BYTES]
        return _emit_prefetch(context, builder, kind, arguments[0], arguments[1], offsets)

    return types.void(array, types.int64), generate


@jit
def ask_envelope(s, d, io, seq):
    """Ask for what the items of an envelope name by itself: nothing is read but its bytes."""
    start = leaf_start(io, seq)
    leaf = io.leaf
    account, key = read32(leaf, start + A.AT_ACCOUNT), load64(leaf, start + A.AT_KEY) & 0xFFFFFFFF
    prefetch(s.account, account)
    prefetch(s.key, key)
    prefetch(s.nonces, key * 4 + ((load64(leaf, start + A.AT_NONCE) >> 4) & 3))
    action, items = read8(leaf, start + A.AT_ACTION), read8(leaf, start + A.AT_ITEMS)
    n = seq - io.first_seq
    at = start + A.AT_BODY
    if action == A.PLACE:
        last = i64(0)
        for item in range(items):
            market, price = read32(leaf, at), read32(leaf, at + 4)
            side = read8(leaf, at + _PLACE_SIDE) & 1
            prefetch(
                d.level_index, hash_key(level_key(market, side, get_rank(side, price))) & LEVEL_MASK
            )
            if market != last and is_used(s, T_MARKET, market):
                k = s.market[market]
                prefetch(d.balance_index, hash_key((account << 32) | i64(k.base)) & BALANCE_MASK)
                prefetch(d.balance_index, hash_key((account << 32) | i64(k.quote)) & BALANCE_MASK)
                last = market
            if io.bucket[n, item] >= 0:
                prefetch(s.bucket, i64(io.bucket[n, item]))
            at += A.PLACE_BYTES
    elif action == A.CANCEL or action == A.AMEND:
        size = A.CANCEL_BYTES if action == A.CANCEL else A.AMEND_BYTES
        for item in range(items):
            name = load64(leaf, at)
            if name != 0:
                prefetch(s.order, name & 0xFFFFFFFF)
            elif io.bucket[n, item] >= 0:
                prefetch(s.bucket, i64(io.bucket[n, item]))
            at += size


@jit
def ask_neighbours(s, d, slot):
    """Ask for what a step that touches order ``slot`` touches besides."""
    o = s.order[slot]
    prefetch(s.level, i64(o.level))
    prefetch_head(s.order, i64(o.next))
    prefetch_head(s.order, i64(o.previous))
    prefetch_third_word(s.order, i64(o.account_next))
    prefetch_third_word(s.order, i64(o.account_previous))
    prefetch(s.balance, i64(o.pay_balance))
    prefetch(s.balance, i64(o.receive_balance))
    if o.client_id0 != 0 or o.client_id1 != 0:
        prefetch(s.bucket, i64(o.bucket))


@jit
def ask_balance(s, d, key):
    """Ask for a balance; ``key`` is that of ``d.balance_index``."""
    prefetch(s.balance, d.balance_index[find_entry(d.balance_index, BALANCE_MASK, key), 1])


@jit
def ask_items(s, d, io, seq):
    """Ask for what stands behind the records of ``ask_envelope``, which are at hand by now."""
    start = leaf_start(io, seq)
    leaf = io.leaf
    account = read32(leaf, start + A.AT_ACCOUNT)
    action, items = read8(leaf, start + A.AT_ACTION), read8(leaf, start + A.AT_ITEMS)
    n = seq - io.first_seq
    at = start + A.AT_BODY
    if action == A.PLACE:
        free = i64(d.free_orders)
        last = i64(0)
        for item in range(items):
            if item < free:
                prefetch(s.order, i64(d.free_order[free - 1 - item]))
            market, price = read32(leaf, at), read32(leaf, at + 4)
            side = read8(leaf, at + _PLACE_SIDE) & 1
            key = level_key(market, side, get_rank(side, price))
            prefetch(s.level, d.level_index[find_entry(d.level_index, LEVEL_MASK, key), 1])
            if market != last and is_used(s, T_MARKET, market):
                k = s.market[market]
                ask_balance(s, d, (account << 32) | i64(k.base))
                ask_balance(s, d, (account << 32) | i64(k.quote))
                last = market
            if io.bucket[n, item] >= 0:
                prefetch(s.order, i64(s.bucket[io.bucket[n, item]].first))
            at += A.PLACE_BYTES
        if is_used(s, T_ACCOUNT, account):
            prefetch_third_word(s.order, i64(s.account[account].first_order))
    elif action == A.CANCEL or action == A.AMEND:
        size = A.CANCEL_BYTES if action == A.CANCEL else A.AMEND_BYTES
        for item in range(items):
            slot = load64(leaf, at) & 0xFFFFFFFF
            if slot != 0:
                if is_used(s, T_ORDER, slot):
                    ask_neighbours(s, d, slot)
            elif io.bucket[n, item] >= 0:
                prefetch(s.order, i64(s.bucket[io.bucket[n, item]].first))
            at += size


@jit
def ask_tails(s, d, io, seq):
    """Ask for the last orders of the levels that an envelope's orders join."""
    start = leaf_start(io, seq)
    leaf = io.leaf
    if read8(leaf, start + A.AT_ACTION) != A.PLACE:
        return
    at = start + A.AT_BODY
    for _ in range(read8(leaf, start + A.AT_ITEMS)):
        market, price = read32(leaf, at), read32(leaf, at + 4)
        side = read8(leaf, at + _PLACE_SIDE) & 1
        key = level_key(market, side, get_rank(side, price))
        slot = d.level_index[find_entry(d.level_index, LEVEL_MASK, key), 1]
        prefetch_head(s.order, i64(s.level[slot].last))
        at += A.PLACE_BYTES


@jit
def next_of_class(io, seq, end):
    """First leaf from ``seq`` on, below ``end``, of the class of the leaf before; ``end`` if there is none."""
    n = seq - io.first_seq
    wanted = io.leaf_class[n - 1]
    while seq < end and io.leaf_class[n] != wanted:
        seq += 1
        n += 1
    return seq


@jit
def look_ahead(s, d, io):
    """At an envelope: fetch for it and for the next two of its class."""
    m = s.machine[0]
    seq, end = i64(m.seq), i64(m.block_end)
    second = next_of_class(io, seq + 1, end)
    if seq != d.ahead:  # the first of its class: nothing was asked for yet
        ask_envelope(s, d, io, seq)
        if second < end:
            ask_envelope(s, d, io, second)
        ask_items(s, d, io, seq)
    d.ahead = second
    third = next_of_class(io, second + 1, end) if second < end else end
    if third < end:
        ask_envelope(s, d, io, third)
    if second < end:
        ask_items(s, d, io, second)
    ask_tails(s, d, io, seq)


@jit
def look_ahead_match(s, d, io):
    """At a meeting: fetch for the makers behind the one that is met."""
    m = s.machine[0]
    t, k = s.order[m.taker], s.book[m.market]
    level = i64(k.best_ask) if t.side == BUY else i64(k.best_bid)
    if level != 0:
        v = s.level[level]
        second = i64(s.order[v.first].next)
        if second != 0:
            ask_neighbours(s, d, second)
            prefetch(s.order, i64(s.order[second].next))
            prefetch(s.account, i64(s.order[second].account))
        else:
            following = i64(v.next)
            prefetch(s.order, i64(s.level[following].first))
            prefetch(s.level, i64(s.level[following].next))


@jit
def look_ahead_release(s, d, io):
    """At a released order: fetch the first makers it meets and the order released behind it."""
    m = s.machine[0]
    k, t = s.book[m.market], s.order[m.taker]
    prefetch(s.order, i64(t.next))
    level = i64(k.best_ask) if t.side == BUY else i64(k.best_bid)
    first = i64(s.level[level].first)
    prefetch(s.order, i64(s.order[first].next))
    ask_neighbours(s, d, first)
