"""Envelopes of one account, signed with one key; and credentials, signed by who attests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from tradezone.client.instruments import (
    Asset,
    Instrument,
    Number,
    OutcomeMarket,
    Ratio,
    to_ppm,
)
from tradezone.client.orders import (
    NO_CLIENT_ID,
    SELF_TRADE,
    SELF_TRADE_SCOPES,
    Leg,
    build_bracket,
    build_cancel_all,
    build_set,
    find_repeated_rung,
    pack_fields,
)
from tradezone.client.signing import ClientError, NonceSource, PrivateKey
from tradezone.protocol import actions
from tradezone.protocol.actions import Credential, Envelope, SignedPrice, unpack
from tradezone.protocol.enums import (
    MODE_CROSS,
    MODE_ISOLATED,
    SCOPE_TRADE,
    STP_MODE,
    STP_OWNER,
)
from tradezone.protocol.limits import (
    MAX_DEAD_MAN,
    MAX_EXPIRES_AFTER,
    MAX_FEED_PRICE,
    MAX_INTERFACE_FEE,
    MAX_ITEMS,
    MAX_TIME,
    MIN_DEAD_MAN,
    PPM,
)

LIFETIME_MS: Final = 30_000  # an envelope that is not executed within this time is void
MAX_REGION: Final = 62  # a venue admits regions by the bits of a 63-bit field


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
        expected = actions.layout_bytes(actions.ITEM_LAYOUTS[action])
        for n, item in enumerate(items):
            if len(item) != expected:
                raise ClientError(
                    f"item {n} is {len(item)} bytes, expected {expected}: items of another action?"
                )
        return self.build(action, b"".join(items)).to_leaf()

    def _typed(self, action: int, **values: int | bytes) -> bytes:
        return self.build(action, pack_fields(actions.TYPED_ACTIONS[action][1], **values)).to_leaf()

    # --- orders ------------------------------------------------------------------------------------

    def place(self, *orders: bytes) -> bytes:
        """Place up to 30 orders, see `build_place` and `build_market_order`."""
        return self._trade(actions.PLACE, orders)

    def amend(self, *amends: bytes) -> bytes:
        """Amend up to 30 orders, see `build_amend`."""
        return self._trade(actions.AMEND, amends)

    def cancel(self, *cancels: bytes) -> bytes:
        """Cancel up to 30 orders, see `build_cancel`."""
        return self._trade(actions.CANCEL, cancels)

    def cancel_all(self, market: Instrument | None = None, side: str = "both") -> bytes:
        """Cancel all orders and plans of the account, or those of one market or side.

        The zone may need several blocks for it; what is placed afterwards stays.
        """
        return self._trade(actions.CANCEL_ALL, [build_cancel_all(market, side)])

    def mass_quote(self, *rungs: bytes) -> bytes:
        """Replace up to 30 rungs of a ladder at once, see `build_quote` and `build_pull`."""
        repeated = find_repeated_rung(rungs)
        if repeated is not None:
            raise ClientError(f"two rungs have the client id 0x{repeated.hex()}")
        return self._trade(actions.MASS_QUOTE, rungs)

    def dead_man(self, timeout_ms: int) -> bytes:
        """Have all orders and plans cancelled unless this is sent again within the timeout; 0 = off."""
        if timeout_ms != 0 and not MIN_DEAD_MAN <= timeout_ms <= MAX_DEAD_MAN:
            text = f"timeout is {timeout_ms} ms, expected 0 or {MIN_DEAD_MAN} .. {MAX_DEAD_MAN}"
            raise ClientError(text)
        return self._trade(
            actions.DEAD_MAN, [pack_fields(actions.DEAD_MAN_ITEM, timeout=timeout_ms)]
        )

    # --- plans -------------------------------------------------------------------------------------

    def place_plan(self, *plans: bytes) -> bytes:
        """Place up to 30 plans, see `build_plan` and `build_bracket`.

        Neighbours with grouping "position" in one market become legs of one bracket.
        """
        return self._trade(actions.PLACE_PLAN, plans)

    def bracket(
        self,
        market: Instrument,
        order: bytes,
        *,
        take_profit: Leg | None = None,
        stop: Leg | None = None,
        expires: int = 0,
    ) -> tuple[bytes, bytes]:
        """Place an order with its ways out.

        Parameters
        ----------
        market : Instrument
            of the order
        order : bytes
            made by `build_place` or `build_market_order`, with a client id: the legs name it
        take_profit, stop : Leg, optional
            at least one
        expires : int
            of the legs, ms since 1970, 0 = never

        Returns
        -------
        (bytes, bytes)
            the order's envelope and the legs', to be sent together and in this order: the legs are refused
            (PARENT_NOT_FOUND) once the order is gone
        """
        fields = unpack(actions.PLACE_ITEM, order)
        if len(order) != actions.PLACE_BYTES or fields["market"] != market.slot:
            raise ClientError(f"this is not an order for market {market.slot} ({market.name})")
        identity = fields["client_id"]
        if not isinstance(identity, bytes) or identity == NO_CLIENT_ID:
            raise ClientError("the order of a bracket needs a client id: its legs name it")
        side, stp, lots, fee = (int(fields[n]) for n in ("side", "stp", "lots", "interface_fee"))
        legs = build_bracket(
            market,
            market.from_side(side),
            market.from_lots(lots),
            parent_client_id=identity,
            take_profit=take_profit,
            stop=stop,
            stp=next(name for name, mode in SELF_TRADE.items() if mode == stp & STP_MODE),
            stp_scope=next(n for n, bit in SELF_TRADE_SCOPES.items() if bit == stp & STP_OWNER),
            expires=expires,
            interface=int(fields["interface"]),
            interface_fee=Decimal(fee) / PPM,
        )
        return self.place(order), self.place_plan(*legs)

    def cancel_plan(self, *plans: int) -> bytes:
        """Cancel up to 30 plans, named by the ids in PLAN_PLACED."""
        return self._trade(
            actions.CANCEL_PLAN,
            [pack_fields(actions.CANCEL_PLAN_ITEM, plan=plan) for plan in plans],
        )

    # --- outcomes ----------------------------------------------------------------------------------

    def split(self, event: OutcomeMarket | int, sets: Number) -> bytes:
        """Pay for complete sets of an event: a Yes of every outcome."""
        return self._trade(actions.SPLIT, [build_set(event, sets)])

    def merge(self, event: OutcomeMarket | int, sets: Number) -> bytes:
        """Give back complete sets of an event for what they cost."""
        return self._trade(actions.MERGE, [build_set(event, sets)])

    def redeem(self, *markets: OutcomeMarket) -> bytes:
        """Be paid for what the account holds of up to 30 resolved markets; it would come by itself too."""
        items = [pack_fields(actions.REDEEM_ITEM, market=market.slot) for market in markets]
        return self._trade(actions.REDEEM, items)

    # --- margin ------------------------------------------------------------------------------------

    def leverage(self, market: int, leverage: Number = 0, *, is_cross: bool = False) -> bytes:
        """Set leverage (0 = the highest) and margin mode of the account in a perpetual.

        Parameters
        ----------
        market : int
            market slot
        leverage : int, str or Decimal
            at most two decimals
        is_cross : bool
            share margin with the venue's other markets; only where the market is approved for it

        Raises
        ------
        ClientError
            more than two decimals
        """
        hundredths = Decimal(leverage) * 100
        if hundredths != int(hundredths):
            raise ClientError(f"leverage {leverage} has more than two decimals")
        mode = MODE_CROSS if is_cross else MODE_ISOLATED
        item = {"market": market, "mode": mode, "leverage": int(hundredths)}
        return self._trade(actions.LEVERAGE, [pack_fields(actions.LEVERAGE_ITEM, **item)])

    def check(self, account: int, venue: int, asset: Asset, market: int = 0) -> bytes:
        """Have the margin pool of any account looked at; market 0 is its cross pool."""
        item = {"account": account, "venue": venue, "asset": asset.id, "market": market}
        return self._trade(actions.CHECK, [pack_fields(actions.CHECK_ITEM, **item)])

    def allowance(self, venue: int, asset: Asset, amount: Number) -> bytes:
        """Let a cross pool pull up to an amount before it is liquidated, counted from now."""
        atoms = asset.to_atoms(amount)
        return self._typed(actions.ALLOWANCE, venue=venue, asset=asset.id, amount=atoms)

    def add_margin(self, venue: int, asset: Asset, amount: Number, market: int = 0) -> bytes:
        """Move free money into a margin pool, to stay there; market 0 is the cross pool."""
        return self._adjust_margin(actions.MARGIN_ADD, venue, asset, amount, market)

    def take_margin(self, venue: int, asset: Asset, amount: Number, market: int = 0) -> bytes:
        """Move margin that is not needed out of a pool; market 0 is the cross pool."""
        return self._adjust_margin(actions.MARGIN_TAKE, venue, asset, amount, market)

    def _adjust_margin(
        self, direction: int, venue: int, asset: Asset, amount: Number, market: int
    ) -> bytes:
        return self._typed(
            actions.ADJUST_MARGIN,
            venue=venue,
            asset=asset.id,
            market=market,
            direction=direction,
            amount=asset.to_atoms(amount),
        )

    def fund(self, venue: int, asset: Asset, amount: Number) -> bytes:
        """Give money to a venue's insurance fund; it repays the venue's deficit first."""
        atoms = asset.to_atoms(amount)
        return self._typed(actions.FUND, venue=venue, asset=asset.id, amount=atoms)

    def defund(self, venue: int, asset: Asset, amount: Number) -> bytes:
        """Take money out of the insurance fund of a venue that is wound down; for its owner."""
        atoms = asset.to_atoms(amount)
        return self._typed(actions.DEFUND, venue=venue, asset=asset.id, amount=atoms)

    # --- money -------------------------------------------------------------------------------------

    def transfer(self, to_account: int, asset: Asset, amount: Number) -> bytes:
        """Move an amount to another account of the same owner."""
        atoms = asset.to_atoms(amount)
        return self._typed(actions.TRANSFER, toAccount=to_account, asset=asset.id, amount=atoms)

    def withdraw(self, asset: Asset, amount: Number) -> bytes:
        """Send an amount to the owner's L1 address (or the redirect it chose)."""
        return self._typed(actions.WITHDRAW, asset=asset.id, amount=asset.to_atoms(amount))

    def open_balance(self, asset: Asset) -> bytes:
        """Open a balance of an asset, so that it can be received."""
        return self._typed(actions.OPEN_BALANCE, asset=asset.id)

    def close_balance(self, asset: Asset) -> bytes:
        """Close an empty balance, to make room among the 256 of an account."""
        return self._typed(actions.CLOSE_BALANCE, asset=asset.id)

    def faucet(self, asset: Asset) -> bytes:
        """Claim a simulated asset from its faucet; for main accounts."""
        return self._typed(actions.FAUCET, asset=asset.id)

    def issue(self, asset: Asset, to_account: int, amount: Number) -> bytes:
        """Issue a simulated asset to an account that holds it; for the owner of its venue."""
        atoms = asset.to_atoms(amount)
        return self._typed(actions.ISSUE, asset=asset.id, toAccount=to_account, amount=atoms)

    # --- keys and permissions ----------------------------------------------------------------------

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
        return self._typed(
            actions.APPROVE_KEY,
            agent=agent,
            onlyAccount=only_account,
            onlyVenue=only_venue,
            scope=SCOPE_TRADE,
            expires=expires,
            maxNotional=max_notional,
            name=name.encode().ljust(8, b"\0"),
        )

    def revoke_key(self, key_id: int) -> bytes:
        """Revoke a key, named by generation << 32 | slot."""
        return self._typed(actions.REVOKE_KEY, revokedKey=key_id)

    def create_account(self) -> bytes:
        """Create a sub-account of this owner."""
        return self._typed(actions.CREATE_ACCOUNT)

    def approve_interface(self, interface: int, max_fee: Ratio, expires: int = 0) -> bytes:
        """Let an interface, or a guest venue's door, put a fee on this account's orders.

        Parameters
        ----------
        interface : int
            account that is paid
        max_fee : str, Decimal or int
            most it may take of a notional, as "0.0005" or "0.05%"; 0 takes the approval back
        expires : int
            ms since 1970, 0 = never
        """
        parts = to_ppm(max_fee, "max_fee", MAX_INTERFACE_FEE)
        return self._typed(
            actions.APPROVE_INTERFACE, interface=interface, maxFee=parts, expires=expires
        )

    def grant_access(self, venue: int, owner: int, expires: int = 0) -> bytes:
        """Put an owner on a venue's list, until ``expires`` (ms, 0 = for good); for the venue's owner."""
        return self._typed(actions.GRANT_ACCESS, venue=venue, grantee=owner, expires=expires)

    def revoke_access(self, venue: int, owner: int) -> bytes:
        """Take an owner off a venue's list; what it has placed already stays."""
        return self._typed(actions.REVOKE_ACCESS, venue=venue, grantee=owner)

    def noop(self) -> bytes:
        """Burn a nonce and do nothing else: proves that a key works."""
        return self._typed(actions.NOOP)


def sign_credential(
    key: PrivateKey,
    separator: bytes,
    *,
    venue: int,
    owner: int,
    subject: bytes,
    region: int,
    class_: int,
    issued: int,
    expires: int,
) -> bytes:
    """Attest what a venue's access rule asks, and return the leaf that anyone may submit.

    Parameters
    ----------
    key : PrivateKey
        of the provider that the venue has chosen
    separator : bytes
        EIP-712 domain separator of the zone, 32 bytes
    venue : int
        who shall read it; not part of what is signed, see `readdress_credential`
    owner : int
        owner id in the zone
    subject : bytes
        that owner's L1 address, 20 bytes
    region : int
        0 .. 62
    class_ : int
        what the provider's classes mean is its own matter; a venue asks for a lowest one
    issued, expires : int
        ms since 1970; of two credentials the one issued later holds
    """
    if len(subject) != 20:
        raise ClientError(f"an address is 20 bytes, was {len(subject)}")
    if len(separator) != 32:
        raise ClientError(f"a domain separator is 32 bytes, was {len(separator)}")
    if not 0 <= region <= MAX_REGION:
        raise ClientError(f"region is {region}, expected 0 .. {MAX_REGION}")
    if not 0 <= class_ < 1 << 15:
        raise ClientError(f"class is {class_}, expected 0 .. {(1 << 15) - 1}")
    if not 0 <= issued < expires:
        raise ClientError(f"issued is {issued} and expires {expires}: it would never be valid")
    unsigned = Credential(venue, owner, subject, region, class_, issued, expires)
    try:
        return key.sign(unsigned, separator).to_leaf()
    except OverflowError as error:
        raise ClientError(f"a field is out of range: {error}; {unsigned}") from error


def sign_price(
    key: PrivateKey, separator: bytes, *, feed: int, provider: int, price: int, time: int
) -> bytes:
    """Say what a feed is worth, and return the leaf that anyone may submit.

    Parameters
    ----------
    key : PrivateKey
        of the provider's place in the feed
    separator : bytes
        EIP-712 domain separator of the zone, 32 bytes
    feed, provider : int
        the feed, and the provider's id in the oracle registry
    price : int
        1e-8 of the quote's display unit, at least 1
    time : int
        ms since 1970; each price of a provider is of a later time than the one before. Two prices of one time
        are an incident, which costs the provider its bond

    Raises
    ------
    ClientError
        A value is out of range.
    """
    if len(separator) != 32:
        raise ClientError(f"a domain separator is 32 bytes, was {len(separator)}")
    if not 1 <= price <= MAX_FEED_PRICE:
        raise ClientError(f"price is {price}, expected 1 .. {MAX_FEED_PRICE} (1e-8)")
    if not 1 <= time <= MAX_TIME:
        raise ClientError(f"time is {time}, expected ms since 1970")
    unsigned = SignedPrice(feed, provider, price, time)
    try:
        return key.sign(unsigned, separator).to_leaf()
    except OverflowError as error:
        raise ClientError(f"a field is out of range: {error}; {unsigned}") from error


def readdress_credential(leaf: bytes, venue: int) -> bytes:
    """Return the same credential for another venue that trusts its provider."""
    credential = Credential.from_leaf(leaf)
    if credential is None:
        raise ClientError(f"this leaf of {len(leaf)} bytes is no credential")
    try:
        return replace(credential, venue=venue).to_leaf()
    except OverflowError:
        raise ClientError(f"venue is {venue}, expected 0 .. {(1 << 32) - 1}") from None
