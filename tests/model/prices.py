"""docs/spec/prices.md: feeds, index, mark ticks, bands, what a price's state admits."""

from __future__ import annotations

from tests.model import adl, funding, margin, plans
from tests.model.funding import clamp, trunc_div
from tests.model.records import (
    PPM,
    Feed,
    Market,
    Order,
    OutboxRecord,
    Perp,
    Refused,
    ceil_div,
    require,
)
from tests.model.state import Body, State
from tradezone.protocol import enums, events, limits
from tradezone.protocol.errors import Code

SUB = limits.SUB
FORCE_STATES = (enums.PRICE_LIVE, enums.PRICE_THROTTLED)


def get_median(values: list[int]) -> int:
    ordered, half = sorted(values), len(values) // 2
    if len(ordered) % 2:
        return ordered[half]
    return (ordered[half - 1] + ordered[half]) // 2


# --- provider prices ---------------------------------------------------------------------------------


def set_oracle(zone: State, body: Body) -> None:
    slots = zone.slots["feed"]
    old = zone.feeds.get(body["feed"])
    is_new = body["feed"] == slots.high_water
    require(is_new or old is not None, Code.NOT_NEXT_ID)
    require(body["venue"] in zone.venues, Code.VENUE_NOT_FOUND)
    places = [(body[f"provider{i}"], body[f"signer{i}"]) for i in range(limits.MAX_PROVIDERS)]
    providers = [place for place in places if any(place[1])]
    count = len(providers)
    is_good = (
        (old is None or old.venue == body["venue"])
        and places == providers + [(0, bytes(20))] * (limits.MAX_PROVIDERS - count)
        and len({number for number, _ in providers}) == count
        and len({signer for _, signer in providers}) == count
        and count // 2 + 1 <= body["quorum"] <= count
        and limits.MIN_HEARTBEAT <= body["heartbeat"] <= limits.MAX_HEARTBEAT
        and limits.MIN_DEVIATION <= body["deviation"] <= PPM
        and limits.MIN_BREAKER <= body["breaker"] <= PPM
    )
    require(is_good, Code.BAD_PARAMETERS)
    if old is None:
        require(slots.has_room(), Code.TABLE_FULL)
        slots.take()
        zeros = [[0] * limits.MAX_PROVIDERS for _ in range(3)]
        old = zone.feeds[body["feed"]] = Feed(body["feed"], body["venue"], 0, 0, 0, 0, [], *zeros)
    for i in range(limits.MAX_PROVIDERS):
        before = old.providers[i][1] if i < len(old.providers) else bytes(20)
        if places[i][1] != before:
            old.prices[i] = old.times[i] = old.incidents[i] = 0
    old.providers = providers
    old.quorum, old.heartbeat = body["quorum"], body["heartbeat"]
    old.deviation, old.breaker = body["deviation"], body["breaker"]
    zone.emit(
        events.FEED_SET,
        market=old.slot,
        account=old.venue,
        flag=len(providers),
        side=old.quorum,
    )


def set_price(zone: State, body: Body, signer: bytes | None) -> None:
    """Apply a signed price."""
    feed = zone.feeds.get(body["feed"])
    require(feed is not None, Code.FEED_NOT_FOUND)
    ids = [number for number, _ in feed.providers]
    require(body["provider"] in ids, Code.FEED_NOT_FOUND)
    place = ids.index(body["provider"])
    require(signer is not None and signer == feed.providers[place][1], Code.BAD_SIGNATURE)
    price, time = body["price"], body["time"]
    require(1 <= price <= limits.MAX_FEED_PRICE, Code.BAD_PRICE)
    require(time <= zone.time + limits.PRICE_AHEAD, Code.BAD_PRICE)
    if time == feed.times[place] and price != feed.prices[place]:
        note_incident(zone, feed, place, Code.TWO_PRICES, price)
    require(time > feed.times[place], Code.PRICE_TOO_OLD)
    others = [feed.prices[i] for i in get_fresh(zone, feed) if i != place]
    if len(others) >= feed.quorum:
        median = get_median(others)
        if abs(price - median) > median * feed.deviation // PPM:
            note_incident(zone, feed, place, Code.DEVIATION, price)
    feed.prices[place], feed.times[place] = price, time
    zone.emit(events.PRICE_SET, market=feed.slot, flag=place, amount=price, amount2=time)


def note_incident(zone: State, feed: Feed, place: int, code: Code, price: int) -> None:
    last = feed.incidents[place]
    is_early = last != 0 and zone.time < last + limits.INCIDENT_MS
    if is_early or not zone.slots["outbox"].has_room(1 + limits.RESERVED_OUTBOX):
        return
    feed.incidents[place] = zone.time
    number, signer = feed.providers[place]
    slot = zone.slots["outbox"].take()
    zone.outbox[slot] = OutboxRecord(
        signer,
        number,
        code,
        price,
        zone.time,
        0,
        kind=enums.OUTBOX_INCIDENT,
        venue=feed.venue,
        market=feed.slot,
    )
    zone.emit(events.INCIDENT, market=feed.slot, account=number, error=code, amount=price)


def run_leaf(zone: State, leaf: bytes, signer: bytes | None, seq: int) -> int:
    """A price leaf."""
    feed, provider = (int.from_bytes(leaf[i : i + 4], "big") for i in (1, 5))
    price, time = (int.from_bytes(leaf[i : i + 8], "big") for i in (9, 17))
    body = {"feed": feed, "provider": provider, "price": price, "time": time}
    if feed not in zone.feeds:
        return zone.reject_leaf(seq, Code.UNEXPECTED_LEAF)
    try:
        set_price(zone, body, signer)
    except Refused as refused:
        return zone.reject_leaf(seq, refused.code)
    return 0


# --- index of a feed ---------------------------------------------------------------------------------


def get_fresh(zone: State, feed: Feed) -> list[int]:
    """Places whose last price is within the heartbeat."""
    return [
        i
        for i in range(len(feed.providers))
        if feed.times[i] and feed.times[i] >= zone.time - feed.heartbeat
    ]


def evaluate(zone: State, feed: Feed) -> None:
    """Once a mark tick: index, rounds, breaker."""
    if feed.epoch == zone.epoch:
        return
    feed.epoch = zone.epoch
    fresh = get_fresh(zone, feed)
    feed.is_fresh = len(fresh) >= feed.quorum
    if not feed.is_fresh:
        return
    feed.index = index = get_median([feed.prices[i] for i in fresh])
    if all(feed.times[i] >= feed.round_start for i in fresh):
        feed.round += 1
        feed.round_start = zone.time
    _watch(zone, feed, index)


def _watch(zone: State, feed: Feed, index: int) -> None:
    since = zone.time - feed.window_from
    if since >= 3 * limits.BREAKER_BUCKET:
        feed.buckets = [(0, 0)] * 3
    if since >= limits.BREAKER_BUCKET:
        feed.buckets = [(0, 0), *feed.buckets[:2]]
        feed.window_from = zone.time
    used = [bucket for bucket in feed.buckets if bucket[0]]
    if used:
        low, high = min(a for a, _ in used), max(b for _, b in used)
        is_up = index > low + low * feed.breaker // PPM
        is_down = index < high - high * feed.breaker // PPM
        if is_up or is_down:
            feed.trips += 1
            feed.round_start = zone.time
            feed.buckets = [(0, 0)] * 3
    low, high = feed.buckets[0]
    feed.buckets[0] = (min(low or index, index), max(high, index))


# --- mark tick ---------------------------------------------------------------------------------------


def tick(zone: State) -> None:
    live = [zone.perps[slot] for slot in sorted(zone.perps) if zone.perps[slot].is_live]
    if not live or zone.time < zone.next_mark:
        return
    zone.next_mark = zone.time - zone.time % limits.MARK_MS + limits.MARK_MS
    zone.epoch += 1
    for perp in live:
        dt = 0
        if perp.tick_time:
            dt = min(zone.time - perp.tick_time, limits.MAX_TICK_GAP)
        perp.tick_time = zone.time
        if perp.job is None:
            _tick_market(zone, perp, dt)
    for perp in live:
        if perp.settlement == 0 and is_over(zone, perp):
            adl.begin_settlement(zone, perp)


def is_over(zone: State, perp: Perp) -> bool:
    """Whether a market is to be settled: its date has come, or it was stale too long."""
    has_closed = perp.market.closes != 0 and zone.time >= perp.market.closes
    is_stale = perp.state == enums.PRICE_FROZEN and perp.stale_since != 0
    return has_closed or (is_stale and zone.time - perp.stale_since >= limits.STALE_SETTLE)


def is_shut(zone: State, market: Market) -> bool:
    """Whether the deployer has shut a market even for those who would close."""
    shut = (enums.PHASE_CANCEL_ONLY, enums.PHASE_HALTED)
    return market.phase in shut or zone.venues[market.venue].state == enums.VENUE_WOUND_DOWN


def get_index_ticks(perp: Perp) -> int:
    return (perp.feed.index + perp.feed_scale // 2) // perp.feed_scale


def _set_state(zone: State, perp: Perp, state: int) -> None:
    perp.state = state
    zone.emit(events.PRICE_STATE, market=perp.market.slot, flag=state)


def _tick_market(zone: State, perp: Perp, dt: int) -> None:
    market, feed = perp.market, perp.feed
    evaluate(zone, feed)
    is_in_range = 1 <= get_index_ticks(perp) <= market.max_price
    is_priced = feed.is_fresh and is_in_range and not is_shut(zone, market)
    calendar = zone.calendars.get(market.calendar)
    is_open = calendar is None or calendar.is_open(zone.time)
    if not (is_priced and is_open and market.listed <= zone.time):
        _freeze(zone, perp, is_priced=is_priced)
        return
    perp.stale_since = 0
    index = get_index_ticks(perp)
    is_first = perp.state == enums.PRICE_NONE
    if is_first:
        perp.average, perp.mark, perp.trips = index * SUB, index, feed.trips
    _advance(zone, perp)
    old_index, perp.index = perp.index, index
    perp.average += trunc_div((index * SUB - perp.average) * min(dt, limits.HOUR), limits.HOUR)
    if zone.time >= perp.sample_time + limits.SAMPLE_MS:
        _sample(zone, perp)
    before = (0 if is_first else perp.mark, old_index)
    perp.mark = get_mark(zone, perp)
    if before != (perp.mark, perp.index):
        mark = {"price": perp.mark, "other_account": perp.index}
        zone.emit(events.MARK_SET, market=market.slot, **mark)
        plans.note_mark(zone, market.slot)
    perp.oi_rate = margin.get_oi_rate(perp)
    funding.run_hour(zone, perp)


def _freeze(zone: State, perp: Perp, *, is_priced: bool) -> None:
    if perp.state == enums.PRICE_NONE:
        return
    if perp.state != enums.PRICE_FROZEN:
        _set_state(zone, perp, enums.PRICE_FROZEN)
    if is_priced:
        perp.stale_since = 0
        return
    perp.stale_since = perp.stale_since or zone.time


def _advance(zone: State, perp: Perp) -> None:
    """One step of the price's state."""
    feed = perp.feed
    if feed.trips != perp.trips or perp.state == enums.PRICE_FROZEN:
        if feed.trips != perp.trips:
            perp.broken = zone.time
        perp.trips, perp.round = feed.trips, feed.round
        _set_state(zone, perp, enums.PRICE_BREAK)
    elif perp.state == enums.PRICE_NONE or (
        perp.state == enums.PRICE_BREAK and feed.round >= perp.round + limits.BREAK_ROUNDS
    ):
        perp.until = zone.time + limits.REOPEN_POST
        _set_state(zone, perp, enums.PRICE_REOPEN)
    elif perp.state == enums.PRICE_REOPEN and zone.time >= perp.until:
        perp.until = zone.time + limits.REOPEN_THROTTLE
        _set_state(zone, perp, enums.PRICE_THROTTLED)
    elif perp.state == enums.PRICE_THROTTLED and zone.time >= perp.until:
        _set_state(zone, perp, enums.PRICE_LIVE)


def is_firm(order: Order) -> bool:
    """Depth that margin stands behind: what only reduces may have nothing left to reduce."""
    return not order.is_reduce_only


def get_impact(zone: State, perp: Perp, side: int) -> int:
    """Impact price of a side in SUBs, 0 if its depth does not reach the impact notional."""
    book, missing = zone.books[perp.market.slot], perp.impact_notional
    lots = value = 0
    for price in book.prices(side)[: limits.IMPACT_LEVELS]:
        each = price * perp.tv
        found = sum(order.lots for order in book.levels[side][price].orders if is_firm(order))
        taken = min(found, ceil_div(missing, each))
        lots += taken
        value += price * taken
        missing -= taken * each
        if missing <= 0:
            break
    if missing > 0:
        return 0
    return value * SUB // lots if side == enums.BUY else ceil_div(value * SUB, lots)


def _sample(zone: State, perp: Perp) -> None:
    ds = min(zone.time - perp.sample_time, limits.SAMPLE_MAX)
    perp.sample_time = zone.time
    at = perp.index * SUB
    bid, ask = get_impact(zone, perp, enums.BUY), get_impact(zone, perp, enums.SELL)
    offset = premium = 0
    if bid and ask:
        reach = at * perp.band_basis // PPM
        offset = clamp((bid + ask) // 2 - at, -reach, reach)
        premium = trunc_div((max(bid - at, 0) - max(at - ask, 0)) * limits.RATE, at)
    perp.book += trunc_div((offset - perp.book) * ds, limits.BOOK_AVERAGE)
    step = trunc_div((offset - perp.basis) * ds, limits.BASIS_AVERAGE)
    most = at * limits.BASIS_STEP * ds // (1000 * PPM)
    perp.basis += clamp(step, -most, most)
    funding.add_sample(perp, premium)


def get_mark(zone: State, perp: Perp) -> int:
    at = perp.index * SUB
    left = limits.HOUR - zone.time % limits.HOUR
    due = trunc_div(at * perp.funding_rate * left, limits.RATE * limits.HOUR)
    middle = get_median([at + perp.basis, at + perp.book, at + due])
    reach = at * min(perp.market.band, perp.tiers[0][2] // 2) // PPM
    mark = (clamp(middle, at - reach, at + reach) + SUB // 2) // SUB
    return clamp(mark, 1, perp.market.max_price)


# --- what others ask ---------------------------------------------------------------------------------


def get_band(zone: State, perp: Perp) -> tuple[int, int] | None:
    """(low, high) of a perpetual."""
    index, market = perp.index, perp.market
    if index == 0:
        return None
    if zone.time < market.listed + limits.LISTING_MS:
        centre, width = index, perp.band_listing
    else:
        centre, width = index + perp.basis // SUB, perp.band_basis
    inner, outer = centre * width // PPM, index * market.band // PPM
    low = max(centre - inner, index - outer, 1)
    return low, min(centre + inner, index + outer, market.max_price)


def get_phases(zone: State, market: Market) -> set[int]:
    """Phases that a perpetual's price, ledger and job bring; a door has none of its own."""
    perp = zone.perps.get(market.slot)
    if perp is None or not perp.is_live:
        return set()
    phases = {
        {
            enums.PRICE_NONE: enums.PHASE_LISTED,
            enums.PRICE_FROZEN: enums.PHASE_REDUCE_ONLY,
            enums.PRICE_BREAK: enums.PHASE_REDUCE_ONLY,
            enums.PRICE_REOPEN: enums.PHASE_POST_ONLY,
        }.get(perp.state, enums.PHASE_CONTINUOUS)
    }
    if perp.ledger.deficit:
        phases.add(enums.PHASE_REDUCE_ONLY)
    if perp.job is not None:
        phases.add(enums.PHASE_HALTED)
    return phases
