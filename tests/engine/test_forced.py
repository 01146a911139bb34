"""Forced operations (docs/spec/forced.md): model and step executor side by side, each step from a witness alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.stepped import Executor, SteppedZone, small_bounds
from tests.model.perp_world import PERP, build_perp_world
from tests.model.world import (
    Tell,
    act,
    add_owner,
    build_world,
    deposit,
    get_address,
    register_asset,
    tell,
    update_market,
)
from tradezone.protocol import actions, enums, events, limits, messages, steps
from tradezone.protocol.batches import Header
from tradezone.protocol.enums import BUY, SELL, TIF_POST_ONLY
from tradezone.protocol.errors import Code
from tradezone.verifier.stepper import Stepper

EXPIRES = 1_900_000_000_000


@pytest.fixture
def world():
    return build_world(SteppedZone(Executor()))


@pytest.fixture
def market():
    return build_perp_world(SteppedZone(Executor()))


def force(who, kind, **values):
    """An operation as L1 writes it for the address that called it."""
    names = {name for name, _, _ in messages.BODIES[kind]}
    head = {"owner": who.owner, "address": who.address, "account": who.account}
    values = {name: value for name, value in head.items() if name in names} | values
    return tell(kind, **values)


def withdraw(who, asset, amount, **values):
    return force(who, messages.FORCED_WITHDRAW, asset=asset, amount=amount, **values)


def close(market, who, /, **values):
    position = values.pop("position", None) or market.find(who).slot
    terms = {"market": PERP, "position": position} | values
    return force(who, messages.FORCED_CLOSE, **terms)


def cancel_all(who, **values):
    return force(who, messages.FORCED_CANCEL_ALL, **values)


def approve(who, number, **values):
    terms = {"agent": get_address(number), "scope": enums.SCOPE_TRADE, "expires": EXPIRES}
    return force(who, messages.FORCED_APPROVE_KEY, **(terms | values))


def revoke(who, key, **values):
    return force(who, messages.FORCED_REVOKE_KEY, revokedKey=key, **values)


def redirect(who, to, **values):
    return force(who, messages.FORCED_REDIRECT, to=to, **values)


def answers(outcome):
    return [(e["flag"], e["error"], e["amount"]) for e in outcome.of(events.FORCED_ANSWERED)]


def refusals(outcome):
    return [error for _, error, _ in answers(outcome)]


def newest(zone):
    return zone.model.outbox[max(zone.model.outbox)]


# --- withdraw ----------------------------------------------------------------------------------------


def test_a_forced_withdrawal_pays_what_is_free_and_its_record_is_the_answer(world):
    zone, alice = world.zone, world.alice
    index = zone.model.inbox
    held = world.free(alice, 1)
    outcome = zone.block(withdraw(alice, 1, 7))
    assert outcome.kinds() == [events.WITHDRAWN, events.FORCED_ANSWERED]
    record = newest(zone)
    assert (record.kind, record.amount, record.inbox) == (enums.OUTBOX_WITHDRAWAL, 7, index)
    assert (record.recipient, record.status) == (alice.address, 0)
    assert world.free(alice, 1) == held - 7
    zone.block(withdraw(alice, 1, (1 << 64) - 1))
    assert newest(zone).amount == held - 7
    assert world.free(alice, 1) == 0


def test_what_an_order_locks_is_not_withdrawn_and_a_cancel_before_it_frees_it(world):
    zone, alice = world.zone, world.alice
    zone.block(alice.buy(10, 5, tif=TIF_POST_ONLY))
    locked = world.locked(alice, 1)
    assert locked > 0
    zone.block(withdraw(alice, 1, 1 << 62))
    assert (world.free(alice, 1), world.locked(alice, 1)) == (0, locked)
    # messages come before the tasks of their block: what a cancel frees is there for the next block's message
    zone.block(cancel_all(alice))
    zone.block(withdraw(alice, 1, 1 << 62))
    assert newest(zone).amount == locked


def test_nothing_to_withdraw_is_an_answer_too(world):
    zone, alice, carol = world.zone, world.alice, world.carol
    zone.block(register_asset(3), register_asset(4, kind=enums.ASSET_SIMULATED, venue=1))
    total = zone.model.assets[1].total
    outcome = zone.block(
        withdraw(alice, 3, 5),
        withdraw(alice, 9, 5),
        withdraw(alice, 4, 5),
        withdraw(alice, 1, 0),
        withdraw(alice, 1, 5, account=99),
        withdraw(alice, 1, 5, account=carol.account),
        withdraw(alice, 1, 5, account=world.fund_account),
    )
    assert refusals(outcome) == [
        Code.INSUFFICIENT_BALANCE,
        Code.ASSET_NOT_FOUND,
        Code.NOT_SAME_KIND,
        Code.AMOUNT_OUT_OF_RANGE,
        Code.ACCOUNT_NOT_FOUND,
        Code.KEY_NOT_OF_OWNER,
        Code.ACCOUNT_NOT_FOUND,
    ]
    records = [zone.model.outbox[e["order"]] for e in outcome.of(events.FORCED_ANSWERED)]
    assert [record.status for record in records] == refusals(outcome)
    assert {record.kind for record in records} == {enums.OUTBOX_FORCED_RESULT}
    assert {record.recipient for record in records} == {alice.address}
    assert len({record.inbox for record in records}) == len(records)
    assert zone.model.assets[1].total == total


def test_a_stranger_to_the_zone_is_told_nothing(world):
    zone, alice, bob = world.zone, world.alice, world.bob
    outcome = zone.block(
        withdraw(alice, 1, 5, owner=77),
        withdraw(alice, 1, 5, owner=bob.owner),
        redirect(alice, bob.address, owner=bob.owner),
        Tell(messages.FORCED_CANCEL_ALL, bytes(27)),
    )
    kinds = [(e["kind"], e["error"]) for e in outcome.events]
    ignored = events.MESSAGE_IGNORED
    assert kinds == [(ignored, Code.OWNER_MISMATCH)] * 3 + [(ignored, Code.MALFORMED)]
    assert not zone.model.outbox


def test_the_same_operation_twice_is_two_messages_and_two_answers(world):
    zone, alice = world.zone, world.alice
    first = zone.model.inbox
    zone.block(withdraw(alice, 1, 5), withdraw(alice, 1, 5))
    assert [record.inbox for record in zone.model.outbox.values()] == [first, first + 1]


def test_answered_messages_are_behind_the_cursor_for_good(world):
    """A sequencer that marks the inbox at what was consumed already, or beyond what the header says, is refused."""
    zone, alice = world.zone, world.alice
    zone.block(withdraw(alice, 1, 5))
    consumed, records = zone.model.inbox, dict(zone.model.outbox)
    for end in (consumed, consumed - 1, 0):
        outcome = zone.block(actions.inbox_mark(end))
        assert [e["error"] for e in outcome.of(events.LEAF_REJECTED)] == [Code.UNEXPECTED_LEAF]
    assert zone.model.inbox == consumed
    assert zone.model.outbox == records


def test_a_message_cannot_be_dated_back(world):
    """The zone's own time decides, whatever time a message claims; and L1's does not fall."""
    zone, alice = world.zone, world.alice
    seen = zone.model.l1_time
    old = replace(approve(alice, 50, expires=zone.time - 1), time=1)
    assert refusals(zone.block(old)) == [Code.BAD_KEY]
    assert newest(zone).time == zone.time
    assert zone.model.l1_time >= seen


# --- orders, keys, redirect --------------------------------------------------------------------------


def test_a_forced_cancel_takes_all_orders_and_widens_a_narrower_one(world):
    zone, alice = world.zone, world.alice
    zone.block(
        alice.buy(10, 5, tif=TIF_POST_ONLY),
        alice.sell(20, 5, tif=TIF_POST_ONLY),
    )
    with small_bounds({"BLOCK_REMOVALS": 1}):
        zone.block(act(alice, actions.CANCEL_ALL, market=1, side=SELL))
        outcome = zone.block(cancel_all(alice))
        for _ in range(6):
            zone.block()
    assert refusals(outcome) == [Code.OK]
    assert world.book() == ([], [])
    assert world.locked(alice, 1) == world.locked(alice, 2) == 0


def test_a_contract_gets_a_key_through_the_inbox_and_trades_with_it(world):
    zone = world.zone
    contract = add_owner(zone, 40, kind=enums.OWNER_CONTRACT)
    zone.block(deposit(contract.owner, contract.address, 1, 10**9))
    assert not zone.model.owners[contract.owner].keys
    zone.block(approve(contract, 41))
    key = newest(zone).amount
    assert zone.model.keys[key & 0xFFFF_FFFF].id == key
    agent = contract.using(key, 41)
    assert zone.block(agent.buy(10, 1, tif=TIF_POST_ONLY)).codes == [Code.OK]
    outcome = zone.block(revoke(contract, key), agent.buy(10, 1, tif=TIF_POST_ONLY))
    assert refusals(outcome) == [Code.OK]
    assert outcome.codes == [Code.KEY_NOT_FOUND]
    assert newest(zone).amount == key
    assert refusals(zone.block(revoke(contract, key))) == [Code.KEY_NOT_FOUND]


def test_keys_are_bound_as_those_that_are_signed_for(world):
    zone, alice, bob = world.zone, world.alice, world.bob
    own = zone.model.keys[zone.model.owners[alice.owner].keys[-1]].id
    outcome = zone.block(
        approve(alice, 50, scope=enums.SCOPE_TRADE | enums.SCOPE_OWNER),
        approve(alice, 50, expires=zone.time),
        approve(alice, 50, onlyAccount=bob.account),
        approve(alice, 50, onlyVenue=9),
        approve(alice, 50, onlyAccount=alice.account, onlyVenue=1),
        revoke(alice, own),
        revoke(bob, own),
    )
    bad = [Code.BAD_KEY] * 4
    last = [Code.OK, Code.CANNOT_REVOKE_OWNER_KEY, Code.KEY_NOT_FOUND]
    assert refusals(outcome) == bad + last
    zone.block(*(approve(alice, 51 + n) for n in range(limits.MAX_KEYS - 2)))
    assert refusals(zone.block(approve(alice, 49))) == [Code.KEY_LIMIT]
    # a key in the middle of the list is found by walking it
    middle = zone.model.owners[alice.owner].keys[2]
    assert refusals(zone.block(revoke(alice, zone.model.keys[middle].id))) == [Code.OK]


def test_a_redirect_holds_for_withdrawals_of_every_kind_until_it_is_taken_back(world):
    zone, alice = world.zone, world.alice
    other = get_address(60)
    zone.block(redirect(alice, other), withdraw(alice, 1, 5), alice.withdraw(1, 6))
    paid = [r for r in zone.model.outbox.values() if r.kind == enums.OUTBOX_WITHDRAWAL]
    assert [record.recipient for record in paid] == [other, other]
    answer = zone.model.outbox[1]
    assert (answer.kind, answer.recipient) == (enums.OUTBOX_FORCED_RESULT, alice.address)
    zone.block(redirect(alice, bytes(20)), withdraw(alice, 1, 5))
    assert newest(zone).recipient == alice.address


# --- full tables, the end of a batch -----------------------------------------------------------------


def test_an_outbox_without_room_stops_no_message(world):
    zone, alice = world.zone, world.alice
    zone.exhaust("outbox", left=limits.RESERVED_OUTBOX)
    outcome = zone.block(cancel_all(alice), withdraw(alice, 1, 5), withdraw(alice, 1, 5))
    assert refusals(outcome) == [Code.OK, Code.OK]
    ignored = [e["error"] for e in outcome.of(events.MESSAGE_IGNORED)]
    assert ignored == [Code.TABLE_FULL]
    zone.exhaust("outbox", left=0)
    held = world.free(alice, 1)
    outcome = zone.block(withdraw(alice, 1, 5), redirect(alice, get_address(60)))
    assert [e["error"] for e in outcome.events] == [Code.TABLE_FULL] * 2
    assert world.free(alice, 1) == held


@pytest.mark.parametrize(
    ("table", "reserve"), [("key", None), ("task", limits.RESERVED_TASKS // 2)]
)
def test_a_full_table_is_a_recorded_refusal(world, table, reserve):
    zone, alice = world.zone, world.alice
    told = cancel_all(alice) if table == "task" else approve(alice, 50)
    if reserve is None:
        reserve = limits.RESERVED_KEYS - len(zone.model.owners)
    zone.exhaust(table, left=reserve)
    assert refusals(zone.block(told)) == [Code.TABLE_FULL]
    assert newest(zone).status == Code.TABLE_FULL
    zone.exhaust(table, left=reserve + 1)
    assert refusals(zone.block(told)) == [Code.OK]


def test_a_batch_without_leaves_answers_what_waits(world):
    """As the closing batch does: no block, so nothing is released, but money leaves and keys change."""
    zone, alice = world.zone, world.alice
    told = [withdraw(alice, 1, 5), cancel_all(alice), approve(alice, 50)]
    outcome = run_closing(zone, told)
    assert refusals(outcome) == [Code.OK] * 3
    assert zone.model.inbox == zone.model.outbox[3].inbox + 1


def run_closing(zone, told):
    raw = []
    for n, message in enumerate(told):
        index = zone.model.inbox + n
        full = messages.Message(
            index, message.kind, bytes(20), zone.time // 1000, index, message.payload
        )
        raw.append(full.to_bytes())
    fields = {"count": 0, "blocks": 0, "inbox_index": zone.model.inbox + len(raw)}
    header: Header = zone.make_header(**fields)
    return zone.run([], [], raw, header)


# --- close -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_long", [True, False])
def test_a_forced_close_takes_from_the_book_and_the_margin_comes_back(market, is_long):
    alice, bob, carol = market.alice, market.bob, market.carol
    before = market.free(alice)
    if is_long:
        market.trade(alice, bob, 1_000, 10)
    else:
        market.trade(bob, alice, 1_000, 10)
    assert market.lots(alice) == (10 if is_long else -10)
    market.post(carol, BUY if is_long else SELL, 1_000, 10)
    outcome = market.block(close(market, alice))
    assert refusals(outcome) == [Code.OK]
    record = newest(market.zone)
    assert (record.kind, record.market, record.amount) == (enums.OUTBOX_FORCED_RESULT, PERP, 10)
    market.run(1_000)
    assert market.lots(alice) == 0
    assert market.free(alice) > before - 10**6, "the margin is back but for fees"
    market.block(withdraw(alice, 1, 1 << 62))
    assert market.free(alice) == 0


def test_a_close_that_meets_nobody_ends_and_may_be_asked_again(market):
    alice, bob = market.alice, market.bob
    market.trade(alice, bob, 1_000, 10)
    ran = [market.block(close(market, alice)), *market.run(1_000)]
    assert market.lots(alice) == 10
    gone = [e for outcome in ran for e in outcome.of(events.ORDER_CANCELLED)]
    assert [e["tif"] for e in gone] == [enums.CANCEL_IOC]
    assert market.pool(alice).state == enums.ACTIVE
    market.post(market.carol, BUY, 990, 4)
    market.block(close(market, alice))
    market.run(1_000)
    assert market.lots(alice) == 6


def test_a_close_is_refused_on_record(market):
    alice, bob, carol = market.alice, market.bob, market.carol
    market.trade(alice, bob, 1_000, 10)
    slot = market.find(alice).slot
    outcome = market.block(
        close(market, alice, position=market.find(bob).slot),
        close(market, alice, position=slot, market=1),
        close(market, alice, position=999),
        close(market, carol, position=slot),
        close(market, alice, position=slot, account=bob.account),
    )
    nothing = Code.NOTHING_TO_REDUCE
    assert refusals(outcome) == [nothing] * 4 + [Code.KEY_NOT_OF_OWNER]
    market.zone.exhaust("order", left=0)
    freed = len(market.model.slots["order"].free)
    told = [close(market, alice) for _ in range(freed + 1)]
    assert refusals(market.block(*told)) == [Code.OK] * freed + [Code.TABLE_FULL]


def test_a_halted_market_refuses_a_close_and_a_reduce_only_one_takes_it(market):
    alice, bob = market.alice, market.bob
    market.trade(alice, bob, 1_000, 10)
    market.block(update_market(market.zone, PERP, phase=enums.PHASE_HALTED))
    assert refusals(market.block(close(market, alice))) == [Code.MARKET_CLOSED]
    market.block(update_market(market.zone, PERP, phase=enums.PHASE_REDUCE_ONLY))
    assert refusals(market.block(close(market, alice))) == [Code.OK]


def test_a_close_counts_as_one_of_the_open_orders(market):
    alice, bob = market.alice, market.bob
    market.trade(alice, bob, 1_000, 10)
    with small_bounds({"MAX_OPEN_ORDERS": 1}):
        market.post(alice, SELL, 1_500, 1)
        assert refusals(market.block(close(market, alice))) == [Code.TOO_MANY_ORDERS]


def test_a_pool_below_maintenance_is_liquidations_business(market):
    thin = market.add_trader(30, 10**7)
    market.trade(thin, market.bob, 1_000, 50)
    market.price |= {1: 900}
    for _ in range(40):
        market.run(250)
        if market.find(thin) is None or market.pool(thin).state != enums.ACTIVE:
            break
    assert market.pool(thin).state != enums.ACTIVE
    assert refusals(market.block(close(market, thin))) == [Code.POOL_BUSY]
    # free money is the owner's even now
    assert refusals(market.block(withdraw(thin, 1, 1)))[0] in (Code.OK, Code.INSUFFICIENT_BALANCE)


def test_every_step_of_theirs_is_reached(market):
    alice, bob = market.alice, market.bob
    market.trade(alice, bob, 1_000, 10)
    key = approve(alice, 50)
    market.block(close(market, alice), cancel_all(alice), key, withdraw(alice, 1, 5))
    name = [r.amount for r in market.model.outbox.values()][2]
    market.block(revoke(alice, name), redirect(alice, get_address(60)))
    stepper: Stepper = market.zone.engine.stepper
    wanted = set(range(steps.FORCED_WITHDRAW, steps.FORCED_ANSWER + 1))
    assert wanted <= stepper.most_records.keys()
