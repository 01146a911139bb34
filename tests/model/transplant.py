"""Record arrays made from the state of the model: an engine that goes on where the model stands.

`write` is the reverse of `tests.model.compare.build_snapshot`. It lets a suite look at one block of an engine whatever
came of the blocks before, and start long scenarios without running their set-up twice. What no snapshot shows
(scratch registers, what a pool caches of an old epoch) is zero; a job that spans blocks keeps registers that a model
does not have, so a state with one cannot be written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.model import margin, outcome
from tests.model.orders import get_bucket
from tests.model.perp_snapshot import AGENDA_FIELDS as PERP_AGENDA_FIELDS
from tests.model.perp_snapshot import SUMS, TRIGGER_FIELDS
from tests.model.records import TRIGGER_LISTS
from tests.model.snapshot import (
    AGENDA_FIELDS,
    APPROVAL_FIELDS,
    ASSET_FIELDS,
    BOOK_FIELDS,
    EVENT_FIELDS,
    HOLDING_FIELDS,
    MACHINE_FIELDS,
    ORDER_FIELDS,
    OWNER_FIELDS,
    PENDING_FIELDS,
    PENDING_HOME_FIELDS,
    PLAN_FIELDS,
    VENUE_FIELDS,
)
from tests.model.state import TABLES
from tradezone.protocol import enums, limits
from tradezone.protocol.records import TABLE_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np

    from tests.model.engine import Model
    from tests.model.records import Perp, Pool

MOST = (1 << 63) - 1


def is_possible(model: Model) -> bool:
    """Whether the state can be written: no job has begun."""
    return not model.jobs


class Writer:
    """Fills record arrays that are zero."""

    def __init__(self, model: Model, tables: Mapping[str, np.ndarray]) -> None:
        self.model, self.tables = model, tables
        self.written: set[tuple[str, int]] = set()

    # --- tools -------------------------------------------------------------------------------------

    def put(self, table: str, slot: int, **values: int) -> None:
        self.written.add((table, slot))
        row = self.tables[table]
        for name, value in values.items():
            row[name][slot] = value

    def copy(self, table: str, slot: int, thing: object, names: Iterable[str]) -> None:
        self.put(table, slot, **{name: int(getattr(thing, name)) for name in names})

    def address(self, table: str, slot: int, name: str, value: bytes) -> None:
        number = int.from_bytes(value, "big")
        limb = (1 << 64) - 1
        parts = (number & limb, number >> 64 & limb, number >> 128)
        self.put(table, slot, **{f"{name}{i}": part for i, part in enumerate(parts)})

    def word(self, table: str, slot: int, name: str, value: bytes) -> None:
        limbs = [int.from_bytes(value[i : i + 8], "big") for i in (24, 16, 8, 0)]
        self.put(table, slot, **{f"{name}{i}": limb for i, limb in enumerate(limbs)})

    def chain(
        self, table: str, slots: list[int], link: str = "next", back: str | None = "previous"
    ) -> tuple[int, int]:
        """Link records into a list; return (first, last), 0 if it is empty."""
        for i, slot in enumerate(slots):
            after = slots[i + 1] if i + 1 < len(slots) else 0
            self.put(table, slot, **{link: after})
            if back:
                self.put(table, slot, **{back: slots[i - 1] if i else 0})
        return (slots[0], slots[-1]) if slots else (0, 0)

    # --- the whole ---------------------------------------------------------------------------------

    def write(self) -> None:
        self._heads()
        self._people()
        self._money()
        self._venues()
        self._markets()
        self._orders()
        self._plans()
        self._outcomes()
        self._work()
        self._perpetuals()

    def _heads(self) -> None:
        for name in TABLES:
            slots = self.model.slots[name]
            free = list(reversed(slots.free))
            number = TABLE_BY_NAME[name].number
            first = free[0] if free else 0
            self.put(
                "head", number, high_water=slots.high_water, in_use=slots.in_use, first_free=first
            )
            self.chain(name, free, back=None)
            for slot, generation in slots.generations.items():
                self.put(name, slot, generation=generation)
        for name, heap in (("timer", self.model.timers), ("queue", self.model.queue)):
            number = TABLE_BY_NAME[name].number
            self.put("head", number, high_water=1, in_use=len(heap.nodes))
        for place, timer in enumerate(self.model.timers.nodes, 1):
            self.copy("timer", place, timer, ("time", "seq", "kind", "subject"))
        for place, market in enumerate(self.model.queue.nodes, 1):
            release, seq = self.model.queue.key(market)
            self.put("queue", place, release=release, seq=seq, book=market)

    def _people(self) -> None:
        for slot, owner in self.model.owners.items():
            self.copy("owner", slot, owner, OWNER_FIELDS)
            self.address("owner", slot, "address", owner.address)
            self.address("owner", slot, "redirect", owner.redirect)
            first, _ = self.chain("account", owner.accounts, back=None)
            key, _ = self.chain("key", owner.keys, back=None)
            counts = {"account_count": len(owner.accounts), "key_count": len(owner.keys)}
            self.put("owner", slot, first_account=first, first_key=key, **counts)
        for slot, key in self.model.keys.items():
            names = ("scope", "owner", "account", "venue", "expires", "approved", "max_notional")
            self.copy("key", slot, key, (*names, "name", "generation"))
            self.put("key", slot, state=enums.ACTIVE)
            self.address("key", slot, "address", key.address)
            for cell, nonce in enumerate(key.cells):
                self.put("nonces", slot * 4 + cell // 16, **{f"cell{cell % 16}": nonce})
        for slot, account in self.model.accounts.items():
            self.copy("account", slot, account, ("owner", "kind", "index", "state"))
            balances = [balance.slot for _, balance in sorted(account.balances.items())]
            approvals = [record for _, record in sorted(account.approvals.items())]
            orders = [order.slot for order in account.orders]
            plans = [plan.slot for plan in account.plans]
            holdings = [holding.slot for _, holding in sorted(account.holdings.items())]
            pools = [pool.slot for _, pool in sorted(account.pools.items())]
            self.put(
                "account",
                slot,
                first_balance=self.chain("balance", balances)[0],
                balance_count=len(balances),
                first_approval=self.chain("approval", [a.slot for a in approvals])[0],
                approval_count=len(approvals),
                first_order=self.chain("order", orders, "account_next", "account_previous")[0],
                order_count=len(orders),
                first_plan=self.chain("plan", plans, "account_next", "account_previous")[0],
                plan_count=len(plans),
                first_holding=self.chain("holding", holdings)[0],
                holding_count=len(holdings),
                first_pool=self.chain("pool", pools)[0],
                pool_count=len(pools),
                timer=self.model.timers.place(account.timer),
                task=account.task.slot if account.task else 0,
            )
            for approval in approvals:
                self._approval(approval)

    def _approval(self, approval: Any) -> None:
        names = [name for name in APPROVAL_FIELDS if name != "slot"]
        self.copy("approval", approval.slot, approval, names)
        self.put("approval", approval.slot, state=enums.ACTIVE)

    def _money(self) -> None:
        for slot, asset in self.model.assets.items():
            self.copy("asset", slot, asset, ASSET_FIELDS)
            self.address("asset", slot, "token", asset.token)
        for slot, account in self.model.accounts.items():
            for balance in account.balances.values():
                names = ("account", "asset", "free", "locked", "faucet_time")
                self.copy("balance", balance.slot, balance, names)
                self.put("balance", balance.slot, state=enums.ACTIVE, owner=account.owner)
                uses = sum(
                    asset == balance.asset
                    for order in account.orders
                    for asset in (order.pay_asset, order.receive_asset)
                )
                uses += sum(pool.asset == balance.asset for pool in account.pools.values())
                self.put("balance", balance.slot, uses=uses)
            assert slot

    def _venues(self) -> None:
        for slot, venue in self.model.venues.items():
            self.copy("venue", slot, venue, VENUE_FIELDS)
            self.address("venue", slot, "credential_provider", venue.credential_provider)
        for slot, calendar in self.model.calendars.items():
            self.put("calendar", slot, venue=calendar.venue)
            for day, (opens, closes) in enumerate(calendar.days):
                self.put("calendar", slot, **{f"open{day}": opens, f"close{day}": closes})
            for n, (begins, ends) in enumerate(calendar.closures):
                self.put("calendar", slot, **{f"from{n}": begins, f"to{n}": ends})
        for bucket, records in self.model.access.items():
            first, _ = self.chain("approval", [a.slot for a in records], "bucket_next", None)
            self.put("bucket", bucket, first=first, length=len(records))
            for approval in records:
                self._approval(approval)
        for bucket, orders in self.model.buckets.items():
            first, _ = self.chain("order", [o.slot for o in orders], "bucket_next", None)
            self.put("bucket", bucket, first=first, length=len(orders))

    def _markets(self) -> None:
        for slot, market in self.model.markets.items():
            self.copy("market", slot, market, [n for n in vars(market) if n != "slot"])
            if pending := self.model.pending.get(slot):
                self.put("market", slot, timer=self.model.timers.place(pending.timer))
                names = dict(PENDING_FIELDS)
                if not market.guest_of:
                    names |= PENDING_HOME_FIELDS
                if pending.values:
                    values = {name: min(pending.values[t], MOST) for t, name in names.items()}
                    self.put("pending", slot, state=enums.ACTIVE, **values)
        for slot, book in self.model.books.items():
            self.copy("book", slot, book, BOOK_FIELDS)
            if market := self.model.perps.get(slot):
                self.put("book", slot, open_lots=market.open_lots)
            firsts = ("best_bid", "best_ask")
            for side, name, count in zip(
                (enums.BUY, enums.SELL), firsts, ("bid_levels", "ask_levels"), strict=True
            ):
                levels = [(p, book.levels[side][p]) for p in book.prices(side)]
                self.put("book", slot, **{count: len(levels)})
                self.put("book", slot, **{name: self._levels(slot, side, levels)})
            for side, name in zip(
                TRIGGER_LISTS, ("up_last", "down_last", *TRIGGER_FIELDS), strict=True
            ):
                levels = [(p, book.triggers[side][p]) for p in book.trigger_prices(side)]
                self.put("book", slot, **{name: self._levels(slot, side, levels)})
            first, last = self.chain("order", [order.slot for order in book.queue])
            self.put("book", slot, waiting_first=first, waiting_last=last)
            self.put("book", slot, waiting_count=len(book.queue))
            resting = sum(len(v.orders) for levels in book.levels for v in levels.values())
            self.put("book", slot, order_count=resting)
            if book.queue:
                head = book.queue[0]
                self.put(
                    "book",
                    slot,
                    queue=self.model.queue.nodes.index(slot) + 1,
                    release=head.release,
                    release_seq=head.seq,
                    release_block=head.release_block,
                )
        first, last = self.chain("book", self.model.triggering, "trigger_next", None)
        self.put("agenda", 0, trigger_first=first, trigger_last=last)
        for slot in self.model.triggering:
            self.put("book", slot, is_triggering=1)

    def _levels(self, market: int, side: int, levels: list[tuple[int, Any]]) -> int:
        is_plan = side >= enums.TRIGGER_UP_LAST
        for price, level in levels:
            first, last = self.chain("plan" if is_plan else "order", [o.slot for o in level.orders])
            self.put(
                "level",
                level.slot,
                market=market,
                price=price,
                state=enums.ACTIVE,
                side=side,
                first=first,
                last=last,
                lots=0 if is_plan else sum(order.lots for order in level.orders),
                count=len(level.orders),
                firm=sum(o.lots for o in level.orders if not o.is_reduce_only)
                if not is_plan and market in self.model.perps
                else 0,
            )
            for order in level.orders:
                self.put("plan" if is_plan else "order", order.slot, level=level.slot)
        return self.chain("level", [level.slot for _, level in levels])[0]

    def _orders(self) -> None:
        for slot, order in self.model.orders.items():
            self.copy("order", slot, order, [n for n in ORDER_FIELDS if n != "client_id"])
            balances = self.model.accounts[order.account].balances
            held = order.holding or order.position
            children = [plan.slot for plan in order.children]
            self.put(
                "order",
                slot,
                generation=order.generation,
                client_id0=order.client_id & ((1 << 64) - 1),
                client_id1=order.client_id >> 64,
                pay_balance=balances[order.pay_asset].slot if order.pay_asset else 0,
                receive_balance=balances[order.receive_asset].slot if order.receive_asset else 0,
                holding=held.slot if held else 0,
                timer=self.model.timers.place(order.timer),
                release=order.release if order.state == enums.WAITING else 0,
                release_block=order.release_block if order.state == enums.WAITING else 0,
                first_child=children[0] if children else 0,
            )
            if order.client_id:
                self.put("order", slot, bucket=get_bucket(order.account, order.client_id))
            if order.pool is not None:
                self.put("order", slot, pool=order.pool.slot, reserve=order.reserve)

    def _plans(self) -> None:
        for slot, plan in self.model.plans.items():
            self.copy("plan", slot, plan, PLAN_FIELDS)
            at = next(i for i, other in enumerate(plan.ring) if other is plan)
            sibling = plan.ring[(at + 1) % len(plan.ring)].slot if len(plan.ring) > 1 else 0
            self.put(
                "plan",
                slot,
                generation=plan.generation,
                parent=plan.parent.slot if plan.parent else 0,
                timer=self.model.timers.place(plan.timer),
                sibling=sibling,
            )

    def _outcomes(self) -> None:
        for slot, event in self.model.groups.items():
            self.copy("event_group", slot, event, EVENT_FIELDS)
            self.word("event_group", slot, "payouts", event.payouts)
            self.word("event_group", slot, "void_payouts", event.void_payouts)
            self.put("event_group", slot, markets=len(event.markets))
            self.put("event_group", slot, first_market=event.markets[0] if event.markets else 0)
        for slot, holding in self.model.holdings.items():
            self.copy("holding", slot, holding, HOLDING_FIELDS)
            market = self.model.markets[holding.market]
            self.put(
                "holding",
                slot,
                state=enums.ACTIVE,
                owner=self.model.accounts[holding.account].owner,
                outcome=market.outcome,
                group=market.group,
                uses=outcome.get_uses(self.model, holding),
            )

    def _work(self) -> None:
        self.copy("machine", 0, self.model, (*MACHINE_FIELDS, "epoch"))
        self.copy("agenda", 0, self.model, AGENDA_FIELDS)
        self.copy("agenda", 0, self.model, ("timer_seq", *PERP_AGENDA_FIELDS))
        first, last = self.chain("task", [task.slot for task in self.model.tasks], back=None)
        self.put("agenda", 0, task_first=first, task_last=last)
        for task in self.model.tasks:
            names = ("kind", "side", "reason", "subject", "market", "seq")
            self.copy("task", task.slot, task, names)
            self.put("task", task.slot, state=enums.ACTIVE)
        for slot, record in self.model.outbox.items():
            names = (
                "kind",
                "status",
                "owner",
                "asset",
                "amount",
                "time",
                "inbox",
                "venue",
                "market",
            )
            self.copy("outbox", slot, record, names)
            self.address("outbox", slot, "recipient", record.recipient)

    # --- perpetuals --------------------------------------------------------------------------------

    def _perpetuals(self) -> None:
        model = self.model
        for slot in model.venues:
            ledgers = sorted(key for key in model.ledgers if key[0] == slot)
            first, _ = self.chain("ledger", [model.ledgers[key].slot for key in ledgers], back=None)
            live = sum(p.is_live and p.market.venue == slot for p in model.perps.values())
            self.put("venue", slot, first_ledger=first, perps=live)
        for ledger in model.ledgers.values():
            names = ("venue", "asset", "cash", "deficit", "fund", "cap", "haircuts")
            self.copy("ledger", ledger.slot, ledger, names)
            mine = [p for p in model.perps.values() if p.ledger is ledger and p.is_live]
            self.put(
                "ledger",
                ledger.slot,
                state=enums.ACTIVE,
                perps=len(mine),
                open_value=sum(p.open_lots * p.mark * p.tv for p in mine if not p.settlement),
            )
        for slot, feed in model.feeds.items():
            self._feed(slot, feed)
        live = [slot for slot in sorted(model.perps) if model.perps[slot].is_live]
        first, last = self.chain("market", live, "perp_next", None)
        self.put("agenda", 0, perp_first=first, perp_last=last, perps=len(live))
        for slot, perp in model.perps.items():
            self._perp(slot, perp)
        for pool in model.pools.values():
            self._pool(pool)
        queue = [pool.slot for pool in model.liquidating]
        first, last = self.chain("pool", queue, "queue_next", "queue_previous")
        self.put("agenda", 0, liquidation_first=first, liquidation_last=last)
        self.put("agenda", 0, liquidations=len(queue))

    def _feed(self, slot: int, feed: Any) -> None:
        names = ("venue", "quorum", "heartbeat", "deviation", "breaker", "is_fresh", "index")
        self.copy("feed", slot, feed, (*names, "epoch", "round", "round_start", "trips"))
        self.put("feed", slot, state=enums.ACTIVE, providers=len(feed.providers))
        for place, (number, signer) in enumerate(feed.providers):
            self.put("provider", 8 * slot + place, provider=number)
            self.address("provider", 8 * slot + place, "signer", signer)
        for place in range(limits.MAX_PROVIDERS):
            values = {f"price{place}": feed.prices[place], f"time{place}": feed.times[place]}
            self.put("feed", slot, **values)
            self.put("provider", 8 * slot + place, incident=feed.incidents[place])
        for i, (low, high) in enumerate(feed.buckets):
            self.put("watch", slot, **{f"low{i}": low, f"high{i}": high})
        self.put("watch", slot, begun=feed.window_from)

    def _perp(self, slot: int, perp: Perp) -> None:
        numbers = ("mark", "index", "state", "hour", "oi_rate", "settlement", "round", "trips")
        times = ("until", "stale_since", "tick_time", "sample_time", "broken", "raised")
        sums = ("basis", "book", "average", "funding_index", "premium_sum", "pot")
        rest = ("forced_epoch", "premium_count", "funding_rate")
        self.copy("price", slot, perp, (*numbers, *times, *sums, *rest))
        for side, name in ((1, "long"), (-1, "short")):
            positions = [position.slot for position in perp.sides[side]]
            first, last = self.chain("position", positions, "side_next", "side_previous")
            self.put("price", slot, **{f"{name}_first": first, f"{name}_last": last})
            waiting = [position.slot for position in perp.registered[side]]
            first, _ = self.chain("position", waiting, "job_next", None)
            self.put("job", slot, **{f"{name}_first": first})
        self.put("job", slot, ripe=perp.ripe, stage=int(perp.awaits_queue))
        names = ("feed_scale", "funding_scale", "impact_notional", "oi_lower", "oi_upper")
        self.copy("tier", slot, perp, names)
        self.put("tier", slot, feed=perp.feed.slot, tiers=len(perp.tiers))
        for k, (lower, imr, mmr) in enumerate(perp.tiers):
            if k:
                self.put("tier", slot, **{f"lower{k}": lower})
            self.put("tier", slot, **{f"imr{k}": imr, f"mmr{k}": mmr})
        self.copy("fund", slot, perp, ("loss_cap", "spent", "day"))
        self.put("fund", slot, pool=perp.fund_pool.slot if perp.fund_pool else 0)
        names = ("funding_cap", "interest", "band_listing", "band_basis", "max_leverage")
        self.copy("market", slot, perp, names)
        flags = enums.MARKET_CROSS if perp.is_cross else 0
        self.put(
            "market",
            slot,
            flags=flags,
            feed=perp.feed.slot,
            ledger=perp.ledger.slot,
            profit_weight=perp.weight,
        )

    def _pool(self, pool: Pool) -> None:
        slot, account = pool.slot, self.model.accounts[pool.account]
        names = ("account", "venue", "asset", "market", "collateral", "allowance", "pulled")
        times = ("kept", "haircut", "state", "liquidated", "below_since", "epoch", "generation")
        self.copy("pool", slot, pool, (*names, *times))
        positions = pool.by_market()
        orders = [order for order in account.orders if order.pool is pool]
        self.put(
            "pool",
            slot,
            owner=account.owner,
            ledger=pool.ledger.slot,
            balance=account.balances[pool.asset].slot,
            first_position=self.chain("position", [p.slot for p in positions])[0],
            position_count=len(positions),
            order_margin=sum(order.locked for order in orders),
            order_count=sum(not order.is_forced for order in orders),
            forced=pool.forced.slot if pool.forced else 0,
            registered=sum(p.is_registered for p in positions),
        )
        if pool.epoch == self.model.epoch:
            values = margin.get_pool_values(self.model, pool)
            named = ("pnl", "weighted", "initial", "maintenance", "notional", "losses")
            self.put(
                "pool", slot, **dict(zip(SUMS, (getattr(values, n) for n in named), strict=True))
            )
        for position in positions:
            names = ("market", "leverage", "funding_index", "lots", "quote", "claim")
            self.copy("position", position.slot, position, names)
            self.put(
                "position",
                position.slot,
                pool=slot,
                account=pool.account,
                owner=account.owner,
                state=enums.ACTIVE,
                flags=enums.POSITION_ADL * position.is_registered
                + enums.POSITION_PROFIT * position.is_profit,
                buy_lots=margin.get_open_lots(self.model, position, enums.BUY),
                sell_lots=margin.get_open_lots(self.model, position, enums.SELL),
                uses=len(margin.get_orders(self.model, position)),
            )


def write(model: Model, tables: Mapping[str, np.ndarray]) -> set[tuple[str, int]]:
    """Fill `tables`, which must be zero, with the model's state; return (table, slot) of what was written."""
    assert is_possible(model), "a job has begun"
    writer = Writer(model, tables)
    writer.write()
    return writer.written
