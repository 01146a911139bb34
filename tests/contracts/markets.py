"""Venues and markets for tests: terms that are good, and shortcuts to what stands on them."""

from __future__ import annotations

from tests.contracts.driver import OKB
from tradezone.chain.abi import MARKET_REGISTRY

FEE = OKB // 100
CONTINUOUS, POST_ONLY, CANCEL_ONLY, REDUCE_ONLY, HALTED, SETTLED = range(1, 7)
OPEN, CLOSING, CLOSED = 1, 2, 3  # stages of a market
ACTIVE, VENUE_REDUCE_ONLY, WOUND_DOWN = 1, 2, 3  # states of a venue
SPOT, PERPETUAL, OUTCOME, SIMULATED = 1, 2, 3, 4  # kinds of slots
TERMS = {
    "venue": 1,
    "base": 2,
    "quote": 3,
    "lotSize": 1000,
    "tickValue": 10,
    "minNotional": 100,
    "maxNotional": 10**12,
    "maxLots": 10**6,
    "maxPrice": 10**6,
    "takerFee": 500,
    "makerFee": -100,
    "protocolShare": 200_000,
    "insuranceShare": 100_000,
    "takerDelay": 3,
    "effectiveAt": 0,
}
QUESTION = b"q" * 32
EVENT = {
    "venue": 1,
    "asset": 2,
    "outcomes": 2,
    "unit": 1_000_000,
    "voidPayouts": bytes.fromhex("13881388") + bytes(28),
    "question": QUESTION,
    "tickValue": 10_000,
    "minNotional": 10_000,
    "maxNotional": 10**12,
    "maxLots": 10**6,
    "takerFee": 500,
    "makerFee": 0,
    "protocolShare": 200_000,
    "insuranceShare": 100_000,
    "takerDelay": 3,
    "effectiveAt": 0,
    "closes": 0,
}
TERM_FIELDS = [part.name for part in MARKET_REGISTRY.functions["updateMarket"].inputs[1].parts]
OPEN_RULE = (0, "0x" + "00" * 20, 0, 0)
WEEK = [(540, 1020)] * 5 + [(0, 0)] * 2  # nine to five, weekends closed
NO_CLOSURES = [(0, 0)] * 4


def payouts(*parts: int) -> bytes:
    """A payout vector: outcome 0 first."""
    return b"".join(part.to_bytes(2, "big") for part in parts).ljust(32, b"\0")


def stake_for_venues(zone, account, count=1):
    zone.staking.stake(sender=account, value=count * zone.params.venue_stake)


def terms_now(zone, market, **changes) -> dict:
    """The terms of a market in force, as `updateMarket` takes them, with changes."""
    return to_terms(zone.market_registry.termsOf(market)[0]) | changes


def announced(zone, market) -> dict:
    """What is announced for a market; ``effectiveAt`` is 0 if nothing is."""
    return to_terms(zone.market_registry.termsOf(market)[1])


def to_terms(values) -> dict:
    return dict(zip(TERM_FIELDS, values, strict=True))


def update_body(market: int, terms: dict) -> dict:
    """The message that an update becomes."""
    return terms | {"market": market}


# --- perpetuals --------------------------------------------------------------------------------------

PERP_KIND = 2
NO_TIER = (0, 0, 0)
PARAMETERS = {
    "fundingCap": 4_000_000,
    "interest": 100_000,
    "impactNotional": 10_000_000,
    "bandListing": 50_000,
    "bandBasis": 30_000,
    "oiLower": 10**9,
    "oiUpper": 10**10,
    "lossCap": 10**8,
    "tiers": [(0, 50_000, 25_000), (10**9, 100_000, 50_000), NO_TIER, NO_TIER],
}
PERP = {
    "venue": 1,
    "quote": 2,
    "feed": 1,
    "feedScale": 10**6,
    "tickValue": 100,
    "minNotional": 10**6,
    "maxNotional": 10**12,
    "maxLots": 10**6,
    "maxPrice": 10**6,
    "takerFee": 500,
    "makerFee": -100,
    "protocolShare": 200_000,
    "insuranceShare": 200_000,
    "takerDelay": 3,
    "calendar": 0,
    "band": 100_000,
    "openInterestCap": 10**10,
    "accountCap": 10**9,
    "closes": 0,
    "effectiveAt": 0,
    "parameters": PARAMETERS,
}


def parameters(**changes) -> dict:
    """Parameters of a perpetual, with changes."""
    return PARAMETERS | changes


def perp_terms(*, params=None, **changes) -> dict:
    """Terms of a perpetual, with changes of them and of its parameters."""
    return PERP | changes | {"parameters": PARAMETERS | (params or {})}


def parameter_body(values: dict) -> dict:
    """Parameters as fields of a message."""
    body = {name: value for name, value in values.items() if name != "tiers"}
    for k, (lower, imr, mmr) in enumerate(values["tiers"]):
        body |= {f"lower{k}": lower, f"imr{k}": imr, f"mmr{k}": mmr}
    return body
