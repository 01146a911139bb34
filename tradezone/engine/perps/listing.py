"""Messages about perpetuals: listing, terms, approval for cross pools, risk, slashed stake (``docs/spec/perps.md``).

What a listing reads is more than one step may show, so MESSAGE checks it and fills in the market, LIST_BALANCE opens
the balances, and LIST_PERP writes down the rest. Venues, assets, feeds and calendars are known by their own records.
"""

from __future__ import annotations

from tradezone.engine._jit import i64, jit
from tradezone.engine.codec import (
    emit_note,
    message_start,
    offset_of,
    read8,
    read16,
    read32,
    read64,
    read_i32,
)
from tradezone.engine.markets import (
    are_fees_good,
    are_prices_good,
    are_sizes_good,
    begin_market,
    emit_terms,
    set_terms,
)
from tradezone.engine.tables import (
    CAPACITY,
    T_AGENDA,
    T_ASSET,
    T_BALANCE,
    T_CALENDAR,
    T_LEDGER,
    T_MACHINE,
    T_MARKET,
    T_PRICE,
    T_VENUE,
    append_slot,
    has_room,
    touch,
)
from tradezone.protocol import steps as P
from tradezone.protocol.enums import ASSET_SIMULATED, MARKET_CROSS, MARKET_PERP, PRICE_LIVE
from tradezone.protocol.errors import Code
from tradezone.protocol.events import CROSS_APPROVED, MARKET_LISTED, RISK_SET
from tradezone.protocol.limits import (
    CROSS_AGE,
    DAY,
    FUNDING_UNIT,
    MAX_BAND,
    MAX_FEED_SCALE,
    MAX_LEDGER_PERPS,
    MAX_LOT_VALUE,
    MAX_OPEN_VALUE,
    MAX_PERPS,
    MAX_POSITION_VALUE,
    MAX_TIME,
    MAX_TOTAL_ATOMS,
    MAX_VENUE_CAP,
    MAX_WEIGHT,
    MIN_BAND,
)
from tradezone.protocol.messages import LIST_PERP_BODY, MESSAGE_HEADER, SET_PERP_BODY

from .bands import find_perp
from .feeds import is_feed, is_venue
from .ledgers import find_ledger, open_ledger, receive_income, tell_fund
from .terms import are_parameters_good, emit_perp_terms, get_most_rise, set_parameters

_OK = int(Code.OK)
_ASSET_NOT_FOUND = int(Code.ASSET_NOT_FOUND)
_BAD_PARAMETERS = int(Code.BAD_PARAMETERS)
_FEED_NOT_FOUND = int(Code.FEED_NOT_FOUND)
_MARKET_NOT_FOUND = int(Code.MARKET_NOT_FOUND)
_NOT_ELIGIBLE = int(Code.NOT_ELIGIBLE)
_NOT_NEXT_ID = int(Code.NOT_NEXT_ID)
_NOT_SAME_KIND = int(Code.NOT_SAME_KIND)
_POOL_NOT_FOUND = int(Code.POOL_NOT_FOUND)
_TABLE_FULL = int(Code.TABLE_FULL)
_VENUE_NOT_FOUND = int(Code.VENUE_NOT_FOUND)

_FEED = offset_of(LIST_PERP_BODY, "feed")
_FEED_SCALE = offset_of(LIST_PERP_BODY, "feedScale")
_TICK_VALUE = offset_of(LIST_PERP_BODY, "tickValue")
_MIN_NOTIONAL = offset_of(LIST_PERP_BODY, "minNotional")
_MAX_NOTIONAL = offset_of(LIST_PERP_BODY, "maxNotional")
_MAX_LOTS = offset_of(LIST_PERP_BODY, "maxLots")
_MAX_PRICE = offset_of(LIST_PERP_BODY, "maxPrice")
_TAKER_FEE = offset_of(LIST_PERP_BODY, "takerFee")
_MAKER_FEE = offset_of(LIST_PERP_BODY, "makerFee")
_PROTOCOL_SHARE = offset_of(LIST_PERP_BODY, "protocolShare")
_INSURANCE_SHARE = offset_of(LIST_PERP_BODY, "insuranceShare")
_TAKER_DELAY = offset_of(LIST_PERP_BODY, "takerDelay")
_CALENDAR = offset_of(LIST_PERP_BODY, "calendar")
_BAND = offset_of(LIST_PERP_BODY, "band")
_OPEN_INTEREST_CAP = offset_of(LIST_PERP_BODY, "openInterestCap")
_ACCOUNT_CAP = offset_of(LIST_PERP_BODY, "accountCap")
_CLOSES = offset_of(LIST_PERP_BODY, "closes")
_EFFECTIVE = offset_of(LIST_PERP_BODY, "effectiveAt")
_LISTED_PARAMETERS = offset_of(LIST_PERP_BODY, "fundingCap")
_SET_PARAMETERS = offset_of(SET_PERP_BODY, "fundingCap")


@jit
def list_perp(s, d, io, at):
    """LIST_PERP: a perpetual, its terms checked against every bound."""
    source = io.message
    market, number, venue = read32(source, at), read32(source, at + 4), read32(source, at + 8)
    quote, feed, calendar = (
        read32(source, at + 12),
        read32(source, at + _FEED),
        read16(source, at + _CALENDAR),
    )
    if market != s.head[T_MARKET].high_water:
        return _NOT_NEXT_ID
    if not is_venue(s, venue):
        return _VENUE_NOT_FOUND
    if quote < 1 or quote >= CAPACITY[T_ASSET] or s.asset[quote].state == 0:
        return _ASSET_NOT_FOUND
    x = s.asset[quote]
    if x.kind == ASSET_SIMULATED and x.venue != venue:
        return _NOT_SAME_KIND
    if not is_feed(s, feed) or s.feed[feed].venue != venue:
        return _FEED_NOT_FOUND
    ledger = find_ledger(s, d, venue, quote)
    if number >> 16 != venue or s.agenda[0].perps >= MAX_PERPS:
        return _BAD_PARAMETERS
    if ledger != 0 and s.ledger[ledger].perps >= MAX_LEDGER_PERPS:
        return _BAD_PARAMETERS
    if not are_terms_good(s, source, at, venue, calendar):
        return _BAD_PARAMETERS
    if not (has_room(s, T_MARKET, 1) and has_room(s, T_BALANCE, 3)):
        return _TABLE_FULL
    if ledger == 0 and not has_room(s, T_LEDGER, 1):
        return _TABLE_FULL
    append_slot(s, d, T_MARKET)
    k = s.market[market]
    k.quote = quote
    k.lot_size = 1
    k.tick_value = read64(source, at + _TICK_VALUE)
    k.max_price = read32(source, at + _MAX_PRICE)
    k.feed = feed
    k.calendar = calendar
    k.band = read32(source, at + _BAND)
    k.open_interest_cap = read64(source, at + _OPEN_INTEREST_CAP)
    k.account_cap = read64(source, at + _ACCOUNT_CAP)
    k.closes = read64(source, at + _CLOSES)
    begin_market(s, d, market, MARKET_PERP, number, venue, read64(source, at + _EFFECTIVE))
    set_terms(
        k,
        read64(source, at + _MIN_NOTIONAL),
        read64(source, at + _MAX_NOTIONAL),
        read64(source, at + _MAX_LOTS),
        read_i32(source, at + _TAKER_FEE),
        read_i32(source, at + _MAKER_FEE),
        read32(source, at + _PROTOCOL_SHARE),
        read32(source, at + _INSURANCE_SHARE),
        read8(source, at + _TAKER_DELAY),
    )
    return _OK


@jit
def are_terms_good(s, source, at, venue, calendar):
    """Bounds of a listing: those of every market, and those of perpetuals."""
    tick_value, max_price = read64(source, at + _TICK_VALUE), read32(source, at + _MAX_PRICE)
    max_lots, band = read64(source, at + _MAX_LOTS), read32(source, at + _BAND)
    if not are_prices_good(tick_value, max_price):
        return False
    if not are_sizes_good(
        MARKET_PERP, 1, tick_value, max_price, max_lots,
        read64(source, at + _MIN_NOTIONAL), read64(source, at + _MAX_NOTIONAL),
    ):  # fmt: skip
        return False
    if not are_fees_good(
        read_i32(source, at + _TAKER_FEE), read_i32(source, at + _MAKER_FEE),
        read32(source, at + _PROTOCOL_SHARE), read32(source, at + _INSURANCE_SHARE),
        0, read8(source, at + _TAKER_DELAY),
    ):  # fmt: skip
        return False
    if max_price * tick_value > MAX_LOT_VALUE:
        return False
    if max_lots * max_price * tick_value > MAX_POSITION_VALUE:
        return False
    scale = read64(source, at + _FEED_SCALE)
    if scale < 1 or scale > MAX_FEED_SCALE or band < MIN_BAND or band > MAX_BAND:
        return False
    if not are_caps_good(
        read64(source, at + _OPEN_INTEREST_CAP), read64(source, at + _ACCOUNT_CAP)
    ):
        return False
    if calendar != 0 and (calendar >= CAPACITY[T_CALENDAR] or s.calendar[calendar].venue != venue):
        return False
    if read64(source, at + _CLOSES) > MAX_TIME or read64(source, at + _EFFECTIVE) > MAX_TIME:
        return False
    return are_parameters_good(source, at + _LISTED_PARAMETERS, band)


@jit
def are_caps_good(open_interest_cap, account_cap):
    """Bounds of the caps of a perpetual; an account cap of 0 is none."""
    return 1 <= open_interest_cap <= MAX_OPEN_VALUE and account_cap <= MAX_OPEN_VALUE


@jit
def step_list_perp(s, d, io):
    """LIST_PERP: ledger, tiers and parameters of a new perpetual; it joins the list of those that are live."""
    m, g = s.machine[0], s.agenda[0]
    market = i64(m.market)
    k, t = s.market[market], s.tier[market]
    body = message_start(io, i64(m.inbox)) + MESSAGE_HEADER
    source, venue = io.message, i64(k.venue)
    ledger = open_ledger(s, d, venue, i64(k.quote))
    k.ledger = ledger
    s.ledger[ledger].perps += 1
    touch(d, T_LEDGER, ledger)
    t.feed = k.feed
    t.feed_scale = read64(source, body + _FEED_SCALE)
    t.funding_scale = FUNDING_UNIT // (i64(k.max_price) * i64(k.tick_value))
    set_parameters(s, d, market, source, body + _LISTED_PARAMETERS)
    if g.perp_last != 0:
        s.market[g.perp_last].perp_next = market
        touch(d, T_MARKET, g.perp_last)
    else:
        g.perp_first = market
    g.perp_last = market
    g.perps += 1
    touch(d, T_AGENDA, 0)
    s.venue[venue].perps += 1
    touch(d, T_VENUE, venue)
    emit_note(d, io, MARKET_LISTED, m.inbox, market, venue, 0, 0, 0, 0, 0)
    emit_terms(s, d, io, i64(m.inbox), market)
    emit_perp_terms(s, d, io, i64(m.inbox), market)
    m.inbox += 1
    m.pc = P.MESSAGE
    touch(d, T_MACHINE, 0)


@jit
def set_perp(s, d, io, at):
    """SET_PERP: other tiers, funding, impact, bands, open interest bounds, loss cap of a live perpetual."""
    source = io.message
    m = s.machine[0]
    market, body = find_perp(s, read32(source, at)), at + _SET_PARAMETERS
    if market == 0:
        return _MARKET_NOT_FOUND
    if not are_parameters_good(source, body, i64(s.market[market].band)):
        return _BAD_PARAMETERS
    p = s.price[market]
    rise = get_most_rise(s.tier[market], source, body)
    if rise > 0:
        if rise > 1 or (p.raised != 0 and m.time < p.raised + DAY):
            return _NOT_ELIGIBLE
        p.raised = m.time
        touch(d, T_PRICE, market)
    set_parameters(s, d, market, source, body)
    m.epoch += 1
    touch(d, T_MACHINE, 0)
    emit_perp_terms(s, d, io, i64(m.inbox), market)
    return _OK


@jit
def approve_cross(s, d, io, at):
    """APPROVE_CROSS: a market may join cross pools, its profit counts there at a weight; for good."""
    source = io.message
    m = s.machine[0]
    market, weight = find_perp(s, read32(source, at)), read32(source, at + 4)
    if market == 0:
        return _MARKET_NOT_FOUND
    if weight > MAX_WEIGHT:
        return _BAD_PARAMETERS
    k, p = s.market[market], s.price[market]
    if k.listed + CROSS_AGE > m.time or s.feed[k.feed].quorum < 3:
        return _NOT_ELIGIBLE
    if (p.broken != 0 and p.broken + CROSS_AGE > m.time) or p.state != PRICE_LIVE:
        return _NOT_ELIGIBLE
    if s.ledger[k.ledger].deficit != 0:
        return _NOT_ELIGIBLE
    k.flags = i64(k.flags) | MARKET_CROSS
    k.profit_weight = weight
    touch(d, T_MARKET, market)
    m.epoch += 1
    touch(d, T_MACHINE, 0)
    emit_note(d, io, CROSS_APPROVED, m.inbox, market, 0, 0, 0, 0, 0, weight)
    return _OK


@jit
def find_named_ledger(s, d, source, at):
    """Slot of the ledger that a message begins with, 0 if there is none."""
    venue, asset = read32(source, at), read32(source, at + 4)
    return find_ledger(s, d, venue, asset) if is_venue(s, venue) else i64(0)


@jit
def set_risk(s, d, io, at):
    """SET_RISK: the open interest that the stake of a venue carries in an asset."""
    ledger, cap = find_named_ledger(s, d, io.message, at), read64(io.message, at + 8)
    if ledger == 0:
        return _POOL_NOT_FOUND
    if cap > MAX_VENUE_CAP:
        return _BAD_PARAMETERS
    w = s.ledger[ledger]
    w.cap = cap
    touch(d, T_LEDGER, ledger)
    emit_note(d, io, RISK_SET, s.machine[0].inbox, w.venue, w.asset, 0, 0, 0, 0, cap)
    return _OK


@jit
def slash(s, d, io, at):
    """SLASH: money of a slashed stake comes into the fund."""
    ledger, amount = find_named_ledger(s, d, io.message, at), read64(io.message, at + 8)
    if ledger == 0:
        return _POOL_NOT_FOUND
    w = s.ledger[ledger]
    x = s.asset[w.asset]
    if x.kind == ASSET_SIMULATED or amount < 1 or amount > MAX_TOTAL_ATOMS - x.total:
        return _BAD_PARAMETERS
    x.total += amount
    touch(d, T_ASSET, w.asset)
    w.cash += amount
    inbox = i64(s.machine[0].inbox)
    receive_income(s, d, io, inbox, ledger, amount)
    tell_fund(s, d, io, inbox, ledger, i64(0), amount)
    return _OK
