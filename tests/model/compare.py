"""The snapshot of `tests.model.engine.Model`, built from record arrays, and the comparison of the two.

Everything is reached the way a step would reach it: lists are walked from their heads, so a link that is wrong
shows up as a difference (or as a list that does not end).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tests.model import perp_snapshot
from tests.model.snapshot import (
    AGENDA_FIELDS,
    APPROVAL_FIELDS,
    ASSET_FIELDS,
    BOOK_FIELDS,
    EVENT_FIELDS,
    HOLDING_FIELDS,
    KEY_FIELDS,
    MACHINE_FIELDS,
    ORDER_FIELDS,
    OWNER_FIELDS,
    PENDING_FIELDS,
    PENDING_HOME_FIELDS,
    PLAN_FIELDS,
    TASK_FIELDS,
    VENUE_FIELDS,
)
from tests.model.state import TABLES
from tradezone.protocol import enums
from tradezone.protocol.limits import NONCE_CELLS, ORDER_BUCKETS
from tradezone.protocol.records import TABLE_BY_NAME

Tables = Mapping[str, np.ndarray]

ACCOUNT_FIELDS = (
    *("generation", "state", "kind", "index", "owner", "balance_count", "order_count"),
    *("plan_count", "holding_count", "approval_count", "task"),
)
BALANCE_FIELDS = (
    *("generation", "account", "asset", "owner", "free", "locked", "uses", "faucet_time"),
)
OUTBOX_FIELDS = ("kind", "status", "owner", "asset", "amount", "time", "inbox", "venue", "market")
MARKET_FIELDS = (
    *("id", "venue", "kind", "base", "quote", "lot_size", "tick_value", "min_notional"),
    *("max_notional", "max_lots", "max_price", "taker_fee", "maker_fee", "protocol_share"),
    *("insurance_share", "taker_delay", "listed", "phase", "access", "referrer_share", "band"),
    *("calendar", "open_interest_cap", "account_cap", "closes", "guest_of", "guest_fee"),
    *("group", "outcome", "group_next"),
)


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


def get_word(rows: Rows, slot: int, field: str) -> str:
    """A 32-byte field, the highest bits first."""
    limbs = (rows[f"{field}{i}"][slot] for i in (3, 2, 1, 0))
    return "".join(f"{limb:016x}" for limb in limbs)


class Builder:
    """Walks record arrays and builds the parts of the snapshot."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.rows = {name: Rows(tables, name) for name in TABLES}
        for name in ("book", "pending"):
            self.rows[name] = Rows(tables, name, self.rows["market"].rows)
        for name in ("timer", "queue"):
            in_use = int(tables["head"]["in_use"][TABLE_BY_NAME[name].number])
            self.rows[name] = Rows(tables, name, in_use + 1)
        self.agenda = Rows(tables, "agenda", 1)

    def head(self, name: str) -> dict[str, Any]:
        head, rows = self.tables["head"][TABLE_BY_NAME[name].number], self.rows[name]
        free: list[tuple[int, int]] = []
        if first := int(head["first_free"]):
            slots = rows.walk(first, "next", f"free list of {name}")
            free = [(slot, rows["generation"][slot]) for slot in slots]
        return {"high_water": int(head["high_water"]), "in_use": int(head["in_use"]), "free": free}

    def ids(self, name: str, first: int, link: str, what: str) -> list[int]:
        rows = self.rows[name]
        return [get_id(rows, slot) for slot in rows.walk(first, link, what)]

    def live(self, name: str) -> list[int]:
        rows = self.rows[name]
        return [slot for slot in rows.slots() if rows["state"][slot] != enums.FREE]

    def side(self, market: int, field: str) -> list[dict[str, Any]]:
        found = []
        level, things = self.rows["level"], "order" if field.startswith("best") else "plan"
        for slot in level.walk(self.rows["book"][field][market], "next", f"{field} of {market}"):
            ids = self.ids(things, level["first"][slot], "next", f"level {slot}")
            fields = level.get(slot, ("generation", "price", "lots", "count"))
            found.append({"slot": slot, **fields, "orders": ids})
        return found

    def book(self, market: int) -> dict[str, Any]:
        book = self.rows["book"]
        waiting = self.ids("order", book["waiting_first"][market], "next", f"queue of {market}")
        head = tuple(book[f][market] for f in ("release", "release_seq", "release_block"))
        return {
            "bids": self.side(market, "best_bid"),
            "asks": self.side(market, "best_ask"),
            "up_last": self.side(market, "up_last"),
            "down_last": self.side(market, "down_last"),
            "waiting": waiting,
            "head": head if waiting else None,
            **book.get(market, ("queue", "is_triggering", *BOOK_FIELDS)),
        }

    def ring(self, first: int, what: str) -> list[int]:
        """Ids of a ring of plans from one of them on."""
        plan = self.rows["plan"]
        if not first:
            return []
        slots = [first]
        while (after := plan["sibling"][slots[-1]]) not in (0, first):
            slots.append(after)
            assert len(slots) <= plan.rows, f"{what}: the ring does not close"
        return [get_id(plan, slot) for slot in slots]

    def order(self, slot: int) -> dict[str, Any]:
        rows = self.rows["order"]
        names = [name for name in ORDER_FIELDS if name != "client_id"]
        values: dict[str, Any] = rows.get(
            slot, [*names, "pay_balance", "receive_balance", "holding", "timer"]
        )
        values["client_id"] = rows["client_id1"][slot] << 64 | rows["client_id0"][slot]
        values["children"] = self.ring(rows["first_child"][slot], f"children of {slot}")
        is_waiting = rows["state"][slot] == enums.WAITING
        release = (rows["release"][slot], rows["release_block"][slot])
        values["release"] = release if is_waiting else None
        return values

    def plan(self, slot: int) -> dict[str, Any]:
        values: dict[str, Any] = self.rows["plan"].get(slot, [*PLAN_FIELDS, "parent", "timer"])
        return values | {"ring": self.ring(slot, f"ring of plan {slot}")}

    def approval(self, slot: int) -> dict[str, int]:
        names = [name for name in APPROVAL_FIELDS if name != "slot"]
        return {"slot": slot, **self.rows["approval"].get(slot, names)}

    def account(self, slot: int) -> dict[str, Any]:
        account, what = self.rows["account"], f"account {slot}"
        balance, holding = self.rows["balance"], self.rows["holding"]
        balances = balance.walk(account["first_balance"][slot], "next", f"balances of {what}")
        holdings = holding.walk(account["first_holding"][slot], "next", f"holdings of {what}")
        approvals = self.rows["approval"].walk(
            account["first_approval"][slot], "next", f"approvals of {what}"
        )
        return {
            **account.get(slot, (*ACCOUNT_FIELDS, "timer")),
            "balances": [(balance["asset"][b], b) for b in balances],
            "holdings": [(holding["market"][h], h) for h in holdings],
            "approvals": [self.approval(a) for a in approvals],
            "orders": self.ids("order", account["first_order"][slot], "account_next", what),
            "plans": self.ids("plan", account["first_plan"][slot], "account_next", what),
        }

    def owner(self, slot: int) -> dict[str, Any]:
        owner, what = self.rows["owner"], f"owner {slot}"
        accounts = self.rows["account"].walk(owner["first_account"][slot], "next", what)
        keys = self.rows["key"].walk(owner["first_key"][slot], "next", what)
        return {
            "address": owner.address(slot, "address"),
            "redirect": owner.address(slot, "redirect"),
            **owner.get(slot, (*OWNER_FIELDS, "account_count", "key_count")),
            "accounts": accounts,
            "keys": keys,
        }

    def event(self, slot: int) -> dict[str, Any]:
        event, market = self.rows["event_group"], self.rows["market"]
        return {
            **event.get(slot, EVENT_FIELDS),
            "payouts": get_word(event, slot, "payouts"),
            "void_payouts": get_word(event, slot, "void_payouts"),
            "markets": market.walk(event["first_market"][slot], "group_next", f"event {slot}"),
        }

    def calendar(self, slot: int) -> dict[str, Any]:
        rows = self.rows["calendar"]
        return {
            "venue": rows["venue"][slot],
            "days": [(rows[f"open{d}"][slot], rows[f"close{d}"][slot]) for d in range(7)],
            "closures": [(rows[f"from{n}"][slot], rows[f"to{n}"][slot]) for n in range(4)],
        }

    def pending(self, slot: int) -> dict[str, int]:
        names = [*PENDING_FIELDS.values()]
        if not self.rows["market"]["guest_of"][slot]:
            names += PENDING_HOME_FIELDS.values()
        timer = self.rows["market"]["timer"][slot]
        return {**self.rows["pending"].get(slot, names), "timer": timer}

    def task(self, slot: int) -> dict[str, Any]:
        rows = self.rows["task"]
        names = [name for name in TASK_FIELDS if name != "slot"]
        return {"slot": slot, **rows.get(slot, (*names, "cursor"))}


def build_snapshot(
    tables: Tables, buckets: Iterable[int] | None = None, access: Iterable[int] | None = None
) -> dict[str, Any]:
    """Build the snapshot of `Model.snapshot` from record arrays.

    Parameters
    ----------
    tables : mapping of str to ndarray
        record arrays by table name
    buckets, access : iterable of int, optional
        buckets of client ids and of access records to look at; all of them without it
    """
    built = Builder(tables)
    rows, agenda = built.rows, built.agenda
    in_use = np.flatnonzero(tables["bucket"]["first"]).tolist() if buckets is None else []
    if buckets is None:
        buckets = [bucket for bucket in in_use if bucket < ORDER_BUCKETS]
        access = [bucket for bucket in in_use if bucket >= ORDER_BUCKETS]

    def chain(bucket: int, name: str) -> list[int]:
        first = int(tables["bucket"]["first"][bucket])
        return rows[name].walk(first, "bucket_next", f"bucket {bucket}")

    timer, queue = rows["timer"], rows["queue"]
    live_keys = built.live("key")
    return {
        "machine": Rows(tables, "machine", 1).get(0, MACHINE_FIELDS),
        "perpetuals": perp_snapshot.read(tables),
        "agenda": agenda.get(0, AGENDA_FIELDS),
        "heads": {name: built.head(name) for name in TABLES},
        "timers": [
            tuple(timer.get(slot, ("time", "seq", "kind", "subject")).values())
            for slot in timer.slots()
        ],
        "queue": [
            tuple(queue.get(slot, ("release", "seq", "book")).values()) for slot in queue.slots()
        ],
        "triggering": rows["book"].walk(agenda["trigger_first"][0], "trigger_next", "triggers"),
        "tasks": [
            built.task(slot) for slot in rows["task"].walk(agenda["task_first"][0], "next", "tasks")
        ],
        "assets": {
            slot: {
                "token": rows["asset"].address(slot, "token"),
                **rows["asset"].get(slot, ASSET_FIELDS),
            }
            for slot in rows["asset"].slots()
        },
        "owners": {slot: built.owner(slot) for slot in rows["owner"].slots()},
        "accounts": {slot: built.account(slot) for slot in rows["account"].slots()},
        "keys": {
            slot: {
                **rows["key"].get(slot, KEY_FIELDS),
                "address": rows["key"].address(slot, "address"),
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
        "balances": {
            slot: rows["balance"].get(slot, BALANCE_FIELDS) for slot in built.live("balance")
        },
        "holdings": {
            slot: rows["holding"].get(
                slot, ("generation", "owner", "outcome", "group", "uses", *HOLDING_FIELDS)
            )
            for slot in built.live("holding")
        },
        "venues": {
            slot: {
                "credential_provider": rows["venue"].address(slot, "credential_provider"),
                **rows["venue"].get(slot, VENUE_FIELDS),
            }
            for slot in rows["venue"].slots()
        },
        "events": {slot: built.event(slot) for slot in rows["event_group"].slots()},
        "calendars": {slot: built.calendar(slot) for slot in rows["calendar"].slots()},
        "markets": {
            slot: rows["market"].get(slot, MARKET_FIELDS) for slot in rows["market"].slots()
        },
        "pending": {slot: built.pending(slot) for slot in built.live("pending")},
        "orders": {get_id(rows["order"], slot): built.order(slot) for slot in built.live("order")},
        "plans": {get_id(rows["plan"], slot): built.plan(slot) for slot in built.live("plan")},
        "books": {market: built.book(market) for market in rows["market"].slots()},
        "buckets": {
            bucket: [get_id(rows["order"], slot) for slot in slots]
            for bucket in buckets
            if (slots := chain(bucket, "order"))
        },
        "access": {
            bucket: [built.approval(slot) for slot in slots]
            for bucket in access or ()
            if (slots := chain(bucket, "approval"))
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
    assert_same(model.snapshot(), build_snapshot(tables, buckets, sorted(model.access)), "state")


def events_to_dicts(found: np.ndarray) -> list[dict[str, int]]:
    """Event records as dicts of Python integers, every column named."""
    names = found.dtype.names
    return [dict(zip(names, row, strict=True)) for row in found.tolist()]
