"""Capacities of the tables against memory: what a large zone takes, from the layouts alone.

The state is mapped once at its capacity and pages appear when used (tradezone/engine/memory.py), so what counts is what
a million accounts with a million open orders touch. bench/ measures the same in a running process.
"""

from __future__ import annotations

import numpy as np
import pytest

from tradezone.engine.memory import (
    BALANCE_INDEX,
    DENSE_TABLES,
    DERIVED_DTYPE,
    HOLDING_INDEX,
    IO_DTYPE,
    LEVEL_INDEX,
    PAGE_INDEX,
    SLOT_COUNT,
)
from tradezone.protocol import limits
from tradezone.protocol.records import TABLE_BY_NAME, TABLES, state_dtype
from tradezone.state.tree import HASH_BYTES

MILLION = 1_000_000
LIMIT = 2 << 30  # bytes
OWNERS = 500_000  # with a main account and a sub-account each
ENTRY = 16  # bytes of a lookup's entry

# a zone with a million accounts, two balances each, and a million open orders, all with client ids, on 100,000 levels
USED = {
    "owner": OWNERS,
    "account": MILLION,
    "key": OWNERS,
    "nonces": OWNERS * 4,
    "balance": 2 * MILLION,
    "order": MILLION,
    "level": 100_000,
    "market": 1000,
    "book": 1000,
}


def record_bytes(name, count):
    return TABLE_BY_NAME[name].dtype.itemsize * count


def whole_pages(count, size, page=4096):
    """Bytes of the pages that ``count`` entries of ``size`` bytes take when they stand one behind the other."""
    return -(-count * size // page) * page


def test_the_declared_capacities_hold_a_million_accounts_and_a_million_open_orders():
    for name, count in USED.items():
        assert TABLE_BY_NAME[name].capacity > count, name
    # every order may stand on a level of its own with a timer, and levels never run out before orders and plans
    assert TABLE_BY_NAME["timer"].capacity - limits.RESERVED_TIMERS > MILLION
    levels, orders, plans = (TABLE_BY_NAME[name].capacity for name in ("level", "order", "plan"))
    assert levels >= orders + plans


def test_what_users_cannot_take_is_enough_for_all_that_l1_may_register():
    def size(name):
        return TABLE_BY_NAME[name].capacity

    assert size("owner") + 2 * size("venue") <= limits.RESERVED_ACCOUNTS < size("account")
    assert size("owner") <= limits.RESERVED_KEYS < size("key")
    assert 3 * size("market") <= limits.RESERVED_BALANCES < size("balance")
    assert size("market") <= limits.RESERVED_TIMERS < size("timer")
    assert size("market") <= limits.RESERVED_TASKS // 2 < size("task") // 2


def test_they_fit_into_two_gigabytes():
    state = sum(
        whole_pages(count, TABLE_BY_NAME[name].dtype.itemsize) for name, count in USED.items()
    )
    # touched at random: every page of the buckets that a million names reach, and of the lookups
    state += record_bytes("bucket", limits.ORDER_BUCKETS)
    derived = (
        BALANCE_INDEX + LEVEL_INDEX
    ) * ENTRY  # whole: balances and levels are spread over them
    derived += PAGE_INDEX * ENTRY // 8  # 100,000 levels reach a few pages a market
    derived += (SLOT_COUNT + 7) // 8  # one bit a record
    derived += USED["order"] * 4  # free list's mirror, at its fullest
    run = IO_DTYPE.itemsize
    assert state + derived + run < LIMIT, f"{(state + derived + run) / 2**30:.2f} GB"


def test_a_record_has_no_bytes_to_spare():
    """Orders, balances, accounts and levels are what a large zone is made of."""
    most = {"order": 192, "balance": 64, "account": 64, "level": 64, "bucket": 32, "timer": 32}
    for name, size in most.items():
        assert TABLE_BY_NAME[name].dtype.itemsize == size, name


def test_the_tree_of_such_a_state_is_64_bytes_a_record():
    records = sum(USED.values()) + min(MILLION, limits.ORDER_BUCKETS)
    assert records * 2 * HASH_BYTES < LIMIT // 3


@pytest.mark.parametrize(
    ("index", "table"),
    [
        (BALANCE_INDEX, "balance"),
        (HOLDING_INDEX, "holding"),
        (LEVEL_INDEX, "level"),
    ],
)
def test_a_lookup_is_never_fuller_than_half(index, table):
    assert index >= 2 * TABLE_BY_NAME[table].capacity
    assert index & (index - 1) == 0


def test_what_is_mapped_is_what_the_tables_say():
    state = state_dtype()
    assert state.itemsize >= sum(table.capacity * table.dtype.itemsize for table in TABLES)
    offsets = [state.fields[table.name][1] for table in TABLES]
    assert offsets == sorted(offsets)
    for table in TABLES:
        field, _ = state.fields[table.name][:2]
        assert field.itemsize == table.capacity * table.dtype.itemsize
        assert table.dtype.itemsize == 32 * table.words <= 192
        # a slot is a 32-bit number, and one behind the last still is
        assert table.capacity < 1 << 31
    assert sum(table.capacity for table in TABLES) == SLOT_COUNT
    assert DERIVED_DTYPE.fields["dirty_list"][0].itemsize == SLOT_COUNT * 8
    assert set(DENSE_TABLES) <= set(TABLE_BY_NAME)
    assert np.dtype(IO_DTYPE).itemsize < LIMIT // 16
