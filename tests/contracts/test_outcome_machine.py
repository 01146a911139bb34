"""Results under any sequence of proposals, challenges, decisions, silences, thefts and time.

Always: each group has at most one result and the zone hears of it once; every bond is in a game, is to be
collected, or was paid; exposure is that of the unresolved groups; a group that was called for ends.
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

from tests.contracts.driver import DAY, OKB, attempt, tries
from tests.contracts.results import details, event_of
from tradezone.protocol.actions import unpack
from tradezone.protocol.messages import RESOLUTION_BODY
from tradezone.protocol.oracles import to_vector

VENUES = (5, 6)
VECTORS = ([10_000, 0], [0, 10_000], [5_000, 5_000])
VOID_VECTOR = [2_500, 7_500]
OPEN, CALLED, PROPOSED, CHALLENGED, RESOLVED, VOID = range(1, 7)
FEE = OKB // 10


@pytest.mark.hypothesis
def test_bonds_are_conserved_and_each_group_has_one_result(  # noqa: C901 -- a machine and its model stay in one place
    markets, puppet_venues, chain, clock, alice, bob, carol, rival, third, arbiter, treasury
):
    resolver, listings = markets.resolver, markets.listings
    people = (alice, bob, carol, rival)
    stake = 1_000 * OKB
    for venue in VENUES:
        puppet_venues.setDeployer(venue, alice, sender=alice)
        puppet_venues.setStake(venue, stake, sender=alice)
    bond = markets.params.provider_bond
    markets.oracles.register(third, bytes(32), "", sender=third, value=bond)
    snapshots = [chain.snapshot()]

    class Results(RuleBasedStateMachine):
        @initialize()
        def start(self):
            chain.restore(snapshots.pop())
            snapshots.append(chain.snapshot())
            self.groups = {}
            self.owed = dict.fromkeys((*people, third, treasury), 0)
            self.taken = self.paid = self.forced = 0
            self.results = []  # as the zone has to hear of them
            for venue in VENUES:
                self.open_group(venue, alice, 9_000 * OKB, 0)

        # --- time

        @rule(seconds=st.integers(1, 3_600), blocks=st.integers(0, 3))
        def wait(self, seconds, blocks):
            clock.pass_time(seconds)
            if blocks:
                clock.pass_blocks(blocks)

        @rule(days=st.sampled_from([1, 1, 2, 2, 7, 14]), blocks=st.sampled_from([0, 10, 20, 30]))
        def wait_long(self, days, blocks):
            clock.pass_time(days * DAY)
            if blocks:
                clock.pass_blocks(blocks)

        # --- groups

        @rule(
            venue=st.sampled_from(VENUES),
            who=st.sampled_from((alice, alice, alice, bob)),
            exposure=st.sampled_from([1, 900 * OKB, 2_500 * OKB, 9_000 * OKB, 15_000 * OKB, 0]),
            ahead=st.one_of(st.integers(1, 10), st.integers(0, 2 * DAY)),
        )
        def open_more(self, venue, who, exposure, ahead):
            self.open_group(venue, who, exposure, ahead)

        def open_group(self, venue, who, exposure, ahead):
            used = sum(g["exposure"] for g in self.unresolved(venue))
            may = 0 < exposure <= 20 * stake - used and len(self.unresolved(venue)) < 8
            due = self.next_second() + ahead
            number, event = len(self.groups) + 1, event_of(venue, VOID_VECTOR)
            # Bob goes to the resolver himself; alice lists, as everybody has to.
            if who == bob:
                call = ("takeEvent", number, event, details(1, due, exposure))
                self.send(who, call, FEE, may=False)
                return
            call = ("list", event, details(1, due, exposure))
            if not self.send(who, call, FEE, may, to=listings):
                return
            self.groups[len(self.groups) + 1] = {
                "venue": venue,
                "exposure": exposure,
                "bond": max(10 * OKB, exposure // 100),
                "phase": OPEN,
                "due": due,
            }
            self.owed[treasury] += FEE

        @precondition(lambda self: self.has(OPEN))
        @rule(data=st.data(), who=st.sampled_from(people))
        def call_for_result(self, data, who):
            self.do_call(*self.draw(data, OPEN), who)

        def do_call(self, number, group, who):
            time = self.next_second()
            may = group["phase"] == OPEN and time >= group["due"]
            if self.send(who, ("callForResult", number), 0, may):
                group |= {"phase": CALLED, "called": self.stamp()}

        @precondition(lambda self: self.has(OPEN, CALLED))
        @rule(
            data=st.data(),
            who=st.sampled_from((*people, third, third, third, third)),
            vector=st.sampled_from(VECTORS),
            short=st.sampled_from([0] * 7 + [1]),
        )
        def propose(self, data, who, vector, short):
            self.do_propose(*self.draw(data, OPEN, CALLED), who, vector, short)

        def do_propose(self, number, group, who, vector, short=0):
            time = self.next_second()
            may = group["phase"] in (OPEN, CALLED) and time >= group["due"] and not short
            if group["phase"] == CALLED:
                may = may and (who == third or self.passed(group["called"], DAY, 10))
                may = may and not self.passed(group["called"], 14 * DAY, 30)
            else:
                may = may and who == third
            if self.send(who, ("propose", number, vector), group["bond"] - short, may):
                made = self.stamp()
                group |= {"phase": PROPOSED, "by": who, "vector": vector, "made": made}

        @precondition(lambda self: self.has(PROPOSED))
        @rule(
            data=st.data(),
            who=st.sampled_from(people),
            vector=st.sampled_from(VECTORS),
            short=st.sampled_from([0] * 7 + [1]),
        )
        def challenge(self, data, who, vector, short):
            self.do_challenge(*self.draw(data, PROPOSED), who, vector, short)

        def do_challenge(self, number, group, who, vector, short=0):
            self.next_second()
            may = (
                group["phase"] == PROPOSED
                and not short
                and vector != group["vector"]
                and not self.passed(group["made"], *self.window(group))
            )
            if self.send(who, ("challenge", number, vector), group["bond"] - short, may):
                made = self.stamp()
                group |= {"phase": CHALLENGED, "rival": who, "other": vector, "asked": made}

        @precondition(lambda self: self.has(PROPOSED))
        @rule(data=st.data(), who=st.sampled_from(people))
        def confirm(self, data, who):
            self.do_confirm(*self.draw(data, PROPOSED), who)

        def do_confirm(self, number, group, who):
            self.next_second()
            may = group["phase"] == PROPOSED and self.passed(group["made"], *self.window(group))
            if self.send(who, ("confirm", number), 0, may):
                self.owed[group["by"]] += group["bond"]
                self.end(number, RESOLVED, group["vector"])

        @precondition(lambda self: self.has(CHALLENGED))
        @rule(
            data=st.data(),
            who=st.sampled_from((arbiter, arbiter, arbiter, bob)),
            vector=st.sampled_from(VECTORS),
        )
        def decide(self, data, who, vector):
            self.do_decide(*self.draw(data, CHALLENGED), who, vector)

        def do_decide(self, number, group, who, vector):
            self.next_second()
            may = (
                who == arbiter
                and group["phase"] == CHALLENGED
                and not self.passed(group["asked"], 7 * DAY, 20)
            )
            if not self.send(who, ("decide", number, vector), 0, may):
                return
            size = group["bond"]
            if vector == group["vector"]:
                self.owed[group["by"]] += size + size // 2
                self.owed[treasury] += size - size // 2
            elif vector == group["other"]:
                self.owed[group["rival"]] += size + size // 2
                self.owed[treasury] += size - size // 2
            else:
                self.owed[group["rival"]] += size
                self.owed[treasury] += size
            self.end(number, RESOLVED, vector)

        @precondition(lambda self: self.has(CALLED, CHALLENGED))
        @rule(data=st.data(), who=st.sampled_from(people))
        def lapse(self, data, who):
            self.do_lapse(*self.draw(data, CALLED, CHALLENGED), who)

        def do_lapse(self, number, group, who):
            self.next_second()
            may = False
            if group["phase"] == CALLED:
                may = self.passed(group["called"], 14 * DAY, 30)
            if group["phase"] == CHALLENGED:
                may = self.passed(group["asked"], 7 * DAY, 20)
            if self.send(who, ("lapse", number), 0, may):
                if group["phase"] == CHALLENGED:
                    self.owed[group["by"]] += group["bond"]
                    self.owed[group["rival"]] += group["bond"]
                self.end(number, VOID, VOID_VECTOR)

        @precondition(lambda self: self.has(OPEN, CALLED, PROPOSED, CHALLENGED))
        @rule(
            data=st.data(),
            who=st.sampled_from(people),
            vector=st.sampled_from(VECTORS),
            is_fast=st.booleans(),
            is_quiet=st.sampled_from([False, False, True]),
        )
        def step_on(self, data, who, vector, is_fast, is_quiet):
            """From every state somebody gets further by waiting at most its time and one call."""
            number, group = self.draw(data, OPEN, CALLED, PROPOSED, CHALLENGED)
            phase = group["phase"]
            if phase == OPEN:
                clock.pass_time(max(group["due"] - clock.time, 1))
                if is_quiet:
                    self.do_call(number, group, who)
                else:
                    self.do_propose(number, group, third, vector)
            elif phase == CALLED and is_quiet:
                clock.pass_both(14 * DAY, 30)
                self.do_lapse(number, group, who)
            elif phase == CALLED:
                if not is_fast:
                    clock.pass_both(DAY, 10)
                self.do_propose(number, group, third if is_fast else who, vector)
            elif phase == PROPOSED and is_quiet:
                clock.pass_both(2 * DAY, 30)
                self.do_confirm(number, group, who)
            elif phase == PROPOSED:
                others = [other for other in VECTORS if other != group["vector"]]
                self.do_challenge(number, group, who, others[is_fast])
            elif phase == CHALLENGED and is_quiet:
                clock.pass_both(7 * DAY, 20)
                self.do_lapse(number, group, who)
            elif phase == CHALLENGED:
                self.do_decide(number, group, arbiter, vector)

        @precondition(lambda self: self.groups)
        @rule(
            data=st.data(),
            call=st.sampled_from(["call", "propose", "challenge", "confirm", "decide", "lapse"]),
            who=st.sampled_from((*people, third, arbiter)),
            vector=st.sampled_from(VECTORS),
        )
        def anything(self, data, call, who, vector):
            """A call at a time that need not fit."""
            number = data.draw(st.sampled_from(sorted(self.groups)))
            arguments = (vector,) if call in ("propose", "challenge", "decide") else ()
            getattr(self, f"do_{call}")(number, self.groups[number], who, *arguments)

        # --- money

        @precondition(lambda self: any(self.owed.values()))
        @rule(data=st.data())
        def collect(self, data):
            everybody = list(self.owed)
            creditors = [account for account in everybody if self.owed[account]]
            who = data.draw(st.sampled_from(creditors * 9 + everybody))
            owed = self.owed[who]
            if self.send(bob, ("collect", who.address), 0, owed > 0):
                self.paid += owed
                self.owed[who] = 0

        @rule(amount=st.integers(1, 10**20))
        def force(self, amount):
            clock.force_coin(resolver, amount)
            self.forced += amount

        # --- the model

        def has(self, *phases):
            return any(group["phase"] in phases for group in self.groups.values())

        def draw(self, data, *phases):
            """A group in one of these phases."""
            fitting = [n for n, group in self.groups.items() if group["phase"] in phases]
            number = data.draw(st.sampled_from(fitting))
            return number, self.groups[number]

        def unresolved(self, venue):
            return [
                g for g in self.groups.values() if g["venue"] == venue and g["phase"] < RESOLVED
            ]

        def next_second(self):
            clock.set_next(clock.time + 1)
            return clock.time + 1

        def stamp(self):
            return clock.time, clock.block

        def passed(self, since, seconds, blocks):
            """Whether a period will have passed in the next block."""
            return clock.time + 1 >= since[0] + seconds and clock.block + 1 >= since[1] + blocks

        def window(self, group):
            share = min(group["exposure"], 100_000 * OKB)
            full = 100_000 * OKB
            return 7_200 + 165_600 * share // full, 10 + 20 * share // full

        def send(self, who, call, value, may, to=resolver):
            name, *arguments = call
            data = getattr(to, name).encode_input(*arguments)
            if may:
                who.transfer(to, value, data=data, gas_limit=2_000_000)
                self.taken += value
                return True
            # A call that is only tried sees the last block; one in the next must fail too.
            clock.pass_time(1)
            assert attempt(to, data, who, value=value)[0] is False
            return False

        def end(self, number, phase, vector):
            self.groups[number]["phase"] = phase
            self.results.append((number, phase, to_vector(vector)))

        @invariant()
        def bonds_are_conserved(self):
            if not hasattr(self, "taken"):
                return
            games = sum(
                g["bond"] * {PROPOSED: 1, CHALLENGED: 2}.get(g["phase"], 0)
                for g in self.groups.values()
            )
            assert resolver.bonds() == games
            assert resolver.owed() == sum(self.owed.values())
            assert [resolver.collectable(who) for who in self.owed] == list(self.owed.values())
            assert self.taken == games + sum(self.owed.values()) + self.paid
            assert resolver.balance == self.taken - self.paid + self.forced

        @invariant()
        def groups_are_those_of_the_model(self):
            if not hasattr(self, "taken"):
                return
            found = {number: vector for number, _, vector in self.results}
            assert len(found) == len(self.results)
            for number, group in self.groups.items():
                assert tuple(resolver.resultOf(number)) == (group["phase"], found.get(number, 0))
            for venue in VENUES:
                left = self.unresolved(venue)
                assert resolver.openGroupsOf(venue) == len(left)
                assert resolver.exposureOf(venue) == sum(g["exposure"] for g in left)

        def teardown(self):
            if not hasattr(self, "taken"):
                return
            logs = sorted(markets.inbox.Message.range(0, clock.block + 1), key=lambda x: x.index)
            heard = [unpack(RESOLUTION_BODY, bytes(log.payload)) for log in logs]
            assert [(b["group"], b["state"], b["payouts"]) for b in heard] == [
                (number, 2, vector.to_bytes(32, "big"))
                if phase == RESOLVED
                else (number, 3, bytes(32))
                for number, phase, vector in self.results
            ]

    run_state_machine_as_test(
        Results, settings=settings(max_examples=tries(10), stateful_step_count=36)
    )
