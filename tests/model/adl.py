"""docs/spec/adl.md: deleveraging by water-filling, the last rung, settlement of a market.

A job is a generator that yields after each look, so it stops at the block's budget and goes on where it stood.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.model import liquidation, margin, perps, pools, prices, tasks
from tests.model.records import OutboxRecord, Perp, Pool, Position, ceil_div
from tests.model.state import State
from tradezone.protocol import enums, events, limits

SUB = limits.SUB


@dataclass(eq=False)
class Job:
    kind: int
    steps: Iterator[None]
    lots: int = 0  # net change of the market's lots by this job so far: 0 at its end
    money: int = 0  # raised, or from the fund, and not given on yet: 0 at its end


class Splitter:
    """Shares of a total by a running sum: each is the difference of two floors, so they sum exactly."""

    def __init__(self, total: int, whole: int) -> None:
        self.total, self.whole = total, whole
        self.run = self.given = 0

    def take(self, part: int) -> int:
        self.run += part
        upto = self.total * self.run // self.whole if self.whole else 0
        share, self.given = upto - self.given, upto
        return share


def run(zone: State) -> None:
    """The jobs of a block, one after the other."""
    zone.looks = 0
    for slot in sorted(zone.perps):
        perp = zone.perps[slot]
        if perp.ripe == 0 or perp.job is not None:
            continue
        if not liquidation.is_market_open_to_force(zone, perp):
            begin_pass(zone, perp)
        elif is_pass_over(zone, perp):
            perp.awaits_queue = False
            _begin(zone, perp, enums.JOB_ADL, deleverage(zone, perp))
            zone.emit(events.ADL_BEGUN, market=slot)
    while zone.jobs and zone.looks < limits.BLOCK_ADL:
        _look(zone)


def finish(zone: State) -> None:
    """All jobs to their end, without a block: the zone is wound up."""
    while zone.jobs:
        _look(zone)


def _look(zone: State) -> None:
    perp = zone.perps[zone.jobs[0]]
    if next(perp.job.steps, "end") == "end":
        _end(zone, perp)
    else:
        zone.looks += 1


def touch(zone: State, pool: Pool) -> None:
    """A touch by a job: each position that it visits is a look."""
    if pool.epoch != zone.epoch:
        zone.looks += len(pool.positions)
    pools.touch(zone, pool)


def _begin(zone: State, perp: Perp, kind: int, steps: Iterator[None]) -> None:
    perp.job = Job(kind, steps)
    zone.jobs.append(perp.market.slot)


def _end(zone: State, perp: Perp) -> None:
    zone.jobs.pop(0)
    assert (perp.job.lots, perp.job.money) == (0, 0)
    perp.job = None
    if perp.must_settle:
        perp.must_settle = False
        _begin(zone, perp, enums.JOB_SETTLE, settle(zone, perp))


# --- when a job is due -------------------------------------------------------------------------------


def begin_pass(zone: State, perp: Perp) -> None:
    """What is registered waits until everybody has been looked at: all pools first, then all in the queue."""
    perp.ripe = zone.swept + zone.slots["pool"].high_water - 1
    perp.awaits_queue = False


def is_pass_over(zone: State, perp: Perp) -> bool:
    """Whether every pool was swept, and every one that then stood in the queue was visited."""
    if not perp.awaits_queue:
        if zone.swept < perp.ripe:
            return False
        perp.awaits_queue = True
        perp.ripe = zone.visited + len(zone.liquidating)
    return zone.visited >= perp.ripe


# --- registration ------------------------------------------------------------------------------------


def register(zone: State, pool: Pool, positions: list[Position]) -> None:
    """A pool below zero waits with these positions until everybody has been looked at."""
    for position in positions:
        perp = zone.perps[position.market]
        if perp.ripe == 0:
            begin_pass(zone, perp)
        position.is_registered = True
        perp.registered[position.side].insert(0, position)
    pool.state = enums.POOL_BANKRUPT


def unregister(zone: State, perp: Perp, position: Position) -> None:
    """The position waits no more; a pool without registered positions is liquidated on."""
    for positions in perp.registered.values():
        if position in positions:
            positions.remove(position)
    position.is_registered, position.claim = False, 0
    pool = position.pool
    if not any(p.is_registered for p in pool.positions.values()):
        liquidation.join(zone, pool)


def appraise(zone: State, pool: Pool, position: Position) -> int:
    """The part of a pool's loss that a registered position stands for."""
    waiting = [p for p in pool.by_market() if p.is_registered]
    weights = [margin.get_values(zone, p).maintenance for p in waiting]
    parts = Splitter(-pools.get_equity(zone, pool), sum(weights))
    return dict(zip(map(id, waiting), map(parts.take, weights), strict=True))[id(position)]


# --- deleveraging ------------------------------------------------------------------------------------


def get_give(perp: Perp, position: Position, level: int) -> int:
    """l_i(L): lots that a position gives at a level."""
    if level > limits.MAX_LEVEL:
        return 0
    each = perp.mark * perp.tv * limits.LEVEL_UNIT
    excess = abs(position.lots) * each - level * position.claim
    return max(0, min(ceil_div(excess, each), abs(position.lots)))


def get_claim(zone: State, pool: Pool) -> int:
    """A_i: equity and what could be pulled without the owner."""
    usable = 0
    if not pool.market:
        free = zone.free(pool.account, pool.asset)
        usable = max(0, min(free, pool.allowance - pool.pulled))
    return max(0, pools.get_equity(zone, pool) + usable)


def deleverage(zone: State, perp: Perp) -> Iterator[None]:
    registered = perp.registered
    for side in (1, -1):
        for position in list(registered[side]):
            touch(zone, position.pool)
            if pools.get_equity(zone, position.pool) >= 0:
                unregister(zone, perp, position)
            else:
                position.claim = appraise(zone, position.pool, position)
            yield
    totals = {s: sum(abs(p.lots) for p in registered[s]) for s in (1, -1)}
    heavy = 1 if totals[1] >= totals[-1] else -1
    light = -heavy
    crossed = totals[light]
    for position in list(registered[light]):
        position.claim = 0
        _cross(zone, perp, position, -position.lots)
        yield
    parts = Splitter(crossed, totals[heavy])
    for position in registered[heavy]:
        lots = abs(position.lots)
        cut = parts.take(lots)
        _cross(zone, perp, position, -heavy * cut)
        position.claim = ceil_div(position.claim * (lots - cut), lots)  # D_b from here on
        yield
    needed = totals[heavy] - crossed
    loss = sum(position.claim for position in registered[heavy])
    covered = min(loss, pools.get_fund_room(zone, perp))
    pools.spend(perp, covered)
    perp.job.money += covered
    charge, raised = loss - covered, 0
    level = total = below = 0
    if needed:
        others = list(perp.sides[light])
        for position in others:
            touch(zone, position.pool)
            position.claim = get_claim(zone, position.pool)
            position.is_profit = margin.get_pnl(perp, position) > 0
            yield
        profit = [p for p in others if p.is_profit]
        whole: list[Position] = []
        group, target = profit, needed
        if sum(abs(p.lots) for p in profit) < needed:
            whole, group = profit, [p for p in others if not p.is_profit]
            target -= sum(abs(p.lots) for p in profit)
        low, high = 0, limits.MAX_LEVEL + 1
        while low < high:
            middle = (low + high) // 2
            total = 0
            for position in others:
                total += get_give(perp, position, middle) if position in group else 0
                yield
            if total <= target:
                high = middle
            else:
                low = middle + 1
        level, total = low, 0
        for position in others:
            total += get_give(perp, position, level) if position in group else 0
            yield
        below = total
        if level:
            below = 0
            for position in others:
                below += get_give(perp, position, level - 1) if position in group else 0
                yield
        rest, dues = target - total, Splitter(charge, needed)
        for position in others:
            give = 0
            if position in whole:
                give = abs(position.lots)
            elif position in group:
                give = get_give(perp, position, level)
                more = min(rest, get_give(perp, position, level - 1) - give) if level else 0
                give, rest = give + more, rest - more
            position.is_profit, position.claim = False, 0
            raised += _fill(zone, perp, position, give, dues)
            yield
    gets = Splitter(covered + raised, loss)
    for side in (heavy, light):
        for position in list(registered[side]):
            registered[side].remove(position)
            _bank(zone, perp, position, gets.take(position.claim))
            yield
    perp.ripe = 0
    zone.emit(
        events.ADL_DONE,
        market=perp.market.slot,
        price=level,
        lots=needed,
        order=total,
        other_order=below,
        amount=charge,
        amount2=raised,
    )


def _cross(zone: State, perp: Perp, position: Position, change: int) -> None:
    """Bankrupt pools of both sides meet at the mark."""
    perps.move(zone, position, change, perp.mark)
    if change:
        account = position.pool.account
        zone.emit(
            events.ADL_FILL,
            account=account,
            market=position.market,
            flag=enums.ADL_CROSSED,
            lots=change,
        )
    perp.job.lots += change


def get_paid(due: int, equity: int) -> int:
    """Clipped at the counterparty's own zero price."""
    return min(due, max(0, equity))


def _fill(zone: State, perp: Perp, position: Position, give: int, dues: Splitter) -> int:
    """A counterparty gives lots at the mark and pays its part of the charge, never below zero."""
    if give == 0:
        return 0
    pool = position.pool
    touch(zone, pool)
    paid = get_paid(dues.take(give), pools.get_equity(zone, pool))
    change = -position.side * give
    perps.move(zone, position, change, perp.mark)
    pool.collateral -= paid
    perp.job.lots += change
    perp.job.money += paid
    zone.emit(
        events.ADL_FILL,
        account=pool.account,
        market=position.market,
        flag=enums.ADL_GAVE,
        lots=change,
        amount=paid,
    )
    cover(zone, perp, pool)
    pools.release(zone, pool)
    return paid


def _bank(zone: State, perp: Perp, position: Position, got: int) -> None:
    """A registered position is closed and gets its part of what was raised."""
    pool, change = position.pool, -position.lots
    touch(zone, pool)
    perps.move(zone, position, change, perp.mark)
    pool.collateral += got
    perp.job.lots += change
    perp.job.money -= got
    position.is_registered, position.claim = False, 0
    zone.emit(
        events.ADL_FILL,
        account=pool.account,
        market=position.market,
        flag=enums.ADL_CLOSED,
        lots=change,
        amount=-got,
    )
    if not any(p.is_registered for p in pool.positions.values()):
        conclude(zone, perp, pool)


def conclude(zone: State, perp: Perp, pool: Pool) -> None:
    """No position of the pool waits any more."""
    if any(p.lots for p in pool.positions.values()):
        liquidation.join(zone, pool)
        return
    cover(zone, perp, pool)
    pool.state, pool.below_since = enums.ACTIVE, 0
    if perp.fund_pool is pool:
        pools.give_back(zone, perp)
    pools.emit_pool(zone, events.LIQUIDATION_ENDED, pool)
    pools.release(zone, pool)


def cover(zone: State, perp: Perp, pool: Pool) -> None:
    """What a pool without positions still owes falls to the fund, then to the deficit."""
    if pool.collateral >= 0 or any(p.lots for p in pool.positions.values()):
        return
    missing = -pool.collateral
    paid = min(missing, pools.get_fund_room(zone, perp))
    pools.spend(perp, paid)
    pool.collateral = 0
    add_deficit(zone, perp, missing - paid)


def add_deficit(zone: State, perp: Perp, amount: int) -> None:
    """The last rung."""
    if amount == 0:
        return
    ledger = perp.ledger
    ledger.deficit += amount
    zone.emit(
        events.DEFICIT,
        market=ledger.venue,
        account=ledger.asset,
        amount=amount,
        amount2=ledger.deficit,
    )
    if zone.slots["outbox"].has_room(1 + limits.RESERVED_OUTBOX):
        slot = zone.slots["outbox"].take()
        zone.outbox[slot] = OutboxRecord(
            bytes(20),
            0,
            ledger.asset,
            amount,
            zone.time,
            0,
            kind=enums.OUTBOX_INSOLVENCY,
            venue=ledger.venue,
            market=perp.market.slot,
        )


# --- settlement --------------------------------------------------------------------------------------


def begin_settlement(zone: State, perp: Perp) -> None:
    """Delisting, or a price that has been stale too long."""
    market = perp.market
    if market.phase != enums.PHASE_SETTLED:  # else UPDATE_MARKET has done it
        market.phase = enums.PHASE_SETTLED
        tasks.begin_market_task(zone, market)
        zone.venues[market.venue].market_count -= 1
    if perp.state == enums.PRICE_NONE:
        perp.is_live = False
        return
    price = get_settlement_price(perp)
    perp.mark = perp.settlement = price
    zone.epoch += 1
    zone.emit(events.SETTLEMENT_BEGUN, market=market.slot, price=price)
    if perp.job is None:
        perp.ripe, perp.awaits_queue = 0, False
        _begin(zone, perp, enums.JOB_SETTLE, settle(zone, perp))
    else:
        perp.must_settle = True


def get_settlement_price(perp: Perp) -> int:
    """S: of what stood in the state before anybody knew."""
    average = (perp.average + SUB // 2) // SUB
    return prices.get_median([perp.index, average, perp.mark])


def settle(zone: State, perp: Perp) -> Iterator[None]:
    gains = shortfall = 0
    for position in perp.registered[1] + perp.registered[-1]:
        unregister(zone, perp, position)
        yield
    for position in perp.sides[1] + perp.sides[-1]:
        pool = position.pool
        touch(zone, pool)
        pnl = margin.get_pnl(perp, position)
        if pnl > 0:
            gains += pnl
        else:
            missing = min(-pnl, max(0, -pools.get_equity(zone, pool)))
            _close(zone, perp, position, pnl + missing)
            pool.collateral += missing
            perp.pot -= missing
            shortfall += missing
            _settle_pool(zone, perp, pool)
        yield
    paid = min(shortfall, pools.get_fund_room(zone, perp))
    pools.spend(perp, paid)
    perp.pot += paid
    shortfall -= paid
    cut = min(shortfall, gains)
    cuts = Splitter(cut, gains)
    for position in perp.sides[1] + perp.sides[-1]:
        pool = position.pool
        touch(zone, pool)
        pnl = margin.get_pnl(perp, position)
        part = cuts.take(pnl)
        _close(zone, perp, position, pnl - part)
        pool.collateral -= part
        perp.pot += part
        _settle_pool(zone, perp, pool)
        yield
    perp.pot += shortfall - cut
    add_deficit(zone, perp, shortfall - cut)
    rest, perp.pot = perp.pot, 0
    assert rest >= 0, "funding was paid before it was received"
    if rest:
        pools.receive_income(zone, perp.ledger, rest)
    perp.is_live = False
    zone.emit(events.SETTLEMENT_DONE, market=perp.market.slot, amount=shortfall, amount2=cut)


def _close(zone: State, perp: Perp, position: Position, result: int) -> None:
    lots = position.lots
    perps.move(zone, position, -lots, perp.mark)
    perp.job.lots -= lots
    zone.emit(
        events.POSITION_SETTLED,
        account=position.pool.account,
        market=position.market,
        lots=lots,
        amount=result,
    )


def _settle_pool(zone: State, perp: Perp, pool: Pool) -> None:
    """What a pool is, once a position of it is settled."""
    cover(zone, perp, pool)
    if pool is perp.fund_pool:
        pools.give_back(zone, perp)
    pools.release(zone, pool)
