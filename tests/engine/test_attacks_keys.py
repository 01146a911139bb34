"""Attacks on who may do what: agent keys, sub-accounts, replays, credentials, access lists.

Each test names the rule that stops it; see `test_attacks_books` for how they run.
"""

from __future__ import annotations

import pytest

from tests.engine.attacks import build_gated, filled, opened, plan_item, post, quote_item
from tests.model.world import (
    act,
    add_owner,
    amend_item,
    create_venue,
    credential,
    get_address,
    item,
    list_market,
    place_item,
    tell,
    update_market,
)
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.enums import BUY, SELL, TIF_POST_ONLY
from tradezone.protocol.errors import Code

AGENT = 200  # private key of the agent
TYPED = {
    actions.TRANSFER: {"toAccount": 4, "asset": 1, "amount": 1},
    actions.WITHDRAW: {"asset": 1, "amount": 1},
    actions.APPROVE_KEY: {"agent": get_address(AGENT + 1), "scope": 1, "expires": 1 << 45},
    actions.REVOKE_KEY: {"revokedKey": 6},
    actions.CREATE_ACCOUNT: {},
    actions.APPROVE_INTERFACE: {"interface": 4, "maxFee": 10_000},
    actions.FAUCET: {"asset": 1},
    actions.ISSUE: {"asset": 1, "toAccount": 3, "amount": 1},
    actions.GRANT_ACCESS: {"venue": 1, "grantee": 3},
    actions.REVOKE_ACCESS: {"venue": 1, "grantee": 3},
    actions.OPEN_BALANCE: {"asset": 1},
    actions.CLOSE_BALANCE: {"asset": 1},
    actions.ALLOWANCE: {"venue": 1, "asset": 1, "amount": 1},
    actions.ADJUST_MARGIN: {"venue": 1, "asset": 1, "direction": 1, "amount": 1},
    actions.FUND: {"venue": 1, "asset": 1, "amount": 1},
    actions.DEFUND: {"venue": 1, "asset": 1, "amount": 1},
}


def hire(world, **terms):
    """Alice's agent under `terms`."""
    (event,) = world.zone.block(world.alice.approve_key(get_address(AGENT), **terms)).events
    assert event["kind"] == events.KEY_APPROVED
    return world.alice.using(event["order"], AGENT)


def test_the_table_of_typed_actions_is_whole():
    """A typed action that is added must be attacked too."""
    assert set(TYPED) == set(actions.TYPED_ACTIONS) - {actions.NOOP}


@pytest.mark.parametrize("action", TYPED)
def test_an_agent_signs_no_typed_action(world, action):
    """Moving money, opening access, approving. Rule: they need OWNER scope; a refused envelope burns its nonce."""
    agent = hire(world)
    outcome = world.zone.block(act(agent, action, **TYPED[action]))
    assert outcome.code == Code.KEY_SCOPE
    assert [e["kind"] for e in outcome.events] == [events.LEAF_REJECTED]


@pytest.mark.parametrize(
    "terms",
    [
        {"scope": enums.SCOPE_TRADE | enums.SCOPE_OWNER},
        {"scope": enums.SCOPE_OWNER},
        {"scope": 0},
        {"expires": 0},
        {"expires": 1},
        {"onlyAccount": 4},
        {"onlyVenue": 99},
        {"agent": bytes(20)},
        {"maxNotional": (1 << 62) + 1},
    ],
)
def test_no_agent_key_is_made_beyond_its_terms(world, terms):
    """Rule: BAD_KEY."""
    values = {"agent": get_address(AGENT)} | terms
    assert world.zone.block(world.alice.approve_key(**values)).code == Code.BAD_KEY


def test_an_agent_stays_in_its_venue(world):
    """Orders, quotes, plans, cancels and sets elsewhere. Rule: KEY_VENUE, by the market that the item names."""
    zone = world.zone
    zone.block(
        create_venue(2, world.carol.owner),
        list_market(2, venue=2),
        tell(messages.LIST_GUEST, market=3, id=2 << 16 | 9, venue=2, home=1, guestFee=0),
    )
    (there,) = opened(zone.block(post(world.alice, SELL, 20, 5)))
    stop = zone.block(act(world.alice, actions.PLACE_PLAN, plan_item(trigger=5))).events[0]["order"]
    agent = hire(world, onlyVenue=2)
    outcome = zone.block(
        agent.cancel_order(there),
        agent.amend_order(there, 1),
        act(agent, actions.CANCEL_PLAN, plan=stop),
        act(agent, actions.CANCEL_ALL, side=2),
        act(agent, actions.CANCEL_ALL, side=2, market=1),
        post(agent, SELL, 20, 5),
        act(agent, actions.MASS_QUOTE, quote_item(1, SELL, 20, 5)),
        act(agent, actions.PLACE_PLAN, plan_item(trigger=5)),
    )
    assert outcome.codes == [Code.KEY_VENUE] * 8
    outcome = zone.block(post(agent, SELL, 21, 5, market=3), post(agent, SELL, 20, 5, market=2))
    assert outcome.codes == [Code.OK, Code.OK]
    through_door, _ = opened(outcome)
    assert zone.block(agent.cancel_order(through_door)).code == Code.OK


def test_an_agent_stays_below_its_notional(world):
    """A large order, an amend upwards, a quote, a plan. Rule: KEY_NOTIONAL, on the whole order each time."""
    zone = world.zone
    agent = hire(world, maxNotional=500)  # 10 lots at 10
    outcome = zone.block(
        post(agent, SELL, 10, 10), post(agent, SELL, 10, 11), post(agent, SELL, 101, 1),
        act(agent, actions.MASS_QUOTE, quote_item(1, SELL, 10, 11)),
        act(agent, actions.PLACE_PLAN, plan_item(trigger=10, lots=11)),
        act(agent, actions.PLACE_PLAN, plan_item(trigger=9, lots=11, price=10, tif=0)),
    )  # fmt: skip
    assert outcome.codes == [Code.OK, *[Code.KEY_NOTIONAL] * 5]
    (order,) = opened(outcome)
    outcome = zone.block(
        agent.amend_order(order, 11, 10, mode=actions.AMEND_POST_ONLY),
        agent.amend_order(order, 10, 11, mode=actions.AMEND_TAKE),
        agent.amend_order(order, 9, 11, mode=actions.AMEND_POST_ONLY),
    )
    assert outcome.codes == [Code.KEY_NOTIONAL, Code.KEY_NOTIONAL, Code.OK]
    assert all(o.price * o.lots * 5 <= 500 for o in zone.model.orders.values())


def test_an_agent_stays_in_its_account(world):
    """Rule: KEY_ACCOUNT for another of the owner's, KEY_NOT_OF_OWNER for anybody else's."""
    zone, alice = world.zone, world.alice
    second = zone.block(alice.create_account()).events[0]["account"]
    agent = hire(world, onlyAccount=second)
    outcome = zone.block(
        post(agent, SELL, 10, 1),
        post(agent.on(world.bob.account), SELL, 10, 1),
        post(agent.on(second), SELL, 10, 1),
        act(agent, actions.DEAD_MAN, timeout=limits.MIN_DEAD_MAN),
    )
    assert outcome.codes == [
        *(Code.KEY_ACCOUNT, Code.KEY_NOT_OF_OWNER, Code.INSUFFICIENT_BALANCE, Code.KEY_ACCOUNT),
    ]
    assert zone.model.accounts[alice.account].timer is None


def test_an_agent_ends_when_it_expires_or_is_revoked(world):
    """Rules: KEY_EXPIRED; a revoked key's id names nothing, also when its slot is somebody's again."""
    zone, alice, bob = world.zone, world.alice, world.bob
    agent = hire(world, expires=zone.time + 100)
    assert zone.block(post(agent, SELL, 10, 1), at=zone.time + 97).code == Code.OK
    assert zone.block(post(agent, SELL, 10, 1), after=1).code == Code.OK
    assert zone.block(post(agent, SELL, 10, 1), after=10).code == Code.KEY_EXPIRED
    zone.block(alice.revoke_key(agent.key))
    (again,) = zone.block(bob.approve_key(get_address(AGENT))).events
    assert again["order"] & 0xFFFF_FFFF == agent.key & 0xFFFF_FFFF
    assert zone.block(post(agent, SELL, 10, 1)).code == Code.KEY_NOT_FOUND
    assert zone.block(post(agent.using(again["order"], AGENT), SELL, 10, 1)).code == (
        Code.KEY_NOT_OF_OWNER
    )


def test_a_nonce_is_used_once_also_across_a_revoked_and_approved_key(world):
    """Replays. Rules: 64 cells; a new key's cells begin at its approval, so nothing older is valid."""
    zone = world.zone
    agent = hire(world)
    leaf = post(agent, SELL, 10, 1)
    outcome = zone.block(leaf, leaf)
    assert outcome.codes == [Code.OK, Code.NONCE_USED]
    early = agent.envelope(actions.NOOP, b"", nonce=zone.time - 1)
    outcome = zone.block(
        early,
        agent.envelope(actions.NOOP, b"", nonce=zone.time - limits.NONCE_PAST),
        agent.envelope(actions.NOOP, b"", nonce=zone.time + limits.NONCE_FUTURE + 1),
    )
    assert outcome.codes[1:] == [Code.NONCE_OUT_OF_WINDOW] * 2
    zone.block(world.alice.revoke_key(agent.key), after=1000)
    (event,) = zone.block(world.alice.approve_key(get_address(AGENT))).events
    replaced = agent.using(event["order"], AGENT)
    old = replaced.envelope(actions.NOOP, b"", nonce=zone.time - 500)
    assert zone.block(old).code == Code.NONCE_USED


def test_another_accounts_switch_and_orders_cannot_be_touched(world):
    """DEAD_MAN and CANCEL_ALL in somebody's name. Rule: the key must be the owner's, the signer the key's."""
    zone, alice, bob = world.zone, world.alice, world.bob
    (order,) = opened(zone.block(post(alice, SELL, 10, 1)))
    stolen = bob.on(alice.account)
    forged = alice.envelope(
        actions.DEAD_MAN, item(actions.DEAD_MAN, timeout=5000), signer=bob.address
    )
    outcome = zone.block(
        act(stolen, actions.DEAD_MAN, timeout=limits.MIN_DEAD_MAN),
        act(stolen, actions.CANCEL_ALL, side=2),
        forged,
        bob.cancel_order(order),
        bob.amend(amend_item(order, 1)),
    )
    assert outcome.codes == [
        *(Code.KEY_NOT_OF_OWNER, Code.KEY_NOT_OF_OWNER, Code.BAD_SIGNATURE),
        *(Code.NOT_ORDER_OWNER, Code.NOT_ORDER_OWNER),
    ]
    assert zone.model.accounts[alice.account].timer is None
    zone.block(after=limits.MAX_DEAD_MAN // 4000)
    assert world.book()[1] == [(10, 1)]


def test_a_sub_account_is_not_a_way_out_of_the_owner(world):
    """Rule: a transfer stays within an owner, whoever's sub-account sends it."""
    zone, alice, bob = world.zone, world.alice, world.bob
    second = alice.on(zone.block(alice.create_account()).events[0]["account"])
    outcome = zone.block(
        alice.transfer(second.account, 1, 100),
        second.transfer(bob.account, 1, 50),
        second.transfer(second.account, 1, 50),
        second.transfer(alice.account, 1, 101),
        second.withdraw(1, 100),
    )
    assert outcome.codes == [
        *(
            Code.OK,
            Code.KEY_NOT_OF_OWNER,
            Code.ACCOUNT_NOT_FOUND,
            Code.AMOUNT_OUT_OF_RANGE,
            Code.OK,
        ),
    ]
    (record,) = zone.model.outbox.values()
    assert record.recipient == alice.address


# --- access ------------------------------------------------------------------------------------------


@pytest.fixture
def gated(world):
    return build_gated(world)


def paper(world, who, **terms):
    """A credential of `who` for venue 1, signed by its provider, or with other terms."""
    values = {
        "venue": 1, "owner": who.owner, "subject": who.address, "region": 1, "class": 2,
        "issued": world.zone.time, "expires": world.zone.time + 1000,
    }  # fmt: skip
    signer = terms.pop("signer", get_address(77))
    return credential(signer, **(values | terms))


def test_a_credential_is_of_its_subject_its_provider_and_its_time(gated):
    """Replays for another owner, at another venue, expired, from the future, a second time. Rules in access.md."""
    zone, alice, bob = gated.zone, gated.alice, gated.bob
    good = paper(gated, alice)
    outcome = zone.block(
        paper(gated, alice, owner=bob.owner),
        paper(gated, alice, venue=2),
        paper(gated, alice, signer=get_address(78)),
        paper(gated, alice, signer=None),
        paper(gated, alice, signer=alice.address),
        paper(gated, alice, region=3),
        paper(gated, alice, region=0),
        paper(gated, alice, **{"class": 1}),
        paper(gated, alice, expires=zone.time),
        paper(gated, alice, issued=zone.time + 10),
        good,
        good,
        paper(gated, alice, issued=zone.time - 5),
    )
    assert outcome.codes == [
        *(Code.OWNER_MISMATCH, *[Code.BAD_SIGNATURE] * 4, *[Code.BAD_CREDENTIAL] * 5),
        *(Code.OK, Code.BAD_CREDENTIAL, Code.BAD_CREDENTIAL),
    ]
    assert zone.block(post(alice, SELL, 10, 1), post(bob, SELL, 10, 1)).codes == [
        *(Code.OK, Code.ACCESS_DENIED),
    ]
    assert zone.block(post(alice, SELL, 10, 1, market=2)).code == Code.ACCESS_DENIED


def test_no_order_outlives_its_credential(gated):
    """An order without expiry placed a moment before. Rule: its expiry is cut to the credential's."""
    zone, alice = gated.zone, gated.alice
    zone.block(paper(gated, alice))
    end = zone.time + 999
    outcome = zone.block(
        post(alice, SELL, 10, 1), post(alice, SELL, 11, 1, expires=end + 10**6),
        act(alice, actions.PLACE_PLAN, plan_item(side=BUY, trigger=12, slippage=10_000)),
    )  # fmt: skip
    assert outcome.codes == [Code.OK] * 3
    zone.block(paper(gated, gated.bob, expires=zone.time + 10**6))
    outcome = zone.block(gated.bob.buy(12, 2), at=end + 1)
    assert filled(outcome) == []
    assert gated.book()[1] == []


def test_a_plan_asks_for_access_when_it_fires(gated):
    """Placing stops while one has access. Rule: check 17 is made again, without it the plan fails."""
    zone, alice, bob = gated.zone, gated.alice, gated.bob
    zone.block(paper(gated, alice), paper(gated, bob, expires=zone.time + 10**6))
    zone.block(act(alice, actions.PLACE_PLAN, plan_item(trigger=10, slippage=10_000)))
    carol = gated.carol
    zone.block(paper(gated, carol, issued=zone.time, expires=zone.time + 10**6), after=2000)
    zone.block(post(bob, SELL, 10, 1))
    (failed,) = zone.block(carol.buy(10, 1)).of(events.PLAN_FAILED)
    assert failed["error"] == Code.ACCESS_DENIED


def test_a_revoked_list_stops_new_orders_and_locks_nobody_in(world):
    """Rules: a withdrawn grant stops what opens; resting orders stay, and can be cancelled and shrunk."""
    zone, alice, bob = world.zone, world.alice, world.bob
    zone.block(
        update_market(zone, 1, access=enums.ACCESS_LIST),
        *(
            act(world.deployer, actions.GRANT_ACCESS, venue=1, grantee=w.owner)
            for w in (alice, bob)
        ),
    )
    (order,) = opened(zone.block(post(alice, SELL, 10, 5)))
    zone.block(act(world.deployer, actions.REVOKE_ACCESS, venue=1, grantee=alice.owner))
    outcome = zone.block(
        post(alice, SELL, 10, 1),
        alice.buy(10, 1),
        act(alice, actions.MASS_QUOTE, quote_item(1, SELL, 20, 1)),
        alice.amend_order(order, 4),
        bob.buy(10, 1),
    )
    assert outcome.codes == [Code.ACCESS_DENIED] * 3 + [Code.OK] * 2
    assert filled(outcome) == [(10, 1)]
    assert zone.block(alice.cancel_order(order)).code == Code.OK


def test_a_list_is_kept_by_its_venue_only(world):
    """Somebody lists itself. Rule: NOT_VENUE_OWNER; the grant of one venue is none at another."""
    zone, bob, carol = world.zone, world.bob, world.carol
    zone.block(
        create_venue(2, carol.owner),
        update_market(zone, 1, access=enums.ACCESS_LIST),
    )
    outcome = zone.block(
        act(bob, actions.GRANT_ACCESS, venue=1, grantee=bob.owner),
        act(carol, actions.GRANT_ACCESS, venue=2, grantee=bob.owner),
        act(carol, actions.REVOKE_ACCESS, venue=1, grantee=bob.owner),
    )
    assert outcome.codes == [Code.NOT_VENUE_OWNER, Code.OK, Code.NOT_VENUE_OWNER]
    assert zone.block(post(bob, SELL, 10, 1)).code == Code.ACCESS_DENIED


def test_access_counts_for_every_account_of_an_owner_and_for_no_other(world):
    """A sub-account, and a second owner of the same person. Rule: records are of owners."""
    zone, alice = world.zone, world.alice
    second = alice.on(zone.block(alice.create_account()).events[0]["account"])
    twin = add_owner(zone, 60)
    zone.block(
        alice.transfer(second.account, 2, 100),
        update_market(zone, 1, access=enums.ACCESS_LIST),
        act(world.deployer, actions.GRANT_ACCESS, venue=1, grantee=alice.owner),
        tell(messages.DEPOSIT, owner=twin.owner, address=twin.address, asset=2, amount=100),
    )
    item_ = place_item(1, SELL, 10, 1, tif=TIF_POST_ONLY)
    assert zone.block(second.place(item_), twin.place(item_)).codes == [
        *(Code.OK, Code.ACCESS_DENIED),
    ]


def test_an_order_is_not_re_placed_as_a_new_one_after_access_was_withdrawn(world):
    """One resting lot, kept from before, is amended into any size and price: a thousand of them are a way round."""
    zone, alice, bob = world.zone, world.alice, world.bob
    lists = [
        act(world.deployer, actions.GRANT_ACCESS, venue=1, grantee=w.owner) for w in (alice, bob)
    ]
    zone.block(update_market(zone, 1, access=enums.ACCESS_LIST), *lists)
    (kept,) = opened(zone.block(post(bob, BUY, 1, 1)))
    zone.block(act(world.deployer, actions.REVOKE_ACCESS, venue=1, grantee=bob.owner))
    zone.block(post(alice, SELL, 10, 1000))
    outcome = zone.block(bob.amend_order(kept, 1000, 10, mode=actions.AMEND_TAKE))
    assert outcome.code == Code.ACCESS_DENIED
    assert filled(outcome) == []
