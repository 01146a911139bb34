"""REST: what can be read, and the documented form of order entry. OpenAPI follows from this file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from litestar import Litestar, Request, Response, delete, get, post
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.params import FromQuery, JSONBody, Parameter
from litestar.response import File
from msgspec import UNSET

from tradezone import __version__
from tradezone.protocol.actions import DOMAIN_NAME, DOMAIN_VERSION
from tradezone.protocol.enums import BUY, MARKET_PERP, MARKET_SPOT, SELL
from tradezone.protocol.errors import EXPLANATIONS
from tradezone.protocol.hashing import keccak
from tradezone.protocol.limits import PPM
from tradezone.protocol.records import RECORDS_VERSION, TABLE_BY_NAME
from tradezone.sequencer import BatchError, EventLog
from tradezone.sequencer.batches import read_batch_meta
from tradezone.service import ServiceError, perps, state
from tradezone.service.history import MAX_PAGE
from tradezone.state.tree import fold_proof, leaf_hash, to_words
from tradezone.views import INTERVALS, MarketTerms, Terms

from .errors import ApiError, ErrorBody, Problem, to_api_error
from .orders import (
    MAX_ENVELOPES,
    EnvelopeAnswer,
    OrderAnswer,
    OrderRequest,
    answer_json,
    decode_envelopes,
)
from .schemas import (
    BatchInfo,
    BlockInfo,
    BookInfo,
    CandleInfo,
    DomainInfo,
    ErrorAnswer,
    FillInfo,
    FundingInfo,
    LimitsInfo,
    MarginEventInfo,
    MarginPreviewRequest,
    MarketPage,
    MovementInfo,
    OrderRecord,
    Page,
    PreviewInfo,
    PreviewRequest,
    SessionBody,
    SessionInfo,
    TickerInfo,
    TimeInfo,
    TradeInfo,
    WithdrawalProofInfo,
    ZoneInfo,
    to_block,
    to_book,
    to_candle,
    to_fill,
    to_funding,
    to_margin_event,
    to_movement,
    to_order,
    to_ticker,
    to_trade,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradezone.engine import Engine
    from tradezone.sequencer import EnvelopeRejectedError
    from tradezone.service import Node

    from .door import Door
    from .sessions import Session, Sessions

_log = EventLog("gateway.rest")

Limit = Annotated[int, Parameter(ge=1, le=MAX_PAGE, description="Rows on the page.")]
Before = Annotated[
    str | None,
    Parameter(pattern=r"^[0-9]{1,18}$", description="Cursor: `next` of the page before."),
]
Slot = Annotated[int, Parameter(ge=1, lt=1 << 31)]
Hash = Annotated[str, Parameter(pattern=r"^0x[0-9a-fA-F]{64}$")]
Address = Annotated[str, Parameter(pattern=r"^0x[0-9a-fA-F]{40}$")]
ClientId = Annotated[str, Parameter(pattern=r"^0x[0-9a-fA-F]{32}$")]
Big = Annotated[str, Parameter(pattern=r"^[0-9]{1,18}$")]
Mode = Annotated[str, Parameter(pattern=r"^(sync|async)$")]

INTERVAL_NAMES: Final = {
    "1s": 1_000,
    "5s": 5_000,
    "15s": 15_000,
    "1m": 60_000,
    "5m": 300_000,
    "15m": 900_000,
    "1h": 3_600_000,
    "4h": 14_400_000,
    "1d": 86_400_000,
}
assert tuple(INTERVAL_NAMES.values()) == INTERVALS


def _found(value: Any, what: str, hint: str = "") -> Any:
    if value is None:
        raise ApiError(Problem.NOT_FOUND, f"there is no {what}", hint)
    return value


def _to_cursor(before: str | None) -> int | None:
    return int(before) if before is not None else None


def _page(rows: list[Any], data: list[Any], limit: int, cursor: str) -> Page[Any]:
    return Page(data, str(getattr(rows[-1], cursor)) if len(rows) == limit else None)


class Rest:
    """Handlers around one node."""

    def __init__(self, node: Node, door: Door, sessions: Sessions) -> None:
        self.node = node
        self.door = door
        self.sessions = sessions

    def authorize(self, request: Request[Any, Any, Any], account: int | None = None) -> Session:
        """Return the session of a request, which may ask about an account."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        session = self.sessions.get(token if scheme.lower() == "bearer" else None)
        if account is not None:
            self.sessions.authorize(session, account)
        return session

    def build(self) -> list[Any]:
        """Return all handlers."""
        return [
            *self._zone(),
            *self._markets(),
            *self._perpetuals(),
            *self._explorer(),
            *self._account(),
            *self._margin(),
            *self._entry(),
        ]

    # --- the zone ------------------------------------------------------------------------------------

    def _zone(self) -> list[Any]:
        node, door = self.node, self.door

        @get("/v1/zone", tags=["zone"])
        async def zone() -> ZoneInfo:
            """Return what a client must know before it signs anything, and where the zone stands."""
            config = node.config
            domain = DomainInfo(
                DOMAIN_NAME,
                DOMAIN_VERSION,
                config.domain.chain_id,
                config.domain.contract,
                "0x" + node.separator.hex(),
            )
            gateway = config.gateway
            return ZoneInfo(
                config.name,
                __version__,
                RECORDS_VERSION,
                domain,
                "0x" + node.sequencer.address.hex(),
                str(config.sequencer.epoch),
                config.l1 is UNSET,
                await door.query(state.fetch_zone),
                LimitsInfo(
                    gateway.requests_per_minute,
                    MAX_ENVELOPES,
                    gateway.max_subscriptions,
                    gateway.max_body_bytes,
                ),
            )

        @get("/v1/time", tags=["zone"], sync_to_thread=False)
        def zone_time() -> TimeInfo:
            """Return the zone's clock, by which nonces are measured."""
            return TimeInfo(str(node.clock.now()))

        @get("/v1/errors", tags=["zone"], sync_to_thread=False)
        def errors() -> list[ErrorBody]:
            """All codes of the protocol, with what they mean and what to do."""
            return [
                ErrorBody(int(code), code.name, known.text, known.hint)
                for code, known in EXPLANATIONS.items()
            ]

        @get("/v1/assets", tags=["markets"])
        async def assets() -> list[state.AssetInfo]:
            """All assets."""
            return await door.query(state.fetch_assets)

        @get("/v1/venues", tags=["markets"])
        async def venues() -> list[state.VenueInfo]:
            """All venues."""
            return await door.query(state.fetch_venues)

        @get("/v1/owners/{address:str}", tags=["zone"])
        async def owner(address: Address) -> state.OwnerInfo:
            """Ids of an owner, its accounts and keys, by its L1 address."""
            raw = bytes.fromhex(address[2:])
            found = await door.query(state.fetch_owner, raw)
            return _found(found, f"owner {address}", "deposit or register on L1 first")  # type: ignore[no-any-return]

        return [zone, zone_time, errors, assets, venues, owner]

    # --- market data ---------------------------------------------------------------------------------

    def _markets(self) -> list[Any]:
        node, door = self.node, self.door

        @get("/v1/markets", tags=["markets"])
        async def markets(
            after: Annotated[int, Parameter(ge=0, lt=1 << 31)] = 0, limit: Limit = 200
        ) -> MarketPage:
            """Markets, by rising slot."""
            rows = await door.query(state.fetch_markets, after, limit)
            return MarketPage(rows, rows[-1].id if len(rows) == limit else None)

        async def find(market: int) -> state.MarketInfo:
            found = await door.query(state.fetch_market, market)
            return _found(found, f"market {market}", "GET /v1/markets lists them")  # type: ignore[no-any-return]

        @get("/v1/markets/{market:int}", tags=["markets"])
        async def market(market: Slot) -> state.MarketInfo:
            """Terms of a market and where it stands."""
            return await find(market)

        @get("/v1/markets/{market:int}/book", tags=["markets"])
        async def book(
            market: Slot, depth: Annotated[int, Parameter(ge=1, le=5_000)] = 100
        ) -> BookInfo:
            """Depth of a market, best levels first. The checksum is over the whole book."""
            await find(market)
            return to_book(await door.ask("depth", market), depth)

        @get("/v1/markets/{market:int}/trades", tags=["markets"])
        async def trades(
            market: Slot, before: Before = None, limit: Limit = 100
        ) -> Page[TradeInfo]:
            """Trades of a market, newest first, as far back as the zone goes."""
            await find(market)
            rows = await asyncio.to_thread(
                node.history.fetch_trades, market, _to_cursor(before), limit
            )
            return _page(rows, [to_trade(row) for row in rows], limit, "seq")

        @get("/v1/markets/{market:int}/candles", tags=["markets"])
        async def candles(
            market: Slot,
            interval: FromQuery[str] = "1m",
            start: Big = "0",
            stop: FromQuery[Big | None] = None,
            limit: Limit = 500,
        ) -> list[CandleInfo]:
            """Candles in which something traded, oldest first. Intervals: 1s 5s 15s 1m 5m 15m 1h 4h 1d."""
            await find(market)
            width = INTERVAL_NAMES.get(interval)
            if width is None:
                text = f"interval is {interval!r}, expected one of {', '.join(INTERVAL_NAMES)}"
                raise ApiError(Problem.BAD_REQUEST, text)
            end = int(stop) if stop is not None else node.clock.now() + 1
            rows = await asyncio.to_thread(
                node.history.fetch_candles, market, width, int(start), end, limit
            )
            return [to_candle(row) for row in rows]

        @get("/v1/markets/{market:int}/ticker", tags=["markets"])
        async def ticker(market: Slot) -> TickerInfo:
            """Return a market at a glance."""
            await find(market)
            return to_ticker(await door.ask("ticker", market))

        @get("/v1/tickers", tags=["markets"])
        async def tickers() -> list[TickerInfo]:
            """All markets at a glance."""
            count = await door.query(state.get_used, "market")
            return [to_ticker(row) for row in await door.ask("tickers", list(range(1, count)))]

        @post("/v1/preview", tags=["markets"], status_code=200)
        async def preview(data: JSONBody[PreviewRequest]) -> PreviewInfo:
            """Tell what an order would lock, and its worst fees, before it is sent."""
            return await _preview(self, data, await find(data.market))

        return [markets, market, book, trades, candles, ticker, tickers, preview]

    # --- perpetuals ----------------------------------------------------------------------------------

    def _perpetuals(self) -> list[Any]:
        node, door = self.node, self.door

        @get("/v1/perpetuals", tags=["markets"])
        async def perpetuals() -> list[perps.PerpInfo]:
            """All perpetuals: prices, funding, open interest, risk parameters."""
            return await door.query(perps.fetch_perpetuals)

        @get("/v1/markets/{market:int}/perpetual", tags=["markets"])
        async def perpetual(market: Slot) -> perps.PerpInfo:
            """Price, funding, open interest and risk parameters of a perpetual."""
            found = await door.query(perps.fetch_perpetual, market)
            return _found(found, f"perpetual {market}", "GET /v1/perpetuals lists them")  # type: ignore[no-any-return]

        @get("/v1/markets/{market:int}/funding", tags=["markets"])
        async def funding(
            market: Slot, before: Before = None, limit: Limit = 100
        ) -> Page[FundingInfo]:
            """Funding hours of a perpetual, newest first."""
            if not await door.query(perps.is_perpetual, market):
                raise ApiError(Problem.NOT_FOUND, f"there is no perpetual {market}")
            rows = await asyncio.to_thread(
                node.history.fetch_funding, market, _to_cursor(before), limit
            )
            return _page(rows, [to_funding(row) for row in rows], limit, "seq")

        @get("/v1/funds", tags=["markets"])
        async def funds() -> list[perps.FundInfo]:
            """List what every venue holds for its perpetuals: cash, deficit, insurance fund, cap."""
            return await door.query(perps.fetch_funds)

        return [perpetuals, perpetual, funding, funds]

    # --- explorer ------------------------------------------------------------------------------------

    def _explorer(self) -> list[Any]:  # noqa: C901 -- one small function a route
        node, door = self.node, self.door
        folder = node.config.directory / "batches"

        @get("/v1/blocks", tags=["explorer"])
        async def blocks(before: Before = None, limit: Limit = 50) -> Page[BlockInfo]:
            """Blocks with their signed heads, newest first."""
            rows = await asyncio.to_thread(node.history.fetch_blocks, _to_cursor(before), limit)
            return _page(rows, [to_block(row) for row in rows], limit, "number")

        @get("/v1/blocks/{number:str}", tags=["explorer"])
        async def block(number: Big) -> BlockInfo:
            """Return a block with its signed head."""
            rows = await asyncio.to_thread(node.history.fetch_blocks, int(number) + 1, 1)
            is_it = bool(rows) and rows[0].number == int(number)
            return to_block(_found(rows[0] if is_it else None, f"block {number}"))

        @get("/v1/batches", tags=["explorer"])
        async def batches(before: Before = None, limit: Limit = 20) -> Page[BatchInfo]:
            """List published batches with their state roots, newest first."""
            builder = node.sequencer.batches
            assert builder is not None
            newest = min(builder.next_number - 1, (_to_cursor(before) or 1 << 62) - 1)
            numbers = range(newest, max(newest - limit, 0), -1)
            data = [await asyncio.to_thread(read, number) for number in numbers]
            return Page(data, str(numbers[-1]) if len(data) == limit and numbers[-1] > 1 else None)

        def read(number: int) -> BatchInfo:
            path = folder / f"{number}.json"
            try:
                return BatchInfo(**read_batch_meta(path).to_json())
            except BatchError:
                hint = "batches are published when they are due, see zone.yaml"
                raise ApiError(Problem.NOT_FOUND, f"there is no batch {number}", hint) from None

        @get("/v1/batches/{number:int}", tags=["explorer"])
        async def batch(number: Slot) -> BatchInfo:
            """Return a published batch and the state root behind it."""
            return await asyncio.to_thread(read, number)

        @get(
            "/v1/batches/{number:int}/file",
            tags=["explorer"],
            media_type="application/octet-stream",
        )
        async def batch_file(number: Slot) -> File:
            """Return the batch file (docs/spec/batches.md): all leaves, to be replayed by anybody."""
            await asyncio.to_thread(read, number)
            name = f"{number}.batch"
            return File(folder / name, filename=name, media_type="application/octet-stream")

        @get("/v1/receipts/{seq:str}", tags=["explorer"])
        async def receipt(seq: Big) -> dict[str, Any]:
            """Return the receipt of a leaf, see docs/spec/receipts.md."""
            found = await asyncio.to_thread(node.history.fetch_receipt, int(seq))
            body: dict[str, Any] = _found(found, f"leaf {seq}").to_json()
            return body

        @get("/v1/leaves/{leaf_hash:str}", tags=["explorer"])
        async def leaf(leaf_hash: Hash) -> dict[str, Any]:
            """Return the receipt of a leaf by its hash: how an envelope that was sent blindly is found."""
            digest = bytes.fromhex(leaf_hash[2:])
            seq = await asyncio.to_thread(node.history.find_leaf, digest)
            seq = _found(seq, f"leaf {leaf_hash}", "it was refused, or waits for its block")
            found = await asyncio.to_thread(node.history.fetch_receipt, seq)
            body: dict[str, Any] = _found(found, f"leaf {leaf_hash}").to_json()
            return body

        @get("/v1/withdrawals/{number:int}", tags=["explorer"])
        async def withdrawal(number: Slot) -> state.WithdrawalInfo:
            """Return a withdrawal as it stands in the outbox."""
            found = await door.query(state.fetch_withdrawal, number)
            return _found(found, f"withdrawal {number}")  # type: ignore[no-any-return]

        @get("/v1/withdrawals/{number:int}/proof", tags=["explorer"])
        async def withdrawal_proof(number: Slot) -> WithdrawalProofInfo:
            """Return the proof of a withdrawal under the root of the last batch."""
            builder = node.sequencer.batches
            assert builder is not None
            found, newest = await door.query(
                lambda engine: (_prove(engine, number), builder.next_number - 1)
            )
            root, words, siblings = _found(found, f"withdrawal {number}")
            batch = (await asyncio.to_thread(read, newest)) if newest else None
            if batch is None or batch.state_root != "0x" + root.hex():
                text = f"withdrawal {number} is in no published batch yet"
                raise ApiError(Problem.NOT_FOUND, text, "it is proven once its batch is published")
            return WithdrawalProofInfo(number, newest, batch.state_root, words, siblings)

        return [
            blocks,
            block,
            batches,
            batch,
            batch_file,
            receipt,
            leaf,
            withdrawal,
            withdrawal_proof,
        ]

    # --- accounts ------------------------------------------------------------------------------------

    def _account(self) -> list[Any]:  # noqa: C901 -- as _explorer
        node, door = self.node, self.door
        secured: dict[str, Any] = {"tags": ["account"], "security": [{"session": []}]}

        @get("/v1/accounts", **secured)
        async def accounts(request: Request[Any, Any, Any]) -> state.OwnerInfo:
            """Return the session's owner: its accounts and keys."""
            session = self.authorize(request)
            return await door.query(state.read_owner, session.owner)

        @get("/v1/accounts/{account:int}", **secured)
        async def account(request: Request[Any, Any, Any], account: Slot) -> state.AccountInfo:
            """Return an account."""
            self.authorize(request, account)
            return await door.query(state.fetch_account, account)

        @get("/v1/accounts/{account:int}/balances", **secured)
        async def balances(
            request: Request[Any, Any, Any], account: Slot
        ) -> list[state.BalanceInfo]:
            """Balances of an account, free and locked."""
            self.authorize(request, account)
            return await door.query(state.fetch_balances, account)

        @get("/v1/accounts/{account:int}/positions", **secured)
        async def positions(
            request: Request[Any, Any, Any], account: Slot
        ) -> list[state.HoldingInfo]:
            """Return what an account holds of outcomes."""
            self.authorize(request, account)
            return await door.query(state.fetch_holdings, account)

        @get("/v1/accounts/{account:int}/open-orders", **secured)
        async def open_orders(
            request: Request[Any, Any, Any],
            account: Slot,
            market: Annotated[int, Parameter(ge=0, lt=1 << 31)] = 0,
        ) -> list[state.OrderInfo]:
            """Open orders of an account, newest first; of one market, or of all."""
            self.authorize(request, account)
            return await door.query(state.fetch_orders, account, market)

        @get("/v1/accounts/{account:int}/plans", **secured)
        async def plans(request: Request[Any, Any, Any], account: Slot) -> list[state.PlanInfo]:
            """Plans of an account that may still fire."""
            self.authorize(request, account)
            return await door.query(state.fetch_plans, account)

        @get("/v1/accounts/{account:int}/orders", **secured)
        async def orders(
            request: Request[Any, Any, Any],
            account: Slot,
            market: FromQuery[Slot | None] = None,
            before: Before = None,
            limit: Limit = 100,
        ) -> Page[OrderRecord]:
            """All orders of an account, open and done, newest first, without an end."""
            self.authorize(request, account)
            rows = await asyncio.to_thread(
                node.history.fetch_orders, account, _to_cursor(before), limit, market
            )
            return _page(rows, [to_order(row) for row in rows], limit, "seq")

        @get("/v1/accounts/{account:int}/orders/{order:str}", **secured)
        async def order(request: Request[Any, Any, Any], account: Slot, order: Big) -> OrderRecord:
            """Return an order by its id."""
            self.authorize(request, account)
            row = await asyncio.to_thread(node.history.fetch_order, int(order))
            is_own = row is not None and row.account == account
            return to_order(_found(row if is_own else None, f"order {order} of account {account}"))

        @get("/v1/accounts/{account:int}/client-orders/{client_id:str}", **secured)
        async def client_order(
            request: Request[Any, Any, Any], account: Slot, client_id: ClientId
        ) -> OrderRecord:
            """Return the newest order of an account with a client id."""
            self.authorize(request, account)
            raw = bytes.fromhex(client_id[2:])
            row = await asyncio.to_thread(node.history.find_order, account, raw)
            return to_order(_found(row, f"order with client id {client_id}"))

        @get("/v1/accounts/{account:int}/fills", **secured)
        async def fills(
            request: Request[Any, Any, Any],
            account: Slot,
            market: FromQuery[Slot | None] = None,
            before: Before = None,
            limit: Limit = 100,
        ) -> Page[FillInfo]:
            """List fills of an account, newest first, without an end."""
            self.authorize(request, account)
            rows = await asyncio.to_thread(
                node.history.fetch_fills, account, market, _to_cursor(before), limit
            )
            return _page(
                rows, [fill for row in rows for fill in to_fill(row, account)], limit, "seq"
            )

        @get("/v1/accounts/{account:int}/ledger", **secured)
        async def ledger(
            request: Request[Any, Any, Any],
            account: Slot,
            before: Before = None,
            limit: Limit = 100,
        ) -> Page[MovementInfo]:
            """Deposits, withdrawals and transfers of an account, newest first."""
            self.authorize(request, account)
            rows = await asyncio.to_thread(
                node.history.fetch_movements, account, _to_cursor(before), limit
            )
            return _page(rows, [to_movement(row) for row in rows], limit, "seq")

        @get("/v1/quota", **secured)
        async def quota(request: Request[Any, Any, Any]) -> state.QuotaInfo:
            """Actions that the session's owner has left."""
            session = self.authorize(request)
            return await door.query(state.fetch_quota, session.owner)

        @get("/v1/keys", **secured)
        async def keys(request: Request[Any, Any, Any]) -> list[state.KeyInfo]:
            """Active keys of the session's owner."""
            session = self.authorize(request)
            return await door.query(state.fetch_keys, session.owner)

        return [
            accounts,
            account,
            balances,
            positions,
            open_orders,
            plans,
            orders,
            order,
            client_order,
            fills,
            ledger,
            quota,
            keys,
        ]

    # --- margin --------------------------------------------------------------------------------------

    def _margin(self) -> list[Any]:
        node, door = self.node, self.door
        secured: dict[str, Any] = {"tags": ["account"], "security": [{"session": []}]}

        @get("/v1/accounts/{account:int}/pools", **secured)
        async def pools(request: Request[Any, Any, Any], account: Slot) -> list[perps.PoolInfo]:
            """Margin pools of an account with their positions, at the marks."""
            self.authorize(request, account)
            copy = await door.query(perps.copy_margin, account)
            return await asyncio.to_thread(perps.build_pools, copy)

        @get("/v1/accounts/{account:int}/margin-events", **secured)
        async def margin_events(
            request: Request[Any, Any, Any],
            account: Slot,
            before: Before = None,
            limit: Limit = 100,
        ) -> Page[MarginEventInfo]:
            """Funding, realised profit, liquidation and deleveraging of an account, newest first."""
            self.authorize(request, account)
            rows = await asyncio.to_thread(
                node.history.fetch_margin, account, _to_cursor(before), limit
            )
            return _page(rows, [to_margin_event(row) for row in rows], limit, "seq")

        @post("/v1/accounts/{account:int}/margin-preview", status_code=200, **secured)
        async def margin_preview(
            request: Request[Any, Any, Any], account: Slot, data: JSONBody[MarginPreviewRequest]
        ) -> perps.MarginPreviewInfo:
            """Tell what an order would pull, lock and cost, and the margin and liquidation price behind its fill."""
            self.authorize(request, account)
            return await _preview_margin(self, account, data)

        return [pools, margin_events, margin_preview]

    # --- entry ---------------------------------------------------------------------------------------

    def _entry(self) -> list[Any]:
        @post("/v1/session", tags=["account"], status_code=200)
        async def open_session(data: JSONBody[SessionBody]) -> SessionInfo:
            """Open a session for reading: who signed is who asks."""
            try:
                request = data.to_request()
            except ValueError as error:
                raise ApiError(Problem.BAD_REQUEST, f"the session does not fit: {error}") from None
            session = await self.sessions.open(request)
            return SessionInfo(session.token, session.owner, session.account, str(session.expires))

        @delete("/v1/session", tags=["account"], security=[{"session": []}], sync_to_thread=False)
        def close_session(request: Request[Any, Any, Any]) -> None:
            """End the session."""
            self.sessions.close(self.authorize(request).token)

        @post("/v1/orders", tags=["orders"], status_code=200)
        async def orders(
            data: JSONBody[OrderRequest], mode: Mode = "sync", receipts: FromQuery[bool] = False
        ) -> OrderAnswer:
            """Send signed envelopes. They need no session: every one is signed by itself.

            `mode=sync` answers when their block is on disk; `mode=async` when they have passed the checks:
            then they have no number yet, and are lost if the zone goes down.
            """
            return await enter(self.door, decode_envelopes(data.envelopes), mode, receipts)

        return [open_session, close_session, orders]


async def enter(door: Door, leaves: Sequence[bytes], mode: str, receipts: bool) -> OrderAnswer:
    """Send leaves and return what is answered."""
    if mode == "async":
        errors = await door.submit_checked(leaves)
        if not errors:
            raise ApiError(Problem.STOPPING, "the zone went down before it had checked them")
        return OrderAnswer(
            [_accepted(leaf, error) for leaf, error in zip(leaves, errors, strict=True)]
        )
    answers = await door.execute(leaves)
    return OrderAnswer(
        [
            answer_json(leaf, answer, with_receipt=receipts)
            for leaf, answer in zip(leaves, answers, strict=True)
        ]
    )


def _accepted(leaf: bytes, error: EnvelopeRejectedError | None) -> EnvelopeAnswer:
    if error is not None:
        return answer_json(leaf, error)
    return EnvelopeAnswer("accepted", "0x" + keccak(leaf).hex())


def _prove(engine: Engine, number: int) -> tuple[bytes, list[str], list[str]] | None:
    """Root, words and siblings of a withdrawal; the root is the last committed one if the record is under it."""
    if state.fetch_withdrawal(engine, number) is None:
        return None
    table = TABLE_BY_NAME["outbox"].number
    record = engine.tables["outbox"][number].tobytes()
    siblings = engine.prove(table, number)
    root = fold_proof(leaf_hash(table, number, record), table << 32 | number, siblings)
    words = to_words(record)
    cut = ["0x" + words[at : at + 32].hex() for at in range(0, len(words), 32)]
    return root, cut, ["0x" + sibling.hex() for sibling in siblings]


def _check_order(
    side_name: str, price: int, size: str, market: state.MarketInfo
) -> tuple[int, int]:
    """Side and lots of an order that is thought about."""
    sides = {"buy": BUY, "sell": SELL}
    if side_name not in sides:
        raise ApiError(Problem.BAD_REQUEST, f"side is {side_name!r}, expected buy or sell")
    if not size.isdigit() or not 1 <= int(size) <= int(market.max_lots):
        raise ApiError(Problem.BAD_REQUEST, f"lots is {size!r}, expected 1 .. {market.max_lots}")
    if not 1 <= price <= market.max_price:
        text = f"price is {price}, expected 1 .. {market.max_price} ticks"
        raise ApiError(Problem.BAD_REQUEST, text)
    return sides[side_name], int(size)


async def _preview(rest: Rest, data: PreviewRequest, market: state.MarketInfo) -> PreviewInfo:
    side, lots = _check_order(data.side, data.price, data.lots, market)
    kind = next(n for n, name in state.MARKET_KINDS.items() if name == market.kind)
    if kind == MARKET_PERP:
        hint = "POST /v1/accounts/{account}/margin-preview"
        text = (
            f"market {market.id} is a perpetual: what an order asks depends on its account's pool"
        )
        raise ApiError(Problem.BAD_REQUEST, text, hint)
    unit = int(market.lot_size)
    if kind != MARKET_SPOT:
        unit = await rest.door.query(_get_unit, market.group)
    terms = MarketTerms(
        venue=market.venue,
        kind=kind,
        base=market.base,
        quote=market.quote,
        lot_size=unit,
        tick_value=int(market.tick_value),
        taker_fee=market.taker_fee,
        maker_fee=market.maker_fee,
    )
    notional = terms.get_notional(data.price, lots)
    base = notional if kind == MARKET_SPOT else min(notional, unit * lots - notional)
    fees = [
        -(-base * (rate + data.interface_fee) // PPM)
        for rate in (market.taker_fee, market.maker_fee)
    ]
    return PreviewInfo(
        str(notional),
        str(fees[0]),
        str(fees[1]),
        terms.get_paying_asset(side),
        str(terms.get_lock(side, data.price, lots, data.interface_fee)),
    )


def _copy_for_preview(
    engine: Engine, account: int, market: int
) -> tuple[perps.MarginCopy, perps.PerpInfo, state.MarketInfo, int] | None:
    """Copy what a preview depends on; None if the market is no perpetual and no door to one."""
    home = perps.get_home(engine, market)
    perp = perps.fetch_perpetual(engine, home)
    named = state.fetch_market(engine, home)
    if perp is None or named is None:
        return None
    copy = perps.copy_margin(engine, account, home, with_ranks=False)
    door_fee = int(engine.tables["market"][market]["guest_fee"]) if market != home else 0
    return copy, perp, named, door_fee


async def _preview_margin(
    rest: Rest, account: int, data: MarginPreviewRequest
) -> perps.MarginPreviewInfo:
    found = await rest.door.query(_copy_for_preview, account, data.market)
    copy, perp, market, door_fee = _found(
        found, f"perpetual {data.market}", "GET /v1/perpetuals lists them"
    )
    side, lots = _check_order(data.side, data.price, data.lots, market)
    if not perp.mark:
        text = f"market {perp.market} has no price yet"
        raise ApiError(Problem.BAD_REQUEST, text, "its state is none until its first index")
    pool = perps.find_default_pool(
        copy, perp.market, perp.venue, perp.asset, is_cross=perp.is_cross
    )
    try:
        return perps.build_preview(
            copy,
            perp.market,
            pool,
            Terms(market.taker_fee, market.maker_fee, door_fee or data.interface_fee),
            side,
            data.price,
            lots,
            is_reduce_only=data.is_reduce_only,
        )
    except ValueError as error:
        raise ApiError(Problem.BAD_REQUEST, str(error)) from None


def _get_unit(engine: Engine, group: int) -> int:
    return int(engine.tables["event_group"][group]["unit"])


# --- the app -----------------------------------------------------------------------------------------


def _answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[ErrorAnswer]:
    if not isinstance(error, ApiError | ServiceError):
        _log.error("request_failed", path=request.url.path, error=error, kind=type(error).__name__)
    api = to_api_error(error)
    headers = {name.decode(): value.decode() for name, value in api.headers}
    return Response(ErrorAnswer(api.body), status_code=api.status, headers=headers)


def _answer_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[ErrorAnswer]:
    kinds = {404: Problem.NOT_FOUND, 405: Problem.METHOD_NOT_ALLOWED, 413: Problem.TOO_LARGE}
    problem = kinds.get(error.status_code, Problem.BAD_REQUEST)
    if error.status_code >= 500:
        problem = Problem.INTERNAL
    extra = getattr(error, "extra", None)
    text = error.detail if not extra else f"{error.detail} {msgspec.json.encode(extra).decode()}"
    return Response(
        ErrorAnswer(ErrorBody(int(problem), problem.name, text)), status_code=error.status_code
    )


def build_rest(node: Node, door: Door, sessions: Sessions) -> Litestar:
    """Return the REST application of a node."""
    return Litestar(
        Rest(node, door, sessions).build(),
        exception_handlers={
            ApiError: _answer_error,
            HTTPException: _answer_http,
            Exception: _answer_error,
        },
        openapi_config=OpenAPIConfig(
            title="TradeZone",
            version="1",
            path="/docs",
            description="Sizes are lots, prices ticks, money atoms, times ms since 1970;"
            " numbers that may pass 2^53 are decimal text. See docs/reference/api.md.",
            components=Components(
                security_schemes={"session": SecurityScheme(type="http", scheme="bearer")}
            ),
            tags=[Tag(name=name) for name in ("zone", "markets", "orders", "account", "explorer")],
        ),
        request_max_body_size=node.config.gateway.max_body_bytes,
        debug=False,
        logging_config=None,
    )
