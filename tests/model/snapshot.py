"""The whole state of the model as plain dicts and lists. `tests.model.compare` builds the same from records."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.model import outcome, perp_snapshot
from tests.model.records import TRIGGER_LISTS, Approval, Book, Order, Plan
from tradezone.protocol import enums

if TYPE_CHECKING:
    from tests.model.state import State

ORDER_FIELDS = (
    *("account", "owner", "market", "price", "state", "side", "tif", "stp", "lots", "filled"),
    *("locked", "seq", "expires", "flags", "key", "client_id", "door", "interface"),
    *("interface_fee", "cover"),
)
PLAN_FIELDS = (
    *("account", "market", "price", "state", "kind", "side", "source", "trigger", "lots"),
    *("expires", "seq", "grouping", "tif", "stp", "flags", "door", "interface"),
    *("interface_fee", "slippage", "key"),
)
BOOK_FIELDS = (
    *("last_release", "last_price", "last_time", "volume_lots", "trades", "trigger_low"),
    *("trigger_high", "open_lots", "band_time", "band_price", "band_last"),
)
MACHINE_FIELDS = ("block", "time", "seq", "inbox", "l1_time", "order_seq", "trade_seq", "met")
AGENDA_FIELDS = (
    *("restart_time", "timer_seq", "holding_cursor", "sweep_left", "removed", "closing"),
)
APPROVAL_FIELDS = (
    *("slot", "kind", "account", "subject", "value", "expires", "issued", "flags", "region"),
)
OWNER_FIELDS = ("referrer", "kind", "flags", "quota", "trickle_time", "quota_day")
KEY_FIELDS = (
    *("generation", "scope", "owner", "account", "venue", "expires", "approved"),
    *("max_notional", "name"),
)
VENUE_FIELDS = (
    *("owner", "fee_account", "fund_account", "state", "access", "market_count"),
    *("market_orders", "stake", "min_class", "regions"),
)
ASSET_FIELDS = (
    *("kind", "decimals", "state", "venue", "total", "dust", "quantum", "cap"),
    *("faucet_amount", "faucet_interval", "quota_rate", "quota_deposit"),
)
HOLDING_FIELDS = ("account", "market", "yes", "no", "yes_locked", "no_locked")
EVENT_FIELDS = ("venue", "state", "outcomes", "unit", "resolved", "cash", "sets", "asset")
# of a kept update: names of the message and of the record; the first ones also of a guest
PENDING_FIELDS = {
    "effectiveAt": "effective",
    "phase": "phase",
    "access": "access",
    "calendar": "calendar",
    "guestFee": "guest_fee",
    "closes": "closes",
}
PENDING_HOME_FIELDS = {
    "takerDelay": "taker_delay",
    "takerFee": "taker_fee",
    "makerFee": "maker_fee",
    "protocolShare": "protocol_share",
    "insuranceShare": "insurance_share",
    "referrerShare": "referrer_share",
    "band": "band",
    "minNotional": "min_notional",
    "maxNotional": "max_notional",
    "maxLots": "max_lots",
    "openInterestCap": "open_interest_cap",
    "accountCap": "account_cap",
}
TASK_FIELDS = ("slot", "kind", "side", "reason", "subject", "market", "seq")


def pick(thing: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in names}


def get_level(zone: State, level: Any, price: int) -> dict[str, Any]:
    is_plan = isinstance(level.orders[0], Plan)
    return {
        "slot": level.slot,
        "generation": level.generation,
        "price": price,
        "lots": 0 if is_plan else sum(order.lots for order in level.orders),
        "count": len(level.orders),
        "orders": [order.id for order in level.orders],
    }


def get_book(zone: State, market: int, book: Book) -> dict[str, Any]:
    def side(levels: dict[int, Any], prices: list[int]) -> list[dict[str, Any]]:
        return [get_level(zone, levels[price], price) for price in prices]

    head = book.queue[0] if book.queue else None
    return {
        "bids": side(book.levels[enums.BUY], book.prices(enums.BUY)),
        "asks": side(book.levels[enums.SELL], book.prices(enums.SELL)),
        "up_last": side(book.triggers[TRIGGER_LISTS[0]], book.trigger_prices(TRIGGER_LISTS[0])),
        "down_last": side(book.triggers[TRIGGER_LISTS[1]], book.trigger_prices(TRIGGER_LISTS[1])),
        "waiting": [order.id for order in book.queue],
        "head": (head.release, head.seq, head.release_block) if head else None,
        "queue": zone.queue.nodes.index(market) + 1 if head else 0,
        "is_triggering": int(market in zone.triggering),
        **pick(book, BOOK_FIELDS),
        **({"open_lots": zone.perps[market].open_lots} if market in zone.perps else {}),
    }


def get_order(zone: State, order: Order) -> dict[str, Any]:
    balances = zone.accounts[order.account].balances
    values = pick(order, ORDER_FIELDS)
    for name, asset in (("pay", order.pay_asset), ("receive", order.receive_asset)):
        values[f"{name}_balance"] = balances[asset].slot if asset else 0
    held = order.holding or order.position
    values["holding"] = held.slot if held else 0
    values["children"] = [plan.id for plan in order.children]
    values["timer"] = zone.timers.place(order.timer)
    # The release fields mean something only while the order waits.
    is_waiting = order.state == enums.WAITING
    values["release"] = (order.release, order.release_block) if is_waiting else None
    return values


def get_plan(zone: State, plan: Plan) -> dict[str, Any]:
    values = pick(plan, PLAN_FIELDS)
    at = next(i for i, other in enumerate(plan.ring) if other is plan)
    values["ring"] = [p.id for p in plan.ring[at:] + plan.ring[:at]]
    values["parent"] = plan.parent.slot if plan.parent else 0
    values["timer"] = zone.timers.place(plan.timer)
    return values


def get_approval(zone: State, approval: Approval) -> dict[str, int]:
    return pick(approval, APPROVAL_FIELDS)


def build_snapshot(zone: State) -> dict[str, Any]:
    generation = {name: slots.generation for name, slots in zone.slots.items()}
    uses: Counter[int] = Counter()
    for order in zone.orders.values():
        for asset in (order.pay_asset, order.receive_asset):
            if asset == 0:
                continue  # a perpetual's money is in its pool
            uses[zone.accounts[order.account].balances[asset].slot] += 1
    for pool in zone.pools.values():
        uses[zone.accounts[pool.account].balances[pool.asset].slot] += 1
    balances = [b for account in zone.accounts.values() for b in account.balances.values()]

    def get_pending(market: int, pending: Any) -> dict[str, int]:
        names = dict(PENDING_FIELDS)
        if not zone.markets[market].guest_of:
            names |= PENDING_HOME_FIELDS
        most = (1 << 63) - 1
        values = {name: min(pending.values[told], most) for told, name in names.items()}
        return values | {"timer": zone.timers.place(pending.timer)}

    return {
        "machine": pick(zone, MACHINE_FIELDS),
        "perpetuals": perp_snapshot.build(zone),
        "agenda": pick(zone, AGENDA_FIELDS),
        "heads": {
            name: {
                "high_water": slots.high_water,
                "in_use": slots.in_use,
                "free": [(slot, slots.generation(slot)) for slot in reversed(slots.free)],
            }
            for name, slots in zone.slots.items()
        },
        "timers": [(t.time, t.seq, t.kind, t.subject) for t in zone.timers.nodes],
        "queue": [(*zone.queue.key(market), market) for market in zone.queue.nodes],
        "triggering": list(zone.triggering),
        "tasks": [
            {
                **pick(task, TASK_FIELDS),
                "cursor": 0,  # between blocks, as docs/spec/phases.md has it
            }
            for task in zone.tasks
        ],
        "assets": {
            slot: {"token": asset.token.hex(), **pick(asset, ASSET_FIELDS)}
            for slot, asset in zone.assets.items()
        },
        "owners": {
            slot: {
                **pick(owner, OWNER_FIELDS),
                "address": owner.address.hex(),
                "redirect": owner.redirect.hex(),
                "account_count": len(owner.accounts),
                "key_count": len(owner.keys),
                "accounts": list(owner.accounts),
                "keys": list(owner.keys),
            }
            for slot, owner in zone.owners.items()
        },
        "accounts": {
            slot: {
                "generation": generation["account"](slot),
                **pick(account, ("state", "kind", "index", "owner")),
                "balance_count": len(account.balances),
                "order_count": len(account.orders),
                "plan_count": len(account.plans),
                "holding_count": len(account.holdings),
                "approval_count": len(account.approvals),
                "balances": [(asset, b.slot) for asset, b in sorted(account.balances.items())],
                "orders": [order.id for order in account.orders],
                "plans": [plan.id for plan in account.plans],
                "holdings": [(market, h.slot) for market, h in sorted(account.holdings.items())],
                "approvals": [get_approval(zone, a) for _, a in sorted(account.approvals.items())],
                "timer": zone.timers.place(account.timer),
                "task": account.task.slot if account.task else 0,
            }
            for slot, account in zone.accounts.items()
        },
        "keys": {
            slot: {**pick(key, KEY_FIELDS), "address": key.address.hex()}
            for slot, key in zone.keys.items()
        },
        "nonces": {slot: list(key.cells) for slot, key in zone.keys.items()},
        "balances": {
            b.slot: {
                "generation": generation["balance"](b.slot),
                "owner": zone.accounts[b.account].owner,
                **pick(b, ("account", "asset", "free", "locked", "faucet_time")),
                "uses": uses[b.slot],
            }
            for b in balances
        },
        "holdings": {
            slot: {
                "generation": generation["holding"](slot),
                "owner": zone.accounts[holding.account].owner,
                "outcome": zone.markets[holding.market].outcome,
                "group": zone.markets[holding.market].group,
                "uses": outcome.get_uses(zone, holding),
                **pick(holding, HOLDING_FIELDS),
            }
            for slot, holding in zone.holdings.items()
        },
        "venues": {
            slot: {
                "credential_provider": venue.credential_provider.hex(),
                **pick(venue, VENUE_FIELDS),
            }
            for slot, venue in zone.venues.items()
        },
        "events": {
            slot: {
                **pick(event, EVENT_FIELDS),
                "payouts": event.payouts.hex(),
                "void_payouts": event.void_payouts.hex(),
                "markets": list(event.markets),
            }
            for slot, event in zone.groups.items()
        },
        "calendars": {
            slot: {"venue": c.venue, "days": list(c.days), "closures": list(c.closures)}
            for slot, c in zone.calendars.items()
        },
        "markets": {
            slot: {name: value for name, value in vars(market).items() if name != "slot"}
            for slot, market in zone.markets.items()
        },
        "pending": {
            market: get_pending(market, p) for market, p in zone.pending.items() if p.values
        },
        "orders": {order.id: get_order(zone, order) for order in zone.orders.values()},
        "plans": {plan.id: get_plan(zone, plan) for plan in zone.plans.values()},
        "books": {market: get_book(zone, market, book) for market, book in zone.books.items()},
        "buckets": {
            bucket: [order.id for order in chain] for bucket, chain in zone.buckets.items() if chain
        },
        "access": {
            bucket: [get_approval(zone, record) for record in chain]
            for bucket, chain in zone.access.items()
            if chain
        },
        "outbox": {
            slot: {
                "recipient": record.recipient.hex(),
                **pick(record, ("kind", "owner", "asset", "amount", "time", "inbox")),
                "status": record.status,
                "venue": record.venue,
                "market": record.market,
            }
            for slot, record in zone.outbox.items()
        },
    }
