"""A venue with a feed and perpetuals, for tests on the model (see `tests.model.world`).

>>> market = build_perp_world()
>>> market.post(market.alice, SELL, 1010, 5)
>>> market.take(market.bob, BUY, 1010, 5)
>>> market.move(990)

One tick of market 2 is 1,000 atoms a lot, a lot at price 1,000 is worth 10^6 atoms. Blocks of `run` come every
`step` ms with fresh prices of all providers, so that the price stays LIVE.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.model import beside, margin, pools
from tests.model.records import Perp, Pool, Position
from tests.model.world import (
    Action,
    Outcome,
    Signer,
    Tell,
    World,
    Zone,
    act,
    add_funds,
    add_owner,
    build_world,
    get_address,
    place_item,
    tell,
)
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.errors import Code

SCALE = 100_000_000  # feed units of a tick: the feed's unit is the tick
PERP = 2  # market 1 is the spot market of `build_world`
PROVIDERS = (901, 902, 903)  # private keys
# What only perpetuals reach.
PERP_ACTIONS = {
    actions.ALLOWANCE,
    actions.LEVERAGE,
    actions.ADJUST_MARGIN,
    actions.CHECK,
    actions.FUND,
    actions.DEFUND,
}
PERP_MESSAGES = {
    messages.LIST_PERP,
    messages.SET_PERP,
    messages.APPROVE_CROSS,
    messages.ORACLE_SET,
    messages.PRICE,
    messages.SET_RISK,
    messages.SLASH,
}
PERP_EVENTS = range(events.PERP_TERMS, 100)
PERP_CODES = range(Code.INSUFFICIENT_MARGIN, Code.DEVIATION + 1)


def set_oracle(feed: int = 1, *, keys: tuple[int, ...] = PROVIDERS, **terms: Any) -> Tell:
    values: dict[str, Any] = {
        "feed": feed,
        "venue": 1,
        "quorum": 2,
        "heartbeat": 5_000,
        "deviation": 20_000,
        "breaker": 200_000,
    }
    for place, key in enumerate(keys):
        values |= {f"provider{place}": 11 + place, f"signer{place}": get_address(key)}
    return tell(messages.ORACLE_SET, **(values | terms))


def list_perp(market: int, *, venue: int = 1, **terms: Any) -> Tell:
    """A perpetual: 10x, maintenance 5 %, then 5x and 10 % beyond 10^9 atoms."""
    values: dict[str, Any] = {
        "market": market,
        "id": venue << 16 | market,
        "venue": venue,
        "quote": 1,
        "feed": 1,
        "feedScale": SCALE,
        "tickValue": 1_000,
        "maxNotional": 1 << 50,
        "maxLots": 10_000,
        "maxPrice": 100_000,
        "takerFee": 500,
        "makerFee": 200,
        "protocolShare": 200_000,
        "insuranceShare": 500_000,
        "band": 400_000,
        "bandListing": 300_000,
        "bandBasis": 200_000,
        "openInterestCap": limits.MAX_OPEN_VALUE,
        "fundingCap": 1_000_000,
        "interest": 100_000,
        "impactNotional": 2_000_000,
        "oiLower": 1 << 52,
        "oiUpper": 1 << 53,
        "lossCap": 0,
        "imr0": 100_000,
        "mmr0": 50_000,
        "lower1": 10**9,
        "imr1": 200_000,
        "mmr1": 100_000,
    }
    return tell(messages.LIST_PERP, **(values | terms))


def get_parameters(perp: Perp) -> dict[str, int]:
    """Fields of SET_PERP as they are in force."""
    return {
        "fundingCap": perp.funding_cap,
        "interest": perp.interest,
        "impactNotional": perp.impact_notional,
        "bandListing": perp.band_listing,
        "bandBasis": perp.band_basis,
        "oiLower": perp.oi_lower,
        "oiUpper": perp.oi_upper,
        "lossCap": perp.loss_cap,
        **{f"lower{k}": tier[0] for k, tier in enumerate(perp.tiers)},
        **{f"imr{k}": tier[1] for k, tier in enumerate(perp.tiers)},
        **{f"mmr{k}": tier[2] for k, tier in enumerate(perp.tiers)},
    }


def sign_price(feed: int, place: int, price: int, time: int, *, key: int | None = None) -> Action:
    """A price leaf; `price` is in feed units."""
    leaf = (
        bytes([actions.LEAF_PRICE])
        + feed.to_bytes(4, "big")
        + (11 + place).to_bytes(4, "big")
        + price.to_bytes(8, "big")
        + time.to_bytes(8, "big")
        + bytes(actions.SIGNATURE_BYTES)
    )
    return Action(leaf, get_address(PROVIDERS[place] if key is None else key))


@dataclass
class PerpWorld:
    world: World
    price: dict[int, int] = field(default_factory=dict)  # of each feed, ticks
    last: Outcome | None = None
    _posts: int = 0

    @property
    def zone(self) -> Zone:
        return self.world.zone

    @property
    def model(self) -> Any:
        return self.zone.model

    @property
    def alice(self) -> Signer:
        return self.world.alice

    @property
    def bob(self) -> Signer:
        return self.world.bob

    @property
    def carol(self) -> Signer:
        return self.world.carol

    @property
    def ledger(self) -> Any:
        return self.model.ledgers[1, 1]

    def poke(self, thing: Any, **values: Any) -> None:
        """Set attributes of the model's object, and the records of the engine that say the same."""
        beside.poke(self.zone, thing, **values)

    def approve(self, *markets: int, weight: int = limits.MAX_WEIGHT) -> None:
        """Cross pools for markets, as governance may after a month."""
        for market in markets:
            self.poke(self.perp(market), is_cross=True, weight=weight)

    def perp(self, market: int = PERP) -> Perp:
        return self.model.perps[market]

    def pool(self, who: Signer, market: int = PERP) -> Pool:
        """The isolated pool of a market, 0 = the cross pool."""
        return self.model.accounts[who.account].pools[1, 1, market]

    def find(self, who: Signer, market: int = PERP) -> Position | None:
        return pools.find_position(self.model, who.account, market)

    def lots(self, who: Signer, market: int = PERP) -> int:
        position = self.find(who, market)
        return position.lots if position else 0

    def equity(self, who: Signer, market: int = PERP) -> int:
        pool = self.model.accounts[who.account].pools.get((1, 1, market))
        return margin.get_pool_values(self.model, pool).pnl if pool else 0

    def free(self, who: Signer) -> int:
        return self.world.free(who, 1)

    def wealth(self, who: Signer) -> int:
        """Free money and the equity of all pools."""
        held = self.model.accounts[who.account].pools.values()
        return self.free(who) + sum(margin.get_pool_values(self.model, pool).pnl for pool in held)

    def prices(self, time: int) -> list[Action]:
        """Fresh prices of every provider of every feed."""
        return [
            sign_price(feed, place, price * SCALE, time)
            for feed, price in self.price.items()
            for place in range(len(PROVIDERS))
        ]

    def block(self, *entries: Any, after: int = 1, quiet: bool = False) -> Outcome:
        """One block; with fresh prices unless `quiet`."""
        time = self.zone.time + after
        fresh = [] if quiet else self.prices(time)
        self.last = self.zone.block(*fresh, *entries, at=time)
        return self.last

    def run(self, duration: int, *, step: int = 250, quiet: bool = False) -> list[Outcome]:
        """Empty blocks."""
        return [self.block(after=step, quiet=quiet) for _ in range(duration // step)]

    def move(self, price: int, *, feed: int = 1, duration: int = 250) -> list[Outcome]:
        """The index jumps; blocks follow."""
        self.price[feed] = price
        return self.run(duration)

    def order(
        self, side: int, price: int, lots: int, *, market: int = PERP, **fields: Any
    ) -> bytes:
        return place_item(market, side, price, lots, **fields)

    def post(self, who: Signer, side: int, price: int, lots: int, **fields: Any) -> Outcome:
        item = self.order(side, price, lots, tif=enums.TIF_POST_ONLY, **fields)
        return self.block(who.place(item))

    def take(self, who: Signer, side: int, price: int, lots: int, **fields: Any) -> Outcome:
        item = self.order(side, price, lots, tif=fields.pop("tif", enums.TIF_IOC), **fields)
        return self.block(who.place(item))

    def trade(
        self, buyer: Signer, seller: Signer, price: int, lots: int, *, market: int = PERP
    ) -> None:
        """Open between two accounts."""
        first = self.post(seller, enums.SELL, price, lots, market=market)
        assert not any(first.codes), first.codes
        second = self.take(buyer, enums.BUY, price, lots, market=market)
        assert not any(second.codes), second.codes

    def cancel_all(self, who: Signer) -> Outcome:
        return self.block(act(who, actions.CANCEL_ALL, side=enums.BOTH_SIDES))

    def add_trader(self, number: int, money: int = 10**9) -> Signer:
        who = add_owner(self.zone, number)
        add_funds(self.zone, who, 1, money)
        return who

    def wake(self) -> None:
        """Run until every price is LIVE."""
        for _ in range(200):
            live = [perp for perp in self.model.perps.values() if perp.is_live]
            if all(perp.state == enums.PRICE_LIVE for perp in live):
                return
            self.block(after=1_000)
        raise AssertionError("a price does not come alive")


def build_perp_world(
    zone: Zone | None = None,
    *,
    money: int = 10**9,
    cap: int = 1 << 60,
    more: tuple[dict[str, Any], ...] = (),
    oracle: dict[str, Any] | None = None,
    **terms: Any,
) -> PerpWorld:
    """Market 2 is a perpetual at 1,000 ticks, LIVE; alice, bob and carol hold `money` atoms.

    `zone` is where it is built, if not in the one that `tests.model.beside` chooses; `more` lists further perpetuals, from market 3 on; a term `feed` > 1 brings a feed of its own.
    """
    zone = zone or beside.make_zone()
    built = PerpWorld(build_world(zone, usd=money), {1: 1_000})
    listings = [list_perp(PERP, **terms)]
    for number, other in enumerate(more, PERP + 1):
        built.price.setdefault(other.get("feed", 1), 1_000)
        listings.append(list_perp(number, **(terms | other)))
    outcome = zone.block(
        *(set_oracle(feed, **(oracle or {})) for feed in sorted(built.price)),
        *listings,
        tell(messages.SET_RISK, venue=1, asset=1, cap=cap),
    )
    assert not outcome.of(events.MESSAGE_IGNORED), outcome.of(events.MESSAGE_IGNORED)
    built.wake()
    return built
