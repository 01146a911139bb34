"""Envelopes from plain values: prices and sizes as people write them, whole ticks and lots as they are sent.

No float is accepted anywhere: ``0.1`` is not a tenth. Use text (``"0.1"``), `decimal.Decimal` or int.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from tradezone.client.signing import ClientError, NonceSource, PrivateKey
from tradezone.protocol import actions
from tradezone.protocol.actions import Envelope, pack
from tradezone.protocol.enums import (
    BUY,
    SCOPE_TRADE,
    SELL,
    STP_BOTH,
    STP_DECREMENT,
    STP_NEWEST,
    STP_OLDEST,
    TIF_FOK,
    TIF_GTC,
    TIF_IOC,
    TIF_POST_ONLY,
)
from tradezone.protocol.limits import MAX_EXPIRES_AFTER, MAX_ITEMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Number = str | int | Decimal
"""A price, size or amount as given by a person. Never a float."""
ClientId = bytes | str | uuid.UUID | None
"""16 bytes, up to 16 ASCII characters, 32 hex digits behind 0x, or a UUID."""

SIDES: Final[Mapping[str, int]] = {"buy": BUY, "sell": SELL}
TIMES_IN_FORCE: Final[Mapping[str, int]] = {
    "gtc": TIF_GTC,
    "post_only": TIF_POST_ONLY,
    "ioc": TIF_IOC,
    "fok": TIF_FOK,
}
SELF_TRADE: Final[Mapping[str, int]] = {
    "newest": STP_NEWEST,
    "oldest": STP_OLDEST,
    "both": STP_BOTH,
    "decrement": STP_DECREMENT,
}
AMEND_MODES: Final[Mapping[str, int]] = {
    "shrink": actions.AMEND_SHRINK,
    "post_only": actions.AMEND_POST_ONLY,
    "take": actions.AMEND_TAKE,
}
NO_CLIENT_ID: Final = bytes(16)
LIFETIME_MS: Final = 30_000  # an envelope that is not executed within this time is void


class NotAMultipleError(ClientError):
    """A number between two that can be sent. ``below`` and ``above`` are its neighbours."""

    def __init__(self, text: str, below: Decimal | None, above: Decimal) -> None:
        super().__init__(text)
        self.below = below
        self.above = above


def to_fraction(value: Number, name: str) -> Fraction:
    """Return a number exactly. ClientError for a float, NaN, infinity or other text."""
    if isinstance(value, float):
        raise ClientError(
            f'{name} {value!r} is a float, which holds no exact price or size; write "{value!r}"'
        )
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ClientError(f"{name} is a {type(value).__name__}, expected text, Decimal or int")
    try:
        number = Decimal(value.strip()) if isinstance(value, str) else Decimal(value)
    except InvalidOperation:
        raise ClientError(f"{name} {value!r} is not a number") from None
    if not number.is_finite() or abs(number.adjusted()) > 60:
        raise ClientError(f"{name} {value!r} is not a number that can be used")
    return Fraction(number)


def to_decimal(value: Fraction) -> Decimal:
    """Return a fraction as a plain decimal, rounded to 18 places if it does not end before."""
    for places in range(19):
        if (value.denominator and 10**places % value.denominator) == 0:
            return Decimal(value.numerator * 10**places // value.denominator).scaleb(-places)
    return Decimal(round(value * 10**18)).scaleb(-18)


def _to_units(value: Number, unit: Fraction, name: str, unit_name: str) -> int:
    """Whole units in ``value``; NotAMultipleError if it lies between two."""
    number = to_fraction(value, name)
    if number <= 0:
        raise ClientError(f"{name} {value} is not above zero")
    units = number / unit
    if units.denominator == 1:
        return units.numerator
    low = units.numerator // units.denominator
    below = to_decimal(low * unit) if low else None
    above = to_decimal((low + 1) * unit)
    nearest = f"{below:f}, {above:f}" if below is not None else f"{above:f}"
    raise NotAMultipleError(
        f"{name} {value} is not a multiple of the {unit_name} {to_decimal(unit):f}; nearest: {nearest}",
        below,
        above,
    )


@dataclass(frozen=True, slots=True)
class Asset:
    """What a client must know of an asset. ``decimals``: one unit is 10^decimals atoms."""

    id: int
    symbol: str
    decimals: int

    def to_atoms(self, amount: Number) -> int:
        """Return an amount of units in atoms. ClientError if it has more decimals than the asset."""
        return _to_units(amount, Fraction(1, 10**self.decimals), "amount", f"{self.symbol} atom")

    def from_atoms(self, atoms: int) -> Decimal:
        """Return atoms in units, exactly."""
        return Decimal(atoms).scaleb(-self.decimals)


@dataclass(frozen=True, slots=True)
class Market:
    """What a client must know of a market: its slot, assets and steps.

    ``lot_size`` is base atoms of one lot, ``tick_value`` quote atoms of one tick of one lot.
    """

    slot: int
    base: Asset
    quote: Asset
    lot_size: int
    tick_value: int
    max_price: int  # ticks
    max_lots: int
    min_notional: int = 0  # quote atoms

    @property
    def name(self) -> str:
        """BASE/QUOTE."""
        return f"{self.base.symbol}/{self.quote.symbol}"

    @property
    def tick(self) -> Fraction:
        """Smallest step of a price, quote units per base unit."""
        return Fraction(
            self.tick_value * 10**self.base.decimals, self.lot_size * 10**self.quote.decimals
        )

    @property
    def lot(self) -> Fraction:
        """Smallest step of a size, base units."""
        return Fraction(self.lot_size, 10**self.base.decimals)

    def to_ticks(self, price: Number) -> int:
        """Return a price in ticks. ClientError if it is not a multiple, or out of range."""
        ticks = _to_units(price, self.tick, "price", "tick")
        if ticks > self.max_price:
            highest = to_decimal(self.max_price * self.tick)
            raise ClientError(f"price {price} is above the highest of {self.name}, {highest:f}")
        return ticks

    def to_lots(self, size: Number) -> int:
        """Return a size in lots. ClientError if it is not a multiple, or out of range."""
        lots = _to_units(size, self.lot, "size", "lot")
        if lots > self.max_lots:
            largest = to_decimal(self.max_lots * self.lot)
            raise ClientError(f"size {size} is above the largest of {self.name}, {largest:f}")
        return lots

    def from_ticks(self, ticks: int) -> Decimal:
        """Return ticks as a price."""
        return to_decimal(ticks * self.tick)

    def from_lots(self, lots: int) -> Decimal:
        """Return lots as a size."""
        return to_decimal(lots * self.lot)


# --- items -----------------------------------------------------------------------------------------


def to_client_id(value: ClientId) -> bytes:
    """Return a client id as 16 bytes; None is none (zero)."""
    if value is None:
        return NO_CLIENT_ID
    if isinstance(value, uuid.UUID):
        raw = value.bytes
    elif isinstance(value, str) and value.startswith("0x"):
        try:
            raw = bytes.fromhex(value[2:])
        except ValueError:
            raise ClientError(f"client id {value!r} is not hex") from None
    elif isinstance(value, str):
        if not value.isascii() or not 1 <= len(value) <= 16:
            raise ClientError(f"client id {value!r} is not 1 to 16 ASCII characters")
        raw = value.encode().ljust(16, b"\0")
    else:
        raw = value
    if len(raw) != 16:
        raise ClientError(f"a client id is 16 bytes, was {len(raw)}")
    return raw


def _choose(value: str, among: Mapping[str, int], name: str) -> int:
    try:
        return among[value]
    except (KeyError, TypeError):
        raise ClientError(f"{name} is {value!r}, expected one of {', '.join(among)}") from None


def _pack(layout: actions.Layout, **values: int | bytes) -> bytes:
    try:
        return pack(layout, values)
    except (OverflowError, ValueError, AttributeError) as error:
        fields = {n: v for n, v in values.items() if isinstance(v, int)}
        raise ClientError(f"a field is out of range: {error}; fields {fields}") from error


def _check_order_name(order: int | None, client_id: ClientId) -> tuple[int, bytes]:
    if (order is None) == (client_id is None):
        raise ClientError("name an order by its id or by its client id, and not by both")
    if order == 0:
        raise ClientError("order id 0 does not exist")
    return order or 0, to_client_id(client_id)


def build_place(
    market: Market,
    side: str,
    price: Number,
    size: Number,
    *,
    tif: str = "gtc",
    stp: str = "newest",
    expires: int = 0,
    client_id: ClientId = None,
) -> bytes:
    """Build one order of a PLACE envelope.

    Parameters
    ----------
    market : Market
        where
    side : str
        "buy" or "sell"
    price : str, Decimal or int
        limit, quote units per base unit
    size : str, Decimal or int
        base units
    tif : str
        "gtc", "post_only", "ioc" or "fok"
    stp : str
        who gives way when the order meets one of the same account: "newest" (this one), "oldest",
        "both" or "decrement"
    expires : int
        ms since 1970 at which the resting order ends, 0 = never
    client_id : optional
        see `ClientId`

    Raises
    ------
    ClientError
        If a value cannot be sent as given; the text names the nearest ones that can.
    """
    ticks, lots = market.to_ticks(price), market.to_lots(size)
    if (notional := ticks * lots * market.tick_value) < market.min_notional:
        symbol = market.quote.symbol
        least, found = (market.quote.from_atoms(n) for n in (market.min_notional, notional))
        text = f"{size} at {price} is worth {found:f} {symbol}, the least of {market.name} is {least:f}"
        raise ClientError(text)
    return _pack(
        actions.PLACE_ITEM,
        market=market.slot,
        price=ticks,
        lots=lots,
        side=_choose(side, SIDES, "side"),
        tif=_choose(tif, TIMES_IN_FORCE, "tif"),
        stp=_choose(stp, SELF_TRADE, "stp"),
        flags=0,
        expires=expires,
        client_id=to_client_id(client_id),
        interface=0,
        interface_fee=0,
    )


def build_amend(
    market: Market,
    *,
    size: Number,
    price: Number | None = None,
    order: int | None = None,
    client_id: ClientId = None,
    mode: str = "shrink",
) -> bytes:
    """Build one amend of an AMEND envelope.

    Parameters
    ----------
    market : Market
        of the order
    size : str, Decimal or int
        new *total* size, base units, including what is filled already
    price : str, Decimal or int, optional
        new limit; the old one if absent
    order, client_id
        name of the order: one of the two
    mode : str
        "shrink" keeps the place in the queue and only allows less at the same price; "post_only" and
        "take" place the order anew
    """
    number, identity = _check_order_name(order, client_id)
    return _pack(
        actions.AMEND_ITEM,
        order=number,
        client_id=identity,
        price=0 if price is None else market.to_ticks(price),
        lots=market.to_lots(size),
        mode=_choose(mode, AMEND_MODES, "mode"),
    )


def build_cancel(order: int | None = None, *, client_id: ClientId = None) -> bytes:
    """Build one cancel of a CANCEL envelope; the order is named by id or by client id."""
    number, identity = _check_order_name(order, client_id)
    return _pack(actions.CANCEL_ITEM, order=number, client_id=identity)


# --- envelopes -------------------------------------------------------------------------------------


class Signer:
    """Signs envelopes for one account with one key.

    Every method returns the leaf, ready to be sent.

    Parameters
    ----------
    key : PrivateKey
        what signs
    account : int
        account slot that acts
    key_id : int
        the key in the zone: generation << 32 | slot, as the event KEY_APPROVED says
    separator : bytes
        EIP-712 domain separator of the zone, 32 bytes
    nonces : NonceSource, optional
        signers of several accounts with one key share one; its own if absent
    lifetime_ms : int
        envelopes not executed within this time are void
    """

    def __init__(
        self,
        key: PrivateKey,
        account: int,
        key_id: int,
        separator: bytes,
        *,
        nonces: NonceSource | None = None,
        lifetime_ms: int = LIFETIME_MS,
    ) -> None:
        if not 0 < lifetime_ms <= MAX_EXPIRES_AFTER:
            raise ClientError(f"lifetime is {lifetime_ms} ms, expected 1 .. {MAX_EXPIRES_AFTER}")
        if len(separator) != 32:
            raise ClientError(f"a domain separator is 32 bytes, was {len(separator)}")
        self.key = key
        self.account = account
        self.key_id = key_id
        self._separator = separator
        self._nonces = nonces or NonceSource()
        self._lifetime = lifetime_ms

    def build(self, action: int, body: bytes) -> Envelope:
        """Return the signed envelope of any action around its packed body."""
        nonce = self._nonces.take()
        envelope = Envelope(self.account, self.key_id, nonce, nonce + self._lifetime, action, body)
        return self.key.sign(envelope, self._separator)

    def _trade(self, action: int, items: Sequence[bytes]) -> bytes:
        if not 1 <= len(items) <= MAX_ITEMS:
            raise ClientError(f"an envelope holds 1 to {MAX_ITEMS} items, was {len(items)}")
        return self.build(action, b"".join(items)).to_leaf()

    def place(self, *orders: bytes) -> bytes:
        """Place up to 30 orders, see `build_place`."""
        return self._trade(actions.PLACE, orders)

    def amend(self, *amends: bytes) -> bytes:
        """Amend up to 30 orders, see `build_amend`."""
        return self._trade(actions.AMEND, amends)

    def cancel(self, *cancels: bytes) -> bytes:
        """Cancel up to 30 orders, see `build_cancel`."""
        return self._trade(actions.CANCEL, cancels)

    def transfer(self, to_account: int, asset: Asset, amount: Number) -> bytes:
        """Move an amount to another account of the same owner."""
        body = _pack(
            actions.TRANSFER_BODY,
            toAccount=to_account,
            asset=asset.id,
            amount=asset.to_atoms(amount),
        )
        return self.build(actions.TRANSFER, body).to_leaf()

    def withdraw(self, asset: Asset, amount: Number) -> bytes:
        """Send an amount to the owner's L1 address (or the redirect it chose)."""
        body = _pack(actions.WITHDRAW_BODY, asset=asset.id, amount=asset.to_atoms(amount))
        return self.build(actions.WITHDRAW, body).to_leaf()

    def approve_key(
        self,
        agent: bytes,
        expires: int,
        *,
        name: str = "",
        only_account: int = 0,
        only_venue: int = 0,
        max_notional: int = 0,
    ) -> bytes:
        """Let another key trade for this owner; it can never withdraw.

        Parameters
        ----------
        agent : bytes
            address of the key, 20 bytes
        expires : int
            ms since 1970
        name : str
            up to 8 ASCII characters, for display
        only_account, only_venue : int
            the only account or venue it may act for, 0 = all
        max_notional : int
            most that one order may be worth, quote atoms, 0 = no bound
        """
        if len(agent) != 20:
            raise ClientError(f"an address is 20 bytes, was {len(agent)}")
        if not name.isascii() or len(name) > 8:
            raise ClientError(f"key name {name!r} is not up to 8 ASCII characters")
        body = _pack(
            actions.APPROVE_KEY_BODY,
            agent=agent,
            onlyAccount=only_account,
            onlyVenue=only_venue,
            scope=SCOPE_TRADE,
            expires=expires,
            maxNotional=max_notional,
            name=name.encode().ljust(8, b"\0"),
        )
        return self.build(actions.APPROVE_KEY, body).to_leaf()

    def revoke_key(self, key_id: int) -> bytes:
        """Revoke a key, named by generation << 32 | slot."""
        body = _pack(actions.REVOKE_KEY_BODY, revokedKey=key_id)
        return self.build(actions.REVOKE_KEY, body).to_leaf()

    def create_account(self) -> bytes:
        """Create a sub-account of this owner."""
        return self.build(actions.CREATE_ACCOUNT, b"").to_leaf()

    def noop(self) -> bytes:
        """Burn a nonce and do nothing else: proves that a key works."""
        return self.build(actions.NOOP, b"").to_leaf()
