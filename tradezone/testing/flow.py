"""From intentions to signed envelopes: who sends what, in which block, under which key.

A *group* is what may share a block without changing the order of arrival: a block executes cancels and
shrinks first, then post-only orders, then takers (``docs/spec/blocks.md``), so a group is a longest run of
intentions whose classes do not fall. With a taker delay of 0 the engine's events of a group then come in
the order of its intentions.

Orders are named by client id, which follows from the intention's key, so a whole run can be signed before
the first block. Makers rest and never take, takers take and never rest: no order ever meets its own account.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import coincurve

from tradezone.protocol import actions
from tradezone.protocol.enums import BUY, STP_NEWEST, TIF_IOC, TIF_POST_ONLY
from tradezone.protocol.hashing import keccak
from tradezone.protocol.limits import (
    MAX_BLOCK_LEAVES,
    MAX_EXPIRES_AFTER,
    MAX_ITEMS,
    MAX_OPEN_ORDERS,
)

from .intentions import Cancel, Intention, OrderFlow, PlacePostOnly, Shrink, Take
from .reference import FifoBook

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

DEFAULT_MAKERS: Final = 300
DEFAULT_TAKERS: Final = 32
DEFAULT_MARKET: Final = 1
DEFAULT_LIFETIME: Final = 43_200_000  # ms an envelope stays valid: half of what the protocol allows
CLIENT_TAG: Final = int.from_bytes(b"tz-flow\0", "big")  # high limb of every client id of a flow

_CODES: Final = {1: "B", 2: "H", 4: "I", 8: "Q", 16: "16s", 20: "20s"}


def _build_packer(layout: actions.Layout) -> struct.Struct:
    return struct.Struct(">" + "".join(_CODES[width] for _, _, width in layout))


_PLACE: Final = _build_packer(actions.PLACE_ITEM)
_AMEND: Final = _build_packer(actions.AMEND_ITEM)
_CANCEL: Final = _build_packer(actions.CANCEL_ITEM)
_ITEM_BYTES: Final = {
    actions.PLACE: actions.PLACE_BYTES,
    actions.AMEND: actions.AMEND_BYTES,
    actions.CANCEL: actions.CANCEL_BYTES,
}


class FlowSetupError(ValueError):
    """A flow that cannot be sent by the accounts or in the time it was given."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An envelope before it has nonce, key and signature.

    ``account`` is an index into the traders: makers come first, then takers. ``body`` is the packed items.
    """

    account: int
    action: int
    body: bytes

    @property
    def items(self) -> int:
        """Number of orders, amends or cancels in it."""
        return len(self.body) // _ITEM_BYTES[self.action]


@dataclass(frozen=True, slots=True)
class Group:
    """Envelopes that may share a block: intentions ``start`` to ``stop - 1`` of the flow, in order."""

    start: int
    stop: int
    time: int  # ms since the first message, of the first intention
    envelopes: tuple[Draft, ...]


@dataclass(frozen=True)
class Trader:
    """An account with the key (its id, as in an envelope) that signs for it."""

    account: int
    key: int
    secret: bytes = field(repr=False)

    def get_address(self) -> bytes:
        """Address of the key, 20 bytes: what the engine is told as signer."""
        return get_address(self.secret)


@dataclass(frozen=True, slots=True)
class Funding:
    """What an account may need at most: the quote of all its buys (price * lots), the lots of all its sells."""

    quote: int = 0
    lots: int = 0


def get_client_id(key: int, tag: int = CLIENT_TAG) -> bytes:
    """Client id of the order that an intention names, 16 bytes."""
    return tag.to_bytes(8, "big") + key.to_bytes(8, "big")


def get_secret(index: int, name: str = "order flow") -> bytes:
    """Return the private key of a trader. Warning: anyone can derive it, so it must never hold real funds."""
    return keccak(f"tradezone.testing {name} {index}".encode())


def get_address(secret: bytes) -> bytes:
    """Address of a private key, 20 bytes."""
    public = coincurve.PrivateKey(secret).public_key.format(compressed=False)
    return keccak(public[1:])[12:]


def build_groups(
    flow: OrderFlow,
    makers: int = DEFAULT_MAKERS,
    takers: int = DEFAULT_TAKERS,
    market: int = DEFAULT_MARKET,
    tag: int = CLIENT_TAG,
    max_leaves: int = MAX_BLOCK_LEAVES,
) -> Iterator[Group]:
    """Hand the intentions to accounts and yield them as groups.

    Orders placed one after the other go into one envelope of up to 30, signed by the next maker in turn that
    has room; cancels and shrinks that follow each other share one where they are of the same account.

    Parameters
    ----------
    makers, takers : int
        number of accounts; their indices are ``0 .. makers - 1`` and ``makers .. makers + takers - 1``
    market : int
        market slot
    tag : int
        high limb of the client ids, to tell flows apart
    max_leaves : int
        most envelopes in a group
    """
    if makers < 1 or takers < 1 or not 1 <= max_leaves <= MAX_BLOCK_LEAVES:
        raise FlowSetupError(
            f"Expected at least one maker and taker and 1 to {MAX_BLOCK_LEAVES} leaves a group, was "
            f"{makers}, {takers} and {max_leaves}"
        )
    desk = _Desk(makers, takers, market, tag)
    start, level = 0, 0
    for n, intention in enumerate(flow.intentions):
        wanted = _get_class(intention)
        if wanted < level or (len(desk.drafts) == max_leaves and not desk.is_joining(intention)):
            yield Group(start, n, flow.times[start], desk.close_group())
            start = n
        level = wanted
        desk.take_in(intention)
    if start < len(flow.intentions):
        yield Group(start, len(flow.intentions), flow.times[start], desk.close_group())


def get_funding(groups: Iterable[Group], accounts: int) -> list[Funding]:
    """Return what each account needs so that no order of the groups ever lacks money, without fees.

    Parameters
    ----------
    accounts : int
        makers and takers together
    """
    quote, lots = [0] * accounts, [0] * accounts
    for group in groups:
        for draft in group.envelopes:
            if draft.action != actions.PLACE:
                continue
            for _, price, size, side, *_ in _PLACE.iter_unpack(draft.body):
                if side == BUY:
                    quote[draft.account] += price * size
                else:
                    lots[draft.account] += size
    return [Funding(*needs) for needs in zip(quote, lots, strict=True)]


def presign(
    groups: Iterable[Group],
    traders: Sequence[Trader],
    separator: bytes,
    start: int,
    lifetime: int = DEFAULT_LIFETIME,
) -> Iterator[list[bytes]]:
    """Sign the envelopes and yield the leaves of each group.

    Nonces of a key are ``start, start + 1, ...``: the first must be later than the approval of the keys, and
    the blocks must lie between ``start`` and ``start + lifetime``. Equal inputs give equal bytes.

    Parameters
    ----------
    traders : sequence of Trader
        makers, then takers, as many as the groups name; no two with the same key
    separator : bytes
        EIP-712 domain separator of the zone
    start : int
        first nonce of every key, ms
    lifetime : int
        ms after ``start`` until which the envelopes may execute, at most a day
    """
    if not 0 < lifetime <= MAX_EXPIRES_AFTER:
        raise FlowSetupError(
            f"Expected a lifetime of 1 ms to {MAX_EXPIRES_AFTER} ms, was {lifetime}"
        )
    signers = [_Signer(trader, separator, start, start + lifetime) for trader in traders]
    for group in groups:
        yield [signers[draft.account].sign(draft.action, draft.body) for draft in group.envelopes]


class _Desk:
    """Who holds which order, and the group that is being filled."""

    def __init__(self, makers: int, takers: int, market: int, tag: int) -> None:
        self.makers, self.takers, self.market, self.tag = makers, takers, market, tag
        self.book = FifoBook()
        self.holders: dict[int, int] = {}  # by key; stays after the order is gone
        self.open_orders = [0] * makers
        self.maker, self.taker = 0, 0
        self.drafts: list[tuple[int, int, list[bytes]]] = []

    def close_group(self) -> tuple[Draft, ...]:
        drafts = tuple(
            Draft(account, action, b"".join(items)) for account, action, items in self.drafts
        )
        self.drafts = []
        return drafts

    def is_joining(self, intention: Intention) -> bool:
        """Whether it goes into the envelope that is open."""
        if not self.drafts or isinstance(intention, Take):
            return False
        account, action, items = self.drafts[-1]
        if action != _get_action(intention) or len(items) == MAX_ITEMS:
            return False
        if isinstance(intention, PlacePostOnly):
            return self.open_orders[account] < MAX_OPEN_ORDERS
        return account == self.get_holder(intention)

    def take_in(self, intention: Intention) -> None:
        if self.is_joining(intention):
            account, _, items = self.drafts[-1]
            items.append(self.pack(intention))
        else:
            account = self.choose_account(intention)
            self.drafts.append((account, _get_action(intention), [self.pack(intention)]))
        before = len(self.book.orders)
        makers = self.book.apply(intention)
        if isinstance(intention, PlacePostOnly):
            self.holders[intention.key] = account
            self.open_orders[account] += len(self.book.orders) - before
        elif isinstance(intention, Take):
            for key, _ in makers:
                self.open_orders[self.holders[key]] -= key not in self.book.orders
        else:
            self.open_orders[account] -= before - len(self.book.orders)

    def choose_account(self, intention: Intention) -> int:
        if isinstance(intention, Take):
            self.taker = (self.taker + 1) % self.takers
            return self.makers + self.taker
        if not isinstance(intention, PlacePostOnly):
            return self.get_holder(intention)
        for _ in range(self.makers):
            self.maker = (self.maker + 1) % self.makers
            if self.open_orders[self.maker] < MAX_OPEN_ORDERS:
                return self.maker
        raise FlowSetupError(
            f"all {self.makers} makers have {MAX_OPEN_ORDERS} open orders: the flow needs more makers"
        )

    def get_holder(self, intention: Shrink | Cancel) -> int:
        holder = self.holders.get(intention.key)
        if holder is None:
            raise FlowSetupError(f"{intention} names an order that was never placed")
        return holder

    def pack(self, intention: Intention) -> bytes:
        client_id = get_client_id(intention.key, self.tag)
        if isinstance(intention, Cancel):
            return _CANCEL.pack(0, client_id)
        if isinstance(intention, Shrink):
            return _AMEND.pack(0, client_id, 0, intention.total, actions.AMEND_SHRINK)
        tif = TIF_IOC if isinstance(intention, Take) else TIF_POST_ONLY
        price, lots, side = intention.price, intention.lots, intention.side
        return _PLACE.pack(self.market, price, lots, side, tif, STP_NEWEST, 0, 0, client_id, 0, 0)


class _Signer:
    """Signs for one trader; all that does not change from envelope to envelope is built once."""

    def __init__(self, trader: Trader, separator: bytes, nonce: int, expires_after: int) -> None:
        self.secret = coincurve.PrivateKey(trader.secret)
        self.nonce = nonce
        self.expires = expires_after.to_bytes(8, "big")
        template = actions.Envelope(
            trader.account, trader.key, nonce, expires_after, actions.PLACE, b"", bytes(65)
        )
        self.head = template.to_leaf()[: actions.AT_NONCE]
        self.domain = b"\x19\x01" + separator
        self.prefix = (
            keccak(actions.TRADE_TYPE.encode())
            + trader.account.to_bytes(32, "big")
            + trader.key.to_bytes(32, "big")
        )
        self.words = {
            action: expires_after.to_bytes(32, "big") + action.to_bytes(32, "big")
            for action in _ITEM_BYTES
        }

    def sign(self, action: int, body: bytes) -> bytes:
        nonce = self.nonce.to_bytes(8, "big")
        self.nonce += 1
        hashed = keccak(self.prefix + bytes(24) + nonce + self.words[action] + keccak(body))
        signature = self.secret.sign_recoverable(keccak(self.domain + hashed), hasher=None)
        size = len(body)
        return b"".join(
            (
                self.head,
                nonce,
                self.expires,
                bytes((action, size // _ITEM_BYTES[action])),
                size.to_bytes(2, "big"),
                body,
                signature[:64],
                bytes((signature[64] + 27,)),
            )
        )


def _get_class(intention: Intention) -> int:
    if isinstance(intention, Take):
        return actions.CLASS_TAKE
    return actions.CLASS_POST if isinstance(intention, PlacePostOnly) else actions.CLASS_CANCEL


def _get_action(intention: Intention) -> int:
    if isinstance(intention, Shrink):
        return actions.AMEND
    return actions.CANCEL if isinstance(intention, Cancel) else actions.PLACE
