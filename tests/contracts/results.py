"""Events for tests of their results: what listings hand to the resolver."""

from __future__ import annotations

from eth_abi import encode

from tradezone.protocol.oracles import to_vector

UNIT = 10**6


def event_of(venue: int, void: list[int]) -> tuple:
    """An event as listings keep it; asset, markets and question are nothing to a resolver."""
    return (venue, 1, len(void), 1, UNIT, 1, to_vector(void).to_bytes(32, "big"), bytes(32))


def details(provider: int, resolves_at: int, exposure: int) -> bytes:
    """What the resolver wants to know of an event besides."""
    return encode(["uint32", "uint64", "uint128"], [provider, resolves_at, exposure])
