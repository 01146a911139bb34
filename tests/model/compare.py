"""The snapshot of `tests.model.engine.Model`, built from record arrays, and the comparison of the two.

Everything is reached the way a step would reach it: lists are walked from their heads, so a link that is wrong
shows up as a difference (or as a list that does not end).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tests.model.engine import ORDER_FIELDS, TABLES
from tradezone.protocol import enums
from tradezone.protocol.limits import NONCE_CELLS, ORDER_BUCKETS
from tradezone.protocol.records import TABLE_BY_NAME

Tables = Mapping[str, np.ndarray]

MACHINE_FIELDS = (
    "block",
    "time",
    "seq",
    "inbox",
    "l1_time",
    "order_seq",
    "trade_seq",
    "expiry_cursor",
)
KEY_FIELDS = (
    "generation",
    "scope",
    "owner",
    "account",
    "venue",
    "expires",
    "approved",
    "max_notional",
)
BALANCE_FIELDS = ("generation", "account", "asset", "owner", "free", "locked", "uses")
VENUE_FIELDS = ("owner", "fee_account", "fund_account", "state", "access", "market_count", "stake")
ASSET_FIELDS = ("kind", "decimals", "state", "venue", "total", "dust", "quantum", "cap")
ACCOUNT_FIELDS = ("generation", "state", "kind", "index", "owner", "balance_count", "order_count")
OWNER_FIELDS = ("referrer", "kind", "flags", "account_count", "key_count")
OUTBOX_FIELDS = ("kind", "status", "owner", "asset", "amount", "time", "inbox", "venue", "market")
MARKET_FIELDS = (
    "id",
    "venue",
    "kind",
    "base",
    "quote",
    "lot_size",
    "tick_value",
    "min_notional",
    "max_notional",
    "max_lots",
    "max_price",
    "taker_fee",
    "maker_fee",
    "protocol_share",
    "insurance_share",
    "taker_delay",
    "listed",
    "phase",
    "access",
)
BOOK_FIELDS = ("last_release", "last_price", "last_time", "volume_lots", "trades")


class Rows:
    """Columns of one table below its high-water mark, as lists of Python integers."""

    def __init__(self, tables: Tables, name: str, rows: int | None = None) -> None:
        self.array = tables[name]
        if rows is None:
            rows = int(tables["head"]["high_water"][TABLE_BY_NAME[name].number])
        self.rows = max(rows, 1)
        self._columns: dict[str, list[int]] = {}

    def __getitem__(self, field: str) -> list[int]:
        if field not in self._columns:
            self._columns[field] = self.array[field][: self.rows].tolist()
        return self._columns[field]

    def get(self, slot: int, fields: Iterable[str]) -> dict[str, int]:
        return {field: self[field][slot] for field in fields}

    def slots(self) -> range:
        return range(1, self.rows)

    def address(self, slot: int, field: str) -> str:
        low, middle, high = (self[f"{field}{i}"][slot] for i in range(3))
        return f"{high << 128 | middle << 64 | low:040x}"

    def walk(self, first: int, link: str, what: str) -> list[int]:
        """Slots of a list from `first` along `link`; fails on a link outside the table or a cycle."""
        found: list[int] = []
        slot = first
        while slot:
            assert 0 < slot < self.rows, f"{what}: link to slot {slot}, table has {self.rows}"
            found.append(slot)
            assert len(found) <= self.rows, f"{what}: the list does not end: {found[:20]}"
            slot = self[link][slot]
        return found


def get_id(rows: Rows, slot: int) -> int:
    return rows["generation"][slot] << 32 | slot


def build_snapshot(tables: Tables, buckets: Iterable[int] | None = None) -> dict[str, Any]:
    """Build the snapshot of `Model.snapshot` from record arrays.

    Parameters
    ----------
    tables : mapping of str to ndarray
        record arrays by table name
    buckets : iterable of int, optional
        buckets to look at; all of them without it
    """
    rows = {name: Rows(tables, name) for name in TABLES}
    order, account, balance, level, key = (
        rows[name] for name in ("order", "account", "balance", "level", "key")
    )
    markets = rows["market"].rows
    book = Rows(tables, "book", markets)
    machine = Rows(tables, "machine", 1)
    if buckets is None:
        buckets = np.flatnonzero(tables["bucket"]["first"][:ORDER_BUCKETS]).tolist()

    def heads(name: str) -> dict[str, Any]:
        number = TABLE_BY_NAME[name].number
        head = tables["head"][number]
        first = int(head["first_free"])
        free = []
        if first:
            free = [
                (slot, rows[name]["generation"][slot])
                for slot in rows[name].walk(first, "next", f"free list of {name}")
            ]
        return {
            "high_water": int(head["high_water"]),
            "in_use": int(head["in_use"]),
            "free": free,
        }

    def side(market: int, field: str) -> list[dict[str, Any]]:
        found = []
        for slot in level.walk(book[field][market], "next", f"{field} of market {market}"):
            what = f"orders of level {slot}"
            orders = order.walk(level["first"][slot], "next", what)
            found.append(
                {
                    "slot": slot,
                    **level.get(slot, ("generation", "price", "lots", "count")),
                    "orders": [get_id(order, o) for o in orders],
                }
            )
        return found

    def one_book(market: int) -> dict[str, Any]:
        waiting = order.walk(book["waiting_first"][market], "next", f"queue of market {market}")
        head = tuple(book[f][market] for f in ("release", "release_seq", "release_block"))
        return {
            "bids": side(market, "best_bid"),
            "asks": side(market, "best_ask"),
            "waiting": [get_id(order, o) for o in waiting],
            "head": head if waiting else None,
            **book.get(market, BOOK_FIELDS),
        }

    def one_order(slot: int) -> dict[str, Any]:
        names = [name for name in ORDER_FIELDS if name != "client_id"]
        values: dict[str, Any] = order.get(slot, [*names, "pay_balance", "receive_balance"])
        values["client_id"] = order["client_id1"][slot] << 64 | order["client_id0"][slot]
        is_waiting = order["state"][slot] == enums.WAITING
        release = (order["release"][slot], order["release_block"][slot])
        values["release"] = release if is_waiting else None
        return values

    live_orders = [slot for slot in order.slots() if order["state"][slot] != enums.FREE]
    live_keys = [slot for slot in key.slots() if key["state"][slot] != enums.FREE]
    return {
        "machine": machine.get(0, MACHINE_FIELDS),
        "heads": {name: heads(name) for name in TABLES},
        "assets": {
            slot: {
                "token": rows["asset"].address(slot, "token"),
                **rows["asset"].get(slot, ASSET_FIELDS),
            }
            for slot in rows["asset"].slots()
        },
        "owners": {
            slot: {
                "address": rows["owner"].address(slot, "address"),
                "redirect": rows["owner"].address(slot, "redirect"),
                **rows["owner"].get(slot, OWNER_FIELDS),
                "accounts": account.walk(
                    rows["owner"]["first_account"][slot], "next", f"accounts of owner {slot}"
                ),
                "keys": key.walk(rows["owner"]["first_key"][slot], "next", f"keys of owner {slot}"),
            }
            for slot in rows["owner"].slots()
        },
        "accounts": {
            slot: {
                **account.get(slot, ACCOUNT_FIELDS),
                "balances": [
                    (balance["asset"][b], b)
                    for b in balance.walk(
                        account["first_balance"][slot], "next", f"balances of account {slot}"
                    )
                ],
                "orders": [
                    get_id(order, o)
                    for o in order.walk(
                        account["first_order"][slot], "account_next", f"orders of account {slot}"
                    )
                ],
            }
            for slot in account.slots()
        },
        "keys": {
            slot: {
                **key.get(slot, KEY_FIELDS),
                "address": key.address(slot, "address"),
                "name": key["name"][slot],
            }
            for slot in live_keys
        },
        "nonces": {
            slot: [
                int(tables["nonces"][f"cell{cell % 16}"][slot * 4 + cell // 16])
                for cell in range(NONCE_CELLS)
            ]
            for slot in live_keys
        },
        "balances": {slot: balance.get(slot, BALANCE_FIELDS) for slot in balance.slots()},
        "venues": {slot: rows["venue"].get(slot, VENUE_FIELDS) for slot in rows["venue"].slots()},
        "markets": {
            slot: rows["market"].get(slot, MARKET_FIELDS) for slot in rows["market"].slots()
        },
        "orders": {get_id(order, slot): one_order(slot) for slot in live_orders},
        "books": {market: one_book(market) for market in range(1, markets)},
        "release": book.walk(machine["release_first"][0], "release_next", "release list"),
        "buckets": {
            bucket: [get_id(order, o) for o in chain]
            for bucket in buckets
            if (
                chain := order.walk(
                    int(tables["bucket"]["first"][bucket]), "bucket_next", f"bucket {bucket}"
                )
            )
        },
        "outbox": {
            slot: {
                "recipient": rows["outbox"].address(slot, "recipient"),
                **rows["outbox"].get(slot, OUTBOX_FIELDS),
            }
            for slot in rows["outbox"].slots()
        },
    }


def get_differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Lines that say where two nested values differ: ``path: model ..., engine ...``."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        lines = []
        for name in sorted(expected.keys() | actual.keys(), key=repr):
            here = f"{path}.{name}" if path else str(name)
            if name not in actual:
                lines.append(f"{here}: model {expected[name]!r}, engine has none")
            elif name not in expected:
                lines.append(f"{here}: model has none, engine {actual[name]!r}")
            else:
                lines += get_differences(expected[name], actual[name], here)
        return lines
    is_list = isinstance(expected, list) and isinstance(actual, list)
    if is_list and any(isinstance(value, dict) for value in expected + actual):
        lines = (
            []
            if len(expected) == len(actual)
            else [f"{path}: model has {len(expected)} entries, engine {len(actual)}"]
        )
        for i, (one, other) in enumerate(zip(expected, actual, strict=False)):
            lines += get_differences(one, other, f"{path}[{i}]")
        return lines
    return [] if expected == actual else [f"{path}: model {expected!r}, engine {actual!r}"]


def assert_same(expected: Any, actual: Any, what: str, *, most: int = 40) -> None:
    """AssertionError with a readable list of differences unless the two are equal."""
    if expected == actual:
        return
    lines = get_differences(expected, actual)
    shown = "\n  ".join(lines[:most])
    more = f"\n  ... and {len(lines) - most} more" if len(lines) > most else ""
    raise AssertionError(f"{what}: model and engine differ\n  {shown}{more}")


def assert_same_state(model: Any, tables: Tables, *, every_bucket: bool = False) -> None:
    """Compare the whole state of a model with record arrays."""
    buckets = None if every_bucket else sorted(model.buckets)
    assert_same(model.snapshot(), build_snapshot(tables, buckets), "state")


def events_to_dicts(found: np.ndarray) -> list[dict[str, int]]:
    """Event records as dicts of Python integers, every column named."""
    names = found.dtype.names
    return [dict(zip(names, row, strict=True)) for row in found.tolist()]
