"""Intake: who gets a number, and what the others are told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sequencer_zone import (
    CONFIG,
    KEYS,
    MARKET,
    OKB,
    SEPARATOR,
    SEQUENCER_KEY,
    START,
    USD,
    build_inbox,
    build_stream,
)

from tradezone.client import NonceSource, PrivateKey, Signer, build_cancel, build_place
from tradezone.engine import Engine
from tradezone.engine.signatures import SECP256K1_ORDER, SignerPool
from tradezone.protocol.actions import Envelope, block_mark, domain_separator
from tradezone.protocol.errors import Code
from tradezone.protocol.limits import MAX_EXPIRES_AFTER, NONCE_FUTURE, NONCE_PAST
from tradezone.sequencer import (
    Accepted,
    EnvelopeRejectedError,
    Intake,
    ManualClock,
    MemoryJournal,
    Sequencer,
)

AGENT = PrivateKey(b"\x77" * 32)


@pytest.fixture
def sequencer():
    clock = ManualClock(START)
    sequencer = Sequencer(CONFIG, Engine(), MemoryJournal(), SEQUENCER_KEY, clock=clock)
    sequencer.offer_messages(build_inbox())
    sequencer.close_block()
    return sequencer


@pytest.fixture
def intake(sequencer):
    return sequencer.intake


def owner(slot=2, nonce=START + 1, **options):
    return Signer(
        KEYS[slot - 1], slot, slot, SEPARATOR, nonces=NonceSource(lambda: nonce), **options
    )


def resigned(leaf, signing_key=KEYS[1], separator=SEPARATOR, **changes):
    return signing_key.sign(replace(Envelope.from_leaf(leaf), **changes), separator).to_leaf()


def reject(intake, leaf, received=None):
    with pytest.raises(EnvelopeRejectedError) as caught:
        intake.admit_one(leaf, received)
    return caught.value


def test_a_good_envelope_is_let_in_with_its_signer_and_time(intake):
    leaf = owner().noop()
    assert intake.admit_one(leaf, START + 5) == Accepted(leaf, KEYS[1].address, START + 5)
    assert intake.admit_one(owner(3).noop()).received == START


@pytest.mark.parametrize("pool", [None, SignerPool(2)])
def test_many_envelopes_are_answered_in_order(sequencer, pool):
    intake = Intake(sequencer.engine, SEPARATOR, sequencer.clock, pool)
    leaves = build_stream(60)
    bad = {5: b"", 30: block_mark(2, START), 59: leaves[59][:-1] + b"\0"}
    answers = intake.admit([bad.get(i, leaf) for i, leaf in enumerate(leaves)])
    assert {i for i, a in enumerate(answers) if isinstance(a, EnvelopeRejectedError)} == set(bad)
    assert all(a.leaf == leaves[i] for i, a in enumerate(answers) if i not in bad)
    assert intake.admit([]) == []


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda _: b"", "99 to 4096 bytes, was 0"),
        (lambda leaf: leaf[:50], "99 to 4096 bytes, was 50"),
        (lambda _: block_mark(2, START).ljust(99, b"\0"), "begins with 0x0201"),
        (lambda leaf: leaf[:1] + b"\2" + leaf[2:], "begins with 0x0201"),
        (
            lambda leaf: leaf[:30] + b"\xc8" + leaf[31:],
            "action 200 does not exist, known are 1, 2, 3, 4, 5",
        ),
        (lambda leaf: leaf + b"\0", "the leaf has room for 53"),
        (lambda leaf: leaf[:31] + b"\2" + leaf[32:], "2 items of action 1 are not 52 bytes"),
    ],
)
def test_malformed_bytes_are_described(intake, spoil, text):
    leaf = owner().place(build_place(MARKET, "buy", 60, 1))
    error = reject(intake, spoil(leaf))
    assert error.code == Code.MALFORMED
    assert text in str(error)
    assert "docs/spec/envelopes.md" in error.hint


@pytest.mark.parametrize("account", [0, 50, 2**32 - 1, 9])  # 9 is the venue's fund
def test_an_account_that_cannot_act_is_refused(sequencer, intake, account):
    fund = int(sequencer.engine.tables["venue"][1]["fund_account"])
    account = fund if account == 9 else account
    error = reject(intake, resigned(owner().noop(), account=account))
    assert error.code == Code.ACCOUNT_NOT_FOUND
    assert f"account {account} does not exist" in str(error)


@pytest.mark.parametrize("key", [0, 50, 2**32 - 1, (1 << 32) | 2, 2**63 | 2])
def test_a_key_that_is_not_there_is_refused(intake, key):
    error = reject(intake, resigned(owner().noop(), key=key))
    assert error.code == Code.KEY_NOT_FOUND
    assert f"slot {key & 0xFFFFFFFF}, generation {key >> 32}" in str(error)


def test_a_key_of_another_owner_is_refused(intake):
    error = reject(intake, resigned(owner().noop(), account=3))
    assert (error.code, error.text) == (
        Code.KEY_NOT_OF_OWNER,
        "key 2 and account 3 have different owners",
    )


def test_a_foreign_signature_is_answered_with_address_and_digest(intake):
    leaf = owner().noop()
    wrong = resigned(leaf, KEYS[2])
    error = reject(intake, wrong)
    assert error.code == Code.BAD_SIGNATURE
    assert error.recovered == KEYS[2].address
    assert error.expected == KEYS[1].address
    assert error.digest == Envelope.from_leaf(leaf).digest(SEPARATOR)
    body = error.to_json()
    assert body["recovered"] == "0x" + KEYS[2].address.hex()
    assert body["name"] == "BAD_SIGNATURE"
    assert all(part in str(error) for part in (body["recovered"], body["expected"], body["digest"]))


def test_a_signature_for_another_chain_is_answered_with_the_digest_of_this_one(intake):
    leaf = owner().noop()
    error = reject(intake, resigned(leaf, separator=domain_separator(1, bytes(20))))
    assert error.code == Code.BAD_SIGNATURE
    assert error.digest == Envelope.from_leaf(leaf).digest(SEPARATOR)
    assert "chain id" in error.hint


@pytest.mark.parametrize("part", ["high s", "v", "r"])
def test_a_signature_against_the_rules_recovers_nobody(intake, part):
    leaf = owner().noop()
    r, s, v = leaf[-65:-33], int.from_bytes(leaf[-33:-1], "big"), leaf[-1]
    if part == "high s":
        s, v = SECP256K1_ORDER - s, 55 - v
    elif part == "v":
        v += 2
    else:
        r = bytes(32)
    error = reject(intake, leaf[:-65] + r + s.to_bytes(32, "big") + bytes([v]))
    assert (error.code, error.recovered) == (Code.BAD_SIGNATURE, b"")
    assert "s low" in str(error)


@pytest.mark.parametrize("nonce", [START - NONCE_PAST, START + NONCE_FUTURE, 0, 2**63, 2**64 - 1])
def test_a_nonce_outside_of_its_window_is_refused(intake, nonce):
    error = reject(intake, resigned(owner().noop(), nonce=nonce))
    assert error.code == Code.NONCE_OUT_OF_WINDOW
    assert f"{START - NONCE_PAST + 1} .. {START + NONCE_FUTURE - 1}" in str(error)


def test_a_nonce_is_taken_once(sequencer, intake):
    leaf = owner().noop()
    sequencer.submit([intake.admit_one(leaf)])
    assert reject(intake, leaf).code == Code.NONCE_USED  # waits for its block
    sequencer.close_block()
    error = reject(intake, leaf)  # is in the state
    assert error.code == Code.NONCE_USED
    assert f"nonce {START + 1} is not above {START + 1}, the newest in its cell" in str(error)
    # The same cell again, lower and higher by 64.
    assert reject(intake, resigned(leaf, nonce=START + 1 - 64)).code == Code.NONCE_USED
    assert intake.admit_one(resigned(leaf, nonce=START + 1 + 64))


def test_a_nonce_at_or_below_the_approval_is_never_valid(intake):
    assert reject(intake, resigned(owner().noop(), nonce=START)).code == Code.NONCE_USED


def test_expiry_is_checked_against_the_clock(intake):
    leaf = owner(lifetime_ms=100).noop()
    error = reject(intake, leaf, START + 102)
    assert error.code == Code.EXPIRED
    assert f"expires_after {START + 101} has passed, now is {START + 102} ms" in str(error)
    assert intake.admit_one(leaf, START + 101)
    late = resigned(leaf, nonce=START + 2, expires_after=START + MAX_EXPIRES_AFTER + 1)
    assert reject(intake, late).code == Code.EXPIRES_TOO_FAR


def test_the_bounds_of_an_agent_key_are_checked(sequencer, intake):
    sequencer.submit(
        [intake.admit_one(owner().approve_key(AGENT.address, START + 500, only_account=2))]
    )
    block = sequencer.close_block()
    key = int(block.events[-1]["order"])
    agent = Signer(AGENT, 2, key, SEPARATOR, nonces=NonceSource(lambda: START + 10))
    assert intake.admit_one(agent.place(build_place(MARKET, "buy", 60, 1)))
    assert intake.admit_one(agent.cancel(build_cancel(5)))
    assert intake.admit_one(agent.noop())
    for leaf in (agent.withdraw(USD, 1), agent.transfer(3, OKB, 1), agent.create_account()):
        error = reject(intake, leaf)
        assert error.code == Code.KEY_SCOPE
        assert f"key {key & 0xFFFFFFFF} has scope 1" in str(error)
    assert reject(intake, agent.noop(), START + 500).code == Code.KEY_EXPIRED
    sequencer.submit([intake.admit_one(owner(nonce=START + 3).create_account())])
    other = int(sequencer.close_block().events[-1]["account"])
    error = reject(intake, resigned(agent.noop(), AGENT, account=other))
    assert error.code == Code.KEY_ACCOUNT
    assert f"is for account 2 only, not for {other}" in str(error)


def test_an_unused_signature_dies_with_its_key(sequencer, intake):
    approve = intake.admit_one(owner().approve_key(AGENT.address, START + 10**6))
    sequencer.submit([approve])
    key = int(sequencer.close_block().events[-1]["order"])
    agent = Signer(AGENT, 2, key, SEPARATOR, nonces=NonceSource(lambda: START + 10))
    unused = agent.noop()
    later = owner(nonce=START + 2)
    sequencer.submit([intake.admit_one(later.revoke_key(key))])
    sequencer.close_block()
    sequencer.submit([intake.admit_one(later.approve_key(AGENT.address, START + 10**6))])
    again = int(sequencer.close_block().events[-1]["order"])
    assert (again & 0xFFFFFFFF, again >> 32) == (key & 0xFFFFFFFF, (key >> 32) + 1)
    assert reject(intake, unused).code == Code.KEY_NOT_FOUND


def test_a_refused_envelope_gets_no_number_and_keeps_its_nonce(sequencer):
    leaf = owner().noop()
    spoiled = resigned(leaf, KEYS[3])
    before = sequencer.next_seq
    answers = sequencer.admit_and_submit([spoiled])
    assert isinstance(answers[0], EnvelopeRejectedError)
    assert sequencer.close_block() is None
    assert sequencer.next_seq == before
    assert isinstance(sequencer.admit_and_submit([leaf])[0], Accepted)
    assert sequencer.close_block().results.tolist() == [0, 0]


def test_what_intake_lets_in_the_engine_takes(sequencer):
    """Over a mixed stream no leaf of a block fails a check that intake has made."""
    checked = {
        Code.MALFORMED, Code.ACCOUNT_NOT_FOUND, Code.KEY_NOT_FOUND, Code.KEY_NOT_OF_OWNER,
        Code.BAD_SIGNATURE, Code.NONCE_USED, Code.NONCE_OUT_OF_WINDOW, Code.EXPIRED, Code.KEY_SCOPE,
    }  # fmt: skip
    seen = set()
    for leaf in build_stream(300):
        sequencer.admit_and_submit([leaf])
        sequencer.clock.advance(1)
        seen |= {Code(int(r) & 0xFFFF) for r in sequencer.close_block().results}
    assert not seen & checked
    assert Code.ORDER_NOT_FOUND in seen
