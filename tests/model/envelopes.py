"""docs/spec/envelopes.md: who may do what, and the actions about money and keys."""

from __future__ import annotations

from tests.model import access, inbox, liquidation, orders, outcome, plans, pools, quota, tasks
from tests.model.records import Key, Plan, Refused, require
from tests.model.state import Body, State
from tradezone.protocol import actions, enums, events, limits
from tradezone.protocol.errors import Code


def run_envelope(zone: State, leaf: bytes, signer: bytes | None, leaf_class: int) -> int:
    """Run a leaf of class 1, 2 or 3; return its result."""
    envelope = actions.Envelope.from_leaf(leaf)
    try:
        key = admit(zone, envelope, signer, leaf_class)
    except Refused as refused:
        return zone.reject_leaf(zone.leaf, refused.code, envelope.items, envelope.account)
    if envelope.action in actions.ITEM_LAYOUTS:
        items = actions.unpack_items(envelope)
    else:
        items = [actions.unpack(actions.TYPED_ACTIONS[envelope.action][1], envelope.body)]
    account, errors = envelope.account, []

    def refuse(i: int, code: Code) -> None:
        zone.emit(events.ITEM_REJECTED, account=account, error=code, flag=i)
        errors.append(code)

    if envelope.action == actions.MASS_QUOTE:
        orders.mass_quote(zone, account, key, items, refuse)
    else:
        neighbour: Plan | None = None
        for i, item in enumerate(items):
            try:
                if envelope.action == actions.PLACE_PLAN:
                    neighbour = plans.place_plan(zone, account, key, item, neighbour)
                else:
                    HANDLERS[envelope.action](zone, account, key, item)
            except Refused as refused:
                refuse(i, refused.code)
    zone.owners[key.owner].quota -= len(errors) * limits.MICRO
    # The first error is the first that was recorded.
    return len(errors) << 16 | (errors[0] if errors else 0)


def admit(zone: State, envelope: actions.Envelope, signer: bytes | None, leaf_class: int) -> Key:
    account = zone.accounts.get(envelope.account)
    require(zone.can_act(envelope.account), Code.ACCOUNT_NOT_FOUND)
    key = zone.keys.get(envelope.key & 0xFFFF_FFFF)
    require(key is not None and key.id == envelope.key, Code.KEY_NOT_FOUND)
    require(key.owner == account.owner, Code.KEY_NOT_OF_OWNER)
    require(signer is not None and signer == key.address, Code.BAD_SIGNATURE)
    nonce = envelope.nonce
    is_near = zone.time - limits.NONCE_PAST < nonce < zone.time + limits.NONCE_FUTURE
    require(is_near, Code.NONCE_OUT_OF_WINDOW)
    require(nonce > key.cells[nonce % limits.NONCE_CELLS], Code.NONCE_USED)
    owner = zone.owners[key.owner]
    quota.charge(zone, owner, envelope, leaf_class)
    key.cells[nonce % limits.NONCE_CELLS] = nonce  # burnt, whatever follows
    try:
        check_burnt(zone, envelope, key, leaf_class)
    except Refused:
        owner.quota -= quota.get_cost(envelope)
        raise
    return key


def check_burnt(zone: State, envelope: actions.Envelope, key: Key, leaf_class: int) -> None:
    """The checks behind the burning of the nonce."""
    require(zone.time <= envelope.expires_after, Code.EXPIRED)
    latest = zone.time + limits.MAX_EXPIRES_AFTER
    require(envelope.expires_after <= latest, Code.EXPIRES_TOO_FAR)
    require(key.expires == 0 or zone.time < key.expires, Code.KEY_EXPIRED)
    require(key.account in (0, envelope.account), Code.KEY_ACCOUNT)
    if envelope.action in actions.ITEM_LAYOUTS:
        is_in_scope = key.scope & (enums.SCOPE_TRADE | enums.SCOPE_OWNER) != 0
    elif envelope.action == actions.NOOP:
        is_in_scope = True
    else:
        is_in_scope = key.scope & enums.SCOPE_OWNER != 0
    require(is_in_scope, Code.KEY_SCOPE)
    if leaf_class in (2, 3):
        require(zone.time <= zone.l1_time + limits.STALE_L1, Code.STALE_L1)


# --- money and keys ----------------------------------------------------------------------------------


def transfer(zone: State, account: int, _key: Key, body: Body) -> None:
    target, asset, amount = body["toAccount"], body["asset"], body["amount"]
    require(zone.can_act(target) and target != account, Code.ACCOUNT_NOT_FOUND)
    is_same_owner = zone.accounts[target].owner == zone.accounts[account].owner
    require(is_same_owner, Code.KEY_NOT_OF_OWNER)
    require(asset in zone.assets, Code.ASSET_NOT_FOUND)
    require(1 <= amount <= zone.free(account, asset), Code.AMOUNT_OUT_OF_RANGE)
    zone.require_balance(target, asset)
    zone.balance(account, asset).free -= amount
    zone.get_or_open_balance(target, asset).free += amount
    zone.emit(
        events.TRANSFERRED, account=account, other_account=target, market=asset, amount=amount
    )


def withdraw(zone: State, account: int, _key: Key, body: Body) -> None:
    asset, amount = zone.assets.get(body["asset"]), body["amount"]
    require(asset is not None, Code.ASSET_NOT_FOUND)
    require(not asset.is_simulated, Code.NOT_SAME_KIND)
    require(1 <= amount <= zone.free(account, body["asset"]), Code.AMOUNT_OUT_OF_RANGE)
    require(zone.slots["outbox"].has_room(), Code.TABLE_FULL)
    zone.balance(account, body["asset"]).free -= amount
    asset.total -= amount
    zone.pay_out(zone.accounts[account].owner, account, body["asset"], amount)


def approve_key(zone: State, account: int, _key: Key | None, body: Body) -> None:
    owner_id = zone.accounts[account].owner
    require(len(zone.owners[owner_id].keys) < limits.MAX_KEYS, Code.KEY_LIMIT)
    bound = zone.accounts.get(body["onlyAccount"])
    is_good = (
        any(body["agent"])
        and body["scope"] == enums.SCOPE_TRADE
        and zone.time < body["expires"] <= limits.MAX_TIME
        and (
            body["onlyAccount"] == 0
            or (zone.can_act(body["onlyAccount"]) and bound.owner == owner_id)
        )
        and (body["onlyVenue"] == 0 or body["onlyVenue"] in zone.venues)
        and body["maxNotional"] <= 1 << 62
    )
    require(is_good, Code.BAD_KEY)
    require(zone.has_room_for("key"), Code.TABLE_FULL)
    inbox.open_key(
        zone,
        owner_id,
        address=body["agent"],
        scope=body["scope"],
        account=body["onlyAccount"],
        venue=body["onlyVenue"],
        expires=body["expires"],
        max_notional=body["maxNotional"],
        name=int.from_bytes(body["name"], "big") % (1 << 63),
    )


def revoke_key(zone: State, account: int, _key: Key | None, body: Body) -> None:
    owner_id = zone.accounts[account].owner
    revoked = zone.keys.get(body["revokedKey"] & 0xFFFF_FFFF)
    is_found = (
        revoked is not None and revoked.id == body["revokedKey"] and revoked.owner == owner_id
    )
    require(is_found, Code.KEY_NOT_FOUND)
    require(not revoked.scope & enums.SCOPE_OWNER, Code.CANNOT_REVOKE_OWNER_KEY)
    owner = zone.owners[owner_id]
    owner.keys.remove(revoked.slot)
    del zone.keys[revoked.slot]
    zone.slots["key"].give_back(revoked.slot)
    zone.emit(events.KEY_REVOKED, account=owner.main_account, order=revoked.id)


def create_account(zone: State, account: int, _key: Key, _body: Body) -> None:
    owner_id = zone.accounts[account].owner
    require(len(zone.owners[owner_id].accounts) < limits.MAX_ACCOUNTS, Code.ACCOUNT_LIMIT)
    require(zone.has_room_for("account"), Code.TABLE_FULL)
    slot = zone.open_account(owner_id, enums.ACCOUNT_USER)
    zone.emit(events.ACCOUNT_CREATED, account=slot, order=owner_id, flag=enums.ACCOUNT_USER)


HANDLERS = {
    actions.PLACE: orders.place,
    actions.AMEND: orders.amend,
    actions.CANCEL: orders.cancel,
    actions.CANCEL_ALL: tasks.cancel_all,
    actions.DEAD_MAN: tasks.set_dead_man,
    actions.SPLIT: outcome.split,
    actions.MERGE: outcome.merge,
    actions.CANCEL_PLAN: plans.cancel_plan,
    actions.REDEEM: outcome.redeem,
    actions.TRANSFER: transfer,
    actions.WITHDRAW: withdraw,
    actions.APPROVE_KEY: approve_key,
    actions.REVOKE_KEY: revoke_key,
    actions.CREATE_ACCOUNT: create_account,
    actions.NOOP: lambda _zone, _account, _key, _body: None,
    actions.APPROVE_INTERFACE: access.approve_interface,
    actions.FAUCET: access.claim_faucet,
    actions.ISSUE: access.issue,
    actions.GRANT_ACCESS: access.grant_access,
    actions.REVOKE_ACCESS: access.revoke_access,
    actions.OPEN_BALANCE: access.open_balance,
    actions.CLOSE_BALANCE: access.close_balance,
    actions.LEVERAGE: pools.set_leverage,
    actions.ALLOWANCE: pools.set_allowance,
    actions.ADJUST_MARGIN: pools.adjust_margin,
    actions.FUND: pools.fund,
    actions.DEFUND: pools.defund,
    actions.CHECK: liquidation.check,
}
