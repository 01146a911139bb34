"""Batch headers: continuity, the inbox, time, the lag rule, who commits."""

from dataclasses import astuple, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.driver import OKB, reverts, root_named, tries
from tradezone.protocol import messages
from tradezone.protocol.actions import domain_separator
from tradezone.protocol.batches import GENESIS_PARENT, Header, claim_id
from tradezone.protocol.limits import MAX_BATCH_LEAVES

HOUR = 3600
U64 = st.integers(0, 2**64 - 1)
BYTES32 = st.binary(min_size=32, max_size=32)


@pytest.fixture
def refused(zone):
    """Expect that a header with these changes is refused with an error and its values."""

    def check(error, changes, **values):
        header = zone.header(**changes)
        with reverts(getattr(zone.chain, error), **values):
            zone.chain.commit(astuple(header), sender=zone.sequencer)

    return check


# --- what Python computes


@settings(max_examples=tries(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    numbers=st.lists(U64, min_size=9, max_size=9), hashes=st.lists(BYTES32, min_size=3, max_size=3)
)
def test_header_hash_is_the_one_python_computes(zone, numbers, hashes):
    a, b, c, d, e, f, g, h, i = numbers
    header = Header(a, b, hashes[0], hashes[1], c, d, e, hashes[2], f, g, h, i)
    assert bytes(zone.chain.hashHeader(astuple(header))) == header.hash()


def test_domain_separator_is_the_one_python_computes(zone, chain):
    expected = domain_separator(chain.chain_id, bytes.fromhex(zone.chain.address[2:]))
    assert bytes(zone.chain.domainSeparator()) == expected


def test_genesis_claim_is_the_one_python_computes(zone, params):
    expected = claim_id(bytes(32), 0, GENESIS_PARENT, params.genesis_root)
    assert zone.genesis == expected == bytes(zone.chain.latestFinal())
    assert zone.chain.isFinal(expected)
    assert bytes(zone.chain.finalRootOf(expected)) == params.genesis_root


# --- committing


def test_the_first_header_starts_all_counts(zone):
    header = zone.header()
    assert (header.number, header.parent) == (1, GENESIS_PARENT)
    assert (header.first_seq, header.first_block) == (1, 1)
    receipt = zone.chain.commit(astuple(header), sender=zone.sequencer)
    tip = zone.chain.tip()
    assert bytes(tip.hash) == bytes(zone.chain.headerHashOf(1)) == header.hash()
    assert (tip.number, tip.nextSeq, tip.nextBlock) == (1, 11, 4)
    assert (tip.inboxIndex, tip.endTime) == (header.inbox_index, header.end_time)
    event = zone.chain.BatchCommitted.from_receipt(receipt)[0]
    assert (event.number, bytes(event.headerHash)) == (1, header.hash())


def test_a_chain_of_headers_continues(zone):
    first = zone.commit()
    second = zone.commit(zone.header(count=1, blocks=1))
    third = zone.commit()
    assert (second.parent, third.parent) == (first.hash(), second.hash())
    assert third.first_seq == 12
    assert zone.chain.tip().number == 3


def test_each_commit_leaves_a_heartbeat_in_the_inbox(zone):
    zone.commit()
    zone.commit()
    first, second = zone.messages()[-2:]
    assert [m.kind for m in (first, second)] == [messages.HEARTBEAT] * 2
    assert first.payload == zone.payload(messages.HEARTBEAT, batch=1)
    assert second.payload == zone.payload(messages.HEARTBEAT, batch=2)


def test_leaves_may_travel_as_calldata(zone):
    header = zone.header()
    leaves = bytes(range(256)) * 8
    receipt = zone.chain.commitWithData(astuple(header), leaves, sender=zone.sequencer)
    assert leaves in bytes(receipt.data)
    assert bytes(zone.chain.tip().hash) == header.hash()


def test_only_the_sequencer_commits(zone, alice, deployer):
    for stranger in (alice, deployer):
        for function, arguments in (
            (zone.chain.commit, (astuple(zone.header()),)),
            (zone.chain.commitWithData, (astuple(zone.header()), b"")),
            (zone.chain.commitMany, ([astuple(zone.header())],)),
        ):
            with reverts(
                zone.chain.NotSequencer, caller=stranger.address, expected=zone.sequencer.address
            ):
                function(*arguments, sender=stranger)


@pytest.mark.parametrize("epoch", [0, 2, 2**64 - 1])
def test_the_epoch_is_the_current_one(refused, epoch):
    refused("WrongEpoch", {"epoch": epoch}, given=epoch, expected=1)


@pytest.mark.parametrize("number", [0, 1, 3])
def test_numbers_have_no_gap(zone, refused, number):
    zone.commit()
    refused("WrongNumber", {"number": number}, given=number, expected=2)


def test_the_parent_is_the_last_header(zone, refused):
    wrong = root_named("another history")
    refused("WrongParent", {"parent": wrong}, given=wrong, expected=GENESIS_PARENT)
    first = zone.commit()
    refused("WrongParent", {"parent": wrong}, given=wrong, expected=first.hash())


def test_inputs_have_a_root(refused):
    refused("ZeroInputsRoot", {"inputs_root": bytes(32)})


@pytest.mark.parametrize("first_seq", [0, 10, 12])
def test_leaves_are_numbered_without_gap(zone, refused, first_seq):
    zone.commit()
    refused("WrongFirstSeq", {"first_seq": first_seq}, given=first_seq, expected=11)


@pytest.mark.parametrize("count", [0, MAX_BATCH_LEAVES + 1, 2**64 - 1])
def test_a_batch_has_1_to_2_to_the_24_leaves(refused, count):
    refused("CountOutOfRange", {"count": count}, count=count, limit=MAX_BATCH_LEAVES)


def test_the_largest_batch_is_taken(zone):
    zone.commit(zone.header(count=MAX_BATCH_LEAVES))
    assert zone.chain.tip().nextSeq == MAX_BATCH_LEAVES + 1


@pytest.mark.parametrize("first_block", [0, 3, 5])
def test_blocks_are_numbered_without_gap(zone, refused, first_block):
    zone.commit()
    refused("WrongFirstBlock", {"first_block": first_block}, given=first_block, expected=4)


@pytest.mark.parametrize("blocks", [0, 11, 2**64 - 1])
def test_each_block_has_a_leaf(refused, blocks):
    refused("BlocksOutOfRange", {"blocks": blocks}, blocks=blocks, limit=10)


def test_the_inbox_index_never_falls_and_stays_in_the_queue(zone, refused):
    zone.commit()
    last, queued = zone.chain.tip().inboxIndex, zone.inbox.count()
    for index in (0, last - 1, queued + 1, 2**64 - 1):
        refused(
            "InboxIndexOutOfRange",
            {"inbox_index": index},
            given=index,
            lowest=last,
            highest=queued,
        )


def test_the_inbox_hash_is_the_queue_s_own(zone, refused):
    wrong = root_named("another queue")
    expected = bytes(zone.inbox.prefixHash(zone.inbox.count()))
    refused("WrongInboxHash", {"inbox_hash": wrong}, given=wrong, expected=expected)


def test_a_prefix_hash_of_another_index_is_refused(zone, refused):
    count = zone.inbox.count()
    earlier = bytes(zone.inbox.prefixHash(count - 1))
    expected = bytes(zone.inbox.prefixHash(count))
    refused("WrongInboxHash", {"inbox_hash": earlier}, given=earlier, expected=expected)


def test_zone_time_never_runs_backwards(zone, refused):
    end = zone.commit().end_time
    refused("StartsTooEarly", {"start_time": end - 1}, startTime=end - 1, earliest=end)
    refused(
        "EndsBeforeStart", {"start_time": end, "end_time": end - 1}, startTime=end, endTime=end - 1
    )
    zone.commit(zone.header(start_time=end, end_time=end))


def test_zone_time_never_runs_ahead_of_l1(zone, clock):
    now = clock.time + 10
    latest = now * 1000 + 999
    header = zone.header(end_time=latest + 1)
    clock.set_next(now)
    with reverts(zone.chain.EndsInFuture, endTime=latest + 1, latest=latest):
        zone.chain.commit(astuple(header), sender=zone.sequencer)
    header = replace(header, end_time=clock.time * 1000 + 999)
    zone.chain.commit(astuple(header), sender=zone.sequencer)


def test_unknown_batches_have_no_hash(zone):
    zone.commit()
    for number in (0, 2):
        with reverts(zone.chain.UnknownBatch, number=number, last=1):
            zone.chain.headerHashOf(number)


# --- the lag rule


def test_a_message_older_than_the_lag_must_be_consumed(zone, clock, alice):
    zone.commit()  # everything so far is consumed, but for the heartbeat
    zone.commit()
    index = zone.chain.tip().inboxIndex
    born = zone.inbox.timeOf(index)
    lagging = zone.header(inbox_index=index)
    clock.set_next(born + HOUR + 1)
    with reverts(zone.chain.InboxLagging, index=index, age=HOUR + 1, limit=HOUR):
        zone.chain.commit(astuple(lagging), sender=zone.sequencer)
    zone.commit(zone.header(inbox_index=index + 1))


def test_a_message_as_old_as_the_lag_may_wait(zone, clock):
    zone.commit()
    index = zone.chain.tip().inboxIndex
    header = zone.header(inbox_index=index)
    clock.set_next(zone.inbox.timeOf(index) + HOUR)
    zone.chain.commit(astuple(header), sender=zone.sequencer)


def test_the_oldest_unconsumed_message_counts(zone, clock, alice):
    """A censored deposit stops every later batch (A7)."""
    zone.commit(zone.header())
    zone.commit(zone.header())
    censored = zone.inbox.count()
    zone.vault.depositNative(alice, sender=alice, value=OKB)
    clock.pass_time(HOUR - 60)
    zone.commit(zone.header(inbox_index=censored))
    clock.pass_time(61)
    header = zone.header(inbox_index=censored)
    with reverts(zone.chain.InboxLagging):
        zone.chain.commit(astuple(header), sender=zone.sequencer)
    zone.commit()


def test_batches_from_before_an_outage_are_committed_with_one_that_catches_up(zone, clock):
    zone.commit()
    held = zone.header(inbox_index=zone.chain.tip().inboxIndex)
    clock.pass_time(2 * HOUR)
    with reverts(zone.chain.InboxLagging):
        zone.chain.commit(astuple(held), sender=zone.sequencer)

    fresh = replace(
        zone.header(),
        number=held.number + 1,
        parent=held.hash(),
        first_seq=held.first_seq + held.count,
        first_block=held.first_block + held.blocks,
    )
    zone.chain.commitMany([astuple(held), astuple(fresh)], sender=zone.sequencer)
    assert bytes(zone.chain.headerHashOf(held.number)) == held.hash()
    assert bytes(zone.chain.tip().hash) == fresh.hash()


def test_a_list_of_headers_that_does_not_catch_up_is_refused_whole(zone, clock):
    zone.commit()
    index = zone.chain.tip().inboxIndex
    held = zone.header(inbox_index=index)
    clock.pass_time(2 * HOUR)
    again = replace(
        held,
        number=held.number + 1,
        parent=held.hash(),
        first_seq=held.first_seq + held.count,
        first_block=held.first_block + held.blocks,
    )
    with reverts(zone.chain.InboxLagging):
        zone.chain.commitMany([astuple(held), astuple(again)], sender=zone.sequencer)
    assert zone.chain.tip().number == 1


def test_an_empty_list_of_headers_is_refused(zone):
    with reverts(zone.chain.NoHeaders):
        zone.chain.commitMany([], sender=zone.sequencer)


# --- configuration


@pytest.mark.parametrize(
    "parameter",
    [
        "inbox",
        "sequencers",
        "judge",
        "sink",
        "genesisRoot",
        "inboxLag",
        "claimStride",
        "windowSeconds",
        "windowBlocks",
        "judgeSeconds",
        "judgeBlocks",
        "silenceSeconds",
        "silenceBlocks",
        "stallSeconds",
        "stallBlocks",
        "closingSeconds",
        "closingBlocks",
        "bond",
    ],
)
def test_no_parameter_is_zero(zone, deployer, project, parameter):
    config = config_of(zone)
    is_address = isinstance(config[parameter], str)
    config[parameter] = (
        "0x" + "00" * 20 if is_address else bytes(32) if parameter == "genesisRoot" else 0
    )
    with reverts(zone.chain.BadConfig, parameter=parameter):
        deployer.deploy(project.StateChain, config)


@pytest.mark.parametrize("parameter", ["inboxLag", "claimStride", "windowSeconds", "judgeBlocks"])
def test_no_period_overflows_a_clock(zone, deployer, project, parameter):
    config = config_of(zone) | {parameter: 2**32 + 1}
    with reverts(zone.chain.BadConfig, parameter=parameter):
        deployer.deploy(project.StateChain, config)


def config_of(zone) -> dict:
    return {
        "inbox": zone.inbox.address,
        "sequencers": zone.sequencers.address,
        "judge": zone.judge.address,
        "sink": zone.chain.sink(),
        "genesisRoot": zone.params.genesis_root,
        "inboxLag": 1,
        "claimStride": 1,
        "windowSeconds": 1,
        "windowBlocks": 1,
        "judgeSeconds": 1,
        "judgeBlocks": 1,
        "silenceSeconds": 2,
        "silenceBlocks": 1,
        "stallSeconds": 2,
        "stallBlocks": 2,
        "closingSeconds": 3,
        "closingBlocks": 3,
        "bond": 1,
    }


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("silenceSeconds", 1),
        ("stallSeconds", 1),
        ("stallBlocks", 1),
        ("closingSeconds", 2),
        ("closingBlocks", 2),
    ],
)
def test_no_deadline_of_the_freeze_runs_out_on_a_zone_that_keeps_its_own(
    zone, deployer, project, parameter, value
):
    deployer.deploy(project.StateChain, config_of(zone))
    with reverts(zone.chain.BadConfig, parameter=parameter):
        deployer.deploy(project.StateChain, config_of(zone) | {parameter: value})
