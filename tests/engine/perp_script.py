"""One short life of a venue with perpetuals that reaches every step of theirs, for the step executor.

>>> run_script(SteppedZone())
"""

from __future__ import annotations

from typing import Any

from tests.model.perp_world import PERP, PerpWorld, build_perp_world
from tests.model.world import act, get_address, item, tell, update_market
from tradezone.protocol import actions, enums, limits, messages
from tradezone.protocol.batches import NO_EPOCH
from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.errors import Code

SHARED, TORN, EMPTY = PERP + 1, PERP + 2, PERP + 3


def approve(market: PerpWorld, slot: int, weight: int) -> None:
    """Cross pools for a market, on every side, as governance may after a month."""
    perp, zone = market.perp(slot), market.zone
    perp.is_cross, perp.weight = True, weight
    engine: Any = zone.engine
    engine.tables["market"]["flags"][slot] = enums.MARKET_CROSS
    engine.tables["market"]["profit_weight"][slot] = weight
    engine.follow("market", slot)


def run_script(zone: Any) -> PerpWorld:
    """Listing, orders, margins, a crash with every rung of the ladder, funding, settlement, the ends of fund and zone."""
    market = build_perp_world(
        zone,
        oracle={"breaker": limits.PPM},
        lossCap=10**6,
        impactNotional=2_000,
        more=({"feed": 2}, {"feed": 3, "lossCap": 0, "makerFee": -100}),
    )
    approve(market, SHARED, limits.MAX_WEIGHT)
    alice, bob, carol = market.alice, market.bob, market.carol
    thin = market.add_trader(30, 10**7)
    _set_up(market, thin)
    _force(market)
    _crash(market, thin)
    _charge_funding(market)
    _settle(market)
    body = {"venue": 1, "asset": 1, "amount": 1}
    assert market.block(act(market.world.deployer, actions.DEFUND, **body)).codes[-1] == Code.OK
    assert not any(perp.is_live for perp in market.model.perps.values())
    assert {who.owner for who in (alice, bob, carol)}
    zone.batch([], unmarked=[tell(messages.HEARTBEAT)], bounds={"epoch": NO_EPOCH, "count": 0})
    assert market.model.closing == enums.CLOSED
    return market


def _set_up(market: PerpWorld, thin: Any) -> None:
    """Orders of every kind, margin, leverage, allowances, money for the fund."""
    alice, bob, carol = market.alice, market.bob, market.carol
    market.block(
        act(carol, actions.FUND, venue=1, asset=1, amount=10**6),
        act(bob, actions.ALLOWANCE, venue=1, asset=1, amount=100),
        act(alice, actions.LEVERAGE, item(actions.LEVERAGE, market=PERP, mode=2, leverage=500)),
    )
    for slot in (PERP, SHARED, TORN):
        market.trade(bob, alice, 1_000, 10, market=slot)
    market.trade(thin, carol, 1_000, 2, market=TORN)
    market.trade(thin, carol, 1_000, 1)
    body = item(actions.LEVERAGE, market=PERP, mode=2, leverage=400)
    margin = {"venue": 1, "asset": 1, "market": PERP, "amount": 10**5}
    looked = item(actions.CHECK, account=bob.account, venue=1, asset=1, market=PERP)
    market.block(
        act(alice, actions.LEVERAGE, body),
        act(carol, actions.ADJUST_MARGIN, direction=actions.MARGIN_ADD, **margin),
        act(carol, actions.CHECK, looked),
    )
    market.block(act(carol, actions.ADJUST_MARGIN, direction=actions.MARGIN_TAKE, **margin))
    market.post(carol, BUY, 960, 3, client_id=7)
    (order,) = market.model.accounts[carol.account].orders
    outcome = market.block(carol.amend_order(order.id, 2, 950, mode=actions.AMEND_POST_ONLY))
    assert outcome.codes[-1] == Code.OK
    market.post(bob, SELL, 1_100, 2)
    market.cancel_all(carol)
    market.run(500)
    plan = {"side": SELL, "kind": enums.PLAN_STOP, "source": enums.SOURCE_MARK, "trigger": 990}
    rest = {"grouping": enums.GROUP_POSITION, "tif": enums.TIF_MARKET, "flags": 1}
    body = item(actions.PLACE_PLAN, market=SHARED, slippage=50_000, **plan, **rest)
    market.block(act(alice, actions.PLACE_PLAN, body))


def _force(market: PerpWorld) -> None:
    """What an owner does through L1: every kind of operation, and closes that meet somebody and nobody."""
    bob, carol = market.bob, market.carol
    position = market.find(bob, SHARED).slot
    head = {"owner": bob.owner, "address": bob.address}
    named = head | {"account": bob.account}
    held = {"market": SHARED, "position": position}
    agent = {"agent": get_address(70), "scope": enums.SCOPE_TRADE, "expires": 1 << 50}
    before = market.lots(bob, SHARED)
    market.post(carol, BUY if before > 0 else SELL, 1_000, 1, market=SHARED)
    market.block(
        tell(messages.FORCED_CLOSE, **named, **held),
        tell(messages.FORCED_CLOSE, **named, market=SHARED, position=1 << 18),
        tell(messages.FORCED_CANCEL_ALL, **named),
        tell(messages.FORCED_APPROVE_KEY, **head, **agent),
        tell(messages.FORCED_WITHDRAW, **named, asset=1, amount=5),
        tell(messages.FORCED_REDIRECT, **head, to=get_address(71)),
    )
    key = market.model.keys[market.model.owners[bob.owner].keys[0]]
    market.block(tell(messages.FORCED_REVOKE_KEY, **head, revokedKey=key.id))
    market.run(500)
    assert abs(market.lots(bob, SHARED)) < abs(before)
    # as it was, for what follows
    market.trade(bob, carol, 1_000, 1, market=SHARED)


def _crash(market: PerpWorld, thin: Any) -> None:
    """Forced orders, takeovers, deleveraging with a loss that nobody covers, repaid by slashed stake."""
    market.post(market.carol, BUY, 915, 4)
    market.price |= {1: 945, 2: 945}
    market.run(1_500)
    market.price |= {1: 925, 3: 860}
    market.run(4_000)
    assert market.lots(thin, TORN) == 0
    market.block(tell(messages.SLASH, venue=1, asset=1, amount=10**7))


def _charge_funding(market: PerpWorld) -> None:
    """An hour with samples on both sides of a book."""
    market.block(tell(messages.HEARTBEAT), after=limits.HOUR)
    market.run(90_000, step=10_000)


def _settle(market: PerpWorld) -> None:
    """A market of losers and winners, then the others; the venue is wound down."""
    market.price |= {2: 700}
    live = [slot for slot, perp in market.model.perps.items() if perp.is_live]
    market.block(
        *(update_market(market.zone, slot, phase=enums.PHASE_SETTLED) for slot in live),
    )
    market.run(1_000)
    assert not market.model.liquidating
    told = market.block(tell(messages.UPDATE_VENUE, venue=1, state=enums.VENUE_WOUND_DOWN))
    assert told.events
