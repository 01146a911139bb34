"""A plain venue without accounts, money or numba: leaves in, events out, by `FifoBook` and the block order.

It reads the bytes of each leaf, sorts a block by class and emits the events of orders that a book follows from,
so flows, books and checks can be tested where there is no engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tradezone.protocol import actions
from tradezone.protocol.enums import CANCEL_IOC, CANCEL_USER, TIF_POST_ONLY
from tradezone.protocol.errors import Code
from tradezone.protocol.events import (
    EVENT_DTYPE,
    FILL,
    ITEM_REJECTED,
    ORDER_AMENDED,
    ORDER_CANCELLED,
    ORDER_RESTED,
    ORDER_WAITING,
)
from tradezone.testing import Cancel, FifoBook, PlacePostOnly, Shrink, Take

if TYPE_CHECKING:
    from collections.abc import Sequence


class FifoVenue:
    """Executes the leaves of a flow; ``book`` has order ids as keys."""

    def __init__(self) -> None:
        self.book = FifoBook()
        self.events: list[dict[str, int]] = []
        self.ids: dict[tuple[int, bytes], int] = {}  # (account, client id) of open orders
        self.names: dict[int, tuple[int, bytes]] = {}
        self.next_id = 1

    def execute(
        self, leaves: Sequence[bytes], _signers: object, _messages: object, /
    ) -> tuple[list[int], np.ndarray[Any, Any]]:
        self.events = []
        block: list[bytes] = []
        for leaf in leaves:
            if leaf[0] == actions.LEAF_BLOCK:
                self.run_block(block)
                block = []
            else:
                block.append(leaf)
        self.run_block(block)
        events = np.zeros(len(self.events), dtype=EVENT_DTYPE)
        for row, event in zip(events, self.events, strict=True):
            for name, value in event.items():
                row[name] = value
        return [0] * len(leaves), events

    def run_block(self, leaves: list[bytes]) -> None:
        waiting: list[Take] = []
        for leaf in sorted(leaves, key=actions.leaf_class):
            envelope = actions.Envelope.from_leaf(leaf)
            if envelope is None:
                continue
            for item in actions.unpack_items(envelope):
                if envelope.action == actions.PLACE:
                    self.place(envelope.account, item, waiting)
                else:
                    self.change(envelope.account, item)
        for take in waiting:
            self.take(take)

    def place(self, account: int, item: dict[str, Any], waiting: list[Take]) -> None:
        order, self.next_id = self.next_id, self.next_id + 1
        side, price, lots = item["side"], item["price"], item["lots"]
        name = (account, item["client_id"])
        self.names[order] = name
        if item["tif"] != TIF_POST_ONLY:
            waiting.append(Take(order, side, price, lots, ()))
            self.emit(ORDER_WAITING, order, side=side, price=price, lots=lots)
            return
        refused = len(self.book.rejected)
        if name not in self.ids:
            self.book.apply(PlacePostOnly(order, side, price, lots))
        if name in self.ids or len(self.book.rejected) > refused:
            code = Code.CLIENT_ID_IN_USE if name in self.ids else Code.POST_ONLY_WOULD_CROSS
            self.emit(ITEM_REJECTED, 0, error=int(code))
            return
        self.ids[name] = order
        self.emit(ORDER_RESTED, order, side=side, price=price, lots=lots)

    def change(self, account: int, item: dict[str, Any]) -> None:
        order = self.ids.get((account, item["client_id"]))
        if order is None:
            self.emit(ITEM_REJECTED, 0, error=int(Code.ORDER_NOT_FOUND))
            return
        before = self.book.orders[order]
        self.book.apply(Shrink(order, item["lots"]) if "lots" in item else Cancel(order))
        after = self.book.orders.get(order)
        if after is None:
            del self.ids[self.names[order]]
            self.emit(
                ORDER_CANCELLED,
                order,
                side=before.side,
                tif=CANCEL_USER,
                price=before.price,
                lots=before.lots,
            )
        else:
            self.emit(ORDER_AMENDED, order, side=after.side, price=after.price, lots=after.lots)

    def take(self, take: Take) -> None:
        rest = take.lots
        met = self.book.get_makers(take.side, take.price, take.lots)
        prices = {maker: self.book.orders[maker].price for maker, _ in met}
        for maker, lots in self.book.apply(take):
            order = self.book.orders.get(maker)
            left = order.lots if order else 0
            rest -= lots
            self.emit(
                FILL,
                take.key,
                other_order=maker,
                side=take.side,
                price=prices[maker],
                lots=lots,
                left=left,
            )
            if left == 0:
                del self.ids[self.names[maker]]
        if rest:
            self.emit(
                ORDER_CANCELLED,
                take.key,
                side=take.side,
                tif=CANCEL_IOC,
                price=take.price,
                lots=rest,
            )

    def emit(self, kind: int, order: int, **columns: int) -> None:
        event = {"seq": len(self.events) + 1, "kind": kind, "market": 1, "order": order} | columns
        if order:
            account, client_id = self.names[order]
            event["account"] = account
            if kind != FILL:
                event["client_id0"] = int.from_bytes(client_id[8:], "big")
                event["client_id1"] = int.from_bytes(client_id[:8], "big")
        self.events.append(event)
