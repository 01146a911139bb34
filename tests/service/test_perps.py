"""What the API says of pools and positions, from the records of the plain engine, against the model and against events."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace

import pytest

from tests.model import beside, funding, margin
from tests.model.perp_world import PERP, build_perp_world
from tests.model.pure import PureEngine
from tests.model.world import act, item
from tests.views.records import build_events
from tradezone.protocol import actions, enums
from tradezone.protocol.enums import BUY, SELL
from tradezone.service import perps
from tradezone.service.depth import read_start
from tradezone.service.feeds import Feeds
from tradezone.views import Ledger, Terms

TERMS = Terms(500, 200)


class HeardZone(beside.BesideZone):
    """Model and plain engine, and a ledger and market data that hear them."""

    def __init__(self):
        super().__init__(PureEngine())
        self.ledger = Ledger()
        self.feeds = Feeds()
        self.named = set()

    def run(self, *arguments):
        outcome = super().run(*arguments)
        events = build_events(outcome.events)
        self.ledger.apply(events)
        published = self.feeds.apply(self.model.block, self.model.time, events)
        self.named = set(published.markets)
        return outcome

    @property
    def state(self):
        """What `Pipeline.query` would hand to a function."""
        tables = self.engine.tables
        return SimpleNamespace(tables=tables, machine=tables["machine"][0])


@pytest.fixture
def market():
    """A book of positions: bob long against alice, carol short against bob, one more who is thin."""
    built = build_perp_world(HeardZone(), money=10**8)
    built.trade(built.bob, built.alice, 1_000, 40)
    thin = built.add_trader(31, 3 * 10**6)
    built.trade(thin, built.carol, 1_001, 20)
    built.thin = thin
    built.move(985, duration=3_000)  # long enough for the sweep to touch every pool
    return built


def show(market, who):
    copy = perps.copy_margin(market.zone.state, who.account)
    return perps.build_pools(copy)


def test_a_pool_is_what_a_touch_would_find(market):
    for who in (market.alice, market.bob, market.carol):
        pool = market.pool(who)
        shown = show(market, who)
        assert len(shown) == 1
        for position in pool.by_market():
            funding.settle(market.model, position)
        values = margin.get_pool_values(market.model, pool)
        assert int(shown[0].equity) == values.pnl
        assert int(shown[0].equity_at_entry) == values.weighted
        assert int(shown[0].initial) == values.initial
        assert int(shown[0].maintenance) == values.maintenance
        assert shown[0].state == "active"
        position = shown[0].positions[0]
        assert (position.market, int(position.lots)) == (PERP, market.lots(who))


def test_funding_that_is_due_is_taken_off(market):
    """An hour passes in the record only: nobody has touched the pools yet."""
    table = market.zone.engine.tables
    step = 10**6 * int(table["tier"][PERP]["funding_scale"])
    before = {who.account: show(market, who)[0] for who in (market.bob, market.alice)}
    table["price"]["funding_index"][PERP] += step + 1
    long, short = (show(market, who)[0] for who in (market.bob, market.alice))
    lots = market.lots(market.bob)
    assert int(long.positions[0].funding_due) == lots * 10**6 + 1
    assert int(short.positions[0].funding_due) == -lots * 10**6
    assert int(long.equity) == int(before[market.bob.account].equity) - lots * 10**6 - 1
    assert long.collateral == before[market.bob.account].collateral


def test_records_and_events_say_the_same(market):
    """Entry price, liquidation price and pool of the records against those that a follower of events has."""
    for who in (market.alice, market.bob, market.carol):
        shown = show(market, who)[0]
        key = (who.account, shown.venue, shown.asset, shown.market)
        told = market.zone.ledger.perps
        report = told.get_pool(key)
        names = ("collateral", "order_margin", "allowance", "pulled", "kept", "haircut")
        assert [int(getattr(shown, n)) for n in names] == [getattr(report.pool, n) for n in names]
        assert int(shown.releasable) == report.releasable
        position = told.get_position(who.account, PERP)
        assert shown.positions[0].liquidation_price == position.liquidation_price
        top, bottom = position.position.get_entry_price(1_000)
        assert Decimal(shown.positions[0].entry_price) == pytest.approx(Decimal(top) / bottom)
        rank = position.rank
        shown_rank = shown.positions[0]
        assert shown_rank.rank_group == ("profit" if rank.is_profit else "other")
        assert (int(shown_rank.rank_ahead), int(shown_rank.rank_lots)) == rank[1:]


def test_the_thinner_position_is_ranked_first(market):
    shown = {
        name: show(market, who)[0].positions[0]
        for name, who in (("alice", market.alice), ("carol", market.carol))
    }
    assert all(position.rank_group == "profit" for position in shown.values())
    assert int(shown["alice"].rank_lots) == 60
    assert {int(position.rank_ahead) for position in shown.values()} in ({0, 20}, {0, 40}, {0})


def preview(market, who, side, price, lots, **more):
    state = market.zone.state
    perp = perps.fetch_perpetual(state, PERP)
    copy = perps.copy_margin(state, who.account, PERP, with_ranks=False)
    pool = perps.find_default_pool(copy, PERP, perp.venue, perp.asset, is_cross=perp.is_cross)
    more = {"is_reduce_only": False} | more
    return perps.build_preview(copy, PERP, pool, TERMS, side, price, lots, **more)


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_preview_from_records_is_that_from_events(market, side):
    told = market.zone.ledger.perps
    for who in (market.alice, market.bob, market.carol):
        for price, lots in ((985, 3), (990, 50), (970, 7)):
            shown = preview(market, who, side, price, lots)
            found = told.preview(who.account, PERP, TERMS, side, price, lots)
            assert int(shown.pull) == found.pull
            assert int(shown.locked) == found.locked
            assert shown.liquidation_price == found.liquidation_price
            assert (int(shown.equity), int(shown.initial)) == (found.equity, found.initial)
            assert shown.is_affordable == found.is_affordable


def test_a_preview_uses_the_leverage_that_was_set(market):
    body = item(actions.LEVERAGE, market=PERP, mode=enums.MODE_ISOLATED, leverage=200)
    who = market.add_trader(32, 10**8)
    before = preview(market, who, BUY, 985, 10)
    market.block(act(who, actions.LEVERAGE, body))
    after = preview(market, who, BUY, 985, 10)
    assert int(after.initial) == 985 * 10 * 1_000 // 2 > int(before.initial)


def test_a_reduction_asks_for_nothing(market):
    shown = preview(market, market.bob, SELL, 985, 10, is_reduce_only=True)
    assert (shown.pull, shown.locked, shown.lots) == ("0", "0", "30")
    with pytest.raises(ValueError, match="to reduce"):
        preview(market, market.bob, BUY, 985, 10, is_reduce_only=True)


def test_a_perpetual_is_shown_with_its_price_and_terms(market):
    found = perps.fetch_perpetual(market.zone.state, PERP)
    perp = market.perp()
    assert (found.mark, found.index, found.state) == (perp.mark, perp.index, "live")
    assert int(found.open_lots) == 60
    assert int(found.open_interest) == 60 * perp.mark * 1_000
    assert [(int(t.lower), t.initial, t.maintenance) for t in found.tiers] == [
        (0, 100_000, 50_000),
        (10**9, 200_000, 100_000),
    ]
    assert int(found.next_funding) % 3_600_000 == 0
    assert perps.fetch_perpetual(market.zone.state, 1) is None, "a spot market"
    assert perps.fetch_perpetual(market.zone.state, 99) is None
    assert [p.market for p in perps.fetch_perpetuals(market.zone.state)] == [PERP]


def test_funds_are_what_the_ledgers_hold(market):
    market.block(act(market.bob, actions.FUND, venue=1, asset=1, amount=1_234_567))
    ledger = market.ledger
    shown = perps.fetch_funds(market.zone.state)[0]
    assert (int(shown.cash), int(shown.deficit)) == (ledger.cash, ledger.deficit)
    assert int(shown.fund) == ledger.fund == market.zone.ledger.perps.get_fund(1, 1)


def test_a_pool_in_liquidation_says_so_and_releases_nothing(market):
    market.move(940, duration=2_000)
    shown = show(market, market.thin)
    assert [(pool.state, pool.releasable) for pool in shown] == [("liquidating", "0")]
    assert shown[0].positions[0].liquidation_price == market.perp().mark


def test_a_ticker_has_mark_index_and_funding_and_restarts_with_them(market):
    feeds, perp = market.zone.feeds, market.perp()
    ticker = feeds.get_ticker(PERP)
    assert (ticker.mark, ticker.index_price) == (perp.mark, perp.index)
    assert ticker.price_state == enums.PRICE_LIVE
    assert feeds.get_ticker(1).mark is None
    market.price[1] = 990
    market.run(500)
    assert (feeds.get_ticker(PERP).mark, perp.index) == (perp.mark, 990)
    assert feeds.get_ticker(PERP).index_price == 990
    again = Feeds(1, read_start(market.zone.state), market.zone.time)
    fresh, old = again.get_ticker(PERP), feeds.get_ticker(PERP)
    names = ("mark", "index_price", "funding_rate", "price_state", "best_bid", "best_ask")
    assert [getattr(fresh, n) for n in names] == [getattr(old, n) for n in names]


def test_a_move_of_the_index_alone_is_told(market):
    market.price[1] = 986
    market.block(after=250)
    assert PERP in market.zone.named


def test_zones_without_perpetuals_have_none():
    zone = SimpleNamespace(tables=PureEngine().tables)
    zone.machine = zone.tables["machine"][0]
    assert perps.fetch_perpetuals(zone) == []
    assert perps.fetch_funds(zone) == []
    assert len(read_start(zone)) == 0
