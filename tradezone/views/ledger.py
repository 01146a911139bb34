"""Every account's balances, orders, holdings and plans, and who received which fees, from events alone.

Terms of a market come from its MARKET_LISTED, MARKET_TERMS and MARKET_FEES events, so a ledger that hears the stream from its
first event needs nothing else.

Invariants, which `Ledger.check` looks at (between two blocks they hold; inside a block for all but the last event):

* of each asset, free and locked of all accounts, the cash of events and of walls add up to what came in less what went out;
* what a balance has locked is what the open orders that pay from it lock, and so for the lots of a holding;
* of an outcome, unlocked Yes and No lots are never both there; an event's cash is what its holdings can claim in all;
* each fill's fees are shared out to the last atom;
* behind the wall of a venue nothing is claimed twice (`tradezone.views.perps`).

At each event: an order is open or, if it is new, is not; columns that repeat what is known agree; nothing falls below 0.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from tradezone.protocol.actions import POST_TIFS
from tradezone.protocol.enums import (
    BUY,
    CANCEL_DEAD_MAN,
    CANCEL_STP,
    MARKET_OUTCOME,
    MARKET_PERP,
    NONE,
    ORDER_FORCED,
    PROTOCOL_OWNER,
)
from tradezone.protocol.events import (
    ACCESS_GRANTED,
    ACCESS_REVOKED,
    ACCOUNT_CREATED,
    ANNIHILATED,
    ASSET_REGISTERED,
    ASSET_UPDATED,
    BALANCE_CLOSED,
    BALANCE_OPENED,
    BAND_MOVED,
    CALENDAR_SET,
    CANCEL_ALL_BEGUN,
    CANCEL_ALL_DONE,
    DEAD_MAN_SET,
    DEPOSITED,
    EVENT_LISTED,
    EVENT_RESOLVED,
    FEE_SHARE,
    FEED_SET,
    FEES,
    FILL,
    FORCED_ANSWERED,
    FORCED_ORDER,
    FUND_CHANGED,
    FUNDING_PAID,
    HEARTBEAT,
    INCIDENT,
    INTERFACE_APPROVED,
    ISSUED,
    ITEM_REJECTED,
    KEY_APPROVED,
    KEY_REVOKED,
    LEAF_REJECTED,
    MARKET_FEES,
    MARKET_LISTED,
    MARKET_TERMS,
    MERGED,
    MESSAGE_IGNORED,
    ORDER_AMENDED,
    ORDER_CANCELLED,
    ORDER_RESTED,
    ORDER_WAITING,
    OWNER_REGISTERED,
    PLAN_ARMED_NOW,
    PLAN_CANCELLED,
    PLAN_FAILED,
    PLAN_PLACED,
    PLAN_TRIGGERED,
    POOL_MOVED,
    POOL_RELEASED,
    PRICE_SET,
    REALISED,
    REDEEMED,
    RESTARTED,
    SPLIT,
    TRANSFERRED,
    VENUE_CREATED,
    VENUE_UPDATED,
    WITHDRAWN,
)

from .perps import Perpetuals
from .stream import Event, EventCursor, Events, MisfitError, ViewError, read_events, select_events
from .terms import MarketTerms

if TYPE_CHECKING:
    from collections.abc import Callable

LEFT_ITS_PLACE: Final = 1  # ORDER_AMENDED.flag: the next event of the order says where it went
GROUPING: Final = 4  # PLAN_PLACED.flag: bits from here on
# what may come before its fees are shared out
AFTER_A_FILL: Final = (ANNIHILATED, FEE_SHARE, FEES, REALISED)
# what may come between an order's leaving its place and its coming to another
ON_ITS_WAY: Final = (ANNIHILATED, FUNDING_PAID, POOL_MOVED, POOL_RELEASED)
# what may follow before a holding adds up: pairs cancel
CLOSING: Final = (ANNIHILATED, SPLIT)
PLACED: Final = (ORDER_WAITING, ORDER_RESTED)  # events that tell an order's flags
SILENT: Final = (  # nothing of an account changes
    KEY_APPROVED,
    KEY_REVOKED,
    ASSET_REGISTERED,
    HEARTBEAT,
    ITEM_REJECTED,
    LEAF_REJECTED,
    MESSAGE_IGNORED,
    VENUE_UPDATED,
    CALENDAR_SET,
    ASSET_UPDATED,
    RESTARTED,
    BAND_MOVED,
    INTERFACE_APPROVED,
    ACCESS_GRANTED,
    ACCESS_REVOKED,
    FEED_SET,
    PRICE_SET,
    INCIDENT,
    FORCED_ORDER,
    FORCED_ANSWERED,
)


class Balance(NamedTuple):
    """What an account has of an asset, atoms."""

    free: int = 0
    locked: int = 0


class Holding(NamedTuple):
    """What an account holds of an outcome, lots; the locked ones are among them."""

    yes: int = 0
    no: int = 0
    yes_locked: int = 0
    no_locked: int = 0


class OpenOrder(NamedTuple):
    """An open order.

    Parameters
    ----------
    lots, filled : int
        open lots, and those filled so far
    locked : int
        atoms locked in the paying balance
    cover : int
        lots of the holding that it would close and has locked
    extra_fee : int
        ppm that an interface or a door takes on top (column ``amount2`` of the order's events)
    flags : int
        ORDER_REDUCE_ONLY, ORDER_FORCED: only in perpetuals, where ``locked`` is margin of the order's pool
    """

    order: int
    account: int
    market: int
    side: int
    tif: int
    price: int
    lots: int
    filled: int
    locked: int
    cover: int
    extra_fee: int
    client_id: int
    is_resting: bool
    flags: int = 0


class Plan(NamedTuple):
    """A conditional order that is held off the book. ``parent`` is the order it follows, 0 = none."""

    plan: int
    parent: int
    account: int
    market: int
    side: int
    kind: int
    source: int
    grouping: int
    trigger: int
    price: int  # limit, 0 = market
    lots: int
    is_armed: bool


class OutcomeEvent(NamedTuple):
    """An event with outcomes. ``cash`` backs all holdings of its markets, ``sets`` are split and not merged."""

    venue: int
    asset: int
    unit: int
    outcomes: int
    markets: tuple[int, ...] = ()
    cash: int = 0
    sets: int = 0
    state: int = 0  # 0 = open, else as EVENT_RESOLVED said
    payouts: int = 0


class Venue(NamedTuple):
    """Accounts that a venue's share of fees goes to."""

    fee_account: int
    fund_account: int


class Ledger:
    """The money side of the whole event stream.

    Attributes are plain dictionaries of what there is now: ``balances`` by (account, asset), ``orders`` by id,
    ``holdings`` by (account, market), ``plans`` by id, ``fees`` received by (account, asset), ``owners`` of accounts by
    account, ``venues``, ``terms`` by market, ``outcome_events``, ``perps``, ``supply`` by asset, ``dead_man`` times by account, ``tasks``:
    running cancel-alls by (account, market), as (side, reason). Read them, do not change them.
    """

    def __init__(self) -> None:
        self.terms: dict[int, MarketTerms] = {}
        self.balances: dict[tuple[int, int], Balance] = {}
        self.orders: dict[int, OpenOrder] = {}
        self.holdings: dict[tuple[int, int], Holding] = {}
        self.plans: dict[int, Plan] = {}
        self.fees: Counter[tuple[int, int]] = Counter()
        self.owners: dict[int, int] = {}
        self.venues: dict[int, Venue] = {}
        self.outcome_events: dict[int, OutcomeEvent] = {}
        self.supply: Counter[int] = Counter()
        self.dead_man: dict[int, int] = {}
        self.tasks: dict[tuple[int, int], tuple[int, int]] = {}
        self.perps = Perpetuals(self._move, lambda *key: self.get_balance(*key).free)
        self.cursor = EventCursor()
        self._protocol = NONE  # main account of the protocol's owner
        self._children: dict[int, set[int]] = {}  # plans by the order they follow
        self._moving = NONE  # order that was amended and has no new place yet
        self._pot: int | None = None  # fees of the fill before that are not shared out yet
        self._pot_market = NONE
        self._open_holdings: dict[tuple[int, int], None] = {}  # changed since they were looked at
        self._handlers = self._get_handlers()
        self._is_known = np.zeros(256, dtype=np.bool_)
        self._is_known[[*self._handlers, *SILENT]] = True

    def apply(self, events: Events) -> None:
        """Apply events in order.

        GapError, and nothing is applied, if events are missing or doubled; MisfitError if one contradicts the ledger.
        """
        unknown = ~self._is_known[events["kind"].view(np.uint8)]
        if unknown.any():
            event = read_events(events[unknown][:1])[0]
            raise MisfitError(event, "Expected a kind that this version knows: update the package")
        self.cursor.advance(events)
        for event in read_events(select_events(events, self._handlers)):
            self._apply(event)

    def get_balance(self, account: int, asset: int) -> Balance:
        """Balance of an account; zeros if it has none."""
        return self.balances.get((account, asset), Balance())

    def get_holding(self, account: int, market: int) -> Holding:
        """Get what an account holds of an outcome; zeros if it has nothing."""
        return self.holdings.get((account, market), Holding())

    def get_orders(self, account: int) -> list[OpenOrder]:
        """Open orders of an account, in no order."""
        return [order for order in self.orders.values() if order.account == account]

    def check(self) -> None:
        """Check the invariants above, all of them. ViewError at the first that does not hold."""
        total = Counter(
            {group.asset: 0 for group in self.outcome_events.values()}
            | {asset: 0 for _, asset in self.balances}
        )
        for (_, asset), balance in self.balances.items():
            total[asset] += balance.free + balance.locked
        for group in self.outcome_events.values():
            total[group.asset] += group.cash
        for (_, asset), wall in self.perps.walls.items():
            total[asset] += wall.cash
        for asset, atoms in total.items():
            self._expect(f"atoms of asset {asset}", self.supply[asset], atoms)
        locked: Counter[tuple[int, int]] = Counter()
        covered: Counter[tuple[int, int, int]] = Counter()
        margins: Counter[tuple[int, int, int, int]] = Counter()
        for order in self.orders.values():
            terms = self.terms[order.market]
            if terms.kind == MARKET_PERP:
                margins[self.perps.find_pool(order.account, order.market)] += order.locked
                continue
            paying = terms.get_paying_asset(order.side)
            locked[order.account, paying] += order.locked
            covered[order.account, order.market, order.side] += order.cover
        for key, balance in self.balances.items():
            self._expect(f"atoms locked by (account, asset) {key}", locked[key], balance.locked)
        for (account, market), holding in self.holdings.items():
            name = f"of (account, market) {(account, market)}"
            self._expect(
                f"Yes lots locked {name}", covered[account, market, 1 - BUY], holding.yes_locked
            )
            self._expect(f"No lots locked {name}", covered[account, market, BUY], holding.no_locked)
            both = min(holding.yes - holding.yes_locked, holding.no - holding.no_locked)
            self._expect(f"unlocked pairs {name}", 0, both)
        for pool_key, pool in self.perps.pools.items():
            self._expect(f"atoms of orders of {pool_key}", margins[pool_key], pool.order_margin)
        self._check_outcomes()
        self.perps.check(self._expect)
        self._expect("atoms of fees that are not shared out", 0, self._pot or 0)
        self._expect("orders on their way", NONE, self._moving)

    def _check_outcomes(self) -> None:
        yes: Counter[int] = Counter()
        no: Counter[int] = Counter()
        for (_, market), holding in self.holdings.items():
            yes[market] += holding.yes
            no[market] += holding.no
        for number, group in self.outcome_events.items():
            if group.state:
                continue  # it is being paid out
            for market in group.markets:
                self._expect(
                    f"Yes less No lots of market {market}", group.sets, yes[market] - no[market]
                )
            claims = group.unit * (group.sets + sum(no[market] for market in group.markets))
            self._expect(f"cash of event {number}", claims, group.cash)

    def _expect(self, what: str, expected: int, found: int) -> None:
        if found != expected:
            seq = self.cursor.next_seq - 1
            raise ViewError(f"after event {seq}: Expected {expected} {what}, was {found}", seq)

    # --- one event -----------------------------------------------------------------------------------

    def _get_handlers(self) -> dict[int, Callable[[Event], None]]:
        return {
            OWNER_REGISTERED: self._register_owner,
            ACCOUNT_CREATED: self._create_account,
            DEPOSITED: self._deposit,
            WITHDRAWN: self._withdraw,
            TRANSFERRED: self._transfer,
            ISSUED: self._deposit,
            BALANCE_OPENED: self._open_balance,
            BALANCE_CLOSED: self._close_balance,
            VENUE_CREATED: self._create_venue,
            MARKET_LISTED: self._list_market,
            MARKET_TERMS: self._set_market_terms,
            MARKET_FEES: self._set_market_fees,
            EVENT_LISTED: self._list_event,
            EVENT_RESOLVED: self._resolve_event,
            ORDER_WAITING: self._hear_new_order,
            ORDER_RESTED: self._hear_new_order,
            ORDER_AMENDED: self._amend,
            ORDER_CANCELLED: self._cancel,
            FILL: self._fill,
            FEES: self._share_fees,
            FEE_SHARE: self._share_fee,
            ANNIHILATED: self._annihilate,
            SPLIT: self._split,
            MERGED: self._merge,
            REDEEMED: self._redeem,
            PLAN_PLACED: self._place_plan,
            PLAN_ARMED_NOW: self._arm_plan,
            PLAN_TRIGGERED: self._remove_plan,
            PLAN_FAILED: self._remove_plan,
            PLAN_CANCELLED: self._remove_plan,
            DEAD_MAN_SET: self._set_dead_man,
            CANCEL_ALL_BEGUN: self._begin_task,
            CANCEL_ALL_DONE: self._end_task,
            FUND_CHANGED: self._change_fund,
            **self.perps.handlers,
        }

    def _apply(self, event: Event) -> None:
        if self._pot is not None and event.kind not in AFTER_A_FILL:
            self._close_pot(event)
        if self._moving and event.kind not in ON_ITS_WAY:
            is_its_place = event.kind in (ORDER_WAITING, ORDER_RESTED)
            if not is_its_place or event.order != self._moving:
                raise MisfitError(
                    event, f"Expected the new place of the amended order {self._moving}"
                )
        if self._open_holdings and event.kind not in CLOSING:
            self._close_holdings(event)
        self._handlers[event.kind](event)

    def _close_pot(self, event: Event) -> None:
        if self._pot:
            raise MisfitError(event, f"{self._pot} atoms of the last fill's fees went to nobody")
        self._pot = None

    def _close_holdings(self, event: Event) -> None:
        """Look at the holdings that the events before changed; a split says its part last."""
        for key in self._open_holdings:
            holding = self.holdings.get(key, Holding())
            if not (
                0 <= holding.yes_locked <= holding.yes and 0 <= holding.no_locked <= holding.no
            ):
                raise MisfitError(
                    event, f"before it (account, market) {key} is left with {holding}"
                )
        self._open_holdings.clear()

    # --- people and terms ----------------------------------------------------------------------------

    def _register_owner(self, event: Event) -> None:
        self._create_account(event)
        if event.order == PROTOCOL_OWNER:
            self._protocol = event.account

    def _create_account(self, event: Event) -> None:
        if event.account in self.owners:
            raise MisfitError(event, f"account {event.account} is there already")
        self.owners[event.account] = event.order

    def _create_venue(self, event: Event) -> None:
        self.venues[event.market] = Venue(event.account, event.other_account)
        self.perps.funds.add(event.other_account)

    def _list_market(self, event: Event) -> None:
        if event.market in self.terms:
            raise MisfitError(event, f"market {event.market} is listed already")
        self.terms[event.market] = MarketTerms(venue=event.account)

    def _set_market_terms(self, event: Event) -> None:
        terms = self._get_terms(event)
        is_door = event.amount2 != NONE  # its orders, and so its lots, are those of its home
        if event.flag == MARKET_OUTCOME and not is_door:
            group = self._get_outcome_event(event, event.account)
            if event.market not in group.markets:
                self._set_group(
                    event.account, group._replace(markets=(*group.markets, event.market))
                )
        self.terms[event.market] = terms._replace(
            kind=event.flag,
            base=event.account,
            quote=event.other_account,
            lot_size=event.order,
            tick_value=event.other_order,
            home=event.amount2 or event.market,
        )
        if event.flag == MARKET_PERP and not is_door:
            self.perps.set_terms(event, self.terms[event.market])

    def _set_market_fees(self, event: Event) -> None:
        terms = self._get_terms(event)
        self.terms[event.market] = terms._replace(
            taker_fee=event.order, maker_fee=event.other_order
        )
        if event.market in self.perps.markets:
            self.perps.set_fees(event)

    def _list_event(self, event: Event) -> None:
        self._set_group(
            event.market,
            OutcomeEvent(event.account, event.other_account, event.amount, event.flag),
        )

    def _resolve_event(self, event: Event) -> None:
        group = self._get_outcome_event(event, event.market)
        limbs = (event.client_id0, event.client_id1, event.order, event.other_order)
        payouts = sum((limb & (1 << 64) - 1) << 64 * n for n, limb in enumerate(limbs))
        self._set_group(event.market, group._replace(state=event.flag, payouts=payouts))

    def _get_terms(self, event: Event) -> MarketTerms:
        terms = self.terms.get(event.market)
        if terms is None:
            raise MisfitError(event, f"market {event.market} is not listed")
        return terms

    def _get_outcome_event(self, event: Event, number: int) -> OutcomeEvent:
        group = self.outcome_events.get(number)
        if group is None:
            raise MisfitError(event, f"event {number} is not listed")
        return group

    def _set_group(self, number: int, group: OutcomeEvent) -> None:
        self.outcome_events[number] = group

    # --- money ---------------------------------------------------------------------------------------

    def _deposit(self, event: Event) -> None:
        self.supply[event.market] += event.amount
        self._move(event, event.account, event.market, free=event.amount)

    def _withdraw(self, event: Event) -> None:
        self.supply[event.market] -= event.amount
        self._move(event, event.account, event.market, free=-event.amount)

    def _transfer(self, event: Event) -> None:
        self._move(event, event.account, event.market, free=-event.amount)
        self._move(event, event.other_account, event.market, free=event.amount)

    def _open_balance(self, event: Event) -> None:
        self.balances.setdefault((event.account, event.market), Balance())

    def _close_balance(self, event: Event) -> None:
        balance = self.balances.pop((event.account, event.market), Balance())
        if balance != Balance():
            raise MisfitError(event, f"the balance it closes is {balance}")

    def _move(self, event: Event, account: int, asset: int, free: int, locked: int = 0) -> None:
        """Add to a balance, which never falls below zero."""
        before = self.balances.get((account, asset), Balance())
        after = Balance(before.free + free, before.locked + locked)
        if after.free < 0 or after.locked < 0:
            raise MisfitError(
                event, f"account {account} would have {after} of asset {asset}, has {before}"
            )
        self.balances[account, asset] = after

    def _move_lots(
        self, account: int, market: int, yes: int = 0, no: int = 0, covers: tuple[int, int] = (0, 0)
    ) -> None:
        """Add to a holding; ``covers`` are changes of (yes_locked, no_locked)."""
        key = (account, market)
        before = self.holdings.get(key, Holding())
        after = Holding(
            before.yes + yes,
            before.no + no,
            before.yes_locked + covers[0],
            before.no_locked + covers[1],
        )
        self._open_holdings[key] = None
        if after == Holding():
            self.holdings.pop(key, None)
        else:
            self.holdings[key] = after

    # --- orders --------------------------------------------------------------------------------------

    def _hear_new_order(self, event: Event) -> None:
        """Take in where an order stands: it is new, or was amended, or has waited and rests now."""
        known = self.orders.get(event.order)
        is_resting = event.kind == ORDER_RESTED
        new = self._read_order(event, known, is_resting=is_resting)
        if known is not None:
            is_moved = event.order == self._moving
            if not is_moved and (known.is_resting or not is_resting):
                raise MisfitError(event, f"order {event.order} is open already")
            wanted = known._replace(is_resting=is_resting, tif=new.tif)
            if new != wanted:
                raise MisfitError(event, f"Expected {wanted}, was {new}")
        has_waited = known is not None and event.order != self._moving
        is_entering = not has_waited
        if is_resting and not has_waited and event.tif not in POST_TIFS:
            raise MisfitError(event, f"order {event.order} can take, so it rests after it waited")
        self._moving = NONE
        self._set_order(event, known, new, is_entering=is_entering)

    def _amend(self, event: Event) -> None:
        known = self._get_order(event, event.order)
        new = self._read_order(event, known, is_resting=known.is_resting)
        if event.flag == LEFT_ITS_PLACE:
            if not known.is_resting:
                raise MisfitError(event, f"order {event.order} waits, so it has no place to leave")
            self._moving = event.order
            new = new._replace(is_resting=False)
        elif new.lots > known.lots or new.price != known.price or new.locked > known.locked:
            raise MisfitError(event, f"Expected no more than {known}, was {new}")
        self._set_order(event, known, new)

    def _cancel(self, event: Event) -> None:
        known = self._get_order(event, event.order)
        if (event.amount, event.price) != (known.locked, known.price):
            raise MisfitError(
                event,
                f"Expected {known.locked} atoms locked and the price {known.price}, was {event.amount} "
                f"and {event.price}",
            )
        if event.lots != known.lots and (event.lots or event.tif != CANCEL_STP):
            raise MisfitError(event, f"Expected {known.lots} open lots, was {event.lots}")
        self._same_order(event, known)
        self._set_order(event, known, known._replace(lots=0, locked=0, cover=0))

    def _read_order(self, event: Event, known: OpenOrder | None, *, is_resting: bool) -> OpenOrder:
        """Build the order as its event tells it."""
        if known is not None:
            self._same_order(event, known)
        if event.lots <= 0 or event.price <= 0 or event.amount < 0:
            raise MisfitError(event, "Expected an order with lots, a price and a lock")
        return OpenOrder(
            order=event.order,
            account=event.account,
            market=event.market,
            side=event.side,
            tif=event.tif,
            price=event.price,
            lots=event.lots,
            filled=0 if known is None else known.filled,
            locked=event.amount,
            cover=event.left,
            extra_fee=event.amount2,
            client_id=event.client_id,
            is_resting=is_resting,
            flags=event.flag if event.kind in PLACED else known.flags if known else 0,
        )

    def _same_order(self, event: Event, known: OpenOrder) -> None:
        found = (event.account, event.market, event.side, event.client_id)
        wanted = (known.account, known.market, known.side, known.client_id)
        if found != wanted:
            raise MisfitError(
                event, f"Expected (account, market, side, client id) {wanted}, was {found}"
            )

    def _get_order(self, event: Event, order: int) -> OpenOrder:
        known = self.orders.get(order)
        if known is None:
            raise MisfitError(event, f"order {order} is not open")
        return known

    def _set_order(
        self,
        event: Event,
        before: OpenOrder | None,
        after: OpenOrder,
        *,
        is_entering: bool = False,
    ) -> None:
        """Put an order in its new state: what it locks changes with it, and without lots it is gone."""
        terms = self._get_terms(event)
        if terms.kind == MARKET_PERP:
            self.perps.change_order(event, before, after, is_entering=is_entering)
            self._keep(after)
            return
        asset = terms.get_paying_asset(after.side)
        locked = after.locked - (before.locked if before else 0)
        cover = after.cover - (before.cover if before else 0)
        if locked:
            self._move(event, after.account, asset, free=-locked, locked=locked)
        if cover:
            covers = (0, cover) if after.side == BUY else (cover, 0)
            self._move_lots(after.account, after.market, covers=covers)
        self._keep(after)

    def _keep(self, order: OpenOrder) -> None:
        if order.lots:
            self.orders[order.order] = order
        else:
            del self.orders[order.order]
            self._leave_children(order)

    # --- fills and fees ------------------------------------------------------------------------------

    def _fill(self, event: Event) -> None:
        taker = self._get_order(event, event.order)
        maker = self._get_order(event, event.other_order)
        found = (event.account, event.other_account, event.side)
        wanted = (taker.account, maker.account, taker.side)
        if found != wanted or maker.side == taker.side:
            raise MisfitError(event, f"Expected accounts and side {wanted}, was {found}")
        if taker.is_resting or not maker.is_resting:
            raise MisfitError(event, "Expected a taker that waits and a maker that rests")
        if not 0 < event.lots <= min(taker.lots, maker.lots) or event.price != maker.price:
            raise MisfitError(
                event, f"Expected at most {min(taker.lots, maker.lots)} lots at {maker.price}"
            )
        if event.left != maker.lots - event.lots:
            raise MisfitError(event, f"Expected {maker.lots - event.lots} lots left of the maker")
        self._fill_order(event, taker, event.amount)
        self._fill_order(event, maker, event.amount2)
        self._pot, self._pot_market = event.amount + event.amount2, event.market
        if self._get_terms(event).kind == MARKET_PERP:
            if taker.flags & ORDER_FORCED:
                self._pot -= event.amount  # a forced taker pays no fee: its gain is the fund's
            self.perps.pay_out(event, self._pot)

    def _fill_order(self, event: Event, order: OpenOrder, fees: int) -> None:
        terms = self._get_terms(event)
        if terms.kind == MARKET_PERP:
            self._fill_perp_order(event, order, fees, terms)
            return
        lots, rest = event.lots, order.lots - event.lots
        closed = min(lots, order.cover)  # lots of the holding that this closes; the others open
        opened = lots - closed
        cover = order.cover - closed
        pays = terms.get_cost(order.side, event.price, opened)
        gets = terms.get_cost(1 - order.side, event.price, closed)
        paying = terms.get_paying_asset(order.side)
        bound = terms.get_lock(order.side, order.price, rest - cover, order.extra_fee)
        is_proceeds_taxed = paying != terms.quote  # a spot seller's fees come out of what it gets
        left = order.locked - pays - (0 if is_proceeds_taxed else max(fees - gets, 0))
        if left < 0:
            raise MisfitError(
                event,
                f"order {order.order} has {order.locked} atoms locked, pays {pays} and {fees}",
            )
        locked = min(left, bound)
        free = order.locked - pays - locked
        if is_proceeds_taxed:
            self._move(event, order.account, paying, free, locked - order.locked)
            proceeds = terms.get_notional(event.price, lots) - fees
            self._move(event, order.account, terms.quote, proceeds)
        else:
            self._move(event, order.account, paying, free + gets - fees, locked - order.locked)
            if terms.kind != MARKET_OUTCOME:
                self._move(event, order.account, terms.base, terms.lot_size * lots)
        if terms.kind == MARKET_OUTCOME:
            is_buy = order.side == BUY
            self._move_lots(
                order.account,
                order.market,
                yes=opened if is_buy else -closed,
                no=-closed if is_buy else opened,
                covers=(0, -closed) if is_buy else (-closed, 0),
            )
            group = self._get_outcome_event(event, terms.base)
            self._set_group(terms.base, group._replace(cash=group.cash + pays - gets))
        if not order.filled:
            self._arm_children(order.order)
        self._keep(
            order._replace(lots=rest, filled=order.filled + lots, locked=locked, cover=cover)
        )

    def _fill_perp_order(
        self, event: Event, order: OpenOrder, paid: int, terms: MarketTerms
    ) -> None:
        self.perps.fill(event, order, paid)
        rest = order.lots - event.lots
        rate = max(terms.taker_fee, terms.maker_fee, 0) + order.extra_fee
        locked = min(order.locked, self.perps.get_bound(order, rest, rate))
        if not order.filled:
            self._arm_children(order.order)
        after = order._replace(lots=rest, filled=order.filled + event.lots, locked=locked)
        self.perps.change_order(event, order, after, is_entering=False)
        self._keep(after)

    def _change_fund(self, event: Event) -> None:
        self.perps.change_fund(event)
        if event.other_account:
            self._move(event, event.other_account, event.account, free=-event.amount2)
        else:
            self.supply[event.account] += event.amount2  # stake that was slashed

    def _share_fees(self, event: Event) -> None:
        terms = self._get_terms(event)
        venue = self.venues.get(terms.venue)
        if venue is None:
            raise MisfitError(event, f"venue {terms.venue} of market {event.market} is not known")
        self._pay_fee(event, venue.fee_account, event.amount)
        if terms.kind == MARKET_PERP:
            self._pay_insurance(event)
        else:
            self._pay_fee(event, venue.fund_account, event.amount2)
        self._pay_fee(event, self._protocol, event.left)
        self._close_pot(event)

    def _pay_insurance(self, event: Event) -> None:
        """Keep the insurance part of a perpetual's fees inside the wall."""
        self._take_from_pot(event, event.amount2)
        self.perps.pay_out(event, -event.amount2)

    def _share_fee(self, event: Event) -> None:
        self._pay_fee(event, event.account, event.amount)

    def _take_from_pot(self, event: Event, amount: int) -> None:
        if self._pot is None or event.market != self._pot_market:
            raise MisfitError(event, f"no fill of market {event.market} is before it")
        if not 0 <= amount <= self._pot:
            raise MisfitError(event, f"{self._pot} atoms are left of the fees, was {amount}")
        self._pot -= amount

    def _pay_fee(self, event: Event, account: int, amount: int) -> None:
        self._take_from_pot(event, amount)
        asset = self._get_terms(event).quote
        self._move(event, account, asset, free=amount)
        self.fees[account, asset] += amount

    # --- outcomes ------------------------------------------------------------------------------------

    def _annihilate(self, event: Event) -> None:
        terms = self._get_terms(event)
        group = self._get_outcome_event(event, terms.base)
        if event.amount != event.lots * group.unit:
            raise MisfitError(
                event, f"Expected {event.lots * group.unit} atoms, was {event.amount}"
            )
        self._set_group(terms.base, group._replace(cash=group.cash - event.amount))
        self._move(event, event.account, terms.quote, free=event.amount)
        self._move_lots(event.account, event.market, yes=-event.lots, no=-event.lots)

    def _split(self, event: Event) -> None:
        self._change_sets(event, event.lots)

    def _merge(self, event: Event) -> None:
        self._change_sets(event, -event.lots)

    def _change_sets(self, event: Event, lots: int) -> None:
        group = self._get_outcome_event(event, event.market)
        if event.amount != event.lots * group.unit:
            raise MisfitError(
                event, f"Expected {event.lots * group.unit} atoms, was {event.amount}"
            )
        amount = lots * group.unit
        self._set_group(
            event.market, group._replace(cash=group.cash + amount, sets=group.sets + lots)
        )
        self._move(event, event.account, group.asset, free=-amount)
        for market in group.markets:
            self._move_lots(event.account, market, yes=lots)

    def _redeem(self, event: Event) -> None:
        terms = self._get_terms(event)
        group = self._get_outcome_event(event, terms.base)
        holding = self.get_holding(event.account, event.market)
        if holding != Holding(event.lots, event.left):
            raise MisfitError(event, f"account {event.account} holds {holding}")
        if event.amount > group.cash:
            raise MisfitError(event, f"the event has {group.cash} atoms, was {event.amount}")
        self._set_group(terms.base, group._replace(cash=group.cash - event.amount))
        self._move(event, event.account, terms.quote, free=event.amount)
        self._move_lots(event.account, event.market, yes=-event.lots, no=-event.left)

    # --- plans and switches --------------------------------------------------------------------------

    def _place_plan(self, event: Event) -> None:
        if event.order in self.plans:
            raise MisfitError(event, f"plan {event.order} is open already")
        parent = self.orders.get(event.other_order)
        if event.other_order and parent is None:
            raise MisfitError(event, f"its parent, order {event.other_order}, is not open")
        self.plans[event.order] = Plan(
            plan=event.order,
            parent=event.other_order,
            account=event.account,
            market=event.market,
            side=event.side,
            kind=event.tif,
            source=event.flag & (1 << GROUPING) - 1,
            grouping=event.flag >> GROUPING,
            trigger=event.price,
            price=event.left,
            lots=event.lots,
            is_armed=parent is None or parent.filled > 0,
        )
        if parent is not None:
            self._children.setdefault(parent.order, set()).add(event.order)

    def _arm_plan(self, event: Event) -> None:
        plan = self._get_plan(event)
        self.plans[plan.plan] = plan._replace(is_armed=True)

    def _remove_plan(self, event: Event) -> None:
        plan = self._get_plan(event)
        del self.plans[plan.plan]
        if plan.parent:
            children = self._children[plan.parent]
            children.discard(plan.plan)
            if not children:
                del self._children[plan.parent]

    def _get_plan(self, event: Event) -> Plan:
        plan = self.plans.get(event.order)
        if plan is None:
            raise MisfitError(event, f"plan {event.order} is not open")
        return plan

    def _arm_children(self, order: int) -> None:
        for plan in self._children.get(order, ()):
            self.plans[plan] = self.plans[plan]._replace(is_armed=True)

    def _leave_children(self, order: OpenOrder) -> None:
        """Let the plans of an order that leaves live on for what it filled; if it filled nothing they leave by events."""
        if not order.filled:
            return
        for plan in self._children.pop(order.order, ()):
            child = self.plans[plan]
            self.plans[plan] = child._replace(parent=NONE, lots=min(child.lots, order.filled))

    def _set_dead_man(self, event: Event) -> None:
        if event.amount:
            self.dead_man[event.account] = event.amount
        else:
            self.dead_man.pop(event.account, None)

    def _begin_task(self, event: Event) -> None:
        self.tasks[_get_task(event)] = (event.side, event.tif)
        if event.account and event.tif == CANCEL_DEAD_MAN:
            self.dead_man.pop(event.account, None)

    def _end_task(self, event: Event) -> None:
        if self.tasks.pop(_get_task(event), None) is None:
            raise MisfitError(event, "no such cancel-all has begun")


def _get_task(event: Event) -> tuple[int, int]:
    """Key of a cancel-all: an account has one at a time, which may be widened; else it is a market's."""
    return (event.account, NONE) if event.account else (NONE, event.market)
