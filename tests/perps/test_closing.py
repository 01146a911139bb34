"""The end of a zone with perpetuals, whatever they were doing: everybody's money is in balances, to the atom.

Model and step functions run beside each other (tests/model/beside.py); ``PERPS=watched`` holds every step against its row.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.model.perp_world import PERP, build_perp_world
from tests.model.world import act, get_address, tell, update_market
from tests.perps.test_random_markets import MARKETS, SMALL, build, get_entries, move_prices
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.batches import NO_EPOCH
from tradezone.protocol.enums import BUY, SELL


def close(market, *tells):
    """The closing batch; `tells` wait in the inbox."""
    bounds = {"epoch": NO_EPOCH, "count": 0, "start_time": market.zone.time}
    return market.zone.batch([], unmarked=tells, bounds=bounds)


def get_total(market):
    """What the vault owes in asset 1: all that went in less what left by the outbox."""
    return market.model.assets[1].total


def check_closed(market):
    model = market.model
    assert model.closing == enums.CLOSED
    assert not any(perp.is_live for perp in model.perps.values())
    assert not model.jobs
    assert not model.liquidating
    assert not any(p.lots or p.quote for p in model.positions.values())
    assert all(pool.collateral == 0 for pool in model.pools.values())
    for ledger in model.ledgers.values():
        assert (ledger.cash, ledger.deficit, ledger.fund) == (0, 0, 0)
    held = Counter()
    for account in model.accounts.values():
        for asset, balance in account.balances.items():
            held[asset] += balance.free + balance.locked
    for group in model.groups.values():
        held[group.asset] += group.cash
    for slot, asset in model.assets.items():
        assert held[slot] + asset.dust == asset.total, f"asset {slot}"


# --- what may be going on when it ends ---------------------------------------------------------------


def is_deleveraging(market):
    return any(perp.job is not None and perp.job.kind == enums.JOB_ADL for perp in perps(market))


def is_half_moved(market):
    """Lots or money of a job are between two pools."""
    return any(perp.job is not None and (perp.job.lots or perp.job.money) for perp in perps(market))


def is_settling(market):
    return any(perp.job is not None and perp.job.kind == enums.JOB_SETTLE for perp in perps(market))


def is_delisted_while_deleveraged(market):
    return any(perp.must_settle for perp in perps(market))


def is_queued(market):
    return bool(market.model.liquidating)


def is_registered(market):
    """Bankrupt, and the job that will close it has not begun."""
    return any(perp.adl_time and perp.job is None for perp in perps(market))


def has_taken_over(market):
    return any(perp.fund_pool is not None and perp.fund_pool.positions for perp in perps(market))


def is_short(market):
    return any(ledger.deficit for ledger in market.model.ledgers.values())


def is_forced(market):
    return any(pool.forced is not None for pool in market.model.pools.values())


def is_waiting(market):
    return any(book.queue for book in market.model.books.values())


def is_frozen(market):
    return any(perp.is_live and perp.state == enums.PRICE_FROZEN for perp in perps(market))


def perps(market):
    return market.model.perps.values()


GOALS = (
    is_deleveraging,
    is_half_moved,
    is_settling,
    is_delisted_while_deleveraged,
    is_queued,
    is_registered,
    has_taken_over,
    is_short,
    is_forced,
    is_waiting,
    is_frozen,
)


def force_close(market, position):
    """An owner closes a position through L1."""
    account = position.pool.account
    owner = market.model.accounts[account].owner
    named = {"owner": owner, "address": market.model.owners[owner].address, "account": account}
    body = {"market": position.market, "position": position.slot}
    return tell(messages.FORCED_CLOSE, **named, **body)


def get_late(rng, market, traders):
    """What waits in the inbox when the zone ends."""
    for _ in range(rng.randrange(6)):
        who = rng.choice(traders)
        named = {"owner": who.owner, "address": who.address, "account": who.account}
        kind = rng.randrange(7)
        if kind == 0:
            amount = rng.choice((1, 10**7))
            body = {"owner": who.owner, "address": who.address, "asset": 1, "amount": amount}
            yield tell(messages.DEPOSIT, **body)
        elif kind == 1:
            amount = rng.choice((1, 10**6, 10**12))
            yield tell(messages.FORCED_WITHDRAW, **named, asset=1, amount=amount)
        elif kind == 2:
            if market.model.positions:
                yield force_close(market, rng.choice(list(market.model.positions.values())))
        elif kind == 3:
            yield tell(messages.FORCED_CANCEL_ALL, **named)
        elif kind == 4:
            slot = rng.choice(MARKETS)
            if market.perp(slot).is_live and not market.perp(slot).settlement:
                yield update_market(market.zone, slot, phase=enums.PHASE_SETTLED)
                return  # the next update would be made of old terms
        elif kind == 5:
            yield tell(messages.SLASH, venue=1, asset=1, amount=rng.choice((1, 10**5)))
        else:
            yield tell(messages.HEARTBEAT)


def run_until(rng, market, traders, is_reached, most):
    """A crash in a crowd until what is wanted is going on; whether it is."""
    quiet = 0
    for number in range(most):
        move_prices(rng, market)
        if rng.random() < (0.05 if is_reached is is_frozen else 0.004):
            quiet = 40
        quiet -= 1
        entries = list(get_entries(rng, market, traders))
        if rng.random() < 0.1 and market.model.positions:
            entries.append(force_close(market, rng.choice(list(market.model.positions.values()))))
        slot = rng.choice(MARKETS)
        perp = market.perp(slot)
        is_delisting = rng.random() < 0.01 or (perp.job is not None and rng.random() < 0.3)
        if number > 100 and is_delisting and perp.is_live and not perp.settlement:
            entries.append(update_market(market.zone, slot, phase=enums.PHASE_SETTLED))
        market.block(*entries, after=rng.choice((1, 50, 250, 900)), quiet=quiet > 0)
        if number > 40 and is_reached(market):
            return True
    return False


def play(seed, is_reached, most=600):
    """Live, end, count; whether the zone ended where it should."""
    rng = random.Random(seed)
    market, traders = build(rng)
    if market.zone.engine is not None:
        market.zone.engine.set_bounds(SMALL)
    is_there = run_until(rng, market, traders, is_reached, most)
    before = {slot: asset.total for slot, asset in market.model.assets.items()}
    outcome = close(market, *get_late(rng, market, traders))
    check_closed(market)
    check_one_rate(outcome)
    moved = Counter()
    for record in market.model.outbox.values():
        moved[record.asset] += 0 if record.kind == enums.OUTBOX_INSOLVENCY else record.amount
    assert set(before) == set(market.model.assets)
    market.zone.check_thoroughly()
    return is_there


def check_one_rate(outcome):
    """What a ledger is short of cuts every pool that it still owes by the same part, to an atom a pool."""
    begun = [i for i, event in enumerate(outcome.events) if event["kind"] == events.POOL_RELEASED]
    parts = {}
    for i in begun:
        event = outcome.events[i]
        wall = (event["order"], event["other_order"])
        parts.setdefault(wall, []).append((event["amount"], event["amount2"]))
    for releases in parts.values():
        owed, cut = (sum(column) for column in zip(*releases, strict=True))
        for amount, part in releases:
            assert abs(part - amount * cut / owed) <= len(releases), (amount, part, cut, owed)


@pytest.fixture
def small(monkeypatch):
    """Sweep, queue and jobs at bounds so small that their work is met half-done."""
    for name, value in SMALL.items():
        monkeypatch.setattr(limits, name, value)
