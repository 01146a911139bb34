"""What replay reads from leaves before and after the engine, without the engine."""

from __future__ import annotations

import numpy as np
import pytest
from sequencer_zone import KEYS, SEPARATOR, START, build_signers

from tradezone.engine.signatures import join_leaves, recover_signers
from tradezone.protocol.actions import Credential, block_mark, inbox_mark
from tradezone.protocol.errors import Code
from tradezone.verifier import replay

ENVELOPE = build_signers(lambda: START)[2].noop()
CREDENTIAL = KEYS[0].sign(Credential(1, 2, KEYS[1].address, 1, 1, START, START + 1), SEPARATOR)
UNSIGNED = ENVELOPE[:-1] + b"\0"


def find_odd(leaves, codes):
    buffer, offsets = join_leaves(leaves)
    signers = recover_signers(buffer, offsets, SEPARATOR)
    signed, odd = replay._find_odd(buffer, offsets, signers, np.array(codes, np.int32))
    return signed.tolist(), odd.tolist()


def test_envelopes_and_credentials_are_signed():
    leaves = [block_mark(1, START), inbox_mark(3), ENVELOPE, b"", CREDENTIAL.to_leaf()]
    signed, odd = find_odd(leaves, [0] * 5)
    assert signed == [False, False, True, False, True]
    assert not any(odd)


@pytest.mark.parametrize("code", [Code.MALFORMED, Code.UNEXPECTED_LEAF, Code.BAD_SIGNATURE])
def test_an_envelope_that_intake_would_refuse_is_odd(code):
    assert find_odd([ENVELOPE], [code])[1] == [True]


def test_a_leaf_that_nobody_signed_is_odd_whatever_its_result():
    spoiled = CREDENTIAL.to_leaf()[:-1] + b"\0"
    assert find_odd([UNSIGNED, spoiled], [Code.EXPIRED, Code.BAD_CREDENTIAL])[1] == [True, True]


def test_a_credential_of_a_provider_that_its_venue_left_is_not_odd():
    leaf = CREDENTIAL.to_leaf()
    codes = [Code.BAD_SIGNATURE, Code.BAD_CREDENTIAL, Code.MALFORMED]
    assert find_odd([leaf, leaf, leaf[:-1]], codes)[1] == [False, False, True]


def test_empty_leaves_are_read_as_nothing():
    buffer, offsets = join_leaves([b"", b""])
    assert replay._get_kinds(buffer, offsets).tolist() == [0, 0]
    assert list(replay._cut_runs(buffer, offsets)) == [(0, 2)]
    assert find_odd([b"", b""], [Code.UNEXPECTED_LEAF] * 2) == ([False] * 2, [True] * 2)
