"""Worked examples for every rule of docs/spec/{blocks,envelopes,orders}.md.

Each runs twice: for the model alone, and for model and engine side by side (fixture `zone`), compared after every
block. The numbers were worked out by hand from the specification.

The market of `build_world`: one lot is 10 base atoms, one tick of one lot 5 quote atoms, taker fee 500 ppm, maker fee
200 ppm, protocol share 20 %, insurance share 10 %, no taker delay.
"""

from __future__ import annotations

import pytest

from tests.model.pure import small_bounds
from tests.model.world import (
    HOUR,
    START,
    Action,
    Signer,
    Tell,
    add_funds,
    add_owner,
    amend_item,
    build_world,
    cancel_item,
    create_venue,
    deposit,
    get_address,
    heartbeat,
    list_market,
    place_item,
    recover_signer,
    register_asset,
    register_owner,
    sign,
)
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.actions import AMEND_POST_ONLY, AMEND_SHRINK, AMEND_TAKE
from tradezone.protocol.enums import (
    BUY,
    SELL,
    STP_BOTH,
    STP_DECREMENT,
    STP_NEWEST,
    STP_OLDEST,
    TIF_FOK,
    TIF_GTC,
    TIF_IOC,
    TIF_POST_ONLY,
)
from tradezone.protocol.errors import Code

TOP = 1 << 63  # the lowest u64 with its top bit set


def pick(event, *names):
    return tuple(event[name] for name in names)


def order_of(outcome, index=0):
    """Id of the order that the outcome's index-th waiting or resting event opened."""
    opened = [
        event
        for event in outcome.events
        if event["kind"] in (events.ORDER_WAITING, events.ORDER_RESTED)
    ]
    return opened[index]["order"]


def post(who, side, price, lots, **fields):
    return who.place(
        place_item(fields.pop("market", 1), side, price, lots, tif=TIF_POST_ONLY, **fields)
    )


# --- blocks ------------------------------------------------------------------------------------------


def test_a_block_mark_must_carry_the_next_number_and_a_time_that_does_not_decrease(zone):
    zone.block()
    time = zone.time
    bad = [
        actions.block_mark(1, time),
        actions.block_mark(3, time),
        actions.block_mark(2, time - 1),
        actions.block_mark(2, limits.MAX_TIME + 1),
        actions.block_mark(2, TOP),
        actions.block_mark(2, time) + b"\0",
        actions.block_mark(2, time)[:-1],
        actions.inbox_mark(1),
        b"",
    ]
    outcome = zone.run(bad, [None] * len(bad), [])
    assert outcome.results == [1 << 16 | Code.UNEXPECTED_LEAF] * len(bad)
    assert outcome.kinds() == [events.LEAF_REJECTED] * len(bad)
    assert [event["leaf"] for event in outcome.events] == list(range(2, 2 + len(bad)))
    assert zone.model.block == 1
    assert zone.run([actions.block_mark(2, time)], [None], []).results == [0]
    assert (zone.model.block, zone.model.seq) == (2, 2 + len(bad) + 1)


def test_a_block_may_keep_the_time_of_the_last_one_up_to_the_last_time_there_is(zone):
    zone.block(at=START)
    zone.block(at=START)
    zone.block(at=limits.MAX_TIME)
    assert zone.model.block == 3


def test_a_wrong_block_mark_ends_the_block_and_shuts_out_what_follows(world):
    zone = world.zone
    leaf, signer = world.alice.noop().leaf, world.alice.address
    leaves = [
        actions.block_mark(zone.model.block + 1, zone.time),
        leaf,
        actions.block_mark(7, zone.time),
        world.alice.noop().leaf,
    ]  # a leaf of kind 1 and another size is no mark, see the next test
    outcome = zone.run(leaves, [None, signer, None, signer], [])
    unexpected = 1 << 16 | Code.UNEXPECTED_LEAF
    assert outcome.results == [0, 0, unexpected, unexpected]


def test_several_blocks_may_stand_in_one_run(world):
    zone = world.zone
    block, time = zone.model.block, zone.time
    outcome = zone.batch(
        [
            (time + 1, [post(world.alice, SELL, 10, 5)]),
            (time + 1, []),
            (time + 2, [world.bob.buy(10, 2)]),
        ]
    )
    assert outcome.kinds() == [
        events.ORDER_RESTED,
        events.ORDER_WAITING,
        events.FILL,
        events.FEES,
    ]
    assert (zone.model.block, zone.time) == (block + 3, time + 2)


def beats(zone, count):
    first = zone.model.inbox
    return [
        messages.Message(i, messages.HEARTBEAT, bytes(20), i, i, bytes(8)).to_bytes()
        for i in range(first, first + count)
    ]


@pytest.mark.parametrize(
    ("fields", "is_open"),
    [
        ({}, True),
        ({"first_block": 0, "blocks": 2}, True),
        ({"first_block": 2}, False),
        ({"first_block": 0}, False),
        ({"blocks": 0}, False),
        ({"start_time": START + 2, "end_time": START + 2}, True),
        ({"start_time": START + 3}, False),
        ({"end_time": START + 1}, False),
    ],
)
def test_a_header_binds_the_marks_of_its_batch(zone, fields, is_open):
    leaves = [actions.block_mark(1, START + 2)]
    outcome = zone.run(leaves, [None], [], zone.make_header(**fields))
    assert outcome.results == [0 if is_open else 1 << 16 | Code.UNEXPECTED_LEAF]


def test_an_inbox_mark_stays_below_the_headers_index_and_the_rest_is_consumed_at_the_end(zone):
    leaves = [actions.block_mark(1, START), *(actions.inbox_mark(end) for end in (4, 1, 3))]
    header = zone.make_header(inbox_index=3)
    outcome = zone.run(leaves, [None] * 4, beats(zone, 3), header)
    assert outcome.results == [0, 1 << 16 | Code.UNEXPECTED_LEAF, 0, 0]
    assert zone.model.inbox == 3
    leaves = [actions.block_mark(2, START), b"\0"]
    outcome = zone.run(leaves, [None] * 2, beats(zone, 5), zone.make_header(inbox_index=8))
    assert outcome.kinds() == [events.LEAF_REJECTED] + [events.HEARTBEAT] * 5
    assert [event["leaf"] for event in outcome.events] == [6, 3, 4, 5, 6, 7]
    assert zone.model.seq == 7


def test_messages_left_at_the_end_of_a_batch_are_not_bounded_by_a_mark(zone):
    leaves = [actions.block_mark(1, START)]
    tells = beats(zone, 300)
    outcome = zone.run(leaves, [None], tells, zone.make_header(inbox_index=300))
    assert len(outcome.of(events.HEARTBEAT)) == 300
    outcome = zone.run([], [], beats(zone, 2), zone.make_header(inbox_index=302))
    assert len(outcome.events) == 2
    assert (zone.model.block, zone.model.inbox) == (1, 302)


def test_events_count_on_and_name_their_leaf(world):
    zone = world.zone
    first, leaf = zone.model.event_seq, zone.model.seq
    outcome = zone.block(post(world.alice, SELL, 10, 5), world.bob.buy(10, 2))
    assert [event["seq"] for event in outcome.events] == list(range(first + 1, first + 5))
    assert [event["leaf"] for event in outcome.events] == [leaf + 1, leaf + 2, 0, 0]


def test_leaves_above_the_bound_of_a_block_stand_outside_it(world):
    zone = world.zone
    leaves = [actions.block_mark(zone.model.block + 1, zone.time)]
    leaves += [b"\xff"] * limits.MAX_BLOCK_LEAVES + [world.alice.noop().leaf]
    outcome = zone.run(leaves, [None] * (len(leaves) - 1) + [world.alice.address], [])
    malformed = 1 << 16 | Code.MALFORMED
    assert outcome.results[1:-1] == [malformed] * limits.MAX_BLOCK_LEAVES
    assert outcome.results[-1] == 1 << 16 | Code.UNEXPECTED_LEAF


def test_malformed_and_price_leaves_are_recorded_before_any_action(world):
    noop = world.alice.noop()
    leaf = world.alice.cancel_order(1).leaf
    at = actions
    bad = [
        b"",
        b"\x09",
        bytes([actions.LEAF_BLOCK]) + bytes(15),
        bytes([actions.LEAF_BLOCK]) + bytes(17),
        bytes([actions.LEAF_INBOX]) + bytes(9),
        bytes([actions.LEAF_INBOX]),
        bytes([actions.LEAF_ENVELOPE]) + bytes(200),
        leaf[:-1],
        leaf + b"\0",
        leaf[: at.AT_VERSION] + b"\x02" + leaf[at.AT_ACCOUNT :],
        leaf[: at.AT_ACTION] + bytes([actions.CANCEL_ALL]) + leaf[at.AT_ITEMS :],
        leaf[: at.AT_ITEMS] + b"\0" + leaf[at.AT_SIZE :],
        leaf[: at.AT_ITEMS] + b"\2" + leaf[at.AT_SIZE :],
        bytes([actions.LEAF_ENVELOPE]) + bytes(5000),
    ]
    price = bytes([actions.LEAF_PRICE]) + bytes(actions.PRICE_BYTES - 1)
    outcome = world.zone.block(world.alice.withdraw(9, 1), noop, *bad, price)
    assert outcome.codes == [
        Code.ASSET_NOT_FOUND,
        Code.OK,
        *[Code.MALFORMED] * len(bad),
        Code.UNEXPECTED_LEAF,
    ]
    assert outcome.kinds() == [events.LEAF_REJECTED] * (len(bad) + 1) + [events.ITEM_REJECTED]


def test_envelopes_of_31_items_are_malformed_and_of_30_are_not(world):
    items = [cancel_item(1)] * 30
    good = world.alice.cancel(*items)
    header = good.leaf[: actions.AT_ITEMS] + bytes([31])
    header += (31 * actions.CANCEL_BYTES).to_bytes(2, "big")
    bad = header + b"".join(items) + cancel_item(1) + bytes(65)
    outcome = world.zone.block(good, bad)
    assert outcome.codes == [Code.ORDER_NOT_FOUND, Code.MALFORMED]
    assert outcome.failed[1:] == [30, 1]


def test_classes_run_cancels_then_post_only_then_takers(world):
    resting = order_of(world.zone.block(post(world.alice, SELL, 10, 5)))
    outcome = world.zone.block(
        world.bob.buy(10, 5),
        post(world.carol, BUY, 9, 1),
        world.alice.cancel_order(resting),
    )
    assert outcome.kinds() == [
        events.ORDER_CANCELLED,
        events.ORDER_RESTED,
        events.ORDER_WAITING,
        events.ORDER_RESTED,
    ]
    assert outcome.codes == [Code.OK] * 3


def test_a_mixed_envelope_runs_whole_in_its_slowest_class(world):
    mixed = world.alice.place(
        place_item(1, SELL, 20, 1, tif=TIF_POST_ONLY), place_item(1, SELL, 21, 1)
    )
    outcome = world.zone.block(mixed, post(world.bob, BUY, 20, 1))
    # Bob's post-only order stands first, so Alice's post-only item would take
    assert outcome.kinds()[:2] == [events.ORDER_RESTED, events.ITEM_REJECTED]
    assert outcome.codes == [Code.POST_ONLY_WOULD_CROSS, Code.OK]
    shrinks = order_of(world.zone.block(post(world.carol, SELL, 50, 4)))
    outcome = world.zone.block(
        world.carol.amend(amend_item(shrinks, 3), amend_item(shrinks, 2, 49, mode=AMEND_POST_ONLY)),
        world.carol.cancel_order(shrinks),
    )
    assert outcome.codes == [Code.ORDER_NOT_FOUND, Code.OK]  # the cancel came first


# --- inbox -------------------------------------------------------------------------------------------


def test_an_inbox_mark_opens_1_to_128_messages(zone):
    beats = [heartbeat() for _ in range(129)]
    outcome = zone.block(*beats)
    assert len(outcome.leaves) == 3  # 128 under the first mark, one under the second
    assert [event["leaf"] for event in outcome.events] == list(range(129))
    assert zone.model.inbox == 129
    bad = [actions.inbox_mark(end) for end in (0, 128, 129, 129 + 129, TOP, 2 * TOP - 1)]
    assert zone.block(*bad).results == [0] + [1 << 16 | Code.UNEXPECTED_LEAF] * 6
    assert zone.model.inbox == 129


def test_l1_time_is_the_highest_message_time(zone):
    outcome = zone.block(heartbeat(1000), heartbeat(900), Tell(99, b"", 1001))
    assert [event["amount"] for event in outcome.of(events.HEARTBEAT)] == [1_000_000] * 2
    assert zone.model.l1_time == 1_001_000  # any message counts, an ignored one too
    zone.block(heartbeat((1 << 62) // 1000))
    assert zone.model.l1_time == limits.MAX_TIME


def test_unknown_and_malformed_messages_are_ignored(zone):
    outcome = zone.block(
        Tell(0, b""),
        Tell(63, bytes(20)),
        Tell(3, bytes(7)),
        Tell(3, bytes(9)),
        Tell(47, b"x" * 512),
    )
    assert outcome.kinds() == [events.MESSAGE_IGNORED] * 5
    assert [event["error"] for event in outcome.events] == [
        Code.UNKNOWN_MESSAGE,
        Code.UNKNOWN_MESSAGE,
        Code.MALFORMED,
        Code.MALFORMED,
        Code.UNKNOWN_MESSAGE,
    ]
    assert outcome.results == [0, 0]


def test_owners_are_registered_in_order_with_a_main_account_and_their_key(zone):
    outcome = zone.block(
        register_owner(1, get_address(1)),
        register_owner(3, get_address(2)),
        register_owner(2, get_address(2), kind=3),
        register_owner(2, get_address(2), kind=enums.OWNER_CONTRACT, referrer=1),
        register_owner(3, get_address(3), referrer=3),
    )
    assert [pick(e, "kind", "account", "order", "error") for e in outcome.events] == [
        (events.OWNER_REGISTERED, 1, 1, 0),
        (events.KEY_APPROVED, 1, 1, 0),
        (events.MESSAGE_IGNORED, 0, 0, Code.NOT_NEXT_ID),
        (events.MESSAGE_IGNORED, 0, 0, Code.BAD_PARAMETERS),
        (events.OWNER_REGISTERED, 2, 2, 0),  # a contract owner has no key
        (events.OWNER_REGISTERED, 3, 3, 0),
        (events.KEY_APPROVED, 3, 2, 0),
    ]
    snapshot = zone.model.snapshot()
    assert [snapshot["owners"][i]["referrer"] for i in (1, 2, 3)] == [0, 1, 0]
    assert [snapshot["accounts"][i]["kind"] for i in (1, 2, 3)] == [
        enums.ACCOUNT_PROTOCOL,
        enums.ACCOUNT_USER,
        enums.ACCOUNT_USER,
    ]


def test_deposits_are_credited_to_the_main_account(world):
    before = world.free(world.alice, 1)
    total = world.zone.model.assets[1].total
    outcome = world.zone.block(deposit(world.alice.owner, world.alice.address, 1, 7))
    (event,) = outcome.events
    assert pick(event, "kind", "account", "market", "amount") == (events.DEPOSITED, 3, 1, 7)
    assert world.free(world.alice, 1) == before + 7
    assert world.zone.model.assets[1].total == total + 7


def test_deposits_that_cannot_be_right_are_ignored(world):
    zone, alice = world.zone, world.alice
    zone.block(register_asset(3, kind=enums.ASSET_SIMULATED, venue=1))
    room = limits.MAX_TOTAL_ATOMS - zone.model.assets[1].total
    outcome = zone.block(
        deposit(99, alice.address, 1, 1),
        deposit(0, alice.address, 1, 1),
        deposit(alice.owner, world.bob.address, 1, 1),
        deposit(alice.owner, alice.address, 9, 1),
        deposit(alice.owner, alice.address, 3, 1),
        deposit(alice.owner, alice.address, 1, 0),
        deposit(alice.owner, alice.address, 1, room + 1),
        deposit(alice.owner, alice.address, 1, TOP),
        deposit(alice.owner, alice.address, 1, room),
    )
    assert [event["error"] for event in outcome.events] == [
        Code.OWNER_MISMATCH,
        Code.OWNER_MISMATCH,
        Code.OWNER_MISMATCH,
        Code.ASSET_NOT_FOUND,
        Code.NOT_SAME_KIND,
        Code.BAD_PARAMETERS,
        Code.BAD_PARAMETERS,
        Code.BAD_PARAMETERS,
        Code.OK,
    ]


def test_a_deposit_that_finds_no_room_for_a_balance_goes_back_to_its_owner(zone):
    add_owner(zone, 1)
    alice = add_owner(zone, 2)
    zone.block(*[register_asset(i) for i in range(1, 258)])
    zone.block(*[deposit(alice.owner, alice.address, i, 5) for i in range(1, 257)])
    outcome = zone.block(
        deposit(alice.owner, alice.address, 257, 11), deposit(alice.owner, alice.address, 256, 1)
    )
    assert [pick(e, "kind", "account", "market", "amount", "order") for e in outcome.events] == [
        (events.DEPOSITED, 2, 257, 11, 0),
        (events.WITHDRAWN, 2, 257, 11, 1),
        (events.DEPOSITED, 2, 256, 1, 0),
    ]
    assert zone.model.assets[257].total == 0
    assert zone.model.outbox[1].recipient == alice.address


def test_assets_are_registered_in_order_and_inside_their_bounds(zone):
    deployer = add_owner(zone, 1)
    zone.block(create_venue(1, deployer.owner))
    tells = [
        (register_asset(2), Code.NOT_NEXT_ID),
        (register_asset(1, kind=0), Code.BAD_PARAMETERS),
        (register_asset(1, kind=4), Code.BAD_PARAMETERS),
        (register_asset(1, quantum=0), Code.BAD_PARAMETERS),
        (register_asset(1, quantum=(1 << 62) + 1), Code.BAD_PARAMETERS),
        (register_asset(1, cap=0), Code.BAD_PARAMETERS),
        (register_asset(1, cap=1 << 62), Code.BAD_PARAMETERS),
        (register_asset(1, decimals=37), Code.BAD_PARAMETERS),
        (register_asset(1, venue=1), Code.BAD_PARAMETERS),
        (register_asset(1, kind=enums.ASSET_SIMULATED), Code.BAD_PARAMETERS),
        (register_asset(1, kind=enums.ASSET_SIMULATED, venue=2), Code.BAD_PARAMETERS),
        (register_asset(1, kind=enums.ASSET_NATIVE, quantum=1 << 62, decimals=36), Code.OK),
        (register_asset(2, kind=enums.ASSET_SIMULATED, venue=1), Code.OK),
    ]
    outcome = zone.block(*[tell for tell, _ in tells])
    assert [event["error"] for event in outcome.events] == [code for _, code in tells]


def test_a_venue_brings_its_fee_account_and_its_fund_account(zone):
    add_owner(zone, 1)
    deployer = add_owner(zone, 2)
    tells = [
        (create_venue(2, 2), Code.NOT_NEXT_ID),
        (create_venue(1, 3), Code.OWNER_MISMATCH),
        (create_venue(1, 0), Code.OWNER_MISMATCH),
        (create_venue(1, 2, access=3), Code.BAD_PARAMETERS),
        (create_venue(1, 2, stake=1 << 62), Code.BAD_PARAMETERS),
        (create_venue(1, 2, access=2, stake=(1 << 62) - 1), Code.OK),
    ]
    outcome = zone.block(*[tell for tell, _ in tells])
    assert [event["error"] for event in outcome.events] == [code for _, code in tells]
    created = outcome.events[-1]
    assert pick(created, "kind", "market", "account", "other_account") == (
        events.VENUE_CREATED,
        1,
        3,
        4,
    )
    snapshot = zone.model.snapshot()
    assert snapshot["owners"][deployer.owner]["accounts"] == [2, 4, 3]
    assert snapshot["accounts"][3]["kind"] == enums.ACCOUNT_VENUE
    assert snapshot["accounts"][4]["kind"] == enums.ACCOUNT_FUND


def test_markets_are_listed_inside_hard_bounds(world):
    zone = world.zone
    zone.block(register_asset(3, kind=enums.ASSET_SIMULATED, venue=1))
    top = limits.MAX_NOTIONAL
    bad = Code.BAD_PARAMETERS
    tells = [
        (list_market(3), Code.NOT_NEXT_ID),
        (list_market(2, venue=2), Code.VENUE_NOT_FOUND),
        (list_market(2, venue=0), Code.VENUE_NOT_FOUND),
        (list_market(2, base=0), Code.ASSET_NOT_FOUND),
        (list_market(2, quote=4), Code.ASSET_NOT_FOUND),
        (list_market(2, base=3), Code.NOT_SAME_KIND),
        (list_market(2, kind=enums.MARKET_PERP), bad),
        (list_market(2, base=1), bad),
        (list_market(2, id=2 << 16 | 2), bad),
        (list_market(2, tickValue=0), bad),
        (list_market(2, tickValue=limits.MAX_TICK_VALUE + 1, maxPrice=1, maxLots=1), bad),
        (list_market(2, maxPrice=0), bad),
        (list_market(2, maxPrice=limits.MAX_PRICE + 1, tickValue=1, maxLots=1), bad),
        (list_market(2, maxLots=0), bad),
        (list_market(2, maxPrice=3, tickValue=7, maxLots=top // 21 + 1, lotSize=1), bad),
        (list_market(2, maxPrice=3, tickValue=7, maxLots=top // 21, lotSize=22), bad),
        (list_market(2, lotSize=0), bad),
        (list_market(2, lotSize=TOP), bad),
        (list_market(2, minNotional=6, maxNotional=5), bad),
        (list_market(2, maxNotional=top + 1), bad),
        (list_market(2, takerFee=-1), bad),
        (list_market(2, takerFee=limits.MAX_TAKER_FEE + 1), bad),
        (list_market(2, makerFee=-limits.MAX_REBATE - 1), bad),
        (list_market(2, makerFee=limits.MAX_MAKER_FEE + 1), bad),
        (list_market(2, protocolShare=limits.MIN_PROTOCOL_SHARE - 1), bad),
        (list_market(2, protocolShare=600_000, insuranceShare=400_001), bad),
        (list_market(2, takerDelay=51), bad),
        (list_market(2, effectiveAt=limits.MAX_TIME + 1), bad),
        (list_market(2, effectiveAt=TOP), bad),
        (
            list_market(
                2,
                maxPrice=limits.MAX_PRICE,
                tickValue=limits.MAX_TICK_VALUE,
                maxLots=1,
                lotSize=top,
                takerFee=limits.MAX_TAKER_FEE,
                makerFee=-limits.MAX_REBATE,
                protocolShare=600_000,
                insuranceShare=400_000,
                takerDelay=50,
                effectiveAt=limits.MAX_TIME,
                minNotional=top,
                maxNotional=top,
            ),
            Code.OK,
        ),
        (
            list_market(
                3, maxPrice=1, tickValue=1, maxLots=top, lotSize=1, makerFee=limits.MAX_MAKER_FEE
            ),
            Code.OK,
        ),
    ]
    outcome = zone.block(*[tell for tell, _ in tells])
    refused = [Code(event["error"]) for event in outcome.of(events.MESSAGE_IGNORED)]
    assert refused == [code for _, code in tells if code != Code.OK]
    listed = [events.MARKET_LISTED, events.MARKET_TERMS, events.MARKET_FEES]
    assert outcome.kinds()[-6:] == listed * 2


def test_listing_opens_the_balances_that_fees_go_to(zone):
    protocol = add_owner(zone, 1)
    deployer = add_owner(zone, 2)
    outcome = zone.block(
        register_asset(1), register_asset(2), create_venue(1, deployer.owner), list_market(1)
    )
    assert outcome.kinds()[-3] == events.MARKET_LISTED
    balances = zone.model.snapshot()["balances"]
    accounts = [balances[slot]["account"] for slot in (1, 2, 3)]
    assert accounts == [3, 4, protocol.account]  # fee, fund, protocol


def test_a_listing_finds_room_though_a_fee_receiver_holds_256_assets(zone):
    protocol = add_owner(zone, 1)
    deployer = add_owner(zone, 2)
    zone.block(*[register_asset(i) for i in range(1, 259)])
    zone.block(create_venue(1, deployer.owner))
    outcome = zone.block(
        *[deposit(protocol.owner, protocol.address, i, 1) for i in range(1, 258)],
        list_market(1, base=1, quote=258),
    )
    listed = [events.MARKET_LISTED, events.MARKET_TERMS, events.MARKET_FEES]
    assert outcome.kinds() == [events.DEPOSITED] * 257 + listed
    assert len(zone.model.accounts[protocol.account].balances) == 258


@pytest.mark.parametrize("table", ["owner", "account", "key"])
def test_an_owner_needs_room_in_three_tables(world, table):
    world.zone.exhaust(table)
    outcome = world.zone.block(
        register_owner(world.zone.model.slots["owner"].high_water, bytes(20))
    )
    assert outcome.events[0]["error"] == Code.TABLE_FULL


def test_messages_that_find_a_table_full_are_ignored(world):
    zone, alice = world.zone, world.alice
    zone.block(register_asset(3))
    zone.exhaust("account", left=1)
    zone.exhaust("balance", left=2)
    outcome = zone.block(create_venue(2, world.deployer.owner), list_market(2, base=1, quote=3))
    assert [event["error"] for event in outcome.events] == [Code.TABLE_FULL] * 2
    zone.exhaust("account", left=2)
    zone.exhaust("balance", left=3)
    outcome = zone.block(
        create_venue(2, world.deployer.owner),
        list_market(2, base=1, quote=3),
        deposit(alice.owner, alice.address, 3, 9),
    )
    assert outcome.kinds() == [
        events.VENUE_CREATED,
        events.MARKET_LISTED,
        events.MARKET_TERMS,
        events.MARKET_FEES,
        events.DEPOSITED,
        events.WITHDRAWN,
    ]


def test_deposits_leave_room_for_listings(world):
    zone, alice = world.zone, world.alice
    zone.block(register_asset(3), register_asset(4))
    zone.exhaust("balance", left=limits.RESERVED_BALANCES + 1)
    outcome = zone.block(
        deposit(alice.owner, alice.address, 3, 9), deposit(alice.owner, alice.address, 4, 9)
    )
    assert outcome.kinds() == [events.DEPOSITED, events.DEPOSITED, events.WITHDRAWN]


# --- envelopes ---------------------------------------------------------------------------------------


def rejected(outcome):
    """The only event, which must be LEAF_REJECTED."""
    (event,) = outcome.events
    assert event["kind"] == events.LEAF_REJECTED
    return event


def test_the_first_failing_check_of_an_envelope_is_recorded(world):
    zone, alice = world.zone, world.alice
    day = 24 * HOUR
    now = zone.time + 1
    late = alice.address
    cases = [
        (alice.on(0).noop(), Code.ACCOUNT_NOT_FOUND),
        (alice.on(99).noop(), Code.ACCOUNT_NOT_FOUND),
        (alice.on(0xFFFFFFFF).noop(), Code.ACCOUNT_NOT_FOUND),
        (alice.using(0, 3).noop(), Code.KEY_NOT_FOUND),
        (alice.using(99, 3).noop(), Code.KEY_NOT_FOUND),
        (alice.using(TOP | alice.key, 3).noop(), Code.KEY_NOT_FOUND),
        (alice.using(2 * TOP - 1, 3).noop(), Code.KEY_NOT_FOUND),
        (alice.using(1 << 32 | alice.key, 3).noop(), Code.KEY_NOT_FOUND),
        (alice.using(1 << 32, 3).noop(), Code.KEY_NOT_FOUND),
        (world.deployer.on(world.fund_account).noop(), Code.ACCOUNT_NOT_FOUND),
        (world.deployer.on(world.fee_account).noop(), Code.OK),
        (alice.using(world.bob.key, 4).noop(), Code.KEY_NOT_OF_OWNER),
        (alice.noop(signer=world.bob.address), Code.BAD_SIGNATURE),
        (Action(alice.noop().leaf, None), Code.BAD_SIGNATURE),
        (alice.noop(nonce=now - 2 * day), Code.NONCE_OUT_OF_WINDOW),
        (alice.noop(nonce=now + day), Code.NONCE_OUT_OF_WINDOW),
        (alice.noop(nonce=TOP), Code.NONCE_OUT_OF_WINDOW),
        (alice.noop(nonce=(1 << 64) - 1), Code.NONCE_OUT_OF_WINDOW),
        (alice.noop(nonce=0), Code.NONCE_OUT_OF_WINDOW),
        (alice.noop(nonce=now - 2 * day + 1), Code.NONCE_USED),  # before the approval
        (alice.noop(nonce=now + day - 1, signer=late), Code.OK),
        (alice.noop(expires_after=now - 1), Code.EXPIRED),
        (alice.noop(expires_after=0), Code.EXPIRED),
        (alice.noop(expires_after=now), Code.OK),
        (alice.noop(expires_after=now + day), Code.OK),
        (alice.noop(expires_after=now + day + 1), Code.EXPIRES_TOO_FAR),
        (alice.noop(expires_after=TOP), Code.EXPIRES_TOO_FAR),
    ]
    outcome = zone.block(*[action for action, _ in cases], at=now)
    assert outcome.codes == [code for _, code in cases]
    assert [e["account"] for e in outcome.events][:5] == [0, 99, 0, 3, 3]


def test_the_zero_address_signs_nothing(zone):
    zone.block(register_owner(1, get_address(1)), register_owner(2, bytes(20)))
    nobody = Signer(zone, 2, 2, 2, 1)
    outcome = zone.block(Action(nobody.noop().leaf, None))
    assert outcome.code == Code.BAD_SIGNATURE


def test_all_items_of_a_refused_envelope_count_as_failed(world):
    action = world.alice.place(*[place_item(1, BUY, 10, 1)] * 3, nonce=1)
    outcome = world.zone.block(action)
    assert outcome.results[1] == 3 << 16 | Code.NONCE_OUT_OF_WINDOW
    assert rejected(outcome)["account"] == world.alice.account


def test_a_nonce_is_used_once_in_its_cell(world):
    zone, alice = world.zone, world.alice
    nonce = zone.time + 1000
    run = [nonce, nonce, nonce - 64, nonce + 1, nonce + 64, nonce, nonce - 1, nonce + 65]
    outcome = zone.block(*[alice.noop(nonce=n) for n in run])
    ok, used = Code.OK, Code.NONCE_USED
    assert outcome.codes == [ok, used, used, ok, ok, used, ok, ok]
    cells = zone.model.snapshot()["nonces"][alice.key]
    assert cells[(nonce + 64) % 64] == nonce + 64
    assert cells[(nonce + 2) % 64] == zone.model.keys[alice.key].approved


def test_cells_start_at_the_time_of_approval(world):
    zone = world.zone
    dave = add_owner(zone, 9)
    approved = zone.time
    outcome = zone.block(
        *[dave.noop(nonce=approved - i) for i in range(64)], dave.noop(nonce=approved + 1)
    )
    assert outcome.codes == [Code.NONCE_USED] * 64 + [Code.OK]


def test_a_check_after_the_nonce_burns_it_and_one_before_does_not(world):
    zone, alice = world.zone, world.alice
    nonce = zone.time + 100
    outcome = zone.block(
        alice.noop(nonce=nonce, signer=world.bob.address),
        alice.noop(nonce=nonce, expires_after=1),
        alice.noop(nonce=nonce),
    )
    assert outcome.codes == [Code.BAD_SIGNATURE, Code.EXPIRED, Code.NONCE_USED]
    outcome = zone.block(
        alice.withdraw(99, 1, nonce=nonce + 1), alice.withdraw(1, 1, nonce=nonce + 1)
    )
    assert outcome.codes == [Code.ASSET_NOT_FOUND, Code.NONCE_USED]


def test_takers_and_makers_wait_for_news_from_l1_but_cancels_do_not(world):
    zone, alice = world.zone, world.alice
    order = order_of(zone.block(post(alice, SELL, 10, 5)))
    limit = zone.model.l1_time + limits.STALE_L1
    zone.block(at=limit - limits.RESTART_POST)  # so that the restart phases are over at the limit
    cases = lambda: [  # noqa: E731 - nonces must be fresh in each block
        alice.buy(1, 1),
        post(alice, SELL, 11, 1),
        alice.amend_order(order, 4, 12, mode=AMEND_POST_ONLY),
        alice.amend_order(order, 3),
        alice.noop(),
    ]
    assert zone.block(*cases(), at=limit).codes == [Code.OK] * 5
    order = order_of(zone.block(post(alice, SELL, 10, 5), at=limit))
    stale = Code.STALE_L1
    assert zone.block(*cases(), at=limit + 1).codes == [stale, stale, stale, Code.OK, Code.OK]
    outcome = zone.block(heartbeat(), alice.buy(1, 1))  # heard in the same block
    assert outcome.codes == [Code.OK]


def test_real_signatures_recover_to_their_key(zone):
    zone.is_signing = True
    world = build_world(zone)
    alice = world.alice
    action = alice.buy(10, 1)
    assert action.signer == alice.address
    wrong = action.leaf[:40] + bytes([action.leaf[40] ^ 1]) + action.leaf[41:]
    assert recover_signer(wrong) != alice.address
    high_s = bytearray(alice.noop().leaf)
    s = int.from_bytes(high_s[-33:-1], "big")
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high_s[-33:-1] = (order - s).to_bytes(32, "big")
    high_s[-1] = 55 - high_s[-1]
    assert recover_signer(bytes(high_s)) is None
    outcome = zone.block(
        action, alice.create_account(), Action(wrong, recover_signer(wrong)), alice.withdraw(1, 5)
    )
    assert outcome.codes == [Code.OK, Code.OK, Code.BAD_SIGNATURE, Code.OK]
    unsigned = actions.Envelope(3, 3, 1, 2, actions.NOOP, b"", bytes(65))
    assert recover_signer(unsigned.to_leaf()) is None
    assert recover_signer(sign(unsigned, 3).to_leaf()) == alice.address


# --- keys and accounts -------------------------------------------------------------------------------


def approve(world, who, number, **terms):
    """Approve private key `number` as an agent of `who`; returns `who` signing with it."""
    outcome = world.zone.block(who.approve_key(get_address(number), **terms))
    (event,) = outcome.of(events.KEY_APPROVED)
    assert event["account"] == who.account
    return who.using(event["order"], number)


def test_an_agent_trades_and_does_nothing_else(world):
    agent = approve(world, world.alice, 100)
    outcome = world.zone.block(
        agent.withdraw(1, 1),
        agent.transfer(5, 1, 1),
        agent.create_account(),
        agent.approve_key(get_address(101)),
        agent.revoke_key(agent.key),
        agent.noop(),
        agent.cancel_order(77),
        agent.amend_order(77, 1),
        agent.buy(10, 1),
    )
    scope = [Code.KEY_SCOPE] * 5
    missing = [Code.ORDER_NOT_FOUND] * 2
    assert outcome.codes == [*scope, Code.OK, *missing, Code.OK]


def test_an_agent_keeps_to_its_account(world):
    outcome = world.zone.block(world.alice.create_account())
    (created,) = outcome.events
    sub = created["account"]
    assert pick(created, "kind", "order", "flag") == (
        events.ACCOUNT_CREATED,
        world.alice.owner,
        enums.ACCOUNT_USER,
    )
    agent = approve(world, world.alice, 100, onlyAccount=sub)
    outcome = world.zone.block(agent.noop(), agent.on(sub).noop(), world.alice.on(sub).noop())
    assert outcome.codes == [Code.KEY_ACCOUNT, Code.OK, Code.OK]


def test_an_agent_keeps_to_its_venue(world):
    zone, alice = world.zone, world.alice
    zone.block(create_venue(2, world.deployer.owner), list_market(2, venue=2))
    agent = approve(world, alice, 100, onlyVenue=2)
    first, second = (order_of(zone.block(post(alice, SELL, 10, 5, market=m))) for m in (1, 2))
    outcome = zone.block(
        agent.sell(10, 1, market=1),
        agent.sell(10, 1, market=2),
        agent.amend_order(first, 4),
        agent.amend_order(second, 4),
        agent.cancel_order(first),
        agent.cancel_order(second),
    )
    venue = Code.KEY_VENUE
    assert outcome.codes == [venue, Code.OK, venue, Code.OK, venue, Code.OK]


def test_an_agent_keeps_to_its_notional(world):
    agent = approve(world, world.alice, 100, maxNotional=500)  # ten lots at price 10
    outcome = world.zone.block(agent.buy(10, 10, tif=TIF_POST_ONLY), agent.buy(10, 11))
    assert outcome.codes == [Code.OK, Code.KEY_NOTIONAL]
    order = order_of(outcome)
    outcome = world.zone.block(
        agent.amend_order(order, 11, mode=AMEND_POST_ONLY),
        agent.amend_order(order, 5, 20, mode=AMEND_POST_ONLY),
        world.alice.amend_order(order, 11, 21, mode=AMEND_POST_ONLY),
    )
    assert outcome.codes == [Code.KEY_NOTIONAL, Code.OK, Code.OK]


def test_an_agent_expires_and_its_orders_stay(world):
    zone = world.zone
    end = zone.time + 10
    agent = approve(world, world.alice, 100, expires=end)
    order = order_of(zone.block(agent.buy(1, 1), at=end - 1))
    outcome = zone.block(agent.noop(), at=end)
    assert outcome.code == Code.KEY_EXPIRED
    assert order in zone.model.snapshot()["orders"]


def test_a_revoked_key_is_gone_and_its_slot_comes_back_with_a_new_generation(world):
    zone, alice = world.zone, world.alice
    agent = approve(world, alice, 100)
    order = order_of(zone.block(agent.buy(1, 1)))
    cases = [
        (alice.revoke_key(1 << 32 | agent.key), Code.KEY_NOT_FOUND),
        (alice.revoke_key(TOP | agent.key), Code.KEY_NOT_FOUND),
        (alice.revoke_key(0), Code.KEY_NOT_FOUND),
        (alice.revoke_key(99), Code.KEY_NOT_FOUND),
        (alice.revoke_key(world.bob.key), Code.KEY_NOT_FOUND),
        (alice.revoke_key(alice.key), Code.CANNOT_REVOKE_OWNER_KEY),
        (alice.revoke_key(1 << 32 | alice.key), Code.KEY_NOT_FOUND),
        (alice.revoke_key(agent.key), Code.OK),
        (agent.noop(), Code.KEY_NOT_FOUND),
        (alice.revoke_key(agent.key), Code.KEY_NOT_FOUND),
        (alice.revoke_key(1 << 32 | agent.key), Code.KEY_NOT_FOUND),  # free, generation right
    ]
    outcome = zone.block(*[action for action, _ in cases])
    assert outcome.codes == [code for _, code in cases]
    (revoked,) = outcome.of(events.KEY_REVOKED)
    assert pick(revoked, "account", "order") == (alice.account, agent.key)
    assert order in zone.model.snapshot()["orders"]
    again = approve(world, world.bob, 101)
    assert again.key == 1 << 32 | agent.key
    old = again.using(agent.key, 101)
    cases = [
        (old.noop(), Code.KEY_NOT_FOUND),
        (again.noop(), Code.OK),
        (world.bob.revoke_key(old.key), Code.KEY_NOT_FOUND),
        (world.bob.revoke_key(again.key), Code.OK),
    ]
    outcome = zone.block(*[action for action, _ in cases])
    assert sorted(outcome.codes) == sorted(code for _, code in cases)


def test_the_nonces_of_a_reused_key_slot_start_anew(world):
    zone, alice = world.zone, world.alice
    agent = approve(world, alice, 100)
    high = zone.time + 5 * HOUR
    assert zone.block(agent.noop(nonce=high)).code == Code.OK
    zone.block(alice.revoke_key(agent.key))
    again = approve(world, alice, 101)
    assert again.key == 1 << 32 | agent.key
    assert zone.block(again.noop(nonce=high - 64)).code == Code.OK


def test_keys_are_approved_inside_their_bounds(world):
    zone, alice = world.zone, world.alice
    now = zone.time + 1
    agent = get_address(100)
    outcome = zone.block(world.bob.create_account())
    bobs = outcome.events[0]["account"]
    now = zone.time + 1
    good = [
        {"expires": now + 1},
        {"expires": limits.MAX_TIME, "maxNotional": 1 << 62},
        {"onlyAccount": alice.account, "onlyVenue": 1, "name": b"\xff" * 8},
    ]
    bad = [
        {"agent": bytes(20)},
        {"scope": 0},
        {"scope": enums.SCOPE_OWNER},
        {"scope": enums.SCOPE_TRADE | enums.SCOPE_OWNER},
        {"scope": 255},
        {"expires": now},
        {"expires": 0},
        {"expires": limits.MAX_TIME + 1},
        {"expires": TOP},
        {"onlyAccount": 99},
        {"onlyAccount": world.bob.account},
        {"onlyAccount": bobs},
        {"onlyAccount": world.fund_account},
        {"onlyAccount": 0xFFFFFFFF},
        {"onlyVenue": 2},
        {"onlyVenue": 0xFFFFFFFF},
        {"maxNotional": (1 << 62) + 1},
        {"maxNotional": TOP},
    ]
    outcome = zone.block(
        *[alice.approve_key(**({"agent": agent} | terms)) for terms in good + bad], at=now
    )
    assert outcome.codes == [Code.OK] * len(good) + [Code.BAD_KEY] * len(bad)
    keys = zone.model.snapshot()["owners"][alice.owner]["keys"]
    assert keys == sorted(keys, reverse=True)  # the newest in front


def test_an_owner_has_32_keys(world):
    cases = [world.alice.approve_key(get_address(100 + i)) for i in range(32)]
    outcome = world.zone.block(*cases, world.alice.approve_key(bytes(20)))
    assert outcome.codes == [Code.OK] * 31 + [Code.KEY_LIMIT] * 2


def test_an_owner_has_64_accounts(world):
    outcome = world.zone.block(*[world.alice.create_account() for _ in range(64)])
    assert outcome.codes == [Code.OK] * 63 + [Code.ACCOUNT_LIMIT]
    accounts = world.zone.model.snapshot()["owners"][world.alice.owner]["accounts"]
    assert accounts[0] == world.alice.account
    assert accounts[1:] == sorted(accounts[1:], reverse=True)  # right behind the main account


def test_the_accounts_of_a_venue_count_and_are_not_bounded(world):
    zone, deployer = world.zone, world.deployer
    zone.block(*[create_venue(i, deployer.owner) for i in range(2, 34)])
    assert zone.model.snapshot()["owners"][deployer.owner]["account_count"] == 67
    assert zone.block(deployer.create_account()).code == Code.ACCOUNT_LIMIT


def test_keys_and_accounts_leave_room_for_owners(world):
    def both():
        return world.alice.approve_key(get_address(100)), world.alice.create_account()

    owners, venues = (len(world.zone.model.snapshot()[name]) for name in ("owners", "venues"))
    keys = limits.RESERVED_KEYS - owners
    accounts = limits.RESERVED_ACCOUNTS - owners - 2 * venues
    world.zone.exhaust("key", left=keys)
    world.zone.exhaust("account", left=accounts)
    assert world.zone.block(*both()).codes == [Code.TABLE_FULL] * 2
    world.zone.exhaust("key", left=keys + 1)
    world.zone.exhaust("account", left=accounts + 1)
    assert world.zone.block(*both(), *both()).codes == [Code.OK] * 2 + [Code.TABLE_FULL] * 2


def test_transfers_move_free_money_between_accounts_of_one_owner(world):
    zone, alice = world.zone, world.alice
    (created,) = zone.block(alice.create_account()).events
    sub = created["account"]
    free = world.free(alice, 1)
    cases = [
        (alice.transfer(sub, 1, 100), Code.OK),
        (alice.transfer(sub, 1, free - 99), Code.AMOUNT_OUT_OF_RANGE),
        (alice.transfer(sub, 1, 0), Code.AMOUNT_OUT_OF_RANGE),
        (alice.transfer(sub, 1, TOP), Code.AMOUNT_OUT_OF_RANGE),
        (alice.transfer(alice.account, 1, 1), Code.ACCOUNT_NOT_FOUND),
        (alice.transfer(0, 1, 1), Code.ACCOUNT_NOT_FOUND),
        (alice.transfer(99, 1, 1), Code.ACCOUNT_NOT_FOUND),
        (alice.transfer(world.bob.account, 1, 1), Code.KEY_NOT_OF_OWNER),
        (world.deployer.transfer(world.fund_account, 1, 1), Code.ACCOUNT_NOT_FOUND),
        (world.deployer.transfer(world.fee_account, 1, 1), Code.AMOUNT_OUT_OF_RANGE),
        (alice.transfer(sub, 0, 1), Code.ASSET_NOT_FOUND),
        (alice.transfer(sub, 3, 1), Code.ASSET_NOT_FOUND),
        (alice.on(sub).transfer(alice.account, 2, 1), Code.AMOUNT_OUT_OF_RANGE),  # not held
        (alice.on(sub).transfer(alice.account, 1, 40), Code.OK),
    ]
    outcome = zone.block(*[action for action, _ in cases])
    assert outcome.codes == [code for _, code in cases]
    moved = outcome.of(events.TRANSFERRED)
    assert [pick(e, "account", "other_account", "market", "amount") for e in moved] == [
        (alice.account, sub, 1, 100),
        (sub, alice.account, 1, 40),
    ]
    assert (world.free(alice, 1), world.free(sub, 1)) == (free - 60, 60)


def test_a_transfer_needs_room_for_the_receivers_balance(zone):
    add_owner(zone, 1)
    alice = add_owner(zone, 2)
    zone.block(*[register_asset(i) for i in range(1, 258)])
    (created,) = zone.block(alice.create_account()).events
    sub = created["account"]
    zone.block(*[deposit(alice.owner, alice.address, i, 5) for i in range(1, 257)])
    zone.block(*[alice.transfer(sub, i, 5) for i in range(1, 256)])
    zone.block(alice.transfer(sub, 256, 3))
    # the sub-account is full; the main account still holds 256 balances, most of them empty
    zone.block(deposit(alice.owner, alice.address, 257, 5))
    (third,) = zone.block(alice.create_account()).events
    assert zone.model.outbox[1].asset == 257
    other = third["account"]
    outcome = zone.block(alice.transfer(other, 256, 1), alice.on(sub).transfer(other, 1, 1))
    assert outcome.codes == [Code.OK] * 2
    zone.exhaust("balance", left=limits.RESERVED_BALANCES)
    outcome = zone.block(alice.on(sub).transfer(other, 2, 1), alice.on(sub).transfer(other, 256, 3))
    assert outcome.codes == [Code.TABLE_FULL, Code.OK]


def test_a_transfer_to_an_account_with_256_balances_is_refused(zone):
    add_owner(zone, 1)
    alice = add_owner(zone, 2)
    zone.block(*[register_asset(i) for i in range(1, 258)])
    (created,) = zone.block(alice.create_account()).events
    sub = alice.on(created["account"])
    zone.block(*[deposit(alice.owner, alice.address, i, 5) for i in range(1, 257)])
    zone.block(*[alice.transfer(sub.account, i, 4) for i in range(1, 257)])
    (third,) = zone.block(alice.create_account()).events
    other = alice.on(third["account"])
    bob = add_owner(zone, 3)
    zone.block(deposit(bob.owner, bob.address, 257, 5), create_venue(1, 1))
    zone.block(list_market(1, base=257, quote=1))
    # asset 257 comes to the third account by a trade
    zone.block(alice.transfer(other.account, 1, 1), sub.transfer(other.account, 1, 4))
    zone.block(list_market(2, base=257, quote=1, lotSize=1, tickValue=1, takerFee=0, makerFee=0))
    outcome = zone.block(bob.sell(1, 1, market=2), other.buy(1, 1, market=2))
    assert len(outcome.of(events.FILL)) == 1
    outcome = zone.block(other.transfer(sub.account, 257, 1), other.transfer(alice.account, 257, 1))
    assert outcome.codes == [Code.TOO_MANY_BALANCES] * 2


def test_withdrawals_leave_through_the_outbox(world):
    zone, alice = world.zone, world.alice
    zone.block(register_asset(3, kind=enums.ASSET_SIMULATED, venue=1))
    free, total = world.free(alice, 1), zone.model.assets[1].total
    cases = [
        (alice.withdraw(1, 30), Code.OK),
        (alice.withdraw(1, free - 29), Code.AMOUNT_OUT_OF_RANGE),
        (alice.withdraw(1, 0), Code.AMOUNT_OUT_OF_RANGE),
        (alice.withdraw(1, TOP), Code.AMOUNT_OUT_OF_RANGE),
        (alice.withdraw(0, 1), Code.ASSET_NOT_FOUND),
        (alice.withdraw(4, 1), Code.ASSET_NOT_FOUND),
        (alice.withdraw(3, 1), Code.NOT_SAME_KIND),
        (alice.withdraw(1, free - 30), Code.OK),
    ]
    outcome = zone.block(*[action for action, _ in cases])
    assert outcome.codes == [code for _, code in cases]
    left = outcome.of(events.WITHDRAWN)
    assert [pick(e, "account", "market", "amount", "order") for e in left] == [
        (alice.account, 1, 30, 1),
        (alice.account, 1, free - 30, 2),
    ]
    assert zone.model.assets[1].total == total - free
    record = zone.model.snapshot()["outbox"][1]
    assert record["recipient"] == alice.address.hex()
    assert (record["owner"], record["amount"], record["time"]) == (alice.owner, 30, zone.time)
    zone.exhaust("outbox")
    assert zone.block(alice.withdraw(2, 1)).code == Code.TABLE_FULL


def test_locked_money_can_neither_be_withdrawn_nor_moved(world):
    free = world.free(world.alice, 2)
    world.zone.block(post(world.alice, SELL, 10, 7))
    outcome = world.zone.block(
        world.alice.withdraw(2, free - 69), world.alice.withdraw(2, free - 70)
    )
    assert outcome.codes == [Code.AMOUNT_OUT_OF_RANGE, Code.OK]


# --- placing -----------------------------------------------------------------------------------------


def test_a_buy_locks_notional_and_worst_fee_and_a_sell_its_lots(world):
    # notional 333 * 7 * 5 = 11655; worst fee ceil(11655 * 500 / 10^6) = ceil(5.8275) = 6
    outcome = world.zone.block(post(world.alice, BUY, 333, 7), post(world.bob, SELL, 400, 7))
    assert [event["amount"] for event in outcome.events] == [11661, 70]
    assert (world.locked(world.alice, 1), world.locked(world.bob, 2)) == (11661, 70)


def test_the_worst_fee_is_the_larger_of_taker_and_maker_fee(zone):
    world = build_world(zone, takerFee=100, makerFee=50_000)
    outcome = zone.block(post(world.alice, BUY, 10, 7))  # 350 + ceil(17.5)
    assert outcome.events[0]["amount"] == 368


def test_rebates_lock_nothing(zone):
    world = build_world(zone, takerFee=0, makerFee=-100)
    outcome = zone.block(post(world.alice, BUY, 10, 7))
    assert outcome.events[0]["amount"] == 350


def test_the_first_failing_check_of_an_item_is_recorded(world):
    zone = world.zone
    now = zone.time + 1
    zone.block(post(world.bob, SELL, 50, 1), at=now)
    cases = [
        ({"market": 0}, Code.MARKET_NOT_FOUND),
        ({"market": 2}, Code.MARKET_NOT_FOUND),
        ({"market": 0xFFFFFFFF}, Code.MARKET_NOT_FOUND),
        ({"side": 2}, Code.BAD_ORDER_FIELD),
        ({"side": 255}, Code.BAD_ORDER_FIELD),
        ({"tif": 6}, Code.BAD_ORDER_FIELD),
        ({"stp": 4}, Code.BAD_ORDER_FIELD),
        ({"stp": 15}, Code.BAD_ORDER_FIELD),
        ({"stp": 20}, Code.BAD_ORDER_FIELD),
        ({"stp": 32}, Code.BAD_ORDER_FIELD),
        ({"stp": 128}, Code.BAD_ORDER_FIELD),
        ({"flags": 1}, Code.BAD_ORDER_FIELD),  # reduce-only is for outcomes
        ({"flags": 128}, Code.BAD_ORDER_FIELD),
        ({"expires": limits.MAX_TIME + 1}, Code.BAD_ORDER_FIELD),
        ({"expires": TOP}, Code.BAD_ORDER_FIELD),
        ({"price": 0}, Code.PRICE_OUT_OF_RANGE),
        ({"price": 100_001}, Code.PRICE_OUT_OF_RANGE),
        ({"price": 0xFFFFFFFF}, Code.PRICE_OUT_OF_RANGE),
        ({"lots": 0}, Code.LOTS_OUT_OF_RANGE),
        ({"lots": 1_000_001}, Code.LOTS_OUT_OF_RANGE),
        ({"lots": TOP}, Code.LOTS_OUT_OF_RANGE),
        ({"lots": (1 << 64) - 1}, Code.LOTS_OUT_OF_RANGE),
        ({"expires": now}, Code.ORDER_EXPIRED),
        ({"expires": 1}, Code.ORDER_EXPIRED),
        ({"interface": 1}, Code.INTERFACE_NOT_APPROVED),
        ({"interface_fee": 1}, Code.INTERFACE_NOT_APPROVED),
        ({"tif": TIF_POST_ONLY, "price": 50}, Code.POST_ONLY_WOULD_CROSS),
        ({"tif": TIF_POST_ONLY, "price": 51, "client_id": 1}, Code.POST_ONLY_WOULD_CROSS),
        ({"tif": TIF_POST_ONLY, "price": 49}, Code.OK),
        ({"tif": TIF_POST_ONLY, "side": SELL, "price": 49}, Code.POST_ONLY_WOULD_CROSS),
        ({"expires": now + 1}, Code.OK),
        ({"expires": limits.MAX_TIME}, Code.OK),
        ({"lots": 1_000_000, "price": 100_000}, Code.OK),
        ({"lots": 1_000_000, "price": 99_999}, Code.INSUFFICIENT_BALANCE),
    ]
    items = []
    for fields, _ in cases:
        values = {"market": 1, "side": BUY, "price": 10, "lots": 1} | fields
        items.append(place_item(**values))
    codes = [code for _, code in cases]
    half = (
        codes.index(Code.OK) - 4
    )  # so that both envelopes can take: a class 2 envelope would go first
    outcome = zone.block(
        world.alice.place(*items[:half], place_item(1, BUY, 1, 1)),
        world.alice.place(*items[half:]),
        at=now,
    )
    refused = [(e["flag"], e["error"]) for e in outcome.of(events.ITEM_REJECTED)]
    expected = [(i, code) for i, code in enumerate(codes[:half]) if code]
    expected += [(i, code) for i, code in enumerate(codes[half:]) if code]
    assert refused == expected
    assert outcome.results[1] == half << 16 | Code.MARKET_NOT_FOUND


def test_checks_come_in_the_order_of_the_table(zone):
    world = build_world(zone, minNotional=100, maxNotional=1000)
    agent = approve(world, world.alice, 100, maxNotional=90)
    cases = [
        ((0, 9, 0, 0), Code.BAD_ORDER_FIELD),
        ((0, BUY, 0, 0), Code.PRICE_OUT_OF_RANGE),
        ((0, BUY, 1, 0), Code.LOTS_OUT_OF_RANGE),
        ((1, BUY, 1, 1), Code.NOTIONAL_TOO_SMALL),
        ((1, BUY, 1, 19), Code.NOTIONAL_TOO_SMALL),
        ((1, BUY, 1, 20), Code.KEY_NOTIONAL),
        ((1, BUY, 1, 200), Code.KEY_NOTIONAL),
        ((1, BUY, 1, 201), Code.NOTIONAL_TOO_LARGE),
    ]
    items = [place_item(1, *terms[1:], expires=1) for terms, _ in cases]
    outcome = zone.block(agent.place(*items))
    assert [e["error"] for e in outcome.events] == [code for _, code in cases]


def test_access_phase_state_and_listing_time_shut_a_market(world):
    zone, alice = world.zone, world.alice

    def both():
        return [alice.buy(1, 1), post(alice, BUY, 1, 1)]

    closed = Code.MARKET_CLOSED
    for phase in range(enums.PHASE_LISTED, enums.PHASE_SETTLED):
        zone.patch("market", 1, phase=phase)
        expected = {
            enums.PHASE_CONTINUOUS: [Code.OK, Code.OK],
            enums.PHASE_POST_ONLY: [closed, Code.OK],
        }.get(phase, [closed, closed])
        assert zone.block(*both()).codes == expected
    zone.patch("market", 1, phase=enums.PHASE_CONTINUOUS, listed=zone.time + 2)
    assert zone.block(*both()).codes == [closed, closed]
    assert zone.block(*both()).codes == [Code.OK, Code.OK]
    zone.patch("venue", 1, state=enums.VENUE_REDUCE_ONLY)
    assert zone.block(*both()).codes == [closed, closed]
    zone.patch("venue", 1, state=enums.VENUE_ACTIVE)
    zone.patch("market", 1, access=enums.ACCESS_LIST)
    denied = Code.ACCESS_DENIED
    assert zone.block(*both()).codes == [denied, denied]
    zone.patch("market", 1, access=enums.ACCESS_OPEN)
    zone.patch("venue", 1, access=enums.ACCESS_CREDENTIAL, state=enums.VENUE_ACTIVE)
    assert zone.block(*both()).codes == [denied, denied]


def test_the_lock_must_be_free(zone):
    world = build_world(zone, usd=1000, btc=100)
    # 10 * 19 * 5 = 950 + ceil(0.475) = 951; then 49 are left
    outcome = zone.block(
        world.alice.place(
            place_item(1, BUY, 10, 20),
            place_item(1, BUY, 10, 19),
            place_item(1, BUY, 10, 1),
            place_item(1, BUY, 9, 1),
            place_item(1, SELL, 10, 11),
            place_item(1, SELL, 20, 10),
        )
    )
    bad = Code.INSUFFICIENT_BALANCE
    refused = [(e["flag"], e["error"]) for e in outcome.of(events.ITEM_REJECTED)]
    assert refused == [(0, bad), (2, bad), (4, bad)]
    dave = add_owner(zone, 9)
    assert zone.block(dave.buy(1, 1)).code == bad  # holds nothing at all


def test_a_missing_receiving_balance_is_opened_and_stays(zone):
    world = build_world(zone)
    dave = add_owner(zone, 9)
    add_funds(zone, dave, 1, 1000)
    order = order_of(zone.block(dave.buy(1, 1)))
    assert [asset for asset, _ in zone.model.snapshot()["accounts"][dave.account]["balances"]] == [
        1,
        2,
    ]
    zone.block(dave.cancel_order(order))
    assert len(zone.model.accounts[dave.account].balances) == 2
    assert world.free(dave, 1) == 1000


def test_an_account_with_256_balances_cannot_receive_a_new_asset(zone):
    add_owner(zone, 1)
    alice = add_owner(zone, 2)
    zone.block(*[register_asset(i) for i in range(1, 258)])
    zone.block(create_venue(1, 1), list_market(1, base=257, quote=1))
    zone.block(*[deposit(alice.owner, alice.address, i, 500) for i in range(1, 257)])
    outcome = zone.block(alice.buy(1, 1), alice.buy(1, 1000))
    assert outcome.codes == [Code.TOO_MANY_BALANCES, Code.INSUFFICIENT_BALANCE]


def test_an_account_has_1000_open_orders(world):
    items = [place_item(1, BUY, 1, 1, tif=TIF_POST_ONLY)] * 30
    envelopes = [world.alice.place(*items) for _ in range(33)]
    outcome = world.zone.block(*envelopes, world.alice.place(*items[:11]))
    assert outcome.codes == [Code.OK] * 33 + [Code.TOO_MANY_ORDERS]
    assert outcome.failed[-1] == 1
    order = order_of(outcome)
    outcome = world.zone.block(
        world.alice.cancel_order(order), world.alice.buy(1, 1), world.alice.buy(1, 1)
    )
    assert outcome.codes == [Code.OK, Code.OK, Code.TOO_MANY_ORDERS]


def test_a_client_id_names_one_open_order_of_its_account(world):
    zone, alice = world.zone, world.alice
    top = (1 << 128) - 1
    outcome = zone.block(
        alice.buy(1, 1, client_id=7),
        alice.buy(1, 1, client_id=7),
        world.bob.buy(1, 1, client_id=7),
        alice.buy(1, 1, client_id=top),
        alice.buy(1, 1, client_id=1 << 64),
    )
    assert outcome.codes == [Code.OK, Code.CLIENT_ID_IN_USE, Code.OK, Code.OK, Code.OK]
    ids = [pick(e, "client_id0", "client_id1") for e in outcome.of(events.ORDER_RESTED)]
    assert ids == [(7, 0), (7, 0), ((1 << 64) - 1,) * 2, (0, 1)]
    outcome = zone.block(
        alice.cancel_order(client_id=7),
        alice.cancel_order(client_id=7),
        alice.cancel_order(client_id=0),
        alice.amend_order(0, 1, 2, client_id=top, mode=AMEND_TAKE),
        alice.buy(1, 1, client_id=7),
    )
    missing = Code.ORDER_NOT_FOUND
    assert outcome.codes == [Code.OK, missing, missing, Code.OK, Code.OK]


# client ids of account 3 that fall into bucket 944
ONE_BUCKET = """1 1545849 2666588 3325398 3519956 4293834 4547201 5926195 6954582 7696524 9265765 9692430 10027895
11742338 12400239 12825059 13240485 13686520"""


def test_a_bucket_holds_16_orders(world):
    assert world.alice.account == 3
    ids = [int(n) for n in ONE_BUCKET.split()]
    items = [place_item(1, BUY, 1, 1, tif=TIF_POST_ONLY, client_id=n) for n in ids[:17]]
    outcome = world.zone.block(world.alice.place(*items))
    assert outcome.codes == [Code.BUCKET_FULL]
    assert outcome.failed[1] == 1
    assert len(world.zone.model.snapshot()["buckets"][944]) == 16
    outcome = world.zone.block(
        world.alice.cancel(*[cancel_item(client_id=n) for n in (ids[7], ids[0], ids[15])]),
        world.alice.buy(1, 1, client_id=ids[16]),
        world.alice.buy(1, 1, client_id=ids[16]),
        world.alice.buy(1, 1, client_id=ids[7]),
    )
    assert outcome.codes == [Code.OK, Code.OK, Code.CLIENT_ID_IN_USE, Code.OK]


def test_an_order_needs_room(world):
    world.zone.exhaust("order")
    assert world.zone.block(world.alice.buy(1, 1)).code == Code.TABLE_FULL


def test_an_order_that_opens_a_balance_leaves_room_for_listings(world):
    dave = add_owner(world.zone, 9)
    add_funds(world.zone, dave, 1, 1000)
    world.zone.exhaust("balance", left=limits.RESERVED_BALANCES)
    outcome = world.zone.block(dave.buy(1, 1), world.alice.buy(1, 1))
    assert outcome.codes == [Code.TABLE_FULL, Code.OK]


def test_freed_slots_come_back_last_freed_first_with_a_new_generation(world):
    zone, alice = world.zone, world.alice
    items = [place_item(1, BUY, price, 1, tif=TIF_POST_ONLY) for price in (5, 6, 7)]
    outcome = zone.block(alice.place(*items))
    a, b, c = (event["order"] for event in outcome.events)
    zone.block(alice.cancel(cancel_item(b), cancel_item(a)))
    outcome = zone.block(alice.place(*items))
    assert [event["order"] for event in outcome.events] == [1 << 32 | a, 1 << 32 | b, c + 1]
    assert zone.block(alice.cancel_order(a)).code == Code.ORDER_NOT_FOUND


def test_cancels_say_what_they_did_not_find(world):
    zone, alice = world.zone, world.alice
    order = order_of(zone.block(post(alice, SELL, 10, 5)))
    cases = [
        (alice.cancel_order(0), Code.ORDER_NOT_FOUND),
        (alice.cancel_order(order + 1), Code.ORDER_NOT_FOUND),
        (alice.cancel_order(order | 1 << 32), Code.ORDER_NOT_FOUND),
        (alice.cancel_order(order | TOP), Code.ORDER_NOT_FOUND),
        (alice.cancel_order(1 << 32), Code.ORDER_NOT_FOUND),
        (alice.cancel_order(order | 0x80000000), Code.ORDER_NOT_FOUND),
        (alice.cancel_order((1 << 64) - 1), Code.ORDER_NOT_FOUND),
        (world.bob.cancel_order(order), Code.NOT_ORDER_OWNER),
        (world.bob.amend_order(order, 1), Code.NOT_ORDER_OWNER),
        (alice.cancel_order(order, client_id=99), Code.OK),  # the id counts
        (alice.cancel_order(order), Code.ORDER_NOT_FOUND),
        (alice.cancel_order(1 << 32 | order), Code.ORDER_NOT_FOUND),  # free, generation right
    ]
    outcome = zone.block(*[action for action, _ in cases])
    assert outcome.codes == [code for _, code in cases]
    (cancelled,) = outcome.of(events.ORDER_CANCELLED)
    assert pick(cancelled, "tif", "lots", "amount", "side", "price") == (
        enums.CANCEL_USER,
        5,
        50,
        SELL,
        10,
    )
    assert world.locked(alice, 2) == 0


# --- fills and fees ----------------------------------------------------------------------------------


def test_a_fill_pays_fees_rounded_up_and_shares_them_rounded_down(zone):
    world = build_world(zone, tickValue=1000)
    usd, btc = world.usd, world.btc
    start = world.free(world.alice, usd)
    protocol_before = world.free(world.protocol, usd)
    outcome = zone.block(post(world.alice, SELL, 333, 7), world.bob.buy(334, 10))
    # Bob locks 3 340 000 + 1 670; they trade 7 at 333: N = 2 331 000, Ft = ceil(1165.5), Fm = ceil(466.2)
    waiting, fill, fees, rested = outcome.events[1:]
    assert waiting["amount"] == 3_341_670
    assert pick(fill, "price", "lots", "left", "amount", "amount2", "side") == (
        333,
        7,
        0,
        1166,
        467,
        BUY,
    )
    assert pick(fill, "account", "other_account") == (world.bob.account, world.alice.account)
    # pot 1633, the protocol's own share ceil(233.2) + ceil(93.4) = 328 comes first; of the rest of 1305 the venue
    # gets floor(1174.5), insurance floor(130.5), and the protocol what is left
    assert pick(fees, "amount", "amount2", "left") == (1174, 130, 329)
    # the lock falls to what 3 lots at 334 need: 1 002 000 + 501
    assert pick(rested, "lots", "amount", "price") == (3, 1_002_501, 334)
    assert world.free(world.alice, usd) == start + 2_331_000 - 467
    assert world.free(world.bob, usd) == start - 2_331_000 - 1166 - 1_002_501
    assert world.free(world.bob, btc) == start + 70
    assert world.free(world.fee_account, usd) == 1174
    assert world.free(world.fund_account, usd) == 130
    assert world.free(world.protocol, usd) == protocol_before + 329


def test_the_fees_of_many_small_fills_never_pass_the_locked_worst_fee(zone):
    world = build_world(zone, takerFee=500, makerFee=0, tickValue=1)
    # ten sells of one lot at 100: each fill's fee is ceil(0.05) = 1, but the whole order locked ceil(0.5) = 1
    zone.block(world.alice.place(*[place_item(1, SELL, 100, 1, tif=TIF_POST_ONLY)] * 10))
    before = world.free(world.bob, 1)
    outcome = zone.block(world.bob.buy(100, 10))
    assert [event["amount"] for event in outcome.of(events.FILL)] == [1] + [0] * 9
    assert len(outcome.of(events.FEES)) == 1
    assert world.free(world.bob, 1) == before - 1001


def test_the_makers_fees_are_bounded_by_its_lock_too(zone):
    world = build_world(zone, takerFee=0, makerFee=500, tickValue=1)
    zone.block(post(world.alice, BUY, 100, 3))  # locks 300 + 1
    fees = [zone.block(world.bob.sell(100, 1)).of(events.FILL)[0]["amount2"] for _ in range(3)]
    assert fees == [1, 0, 0]
    assert world.locked(world.alice, 1) == 0


def test_a_seller_never_pays_more_fee_than_it_receives(zone):
    world = build_world(zone, takerFee=50_000, makerFee=50_000, tickValue=1, lotSize=1)
    zone.block(post(world.alice, BUY, 1, 1))
    outcome = zone.block(world.bob.sell(1, 1))
    (fill,) = outcome.of(events.FILL)
    assert pick(fill, "amount", "amount2") == (1, 1)
    zone.block(post(world.alice, SELL, 1, 1))
    outcome = zone.block(world.bob.buy(1, 1))
    (fill,) = outcome.of(events.FILL)
    assert pick(fill, "amount", "amount2") == (1, 1)  # each ceil(0.05), bounded by N = 1


def test_price_improvement_goes_to_the_taker_and_leaves_room_for_its_fees(zone):
    world = build_world(zone, takerFee=50_000, makerFee=0, tickValue=1)
    zone.block(post(world.alice, SELL, 10, 1), post(world.alice, SELL, 20, 1))
    before = world.free(world.bob, 1)
    outcome = zone.block(world.bob.buy(30, 2))  # locks 60 + 3
    fees = [event["amount"] for event in outcome.of(events.FILL)]
    assert fees == [1, 1]  # ceil(0.5), ceil(1.0)
    assert world.free(world.bob, 1) == before - 10 - 1 - 20 - 1
    assert world.locked(world.bob, 1) == 0


def test_a_rebate_stays_inside_the_taker_fee_less_the_protocols_share(zone):
    world = build_world(zone, takerFee=100, makerFee=-10_000, protocolShare=300_000, tickValue=1000)
    before = world.free(world.alice, 1)
    zone.block(post(world.alice, SELL, 100, 1))
    outcome = zone.block(world.bob.buy(100, 1))
    fill, fees = outcome.events[1:]
    # N = 100 000: Ft = 10; the rebate asked is 1000, at most 10 - ceil(3) = 7; pot = 3, all of it the protocol's
    assert pick(fill, "amount", "amount2") == (10, -7)
    assert pick(fees, "amount", "amount2", "left") == (0, 0, 3)
    assert world.free(world.alice, 1) == before + 100_000 + 7


def test_a_buying_maker_gets_its_rebate_out_of_the_lock(zone):
    world = build_world(zone, takerFee=1000, makerFee=-500, tickValue=1000)
    before = world.free(world.alice, 1)
    # the worst fee is the taker fee, so the lock is 200 000 + 200
    order = zone.block(post(world.alice, BUY, 100, 2)).events[0]
    assert order["amount"] == 200_200
    outcome = zone.block(world.bob.sell(100, 1))
    (fill,) = outcome.of(events.FILL)
    assert pick(fill, "amount", "amount2") == (100, -50)
    assert world.locked(world.alice, 1) == 100_100
    assert world.free(world.alice, 1) == before - 100_000 + 50 - 100_100


def test_a_rebate_does_not_fill_up_a_short_lock(zone):
    world = build_world(zone, takerFee=500, makerFee=-500, tickValue=1, protocolShare=100_000)
    # Alice locks 2 001 * 6 + ceil(6.003) = 12 013 and takes two lots for 2 001 + ceil(1.0005) each
    zone.block(*[post(world.bob, SELL, 2001, 1) for _ in range(2)])
    outcome = zone.block(world.alice.buy(2001, 6))
    assert [e["amount"] for e in outcome.of(events.FILL)] == [2, 2]
    assert (
        outcome.events[-1]["amount"] == 8007
    )  # short of what four lots would lock, 8 004 + ceil(4.002)
    before = world.free(world.alice, 1)
    (fill,) = zone.block(world.carol.sell(2001, 1)).of(events.FILL)
    assert pick(fill, "amount", "amount2") == (2, -1)
    assert world.locked(world.alice, 1) == 8007 - 2001
    assert world.free(world.alice, 1) == before + 1


def test_without_fees_there_is_no_fees_event(zone):
    world = build_world(zone, takerFee=0, makerFee=0)
    zone.block(post(world.alice, SELL, 100, 1))
    outcome = zone.block(world.bob.buy(100, 1))
    assert outcome.kinds() == [events.ORDER_WAITING, events.FILL]


def test_best_price_first_then_the_oldest(world):
    zone = world.zone
    outcome = zone.block(
        post(world.alice, SELL, 11, 1),
        post(world.carol, SELL, 10, 1),
        post(world.alice, SELL, 10, 1),
        post(world.carol, SELL, 9, 1),
    )
    d, b, c, a = (event["order"] for event in outcome.events)
    fills = zone.block(world.bob.buy(11, 4)).of(events.FILL)
    assert [event["other_order"] for event in fills] == [a, b, c, d]
    assert [event["price"] for event in fills] == [9, 10, 10, 11]
    outcome = zone.block(
        post(world.alice, BUY, 5, 1), post(world.alice, BUY, 7, 1), post(world.alice, BUY, 6, 1)
    )
    fills = zone.block(world.bob.sell(6, 9)).of(events.FILL)
    assert [event["price"] for event in fills] == [7, 6]
    assert world.book() == ([(5, 1)], [(6, 7)])


def test_the_book_remembers_its_last_trade(world):
    zone = world.zone
    zone.block(post(world.alice, SELL, 11, 5))
    zone.block(world.bob.buy(20, 2))
    zone.block(world.bob.buy(20, 1), after=5)
    book = zone.model.snapshot()["books"][1]
    assert [book[name] for name in ("last_price", "last_time", "volume_lots", "trades")] == [
        11,
        zone.time,
        3,
        2,
    ]


def test_ioc_gives_back_what_does_not_fill(world):
    zone = world.zone
    zone.block(post(world.alice, SELL, 10, 2))
    outcome = zone.block(world.bob.buy(10, 5, tif=TIF_IOC))
    cancelled = outcome.events[-1]
    assert pick(cancelled, "kind", "tif", "lots") == (events.ORDER_CANCELLED, enums.CANCEL_IOC, 3)
    # the lock of 250 + 1 paid 100 and the fee of 1
    assert cancelled["amount"] == 150
    assert world.book() == ([], [])


def test_money_of_a_trade_goes_through_the_venues_own_accounts(world):
    # the deployer trades from its fee account: fees flow into a balance that also trades
    zone = world.zone
    zone.block(post(world.alice, SELL, 10, 100))
    zone.block(world.bob.buy(10, 100))
    earned = world.free(world.fee_account, 1)
    fees = world.deployer.on(world.fee_account)
    zone.block(post(world.alice, SELL, 1, 1))
    outcome = zone.block(fees.buy(1, earned // 6))
    assert len(outcome.of(events.FILL)) == (1 if earned >= 6 else 0)


# --- self-trade prevention ---------------------------------------------------------------------------


def own_cross(world, stp, maker_lots=3, taker_lots=5, **fields):
    """Alice's buy meets her own sell at 10, then Carol's at 10."""
    zone = world.zone
    opened = zone.block(post(world.alice, SELL, 10, maker_lots), post(world.carol, SELL, 10, 10))
    own = order_of(opened)
    outcome = zone.block(world.alice.buy(10, taker_lots, stp=stp, **fields))
    return own, order_of(outcome), outcome


def test_stp_newest_cancels_the_taker(world):
    _own, taker, outcome = own_cross(world, STP_NEWEST)
    (cancelled,) = outcome.of(events.ORDER_CANCELLED)
    assert pick(cancelled, "order", "tif", "lots") == (taker, enums.CANCEL_STP, 5)
    assert world.book() == ([], [(10, 13)])
    assert world.locked(world.alice, 1) == 0


def test_stp_oldest_cancels_the_maker_and_goes_on(world):
    own, _, outcome = own_cross(world, STP_OLDEST)
    (cancelled,) = outcome.of(events.ORDER_CANCELLED)
    assert pick(cancelled, "order", "tif", "lots", "amount") == (own, enums.CANCEL_STP, 3, 30)
    (fill,) = outcome.of(events.FILL)
    assert fill["lots"] == 5
    assert world.book() == ([], [(10, 5)])


def test_stp_both_cancels_both(world):
    own, taker, outcome = own_cross(world, STP_BOTH)
    cancelled = outcome.of(events.ORDER_CANCELLED)
    assert [e["order"] for e in cancelled] == [own, taker]
    assert outcome.of(events.FILL) == []
    assert world.book() == ([], [(10, 10)])


def test_stp_decrement_takes_the_smaller_off_both(world):
    own, taker, outcome = own_cross(world, STP_DECREMENT)
    gone, less, fill = outcome.events[1:4]
    assert pick(gone, "kind", "order", "tif", "lots", "amount") == (
        events.ORDER_CANCELLED,
        own,
        enums.CANCEL_STP,
        0,
        30,
    )
    # the taker's lock falls from 250 + 1 to 100 + 1
    assert pick(less, "kind", "order", "flag", "lots", "amount") == (
        events.ORDER_AMENDED,
        taker,
        0,
        2,
        101,
    )
    assert fill["lots"] == 2
    assert world.book() == ([], [(10, 8)])


def test_stp_decrement_may_leave_the_maker(world):
    own, taker, outcome = own_cross(world, STP_DECREMENT, maker_lots=9, taker_lots=5)
    less, gone = outcome.events[1:]
    assert pick(less, "kind", "order", "lots", "amount") == (events.ORDER_AMENDED, own, 4, 40)
    assert pick(gone, "kind", "order", "lots", "amount") == (events.ORDER_CANCELLED, taker, 0, 251)
    assert world.book() == ([], [(10, 14)])


def test_stp_decrement_of_equal_sizes_leaves_neither(world):
    own, taker, outcome = own_cross(world, STP_DECREMENT, maker_lots=5, taker_lots=5)
    assert [e["order"] for e in outcome.of(events.ORDER_CANCELLED)] == [own, taker]
    assert world.book() == ([], [(10, 10)])


@pytest.mark.parametrize("stp", [STP_NEWEST, STP_OLDEST, STP_BOTH, STP_DECREMENT])
@pytest.mark.parametrize("tif", [TIF_GTC, TIF_FOK])
def test_an_own_order_admitted_later_cannot_call_a_waiting_order_back(zone, stp, tif):
    world = build_world(zone, takerDelay=3)
    zone.block(post(world.carol, SELL, 10, 5))
    waiting = order_of(zone.block(world.alice.buy(10, 5, stp=stp, tif=tif)))
    later = order_of(zone.block(post(world.alice, SELL, 9, 2)))
    zone.block()
    outcome = zone.block(after=3)
    cancelled, fill, _ = outcome.events
    assert pick(cancelled, "kind", "order", "tif") == (
        events.ORDER_CANCELLED,
        later,
        enums.CANCEL_STP,
    )
    assert pick(fill, "order", "lots") == (waiting, 5)


def test_an_own_order_re_placed_after_the_taker_counts_as_later(zone):
    world = build_world(zone, takerDelay=3)
    own = order_of(zone.block(post(world.alice, SELL, 12, 5)))
    zone.block(world.alice.buy(11, 5, stp=STP_NEWEST))
    zone.block(world.alice.amend_order(own, 5, 11, mode=AMEND_POST_ONLY))
    zone.block()
    outcome = zone.block(after=3)
    assert pick(outcome.events[0], "kind", "order") == (events.ORDER_CANCELLED, own)
    assert outcome.kinds() == [events.ORDER_CANCELLED, events.ORDER_RESTED]


def test_accounts_of_one_owner_do_trade_with_each_other(world):
    zone, alice = world.zone, world.alice
    (created,) = zone.block(alice.create_account()).events
    sub = alice.on(created["account"])
    zone.block(alice.transfer(sub.account, 1, 10_000))
    zone.block(post(alice, SELL, 10, 3))
    assert len(zone.block(sub.buy(10, 3)).of(events.FILL)) == 1


# --- fill or kill ------------------------------------------------------------------------------------


def test_fok_fills_whole_or_not_at_all(world):
    zone = world.zone
    zone.block(post(world.alice, SELL, 10, 3), post(world.carol, SELL, 11, 3))
    outcome = zone.block(world.bob.buy(11, 7, tif=TIF_FOK), world.bob.buy(10, 4, tif=TIF_FOK))
    assert [e["tif"] for e in outcome.of(events.ORDER_CANCELLED)] == [enums.CANCEL_FOK] * 2
    assert outcome.of(events.FILL) == []
    assert outcome.codes == [Code.OK] * 2  # it was admitted; its end is an event
    outcome = zone.block(world.bob.buy(11, 6, tif=TIF_FOK))
    assert [e["lots"] for e in outcome.of(events.FILL)] == [3, 3]
    assert outcome.of(events.ORDER_CANCELLED) == []


@pytest.mark.parametrize(
    ("stp", "is_filled"),
    [(STP_NEWEST, False), (STP_OLDEST, True), (STP_BOTH, False), (STP_DECREMENT, False)],
)
def test_fok_stops_looking_at_its_own_order_unless_it_would_cancel_it(world, stp, is_filled):
    _, _, outcome = own_cross(world, stp, maker_lots=3, taker_lots=5, tif=TIF_FOK)
    assert bool(outcome.of(events.FILL)) == is_filled
    assert world.book() == ([], [(10, 5 if is_filled else 13)])


def test_fok_is_content_before_it_reaches_its_own_order(world):
    zone = world.zone
    zone.block(post(world.carol, SELL, 10, 3), post(world.alice, SELL, 10, 3))
    outcome = zone.block(world.alice.buy(10, 3, tif=TIF_FOK, stp=STP_NEWEST))
    assert [e["lots"] for e in outcome.of(events.FILL)] == [3]


def test_fok_does_not_count_expired_makers(plain_world):
    world = plain_world
    zone, now = world.zone, world.zone.time
    zone.block(post(world.alice, SELL, 10, 3, expires=now + 5), post(world.carol, SELL, 10, 3))
    with small_bounds(
        zone.engine, BLOCK_TIMERS=0
    ):  # as if so many timers were due that this one must wait
        outcome = zone.block(world.bob.buy(10, 4, tif=TIF_FOK), at=now + 5)
        assert [e["tif"] for e in outcome.of(events.ORDER_CANCELLED)] == [enums.CANCEL_FOK]
        outcome = zone.block(world.bob.buy(10, 3, tif=TIF_FOK), at=now + 5)
        assert [e["lots"] for e in outcome.of(events.FILL)] == [3]


def test_fok_passes_over_its_own_expired_order(plain_world):
    world = plain_world
    zone, now = world.zone, world.zone.time
    zone.block(post(world.alice, SELL, 10, 3, expires=now + 5), post(world.carol, SELL, 10, 3))
    with small_bounds(zone.engine, BLOCK_TIMERS=0):
        outcome = zone.block(world.alice.buy(10, 3, tif=TIF_FOK, stp=STP_NEWEST), at=now + 5)
    assert [e["tif"] for e in outcome.of(events.ORDER_CANCELLED)] == [enums.CANCEL_EXPIRED]
    assert [e["lots"] for e in outcome.of(events.FILL)] == [3]


def test_fok_looks_at_256_makers(zone):
    world = build_world(zone)
    items = [place_item(1, SELL, 10, 1, tif=TIF_POST_ONLY)]
    zone.block(*[world.alice.place(*items * 30) for _ in range(8)], world.alice.place(*items * 17))
    assert world.book()[1] == [(10, 257)]
    outcome = zone.block(world.bob.buy(10, 257, tif=TIF_FOK))
    assert outcome.kinds() == [events.ORDER_WAITING, events.ORDER_CANCELLED]
    outcome = zone.block(world.bob.buy(10, 256, tif=TIF_FOK))
    assert len(outcome.of(events.FILL)) == 256
    assert world.book() == ([], [(10, 1)])


# --- waiting and release -----------------------------------------------------------------------------


def test_a_taker_waits_its_delay_and_two_blocks(zone):
    world = build_world(zone, takerDelay=3)
    start = zone.time
    zone.block(post(world.alice, SELL, 10, 5))
    order = order_of(zone.block(world.bob.buy(10, 5), at=start + 10))
    head = zone.model.snapshot()["books"][1]["head"]
    assert head == (start + 13, 2, zone.model.block + 2)
    assert zone.block(at=start + 13).kinds() == []  # in time, but only one block later
    assert zone.block(at=start + 13).of(events.FILL)[0]["order"] == order


def test_a_taker_waits_for_time_too(zone):
    world = build_world(zone, takerDelay=3)
    start = zone.time
    zone.block(post(world.alice, SELL, 10, 5))
    zone.block(world.bob.buy(10, 5), at=start + 10)
    for _ in range(4):
        assert zone.block(at=start + 12).kinds() == []
    assert zone.block(at=start + 13).kinds() == [events.FILL, events.FEES]


def test_the_makers_cancel_comes_before_the_waiting_taker(zone):
    world = build_world(zone, takerDelay=3)
    maker = order_of(zone.block(post(world.alice, SELL, 10, 5)))
    zone.block(world.bob.buy(10, 5))
    zone.block()
    outcome = zone.block(world.alice.cancel_order(maker), after=3)
    assert outcome.kinds() == [events.ORDER_CANCELLED, events.ORDER_RESTED]


def test_markets_release_by_time_then_by_admission(zone):
    world = build_world(zone, takerDelay=5)
    zone.block(list_market(2, takerDelay=3), list_market(3, takerDelay=5))
    start = zone.time
    sent = zone.block(world.bob.buy(1, 1, market=1), world.bob.buy(1, 1, market=3), at=start)
    first, third = (e["order"] for e in sent.events)
    second = order_of(zone.block(world.bob.buy(1, 1, market=2), at=start + 1))
    later = order_of(zone.block(world.bob.buy(1, 1, market=2), at=start + 2))
    heap = zone.model.snapshot()["queue"]
    assert [book for _, _, book in heap] == [2, 3, 1]  # a heap: market 2 went up, market 1 down
    zone.block(at=start + 2)
    outcome = zone.block(at=start + 9)
    rested = [e["order"] for e in outcome.of(events.ORDER_RESTED)]
    # releases: second at +4 (seq 3), first at +5 (seq 1), third at +5 (seq 2), later at +5 (seq 4)
    assert rested == [second, first, third, later]


def test_a_book_is_passed_over_until_its_heads_block_and_others_go_on(zone):
    world = build_world(zone, takerDelay=3)
    zone.block(list_market(2, takerDelay=0))
    start = zone.time
    waiting = order_of(zone.block(world.bob.buy(1, 1, market=1), at=start))
    outcome = zone.block(world.carol.buy(1, 1, market=2), at=start + 50)
    assert [e["order"] for e in outcome.of(events.ORDER_RESTED)] == [order_of(outcome)]
    outcome = zone.block(at=start + 50)
    assert [e["order"] for e in outcome.of(events.ORDER_RESTED)] == [waiting]


def test_release_times_of_one_market_never_decrease(zone):
    world = build_world(zone, takerDelay=50)
    start = zone.time
    zone.block(world.bob.buy(1, 1), at=start)
    zone.patch("market", 1, taker_delay=0)
    zone.block(world.carol.buy(1, 1), at=start + 1)
    waiting = zone.model.books[1].queue
    assert [order.release for order in waiting] == [start + 50, start + 50]


def test_cancelling_a_waiting_order_turns_its_rest_into_ioc(zone):
    world = build_world(zone, takerDelay=3)
    zone.block(post(world.alice, SELL, 10, 2))
    order = order_of(zone.block(world.bob.buy(10, 5)))
    outcome = zone.block(world.bob.cancel_order(order), world.bob.cancel_order(order))
    assert [pick(e, "kind", "tif", "flag", "lots", "amount") for e in outcome.events] == [
        (events.ORDER_AMENDED, TIF_IOC, 0, 5, 251)
    ] * 2
    assert zone.block(world.bob.amend_order(order, 3)).code == Code.ORDER_WAITING
    outcome = zone.block(after=3)
    assert outcome.kinds() == [events.FILL, events.FEES, events.ORDER_CANCELLED]
    assert pick(outcome.events[-1], "tif", "lots") == (enums.CANCEL_IOC, 3)


def test_a_waiting_order_that_expired_is_cancelled_at_release(zone):
    world = build_world(zone, takerDelay=3)
    zone.block(post(world.alice, SELL, 10, 2))
    start = zone.time
    zone.block(world.bob.buy(10, 2, expires=start + 5), at=start)
    zone.block(at=start)
    outcome = zone.block(at=start + 5)
    assert [pick(e, "kind", "tif") for e in outcome.events] == [
        (events.ORDER_CANCELLED, enums.CANCEL_EXPIRED)
    ]


@pytest.mark.parametrize(
    "change",
    [
        ("market", {"phase": enums.PHASE_POST_ONLY}),
        ("market", {"phase": enums.PHASE_HALTED}),
        ("venue", {"state": enums.VENUE_REDUCE_ONLY}),
    ],
)
def test_a_waiting_order_is_cancelled_when_its_market_is_not_continuous(zone, change):
    world = build_world(zone, takerDelay=3)
    zone.block(world.bob.buy(10, 2))
    table, values = change
    zone.patch(table, 1, **values)
    zone.block()
    outcome = zone.block(after=3)
    assert [pick(e, "kind", "tif") for e in outcome.events] == [
        (events.ORDER_CANCELLED, enums.CANCEL_MARKET)
    ]


def test_a_taker_meets_256_makers_a_block_and_waits_on(zone):
    world = build_world(zone)
    items = [place_item(1, SELL, 10, 1, tif=TIF_POST_ONLY)]
    for who in (world.alice, world.carol):
        zone.block(*[who.place(*items * 30) for _ in range(10)])
    outcome = zone.block(world.bob.buy(10, 300), world.bob.buy(10, 300), world.bob.buy(9, 1))
    assert len(outcome.of(events.FILL)) == 256
    assert outcome.of(events.ORDER_RESTED) == []  # the whole book waits on
    first, second, _ = (e["order"] for e in outcome.of(events.ORDER_WAITING))
    block = zone.model.snapshot()["books"][1]
    assert block["head"][2] == zone.model.block + 1
    outcome = zone.block()
    fills = outcome.of(events.FILL)
    assert [e["order"] for e in fills] == [first] * 44 + [second] * 256
    outcome = zone.block()
    assert [e["order"] for e in outcome.of(events.FILL)] == [second] * 44
    assert len(outcome.of(events.ORDER_RESTED)) == 1
    assert world.book() == ([(9, 1)], [])


def test_a_taker_that_met_256_makers_and_does_not_cross_any_more_rests(zone):
    world = build_world(zone)
    items = [place_item(1, SELL, 10, 1, tif=TIF_POST_ONLY)]
    zone.block(*[world.alice.place(*items * 30) for _ in range(8)], world.alice.place(*items * 16))
    zone.block(post(world.alice, SELL, 11, 1))
    outcome = zone.block(world.bob.buy(10, 300))
    assert len(outcome.of(events.FILL)) == 256
    assert [e["lots"] for e in outcome.of(events.ORDER_RESTED)] == [44]


def test_makers_met_and_not_filled_count(zone):
    world = build_world(zone)
    own = [place_item(1, SELL, 10, 1, tif=TIF_POST_ONLY)]
    zone.block(*[world.bob.place(*own * 30) for _ in range(8)], world.bob.place(*own * 15))
    zone.block(post(world.alice, SELL, 10, 1), post(world.alice, SELL, 10, 1))
    outcome = zone.block(world.bob.buy(10, 300, stp=STP_OLDEST))
    assert len(outcome.of(events.ORDER_CANCELLED)) == 255
    assert len(outcome.of(events.FILL)) == 1
    assert outcome.of(events.ORDER_RESTED) == []
    outcome = zone.block()
    assert outcome.kinds() == [events.FILL, events.FEES, events.ORDER_RESTED]


def test_a_taker_that_waits_on_can_be_cancelled_between_blocks(zone):
    world = build_world(zone)
    items = [place_item(1, SELL, 10, 1, tif=TIF_POST_ONLY)]
    zone.block(*[world.alice.place(*items * 30) for _ in range(9)])
    order = order_of(zone.block(world.bob.buy(10, 300)))
    outcome = zone.block(world.bob.cancel_order(order))
    assert len(outcome.of(events.FILL)) == 14
    assert pick(outcome.events[-1], "kind", "tif", "lots") == (
        events.ORDER_CANCELLED,
        enums.CANCEL_IOC,
        30,
    )


def test_a_block_has_8192_meetings_and_release_goes_on_in_the_next(zone):
    world = build_world(zone)
    # 31 takers meet 256 own makers each and one released order: 31 * 257 = 7967, so 225 are left
    own = [place_item(1, BUY, 1, 1)] * 30
    for who in (world.alice, world.bob, world.carol):
        zone.block(*[who.place(*own) for _ in range(33)])
    zone.block(list_market(2))
    asks = [place_item(2, SELL, 10, 1, tif=TIF_POST_ONLY)] * 30
    others = [add_owner(zone, number) for number in range(20, 32)]
    for who in others:
        add_funds(zone, who, 2, 10**6)
        zone.block(*[who.place(*asks) for _ in range(33)])
    dave = add_owner(zone, 50)
    add_funds(zone, dave, 1, 10**9)
    taker = place_item(2, BUY, 10, 256, tif=TIF_IOC)
    outcome = zone.block(dave.place(*[taker] * 30), dave.place(*[taker] * 10))
    assert len(outcome.of(events.FILL)) == 32 * 256 - (32 * 257 - limits.BLOCK_MEETINGS) + 32
    outcome = zone.block()
    assert outcome.kinds()[0] == events.FILL


def test_without_delay_a_taker_goes_in_the_block_of_its_admission(world):
    outcome = world.zone.block(post(world.alice, SELL, 10, 5), world.bob.buy(10, 5))
    assert outcome.kinds() == [
        events.ORDER_RESTED,
        events.ORDER_WAITING,
        events.FILL,
        events.FEES,
    ]


# --- expiry ------------------------------------------------------------------------------------------


def test_orders_expire_in_the_order_of_their_times_then_of_their_admission(world):
    zone, start = world.zone, world.zone.time
    ends = [start + 30, start + 20, start + 30, start + 10, start + 20]
    items = [place_item(1, BUY, 1, 1, tif=TIF_POST_ONLY, expires=end) for end in ends]
    orders = [e["order"] for e in zone.block(world.alice.place(*items)).events]
    assert zone.block(at=start + 9).events == []
    outcome = zone.block(at=start + 30)
    assert [e["order"] for e in outcome.events] == [orders[i] for i in (3, 1, 4, 0, 2)]
    assert {pick(e, "kind", "tif", "leaf") for e in outcome.events} == {
        (events.ORDER_CANCELLED, enums.CANCEL_EXPIRED, 0)
    }
    assert zone.model.timers.nodes == []


def test_a_block_serves_so_many_timers_and_the_next_one_the_others(plain_world):
    zone, start = plain_world.zone, plain_world.zone.time
    items = [place_item(1, BUY, 1, 1, tif=TIF_POST_ONLY, expires=start + 9)] * 5
    orders = [e["order"] for e in zone.block(plain_world.alice.place(*items)).events]
    with small_bounds(zone.engine, BLOCK_TIMERS=2):
        for expected in (orders[:2], orders[2:4], orders[4:], []):
            assert [e["order"] for e in zone.block(at=start + 9).events] == expected


def test_a_waiting_order_outlives_its_expiry_until_its_release(zone):
    world = build_world(zone, takerDelay=50)
    start = zone.time
    zone.block(world.bob.buy(10, 2, expires=start + 10), at=start)
    assert zone.block(at=start + 20).events == []
    assert zone.model.timers.nodes == []
    outcome = zone.block(at=start + 50)
    assert [pick(e, "kind", "tif") for e in outcome.events] == [
        (events.ORDER_CANCELLED, enums.CANCEL_EXPIRED)
    ]


def test_a_taker_cancels_the_expired_makers_it_meets(plain_world):
    world = plain_world
    zone, now = world.zone, world.zone.time
    zone.block(post(world.alice, SELL, 10, 3, expires=now + 5), post(world.carol, SELL, 10, 3))
    with small_bounds(zone.engine, BLOCK_TIMERS=0):
        outcome = zone.block(world.bob.buy(10, 4), at=now + 5)
    cancelled, fill = outcome.events[1:3]
    assert pick(cancelled, "kind", "tif", "lots") == (
        events.ORDER_CANCELLED,
        enums.CANCEL_EXPIRED,
        3,
    )
    assert fill["lots"] == 3


# --- amending ----------------------------------------------------------------------------------------


def test_a_shrink_keeps_its_priority_in_every_mode(world):
    zone = world.zone
    for mode in (AMEND_SHRINK, AMEND_POST_ONLY, AMEND_TAKE):
        first = order_of(zone.block(post(world.alice, SELL, 10, 5), post(world.carol, SELL, 10, 5)))
        outcome = zone.block(world.alice.amend_order(first, 2, 10, mode=mode))
        (amended,) = outcome.events
        assert pick(amended, "kind", "flag", "lots", "amount", "tif") == (
            events.ORDER_AMENDED,
            0,
            2,
            20,
            TIF_POST_ONLY,
        )
        fills = zone.block(world.bob.buy(10, 7)).of(events.FILL)
        assert fills[0]["other_order"] == first
        assert world.book() == ([], [])


def test_a_shrink_to_the_same_size_is_recorded(world):
    order = order_of(world.zone.block(post(world.alice, SELL, 10, 5)))
    outcome = world.zone.block(world.alice.amend_order(order, 5))
    assert outcome.kinds() == [events.ORDER_AMENDED]


def test_the_size_of_an_amend_includes_what_is_filled(world):
    zone = world.zone
    order = order_of(zone.block(post(world.alice, BUY, 10, 10)))
    zone.block(world.bob.sell(10, 4))
    outcome = zone.block(world.alice.amend_order(order, 7))
    # open 3: the lock falls to 150 + ceil(0.075)
    assert pick(outcome.events[0], "lots", "amount") == (3, 151)
    outcome = zone.block(world.alice.amend_order(order, 4))
    assert pick(outcome.events[0], "kind", "tif", "lots", "amount") == (
        events.ORDER_CANCELLED,
        enums.CANCEL_AMEND,
        3,
        151,
    )


def test_a_shrink_gives_back_no_more_than_the_lock_needs(zone):
    world = build_world(zone, takerFee=500, makerFee=500, tickValue=1)
    order = order_of(zone.block(post(world.alice, BUY, 100, 3)))  # locks 300 + 1
    zone.block(world.bob.sell(100, 1))  # pays 100 + 1: 200 are left, though lock_buy is 201
    outcome = zone.block(world.alice.amend_order(order, 3))
    assert pick(outcome.events[0], "lots", "amount") == (2, 200)
    outcome = zone.block(world.alice.amend_order(order, 2))
    assert pick(outcome.events[0], "lots", "amount") == (1, 101)


def test_amends_that_fail_leave_the_order_as_it_was(zone):
    world = build_world(zone, minNotional=100, maxNotional=10_000, usd=2000, btc=1000)
    alice = world.alice
    order = order_of(zone.block(post(alice, BUY, 10, 20)))  # locks 1001, 999 are free
    zone.block(post(world.bob, SELL, 15, 20))
    before = zone.model.snapshot()["orders"][order]
    cases = [
        ((0, 0, AMEND_SHRINK), Code.LOTS_OUT_OF_RANGE),
        ((1_000_001, 0, AMEND_TAKE), Code.LOTS_OUT_OF_RANGE),
        ((TOP, 0, AMEND_TAKE), Code.LOTS_OUT_OF_RANGE),
        ((20, 0, 4), Code.BAD_ORDER_FIELD),
        ((20, 0, 255), Code.BAD_ORDER_FIELD),
        ((21, 0, AMEND_SHRINK), Code.NOT_A_SHRINK),
        ((20, 9, AMEND_SHRINK), Code.NOT_A_SHRINK),
        ((20, 11, AMEND_SHRINK), Code.NOT_A_SHRINK),
        ((20, 100_001, AMEND_TAKE), Code.PRICE_OUT_OF_RANGE),
        ((20, 0xFFFFFFFF, AMEND_TAKE), Code.PRICE_OUT_OF_RANGE),
        ((19, 1, AMEND_POST_ONLY), Code.NOTIONAL_TOO_SMALL),
        ((1, 0, AMEND_SHRINK), Code.NOTIONAL_TOO_SMALL),
        ((1, 10, AMEND_TAKE), Code.NOTIONAL_TOO_SMALL),
        ((201, 10, AMEND_POST_ONLY), Code.NOTIONAL_TOO_LARGE),
        ((20, 15, AMEND_POST_ONLY), Code.POST_ONLY_WOULD_CROSS),
        ((40, 10, AMEND_POST_ONLY), Code.INSUFFICIENT_BALANCE),
        ((40, 10, AMEND_TAKE), Code.INSUFFICIENT_BALANCE),
    ]
    outcome = zone.block(
        alice.amend(
            *[amend_item(order, lots, price, mode=mode) for (lots, price, mode), _ in cases]
        )
    )
    assert [e["error"] for e in outcome.events] == [code for _, code in cases]
    assert zone.model.snapshot()["orders"][order] == before
    # the lock already held counts: 39 lots need 1950 + 1, 950 more than before
    assert zone.block(alice.amend_order(order, 39, mode=AMEND_POST_ONLY)).code == Code.OK


def test_a_post_only_amend_re_places_the_order_at_the_end_of_its_level(world):
    zone, alice = world.zone, world.alice
    order = order_of(
        zone.block(post(alice, SELL, 10, 5, client_id=9), post(world.carol, SELL, 11, 5))
    )
    outcome = zone.block(alice.amend_order(order, 6, 11, mode=AMEND_POST_ONLY))
    amended, rested = outcome.events
    assert pick(amended, "kind", "order", "flag", "price", "lots", "amount", "tif") == (
        events.ORDER_AMENDED,
        order,
        1,
        11,
        6,
        60,
        TIF_POST_ONLY,
    )
    assert pick(rested, "kind", "order", "client_id0", "tif") == (
        events.ORDER_RESTED,
        order,
        9,
        TIF_POST_ONLY,
    )
    fills = zone.block(world.bob.buy(11, 11)).of(events.FILL)
    assert [e["other_account"] for e in fills] == [world.carol.account, alice.account]


def test_a_taking_amend_waits_like_any_taker(zone):
    world = build_world(zone, takerDelay=3)
    order = order_of(
        zone.block(post(world.alice, BUY, 9, 5, client_id=3), post(world.bob, SELL, 10, 2))
    )
    outcome = zone.block(world.alice.amend_order(order, 5, 10, mode=AMEND_TAKE))
    amended, waiting = outcome.events
    assert pick(amended, "kind", "order", "flag", "tif") == (
        events.ORDER_AMENDED,
        order,
        1,
        TIF_GTC,
    )
    assert pick(waiting, "kind", "order", "price", "tif", "client_id0") == (
        events.ORDER_WAITING,
        order,
        10,
        TIF_GTC,
        3,
    )
    assert world.book() == ([], [(10, 2)])
    zone.block()
    outcome = zone.block(after=3)
    assert outcome.kinds() == [events.FILL, events.FEES, events.ORDER_RESTED]
    assert outcome.events[-1]["lots"] == 3
    assert zone.model.snapshot()["orders"][order]["filled"] == 2


def test_a_re_placed_order_keeps_filled_expiry_and_stp(world):
    zone = world.zone
    end = zone.time + 1000
    order = order_of(zone.block(post(world.alice, BUY, 9, 5, expires=end, stp=STP_BOTH)))
    zone.block(world.bob.sell(9, 2))
    outcome = zone.block(world.alice.amend_order(order, 8, 10, mode=AMEND_TAKE))
    # open 8 - 2 = 6
    assert [e["lots"] for e in outcome.events] == [6, 6, 6]
    record = zone.model.snapshot()["orders"][order]
    assert (record["expires"], record["stp"], record["filled"]) == (end, STP_BOTH, 2)
    assert (record["tif"], record["lots"]) == (TIF_GTC, 6)


def test_a_re_place_with_nothing_open_cancels(world):
    zone = world.zone
    order = order_of(zone.block(post(world.alice, BUY, 9, 5)))
    zone.block(world.bob.sell(9, 2))
    outcome = zone.block(
        world.alice.amend(amend_item(order, 2, 10), amend_item(order, 2, 10, mode=AMEND_POST_ONLY))
    )
    assert [pick(e, "kind", "error", "tif", "lots") for e in outcome.events] == [
        (events.ITEM_REJECTED, Code.NOT_A_SHRINK, 0, 0),
        (events.ORDER_CANCELLED, 0, enums.CANCEL_AMEND, 3),
    ]


def test_amends_need_an_open_market_unless_they_shrink(world):
    zone, alice = world.zone, world.alice
    order = order_of(zone.block(post(alice, BUY, 9, 5)))
    zone.patch("market", 1, phase=enums.PHASE_POST_ONLY)
    outcome = zone.block(
        alice.amend_order(order, 7, mode=AMEND_TAKE),
        alice.amend_order(order, 6, mode=AMEND_POST_ONLY),
    )
    assert outcome.codes == [Code.MARKET_CLOSED, Code.OK]
    zone.patch("market", 1, phase=enums.PHASE_HALTED)
    outcome = zone.block(
        alice.amend_order(order, 7, mode=AMEND_POST_ONLY), alice.amend_order(order, 3)
    )
    assert outcome.codes == [Code.MARKET_CLOSED, Code.OK]
    zone.patch("market", 1, phase=enums.PHASE_CONTINUOUS, access=enums.ACCESS_LIST)
    denied = zone.block(alice.amend_order(order, 6, mode=AMEND_POST_ONLY))
    assert denied.code == Code.ACCESS_DENIED
    assert zone.block(alice.amend_order(order, 2)).code == Code.OK
    assert zone.block(alice.cancel_order(order)).code == Code.OK


def test_a_re_place_needs_an_order_that_has_not_expired(plain_world):
    zone, alice = plain_world.zone, plain_world.alice
    now = zone.time
    order = order_of(zone.block(post(alice, BUY, 9, 5, expires=now + 5), at=now))
    zone.patch("market", 1, phase=enums.PHASE_HALTED)
    with small_bounds(zone.engine, BLOCK_TIMERS=0):
        outcome = zone.block(
            alice.amend_order(order, 6, mode=AMEND_POST_ONLY),
            alice.amend_order(order, 6, mode=AMEND_TAKE),
            alice.amend_order(order, 4),
            at=now + 5,
        )
    assert outcome.codes == [Code.ORDER_EXPIRED, Code.ORDER_EXPIRED, Code.OK]


def test_what_is_left_of_a_partly_filled_order_may_be_amended_below_the_minimum_only_to_itself(
    zone,
):
    world = build_world(zone, minNotional=100)
    order = order_of(zone.block(post(world.alice, SELL, 10, 3)))
    zone.block(world.bob.buy(10, 2))
    outcome = zone.block(
        world.alice.amend_order(order, 3),  # open 1, as it is: 50 is below the minimum
        world.alice.amend_order(order, 3, 11, mode=AMEND_POST_ONLY),
        world.alice.amend_order(order, 2),
    )
    # the first is class 1, so is the third, which cancels; the second finds nothing
    assert outcome.codes == [Code.OK, Code.ORDER_NOT_FOUND, Code.OK]


def test_an_amend_that_frees_money_needs_none(zone):
    world = build_world(zone, usd=1001)
    order = order_of(zone.block(post(world.alice, BUY, 10, 20)))
    assert world.free(world.alice, 1) == 0
    outcome = zone.block(world.alice.amend_order(order, 30, 5, mode=AMEND_POST_ONLY))
    # the new lock is 750 and a fee of ceil(0.375)
    assert outcome.events[-1]["amount"] == 751
    assert world.free(world.alice, 1) == 250


# --- extremes ----------------------------------------------------------------------------------------


def test_the_largest_order_that_can_be_listed_trades_exactly(zone):
    top = limits.MAX_NOTIONAL
    world = build_world(
        zone,
        usd=limits.MAX_TOTAL_ATOMS // 3,
        btc=limits.MAX_TOTAL_ATOMS // 3,
        maxPrice=1,
        tickValue=1,
        maxLots=top,
        lotSize=1,
        takerFee=limits.MAX_TAKER_FEE,
        makerFee=limits.MAX_MAKER_FEE,
    )
    lots = world.free(world.bob, 1) * 1_000_000 // 1_050_000 - 1
    outcome = zone.block(world.bob.buy(1, top), world.bob.buy(1, lots), world.alice.sell(1, lots))
    assert outcome.codes == [Code.INSUFFICIENT_BALANCE, Code.OK, Code.OK]
    (fill,) = outcome.of(events.FILL)
    fee = -(-lots * limits.MAX_TAKER_FEE // limits.PPM)
    assert pick(fill, "lots", "amount", "amount2") == (lots, fee, fee)


def test_volume_and_notional_do_not_overflow_over_many_large_trades(zone):
    top = limits.MAX_NOTIONAL
    world = build_world(
        zone,
        usd=1 << 60,
        btc=1 << 60,
        maxPrice=1,
        tickValue=1,
        maxLots=top,
        lotSize=1,
        takerFee=0,
        makerFee=0,
    )
    lots = (1 << 60) - 1
    for _ in range(4):
        zone.block(world.bob.buy(1, lots), world.alice.sell(1, lots))
        zone.block(world.alice.buy(1, lots), world.bob.sell(1, lots))
    assert zone.model.books[1].volume_lots == 8 * lots % (1 << 62)
