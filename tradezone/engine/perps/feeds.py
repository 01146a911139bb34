"""Feeds: their providers' prices, index, rounds and breaker (``docs/spec/prices.md``).

A feed has at most MAX_PROVIDERS places; the price and the time of place p are fields of the feed, who speaks for it
is record ``provider`` 8 * feed + p.
"""

from __future__ import annotations

from tradezone.engine._jit import i64, jit, ppm_down
from tradezone.engine.codec import emit, emit_note, read8, read32, read64, read_limb
from tradezone.engine.tables import (
    CAPACITY,
    T_FEED,
    T_OUTBOX,
    T_PROVIDER,
    T_VENUE,
    T_WATCH,
    append_slot,
    has_room,
    touch,
)
from tradezone.protocol.enums import ACTIVE, OUTBOX_INCIDENT
from tradezone.protocol.errors import Code
from tradezone.protocol.events import FEED_SET, INCIDENT, PRICE_SET
from tradezone.protocol.limits import (
    BREAKER_BUCKET,
    INCIDENT_MS,
    MAX_FEED_PRICE,
    MAX_HEARTBEAT,
    MAX_PROVIDERS,
    MIN_BREAKER,
    MIN_DEVIATION,
    MIN_HEARTBEAT,
    PPM,
    PRICE_AHEAD,
    RESERVED_OUTBOX,
)

_OK = int(Code.OK)
_BAD_PARAMETERS = int(Code.BAD_PARAMETERS)
_BAD_SIGNATURE = int(Code.BAD_SIGNATURE)
_BAD_PRICE = int(Code.BAD_PRICE)
_DEVIATION = int(Code.DEVIATION)
_FEED_NOT_FOUND = int(Code.FEED_NOT_FOUND)
_NOT_NEXT_ID = int(Code.NOT_NEXT_ID)
_PRICE_TOO_OLD = int(Code.PRICE_TOO_OLD)
_TABLE_FULL = int(Code.TABLE_FULL)
_TWO_PRICES = int(Code.TWO_PRICES)
_VENUE_NOT_FOUND = int(Code.VENUE_NOT_FOUND)

_COUNTER = (1 << 31) - 1  # mask of counters that go round

# ORACLE_SET: offsets inside the body; places of {id, signer}
_PLACES_AT, _PLACE_BYTES = 21, 24


@jit
def is_feed(s, feed):
    """Whether ``feed`` is in use; by its own record, so that no table head is asked."""
    return feed >= 1 and feed < CAPACITY[T_FEED] and s.feed[feed].state == ACTIVE


@jit
def is_venue(s, venue):
    """Whether ``venue`` is in use; by its own record: no state of a venue is 0."""
    return venue >= 1 and venue < CAPACITY[T_VENUE] and s.venue[venue].state != 0


# --- prices of a feed ------------------------------------------------------------------------------


@jit
def get_price(r, place):
    """Return the last price of a place."""
    if place == 0:
        return i64(r.price0)
    if place == 1:
        return i64(r.price1)
    if place == 2:
        return i64(r.price2)
    if place == 3:
        return i64(r.price3)
    if place == 4:
        return i64(r.price4)
    if place == 5:
        return i64(r.price5)
    if place == 6:
        return i64(r.price6)
    return i64(r.price7)


@jit
def get_time(r, place):
    """Return the signed time of the last price of a place, 0 = it has none."""
    if place == 0:
        return i64(r.time0)
    if place == 1:
        return i64(r.time1)
    if place == 2:
        return i64(r.time2)
    if place == 3:
        return i64(r.time3)
    if place == 4:
        return i64(r.time4)
    if place == 5:
        return i64(r.time5)
    if place == 6:
        return i64(r.time6)
    return i64(r.time7)


@jit
def put_price(r, place, price, time):
    """Store the last price of a place and its time."""
    if place == 0:
        r.price0, r.time0 = price, time
    elif place == 1:
        r.price1, r.time1 = price, time
    elif place == 2:
        r.price2, r.time2 = price, time
    elif place == 3:
        r.price3, r.time3 = price, time
    elif place == 4:
        r.price4, r.time4 = price, time
    elif place == 5:
        r.price5, r.time5 = price, time
    elif place == 6:
        r.price6, r.time6 = price, time
    else:
        r.price7, r.time7 = price, time


@jit
def is_fresh(r, place, time, skipped):
    """Whether the price of a place counts at ``time``; the place ``skipped`` never does."""
    spoken = get_time(r, place)
    return place != skipped and spoken != 0 and spoken >= time - i64(r.heartbeat)


@jit
def count_fresh(r, time, skipped):
    """How many places have a fresh price, one of them left out (-1: none)."""
    count = i64(0)
    for place in range(i64(r.providers)):
        if is_fresh(r, place, time, skipped):
            count += 1
    return count


@jit
def get_ranked(r, time, skipped, rank):
    """Return the fresh price in front of which ``rank`` others stand, by size."""
    for place in range(i64(r.providers)):
        if is_fresh(r, place, time, skipped):
            price = get_price(r, place)
            less, same = i64(0), i64(0)
            for other in range(i64(r.providers)):
                if is_fresh(r, other, time, skipped):
                    value = get_price(r, other)
                    if value < price:
                        less += 1
                    elif value == price:
                        same += 1
            if less <= rank < less + same:
                return price
    raise ValueError("feed has no price of this rank")


@jit
def get_median(r, time, skipped, count):
    """Median of the ``count`` fresh prices; floor of the middle of the two middle ones if it is even."""
    half = count // 2
    upper = get_ranked(r, time, skipped, half)
    if count % 2 == 1:
        return upper
    return (get_ranked(r, time, skipped, half - 1) + upper) // 2


# --- messages and leaves ---------------------------------------------------------------------------


@jit
def is_place_used(source, at, place):
    """Whether a place of an ORACLE_SET names a signer."""
    start = at + _PLACES_AT + _PLACE_BYTES * place + 4
    return (
        read32(source, start) != 0
        or read_limb(source, start + 4) != 0
        or read_limb(source, start + 12) != 0
    )


@jit
def are_same(source, first, second, start, size):
    """Whether two places agree in ``size`` bytes from ``start``."""
    for n in range(size):
        if read8(source, first + start + n) != read8(source, second + start + n):
            return False
    return True


@jit
def are_places_good(source, at, count):
    """Whether the ``count`` used places come first, are all different, and the others are empty."""
    first = at + _PLACES_AT
    for place in range(MAX_PROVIDERS):
        start = first + _PLACE_BYTES * place
        if place >= count:
            if read32(source, start) != 0 or is_place_used(source, at, place):
                return False
            continue
        for other in range(place):
            before = first + _PLACE_BYTES * other
            if are_same(source, start, before, 0, 4) or are_same(source, start, before, 4, 20):
                return False
    return True


@jit
def set_oracle(s, d, io, at):
    """ORACLE_SET: a new feed, or other providers and bounds of one in use."""
    source = io.message
    feed, venue, quorum = read32(source, at), read32(source, at + 4), read8(source, at + 8)
    heartbeat, deviation = read32(source, at + 9), read32(source, at + 13)
    breaker = read32(source, at + 17)
    is_new = feed == s.head[T_FEED].high_water
    if not is_new and not is_feed(s, feed):
        return _NOT_NEXT_ID
    if not is_venue(s, venue):
        return _VENUE_NOT_FOUND
    count = i64(0)
    while count < MAX_PROVIDERS and is_place_used(source, at, count):
        count += 1
    if (not is_new and s.feed[feed].venue != venue) or not are_places_good(source, at, count):
        return _BAD_PARAMETERS
    if quorum < count // 2 + 1 or quorum > count:
        return _BAD_PARAMETERS
    if heartbeat < MIN_HEARTBEAT or heartbeat > MAX_HEARTBEAT:
        return _BAD_PARAMETERS
    if deviation < MIN_DEVIATION or deviation > PPM or breaker < MIN_BREAKER or breaker > PPM:
        return _BAD_PARAMETERS
    if is_new:
        if not has_room(s, T_FEED, 1):
            return _TABLE_FULL
        append_slot(s, d, T_FEED)
    r = s.feed[feed]
    r.venue = venue
    r.state = ACTIVE
    r.providers = count
    r.quorum = quorum
    r.heartbeat = heartbeat
    r.deviation = deviation
    r.breaker = breaker
    for place in range(MAX_PROVIDERS):
        put_provider(s, d, r, feed, place, source, at + _PLACES_AT + _PLACE_BYTES * place)
    touch(d, T_FEED, feed)
    emit(
        d, io, FEED_SET, s.machine[0].inbox, feed, venue, 0, 0, 0,
        quorum, 0, count, 0, 0, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip
    return _OK


@jit
def put_provider(s, d, r, feed, place, source, start):
    """Write down who speaks for a place; another signer begins without a price."""
    slot = i64(feed) * MAX_PROVIDERS + place
    x = s.provider[slot]
    high, middle, low = (
        read32(source, start + 4),
        read_limb(source, start + 8),
        read_limb(source, start + 16),
    )
    if (i64(x.signer2) & 0xFFFFFFFF) != high or i64(x.signer1) != middle or i64(x.signer0) != low:
        put_price(r, place, 0, 0)
        x.incident = 0
    x.provider = read32(source, start)
    x.signer2 = high
    x.signer1 = middle
    x.signer0 = low
    touch(d, T_PROVIDER, slot)


@jit
def find_place(s, feed, provider):
    """Place of a feed that has the id ``provider``, -1 if none has."""
    for place in range(i64(s.feed[feed].providers)):
        if s.provider[i64(feed) * MAX_PROVIDERS + place].provider == provider:
            return i64(place)
    return i64(-1)


@jit
def set_price(s, d, io, leaf, feed, place, price, time):
    """Store a price that its place's signer signed; returns the error."""
    now = i64(s.machine[0].time)
    r = s.feed[feed]
    if price < 1 or price > MAX_FEED_PRICE or time > now + PRICE_AHEAD:
        return _BAD_PRICE
    last = get_time(r, place)
    if time == last and price != get_price(r, place):
        note_incident(s, d, io, leaf, feed, place, _TWO_PRICES, price)
    if time <= last:
        return _PRICE_TOO_OLD
    others = count_fresh(r, now, place)
    if others >= r.quorum:
        median = get_median(r, now, place, others)
        if abs(price - median) > ppm_down(median, i64(r.deviation)):
            note_incident(s, d, io, leaf, feed, place, _DEVIATION, price)
    put_price(r, place, price, time)
    touch(d, T_FEED, feed)
    emit(
        d, io, PRICE_SET, leaf, feed, 0, 0, 0, 0,
        0, 0, place, 0, 0, 0, 0, price, time, 0, 0,
    )  # fmt: skip
    return _OK


@jit
def note_incident(s, d, io, leaf, feed, place, code, price):
    """Tell L1 what a provider did: once an hour, and only while withdrawals have room enough."""
    now = i64(s.machine[0].time)
    slot = i64(feed) * MAX_PROVIDERS + place
    x = s.provider[slot]
    if x.incident != 0 and now < x.incident + INCIDENT_MS:
        return
    if not has_room(s, T_OUTBOX, 1 + RESERVED_OUTBOX):
        return
    x.incident = now
    touch(d, T_PROVIDER, slot)
    message = append_slot(s, d, T_OUTBOX)
    w = s.outbox[message]
    w.recipient0 = x.signer0
    w.recipient1 = x.signer1
    w.recipient2 = x.signer2
    w.kind = OUTBOX_INCIDENT
    w.status = 0
    w.owner = x.provider
    w.asset = code
    w.amount = price
    w.time = now
    w.inbox = 0
    w.venue = s.feed[feed].venue
    w.market = feed
    touch(d, T_OUTBOX, message)
    emit_note(d, io, INCIDENT, leaf, feed, x.provider, 0, 0, 0, code, price)


@jit
def tell_price(s, d, io, at):
    """PRICE: a provider's price that came by way of L1, which has recovered its signer."""
    source = io.message
    feed, provider = read32(source, at), read32(source, at + 4)
    if not is_feed(s, feed):
        return _FEED_NOT_FOUND
    place = find_place(s, feed, provider)
    if place < 0:
        return _FEED_NOT_FOUND
    x = s.provider[i64(feed) * MAX_PROVIDERS + place]
    if (
        (i64(x.signer2) & 0xFFFFFFFF) != read32(source, at + 8)
        or i64(x.signer1) != read_limb(source, at + 12)
        or i64(x.signer0) != read_limb(source, at + 20)
    ):
        return _BAD_SIGNATURE
    return set_price(
        s, d, io, i64(s.machine[0].inbox), feed, place,
        read64(source, at + 28), read64(source, at + 36),
    )  # fmt: skip


# --- index, rounds, breaker ------------------------------------------------------------------------


@jit
def evaluate(s, d, m, feed):
    """Once a mark tick: the index of a feed, its rounds, its breaker."""
    r = s.feed[feed]
    if r.epoch == m.epoch:
        return
    now = i64(m.time)
    count = count_fresh(r, now, -1)
    r.epoch = m.epoch
    r.is_fresh = 1 if count >= r.quorum else 0
    touch(d, T_FEED, feed)
    if count < r.quorum:
        return
    r.index = get_median(r, now, -1, count)
    is_round = True
    for place in range(i64(r.providers)):
        if is_fresh(r, place, now, -1) and get_time(r, place) < r.round_start:
            is_round = False
    if is_round:
        r.round = (i64(r.round) + 1) & _COUNTER
        r.round_start = now
    watch(s, d, r, feed, now, i64(r.index))


@jit
def watch(s, d, r, feed, now, index):
    """Compare the index with those of the last 60 to 90 s: further than ``breaker`` from one trips."""
    w = s.watch[feed]
    since = now - w.begun
    if since >= BREAKER_BUCKET:
        if since >= 3 * BREAKER_BUCKET:
            clear_buckets(w)
        w.low2, w.high2 = w.low1, w.high1
        w.low1, w.high1 = w.low0, w.high0
        w.low0, w.high0 = 0, 0
        w.begun = now
    low, high = i64(0), i64(0)
    if w.low0 != 0:
        low, high = i64(w.low0), i64(w.high0)
    if w.low1 != 0:
        low, high = i64(w.low1) if low == 0 else min(low, i64(w.low1)), max(high, i64(w.high1))
    if w.low2 != 0:
        low, high = i64(w.low2) if low == 0 else min(low, i64(w.low2)), max(high, i64(w.high2))
    breaker = i64(r.breaker)
    if low != 0 and (
        index > low + ppm_down(low, breaker) or index < high - ppm_down(high, breaker)
    ):
        r.trips = (i64(r.trips) + 1) & _COUNTER
        r.round_start = now
        clear_buckets(w)
    if w.low0 == 0 or index < w.low0:
        w.low0 = index
    if index > w.high0:
        w.high0 = index
    touch(d, T_WATCH, feed)


@jit
def clear_buckets(w):
    """Empty all buckets of a watch."""
    w.low0, w.high0 = 0, 0
    w.low1, w.high1 = 0, 0
    w.low2, w.high2 = 0, 0
