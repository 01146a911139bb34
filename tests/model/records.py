"""What the model's zone is made of: plain objects, and the small tools that all its chapters use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tradezone.protocol import enums, limits
from tradezone.protocol.errors import Code

PPM = limits.PPM
OPPOSITE = {enums.BUY: enums.SELL, enums.SELL: enums.BUY}
POST_TIFS = (enums.TIF_POST_ONLY, enums.TIF_POST_SLIDE)


class Refused(Exception):  # noqa: N818 - it is an answer, not an error
    """An envelope, item or message that is not done."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.name)
        self.code = code


def require(condition: bool, code: Code) -> None:
    if not condition:
        raise Refused(code)


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


@dataclass(eq=False)
class Slots:
    """Slots of one table: the last freed is used first, else the high-water mark. 0 is never used."""

    capacity: int
    high_water: int = 1
    in_use: int = 0
    free: list[int] = field(default_factory=list)  # last freed at the end
    generations: dict[int, int] = field(default_factory=dict)

    def has_room(self, count: int = 1) -> bool:
        return len(self.free) + self.capacity - self.high_water >= count

    def take(self) -> int:
        self.in_use += 1
        if self.free:
            return self.free.pop()
        self.high_water += 1
        return self.high_water - 1

    def give_back(self, slot: int) -> None:
        self.in_use -= 1
        self.generations[slot] = (self.generation(slot) + 1) % (1 << 31)
        self.free.append(slot)

    def generation(self, slot: int) -> int:
        return self.generations.get(slot, 0)


class Heap:
    """The layout of a binary heap as docs/spec/blocks.md keeps it. `nodes[0]` is node 1.

    Only the layout: the zone itself asks for `first`, which is the least of all nodes.
    """

    def __init__(self, key: Callable[[Any], Any], capacity: int) -> None:
        self.key = key
        self.capacity = capacity
        self.nodes: list[Any] = []

    def __len__(self) -> int:
        return len(self.nodes)

    def has_room(self, count: int = 1) -> bool:
        return self.capacity - 1 - len(self.nodes) >= count

    @property
    def first(self) -> Any:
        least = min(self.nodes, key=self.key, default=None)
        assert least is (self.nodes[0] if self.nodes else None), "the least node is the first"
        return least

    def place(self, node: Any) -> int:
        """Number of a node, 0 if it is not in the heap."""
        return next((i for i, other in enumerate(self.nodes, 1) if other is node), 0)

    def _is_before(self, one: int, other: int) -> bool:
        return bool(self.key(self.nodes[one - 1]) < self.key(self.nodes[other - 1]))

    def _exchange(self, one: int, other: int) -> None:
        nodes = self.nodes
        nodes[one - 1], nodes[other - 1] = nodes[other - 1], nodes[one - 1]

    def push(self, node: Any) -> None:
        self.nodes.append(node)
        self._settle(len(self.nodes))

    def remove(self, node: Any) -> None:
        at = self.place(node)
        last = self.nodes.pop()
        if at <= len(self.nodes):
            self.nodes[at - 1] = last
            self._settle(at)

    def change(self, node: Any) -> None:
        """A node whose key has changed."""
        self._settle(self.place(node))

    def _settle(self, at: int) -> None:
        while at > 1 and self._is_before(at, at // 2):
            self._exchange(at, at // 2)
            at //= 2
        while True:
            children = [c for c in (2 * at, 2 * at + 1) if c <= len(self.nodes)]
            child = min(children, key=lambda c: self.key(self.nodes[c - 1]), default=0)
            if not child or not self._is_before(child, at):
                return
            self._exchange(at, child)
            at = child


@dataclass(eq=False)
class Owner:
    address: bytes
    referrer: int
    kind: int
    accounts: list[int] = field(default_factory=list)  # as linked: the main account first
    keys: list[int] = field(default_factory=list)  # as linked: the newest first
    flags: int = 0
    redirect: bytes = bytes(20)
    quota: int = 0  # micro-actions
    trickle_time: int = 0
    quota_day: int = 0

    @property
    def main_account(self) -> int:
        return self.accounts[0]


@dataclass(eq=False)
class Timer:
    time: int
    seq: int
    kind: int
    subject: int


@dataclass(eq=False)
class Account:
    owner: int
    kind: int
    index: int
    state: int = enums.ACTIVE
    balances: dict[int, Balance] = field(default_factory=dict)  # by asset
    orders: list[Order] = field(default_factory=list)  # newest first
    plans: list[Plan] = field(default_factory=list)  # newest first
    holdings: dict[int, Holding] = field(default_factory=dict)  # by market
    approvals: dict[tuple[int, int], Approval] = field(default_factory=dict)  # by (kind, subject)
    pools: dict[tuple[int, int, int], Pool] = field(default_factory=dict)  # venue, asset, market
    timer: Timer | None = None  # dead-man switch
    task: Task | None = None


@dataclass(eq=False)
class Key:
    slot: int
    generation: int
    owner: int
    address: bytes
    scope: int
    account: int
    venue: int
    expires: int
    max_notional: int
    name: int
    approved: int
    cells: list[int]

    @property
    def id(self) -> int:
        return self.generation << 32 | self.slot


@dataclass(eq=False)
class Balance:
    slot: int
    account: int
    asset: int
    free: int = 0
    locked: int = 0
    faucet_time: int = 0


@dataclass(eq=False)
class Approval:
    slot: int
    kind: int
    account: int  # account, or the owner that an access is for
    subject: int
    value: int
    expires: int
    issued: int
    flags: int = 0
    region: int = 0

    def is_timely(self, time: int) -> bool:
        return self.expires == 0 or self.expires > time


@dataclass(eq=False)
class Asset:
    token: bytes
    kind: int
    decimals: int
    quantum: int
    cap: int
    venue: int
    state: int = enums.ACTIVE
    total: int = 0
    dust: int = 0
    faucet_amount: int = 0
    faucet_interval: int = 0
    quota_rate: int = 0
    quota_deposit: int = 0

    @property
    def is_simulated(self) -> bool:
        return self.kind == enums.ASSET_SIMULATED


@dataclass(eq=False)
class Venue:
    owner: int
    fee_account: int
    fund_account: int
    access: int
    stake: int
    state: int = enums.VENUE_ACTIVE
    market_count: int = 0
    market_orders: int = 0
    credential_provider: bytes = bytes(20)
    min_class: int = 0
    regions: int = 0


@dataclass(eq=False)
class Calendar:
    venue: int
    days: list[tuple[int, int]]  # (open, close) in minutes, Monday first
    closures: list[tuple[int, int]]  # (from, to) in ms

    def is_open(self, time: int) -> bool:
        if any(start <= time < end for start, end in self.closures):
            return False
        start, end = self.days[(time // 86_400_000 + 3) % 7]
        return start <= time % 86_400_000 // 60_000 < end


@dataclass(eq=False)
class Market:
    slot: int
    id: int
    venue: int
    kind: int
    base: int
    quote: int
    lot_size: int
    tick_value: int
    min_notional: int
    max_notional: int
    max_lots: int
    max_price: int
    taker_fee: int
    maker_fee: int
    protocol_share: int
    insurance_share: int
    taker_delay: int
    listed: int
    phase: int = enums.PHASE_CONTINUOUS
    access: int = enums.ACCESS_OPEN
    referrer_share: int = 0
    band: int = 0
    calendar: int = 0
    open_interest_cap: int = 0
    account_cap: int = 0
    closes: int = 0
    guest_of: int = 0
    guest_fee: int = 0
    group: int = 0
    outcome: int = 0
    group_next: int = 0

    @property
    def is_perp(self) -> bool:
        return self.kind == enums.MARKET_PERP

    @property
    def is_outcome(self) -> bool:
        return self.kind == enums.MARKET_OUTCOME

    @property
    def unit(self) -> int:
        """Of an outcome: what one lot of a sure outcome pays."""
        return self.lot_size

    @property
    def has_caps(self) -> bool:
        return self.open_interest_cap != 0 or self.account_cap != 0

    def notional(self, price: int, lots: int) -> int:
        return price * lots * self.tick_value

    def base_atoms(self, lots: int) -> int:
        return lots * self.lot_size

    def cost(self, side: int, price: int, lots: int) -> int:
        if side == enums.BUY:
            return self.notional(price, lots)
        if self.is_outcome:
            return (self.unit - price * self.tick_value) * lots
        return self.base_atoms(lots)

    def fee_base(self, price: int, lots: int) -> int:
        if self.is_outcome:
            each = price * self.tick_value
            return min(each, self.unit - each) * lots
        return self.notional(price, lots)

    def lock(self, side: int, price: int, lots: int, interface_fee: int = 0) -> int:
        cost = self.cost(side, price, lots)
        if side == enums.SELL and not self.is_outcome:
            return cost
        rate = max(self.taker_fee, self.maker_fee, 0) + interface_fee
        return cost + ceil_div(self.fee_base(price, lots) * rate, PPM)

    def assets(self, side: int) -> tuple[int, int]:
        """(asset it pays with, asset it receives) of an order."""
        if self.is_outcome:
            return self.quote, self.quote
        return (self.quote, self.base) if side == enums.BUY else (self.base, self.quote)


@dataclass(eq=False)
class Level:
    slot: int
    generation: int
    orders: list[Any] = field(default_factory=list)  # orders or plans, oldest first


TRIGGER_LISTS = tuple(range(enums.TRIGGER_UP_LAST, enums.TRIGGER_DOWN_INDEX + 1))


def falls(trigger_list: int) -> bool:
    """Whether the plans of a list fire when the price falls."""
    return trigger_list % 2 == 1


@dataclass(eq=False)
class Book:
    levels: tuple[dict[int, Level], dict[int, Level]] = field(default_factory=lambda: ({}, {}))
    triggers: dict[int, dict[int, Level]] = field(
        default_factory=lambda: {side: {} for side in TRIGGER_LISTS}
    )
    queue: list[Order] = field(default_factory=list)  # waiting orders, the next one first
    last_release: int = 0
    last_price: int = 0
    last_time: int = 0
    volume_lots: int = 0
    trades: int = 0
    trigger_low: int = 0
    trigger_high: int = 0
    open_lots: int = 0
    band_time: int = 0
    band_price: int = 0
    band_last: int = 0

    def prices(self, side: int) -> list[int]:
        """Prices of a side, the best first."""
        return sorted(self.levels[side], reverse=side == enums.BUY)

    def best(self, side: int) -> int:
        """Best price of a side, 0 if it is empty."""
        prices = self.prices(side)
        return prices[0] if prices else 0

    def trigger_prices(self, side: int) -> list[int]:
        """Triggers of a list, the nearest to firing first."""
        return sorted(self.triggers[side], reverse=falls(side))

    def is_crossed_by(self, side: int, price: int) -> bool:
        """Whether an order of `side` at `price` would take."""
        best = self.best(OPPOSITE[side])
        if not best:
            return False
        return price >= best if side == enums.BUY else price <= best


@dataclass(eq=False)
class Order:
    slot: int
    generation: int
    account: int
    owner: int
    market: int  # home
    key: int
    side: int
    tif: int
    stp: int
    price: int
    lots: int  # open
    locked: int
    seq: int
    expires: int
    client_id: int
    pay_asset: int
    receive_asset: int
    flags: int = 0
    door: int = 0
    interface: int = 0
    interface_fee: int = 0
    cover: int = 0
    holding: Holding | None = None
    pool: Pool | None = None  # of a perpetual, with the next two
    position: Position | None = None
    reserve: int = 0
    filled: int = 0
    state: int = enums.FREE
    release: int = 0
    release_block: int = 0
    timer: Timer | None = None
    children: list[Plan] = field(default_factory=list)  # the ring, from the first child

    @property
    def id(self) -> int:
        return self.generation << 32 | self.slot

    @property
    def is_forced(self) -> bool:
        return self.flags & enums.ORDER_FORCED != 0

    @property
    def is_reduce_only(self) -> bool:
        return self.flags & enums.ORDER_REDUCE_ONLY != 0

    def is_expired(self, time: int) -> bool:
        return self.expires != 0 and self.expires <= time


@dataclass(eq=False)
class Plan:
    slot: int
    generation: int
    account: int
    market: int  # home
    door: int
    key: int
    kind: int
    side: int
    source: int
    grouping: int
    trigger: int
    price: int
    lots: int
    tif: int
    stp: int
    flags: int
    slippage: int
    expires: int
    interface: int
    interface_fee: int
    seq: int
    state: int = enums.FREE
    parent: Order | None = None
    ring: list[Plan] = field(default_factory=list)  # in ring order, itself included
    timer: Timer | None = None

    @property
    def id(self) -> int:
        return self.generation << 32 | self.slot

    @property
    def list_side(self) -> int:
        """The trigger list of the book that it stands on."""
        fires_up = (self.kind == enums.PLAN_STOP) == (self.side == enums.BUY)
        first = enums.TRIGGER_UP_LAST + 2 * self.source
        return first if fires_up else first + 1

    def is_reached_by(self, price: int) -> bool:
        if falls(self.list_side):
            return price <= self.trigger
        return price >= self.trigger


@dataclass(eq=False)
class Holding:
    slot: int
    account: int
    market: int
    yes: int = 0
    no: int = 0
    yes_locked: int = 0
    no_locked: int = 0

    def unlocked(self, side: int) -> int:
        """F: unlocked lots that an order of `side` could close."""
        if side == enums.BUY:
            return self.no - self.no_locked
        return self.yes - self.yes_locked

    def held(self, side: int) -> int:
        """What counts to the account's cap: yes of a buyer, no of a seller."""
        return self.yes if side == enums.BUY else self.no


@dataclass(eq=False)
class Ledger:
    slot: int
    venue: int
    asset: int
    cash: int = 0
    deficit: int = 0
    fund: int = 0
    cap: int = 0
    haircuts: int = 0


@dataclass(eq=False)
class Feed:
    slot: int
    venue: int
    quorum: int
    heartbeat: int
    deviation: int
    breaker: int
    providers: list[tuple[int, bytes]]  # (id, signer) by place
    prices: list[int]
    times: list[int]
    incidents: list[int]
    is_fresh: bool = False
    index: int = 0
    epoch: int = 0
    round: int = 0
    round_start: int = 0
    trips: int = 0
    buckets: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)] * 3)
    window_from: int = 0


@dataclass(eq=False)
class Perp:
    """Terms, price and lists of a perpetual; `tiers` are (lower, imr, mmr)."""

    market: Market
    ledger: Ledger
    feed: Feed
    feed_scale: int
    funding_scale: int
    funding_cap: int
    interest: int
    impact_notional: int
    band_listing: int
    band_basis: int
    oi_lower: int
    oi_upper: int
    loss_cap: int
    tiers: list[tuple[int, int, int]]
    weight: int = 0
    is_cross: bool = False
    # price
    state: int = enums.PRICE_NONE
    mark: int = 0
    index: int = 0
    basis: int = 0
    book: int = 0
    average: int = 0
    oi_rate: int = 0
    round: int = 0
    trips: int = 0
    until: int = 0
    stale_since: int = 0
    broken: int = 0
    raised: int = 0
    tick_time: int = 0
    sample_time: int = 0
    forced_epoch: int = 0
    settlement: int = 0
    # funding
    hour: int = 0
    premium_sum: int = 0
    premium_count: int = 0
    funding_rate: int = 0
    funding_index: int = 0
    pot: int = 0
    # what the fund risks
    spent: int = 0
    day: int = 0
    fund_pool: Pool | None = None
    # positions by side, oldest first
    sides: dict[int, list[Position]] = field(default_factory=lambda: {1: [], -1: []})
    registered: dict[int, list[Position]] = field(default_factory=lambda: {1: [], -1: []})
    ripe: int = 0  # what the sweep, then the queue, must have passed until they are due, 0 = none
    awaits_queue: bool = False  # the sweep has passed them
    job: Any = None
    must_settle: bool = False
    is_live: bool = True

    @property
    def tv(self) -> int:
        return self.market.tick_value

    @property
    def max_leverage(self) -> int:
        return 100 * PPM // self.tiers[0][1]

    @property
    def open_lots(self) -> int:
        return sum(position.lots for position in self.sides[1])


@dataclass(eq=False)
class Pool:
    slot: int
    generation: int
    account: int
    venue: int
    asset: int
    market: int  # 0 = cross
    ledger: Ledger
    epoch: int
    positions: dict[int, Position] = field(default_factory=dict)  # by market
    collateral: int = 0
    allowance: int = 0
    pulled: int = 0
    kept: int = 0
    haircut: int = 0
    state: int = enums.ACTIVE
    forced: Order | None = None
    liquidated: int = 0
    below_since: int = 0

    @property
    def key(self) -> tuple[int, int, int]:
        return self.venue, self.asset, self.market

    def by_market(self) -> list[Position]:
        return [self.positions[market] for market in sorted(self.positions)]


@dataclass(eq=False)
class Position:
    slot: int
    pool: Pool
    market: int
    leverage: int
    funding_index: int
    lots: int = 0
    quote: int = 0
    claim: int = 0
    is_registered: bool = False
    is_profit: bool = False

    @property
    def side(self) -> int:
        return (self.lots > 0) - (self.lots < 0)


@dataclass(eq=False)
class Event:
    venue: int
    asset: int
    outcomes: int
    unit: int
    void_payouts: bytes
    state: int = enums.GROUP_OPEN
    payouts: bytes = bytes(32)
    resolved: int = 0
    cash: int = 0
    sets: int = 0
    markets: list[int] = field(default_factory=list)  # as linked: the one listed last comes first

    @property
    def most_markets(self) -> int:
        return 1 if self.outcomes == 2 else self.outcomes

    def value_of_yes(self, outcome: int) -> int:
        payout = int.from_bytes(self.payouts[2 * outcome : 2 * outcome + 2], "big")
        return self.unit // limits.PAYOUT_UNIT * payout


@dataclass(eq=False)
class Task:
    slot: int
    kind: int
    subject: int  # account or market
    market: int
    side: int
    reason: int
    seq: int


@dataclass(eq=False)
class Pending:
    values: dict[str, Any]  # of the UPDATE_MARKET message
    timer: Timer


@dataclass(eq=False)
class OutboxRecord:
    recipient: bytes
    owner: int
    asset: int
    amount: int
    time: int
    inbox: int
    kind: int = enums.OUTBOX_WITHDRAWAL
    venue: int = 0
    market: int = 0
    status: int = 0  # of a forced operation
