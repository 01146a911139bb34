"""The drill's perpetuals: margin of every kind in a zone that dies, and what each owner of it is owed.

Two markets on one feed: in the first every pool is isolated, in the second it is the owners' cross pool. What they are
owed is computed from the records of the zone's last moment with the formulas of docs/spec/adl.md in plain Python; the
engine's own closing batch is what it is compared with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from tradezone.protocol import enums, messages
from tradezone.protocol.actions import pack
from tradezone.protocol.limits import SUB

if TYPE_CHECKING:
    from tradezone.client import Asset, PrivateKey

VENUE, FEED, PROVIDER, USD = 1, 1, 11, 2
FEED_UNITS: Final = 10**8  # of one dollar
TICK_VALUE: Final = 1_000  # atoms of a dollar a lot, so a lot is a thousandth of a coin
START: Final = 1_000  # dollars a coin
CRASH: Final = (960, 920, 880)  # what ten times leverage does not survive
BIG: Final = 1 << 52
DESK_KINDS: Final = (
    messages.ORACLE_SET,
    messages.LIST_PERP,
    messages.APPROVE_CROSS,
    messages.SET_RISK,
)
TERMS: Final = {
    "venue": VENUE,
    "quote": USD,
    "feed": FEED,
    "feedScale": FEED_UNITS,
    "tickValue": TICK_VALUE,
    "maxNotional": 1 << 50,
    "maxLots": 10_000,
    "maxPrice": 100_000,
    "takerFee": 500,
    "makerFee": 200,
    "protocolShare": 200_000,
    "insuranceShare": 500_000,
    "takerDelay": 3,
    "band": 400_000,
    "bandListing": 300_000,
    "bandBasis": 200_000,
    "openInterestCap": BIG,
    "fundingCap": 1_000_000,
    "interest": 100_000,
    "impactNotional": 2_000_000,
    "oiLower": BIG,
    "oiUpper": 2 * BIG,
    "lossCap": 10**6,  # a dollar a day: less than what the crash costs
    "imr0": 100_000,
    "mmr0": 50_000,
}


def to_bitmap(kinds: tuple[int, ...]) -> int:
    """Encode the kinds that a source may send, as an inbox is told of them."""
    return sum(1 << kind for kind in kinds)


def build_message(kind: int, **values: int | bytes) -> bytes:
    """Body of a message; fields that are not given are zero."""
    zeros = {name: bytes(n) if form == "address" else 0 for name, form, n in messages.BODIES[kind]}
    if not values.keys() <= zeros.keys():
        raise KeyError(f"no such fields: {sorted(values.keys() - zeros.keys())}")
    return pack(messages.BODIES[kind], zeros | values)


def build_listings(first: int, signer: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and body of what opens a feed and two perpetuals, slots ``first`` and the next; the second shares margin."""
    yield (
        messages.ORACLE_SET,
        build_message(
            messages.ORACLE_SET,
            feed=FEED,
            venue=VENUE,
            quorum=1,
            heartbeat=60_000,
            deviation=20_000,
            breaker=1_000_000,
            provider0=PROVIDER,
            signer0=signer,
        ),
    )
    for market in (first, first + 1):
        numbers = {"market": market, "id": VENUE << 16 | market}
        yield messages.LIST_PERP, build_message(messages.LIST_PERP, **numbers, **TERMS)
    body = build_message(messages.APPROVE_CROSS, market=first + 1, weight=500_000)
    yield messages.APPROVE_CROSS, body
    yield messages.SET_RISK, build_message(messages.SET_RISK, venue=VENUE, asset=USD, cap=1 << 60)


def build_market(slot: int, label: str, dollar: Asset) -> Any:
    """Build what a client knows of one of them."""
    from tradezone.client import PerpMarket

    return PerpMarket(slot, label, dollar, TICK_VALUE, FEED_UNITS, 100_000, 10_000, 0, VENUE, slot)


def sign(key: PrivateKey, separator: bytes, dollars: int, time: int) -> bytes:
    """Price leaf of the one provider; ``time`` in ms."""
    from tradezone.client import sign_price

    return sign_price(
        key, separator, feed=FEED, provider=PROVIDER, price=dollars * FEED_UNITS, time=time
    )


# --- what margin is worth at the end -------------------------------------------------------------------


def get_rows(tables: Mapping[str, Any], table: str) -> dict[int, Any]:
    """Return the records in use, by slot."""
    from tradezone.protocol.records import TABLE_BY_NAME

    end = int(tables["head"][TABLE_BY_NAME[table].number]["high_water"])
    return {slot: tables[table][slot] for slot in range(1, end) if tables[table]["state"][slot]}


def get_settlement_price(price: Any) -> int:
    """Ticks: the middle one of index, hour average and mark."""
    average = (int(price["average"]) + SUB // 2) // SUB
    return sorted((int(price["index"]), average, int(price["mark"])))[1]


def get_side(tables: Mapping[str, Any], market: int) -> Iterator[int]:
    """Positions of a market as a settlement meets them: longs, then shorts, as they are linked."""
    for name in ("long_first", "short_first"):
        slot = int(tables["price"][market][name])
        while slot:
            yield slot
            slot = int(tables["position"][slot]["side_next"])


def count_margin(tables: Mapping[str, Any], markets: list[int]) -> Counter[int]:
    """Atoms that each account is owed for its pools, and the venue's fund account for the rest of its ledger.

    Each owner holds at most one position a pool here, so the order of the markets decides nothing.

    Raises
    ------
    ValueError
        what the pools are owed is not covered by what losers, fund and winners have
    """
    owed: Counter[int] = Counter()
    ledger = int(tables["market"][markets[0]]["ledger"])
    pools, positions = get_rows(tables, "pool"), get_rows(tables, "position")
    worth = {slot: int(pool["collateral"]) for slot, pool in pools.items()}
    fund = int(tables["ledger"][ledger]["fund"])
    for market in markets:
        price, record = tables["price"][market], tables["market"][market]
        settled, lot = get_settlement_price(price), int(record["tick_value"])
        results: dict[int, int] = {}
        for slot in get_side(tables, market):
            position = positions[slot]
            pool, lots = int(position["pool"]), int(position["lots"])
            worth[pool] -= get_funding(tables, market, position)
            results[slot] = int(position["quote"]) + lots * settled * lot
            worth[pool] += results[slot]
        missing = 0
        for slot, result in results.items():
            pool = int(positions[slot]["pool"])
            if result <= 0 and worth[pool] < 0:
                missing += min(-result, -worth[pool])
                worth[pool] = 0
        room = min(fund, max(0, int(tables["fund"][market]["loss_cap"])))
        paid = min(missing, room)
        fund -= paid
        gains = sum(result for result in results.values() if result > 0)
        cut = min(missing - paid, gains)
        if cut != missing - paid:
            raise ValueError(f"market {market}: losers owe {missing}, fund and winners have less")
        running = given = 0
        for slot, result in results.items():
            if result > 0:
                running += result
                upto = cut * running // gains
                worth[int(positions[slot]["pool"])] -= upto - given
                given = upto
    for slot, amount in worth.items():
        if amount < 0:
            raise ValueError(f"pool {slot} owes {-amount} atoms that nobody took over")
        owed[int(pools[slot]["account"])] += amount
    cash = int(tables["ledger"][ledger]["cash"])
    rest = cash - sum(owed.values())
    if rest < fund:
        raise ValueError(f"the ledger has {rest} atoms besides its pools, its fund {fund}")
    owed[int(tables["venue"][VENUE]["fund_account"])] += rest
    return owed


def get_funding(tables: Mapping[str, Any], market: int, position: Any) -> int:
    """Atoms of funding that a position has not paid yet; negative: it is paid."""
    moved = int(tables["price"][market]["funding_index"]) - int(position["funding_index"])
    owes, scale = int(position["lots"]) * moved, int(tables["tier"][market]["funding_scale"])
    return -(-owes // scale)  # up for who pays, down for who is paid


def describe(tables: Mapping[str, Any], markets: list[int]) -> Counter[str]:
    """How many positions of each kind there are, for the check that nothing is missing."""
    found: Counter[str] = Counter()
    pools = get_rows(tables, "pool")
    for position in get_rows(tables, "position").values():
        lots, pool = int(position["lots"]), pools[int(position["pool"])]
        if not lots or int(position["market"]) not in markets:
            continue
        found["long" if lots > 0 else "short"] += 1
        found["isolated" if pool["market"] else "cross"] += 1
        found["under water"] += int(pool["equity"]) < 0
    orders = get_rows(tables, "order").values()
    of_perps = [order for order in orders if int(order["market"]) in markets]
    found["open"] = sum(int(order["state"]) == enums.RESTING for order in of_perps)
    found["waiting"] = sum(int(order["state"]) == enums.WAITING for order in of_perps)
    return found
