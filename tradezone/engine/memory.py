"""The three blocks of memory the engine works on.

``state``    the consensus state, one record holding every table (``protocol.records.state_dtype``)
``derived``  what follows from the state and is rebuilt on load: dirty marks, lookup tables
``io``       the run's inputs and outputs: leaves, signers, messages, results, events

Each is one structured record in anonymous memory, so pages appear when used, nothing ever moves, and a
jitted function takes each as a single pointer.
"""

from __future__ import annotations

import mmap
from typing import Any, Final

import numpy as np

from tradezone.protocol.events import EVENT_DTYPE
from tradezone.protocol.limits import MAX_ITEMS
from tradezone.protocol.records import ORDER, TABLES, state_dtype

# first global slot of each table, for the dirty flags
SLOT_BASE: Final = tuple(sum(t.capacity for t in TABLES[:n]) for n in range(len(TABLES)))
SLOT_COUNT: Final = sum(t.capacity for t in TABLES)

BALANCE_INDEX: Final = 1 << 22  # entries of the (account, asset) lookup, twice the table
HOLDING_INDEX: Final = 1 << 21  # entries of the (account, market) lookup, twice the table
POOL_INDEX: Final = (
    1 << 20
)  # entries of the (account, venue, asset, market) lookup, twice the table
POSITION_INDEX: Final = 1 << 20  # entries of the (pool, market) lookup, twice the table
PAGE_INDEX: Final = 1 << 24  # pages of the price tree, seven a level at the very worst
LEVEL_INDEX: Final = 1 << 23  # entries of the (market, side, price) lookup, over twice the table

MAX_RUN_BYTES: Final = 1 << 23  # leaf bytes of one run: a block of 1,024 leaves of 4 kB is half
MAX_RUN_LEAVES: Final = 1 << 14
MAX_RUN_MESSAGES: Final = 1 << 12
MAX_RUN_MESSAGE_BYTES: Final = MAX_RUN_MESSAGES * 560
EVENT_CAPACITY: Final = 1 << 16
CACHE_LINE: Final = 64  # bytes

# io.is_batch_end: the batch goes on; the run is its end; the batch is the closing batch, the zone's last
BATCH_OPEN, BATCH_ENDS, ZONE_ENDS = 0, 1, 2
EVENT_MARGIN: Final = 16  # most events one step records

# recorded events at which a run stops to be drained
EVENT_LIMIT: Final = EVENT_CAPACITY - EVENT_MARGIN

DERIVED_DTYPE: Final = np.dtype(
    [
        ("dirty_bits", "u1", ((SLOT_COUNT + 7) // 8,)),  # one bit a record, by global slot
        ("dirty_list", "<i8", (SLOT_COUNT,)),
        ("dirty_count", "<i8"),
        ("event_seq", "<i8"),
        # lookup tables: rows of (key, value), so that an entry is one cache line; key 0 = empty
        ("balance_index", "<i8", (BALANCE_INDEX, 2)),  # account << 32 | asset -> balance slot
        ("holding_index", "<i8", (HOLDING_INDEX, 2)),  # account << 32 | market -> holding slot
        ("pool_index", "<i8", (POOL_INDEX, 2)),  # lookup.pool_key -> pool slot
        ("position_index", "<i8", (POSITION_INDEX, 2)),  # pool << 32 | market -> position slot
        ("level_index", "<i8", (LEVEL_INDEX, 2)),  # market << 32 | side << 31 | rank -> level slot
        ("page_index", "<i8", (PAGE_INDEX, 2)),  # lookup.page_key -> bits
        # order slots of the free list, the next one last; a hint of what to prefetch, nothing else
        ("free_order", "<i4", (ORDER.capacity,)),
        ("free_orders", "<i8"),
        ("ahead", "<i8"),  # seq of the leaf for whose turn look_ahead is prepared
    ]
)

IO_DTYPE: Final = np.dtype(
    [
        ("first_seq", "<i8"),
        ("end_seq", "<i8"),
        ("is_batch_end", "<i8"),  # whether the run ends where the header's batch ends: BATCH_...
        ("header_inbox", "<i8"),  # header fields; the widest bounds while the batch is still open
        ("header_first_block", "<i8"),
        ("header_last_block", "<i8"),
        ("header_start", "<i8"),
        ("header_end", "<i8"),
        ("first_message", "<i8"),
        ("end_message", "<i8"),
        ("event_count", "<i8"),
        # CONTROL_WORDS end here
        ("leaf", "u1", (MAX_RUN_BYTES,)),
        ("leaf_at", "<i8", (MAX_RUN_LEAVES + 1,)),
        ("leaf_class", "i1", (MAX_RUN_LEAVES,)),
        (
            "bucket",
            "<i4",
            (MAX_RUN_LEAVES, MAX_ITEMS),
        ),  # of each item's client id, -1 = not computed
        ("signer", "u1", (MAX_RUN_LEAVES, 20)),
        ("result", "<i4", (MAX_RUN_LEAVES,)),
        ("message", "u1", (MAX_RUN_MESSAGE_BYTES,)),
        ("message_at", "<i8", (MAX_RUN_MESSAGES + 1,)),
        ("event", EVENT_DTYPE, (EVENT_CAPACITY,)),
        ("scratch", "u1", (64,)),  # what is hashed, and its hash
    ]
)

# Met at random in a large zone. The page index and the nonces are left out: they would take far more memory in huge
# pages, and are seldom met.
DENSE_TABLES: Final = ("account", "key", "balance", "bucket", "level", "order")
DENSE_LOOKUPS: Final = ("balance_index", "level_index", "dirty_bits")

CONTROL_WORDS: Final = 11  # 64-bit fields before the leaves, written in one go


def allocate(
    dtype: np.dtype[np.void], dense: tuple[str, ...] = ()
) -> np.ndarray[Any, np.dtype[np.void]]:
    """Return a zeroed one-element array of ``dtype`` in private anonymous memory.

    Private, because shared anonymous memory is a file in disguise: its pages are made on reading too. The
    fields named in ``dense`` are asked to be in huge pages: each access to a record somewhere in them would
    otherwise miss the processor's table of pages as well.
    """
    memory = mmap.mmap(-1, dtype.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for name in dense:
        assert dtype.fields is not None
        part, offset = dtype.fields[name][:2]
        begin = offset // mmap.PAGESIZE * mmap.PAGESIZE
        memory.madvise(mmap.MADV_HUGEPAGE, begin, offset + part.itemsize - begin)
    return np.frombuffer(memory, dtype=dtype, count=1)


def allocate_state() -> np.ndarray[Any, np.dtype[np.void]]:
    """Return an empty state: every record zero."""
    return allocate(state_dtype(), DENSE_TABLES)


def get_tables(state: np.ndarray[Any, np.dtype[np.void]]) -> dict[str, np.ndarray[Any, Any]]:
    """Return name -> structured array of ``state``; views, not copies."""
    return {table.name: state[table.name][0] for table in TABLES}
