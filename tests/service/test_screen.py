"""Screening takes any bytes that may come: it refuses or passes them, and whatever it passes intake looks at again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sequencer_zone import CONFIG, KEYS, SEPARATOR, SEQUENCER_KEY, START, build_inbox, build_stream

from tradezone.client import PrivateKey, sign_credential
from tradezone.protocol.actions import Envelope
from tradezone.protocol.errors import Code
from tradezone.sequencer import Accepted, Intake, ManualClock, MemoryJournal, Sequencer


@pytest.fixture(scope="module")
def sequencer():
    from tradezone.engine import Engine

    made = Sequencer(CONFIG, Engine(), MemoryJournal(), SEQUENCER_KEY, clock=ManualClock(START))
    made.offer_messages(build_inbox())
    made.close_block(START)
    return made


STREAM = build_stream(40)


def test_what_passes_is_what_intake_lets_in(sequencer):
    leaves = list(STREAM)
    leaves[3] = leaves[3][:-1]
    leaves[7] = leaves[7][:-2] + b"\0\x1b"
    leaves[9] = leaves[8]
    leaves[11] = b"\x05" + bytes(115)
    refused, signers = sequencer.intake.screen(leaves, START + 1)
    answers = sequencer.intake.admit(leaves, START + 1, signers)
    plain = Intake(sequencer.engine, SEPARATOR, ManualClock(START))
    expected = plain.admit(leaves, START + 1)
    for i, (early, answer, other) in enumerate(zip(refused, answers, expected, strict=True)):
        if isinstance(other, Accepted):
            assert (early, answer) == (None, other), i
        else:
            assert answer.code == other.code, i
            assert early is None or early.code == other.code, i
    assert isinstance(answers[9], Exception)
    assert answers[9].code == Code.NONCE_USED
    sequencer.intake.forget_pending()


def test_a_signer_that_was_not_recovered_is_nobody(sequencer):
    signers = np.zeros((1, 20), np.uint8)
    (answer,) = sequencer.intake.admit([STREAM[0]], START + 1, signers)
    assert answer.code == Code.BAD_SIGNATURE


def mutate(leaf, changes):
    raw = bytearray(leaf)
    for at, value in changes:
        raw[at % len(raw)] = value
    return bytes(raw)


CHANGES = st.lists(st.tuples(st.integers(0, 4_095), st.integers(0, 255)), max_size=6)
CREDENTIAL = sign_credential(
    PrivateKey(b"\x42" * 32),
    SEPARATOR,
    venue=1,
    owner=2,
    subject=KEYS[1].address,
    region=1,
    class_=1,
    issued=START,
    expires=START + 10**6,
)


@settings(max_examples=400)
@given(
    st.lists(
        st.one_of(
            st.binary(min_size=1, max_size=200),
            st.builds(mutate, st.sampled_from(STREAM), CHANGES),
            st.builds(mutate, st.just(CREDENTIAL), CHANGES),
            st.builds(
                lambda kind, rest: bytes([kind]) + rest,
                st.sampled_from([2, 5]),
                st.binary(max_size=4_095),
            ),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_bytes_are_refused_or_passed(sequencer, leaves):
    refused, signers = sequencer.intake.screen(leaves, START + 1)
    assert len(refused) == len(leaves)
    for leaf, error in zip(leaves, refused, strict=True):
        if error is None:
            assert leaf[0] == 5 or Envelope.from_leaf(leaf) is not None
        else:
            assert error.text
    sequencer.intake.admit(leaves, START + 1, signers)
    sequencer.intake.forget_pending()
