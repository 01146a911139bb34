"""Perpetuals from events: marks, funding, positions, margin pools, the wall around a venue, liquidation.

`Perpetuals` is the part of a `Ledger` that knows pools; free balances, orders and fees are the ledger's. What it holds is what the
rules hold (``docs/spec/perps.md`` and its chapters), kept from the events alone, to the atom. Four things no event says:

* *index of a touch*: a position that receives less than an atom is settled silently, so ``Position.funding_index`` may be older
  than the record's, and `Perpetuals.get_pending_funding` then is too high by less than an atom an hour; payers are exact;
* *open interest rate*: `Perpetuals.get_risk` says what the next mark tick will find, the record what the last one found;
* *the fund while a job runs*: what deleveraging or a settlement takes from the fund and has not passed on yet is told at the
  end of the job; until then ``get_fund`` is as it was when the job began;
* *a pool that waits to be deleveraged* is LIQUIDATING here; that it is BANKRUPT stands in its record only.

Invariants: ``cash + deficit`` of a wall is what its pools, positions, funding pots and fund claim, so the fund is what is left
of the others, and FUND_CHANGED has to agree; outside of jobs the lots of a market sum to zero. `Perpetuals.check` looks at them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tradezone.protocol import events as kinds
from tradezone.protocol.enums import (
    ADL_GAVE,
    BUY,
    MODE_CROSS,
    MODE_ISOLATED,
    NONE,
    ORDER_FORCED,
    ORDER_REDUCE_ONLY,
    PRICE_LIVE,
    PRICE_NONE,
)

from .margin import (
    Preview,
    Rank,
    Risk,
    Side,
    Stance,
    Terms,
    Tier,
    Values,
    ceil_div,
    get_liquidation_price,
    get_lock,
    get_oi_rate,
    get_pool_values,
    get_ranks,
    get_releasable,
    get_reserve,
    get_values,
    preview_order,
    trade,
)
from .stream import Event, MisfitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .ledger import OpenOrder
    from .terms import MarketTerms

PoolKey = tuple[int, int, int, int]  # account, venue, asset, market (0 = the cross pool)
WallKey = tuple[int, int]  # venue, asset
_FUNDING_SCALE: Final = 48  # bits: funding_scale = floor(2^48 / (max_price * tick_value))


class PerpMarket(NamedTuple):
    """Terms and price of a perpetual. Prices are ticks, rates as in the chapters of the specification."""

    market: int
    venue: int
    asset: int = 0  # that it settles in
    tick_value: int = 0
    max_price: int = 0
    band: int = 0  # ppm
    phase: int = 0
    feed: int = 0
    band_basis: int = 0
    band_listing: int = 0
    funding_cap: int = 0  # ppb an hour
    interest: int = 0
    oi_lower: int = 0
    oi_upper: int = 0
    impact_notional: int = 0
    loss_cap: int = 0
    tiers: tuple[Tier, ...] = ()
    is_cross: bool = False
    profit_weight: int = 0
    state: int = PRICE_NONE
    mark: int = 0
    index_price: int = 0
    funding_rate: int = 0  # ppb of the last hour
    funding_index: int = 0
    pot: int = 0  # funding that was paid and not yet received, atoms
    open_lots: int = 0
    settlement: int = 0  # ticks, 0 = not settled
    is_deleveraging: bool = False
    is_over: bool = False  # settled, all positions paid out

    @property
    def funding_scale(self) -> int:
        """Units of the funding index that are an atom of a lot."""
        return (1 << _FUNDING_SCALE) // (self.max_price * self.tick_value)

    @property
    def open_interest(self) -> int:
        """Atoms, at the mark."""
        return self.open_lots * self.mark * self.tick_value


class Position(NamedTuple):
    """A position, and what became of it since it was opened from nothing.

    Parameters
    ----------
    pool : int
        market of its pool, 0 = the cross pool
    lots : int
        positive = long
    quote : int
        atoms received for its lots less those paid
    funding_index : int
        up to where funding is settled (see the module's first note)
    orders : int
        open orders that name it
    realised, funding, fees : int
        atoms since its lots were last zero: realised profit, funding received less paid, fees and gains paid
    """

    account: int
    market: int
    pool: int
    lots: int = 0
    quote: int = 0
    funding_index: int = 0
    leverage: int = 0
    buy_lots: int = 0
    sell_lots: int = 0
    orders: int = 0
    realised: int = 0
    funding: int = 0
    fees: int = 0

    @property
    def stance(self) -> Stance:
        """The position as margin sees it."""
        return Stance(self.lots, self.quote, self.buy_lots, self.sell_lots, self.leverage)

    def get_entry_price(self, tick_value: int) -> tuple[int, int] | None:
        """Average price of its lots, ticks, as a fraction (numerator, denominator); None without lots."""
        if not self.lots:
            return None
        sign = 1 if self.lots > 0 else -1
        return -sign * self.quote, abs(self.lots) * tick_value


class MarginPool(NamedTuple):
    """Margin of an account on a venue in an asset, of one market or (market 0) of all that share it; atoms."""

    account: int
    venue: int
    asset: int
    market: int
    collateral: int = 0
    order_margin: int = 0
    allowance: int = 0
    pulled: int = 0
    kept: int = 0
    haircut: int = 0
    is_liquidating: bool = False

    @property
    def key(self) -> PoolKey:
        """What names it."""
        return self.account, self.venue, self.asset, self.market


class Wall(NamedTuple):
    """Money of a venue in an asset: what is inside, and what it owes beyond that; atoms.

    ``claims`` is the sum of collateral and of the ``quote`` of positions, ``told_fund`` the fund as last said.
    """

    cash: int = 0
    deficit: int = 0
    cap: int = 0
    claims: int = 0
    told_fund: int = 0
    jobs: int = 0


class PoolReport(NamedTuple):
    """A pool at the marks. ``releasable`` is what its owner may take out, 0 in liquidation or while a job holds it."""

    pool: MarginPool
    values: Values
    releasable: int
    pending_funding: int  # what its positions would pay at the next touch


class PositionReport(NamedTuple):
    """A position at the mark. ``rank`` is None without lots."""

    position: Position
    values: Values
    pending_funding: int
    liquidation_price: int | None
    rank: Rank | None


class Perpetuals:
    """What events say of perpetuals. Read ``markets``, ``positions``, ``pools``, ``walls``; do not change them.

    ``positions`` are by (account, market), ``pools`` by (account, venue, asset, market), ``walls`` by (venue, asset), ``settings``
    (mode, leverage) by (account, market), ``funds`` the accounts whose pools are an insurance fund's.

    Parameters
    ----------
    move : callable
        ``move(event, account, asset, atoms)`` changes a free balance
    free : callable
        ``free(account, asset)`` is a free balance, atoms
    """

    def __init__(
        self, move: Callable[[Event, int, int, int], None], free: Callable[[int, int], int]
    ) -> None:
        self.markets: dict[int, PerpMarket] = {}
        self.positions: dict[tuple[int, int], Position] = {}
        self.pools: dict[PoolKey, MarginPool] = {}
        self.walls: dict[WallKey, Wall] = {}
        self.settings: dict[tuple[int, int], tuple[int, int]] = {}
        self.funds: set[int] = set()
        self._move_free = move
        self._get_free = free
        self._reserves: dict[int, int] = {}  # of open orders that may open, by id
        self._realised: dict[tuple[int, int], int] = {}  # by the last fill: REALISED says the same
        self._members: dict[PoolKey, set[int]] = {}  # markets of a pool's positions
        self._sides: dict[int, dict[int, None]] = {}  # accounts with lots, by market
        self.handlers: dict[int, Callable[[Event], None]] = {
            kinds.PERP_TERMS: self._set_perp_terms,
            kinds.MARGIN_TIER: self._add_tier,
            kinds.CROSS_APPROVED: self._approve_cross,
            kinds.RISK_SET: self._set_risk,
            kinds.PRICE_STATE: self._set_state,
            kinds.MARK_SET: self._set_mark,
            kinds.FUNDING_SET: self._set_funding,
            kinds.FUNDING_PAID: self._pay_funding,
            kinds.LEVERAGE_SET: self._set_leverage,
            kinds.ALLOWANCE_SET: self._set_allowance,
            kinds.POOL_MOVED: self._move_in,
            kinds.POOL_RELEASED: self._release,
            kinds.MARGIN_ADJUSTED: self._adjust,
            kinds.REALISED: self._confirm_realised,
            kinds.DEFICIT: self._set_deficit,
            kinds.DEFICIT_REPAID: self._set_deficit,
            kinds.LIQUIDATION_BEGUN: self._begin_liquidation,
            kinds.LIQUIDATION_ENDED: self._end_liquidation,
            kinds.TAKEOVER: self._take_over,
            kinds.ADL_BEGUN: self._begin_adl,
            kinds.ADL_FILL: self._deleverage,
            kinds.ADL_DONE: self._end_adl,
            kinds.SETTLEMENT_BEGUN: self._begin_settlement,
            kinds.POSITION_SETTLED: self._settle,
            kinds.SETTLEMENT_DONE: self._end_settlement,
        }

    # --- reading -------------------------------------------------------------------------------------

    def get_risk(self, market: int) -> Risk:
        """Return what margin of a market depends on, with the rate of open interest that the next mark tick will find."""
        perp = self.markets[market]
        rate = get_oi_rate(perp.tiers, perp.open_interest, perp.oi_lower, perp.oi_upper)
        return Risk(
            perp.tick_value,
            perp.max_price,
            perp.mark,
            perp.tiers,
            perp.profit_weight,
            rate,
            perp.band,
            perp.state == PRICE_LIVE,
        )

    def get_fund(self, venue: int, asset: int) -> int:
        """Money of an insurance fund, atoms; while a job of its venue runs what it was before."""
        wall = self.walls.get((venue, asset), Wall())
        if wall.jobs:
            return wall.told_fund
        perps = self.markets.values()
        pots = sum(p.pot for p in perps if (p.venue, p.asset) == (venue, asset))
        return wall.cash + wall.deficit - wall.claims - pots

    def get_pending_funding(self, position: Position) -> int:
        """Atoms that a position would pay if it were touched now; negative = it would receive."""
        perp = self.markets[position.market]
        if not position.lots:
            return 0
        owed = position.lots * (perp.funding_index - position.funding_index)
        return ceil_div(owed, perp.funding_scale)

    def get_pool_positions(self, key: PoolKey) -> list[Position]:
        """Positions of a pool by rising market."""
        account = key[0]
        return [self.positions[account, market] for market in sorted(self._members.get(key, ()))]

    def get_pool(self, key: PoolKey) -> PoolReport:
        """Return a pool at the marks; KeyError if there is none."""
        pool = self.pools[key]
        positions = self.get_pool_positions(key)
        values = get_pool_values(pool.collateral, self._expose(positions))
        is_held = pool.is_liquidating or any(
            p.lots and self._has_job(self.markets[p.market]) for p in positions
        )
        return PoolReport(
            pool,
            values,
            0 if is_held else get_releasable(pool.collateral, values, pool.order_margin),
            sum(map(self.get_pending_funding, positions)),
        )

    def get_position(self, account: int, market: int) -> PositionReport:
        """Return a position at the mark; KeyError if there is none."""
        position = self.positions[account, market]
        key = self._get_key(position)
        positions = self.get_pool_positions(key)
        number = positions.index(position)
        exposures = self._expose(positions)
        collateral = self.pools[key].collateral
        return PositionReport(
            position,
            get_values(*exposures[number]),
            self.get_pending_funding(position),
            get_liquidation_price(collateral, exposures, number),
            self.get_side(market, position.lots > 0)[account] if position.lots else None,
        )

    def get_side(self, market: int, is_long: bool) -> dict[int, Rank]:
        """Return published places of all positions of a side, by account."""
        accounts = [
            account
            for account in self._sides.get(market, ())
            if (self.positions[account, market].lots > 0) == is_long
        ]
        risk = self.get_risk(market)
        rows = []
        for account in accounts:
            position = self.positions[account, market]
            key = self._get_key(position)
            pool = self.pools[key]
            equity = self.get_pool(key).values.pnl
            usable = 0
            if not pool.market:
                free = self._get_free(account, pool.asset)
                usable = max(0, min(free, pool.allowance - pool.pulled))
            each = risk.mark * risk.tick_value
            lots = abs(position.lots)
            is_profit = position.quote + position.lots * each > 0
            rows.append(Side(lots, lots * each, max(0, equity + usable), is_profit))
        return dict(zip(accounts, get_ranks(rows), strict=True))

    def preview(
        self,
        account: int,
        market: int,
        terms: Terms,
        side: int,
        price: int,
        lots: int,
        *,
        is_reduce_only: bool = False,
    ) -> Preview:
        """Margin of an order before it is sent (`preview_order`); ValueError as there, KeyError if no such market."""
        perp = self.markets[market]
        key = self.find_pool(account, market)
        pool = self.pools.get(key, MarginPool(*key))
        own = self.positions.get((account, market))
        if own is None:
            leverage = self.settings.get((account, market), (NONE, 0))[1]
            own = Position(account, market, key[3], leverage=leverage)
        others = [p for p in self.get_pool_positions(key) if p.market != market]
        return preview_order(
            terms,
            pool.collateral,
            pool.order_margin,
            self._get_free(account, perp.asset),
            self._expose([own, *others]),
            side,
            price,
            lots,
            is_reduce_only=is_reduce_only,
        )

    def find_pool(self, account: int, market: int) -> PoolKey:
        """Key of the pool that an order of the account in a market uses."""
        perp = self.markets[market]
        held = self.positions.get((account, market))
        if held is not None:
            return self._get_key(held)
        default = (MODE_CROSS if perp.is_cross else MODE_ISOLATED, 0)
        mode, _ = self.settings.get((account, market), default)
        return account, perp.venue, perp.asset, 0 if mode == MODE_CROSS else market

    def check(self, expect: Callable[[str, int, int], None]) -> None:
        """Check the invariants; ``expect(what, expected, found)`` raises where two numbers differ."""
        claims: dict[WallKey, int] = dict.fromkeys(self.walls, 0)
        lots = dict.fromkeys(self.markets, 0)
        opened = dict.fromkeys(self.markets, 0)
        for pool in self.pools.values():
            claims[pool.venue, pool.asset] += pool.collateral
        for position in self.positions.values():
            perp = self.markets[position.market]
            claims[perp.venue, perp.asset] += position.quote
            lots[position.market] += position.lots
            opened[position.market] += max(0, position.lots)
        for key, wall in self.walls.items():
            expect(f"atoms claimed behind wall {key}", claims[key], wall.claims)
            if not wall.jobs:
                expect(f"atoms of the fund {key} missing", 0, max(0, -self.get_fund(*key)))
        for number, perp in self.markets.items():
            expect(f"long lots of market {number}", opened[number], perp.open_lots)
            if not self._has_job(perp):
                expect(f"lots of market {number} in all", 0, lots[number])

    def _has_job(self, perp: PerpMarket) -> bool:
        return perp.is_deleveraging or (perp.settlement != 0 and not perp.is_over)

    def _expose(self, positions: list[Position]) -> list[tuple[Risk, Stance]]:
        return [(self.get_risk(p.market), p.stance) for p in positions]

    # --- what the ledger calls -----------------------------------------------------------------------

    def set_terms(self, event: Event, terms: MarketTerms) -> None:
        """Take in MARKET_TERMS of a perpetual that is no door."""
        perp = self.markets.get(event.market, PerpMarket(event.market, terms.venue))
        self.markets[event.market] = perp._replace(
            asset=terms.quote, tick_value=terms.tick_value, max_price=event.price
        )
        self.walls.setdefault((terms.venue, terms.quote), Wall())

    def set_fees(self, event: Event) -> None:
        """Take in MARKET_FEES of a perpetual."""
        perp = self._get_market(event)
        self.markets[event.market] = perp._replace(band=event.price, phase=event.flag)

    def change_order(
        self, event: Event, before: OpenOrder | None, after: OpenOrder, *, is_entering: bool
    ) -> None:
        """Keep what an order asks of its position and pool. Without lots it is gone.

        ``is_entering`` says that it comes into its book anew, so that its reserve is fixed.
        """
        key = after.account, after.market
        perp = self._get_market(event)
        position = self.positions.get(key)
        if position is None:
            pool_key = self.find_pool(*key)
            leverage = self.settings.get(key, (NONE, 0))[1]
            index = perp.funding_index
            position = Position(*key, pool_key[3], funding_index=index, leverage=leverage)
        if is_entering:
            self._reserves[after.order] = self._get_reserve(after)
        if not after.flags & (ORDER_REDUCE_ONLY | ORDER_FORCED):
            name = "buy_lots" if after.side == BUY else "sell_lots"
            change = after.lots - (before.lots if before else 0)
            position = position._replace(**{name: getattr(position, name) + change})
        count = (after.lots > 0) - (before is not None)
        position = position._replace(orders=position.orders + count)
        pool_key = self._get_key(position)
        pool = self.pools.get(pool_key, MarginPool(*pool_key))
        locked = after.locked - (before.locked if before else 0)
        self._put_pool(pool._replace(order_margin=pool.order_margin + locked))
        self._put_position(position)
        if not after.lots:
            self._reserves.pop(after.order, None)
        has_shrunk = before is not None and after.lots < before.lots
        if has_shrunk:
            self._forget_kept(pool_key)
        self._tidy(pool_key)

    def get_bound(self, order: OpenOrder, lots: int, rate: int) -> int:
        """Atoms that ``lots`` of an order lock, fees at ``rate`` ppm."""
        if order.flags & (ORDER_REDUCE_ONLY | ORDER_FORCED):
            return 0
        reserve = self._reserves[order.order]
        return get_lock(self.get_risk(order.market), order.side, order.price, lots, rate, reserve)

    def fill(self, event: Event, order: OpenOrder, paid: int) -> None:
        """Trade the lots of a fill for one side; it pays ``paid`` atoms of fees and gain."""
        sign = 1 if order.side == BUY else -1
        key = order.account, order.market
        position = self.positions[key]
        is_reducing = position.lots * sign < 0
        realised = self._trade(event, position, sign * event.lots, event.price)
        position = self.positions[key]
        fees = position.fees + paid
        is_open = position.lots != 0
        self._put_position(position._replace(fees=fees if is_open else 0))
        self._collect(event, self._get_key(position), -paid)
        if is_reducing:
            self._realised[key] = realised

    def pay_out(self, event: Event, atoms: int) -> None:
        """Let fees of the event's market leave its wall; negative: the insurance part stays inside."""
        perp = self._get_market(event)
        key = perp.venue, perp.asset
        self.walls[key] = self.walls[key]._replace(cash=self.walls[key].cash - atoms)

    def change_fund(self, event: Event) -> None:
        """FUND_CHANGED: what came over the wall, and the fund as it is."""
        key = event.market, event.account
        wall = self.walls.setdefault(key, Wall())
        self.walls[key] = wall._replace(cash=wall.cash + event.amount2, told_fund=event.amount)

    # --- terms and prices ----------------------------------------------------------------------------

    def _get_market(self, event: Event) -> PerpMarket:
        perp = self.markets.get(event.market)
        if perp is None:
            raise MisfitError(event, f"market {event.market} is no perpetual")
        return perp

    def _set_market(self, event: Event, **values: object) -> None:
        perp = self._get_market(event)
        self.markets[event.market] = perp._replace(**values)  # type: ignore[arg-type]

    def _set_perp_terms(self, event: Event) -> None:
        self._set_market(
            event,
            feed=event.account,
            band_basis=event.price,
            band_listing=event.other_account,
            funding_cap=event.order,
            interest=event.other_order,
            oi_lower=event.lots,
            oi_upper=event.left,
            impact_notional=event.amount,
            loss_cap=event.amount2,
            tiers=(),
        )

    def _add_tier(self, event: Event) -> None:
        tiers = self._get_market(event).tiers
        if event.flag != len(tiers):
            raise MisfitError(event, f"Expected tier {len(tiers)}, was {event.flag}")
        tier = Tier(event.order, event.price, event.other_account)
        self._set_market(event, tiers=(*tiers, tier))

    def _approve_cross(self, event: Event) -> None:
        self._set_market(event, is_cross=True, profit_weight=event.amount)

    def _set_risk(self, event: Event) -> None:
        key = event.market, event.account
        self.walls[key] = self.walls.get(key, Wall())._replace(cap=event.amount)

    def _set_state(self, event: Event) -> None:
        self._set_market(event, state=event.flag)

    def _set_mark(self, event: Event) -> None:
        self._set_market(event, mark=event.price, index_price=event.other_account)

    def _set_funding(self, event: Event) -> None:
        self._set_market(event, funding_rate=event.amount, funding_index=event.amount2)

    # --- pools ---------------------------------------------------------------------------------------

    def _get_key(self, position: Position) -> PoolKey:
        perp = self.markets[position.market]
        return position.account, perp.venue, perp.asset, position.pool

    def _get_position(self, event: Event, account: int) -> Position:
        position = self.positions.get((account, event.market))
        if position is None:
            raise MisfitError(event, f"account {account} has no position of market {event.market}")
        return position

    def _put_pool(self, pool: MarginPool) -> None:
        before = self.pools.get(pool.key)
        self.pools[pool.key] = pool
        change = pool.collateral - (before.collateral if before else 0)
        self._claim((pool.venue, pool.asset), change)

    def _put_position(self, position: Position) -> None:
        key = position.account, position.market
        before = self.positions.get(key)
        self.positions[key] = position
        pool = self._get_key(position)
        self._members.setdefault(pool, set()).add(position.market)
        self._claim(pool[1:3], position.quote - (before.quote if before else 0))
        rise = max(0, position.lots) - max(0, before.lots if before else 0)
        if rise:
            perp = self.markets[position.market]
            self.markets[position.market] = perp._replace(open_lots=perp.open_lots + rise)
        held = self._sides.setdefault(position.market, {})
        if position.lots:
            held[position.account] = None
        else:
            held.pop(position.account, None)

    def _claim(self, key: tuple[int, ...], change: int) -> None:
        if change:
            venue, asset = key
            wall = self.walls[venue, asset]
            self.walls[venue, asset] = wall._replace(claims=wall.claims + change)

    def _collect(self, event: Event, key: PoolKey, change: int) -> None:
        """Change the collateral of a pool that is there."""
        pool = self.pools.get(key)
        if pool is None:
            raise MisfitError(event, f"no pool (account, venue, asset, market) {key}")
        self._put_pool(pool._replace(collateral=pool.collateral + change))

    def _read_key(self, event: Event) -> PoolKey:
        return event.account, event.order, event.other_order, event.market

    def _tidy(self, key: PoolKey) -> None:
        """Forget positions and the pool that are empty."""
        account = key[0]
        for market in list(self._members.get(key, ())):
            position = self.positions[account, market]
            if not (position.lots or position.quote or position.orders):
                del self.positions[account, market]
                self._members[key].discard(market)
        pool = self.pools.get(key)
        if pool is None or self._members.get(key):
            return
        self._members.pop(key, None)
        is_empty = not (pool.collateral or pool.allowance or pool.haircut)
        if is_empty and not pool.is_liquidating:
            del self.pools[key]

    def _forget_kept(self, key: PoolKey) -> None:
        """Let an active pool that holds nothing and waits for nothing keep nothing."""
        pool = self.pools[key]
        positions = self.get_pool_positions(key)
        is_idle = not any(p.lots or p.quote or p.orders for p in positions)
        if is_idle and not pool.is_liquidating:
            self.pools[key] = pool._replace(kept=0)

    def _move_in(self, event: Event) -> None:
        key = self._read_key(event)
        pool = self.pools.get(key, MarginPool(*key))
        is_automatic = pool.is_liquidating and event.leaf == 0
        self._put_pool(
            pool._replace(
                collateral=pool.collateral + event.amount,
                pulled=pool.pulled + (event.amount if is_automatic else 0),
            )
        )
        wall = self.walls[key[1:3]]
        self.walls[key[1:3]] = wall._replace(cash=wall.cash + event.amount)
        self._move_free(event, event.account, pool.asset, -event.amount)

    def _release(self, event: Event) -> None:
        key = self._read_key(event)
        self._collect(event, key, -event.amount)
        pool = self.pools[key]
        self.pools[key] = pool._replace(haircut=pool.haircut + event.amount2)
        paid = event.amount - event.amount2
        wall = self.walls[key[1:3]]
        self.walls[key[1:3]] = wall._replace(
            cash=wall.cash - paid, deficit=wall.deficit - event.amount2
        )
        self._move_free(event, event.account, pool.asset, paid)
        self._tidy(key)

    def _adjust(self, event: Event) -> None:
        key = self._read_key(event)
        pool = self.pools.get(key)
        if pool is not None:  # a TAKE of all there was has freed it
            self.pools[key] = pool._replace(kept=event.amount)

    def _set_leverage(self, event: Event) -> None:
        key = event.account, event.market
        self.settings[key] = (event.flag, event.amount)
        if key in self.positions:
            self.positions[key] = self.positions[key]._replace(leverage=event.amount)

    def _set_allowance(self, event: Event) -> None:
        key = event.account, event.market, event.other_account, 0
        pool = self.pools.get(key, MarginPool(*key))
        self.pools[key] = pool._replace(allowance=event.amount, pulled=0)
        self._tidy(key)

    def _pay_funding(self, event: Event) -> None:
        position = self._get_position(event, event.account)
        perp = self.markets[event.market]
        position = position._replace(
            funding_index=perp.funding_index, funding=position.funding - event.amount
        )
        self._put_position(position)
        self._collect(event, self._get_key(position), -event.amount)
        self._set_market(event, pot=perp.pot + event.amount)

    def _set_deficit(self, event: Event) -> None:
        key = event.market, event.account
        self.walls[key] = self.walls[key]._replace(deficit=event.amount2)

    # --- trades --------------------------------------------------------------------------------------

    def _get_reserve(self, order: OpenOrder) -> int:
        return get_reserve(self.get_risk(order.market), order.side, order.price)

    def _trade(self, event: Event, position: Position, change: int, price: int) -> int:
        """Trade lots of a position, its collateral with them; return what was realised."""
        perp = self.markets[position.market]
        tick_value = perp.tick_value
        lots, quote, realised = trade(position.lots, position.quote, change, price, tick_value)
        is_new = position.lots == 0 or position.lots * lots < 0
        kept = (
            (0, 0, 0)
            if is_new or not lots
            else (position.realised, position.funding, position.fees)
        )
        self._put_position(
            position._replace(
                lots=lots,
                quote=quote,
                funding_index=perp.funding_index,
                realised=kept[0] + realised if lots and not is_new else 0,
                funding=kept[1],
                fees=kept[2],
            )
        )
        self._collect(event, self._get_key(position), realised)
        return realised

    def _confirm_realised(self, event: Event) -> None:
        realised = self._realised.pop((event.account, event.market), None)
        if realised != event.amount:
            raise MisfitError(event, f"Expected {realised} atoms realised, was {event.amount}")
        position = self.positions.get((event.account, event.market))
        if position is not None:
            key = self._get_key(position)
            self._forget_kept(key)
            self._tidy(key)

    # --- liquidation ---------------------------------------------------------------------------------

    def _begin_liquidation(self, event: Event) -> None:
        key = self._read_key(event)
        if key not in self.pools:
            raise MisfitError(event, f"no pool (account, venue, asset, market) {key}")
        self.pools[key] = self.pools[key]._replace(is_liquidating=True)

    def _end_liquidation(self, event: Event) -> None:
        key = self._read_key(event)
        if key not in self.pools:
            raise MisfitError(event, f"no pool (account, venue, asset, market) {key}")
        self._cover(key)
        self._give_back(key)
        self.pools[key] = self.pools[key]._replace(is_liquidating=False)
        self._forget_kept(key)
        self._tidy(key)

    def _has_lots(self, key: PoolKey) -> bool:
        return any(position.lots for position in self.get_pool_positions(key))

    def _cover(self, key: PoolKey) -> None:
        """Let the fund and the deficit have what a pool without lots owes."""
        pool = self.pools[key]
        if pool.collateral < 0 and not self._has_lots(key):
            self._put_pool(pool._replace(collateral=0))

    def _give_back(self, key: PoolKey) -> None:
        """Give back to the fund what a pool of its that has no lots holds."""
        if key[0] in self.funds and key[3] and not self._has_lots(key):
            self._put_pool(self.pools[key]._replace(collateral=0))

    def _take_over(self, event: Event) -> None:
        mark = self._get_market(event).mark
        position = self._get_position(event, event.account)
        perp = self.markets[event.market]
        if position.lots != event.lots:
            raise MisfitError(event, f"Expected {position.lots} lots, was {event.lots}")
        taker = self.positions.get((event.other_account, event.market))
        if taker is None:
            index = perp.funding_index
            taker = Position(event.other_account, event.market, event.market, funding_index=index)
        key = self._get_key(taker)
        pool = self.pools.get(key, MarginPool(*key))
        self._put_pool(pool._replace(is_liquidating=True))
        self._trade(event, position, -event.lots, mark)
        self._trade(event, taker, event.lots, mark)
        self._collect(event, self._get_key(position), -event.amount)
        self._collect(event, key, event.amount + event.amount2)

    # --- deleveraging and settlement -----------------------------------------------------------------

    def _begin_job(self, event: Event) -> None:
        perp = self._get_market(event)
        key = perp.venue, perp.asset
        wall = self.walls[key]
        told = wall.told_fund if wall.jobs else self.get_fund(*key)
        self.walls[key] = wall._replace(jobs=wall.jobs + 1, told_fund=told)

    def _end_job(self, event: Event) -> None:
        perp = self._get_market(event)
        key = perp.venue, perp.asset
        self.walls[key] = self.walls[key]._replace(jobs=self.walls[key].jobs - 1)

    def _begin_adl(self, event: Event) -> None:
        self._begin_job(event)
        self._set_market(event, is_deleveraging=True)

    def _deleverage(self, event: Event) -> None:
        position = self._get_position(event, event.account)
        key = self._get_key(position)
        if event.lots:
            self._trade(event, position, event.lots, self.markets[event.market].mark)
        self._collect(event, key, -event.amount)
        if event.flag == ADL_GAVE:
            self._cover(key)
            self._forget_kept(key)
            self._tidy(key)

    def _end_adl(self, event: Event) -> None:
        self._end_job(event)
        self._set_market(event, is_deleveraging=False)

    def _begin_settlement(self, event: Event) -> None:
        self._begin_job(event)
        self._set_market(event, mark=event.price, settlement=event.price)

    def _settle(self, event: Event) -> None:
        position = self._get_position(event, event.account)
        if position.lots != event.lots:
            raise MisfitError(event, f"Expected {position.lots} lots, was {event.lots}")
        key = self._get_key(position)
        self._put_position(position._replace(lots=0, quote=0, realised=0, funding=0, fees=0))
        self._collect(event, key, event.amount)
        self._cover(key)
        self._give_back(key)
        self._forget_kept(key)
        self._tidy(key)

    def _end_settlement(self, event: Event) -> None:
        self._end_job(event)
        self._set_market(event, is_over=True, pot=0)
