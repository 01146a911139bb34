"""Outcome markets and plans, engine beside step executor: money is whole, registers meet, lists end."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from tradezone.engine import Engine
from tradezone.protocol import actions as A
from tradezone.protocol import enums as E
from tradezone.protocol import events as V
from tradezone.protocol import limits
from tradezone.protocol import messages as M
from tradezone.protocol.steps import NAMES
from tradezone.verifier.stepper import Stepper, to_event_rows

START = 1_700_000_000_000
UNIT = 1_000_000
TICK = 10_000  # prices 1 .. 99
CASH = 10**12


def address(owner: int) -> bytes:
    return owner.to_bytes(20, "big")


class Floor:
    """A zone with an event of two outcomes (market 1), one of three (markets 2 to 4) and three traders."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.engine.commit_root()
        self.stepper = Stepper(self.engine.tables)
        self.tables = self.stepper._tables
        self.block_number, self.time, self.nonce = 0, START, START + 60_000
        self.index = 0
        self.seen: Counter[int] = Counter()
        setup = [self.tell(M.HEARTBEAT, batch=0)]
        for owner in range(1, 6):
            setup.append(
                self.tell(M.REGISTER_OWNER, owner=owner, address=address(owner), referrer=0, kind=1)
            )
        setup.append(
            self.tell(
                M.REGISTER_ASSET, asset=1, token=address(99), kind=E.ASSET_ERC20, decimals=6,
                quantum=1, cap=limits.MAX_TOTAL_ATOMS, venue=0,
            )
        )  # fmt: skip
        for owner in (3, 4, 5):
            setup.append(
                self.tell(M.DEPOSIT, owner=owner, address=address(owner), asset=1, amount=CASH)
            )
        setup.append(self.tell(M.CREATE_VENUE, venue=1, owner=2, access=0, stake=1))
        void = b"".join((n).to_bytes(2, "big") for n in (5000, 5000)).ljust(32, b"\0")
        setup.append(
            self.tell(
                M.LIST_EVENT, group=1, venue=1, asset=1, outcomes=2, unit=UNIT, voidPayouts=void
            )
        )
        void = b"".join((n).to_bytes(2, "big") for n in (3000, 3000, 4000)).ljust(32, b"\0")
        setup.append(
            self.tell(
                M.LIST_EVENT, group=2, venue=1, asset=1, outcomes=3, unit=UNIT, voidPayouts=void
            )
        )
        for market, group in ((1, 1), (2, 2), (3, 2), (4, 2)):
            setup.append(
                self.tell(
                    M.LIST_OUTCOME, market=market, id=1 << 16 | market, group=group, tickValue=TICK,
                    minNotional=0, maxNotional=limits.MAX_NOTIONAL, maxLots=10**9, takerFee=700,
                    makerFee=-200, protocolShare=200_000, insuranceShare=100_000, takerDelay=0,
                    effectiveAt=0, closes=0,
                )
            )  # fmt: skip
        self.block(messages=setup)

    # --- inputs ------------------------------------------------------------------------------------

    def tell(self, kind: int, /, **values: object) -> bytes:
        message = M.Message(
            self.index, kind, bytes(20), self.time // 1000, 1, A.pack(M.BODIES[kind], values)
        )
        self.index += 1
        return message.to_bytes()

    def block(self, *leaves, messages=(), step: int = 1000):
        self.block_number += 1
        self.time += step
        rows = [(A.block_mark(self.block_number, self.time), None)]
        if messages:
            rows.append((A.inbox_mark(self.index), None))
        rows += leaves
        inputs = ([row[0] for row in rows], [row[1] for row in rows], list(messages))
        results, events = self.stepper.run(*inputs)
        fast_results, fast_events = self.engine.execute(*inputs)
        assert list(fast_results) == results
        assert np.array_equal(to_event_rows(events), fast_events)
        assert self.engine.commit_root() == self.stepper.root
        self.seen.update(event["kind"] for event in events)
        self.check()
        self.results = [r & 0xFFFF for r in results[len(rows) - len(leaves) :]]
        return events

    def act(self, owner: int, action: int, *items: dict[str, object]):
        row = self.tables["owner"][owner]
        key = int(row["first_key"])
        self.nonce += 1
        body = b"".join(A.pack(A.ITEM_LAYOUTS[action], item) for item in items)
        envelope = A.Envelope(
            int(row["first_account"]), int(self.tables["key"][key]["generation"]) << 32 | key,
            self.nonce, self.time + 3_600_000, action, body, bytes(65),
        )  # fmt: skip
        return envelope.to_leaf(), address(owner)

    def order(self, owner: int, market: int, side: int, price: int, lots: int, **fields: object):
        item = {
            "market": market, "price": price, "lots": lots, "side": side, "tif": E.TIF_GTC, "stp": 0,
            "flags": 0, "expires": 0, "client_id": bytes(16), "interface": 0, "interface_fee": 0,
        }  # fmt: skip
        return self.act(owner, A.PLACE, item | fields)

    def plan_item(
        self, market: int, side: int, kind: int, trigger: int, **fields: object
    ) -> dict[str, object]:
        return {
            "market": market, "side": side, "kind": kind, "source": 0, "grouping": 0,
            "trigger": trigger, "price": 0, "lots": 10, "tif": E.TIF_MARKET, "stp": 0, "flags": 0,
            "slippage": 100_000, "expires": 0, "parent": 0, "parent_client_id": bytes(16),
            "interface": 0, "interface_fee": 0,
        } | fields  # fmt: skip

    def holding(self, owner: int, market: int) -> tuple[int, int]:
        for row in self.rows("holding"):
            if (row["owner"], row["market"]) == (owner, market):
                return int(row["yes"]), int(row["no"])
        return 0, 0

    # --- invariants --------------------------------------------------------------------------------

    def rows(self, name: str):
        table = self.tables[name]
        high = int(self.tables["head"][_NUMBER[name]]["high_water"])
        return [row for row in table[1:high] if row["state"] != E.FREE]

    def check(self) -> None:
        t = self.tables
        groups = t["event_group"][1 : int(t["head"][24]["high_water"])]
        held = sum(int(b["free"]) + int(b["locked"]) for b in self.rows("balance"))
        cash = sum(int(g["cash"]) for g in groups)
        assert held + cash + int(t["asset"][1]["dust"]) == int(t["asset"][1]["total"])
        orders = self.rows("order")
        for slot in range(1, int(t["head"][7]["high_water"])):
            locked = sum(int(o["locked"]) for o in orders if o["pay_balance"] == slot)
            assert locked == int(t["balance"][slot]["locked"])
        holdings = self.rows("holding")
        for market in range(1, int(t["head"][15]["high_water"])):
            group = t["event_group"][t["market"][market]["group"]]
            mine = [h for h in holdings if h["market"] == market]
            yes, no = sum(int(h["yes"]) for h in mine), sum(int(h["no"]) for h in mine)
            assert yes == int(t["book"][market]["open_lots"])
            if group["state"] == E.GROUP_OPEN:
                assert yes - no == int(group["sets"])
            for h in mine:
                assert 0 in (h["yes"] - h["yes_locked"], h["no"] - h["no_locked"])
                assert min(h["yes"] - h["yes_locked"], h["no"] - h["no_locked"]) == 0
        for number, group in enumerate(groups, 1):
            if group["state"] == E.GROUP_OPEN:
                no = sum(int(h["no"]) for h in holdings if h["group"] == number)
                assert int(group["cash"]) == UNIT * (int(group["sets"]) + no)
        for h_slot in range(1, int(t["head"][29]["high_water"])):
            h = t["holding"][h_slot]
            if h["state"] == E.FREE:
                continue
            naming = [o for o in orders if o["holding"] == h_slot]
            assert h["uses"] == len(naming)
            assert h["no_locked"] == sum(int(o["cover"]) for o in naming if o["side"] == E.BUY)
            assert h["yes_locked"] == sum(int(o["cover"]) for o in naming if o["side"] == E.SELL)
        self.check_plans()

    def check_plans(self) -> None:
        t = self.tables
        slots = [n for n in range(1, int(t["head"][21]["high_water"])) if t["plan"][n]["state"]]
        on_levels = []
        for level in self.rows("level"):
            if level["side"] < E.TRIGGER_UP_LAST:
                continue
            slot, count = int(level["first"]), 0
            assert slot
            while slot:
                on_levels.append(slot)
                assert t["plan"][slot]["trigger"] == level["price"]
                count += 1
                slot = int(t["plan"][slot]["next"])
            assert count == level["count"]
        assert sorted(on_levels) == [n for n in slots if t["plan"][n]["state"] == E.PLAN_ARMED]
        for n in slots:
            plan = t["plan"][n]
            if plan["sibling"]:
                seen, at = [], n
                while at not in seen:
                    seen.append(at)
                    at = int(t["plan"][at]["sibling"])
                    assert t["plan"][at]["account"] == plan["account"]
                assert at == n and len(seen) > 1
            if plan["parent"]:
                parent = t["order"][plan["parent"]]
                assert parent["state"] != E.FREE
                assert (plan["state"] == E.PLAN_HELD) == (parent["filled"] == 0)
            else:
                assert plan["state"] == E.PLAN_ARMED
        for account in self.rows("account"):
            slot, count = int(account["first_plan"]), 0
            while slot:
                count += 1
                slot = int(t["plan"][slot]["account_next"])
            assert count == account["plan_count"]
        timers = int(t["head"][25]["in_use"])
        assert timers == sum(bool(r["timer"]) for n in ("order", "plan") for r in self.rows(n))


_NUMBER = {"balance": 7, "order": 20, "holding": 29, "plan": 21, "level": 19, "account": 4}


@pytest.fixture
def floor() -> Floor:
    return Floor()


def kinds(events) -> list[int]:
    return [event["kind"] for event in events]


def test_a_fill_opens_both_sides_and_a_second_closes_them(floor):
    floor.block(floor.order(3, 1, E.BUY, 60, 10), floor.order(4, 1, E.SELL, 60, 10))
    assert floor.holding(3, 1) == (10, 0) and floor.holding(4, 1) == (0, 10)
    assert floor.tables["event_group"][1]["cash"] == 10 * UNIT
    floor.block(floor.order(3, 1, E.SELL, 70, 4), floor.order(4, 1, E.BUY, 70, 4, flags=1))
    assert floor.holding(3, 1) == (6, 0) and floor.holding(4, 1) == (0, 6)
    events = floor.block(floor.order(3, 1, E.BUY, 50, 5, flags=1))
    assert V.ITEM_REJECTED in kinds(events)


def test_split_merge_and_a_negative_number_of_sets(floor):
    floor.block(floor.act(3, A.SPLIT, {"group": 2, "lots": 7}))
    assert [floor.holding(3, m) for m in (2, 3, 4)] == [(7, 0)] * 3
    floor.block(floor.act(3, A.MERGE, {"group": 2, "lots": 7}))
    assert floor.tables["event_group"][2]["cash"] == 0
    for market in (2, 3, 4):
        floor.block(floor.order(3, market, E.BUY, 40, 5), floor.order(4, market, E.SELL, 40, 5))
    floor.block(floor.act(3, A.MERGE, {"group": 2, "lots": 5}))
    assert floor.tables["event_group"][2]["sets"] == -5
    events = floor.block(floor.act(4, A.SPLIT, {"group": 2, "lots": 5}))
    assert kinds(events).count(V.ANNIHILATED) == 3
    assert floor.tables["event_group"][2]["cash"] == 0


def test_resolution_pays_everything_out(floor):
    floor.block(floor.order(3, 1, E.BUY, 60, 10), floor.order(4, 1, E.SELL, 60, 15))
    floor.block(floor.act(3, A.SPLIT, {"group": 2, "lots": 7}))
    payouts = (10_000).to_bytes(2, "big").ljust(32, b"\0")
    floor.block(
        messages=[floor.tell(M.RESOLUTION, group=1, state=E.GROUP_RESOLVED, payouts=payouts)]
    )
    floor.block(messages=[floor.tell(M.RESOLUTION, group=2, state=E.GROUP_VOID, payouts=bytes(32))])
    for _ in range(3):
        floor.block()
    assert not floor.rows("holding")
    assert not floor.tables["event_group"][1:3]["cash"].any()
    assert floor.seen[V.REDEEMED] == 5


def test_a_stop_fires_and_its_siblings_fall(floor):
    floor.block(floor.order(3, 1, E.BUY, 60, 10), floor.order(4, 1, E.SELL, 60, 10))
    stop = floor.plan_item(1, E.SELL, E.PLAN_STOP, 50, grouping=E.GROUP_POSITION, flags=1, lots=0)
    take = floor.plan_item(
        1, E.SELL, E.PLAN_TAKE_PROFIT, 80, grouping=E.GROUP_POSITION, flags=1, lots=0
    )
    floor.block(floor.act(3, A.PLACE_PLAN, stop, take))
    assert floor.results == [0] and len(floor.rows("plan")) == 2
    floor.block(floor.order(5, 1, E.BUY, 49, 30), floor.order(4, 1, E.SELL, 49, 2))
    assert floor.seen[V.PLAN_TRIGGERED] == 1 and not floor.rows("plan")
    floor.block()
    assert floor.holding(3, 1) == (0, 0) and floor.holding(5, 1) == (12, 0)


def test_a_bracket_follows_its_parent(floor):
    client = b"p".ljust(16, b"\0")
    legs = [
        floor.plan_item(
            1, E.SELL, kind, trigger, grouping=E.GROUP_ORDER, parent_client_id=client, lots=20,
            expires=floor.time + 3_600_000,
        )
        for kind, trigger in ((E.PLAN_STOP, 40), (E.PLAN_TAKE_PROFIT, 70), (E.PLAN_STOP, 35))
    ]  # fmt: skip
    parent = floor.order(3, 1, E.BUY, 50, 20, client_id=client, tif=E.TIF_POST_ONLY)
    floor.block(parent, floor.act(3, A.PLACE_PLAN, *legs))
    assert floor.results == [0, 0] and len(floor.rows("plan")) == 3
    cancel = {"order": 0, "client_id": client}
    events = floor.block(floor.act(3, A.CANCEL, cancel))
    assert kinds(events).count(V.PLAN_CANCELLED) == 3 and not floor.rows("plan")
    floor.block(parent_again(floor, client), floor.act(3, A.PLACE_PLAN, *legs))
    floor.block(floor.order(4, 1, E.SELL, 50, 5))
    assert [p["state"] for p in floor.rows("plan")] == [E.PLAN_ARMED] * 3
    floor.block(floor.order(5, 1, E.BUY, 75, 30, tif=E.TIF_POST_ONLY))
    floor.block(floor.order(4, 1, E.SELL, 75, 1))
    floor.block()
    assert floor.seen[V.PLAN_TRIGGERED] == 1 and not floor.rows("plan")
    assert not [o for o in floor.rows("order") if o["owner"] == 3]


def parent_again(floor: Floor, client: bytes):
    return floor.order(3, 1, E.BUY, 50, 20, client_id=client, tif=E.TIF_POST_ONLY)


@pytest.mark.parametrize("seed", range(2))
def test_random_trading_keeps_every_invariant(floor, seed):
    rng = random.Random(seed)
    for n in range(40):
        leaves = []
        for _ in range(rng.randrange(1, 6)):
            owner, market, side = rng.choice((3, 4, 5)), rng.randrange(1, 5), rng.randrange(2)
            what = rng.random()
            if what < 0.55:
                leaves.append(
                    floor.order(
                        owner, market, side, rng.randrange(30, 70), rng.randrange(1, 30),
                        tif=rng.choice((0, 0, 1, 2, 3, 4, 5)), stp=rng.choice((0, 1, 2, 3, 16)),
                        flags=int(rng.random() < 0.2), client_id=rng.randbytes(1).ljust(16, b"\0"),
                        expires=rng.choice((0, 0, floor.time + 4000)),
                    )
                )  # fmt: skip
            elif what < 0.65:
                action = rng.choice((A.SPLIT, A.MERGE))
                leaves.append(floor.act(owner, action, {"group": 2, "lots": rng.randrange(1, 20)}))
            elif what < 0.75:
                open_orders = [o for o in floor.rows("order") if o["owner"] == owner]
                if open_orders:
                    o = rng.choice(open_orders)
                    item = {
                        "order": 0,
                        "client_id": int(o["client_id1"]).to_bytes(8, "big") + bytes(8),
                    }
                    leaves.append(floor.act(owner, A.CANCEL, item))
            elif what < 0.78:
                mine = [n for n, p in enumerate(floor.tables["plan"][:200]) if p["state"] != E.FREE]
                if mine:
                    slot = rng.choice(mine)
                    plan = floor.tables["plan"][slot]
                    name = int(plan["generation"]) << 32 | slot
                    who = int(floor.tables["account"][plan["account"]]["owner"])
                    leaves.append(floor.act(who, A.CANCEL_PLAN, {"plan": name}))
            elif what < 0.8:
                leaves.append(floor.act(owner, A.CANCEL_ALL, {"market": 0, "side": 2}))
            else:
                items = []
                for _ in range(rng.randrange(1, 4)):
                    grouping = rng.randrange(3)
                    fields = {"grouping": grouping, "flags": int(grouping == 2)}
                    if grouping == E.GROUP_ORDER:
                        fields["parent_client_id"] = rng.randbytes(1).ljust(16, b"\0")
                        mine = [o for o in floor.rows("order") if o["owner"] == owner]
                        if mine:
                            o = rng.choice(mine)
                            market, side = int(o["market"]), 1 - int(o["side"])
                            client = int(o["client_id1"]).to_bytes(8, "big") + bytes(8)
                            fields["parent_client_id"] = client
                    if rng.random() < 0.4:
                        fields["expires"] = floor.time + rng.randrange(2000, 20_000)
                    if rng.random() < 0.4:
                        fields |= {"price": rng.randrange(30, 70), "slippage": 0, "tif": 0}
                    items.append(
                        floor.plan_item(
                            market, side, rng.choice((1, 2)), rng.randrange(35, 65),
                            lots=rng.randrange(1, 20), **fields,
                        )
                    )  # fmt: skip
                leaves.append(floor.act(owner, A.PLACE_PLAN, *items))
        floor.block(*leaves)
    for group, payouts in ((1, (2500, 7500)), (2, (1000, 0, 9000))):
        vector = b"".join(p.to_bytes(2, "big") for p in payouts).ljust(32, b"\0")
        floor.block(
            messages=[floor.tell(M.RESOLUTION, group=group, state=E.GROUP_RESOLVED, payouts=vector)]
        )
    for _ in range(4):
        floor.block(floor.act(3, A.REDEEM, {"market": rng.randrange(1, 5)}), step=10_000)
    assert not floor.rows("holding")
    assert not floor.tables["event_group"][1:3]["cash"].any()
    most = {NAMES[pc]: count for pc, count in floor.stepper.most_records.items()}
    assert max(most.values()) <= 12, most
