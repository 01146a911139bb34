"""The end of a zone with perpetuals, whatever they were doing: everybody's money is in balances, to the atom.

Model and step functions run beside each other (tests/model/beside.py); ``PERPS=watched`` holds every step against its row.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.model.perp_world import PERP, build_perp_world
from tests.model.world import act, tell, update_market
from tests.perps.test_random_markets import MARKETS, SMALL, build, get_entries, move_prices
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.batches import NO_EPOCH
from tradezone.protocol.enums import BUY


def close(market, *tells):
    """The closing batch; `tells` wait in the inbox."""
    bounds = {"epoch": NO_EPOCH, "count": 0, "start_time": market.zone.time}
    return market.zone.batch([], unmarked=tells, bounds=bounds)


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
    return any(perp.ripe and perp.job is None for perp in perps(market))


def has_taken_over(market):
    return any(perp.fund_pool is not None and perp.fund_pool.positions for perp in perps(market))


def is_short(market):
    return any(ledger.deficit for ledger in market.model.ledgers.values())


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
    market, traders = build(rng, Counter())
    if market.zone.engine is not None:
        market.zone.engine.set_bounds(SMALL)
    is_there = run_until(rng, market, traders, is_reached, most)
    vault = get_vault(market)
    late = list(get_late(rng, market, traders))
    outcome = close(market, *late)
    vault += sum(event["amount"] for event in outcome.of(events.DEPOSITED))
    vault += sum(event["amount2"] for event in outcome.of(events.FUND_CHANGED) if is_slash(event))
    check_closed(market)
    check_one_rate(outcome)
    assert get_vault(market) == vault, "what L1 holds is what the state owes"
    market.zone.check_thoroughly()
    return is_there


def is_slash(event):
    """The fund has money that came from L1: it crossed the wall, and from no account."""
    return event["other_account"] == 0 and event["amount2"] > 0


def get_vault(market):
    """Atoms of asset 1 that L1 holds for the zone: what is inside, and withdrawals on their way."""
    leaving = [r for r in market.model.outbox.values() if r.kind == enums.OUTBOX_WITHDRAWAL]
    return market.model.assets[1].total + sum(r.amount for r in leaving if r.asset == 1)


def check_one_rate(outcome):
    """What a ledger is short of cuts every pool that it still owes by the same part, to an atom a pool."""
    parts = {}
    for event in outcome.of(events.POOL_RELEASED):
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


# Streams that end where they should within 160 blocks.
SEEDS = {
    is_deleveraging: 4,
    is_half_moved: 6,
    is_settling: 6,
    is_delisted_while_deleveraged: 6,
    is_queued: 4,
    is_registered: 6,
    has_taken_over: 5,
    is_waiting: 3,
    is_frozen: 5,
}


@pytest.mark.parametrize("is_reached", SEEDS, ids=lambda reached: reached.__name__)
def test_everybody_is_paid_whatever_was_going_on(is_reached, small):
    assert play(SEEDS[is_reached], is_reached, 160), "the stream ends without it"


RARE = (is_short, has_taken_over)


@pytest.mark.parametrize("is_reached", GOALS, ids=lambda reached: reached.__name__)
@pytest.mark.model_only
def test_the_model_pays_everybody_whatever_was_going_on(is_reached, small):
    """The rules alone, on many more streams; one of them at least ends where it should."""
    reached = [play(seed, is_reached) for seed in range(40 if is_reached in RARE else 6)]
    assert any(reached)


# --- one rule each -----------------------------------------------------------------------------------


def wealths(market, *who):
    return {one.owner: market.free(one) for one in who}


def test_a_zone_without_positions_closes():
    market = build_perp_world()
    before = wealths(market, market.alice, market.bob)
    close(market)
    check_closed(market)
    assert wealths(market, market.alice, market.bob) == before


def test_long_and_short_meet_at_the_middle_of_index_average_and_mark():
    """Nobody is short of money: each gets his margin and what his lots won or lost, to the atom."""
    market = build_perp_world()
    alice, bob = market.alice, market.bob
    market.trade(alice, bob, 1_000, 10)
    market.move(1_040, duration=2_000)
    perp = market.perp()
    settled = sorted([perp.index, (perp.average + limits.SUB // 2) // limits.SUB, perp.mark])[1]
    wealth, mark = {one.owner: market.wealth(one) for one in (alice, bob)}, perp.mark
    told = close(market).of(events.SETTLEMENT_BEGUN)
    assert [event["price"] for event in told] == [settled]
    check_closed(market)
    change = 10 * (settled - mark) * perp.tv
    assert market.free(alice) == wealth[alice.owner] + change
    assert market.free(bob) == wealth[bob.owner] - change


def test_an_order_that_holds_margin_just_ends():
    market = build_perp_world()
    before = market.free(market.alice)
    market.post(market.alice, BUY, 950, 10)
    assert market.free(market.alice) < before
    assert market.pool(market.alice).collateral > 0
    close(market)
    assert market.free(market.alice) == before
    check_closed(market)


def test_a_forced_order_on_its_way_ends_and_its_pool_is_paid():
    """Liquidation has begun, its order waits like every taker's, and no block releases it."""
    market = build_perp_world(takerDelay=3)
    market.trade(market.bob, market.alice, 1_000, 10)
    market.run(250)
    market.post(market.carol, BUY, 915, 10)
    market.price[1] = 945
    for _ in range(500):
        if market.block(after=2).of(events.FORCED_ORDER):
            break
    pool = market.pool(market.bob)
    assert pool.forced is not None
    assert pool.state == enums.POOL_LIQUIDATING
    wealth, perp = market.wealth(market.bob), market.perp()
    mark = perp.mark
    settled = close(market).of(events.SETTLEMENT_BEGUN)[0]["price"]
    assert market.lots(market.bob) == 0
    assert market.free(market.bob) == wealth + 10 * (settled - mark) * perp.tv
    check_closed(market)


def test_margin_that_its_owner_wants_to_stay_is_paid():
    market = build_perp_world()
    before = market.free(market.alice)
    market.trade(market.alice, market.bob, 1_000, 1)
    margin = {"venue": 1, "asset": 1, "market": PERP, "direction": actions.MARGIN_ADD}
    market.block(act(market.alice, actions.ADJUST_MARGIN, amount=10**6, **margin))
    assert market.pool(market.alice).kept == 10**6
    wealth = market.wealth(market.alice)
    close(market)
    assert market.free(market.alice) == wealth < before
    check_closed(market)


def test_a_loss_that_a_day_may_not_cost_the_fund_is_paid_by_it_in_the_end():
    """The cap of a market protects the others; at the end there are none, so the deficit is repaid before the owner."""
    market = build_perp_world(lossCap=0)
    market.block(act(market.carol, actions.FUND, venue=1, asset=1, amount=10**6))
    market.poke(market.ledger, deficit=3 * 10**5, fund=market.ledger.fund + 3 * 10**5)
    fund_account = market.model.venues[1].fund_account
    before = market.model.accounts[fund_account].balances[1].free
    outcome = close(market)
    assert [event["amount"] for event in outcome.of(events.DEFICIT_REPAID)] == [3 * 10**5]
    assert market.model.accounts[fund_account].balances[1].free - before == 10**6
    check_closed(market)


def test_one_rate_cuts_pools_of_all_markets_alike():
    """A ledger is short of a tenth: every pool loses a tenth, rounded, and the last one takes the rounding."""
    market = build_perp_world(more=({"feed": 2},))
    alice, bob, carol = market.alice, market.bob, market.carol
    market.trade(alice, bob, 1_000, 10)
    market.trade(bob, carol, 1_000, 7, market=PERP + 1)
    ledger = market.ledger
    claims = ledger.cash - ledger.fund
    market.poke(ledger, deficit=claims // 10, cash=ledger.cash - claims // 10, fund=ledger.fund)
    balance = market.model.accounts[carol.account].balances[1]
    market.poke(balance, free=balance.free + claims // 10)  # where the money went
    outcome = close(market)
    repaid = sum(event["amount"] for event in outcome.of(events.DEFICIT_REPAID))
    short = claims // 10 - repaid
    parts = [(e["amount"], e["amount2"]) for e in outcome.of(events.POOL_RELEASED)]
    assert len(parts) == 4
    owed = sum(amount for amount, _ in parts)
    assert sum(cut for _, cut in parts) == short
    assert all(abs(cut - amount * short / owed) <= len(parts) for amount, cut in parts)
    check_closed(market)


def test_deposits_and_forced_withdrawals_that_waited_come_before_the_margin():
    """A forced withdrawal pays what is free when it is read; the margin behind it is paid by escape."""
    market = build_perp_world()
    alice = market.alice
    market.trade(alice, market.bob, 1_000, 10)
    named = {"owner": alice.owner, "address": alice.address}
    free, wealth = market.free(alice), market.wealth(alice)
    body = {"account": alice.account, "asset": 1, "amount": 1 << 60}
    outcome = close(
        market,
        tell(messages.DEPOSIT, **named, asset=1, amount=77),
        tell(messages.FORCED_WITHDRAW, **named, **body),
    )
    assert [event["amount"] for event in outcome.of(events.WITHDRAWN)] == [free + 77]
    assert market.free(alice) == wealth - free
    check_closed(market)


def test_an_account_full_of_junk_is_paid_all_the_same(monkeypatch):
    """The balance that a pool came from stays, whatever others deposit."""
    monkeypatch.setattr(limits, "MAX_BALANCES", 3)
    market = build_perp_world()
    if market.zone.engine is not None:
        market.zone.engine.set_bounds({"MAX_BALANCES": 3})
    alice = market.alice
    market.trade(alice, market.bob, 1_000, 10)
    wealth = market.wealth(alice)
    named = {"owner": alice.owner, "address": alice.address}
    market.block(*(tell(messages.DEPOSIT, **named, asset=asset, amount=1) for asset in (2, 3, 2)))
    close(market)
    assert market.free(alice) == wealth
    check_closed(market)


def test_nothing_is_wound_up_twice():
    """A batch behind the last one finds a zone that has nothing to do."""
    market = build_perp_world()
    market.trade(market.alice, market.bob, 1_000, 10)
    close(market)
    assert close(market).events == []
    check_closed(market)


def test_a_batch_of_a_sequencer_winds_nothing_up():
    """The epoch decides, not that a batch has no leaves."""
    market = build_perp_world()
    market.trade(market.alice, market.bob, 1_000, 10)
    bounds = {"epoch": NO_EPOCH - 1, "count": 0, "start_time": market.zone.time}
    market.zone.batch([], unmarked=[tell(messages.HEARTBEAT)], bounds=bounds)
    assert market.model.closing == 0
    assert market.lots(market.alice) == 10
