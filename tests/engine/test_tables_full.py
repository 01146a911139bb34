"""What happens when a table, a list or a bucket is full: in model, compiled engine and step executor.

Tables are not filled: the high-water mark is moved to the end (`exhaust`), a count to its bound (`put`), or the bounds
are made small (`small_bounds`, for model and step executor).
"""

from __future__ import annotations

import pytest

from tests.engine.stepped import Executor, PairZone, SteppedZone, small_bounds
from tests.model.engine import Model
from tests.model.world import (
    World,
    act,
    add_funds,
    add_owner,
    build_world,
    cancel_item,
    create_venue,
    credential,
    deposit,
    get_address,
    list_event,
    list_market,
    list_outcome,
    payouts,
    place_item,
    register_asset,
    register_owner,
    tell,
    update_market,
)
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.enums import BUY, SELL, TIF_POST_ONLY
from tradezone.protocol.errors import Code
from tradezone.protocol.hashing import keccak
from tradezone.protocol.records import TABLE_BY_NAME

FULL = Code.TABLE_FULL


def post(who, side, price, lots, **fields):
    market = fields.pop("market", 1)
    return who.place(place_item(market, side, price, lots, tif=TIF_POST_ONLY, **fields))


def stop(who, market=1, **values):
    terms = {
        "market": market,
        "side": SELL,
        "kind": enums.PLAN_STOP,
        "trigger": 5,
        "price": 5,
        "lots": 1,
    }
    return act(who, actions.PLACE_PLAN, **(terms | values))


def errors(outcome):
    return [event["error"] for event in outcome.events if event["error"]]


@pytest.fixture
def world():
    """Model, compiled engine and step executor; markets 2 (two outcomes) and 3, 4, 5 (three)."""
    return build_stage(SteppedZone())


@pytest.fixture
def pair():
    """Compiled engine and step executor alone, whose records may be changed at will."""
    return build_stage(PairZone())


def build_stage(zone):
    world = build_world(zone)
    zone.block(
        register_asset(3),
        register_asset(4, kind=enums.ASSET_SIMULATED, venue=1),
        tell(messages.SET_ASSET, asset=4, faucetAmount=500, faucetInterval=1000),
        list_event(1, 2),
        list_event(2, 3),
        list_outcome(2, 1),
        *(list_outcome(market, 2) for market in (3, 4, 5)),
    )
    return world


# --- messages ----------------------------------------------------------------------------------------


MESSAGES = {
    "owner": lambda: register_owner(6, get_address(50)),
    "key": lambda: register_owner(6, get_address(50)),
    "asset": lambda: register_asset(5),
    "venue": lambda: create_venue(2, 2),
    "market": lambda: list_market(6, base=3, quote=1),
    "event_group": lambda: list_event(3, 2),
    "calendar": lambda: tell(messages.SET_CALENDAR, calendar=1, venue=1),
}


@pytest.mark.parametrize("table", MESSAGES)
def test_a_message_that_finds_no_room_is_ignored_and_one_slot_is_enough(world, table):
    zone, message = world.zone, MESSAGES[table]()
    is_id = table != "key"
    zone.exhaust(table, left=0)
    shifted = is_id and zone.model.slots[table].high_water
    outcome = zone.block(renumber(message, shifted) if shifted else message)
    assert errors(outcome) == [FULL]
    zone.exhaust(table, left=1)
    shifted = is_id and zone.model.slots[table].high_water
    outcome = zone.block(renumber(message, shifted) if shifted else message)
    assert errors(outcome) == []


def renumber(message, number):
    """The message with another number of what it registers or lists."""
    layout = messages.BODIES[message.kind]
    values = actions.unpack(layout, message.payload)
    name = {
        messages.REGISTER_OWNER: "owner",
        messages.REGISTER_ASSET: "asset",
        messages.CREATE_VENUE: "venue",
        messages.LIST_MARKET: "market",
        messages.LIST_EVENT: "group",
        messages.SET_CALENDAR: "calendar",
    }[message.kind]
    values[name] = number
    if name == "market":
        values["id"] = values["id"] >> 16 << 16 | number & 0xFFFF
    return type(message)(message.kind, actions.pack(layout, values), message.time)


@pytest.mark.parametrize("left", [0, 1])
def test_an_owner_needs_one_account_and_a_venue_two(world, left):
    zone = world.zone
    zone.exhaust("account", left=left)
    outcome = zone.block(create_venue(2, 2), register_owner(6, get_address(50)))
    assert errors(outcome) == [FULL] * (2 - left)


@pytest.mark.parametrize("left", [2, 3])
def test_a_listing_needs_three_balances(world, left):
    zone = world.zone
    zone.block(list_event(3, 2))
    zone.exhaust("balance", left=left)
    outcome = zone.block(list_market(6, base=2, quote=3))
    assert errors(outcome) == [FULL] * (3 - left)
    zone.exhaust("balance", left=left)
    number = 6 + (left == 3)
    assert errors(zone.block(list_outcome(number, 3))) == [FULL] * (3 - left)


@pytest.mark.parametrize("left", [0, 1])
def test_a_door_needs_a_market_and_one_balance(world, left):
    zone = world.zone
    zone.block(create_venue(2, 2))
    door = {"market": 6, "id": 2 << 16 | 6, "venue": 2, "home": 1}
    zone.exhaust("balance", left=left)
    assert errors(zone.block(tell(messages.LIST_GUEST, **door))) == [FULL] * (1 - left)


def test_a_deposit_that_finds_neither_balance_nor_outbox_is_ignored(world):
    zone, alice = world.zone, world.alice
    put = deposit(alice.owner, alice.address, 3, 9)
    zone.exhaust("balance", left=limits.RESERVED_BALANCES)
    zone.exhaust("outbox", left=1)
    assert zone.block(put).kinds() == [events.DEPOSITED, events.WITHDRAWN]
    assert errors(zone.block(put)) == [FULL]
    assert zone.model.assets[3].total == 0
    # what it holds already needs neither
    assert errors(zone.block(deposit(alice.owner, alice.address, 1, 9))) == []


# --- money and keys ----------------------------------------------------------------------------------


def test_actions_that_open_a_balance_leave_the_reserve_free(world):
    zone, alice, deployer = world.zone, world.alice, world.deployer
    zone.block(deposit(alice.owner, alice.address, 3, 100), alice.create_account())
    sub = zone.model.owners[alice.owner].accounts[-1]
    zone.exhaust("balance", left=limits.RESERVED_BALANCES)
    outcome = zone.block(
        alice.transfer(sub, 3, 5),
        act(alice, actions.OPEN_BALANCE, asset=4),
        act(alice, actions.FAUCET, asset=4),
        act(deployer, actions.ISSUE, asset=4, toAccount=deployer.account, amount=5),
    )
    assert outcome.codes == [FULL] * 4
    zone.exhaust("balance", left=limits.RESERVED_BALANCES + 3)
    outcome = zone.block(
        alice.transfer(sub, 3, 5),
        act(alice, actions.FAUCET, asset=4),
        act(deployer, actions.ISSUE, asset=4, toAccount=deployer.account, amount=5),
        act(alice.on(sub), actions.OPEN_BALANCE, asset=1),
    )
    assert outcome.codes == [Code.OK] * 3 + [FULL]


def test_a_withdrawal_needs_a_place_in_the_outbox(world):
    zone = world.zone
    zone.exhaust("outbox", left=1)
    outcome = zone.block(world.alice.withdraw(1, 5), world.alice.withdraw(1, 5))
    assert outcome.codes == [Code.OK, FULL]


@pytest.mark.parametrize("table", ["key", "account"])
def test_keys_and_accounts_leave_the_reserve_free(world, table):
    zone, alice = world.zone, world.alice
    owners, venues = (len(zone.model.snapshot()[name]) for name in ("owners", "venues"))
    reserve = {
        "key": limits.RESERVED_KEYS - owners,
        "account": limits.RESERVED_ACCOUNTS - owners - 2 * venues,
    }[table]
    zone.exhaust(table, left=reserve + 1)
    act_once = {"key": lambda: alice.approve_key(get_address(60)), "account": alice.create_account}
    assert zone.block(act_once[table](), act_once[table]()).codes == [Code.OK, FULL]


def test_approvals_need_room(world):
    zone, alice = world.zone, world.alice
    zone.exhaust("approval", left=1)
    approve = {"maxFee": 5}
    grant = {"venue": 1, "grantee": world.bob.owner}
    outcome = zone.block(
        act(alice, actions.APPROVE_INTERFACE, interface=world.bob.account, **approve),
        act(alice, actions.APPROVE_INTERFACE, interface=world.carol.account, **approve),
        act(alice, actions.APPROVE_INTERFACE, interface=world.bob.account, maxFee=7),
        act(world.deployer, actions.GRANT_ACCESS, **grant),
    )
    assert outcome.codes == [Code.OK, FULL, Code.OK, FULL]
    provider = get_address(77)
    venue = {"venue": 1, "state": 1, "access": enums.ACCESS_CREDENTIAL, "regions": 2}
    zone.block(tell(messages.UPDATE_VENUE, credentialProvider=provider, **venue))
    terms = {"venue": 1, "owner": alice.owner, "subject": alice.address, "region": 1}
    terms |= {"issued": zone.time, "expires": zone.time + 1000}
    assert zone.block(credential(provider, **terms)).code == FULL
    act_free = act(alice, actions.APPROVE_INTERFACE, interface=world.bob.account, maxFee=0)
    assert zone.block(act_free).code == Code.OK
    assert zone.block(credential(provider, **terms)).code == Code.OK


# --- orders, plans, holdings -------------------------------------------------------------------------


def test_an_order_needs_a_slot_and_a_freed_one_will_do(world):
    zone, alice = world.zone, world.alice
    (first,) = zone.block(post(alice, BUY, 1, 1)).of(events.ORDER_RESTED)
    zone.exhaust("order")
    assert zone.block(post(alice, BUY, 1, 1)).code == FULL
    outcome = zone.block(alice.cancel(cancel_item(first["order"])), post(alice, BUY, 1, 1))
    assert outcome.codes == [Code.OK, Code.OK]
    (again,) = outcome.of(events.ORDER_RESTED)
    assert again["order"] == first["order"] + (1 << 32)


def test_a_plan_needs_a_slot(world):
    world.zone.exhaust("plan", left=1)
    outcome = world.zone.block(stop(world.carol), stop(world.carol))
    assert outcome.codes == [Code.OK, FULL]


def test_a_plan_that_finds_the_order_table_full_fails_and_is_gone(pair):
    zone = pair.zone
    zone.block(stop(pair.carol), stop(pair.carol), post(pair.alice, SELL, 5, 2))
    order = TABLE_BY_NAME["order"]
    zone.put("head", order.number, in_use=order.capacity - 2)
    outcome = zone.block(pair.bob.buy(5, 1), pair.bob.buy(5, 1))
    assert outcome.codes == [Code.OK, FULL]
    # the taker is gone and leaves one slot, for the first of two plans
    assert len(outcome.of(events.PLAN_TRIGGERED)) == 1
    (failed,) = outcome.of(events.PLAN_FAILED)
    assert failed["error"] == FULL
    assert zone.get("account", pair.carol.account)["plan_count"] == 0


def test_an_outcome_order_needs_room_for_its_holding(world):
    zone, alice, bob = world.zone, world.alice, world.bob
    zone.exhaust("holding", left=1)
    outcome = zone.block(
        post(alice, BUY, 40, 1, market=2),
        post(bob, BUY, 40, 1, market=2),
        post(alice, BUY, 41, 1, market=2),
    )
    assert outcome.codes == [Code.OK, FULL, Code.OK]


@pytest.mark.parametrize("left", [2, 3])
def test_a_split_needs_room_for_a_holding_of_every_outcome(world, left):
    zone = world.zone
    zone.exhaust("holding", left=left)
    outcome = zone.block(act(world.alice, actions.SPLIT, group=2, lots=1))
    assert outcome.codes == [Code.OK if left == 3 else FULL]


def test_a_merge_and_a_redemption_wait_for_a_balance(world):
    zone, alice = world.zone, world.alice
    zone.block(act(alice, actions.SPLIT, group=2, lots=3))
    zone.block(alice.withdraw(1, world.free(alice, 1)))
    zone.block(act(alice, actions.CLOSE_BALANCE, asset=1))
    zone.exhaust("balance", left=limits.RESERVED_BALANCES)
    zone.model.slots["balance"].free.clear()  # the slot that was just freed is taken out of play
    zone.engine.tables["head"]["first_free"][TABLE_BY_NAME["balance"].number] = 0
    zone.exhaust("balance", left=limits.RESERVED_BALANCES)
    assert zone.block(act(alice, actions.MERGE, group=2, lots=1)).code == FULL
    vector = payouts(2000, 3000, 5000)
    resolution = tell(messages.RESOLUTION, group=2, state=2, payouts=vector)
    outcome = zone.block(resolution, act(alice, actions.REDEEM, market=3))
    assert outcome.code == FULL
    assert outcome.of(events.REDEEMED) == []  # the sweep passes over it too
    assert zone.model.groups[2].cash == 30_000
    zone.exhaust("balance", left=limits.RESERVED_BALANCES + 1)
    assert zone.block(act(alice, actions.REDEEM, market=3)).code == Code.OK


# --- counts of accounts and owners -------------------------------------------------------------------


def test_an_account_has_so_many_orders(pair):
    zone, alice = pair.zone, pair.alice
    zone.put("account", alice.account, order_count=limits.MAX_OPEN_ORDERS - 1)
    outcome = zone.block(post(alice, BUY, 1, 1), post(alice, BUY, 1, 1), post(pair.bob, BUY, 1, 1))
    assert outcome.codes == [Code.OK, Code.TOO_MANY_ORDERS, Code.OK]
    (first, _) = outcome.of(events.ORDER_RESTED)
    outcome = zone.block(alice.cancel_order(first["order"]), alice.buy(1, 1), alice.buy(1, 1))
    assert outcome.codes == [Code.OK, Code.OK, Code.TOO_MANY_ORDERS]


def test_an_account_has_so_many_plans(pair):
    zone, alice = pair.zone, pair.alice
    zone.put("account", alice.account, plan_count=limits.MAX_PLANS - 1)
    assert zone.block(stop(alice), stop(alice)).codes == [Code.OK, Code.TOO_MANY_PLANS]


def test_an_account_has_so_many_holdings(pair):
    zone, alice = pair.zone, pair.alice
    zone.put("account", alice.account, holding_count=limits.MAX_HOLDINGS - 3)
    split = act(alice, actions.SPLIT, group=2, lots=1)
    outcome = zone.block(split, post(alice, BUY, 4, 1, market=2), post(alice, BUY, 4, 1, market=3))
    assert outcome.codes == [Code.OK, Code.TOO_MANY_HOLDINGS, Code.OK]
    zone.put("account", pair.bob.account, holding_count=limits.MAX_HOLDINGS - 2)
    assert zone.block(act(pair.bob, actions.SPLIT, group=2, lots=1)).code == Code.TOO_MANY_HOLDINGS


def test_an_account_has_so_many_balances(pair):
    zone, alice, bob = pair.zone, pair.alice, pair.bob
    zone.block(deposit(bob.owner, bob.address, 3, 100), alice.create_account())
    zone.put("account", alice.account, balance_count=limits.MAX_BALANCES)
    outcome = zone.block(
        act(alice, actions.OPEN_BALANCE, asset=3), act(alice, actions.FAUCET, asset=4)
    )
    assert outcome.codes == [Code.TOO_MANY_BALANCES] * 2
    outcome = zone.block(deposit(alice.owner, alice.address, 3, 7))
    assert outcome.kinds() == [events.DEPOSITED, events.WITHDRAWN]
    zone.put("account", alice.account, balance_count=limits.MAX_BALANCES - 1)
    outcome = zone.block(
        act(alice, actions.OPEN_BALANCE, asset=3), act(alice, actions.FAUCET, asset=4)
    )
    assert outcome.codes == [Code.OK, Code.TOO_MANY_BALANCES]


def test_an_account_has_so_many_approvals(pair):
    zone, alice = pair.zone, pair.alice
    zone.put("account", alice.account, approval_count=limits.MAX_APPROVALS - 1)
    outcome = zone.block(
        *(
            act(alice, actions.APPROVE_INTERFACE, interface=other.account, maxFee=fee)
            for other, fee in ((pair.bob, 5), (pair.carol, 5), (pair.bob, 6), (pair.bob, 0))
        )
    )
    assert outcome.codes == [Code.OK, Code.TOO_MANY_APPROVALS, Code.OK, Code.OK]


def test_an_owner_has_so_many_accounts_and_keys(pair):
    zone, alice = pair.zone, pair.alice
    counts = {"account_count": limits.MAX_ACCOUNTS - 1, "key_count": limits.MAX_KEYS - 1}
    zone.put("owner", alice.owner, **counts)
    outcome = zone.block(
        alice.create_account(),
        alice.create_account(),
        alice.approve_key(get_address(60)),
        alice.approve_key(get_address(61)),
    )
    assert outcome.codes == [Code.OK, Code.ACCOUNT_LIMIT, Code.OK, Code.KEY_LIMIT]


# --- buckets -----------------------------------------------------------------------------------------


def bucket_of(account: int, client_id: int) -> int:
    packed = account.to_bytes(4, "big") + client_id.to_bytes(16, "big")
    return int.from_bytes(keccak(packed), "big") % limits.ORDER_BUCKETS


def access_bucket_of(venue: int, owner: int, mode: int) -> int:
    packed = venue.to_bytes(4, "big") + owner.to_bytes(4, "big") + bytes([mode])
    place = int.from_bytes(keccak(packed), "big") % limits.ACCESS_BUCKETS
    return limits.ORDER_BUCKETS + place


def test_a_bucket_of_client_ids_is_full(pair):
    zone, alice = pair.zone, pair.alice
    bucket = bucket_of(alice.account, 7)
    zone.put("bucket", bucket, length=limits.MAX_BUCKET_LENGTH - 1)
    assert zone.block(post(alice, BUY, 1, 1, client_id=7)).code == Code.OK
    assert zone.get("bucket", bucket)["length"] == limits.MAX_BUCKET_LENGTH
    outcome = zone.block(post(alice, BUY, 1, 1, client_id=7), post(alice, BUY, 1, 1))
    assert outcome.codes == [Code.CLIENT_ID_IN_USE, Code.OK]
    assert zone.block(alice.cancel_order(client_id=7)).code == Code.OK
    zone.put("bucket", bucket, length=limits.MAX_BUCKET_LENGTH)
    assert zone.block(post(alice, BUY, 1, 1, client_id=7)).code == Code.BUCKET_FULL


def test_a_bucket_of_access_records_is_full(pair):
    zone, deployer, bob = pair.zone, pair.deployer, pair.bob
    bucket = access_bucket_of(1, bob.owner, enums.ACCESS_LIST)
    grant = {"venue": 1, "grantee": bob.owner}
    zone.put("bucket", bucket, length=limits.MAX_BUCKET_LENGTH)
    assert zone.block(act(deployer, actions.GRANT_ACCESS, **grant)).code == Code.BUCKET_FULL
    zone.put("bucket", bucket, length=limits.MAX_BUCKET_LENGTH - 1)
    outcome = zone.block(
        act(deployer, actions.GRANT_ACCESS, **grant),
        act(deployer, actions.GRANT_ACCESS, **grant),
        act(deployer, actions.REVOKE_ACCESS, **grant),
    )
    assert outcome.codes == [Code.OK] * 3  # one that is there is overwritten
    bucket = access_bucket_of(1, bob.owner, enums.ACCESS_CREDENTIAL)
    zone.put("bucket", bucket, length=limits.MAX_BUCKET_LENGTH)
    provider = get_address(77)
    venue = {"venue": 1, "state": 1, "access": enums.ACCESS_CREDENTIAL, "regions": 2}
    zone.block(tell(messages.UPDATE_VENUE, credentialProvider=provider, **venue))
    terms = {"venue": 1, "owner": bob.owner, "subject": bob.address, "region": 1}
    terms |= {"issued": zone.time, "expires": zone.time + 1000}
    assert zone.block(credential(provider, **terms)).code == Code.BUCKET_FULL


# --- tasks and timers --------------------------------------------------------------------------------


def test_a_cancel_all_leaves_tasks_for_markets_and_dead_men(world):
    zone, alice = world.zone, world.alice
    zone.block(post(alice, BUY, 1, 1))
    zone.exhaust("task", left=limits.RESERVED_TASKS)
    cancel_all = {"side": enums.BOTH_SIDES}
    assert zone.block(act(alice, actions.CANCEL_ALL, **cancel_all)).code == FULL
    zone.exhaust("task", left=limits.RESERVED_TASKS + 1)
    outcome = zone.block(
        act(alice, actions.CANCEL_ALL, **cancel_all),
        act(world.bob, actions.CANCEL_ALL, **cancel_all),
    )
    assert outcome.codes == [Code.OK, FULL]
    assert len(outcome.of(events.ORDER_CANCELLED)) == 1


def test_a_dead_man_that_finds_no_task_tries_again_in_a_second(world):
    zone, alice = world.zone, world.alice
    zone.block(post(alice, BUY, 1, 1), act(alice, actions.DEAD_MAN, timeout=limits.MIN_DEAD_MAN))
    zone.exhaust("task", left=limits.RESERVED_TASKS // 2)
    assert zone.block(after=limits.MIN_DEAD_MAN).events == []
    assert zone.block(after=999).events == []
    zone.exhaust("task", left=limits.RESERVED_TASKS // 2 + 1)
    outcome = zone.block(after=1)
    assert outcome.of(events.ORDER_CANCELLED)[0]["tif"] == enums.CANCEL_DEAD_MAN


def test_a_settled_market_gets_its_task_from_the_reserve(world):
    zone = world.zone
    zone.block(post(world.alice, BUY, 1, 1))
    zone.exhaust("task", left=1)
    outcome = zone.block(update_market(zone, 1, phase=enums.PHASE_SETTLED))
    assert outcome.of(events.CANCEL_ALL_DONE) != []


def test_timers_keep_their_reserve_free():
    bounds = {"RESERVED_TIMERS": 2}
    capacity = {"timer": 5}  # node 0 is none: four nodes, two of them reserved
    with small_bounds(bounds, capacity):
        zone = SteppedZone(Executor(), Model(capacity))
        world = build_world(zone)
        later = zone.time + 1000
        alice, bob, shortest = world.alice, world.bob, limits.MIN_DEAD_MAN
        assert zone.block(post(alice, BUY, 1, 1, expires=later)).code == Code.OK
        outcome = zone.block(
            act(bob, actions.DEAD_MAN, timeout=shortest),
            act(alice, actions.DEAD_MAN, timeout=shortest),
            act(alice, actions.DEAD_MAN, timeout=0),  # switching off needs no timer
            act(bob, actions.DEAD_MAN, timeout=shortest + 1),  # moving needs none
        )
        assert outcome.codes == [Code.OK, FULL, Code.OK, Code.OK]
        outcome = zone.block(
            post(alice, BUY, 1, 1, expires=later), stop(alice, expires=later), stop(alice)
        )
        assert outcome.codes == [FULL, FULL, Code.OK]
        # the update of a market takes what is reserved
        outcome = zone.block(update_market(zone, 1, takerFee=9, effectiveAt=later))
        assert errors(outcome) == []
        outcome = zone.block(at=later)
        assert outcome.of(events.MARKET_FEES) != []
        assert outcome.of(events.ORDER_CANCELLED)[0]["tif"] == enums.CANCEL_EXPIRED


# --- the same bounds, small, and truly filled --------------------------------------------------------


SMALL = {
    "MAX_OPEN_ORDERS": 3,
    "MAX_PLANS": 2,
    "MAX_HOLDINGS": 3,
    "MAX_BALANCES": 3,
    "MAX_APPROVALS": 2,
    "MAX_ACCOUNTS": 3,
    "MAX_KEYS": 3,
    "MAX_BUCKET_LENGTH": 2,
}


@pytest.fixture
def small_world() -> World:
    with small_bounds(SMALL):
        yield build_stage(SteppedZone(Executor()))


def test_small_counts_are_filled_and_emptied(small_world):
    zone, alice = small_world.zone, small_world.alice
    outcome = zone.block(*(post(alice, BUY, 1, 1) for _ in range(4)), *[stop(alice)] * 1)
    assert outcome.codes == [Code.OK] * 3 + [Code.TOO_MANY_ORDERS, Code.OK]
    orders = [event["order"] for event in outcome.of(events.ORDER_RESTED)]
    outcome = zone.block(stop(alice), stop(alice), alice.cancel_order(orders[1]))
    assert outcome.codes == [Code.OK, Code.TOO_MANY_PLANS, Code.OK]
    outcome = zone.block(post(alice, BUY, 40, 1, market=2), post(alice, BUY, 40, 1, market=3))
    assert outcome.codes == [Code.OK, Code.TOO_MANY_ORDERS]
    bob = small_world.bob
    outcome = zone.block(act(bob, actions.SPLIT, group=2, lots=1))
    outcome = zone.block(post(bob, BUY, 40, 1, market=2), post(bob, SELL, 40, 1, market=3))
    assert outcome.codes == [Code.TOO_MANY_HOLDINGS, Code.OK]
    outcome = zone.block(
        alice.create_account(), alice.create_account(), alice.create_account(),
        alice.approve_key(get_address(60)), alice.approve_key(get_address(61)),
        alice.approve_key(get_address(62)),
    )  # fmt: skip
    good = Code.OK
    assert outcome.codes == [good, good, Code.ACCOUNT_LIMIT, good, good, Code.KEY_LIMIT]


def test_a_small_account_receives_no_fourth_asset(small_world):
    zone, alice = small_world.zone, small_world.alice
    zone.block(register_asset(5))
    outcome = zone.block(
        deposit(alice.owner, alice.address, 3, 7), deposit(alice.owner, alice.address, 5, 7)
    )
    assert outcome.kinds() == [events.DEPOSITED, events.DEPOSITED, events.WITHDRAWN]
    zone.block(list_market(6, base=5, quote=1))
    assert zone.block(post(alice, BUY, 1, 1, market=6)).code == Code.TOO_MANY_BALANCES


def test_a_small_bucket_is_full_of_other_names(small_world):
    zone, alice = small_world.zone, small_world.alice
    names = [1, 1545849, 2666588]  # share a bucket
    assert len({bucket_of(alice.account, name) for name in names}) == 1
    outcome = zone.block(*(post(alice, BUY, 1, 1, client_id=name) for name in names))
    assert outcome.codes == [Code.OK, Code.OK, Code.BUCKET_FULL]
    outcome = zone.block(
        alice.cancel_order(client_id=names[0]), post(alice, BUY, 1, 1, client_id=names[2])
    )
    assert outcome.codes == [Code.OK, Code.OK]


def test_a_small_list_of_interfaces_is_full(small_world):
    zone, alice = small_world.zone, small_world.alice
    others = (small_world.bob, small_world.carol, small_world.deployer)
    outcome = zone.block(
        *(
            act(alice, actions.APPROVE_INTERFACE, interface=other.account, maxFee=5)
            for other in others
        )
    )
    assert outcome.codes == [Code.OK, Code.OK, Code.TOO_MANY_APPROVALS]


def test_an_owner_registered_last_fills_the_tables(world):
    """The last slot of a table works like any other: it is used, traded from and freed."""
    zone = world.zone
    for table in ("owner", "account", "key", "balance", "order", "level"):
        left = {"owner": 1, "account": 1, "key": 1, "balance": limits.RESERVED_BALANCES + 2}
        zone.exhaust(table, left=left.get(table, 1))
    dave = add_owner(zone, 90)
    for table in ("owner", "account", "key"):
        assert zone.model.slots[table].high_water == TABLE_BY_NAME[table].capacity
    add_funds(zone, dave, 1, 1000)
    (rested,) = zone.block(post(dave, BUY, 1, 1)).of(events.ORDER_RESTED)
    assert rested["order"] == TABLE_BY_NAME["order"].capacity - 1
    assert zone.block(world.alice.sell(1, 1), post(dave, BUY, 2, 1)).codes == [FULL, FULL]
    assert zone.block(dave.cancel_order(rested["order"])).code == Code.OK
    assert zone.block(world.alice.sell(3, 1)).code == Code.OK
