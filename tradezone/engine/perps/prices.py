"""Prices: signed prices of leaves, the mark tick, and what the price says of an order (``docs/spec/prices.md``).

A tick visits the live perpetuals in listing order. Registers: ``machine.market`` the market it stands at (0 = it has
not begun), ``value3`` the pass (TICKING, then SETTLING if ``value2`` says that some market is over), ``taker`` the next
market of the second pass. Of one market: ``value0`` ms since its last tick, ``value1`` ms of the sample that is due
(0 = none), ``cursor2`` the index of the tick before; while an impact price is walked ``item`` the side, ``cursor`` the
next level, ``count`` levels walked, ``draft.lock`` the notional that is missing, ``draft.taker_extra`` and
``maker_extra`` lots and their price sum; both impact prices in ``draft.taker_fee`` (bid) and ``maker_fee`` (ask).
"""

from __future__ import annotations

from tradezone.engine._jit import i64, jit, ppm_down
from tradezone.engine.codec import (
    emit,
    emit_note,
    leaf_start,
    read32,
    read64,
    set_result,
    signer_is,
)
from tradezone.engine.envelopes import reject_leaf
from tradezone.engine.phases import is_session_open
from tradezone.engine.tables import T_AGENDA, T_DRAFT, T_LEDGER, T_MACHINE, T_PRICE, touch
from tradezone.engine.triggers import has_price_triggers, wake
from tradezone.engine.wide import mul_div_ceil, mul_div_floor, mul_div_trunc
from tradezone.protocol import actions as A
from tradezone.protocol import steps as P
from tradezone.protocol.enums import (
    BUY,
    PHASE_CANCEL_ONLY,
    PHASE_HALTED,
    PRICE_BREAK,
    PRICE_FROZEN,
    PRICE_LIVE,
    PRICE_NONE,
    PRICE_REOPEN,
    PRICE_THROTTLED,
    SELL,
    VENUE_WOUND_DOWN,
)
from tradezone.protocol.errors import Code
from tradezone.protocol.events import MARK_SET, PRICE_STATE
from tradezone.protocol.limits import (
    BASIS_AVERAGE,
    BASIS_STEP,
    BOOK_AVERAGE,
    BREAK_ROUNDS,
    HOUR,
    IMPACT_LEVELS,
    MARK_MS,
    MAX_PROVIDERS,
    MAX_TICK_GAP,
    PPM,
    RATE,
    REOPEN_POST,
    REOPEN_THROTTLE,
    SAMPLE_MAX,
    SAMPLE_MS,
    STALE_SETTLE,
    SUB,
)

from .feeds import evaluate, find_place, is_feed, set_price
from .funding import add_sample, charge_hour, clamp, trunc_div
from .listing import step_list_perp
from .margin import get_oi_rate
from .settlement import begin_settlement

_OK = int(Code.OK)
_BAD_SIGNATURE = int(Code.BAD_SIGNATURE)
_FEED_NOT_FOUND = int(Code.FEED_NOT_FOUND)
_MARKET_CLOSED = int(Code.MARKET_CLOSED)
_UNEXPECTED = int(Code.UNEXPECTED_LEAF)

TICKING, SETTLING = 1, 2  # passes of a tick
_COUNTER = (1 << 31) - 1  # mask of counters that go round


# --- leaves ----------------------------------------------------------------------------------------


@jit
def step_price_leaf(s, d, io):
    """PRICE_LEAF: a price that a provider signed, whoever hands it in."""
    m = s.machine[0]
    seq = i64(m.seq)
    at = leaf_start(io, seq)
    feed, provider = read32(io.leaf, at + 1), read32(io.leaf, at + 5)
    price, time = read64(io.leaf, at + 9), read64(io.leaf, at + 17)
    error = _OK
    if not is_feed(s, feed):
        error = _UNEXPECTED
    else:
        place = find_place(s, feed, provider)
        if place < 0:
            error = _FEED_NOT_FOUND
        else:
            x = s.provider[i64(feed) * MAX_PROVIDERS + place]
            if signer_is(io, seq, x.signer0, x.signer1, x.signer2):
                error = set_price(s, d, io, seq, feed, place, price, time)
            else:
                error = _BAD_SIGNATURE
    if error != _OK:
        reject_leaf(s, d, io, 0, 1, error)
    else:
        set_result(io, seq, 0)
        m.seq = seq + 1
    m.pc = P.LEAF
    touch(d, T_MACHINE, 0)


# --- the tick --------------------------------------------------------------------------------------


@jit
def step_tick(s, d, io):
    """TICK: begin the tick if it is due; then the next market; behind the last one class 1."""
    m, g = s.machine[0], s.agenda[0]
    touch(d, T_MACHINE, 0)
    time = i64(m.time)
    if m.value3 == SETTLING:
        settle_next(s, d, io, m)
        return
    following = i64(g.perp_first)
    if m.value3 == TICKING:
        following = i64(s.market[m.market].perp_next)
    elif g.perps == 0 or time < g.next_mark:
        end_tick(m)
        return
    else:
        m.value2 = 0
        m.value3 = TICKING
        m.epoch += 1
        g.next_mark = time - time % MARK_MS + MARK_MS
        touch(d, T_AGENDA, 0)
    if following == 0:
        m.taker = g.perp_first
        m.value3 = SETTLING
        if m.value2 == 0:
            end_tick(m)
        return
    m.market = following
    p = s.price[following]
    m.value0 = min(time - p.tick_time, i64(MAX_TICK_GAP)) if p.tick_time != 0 else i64(0)
    p.tick_time = time
    touch(d, T_PRICE, following)
    if s.job[following].kind == 0:
        m.pc = P.TICK_FEED
    else:
        note_over(s, m, following)


@jit
def end_tick(m):
    """Behind the tick: class 1."""
    m.taker = 0
    m.phase = A.CLASS_CANCEL
    m.pc = P.LEAF


@jit
def is_over(s, market, time):
    """Whether a market is to be settled: its date has come, or it was stale too long."""
    p, k = s.price[market], s.market[market]
    if p.settlement != 0:
        return False
    if k.closes != 0 and time >= k.closes:
        return True
    return p.state == PRICE_FROZEN and p.stale_since != 0 and time - p.stale_since >= STALE_SETTLE


@jit
def note_over(s, m, market):
    """Remember that the tick has met a market that is to be settled."""
    if is_over(s, market, i64(m.time)):
        m.value2 = 1


@jit
def settle_next(s, d, io, m):
    """Second pass: one market a step; it is settled if it is over."""
    market = i64(m.taker)
    if market == 0:
        end_tick(m)
        return
    m.taker = s.market[market].perp_next
    if is_over(s, market, i64(m.time)):
        begin_settlement(s, d, io, m, market, P.TICK)


@jit
def step_tick_feed(s, d, io):
    """TICK_FEED: the index of the market's feed, once a tick."""
    m = s.machine[0]
    evaluate(s, d, m, i64(s.market[m.market].feed))
    m.pc = P.TICK_STATE
    touch(d, T_MACHINE, 0)


@jit
def is_shut(k, venue):
    """Whether the deployer has shut a market even for those who would close."""
    return (
        k.phase == PHASE_CANCEL_ONLY or k.phase == PHASE_HALTED or venue.state == VENUE_WOUND_DOWN
    )


@jit
def step_tick_state(s, d, io):
    """TICK_STATE: what the price is good for; a market that has none, or a frozen one, ends its tick here."""
    m = s.machine[0]
    market, time = i64(m.market), i64(m.time)
    k, p, r = s.market[market], s.price[market], s.feed[s.market[market].feed]
    scale = i64(s.tier[market].feed_scale)
    touch(d, T_MACHINE, 0)
    index = (i64(r.index) + scale // 2) // scale
    is_in_range = index >= 1 and index <= k.max_price
    is_priced = r.is_fresh != 0 and is_in_range and not is_shut(k, s.venue[k.venue])
    is_open = k.calendar == 0 or is_session_open(s.calendar[k.calendar], time)
    if not is_priced or not is_open or k.listed > time:
        freeze(s, d, io, p, market, time, is_priced)
        note_over(s, m, market)
        m.pc = P.TICK
        return
    p.stale_since = 0
    if p.state == PRICE_NONE:
        p.average = index * SUB
        p.trips = r.trips
    advance(s, d, io, p, r, market, time)
    m.cursor2 = p.index
    p.index = index
    weight = min(i64(m.value0), i64(HOUR))
    p.average += trunc_div((index * SUB - i64(p.average)) * weight, i64(HOUR))
    m.value1 = 0
    m.pc = P.TICK_MARK
    if time >= p.sample_time + SAMPLE_MS:
        m.value1 = min(time - i64(p.sample_time), i64(SAMPLE_MAX))
        p.sample_time = time
        m.item = BUY
        m.count = 0
        m.cursor = 0
        m.pc = P.TICK_IMPACT
    touch(d, T_PRICE, market)
    note_over(s, m, market)


@jit
def set_state(d, io, p, market, state):
    """Give a price another state."""
    p.state = state
    emit_note(d, io, PRICE_STATE, 0, market, 0, 0, 0, state, 0, 0)


@jit
def freeze(s, d, io, p, market, time, is_priced):
    """Freeze a price that is not good; how long it has been stale counts, unless its session is closed."""
    if p.state == PRICE_NONE:
        return
    if p.state != PRICE_FROZEN:
        set_state(d, io, p, market, PRICE_FROZEN)
    if is_priced:
        p.stale_since = 0
    elif p.stale_since == 0:
        p.stale_since = time
    touch(d, T_PRICE, market)


@jit
def advance(s, d, io, p, r, market, time):
    """One step of the state of a price that is good."""
    if r.trips != p.trips or p.state == PRICE_FROZEN:
        if r.trips != p.trips:
            p.broken = time
        p.trips = r.trips
        p.round = r.round
        set_state(d, io, p, market, PRICE_BREAK)
    elif p.state == PRICE_NONE or (
        p.state == PRICE_BREAK and ((i64(r.round) - i64(p.round)) & _COUNTER) >= BREAK_ROUNDS
    ):
        p.until = time + REOPEN_POST
        set_state(d, io, p, market, PRICE_REOPEN)
    elif p.state == PRICE_REOPEN and time >= p.until:
        p.until = time + REOPEN_THROTTLE
        set_state(d, io, p, market, PRICE_THROTTLED)
    elif p.state == PRICE_THROTTLED and time >= p.until:
        set_state(d, io, p, market, PRICE_LIVE)


@jit
def step_tick_impact(s, d, io):
    """TICK_IMPACT: one level of a side of the book; behind the last one its impact price."""
    m, f = s.machine[0], s.draft[0]
    market = i64(m.market)
    book, tick_value = s.book[market], i64(s.market[market].tick_value)
    touch(d, T_DRAFT, 0)
    touch(d, T_MACHINE, 0)
    level = i64(m.cursor)
    if m.count == 0:
        level = i64(book.best_bid) if m.item == BUY else i64(book.best_ask)
        f.lock = s.tier[market].impact_notional
        f.taker_extra = 0
        f.maker_extra = 0
    if level != 0:
        v = s.level[level]
        each = i64(v.price) * tick_value
        taken = min(i64(v.firm), (i64(f.lock) + each - 1) // each)
        f.taker_extra += taken
        f.maker_extra += i64(v.price) * taken
        f.lock = max(i64(f.lock) - taken * each, i64(0))
        m.count += 1
        m.cursor = v.next
        if f.lock > 0 and v.next != 0 and m.count < IMPACT_LEVELS:
            return
    price = i64(0)
    if f.lock == 0:
        lots, total = i64(f.taker_extra), i64(f.maker_extra)
        if m.item == BUY:
            price = mul_div_floor(total, SUB, lots)
        else:
            price = mul_div_ceil(total, SUB, lots)
    if m.item == BUY:
        f.taker_fee = price
        m.item = SELL
        m.count = 0
        m.cursor = 0
    else:
        f.maker_fee = price
        m.pc = P.TICK_MARK


@jit
def sample(d, k, p, bid, ask, weight):
    """Take one sample of the book, ``weight`` ms of it, into the averages and into the premium."""
    at = i64(p.index) * SUB
    offset, premium = i64(0), i64(0)
    if bid != 0 and ask != 0:
        reach = ppm_down(at, i64(k.band_basis))
        offset = clamp((bid + ask) // 2 - at, -reach, reach)
        premium = mul_div_trunc(max(bid - at, i64(0)) - max(at - ask, i64(0)), RATE, at)
    p.book += trunc_div((offset - i64(p.book)) * weight, i64(BOOK_AVERAGE))
    step = trunc_div((offset - i64(p.basis)) * weight, i64(BASIS_AVERAGE))
    most = mul_div_floor(at, BASIS_STEP * weight, 1000 * PPM)
    p.basis += clamp(step, -most, most)
    add_sample(p, premium)


@jit
def get_middle(a, b, c):
    """Return the middle one of three numbers."""
    return max(min(a, b), min(max(a, b), c))


@jit
def get_mark(k, p, mmr, time):
    """Mark of a price, ticks: never further from the index than half the lowest maintenance rate."""
    at = i64(p.index) * SUB
    left = HOUR - time % HOUR
    due = mul_div_trunc(at, i64(p.funding_rate) * left, RATE * HOUR)
    middle = get_middle(at + i64(p.basis), at + i64(p.book), at + due)
    reach = ppm_down(at, min(i64(k.band), i64(mmr) // 2))
    mark = (clamp(middle, at - reach, at + reach) + SUB // 2) // SUB
    return clamp(mark, i64(1), i64(k.max_price))


@jit
def step_tick_mark(s, d, io):
    """TICK_MARK: averages, mark, open interest at it; plans on mark and index are woken."""
    m, f = s.machine[0], s.draft[0]
    market, time = i64(m.market), i64(m.time)
    k, p, t, book = s.market[market], s.price[market], s.tier[market], s.book[market]
    if m.value1 != 0:
        sample(d, k, p, i64(f.taker_fee), i64(f.maker_fee), i64(m.value1))
    old = i64(p.mark)
    mark = get_mark(k, p, t.mmr0, time)
    if mark != old:
        p.mark = mark
        value = i64(book.open_lots) * i64(k.tick_value)
        s.ledger[k.ledger].open_value += value * (mark - old)
        touch(d, T_LEDGER, k.ledger)
    has_moved = mark != old or p.index != m.cursor2
    if has_moved:
        emit(
            d, io, MARK_SET, 0, market, 0, p.index, 0, 0,
            0, 0, 0, 0, mark, 0, 0, 0, 0, 0, 0,
        )  # fmt: skip
    if has_moved and has_price_triggers(book):
        wake(s, d, market, i64(0))
    p.oi_rate = get_oi_rate(k, p, t, i64(book.open_lots))
    m.pc = P.TICK
    hour = time // HOUR
    if p.hour == 0:
        p.hour = hour
    elif p.hour != hour:
        m.pc = P.TICK_FUNDING
    touch(d, T_PRICE, market)
    touch(d, T_MACHINE, 0)


@jit
def step_tick_funding(s, d, io):
    """TICK_FUNDING: the hour that has passed is charged."""
    m = s.machine[0]
    market = i64(m.market)
    charge_hour(s, d, io, market, i64(m.time) // HOUR)
    touch(d, T_PRICE, market)
    m.pc = P.TICK
    touch(d, T_MACHINE, 0)


@jit
def dispatch(s, d, io, pc):
    """Run a step of prices."""
    if pc == P.PRICE_LEAF:
        step_price_leaf(s, d, io)
    elif pc == P.TICK:
        step_tick(s, d, io)
    elif pc == P.TICK_FEED:
        step_tick_feed(s, d, io)
    elif pc == P.TICK_STATE:
        step_tick_state(s, d, io)
    elif pc == P.TICK_IMPACT:
        step_tick_impact(s, d, io)
    elif pc == P.TICK_MARK:
        step_tick_mark(s, d, io)
    elif pc == P.TICK_FUNDING:
        step_tick_funding(s, d, io)
    elif pc == P.LIST_PERP:
        step_list_perp(s, d, io)
    else:
        raise ValueError("machine.pc names no step")
