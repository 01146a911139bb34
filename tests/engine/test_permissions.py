"""Quota, access, doors, interfaces, simulated assets and what L1 may change.

Every block goes through model, compiled engine and step executor: results, events and state of all three must agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.engine.stepped import Pair
from tests.model.compare import assert_same, assert_same_state, events_to_dicts
from tests.model.engine import Model
from tradezone.protocol import actions, enums, events, messages
from tradezone.protocol.errors import Code
from tradezone.protocol.limits import MICRO, QUOTA_DAILY, QUOTA_START

START = 1_700_000_000_000
QUOTE, BASE, TOY = 1, 2, 3
SPOT, GUEST = 1, 2
NO_CLIENT = bytes(16)


def address(owner: int) -> bytes:
    """Address of a test owner."""
    return bytes([owner]) * 20


def payouts(*parts: int) -> bytes:
    """Payout vector."""
    return b"".join(part.to_bytes(2, "big") for part in parts).ljust(32, b"\0")


class Zone:
    """Four owners; venue 1 of owner 2 with a spot market, venue 2 of owner 3; each block is run three times."""

    def __init__(self) -> None:
        self.model, self.pair = Model(), Pair()
        self.number, self.time, self.index, self.count = 0, START, 0, 0
        for owner in (1, 2, 3, 4):
            self.send(
                messages.REGISTER_OWNER, owner=owner, address=address(owner), referrer=0, kind=1
            )
        self.asset(QUOTE, enums.ASSET_ERC20, 0)
        self.asset(BASE, enums.ASSET_ERC20, 0)
        for venue, owner in ((1, 2), (2, 3)):
            self.send(messages.CREATE_VENUE, venue=venue, owner=owner, access=0, stake=0)
        self.asset(TOY, enums.ASSET_SIMULATED, 1)
        self.spot = {
            "market": SPOT, "id": 1 << 16 | 1, "venue": 1, "kind": enums.MARKET_SPOT, "base": BASE, "quote": QUOTE,
            "lotSize": 10, "tickValue": 3, "minNotional": 3, "maxNotional": 10**9, "maxLots": 10**6,
            "maxPrice": 1000, "takerFee": 1000, "makerFee": 0, "protocolShare": 200_000,
            "insuranceShare": 0, "takerDelay": 0, "effectiveAt": 0,
        }  # fmt: skip
        self.update = {
            "market": SPOT, "phase": enums.PHASE_CONTINUOUS, "access": 0, "takerDelay": 0, "calendar": 0,
            "takerFee": 1000, "makerFee": 0, "protocolShare": 200_000, "insuranceShare": 0,
            "referrerShare": 0, "guestFee": 0, "band": 0, "minNotional": 3, "maxNotional": 10**9,
            "maxLots": 10**6, "openInterestCap": 0, "accountCap": 0, "closes": 0, "effectiveAt": 0,
        }  # fmt: skip
        self.events: list[dict[str, int]] = []

    def asset(self, asset: int, kind: int, venue: int) -> None:
        self.send(
            messages.REGISTER_ASSET, asset=asset, token=address(asset), kind=kind, decimals=6,
            quantum=1, cap=10**15, venue=venue,
        )  # fmt: skip

    def list_spot(self) -> None:
        """List the market and give everybody money."""
        self.send(messages.LIST_MARKET, **self.spot)
        for owner in (2, 3, 4):
            for asset in (QUOTE, BASE):
                self.deposit(owner, asset, 10**9)

    def deposit(self, owner: int, asset: int, amount: int) -> int:
        return self.send(
            messages.DEPOSIT, owner=owner, address=address(owner), asset=asset, amount=amount
        )

    def block(
        self,
        leaves: Sequence[bytes] = (),
        signers: Sequence[bytes] = (),
        inbox: Sequence[bytes] = (),
    ) -> list[int]:
        """Run a block of leaves on all machines."""
        self.number += 1
        front = [actions.block_mark(self.number, self.time)]
        if inbox:
            front.append(actions.inbox_mark(self.index + len(inbox)))
        self.index += len(inbox)
        run = [*front, *leaves]
        by = [*(None for _ in front), *(signer if any(signer) else None for signer in signers)]
        results, found = self.model.execute(run, by, list(inbox))
        fast, fast_events = self.pair.execute(run, by, inbox)
        assert_same(results, fast, "results")
        assert_same(found, events_to_dicts(fast_events), "events")
        assert_same_state(self.model, self.pair.tables)
        self.events = found
        return results[len(front) :]

    def send(self, kind: int, /, **values: Any) -> int:
        """Consume one message; return its error."""
        body = actions.pack(messages.BODIES[kind], values)
        message = messages.Message(self.index, kind, bytes(20), self.time // 1000, 1, body)
        self.block(inbox=[message.to_bytes()])
        return next((e["error"] for e in self.events if e["kind"] == events.MESSAGE_IGNORED), 0)

    def envelope(self, owner: int, action: int, items: list[dict[str, Any]], **more: Any) -> bytes:
        w = self.table("owner", owner)
        layout = (
            actions.ITEM_LAYOUTS[action]
            if action in actions.ITEM_LAYOUTS
            else actions.TYPED_ACTIONS[action][1]
        )
        self.count += 1
        return actions.Envelope(
            account=more.get("account", w["first_account"]),
            key=more.get("key", w["first_key"]),
            nonce=more.get("nonce", self.time + self.count),
            expires_after=self.time + 1000,
            action=action,
            body=b"".join(actions.pack(layout, item) for item in items),
            signature=bytes(65),
        ).to_leaf()

    def act(self, owner: int, action: int, /, **values: Any) -> int:
        """Run one action alone in a block; return its first error."""
        more = {name: values.pop(name) for name in ("account", "key", "nonce") if name in values}
        leaf = self.envelope(owner, action, [values], **more)
        return self.block([leaf], [address(owner)])[0] & 0xFFFF

    def place(self, owner: int, market: int = SPOT, **values: Any) -> int:
        item = {
            "market": market, "price": 10, "lots": 5, "side": enums.BUY, "tif": enums.TIF_POST_ONLY, "stp": 0,
            "flags": 0, "expires": 0, "client_id": NO_CLIENT, "interface": 0, "interface_fee": 0,
        }  # fmt: skip
        return self.act(owner, actions.PLACE, **(item | values))

    def credential(self, venue: int, owner: int, signer: int, **values: Any) -> int:
        body = {
            "venue": venue, "owner": owner, "subject": address(owner), "region": 5, "class": 3,
            "issued": self.time, "expires": self.time + 100,
        }  # fmt: skip
        leaf = (
            bytes([actions.LEAF_CREDENTIAL])
            + actions.pack(actions.CREDENTIAL_BODY, body | values)
            + bytes(65)
        )
        return self.block([leaf], [address(signer)])[0] & 0xFFFF

    def table(self, name: str, slot: int) -> dict[str, int]:
        row = self.pair.tables[name][slot]
        return {field: int(row[field]) for field in row.dtype.names}

    def quota(self, owner: int) -> int:
        """Actions that the owner has left."""
        return self.table("owner", owner)["quota"] // MICRO

    def last_order(self) -> dict[str, int]:
        orders = [self.table("order", n) for n in range(1, self.table("head", 20)["high_water"])]
        return max(orders, key=lambda order: order["seq"])

    def main(self, owner: int) -> int:
        return self.table("owner", owner)["first_account"]


@pytest.fixture
def zone() -> Zone:
    return Zone()


# --- quota -----------------------------------------------------------------------------------------


def test_quota_comes_daily_until_a_deposit_opens_the_allowance(zone: Zone) -> None:
    zone.send(
        messages.SET_ASSET,
        asset=QUOTE,
        quotaRate=0,
        quotaDeposit=500,
        faucetAmount=0,
        faucetInterval=0,
    )
    assert zone.act(4, actions.NOOP) == Code.OK
    assert zone.quota(4) == QUOTA_DAILY - 1
    zone.deposit(4, QUOTE, 499)
    assert zone.quota(4) == QUOTA_DAILY - 1
    zone.deposit(4, QUOTE, 500)
    zone.deposit(4, QUOTE, 500)
    assert zone.quota(4) == QUOTA_DAILY - 1 + QUOTA_START


def test_failed_items_cost_twice_and_copies_nothing(zone: Zone) -> None:
    nonce = zone.time + 900
    assert zone.act(4, actions.NOOP, nonce=nonce) == Code.OK
    left = zone.quota(4)
    assert zone.act(4, actions.NOOP, nonce=nonce) == Code.NONCE_USED
    assert zone.quota(4) == left
    assert zone.act(4, actions.OPEN_BALANCE, asset=99) == Code.ASSET_NOT_FOUND
    assert zone.quota(4) == left - 2


def test_without_quota_there_is_one_action_in_ten_seconds_and_relief(zone: Zone) -> None:
    zone.send(
        messages.SET_ASSET,
        asset=QUOTE,
        quotaRate=0,
        quotaDeposit=0,
        faucetAmount=0,
        faucetInterval=0,
    )
    noop = {"market": 0, "side": 2}
    zone.act(4, actions.NOOP)
    while zone.quota(4) > 0:  # cancel-alls of thirty items use it up; they may go below zero
        leaves = [zone.envelope(4, actions.CANCEL_ALL, [noop] * 30) for _ in range(8)]
        zone.block(leaves, [address(4)] * 8)
    assert zone.quota(4) < 0
    assert zone.act(4, actions.NOOP) == Code.OK  # the trickle
    nonce = zone.time + 900
    assert zone.act(4, actions.NOOP, nonce=nonce) == Code.QUOTA_EXCEEDED
    assert zone.act(4, actions.CANCEL, order=1, client_id=NO_CLIENT) == Code.ORDER_NOT_FOUND
    zone.time += 10_000
    assert zone.act(4, actions.NOOP, nonce=nonce) == Code.OK  # its nonce was kept


def test_fees_buy_quota_for_taker_and_maker(zone: Zone) -> None:
    zone.list_spot()
    zone.send(
        messages.SET_ASSET,
        asset=QUOTE,
        quotaRate=1000,
        quotaDeposit=0,
        faucetAmount=0,
        faucetInterval=0,
    )
    zone.place(4, price=100, lots=1000)
    left = zone.table("owner", 3)["quota"]
    zone.place(3, price=100, lots=1000, side=enums.SELL, tif=enums.TIF_IOC)
    fill = next(e for e in zone.events if e["kind"] == events.FILL)
    assert fill["amount"] == 300  # 0.1 % of 300,000
    assert zone.table("owner", 3)["quota"] == left - MICRO + 60 * 1000  # a fifth is the protocol's


# --- access ----------------------------------------------------------------------------------------


def test_a_list_admits_who_was_granted_and_cuts_the_expiry(zone: Zone) -> None:
    zone.list_spot()
    assert (
        zone.send(messages.UPDATE_MARKET, **(zone.update | {"access": enums.ACCESS_LIST}))
        == Code.OK
    )
    assert zone.place(4) == Code.ACCESS_DENIED
    assert zone.act(3, actions.GRANT_ACCESS, venue=1, grantee=4, expires=0) == Code.NOT_VENUE_OWNER
    assert zone.act(2, actions.GRANT_ACCESS, venue=1, grantee=9, expires=0) == Code.OWNER_NOT_FOUND
    assert (
        zone.act(2, actions.GRANT_ACCESS, venue=1, grantee=4, expires=zone.time)
        == Code.BAD_APPROVAL
    )
    assert zone.act(2, actions.GRANT_ACCESS, venue=1, grantee=4, expires=0) == Code.OK
    assert zone.place(4) == Code.OK
    assert zone.last_order()["expires"] == 0
    end = zone.time + 500
    assert zone.act(2, actions.GRANT_ACCESS, venue=1, grantee=4, expires=end) == Code.OK
    assert zone.place(4) == Code.OK
    assert zone.last_order()["expires"] == end
    assert zone.place(4, expires=end - 1) == Code.OK
    assert zone.last_order()["expires"] == end - 1
    assert zone.act(2, actions.REVOKE_ACCESS, venue=1, grantee=4) == Code.OK
    assert zone.act(2, actions.REVOKE_ACCESS, venue=1, grantee=4) == Code.BAD_APPROVAL
    assert zone.place(4) == Code.ACCESS_DENIED
    assert zone.table("head", 8)["in_use"] == 0


def test_credentials_of_the_venues_provider(zone: Zone) -> None:
    zone.list_spot()
    venue = {
        "venue": 1, "state": 1, "access": enums.ACCESS_CREDENTIAL, "credentialProvider": address(7),
        "minClass": 3, "regions": (1 << 63) - 1, "stake": 0,
    }  # fmt: skip
    bad = Code.BAD_PARAMETERS
    assert zone.send(messages.UPDATE_VENUE, **(venue | {"credentialProvider": bytes(20)})) == bad
    assert zone.send(messages.UPDATE_VENUE, **(venue | {"regions": 1 << 63})) == bad
    assert zone.send(messages.UPDATE_VENUE, **venue) == Code.OK
    assert zone.place(4) == Code.ACCESS_DENIED
    assert zone.credential(1, 4, 6) == Code.BAD_SIGNATURE
    assert zone.credential(2, 4, 7) == Code.BAD_SIGNATURE  # venue 2 has no provider
    assert zone.credential(2, 4, 0) == Code.BAD_SIGNATURE
    assert zone.credential(1, 4, 7, subject=address(3)) == Code.OWNER_MISMATCH
    for wrong in ({"class": 2}, {"region": 63}, {"issued": zone.time + 1}, {"expires": zone.time}):
        assert zone.credential(1, 4, 7, **wrong) == Code.BAD_CREDENTIAL
    assert zone.credential(1, 4, 7) == Code.OK
    assert zone.credential(1, 4, 7) == Code.BAD_CREDENTIAL  # not issued later
    assert zone.place(4) == Code.OK
    assert zone.last_order()["expires"] == zone.time + 100
    assert zone.send(messages.UPDATE_VENUE, **(venue | {"regions": 1 << 4})) == Code.OK
    assert zone.place(4) == Code.ACCESS_DENIED


# --- interfaces and doors --------------------------------------------------------------------------


def test_an_interface_takes_no_more_than_the_account_approved(zone: Zone) -> None:
    zone.list_spot()
    main = zone.main(4)
    for interface in (3, 1, 2):
        approve = {"interface": interface, "maxFee": 40, "expires": 0}
        assert zone.act(4, actions.APPROVE_INTERFACE, **approve) == Code.OK
    own = {"interface": main, "maxFee": 40, "expires": 0}
    assert zone.act(4, actions.APPROVE_INTERFACE, **own) == Code.ACCOUNT_NOT_FOUND
    assert zone.place(4, interface=2, interface_fee=40) == Code.OK
    assert zone.last_order()["interface_fee"] == 40
    assert zone.place(4, interface=2, interface_fee=41) == Code.INTERFACE_NOT_APPROVED
    assert zone.place(4, interface=0, interface_fee=1) == Code.INTERFACE_NOT_APPROVED
    assert zone.place(4, interface=5, interface_fee=0) == Code.INTERFACE_NOT_APPROVED
    assert zone.act(4, actions.APPROVE_INTERFACE, interface=2, maxFee=0, expires=0) == Code.OK
    assert (
        zone.act(4, actions.APPROVE_INTERFACE, interface=2, maxFee=0, expires=0)
        == Code.BAD_APPROVAL
    )
    assert zone.place(4, interface=2, interface_fee=1) == Code.INTERFACE_NOT_APPROVED
    assert zone.table("account", main)["approval_count"] == 2


def test_a_door_adds_its_fee_its_phase_and_its_access(zone: Zone) -> None:
    zone.list_spot()
    door = {"market": GUEST, "id": 2 << 16 | 1, "venue": 2, "home": SPOT, "guestFee": 50}
    door["effectiveAt"] = 0
    assert (
        zone.send(messages.LIST_GUEST, **(door | {"venue": 1, "id": 1 << 16 | 2}))
        == Code.BAD_PARAMETERS
    )
    assert zone.send(messages.LIST_GUEST, **door) == Code.OK
    listed = next(e for e in zone.events if e["kind"] == events.MARKET_LISTED)
    assert (listed["market"], listed["account"]) == (GUEST, 2)
    fee_account = zone.table("venue", 2)["fee_account"]
    assert zone.place(4, GUEST) == Code.INTERFACE_NOT_APPROVED
    approve = {"interface": fee_account, "maxFee": 50, "expires": 0}
    assert zone.act(4, actions.APPROVE_INTERFACE, **approve) == Code.OK
    assert zone.place(4, GUEST) == Code.OK
    order = zone.last_order()
    assert (order["market"], order["door"]) == (SPOT, GUEST)
    assert (order["interface"], order["interface_fee"]) == (fee_account, 50)
    named = {"interface": fee_account, "interface_fee": 50}
    assert zone.place(4, GUEST, **named) == Code.INTERFACE_NOT_APPROVED
    change = zone.update | {"market": GUEST, "guestFee": 0, "access": enums.ACCESS_LIST}
    assert zone.send(messages.UPDATE_MARKET, **change) == Code.OK
    assert zone.place(4, GUEST) == Code.ACCESS_DENIED
    assert zone.act(3, actions.GRANT_ACCESS, venue=2, grantee=4, expires=0) == Code.OK
    assert zone.place(4, GUEST) == Code.OK
    closed = zone.update | {"market": GUEST, "phase": enums.PHASE_HALTED}
    assert zone.send(messages.UPDATE_MARKET, **closed) == Code.OK
    assert zone.place(4, GUEST) == Code.MARKET_CLOSED
    assert zone.place(4) == Code.OK


# --- assets ----------------------------------------------------------------------------------------


def test_faucet_and_issue_of_a_simulated_asset(zone: Zone) -> None:
    asset = {"asset": TOY, "quotaRate": 0, "quotaDeposit": 0}
    assert zone.act(4, actions.FAUCET, asset=TOY) == Code.NO_FAUCET
    bad = asset | {"quotaRate": 1, "faucetAmount": 0, "faucetInterval": 0}
    assert zone.send(messages.SET_ASSET, **bad) == Code.BAD_PARAMETERS
    assert (
        zone.send(messages.SET_ASSET, **asset, faucetAmount=1000, faucetInterval=20_000) == Code.OK
    )
    assert zone.act(4, actions.FAUCET, asset=TOY) == Code.OK
    assert zone.act(4, actions.FAUCET, asset=TOY) == Code.FAUCET_TOO_SOON
    assert zone.act(4, actions.FAUCET, asset=QUOTE) == Code.NOT_SAME_KIND
    assert zone.act(4, actions.CREATE_ACCOUNT) == Code.OK
    sub = zone.table("account", zone.main(4))["next"]
    assert zone.act(4, actions.FAUCET, account=sub, asset=TOY) == Code.NO_FAUCET
    moved = {"toAccount": sub, "asset": TOY, "amount": 1000}
    assert zone.act(4, actions.TRANSFER, **moved) == Code.OK
    assert zone.act(4, actions.CLOSE_BALANCE, asset=TOY) == Code.BALANCE_IN_USE
    zone.time += 20_000
    assert zone.act(4, actions.CLOSE_BALANCE, asset=TOY) == Code.OK
    assert zone.act(4, actions.FAUCET, asset=TOY) == Code.OK
    made = {"asset": TOY, "amount": 7}
    assert zone.act(4, actions.ISSUE, toAccount=sub, **made) == Code.NOT_VENUE_OWNER
    assert zone.act(2, actions.ISSUE, toAccount=sub, **made) == Code.OK
    assert zone.act(2, actions.ISSUE, toAccount=zone.main(3), **made) == Code.ASSET_NOT_FOUND
    assert zone.act(2, actions.ISSUE, toAccount=zone.main(2), **made) == Code.OK
    assert zone.act(2, actions.ISSUE, asset=TOY, toAccount=sub, amount=10**15) == Code.ASSET_CAP
    assert zone.table("asset", TOY)["total"] == 2014
    assert zone.send(messages.LIST_MARKET, **(zone.spot | {"base": TOY})) == Code.NOT_SAME_KIND


def test_balances_open_and_close(zone: Zone) -> None:
    for asset in (BASE, QUOTE, TOY):
        assert zone.act(4, actions.OPEN_BALANCE, asset=asset) == Code.OK
    assert zone.act(4, actions.OPEN_BALANCE, asset=BASE) == Code.BALANCE_IN_USE
    for asset in (BASE, QUOTE, TOY):
        assert zone.act(4, actions.CLOSE_BALANCE, asset=asset) == Code.OK
    assert zone.act(4, actions.CLOSE_BALANCE, asset=BASE) == Code.ASSET_NOT_FOUND
    assert zone.table("account", zone.main(4))["balance_count"] == 0
    zone.deposit(4, BASE, 1)
    assert zone.act(4, actions.CLOSE_BALANCE, asset=BASE) == Code.BALANCE_IN_USE


# --- markets ---------------------------------------------------------------------------------------


def test_an_update_waits_for_its_time_and_the_last_one_holds(zone: Zone) -> None:
    zone.list_spot()
    later = zone.update | {"takerFee": 2000, "effectiveAt": zone.time + 500}
    assert zone.send(messages.UPDATE_MARKET, **(later | {"guestFee": 1})) == Code.BAD_PARAMETERS
    assert zone.send(messages.UPDATE_MARKET, **later) == Code.OK
    assert zone.table("market", SPOT)["taker_fee"] == 1000
    sooner = later | {"takerFee": 3000, "effectiveAt": zone.time + 100}
    assert zone.send(messages.UPDATE_MARKET, **sooner) == Code.OK
    zone.time += 100
    zone.block()
    assert zone.table("market", SPOT)["taker_fee"] == 3000
    assert zone.table("market", SPOT)["timer"] == 0
    again = later | {"effectiveAt": zone.time + 100}
    assert zone.send(messages.UPDATE_MARKET, **again) == Code.OK
    assert zone.send(messages.UPDATE_MARKET, **(zone.update | {"takerFee": 4000})) == Code.OK
    zone.time += 100
    zone.block()
    assert zone.table("market", SPOT)["taker_fee"] == 4000
    assert not any(zone.table("pending", SPOT).values())


def test_a_delisted_market_loses_its_orders(zone: Zone) -> None:
    zone.list_spot()
    for _ in range(3):
        assert zone.place(4) == Code.OK
    assert (
        zone.send(messages.UPDATE_MARKET, **(zone.update | {"phase": enums.PHASE_SETTLED}))
        == Code.OK
    )
    zone.block()
    assert zone.table("account", zone.main(4))["order_count"] == 0
    assert zone.table("venue", 1)["market_count"] == 0
    assert zone.place(4) == Code.MARKET_CLOSED
    assert zone.send(messages.UPDATE_MARKET, **zone.update) == Code.BAD_PARAMETERS


def test_an_event_is_listed_and_voided(zone: Zone) -> None:
    event = {"group": 1, "venue": 1, "asset": QUOTE, "outcomes": 3, "unit": 10_000}
    bad = Code.BAD_PARAMETERS
    assert zone.send(messages.LIST_EVENT, **event, voidPayouts=payouts(5000, 5000, 1)) == bad
    assert zone.send(messages.LIST_EVENT, **event, voidPayouts=payouts(5000, 4000, 0, 1000)) == bad
    void = payouts(40_000 - 35_000, 2000, 3000)
    assert zone.send(messages.LIST_EVENT, **event, voidPayouts=void) == Code.OK
    outcome = {
        "group": 1, "tickValue": 100, "minNotional": 0, "maxNotional": 10**9, "maxLots": 10**6,
        "takerFee": 1000, "makerFee": 0, "protocolShare": 100_000, "insuranceShare": 0,
        "takerDelay": 0, "effectiveAt": 0, "closes": 0,
    }  # fmt: skip
    for n in (1, 2, 3):
        assert zone.send(messages.LIST_OUTCOME, market=n, id=1 << 16 | n, **outcome) == Code.OK
    assert zone.send(messages.LIST_OUTCOME, market=4, id=1 << 16 | 4, **outcome) == bad
    assert zone.table("market", 3)["max_price"] == 99
    assert zone.send(messages.RESOLUTION, group=1, state=2, payouts=payouts(1, 2, 3)) == bad
    assert zone.send(messages.RESOLUTION, group=1, state=3, payouts=bytes(32)) == Code.OK
    assert zone.send(messages.RESOLUTION, group=1, state=3, payouts=bytes(32)) == Code.EVENT_SETTLED
    assert {zone.table("market", n)["phase"] for n in (1, 2, 3)} == {enums.PHASE_SETTLED}
    assert zone.table("venue", 1)["market_count"] == 0


def test_calendars_belong_to_a_venue(zone: Zone) -> None:
    zone.list_spot()
    edges = ("open", "close"), ("from", "to")
    days = {
        f"{edge}{n}": at for n in range(7) for edge, at in zip(edges[0], (540, 1020), strict=True)
    }
    week = days | {f"{edge}{n}": 0 for n in range(4) for edge in edges[1]}
    assert zone.send(messages.SET_CALENDAR, calendar=1, venue=2, **week) == Code.OK
    assert zone.send(messages.SET_CALENDAR, calendar=1, venue=1, **week) == Code.BAD_PARAMETERS
    assert zone.send(messages.SET_CALENDAR, calendar=3, venue=1, **week) == Code.NOT_NEXT_ID
    wrong = week | {"open3": 1020}
    assert zone.send(messages.SET_CALENDAR, calendar=2, venue=1, **wrong) == Code.BAD_PARAMETERS
    assert zone.send(messages.SET_CALENDAR, calendar=2, venue=1, **week) == Code.OK
    foreign = zone.update | {"calendar": 1}
    assert zone.send(messages.UPDATE_MARKET, **foreign) == Code.BAD_PARAMETERS
    assert zone.send(messages.UPDATE_MARKET, **(zone.update | {"calendar": 2})) == Code.OK
    assert zone.place(4) == Code.MARKET_CLOSED  # 22:13 on a Tuesday
