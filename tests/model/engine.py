"""The model engine: the zone of docs/spec/{blocks,envelopes,spot}.md in slow, obvious Python.

It shares only `tradezone.protocol` (constants, layouts, decoding) with the fast engine. State is dicts, lists,
small mutable objects and unbounded integers; whatever can be computed from something else is computed anew
each time (level sizes, counts, best prices, the release list, uses of a balance).

Where the specification leaves a choice, the comment at the place begins with ``Reading:``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.batches import Header
from tradezone.protocol.errors import Code
from tradezone.protocol.events import EVENT_DTYPE
from tradezone.protocol.hashing import keccak
from tradezone.protocol.records import TABLE_BY_NAME

PPM = limits.PPM
ASK_OF = {enums.BUY: enums.SELL, enums.SELL: enums.BUY}  # the opposite side
WAS_CANCELLED = 2  # order.flags bit 1: cancelled while it was WAITING
TABLES = (
    "asset",
    "owner",
    "account",
    "key",
    "balance",
    "venue",
    "market",
    "level",
    "order",
    "outbox",
)
COLUMNS = EVENT_DTYPE.names
ORDER_FIELDS = (
    "account",
    "market",
    "price",
    "state",
    "side",
    "tif",
    "stp",
    "lots",
    "filled",
    "locked",
    "seq",
    "expires",
    "flags",
    "key",
    "client_id",
)


class Refused(Exception):  # noqa: N818 - it is an answer, not an error
    """An envelope, item or message that is not done. Always raised before anything changes."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.name)
        self.code = code


def require(condition: bool, code: Code) -> None:
    if not condition:
        raise Refused(code)


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


@dataclass
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
        self.generations[slot] = self.generation(slot) + 1
        self.free.append(slot)

    def generation(self, slot: int) -> int:
        return self.generations.get(slot, 0)


@dataclass
class Owner:
    address: bytes
    referrer: int
    kind: int
    accounts: list[int] = field(default_factory=list)  # as linked: the main account first
    keys: list[int] = field(default_factory=list)  # as linked: the newest first
    flags: int = 0
    redirect: bytes = bytes(20)

    @property
    def main_account(self) -> int:
        return self.accounts[0]


@dataclass
class Account:
    owner: int
    kind: int
    index: int
    state: int = enums.ACTIVE
    balances: dict[int, Balance] = field(default_factory=dict)  # by asset
    orders: list[Order] = field(default_factory=list)  # newest first


@dataclass
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


@dataclass
class Balance:
    slot: int
    account: int
    asset: int
    free: int = 0
    locked: int = 0


@dataclass
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


@dataclass
class Venue:
    owner: int
    fee_account: int
    fund_account: int
    access: int
    stake: int
    state: int = enums.VENUE_ACTIVE
    market_count: int = 0


@dataclass
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
    # Reading: a market is CONTINUOUS from its listing; `listed` alone keeps it shut until effectiveAt.
    phase: int = enums.PHASE_CONTINUOUS
    access: int = enums.ACCESS_OPEN

    def notional(self, price: int, lots: int) -> int:
        return price * lots * self.tick_value

    def base_atoms(self, lots: int) -> int:
        return lots * self.lot_size

    def lock(self, side: int, price: int, lots: int) -> int:
        if side == enums.SELL:
            return self.base_atoms(lots)
        notional = self.notional(price, lots)
        return notional + ceil_div(notional * max(self.taker_fee, self.maker_fee, 0), PPM)


@dataclass
class Level:
    slot: int
    generation: int
    orders: list[Order] = field(default_factory=list)  # oldest first


@dataclass
class Book:
    levels: tuple[dict[int, Level], dict[int, Level]] = field(default_factory=lambda: ({}, {}))
    queue: list[Order] = field(default_factory=list)  # waiting orders, the next one first
    last_release: int = 0
    last_price: int = 0
    last_time: int = 0
    volume_lots: int = 0
    trades: int = 0

    def prices(self, side: int) -> list[int]:
        """Prices of a side, the best first."""
        return sorted(self.levels[side], reverse=side == enums.BUY)

    def is_crossed_by(self, side: int, price: int) -> bool:
        """Whether an order of `side` at `price` would take."""
        opposite = self.prices(ASK_OF[side])
        if not opposite:
            return False
        return price >= opposite[0] if side == enums.BUY else price <= opposite[0]


@dataclass
class Order:
    slot: int
    generation: int
    account: int
    market: int
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
    filled: int = 0
    flags: int = 0
    state: int = enums.FREE
    release: int = 0
    release_block: int = 0

    @property
    def id(self) -> int:
        return self.generation << 32 | self.slot

    def is_expired(self, time: int) -> bool:
        return self.expires != 0 and self.expires <= time


@dataclass
class OutboxRecord:
    recipient: bytes
    owner: int
    asset: int
    amount: int
    time: int
    inbox: int
    kind: int = enums.OUTBOX_WITHDRAWAL


def is_block_mark(leaf: bytes) -> bool:
    return len(leaf) == actions.BLOCK_MARK_BYTES and leaf[0] == actions.LEAF_BLOCK


def get_class(leaf: bytes) -> int:
    """Class of a leaf, from the table in docs/spec/blocks.md."""
    envelope = actions.Envelope.from_leaf(leaf)
    if envelope is None:
        return 0
    if envelope.action == actions.PLACE:
        tifs = {item["tif"] for item in actions.unpack_items(envelope)}
        return 2 if tifs == {enums.TIF_POST_ONLY} else 3
    if envelope.action == actions.AMEND:
        modes = {item["mode"] for item in actions.unpack_items(envelope)}
        if modes == {actions.AMEND_SHRINK}:
            return 1
        return 2 if modes <= {actions.AMEND_SHRINK, actions.AMEND_POST_ONLY} else 3
    return 1


def get_bucket(account: int, client_id: int) -> int:
    data = account.to_bytes(4, "big") + client_id.to_bytes(16, "big")
    return int.from_bytes(keccak(data), "big") % limits.ORDER_BUCKETS


class Model:
    """The zone. Parameters: `capacity` overrides table capacities, by table name."""

    def __init__(self, capacity: dict[str, int] | None = None) -> None:
        capacity = capacity or {}
        self.slots = {
            name: Slots(capacity.get(name, TABLE_BY_NAME[name].capacity)) for name in TABLES
        }
        self.owners: dict[int, Owner] = {}
        self.accounts: dict[int, Account] = {}
        self.keys: dict[int, Key] = {}
        self.assets: dict[int, Asset] = {}
        self.venues: dict[int, Venue] = {}
        self.markets: dict[int, Market] = {}
        self.books: dict[int, Book] = {}
        self.orders: dict[int, Order] = {}  # by slot
        self.buckets: dict[int, list[Order]] = {}  # newest first; emptied ones stay as empty lists
        self.outbox: dict[int, OutboxRecord] = {}
        self.block = 0
        self.time = 0
        self.seq = 1  # of the next leaf
        self.inbox = 0
        self.l1_time = 0
        self.order_seq = 0
        self.trade_seq = 0
        self.expiry_cursor = 0
        self.event_seq = 0
        self._events: list[dict[str, int]] = []
        self._leaf = 0
        self._header: Header | None = None
        self._messages: dict[int, bytes] = {}
        self._meetings = 0

    # --- running ---------------------------------------------------------------------------------

    def execute(
        self,
        leaves: list[bytes],
        signers: list[bytes | None],
        inbox: list[bytes],
        header: Header | None = None,
    ) -> tuple[list[int], list[dict[str, int]]]:
        """Run leaves to the end of the batch; return a result for each leaf, and the events.

        Parameters
        ----------
        leaves : list of bytes
            the leaves from `seq` on
        signers : list of bytes or None
            recovered address (20 bytes) of each leaf, None where there is none
        inbox : list of bytes
            messages from index `self.inbox` on, at least as many as are consumed
        header : Header, optional
            header of the batch that these leaves are; without one nothing but the leaves binds the zone
        """
        self._events = []
        self._header = header
        self._messages = dict(enumerate(inbox, self.inbox))
        results = [0] * len(leaves)
        first_seq = self.seq
        at = 0
        while at < len(leaves):
            if not self._can_open(leaves[at]):
                # Reading: what stands outside a block is not decoded: one failed item, no account.
                results[at] = self._reject_leaf(first_seq + at, Code.UNEXPECTED_LEAF)
                at += 1
                self.seq = first_seq + at
                continue
            start = end = at + 1
            while (
                end < len(leaves)
                and end - start < limits.MAX_BLOCK_LEAVES
                and not is_block_mark(leaves[end])
            ):
                end += 1
            self.block += 1
            self.time = int.from_bytes(leaves[at][9:17], "big")
            classes = [get_class(leaf) for leaf in leaves[start:end]]
            for phase in (0, 1, 2, 3):
                if phase == 1:
                    self._sweep_expired()
                for i in range(start, end):
                    if classes[i - start] != phase:
                        continue
                    self._leaf = first_seq + i
                    if phase == 0:
                        results[i] = self._run_plain_leaf(leaves[i], first_seq + i)
                    else:
                        results[i] = self._run_envelope(leaves[i], signers[i], phase)
            self._leaf = 0
            self._release()
            at = end
            self.seq = first_seq + at
        if header is not None:
            self._consume_messages(header.inbox_index)
        return results, self._events

    def _emit(self, kind: int, **columns: int) -> None:
        self.event_seq += 1
        event = dict.fromkeys(COLUMNS, 0)
        event.update(seq=self.event_seq, leaf=self._leaf, kind=kind)
        event.update(columns)
        self._events.append(event)

    def _emit_order(self, kind: int, order: Order, **columns: int) -> None:
        values = {
            "order": order.id,
            "account": order.account,
            "market": order.market,
            "side": order.side,
            "tif": order.tif,
            "price": order.price,
            "lots": order.lots,
            "amount": order.locked,
            "client_id0": order.client_id & ((1 << 64) - 1),
            "client_id1": order.client_id >> 64,
        }
        self._emit(kind, **(values | columns))

    def _reject_leaf(self, seq: int, code: Code, items: int = 1, account: int = 0) -> int:
        self._leaf = seq
        self._emit(events.LEAF_REJECTED, error=code, account=account if account < 1 << 31 else 0)
        return items << 16 | code

    def _can_open(self, leaf: bytes) -> bool:
        if not is_block_mark(leaf):
            return False
        number, time = int.from_bytes(leaf[1:9], "big"), int.from_bytes(leaf[9:17], "big")
        if number != self.block + 1 or not self.time <= time <= limits.MAX_TIME:
            return False
        header = self._header
        return header is None or (
            header.first_block <= number < header.first_block + header.blocks
            and header.start_time <= time <= header.end_time
        )

    def _run_plain_leaf(self, leaf: bytes, seq: int) -> int:
        """Run a leaf of class 0."""
        kind = leaf[0] if leaf else 0
        # Reading: like the marks, a price leaf is one by its first byte and its exact size.
        if kind == actions.LEAF_PRICE and len(leaf) == actions.PRICE_BYTES:
            return self._reject_leaf(seq, Code.UNEXPECTED_LEAF)
        if kind != actions.LEAF_INBOX or len(leaf) != actions.INBOX_MARK_BYTES:
            return self._reject_leaf(seq, Code.MALFORMED)
        end = int.from_bytes(leaf[1:], "big")
        is_in_reach = self.inbox + 1 <= end <= self.inbox + limits.MAX_INBOX_MARK
        if not is_in_reach or (self._header is not None and end > self._header.inbox_index):
            return self._reject_leaf(seq, Code.UNEXPECTED_LEAF)
        self._consume_messages(end)
        return 0

    def _consume_messages(self, end: int) -> None:
        while self.inbox < end:
            self._leaf = self.inbox
            self._run_message(messages.Message.from_bytes(self._messages[self.inbox]))
            self.inbox += 1

    def _sweep_expired(self) -> None:
        self._leaf = 0
        high_water = self.slots["order"].high_water
        for _ in range(min(limits.EXPIRY_SWEEP, high_water - 1)):
            if self.expiry_cursor == 0 or self.expiry_cursor >= high_water:
                self.expiry_cursor = 1
            order = self.orders.get(self.expiry_cursor)
            if order and order.state == enums.RESTING and order.is_expired(self.time):
                self._cancel_resting(order, enums.CANCEL_EXPIRED)
            self.expiry_cursor += 1

    # --- inbox messages ----------------------------------------------------------------------------

    def _run_message(self, message: messages.Message) -> None:
        self.l1_time = max(self.l1_time, min(message.time * 1000, limits.MAX_TIME))
        handlers = {
            messages.REGISTER_OWNER: self._register_owner,
            messages.DEPOSIT: self._deposit,
            messages.REGISTER_ASSET: self._register_asset,
            messages.CREATE_VENUE: self._create_venue,
            messages.LIST_MARKET: self._list_market,
            messages.HEARTBEAT: self._heartbeat,
        }
        try:
            require(message.kind in handlers, Code.UNKNOWN_MESSAGE)
            layout = messages.BODIES[message.kind]
            require(len(message.payload) == actions.layout_bytes(layout), Code.MALFORMED)
            handlers[message.kind](actions.unpack(layout, message.payload))
        except Refused as refused:
            self._emit(events.MESSAGE_IGNORED, error=refused.code)

    def _heartbeat(self, _: dict[str, Any]) -> None:
        self._emit(events.HEARTBEAT, amount=self.l1_time)

    def _open_account(self, owner_id: int, kind: int) -> int:
        owner = self.owners[owner_id]
        slot = self.slots["account"].take()
        # Reading: `index` is the number of accounts that the owner had before.
        self.accounts[slot] = Account(owner_id, kind, index=len(owner.accounts))
        owner.accounts.insert(1, slot)  # right behind the main account (or as the main account)
        return slot

    def _open_key(self, owner_id: int, **terms: Any) -> Key:
        slot = self.slots["key"].take()
        key = Key(
            slot,
            self.slots["key"].generation(slot),
            owner_id,
            approved=self.time,
            cells=[self.time] * limits.NONCE_CELLS,
            **terms,
        )
        self.keys[slot] = key
        self.owners[owner_id].keys.insert(0, slot)
        main = self.owners[owner_id].main_account
        self._emit(events.KEY_APPROVED, account=main, order=key.id)
        return key

    def _register_owner(self, body: dict[str, Any]) -> None:
        require(body["owner"] == self.slots["owner"].high_water, Code.NOT_NEXT_ID)
        require(body["kind"] in (enums.OWNER_USER, enums.OWNER_CONTRACT), Code.BAD_PARAMETERS)
        room = all(self.slots[name].has_room() for name in ("owner", "account", "key"))
        require(room, Code.TABLE_FULL)
        owner_id = self.slots["owner"].take()
        referrer = body["referrer"] if 0 < body["referrer"] < owner_id else 0
        self.owners[owner_id] = Owner(body["address"], referrer, body["kind"])
        is_protocol = owner_id == enums.PROTOCOL_OWNER
        main = self._open_account(
            owner_id, enums.ACCOUNT_PROTOCOL if is_protocol else enums.ACCOUNT_USER
        )
        self._emit(events.OWNER_REGISTERED, account=main, order=owner_id)
        if body["kind"] == enums.OWNER_USER:
            self._open_key(
                owner_id,
                address=body["address"],
                scope=enums.SCOPE_TRADE | enums.SCOPE_OWNER,
                account=0,
                venue=0,
                expires=0,
                max_notional=0,
                name=0,
            )

    def _is_full_of_balances(self, account_id: int) -> bool:
        account = self.accounts[account_id]
        return account.kind == enums.ACCOUNT_USER and len(account.balances) >= limits.MAX_BALANCES

    def _has_room_for(self, table: str) -> bool:
        """Whether an action or deposit may take a slot of a table of which L1 needs some."""
        reserved = {
            "account": limits.RESERVED_ACCOUNTS,
            "key": limits.RESERVED_KEYS,
            "balance": limits.RESERVED_BALANCES,
        }
        return self.slots[table].has_room(1 + reserved[table])

    def _can_open_balance(self, account: int, asset: int) -> Code:
        """OK if the account holds the asset or an action or deposit may open a balance."""
        if asset in self.accounts[account].balances:
            return Code.OK
        if self._is_full_of_balances(account):
            return Code.TOO_MANY_BALANCES
        return Code.OK if self._has_room_for("balance") else Code.TABLE_FULL

    def _get_or_open_balance(self, account: int, asset: int) -> Balance:
        # Reading: a balance, once opened, stays open for good; nothing in the specification closes it.
        balances = self.accounts[account].balances
        if asset not in balances:
            balances[asset] = Balance(self.slots["balance"].take(), account, asset)
        return balances[asset]

    def _deposit(self, body: dict[str, Any]) -> None:
        owner = self.owners.get(body["owner"])
        require(owner is not None and owner.address == body["address"], Code.OWNER_MISMATCH)
        asset = self.assets.get(body["asset"])
        require(asset is not None, Code.ASSET_NOT_FOUND)
        require(asset.kind != enums.ASSET_SIMULATED, Code.NOT_SAME_KIND)
        amount = body["amount"]
        require(amount >= 1 and asset.total + amount <= limits.MAX_TOTAL_ATOMS, Code.BAD_PARAMETERS)
        account = owner.main_account
        self._emit(events.DEPOSITED, account=account, market=body["asset"], amount=amount)
        if self._can_open_balance(account, body["asset"]) == Code.OK:
            self._get_or_open_balance(account, body["asset"]).free += amount
            asset.total += amount
            # Reading: owner.flags bit 0 ("a real deposit was made") is not set: no chapter says when.
        else:
            # Reading: the outbox record names the deposit that it gives back.
            self._pay_out(body["owner"], account, body["asset"], amount, inbox=self._leaf)

    def _pay_out(
        self, owner_id: int, account: int, asset: int, amount: int, *, inbox: int = 0
    ) -> None:
        """Write an outbox withdrawal."""
        owner = self.owners[owner_id]
        recipient = owner.redirect if any(owner.redirect) else owner.address
        slot = self.slots["outbox"].take()
        self.outbox[slot] = OutboxRecord(recipient, owner_id, asset, amount, self.time, inbox)
        self._emit(events.WITHDRAWN, account=account, market=asset, amount=amount, order=slot)

    def _register_asset(self, body: dict[str, Any]) -> None:
        require(body["asset"] == self.slots["asset"].high_water, Code.NOT_NEXT_ID)
        is_real = body["kind"] in (enums.ASSET_NATIVE, enums.ASSET_ERC20)
        is_simulated = body["kind"] == enums.ASSET_SIMULATED
        require(
            (is_real and body["venue"] == 0) or (is_simulated and body["venue"] in self.venues),
            Code.BAD_PARAMETERS,
        )
        require(
            1 <= body["quantum"] <= 1 << 62
            and 1 <= body["cap"] <= limits.MAX_TOTAL_ATOMS
            and body["decimals"] <= 36,
            Code.BAD_PARAMETERS,
        )
        # Reading: a full table of assets, venues or markets is TABLE_FULL after the other checks.
        require(self.slots["asset"].has_room(), Code.TABLE_FULL)
        slot = self.slots["asset"].take()
        self.assets[slot] = Asset(
            body["token"],
            body["kind"],
            body["decimals"],
            body["quantum"],
            body["cap"],
            body["venue"],
        )
        self._emit(events.ASSET_REGISTERED, market=slot)

    def _create_venue(self, body: dict[str, Any]) -> None:
        require(body["venue"] == self.slots["venue"].high_water, Code.NOT_NEXT_ID)
        require(body["owner"] in self.owners, Code.OWNER_MISMATCH)
        require(
            body["access"] <= enums.ACCESS_CREDENTIAL and body["stake"] < 1 << 62,
            Code.BAD_PARAMETERS,
        )
        require(self.slots["account"].has_room(2), Code.TABLE_FULL)
        require(self.slots["venue"].has_room(), Code.TABLE_FULL)
        slot = self.slots["venue"].take()
        fee_account = self._open_account(body["owner"], enums.ACCOUNT_VENUE)
        fund_account = self._open_account(body["owner"], enums.ACCOUNT_FUND)
        self.venues[slot] = Venue(
            body["owner"], fee_account, fund_account, body["access"], body["stake"]
        )
        self._emit(
            events.VENUE_CREATED, market=slot, account=fee_account, other_account=fund_account
        )

    def _list_market(self, body: dict[str, Any]) -> None:
        require(body["market"] == self.slots["market"].high_water, Code.NOT_NEXT_ID)
        venue = self.venues.get(body["venue"])
        require(venue is not None, Code.VENUE_NOT_FOUND)
        base, quote = self.assets.get(body["base"]), self.assets.get(body["quote"])
        require(base is not None and quote is not None, Code.ASSET_NOT_FOUND)
        is_simulated = [asset.kind == enums.ASSET_SIMULATED for asset in (base, quote)]
        require(is_simulated[0] == is_simulated[1], Code.NOT_SAME_KIND)
        taker_fee, maker_fee = body["takerFee"], body["makerFee"]
        price, tick, lots = body["maxPrice"], body["tickValue"], body["maxLots"]
        top = limits.MAX_NOTIONAL
        is_bounded = (
            body["kind"] == enums.MARKET_SPOT
            and body["base"] != body["quote"]
            and body["id"] >> 16 == body["venue"]
            and 1 <= tick <= limits.MAX_TICK_VALUE
            and 1 <= price <= limits.MAX_PRICE
            and price * tick <= top
            and 1 <= lots <= top // (price * tick)
            and 1 <= body["lotSize"] <= top // lots
            and 0 <= body["minNotional"] <= body["maxNotional"] <= top
            and 0 <= taker_fee <= limits.MAX_TAKER_FEE
            and -limits.MAX_REBATE <= maker_fee <= limits.MAX_MAKER_FEE
            and body["protocolShare"] >= limits.MIN_PROTOCOL_SHARE
            and body["protocolShare"] + body["insuranceShare"] <= PPM
            and body["takerDelay"] <= limits.MAX_TAKER_DELAY
            and body["effectiveAt"] <= limits.MAX_TIME
        )
        require(is_bounded, Code.BAD_PARAMETERS)
        protocol = self.owners[enums.PROTOCOL_OWNER].main_account
        receivers = (venue.fee_account, venue.fund_account, protocol)
        require(self.slots["balance"].has_room(3), Code.TABLE_FULL)
        require(self.slots["market"].has_room(), Code.TABLE_FULL)
        for account in receivers:
            self._get_or_open_balance(account, body["quote"])
        slot = self.slots["market"].take()
        self.markets[slot] = Market(
            slot=slot,
            id=body["id"],
            venue=body["venue"],
            kind=body["kind"],
            base=body["base"],
            quote=body["quote"],
            lot_size=body["lotSize"],
            tick_value=tick,
            min_notional=body["minNotional"],
            max_notional=body["maxNotional"],
            max_lots=lots,
            max_price=price,
            taker_fee=taker_fee,
            maker_fee=maker_fee,
            protocol_share=body["protocolShare"],
            insurance_share=body["insuranceShare"],
            taker_delay=body["takerDelay"],
            listed=body["effectiveAt"],
        )
        self.books[slot] = Book()
        venue.market_count += 1  # Reading: markets ever listed by the venue
        self._emit(events.MARKET_LISTED, market=slot)

    # --- envelopes ---------------------------------------------------------------------------------

    def _run_envelope(self, leaf: bytes, signer: bytes | None, leaf_class: int) -> int:
        envelope = actions.Envelope.from_leaf(leaf)
        try:
            key = self._admit_envelope(envelope, signer, leaf_class)
        except Refused as refused:
            return self._reject_leaf(self._leaf, refused.code, envelope.items, envelope.account)
        if envelope.action in actions.ITEM_LAYOUTS:
            items = actions.unpack_items(envelope)
        else:
            items = [actions.unpack(actions.TYPED_ACTIONS[envelope.action][1], envelope.body)]
        handlers = {
            actions.PLACE: self._place,
            actions.AMEND: self._amend,
            actions.CANCEL: self._cancel,
            actions.TRANSFER: self._transfer,
            actions.WITHDRAW: self._withdraw,
            actions.APPROVE_KEY: self._approve_key,
            actions.REVOKE_KEY: self._revoke_key,
            actions.CREATE_ACCOUNT: self._create_account,
            actions.NOOP: lambda _account, _key, _body: None,
        }
        failed, first_error = 0, 0
        for i, item in enumerate(items):
            try:
                handlers[envelope.action](envelope.account, key, item)
            except Refused as refused:
                self._emit(
                    events.ITEM_REJECTED, account=envelope.account, error=refused.code, flag=i
                )
                failed += 1
                first_error = first_error or refused.code
        return failed << 16 | first_error

    @staticmethod
    def _can_act(account: Account | None) -> bool:
        return (
            account is not None
            and account.state == enums.ACTIVE
            and account.kind != enums.ACCOUNT_FUND
        )

    def _admit_envelope(
        self, envelope: actions.Envelope, signer: bytes | None, leaf_class: int
    ) -> Key:
        account = self.accounts.get(envelope.account)
        require(self._can_act(account), Code.ACCOUNT_NOT_FOUND)
        key = self.keys.get(envelope.key & 0xFFFF_FFFF)
        require(key is not None and key.id == envelope.key, Code.KEY_NOT_FOUND)
        require(key.owner == account.owner, Code.KEY_NOT_OF_OWNER)
        require(signer is not None and signer == key.address, Code.BAD_SIGNATURE)
        nonce = envelope.nonce
        require(
            self.time - limits.NONCE_PAST < nonce < self.time + limits.NONCE_FUTURE,
            Code.NONCE_OUT_OF_WINDOW,
        )
        require(nonce > key.cells[nonce % limits.NONCE_CELLS], Code.NONCE_USED)
        key.cells[nonce % limits.NONCE_CELLS] = nonce  # burnt, whatever follows
        require(self.time <= envelope.expires_after, Code.EXPIRED)
        require(
            envelope.expires_after <= self.time + limits.MAX_EXPIRES_AFTER, Code.EXPIRES_TOO_FAR
        )
        require(key.expires == 0 or self.time < key.expires, Code.KEY_EXPIRED)
        require(key.account in (0, envelope.account), Code.KEY_ACCOUNT)
        if envelope.action in actions.ITEM_LAYOUTS:
            is_in_scope = key.scope & (enums.SCOPE_TRADE | enums.SCOPE_OWNER) != 0
        elif envelope.action == actions.NOOP:
            is_in_scope = True
        else:
            is_in_scope = key.scope & enums.SCOPE_OWNER != 0
        require(is_in_scope, Code.KEY_SCOPE)
        if leaf_class in (2, 3):
            require(self.time <= self.l1_time + limits.STALE_L1, Code.STALE_L1)
        return key

    # --- money and keys ----------------------------------------------------------------------------

    def _transfer(self, account: int, _key: Key, body: dict[str, Any]) -> None:
        target = self.accounts.get(body["toAccount"])
        require(
            self._can_act(target) and body["toAccount"] != account,
            Code.ACCOUNT_NOT_FOUND,
        )
        require(target.owner == self.accounts[account].owner, Code.KEY_NOT_OF_OWNER)
        require(body["asset"] in self.assets, Code.ASSET_NOT_FOUND)
        source = self.accounts[account].balances.get(body["asset"])
        free = source.free if source else 0  # Reading: an asset not held is a free balance of 0
        require(1 <= body["amount"] <= free, Code.AMOUNT_OUT_OF_RANGE)
        code = self._can_open_balance(body["toAccount"], body["asset"])
        require(code == Code.OK, code)
        source.free -= body["amount"]
        self._get_or_open_balance(body["toAccount"], body["asset"]).free += body["amount"]
        self._emit(
            events.TRANSFERRED,
            account=account,
            other_account=body["toAccount"],
            market=body["asset"],
            amount=body["amount"],
        )

    def _withdraw(self, account: int, _key: Key, body: dict[str, Any]) -> None:
        asset = self.assets.get(body["asset"])
        require(asset is not None, Code.ASSET_NOT_FOUND)
        require(asset.kind != enums.ASSET_SIMULATED, Code.NOT_SAME_KIND)
        balance = self.accounts[account].balances.get(body["asset"])
        free = balance.free if balance else 0
        require(1 <= body["amount"] <= free, Code.AMOUNT_OUT_OF_RANGE)
        require(self.slots["outbox"].has_room(), Code.TABLE_FULL)
        balance.free -= body["amount"]
        asset.total -= body["amount"]
        self._pay_out(self.accounts[account].owner, account, body["asset"], body["amount"])

    def _approve_key(self, account: int, _key: Key, body: dict[str, Any]) -> None:
        owner_id = self.accounts[account].owner
        require(len(self.owners[owner_id].keys) < limits.MAX_KEYS, Code.KEY_LIMIT)
        bound = self.accounts.get(body["onlyAccount"])
        is_good = (
            any(body["agent"])
            and body["scope"] == enums.SCOPE_TRADE
            and self.time < body["expires"] <= limits.MAX_TIME
            and (body["onlyAccount"] == 0 or (self._can_act(bound) and bound.owner == owner_id))
            and (body["onlyVenue"] == 0 or body["onlyVenue"] in self.venues)
            and body["maxNotional"] <= 1 << 62
        )
        require(is_good, Code.BAD_KEY)
        require(self._has_room_for("key"), Code.TABLE_FULL)
        self._open_key(
            owner_id,
            address=body["agent"],
            scope=body["scope"],
            account=body["onlyAccount"],
            venue=body["onlyVenue"],
            expires=body["expires"],
            max_notional=body["maxNotional"],
            # Reading: the eight bytes as a big-endian integer without its top bit.
            name=int.from_bytes(body["name"], "big") % (1 << 63),
        )

    def _revoke_key(self, account: int, _key: Key, body: dict[str, Any]) -> None:
        owner_id = self.accounts[account].owner
        revoked = self.keys.get(body["revokedKey"] & 0xFFFF_FFFF)
        require(
            revoked is not None and revoked.id == body["revokedKey"] and revoked.owner == owner_id,
            Code.KEY_NOT_FOUND,
        )
        require(not revoked.scope & enums.SCOPE_OWNER, Code.CANNOT_REVOKE_OWNER_KEY)
        owner = self.owners[owner_id]
        owner.keys.remove(revoked.slot)
        del self.keys[revoked.slot]
        self.slots["key"].give_back(revoked.slot)
        # Reading: the id that the key had, as in KEY_APPROVED.
        self._emit(events.KEY_REVOKED, account=owner.main_account, order=revoked.id)

    def _create_account(self, account: int, _key: Key, _body: dict[str, Any]) -> None:
        owner_id = self.accounts[account].owner
        require(len(self.owners[owner_id].accounts) < limits.MAX_ACCOUNTS, Code.ACCOUNT_LIMIT)
        require(self._has_room_for("account"), Code.TABLE_FULL)
        # Reading: every sub-account is of kind USER, also those of the protocol's owner.
        slot = self._open_account(owner_id, enums.ACCOUNT_USER)
        self._emit(events.ACCOUNT_CREATED, account=slot, order=owner_id, flag=enums.ACCOUNT_USER)

    # --- orders ------------------------------------------------------------------------------------

    def _is_open_for(self, market: Market, tif: int) -> bool:
        """Check 4 of PLACE."""
        is_phase_right = market.phase == enums.PHASE_CONTINUOUS or (
            market.phase == enums.PHASE_POST_ONLY and tif == enums.TIF_POST_ONLY
        )
        is_venue_active = self.venues[market.venue].state == enums.VENUE_ACTIVE
        return is_venue_active and market.listed <= self.time and is_phase_right

    def _check_notional(self, market: Market, key: Key, price: int, lots: int) -> None:
        """Checks 8, 9 and 10 of PLACE."""
        notional = market.notional(price, lots)
        require(notional >= market.min_notional, Code.NOTIONAL_TOO_SMALL)
        require(notional <= market.max_notional, Code.NOTIONAL_TOO_LARGE)
        require(key.max_notional == 0 or notional <= key.max_notional, Code.KEY_NOTIONAL)

    def _place(self, account_id: int, key: Key, item: dict[str, Any]) -> None:
        account = self.accounts[account_id]
        market = self.markets.get(item["market"])
        require(market is not None, Code.MARKET_NOT_FOUND)
        venue, book = self.venues[market.venue], self.books[market.slot]
        side, tif, price, lots = item["side"], item["tif"], item["price"], item["lots"]
        require(key.venue in (0, market.venue), Code.KEY_VENUE)
        require(
            venue.access == enums.ACCESS_OPEN and market.access == enums.ACCESS_OPEN,
            Code.ACCESS_DENIED,
        )
        require(self._is_open_for(market, tif), Code.MARKET_CLOSED)
        require(
            side in (enums.BUY, enums.SELL)
            and tif <= enums.TIF_FOK
            and item["stp"] <= enums.STP_DECREMENT
            and item["flags"] == 0
            and item["expires"] <= limits.MAX_TIME,
            Code.BAD_ORDER_FIELD,
        )
        require(1 <= price <= market.max_price, Code.PRICE_OUT_OF_RANGE)
        require(1 <= lots <= market.max_lots, Code.LOTS_OUT_OF_RANGE)
        self._check_notional(market, key, price, lots)
        require(item["expires"] == 0 or item["expires"] > self.time, Code.ORDER_EXPIRED)
        require(item["interface"] == 0 and item["interface_fee"] == 0, Code.INTERFACE_NOT_APPROVED)
        require(len(account.orders) < limits.MAX_OPEN_ORDERS, Code.TOO_MANY_ORDERS)
        if tif == enums.TIF_POST_ONLY:
            require(not book.is_crossed_by(side, price), Code.POST_ONLY_WOULD_CROSS)
        client_id = int.from_bytes(item["client_id"], "big")
        bucket = self.buckets.get(get_bucket(account_id, client_id), [])
        if client_id:
            require(self._find_by_client_id(account_id, client_id) is None, Code.CLIENT_ID_IN_USE)
            require(len(bucket) < limits.MAX_BUCKET_LENGTH, Code.BUCKET_FULL)
        pay, receive = market.quote, market.base
        if side == enums.SELL:
            pay, receive = receive, pay
        lock = market.lock(side, price, lots)
        paying = account.balances.get(pay)
        require(paying is not None and paying.free >= lock, Code.INSUFFICIENT_BALANCE)
        opens = receive not in account.balances
        require(not opens or not self._is_full_of_balances(account_id), Code.TOO_MANY_BALANCES)
        require(self.slots["order"].has_room(), Code.TABLE_FULL)
        require(not opens or self._has_room_for("balance"), Code.TABLE_FULL)

        self._get_or_open_balance(account_id, receive)
        paying.free -= lock
        paying.locked += lock
        slot = self.slots["order"].take()
        self.order_seq += 1
        order = Order(
            slot=slot,
            generation=self.slots["order"].generation(slot),
            account=account_id,
            market=market.slot,
            key=key.slot,
            side=side,
            tif=tif,
            stp=item["stp"],
            price=price,
            lots=lots,
            locked=lock,
            seq=self.order_seq,
            expires=item["expires"],
            client_id=client_id,
            pay_asset=pay,
            receive_asset=receive,
        )
        self.orders[slot] = order
        account.orders.insert(0, order)
        if client_id:
            self.buckets.setdefault(get_bucket(account_id, client_id), []).insert(0, order)
        if tif == enums.TIF_POST_ONLY:
            self._rest(order)
        else:
            self._wait(order)

    def _wait(self, order: Order) -> None:
        """Put the order at the tail of its book's release queue."""
        market, book = self.markets[order.market], self.books[order.market]
        order.release = max(book.last_release, self.time + market.taker_delay)
        order.release_block = self.block
        if market.taker_delay > 0:
            order.release_block += limits.WAIT_BLOCKS
        book.last_release = order.release
        book.queue.append(order)
        order.state = enums.WAITING
        self._emit_order(events.ORDER_WAITING, order)

    def _rest(self, order: Order) -> None:
        """Append the order to the end of the level at its price."""
        levels = self.books[order.market].levels[order.side]
        if order.price not in levels:
            # There is a slot: the table of levels is as large as that of orders.
            slot = self.slots["level"].take()
            levels[order.price] = Level(slot, self.slots["level"].generation(slot))
        levels[order.price].orders.append(order)
        order.state = enums.RESTING
        self._emit_order(events.ORDER_RESTED, order)

    def _leave_level(self, order: Order) -> None:
        levels = self.books[order.market].levels[order.side]
        levels[order.price].orders.remove(order)
        if not levels[order.price].orders:
            self.slots["level"].give_back(levels.pop(order.price).slot)

    def _pay_balance(self, order: Order) -> Balance:
        return self.accounts[order.account].balances[order.pay_asset]

    def _unlock(self, order: Order, amount: int) -> None:
        balance = self._pay_balance(order)
        order.locked -= amount
        balance.locked -= amount
        balance.free += amount

    def _forget(self, order: Order) -> None:
        """Free the order's slot. It is on no level and locks nothing any more."""
        assert order.locked == 0, "a lock must be given back before its order goes"
        self.accounts[order.account].orders.remove(order)
        if order.client_id:
            self.buckets[get_bucket(order.account, order.client_id)].remove(order)
        del self.orders[order.slot]
        self.slots["order"].give_back(order.slot)

    def _end(self, order: Order, reason: int, *, lots: int | None = None) -> None:
        """Cancel an order that has left its level or queue (or is about to leave its queue)."""
        lots = order.lots if lots is None else lots
        self._emit_order(events.ORDER_CANCELLED, order, tif=reason, lots=lots)
        self._unlock(order, order.locked)
        self._forget(order)

    def _cancel_resting(self, order: Order, reason: int) -> None:
        self._leave_level(order)
        self._end(order, reason)

    def _shrink(self, order: Order, lots: int) -> None:
        """Bring the open lots down to `lots`, in place."""
        lock = self.markets[order.market].lock(order.side, order.price, lots)
        order.lots = lots
        self._unlock(order, order.locked - min(order.locked, lock))

    def _find_by_client_id(self, account: int, client_id: int) -> Order | None:
        if client_id == 0:  # Reading: 0 is no name, also not of the orders without one
            return None
        for order in self.accounts[account].orders:
            if order.client_id == client_id:
                return order
        return None

    def _find_order(self, account: int, item: dict[str, Any]) -> Order:
        if item["order"] == 0:
            order = self._find_by_client_id(account, int.from_bytes(item["client_id"], "big"))
        else:
            order = self.orders.get(item["order"] & 0xFFFF_FFFF)
            if order is not None and order.id != item["order"]:
                order = None
        require(order is not None, Code.ORDER_NOT_FOUND)
        require(order.account == account, Code.NOT_ORDER_OWNER)
        return order

    def _cancel(self, account: int, key: Key, item: dict[str, Any]) -> None:
        order = self._find_order(account, item)
        require(key.venue in (0, self.markets[order.market].venue), Code.KEY_VENUE)
        if order.state == enums.RESTING:
            self._cancel_resting(order, enums.CANCEL_USER)
        else:
            # Reading: a second cancel succeeds again and is recorded again.
            order.flags |= WAS_CANCELLED
            self._emit_order(events.ORDER_AMENDED, order, tif=enums.TIF_IOC)

    def _amend(self, account: int, key: Key, item: dict[str, Any]) -> None:
        order = self._find_order(account, item)
        market, book = self.markets[order.market], self.books[order.market]
        mode = item["mode"]
        price = item["price"] or order.price
        lots = item["lots"] - order.filled
        # Reading: KEY_VENUE comes third, as the list says, though a cancel checks it first.
        require(order.state != enums.WAITING, Code.ORDER_WAITING)
        require(mode <= actions.AMEND_TAKE, Code.BAD_ORDER_FIELD)
        require(key.venue in (0, market.venue), Code.KEY_VENUE)
        require(1 <= item["lots"] <= market.max_lots, Code.LOTS_OUT_OF_RANGE)
        if price == order.price and lots <= order.lots:
            if lots <= 0:
                self._cancel_resting(order, enums.CANCEL_AMEND)
                return
            if lots < order.lots:
                notional = market.notional(price, lots)
                require(notional >= market.min_notional, Code.NOTIONAL_TOO_SMALL)
            self._shrink(order, lots)
            self._emit_order(events.ORDER_AMENDED, order)
            return
        require(mode != actions.AMEND_SHRINK, Code.NOT_A_SHRINK)
        if lots <= 0:
            self._cancel_resting(order, enums.CANCEL_AMEND)
            return
        tif = enums.TIF_POST_ONLY if mode == actions.AMEND_POST_ONLY else enums.TIF_GTC
        require(not order.is_expired(self.time), Code.ORDER_EXPIRED)
        require(self._is_open_for(market, tif), Code.MARKET_CLOSED)
        require(1 <= price <= market.max_price, Code.PRICE_OUT_OF_RANGE)
        self._check_notional(market, key, price, lots)
        if mode == actions.AMEND_POST_ONLY:
            require(not book.is_crossed_by(order.side, price), Code.POST_ONLY_WOULD_CROSS)
        lock = market.lock(order.side, price, lots)
        require(lock - order.locked <= self._pay_balance(order).free, Code.INSUFFICIENT_BALANCE)

        self._leave_level(order)
        self.order_seq += 1
        # Reading: `key` ("key that signed it") becomes the one that signed the amend; the list of what stays does
        # not name it.
        order.key = key.slot
        order.price, order.lots, order.tif, order.seq = price, lots, tif, self.order_seq
        self._unlock(order, order.locked - lock)
        self._emit_order(events.ORDER_AMENDED, order, flag=1)
        if mode == actions.AMEND_POST_ONLY:
            self._rest(order)
        else:
            self._wait(order)

    # --- release and matching ----------------------------------------------------------------------

    def _release(self) -> None:
        """Match the waiting orders that are due."""
        self._meetings = 0
        passed_over: set[int] = set()
        while True:
            heads = [
                book.queue[0]
                for market, book in self.books.items()
                if book.queue and market not in passed_over
            ]
            if not heads:
                return
            taker = min(heads, key=lambda order: (order.release, order.seq))
            if taker.release > self.time or self._meetings >= limits.BLOCK_MEETINGS:
                return
            if taker.release_block > self.block:
                passed_over.add(taker.market)
                continue
            taker.state = enums.TAKING
            self._meetings += 1
            is_done = self._take(taker)
            if is_done:
                self.books[taker.market].queue.pop(0)
                continue
            taker.state = enums.WAITING
            taker.release_block = self.block + 1
            passed_over.add(taker.market)

    def _take(self, taker: Order) -> bool:
        """Match one released order. False if it met `MAX_FILLS` makers and waits on."""
        market, book = self.markets[taker.market], self.books[taker.market]
        opposite = ASK_OF[taker.side]
        if taker.is_expired(self.time):
            self._end(taker, enums.CANCEL_EXPIRED)
            return True
        is_venue_active = self.venues[market.venue].state == enums.VENUE_ACTIVE
        if market.phase != enums.PHASE_CONTINUOUS or not is_venue_active:
            self._end(taker, enums.CANCEL_MARKET)
            return True
        if taker.tif == enums.TIF_FOK and not self._can_fill(taker):
            self._end(taker, enums.CANCEL_FOK)
            return True
        met = 0
        while True:
            if taker.lots == 0:
                self._forget(taker)
                return True
            if not book.is_crossed_by(taker.side, taker.price):
                break
            if met == limits.MAX_FILLS:
                return False
            maker = book.levels[opposite][book.prices(opposite)[0]].orders[0]
            met += 1
            self._meetings += 1
            if maker.is_expired(self.time):
                self._cancel_resting(maker, enums.CANCEL_EXPIRED)
            elif maker.account == taker.account:
                if maker.seq > taker.seq:
                    self._cancel_resting(maker, enums.CANCEL_STP)
                    continue
                if taker.stp in (enums.STP_OLDEST, enums.STP_BOTH):
                    self._cancel_resting(maker, enums.CANCEL_STP)
                if taker.stp in (enums.STP_NEWEST, enums.STP_BOTH):
                    self._end(taker, enums.CANCEL_STP)
                    return True
                if taker.stp == enums.STP_DECREMENT:
                    lots = min(maker.lots, taker.lots)
                    if self._decrement(maker, lots) == 0:
                        self._leave_level(maker)
                        self._forget(maker)
                    if self._decrement(taker, lots) == 0:
                        self._forget(taker)
                        return True
            else:
                self._fill(taker, maker)
        if taker.tif == enums.TIF_GTC and not taker.flags & WAS_CANCELLED:
            self._rest(taker)
        else:
            self._end(taker, enums.CANCEL_IOC)
        return True

    def _can_fill(self, taker: Order) -> bool:
        """Whether a FOK order finds its lots among the first `MAX_FILLS` makers it crosses."""
        book, opposite = self.books[taker.market], ASK_OF[taker.side]
        makers = [
            maker
            for price in book.prices(opposite)
            for maker in book.levels[opposite][price].orders
            if (price <= taker.price if taker.side == enums.BUY else price >= taker.price)
        ]
        found = 0
        for maker in makers[: limits.MAX_FILLS]:
            # Reading: the order at which the walk stops was looked at too.
            self._meetings += 1
            if maker.is_expired(self.time):
                continue
            if maker.account == taker.account:
                if maker.seq < taker.seq and taker.stp != enums.STP_OLDEST:
                    break
                continue
            found += maker.lots
            if found >= taker.lots:
                break
        return found >= taker.lots

    def _decrement(self, order: Order, lots: int) -> int:
        """Take `lots` off an order that met its own account; return what is left."""
        before = order.locked
        self._shrink(order, order.lots - lots)
        if order.lots == 0:
            self._emit_order(
                events.ORDER_CANCELLED, order, tif=enums.CANCEL_STP, lots=0, amount=before
            )
        else:
            self._emit_order(events.ORDER_AMENDED, order)
        return order.lots

    def _fill(self, taker: Order, maker: Order) -> None:
        market, book = self.markets[taker.market], self.books[taker.market]
        venue = self.venues[market.venue]
        lots = min(taker.lots, maker.lots)
        notional, base = market.notional(maker.price, lots), market.base_atoms(lots)

        def bound(order: Order, fee: int) -> int:
            if order.side == enums.SELL:
                return min(fee, notional)
            after = market.notional(order.price, order.lots - lots)
            return min(fee, order.locked - notional - after)

        taker_fee = bound(taker, ceil_div(notional * market.taker_fee, PPM))
        if market.maker_fee >= 0:
            maker_fee = bound(maker, ceil_div(notional * market.maker_fee, PPM))
        else:
            most = taker_fee - ceil_div(taker_fee * market.protocol_share, PPM)
            maker_fee = -min(notional * -market.maker_fee // PPM, most)

        for order, fee in ((taker, taker_fee), (maker, maker_fee)):
            order.lots -= lots
            order.filled += lots
            paying = self._pay_balance(order)
            receiving = self.accounts[order.account].balances[order.receive_asset]
            if order.side == enums.BUY:
                lock = min(
                    order.locked - notional - max(fee, 0),
                    market.lock(order.side, order.price, order.lots),
                )
                paying.locked -= order.locked - lock
                paying.free += order.locked - lock - (notional + fee)
                order.locked = lock
                receiving.free += base
            else:
                paying.locked -= base
                order.locked -= base
                receiving.free += notional - fee

        pot = taker_fee + maker_fee
        rest = (
            pot
            - ceil_div(taker_fee * market.protocol_share, PPM)
            - ceil_div(max(maker_fee, 0) * market.protocol_share, PPM)
        )
        to_venue = rest * (PPM - market.insurance_share) // PPM
        to_insurance = rest * market.insurance_share // PPM
        to_protocol = pot - to_venue - to_insurance
        protocol = self.owners[enums.PROTOCOL_OWNER].main_account
        for account, amount in (
            (venue.fee_account, to_venue),
            (venue.fund_account, to_insurance),
            (protocol, to_protocol),
        ):
            self.accounts[account].balances[market.quote].free += amount

        self.trade_seq += 1
        book.last_price, book.last_time = maker.price, self.time
        book.volume_lots = (book.volume_lots + lots) % (1 << 62)
        book.trades = (book.trades + 1) % (1 << 31)
        self._emit(
            events.FILL,
            order=taker.id,
            other_order=maker.id,
            account=taker.account,
            other_account=maker.account,
            market=market.slot,
            side=taker.side,
            price=maker.price,
            lots=lots,
            left=maker.lots,
            amount=taker_fee,
            amount2=maker_fee,
        )
        if pot > 0:
            # Reading: FEES names the market too, though events.py does not list the column.
            self._emit(
                events.FEES,
                market=market.slot,
                amount=to_venue,
                amount2=to_insurance,
                left=to_protocol,
            )
        if maker.lots == 0:
            self._leave_level(maker)
            self._forget(maker)

    # --- looking at it -----------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state as plain dicts and lists.

        `tests.model.compare` builds the same from record arrays.
        """
        uses: dict[int, int] = {}
        for order in self.orders.values():
            for asset in (order.pay_asset, order.receive_asset):
                slot = self.accounts[order.account].balances[asset].slot
                uses[slot] = uses.get(slot, 0) + 1
        balances = [b for account in self.accounts.values() for b in account.balances.values()]
        queued = [(b.queue[0], market) for market, b in self.books.items() if b.queue]
        return {
            "machine": {
                "block": self.block,
                "time": self.time,
                "seq": self.seq,
                "inbox": self.inbox,
                "l1_time": self.l1_time,
                "order_seq": self.order_seq,
                "trade_seq": self.trade_seq,
                "expiry_cursor": self.expiry_cursor,
            },
            "heads": {
                name: {
                    "high_water": slots.high_water,
                    "in_use": slots.in_use,
                    "free": [(slot, slots.generation(slot)) for slot in reversed(slots.free)],
                }
                for name, slots in self.slots.items()
            },
            "assets": {
                slot: {
                    "token": asset.token.hex(),
                    "kind": asset.kind,
                    "decimals": asset.decimals,
                    "state": asset.state,
                    "venue": asset.venue,
                    "total": asset.total,
                    "dust": asset.dust,
                    "quantum": asset.quantum,
                    "cap": asset.cap,
                }
                for slot, asset in self.assets.items()
            },
            "owners": {
                slot: {
                    "address": owner.address.hex(),
                    "redirect": owner.redirect.hex(),
                    "referrer": owner.referrer,
                    "kind": owner.kind,
                    "flags": owner.flags,
                    "account_count": len(owner.accounts),
                    "key_count": len(owner.keys),
                    "accounts": list(owner.accounts),
                    "keys": list(owner.keys),
                }
                for slot, owner in self.owners.items()
            },
            "accounts": {
                slot: {
                    "generation": self.slots["account"].generation(slot),
                    "state": account.state,
                    "kind": account.kind,
                    "index": account.index,
                    "owner": account.owner,
                    "balance_count": len(account.balances),
                    "order_count": len(account.orders),
                    "balances": [
                        (asset, account.balances[asset].slot) for asset in sorted(account.balances)
                    ],
                    "orders": [order.id for order in account.orders],
                }
                for slot, account in self.accounts.items()
            },
            "keys": {
                slot: {
                    "generation": key.generation,
                    "scope": key.scope,
                    "owner": key.owner,
                    "account": key.account,
                    "venue": key.venue,
                    "expires": key.expires,
                    "address": key.address.hex(),
                    "approved": key.approved,
                    "max_notional": key.max_notional,
                    "name": key.name,
                }
                for slot, key in self.keys.items()
            },
            "nonces": {slot: list(key.cells) for slot, key in self.keys.items()},
            "balances": {
                b.slot: {
                    "generation": self.slots["balance"].generation(b.slot),
                    "account": b.account,
                    "asset": b.asset,
                    "owner": self.accounts[b.account].owner,
                    "free": b.free,
                    "locked": b.locked,
                    "uses": uses.get(b.slot, 0),
                }
                for b in balances
            },
            "venues": {
                slot: {
                    "owner": venue.owner,
                    "fee_account": venue.fee_account,
                    "fund_account": venue.fund_account,
                    "state": venue.state,
                    "access": venue.access,
                    "market_count": venue.market_count,
                    "stake": venue.stake,
                }
                for slot, venue in self.venues.items()
            },
            "markets": {
                slot: {name: value for name, value in vars(market).items() if name != "slot"}
                for slot, market in self.markets.items()
            },
            "orders": {order.id: self._order_snapshot(order) for order in self.orders.values()},
            "books": {
                market: {
                    "bids": self._side_snapshot(book, enums.BUY),
                    "asks": self._side_snapshot(book, enums.SELL),
                    "waiting": [order.id for order in book.queue],
                    "head": (
                        (book.queue[0].release, book.queue[0].seq, book.queue[0].release_block)
                        if book.queue
                        else None
                    ),
                    "last_release": book.last_release,
                    "last_price": book.last_price,
                    "last_time": book.last_time,
                    "volume_lots": book.volume_lots,
                    "trades": book.trades,
                }
                for market, book in self.books.items()
            },
            "release": [
                market
                for _, market in sorted(queued, key=lambda pair: (pair[0].release, pair[0].seq))
            ],
            "buckets": {
                bucket: [order.id for order in chain]
                for bucket, chain in self.buckets.items()
                if chain
            },
            "outbox": {
                slot: {
                    "recipient": record.recipient.hex(),
                    "kind": record.kind,
                    "status": 0,
                    "owner": record.owner,
                    "asset": record.asset,
                    "amount": record.amount,
                    "time": record.time,
                    "inbox": record.inbox,
                    "venue": 0,
                    "market": 0,
                }
                for slot, record in self.outbox.items()
            },
        }

    def _order_snapshot(self, order: Order) -> dict[str, Any]:
        balances = self.accounts[order.account].balances
        values = {name: getattr(order, name) for name in ORDER_FIELDS}
        values["pay_balance"] = balances[order.pay_asset].slot
        values["receive_balance"] = balances[order.receive_asset].slot
        # The release fields mean something only while the order waits.
        is_waiting = order.state == enums.WAITING
        values["release"] = (order.release, order.release_block) if is_waiting else None
        return values

    @staticmethod
    def _side_snapshot(book: Book, side: int) -> list[dict[str, Any]]:
        return [
            {
                "slot": book.levels[side][price].slot,
                "generation": book.levels[side][price].generation,
                "price": price,
                "lots": sum(order.lots for order in book.levels[side][price].orders),
                "count": len(book.levels[side][price].orders),
                "orders": [order.id for order in book.levels[side][price].orders],
            }
            for price in book.prices(side)
        ]
