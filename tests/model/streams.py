"""Random streams of inputs: valid, hostile and at the bounds, made against the state that the model is in.

A `Stream` sets up a zone and makes one `Run` after the other from a source of chance: `random.Random(seed)` for speed,
or Hypothesis's own `Random`, which shrinks. Each stream first draws which kinds of inputs it likes (some streams cancel
much, some are mostly hostile, some build deep books), because what is rare in all streams is never found.

A run is data, so a failing stream can be cut down: `reduce_runs` leaves out whatever is not needed to fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, TypeVar

from tests.model.engine import Model
from tests.model.pure import PureEngine
from tests.model.world import (
    HOUR,
    NO_SIGNATURE,
    START,
    Action,
    Entry,
    Outcome,
    Tell,
    Zone,
    amend_item,
    cancel_item,
    create_venue,
    credential,
    deposit,
    get_address,
    heartbeat,
    item,
    list_event,
    list_market,
    list_outcome,
    payouts,
    place_item,
    register_asset,
    register_owner,
    tell,
    update_market,
)
from tradezone.protocol import actions, enums, events, limits, messages
from tradezone.protocol.batches import Header

T = TypeVar("T")
BUY, SELL = enums.BUY, enums.SELL

TOP = 1 << 63
TRADERS = (3, 4, 5, 6)  # owners; 1 is the protocol, 2 the deployer, 7 a contract
ONE_BUCKET = (1, 1545849, 2666588, 3325398, 3519956)  # client ids of account 3 that share a bucket
HUGE = 4  # an asset held in amounts near the bound; so is asset 1's counterpart 5


@dataclass(frozen=True)
class Patch:
    """A change of a record that no message can make yet."""

    table: str
    slot: int
    field: str
    value: int


@dataclass(frozen=True)
class Run:
    """Inputs of one run: patches first, then blocks as (time, entries)."""

    blocks: tuple[tuple[int, tuple[Entry, ...]], ...]
    patches: tuple[Patch, ...] = ()
    unmarked: tuple[Tell, ...] = ()
    bounds: tuple[tuple[str, int], ...] | None = None

    def apply(self, zone: Zone) -> Outcome:
        for patch in self.patches:
            zone.patch(patch.table, patch.slot, **{patch.field: patch.value})
        bounds = None if self.bounds is None else dict(self.bounds)
        return zone.batch(self.blocks, unmarked=self.unmarked, bounds=bounds)


@dataclass
class Known:
    """An order that was once open."""

    id: int
    account: int
    client_id: int


@dataclass
class Stream:
    """Inputs made by chance for one zone.

    Parameters
    ----------
    zone : Zone
        fresh zone to drive
    random : Random
        source of chance; its smallest choices are the plainest inputs
    is_plain : bool
        leaves and messages only: no patches, no headers
    """

    zone: Zone
    random: Random
    is_plain: bool = False  # leaves and messages only: no patches, no headers
    runs: list[Run] = field(default_factory=list)
    known: list[Known] = field(default_factory=list)
    _nonce: int = 0
    _used_nonces: list[int] = field(default_factory=list)
    _likes: dict[str, int] = field(default_factory=dict)
    _hostility: int = 0  # per mille
    _is_deep: bool = False
    _chapters: dict[str, int] = field(default_factory=dict)
    _typed_likes: list[int] = field(default_factory=list)
    reached: Counter[tuple[str, int]] = field(default_factory=Counter)

    # --- chance ------------------------------------------------------------------------------------

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.random.randrange(len(choices))]

    def chance(self, per_mille: int) -> bool:
        return self.random.randrange(1000) >= 1000 - per_mille

    def between(self, low: int, high: int) -> int:
        return low + self.random.randrange(high - low + 1)

    def weighted(self, weights: dict[str, int]) -> str:
        at = self.random.randrange(sum(weights.values()))
        for name, weight in weights.items():
            if at < weight:
                return name
            at -= weight
        raise AssertionError

    def is_hostile(self) -> bool:
        return self.chance(self._hostility)

    # --- setting up ----------------------------------------------------------------------------------

    def set_up(self) -> Outcome:
        """Register owners, assets, venues and markets, and hand out money."""
        self._hostility = self.pick((10, 0, 50, 150))
        self._is_deep = self.chance(150)
        kinds = {
            "place": 10,
            "cancel": 4,
            "amend": 4,
            "transfer": 1,
            "withdraw": 1,
            "approve": 1,
            "revoke": 1,
            "create_account": 1,
            "noop": 1,
            "tell": 1,
            "garbage": 1,
            "chapter": 16,
        }
        self._likes = {name: w * self.pick((1, 1, 3, 0)) for name, w in kinds.items()}
        self._likes["place"] += 5
        chapters = {
            "outcome": 4,
            "plan": 4,
            "quote": 2,
            "typed": 2,
            "set": 2,
            "clean_up": 2,
            "message": 2,
            "credential": 2,
        }
        self._chapters = {name: w * self.pick((1, 0, 3, 10)) for name, w in chapters.items()}
        self._chapters["outcome"] += 1
        self._typed_likes = [self.pick((1, 1, 8)) for _ in range(10)]
        tells = [register_owner(i, get_address(i), referrer=i // 2) for i in range(1, 7)]
        tells.append(register_owner(7, get_address(7), kind=enums.OWNER_CONTRACT))
        tells += [register_asset(i) for i in (1, 2, 3, HUGE, HUGE + 1)]
        tells += [create_venue(1, 2), create_venue(2, 2, access=self.pick((0, 0, 0, 0, 0, 1)))]
        tells.append(register_asset(6, kind=enums.ASSET_SIMULATED, venue=1, cap=100))
        pairs = [(2, 1), (3, 1), (2, 3), (HUGE, HUGE + 1)]
        for market, (base, quote) in enumerate(pairs, 1):
            is_huge = base == HUGE
            tells.append(self._listing(market, base, quote, is_huge=is_huge))
        tells += [list_event(1, 2, unit=100_000), list_event(2, 3, unit=100_000)]
        for market, group in enumerate((1, 2, 2, 2), 5):
            tells.append(list_outcome(market, group, tickValue=10_000, maxLots=1000))
        guest = {"market": 9, "id": 2 << 16 | 9, "venue": 2, "guestFee": self.pick((0, 700))}
        tells.append(tell(messages.LIST_GUEST, home=self.pick((5, 6)), **guest))
        tells.append(tell(messages.SET_ASSET, asset=6, faucetAmount=50, faucetInterval=3000))
        tells.append(tell(messages.SET_ASSET, asset=1, quotaRate=1000))
        for owner in TRADERS:
            for asset in (1, 2, 3):
                amount = 10**9 if self._is_deep else self.pick((10**7, 10**5, 10**9, 1000))
                tells.append(deposit(owner, get_address(owner), asset, amount))
            for asset in (HUGE, HUGE + 1):
                tells.append(deposit(owner, get_address(owner), asset, (1 << 60) - 1))
        outcome = self.do(Run(((START, tuple(tells)),)))
        self._furnish()
        return outcome

    def _furnish(self) -> None:
        """Doors approved, lists filled, bands and caps set: what most inputs would else be refused for."""
        model = self.zone.model
        deployer, fee_account = model.owners[2].main_account, model.venues[2].fee_account
        entries: list[Entry] = []
        for owner in TRADERS:
            account = model.owners[owner].main_account
            if self.chance(600):
                values = {"interface": fee_account, "maxFee": self.pick((10_000, 700, 300))}
                body = item(actions.APPROVE_INTERFACE, **values)
                entries.append(self.envelope(actions.APPROVE_INTERFACE, body, account=account))
            if self.chance(600):
                body = item(actions.GRANT_ACCESS, venue=2, grantee=owner)
                entries.append(self.envelope(actions.GRANT_ACCESS, body, account=deployer))
            if self.chance(300):
                entries.append(self.envelope(actions.CREATE_ACCOUNT, b"", account=account))
            if self.chance(300):
                body = item(actions.SPLIT, group=2, lots=self.pick((1, 5, 20)))
                entries.append(self.envelope(actions.SPLIT, body, account=account))
        for market in (1, 3, 5, 6):
            if self.chance(300):
                changes = self.pick(
                    (
                        {"band": self.pick((100_000, 200_000))},
                        {"referrerShare": 50_000},
                        {"openInterestCap": 500_000} if market > 4 else {"band": 200_000},
                        {"accountCap": 300_000} if market > 4 else {"referrerShare": 50_000},
                    )
                )
                entries.append(update_market(self.zone, market, **changes))
        self.do(Run(((START, tuple(entries)),)))

    def _listing(self, market: int, base: int, quote: int, *, is_huge: bool = False) -> Tell:
        tick = self.pick((5, 1, 7, 1000))
        share = self.pick((200_000, 100_000, 333_333, 1_000_000))
        terms: dict[str, Any] = {
            "venue": self.pick((1, 1, 1, 2)),
            "takerFee": self.pick((500, 0, 1, 333, limits.MAX_TAKER_FEE)),
            "makerFee": self.pick((200, 0, -100, -500, -limits.MAX_REBATE, limits.MAX_MAKER_FEE)),
            "protocolShare": share,
            "insuranceShare": self.pick((0, min(100_000, limits.PPM - share), limits.PPM - share)),
            "takerDelay": self.pick((0, 3, 1, 50)),
            "lotSize": self.pick((1, 10)),
            "tickValue": tick,
            "maxPrice": 10,
            "maxLots": self.pick((1000, 5, 10**6)),
            "minNotional": self.pick((0, 0, 4 * tick)),
            "maxNotional": self.pick((limits.MAX_NOTIONAL, limits.MAX_NOTIONAL, 30 * tick)),
            "effectiveAt": self.pick((0, 0, START + 10)),
        }
        if self._is_deep and market == 1:
            terms |= {"venue": 1, "tickValue": 5, "maxLots": 1000, "minNotional": 0}
            terms |= {"maxNotional": limits.MAX_NOTIONAL, "effectiveAt": 0}
        if is_huge:
            tick = self.pick((limits.MAX_TICK_VALUE, 1, 1 << 20))
            top = limits.MAX_NOTIONAL // (10 * tick)
            terms |= {"tickValue": tick, "maxLots": top, "minNotional": 0}
            terms |= {"lotSize": min(limits.MAX_NOTIONAL // top, tick * 5)}
            terms |= {"maxNotional": limits.MAX_NOTIONAL}
        return list_market(market, base=base, quote=quote, **terms)

    # --- running -------------------------------------------------------------------------------------

    def do(self, run: Run) -> Outcome:
        self.runs.append(run)
        index = self.zone.model.inbox
        outcome = run.apply(self.zone)
        self._note(run, outcome, index)
        for event in outcome.events:
            if event["kind"] in (events.ORDER_WAITING, events.ORDER_RESTED):
                client_id = event["client_id1"] << 64 | event["client_id0"]
                self.known.append(Known(event["order"], event["account"], client_id))
        return outcome

    def _note(self, run: Run, outcome: Outcome, index: int) -> None:
        """Note what was reached: kinds of events, errors, actions and messages that were carried out."""
        for event in outcome.events:
            self.reached["event", event["kind"]] += 1
            self.reached["error", event["error"]] += 1
        for leaf, result in zip(outcome.leaves, outcome.results, strict=True):
            envelope = actions.Envelope.from_leaf(leaf)
            if envelope is not None and result == 0:
                self.reached["action", envelope.action] += 1
        ignored = {event["leaf"] for event in outcome.of(events.MESSAGE_IGNORED)}
        told = [e for _, entries in run.blocks for e in entries if isinstance(e, Tell)]
        for n, entry in enumerate([*told, *run.unmarked], index):
            if n < self.zone.model.inbox and n not in ignored:
                self.reached["message", entry.kind] += 1

    def step(self) -> Outcome:
        """Make one run and execute it."""
        time = self.zone.time
        blocks = []
        for _ in range(self.pick((1, 1, 1, 1, 2, 3))):
            time += self.pick((1, 0, 2, 3, 1, 5, 50))
            if self.chance(5):
                time += self.pick((2 * HOUR, 30 * HOUR))
            count = self.pick((1, 2, 3, 0, 5, 8))
            blocks.append((time, tuple(e for _ in range(count) for e in self.entries())))
        run = Run(tuple(blocks))
        if self.is_plain:
            return self.do(run)
        if self.chance(20):
            run = replace(run, patches=(self._patch(),))
        elif self.chance(300):
            run = replace(run, patches=self._repairs())
        if self.chance(80):
            unmarked = tuple(self.tell() for _ in range(self.pick((0, 1, 3))))
            marked = sum(isinstance(e, Tell) for _, entries in blocks for e in entries)
            bounds = self._bounds(time, marked + len(unmarked))
            run = replace(run, unmarked=unmarked, bounds=bounds)
        return self.do(run)

    def _patch(self) -> Patch:
        if self.chance(300):
            state = self.pick((enums.VENUE_ACTIVE, enums.VENUE_REDUCE_ONLY))
            return Patch("venue", self.pick((1, 2)), "state", state)
        if self.chance(300):
            delay = self.pick((0, 3, limits.MAX_TAKER_DELAY))
            return Patch("market", 1, "taker_delay", delay)
        phase = self.pick((enums.PHASE_POST_ONLY, *range(enums.PHASE_SETTLED)))
        open_ones = [  # settled is settled: its orders are gone, its venue counts it no more
            slot
            for slot, market in sorted(self.zone.model.markets.items())
            if market.phase != enums.PHASE_SETTLED
        ]
        return Patch("market", self.pick(open_ones or [1]), "phase", phase)

    def _repairs(self) -> tuple[Patch, ...]:
        """Open again what was shut."""
        model = self.zone.model
        return tuple(
            Patch("market", slot, "phase", enums.PHASE_CONTINUOUS)
            for slot, market in model.markets.items()
            if market.phase not in (enums.PHASE_CONTINUOUS, enums.PHASE_SETTLED)
        ) + tuple(
            Patch("venue", slot, "state", enums.VENUE_ACTIVE)
            for slot, venue in model.venues.items()
            if venue.state != enums.VENUE_ACTIVE
        )

    def _bounds(self, time: int, told: int) -> tuple[tuple[str, int], ...]:
        block = self.zone.model.block
        if told and self.chance(400):
            return (("inbox_index", self.zone.model.inbox + self.between(0, told)),)
        return self.pick(
            (
                (),
                (),
                (),
                (("blocks", 1),),
                (("first_block", block + 2),),
                (("end_time", time - 1),),
                (("start_time", time + 1), ("end_time", time + 1)),
            )
        )

    # --- leaves --------------------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        """One input, or a few that belong together."""
        if self._is_deep and self.chance(300):
            return self._depth()
        kind = self.weighted(self._likes)
        makers: dict[str, Callable[[], Entry]] = {
            "place": self.place,
            "cancel": self.cancel,
            "amend": self.amend,
            "transfer": self.transfer,
            "withdraw": self.withdraw,
            "approve": self.approve,
            "revoke": self.revoke,
            "create_account": lambda: self.envelope(actions.CREATE_ACCOUNT, b""),
            "noop": lambda: self.envelope(actions.NOOP, b""),
            "tell": self.tell,
            "garbage": self.garbage,
            "chapter": self.chapter,
        }
        entry = makers[kind]()
        holdings = list(self.zone.model.holdings.values())
        if isinstance(entry, Tell) and entry.kind == messages.RESOLUTION and holdings:
            held = self.pick(
                holdings
            )  # asked for in the block of the resolution, before the sweep pays it
            body = item(actions.REDEEM, market=held.market)
            return [entry, self.envelope(actions.REDEEM, body, account=held.account)]
        return [entry]

    def _depth(self) -> list[Entry]:
        """Many small orders at one price, and a taker for more of them than a block allows."""
        market, side = 1, self.pick((enums.SELL, enums.BUY))
        account = self.zone.model.owners[self.pick(TRADERS)].main_account
        if self.chance(400):
            price, lots = self.pick((5, 6, 4)), self.between(200, 700)
            stp, tif = self.pick((0, 1, 2, 3)), self.pick((0, 2, 3))
            item = place_item(market, side, price, lots, tif=tif, stp=stp)
            return [self.envelope(actions.PLACE, item, account=account)]
        price = 5 if side == enums.SELL else 4
        item = place_item(market, side, price, self.pick((1, 1, 2)), tif=enums.TIF_POST_ONLY)
        body = item * limits.MAX_ITEMS
        count = self.pick((1, 4, 10, 20))
        return [self.envelope(actions.PLACE, body, account=account) for _ in range(count)]

    def _account(self) -> int:
        if self.is_hostile():
            return self.pick((0, 1, 99, TOP >> 32, (1 << 32) - 1, *self.zone.model.accounts))
        owner = self.zone.model.owners[self.pick(TRADERS)]
        return owner.main_account if not self.chance(200) else self.pick(owner.accounts)

    def envelope(self, action: int, body: bytes, *, account: int | None = None) -> Action:
        """An envelope, in most cases one that is admitted."""
        model, time = self.zone.model, self.zone.time
        account = self._account() if account is None else account
        record = model.accounts.get(account)
        owner = record.owner if record else 3
        slots = model.owners[owner].keys
        key = model.keys[slots[-1]] if slots else None
        if slots and self.chance(350):
            key = model.keys[self.pick(slots)]
        key_id = key.id if key else 1
        signer = key.address if key else None
        self._nonce = max(self._nonce, time) + 1
        nonce, expires_after = self._nonce, time + 12 * HOUR
        if self.is_hostile():
            trick = self.pick(("nonce", "expiry", "signer", "key"))
            day = 24 * HOUR
            if trick == "nonce":
                choices = (time - 2 * day, time + day - 1, time + day, 0, TOP, 2 * TOP - 1, time)
                nonce = self.pick((*choices, *self._used_nonces[-8:]))
            elif trick == "expiry":
                expires_after = self.pick(
                    (time, time - 1, time + day, time + day + 1, 0, TOP, 2 * TOP - 1)
                )
            elif trick == "signer":
                signer = self.pick((None, get_address(3), get_address(77)))
            else:
                key_id = self.pick(
                    (0, 99, key_id | 1 << 32, key_id | TOP, 2 * TOP - 1, *model.keys, 1 << 32)
                )
        self._used_nonces.append(nonce)
        unsigned = actions.Envelope(
            account, key_id, nonce, expires_after, action, body, NO_SIGNATURE
        )
        return Action(unsigned.to_leaf(), signer)

    def _count(self) -> int:
        return limits.MAX_ITEMS if self.chance(20) else self.pick((1, 1, 1, 2, 3, 5))

    def _market(self) -> int:
        if self.is_hostile():
            return self.pick((0, 99, TOP >> 32, (1 << 32) - 1))
        markets = sorted(self.zone.model.markets) or [1]
        return self.pick((1, *markets))

    def _price(self, side: int | None = None, tif: int | None = None) -> int:
        if self.is_hostile():
            return self.pick((0, 10, 11, TOP >> 32, (1 << 32) - 1))
        if side is None or self.chance(100):
            return self.between(1, 10)
        passive = self.pick((1, 2, 3, 4)) if tif == enums.TIF_POST_ONLY else self.pick((0, 1, -1))
        return 5 - passive if side == enums.BUY else 5 + passive

    def _lots(self, market: int) -> int:
        record = self.zone.model.markets.get(market)
        if self.is_hostile():
            most = record.max_lots if record else 1
            return self.pick((0, most, most + 1, TOP, 2 * TOP - 1))
        if record and record.base == HUGE:
            unit = max(record.lot_size, 5 * record.tick_value)
            return self.between(1, max((1 << 60) // unit, 1))
        return self.pick((1, 2, 3, 4, 5, 7, 20))

    def _client_id(self) -> int:
        if not self.chance(300):
            return 0
        return self.pick((1, 2, 3, *ONE_BUCKET, 1 << 64, (1 << 128) - 1))

    def _place_item(self, tif: int | None) -> bytes:
        market, time = self._market(), self.zone.time
        if tif is None:
            tif = self.pick((enums.TIF_GTC, enums.TIF_POST_ONLY, enums.TIF_IOC, enums.TIF_FOK))
        expires = 0
        if self.chance(250):
            expires = time + self.between(1, 20)
        fields: dict[str, int] = {}
        if self.is_hostile():
            name = self.pick(("flags", "tif", "stp", "expires", "interface", "interface_fee"))
            fields[name] = self.pick((1, 4, 128, 255))
            if name == "expires":
                fields[name] = self.pick(
                    (time, 1, limits.MAX_TIME, limits.MAX_TIME + 1, TOP, 2 * TOP - 1)
                )
        side = self.pick((enums.BUY, enums.SELL))
        if self.is_hostile():
            side = self.pick((2, 255))
        values = {
            "tif": tif,
            "stp": self.pick((0, 1, 2, 3)),
            "expires": expires,
            "client_id": self._client_id(),
        }
        price = self._price(side, tif)
        return place_item(market, side, price, self._lots(market), **(values | fields))

    def place(self) -> Action:
        tif = enums.TIF_POST_ONLY if self.chance(350) else None
        body = b"".join(self._place_item(tif) for _ in range(self._count()))
        return self.envelope(actions.PLACE, body)

    def _target(self, account: int) -> tuple[int, int]:
        """(order id, client id) of an order: live, dead, foreign, waiting or unknown."""
        if not self.known or self.is_hostile():
            ids = (0, 1, 99, 1 << 32, TOP, 2 * TOP - 1, TOP >> 32)
            return self.pick(ids), self._client_id()
        own = [order for order in self.zone.model.orders.values() if order.account == account]
        if own and not self.chance(100):
            order = self.pick(own)
            if order.client_id and self.chance(300):
                return 0, order.client_id
            return order.id, 0
        known = self.pick(self.known[-40:])
        return known.id, known.client_id if self.chance(300) else 0

    def _trader(self) -> int:
        """An account with open orders, if there is one."""
        if not self.zone.model.orders:
            return self._account()
        return self.pick(list(self.zone.model.orders.values())).account

    def cancel(self) -> Action:
        account = self._trader()
        targets = [self._target(account) for _ in range(self._count())]
        body = b"".join(cancel_item(order, client_id=name) for order, name in targets)
        return self.envelope(actions.CANCEL, body, account=account)

    def amend(self) -> Action:
        items, account = [], self._trader()
        modes = self.pick(((0,), (1,), (2,), (0, 1), (0, 1, 2), (0, 1, 2, 3, 255)))
        for _ in range(self._count()):
            order_id, client_id = self._target(account)
            order = self.zone.model.orders.get(order_id & 0xFFFF_FFFF)
            total = order.filled + order.lots if order else 5
            lots = max(total + self.pick((0, -1, -2, 1, 2, -total, 5)), 0)
            if order and order.filled and self.chance(200):
                lots = order.filled
            if self.is_hostile():
                lots = self.pick((0, 1, 10**6 + 1, TOP, 2 * TOP - 1))
            price = self.pick((0, 0, self._price(order.side if order else None)))
            items.append(
                amend_item(order_id, lots, price, mode=self.pick(modes), client_id=client_id)
            )
        return self.envelope(actions.AMEND, b"".join(items), account=account)

    def _amount(self, account: int, asset: int) -> int:
        record = self.zone.model.accounts.get(account)
        balance = record.balances.get(asset) if record else None
        free = balance.free if balance else 0
        if self.is_hostile():
            return self.pick((0, free, free + 1, TOP, 2 * TOP - 1))
        return self.pick((1, free // 2, free, min(free, 100)))

    def _asset(self) -> int:
        return self.pick((1, 2, 3, HUGE, 6, 0, 99) if self.is_hostile() else (1, 2, 3))

    def transfer(self) -> Action:
        account = self._account()
        record = self.zone.model.accounts.get(account)
        target = self._account()
        if record and not self.is_hostile():
            target = self.pick(self.zone.model.owners[record.owner].accounts)
        asset = self._asset()
        values = {"toAccount": target, "asset": asset, "amount": self._amount(account, asset)}
        body = actions.pack(actions.TRANSFER_BODY, values)
        return self.envelope(actions.TRANSFER, body, account=account)

    def withdraw(self) -> Action:
        account, asset = self._account(), self._asset()
        values = {"asset": asset, "amount": self._amount(account, asset)}
        body = actions.pack(actions.WITHDRAW_BODY, values)
        return self.envelope(actions.WITHDRAW, body, account=account)

    def approve(self) -> Action:
        model, time = self.zone.model, self.zone.time
        account = self._account()
        values: dict[str, int | bytes] = {
            "agent": get_address(self.between(20, 25)),
            "onlyAccount": self.pick((0, 0, account)),
            "onlyVenue": self.pick((0, 0, 1, 2)),
            "scope": enums.SCOPE_TRADE,
            "expires": time + self.pick((HOUR, 1, 10, 50)),
            "maxNotional": self.pick((0, 0, 50, 1 << 62)),
            "name": self.pick((b"agent\0\0\0", b"\xff" * 8)),
        }
        if self.is_hostile():
            bad: tuple[tuple[str, int | bytes], ...] = (
                ("agent", bytes(20)),
                ("scope", self.pick((0, 2, 3, 255))),
                ("expires", self.pick((time, 0, limits.MAX_TIME + 1, TOP))),
                ("onlyAccount", self.pick((99, *model.accounts))),
                ("onlyVenue", self.pick((3, 99, (1 << 32) - 1))),
                ("maxNotional", self.pick(((1 << 62) + 1, TOP))),
            )
            name, value = self.pick(bad)
            values[name] = value
        body = actions.pack(actions.APPROVE_KEY_BODY, values)
        return self.envelope(actions.APPROVE_KEY, body, account=account)

    def revoke(self) -> Action:
        model = self.zone.model
        account = self._account()
        record = model.accounts.get(account)
        slots = model.owners[record.owner].keys if record else []
        key_id = model.keys[slots[0]].id if slots else 0
        if self.is_hostile():
            key_id = self.pick((key_id + (1 << 32), 0, 99, TOP, 2 * TOP - 1, *model.keys))
        body = actions.pack(actions.REVOKE_KEY_BODY, {"revokedKey": key_id})
        return self.envelope(actions.REVOKE_KEY, body, account=account)

    # --- the other chapters --------------------------------------------------------------------------

    def chapter(self) -> Entry:
        """An action or message of the chapters beside spot trading."""
        makers: dict[str, Callable[[], Entry]] = {
            "outcome": self._outcome_order,
            "plan": self._plan,
            "quote": self._quote,
            "typed": self._typed,
            "set": self._set,
            "clean_up": self._clean_up,
            "message": self._chapter_message,
            "credential": self._credential,
        }
        return makers[self.weighted(self._chapters)]()

    def _outcome_order(self) -> Entry:
        side, market = self.pick((BUY, SELL)), self.pick((5, 5, 6, 7, 8, 9))
        tif = self.pick((0, 1, 1, 4, 2, 3, 5))
        flags, stp = self.pick((0, 0, 0, 1)), self.pick((0, 1, 2, 3, 16, 17, 19))
        extra = {"expires": self.zone.time + self.between(1, 30)} if self.chance(200) else {}
        fields = {"tif": tif, "flags": flags, "stp": stp, "client_id": self._client_id(), **extra}
        price = min(max(self._price(side, tif), 1), 9)
        return self.envelope(
            actions.PLACE, place_item(market, side, price, self._lots(1), **fields)
        )

    def _plan(self) -> Entry:
        account, orders = self._trader(), list(self.zone.model.orders.values())
        own = [order for order in orders if order.account == account]
        grouping = self.pick((0, 0, 1, 1, 2))
        bodies = []
        parent = self.pick(own) if own and grouping == 1 else None
        market = parent.market if parent else self.pick((5, 6) if grouping == 2 else (1, 1, 5, 9))
        for _ in range(self.pick((1, 2, 3))):
            is_market = self.chance(500)
            values = {
                "market": market,
                "side": 1 - parent.side if parent else self.pick((BUY, SELL)),
                "kind": self.pick((1, 2, 2 + self.is_hostile())),
                "source": int(self.is_hostile()),
                "grouping": grouping,
                "trigger": self.between(1, 9),
                "price": 0 if is_market else self.between(1, 9),
                "lots": self.pick((1, 2, 5, 0 if grouping == 2 else 3)),
                "tif": enums.TIF_MARKET if is_market else self.pick((0, 1, 2, 4)),
                "stp": self.pick((0, 1, 2, 3, 16)),
                "flags": int(grouping == 2),
                "slippage": self.pick((0, 300_000, 500_000 + self.is_hostile())) * is_market,
                "expires": self.pick((0, 0, self.zone.time + 5)),
                "parent": parent.id if parent else 0,
            }
            bodies.append(item(actions.PLACE_PLAN, **values))
        return self.envelope(actions.PLACE_PLAN, b"".join(bodies), account=account)

    def _quote(self) -> Entry:
        bodies = []
        for _ in range(self._count()):
            side = self.pick((BUY, SELL))
            values = {
                "market": self.pick((1, 1, 5, 6)),
                "price": self._price(side, enums.TIF_POST_ONLY),
                "lots": self.pick((0, 1, 2, 3, 7)),
                "side": side,
                "tif": self.pick((1, 4, 4 - self.is_hostile())),
                "stp": self.pick((0, 1, 2, 3)),
                "client_id": self.pick((1, 2, 3, 4, 5)) - self.is_hostile(),
            }
            bodies.append(item(actions.MASS_QUOTE, **values))
        return self.envelope(actions.MASS_QUOTE, b"".join(bodies))

    def _typed(self) -> Entry:
        model, time = self.zone.model, self.zone.time
        deployer = model.owners[2].main_account
        expires = self.pick((0, time + 20, time + 500, time * self.is_hostile()))
        grant = {"venue": self.pick((1, 2)), "grantee": self.pick((3, 3, 4, 99))}
        asset = self.pick((6, 6, 3, 1, 99))
        choices: tuple[tuple[int, int | None, dict[str, int]], ...] = (
            (actions.GRANT_ACCESS, deployer, {**grant, "expires": expires}),
            (actions.REVOKE_ACCESS, deployer, grant),
            (actions.GRANT_ACCESS, None, grant),
            (actions.FAUCET, None, {"asset": asset}),
            (
                actions.ISSUE,
                self.pick((deployer, deployer, None)),
                {"asset": asset, "toAccount": self._account(), "amount": self.pick((0, 1, 70))},
            ),
            (actions.OPEN_BALANCE, None, {"asset": asset}),
            (actions.CLOSE_BALANCE, None, {"asset": asset}),
            (actions.CLOSE_BALANCE, deployer, {"asset": asset}),
            (actions.OPEN_BALANCE, deployer, {"asset": asset}),
            (
                actions.APPROVE_INTERFACE,
                None,
                {
                    "interface": self.pick((model.venues[2].fee_account, self._account())),
                    "maxFee": self.pick((10_000, 700, 0, 10_001)),
                    "expires": expires,
                },
            ),
        )
        weights = {str(n): weight for n, weight in enumerate(self._typed_likes)}
        action, account, values = choices[int(self.weighted(weights))]
        return self.envelope(action, item(action, **values), account=account)

    def _set(self) -> Entry:
        action = self.pick((actions.SPLIT, actions.SPLIT, actions.MERGE, actions.REDEEM))
        if action == actions.REDEEM:
            held = [h.account for h in self.zone.model.holdings.values()]
            account = self.pick(held) if held and not self.chance(200) else None
            body = item(action, market=self.pick((5, 6, 7, 8, 1)))
            return self.envelope(action, body, account=account)
        values = {"group": self.pick((2, 2, 2, 1, 9)), "lots": self.pick((1, 2, 5, 0, 1001))}
        return self.envelope(action, item(action, **values))

    def _clean_up(self) -> Entry:
        account, plans = self._trader(), list(self.zone.model.plans.values())
        trick = self.pick(("all", "dead", "plan", "plan"))
        if trick == "all":
            values = {"market": self.pick((0, 1, 5, 9, 99)), "side": self.pick((2, 0, 1, 3))}
            return self.envelope(
                actions.CANCEL_ALL, item(actions.CANCEL_ALL, **values), account=account
            )
        if trick == "dead":
            body = item(actions.DEAD_MAN, timeout=self.pick((5000, 0, 6000, 4999)))
            return self.envelope(actions.DEAD_MAN, body, account=account)
        plan = self.pick(plans) if plans else None
        body = item(actions.CANCEL_PLAN, plan=plan.id if plan else 7)
        who = plan.account if plan and not self.is_hostile() else account
        return self.envelope(actions.CANCEL_PLAN, body, account=who)

    def _credential(self) -> Entry:
        time, owner = self.zone.time, self.pick(TRADERS)
        values = {
            "venue": self.pick((1, 2)),
            "owner": owner,
            "subject": get_address(owner),
            "region": self.pick((1, 2, 63)),
            "class": self.pick((2, 1, 5)),
            "issued": self.pick((time, time - 5)),
            "expires": self.pick((time + 60, time + 600)),
        }
        return credential(self.pick((get_address(77), get_address(77), None)), **values)

    def _chapter_message(self) -> Tell:
        zone, model, time = self.zone, self.zone.model, self.zone.time
        market = self.pick(sorted(model.markets))
        later = self.pick((0, 0, time + 3, time + 50))
        if self.chance(60):
            group, vector = self.pick((1, 2)), payouts(2500, 7500)
            return self.pick(
                (
                    tell(messages.RESOLUTION, group=group, state=2, payouts=vector),
                    tell(messages.RESOLUTION, group=group, state=3),
                )
            )
        if self.chance(300):
            state, access = self.pick((1, 1, 1, 2)), self.pick((0, 0, 0, 1, 2))
            values = {"venue": self.pick((1, 2)), "state": state, "access": access}
            values |= {"minClass": self.pick((0, 2)), "regions": self.pick((6, 2))}
            return tell(messages.UPDATE_VENUE, credentialProvider=get_address(77), **values)
        if self.chance(200):
            days = {f"close{day}": self.pick((1440, 700)) for day in range(7)}
            number = model.slots["calendar"].high_water - self.pick((0, 1))
            return tell(messages.SET_CALENDAR, calendar=number, venue=self.pick((1, 2)), **days)
        changes = self.pick(
            (
                {"band": self.pick((0, 100_000, 200_000))},
                {"band": 100_000},
                {"band": 100_000, "effectiveAt": 0},
                {"takerFee": 50_000, "protocolShare": 100_000, "insuranceShare": 0}
                | {"referrerShare": 500_000},
                {"openInterestCap": self.pick((200_000, 1_000_000))},
                {"accountCap": self.pick((100_000, 500_000))},
                {"referrerShare": self.pick((0, 50_000))},
                {"phase": self.pick((1, 1, 1, 2, 3, 4, 5))},
                {"phase": 1, "access": self.pick((0, 0, 0, 1, 2))},
                {"calendar": self.pick((0, 0, 1))},
                {"closes": self.pick((0, 0, time + 100))},
                {"phase": 6 if self.chance(100) else 1},
            )
        )
        return update_market(zone, market, **({"effectiveAt": later} | changes))

    # --- messages and garbage ------------------------------------------------------------------------

    def tell(self) -> Tell:
        model = self.zone.model
        owner = self.pick(TRADERS)
        if self.chance(150):
            return self._forced(self.pick((owner, 7)))
        if not self.is_hostile() and not self.chance(400):
            amount = self.pick((100, 10_000, 1))
            return self.pick(
                (
                    heartbeat(),
                    deposit(owner, get_address(owner), self.pick((1, 2, 3)), amount),
                    deposit(7, get_address(7), 1, amount),
                )
            )
        market, asset = (model.slots[name].high_water for name in ("market", "asset"))
        owners, venue = (model.slots[name].high_water for name in ("owner", "venue"))
        choices: tuple[Callable[[], Tell], ...] = (
            lambda: self._listing(market, *self.pick(((2, 1), (3, 2), (1, 1), (6, 1), (1, 99)))),
            lambda: self._listing(market + 1, 2, 1),
            lambda: list_market(market, venue=self.pick((0, 9))),
            lambda: replace(heartbeat(), time=self.pick((0, (1 << 62) // 1000, START // 1000))),
            lambda: register_owner(owners, get_address(50 + owners), referrer=self.between(0, 9)),
            lambda: register_owner(self.between(0, 9), get_address(8), kind=self.between(0, 3)),
            lambda: register_asset(asset, kind=self.between(0, 4), venue=self.between(0, 2)),
            lambda: create_venue(venue, self.between(0, 8), access=self.between(0, 3)),
            lambda: deposit(
                self.between(0, 9),
                get_address(owner),
                self.pick((0, 1, 6, 99)),
                self.pick((0, 1, limits.MAX_TOTAL_ATOMS, TOP)),
            ),
            lambda: Tell(self.pick((0, 7, 16, 48, 255)), bytes(self.pick((0, 20, 512)))),
            lambda: Tell(self.pick(tuple(messages.BODIES)), bytes(self.pick((0, 7, 9, 511)))),
        )
        return self.pick(choices)()

    def _forced(self, owner: int) -> Tell:
        """A forced operation, mostly one that its owner may ask for."""
        model, record = self.zone.model, self.zone.model.owners[owner]
        keys = [model.keys[slot].id for slot in record.keys]
        kinds = list(messages.FORCED_KINDS)
        kind = self.pick((messages.FORCED_WITHDRAW, messages.FORCED_APPROVE_KEY, *kinds))
        wanted: dict[str, Any] = {
            "owner": owner,
            "address": get_address(owner),
            "account": record.main_account,
            "asset": self.pick((1, 2, 3, 99)),
            "amount": self.pick((1, 100, TOP, 0)),
            "market": self.pick((1, 2)),
            "position": self.pick((0, 1)),
            "agent": get_address(20 + owner),
            "scope": enums.SCOPE_TRADE,
            "expires": self.zone.time + self.pick((0, 500, 10_000)),
            "revokedKey": self.pick((*keys, 7)),
            "to": self.pick((get_address(90), bytes(20))),
        }
        if self.is_hostile():
            name, value = self.pick(
                (
                    ("owner", self.pick((0, 1, 99))),
                    ("address", get_address(8)),
                    ("account", self._account()),
                    ("scope", enums.SCOPE_OWNER),
                )
            )
            wanted[name] = value
        names = {name for name, _, _ in messages.BODIES[kind]}
        return tell(kind, **{name: value for name, value in wanted.items() if name in names})

    def garbage(self) -> Entry:
        action = self.pick((self.place, self.cancel, self.amend, self.withdraw))()
        leaf = bytearray(action.leaf)
        trick = self.pick(("flip", "cut", "grow", "mark", "plain"))
        if trick == "flip":
            at = self.random.randrange(min(len(leaf), actions.AT_BODY + 60))
            leaf[at] ^= 1 << self.random.randrange(8)
            return Action(bytes(leaf), action.signer)
        if trick == "cut":
            return Action(bytes(leaf[: self.random.randrange(len(leaf))]), action.signer)
        if trick == "grow":
            return Action(bytes(leaf) + b"\0" * self.between(1, 3), action.signer)
        model = self.zone.model
        if trick == "mark":
            number, time = self.pick((0, model.block, TOP)), self.pick((0, model.time, TOP))
            return self.pick(
                (
                    actions.block_mark(number, time),
                    actions.inbox_mark(self.pick((0, model.inbox, model.inbox + 5000, TOP))),
                )
            )
        size = self.pick((0, 1, 8, 9, 16, 17, 90, 99, 4096, 4097))
        first = self.pick((b"\x00", b"\x02", b"\x03", b"\x05", b"\xff"))
        return (first + bytes(max(size - 1, 0)))[:size]


# --- streams as plain inputs -------------------------------------------------------------------------

Inputs = tuple[list[bytes], list[bytes | None], list[bytes]]


@dataclass
class Recorder(Zone):
    """A zone that keeps what it is fed: (leaves, signers, messages) of each run."""

    taken: list[Inputs] = field(default_factory=list)

    def run(
        self,
        leaves: list[bytes],
        signers: list[bytes | None],
        inbox: list[bytes],
        header: Header | None = None,
    ) -> Outcome:
        self.taken.append((leaves, signers, inbox))
        return super().run(leaves, signers, inbox, header)


def build_stream(seed: int, blocks: int = 25) -> list[Inputs]:
    """Inputs of a stream for `execute`, one run after the other, made against the model alone."""
    zone = Recorder(is_checking=False)
    stream = Stream(zone, Random(seed), is_plain=True)
    stream.set_up()
    for _ in range(blocks):
        stream.step()
    return zone.taken


# --- small worlds ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Squeeze:
    """Bounds and capacities so small that a short stream meets them all."""

    bounds: dict[str, int]
    capacity: dict[str, int]

    def make_zone(self) -> Zone:
        """A zone with the engine's functions in plain Python; run it inside `small_bounds`."""
        return Zone(PureEngine(self.capacity), model=Model(self.capacity))


def draw_squeeze(seed: int) -> Squeeze:
    """Bounds by chance: some streams meet many of them, some few."""
    random = Random(seed)
    small: dict[str, tuple[int, ...]] = {
        "BLOCK_TIMERS": (1, 3),
        "BLOCK_REMOVALS": (1, 2, 5),
        "BLOCK_MEETINGS": (1, 3, 10),
        "MAX_FILLS": (1, 2, 4),
        "PAYOUT_SWEEP": (1, 2),
        "BAND_WINDOW": (3, 20),
        "MAX_OPEN_ORDERS": (3, 6),
        "MAX_BALANCES": (5, 6),
        "MAX_PLANS": (2, 4),
        "MAX_HOLDINGS": (1, 2, 3),
        "MAX_APPROVALS": (1, 2),
        "MAX_KEYS": (2, 3),
        "MAX_ACCOUNTS": (2, 3),
        "MAX_BUCKET_LENGTH": (1, 2, 3),
        "QUOTA_START": (5, 100, 400),
        "QUOTA_DAILY": (2, 20),
        "QUOTA_OVERDRAFT": (0, 3),
        "QUOTA_TRICKLE": (2, 20),
        "RESERVED_ACCOUNTS": (1,),
        "RESERVED_KEYS": (1,),
        "RESERVED_BALANCES": (2,),
        "RESERVED_TIMERS": (12,),  # one a market, and there are fewer
        "RESERVED_TASKS": (24,),
        "RESTART_GAP": (400, 30_000),
        "RESTART_CANCEL": (3,),
        "RESTART_POST": (9,),
    }
    often = random.choice((150, 400, 800))
    bounds = {n: random.choice(v) for n, v in small.items() if random.randrange(1000) < often}
    together = ("RESERVED", "RESTART_CANCEL", "RESTART_POST")  # what must fit the others
    bounds |= {name: small[name][0] for name in small if name.startswith(together)}
    model = Model()
    Stream(Zone(model=model), Random(seed)).set_up()
    room = {
        "order": 8,
        "plan": 5,
        "holding": 3,
        "approval": 3,
        "outbox": 2,
        "calendar": 1,
        "account": 3,
        "key": 3,
        "balance": 6,
        "market": 2,
        "event_group": 1,
        "asset": 2,
        "venue": 1,
        "owner": 2,
    }
    capacity = {
        name: model.slots[name].high_water + random.randrange(1, most + 2)
        for name, most in room.items()
        if random.randrange(1000) < often
    }
    if random.randrange(1000) < often:
        capacity["timer"] = 13 + random.randrange(1, 6)
        capacity["task"] = random.choice((14, 15, 26, 27))
    return Squeeze(bounds, capacity)


# --- cutting down a failing stream -------------------------------------------------------------------


def replay(runs: Sequence[Run], make_zone: Callable[[], Zone]) -> AssertionError | None:
    """Run a stream again from the start; return what it breaks, or None."""
    zone = make_zone()
    for run in runs:
        try:
            run.apply(zone)
        except AssertionError as error:
            return error
        except (KeyError, ValueError):
            return None  # what was left out was needed to make sense of the rest
    return None


def reduce_runs(
    runs: Sequence[Run], make_zone: Callable[[], Zone], *, tries: int = 400
) -> list[Run]:
    """Leave out runs, blocks and entries as long as the stream still fails."""
    runs = list(runs)

    def attempt(candidate: list[Run]) -> bool:
        nonlocal runs, tries
        tries -= 1
        if tries < 0 or replay(candidate, make_zone) is None:
            return False
        runs = candidate
        return True

    size = max(len(runs) // 2, 1)
    while size:  # whole runs, then
        at = len(runs) - size
        while at >= 1:
            attempt(runs[:at] + runs[at + size :])
            at -= size
        size //= 2
    for at in range(len(runs) - 1, -1, -1):  # what is in them, then

        def put(changed: Run, at: int = at) -> bool:
            return attempt([*runs[:at], changed, *runs[at + 1 :]])

        if runs[at].unmarked or runs[at].bounds is not None:
            put(replace(runs[at], unmarked=(), bounds=None))
        for block in range(len(runs[at].blocks) - 1, -1, -1):
            blocks = runs[at].blocks
            if len(blocks) > 1 and put(
                replace(runs[at], blocks=blocks[:block] + blocks[block + 1 :])
            ):
                continue
            for entry in range(len(blocks[block][1]) - 1, -1, -1):
                for less in (None, *_shorten(blocks[block][1][entry])):
                    time, entries = runs[at].blocks[block]
                    kept = () if less is None else (less,)
                    changed = (time, (*entries[:entry], *kept, *entries[entry + 1 :]))
                    now = runs[at].blocks
                    if put(replace(runs[at], blocks=(*now[:block], changed, *now[block + 1 :]))):
                        break
    return runs


def _shorten(entry: Entry) -> list[Action]:
    """The same envelope with fewer items, the fewest first."""
    if not isinstance(entry, Action):
        return []
    envelope = actions.Envelope.from_leaf(entry.leaf)
    if envelope is None or envelope.action not in actions.ITEM_LAYOUTS or envelope.items == 1:
        return []
    size = len(envelope.body) // envelope.items
    items = [envelope.body[i : i + size] for i in range(0, len(envelope.body), size)]
    bodies = [*items, *(b"".join(items[:i] + items[i + 1 :]) for i in range(len(items)))]
    return [Action(replace(envelope, body=body).to_leaf(), entry.signer) for body in bodies]


def describe(runs: Sequence[Run]) -> str:
    """The inputs in words, for a failure message."""
    lines = []
    for run in runs:
        lines += [f"patch {patch}" for patch in run.patches]
        if run.bounds is not None:
            lines.append(f"header {dict(run.bounds)}, unmarked {len(run.unmarked)}")
        for time, entries in run.blocks:
            lines.append(f"block at {time - START:+d}")
            lines += [f"    {_describe_entry(entry)}" for entry in entries]
    return "\n".join(lines)


def _show(values: dict[str, Any]) -> str:
    """Fields that are not zero."""
    parts = []
    for name, value in values.items():
        if isinstance(value, bytes):
            if any(value):
                parts.append(f"{name}={value.hex().lstrip('0')}")
        elif value:
            parts.append(f"{name}={value}")
    return " ".join(parts)


def _describe_entry(entry: Entry) -> str:
    if isinstance(entry, Tell):
        layout = messages.BODIES.get(entry.kind)
        if layout and actions.layout_bytes(layout) == len(entry.payload):
            return f"message {entry.kind}: {_show(actions.unpack(layout, entry.payload))}"
        return f"message {entry.kind}: {entry.payload.hex()}"
    leaf = entry if isinstance(entry, bytes) else entry.leaf
    envelope = actions.Envelope.from_leaf(leaf)
    if envelope is None:
        return f"leaf {leaf[:40].hex()} ({len(leaf)} bytes)"
    head = f"account {envelope.account} key {envelope.key:#x} nonce {envelope.nonce - START:+d}"
    if envelope.action in actions.ITEM_LAYOUTS:
        shown = "; ".join(_show(item) for item in actions.unpack_items(envelope))
    else:
        _, layout = actions.TYPED_ACTIONS[envelope.action]
        shown = _show(actions.unpack(layout, envelope.body))
    return f"{head} action {envelope.action}: {shown}"
