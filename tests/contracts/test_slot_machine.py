"""Slots under any sequence of bids, listings, thefts, hand-overs, changes of terms and time.

Always: the contract's prices and licences are those of a model that says the rules in a few lines; what
came in is what the two ledgers hold and what they have paid; no thief gets anything.
"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from scripts._markets_deployment import SLOT_KINDS
from tests.contracts.auction_model import Auction
from tests.contracts.driver import DAY, OKB, attempt, tries

PERP, SIMULATED = 2, 4
KINDS = (PERP, SIMULATED)
VENUES = (7, 8)
MARKETS = range(1, 9)
START = {"startMultiple": 11_000, "floorShare": 10_000, "decay": 5_000, "roundSeconds": 3_600}


@pytest.mark.hypothesis
def test_slots_follow_the_model_and_coins_add_up(  # noqa: C901 -- a machine and its model stay in one place
    slots, puppet_venues, chain, clock, alice, bob, carol, treasury, governance
):
    people = (alice, bob, carol)
    for kind in KINDS:
        terms = SLOT_KINDS[kind - 1].to_abi() | {"baseSlots": 1, "supply": 3}
        slots.setKindTerms(kind, terms, sender=governance)
    snapshots = [chain.snapshot()]

    class Slots(RuleBasedStateMachine):
        @initialize()
        def start(self):
            chain.restore(snapshots.pop())
            snapshots.append(chain.snapshot())
            self.auctions = {}
            for kind in KINDS:
                at = slots.roundAt(kind, clock.time)
                terms = SLOT_KINDS[kind - 1].to_abi() | {"baseSlots": 1, "supply": 3}
                self.auctions[kind] = Auction(
                    terms, at.begin, at.start // 10**9, at.floor // 10**9, at.length, at.number
                )
            self.licences = {}  # number: {kind, venue, market, expires, idle, renewal}
            self.base = {(venue, kind): 0 for venue in VENUES for kind in KINDS}
            self.markets = {}  # market: (kind, venue, licence); licence None = lost
            self.sold = 0
            self.refunds = dict.fromkeys(people, 0)
            self.proceeds = self.taken = self.paid = self.forced = 0
            self.deployers = {7: alice, 8: bob}
            for venue, deployer in self.deployers.items():
                puppet_venues.setDeployer(venue, deployer, sender=deployer)

        # --- time

        @rule(seconds=st.one_of(st.integers(1, 7_200), st.integers(1, 5 * DAY)))
        def wait(self, seconds):
            clock.pass_time(seconds)

        # --- buyers and thieves

        @rule(
            data=st.data(),
            venue=st.sampled_from(VENUES),
            kind=st.sampled_from(KINDS),
            spare=st.sampled_from([0, 0, 1, 3, 10**15, -1]),
            slack=st.sampled_from([0, 0, 0, 5, 5, -1]),
            ahead=st.one_of(st.just(0), st.integers(0, 111_600)),
        )
        def buy(self, data, venue, kind, spare, slack, ahead):
            auction = self.auctions[kind]
            auction.move_to(clock.time)
            if ahead and auction.begin:
                clock.pass_time(max(auction.begin - clock.time, 0) + ahead)
            deployer = self.deployers[venue]
            who = data.draw(st.sampled_from([deployer] * 6 + list(people)))
            time = self.next_second()
            price = auction.price_at(time)
            owed = price or OKB
            may = price is not None and who == self.deployers[venue] and spare >= 0 and slack >= 0
            call = ("buy", venue, kind, owed + slack)
            if not self.call(who, call, owed + spare, may):
                return
            out = len(self.of(kind)) + 1
            assert auction.sell(time, out >= auction.terms["supply"]) == price
            self.sold += 1
            self.licences[self.sold] = {
                "kind": kind,
                "venue": venue,
                "market": 0,
                "expires": time + 365 * DAY,
                "idle": time,
                "renewal": auction.renewal(price),
            }
            self.receive(who, price, spare)

        @precondition(lambda self: self.licences)
        @rule(
            data=st.data(),
            who=st.sampled_from(people),
            spare=st.sampled_from([0, 1, 2, -1]),
            is_patient=st.booleans(),
        )
        def renew(self, data, who, spare, is_patient):
            number = data.draw(st.sampled_from(sorted(self.licences)))
            entry = self.licences[number]
            if is_patient:
                clock.pass_time(max(entry["expires"] - 50 * DAY - clock.time, 1))
            time = self.next_second()
            in_time = entry["expires"] - 60 * DAY <= time < entry["expires"] + 30 * DAY
            price = entry["renewal"]
            if not self.call(who, ("renew", number, price), price + spare, in_time and spare >= 0):
                return
            entry["expires"] += 365 * DAY
            entry["renewal"] = self.auctions[entry["kind"]].renewal(price)
            self.receive(who, price, spare)

        @precondition(lambda self: self.licences)
        @rule(data=st.data(), who=st.sampled_from(people), is_patient=st.booleans())
        def reclaim(self, data, who, is_patient):
            number = data.draw(st.sampled_from(sorted(self.licences)))
            entry = self.licences[number]
            if is_patient:
                clock.pass_time(max(slots.reclaimableFrom(number) - clock.time, 1))
            time = self.next_second()
            is_idle = not entry["market"] and time >= entry["idle"] + 30 * DAY
            may = is_idle or time >= entry["expires"] + 30 * DAY
            if not self.call(who, ("reclaim", number), 0, may):
                return
            del self.licences[number]
            if entry["market"]:
                self.markets[entry["market"]] = (entry["kind"], entry["venue"], None)
            auction = self.auctions[entry["kind"]]
            if len(self.of(entry["kind"])) < auction.terms["supply"]:
                auction.resume(time)

        @rule(who=st.sampled_from(people))
        def collect_refund(self, who):
            owed = self.refunds[who]
            if self.call(who, ("collectRefund", treasury.address), 0, owed > 0):
                self.refunds[who] = 0
                self.paid += owed

        @rule(who=st.sampled_from(people))
        def collect_proceeds(self, who):
            if self.call(who, ("collectProceeds",), 0, self.proceeds > 0):
                self.paid += self.proceeds
                self.proceeds = 0

        @rule(amount=st.integers(1, 10**20))
        def force(self, amount):
            clock.force_coin(slots, amount)
            self.forced += amount

        @rule(
            thief=st.sampled_from(people),
            call=st.sampled_from(
                [
                    ("occupy", 7, PERP, 77),
                    ("release", 1),
                    ("setLicenceTerms", (30, 30, 7, 7)),
                    ("setKindTerms", PERP, tuple(SLOT_KINDS[1].to_abi().values())),
                ]
            ),
        )
        def steal(self, thief, call):
            self.call(thief, call, 0, False)

        # --- the registry

        @rule(
            venue=st.sampled_from(VENUES), kind=st.sampled_from(KINDS), m=st.sampled_from(MARKETS)
        )
        def occupy(self, venue, kind, m):
            time = self.next_second()
            idle = self.idle(venue, kind, time)
            has_base = self.base[venue, kind] < self.auctions[kind].terms["baseSlots"]
            assert slots.isSlotFree(venue, kind) == (
                has_base or bool(self.idle(venue, kind, clock.time))
            )
            may = m not in self.markets and (has_base or bool(idle))
            call = puppet_venues.occupy.encode_input(slots, venue, kind, m)
            if not self.try_on(puppet_venues, carol, call, 0, may):
                return
            if has_base:
                self.base[venue, kind] += 1
                self.markets[m] = (kind, venue, 0)
            else:
                self.licences[idle[0]]["market"] = m
                self.markets[m] = (kind, venue, idle[0])

        @rule(m=st.sampled_from(MARKETS))
        def release(self, m):
            time = self.next_second()
            call = puppet_venues.release.encode_input(slots, m)
            if not self.try_on(puppet_venues, carol, call, 0, m in self.markets):
                return
            kind, venue, licence = self.markets.pop(m)
            if licence == 0:
                self.base[venue, kind] -= 1
            elif licence:
                self.licences[licence] |= {"market": 0, "idle": time}

        @rule(venue=st.sampled_from(VENUES), to=st.sampled_from(people))
        def hand_over(self, venue, to):
            puppet_venues.setDeployer(venue, to, sender=to)
            self.deployers[venue] = to

        # --- governance

        @rule(
            kind=st.sampled_from(KINDS),
            supply=st.sampled_from([0, 1, 3, 3, 4, 4]),
            base=st.integers(0, 2),
            is_fast=st.booleans(),
        )
        def change_terms(self, kind, supply, base, is_fast):
            time = self.next_second()
            auction = self.auctions[kind]
            auction.move_to(time)
            terms = SLOT_KINDS[kind - 1].to_abi() | {"baseSlots": base, "supply": supply}
            terms |= START if is_fast else {}
            slots.setKindTerms(kind, terms, sender=governance)
            auction.terms = terms
            if len(self.of(kind)) >= supply:
                auction.begin = 0
            else:
                auction.resume(time)

        # --- the model

        def next_second(self):
            clock.set_next(clock.time + 1)
            return clock.time + 1

        def of(self, kind):
            return [n for n, entry in self.licences.items() if entry["kind"] == kind]

        def idle(self, venue, kind, time):
            return [
                number
                for number in sorted(self.of(kind))
                if self.licences[number]["venue"] == venue
                and not self.licences[number]["market"]
                and time < self.licences[number]["expires"]
            ]

        def receive(self, who, price, spare):
            self.proceeds += price
            self.refunds[who] += spare
            self.taken += price + spare

        def call(self, who, call, value, may):
            name, *arguments = call
            data = getattr(slots, name).encode_input(*arguments)
            return self.try_on(slots, who, data, value, may)

        def try_on(self, contract, who, data, value, may):
            """Send what should pass; only try what should not."""
            if may:
                who.transfer(contract, value, data=data, gas_limit=2_000_000)
                return True
            is_done, _ = attempt(contract, data, who, value=value)
            assert not is_done
            clock.pass_time(1)
            return False

        @invariant()
        def coins_add_up(self):
            if not hasattr(self, "taken"):
                return
            assert slots.proceeds() == self.proceeds
            assert slots.refunds() == sum(self.refunds.values())
            assert [slots.refundOf(who) for who in people] == list(self.refunds.values())
            assert self.taken == self.proceeds + sum(self.refunds.values()) + self.paid
            assert slots.balance == self.taken - self.paid + self.forced

        @invariant()
        def prices_are_those_of_the_model(self):
            if not hasattr(self, "taken"):
                return
            for kind, auction in self.auctions.items():
                price = auction.price_at(clock.time)
                assert (price is None) == (
                    not attempt(slots, slots.price.encode_input(kind), alice)[0]
                )
                at = slots.roundAt(kind, clock.time)
                assert (at.number, at.begin) == (auction.number, auction.begin)
                if price is None:
                    continue
                assert slots.price(kind) == price
                assert (
                    at.start >= price >= slots.priceAt(kind, at.begin + at.length - 1) == at.floor
                )

        @invariant()
        def licences_are_those_of_the_model(self):
            if not hasattr(self, "taken"):
                return
            for kind in KINDS:
                assert slots.outstanding(kind) == len(self.of(kind))
                for venue in VENUES:
                    held = [n for n in self.of(kind) if self.licences[n]["venue"] == venue]
                    assert slots.licencesOf(venue, kind) == sorted(held)
                    assert slots.baseSlotsUsed(venue, kind) == self.base[venue, kind]
            for number, entry in self.licences.items():
                real = slots.licenceOf(number)
                assert (real.kind, real.venue, real.market) == (
                    entry["kind"],
                    entry["venue"],
                    entry["market"],
                )
                assert (real.expires, real.renewalPrice) == (entry["expires"], entry["renewal"])
            for market, (_, venue, licence) in self.markets.items():
                slot = slots.slotOf(market)
                state = 3 if licence is None else 2 if licence else 1
                assert (slot.state, slot.venue) == (state, venue)

    run_state_machine_as_test(
        Slots, settings=settings(max_examples=tries(12), stateful_step_count=40)
    )
