"""Inbox messages: what L1 tells the zone, byte for byte.

A message is ``kind u8 | index u64 | sender 20 | time u64 (L1 seconds) | block u64 | payload`` with
big-endian integers and a payload of at most 512 bytes. The prefix hash chains them:
``prefix(0) = 0`` and ``prefix(i + 1) = keccak(prefix(i) | keccak(message i))``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .actions import APPROVE_KEY_BODY, REVOKE_KEY_BODY, Layout, layout_bytes
from .hashing import keccak
from .limits import MAX_INBOX_PAYLOAD

MESSAGE_HEADER: Final = 45
NO_PREFIX: Final = bytes(32)  # prefix hash before the first message

DEPOSIT: Final = 1
REGISTER_OWNER: Final = 2
HEARTBEAT: Final = 3
REGISTER_ASSET: Final = 4
CREATE_VENUE: Final = 5
LIST_MARKET: Final = 6
UPDATE_VENUE: Final = 7
UPDATE_MARKET: Final = 8
LIST_EVENT: Final = 9
LIST_OUTCOME: Final = 10
LIST_GUEST: Final = 11
SET_CALENDAR: Final = 12
LIST_PERP: Final = 13
SET_PERP: Final = 14
APPROVE_CROSS: Final = 15
FORCED_WITHDRAW: Final = 16  # the forced operations: docs/spec/forced.md
FORCED_CLOSE: Final = 17
FORCED_CANCEL_ALL: Final = 18
FORCED_APPROVE_KEY: Final = 19
FORCED_REVOKE_KEY: Final = 20
FORCED_REDIRECT: Final = 21
ORACLE_SET: Final = 32
PRICE: Final = 33
RESOLUTION: Final = 34
SET_ASSET: Final = 48  # by governance or, for a simulated asset, its venue
SLASH: Final = 49
SET_RISK: Final = 50

DEPOSIT_BODY: Final[Layout] = (
    ("owner", "uint32", 4),
    ("address", "address", 20),
    ("asset", "uint32", 4),
    ("amount", "uint64", 8),  # atoms
)
REGISTER_OWNER_BODY: Final[Layout] = (
    ("owner", "uint32", 4),
    ("address", "address", 20),
    ("referrer", "uint32", 4),
    ("kind", "uint8", 1),
)
HEARTBEAT_BODY: Final[Layout] = (("batch", "uint64", 8),)
REGISTER_ASSET_BODY: Final[Layout] = (
    ("asset", "uint32", 4),
    ("token", "address", 20),
    ("kind", "uint8", 1),
    ("decimals", "uint8", 1),
    ("quantum", "uint64", 8),
    ("cap", "uint64", 8),  # atoms
    ("venue", "uint32", 4),
)
CREATE_VENUE_BODY: Final[Layout] = (
    ("venue", "uint32", 4),
    ("owner", "uint32", 4),
    ("access", "uint8", 1),
    ("stake", "uint64", 8),  # gwei
)
LIST_MARKET_BODY: Final[Layout] = (
    ("market", "uint32", 4),
    ("id", "uint32", 4),
    ("venue", "uint32", 4),
    ("kind", "uint8", 1),
    ("base", "uint32", 4),
    ("quote", "uint32", 4),
    ("lotSize", "uint64", 8),
    ("tickValue", "uint64", 8),
    ("minNotional", "uint64", 8),
    ("maxNotional", "uint64", 8),
    ("maxLots", "uint64", 8),
    ("maxPrice", "uint32", 4),
    ("takerFee", "int32", 4),
    ("makerFee", "int32", 4),
    ("protocolShare", "uint32", 4),
    ("insuranceShare", "uint32", 4),
    ("takerDelay", "uint8", 1),
    ("effectiveAt", "uint64", 8),  # ms
)
UPDATE_VENUE_BODY: Final[Layout] = (
    ("venue", "uint32", 4),
    ("state", "uint8", 1),
    ("access", "uint8", 1),
    ("credentialProvider", "address", 20),
    ("minClass", "uint16", 2),
    ("regions", "uint64", 8),
    ("stake", "uint64", 8),  # gwei
)
UPDATE_MARKET_BODY: Final[Layout] = (  # every parameter that may change, the whole set each time
    ("market", "uint32", 4),
    ("phase", "uint8", 1),
    ("access", "uint8", 1),
    ("takerDelay", "uint8", 1),
    ("calendar", "uint16", 2),
    ("takerFee", "int32", 4),
    ("makerFee", "int32", 4),
    ("protocolShare", "uint32", 4),
    ("insuranceShare", "uint32", 4),
    ("referrerShare", "uint32", 4),
    ("guestFee", "uint32", 4),
    ("band", "uint32", 4),  # ppm, 0 = none
    ("minNotional", "uint64", 8),
    ("maxNotional", "uint64", 8),
    ("maxLots", "uint64", 8),
    ("openInterestCap", "uint64", 8),  # quote atoms, 0 = none
    ("accountCap", "uint64", 8),  # quote atoms, 0 = none
    ("closes", "uint64", 8),  # ms, 0 = never
    ("effectiveAt", "uint64", 8),  # ms
)
LIST_EVENT_BODY: Final[Layout] = (
    ("group", "uint32", 4),
    ("venue", "uint32", 4),
    ("asset", "uint32", 4),
    ("outcomes", "uint8", 1),
    ("unit", "uint64", 8),  # quote atoms
    ("voidPayouts", "bytes32", 32),
)
LIST_OUTCOME_BODY: Final[Layout] = (
    ("market", "uint32", 4),
    ("id", "uint32", 4),
    ("group", "uint32", 4),
    ("tickValue", "uint64", 8),  # quote atoms; unit = tickValue * (max_price + 1)
    ("minNotional", "uint64", 8),
    ("maxNotional", "uint64", 8),
    ("maxLots", "uint64", 8),
    ("takerFee", "int32", 4),
    ("makerFee", "int32", 4),
    ("protocolShare", "uint32", 4),
    ("insuranceShare", "uint32", 4),
    ("takerDelay", "uint8", 1),
    ("effectiveAt", "uint64", 8),  # ms
    ("closes", "uint64", 8),  # ms, 0 = never
)
LIST_GUEST_BODY: Final[Layout] = (
    ("market", "uint32", 4),
    ("id", "uint32", 4),
    ("venue", "uint32", 4),
    ("home", "uint32", 4),  # market whose book it opens a door to
    ("guestFee", "uint32", 4),  # ppm
    ("effectiveAt", "uint64", 8),
)
SET_CALENDAR_BODY: Final[Layout] = (
    ("calendar", "uint32", 4),
    ("venue", "uint32", 4),
    *((f"{edge}{day}", "uint16", 2) for day in range(7) for edge in ("open", "close")),
    *((f"{edge}{n}", "uint64", 8) for n in range(4) for edge in ("from", "to")),
)
RESOLUTION_BODY: Final[Layout] = (
    ("group", "uint32", 4),
    ("state", "uint8", 1),  # GROUP_RESOLVED or GROUP_VOID
    ("payouts", "bytes32", 32),  # u16 an outcome, outcome 0 first; zero for VOID
)
SET_ASSET_BODY: Final[Layout] = (
    ("asset", "uint32", 4),
    ("quotaRate", "uint64", 8),
    ("quotaDeposit", "uint64", 8),
    ("faucetAmount", "uint64", 8),
    ("faucetInterval", "uint64", 8),
)
_TIERS: Final[Layout] = tuple(
    (f"{name}{tier}", kind, width)
    for tier in range(4)
    for name, kind, width in (("lower", "uint64", 8), ("imr", "uint32", 4), ("mmr", "uint32", 4))
)
_PERP_PARAMETERS: Final[Layout] = (
    ("fundingCap", "uint32", 4),  # ppb an hour
    ("interest", "uint32", 4),  # ppb of 8 h
    ("impactNotional", "uint64", 8),  # quote atoms
    ("bandListing", "uint32", 4),  # ppm
    ("bandBasis", "uint32", 4),  # ppm
    ("oiLower", "uint64", 8),  # quote atoms
    ("oiUpper", "uint64", 8),
    ("lossCap", "uint64", 8),  # quote atoms a day
    *_TIERS,  # unused ones are zero
)
LIST_PERP_BODY: Final[Layout] = (
    ("market", "uint32", 4),
    ("id", "uint32", 4),
    ("venue", "uint32", 4),
    ("quote", "uint32", 4),
    ("feed", "uint32", 4),
    ("feedScale", "uint64", 8),  # feed units (1e-8) of a tick
    ("tickValue", "uint64", 8),
    ("minNotional", "uint64", 8),
    ("maxNotional", "uint64", 8),
    ("maxLots", "uint64", 8),
    ("maxPrice", "uint32", 4),
    ("takerFee", "int32", 4),
    ("makerFee", "int32", 4),
    ("protocolShare", "uint32", 4),
    ("insuranceShare", "uint32", 4),
    ("takerDelay", "uint8", 1),
    ("calendar", "uint16", 2),
    ("band", "uint32", 4),  # ppm: Z
    ("openInterestCap", "uint64", 8),  # quote atoms
    ("accountCap", "uint64", 8),  # quote atoms, 0 = none
    ("closes", "uint64", 8),  # ms, 0 = never
    ("effectiveAt", "uint64", 8),  # ms
    *_PERP_PARAMETERS,
)
SET_PERP_BODY: Final[Layout] = (("market", "uint32", 4), *_PERP_PARAMETERS)
APPROVE_CROSS_BODY: Final[Layout] = (("market", "uint32", 4), ("weight", "uint32", 4))  # ppm
ORACLE_SET_BODY: Final[Layout] = (
    ("feed", "uint32", 4),
    ("venue", "uint32", 4),
    ("quorum", "uint8", 1),
    ("heartbeat", "uint32", 4),  # ms
    ("deviation", "uint32", 4),  # ppm
    ("breaker", "uint32", 4),  # ppm
    *(
        (f"{name}{place}", kind, width)
        for place in range(8)
        for name, kind, width in (("provider", "uint32", 4), ("signer", "address", 20))
    ),
)
PRICE_BODY: Final[Layout] = (
    ("feed", "uint32", 4),
    ("provider", "uint32", 4),
    ("signer", "address", 20),  # recovered by L1
    ("price", "uint64", 8),  # 1e-8
    ("time", "uint64", 8),  # ms
)
SLASH_BODY: Final[Layout] = (  # money of a slashed stake, converted on L1
    ("venue", "uint32", 4),
    ("asset", "uint32", 4),
    ("amount", "uint64", 8),
)
SET_RISK_BODY: Final[Layout] = (
    ("venue", "uint32", 4),
    ("asset", "uint32", 4),
    ("cap", "uint64", 8),  # open interest that the stake carries, atoms
)
# Whose operation it is, as L1 knows the caller: the owner, and for some of them one of its accounts.
FORCED_OWNER: Final[Layout] = (("owner", "uint32", 4), ("address", "address", 20))
FORCED_ACCOUNT: Final[Layout] = (*FORCED_OWNER, ("account", "uint32", 4))
FORCED_WITHDRAW_BODY: Final[Layout] = (
    *FORCED_ACCOUNT,
    ("asset", "uint32", 4),
    ("amount", "uint64", 8),  # atoms at most
)
FORCED_CLOSE_BODY: Final[Layout] = (
    *FORCED_ACCOUNT,
    ("market", "uint32", 4),
    ("position", "uint32", 4),  # slot
)
FORCED_CANCEL_ALL_BODY: Final[Layout] = FORCED_ACCOUNT
FORCED_APPROVE_KEY_BODY: Final[Layout] = (*FORCED_OWNER, *APPROVE_KEY_BODY)
FORCED_REVOKE_KEY_BODY: Final[Layout] = (*FORCED_OWNER, *REVOKE_KEY_BODY)
FORCED_REDIRECT_BODY: Final[Layout] = (*FORCED_OWNER, ("to", "address", 20))
FORCED_KINDS: Final = range(FORCED_WITHDRAW, FORCED_REDIRECT + 1)
BODIES: Final[dict[int, Layout]] = {
    DEPOSIT: DEPOSIT_BODY,
    REGISTER_OWNER: REGISTER_OWNER_BODY,
    HEARTBEAT: HEARTBEAT_BODY,
    REGISTER_ASSET: REGISTER_ASSET_BODY,
    CREATE_VENUE: CREATE_VENUE_BODY,
    LIST_MARKET: LIST_MARKET_BODY,
    UPDATE_VENUE: UPDATE_VENUE_BODY,
    UPDATE_MARKET: UPDATE_MARKET_BODY,
    LIST_EVENT: LIST_EVENT_BODY,
    LIST_OUTCOME: LIST_OUTCOME_BODY,
    LIST_GUEST: LIST_GUEST_BODY,
    SET_CALENDAR: SET_CALENDAR_BODY,
    RESOLUTION: RESOLUTION_BODY,
    SET_ASSET: SET_ASSET_BODY,
    LIST_PERP: LIST_PERP_BODY,
    SET_PERP: SET_PERP_BODY,
    APPROVE_CROSS: APPROVE_CROSS_BODY,
    FORCED_WITHDRAW: FORCED_WITHDRAW_BODY,
    FORCED_CLOSE: FORCED_CLOSE_BODY,
    FORCED_CANCEL_ALL: FORCED_CANCEL_ALL_BODY,
    FORCED_APPROVE_KEY: FORCED_APPROVE_KEY_BODY,
    FORCED_REVOKE_KEY: FORCED_REVOKE_KEY_BODY,
    FORCED_REDIRECT: FORCED_REDIRECT_BODY,
    ORACLE_SET: ORACLE_SET_BODY,
    PRICE: PRICE_BODY,
    SLASH: SLASH_BODY,
    SET_RISK: SET_RISK_BODY,
}


@dataclass(frozen=True, slots=True)
class Message:
    """One inbox message as L1 recorded it."""

    index: int
    kind: int
    sender: bytes  # 20
    time: int  # L1 seconds
    block: int
    payload: bytes

    def to_bytes(self) -> bytes:
        """Return the message bytes that the prefix chain and the engine read."""
        if len(self.payload) > MAX_INBOX_PAYLOAD:
            raise ValueError(
                f"payload is {len(self.payload)} bytes, at most {MAX_INBOX_PAYLOAD} are allowed"
            )
        return (
            bytes([self.kind])
            + self.index.to_bytes(8, "big")
            + self.sender
            + self.time.to_bytes(8, "big")
            + self.block.to_bytes(8, "big")
            + self.payload
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Message:
        """Decode message bytes. ValueError if they are shorter than the header."""
        if len(data) < MESSAGE_HEADER:
            raise ValueError(f"message is {len(data)} bytes, expected at least {MESSAGE_HEADER}")
        return cls(
            kind=data[0],
            index=int.from_bytes(data[1:9], "big"),
            sender=data[9:29],
            time=int.from_bytes(data[29:37], "big"),
            block=int.from_bytes(data[37:45], "big"),
            payload=data[45:],
        )


def next_prefix(prefix: bytes, message: bytes) -> bytes:
    """Return the prefix hash after ``message`` (its full bytes)."""
    return keccak(prefix + keccak(message))


def is_well_formed(kind: int, payload: bytes) -> bool:
    """Whether a payload has exactly the size of its kind's body."""
    layout = BODIES.get(kind)
    return layout is not None and len(payload) == layout_bytes(layout)
