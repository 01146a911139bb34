"""The perpetual part of the snapshot: from the model (`build`), and from record arrays (`read`).

What a pool caches (equity, margins) is compared only where it is of the current epoch; between two touches it is old.
Of a job that spans blocks its kind and what is registered is compared, not the registers of its stages.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.model import margin
from tests.model.records import TRIGGER_LISTS, Feed, Perp, Pool
from tradezone.protocol import enums, limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from tests.model.state import State

LEDGER_FIELDS = ("venue", "asset", "cash", "deficit", "fund", "cap", "haircuts")
FEED_FIELDS = (
    *("venue", "quorum", "heartbeat", "deviation", "breaker", "is_fresh", "index", "epoch"),
    *("round", "round_start", "trips"),
)
PRICE_FIELDS = (
    *("mark", "index", "state", "hour", "oi_rate", "settlement", "round", "trips", "until"),
    *("stale_since", "basis", "book", "average", "funding_index", "premium_sum", "pot"),
    *(
        "tick_time",
        "sample_time",
        "forced_epoch",
        "broken",
        "raised",
        "premium_count",
        "funding_rate",
    ),
)
TERM_FIELDS = ("feed_scale", "funding_scale", "impact_notional", "oi_lower", "oi_upper")
MARKET_FIELDS = ("funding_cap", "interest", "band_listing", "band_basis")
POOL_FIELDS = (
    *("account", "venue", "asset", "market", "collateral", "allowance", "pulled", "kept"),
    *("haircut", "state", "liquidated", "below_since", "epoch"),
)
SUMS = ("equity", "weighted", "initial", "maintenance", "notional", "losses")
POSITION_FIELDS = ("market", "leverage", "funding_index", "lots", "quote", "claim")
TRIGGER_FIELDS = ("up_mark", "down_mark", "up_index", "down_index")
AGENDA_FIELDS = ("next_mark", "sweep_time", "pool_cursor", "swept", "visited")


def _pick(thing: object, names: tuple[str, ...]) -> dict[str, int]:
    return {name: int(getattr(thing, name)) for name in names}


# --- from the model ----------------------------------------------------------------------------------


def _build_feed(feed: Feed) -> dict[str, Any]:
    empty = [(0, "00" * 20)] * (limits.MAX_PROVIDERS - len(feed.providers))
    return {
        **_pick(feed, FEED_FIELDS),
        "providers": [(number, signer.hex()) for number, signer in feed.providers] + empty,
        "prices": list(feed.prices),
        "times": list(feed.times),
        "incidents": list(feed.incidents),
        "buckets": list(feed.buckets),
        "from": feed.window_from,
    }


def _build_perp(zone: State, perp: Perp) -> dict[str, Any]:
    book = zone.books[perp.market.slot]
    empty = [(0, 0, 0)] * (limits.MAX_TIERS - len(perp.tiers))
    return {
        **_pick(perp, PRICE_FIELDS),
        **_pick(perp, TERM_FIELDS),
        **_pick(perp, MARKET_FIELDS),
        "ledger": perp.ledger.slot,
        "feed": perp.feed.slot,
        "flags": enums.MARKET_CROSS if perp.is_cross else 0,
        "profit_weight": perp.weight,
        "max_leverage": perp.max_leverage,
        "tiers": perp.tiers + empty,
        "loss_cap": perp.loss_cap,
        "spent": perp.spent,
        "day": perp.day,
        "fund_pool": perp.fund_pool.slot if perp.fund_pool else 0,
        "longs": [position.slot for position in perp.sides[1]],
        "shorts": [position.slot for position in perp.sides[-1]],
        "open_lots": perp.open_lots,
        "job": perp.job.kind if perp.job else 0,
        "lots_moved": perp.job.lots if perp.job else 0,
        "money": perp.job.money if perp.job else 0,
        "must_settle": enums.JOB_SETTLE if perp.must_settle else 0,
        "ripe": perp.ripe,
        "awaits_queue": int(perp.awaits_queue),
        "registered": [[p.slot for p in perp.registered[side]] for side in (1, -1)],
        "firm": [
            (price, sum(order.lots for order in level.orders if not order.is_reduce_only))
            for side in (enums.BUY, enums.SELL)
            for price, level in sorted(book.levels[side].items())
        ],
        "triggers": {
            name: [
                (price, [plan.id for plan in book.triggers[side][price].orders])
                for price in book.trigger_prices(side)
            ]
            for name, side in zip(TRIGGER_FIELDS, TRIGGER_LISTS[2:], strict=True)
        },
    }


def _build_pool(zone: State, pool: Pool) -> dict[str, Any]:
    orders = [order for order in zone.accounts[pool.account].orders if order.pool is pool]
    sums = None
    if pool.epoch == zone.epoch:
        values = margin.get_pool_values(zone, pool)
        amounts = (
            values.pnl,
            values.weighted,
            values.initial,
            values.maintenance,
            values.notional,
            values.losses,
        )
        sums = dict(zip(SUMS, amounts, strict=True))
    return {
        "generation": pool.generation,
        "owner": zone.accounts[pool.account].owner,
        "ledger": pool.ledger.slot,
        "balance": zone.accounts[pool.account].balances[pool.asset].slot,
        **_pick(pool, POOL_FIELDS),
        "sums": sums,
        "order_margin": sum(order.locked for order in orders),
        "order_count": sum(not order.is_forced for order in orders),
        "forced": pool.forced.slot if pool.forced else 0,
        "registered": sum(p.is_registered for p in pool.positions.values()),
        "positions": [
            {
                "slot": position.slot,
                **_pick(position, POSITION_FIELDS),
                "flags": enums.POSITION_ADL * position.is_registered
                + enums.POSITION_PROFIT * position.is_profit,
                "buy_lots": margin.get_open_lots(zone, position, enums.BUY),
                "sell_lots": margin.get_open_lots(zone, position, enums.SELL),
                "uses": len(margin.get_orders(zone, position)),
            }
            for position in pool.by_market()
        ],
    }


def build(zone: State) -> dict[str, Any]:
    """Build it from the model."""
    return {
        "epoch": zone.epoch,
        **_pick(zone, AGENDA_FIELDS),
        "ledgers": {
            ledger.slot: {
                **_pick(ledger, LEDGER_FIELDS),
                "open_value": sum(
                    perp.open_lots * perp.mark * perp.tv
                    for perp in zone.perps.values()
                    if perp.ledger is ledger and perp.is_live and not perp.settlement
                ),
                "perps": sum(p.is_live and p.ledger is ledger for p in zone.perps.values()),
            }
            for ledger in zone.ledgers.values()
        },
        "feeds": {slot: _build_feed(feed) for slot, feed in zone.feeds.items()},
        "live": [slot for slot in sorted(zone.perps) if zone.perps[slot].is_live],
        "venues": dict(Counter(perp.market.venue for perp in zone.perps.values() if perp.is_live)),
        "perps": {slot: _build_perp(zone, perp) for slot, perp in zone.perps.items()},
        "pools": {slot: _build_pool(zone, pool) for slot, pool in zone.pools.items()},
        "accounts": {
            slot: [pool.slot for _, pool in sorted(account.pools.items())]
            for slot, account in zone.accounts.items()
            if account.pools
        },
        "liquidating": [pool.slot for pool in zone.liquidating],
        "jobs": list(zone.jobs),
        "orders": {
            order.id: (order.pool.slot, order.position.slot, order.reserve)
            for order in zone.orders.values()
            if order.pool is not None
        },
    }


# --- from record arrays ------------------------------------------------------------------------------


class Reader:
    """Walks record arrays the way steps do."""

    def __init__(self, tables: Mapping[str, np.ndarray]) -> None:
        self.tables = tables

    def get(self, table: str, slot: int, *names: str) -> dict[str, int]:
        return {name: int(self.tables[table][name][slot]) for name in names}

    def one(self, table: str, slot: int, name: str) -> int:
        return int(self.tables[table][name][slot])

    def walk(self, table: str, first: int, link: str) -> list[int]:
        found: list[int] = []
        while first:
            assert first not in found, f"{table}.{link}: the list does not end"
            found.append(first)
            first = self.one(table, first, link)
        return found

    def live(self, table: str) -> list[int]:
        return np_flatnonzero(self.tables[table]["state"])

    def address(self, table: str, slot: int, name: str) -> str:
        low, middle, high = (self.one(table, slot, f"{name}{i}") for i in range(3))
        return f"{high << 128 | middle << 64 | low:040x}"

    def feed(self, slot: int) -> dict[str, Any]:
        places = [8 * slot + i for i in range(limits.MAX_PROVIDERS)]
        watch = self.get("watch", slot, *(f"{e}{i}" for i in range(3) for e in ("low", "high")))
        return {
            **self.get("feed", slot, *FEED_FIELDS),
            "providers": [
                (self.one("provider", place, "provider"), self.address("provider", place, "signer"))
                for place in places
            ],
            "prices": [self.one("feed", slot, f"price{i}") for i in range(len(places))],
            "times": [self.one("feed", slot, f"time{i}") for i in range(len(places))],
            "incidents": [self.one("provider", place, "incident") for place in places],
            "buckets": [(watch[f"low{i}"], watch[f"high{i}"]) for i in range(3)],
            "from": self.one("watch", slot, "begun"),
        }

    def triggers(self, slot: int, name: str) -> list[tuple[int, list[int]]]:
        found = []
        for level in self.walk("level", self.one("book", slot, name), "next"):
            plans = self.walk("plan", self.one("level", level, "first"), "next")
            ids = [self.one("plan", plan, "generation") << 32 | plan for plan in plans]
            found.append((self.one("level", level, "price"), ids))
        return found

    def perp(self, slot: int) -> dict[str, Any]:
        tier = self.get("tier", slot, *(f"lower{k}" for k in range(1, 4)))
        tier["lower0"] = 0
        return {
            **self.get("price", slot, *PRICE_FIELDS),
            **self.get("tier", slot, *TERM_FIELDS, "feed"),
            **self.get("market", slot, *MARKET_FIELDS, "ledger", "flags", "profit_weight"),
            **self.get("market", slot, "max_leverage"),
            "tiers": [
                (
                    tier[f"lower{k}"],
                    self.one("tier", slot, f"imr{k}"),
                    self.one("tier", slot, f"mmr{k}"),
                )
                for k in range(limits.MAX_TIERS)
            ],
            **self.get("fund", slot, "loss_cap", "spent", "day"),
            "fund_pool": self.one("fund", slot, "pool"),
            "longs": self.walk("position", self.one("price", slot, "long_first"), "side_next"),
            "shorts": self.walk("position", self.one("price", slot, "short_first"), "side_next"),
            "open_lots": self.one("book", slot, "open_lots"),
            "job": self.one("job", slot, "kind"),
            **self.get("job", slot, "lots_moved", "money"),
            "must_settle": self.one("job", slot, "next_kind"),
            "ripe": self.one("job", slot, "ripe"),
            "awaits_queue": 0 if self.one("job", slot, "kind") else self.one("job", slot, "stage"),
            "registered": [
                self.walk("position", self.one("job", slot, first), "job_next")
                for first in ("long_first", "short_first")
            ],
            "firm": [
                pair
                for first in ("best_bid", "best_ask")
                for pair in sorted(
                    (self.one("level", level, "price"), self.one("level", level, "firm"))
                    for level in self.walk("level", self.one("book", slot, first), "next")
                )
            ],
            "triggers": {name: self.triggers(slot, name) for name in TRIGGER_FIELDS},
        }

    def pool(self, slot: int, epoch: int) -> dict[str, Any]:
        positions = self.walk("position", self.one("pool", slot, "first_position"), "next")
        assert self.one("pool", slot, "position_count") == len(positions), f"pool {slot}"
        assert all(self.one("position", p, "pool") == slot for p in positions), f"pool {slot}"
        is_current = self.one("pool", slot, "epoch") == epoch
        return {
            **self.get("pool", slot, "generation", "owner", "ledger", "balance", *POOL_FIELDS),
            "sums": self.get("pool", slot, *SUMS) if is_current else None,
            **self.get("pool", slot, "order_margin", "order_count", "forced", "registered"),
            "positions": [
                {
                    "slot": p,
                    **self.get("position", p, *POSITION_FIELDS, "flags", "buy_lots", "sell_lots"),
                    "uses": self.one("position", p, "uses"),
                }
                for p in positions
            ],
        }


def np_flatnonzero(column: np.ndarray) -> list[int]:
    return [int(slot) for slot in column.nonzero()[0]]


def read(tables: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Build it from record arrays."""
    reader = Reader(tables)
    epoch = reader.one("machine", 0, "epoch")
    markets = np_flatnonzero(tables["market"]["kind"] == enums.MARKET_PERP)
    perps = [slot for slot in markets if not reader.one("market", slot, "guest_of")]
    accounts = {
        slot: reader.walk("pool", reader.one("account", slot, "first_pool"), "next")
        for slot in np_flatnonzero(tables["account"]["first_pool"])
    }
    for slot, pools in accounts.items():
        assert reader.one("account", slot, "pool_count") == len(pools), f"account {slot}"
    orders = [slot for slot in reader.live("order") if reader.one("order", slot, "pool")]
    return {
        "epoch": epoch,
        **reader.get("agenda", 0, *AGENDA_FIELDS),
        "ledgers": {
            slot: reader.get("ledger", slot, *LEDGER_FIELDS, "open_value", "perps")
            for slot in reader.live("ledger")
        },
        "feeds": {slot: reader.feed(slot) for slot in reader.live("feed")},
        "venues": {
            slot: reader.one("venue", slot, "perps")
            for slot in np_flatnonzero(tables["venue"]["perps"])
        },
        "live": reader.walk("market", reader.one("agenda", 0, "perp_first"), "perp_next"),
        "perps": {slot: reader.perp(slot) for slot in perps},
        "pools": {slot: reader.pool(slot, epoch) for slot in reader.live("pool")},
        "accounts": accounts,
        "liquidating": reader.walk(
            "pool", reader.one("agenda", 0, "liquidation_first"), "queue_next"
        ),
        "jobs": reader.walk("job", reader.one("agenda", 0, "job_first"), "next"),
        "orders": {
            reader.one("order", slot, "generation") << 32 | slot: (
                reader.one("order", slot, "pool"),
                reader.one("order", slot, "holding"),
                reader.one("order", slot, "reserve"),
            )
            for slot in orders
        },
    }
