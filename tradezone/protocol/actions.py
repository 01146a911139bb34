"""Leaves, envelopes and actions: their bytes, their class and their EIP-712 digest.

Every multi-byte integer in a leaf is big-endian. A leaf is one of

====  ===========  =================================================================
kind  name         bytes after the kind byte
====  ===========  =================================================================
1     block mark   number u64 | time u64 (ms)                         opens a block
2     envelope     version u8 | account u32 | key u64 | nonce u64 | expires_after u64 |
                   action u8 | items u8 | size u16 | body[size] | r 32 | s 32 | v u8
3     price        feed u32 | provider u32 | price u64 | time u64 | r 32 | s 32 | v u8
4     inbox mark   end u64: inbox messages below this index may be consumed
5     credential   venue u32 | owner u32 | subject 20 | region u32 | class u16 | issued u64 |
                   expires u64 | r 32 | s 32 | v u8
====  ===========  =================================================================

A leaf that does not decode is a no-op. ``docs/spec/envelopes.md`` says the same in prose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from .enums import TIF_POST_ONLY, TIF_POST_SLIDE
from .hashing import keccak
from .limits import MAX_ITEMS, MAX_LEAF_BYTES

LEAF_BLOCK: Final = 1
LEAF_ENVELOPE: Final = 2
LEAF_PRICE: Final = 3
LEAF_INBOX: Final = 4
LEAF_CREDENTIAL: Final = 5

ENVELOPE_VERSION: Final = 1
ENVELOPE_HEADER: Final = 34  # kind .. size
SIGNATURE_BYTES: Final = 65
BLOCK_MARK_BYTES: Final = 17
INBOX_MARK_BYTES: Final = 9
PRICE_BODY_BYTES: Final = 25  # kind .. time
PRICE_BYTES: Final = PRICE_BODY_BYTES + SIGNATURE_BYTES
CREDENTIAL_BODY_BYTES: Final = 51  # kind .. expires
CREDENTIAL_BYTES: Final = CREDENTIAL_BODY_BYTES + SIGNATURE_BYTES

# byte offsets inside an envelope
AT_VERSION: Final = 1
AT_ACCOUNT: Final = 2
AT_KEY: Final = 6
AT_NONCE: Final = 14
AT_EXPIRES: Final = 22
AT_ACTION: Final = 30
AT_ITEMS: Final = 31
AT_SIZE: Final = 32
AT_BODY: Final = 34

# actions; gaps are reserved for later engines
PLACE: Final = 1
AMEND: Final = 2
CANCEL: Final = 3
CANCEL_ALL: Final = 4
MASS_QUOTE: Final = 5
DEAD_MAN: Final = 6
PLACE_PLAN: Final = 7
SPLIT: Final = 8
MERGE: Final = 9
TRANSFER: Final = 10
WITHDRAW: Final = 11
APPROVE_KEY: Final = 12
REVOKE_KEY: Final = 13
CREATE_ACCOUNT: Final = 14
NOOP: Final = 15
ALLOWANCE: Final = 16
LEVERAGE: Final = 17
ADJUST_MARGIN: Final = 18
APPROVE_INTERFACE: Final = 19
CHECK: Final = 20
FAUCET: Final = 21
CANCEL_PLAN: Final = 22
REDEEM: Final = 23
ISSUE: Final = 24
GRANT_ACCESS: Final = 25
REVOKE_ACCESS: Final = 26
OPEN_BALANCE: Final = 27
CLOSE_BALANCE: Final = 28
FUND: Final = 29
DEFUND: Final = 30

# body layouts: (name, solidity type, bytes)
Layout = tuple[tuple[str, str, int], ...]

PLACE_ITEM: Final[Layout] = (
    ("market", "uint32", 4),
    ("price", "uint32", 4),
    ("lots", "uint64", 8),
    ("side", "uint8", 1),
    ("tif", "uint8", 1),
    ("stp", "uint8", 1),
    ("flags", "uint8", 1),
    ("expires", "uint64", 8),
    ("client_id", "bytes16", 16),
    ("interface", "uint32", 4),
    ("interface_fee", "uint32", 4),
)
AMEND_SHRINK: Final = 0  # keeps the priority: same price, not more lots
AMEND_POST_ONLY: Final = 1  # re-places the order; refused if it would take
AMEND_TAKE: Final = 2  # re-places the order, which may take and so waits
AMEND_POST_SLIDE: Final = 3  # re-places the order; would it take, it rests one tick behind
AMEND_ITEM: Final[Layout] = (
    ("order", "uint64", 8),
    ("client_id", "bytes16", 16),
    ("price", "uint32", 4),
    ("lots", "uint64", 8),  # total size including what is filled already
    ("mode", "uint8", 1),
)
CANCEL_ITEM: Final[Layout] = (
    ("order", "uint64", 8),
    ("client_id", "bytes16", 16),
)
CANCEL_ALL_ITEM: Final[Layout] = (
    ("market", "uint32", 4),  # 0 = every market
    ("side", "uint8", 1),  # BUY, SELL, BOTH_SIDES
)
QUOTE_ITEM: Final[Layout] = (
    ("market", "uint32", 4),
    ("price", "uint32", 4),
    ("lots", "uint64", 8),  # open lots wanted; 0 = no quote
    ("side", "uint8", 1),
    ("tif", "uint8", 1),  # TIF_POST_ONLY or TIF_POST_SLIDE
    ("stp", "uint8", 1),
    ("expires", "uint64", 8),
    ("client_id", "bytes16", 16),  # which rung of the ladder it is; not 0
)
DEAD_MAN_ITEM: Final[Layout] = (("timeout", "uint32", 4),)  # ms from now; 0 = off
PLAN_ITEM: Final[Layout] = (
    ("market", "uint32", 4),
    ("side", "uint8", 1),
    ("kind", "uint8", 1),
    ("source", "uint8", 1),
    ("grouping", "uint8", 1),
    ("trigger", "uint32", 4),
    ("price", "uint32", 4),  # limit; 0 = market
    ("lots", "uint64", 8),
    ("tif", "uint8", 1),
    ("stp", "uint8", 1),
    ("flags", "uint8", 1),
    ("slippage", "uint32", 4),  # ppm, market plans only
    ("expires", "uint64", 8),
    ("parent", "uint64", 8),  # order id, GROUP_ORDER only
    ("parent_client_id", "bytes16", 16),  # or its client id
    ("interface", "uint32", 4),
    ("interface_fee", "uint32", 4),
)
CANCEL_PLAN_ITEM: Final[Layout] = (("plan", "uint64", 8),)
SET_ITEM: Final[Layout] = (("group", "uint32", 4), ("lots", "uint64", 8))
REDEEM_ITEM: Final[Layout] = (("market", "uint32", 4),)
LEVERAGE_ITEM: Final[Layout] = (
    ("market", "uint32", 4),
    ("mode", "uint8", 1),  # MODE_CROSS or MODE_ISOLATED
    ("leverage", "uint32", 4),  # hundredths, 0 = the highest
)
CHECK_ITEM: Final[Layout] = (  # names a pool, of anyone
    ("account", "uint32", 4),
    ("venue", "uint32", 4),
    ("asset", "uint32", 4),
    ("market", "uint32", 4),  # 0 = the cross pool
)
TRANSFER_BODY: Final[Layout] = (
    ("toAccount", "uint32", 4),
    ("asset", "uint32", 4),
    ("amount", "uint64", 8),
)
WITHDRAW_BODY: Final[Layout] = (("asset", "uint32", 4), ("amount", "uint64", 8))
APPROVE_KEY_BODY: Final[Layout] = (
    ("agent", "address", 20),
    ("onlyAccount", "uint32", 4),
    ("onlyVenue", "uint32", 4),
    ("scope", "uint8", 1),
    ("expires", "uint64", 8),
    ("maxNotional", "uint64", 8),
    ("name", "bytes8", 8),
)
REVOKE_KEY_BODY: Final[Layout] = (("revokedKey", "uint64", 8),)  # generation << 32 | slot
EMPTY_BODY: Final[Layout] = ()
APPROVE_INTERFACE_BODY: Final[Layout] = (
    ("interface", "uint32", 4),  # account
    ("maxFee", "uint32", 4),  # ppm; 0 = revoke
    ("expires", "uint64", 8),
)
FAUCET_BODY: Final[Layout] = (("asset", "uint32", 4),)
ISSUE_BODY: Final[Layout] = (
    ("asset", "uint32", 4),
    ("toAccount", "uint32", 4),
    ("amount", "uint64", 8),
)
GRANT_ACCESS_BODY: Final[Layout] = (
    ("venue", "uint32", 4),
    ("grantee", "uint32", 4),  # owner id
    ("expires", "uint64", 8),  # ms, 0 = never
)
REVOKE_ACCESS_BODY: Final[Layout] = (("venue", "uint32", 4), ("grantee", "uint32", 4))
ALLOWANCE_BODY: Final[Layout] = (
    ("venue", "uint32", 4),
    ("asset", "uint32", 4),
    ("amount", "uint64", 8),
)
MARGIN_ADD: Final = 0
MARGIN_TAKE: Final = 1
ADJUST_MARGIN_BODY: Final[Layout] = (
    ("venue", "uint32", 4),
    ("asset", "uint32", 4),
    ("market", "uint32", 4),  # 0 = the cross pool
    ("direction", "uint8", 1),  # MARGIN_ADD or MARGIN_TAKE
    ("amount", "uint64", 8),
)
FUND_BODY: Final[Layout] = ALLOWANCE_BODY
BALANCE_BODY: Final[Layout] = (("asset", "uint32", 4),)
PRICE_LEAF_BODY: Final[Layout] = (  # of a price leaf, behind its kind; all of it is signed
    ("feed", "uint32", 4),
    ("provider", "uint32", 4),
    ("price", "uint64", 8),  # 1e-8
    ("time", "uint64", 8),  # ms
)
CREDENTIAL_BODY: Final[Layout] = (  # of a credential leaf, behind its kind byte
    ("venue", "uint32", 4),
    ("owner", "uint32", 4),
    ("subject", "address", 20),
    ("region", "uint32", 4),
    ("class", "uint16", 2),
    ("issued", "uint64", 8),
    ("expires", "uint64", 8),
)


def layout_bytes(layout: Layout) -> int:
    """Size of one packed item or body, bytes."""
    return sum(width for _, _, width in layout)


PLACE_BYTES: Final = layout_bytes(PLACE_ITEM)
AMEND_BYTES: Final = layout_bytes(AMEND_ITEM)
CANCEL_BYTES: Final = layout_bytes(CANCEL_ITEM)
QUOTE_BYTES: Final = layout_bytes(QUOTE_ITEM)
PLAN_BYTES: Final = layout_bytes(PLAN_ITEM)

# actions signed as `Trade(...)` over their packed items: agents sign them, no wallet shows them
ITEM_LAYOUTS: Final[dict[int, Layout]] = {
    PLACE: PLACE_ITEM,
    AMEND: AMEND_ITEM,
    CANCEL: CANCEL_ITEM,
    CANCEL_ALL: CANCEL_ALL_ITEM,
    MASS_QUOTE: QUOTE_ITEM,
    DEAD_MAN: DEAD_MAN_ITEM,
    PLACE_PLAN: PLAN_ITEM,
    SPLIT: SET_ITEM,
    MERGE: SET_ITEM,
    CANCEL_PLAN: CANCEL_PLAN_ITEM,
    REDEEM: REDEEM_ITEM,
    LEVERAGE: LEVERAGE_ITEM,
    CHECK: CHECK_ITEM,
}
SINGLE_ITEM: Final = frozenset({DEAD_MAN})  # trade actions that take exactly one item
# actions signed as typed data that a wallet shows readably: (EIP-712 name, body)
TYPED_ACTIONS: Final[dict[int, tuple[str, Layout]]] = {
    TRANSFER: ("Transfer", TRANSFER_BODY),
    WITHDRAW: ("Withdraw", WITHDRAW_BODY),
    APPROVE_KEY: ("ApproveKey", APPROVE_KEY_BODY),
    REVOKE_KEY: ("RevokeKey", REVOKE_KEY_BODY),
    CREATE_ACCOUNT: ("CreateAccount", EMPTY_BODY),
    NOOP: ("Noop", EMPTY_BODY),
    APPROVE_INTERFACE: ("ApproveInterface", APPROVE_INTERFACE_BODY),
    FAUCET: ("Faucet", FAUCET_BODY),
    ISSUE: ("Issue", ISSUE_BODY),
    GRANT_ACCESS: ("GrantAccess", GRANT_ACCESS_BODY),
    REVOKE_ACCESS: ("RevokeAccess", REVOKE_ACCESS_BODY),
    OPEN_BALANCE: ("OpenBalance", BALANCE_BODY),
    CLOSE_BALANCE: ("CloseBalance", BALANCE_BODY),
    ALLOWANCE: ("Allowance", ALLOWANCE_BODY),
    ADJUST_MARGIN: ("AdjustMargin", ADJUST_MARGIN_BODY),
    FUND: ("Fund", FUND_BODY),
    DEFUND: ("Defund", FUND_BODY),
}
ACTIONS: Final = tuple(sorted((*ITEM_LAYOUTS, *TYPED_ACTIONS)))

_PREFIX = "uint32 account,uint64 key,uint64 nonce,uint64 expiresAfter"
TRADE_TYPE: Final = f"Trade({_PREFIX},uint8 action,bytes items)"
PRICE_TYPE: Final = "Price(uint32 feed,uint32 provider,uint64 price,uint64 time)"  # of a price leaf
CREDENTIAL_TYPE: Final = (  # of a credential leaf; it names no venue, so every venue may honour it
    "Credential(uint32 owner,address subject,uint32 region,uint16 class,"
    "uint64 issued,uint64 expires)"
)
DOMAIN_TYPE: Final = (
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
DOMAIN_NAME: Final = "TradeZone"
DOMAIN_VERSION: Final = "1"


def typed_signature(action: int) -> str:
    """Return the EIP-712 type string of a typed action (KeyError for a trade action)."""
    name, layout = TYPED_ACTIONS[action]
    fields = "".join(f",{kind} {label}" for label, kind, _ in layout)
    return f"{name}({_PREFIX}{fields})"


def domain_separator(chain_id: int, contract: bytes) -> bytes:
    """EIP-712 domain separator.

    Parameters
    ----------
    chain_id : int
        chain id of the L1
    contract : bytes
        20-byte address of the StateChain contract
    """
    if len(contract) != 20:
        raise ValueError(f"contract is {len(contract)} bytes, expected 20")
    return keccak(
        keccak(DOMAIN_TYPE.encode())
        + keccak(DOMAIN_NAME.encode())
        + keccak(DOMAIN_VERSION.encode())
        + chain_id.to_bytes(32, "big")
        + contract.rjust(32, b"\0")
    )


@dataclass(frozen=True, slots=True)
class Envelope:
    """An action before or after signing.

    ``body`` is the packed items (`ITEM_LAYOUTS`) or the packed typed body (`TYPED_ACTIONS`); ``signature`` is
    r | s | v (v is 27 or 28), empty while unsigned. Times are ms. ``key`` is generation << 32 | slot, so a
    signature dies with its key and cannot come back when the slot is used again.
    """

    account: int
    key: int
    nonce: int
    expires_after: int
    action: int
    body: bytes
    signature: bytes = b""

    @property
    def items(self) -> int:
        """Number of items in the body (1 for typed actions)."""
        layout = ITEM_LAYOUTS.get(self.action)
        return len(self.body) // layout_bytes(layout) if layout else 1

    def struct_hash(self) -> bytes:
        """EIP-712 hashStruct of the action."""
        prefix = b"".join(
            value.to_bytes(32, "big")
            for value in (self.account, self.key, self.nonce, self.expires_after)
        )
        if self.action in ITEM_LAYOUTS:
            return keccak(
                keccak(TRADE_TYPE.encode())
                + prefix
                + self.action.to_bytes(32, "big")
                + keccak(self.body)
            )
        _, layout = TYPED_ACTIONS[self.action]
        words, at = [], 0
        for _, kind, width in layout:
            raw = self.body[at : at + width]
            at += width
            words.append(raw.ljust(32, b"\0") if kind.startswith("bytes") else raw.rjust(32, b"\0"))
        return keccak(keccak(typed_signature(self.action).encode()) + prefix + b"".join(words))

    def digest(self, separator: bytes) -> bytes:
        """Return what the key signs: keccak(0x1901 | domain separator | struct hash)."""
        return keccak(b"\x19\x01" + separator + self.struct_hash())

    def to_leaf(self) -> bytes:
        """Return the leaf bytes. ValueError if a part has the wrong size."""
        if len(self.signature) != SIGNATURE_BYTES:
            raise ValueError(
                f"signature is {len(self.signature)} bytes, expected 65: sign it first"
            )
        leaf = (
            bytes([LEAF_ENVELOPE, ENVELOPE_VERSION])
            + self.account.to_bytes(4, "big")
            + self.key.to_bytes(8, "big")
            + self.nonce.to_bytes(8, "big")
            + self.expires_after.to_bytes(8, "big")
            + bytes([self.action, self.items])
            + len(self.body).to_bytes(2, "big")
            + self.body
            + self.signature
        )
        if len(leaf) > MAX_LEAF_BYTES:
            raise ValueError(f"leaf is {len(leaf)} bytes, at most {MAX_LEAF_BYTES} are allowed")
        return leaf

    @classmethod
    def from_leaf(cls, leaf: bytes) -> Envelope | None:
        """Decode a leaf, or return None if it is not a well-formed envelope.

        Well-formed: kind and version right, a known action, size and items agree with the layout,
        1 to 30 items (one for `SINGLE_ITEM` and typed actions), and exactly the signature after the
        body. Nothing else is looked at.
        """
        if len(leaf) < ENVELOPE_HEADER + SIGNATURE_BYTES or len(leaf) > MAX_LEAF_BYTES:
            return None
        if leaf[0] != LEAF_ENVELOPE or leaf[AT_VERSION] != ENVELOPE_VERSION:
            return None
        action, items = leaf[AT_ACTION], leaf[AT_ITEMS]
        size = int.from_bytes(leaf[AT_SIZE:AT_BODY], "big")
        if len(leaf) != ENVELOPE_HEADER + size + SIGNATURE_BYTES:
            return None
        if action in ITEM_LAYOUTS:
            most = 1 if action in SINGLE_ITEM else MAX_ITEMS
            if not 1 <= items <= most or size != items * layout_bytes(ITEM_LAYOUTS[action]):
                return None
        elif action in TYPED_ACTIONS:
            if items != 1 or size != layout_bytes(TYPED_ACTIONS[action][1]):
                return None
        else:
            return None
        return cls(
            account=int.from_bytes(leaf[AT_ACCOUNT:AT_KEY], "big"),
            key=int.from_bytes(leaf[AT_KEY:AT_NONCE], "big"),
            nonce=int.from_bytes(leaf[AT_NONCE:AT_EXPIRES], "big"),
            expires_after=int.from_bytes(leaf[AT_EXPIRES:AT_ACTION], "big"),
            action=action,
            body=leaf[AT_BODY : AT_BODY + size],
            signature=leaf[AT_BODY + size :],
        )


@dataclass(frozen=True, slots=True)
class SignedPrice:
    """What a provider says of a feed (a leaf of kind 3): ``price`` in 1e-8, ``time`` in ms."""

    feed: int
    provider: int
    price: int
    time: int
    signature: bytes = b""

    def _pack(self) -> bytes:
        values: dict[str, int | bytes] = {
            "feed": self.feed,
            "provider": self.provider,
            "price": self.price,
            "time": self.time,
        }
        return pack(PRICE_LEAF_BODY, values)

    def struct_hash(self) -> bytes:
        """EIP-712 hashStruct of the price."""
        data, at, words = self._pack(), 0, []
        for _, _, width in PRICE_LEAF_BODY:
            words.append(data[at : at + width].rjust(32, b"\0"))
            at += width
        return keccak(keccak(PRICE_TYPE.encode()) + b"".join(words))

    def digest(self, separator: bytes) -> bytes:
        """Return what the provider signs: keccak(0x1901 | domain separator | struct hash)."""
        return keccak(b"\x19\x01" + separator + self.struct_hash())

    def to_leaf(self) -> bytes:
        """Return the leaf bytes. ValueError if the signature has the wrong size."""
        if len(self.signature) != SIGNATURE_BYTES:
            raise ValueError(
                f"signature is {len(self.signature)} bytes, expected 65: sign it first"
            )
        return bytes([LEAF_PRICE]) + self._pack() + self.signature

    @classmethod
    def from_leaf(cls, leaf: bytes) -> SignedPrice | None:
        """Decode a leaf, or return None if kind or size are not those of a price."""
        if len(leaf) != PRICE_BYTES or leaf[0] != LEAF_PRICE:
            return None
        values: dict[str, Any] = unpack(PRICE_LEAF_BODY, leaf[1:PRICE_BODY_BYTES])
        return cls(**values, signature=leaf[PRICE_BODY_BYTES:])


@dataclass(frozen=True, slots=True)
class Credential:
    """What a provider attests of an owner, and the venue that shall read it (a leaf of kind 5).

    ``subject`` is the owner's 20-byte L1 address; ``issued`` and ``expires`` are ms. ``venue`` is not
    signed: whoever holds a credential may hand it to every venue that trusts its provider.
    """

    venue: int
    owner: int
    subject: bytes
    region: int
    class_: int
    issued: int
    expires: int
    signature: bytes = b""

    def _pack(self) -> bytes:
        values: dict[str, int | bytes] = {
            "venue": self.venue,
            "owner": self.owner,
            "subject": self.subject,
            "region": self.region,
            "class": self.class_,
            "issued": self.issued,
            "expires": self.expires,
        }
        return pack(CREDENTIAL_BODY, values)

    def struct_hash(self) -> bytes:
        """EIP-712 hashStruct of the attestation."""
        data, at, words = self._pack(), 0, []
        for name, _, width in CREDENTIAL_BODY:
            if name != "venue":
                words.append(data[at : at + width].rjust(32, b"\0"))
            at += width
        return keccak(keccak(CREDENTIAL_TYPE.encode()) + b"".join(words))

    def digest(self, separator: bytes) -> bytes:
        """Return what the provider signs: keccak(0x1901 | domain separator | struct hash)."""
        return keccak(b"\x19\x01" + separator + self.struct_hash())

    def to_leaf(self) -> bytes:
        """Return the leaf bytes. ValueError if a part has the wrong size."""
        if len(self.signature) != SIGNATURE_BYTES:
            raise ValueError(
                f"signature is {len(self.signature)} bytes, expected 65: sign it first"
            )
        return bytes([LEAF_CREDENTIAL]) + self._pack() + self.signature

    @classmethod
    def from_leaf(cls, leaf: bytes) -> Credential | None:
        """Decode a leaf, or return None if kind or size are not those of a credential."""
        if len(leaf) != CREDENTIAL_BYTES or leaf[0] != LEAF_CREDENTIAL:
            return None
        values: dict[str, Any] = unpack(CREDENTIAL_BODY, leaf[1:CREDENTIAL_BODY_BYTES])
        values["class_"] = values.pop("class")
        return cls(**values, signature=leaf[CREDENTIAL_BODY_BYTES:])


def pack(layout: Layout, values: dict[str, int | bytes]) -> bytes:
    """Pack one item or body. KeyError for a missing field, OverflowError for one out of range."""
    parts = []
    for name, kind, width in layout:
        value = values[name]
        if isinstance(value, int):
            parts.append(value.to_bytes(width, "big", signed=kind.startswith("int")))
        elif len(value) == width:
            parts.append(value)
        else:
            raise ValueError(f"{name} is {len(value)} bytes, expected {width} ({kind})")
    return b"".join(parts)


def unpack(layout: Layout, data: bytes) -> dict[str, int | bytes]:
    """Unpack one item or body; bytes and addresses stay bytes, all else becomes int."""
    values: dict[str, int | bytes] = {}
    at = 0
    for name, kind, width in layout:
        raw = data[at : at + width]
        at += width
        is_signed = kind.startswith("int")
        is_number = is_signed or kind.startswith("uint")
        values[name] = int.from_bytes(raw, "big", signed=is_signed) if is_number else raw
    return values


def unpack_items(envelope: Envelope) -> list[dict[str, int | bytes]]:
    """Unpack all items of a trade action's envelope."""
    layout = ITEM_LAYOUTS[envelope.action]
    size = layout_bytes(layout)
    return [unpack(layout, envelope.body[i : i + size]) for i in range(0, len(envelope.body), size)]


POST_TIFS: Final = (TIF_POST_ONLY, TIF_POST_SLIDE)
POST_MODES: Final = (AMEND_SHRINK, AMEND_POST_ONLY, AMEND_POST_SLIDE)
CLASS_PRICES: Final = 0  # inbox marks, prices and credentials
CLASS_CANCEL: Final = 1  # cancels, shrinks and everything that cannot touch a book
CLASS_POST: Final = 2  # can rest, cannot take
CLASS_TAKE: Final = 3  # can take


def leaf_class(leaf: bytes) -> int:
    """Return the execution class of a leaf, read from its bytes alone.

    A malformed leaf has class 0: it is a no-op wherever it stands. An envelope with several items has
    the class of its slowest one.
    """
    envelope = Envelope.from_leaf(leaf)
    if envelope is None:
        return CLASS_PRICES
    if envelope.action == PLACE:
        is_post = all(item["tif"] in POST_TIFS for item in unpack_items(envelope))
        return CLASS_POST if is_post else CLASS_TAKE
    if envelope.action == MASS_QUOTE:
        return CLASS_POST
    if envelope.action == PLACE_PLAN:
        return CLASS_TAKE  # behind the orders that it may follow
    if envelope.action == AMEND:
        modes = [item["mode"] for item in unpack_items(envelope)]
        if all(mode == AMEND_SHRINK for mode in modes):
            return CLASS_CANCEL
        return CLASS_POST if all(mode in POST_MODES for mode in modes) else CLASS_TAKE
    return CLASS_CANCEL


def block_mark(number: int, time: int) -> bytes:
    """Leaf that opens block ``number`` at ``time`` (ms)."""
    return bytes([LEAF_BLOCK]) + number.to_bytes(8, "big") + time.to_bytes(8, "big")


def inbox_mark(end: int) -> bytes:
    """Leaf that lets inbox messages below index ``end`` be consumed."""
    return bytes([LEAF_INBOX]) + end.to_bytes(8, "big")
