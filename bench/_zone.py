"""A zone for benchmarks: any number of markets and accounts, and blocks of a chosen mix in steady state.

Everything is built with NumPy outside of the timed part. The driver learns order ids from events, as a client
does, so every cancel names a living order. Signers are given: no signature is checked.
"""

from __future__ import annotations

import gc
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from bench.state_commit import get_cpu_model, get_vector_bits
from tradezone.engine import Engine
from tradezone.protocol import actions, events, messages
from tradezone.protocol.enums import BUY, OWNER_USER, TIF_IOC, TIF_POST_ONLY
from tradezone.protocol.limits import (
    DEFAULT_TAKER_DELAY,
    MAX_BLOCK_LEAVES,
    MAX_INBOX_MARK,
    MICRO,
)
from tradezone.protocol.records import ORDER, OWNER

START = 1_700_000_000_000  # ms
QUOTE = 1
MID = 10_000  # ticks: bids at or below, asks above
LOTS = 10  # of one post-only order
ITEMS = 30
RUNS = 7
_MESSAGES_A_RUN = 4096
_SLOT = (1 << 32) - 1
_FUNDS = 1 << 40  # atoms of each asset an account gets

_PLACE = np.dtype(
    [
        ("market", ">u4"),
        ("price", ">u4"),
        ("lots", ">u8"),
        ("side", "u1"),
        ("tif", "u1"),
        ("stp", "u1"),
        ("flags", "u1"),
        ("expires", ">u8"),
        ("client_id", "u1", (16,)),
        ("interface", ">u4"),
        ("interface_fee", ">u4"),
    ]
)
_CANCEL = np.dtype([("order", ">u8"), ("client_id", "u1", (16,))])


def _envelope_dtype(item, count):
    return np.dtype(
        [
            ("kind", "u1"),
            ("version", "u1"),
            ("account", ">u4"),
            ("key", ">u8"),
            ("nonce", ">u8"),
            ("expires", ">u8"),
            ("action", "u1"),
            ("items", "u1"),
            ("size", ">u2"),
            ("item", item, (count,)),
            ("signature", "u1", (actions.SIGNATURE_BYTES,)),
        ]
    )


def _message_dtype(layout):
    width = {1: "u1", 4: ">u4", 8: ">u8"}
    body = [(name, width.get(size) or ("u1", (size,)), size) for name, _, size in layout]
    return np.dtype(
        [
            ("_kind", "u1"),
            ("_index", ">u8"),
            ("_sender", "u1", (20,)),
            ("_time", ">u8"),
            ("_block", ">u8"),
        ]
        + [(name, kind) if isinstance(kind, str) else (name, *kind) for name, kind, _ in body]
    )


@dataclass
class Block:
    """One run: a mark and envelopes, packed as `Engine.execute_run` takes them."""

    buffer: np.ndarray
    offsets: np.ndarray
    signers: np.ndarray
    operations: int


def _shuffle(random, classes):
    """Random order of what has rising ``classes``, those of one class kept in order."""
    mixed = random.permutation(classes)
    order = np.empty(len(classes), np.int64)
    order[np.argsort(mixed, kind="stable")] = np.arange(len(classes))
    return order


class Driver:
    """Sets a zone up and makes blocks for it.

    Parameters
    ----------
    accounts, markets : int
        how many; each account trades on ``favourites`` of the markets, chosen at random
    taker_delay : int
        ms, of every market
    """

    def __init__(
        self, accounts, markets=1, favourites=1, seed=1, taker_delay=DEFAULT_TAKER_DELAY, depth=200
    ):
        self.engine = Engine()
        self.random = np.random.default_rng(seed)
        self.accounts, self.markets, self.depth = accounts, markets, depth
        self.block, self.nonce = 1, START + 1_000_000
        self.first = 2  # the protocol's owner is 1; owner, account and key have one number
        self.address = self.random.integers(1, 256, (accounts + 3, 20), dtype=np.uint8)
        self.favourites = (
            np.argsort(self.random.random((accounts, markets)), axis=1)[:, :favourites] + 1
        )
        self.living = np.zeros(1 << 21, np.int64)  # order slot -> id while it is open
        self.owner = np.zeros(1 << 21, np.int32)  # order slot -> account
        self.orders = {}  # account -> list of arrays of order ids, dead ones among them
        self.open = 0
        self._inbox = 0
        self._set_up(taker_delay)

    # --- setting up ----------------------------------------------------------------------------

    def _tell(self, kind, count, /, **values):
        rows = np.zeros(count, _message_dtype(messages.BODIES[kind]))
        rows["_kind"], rows["_time"], rows["_block"] = kind, START // 1000, 1
        for name, value in values.items():
            rows[name] = value
        return rows

    def _consume(self, rows):
        size = rows.dtype.itemsize
        rows["_index"] = self._inbox + np.arange(len(rows))
        for at in range(0, len(rows), _MESSAGES_A_RUN):
            part = rows[at : at + _MESSAGES_A_RUN]
            raw = part.tobytes()
            told = [raw[i : i + size] for i in range(0, len(raw), size)]
            end = self._inbox + len(part)
            marks = [*range(self._inbox + MAX_INBOX_MARK, end, MAX_INBOX_MARK), end]
            leaves = [self._mark(), *(actions.inbox_mark(mark) for mark in marks)]
            results, rows_out = self.engine.execute(leaves, [None] * len(leaves), told)
            bad = rows_out["kind"] == events.MESSAGE_IGNORED
            if any(results) or bad.any():
                raise SystemExit(f"setup failed: {rows_out[bad][:3]}")
            self._inbox = end

    def _mark(self):
        leaf = actions.block_mark(self.block, START + self.block)
        self.block += 1
        return leaf

    def _set_up(self, taker_delay):
        owners = np.arange(1, self.accounts + 3)
        self._consume(
            self._tell(
                messages.REGISTER_OWNER,
                len(owners),
                owner=owners,
                address=self.address[owners],
                kind=OWNER_USER,
            )
        )
        assets = np.arange(1, self.markets + 2)
        token = np.zeros((len(assets), 20), np.uint8)
        token[:, 18], token[:, 19] = assets >> 8, assets & 255
        self._consume(
            self._tell(
                messages.REGISTER_ASSET, len(assets), asset=assets, token=token, kind=2, decimals=6,
                quantum=1, cap=(1 << 62) - 1,
            )
        )  # fmt: skip
        # an atom of protocol fee buys an action, so whoever trades does not run out of them
        self._consume(self._tell(messages.SET_ASSET, 1, asset=QUOTE, quotaRate=MICRO))
        self._consume(
            self._tell(messages.CREATE_VENUE, 1, venue=1, owner=self.accounts + 2, stake=10**9)
        )
        markets = np.arange(1, self.markets + 1)
        self._consume(
            self._tell(
                messages.LIST_MARKET, self.markets, market=markets, id=(1 << 16) | markets, venue=1, kind=1,
                base=markets + 1, quote=QUOTE, lotSize=1, tickValue=10, minNotional=0, maxNotional=1 << 50,
                maxLots=10**6, maxPrice=10**6, takerFee=500, makerFee=200, protocolShare=200_000,
                insuranceShare=100_000, takerDelay=taker_delay,
            )
        )  # fmt: skip
        mine = np.arange(self.first, self.first + self.accounts)
        self._deposit(mine, QUOTE)
        for column in range(self.favourites.shape[1]):
            self._deposit(mine, self.favourites[:, column] + 1)
        self._consume(self._tell(messages.HEARTBEAT, 1))

    def add_owners(self, count):
        """Register owners that hold two assets and do nothing."""
        owners = int(self.engine.tables["head"][OWNER.number]["high_water"]) + np.arange(count)
        address = self.random.integers(1, 256, (count, 20), dtype=np.uint8)
        told = {"owner": owners, "address": address}
        self._consume(self._tell(messages.REGISTER_OWNER, count, kind=OWNER_USER, **told))
        for asset in (QUOTE, QUOTE + 1):
            self._consume(self._tell(messages.DEPOSIT, count, asset=asset, amount=_FUNDS, **told))

    def add_accounts(self, owners, each):
        """Let each of the first ``owners`` owners open ``each`` further accounts."""
        accounts = np.repeat(np.arange(self.first, self.first + owners), each)
        for at in range(0, len(accounts), MAX_BLOCK_LEAVES - 1):
            part = accounts[at : at + MAX_BLOCK_LEAVES - 1]
            rows = self._build(np.zeros((len(part), 0), np.uint8), actions.CREATE_ACCOUNT, part)
            rows["items"] = 1
            self.run(self.pack([rows]))

    def _deposit(self, owners, asset):
        self._consume(
            self._tell(
                messages.DEPOSIT,
                len(owners),
                owner=owners,
                address=self.address[owners],
                asset=asset,
                amount=_FUNDS,
            )
        )

    # --- blocks --------------------------------------------------------------------------------

    def _build(self, item, action, accounts):
        count = item.shape[1]
        rows = np.zeros(len(accounts), _envelope_dtype(item.dtype, count))
        rows["kind"], rows["version"] = actions.LEAF_ENVELOPE, actions.ENVELOPE_VERSION
        rows["account"] = rows["key"] = accounts
        rows["expires"] = START + self.block + 10_000
        rows["action"], rows["items"], rows["size"] = action, count, count * item.dtype.itemsize
        rows["item"] = item
        return rows

    def _items(self, accounts, count, tif, lots, with_ids):
        shape = (len(accounts), count)
        item = np.zeros(shape, _PLACE)
        pick = self.random.integers(0, self.favourites.shape[1], shape)
        item["market"] = self.favourites[accounts[:, None] - self.first, pick]
        item["side"] = self.random.integers(0, 2, shape)
        away = self.random.integers(0, self.depth, shape)
        is_buy = item["side"] == BUY
        if tif == TIF_POST_ONLY:
            item["price"] = np.where(is_buy, MID - away, MID + 1 + away)
        else:
            item["price"] = np.where(is_buy, MID + 1 + self.depth, MID - self.depth)
        item["lots"], item["tif"], item["stp"] = (
            lots,
            tif,
            1,
        )  # an own maker leaves, the taker goes on
        if with_ids:
            item["client_id"] = self.random.integers(0, 256, (*shape, 16), dtype=np.uint8)
        return item

    def _choose(self, count):
        return self.random.integers(self.first, self.first + self.accounts, count)

    def build_places(self, envelopes, with_ids=False, items=ITEMS):
        """Envelopes of post-only orders."""
        accounts = self._choose(envelopes)
        return self._build(
            self._items(accounts, items, TIF_POST_ONLY, LOTS, with_ids), actions.PLACE, accounts
        )

    def build_takers(self, envelopes, items, lots, with_ids=False):
        """Envelopes of IOC orders that cross everything on the other side, ``lots`` each."""
        accounts = self._choose(envelopes)
        return self._build(
            self._items(accounts, items, TIF_IOC, lots, with_ids), actions.PLACE, accounts
        )

    def build_cancels(self, orders):
        """Envelopes that cancel about ``orders`` living orders, at most 30 each."""
        if orders > self.open // 2:
            raise SystemExit(f"{orders} cancels are asked for with {self.open} orders open")
        result, left = [], orders
        used = int(self.engine.tables["head"][ORDER.number]["high_water"])
        while left > 0:  # an account is as likely as it has many orders, so that none has ever more
            slot = int(self.random.integers(1, used))
            if not self.living[slot]:
                continue
            account = int(self.owner[slot])
            ids = (
                np.concatenate(self.orders[account])
                if self.orders[account]
                else np.zeros(0, np.int64)
            )
            ids = ids[self.living[ids & _SLOT] == ids]
            self.random.shuffle(ids)
            now, later = ids[:ITEMS], ids[ITEMS:]
            self.orders[account] = [later] if len(later) else []
            if not len(now):  # all in an envelope of this block already
                continue
            item = np.zeros((1, len(now)), _CANCEL)
            item["order"] = now
            result.append(self._build(item, actions.CANCEL, np.array([account])))
            left -= len(now)
        return result

    def pack(self, *classes):
        """Pack lists of arrays of envelopes, one list a class in the order of execution, as a block.

        Arrival is random between the classes. Nonces rise in the order of execution, so that no envelope
        meets a nonce cell used by a later one.
        """
        leaves, accounts, operations, ranks = [], [], 0, []
        for rank, parts in enumerate(classes):
            for rows in parts:
                rows["nonce"] = self.nonce + 1 + np.arange(len(rows))
                self.nonce += len(rows)
                raw, size = rows.tobytes(), rows.dtype.itemsize
                leaves += [raw[i : i + size] for i in range(0, len(raw), size)]
                accounts += rows["account"].tolist()
                operations += int(rows["items"].sum(dtype=np.int64))
                ranks += [rank] * len(rows)
        order = _shuffle(self.random, np.array(ranks))
        leaves = [self._mark(), *(leaves[i] for i in order)]
        offsets = np.zeros(len(leaves) + 1, np.int64)
        np.cumsum([len(leaf) for leaf in leaves], out=offsets[1:])
        signers = np.zeros((len(leaves), 20), np.uint8)
        signers[1:] = self.address[np.array(accounts)[order]]
        return Block(np.frombuffer(b"".join(leaves), np.uint8), offsets, signers, operations)

    def run(self, block):
        """Execute a block; returns (nanoseconds, nanoseconds of processor time, result)."""
        worked, started = time.thread_time_ns(), time.perf_counter_ns()
        result = self.engine.execute_run(block.buffer, block.offsets, block.signers)
        took = time.perf_counter_ns() - started
        worked = time.thread_time_ns() - worked
        if result.results.any():
            failed = int(result.results[result.results != 0][0])
            raise SystemExit(f"an envelope failed: {failed >> 16} items, error {failed & 0xFFFF}")
        self._learn(result.events)
        return took, worked, result

    def _learn(self, rows):
        rested = rows[rows["kind"] == events.ORDER_RESTED]
        ids = rested["order"]
        self.living[ids & _SLOT] = ids
        self.owner[ids & _SLOT] = rested["account"]
        if len(ids):
            by = np.argsort(rested["account"], kind="stable")
            accounts, starts = np.unique(rested["account"][by], return_index=True)
            for account, part in zip(accounts.tolist(), np.split(ids[by], starts[1:]), strict=True):
                self.orders.setdefault(account, []).append(part)
        filled = rows["other_order"][(rows["kind"] == events.FILL) & (rows["left"] == 0)]
        gone = rows["order"][rows["kind"] == events.ORDER_CANCELLED]
        for dead in (filled, gone):
            slots = dead & _SLOT
            self.living[slots[self.living[slots] == dead]] = 0
        used = int(self.engine.tables["head"][ORDER.number]["high_water"])
        self.open = int(np.count_nonzero(self.living[:used]))

    def fill_up(self, orders, with_ids=False):
        """Place post-only orders until about ``orders`` are open."""
        while self.open < orders:
            left = (orders - self.open) // ITEMS + 1
            self.run(self.pack([self.build_places(min(left, 500), with_ids)]))

    def build_mixed(self, operations, target, with_ids=False):
        """Build a block of 70 % post-only orders, 25 % cancels by id, 5 % IOC orders that trade.

        The IOC orders take what keeps about ``target`` orders open.
        """
        places, cancels, takers = (int(operations * share) for share in (0.70, 0.25, 0.05))
        surplus = max(0, places - cancels + (self.open - target) // 4)
        lots = max(1, round(surplus / takers * LOTS))
        return self.pack(
            self.build_cancels(cancels),
            [self.build_places(places // ITEMS, with_ids)],
            [self.build_takers(max(1, takers // 5), 5, lots, with_ids)],
        )


def summary(values, digits=1):
    """Median, lowest and highest."""
    kind = round if digits else lambda value, _: round(value)
    return {
        "median": kind(statistics.median(values), digits),
        "lowest": kind(min(values), digits),
        "highest": kind(max(values), digits),
    }


def get_machine():
    """Return what a figure depends on."""
    return {"cpu": get_cpu_model(), "vector_bits": get_vector_bits()}


@contextmanager
def still():
    """Keep Python's garbage collector out of the figures."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def measure_rates(driver, build, runs=RUNS, blocks=20):
    """Time ``runs`` times ``blocks`` blocks made by ``build``, after as many that warm.

    Rates are per second of processor time of the one thread, which is a second of one core that does nothing
    else; ``wall`` is by the clock, and lower on a machine that is shared.
    """
    rates, wall, operations, steps, fills = [], [], 0, 0, 0
    with still():
        for n in range(-1, runs):
            took, busy, done = 0, 0, 0
            for _ in range(blocks):
                block = build()
                ns, worked, result = driver.run(block)
                took += ns
                busy += worked
                done += block.operations
                if n >= 0:
                    steps += result.steps
                    fills += int(np.count_nonzero(result.events["kind"] == events.FILL))
            if n >= 0:
                operations += done
                rates.append(done / busy)
                wall.append(done / took)
    return {
        "operations_per_second": summary([1e9 * rate for rate in rates], 0),
        "wall_operations_per_second": summary([1e9 * rate for rate in wall], 0),
        "ns_an_operation": summary([1 / rate for rate in rates]),
        "runs": runs,
        "operations": operations,
        "steps_an_operation": round(steps / operations, 1),
        "fills_an_operation": round(fills / operations, 2),
    }
