"""Instruments: listing them, changing their terms, settling them. All of it comes from L1.

A change is written down in ``pending`` first and applied from there, so what is announced and what is applied
at once take the same way.
"""

from __future__ import annotations

from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    ACCESS_CREDENTIAL,
    ACTIVE,
    ASSET_SIMULATED,
    CANCEL_SETTLED,
    FREE,
    GROUP_OPEN,
    GROUP_RESOLVED,
    GROUP_VOID,
    MARKET_OUTCOME,
    MARKET_PERP,
    MARKET_SPOT,
    PHASE_CONTINUOUS,
    PHASE_HALTED,
    PHASE_SETTLED,
    PROTOCOL_OWNER,
    TIMER_MARKET,
    VENUE_ACTIVE,
    VENUE_WOUND_DOWN,
)
from tradezone.protocol.errors import Code
from tradezone.protocol.events import (
    CALENDAR_SET,
    EVENT_LISTED,
    EVENT_RESOLVED,
    MARKET_FEES,
    MARKET_LISTED,
    MARKET_TERMS,
    VENUE_UPDATED,
)
from tradezone.protocol.limits import (
    MAX_BAND,
    MAX_INTERFACE_FEE,
    MAX_MAKER_FEE,
    MAX_NOTIONAL,
    MAX_OPEN_VALUE,
    MAX_OUTCOMES,
    MAX_POSITION_VALUE,
    MAX_PRICE,
    MAX_REBATE,
    MAX_TAKER_DELAY,
    MAX_TAKER_FEE,
    MAX_TICK_VALUE,
    MAX_TIME,
    MIN_BAND,
    MIN_PROTOCOL_SHARE,
    PAYOUT_UNIT,
    PPM,
)

from ._jit import i64, jit
from .balances import open_balance
from .codec import emit, emit_note, read8, read16, read32, read64, read_i32, read_limb
from .perps.settlement import begin_settlement
from .tables import (
    T_AGENDA,
    T_ASSET,
    T_BALANCE,
    T_CALENDAR,
    T_EVENT_GROUP,
    T_HOLDING,
    T_MACHINE,
    T_MARKET,
    T_PENDING,
    T_VENUE,
    append_slot,
    has_room,
    is_used,
    touch,
)
from .tasks import add_market_task
from .timers import begin_timer

_OK = int(Code.OK)
_MARKET_NOT_FOUND = int(Code.MARKET_NOT_FOUND)
_EVENT_NOT_FOUND = int(Code.EVENT_NOT_FOUND)
_EVENT_SETTLED = int(Code.EVENT_SETTLED)
_ASSET_NOT_FOUND = int(Code.ASSET_NOT_FOUND)
_NOT_SAME_KIND = int(Code.NOT_SAME_KIND)
_TABLE_FULL = int(Code.TABLE_FULL)
_BAD_PARAMETERS = int(Code.BAD_PARAMETERS)
_NOT_ELIGIBLE = int(Code.NOT_ELIGIBLE)
_NOT_NEXT_ID = int(Code.NOT_NEXT_ID)
_VENUE_NOT_FOUND = int(Code.VENUE_NOT_FOUND)

_TOP_BIT = 1 << 31
_MINUTES = 1440
_DAYS, _CLOSURES = 7, 4


# --- bounds ----------------------------------------------------------------------------------------


@jit
def are_prices_good(tick_value, max_price):
    """Bounds of a tick and of the highest price."""
    if tick_value < 1 or tick_value > MAX_TICK_VALUE or max_price < 1 or max_price > MAX_PRICE:
        return False
    return max_price * tick_value <= MAX_NOTIONAL


@jit
def are_sizes_good(kind, lot_size, tick_value, max_price, max_lots, min_notional, max_notional):
    """Bounds that make every notional and every base amount fit; the prices are good."""
    sure = lot_size if kind == MARKET_OUTCOME else max_price * tick_value
    if max_lots < 1 or max_lots > MAX_NOTIONAL // sure:
        return False
    if lot_size < 1 or lot_size > MAX_NOTIONAL // max_lots:
        return False
    return min_notional <= max_notional <= MAX_NOTIONAL


@jit
def are_fees_good(taker_fee, maker_fee, protocol_share, insurance_share, referrer_share, delay):
    """Bounds of fees, of their shares and of the taker delay."""
    if taker_fee < 0 or taker_fee > MAX_TAKER_FEE:
        return False
    if maker_fee < -MAX_REBATE or maker_fee > MAX_MAKER_FEE:
        return False
    if protocol_share < MIN_PROTOCOL_SHARE:
        return False
    return protocol_share + insurance_share + referrer_share <= PPM and delay <= MAX_TAKER_DELAY


# --- events ----------------------------------------------------------------------------------------


@jit
def emit_terms(s, d, io, leaf, market):
    """MARKET_TERMS and MARKET_FEES: with them a book needs no other source."""
    k = s.market[market]
    emit(
        d, io, MARKET_TERMS, leaf, market, i64(k.group) if k.kind == MARKET_OUTCOME else i64(k.base),
        k.quote, k.lot_size, k.tick_value, 0, 0, k.kind, 0, k.max_price,
        k.min_notional, k.max_notional, k.max_lots, k.guest_of, 0, 0,
    )  # fmt: skip
    emit(
        d, io, MARKET_FEES, leaf, market, 0, 0, k.taker_fee, k.maker_fee,
        k.access, k.taker_delay, k.phase, 0, k.band,
        k.protocol_share, k.insurance_share, k.referrer_share, k.guest_fee, 0, 0,
    )  # fmt: skip


# --- listing ---------------------------------------------------------------------------------------


@jit
def list_market(s, d, io, at):
    """LIST_MARKET: a spot instrument, its terms checked against every bound."""
    source = io.message
    market, number, venue = read32(source, at), read32(source, at + 4), read32(source, at + 8)
    kind, base, quote = read8(source, at + 12), read32(source, at + 13), read32(source, at + 17)
    lot_size, tick_value = read64(source, at + 21), read64(source, at + 29)
    min_notional, max_notional = read64(source, at + 37), read64(source, at + 45)
    max_lots, max_price = read64(source, at + 53), read32(source, at + 61)
    taker_fee, maker_fee = read_i32(source, at + 65), read_i32(source, at + 69)
    protocol_share, insurance_share = read32(source, at + 73), read32(source, at + 77)
    delay, listed = read8(source, at + 81), read64(source, at + 82)
    if market != s.head[T_MARKET].high_water:
        return _NOT_NEXT_ID
    if not is_used(s, T_VENUE, venue):
        return _VENUE_NOT_FOUND
    if not is_used(s, T_ASSET, base) or not is_used(s, T_ASSET, quote):
        return _ASSET_NOT_FOUND
    x, y = s.asset[base], s.asset[quote]
    if (x.kind == ASSET_SIMULATED) != (y.kind == ASSET_SIMULATED):
        return _NOT_SAME_KIND
    if x.kind == ASSET_SIMULATED and (x.venue != venue or y.venue != venue):
        return _NOT_SAME_KIND
    if kind != MARKET_SPOT or base == quote or number >> 16 != venue or number >= _TOP_BIT:
        return _BAD_PARAMETERS
    if not are_prices_good(tick_value, max_price):
        return _BAD_PARAMETERS
    if not are_sizes_good(
        kind, lot_size, tick_value, max_price, max_lots, min_notional, max_notional
    ):
        return _BAD_PARAMETERS
    if not are_fees_good(taker_fee, maker_fee, protocol_share, insurance_share, 0, delay):
        return _BAD_PARAMETERS
    if listed > MAX_TIME:
        return _BAD_PARAMETERS
    if not (has_room(s, T_MARKET, 1) and has_room(s, T_BALANCE, 3)):
        return _TABLE_FULL
    append_slot(s, d, T_MARKET)
    k = s.market[market]
    k.base = base
    k.quote = quote
    k.lot_size = lot_size
    k.tick_value = tick_value
    k.max_price = max_price
    begin_market(s, d, market, kind, number, venue, listed)
    set_terms(
        k, min_notional, max_notional, max_lots, taker_fee, maker_fee,
        protocol_share, insurance_share, delay,
    )  # fmt: skip
    return _OK


@jit
def begin_market(s, d, market, kind, number, venue, listed):
    """Fill in what every new market has; its balances are opened by the steps that follow."""
    k = s.market[market]
    k.kind = kind
    k.id = number
    k.venue = venue
    k.phase = PHASE_CONTINUOUS
    k.listed = listed
    s.venue[venue].market_count += 1
    s.machine[0].market = market
    s.machine[0].item = 0
    s.machine[0].pc = P.LIST_BALANCE
    touch(d, T_MARKET, market)
    touch(d, T_VENUE, venue)
    touch(d, T_MACHINE, 0)


@jit
def set_terms(
    k, min_notional, max_notional, max_lots, taker_fee, maker_fee,
    protocol_share, insurance_share, delay,
):  # fmt: skip
    """Set the parameters that a listing carries and an update may change."""
    k.min_notional = min_notional
    k.max_notional = max_notional
    k.max_lots = max_lots
    k.taker_fee = taker_fee
    k.maker_fee = maker_fee
    k.protocol_share = protocol_share
    k.insurance_share = insurance_share
    k.taker_delay = delay


@jit
def step_list_balance(s, d, io):
    """LIST_BALANCE: open the quote balance of one account that fees of the market go to.

    Venue, insurance fund and protocol of a market with a book; of a door only its venue.
    """
    m = s.machine[0]
    k = s.market[m.market]
    venue = s.venue[k.venue]
    account = i64(venue.fee_account)
    if m.item == 1:
        account = i64(venue.fund_account)
    elif m.item == 2:
        account = i64(s.owner[PROTOCOL_OWNER].first_account)
    open_balance(s, d, account, i64(k.quote))
    m.item += 1
    if m.item == 3 and k.kind == MARKET_PERP:
        m.pc = P.LIST_PERP
    elif m.item == 3 or k.guest_of != 0:
        emit_note(d, io, MARKET_LISTED, m.inbox, m.market, k.venue, 0, 0, 0, 0, 0)
        emit_terms(s, d, io, i64(m.inbox), i64(m.market))
        m.inbox += 1
        m.pc = P.MESSAGE
    touch(d, T_MACHINE, 0)


@jit
def are_payouts_good(io, at, outcomes):
    """Whether a payout vector sums to one and names no outcome that there is not."""
    total = i64(0)
    for n in range(MAX_OUTCOMES):
        part = read16(io.message, at + 2 * n)
        total += part
        if n >= outcomes and part != 0:
            return False
    return total == PAYOUT_UNIT


@jit
def list_event(s, d, io, at):
    """LIST_EVENT: outcomes, unit and the vector that VOID pays."""
    source = io.message
    group, venue, asset = read32(source, at), read32(source, at + 4), read32(source, at + 8)
    outcomes, unit = read8(source, at + 12), read64(source, at + 13)
    payouts = at + 21
    if group != s.head[T_EVENT_GROUP].high_water:
        return _NOT_NEXT_ID
    if not is_used(s, T_VENUE, venue):
        return _VENUE_NOT_FOUND
    if not is_used(s, T_ASSET, asset):
        return _ASSET_NOT_FOUND
    if s.asset[asset].kind == ASSET_SIMULATED and s.asset[asset].venue != venue:
        return _NOT_SAME_KIND
    if outcomes < 2 or outcomes > MAX_OUTCOMES:
        return _BAD_PARAMETERS
    if unit < 1 or unit > MAX_NOTIONAL or unit % PAYOUT_UNIT != 0:
        return _BAD_PARAMETERS
    if not are_payouts_good(io, payouts, outcomes):
        return _BAD_PARAMETERS
    if not has_room(s, T_EVENT_GROUP, 1):
        return _TABLE_FULL
    append_slot(s, d, T_EVENT_GROUP)
    g = s.event_group[group]
    g.venue = venue
    g.asset = asset
    g.outcomes = outcomes
    g.state = GROUP_OPEN
    g.unit = unit
    g.void_payouts3 = read_limb(source, payouts)
    g.void_payouts2 = read_limb(source, payouts + 8)
    g.void_payouts1 = read_limb(source, payouts + 16)
    g.void_payouts0 = read_limb(source, payouts + 24)
    touch(d, T_EVENT_GROUP, group)
    emit_note(d, io, EVENT_LISTED, s.machine[0].inbox, group, venue, asset, 0, outcomes, 0, unit)
    return _OK


@jit
def list_outcome(s, d, io, at):
    """LIST_OUTCOME: the market of the event's next outcome."""
    source = io.message
    market, number, group = read32(source, at), read32(source, at + 4), read32(source, at + 8)
    tick_value = read64(source, at + 12)
    min_notional, max_notional = read64(source, at + 20), read64(source, at + 28)
    max_lots = read64(source, at + 36)
    taker_fee, maker_fee = read_i32(source, at + 44), read_i32(source, at + 48)
    protocol_share, insurance_share = read32(source, at + 52), read32(source, at + 56)
    delay, listed, closes = read8(source, at + 60), read64(source, at + 61), read64(source, at + 69)
    if market != s.head[T_MARKET].high_water:
        return _NOT_NEXT_ID
    if not is_used(s, T_EVENT_GROUP, group):
        return _EVENT_NOT_FOUND
    g = s.event_group[group]
    if g.state != GROUP_OPEN:
        return _EVENT_SETTLED
    markets = i64(1) if g.outcomes == 2 else i64(g.outcomes)
    venue, unit = i64(g.venue), i64(g.unit)
    if g.markets >= markets or number >> 16 != venue or number >= _TOP_BIT:
        return _BAD_PARAMETERS
    if tick_value < 1 or tick_value > MAX_TICK_VALUE or unit % tick_value != 0:
        return _BAD_PARAMETERS
    max_price = unit // tick_value - 1
    if not are_prices_good(tick_value, max_price):
        return _BAD_PARAMETERS
    if not are_sizes_good(
        MARKET_OUTCOME, unit, tick_value, max_price, max_lots, min_notional, max_notional
    ):
        return _BAD_PARAMETERS
    if not are_fees_good(taker_fee, maker_fee, protocol_share, insurance_share, 0, delay):
        return _BAD_PARAMETERS
    if listed > MAX_TIME or closes > MAX_TIME:
        return _BAD_PARAMETERS
    if not (has_room(s, T_MARKET, 1) and has_room(s, T_BALANCE, 3)):
        return _TABLE_FULL
    append_slot(s, d, T_MARKET)
    k = s.market[market]
    k.quote = g.asset
    k.lot_size = unit
    k.tick_value = tick_value
    k.max_price = max_price
    k.closes = closes
    k.group = group
    k.outcome = g.markets
    k.group_next = g.first_market
    begin_market(s, d, market, MARKET_OUTCOME, number, venue, listed)
    set_terms(
        k, min_notional, max_notional, max_lots, taker_fee, maker_fee,
        protocol_share, insurance_share, delay,
    )  # fmt: skip
    g.first_market = market
    g.markets += 1
    touch(d, T_EVENT_GROUP, group)
    return _OK


@jit
def list_guest(s, d, io, at):
    """LIST_GUEST: a door of one venue to the book of another."""
    source = io.message
    market, number, venue = read32(source, at), read32(source, at + 4), read32(source, at + 8)
    home, fee, listed = read32(source, at + 12), read32(source, at + 16), read64(source, at + 20)
    if market != s.head[T_MARKET].high_water:
        return _NOT_NEXT_ID
    if not is_used(s, T_VENUE, venue):
        return _VENUE_NOT_FOUND
    if not is_used(s, T_MARKET, home):
        return _MARKET_NOT_FOUND
    h = s.market[home]
    if h.guest_of != 0 or h.venue == venue or h.phase == PHASE_SETTLED:
        return _BAD_PARAMETERS
    if number >> 16 != venue or number >= _TOP_BIT or fee > MAX_INTERFACE_FEE or listed > MAX_TIME:
        return _BAD_PARAMETERS
    # A simulated asset is listed by its own venue only, so no door leads to a book of it.
    if s.asset[h.quote].kind == ASSET_SIMULATED and s.asset[h.quote].venue != venue:
        return _NOT_SAME_KIND
    if not (has_room(s, T_MARKET, 1) and has_room(s, T_BALANCE, 1)):
        return _TABLE_FULL
    append_slot(s, d, T_MARKET)
    k = s.market[market]
    k.base = h.base
    k.quote = h.quote
    k.lot_size = h.lot_size
    k.tick_value = h.tick_value
    k.max_price = h.max_price
    k.min_notional = h.min_notional
    k.max_notional = h.max_notional
    k.max_lots = h.max_lots
    k.group = h.group
    k.outcome = h.outcome
    k.guest_of = home
    k.guest_fee = fee
    begin_market(s, d, market, i64(h.kind), number, venue, listed)
    return _OK


# --- venues and calendars --------------------------------------------------------------------------


@jit
def update_venue(s, d, io, at):
    """UPDATE_VENUE: state, access rule, stake; L1 has given the notice."""
    source = io.message
    venue, state, access = read32(source, at), read8(source, at + 4), read8(source, at + 5)
    high, middle, low = (
        read32(source, at + 6),
        read_limb(source, at + 10),
        read_limb(source, at + 18),
    )
    least, stake = read16(source, at + 26), read64(source, at + 36)
    if not is_used(s, T_VENUE, venue):
        return _VENUE_NOT_FOUND
    v = s.venue[venue]
    if v.state == VENUE_WOUND_DOWN or state < VENUE_ACTIVE or state > VENUE_WOUND_DOWN:
        return _BAD_PARAMETERS
    if access > ACCESS_CREDENTIAL or least >= 1 << 15 or stake >= 1 << 62:
        return _BAD_PARAMETERS
    if access == ACCESS_CREDENTIAL and high == 0 and middle == 0 and low == 0:
        return _BAD_PARAMETERS
    if read32(source, at + 28) >= _TOP_BIT:  # all 63 regions read like a field that is too large
        return _BAD_PARAMETERS
    if state == VENUE_WOUND_DOWN and v.perps != 0:
        return _NOT_ELIGIBLE
    v.state = state
    v.access = access
    v.credential_provider2 = high
    v.credential_provider1 = middle
    v.credential_provider0 = low
    v.min_class = least
    v.regions = read64(source, at + 28)
    v.stake = stake
    touch(d, T_VENUE, venue)
    emit(
        d, io, VENUE_UPDATED, s.machine[0].inbox, venue, 0, 0, 0, 0,
        state, 0, access, 0, 0, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip
    return _OK


@jit
def set_calendar(s, d, io, at):
    """SET_CALENDAR: a new one, or other sessions of one in use."""
    source = io.message
    calendar, venue = read32(source, at), read32(source, at + 4)
    days, closures = at + 8, at + 8 + 4 * _DAYS
    is_new = calendar == s.head[T_CALENDAR].high_water
    if not is_new and not is_used(s, T_CALENDAR, calendar):
        return _NOT_NEXT_ID
    if not is_used(s, T_VENUE, venue):
        return _VENUE_NOT_FOUND
    if not is_new and s.calendar[calendar].venue != venue:
        return _BAD_PARAMETERS
    for n in range(_DAYS):
        opens, closes = read16(source, days + 4 * n), read16(source, days + 4 * n + 2)
        if (opens != 0 or closes != 0) and (opens >= closes or closes > _MINUTES):
            return _BAD_PARAMETERS
    for n in range(_CLOSURES):
        begin, end = read64(source, closures + 16 * n), read64(source, closures + 16 * n + 8)
        if (begin != 0 or end != 0) and (begin >= end or end > MAX_TIME):
            return _BAD_PARAMETERS
    if is_new:
        if not has_room(s, T_CALENDAR, 1):
            return _TABLE_FULL
        append_slot(s, d, T_CALENDAR)
    c = s.calendar[calendar]
    c.venue = venue
    c.open0, c.close0 = read16(source, days), read16(source, days + 2)
    c.open1, c.close1 = read16(source, days + 4), read16(source, days + 6)
    c.open2, c.close2 = read16(source, days + 8), read16(source, days + 10)
    c.open3, c.close3 = read16(source, days + 12), read16(source, days + 14)
    c.open4, c.close4 = read16(source, days + 16), read16(source, days + 18)
    c.open5, c.close5 = read16(source, days + 20), read16(source, days + 22)
    c.open6, c.close6 = read16(source, days + 24), read16(source, days + 26)
    c.from0, c.to0 = read64(source, closures), read64(source, closures + 8)
    c.from1, c.to1 = read64(source, closures + 16), read64(source, closures + 24)
    c.from2, c.to2 = read64(source, closures + 32), read64(source, closures + 40)
    c.from3, c.to3 = read64(source, closures + 48), read64(source, closures + 56)
    touch(d, T_CALENDAR, calendar)
    emit_note(d, io, CALENDAR_SET, s.machine[0].inbox, calendar, venue, 0, 0, 0, 0, 0)
    return _OK


# --- updates ---------------------------------------------------------------------------------------


@jit
def read_update(s, d, io, at, market):
    """Check an update against every bound and keep it in ``pending``; returns the error."""
    source = io.message
    k = s.market[market]
    phase, access, delay = read8(source, at + 4), read8(source, at + 5), read8(source, at + 6)
    calendar = read16(source, at + 7)
    taker_fee, maker_fee = read_i32(source, at + 9), read_i32(source, at + 13)
    protocol_share, insurance_share = read32(source, at + 17), read32(source, at + 21)
    referrer_share, guest_fee = read32(source, at + 25), read32(source, at + 29)
    band, min_notional = read32(source, at + 33), read64(source, at + 37)
    max_notional, max_lots = read64(source, at + 45), read64(source, at + 53)
    closes, effective = read64(source, at + 77), read64(source, at + 85)
    can_settle = k.kind != MARKET_OUTCOME or k.guest_of != 0  # an outcome ends with its event
    last_phase = PHASE_SETTLED if can_settle else PHASE_HALTED
    if phase < PHASE_CONTINUOUS or phase > last_phase or access > ACCESS_CREDENTIAL:
        return _BAD_PARAMETERS
    if calendar != 0:
        if not is_used(s, T_CALENDAR, calendar) or s.calendar[calendar].venue != k.venue:
            return _BAD_PARAMETERS
    if closes > MAX_TIME or effective > MAX_TIME:
        return _BAD_PARAMETERS
    if k.guest_of != 0:
        if guest_fee > MAX_INTERFACE_FEE:
            return _BAD_PARAMETERS
    else:
        if guest_fee != 0:
            return _BAD_PARAMETERS
        if not are_fees_good(
            taker_fee, maker_fee, protocol_share, insurance_share, referrer_share, delay
        ):
            return _BAD_PARAMETERS
        if not are_sizes_good(
            i64(k.kind), i64(k.lot_size), i64(k.tick_value), i64(k.max_price),
            max_lots, min_notional, max_notional,
        ):  # fmt: skip
            return _BAD_PARAMETERS
        if band != 0 and (band < MIN_BAND or band > MAX_BAND):
            return _BAD_PARAMETERS
        if k.kind == MARKET_PERP and not is_perp_update_good(
            k, band, max_lots, read64(source, at + 61), read64(source, at + 69)
        ):
            return _BAD_PARAMETERS
    p = s.pending[market]
    p.state = ACTIVE
    p.effective = effective
    p.phase = phase
    p.access = access
    p.calendar = calendar
    p.closes = closes
    p.guest_fee = guest_fee
    if k.guest_of == 0:
        p.taker_delay = delay
        p.taker_fee = taker_fee
        p.maker_fee = maker_fee
        p.protocol_share = protocol_share
        p.insurance_share = insurance_share
        p.referrer_share = referrer_share
        p.band = band
        p.min_notional = min_notional
        p.max_notional = max_notional
        p.max_lots = max_lots
        p.open_interest_cap = read64(source, at + 61)
        p.account_cap = read64(source, at + 69)
    touch(d, T_PENDING, market)
    return _OK


@jit
def is_perp_update_good(k, band, max_lots, open_interest_cap, account_cap):
    """Bounds that a perpetual keeps besides those of every market, which hold (``docs/spec/perps.md``)."""
    if band < k.band_basis or band < k.band_listing:
        return False
    if max_lots * i64(k.max_price) * i64(k.tick_value) > MAX_POSITION_VALUE:
        return False
    return 1 <= open_interest_cap <= MAX_OPEN_VALUE and account_cap <= MAX_OPEN_VALUE


@jit
def update_market(s, d, io, at):
    """UPDATE_MARKET: applied now, or kept until its time."""
    market = read32(io.message, at)
    m = s.machine[0]
    if not is_used(s, T_MARKET, market):
        return _MARKET_NOT_FOUND
    if s.market[market].phase == PHASE_SETTLED:
        return _BAD_PARAMETERS
    error = read_update(s, d, io, at, market)
    if error != _OK:
        return error
    if s.pending[market].effective <= m.time:
        apply_update(s, d, io, i64(m.inbox), market)
    else:
        node, effective = i64(s.market[market].timer), i64(s.pending[market].effective)
        begin_timer(s, d, m, TIMER_MARKET, market, node, effective, P.MESSAGE)
    return _OK


@jit
def apply_update(s, d, io, leaf, market):
    """Give a market the terms that ``pending`` keeps for it."""
    k, p = s.market[market], s.pending[market]
    k.phase = p.phase
    k.access = p.access
    k.calendar = p.calendar
    k.closes = p.closes
    k.guest_fee = p.guest_fee
    if k.guest_of == 0:
        set_terms(
            k, p.min_notional, p.max_notional, p.max_lots, p.taker_fee, p.maker_fee,
            p.protocol_share, p.insurance_share, p.taker_delay,
        )  # fmt: skip
        k.referrer_share = p.referrer_share
        k.band = p.band
        k.open_interest_cap = p.open_interest_cap
        k.account_cap = p.account_cap
    clear_pending(s, d, market)
    touch(d, T_MARKET, market)
    emit_terms(s, d, io, leaf, market)
    is_perp = k.kind == MARKET_PERP and k.guest_of == 0
    m = s.machine[0]
    if is_perp:
        m.epoch += 1  # the band is part of what a release assumes
        touch(d, T_MACHINE, 0)
    if k.phase == PHASE_SETTLED:
        leave_venue(s, d, market)
        add_market_task(s, d, io, market, CANCEL_SETTLED)
        back = P.MESSAGE if m.pc == P.MESSAGE else i64(m.return0)
        if is_perp:
            begin_settlement(s, d, io, m, market, back)


@jit
def leave_venue(s, d, market):
    """Stop counting a settled market among those of its venue."""
    venue = i64(s.market[market].venue)
    s.venue[venue].market_count -= 1
    touch(d, T_VENUE, venue)


@jit
def clear_pending(s, d, market):
    """Nothing waits for the market any more."""
    p = s.pending[market]
    p.state = FREE
    p.effective = 0
    p.phase = 0
    p.access = 0
    p.calendar = 0
    p.closes = 0
    p.guest_fee = 0
    p.taker_delay = 0
    p.taker_fee = 0
    p.maker_fee = 0
    p.protocol_share = 0
    p.insurance_share = 0
    p.referrer_share = 0
    p.band = 0
    p.min_notional = 0
    p.max_notional = 0
    p.max_lots = 0
    p.open_interest_cap = 0
    p.account_cap = 0
    touch(d, T_PENDING, market)


@jit
def step_update_due(s, d, io):
    """UPDATE_DUE: the time of the update that ``market`` keeps has come; then on to ``return0``."""
    m = s.machine[0]
    market = i64(m.market)
    m.pc = m.return0
    touch(d, T_MACHINE, 0)
    if s.pending[market].state != ACTIVE:
        return  # a later update was applied at once and dropped it
    if s.market[market].phase == PHASE_SETTLED:
        clear_pending(s, d, market)
    else:
        apply_update(s, d, io, i64(0), market)


# --- resolution ------------------------------------------------------------------------------------


@jit
def resolve(s, d, io, at):
    """RESOLUTION: what each outcome pays; the markets are settled one a step."""
    source = io.message
    group, state, payouts = read32(source, at), read8(source, at + 4), at + 5
    m = s.machine[0]
    if not is_used(s, T_EVENT_GROUP, group):
        return _EVENT_NOT_FOUND
    g = s.event_group[group]
    if g.state != GROUP_OPEN:
        return _EVENT_SETTLED
    if state == GROUP_RESOLVED:
        if not are_payouts_good(io, payouts, i64(g.outcomes)):
            return _BAD_PARAMETERS
        g.payouts3 = read_limb(source, payouts)
        g.payouts2 = read_limb(source, payouts + 8)
        g.payouts1 = read_limb(source, payouts + 16)
        g.payouts0 = read_limb(source, payouts + 24)
    elif state == GROUP_VOID:
        for n in range(32):
            if read8(source, payouts + n) != 0:
                return _BAD_PARAMETERS
        g.payouts3 = g.void_payouts3
        g.payouts2 = g.void_payouts2
        g.payouts1 = g.void_payouts1
        g.payouts0 = g.void_payouts0
    else:
        return _BAD_PARAMETERS
    g.state = state
    g.resolved = m.time
    s.agenda[0].sweep_left = i64(s.head[T_HOLDING].high_water) - 1
    touch(d, T_EVENT_GROUP, group)
    touch(d, T_AGENDA, 0)
    emit(
        d, io, EVENT_RESOLVED, m.inbox, group, 0, 0, i64(g.payouts2), i64(g.payouts3),
        0, 0, state, 0, 0, 0, 0, 0, 0, g.payouts0, g.payouts1,
    )  # fmt: skip
    m.market = g.first_market
    m.pc = P.RESOLVE_MARKET
    touch(d, T_MACHINE, 0)
    return _OK


@jit
def step_resolve_market(s, d, io):
    """RESOLVE_MARKET: one market of a resolved event is settled."""
    m = s.machine[0]
    market = i64(m.market)
    touch(d, T_MACHINE, 0)
    if market == 0:
        m.inbox += 1
        m.pc = P.MESSAGE
        return
    k = s.market[market]
    k.phase = PHASE_SETTLED
    m.market = k.group_next
    touch(d, T_MARKET, market)
    leave_venue(s, d, market)
    add_market_task(s, d, io, market, CANCEL_SETTLED)
