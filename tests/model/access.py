"""docs/spec/access.md: access records, credentials, interfaces, doors' fees; balances and simulated assets."""

from __future__ import annotations

from tests.model.records import Approval, Key, Market, Refused, require
from tests.model.state import Body, State
from tradezone.protocol import actions, enums, events, limits
from tradezone.protocol.errors import Code
from tradezone.protocol.hashing import keccak

# --- access records ----------------------------------------------------------------------------------


def get_access_bucket(venue: int, owner: int, mode: int) -> int:
    data = venue.to_bytes(4, "big") + owner.to_bytes(4, "big") + bytes([mode])
    return limits.ORDER_BUCKETS + int.from_bytes(keccak(data), "big") % limits.ACCESS_BUCKETS


def find_access(zone: State, venue: int, owner: int, mode: int) -> Approval | None:
    for record in zone.access.get(get_access_bucket(venue, owner, mode), []):
        if (record.subject, record.account, record.value) == (venue, owner, mode):
            return record
    return None


def find_good_access(zone: State, venue_id: int, owner: int, mode: int) -> Approval | None:
    record = find_access(zone, venue_id, owner, mode)
    if record is None:
        return None
    if mode == enums.ACCESS_LIST:
        return record if record.is_timely(zone.time) else None
    venue = zone.venues[venue_id]
    is_good = (
        record.expires > zone.time
        and venue.regions >> record.region & 1 == 1
        and record.flags >= venue.min_class
    )
    return record if is_good else None


def check_access(zone: State, owner: int, *markets: Market) -> int:
    """Require every mode of the markets and their venues; return the earliest expiry, 0 = none."""
    expiries = []
    for market in markets:
        modes = {zone.venues[market.venue].access, market.access} - {enums.ACCESS_OPEN}
        for mode in modes:
            record = find_good_access(zone, market.venue, owner, mode)
            require(record is not None, Code.ACCESS_DENIED)
            if record.expires:
                expiries.append(record.expires)
    return min(expiries, default=0)


def write_access(zone: State, record: Approval) -> None:
    """Overwrite or make an access record; `record.slot` is still to be given."""
    chain = zone.access.setdefault(
        get_access_bucket(record.subject, record.account, record.value), []
    )
    old = find_access(zone, record.subject, record.account, record.value)
    if old is None:
        require(len(chain) < limits.MAX_BUCKET_LENGTH, Code.BUCKET_FULL)
        require(zone.slots["approval"].has_room(), Code.TABLE_FULL)
        record.slot = zone.slots["approval"].take()
        chain.insert(0, record)
    else:
        record.slot = old.slot
        chain[chain.index(old)] = record
    zone.emit(
        events.ACCESS_GRANTED,
        market=record.subject,
        order=record.account,
        flag=record.value,
        price=record.region,
        lots=record.flags,
        amount=record.expires,
        amount2=record.issued,
    )


def _require_own_venue(zone: State, account: int, body: Body) -> None:
    venue = zone.venues.get(body["venue"])
    require(venue is not None, Code.VENUE_NOT_FOUND)
    require(venue.owner == zone.accounts[account].owner, Code.NOT_VENUE_OWNER)
    require(body["grantee"] in zone.owners, Code.OWNER_NOT_FOUND)


def grant_access(zone: State, account: int, _key: Key, body: Body) -> None:
    _require_own_venue(zone, account, body)
    expires = body["expires"]
    require(expires == 0 or zone.time < expires <= limits.MAX_TIME, Code.BAD_APPROVAL)
    record = Approval(
        slot=0,
        kind=enums.APPROVAL_ACCESS,
        account=body["grantee"],
        subject=body["venue"],
        value=enums.ACCESS_LIST,
        expires=expires,
        issued=zone.time,
    )
    write_access(zone, record)


def revoke_access(zone: State, account: int, _key: Key, body: Body) -> None:
    _require_own_venue(zone, account, body)
    record = find_access(zone, body["venue"], body["grantee"], enums.ACCESS_LIST)
    require(record is not None, Code.BAD_APPROVAL)
    bucket = get_access_bucket(body["venue"], body["grantee"], enums.ACCESS_LIST)
    zone.access[bucket].remove(record)
    zone.slots["approval"].give_back(record.slot)
    zone.emit(events.ACCESS_REVOKED, market=body["venue"], order=body["grantee"], flag=1)


def run_credential(zone: State, leaf: bytes, signer: bytes | None, seq: int) -> int:
    """A credential leaf; return its result."""
    end = 1 + actions.CREDENTIAL_BODY_BYTES
    body = actions.unpack(actions.CREDENTIAL_BODY, leaf[1:end])
    zone.leaf = seq
    try:
        _admit_credential(zone, body, signer)
    except Refused as refused:
        return zone.reject_leaf(seq, refused.code)
    return 0


def _admit_credential(zone: State, body: Body, signer: bytes | None) -> None:
    venue, owner = zone.venues.get(body["venue"]), zone.owners.get(body["owner"])
    require(venue is not None, Code.VENUE_NOT_FOUND)
    require(owner is not None, Code.OWNER_NOT_FOUND)
    require(body["subject"] == owner.address, Code.OWNER_MISMATCH)
    provider = venue.credential_provider
    require(signer is not None and any(provider) and signer == provider, Code.BAD_SIGNATURE)
    old = find_access(zone, body["venue"], body["owner"], enums.ACCESS_CREDENTIAL)
    is_good = (
        body["issued"] <= zone.time < body["expires"] <= limits.MAX_TIME
        and body["region"] <= 62
        and venue.regions >> body["region"] & 1 == 1
        and venue.min_class <= body["class"] < 1 << 15
        and (old is None or body["issued"] > old.issued)
    )
    require(is_good, Code.BAD_CREDENTIAL)
    record = Approval(
        slot=0,
        kind=enums.APPROVAL_ACCESS,
        account=body["owner"],
        subject=body["venue"],
        value=enums.ACCESS_CREDENTIAL,
        expires=body["expires"],
        issued=body["issued"],
        flags=body["class"],
        region=body["region"],
    )
    write_access(zone, record)


# --- interfaces --------------------------------------------------------------------------------------


def approve_interface(zone: State, account_id: int, _key: Key, body: Body) -> None:
    account, interface = zone.accounts[account_id], zone.accounts.get(body["interface"])
    require(
        interface is not None
        and interface.state == enums.ACTIVE
        and body["interface"] != account_id,
        Code.ACCOUNT_NOT_FOUND,
    )
    expires = body["expires"]
    require(
        body["maxFee"] <= limits.MAX_INTERFACE_FEE
        and (expires == 0 or zone.time < expires <= limits.MAX_TIME),
        Code.BAD_APPROVAL,
    )
    name = (enums.APPROVAL_INTERFACE, body["interface"])
    old = account.approvals.get(name)
    if body["maxFee"] == 0:
        require(old is not None, Code.BAD_APPROVAL)
        del account.approvals[name]
        zone.slots["approval"].give_back(old.slot)
    elif old is not None:
        old.value, old.expires, old.issued = body["maxFee"], expires, zone.time
    else:
        require(len(account.approvals) < limits.MAX_APPROVALS, Code.TOO_MANY_APPROVALS)
        require(zone.slots["approval"].has_room(), Code.TABLE_FULL)
        account.approvals[name] = Approval(
            slot=zone.slots["approval"].take(),
            kind=enums.APPROVAL_INTERFACE,
            account=account_id,
            subject=body["interface"],
            value=body["maxFee"],
            expires=expires,
            issued=zone.time,
        )
    zone.emit(
        events.INTERFACE_APPROVED,
        account=account_id,
        other_account=body["interface"],
        price=body["maxFee"],
        amount=expires,
    )


def _is_approved(zone: State, account: int, interface: int, fee: int) -> bool:
    approval = zone.accounts[account].approvals.get((enums.APPROVAL_INTERFACE, interface))
    return approval is not None and approval.is_timely(zone.time) and approval.value >= fee


def check_interface(
    zone: State, account: int, door: Market | None, interface: int, fee: int
) -> tuple[int, int]:
    """Check 16 of PLACE; return (interface account, fee) that the order gets."""
    if door is not None:
        require(interface == 0 and fee == 0, Code.INTERFACE_NOT_APPROVED)
        if door.guest_fee == 0:
            return 0, 0
        taker = zone.venues[door.venue].fee_account
        require(_is_approved(zone, account, taker, door.guest_fee), Code.INTERFACE_NOT_APPROVED)
        return taker, door.guest_fee
    if interface == 0 and fee == 0:
        return 0, 0
    is_good = (
        interface != 0
        and fee <= limits.MAX_INTERFACE_FEE
        and _is_approved(zone, account, interface, fee)
    )
    require(is_good, Code.INTERFACE_NOT_APPROVED)
    return interface, fee


# --- balances and simulated assets -------------------------------------------------------------------


def open_balance(zone: State, account: int, _key: Key, body: Body) -> None:
    require(body["asset"] in zone.assets, Code.ASSET_NOT_FOUND)
    require(zone.balance(account, body["asset"]) is None, Code.BALANCE_IN_USE)
    zone.require_balance(account, body["asset"])
    zone.get_or_open_balance(account, body["asset"])
    zone.emit(events.BALANCE_OPENED, account=account, market=body["asset"])


def close_balance(zone: State, account: int, _key: Key, body: Body) -> None:
    balance = zone.balance(account, body["asset"])
    require(balance is not None, Code.ASSET_NOT_FOUND)
    asset = zone.assets[body["asset"]]
    is_named = any(
        balance.asset in (order.pay_asset, order.receive_asset)
        for order in zone.accounts[account].orders
    )
    may_claim = (
        asset.faucet_amount == 0
        or balance.faucet_time == 0
        or balance.faucet_time + asset.faucet_interval <= zone.time
    )
    is_idle = (
        zone.accounts[account].kind == enums.ACCOUNT_USER
        and balance.free == balance.locked == 0
        and not is_named
        and may_claim
    )
    require(is_idle, Code.BALANCE_IN_USE)
    del zone.accounts[account].balances[balance.asset]
    zone.slots["balance"].give_back(balance.slot)
    zone.emit(events.BALANCE_CLOSED, account=account, market=balance.asset)


def claim_faucet(zone: State, account_id: int, _key: Key, body: Body) -> None:
    asset = zone.assets.get(body["asset"])
    require(asset is not None, Code.ASSET_NOT_FOUND)
    require(asset.is_simulated, Code.NOT_SAME_KIND)
    account = zone.accounts[account_id]
    is_main = zone.owners[account.owner].main_account == account_id
    is_given = asset.faucet_amount > 0 and is_main and account.kind == enums.ACCOUNT_USER
    require(is_given, Code.NO_FAUCET)
    require(asset.total + asset.faucet_amount <= asset.cap, Code.ASSET_CAP)
    zone.require_balance(account_id, body["asset"])
    held = zone.balance(account_id, body["asset"])
    last = held.faucet_time if held else 0
    require(last == 0 or last + asset.faucet_interval <= zone.time, Code.FAUCET_TOO_SOON)
    balance = zone.get_or_open_balance(account_id, body["asset"])
    balance.free += asset.faucet_amount
    balance.faucet_time = zone.time
    asset.total += asset.faucet_amount
    zone.emit(
        events.ISSUED,
        account=account_id,
        market=body["asset"],
        amount=asset.faucet_amount,
        flag=1,
    )


def issue(zone: State, account: int, _key: Key, body: Body) -> None:
    asset = zone.assets.get(body["asset"])
    require(asset is not None, Code.ASSET_NOT_FOUND)
    require(asset.is_simulated, Code.NOT_SAME_KIND)
    issuer = zone.accounts[account].owner
    require(zone.venues[asset.venue].owner == issuer, Code.NOT_VENUE_OWNER)
    target, amount = body["toAccount"], body["amount"]
    require(zone.can_act(target), Code.ACCOUNT_NOT_FOUND)
    require(amount >= 1, Code.AMOUNT_OUT_OF_RANGE)
    require(asset.total + amount <= asset.cap, Code.ASSET_CAP)
    if zone.accounts[target].owner == issuer:
        zone.require_balance(target, body["asset"])
    else:
        require(zone.balance(target, body["asset"]) is not None, Code.ASSET_NOT_FOUND)
    zone.get_or_open_balance(target, body["asset"]).free += amount
    asset.total += amount
    zone.emit(events.ISSUED, account=target, market=body["asset"], amount=amount, flag=2)
