"""The states of orders and plans, by their official names, from the zone's events.

Names and meaning follow the official Exchange OS documentation. Where it is silent:

* An order that waits to take (ORDER_WAITING) is *Open*: nobody sees how long it waits.
* Of the active states the newest counts: a fill makes an order *Partially filled*, an amend makes it
  *Modified* (it kept its place) or *Amend and replace* (it did not).
* A cancel of a waiting order changes no state; ``is_cancelling`` says that its rest will not stay.
* An order that is refused at entry (ITEM_REJECTED) never gets an id, so it has no state.
* A plan whose order was refused is *Triggered and failed*; a leg of a bracket, in the same case, *Failed*.

Invariant: after every event a tracked order's ``open`` is the open lots that the zone has for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from tradezone.client.orders import ClientId, to_client_id
from tradezone.protocol import events
from tradezone.protocol.enums import GROUP_NONE, TIF_IOC


class OrderState(StrEnum):
    """State of an order or plan."""

    OPEN = "Open"
    PARTIALLY_FILLED = "Partially filled"
    MODIFIED = "Modified"
    AMEND_AND_REPLACE = "Amend and replace"
    FILLED = "Filled"
    TRIGGERED = "Triggered"
    TRIGGERED_AND_FAILED = "Triggered and failed"
    FAILED = "Failed"
    CANCELED = "Canceled"
    PARTIALLY_FILLED_AND_CANCELED = "Partially filled and canceled"

    @property
    def is_active(self) -> bool:
        """Whether something may still come of it."""
        return self in _ACTIVE


_ACTIVE: Final = frozenset(
    {
        OrderState.OPEN,
        OrderState.PARTIALLY_FILLED,
        OrderState.MODIFIED,
        OrderState.AMEND_AND_REPLACE,
    }
)
_MASK: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class TrackedOrder:
    """An order as the events so far tell it. Sizes are lots, prices ticks of the book."""

    id: int
    account: int
    market: int
    side: int
    tif: int
    price: int
    open: int
    client_id: bytes
    state: OrderState = OrderState.OPEN
    filled: int = 0
    cost: int = 0  # sum of lots * ticks over its fills: cost / filled is the average price
    is_cancelling: bool = False
    reason: int = 0  # why it was cancelled, CANCEL_*
    plan: int = 0  # id of the plan that sent it

    @property
    def size(self) -> int:
        """Lots in all."""
        return self.filled + self.open


@dataclass(frozen=True, slots=True)
class TrackedPlan:
    """A plan as the events so far tell it."""

    id: int
    account: int
    market: int
    side: int
    kind: int
    source: int
    grouping: int
    trigger: int
    price: int  # limit of the order it sends, 0 = market
    lots: int
    parent: int  # id of the order that it followed when it was placed, 0 = none
    state: OrderState = OrderState.OPEN
    is_armed: bool = False
    order: int = 0  # id of the order it sent
    reason: int = 0  # why it was cancelled, CANCEL_*
    error: int = 0  # why its order was refused, protocol error


class OrderTracker:
    """Follows orders and plans through the events of the zone, fed in their order.

    Events of orders that were placed before the first event fed are passed over.

    Parameters
    ----------
    accounts : iterable of int, optional
        only these accounts; all if absent
    """

    def __init__(self, accounts: Iterable[int] | None = None) -> None:
        self._accounts = None if accounts is None else frozenset(accounts)
        self.orders: dict[int, TrackedOrder] = {}
        self.plans: dict[int, TrackedPlan] = {}
        self._senders: dict[int, int] = {}  # order that no event has shown yet -> plan that sent it
        self._legs: dict[int, list[int]] = {}  # order -> plans that were placed to follow it
        self._apply: Final = {
            events.ORDER_WAITING: self._apply_placed,
            events.ORDER_RESTED: self._apply_placed,
            events.ORDER_AMENDED: self._apply_amended,
            events.ORDER_CANCELLED: self._apply_cancelled,
            events.FILL: self._apply_fill,
            events.PLAN_PLACED: self._apply_plan,
            events.PLAN_ARMED_NOW: self._apply_armed,
            events.PLAN_TRIGGERED: self._apply_triggered,
            events.PLAN_FAILED: self._apply_failed,
            events.PLAN_CANCELLED: self._apply_plan_cancelled,
        }

    # --- reading -----------------------------------------------------------------------------------

    def get_active_orders(self, account: int | None = None) -> Iterator[TrackedOrder]:
        """Yield what is not done yet, of one account or of all."""
        for order in self.orders.values():
            if order.state.is_active and account in (None, order.account):
                yield order

    def get_active_plans(self, account: int | None = None) -> Iterator[TrackedPlan]:
        """Yield plans that may still fire, of one account or of all."""
        for plan in self.plans.values():
            if plan.state.is_active and account in (None, plan.account):
                yield plan

    def find(self, account: int, client_id: ClientId) -> TrackedOrder | None:
        """Return the newest order of an account with this client id, done or not."""
        wanted = to_client_id(client_id)
        for order in reversed(self.orders.values()):
            if order.account == account and order.client_id == wanted:
                return order
        return None

    def forget_inactive(self) -> None:
        """Drop all that is done."""
        self.orders = {n: order for n, order in self.orders.items() if order.state.is_active}
        self.plans = {n: plan for n, plan in self.plans.items() if plan.state.is_active}
        self._legs = {n: legs for n, legs in self._legs.items() if n in self.orders}

    # --- feeding -----------------------------------------------------------------------------------

    def apply(self, rows: Iterable[Any]) -> list[TrackedOrder | TrackedPlan]:
        """Take in events in their order and return what changed, as it is after each change.

        Parameters
        ----------
        rows : iterable
            rows of EVENT_DTYPE, or mappings with the same columns
        """
        changed: list[TrackedOrder | TrackedPlan] = []
        for row in rows:
            apply = self._apply.get(int(row["kind"]))
            if apply is not None:
                changed += apply(row)
        return changed

    def _is_followed(self, account: int) -> bool:
        return self._accounts is None or account in self._accounts

    def _put_order(self, order: TrackedOrder) -> list[TrackedOrder | TrackedPlan]:
        self.orders[order.id] = order
        return [order]

    def _put_plan(self, plan: TrackedPlan) -> list[TrackedOrder | TrackedPlan]:
        self.plans[plan.id] = plan
        return [plan]

    def _apply_placed(self, row: Any) -> list[TrackedOrder | TrackedPlan]:
        identity, account = int(row["order"]), int(row["account"])
        known = self.orders.get(identity)
        if known is not None:  # it comes to rest, or waits again, after a fill or an amend
            return self._put_order(
                replace(known, tif=int(row["tif"]), price=int(row["price"]), open=int(row["lots"]))
            )
        if not self._is_followed(account):
            return []
        limbs = (int(row["client_id1"]) & _MASK) << 64 | (int(row["client_id0"]) & _MASK)
        return self._put_order(
            TrackedOrder(
                id=identity,
                account=account,
                market=int(row["market"]),
                side=int(row["side"]),
                tif=int(row["tif"]),
                price=int(row["price"]),
                open=int(row["lots"]),
                client_id=limbs.to_bytes(16, "big"),
                plan=self._senders.pop(identity, 0),
            )
        )

    def _apply_amended(self, row: Any) -> list[TrackedOrder | TrackedPlan]:
        order = self.orders.get(int(row["order"]))
        if order is None:
            return []
        lots, tif, is_replaced = int(row["lots"]), int(row["tif"]), int(row["flag"]) == 1
        if tif == TIF_IOC and lots == order.open and not is_replaced:
            return self._put_order(replace(order, is_cancelling=True))
        state = OrderState.AMEND_AND_REPLACE if is_replaced else OrderState.MODIFIED
        price = int(row["price"])
        return self._put_order(replace(order, state=state, tif=tif, price=price, open=lots))

    def _apply_cancelled(self, row: Any) -> list[TrackedOrder | TrackedPlan]:
        order = self.orders.get(int(row["order"]))
        if order is None:
            return []
        partly = OrderState.PARTIALLY_FILLED_AND_CANCELED
        state = partly if order.filled else OrderState.CANCELED
        gone = replace(order, state=state, open=0, reason=int(row["tif"]))
        return [*self._put_order(gone), *self._settle_children(gone)]

    def _apply_fill(self, row: Any) -> list[TrackedOrder | TrackedPlan]:
        lots, price = int(row["lots"]), int(row["price"])
        changed: list[TrackedOrder | TrackedPlan] = []
        for name in ("order", "other_order"):
            order = self.orders.get(int(row[name]))
            if order is None:
                continue
            left = order.open - lots if name == "order" else int(row["left"])
            state = OrderState.PARTIALLY_FILLED if left else OrderState.FILLED
            filled, cost = order.filled + lots, order.cost + lots * price
            order = replace(order, state=state, open=left, filled=filled, cost=cost)
            changed += self._put_order(order)
            if not left:
                changed += self._settle_children(order)
        return changed

    def _settle_children(self, order: TrackedOrder) -> list[TrackedOrder | TrackedPlan]:
        """Shrink the legs of an order that left to what it has filled; without a fill events cancel them."""
        changed: list[TrackedOrder | TrackedPlan] = []
        for plan in (self.plans[n] for n in self._legs.pop(order.id, ()) if n in self.plans):
            if plan.state.is_active and 0 < order.filled < plan.lots:
                changed += self._put_plan(replace(plan, lots=order.filled))
        return changed

    def _apply_plan(self, row: Any) -> list[TrackedOrder | TrackedPlan]:
        account, flag = int(row["account"]), int(row["flag"])
        if not self._is_followed(account):
            return []
        if parent := int(row["other_order"]):
            self._legs.setdefault(parent, []).append(int(row["order"]))
        return self._put_plan(
            TrackedPlan(
                id=int(row["order"]),
                account=account,
                market=int(row["market"]),
                side=int(row["side"]),
                kind=int(row["tif"]),
                source=flag & 15,
                grouping=flag >> 4,
                trigger=int(row["price"]),
                price=int(row["left"]),
                lots=int(row["lots"]),
                parent=parent,
            )
        )

    def _apply_armed(self, row: Any) -> list[TrackedOrder | TrackedPlan]:
        plan = self.plans.get(int(row["order"]))
        return self._put_plan(replace(plan, is_armed=True)) if plan else []

    def _apply_triggered(self, row: Any) -> list[TrackedOrder | TrackedPlan]:
        plan, order = self.plans.get(int(row["order"])), int(row["other_order"])
        if plan is None:
            return []
        if order not in self.orders:
            self._senders[order] = plan.id
        state, lots = OrderState.TRIGGERED, int(row["lots"])
        return self._put_plan(replace(plan, state=state, order=order, lots=lots))

    def _apply_failed(self, row: Any) -> list[TrackedOrder | TrackedPlan]:
        plan = self.plans.get(int(row["order"]))
        if plan is None:
            return []
        is_alone = plan.grouping == GROUP_NONE
        state = OrderState.TRIGGERED_AND_FAILED if is_alone else OrderState.FAILED
        return self._put_plan(replace(plan, state=state, error=int(row["error"])))

    def _apply_plan_cancelled(self, row: Any) -> list[TrackedOrder | TrackedPlan]:
        plan = self.plans.get(int(row["order"]))
        if plan is None:
            return []
        return self._put_plan(replace(plan, state=OrderState.CANCELED, reason=int(row["tif"])))
