"""docs/spec/phases.md: what a market takes, price bands, updates."""

from __future__ import annotations

from tests.model import adl, perps, prices, tasks
from tests.model.records import POST_TIFS, PPM, Calendar, Market, Pending, Timer, require
from tests.model.state import Body, State
from tradezone.protocol import enums, events, limits
from tradezone.protocol.errors import Code


def get_phases(zone: State, market: Market) -> set[int]:
    """Every phase that is in force in a market, the zone's restart not counted."""
    phases = {market.phase}
    if market.listed > zone.time:
        phases.add(enums.PHASE_LISTED)
    if market.closes and zone.time >= market.closes:
        phases.add(enums.PHASE_CANCEL_ONLY)
    if market.calendar and not zone.calendars[market.calendar].is_open(zone.time):
        phases.add(enums.PHASE_REDUCE_ONLY)
    state = zone.venues[market.venue].state
    if state == enums.VENUE_REDUCE_ONLY:
        phases.add(enums.PHASE_REDUCE_ONLY)
    if state == enums.VENUE_WOUND_DOWN:
        phases.add(enums.PHASE_CANCEL_ONLY)
    return phases | prices.get_phases(zone, market)


def get_restart_phases(zone: State) -> set[int]:
    if zone.restart_time:
        since = zone.time - zone.restart_time
        if since < limits.RESTART_CANCEL:
            return {enums.PHASE_CANCEL_ONLY}
        if since < limits.RESTART_POST:
            return {enums.PHASE_POST_ONLY}
    return set()


def admits(zone: State, market: Market, *, tif: int, is_reduce_only: bool) -> bool:
    """Whether the market's own phases and the restart all admit an order."""
    admitted = {
        enums.PHASE_CONTINUOUS: True,
        enums.PHASE_POST_ONLY: tif in POST_TIFS,
        enums.PHASE_REDUCE_ONLY: is_reduce_only,
    }
    phases = get_phases(zone, market) | get_restart_phases(zone)
    return all(admitted.get(phase, False) for phase in phases)


def open_block(zone: State, time: int) -> None:
    """Begin the restart phases behind a gap."""
    gap = time - zone.time
    is_restart = zone.block > 0 and gap > limits.RESTART_GAP
    zone.block += 1
    zone.time = time
    zone.removed = zone.met = 0
    if is_restart:
        zone.restart_time = time
        zone.emit(events.RESTARTED, amount=gap)


# --- bands -------------------------------------------------------------------------------------------


def move_anchor(zone: State, market: Market) -> None:
    """Look at the anchor of the band."""
    book = zone.books[market.slot]
    if market.band == 0 or market.is_perp:
        return
    before = book.band_price
    if before == 0:
        if book.last_price == 0:
            return
        book.band_price = book.last_price
    elif zone.time >= book.band_time + limits.BAND_WINDOW:
        price = book.band_last or before
        bid, ask = book.best(enums.BUY), book.best(enums.SELL)
        if bid > price:
            price = bid
        if ask and ask < price:
            price = ask
        book.band_price, book.band_last = price, 0
    else:
        return
    book.band_time = zone.time
    if book.band_price != before:
        zone.emit(events.BAND_MOVED, market=market.slot, price=book.band_price)


def get_band(zone: State, market: Market) -> tuple[int, int] | None:
    """(low, high), or None without a band."""
    if market.is_perp:
        return prices.get_band(zone, zone.perps[market.slot])
    anchor = zone.books[market.slot].band_price
    if market.band == 0 or anchor == 0:
        return None
    reach = anchor * market.band // PPM
    return anchor - reach, anchor + reach


def is_outside(zone: State, market: Market, side: int, price: int) -> bool:
    """Whether a buy at `price` is above the band or a sell below it."""
    band = get_band(zone, market)
    if band is None:
        return False
    return price > band[1] if side == enums.BUY else price < band[0]


# --- updates -----------------------------------------------------------------------------------------


def emit_terms(zone: State, market: Market) -> None:
    zone.emit(
        events.MARKET_TERMS,
        market=market.slot,
        flag=market.kind,
        account=market.group if market.is_outcome else market.base,
        other_account=market.quote,
        price=market.max_price,
        order=market.lot_size,
        other_order=market.tick_value,
        lots=market.min_notional,
        left=market.max_notional,
        amount=market.max_lots,
        amount2=market.guest_of,
    )
    zone.emit(
        events.MARKET_FEES,
        market=market.slot,
        flag=market.phase,
        side=market.access,
        tif=market.taker_delay,
        price=market.band,
        order=market.taker_fee,
        other_order=market.maker_fee,
        lots=market.protocol_share,
        left=market.insurance_share,
        amount=market.referrer_share,
        amount2=market.guest_fee,
    )


def is_bounded(body: Body, *, tick: int, max_price: int, lot_size: int, is_outcome: bool) -> bool:
    """The bounds of orders.md, for a listing or an update."""
    top = limits.MAX_NOTIONAL
    lots = body["maxLots"]
    shares = body["protocolShare"] + body["insuranceShare"] + body.get("referrerShare", 0)
    return (
        1 <= tick <= limits.MAX_TICK_VALUE
        and 1 <= max_price <= limits.MAX_PRICE
        and max_price * tick <= top
        and 1 <= lots <= top // (max_price * tick)
        and 1 <= lot_size <= top // lots
        and (not is_outcome or lots <= top // lot_size)
        and 0 <= body["minNotional"] <= body["maxNotional"] <= top
        and 0 <= body["takerFee"] <= limits.MAX_TAKER_FEE
        and -limits.MAX_REBATE <= body["makerFee"] <= limits.MAX_MAKER_FEE
        and body["protocolShare"] >= limits.MIN_PROTOCOL_SHARE
        and shares <= PPM
        and body["takerDelay"] <= limits.MAX_TAKER_DELAY
        and body["effectiveAt"] <= limits.MAX_TIME
    )


def update_market(zone: State, body: Body) -> None:
    market = zone.markets.get(body["market"])
    require(market is not None, Code.MARKET_NOT_FOUND)
    require(market.phase != enums.PHASE_SETTLED, Code.BAD_PARAMETERS)
    phases = set(range(enums.PHASE_CONTINUOUS, enums.PHASE_SETTLED))
    calendar = zone.calendars.get(body["calendar"])
    is_good = (
        body["access"] <= enums.ACCESS_CREDENTIAL
        and (body["calendar"] == 0 or (calendar is not None and calendar.venue == market.venue))
        and body["closes"] <= limits.MAX_TIME
        and body["effectiveAt"] <= limits.MAX_TIME
    )
    if market.guest_of:
        phases.add(enums.PHASE_SETTLED)
        is_good &= body["phase"] in phases and body["guestFee"] <= limits.MAX_INTERFACE_FEE
    else:
        if market.kind != enums.MARKET_OUTCOME:
            phases.add(enums.PHASE_SETTLED)
        is_good &= (
            body["phase"] in phases
            and is_bounded(
                body,
                tick=market.tick_value,
                max_price=market.max_price,
                lot_size=market.lot_size,
                is_outcome=market.is_outcome,
            )
            and (body["band"] == 0 or limits.MIN_BAND <= body["band"] <= limits.MAX_BAND)
            and body["guestFee"] == 0
            and (not market.is_perp or perps.is_update_good(zone.perps[market.slot], body))
        )
    require(is_good, Code.BAD_PARAMETERS)
    if body["effectiveAt"] <= zone.time:
        if market.slot in zone.pending:
            zone.pending[market.slot].values = {}  # its timer will find nothing to do
        apply_update(zone, market, body)
        return
    kept = zone.pending.get(market.slot)
    timer = zone.set_timer(
        enums.TIMER_MARKET, market.slot, body["effectiveAt"], kept.timer if kept else None
    )
    zone.pending[market.slot] = Pending(body, timer)


def apply_update(zone: State, market: Market, body: Body) -> None:
    market.phase, market.access, market.calendar = body["phase"], body["access"], body["calendar"]
    market.closes, market.guest_fee = body["closes"], body["guestFee"]
    if not market.guest_of:
        market.taker_delay = body["takerDelay"]
        market.taker_fee, market.maker_fee = body["takerFee"], body["makerFee"]
        market.protocol_share = body["protocolShare"]
        market.insurance_share = body["insuranceShare"]
        market.referrer_share = body["referrerShare"]
        market.band = body["band"]
        market.min_notional, market.max_notional = body["minNotional"], body["maxNotional"]
        market.max_lots = body["maxLots"]
        most = (1 << 63) - 1
        market.open_interest_cap = min(body["openInterestCap"], most)
        market.account_cap = min(body["accountCap"], most)
    emit_terms(zone, market)
    if market.is_perp and not market.guest_of:
        zone.epoch += 1  # its band is part of what a release assumes
    if market.phase == enums.PHASE_SETTLED:
        tasks.begin_market_task(zone, market)
        zone.venues[market.venue].market_count -= 1
        if market.is_perp and not market.guest_of:
            adl.begin_settlement(zone, zone.perps[market.slot])


def serve_update(zone: State, timer: Timer) -> None:
    """A kept update is due."""
    body = zone.pending.pop(timer.subject).values
    market = zone.markets[timer.subject]
    if body and market.phase != enums.PHASE_SETTLED:
        apply_update(zone, market, body)


def update_venue(zone: State, body: Body) -> None:
    venue = zone.venues.get(body["venue"])
    require(venue is not None, Code.VENUE_NOT_FOUND)
    is_good = (
        venue.state != enums.VENUE_WOUND_DOWN
        and enums.VENUE_ACTIVE <= body["state"] <= enums.VENUE_WOUND_DOWN
        and body["access"] <= enums.ACCESS_CREDENTIAL
        and (body["access"] != enums.ACCESS_CREDENTIAL or any(body["credentialProvider"]))
        and body["minClass"] < 1 << 15
        and body["regions"] < 1 << 63
        and body["stake"] < 1 << 62
    )
    require(is_good, Code.BAD_PARAMETERS)
    is_live = any(
        perp.is_live and perp.market.venue == body["venue"] for perp in zone.perps.values()
    )
    require(body["state"] != enums.VENUE_WOUND_DOWN or not is_live, Code.NOT_ELIGIBLE)
    venue.state, venue.access = body["state"], body["access"]
    venue.credential_provider, venue.min_class = body["credentialProvider"], body["minClass"]
    venue.regions, venue.stake = body["regions"], body["stake"]
    zone.emit(events.VENUE_UPDATED, market=body["venue"], flag=venue.access, side=venue.state)


def set_calendar(zone: State, body: Body) -> None:
    slots = zone.slots["calendar"]
    old = zone.calendars.get(body["calendar"])
    is_new = body["calendar"] == slots.high_water
    require(is_new or old is not None, Code.NOT_NEXT_ID)
    require(body["venue"] in zone.venues, Code.VENUE_NOT_FOUND)
    days = [(body[f"open{day}"], body[f"close{day}"]) for day in range(7)]
    closures = [(body[f"from{n}"], body[f"to{n}"]) for n in range(4)]
    is_good = (
        (old is None or old.venue == body["venue"])
        and all((a, b) == (0, 0) or a < b <= 1440 for a, b in days)
        and all((a, b) == (0, 0) or a < b <= limits.MAX_TIME for a, b in closures)
    )
    require(is_good, Code.BAD_PARAMETERS)
    if is_new:
        require(slots.has_room(), Code.TABLE_FULL)
        slots.take()
    zone.calendars[body["calendar"]] = Calendar(body["venue"], days, closures)
    zone.emit(events.CALENDAR_SET, market=body["calendar"], account=body["venue"])
