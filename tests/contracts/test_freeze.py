"""The mode machine: who can freeze a chain when, what the closing batch is, when escape opens and at which root."""

from dataclasses import astuple

import pytest

from tests.contracts.driver import (
    DAY,
    FINAL,
    GWEI,
    NO_CLAIM,
    OKB,
    error_data,
    error_of,
    isolated,
    reverts,
    root_named,
)
from tests.vectors import make_tree as slow
from tradezone.protocol.batches import NO_EPOCH, NO_INPUTS_ROOT, Header

LIVE, FROZEN, ESCAPE = range(3)
SILENT, STALLED, UNRULED = range(3)


def pass_silence(zone):
    zone.clock.pass_both(zone.params.silence_seconds, zone.params.silence_blocks)


def pass_stall(zone):
    zone.clock.pass_both(zone.params.stall_seconds, zone.params.stall_blocks)


def pass_closing(zone):
    zone.clock.pass_both(zone.params.closing_seconds, zone.params.closing_blocks)


def freeze(zone):
    pass_silence(zone)
    return zone.chain.freezeSilent(sender=zone.deployer)


def closing_header(zone, receipt) -> Header:
    event = zone.chain.BatchCommitted.from_receipt(receipt)[0]
    return Header(*event.header)


def claim_closing(zone, asserter, parent, root) -> bytes:
    batch = zone.chain.closingBatch()
    header_hash = zone.chain.headerHashOf(batch)
    zone.chain.claim(parent, batch, header_hash, root, sender=asserter)
    return zone.claim_id(parent, batch, root)


# --- silence


def test_a_message_that_waits_too_long_freezes(zone, alice):
    """A7: a sequencer that does not take the head of the queue can commit nothing, and the rest follows."""
    zone.commit()
    zone.vault.depositNative(alice, sender=alice, value=GWEI)
    lagging = zone.chain.tip().inboxIndex
    zone.clock.pass_time(zone.params.inbox_lag + 1)
    with reverts(zone.chain.InboxLagging):
        zone.commit(zone.header(inbox_index=lagging))
    receipt = freeze(zone)
    assert zone.chain.mode() == FROZEN
    assert zone.chain.isFrozen()
    assert zone.inbox.isClosed()
    assert zone.chain.Frozen(reason=SILENT, latestFinal=zone.genesis) in receipt.events
    with reverts(zone.chain.ChainFrozen):
        zone.commit(zone.header())


def test_a_silent_sequencer_is_one_whose_own_heartbeat_waits(zone):
    zone.commit()
    freeze(zone)
    assert zone.chain.mode() == FROZEN


def test_a_chain_that_never_had_a_batch_freezes_too(zone, alice):
    zone.vault.depositNative(alice, sender=alice, value=GWEI)
    receipt = freeze(zone)
    header = closing_header(zone, receipt)
    assert (header.number, header.parent) == (1, bytes(32))
    assert header.inbox_index == zone.inbox.count()


def test_silence_needs_time_and_blocks(zone, chain, params):
    """A8: X Layer stands still for days; nobody could commit, so nobody is silent."""
    zone.commit()
    index = zone.chain.tip().inboxIndex
    until = {
        "untilTime": zone.inbox.timeOf(index) + params.silence_seconds,
        "untilBlock": zone.inbox.blockOf(index) + params.silence_blocks,
    }
    with isolated(chain):
        zone.clock.pass_time(10 * params.silence_seconds)
        with reverts(zone.chain.TooEarly, **until):
            zone.chain.freezeSilent(sender=zone.deployer)
        zone.commit()  # the sequencer comes back together with its chain
        zone.clock.pass_blocks(params.silence_blocks)
        with reverts(zone.chain.TooEarly):
            zone.chain.freezeSilent(sender=zone.deployer)
    with isolated(chain):
        zone.clock.pass_blocks(10 * params.silence_blocks)
        with reverts(zone.chain.TooEarly, **until):
            zone.chain.freezeSilent(sender=zone.deployer)


def test_the_deadline_is_exact_on_both_clocks(zone, chain, params):
    zone.commit()
    index = zone.chain.tip().inboxIndex
    time = zone.inbox.timeOf(index) + params.silence_seconds
    zone.clock.pass_blocks(params.silence_blocks)
    for second, is_frozen in ((time - 1, False), (time, True)):
        with isolated(chain):
            zone.clock.set_next(second)
            zone.chain.provider.make_request("anvil_mine", ["0x1"])
            call = zone.chain.freezeSilent.encode_input()
            assert (error_of(zone.chain, call, zone.deployer) is None) == is_frozen


def test_a_message_consumed_in_time_starts_the_deadline_anew(zone, alice):
    zone.commit()
    pass_silence(zone)
    zone.commit()
    with reverts(zone.chain.TooEarly):
        zone.chain.freezeSilent(sender=zone.deployer)


# --- the closing batch


def test_the_closing_batch_has_no_leaves_and_every_message(zone, alice):
    zone.commit()
    zone.vault.depositNative(alice, sender=alice, value=GWEI)
    before = zone.chain.tip()
    header = closing_header(zone, freeze(zone))
    assert header == Header(
        epoch=NO_EPOCH,
        number=2,
        parent=bytes(before.hash),
        inputs_root=NO_INPUTS_ROOT,
        first_seq=before.nextSeq,
        count=0,
        inbox_index=zone.inbox.count(),
        inbox_hash=bytes(zone.inbox.prefixHash(zone.inbox.count())),
        first_block=before.nextBlock,
        blocks=0,
        start_time=before.endTime,
        end_time=before.endTime,
    )
    assert zone.chain.closingBatch() == 2
    assert bytes(zone.chain.headerHashOf(2)) == header.hash()
    assert slow.root_of({}, slow.INPUTS_DEPTH) == NO_INPUTS_ROOT
    after = zone.chain.tip()
    assert (after.hash, after.number) == (header.hash(), 2)
    assert (after.nextSeq, after.nextBlock) == (before.nextSeq, before.nextBlock)


def test_a_zone_freezes_once(zone):
    zone.commit()
    freeze(zone)
    with reverts(zone.chain.ChainFrozen):
        zone.chain.freezeSilent(sender=zone.deployer)
    with reverts(zone.chain.ChainFrozen):
        zone.chain.freezeStalled(0, sender=zone.deployer)


def test_the_closing_batch_is_claimed_over_a_part_of_a_stride(zone, asserter):
    zone.bond(asserter)
    assert zone.params.claim_stride == 2
    zone.commit_to(4)
    freeze(zone)
    one = zone.claim(asserter, zone.genesis, "one")
    two = zone.claim(asserter, one, "two")
    with reverts(zone.chain.WrongBatch, given=5, expected=2):
        claim_closing(zone, asserter, zone.genesis, root_named("skipping"))
    closing = claim_closing(zone, asserter, two, root_named("closing"))
    assert zone.chain.claimOf(closing).batch == 5
    with reverts(zone.chain.WrongBatch, given=5, expected=7):
        claim_closing(zone, asserter, closing, root_named("nothing comes after it"))
    with reverts(zone.chain.UnknownBatch, number=7, last=5):
        zone.chain.claim(closing, 7, bytes(32), root_named("nothing"), sender=asserter)
    zone.pass_window()
    for claim in (one, two):
        zone.finalize(claim)
        assert zone.chain.mode() == FROZEN
    receipt = zone.chain.finalize(closing, sender=zone.deployer)
    assert zone.chain.mode() == ESCAPE
    opened = zone.chain.EscapeOpened(
        claim=closing, stateRoot=root_named("closing"), isAbandoned=False
    )
    assert opened in receipt.events
    assert bytes(zone.chain.escapeRoot()) == root_named("closing")
    assert not zone.chain.isAbandoned()


def test_a_stride_that_ends_with_the_closing_batch_is_a_whole_one(zone, asserter):
    zone.bond(asserter)
    zone.commit_to(3)
    freeze(zone)
    one = zone.claim(asserter, zone.genesis, "one")
    closing = claim_closing(zone, asserter, one, root_named("closing"))
    assert zone.chain.claimOf(closing).batch == 4
    zone.pass_window()
    zone.finalize(one)
    zone.finalize(closing)
    assert zone.chain.mode() == ESCAPE


def test_claims_made_before_the_freeze_count_on(zone, asserter, rival):
    zone.bond(asserter, rival)
    one = zone.claim(asserter, zone.genesis, "one")
    freeze(zone)
    zone.bond(zone.deployer)  # whoever wants to claim now may
    claim_closing(zone, zone.deployer, one, root_named("closing"))
    zone.pass_window()
    zone.finalize(one)
    assert zone.chain.claimOf(one).status == FINAL


def test_nobody_escapes_before_the_closing_batch_is_final(zone, asserter):
    with reverts(zone.chain.NotEscaping, mode=LIVE):
        zone.chain.escapeRoot()
    zone.bond(asserter)
    zone.commit()
    freeze(zone)
    closing = claim_closing(zone, asserter, zone.genesis, root_named("closing"))
    with reverts(zone.chain.NotEscaping, mode=FROZEN):
        zone.chain.escapeRoot()
    with reverts(zone.chain.WindowRunning):
        zone.finalize(closing)


def test_a_false_claim_on_the_closing_batch_is_disputed_like_any_other(
    zone, asserter, rival, verifiers
):
    """The liar claims first, the truth wins, and the liar's bond pays for it even after escape is open."""
    for verifier in verifiers:
        zone.judge.register(sender=verifier, value=zone.params.verifier_bond)
    zone.clock.pass_time(10)
    zone.bond(asserter, rival)
    zone.commit()
    freeze(zone)
    false = claim_closing(zone, rival, zone.genesis, root_named("false"))
    true = claim_closing(zone, asserter, zone.genesis, root_named("true"))
    with reverts(zone.chain.Contested):
        zone.pass_window()
        zone.finalize(false)
    assert zone.chain.isAwaitingRuling(zone.genesis)
    for verifier in verifiers[:3]:
        zone.judge.vote(zone.genesis, true, sender=verifier)
    zone.chain.resolve(zone.genesis, sender=zone.deployer)
    zone.finalize(true)
    assert bytes(zone.chain.escapeRoot()) == root_named("true")
    with reverts(zone.chain.BondInUse):
        zone.chain.withdrawBond(sender=rival)
    zone.chain.dismiss(false, sender=zone.deployer)
    assert zone.chain.collectable(asserter) == zone.params.claim_bond // 2
    with reverts(zone.chain.NotBonded):
        zone.chain.withdrawBond(sender=rival)
    zone.chain.withdrawBond(sender=asserter)


def test_bonds_stay_behind_claims_of_a_frozen_chain(zone, asserter):
    zone.bond(asserter)
    zone.commit()
    freeze(zone)
    claim_closing(zone, asserter, zone.genesis, root_named("closing"))
    with reverts(zone.chain.BondInUse):
        zone.chain.withdrawBond(sender=asserter)


# --- nothing becomes final


def heartbeat_of(zone, batch: int) -> int:
    return next(
        message.index
        for message in zone.messages()
        if message.kind == 3 and int.from_bytes(message.payload, "big") == batch
    )


def test_a_chain_on_which_nothing_becomes_final_is_frozen(zone):
    """The sequencer goes on committing and nobody claims, as when it keeps the leaves to itself."""
    zone.commit()
    index = heartbeat_of(zone, 1)
    pass_stall(zone)
    zone.commit()
    receipt = zone.chain.freezeStalled(index, sender=zone.deployer)
    assert zone.chain.Frozen(reason=STALLED, latestFinal=zone.genesis) in receipt.events
    assert zone.chain.closingBatch() == 3


def test_the_stall_counts_from_the_first_batch_that_waits(zone):
    """A zone that slept for a year does not freeze with its first batch."""
    pass_stall(zone)
    zone.commit()
    index = heartbeat_of(zone, 1)
    with reverts(zone.chain.TooEarly):
        zone.chain.freezeStalled(index, sender=zone.deployer)


def test_the_stall_counts_from_the_last_claim_that_became_final(zone, asserter):
    zone.bond(asserter)
    zone.commit_to(4)
    index = heartbeat_of(zone, 3)
    pass_stall(zone)
    zone.finalized(asserter, "one")
    with reverts(zone.chain.TooEarly):
        zone.chain.freezeStalled(index, sender=zone.deployer)
    pass_stall(zone)
    zone.chain.freezeStalled(index, sender=zone.deployer)


def test_a_stall_needs_time_and_blocks(zone, chain):
    zone.commit()
    index = heartbeat_of(zone, 1)
    for passes in (
        lambda: zone.clock.pass_time(10 * zone.params.stall_seconds),
        lambda: zone.clock.pass_blocks(10 * zone.params.stall_blocks),
    ):
        with isolated(chain):
            passes()
            with reverts(zone.chain.TooEarly):
                zone.chain.freezeStalled(index, sender=zone.deployer)


def test_only_the_heartbeat_of_that_batch_tells_when_it_was_committed(zone, alice):
    zone.vault.depositNative(alice, sender=alice, value=GWEI)
    zone.commit_to(2)
    pass_stall(zone)
    wrong = [message.index for message in zone.messages()]
    wrong.remove(heartbeat_of(zone, 1))
    for index in wrong:
        with reverts(zone.chain.WrongHeartbeat, index=index, batch=1):
            zone.chain.freezeStalled(index, sender=zone.deployer)
    with reverts(zone.inbox.IndexOutOfRange):
        zone.chain.freezeStalled(zone.inbox.count(), sender=zone.deployer)


def test_a_zone_all_of_whose_batches_are_final_does_not_stall(zone, asserter):
    zone.bond(asserter)
    zone.finalized(asserter, "one")
    pass_stall(zone)
    with reverts(zone.chain.UnknownBatch, number=3, last=2):
        zone.chain.freezeStalled(0, sender=zone.deployer)


# --- what is abandoned


def test_without_a_final_closing_claim_the_last_final_root_counts(zone, asserter):
    """Nobody has the leaves: the batches behind the last final claim are lost, the deposits are not."""
    zone.bond(asserter)
    last = zone.finalized(asserter, "one")
    zone.commit()
    freeze(zone)
    with reverts(zone.chain.TooEarly):
        zone.chain.abandon(sender=zone.deployer)
    pass_closing(zone)
    receipt = zone.chain.abandon(sender=zone.deployer)
    opened = zone.chain.EscapeOpened(claim=last, stateRoot=root_named("one"), isAbandoned=True)
    assert opened in receipt.events
    assert bytes(zone.chain.escapeRoot()) == root_named("one")
    with reverts(zone.chain.NotFrozen, mode=ESCAPE):
        zone.chain.abandon(sender=zone.deployer)


def test_the_closing_time_needs_time_and_blocks(zone, chain, params):
    zone.commit()
    freeze(zone)
    for passes in (
        lambda: zone.clock.pass_time(10 * params.closing_seconds),
        lambda: zone.clock.pass_blocks(10 * params.closing_blocks),
    ):
        with isolated(chain):
            passes()
            with reverts(zone.chain.TooEarly):
                zone.chain.abandon(sender=zone.deployer)


def test_nothing_is_abandoned_while_the_zone_lives(zone):
    pass_closing(zone)
    with reverts(zone.chain.NotFrozen, mode=LIVE):
        zone.chain.abandon(sender=zone.deployer)


def test_what_is_final_cannot_be_abandoned(zone, asserter):
    zone.bond(asserter)
    zone.commit()
    freeze(zone)
    closing = claim_closing(zone, asserter, zone.genesis, root_named("closing"))
    pass_closing(zone)
    zone.finalize(closing)
    with reverts(zone.chain.NotFrozen, mode=ESCAPE):
        zone.chain.abandon(sender=zone.deployer)
    assert bytes(zone.chain.escapeRoot()) == root_named("closing")


def test_a_silent_judge_opens_escape_at_the_parent_of_the_rivals(zone, asserter, rival):
    """Also of a chain that is frozen already."""
    zone.bond(asserter, rival)
    last = zone.finalized(asserter, "one")
    zone.commit()
    freeze(zone)
    for who, name in ((asserter, "true"), (rival, "false")):
        claim_closing(zone, who, last, root_named(name))
    assert zone.chain.isAwaitingRuling(last)
    zone.pass_judge_time()
    zone.chain.freeze(last, sender=zone.deployer)
    assert zone.chain.mode() == ESCAPE
    assert zone.chain.isAbandoned()
    assert not zone.chain.isAwaitingRuling(last)
    assert bytes(zone.chain.escapeRoot()) == root_named("one")
    for account in (asserter, rival):
        zone.chain.withdrawBond(sender=account)


def test_in_escape_nothing_is_claimed_or_decided(zone, asserter, rival):
    zone.bond(asserter)
    zone.commit()
    freeze(zone)
    closing = claim_closing(zone, asserter, zone.genesis, root_named("closing"))
    zone.pass_window()
    zone.finalize(closing)
    header_hash = zone.chain.headerHashOf(1)
    calls = (
        zone.chain.claim.encode_input(zone.genesis, 1, header_hash, root_named("late")),
        zone.chain.finalize.encode_input(closing),
        zone.chain.resolve.encode_input(zone.genesis),
        zone.chain.freeze.encode_input(zone.genesis),
        zone.chain.freezeSilent.encode_input(),
        zone.chain.freezeStalled.encode_input(0),
        zone.chain.commit.encode_input(astuple(zone.header())),
    )
    for call in calls:
        assert error_of(zone.chain, call, zone.sequencer) == error_data("ChainFrozen()")
    with reverts(zone.chain.ChainFrozen):
        zone.chain.postBond(sender=rival, value=zone.params.claim_bond)
    zone.chain.withdrawBond(sender=asserter)
    assert bytes(zone.chain.latestFinal()) == closing != NO_CLAIM


def test_a_frozen_zone_takes_no_money(zone, alice):
    zone.commit()
    freeze(zone)
    with reverts(zone.inbox.InboxClosed):
        zone.vault.depositNative(alice, sender=alice, value=OKB)


def test_final_is_when_the_last_claim_became_final(zone, asserter):
    deployed = tuple(zone.chain.finalAt())
    zone.bond(asserter)
    zone.finalized(asserter, "one")
    assert tuple(zone.chain.finalAt()) == (zone.clock.time, zone.clock.block) > deployed


def test_frozen_is_when_it_was_frozen(zone):
    assert tuple(zone.chain.frozenAt()) == (0, 0)
    zone.commit()
    receipt = freeze(zone)
    assert tuple(zone.chain.frozenAt()) == (zone.clock.time, receipt.block_number)


@pytest.mark.parametrize("days", [1, 2])
def test_a_halt_of_l1_for_two_days_freezes_nothing(zone, days):
    """Time jumps while no block is made; the sequencer catches up within an hour of L1 blocks."""
    zone.commit()
    zone.clock.pass_time(days * DAY)
    zone.commit()
    with reverts(zone.chain.TooEarly):
        zone.chain.freezeSilent(sender=zone.deployer)
