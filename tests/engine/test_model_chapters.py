"""Worked examples for the chapters beside spot trading: outcomes, plans, phases, access, quota, tasks.

Like `test_model_orders`: each runs for the model alone and for model and engine side by side (fixture `zone`).
"""

from __future__ import annotations

import pytest

from tests.model.world import (
    act,
    add_funds,
    create_venue,
    credential,
    get_address,
    item,
    list_event,
    list_outcome,
    payouts,
    place_item,
    register_asset,
    tell,
    update_market,
)
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.enums import BUY, SELL, TIF_MARKET, TIF_POST_ONLY, TIF_POST_SLIDE
from tradezone.protocol.errors import Code


def post(who, side, price, lots, **fields):
    return who.place(
        place_item(fields.pop("market", 1), side, price, lots, tif=TIF_POST_ONLY, **fields)
    )


def opened(outcome):
    kinds = (events.ORDER_WAITING, events.ORDER_RESTED)
    return [event["order"] for event in outcome.events if event["kind"] in kinds]


@pytest.fixture
def event(world):
    """Market 2: the Yes of an event with two outcomes; one lot pays 10000, one tick of it is 100."""
    world.zone.block(list_event(1, 2), list_outcome(2, 1))
    return world


@pytest.fixture
def race(world):
    """Markets 2, 3, 4: an event with three outcomes."""
    world.zone.block(list_event(1, 3), *(list_outcome(market, 1) for market in (2, 3, 4)))
    return world


# --- orders ------------------------------------------------------------------------------------------


def test_a_sliding_order_rests_one_tick_behind(world):
    world.zone.block(post(world.alice, SELL, 10, 5))
    outcome = world.zone.block(world.bob.buy(12, 2, tif=TIF_POST_SLIDE))
    (rested,) = outcome.of(events.ORDER_RESTED)
    assert rested["price"] == 9


def test_a_mass_quote_keeps_moves_and_pulls_rungs(world):
    def quote(*rungs):
        bodies = [
            item(
                actions.MASS_QUOTE,
                market=1,
                price=price,
                lots=lots,
                side=SELL,
                tif=TIF_POST_ONLY,
                client_id=name,
            )
            for name, price, lots in rungs
        ]
        return world.zone.block(act(world.alice, actions.MASS_QUOTE, *bodies))

    quote((1, 10, 5), (2, 11, 5), (3, 12, 5))
    outcome = quote((1, 10, 3), (2, 13, 5), (3, 12, 0), (0, 1, 1))
    assert outcome.kinds() == [
        events.ORDER_AMENDED,
        events.ORDER_CANCELLED,
        events.ORDER_CANCELLED,
        events.ITEM_REJECTED,
        events.ORDER_RESTED,
    ]
    assert world.book()[1] == [(10, 3), (13, 5)]
    assert outcome.code == Code.BAD_ORDER_FIELD


def test_a_cancel_all_runs_in_its_block_and_one_with_a_small_budget_goes_on(world, monkeypatch):
    monkeypatch.setattr(limits, "BLOCK_REMOVALS", 2)
    if world.zone.engine is not None:
        pytest.skip("the engine is built with the bound as it is")
    sells = [place_item(1, SELL, price, 1, tif=TIF_POST_ONLY) for price in (10, 11, 12)]
    world.zone.block(world.alice.place(*sells))
    outcome = world.zone.block(
        act(world.alice, actions.CANCEL_ALL, side=2), act(world.alice, actions.CANCEL_ALL, side=2)
    )
    assert outcome.codes == [Code.OK, Code.BUSY]
    assert len(outcome.of(events.ORDER_CANCELLED)) == 2
    outcome = world.zone.block()
    assert outcome.kinds() == [events.ORDER_CANCELLED, events.CANCEL_ALL_DONE]


def test_a_dead_man_switch_cancels_when_it_is_due(world):
    world.zone.block(post(world.alice, SELL, 10, 5))
    world.zone.block(act(world.alice, actions.DEAD_MAN, timeout=5000))
    assert world.zone.block(after=4999).events == []
    outcome = world.zone.block(after=1)
    assert outcome.kinds() == [
        events.CANCEL_ALL_BEGUN,
        events.ORDER_CANCELLED,
        events.CANCEL_ALL_DONE,
    ]
    assert outcome.events[1]["tif"] == enums.CANCEL_DEAD_MAN


# --- outcomes ----------------------------------------------------------------------------------------


def test_yes_and_no_are_made_by_a_trade_and_cancel_out(event):
    zone, alice, bob = event.zone, event.alice, event.bob
    zone.block(post(alice, SELL, 40, 5, market=2))
    zone.block(bob.buy(40, 5, market=2))
    group = zone.model.groups[1]
    assert group.cash == 5 * 10_000
    zone.block(post(bob, SELL, 60, 5, market=2))  # covered by his Yes: locks no money
    assert event.locked(bob, 1) == 0
    zone.block(alice.buy(60, 5, market=2))
    assert group.cash == 0
    assert zone.model.books[2].open_lots == 0


def test_an_order_that_is_not_covered_annihilates_later(event):
    zone, alice, bob = event.zone, event.alice, event.bob
    zone.block(post(alice, SELL, 40, 5, market=2))
    zone.block(bob.buy(40, 5, market=2))
    (rung,) = opened(zone.block(post(bob, SELL, 90, 5, market=2)))  # locks his 5 Yes
    zone.block(post(alice, BUY, 50, 5, market=2))
    zone.block(bob.sell(50, 5, market=2))  # not covered: opens 5 No
    outcome = zone.block(bob.cancel_order(rung))
    assert outcome.kinds() == [events.ORDER_CANCELLED, events.ANNIHILATED]
    assert zone.model.groups[1].cash == 0


def test_reduce_only_orders_are_cut_to_what_they_close(event):
    zone, alice, bob = event.zone, event.alice, event.bob
    assert zone.block(bob.sell(40, 5, market=2, flags=1)).code == Code.NOTHING_TO_REDUCE
    zone.block(post(alice, SELL, 40, 5, market=2))
    zone.block(bob.buy(40, 5, market=2))
    outcome = zone.block(post(bob, SELL, 60, 9, market=2, flags=1))
    (rested,) = outcome.of(events.ORDER_RESTED)
    assert (rested["lots"], rested["left"], rested["amount"]) == (5, 5, 0)


def test_sets_are_split_merged_and_paid_out(race):
    zone, alice = race.zone, race.alice
    before = race.free(alice, 1)
    zone.block(act(alice, actions.SPLIT, group=1, lots=7))
    assert race.free(alice, 1) == before - 70_000
    outcome = zone.block(
        act(alice, actions.MERGE, group=1, lots=8), act(alice, actions.MERGE, group=1, lots=2)
    )
    assert outcome.codes == [Code.NOT_ENOUGH_SETS, Code.OK]
    resolution = tell(
        messages.RESOLUTION,
        group=1,
        state=enums.GROUP_RESOLVED,
        payouts=payouts(2500, 2500, 5000),
    )
    outcome = zone.block(resolution)
    assert len(outcome.of(events.REDEEMED)) == 3
    assert race.free(alice, 1) == before
    assert zone.model.groups[1].cash == 0


def test_a_resolution_takes_the_orders_out_and_pays_nobody_twice(event):
    zone, alice, bob = event.zone, event.alice, event.bob
    zone.block(post(alice, SELL, 40, 5, market=2))
    zone.block(bob.buy(40, 3, market=2))
    void = tell(messages.RESOLUTION, group=1, state=enums.GROUP_VOID)
    outcome = zone.block(void, act(bob, actions.REDEEM, market=2))
    assert outcome.codes == [Code.OK]
    assert [e["tif"] for e in outcome.of(events.ORDER_CANCELLED)] == [enums.CANCEL_SETTLED]
    assert len(outcome.of(events.REDEEMED)) == 2
    assert zone.block(void).events[0]["error"] == Code.EVENT_SETTLED


def test_caps_refuse_at_entry_and_cancel_at_the_fill(event):
    zone, alice, bob, carol = event.zone, event.alice, event.bob, event.carol
    zone.block(update_market(zone, 2, accountCap=30_000, openInterestCap=60_000))
    outcome = zone.block(post(alice, SELL, 40, 4, market=2), post(alice, SELL, 40, 3, market=2))
    assert outcome.codes == [Code.ACCOUNT_CAP, Code.OK]
    zone.block(post(carol, SELL, 41, 3, market=2))
    outcome = zone.block(bob.buy(41, 3, market=2), bob.buy(41, 3, market=2))
    assert [e["tif"] for e in outcome.of(events.ORDER_CANCELLED)] == [enums.CANCEL_CAP]


# --- plans -------------------------------------------------------------------------------------------


def plan(who, **values):
    terms = {"market": 1, "side": SELL, "kind": enums.PLAN_STOP, "tif": TIF_MARKET, "lots": 1}
    return act(who, actions.PLACE_PLAN, **(terms | values))


def trade(world, price, lots=1):
    return world.zone.block(post(world.alice, SELL, price, lots), world.bob.buy(price, lots))


def test_a_stop_fires_when_the_last_price_reaches_it(world):
    zone = world.zone
    trade(world, 10)
    zone.block(plan(world.carol, trigger=8, slippage=500_000))
    zone.block(post(world.alice, BUY, 7, 5))
    assert trade(world, 9).of(events.PLAN_TRIGGERED) == []
    outcome = trade(world, 8)
    (fired,) = outcome.of(events.PLAN_TRIGGERED)
    (waiting,) = [e for e in outcome.of(events.ORDER_WAITING) if e["order"] == fired["other_order"]]
    assert waiting["price"] == 4
    assert len(zone.block().of(events.FILL)) == 1


def test_a_bracket_is_armed_by_its_parents_first_fill_and_one_leg_cancels_the_other(world):
    zone, carol = world.zone, world.carol
    (parent,) = opened(zone.block(post(carol, BUY, 10, 4)))
    legs = [
        item(
            actions.PLACE_PLAN,
            market=1,
            side=SELL,
            kind=kind,
            grouping=enums.GROUP_ORDER,
            trigger=trigger,
            lots=4,
            tif=TIF_MARKET,
            slippage=100_000,
            parent=parent,
        )
        for kind, trigger in ((enums.PLAN_STOP, 5), (enums.PLAN_TAKE_PROFIT, 20))
    ]
    outcome = zone.block(act(carol, actions.PLACE_PLAN, *legs))
    assert outcome.kinds() == [events.PLAN_PLACED] * 2
    outcome = zone.block(world.bob.sell(10, 3))
    assert len(outcome.of(events.PLAN_ARMED_NOW)) == 2
    outcome = trade(world, 20)
    (gone,) = [e for e in outcome.of(events.ORDER_CANCELLED) if e["order"] == parent]
    assert gone["tif"] == enums.CANCEL_SIBLING
    (fired,) = outcome.of(events.PLAN_TRIGGERED)
    assert fired["lots"] == 3
    assert [e["tif"] for e in outcome.of(events.PLAN_CANCELLED)] == [enums.CANCEL_SIBLING]


def test_the_children_of_a_parent_that_filled_nothing_leave_with_it(world):
    zone, carol = world.zone, world.carol
    (parent,) = opened(zone.block(post(carol, BUY, 10, 4, client_id=9)))
    zone.block(plan(carol, grouping=enums.GROUP_ORDER, trigger=5, parent_client_id=9))
    outcome = zone.block(carol.cancel_order(parent))
    assert [e["tif"] for e in outcome.of(events.PLAN_CANCELLED)] == [enums.CANCEL_PARENT]
    assert zone.block(plan(carol, grouping=1, trigger=5, parent=parent)).code == (
        Code.PARENT_NOT_FOUND
    )


# --- phases, bands, updates --------------------------------------------------------------------------


def test_after_a_gap_only_cancels_then_only_posts_are_taken(world):
    zone = world.zone
    outcome = zone.block(post(world.alice, SELL, 10, 1), after=limits.RESTART_GAP + 1)
    assert outcome.kinds() == [events.RESTARTED, events.ITEM_REJECTED]
    later = limits.RESTART_CANCEL
    outcome = zone.block(post(world.alice, SELL, 10, 1), world.bob.buy(10, 1), after=later)
    assert outcome.codes == [Code.OK, Code.MARKET_CLOSED]
    later = limits.RESTART_POST - limits.RESTART_CANCEL
    assert zone.block(world.bob.buy(10, 1), after=later).code == Code.OK


def test_a_band_refuses_cuts_and_moves(world):
    zone = world.zone
    trade(world, 100)
    zone.block(update_market(zone, 1, band=100_000))
    outcome = zone.block(world.bob.buy(111, 1), world.bob.buy(200, 1, tif=TIF_MARKET))
    assert outcome.codes == [Code.PRICE_BAND, Code.OK]
    assert outcome.of(events.BAND_MOVED)[0]["price"] == 100
    assert outcome.of(events.ORDER_WAITING)[0]["price"] == 110
    zone.block(post(world.alice, BUY, 110, 1))
    outcome = zone.block(post(world.alice, BUY, 111, 1), after=limits.BAND_WINDOW)
    assert outcome.of(events.BAND_MOVED)[0]["price"] == 110
    assert outcome.codes == [Code.OK]


def test_an_update_waits_for_its_time(world):
    zone = world.zone
    due = zone.time + 50
    zone.block(update_market(zone, 1, takerFee=7, effectiveAt=due))
    assert zone.model.markets[1].taker_fee == 500
    outcome = zone.block(at=due)
    assert outcome.kinds() == [events.MARKET_TERMS, events.MARKET_FEES]
    assert zone.model.markets[1].taker_fee == 7


def test_a_delisted_market_loses_its_orders(world):
    zone = world.zone
    zone.block(post(world.alice, SELL, 10, 1), plan(world.carol, trigger=8))
    outcome = zone.block(update_market(zone, 1, phase=enums.PHASE_SETTLED))
    assert outcome.kinds()[2:] == [
        events.CANCEL_ALL_BEGUN,
        events.ORDER_CANCELLED,
        events.PLAN_CANCELLED,
        events.CANCEL_ALL_DONE,
    ]


# --- access, doors, interfaces -----------------------------------------------------------------------


def test_a_list_opens_a_market_to_those_on_it_and_cuts_the_expiry(world):
    zone = world.zone
    zone.block(update_market(zone, 1, access=enums.ACCESS_LIST))
    assert zone.block(post(world.alice, SELL, 10, 1)).code == Code.ACCESS_DENIED
    expires = zone.time + 100
    grant = {"venue": 1, "grantee": world.alice.owner}
    outcome = zone.block(
        act(world.bob, actions.GRANT_ACCESS, expires=expires, **grant),
        act(world.deployer, actions.GRANT_ACCESS, expires=expires, **grant),
    )
    assert outcome.codes == [Code.NOT_VENUE_OWNER, Code.OK]
    zone.block(post(world.alice, SELL, 10, 1))
    assert [e["tif"] for e in zone.block(at=expires).of(events.ORDER_CANCELLED)] == [
        enums.CANCEL_EXPIRED
    ]


def test_a_credential_is_honoured_while_the_venue_admits_it(world):
    zone, provider = world.zone, get_address(77)
    update = {"venue": 1, "state": 1, "access": enums.ACCESS_CREDENTIAL, "regions": 0b110}
    zone.block(tell(messages.UPDATE_VENUE, credentialProvider=provider, minClass=2, **update))
    terms = {
        "venue": 1,
        "owner": world.alice.owner,
        "subject": world.alice.address,
        "region": 1,
        "class": 2,
        "issued": zone.time,
        "expires": zone.time + 10**6,
    }
    outcome = zone.block(
        credential(None, **terms), credential(provider, **terms), credential(provider, **terms)
    )
    assert outcome.codes == [Code.BAD_SIGNATURE, Code.OK, Code.BAD_CREDENTIAL]
    assert zone.block(post(world.alice, SELL, 10, 1)).code == Code.OK
    zone.block(tell(messages.UPDATE_VENUE, credentialProvider=provider, minClass=3, **update))
    assert zone.block(post(world.alice, SELL, 10, 1)).code == Code.ACCESS_DENIED


def test_a_door_takes_its_fee_with_the_accounts_approval(world):
    zone = world.zone
    created = zone.block(create_venue(2, world.deployer.owner)).events[0]
    guest = tell(
        messages.LIST_GUEST, market=2, id=2 << 16 | 1, venue=2, home=1, guestFee=limits.PPM // 100
    )
    zone.block(guest)
    zone.block(post(world.alice, SELL, 1000, 10))
    assert zone.block(world.bob.buy(1000, 10, market=2)).code == Code.INTERFACE_NOT_APPROVED
    zone.block(
        act(world.bob, actions.APPROVE_INTERFACE, interface=created["account"], maxFee=10_000)
    )
    outcome = zone.block(world.bob.buy(1000, 10, market=2))
    (share,) = outcome.of(events.FEE_SHARE)
    assert (share["account"], share["amount"], share["flag"]) == (created["account"], 500, 1)


def test_a_door_that_closes_lets_nothing_through_and_keeps_what_rests(world):
    zone, bob = world.zone, world.bob
    fee_account = zone.block(create_venue(2, world.deployer.owner)).events[0]["account"]
    guest = {"market": 2, "id": 2 << 16 | 1, "venue": 2, "home": 1, "guestFee": 10_000}
    zone.block(
        tell(messages.LIST_GUEST, **guest),
        act(bob, actions.APPROVE_INTERFACE, interface=fee_account, maxFee=10_000),
    )
    assert zone.model.venues[2].market_count == 1
    zone.block(post(bob, SELL, 1000, 10, market=2), post(world.alice, SELL, 990, 10))
    zone.block(update_market(zone, 1, takerDelay=50))
    waiting = zone.block(bob.buy(990, 10, market=2)).of(events.ORDER_WAITING)
    assert len(waiting) == 1
    closed = zone.block(
        update_market(zone, 2, phase=enums.PHASE_SETTLED), bob.buy(990, 10, market=2)
    )
    assert closed.codes[-1] == Code.MARKET_CLOSED
    assert zone.model.venues[2].market_count == 0
    assert not closed.of(events.ORDER_CANCELLED)  # what rests in the home's book stays
    (left,) = zone.block(after=60).of(events.ORDER_CANCELLED)
    assert (left["tif"], left["order"]) == (enums.CANCEL_MARKET, waiting[0]["order"])
    again = zone.block(update_market(zone, 2, phase=enums.PHASE_CONTINUOUS))
    assert again.of(events.MESSAGE_IGNORED)[0]["error"] == Code.BAD_PARAMETERS
    zone.block(world.carol.buy(1000, 20))
    zone.block()
    (share,) = zone.block(after=60).of(events.FEE_SHARE)
    assert share["account"] == fee_account


# --- simulated assets, quota -------------------------------------------------------------------------


def test_a_simulated_asset_is_issued_claimed_and_sealed_off(world):
    zone = world.zone
    zone.block(
        register_asset(3, kind=enums.ASSET_SIMULATED, venue=1),
        tell(messages.SET_ASSET, asset=3, faucetAmount=500, faucetInterval=1000),
    )
    outcome = zone.block(
        act(world.bob, actions.FAUCET, asset=3),
        act(world.bob, actions.FAUCET, asset=3),
        act(world.bob, actions.ISSUE, asset=3, toAccount=world.alice.account, amount=5),
        act(world.deployer, actions.ISSUE, asset=3, toAccount=world.bob.account, amount=5),
        world.bob.withdraw(3, 1),
    )
    assert outcome.codes == [
        Code.OK,
        Code.FAUCET_TOO_SOON,
        Code.NOT_VENUE_OWNER,
        Code.OK,
        Code.NOT_SAME_KIND,
    ]
    assert world.free(world.bob, 3) == 505


def test_balances_are_opened_and_closed(world):
    zone = world.zone
    zone.block(register_asset(3))
    outcome = zone.block(
        act(world.bob, actions.OPEN_BALANCE, asset=3),
        act(world.bob, actions.OPEN_BALANCE, asset=3),
        act(world.bob, actions.CLOSE_BALANCE, asset=3),
        act(world.bob, actions.CLOSE_BALANCE, asset=1),
    )
    assert outcome.codes == [Code.OK, Code.BALANCE_IN_USE, Code.OK, Code.BALANCE_IN_USE]


def test_the_quota_falls_trickles_and_grows_with_fees(world):
    zone, owner = world.zone, world.zone.model.owners[world.deployer.owner]
    zone.block(world.deployer.noop())
    assert owner.quota == (limits.QUOTA_DAILY - 1) * limits.MICRO
    bad = [place_item(9, BUY, 1, 1)] * limits.MAX_ITEMS
    for _ in range(limits.QUOTA_DAILY // (2 * limits.MAX_ITEMS) + 1):
        zone.block(world.deployer.place(*bad))
    assert zone.block(world.deployer.place(*bad)).code == Code.QUOTA_EXCEEDED
    zone.block(*(world.deployer.noop() for _ in range(owner.quota // limits.MICRO)))
    outcome = zone.block(world.deployer.noop(), world.deployer.noop(), after=limits.QUOTA_TRICKLE)
    assert outcome.codes == [Code.OK, Code.QUOTA_EXCEEDED]
    add_funds(zone, world.deployer, 1, 100)
    assert zone.block(world.deployer.place(*bad)).code == Code.MARKET_NOT_FOUND
