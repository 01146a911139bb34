"""What the API answers, as types: JSON and the OpenAPI document follow from them.

Numbers that may pass 2^53 (sizes, money, times, ids, seqs) are decimal text; prices, slots and counts are
numbers. Prices are ticks, sizes lots, money atoms, times ms since 1970.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from tradezone.client.session import SessionRequest
from tradezone.service.perps import PRICE_STATES
from tradezone.service.state import SIDES, TIFS, MarketInfo, ZoneState

from .errors import ErrorBody

if TYPE_CHECKING:
    from tradezone.service import Ticker
    from tradezone.service.history import BlockRow, FundingRow, MarginRow, Movement, OrderRow
    from tradezone.views import Candle, DepthSnapshot, Level, Trade

T = TypeVar("T")


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Every error."""

    error: ErrorBody


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A page, newest first. ``next`` goes into ``before`` of the next request; null: there is no more."""

    data: list[T]
    next: str | None


class DomainInfo(msgspec.Struct, frozen=True):
    """EIP-712 domain of everything that is signed."""

    name: str
    version: str
    chain_id: int
    contract: str
    separator: str


class LimitsInfo(msgspec.Struct, frozen=True):
    """Bounds of the gateway."""

    requests_per_minute: int
    envelopes_per_request: int
    subscriptions_per_connection: int
    body_bytes: int


class ZoneInfo(msgspec.Struct, frozen=True):
    """What a client must know before it signs anything."""

    name: str
    version: str
    records_version: int
    domain: DomainInfo
    sequencer: str  # address that signs block heads in this epoch
    epoch: str
    is_local: bool  # no L1, no real money
    state: ZoneState
    limits: LimitsInfo


class TimeInfo(msgspec.Struct, frozen=True):
    """The zone's clock: nonces are measured by it."""

    time: str


class LevelInfo(msgspec.Struct, frozen=True):
    """All that rests at a price."""

    price: int
    lots: str
    orders: int


class BookInfo(msgspec.Struct, frozen=True):
    """Depth of a market. ``checksum`` is over the whole book, see docs/reference/api.md."""

    market: int
    seq: str
    bids: list[LevelInfo]
    asks: list[LevelInfo]
    checksum: int


class TradeInfo(msgspec.Struct, frozen=True):
    """A trade. ``side`` is the taker's."""

    seq: str
    time: str
    market: int
    side: str
    price: int
    lots: str


class FillInfo(msgspec.Struct, frozen=True):
    """A trade of an account, from its side. A negative fee is received."""

    seq: str
    time: str
    market: int
    role: str  # taker or maker
    side: str
    price: int
    lots: str
    fee: str
    order: str


class CandleInfo(msgspec.Struct, frozen=True):
    """What traded from ``start`` on. ``turnover`` is the sum of ticks * lots."""

    start: str
    open: int
    high: int
    low: int
    close: int
    lots: str
    turnover: str
    trades: int


class TickerInfo(msgspec.Struct, frozen=True):
    """A market at a glance; figures of the last day. Null: nothing rests on that side."""

    market: int
    time: str
    seq: str
    last: int
    best_bid: int | None
    bid_lots: str
    best_ask: int | None
    ask_lots: str
    open: int
    high: int
    low: int
    lots: str
    turnover: str
    trades: int
    mark: int | None  # of perpetuals, ticks
    index: int | None
    funding_rate: int | None  # ppb of the last hour, positive: longs paid
    price_state: str | None


class OrderRecord(msgspec.Struct, frozen=True):
    """An order, open or done. ``state`` has the official name."""

    id: str
    account: int
    market: int
    side: str
    tif: str
    price: int
    client_id: str
    lots: str  # open
    filled: str
    cost: str  # sum of ticks * lots over its fills
    state: str
    reason: int  # why it was cancelled, CANCEL_*
    created: str
    updated: str
    event: (
        str  # seq of the last event that changed it: what a stream tells behind it is not in here
    )


class MovementInfo(msgspec.Struct, frozen=True):
    """Money received (or given: negative) apart from trades."""

    seq: str
    time: str
    asset: int
    kind: str
    amount: str
    reference: str


class FundingInfo(msgspec.Struct, frozen=True):
    """A funding hour of a perpetual. ``rate`` is ppb of the index, positive: longs paid shorts."""

    seq: str
    time: str
    rate: int
    funding_index: str


class MarginEventInfo(msgspec.Struct, frozen=True):
    """What happened to an account's positions apart from trades.

    ``kind``: funding, realised, liquidation_begun (``amount`` = equity, ``reference`` = maintenance margin), liquidation_ended, forced_order
    (``reference`` = its id), takeover, deleveraged (``reference`` = 1 both sides bankrupt, 2 counterparty, 3 bankrupt), settled. ``lots`` is
    the change of the position, ``amount`` what its pool received, negative: paid.
    """

    seq: str
    time: str
    market: int
    kind: str
    lots: str
    amount: str
    reference: str


class BlockInfo(msgspec.Struct, frozen=True):
    """A block and its signed head."""

    number: str
    time: str
    epoch: str
    first_seq: str
    leaves: int
    inbox_index: str
    head: str
    parent: str
    signature: str


class BatchInfo(msgspec.Struct, frozen=True):
    """A published batch and the state root behind it."""

    number: int
    header: str
    header_hash: str
    state_root: str
    first_block: int
    blocks: int
    first_seq: int
    count: int
    inbox_index: int


class WithdrawalProofInfo(msgspec.Struct, frozen=True):
    """A withdrawal's record and its siblings under the root of the last batch.

    L1 pays against a *final* root: `tradezone prove withdrawal` computes that proof from published data.
    """

    id: int
    batch: int
    state_root: str
    words: list[str]
    siblings: list[str]


class PreviewRequest(msgspec.Struct, forbid_unknown_fields=True):
    """An order that is thought about."""

    market: int
    side: str
    price: int
    lots: str
    interface_fee: int = 0


class MarginPreviewRequest(msgspec.Struct, forbid_unknown_fields=True):
    """An order of a perpetual that is thought about."""

    market: int
    side: str
    price: int
    lots: str
    is_reduce_only: bool = False
    interface_fee: int = 0


class PreviewInfo(msgspec.Struct, frozen=True):
    """What an order would lock and cost at worst, atoms of the quote asset unless said otherwise."""

    notional: str
    taker_fee: str
    maker_fee: str
    locked_asset: int
    locked: str


class SessionBody(msgspec.Struct, forbid_unknown_fields=True):
    """A signed session (`tradezone.client.sign_session`)."""

    account: int
    key: str
    issued: str
    expires: str
    signature: str

    def to_request(self) -> SessionRequest:
        """Return what was signed. ValueError if a part is no number or no hex, or does not fit."""
        key, issued, expires = values = [int(n) for n in (self.key, self.issued, self.expires)]
        if not 0 <= self.account < 1 << 32 or any(not 0 <= value < 1 << 64 for value in values):
            raise ValueError("a number is out of range")
        signature = bytes.fromhex(self.signature.removeprefix("0x"))
        return SessionRequest(self.account, key, issued, expires, signature)


class SessionInfo(msgspec.Struct, frozen=True):
    """An open session: send ``Authorization: Bearer <token>``."""

    token: str
    owner: int
    account: int  # the only one it may ask about, 0 = all of its owner's
    expires: str


def to_levels(levels: tuple[Level, ...]) -> list[LevelInfo]:
    """Return levels as they are answered."""
    return [LevelInfo(level.price, str(level.lots), level.orders) for level in levels]


def to_book(depth: DepthSnapshot, count: int | None = None) -> BookInfo:
    """Return depth as it is answered, ``count`` levels a side."""
    bids, asks = to_levels(depth.bids[:count]), to_levels(depth.asks[:count])
    return BookInfo(depth.market, str(depth.seq), bids, asks, depth.checksum)


def to_trade(trade: Trade) -> TradeInfo:
    """Return a trade as everybody may see it: without the parties."""
    side = SIDES[trade.side]
    return TradeInfo(
        str(trade.seq), str(trade.time), trade.market, side, trade.price, str(trade.lots)
    )


def to_fill(trade: Trade, account: int) -> list[FillInfo]:
    """Return a trade from an account's side; twice if both sides are its own."""
    sides = (
        ("taker", trade.taker_account, trade.side, trade.taker_fee, trade.taker),
        ("maker", trade.maker_account, 1 - trade.side, trade.maker_fee, trade.maker),
    )
    return [
        FillInfo(
            str(trade.seq),
            str(trade.time),
            trade.market,
            role,
            SIDES[side],
            trade.price,
            str(trade.lots),
            str(fee),
            str(order),
        )
        for role, party, side, fee, order in sides
        if party == account
    ]


def to_candle(candle: Candle) -> CandleInfo:
    """Return a candle as it is answered."""
    return CandleInfo(
        str(candle.start),
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        str(candle.lots),
        str(candle.turnover),
        candle.trades,
    )


def to_ticker(ticker: Ticker) -> TickerInfo:
    """Return a ticker as it is answered."""
    values: dict[str, Any] = ticker._asdict()
    for name in ("time", "seq", "bid_lots", "ask_lots", "lots", "turnover"):
        values[name] = str(values[name])
    values["index"] = values.pop("index_price")
    if values["price_state"] is not None:
        values["price_state"] = PRICE_STATES[values["price_state"]]
    return TickerInfo(**values)


def to_order(row: OrderRow) -> OrderRecord:
    """Return an order of the history as it is answered."""
    return OrderRecord(
        id=str(row.id),
        account=row.account,
        market=row.market,
        side=SIDES[row.side],
        tif=TIFS.get(row.tif, str(row.tif)),
        price=row.price,
        client_id="0x" + (row.client_id or bytes(16)).hex(),
        lots=str(row.lots),
        filled=str(row.filled),
        cost=row.cost,
        state=row.state,
        reason=row.reason,
        created=str(row.time),
        updated=str(row.updated),
        event=str(row.event),
    )


def to_movement(row: Movement) -> MovementInfo:
    """Return a movement as it is answered."""
    return MovementInfo(
        str(row.seq), str(row.time), row.asset, row.kind, str(row.amount), str(row.reference)
    )


def to_funding(row: FundingRow) -> FundingInfo:
    """Return a funding hour as it is answered."""
    return FundingInfo(str(row.seq), str(row.time), row.rate, str(row.sum))


def to_margin_event(row: MarginRow) -> MarginEventInfo:
    """Return what happened to a position as it is answered."""
    texts = (str(row.lots), str(row.amount), str(row.reference))
    return MarginEventInfo(str(row.seq), str(row.time), row.market, row.kind, *texts)


def to_block(row: BlockRow) -> BlockInfo:
    """Return a block as it is answered."""
    return BlockInfo(
        str(row.number),
        str(row.time),
        str(row.epoch),
        str(row.first_seq),
        row.leaves,
        str(row.inbox_index),
        "0x" + row.head.hex(),
        "0x" + row.parent.hex(),
        "0x" + row.signature.hex(),
    )


class MarketPage(msgspec.Struct, frozen=True):
    """Markets behind a slot, by rising slot."""

    data: list[MarketInfo]
    next: int | None
