"""Every message of the venue contracts: the zone's codec reads it, and the engine takes it."""

from __future__ import annotations

from tests.contracts.driver import OKB
from tests.contracts.markets import (
    EVENT,
    HALTED,
    NO_CLOSURES,
    TERMS,
    WEEK,
    payouts,
    stake_for_venues,
    terms_now,
)
from tradezone.engine import Engine
from tradezone.protocol import actions, messages
from tradezone.protocol.enums import (
    ACCESS_CREDENTIAL,
    GROUP_RESOLVED,
    GROUP_VOID,
    PHASE_HALTED,
    PHASE_SETTLED,
    VENUE_WOUND_DOWN,
)
from tradezone.protocol.events import MESSAGE_IGNORED

OWN = {  # kinds that come from contracts of this chapter
    messages.REGISTER_ASSET,
    messages.CREATE_VENUE,
    messages.LIST_MARKET,
    messages.UPDATE_VENUE,
    messages.UPDATE_MARKET,
    messages.LIST_EVENT,
    messages.LIST_OUTCOME,
    messages.LIST_GUEST,
    messages.SET_CALENDAR,
    messages.RESOLUTION,
    messages.SET_ASSET,
}


class Reader:
    """A zone's engine that reads what L1 tells it."""

    def __init__(self, engine, zone):
        self.engine, self.zone = engine, zone
        self.block = self.read = 0

    def read_all(self, time: int):
        """Consume every message at a block of this time (ms); returns the events."""
        told = self.zone.messages()[self.read :]
        end = self.read + len(told)
        self.block += 1
        leaves = [actions.block_mark(self.block, time), actions.inbox_mark(end)]
        _, events = self.engine.execute(leaves, [None, None], [m.to_bytes() for m in told])
        self.read = end
        return events

    def read_each(self) -> list:
        """Consume every message in a block of its own, at its own time; returns those ignored."""
        ignored = []
        for message in self.zone.messages()[self.read :]:
            self.block += 1
            self.read += 1
            mark = actions.block_mark(self.block, message.time * 1000)
            leaves = [mark, actions.inbox_mark(self.read)]
            _, events = self.engine.execute(leaves, [None, None], [message.to_bytes()])
            if any(e["kind"] == MESSAGE_IGNORED for e in events):
                ignored.append(message)
        return ignored


def test_the_engine_takes_every_message_as_it_was_meant(
    zone, venue, alice, bob, carol, resolver, clock
):
    """A whole life of two venues, read by the engine in two blocks: nothing is ignored."""
    listings, markets, venues = zone.listings, zone.market_registry, zone.venue_registry
    assets, bond = zone.asset_registry, zone.params.asset_bond
    engine = Engine()
    reader = Reader(engine, zone)
    stake_for_venues(zone, bob)
    venues.createVenue("second", 1, sender=bob)
    venues.configure(2, 1, (ACCESS_CREDENTIAL, carol.address, 2**15 - 1, 2**63 - 1), sender=bob)
    for symbol in ("PLAY", "FUN"):
        assets.registerSimulated(1, symbol, 6, 10**15, sender=alice, value=bond)
    assets.setFaucet(4, (10**15, 2**48), sender=alice)
    spot = listings.listSpot(TERMS, sender=alice).return_value
    play = listings.listSpot(TERMS | {"base": 4, "quote": 5}, sender=alice).return_value
    listings.listEvent(EVENT, b"", sender=alice)
    wide = {"outcomes": 16, "voidPayouts": payouts(*[625] * 16)}
    listings.listEvent(EVENT | wide, b"", sender=alice)
    listings.listEvent(EVENT | {"asset": 4}, b"", sender=alice)
    markets.setSharing(spot, 0, True, sender=alice)
    door = listings.listGuest((2, spot, 10_000, 0), sender=bob).return_value
    calendar = zone.calendars.setCalendar(0, 1, WEEK, NO_CLOSURES, sender=alice).return_value
    holiday = [
        ((clock.time + 40 * 86_400) * 1000, (clock.time + 41 * 86_400) * 1000),
        *[(0, 0)] * 3,
    ]
    zone.calendars.setCalendar(calendar, 1, WEEK, holiday, sender=alice)
    changes = {"takerFee": 600, "band": 50_000, "calendar": calendar, "referrerShare": 1000}
    changes |= {"access": 2, "closes": 2**48}
    markets.updateMarket(spot, terms_now(zone, spot) | changes, sender=alice)
    markets.setPhase(spot, HALTED, sender=alice)  # and the announced change once more
    caps = {"openInterestCap": 10**12, "accountCap": 10**10, "makerFee": -10}
    markets.updateMarket(3, terms_now(zone, 3) | caps, sender=alice)
    markets.updateMarket(door, terms_now(zone, door, guestFee=1), sender=bob)
    markets.delist(play, 0, sender=alice)
    resolver.resolve(listings, 1, GROUP_RESOLVED, payouts(0, 10_000), sender=alice)
    resolver.resolve(listings, 2, GROUP_VOID, payouts(), sender=alice)
    resolver.resolve(listings, 3, GROUP_VOID, payouts(), sender=alice)
    venues.reduceOnly(1, sender=alice)
    stake_for_venues(zone, alice)
    venues.addStake(1, OKB, sender=alice)
    venues.tellStake(1, sender=bob)

    assert {message.kind for message in zone.messages()} >= OWN
    for message in zone.messages():
        assert messages.is_well_formed(message.kind, message.payload), message
        assert len(message.payload) <= 512
    events = reader.read_all(clock.time * 1000)
    assert not [e for e in events if e["kind"] == MESSAGE_IGNORED]

    state = engine.tables
    slots = range(1, markets.marketCount() + 1)
    assert [int(state["market"][n]["id"]) for n in slots] == [markets.marketIdOf(n) for n in slots]
    assert int(state["market"][spot]["phase"]) == PHASE_HALTED
    assert int(state["market"][door]["guest_fee"]) == 1
    assert int(state["venue"][1]["stake"]) == venues.statusOf(1).stakeTold
    assert int(state["venue"][2]["regions"]) == 2**63 - 1
    assert int(state["asset"][4]["faucet_amount"]) == 10**15
    # The engine counts a closing market until its end, as L1 does.
    assert int(state["venue"][1]["market_count"]) == markets.openMarketsOf(1) == 2

    clock.pass_time(zone.params.close_notice + 1)
    markets.forget(play, sender=bob)
    markets.delist(spot, 0, sender=alice)
    clock.pass_time(zone.params.close_notice + 1)
    markets.forget(spot, sender=bob)
    markets.forget(door, sender=bob)
    # Announced changes come due in the zone by its own clock.
    events = reader.read_all((clock.time - zone.params.close_notice) * 1000)
    events = reader.read_all(clock.time * 1000)
    assert not [e for e in events if e["kind"] == MESSAGE_IGNORED]
    assert (
        int(state["market"][spot]["phase"]) == int(state["market"][play]["phase"]) == PHASE_SETTLED
    )
    assert int(state["market"][spot]["taker_fee"]) == 600
    assert int(state["venue"][1]["market_count"]) == markets.openMarketsOf(1) == 0
    venues.windDown(1, sender=alice)
    events = reader.read_all(clock.time * 1000 + 1)
    assert not [e for e in events if e["kind"] == MESSAGE_IGNORED]
    assert int(state["venue"][1]["state"]) == VENUE_WOUND_DOWN


def test_a_door_that_is_forgotten_is_closed_in_the_zone(zone, venue, alice, bob, clock):
    """Otherwise a venue that once opened a door could never release its stake: the zone would count it for ever."""
    engine = Engine()
    reader = Reader(engine, zone)
    stake_for_venues(zone, bob)
    zone.venue_registry.createVenue("second", 0, sender=bob)
    spot = zone.listings.listSpot(TERMS, sender=alice).return_value
    zone.market_registry.setSharing(spot, 2, True, sender=alice)
    door = zone.listings.listGuest((2, spot, 0, 0), sender=bob).return_value
    zone.market_registry.delist(spot, 0, sender=alice)
    reader.read_all(clock.time * 1000)
    clock.pass_time(zone.params.close_notice + 1)
    zone.market_registry.forget(spot, sender=bob)
    zone.market_registry.forget(door, sender=bob)
    assert int(engine.tables["venue"][2]["market_count"]) == 1
    reader.read_all(clock.time * 1000)
    assert zone.market_registry.openMarketsOf(2) == 0
    assert int(engine.tables["venue"][2]["market_count"]) == 0
