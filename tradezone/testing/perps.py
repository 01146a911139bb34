"""A venue with one perpetual in an engine of this process, and everything recomputed that its prices and fills say.

`PerpZone` drives whatever executes runs (`tradezone.testing.zone.EngineLike`): it tells it what L1 would tell, signs what
providers and traders sign, closes blocks and keeps their events. After every block `PerpZone.audit` holds the state against
Python integers of its own: index, mark, funding and fees by the formulas of ``docs/spec``, and the two conservation lines.
Nothing here asks the engine how it came to a number.

Units: the quote asset has 6 decimals, a tick is one dollar of the price of a coin, a lot a thousandth of a coin, so one tick
of one lot is ``TICK_VALUE`` = 1,000 atoms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from tradezone.client import PrivateKey
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.hashing import keccak
from tradezone.protocol.records import TABLE_BY_NAME

from .zone import SEPARATOR, START, EngineLike

USD: Final = 10**6  # atoms
TICK_VALUE: Final = 1_000  # atoms of one tick of one lot
FEED_UNIT: Final = 10**8  # feed units of a tick
VENUE, QUOTE, MARKET, FEED = 1, 1, 1, 1
PROVIDERS: Final = ("provider A", "provider B", "provider C")
PROTOCOL, DEPLOYER = "the protocol", "the deployer"
HEARTBEAT_MS: Final = 45_000
TERMS: Final[Mapping[str, int]] = {
    "market": MARKET,
    "id": VENUE << 16 | MARKET,
    "venue": VENUE,
    "quote": QUOTE,
    "feed": FEED,
    "feedScale": FEED_UNIT,
    "tickValue": TICK_VALUE,
    "maxNotional": 1 << 50,
    "maxLots": 50_000,
    "maxPrice": 250_000,
    "takerFee": 500,
    "makerFee": 200,
    "protocolShare": 200_000,
    "insuranceShare": 500_000,
    "band": 400_000,
    "bandListing": 300_000,
    "bandBasis": 200_000,
    "openInterestCap": 50_000_000 * USD,
    "fundingCap": 1_000_000,
    "interest": 100_000,
    "impactNotional": 20_000 * USD,
    "oiLower": 20_000_000 * USD,
    "oiUpper": 60_000_000 * USD,
    "lossCap": 3_000 * USD,
    "imr0": 100_000,
    "mmr0": 50_000,
    "lower1": 2_000_000 * USD,
    "imr1": 200_000,
    "mmr1": 100_000,
}
"""Terms of the perpetual: ten times leverage and 5 % maintenance, five times and 10 % beyond two million dollars."""


class NumberError(AssertionError):
    """A number of the zone is not what its formula gives."""


def equal(what: str, found: object, expected: object) -> None:
    """NumberError if two numbers differ."""
    if found != expected:
        raise NumberError(f"{what} is {found}, its formula gives {expected}")


# --- the formulas, in integers --------------------------------------------------------------------------


def ceil_div(a: int, b: int) -> int:
    """Divide towards plus infinity; b > 0."""
    return -(-a // b)


def trunc_div(a: int, b: int) -> int:
    """Divide towards zero; b > 0."""
    return a // b if a >= 0 else -(-a // b)


def clamp(value: int, low: int, high: int) -> int:
    """Bring a value into a range."""
    return max(low, min(value, high))


def get_median(values: Iterable[int]) -> int:
    """Middle value; of an even number the mean of the two middle ones, rounded down."""
    row = sorted(values)
    half = len(row) // 2
    return row[half] if len(row) % 2 else (row[half - 1] + row[half]) // 2


def get_notional(lots: int, price: int) -> int:
    """Value of lots at a price, atoms."""
    return abs(lots) * price * TICK_VALUE


def get_slices(notional: int, rates: tuple[int, int], terms: Mapping[str, int] = TERMS) -> int:
    """Return the margin of two tiers, atoms, rounded up once."""
    first = min(notional, terms["lower1"])
    return ceil_div(first * rates[0] + (notional - first) * rates[1], limits.PPM)


def get_maintenance(lots: int, mark: int) -> int:
    """Maintenance margin of a position, atoms."""
    return get_slices(get_notional(lots, mark), (TERMS["mmr0"], TERMS["mmr1"]))


def get_initial(lots: int, mark: int) -> int:
    """Return the initial margin at the highest leverage, atoms, without orders and below the bound of open interest."""
    notional = get_notional(lots, mark)
    return max(ceil_div(notional, 10), get_slices(notional, (TERMS["imr0"], TERMS["imr1"])))


@dataclass(frozen=True)
class Shares:
    """Where the fees of a fill go, atoms."""

    taker: int
    maker: int
    venue: int
    insurance: int
    protocol: int


def get_fees(notional: int, *, is_forced: bool = False, has_deficit: bool = False) -> Shares:
    """Fees of a fill and their shares; nobody refers anybody here."""
    if has_deficit:
        return Shares(0, 0, 0, 0, 0)
    taker = 0 if is_forced else ceil_div(notional * TERMS["takerFee"], limits.PPM)
    maker = ceil_div(notional * TERMS["makerFee"], limits.PPM)
    share = TERMS["protocolShare"]
    rest = taker + maker - ceil_div(taker * share, limits.PPM) - ceil_div(maker * share, limits.PPM)
    insurance = rest * TERMS["insuranceShare"] // limits.PPM
    venue = rest * (limits.PPM - TERMS["insuranceShare"]) // limits.PPM
    return Shares(taker, maker, venue, insurance, taker + maker - venue - insurance)


# --- people ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Person:
    """An owner with one account and one key, which have slots of their own."""

    name: str
    owner: int
    account: int
    key: int
    secret: PrivateKey


@dataclass(frozen=True)
class Stake:
    """What an account has in the market: its pool's collateral and its position, atoms and lots."""

    collateral: int
    lots: int
    quote: int

    def equity(self, mark: int) -> int:
        """Collateral and profit or loss at a mark, atoms."""
        return self.collateral + self.quote + self.lots * mark * TICK_VALUE


@dataclass
class PriceReplica:
    """Index, averages, mark and funding of the market, recomputed tick by tick from what was signed and quoted."""

    index: int = 0
    mark: int = 0
    basis: int = 0
    book: int = 0
    average: int = 0
    premium_sum: int = 0
    premium_count: int = 0
    rate: int = 0
    funding_index: int = 0
    hour: int = 0
    tick_time: int = 0
    sample_time: int = 0
    ticks: int = 0

    def tick(self, time: int, index: int, quotes: tuple[int, int], *, accrues: bool) -> None:
        """One mark tick. ``quotes`` are the impact prices of bid and ask in SUBs, 0 = none; units as in docs/spec/prices.md."""
        sub, ppm, rate = limits.SUB, limits.PPM, limits.RATE
        dt = min(time - self.tick_time, limits.MAX_TICK_GAP) if self.tick_time else 0
        if not self.tick_time:
            self.average = index * sub
        self.tick_time, self.index, at = time, index, index * sub
        self.ticks += 1
        self.average += trunc_div((at - self.average) * dt, limits.HOUR)
        if time >= self.sample_time + limits.SAMPLE_MS:
            self._sample(time, quotes, accrues=accrues)
        left = limits.HOUR - time % limits.HOUR
        due = trunc_div(at * self.rate * left, rate * limits.HOUR)
        middle = sorted((at + self.basis, at + self.book, at + due))[1]
        reach = at * min(TERMS["band"], TERMS["mmr0"] // 2) // ppm
        self.mark = (clamp(middle, at - reach, at + reach) + sub // 2) // sub
        self._run_hour(time, accrues=accrues)

    def _sample(self, time: int, quotes: tuple[int, int], *, accrues: bool) -> None:
        at, (bid, ask) = self.index * limits.SUB, quotes
        ds = min(time - self.sample_time, limits.SAMPLE_MAX)
        self.sample_time = time
        offset = premium = 0
        if bid and ask:
            reach = at * TERMS["bandBasis"] // limits.PPM
            offset = clamp((bid + ask) // 2 - at, -reach, reach)
            premium = trunc_div((max(bid - at, 0) - max(at - ask, 0)) * limits.RATE, at)
        self.book += trunc_div((offset - self.book) * ds, limits.BOOK_AVERAGE)
        most = at * limits.BASIS_STEP * ds // (1_000 * limits.PPM)
        self.basis += clamp(
            trunc_div((offset - self.basis) * ds, limits.BASIS_AVERAGE), -most, most
        )
        if accrues:
            self.premium_sum += clamp(premium, -limits.RATE // 10, limits.RATE // 10)
            self.premium_count += 1

    def _run_hour(self, time: int, *, accrues: bool) -> None:
        hour = time // limits.HOUR
        self.hour = self.hour or hour
        if hour == self.hour:
            return
        rate, cap = 0, TERMS["fundingCap"]
        if accrues and self.premium_count >= limits.MIN_SAMPLES:
            premium = trunc_div(self.premium_sum, self.premium_count)
            inner = clamp(TERMS["interest"] - premium, -limits.FUNDING_CLAMP, limits.FUNDING_CLAMP)
            rate = clamp(trunc_div(premium + inner, 8), -cap, cap)
            rate = clamp(rate, self.rate - cap // 4, self.rate + cap // 4)
        scale = limits.FUNDING_UNIT // (TERMS["maxPrice"] * TICK_VALUE)
        self.funding_index += trunc_div(rate * self.index * TICK_VALUE * scale, limits.RATE)
        self.rate, self.hour, self.premium_sum, self.premium_count = rate, hour, 0, 0


# --- the zone -------------------------------------------------------------------------------------------


@dataclass
class PerpZone:
    """A zone with a venue, an oracle set and one perpetual.

    Parameters
    ----------
    engine : EngineLike
        at genesis; it also has ``tables``
    price : int
        index that the providers sign, ticks
    """

    engine: EngineLike
    price: int
    time: int = START - START % limits.HOUR + 60_000  # a minute behind an hour
    people: dict[str, Person] = field(default_factory=dict)
    replica: PriceReplica = field(default_factory=PriceReplica)
    deposited: int = 0  # atoms that L1 told of
    blocks: int = 0
    fills: int = 0
    income: int = 0  # of the insurance fund: its shares of fees and its gains, atoms
    venue_fees: int = 0  # the venue's shares, atoms
    codes: list[int] = field(default_factory=list)  # first error of each action of the last block
    _inbox: int = 0
    _told: list[bytes] = field(default_factory=list)
    _nonce: int = 0
    _heard: int = 0
    _quotes: tuple[int, int] = (0, 0)
    _has_job: bool = False

    def __post_init__(self) -> None:
        self.tables: Mapping[str, Any] = self.engine.tables  # type: ignore[attr-defined]
        self.providers = [PrivateKey(keccak(f"perps {name}".encode())) for name in PROVIDERS]

    # --- telling and signing

    def tell(self, kind: int, /, **values: int | bytes) -> None:
        """Put an inbox message into the next block; fields not given are zero."""
        layout = messages.BODIES[kind]
        body: dict[str, int | bytes] = {
            name: bytes(width) if code.startswith("bytes") or code == "address" else 0
            for name, code, width in layout
        }
        number = self._inbox + len(self._told)
        payload = actions.pack(layout, body | values)
        told = messages.Message(number, kind, bytes(20), self.time // 1_000, number, payload)
        self._told.append(told.to_bytes())

    def add(self, name: str, money: int = 0, kind: int = enums.OWNER_USER) -> Person:
        """Register a person, with a deposit."""
        secret = PrivateKey(keccak(f"perps {name}".encode()))
        owner = int(self.tables["head"][TABLE_BY_NAME["owner"].number]["high_water"])
        self.tell(
            messages.REGISTER_OWNER, owner=owner, address=secret.address, referrer=0, kind=kind
        )
        told = self.block(after=1)
        key = next(int(e["order"]) for e in told if e["kind"] == events.KEY_APPROVED)
        account = next(int(e["account"]) for e in told if e["kind"] == events.OWNER_REGISTERED)
        person = Person(name, owner, account, key, secret)
        self.people[name] = person
        if money:
            self.deposit(person, money)
        return person

    def deposit(self, person: Person, money: int) -> None:
        """Let money come from L1."""
        address = person.secret.address
        self.tell(messages.DEPOSIT, owner=person.owner, address=address, asset=QUOTE, amount=money)
        self.deposited += money
        self.block(after=1)

    def sign(self, person: Person, action: int, body: bytes) -> tuple[bytes, bytes]:
        """Return an envelope and its signer."""
        self._nonce = max(self._nonce, self.time) + 1
        envelope = actions.Envelope(
            account=person.account,
            key=person.key,
            nonce=self._nonce,
            expires_after=self.time + 60_000,
            action=action,
            body=body,
        )
        return person.secret.sign(envelope, SEPARATOR).to_leaf(), person.secret.address

    def place(
        self,
        person: Person,
        side: int,
        price: int,
        lots: int,
        tif: int = enums.TIF_POST_ONLY,
        flags: int = 0,
    ) -> tuple[bytes, bytes]:
        """Return a signed order."""
        values: dict[str, int | bytes] = {
            "market": MARKET,
            "price": price,
            "lots": lots,
            "side": side,
            "tif": tif,
            "stp": enums.STP_OLDEST,
            "flags": flags,
            "expires": 0,
            "client_id": bytes(16),
            "interface": 0,
            "interface_fee": 0,
        }
        return self.sign(person, actions.PLACE, actions.pack(actions.PLACE_ITEM, values))

    def act(self, person: Person, action: int, **values: int | bytes) -> tuple[bytes, bytes]:
        """Return another signed action of one item or body."""
        layout = actions.ITEM_LAYOUTS.get(action) or actions.TYPED_ACTIONS[action][1]
        return self.sign(person, action, actions.pack(layout, values))

    def adjust(self, person: Person, direction: int, amount: int) -> tuple[bytes, bytes]:
        """Return a signed movement of margin."""
        values = {"venue": VENUE, "asset": QUOTE, "market": MARKET}
        return self.act(person, actions.ADJUST_MARGIN, **values, direction=direction, amount=amount)

    def _sign_prices(self) -> list[tuple[bytes, bytes]]:
        signed = []
        spread = max(1, self.price // 6_000)  # the providers do not agree to the tick
        for place, (key, off) in enumerate(zip(self.providers, (0, spread, -spread), strict=True)):
            price = actions.SignedPrice(FEED, 11 + place, (self.price + off) * FEED_UNIT, self.time)
            signature = key.sign_digest(price.digest(SEPARATOR))
            leaf = actions.SignedPrice(FEED, 11 + place, price.price, self.time, signature)
            signed.append((leaf.to_leaf(), key.address))
        return signed

    # --- blocks

    def block(
        self,
        *signed: tuple[bytes, bytes],
        after: int = 250,
        is_quiet: bool = False,
        may_fail: bool = False,
    ) -> list[Any]:
        """Close a block ``after`` ms behind the last one, with fresh prices unless ``is_quiet``; return its events.

        NumberError if an action fails (unless ``may_fail``), if a message is ignored, or if `audit` finds a fault.
        """
        self.time += after
        if self.time - self._heard >= limits.STALE_L1 // 2:
            self._heard = self.time
            self.tell(messages.HEARTBEAT)
        leaves: list[bytes] = [actions.block_mark(self.blocks + 1, self.time)]
        signers: list[bytes | None] = [None]
        if self._told:
            end = self._inbox + len(self._told)
            leaves += [actions.inbox_mark(end)]
            signers += [None]
        is_quiet = is_quiet or not self.tables["feed"][FEED]["state"]
        for leaf, signer in [*(() if is_quiet else self._sign_prices()), *signed]:
            leaves.append(leaf)
            signers.append(signer)
        has_deficit = self.blocks > 0 and bool(self.tables["ledger"][1]["deficit"])
        results, told = self.engine.execute(leaves, signers, self._told)
        self._inbox += len(self._told)
        self._told = []
        self.blocks += 1
        rows = list(told)
        if not may_fail:
            equal("the first error of a block", [r for r in results if r], [])
        ignored = [int(e["error"]) for e in rows if e["kind"] == events.MESSAGE_IGNORED]
        equal("messages that were ignored", ignored, [])
        self.codes = [int(result) & 0xFFFF for result in results[len(results) - len(signed) :]]
        self.audit(rows, has_deficit=has_deficit, is_quiet=is_quiet)
        return rows

    def run(self, duration: int, step: int = 250) -> list[Any]:
        """Close empty blocks; return the events of all."""
        return [row for _ in range(duration // step) for row in self.block(after=step)]

    def run_until(self, kind: int, step: int = 250, most: int = 400) -> list[Any]:
        """Close empty blocks up to the first with an event of a kind; return the events of all."""
        rows: list[Any] = []
        for _ in range(most):
            rows += self.block(after=step)
            if any(row["kind"] == kind for row in rows):
                return rows
        raise NumberError(f"no event {kind} in {most} blocks")

    def trade(
        self, buyer: Person, seller: Person, price: int, lots: int, *, after: int = 250
    ) -> list[Any]:
        """Let a seller quote and a buyer take it, in two blocks."""
        rows = self.block(self.place(seller, enums.SELL, price, lots), after=after)
        return rows + self.block(self.place(buyer, enums.BUY, price, lots, enums.TIF_IOC))

    def cancel_all(self, person: Person) -> list[Any]:
        """Let a person take all orders back."""
        signed = self.act(person, actions.CANCEL_ALL, market=0, side=enums.BOTH_SIDES)
        return self.block(signed)

    # --- reading the state

    @property
    def ledger(self) -> Any:
        """Record of the wall."""
        return self.tables["ledger"][1]

    @property
    def fund(self) -> int:
        """Money of the insurance fund, atoms."""
        return int(self.ledger["fund"])

    @property
    def terms(self) -> Any:
        """Record of the moving price."""
        return self.tables["price"][MARKET]

    @property
    def mark(self) -> int:
        """Ticks."""
        return int(self.terms["mark"])

    @property
    def state(self) -> int:
        """State of the price, PRICE_*."""
        return int(self.terms["state"])

    def _used(self, table: str) -> Any:
        used = int(self.tables["head"][TABLE_BY_NAME[table].number]["high_water"])
        rows = self.tables[table][1:used]
        return rows[rows["state"] != enums.FREE]

    def free(self, who: Person | int) -> int:
        """Free atoms of an account."""
        account = who if isinstance(who, int) else who.account
        rows = self._used("balance")
        return int(rows["free"][rows["account"] == account].sum())

    def stake(self, who: Person | int) -> Stake:
        """Return what an account has in the market."""
        account = who if isinstance(who, int) else who.account
        pools, positions = self._used("pool"), self._used("position")
        mine = positions[positions["account"] == account]
        return Stake(
            int(pools["collateral"][pools["account"] == account].sum()),
            int(mine["lots"].sum()),
            int(mine["quote"].sum()),
        )

    def pool_state(self, who: Person | int) -> int:
        """State of an account's pool, FREE if it has none."""
        account = who if isinstance(who, int) else who.account
        rows = self._used("pool")
        states = rows["state"][rows["account"] == account]
        return int(states[0]) if len(states) else enums.FREE

    @property
    def fund_account(self) -> int:
        """Account of the insurance fund."""
        return int(self.tables["venue"][VENUE]["fund_account"])

    def wealth(self, who: Person) -> int:
        """Free money and equity, atoms."""
        return self.free(who) + self.stake(who).equity(self.mark)

    # --- what is recomputed after every block

    def audit(self, rows: list[Any], *, has_deficit: bool, is_quiet: bool) -> None:
        """Hold prices, fees and conservation against formulas. NumberError names the first number that differs."""
        self._audit_price(is_quiet=is_quiet)
        self._audit_fills(rows, has_deficit=has_deficit)
        self._audit_money()
        self._quotes = (self._get_impact(enums.BUY), self._get_impact(enums.SELL))
        self._has_job = bool(self.tables["job"][MARKET]["kind"])

    def _audit_price(self, *, is_quiet: bool) -> None:
        now, replica = self.terms, self.replica
        is_live = bool(self.tables["agenda"][0]["perps"]) and not now["settlement"]
        if not is_live or self._has_job or is_quiet or int(now["tick_time"]) != self.time:
            return
        accrues = int(now["state"]) in (
            enums.PRICE_REOPEN,
            enums.PRICE_THROTTLED,
            enums.PRICE_LIVE,
        )
        spread = max(1, self.price // 6_000)
        index = get_median((self.price, self.price + spread, self.price - spread))
        replica.tick(self.time, index, self._quotes, accrues=accrues)
        for name, value in (
            ("index", replica.index),
            ("mark", replica.mark),
            ("basis", replica.basis),
            ("book", replica.book),
            ("average", replica.average),
            ("funding_rate", replica.rate),
            ("funding_index", replica.funding_index),
        ):
            equal(f"{name} at {self.time}", int(now[name]), value)

    def _get_impact(self, side: int) -> int:
        """Impact price of a side in SUBs from the levels of the book, 0 = not deep enough."""
        book, levels = self.tables["book"][MARKET], self.tables["level"]
        at, missing, lots, value = (
            int(book["best_bid" if side == enums.BUY else "best_ask"]),
            TERMS["impactNotional"],
            0,
            0,
        )
        for _ in range(limits.IMPACT_LEVELS):
            if not at:
                break
            price = int(levels["price"][at])
            part = min(int(levels["firm"][at]), ceil_div(missing, price * TICK_VALUE))
            lots, value, missing = (
                lots + part,
                value + price * part,
                missing - part * price * TICK_VALUE,
            )
            if missing <= 0:
                up, down = ceil_div(value * limits.SUB, lots), value * limits.SUB // lots
                return down if side == enums.BUY else up
            at = int(levels["next"][at])
        return 0

    def _audit_fills(self, rows: list[Any], *, has_deficit: bool) -> None:
        forced = {int(e["order"]) for e in rows if e["kind"] == events.FORCED_ORDER}
        for at, row in enumerate(rows):
            if row["kind"] != events.FILL:
                continue
            self.fills += 1
            is_forced = int(row["order"]) in forced
            notional = get_notional(int(row["lots"]), int(row["price"]))
            fees = get_fees(notional, is_forced=is_forced, has_deficit=has_deficit)
            gain = int(row["amount"]) - fees.taker
            if not is_forced:
                equal("fee of a taker", gain, 0)
            equal("fee of a maker", int(row["amount2"]), fees.maker)
            if fees.taker + fees.maker:
                shares = next(e for e in rows[at:] if e["kind"] == events.FEES)
                found = tuple(int(shares[name]) for name in ("amount", "amount2", "left"))
                equal("shares of a fee", found, (fees.venue, fees.insurance, fees.protocol))
            self.income += fees.insurance + gain
            self.venue_fees += fees.venue

    def _audit_money(self) -> None:
        """Compare two lines: the zone owes what came in, the wall holds what it owes."""
        balances, pools, positions = (self._used(name) for name in ("balance", "pool", "position"))
        cash, deficit = int(self.ledger["cash"]), int(self.ledger["deficit"])
        outside = _sum(balances["free"]) + _sum(balances["locked"])
        total = int(self.tables["asset"][QUOTE]["total"])
        equal("what came in from L1", total, self.deposited)
        equal("balances and cash", outside + cash + int(self.tables["asset"][QUOTE]["dust"]), total)
        job = self.tables["job"][MARKET]
        owed = _sum(pools["collateral"]) + _sum(positions["quote"]) + self.fund
        owed += int(self.terms["pot"]) + int(job["money"])
        owed += int(job["lots_moved"]) * self.mark * TICK_VALUE
        equal("claims inside the wall", owed, cash + deficit)
        equal("lots of all positions", _sum(positions["lots"]), int(job["lots_moved"]))


def _sum(column: Any) -> int:
    return sum(np.asarray(column).tolist())


def build_perp_zone(engine: EngineLike, price: int = 60_000) -> PerpZone:
    """Register protocol and deployer, asset, venue, oracle set and perpetual; the price has no first index yet."""
    zone = PerpZone(engine, price)
    zone.add(PROTOCOL)
    zone.add(DEPLOYER)
    token = QUOTE.to_bytes(20, "big")
    zone.tell(
        messages.REGISTER_ASSET,
        asset=QUOTE,
        token=token,
        kind=enums.ASSET_ERC20,
        decimals=6,
        quantum=1,
        cap=limits.MAX_TOTAL_ATOMS,
        venue=0,
    )
    owner = zone.people[DEPLOYER].owner
    zone.tell(messages.CREATE_VENUE, venue=VENUE, owner=owner, access=0, stake=10**12)
    oracle: dict[str, int | bytes] = {
        "feed": FEED,
        "venue": VENUE,
        "quorum": 2,
        "heartbeat": HEARTBEAT_MS,
        "deviation": 20_000,
        "breaker": 150_000,
    }
    for place, key in enumerate(zone.providers):
        oracle |= {f"provider{place}": 11 + place, f"signer{place}": key.address}
    zone.tell(messages.ORACLE_SET, **oracle)
    zone.tell(messages.LIST_PERP, **TERMS)
    zone.tell(messages.SET_RISK, venue=VENUE, asset=QUOTE, cap=10_000_000 * USD)
    zone.block(after=1)
    return zone
