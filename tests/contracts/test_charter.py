"""Closed lists: what each class may call, whom nobody reaches."""

import pytest

from scripts._governance import CLASSES, POWERS, selector_of
from tests.contracts.driver import reverts
from tests.contracts.governed import impersonate, list_entry
from tests.contracts.test_deployment import CUSTODY
from tradezone.protocol.hashing import keccak

NUMBERS = list(CLASSES.values())


@pytest.fixture
def charter(governed):
    return governed.charter


@pytest.fixture
def constitution(governed, chain):
    """The constitutional timelock as a sender."""
    return impersonate(chain, governed.constitutional_timelock)


@pytest.mark.parametrize("kind", CLASSES)
def test_the_lists_are_those_of_the_specification(governed, charter, kind):
    found = {(entry.target, bytes(entry.selector)) for entry in charter.listOf(CLASSES[kind])}
    assert found == {
        list_entry(getattr(governed, contract), name)
        for contract, functions in POWERS[kind].items()
        for name in functions
    }
    for target, selector in found:
        for other in CLASSES.values():
            assert charter.isAllowed(other, target, selector) == (other == CLASSES[kind])


@pytest.mark.parametrize("name", CUSTODY)
def test_no_class_is_ever_given_a_contract_of_custody(governed, charter, constitution, name):
    target = getattr(governed, name)
    assert charter.isUntouchable(target)
    for number in NUMBERS:
        with reverts(charter.Untouchable, target=target.address):
            charter.allow(number, target, b"\x01\x02\x03\x04", sender=constitution)


def test_no_class_is_ever_given_a_governor_or_timelock(governed, charter, constitution):
    for kind in CLASSES:
        for target in (governed.governance.governor(kind), governed.governance.timelock(kind)):
            with reverts(charter.Untouchable, target=target.address):
                charter.allow(4, target, b"\x01\x02\x03\x04", sender=constitution)


def test_only_the_constitutional_class_is_given_roles_and_lists(governed, charter, constitution):
    selector = selector_of(governed.authority, "setRoleAdmin")
    for target in (governed.authority, charter):
        for number in NUMBERS[:3]:
            with reverts(charter.ConstitutionalOnly, target=target.address, classId=number):
                charter.allow(number, target, selector, sender=constitution)
    charter.allow(4, governed.authority, selector, sender=constitution)
    assert charter.isAllowed(4, governed.authority, selector)


def test_a_list_changes_by_the_constitutional_class_only(governed, charter, constitution, alice):
    entry = (1, governed.treasury, b"\x01\x02\x03\x04")
    for sender in (alice, governed.deployer):
        for name in ("allow", "forbid"):
            with reverts(charter.AccessManagedUnauthorized, caller=sender.address):
                getattr(charter, name)(*entry, sender=sender)
    receipt = charter.allow(*entry, sender=constitution)
    event = charter.Allowed.from_receipt(receipt)[0]
    assert (event.classId, event.target) == (1, governed.treasury)
    with reverts(charter.AlreadyAllowed):
        charter.allow(*entry, sender=constitution)
    receipt = charter.forbid(*entry, sender=constitution)
    assert charter.Forbidden.from_receipt(receipt)[0].classId == 1
    with reverts(charter.NotAllowed):
        charter.forbid(*entry, sender=constitution)


@pytest.mark.parametrize("number", [0, 5, 255])
def test_there_are_four_classes(governed, charter, constitution, number):
    with reverts(charter.UnknownClass, classId=number):
        charter.allow(number, governed.treasury, b"\x01\x02\x03\x04", sender=constitution)


def test_a_target_has_code(charter, constitution, alice):
    selector = keccak(b"x()")[:4]
    charter.allow(2, alice, selector, sender=constitution)
    with reverts(charter.NoCode, target=alice.address):
        charter.admit(2, [alice], [0], [selector])


def test_the_pin_follows_the_code_of_the_targets(governed, charter):
    call = bytes(governed.limits.set.encode_input(1, 25))
    one = charter.admit(1, [governed.limits], [0], [call])
    two = charter.admit(1, [governed.limits] * 2, [0] * 2, [call] * 2)
    assert one != two
    assert one == charter.admit(1, [governed.limits], [0], [call[:4]])
