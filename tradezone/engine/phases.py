"""What a market takes now: phases, sessions, the restart after a gap; and its price band.

The order is admitted iff every source admits it (``docs/spec/phases.md``), so each is asked for itself.
"""

from __future__ import annotations

from tradezone.protocol.enums import (
    BUY,
    MARKET_PERP,
    ORDER_REDUCE_ONLY,
    PHASE_CONTINUOUS,
    PHASE_POST_ONLY,
    PHASE_REDUCE_ONLY,
    TIF_POST_ONLY,
    TIF_POST_SLIDE,
    VENUE_ACTIVE,
    VENUE_REDUCE_ONLY,
)
from tradezone.protocol.events import BAND_MOVED
from tradezone.protocol.limits import BAND_WINDOW, PPM, RESTART_CANCEL, RESTART_POST

from ._jit import i64, jit
from .codec import emit
from .perps.bands import is_price_admitting
from .tables import T_BOOK, touch

_DAY = 86_400_000
_MINUTE = 60_000


@jit
def is_post(tif):
    """Whether an order of this kind never takes."""
    return tif in (TIF_POST_ONLY, TIF_POST_SLIDE)


@jit
def get_session(c, day):
    """Return opening and closing minute of a weekday (Monday = 0)."""
    if day == 0:
        return i64(c.open0), i64(c.close0)
    if day == 1:
        return i64(c.open1), i64(c.close1)
    if day == 2:
        return i64(c.open2), i64(c.close2)
    if day == 3:
        return i64(c.open3), i64(c.close3)
    if day == 4:
        return i64(c.open4), i64(c.close4)
    if day == 5:
        return i64(c.open5), i64(c.close5)
    return i64(c.open6), i64(c.close6)


@jit
def is_session_open(c, time):
    """Whether a calendar's session is open at ``time``."""
    if (
        c.from0 <= time < c.to0
        or c.from1 <= time < c.to1
        or c.from2 <= time < c.to2
        or c.from3 <= time < c.to3
    ):
        return False
    opens, closes = get_session(c, (time // _DAY + 3) % 7)
    minute = time % _DAY // _MINUTE
    return opens <= minute < closes


@jit
def is_restart_closed(s, time, tif):
    """Whether the phases after a gap keep this kind of order out."""
    begun = i64(s.agenda[0].restart_time)
    if begun == 0 or time - begun >= RESTART_POST:
        return False
    return time - begun < RESTART_CANCEL or not is_post(tif)


@jit
def is_admitted(s, market, time, tif, flags):
    """Whether a market (home or door) admits an order of this kind now, but for the restart."""
    k = s.market[market]
    if k.listed > time or (k.closes != 0 and time >= k.closes):
        return False
    is_reducing = (i64(flags) & ORDER_REDUCE_ONLY) != 0
    if k.phase == PHASE_POST_ONLY:
        if not is_post(tif):
            return False
    elif k.phase == PHASE_REDUCE_ONLY:
        if not is_reducing:
            return False
    elif k.phase != PHASE_CONTINUOUS:
        return False
    state = i64(s.venue[k.venue].state)
    if state != VENUE_ACTIVE and not (state == VENUE_REDUCE_ONLY and is_reducing):
        return False
    if k.calendar != 0 and not is_reducing and not is_session_open(s.calendar[k.calendar], time):
        return False
    if k.kind == MARKET_PERP and k.guest_of == 0:
        return is_price_admitting(s, market, tif, flags)
    return True


# --- the price band --------------------------------------------------------------------------------


@jit
def band_low(market, anchor):
    """Lowest price inside the band."""
    return anchor - anchor * i64(market.band) // PPM


@jit
def band_high(market, anchor):
    """Highest price inside the band."""
    return anchor + anchor * i64(market.band) // PPM


@jit
def is_beyond(market, k, side, price):
    """Whether an order of ``side`` may not trade at ``price``: a buy above the band, a sell below."""
    anchor = i64(k.band_price)
    if market.band == 0 or anchor == 0:
        return False
    if side == BUY:
        return price > band_high(market, anchor)
    return price < band_low(market, anchor)


@jit
def move_anchor(s, d, io, slot, time, leaf):
    """Move the band's anchor of a market with a band, if it is due."""
    k = s.book[slot]
    anchor = i64(k.band_price)
    price = anchor
    if anchor == 0:
        price = i64(k.last_price)
        if price == 0:
            return
    elif time >= k.band_time + BAND_WINDOW:
        if k.band_last != 0:
            price = i64(k.band_last)
        if k.best_bid != 0 and s.level[k.best_bid].price > price:
            price = i64(s.level[k.best_bid].price)
        if k.best_ask != 0 and s.level[k.best_ask].price < price:
            price = i64(s.level[k.best_ask].price)
        k.band_last = 0
    else:
        return
    k.band_time = time
    k.band_price = price
    touch(d, T_BOOK, slot)
    if price != anchor:
        emit(d, io, BAND_MOVED, leaf, slot, 0, 0, 0, 0, 0, 0, 0, 0, price, 0, 0, 0, 0, 0, 0)
