"""Venues under any sequence of calls (law 6), beside a model of what L1 may allow.

Two deployers list, change, close and list again, a thief tries the same on their venues, results come in, time passes
to any side of any notice. Always: live markets never outnumber slots, each accepted change is as many messages
as it should be and each refused one none, terms in force are those of the model, and no fee rose without its notice.
At the end the engine reads every message at the time it was sent, and ignores none.
"""

from contextlib import nullcontext
from dataclasses import replace

import ape
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from scripts._deployment import deploy_zone
from tests.contracts.driver import Zone, tries
from tests.contracts.markets import (
    CLOSED,
    CLOSING,
    CONTINUOUS,
    EVENT,
    OPEN,
    OUTCOME,
    SETTLED,
    SPOT,
    TERMS,
    payouts,
    stake_for_venues,
    terms_now,
)
from tests.contracts.test_venue_messages import Reader
from tradezone.engine import Engine
from tradezone.protocol.enums import GROUP_VOID

SLOTS = {SPOT: 2, OUTCOME: 3}
DAY_AND_A_HALF = 129_600  # s
STRICT = {1: 0, 2: 1, 4: 1, 3: 2, 5: 2, 6: 3}


class ModelMarket:
    """A market as L1 should see it: fee and phase in force, and those to come."""

    def __init__(self, venue, kind, event=0, home=0):
        self.venue, self.kind, self.event, self.home = venue, kind, event, home
        self.stage = OPEN
        self.fee = 0 if home else TERMS["takerFee"]
        self.phase = CONTINUOUS
        self.coming = None  # (ms, fee, phase)

    def roll(self, now):
        if self.coming and self.coming[0] <= now:
            _, self.fee, self.phase = self.coming
            self.coming = None


@pytest.mark.hypothesis
def test_markets_stay_inside_their_slots_and_changes_inside_their_notice(  # noqa: C901 -- a machine and its model stay in one place
    project, chain, accounts, deployer, params, resolver, alice, bob, carol, token, coarse_token
):
    small = replace(params, base_spot_slots=SLOTS[SPOT], base_outcome_slots=SLOTS[OUTCOME])
    zone = Zone(deploy_zone(deployer, project, small), chain, accounts)
    for asset in (token, coarse_token):
        zone.asset_registry.registerAsset(
            asset, 1 if asset is token else 10**12, 10**15, sender=alice, value=small.asset_bond
        )
    deployers = {1: alice, 2: bob}
    for number, account in deployers.items():
        stake_for_venues(zone, account)
        zone.venue_registry.createVenue(f"venue-{number}", 0, sender=account)
    markets, listings, venues = zone.market_registry, zone.listings, zone.venue_registry
    change, close, lag = small.change_notice, small.close_notice, small.inbox_lag
    snapshots = [chain.snapshot()]
    venue_ids = st.sampled_from([1, 2])
    senders = st.sampled_from([alice, bob, carol])

    class Venues(RuleBasedStateMachine):
        @initialize()
        def start(self):
            chain.restore(snapshots.pop())
            snapshots.append(chain.snapshot())
            self.markets = {}  # id: ModelMarket
            self.events = {}  # id: (market ids, is open)
            self.shared = set()
            self.told = zone.inbox.count()

        def now(self):
            """The time of the next block, ms: one second from the last."""
            return (zone.clock.time + 1) * 1000

        def send(self, contract, call, sender, is_expected, count=1):
            """Send a call in the next second; whether it passes is what the model says."""
            zone.clock.set_next(zone.clock.time + 1)
            with nullcontext() if is_expected else ape.reverts():
                sender.transfer(contract, 0, data=call, gas_limit=8_000_000)
            self.told += count if is_expected else 0

        def used(self, venue, kind):
            live = (OPEN, CLOSING)
            return sum(
                m.venue == venue and m.kind == kind and m.stage in live
                for m in self.markets.values()
            )

        def roll(self):
            for market in self.markets.values():
                if market.stage != CLOSED:
                    market.roll(self.now())

        # --- listing

        @rule(venue=venue_ids, sender=senders)
        def list_spot(self, venue, sender):
            may = sender == deployers[venue] and self.used(venue, SPOT) < SLOTS[SPOT]
            call = listings.listSpot.encode_input(TERMS | {"venue": venue})
            self.send(listings, call, sender, may)
            if may:
                self.markets[len(self.markets) + 1] = ModelMarket(venue, SPOT)

        @rule(venue=venue_ids, sender=senders, outcomes=st.sampled_from([2, 3]))
        def list_event(self, venue, sender, outcomes):
            count = 1 if outcomes == 2 else outcomes
            room = self.used(venue, OUTCOME) + count <= SLOTS[OUTCOME]
            may = sender == deployers[venue] and room
            terms = {"venue": venue, "outcomes": outcomes, "voidPayouts": payouts(10_000)}
            call = listings.listEvent.encode_input(EVENT | terms, b"")
            self.send(listings, call, sender, may, 1 + count)
            if may:
                event = len(self.events) + 1
                first = len(self.markets) + 1
                self.events[event] = [range(first, first + count), True]
                for market in self.events[event][0]:
                    self.markets[market] = ModelMarket(venue, OUTCOME, event=event)

        @rule(data=st.data(), venue=venue_ids, sender=senders)
        def open_door(self, data, venue, sender):
            if not self.markets:
                return
            home = data.draw(st.sampled_from(sorted(self.markets)))
            m = self.markets[home]
            if data.draw(st.booleans()):
                may = sender == deployers[m.venue] and not m.home and m.stage == OPEN
                may = may and home not in self.shared
                call = markets.setSharing.encode_input(home, 0, True)
                self.send(markets, call, sender, may, 0)
                if may:
                    self.shared.add(home)
            may = sender == deployers[venue] and m.stage == OPEN and home in self.shared
            may = may and m.venue != venue and self.used(venue, m.kind) < SLOTS[m.kind]
            call = listings.listGuest.encode_input((venue, home, 0, 0))
            self.send(listings, call, sender, may)
            if may:
                door = ModelMarket(venue, m.kind, home=home)
                self.markets[len(self.markets) + 1] = door

        # --- changing

        @rule(
            data=st.data(),
            sender=senders,
            fee=st.sampled_from([100, 500, 900]),
            phase=st.sampled_from([1, 2, 3, 5]),
            ahead=st.sampled_from([0, 1, lag, lag + 2, change - 1, change, change + 1]),
        )
        def update(self, data, sender, fee, phase, ahead):
            homes = [n for n, m in self.markets.items() if not m.home]
            if not homes:
                return
            market = data.draw(st.sampled_from(homes))
            self.roll()
            m, now = self.markets[market], self.now()
            at = now + ahead * 1000 if ahead else 0
            notice = 0
            if fee > m.fee:
                notice = change
            elif STRICT[phase] < STRICT.get(m.phase, 0):
                notice = lag
            earliest = now + notice * 1000
            effective = at or (earliest if notice else 0)
            may = sender == deployers[m.venue] and m.stage == OPEN
            may = may and not (m.coming and m.coming[0] <= now + lag * 1000)
            may = may and (not at or not notice or at >= earliest)
            may = may and not (fee == m.fee and phase == m.phase and not m.coming)
            terms = terms_now(zone, market, takerFee=fee, phase=phase, effectiveAt=at)
            self.send(markets, markets.updateMarket.encode_input(market, terms), sender, may)
            if may and effective > now:
                m.coming = (effective, fee, phase)
            elif may:
                m.fee, m.phase, m.coming = fee, phase, None

        @rule(data=st.data(), sender=senders, phase=st.sampled_from([1, 2, 3, 4, 5]))
        def set_phase(self, data, sender, phase):
            if not self.markets:
                return
            market = data.draw(st.sampled_from(sorted(self.markets)))
            self.roll()
            m = self.markets[market]
            may = sender == deployers[m.venue] and m.stage != CLOSED and m.phase != SETTLED
            may = may and phase != m.phase and STRICT[phase] >= STRICT[m.phase]
            call = markets.setPhase.encode_input(market, phase)
            self.send(markets, call, sender, may, 2 if m.coming else 1)
            if may:
                m.phase = phase
                if m.coming and STRICT[m.coming[2]] < STRICT[phase]:
                    m.coming = (*m.coming[:2], phase)

        # --- ending

        @rule(data=st.data(), sender=senders)
        def delist(self, data, sender):
            if not self.markets:
                return
            market = data.draw(st.sampled_from(sorted(self.markets)))
            self.roll()
            m, now = self.markets[market], self.now()
            may = sender == deployers[m.venue] and m.stage == OPEN
            may = may and m.kind == SPOT and not m.home
            may = may and not (m.coming and m.coming[0] <= now + lag * 1000)
            self.send(markets, markets.delist.encode_input(market, 0), sender, may)
            if may:
                m.stage = CLOSING
                m.coming = (now + close * 1000, m.fee, SETTLED)

        @rule(data=st.data(), sender=senders)
        def forget(self, data, sender):
            if not self.markets:
                return
            market = data.draw(st.sampled_from(sorted(self.markets)))
            self.roll()
            m = self.markets[market]
            if m.home:
                may = m.stage == OPEN and self.markets[m.home].stage == CLOSED
            else:
                may = m.stage == CLOSING and m.phase == SETTLED
            self.send(markets, markets.forget.encode_input(market), sender, may, 0)
            if may:
                m.stage = CLOSED

        @rule(data=st.data())
        def resolve(self, data):
            if not self.events:
                return
            event = data.draw(st.sampled_from(sorted(self.events)))
            slots, is_open = self.events[event]
            call = resolver.resolve.encode_input(listings, event, GROUP_VOID, bytes(32))
            self.send(resolver, call, carol, is_open)
            if is_open:
                self.events[event][1] = False
                for market in slots:
                    self.markets[market].stage = CLOSED

        @rule(venue=venue_ids, sender=senders)
        def wind_down(self, venue, sender):
            """Only tried while markets are open: a venue that is over would end the run."""
            if any(m.venue == venue and m.stage != CLOSED for m in self.markets.values()):
                self.send(venues, venues.windDown.encode_input(venue), sender, False)

        @rule(seconds=st.sampled_from([1, lag - 2, lag, DAY_AND_A_HALF, change, close]))
        def pass_time(self, seconds):
            zone.clock.pass_time(seconds)

        # --- always

        @invariant()
        def slots_are_never_outnumbered(self):
            for venue in deployers:
                for kind, slots in SLOTS.items():
                    used = zone.base_slots.baseSlotsUsed(venue, kind)
                    assert used == self.used(venue, kind) <= slots
                live = sum(m.venue == venue and m.stage != CLOSED for m in self.markets.values())
                assert markets.openMarketsOf(venue) == live

        @invariant()
        def each_change_is_its_messages_and_no_other(self):
            assert zone.inbox.count() == self.told

        @invariant()
        def terms_in_force_are_the_models(self):
            now = zone.clock.time * 1000
            for number, m in self.markets.items():
                assert markets.marketOf(number).stage == m.stage
                if m.stage == CLOSED:
                    continue
                m.roll(now)
                terms = terms_now(zone, number)
                assert (terms["takerFee"], terms["phase"]) == (m.fee, m.phase)

        def teardown(self):
            if not hasattr(self, "told"):
                return
            reader = Reader(Engine(), zone)
            ignored = reader.read_each()
            assert not ignored

    run_state_machine_as_test(
        Venues, settings=settings(max_examples=tries(4), stateful_step_count=25, deadline=None)
    )
