"""The reader against a node that leaves things out."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import SEQUENCER
from tradezone.chain import ChainError, ChainReader, IncompleteLogsError, NodeSender, Rpc
from tradezone.chain.abi import INBOX, STATE_CHAIN
from tradezone.verifier import BatchFile


@pytest.fixture
def reader_without(zone):
    """A reader whose node drops the logs of an event, all or the one at a place."""

    def make(contract, event, place=None):
        topic = "0x" + contract.events[event].topic.hex()

        def transport(body):
            raw = zone.rpc._post(body)
            answer = json.loads(raw)
            found = answer.get("result")
            if not isinstance(found, list) or not found or "topics" not in found[0]:
                return raw
            same = [log for log in found if log["topics"][0] == topic]
            gone = same if place is None else same[place : place + 1]
            answer["result"] = [log for log in found if log not in gone]
            return json.dumps(answer).encode()

        return ChainReader(Rpc("http://lossy", transport=transport), zone.reader.chain.address)

    return make


def test_headers_are_those_that_were_published(zone):
    headers = list(zone.reader.headers())
    assert [header.number for header in headers] == [1, 2, 3]
    assert list(zone.reader.headers(2)) == headers[1:]
    assert list(zone.reader.headers(2, 2)) == headers[1:2]
    assert zone.reader.header(3) == headers[2]
    assert list(zone.reader.headers(4)) == []
    with pytest.raises(ChainError, match="batch 4 is not committed, there are 3"):
        zone.reader.header(4)


def test_leaves_committed_with_data_are_the_batch_file(zone):
    for number in (1, 2, 3):
        data = zone.reader.leaves(number)
        assert data == (zone.directory / "batches" / f"{number}.batch").read_bytes()
        assert BatchFile.from_bytes(data).header == zone.reader.header(number)
    with pytest.raises(ChainError, match="batch 9 is not committed"):
        zone.reader.leaves(9)


def test_batches_committed_without_data_have_none(spare):
    spare.take_messages()
    spare.run()
    spare.publish()
    spare.poster().post()
    assert spare.reader.leaves(4) is None


def test_messages_may_be_asked_for_in_part(zone):
    messages = zone.reader.messages()
    assert len(messages) == zone.reader.message_count()
    assert zone.reader.messages(2, 5) == messages[2:5]
    assert zone.reader.messages(3, 3) == []


def test_claims_are_a_chain_from_the_genesis(zone):
    claims = zone.reader.claims()
    assert [claim.batch for claim in claims] == [0, 1, 2, 3]
    assert [claim.parent for claim in claims[1:]] == [claim.id for claim in claims[:-1]]
    assert {claim.status for claim in claims} == {"final"}
    assert zone.reader.latest_final() == claims[-1]
    for claim in claims:
        assert zone.reader.claim(claim.id) == claim
    with pytest.raises(ChainError, match="no claim 0x0101"):
        zone.reader.claim(b"\1" * 32)


@pytest.mark.parametrize("place", [None, 0, 1, 2])
def test_a_missing_header_is_noticed(reader_without, place):
    with pytest.raises(IncompleteLogsError):
        list(reader_without(STATE_CHAIN, "BatchCommitted", place).headers())


@pytest.mark.parametrize("place", [None, 0, 4])
def test_a_missing_message_is_noticed(reader_without, place):
    with pytest.raises(IncompleteLogsError, match="expected"):
        reader_without(INBOX, "Message", place).messages()


@pytest.mark.parametrize("place", [None, 1, 2])
@pytest.mark.parametrize("event", ["Claimed", "Finalized"])
def test_a_missing_final_claim_is_noticed(reader_without, event, place):
    with pytest.raises(IncompleteLogsError):
        reader_without(STATE_CHAIN, event, place).claims()


def test_a_missing_open_claim_is_noticed(spare, reader_without, accounts):
    spare.take_messages()
    spare.run()
    batch = spare.publish()
    spare.poster().post()
    spare.poster().claim()
    assert spare.reader.claims()[-1].status == "open"
    with pytest.raises(IncompleteLogsError, match=r"has 1 children, .* told of 0"):
        reader_without(STATE_CHAIN, "Claimed", 3).claims()
    rival = NodeSender(spare.rpc, accounts[SEQUENCER + 5].address)
    chain = spare.reader.chain
    chain.transact(rival, "postBond", value=chain.call("bond"))
    parent = spare.reader.latest_final().id
    chain.transact(rival, "claim", parent, batch.number, batch.header.hash(), b"\2" * 32)
    assert [claim.batch for claim in spare.reader.claims()] == [0, 1, 2, 3, 4, 4]
    with pytest.raises(IncompleteLogsError, match=r"has 2 children, .* told of 1"):
        reader_without(STATE_CHAIN, "Claimed", 4).claims()
