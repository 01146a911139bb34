"""A small world for tests: keys, signatures, messages, leaves, and a `Zone` that feeds model and engine alike.

>>> zone = Zone()
>>> world = build_world(zone)
>>> outcome = zone.block(world.alice.sell(10, 5, tif=TIF_POST_ONLY), world.bob.buy(10, 2))

`zone.block` opens the next block, runs what it is given, compares results, events and state of model and engine,
checks the invariants of both, and returns the `Outcome`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import coincurve
import numpy as np

from tests.model.compare import assert_same, assert_same_state, events_to_dicts
from tests.model.engine import Model
from tests.model.invariants import check_model, check_no_stray_bucket, check_records
from tests.model.pure import PureEngine
from tradezone.protocol import actions, enums, limits, messages
from tradezone.protocol.batches import Header
from tradezone.protocol.errors import Code
from tradezone.protocol.hashing import keccak
from tradezone.protocol.records import TABLE_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


START = 1_700_000_000_000  # ms, time of the first block
HOUR = 3_600_000
CONTRACT = bytes.fromhex("5a" * 20)
SEPARATOR = actions.domain_separator(196, CONTRACT)
NO_SIGNATURE = bytes(65)
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class EngineLike(Protocol):
    """What a `Zone` drives beside the model."""

    tables: dict[str, np.ndarray]

    def execute(
        self, leaves: list[bytes], signers: list[bytes | None], inbox: list[bytes], /
    ) -> tuple[Sequence[int], np.ndarray]: ...


# --- keys and signatures -----------------------------------------------------------------------------


@cache
def get_key(number: int) -> coincurve.PrivateKey:
    """Private key number 1, 2, 3, ..."""
    return coincurve.PrivateKey.from_int(number)


@cache
def get_address(number: int) -> bytes:
    """Address (20 bytes) of a private key."""
    return keccak(get_key(number).public_key.format(compressed=False)[1:])[12:]


def sign(envelope: actions.Envelope, number: int, separator: bytes = SEPARATOR) -> actions.Envelope:
    """Sign an envelope with private key `number` (coincurve's signatures have a low s)."""
    raw = get_key(number).sign_recoverable(envelope.digest(separator), hasher=None)
    return replace(envelope, signature=raw[:64] + bytes([27 + raw[64]]))


def recover_signer(leaf: bytes, separator: bytes = SEPARATOR) -> bytes | None:
    """The signer of a leaf as docs/spec/blocks.md defines it, or None."""
    envelope = actions.Envelope.from_leaf(leaf)
    if envelope is None:
        return None
    r, s = (int.from_bytes(envelope.signature[i : i + 32], "big") for i in (0, 32))
    v = envelope.signature[64]
    if v not in (27, 28) or not 1 <= r < CURVE_ORDER or not 1 <= s <= CURVE_ORDER // 2:
        return None
    raw = envelope.signature[:64] + bytes([v - 27])
    try:
        public = coincurve.PublicKey.from_signature_and_message(
            raw, envelope.digest(separator), hasher=None
        )
    except Exception:  # noqa: BLE001 - coincurve raises a bare Exception when there is no such point
        return None
    return keccak(public.format(compressed=False)[1:])[12:]


# --- messages ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tell:
    """An inbox message before the zone gives it its index. `time` is in L1 seconds, None = the block's."""

    kind: int
    payload: bytes
    time: int | None = None


def register_owner(owner: int, address: bytes, *, kind: int = 1, referrer: int = 0) -> Tell:
    values = {"owner": owner, "address": address, "referrer": referrer, "kind": kind}
    return Tell(messages.REGISTER_OWNER, actions.pack(messages.REGISTER_OWNER_BODY, values))


def deposit(owner: int, address: bytes, asset: int, amount: int) -> Tell:
    values = {"owner": owner, "address": address, "asset": asset, "amount": amount}
    return Tell(messages.DEPOSIT, actions.pack(messages.DEPOSIT_BODY, values))


def heartbeat(time: int | None = None) -> Tell:
    """A heartbeat at L1 `time` (seconds)."""
    return Tell(messages.HEARTBEAT, bytes(8), time)


def register_asset(
    asset: int, *, kind: int = enums.ASSET_ERC20, venue: int = 0, **terms: Any
) -> Tell:
    values = {
        "asset": asset,
        "token": asset.to_bytes(20, "big"),
        "kind": kind,
        "decimals": 6,
        "quantum": 1,
        "cap": limits.MAX_TOTAL_ATOMS,
        "venue": venue,
    }
    return Tell(messages.REGISTER_ASSET, actions.pack(messages.REGISTER_ASSET_BODY, values | terms))


def create_venue(venue: int, owner: int, *, access: int = 0, stake: int = 10**9) -> Tell:
    values = {"venue": venue, "owner": owner, "access": access, "stake": stake}
    return Tell(messages.CREATE_VENUE, actions.pack(messages.CREATE_VENUE_BODY, values))


def list_market(
    market: int,
    venue: int = 1,
    base: int = 2,
    quote: int = 1,
    *,
    number: int | None = None,
    **terms: Any,
) -> Tell:
    """A listing; terms are fields of LIST_MARKET_BODY (fees are signed integers)."""
    values: dict[str, Any] = {
        "market": market,
        "id": venue << 16 | (market if number is None else number),
        "venue": venue,
        "kind": enums.MARKET_SPOT,
        "base": base,
        "quote": quote,
        "lotSize": 10,
        "tickValue": 5,
        "minNotional": 0,
        "maxNotional": limits.MAX_NOTIONAL,
        "maxLots": 1_000_000,
        "maxPrice": 100_000,
        "takerFee": 500,
        "makerFee": 200,
        "protocolShare": 200_000,
        "insuranceShare": 100_000,
        "takerDelay": 0,
        "effectiveAt": 0,
    }
    values |= terms
    return Tell(messages.LIST_MARKET, actions.pack(messages.LIST_MARKET_BODY, values))


# --- leaves ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Action:
    """A leaf with the signer that the engine is told."""

    leaf: bytes
    signer: bytes | None


def place_item(market: int, side: int, price: int, lots: int, **fields: Any) -> bytes:
    """Packed PLACE item; `client_id` may be an integer."""
    values: dict[str, Any] = {
        "market": market,
        "price": price,
        "lots": lots,
        "side": side,
        "tif": enums.TIF_GTC,
        "stp": enums.STP_NEWEST,
        "flags": 0,
        "expires": 0,
        "client_id": 0,
        "interface": 0,
        "interface_fee": 0,
    }
    return actions.pack(actions.PLACE_ITEM, values | fields)


def amend_item(
    order: int, lots: int, price: int = 0, *, mode: int = actions.AMEND_SHRINK, client_id: int = 0
) -> bytes:
    values = {"order": order, "client_id": client_id, "price": price, "lots": lots, "mode": mode}
    return actions.pack(actions.AMEND_ITEM, values)


def cancel_item(order: int = 0, *, client_id: int = 0) -> bytes:
    return actions.pack(actions.CANCEL_ITEM, {"order": order, "client_id": client_id})


@dataclass
class Signer:
    """An account and the key that signs for it. Methods build one signed leaf each."""

    zone: Zone
    owner: int
    account: int
    key: int  # generation << 32 | slot
    number: int  # of the private key

    @property
    def address(self) -> bytes:
        return get_address(self.number)

    def on(self, account: int) -> Signer:
        """The same key for another account."""
        return replace(self, account=account)

    def using(self, key: int, number: int) -> Signer:
        """The same account with another key."""
        return replace(self, key=key, number=number)

    def envelope(
        self,
        action: int,
        body: bytes,
        *,
        nonce: int | None = None,
        expires_after: int | None = None,
        signer: bytes | None = None,
    ) -> Action:
        """Build, sign and pack an envelope. Nonce: the next free one. `signer` overrides the truth."""
        unsigned = actions.Envelope(
            self.account,
            self.key,
            self.zone.next_nonce(self.key) if nonce is None else nonce,
            self.zone.time + 12 * HOUR if expires_after is None else expires_after,
            action,
            body,
            NO_SIGNATURE,
        )
        if self.zone.is_signing:
            leaf = sign(unsigned, self.number).to_leaf()
            return Action(leaf, recover_signer(leaf))
        return Action(unsigned.to_leaf(), self.address if signer is None else signer)

    def place(self, *items: bytes, **how: Any) -> Action:
        return self.envelope(actions.PLACE, b"".join(items), **how)

    def amend(self, *items: bytes, **how: Any) -> Action:
        return self.envelope(actions.AMEND, b"".join(items), **how)

    def cancel(self, *items: bytes, **how: Any) -> Action:
        return self.envelope(actions.CANCEL, b"".join(items), **how)

    def buy(self, price: int, lots: int, *, market: int = 1, **fields: Any) -> Action:
        return self.place(place_item(market, enums.BUY, price, lots, **fields))

    def sell(self, price: int, lots: int, *, market: int = 1, **fields: Any) -> Action:
        return self.place(place_item(market, enums.SELL, price, lots, **fields))

    def cancel_order(self, order: int = 0, *, client_id: int = 0) -> Action:
        return self.cancel(cancel_item(order, client_id=client_id))

    def amend_order(self, order: int, lots: int, price: int = 0, **fields: Any) -> Action:
        return self.amend(amend_item(order, lots, price, **fields))

    def transfer(self, to_account: int, asset: int, amount: int, **how: Any) -> Action:
        values = {"toAccount": to_account, "asset": asset, "amount": amount}
        return self.envelope(actions.TRANSFER, actions.pack(actions.TRANSFER_BODY, values), **how)

    def withdraw(self, asset: int, amount: int, **how: Any) -> Action:
        body = actions.pack(actions.WITHDRAW_BODY, {"asset": asset, "amount": amount})
        return self.envelope(actions.WITHDRAW, body, **how)

    def approve_key(
        self, agent: bytes, *, how: dict[str, Any] | None = None, **terms: Any
    ) -> Action:
        values: dict[str, Any] = {
            "agent": agent,
            "onlyAccount": 0,
            "onlyVenue": 0,
            "scope": enums.SCOPE_TRADE,
            "expires": self.zone.time + 30 * 24 * HOUR,
            "maxNotional": 0,
            "name": b"agent\0\0\0",
        }
        body = actions.pack(actions.APPROVE_KEY_BODY, values | terms)
        return self.envelope(actions.APPROVE_KEY, body, **(how or {}))

    def revoke_key(self, key: int, **how: Any) -> Action:
        body = actions.pack(actions.REVOKE_KEY_BODY, {"revokedKey": key})
        return self.envelope(actions.REVOKE_KEY, body, **how)

    def create_account(self, **how: Any) -> Action:
        return self.envelope(actions.CREATE_ACCOUNT, b"", **how)

    def noop(self, **how: Any) -> Action:
        return self.envelope(actions.NOOP, b"", **how)


# --- the zone ----------------------------------------------------------------------------------------

Entry = Action | Tell | bytes  # bytes: a raw leaf without signer


@dataclass
class Outcome:
    """What a run did. `results` holds one number for each leaf, marks included."""

    results: list[int]
    events: list[dict[str, int]]
    leaves: list[bytes]

    def of(self, kind: int) -> list[dict[str, int]]:
        """Events of one kind."""
        return [event for event in self.events if event["kind"] == kind]

    def kinds(self) -> list[int]:
        return [event["kind"] for event in self.events]

    @property
    def codes(self) -> list[Code]:
        """First error of each leaf that is no block mark or inbox mark."""
        marks = {
            (actions.LEAF_BLOCK, actions.BLOCK_MARK_BYTES),
            (actions.LEAF_INBOX, actions.INBOX_MARK_BYTES),
        }
        return [
            Code(result & 0xFFFF)
            for leaf, result in zip(self.leaves, self.results, strict=True)
            if (leaf[:1] and leaf[0], len(leaf)) not in marks
        ]

    @property
    def code(self) -> Code:
        """First error of the only leaf beside the marks."""
        (code,) = self.codes
        return code

    @property
    def failed(self) -> list[int]:
        """Failed items of each leaf."""
        return [result >> 16 for result in self.results]


@dataclass
class Zone:
    """Model and, if there is one, engine, fed the same inputs and compared after every run.

    Parameters
    ----------
    engine : EngineLike, optional
        the engine beside the model
    is_signing : bool
        sign envelopes for real and recover their signers; otherwise signers are passed in as they should be
    is_checking : bool
        compare state and check invariants after every run (results and events are always compared)
    """

    engine: EngineLike | None = None
    is_signing: bool = False
    is_checking: bool = True
    model: Model = field(default_factory=Model)
    _nonces: dict[int, int] = field(default_factory=dict)

    @property
    def time(self) -> int:
        """Time of the last block, or what the first one will have."""
        return self.model.time or START

    def next_nonce(self, key: int) -> int:
        """A nonce of the key slot that was not used yet."""
        nonce = max(self._nonces.get(key, 0), self.time) + 1
        self._nonces[key] = nonce
        return nonce

    def block(self, *entries: Entry, after: int = 1, at: int | None = None) -> Outcome:
        """Run one block, `after` ms later than the last one or `at` a time.

        Neighbouring `Tell` entries become messages under one inbox mark.
        """
        return self.batch([(self.time + after if at is None else at, entries)])

    def batch(
        self,
        blocks: Iterable[tuple[int, Iterable[Entry]]],
        *,
        unmarked: Iterable[Tell] = (),
        bounds: dict[str, int] | None = None,
    ) -> Outcome:
        """Run several blocks, given as (time, entries), in one run.

        With `bounds` or `unmarked` the run is a whole batch under a header. `unmarked` messages have no inbox mark,
        the header alone says that they are consumed; `bounds` are header fields that differ from what the leaves
        carry out.
        """
        leaves: list[bytes] = []
        signers: list[bytes | None] = []
        inbox: list[bytes] = []
        first = self.model.block + 1
        times = [self.model.time]

        def add_message(tell: Tell, time: int) -> int:
            index = self.model.inbox + len(inbox)
            stamp = time // 1000 if tell.time is None else tell.time
            message = messages.Message(index, tell.kind, bytes(20), stamp, index, tell.payload)
            inbox.append(message.to_bytes())
            return index + 1

        for number, (time, entries) in enumerate(blocks, first):
            times.append(time)
            leaves.append(actions.block_mark(number, time))
            signers.append(None)
            open_mark = 0  # messages under the inbox mark that is being filled
            for entry in entries:
                if isinstance(entry, Tell):
                    end = add_message(entry, time)
                    if 0 < open_mark < limits.MAX_INBOX_MARK:
                        leaves[-1] = actions.inbox_mark(end)
                        open_mark += 1
                    else:
                        leaves.append(actions.inbox_mark(end))
                        signers.append(None)
                        open_mark = 1
                    continue
                open_mark = 0
                action = Action(entry, None) if isinstance(entry, bytes) else entry
                leaves.append(action.leaf)
                signers.append(action.signer)
        unmarked = list(unmarked)
        if not unmarked and bounds is None:
            return self.run(leaves, signers, inbox)
        for tell in unmarked:
            add_message(tell, times[-1])
        values = {
            "inbox_index": self.model.inbox + len(inbox),
            "first_block": first,
            "blocks": len(times) - 1,
            "start_time": times[min(1, len(times) - 1)],
            "end_time": times[-1],
        }
        return self.run(leaves, signers, inbox, self.make_header(**(values | (bounds or {}))))

    def make_header(self, **fields: Any) -> Header:
        """Header of a batch of one block that may stand now, but for `fields`."""
        values: dict[str, Any] = {
            "epoch": 1,
            "number": 1,
            "parent": bytes(32),
            "inputs_root": bytes(32),
            "first_seq": self.model.seq,
            "count": 1,
            "inbox_index": self.model.inbox,
            "inbox_hash": bytes(32),
            "first_block": self.model.block + 1,
            "blocks": 1,
            "start_time": self.time,
            "end_time": self.time + 10,
        }
        return Header(**(values | fields))

    def run(
        self,
        leaves: list[bytes],
        signers: list[bytes | None],
        inbox: list[bytes],
        header: Header | None = None,
    ) -> Outcome:
        """Run raw inputs on both sides and compare. With a header they are that whole batch."""
        results, events = self.model.execute(leaves, signers, inbox, header)
        if self.is_checking:
            check_model(self.model)
        if self.engine is not None:
            engine_results, engine_events = self._run_engine(leaves, signers, inbox, header)
            assert_same(results, [int(result) for result in engine_results], "results")
            assert_same(events, events_to_dicts(engine_events), "events")
            if self.is_checking:
                assert_same_state(self.model, self.engine.tables)
                check_records(self.engine.tables)
        return Outcome(results, events, leaves)

    def _run_engine(
        self,
        leaves: list[bytes],
        signers: list[bytes | None],
        inbox: list[bytes],
        header: Header | None,
    ) -> tuple[Sequence[int], np.ndarray]:
        if header is None or isinstance(self.engine, PureEngine):
            return self.engine.execute(leaves, signers, inbox, *filter(None, [header]))
        offsets = np.cumsum([0, *map(len, leaves)])
        joined = np.frombuffer(b"".join(leaves), dtype=np.uint8)
        flat = b"".join(signer or bytes(20) for signer in signers)
        rows = np.frombuffer(flat, dtype=np.uint8).reshape(len(leaves), 20)
        done = self.engine.execute_run(joined, offsets, rows, inbox, header, is_batch_end=True)
        return done.results, done.events

    def check_thoroughly(self) -> None:
        """Compare everything, whole bucket table included. For the end of a stream."""
        check_model(self.model)
        if self.engine is not None:
            assert_same_state(self.model, self.engine.tables, every_bucket=True)
            check_records(self.engine.tables)
            check_no_stray_bucket(self.engine.tables)

    def patch(self, table: str, slot: int, **values: int) -> None:
        """Set fields of a record on both sides: phases and states that no message can set yet."""
        record = {"market": self.model.markets, "venue": self.model.venues}[table][slot]
        for name, value in values.items():
            assert hasattr(record, name)
            setattr(record, name, value)
            if self.engine is not None:
                self.engine.tables[table][name][slot] = value

    def exhaust(self, table: str, *, left: int = 0) -> None:
        """Pretend that only `left` unused slots of a table are left, on both sides.

        The free list stays. State and invariants are not compared any more: the slots skipped are holes.
        """
        slots, number = self.model.slots[table], TABLE_BY_NAME[table].number
        slots.high_water = TABLE_BY_NAME[table].capacity - left
        slots.in_use = slots.high_water - 1 - len(slots.free)
        if self.engine is not None:
            head = self.engine.tables["head"]
            head["high_water"][number] = slots.high_water
            head["in_use"][number] = slots.in_use
        self.is_checking = False


@dataclass
class World:
    """Owners, assets, a venue and a market, ready to trade."""

    zone: Zone
    protocol: Signer
    deployer: Signer
    alice: Signer
    bob: Signer
    carol: Signer
    usd: int = 1
    btc: int = 2
    venue: int = 1
    market: int = 1
    fee_account: int = 0
    fund_account: int = 0

    def free(self, who: Signer | int, asset: int) -> int:
        """Free atoms of an account; 0 if it does not hold the asset."""
        account = who.account if isinstance(who, Signer) else who
        balance = self.zone.model.accounts[account].balances.get(asset)
        return balance.free if balance else 0

    def locked(self, who: Signer, asset: int) -> int:
        balance = self.zone.model.accounts[who.account].balances.get(asset)
        return balance.locked if balance else 0

    def book(self, market: int = 1) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """(price, open lots) of bids and asks, best first."""
        snapshot = self.zone.model.snapshot()["books"][market]
        return tuple([(x["price"], x["lots"]) for x in snapshot[s]] for s in ("bids", "asks"))


def add_owner(zone: Zone, number: int, *, kind: int = enums.OWNER_USER) -> Signer:
    """Register the next owner, with private key `number`."""
    owner = zone.model.slots["owner"].high_water
    outcome = zone.block(register_owner(owner, get_address(number), kind=kind))
    registered, *approved = outcome.events
    key = approved[0]["order"] if approved else 0
    return Signer(zone, owner, registered["account"], key, number)


def add_funds(zone: Zone, who: Signer, asset: int, amount: int) -> None:
    """Deposit to the owner's main account."""
    zone.block(deposit(who.owner, who.address, asset, amount))


def build_world(zone: Zone, *, usd: int = 10**12, btc: int = 10**12, **terms: Any) -> World:
    """Owner 1 (the protocol), a deployer, alice, bob and carol with money; assets 1 (usd) and 2 (btc);
    venue 1; market 1 with `terms` (see `list_market`)."""
    protocol, deployer, alice, bob, carol = (add_owner(zone, number) for number in range(1, 6))
    created = zone.block(
        register_asset(1),
        register_asset(2),
        create_venue(1, deployer.owner),
        list_market(1, **terms),
    ).events[2]
    for who in (alice, bob, carol):
        add_funds(zone, who, 1, usd)
        add_funds(zone, who, 2, btc)
    return World(
        zone,
        protocol,
        deployer,
        alice,
        bob,
        carol,
        fee_account=created["account"],
        fund_account=created["other_account"],
    )


# --- any action or message ---------------------------------------------------------------------------


def _fill_in(layout: actions.Layout, values: dict[str, Any]) -> dict[str, Any]:
    """All fields of a layout; what is not given is zero."""
    zeros: dict[str, Any] = {
        name: bytes(width) if kind.startswith("bytes") or kind == "address" else 0
        for name, kind, width in layout
    }
    assert values.keys() <= zeros.keys(), values.keys() - zeros.keys()
    for name, kind, width in layout:
        if kind.startswith("bytes") and isinstance(values.get(name), int):
            values = {**values, name: values[name].to_bytes(width, "big")}
    return zeros | values


def item(action: int, **values: Any) -> bytes:
    """A packed item of a trade action or body of a typed one; fields not given are 0."""
    layout = actions.ITEM_LAYOUTS.get(action) or actions.TYPED_ACTIONS[action][1]
    return actions.pack(layout, _fill_in(layout, values))


def act(who: Signer, action: int, *bodies: bytes, **values: Any) -> Action:
    """An envelope with packed items, or with one made of `values`."""
    return who.envelope(action, b"".join(bodies) if bodies else item(action, **values))


def tell(kind: int, **values: Any) -> Tell:
    """A message; fields not given are 0."""
    layout = messages.BODIES[kind]
    return Tell(kind, actions.pack(layout, _fill_in(layout, values)))


def credential(signer: bytes | None, **values: Any) -> Action:
    """A credential leaf; `signer` is who is said to have signed it."""
    layout = actions.CREDENTIAL_BODY
    body = actions.pack(layout, _fill_in(layout, values))
    return Action(bytes([actions.LEAF_CREDENTIAL]) + body + NO_SIGNATURE, signer)


def update_market(zone: Zone, market: int, **changes: Any) -> Tell:
    """UPDATE_MARKET with the terms that the market has, but for `changes`."""
    record = zone.model.markets[market]
    names = {
        "phase": "phase",
        "access": "access",
        "takerDelay": "taker_delay",
        "calendar": "calendar",
        "takerFee": "taker_fee",
        "makerFee": "maker_fee",
        "protocolShare": "protocol_share",
        "insuranceShare": "insurance_share",
        "referrerShare": "referrer_share",
        "guestFee": "guest_fee",
        "band": "band",
        "minNotional": "min_notional",
        "maxNotional": "max_notional",
        "maxLots": "max_lots",
        "openInterestCap": "open_interest_cap",
        "accountCap": "account_cap",
        "closes": "closes",
    }
    values = {told: getattr(record, name) for told, name in names.items()}
    return tell(messages.UPDATE_MARKET, market=market, **(values | changes))


def payouts(*parts: int) -> bytes:
    """A payout vector: ten thousandths of outcome 0, 1, ..."""
    return b"".join(part.to_bytes(2, "big") for part in parts).ljust(32, b"\0")


def list_event(group: int, outcomes: int, *, unit: int = 10_000, venue: int = 1) -> Tell:
    """An event in asset 1 whose void vector pays outcome 0."""
    return tell(
        messages.LIST_EVENT,
        group=group,
        venue=venue,
        asset=1,
        outcomes=outcomes,
        unit=unit,
        voidPayouts=payouts(10_000),
    )


def list_outcome(market: int, group: int, *, venue: int = 1, **terms: Any) -> Tell:
    """An outcome market with prices 1 .. 99 at the unit of `list_event`."""
    values: dict[str, Any] = {
        "id": venue << 16 | market,
        "tickValue": 100,
        "maxNotional": limits.MAX_NOTIONAL,
        "maxLots": 10**6,
        "takerFee": 500,
        "makerFee": 200,
        "protocolShare": 200_000,
        "insuranceShare": 100_000,
    }
    return tell(messages.LIST_OUTCOME, market=market, group=group, **(values | terms))
