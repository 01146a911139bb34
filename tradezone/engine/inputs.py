"""What is known of a run's leaves from their bytes alone, computed for all of them before the run.

The class of each leaf, and the bucket of each client id that an item names: keccak of eight ids at a time costs
an eighth of one after the other. A step takes what stands here (``codec.class_of``, ``codec.item_bucket``);
the step executor computes it from the leaf.
"""

from __future__ import annotations

import numpy as np

from tradezone.protocol import actions as A
from tradezone.protocol.limits import MAX_ITEMS, ORDER_BUCKETS
from tradezone.state.keccak import hash_ids

from ._jit import jit
from .codec import get_class, leaf_start, load64, offset_of, read8, read32

_GROUP = 64  # ids hashed in one go
_PLACE_ID = offset_of(A.PLACE_ITEM, "client_id")
_QUOTE_ID = offset_of(A.QUOTE_ITEM, "client_id")
_NAME_ID = offset_of(A.CANCEL_ITEM, "client_id")  # and of AMEND: behind the order id


@jit
def flush(io, count, places, numbers, ids, hashes):
    """Hash the ids that were gathered and write their buckets."""
    hash_ids(count, numbers, ids, hashes)
    for i in range(count):
        io.bucket[places[i] // MAX_ITEMS, places[i] % MAX_ITEMS] = hashes[i] & (ORDER_BUCKETS - 1)


@jit
def prepare(inputs):
    """Fill ``io.leaf_class`` and ``io.bucket`` for the run's leaves."""
    io = inputs[0]
    places, numbers = np.empty(_GROUP, np.int64), np.empty(_GROUP, np.int64)
    ids, hashes = np.empty((_GROUP, 2), np.int64), np.empty(_GROUP, np.int64)
    gathered = 0
    for seq in range(io.first_seq, io.end_seq):
        n = seq - io.first_seq
        io.leaf_class[n] = get_class(io, seq)
        if io.leaf_class[n] == A.CLASS_PRICES:
            continue
        start = leaf_start(io, seq)
        action, items = read8(io.leaf, start + A.AT_ACTION), read8(io.leaf, start + A.AT_ITEMS)
        if action == A.PLACE:
            size, at_id = A.PLACE_BYTES, _PLACE_ID
        elif action == A.CANCEL:
            size, at_id = A.CANCEL_BYTES, _NAME_ID
        elif action == A.AMEND:
            size, at_id = A.AMEND_BYTES, _NAME_ID
        elif action == A.MASS_QUOTE:
            size, at_id = A.QUOTE_BYTES, _QUOTE_ID
        else:
            continue
        account = read32(io.leaf, start + A.AT_ACCOUNT)
        for item in range(items):
            at = start + A.AT_BODY + item * size
            io.bucket[n, item] = -1
            if (action == A.CANCEL or action == A.AMEND) and load64(io.leaf, at) != 0:
                continue  # named by order id
            high, low = load64(io.leaf, at + at_id), load64(io.leaf, at + at_id + 8)
            if high == 0 and low == 0:
                continue
            places[gathered] = n * MAX_ITEMS + item
            numbers[gathered] = account
            ids[gathered, 0] = high
            ids[gathered, 1] = low
            gathered += 1
            if gathered == _GROUP:
                flush(io, gathered, places, numbers, ids, hashes)
                gathered = 0
    if gathered > 0:
        flush(io, gathered, places, numbers, ids, hashes)
