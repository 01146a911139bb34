"""The invariants of the state, checked on demand over every record, between two runs.

``audit_state(tables)`` reads record arrays and nothing else: no lookup, no event, no memory of what was executed. Each
rule has an id and one sentence in ``RULES``; a ``Violation`` names the rule and the record. A rule is a statement
of ``docs/spec`` (the last section of ``orders``, ``outcome`` and ``plans`` lists the main ones), written as whole-column
arithmetic, so that a zone of a million orders is read in seconds. Lists are checked without walking them: a
list is whole iff every member is pointed at exactly once by a member or the head of the same list, and no member
is its own ancestor (``_Audit.check_list``).

A broken reference must not break the audit: what does not point into its table is reported once, by
``record.reference``, and reads as slot 0 from then on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tradezone.protocol import enums as E
from tradezone.protocol import limits as L
from tradezone.protocol import steps as P
from tradezone.protocol.hashing import keccak
from tradezone.protocol.records import TABLE_BY_NAME, TABLES

from ._jit import jit
from .audit_perps import PERP_RULES, check_perps
from .codec import bucket_of_id

Tables = Mapping[str, NDArray[Any]]
_Column = NDArray[np.int64]
_Mask = NDArray[np.bool_]

RULES: Final = {
    # tables
    "table.high_water": "the high-water mark is 1 .. capacity, and nothing is used from it on",
    "table.in_use": "head.in_use counts the slots below the high-water mark that are not free",
    "table.free_list": "every free slot stands on the free list of its table, once",
    "table.freed": "a freed slot keeps its generation, which is not 0, and the next free slot, nothing else",
    "table.unused": "what belongs to rules that are not in force is never written",
    "record.sign": "an unsigned field keeps to the lower half of its range",
    "record.reference": "a field that holds a slot names a record in use",
    "record.gap": "bits that no field names are zero",
    # the machine
    "machine.idle": "between runs the machine stands at IDLE, and no plan or passed book is left over",
    "machine.clock": "times are not beyond MAX_TIME, and nothing happened later than the block time",
    "fees.shared": "every fee of the last fill has been shared out",
    # owners, accounts, keys
    "owner.accounts": "an owner's accounts are one list, main account first, indices 0 .. account_count - 1",
    "owner.keys": "an owner's keys are one list of key_count keys, at most MAX_KEYS",
    "owner.owner_key": "a user has one key with OWNER scope, its own address; a contract has none",
    "owner.quota": "quota is at most MAX_QUOTA and was not filled up on a day to come",
    "key.scope": "an agent key has scope TRADE, expires, and is bound to an account of its owner or to none",
    "key.nonces": "nonce cells stand at the key's approval or inside the window that block time allowed",
    "account.kind": "the protocol's main account, and each venue's fee and fund account, are theirs alone",
    "account.balances": "an account's balances are one list by rising asset, at most MAX_BALANCES of a user",
    "account.orders": "an account's open orders are one list of order_count orders, at most MAX_OPEN_ORDERS",
    "account.plans": "an account's plans are one list of plan_count plans, at most MAX_PLANS",
    "account.holdings": "an account's holdings are one list by rising market, at most MAX_HOLDINGS",
    "account.approvals": "an account's approvals are one list by rising (kind, subject), at most MAX_APPROVALS",
    "account.task": "account.task names the one task of the account",
    "record.owner": "the owner that a record names is that of its account",
    "approval.terms": "an approval is within MAX_INTERFACE_FEE; an access record is of a mode and class there is",
    # money
    "balance.range": "free and locked are not below zero",
    "balance.locked": "balance.locked is the sum of order.locked over the orders that it pays for",
    "balance.uses": "balance.uses counts the orders that name it, twice if it pays and receives",
    "asset.total": "an asset's total is what its balances, its dust and its events' cash add up to",
    "asset.bound": "an asset's total is at most MAX_TOTAL_ATOMS, a simulated one's at most its cap",
    "asset.wall": "a simulated asset is of one venue, meets no real one, and never leaves the zone",
    "outbox.terms": "the outbox is append-only; payments are of real assets, above zero, to somebody, answers of owners",
    # orders and books
    "order.terms": "an open order has open lots, a price of its market, and fields that some check admits",
    "order.pay": "an order pays from and receives in balances of its account, in the assets of its side",
    "order.lock": "an order locks its cost and at most the worst fee on it; a spot sell locks its cost",
    "order.seq": "admission numbers of orders and plans differ and are not above order_seq",
    "order.rests": "what rests is GTC or post-only, not cancelled; what waits can take",
    "order.timer": "an order that rests and expires has a timer, one that never expires has none",
    "order.door": "an order came through no door or one of its market",
    "client.bucket": "an order with a client id hangs in the chain of its bucket, others in none",
    "client.unique": "a client id names one open order of its account",
    "bucket.length": "a bucket's length is that of its chain, at most MAX_BUCKET_LENGTH",
    "book.levels": "a side's levels are one list, best first, one a price; counts are right",
    "book.crossed": "the best bid is below the best ask",
    "book.last": "last price, band and volume are those of a fill that was possible",
    "level.orders": "a level's orders are one list of resting orders at its price; lots and count are their sums",
    "level.plans": "a trigger level's plans are one list of armed plans with its trigger",
    "book.order_count": "order_count counts the orders that rest, waiting_count those that wait",
    "book.waiting": "the release queue of a book is one list by rising (release, seq), its tail last_release",
    "queue.heap": "the books with waiting orders form one heap by the key of their heads",
    "timer.heap": "timers form one heap by (time, seq)",
    "timer.subject": "each timer is named by its subject, and each subject that names one has it",
    # venues and markets
    "venue.terms": "a venue has a state, an access rule and a class there are",
    "venue.market_orders": "market_orders counts the open orders of the venue's markets",
    "venue.market_count": "market_count counts the venue's markets that are not settled",
    "market.terms": "a market's terms are within the bounds of listing; its id is its venue's, and no other's",
    "market.fee_balances": "whoever gets fees of a market holds its quote asset",
    "market.guest": "a door has the terms of its home and no book of its own",
    "market.settled": "nothing rests in a settled market, unless a task is taking it out",
    "market.pending": "an update that waits has a timer for its time; without one nothing is kept",
    "calendar.terms": "sessions and closures begin before they end",
    # outcomes
    "event.markets": "an event's markets are one list, the last listed first, in the terms of the event",
    "event.payouts": "payout vectors sum to PAYOUT_UNIT; an open event has none, a void one that of its listing",
    "event.sets": "in every market of an open event Yes - No = sets",
    "event.cash": "an event's cash is what its holdings are worth, to the atom",
    "book.open_lots": "open_lots is the sum of the market's Yes lots",
    "holding.terms": "a holding is of a home market with outcomes, in its event and outcome",
    "holding.locked": "locked lots are the cover of the orders that would close them, and no more than there are",
    "holding.one_side": "unlocked lots stand on one side only",
    "holding.uses": "holding.uses counts the orders that name it",
    "order.holding": "an order of an outcome names its account's holding of the market; cover is within its lots",
    "order.reduce_only": "a reduce-only order is covered in full: its depth is never phantom",
    "payout.sweep": "the payout sweep's cursor and count stay inside the table",
    # plans and tasks
    "plan.terms": "a plan has kind, source, grouping and prices that some check admits",
    "plan.state": "a plan is ARMED iff it stands on a level, HELD iff its parent has filled nothing",
    "plan.ring": "siblings form one ring of plans of one account and market",
    "plan.children": "children of an order are the ring of its first_child; armed iff it has filled",
    "plan.timer": "a plan that expires has a timer, others have none",
    "trigger.list": "the books to be looked at are one list of those that say so; the others keep no price",
    "task.list": "tasks are one list; each begins at the front of its list and concerns what was there",
    **PERP_RULES,
}
"""Rule id -> what holds."""

# What is written by no rule that is in force.
_UNUSED_FIELDS: Final = {
    "asset": ("dust",),
    "approval": ("used",),
    "venue": ("incidents",),
    "ledger": ("generation", "claims"),
    "plan": ("interval", "slice_lots", "next_time"),
}
_UNUSED_AGENDA: Final = ("forced_first", "restart_phase")
# (table, field, table it points into, whether 0 is allowed)
_REFERENCES: Final = (
    ("asset", "venue", "venue", True),
    ("owner", "referrer", "owner", True),
    ("account", "owner", "owner", False),
    ("key", "owner", "owner", False),
    ("key", "account", "account", True),
    ("key", "venue", "venue", True),
    ("balance", "account", "account", False),
    ("balance", "asset", "asset", False),
    ("venue", "owner", "owner", False),
    ("venue", "fee_account", "account", False),
    ("venue", "fund_account", "account", False),
    ("market", "venue", "venue", False),
    ("market", "quote", "asset", False),
    ("market", "base", "asset", True),
    ("market", "group", "event_group", True),
    ("market", "calendar", "calendar", True),
    ("market", "guest_of", "market", True),
    ("order", "account", "account", False),
    ("order", "market", "market", False),
    ("order", "pay_balance", "balance", True),
    ("order", "receive_balance", "balance", True),
    ("order", "pool", "pool", True),
    ("order", "door", "market", True),
    ("order", "interface", "account", True),
    ("plan", "account", "account", False),
    ("plan", "market", "market", False),
    ("plan", "door", "market", True),
    ("plan", "interface", "account", True),
    ("plan", "parent", "order", True),
    ("holding", "account", "account", False),
    ("holding", "market", "market", False),
    ("holding", "group", "event_group", False),
    ("event_group", "venue", "venue", False),
    ("event_group", "asset", "asset", False),
    ("level", "market", "market", False),
    ("calendar", "venue", "venue", False),
    ("ledger", "venue", "venue", False),
    ("ledger", "asset", "asset", False),
    ("feed", "venue", "venue", False),
    ("pool", "account", "account", False),
    ("pool", "venue", "venue", False),
    ("pool", "asset", "asset", False),
    ("pool", "market", "market", True),
    ("pool", "balance", "balance", False),
    ("pool", "ledger", "ledger", False),
    ("position", "pool", "pool", False),
    ("position", "market", "market", False),
    ("position", "account", "account", False),
)
_BOOK_HEADS: Final = (  # level lists of a book, by level.side
    *("best_bid", "best_ask", "up_last", "down_last"),
    *("up_mark", "down_mark", "up_index", "down_index"),
)
_SIDES: Final = len(_BOOK_HEADS)
_HALF: Final = 31
_LOW: Final = (1 << _HALF) - 1
_WORST_RATE: Final = max(L.MAX_TAKER_FEE, L.MAX_MAKER_FEE) + L.MAX_INTERFACE_FEE
_POSTS: Final = (E.TIF_POST_ONLY, E.TIF_POST_SLIDE)


@dataclass(frozen=True, slots=True)
class Violation:
    """A record that breaks a rule.

    Attributes
    ----------
    rule : str
        id of the rule, a key of ``RULES``
    table : str
        table of the record
    slot : int
        slot of the record
    text : str
        what was found, and what was expected
    """

    rule: str
    table: str
    slot: int
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.table} {self.slot}: {self.text}"


def audit_state(tables: Tables, *, most: int = 20, is_thorough: bool = False) -> list[Violation]:
    """Check every rule of ``RULES`` on record arrays; an empty list means that all of them hold.

    Parameters
    ----------
    tables : mapping of str to structured array
        the state between two runs, by table name (``Engine.tables``); read, never written
    most : int
        violations of one rule that are listed
    is_thorough : bool
        read unused memory as well: gaps inside records, buckets no order hangs in, nodes beyond the heaps
    """
    found = _Audit(tables, most, is_thorough)
    found.run()
    return found.violations


@jit
def _find_buckets(account, limb1, limb0, bucket):
    """Fill ``bucket`` with the bucket of each (account, client id)."""
    for n in range(len(bucket)):
        bucket[n] = bucket_of_id(account[n], limb1[n], limb0[n])


def _sum_by(group: _Column, values: _Column, size: int) -> _Column:
    """Sum of ``values`` by ``group``, exact; -1 where it does not fit 62 bits.

    Values are halved into 31 bits and the rest, so that no partial sum can wrap round to the expected one.
    """
    low = np.zeros(size, np.int64)
    high = np.zeros(size, np.int64)
    np.add.at(low, group, values & _LOW)
    np.add.at(high, group, values >> _HALF)
    high += low >> _HALF
    is_wide = (high < 0) | (high >= 1 << _HALF)
    return np.where(is_wide, -1, (high << _HALF) | (low & _LOW))


def _ppm_up(amount: _Column, rate: _Column | int) -> _Column:
    """``ceil(amount * rate / PPM)`` without a wide product."""
    rest = amount % L.PPM * rate
    return np.asarray(amount // L.PPM * rate + (rest + L.PPM - 1) // L.PPM)


class _Audit:
    """One audit: columns read so far, and what was found."""

    def __init__(self, tables: Tables, most: int, is_thorough: bool) -> None:
        self.tables = tables
        self.most = most
        self.is_thorough = is_thorough
        self.violations: list[Violation] = []
        self._columns: dict[tuple[str, str], _Column] = {}
        self._live: dict[str, _Mask] = {}
        self.machine = tables["machine"][0]
        self.agenda = tables["agenda"][0]
        self.time = int(self.machine["time"])
        self.rows = {table.name: self._count_rows(table.name) for table in TABLES}

    def _count_rows(self, name: str) -> int:
        """Slots of a table that may be in use, slot 0 included."""
        table, head = TABLE_BY_NAME[name], self.tables["head"]
        if table.is_allocated:
            return min(max(int(head["high_water"][table.number]), 1), table.capacity)
        if name in ("timer", "queue"):
            return min(max(int(head["in_use"][table.number]), 0) + 1, table.capacity)
        if name in ("book", "price", "job", "pending", "fund", "tier"):
            return self._count_rows("market")
        if name == "watch":
            return self._count_rows("feed")
        if name == "provider":
            return min(8 * self._count_rows("feed"), table.capacity)
        if name == "nonces":
            return min(4 * self._count_rows("key"), table.capacity)
        return table.capacity

    # --- reading and reporting ---------------------------------------------------------------------

    def __getitem__(self, at: tuple[str, str]) -> _Column:
        """Column of a table as 64-bit integers, all used rows, slot 0 first."""
        if at not in self._columns:
            table, field = at
            self._columns[at] = self.tables[table][field][: self.rows[table]].astype(np.int64)
        return self._columns[at]

    def live(self, table: str) -> _Mask:
        """Which rows are records in use."""
        if table not in self._live:
            rows = self.rows[table]
            if (
                "state" in (self.tables[table].dtype.names or ())
                and TABLE_BY_NAME[table].is_allocated
            ):
                mask = self[table, "state"] != E.FREE
            else:
                mask = np.ones(rows, np.bool_)
            mask[0] = False
            self._live[table] = mask
        return self._live[table]

    def slots(self, table: str) -> _Column:
        """Slots of the records in use."""
        return np.flatnonzero(self.live(table))

    def at(self, table: str, field: str, index: _Column) -> _Column:
        """``field`` of the records that ``index`` names; slot 0 for what lies outside."""
        column = self[table, field]
        return np.asarray(column[np.where((index >= 0) & (index < len(column)), index, 0)])

    def names(self, table: str, index: _Column) -> _Mask:
        """Whether each entry of ``index`` names a record in use."""
        mask = self.live(table)
        is_inside = (index > 0) & (index < len(mask))
        return np.asarray(is_inside & mask[np.where(is_inside, index, 0)])

    def fail(
        self, rule: str, table: str, slots: _Column, bad: _Mask, text: str, *shown: _Column
    ) -> None:
        """Report the ``slots`` that are ``bad``; ``shown`` fills in the text."""
        if not bad.any():
            return
        places = np.flatnonzero(bad)
        for n in places[: self.most].tolist():
            values = (int(column[n]) for column in shown)
            self.violations.append(Violation(rule, table, int(slots[n]), text.format(*values)))

    def fail_one(self, rule: str, table: str, slot: int, text: str) -> None:
        """Report one record."""
        self.violations.append(Violation(rule, table, slot, text))

    def check(self, rule: str, table: str, bad: _Mask, text: str, *shown: _Column) -> None:
        """Report the records of a table in use that are ``bad``; all arguments are over its live slots."""
        self.fail(rule, table, self.slots(table), bad, text, *shown)

    def check_list(
        self,
        rule: str,
        table: str,
        members: _Mask,
        link: str,
        owner: _Column,
        first: _Column,
        *,
        previous: str | None = None,
        last: _Column | None = None,
        count: _Column | None = None,
        key: tuple[_Column, ...] = (),
    ) -> None:
        """Check that the ``members`` of a table are lists, one for each index of ``first``.

        Parameters
        ----------
        members : (rows,) bool
            which rows stand in a list
        link : str
            field that names the next member
        owner : (rows,) int64
            index into ``first`` of the list that a member stands in
        first : (lists,) int64
            head of each list, 0 = empty
        previous : str, optional
            field that names the member before
        last, count : (lists,) int64, optional
            what the owner of each list keeps
        key : tuple of (rows,) int64
            strictly rising along a list, the first one most significant
        """
        rows, lists = len(members), len(first)
        following = self[table, link]
        slots = np.flatnonzero(members)
        is_owned = (owner[slots] >= 0) & (owner[slots] < lists)
        self.fail(rule, table, slots, ~is_owned, "stands in no list that there is")
        slots = slots[is_owned]
        pointed = np.zeros(rows, np.int64)
        before = np.zeros(rows, np.int64)
        targets = following[slots]
        is_link = targets != 0
        sources, targets = slots[is_link], targets[is_link]
        is_good = (targets > 0) & (targets < rows)
        safe = np.where(is_good, targets, 0)
        is_good &= members[safe] & (owner[safe] == owner[sources])
        text = f"{link} is {{}}, no member of its list"
        self.fail(rule, table, sources, ~is_good, text, targets)
        sources, targets = sources[is_good], targets[is_good]
        np.add.at(pointed, targets, 1)
        before[targets] = sources
        heads = np.flatnonzero(first)
        starts = first[heads]
        is_good = (starts > 0) & (starts < rows)
        safe = np.where(is_good, starts, 0)
        is_good &= members[safe] & (owner[safe] == heads)
        self.fail(rule, table, starts, ~is_good, "is the head of list {}, but no member", heads)
        np.add.at(pointed, starts[is_good], 1)
        is_off = pointed[slots] != 1
        self.fail(rule, table, slots, is_off, "is pointed at {} times", pointed[slots])
        ahead, active = before.copy(), slots[before[slots] != 0]
        for _ in range(rows.bit_length()):
            if not len(active):
                break
            ahead[active] = ahead[ahead[active]]
            active = active[ahead[active] != 0]
        self.fail(rule, table, active, np.ones(len(active), np.bool_), "stands in a circle")
        if previous is not None:
            found = self[table, previous][slots]
            text = f"{previous} is {{}}, expected {{}}"
            self.fail(rule, table, slots, found != before[slots], text, found, before[slots])
        if last is not None:
            tails = np.zeros(lists, np.int64)
            ends = slots[following[slots] == 0]
            tails[owner[ends]] = ends
            where = np.arange(lists)
            text = f"is the last of list {{}} of {table}, expected {{}}"
            self.fail(rule, table, last, last != tails, text, where, tails)
        if count is not None:
            counted = np.bincount(owner[slots], minlength=lists)
            text = f"list {{}} of {table} has {{}} members, its count says {{}}"
            where = np.arange(lists)
            self.fail(rule, table, first, count != counted, text, where, counted, count)
        is_rising = np.zeros(len(sources), np.bool_)
        is_equal = np.ones(len(sources), np.bool_)
        for column in key:
            is_rising |= is_equal & (column[sources] < column[targets])
            is_equal &= column[sources] == column[targets]
        if key:
            self.fail(rule, table, sources, ~is_rising, "does not stand before {}", targets)

    # --- the rules ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Check everything."""
        self.check_tables()
        self.check_references()
        self.check_machine()
        self.check_owners()
        self.check_accounts()
        self.check_money()
        self.check_venues()
        self.check_markets()
        self.check_orders()
        self.check_client_ids()
        self.check_books()
        self.check_queue()
        self.check_events()
        self.check_holdings()
        self.check_plans()
        self.check_tasks()
        self.check_timers()
        check_perps(self)

    def check_tables(self) -> None:
        """Heads, free lists, freed slots, memory that nothing uses, signs."""
        for table in TABLES:
            name, records = table.name, self.tables[table.name]
            rows = self.rows[name]
            head = self.tables["head"][table.number]
            mark, in_use = int(head["high_water"]), int(head["in_use"])
            if table.is_allocated or name in ("timer", "queue"):
                bound = table.capacity if table.is_allocated else 1
                if not 1 <= mark <= bound:
                    text = f"high_water is {mark}, expected 1 .. {bound}"
                    self.fail_one("table.high_water", "head", table.number, text)
            elif mark or in_use or int(head["first_free"]):
                text = f"{name} has no slots to give out"
                self.fail_one("table.high_water", "head", table.number, text)
            if table.is_allocated:
                self._check_free_list(name, int(head["first_free"]), in_use)
            self._check_beyond(name, rows)
            for field in table.fields:
                if field.kind.startswith("u") and name not in ("machine", "head", "draft"):
                    column = records[field.name][:rows]
                    bad = np.flatnonzero(column < 0)
                    text = f"{field.name} is {{}}"
                    self.fail("record.sign", name, bad, bad > -1, text, column[bad])
            if self.is_thorough:
                self._check_gaps(name, rows)
        for name, fields in _UNUSED_FIELDS.items():
            for field_name in fields:
                column = self[name, field_name]
                text = f"{field_name} is {{}}"
                slots = np.arange(len(column))
                self.fail("table.unused", name, slots, column != 0, text, column)
        for field_name in _UNUSED_AGENDA:
            if self.agenda[field_name]:
                self.fail_one("table.unused", "agenda", 0, f"{field_name} is written")

    def _check_free_list(self, name: str, first_free: int, in_use: int) -> None:
        number = TABLE_BY_NAME[name].number
        is_live = self.live(name)
        is_free = ~is_live
        is_free[0] = False
        count = int(is_live.sum())
        if in_use != count:
            text = f"in_use of {name} is {in_use}, expected {count}"
            self.fail_one("table.in_use", "head", number, text)
        names = self.tables[name].dtype.names or ()
        if "next" not in names or "generation" not in names or "state" not in names:
            if first_free:
                text = f"first_free of {name} is {first_free}, whose slots are never freed"
                self.fail_one("table.free_list", "head", number, text)
            return
        zero = np.zeros(self.rows[name], np.int64)
        first = np.array([first_free], np.int64)
        self.check_list("table.free_list", name, is_free, "next", zero, first)
        free = np.flatnonzero(is_free)
        if len(free):
            raw = self.tables[name].view(np.uint8).reshape(len(self.tables[name]), -1)[free]
            fields = self.tables[name].dtype.fields
            assert fields is not None
            for field in ("generation", "next"):
                begin = fields[field][1]
                raw[:, begin : begin + 4] = 0
            bad = raw.any(axis=1) | (self[name, "generation"][free] < 1)
            self.fail("table.freed", name, free, bad, "keeps more than it may, or no generation")

    def _check_beyond(self, name: str, rows: int) -> None:
        """Slot 0 and what lies behind the used rows."""
        table, records = TABLE_BY_NAME[name], self.tables[name]
        if name in ("machine", "head", "agenda", "draft", "bucket"):
            return
        places = [0] if name != "nonces" else []
        if rows < table.capacity:
            places.append(rows)
        for slot in places:
            if records[slot : slot + 1].view(np.uint8).any():
                self.fail_one("table.high_water", name, slot, "is written, but never given out")
        if self.is_thorough:
            raw = records[rows:].view(np.uint64).reshape(table.capacity - rows, -1)
            bad = raw.any(axis=1)
            slots = np.arange(rows, table.capacity)
            self.fail("table.high_water", name, slots, bad, "is written, but never given out")

    def _check_gaps(self, name: str, rows: int) -> None:
        records = self.tables[name]
        width = records.dtype.itemsize
        is_gap = np.ones(width, np.bool_)
        for dtype, offset in [field[:2] for field in (records.dtype.fields or {}).values()]:
            is_gap[offset : offset + dtype.itemsize] = False
        if not is_gap.any():
            return
        raw = records[:rows].view(np.uint8).reshape(rows, width)
        bad = raw[:, is_gap].any(axis=1)
        self.fail("record.gap", name, np.arange(rows), bad, "has bits that no field names")

    def check_references(self) -> None:
        """Fields that hold slots."""
        for table, field, target, is_optional in _REFERENCES:
            slots = self.slots(table)
            found = self[table, field][slots]
            bad = ~self.names(target, found)
            if is_optional:
                bad &= found != 0
            text = f"{field} is {{}}, no {target} in use"
            self.check("record.reference", table, bad, text, found)
        slots = self.slots("approval")
        account, subject = self["approval", "account"][slots], self["approval", "subject"][slots]
        is_access = self["approval", "kind"][slots] == E.APPROVAL_ACCESS
        is_leverage = self["approval", "kind"][slots] == E.APPROVAL_LEVERAGE
        subjects = np.where(
            is_leverage, self.names("market", subject), self.names("account", subject)
        )
        is_good = np.where(
            is_access,
            self.names("owner", account) & self.names("venue", subject),
            self.names("account", account) & subjects,
        )
        text = "account is {}, subject is {}, which are not in use"
        self.check("record.reference", "approval", ~is_good, text, account, subject)
        # the key of an order or plan may be revoked meanwhile, so it only has to be a slot
        for table in ("order", "plan"):
            slots = self.slots(table)
            key = self[table, "key"][slots]
            bad = (key < 1) | (key >= self.rows["key"])
            if table == "order":
                flags = self["order", "flags"][slots]  # liquidation and forced closes need no key
                is_closing = (key == 0) & (flags & E.ORDER_REDUCE_ONLY != 0)
                bad &= (flags & E.ORDER_FORCED == 0) & ~is_closing
            self.check("record.reference", table, bad, "key is {}, no slot in use", key)

    def check_machine(self) -> None:
        """Check the machine between runs, and the clock."""
        m = self.machine
        draft = self.tables["draft"][0]
        # `taker` may stay: it names the last one that waits on, its fills being used up
        left = {"passed_first": int(m["passed_first"]), "draft.plan": int(draft["plan"])}
        if int(m["pc"]) != P.IDLE or any(left.values()):
            self.fail_one("machine.idle", "machine", 0, f"pc is {int(m['pc'])}, left over: {left}")
        if int(draft["pot"]):
            self.fail_one("fees.shared", "draft", 0, f"pot is {int(draft['pot'])}")
        times = {name: int(m[name]) for name in ("time", "l1_time")}
        if not all(0 <= time <= L.MAX_TIME for time in times.values()):
            self.fail_one("machine.clock", "machine", 0, f"{times}")
        if int(self.agenda["restart_time"]) > self.time:
            self.fail_one("machine.clock", "agenda", 0, "restart_time is later than block time")
        for table, field in (
            ("key", "approved"),
            ("approval", "issued"),
            ("balance", "faucet_time"),
            ("book", "last_time"),
            ("book", "band_time"),
            ("event_group", "resolved"),
            ("outbox", "time"),
            ("owner", "trickle_time"),
        ):
            found = self[table, field]
            slots = np.arange(len(found))
            text = f"{field} is {{}}, later than block time"
            self.fail("machine.clock", table, slots, found > self.time, text, found)

    def check_owners(self) -> None:
        """Accounts and keys of owners, quota, keys and their nonces."""
        rows = self.rows["owner"]
        owners = self.slots("owner")
        self.check_list(
            "owner.accounts", "account", self.live("account"), "next", self["account", "owner"],
            self["owner", "first_account"], count=self["owner", "account_count"],
        )  # fmt: skip
        main = self["owner", "first_account"][owners]
        self.check(
            "owner.accounts", "owner", ~self.names("account", main), "has no main account: {}", main
        )
        index = self.at("account", "index", main)
        self.check(
            "owner.accounts", "owner", index != 0, "main account {} has index {}", main, index
        )
        accounts = self.slots("account")
        owner, index = self["account", "owner"][accounts], self["account", "index"][accounts]
        count = self.at("owner", "account_count", owner)
        self.check(
            "owner.accounts",
            "account",
            (index < 0) | (index >= count),
            "index is {} of {}",
            index,
            count,
        )
        name = owner * (1 << 16) + index
        order = np.argsort(name, kind="stable")
        is_twin = np.zeros(len(accounts), np.bool_)
        is_twin[order[1:]] = name[order[1:]] == name[order[:-1]]
        self.check("owner.accounts", "account", is_twin, "index {} is given twice", index)
        self.check_list(
            "owner.keys", "key", self.live("key"), "next", self["key", "owner"],
            self["owner", "first_key"], count=self["owner", "key_count"],
        )  # fmt: skip
        count = self["owner", "key_count"][owners]
        self.check("owner.keys", "owner", count > L.MAX_KEYS, "has {} keys", count)
        quota, flags = self["owner", "quota"][owners], self["owner", "flags"][owners]
        bad = (quota > L.MAX_QUOTA) | (flags < 0) | (flags > 1)
        self.check("owner.quota", "owner", bad, "quota is {}, flags are {}", quota, flags)
        day = self["owner", "quota_day"][owners]
        bad = day > self.time // 86_400_000
        self.check("owner.quota", "owner", bad, "quota_day is {}", day)
        self._check_keys(rows)

    def _check_keys(self, owner_rows: int) -> None:
        keys = self.slots("key")
        owner, scope = self["key", "owner"][keys], self["key", "scope"][keys]
        is_owner_key = scope & E.SCOPE_OWNER != 0
        count = np.zeros(owner_rows, np.int64)
        inside = is_owner_key & (owner > 0) & (owner < owner_rows)
        np.add.at(count, owner[inside], 1)
        owners = self.slots("owner")
        wanted = (self["owner", "kind"][owners] == E.OWNER_USER).astype(np.int64)
        self.check(
            "owner.owner_key", "owner", count[owners] != wanted, "has {} owner keys, expected {}",
            count[owners], wanted,
        )  # fmt: skip
        is_same = np.ones(len(keys), np.bool_)
        for limb in range(3):
            at = np.where((owner > 0) & (owner < owner_rows), owner, 0)
            found = self.tables["key"][f"address{limb}"][: self.rows["key"]][keys]
            is_same &= found == self.tables["owner"][f"address{limb}"][:owner_rows][at]
        bad = is_owner_key & ~is_same
        self.check("owner.owner_key", "key", bad, "is an owner key of another address")
        account, expires = self["key", "account"][keys], self["key", "expires"][keys]
        is_free = (account == 0) & (self["key", "venue"][keys] == 0) & (expires == 0)
        is_plain = is_owner_key & (scope == E.SCOPE_TRADE | E.SCOPE_OWNER) & is_free
        is_agent = (scope == E.SCOPE_TRADE) & (expires > self["key", "approved"][keys])
        is_agent &= (account == 0) | (self.at("account", "owner", account) == owner)
        bad = ~(is_plain | is_agent)
        self.check("key.scope", "key", bad, "scope is {}, expires is {}", scope, expires)
        if not len(keys):
            return
        approved = self["key", "approved"][keys]
        oldest = np.full(len(keys), 1 << 62, np.int64)
        newest = np.zeros(len(keys), np.int64)
        for part in range(4):
            for cell in range(16):
                column = self.tables["nonces"][f"cell{cell}"][4 * keys + part].astype(np.int64)
                np.minimum(oldest, column, out=oldest)
                np.maximum(newest, column, out=newest)
        bad = (oldest < approved) | (newest >= self.time + L.NONCE_FUTURE)
        text = "nonces {} .. {}, approved at {}"
        self.check("key.nonces", "key", bad, text, oldest, newest, approved)

    def check_accounts(self) -> None:
        """Kinds of accounts, and every list that hangs on one."""
        rows = self.rows["account"]
        accounts = self.slots("account")
        kind = self["account", "kind"][accounts]
        owner = self["account", "owner"][accounts]
        wanted = np.full(rows, E.ACCOUNT_USER, np.int64)
        if self.rows["owner"] > E.PROTOCOL_OWNER:
            main = int(self["owner", "first_account"][E.PROTOCOL_OWNER])
            if 0 < main < rows:
                wanted[main] = E.ACCOUNT_PROTOCOL
        venues = self.slots("venue")
        for field, role in (("fee_account", E.ACCOUNT_VENUE), ("fund_account", E.ACCOUNT_FUND)):
            account = self["venue", field][venues]
            is_inside = (account > 0) & (account < rows)
            wanted[account[is_inside]] = role
            is_own = self.at("account", "owner", account) == self["venue", "owner"][venues]
            self.check(
                "account.kind", "venue", ~is_own, f"{field} {{}} is somebody else's", account
            )
        bad = kind != wanted[accounts]
        self.check(
            "account.kind", "account", bad, "kind is {}, expected {}", kind, wanted[accounts]
        )
        is_user = kind == E.ACCOUNT_USER
        for rule, table, link, previous, first, count, most, key in (
            ("balances", "balance", "next", "previous", "first_balance", "balance_count",
             L.MAX_BALANCES, ("asset",)),
            ("orders", "order", "account_next", "account_previous", "first_order", "order_count",
             L.MAX_OPEN_ORDERS, ()),
            ("plans", "plan", "account_next", "account_previous", "first_plan", "plan_count",
             L.MAX_PLANS, ()),
            ("holdings", "holding", "next", "previous", "first_holding", "holding_count",
             L.MAX_HOLDINGS, ("market",)),
            ("approvals", "approval", "next", "previous", "first_approval", "approval_count",
             L.MAX_APPROVALS, ("kind", "subject")),
        ):  # fmt: skip
            members = self.live(table)
            if table == "approval":
                members = members & (self["approval", "kind"] != E.APPROVAL_ACCESS)
            self.check_list(
                f"account.{rule}", table, members, link, self[table, "account"],
                self["account", first], previous=previous, count=self["account", count],
                key=tuple(self[table, name] for name in key),
            )  # fmt: skip
            found = self["account", count][accounts]
            if table == "order":  # forced ones are beside what an account may have
                forced = members & (self["order", "flags"] & E.ORDER_FORCED != 0)
                of = self["order", "account"][forced]
                of = of[(of > 0) & (of < rows)]
                found = found - np.bincount(of, minlength=rows)[accounts]
            bad = found > most
            if table == "balance":
                bad &= is_user
            self.check(f"account.{rule}", "account", bad, f"has {{}} {rule}", found)
        for table in ("balance", "order", "holding", "pool", "position"):
            slots = self.slots(table)
            found = self[table, "owner"][slots]
            expected = self.at("account", "owner", self[table, "account"][slots])
            bad = found != expected
            self.check("record.owner", table, bad, "owner is {}, expected {}", found, expected)
        bad = owner != self.at("account", "owner", self.at("owner", "first_account", owner))
        self.check("owner.accounts", "account", bad, "is not of its owner {}", owner)
        self._check_approvals()

    def _check_approvals(self) -> None:
        slots = self.slots("approval")
        kind, value = self["approval", "kind"][slots], self["approval", "value"][slots]
        number, region = self["approval", "flags"][slots], self["approval", "region"][slots]
        is_interface = (kind == E.APPROVAL_INTERFACE) & (value >= 1)
        is_interface &= (value <= L.MAX_INTERFACE_FEE) & (number == 0) & (region == 0)
        is_access = (kind == E.APPROVAL_ACCESS) & (value >= E.ACCESS_LIST)
        is_access &= (value <= E.ACCESS_CREDENTIAL) & (region <= 62)
        is_access &= (value == E.ACCESS_CREDENTIAL) | ((number == 0) & (region == 0))
        is_leverage = (kind == E.APPROVAL_LEVERAGE) & ((value == 0) | (value >= 100))
        is_leverage &= (number >= E.MODE_CROSS) & (number <= E.MODE_ISOLATED) & (region == 0)
        market = self["approval", "subject"][slots]
        is_leverage &= self.at("market", "kind", market) == E.MARKET_PERP
        text = "kind is {}, value is {}, class is {}, region is {}"
        bad = ~(is_interface | is_access | is_leverage)
        self.check("approval.terms", "approval", bad, text, kind, value, number, region)

    def check_money(self) -> None:
        """Conservation, locks, uses, the wall round simulated assets, the outbox."""
        orders, balances = self.slots("order"), self.slots("balance")
        rows = self.rows["balance"]
        pay, receive = (
            self["order", "pay_balance"][orders],
            self["order", "receive_balance"][orders],
        )
        is_pay, is_receive = (pay > 0) & (pay < rows), (receive > 0) & (receive < rows)
        locked = _sum_by(pay[is_pay], self["order", "locked"][orders][is_pay], rows)
        uses = np.bincount(pay[is_pay], minlength=rows)
        uses += np.bincount(receive[is_receive], minlength=rows)
        of = self["pool", "balance"][self.slots("pool")]
        uses += np.bincount(of[(of > 0) & (of < rows)], minlength=rows)
        found = self["balance", "locked"][balances]
        bad = found != locked[balances]
        self.check(
            "balance.locked",
            "balance",
            bad,
            "locked is {}, orders lock {}",
            found,
            locked[balances],
        )
        free = self["balance", "free"][balances]
        self.check(
            "balance.range", "balance", (free < 0) | (found < 0), "free {}, locked {}", free, found
        )
        found = self["balance", "uses"][balances]
        bad = found != uses[balances]
        self.check(
            "balance.uses", "balance", bad, "uses is {}, {} orders name it", found, uses[balances]
        )
        size = self.rows["asset"]
        asset = self["balance", "asset"][balances]
        inside = (asset > 0) & (asset < size)
        held = _sum_by(asset[inside], free[inside], size)
        held = _add(held, _sum_by(asset[inside], self["balance", "locked"][balances][inside], size))
        groups = self.slots("event_group")
        asset = self["event_group", "asset"][groups]
        inside = (asset > 0) & (asset < size)
        held = _add(held, _sum_by(asset[inside], self["event_group", "cash"][groups][inside], size))
        ledgers = self.slots("ledger")
        asset = self["ledger", "asset"][ledgers]
        inside = (asset > 0) & (asset < size)
        held = _add(held, _sum_by(asset[inside], self["ledger", "cash"][ledgers][inside], size))
        assets = self.slots("asset")
        total, dust = self["asset", "total"][assets], self["asset", "dust"][assets]
        owed = _add(held[assets], dust)
        self.check("asset.total", "asset", total != owed, "total is {}, {} are held", total, owed)
        is_simulated = self["asset", "kind"][assets] == E.ASSET_SIMULATED
        most = np.where(is_simulated, self["asset", "cap"][assets], L.MAX_TOTAL_ATOMS)
        bad = (total < 0) | (total > most) | (most > L.MAX_TOTAL_ATOMS)
        self.check("asset.bound", "asset", bad, "total is {} of {}", total, most)
        bad = is_simulated != (self["asset", "venue"][assets] != 0)
        bad |= ~is_simulated & (self["asset", "faucet_amount"][assets] != 0)
        bad |= is_simulated & (self["asset", "quota_rate"][assets] != 0)
        self.check(
            "asset.wall", "asset", bad, "is of a kind that this venue, faucet or quota is not for"
        )
        self._check_walls()

    def _check_walls(self) -> None:
        kind, venue = self["asset", "kind"], self["asset", "venue"]
        wall = np.where(kind == E.ASSET_SIMULATED, venue, 0)
        rows = len(wall)

        def wall_of(asset: _Column) -> _Column:
            return np.asarray(wall[np.where((asset > 0) & (asset < rows), asset, 0)])

        markets = self.slots("market")
        base, quote = self["market", "base"][markets], self["market", "quote"][markets]
        of_quote = wall_of(quote)
        bad = (of_quote != 0) & (of_quote != self["market", "venue"][markets])
        bad |= (base != 0) & (wall_of(base) != of_quote)
        self.check("asset.wall", "market", bad, "base {} meets quote {}", base, quote)
        groups = self.slots("event_group")
        asset = self["event_group", "asset"][groups]
        bad = (wall_of(asset) != 0) & (wall_of(asset) != self["event_group", "venue"][groups])
        self.check("asset.wall", "event_group", bad, "settles in asset {} of another venue", asset)
        slots = self.slots("outbox")
        asset, amount = self["outbox", "asset"][slots], self["outbox", "amount"][slots]
        kind = self["outbox", "kind"][slots]
        pays = kind == E.OUTBOX_WITHDRAWAL
        bad = pays & (wall_of(asset) != 0)
        self.check("asset.wall", "outbox", bad, "pays the simulated asset {}", asset)
        limbs = [
            self.tables["outbox"][f"recipient{n}"][: self.rows["outbox"]][slots] for n in range(3)
        ]
        is_nobody = (limbs[0] == 0) & (limbs[1] == 0) & (limbs[2] == 0)
        pays_somebody = pays & self.names("asset", asset) & ~is_nobody
        pays_somebody &= self.names("owner", self["outbox", "owner"][slots])
        tells = self.names("venue", self["outbox", "venue"][slots])
        of = self["outbox", "market"][slots]
        is_incident = (kind == E.OUTBOX_INCIDENT) & tells & self.names("feed", of) & ~is_nobody
        is_loss = (kind == E.OUTBOX_INSOLVENCY) & tells & self.names("market", of) & is_nobody
        is_loss &= self.names("asset", asset)
        is_answer = (kind == E.OUTBOX_FORCED_RESULT) & ~is_nobody
        is_answer &= self.names("owner", self["outbox", "owner"][slots])
        is_answer &= self["outbox", "inbox"][slots] > 0
        bad = ~(pays_somebody | is_incident | is_loss) | (amount < 1)
        bad &= ~is_answer
        bad |= (kind != E.OUTBOX_FORCED_RESULT) & (self["outbox", "status"][slots] != 0)
        self.check("outbox.terms", "outbox", bad, "kind {}, recipient or amount {}", kind, amount)
        time = self["outbox", "time"]
        bad = np.zeros(len(time), np.bool_)
        bad[1:] = time[1:] < time[:-1]
        self.fail(
            "outbox.terms", "outbox", np.arange(len(time)), bad, "is older than the one before"
        )

    def check_venues(self) -> None:
        """States, access rules and counters of venues; calendars."""
        venues = self.slots("venue")
        rows = self.rows["venue"]
        state, access = self["venue", "state"][venues], self["venue", "access"][venues]
        bad = (state < E.VENUE_ACTIVE) | (state > E.VENUE_WOUND_DOWN)
        bad |= (access < E.ACCESS_OPEN) | (access > E.ACCESS_CREDENTIAL)
        self.check("venue.terms", "venue", bad, "state is {}, access is {}", state, access)
        markets = self.slots("market")
        venue, phase = self["market", "venue"][markets], self["market", "phase"][markets]
        inside = (venue > 0) & (venue < rows)
        count = np.bincount(venue[inside & (phase != E.PHASE_SETTLED)], minlength=rows)[venues]
        found = self["venue", "market_count"][venues]
        self.check(
            "venue.market_count", "venue", found != count, "{} counted, there are {}", found, count
        )
        venue = self.at("market", "venue", self["order", "market"][self.slots("order")])
        count = np.bincount(venue[(venue > 0) & (venue < rows)], minlength=rows)[venues]
        found = self["venue", "market_orders"][venues]
        self.check(
            "venue.market_orders", "venue", found != count, "{} counted, there are {}", found, count
        )
        calendars = self.slots("calendar")
        bad = np.zeros(len(calendars), np.bool_)
        for day in range(7):
            opens = self["calendar", f"open{day}"][calendars]
            closes = self["calendar", f"close{day}"][calendars]
            bad |= ((opens != 0) | (closes != 0)) & ((opens >= closes) | (closes > 1440))
        for n in range(4):
            begin = self["calendar", f"from{n}"][calendars]
            end = self["calendar", f"to{n}"][calendars]
            bad |= ((begin != 0) | (end != 0)) & ((begin >= end) | (end > L.MAX_TIME))
        self.check(
            "calendar.terms", "calendar", bad, "has a session or closure that ends before it begins"
        )

    def check_markets(self) -> None:
        """Terms of markets, their doors, who gets their fees, updates that wait."""
        slots = self.slots("market")

        def get(name: str) -> _Column:
            return np.asarray(self["market", name][slots])

        is_door = get("guest_of") != 0
        is_outcome = get("kind") == E.MARKET_OUTCOME
        lot_size, tick_value = np.maximum(get("lot_size"), 1), np.maximum(get("tick_value"), 1)
        max_price, max_lots = np.maximum(get("max_price"), 1), np.maximum(get("max_lots"), 1)
        bad = (
            (get("lot_size") < 1) | (get("tick_value") < 1) | (get("tick_value") > L.MAX_TICK_VALUE)
        )
        bad |= (get("max_price") < 1) | (get("max_lots") < 1)
        bad |= max_price > L.MAX_NOTIONAL // tick_value
        sure = np.where(is_outcome, lot_size, max_price * np.minimum(tick_value, L.MAX_TICK_VALUE))
        bad |= (max_lots > L.MAX_NOTIONAL // np.maximum(sure, 1)) | (
            lot_size > L.MAX_NOTIONAL // max_lots
        )
        bad |= get("min_notional") > get("max_notional")
        bad |= get("max_notional") > L.MAX_NOTIONAL
        bad |= (get("taker_fee") < 0) | (get("taker_fee") > L.MAX_TAKER_FEE)
        bad |= (get("maker_fee") < -L.MAX_REBATE) | (get("maker_fee") > L.MAX_MAKER_FEE)
        shares = get("protocol_share") + get("insurance_share") + get("referrer_share")
        bad |= ~is_door & ((get("protocol_share") < L.MIN_PROTOCOL_SHARE) | (shares > L.PPM))
        bad |= (get("taker_delay") > L.MAX_TAKER_DELAY) | (get("phase") > E.PHASE_SETTLED)
        bad |= (get("access") > E.ACCESS_CREDENTIAL) | (get("guest_fee") > L.MAX_INTERFACE_FEE)
        band = get("band")
        bad |= (band != 0) & ((band < L.MIN_BAND) | (band > L.MAX_BAND))
        bad |= (get("closes") > L.MAX_TIME) | (get("listed") > L.MAX_TIME)
        bad |= (get("id") >> 16) != get("venue")
        is_spot = (get("kind") == E.MARKET_SPOT) & (get("base") != 0) & (get("group") == 0)
        is_event = is_outcome & (get("base") == 0) & (get("group") != 0)
        is_perp = get("kind") == E.MARKET_PERP
        bad |= ~(is_spot | is_event | is_perp) | (get("base") == get("quote"))
        calendar = get("calendar")
        bad |= (calendar != 0) & (self.at("calendar", "venue", calendar) != get("venue"))
        self.check("market.terms", "market", bad, "has a term out of bounds")
        names = np.sort(get("id"))
        if (names[1:] == names[:-1]).any():
            twin = int(names[1:][names[1:] == names[:-1]][0])
            slot = int(slots[get("id") == twin][1])
            self.fail_one("market.terms", "market", slot, f"id {twin} is given twice")
        home = get("guest_of")
        bad = np.zeros(len(slots), np.bool_)
        for name in (
            "kind",
            "base",
            "quote",
            "lot_size",
            "tick_value",
            "max_price",
            "group",
            "outcome",
        ):
            bad |= is_door & (get(name) != self.at("market", name, home))
        bad |= is_door & (self.at("market", "guest_of", home) != 0)
        bad |= is_door & (self.at("market", "venue", home) == get("venue"))
        for name in (
            "taker_fee",
            "maker_fee",
            "protocol_share",
            "insurance_share",
            "referrer_share",
        ):
            bad |= is_door & (get(name) != 0)
        bad |= ~is_door & (get("guest_fee") != 0)
        rows = self.rows["book"]
        raw = self.tables["book"][:rows].view(np.uint8).reshape(rows, -1).any(axis=1)
        bad |= is_door & raw[slots]
        self.check("market.guest", "market", bad, "is a door with terms or a book of its own")
        self._check_fee_balances(slots, is_door)
        self._check_updates(slots)

    def _check_fee_balances(self, slots: _Column, is_door: _Mask) -> None:
        balances = self.slots("balance")
        account, asset = self["balance", "account"][balances], self["balance", "asset"][balances]
        held = np.unique((account << 32) | asset)
        venue, quote = self["market", "venue"][slots], self["market", "quote"][slots]
        protocol = np.zeros(len(slots), np.int64)
        if self.rows["owner"] > E.PROTOCOL_OWNER:
            protocol += int(self["owner", "first_account"][E.PROTOCOL_OWNER])
        for who, account, is_asked in (
            ("venue", self.at("venue", "fee_account", venue), np.ones(len(slots), np.bool_)),
            ("fund", self.at("venue", "fund_account", venue), ~is_door),
            ("protocol", protocol, ~is_door),
        ):
            bad = is_asked & ~np.isin((account << 32) | quote, held)
            text = f"the {who} account {{}} holds no asset {{}}"
            self.check("market.fee_balances", "market", bad, text, account, quote)

    def _check_updates(self, slots: _Column) -> None:
        rows = self.rows["pending"]
        is_kept = self["pending", "state"][slots] != E.FREE
        raw = self.tables["pending"][:rows].view(np.uint8).reshape(rows, -1).any(axis=1)
        bad = ~is_kept & raw[slots]
        node = self["market", "timer"][slots]
        due = self.at("timer", "time", node)
        bad |= is_kept & ((node == 0) | (due != self["pending", "effective"][slots]))
        self.fail("market.pending", "pending", slots, bad, "timer {} is due at {}", node, due)

    def check_orders(self) -> None:
        """Terms, balances, locks and numbers of open orders."""
        slots = self.slots("order")

        def get(name: str) -> _Column:
            return np.asarray(self["order", name][slots])

        market, side, lots, cover = get("market"), get("side"), get("lots"), get("cover")
        state, tif, flags = get("state"), get("tif"), get("flags")
        kind = self.at("market", "kind", market)
        is_outcome, is_buy = kind == E.MARKET_OUTCOME, side == E.BUY
        is_perp = kind == E.MARKET_PERP
        bad = (state != E.WAITING) & (state != E.RESTING)
        bad |= (side < 0) | (side > E.SELL) | (tif < 0) | (tif > E.TIF_MARKET)
        bad |= lots < 1
        bad |= (get("price") < 1) | (get("price") > self.at("market", "max_price", market))
        bad |= (get("filled") < 0) | (flags < 0) | (flags > 15)
        bad |= (get("stp") & E.STP_MODE > E.STP_DECREMENT) | (get("stp") >= 2 * E.STP_OWNER)
        bad |= (get("interface_fee") < 0) | (get("interface_fee") > L.MAX_INTERFACE_FEE)
        bad |= (get("interface") == 0) & (get("interface_fee") != 0)
        bad |= self.at("market", "guest_of", market) != 0
        bad |= (flags & E.ORDER_REDUCE_ONLY != 0) & ~is_outcome & ~is_perp
        self.check(
            "order.terms", "order", bad, "price {}, lots {}, state {}", get("price"), lots, state
        )
        is_post = np.isin(tif, _POSTS)
        is_resting = state == E.RESTING
        rests = (is_post | (tif == E.TIF_GTC)) & (flags & E.ORDER_CANCELLED_WAITING == 0)
        rests &= (get("level") != 0) & (get("release") == 0) & (get("release_block") == 0)
        waits = ~is_post & (get("level") == 0)
        bad = np.where(is_resting, ~rests, ~waits)
        self.check("order.rests", "order", bad, "tif {}, flags {}, state {}", tif, flags, state)
        pay, receive = get("pay_balance"), get("receive_balance")
        base, quote = self.at("market", "base", market), self.at("market", "quote", market)
        pays = np.where(is_buy | is_outcome, quote, base)
        receives = np.where(is_outcome, quote, np.where(is_buy, base, quote))
        bad = ~is_perp & (pay == 0)  # of a perpetual: rule order.pool
        bad |= ~is_perp & (self.at("balance", "asset", pay) != pays)
        bad |= ~is_perp & (self.at("balance", "asset", receive) != receives)
        bad |= ~is_perp & (self.at("balance", "account", pay) != get("account"))
        bad |= ~is_perp & (self.at("balance", "account", receive) != get("account"))
        self.check("order.pay", "order", bad, "pays from balance {}, receives in {}", pay, receive)
        tick, unit = self.at("market", "tick_value", market), self.at("market", "lot_size", market)
        value = get("price") * tick
        opens = lots - cover
        is_free = flags & (E.ORDER_REDUCE_ONLY | E.ORDER_FORCED) != 0
        reserve = np.where(is_free, 0, get("reserve"))
        each = np.where(is_buy, value, np.where(is_outcome, unit - value, unit))
        cost = opens * np.where(is_perp, reserve, each)
        worth = np.where(is_outcome, np.minimum(value, unit - value), value) * opens
        worst = cost + _ppm_up(np.maximum(worth, 0), _WORST_RATE)
        is_exact = (~is_buy & ~is_outcome & ~is_perp) | (is_perp & is_free)
        locked = get("locked")
        bad = (locked < cost) | (locked > np.where(is_exact, cost, worst))
        self.check("order.lock", "order", bad, "locks {}, costs {}", locked, cost)
        seqs = np.concatenate([get("seq"), self["plan", "seq"][self.slots("plan")]])
        seq, count = get("seq"), int(self.machine["order_seq"])
        names, times = np.unique(seqs, return_counts=True)
        twins = names[times > 1]
        bad = (seq < 1) | (seq > count) | np.isin(seq, twins)
        self.check("order.seq", "order", bad, "seq is {}", seq)
        seq = self["plan", "seq"][self.slots("plan")]
        bad = (seq < 1) | (seq > count) | np.isin(seq, twins)
        self.check("order.seq", "plan", bad, "seq is {}", seq)
        expires, timer = get("expires"), get("timer")
        bad = (expires == 0) & (timer != 0) | (expires != 0) & is_resting & (timer == 0)
        bad |= expires > L.MAX_TIME
        self.check("order.timer", "order", bad, "expires is {}, timer is {}", expires, timer)
        door = get("door")
        bad = (door != 0) & (self.at("market", "guest_of", door) != market)
        self.check("order.door", "order", bad, "door is {} of market {}", door, market)
        holding = get("holding")
        is_there = self.names("holding", holding)
        is_there &= self.at("holding", "account", holding) == get("account")
        is_there &= self.at("holding", "market", holding) == market
        bad = np.where(is_outcome, (holding == 0) | ~is_there, cover != 0)
        bad |= ~is_outcome & ~is_perp & (holding != 0)
        bad |= (cover < 0) | (cover > lots)
        self.check("order.holding", "order", bad, "holding {}, cover {}", holding, cover)
        bad = is_outcome & (flags & E.ORDER_REDUCE_ONLY != 0) & (cover != lots)
        self.check("order.reduce_only", "order", bad, "reduces {} lots, covers {}", lots, cover)

    def check_client_ids(self) -> None:
        """Chains of client ids and of access records."""
        slots = self.slots("order")
        raw = self.tables["order"]
        limb1, limb0 = (raw[name][slots] for name in ("client_id1", "client_id0"))
        is_named = (limb1 != 0) | (limb0 != 0)
        account, bucket = self["order", "account"][slots], self["order", "bucket"][slots]
        wanted = np.zeros(len(slots), np.int64)
        _find_buckets(account, limb1.view(np.int64), limb0.view(np.int64), wanted)
        bad = np.where(
            is_named, bucket != wanted, (bucket != 0) | (self["order", "bucket_next"][slots] != 0)
        )
        self.check("client.bucket", "order", bad, "bucket is {}, expected {}", bucket, wanted)
        members = np.zeros(self.rows["order"], np.bool_)
        members[slots[is_named]] = True
        granted = self.live("approval") & (self["approval", "kind"] == E.APPROVAL_ACCESS)
        found = np.flatnonzero(granted)
        place = np.zeros(self.rows["approval"], np.int64)
        place[found] = L.ORDER_BUCKETS + self._access_buckets(found)
        # Nearly all buckets are empty: only those that are used, or should be, are looked at one by one.
        buckets = self.tables["bucket"]
        is_used = buckets.view(np.int64)[:: buckets.dtype.itemsize // 8] != 0
        named = np.clip(self["order", "bucket"], 0, len(buckets) - 1)
        names = np.unique(
            np.concatenate([np.flatnonzero(is_used), named[slots[is_named]], place[found]])
        )
        first, length = (buckets[name][names].astype(np.int64) for name in ("first", "length"))
        is_access = names >= L.ORDER_BUCKETS
        count = np.zeros(len(names), np.int64)
        for table, members_of, at, is_its in (
            ("order", members, named, ~is_access),
            ("approval", granted, place, is_access),
        ):
            where = np.searchsorted(names, at)
            heads = np.where(is_its, first, 0)
            self.check_list("client.bucket", table, members_of, "bucket_next", where, heads)
            np.add.at(count, where[members_of], 1)
        bad = (length != count) | (length > L.MAX_BUCKET_LENGTH)
        text = "length is {}, {} records hang there"
        self.fail("bucket.length", "bucket", names, bad, text, length, count)
        order = np.lexsort((limb0[is_named], limb1[is_named], account[is_named]))
        named = slots[is_named][order]
        columns = [column[is_named][order] for column in (account, limb1, limb0)]
        is_twin = np.zeros(len(named), np.bool_)
        is_twin[1:] = True
        for column in columns:
            is_twin[1:] &= column[1:] == column[:-1]
        self.fail("client.unique", "order", named, is_twin, "has the client id of another order")

    def _access_buckets(self, slots: _Column) -> _Column:
        """Bucket of each access record, counted from the first one of access records."""
        found = np.zeros(len(slots), np.int64)
        columns = (
            self["approval", name][slots].tolist() for name in ("subject", "account", "value")
        )
        for n, (venue, owner, mode) in enumerate(zip(*columns, strict=True)):
            words = (value % (1 << 32) for value in (venue, owner))
            text = b"".join(word.to_bytes(4, "big") for word in words) + bytes([mode % 256])
            found[n] = int.from_bytes(keccak(text)[-4:], "big") % L.ACCESS_BUCKETS
        return found

    def check_books(self) -> None:
        """Levels of every side, orders and plans on them, release queues, counts."""
        rows = self.rows["market"]
        live = self.live("level")
        levels = self.slots("level")
        side, price = self["level", "side"], self["level", "price"]
        market = self["level", "market"]
        place = np.where((side >= 0) & (side < _SIDES), market * _SIDES + side, -1)
        heads = np.stack([self["book", name] for name in _BOOK_HEADS], axis=1).reshape(-1)
        falls = (side == E.BUY) | ((side > E.SELL) & (side & 1 == 1))
        rank = np.where(falls, -price, price)
        self.check_list(
            "book.levels", "level", live, "next", place, heads, previous="previous", key=(rank,)
        )
        inside = levels[(place[levels] >= 0) & (place[levels] < rows * _SIDES)]
        count = np.bincount(place[inside], minlength=rows * _SIDES).reshape(rows, _SIDES)
        slots = np.arange(rows)
        for number, name in ((E.BUY, "bid_levels"), (E.SELL, "ask_levels")):
            found = self["book", name]
            bad = found != count[:, number]
            text = f"{name} is {{}}, there are {{}}"
            self.fail("book.levels", "book", slots, bad, text, found, count[:, number])
        bid, ask = self["book", "best_bid"], self["book", "best_ask"]
        bad = (bid != 0) & (ask != 0)
        bad &= self.at("level", "price", bid) >= self.at("level", "price", ask)
        self.fail(
            "book.crossed", "book", slots, bad, "bid {}, ask {}", self.at("level", "price", bid),
            self.at("level", "price", ask),
        )  # fmt: skip
        bad = (price[levels] < 1) | (price[levels] > self.at("market", "max_price", market[levels]))
        self.check("book.levels", "level", bad, "price is {}", price[levels])
        self._check_level_orders(live, levels)
        self._check_counts(slots)

    def _check_level_orders(self, live: _Mask, levels: _Column) -> None:
        rows = self.rows["level"]
        side = self["level", "side"]
        is_order_level = live & (side <= E.SELL)
        first, last = self["level", "first"], self["level", "last"]
        count, lots = self["level", "count"], self["level", "lots"]
        for rule, table, standing, on_it in (
            ("level.orders", "order", self["order", "state"] == E.RESTING, is_order_level),
            ("level.plans", "plan", self["plan", "state"] == E.PLAN_ARMED, live & ~is_order_level),
        ):
            members = standing & self.live(table)
            level = self[table, "level"]
            self.check_list(
                rule, table, members, "next", level, np.where(on_it, first, 0), previous="previous",
                last=np.where(on_it, last, 0), count=np.where(on_it, count, 0),
            )  # fmt: skip
            slots = np.flatnonzero(members)
            at = level[slots]
            bad = self.at("level", "market", at) != self[table, "market"][slots]
            price = self[table, "price" if table == "order" else "trigger"][slots]
            bad |= self.at("level", "price", at) != price
            if table == "order":
                wanted = self["order", "side"][slots]
            else:
                is_up = (self["plan", "kind"] == E.PLAN_STOP) == (self["plan", "side"] == E.BUY)
                lists = E.TRIGGER_UP_LAST + 2 * self["plan", "source"] + np.where(is_up, 0, 1)
                wanted = lists[slots]
            bad |= self.at("level", "side", at) != wanted
            self.fail(rule, table, slots, bad, "stands on level {}, which is not its own", at)
        bad = count[levels] < 1
        self.check("level.orders", "level", bad, "is empty")
        slots = np.flatnonzero((self["order", "state"] == E.RESTING) & self.live("order"))
        level = self["order", "level"][slots]
        inside = (level > 0) & (level < rows)
        total = _sum_by(level[inside], self["order", "lots"][slots][inside], rows)[levels]
        found = lots[levels]
        self.check(
            "level.orders", "level", found != total, "lots is {}, its orders have {}", found, total
        )

    def _check_counts(self, slots: _Column) -> None:
        rows = len(slots)
        state, market = self["order", "state"], self["order", "market"]
        inside = self.live("order") & (market > 0) & (market < rows)
        for name, wanted in (("order_count", E.RESTING), ("waiting_count", E.WAITING)):
            count = np.bincount(market[inside & (state == wanted)], minlength=rows)
            found = self["book", name]
            text = f"{name} is {{}}, there are {{}}"
            self.fail("book.order_count", "book", slots, found != count, text, found, count)
        most = self["market", "max_price"]
        bad = (self["book", "last_price"] > most) | (self["book", "band_price"] > most)
        bad |= self["book", "band_last"] > most
        bad |= (self["book", "last_price"] != 0) != (self["book", "last_time"] != 0)
        bad |= (self["book", "last_price"] == 0) & (self["book", "volume_lots"] != 0)
        bad |= (self["book", "last_price"] == 0) & (self["book", "trades"] != 0)
        text = "last price {}, anchor {}"
        self.fail(
            "book.last",
            "book",
            slots,
            bad,
            text,
            self["book", "last_price"],
            self["book", "band_price"],
        )
        bad = self["book", "passed_next"] != 0
        self.fail("machine.idle", "book", slots, bad, "was passed over and not put back")

    def check_queue(self) -> None:
        """Release queues, and the heap of the books that have one."""
        rows = self.rows["book"]
        slots = np.arange(rows)
        members = (self["order", "state"] == E.WAITING) & self.live("order")
        first = self["book", "waiting_first"]
        release, seq = self["order", "release"], self["order", "seq"]
        self.check_list(
            "book.waiting", "order", members, "next", self["order", "market"], first,
            previous="previous", last=self["book", "waiting_last"],
            count=self["book", "waiting_count"], key=(release, seq),
        )  # fmt: skip
        has = first != 0
        last = self["book", "waiting_last"]
        bad = has & (self["book", "last_release"] != self.at("order", "release", last))
        for name, field in (
            ("release", "release"), ("release_seq", "seq"), ("release_block", "release_block"),
        ):  # fmt: skip
            bad |= self["book", name] != np.where(has, self.at("order", field, first), 0)
        self.fail("book.waiting", "book", slots, bad, "key {}, {} is not that of its head",
                  self["book", "release"], self["book", "release_seq"])  # fmt: skip
        size = self.rows["queue"] - 1
        nodes = np.arange(1, size + 1)
        self._check_heap("queue.heap", "queue", "release")
        book = self["queue", "book"][nodes]
        bad = self.at("book", "queue", book) != nodes
        bad |= self["queue", "release"][nodes] != self.at("book", "release", book)
        bad |= self["queue", "seq"][nodes] != self.at("book", "release_seq", book)
        self.fail("queue.heap", "queue", nodes, bad, "is not the place of book {}", book)
        node = self["book", "queue"]
        bad = (node != 0) != has
        bad |= has & (self.at("queue", "book", node) != slots)
        self.fail("queue.heap", "book", slots, bad, "queue is {}", node)

    def _check_heap(self, rule: str, table: str, field: str) -> None:
        size = self.rows[table] - 1
        nodes = np.arange(2, size + 1)
        parent = nodes >> 1
        time, seq = self[table, field], self[table, "seq"]
        bad = time[nodes] < time[parent]
        bad |= (time[nodes] == time[parent]) & (seq[nodes] <= seq[parent])
        self.fail(rule, table, nodes, bad, "stands before its parent {}", parent)

    def check_events(self) -> None:
        """Events: markets, vectors, sets and cash."""
        groups = self.slots("event_group")
        markets = self.slots("market")
        is_home = self["market", "guest_of"] == 0
        members = self.live("market") & is_home & (self["market", "kind"] == E.MARKET_OUTCOME)
        group = self["market", "group"]
        first, count = self["event_group", "first_market"], self["event_group", "markets"]
        outcome = self["market", "outcome"]
        self.check_list(
            "event.markets", "market", members, "group_next", group, first, count=count,
            key=(-outcome,),
        )  # fmt: skip
        outcomes = self["event_group", "outcomes"][groups]
        most = np.where(outcomes == 2, 1, outcomes)
        bad = (outcomes < 2) | (outcomes > L.MAX_OUTCOMES) | (count[groups] > most)
        bad |= self["event_group", "unit"][groups] % L.PAYOUT_UNIT != 0
        self.check("event.markets", "event_group", bad, "{} markets of {}", count[groups], outcomes)
        slots = markets[members[markets]]
        of = group[slots]
        bad = self.at("event_group", "unit", of) != self["market", "lot_size"][slots]
        bad |= self.at("event_group", "asset", of) != self["market", "quote"][slots]
        bad |= self.at("event_group", "venue", of) != self["market", "venue"][slots]
        bad |= outcome[slots] >= self.at("event_group", "markets", of)
        value = self["market", "tick_value"][slots] * (self["market", "max_price"][slots] + 1)
        bad |= value != self["market", "lot_size"][slots]
        is_open = self.at("event_group", "state", of) == E.GROUP_OPEN
        bad |= is_open == (self["market", "phase"][slots] == E.PHASE_SETTLED)
        self.fail("event.markets", "market", slots, bad, "has not the terms of its event {}", of)
        bad = ~members & (self["market", "group_next"] != 0)
        self.fail("event.markets", "market", np.arange(len(bad)), bad, "is in no event's list")
        self._check_worth(groups)

    def _check_worth(self, groups: _Column) -> None:
        held = self.slots("holding")
        rows = self.rows["market"]
        market = self["holding", "market"][held]
        inside = (market > 0) & (market < rows)
        yes = _sum_by(market[inside], self["holding", "yes"][held][inside], rows)
        no = _sum_by(market[inside], self["holding", "no"][held][inside], rows)
        slots = np.arange(rows)
        found = self["book", "open_lots"]
        bad = (found != yes) & (self["market", "kind"] != E.MARKET_PERP)
        self.fail("book.open_lots", "book", slots, bad, "open_lots is {}, Yes are {}", found, yes)
        listed: dict[int, list[int]] = {}
        for slot, group in zip(slots.tolist(), self["market", "group"].tolist(), strict=True):
            if slot and group and not self["market", "guest_of"][slot]:
                listed.setdefault(group, []).append(slot)
        for slot in groups.tolist():
            record = self.tables["event_group"][slot]
            state, unit = int(record["state"]), int(record["unit"])
            payouts, void = _get_vector(record, "payouts"), _get_vector(record, "void_payouts")
            count = int(record["outcomes"])
            is_open = state == E.GROUP_OPEN
            is_good = sum(void) == L.PAYOUT_UNIT and not any(void[count:])
            if is_open:
                is_good &= not any(payouts) and not int(record["resolved"])
            else:
                is_good &= sum(payouts) == L.PAYOUT_UNIT and not any(payouts[count:])
            is_good &= state != E.GROUP_VOID or payouts == void
            if not is_good or state not in (E.GROUP_OPEN, E.GROUP_RESOLVED, E.GROUP_VOID):
                text = f"state {state}, payouts {payouts[:count]}, at listing {void[:count]}"
                self.fail_one("event.payouts", "event_group", slot, text)
            cash, sets = int(record["cash"]), int(record["sets"])
            owed = unit * sets if is_open else 0
            for place in listed.get(slot, []):
                its_yes, its_no = int(yes[place]), int(no[place])
                if is_open:
                    owed += unit * its_no
                    if its_yes - its_no != sets:
                        text = f"Yes {its_yes} - No {its_no}, sets are {sets}"
                        self.fail_one("event.sets", "market", place, text)
                else:
                    value = (
                        unit // L.PAYOUT_UNIT * payouts[int(self["market", "outcome"][place]) % 16]
                    )
                    owed += its_yes * value + its_no * (unit - value)
            if cash != owed:
                text = f"cash is {cash}, its holdings are worth {owed}"
                self.fail_one("event.cash", "event_group", slot, text)

    def check_holdings(self) -> None:
        """Check what holdings are of, what is locked, on which side they stand; and the payout sweep."""
        slots = self.slots("holding")
        rows = self.rows["holding"]
        market = self["holding", "market"][slots]
        bad = self.at("market", "kind", market) != E.MARKET_OUTCOME
        bad |= self.at("market", "guest_of", market) != 0
        for name in ("group", "outcome"):
            bad |= self.at("market", name, market) != self["holding", name][slots]
        self.check("holding.terms", "holding", bad, "is not one of market {}", market)
        orders = self.slots("order")
        holding, side = self["order", "holding"][orders], self["order", "side"][orders]
        cover = self["order", "cover"][orders]
        of_market = self["order", "market"][orders]
        is_outcome = self.at("market", "kind", of_market) == E.MARKET_OUTCOME
        inside = is_outcome & (holding > 0) & (holding < rows)
        buys, sells = inside & (side == E.BUY), inside & (side == E.SELL)
        no_cover = _sum_by(holding[buys], cover[buys], rows)[slots]
        yes_cover = _sum_by(holding[sells], cover[sells], rows)[slots]
        yes, no = self["holding", "yes"][slots], self["holding", "no"][slots]
        yes_locked, no_locked = (
            self["holding", "yes_locked"][slots],
            self["holding", "no_locked"][slots],
        )
        bad = (yes_locked != yes_cover) | (no_locked != no_cover)
        bad |= (yes_locked > yes) | (no_locked > no) | (yes_locked < 0) | (no_locked < 0)
        text = "locks {} Yes and {} No, orders cover {} and {}"
        self.check(
            "holding.locked", "holding", bad, text, yes_locked, no_locked, yes_cover, no_cover
        )
        bad = np.minimum(yes - yes_locked, no - no_locked) != 0
        self.check("holding.one_side", "holding", bad, "has {} Yes and {} No", yes, no)
        uses = np.bincount(holding[inside], minlength=rows)[slots]
        found = self["holding", "uses"][slots]
        self.check(
            "holding.uses", "holding", found != uses, "uses is {}, {} orders name it", found, uses
        )
        cursor, left = int(self.agenda["holding_cursor"]), int(self.agenda["sweep_left"])
        if not 0 <= cursor < max(rows, 2) or not 0 <= left < max(rows, 2):
            self.fail_one(
                "payout.sweep", "agenda", 0, f"cursor {cursor}, {left} left of {rows - 1}"
            )

    def check_plans(self) -> None:
        """Plans: terms, states, rings, parents; the books whose plans are to be looked at."""
        slots = self.slots("plan")
        rows = self.rows["plan"]

        def get(name: str) -> _Column:
            return np.asarray(self["plan", name][slots])

        market, parent, state = get("market"), get("parent"), get("state")
        bad = (get("kind") != E.PLAN_STOP) & (get("kind") != E.PLAN_TAKE_PROFIT)
        is_perp = self.at("market", "kind", market) == E.MARKET_PERP
        bad |= (get("side") > E.SELL) | (get("source") > E.SOURCE_INDEX)
        bad |= (get("source") != E.SOURCE_LAST) & ~is_perp
        bad |= (get("grouping") > E.GROUP_POSITION) | (get("tif") > E.TIF_MARKET)
        bad |= (get("price") == 0) != (get("tif") == E.TIF_MARKET)
        bad |= get("slippage") > np.where(get("price") == 0, L.MAX_SLIPPAGE, 0)
        most = self.at("market", "max_price", market)
        bad |= (get("trigger") < 1) | (get("trigger") > most) | (get("price") > most)
        bad |= (get("lots") == 0) & (get("grouping") != E.GROUP_POSITION)
        is_reducing = get("flags") == E.ORDER_REDUCE_ONLY
        bad |= ~is_reducing & ((get("flags") != 0) | (get("grouping") == E.GROUP_POSITION))
        bad |= is_reducing & ~is_perp & (self.at("market", "kind", market) != E.MARKET_OUTCOME)
        bad |= self.at("market", "guest_of", market) != 0
        door = get("door")
        bad |= (door != 0) & (self.at("market", "guest_of", door) != market)
        bad |= (parent != 0) & (get("grouping") != E.GROUP_ORDER)
        bad |= get("interface_fee") > L.MAX_INTERFACE_FEE
        self.check("plan.terms", "plan", bad, "kind {}, trigger {}", get("kind"), get("trigger"))
        filled = self.at("order", "filled", parent)
        is_held = (parent != 0) & (filled == 0)
        bad = state != np.where(is_held, E.PLAN_HELD, E.PLAN_ARMED)
        bad |= (get("level") != 0) == is_held
        text = "state is {}, parent {} has filled {}"
        self.check("plan.state", "plan", bad, text, state, parent, filled)
        expires, timer = get("expires"), get("timer")
        bad = (expires != 0) != (timer != 0)
        self.check("plan.timer", "plan", bad, "expires is {}, timer is {}", expires, timer)
        self._check_rings(slots, rows)
        self._check_trigger_list()

    def _check_rings(self, slots: _Column, rows: int) -> None:
        sibling = self["plan", "sibling"]
        found = sibling[slots]
        is_there = self.names("plan", found)
        at = np.where(is_there, found, slots)
        bad = (found != 0) & ~is_there | (found == slots)
        for name in ("account", "market", "parent"):
            bad |= self["plan", name][at] != self["plan", name][slots]
        pointed = np.bincount(at, minlength=rows)[slots]
        bad |= pointed != 1
        self.check("plan.ring", "plan", bad, "sibling is {}", found)
        following = np.arange(rows)
        following[slots] = at
        ring = np.arange(rows)  # the smallest slot of its ring
        for _ in range(L.MAX_PLANS.bit_length()):
            ring = np.minimum(ring, ring[following])
            following = following[following]
        parent, filled = self["plan", "parent"], self["order", "filled"]
        orders = self.slots("order")
        first, flags = self["order", "first_child"][orders], self["order", "flags"][orders]
        is_child = self.names("plan", first) & (self.at("plan", "parent", first) == orders)
        bad = (first != 0) & ~is_child
        is_armed = flags & E.ORDER_ARMED != 0
        bad |= is_armed & (filled[orders] == 0)
        bad |= (first != 0) & (filled[orders] != 0) & ~is_armed
        self.check("plan.children", "order", bad, "first_child is {}, flags are {}", first, flags)
        children = slots[parent[slots] != 0]
        head = self.at("order", "first_child", parent[children])
        is_head = (head > 0) & (head < rows)
        bad = ~is_head | (ring[np.where(is_head, head, 0)] != ring[children])
        text = "is not in the ring of its parent {}"
        self.fail("plan.children", "plan", children, bad, text, parent[children])

    def _check_trigger_list(self) -> None:
        rows = self.rows["book"]
        is_in = self["book", "is_triggering"] == 1
        first = np.array([int(self.agenda["trigger_first"])], np.int64)
        last = np.array([int(self.agenda["trigger_last"])], np.int64)
        zero = np.zeros(rows, np.int64)
        self.check_list("trigger.list", "book", is_in, "trigger_next", zero, first, last=last)
        low, high = self["book", "trigger_low"], self["book", "trigger_high"]
        bad = np.where(is_in, (low < 1) | (high < low), (low != 0) | (high != 0))
        bad |= ~is_in & ((self["book", "trigger_next"] != 0) | (self["book", "is_triggering"] != 0))
        self.fail("trigger.list", "book", np.arange(rows), bad, "prices {} .. {}", low, high)

    def check_tasks(self) -> None:
        """Check the list of tasks and the accounts that have one."""
        slots = self.slots("task")
        rows = self.rows["task"]
        first = np.array([int(self.agenda["task_first"])], np.int64)
        last = np.array([int(self.agenda["task_last"])], np.int64)
        zero = np.zeros(rows, np.int64)
        self.check_list("task.list", "task", self.live("task"), "next", zero, first, last=last)
        kind, subject = self["task", "kind"][slots], self["task", "subject"][slots]
        market = self["task", "market"][slots]
        is_account, is_market = kind == E.TASK_ACCOUNT, kind == E.TASK_MARKET
        is_pool = kind == E.TASK_POOL  # which may have been closed since
        bad = ~is_account & ~is_market & ~is_pool | (self["task", "side"][slots] > E.BOTH_SIDES)
        bad |= is_pool & ((subject < 1) | (subject >= self.rows["pool"]) | (market != 0))
        bad |= is_account & ~self.names("account", subject)
        bad |= is_account & (market != 0) & ~self.names("market", market)
        bad |= is_market & (~self.names("market", subject) | (market != subject))
        bad |= self["task", "cursor"][slots] != 0
        bad |= self["task", "seq"][slots] > int(self.machine["order_seq"])
        text = "kind {}, subject {}, cursor {}"
        self.check("task.list", "task", bad, text, kind, subject, self["task", "cursor"][slots])
        bad = is_account & (self.at("account", "task", subject) != slots)
        self.check("account.task", "task", bad, "account {} does not name it", subject)
        accounts = self.slots("account")
        task = self["account", "task"][accounts]
        is_own = self.names("task", task) & (self.at("task", "kind", task) == E.TASK_ACCOUNT)
        is_own &= self.at("task", "subject", task) == accounts
        self.check("account.task", "account", (task != 0) & ~is_own, "task {} is not its own", task)
        markets = self.slots("market")
        working = np.zeros(self.rows["market"], np.bool_)
        inside = is_market & (subject > 0) & (subject < len(working))
        working[subject[inside]] = True
        bad = (self["market", "phase"][markets] == E.PHASE_SETTLED) & ~working[markets]
        has_levels = np.zeros(len(markets), np.bool_)
        for name in _BOOK_HEADS:
            has_levels |= self["book", name][markets] != 0
        self.check("market.settled", "market", bad & has_levels, "is settled and has levels")

    def check_timers(self) -> None:
        """Check the heap of timers, and who names which."""
        size = self.rows["timer"] - 1
        nodes = np.arange(1, size + 1)
        self._check_heap("timer.heap", "timer", "time")
        seq = self["timer", "seq"][nodes]
        bad = (seq < 1) | (seq > int(self.agenda["timer_seq"]))
        text = f"seq is {{}} of {int(self.agenda['timer_seq'])}"
        self.fail("timer.heap", "timer", nodes, bad, text, seq)
        kind, subject = self["timer", "kind"][nodes], self["timer", "subject"][nodes]
        known = np.zeros(size, np.bool_)
        for number, table in (
            (E.TIMER_ORDER, "order"),
            (E.TIMER_PLAN, "plan"),
            (E.TIMER_ACCOUNT, "account"),
            (E.TIMER_MARKET, "market"),
        ):
            is_kind = kind == number
            is_own = self.names(table, subject) & (self.at(table, "timer", subject) == nodes)
            known |= is_kind & is_own
            slots = self.slots(table)
            node = self[table, "timer"][slots]
            is_mine = (self.at("timer", "kind", node) == number) & (node > 0) & (node <= size)
            is_mine &= self.at("timer", "subject", node) == slots
            bad = (node != 0) & ~is_mine
            self.check("timer.subject", table, bad, "timer {} is not its own", node)
            if table in ("order", "plan"):
                bad = is_mine & (self.at("timer", "time", node) != self[table, "expires"][slots])
                self.check("timer.subject", table, bad, "timer {} is not for its expiry", node)
        text = "of kind {} is not that of its subject {}"
        self.fail("timer.subject", "timer", nodes, ~known, text, kind, subject)


def _add(a: _Column, b: _Column) -> _Column:
    """Sum of two columns of sums, of which -1 means "does not fit"."""
    return np.where((a < 0) | (b < 0), -1, a + b)


def _get_vector(record: Any, field: str) -> list[int]:
    """Parts of a payout vector, outcome 0 first."""
    word = b"".join(int(record[f"{field}{n}"]).to_bytes(8, "big") for n in (3, 2, 1, 0))
    return [int.from_bytes(word[n : n + 2], "big") for n in range(0, 32, 2)]
