"""Treasury and release registry: what the ordinary and core classes dispose of."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts._deployment import NOBODY
from tests.contracts.driver import DAY, OKB, isolated, reverts, tries
from tests.contracts.governed import impersonate
from tradezone.protocol.hashing import keccak

MANIFEST = keccak(b"a manifest")
MONTH = 30 * DAY


@pytest.fixture
def treasury(governed, alice):
    """A treasury with 100 OKB."""
    alice.transfer(governed.treasury, 100 * OKB)
    return governed.treasury


@pytest.fixture
def spender(governed, chain):
    return impersonate(chain, governed.ordinary_timelock)


@pytest.fixture
def stream(treasury, spender, bob):
    return treasury.openStream(NOBODY, bob, 30 * OKB, 0, MONTH, sender=spender).return_value


def test_a_stream_vests_evenly_and_is_collected_for_its_recipient(
    treasury, stream, bob, carol, clock
):
    start = treasury.streamOf(stream).start
    assert (treasury.reserved(NOBODY), treasury.unreserved(NOBODY)) == (30 * OKB, 70 * OKB)
    clock.pass_time(10 * DAY)
    before = bob.balance
    receipt = treasury.collect(stream, sender=carol)
    expected = 30 * OKB * (receipt.timestamp - start) // MONTH
    assert bob.balance == before + expected == before + receipt.return_value
    event = treasury.Paid.from_receipt(receipt)[0]
    assert (event.recipient, event.amount, event.paid) == (bob, expected, expected)
    clock.pass_time(MONTH)
    treasury.collect(stream, sender=carol)
    assert bob.balance == before + 30 * OKB
    assert (treasury.reserved(NOBODY), treasury.balance) == (0, 70 * OKB)
    with reverts(treasury.NothingToCollect, stream=stream):
        treasury.collect(stream, sender=carol)


def test_streams_never_promise_more_than_is_there(treasury, stream, spender, bob, alice):
    with reverts(treasury.InsufficientFunds, token=NOBODY, asked=70 * OKB + 1, unreserved=70 * OKB):
        treasury.openStream(NOBODY, bob, 70 * OKB + 1, 0, MONTH, sender=spender)
    treasury.openStream(NOBODY, bob, 70 * OKB, 0, MONTH, sender=spender)
    assert treasury.unreserved(NOBODY) == 0
    receipt = alice.transfer(treasury, 5)
    assert treasury.Received.from_receipt(receipt)[0].amount == 5
    assert treasury.unreserved(NOBODY) == 5


def test_a_closed_stream_leaves_what_has_vested(treasury, stream, spender, bob, clock):
    clock.pass_time(10 * DAY)
    receipt = treasury.closeStream(stream, sender=spender)
    vested = treasury.StreamClosed.from_receipt(receipt)[0].amount
    assert treasury.reserved(NOBODY) == vested
    clock.pass_time(MONTH)
    before = bob.balance
    treasury.collect(stream, sender=spender)
    assert bob.balance == before + vested
    with reverts(treasury.StreamOver, stream=stream):
        treasury.closeStream(stream, sender=spender)


def test_a_stream_that_has_not_begun_is_closed_to_nothing(treasury, spender, bob, clock):
    start = clock.time + 10 * DAY
    receipt = treasury.openStream(NOBODY, bob, OKB, start, MONTH, sender=spender)
    stream = receipt.return_value
    treasury.closeStream(stream, sender=spender)
    assert treasury.reserved(NOBODY) == treasury.collectable(stream) == 0
    clock.pass_time(100 * DAY)
    with reverts(treasury.NothingToCollect, stream=stream):
        treasury.collect(stream, sender=spender)


def test_senseless_streams_are_refused(treasury, spender, bob, clock):
    def open_stream(recipient=bob, amount=OKB, start=0, duration=MONTH):
        return treasury.openStream(NOBODY, recipient, amount, start, duration, sender=spender)

    with reverts(treasury.ZeroAddress):
        open_stream(recipient=NOBODY)
    with reverts(treasury.ZeroAmount):
        open_stream(amount=0)
    with reverts(treasury.DurationTooShort, duration=MONTH - 1, least=MONTH):
        open_stream(duration=MONTH - 1)
    with reverts(treasury.BadStart):
        open_stream(start=clock.time - 100)
    with reverts(treasury.BadStart):
        open_stream(start=clock.time + 366 * DAY)
    for unknown in (0, 1):
        with reverts(treasury.UnknownStream, stream=unknown):
            treasury.streamOf(unknown)


def test_only_the_ordinary_class_disposes(treasury, governed, alice, bob):
    for sender in (alice, governed.deployer):
        with reverts(treasury.AccessManagedUnauthorized, caller=sender.address):
            treasury.openStream(NOBODY, bob, 1, 0, MONTH, sender=sender)
        with reverts(treasury.AccessManagedUnauthorized, caller=sender.address):
            treasury.closeStream(1, sender=sender)


def test_tokens_are_streamed_too(treasury, spender, bob, alice, project, clock):
    token = alice.deploy(project.TestToken, "T", "T", 6)
    token.mint(treasury, 1000, sender=alice)
    stream = treasury.openStream(token, bob, 600, 0, MONTH, sender=spender).return_value
    clock.pass_time(MONTH)
    treasury.collect(stream, sender=alice)
    assert token.balanceOf(bob) == 600
    assert treasury.unreserved(token) == 400
    assert treasury.balance == 100 * OKB


def test_a_recipient_that_refuses_or_calls_back_takes_nothing_more(
    treasury, spender, alice, project, clock
):
    wallet = alice.deploy(project.HostileRecipient)
    stream = treasury.openStream(NOBODY, wallet, OKB, 0, MONTH, sender=spender).return_value
    clock.pass_time(MONTH)
    wallet.refuse(sender=alice)
    with reverts(treasury.TransferFailed, to=wallet.address, amount=OKB):
        treasury.collect(stream, sender=alice)
    wallet.call_back(treasury, treasury.collect.encode_input(stream), sender=alice)
    treasury.collect(stream, sender=alice)
    assert not wallet.is_success()
    assert wallet.balance == OKB


@pytest.mark.hypothesis
def test_what_is_paid_and_promised_is_never_more_than_there_was(
    treasury, spender, bob, chain, clock
):
    @settings(max_examples=tries(6))
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["open", "collect", "close", "wait"]),
                st.integers(1, 60),
                st.integers(0, 3),
            ),
            max_size=8,
        )
    )
    def check(steps):
        with isolated(chain):
            before, count = bob.balance, 0
            for name, number, which in steps:
                if name == "open" and number * OKB <= treasury.unreserved(NOBODY):
                    treasury.openStream(NOBODY, bob, number * OKB, 0, MONTH + which, sender=spender)
                    count += 1
                elif name == "wait":
                    clock.pass_time(number * DAY)
                elif count and name == "collect":
                    stream = which % count + 1
                    if treasury.collectable(stream):
                        treasury.collect(stream, sender=spender)
                elif count and name == "close":
                    stream = which % count + 1
                    if clock.time + 5 < treasury.streamOf(stream).end:
                        treasury.closeStream(stream, sender=spender)
                owed = sum(
                    treasury.streamOf(i).amount - treasury.streamOf(i).paid
                    for i in range(1, count + 1)
                )
                assert treasury.reserved(NOBODY) == owed <= treasury.balance
                assert treasury.balance + bob.balance - before == 100 * OKB

    check()


# --- releases


@pytest.fixture
def releases(governed):
    return governed.releases


@pytest.fixture
def endorser(governed, chain):
    return impersonate(chain, governed.core_timelock)


def test_a_deployment_is_endorsed_and_retired(governed, releases, endorser):
    chain = governed.chain
    receipt = releases.endorse(chain, MANIFEST, sender=endorser)
    assert releases.Endorsed.from_receipt(receipt)[0].manifest == MANIFEST
    assert releases.isEndorsed(chain)
    assert releases.deployments() == [chain.address]
    with reverts(releases.AlreadyEndorsed, deployment=chain.address):
        releases.endorse(chain, MANIFEST, sender=endorser)
    releases.retire(chain, MANIFEST, sender=endorser)
    assert not releases.isEndorsed(chain)
    assert releases.releaseOf(chain).retiredAt != 0
    with reverts(releases.NotEndorsed, deployment=chain.address):
        releases.retire(chain, MANIFEST, sender=endorser)


def test_an_endorsement_is_for_the_code_that_was_there(governed, releases, endorser, chain):
    target = governed.treasury
    releases.endorse(target, MANIFEST, sender=endorser)
    chain.provider.make_request("anvil_setCode", [target.address, "0x00"])
    assert not releases.isEndorsed(target)


def test_nobody_is_no_deployment(releases, endorser, alice):
    with reverts(releases.NoCode, deployment=alice.address):
        releases.endorse(alice, MANIFEST, sender=endorser)


def test_only_the_core_class_endorses(releases, governed, alice):
    for sender in (alice, governed.deployer):
        for call in (
            lambda s: releases.endorse(governed.chain, MANIFEST, sender=s),
            lambda s: releases.retire(governed.chain, MANIFEST, sender=s),
        ):
            with reverts(releases.AccessManagedUnauthorized, caller=sender.address):
                call(sender)
