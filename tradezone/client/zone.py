"""A zone as a trader's program sees it: markets by name, prices and sizes as people write them, orders that tell how they fare.

    async with await Zone.connect("http://127.0.0.1:8420", key="0x...", symbols={1: "USD", 2: "OKB"}) as zone:
        order = await zone.buy("OKB/USD", "1.5", price="60.00")
        done = await zone.wait_done(order)

`BlockingZone` is the same without ``await``; `Zone.demo` is a whole zone in this process, for tests and notebooks.
"""

from __future__ import annotations

import asyncio
import importlib
import secrets
import threading
import time
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Self, TypeVar

from tradezone.client.errors import (
    DisconnectedError,
    NotFoundError,
    RefusedError,
    RejectedError,
    UnknownFateError,
    ZoneError,
    to_error,
)
from tradezone.client.instruments import (
    Asset,
    Instrument,
    Market,
    Number,
    OutcomeMarket,
    PerpMarket,
    Ratio,
    to_decimal,
    to_ppm,
)
from tradezone.client.orders import (
    ClientId,
    build_amend,
    build_cancel,
    build_market_order,
    build_place,
)
from tradezone.client.rest import Rest
from tradezone.client.session import MAX_SESSION_MS, sign_session
from tradezone.client.signer import Signer
from tradezone.client.signing import ClientError, NonceSource, PrivateKey
from tradezone.client.states import OrderState, OrderTracker, TrackedOrder
from tradezone.client.stream import LocalBook, Stream
from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.limits import MAX_INTERFACE_FEE, NONCE_CELLS, RATE

_T = TypeVar("_T")

PARTING_CELL: Final = (
    NONCE_CELLS - 1
)  # nonces of deposited cancel-alls; no other envelope uses its cell
PARTING_AHEAD_MS: Final = 120_000
PARTING_EVERY_S: Final = 60.0
_RETRY_S: Final = 0.1
_LOOK_S: Final = 5.0
_RECENT: Final = 10_000
_SESSION_SPREAD_MS: Final = 60_000
_STATES: Final = {state.value: state for state in OrderState}


class SteppedNonces(NonceSource):
    """Nonces that leave one cell free, so that a deposited envelope is not overtaken by those sent after it."""

    def take(self) -> int:
        """Return the next nonce."""
        nonce = super().take()
        return super().take() if nonce % NONCE_CELLS == PARTING_CELL else nonce


class PartingNonces(NonceSource):
    """Nonces of the cell that `SteppedNonces` leaves free."""

    def take(self) -> int:
        """Return the next nonce."""
        nonce = super().take()
        self._last = nonce + (PARTING_CELL - nonce) % NONCE_CELLS
        return self._last


@dataclass(frozen=True, slots=True)
class Order:
    """An order that the zone has taken. Price and size as they were given."""

    id: int
    market: Instrument
    side: str
    size: Decimal
    price: Decimal
    seq: int  # of its envelope
    block: int


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has of an asset, units."""

    asset: Asset
    free: Decimal
    locked: Decimal


@dataclass(frozen=True, slots=True)
class Position:
    """A position in a perpetual. Amounts are quote units, prices quote units of one unit of size.

    Parameters
    ----------
    size : Decimal
        negative = short
    entry_price : Decimal
        average
    liquidation_price : Decimal or None
        mark at which its pool is liquidated, other markets standing still; None: no price of the market does it
    unrealised : Decimal
        profit or loss at the mark
    funding_due : Decimal
        what it pays at its next touch, negative: receives
    leverage : Decimal or None
        as set; None = the highest
    is_cross : bool
        whether it shares its pool with other markets
    state : str
        of its pool: active, liquidating, bankrupt
    rank : Decimal or None
        part of its group, 0 .. 1, that is deleveraged before it; 0 is first
    """

    market: PerpMarket
    size: Decimal
    entry_price: Decimal
    mark: Decimal
    liquidation_price: Decimal | None
    unrealised: Decimal
    funding_due: Decimal
    leverage: Decimal | None
    initial: Decimal
    maintenance: Decimal
    is_cross: bool
    state: str
    rank: Decimal | None


class Zone:
    """One account of a zone, or, without a key, what everybody may see. For one event loop.

    Make it with `connect` or `demo`.
    """

    def __init__(self, url: str, symbols: Mapping[int, str] | None = None) -> None:
        self.rest = Rest(url)
        self.url = url
        self._symbols = dict(symbols or {})
        self.assets: dict[int, Asset] = {}
        self.markets: dict[str, Instrument] = {}
        self.info: dict[str, Any] = {}
        self.account = 0
        self.signer: Signer | None = None
        self._parting: Signer | None = None
        self._parting_task: asyncio.Task[None] | None = None
        self._key: PrivateKey | None = None
        self._key_id = 0
        self.stream = Stream(url)
        self._tracker = OrderTracker()
        self._recent: deque[dict[str, int]] = deque(maxlen=_RECENT)  # events as they were heard
        self._heard: dict[int, asyncio.Event] = {}
        self._slots: dict[int, Instrument] = {}
        self._perpetuals: dict[int, dict[str, Any]] = {}
        self._is_streaming = False
        self.repairs = 0

    # --- connecting ----------------------------------------------------------------------------------

    @classmethod
    async def connect(
        cls,
        url: str,
        key: PrivateKey | str | None = None,
        *,
        account: int | None = None,
        key_id: int | None = None,
        symbols: Mapping[int, str] | None = None,
    ) -> Self:
        """Connect to a zone.

        Parameters
        ----------
        url : str
            for instance ``http://127.0.0.1:8420``
        key : PrivateKey or str, optional
            the owner's key or an agent's; without one only public data can be read
        account : int, optional
            which account acts; the owner's main account if absent (then the key has to be the owner's)
        key_id : int, optional
            the key in the zone; found by its address if it is the owner's
        symbols : mapping of int to str, optional
            names of assets by id; the zone knows tokens, not their names

        Raises
        ------
        NotFoundError
            The zone knows no owner with this key's address: deposit or register on L1 first.
        """
        zone = cls(url, symbols)
        try:
            await zone._load()
            if key is not None:
                await zone._log_in(
                    PrivateKey.from_hex(key) if isinstance(key, str) else key, account, key_id
                )
        except BaseException:
            zone.rest.close()
            raise
        return zone

    @staticmethod
    def demo(**options: Any) -> Any:
        """Start a whole zone in this process, with two funded traders: see `tradezone.gateway.demo.DemoZone`."""
        # by name: a trader's program needs neither the engine nor a server, only the demonstration does
        return importlib.import_module("tradezone.gateway.demo").DemoZone(**options)

    async def _load(self) -> None:
        self.info = await self.rest.fetch("/v1/zone")
        for row in await self.rest.fetch("/v1/assets"):
            number = int(row["id"])
            name = self._symbols.get(number, f"A{number}")
            self.assets[number] = Asset(number, name, int(row["decimals"]))
        after: int | None = 0
        while after is not None:
            page = await self.rest.fetch("/v1/markets", after=after)
            if not self._perpetuals and any(row["kind"] == "perp" for row in page["data"]):
                rows = await self.rest.fetch("/v1/perpetuals")
                self._perpetuals = {int(row["market"]): row for row in rows}
            for row in page["data"]:
                self._add_market(row)
            after = page["next"]

    def _add_market(self, row: dict[str, Any]) -> None:
        quote, slot = self.assets[row["quote"]], int(row["id"])
        market: Instrument
        if row["kind"] == "spot":
            base = self.assets[row["base"]]
            market = Market(
                slot,
                base,
                quote,
                int(row["lot_size"]),
                int(row["tick_value"]),
                int(row["max_price"]),
                int(row["max_lots"]),
                int(row["min_notional"]),
            )
        elif row["kind"] == "outcome":
            tick = int(row["tick_value"])
            market = OutcomeMarket(
                slot,
                f"M{slot}",
                int(row["group"]),
                quote,
                tick * (int(row["max_price"]) + 1),
                tick,
                int(row["max_lots"]),
                int(row["min_notional"]),
            )
        elif row["kind"] == "perp":
            home = int(row["guest_of"]) or slot
            terms = self._perpetuals[home]
            market = PerpMarket(
                slot,
                f"M{slot}-PERP",
                quote,
                int(row["tick_value"]),
                int(terms["feed_scale"]),
                int(row["max_price"]),
                int(row["max_lots"]),
                int(row["min_notional"]),
                int(terms["venue"]),
                home,
            )
        else:
            return
        self._slots[slot] = market
        self.markets[market.name] = market

    @property
    def separator(self) -> bytes:
        """EIP-712 domain separator of the zone."""
        return bytes.fromhex(self.info["domain"]["separator"][2:])

    async def _log_in(self, key: PrivateKey, account: int | None, key_id: int | None) -> None:
        if account is None or key_id is None:
            owner = await self.rest.fetch("/v1/owners/0x" + key.address.hex())
            account = int(owner["main_account"]) if account is None else account
            mine = [k for k in owner["keys"] if k["address"] == "0x" + key.address.hex()]
            key_id = int(mine[0]["id"]) if key_id is None else key_id
        self.account, self._key, self._key_id = account, key, key_id
        ahead = await self._measure_clock()

        def now() -> int:
            return time.time_ns() // 1_000_000 + ahead

        self.signer = Signer(key, account, key_id, self.separator, nonces=SteppedNonces(now))
        parting = PartingNonces(lambda: now() + PARTING_AHEAD_MS)
        self._parting = Signer(key, account, key_id, self.separator, nonces=parting)
        await self.rest.open_session(self._sign_session(now()))
        self._tracker = OrderTracker([account])
        self.stream = Stream(self.url, self._make_login, self._repair)

    async def _measure_clock(self) -> int:
        """How far the zone's clock is ahead of this machine's, ms."""
        before = time.time_ns() // 1_000_000
        found = int((await self.rest.fetch("/v1/time"))["time"])
        return found - (before + time.time_ns() // 1_000_000) // 2

    def _sign_session(self, now: int) -> Any:
        assert self._key is not None
        # A gateway takes a request once, and two programs of one key may ask in the same millisecond.
        lifetime = MAX_SESSION_MS - secrets.randbelow(_SESSION_SPREAD_MS)
        return sign_session(
            self._key, self.separator, self.account, self._key_id, now=now, lifetime_ms=lifetime
        )

    async def _make_login(self) -> dict[str, Any]:
        now = int((await self.rest.fetch("/v1/time"))["time"])
        return {"session": self._sign_session(now).to_json()}

    async def _start_stream(self) -> None:
        if self._is_streaming:
            return
        self._is_streaming = True
        await self.stream.start()
        if self.account:
            await self.stream.subscribe("orders", self._hear, self.account)

    async def close(self) -> None:
        """Close all connections."""
        if self._parting_task:
            self._parting_task.cancel()
        if self._is_streaming:
            await self.stream.close()
        self.rest.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- what there is -------------------------------------------------------------------------------

    def get_market(self, name: str | int | Instrument) -> Instrument:
        """Return a market by its name ("OKB/USD") or slot. NotFoundError lists the names."""
        if isinstance(name, Instrument):
            return name
        found = self._slots.get(name) if isinstance(name, int) else self.markets.get(name)
        if found is None:
            raise NotFoundError(f"no market {name!r}; there are {', '.join(self.markets)}")
        return found

    async def fetch_balances(self) -> dict[str, Balance]:
        """Balances of the account, by symbol."""
        rows = await self.rest.fetch(f"/v1/accounts/{self._need_account()}/balances")
        found = [
            Balance(asset, asset.from_atoms(int(row["free"])), asset.from_atoms(int(row["locked"])))
            for row in rows
            for asset in (self.assets[row["asset"]],)
        ]
        return {balance.asset.symbol: balance for balance in found}

    async def fetch_open_orders(
        self, market: str | int | Instrument | None = None
    ) -> list[dict[str, Any]]:
        """Open orders of the account, with price and size as decimals."""
        slot = self.get_market(market).slot if market is not None else 0
        path = f"/v1/accounts/{self._need_account()}/open-orders"
        rows = await self.rest.fetch(path, market=slot)
        return [self._show(row) for row in rows]

    def _show(self, row: dict[str, Any]) -> dict[str, Any]:
        market = self._slots[row["market"]]
        return {
            **row,
            "market": market.name,
            "price": market.from_ticks(row["price"]),
            "open": market.from_lots(int(row["lots"])),
            "filled": market.from_lots(int(row["filled"])),
        }

    async def fetch_fills(self, limit: int = 100) -> list[dict[str, Any]]:
        """Newest fills of the account, with price, size and fee as decimals."""
        path = f"/v1/accounts/{self._need_account()}/fills"
        rows = (await self.rest.fetch(path, limit=limit))["data"]
        return [
            {
                **row,
                "market": market.name,
                "price": market.from_ticks(row["price"]),
                "size": market.from_lots(int(row["lots"])),
                "fee": market.quote.from_atoms(int(row["fee"])),
            }
            for row in rows
            for market in (self._slots[row["market"]],)
        ]

    # --- perpetuals ----------------------------------------------------------------------------------

    def get_perpetual(self, name: str | int | Instrument) -> PerpMarket:
        """Return a perpetual by its name or slot. NotFoundError if the market is none."""
        found = self.get_market(name)
        if not isinstance(found, PerpMarket):
            known = ", ".join(n for n, m in self.markets.items() if isinstance(m, PerpMarket))
            raise NotFoundError(f"{found.name} is no perpetual; there are {known or 'none'}")
        return found

    async def fetch_pools(self) -> list[dict[str, Any]]:
        """Margin pools of the account with their positions, in atoms, ticks and lots, as the zone tells them."""
        rows: list[dict[str, Any]] = await self.rest.fetch(
            f"/v1/accounts/{self._need_account()}/pools"
        )
        return rows

    async def fetch_positions(self) -> list[Position]:
        """Positions of the account in perpetuals, those without lots left out."""
        return [
            self._read_position(pool, row)
            for pool in await self.fetch_pools()
            for row in pool["positions"]
            if int(row["lots"])
        ]

    def _read_position(self, pool: dict[str, Any], row: dict[str, Any]) -> Position:
        market = self.get_perpetual(row["market"])
        liquidation = row["liquidation_price"]
        rank = row["rank_ahead"]
        amounts = {
            name: market.quote.from_atoms(int(row[name]))
            for name in ("unrealised", "funding_due", "initial", "maintenance")
        }
        return Position(
            market=market,
            size=market.from_lots(int(row["lots"])),
            entry_price=to_decimal(Fraction(row["entry_price"]) * market.tick),
            mark=market.from_ticks(row["mark"]),
            liquidation_price=None if liquidation is None else market.from_ticks(liquidation),
            leverage=Decimal(row["leverage"]) / 100 if row["leverage"] else None,
            is_cross=pool["market"] == 0,
            state=pool["state"],
            rank=None if rank is None else Decimal(rank) / Decimal(row["rank_lots"]),
            **amounts,
        )

    async def preview(
        self,
        market: str | int | Instrument,
        side: str,
        size: Number,
        price: Number,
        *,
        reduce_only: bool = False,
        interface_fee: Ratio = 0,
    ) -> dict[str, Any]:
        """Tell what an order of a perpetual would ask for and leave, before it is sent.

        Returns
        -------
        dict
            ``pull``, ``locked``, ``taker_fee``, ``maker_fee``, ``notional``, ``equity``, ``initial``, ``maintenance`` in quote units;
            ``is_affordable``; ``size`` and ``liquidation_price`` (or None) of the position behind a fill
        """
        where = self.get_perpetual(market)
        body = {
            "market": where.slot,
            "side": side,
            "price": where.to_ticks(price),
            "lots": str(where.to_lots(size)),
            "is_reduce_only": reduce_only,
            "interface_fee": to_ppm(interface_fee, "interface_fee", MAX_INTERFACE_FEE),
        }
        path = f"/v1/accounts/{self._need_account()}/margin-preview"
        row = await self.rest.post(path, body)
        atoms = ("pull", "locked", "taker_fee", "maker_fee", "notional", "equity", "initial")
        found = {n: where.quote.from_atoms(int(row[n])) for n in (*atoms, "maintenance")}
        tick = row["liquidation_price"]
        return {
            **found,
            "is_affordable": row["is_affordable"],
            "size": where.from_lots(int(row["lots"])),
            "liquidation_price": None if tick is None else where.from_ticks(tick),
        }

    async def set_leverage(
        self, market: str | int | Instrument, leverage: Number = 0, *, is_cross: bool = False
    ) -> None:
        """Set leverage (0 = the highest) and margin mode in a perpetual; as `Signer.leverage`."""
        where = self.get_perpetual(market)
        leaf = self._need_signer().leverage(where.slot, leverage, is_cross=is_cross)
        check_item(await self.send(leaf), 0)

    async def add_margin(self, market: str | int | Instrument, amount: Number) -> None:
        """Move free money into the pool that holds the account's position of a perpetual, to stay there."""
        await self._change_margin(market, amount, is_in=True)

    async def take_margin(self, market: str | int | Instrument, amount: Number) -> None:
        """Move margin that is not needed out of the pool that holds the account's position of a perpetual."""
        await self._change_margin(market, amount, is_in=False)

    async def _change_margin(
        self, market: str | int | Instrument, amount: Number, *, is_in: bool
    ) -> None:
        where = self.get_perpetual(market)
        for pool in await self.fetch_pools():
            if any(row["market"] == where.home for row in pool["positions"]):
                signer = self._need_signer()
                work = signer.add_margin if is_in else signer.take_margin
                leaf = work(pool["venue"], self.assets[pool["asset"]], amount, pool["market"])
                check_item(await self.send(leaf), 0)
                return
        raise NotFoundError(f"the account has no position of {where.name}")

    async def close_position(
        self, market: str | int | Instrument, *, slippage: Ratio = "1%"
    ) -> Order:
        """Close the account's position of a perpetual by a reduce-only market order."""
        where = self.get_perpetual(market)
        for position in await self.fetch_positions():
            if position.market.home == where.home:
                side = "sell" if position.size > 0 else "buy"
                return await self.place(
                    where, side, abs(position.size), slippage=slippage, reduce_only=True
                )
        raise NotFoundError(f"the account has no position of {where.name}")

    async def fetch_funding(
        self, market: str | int | Instrument, limit: int = 24
    ) -> list[dict[str, Any]]:
        """Newest funding hours of a perpetual; ``rate`` is the part of the value that longs paid shorts."""
        where = self.get_perpetual(market)
        page = await self.rest.fetch(f"/v1/markets/{where.home}/funding", limit=limit)
        return [{**row, "rate": Decimal(row["rate"]) / RATE} for row in page["data"]]

    async def fetch(self, path: str, **query: Any) -> Any:
        """GET a path of the zone; as `Rest.fetch`."""
        return await self.rest.fetch(path, **query)

    async def open_book(self, market: str | int | Instrument) -> LocalBook:
        """Return a book of a market that keeps itself up to date."""
        await self._start_stream()
        book = LocalBook(self.stream, self.get_market(market).slot)
        await book.start()
        return book

    # --- orders --------------------------------------------------------------------------------------

    async def place(
        self,
        market: str | int | Instrument,
        side: str,
        size: Number,
        price: Number | None = None,
        *,
        tif: str = "gtc",
        slippage: Ratio = "1%",
        client_id: ClientId = None,
        **options: Any,
    ) -> Order:
        """Place an order, and return it once its block is on disk.

        Parameters
        ----------
        price : str, Decimal or int, optional
            limit; without one it is a market order that goes no further than ``slippage`` from the best price
        options
            of `build_place` or `build_market_order`

        Raises
        ------
        RefusedError, RejectedError
            It is not there. ``code`` says why.
        UnknownFateError, DisconnectedError
            It may be there: look it up by its client id, or by the receipt of its leaf.
        """
        where = self.get_market(market)
        if price is None:
            reference = await self._get_reference(where, side)
            price = reference
            item = build_market_order(
                where,
                side,
                size,
                reference=reference,
                slippage=slippage,
                client_id=client_id,
                **options,
            )
        else:
            item = build_place(where, side, price, size, tif=tif, client_id=client_id, **options)
        row = await self.send(self._need_signer().place(item))
        check_item(row, 0)
        return Order(
            int(row["items"][0]["order"]),
            where,
            side,
            Decimal(size),
            Decimal(price),
            int(row["seq"]),
            int(row["block"]),
        )

    async def buy(
        self,
        market: str | int | Instrument,
        size: Number,
        price: Number | None = None,
        **options: Any,
    ) -> Order:
        """Buy; as `place`."""
        return await self.place(market, "buy", size, price, **options)

    async def sell(
        self,
        market: str | int | Instrument,
        size: Number,
        price: Number | None = None,
        **options: Any,
    ) -> Order:
        """Sell; as `place`."""
        return await self.place(market, "sell", size, price, **options)

    async def cancel(self, order: Order | int | None = None, *, client_id: ClientId = None) -> None:
        """Cancel an order. RejectedError if it is gone already."""
        number = order.id if isinstance(order, Order) else order
        row = await self.send(self._need_signer().cancel(build_cancel(number, client_id=client_id)))
        check_item(row, 0)

    async def amend(
        self, order: Order, size: Number, price: Number | None = None, mode: str = "take"
    ) -> None:
        """Change an order's total size and price; ``mode`` as of `build_amend`."""
        await self.amend_by_id(order.id, order.market, size, price, mode)

    async def amend_by_id(
        self,
        number: int,
        market: str | int | Instrument,
        size: Number,
        price: Number | None = None,
        mode: str = "take",
    ) -> None:
        """Change an order that is named by its id; as `amend`."""
        where = self.get_market(market)
        item = build_amend(where, size=size, price=price, order=number, mode=mode)
        check_item(await self.send(self._need_signer().amend(item)), 0)

    async def cancel_all(self, market: str | int | Instrument | None = None) -> None:
        """Cancel all orders and plans of the account, or those of one market."""
        where = self.get_market(market) if market is not None else None
        check_item(await self.send(self._need_signer().cancel_all(where)), 0)

    async def withdraw(self, symbol: str, amount: Number) -> dict[str, Any]:
        """Send an amount to the owner's L1 address; returns the envelope's answer."""
        asset = self.get_asset(symbol)
        row = await self.send(self._need_signer().withdraw(asset, amount))
        check_item(row, 0)
        return row

    def get_asset(self, symbol: str) -> Asset:
        """Return an asset by its symbol. NotFoundError lists them."""
        for asset in self.assets.values():
            if asset.symbol == symbol:
                return asset
        names = ", ".join(asset.symbol for asset in self.assets.values())
        raise NotFoundError(f"no asset {symbol!r}; there are {names}")

    async def send(self, leaf: bytes) -> dict[str, Any]:
        """Send one signed envelope and return its answer. RefusedError if it got no number."""
        (row,) = await self.send_all([leaf])
        if row["status"] == "refused":
            raise to_error(row["error"], RefusedError)
        if row["status"] != "executed":
            raise to_error(row.get("error") or {"text": "no result"}, UnknownFateError)
        return row

    async def send_all(self, leaves: Sequence[bytes]) -> list[dict[str, Any]]:
        """Send signed envelopes and return what became of each; over the stream once that is open."""
        if self._is_streaming:
            return await self.stream.send(list(leaves))
        return await self.rest.send(leaves)

    async def _get_reference(self, market: Instrument, side: str) -> Decimal:
        ticker = await self.rest.fetch(f"/v1/markets/{market.slot}/ticker")
        best = ticker["best_ask"] if market.to_side(side) == BUY else ticker["best_bid"]
        if best is None:
            raise ZoneError(
                f"nobody {'sells' if market.to_side(side) == BUY else 'buys'} {market.name} now"
            )
        return market.from_ticks(best)

    # --- how orders fare -----------------------------------------------------------------------------

    async def follow(self, order: Order) -> TrackedOrder:
        """Return how an order stands now."""
        await self._start_stream()
        known = self._tracker.orders.get(order.id)
        if known is None:
            known = await self._refetch(order.id)
        return known

    async def wait_done(self, order: Order, seconds: float | None = 30.0) -> TrackedOrder:
        """Wait until nothing more comes of an order. TimeoutError if it is open still."""
        await self._start_stream()
        async with asyncio.timeout(seconds):
            while True:
                event = self._heard.setdefault(order.id, asyncio.Event())
                event.clear()
                try:
                    state = await self.follow(order)
                except DisconnectedError:  # the stream comes again by itself, and so does this
                    await asyncio.sleep(_RETRY_S)
                    continue
                if not state.state.is_active:
                    self._heard.pop(order.id, None)
                    return state
                try:
                    await asyncio.wait_for(event.wait(), _LOOK_S)
                except TimeoutError:  # what the stream does not tell, history does
                    self._tracker.orders.pop(order.id, None)

    def _hear(self, message: dict[str, Any]) -> None:
        if message.get("type") == "snapshot":
            return
        rows = [
            {name: int(value) for name, value in event.items() if name != "type"}
            for event in message["data"]
        ]
        self._recent.extend(rows)
        for row in rows:
            for name in ("order", "other_order"):
                if event := self._heard.get(row[name]):
                    event.set()
        for changed in self._tracker.apply(rows):
            if event := self._heard.get(changed.id):
                event.set()

    async def _refetch(self, order: int) -> TrackedOrder:
        """Take an order over as the zone's history has it; it may be seconds behind a busy zone."""
        path = f"/v1/accounts/{self._need_account()}/orders/{order}"
        row: dict[str, Any] | None = None
        for pause in (0.01, 0.05, 0.2, 1.0, 2.0, 4.0):
            try:
                row = await self.rest.fetch(path)
                break
            except NotFoundError:
                await asyncio.sleep(pause)
        if row is None:
            row = await self.rest.fetch(path)
        side = BUY if row["side"] == "buy" else SELL
        found = TrackedOrder(
            id=order,
            account=self.account,
            market=row["market"],
            side=side,
            tif=0,
            price=row["price"],
            open=int(row["lots"]),
            client_id=bytes.fromhex(row["client_id"][2:]),
            state=_STATES[row["state"]],
            filled=int(row["filled"]),
            cost=int(row["cost"]),
            reason=row["reason"],
        )
        self._tracker.orders[order] = found
        # events that were heard before this row came, and that it does not have yet
        for event in self._recent:
            if event["seq"] > int(row["event"]) and order in (event["order"], event["other_order"]):
                other = "other_order" if event["order"] == order else "order"
                self._tracker.apply([{**event, other: 0}])
        return self._tracker.orders[order]

    async def _repair(self) -> None:
        """Close the gap behind a connection that broke: what was open then is looked up."""
        self.repairs += 1
        for order in list(self._tracker.get_active_orders()):
            await self._refetch(order.id)
        for event in self._heard.values():
            event.set()

    async def cancel_on_disconnect(self, *, is_on: bool = True) -> None:
        """Have all orders cancelled when this program's connection to the zone ends, however it ends.

        A signed cancel-all is left with the gateway and made anew before it expires.
        """
        await self._start_stream()
        if self._parting_task:
            self._parting_task.cancel()
            self._parting_task = None
        if not is_on:
            await self.stream.deposit(None)
            return
        await self._deposit()
        self._parting_task = asyncio.create_task(self._keep_deposit())

    async def _deposit(self) -> None:
        assert self._parting is not None, "a key is needed"
        await self.stream.deposit(self._parting.cancel_all())

    async def _keep_deposit(self) -> None:
        while True:
            await asyncio.sleep(PARTING_EVERY_S)
            await self._deposit()

    def _need_account(self) -> int:
        if not self.account:
            raise ClientError("this connection has no key: Zone.connect(url, key=...)")
        return self.account

    def _need_signer(self) -> Signer:
        self._need_account()
        assert self.signer is not None
        return self.signer


def check_item(row: dict[str, Any], i: int) -> None:
    """Raise what became of an item, if it failed; an envelope without items is looked at as a whole."""
    items = row.get("items") or []
    error = items[i].get("error") if i < len(items) else row.get("error")
    if error:
        raise to_error({**error, "order": i}, RejectedError)


class BlockingZone:
    """`Zone` without ``await``: every method of `Zone` that is a coroutine waits here. Safe from any thread."""

    def __init__(self, url: str, key: PrivateKey | str | None = None, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="zone", daemon=True)
        self._thread.start()
        try:
            self.zone = self._wait(Zone.connect(url, key, **options))
        except BaseException:
            self._end()
            raise

    def _wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def close(self) -> None:
        """Close all connections and end the thread."""
        if self._loop.is_closed():
            return  # it was closed before
        self._wait(self.zone.close())
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.zone, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            return self._wait(found(*arguments, **options))

        call.__doc__ = found.__doc__
        return call
