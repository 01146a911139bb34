"""The model engine: the zone of docs/spec in slow, obvious Python.

It shares only `tradezone.protocol` (constants, layouts, decoding) with the fast engine. State is dicts, lists,
small mutable objects and unbounded integers; whatever can be computed from something else is computed anew
each time (level sizes, counts, best prices, uses of a balance). One module a chapter:

====================  ====================================================================
records, state        objects; tables, events, timers, balances
envelopes, quota      who may act, how often; money and keys
inbox, forced         messages from L1; forced operations
orders, matching      orders, release, fills and fees
outcome, plans        outcome markets; stop and take-profit orders
phases, access        what a market takes, and from whom; bands, updates; simulated assets
tasks                 work that spans blocks
perps, pools          perpetuals: listing, orders, fills; margin pools and the venue's wall
margin, funding       what a position is worth, asks for and pays
prices                feeds, index, mark ticks, bands
liquidation, adl      queue, forced orders, takeover; deleveraging, settlement
closing               the end of the zone
snapshot              the whole state as plain dicts and lists
====================  ====================================================================

Where the specification seems to leave a choice, it is the specification that gets another sentence.
"""

from __future__ import annotations

from typing import Any

from tests.model import (
    access,
    adl,
    closing,
    envelopes,
    forced,
    inbox,
    liquidation,
    matching,
    orders,
    outcome,
    phases,
    plans,
    prices,
    tasks,
)
from tests.model.orders import get_bucket
from tests.model.records import POST_TIFS
from tests.model.snapshot import ORDER_FIELDS, build_snapshot
from tests.model.state import TABLES, State
from tradezone.protocol import actions, enums, limits
from tradezone.protocol.batches import Header
from tradezone.protocol.errors import Code

inbox.HANDLERS |= forced.HANDLERS

__all__ = ["ORDER_FIELDS", "TABLES", "Model", "get_bucket", "get_class"]


def is_block_mark(leaf: bytes) -> bool:
    return len(leaf) == actions.BLOCK_MARK_BYTES and leaf[0] == actions.LEAF_BLOCK


def get_class(leaf: bytes) -> int:
    """Class of a leaf, from the table in docs/spec/blocks.md."""
    envelope = actions.Envelope.from_leaf(leaf)
    if envelope is None:
        return 0
    if envelope.action == actions.PLACE:
        tifs = {item["tif"] for item in actions.unpack_items(envelope)}
        return 2 if tifs <= set(POST_TIFS) else 3
    if envelope.action == actions.AMEND:
        modes = {item["mode"] for item in actions.unpack_items(envelope)}
        if modes == {actions.AMEND_SHRINK}:
            return 1
        posts = {actions.AMEND_SHRINK, actions.AMEND_POST_ONLY, actions.AMEND_POST_SLIDE}
        return 2 if modes <= posts else 3
    return {actions.MASS_QUOTE: 2, actions.PLACE_PLAN: 3}.get(envelope.action, 1)


class Model(State):
    """The zone."""

    def execute(
        self,
        leaves: list[bytes],
        signers: list[bytes | None],
        inbox_messages: list[bytes],
        header: Header | None = None,
    ) -> tuple[list[int], list[dict[str, int]]]:
        """Run leaves to the end of the batch; return a result for each leaf, and the events.

        Parameters
        ----------
        leaves : list of bytes
            the leaves from `seq` on
        signers : list of bytes or None
            recovered address (20 bytes) of each leaf, None where there is none
        inbox_messages : list of bytes
            messages from index `self.inbox` on, at least as many as are consumed
        header : Header, optional
            header of the batch that these leaves are; without one nothing but the leaves binds the zone
        """
        self.events = []
        self.header = header
        self.messages = dict(enumerate(inbox_messages, self.inbox))
        results = [0] * len(leaves)
        first_seq = self.seq
        at = 0
        while at < len(leaves):
            if not self._can_open(leaves[at]):
                results[at] = self.reject_leaf(first_seq + at, Code.UNEXPECTED_LEAF)
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
            self.leaf = first_seq + at
            phases.open_block(self, int.from_bytes(leaves[at][9:17], "big"))
            self._run_block(leaves, signers, results, range(start, end), first_seq)
            at = end
            self.seq = first_seq + at
        if header is not None:
            inbox.consume(self, header.inbox_index)
            if header.is_closing:
                closing.wind_up(self)
        return results, self.events

    def _run_block(
        self,
        leaves: list[bytes],
        signers: list[bytes | None],
        results: list[int],
        places: range,
        first_seq: int,
    ) -> None:
        def run_class(leaf_class: int) -> None:
            for i in places:
                if get_class(leaves[i]) != leaf_class:
                    continue
                self.leaf = first_seq + i
                if leaf_class == 0:
                    results[i] = self._run_plain_leaf(leaves[i], signers[i])
                else:
                    results[i] = envelopes.run_envelope(self, leaves[i], signers[i], leaf_class)
            self.leaf = 0

        run_class(0)
        self._serve_timers()
        prices.tick(self)
        run_class(1)
        tasks.run(self)
        outcome.sweep(self)
        run_class(2)
        liquidation.sweep(self)
        liquidation.run(self)
        adl.run(self)
        run_class(3)
        matching.release(self)
        plans.run_triggers(self)

    def _can_open(self, leaf: bytes) -> bool:
        if not is_block_mark(leaf):
            return False
        number, time = int.from_bytes(leaf[1:9], "big"), int.from_bytes(leaf[9:17], "big")
        if number != self.block + 1 or not self.time <= time <= limits.MAX_TIME:
            return False
        header = self.header
        return header is None or (
            header.first_block <= number < header.first_block + header.blocks
            and header.start_time <= time <= header.end_time
        )

    def _run_plain_leaf(self, leaf: bytes, signer: bytes | None) -> int:
        """Run a leaf of class 0."""
        kind, size = leaf[0] if leaf else 0, len(leaf)
        if (kind, size) == (actions.LEAF_CREDENTIAL, actions.CREDENTIAL_BYTES):
            return access.run_credential(self, leaf, signer, self.leaf)
        if (kind, size) == (actions.LEAF_PRICE, actions.PRICE_BYTES):
            return prices.run_leaf(self, leaf, signer, self.leaf)
        if (kind, size) != (actions.LEAF_INBOX, actions.INBOX_MARK_BYTES):
            return self.reject_leaf(self.leaf, Code.MALFORMED)
        end = int.from_bytes(leaf[1:], "big")
        is_in_reach = self.inbox + 1 <= end <= self.inbox + limits.MAX_INBOX_MARK
        if not is_in_reach or (self.header is not None and end > self.header.inbox_index):
            return self.reject_leaf(self.leaf, Code.UNEXPECTED_LEAF)
        inbox.consume(self, end)
        return 0

    def _serve_timers(self) -> None:
        served = 0
        while self.timers.nodes and served < limits.BLOCK_TIMERS:
            timer = self.timers.first
            if timer.time > self.time:
                return
            served += 1
            self.timers.remove(timer)
            if timer.kind == enums.TIMER_ORDER:
                orders.serve_expiry(self, self.orders[timer.subject])
            elif timer.kind == enums.TIMER_PLAN:
                plan = self.plans[timer.subject]
                plan.timer = None
                plans.cancel(self, plan, enums.CANCEL_EXPIRED)
            elif timer.kind == enums.TIMER_ACCOUNT:
                tasks.serve_dead_man(self, timer)
            else:
                phases.serve_update(self, timer)

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state; `tests.model.compare` builds the same from record arrays."""
        return build_snapshot(self)
