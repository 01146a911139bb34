"""docs/spec/pools.md: margin pools, the wall around a venue, leverage, the insurance fund's money."""

from __future__ import annotations

from tests.model import funding, margin
from tests.model.records import (
    Approval,
    Key,
    Ledger,
    Market,
    Perp,
    Pool,
    Position,
    ceil_div,
    require,
)
from tests.model.state import Body, State
from tradezone.protocol import actions, enums, events, limits
from tradezone.protocol.errors import Code

# --- finding, opening, freeing -----------------------------------------------------------------------


def find_position(zone: State, account: int, market: int) -> Position | None:
    for pool in zone.accounts[account].pools.values():
        if market in pool.positions:
            return pool.positions[market]
    return None


def get_setting(zone: State, account: int, perp: Perp) -> tuple[int, int]:
    """(mode, leverage) that the account has set for a market, or the default."""
    kind = enums.APPROVAL_LEVERAGE
    setting = zone.accounts[account].approvals.get((kind, perp.market.slot))
    if setting is not None:
        return setting.flags, setting.value
    return (enums.MODE_CROSS if perp.is_cross else enums.MODE_ISOLATED), 0


def get_pool_key(zone: State, account: int, perp: Perp) -> tuple[int, int, int]:
    """Key of the pool that an order of the account uses."""
    position = find_position(zone, account, perp.market.slot)
    if position is not None:
        return position.pool.key
    mode, _ = get_setting(zone, account, perp)
    market = 0 if mode == enums.MODE_CROSS else perp.market.slot
    return perp.market.venue, perp.market.quote, market


def require_pool(zone: State, account_id: int, key: tuple[int, int, int]) -> None:
    """Require that the pool exists or can be opened."""
    account = zone.accounts[account_id]
    zone.require_balance(account_id, key[1])
    if key not in account.pools:
        is_few = len(account.pools) < limits.MAX_POOLS
        require(is_few, Code.TOO_MANY_POOLS)
        require(zone.slots["pool"].has_room(), Code.TABLE_FULL)


def get_or_open_pool(zone: State, account: int, key: tuple[int, int, int]) -> Pool:
    pools = zone.accounts[account].pools
    if key not in pools:
        zone.get_or_open_balance(account, key[1])
        slot = zone.slots["pool"].take()
        pools[key] = zone.pools[slot] = Pool(
            slot,
            zone.slots["pool"].generation(slot),
            account,
            *key,
            ledger=zone.ledgers[key[0], key[1]],
            epoch=zone.epoch,
        )
    return pools[key]


def get_or_open_position(zone: State, pool: Pool, perp: Perp, leverage: int) -> Position:
    market = perp.market.slot
    if market not in pool.positions:
        slot = zone.slots["position"].take()
        position = Position(slot, pool, market, leverage, perp.funding_index)
        pool.positions[market] = zone.positions[slot] = position
    return pool.positions[market]


def tidy(zone: State, pool: Pool) -> None:
    """Free what is empty: positions, then the pool."""
    for position in pool.by_market():
        is_used = position.lots or position.quote or position.is_registered
        if not is_used and not margin.get_orders(zone, position):
            del pool.positions[position.market]
            del zone.positions[position.slot]
            zone.slots["position"].give_back(position.slot)
    is_queued = pool.state != enums.ACTIVE or pool.forced is not None
    is_empty = not (pool.positions or pool.collateral or pool.allowance or pool.haircut)
    if is_empty and not is_queued:
        if pool.market and zone.perps[pool.market].fund_pool is pool:
            zone.perps[pool.market].fund_pool = None
        del zone.accounts[pool.account].pools[pool.key]
        del zone.pools[pool.slot]
        zone.slots["pool"].give_back(pool.slot)


# --- touch -------------------------------------------------------------------------------------------


def touch(zone: State, pool: Pool) -> None:
    """Settle funding; from here to the end of the epoch the pool's values follow its changes."""
    if pool.epoch == zone.epoch:
        return
    for position in pool.by_market():
        funding.settle(zone, position)
    pool.epoch = zone.epoch


def get_equity(zone: State, pool: Pool) -> int:
    return margin.get_pool_values(zone, pool).pnl


# --- the wall ----------------------------------------------------------------------------------------


def emit_pool(zone: State, kind: int, pool: Pool, **columns: int) -> None:
    zone.emit(
        kind,
        account=pool.account,
        market=pool.market,
        order=pool.venue,
        other_order=pool.asset,
        **columns,
    )


def move_in(zone: State, pool: Pool, amount: int) -> None:
    if amount == 0:
        return
    zone.balance(pool.account, pool.asset).free -= amount
    pool.collateral += amount
    pool.ledger.cash += amount
    emit_pool(zone, events.POOL_MOVED, pool, amount=amount)


def receive_income(zone: State, ledger: Ledger, amount: int) -> None:
    """Money for the fund that is inside the wall already: it repays the deficit first."""
    repaid = min(amount, ledger.deficit)
    ledger.deficit -= repaid
    ledger.fund += amount - repaid
    if repaid:
        zone.emit(
            events.DEFICIT_REPAID,
            market=ledger.venue,
            account=ledger.asset,
            amount=repaid,
            amount2=ledger.deficit,
        )


def get_payment(ledger: Ledger, amount: int) -> int:
    """What leaves the wall for a claim of `amount`."""
    if ledger.deficit == 0:
        return amount
    return amount * ledger.cash // (ledger.cash + ledger.deficit)


def is_payable(ledger: Ledger, paid: int) -> bool:
    return 0 <= paid <= ledger.cash


def move_out(zone: State, pool: Pool, amount: int) -> None:
    ledger, paid = pool.ledger, get_payment(pool.ledger, amount)
    assert is_payable(ledger, paid)
    pool.collateral -= amount
    pool.haircut += amount - paid
    ledger.cash -= paid
    ledger.deficit -= amount - paid
    ledger.haircuts += amount - paid
    zone.balance(pool.account, pool.asset).free += paid
    emit_pool(zone, events.POOL_RELEASED, pool, amount=amount, amount2=amount - paid)


def get_releasable(zone: State, pool: Pool) -> int:
    """R of a touched pool."""
    held = [market for market, position in pool.positions.items() if position.lots]
    has_job = any(zone.perps[market].job is not None for market in held)
    if pool.state != enums.ACTIVE or has_job:
        return 0
    values = margin.get_pool_values(zone, pool)
    least = max(
        values.initial + margin.get_order_margin(zone, pool),
        ceil_div(values.notional, limits.RELEASE_FLOOR),
    )
    return max(0, min(pool.collateral, pool.collateral + values.losses - least))


def release(zone: State, pool: Pool) -> None:
    """The automatic release, at an event that may have freed margin; then free what is empty."""
    if pool.slot not in zone.pools or zone.pools[pool.slot] is not pool:
        return
    touch(zone, pool)
    is_used = any(order.pool is pool for order in zone.accounts[pool.account].orders)
    is_idle = not is_used and not any(p.lots or p.quote for p in pool.positions.values())
    if is_idle and pool.state == enums.ACTIVE:
        pool.kept = 0
    amount = max(0, get_releasable(zone, pool) - pool.kept)
    is_fund = zone.accounts[pool.account].kind == enums.ACCOUNT_FUND
    is_kept = is_fund or zone.closing  # a zone that ends releases all at one rate, in the end
    if amount and not is_kept and pool.ledger.deficit == 0 and amount <= pool.ledger.cash:
        move_out(zone, pool, amount)
    tidy(zone, pool)


# --- the fund's risk in a market ---------------------------------------------------------------------


def get_fund_room(zone: State, perp: Perp) -> int:
    """What the fund may still spend in a market today; begins a new day if it is time."""
    if zone.time >= perp.day + limits.DAY:
        perp.spent, perp.day = 0, zone.time
    return min(perp.ledger.fund, max(0, perp.loss_cap - perp.spent))


def spend(perp: Perp, amount: int) -> None:
    perp.ledger.fund -= amount
    perp.spent += amount


def give_back(zone: State, perp: Perp) -> None:
    """The fund's pool of a market has no position left: what it holds is the fund's again."""
    pool = perp.fund_pool
    amount = max(0, pool.collateral)
    pool.collateral -= amount
    perp.spent = max(0, perp.spent - amount)
    if amount:
        receive_income(zone, perp.ledger, amount)
        tell_fund(zone, perp.ledger)


def tell_fund(zone: State, ledger: Ledger, account: int = 0, crossed: int = 0) -> None:
    zone.emit(
        events.FUND_CHANGED,
        market=ledger.venue,
        account=ledger.asset,
        other_account=account,
        amount=ledger.fund,
        amount2=crossed,
    )


# --- actions -----------------------------------------------------------------------------------------


def get_perp(zone: State, slot: int) -> tuple[Market, Perp]:
    """The market that is named and the perpetual that it is or opens a door to."""
    market = zone.markets.get(slot)
    require(market is not None and market.is_perp, Code.MARKET_NOT_FOUND)
    perp = zone.perps[zone.home_of(market).slot]
    require(perp.is_live, Code.MARKET_NOT_FOUND)
    return market, perp


def set_leverage(zone: State, account_id: int, key: Key, item: Body) -> None:
    named, perp = get_perp(zone, item["market"])
    require(key.venue in (0, named.venue), Code.KEY_VENUE)
    mode, leverage = item["mode"], item["leverage"]
    is_mode = mode == enums.MODE_ISOLATED or (mode == enums.MODE_CROSS and perp.is_cross)
    is_leverage = leverage == 0 or 100 <= leverage <= perp.max_leverage
    require(is_mode and is_leverage, Code.BAD_LEVERAGE)
    account, market = zone.accounts[account_id], perp.market.slot
    position = find_position(zone, account_id, market)
    pull = 0
    if position is not None:
        pool = position.pool
        held = enums.MODE_ISOLATED if pool.market else enums.MODE_CROSS
        require(mode == held, Code.POSITION_OPEN)
        require(pool.state == enums.ACTIVE, Code.POOL_BUSY)
        touch(zone, pool)
        before, position.leverage = position.leverage, leverage
        pull = margin.get_need(zone, pool)
        position.leverage = before
        # Reading: a leverage that asks for less, or for nothing new, is not refused for old needs.
        require(pull <= zone.free(account_id, pool.asset), Code.INSUFFICIENT_MARGIN)
    approval = account.approvals.get((enums.APPROVAL_LEVERAGE, market))
    if approval is None:
        require(len(account.approvals) < limits.MAX_APPROVALS, Code.TOO_MANY_APPROVALS)
        require(zone.slots["approval"].has_room(), Code.TABLE_FULL)
        slot = zone.slots["approval"].take()
        kind = enums.APPROVAL_LEVERAGE
        approval = Approval(slot, kind, account_id, market, value=0, expires=0, issued=zone.time)
        account.approvals[kind, market] = approval
    approval.flags, approval.value, approval.issued = mode, leverage, zone.time
    if position is not None:
        position.leverage = leverage
        move_in(zone, position.pool, pull)
    zone.emit(events.LEVERAGE_SET, account=account_id, market=market, flag=mode, amount=leverage)


def set_allowance(zone: State, account: int, _key: Key, body: Body) -> None:
    key = (body["venue"], body["asset"], 0)
    require(key[:2] in zone.ledgers, Code.POOL_NOT_FOUND)
    require(body["amount"] < 1 << 62, Code.AMOUNT_OUT_OF_RANGE)
    require_pool(zone, account, key)
    pool = get_or_open_pool(zone, account, key)
    pool.allowance, pool.pulled = body["amount"], 0
    zone.emit(
        events.ALLOWANCE_SET,
        account=account,
        market=key[0],
        other_account=key[1],
        amount=body["amount"],
    )
    tidy(zone, pool)


def adjust_margin(zone: State, account: int, _key: Key, body: Body) -> None:
    key = (body["venue"], body["asset"], body["market"])
    pool = zone.accounts[account].pools.get(key)
    require(pool is not None, Code.POOL_NOT_FOUND)
    touch(zone, pool)
    amount = body["amount"]
    is_good = amount >= 1 and body["direction"] <= actions.MARGIN_TAKE
    require(is_good, Code.AMOUNT_OUT_OF_RANGE)
    if body["direction"] == actions.MARGIN_ADD:
        require(amount <= zone.free(account, pool.asset), Code.AMOUNT_OUT_OF_RANGE)
        move_in(zone, pool, amount)
        pool.kept += amount
    else:
        require(pool.state == enums.ACTIVE, Code.POOL_BUSY)
        require(amount <= get_releasable(zone, pool), Code.INSUFFICIENT_MARGIN)
        require(get_payment(pool.ledger, amount) <= pool.ledger.cash, Code.LEDGER_SHORT)
        move_out(zone, pool, amount)
        pool.kept = max(0, pool.kept - amount)
    emit_pool(zone, events.MARGIN_ADJUSTED, pool, amount=pool.kept)
    tidy(zone, pool)


def fund(zone: State, account: int, _key: Key, body: Body) -> None:
    ledger = zone.ledgers.get((body["venue"], body["asset"]))
    require(ledger is not None, Code.POOL_NOT_FOUND)
    amount = body["amount"]
    require(1 <= amount <= zone.free(account, ledger.asset), Code.AMOUNT_OUT_OF_RANGE)
    zone.balance(account, ledger.asset).free -= amount
    ledger.cash += amount
    receive_income(zone, ledger, amount)
    tell_fund(zone, ledger, account, amount)


def defund(zone: State, account: int, key: Key, body: Body) -> None:
    ledger = zone.ledgers.get((body["venue"], body["asset"]))
    require(ledger is not None, Code.POOL_NOT_FOUND)
    venue = zone.venues[ledger.venue]
    require(venue.owner == key.owner, Code.NOT_VENUE_OWNER)
    is_live = any(perp.is_live and perp.ledger is ledger for perp in zone.perps.values())
    is_over = venue.state == enums.VENUE_WOUND_DOWN and not is_live and ledger.deficit == 0
    require(is_over, Code.NOT_ELIGIBLE)
    amount = body["amount"]
    is_covered = 1 <= amount <= min(ledger.fund, ledger.cash)
    require(is_covered, Code.AMOUNT_OUT_OF_RANGE)
    zone.require_balance(account, ledger.asset)
    ledger.fund -= amount
    ledger.cash -= amount
    zone.get_or_open_balance(account, ledger.asset).free += amount
    tell_fund(zone, ledger, account, -amount)


# --- messages ----------------------------------------------------------------------------------------


def set_risk(zone: State, body: Body) -> None:
    ledger = zone.ledgers.get((body["venue"], body["asset"]))
    require(ledger is not None, Code.POOL_NOT_FOUND)
    require(body["cap"] <= limits.MAX_VENUE_CAP, Code.BAD_PARAMETERS)
    ledger.cap = body["cap"]
    zone.emit(events.RISK_SET, market=ledger.venue, account=ledger.asset, amount=ledger.cap)


def slash(zone: State, body: Body) -> None:
    """Money of a slashed stake."""
    ledger = zone.ledgers.get((body["venue"], body["asset"]))
    require(ledger is not None, Code.POOL_NOT_FOUND)
    asset = zone.assets[ledger.asset]
    amount = body["amount"]
    is_good = (
        not asset.is_simulated and amount >= 1 and asset.total + amount <= limits.MAX_TOTAL_ATOMS
    )
    require(is_good, Code.BAD_PARAMETERS)
    asset.total += amount
    ledger.cash += amount
    receive_income(zone, ledger, amount)
    tell_fund(zone, ledger, 0, amount)
