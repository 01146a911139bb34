"""Events, with the terms of the markets, are enough to rebuild every book, order and balance."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from tests.model.streams import Stream
from tests.model.world import Zone
from tradezone.protocol import enums, events


@dataclass
class Listener:
    """What a reader of events knows. `markets` and `venues` are terms, as L1 published them."""

    markets: dict[int, Any]
    venues: dict[int, Any]
    free: Counter[tuple[int, int]] = field(default_factory=Counter)  # by (account, asset)
    locked: Counter[tuple[int, int]] = field(default_factory=Counter)
    orders: dict[int, dict[str, int]] = field(default_factory=dict)
    market_of_fees: int = 0

    def hear(self, event: dict[str, int]) -> None:
        kind, account, amount = event["kind"], event["account"], event["amount"]
        if kind == events.DEPOSITED:
            self.free[account, event["market"]] += amount
        elif kind == events.WITHDRAWN:
            self.free[account, event["market"]] -= amount
        elif kind == events.TRANSFERRED:
            self.free[account, event["market"]] -= amount
            self.free[event["other_account"], event["market"]] += amount
        elif kind in (events.ORDER_WAITING, events.ORDER_RESTED, events.ORDER_AMENDED):
            self._hear_order(event)
        elif kind == events.ORDER_CANCELLED:
            order = self.orders.pop(event["order"])
            assert amount == order["locked"]
            self._lock(order, 0)
        elif kind == events.FILL:
            self._fill(event["order"], event["lots"], event["price"], amount)
            self._fill(event["other_order"], event["lots"], event["price"], event["amount2"])
            left = self.orders.get(event["other_order"], {}).get("lots", 0)
            assert left == event["left"]
        elif kind == events.FEES:
            market = self.markets[event["market"]]
            venue = self.venues[market.venue]
            self.free[venue.fee_account, market.quote] += amount
            self.free[venue.fund_account, market.quote] += event["amount2"]
            self.free[enums.PROTOCOL_OWNER, market.quote] += event["left"]

    def _pays(self, order: dict[str, int]) -> tuple[int, int]:
        market = self.markets[order["market"]]
        return order["account"], market.quote if order["side"] == enums.BUY else market.base

    def _lock(self, order: dict[str, int], locked: int) -> None:
        self.free[self._pays(order)] += order["locked"] - locked
        self.locked[self._pays(order)] -= order["locked"] - locked
        order["locked"] = locked

    def _hear_order(self, event: dict[str, int]) -> None:
        names = ("account", "market", "side", "price", "lots", "client_id0", "client_id1")
        order = self.orders.setdefault(event["order"], {"locked": 0})
        order |= {name: event[name] for name in names}
        keeps_its_place = event["kind"] == events.ORDER_AMENDED and not event["flag"]
        if not keeps_its_place:
            order["is_resting"] = event["kind"] == events.ORDER_RESTED
        self._lock(order, event["amount"])

    def _fill(self, order_id: int, lots: int, price: int, fee: int) -> None:
        order = self.orders[order_id]
        market = self.markets[order["market"]]
        notional, base = market.notional(price, lots), market.base_atoms(lots)
        order["lots"] -= lots
        rest = market.lock(order["side"], order["price"], order["lots"])
        account = order["account"]
        if order["side"] == enums.BUY:
            self._lock(order, min(order["locked"] - notional - max(fee, 0), rest))
            self.free[account, market.quote] -= notional + fee
            self.free[account, market.base] += base
        else:
            self._lock(order, rest)
            self.free[account, market.base] -= base
            self.free[account, market.quote] += notional - fee
        if order["lots"] == 0:
            del self.orders[order_id]


@pytest.mark.parametrize("seed", range(100, 112))
def test_a_listener_knows_every_balance_and_every_order(seed):
    zone = Zone(is_checking=False)
    stream = Stream(zone, Random(seed))
    model = zone.model
    listener = Listener(model.markets, model.venues)
    outcome = stream.set_up()
    for _ in range(60):
        for event in outcome.events:
            listener.hear(event)
        outcome = stream.step()
    for event in outcome.events:
        listener.hear(event)
    for account_id, account in model.accounts.items():
        for asset, balance in account.balances.items():
            heard = (listener.free[account_id, asset], listener.locked[account_id, asset])
            assert heard == (balance.free, balance.locked), (account_id, asset)
    known = {
        order.id: (order.lots, order.price, order.state == enums.RESTING, order.client_id)
        for order in model.orders.values()
    }
    heard = {
        order_id: (o["lots"], o["price"], o["is_resting"], o["client_id1"] << 64 | o["client_id0"])
        for order_id, o in listener.orders.items()
    }
    assert heard == known
