"""What the attack tests share: short ways to say an order, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.model.world import (
    Action,
    Outcome,
    Signer,
    act,
    build_world,
    create_venue,
    get_address,
    item,
    list_event,
    list_market,
    list_outcome,
    place_item,
    register_asset,
    tell,
)
from tradezone.protocol import actions, enums, events, messages

if TYPE_CHECKING:
    from tests.model.world import World, Zone

# --- worlds ------------------------------------------------------------------------------------------


def build_slow(zone: Zone) -> World:
    """A world whose market 1 makes takers wait 50 ms."""
    return build_world(zone, takerDelay=50)


def build_event(world: World) -> World:
    """Market 2: the Yes of an event with two outcomes; prices 1 .. 99, a lot pays 10,000."""
    world.zone.block(list_event(1, 2), list_outcome(2, 1))
    return world


def build_race(world: World) -> World:
    """Markets 2, 3, 4: an event with three outcomes; prices 1 .. 99."""
    world.zone.block(list_event(1, 3), *(list_outcome(market, 1) for market in (2, 3, 4)))
    return world


def build_toys(zone: Zone) -> World:
    """Assets 3 and 4 of venue 1 and 5 of venue 2 are simulated; market 2 trades 4 for 3; alice and bob have some."""
    world = build_world(zone)
    faucet = {"faucetAmount": 10**6, "faucetInterval": 1000}
    zone.block(
        create_venue(2, world.carol.owner),
        *(
            register_asset(n, kind=enums.ASSET_SIMULATED, venue=v)
            for n, v in ((3, 1), (4, 1), (5, 2))
        ),
        *(tell(messages.SET_ASSET, asset=n, **faucet) for n in (3, 4, 5)),
        list_market(2, base=4, quote=3),
    )
    who = (world.alice, world.bob)
    zone.block(*(act(one, actions.FAUCET, asset=n) for one in who for n in (3, 4)))
    return world


def build_door(world: World) -> tuple[World, int]:
    """Venue 2 of carol has a door (market 2) to market 1 and takes 1 % there; its fee account besides."""
    zone = world.zone
    created = zone.block(create_venue(2, world.carol.owner)).events[0]
    zone.block(
        tell(messages.LIST_GUEST, market=2, id=2 << 16 | 1, venue=2, home=1, guestFee=10_000)
    )
    approve = {"interface": created["account"], "maxFee": 10_000}
    zone.block(act(world.bob, actions.APPROVE_INTERFACE, **approve))
    return world, created["account"]


def build_gated(world: World) -> World:
    """Venues 1 and 2 admit by credential: 1 from provider 77, 2 from provider 78."""
    zone = world.zone
    zone.block(create_venue(2, world.carol.owner), list_market(2, venue=2))
    terms = {"state": 1, "access": enums.ACCESS_CREDENTIAL, "regions": 0b110, "minClass": 2}
    for venue, provider in ((1, 77), (2, 78)):
        signer = get_address(provider)
        zone.block(tell(messages.UPDATE_VENUE, venue=venue, credentialProvider=signer, **terms))
    return world


# --- what is said and what came of it ----------------------------------------------------------------


def post(who: Signer, side: int, price: int, lots: int, **fields: Any) -> Action:
    """A post-only order in market 1, or in `market`."""
    market = fields.pop("market", 1)
    return who.place(place_item(market, side, price, lots, tif=enums.TIF_POST_ONLY, **fields))


def plan(who: Signer, **values: Any) -> Action:
    """A stop of one lot that sells at the market, or with other `values`."""
    terms = {"market": 1, "side": enums.SELL, "kind": enums.PLAN_STOP, "lots": 1}
    return act(who, actions.PLACE_PLAN, **(terms | {"tif": enums.TIF_MARKET} | values))


def plan_item(**values: Any) -> bytes:
    """A packed plan that sells at the market."""
    terms = {"market": 1, "side": enums.SELL, "kind": enums.PLAN_STOP, "lots": 1}
    return item(actions.PLACE_PLAN, **(terms | {"tif": enums.TIF_MARKET} | values))


def quote_item(client_id: int, side: int, price: int, lots: int, **values: Any) -> bytes:
    """A packed rung of a ladder in market 1."""
    terms = {"market": 1, "tif": enums.TIF_POST_ONLY, "client_id": client_id}
    terms |= {"side": side, "price": price, "lots": lots}
    return item(actions.MASS_QUOTE, **(terms | values))


def opened(outcome: Outcome) -> list[int]:
    """Ids of the orders that came to rest or to wait."""
    kinds = (events.ORDER_WAITING, events.ORDER_RESTED)
    return [event["order"] for event in outcome.events if event["kind"] in kinds]


def filled(outcome: Outcome) -> list[tuple[int, int]]:
    """(price, lots) of the fills."""
    return [(event["price"], event["lots"]) for event in outcome.of(events.FILL)]


def reasons(outcome: Outcome) -> list[int]:
    """Why orders were cancelled."""
    return [event["tif"] for event in outcome.of(events.ORDER_CANCELLED)]


def trade(world: World, price: int, lots: int = 1, market: int = 1) -> Outcome:
    """Alice sells to bob."""
    make = post(world.alice, enums.SELL, price, lots, market=market)
    return world.zone.block(make, world.bob.buy(price, lots, market=market))


def wealth(world: World, asset: int) -> dict[int, int]:
    """Free and locked atoms of each owner, all its accounts together."""
    sums: dict[int, int] = {}
    for account in world.zone.model.accounts.values():
        balance = account.balances.get(asset)
        held = balance.free + balance.locked if balance else 0
        sums[account.owner] = sums.get(account.owner, 0) + held
    return sums
