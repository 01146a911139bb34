"""Attacks on money: rounding, rebates, quota, simulated assets, interfaces and doors.

Each test names the rule that stops it; see `test_attacks_books` for how they run.
"""

from __future__ import annotations

import pytest

from tests.engine.attacks import build_door, build_toys, filled, plan, post, reasons, wealth
from tests.model.world import (
    act,
    add_owner,
    build_world,
    list_event,
    list_market,
    list_outcome,
    payouts,
    place_item,
    register_asset,
    tell,
    update_market,
)
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.enums import BUY, SELL, TIF_IOC, TIF_POST_ONLY
from tradezone.protocol.errors import Code

PPM = limits.PPM


def dust(who, side, price, count, **fields):
    """Single lots, thirty an envelope."""
    item = place_item(1, side, price, 1, tif=TIF_POST_ONLY, **fields)
    return [who.place(*[item] * min(30, count - n)) for n in range(0, count, 30)]


# --- rounding and rebates ----------------------------------------------------------------------------


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("maker_fee", [200, 0, -200])
def test_nobody_gains_from_rounding_however_many_fills(zone, side, maker_fee):
    """A thousand fills of five atoms each. Rule: fees round up, rebates down, and one side's is the other's."""
    world = build_world(zone, makerFee=maker_fee, takerFee=500)
    alice, bob = world.alice, world.bob
    before = {asset: wealth(world, asset) for asset in (1, 2)}
    zone.is_checking = False
    notional = 0
    for _ in range(5):
        zone.block(*dust(alice, 1 - side, 1, 200))
        outcome = zone.block(bob.place(place_item(1, side, 1, 200)))
        fills = outcome.of(events.FILL)
        assert len(fills) == 200
        paid = sum(fill["amount"] for fill in fills)
        got = -sum(fill["amount2"] for fill in fills)
        assert paid * PPM >= 200 * 5 * 500, "a taker pays its fee, rounded up"
        assert got * PPM <= -200 * 5 * maker_fee, "a maker never gets more than its rebate"
        notional += 200 * 5
    zone.is_checking = True
    zone.block()
    after = {asset: wealth(world, asset) for asset in (1, 2)}
    assert sum(after[1].values()) == sum(before[1].values())
    for who, rate in ((alice, maker_fee), (bob, 500)):
        sign = 1 if (who is bob) == (side == SELL) else -1
        change = after[1][who.owner] - before[1][who.owner]
        assert (change - sign * notional) * PPM <= -notional * rate, "no gain"
    assert after[1][world.protocol.owner] > before[1].get(world.protocol.owner, 0)


def test_a_buyers_dust_fills_cost_no_more_than_the_fee_that_was_locked(world):
    """Making somebody's order pay a rounded fee 200 times. Rule: `room` ends at the worst fee of the whole."""
    zone, alice, bob = world.zone, world.alice, world.bob
    zone.block(*dust(alice, SELL, 1, 200))
    outcome = zone.block(bob.buy(1, 200))
    assert sum(fill["amount"] for fill in outcome.of(events.FILL)) == -(-200 * 5 * 500 // PPM)
    assert world.locked(bob, 1) == 0


def test_a_wash_trade_costs_the_protocols_share_whatever_the_rebate(zone):
    """The largest rebate on the smallest fee, both sides one owner. Rule: rebate <= fee less the protocol's part."""
    world = build_world(zone, makerFee=-limits.MAX_REBATE, takerFee=100, protocolShare=100_000)
    alice = world.alice
    second = alice.on(zone.block(alice.create_account()).events[0]["account"])
    zone.block(alice.transfer(second.account, 2, 10**6))
    before = wealth(world, 1)[alice.owner]
    for lots in (1, 7, 1000, 99_999):
        held = wealth(world, 1)[alice.owner]
        zone.block(post(second, SELL, 1000, min(1000, lots)))
        (fill,) = zone.block(alice.buy(1000, lots)).of(events.FILL)
        lost = held - wealth(world, 1)[alice.owner]
        assert lost == fill["amount"] + fill["amount2"]
        assert lost * PPM >= fill["amount"] * 100_000
        assert lost >= 1
        zone.block(act(alice, actions.CANCEL_ALL, side=2))
    assert wealth(world, 1)[alice.owner] < before


def test_quota_cannot_be_bought_below_what_the_protocol_gets(world):
    """Wash trades between two owners for quota. Rule: quota grows with the protocol's least part of the fee."""
    zone, alice, bob = world.zone, world.alice, world.bob
    rate = 1000
    zone.block(tell(messages.SET_ASSET, asset=1, quotaRate=rate))
    owners = [zone.model.owners[who.owner] for who in (alice, bob)]
    before = sum(owner.quota for owner in owners)
    income = wealth(world, 1)[world.protocol.owner]
    count = 0
    for lots in (1, 10, 1000):
        zone.block(post(alice, SELL, 100, lots))
        zone.block(bob.buy(100, lots))
        count += 2
    income = wealth(world, 1)[world.protocol.owner] - income
    gained = sum(owner.quota for owner in owners) - before + count * limits.MICRO
    assert 0 < gained <= income * rate


def test_fees_in_play_money_buy_no_quota(zone):
    """Rule: a simulated quote has no quota rate, and none can be set."""
    world = build_world(zone)
    zone.block(*(register_asset(n, kind=enums.ASSET_SIMULATED, venue=1) for n in (3, 4)))
    outcome = zone.block(
        tell(messages.SET_ASSET, asset=3, quotaRate=1000),
        tell(messages.SET_ASSET, asset=3, faucetAmount=10**6, faucetInterval=1),
        tell(messages.SET_ASSET, asset=4, faucetAmount=10**6, faucetInterval=1),
        list_market(2, base=4, quote=3),
    )
    assert outcome.events[0]["error"] == Code.BAD_PARAMETERS
    alice, bob = world.alice, world.bob
    zone.block(*(act(who, actions.FAUCET, asset=n) for who in (alice, bob) for n in (3, 4)))
    before = zone.model.owners[bob.owner].quota
    zone.block(post(alice, SELL, 100, 10, market=2))
    outcome = zone.block(bob.buy(100, 10, market=2))
    assert filled(outcome) == [(100, 10)]
    assert outcome.of(events.FILL)[0]["amount"] > 0
    assert zone.model.owners[bob.owner].quota == before - limits.MICRO


def test_what_others_submit_costs_the_owner_no_quota(world):
    """Copies and forgeries in somebody's name. Rule: checks 1 to 6 charge nothing, a failed item costs one more."""
    zone, alice, bob = world.zone, world.alice, world.bob
    owner = zone.model.owners[alice.owner]
    copy = alice.noop()
    zone.block(copy)
    before = owner.quota
    forged = alice.envelope(actions.NOOP, b"", signer=bob.address)
    outcome = zone.block(copy, forged, copy)
    assert outcome.codes == [Code.NONCE_USED, Code.BAD_SIGNATURE, Code.NONCE_USED]
    assert owner.quota == before
    zone.block(alice.place(*[place_item(9, BUY, 1, 1)] * 3))
    assert owner.quota == before - 6 * limits.MICRO


# --- the wall round simulated assets -----------------------------------------------------------------


@pytest.fixture
def toys(zone):
    return build_toys(zone)


def toy_event(group, *, venue, outcomes):
    terms = {"asset": 3, "outcomes": outcomes, "unit": 10_000, "voidPayouts": payouts(10_000)}
    return tell(messages.LIST_EVENT, group=group, venue=venue, **terms)


LISTINGS = {
    "a real base for a toy": lambda: list_market(3, base=2, quote=3),
    "a toy for a real quote": lambda: list_market(3, base=3, quote=1),
    "toys of another venue": lambda: list_market(3, venue=2, base=4, quote=3),
    "toys of two venues": lambda: list_market(3, base=5, quote=3),
    "a door to them": lambda: tell(
        messages.LIST_GUEST, market=3, id=2 << 16 | 1, venue=2, home=2, guestFee=0
    ),
    "an event of another venue": lambda: toy_event(1, venue=2, outcomes=2),
}


@pytest.mark.parametrize("way", LISTINGS)
def test_no_listing_lets_a_toy_meet_a_real_asset(toys, way):
    """Rule: base and quote are both real, or both simulated ones of the listing venue."""
    (event,) = toys.zone.block(LISTINGS[way]()).events
    assert (event["kind"], event["error"]) == (events.MESSAGE_IGNORED, Code.NOT_SAME_KIND)


def test_no_action_turns_a_toy_into_a_real_asset(toys):
    """Every action that moves money. Rules: NOT_SAME_KIND; a transfer stays with its owner."""
    zone, alice, bob, carol = toys.zone, toys.alice, toys.bob, toys.carol
    outcome = zone.block(
        alice.withdraw(3, 1),
        alice.transfer(bob.account, 3, 1),
        act(alice, actions.FAUCET, asset=1),
        act(toys.deployer, actions.ISSUE, asset=1, toAccount=toys.deployer.account, amount=1),
        act(carol, actions.ISSUE, asset=3, toAccount=carol.account, amount=1),
        act(toys.deployer, actions.ISSUE, asset=3, toAccount=carol.account, amount=1),
        toys.deployer.on(toys.fund_account).withdraw(1, 1),
    )
    assert outcome.codes == [
        *(Code.NOT_SAME_KIND, Code.KEY_NOT_OF_OWNER, Code.NOT_SAME_KIND, Code.NOT_SAME_KIND),
        *(Code.NOT_VENUE_OWNER, Code.ASSET_NOT_FOUND, Code.ACCOUNT_NOT_FOUND),
    ]
    deposit = tell(messages.DEPOSIT, owner=alice.owner, address=alice.address, asset=3, amount=5)
    faucet = tell(messages.SET_ASSET, asset=1, faucetAmount=5, faucetInterval=1)
    outcome = zone.block(deposit, faucet)
    assert [e["error"] for e in outcome.events] == [Code.NOT_SAME_KIND, Code.BAD_PARAMETERS]
    assert zone.model.assets[1].total == zone.model.assets[2].total == 3 * 10**12


def test_fees_of_a_toy_market_are_paid_in_toys(toys):
    """Rule: fees, interface fees and collateral are in the quote asset of the market itself."""
    zone, alice, bob = toys.zone, toys.alice, toys.bob
    real = wealth(toys, 1), wealth(toys, 2)
    zone.block(act(bob, actions.APPROVE_INTERFACE, interface=alice.account, maxFee=10_000))
    zone.block(post(alice, SELL, 1000, 10, market=2))
    item = place_item(2, BUY, 1000, 10, interface=alice.account, interface_fee=10_000)
    outcome = zone.block(bob.place(item))
    (fill,) = outcome.of(events.FILL)
    (share,) = outcome.of(events.FEE_SHARE)
    assert fill["amount"] > share["amount"] > 0
    assert (wealth(toys, 1), wealth(toys, 2)) == real
    zone.block(list_event(1, 3))
    listed = toy_event(2, venue=1, outcomes=3)
    zone.block(listed, *(list_outcome(n, 2) for n in (3, 4, 5)))
    outcome = zone.block(act(alice, actions.SPLIT, group=2, lots=5))
    assert outcome.code == Code.OK
    assert (wealth(toys, 1), wealth(toys, 2)) == real


def test_a_faucet_gives_once_an_interval_whatever_is_closed_or_opened(toys):
    """Claim, spend, close, claim again. Rules: the claim's time lives in the balance, which stays; main only."""
    zone, alice = toys.zone, toys.alice
    second = zone.block(alice.create_account()).events[0]["account"]
    outcome = zone.block(
        alice.transfer(second, 3, 10**6),
        act(alice, actions.CLOSE_BALANCE, asset=3),
        act(alice, actions.FAUCET, asset=3),
        act(alice.on(second), actions.FAUCET, asset=3),
    )
    assert outcome.codes == [Code.OK, Code.BALANCE_IN_USE, Code.FAUCET_TOO_SOON, Code.NO_FAUCET]
    assert wealth(toys, 3)[alice.owner] == 10**6


def test_an_issue_cannot_pass_the_cap_and_fills_nobodys_list(toys):
    """Rule: ASSET_CAP; a balance is opened for the issuer's own accounts only."""
    zone, deployer = toys.zone, toys.deployer
    left = zone.model.assets[3].cap - zone.model.assets[3].total
    outcome = zone.block(
        act(deployer, actions.ISSUE, asset=3, toAccount=toys.alice.account, amount=left + 1),
        act(deployer, actions.ISSUE, asset=3, toAccount=toys.alice.account, amount=left),
        act(deployer, actions.ISSUE, asset=3, toAccount=toys.carol.account, amount=1),
    )
    assert outcome.codes == [Code.ASSET_CAP, Code.OK, Code.ASSET_CAP]
    assert 3 not in zone.model.accounts[toys.carol.account].balances


# --- interfaces and doors ----------------------------------------------------------------------------


def test_an_interface_takes_nothing_that_was_not_approved(world):
    """No approval, above the cap, expired, revoked, a fee without an interface. Rule: check 16."""
    zone, alice, bob = world.zone, world.alice, world.bob

    def order(fee, interface=alice.account):
        return bob.place(place_item(1, BUY, 9, 1, interface=interface, interface_fee=fee))

    approve = {"interface": alice.account, "maxFee": 50}
    assert zone.block(order(1)).code == Code.INTERFACE_NOT_APPROVED
    outcome = zone.block(
        act(bob, actions.APPROVE_INTERFACE, **approve, expires=zone.time + 100),
        act(bob, actions.APPROVE_INTERFACE, interface=bob.account, maxFee=50),
        act(bob, actions.APPROVE_INTERFACE, interface=3, maxFee=limits.MAX_INTERFACE_FEE + 1),
        order(0, interface=0), order(50), order(51), order(1, interface=0), order(1, interface=99),
    )  # fmt: skip
    assert outcome.codes == [
        *(Code.OK, Code.ACCOUNT_NOT_FOUND, Code.BAD_APPROVAL),
        *(Code.OK, Code.OK, *[Code.INTERFACE_NOT_APPROVED] * 3),
    ]
    assert zone.block(order(1), after=100).code == Code.INTERFACE_NOT_APPROVED
    zone.block(act(bob, actions.APPROVE_INTERFACE, **approve))
    zone.block(order(50))
    zone.block(act(bob, actions.APPROVE_INTERFACE, interface=alice.account, maxFee=0))
    assert zone.block(order(1)).code == Code.INTERFACE_NOT_APPROVED


def test_a_plan_pays_no_interface_whose_approval_is_gone_when_it_fires(world):
    """Rule: check 16 is made again when a plan fires."""
    zone, bob = world.zone, world.bob
    zone.block(act(bob, actions.APPROVE_INTERFACE, interface=world.alice.account, maxFee=50))
    terms = {"interface": world.alice.account, "interface_fee": 50}
    zone.block(plan(bob, trigger=10, slippage=500_000, **terms))
    zone.block(act(bob, actions.APPROVE_INTERFACE, interface=world.alice.account, maxFee=0))
    zone.block(post(world.alice, SELL, 10, 1))
    (failed,) = zone.block(world.carol.buy(10, 1)).of(events.PLAN_FAILED)
    assert failed["error"] == Code.INTERFACE_NOT_APPROVED


@pytest.fixture
def door(world):
    return build_door(world)


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_guest_venue_takes_its_fee_from_its_traders_and_none_of_the_homes(door, side):
    """Rule: the guest's fee comes on top; the shares of the home are those of a fill without a door."""
    (world, guest), fees = door, []
    zone, alice, bob = world.zone, world.alice, world.bob
    for market in (1, 2):
        zone.block(post(alice, 1 - side, 1000, 10))
        outcome = zone.block(bob.place(place_item(market, side, 1000, 10)))
        (paid,) = outcome.of(events.FEES)
        fees.append((paid["amount"], paid["amount2"], paid["left"]))
        shares = [(e["account"], e["amount"]) for e in outcome.of(events.FEE_SHARE)]
        assert shares == ([] if market == 1 else [(guest, 500)])
    assert fees[0] == fees[1]


def test_a_door_cannot_raise_its_fee_on_those_who_came_through_it(door):
    """Approval of 1 % of ... less; a raised fee. Rules: check 16; an order keeps the fee it was placed with."""
    world, guest = door
    zone, bob = world.zone, world.bob
    zone.block(act(bob, actions.APPROVE_INTERFACE, interface=guest, maxFee=10))
    assert zone.block(post(bob, BUY, 9, 1, market=2)).code == Code.INTERFACE_NOT_APPROVED
    zone.block(update_market(zone, 2, guestFee=10))
    zone.block(post(bob, BUY, 1000, 10, market=2))
    zone.block(update_market(zone, 2, guestFee=10_000))
    outcome = zone.block(world.alice.sell(1000, 10))
    assert [e["amount"] for e in outcome.of(events.FEE_SHARE)] == [1]


def test_a_guest_venue_can_close_its_door_and_not_the_book(door):
    """Rules: UPDATE_MARKET of a door changes the door only; a closed venue behind it stops its takers."""
    world, _ = door
    zone, alice, bob = world.zone, world.alice, world.bob
    zone.block(post(alice, SELL, 1000, 10))
    zone.block(update_market(zone, 2, phase=enums.PHASE_HALTED, takerFee=1, band=5000))
    outcome = zone.block(bob.buy(1000, 1, market=2), bob.buy(1000, 1))
    assert outcome.codes == [Code.MARKET_CLOSED, Code.OK]
    assert filled(outcome) == [(1000, 1)]
    assert zone.model.markets[1].taker_fee == 500
    zone.block(update_market(zone, 2, phase=enums.PHASE_SETTLED))
    outcome = zone.block(bob.buy(1000, 1, market=2), bob.buy(1000, 1))
    assert outcome.codes == [Code.MARKET_CLOSED, Code.OK]
    assert filled(outcome) == [(1000, 1)]


def test_fee_accounts_cannot_lose_the_balance_that_fees_go_to(world):
    """A deployer closes its own fee balance, so that the next fill fails. Rule: only USER accounts may close."""
    zone, deployer = world.zone, world.deployer
    fees = deployer.on(world.fee_account)
    outcome = zone.block(
        act(fees, actions.CLOSE_BALANCE, asset=1),
        act(world.protocol, actions.CLOSE_BALANCE, asset=1),
        deployer.transfer(world.fund_account, 1, 1),
    )
    assert outcome.codes == [Code.BALANCE_IN_USE, Code.BALANCE_IN_USE, Code.ACCOUNT_NOT_FOUND]
    zone.block(post(world.alice, SELL, 1000, 1))
    assert filled(zone.block(world.bob.buy(1000, 1))) == [(1000, 1)]


def test_a_referrer_gets_a_part_of_the_fee_and_not_a_part_of_the_trade(zone):
    """Introducing oneself. Rule: referrer share + protocol share <= the fee, and the protocol's least part stays."""
    world = build_world(zone, makerFee=-limits.MAX_REBATE, takerFee=1000, protocolShare=100_000)
    zone.block(update_market(zone, 1, referrerShare=800_000, insuranceShare=0))
    alice = world.alice
    number = 50
    second = add_owner(zone, number)
    zone.model.owners[second.owner].referrer = alice.owner
    if zone.engine is not None:
        zone.engine.tables["owner"]["referrer"][second.owner] = alice.owner
    zone.block(
        tell(messages.DEPOSIT, owner=second.owner, address=second.address, asset=1, amount=10**9)
    )
    before = sum(wealth(world, 1)[who.owner] for who in (alice, second))
    zone.block(post(alice, SELL, 1000, 1000))
    (fill,) = zone.block(second.buy(1000, 1000, tif=TIF_IOC)).of(events.FILL)
    after = sum(wealth(world, 1)[who.owner] for who in (alice, second))
    assert (before - after) * PPM >= fill["amount"] * 100_000
    assert reasons(zone.block()) == []
