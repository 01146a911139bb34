"""The zone's state, and what every chapter does with it: events, balances, accounts, timers."""

from __future__ import annotations

from typing import Any

from tests.model.records import (
    Account,
    Approval,
    Asset,
    Balance,
    Book,
    Calendar,
    Event,
    Feed,
    Heap,
    Holding,
    Key,
    Ledger,
    Market,
    Order,
    OutboxRecord,
    Owner,
    Pending,
    Perp,
    Plan,
    Pool,
    Position,
    Slots,
    Task,
    Timer,
    Venue,
    require,
)
from tradezone.protocol import enums, events, limits
from tradezone.protocol.batches import Header
from tradezone.protocol.errors import Code
from tradezone.protocol.events import EVENT_DTYPE
from tradezone.protocol.records import TABLE_BY_NAME

TABLES = (
    "asset",
    "owner",
    "account",
    "key",
    "balance",
    "approval",
    "venue",
    "market",
    "level",
    "order",
    "plan",
    "event_group",
    "outbox",
    "holding",
    "task",
    "calendar",
    "ledger",
    "feed",
    "pool",
    "position",
)
COLUMNS = EVENT_DTYPE.names
NAME_LIMB = (1 << 64) - 1


class State:
    """All that the zone remembers. Parameters: `capacity` overrides table capacities, by table name."""

    def __init__(self, capacity: dict[str, int] | None = None) -> None:
        def size(name: str) -> int:
            return (capacity or {}).get(name, TABLE_BY_NAME[name].capacity)

        self.slots = {name: Slots(size(name)) for name in TABLES}
        self.owners: dict[int, Owner] = {}
        self.accounts: dict[int, Account] = {}
        self.keys: dict[int, Key] = {}
        self.assets: dict[int, Asset] = {}
        self.venues: dict[int, Venue] = {}
        self.calendars: dict[int, Calendar] = {}
        self.markets: dict[int, Market] = {}
        self.books: dict[int, Book] = {}
        self.groups: dict[int, Event] = {}
        self.pending: dict[int, Pending] = {}  # by market
        self.orders: dict[int, Order] = {}  # by slot
        self.plans: dict[int, Plan] = {}
        self.holdings: dict[int, Holding] = {}
        self.buckets: dict[int, list[Order]] = {}  # newest first; emptied ones stay as empty lists
        self.access: dict[int, list[Approval]] = {}  # access records by bucket, newest first
        self.outbox: dict[int, OutboxRecord] = {}
        self.tasks: list[Task] = []
        self.triggering: list[int] = []  # markets whose plans must be looked at
        self.timers = Heap(lambda timer: (timer.time, timer.seq), size("timer"))
        self.queue = Heap(  # markets with waiting orders
            lambda market: (self.books[market].queue[0].release, self.books[market].queue[0].seq),
            size("queue"),
        )
        self.ledgers: dict[tuple[int, int], Ledger] = {}  # by (venue, asset)
        self.feeds: dict[int, Feed] = {}
        self.perps: dict[int, Perp] = {}  # by market, settled ones too
        self.pools: dict[int, Pool] = {}  # by slot
        self.positions: dict[int, Position] = {}  # by slot
        self.liquidating: list[Pool] = []
        self.jobs: list[int] = []  # markets
        self.epoch = 0
        self.next_mark = 0
        self.sweep_time = 0
        self.pool_cursor = 0
        self.swept = 0  # slots of pools that the sweep has passed so far
        self.visited = 0  # visits of the queue so far
        self.looks = 0  # of jobs in this block
        self.closing = 0  # stage of the closing batch
        self.block = 0
        self.time = 0
        self.seq = 1  # of the next leaf
        self.inbox = 0
        self.l1_time = 0
        self.order_seq = 0
        self.trade_seq = 0
        self.timer_seq = 0
        self.restart_time = 0
        self.holding_cursor = 0
        self.sweep_left = 0
        self.removed = 0  # looks of tasks in this block
        self.met = 0  # meetings of this block
        self.event_seq = 0
        self.events: list[dict[str, int]] = []
        self.leaf = 0  # what `leaf` of the next events says
        self.header: Header | None = None
        self.messages: dict[int, bytes] = {}

    # --- events ------------------------------------------------------------------------------------

    def emit(self, kind: int, **columns: int) -> None:
        self.event_seq += 1
        event = dict.fromkeys(COLUMNS, 0)
        event.update(seq=self.event_seq, leaf=self.leaf, kind=kind)
        event.update(columns)
        self.events.append(event)

    def emit_order(self, kind: int, order: Order, **columns: int) -> None:
        values = {
            "order": order.id,
            "account": order.account,
            "market": order.market,
            "side": order.side,
            "tif": order.tif,
            "price": order.price,
            "lots": order.lots,
            "left": order.cover,
            "amount": order.locked,
            "amount2": order.interface_fee,
            "client_id0": order.client_id & NAME_LIMB,
            "client_id1": order.client_id >> 64,
        }
        self.emit(kind, **(values | columns))

    def reject_leaf(self, seq: int, code: Code, items: int = 1, account: int = 0) -> int:
        self.leaf = seq
        self.emit(events.LEAF_REJECTED, error=code, account=account if account < 1 << 31 else 0)
        return items << 16 | code

    # --- rooms and slots ---------------------------------------------------------------------------

    def has_room_for(self, table: str) -> bool:
        """Whether an action or deposit may take a slot of a table of which L1 needs some."""
        owners, venues = self.slots["owner"].in_use, self.slots["venue"].in_use
        reserved = {
            "account": max(0, limits.RESERVED_ACCOUNTS - owners - 2 * venues),
            "key": max(0, limits.RESERVED_KEYS - owners),
            "balance": limits.RESERVED_BALANCES,
            "task": limits.RESERVED_TASKS,
        }
        return self.slots[table].has_room(1 + reserved.get(table, 0))

    # --- timers ------------------------------------------------------------------------------------

    def has_timer_room(self) -> bool:
        return self.timers.has_room(1 + limits.RESERVED_TIMERS)

    def set_timer(self, kind: int, subject: int, time: int, timer: Timer | None = None) -> Timer:
        """Set a timer, or set one again."""
        self.timer_seq += 1
        if timer is None:
            timer = Timer(time, self.timer_seq, kind, subject)
            self.timers.push(timer)
        else:
            timer.time, timer.seq = time, self.timer_seq
            self.timers.change(timer)
        return timer

    def drop_timer(self, timer: Timer | None) -> None:
        if timer is not None:
            self.timers.remove(timer)

    # --- accounts and balances ---------------------------------------------------------------------

    def can_act(self, account_id: int) -> bool:
        account = self.accounts.get(account_id)
        return (
            account is not None
            and account.state == enums.ACTIVE
            and account.kind != enums.ACCOUNT_FUND
        )

    @property
    def protocol_account(self) -> int:
        return self.owners[enums.PROTOCOL_OWNER].main_account

    def open_account(self, owner_id: int, kind: int) -> int:
        owner = self.owners[owner_id]
        slot = self.slots["account"].take()
        self.accounts[slot] = Account(owner_id, kind, index=len(owner.accounts))
        owner.accounts.insert(1, slot)  # right behind the main account (or as the main account)
        return slot

    def balance(self, account: int, asset: int) -> Balance | None:
        return self.accounts[account].balances.get(asset)

    def free(self, account: int, asset: int) -> int:
        """Free atoms; a missing balance counts as 0."""
        balance = self.balance(account, asset)
        return balance.free if balance else 0

    def can_open_balance(self, account_id: int, asset: int) -> Code:
        """OK if the account holds the asset or an action or deposit may open a balance."""
        account = self.accounts[account_id]
        if asset in account.balances:
            return Code.OK
        if account.kind == enums.ACCOUNT_USER and len(account.balances) >= limits.MAX_BALANCES:
            return Code.TOO_MANY_BALANCES
        return Code.OK if self.has_room_for("balance") else Code.TABLE_FULL

    def require_balance(self, account: int, asset: int) -> None:
        code = self.can_open_balance(account, asset)
        require(code == Code.OK, code)

    def get_or_open_balance(self, account: int, asset: int) -> Balance:
        balances = self.accounts[account].balances
        if asset not in balances:
            balances[asset] = Balance(self.slots["balance"].take(), account, asset)
        return balances[asset]

    def pay_out(
        self, owner_id: int, account: int, asset: int, amount: int, *, inbox: int = 0
    ) -> None:
        """Write an outbox withdrawal."""
        owner = self.owners[owner_id]
        recipient = owner.redirect if any(owner.redirect) else owner.address
        slot = self.slots["outbox"].take()
        self.outbox[slot] = OutboxRecord(recipient, owner_id, asset, amount, self.time, inbox)
        self.emit(events.WITHDRAWN, account=account, market=asset, amount=amount, order=slot)

    # --- orders that others look for ---------------------------------------------------------------

    def home_of(self, market: Market) -> Market:
        return self.markets[market.guest_of] if market.guest_of else market

    def find_by_client_id(self, account: int, client_id: int) -> Order | None:
        for order in self.accounts[account].orders:
            if client_id and order.client_id == client_id:
                return order
        return None

    def find_order(self, account: int, order_id: int, client_id: bytes) -> Order | None:
        """The open order that an item names, of any account if it is named by its id."""
        if order_id == 0:
            return self.find_by_client_id(account, int.from_bytes(client_id, "big"))
        order = self.orders.get(order_id & 0xFFFF_FFFF)
        return order if order is not None and order.id == order_id else None

    def may_sign_for(self, key: Key, thing: Order | Plan) -> bool:
        """Whether the key's venue is the market's or the door's of an order or plan."""
        venues = {self.markets[m].venue for m in (thing.market, thing.door) if m}
        return key.venue == 0 or key.venue in venues


Body = dict[str, Any]
