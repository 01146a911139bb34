"""Views of the order flows, real and made up, equal the engine's records after every block."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.views.mirrors import Mirror
from tradezone.testing import (
    Terms,
    bitstamp,
    build_blocks,
    build_groups,
    build_setup,
    build_setup_leaves,
    build_traders,
    get_funding,
)

WHOLE = 500  # blocks between two looks at every level


def iterate_blocks(flow, makers, takers, terms):
    """Drive an engine block by block; yield its events and tables."""
    from tradezone.engine import Engine

    engine = Engine()
    groups = list(build_groups(flow, makers, takers))
    traders = build_traders(makers, takers)
    inbox = build_setup(traders, get_funding(groups, makers + takers), terms=terms)
    leaves = build_setup_leaves(len(inbox))
    yield engine.execute(leaves, [None] * len(leaves), inbox)[1], engine.tables
    for leaves, signers in build_blocks(groups, traders, delay=terms.taker_delay):
        yield engine.execute(leaves, signers, [])[1], engine.tables


def watch(flow, makers, takers, terms=Terms()):  # noqa: B008 - it is frozen
    mirror, blocks = Mirror(), 0
    for blocks, (events, tables) in enumerate(iterate_blocks(flow, makers, takers, terms), 1):
        mirror.hear(np.asarray(events), tables)
        if blocks % WHOLE == 0:
            mirror.compare_whole(tables)
    mirror.compare_whole(tables)
    return mirror, blocks


def test_views_of_the_made_up_flow_equal_the_records_after_every_block(made_up):
    mirror, blocks = watch(made_up, makers=20, takers=4)
    assert blocks > 1_000
    assert mirror.levels > blocks


@pytest.mark.data
@pytest.mark.slow
def test_views_of_the_real_hour_equal_the_records_after_every_block(aapl):
    mirror, blocks = watch(aapl, makers=300, takers=32)
    assert blocks > 20_000
    assert mirror.levels > blocks


@pytest.mark.data
@pytest.mark.slow
def test_views_of_the_real_five_hours_equal_the_records_with_rebates_and_a_taker_delay(
    bitstamp_day,
):
    terms = replace(bitstamp.TERMS, taker_fee=800, maker_fee=-300, taker_delay=3)
    mirror, blocks = watch(bitstamp_day.flow, 300, 32, terms)
    assert blocks > 15_000
    assert mirror.levels > blocks
