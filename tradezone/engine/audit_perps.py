"""The invariants of perpetuals, as rules of the audit: ``docs/spec/perps.md`` and its chapters, last section of each.

``check_perps`` takes a running audit (``tradezone.engine.audit``) and adds what it finds. Sums are taken of Python
integers where a whole ledger may pass 63 bits; everything else is whole-column arithmetic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from tradezone.protocol import enums as E
from tradezone.protocol import limits as L
from tradezone.protocol.records import TABLE_BY_NAME

from .perps.jobs import AWAITS_QUEUE, AWAITS_SWEEP

if TYPE_CHECKING:
    from .audit import _Audit

_Column = NDArray[np.int64]
_Mask = NDArray[np.bool_]

PERP_RULES: Final = {
    # ledgers and lists
    "ledger.list": "a venue's ledgers are one list by rising asset",
    "ledger.range": "cash, deficit and fund of a ledger are not below zero, its cap at most MAX_VENUE_CAP",
    "ledger.wall": "cash + deficit of a ledger are what its pools, positions, fund, pots and jobs add up to",
    "ledger.open_value": "a ledger's open value is that of its markets at their marks, settled ones apart",
    "perp.list": "live perpetuals are one list by rising slot; agenda, venue and ledger count them",
    "perp.terms": "a perpetual's tiers, bands, caps and scales are within the bounds of listing",
    "perp.price": "a price stands inside its market, without positions in front of its first index",
    "perp.lots": "a market's lots sum to what its job has moved on one side only, to zero without a job",
    "perp.sides": "positions with lots stand once in the list of their market's side, open_lots are the longs",
    "perp.fund": "the fund's pool of a market is its isolated one; spent is at most what may be spent, and its gains",
    "feed.terms": "a feed has a quorum of its places, used ones first, and no price later than it may be",
    "level.firm": "a level's firm lots are those of its orders that are not reduce-only",
    "ledger.closed": "behind the closing batch ledgers and pools hold nothing, and no market is live",
    "ledger.fund_account": "the fund account of a ledger's venue has a balance of its asset",
    # pools and positions
    "account.pools": "an account's pools are one list by rising (venue, asset, market), at most MAX_POOLS",
    "pool.terms": "a pool is of its account's balance and the ledger of its venue; its market is a perpetual of it",
    "pool.positions": "a pool's positions are one list by rising market, at most MAX_POSITIONS",
    "pool.orders": "order_margin, order_count and the forced order of a pool are what its orders say",
    "pool.sums": "equity and margins of a pool of this epoch are the sums over its positions",
    "pool.state": "a pool is BANKRUPT iff a position of it is registered, LIQUIDATING iff it stands in the queue",
    "pool.queue": "the liquidation queue is one list of the pools that are being liquidated",
    "pool.solvent": "a pool without lots owes nothing, unless it is registered",
    "position.orders": "buy_lots, sell_lots and uses of a position are what the orders that name it say",
    "position.terms": "a position is of a perpetual that settles in its pool's ledger, and of its value at most",
    "order.pool": "an order of a perpetual names a position and its pool of its account, others name none",
    # jobs
    "job.list": "jobs are one list of the markets that say so; the others keep nothing but what is registered",
    "job.registered": "registered positions stand once in the list of their side, and are due while there are any",
}
"""Rule id -> what holds; part of ``audit.RULES``."""


def _total(values: _Column) -> int:
    """Sum of Python integers, which do not wrap."""
    return sum(values.tolist())


def check_perps(a: _Audit) -> None:
    """Check every rule of ``PERP_RULES``."""
    is_home = (a["market", "guest_of"] == 0) & a.live("market")
    is_perp = is_home & (a["market", "kind"] == E.MARKET_PERP)
    perps = np.flatnonzero(is_perp)
    _check_feeds(a)
    _check_terms(a, perps)
    _check_unused(a, is_perp)
    live = _check_list(a, is_perp)
    _check_pools(a)
    _check_positions(a, is_perp)
    _check_pool_orders(a, is_perp)
    _check_sums(a)
    _check_jobs(a, is_perp)
    _check_markets(a, perps)
    _check_ledgers(a, live, perps)
    _check_closing(a, live)
    _check_firm(a, is_perp)


# --- feeds, terms ------------------------------------------------------------------------------------


def _check_feeds(a: _Audit) -> None:
    feeds = a.slots("feed")
    count, quorum = a["feed", "providers"][feeds], a["feed", "quorum"][feeds]
    bad = (count < 1) | (count > L.MAX_PROVIDERS) | (quorum > count) | (quorum < count // 2 + 1)
    heartbeat = a["feed", "heartbeat"][feeds]
    bad |= (heartbeat < L.MIN_HEARTBEAT) | (heartbeat > L.MAX_HEARTBEAT)
    epoch = int(a.machine["epoch"])
    bad |= a["feed", "epoch"][feeds] > epoch
    for place in range(L.MAX_PROVIDERS):
        slots = 8 * feeds + place
        is_named = np.zeros(len(feeds), np.bool_)
        for limb in range(3):
            is_named |= a.tables["provider"][f"signer{limb}"][slots] != 0
        bad |= is_named != (place < count)
        time, price = a["feed", f"time{place}"][feeds], a["feed", f"price{place}"][feeds]
        bad |= (time > a.time + L.PRICE_AHEAD) | (price > L.MAX_FEED_PRICE)
        bad |= (place >= count) & ((time != 0) | (price != 0))
    a.check("feed.terms", "feed", bad, "{} providers, quorum {}", count, quorum)


def _check_terms(a: _Audit, perps: _Column) -> None:
    def get(name: str) -> _Column:
        return np.asarray(a["market", name][perps])

    def tier(name: str) -> _Column:
        return np.asarray(a["tier", name][perps])

    lot = get("max_price") * get("tick_value")
    count = tier("tiers")
    bad = (lot > L.MAX_LOT_VALUE) | (lot < 1) | (get("lot_size") != 1)
    bad |= (get("base") != 0) | (get("group") != 0)
    bad |= get("max_lots") > L.MAX_POSITION_VALUE // np.maximum(lot, 1)
    bad |= (get("open_interest_cap") < 1) | (get("open_interest_cap") > L.MAX_OPEN_VALUE)
    bad |= get("account_cap") > L.MAX_OPEN_VALUE
    bad |= (get("band_basis") < L.MIN_BAND) | (get("band_listing") < L.MIN_BAND)
    bad |= (get("funding_cap") < 1) | (get("funding_cap") > L.MAX_FUNDING_CAP)
    bad |= get("interest") > L.MAX_INTEREST
    bad |= (tier("feed_scale") < 1) | (tier("feed_scale") > L.MAX_FEED_SCALE)
    bad |= tier("funding_scale") != L.FUNDING_UNIT // np.maximum(lot, 1)
    bad |= (tier("oi_lower") >= tier("oi_upper")) | (tier("oi_upper") > L.MAX_OPEN_VALUE)
    bad |= (tier("impact_notional") < L.MIN_IMPACT) | (tier("impact_notional") > L.MAX_IMPACT)
    bad |= (count < 1) | (count > L.MAX_TIERS)
    bad |= get("profit_weight") > np.where(get("flags") & E.MARKET_CROSS != 0, L.MAX_WEIGHT, 0)
    bad |= get("max_leverage") != 100 * L.PPM // np.maximum(tier("imr0"), 1)
    for k in range(L.MAX_TIERS):
        imr, mmr = tier(f"imr{k}"), tier(f"mmr{k}")
        is_used = k < count
        bad |= is_used & ((mmr < L.MIN_MMR) | (3 * mmr > 2 * imr) | (imr > L.PPM))
        bad |= ~is_used & ((imr != 0) | (mmr != 0))
        if k:
            lower = tier(f"lower{k}")
            before = tier(f"lower{k - 1}") if k > 1 else np.zeros(len(perps), np.int64)
            bad |= is_used & ((lower <= before) | (lower > L.MAX_POSITION_VALUE))
            bad |= is_used & ((imr < tier(f"imr{k - 1}")) | (mmr < tier(f"mmr{k - 1}")))
            bad |= ~is_used & (lower != 0)
    bad |= ~a.names("feed", tier("feed")) | (tier("feed") != get("feed"))
    bad |= a.at("feed", "venue", tier("feed")) != get("venue")
    ledger = get("ledger")
    bad |= a.at("ledger", "venue", ledger) != get("venue")
    bad |= a.at("ledger", "asset", ledger) != get("quote")
    a.fail(
        "perp.terms",
        "market",
        perps,
        bad,
        "has a term out of bounds, or not its own feed or ledger",
    )


def _check_unused(a: _Audit, is_perp: _Mask) -> None:
    """Check that what belongs to perpetuals alone is zero for all others."""
    slots = np.arange(len(is_perp))
    for table in ("price", "job", "fund", "tier"):
        raw = a.tables[table][: a.rows[table]].view(np.uint8).reshape(a.rows[table], -1).any(axis=1)
        a.fail("table.unused", table, slots, ~is_perp & raw, "is written, but is of no perpetual")
    for name in (
        *("flags", "feed", "max_leverage", "funding_cap", "interest", "perp_next"),
        *("band_listing", "band_basis", "profit_weight", "ledger"),
    ):
        column = a["market", name]
        bad = ~is_perp & (column != 0)
        a.fail("table.unused", "market", slots, bad, f"{name} is {{}}", column)
    for name in ("up_mark", "down_mark", "up_index", "down_index"):
        column = a["book", name]
        a.fail("table.unused", "book", slots, ~is_perp & (column != 0), f"{name} is {{}}", column)
    used = 8 * a.rows["feed"]
    raw = (
        a.tables["provider"][:8].view(np.uint8).any() or a.tables["watch"][:1].view(np.uint8).any()
    )
    if raw and used:
        a.fail_one("table.unused", "provider", 0, "is written, but there is no feed 0")


# --- the list of perpetuals, prices ------------------------------------------------------------------


def _check_list(a: _Audit, is_perp: _Mask) -> _Mask:
    """Check the list of live perpetuals; return which markets are live."""
    price, job = a["price", "settlement"], a["job", "kind"]
    is_settled = a["market", "phase"] == E.PHASE_SETTLED
    waits = a["job", "next_kind"] != 0
    live = is_perp & (~is_settled | (job == E.JOB_SETTLE) | waits)
    zero = np.zeros(len(is_perp), np.int64)
    first = np.array([int(a.agenda["perp_first"])], np.int64)
    last = np.array([int(a.agenda["perp_last"])], np.int64)
    count = np.array([int(a.agenda["perps"])], np.int64)
    a.check_list(
        "perp.list", "market", live, "perp_next", zero, first, last=last, count=count,
        key=(np.arange(len(is_perp)),),
    )  # fmt: skip
    bad = is_perp & ~live & (a["market", "perp_next"] != 0)
    slots = np.arange(len(is_perp))
    a.fail("perp.list", "market", slots, bad, "is live no more, but linked")
    for table, field in (("venue", "venue"), ("ledger", "ledger")):
        rows = a.rows[table]
        of = a["market", field][live]
        count = np.bincount(of[(of > 0) & (of < rows)], minlength=rows)
        found = a[table, "perps"]
        where = np.arange(rows)
        text = "{} perpetuals are counted, there are {}"
        a.fail("perp.list", table, where, found != count, text, found, count)
    bad = is_perp & (price != 0) & ~is_settled
    bad |= is_perp & (a["price", "mark"] > a["market", "max_price"])
    bad |= is_perp & (a["price", "index"] > a["market", "max_price"])
    is_none = a["price", "state"] == E.PRICE_NONE
    bad |= is_perp & (a["price", "state"] > E.PRICE_THROTTLED)
    bad |= is_perp & (is_none != (a["price", "mark"] == 0))
    bad |= is_perp & is_none & ((a["price", "long_first"] != 0) | (a["price", "short_first"] != 0))
    bad |= is_perp & ((a["price", "tick_time"] > a.time) | (a["price", "raised"] > a.time))
    bad |= is_perp & (np.abs(a["price", "funding_rate"]) > a["market", "funding_cap"])
    mark = a["price", "mark"]
    a.fail("perp.price", "price", slots, bad, "mark {}, state {}", mark, a["price", "state"])
    return np.asarray(live)


# --- pools and positions -----------------------------------------------------------------------------


def _check_pools(a: _Audit) -> None:
    pools = a.slots("pool")
    accounts = a.slots("account")
    a.check_list(
        "account.pools", "pool", a.live("pool"), "next", a["pool", "account"],
        a["account", "first_pool"], previous="previous", count=a["account", "pool_count"],
        key=tuple(a["pool", name] for name in ("venue", "asset", "market")),
    )  # fmt: skip
    count = a["account", "pool_count"][accounts]
    bad = (count > L.MAX_POOLS) & (a["account", "kind"][accounts] != E.ACCOUNT_FUND)
    a.check("account.pools", "account", bad, "has {} pools", count)

    def get(name: str) -> _Column:
        return np.asarray(a["pool", name][pools])

    balance, ledger, market = get("balance"), get("ledger"), get("market")
    bad = ~a.names("balance", balance) | ~a.names("ledger", ledger)
    bad |= a.at("balance", "account", balance) != get("account")
    bad |= a.at("balance", "asset", balance) != get("asset")
    bad |= a.at("ledger", "venue", ledger) != get("venue")
    bad |= a.at("ledger", "asset", ledger) != get("asset")
    is_isolated = market != 0
    bad |= is_isolated & (a.at("market", "kind", market) != E.MARKET_PERP)
    bad |= is_isolated & (a.at("market", "ledger", market) != ledger)
    bad |= is_isolated & ((get("allowance") != 0) | (get("pulled") != 0))
    bad |= (get("pulled") > get("allowance")) | (get("allowance") >= 1 << 62)
    bad |= get("epoch") > int(a.machine["epoch"])
    a.check("pool.terms", "pool", bad, "balance {}, ledger {}", balance, ledger)
    a.check_list(
        "pool.positions", "position", a.live("position"), "next", a["position", "pool"],
        a["pool", "first_position"], previous="previous", count=a["pool", "position_count"],
        key=(a["position", "market"],),
    )  # fmt: skip
    bad = get("position_count") > L.MAX_POSITIONS
    a.check("pool.positions", "pool", bad, "has {} positions", get("position_count"))
    _check_states(a, pools)


def _check_states(a: _Audit, pools: _Column) -> None:
    rows = a.rows["pool"]
    positions = a.slots("position")
    of = a["position", "pool"][positions]
    inside = (of > 0) & (of < rows)
    flagged = (a["position", "flags"][positions] & E.POSITION_ADL != 0) & inside
    registered = np.bincount(of[flagged], minlength=rows)
    state = a["pool", "state"]
    found = a["pool", "registered"][pools]
    bad = found != registered[pools]
    bad |= (state[pools] == E.POOL_BANKRUPT) != (registered[pools] != 0)
    bad |= ~np.isin(state[pools], (E.ACTIVE, E.POOL_LIQUIDATING, E.POOL_BANKRUPT))
    text = "state {}, registered {}, positions say {}"
    a.check("pool.state", "pool", bad, text, state[pools], found, registered[pools])
    queued = (state == E.POOL_LIQUIDATING) & a.live("pool")
    g = a.agenda
    one = np.zeros(rows, np.int64)
    a.check_list(
        "pool.queue", "pool", queued, "queue_next", one,
        np.array([int(g["liquidation_first"])], np.int64), previous="queue_previous",
        last=np.array([int(g["liquidation_last"])], np.int64),
        count=np.array([int(g["liquidations"])], np.int64),
    )  # fmt: skip
    bad = ~queued & a.live("pool")
    bad &= (a["pool", "queue_next"] != 0) | (a["pool", "queue_previous"] != 0)
    a.fail("pool.queue", "pool", np.arange(rows), bad, "is linked, but not queued")
    has_lots = np.zeros(rows, np.bool_)
    lots = a["position", "lots"][positions]
    has_lots[of[inside & (lots != 0)]] = True
    bad = ~has_lots[pools] & (registered[pools] == 0) & (a["pool", "collateral"][pools] < 0)
    a.check("pool.solvent", "pool", bad, "owes {}", a["pool", "collateral"][pools])


def _check_positions(a: _Audit, is_perp: _Mask) -> None:
    positions = a.slots("position")
    market, pool = a["position", "market"][positions], a["position", "pool"][positions]
    lots = a["position", "lots"][positions]
    inside = (market > 0) & (market < len(is_perp))
    at = np.where(inside, market, 0)
    bad = ~inside | ~is_perp[at]
    bad |= a["position", "account"][positions] != a.at("pool", "account", pool)
    bad |= a.at("market", "ledger", market) != a.at("pool", "ledger", pool)
    own = a.at("pool", "market", pool)
    bad |= (own != 0) & (own != market)
    value = a.at("market", "max_price", market) * a.at("market", "tick_value", market)
    bad |= np.abs(lots) > L.MAX_POSITION_VALUE // np.maximum(value, 1)
    leverage = a["position", "leverage"][positions]
    bad |= (leverage != 0) & (leverage < 100)
    a.check("position.terms", "position", bad, "of market {}, {} lots", market, lots)
    side = np.where(a["position", "lots"] > 0, 0, 1)
    place = a["position", "market"] * 2 + side
    members = a.live("position") & (a["position", "lots"] != 0)
    first = np.stack([a["price", "long_first"], a["price", "short_first"]], axis=1).reshape(-1)
    last = np.stack([a["price", "long_last"], a["price", "short_last"]], axis=1).reshape(-1)
    a.check_list(
        "perp.sides", "position", members, "side_next", place, first, previous="side_previous",
        last=last,
    )  # fmt: skip
    _check_registered(a)


def _check_registered(a: _Audit) -> None:
    """Check the registered positions of the markets whose job is not at work with them."""
    rows = a.rows["market"]
    idle = a["job", "kind"] == 0
    market = a["position", "market"]
    at = np.where((market > 0) & (market < rows), market, 0)
    is_flagged = a.live("position") & (a["position", "flags"] & E.POSITION_ADL != 0)
    members = is_flagged & idle[at]
    place = market * 2 + np.where(a["position", "lots"] > 0, 0, 1)
    heads = [np.where(idle, a["job", name], 0) for name in ("long_first", "short_first")]
    first = np.stack(heads, axis=1).reshape(-1)
    a.check_list("job.registered", "position", members, "job_next", place, first)
    count = np.bincount(at[members], minlength=rows)
    bad = idle & ((count != 0) != (a["job", "ripe"] != 0))
    slots = np.arange(rows)
    # no later than one pass from here: of all pools, then of all that stand in the queue
    is_swept = a["job", "stage"] == AWAITS_QUEUE
    reach = max(int(a.tables["head"]["high_water"][TABLE_BY_NAME["pool"].number]) - 1, 0)
    until_swept = int(a.agenda["swept"]) + reach
    until_visited = int(a.agenda["visited"]) + int(a.agenda["liquidations"])
    bad |= idle & (a["job", "ripe"] > np.where(is_swept, until_visited, until_swept))
    bad |= idle & (a["job", "stage"] > np.where(count != 0, AWAITS_QUEUE, AWAITS_SWEEP))
    text = "is due at {}, {} are registered"
    a.fail("job.registered", "job", slots, bad, text, a["job", "ripe"], count)
    bad = a.live("position") & ~is_flagged & (a["position", "job_next"] != 0)
    a.fail("job.registered", "position", np.arange(len(bad)), bad, "is linked, but not registered")


def _check_pool_orders(a: _Audit, is_perp: _Mask) -> None:
    orders = a.slots("order")

    def get(name: str) -> _Column:
        return np.asarray(a["order", name][orders])

    market, pool, position = get("market"), get("pool"), get("holding")
    inside = (market > 0) & (market < len(is_perp))
    of_perp = inside & is_perp[np.where(inside, market, 0)]
    is_forced = get("flags") & E.ORDER_FORCED != 0
    bad = of_perp & (~a.names("position", position) | ~a.names("pool", pool))
    bad |= of_perp & (a.at("position", "market", position) != market)
    bad |= of_perp & (a.at("position", "pool", position) != pool)
    bad |= of_perp & (a.at("pool", "account", pool) != get("account"))
    bad |= of_perp & ((get("pay_balance") != 0) | (get("receive_balance") != 0))
    bad |= of_perp & is_forced & (a.at("pool", "forced", pool) != orders)
    bad |= ~of_perp & ((pool != 0) | (get("reserve") != 0) | is_forced)
    a.check("order.pool", "order", bad, "pool {}, position {}", pool, position)
    rows = a.rows["pool"]
    good = of_perp & (pool > 0) & (pool < rows)
    locked = [0] * rows
    for slot, amount in zip(pool[good].tolist(), get("locked")[good].tolist(), strict=True):
        locked[slot] += amount
    count = np.bincount(pool[good & ~is_forced], minlength=rows)
    pools = a.slots("pool")
    found, counted = a["pool", "order_margin"][pools], a["pool", "order_count"][pools]
    wanted = np.array([min(locked[slot], (1 << 63) - 1) for slot in pools.tolist()], np.int64)
    bad = (found != wanted) | (counted != count[pools])
    forced = a["pool", "forced"][pools]
    is_own = a.names("order", forced) & (a.at("order", "pool", forced) == pools)
    is_own &= a.at("order", "flags", forced) & E.ORDER_FORCED != 0
    bad |= (forced != 0) & ~is_own
    text = "order_margin {} of {}, order_count {} of {}"
    a.check("pool.orders", "pool", bad, text, found, wanted, counted, count[pools])
    rows = a.rows["position"]
    good = of_perp & (position > 0) & (position < rows)
    opens = good & (get("flags") & (E.ORDER_REDUCE_ONLY | E.ORDER_FORCED) == 0)
    sums = np.zeros((2, rows), np.int64)
    for side in (E.BUY, E.SELL):
        mask = opens & (get("side") == side)
        np.add.at(sums[side], position[mask], get("lots")[mask])
    uses = np.bincount(position[good], minlength=rows)
    slots = a.slots("position")
    bad = (a["position", "buy_lots"][slots] != sums[E.BUY][slots]) | (
        a["position", "sell_lots"][slots] != sums[E.SELL][slots]
    )
    bad |= a["position", "uses"][slots] != uses[slots]
    text = "buys {} and sells {} are open, {} orders name it"
    shown = (sums[E.BUY][slots], sums[E.SELL][slots], uses[slots])
    a.check("position.orders", "position", bad, text, *shown)


# --- values ------------------------------------------------------------------------------------------


def _get_values(a: _Audit, slot: int) -> tuple[int, int, int, int, int, int]:
    """Values of a position as docs/spec/margin.md has them, in Python integers."""

    def get(table: str, at: int, name: str) -> int:
        return int(a[table, name][at])

    market = get("position", slot, "market")
    lots, quote = get("position", slot, "lots"), get("position", slot, "quote")
    tick, mark = get("market", market, "tick_value"), get("price", market, "mark")
    buys, sells = get("position", slot, "buy_lots"), get("position", slot, "sell_lots")
    worst = max(abs(lots + buys), abs(lots - sells), abs(lots)) * mark * tick
    tiers = [
        (
            get("tier", market, f"lower{k}") if k else 0,
            get("tier", market, f"imr{k}"),
            get("tier", market, f"mmr{k}"),
        )
        for k in range(get("tier", market, "tiers"))
    ]

    def slices(notional: int, which: int) -> int:
        ends = [tier[0] for tier in tiers[1:]] + [notional]
        parts = (
            max(0, min(notional, end) - tier[0]) * tier[which]
            for tier, end in zip(tiers, ends, strict=True)
        )
        return -(-sum(parts) // L.PPM)

    leverage = get("position", slot, "leverage") or get("market", market, "max_leverage")
    initial = max(
        -(-worst * 100 // max(leverage, 1)),
        slices(worst, 1),
        -(-worst * get("price", market, "oi_rate") // L.PPM),
    )
    pnl = quote + lots * mark * tick
    weighted = pnl
    if pnl > initial:
        weighted = initial + (pnl - initial) * get("market", market, "profit_weight") // L.PPM
    if get("price", market, "state") != E.PRICE_LIVE:
        reach = -(-mark * get("market", market, "band") // L.PPM)
        mark -= reach * ((lots > 0) - (lots < 0))
    losses = min(0, quote + lots * mark * tick)
    maintenance = slices(abs(lots) * get("price", market, "mark") * tick, 2)
    return pnl, weighted, initial, maintenance, worst, losses


def _check_sums(a: _Audit) -> None:
    """Equity and margins of the pools that were touched in this epoch."""
    epoch, rows = int(a.machine["epoch"]), a.rows["pool"]
    pools = a.slots("pool")
    touched = pools[a["pool", "epoch"][pools] == epoch]
    sums: dict[int, list[int]] = {
        slot: [int(a["pool", "collateral"][slot])] * 2 + [0] * 4 for slot in touched.tolist()
    }
    markets = a.rows["market"]
    for slot in a.slots("position").tolist():
        pool, market = int(a["position", "pool"][slot]), int(a["position", "market"][slot])
        if 0 < pool < rows and 0 < market < markets and pool in sums:
            sums[pool] = [x + y for x, y in zip(sums[pool], _get_values(a, slot), strict=True)]
    names = ("equity", "weighted", "initial", "maintenance", "notional", "losses")
    for pool, wanted in sums.items():
        found = [int(a["pool", name][pool]) for name in names]
        if found != wanted:
            text = f"{dict(zip(names, found, strict=True))}, expected {wanted}"
            a.fail_one("pool.sums", "pool", pool, text)


# --- jobs, markets, ledgers --------------------------------------------------------------------------


def _check_jobs(a: _Audit, is_perp: _Mask) -> None:
    kind = a["job", "kind"]
    members = is_perp & (kind != 0)
    first = np.array([int(a.agenda["job_first"])], np.int64)
    last = np.array([int(a.agenda["job_last"])], np.int64)
    zero = np.zeros(len(is_perp), np.int64)
    a.check_list("job.list", "job", members, "next", zero, first, last=last)
    bad = ~np.isin(kind, (0, E.JOB_ADL, E.JOB_SETTLE))
    kept = {"kind", "stage", "next", "long_first", "short_first", "ripe"}
    for field in TABLE_BY_NAME["job"].fields:
        if field.name not in kept:
            bad |= (kind == 0) & (a["job", field.name] != 0)
    bad |= (kind == 0) & (a["job", "next"] != 0)
    after = a["job", "next_kind"]
    bad |= (after != 0) & ((after != E.JOB_SETTLE) | (kind != E.JOB_ADL))
    settles = (kind == E.JOB_SETTLE) | (after != 0)
    bad |= settles != (is_perp & (a["price", "settlement"] != 0) & (kind != 0))
    slots = np.arange(len(is_perp))
    a.fail("job.list", "job", slots, bad, "kind {}, behind it {}", kind, after)


def _check_markets(a: _Audit, perps: _Column) -> None:
    rows = a.rows["market"]
    positions = a.slots("position")
    market, lots = a["position", "market"][positions], a["position", "lots"][positions]
    inside = (market > 0) & (market < rows)
    sums, longs = [0] * rows, [0] * rows
    for slot, held in zip(market[inside].tolist(), lots[inside].tolist(), strict=True):
        sums[slot] += held
        longs[slot] += max(0, held)
    for slot in perps.tolist():
        moved = int(a["job", "lots_moved"][slot])
        if sums[slot] != moved:
            text = f"lots sum to {sums[slot]}, its job has moved {moved}"
            a.fail_one("perp.lots", "market", slot, text)
        found = int(a["book", "open_lots"][slot])
        if found != longs[slot]:
            a.fail_one("perp.sides", "book", slot, f"open_lots is {found}, longs are {longs[slot]}")
    pool = a["fund", "pool"][perps]
    bad = (pool != 0) & (
        ~a.names("pool", pool)
        | (a.at("pool", "market", pool) != perps)
        | (a.at("account", "kind", a.at("pool", "account", pool)) != E.ACCOUNT_FUND)
    )
    bad |= a["fund", "day"][perps] > a.time
    bad |= a["fund", "loss_cap"][perps] > L.MAX_OPEN_VALUE
    a.fail("perp.fund", "fund", perps, bad, "pool {}", pool)
    funds = a.slots("pool")
    owner = a.at("account", "kind", a["pool", "account"][funds])
    at = a["pool", "market"][funds]
    bad = (owner == E.ACCOUNT_FUND) & (at != 0) & (a.at("fund", "pool", at) != funds)
    a.check("perp.fund", "pool", bad, "is the fund's, but market {} does not name it", at)


def _check_ledgers(a: _Audit, live: _Mask, perps: _Column) -> None:
    ledgers = a.slots("ledger")
    a.check_list(
        "ledger.list", "ledger", a.live("ledger"), "next", a["ledger", "venue"],
        a["venue", "first_ledger"], key=(a["ledger", "asset"],),
    )  # fmt: skip
    names = ("cash", "deficit", "fund")
    bad = np.zeros(len(ledgers), np.bool_)
    for name in names:
        bad |= a["ledger", name][ledgers] < 0
    bad |= a["ledger", "cap"][ledgers] > L.MAX_VENUE_CAP
    shown = [a["ledger", name][ledgers] for name in names]
    a.check("ledger.range", "ledger", bad, "cash {}, deficit {}, fund {}", *shown)
    owed: dict[int, int] = {}
    value: dict[int, int] = {}

    def add(sums: dict[int, int], slot: int, amount: int) -> None:
        sums[slot] = sums.get(slot, 0) + amount

    pool_ledger = a["pool", "ledger"]
    pools = a.slots("pool")
    for slot, amount in _pairs(pool_ledger[pools], a["pool", "collateral"][pools]):
        add(owed, slot, amount)
    positions = a.slots("position")
    of = a.at("pool", "ledger", a["position", "pool"][positions])
    for slot, amount in _pairs(of, a["position", "quote"][positions]):
        add(owed, slot, amount)
    for market in perps.tolist():
        ledger = int(a["market", "ledger"][market])
        worth = int(a["price", "mark"][market]) * int(a["market", "tick_value"][market])
        moved = int(a["job", "lots_moved"][market]) * worth
        money = int(a["job", "money"][market])
        add(owed, ledger, int(a["price", "pot"][market]) + money + moved)
        if live[market] and int(a["price", "settlement"][market]) == 0:
            add(value, ledger, int(a["book", "open_lots"][market]) * worth)
    for slot in ledgers.tolist():
        has = int(a["ledger", "cash"][slot]) + int(a["ledger", "deficit"][slot])
        owes = owed.get(slot, 0) + int(a["ledger", "fund"][slot])
        if has != owes:
            a.fail_one("ledger.wall", "ledger", slot, f"cash + deficit are {has}, owed {owes}")
        found = int(a["ledger", "open_value"][slot])
        if found != value.get(slot, 0):
            text = f"open_value is {found}, its markets are worth {value.get(slot, 0)}"
            a.fail_one("ledger.open_value", "ledger", slot, text)


def _check_closing(a: _Audit, live: _Mask) -> None:
    """Check that what a ledger's fund will be paid to is there, and what the closing batch leaves."""
    ledgers = a.slots("ledger")
    balances = a.slots("balance")
    held = a["balance", "account"][balances] << 32 | a["balance", "asset"][balances]
    account = a.at("venue", "fund_account", a["ledger", "venue"][ledgers])
    bad = ~np.isin(account << 32 | a["ledger", "asset"][ledgers], held)
    a.check("ledger.fund_account", "ledger", bad, "account {}", account)
    stage = int(a.agenda["closing"])
    if stage not in (0, E.CLOSED):
        a.fail_one("ledger.closed", "agenda", 0, f"closing is {stage} between two runs")
    if stage != E.CLOSED:
        return
    for name in ("cash", "deficit", "fund"):
        column = a["ledger", name][ledgers]
        a.check("ledger.closed", "ledger", column != 0, f"{name} is {{}}", column)
    pools, positions = a.slots("pool"), a.slots("position")
    for name in ("collateral", "kept"):
        column = a["pool", name][pools]
        a.check("ledger.closed", "pool", column != 0, f"{name} is {{}}", column)
    state = a["pool", "state"][pools]
    a.check("ledger.closed", "pool", state != E.ACTIVE, "state is {}", state)
    for name in ("lots", "quote"):
        column = a["position", name][positions]
        a.check("ledger.closed", "position", column != 0, f"{name} is {{}}", column)
    a.fail("ledger.closed", "market", np.arange(len(live)), live, "is live")


def _pairs(slots: _Column, amounts: _Column) -> Any:
    return zip(slots.tolist(), amounts.tolist(), strict=True)


def _check_firm(a: _Audit, is_perp: _Mask) -> None:
    levels = a.slots("level")
    rows = a.rows["level"]
    orders = a.slots("order")
    level = a["order", "level"][orders]
    is_firm = a["order", "flags"][orders] & E.ORDER_REDUCE_ONLY == 0
    is_firm &= (level > 0) & (level < rows)
    firm = np.zeros(rows, np.int64)
    np.add.at(firm, level[is_firm], a["order", "lots"][orders][is_firm])
    market = a["level", "market"][levels]
    inside = (market > 0) & (market < len(is_perp))
    of_perp = inside & is_perp[np.where(inside, market, 0)]
    wanted = np.where(of_perp & (a["level", "side"][levels] <= E.SELL), firm[levels], 0)
    found = a["level", "firm"][levels]
    a.check("level.firm", "level", found != wanted, "firm is {}, expected {}", found, wanted)
