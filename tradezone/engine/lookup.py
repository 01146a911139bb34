"""Derived lookups: a balance by (account, asset), a holding by (account, market), a pool by (account, venue,
asset, market), a position by (pool, market), a level by price, the level before a price.

Nothing here is state and nothing here decides: each answer is a *hint* that the calling step checks against
the records (``docs/spec/steps.md``). All of it is rebuilt from the state on load.

Balances, holdings, pools, positions and levels hang in open-addressing tables. Which prices of a side have a level is a radix tree of
32-bit pages, each kept in a third such table: page 0 of a price holds one bit for each of its 32 neighbours,
page 1 one bit for each non-empty page 0, and so on. So the next better level is found in a few look-ups, however
deep the book is. Prices are turned into *ranks*, in which better is smaller, so both sides use the same code.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.limits import MAX_PRICE

from ._jit import i64, jit
from .memory import (
    BALANCE_INDEX,
    HOLDING_INDEX,
    LEVEL_INDEX,
    PAGE_INDEX,
    POOL_INDEX,
    POSITION_INDEX,
)

BALANCE_MASK = BALANCE_INDEX - 1
HOLDING_MASK = HOLDING_INDEX - 1
POOL_MASK = POOL_INDEX - 1
POSITION_MASK = POSITION_INDEX - 1
LEVEL_MASK = LEVEL_INDEX - 1
_PAGE_MASK = PAGE_INDEX - 1
_PAGE_BITS = 5  # a page has 32 bits: its sign bit stays clear in the engine's integers
_PAGE_LOW = (1 << _PAGE_BITS) - 1
_GOLDEN = -7046029254386353131
_HEIGHT = 7  # pages above one another that cover 31-bit ranks


@intrinsic
def highest_bit(typingctx, value):
    """Place of the highest set bit of a positive integer."""

    def generate(context, builder, signature, arguments):
        zeros = builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 1))
        return builder.sub(ir.Constant(ir.IntType(64), 63), zeros)

    return types.int64(types.int64), generate


@jit
def hash_key(key):
    """Spread a key over a lookup table: fold, multiply by 2^64 / golden ratio (wraps), fold."""
    x = (key ^ (key >> 32)) * _GOLDEN
    return x ^ (x >> 29)


@jit
def find_entry(table, mask, key):
    """Place of ``key`` in a table, or of the empty entry where it would go."""
    at = hash_key(key) & mask
    while table[at, 0] != 0 and table[at, 0] != key:
        at = (at + 1) & mask
    return at


@jit
def remove_entry(table, mask, hole):
    """Empty an entry and close the gap it leaves (backward shift)."""
    at = hole
    while True:
        at = (at + 1) & mask
        if table[at, 0] == 0:
            break
        home = hash_key(table[at, 0]) & mask
        if (at - home) & mask >= (at - hole) & mask:
            table[hole, 0] = table[at, 0]
            table[hole, 1] = table[at, 1]
            hole = at
    table[hole, 0] = 0
    table[hole, 1] = 0


# --- balances --------------------------------------------------------------------------------------


@jit
def balance_hint(s, d, account, asset):
    """Slot of the balance (account, asset), else of the balance it would follow, 0 = none."""
    at = find_entry(d.balance_index, BALANCE_MASK, (i64(account) << 32) | i64(asset))
    if d.balance_index[at, 0] != 0:
        return d.balance_index[at, 1]
    previous = i64(0)
    slot = i64(s.account[account].first_balance)
    while slot != 0 and s.balance[slot].asset < asset:
        previous = slot
        slot = i64(s.balance[slot].next)
    return previous


@jit
def index_balance(d, account, asset, slot):
    """Enter a balance."""
    key = (i64(account) << 32) | i64(asset)
    at = find_entry(d.balance_index, BALANCE_MASK, key)
    d.balance_index[at, 0] = key
    d.balance_index[at, 1] = slot


@jit
def unindex_balance(d, account, asset):
    """Take a balance out."""
    at = find_entry(d.balance_index, BALANCE_MASK, (i64(account) << 32) | i64(asset))
    remove_entry(d.balance_index, BALANCE_MASK, at)


# --- holdings --------------------------------------------------------------------------------------


@jit
def holding_hint(s, d, account, market):
    """Slot of the holding (account, market), else of the holding it would follow, 0 = none."""
    at = find_entry(d.holding_index, HOLDING_MASK, (i64(account) << 32) | i64(market))
    if d.holding_index[at, 0] != 0:
        return d.holding_index[at, 1]
    previous = i64(0)
    slot = i64(s.account[account].first_holding)
    while slot != 0 and s.holding[slot].market < market:
        previous = slot
        slot = i64(s.holding[slot].next)
    return previous


@jit
def index_holding(d, account, market, slot):
    """Enter a holding."""
    key = (i64(account) << 32) | i64(market)
    at = find_entry(d.holding_index, HOLDING_MASK, key)
    d.holding_index[at, 0] = key
    d.holding_index[at, 1] = slot


@jit
def unindex_holding(d, account, market):
    """Take a holding out."""
    at = find_entry(d.holding_index, HOLDING_MASK, (i64(account) << 32) | i64(market))
    remove_entry(d.holding_index, HOLDING_MASK, at)


# --- ledgers, pools, positions ---------------------------------------------------------------------


@jit
def ledger_hint(s, d, venue, asset):
    """Slot of the ledger (venue, asset), else of the ledger it would follow, 0 = none."""
    previous = i64(0)
    slot = i64(s.venue[venue].first_ledger)
    while slot != 0 and s.ledger[slot].asset <= asset:
        previous = slot
        slot = i64(s.ledger[slot].next)
    return previous


@jit
def pool_key(account, venue, asset, market):
    """Key of a pool; the widths are those of the tables' slots, 61 bits in all."""
    return (i64(account) << 41) | (i64(venue) << 26) | (i64(asset) << 14) | i64(market)


@jit
def is_pool_before(p, venue, asset, market):
    """Whether a pool stands before (venue, asset, market) in its account's list."""
    if p.venue != venue:
        return p.venue < venue
    if p.asset != asset:
        return p.asset < asset
    return p.market < market


@jit
def pool_hint(s, d, account, venue, asset, market):
    """Slot of the pool (account, venue, asset, market), else of the pool it would follow, 0 = none."""
    at = find_entry(d.pool_index, POOL_MASK, pool_key(account, venue, asset, market))
    if d.pool_index[at, 0] != 0:
        return d.pool_index[at, 1]
    previous = i64(0)
    slot = i64(s.account[account].first_pool)
    while slot != 0 and is_pool_before(s.pool[slot], venue, asset, market):
        previous = slot
        slot = i64(s.pool[slot].next)
    return previous


@jit
def index_pool(d, account, venue, asset, market, slot):
    """Enter a pool."""
    key = pool_key(account, venue, asset, market)
    at = find_entry(d.pool_index, POOL_MASK, key)
    d.pool_index[at, 0] = key
    d.pool_index[at, 1] = slot


@jit
def unindex_pool(d, account, venue, asset, market):
    """Take a pool out."""
    at = find_entry(d.pool_index, POOL_MASK, pool_key(account, venue, asset, market))
    remove_entry(d.pool_index, POOL_MASK, at)


@jit
def position_hint(s, d, pool, market):
    """Slot of the position (pool, market), else of the position it would follow, 0 = none."""
    at = find_entry(d.position_index, POSITION_MASK, (i64(pool) << 32) | i64(market))
    if d.position_index[at, 0] != 0:
        return d.position_index[at, 1]
    previous = i64(0)
    slot = i64(s.pool[pool].first_position)
    while slot != 0 and s.position[slot].market < market:
        previous = slot
        slot = i64(s.position[slot].next)
    return previous


@jit
def index_position(d, pool, market, slot):
    """Enter a position."""
    key = (i64(pool) << 32) | i64(market)
    at = find_entry(d.position_index, POSITION_MASK, key)
    d.position_index[at, 0] = key
    d.position_index[at, 1] = slot


@jit
def unindex_position(d, pool, market):
    """Take a position out."""
    at = find_entry(d.position_index, POSITION_MASK, (i64(pool) << 32) | i64(market))
    remove_entry(d.position_index, POSITION_MASK, at)


# --- levels ----------------------------------------------------------------------------------------


@jit
def level_key(market, side, rank):
    """Key of a level; never 0 because a market slot is at least 1."""
    return (i64(market) << 35) | (i64(side) << 31) | rank


@jit
def page_key(market, side, height, prefix):
    """Key of a page: its market and side, how high it stands, and the rank bits it stands for."""
    return (i64(market) << 38) | (i64(side) << 35) | (height << 32) | prefix


@jit
def get_rank(side, price):
    """Rank of a price on its side: better is smaller. Bids and triggers below the market fall."""
    if side == BUY or (side > SELL and (i64(side) & 1) == 1):
        return MAX_PRICE - i64(price)
    return i64(price)


@jit
def rank_before(d, market, side, rank):
    """Largest rank below ``rank`` that has a level, -1 if there is none."""
    for height in range(_HEIGHT):
        bit = (rank >> (_PAGE_BITS * height)) & _PAGE_LOW
        prefix = rank >> (_PAGE_BITS * (height + 1))
        at = find_entry(d.page_index, _PAGE_MASK, page_key(market, side, height, prefix))
        below = d.page_index[at, 1] & ((i64(1) << bit) - 1)
        if below != 0:
            found = (prefix << _PAGE_BITS) | highest_bit(below)
            for lower in range(height - 1, -1, -1):
                at = find_entry(d.page_index, _PAGE_MASK, page_key(market, side, lower, found))
                found = (found << _PAGE_BITS) | highest_bit(d.page_index[at, 1])
            return found
    return i64(-1)


@jit
def level_hint(s, d, market, side, price):
    """Slot of the level at ``price``, else of the level it would follow, 0 = it would be the best."""
    rank = get_rank(side, price)
    at = find_entry(d.level_index, LEVEL_MASK, level_key(market, side, rank))
    if d.level_index[at, 0] != 0:
        return d.level_index[at, 1]
    before = rank_before(d, market, side, rank)
    if before < 0:
        return i64(0)
    at = find_entry(d.level_index, LEVEL_MASK, level_key(market, side, before))
    return d.level_index[at, 1]


@jit
def index_level(d, market, side, price, slot):
    """Enter a level."""
    rank = get_rank(side, price)
    key = level_key(market, side, rank)
    at = find_entry(d.level_index, LEVEL_MASK, key)
    d.level_index[at, 0] = key
    d.level_index[at, 1] = slot
    for height in range(_HEIGHT):
        bit = i64(1) << ((rank >> (_PAGE_BITS * height)) & _PAGE_LOW)
        key = page_key(market, side, height, rank >> (_PAGE_BITS * (height + 1)))
        at = find_entry(d.page_index, _PAGE_MASK, key)
        bits = d.page_index[at, 1]
        d.page_index[at, 0] = key
        d.page_index[at, 1] = bits | bit
        if bits != 0:
            break  # the page was there, and so is its bit in the page above


@jit
def unindex_level(d, market, side, price):
    """Take a level out."""
    rank = get_rank(side, price)
    at = find_entry(d.level_index, LEVEL_MASK, level_key(market, side, rank))
    if d.level_index[at, 0] == 0:
        raise ValueError("level is not indexed")
    remove_entry(d.level_index, LEVEL_MASK, at)
    for height in range(_HEIGHT):
        bit = i64(1) << ((rank >> (_PAGE_BITS * height)) & _PAGE_LOW)
        key = page_key(market, side, height, rank >> (_PAGE_BITS * (height + 1)))
        at = find_entry(d.page_index, _PAGE_MASK, key)
        bits = d.page_index[at, 1] & ~bit
        if bits != 0:
            d.page_index[at, 1] = bits
            break
        remove_entry(d.page_index, _PAGE_MASK, at)
