"""Inbox messages (envelopes.md, outcome.md, access.md, phases.md)."""

from __future__ import annotations

from typing import Any

from tests.model import outcome, perps, phases, pools, prices, quota
from tests.model.records import (
    Asset,
    Book,
    Event,
    Key,
    Ledger,
    Market,
    Owner,
    Perp,
    Refused,
    Venue,
    require,
)
from tests.model.state import Body, State
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.errors import Code


def consume(zone: State, end: int) -> None:
    while zone.inbox < end:
        zone.leaf = zone.inbox
        run_message(zone, messages.Message.from_bytes(zone.messages[zone.inbox]))
        zone.inbox += 1


def run_message(zone: State, message: messages.Message) -> None:
    zone.l1_time = max(zone.l1_time, min(message.time * 1000, limits.MAX_TIME))
    try:
        require(message.kind in HANDLERS, Code.UNKNOWN_MESSAGE)
        layout = messages.BODIES[message.kind]
        require(len(message.payload) == actions.layout_bytes(layout), Code.MALFORMED)
        HANDLERS[message.kind](zone, actions.unpack(layout, message.payload))
    except Refused as refused:
        zone.emit(events.MESSAGE_IGNORED, error=refused.code)


def heartbeat(zone: State, _: Body) -> None:
    zone.emit(events.HEARTBEAT, amount=zone.l1_time)


# --- people and money --------------------------------------------------------------------------------


def open_key(zone: State, owner_id: int, **terms: Any) -> None:
    slot = zone.slots["key"].take()
    cells = [zone.time] * limits.NONCE_CELLS
    generation = zone.slots["key"].generation(slot)
    key = Key(slot, generation, owner_id, approved=zone.time, cells=cells, **terms)
    zone.keys[slot] = key
    owner = zone.owners[owner_id]
    owner.keys.insert(0, slot)
    zone.emit(events.KEY_APPROVED, account=owner.main_account, order=key.id)


def register_owner(zone: State, body: Body) -> None:
    require(body["owner"] == zone.slots["owner"].high_water, Code.NOT_NEXT_ID)
    require(body["kind"] in (enums.OWNER_USER, enums.OWNER_CONTRACT), Code.BAD_PARAMETERS)
    room = all(zone.slots[name].has_room() for name in ("owner", "account", "key"))
    require(room, Code.TABLE_FULL)
    owner_id = zone.slots["owner"].take()
    referrer = body["referrer"] if 0 < body["referrer"] < owner_id else 0
    zone.owners[owner_id] = Owner(body["address"], referrer, body["kind"])
    is_protocol = owner_id == enums.PROTOCOL_OWNER
    kind = enums.ACCOUNT_PROTOCOL if is_protocol else enums.ACCOUNT_USER
    main = zone.open_account(owner_id, kind)
    zone.emit(events.OWNER_REGISTERED, account=main, order=owner_id)
    if body["kind"] == enums.OWNER_USER:
        open_key(
            zone,
            owner_id,
            address=body["address"],
            scope=enums.SCOPE_TRADE | enums.SCOPE_OWNER,
            account=0,
            venue=0,
            expires=0,
            max_notional=0,
            name=0,
        )


def deposit(zone: State, body: Body) -> None:
    owner = zone.owners.get(body["owner"])
    require(owner is not None and owner.address == body["address"], Code.OWNER_MISMATCH)
    asset = zone.assets.get(body["asset"])
    require(asset is not None, Code.ASSET_NOT_FOUND)
    require(not asset.is_simulated, Code.NOT_SAME_KIND)
    amount = body["amount"]
    is_good = amount >= 1 and asset.total + amount <= limits.MAX_TOTAL_ATOMS
    require(is_good, Code.BAD_PARAMETERS)
    account = owner.main_account
    is_credited = zone.can_open_balance(account, body["asset"]) == Code.OK
    require(is_credited or zone.slots["outbox"].has_room(), Code.TABLE_FULL)
    zone.emit(events.DEPOSITED, account=account, market=body["asset"], amount=amount)
    if is_credited:
        zone.get_or_open_balance(account, body["asset"]).free += amount
        asset.total += amount
        quota.note_deposit(owner, asset, amount)
    else:
        zone.pay_out(body["owner"], account, body["asset"], amount, inbox=zone.inbox)


def register_asset(zone: State, body: Body) -> None:
    require(body["asset"] == zone.slots["asset"].high_water, Code.NOT_NEXT_ID)
    is_real = body["kind"] in (enums.ASSET_NATIVE, enums.ASSET_ERC20) and body["venue"] == 0
    is_simulated = body["kind"] == enums.ASSET_SIMULATED and body["venue"] in zone.venues
    is_good = (
        (is_real or is_simulated)
        and 1 <= body["quantum"] <= 1 << 62
        and 1 <= body["cap"] <= limits.MAX_TOTAL_ATOMS
        and body["decimals"] <= 36
    )
    require(is_good, Code.BAD_PARAMETERS)
    require(zone.slots["asset"].has_room(), Code.TABLE_FULL)
    slot = zone.slots["asset"].take()
    names = ("token", "kind", "decimals", "quantum", "cap", "venue")
    zone.assets[slot] = Asset(*(body[name] for name in names))
    zone.emit(events.ASSET_REGISTERED, market=slot)


def set_asset(zone: State, body: Body) -> None:
    asset = zone.assets.get(body["asset"])
    require(asset is not None, Code.ASSET_NOT_FOUND)
    if asset.is_simulated:
        is_good = (
            body["quotaRate"] == body["quotaDeposit"] == 0
            and body["faucetAmount"] <= asset.cap
            and body["faucetInterval"] <= limits.MAX_TIME
        )
    else:
        is_good = (
            body["faucetAmount"] == body["faucetInterval"] == 0
            and body["quotaRate"] <= limits.MAX_QUOTA_RATE
            and body["quotaDeposit"] <= limits.MAX_TOTAL_ATOMS
        )
    require(is_good, Code.BAD_PARAMETERS)
    asset.quota_rate, asset.quota_deposit = body["quotaRate"], body["quotaDeposit"]
    asset.faucet_amount, asset.faucet_interval = body["faucetAmount"], body["faucetInterval"]
    zone.emit(events.ASSET_UPDATED, market=body["asset"])


def create_venue(zone: State, body: Body) -> None:
    require(body["venue"] == zone.slots["venue"].high_water, Code.NOT_NEXT_ID)
    require(body["owner"] in zone.owners, Code.OWNER_MISMATCH)
    is_good = body["access"] <= enums.ACCESS_CREDENTIAL and body["stake"] < 1 << 62
    require(is_good, Code.BAD_PARAMETERS)
    require(zone.slots["account"].has_room(2), Code.TABLE_FULL)
    require(zone.slots["venue"].has_room(), Code.TABLE_FULL)
    slot = zone.slots["venue"].take()
    fee_account = zone.open_account(body["owner"], enums.ACCOUNT_VENUE)
    fund_account = zone.open_account(body["owner"], enums.ACCOUNT_FUND)
    zone.venues[slot] = Venue(
        body["owner"], fee_account, fund_account, body["access"], body["stake"]
    )
    zone.emit(events.VENUE_CREATED, market=slot, account=fee_account, other_account=fund_account)


# --- listings ----------------------------------------------------------------------------------------


def is_simulated_of(zone: State, asset: Asset, venue: int) -> bool:
    return asset.is_simulated and asset.venue == venue


def _list(zone: State, venue_id: int, receivers: list[int], **terms: Any) -> Market:
    """Room, fee balances, the record and its events."""
    require(zone.slots["balance"].has_room(len(receivers)), Code.TABLE_FULL)
    require(zone.slots["market"].has_room(), Code.TABLE_FULL)
    for account in receivers:
        zone.get_or_open_balance(account, terms["quote"])
    slot = zone.slots["market"].take()
    market = zone.markets[slot] = Market(slot=slot, venue=venue_id, **terms)
    zone.books[slot] = Book()
    zone.venues[venue_id].market_count += 1
    zone.emit(events.MARKET_LISTED, market=slot, account=venue_id)
    phases.emit_terms(zone, market)
    return market


def _receivers(zone: State, venue: Venue) -> list[int]:
    return [venue.fee_account, venue.fund_account, zone.protocol_account]


def _terms(body: Body) -> dict[str, int]:
    """Fields that the listings of spot and outcome markets have alike."""
    return {
        "id": body["id"],
        "tick_value": body["tickValue"],
        "min_notional": body["minNotional"],
        "max_notional": body["maxNotional"],
        "max_lots": body["maxLots"],
        "taker_fee": body["takerFee"],
        "maker_fee": body["makerFee"],
        "protocol_share": body["protocolShare"],
        "insurance_share": body["insuranceShare"],
        "taker_delay": body["takerDelay"],
        "listed": body["effectiveAt"],
    }


def list_home(zone: State, body: Body, venue: Venue, **terms: Any) -> Market:
    """A home market, from the message's common fields and `terms`."""
    return _list(zone, body["venue"], _receivers(zone, venue), **terms, **_terms(body))


def list_market(zone: State, body: Body) -> None:
    require(body["market"] == zone.slots["market"].high_water, Code.NOT_NEXT_ID)
    venue = zone.venues.get(body["venue"])
    require(venue is not None, Code.VENUE_NOT_FOUND)
    base, quote = zone.assets.get(body["base"]), zone.assets.get(body["quote"])
    require(base is not None and quote is not None, Code.ASSET_NOT_FOUND)
    is_real = not base.is_simulated and not quote.is_simulated
    is_simulated = all(is_simulated_of(zone, asset, body["venue"]) for asset in (base, quote))
    require(is_real or is_simulated, Code.NOT_SAME_KIND)
    is_good = (
        body["kind"] == enums.MARKET_SPOT
        and body["base"] != body["quote"]
        and body["id"] >> 16 == body["venue"]
        and phases.is_bounded(
            body,
            tick=body["tickValue"],
            max_price=body["maxPrice"],
            lot_size=body["lotSize"],
            is_outcome=False,
        )
    )
    require(is_good, Code.BAD_PARAMETERS)
    list_home(
        zone,
        body,
        venue,
        kind=enums.MARKET_SPOT,
        base=body["base"],
        quote=body["quote"],
        lot_size=body["lotSize"],
        max_price=body["maxPrice"],
    )


def is_room_in_ledger(zone: State, body: Body) -> bool:
    ledger = zone.ledgers.get((body["venue"], body["quote"]))
    count = sum(perp.is_live and perp.ledger is ledger for perp in zone.perps.values())
    return count < limits.MAX_LEDGER_PERPS


def list_perp(zone: State, body: Body) -> None:
    require(body["market"] == zone.slots["market"].high_water, Code.NOT_NEXT_ID)
    venue = zone.venues.get(body["venue"])
    require(venue is not None, Code.VENUE_NOT_FOUND)
    asset = zone.assets.get(body["quote"])
    require(asset is not None, Code.ASSET_NOT_FOUND)
    is_kind = not asset.is_simulated or is_simulated_of(zone, asset, body["venue"])
    require(is_kind, Code.NOT_SAME_KIND)
    feed = zone.feeds.get(body["feed"])
    require(feed is not None and feed.venue == body["venue"], Code.FEED_NOT_FOUND)
    calendar = zone.calendars.get(body["calendar"])
    tick, top = body["tickValue"], body["maxPrice"]
    is_good = (
        body["id"] >> 16 == body["venue"]
        and sum(perp.is_live for perp in zone.perps.values()) < limits.MAX_PERPS
        and is_room_in_ledger(zone, body)
        and phases.is_bounded(body, tick=tick, max_price=top, lot_size=1, is_outcome=False)
        and top * tick <= limits.MAX_LOT_VALUE
        and body["maxLots"] * top * tick <= limits.MAX_POSITION_VALUE
        and 1 <= body["feedScale"] <= limits.MAX_FEED_SCALE
        and 1 <= body["openInterestCap"] <= limits.MAX_OPEN_VALUE
        and body["accountCap"] <= limits.MAX_OPEN_VALUE
        and limits.MIN_BAND <= body["band"] <= limits.MAX_BAND
        and (body["calendar"] == 0 or (calendar is not None and calendar.venue == body["venue"]))
        and body["closes"] <= limits.MAX_TIME
        and perps.are_parameters_good(body, body["band"])
    )
    require(is_good, Code.BAD_PARAMETERS)
    wall = (body["venue"], body["quote"])
    has_room = wall in zone.ledgers or zone.slots["ledger"].has_room()
    require(has_room, Code.TABLE_FULL)
    market = list_home(
        zone,
        body,
        venue,
        kind=enums.MARKET_PERP,
        base=0,
        quote=body["quote"],
        lot_size=1,
        max_price=top,
        calendar=body["calendar"],
        band=body["band"],
        open_interest_cap=body["openInterestCap"],
        account_cap=body["accountCap"],
        closes=body["closes"],
    )
    if wall not in zone.ledgers:
        zone.ledgers[wall] = Ledger(zone.slots["ledger"].take(), *wall)
    perp = zone.perps[market.slot] = Perp(
        market=market,
        ledger=zone.ledgers[wall],
        feed=feed,
        feed_scale=body["feedScale"],
        funding_scale=limits.FUNDING_UNIT // (top * tick),
        **dict.fromkeys(
            ("funding_cap", "interest", "impact_notional", "band_listing", "band_basis"), 0
        ),
        oi_lower=0,
        oi_upper=0,
        loss_cap=0,
        tiers=[],
    )
    perps.set_parameters(zone, perp, body)


def list_event(zone: State, body: Body) -> None:
    slots = zone.slots["event_group"]
    require(body["group"] == slots.high_water, Code.NOT_NEXT_ID)
    require(body["venue"] in zone.venues, Code.VENUE_NOT_FOUND)
    asset = zone.assets.get(body["asset"])
    require(asset is not None, Code.ASSET_NOT_FOUND)
    is_kind = not asset.is_simulated or is_simulated_of(zone, asset, body["venue"])
    require(is_kind, Code.NOT_SAME_KIND)
    is_good = (
        2 <= body["outcomes"] <= limits.MAX_OUTCOMES
        and 1 <= body["unit"] <= limits.MAX_NOTIONAL
        and body["unit"] % limits.PAYOUT_UNIT == 0
        and outcome.is_payout_vector(body["voidPayouts"], body["outcomes"])
    )
    require(is_good, Code.BAD_PARAMETERS)
    require(slots.has_room(), Code.TABLE_FULL)
    slot = slots.take()
    zone.groups[slot] = Event(
        body["venue"], body["asset"], body["outcomes"], body["unit"], body["voidPayouts"]
    )
    zone.emit(
        events.EVENT_LISTED,
        market=slot,
        flag=body["outcomes"],
        account=body["venue"],
        other_account=body["asset"],
        amount=body["unit"],
    )


def list_outcome(zone: State, body: Body) -> None:
    require(body["market"] == zone.slots["market"].high_water, Code.NOT_NEXT_ID)
    event = zone.groups.get(body["group"])
    require(event is not None, Code.EVENT_NOT_FOUND)
    require(event.state == enums.GROUP_OPEN, Code.EVENT_SETTLED)
    tick = body["tickValue"]
    is_good = (
        len(event.markets) < event.most_markets
        and body["id"] >> 16 == event.venue
        and tick >= 1
        and event.unit % tick == 0
        and event.unit // tick >= 2
        and phases.is_bounded(
            body,
            tick=tick,
            max_price=event.unit // tick - 1,
            lot_size=event.unit,
            is_outcome=True,
        )
        and body["closes"] <= limits.MAX_TIME
    )
    require(is_good, Code.BAD_PARAMETERS)
    market = _list(
        zone,
        event.venue,
        _receivers(zone, zone.venues[event.venue]),
        kind=enums.MARKET_OUTCOME,
        base=0,
        quote=event.asset,
        lot_size=event.unit,
        max_price=event.unit // tick - 1,
        closes=body["closes"],
        group=body["group"],
        outcome=len(event.markets),
        group_next=event.markets[0] if event.markets else 0,
        **_terms(body),
    )
    event.markets.insert(0, market.slot)


def list_guest(zone: State, body: Body) -> None:
    require(body["market"] == zone.slots["market"].high_water, Code.NOT_NEXT_ID)
    venue, home = zone.venues.get(body["venue"]), zone.markets.get(body["home"])
    require(venue is not None, Code.VENUE_NOT_FOUND)
    require(home is not None, Code.MARKET_NOT_FOUND)
    is_good = (
        home.guest_of == 0
        and home.venue != body["venue"]
        and home.phase != enums.PHASE_SETTLED
        and body["id"] >> 16 == body["venue"]
        and body["guestFee"] <= limits.MAX_INTERFACE_FEE
        and body["effectiveAt"] <= limits.MAX_TIME
    )
    require(is_good, Code.BAD_PARAMETERS)
    assets = [zone.assets[slot] for slot in (home.base, home.quote) if slot]
    is_real = not any(asset.is_simulated for asset in assets)
    is_own = all(is_simulated_of(zone, asset, body["venue"]) for asset in assets)
    require(is_real or is_own, Code.NOT_SAME_KIND)
    copied = (
        *("kind", "base", "quote", "lot_size", "tick_value", "min_notional", "max_notional"),
        *("max_lots", "max_price", "group", "outcome"),
    )
    _list(
        zone,
        body["venue"],
        [venue.fee_account],
        id=body["id"],
        taker_fee=0,
        maker_fee=0,
        protocol_share=0,
        insurance_share=0,
        taker_delay=0,
        listed=body["effectiveAt"],
        guest_of=body["home"],
        guest_fee=body["guestFee"],
        **{name: getattr(home, name) for name in copied},
    )


HANDLERS = {
    messages.REGISTER_OWNER: register_owner,
    messages.DEPOSIT: deposit,
    messages.REGISTER_ASSET: register_asset,
    messages.CREATE_VENUE: create_venue,
    messages.LIST_MARKET: list_market,
    messages.HEARTBEAT: heartbeat,
    messages.UPDATE_VENUE: phases.update_venue,
    messages.UPDATE_MARKET: phases.update_market,
    messages.LIST_EVENT: list_event,
    messages.LIST_OUTCOME: list_outcome,
    messages.LIST_GUEST: list_guest,
    messages.SET_CALENDAR: phases.set_calendar,
    messages.RESOLUTION: outcome.resolve,
    messages.SET_ASSET: set_asset,
    messages.LIST_PERP: list_perp,
    messages.SET_PERP: perps.set_perp,
    messages.APPROVE_CROSS: perps.approve_cross,
    messages.ORACLE_SET: prices.set_oracle,
    messages.PRICE: lambda zone, body: prices.set_price(zone, body, body["signer"]),
    messages.SLASH: pools.slash,
    messages.SET_RISK: pools.set_risk,
}
