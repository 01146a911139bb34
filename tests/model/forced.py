"""Forced operations (docs/spec/forced.md): what an owner does through L1."""

from __future__ import annotations

from collections.abc import Callable

from tests.model import envelopes, orders, phases, tasks
from tests.model.records import OutboxRecord, Refused, require
from tests.model.state import Body, State
from tradezone.protocol import enums, events, limits, messages
from tradezone.protocol.errors import Code


def run(zone: State, kind: int, body: Body) -> None:
    """Consume one operation: exactly one record of the outbox answers it."""
    owner_id = body["owner"]
    owner = zone.owners.get(owner_id)
    require(owner is not None and owner.address == body["address"], Code.OWNER_MISMATCH)
    kept = 0 if kind == messages.FORCED_WITHDRAW else limits.RESERVED_OUTBOX
    require(zone.slots["outbox"].has_room(1 + kept), Code.TABLE_FULL)
    answer = OutboxRecord(
        owner.address, owner_id, 0, 0, zone.time, zone.inbox, kind=enums.OUTBOX_FORCED_RESULT
    )
    account = owner.main_account
    try:
        if "account" in body:
            require(zone.can_act(body["account"]), Code.ACCOUNT_NOT_FOUND)
            require(zone.accounts[body["account"]].owner == owner_id, Code.KEY_NOT_OF_OWNER)
            account = body["account"]
        slot = OPERATIONS[kind](zone, account, body, answer)
    except Refused as refused:
        answer.status, slot = refused.code, 0
    if not slot:
        slot = zone.slots["outbox"].take()
        zone.outbox[slot] = answer
    zone.emit(
        events.FORCED_ANSWERED,
        account=account,
        order=slot,
        flag=kind,
        error=answer.status,
        amount=answer.amount,
    )


def withdraw(zone: State, account: int, body: Body, answer: OutboxRecord) -> int:
    """Pay what is free of the amount; return the outbox id of the payment, which is the answer."""
    asset = zone.assets.get(body["asset"])
    require(asset is not None, Code.ASSET_NOT_FOUND)
    answer.asset = body["asset"]
    require(not asset.is_simulated, Code.NOT_SAME_KIND)
    require(body["amount"] >= 1, Code.AMOUNT_OUT_OF_RANGE)
    amount = min(body["amount"], zone.free(account, body["asset"]))
    require(amount > 0, Code.INSUFFICIENT_BALANCE)
    zone.balance(account, body["asset"]).free -= amount
    asset.total -= amount
    answer.amount = amount
    slot = zone.slots["outbox"].high_water
    zone.pay_out(body["owner"], account, body["asset"], amount, inbox=zone.inbox)
    return slot


def close(zone: State, account: int, body: Body, answer: OutboxRecord) -> int:
    """Send a reduce-only order for the whole position, at the edge of the band."""
    position = next(
        (
            position
            for pool in zone.pools.values()
            for position in pool.positions.values()
            if position.slot == body["position"]
        ),
        None,
    )
    is_its = (
        position is not None
        and position.pool.account == account
        and position.market == body["market"]
        and position.lots != 0
    )
    require(is_its, Code.NOTHING_TO_REDUCE)
    answer.market = position.market
    market, pool = zone.markets[position.market], position.pool
    require(pool.state == enums.ACTIVE, Code.POOL_BUSY)
    is_open = phases.admits(zone, market, tif=enums.TIF_IOC, is_reduce_only=True)
    require(is_open, Code.MARKET_CLOSED)
    is_few = len(zone.accounts[account].orders) < limits.MAX_OPEN_ORDERS
    require(is_few, Code.TOO_MANY_ORDERS)
    require(zone.slots["order"].has_room(), Code.TABLE_FULL)
    side = enums.SELL if position.lots > 0 else enums.BUY
    band = phases.get_band(zone, market) or (1, market.max_price)
    answer.amount = min(abs(position.lots), market.max_lots)
    order = orders.make_order(
        zone,
        account=account,
        market=market,
        key=0,
        side=side,
        tif=enums.TIF_IOC,
        stp=enums.STP_OLDEST,
        price=max(band[0], 1) if side == enums.SELL else min(band[1], market.max_price),
        lots=answer.amount,
        locked=0,
        expires=0,
        client_id=0,
        pay_asset=0,
        receive_asset=0,
        flags=enums.ORDER_REDUCE_ONLY,
        pool=pool,
        position=position,
    )
    index, zone.leaf = zone.leaf, 0  # an order of its own, of no leaf
    orders.wait(zone, order)
    zone.leaf = index
    return 0


def cancel_all(zone: State, account: int, _body: Body, _answer: OutboxRecord) -> int:
    tasks.cancel_everything(zone, account, enums.CANCEL_ALL)
    return 0


def approve_key(zone: State, account: int, body: Body, answer: OutboxRecord) -> int:
    envelopes.approve_key(zone, account, None, body)
    answer.amount = zone.keys[zone.owners[body["owner"]].keys[0]].id
    return 0


def revoke_key(zone: State, account: int, body: Body, answer: OutboxRecord) -> int:
    envelopes.revoke_key(zone, account, None, body)
    answer.amount = body["revokedKey"]
    return 0


def redirect(zone: State, _account: int, body: Body, _answer: OutboxRecord) -> int:
    zone.owners[body["owner"]].redirect = body["to"]
    return 0


OPERATIONS: dict[int, Callable[[State, int, Body, OutboxRecord], int]] = {
    messages.FORCED_WITHDRAW: withdraw,
    messages.FORCED_CLOSE: close,
    messages.FORCED_CANCEL_ALL: cancel_all,
    messages.FORCED_APPROVE_KEY: approve_key,
    messages.FORCED_REVOKE_KEY: revoke_key,
    messages.FORCED_REDIRECT: redirect,
}
HANDLERS = {
    kind: lambda zone, body, kind=kind: run(zone, kind, body)  # type: ignore[misc]
    for kind in OPERATIONS
}
