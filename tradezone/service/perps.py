"""What the API says of perpetuals and of margin: read from the engine's tables, then worked out away from the writing thread.

`copy_margin` and the ``fetch_*`` functions are for `Pipeline.query` and only copy; `build_pools` and `build_preview` make what is
answered from the copy, on any thread, with the formulas of `tradezone.views.margin`.

Equity and margins are those of a touch at the marks of the answer's block: funding that is due is taken off (``funding_due``), so
they may be newer than the values that a pool's record has cached. Ranks for deleveraging use the equity of each pool's last touch, as
``docs/spec/adl.md`` has it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from tradezone.protocol.enums import (
    ACTIVE,
    APPROVAL_LEVERAGE,
    FREE,
    JOB_ADL,
    JOB_SETTLE,
    MARKET_CROSS,
    MARKET_PERP,
    MODE_CROSS,
    MODE_ISOLATED,
    POOL_BANKRUPT,
    POOL_LIQUIDATING,
    POSITION_ADL,
    PRICE_BREAK,
    PRICE_FROZEN,
    PRICE_LIVE,
    PRICE_NONE,
    PRICE_REOPEN,
    PRICE_THROTTLED,
)
from tradezone.protocol.limits import HOUR
from tradezone.views.margin import (
    Preview,
    Rank,
    Risk,
    Side,
    Stance,
    Terms,
    Tier,
    ceil_div,
    get_liquidation_price,
    get_pool_values,
    get_rank,
    get_releasable,
    get_values,
    preview_order,
)

from .state import Stamp, fetch_stamp, get_used

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradezone.engine import Engine

PRICE_STATES: Final = {
    PRICE_NONE: "none",
    PRICE_LIVE: "live",
    PRICE_FROZEN: "frozen",
    PRICE_BREAK: "break",
    PRICE_REOPEN: "reopen",
    PRICE_THROTTLED: "throttled",
}
JOBS: Final = {0: None, JOB_ADL: "deleveraging", JOB_SETTLE: "settlement"}
POOL_STATES: Final = {
    ACTIVE: "active",
    POOL_LIQUIDATING: "liquidating",
    POOL_BANKRUPT: "bankrupt",
}
MODES: Final = {MODE_CROSS: "cross", MODE_ISOLATED: "isolated"}
_DIGITS: Final = Decimal("0.000001")  # of an average price, ticks


class TierInfo(msgspec.Struct, frozen=True):
    """A slice of notional from ``lower`` atoms on; rates are ppm."""

    lower: str
    initial: int
    maintenance: int


class PerpInfo(msgspec.Struct, frozen=True):
    """A perpetual: its price, its funding, what is open, and its risk parameters.

    Prices are ticks, funding rates ppb an hour (positive: longs pay), caps and interest atoms, bands and rates ppm.
    """

    market: int
    venue: int
    asset: int
    feed: int
    feed_scale: str  # 1e-8 quote units of a tick
    state: str  # of the price: none live frozen break reopen throttled
    mark: int
    index: int
    funding_rate: int
    funding_index: str
    next_funding: str  # ms
    funding_cap: int
    interest: int
    open_lots: str
    open_interest: str
    open_interest_cap: str
    oi_rate: int
    account_cap: str
    max_leverage: int  # hundredths
    tiers: list[TierInfo]
    is_cross: bool
    profit_weight: int
    band: int
    band_basis: int
    band_listing: int
    impact_notional: str
    settlement: int | None  # price
    job: str | None  # deleveraging, settlement


class FundInfo(msgspec.Struct, frozen=True):
    """Money of a venue's pools in an asset, atoms: what is inside its wall and what it owes beyond that."""

    venue: int
    asset: int
    cash: str
    deficit: str
    fund: str
    cap: str
    open_interest: str
    perpetuals: int


class PositionInfo(msgspec.Struct, frozen=True):
    """A position. Prices are ticks, sizes lots (negative = short), money atoms.

    ``rank_ahead`` lots of its group (in profit, or not) are deleveraged before it, of ``rank_lots``.
    """

    market: int
    lots: str
    entry_price: str | None
    mark: int
    liquidation_price: int | None
    unrealised: str
    funding_due: str  # positive: it pays
    leverage: int  # hundredths, 0 = the highest
    initial: str
    maintenance: str
    buy_lots: str  # of open orders
    sell_lots: str
    is_deleveraging: bool
    rank_group: str | None  # profit, other
    rank_ahead: str | None
    rank_lots: str | None


class PoolInfo(msgspec.Struct, frozen=True):
    """A margin pool and its positions, atoms. ``market`` is 0 for the cross pool."""

    venue: int
    asset: int
    market: int
    state: str
    collateral: str
    equity: str
    equity_at_entry: str  # profit counts at its weight
    initial: str
    maintenance: str
    order_margin: str
    releasable: str
    allowance: str
    pulled: str
    kept: str
    haircut: str
    positions: list[PositionInfo]


class MarginPreviewInfo(msgspec.Struct, frozen=True):
    """What an order of a perpetual would ask for, and what a fill of all of it at its own price would leave; atoms.

    ``lots`` and ``liquidation_price`` are the position's behind that fill, ``equity`` and margins its pool's.
    """

    block: str
    notional: str
    taker_fee: str
    maker_fee: str
    locked: str
    pull: str
    is_affordable: bool
    lots: str
    equity: str
    initial: str
    maintenance: str
    liquidation_price: int | None


# --- what everybody may know -------------------------------------------------------------------------


def is_perpetual(engine: Engine, market: int) -> bool:
    """Whether a slot holds a perpetual that is no door."""
    if not 1 <= market < get_used(engine, "market"):
        return False
    record = engine.tables["market"][market]
    return int(record["kind"]) == MARKET_PERP and not int(record["guest_of"])


def get_home(engine: Engine, market: int) -> int:
    """Slot of the perpetual that a market is, or opens a door to; 0 if it does not."""
    if not 1 <= market < get_used(engine, "market"):
        return 0
    home = int(engine.tables["market"][market]["guest_of"]) or market
    return home if is_perpetual(engine, home) else 0


def fetch_perpetual(engine: Engine, market: int) -> PerpInfo | None:
    """Return a perpetual, None if the slot holds none."""
    if not is_perpetual(engine, market):
        return None
    tables = engine.tables
    record, price, tier = (tables[name][market] for name in ("market", "price", "tier"))
    open_lots = int(tables["book"][market]["open_lots"])
    mark, time = int(price["mark"]), int(engine.machine["time"])
    settlement = int(price["settlement"])
    return PerpInfo(
        market=market,
        venue=int(record["venue"]),
        asset=int(record["quote"]),
        feed=int(tier["feed"]),
        feed_scale=str(tier["feed_scale"]),
        state=PRICE_STATES[int(price["state"])],
        mark=mark,
        index=int(price["index"]),
        funding_rate=int(price["funding_rate"]),
        funding_index=str(price["funding_index"]),
        next_funding=str(time - time % HOUR + HOUR),
        funding_cap=int(record["funding_cap"]),
        interest=int(record["interest"]),
        open_lots=str(open_lots),
        open_interest=str(open_lots * mark * int(record["tick_value"])),
        open_interest_cap=str(record["open_interest_cap"]),
        oi_rate=int(price["oi_rate"]),
        account_cap=str(record["account_cap"]),
        max_leverage=int(record["max_leverage"]),
        tiers=[TierInfo(str(t.lower), t.imr, t.mmr) for t in _read_tiers(tier)],
        is_cross=bool(int(record["flags"]) & MARKET_CROSS),
        profit_weight=int(record["profit_weight"]),
        band=int(record["band"]),
        band_basis=int(record["band_basis"]),
        band_listing=int(record["band_listing"]),
        impact_notional=str(tier["impact_notional"]),
        settlement=settlement or None,
        job=JOBS[int(tables["job"][market]["kind"])],
    )


def fetch_perpetuals(engine: Engine) -> list[PerpInfo]:
    """Return all perpetuals, settled ones too, by slot."""
    found = (fetch_perpetual(engine, slot) for slot in range(1, get_used(engine, "market")))
    return [perp for perp in found if perp is not None]


def fetch_funds(engine: Engine) -> list[FundInfo]:
    """Return what every venue holds for its perpetuals, by asset."""
    table = engine.tables["ledger"]
    return [
        FundInfo(
            venue=int(table[slot]["venue"]),
            asset=int(table[slot]["asset"]),
            cash=str(table[slot]["cash"]),
            deficit=str(table[slot]["deficit"]),
            fund=str(table[slot]["fund"]),
            cap=str(table[slot]["cap"]),
            open_interest=str(table[slot]["open_value"]),
            perpetuals=int(table[slot]["perps"]),
        )
        for slot in range(1, get_used(engine, "ledger"))
        if int(table[slot]["state"]) != FREE
    ]


def _read_tiers(tier: Any) -> tuple[Tier, ...]:
    lowers = [0, *(int(tier[f"lower{k}"]) for k in range(1, 4))]
    rates = [(int(tier[f"imr{k}"]), int(tier[f"mmr{k}"])) for k in range(4)]
    return tuple(
        Tier(lower, *pair) for lower, pair in zip(lowers, rates, strict=True) if pair != (0, 0)
    )


# --- a copy of what margin depends on ----------------------------------------------------------------


class PositionCopy(NamedTuple):
    """A position and what its market and price say."""

    account: int
    market: int
    stance: Stance
    funding_due: int
    flags: int


class PoolCopy(NamedTuple):
    """A pool with its positions, by rising market."""

    values: dict[str, int]
    positions: list[PositionCopy]
    is_held: bool  # a market of it has a job: nothing is released


class SideCopy(NamedTuple):
    """Columns of the positions of one side of a market, and what a lot is worth at the mark."""

    account: NDArray[Any]
    lots: NDArray[Any]
    quote: NDArray[Any]
    equity: NDArray[Any]  # of the pool, at its last touch
    pool_market: NDArray[Any]  # 0 = the cross pool
    allowance: NDArray[Any]
    pulled: NDArray[Any]
    free: NDArray[Any]
    each: int


class MarginCopy(NamedTuple):
    """What the pools of an account depend on, of one block."""

    stamp: Stamp
    account: int
    pools: list[PoolCopy]
    risks: dict[int, Risk]
    sides: dict[tuple[int, bool], SideCopy]  # by (market, is long)
    free: dict[int, int]  # by asset
    settings: dict[int, tuple[int, int]]  # (mode, leverage) by market


_POOL_FIELDS: Final = (
    *("venue", "asset", "market", "state", "collateral", "order_margin", "allowance"),
    *("pulled", "kept", "haircut"),
)


def read_risk(engine: Engine, market: int) -> Risk:
    """Return what margin of a perpetual's positions depends on."""
    tables = engine.tables
    record, price = tables["market"][market], tables["price"][market]
    return Risk(
        int(record["tick_value"]),
        int(record["max_price"]),
        int(price["mark"]),
        _read_tiers(tables["tier"][market]),
        int(record["profit_weight"]),
        int(price["oi_rate"]),
        int(record["band"]),
        int(price["state"]) == PRICE_LIVE,
    )


def copy_margin(
    engine: Engine, account: int, market: int = 0, *, with_ranks: bool = True
) -> MarginCopy:
    """Copy what the pools of an account depend on, and a market that it may have no position in (0 = none)."""
    tables = engine.tables
    pools, risks = [], {}
    sides: dict[tuple[int, bool], SideCopy] = {}
    if market:
        risks[market] = read_risk(engine, market)
    slot = int(tables["account"][account]["first_pool"])
    while slot:
        record = tables["pool"][slot]
        positions = []
        place = int(record["first_position"])
        is_held = False
        while place:
            position = tables["position"][place]
            number = int(position["market"])
            if number not in risks:
                risks[number] = read_risk(engine, number)
            lots = int(position["lots"])
            is_held = is_held or (lots != 0 and int(tables["job"][number]["kind"]) != 0)
            key = number, lots > 0
            if with_ranks and lots and key not in sides:
                sides[key] = _copy_side(engine, *key)
            positions.append(_copy_position(engine, position))
            place = int(position["next"])
        values = {name: int(record[name]) for name in _POOL_FIELDS}
        pools.append(PoolCopy(values, positions, is_held))
        slot = int(record["next"])
    balances = tables["balance"]
    free = {}
    slot = int(tables["account"][account]["first_balance"])
    while slot:
        free[int(balances[slot]["asset"])] = int(balances[slot]["free"])
        slot = int(balances[slot]["next"])
    settings = _copy_settings(engine, account)
    return MarginCopy(fetch_stamp(engine), account, pools, risks, sides, free, settings)


def _copy_settings(engine: Engine, account: int) -> dict[int, tuple[int, int]]:
    table = engine.tables["approval"]
    found = {}
    slot = int(engine.tables["account"][account]["first_approval"])
    while slot:
        record = table[slot]
        if int(record["kind"]) == APPROVAL_LEVERAGE:
            found[int(record["subject"])] = int(record["flags"]), int(record["value"])
        slot = int(record["next"])
    return found


def _copy_position(engine: Engine, position: Any) -> PositionCopy:
    market, lots = int(position["market"]), int(position["lots"])
    index = int(engine.tables["price"][market]["funding_index"]) - int(position["funding_index"])
    scale = int(engine.tables["tier"][market]["funding_scale"])
    names = ("quote", "buy_lots", "sell_lots", "leverage")
    return PositionCopy(
        int(position["account"]),
        market,
        Stance(lots, *(int(position[name]) for name in names)),
        ceil_div(lots * index, scale),
        int(position["flags"]),
    )


def _copy_side(engine: Engine, market: int, is_long: bool) -> SideCopy:
    """Positions of one side of a market, as columns."""
    tables = engine.tables
    table = tables["position"][: get_used(engine, "position")]
    is_there = (table["market"] == market) & (table["state"] != FREE)
    is_there &= table["lots"] > 0 if is_long else table["lots"] < 0
    records = table[is_there]
    pools = tables["pool"][records["pool"]]
    return SideCopy(
        account=records["account"],
        lots=records["lots"],
        quote=records["quote"],
        equity=pools["equity"],
        pool_market=pools["market"],
        allowance=pools["allowance"],
        pulled=pools["pulled"],
        free=tables["balance"]["free"][pools["balance"]],
        each=int(tables["price"][market]["mark"]) * int(tables["market"][market]["tick_value"]),
    )


# --- answers -----------------------------------------------------------------------------------------


def build_pools(copy: MarginCopy) -> list[PoolInfo]:
    """Make an account's pools and positions from a copy."""
    ranks = {key: _build_rank(copy.account, side) for key, side in copy.sides.items()}
    return [_build_pool(copy, pool, ranks) for pool in copy.pools]


def _build_rank(account: int, side: SideCopy) -> Rank:
    """Rank of the account's position on a side."""
    rows = []
    columns = (column.tolist() for column in side[1:-1])
    for lots, quote, equity, market, allowance, pulled, free in zip(*columns, strict=True):
        usable = 0 if market else max(0, min(free, allowance - pulled))
        is_profit = quote + lots * side.each > 0
        size = abs(lots)
        rows.append(Side(size, size * side.each, max(0, equity + usable), is_profit))
    return get_rank(rows, side.account.tolist().index(account))


def _settle(pool: PoolCopy) -> int:
    """Collateral of a pool behind a touch."""
    return pool.values["collateral"] - sum(p.funding_due for p in pool.positions)


def _build_pool(copy: MarginCopy, pool: PoolCopy, ranks: dict[tuple[int, bool], Rank]) -> PoolInfo:
    exposures = [(copy.risks[p.market], p.stance) for p in pool.positions]
    collateral, own = _settle(pool), pool.values
    values = get_pool_values(collateral, exposures)
    is_held = pool.is_held or own["state"] != ACTIVE
    releasable = 0 if is_held else get_releasable(collateral, values, own["order_margin"])
    return PoolInfo(
        venue=own["venue"],
        asset=own["asset"],
        market=own["market"],
        state=POOL_STATES[own["state"]],
        collateral=str(own["collateral"]),
        equity=str(values.pnl),
        equity_at_entry=str(values.weighted),
        initial=str(values.initial),
        maintenance=str(values.maintenance),
        order_margin=str(own["order_margin"]),
        releasable=str(releasable),
        allowance=str(own["allowance"]),
        pulled=str(own["pulled"]),
        kept=str(own["kept"]),
        haircut=str(own["haircut"]),
        positions=[
            _build_position(copy, pool, number, collateral, ranks)
            for number in range(len(pool.positions))
        ],
    )


def _build_position(
    copy: MarginCopy,
    pool: PoolCopy,
    number: int,
    collateral: int,
    ranks: dict[tuple[int, bool], Rank],
) -> PositionInfo:
    position = pool.positions[number]
    exposures = [(copy.risks[p.market], p.stance) for p in pool.positions]
    risk, stance = exposures[number]
    values = get_values(risk, stance)
    rank = ranks.get((position.market, stance.lots > 0)) if stance.lots else None
    return PositionInfo(
        market=position.market,
        lots=str(stance.lots),
        entry_price=show_entry_price(stance, risk.tick_value),
        mark=risk.mark,
        liquidation_price=get_liquidation_price(collateral, exposures, number),
        unrealised=str(values.pnl),
        funding_due=str(position.funding_due),
        leverage=stance.leverage,
        initial=str(values.initial),
        maintenance=str(values.maintenance),
        buy_lots=str(stance.buy_lots),
        sell_lots=str(stance.sell_lots),
        is_deleveraging=bool(position.flags & POSITION_ADL),
        rank_group=None if rank is None else ("profit" if rank.is_profit else "other"),
        rank_ahead=None if rank is None else str(rank.ahead),
        rank_lots=None if rank is None else str(rank.group_lots),
    )


def show_entry_price(stance: Stance, tick_value: int) -> str | None:
    """Average price of a position's lots, ticks, as decimal text to six digits; None without lots."""
    if not stance.lots:
        return None
    exact = Decimal(-stance.quote) / (Decimal(stance.lots) * tick_value)
    return str(exact.quantize(_DIGITS))


def build_preview(
    copy: MarginCopy,
    market: int,
    pool: tuple[int, int, int],
    terms: Terms,
    side: int,
    price: int,
    lots: int,
    *,
    is_reduce_only: bool,
) -> MarginPreviewInfo:
    """Make the preview of an order from a copy; ValueError as `preview_order`.

    Parameters
    ----------
    pool : (int, int, int)
        venue, asset, market of the pool that the order uses without a position (`find_default_pool`)
    """
    held = [found for found in copy.pools if any(p.market == market for p in found.positions)] or [
        found
        for found in copy.pools
        if tuple(found.values[name] for name in ("venue", "asset", "market")) == pool
    ]
    positions = held[0].positions if held else []
    own = [p.stance for p in positions if p.market == market]
    leverage = copy.settings.get(market, (0, 0))[1]
    others = [(copy.risks[p.market], p.stance) for p in positions if p.market != market]
    found: Preview = preview_order(
        terms,
        _settle(held[0]) if held else 0,
        held[0].values["order_margin"] if held else 0,
        copy.free.get(pool[1], 0),
        [(copy.risks[market], own[0] if own else Stance(leverage=leverage)), *others],
        side,
        price,
        lots,
        is_reduce_only=is_reduce_only,
    )
    return MarginPreviewInfo(
        block=copy.stamp.block,
        notional=str(found.notional),
        taker_fee=str(found.fee),
        maker_fee=str(found.maker_fee),
        locked=str(found.locked),
        pull=str(found.pull),
        is_affordable=found.is_affordable,
        lots=str(found.lots),
        equity=str(found.equity),
        initial=str(found.initial),
        maintenance=str(found.maintenance),
        liquidation_price=found.liquidation_price,
    )


def find_default_pool(
    copy: MarginCopy, market: int, venue: int, asset: int, *, is_cross: bool
) -> tuple[int, int, int]:
    """Venue, asset and market of the pool that an order without a position uses."""
    default = MODE_CROSS if is_cross else MODE_ISOLATED
    mode = copy.settings.get(market, (default, 0))[0]
    return venue, asset, 0 if mode == MODE_CROSS else market
