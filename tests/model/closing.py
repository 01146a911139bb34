"""docs/spec/escape.md, what the closing batch does behind its last message: the zone is wound up."""

from __future__ import annotations

from tests.model import adl, pools
from tests.model.state import State
from tradezone.protocol import enums, events


def wind_up(zone: State) -> None:
    """Leave nothing in pools and ledgers: all of it is in balances."""
    zone.closing = enums.CLOSING_FINISH  # from here on no pool releases by itself
    zone.leaf = 0
    adl.finish(zone)
    for _, perp in sorted(zone.perps.items()):
        if perp.is_live and not perp.settlement:
            adl.begin_settlement(zone, perp)
    adl.finish(zone)
    for _, pool in sorted(zone.pools.items()):
        if pool.state == enums.POOL_LIQUIDATING:
            zone.liquidating.remove(pool)
            pool.state, pool.below_since = enums.ACTIVE, 0
            pools.emit_pool(zone, events.LIQUIDATION_ENDED, pool)
        assert pool.state == enums.ACTIVE
        if pool.market and zone.perps[pool.market].fund_pool is pool:
            pools.give_back(zone, zone.perps[pool.market])
    ledgers = sorted(zone.ledgers.values(), key=lambda ledger: ledger.slot)
    for ledger in ledgers:
        repaid = min(ledger.fund, ledger.deficit)
        if repaid:
            ledger.fund -= repaid
            pools.receive_income(zone, ledger, repaid)
            pools.tell_fund(zone, ledger)
    for _, pool in sorted(zone.pools.items()):
        assert not any(p.lots or p.quote for p in pool.positions.values())
        pool.kept = 0
        if pool.collateral:
            pools.move_out(zone, pool, pool.collateral)
    for ledger in ledgers:
        assert (ledger.cash, ledger.deficit) == (ledger.fund, 0)
        if ledger.fund:
            amount, account = ledger.fund, zone.venues[ledger.venue].fund_account
            ledger.cash = ledger.fund = 0
            zone.balance(account, ledger.asset).free += amount
            pools.tell_fund(zone, ledger, account, -amount)
    zone.closing = enums.CLOSED
