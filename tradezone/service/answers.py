"""What became of the envelopes of a block, in the bytes that binary clients get: made once a block, without an object a leaf.

    answer  (status u8 | code u16 | seq u64 | block u64 | result u32 | items u8 | (order u64 | code u16)[items])

all big-endian. ``tradezone.gateway.orders.read_items`` says the same of one leaf, slowly; a test holds both together.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tradezone.engine.signatures import LAYOUTS, get_body_size
from tradezone.protocol import actions, events
from tradezone.protocol.actions import AT_ACTION, AT_BODY, AT_ITEMS
from tradezone.sequencer import ClosedBlock
from tradezone.sequencer.jit import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANSWER: Final = struct.Struct(">BHQQIB")
ITEM: Final = struct.Struct(">QH")
EXECUTED, REFUSED, UNKNOWN = range(3)
_ANSWER_BYTES: Final = ANSWER.size
_ITEM_BYTES: Final = ITEM.size

_PLACE: Final = actions.PLACE
_QUOTE: Final = actions.MASS_QUOTE
_PLAN: Final = actions.PLACE_PLAN
_ITEMS_MOST: Final = 256  # an item count is one byte


def _get_field(action: int, field: str) -> tuple[int, int]:
    """Offset of a field in an item, and bytes of the item."""
    layout = actions.ITEM_LAYOUTS[action]
    place = [name for name, _, _ in layout].index(field)
    return actions.layout_bytes(layout[:place]), actions.layout_bytes(layout)


_PLACE_LOTS, _PLACE_ITEM = _get_field(_PLACE, "lots")
_QUOTE_LOTS, _QUOTE_ITEM = _get_field(_QUOTE, "lots")
_QUOTE_ID, _ = _get_field(_QUOTE, "client_id")
_PLAN_LOTS, _PLAN_ITEM = _get_field(_PLAN, "lots")

_WAITING, _RESTED, _PLANNED = events.ORDER_WAITING, events.ORDER_RESTED, events.PLAN_PLACED
_AMENDED = events.ORDER_AMENDED
_ITEM_REJECTED, _LEAF_REJECTED = events.ITEM_REJECTED, events.LEAF_REJECTED


class Answers(NamedTuple):
    """Answers of a block's leaves; that of row i is ``data[at[i] : at[i + 1]]``. Marks have empty ones."""

    data: bytes
    at: NDArray[np.int64]

    def get(self, first: int, end: int) -> bytes:
        """Return the answers of rows ``first .. end - 1``, one behind the other."""
        return self.data[self.at[first] : self.at[end]]


@compiled
def _put(out: NDArray[np.uint8], at: int, width: int, value: Any) -> None:
    for k in range(width):
        out[at + k] = (value >> (8 * (width - 1 - k))) & 0xFF


@compiled
def _read(buffer: NDArray[np.uint8], at: int, width: int) -> Any:
    value = np.uint64(0)
    for k in range(width):
        value = value << np.uint64(8) | np.uint64(buffer[at + k])
    return value


@compiled
def _count_items(
    buffer: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    layouts: NDArray[np.int64],
    marks: int,
    at: NDArray[np.int64],
) -> None:
    """Fill where each answer begins."""
    for i in range(offsets.size - 1):
        size: Any = 0
        if i >= marks:
            size = _ANSWER_BYTES
            if get_body_size(buffer, offsets[i], offsets[i + 1], layouts) >= 0:
                size += _ITEM_BYTES * np.int64(buffer[offsets[i] + AT_ITEMS])
        at[i + 1] = at[i] + size


@compiled
def _sort_by_leaf(
    leaf: NDArray[np.int64], first_seq: int, starts: NDArray[np.int64], order: NDArray[np.int64]
) -> None:
    """Fill ``order`` with the rows of the events of each leaf, in order; leaf i has ``starts[i] : starts[i + 1]``."""
    count = starts.size - 1
    for e in range(leaf.size):
        row = leaf[e] - first_seq
        if 0 <= row < count:
            starts[row + 1] += 1
    for i in range(count):
        starts[i + 1] += starts[i]
    place = starts[:count].copy()
    for e in range(leaf.size):
        row = leaf[e] - first_seq
        if 0 <= row < count:
            order[place[row]] = e
            place[row] += 1


@compiled
def _needs_order(buffer: NDArray[np.uint8], body: int, action: Any, item: int) -> bool:
    """Whether an item that was not refused made an order or plan, unless it was done at once."""
    if action == _PLACE:
        return bool(_read(buffer, body + item * _PLACE_ITEM + _PLACE_LOTS, 8) != 0)
    if action == _PLAN:
        return bool(_read(buffer, body + item * _PLAN_ITEM + _PLAN_LOTS, 8) != 0)
    return False


@compiled
def _find_quote(
    buffer: NDArray[np.uint8],
    at: int,
    rows: NDArray[np.int64],
    kind: NDArray[np.int8],
    orders: NDArray[np.int64],
    id0: NDArray[np.uint64],
    id1: NDArray[np.uint64],
) -> Any:
    """Order of a rung: the newest that rests, or shrank, under its client id; 0 if there is none."""
    if _read(buffer, at + _QUOTE_LOTS, 8) == 0:
        return 0
    high, low = _read(buffer, at + _QUOTE_ID, 8), _read(buffer, at + _QUOTE_ID + 8, 8)
    for n in range(rows.size - 1, -1, -1):
        e = rows[n]
        if (kind[e] == _RESTED or kind[e] == _AMENDED) and id0[e] == low and id1[e] == high:
            return orders[e]
    return 0


@compiled
def _read_events(
    rows: NDArray[np.int64],
    kind: NDArray[np.int8],
    flag: NDArray[np.int8],
    error: NDArray[np.int32],
    orders: NDArray[np.int64],
    codes: NDArray[np.int64],
    made: NDArray[np.int64],
) -> Any:
    """Fill the items' codes and the orders and plans that a leaf made; how many, or -1: it was rejected whole."""
    count = 0
    for n in range(rows.size):
        e = rows[n]
        if kind[e] == _LEAF_REJECTED:
            return -1
        if kind[e] == _ITEM_REJECTED:
            codes[np.int64(flag[e]) & 0xFF] = error[e]
        elif kind[e] == _WAITING or kind[e] == _RESTED or kind[e] == _PLANNED:
            is_new = True
            for m in range(count):
                if made[m] == orders[e]:
                    is_new = False
                    break
            if is_new:
                made[count] = orders[e]
                count += 1
    return count


@compiled
def _encode(
    buffer: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    results: NDArray[np.int32],
    first_seq: int,
    block: int,
    marks: int,
    columns: Any,
    starts: NDArray[np.int64],
    order: NDArray[np.int64],
    at: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> None:
    kind, flag, error, orders, id0, id1 = columns
    codes = np.zeros(_ITEMS_MOST, np.int64)
    made = np.zeros(order.size + 1, np.int64)
    for i in range(marks, results.size):
        items = (at[i + 1] - at[i] - _ANSWER_BYTES) // _ITEM_BYTES
        to = at[i]
        first_error = np.int64(results[i]) & 0xFFFF
        _put(out, to, 1, EXECUTED)
        _put(out, to + 1, 2, first_error)
        _put(out, to + 3, 8, first_seq + i)
        _put(out, to + 11, 8, block)
        _put(out, to + 19, 4, np.int64(results[i]))
        _put(out, to + 23, 1, items)
        rows = order[starts[i] : starts[i + 1]]
        codes[:items] = 0
        count = _read_events(rows, kind, flag, error, orders, codes, made)
        is_rejected = count < 0
        action = np.int64(buffer[offsets[i] + AT_ACTION]) if items else np.int64(0)
        body = offsets[i] + AT_BODY
        taken = 0
        for k in range(items):
            number = np.int64(0)
            code = first_error if is_rejected else codes[k]
            if code == 0 and not is_rejected:
                if action == _QUOTE:
                    number = _find_quote(
                        buffer, body + k * _QUOTE_ITEM, rows, kind, orders, id0, id1
                    )
                elif _needs_order(buffer, body, action, k) and taken < count:
                    number = made[taken]
                    taken += 1
            place = to + _ANSWER_BYTES + k * _ITEM_BYTES
            _put(out, place, 8, number)
            _put(out, place + 8, 2, code)


def encode_answers(closed: ClosedBlock, marks: int) -> Answers:
    """Return the answers of a block whose first ``marks`` leaves are marks."""
    leaves = closed.leaves
    at = np.zeros(len(leaves) + 1, np.int64)
    _count_items(leaves.buffer, leaves.offsets, LAYOUTS, marks, at)
    out = np.empty(int(at[-1]), np.uint8)
    rows = closed.events
    names = ("kind", "flag", "error", "order", "client_id0", "client_id1")
    columns = tuple(np.ascontiguousarray(rows[name]) for name in names)
    starts = np.zeros(len(leaves) + 1, np.int64)
    order = np.zeros(len(rows), np.int64)
    _sort_by_leaf(np.ascontiguousarray(rows["leaf"]), closed.first_seq, starts, order)
    _encode(
        leaves.buffer,
        leaves.offsets,
        closed.results,
        closed.first_seq,
        closed.number,
        marks,
        columns,
        starts,
        order,
        at,
        out,
    )
    return Answers(out.tobytes(), at)
