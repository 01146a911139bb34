"""Protocol limits: ranges nobody moves, steps, cooling, and history."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contracts.driver import DAY, attempt, isolated, reverts, tries
from tests.contracts.governed import impersonate

SPEC = Path(__file__).parents[2] / "docs" / "spec" / "governance.md"


@pytest.fixture
def limits(governed):
    return governed.limits


@pytest.fixture
def setter(governed, chain):
    """The parameter timelock as a sender."""
    return impersonate(chain, governed.parameter_timelock)


def numbers(text):
    """A number of the table: `2^62 - 1`, `10^6` or `50,000`."""
    text = text.strip().replace(",", "")
    power = re.fullmatch(r"(\d+)\^(\d+)( - 1)?", text)
    if power:
        return int(power[1]) ** int(power[2]) - (1 if power[3] else 0)
    return int(text)


def test_the_table_of_the_specification_is_the_code(limits):
    rows = re.findall(r"^\| (\d+) \| ([A-Z_]+) \| ([^|]+)\|(.+)\|$", SPEC.read_text(), re.MULTILINE)
    assert [int(row[0]) for row in rows] == list(range(1, limits.count() + 1))
    source = (SPEC.parents[2] / "contracts" / "libraries" / "LimitRanges.sol").read_text()
    for number, name, _, cells in rows:
        low, first, high, step = cells.split("|")
        found = limits.rangeOf(int(number))
        assert (found.min, found.first, found.max) == tuple(map(numbers, (low, first, high))), name
        assert found.step == int(step.strip().removesuffix(" %")) * 10_000, name
        assert f"constant {name} = LimitId.wrap({number});" in source


def test_limits_begin_at_their_first_values(limits, clock):
    ranges = [limits.rangeOf(i) for i in range(1, limits.count() + 1)]
    assert limits.values() == [r.first for r in ranges]
    assert all(r.min <= r.first <= r.max for r in ranges)
    assert limits.valueAt(22, clock.time) == 7 * DAY
    assert limits.changedAt(22) == 0


@pytest.mark.parametrize("unknown", [0, 23, 255])
def test_unknown_limits_are_refused(limits, setter, unknown):
    for call in (
        lambda: limits.valueOf(unknown),
        lambda: limits.valueAt(unknown, 1),
        lambda: limits.rangeOf(unknown),
        lambda: limits.set(unknown, 1, sender=setter),
    ):
        with reverts(limits.UnknownLimit, id=unknown):
            call()


def test_only_the_parameter_timelock_sets(limits, alice, deployer):
    for account in (alice, deployer):
        with reverts(limits.AccessManagedUnauthorized, caller=account.address):
            limits.set(1, 25, sender=account)


def test_a_change_says_before_and_after_and_can_be_looked_up(limits, setter, clock):
    before = clock.time
    clock.pass_time(5)
    receipt = limits.set(1, 25, sender=setter)
    event = limits.LimitChanged.from_receipt(receipt)[0]
    assert (event.id, event.before, event.value) == (1, 20, 25)
    assert limits.valueOf(1) == 25
    assert limits.valueAt(1, before) == 20
    assert limits.valueAt(1, receipt.timestamp) == 25
    assert limits.changedAt(1) == receipt.timestamp


def test_no_step_is_larger_than_its_share(limits, setter):
    assert tuple(limits.reachOf(1)) == (10, 30)
    with reverts(limits.StepTooLarge, id=1, value=31, lowest=10, highest=30):
        limits.set(1, 31, sender=setter)
    with reverts(limits.StepTooLarge, id=1, value=9, lowest=10, highest=30):
        limits.set(1, 9, sender=setter)
    with reverts(limits.Unchanged, id=1, value=20):
        limits.set(1, 20, sender=setter)


def test_no_value_leaves_its_range(limits, setter):
    with reverts(limits.OutOfRange, id=1, value=101, min=1, max=100):
        limits.set(1, 101, sender=setter)
    with reverts(limits.OutOfRange, id=1, value=0, min=1, max=100):
        limits.set(1, 0, sender=setter)
    with reverts(limits.OutOfRange, id=22, value=DAY - 1, min=DAY, max=14 * DAY):
        limits.set(22, DAY - 1, sender=setter)


def test_a_limit_changes_once_in_three_days(limits, setter, clock):
    receipt = limits.set(1, 30, sender=setter)
    with reverts(limits.Cooling, id=1, until=receipt.timestamp + 3 * DAY):
        limits.set(1, 45, sender=setter)
    limits.set(2, 40_000, sender=setter)  # another one is not held up
    clock.pass_time(3 * DAY)
    limits.set(1, 45, sender=setter)


def test_a_value_of_zero_can_be_left_again(limits, setter, clock):
    """A step of a share of nothing would be no step."""
    value = 10_000
    while value:
        value = limits.reachOf(4)[0]
        limits.set(4, value, sender=setter)
        clock.pass_time(3 * DAY)
    limits.set(4, 1, sender=setter)
    assert limits.valueOf(4) == 1


@pytest.mark.hypothesis
def test_whatever_is_set_was_within_reach(limits, setter, chain, clock):
    @settings(max_examples=tries(6))
    @given(st.integers(1, 22), st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6))
    def check(number, wishes):
        with isolated(chain):
            for wish in wishes:
                before, found = limits.valueOf(number), limits.rangeOf(number)
                low, high = limits.reachOf(number)
                value = low + wish % (high - low + 1) if wish % 3 else wish
                call = limits.set.encode_input(number, value)
                is_done, _ = attempt(limits, call, setter)
                assert is_done == (low <= value <= high and value != before)
                if is_done:
                    limits.set(number, value, sender=setter)
                    assert found.min <= limits.valueOf(number) <= found.max
                    assert abs(value - before) <= max(before * found.step // 10**6, 1)
                    clock.pass_time(3 * DAY)

    check()


def test_a_relay_is_told_of_every_change(deployer, project, governed, chain):
    relay = deployer.deploy(project.PuppetRelay)
    limits = deployer.deploy(project.ProtocolLimits, governed.authority, relay)
    assert limits.relay() == relay.address
    admin = impersonate(chain, governed.constitutional_timelock)
    limits.set(1, 25, sender=admin)  # what is given to no role is the admin's
    assert tuple(relay.lastLimit()) == (1, 20, 25)
