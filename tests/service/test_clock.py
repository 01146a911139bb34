"""The zone's clock does not jump when the machine's does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tradezone.service import SteadyClock
from tradezone.service.clock import SLEW_PPM

MS = 1_000_000
START = 1_767_225_600_000


class Machine:
    def __init__(self):
        self.wall, self.monotonic = START * MS, 77 * MS

    def pass_time(self, ms, jump=0):
        self.wall += (ms + jump) * MS
        self.monotonic += ms * MS

    def make_clock(self):
        return SteadyClock(lambda: self.wall, lambda: self.monotonic)


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(-(10**7), 10**7)), max_size=50))
def test_it_passes_as_fast_as_time_whatever_the_machine_is_set_to(steps):
    machine = Machine()
    clock = machine.make_clock()
    last = clock.now()
    for ms, jump in steps:
        machine.pass_time(ms, jump)
        now = clock.now()
        slew = ms * SLEW_PPM // 10**6 + 1
        assert last <= now
        assert abs(now - last - ms) <= slew
        last = now


def test_it_follows_the_machine_in_the_end():
    machine = Machine()
    clock = machine.make_clock()
    machine.pass_time(0, jump=-2_000)
    assert clock.now() == START
    assert clock.ahead_ms == 2_000
    for _ in range(300):
        machine.pass_time(1_000)
        clock.now()
    assert clock.ahead_ms == 0
    assert clock.now() == machine.wall // MS
