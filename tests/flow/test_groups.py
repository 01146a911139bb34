"""Groups of envelopes: order, packing, accounts, signatures."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import coincurve
import pytest

from tradezone.protocol import actions
from tradezone.protocol.enums import TIF_IOC, TIF_POST_ONLY
from tradezone.protocol.hashing import keccak
from tradezone.protocol.limits import MAX_EXPIRES_AFTER, MAX_ITEMS, MAX_OPEN_ORDERS
from tradezone.testing import (
    Cancel,
    Checkpoint,
    FifoBook,
    FlowSetupError,
    OrderFlow,
    PlacePostOnly,
    Shrink,
    Take,
    Trader,
    build_groups,
    get_client_id,
    get_funding,
    get_secret,
    presign,
)

MAKERS, TAKERS = 20, 4
SEPARATOR = actions.domain_separator(196, b"\x5a" * 20)
START = 1_700_000_000_000


def flow_of(*intentions):
    points = tuple(Checkpoint(n, n + 1, 0) for n in range(len(intentions)))
    return OrderFlow("test", intentions, (0,) * len(intentions), points)


def place(key, price=10, lots=1):
    return PlacePostOnly(key, 0, price, lots)


def unpack(draft):
    envelope = actions.Envelope(0, 0, 0, 0, draft.action, draft.body)
    return actions.unpack_items(envelope)


def read_intentions(groups):
    """What the envelopes say, as (action, account, key, numbers)."""
    for group in groups:
        for draft in group.envelopes:
            for item in unpack(draft):
                key = int.from_bytes(item["client_id"][8:], "big")
                yield draft.action, draft.account, key, item


@pytest.fixture(scope="module")
def groups(made_up):
    return list(build_groups(made_up, MAKERS, TAKERS))


def test_groups_hold_all_intentions_in_order(made_up, groups):
    assert [group.start for group in groups] == [0, *(group.stop for group in groups[:-1])]
    said = list(read_intentions(groups))
    assert len(said) == len(made_up.intentions) == groups[-1].stop
    for (action, account, key, item), intention in zip(said, made_up.intentions, strict=True):
        assert key == intention.key
        if isinstance(intention, Cancel):
            assert action == actions.CANCEL
        elif isinstance(intention, Shrink):
            assert (action, item["mode"]) == (actions.AMEND, actions.AMEND_SHRINK)
            assert item["lots"] == intention.total
        else:
            assert action == actions.PLACE
            assert (item["side"], item["price"]) == (intention.side, intention.price)
            assert (item["lots"], item["market"]) == (intention.lots, 1)
            is_take = isinstance(intention, Take)
            assert item["tif"] == (TIF_IOC if is_take else TIF_POST_ONLY)
            assert (account >= MAKERS) == is_take


def test_a_group_never_falls_back_to_an_earlier_class(groups):
    unsigned = [
        [
            actions.leaf_class(
                actions.Envelope(1, 1, 1, 1, draft.action, draft.body, bytes(65)).to_leaf()
            )
            for draft in group.envelopes
        ]
        for group in groups
    ]
    assert all(classes == sorted(classes) for classes in unsigned)
    # as long as possible: the next group begins with an earlier class
    assert all(a[-1] > b[0] for a, b in pairwise(unsigned))


def test_changes_are_signed_by_whoever_placed_the_order(groups):
    holder = {}
    for action, account, key, _ in read_intentions(groups):
        if action == actions.PLACE:
            holder[key] = account
        assert holder[key] == account
    assert set(holder.values()) == set(range(MAKERS + TAKERS))


def test_neighbours_share_an_envelope():
    flow = flow_of(
        *(place(n, 10 + n) for n in range(1, 65)),
        *(Cancel(n) for n in range(1, 5)),
        Cancel(40),
        Shrink(41, 1),
        Shrink(42, 1),
        place(70),
    )
    first, second = build_groups(flow, makers=3, takers=1)
    assert [(d.account, d.items) for d in first.envelopes] == [(1, 30), (2, 30), (0, 4)]
    shape = [(d.action, d.account, d.items) for d in second.envelopes]
    assert shape == [
        (actions.CANCEL, 1, 4),
        (actions.CANCEL, 2, 1),
        (actions.AMEND, 2, 2),
        (actions.PLACE, 1, 1),
    ]


def test_no_account_has_too_many_open_orders():
    most = MAX_OPEN_ORDERS
    flow = flow_of(*(place(n) for n in range(1, 2 * most + 1)), Cancel(5), place(2 * most + 1))
    placed = Counter(account for _, account, _, _ in read_intentions(build_groups(flow, 2, 1)))
    assert placed == {0: most, 1: most + 2}
    over = flow_of(*flow.intentions[: 2 * most], place(2 * most + 1))
    with pytest.raises(FlowSetupError, match="needs more makers"):
        list(build_groups(over, 2, 1))


def test_filled_orders_make_room():
    most = MAX_OPEN_ORDERS
    flow = flow_of(*(place(n) for n in range(1, most + 1)), Take(9, 1, 1, 3, ()), place(5_000))
    assert len(list(read_intentions(build_groups(flow, 1, 1)))) == most + 2


def test_a_group_fits_a_block():
    flow = flow_of(*(place(n) for n in range(1, 121)))
    sizes = [[d.items for d in g.envelopes] for g in build_groups(flow, 9, 1, max_leaves=2)]
    assert sizes == [[MAX_ITEMS, MAX_ITEMS]] * 2


@pytest.mark.parametrize("arguments", [(0, 1), (1, 0), (1, 1, 1, 0, 0), (1, 1, 1, 0, 1025)])
def test_senseless_numbers_are_refused(made_up, arguments):
    with pytest.raises(FlowSetupError, match="Expected"):
        next(build_groups(made_up, *arguments))


def test_a_change_of_an_unknown_order_is_refused():
    with pytest.raises(FlowSetupError, match="never placed"):
        list(build_groups(flow_of(Cancel(1))))


def test_client_ids_are_unique_among_open_orders(made_up):
    book, is_open = FifoBook(), {}
    for intention in made_up.intentions:
        if isinstance(intention, PlacePostOnly):
            client_id = get_client_id(intention.key)
            assert len(client_id) == 16
            assert is_open.get(client_id) not in book.orders
            is_open[client_id] = intention.key
        book.apply(intention)


def test_funding_covers_every_lock(made_up, groups):
    needs = get_funding(groups, MAKERS + TAKERS)
    buys = [i for i in made_up.intentions if hasattr(i, "side") and i.side == 0]
    sells = [i for i in made_up.intentions if hasattr(i, "side") and i.side == 1]
    assert sum(need.quote for need in needs) == sum(i.price * i.lots for i in buys)
    assert sum(need.lots for need in needs) == sum(i.lots for i in sells)


# --- signatures --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def traders():
    return [Trader(100 + n, 200 + n, get_secret(n)) for n in range(MAKERS + TAKERS)]


def test_leaves_are_envelopes_that_their_traders_signed(groups, traders):
    nonces = {}
    signed = list(presign(groups, traders, SEPARATOR, START))
    assert [len(leaves) for leaves in signed] == [len(group.envelopes) for group in groups]
    for group, leaves in zip(groups[:300], signed, strict=False):
        for draft, leaf in zip(group.envelopes, leaves, strict=True):
            envelope = actions.Envelope.from_leaf(leaf)
            trader = traders[draft.account]
            assert envelope.to_leaf() == leaf
            assert (envelope.account, envelope.key) == (trader.account, trader.key)
            assert (envelope.action, envelope.body) == (draft.action, draft.body)
            assert envelope.nonce == nonces.get(trader.key, START - 1) + 1
            assert START < envelope.expires_after <= START + MAX_EXPIRES_AFTER
            nonces[trader.key] = envelope.nonce
            *signature, v = envelope.signature
            assert v in {27, 28}
            public = coincurve.PublicKey.from_signature_and_message(
                bytes([*signature, v - 27]), envelope.digest(SEPARATOR), hasher=None
            )
            address = keccak(public.format(compressed=False)[1:])[12:]
            assert address == trader.get_address()


def test_signing_twice_gives_the_same_bytes(groups, traders):
    once = list(presign(groups[:50], traders, SEPARATOR, START))
    assert once == list(presign(groups[:50], traders, SEPARATOR, START))
    assert once != list(presign(groups[:50], traders, SEPARATOR, START + 1))


@pytest.mark.parametrize("lifetime", [0, MAX_EXPIRES_AFTER + 1])
def test_a_lifetime_that_the_protocol_refuses_is_refused(groups, traders, lifetime):
    with pytest.raises(FlowSetupError, match="lifetime"):
        next(presign(groups, traders, SEPARATOR, START, lifetime))


def test_a_secret_is_not_shown():
    assert get_secret(3).hex() not in repr(Trader(1, 1, get_secret(3)))
