"""Providers and feeds under any sequence of registrations, rotations, selections, exits, thefts and time.

Always: the contract holds every bond that was not paid out or taken; and a zone that applies each message
when it reads it accepts, whenever there is nothing new to announce, exactly the keys that the registry
holds to be valid, and refuses none of the messages.
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

from tests.contracts.driver import DAY, attempt, tries
from tradezone.protocol.actions import unpack
from tradezone.protocol.hashing import keccak
from tradezone.protocol.limits import MAX_PROVIDERS
from tradezone.protocol.messages import ORACLE_SET_BODY

VENUE = 3
KEY, NOTICE = 2 * DAY, DAY
NOTHING_NEW = keccak(b"NothingNew(uint32)")[:4]
NOBODY = "0x0000000000000000000000000000000000000000"


@pytest.mark.hypothesis
def test_the_zone_knows_the_keys_and_bonds_are_conserved(  # noqa: C901 -- a machine and its model stay in one place
    markets, puppet_venues, chain, clock, accounts, alice, bob, court, treasury
):
    oracles, bond = markets.oracles, markets.params.provider_bond
    people = [accounts[i] for i in range(10, 14)]
    puppet_venues.setDeployer(VENUE, alice, sender=alice)
    for number, account in enumerate(people, 1):
        oracles.register(account, bytes(32), "", sender=account, value=bond)
        if number == 1:
            oracles.openFeed(VENUE, 8, bytes(32), sender=alice)
        oracles.offer(number, 1, sender=account)
    clock.pass_time(10)
    oracles.select(1, ([1, 2, 3, 4], 3, 1_000, 1_000, 5_000), sender=alice)
    snapshots = [chain.snapshot()]

    class Providers(RuleBasedStateMachine):
        @initialize()
        def start(self):
            chain.restore(snapshots.pop())
            snapshots.append(chain.snapshot())
            self.keys = {n: [(0, people[n - 1].address)] for n in range(1, 5)}
            self.left = {}  # provider: (time, block) of its exit
            self.locked = {}  # provider: (time, block) of the last evidence
            self.bonds = dict.fromkeys(range(1, 5), bond)
            self.retracted = set()
            self.effective = clock.time
            self.selected = self.selected_before = [1, 2, 3, 4]
            self.owed = self.forced = self.fresh = 0

        # --- time

        @rule(seconds=st.sampled_from([60, DAY // 3, DAY, KEY, 5 * DAY]))
        def wait(self, seconds):
            clock.pass_both(seconds, 3)

        # --- providers

        @rule(n=st.integers(1, 4), is_thief=st.sampled_from([False] * 5 + [True]))
        def rotate(self, n, is_thief):
            time = self.next_second()
            self.fresh += 1
            signer = f"0x{self.fresh:040x}"
            may = not is_thief and n not in self.left and self.keys[n][-1][0] <= time
            who = bob if is_thief else people[n - 1]
            if self.send(who, ("rotate", n, signer), 0, may):
                self.keys[n].append((time + KEY, signer))

        @rule(n=st.integers(1, 4), is_thief=st.sampled_from([False] * 5 + [True]))
        def leave(self, n, is_thief):
            time = self.next_second()
            may = not is_thief and n not in self.left
            if not self.send(bob if is_thief else people[n - 1], ("exit", n), 0, may):
                return
            self.left[n] = (clock.time, clock.block)
            last = self.keys[n][-1][0]
            if last >= time + NOTICE:
                self.keys[n].pop()
            self.keys[n].append((max(last, time + NOTICE), NOBODY))

        @precondition(lambda self: self.left)
        @rule(data=st.data(), is_patient=st.booleans())
        def take_bond(self, data, is_patient):
            n = data.draw(st.sampled_from(sorted(self.left)))
            if is_patient:
                clock.pass_both(21 * DAY, 40)
            time = self.next_second()
            block = clock.block + 1
            waits = [(self.left[n], 40)] + ([(self.locked[n], 30)] if n in self.locked else [])
            may = self.bonds[n] > 0 and all(
                time >= since[0] + 21 * DAY and block >= since[1] + blocks
                for since, blocks in waits
            )
            if self.send(people[n - 1], ("withdrawBond", n), 0, may):
                self.bonds[n] = 0

        @rule(n=st.integers(1, 4))
        def change_offer(self, n):
            self.next_second()
            if n in self.retracted:
                if self.send(people[n - 1], ("offer", n, 1), 0, n not in self.left):
                    self.retracted.remove(n)
            elif self.send(people[n - 1], ("retract", n, 1), 0, True):
                self.retracted.add(n)

        # --- the court

        @rule(n=st.integers(1, 4), amount=st.sampled_from([0, 1, bond // 2, bond]))
        def slash(self, n, amount):
            self.next_second()
            if self.send(court, ("slash", n, amount), 0, 0 < amount <= self.bonds[n]):
                self.bonds[n] -= amount
                self.owed += amount

        @rule(n=st.integers(1, 4), amount=st.sampled_from([1, bond // 2]))
        def fill_up(self, n, amount):
            self.next_second()
            may = n not in self.left and amount <= bond - self.bonds[n]
            if self.send(bob, ("topUp", n), amount, may):
                self.bonds[n] += amount

        @precondition(lambda self: self.owed)
        @rule()
        def collect(self):
            before = treasury.balance
            assert self.send(bob, ("collect",), 0, True)
            assert treasury.balance == before + self.owed
            self.owed = 0

        @rule(amount=st.integers(1, 10**20))
        def force(self, amount):
            clock.force_coin(oracles, amount)
            self.forced += amount

        # --- feeds

        @rule(
            chosen=st.sets(st.integers(1, 4), min_size=1),
            heartbeat=st.integers(999, 1_020),
            is_thief=st.sampled_from([False] * 5 + [True]),
        )
        def select(self, chosen, heartbeat, is_thief):
            time = self.next_second()
            ids = sorted(chosen)
            may = (
                not is_thief
                and time >= self.effective
                and heartbeat >= 1_000
                and all(
                    self.bonds[n] == bond and n not in self.left and n not in self.retracted
                    for n in ids
                )
            )
            choice = (ids, len(ids) // 2 + 1, heartbeat, 1_000, 5_000)
            if self.send(bob if is_thief else alice, ("select", 1, choice), 0, may):
                self.selected_before = self.selected
                self.selected, self.effective = ids, time + NOTICE

        @rule(times=st.integers(1, 3))
        def announce(self, times):
            """Whatever there is to tell; each is told once."""
            data = oracles.announce.encode_input(1)
            for _ in range(times):
                if not attempt(oracles, data, bob)[0]:
                    return
                count = markets.inbox.count()
                bob.transfer(oracles, 0, data=data, gas_limit=2_000_000)
                assert markets.inbox.count() == count + 1

        # --- the model

        def next_second(self):
            clock.set_next(clock.time + 1)
            return clock.time + 1

        def send(self, who, call, value, may):
            name, *arguments = call
            data = getattr(oracles, name).encode_input(*arguments)
            if may:
                who.transfer(oracles, value, data=data, gas_limit=2_000_000)
                return True
            clock.pass_time(1)
            assert attempt(oracles, data, who, value=value)[0] is False
            return False

        def key_at(self, n, time):
            return [signer for since, signer in self.keys[n] if since <= time][-1].lower()

        def zone_view(self):
            """What a zone that read every message takes now: signer by provider."""
            logs = markets.inbox.Message.range(0, clock.block + 1)
            newest = max(logs, key=lambda entry: entry.index)
            body = unpack(ORACLE_SET_BODY, bytes(newest.payload))
            places = {
                body[f"provider{i}"]: "0x" + body[f"signer{i}"].hex()
                for i in range(MAX_PROVIDERS)
                if body[f"provider{i}"]
            }
            # What the zone would refuse: it would go on with the keys that it had.
            assert len(set(places.values())) == len(places)
            assert NOBODY not in places.values()
            assert len(places) // 2 < body["quorum"] <= len(places)
            return places

        def mute(self, n):
            seed = bytes(12) + bytes.fromhex(oracles.address[2:]) + n.to_bytes(32, "big")
            return "0x" + keccak(seed)[12:].hex()

        @invariant()
        def the_zone_takes_the_keys_that_are_valid(self):
            if not hasattr(self, "owed"):
                return
            is_done, answer = attempt(oracles, oracles.announce.encode_input(1), bob)
            if is_done:
                return
            assert answer[:4] == NOTHING_NEW
            now = clock.time
            chosen = self.selected if now >= self.effective else self.selected_before
            expected = {n: self.key_at(n, now) for n in chosen}
            silent = {n: self.mute(n) for n, key in expected.items() if key == NOBODY}
            assert self.zone_view() == expected | silent

        @invariant()
        def keys_are_those_of_the_model(self):
            if not hasattr(self, "owed"):
                return
            for n in self.keys:
                for time in (clock.time, clock.time + DAY, clock.time + 3 * DAY):
                    assert oracles.keyAt(n, time).lower() == self.key_at(n, time)

        @invariant()
        def bonds_are_conserved(self):
            if not hasattr(self, "owed"):
                return
            assert [oracles.providerOf(n).bond for n in self.bonds] == list(self.bonds.values())
            assert oracles.collectable() == self.owed
            assert oracles.balance == sum(self.bonds.values()) + self.owed + self.forced

    run_state_machine_as_test(
        Providers, settings=settings(max_examples=tries(10), stateful_step_count=30)
    )
