"""The checks of record arrays find what is wrong: each record below is spoilt on purpose."""

from __future__ import annotations

import pytest

from tests.engine.conftest import build_engine
from tests.model.compare import assert_same_state
from tests.model.invariants import check_no_stray_bucket, check_records
from tests.model.world import Zone, build_world, get_address, place_item
from tradezone.protocol.enums import BUY, SELL, TIF_POST_ONLY
from tradezone.protocol.records import TABLE_BY_NAME


@pytest.fixture(scope="module")
def busy_zone():
    """Levels with several orders, a waiting queue, client ids, free slots of orders, levels and keys."""
    zone = Zone(build_engine())
    world = build_world(zone, takerDelay=50)
    zone.block(world.alice.approve_key(get_address(100)), world.alice.approve_key(get_address(101)))
    zone.block(world.alice.revoke_key(6), world.alice.create_account())
    asks = [place_item(1, SELL, p, 3, tif=TIF_POST_ONLY, client_id=p) for p in (10, 11, 12)]
    bids = [place_item(1, BUY, p, 3, tif=TIF_POST_ONLY) for p in (9, 8, 8, 7)]
    zone.block(world.alice.place(*asks), world.bob.place(*bids), world.carol.place(*bids[:2]))
    zone.block(world.alice.cancel_order(client_id=12))
    zone.block(world.bob.buy(10, 1), world.carol.sell(9, 1, client_id=5))
    return zone


def head(name):
    return TABLE_BY_NAME[name].number


SPOILT = [
    ("asset", 1, "total"),
    ("asset", 1, "dust"),
    ("owner", 3, "account_count"),
    ("owner", 3, "key_count"),
    ("owner", 3, "first_account"),
    ("owner", 3, "quota"),
    ("account", 3, "balance_count"),
    ("account", 3, "order_count"),
    ("account", 3, "first_order"),
    ("account", 3, "volume"),
    ("balance", 4, "free"),
    ("balance", 4, "locked"),
    ("balance", 4, "uses"),
    ("balance", 4, "previous"),
    ("level", 1, "lots"),
    ("level", 1, "count"),
    ("level", 1, "price"),
    ("level", 2, "previous"),
    ("level", 1, "last"),
    ("level", 3, "price"),
    ("order", 1, "locked"),
    ("order", 1, "lots"),
    ("order", 1, "price"),
    ("order", 1, "side"),
    ("order", 1, "state"),
    ("order", 1, "account_previous"),
    ("order", 1, "level"),
    ("order", 1, "client_id0"),
    ("order", 3, "seq"),
    ("order", 3, "next"),
    ("order", 5, "previous"),
    ("order", 1, "interface"),
    ("book", 1, "best_bid"),
    ("book", 1, "order_count"),
    ("book", 1, "waiting_count"),
    ("book", 1, "waiting_last"),
    ("book", 1, "release"),
    ("book", 1, "release_seq"),
    ("book", 1, "release_block"),
    ("book", 1, "last_release"),
    ("book", 1, "bid_levels"),
    ("key", 6, "scope"),
    ("key", 6, "next"),
    ("machine", 0, "release_first"),
    ("head", head("order"), "in_use"),
    ("head", head("order"), "first_free"),
    ("head", head("order"), "high_water"),
    ("head", head("level"), "first_free"),
    ("head", head("pool"), "in_use"),
]


@pytest.mark.parametrize(("table", "slot", "field"), SPOILT)
def test_a_spoilt_record_breaks_an_invariant(busy_zone, table, slot, field):
    tables = busy_zone.engine.tables
    column = tables[table][field]
    before = column[slot]
    column[slot] = before + 1
    try:
        with pytest.raises(AssertionError):
            check_records(tables)
    finally:
        column[slot] = before
    check_records(tables)


@pytest.mark.parametrize(
    ("table", "slot", "field"),
    [
        ("market", 1, "taker_fee"),
        ("owner", 3, "referrer"),
        ("key", 3, "approved"),
        ("nonces", 12, "cell0"),
        ("venue", 1, "stake"),
        ("order", 1, "expires"),
        ("book", 1, "last_price"),
        ("machine", 0, "order_seq"),
        ("bucket", 0, "first"),
    ],
)
def test_the_comparison_with_the_model_sees_every_record(busy_zone, table, slot, field):
    column = busy_zone.engine.tables[table][field]
    before = column[slot]
    column[slot] = before + 1
    try:
        with pytest.raises(AssertionError, match="model and engine differ"):
            assert_same_state(busy_zone.model, busy_zone.engine.tables, every_bucket=True)
    finally:
        column[slot] = before
    busy_zone.check_thoroughly()


def test_a_stray_bucket_is_found(busy_zone):
    column = busy_zone.engine.tables["bucket"]["length"]
    column[7] += 1
    try:
        with pytest.raises(AssertionError):
            check_no_stray_bucket(busy_zone.engine.tables)
    finally:
        column[7] -= 1
