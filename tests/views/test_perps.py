"""Perpetuals rebuilt from events equal the state after every block of the scenarios of tests/perps.

The state is the model's, in the shape in which `tests.model.perp_snapshot` reads records; tests/perps holds the engine's records
to the same. One scenario here reads the records themselves.
"""

from __future__ import annotations

import inspect
from collections import Counter
from random import Random
from types import ModuleType

import pytest

from tests.model import beside, margin, perp_snapshot
from tests.model.perp_world import PERP, PerpWorld, build_perp_world
from tests.model.pure import PureEngine
from tests.model.records import Ledger as ModelLedger
from tests.model.records import Perp
from tests.model.world import Zone, act, add_funds, item
from tests.perps import (
    test_attacks,
    test_crashes,
    test_examples,
    test_ladder,
    test_orders,
    test_plans,
    test_pools,
    test_prices,
    test_random_markets,
)
from tests.views.records import build_events
from tradezone.protocol import actions, enums, events
from tradezone.protocol.enums import BUY, SELL
from tradezone.protocol.limits import PPM, RATE
from tradezone.views import Ledger, MisfitError
from tradezone.views import margin as maths
from tradezone.views.margin import Risk, Side, Stance, Terms, Tier
from tradezone.views.perps import Perpetuals

POKED = {"is_cross": "is_cross", "weight": "profit_weight", "mark": "mark"}
POOL_FIELDS = ("collateral", "allowance", "pulled", "kept", "haircut", "order_margin")
MARKET_FIELDS = ("state", "mark", "settlement", "funding_index", "funding_rate", "pot", "open_lots")
# what empties records without a release: they stay until the next one, and say nothing
EMPTY = {"lots": 0, "quote": 0, "uses": 0}


class Watch:
    """A ledger that hears a zone, and the state it ought to be."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.blocks = 0
        self.seen: Counter[int] = Counter()

    @property
    def perps(self) -> Perpetuals:
        return self.ledger.perps

    def hear(self, told, snapshot, model):
        self.apply(told)
        self.compare(snapshot, model)

    def apply(self, told):
        self.ledger.apply(build_events(told))
        self.seen.update(event["kind"] for event in told)
        self.blocks += 1

    def compare(self, snapshot, model):
        self.ledger.check()
        balances = {
            (slot, asset): (balance.free, balance.locked)
            for slot, account in model.accounts.items()
            for asset, balance in account.balances.items()
            if balance.free or balance.locked
        }
        assert {k: tuple(b) for k, b in self.ledger.balances.items() if any(b)} == balances
        self.compare_markets(snapshot)
        self.compare_walls(snapshot)
        self.compare_pools(snapshot)
        self.compare_orders(model)

    def compare_markets(self, snapshot):
        assert set(self.perps.markets) == set(snapshot["perps"])
        for slot, wanted in snapshot["perps"].items():
            perp = self.perps.markets[slot]
            for name in MARKET_FIELDS:
                is_untold = name == "pot" and wanted["settlement"]  # a settlement uses the pot
                assert is_untold or getattr(perp, name) == wanted[name], (slot, name)
            assert perp.index_price == wanted["index"]
            assert list(perp.tiers) == [t for t in wanted["tiers"] if any(t)]
            names = ("funding_cap", "interest", "impact_notional", "loss_cap")
            for name in (*names, "oi_lower", "oi_upper", "funding_scale"):
                assert getattr(perp, name) == wanted[name], (slot, name)
            assert perp.profit_weight == wanted["profit_weight"]
            assert perp.is_cross == bool(wanted["flags"] & enums.MARKET_CROSS)
            assert perp.is_deleveraging == (wanted["job"] == enums.JOB_ADL)

    def compare_walls(self, snapshot):
        for wanted in snapshot["ledgers"].values():
            key = wanted["venue"], wanted["asset"]
            wall = self.perps.walls[key]
            for name in ("cash", "deficit", "cap"):
                assert getattr(wall, name) == wanted[name], (key, name)
            if not wall.jobs:
                assert self.perps.get_fund(*key) == wanted["fund"]

    def compare_pools(self, snapshot):
        wanted = {}
        for pool in snapshot["pools"].values():
            lots = [p for p in pool["positions"] if any(p[name] for name in EMPTY)]
            money = any(pool[name] for name in ("collateral", "allowance", "haircut"))
            if lots or money or pool["state"] != enums.ACTIVE:
                key = tuple(pool[name] for name in ("account", "venue", "asset", "market"))
                wanted[key] = pool, {p["market"]: p for p in lots}
        assert set(self.perps.pools) == set(wanted)
        known = {k: p for k, p in self.perps.positions.items() if p.lots or p.quote or p.orders}
        assert len(known) == sum(len(positions) for _, positions in wanted.values())
        for key, (pool, positions) in wanted.items():
            report = self.perps.get_pool(key)
            for name in POOL_FIELDS:
                assert getattr(report.pool, name) == pool[name], (key, name)
            assert report.pool.is_liquidating == (pool["state"] != enums.ACTIVE)
            for market, position in positions.items():
                self.compare_position(key, market, position, snapshot)
            if pool["sums"] is not None:
                self.compare_sums(report, pool["sums"], positions, snapshot)

    def compare_position(self, key, market, wanted, snapshot):
        found = self.perps.positions[key[0], market]
        assert found.pool == key[3]
        for name in ("lots", "quote", "buy_lots", "sell_lots"):
            assert getattr(found, name) == wanted[name], (key, market, name)
        assert found.orders == wanted["uses"]
        if found.lots or found.orders:
            assert found.leverage == wanted["leverage"]
        if not found.lots:
            return
        # A payer is exact; who receives less than an atom is settled without an event.
        scale = self.perps.markets[market].funding_scale
        owed = found.lots * (snapshot["perps"][market]["funding_index"] - wanted["funding_index"])
        exact = maths.ceil_div(owed, scale)
        pending = self.perps.get_pending_funding(found)
        assert exact - self.seen[events.FUNDING_SET] <= pending <= exact
        if pending > 0 or exact > 0:
            assert pending == exact

    def compare_sums(self, report, sums, positions, snapshot):
        values = report.values._asdict()
        values["equity"] = values.pop("pnl")
        is_rate_old = any(
            self.perps.get_risk(market).oi_rate != snapshot["perps"][market]["oi_rate"]
            for market in positions
        )
        for name, wanted in sums.items():
            if not (is_rate_old and name in ("initial", "weighted")):
                assert values[name] == wanted, (report.pool.key, name)

    def compare_orders(self, model):
        wanted = {
            order.id: (
                *(order.lots, order.filled, order.locked),
                order.flags & (enums.ORDER_REDUCE_ONLY | enums.ORDER_FORCED),
            )
            for order in model.orders.values()
        }
        known = self.ledger.orders.values()
        assert {o.order: (o.lots, o.filled, o.locked, o.flags) for o in known} == wanted


class WatchedZone(Zone):
    """The model, and a ledger that hears its events."""

    def __init__(self):
        super().__init__()
        self.watch = Watch()

    def run(self, *arguments):
        outcome = super().run(*arguments)
        self.watch.hear(outcome.events, perp_snapshot.build(self.model), self.model)
        return outcome


class CrowdedZone(WatchedZone):
    """One in which a thousand accounts are looked at from time to time, since each look is at all of them."""

    EVERY = 100

    def run(self, *arguments):
        outcome = Zone.run(self, *arguments)
        self.watch.apply(outcome.events)
        if self.watch.blocks % (self.EVERY // 20 if self.is_checking else self.EVERY) == 0:
            self.watch.compare(perp_snapshot.build(self.model), self.model)
        return outcome


class RecordZone(beside.BesideZone):
    """Model and plain engine; the views are held against the engine's records."""

    def __init__(self):
        super().__init__(PureEngine())
        self.watch = Watch()

    def run(self, *arguments):
        outcome = super().run(*arguments)
        self.watch.hear(outcome.events, perp_snapshot.read(self.engine.tables), self.model)
        return outcome


def mirror_poke(watch, thing, values):
    """What a test writes into the state without an event is written into the view too."""
    perps = watch.perps
    if isinstance(thing, Perp):
        told = {POKED[name]: value for name, value in values.items() if name in POKED}
        slot = thing.market.slot
        perps.markets[slot] = perps.markets[slot]._replace(**told)
    elif isinstance(thing, ModelLedger):
        key = thing.venue, thing.asset
        told = {name: value for name, value in values.items() if name in ("cap", "deficit")}
        perps.walls[key] = perps.walls[key]._replace(**told)


@pytest.fixture
def watches(monkeypatch):
    """Watches of the zones that a scenario builds."""
    made = []
    poke = PerpWorld.poke

    def make_zone(kind=WatchedZone):
        zone = kind()
        made.append(zone.watch)
        return zone

    def poke_both(self, thing, **values):
        poke(self, thing, **values)
        mirror_poke(self.zone.watch, thing, values)

    monkeypatch.setattr(beside, "make_zone", make_zone)
    monkeypatch.setattr(PerpWorld, "poke", poke_both)
    return made


ARGUMENTS = {"market", "rules", "monkeypatch"}


def list_scenarios(*modules: ModuleType):
    return [
        pytest.param(module, name, id=f"{module.__name__.rsplit('_', 1)[-1]}-{name[5:]}")
        for module in modules
        for name, function in vars(module).items()
        if name.startswith("test_") and callable(function)
        if inspect.signature(function).parameters.keys() <= ARGUMENTS
    ]


def play_scenario(module, name, monkeypatch):
    """Run a test of tests/perps with what its fixtures would give it."""
    function = getattr(module, name)
    values = {"rules": True, "monkeypatch": monkeypatch}
    names = inspect.signature(function).parameters
    if "market" in names:
        values["market"] = module.market.__wrapped__()
    function(**{name: values[name] for name in names})


SCENARIOS = list_scenarios(
    test_attacks, test_examples, test_ladder, test_orders, test_plans, test_pools, test_prices
)


@pytest.mark.parametrize(("module", "name"), SCENARIOS)
def test_views_equal_the_state_after_every_block_of(module, name, watches, monkeypatch):
    play_scenario(module, name, monkeypatch)
    assert all(watch.blocks for watch in watches)


@pytest.mark.parametrize("name", ["gap", "spike"])
def test_views_follow_a_thousand_accounts(name):
    """The crowd of tests/perps/test_crashes.py, by the model alone, heard from its first event."""
    zone = CrowdedZone()
    market, bots = test_crashes.build_crowd(zone)
    test_crashes.crash(market, bots, test_crashes.PATHS[name], Random(name))
    assert zone.watch.seen[events.LIQUIDATION_BEGUN] > test_crashes.ACCOUNTS // 2
    assert zone.watch.seen[events.TAKEOVER]


@pytest.mark.parametrize("seed", range(6))
def test_views_equal_the_state_of_random_markets(seed, watches):
    test_random_markets.play(seed)
    assert watches[0].blocks > 700


def test_the_scenarios_tell_every_kind_of_event(watches, monkeypatch):
    for seed in range(20, 24):
        test_random_markets.play(seed)
    for param in list_scenarios(test_ladder, test_pools):
        play_scenario(*param.values, monkeypatch)
    seen = sum((watch.seen for watch in watches), Counter())
    assert set(Perpetuals(None, None).handlers) - set(seen) == set()


def test_views_equal_the_records_themselves(watches, monkeypatch):
    make = beside.make_zone
    monkeypatch.setattr(beside, "make_zone", lambda: make(RecordZone))
    test_ladder.test_the_fund_takes_over_what_nobody_buys_and_works_it_off()
    test_ladder.test_deleveraging_levels_leverage()
    assert len(watches) == 2


# --- what a user reads -------------------------------------------------------------------------------


@pytest.fixture
def market(watches):
    return build_perp_world()


def test_a_position_has_an_entry_price_and_both_profits(market):
    market.trade(market.bob, market.alice, 1_010, 5)
    market.trade(market.bob, market.alice, 1_020, 5)
    perps = market.zone.watch.perps
    account = market.bob.account
    report = perps.get_position(account, PERP)
    top, bottom = report.position.get_entry_price(1_000)
    assert top == 1_015 * bottom
    mark = perps.markets[PERP].mark
    assert report.values.pnl == (mark - 1_015) * 10 * 1_000
    market.trade(market.alice, market.bob, 1_030, 4)
    position = perps.get_position(account, PERP).position
    assert (position.lots, position.realised) == (6, (1_030 - 1_015) * 4 * 1_000)
    assert position.fees == sum(
        -(-p * 1_000 * n * rate // PPM)
        for p, n, rate in ((1_010, 5, 500), (1_020, 5, 500), (1_030, 4, 200))
    )


@pytest.mark.parametrize("side", [BUY, SELL])
def test_the_liquidation_price_is_the_first_tick_below_maintenance(market, side):
    buyer, seller = (market.bob, market.alice) if side == BUY else (market.alice, market.bob)
    market.trade(buyer, seller, 1_000, 50)
    perps = market.zone.watch.perps
    price = perps.get_position(market.bob.account, PERP).liquidation_price
    pool, perp = market.pool(market.bob), market.perp()
    back = 1 if side == BUY else -1
    for mark, is_below in ((price, True), (price + back, False)):
        perp.mark = mark
        values = margin.get_pool_values(market.model, pool)
        assert (values.pnl < values.maintenance) == is_below


def test_a_preview_is_what_entering_costs(market):
    """The pull before it is made, and the least money that is enough."""
    perps, who = market.zone.watch.perps, market.bob
    terms = Terms(taker_fee=500, maker_fee=200)
    for price, lots, side in ((1_015, 7, BUY), (1_030, 3, BUY), (990, 20, SELL), (1_000, 1, BUY)):
        found = perps.preview(who.account, PERP, terms, side, price, lots)
        before = market.free(who)
        market.post(market.alice, 1 - side, price, lots)
        told = market.take(who, side, price, lots)
        pulls = [e["amount"] for e in told.of(events.POOL_MOVED) if e["account"] == who.account]
        fill = told.of(events.FILL)[0]
        assert sum(pulls) == found.pull <= before
        assert fill["amount"] == found.fee
        position = perps.positions.get((who.account, PERP))
        assert found.lots == (position.lots if position else 0)
        market.cancel_all(market.alice)


def test_a_preview_that_is_not_affordable_is_refused_by_one_atom(market):
    perps, who = market.zone.watch.perps, market.add_trader(31, 0)
    terms = Terms(taker_fee=500, maker_fee=200)
    need = perps.preview(who.account, PERP, terms, BUY, 1_000, 9).pull
    add_funds(market.zone, who, 1, need - 1)
    assert not perps.preview(who.account, PERP, terms, BUY, 1_000, 9).is_affordable
    assert any(market.post(who, BUY, 1_000, 9).codes)
    add_funds(market.zone, who, 1, 1)
    assert perps.preview(who.account, PERP, terms, BUY, 1_000, 9).is_affordable
    assert not any(market.post(who, BUY, 1_000, 9).codes)


def test_a_preview_of_a_reduction_needs_a_position(market):
    perps = market.zone.watch.perps
    terms = Terms(500, 200)
    with pytest.raises(ValueError, match="to reduce"):
        perps.preview(market.bob.account, PERP, terms, BUY, 1_000, 1, is_reduce_only=True)
    with pytest.raises(ValueError, match="at least 1"):
        perps.preview(market.bob.account, PERP, terms, BUY, 0, 1)
    market.trade(market.alice, market.bob, 1_000, 5)
    found = perps.preview(market.bob.account, PERP, terms, BUY, 1_000, 9, is_reduce_only=True)
    assert (found.pull, found.locked, found.lots) == (0, 0, 0)
    assert found.notional == 5 * 1_000 * 1_000


def test_leverage_and_allowance_are_followed(market):
    perps, who = market.zone.watch.perps, market.bob
    body = item(actions.LEVERAGE, market=PERP, mode=enums.MODE_ISOLATED, leverage=200)
    market.block(act(who, actions.LEVERAGE, body))
    market.block(act(who, actions.ALLOWANCE, venue=1, asset=1, amount=77))
    assert perps.settings[who.account, PERP] == (enums.MODE_ISOLATED, 200)
    assert perps.pools[who.account, 1, 1, 0].allowance == 77
    slow = perps.preview(who.account, PERP, Terms(500, 200), BUY, 1_000, 10)
    assert slow.initial == 10 * 1_000 * 1_000 // 2


def rank_plainly(side):
    """Places as docs/spec/adl.md words them, pair by pair."""
    found = []
    for own in side:
        group = [row for row in side if row.is_profit == own.is_profit]
        ahead = sum(r.lots for r in group if r.notional * own.claim > own.notional * r.claim)
        found.append((own.is_profit, ahead, sum(row.lots for row in group)))
    return found


@pytest.mark.parametrize("seed", range(40))
def test_published_places_are_those_of_every_pair(seed):
    rng = Random(seed)
    side = []
    for _ in range(rng.randrange(1, 30)):
        lots = rng.randrange(1, 9)
        claim = rng.choice((0, 100, 100 * lots, rng.randrange(1 << 60)))
        side.append(Side(lots, lots * 1_000, claim, rng.random() < 0.5))
    assert [tuple(rank) for rank in maths.get_ranks(side)] == rank_plainly(side)
    assert [maths.get_rank(side, n) for n in range(len(side))] == maths.get_ranks(side)


@pytest.mark.parametrize("seed", range(40))
def test_the_liquidation_price_is_that_of_a_walk_over_all_ticks(seed):
    rng = Random(seed)
    tiers = (Tier(0, 100_000, 50_000), Tier(2_000, 400_000, 200_000))
    risk = Risk(rng.randrange(1, 9), 400, rng.randrange(1, 400), tiers, 0, 0, 400_000, True)
    stance = Stance(rng.randrange(-20, 20), rng.randrange(-20_000, 20_000))
    other = (risk._replace(mark=100), Stance(3, -200))
    collateral = rng.randrange(-500, 9_000)
    exposures = [(risk, stance), other]
    found = maths.get_liquidation_price(collateral, exposures, 0)

    def is_below(price):
        values = maths.get_pool_values(collateral, [(risk._replace(mark=price), stance), other])
        return values.pnl < values.maintenance

    if is_below(risk.mark) and stance.lots:
        assert found == risk.mark
        return
    path = range(risk.mark, 0, -1) if stance.lots > 0 else range(risk.mark, 401)
    assert found == (next(filter(is_below, path), None) if stance.lots else None)


def test_an_event_that_contradicts_is_refused(market):
    ledger = market.zone.watch.ledger
    market.post(market.alice, SELL, 1_000, 5)
    market.take(market.bob, BUY, 1_000, 5)
    at = ledger.cursor.next_seq
    kind = {"seq": at, "market": PERP, "account": market.carol.account, "amount": 1}
    for lie in (
        {"kind": events.FUNDING_PAID},
        {"kind": events.REALISED},
        {"kind": events.TAKEOVER, "account": market.bob.account, "lots": 4},
        {"kind": events.POSITION_SETTLED, "account": market.bob.account, "lots": -5},
        {"kind": events.MARGIN_TIER, "flag": 7},
        {"kind": events.MARK_SET, "market": 1},
    ):
        columns = dict.fromkeys(ledger_columns(), 0) | kind | lie
        with pytest.raises(MisfitError):
            ledger.apply(build_events([columns | {"seq": ledger.cursor.next_seq}]))


def ledger_columns():
    return events.EVENT_DTYPE.names


def test_funding_that_is_due_is_shown_before_it_is_paid(market):
    market.trade(market.bob, market.alice, 1_000, 5)
    perps = market.zone.watch.perps
    perp = perps.markets[PERP]
    step = 1_000 * perp.index_price * perp.tick_value * perp.funding_scale // RATE
    perps.markets[PERP] = perp._replace(funding_index=perp.funding_index + step + 1)
    payer = perps.get_position(market.bob.account, PERP).pending_funding
    receiver = perps.get_position(market.alice.account, PERP).pending_funding
    # 5 * 10^6 atoms at 1,000 ppb and a trifle, rounded against each owner
    assert payer == 6
    assert receiver == -5
