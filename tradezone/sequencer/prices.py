"""Checks of price leaves before they get a number: `docs/spec/prices.md` against the state of the last block.

Anyone may hand in what a provider signed, and it costs no quota. So intake lets in only what the engine would take
now: a price that is newer than the place's last one, or its contradiction, which the zone writes down as an incident
(once an INCIDENT_MS and place, so that nobody fills blocks with it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from tradezone.protocol.actions import SignedPrice
from tradezone.protocol.enums import ACTIVE
from tradezone.protocol.errors import Code
from tradezone.protocol.limits import INCIDENT_MS, MAX_FEED_PRICE, MAX_PROVIDERS, PRICE_AHEAD
from tradezone.sequencer.credentials import get_address

Tables = Mapping[str, NDArray[Any]]
NOBODY = bytes(20)


def find_place(tables: Tables, price: SignedPrice) -> int | None:
    """Return the place of a price's provider in its feed, or None if feed or provider is not there."""
    feeds = tables["feed"]
    if not 1 <= price.feed < len(feeds) or feeds[price.feed]["state"] != ACTIVE:
        return None
    first = price.feed * MAX_PROVIDERS
    for place in range(int(feeds[price.feed]["providers"])):
        if int(tables["provider"][first + place]["provider"]) == price.provider:
            return place
    return None


def get_signer(tables: Tables, price: SignedPrice) -> bytes:
    """Return who signs for a price's provider in its feed; zero if there is no such place."""
    place = find_place(tables, price)
    if place is None:
        return NOBODY
    return get_address(tables["provider"][price.feed * MAX_PROVIDERS + place], "signer")


def check_price(tables: Tables, price: SignedPrice, time: int) -> tuple[Code, str]:
    """Make all checks but that of the signature; return the code and what to say about it."""
    place = find_place(tables, price)
    if place is None:
        return Code.FEED_NOT_FOUND, f"feed {price.feed} has no provider {price.provider}"
    if not 1 <= price.price <= MAX_FEED_PRICE:
        return Code.BAD_PRICE, f"price is {price.price}, expected 1 to {MAX_FEED_PRICE} (1e-8)"
    if price.time > time + PRICE_AHEAD:
        text = f"time is {price.time} ms, more than {PRICE_AHEAD} ms after now ({time} ms)"
        return Code.BAD_PRICE, text
    feed = tables["feed"][price.feed]
    known, last = int(feed[f"price{place}"]), int(feed[f"time{place}"])
    if price.time > last:
        return Code.OK, ""
    if price.time < last or price.price == known or last == 0:
        text = f"time is {price.time} ms, provider {price.provider} has spoken at {last} ms"
        return Code.PRICE_TOO_OLD, text
    incident = int(tables["provider"][price.feed * MAX_PROVIDERS + place]["incident"])
    if incident and time < incident + INCIDENT_MS:
        text = f"provider {price.provider} said {known} for {last} ms; an incident is written down"
        return Code.PRICE_TOO_OLD, text
    return Code.OK, ""
