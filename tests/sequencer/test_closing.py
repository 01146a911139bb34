"""The closing batch: what a stranger computes of a zone that was frozen, and what everybody is owed in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sequencer_zone import (
    CONFIG,
    KEYS,
    OKB,
    SEPARATOR,
    SEQUENCER_KEY,
    START,
    USD,
    build_inbox,
    build_stream,
    deposit,
    message,
    register_owner,
)

from tradezone.client import PrivateKey
from tradezone.engine import Engine
from tradezone.protocol.batches import NO_EPOCH, NO_INPUTS_ROOT, Header
from tradezone.protocol.messages import next_prefix
from tradezone.sequencer import (
    BatchBuilder,
    BatchLimits,
    ManualClock,
    MemoryJournal,
    Sequencer,
    read_published,
)
from tradezone.verifier import Claim, MemoryChain, verify

LATE = PrivateKey(b"\x77" * 32)


@pytest.fixture(scope="module")
def zone(tmp_path_factory):
    """Batches of a zone that trades, the messages it took, and those that it left."""
    directory = tmp_path_factory.mktemp("batches")
    builder = BatchBuilder(directory, limits=BatchLimits(blocks=8))
    sequencer = Sequencer(
        CONFIG, Engine(), MemoryJournal(), SEQUENCER_KEY, clock=ManualClock(START), batches=builder
    )
    inbox = build_inbox()
    sequencer.offer_messages(inbox)
    sequencer.close_block()
    for leaf in build_stream(60):
        sequencer.clock.advance(1)
        sequencer.admit_and_submit([leaf])
        sequencer.close_block()
    sequencer.publish_batch()
    owner = len(KEYS) + 1
    kind, values = deposit(2, USD, 11)
    told = (
        deposit(2, USD, 7),
        register_owner(owner, LATE),
        (kind, values | {"owner": owner, "address": LATE.address}),
        deposit(3, OKB, 9),
    )
    late = [message(len(inbox) + i, kind, values) for i, (kind, values) in enumerate(told)]
    headers = [batch.header for batch in read_published(directory)]
    return directory, headers, inbox, late


def close(headers, messages, **changes):
    """The header that L1 writes behind these."""
    last = headers[-1]
    prefix = bytes(32)
    for raw in messages:
        prefix = next_prefix(prefix, raw)
    header = Header(
        epoch=NO_EPOCH,
        number=last.number + 1,
        parent=last.hash(),
        inputs_root=NO_INPUTS_ROOT,
        first_seq=last.first_seq + last.count,
        count=0,
        inbox_index=len(messages),
        inbox_hash=prefix,
        first_block=last.first_block + last.blocks,
        blocks=0,
        start_time=last.end_time,
        end_time=last.end_time,
    )
    return replace(header, **changes)


def run(directory, headers, messages, claims=(), **options):
    chain = MemoryChain(headers, messages, claims)
    return verify(directory, chain, chain, chain, SEPARATOR, **options)


def owed(engine):
    """Atoms by asset that balances hold, orders that are open included, and the outbox has to pay."""
    sums = {USD.id: 0, OKB.id: 0}
    for row in engine.tables["balance"][:1_000]:
        if row["state"]:
            sums[int(row["asset"])] += int(row["free"]) + int(row["locked"])
    for row in engine.tables["outbox"][:1_000]:
        if row["kind"]:
            sums[int(row["asset"])] += int(row["amount"])
    return sums


def test_the_closing_batch_takes_every_message_and_no_leaf(zone):
    directory, headers, inbox, late = zone
    before, after = Engine(), Engine()
    run(directory, headers, inbox, engine=before)
    report = run(directory, [*headers, close(headers, inbox + late)], inbox + late, engine=after)
    assert report.is_ok
    assert report.last_batch == len(headers) + 1
    assert int(after.machine["inbox"]) == len(inbox) + len(late)
    for name in ("seq", "block", "time"):
        assert int(after.machine[name]) == int(before.machine[name])
    assert after.commit_root() != before.commit_root()
    assert after.audit(is_thorough=True) == []


def test_what_is_owed_behind_it_is_what_was_deposited(zone):
    """Escape pays free and locked: no order has to be removed for that."""
    directory, headers, inbox, late = zone
    engine = Engine()
    run(directory, [*headers, close(headers, inbox + late)], inbox + late, engine=engine)
    locked = engine.tables["balance"]["locked"][:1_000]
    assert locked.any()
    traders = len(KEYS) - 2
    assert owed(engine) == {
        USD.id: (traders * 10_000_000 + 7 + 11) * 10**USD.decimals,
        OKB.id: (traders * 100_000 + 9) * 10**OKB.decimals,
    }


def test_an_owner_whose_registration_waited_has_its_deposit(zone):
    directory, headers, inbox, late = zone
    engine = Engine()
    run(directory, [*headers, close(headers, inbox + late)], inbox + late, engine=engine)
    rows = engine.tables["balance"][:1_000]
    mine = rows[(rows["owner"] == len(KEYS) + 1) & (rows["state"] == 1)]
    assert [(int(r["asset"]), int(r["free"])) for r in mine] == [(USD.id, 11 * 10**USD.decimals)]


@pytest.mark.parametrize("window", [1, 2, 3])
def test_a_long_queue_is_taken_a_window_at_a_time(zone, monkeypatch, window):
    """The root is that of one long run: how many messages are at hand at once is nobody's business."""
    directory, headers, inbox, late = zone
    header = close(headers, inbox + late)
    whole, parts = Engine(), Engine()
    for engine in (whole, parts):
        run(directory, headers, inbox, engine=engine)
    nothing = np.zeros(0, np.uint8), np.zeros(1, np.int64), np.zeros((0, 20), np.uint8)
    whole.execute_run(*nothing, late, header, is_batch_end=True)
    monkeypatch.setattr("tradezone.engine.engine.MAX_RUN_MESSAGES", window)
    parts.drain(header, late)
    assert parts.commit_root() == whole.commit_root()
    assert int(parts.machine["steps"]) == int(whole.machine["steps"])


def test_a_queue_that_is_not_the_headers_is_refused(zone):
    directory, headers, inbox, late = zone
    engine = Engine()
    run(directory, headers, inbox, engine=engine)
    with pytest.raises(ValueError, match="end before"):
        engine.drain(close(headers, inbox + late), late[:-1])


def test_a_zone_that_never_had_a_batch_closes_too(zone, tmp_path):
    _, _, inbox, late = zone
    messages = inbox + late
    prefix = bytes(32)
    for raw in messages:
        prefix = next_prefix(prefix, raw)
    header = Header(
        *(NO_EPOCH, 1, bytes(32), NO_INPUTS_ROOT, 1, 0), len(messages), prefix, *(1, 0, 0, 0)
    )
    engine = Engine()
    report = run(tmp_path, [header], messages, engine=engine)
    assert report.is_ok
    assert int(engine.machine["inbox"]) == len(messages)
    assert engine.audit(is_thorough=True) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 1},
        {"blocks": 1},
        {"inputs_root": bytes(31) + b"\x01"},
    ],
)
def test_a_closing_batch_with_leaves_is_not_l1s(zone, changes):
    directory, headers, inbox, late = zone
    report = run(directory, [*headers, close(headers, inbox + late, **changes)], inbox + late)
    assert not report.is_ok
    assert report.first_fault.is_fatal
    assert report.last_batch == len(headers)


def test_a_closing_batch_that_leaves_a_message_out_is_found(zone):
    directory, headers, inbox, late = zone
    messages = inbox + late
    wrong = close(headers, messages, inbox_hash=close(headers, messages[:-1]).inbox_hash)
    report = run(directory, [*headers, wrong], messages)
    assert report.first_fault.check == "inbox"
    assert report.first_fault.is_fatal


def test_a_wrong_claim_on_the_closing_batch_is_found(zone):
    directory, headers, inbox, late = zone
    closing = [*headers, close(headers, inbox + late)]
    number = closing[-1].number
    root = bytes.fromhex(run(directory, closing, inbox + late).root[2:])
    claims = [Claim(b"\x01" * 32, number, root), Claim(b"\x02" * 32, number, bytes(31) + b"\x01")]
    report = run(directory, closing, inbox + late, claims)
    assert [claim.claim for claim in report.wrong_claims] == ["0x" + "02" * 32]
    assert report.wrong_claims[0].root == "0x" + root.hex()
