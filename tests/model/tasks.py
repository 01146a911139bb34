"""Work that spans blocks: CANCEL_ALL, dead-man switches, delisting (orders.md, phases.md)."""

from __future__ import annotations

from tests.model import orders, plans
from tests.model.records import (
    TRIGGER_LISTS,
    Key,
    Market,
    Order,
    Plan,
    Refused,
    Task,
    Timer,
    require,
)
from tests.model.state import Body, State
from tradezone.protocol import enums, events, limits
from tradezone.protocol.errors import Code


def _add(zone: State, task: Task) -> None:
    task.slot = zone.slots["task"].take()
    zone.tasks.append(task)
    if task.kind == enums.TASK_ACCOUNT:
        zone.accounts[task.subject].task = task
    _tell(zone, events.CANCEL_ALL_BEGUN, task)


def _tell(zone: State, kind: int, task: Task) -> None:
    is_account = task.kind == enums.TASK_ACCOUNT
    zone.emit(
        kind,
        account=task.subject if is_account else 0,
        market=task.market if is_account else task.subject,
        side=task.side,
        tif=task.reason,
    )


def begin_market_task(zone: State, market: Market) -> None:
    """A settled market loses its orders."""
    kind, reason, both = enums.TASK_MARKET, enums.CANCEL_SETTLED, enums.BOTH_SIDES
    _add(zone, Task(0, kind, market.slot, market.slot, both, reason, zone.order_seq))


def cancel_all(zone: State, account_id: int, key: Key, item: Body) -> None:
    require(item["side"] <= enums.BOTH_SIDES, Code.BAD_ORDER_FIELD)
    market = zone.markets.get(item["market"])
    require(item["market"] == 0 or market is not None, Code.MARKET_NOT_FOUND)
    require(key.venue == 0 or (market is not None and market.venue == key.venue), Code.KEY_VENUE)
    require(zone.accounts[account_id].task is None, Code.BUSY)
    require(zone.has_room_for("task"), Code.TABLE_FULL)
    home = zone.home_of(market).slot if market else 0
    reason, seq = enums.CANCEL_ALL, zone.order_seq
    _add(zone, Task(0, enums.TASK_ACCOUNT, account_id, home, item["side"], reason, seq))


def set_dead_man(zone: State, account_id: int, _key: Key, item: Body) -> None:
    account, timeout = zone.accounts[account_id], item["timeout"]
    is_good = timeout == 0 or limits.MIN_DEAD_MAN <= timeout <= limits.MAX_DEAD_MAN
    require(is_good, Code.BAD_ORDER_FIELD)
    is_room_needed = timeout != 0 and account.timer is None
    require(not is_room_needed or zone.has_timer_room(), Code.TABLE_FULL)
    due = zone.time + timeout if timeout else 0
    if timeout:
        account.timer = zone.set_timer(enums.TIMER_ACCOUNT, account_id, due, account.timer)
    else:
        zone.drop_timer(account.timer)
        account.timer = None
    zone.emit(events.DEAD_MAN_SET, account=account_id, amount=due)


def serve_dead_man(zone: State, timer: Timer) -> None:
    """A dead-man switch is due; its timer is out of the heap."""
    account = zone.accounts[timer.subject]
    account.timer = None
    try:
        cancel_everything(zone, timer.subject, enums.CANCEL_DEAD_MAN)
    except Refused:
        account.timer = zone.set_timer(enums.TIMER_ACCOUNT, timer.subject, zone.time + 1000)


def cancel_everything(zone: State, account_id: int, reason: int) -> None:
    """All orders of an account are to go; a task that it has already means all of them from now on."""
    task, both = zone.accounts[account_id].task, enums.BOTH_SIDES
    if task is not None:
        task.market, task.side, task.reason, task.seq = 0, both, reason, zone.order_seq
        _tell(zone, events.CANCEL_ALL_BEGUN, task)
        return
    has_room = zone.slots["task"].has_room(1 + limits.RESERVED_TASKS // 2)
    require(has_room, Code.TABLE_FULL)
    _add(zone, Task(0, enums.TASK_ACCOUNT, account_id, 0, both, reason, zone.order_seq))


def run(zone: State) -> None:
    """Run tasks until none is left or the block's looks are used up.

    The cursors of the specification are where the walk below stands: at the end of a block the first task's cursor
    is 0 again, so each block begins with whole lists.
    """
    passed: set[int] = set()  # ids() of what the first task looked at and left where it was
    while zone.tasks and zone.removed < limits.BLOCK_REMOVALS:
        zone.removed += 1
        task = zone.tasks[0]
        look = LOOKS[task.kind]
        if look(zone, task, passed):
            continue
        zone.tasks.pop(0)
        if task.kind == enums.TASK_ACCOUNT:
            zone.accounts[task.subject].task = None
        if task.kind != enums.TASK_POOL:
            _tell(zone, events.CANCEL_ALL_DONE, task)
        zone.slots["task"].give_back(task.slot)
        passed = set()


def _look_account(zone: State, task: Task, passed: set[int]) -> bool:
    """One look of a cancel-all; False if nothing is left to look at."""
    account = zone.accounts[task.subject]

    def is_meant(thing: Order | Plan) -> bool:
        return (
            not (isinstance(thing, Order) and thing.is_forced)
            and thing.seq <= task.seq
            and task.market in (0, thing.market)
            and task.side in (enums.BOTH_SIDES, thing.side)
        )

    for order in account.orders:
        if id(order) in passed:
            continue
        if not is_meant(order):
            passed.add(id(order))
        elif order.state == enums.RESTING:
            orders.cancel_resting(zone, order, task.reason)
        else:
            if not order.flags & enums.ORDER_CANCELLED_WAITING:
                orders.cancel_waiting(zone, order)
            passed.add(id(order))
        return True
    for plan in account.plans:
        if id(plan) in passed:
            continue
        if is_meant(plan):
            plans.cancel(zone, plan, task.reason)
        else:
            passed.add(id(plan))
        return True
    return False


def _look_market(zone: State, task: Task, _passed: set[int]) -> bool:
    book = zone.books[task.subject]
    for side in (enums.BUY, enums.SELL):
        if book.levels[side]:
            orders.cancel_resting(zone, book.levels[side][book.best(side)].orders[0], task.reason)
            return True
    for side in TRIGGER_LISTS:
        if book.triggers[side]:
            level = book.triggers[side][book.trigger_prices(side)[0]]
            plans.cancel(zone, level.orders[0], task.reason)
            return True
    return False


def _look_pool(zone: State, task: Task, passed: set[int]) -> bool:
    """A pool that is being liquidated loses its orders, forced ones apart."""
    pool = zone.pools.get(task.subject)
    for order in zone.accounts[pool.account].orders if pool else []:
        if id(order) in passed:
            continue
        is_meant = order.pool is pool and order.seq <= task.seq and not order.is_forced
        if is_meant and order.state == enums.RESTING:
            orders.cancel_resting(zone, order, task.reason)
            return True
        if is_meant and not order.flags & enums.ORDER_CANCELLED_WAITING:
            orders.cancel_waiting(zone, order)
        passed.add(id(order))
        return True
    return False


LOOKS = {
    enums.TASK_ACCOUNT: _look_account,
    enums.TASK_MARKET: _look_market,
    enums.TASK_POOL: _look_pool,
}
