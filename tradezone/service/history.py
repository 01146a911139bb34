"""History: trades, candles, orders, money movements, blocks and receipts, in one SQLite file.

The store is derived: every row follows from the journal, and `tradezone history rebuild` makes it anew. So it need not be
synced with each block; it is synced before a snapshot is taken, because what lies before the oldest snapshot would
have to be replayed from the beginning.

Invariant: the rows of a block and the cursor {block, event} are written in one transaction. A store is that of the
journal's first n blocks, for some n, whole.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tradezone.client import OrderState
from tradezone.protocol import events as kinds
from tradezone.protocol.enums import TIF_IOC
from tradezone.protocol.messages import NO_PREFIX
from tradezone.sequencer import BlockHead, BlockReceipts, Receipt
from tradezone.sequencer.receipts import chain_links
from tradezone.views import Candle, Trade, read_events, read_trades, select_events

from .errors import HistoryError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tradezone.sequencer.recovery import Origin
    from tradezone.views import Event

VERSION: Final = 2
FILE: Final = "history.sqlite"
MAX_PAGE: Final = 1_000
_CACHE_KIB: Final = 65_536

_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE block (
    number INTEGER PRIMARY KEY, time INTEGER, first_seq INTEGER, leaves INTEGER, epoch INTEGER,
    inbox_index INTEGER, inbox_hash BLOB, head BLOB, parent BLOB, signature BLOB,
    digests BLOB, received BLOB, results BLOB
);
CREATE UNIQUE INDEX block_by_seq ON block (first_seq);
CREATE TABLE leaf (hash INTEGER, seq INTEGER, PRIMARY KEY (hash, seq)) WITHOUT ROWID;
CREATE TABLE trade (
    seq INTEGER PRIMARY KEY, time INTEGER, market INTEGER, side INTEGER, price INTEGER, lots INTEGER,
    taker INTEGER, maker INTEGER, taker_account INTEGER, maker_account INTEGER,
    taker_fee INTEGER, maker_fee INTEGER
);
CREATE INDEX trade_by_market ON trade (market, seq);
CREATE INDEX trade_by_taker ON trade (taker_account, seq);
CREATE INDEX trade_by_maker ON trade (maker_account, seq);
CREATE TABLE candle (
    market INTEGER, interval INTEGER, start INTEGER, open INTEGER, high INTEGER, low INTEGER,
    close INTEGER, lots TEXT, turnover TEXT, trades INTEGER,
    PRIMARY KEY (market, interval, start)
) WITHOUT ROWID;
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, account INTEGER, market INTEGER, side INTEGER, tif INTEGER, price INTEGER,
    client_id BLOB, lots INTEGER, filled INTEGER, cost TEXT, state TEXT, reason INTEGER,
    seq INTEGER, time INTEGER, updated INTEGER, event INTEGER
);
CREATE INDEX orders_by_account ON orders (account, seq);
CREATE INDEX orders_by_client_id ON orders (account, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX orders_open ON orders (lots) WHERE lots > 0;
CREATE TABLE movement (
    seq INTEGER, account INTEGER, time INTEGER, asset INTEGER, kind TEXT, amount INTEGER,
    reference INTEGER, PRIMARY KEY (account, seq, asset)
) WITHOUT ROWID;
CREATE TABLE funding (
    market INTEGER, seq INTEGER, time INTEGER, rate INTEGER, sum INTEGER, PRIMARY KEY (market, seq)
) WITHOUT ROWID;
CREATE TABLE margin (
    account INTEGER, seq INTEGER, time INTEGER, market INTEGER, kind TEXT, lots INTEGER,
    amount INTEGER, reference INTEGER, PRIMARY KEY (account, seq)
) WITHOUT ROWID;
"""


class Movement(NamedTuple):
    """Money that an account received (or gave: negative) apart from trades, atoms."""

    seq: int
    account: int
    time: int
    asset: int
    kind: str
    amount: int
    reference: int  # id of the withdrawal, the other account, or the order; 0 = none


class FundingRow(NamedTuple):
    """A funding hour of a perpetual. ``rate`` is ppb of the index, positive: longs paid; ``sum`` is the funding index behind it."""

    seq: int
    time: int
    rate: int
    sum: int


class MarginRow(NamedTuple):
    """What happened to an account's positions apart from trades.

    Parameters
    ----------
    kind : str
        funding, realised, liquidation_begun, liquidation_ended, forced_order, takeover, deleveraged, settled
    lots : int
        by which the position changed; of a forced order its size
    amount : int
        atoms that its pool received (negative: paid); of liquidation_begun the equity
    reference : int
        of liquidation_begun the maintenance margin, of a forced order its id, of deleveraging the role (ADL_...)
    """

    seq: int
    account: int
    time: int
    market: int  # of the position, of liquidations of the pool (0 = cross)
    kind: str
    lots: int
    amount: int
    reference: int


class OrderRow(NamedTuple):
    """An order as of ``event``. ``lots`` are open lots; ``cost`` the sum of lots * ticks of its fills."""

    id: int
    account: int
    market: int
    side: int
    tif: int
    price: int
    client_id: bytes | None
    lots: int
    filled: int
    cost: str
    state: str
    reason: int
    seq: int
    time: int
    updated: int
    event: int  # the last one that changed it


class BlockRow(NamedTuple):
    """A block without its leaves."""

    number: int
    time: int
    first_seq: int
    leaves: int  # marks included
    epoch: int
    inbox_index: int
    inbox_hash: bytes
    head: bytes
    parent: bytes
    signature: bytes


def connect(path: Path, *, is_reader: bool) -> sqlite3.Connection:
    """Open the file, for one thread. HistoryError if it is not a store of this version."""
    try:
        mode = "ro" if is_reader else "rwc"
        uri = f"file:{path.as_posix()}?mode={mode}"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        if not is_reader:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
                connection.executescript(_SCHEMA)
                rows = [("version", VERSION), ("block", 0), ("event", 0), ("head", bytes(32))]
                connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
        version = connection.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
    except sqlite3.Error as error:
        raise HistoryError(
            f"{path.name} cannot be opened: {error}", "delete it: it is rebuilt from the journal"
        ) from error
    if version != (VERSION,):
        connection.close()
        raise HistoryError(
            f"{path.name} has version {version and version[0]}, expected {VERSION}",
            "tradezone history rebuild",
        )
    return connection


class HistoryWriter:
    """Adds blocks to the store. One thread.

    Parameters
    ----------
    path : Path
        the file; made if absent
    flush_ms : int
        what was added is committed at the latest when so much has passed at an `add`, or by `flush`
    origin : Origin, optional
        block behind which a new store begins; the first one if absent
    """

    def __init__(self, path: Path, flush_ms: int = 50, origin: Origin | None = None) -> None:
        self._lock = threading.Lock()  # `flush` comes from other threads too
        self._connection = connect(path, is_reader=False)
        if origin:
            self._begin_at(origin)
        self._flush_s = flush_ms / 1_000
        self._began = 0.0  # of the open transaction, 0 = none
        meta = dict(self._connection.execute("SELECT name, value FROM meta").fetchall())
        self.block: int = meta["block"]
        self.event: int = meta["event"]
        self.head: bytes = bytes(meta["head"])
        self.stored = self.block  # the last one that readers see
        rows = self._connection.execute("SELECT * FROM orders WHERE lots > 0").fetchall()
        self._orders: dict[int, OrderRow] = {row[0]: OrderRow._make(row) for row in rows}
        self._changed: dict[int, OrderRow] = {}  # since the transaction began

    def _begin_at(self, origin: Origin) -> None:
        """Stand behind the origin, if nothing was ever added."""
        values = {"block": origin.block, "event": origin.event, "head": origin.head}
        is_new = "(SELECT value FROM meta WHERE name = 'block') = 0"
        self._connection.execute("BEGIN")
        if self._connection.execute(f"SELECT {is_new}").fetchone()[0]:
            rows = [(value, name) for name, value in values.items()]
            self._connection.executemany("UPDATE meta SET value = ? WHERE name = ?", rows)
        self._connection.execute("COMMIT")

    def add(
        self,
        receipts: BlockReceipts,
        events: NDArray[Any],
        candles: Sequence[tuple[int, int, Candle]],
    ) -> None:
        """Add a block. HistoryError if it does not follow the one before, or the disk refuses.

        Parameters
        ----------
        receipts : BlockReceipts
            with the block's head
        events : (n,) EVENT_DTYPE
            all of them
        candles : sequence of (market, interval, candle)
            those that the block changed, as they stand
        """
        head = receipts.block_head
        if head.block != self.block + 1:
            raise HistoryError(f"block {head.block} was added, {self.block + 1} is next")
        first = int(events["seq"][0]) if len(events) else self.event + 1
        if first != self.event + 1:
            text = f"block {head.block} begins with event {first}, {self.event + 1} is next"
            raise HistoryError(text)
        with self._lock:
            try:
                if not self._began:
                    self._connection.execute("BEGIN")
                    self._began = time.monotonic()
                self._write(receipts, events, candles)
                self.block, self.event, self.head = head.block, self.event + len(events), head.head
                if time.monotonic() - self._began >= self._flush_s:
                    self._commit()
            except sqlite3.Error as error:
                raise HistoryError(f"block {head.block} cannot be stored: {error}") from error

    def get_inbox(self) -> tuple[int, bytes]:
        """Index and prefix hash of the inbox behind the last block."""
        row = self._connection.execute(
            "SELECT inbox_index, inbox_hash FROM block WHERE number = ?", (self.block,)
        ).fetchone()
        return (row[0], bytes(row[1])) if row else (0, NO_PREFIX)

    def flush(self) -> None:
        """Commit what was added."""
        with self._lock:
            self._commit()

    def sync(self) -> None:
        """Commit, and make it durable: what is there now survives a power failure."""
        with self._lock:
            self._commit()
            self._connection.execute("PRAGMA wal_checkpoint(FULL)")

    def close(self) -> None:
        """Commit and close."""
        self.flush()
        self._connection.close()

    def _commit(self) -> None:
        if not self._began:
            return
        if self._changed:
            self._connection.executemany(_PUT_ORDER, self._changed.values())
            self._changed.clear()
        rows = [(self.block, "block"), (self.event, "event"), (self.head, "head")]
        self._connection.executemany("UPDATE meta SET value = ? WHERE name = ?", rows)
        self._connection.execute("COMMIT")
        self.stored = self.block
        self._began = 0.0

    def _write(
        self,
        receipts: BlockReceipts,
        events: NDArray[Any],
        candles: Sequence[tuple[int, int, Candle]],
    ) -> None:
        head = receipts.block_head
        put = self._connection.executemany
        put(
            "INSERT INTO block VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            [
                (
                    head.block,
                    head.time,
                    head.first_seq,
                    head.count,
                    head.epoch,
                    head.inbox_index,
                    head.inbox_hash,
                    head.head,
                    head.parent,
                    head.signature,
                    receipts.digests,
                    np.asarray(receipts.received, "<i8").tobytes(),
                    np.asarray(receipts.results, "<i4").tobytes(),
                )
            ],
        )
        put("INSERT INTO leaf VALUES (?,?)", _hash_rows(receipts))
        if not len(events):
            return
        put("INSERT INTO trade VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", read_trades(events, head.time))
        put(
            "INSERT OR REPLACE INTO candle VALUES (?,?,?,?,?,?,?,?,?,?)",
            [
                (
                    market,
                    interval,
                    c.start,
                    c.open,
                    c.high,
                    c.low,
                    c.close,
                    str(c.lots),
                    str(c.turnover),
                    c.trades,
                )
                for market, interval, c in candles
            ],
        )
        moved = read_events(select_events(events, _MOVES))
        if moved:
            put("INSERT INTO movement VALUES (?,?,?,?,?,?,?)", _read_movements(moved, head.time))
        charged = read_events(select_events(events, (kinds.FUNDING_SET,)))
        if charged:
            rows = [(e.market, e.seq, head.time, e.amount, e.amount2) for e in charged]
            put("INSERT INTO funding VALUES (?,?,?,?,?)", rows)
        changed = read_events(select_events(events, _MARGIN_KINDS))
        if changed:
            put(
                "INSERT INTO margin (seq, account, time, market, kind, lots, amount, reference)"
                " VALUES (?,?,?,?,?,?,?,?)",
                [row for event in changed for row in _read_margin(event, head.time)],
            )
        self._follow_orders(read_events(select_events(events, _ORDER_KINDS)), head.time)

    # --- orders --------------------------------------------------------------------------------------

    def _follow_orders(self, rows: Iterable[Event], now: int) -> None:
        """Take order events in; rows are written when the transaction ends, each once."""
        for event in rows:
            kind = event.kind
            if kind == kinds.FILL:
                self._fill(event.order, event, now)
                self._fill(event.other_order, event, now)
            elif kind in (kinds.ORDER_WAITING, kinds.ORDER_RESTED):
                self._place(event, now)
            elif kind == kinds.ORDER_AMENDED:
                self._amend(event, now)
            else:
                row = self._get_open(event.order, event)
                partly = OrderState.PARTIALLY_FILLED_AND_CANCELED
                state = partly if row.filled else OrderState.CANCELED
                gone = row._replace(
                    lots=0, state=state.value, reason=event.tif, updated=now, event=event.seq
                )
                self._put(gone)

    def _get_open(self, order: int, event: Event) -> OrderRow:
        row = self._orders.get(order)
        if row is None:
            text = f"event {event.seq} is about order {order}, which is not open"
            raise HistoryError(text, "tradezone history rebuild")
        return row

    def _put(self, row: OrderRow) -> None:
        self._changed[row.id] = row
        if row.lots:
            self._orders[row.id] = row
        else:
            self._orders.pop(row.id, None)

    def _place(self, event: Event, now: int) -> None:
        known = self._orders.get(event.order)
        if known is not None:  # it comes to rest, or waits again
            self._put(
                known._replace(
                    tif=event.tif,
                    price=event.price,
                    lots=event.lots,
                    updated=now,
                    event=event.seq,
                )
            )
            return
        client_id = event.client_id.to_bytes(16, "big") if event.client_id else None
        self._put(
            OrderRow(
                event.order,
                event.account,
                event.market,
                event.side,
                event.tif,
                event.price,
                client_id,
                event.lots,
                0,
                "0",
                OrderState.OPEN.value,
                0,
                event.seq,
                now,
                now,
                event.seq,
            )
        )

    def _amend(self, event: Event, now: int) -> None:
        row = self._get_open(event.order, event)
        is_replaced = event.flag == 1
        if event.tif == TIF_IOC and event.lots == row.lots and not is_replaced:
            return  # a waiting order that was cancelled: its rest will not stay, its state is the same
        state = OrderState.AMEND_AND_REPLACE if is_replaced else OrderState.MODIFIED
        self._put(
            row._replace(
                tif=event.tif,
                price=event.price,
                lots=event.lots,
                state=state.value,
                updated=now,
                event=event.seq,
            )
        )

    def _fill(self, order: int, event: Event, now: int) -> None:
        row = self._get_open(order, event)
        left = row.lots - event.lots
        state = OrderState.PARTIALLY_FILLED if left else OrderState.FILLED
        self._put(
            row._replace(
                lots=left,
                filled=row.filled + event.lots,
                cost=str(int(row.cost) + event.lots * event.price),
                state=state.value,
                updated=now,
                event=event.seq,
            )
        )


def _hash_rows(receipts: BlockReceipts) -> list[tuple[int, int]]:
    """Rows of the index from leaf hashes (their first 63 bits) to seqs; marks are left out."""
    head, digests = receipts.block_head, receipts.digests
    return [
        (get_hash_key(digests[32 * i : 32 * i + 32]), head.first_seq + i)
        for i in range(1, head.count)
    ]


def get_hash_key(digest: bytes) -> int:
    """Return what a leaf hash is found by: its first 63 bits."""
    return int.from_bytes(digest[:8], "big") >> 1


_MOVES: Final = (
    kinds.DEPOSITED,
    kinds.WITHDRAWN,
    kinds.ISSUED,
    kinds.TRANSFERRED,
    kinds.POOL_MOVED,
    kinds.POOL_RELEASED,
    kinds.FUND_CHANGED,
)
_MARGIN_KINDS: Final = (
    kinds.FUNDING_PAID,
    kinds.REALISED,
    kinds.LIQUIDATION_BEGUN,
    kinds.LIQUIDATION_ENDED,
    kinds.FORCED_ORDER,
    kinds.TAKEOVER,
    kinds.ADL_FILL,
    kinds.POSITION_SETTLED,
)
_ORDER_KINDS: Final = (
    kinds.ORDER_WAITING,
    kinds.ORDER_RESTED,
    kinds.ORDER_AMENDED,
    kinds.ORDER_CANCELLED,
    kinds.FILL,
)
_PUT_ORDER: Final = "INSERT OR REPLACE INTO orders VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_IN: Final = {
    kinds.DEPOSITED: ("deposit", 1),
    kinds.WITHDRAWN: ("withdrawal", -1),
    kinds.ISSUED: ("issue", 1),
}


def _read_movements(rows: Iterable[Event], now: int) -> list[Movement]:
    """Money movements that events name an asset for."""
    found = []
    for event in rows:
        seq, account, asset, amount = event.seq, event.account, event.market, event.amount
        if event.kind == kinds.TRANSFERRED:
            other = event.other_account
            found.append(Movement(seq, account, now, asset, "transfer", -amount, other))
            found.append(Movement(seq, other, now, asset, "transfer", amount, account))
        elif event.kind == kinds.POOL_MOVED:
            asset = event.other_order
            found.append(Movement(seq, account, now, asset, "margin_in", -amount, event.market))
        elif event.kind == kinds.POOL_RELEASED:
            asset, paid = event.other_order, amount - event.amount2
            found.append(Movement(seq, account, now, asset, "margin_out", paid, event.market))
        elif event.kind == kinds.FUND_CHANGED:
            if event.other_account:
                who, paid = event.other_account, -event.amount2
                found.append(Movement(seq, who, now, event.account, "fund", paid, event.market))
        elif event.kind in _IN:
            name, sign = _IN[event.kind]
            found.append(Movement(seq, account, now, asset, name, sign * amount, event.order))
    return found


def _read_margin(event: Event, now: int) -> list[MarginRow]:
    """Rows of an event about positions: two of a takeover, one of any other."""
    seq, account, market = event.seq, event.account, event.market
    if event.kind == kinds.TAKEOVER:
        rows = (
            (account, -1, -event.amount),
            (event.other_account, 1, event.amount + event.amount2),
        )
        return [
            MarginRow(seq, who, now, market, "takeover", sign * event.lots, amount, 0)
            for who, sign, amount in rows
        ]
    name, lots, amount, reference = {
        kinds.FUNDING_PAID: ("funding", 0, -event.amount, 0),
        kinds.REALISED: ("realised", 0, event.amount, 0),
        kinds.LIQUIDATION_BEGUN: ("liquidation_begun", 0, event.amount, event.amount2),
        kinds.LIQUIDATION_ENDED: ("liquidation_ended", 0, 0, 0),
        kinds.FORCED_ORDER: ("forced_order", event.lots, 0, event.order),
        kinds.ADL_FILL: ("deleveraged", event.lots, -event.amount, event.flag),
        kinds.POSITION_SETTLED: ("settled", -event.lots, event.amount, 0),
    }[event.kind]
    return [MarginRow(seq, account, now, market, name, lots, amount, reference)]


class HistoryReader:
    """Reads the store, from any thread; each thread has its own connection.

    Parameters
    ----------
    path : Path
        the file
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()

    def _select(self, text: str, *values: Any) -> list[Any]:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        file = self._path.stat().st_ino
        if connection is None or self._local.file != file:  # a store made anew is another file
            if connection is not None:
                with self._lock:
                    self._open.remove(connection)
                connection.close()
            connection = self._local.connection = connect(self._path, is_reader=True)
            self._local.file = file
            with self._lock:
                self._open.append(connection)
        return connection.execute(text, values).fetchall()

    # --- market data ---------------------------------------------------------------------------------

    def fetch_trades(self, market: int, before: int | None, limit: int) -> list[Trade]:
        """Trades of a market below event ``before``, newest first."""
        rows = self._select(
            "SELECT * FROM trade WHERE market = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
            market,
            _to_end(before),
            limit,
        )
        return [Trade._make(row) for row in rows]

    def fetch_candles(
        self, market: int, interval: int, start: int, stop: int, limit: int
    ) -> list[Candle]:
        """Candles in which something traded and that begin in ``start .. stop - 1`` (ms), oldest first."""
        rows = self._select(
            "SELECT start, open, high, low, close, lots, turnover, trades FROM candle"
            " WHERE market = ? AND interval = ? AND start >= ? AND start < ? ORDER BY start LIMIT ?",
            market,
            interval,
            start,
            stop,
            limit,
        )
        return [_read_candle(row) for row in rows]

    def fetch_newest_candles(self) -> list[tuple[int, int, Candle]]:
        """Newest candle of each market and interval, as (market, interval, candle)."""
        rows = self._select(
            "SELECT market, interval, max(start), open, high, low, close, lots, turnover, trades"
            " FROM candle GROUP BY market, interval"
        )
        return [(row[0], row[1], _read_candle(row[2:])) for row in rows]

    def fetch_markets(self) -> list[int]:
        """Markets in which anything ever traded."""
        return [row[0] for row in self._select("SELECT DISTINCT market FROM candle")]

    # --- accounts ------------------------------------------------------------------------------------

    def fetch_fills(
        self, account: int, market: int | None, before: int | None, limit: int
    ) -> list[Trade]:
        """Trades of an account below event ``before``, newest first."""
        rows = self._select(
            "SELECT * FROM (SELECT * FROM trade WHERE taker_account = ?1 AND seq < ?2"
            " AND (?3 IS NULL OR market = ?3)"
            " UNION SELECT * FROM trade WHERE maker_account = ?1 AND seq < ?2"
            " AND (?3 IS NULL OR market = ?3)) ORDER BY seq DESC LIMIT ?4",
            account,
            _to_end(before),
            market,
            limit,
        )
        return [Trade._make(row) for row in rows]

    def fetch_orders(
        self, account: int, before: int | None, limit: int, market: int | None = None
    ) -> list[OrderRow]:
        """Orders of an account that were placed below event ``before``, newest first."""
        rows = self._select(
            "SELECT * FROM orders WHERE account = ?1 AND seq < ?2 AND (?3 IS NULL OR market = ?3)"
            " ORDER BY seq DESC LIMIT ?4",
            account,
            _to_end(before),
            market,
            limit,
        )
        return [OrderRow._make(row) for row in rows]

    def fetch_order(self, order: int) -> OrderRow | None:
        """Return an order by its id."""
        rows = self._select("SELECT * FROM orders WHERE id = ?", order)
        return OrderRow._make(rows[0]) if rows else None

    def find_order(self, account: int, client_id: bytes) -> OrderRow | None:
        """Newest order of an account with a client id."""
        rows = self._select(
            "SELECT * FROM orders WHERE account = ? AND client_id = ? ORDER BY seq DESC LIMIT 1",
            account,
            client_id,
        )
        return OrderRow._make(rows[0]) if rows else None

    def fetch_movements(self, account: int, before: int | None, limit: int) -> list[Movement]:
        """Deposits, withdrawals, transfers of an account below event ``before``, newest first."""
        rows = self._select(
            "SELECT seq, account, time, asset, kind, amount, reference FROM movement"
            " WHERE account = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
            account,
            _to_end(before),
            limit,
        )
        return [Movement._make(row) for row in rows]

    def fetch_margin(self, account: int, before: int | None, limit: int) -> list[MarginRow]:
        """Return what happened to an account's positions apart from trades, below event ``before``, newest first."""
        rows = self._select(
            "SELECT seq, account, time, market, kind, lots, amount, reference FROM margin"
            " WHERE account = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
            account,
            _to_end(before),
            limit,
        )
        return [MarginRow._make(row) for row in rows]

    def fetch_funding(self, market: int, before: int | None, limit: int) -> list[FundingRow]:
        """Funding hours of a perpetual below event ``before``, newest first."""
        rows = self._select(
            "SELECT seq, time, rate, sum FROM funding WHERE market = ? AND seq < ?"
            " ORDER BY seq DESC LIMIT ?",
            market,
            _to_end(before),
            limit,
        )
        return [FundingRow._make(row) for row in rows]

    # --- blocks --------------------------------------------------------------------------------------

    def fetch_blocks(self, before: int | None, limit: int) -> list[BlockRow]:
        """Blocks below number ``before``, newest first."""
        names = ", ".join(BlockRow._fields)
        rows = self._select(
            f"SELECT {names} FROM block WHERE number < ? ORDER BY number DESC LIMIT ?",  # noqa: S608 -- our names
            _to_end(before),
            limit,
        )
        return [BlockRow._make(row) for row in rows]

    def fetch_receipt(self, seq: int) -> Receipt | None:
        """Receipt of a leaf, None if no block on record holds it."""
        rows = self._select(
            "SELECT * FROM block WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1", seq
        )
        if not rows:
            return None
        number, when, first, count, epoch, index, prefix, last, parent, signature = rows[0][:10]
        digests, received, results = rows[0][10:]
        if not first <= seq < first + count:
            return None
        times, codes = np.frombuffer(received, "<i8"), np.frombuffer(results, "<i4")
        links = chain_links(parent, epoch, first, digests, times, codes)
        head = BlockHead(epoch, number, first, count, when, index, prefix, last, parent, signature)
        return BlockReceipts(head, digests, times.tolist(), codes.tolist(), links).get(seq)

    def find_leaf(self, digest: bytes) -> int | None:
        """Seq of the leaf with a hash (32 bytes), None if no block on record holds it."""
        rows = self._select("SELECT seq FROM leaf WHERE hash = ?", get_hash_key(digest))
        for (seq,) in rows:
            receipt = self.fetch_receipt(seq)
            if receipt and receipt.leaf_hash == digest:
                return int(seq)
        return None


def _read_candle(row: Sequence[Any]) -> Candle:
    start, first, high, low, close, lots, turnover, trades = row
    return Candle(start, first, high, low, close, int(lots), int(turnover), trades)


def _to_end(before: int | None) -> int:
    return (1 << 63) - 1 if before is None else before
