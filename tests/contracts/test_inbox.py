"""The queue: who may enqueue what, the bytes, the prefix chain, times, closing."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.driver import reverts, tries
from tradezone.protocol import messages
from tradezone.protocol.limits import MAX_INBOX_PAYLOAD

HEARTBEAT = messages.HEARTBEAT


def read_messages(inbox, head):
    return [
        messages.Message(
            index=log.index,
            kind=log.kind,
            sender=bytes.fromhex(log.sender[2:]),
            time=log.time,
            block=log.blockNumber,
            payload=bytes(log.payload),
        )
        for log in inbox.Message.range(0, head + 1)
    ]


def prefixes(found):
    chain = [bytes(32)]
    for message in found:
        chain.append(messages.next_prefix(chain[-1], message.to_bytes()))
    return chain


def test_prefix_chain_of_a_working_zone_is_the_one_python_computes(zone, token, alice):
    zone.vault.depositNative(alice, sender=alice, value=10**18)
    zone.commit()
    found = zone.messages()
    assert [message.index for message in found] == list(range(zone.inbox.count()))
    assert [bytes(zone.inbox.prefixHash(i)) for i in range(len(found) + 1)] == prefixes(found)
    assert all(messages.is_well_formed(message.kind, message.payload) for message in found)


@settings(max_examples=tries(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payload=st.binary(max_size=MAX_INBOX_PAYLOAD))
def test_any_payload_is_chained_as_python_chains_it(core, payload):
    index = core.inbox.count()
    before = bytes(core.inbox.prefixHash(index))
    receipt = core.inbox.enqueue(HEARTBEAT, payload, sender=core.chain_account)
    message = messages.Message(
        index=index,
        kind=HEARTBEAT,
        sender=bytes.fromhex(core.chain_account.address[2:]),
        time=receipt.timestamp,
        block=receipt.block_number,
        payload=payload,
    )
    assert bytes(core.inbox.prefixHash(index + 1)) == messages.next_prefix(
        before, message.to_bytes()
    )


def test_index_is_returned_and_counts_up(core):
    count = core.inbox.count()
    receipts = [core.inbox.enqueue(HEARTBEAT, b"", sender=core.chain_account) for _ in range(3)]
    assert [receipt.return_value for receipt in receipts] == [count, count + 1, count + 2]
    assert core.inbox.count() == count + 3


def test_time_and_block_are_kept_per_message(core, clock):
    receipts = []
    for _ in range(5):
        receipts.append(core.inbox.enqueue(HEARTBEAT, b"", sender=core.chain_account))
        clock.pass_time(100)
    for receipt in receipts:
        index = receipt.return_value
        assert core.inbox.timeOf(index) == receipt.timestamp
        assert core.inbox.blockOf(index) == receipt.block_number


def test_age_is_the_time_a_message_waits_and_zero_if_none_does(core, clock):
    assert core.inbox.ageOf(core.inbox.count()) == 0
    index = core.inbox.enqueue(HEARTBEAT, b"", sender=core.chain_account).return_value
    clock.pass_time(777)
    assert core.inbox.ageOf(index) == 777
    assert core.inbox.ageOf(index + 1) == 0


def test_unknown_indices_are_refused(core):
    count = core.inbox.count()
    for view in (core.inbox.timeOf, core.inbox.blockOf):
        with reverts(core.inbox.IndexOutOfRange, index=count, count=count):
            view(count)
    for view in (core.inbox.ageOf, core.inbox.prefixHash):
        with reverts(core.inbox.IndexOutOfRange, index=count + 1, count=count):
            view(count + 1)


def test_prefix_of_nothing_is_zero(core):
    assert bytes(core.inbox.prefixHash(0)) == bytes(32)


@pytest.mark.parametrize("kind", [0, 1, 2, 4, 5, 6, 16, 254])
def test_a_source_enqueues_its_own_kinds_only(core, kind):
    with reverts(core.inbox.KindNotAllowed, sender=core.chain_account.address, kind=kind):
        core.inbox.enqueue(kind, b"", sender=core.chain_account)


def test_the_highest_kind_has_its_bit(core):
    core.inbox.enqueue(255, b"", sender=core.chain_account)


def test_a_stranger_enqueues_nothing(core):
    with reverts(core.inbox.KindNotAllowed, sender=core.stranger.address, kind=HEARTBEAT):
        core.inbox.enqueue(HEARTBEAT, b"", sender=core.stranger)


def test_payload_is_at_most_512_bytes(core):
    core.inbox.enqueue(HEARTBEAT, bytes(512), sender=core.chain_account)
    with reverts(core.inbox.PayloadTooLong, length=513, limit=512):
        core.inbox.enqueue(HEARTBEAT, bytes(513), sender=core.chain_account)


def test_only_the_chain_closes_the_queue(core):
    for account in (core.stranger, core.withdrawals):
        with reverts(core.inbox.NotChain, caller=account.address, chain=core.chain_account.address):
            core.inbox.close(sender=account)


def test_a_closed_queue_takes_nothing_more(core, alice):
    receipt = core.inbox.close(sender=core.chain_account)
    assert receipt.events == [core.inbox.Closed(count=core.inbox.count())]
    assert core.inbox.isClosed()
    with reverts(core.inbox.InboxClosed):
        core.inbox.enqueue(HEARTBEAT, b"", sender=core.chain_account)
    with reverts(core.inbox.InboxClosed):
        core.vault.depositNative(alice, sender=alice, value=10**18)
    assert core.vault.outstanding(1) == 0


def test_constructor_refuses_bad_sources(deployer, project, core, alice, bob):
    zero = "0x" + "00" * 20
    deploy, error = deployer.deploy, core.inbox
    with reverts(error.LengthMismatch, sources=2, kinds=1):
        deploy(project.Inbox, alice, [alice, bob], [2])
    with reverts(error.BadSource, source=zero, kinds=2):
        deploy(project.Inbox, alice, [zero], [2])
    with reverts(error.BadSource, source=zero, kinds=0):
        deploy(project.Inbox, zero, [alice], [2])
    with reverts(error.BadSource, source=alice.address, kinds=0):
        deploy(project.Inbox, alice, [alice], [0])
    with reverts(error.BadSource, source=alice.address, kinds=4):
        deploy(project.Inbox, alice, [alice, alice], [2, 4])


def test_sources_and_their_kinds_are_public(zone):
    expected = {
        zone.owner_registry.address: [messages.REGISTER_OWNER],
        zone.asset_registry.address: [messages.REGISTER_ASSET, messages.SET_ASSET],
        zone.vault.address: [messages.DEPOSIT, messages.SLASH],
        zone.chain.address: [messages.HEARTBEAT],
        zone.venue_registry.address: [messages.CREATE_VENUE, messages.UPDATE_VENUE],
        zone.market_registry.address: [messages.UPDATE_MARKET],
        zone.listings.address: [
            messages.LIST_MARKET,
            messages.LIST_EVENT,
            messages.LIST_OUTCOME,
            messages.LIST_GUEST,
            messages.RESOLUTION,
        ],
        zone.calendars.address: [messages.SET_CALENDAR],
        zone.forced.address: range(messages.FORCED_WITHDRAW, messages.FORCED_REDIRECT + 1),
    }
    expected = {source: sum(1 << kind for kind in kinds) for source, kinds in expected.items()}
    assert {source: zone.inbox.kindsOf(source) for source in zone.inbox.sources()} == expected
    assert zone.inbox.kindsOf(zone.deployer) == 0
