"""What the API says of the state: plain structures read from the engine's tables.

Every function here takes an engine and is meant for `Pipeline.query`: it runs between two blocks, on the thread that
writes, so it copies little and returns at once. Lists are walked by slot, as the state holds them, and end.

Sizes are lots, prices ticks, money atoms, times ms since 1970. Ids of orders, plans and keys are
``generation << 32 | slot``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from tradezone.protocol.enums import (
    ACTIVE,
    ASSET_ERC20,
    ASSET_NATIVE,
    ASSET_SIMULATED,
    BUY,
    FREE,
    MARKET_OUTCOME,
    MARKET_PERP,
    MARKET_SPOT,
    ORDER_FORCED,
    ORDER_REDUCE_ONLY,
    OUTBOX_WITHDRAWAL,
    SELL,
    TIF_FOK,
    TIF_GTC,
    TIF_IOC,
    TIF_MARKET,
    TIF_POST_ONLY,
    TIF_POST_SLIDE,
    WAITING,
)
from tradezone.protocol.limits import MICRO, RESTART_CANCEL, RESTART_POST
from tradezone.protocol.records import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tradezone.engine import Engine

SIDES: Final = {BUY: "buy", SELL: "sell"}
TIFS: Final = {
    TIF_GTC: "gtc",
    TIF_POST_ONLY: "post_only",
    TIF_IOC: "ioc",
    TIF_FOK: "fok",
    TIF_POST_SLIDE: "post_slide",
    TIF_MARKET: "market",
}
MARKET_KINDS: Final = {MARKET_SPOT: "spot", MARKET_PERP: "perp", MARKET_OUTCOME: "outcome"}
ASSET_KINDS: Final = {ASSET_NATIVE: "native", ASSET_ERC20: "erc20", ASSET_SIMULATED: "simulated"}
PHASES: Final = (
    "listed",
    "continuous",
    "post_only",
    "cancel_only",
    "reduce_only",
    "halted",
    "settled",
)
_LIMB: Final = (1 << 64) - 1
_NUMBERS: Final = {table.name: table.number for table in TABLES}


class Stamp(msgspec.Struct, frozen=True):
    """Which state an answer is of: the last block then, and its time."""

    block: str
    time: str


class AssetInfo(msgspec.Struct, frozen=True):
    """An asset. One unit is 10^decimals atoms."""

    id: int
    kind: str
    token: str
    decimals: int
    venue: int
    total: str  # atoms in the zone
    cap: str


class VenueInfo(msgspec.Struct, frozen=True):
    """A venue."""

    id: int
    owner: int
    state: int
    access: int
    stake: str  # gwei
    markets: int
    fee_account: int
    fund_account: int


class MarketInfo(msgspec.Struct, frozen=True):
    """A market: what an order must fit, and what it costs. Fees and shares are ppm."""

    id: int
    venue: int
    kind: str
    phase: str
    base: int
    quote: int
    lot_size: str  # base atoms of a lot
    tick_value: str  # quote atoms of a tick of a lot
    min_notional: str
    max_notional: str
    max_price: int
    max_lots: str
    taker_fee: int
    maker_fee: int
    taker_delay: int  # ms
    band: int
    group: int
    guest_of: int
    listed: str
    closes: str
    last_price: int
    last_time: str
    volume_lots: str
    trades: str
    best_bid: int | None
    best_ask: int | None


class BalanceInfo(msgspec.Struct, frozen=True):
    """What an account has of an asset, atoms."""

    asset: int
    free: str
    locked: str


class HoldingInfo(msgspec.Struct, frozen=True):
    """What an account holds of an outcome, lots; the locked ones are among them."""

    market: int
    yes: str
    no: str
    yes_locked: str
    no_locked: str


class OrderInfo(msgspec.Struct, frozen=True):
    """An open order."""

    id: str
    market: int
    side: str
    tif: str
    price: int
    lots: str  # open
    filled: str
    locked: str
    client_id: str  # 0x and 32 hex digits
    is_waiting: bool
    is_reduce_only: bool
    is_forced: bool  # sent by liquidation
    expires: str


class PlanInfo(msgspec.Struct, frozen=True):
    """A plan that has not fired."""

    id: str
    market: int
    side: str
    kind: int
    source: int
    trigger: int
    price: int
    lots: str
    parent: str
    state: int


class KeyInfo(msgspec.Struct, frozen=True):
    """A key of an owner."""

    id: str
    address: str
    scope: int
    account: int
    venue: int
    expires: str
    max_notional: str
    name: str


class AccountInfo(msgspec.Struct, frozen=True):
    """An account of an owner."""

    id: int
    owner: int
    kind: int
    index: int
    orders: int
    plans: int
    balances: int


class OwnerInfo(msgspec.Struct, frozen=True):
    """An owner: found by its L1 address."""

    id: int
    address: str
    main_account: int
    accounts: list[int]
    keys: list[KeyInfo]


class QuotaInfo(msgspec.Struct, frozen=True):
    """Actions that an owner has left; below zero only cancels go on."""

    owner: int
    actions: str
    has_deposited: bool


class WithdrawalInfo(msgspec.Struct, frozen=True):
    """A withdrawal as it stands in the outbox."""

    id: int
    owner: int
    recipient: str
    asset: int
    amount: str
    time: str


class ZoneState(msgspec.Struct, frozen=True):
    """Where the zone stands."""

    block: str
    time: str
    next_seq: str
    inbox: str
    l1_time: str
    phase: str  # of the zone: continuous, or cancel_only and post_only after a restart


def fetch_zone(engine: Engine) -> ZoneState:
    """Return where the zone stands."""
    machine = engine.machine
    time, restarted = int(machine["time"]), int(engine.tables["agenda"][0]["restart_time"])
    phase = "continuous"
    if restarted and time - restarted < RESTART_POST:
        phase = "cancel_only" if time - restarted < RESTART_CANCEL else "post_only"
    return ZoneState(
        block=str(machine["block"]),
        time=str(time),
        next_seq=str(machine["seq"]),
        inbox=str(machine["inbox"]),
        l1_time=str(machine["l1_time"]),
        phase=phase,
    )


def fetch_stamp(engine: Engine) -> Stamp:
    """Return which block the state is of."""
    return Stamp(str(engine.machine["block"]), str(engine.machine["time"]))


def get_used(engine: Engine, table: str) -> int:
    """Slots of a table that were ever used, 0 included."""
    return int(engine.tables["head"][_NUMBERS[table]]["high_water"])


def get_bytes(record: Any, name: str, size: int) -> bytes:
    """Return a field wider than 64 bits: the state holds it as limbs, lowest first."""
    limbs = -(-size // 8)
    value = sum(int(record[f"{name}{n}"]) << 64 * n for n in range(limbs))
    return value.to_bytes(size, "big")


def _hex(record: Any, name: str, size: int = 20) -> str:
    return "0x" + get_bytes(record, name, size).hex()


def _id(table: Any, slot: int) -> str:
    return str(int(table[slot]["generation"]) << 32 | slot)


# --- what everybody may know -------------------------------------------------------------------------


def fetch_assets(engine: Engine) -> list[AssetInfo]:
    """Return all assets."""
    table = engine.tables["asset"]
    return [_read_asset(slot, table[slot]) for slot in range(1, get_used(engine, "asset"))]


def _read_asset(slot: int, record: Any) -> AssetInfo:
    return AssetInfo(
        slot,
        ASSET_KINDS.get(int(record["kind"]), str(record["kind"])),
        _hex(record, "token"),
        int(record["decimals"]),
        int(record["venue"]),
        str(record["total"]),
        str(record["cap"]),
    )


def fetch_venues(engine: Engine) -> list[VenueInfo]:
    """Return all venues."""
    table = engine.tables["venue"]
    return [
        VenueInfo(
            id=slot,
            owner=int(table[slot]["owner"]),
            state=int(table[slot]["state"]),
            access=int(table[slot]["access"]),
            stake=str(table[slot]["stake"]),
            markets=int(table[slot]["market_count"]),
            fee_account=int(table[slot]["fee_account"]),
            fund_account=int(table[slot]["fund_account"]),
        )
        for slot in range(1, get_used(engine, "venue"))
    ]


def fetch_market(engine: Engine, slot: int) -> MarketInfo | None:
    """Return a market, None if the slot is not used."""
    if not 1 <= slot < get_used(engine, "market"):
        return None
    record, book = engine.tables["market"][slot], engine.tables["book"][slot]
    levels = engine.tables["level"]
    best = [
        int(levels[level]["price"]) if level else None
        for level in (int(book["best_bid"]), int(book["best_ask"]))
    ]
    return MarketInfo(
        id=slot,
        venue=int(record["venue"]),
        kind=MARKET_KINDS.get(int(record["kind"]), str(record["kind"])),
        phase=PHASES[int(record["phase"])],
        base=int(record["base"]),
        quote=int(record["quote"]),
        lot_size=str(record["lot_size"]),
        tick_value=str(record["tick_value"]),
        min_notional=str(record["min_notional"]),
        max_notional=str(record["max_notional"]),
        max_price=int(record["max_price"]),
        max_lots=str(record["max_lots"]),
        taker_fee=int(record["taker_fee"]),
        maker_fee=int(record["maker_fee"]),
        taker_delay=int(record["taker_delay"]),
        band=int(record["band"]),
        group=int(record["group"]),
        guest_of=int(record["guest_of"]),
        listed=str(record["listed"]),
        closes=str(record["closes"]),
        last_price=int(book["last_price"]),
        last_time=str(book["last_time"]),
        volume_lots=str(book["volume_lots"]),
        trades=str(book["trades"]),
        best_bid=best[0],
        best_ask=best[1],
    )


def fetch_markets(engine: Engine, after: int = 0, limit: int = 200) -> list[MarketInfo]:
    """Return up to ``limit`` markets behind slot ``after``."""
    end = min(get_used(engine, "market"), after + 1 + limit)
    found = (fetch_market(engine, slot) for slot in range(after + 1, end))
    return [market for market in found if market is not None]


def fetch_withdrawal(engine: Engine, number: int) -> WithdrawalInfo | None:
    """Return a withdrawal of the outbox; None if there is none with this number."""
    if not 1 <= number < get_used(engine, "outbox"):
        return None
    record = engine.tables["outbox"][number]
    if int(record["kind"]) != OUTBOX_WITHDRAWAL:
        return None
    return WithdrawalInfo(
        number,
        int(record["owner"]),
        _hex(record, "recipient"),
        int(record["asset"]),
        str(record["amount"]),
        str(record["time"]),
    )


def fetch_owner(engine: Engine, address: bytes) -> OwnerInfo | None:
    """Return the owner with an L1 address (20 bytes), None if there is none."""
    table = engine.tables["owner"][: get_used(engine, "owner")]
    value = int.from_bytes(address, "big")
    is_found = table["address0"] == np.uint64(value & _LIMB)
    is_found &= table["address1"] == np.uint64(value >> 64 & _LIMB)
    is_found &= table["address2"] == np.uint32(value >> 128)
    slots = [slot for slot in is_found.nonzero()[0].tolist() if slot]
    return read_owner(engine, slots[0]) if slots else None


def read_owner(engine: Engine, slot: int) -> OwnerInfo:
    """Return the owner in a slot that is used."""
    record = engine.tables["owner"][slot]
    return OwnerInfo(
        slot,
        _hex(record, "address"),
        int(record["first_account"]),
        list(_walk(engine, "account", int(record["first_account"]), "next")),
        fetch_keys(engine, slot),
    )


# --- what only the owner may ask ---------------------------------------------------------------------


def _walk(engine: Engine, table: str, first: int, link: str) -> Iterator[int]:
    """Slots of a list. It ends: a list holds each slot once."""
    column, slot = engine.tables[table][link], first
    for _ in range(get_used(engine, table)):
        if not slot:
            return
        yield slot
        slot = int(column[slot])


def get_account_owner(engine: Engine, account: int) -> int:
    """Owner of an active account, 0 if there is none."""
    table = engine.tables["account"]
    if not 1 <= account < get_used(engine, "account") or int(table[account]["state"]) != ACTIVE:
        return 0
    return int(table[account]["owner"])


def fetch_account(engine: Engine, account: int) -> AccountInfo:
    """Return an account that is in use."""
    record = engine.tables["account"][account]
    return AccountInfo(
        account,
        *(int(record[name]) for name in ("owner", "kind", "index")),
        *(int(record[name]) for name in ("order_count", "plan_count", "balance_count")),
    )


def fetch_balances(engine: Engine, account: int) -> list[BalanceInfo]:
    """Return the balances of an account, by asset."""
    table = engine.tables["balance"]
    first = int(engine.tables["account"][account]["first_balance"])
    return [
        BalanceInfo(int(table[i]["asset"]), str(table[i]["free"]), str(table[i]["locked"]))
        for i in _walk(engine, "balance", first, "next")
    ]


def fetch_holdings(engine: Engine, account: int) -> list[HoldingInfo]:
    """Return what an account holds of outcomes."""
    table = engine.tables["holding"]
    first = int(engine.tables["account"][account]["first_holding"])
    names = ("yes", "no", "yes_locked", "no_locked")
    return [
        HoldingInfo(int(table[i]["market"]), *(str(table[i][name]) for name in names))
        for i in _walk(engine, "holding", first, "next")
    ]


def fetch_orders(engine: Engine, account: int, market: int = 0) -> list[OrderInfo]:
    """Return the open orders of an account, newest first; of one market, or (0) of all."""
    table = engine.tables["order"]
    first = int(engine.tables["account"][account]["first_order"])
    slots = list(_walk(engine, "order", first, "account_next"))
    records = table[slots]  # one copy; it is read at leisure
    return [
        read_order(record, slot)
        for slot, record in zip(slots, records, strict=True)
        if market in (0, int(record["market"]))
    ]


def read_order(record: Any, slot: int) -> OrderInfo:
    """Return an order record as the API shows it."""
    return OrderInfo(
        id=str(int(record["generation"]) << 32 | slot),
        market=int(record["market"]),
        side=SIDES[int(record["side"])],
        tif=TIFS.get(int(record["tif"]), str(record["tif"])),
        price=int(record["price"]),
        lots=str(record["lots"]),
        filled=str(record["filled"]),
        locked=str(record["locked"]),
        client_id=_hex(record, "client_id", 16),
        is_waiting=int(record["state"]) == WAITING,
        is_reduce_only=bool(int(record["flags"]) & ORDER_REDUCE_ONLY),
        is_forced=bool(int(record["flags"]) & ORDER_FORCED),
        expires=str(record["expires"]),
    )


def fetch_plans(engine: Engine, account: int) -> list[PlanInfo]:
    """Return the plans of an account that may still fire."""
    table = engine.tables["plan"]
    first = int(engine.tables["account"][account]["first_plan"])
    return [
        PlanInfo(
            id=_id(table, i),
            market=int(table[i]["market"]),
            side=SIDES[int(table[i]["side"])],
            kind=int(table[i]["kind"]),
            source=int(table[i]["source"]),
            trigger=int(table[i]["trigger"]),
            price=int(table[i]["price"]),
            lots=str(table[i]["lots"]),
            parent=str(table[i]["parent"]),
            state=int(table[i]["state"]),
        )
        for i in _walk(engine, "plan", first, "account_next")
    ]


def fetch_keys(engine: Engine, owner: int) -> list[KeyInfo]:
    """Return the active keys of an owner."""
    table = engine.tables["key"]
    first = int(engine.tables["owner"][owner]["first_key"])
    return [
        KeyInfo(
            id=_id(table, i),
            address=_hex(table[i], "address"),
            scope=int(table[i]["scope"]),
            account=int(table[i]["account"]),
            venue=int(table[i]["venue"]),
            expires=str(table[i]["expires"]),
            max_notional=str(table[i]["max_notional"]),
            name=int(table[i]["name"]).to_bytes(8, "big").rstrip(b"\0").decode("ascii", "replace"),
        )
        for i in _walk(engine, "key", first, "next")
        if int(table[i]["state"]) != FREE
    ]


def fetch_quota(engine: Engine, owner: int) -> QuotaInfo:
    """Return how many actions an owner has."""
    record = engine.tables["owner"][owner]
    return QuotaInfo(owner, str(int(record["quota"]) // MICRO), bool(int(record["flags"]) & 1))
