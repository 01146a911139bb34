"""Every action, signed by the client and executed by the engine.

The client's own suites compare bytes; here the zone has to take them. Prices and amounts are decimals, as a trader's
program writes them, and `OrderTracker` names the states of what comes of them.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.engine.conftest import build_engine
from tests.model.perp_world import list_perp, set_oracle
from tests.model.world import (
    SEPARATOR,
    Action,
    build_world,
    create_venue,
    get_address,
    get_key,
    list_event,
    list_market,
    list_outcome,
    payouts,
    recover_signer,
    register_asset,
    tell,
    update_market,
)
from tests.views.trading import EngineZone
from tradezone.client import (
    Asset,
    Leg,
    Market,
    NonceSource,
    OrderState,
    OrderTracker,
    OutcomeMarket,
    PrivateKey,
    Signer,
    build_amend,
    build_cancel,
    build_market_order,
    build_place,
    build_plan,
    build_pull,
    build_quote,
    readdress_credential,
    sign_credential,
)
from tradezone.protocol import actions, enums, events, messages
from tradezone.protocol.errors import Code

USD, BTC, PLAY = Asset(1, "USD", 6), Asset(2, "BTC", 6), Asset(3, "PLAY", 6)
LOT, TICK = 100_000, 100  # 0.1 BTC; a tick is 0.001 USD a BTC
SPOT = Market(1, BTC, USD, LOT, TICK, max_price=100_000, max_lots=10**6)
LISTED = Market(2, BTC, USD, LOT, TICK, max_price=100_000, max_lots=10**6)
YES = [OutcomeMarket(n, f"outcome {n}", 1, USD, 1_000_000, 10_000, 10**6) for n in (3, 4, 5)]
DOOR = Market(6, BTC, USD, LOT, TICK, max_price=100_000, max_lots=10**6)
PROVIDER = 77  # private key
HOUR = 3_600_000  # ms


class Desk:
    """A zone with people who use the client, and what they have sent."""

    def __init__(self, zone):
        self.zone, self.world = zone, build_world(zone, lotSize=LOT, tickValue=TICK)
        self.tracker, self.sent = OrderTracker(), set()
        self.alice, self.bob, self.carol, self.deployer = (
            self.sign_in(getattr(self.world, name))
            for name in ("alice", "bob", "carol", "deployer")
        )
        terms = {"lotSize": LOT, "tickValue": TICK}
        self.told = zone.block(
            create_venue(2, self.world.deployer.owner, access=enums.ACCESS_LIST),
            list_market(2, venue=2, **terms),
            list_event(1, 3, unit=1_000_000),
            *(list_outcome(n, 1, tickValue=10_000, maxLots=10**6) for n in (3, 4, 5)),
            register_asset(PLAY.id, kind=enums.ASSET_SIMULATED, venue=1, cap=10**12),
            tell(messages.SET_ASSET, asset=PLAY.id, faucetAmount=5_000_000, faucetInterval=HOUR),
            tell(messages.LIST_GUEST, market=6, id=2 << 16 | 2, venue=2, home=1, guestFee=500),
        )

    def sign_in(self, who, number=None, account=None, key=None, nonces=None):
        secret = get_key(number or who.number).secret
        return Signer(
            PrivateKey(secret),
            account or who.account,
            key or who.key,
            SEPARATOR,
            nonces=nonces or NonceSource(lambda: self.zone.time),
        )

    def run(self, *leaves, after=1):
        entries = []
        for leaf in leaves:
            envelope = actions.Envelope.from_leaf(leaf)
            if envelope is not None:
                self.sent.add(envelope.action)
            entries.append(Action(leaf, recover_signer(leaf) or get_address(PROVIDER)))
        outcome = self.zone.block(*entries, after=after)
        self.tracker.apply(outcome.events)
        return outcome

    def send(self, *leaves, after=1):
        """Have leaves executed, all of them without a failure."""
        outcome = self.run(*leaves, after=after)
        assert set(outcome.codes) <= {Code.OK}, outcome.codes
        return outcome

    def place(self, signer, *orders):
        """Place orders and return their ids, in the order of the items."""
        outcome = self.send(signer.place(*orders))
        kinds = (events.ORDER_RESTED, events.ORDER_WAITING)
        seen = [e["order"] for e in outcome.events if e["kind"] in kinds]
        return list(dict.fromkeys(seen))

    def state(self, order):
        return self.tracker.orders[order].state

    def plan_state(self, plan):
        return self.tracker.plans[plan].state

    def free(self, signer, asset):
        return asset.from_atoms(self.world.free(signer.account, asset.id))


@pytest.fixture
def desk():
    return Desk(EngineZone(build_engine()))


def trade_orders(desk):
    """Every time in force, amend mode and way to cancel."""
    alice, bob = desk.alice, desk.bob
    names = ("gtc", "gtt", "post_only", "post_slide")
    expires = desk.zone.time + HOUR
    resting = desk.place(
        alice,
        *(
            build_place(
                SPOT,
                "sell",
                f"20.00{n}",
                "0.5",
                tif=tif,
                expires=expires if tif == "gtt" else 0,
                client_id=f"a{n}",
            )
            for n, tif in enumerate(names)
        ),
    )
    assert [desk.state(order) for order in resting] == [OrderState.OPEN] * 4
    (taken,) = desk.place(bob, build_place(SPOT, "buy", "20", "0.2", tif="ioc"))
    assert desk.state(taken) is OrderState.FILLED
    first = next(order for order in resting if desk.tracker.orders[order].price == 20_000)
    assert desk.state(first) is OrderState.PARTIALLY_FILLED
    desk.send(alice.amend(build_amend(SPOT, size="0.4", order=first)))
    assert desk.state(first) is OrderState.MODIFIED
    desk.send(alice.amend(build_amend(SPOT, size="0.6", client_id="a0", mode="post_only")))
    assert desk.state(first) is OrderState.AMEND_AND_REPLACE
    other = desk.tracker.find(alice.account, "a1") or desk.tracker.orders[resting[1]]
    desk.send(
        alice.amend(
            build_amend(SPOT, size="0.5", price="21", order=other.id, mode="take"),
            build_amend(SPOT, size="0.7", price="22", order=resting[2], mode="post_slide"),
        )
    )
    (killed,) = desk.place(bob, build_place(SPOT, "buy", "20", "99", tif="fok"))
    assert desk.state(killed) is OrderState.CANCELED
    (market,) = desk.place(
        bob, build_market_order(SPOT, "buy", "0.1", reference="20", slippage="1%")
    )
    assert desk.state(market) is OrderState.FILLED
    desk.send(alice.cancel(build_cancel(first), build_cancel(client_id="a1")))
    assert desk.state(first) is OrderState.PARTIALLY_FILLED_AND_CANCELED
    desk.send(alice.cancel_all(SPOT, "sell"))
    assert not list(desk.tracker.get_active_orders(alice.account))


def quote(desk):
    """A ladder is put up, moved and pulled; then it falls with its maker's line."""
    maker = desk.carol
    ladder = [build_quote(SPOT, "buy", f"1{n}", "1", client_id=f"rung {n}") for n in range(5)]
    desk.send(maker.mass_quote(*ladder))
    assert len(list(desk.tracker.get_active_orders(maker.account))) == 5
    moved = build_quote(SPOT, "buy", "15.5", "1", client_id="rung 0", tif="post_slide")
    desk.send(maker.mass_quote(moved, build_pull(SPOT, client_id="rung 1")))
    prices = sorted(order.price for order in desk.tracker.get_active_orders(maker.account))
    assert prices == [12_000, 13_000, 14_000, 15_500]
    desk.send(maker.dead_man(5_000))
    desk.send(after=4_000)
    assert len(list(desk.tracker.get_active_orders(maker.account))) == 4
    desk.send(after=1_001)
    assert not list(desk.tracker.get_active_orders(maker.account))
    desk.send(maker.dead_man(0))


def plan(desk):
    """A bracket whose profit is taken, a stop that is refused when it fires, and one that is taken back."""
    alice, bob = desk.alice, desk.bob
    order = build_place(SPOT, "buy", "30", "1", client_id="entry")
    entry, legs = alice.bracket(
        SPOT, order, take_profit=Leg("31", price="31"), stop=Leg("29", slippage="1%")
    )
    placed = desk.send(entry, legs).of(events.PLAN_PLACED)
    profit, stop = (event["order"] for event in placed)
    desk.place(bob, build_place(SPOT, "sell", "30", "0.6", tif="ioc"))
    assert {desk.tracker.plans[p].is_armed for p in (profit, stop)} == {True}
    desk.place(bob, build_place(SPOT, "sell", "31", "0.1", tif="post_only"))
    desk.place(desk.carol, build_place(SPOT, "buy", "31", "0.1", tif="ioc"))
    desk.send()
    assert desk.plan_state(profit) is OrderState.TRIGGERED
    assert desk.plan_state(stop) is OrderState.CANCELED
    sent = desk.tracker.plans[profit].order
    assert desk.tracker.orders[sent].size == 6, "what the entry had filled, no more"
    desk.send(alice.cancel_all())

    far = 10**6 - 1  # lots: more than anybody can pay
    (one,) = desk.send(
        alice.place_plan(build_plan(SPOT, "buy", "stop", "40", Decimal(far) / 10, price="99"))
    ).of(events.PLAN_PLACED)
    (two,) = desk.send(
        alice.place_plan(build_plan(SPOT, "sell", "stop", "5", "1", slippage="2%"))
    ).of(events.PLAN_PLACED)
    desk.send(alice.cancel_plan(two["order"]))
    assert desk.plan_state(two["order"]) is OrderState.CANCELED
    desk.place(bob, build_place(SPOT, "sell", "40", "0.1", tif="post_only"))
    desk.place(desk.carol, build_place(SPOT, "buy", "40", "0.1", tif="ioc"))
    desk.send()
    assert desk.plan_state(one["order"]) is OrderState.TRIGGERED_AND_FAILED
    assert desk.tracker.plans[one["order"]].error == Code.INSUFFICIENT_BALANCE


def trade_outcomes(desk):
    """A No is bought, sets are split and merged, a position closes with reduce-only, and the winner is paid."""
    alice, bob, carol = desk.alice, desk.bob, desk.carol
    before = sum(desk.free(who, USD) for who in (alice, bob, carol))
    desk.place(alice, build_place(YES[0], "buy", "0.6", 100, tif="post_only"))
    desk.place(bob, build_place(YES[0].no, "buy", "0.4", 100, tif="ioc"))
    desk.send(carol.split(YES[0], 50))
    desk.send(carol.merge(1, 20))
    closing = build_place(YES[1], "sell", "0.3", 40, tif="post_only", reduce_only=True)
    (order,) = desk.place(carol, closing)
    assert desk.tracker.orders[order].size == 30, "no more than she holds"
    desk.place(alice, build_place(YES[1], "buy", "0.3", 30, tif="ioc"))
    desk.zone.block(tell(messages.RESOLUTION, group=1, state=2, payouts=payouts(10_000, 0, 0)))
    outcome = desk.run(alice.redeem(YES[0]), bob.redeem(YES[0]), carol.redeem(YES[0], YES[2]))
    assert set(outcome.codes) <= {Code.OK, Code.NOT_ENOUGH_SETS}, "the sweep may have been first"
    fees = before - sum(desk.free(who, USD) for who in (alice, bob, carol))
    assert 0 < fees < 1, "all that was paid in came back, but for fees"
    assert desk.zone.model.groups[1].cash == 0


def use_accounts(desk):
    """A sub-account with money, an agent bound to it, and orders of one owner that do not meet."""
    alice, world = desk.alice, desk.world
    created = desk.send(alice.create_account()).of(events.ACCOUNT_CREATED)
    account = created[0]["account"]
    desk.send(alice.transfer(account, USD, "1000"))
    approved = desk.send(
        alice.approve_key(get_address(50), desk.zone.time + HOUR, name="bot", only_account=account)
    ).of(events.KEY_APPROVED)
    agent = desk.sign_in(world.alice, number=50, account=account, key=approved[0]["order"])
    (mine,) = desk.place(alice, build_place(SPOT, "sell", "50", "0.1", tif="post_only"))
    (rest,) = desk.place(agent, build_place(SPOT, "buy", "50", "0.1", stp_scope="owner"))
    assert desk.state(rest) is OrderState.CANCELED, "the newest gives way"
    assert desk.state(mine) is OrderState.OPEN
    assert desk.run(agent.withdraw(USD, 1)).code is Code.KEY_SCOPE
    desk.send(agent.noop())
    desk.send(alice.revoke_key(approved[0]["order"]))
    assert desk.run(agent.noop()).code is Code.KEY_NOT_FOUND
    desk.send(alice.cancel_all())


def use_money(desk):
    """Balances open and close, a faucet gives, a venue issues, and money goes home."""
    alice, deployer = desk.alice, desk.deployer
    desk.send(desk.bob.open_balance(PLAY))
    desk.send(deployer.issue(PLAY, desk.bob.account, "7"))
    assert desk.free(desk.bob, PLAY) == 7
    desk.send(alice.faucet(PLAY))
    assert desk.free(alice, PLAY) == 5
    assert desk.run(alice.faucet(PLAY)).code is Code.FAUCET_TOO_SOON
    desk.send(desk.carol.open_balance(PLAY))
    desk.send(desk.carol.close_balance(PLAY))
    (withdrawn,) = desk.send(alice.withdraw(USD, "12.5")).of(events.WITHDRAWN)
    assert withdrawn["amount"] == 12_500_000


def use_permissions(desk):
    """An interface is paid what it was allowed, a door trades in its home, lists and credentials let in and keep out."""
    alice, bob, deployer, world = desk.alice, desk.bob, desk.deployer, desk.world
    desk.send(alice.approve_interface(desk.carol.account, "0.05%", desk.zone.time + HOUR))
    desk.place(bob, build_place(SPOT, "sell", "60", "1", tif="post_only"))
    order = build_place(
        SPOT, "buy", "60", "1", tif="ioc", interface=desk.carol.account, interface_fee="0.05%"
    )
    (share,) = desk.send(alice.place(order)).of(events.FEE_SHARE)
    assert (share["account"], share["amount"]) == (desk.carol.account, 30_000)
    desk.send(alice.approve_interface(desk.carol.account, 0))
    assert desk.run(alice.place(order)).code is Code.INTERFACE_NOT_APPROVED

    guarded = build_place(LISTED, "buy", "1", "1", tif="post_only")
    owner = world.alice.owner
    assert desk.run(alice.place(guarded)).code is Code.ACCESS_DENIED
    desk.send(deployer.grant_access(2, owner, desk.zone.time + HOUR))
    desk.place(alice, guarded)
    desk.send(deployer.revoke_access(2, owner))
    assert desk.run(alice.place(guarded)).code is Code.ACCESS_DENIED
    rules = {"access": enums.ACCESS_CREDENTIAL, "minClass": 2, "regions": 1 << 5}
    desk.zone.block(
        tell(
            messages.UPDATE_VENUE,
            venue=2,
            state=enums.VENUE_ACTIVE,
            credentialProvider=get_address(PROVIDER),
            **rules,
        ),
        update_market(desk.zone, 2),
    )
    attested = sign_credential(
        PrivateKey(get_key(PROVIDER).secret),
        SEPARATOR,
        venue=1,
        owner=owner,
        subject=world.alice.address,
        region=5,
        class_=3,
        issued=desk.zone.time - 1,
        expires=desk.zone.time + HOUR,
    )
    desk.send(readdress_credential(attested, 2))
    desk.place(alice, guarded)
    desk.send(alice.cancel_all())


def use_margin(desk):
    """Leverage, allowance, margin and the insurance fund of a venue with a perpetual, up to its end."""
    zone, alice, deployer = desk.zone, desk.alice, desk.deployer
    told = zone.block(set_oracle(), list_perp(7))
    assert not told.of(events.MESSAGE_IGNORED), [
        (e["error"], e["order"]) for e in told.of(events.MESSAGE_IGNORED)
    ]
    (told,) = desk.send(alice.leverage(7, "5")).of(events.LEVERAGE_SET)
    assert told["market"] == 7
    assert desk.run(alice.leverage(7, "5", is_cross=True)).code is Code.BAD_LEVERAGE
    free = desk.free(alice, USD)
    desk.send(alice.allowance(1, USD, "20"), alice.add_margin(1, USD, "5"))
    assert free - desk.free(alice, USD) == 5
    desk.send(desk.bob.check(desk.world.alice.account, 1, USD))
    desk.send(alice.take_margin(1, USD, "5"), alice.fund(1, USD, "2"))
    assert free - desk.free(alice, USD) == 2
    assert desk.run(deployer.defund(1, USD, "2")).code is Code.NOT_ELIGIBLE
    zone.block(
        update_market(zone, 7, phase=enums.PHASE_SETTLED),
        tell(messages.UPDATE_VENUE, venue=1, state=enums.VENUE_WOUND_DOWN),
    )
    desk.send(deployer.defund(1, USD, "2"))


CHAPTERS = (
    trade_orders,
    quote,
    plan,
    trade_outcomes,
    use_accounts,
    use_money,
    use_permissions,
    use_margin,
)


def test_the_zone_takes_every_action_that_the_client_builds(desk):
    for chapter in CHAPTERS:
        chapter(desk)
    assert desk.sent == set(actions.ACTIONS)
